//! Which tasks a list shows, from its query.

use workscribe_core::Error;
use workscribe_core::clock::parse_time;
use workscribe_core::id::ProjectId;
use workscribe_core::search::Words;
use workscribe_core::work::{
    AssigneeFilter, ParentFilter, Priority, StatusCategory, TaskFilter, TaskQuery, TaskSort, TaskType,
};

use crate::query::{Text, Window, choice, read, window};
use crate::time::Date;

/// The filters of a project's list, as they came.
pub(super) struct Filters {
    pub(super) status_id: Text,
    pub(super) assignee_id: Text,
    pub(super) priority: Text,
    pub(super) kind: Text,
    pub(super) label_id: Text,
    pub(super) parent_task_id: Text,
    pub(super) search: Text,
    pub(super) due_before: Text,
    pub(super) updated_after: Text,
}

/// The sorts of a list over many projects, which have no board in common.
pub(crate) const SORTS_ACROSS: &[&str] = {
    let (_board, others) = TaskSort::NAMES.split_at(1);
    others
};

/// The longest search, in characters.
const SEARCH_CHARS: usize = 200;
const NOT_AN_ID: &str = "NOT_AN_ID";
const AN_ID: &str = "Give an id.";
const AN_ID_OR_NONE: &str = "Give an id, or none.";

impl Filters {
    /// Reads them. An id that nothing has is no fault: nothing fits it.
    pub(super) fn read(self) -> Result<TaskFilter, Error> {
        let is_none = |text: &str| text == "none";
        let assignee = read("assignee_id", self.assignee_id, NOT_AN_ID, AN_ID_OR_NONE, |text| {
            if is_none(text) {
                return Some(AssigneeFilter::Nobody);
            }
            text.parse().map(AssigneeFilter::User).ok()
        });
        let parent = read("parent_task_id", self.parent_task_id, NOT_AN_ID, AN_ID_OR_NONE, |text| {
            if is_none(text) {
                return Some(ParentFilter::None);
            }
            text.parse().map(ParentFilter::Of).ok()
        });
        let search = read("search", self.search, "TOO_LONG", "Search for at most 200 characters.", |text| {
            (text.chars().count() <= SEARCH_CHARS).then(|| text.trim().to_owned())
        });
        let day = "Write a day as YYYY-MM-DD, of the years 1 to 9999.";
        let moment = "Write a moment as 2026-11-23T09:30:00Z, of the years 1 to 9999.";
        let kinds = TaskType::ALL.iter().map(|kind| kind.as_str()).collect::<Vec<_>>();
        Ok(TaskFilter {
            project: None,
            status: read("status_id", self.status_id, NOT_AN_ID, AN_ID, |text| text.parse().ok())?,
            categories: Vec::new(),
            assignee: assignee?,
            priority: priority(self.priority)?,
            kind: choice("type", self.kind, &kinds, TaskType::parse)?,
            label: read("label_id", self.label_id, NOT_AN_ID, AN_ID, |text| text.parse().ok())?,
            parent: parent?,
            // An empty field of a form filters nothing.
            search: search?.filter(|text| !text.is_empty()).map(|text| Words::of(&text)),
            due_before: read("due_before", self.due_before, "NOT_A_DATE", day, Date::parse)?.map(|day| day.0),
            updated_after: read("updated_after", self.updated_after, "NOT_A_TIME", moment, parse_time)?,
        })
    }
}

pub(super) fn priority(text: Text) -> Result<Option<Priority>, Error> {
    let names = Priority::ALL.iter().map(|priority| priority.as_str()).collect::<Vec<_>>();
    choice("priority", text, &names, Priority::parse)
}

pub(super) fn category(text: Text) -> Result<Option<StatusCategory>, Error> {
    let names = StatusCategory::ALL.iter().map(|category| category.as_str()).collect::<Vec<_>>();
    choice("status_category", text, &names, StatusCategory::parse)
}

/// What is asked for, before the door, behind which the project gets its id.
pub(super) struct Asked {
    filter: TaskFilter,
    sort: TaskSort,
    window: Window,
}

impl Asked {
    /// Reads the sort, which is the first of `sorts` unless given, and what every list takes.
    pub(super) fn new(
        filter: TaskFilter,
        sort: Text,
        (sorts, usual): (&[&str], TaskSort),
        (limit, cursor, count): (Text, Text, Text),
    ) -> Result<Self, Error> {
        let sort = choice("sort", sort, sorts, TaskSort::parse)?.unwrap_or(usual);
        Ok(Self { filter, sort, window: window(limit, cursor, count)? })
    }

    /// The page of a project, or of all projects.
    pub(super) fn of(self, project: Option<ProjectId>) -> Result<TaskQuery, Error> {
        let Self { filter, sort, window: Window { limit, cursor, count } } = self;
        TaskQuery::new(TaskFilter { project, ..filter }, sort, limit, cursor.as_deref(), count)
    }
}
