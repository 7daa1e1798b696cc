//! The bounds of what a tenant can grow, of what a request and an answer may hold, and of how often and how many at a time, in one
//! declaration.
//!
//! From it come the checks of the services, the rules of the limiter, the setting `WORKSCRIBE_LIMITS` of the host,
//! `GET /api/v1/limits`, and `docs/LIMITS.md`, which a test compares. To add one: a line in [`limits!`](self), its use, and a row in that
//! document.

use std::time::Duration;

use crate::error::{Code, Error};
use crate::named::names;
use crate::ports::RateRule;

names! {
    /// What a limit counts.
    Unit {
        /// Things.
        Items = "items",
        /// Bytes.
        Bytes = "bytes",
        /// Characters (Unicode scalar values).
        Characters = "characters",
        /// Objects and arrays within each other.
        Levels = "levels",
        /// Requests.
        Requests = "requests",
        /// Mails.
        Mails = "mails",
        /// Messages of webhooks.
        Messages = "messages",
        /// Hundredths of something else.
        Percent = "percent",
        /// Seconds.
        Seconds = "seconds",
    }
}

/// Whether an operator can change a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Changeable {
    /// By [`Settings::limits`](crate::Settings::limits).
    Yes,
    /// Likewise, and all of these can be lifted together, for load tests: [`Limits::lifted`].
    Lifted,
    /// No: it is a part of the contract.
    No,
}

macro_rules! limits {
    ($($(#[$doc:meta])* $limit:ident = $name:literal, $default:literal, $unit:ident $(per $seconds:literal)?, $changeable:ident, $code:literal, $sentence:literal;)+) => {
        /// A bound, by what it is of.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Limit { $($(#[$doc])* $limit,)+ }

        impl Limit {
            /// Every limit, in the order in which they are declared.
            pub const ALL: &'static [Limit] = &[$(Limit::$limit,)+];

            /// Its name in settings and answers.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$limit => $name,)+ }
            }

            /// What it is unless an operator says otherwise.
            #[must_use]
            pub const fn default_value(self) -> u32 {
                match self { $(Self::$limit => $default,)+ }
            }

            /// What it counts.
            #[must_use]
            pub const fn unit(self) -> Unit {
                match self { $(Self::$limit => Unit::$unit,)+ }
            }

            /// Of a rate, within what time: in this many seconds, which are 0 for what is no rate.
            const fn seconds(self) -> u64 {
                match self { $(Self::$limit => 0 $(+ $seconds)?,)+ }
            }

            /// Whether an operator can change it.
            #[must_use]
            pub const fn changeable(self) -> Changeable {
                match self { $(Self::$limit => Changeable::$changeable,)+ }
            }

            /// The code that answers who would pass it, of the whole answer or of the field; empty where nobody is refused.
            #[must_use]
            pub const fn code(self) -> &'static str {
                match self { $(Self::$limit => $code,)+ }
            }

            /// What it says to people, with `{}` for its value.
            const fn sentence(self) -> &'static str {
                match self { $(Self::$limit => $sentence,)+ }
            }
        }
    };
}

