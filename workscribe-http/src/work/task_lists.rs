//! Lists of tasks over HTTP: their responses and their queries. The operations are in `tasks.rs`, since one of them shares its path
//! with another operation on tasks.

use poem_openapi::registry::MetaSchema;
use workscribe_core::Error;
use workscribe_core::error::Fault;
use workscribe_core::id::{LabelId, StatusId};
use workscribe_core::search::Words;
use workscribe_core::work::{
    AssigneeFilter, ParentFilter, Priority, StatusCategory, TaskFilter, TaskOrder, TaskQuery, TaskSort,
    TaskType,
};

use super::tasks::TaskSummary;
use crate::paging::{PageCursor, window};
use crate::prelude::*;

lists! {
    /// A page of tasks.
    TaskList {
        /// The tasks.
        tasks: TaskSummary
    }
}

params! {
    /// Which tasks of a project to list.
    pub(super) ProjectTasks {
        /// Only tasks in this status.
        status_id: StatusId,
        /// Only tasks assigned to this user; `none` for tasks that are assigned to nobody.
        assignee_id: AssigneeFilter,
        /// Only tasks with this priority.
        priority: Priority,
        /// Only tasks of this type.
        kind as "type": TaskType,
        /// Only tasks with this label.
        label_id: LabelId,
        /// Only subtasks of this task; `none` for tasks without a parent.
        parent_task_id: ParentFilter,
        /// Only tasks with all these words in their title or description. The last one may be the beginning of a word.
        search: SearchWords,
        /// Only tasks due before this day.
        due_before: Date,
        /// Only tasks changed after this time.
        updated_after: Time,
    } => TaskFilter = TaskFilter {
        status: status_id,
        assignee: assignee_id,
        priority,
        kind,
        label: label_id,
        parent: parent_task_id,
        search: search.and_then(|words| words.0),
        due_before: due_before.map(|day| day.0),
        updated_after: updated_after.map(|time| time.0),
        ..TaskFilter::default()
    };

    /// Which tasks to list, by the category of their status.
    pub(super) TasksByCategory {
        /// Only tasks whose status has this category.
        status_category: StatusCategory,
        /// Only tasks with this priority.
        priority: Priority,
    } => TaskFilter =
        TaskFilter { categories: status_category.into_iter().collect(), priority, ..TaskFilter::default() };
}

/// The maximum length of a search, in characters.
const SEARCH_CHARS: usize = 200;

/// Makes parameters that are an id, or `none`.
macro_rules! ids_or_none {
    ($($filter:ident: $id:ident, $none:ident;)+) => {$(
        impl Parameter for $filter {
            fn schema() -> MetaSchema {
                MetaSchema { max_length: Some(36), example: Some("none".into()), ..MetaSchema::new("string") }
            }

            fn parse(text: &str) -> Result<Self, Fault> {
                match text {
                    "none" => Ok(Self::$none),
                    id => id.parse().map(Self::$id).map_err(|_| not_an_id("Give an id, or none.")),
                }
            }
        }
    )+};
}

ids_or_none! {
    AssigneeFilter: User, Nobody;
    ParentFilter: Of, None;
}

/// The words to search for. An empty field of a form filters nothing.
struct SearchWords(Option<Words>);

impl Parameter for SearchWords {
    fn schema() -> MetaSchema {
        MetaSchema { max_length: Some(SEARCH_CHARS), ..MetaSchema::new("string") }
    }

    fn parse(text: &str) -> Result<Self, Fault> {
        if text.chars().count() > SEARCH_CHARS {
            return Err(Fault::new("TOO_LONG", "Search for at most 200 characters."));
        }
        Ok(Self(Some(text.trim()).filter(|text| !text.is_empty()).map(Words::of)))
    }
}

/// Makes the sorts of a list, each with the parameters of a page of a list with that sort.
macro_rules! sorts {
    ($($(#[doc = $doc:literal])* $name:ident, $page:ident: $names:expr, $usual:ident = $usual_name:literal;)+) => {$(
        $(#[doc = $doc])*
        struct $name(TaskSort);

        impl Parameter for $name {
            fn schema() -> MetaSchema {
                let description = Some("The sort of the list. A leading hyphen means descending.");
                MetaSchema { description, default: Some($usual_name.into()), ..names($names.iter().copied()) }
            }

            fn parse(text: &str) -> Result<Self, Fault> {
                let sort = TaskSort::parse(text).filter(|_| $names.contains(&text));
                sort.map(Self).ok_or_else(|| not_one_of(&$names))
            }
        }

        params! {
            $(#[doc = $doc])*
            pub(super) $page(faults) {
                sort: $name,
                limit: PageLimit,
                cursor: PageCursor,
                /// Whether the response has the `total`.
                count: bool,
            } => TaskPage = {
                let usual = TaskSort { by: TaskOrder::$usual, descending: false };
                let sort = sort.map_or(usual, |sort| sort.0);
                let window = window(limit, cursor, count, faults, |limit, cursor, count| {
                    TaskQuery::new(TaskFilter::default(), sort, limit, cursor, count)?;
                    Ok((limit, cursor.map(str::to_owned), count))
                });
                TaskPage { sort, window: window.unwrap_or_default() }
            };
        }
    )+};
}

sorts! {
    /// The sort of a project's list.
    BoardSort, BoardPage: TaskSort::NAMES, Board = "position";
    /// The sort of a list of tasks from many projects, which share no board.
    SortAcross, PageAcross: TaskSort::NAMES[1..], DueDate = "due_date";
}

/// Which page of a list of tasks the caller wants. It is checked before the door, and the project's id is known only after it.
pub(super) struct TaskPage {
    sort: TaskSort,
    window: (Option<i64>, Option<String>, bool),
}

impl TaskPage {
    /// The page of the tasks that match a filter.
    pub(super) fn of(self, filter: TaskFilter) -> Result<TaskQuery, Error> {
        let (limit, cursor, count) = self.window;
        TaskQuery::new(filter, self.sort, limit, cursor.as_deref(), count)
    }
}
