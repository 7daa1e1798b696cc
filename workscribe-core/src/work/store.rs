//! The store traits of projects, statuses, labels, tasks, comments and the history.

use async_trait::async_trait;
use chrono::NaiveDate;

use crate::clock::Timestamp;
use crate::id::{CommentId, LabelId, OrgId, ProjectId, StatusId, TaskId, UserId};
use crate::identity::Person;
use crate::page::PageRequest;
use crate::store_error::StoreResult;
use crate::target::{Target, TargetIn};
use crate::tenancy::{OrgScope, Role, Slug};

use super::comment::Comment;
use super::document::Document;
use super::history::{Activity, NewActivity};
use super::model::{
    Archived, Label, LabelChange, Project, ProjectChange, ProjectKey, ProjectRef, Status, StatusChange,
};
use super::task::{NewTask, Numbered, Task, TaskWrite};
use super::task_lists::TaskQuery;

/// The result of a look-up behind a door: the membership, and the thing that was looked up.
#[derive(Debug, Clone, PartialEq)]
pub struct Entered<T> {
    /// The organization.
    pub org: OrgId,
    /// The caller's role in it.
    pub role: Role,
    /// The caller as others see them.
    pub actor: Person,
    /// The thing that was looked up.
    pub found: T,
}

/// Projects, and the look-up behind the door to a project.
#[async_trait]
pub trait ProjectStore: Send {
    /// Finds a project of an organization for a member; `None` when the user is not a member, and `found` is `None` when the
    /// organization does not have the project. It is one statement.
    async fn enter(
        &mut self,
        slug: &Slug,
        user: UserId,
        project: &ProjectRef,
    ) -> StoreResult<Option<Entered<Option<Project>>>>;
    /// Inserts a project with its statuses; [`crate::Constraint::ProjectKey`] when the key is taken.
    async fn insert(&mut self, scope: &OrgScope, project: &Project, statuses: &[Status]) -> StoreResult<()>;
    /// Finds a project.
    async fn find(&mut self, scope: &OrgScope, id: ProjectId) -> StoreResult<Option<Project>>;
    /// Projects, oldest first (`created_at`, `id`), up to [`PageRequest::fetch`] rows.
    async fn list(
        &mut self,
        scope: &OrgScope,
        archived: Archived,
        page: &PageRequest,
    ) -> StoreResult<Vec<Project>>;
    /// The number of projects in such a list.
    async fn count(&mut self, scope: &OrgScope, archived: Archived) -> StoreResult<i64>;
    /// Takes the project's lock until the end of the transaction, and reads the project under the lock. Every write that changes
    /// the order of tasks or of statuses, or the number of statuses, holds this lock. Take it before the lock of any task.
    async fn lock(&mut self, scope: &OrgScope, id: ProjectId) -> StoreResult<Option<Project>>;
    /// Takes the project's lock as above, and reads nothing. Some storages do it in the round trip that begins the transaction.
    async fn hold(&mut self, scope: &OrgScope, id: ProjectId) -> StoreResult<()> {
        self.lock(scope, id).await.map(drop)
    }
    /// Changes it; [`crate::StoreError::StaleVersion`] when the target's version is not the stored version.
    async fn update(
        &mut self,
        scope: &OrgScope,
        target: Target<ProjectId>,
        change: &ProjectChange,
        now: Timestamp,
    ) -> StoreResult<Option<Project>>;
    /// Adds `by` (which may be 0) to the project's last position, and returns the sum. Takes the project's lock.
    async fn advance_position(
        &mut self,
        scope: &OrgScope,
        id: ProjectId,
        by: i64,
    ) -> StoreResult<Option<i64>>;
}

