//! Tasks, and the filters and the order of lists of tasks.

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

/// The assignee of the tasks of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AssigneeFilter {
    /// This user.
    User(UserId),
    /// Nobody.
    Nobody,
}

/// The parent of the tasks of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ParentFilter {
    /// This task.
    Of(TaskId),
    /// No task.
    None,
}

/// Which tasks a list contains: those that match every field that is set.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TaskFilter {
    /// Only tasks of this project.
    pub project: Option<ProjectId>,
    /// Only tasks with this status.
    pub status: Option<StatusId>,
    /// Only tasks with a status of one of these categories; empty for all.
    pub categories: Vec<StatusCategory>,
    /// Only tasks of this assignee.
    pub assignee: Option<AssigneeFilter>,
    /// Only tasks with this priority.
    pub priority: Option<Priority>,
    /// Only tasks of this type.
    pub kind: Option<TaskType>,
    /// Only tasks with this label.
    pub label: Option<LabelId>,
    /// Only tasks with this parent.
    pub parent: Option<ParentFilter>,
    /// Only tasks whose title or description contains these words, as [`crate::search::Words`] splits them.
    pub search: Option<crate::search::Words>,
    /// Only tasks due before this day.
    pub due_before: Option<NaiveDate>,
    /// Only tasks changed after this time.
    pub updated_after: Option<Timestamp>,
}

/// The key by which a list of tasks is sorted. The id decides between equal keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TaskOrder {
    /// The column, then the position in it. Only within one project.
    #[default]
    Board,
    /// The time of creation.
    CreatedAt,
    /// The time of the last change.
    UpdatedAt,
    /// The due date. Tasks without one come last (first when descending).
    DueDate,
    /// The priority.
    Priority,
}

/// An order and its direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TaskSort {
    /// The order.
    pub by: TaskOrder,
    /// Whether the order is descending.
    pub descending: bool,
}

impl TaskSort {
    /// The names of all sorts in the API. A leading hyphen means descending.
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

    /// The sort with this name.
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

    /// The place of a task in a list of this sort.
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

/// The value that sorts tasks without a due date.
pub const NO_DUE_DATE: NaiveDate = match NaiveDate::from_ymd_opt(9999, 12, 31) {
    Some(date) => date,
    None => NaiveDate::MAX,
};

/// The place in a list of tasks after which the next page starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TaskCursor {
    /// The sort of the list.
    pub sort: TaskSort,
    /// On a board, the position of the column; otherwise microseconds, days since the year 1, or a rank.
    pub first: i64,
    /// On a board, the position in the column; otherwise 0.
    pub second: i64,
    /// The id of the last task.
    pub id: Uuid,
}

impl TaskCursor {
    /// The opaque text that a client sends back.
    #[must_use]
    pub fn encode(&self) -> String {
        let mut bytes = vec![self.sort.tag()];
        bytes.extend(self.first.to_be_bytes());
        bytes.extend(self.second.to_be_bytes());
        bytes.extend(self.id.as_bytes());
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// Reads the text of [`TaskCursor::encode`] for a list of this sort; `None` for any other text.
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

    /// The day, for a list by due date.
    #[must_use]
    pub fn date(&self) -> Option<NaiveDate> {
        NaiveDate::from_num_days_from_ce_opt(i32::try_from(self.first).ok()?)
            .filter(|date| is_writable_day(*date))
    }

    /// The time, for a list by time.
    #[must_use]
    pub fn time(&self) -> Option<Timestamp> {
        Timestamp::from_timestamp_micros(self.first).filter(|time| is_writable(*time))
    }

    /// Whether a task can have this place. A client may send an invented cursor, and a database does not accept every date.
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

/// A page of tasks: the filters, the order, the cursor and the limit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskQuery {
    filter: TaskFilter,
    sort: TaskSort,
    limit: u32,
    after: Option<TaskCursor>,
    count: bool,
}

impl TaskQuery {
    /// Checks the query parameters of a list of tasks other than its filters.
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

    /// The filters.
    #[must_use]
    pub const fn filter(&self) -> &TaskFilter {
        &self.filter
    }

    /// The order.
    #[must_use]
    pub const fn sort(&self) -> TaskSort {
        self.sort
    }

    /// Where the page starts; `None` for the first page.
    #[must_use]
    pub const fn after(&self) -> Option<TaskCursor> {
        self.after
    }

    /// Whether the caller asks for the total.
    #[must_use]
    pub const fn wants_count(&self) -> bool {
        self.count
    }

    /// How many rows a store reads: one more than the page shows, to know whether a next page exists.
    #[must_use]
    pub const fn fetch(&self) -> i64 {
        self.limit as i64 + 1
    }

    /// Cuts the rows to the page, which ends early when it reaches the given bytes, and makes the next cursor.
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
