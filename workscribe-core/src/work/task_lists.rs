//! Lists of tasks: their filters, their order, and the cursor with which the next page starts.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{Datelike as _, NaiveDate};
use uuid::Uuid;

use crate::clock::{Timestamp, is_writable, is_writable_day};
use crate::error::{Result, Violations};
use crate::id::{LabelId, ProjectId, StatusId, TaskId, UserId};
use crate::page::{ITEM_BYTES, Page, PageRequest, fitting, json_bytes};

use super::model::StatusCategory;
use super::task::{Priority, Task, TaskType};

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
    ) -> Result<Self> {
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
}
