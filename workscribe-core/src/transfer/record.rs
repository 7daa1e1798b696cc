//! The content of an export: one record on each line.

use chrono::NaiveDate;
use serde::{Deserialize, Deserializer, Serialize};
use uuid::Uuid;

use crate::clock::{Timestamp, micros};
use crate::events::EventKind;
use crate::id::{ActivityId, CommentId, LabelId, NotificationId, OrgId, ProjectId, StatusId, TaskId, UserId};
use crate::identity::{Email, display_name};
use crate::names::kept_form;
use crate::notifications::{EntityType, NotificationType};
use crate::tenancy::{Role, Slug};
use crate::work::{Document, Label, Priority, ProjectKey, ProjectType, Status, TaskType};

use super::foreign::person_name;

/// The name of the format.
pub const FORMAT: &str = "workscribe-export";
/// The version of the format in new exports. Versions from 1 up to it can be read. It grows when an older reader would lose or
/// misread something; an optional field does not need a new version.
pub const VERSION: u32 = 1;

/// One line of an export.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Record {
    /// The first line.
    Header(Header),
    /// The second line.
    Organization(OrganizationRow),
    /// A person, before the first line that refers to them.
    User(UserRow),
    /// A membership.
    Member(MemberRow),
    /// A project.
    Project(ProjectRow),
    /// A status of a project.
    Status(StatusRow),
    /// A label of a project.
    Label(LabelRow),
    /// A task.
    Task(TaskRow),
    /// A comment on a task.
    Comment(CommentRow),
    /// An entry of the history.
    Activity(ActivityRow),
    /// A notification to a person.
    Notification(NotificationRow),
    /// The last line.
    End(End),
}

/// The kinds of rows that a storage reads page by page, in the order in which they are exported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// [`MemberRow`]
    Member,
    /// [`ProjectRow`]
    Project,
    /// [`StatusRow`]
    Status,
    /// [`LabelRow`]
    Label,
    /// [`TaskRow`]
    Task,
    /// [`CommentRow`]
    Comment,
    /// [`ActivityRow`]
    Activity,
    /// [`NotificationRow`]
    Notification,
}

impl Kind {
    /// All kinds, in the order in which they are exported.
    pub const ALL: [Self; 8] = [
        Self::Member,
        Self::Project,
        Self::Status,
        Self::Label,
        Self::Task,
        Self::Comment,
        Self::Activity,
        Self::Notification,
    ];
}

/// The header of an export.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// [`FORMAT`]
    pub format: String,
    /// [`VERSION`]
    pub version: u32,
    /// When the export was made.
    #[serde(with = "micros")]
    pub exported_at: Timestamp,
}

/// The end of an export, which shows that it is complete.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct End {
    /// The number of lines, including the first and this one.
    pub records: u64,
}

/// An organization.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "as in the model")]
pub struct OrganizationRow {
    pub id: OrgId,
    pub name: String,
    pub slug: Slug,
    pub version: i64,
    #[serde(with = "micros")]
    pub created_at: Timestamp,
    #[serde(with = "micros")]
    pub updated_at: Timestamp,
}

/// A person, as others in the organization see them, without their credentials.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "as in the model")]
pub struct UserRow {
    pub id: UserId,
    pub email: Email,
    pub display_name: String,
    pub avatar_url: Option<String>,
}

/// A membership.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "as in the model")]
pub struct MemberRow {
    pub user_id: UserId,
    pub role: Role,
    pub version: i64,
    #[serde(with = "micros")]
    pub joined_at: Timestamp,
}

/// A project, with the counters for its next task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "as in the model")]
pub struct ProjectRow {
    pub id: ProjectId,
    pub name: String,
    pub key: ProjectKey,
    pub description: Option<String>,
    pub kind: ProjectType,
    pub is_archived: bool,
    /// The number of the latest task.
    pub last_number: i64,
    /// The last position that was given to a task; see [`crate::work::order`].
    pub last_position: i64,
    pub created_by: UserId,
    pub version: i64,
    #[serde(with = "micros")]
    pub created_at: Timestamp,
    #[serde(with = "micros")]
    pub updated_at: Timestamp,
}

/// A status.
pub type StatusRow = Status;

/// A label.
pub type LabelRow = Label;

/// A task with its labels.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "as in the model")]
pub struct TaskRow {
    pub id: TaskId,
    pub project_id: ProjectId,
    pub number: i64,
    pub title: String,
    #[serde(with = "rich_text_or_none")]
    pub description: Option<Document>,
    pub status_id: StatusId,
    pub position: i64,
    pub assignee_id: Option<UserId>,
    pub reporter_id: UserId,
    pub priority: Priority,
    pub kind: TaskType,
    pub parent_id: Option<TaskId>,
    /// In the order of the ids.
    pub label_ids: Vec<LabelId>,
    pub due_date: Option<NaiveDate>,
    pub version: i64,
    #[serde(with = "micros")]
    pub created_at: Timestamp,
    #[serde(with = "micros")]
    pub updated_at: Timestamp,
    /// The number of its subtasks. An export does not contain it: an import counts them.
    #[serde(skip)]
    pub subtask_count: i64,
    /// The number of its comments. An export does not contain it: an import counts them.
    #[serde(skip)]
    pub comment_count: i64,
}

