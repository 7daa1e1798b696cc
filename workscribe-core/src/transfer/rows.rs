//! The rows of an export: what each contains, which ids and people it names, and how an import checks it.

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::clock::{Timestamp, micros};
use crate::events::EventKind;
use crate::id::{ActivityId, CommentId, LabelId, NotificationId, OrgId, ProjectId, StatusId, TaskId, UserId};
use crate::identity::{Email, display_name};
use crate::names::kept_form;
use crate::notifications::{EntityType, NotificationType};
use crate::tenancy::{Role, Slug};
use crate::work::{
    Document, Label, Priority, ProjectKey, ProjectType, Relation, RelationType, Status, TaskType,
};

use super::check::Check;
use super::foreign::person_name;
use super::json::{kind_of_history, rich_text, rich_text_or_none};
use super::record::Row;
use super::remap::Remap;

/// Every kind of row that a storage reads page by page, in the order in which they are exported, as
/// `$($(#[$doc:meta])* $kind:ident($row:ty) $($many:ident)? $(, $name:literal)?;)+`.
#[macro_export]
macro_rules! every_row {
    ($callback:ident) => {
        $callback! {
            /// A membership.
            Member(MemberRow), "members";
            /// A project.
            Project(ProjectRow), "projects";
            /// A status of a project.
            Status(StatusRow);
            /// A label of a project.
            Label(LabelRow), "labels";
            /// A task.
            Task(TaskRow) many, "tasks";
            /// A relation between two tasks.
            Relation(RelationRow) many, "relations";
            /// A comment on a task.
            Comment(CommentRow) many, "comments";
            /// An entry of the history.
            Activity(ActivityRow) many, "entries of the history";
            /// A notification to a person.
            Notification(NotificationRow) many, "notifications";
        }
    };
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

impl Row for OrganizationRow {
    fn id(&self) -> Uuid {
        self.id.into()
    }

    fn mend(&mut self) -> bool {
        mend(&mut self.name)
    }

    fn renew(&mut self, new: &Remap) {
        self.id = new.id(self.id);
    }

    fn check(&self, at: u64, check: &mut Check) {
        check.organization(at, self);
    }
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

impl Row for UserRow {
    fn id(&self) -> Uuid {
        self.id.into()
    }

    fn mend(&mut self) -> bool {
        let is_mended = mend(&mut self.display_name);
        let is_unseen = display_name(&self.display_name).is_err_and(|fault| fault.code == "BLANK");
        if is_unseen {
            self.display_name = person_name(&self.email, "");
        }
        is_mended || is_unseen
    }

    fn check(&self, at: u64, check: &mut Check) {
        check.user(at, self);
    }
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

impl Row for MemberRow {
    fn id(&self) -> Uuid {
        self.user_id.into()
    }

    fn people(&self) -> [Option<UserId>; 2] {
        [Some(self.user_id), None]
    }

    fn renew(&mut self, new: &Remap) {
        self.user_id = new.user(self.user_id);
    }

    fn check(&self, at: u64, check: &mut Check) {
        check.member(at, self);
    }
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

impl Row for ProjectRow {
    fn id(&self) -> Uuid {
        self.id.into()
    }

    fn people(&self) -> [Option<UserId>; 2] {
        [Some(self.created_by), None]
    }

    fn mend(&mut self) -> bool {
        mend(&mut self.name) | self.description.as_mut().is_some_and(mend_text)
    }

    fn renew(&mut self, new: &Remap) {
        self.id = new.id(self.id);
        self.created_by = new.user(self.created_by);
    }

    fn check(&self, at: u64, check: &mut Check) {
        check.project(at, self);
    }
}

/// A status.
pub type StatusRow = Status;

impl Row for StatusRow {
    fn id(&self) -> Uuid {
        self.id.into()
    }

    fn mend(&mut self) -> bool {
        mend(&mut self.name)
    }

    fn renew(&mut self, new: &Remap) {
        (self.id, self.project_id) = (new.id(self.id), new.id(self.project_id));
    }

    fn check(&self, at: u64, check: &mut Check) {
        check.status(at, self);
    }
}

/// A label.
pub type LabelRow = Label;

impl Row for LabelRow {
    fn id(&self) -> Uuid {
        self.id.into()
    }

    fn mend(&mut self) -> bool {
        mend(&mut self.name)
    }

    fn renew(&mut self, new: &Remap) {
        (self.id, self.project_id) = (new.id(self.id), new.id(self.project_id));
    }

    fn check(&self, at: u64, check: &mut Check) {
        check.label(at, self);
    }
}

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

impl Row for TaskRow {
    fn id(&self) -> Uuid {
        self.id.into()
    }

    fn people(&self) -> [Option<UserId>; 2] {
        [Some(self.reporter_id), self.assignee_id]
    }

    fn mend(&mut self) -> bool {
        mend(&mut self.title)
    }

    fn renew(&mut self, new: &Remap) {
        (self.id, self.project_id) = (new.id(self.id), new.id(self.project_id));
        (self.status_id, self.parent_id) =
            (new.id(self.status_id), self.parent_id.map(|parent| new.id(parent)));
        self.assignee_id = self.assignee_id.map(|user| new.user(user));
        self.reporter_id = new.user(self.reporter_id);
        self.label_ids.iter_mut().for_each(|label| *label = new.id(*label));
        self.description = self.description.as_ref().map(|text| new.document(text));
    }

    fn check(&self, at: u64, check: &mut Check) {
        check.task(at, self);
    }
}

/// A relation.
pub type RelationRow = Relation;

impl Row for RelationRow {
    fn id(&self) -> Uuid {
        self.id.into()
    }

    fn renew(&mut self, new: &Remap) {
        let [source, target] = [self.source_id, self.target_id].map(|task| new.id(task));
        // A relation without a direction begins at the lesser id.
        let is_swapped = self.kind == RelationType::RelatesTo && target < source;
        (self.source_id, self.target_id) = if is_swapped { (target, source) } else { (source, target) };
        self.id = new.id(self.id);
    }

    fn check(&self, at: u64, check: &mut Check) {
        check.unique(at, "relation", self.id.into());
        check.known_task(at, self.source_id);
        check.known_task(at, self.target_id);
        if self.source_id == self.target_id {
            check.fault(at, "SAME_TASK", "a task is related to itself");
        }
    }
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

impl Row for CommentRow {
    fn id(&self) -> Uuid {
        self.id.into()
    }

    fn people(&self) -> [Option<UserId>; 2] {
        [Some(self.author_id), None]
    }

    fn renew(&mut self, new: &Remap) {
        (self.id, self.task_id) = (new.id(self.id), new.id(self.task_id));
        self.author_id = new.user(self.author_id);
        self.body = new.document(&self.body);
    }

    fn check(&self, at: u64, check: &mut Check) {
        check.comment(at, self);
    }
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

impl Row for ActivityRow {
    fn id(&self) -> Uuid {
        self.id.into()
    }

    fn people(&self) -> [Option<UserId>; 2] {
        [Some(self.actor_id), None]
    }

    fn renew(&mut self, new: &Remap) {
        self.id = new.id(self.id);
        self.project_id = self.project_id.map(|project| new.id(project));
        self.task_id = self.task_id.map(|task| new.id(task));
        self.actor_id = new.user(self.actor_id);
    }

    fn check(&self, at: u64, check: &mut Check) {
        check.unique(at, "line of the history", self.id.into());
        check.storable(at, &[&self.field_name, &self.old_value, &self.new_value]);
    }
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

impl Row for NotificationRow {
    fn id(&self) -> Uuid {
        self.id.into()
    }

    fn people(&self) -> [Option<UserId>; 2] {
        [Some(self.user_id), self.actor_id]
    }

    fn renew(&mut self, new: &Remap) {
        self.id = new.id(self.id);
        self.user_id = new.user(self.user_id);
        self.actor_id = self.actor_id.map(|user| new.user(user));
        self.entity_id = new.id(ActivityId::from(self.entity_id)).into();
    }

    fn check(&self, at: u64, check: &mut Check) {
        check.unique(at, "notification", self.id.into());
        check.storable(at, &[&Some(self.title.clone()), &self.body]);
    }
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
