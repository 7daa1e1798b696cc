//! Projects, statuses and labels on the wire.

use uuid::Uuid;
use workscribe_core::work::{
    self, Color, LabelEdit, NewLabel, NewProject, NewStatus, ProjectChange, StatusEdit,
};

use crate::dto::{answers, inputs, lists};
use crate::field::{Clearable, Nullable, Optional, Patch, Required};
use crate::time::Time;
use crate::wire::{Colour, ProjectKey, Title, named};

named! {
    /// How a project is worked on.
    ProjectType = work::ProjectType;

    /// What a status means, whatever it is called.
    StatusCategory = work::StatusCategory;
}

answers! {
    /// A project.
    Project of project: work::Project {
        /// Its id.
        id: Uuid,
        /// Of which organization.
        org_id: Uuid,
        /// Its name.
        name: Title,
        /// The letters before its tasks' numbers.
        key: ProjectKey,
        /// What it is for.
        description: Nullable<String>,
        /// How it is worked on.
        kind as "type": ProjectType,
        /// Whether it is read-only.
        is_archived: bool,
        /// The user who made it.
        created_by: Uuid,
        /// When it was made.
        created_at: Time,
        /// When it was last changed.
        updated_at: Time,
    }
}

lists! {
    /// A page of projects, the oldest first.
    ProjectList {
        /// The projects.
        projects: Project
    }
}

answers! {
    /// A status of a project's tasks: a column of its board.
    Status of status: work::Status {
        /// Its id.
        id: Uuid,
        /// Its name.
        name: Title,
        /// What it means.
        category: StatusCategory,
        /// Where it stands among the project's statuses, from 0.
        position: i64,
        /// Its colour, as `#rrggbb`.
        color: Nullable<Colour> = status.color.as_ref().map(Color::as_str),
    }

    /// A label of a project's tasks.
    Label of label: work::Label {
        /// Its id.
        id: Uuid,
        /// Its name.
        name: Title,
        /// Its colour, as `#rrggbb`.
        color: Colour = label.color.as_str(),
    }
}

impl From<work::TaskLabel> for Label {
    fn from(label: work::TaskLabel) -> Self {
        Self { id: label.id.into(), name: label.name.into(), color: label.color.as_str().into() }
    }
}

lists! {
    /// A page of labels, the oldest first.
    LabelList {
        /// The labels.
        labels: Label
    }
}

inputs! {
    /// A new project.
    CreateProjectRequest {
        /// 2–100 characters.
        #[oai(validator(min_length = 2, max_length = 100))]
        name: Required<Title>,
        /// 2–10 letters and digits, beginning with a letter; kept in upper case. It does not change later.
        #[oai(validator(min_length = 2, max_length = 10, pattern = "^[A-Za-z][A-Za-z0-9]{1,9}$"))]
        key: Required<ProjectKey>,
        /// At most 10,000 characters.
        #[oai(validator(max_length = 10000))]
        description: Optional<String>,
        /// How it is worked on: `kanban` unless given.
        kind as "type": Patch<ProjectType>,
    } => NewProject = {
        let kind = kind.unwrap_or(work::ProjectType::Kanban);
        NewProject { name, key, description, kind }
    };

    /// A change of a project. What is left out stays as it is.
    UpdateProjectRequest {
        /// 2–100 characters.
        #[oai(validator(min_length = 2, max_length = 100))]
        name: Patch<Title>,
        /// At most 10,000 characters, or null for none.
        #[oai(validator(max_length = 10000))]
        description: Clearable<String>,
        /// `true` archives, `false` restores.
        is_archived: Patch<bool>,
    } => ProjectChange = ProjectChange { name, description, is_archived };

    /// A new status.
    CreateStatusRequest {
        /// 1–50 characters, unique in the project whatever their case.
        #[oai(validator(min_length = 1, max_length = 50))]
        name: Required<Title>,
        /// What it means.
        category: Required<StatusCategory>,
        /// Where it goes among the others, from 0; at the end unless given.
        #[oai(validator(minimum(value = "0")))]
        position: Patch<i64>,
        /// Its colour, as `#rrggbb`.
        #[oai(validator(pattern = "^#[0-9A-Fa-f]{6}$"))]
        color: Optional<Colour>,
    } => NewStatus = NewStatus { name, category, position, color };

    /// A change of a status. What is left out stays as it is.
    UpdateStatusRequest {
        /// As for a new status.
        #[oai(validator(min_length = 1, max_length = 50))]
        name: Patch<Title>,
        /// What it means.
        category: Patch<StatusCategory>,
        /// Where it goes among the others, from 0.
        #[oai(validator(minimum(value = "0")))]
        position: Patch<i64>,
        /// Its colour, as `#rrggbb`, or null for none.
        #[oai(validator(pattern = "^#[0-9A-Fa-f]{6}$"))]
        color: Clearable<Colour>,
    } => StatusEdit = StatusEdit { name, category, color, position };

    /// A new label.
    CreateLabelRequest {
        /// 1–50 characters, unique in the project whatever their case.
        #[oai(validator(min_length = 1, max_length = 50))]
        name: Required<Title>,
        /// Its colour, as `#rrggbb`.
        #[oai(validator(pattern = "^#[0-9A-Fa-f]{6}$"))]
        color: Required<Colour>,
    } => NewLabel = NewLabel { name, color };

    /// A change of a label. What is left out stays as it is.
    UpdateLabelRequest {
        /// As for a new label.
        #[oai(validator(min_length = 1, max_length = 50))]
        name: Patch<Title>,
        /// Its colour, as `#rrggbb`.
        #[oai(validator(pattern = "^#[0-9A-Fa-f]{6}$"))]
        color: Patch<Colour>,
    } => LabelEdit = LabelEdit { name, color };
}
