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
    ($($(#[$doc:meta])* $event:ident = $name:literal { $($(#[$field_doc:meta])* $field:ident: $type:ty,)* }
        $(history of $subject:ident)? $(webhooks $data:literal)?;)+) => {
        /// An event, with its data.
        #[derive(Debug, Clone, PartialEq)]
        #[non_exhaustive]
        pub enum DomainEvent { $($(#[$doc])* $event { $($(#[$field_doc])* $field: $type,)* },)+ }

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

events! {
    /// An account was created.
    UserRegistered = "user.registered" {
        /// The user.
        user: UserId,
    };
    /// A refresh token was used a second time; its session was ended.
    RefreshTokenReused = "session.token_reused" {
        /// The user.
        user: UserId,
        /// The session.
        session: SessionId,
    };
    /// A password was changed or reset.
    PasswordChanged = "user.password_changed" {
        /// The user.
        user: UserId,
    };
    /// An organization was created.
    OrganizationCreated = "organization.created" {
        /// The organization.
        organization: Organization,
        /// Its first owner.
        owner: UserId,
    };
    /// An organization's name or slug was changed.
    OrganizationUpdated = "organization.updated" {
        /// Its current state.
        organization: Organization,
    };
    /// An organization was removed with everything that belongs to it.
    OrganizationDeleted = "organization.deleted" {
        /// The organization.
        org: OrgId,
        /// The user who removed it.
        actor: UserId,
    };
    /// A user became a member.
    MemberJoined = "member.joined" {
        /// The organization.
        org: OrgId,
        /// The user.
        user: UserId,
        /// The new member's role.
        role: Role,
    } webhooks "`member`: `user_id`, `role`";
    /// A member's role was changed.
    MemberRoleChanged = "member.role_changed" {
        /// The organization.
        org: OrgId,
        /// The member.
        user: UserId,
        /// The new role.
        role: Role,
    } webhooks "`member`: `user_id`, `role`";
    /// A member left or was removed.
    MemberRemoved = "member.removed" {
        /// The organization.
        org: OrgId,
        /// The former member.
        user: UserId,
    } webhooks "`member`: `user_id`";
    /// An address was invited.
    InvitationCreated = "invitation.created" {
        /// The invitation.
        invitation: Invitation,
    } webhooks "`invitation`: an `Invitation`";
    /// An invitation was revoked.
    InvitationRevoked = "invitation.revoked" {
        /// The organization.
        org: OrgId,
        /// The invitation.
        invitation: InvitationId,
    } webhooks "`invitation`: `id`";
    /// A project was created.
    ProjectCreated = "project.created" {
        /// The project.
        project: Project,
    } history of project webhooks "`project`: a `Project`";
    /// A project was changed, archived or restored.
    ProjectUpdated = "project.updated" {
        /// Its current state.
        project: Project,
    } history of project webhooks "`project`: a `Project`";
    /// A status was created. The statuses of a new project have no event of their own.
    StatusCreated = "status.created" {
        /// The status.
        status: Status,
    } history of status webhooks "`project_id`; `status`: a `Status`";
    /// A status was changed or moved. The positions of other statuses may change with it.
    StatusUpdated = "status.updated" {
        /// Its current state.
        status: Status,
    } history of status webhooks "`project_id`; `status`: a `Status`";
    /// A status was removed. There is no event for each of its tasks: a status may have all tasks of a project.
    StatusDeleted = "status.deleted" {
        /// Its last state.
        status: Status,
        /// The status to which its tasks were moved, if it had any.
        moved_to: Option<StatusId>,
    } history of status webhooks "`project_id`; `status`: a `Status`; `moved_to`: the id of the status that its tasks have now, null if it had none";
    /// A label was created.
    LabelCreated = "label.created" {
        /// The label.
        label: Label,
    } history of label webhooks "`project_id`; `label`: a `Label`";
    /// A label was changed.
    LabelUpdated = "label.updated" {
        /// Its current state.
        label: Label,
    } history of label webhooks "`project_id`; `label`: a `Label`";
    /// A label was removed, also from its tasks. There is no event for each task.
    LabelDeleted = "label.deleted" {
        /// Its last state.
        label: Label,
    } history of label webhooks "`project_id`; `label`: a `Label`";
    /// A task was created.
    TaskCreated = "task.created" {
        /// The task.
        task: Task,
    } history of task webhooks "`task`: a `TaskSummary`";
    /// Fields or labels of a task were changed. This includes changes because its parent was removed or its assignee left.
    TaskUpdated = "task.updated" {
        /// The previous state.
        before: Box<Task>,
        /// The current state.
        after: Box<Task>,
    } history of after webhooks "`task`: a `TaskSummary`; `changed`: the names of the fields that were changed";
    /// A task was removed.
    TaskDeleted = "task.deleted" {
        /// Its last state.
        task: Task,
    } history of task webhooks "`task`: a `TaskSummary`";
    /// A comment was created.
    CommentCreated = "comment.created" {
        /// The task.
        task: Task,
        /// The comment.
        comment: Comment,
    } history of task webhooks "`comment`: a `Comment`; `task`: `id`, `task_id`, `project_id`, `title`";
    /// A comment was changed.
    CommentUpdated = "comment.updated" {
        /// The task.
        task: Task,
        /// Its current state.
        comment: Comment,
    } history of task webhooks "`comment`: a `Comment`; `task`: `id`, `task_id`, `project_id`, `title`";
    /// A comment was removed.
    CommentDeleted = "comment.deleted" {
        /// The task.
        task: Task,
        /// Its last state.
        comment: Comment,
    } history of task webhooks "`comment`: a `Comment`; `task`: `id`, `task_id`, `project_id`, `title`";
}

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
