//! Which tasks a list shows, from its query.

use poem_openapi::registry::MetaSchema;
use workscribe_core::Error;
use workscribe_core::error::{Fault, Violations};
use workscribe_core::id::ProjectId;
use workscribe_core::search::Words;
use workscribe_core::work::{AssigneeFilter, ParentFilter, TaskFilter, TaskOrder, TaskQuery, TaskSort};

use crate::query::{Asked, Parameter, Window, id_or_none, not_an_id, not_one_of, window};
use crate::wire::names;

/// The longest search, in characters.
const SEARCH_CHARS: usize = 200;
const AN_ID_OR_NONE: &str = "Give an id, or none.";

impl Parameter for AssigneeFilter {
    fn schema() -> MetaSchema {
        id_or_none()
    }

    fn parse(text: &str) -> Result<Self, Fault> {
        match text {
            "none" => Ok(Self::Nobody),
            id => id.parse().map(Self::User).map_err(|_| not_an_id(AN_ID_OR_NONE)),
        }
    }
}

impl Parameter for ParentFilter {
    fn schema() -> MetaSchema {
        id_or_none()
    }

    fn parse(text: &str) -> Result<Self, Fault> {
        match text {
            "none" => Ok(Self::None),
            id => id.parse().map(Self::Of).map_err(|_| not_an_id(AN_ID_OR_NONE)),
        }
    }
}

/// The words that are looked for. An empty field of a form filters nothing.
pub(super) struct SearchWords(pub(super) Option<Words>);

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

/// How a list can be sorted.
pub(super) trait Sort: Parameter {
    /// The sort.
    fn sort(self) -> TaskSort;
    /// The one without any being asked for.
    const USUAL: TaskSort;
}

macro_rules! sorts {
    ($($(#[$doc:meta])* $name:ident: $names:expr, $usual:ident = $usual_name:literal;)+) => {$(
        $(#[$doc])*
        pub(super) struct $name(TaskSort);

        impl Parameter for $name {
            fn schema() -> MetaSchema {
                let description = Some("By what the list is sorted; a hyphen before it means falling.");
                MetaSchema { description, default: Some($usual_name.into()), ..names($names.iter().copied()) }
            }

            fn parse(text: &str) -> Result<Self, Fault> {
                let sort = TaskSort::parse(text).filter(|_| $names.contains(&text));
                sort.map(Self).ok_or_else(|| not_one_of(&$names))
            }
        }

        impl Sort for $name {
            const USUAL: TaskSort = TaskSort { by: TaskOrder::$usual, descending: false };

            fn sort(self) -> TaskSort {
                self.0
            }
        }
    )+};
}

sorts! {
    /// The sort of a project's list.
    BoardSort: TaskSort::NAMES, Board = "position";
    /// The sort of a list over many projects, which have no board in common.
    SortAcross: TaskSort::NAMES[1..], DueDate = "due_date";
}

/// What is asked for, before the door, behind which the project gets its id.
pub(super) struct Ask {
    filter: TaskFilter,
    sort: TaskSort,
    window: (Option<i64>, Option<String>, bool),
}

impl Ask {
    /// Reads the sort, and what every list takes.
    pub(super) fn new<T: Sort>(
        filter: TaskFilter,
        sort: Asked<T>,
        page: Window,
        faults: &mut Violations,
    ) -> Self {
        let sort = sort.read(faults).map_or(T::USUAL, Sort::sort);
        let window = window(page, faults, |limit, cursor, count| {
            TaskQuery::new(TaskFilter::default(), sort, limit, cursor, count)?;
            Ok((limit, cursor.map(str::to_owned), count))
        });
        Self { filter, sort, window: window.unwrap_or_default() }
    }

    /// The page of a project, or of all projects.
    pub(super) fn of(self, project: Option<ProjectId>) -> Result<TaskQuery, Error> {
        let Self { filter, sort, window: (limit, cursor, count) } = self;
        TaskQuery::new(TaskFilter { project, ..filter }, sort, limit, cursor.as_deref(), count)
    }
}