limits! {
    /// Organizations of which one person is an owner. Asked when they make another.
    OrganizationsPerOwner = "organizations_per_owner", 50, Items, Yes, "LIMIT_REACHED", "A person owns at most {} organizations.";
    /// Members of an organization.
    MembersPerOrganization = "members_per_organization", 5_000, Items, Yes, "LIMIT_REACHED", "An organization has at most {} members.";
    /// Pending invitations of an organization, those among them whose time is over.
    InvitationsPerOrganization = "invitations_per_organization", 1_000, Items, Yes, "LIMIT_REACHED", "An organization has at most {} pending invitations.";
    /// Projects of an organization, archived ones among them.
    ProjectsPerOrganization = "projects_per_organization", 1_000, Items, Yes, "LIMIT_REACHED", "An organization has at most {} projects, archived ones among them.";
    /// Webhooks of an organization.
    WebhooksPerOrganization = "webhooks_per_organization", 20, Items, Yes, "LIMIT_REACHED", "An organization has at most {} webhooks.";
    /// Statuses of a project: they are answered in one piece.
    StatusesPerProject = "statuses_per_project", 50, Items, Yes, "LIMIT_REACHED", "A project has at most {} statuses.";
    /// Labels of a project.
    LabelsPerProject = "labels_per_project", 1_000, Items, Yes, "LIMIT_REACHED", "A project has at most {} labels.";
    /// Tasks that a project ever had: their numbers.
    TasksPerProject = "tasks_per_project", 1_000_000, Items, Yes, "LIMIT_REACHED", "A project gives at most {} numbers to tasks.";
    /// Tasks that are directly below a task.
    SubtasksPerTask = "subtasks_per_task", 1_000, Items, Yes, "LIMIT_REACHED", "A task has at most {} tasks directly below it.";
    /// Comments on a task.
    CommentsPerTask = "comments_per_task", 5_000, Items, Yes, "LIMIT_REACHED", "A task has at most {} comments.";
    /// Labels on a task: they are answered with it.
    LabelsPerTask = "labels_per_task", 50, Items, Yes, "LIMIT_REACHED", "A task has at most {} labels.";
    /// What an answer with a list shows, in bytes of JSON: it ends early, with a cursor.
    PageBytes = "page_bytes", 1_048_576, Bytes, Yes, "", "A page that shows {} bytes or more ends there and has a cursor; it shows at least one item.";
    /// Items on a page.
    PageItems = "page_items", 100, Items, No, "OUT_OF_RANGE", "A page has at most {} items.";
    /// The body of a request.
    BodyBytes = "body_bytes", 1_048_576, Bytes, No, "BODY_TOO_LARGE", "A body has at most {} bytes.";
    /// Nesting within a body.
    BodyDepth = "body_depth", 100, Levels, No, "MALFORMED_BODY", "A body is nested at most {} deep.";
    /// A task's description, or a comment's body, as compact JSON.
    DocumentBytes = "document_bytes", 262_144, Bytes, No, "TOO_LARGE", "A document has at most {} bytes.";
    /// Nesting within it.
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
    /// The address of a picture.
    AvatarUrlBytes = "avatar_url_bytes", 2_048, Bytes, No, "INVALID_URL", "The address of a picture has at most {} bytes.";
    /// The address of a webhook.
    WebhookUrlCharacters = "webhook_url_characters", 2_000, Characters, No, "TOO_LONG", "The address of a webhook has at most {} characters.";
    /// Names of events that one request gives for a webhook.
    EventsPerWebhook = "events_per_webhook", 50, Items, No, "TOO_MANY", "A webhook names at most {} events.";
    /// What is searched for.
    SearchCharacters = "search_characters", 200, Characters, No, "OUT_OF_RANGE", "A search is for at most {} characters.";
    /// Tasks that one request changes.
    TasksPerChange = "tasks_per_change", 100, Items, No, "OUT_OF_RANGE", "One request changes at most {} tasks.";
    /// Requests that wait for a password's hash; those that come then are turned away.
    HashesWaiting = "hashes_waiting", 64, Items, No, "OVERLOADED", "At most {} requests wait for a password's hash.";
    /// Of them, those of one user; one more is being worked on.
    HashesWaitingPerUser = "hashes_waiting_per_user", 2, Items, Lifted, "OVERLOADED", "Of a user, at most {} requests wait for a password's hash.";
    /// Of them, those from one network that are nobody's, a quarter of all; one more is being worked on.
    HashesWaitingPerNetwork = "hashes_waiting_per_network", 16, Items, Lifted, "OVERLOADED", "From a network (an IPv4 /24, an IPv6 /64), at most {} requests without a user wait for a password's hash.";
    /// Requests with an access token, by whom. Those of ten seconds may come at once.
    RequestsPerUser = "requests_per_user", 50, Requests per 1, Lifted, "RATE_LIMITED", "A user makes at most {} requests a second on each server; those of ten seconds may come at once.";
    /// The same behind the door of an organization.
    RequestsPerOrganization = "requests_per_organization", 500, Requests per 1, Lifted, "RATE_LIMITED", "In an organization at most {} requests a second are made on each server; those of ten seconds may come at once.";
    /// Requests of a user that are worked on at a time. Three that take 5 ms are 600 a second, and three that take long leave cores to others.
    RequestsAtOncePerUser = "requests_at_once_per_user", 3, Items, Lifted, "", "Of a user, {} requests are worked on at a time on each server; others wait.";
    /// Requests of a user that wait for their turn among those.
    RequestsWaitingPerUser = "requests_waiting_per_user", 64, Items, Lifted, "OVERLOADED", "Of a user, at most {} requests wait for their turn on each server.";
    /// Units of work of a party that wait for a connection to the database.
    DatabaseWaitingPerParty = "database_waiting_per_party", 128, Items, No, "OVERLOADED", "Of an organization or a person, at most {} requests wait for a connection to the database on each server.";
    /// Logins. An address of IPv6 is its /64, here and below.
    LoginsPerAddress = "logins_per_address", 30, Requests per 60, Lifted, "RATE_LIMITED", "From an address (IPv6: a /64), at most {} logins are tried a minute.";
    /// Registrations.
    RegistrationsPerAddress = "registrations_per_address", 30, Requests per 3_600, Lifted, "RATE_LIMITED", "From an address (IPv6: a /64), at most {} registrations are made an hour.";
    /// Requests for a link to a new password.
    PasswordResetsPerAddress = "password_resets_per_address", 30, Requests per 3_600, Lifted, "RATE_LIMITED", "From an address (IPv6: a /64), a new password is asked for at most {} times an hour.";
    /// The same by the account that is named, whether there is one or not.
    PasswordResetsPerAccount = "password_resets_per_account", 5, Requests per 3_600, Lifted, "RATE_LIMITED", "For an account, a new password is asked for at most {} times an hour.";
    /// Uses of what came in a mail.
    MailedTokensPerAddress = "mailed_tokens_per_address", 60, Requests per 3_600, Lifted, "RATE_LIMITED", "From an address (IPv6: a /64), links of mails are used at most {} times an hour.";
    /// Changes of a password, wrong tries among them.
    PasswordChangesPerUser = "password_changes_per_user", 20, Requests per 3_600, Lifted, "RATE_LIMITED", "A user changes the password, or tries to, at most {} times an hour.";
    /// Mails that verify an address, sent again.
    VerificationsPerUser = "verifications_per_user", 5, Mails per 3_600, Lifted, "RATE_LIMITED", "The mail that verifies an address is sent again to a user at most {} times an hour.";
    /// Invitations that are made or sent again, by whom.
    InvitationsPerUser = "invitations_per_user", 200, Requests per 3_600, Lifted, "RATE_LIMITED", "A user sends at most {} invitations an hour.";
    /// The same, by the organization.
    InvitationMailsPerOrganization = "invitation_mails_per_organization", 500, Mails per 86_400, Lifted, "RATE_LIMITED", "An organization sends at most {} invitations a day.";
    /// The same, by the organization and to whom. Addresses of mail are counted by their digest.
    InvitationMailsPerRecipientAndOrganization = "invitation_mails_per_recipient_and_organization", 3, Mails per 3_600, Lifted, "RATE_LIMITED", "An organization sends an e-mail address at most {} invitations an hour.";
    /// The same, to whom, from all organizations.
    InvitationMailsPerRecipient = "invitation_mails_per_recipient", 10, Mails per 86_400, Lifted, "RATE_LIMITED", "An e-mail address is sent at most {} invitations a day, by all organizations.";
    /// Mails of one invitation that is sent again.
    MailsPerInvitation = "mails_per_invitation", 3, Mails per 3_600, Lifted, "RATE_LIMITED", "An invitation is sent again at most {} times an hour.";
    /// Mails that there is an account already, under `verify_first`. What is above is left out silently, since a refusal would tell that
    /// there is one.
    AlreadyRegisteredMailsPerRecipient = "already_registered_mails_per_recipient", 3, Mails per 86_400, Lifted, "", "An e-mail address is told at most {} times a day that it has an account already.";
    /// Exports that are being taken, by all: each is a file of a server.
    ExportsAtOnce = "exports_at_once", 16, Items, Yes, "OVERLOADED", "At most {} exports are taken at a time from each server.";
    /// Of them, those of one organization.
    ExportsPerOrganization = "exports_per_organization", 1, Items, Yes, "OVERLOADED", "Of an organization, at most {} exports are taken at a time from each server.";
    /// Of them, those that one person takes.
    ExportsPerUser = "exports_per_user", 2, Items, Yes, "OVERLOADED", "A person takes at most {} exports at a time from each server.";
    /// Of them, those that are being read from the database: each holds a connection.
    ExportsReading = "exports_reading", 2, Items, Yes, "OVERLOADED", "At most {} exports read the database at a time on each server; others wait up to a minute.";
    /// How long an export may take in all. One that takes longer is a matter for `workscribe export`.
    ExportSeconds = "export_seconds", 900, Seconds, Yes, "", "An export is broken off after {} seconds.";
    /// How long a body may take to arrive.
    BodySeconds = "body_seconds", 10, Seconds, No, "REQUEST_TIMEOUT", "A body arrives within {} seconds.";
    /// How long a client may take nothing of an answer.
    UnreadSeconds = "unread_seconds", 30, Seconds, No, "", "A client that takes nothing of an answer for {} seconds is cut off.";
    /// Messages of an organization to one host, whatever they tell of. What is beyond it is put off, and arrives later.
    WebhookMessagesPerHost = "webhook_messages_per_host", 600, Messages per 60, Yes, "", "An organization sends at most {} messages a minute to one host from each worker; others are put off.";
    /// Pings and messages sent again by hand, of an organization to one host.
    WebhookMessagesByHand = "webhook_messages_by_hand", 10, Messages per 60, Lifted, "RATE_LIMITED", "An organization sends at most {} pings and repeats by hand a minute to one host.";
    /// Messages that are on their way to one host.
    WebhookPlacesPerHost = "webhook_places_per_host", 8, Items, Yes, "", "At most {} messages are on their way to one host from each worker; others are put off.";
    /// Of them, those of one organization: so a slow endpoint leaves places to the organization's others.
    WebhookPlacesPerHostAndOrganization = "webhook_places_per_host_and_organization", 2, Items, Yes, "", "Of an organization, at most {} messages are on their way to one host from each worker; others are put off.";
    /// Places of the queue of webhooks that one organization may hold.
    WebhookShareOfOrganization = "webhook_share_of_organization", 25, Percent, Yes, "", "An organization holds at most {} percent of a worker's places for webhooks.";
    /// The same of every other queue.
    JobShareOfOrganization = "job_share_of_organization", 50, Percent, Yes, "", "An organization holds at most {} percent of a worker's places in any other queue.";
}

