//! Tasks: their fields, and what a store writes of them.

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::id::{LabelId, OrgId, ProjectId, StatusId, TaskId, UserId};
use crate::identity::Person;
use crate::named::names;

use super::document::Document;
use super::model::{Color, ProjectKey, Status, TaskKey};

names! {
    /// The priority of a task. Priorities are ordered: the highest comes first.
    Priority {
        /// Work on it now.
        Urgent = "urgent",
        /// Work on it soon.
        High = "high",
        /// The ordinary priority.
        Medium = "medium",
        /// Work on it when there is time.
        Low = "low",
        /// No priority was set.
        None = "none",
    }
}

impl Priority {
    /// The stored rank, by which tasks are sorted: 0 for urgent to 4 for none.
    #[must_use]
    pub const fn rank(self) -> i64 {
        self as i64
    }

    /// The priority with a stored rank.
    #[must_use]
    pub fn of_rank(rank: i64) -> Option<Self> {
        Self::ALL.get(usize::try_from(rank).ok()?).copied()
    }
}

names! {
    /// The type of a task.
    TaskType {
        /// Something that a user wants.
        Story = "story",
        /// Something that is broken.
        Bug = "bug",
        /// Anything else.
        Task = "task",
        /// A part of another task.
        Subtask = "subtask",
    }
}

/// A label of a task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskLabel {
    /// Its id.
    pub id: LabelId,
    /// Its name.
    pub name: String,
    /// Its colour.
    pub color: Color,
}

/// A task with all its fields.
#[derive(Debug, Clone, PartialEq)]
pub struct Task {
    /// Its id.
    pub id: TaskId,
    /// The organization.
    pub org_id: OrgId,
    /// The project.
    pub project_id: ProjectId,
    /// The project's key.
    pub project_key: ProjectKey,
    /// Whether the project is archived, and so read-only.
    pub project_is_archived: bool,
    /// Its number in the project, from 1.
    pub number: i64,
    /// The title: 1–500 characters.
    pub title: String,
    /// The description. Lists leave it out.
    pub description: Option<Document>,
    /// The status.
    pub status: Status,
    /// The assignee.
    pub assignee: Option<Person>,
    /// The user who created it.
    pub reporter: Person,
    /// The priority.
    pub priority: Priority,
    /// The type.
    pub kind: TaskType,
    /// The parent, of which it is a part.
    pub parent_id: Option<TaskId>,
    /// Its labels, by name.
    pub labels: Vec<TaskLabel>,
    /// Its position in the column; see [`super::order`]. It may change when neighbours are moved.
    pub position: i64,
    /// The day on which it is due.
    pub due_date: Option<NaiveDate>,
    /// The number of its subtasks.
    pub subtask_count: i64,
    /// The number of its comments.
    pub comment_count: i64,
    /// The number of tasks that block it and are not in a done status.
    pub blocked_by_count: i64,
    /// Grows with every change of its fields. It is the `ETag`.
    pub version: i64,
    /// When it was created.
    pub created_at: Timestamp,
    /// When one of its fields was last changed.
    pub updated_at: Timestamp,
}

impl Task {
    /// Its name for people: `WEB-42`.
    #[must_use]
    pub fn key(&self) -> TaskKey {
        TaskKey { project: self.project_key.clone(), number: self.number }
    }
}

/// The fields of a task as a storage stores them, without its number, its position and its labels.
#[derive(Debug, Clone, PartialEq)]
pub struct TaskFields {
    /// The title.
    pub title: String,
    /// The description.
    pub description: Option<Document>,
    /// The status.
    pub status_id: StatusId,
    /// The assignee.
    pub assignee_id: Option<UserId>,
    /// The priority.
    pub priority: Priority,
    /// The type.
    pub kind: TaskType,
    /// The parent, of which it is a part.
    pub parent_id: Option<TaskId>,
    /// The day on which it is due.
    pub due_date: Option<NaiveDate>,
}

impl TaskFields {
    /// The fields of a task.
    #[must_use]
    pub fn of(task: &Task) -> Self {
        Self {
            title: task.title.clone(),
            description: task.description.clone(),
            status_id: task.status.id,
            assignee_id: task.assignee.as_ref().map(|person| person.id),
            priority: task.priority,
            kind: task.kind,
            parent_id: task.parent_id,
            due_date: task.due_date,
        }
    }
}

/// The values of a task that a store writes.
#[derive(Debug, Clone, Copy)]
pub struct TaskWrite<'a> {
    /// The fields.
    pub fields: &'a TaskFields,
    /// The position; `None` leaves it unchanged.
    pub position: Option<i64>,
}

impl<'a> From<&'a TaskFields> for TaskWrite<'a> {
    /// Only the fields.
    fn from(fields: &'a TaskFields) -> Self {
        Self { fields, position: None }
    }
}

/// A task to be inserted.
#[derive(Debug, Clone, PartialEq)]
pub struct NewTask {
    /// Its id.
    pub id: TaskId,
    /// The project.
    pub project_id: ProjectId,
    /// The user who creates it.
    pub reporter_id: UserId,
    /// The fields.
    pub fields: TaskFields,
    /// The limits that apply where the task is inserted.
    pub room: Room,
    /// When it is created.
    pub created_at: Timestamp,
}

/// The limits that apply where a task is inserted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Room {
    /// How many numbers its project may give.
    pub in_project: i64,
    /// How many subtasks its parent may have.
    pub below_parent: i64,
}

impl Room {
    /// No limits.
    pub const ANY: Self = Self { in_project: i64::MAX, below_parent: i64::MAX };
}

/// The number and the position that a project gives to a new task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Numbered {
    /// The number.
    pub number: i64,
    /// The position, after all other tasks.
    pub position: i64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn priorities_rank_from_urgent_to_none() {
        assert_eq!(Priority::Urgent.rank(), 0);
        assert_eq!(Priority::of_rank(4), Some(Priority::None));
        assert_eq!(Priority::of_rank(5), None);
        assert_eq!(Priority::of_rank(-1), None);
    }
}