/// The statuses of a project.
#[async_trait]
pub trait StatusStore: Send {
    /// All statuses of a project, by (`position`, `id`).
    async fn list(&mut self, scope: &OrgScope, project: ProjectId) -> StoreResult<Vec<Status>>;
    /// Finds a status of a project.
    async fn find(
        &mut self,
        scope: &OrgScope,
        project: ProjectId,
        id: StatusId,
    ) -> StoreResult<Option<Status>>;
    /// The first status of a project, by (`position`, `id`).
    async fn first(&mut self, scope: &OrgScope, project: ProjectId) -> StoreResult<Option<Status>>;
    /// Inserts a status; [`crate::Constraint::StatusName`] when the project already has a status with this name.
    async fn insert(&mut self, scope: &OrgScope, status: &Status) -> StoreResult<()>;
    /// Changes it; [`crate::Constraint::StatusName`], and [`crate::StoreError::StaleVersion`] as elsewhere.
    async fn update(
        &mut self,
        scope: &OrgScope,
        target: TargetIn<ProjectId, StatusId>,
        change: &StatusChange,
        now: Timestamp,
    ) -> StoreResult<Option<Status>>;
    /// Numbers statuses from 0, in the given order. Take the project's lock first.
    async fn arrange(&mut self, scope: &OrgScope, project: ProjectId, order: &[StatusId]) -> StoreResult<()>;
    /// Removes a status that no task has; `false` when the status does not exist. [`crate::StoreError::StaleVersion`] as elsewhere.
    async fn delete(&mut self, scope: &OrgScope, target: TargetIn<ProjectId, StatusId>) -> StoreResult<bool>;
}

/// The labels of a project, and which tasks have them.
#[async_trait]
pub trait LabelStore: Send {
    /// Labels, oldest first (`created_at`, `id`), up to [`PageRequest::fetch`] rows.
    async fn list(
        &mut self,
        scope: &OrgScope,
        project: ProjectId,
        page: &PageRequest,
    ) -> StoreResult<Vec<Label>>;
    /// The number of labels of a project.
    async fn count(&mut self, scope: &OrgScope, project: ProjectId) -> StoreResult<i64>;
    /// Finds a label of a project.
    async fn find(&mut self, scope: &OrgScope, project: ProjectId, id: LabelId)
    -> StoreResult<Option<Label>>;
    /// Those of the given labels that the project has, by name (in lower case), then id.
    async fn find_many(
        &mut self,
        scope: &OrgScope,
        project: ProjectId,
        ids: &[LabelId],
    ) -> StoreResult<Vec<Label>>;
    /// Inserts a label; [`crate::Constraint::LabelName`] when the project already has a label with this name.
    async fn insert(&mut self, scope: &OrgScope, label: &Label) -> StoreResult<()>;
    /// Changes it; [`crate::Constraint::LabelName`], and [`crate::StoreError::StaleVersion`] as elsewhere.
    async fn update(
        &mut self,
        scope: &OrgScope,
        target: TargetIn<ProjectId, LabelId>,
        change: &LabelChange,
        now: Timestamp,
    ) -> StoreResult<Option<Label>>;
    /// Removes a label, from its tasks too; `false` when it does not exist. [`crate::StoreError::StaleVersion`] as elsewhere.
    async fn delete(&mut self, scope: &OrgScope, target: TargetIn<ProjectId, LabelId>) -> StoreResult<bool>;
    /// Adds labels to a task. Labels that it already has do not change. [`crate::Constraint::Reference`], now or at the commit,
    /// when a label does not exist.
    async fn attach(&mut self, scope: &OrgScope, task: TaskId, labels: &[LabelId]) -> StoreResult<()>;
    /// Removes labels from a task.
    async fn detach(&mut self, scope: &OrgScope, task: TaskId, labels: &[LabelId]) -> StoreResult<()>;
}

/// Tasks, and the look-up behind the door to a task.
#[async_trait]
pub trait TaskStore: Send {
    /// Finds a task with all fields, for a member of its organization. It is one statement.
    async fn enter(&mut self, user: UserId, id: TaskId) -> StoreResult<Option<Entered<Task>>>;
    /// Finds a task with all fields.
    async fn find(&mut self, scope: &OrgScope, id: TaskId) -> StoreResult<Option<Task>>;
    /// Finds a task with all fields by its key, such as `WEB-42`.
    async fn find_by_key(
        &mut self,
        scope: &OrgScope,
        project: &ProjectKey,
        number: i64,
    ) -> StoreResult<Option<Task>>;
    /// Locks tasks by id, and returns them with all fields in that order. Tasks that do not exist are left out.
    async fn lock(&mut self, scope: &OrgScope, ids: &[TaskId]) -> StoreResult<Vec<Task>>;
    /// Inserts a task with the next number of its project, at the end of its column, under the project's lock, and counts it at
    /// its parent. [`crate::Constraint::OpenProject`] when the project was removed, is archived or has no number left;
    /// [`crate::Constraint::Room`] when the parent has too many tasks.
    async fn insert(&mut self, scope: &OrgScope, task: &NewTask) -> StoreResult<Numbered>;
    /// Writes the fields of a task, and its position if given, and updates the counts of the old and the new parent; `false` when
    /// the task does not exist. [`crate::StoreError::StaleVersion`] as elsewhere.
    async fn update(
        &mut self,
        scope: &OrgScope,
        target: Target<TaskId>,
        write: TaskWrite<'_>,
        now: Timestamp,
    ) -> StoreResult<bool>;
    /// Removes a task with its comments, and updates the count of its parent; `false` when it does not exist. No other task may
    /// have it as its parent. [`crate::StoreError::StaleVersion`] as elsewhere.
    async fn delete(&mut self, scope: &OrgScope, target: Target<TaskId>) -> StoreResult<bool>;
    /// A page of tasks without their descriptions, up to [`TaskQuery::fetch`] rows. It is one statement.
    async fn list(&mut self, scope: &OrgScope, query: &TaskQuery) -> StoreResult<Vec<Task>>;
    /// The number of tasks that match the query's filter.
    async fn count(&mut self, scope: &OrgScope, query: &TaskQuery) -> StoreResult<i64>;

