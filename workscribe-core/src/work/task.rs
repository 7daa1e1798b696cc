//! Tasks, and which of them a list shows in which order.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{Datelike as _, NaiveDate};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::clock::{Timestamp, is_writable, is_writable_day};
use crate::error::{Error, Violations};
use crate::id::{LabelId, OrgId, ProjectId, StatusId, TaskId, UserId};
use crate::identity::Person;
use crate::named::names;
use crate::page::{ITEM_BYTES, Page, PageRequest, fitting, json_bytes};

use super::document::Document;
use super::model::{Color, ProjectKey, Status, StatusCategory, TaskKey};

names! {
    /// How much a task presses. Ordered: the first presses most.
    Priority {
        /// Now.
        Urgent = "urgent",
        /// Soon.
        High = "high",
        /// In its turn.
        Medium = "medium",
        /// When there is time.
        Low = "low",
        /// Not said.
        None = "none",
    }
}

impl Priority {
    /// As it is stored and sorted: 0 for urgent to 4 for none.
    #[must_use]
    pub const fn rank(self) -> i64 {
        self as i64
    }

    /// The priority of a stored rank.
    #[must_use]
    pub fn of_rank(rank: i64) -> Option<Self> {
        Self::ALL.get(usize::try_from(rank).ok()?).copied()
    }
}

names! {
    /// What sort of work a task is.
    TaskType {
        /// Something a user wants.
        Story = "story",
        /// Something that is broken.
        Bug = "bug",
        /// Anything else.
        Task = "task",
        /// A part of another task.
        Subtask = "subtask",
    }
}

/// A label as it stands on a task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskLabel {
    /// Its id.
    pub id: LabelId,
    /// Its name.
    pub name: String,
    /// Its colour.
    pub color: Color,
}

/// A task with all that is shown of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Task {
    /// Its id.
    pub id: TaskId,
    /// Whose.
    pub org_id: OrgId,
    /// Of which project.
    pub project_id: ProjectId,
    /// The project's key.
    pub project_key: ProjectKey,
    /// Whether the project is read-only.
    pub project_is_archived: bool,
    /// Its number in the project, from 1.
    pub number: i64,
    /// What is to be done: 1–500 characters.
    pub title: String,
    /// In full. Lists leave it out.
    pub description: Option<Document>,
    /// Where it stands.
    pub status: Status,
    /// Who does it.
    pub assignee: Option<Person>,
    /// Who made it.
    pub reporter: Person,
    /// How much it presses.
    pub priority: Priority,
    /// What sort of work it is.
    pub kind: TaskType,
    /// Of which task it is a part.
    pub parent_id: Option<TaskId>,
    /// Its labels, by name.
    pub labels: Vec<TaskLabel>,
    /// Its place in the column; see [`super::order`]. It may change when neighbours are moved.
    pub position: i64,
    /// By which day it is to be done.
    pub due_date: Option<NaiveDate>,
    /// How many tasks are a part of it.
    pub subtask_count: i64,
    /// How many comments it has.
    pub comment_count: i64,
    /// Grows with every change of its fields; the `ETag`.
    pub version: i64,
    /// When it was made.
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

/// The fields of a task as a storage keeps them, but for its number, its position and its labels.
#[derive(Debug, Clone, PartialEq)]
pub struct TaskFields {
    /// What is to be done.
    pub title: String,
    /// In full.
    pub description: Option<Document>,
    /// Where it stands.
    pub status_id: StatusId,
    /// Who does it.
    pub assignee_id: Option<UserId>,
    /// How much it presses.
    pub priority: Priority,
    /// What sort of work it is.
    pub kind: TaskType,
    /// Of which task it is a part.
    pub parent_id: Option<TaskId>,
    /// By which day it is to be done.
    pub due_date: Option<NaiveDate>,
}

impl TaskFields {
    /// The fields as they are.
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

/// What is written of a task.
#[derive(Debug, Clone, Copy)]
pub struct TaskWrite<'a> {
    /// The fields.
    pub fields: &'a TaskFields,
    /// The position; `None` for the one that it has.
    pub position: Option<i64>,
}

impl<'a> From<&'a TaskFields> for TaskWrite<'a> {
    /// The fields alone.
    fn from(fields: &'a TaskFields) -> Self {
        Self { fields, position: None }
    }
}

/// A task to be stored.
#[derive(Debug, Clone, PartialEq)]
pub struct NewTask {
    /// Its id.
    pub id: TaskId,
    /// In which project.
    pub project_id: ProjectId,
    /// Who makes it.
    pub reporter_id: UserId,
    /// What it says.
    pub fields: TaskFields,
    /// How much there may be where it goes.
    pub room: Room,
    /// When.
    pub created_at: Timestamp,
}

/// How much there may be where a task is added.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Room {
    /// Numbers that its project gives.
    pub in_project: i64,
    /// Tasks below its parent.
    pub below_parent: i64,
}

impl Room {
    /// As much as there is.
    pub const ANY: Self = Self { in_project: i64::MAX, below_parent: i64::MAX };
}

/// What a new task was given by its project.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Numbered {
    /// Its number.
    pub number: i64,
    /// Its position: after everything else.
    pub position: i64,
}

