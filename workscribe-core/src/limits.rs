//! All limits in one declaration: how much a tenant can have, how large a request and an answer may be, how often something may be
//! done, and how much at a time.
//!
//! The declaration gives the checks of the services, the rules of the limiter, the host's setting `WORKSCRIBE_LIMITS`,
//! `GET /api/v1/limits`, and `docs/LIMITS.md`, which a test compares. To add a limit, add a line in [`limits!`](self), use it,
//! and add a row in that document.

use std::time::Duration;

use crate::error::{Code, Error};
use crate::named::names;
use crate::ports::RateRule;

names! {
    /// The unit of a limit.
    Unit {
        /// Things of one kind.
        Items = "items",
        /// Bytes.
        Bytes = "bytes",
        /// Characters (Unicode scalar values).
        Characters = "characters",
        /// Levels of objects and arrays inside each other.
        Levels = "levels",
        /// Requests.
        Requests = "requests",
        /// Mails.
        Mails = "mails",
        /// Messages of webhooks.
        Messages = "messages",
        /// Hundredths of another number.
        Percent = "percent",
        /// Seconds.
        Seconds = "seconds",
    }
}

/// Whether an operator can change a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Changeable {
    /// Yes, by [`Settings::limits`](crate::Settings::limits).
    Yes,
    /// Yes, and [`Limits::lifted`] lifts all of these together, for load tests.
    Lifted,
    /// No: the value is a part of the API.
    No,
}

macro_rules! limits {
    ($($(#[$doc:meta])* $limit:ident = $name:literal, $default:literal, $unit:ident $(per $seconds:literal)?, $changeable:ident, $code:literal, $sentence:literal;)+) => {
        /// What a limit bounds.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Limit { $($(#[$doc])* $limit,)+ }

        impl Limit {
            /// All limits, in the order of their declaration.
            pub const ALL: &'static [Limit] = &[$(Limit::$limit,)+];

            /// Its name in settings and in the API.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$limit => $name,)+ }
            }

            /// Its value, unless an operator changes it.
            #[must_use]
            pub const fn default_value(self) -> u32 {
                match self { $(Self::$limit => $default,)+ }
            }

            /// Its unit.
            #[must_use]
            pub const fn unit(self) -> Unit {
                match self { $(Self::$limit => Unit::$unit,)+ }
            }

            /// The period of a rate in seconds; 0 when the limit is not a rate.
            const fn seconds(self) -> u64 {
                match self { $(Self::$limit => 0 $(+ $seconds)?,)+ }
            }

            /// Whether an operator can change it.
            #[must_use]
            pub const fn changeable(self) -> Changeable {
                match self { $(Self::$limit => Changeable::$changeable,)+ }
            }

            /// The code of a refusal: that of the whole answer or that of the field. Empty when nothing is refused.
            #[must_use]
            pub const fn code(self) -> &'static str {
                match self { $(Self::$limit => $code,)+ }
            }

            /// The sentence for people, with `{}` for the value.
            const fn sentence(self) -> &'static str {
                match self { $(Self::$limit => $sentence,)+ }
            }
        }
    };
}