/// A comment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "as in the model")]
pub struct CommentRow {
    pub id: CommentId,
    pub task_id: TaskId,
    pub author_id: UserId,
    #[serde(with = "rich_text")]
    pub body: Document,
    pub is_edited: bool,
    pub version: i64,
    #[serde(with = "micros")]
    pub created_at: Timestamp,
    #[serde(with = "micros")]
    pub updated_at: Timestamp,
}

/// An entry of the history. Its project and its task may have been removed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "as in the model")]
pub struct ActivityRow {
    pub id: ActivityId,
    pub project_id: Option<ProjectId>,
    pub task_id: Option<TaskId>,
    pub actor_id: UserId,
    #[serde(deserialize_with = "kind_of_history")]
    pub action: EventKind,
    pub field_name: Option<String>,
    pub old_value: Option<String>,
    pub new_value: Option<String>,
    #[serde(with = "micros")]
    pub created_at: Timestamp,
}

/// A notification. The thing that it is about may have been removed. The state of its mail is left out: its own server sends it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "as in the model")]
pub struct NotificationRow {
    pub id: NotificationId,
    pub user_id: UserId,
    pub kind: NotificationType,
    pub title: String,
    pub body: Option<String>,
    pub entity_type: EntityType,
    pub entity_id: Uuid,
    pub actor_id: Option<UserId>,
    pub is_read: bool,
    /// Whether a digest includes it. An export does not contain it.
    #[serde(skip)]
    pub is_mailed: bool,
    #[serde(with = "micros")]
    pub created_at: Timestamp,
}

impl Record {
    /// The line, with a line break at its end.
    ///
    /// # Errors
    /// Never, as long as every record can be written as JSON.
    pub fn to_line(&self) -> Result<String, serde_json::Error> {
        let mut line = serde_json::to_string(self)?;
        line.push('\n');
        Ok(line)
    }

    /// The id by which the rows of its kind are sorted.
    #[must_use]
    pub fn id(&self) -> Uuid {
        match self {
            Self::Header(_) | Self::End(_) => Uuid::nil(),
            Self::Organization(row) => row.id.into(),
            Self::User(row) => row.id.into(),
            Self::Member(row) => row.user_id.into(),
            Self::Project(row) => row.id.into(),
            Self::Status(row) => row.id.into(),
            Self::Label(row) => row.id.into(),
            Self::Task(row) => row.id.into(),
            Self::Comment(row) => row.id.into(),
            Self::Activity(row) => row.id.into(),
            Self::Notification(row) => row.id.into(),
        }
    }

    /// Puts its names into their stored form, since an export may be older than the rules for names; `true` if one has changed.
    /// Other faults stay, and the check refuses them. Only people get another name, since the importer cannot rename them.
    pub(super) fn mend(&mut self) -> bool {
        match self {
            Self::Organization(row) => mend(&mut row.name),
            Self::Project(row) => mend(&mut row.name) | row.description.as_mut().is_some_and(mend_text),
            Self::Status(row) => mend(&mut row.name),
            Self::Label(row) => mend(&mut row.name),
            Self::Task(row) => mend(&mut row.title),
            Self::User(row) => {
                let is_mended = mend(&mut row.display_name);
                let is_unseen = display_name(&row.display_name).is_err_and(|fault| fault.code == "BLANK");
                if is_unseen {
                    row.display_name = person_name(&row.email, "");
                }
                is_mended || is_unseen
            }
            _ => false,
        }
    }

    /// The people whom it names, without those whom a text mentions: anybody can write any id into a text.
    pub fn people(&self) -> impl Iterator<Item = UserId> + use<> {
        let (first, second) = match self {
            Self::Member(row) => (Some(row.user_id), None),
            Self::Project(row) => (Some(row.created_by), None),
            Self::Task(row) => (Some(row.reporter_id), row.assignee_id),
            Self::Comment(row) => (Some(row.author_id), None),
            Self::Activity(row) => (Some(row.actor_id), None),
            Self::Notification(row) => (Some(row.user_id), row.actor_id),
            _ => (None, None),
        };
        first.into_iter().chain(second)
    }
}

/// A kind of event that the history contains; any other kind is an error.
fn kind_of_history<'de, D: Deserializer<'de>>(from: D) -> Result<EventKind, D::Error> {
    let kind = EventKind::deserialize(from)?;
    let unknown = || <D::Error as serde::de::Error>::custom(format!("the history has no {}", kind.as_str()));
    if kind.is_in_history() { Ok(kind) } else { Err(unknown()) }
}

fn mend(name: &mut String) -> bool {
    let kept = kept_form(name).trim().to_owned();
    replace(name, kept)
}

fn mend_text(text: &mut String) -> bool {
    let kept = kept_form(text);
    replace(text, kept)
}

/// Replaces a text; `true` if it has changed.
fn replace(text: &mut String, kept: String) -> bool {
    let is_other = kept != *text;
    *text = kept;
    is_other
}

