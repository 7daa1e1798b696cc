use poem_openapi::Object;
use poem_openapi::types::MaybeUndefined;
use serde::{Deserialize, Serialize};
use uuid::Uuid;
use workscribe_core::work;

use crate::time::Time;
use crate::wire::wire_names;

wire_names! {
    /// How a project is worked on.
    ProjectType = work::ProjectType {
        /// A board that flows.
        Kanban = "kanban",
        /// In sprints.
        Scrum = "scrum",
    }

    /// What a status means, whatever it is called.
    StatusCategory = work::StatusCategory {
        /// Not begun.
        Todo = "todo",
        /// Being worked on.
        InProgress = "in_progress",
        /// Finished.
        Done = "done",
    }
}

/// A project.
#[derive(Object, Serialize)]
pub struct Project {
    /// Its id.
    pub id: Uuid,
    /// Of which organization.
    pub org_id: Uuid,
    /// Its name.
    pub name: String,
    /// The letters before its tasks' numbers.
    pub key: String,
    /// What it is for.
    pub description: Option<String>,
    /// How it is worked on.
    #[oai(rename = "type")]
    #[serde(rename = "type")]
    pub kind: ProjectType,
    /// Whether it is read-only.
    pub is_archived: bool,
    /// The user who made it.
    pub created_by: Uuid,
    /// When it was made.
    pub created_at: Time,
    /// When it was last changed.
    pub updated_at: Time,
}

impl From<work::Project> for Project {
    fn from(project: work::Project) -> Self {
        Self {
            id: project.id.into(),
            org_id: project.org_id.into(),
            name: project.name,
            key: project.key.to_string(),
            description: project.description,
            kind: project.kind.into(),
            is_archived: project.is_archived,
            created_by: project.created_by.into(),
            created_at: project.created_at.into(),
            updated_at: project.updated_at.into(),
        }
    }
}

/// A page of projects, the oldest first.
#[derive(Object, Serialize)]
pub struct ProjectList {
    /// The projects.
    pub projects: Vec<Project>,
    /// What to ask for the next page with; null on the last.
    pub next_cursor: Option<String>,
    /// How many there are in all, when asked with `count=true`.
    #[oai(skip_serializing_if_is_none)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total: Option<i64>,
}

/// A status of a project's tasks: a column of its board.
#[derive(Object, Serialize)]
pub struct Status {
    /// Its id.
    pub id: Uuid,
    /// Its name.
    pub name: String,
    /// What it means.
    pub category: StatusCategory,
    /// Where it stands among the project's statuses, from 0.
    pub position: i64,
    /// Its colour, as `#rrggbb`.
    pub color: Option<String>,
}

impl From<work::Status> for Status {
    fn from(status: work::Status) -> Self {
        Self {
            id: status.id.into(),
            name: status.name,
            category: status.category.into(),
            position: status.position,
            color: status.color.map(|color| color.as_str().to_owned()),
        }
    }
}

/// A label of a project's tasks.
#[derive(Object, Serialize)]
pub struct Label {
    /// Its id.
    pub id: Uuid,
    /// Its name.
    pub name: String,
    /// Its colour, as `#rrggbb`.
    pub color: String,
}

impl From<work::Label> for Label {
    fn from(label: work::Label) -> Self {
        Self { id: label.id.into(), name: label.name, color: label.color.as_str().to_owned() }
    }
}

impl From<work::TaskLabel> for Label {
    fn from(label: work::TaskLabel) -> Self {
        Self { id: label.id.into(), name: label.name, color: label.color.as_str().to_owned() }
    }
}

/// A page of labels, the oldest first.
#[derive(Object, Serialize)]
pub struct LabelList {
    /// The labels.
    pub labels: Vec<Label>,
    /// What to ask for the next page with; null on the last.
    pub next_cursor: Option<String>,
    /// How many there are in all, when asked with `count=true`.
    #[oai(skip_serializing_if_is_none)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total: Option<i64>,
}

/// A new project.
#[derive(Object, Deserialize)]
pub struct CreateProjectRequest {
    /// 2–100 characters.
    #[oai(validator(min_length = 2, max_length = 100))]
    pub name: String,
    /// 2–10 letters and digits, beginning with a letter; kept in upper case. It does not change later.
    #[oai(validator(min_length = 2, max_length = 10, pattern = "^[A-Za-z][A-Za-z0-9]{1,9}$"))]
    pub key: String,
    /// At most 10,000 characters.
    #[serde(default)]
    #[oai(validator(max_length = 10000))]
    pub description: MaybeUndefined<String>,
    /// How it is worked on: `kanban` unless given.
    #[serde(default, rename = "type")]
    #[oai(rename = "type")]
    pub kind: MaybeUndefined<ProjectType>,
}

/// A change of a project. What is left out stays as it is.
#[derive(Object, Deserialize)]
pub struct UpdateProjectRequest {
    /// 2–100 characters.
    #[serde(default)]
    #[oai(validator(min_length = 2, max_length = 100))]
    pub name: MaybeUndefined<String>,
    /// At most 10,000 characters, or null for none.
    #[serde(default)]
    #[oai(validator(max_length = 10000))]
    pub description: MaybeUndefined<String>,
    /// `true` archives, `false` restores.
    #[serde(default)]
    pub is_archived: MaybeUndefined<bool>,
}

/// A new status.
#[derive(Object, Deserialize)]
pub struct CreateStatusRequest {
    /// 1–50 characters, unique in the project whatever their case.
    #[oai(validator(min_length = 1, max_length = 50))]
    pub name: String,
    /// What it means.
    pub category: StatusCategory,
    /// Where it goes among the others, from 0; at the end unless given.
    #[serde(default)]
    #[oai(validator(minimum(value = "0")))]
    pub position: MaybeUndefined<i64>,
    /// Its colour, as `#rrggbb`.
    #[serde(default)]
    #[oai(validator(pattern = "^#[0-9A-Fa-f]{6}$"))]
    pub color: MaybeUndefined<String>,
}

/// A change of a status. What is left out stays as it is.
#[derive(Object, Deserialize)]
pub struct UpdateStatusRequest {
    /// As for a new status.
    #[serde(default)]
    #[oai(validator(min_length = 1, max_length = 50))]
    pub name: MaybeUndefined<String>,
    /// What it means.
    #[serde(default)]
    pub category: MaybeUndefined<StatusCategory>,
    /// Where it goes among the others, from 0.
    #[serde(default)]
    #[oai(validator(minimum(value = "0")))]
    pub position: MaybeUndefined<i64>,
    /// Its colour, as `#rrggbb`, or null for none.
    #[serde(default)]
    #[oai(validator(pattern = "^#[0-9A-Fa-f]{6}$"))]
    pub color: MaybeUndefined<String>,
}

/// A new label.
#[derive(Object, Deserialize)]
pub struct CreateLabelRequest {
    /// 1–50 characters, unique in the project whatever their case.
    #[oai(validator(min_length = 1, max_length = 50))]
    pub name: String,
    /// Its colour, as `#rrggbb`.
    #[oai(validator(pattern = "^#[0-9A-Fa-f]{6}$"))]
    pub color: String,
}

/// A change of a label. What is left out stays as it is.
#[derive(Object, Deserialize)]
pub struct UpdateLabelRequest {
    /// As for a new label.
    #[serde(default)]
    #[oai(validator(min_length = 1, max_length = 50))]
    pub name: MaybeUndefined<String>,
    /// Its colour, as `#rrggbb`.
    #[serde(default)]
    #[oai(validator(pattern = "^#[0-9A-Fa-f]{6}$"))]
    pub color: MaybeUndefined<String>,
}