limits! {
    /// Organizations that one person owns. It is checked when the person creates another one.
    OrganizationsPerOwner = "organizations_per_owner", 50, Items, Yes, "LIMIT_REACHED", "A person owns at most {} organizations.";
    /// Members of an organization.
    MembersPerOrganization = "members_per_organization", 5_000, Items, Yes, "LIMIT_REACHED", "An organization has at most {} members.";
    /// Pending invitations of an organization, including expired ones.
    InvitationsPerOrganization = "invitations_per_organization", 1_000, Items, Yes, "LIMIT_REACHED", "An organization has at most {} pending invitations.";
    /// Projects of an organization, including archived ones.
    ProjectsPerOrganization = "projects_per_organization", 1_000, Items, Yes, "LIMIT_REACHED", "An organization has at most {} projects, archived ones among them.";
    /// Webhooks of an organization.
    WebhooksPerOrganization = "webhooks_per_organization", 20, Items, Yes, "LIMIT_REACHED", "An organization has at most {} webhooks.";
    /// Statuses of a project: one answer contains all of them.
    StatusesPerProject = "statuses_per_project", 50, Items, Yes, "LIMIT_REACHED", "A project has at most {} statuses.";
    /// Labels of a project.
    LabelsPerProject = "labels_per_project", 1_000, Items, Yes, "LIMIT_REACHED", "A project has at most {} labels.";
    /// Tasks that a project has ever had, since their numbers are not used again.
    TasksPerProject = "tasks_per_project", 1_000_000, Items, Yes, "LIMIT_REACHED", "A project gives at most {} numbers to tasks.";
    /// Tasks directly below a task.
    SubtasksPerTask = "subtasks_per_task", 1_000, Items, Yes, "LIMIT_REACHED", "A task has at most {} tasks directly below it.";
    /// Comments on a task.
    CommentsPerTask = "comments_per_task", 5_000, Items, Yes, "LIMIT_REACHED", "A task has at most {} comments.";
    /// Labels on a task: the task's answer contains all of them.
    LabelsPerTask = "labels_per_task", 50, Items, Yes, "LIMIT_REACHED", "A task has at most {} labels.";
    /// The size of a page in bytes of JSON. A page that reaches it ends early, with a cursor.
    PageBytes = "page_bytes", 1_048_576, Bytes, Yes, "", "A page that shows {} bytes or more ends there and has a cursor; it shows at least one item.";
    /// Items on a page.
    PageItems = "page_items", 100, Items, No, "OUT_OF_RANGE", "A page has at most {} items.";
    /// The body of a request.
    BodyBytes = "body_bytes", 1_048_576, Bytes, No, "BODY_TOO_LARGE", "A body has at most {} bytes.";
    /// The nesting of a body.
    BodyDepth = "body_depth", 100, Levels, No, "MALFORMED_BODY", "A body is nested at most {} deep.";
    /// A task's description, or a comment's body, as compact JSON.
    DocumentBytes = "document_bytes", 262_144, Bytes, No, "TOO_LARGE", "A document has at most {} bytes.";
    /// The nesting of such a document.
    DocumentDepth = "document_depth", 64, Levels, No, "TOO_DEEP", "A document is nested at most {} deep.";
    /// The name of a person, an organization or a project.
    NameCharacters = "name_characters", 100, Characters, No, "TOO_LONG", "A name has at most {} characters.";
    /// The name of a status or a label.
    LabelNameCharacters = "label_name_characters", 50, Characters, No, "TOO_LONG", "The name of a status or label has at most {} characters.";
    /// A task's title.
    TitleCharacters = "title_characters", 500, Characters, No, "TOO_LONG", "A title has at most {} characters.";
    /// A project's description.
    DescriptionCharacters = "description_characters", 10_000, Characters, No, "TOO_LONG", "A project's description has at most {} characters.";
    /// A webhook's description.
    WebhookDescriptionCharacters = "webhook_description_characters", 200, Characters, No, "TOO_LONG", "A webhook's description has at most {} characters.";
    /// A password.
    PasswordCharacters = "password_characters", 128, Characters, No, "TOO_LONG", "A password has at most {} characters.";
    /// An e-mail address.
    EmailBytes = "email_bytes", 254, Bytes, No, "INVALID_EMAIL", "An e-mail address has at most {} bytes.";
    /// An organization's name in URLs.
    SlugCharacters = "slug_characters", 30, Characters, No, "INVALID_SLUG", "A slug has at most {} characters.";
    /// A project's key.
    KeyCharacters = "key_characters", 10, Characters, No, "INVALID_KEY", "A project's key has at most {} characters.";
    /// The URL of a picture.
    AvatarUrlBytes = "avatar_url_bytes", 2_048, Bytes, No, "INVALID_URL", "The address of a picture has at most {} bytes.";
    /// The URL of a webhook.
    WebhookUrlCharacters = "webhook_url_characters", 2_000, Characters, No, "TOO_LONG", "The address of a webhook has at most {} characters.";
    /// Names of events in one request for a webhook.
    EventsPerWebhook = "events_per_webhook", 50, Items, No, "TOO_MANY", "A webhook names at most {} events.";
    /// The text of a search.
    SearchCharacters = "search_characters", 200, Characters, No, "OUT_OF_RANGE", "A search is for at most {} characters.";
    /// Tasks that one request changes.
    TasksPerChange = "tasks_per_change", 100, Items, No, "OUT_OF_RANGE", "One request changes at most {} tasks.";
    /// Requests that wait for the hash of a password. Further requests are refused.
    HashesWaiting = "hashes_waiting", 64, Items, No, "OVERLOADED", "At most {} requests wait for a password's hash.";
    /// Those of one user. One more is being hashed.
    HashesWaitingPerUser = "hashes_waiting_per_user", 2, Items, Lifted, "OVERLOADED", "Of a user, at most {} requests wait for a password's hash.";
    /// Those without a user from one network: a quarter of all. One more is being hashed.
    HashesWaitingPerNetwork = "hashes_waiting_per_network", 16, Items, Lifted, "OVERLOADED", "From a network (an IPv4 /24, an IPv6 /64), at most {} requests without a user wait for a password's hash.";
    /// Requests with an access token, by user. Ten seconds' worth may come at once.
    RequestsPerUser = "requests_per_user", 50, Requests per 1, Lifted, "RATE_LIMITED", "A user makes at most {} requests a second on each server; those of ten seconds may come at once.";
    /// Requests in an organization. Ten seconds' worth may come at once.
    RequestsPerOrganization = "requests_per_organization", 500, Requests per 1, Lifted, "RATE_LIMITED", "In an organization at most {} requests a second are made on each server; those of ten seconds may come at once.";
    /// Requests of a user that run at a time. Three that take 5 ms are 600 a second, and three slow ones leave cores to others.
    RequestsAtOncePerUser = "requests_at_once_per_user", 3, Items, Lifted, "", "Of a user, {} requests are worked on at a time on each server; others wait.";
    /// Requests of a user that wait to run.
    RequestsWaitingPerUser = "requests_waiting_per_user", 64, Items, Lifted, "OVERLOADED", "Of a user, at most {} requests wait for their turn on each server.";
    /// Units of work of a party that wait for a connection to the database.
    DatabaseWaitingPerParty = "database_waiting_per_party", 128, Items, No, "OVERLOADED", "Of an organization or a person, at most {} requests wait for a connection to the database on each server.";
    /// Logins. Here and below, an IPv6 address counts as its /64.
    LoginsPerAddress = "logins_per_address", 30, Requests per 60, Lifted, "RATE_LIMITED", "From an address (IPv6: a /64), at most {} logins are tried a minute.";
    /// Registrations.
    RegistrationsPerAddress = "registrations_per_address", 30, Requests per 3_600, Lifted, "RATE_LIMITED", "From an address (IPv6: a /64), at most {} registrations are made an hour.";
    /// Requests for a link to set a new password.
    PasswordResetsPerAddress = "password_resets_per_address", 30, Requests per 3_600, Lifted, "RATE_LIMITED", "From an address (IPv6: a /64), a new password is asked for at most {} times an hour.";
    /// The same by the named account, whether it exists or not.
    PasswordResetsPerAccount = "password_resets_per_account", 5, Requests per 3_600, Lifted, "RATE_LIMITED", "For an account, a new password is asked for at most {} times an hour.";
    /// Uses of a link from a mail.
    MailedTokensPerAddress = "mailed_tokens_per_address", 60, Requests per 3_600, Lifted, "RATE_LIMITED", "From an address (IPv6: a /64), links of mails are used at most {} times an hour.";
    /// Changes of a password, including failed attempts.
    PasswordChangesPerUser = "password_changes_per_user", 20, Requests per 3_600, Lifted, "RATE_LIMITED", "A user changes the password, or tries to, at most {} times an hour.";
    /// Repeated mails that verify an address.
    VerificationsPerUser = "verifications_per_user", 5, Mails per 3_600, Lifted, "RATE_LIMITED", "The mail that verifies an address is sent again to a user at most {} times an hour.";
    /// Invitations that are created or sent again, by the inviting user.
    InvitationsPerUser = "invitations_per_user", 200, Requests per 3_600, Lifted, "RATE_LIMITED", "A user sends at most {} invitations an hour.";
    /// The same by organization.
    InvitationMailsPerOrganization = "invitation_mails_per_organization", 500, Mails per 86_400, Lifted, "RATE_LIMITED", "An organization sends at most {} invitations a day.";
    /// The same by organization and recipient. The limiter stores a hash of the recipient's address.
    InvitationMailsPerRecipientAndOrganization = "invitation_mails_per_recipient_and_organization", 3, Mails per 3_600, Lifted, "RATE_LIMITED", "An organization sends an e-mail address at most {} invitations an hour.";
    /// The same by recipient, from all organizations.
    InvitationMailsPerRecipient = "invitation_mails_per_recipient", 10, Mails per 86_400, Lifted, "RATE_LIMITED", "An e-mail address is sent at most {} invitations a day, by all organizations.";
    /// Repeated mails of one invitation.
    MailsPerInvitation = "mails_per_invitation", 3, Mails per 3_600, Lifted, "RATE_LIMITED", "An invitation is sent again at most {} times an hour.";
    /// Mails which say that an account already exists, under `verify_first`. Further mails are dropped without an error, since an
    /// error would reveal the account.
    AlreadyRegisteredMailsPerRecipient = "already_registered_mails_per_recipient", 3, Mails per 86_400, Lifted, "", "An e-mail address is told at most {} times a day that it has an account already.";
    /// Exports that run at a time. Each uses a file on the server.
    ExportsAtOnce = "exports_at_once", 16, Items, Yes, "OVERLOADED", "At most {} exports are taken at a time from each server.";
    /// Those of one organization.
    ExportsPerOrganization = "exports_per_organization", 1, Items, Yes, "OVERLOADED", "Of an organization, at most {} exports are taken at a time from each server.";
    /// Those of one person.
    ExportsPerUser = "exports_per_user", 2, Items, Yes, "OVERLOADED", "A person takes at most {} exports at a time from each server.";
    /// Those that read from the database at a time. Each holds a connection.
    ExportsReading = "exports_reading", 2, Items, Yes, "OVERLOADED", "At most {} exports read the database at a time on each server; others wait up to a minute.";
    /// The maximum duration of an export. For a longer one, use `workscribe export`.
    ExportSeconds = "export_seconds", 900, Seconds, Yes, "", "An export is broken off after {} seconds.";
    /// The maximum time in which a body arrives.
    BodySeconds = "body_seconds", 10, Seconds, No, "REQUEST_TIMEOUT", "A body arrives within {} seconds.";
    /// The maximum time in which a client reads nothing of an answer.
    UnreadSeconds = "unread_seconds", 30, Seconds, No, "", "A client that takes nothing of an answer for {} seconds is cut off.";
    /// Messages of an organization to one host, for all kinds of events. Further messages are postponed and arrive later.
    WebhookMessagesPerHost = "webhook_messages_per_host", 600, Messages per 60, Yes, "", "An organization sends at most {} messages a minute to one host from each worker; others are put off.";
    /// Pings and messages that members send again, of an organization to one host.
    WebhookMessagesByHand = "webhook_messages_by_hand", 10, Messages per 60, Lifted, "RATE_LIMITED", "An organization sends at most {} pings and repeats by hand a minute to one host.";
    /// Messages that are being sent to one host.
    WebhookPlacesPerHost = "webhook_places_per_host", 8, Items, Yes, "", "At most {} messages are on their way to one host from each worker; others are put off.";
    /// Those of one organization, so that a slow endpoint leaves places to other organizations.
    WebhookPlacesPerHostAndOrganization = "webhook_places_per_host_and_organization", 2, Items, Yes, "", "Of an organization, at most {} messages are on their way to one host from each worker; others are put off.";
    /// The share of the webhook queue that one organization may use.
    WebhookShareOfOrganization = "webhook_share_of_organization", 25, Percent, Yes, "", "An organization holds at most {} percent of a worker's places for webhooks.";
    /// The same for every other queue.
    JobShareOfOrganization = "job_share_of_organization", 50, Percent, Yes, "", "An organization holds at most {} percent of a worker's places in any other queue.";
}