/// A rich text as JSON.
mod rich_text {
    use serde::{Deserialize as _, Deserializer, Serialize as _, Serializer, de::Error as _};

    use crate::work::Document;

    pub(super) fn serialize<S: Serializer>(document: &Document, to: S) -> Result<S::Ok, S::Error> {
        document.as_json().serialize(to)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Document, D::Error> {
        let value = serde_json::Value::deserialize(from)?;
        Document::parse(value).map_err(|fault| D::Error::custom(fault.message))
    }
}

/// The same for an optional text.
mod rich_text_or_none {
    use serde::{Deserialize as _, Deserializer, Serialize as _, Serializer, de::Error as _};

    use crate::work::Document;

    pub(super) fn serialize<S: Serializer>(document: &Option<Document>, to: S) -> Result<S::Ok, S::Error> {
        document.as_ref().map(Document::as_json).serialize(to)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Document>, D::Error> {
        let value = Option::<serde_json::Value>::deserialize(from)?;
        value.map(Document::parse).transpose().map_err(|fault| D::Error::custom(fault.message))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_one_json_object_with_its_type_and_times_to_the_microsecond() {
        let at = Timestamp::from_timestamp(1_795_426_200, 0).unwrap();
        let header = Record::Header(Header { format: FORMAT.into(), version: VERSION, exported_at: at });
        let line = header.to_line().unwrap();
        assert_eq!(
            line,
            "{\"type\":\"header\",\"format\":\"workscribe-export\",\"version\":1,\
             \"exported_at\":\"2026-11-23T09:30:00.000000Z\"}\n"
        );
        assert_eq!(serde_json::from_str::<Record>(&line).unwrap(), header);
    }

    #[test]
    fn names_of_an_older_export_are_brought_into_the_form_in_which_names_are_kept() {
        let id = "018f3c6e-7d2a-7b4c-9a1e-2f3b4c5d6e7f";
        let user = |email: &str, name: &str| {
            let row = serde_json::json!({"type": "user", "id": id, "email": email, "display_name": name, "avatar_url": null});
            let mut record: Record = serde_json::from_value(row).unwrap();
            let is_mended = record.mend();
            let Record::User(row) = record else { panic!("it is a user") };
            (row.email.to_string(), row.display_name, is_mended)
        };
        let told = |email: &str, name: &str, is_mended| (email.to_owned(), name.to_owned(), is_mended);
        assert_eq!(user("zoe@example.com", "Zoe\u{308}"), told("zoe@example.com", "Zo\u{eb}", true));
        assert_eq!(user("zoe@example.com", "Z\u{202e}oe"), told("zoe@example.com", "Zoe", true));
        assert_eq!(user("zoe@example.com", "\u{3164}\u{3164}"), told("zoe@example.com", "zoe", true));
        assert_eq!(user("zoe@example.com", "Zo\u{eb}"), told("zoe@example.com", "Zo\u{eb}", false));
        assert_eq!(user("zoe@b\u{fc}cher.example", "Zoe").0, "zoe@xn--bcher-kva.example");
    }

    #[test]
    fn a_rich_text_is_json_within_the_line_and_a_bad_one_is_refused() {
        let comment = |body: &str| {
            let id = "018f3c6e-7d2a-7b4c-9a1e-2f3b4c5d6e7f";
            let line = format!(
                "{{\"type\":\"comment\",\"id\":\"{id}\",\"task_id\":\"{id}\",\"author_id\":\"{id}\",\"body\":{body},
                 \"is_edited\":false,\"version\":1,\"created_at\":\"2026-11-23T10:30:00.1234567+01:00\",
                 \"updated_at\":\"2026-11-23T09:30:00Z\",\"added_later\":7}}"
            );
            serde_json::from_str::<Record>(&line)
        };
        let read = comment("{\"type\":\"doc\",\"content\":[\"a\\nb\"]}").unwrap();
        let line = read.to_line().unwrap();
        assert_eq!(line.lines().count(), 1);
        assert!(line.contains("\"created_at\":\"2026-11-23T09:30:00.123456Z\""), "{line}");
        assert_eq!(serde_json::from_str::<Record>(&line).unwrap(), read);
        assert!(comment("[]").unwrap_err().to_string().contains("A document is a JSON object."));
    }
    #[test]
    fn a_line_of_the_history_has_a_kind_of_the_history() {
        let line = |action: &str| {
            let id = "018f3c6e-7d2a-7b4c-9a1e-2f3b4c5d6e7f";
            let line = format!(
                "{{\"type\":\"activity\",\"id\":\"{id}\",\"project_id\":null,\"task_id\":null,\"actor_id\":\"{id}\",
                 \"action\":\"{action}\",\"field_name\":null,\"old_value\":null,\"new_value\":null,
                 \"created_at\":\"2026-11-23T09:30:00Z\"}}"
            );
            serde_json::from_str::<Record>(&line)
        };
        assert!(line("task.created").is_ok());
        for other in ["member.joined", "user.registered", "ping", "task.unheard_of"] {
            assert!(line(other).is_err(), "{other}");
        }
    }
}
