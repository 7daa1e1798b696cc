//! What can happen: the one catalogue of events, from which everything that names events is made.
//!
//! Hooks get the [`DomainEvent`], inside the transaction in which it happened. The history, webhooks and the API know it by its
//! [`EventKind`]. **To add an event**, add it here, and to `webhooks/event.rs` what its message says, if webhooks are told of it.

use crate::id::{InvitationId, OrgId, ProjectId, SessionId, StatusId, TaskId, UserId};
use crate::named::names;
use crate::tenancy::{Invitation, Organization, Role};
use crate::work::{Comment, Label, Project, Status, Task};

/// Makes [`DomainEvent`] and [`EventKind`]. After the name of each event come its readings: `history of FIELD` writes lines of the
/// history under the project and the task of that field, and `webhooks TEXT` tells endpoints, with the text as the description of
/// the message's `data`.
macro_rules! events {
    ($($(#[$doc:meta])* $event:ident = $name:literal { $($(#[$field_doc:meta])* $field:ident: $type:ty,)* }
        $(history of $subject:ident)? $(webhooks $data:literal)?;)+) => {
        /// Something that happened.
        #[derive(Debug, Clone, PartialEq)]
        #[non_exhaustive]
        pub enum DomainEvent { $($(#[$doc])* $event { $($(#[$field_doc])* $field: $type,)* },)+ }

        impl DomainEvent {
            /// Its kind.
            #[must_use]
            pub const fn kind(&self) -> EventKind {
                match self { $(Self::$event { .. } => EventKind::$event,)+ }
            }

            /// In which project and on which task it happened, for events of the history.
            pub(crate) fn subject(&self) -> Option<(ProjectId, Option<TaskId>)> {
                match self {
                    $($(Self::$event { $subject, .. } => Some($subject.place()),)?)+
                    _ => None,
                }
            }
        }

        names! {
            /// What sort of thing happened.
            EventKind {
                $($(#[$doc])* $event = $name,)+
                /// A trial that somebody asked for. Every endpoint gets it; none asks for it.
                Ping = "ping",
            }
        }

        impl EventKind {
            /// Whether it makes lines of the history.
            #[must_use]
            pub const fn is_in_history(self) -> bool {
                match self {
                    $(Self::$event => !stringify!($($subject)?).is_empty(),)+
                    Self::Ping => false,
                }
            }

            /// What the `data` of its message says, in Markdown; `None` for what no endpoint is told of.
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
    /// An account was made.
    UserRegistered = "user.registered" {
        /// Whose.
        user: UserId,
    };
    /// A refresh token was used a second time; its session has been ended.
    RefreshTokenReused = "session.token_reused" {
        /// Whose.
        user: UserId,
        /// Which session.
        session: SessionId,
    };
    /// A password was changed or reset.
    PasswordChanged = "user.password_changed" {
        /// Whose.
        user: UserId,
    };
    /// An organization was made.
    OrganizationCreated = "organization.created" {
        /// The organization.
        organization: Organization,
        /// Its first owner.
        owner: UserId,
    };
    /// An organization's name or slug was changed.
    OrganizationUpdated = "organization.updated" {
        /// As it is now.
        organization: Organization,
    };
    /// An organization and all that belongs to it was removed.
    OrganizationDeleted = "organization.deleted" {
        /// Which.
        org: OrgId,
        /// By whom.
        actor: UserId,
    };
    /// Somebody joined.
    MemberJoined = "member.joined" {
        /// Which organization.
        org: OrgId,
        /// Who.
        user: UserId,
        /// As what.
        role: Role,
    } webhooks "`member`: `user_id`, `role`";
    /// A member's role was changed.
    MemberRoleChanged = "member.role_changed" {
        /// In which organization.
        org: OrgId,
        /// Whose.
        user: UserId,
        /// To what.
        role: Role,
    } webhooks "`member`: `user_id`, `role`";
    /// Somebody left or was removed.
    MemberRemoved = "member.removed" {
        /// From which organization.
        org: OrgId,
        /// Who.
        user: UserId,
    } webhooks "`member`: `user_id`";
    /// Somebody was invited.
    InvitationCreated = "invitation.created" {
        /// The invitation.
        invitation: Invitation,
    } webhooks "`invitation`: an `Invitation`";
    /// An invitation was revoked.
    InvitationRevoked = "invitation.revoked" {
        /// Into which organization.
        org: OrgId,
        /// The invitation.
        invitation: InvitationId,
    } webhooks "`invitation`: `id`";
    /// A project was made.
    ProjectCreated = "project.created" {
        /// The project.
        project: Project,
    } history of project webhooks "`project`: a `Project`";
    /// A project was changed, archived or restored.
    ProjectUpdated = "project.updated" {
        /// As it is now.
        project: Project,
    } history of project webhooks "`project`: a `Project`";
    /// A status was made. Those of a new project are told with the project.
    StatusCreated = "status.created" {
        /// The status.
        status: Status,
    } history of status webhooks "`project_id`; `status`: a `Status`";
    /// A status was changed, or moved among the others, whose positions follow.
    StatusUpdated = "status.updated" {
        /// As it is now.
        status: Status,
    } history of status webhooks "`project_id`; `status`: a `Status`";
    /// A status was removed. Its tasks are not told of one by one: a status may hold all of a project's.
    StatusDeleted = "status.deleted" {
        /// As it was.
        status: Status,
        /// Which status its tasks have now, if it had any.
        moved_to: Option<StatusId>,
    } history of status webhooks "`project_id`; `status`: a `Status`; `moved_to`: the id of the status that its tasks have now, null if it had none";
    /// A label was made.
    LabelCreated = "label.created" {
        /// The label.
        label: Label,
    } history of label webhooks "`project_id`; `label`: a `Label`";
    /// A label was changed.
    LabelUpdated = "label.updated" {
        /// As it is now.
        label: Label,
    } history of label webhooks "`project_id`; `label`: a `Label`";
    /// A label was removed, from its tasks too, which are not told of one by one.
    LabelDeleted = "label.deleted" {
        /// As it was.
        label: Label,
    } history of label webhooks "`project_id`; `label`: a `Label`";
    /// A task was made.
    TaskCreated = "task.created" {
        /// The task.
        task: Task,
    } history of task webhooks "`task`: a `TaskSummary`";
    /// Fields of a task were changed, its labels among them; also because the task above it was removed or its assignee left.
    TaskUpdated = "task.updated" {
        /// As it was.
        before: Box<Task>,
        /// As it is now.
        after: Box<Task>,
    } history of after webhooks "`task`: a `TaskSummary`; `changed`: the names of the fields that were changed";
    /// A task was removed.
    TaskDeleted = "task.deleted" {
        /// As it was.
        task: Task,
    } history of task webhooks "`task`: a `TaskSummary`";
    /// A comment was made.
    CommentCreated = "comment.created" {
        /// On which task.
        task: Task,
        /// The comment.
        comment: Comment,
    } history of task webhooks "`comment`: a `Comment`; `task`: `id`, `task_id`, `project_id`, `title`";
    /// A comment was changed.
    CommentUpdated = "comment.updated" {
        /// On which task.
        task: Task,
        /// As it is now.
        comment: Comment,
    } history of task webhooks "`comment`: a `Comment`; `task`: `id`, `task_id`, `project_id`, `title`";
    /// A comment was removed.
    CommentDeleted = "comment.deleted" {
        /// On which task.
        task: Task,
        /// As it was.
        comment: Comment,
    } history of task webhooks "`comment`: a `Comment`; `task`: `id`, `task_id`, `project_id`, `title`";
}

/// Where something belongs that the history tells of.
trait Placed {
    /// Its project, and its task if it is one or is on one.
    fn place(&self) -> (ProjectId, Option<TaskId>);
}

impl Placed for Project {
    fn place(&self) -> (ProjectId, Option<TaskId>) {
        (self.id, None)
    }
}

impl Placed for Status {
    fn place(&self) -> (ProjectId, Option<TaskId>) {
        (self.project_id, None)
    }
}

impl Placed for Label {
    fn place(&self) -> (ProjectId, Option<TaskId>) {
        (self.project_id, None)
    }
}

impl Placed for Task {
    fn place(&self) -> (ProjectId, Option<TaskId>) {
        (self.project_id, Some(self.id))
    }
}

impl EventKind {
    /// The kinds of which the history tells.
    pub fn in_history() -> impl Iterator<Item = Self> {
        Self::ALL.iter().copied().filter(|kind| kind.is_in_history())
    }

    /// The kinds of which webhooks are told.
    pub fn of_webhooks() -> impl Iterator<Item = Self> {
        Self::ALL.iter().copied().filter(|kind| kind.webhook_data().is_some())
    }
}