impl Limit {
    /// The limit with this name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|limit| limit.name() == name)
    }

    /// The period of a rate; `None` when the limit is not a rate.
    #[must_use]
    pub const fn per(self) -> Option<Duration> {
        match self.seconds() {
            0 => None,
            seconds => Some(Duration::from_secs(seconds)),
        }
    }
}

/// The values of the limits on this server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    values: [u32; Limit::ALL.len()],
    are_lifted: bool,
}

impl Default for Limits {
    fn default() -> Self {
        let values = std::array::from_fn(|at| Limit::ALL[at].default_value());
        Self { values, are_lifted: false }
    }
}

impl Limits {
    /// The value of a limit.
    #[must_use]
    pub const fn of(&self, limit: Limit) -> u32 {
        self.values[limit as usize]
    }

    /// The same as `usize`, for counting.
    #[must_use]
    pub fn count_of(&self, limit: Limit) -> usize {
        usize::try_from(self.of(limit)).unwrap_or(usize::MAX)
    }

    /// Sets the value of a limit. A limit that is a part of the API does not change.
    #[must_use]
    pub const fn with(mut self, limit: Limit, value: u32) -> Self {
        if !matches!(limit.changeable(), Changeable::No) {
            self.values[limit as usize] = value;
        }
        self
    }

