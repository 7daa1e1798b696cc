use crate::clock::Timestamp;
use crate::id::{ActivityId, CommentId, OrgId, ProjectId, TaskId};

use super::document::Document;
use crate::identity::Person;
use crate::named::names;

/// A comment on a task.
#[derive(Debug, Clone, PartialEq)]
pub struct Comment {
    /// Its id.
    pub id: CommentId,
    /// On which task.
    pub task_id: TaskId,
    /// By whom.
    pub author: Person,
    /// What it says.
    pub body: Document,
    /// Whether it was changed after it was made.
    pub is_edited: bool,
    /// Grows with every change; the `ETag`.
    pub version: i64,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
}

names! {
    /// What was done.
    ActivityAction {
        /// A project was made.
        ProjectCreated = "project.created",
        /// A field of a project was changed.
        ProjectUpdated = "project.updated",
        /// A status was made.
        StatusCreated = "status.created",
        /// A field of a status was changed.
        StatusUpdated = "status.updated",
        /// A status was removed.
        StatusDeleted = "status.deleted",
        /// A label was made.
        LabelCreated = "label.created",
        /// A field of a label was changed.
        LabelUpdated = "label.updated",
        /// A label was removed, from all tasks too.
        LabelDeleted = "label.deleted",
        /// A task was made.
        TaskCreated = "task.created",
        /// A field of a task was changed.
        TaskUpdated = "task.updated",
        /// A task was removed.
        TaskDeleted = "task.deleted",
        /// A comment was made.
        CommentCreated = "comment.created",
        /// A comment was changed.
        CommentUpdated = "comment.updated",
        /// A comment was removed.
        CommentDeleted = "comment.deleted",
    }
}

/// One line of the history: who changed what, from what, to what. It stays when its task or project is gone, so values are
/// kept as a person reads them: names, not ids.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Activity {
    /// Its id.
    pub id: ActivityId,
    /// Whose.
    pub org_id: OrgId,
    /// In which project, if in one.
    pub project_id: Option<ProjectId>,
    /// On which task, if on one.
    pub task_id: Option<TaskId>,
    /// Who did it.
    pub actor: Person,
    /// What was done.
    pub action: ActivityAction,
    /// Which field, for a change of one.
    pub field_name: Option<String>,
    /// What it was; at most 1,000 characters of it.
    pub old_value: Option<String>,
    /// What it is now; at most 1,000 characters of it.
    pub new_value: Option<String>,
    /// When.
    pub created_at: Timestamp,
}

/// A line of the history to be stored. Whose and who follow from the scope.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewActivity {
    /// Its id.
    pub id: ActivityId,
    /// In which project, if in one.
    pub project_id: Option<ProjectId>,
    /// On which task, if on one.
    pub task_id: Option<TaskId>,
    /// What was done.
    pub action: ActivityAction,
    /// Which field.
    pub field_name: Option<&'static str>,
    /// What it was.
    pub old_value: Option<String>,
    /// What it is now.
    pub new_value: Option<String>,
    /// When.
    pub created_at: Timestamp,
}