/// Whose tasks a list shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AssigneeFilter {
    /// Those of a user.
    User(UserId),
    /// Those of nobody.
    Nobody,
}

/// Below which task the tasks of a list are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ParentFilter {
    /// Below this one.
    Of(TaskId),
    /// Below none.
    None,
}

/// Which tasks a list shows: those that fit all that is said.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TaskFilter {
    /// Of this project.
    pub project: Option<ProjectId>,
    /// In this status.
    pub status: Option<StatusId>,
    /// In a status of one of these categories; empty for all.
    pub categories: Vec<StatusCategory>,
    /// Of this person.
    pub assignee: Option<AssigneeFilter>,
    /// Of this priority.
    pub priority: Option<Priority>,
    /// Of this type.
    pub kind: Option<TaskType>,
    /// With this label.
    pub label: Option<LabelId>,
    /// Below this task.
    pub parent: Option<ParentFilter>,
    /// Whose title or description has these words, as [`crate::search::Words`] cuts them.
    pub search: Option<crate::search::Words>,
    /// Due before this day.
    pub due_before: Option<NaiveDate>,
    /// Changed after this moment.
    pub updated_after: Option<Timestamp>,
}

/// By what a list of tasks is sorted, always with the id as tie-break.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TaskOrder {
    /// By column, then by position in it. Only within one project.
    #[default]
    Board,
    /// By when they were made.
    CreatedAt,
    /// By when they were last changed.
    UpdatedAt,
    /// By the day they are due; those without one come last (first, when falling).
    DueDate,
    /// By how much they press.
    Priority,
}

/// An order and its direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TaskSort {
    /// By what.
    pub by: TaskOrder,
    /// Whether the list falls.
    pub descending: bool,
}

impl TaskSort {
    /// The names of all sorts in the contract. A leading hyphen means falling.
    pub const NAMES: [&'static str; 9] = [
        "position",
        "created_at",
        "-created_at",
        "updated_at",
        "-updated_at",
        "due_date",
        "-due_date",
        "priority",
        "-priority",
    ];

    /// The sort of a name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        let (descending, field) = match name.strip_prefix('-') {
            Some(field) => (true, field),
            None => (false, name),
        };
        let by = match field {
            "position" if !descending => TaskOrder::Board,
            "created_at" => TaskOrder::CreatedAt,
            "updated_at" => TaskOrder::UpdatedAt,
            "due_date" => TaskOrder::DueDate,
            "priority" => TaskOrder::Priority,
            _ => return None,
        };
        Some(Self { by, descending })
    }

    const fn tag(self) -> u8 {
        self.by as u8 * 2 + self.descending as u8
    }

    /// Where a task stands in a list of this sort.
    #[must_use]
    pub fn key(self, task: &Task) -> TaskCursor {
        let (first, second) = match self.by {
            TaskOrder::Board => (task.status.position, task.position),
            TaskOrder::CreatedAt => (task.created_at.timestamp_micros(), 0),
            TaskOrder::UpdatedAt => (task.updated_at.timestamp_micros(), 0),
            TaskOrder::DueDate => (i64::from(task.due_date.unwrap_or(NO_DUE_DATE).num_days_from_ce()), 0),
            TaskOrder::Priority => (task.priority.rank(), 0),
        };
        TaskCursor { sort: self, first, second, id: task.id.into() }
    }
}

/// What stands for no due date where tasks are sorted by it.
pub const NO_DUE_DATE: NaiveDate = match NaiveDate::from_ymd_opt(9999, 12, 31) {
    Some(date) => date,
    None => NaiveDate::MAX,
};

/// The place in a list of tasks after which the next page begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TaskCursor {
    /// The list's sort.
    pub sort: TaskSort,
    /// The column's position on a board; else microseconds, days since the year 1 or a rank.
    pub first: i64,
    /// The position in the column on a board; else 0.
    pub second: i64,
    /// The last task's id.
    pub id: Uuid,
}

impl TaskCursor {
    /// The opaque text a client hands back.
    #[must_use]
    pub fn encode(&self) -> String {
        let mut bytes = vec![self.sort.tag()];
        bytes.extend(self.first.to_be_bytes());
        bytes.extend(self.second.to_be_bytes());
        bytes.extend(self.id.as_bytes());
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// Reads what [`TaskCursor::encode`] wrote for a list of this sort; `None` for anything else.
    #[must_use]
    pub fn decode(text: &str, sort: TaskSort) -> Option<Self> {
        let bytes: [u8; 33] = URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok()?;
        let number = |from: usize| Some(i64::from_be_bytes(bytes.get(from..from + 8)?.try_into().ok()?));
        let cursor = Self {
            sort,
            first: number(1)?,
            second: number(9)?,
            id: Uuid::from_slice(bytes.get(17..)?).ok()?,
        };
        (bytes[0] == sort.tag() && cursor.is_possible()).then_some(cursor)
    }

    /// The day, of a list by due date.
    #[must_use]
    pub fn date(&self) -> Option<NaiveDate> {
        NaiveDate::from_num_days_from_ce_opt(i32::try_from(self.first).ok()?)
            .filter(|date| is_writable_day(*date))
    }

    /// The moment, of a list by time.
    #[must_use]
    pub fn time(&self) -> Option<Timestamp> {
        Timestamp::from_timestamp_micros(self.first).filter(|time| is_writable(*time))
    }

    /// Whether a task can stand there. A client may have made it up, and a database cannot be asked for every date.
    fn is_possible(&self) -> bool {
        let is_one = match self.sort.by {
            TaskOrder::Board => return true,
            TaskOrder::CreatedAt | TaskOrder::UpdatedAt => self.time().is_some(),
            TaskOrder::DueDate => self.date().is_some(),
            TaskOrder::Priority => Priority::of_rank(self.first).is_some(),
        };
        is_one && self.second == 0
    }
}

/// Which page of which tasks is wanted, in which order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskQuery {
    filter: TaskFilter,
    sort: TaskSort,
    limit: u32,
    after: Option<TaskCursor>,
    count: bool,
}

