//! Projects, statuses and labels, and the rules for their fields.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::clock::{Timestamp, micros};
use crate::error::Fault;
use crate::id::{LabelId, OrgId, ProjectId, StatusId, UserId};
use crate::limits::Limit;
use crate::named::names;

pub use crate::names::name_key;
pub(crate) use crate::names::{line, text};

/// The longest description.
pub(crate) const DESCRIPTION_CHARS: usize = Limit::DescriptionCharacters.default_value() as usize;

names! {
    /// How a project is worked on.
    ProjectType {
        /// A board that flows.
        Kanban = "kanban",
        /// In sprints.
        Scrum = "scrum",
    }
}

/// The letters before a task's number: `WEB` in `WEB-42`. `[A-Z][A-Z0-9]{1,9}`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ProjectKey(String);

impl ProjectKey {
    /// Checks a key, in upper case whatever it comes in.
    ///
    /// # Errors
    /// `INVALID_KEY` for another shape.
    pub fn parse(text: &str) -> Result<Self, Fault> {
        Self::existing(text).ok_or_else(|| {
            Fault::new("INVALID_KEY", "Use 2 to 10 letters and digits, beginning with a letter, such as WEB.")
        })
    }

    /// The key of a project that may exist; `None` when none can have it.
    #[must_use]
    pub fn existing(text: &str) -> Option<Self> {
        let key = text.to_ascii_uppercase();
        let (first, rest) = key.split_at_checked(1)?;
        let fits = first.bytes().all(|b| b.is_ascii_uppercase())
            && (1..=9).contains(&rest.len())
            && rest.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit());
        fits.then_some(Self(key))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Takes a key that a storage has kept, unchecked.
    #[must_use]
    pub fn from_stored(text: String) -> Self {
        Self(text)
    }
}

impl fmt::Display for ProjectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What names a project in a path: its id or its key.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum ProjectRef {
    /// By id.
    Id(ProjectId),
    /// By key.
    Key(ProjectKey),
}

impl ProjectRef {
    /// Reads an id or a key; `None` for what can be neither.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        text.parse().map(Self::Id).ok().or_else(|| ProjectKey::existing(text).map(Self::Key))
    }
}

/// What names a task for people: `WEB-42`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskKey {
    /// The project's key.
    pub project: ProjectKey,
    /// The number within the project, from 1.
    pub number: i64,
}

impl TaskKey {
    /// Reads `WEB-42`, in any case; `None` for what can be no task's key.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (project, number) = text.rsplit_once('-')?;
        let is_plain = !number.starts_with('0') && number.bytes().all(|b| b.is_ascii_digit());
        let number = number.parse().ok().filter(|number| *number > 0 && is_plain)?;
        Some(Self { project: ProjectKey::existing(project)?, number })
    }
}

impl fmt::Display for TaskKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.project, self.number)
    }
}

/// A project.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Project {
    /// Its id.
    pub id: ProjectId,
    /// Whose.
    pub org_id: OrgId,
    /// Its name: 2–100 characters.
    pub name: String,
    /// The letters before its tasks' numbers, unique in the organization. They do not change.
    pub key: ProjectKey,
    /// What it is for, in at most 10,000 characters.
    pub description: Option<String>,
    /// How it is worked on.
    pub kind: ProjectType,
    /// Whether it is read-only.
    pub is_archived: bool,
    /// Who made it.
    pub created_by: UserId,
    /// Grows with every change; the `ETag`.
    pub version: i64,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
}

/// A change of a project: `None` leaves a field as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ProjectChange {
    /// A new name.
    pub name: Option<String>,
    /// A new description, or none.
    pub description: Option<Option<String>>,
    /// Archive, or restore.
    pub is_archived: Option<bool>,
}

/// Which projects a list shows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Archived {
    /// Those in use.
    #[default]
    No,
    /// Those archived.
    Yes,
    /// Both.
    All,
}

names! {
    /// What a status means, whatever it is called.
    StatusCategory {
        /// Not begun.
        Todo = "todo",
        /// Being worked on.
        InProgress = "in_progress",
        /// Finished.
        Done = "done",
    }
}