    /// The ids of the subtasks of a task, at most `limit`, by id.
    async fn children(&mut self, scope: &OrgScope, id: TaskId, limit: u32) -> StoreResult<Vec<TaskId>>;
    /// Whether `id` is `ancestor` or a descendant of it.
    async fn is_within(&mut self, scope: &OrgScope, id: TaskId, ancestor: TaskId) -> StoreResult<bool>;
    /// A person's tasks that have no done status, at most `limit`, by due date (tasks without one last) and id, after `after`.
    async fn open_of(
        &mut self,
        scope: &OrgScope,
        assignee: UserId,
        after: Option<(Option<NaiveDate>, TaskId)>,
        limit: u32,
    ) -> StoreResult<Vec<(Option<NaiveDate>, TaskId)>>;
    /// The ids of the tasks that have a status, at most `limit`, by id, after `after`.
    async fn in_status(
        &mut self,
        scope: &OrgScope,
        status: &Status,
        after: Option<TaskId>,
        limit: u32,
    ) -> StoreResult<Vec<TaskId>>;
}

/// Comments on tasks.
#[async_trait]
pub trait CommentStore: Send {
    /// Inserts a comment, and counts it at its task. [`crate::Constraint::Reference`] when the task does not exist;
    /// [`crate::Constraint::Room`] when it already has `most` comments, even if many are inserted at the same time.
    async fn insert(&mut self, scope: &OrgScope, comment: &Comment, most: i64) -> StoreResult<()>;
    /// Finds a comment of a task.
    async fn find(&mut self, scope: &OrgScope, task: TaskId, id: CommentId) -> StoreResult<Option<Comment>>;
    /// The comments of a task, oldest first (`created_at`, `id`), up to [`PageRequest::fetch`] rows.
    async fn list(&mut self, scope: &OrgScope, task: TaskId, page: &PageRequest)
    -> StoreResult<Vec<Comment>>;
    /// The number of comments of a task.
    async fn count(&mut self, scope: &OrgScope, task: TaskId) -> StoreResult<i64>;
    /// Writes a new body and marks the comment as edited; `false` when it does not exist. [`crate::StoreError::StaleVersion`] as above.
    async fn update(
        &mut self,
        scope: &OrgScope,
        target: TargetIn<TaskId, CommentId>,
        body: &Document,
        now: Timestamp,
    ) -> StoreResult<bool>;
    /// Removes a comment and updates the count of its task; `false` when it does not exist. [`crate::StoreError::StaleVersion`] as above.
    async fn delete(&mut self, scope: &OrgScope, target: TargetIn<TaskId, CommentId>) -> StoreResult<bool>;
}

/// The history of an organization.
#[async_trait]
pub trait ActivityStore: Send {
    /// Adds entries in one statement.
    async fn add(&mut self, scope: &OrgScope, lines: &[NewActivity]) -> StoreResult<()>;
    /// Entries, newest first (`created_at`, `id`), of one task or of all, up to [`PageRequest::fetch`] rows.
    async fn list(
        &mut self,
        scope: &OrgScope,
        task: Option<TaskId>,
        page: &PageRequest,
    ) -> StoreResult<Vec<Activity>>;
    /// The number of entries, of one task or of all.
    async fn count(&mut self, scope: &OrgScope, task: Option<TaskId>) -> StoreResult<i64>;
}