impl TaskQuery {
    /// Checks the query parameters that a list of tasks takes besides its filters.
    ///
    /// # Errors
    /// `VALIDATION_FAILED` for a limit outside 1–100, or a cursor that this server did not make for a list of this sort.
    pub fn new(
        filter: TaskFilter,
        sort: TaskSort,
        limit: Option<i64>,
        cursor: Option<&str>,
        count: bool,
    ) -> Result<Self, Error> {
        let limit = PageRequest::new(limit, None, count)?.limit();
        let mut violations = Violations::default();
        let after = cursor.and_then(|text| {
            let decoded = TaskCursor::decode(text, sort);
            if decoded.is_none() {
                let message = "Use the next_cursor of an earlier page of the same list, unchanged.";
                violations.add("/query/cursor", "INVALID_CURSOR", message);
            }
            decoded
        });
        violations.into_result()?;
        Ok(Self { filter, sort, limit, after, count })
    }

    /// Which tasks.
    #[must_use]
    pub const fn filter(&self) -> &TaskFilter {
        &self.filter
    }

    /// In which order.
    #[must_use]
    pub const fn sort(&self) -> TaskSort {
        self.sort
    }

    /// Where the page begins; `None` for the first.
    #[must_use]
    pub const fn after(&self) -> Option<TaskCursor> {
        self.after
    }

    /// Whether the caller asked for the total.
    #[must_use]
    pub const fn wants_count(&self) -> bool {
        self.count
    }

    /// How many rows a store reads: one more than the page shows, which tells whether a next page exists.
    #[must_use]
    pub const fn fetch(&self) -> i64 {
        self.limit as i64 + 1
    }

    /// Cuts the rows that were read down to the page, which ends early where it shows as many bytes, and names the next cursor.
    #[must_use]
    pub fn page(&self, mut tasks: Vec<Task>, total: Option<i64>, bytes: u32) -> Page<Task> {
        let shown = fitting(&tasks, self.limit, bytes, |task| {
            let labels = task.labels.iter().map(|label| 150 + json_bytes(&label.name)).sum::<usize>();
            2 * ITEM_BYTES + json_bytes(&task.title) + labels
        });
        let more = tasks.len() > shown;
        tasks.truncate(shown);
        let last = tasks.last().filter(|_| more);
        let next_cursor = last.map(|task| self.sort.key(task).encode());
        Page { items: tasks, next_cursor, total }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_good_for_lists_of_its_own_sort_alone() {
        for name in TaskSort::NAMES {
            let sort = TaskSort::parse(name).unwrap();
            let (first, second) = match sort.by {
                TaskOrder::Board => (-7, i64::MAX),
                TaskOrder::Priority => (4, 0),
                TaskOrder::CreatedAt | TaskOrder::UpdatedAt | TaskOrder::DueDate => (738_000, 0),
            };
            let cursor = TaskCursor { sort, first, second, id: Uuid::from_u128(7) };
            assert_eq!(TaskCursor::decode(&cursor.encode(), sort), Some(cursor), "{name}");
            for other in TaskSort::NAMES.iter().filter(|other| **other != name) {
                let other = TaskSort::parse(other).unwrap();
                assert_eq!(TaskCursor::decode(&cursor.encode(), other), None, "{name}");
            }
        }
        assert_eq!(TaskSort::parse("-position"), None);
        assert_eq!(TaskSort::parse("title"), None);
    }

    #[test]
    fn a_cursor_with_an_impossible_date_is_none() {
        let sort = TaskSort::parse("due_date").unwrap();
        for first in [i64::MAX, i64::MIN, 0, 4_000_000] {
            let cursor = TaskCursor { sort, first, second: 0, id: Uuid::nil() };
            assert_eq!(TaskCursor::decode(&cursor.encode(), sort), None, "{first}");
        }
    }

    #[test]
    fn priorities_rank_from_urgent_to_none() {
        assert_eq!(Priority::Urgent.rank(), 0);
        assert_eq!(Priority::of_rank(4), Some(Priority::None));
        assert_eq!(Priority::of_rank(5), None);
        assert_eq!(Priority::of_rank(-1), None);
    }
}