    /// Lifts the limits that are [`Changeable::Lifted`]: how often requests, logins and mails may come, and how many of one party
    /// at a time. For load tests.
    #[must_use]
    pub const fn lifted(mut self) -> Self {
        self.are_lifted = true;
        self
    }

    /// Whether a limit is lifted on this server.
    #[must_use]
    pub const fn is_lifted(&self, limit: Limit) -> bool {
        self.are_lifted && matches!(limit.changeable(), Changeable::Lifted)
    }

    /// Whether the limits that can be lifted are lifted.
    #[must_use]
    pub const fn are_lifted(&self) -> bool {
        self.are_lifted
    }

    /// A rate as limiters count it. The rule has the name of the limit.
    #[must_use]
    pub fn rule(&self, limit: Limit) -> RateRule {
        RateRule {
            name: limit.name(),
            limit: self.of(limit),
            window: limit.per().unwrap_or(Duration::from_secs(1)),
        }
    }

    /// The sentence for people, with the value.
    #[must_use]
    pub fn sentence(&self, limit: Limit) -> String {
        limit.sentence().replace("{}", &self.of(limit).to_string())
    }

    /// Refuses one more when `there` already exist. Count them under a lock that every transaction that adds one holds.
    ///
    /// # Errors
    /// `LIMIT_REACHED`; see [`Limits::reached`].
    pub fn admit(&self, limit: Limit, there: i64) -> Result<(), Error> {
        if there < i64::from(self.of(limit)) { Ok(()) } else { Err(self.reached(limit)) }
    }

