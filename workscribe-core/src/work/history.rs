//! The history: what happened, line by line.

use crate::clock::Timestamp;
use crate::events::EventKind;
use crate::id::{ActivityId, OrgId, ProjectId, TaskId};
use crate::identity::Person;

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
    pub action: EventKind,
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
    pub action: EventKind,
    /// Which field.
    pub field_name: Option<&'static str>,
    /// What it was.
    pub old_value: Option<String>,
    /// What it is now.
    pub new_value: Option<String>,
    /// When.
    pub created_at: Timestamp,
}
