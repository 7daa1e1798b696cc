//! The history: [`Activity`] and [`NewActivity`].

use crate::clock::Timestamp;
use crate::events::EventKind;
use crate::id::{ActivityId, OrgId, ProjectId, TaskId};
use crate::identity::Person;

/// An entry of the history: who changed what, with the value before and after. It remains when its task or project is removed, so
/// its values are what a person reads: names, not ids.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Activity {
    /// Its id.
    pub id: ActivityId,
    /// The organization.
    pub org_id: OrgId,
    /// The project, if any.
    pub project_id: Option<ProjectId>,
    /// The task, if any.
    pub task_id: Option<TaskId>,
    /// The user who did it.
    pub actor: Person,
    /// What they did.
    pub action: EventKind,
    /// The field, if the entry is about one field.
    pub field_name: Option<String>,
    /// The value before; at most its first 1,000 characters.
    pub old_value: Option<String>,
    /// The value after; at most its first 1,000 characters.
    pub new_value: Option<String>,
    /// When it happened.
    pub created_at: Timestamp,
}

/// An entry to be stored. The organization and the user come from the scope.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewActivity {
    /// Its id.
    pub id: ActivityId,
    /// The project, if any.
    pub project_id: Option<ProjectId>,
    /// The task, if any.
    pub task_id: Option<TaskId>,
    /// What the user did.
    pub action: EventKind,
    /// The field, if the entry is about one field.
    pub field_name: Option<&'static str>,
    /// The value before.
    pub old_value: Option<String>,
    /// The value after.
    pub new_value: Option<String>,
    /// When it happened.
    pub created_at: Timestamp,
}