impl Limit {
    /// The limit of a name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|limit| limit.name() == name)
    }

    /// Of a rate, within what time it is counted.
    #[must_use]
    pub const fn per(self) -> Option<Duration> {
        match self.seconds() {
            0 => None,
            seconds => Some(Duration::from_secs(seconds)),
        }
    }
}

/// What the limits are on this server.
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
    /// What a limit is.
    #[must_use]
    pub const fn of(&self, limit: Limit) -> u32 {
        self.values[limit as usize]
    }

    /// The same, to count things by.
    #[must_use]
    pub fn count_of(&self, limit: Limit) -> usize {
        usize::try_from(self.of(limit)).unwrap_or(usize::MAX)
    }

    /// With another value of a limit. One that is a part of the contract stays as it is.
    #[must_use]
    pub const fn with(mut self, limit: Limit, value: u32) -> Self {
        if !matches!(limit.changeable(), Changeable::No) {
            self.values[limit as usize] = value;
        }
        self
    }

    /// Without those that are [`Changeable::Lifted`]: how often requests, logins and mails may come, and how many of somebody's at a
    /// time. For load tests.
    #[must_use]
    pub const fn lifted(mut self) -> Self {
        self.are_lifted = true;
        self
    }

    /// Whether a limit does not hold on this server.
    #[must_use]
    pub const fn is_lifted(&self, limit: Limit) -> bool {
        self.are_lifted && matches!(limit.changeable(), Changeable::Lifted)
    }

    /// Whether those are lifted that can be.
    #[must_use]
    pub const fn are_lifted(&self) -> bool {
        self.are_lifted
    }

    /// A rate as limiters count it. The rule has the limit's name.
    #[must_use]
    pub fn rule(&self, limit: Limit) -> RateRule {
        RateRule {
            name: limit.name(),
            limit: self.of(limit),
            window: limit.per().unwrap_or(Duration::from_secs(1)),
        }
    }

    /// What a limit says to people.
    #[must_use]
    pub fn sentence(&self, limit: Limit) -> String {
        limit.sentence().replace("{}", &self.of(limit).to_string())
    }

    /// Refuses one more where `there` are already. Count under a lock that whoever adds one holds.
    ///
    /// # Errors
    /// `LIMIT_REACHED`; see [`Limits::reached`].
    pub fn admit(&self, limit: Limit, there: i64) -> Result<(), Error> {
        if there < i64::from(self.of(limit)) { Ok(()) } else { Err(self.reached(limit)) }
    }

    /// The refusal of who would pass a limit: `params` has its name (`limit_name`) and its value (`limit`).
    #[must_use]
    pub fn reached(&self, limit: Limit) -> Error {
        Error::new(Code::LimitReached, self.sentence(limit))
            .with_param("limit", self.of(limit))
            .with_param("limit_name", limit.name())
    }
}

/// As many as there are of what was read, for [`Limits::admit`].
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
