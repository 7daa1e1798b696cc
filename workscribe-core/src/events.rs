//! What happened, told to hooks inside the transaction in which it happened.

use crate::id::{InvitationId, OrgId, SessionId, StatusId, UserId};
use crate::tenancy::{Invitation, Organization, Role};
use crate::work::{Comment, Label, Project, Status, Task};

/// Something that happened.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum DomainEvent {
    /// An account was made.
    UserRegistered {
        /// Whose.
        user: UserId,
    },
    /// A refresh token was used a second time; its session has been ended.
    RefreshTokenReused {
        /// Whose.
        user: UserId,
        /// Which session.
        session: SessionId,
    },
    /// A password was changed or reset.
    PasswordChanged {
        /// Whose.
        user: UserId,
    },
    /// An organization was made.
    OrganizationCreated {
        /// The organization.
        organization: Organization,
        /// Its first owner.
        owner: UserId,
    },
    /// An organization's name or slug was changed.
    OrganizationUpdated {
        /// As it is now.
        organization: Organization,
    },
    /// An organization and all that belongs to it was removed.
    OrganizationDeleted {
        /// Which.
        org: OrgId,
        /// By whom.
        actor: UserId,
    },
    /// Somebody was invited.
    MemberInvited {
        /// The invitation.
        invitation: Invitation,
    },
    /// An invitation was taken back.
    InvitationRevoked {
        /// Into which organization.
        org: OrgId,
        /// The invitation.
        invitation: InvitationId,
    },
    /// Somebody joined.
    MemberJoined {
        /// Which organization.
        org: OrgId,
        /// Who.
        user: UserId,
        /// As what.
        role: Role,
    },
    /// A member's role was changed.
    MemberRoleChanged {
        /// In which organization.
        org: OrgId,
        /// Whose.
        user: UserId,
        /// To what.
        role: Role,
    },
    /// Somebody left or was removed.
    MemberRemoved {
        /// From which organization.
        org: OrgId,
        /// Who.
        user: UserId,
    },
    /// A project was made.
    ProjectCreated {
        /// The project.
        project: Project,
    },
    /// A project was changed, archived or restored.
    ProjectUpdated {
        /// As it is now.
        project: Project,
    },
    /// A status was made. Those of a new project are told with the project.
    StatusCreated {
        /// The status.
        status: Status,
    },
    /// A status was changed, or moved among the others, whose positions follow.
    StatusUpdated {
        /// As it is now.
        status: Status,
    },
    /// A status was removed. Its tasks are not told of one by one: a status may hold all of a project's.
    StatusDeleted {
        /// As it was.
        status: Status,
        /// Which status its tasks have now, if it had any.
        moved_to: Option<StatusId>,
    },
    /// A label was made.
    LabelCreated {
        /// The label.
        label: Label,
    },
    /// A label was changed.
    LabelUpdated {
        /// As it is now.
        label: Label,
    },
    /// A label was removed, from its tasks too, which are not told of one by one.
    LabelDeleted {
        /// As it was.
        label: Label,
    },
    /// A task was made.
    TaskCreated {
        /// The task.
        task: Task,
    },
    /// Fields of a task were changed, its labels among them; also because the task above it was removed or its assignee left.
    TaskUpdated {
        /// As it was.
        before: Box<Task>,
        /// As it is now.
        after: Box<Task>,
    },
    /// A task was removed.
    TaskDeleted {
        /// As it was.
        task: Task,
    },
    /// A comment was made.
    CommentCreated {
        /// On which task.
        task: Task,
        /// The comment.
        comment: Comment,
    },
    /// A comment was changed.
    CommentUpdated {
        /// On which task.
        task: Task,
        /// As it is now.
        comment: Comment,
    },
    /// A comment was removed.
    CommentDeleted {
        /// On which task.
        task: Task,
        /// As it was.
        comment: Comment,
    },
}
