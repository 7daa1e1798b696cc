//! Projects, statuses and labels, and the rules for their fields.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::clock::{Timestamp, micros};
use crate::error::Fault;
use crate::id::{LabelId, OrgId, ProjectId, StatusId, UserId};
use crate::limits::Limit;
use crate::named::names;

pub use crate::names::name_key;
pub(crate) use crate::names::{single_line, text};

/// The maximum length of a description, in characters.
pub(crate) const DESCRIPTION_CHARS: usize = Limit::DescriptionCharacters.default_value() as usize;

names! {
    /// How the members work on a project.
    ProjectType {
        /// On a board, continuously.
        Kanban = "kanban",
        /// In sprints.
        Scrum = "scrum",
    }
}

/// The letters before the number of a task: `WEB` in `WEB-42`. Its form is `[A-Z][A-Z0-9]{1,9}`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ProjectKey(String);

impl ProjectKey {
    /// Checks a key, and turns it into upper case.
    ///
    /// # Errors
    /// `INVALID_KEY` for another form.
    pub fn parse(text: &str) -> Result<Self, Fault> {
        Self::existing(text).ok_or_else(|| {
            Fault::new("INVALID_KEY", "Use 2 to 10 letters and digits, beginning with a letter, such as WEB.")
        })
    }

    /// The key of a project that may exist; `None` when no project can have this key.
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

    /// Takes a stored key without checks.
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

/// The id or the key of a project, as it is in a path.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum ProjectRef {
    /// The id.
    Id(ProjectId),
    /// The key.
    Key(ProjectKey),
}

impl ProjectRef {
    /// Reads an id or a key; `None` when the text is neither.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        text.parse().map(Self::Id).ok().or_else(|| ProjectKey::existing(text).map(Self::Key))
    }
}

/// The name of a task for people: `WEB-42`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskKey {
    /// The project's key.
    pub project: ProjectKey,
    /// The number within the project, from 1.
    pub number: i64,
}

impl TaskKey {
    /// Reads `WEB-42`, in upper or lower case; `None` when the text cannot be the key of a task.
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
    /// The organization.
    pub org_id: OrgId,
    /// Its name: 2–100 characters.
    pub name: String,
    /// The letters before the numbers of its tasks. They are unique in the organization and do not change.
    pub key: ProjectKey,
    /// Its description: at most 10,000 characters.
    pub description: Option<String>,
    /// How the members work on it.
    pub kind: ProjectType,
    /// Whether it is archived, and so read-only.
    pub is_archived: bool,
    /// The user who created it.
    pub created_by: UserId,
    /// Grows with every change. It is the `ETag`.
    pub version: i64,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
}

/// A change of a project. `None` leaves a field unchanged.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ProjectChange {
    /// A new name.
    pub name: Option<String>,
    /// A new description; `Some(None)` removes it.
    pub description: Option<Option<String>>,
    /// Whether to archive or to restore it.
    pub is_archived: Option<bool>,
}

/// Which projects a list contains.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Archived {
    /// Projects that are not archived.
    #[default]
    No,
    /// Archived projects.
    Yes,
    /// Both.
    All,
}

names! {
    /// The meaning of a status, independent of its name.
    StatusCategory {
        /// Work has not started.
        Todo = "todo",
        /// Work is in progress.
        InProgress = "in_progress",
        /// Work is finished.
        Done = "done",
    }
}

/// A status of the tasks of a project. It is a column of the board.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// Its id.
    pub id: StatusId,
    /// The project.
    pub project_id: ProjectId,
    /// Its name: 1–50 characters, unique in the project without regard to case.
    pub name: String,
    /// Its meaning.
    pub category: StatusCategory,
    /// Its position among the statuses of the project, from 0.
    pub position: i64,
    /// Its colour.
    pub color: Option<Color>,
    /// Grows with every change except a change of the position. It is the `ETag`.
    pub version: i64,
    /// When it was created.
    #[serde(with = "micros")]
    pub created_at: Timestamp,
    /// When it was last changed.
    #[serde(with = "micros")]
    pub updated_at: Timestamp,
}

/// A change of a status. `None` leaves a field unchanged.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StatusChange {
    /// A new name.
    pub name: Option<String>,
    /// A new meaning.
    pub category: Option<StatusCategory>,
    /// A new colour; `Some(None)` removes it.
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
    /// `INVALID_COLOR` for another form.
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

    /// Takes a stored colour without checks.
    #[must_use]
    pub fn from_stored(text: String) -> Self {
        Self(text)
    }
}

/// A label for the tasks of a project.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Label {
    /// Its id.
    pub id: LabelId,
    /// The project.
    pub project_id: ProjectId,
    /// Its name: 1–50 characters, unique in the project without regard to case.
    pub name: String,
    /// Its colour.
    pub color: Color,
    /// Grows with every change. It is the `ETag`.
    pub version: i64,
    /// When it was created.
    #[serde(with = "micros")]
    pub created_at: Timestamp,
    /// When it was last changed.
    #[serde(with = "micros")]
    pub updated_at: Timestamp,
}

/// A change of a label. `None` leaves a field unchanged.
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