/// A status of a project's tasks: a column of its board.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// Its id.
    pub id: StatusId,
    /// Of which project.
    pub project_id: ProjectId,
    /// Its name: 1–50 characters, unique in the project whatever their case.
    pub name: String,
    /// What it means.
    pub category: StatusCategory,
    /// Where it stands among the project's statuses, from 0.
    pub position: i64,
    /// Its colour.
    pub color: Option<Color>,
    /// Grows with every change but those of the position; the `ETag`.
    pub version: i64,
    /// When it was made.
    #[serde(with = "micros")]
    pub created_at: Timestamp,
    /// When it was last changed.
    #[serde(with = "micros")]
    pub updated_at: Timestamp,
}

/// A change of a status: `None` leaves a field as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StatusChange {
    /// A new name.
    pub name: Option<String>,
    /// A new meaning.
    pub category: Option<StatusCategory>,
    /// A new colour, or none.
    pub color: Option<Option<Color>>,
}

/// A colour: `#rrggbb`, in lower case.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Color(String);

impl Color {
    /// Checks a colour.
    ///
    /// # Errors
    /// `INVALID_COLOR` for another shape.
    pub fn parse(text: &str) -> Result<Self, Fault> {
        let digits = text.strip_prefix('#').filter(|digits| digits.len() == 6);
        match digits {
            Some(digits) if digits.bytes().all(|b| b.is_ascii_hexdigit()) => {
                Ok(Self(text.to_ascii_lowercase()))
            }
            _ => Err(Fault::new("INVALID_COLOR", "Write a colour as # and six hexadecimal digits.")),
        }
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Takes a colour that a storage has kept, unchecked.
    #[must_use]
    pub fn from_stored(text: String) -> Self {
        Self(text)
    }
}

/// A label of a project's tasks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Label {
    /// Its id.
    pub id: LabelId,
    /// Of which project.
    pub project_id: ProjectId,
    /// Its name: 1–50 characters, unique in the project whatever their case.
    pub name: String,
    /// Its colour.
    pub color: Color,
    /// Grows with every change; the `ETag`.
    pub version: i64,
    /// When it was made.
    #[serde(with = "micros")]
    pub created_at: Timestamp,
    /// When it was last changed.
    #[serde(with = "micros")]
    pub updated_at: Timestamp,
}

/// A change of a label: `None` leaves a field as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LabelChange {
    /// A new name.
    pub name: Option<String>,
    /// A new colour.
    pub color: Option<Color>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_two_to_ten_letters_and_digits_in_upper_case() {
        for fine in ["WEB", "web", "A1", "ABCDEFGHIJ"] {
            assert_eq!(ProjectKey::parse(fine).unwrap().as_str(), fine.to_uppercase());
        }
        for bad in ["", "A", "1A", "ABCDEFGHIJK", "A-B", "A B", "ÄB", "WEB\0", "ß1"] {
            assert_eq!(ProjectKey::parse(bad).unwrap_err().code, "INVALID_KEY", "{bad:?}");
        }
    }

    #[test]
    fn a_task_key_has_one_number_and_one_form_of_it() {
        assert_eq!(TaskKey::parse("web-42").unwrap().to_string(), "WEB-42");
        for bad in ["WEB", "WEB-", "WEB-0", "WEB-042", "WEB--1", "WEB-+1", "-1", "WEB-9223372036854775808"] {
            assert_eq!(TaskKey::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_project_is_named_by_its_id_or_its_key() {
        let id = "018f3c6e-7d2a-7b4c-9a1e-2f3b4c5d6e7f";
        assert!(matches!(ProjectRef::parse(id), Some(ProjectRef::Id(_))));
        assert!(matches!(ProjectRef::parse("web"), Some(ProjectRef::Key(_))));
        assert_eq!(ProjectRef::parse("no such thing"), None);
    }

    #[test]
    fn colours_have_six_digits() {
        assert_eq!(Color::parse("#AbCdEf").unwrap().as_str(), "#abcdef");
        for bad in ["", "#abc", "abcdef", "#abcdeg", "#abcdef0", "red"] {
            assert_eq!(Color::parse(bad).unwrap_err().code, "INVALID_COLOR", "{bad}");
        }
    }
}
