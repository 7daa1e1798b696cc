//! The one catalogue of events, from which everything that names events is made.
//!
//! A hook gets the [`DomainEvent`] inside the transaction in which the event happened. The history, webhooks and the API use its
//! [`EventKind`]. **To add an event**, add it here; if webhooks send it, add the data of its message to `webhooks/event.rs`.

use crate::id::{InvitationId, OrgId, ProjectId, SessionId, StatusId, TaskId, UserId};
use crate::named::names;
use crate::tenancy::{Invitation, Organization, Role};
use crate::work::{Comment, Label, Project, Status, Task};

/// Makes [`DomainEvent`] and [`EventKind`]. After the fields of each event come its readings: `history of FIELD` writes entries
/// of the history under the project and the task of that field. `webhooks TEXT` sends messages to endpoints; the text describes
/// the `data` of the message.
macro_rules! events {
    ($($(#[$doc:meta])* $event:ident = $name:literal { $($field:ident: $type:ty),* }
        $(history of $subject:ident)? $(webhooks $data:literal = $value:expr)?;)+) => {
        /// An event, with its data.
        #[derive(Debug, Clone, PartialEq)]
        #[non_exhaustive]
        #[expect(missing_docs, reason = "a field has the name of what it is")]
        pub enum DomainEvent { $($(#[$doc])* $event { $($field: $type,)* },)+ }

        impl DomainEvent {
            /// Its kind.
            #[must_use]
            pub const fn kind(&self) -> EventKind {
                match self { $(Self::$event { .. } => EventKind::$event,)+ }
            }

            /// The project and the task of the event, for events of the history.
            pub(crate) fn subject(&self) -> Option<(ProjectId, Option<TaskId>)> {
                match self {
                    $($(Self::$event { $subject, .. } => Some($subject.subject()),)?)+
                    _ => None,
                }
            }
        }

        names! {
            /// The kind of an event.
            EventKind {
                $($(#[$doc])* $event = $name,)+
                /// A test message that a member asked for. Every endpoint gets it, and no endpoint subscribes to it.
                Ping = "ping",
            }
        }

        impl EventKind {
            /// Whether the event writes entries of the history.
            #[must_use]
            pub const fn is_in_history(self) -> bool {
                match self {
                    $(Self::$event => !stringify!($($subject)?).is_empty(),)+
                    Self::Ping => false,
                }
            }

            /// What the `data` of its message contains, in Markdown; `None` for an event that is not sent to endpoints.
            #[must_use]
            pub const fn webhook_data(self) -> Option<&'static str> {
                let told: &[&str] = match self {
                    $(Self::$event => &[$($data)?],)+
                    Self::Ping => &["`webhook_id`, `events`"],
                };
                if let [data] = told { Some(*data) } else { None }
            }
        }
    };
}

every_event!(events);

/// Something about which the history has entries.
trait HistorySubject {
    /// Its project, and its task if it is a task or belongs to one.
    fn subject(&self) -> (ProjectId, Option<TaskId>);
}

impl HistorySubject for Project {
    fn subject(&self) -> (ProjectId, Option<TaskId>) {
        (self.id, None)
    }
}

impl HistorySubject for Status {
    fn subject(&self) -> (ProjectId, Option<TaskId>) {
        (self.project_id, None)
    }
}

impl HistorySubject for Label {
    fn subject(&self) -> (ProjectId, Option<TaskId>) {
        (self.project_id, None)
    }
}

impl HistorySubject for Task {
    fn subject(&self) -> (ProjectId, Option<TaskId>) {
        (self.project_id, Some(self.id))
    }
}

impl EventKind {
    /// The kinds that the history contains.
    pub fn in_history() -> impl Iterator<Item = Self> {
        Self::ALL.iter().copied().filter(|kind| kind.is_in_history())
    }

    /// The kinds that webhooks can send.
    pub fn of_webhooks() -> impl Iterator<Item = Self> {
        Self::ALL.iter().copied().filter(|kind| kind.webhook_data().is_some())
    }
}