    /// The refusal when a limit is reached: `params` has its name (`limit_name`) and its value (`limit`).
    #[must_use]
    pub fn reached(&self, limit: Limit) -> Error {
        Error::new(Code::LimitReached, self.sentence(limit))
            .with_param("limit", self.of(limit))
            .with_param("limit_name", limit.name())
    }
}

/// A number of rows that were read, for [`Limits::admit`].
#[must_use]
pub(crate) fn count(there: usize) -> i64 {
    i64::try_from(there).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_limit_is_found_by_its_name_and_says_its_value() {
        let limits = Limits::default();
        for limit in Limit::ALL {
            assert_eq!(Limit::parse(limit.name()), Some(*limit));
            let sentence = limits.sentence(*limit);
            assert!(
                sentence.contains(&limit.default_value().to_string()) && !sentence.contains("{}"),
                "{sentence}"
            );
        }
    }

    #[test]
    fn a_rate_is_counted_under_its_name_within_its_time_and_can_be_lifted() {
        let limits = Limits::default().with(Limit::LoginsPerAddress, 7);
        let rule = limits.rule(Limit::LoginsPerAddress);
        assert_eq!((rule.name, rule.limit, rule.window), ("logins_per_address", 7, Duration::from_secs(60)));
        assert_eq!(limits.clone().with(Limit::BodySeconds, 7), limits, "a part of the contract");
        assert!(!limits.is_lifted(Limit::LoginsPerAddress));
        let lifted = limits.lifted();
        assert!(lifted.is_lifted(Limit::LoginsPerAddress) && !lifted.is_lifted(Limit::LabelsPerTask));
    }

    #[test]
    fn one_more_is_admitted_below_the_limit_alone() {
        let limits = Limits::default().with(Limit::LabelsPerTask, 2);
        assert!(limits.admit(Limit::LabelsPerTask, 1).is_ok());
        let refused = limits.admit(Limit::LabelsPerTask, 2).unwrap_err();
        assert_eq!((refused.code(), refused.detail()), (Code::LimitReached, "A task has at most 2 labels."));
        assert_eq!(refused.params()["limit"], 2);
        assert_eq!(refused.params()["limit_name"], "labels_per_task");
    }
}
