//! The bounds of what a tenant can grow, and of what a request and an answer may hold, in one declaration.
//!
//! From it come the checks of the services, the setting `WORKSCRIBE_LIMITS` of the host, `GET /api/v1/limits`, and `docs/LIMITS.md`,
//! which a test compares. To add one: a line in [`limits!`](self), its use, and a row in that document.

use crate::error::{Code, Error};

/// What a limit counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Things.
    Items,
    /// Bytes.
    Bytes,
    /// Characters (Unicode scalar values).
    Characters,
    /// Objects and arrays within each other.
    Levels,
}

impl Unit {
    /// As it stands in answers.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Items => "items",
            Self::Bytes => "bytes",
            Self::Characters => "characters",
            Self::Levels => "levels",
        }
    }
}

/// Whether an operator can change a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Changeable {
    /// By [`Settings::limits`](crate::Settings::limits).
    Yes,
    /// No: it is a part of the contract.
    No,
}

macro_rules! limits {
    ($($(#[$doc:meta])* $limit:ident = $name:literal, $default:literal, $unit:ident, $changeable:ident, $code:literal, $sentence:literal;)+) => {
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
}

impl Limit {
    /// The limit of a name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|limit| limit.name() == name)
    }
}

/// What the limits are on this server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits([u32; Limit::ALL.len()]);

impl Default for Limits {
    fn default() -> Self {
        Self(std::array::from_fn(|at| Limit::ALL[at].default_value()))
    }
}

impl Limits {
    /// What a limit is.
    #[must_use]
    pub const fn of(&self, limit: Limit) -> u32 {
        self.0[limit as usize]
    }

    /// With another value of a limit. One that is a part of the contract stays as it is.
    #[must_use]
    pub const fn with(mut self, limit: Limit, value: u32) -> Self {
        if matches!(limit.changeable(), Changeable::Yes) {
            self.0[limit as usize] = value;
        }
        self
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
    fn one_more_is_admitted_below_the_limit_alone() {
        let limits = Limits::default().with(Limit::LabelsPerTask, 2);
        assert!(limits.admit(Limit::LabelsPerTask, 1).is_ok());
        let refused = limits.admit(Limit::LabelsPerTask, 2).unwrap_err();
        assert_eq!((refused.code(), refused.detail()), (Code::LimitReached, "A task has at most 2 labels."));
        assert_eq!(refused.params()["limit"], 2);
        assert_eq!(refused.params()["limit_name"], "labels_per_task");
    }
}
