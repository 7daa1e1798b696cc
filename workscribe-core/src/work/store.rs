//! The store traits of projects, statuses, labels, tasks, comments and the history.

use async_trait::async_trait;
use chrono::NaiveDate;

use crate::clock::Timestamp;
use crate::id::{CommentId, LabelId, OrgId, ProjectId, StatusId, TaskId, UserId};
use crate::identity::Person;
use crate::page::PageRequest;
use crate::store_error::StoreError;
use crate::target::{Target, TargetIn};
use crate::tenancy::{OrgScope, Role, Slug};

use super::comment::Comment;
use super::document::Document;
use super::history::{Activity, NewActivity};
use super::model::{
    Archived, Label, LabelChange, Project, ProjectChange, ProjectKey, ProjectRef, Status, StatusChange,
};
use super::task::{NewTask, Numbered, Task, TaskQuery, TaskWrite};

/// Who came through a door, and where to.
#[derive(Debug, Clone, PartialEq)]
pub struct Entered<T> {
    /// Into which organization.
    pub org: OrgId,
    /// What they are in it.
    pub role: Role,
    /// Who they are.
    pub actor: Person,
    /// What they asked for.
    pub found: T,
}

/// Projects, and the look-up behind the door to one.
#[async_trait]
pub trait ProjectStore: Send {
    /// A project of an organization, for a member of it; `None` for anybody else, and `found` is `None` when the
    /// organization has no such project. One statement.
    async fn enter(
        &mut self,
        slug: &Slug,
        user: UserId,
        project: &ProjectRef,
    ) -> Result<Option<Entered<Option<Project>>>, StoreError>;
    /// Adds a project with its statuses; [`crate::Constraint::ProjectKey`] when the key is taken.
    async fn insert(
        &mut self,
        scope: &OrgScope,
        project: &Project,
        statuses: &[Status],
    ) -> Result<(), StoreError>;
    /// One project.
    async fn find(&mut self, scope: &OrgScope, id: ProjectId) -> Result<Option<Project>, StoreError>;
    /// Projects by age (`created_at`, `id`), up to [`PageRequest::fetch`] rows.
    async fn list(
        &mut self,
        scope: &OrgScope,
        archived: Archived,
        page: &PageRequest,
    ) -> Result<Vec<Project>, StoreError>;
    /// How many projects such a list has.
    async fn count(&mut self, scope: &OrgScope, archived: Archived) -> Result<i64, StoreError>;
    /// Takes the project's lock until the end of the transaction, and reads it under the lock. Whoever changes an order, of
    /// tasks or of statuses, or the number of statuses, holds it; take it before any task's.
    async fn lock(&mut self, scope: &OrgScope, id: ProjectId) -> Result<Option<Project>, StoreError>;
    /// Takes the project's lock as above, and reads nothing: in the round trip that begins the transaction, where a storage can.
    async fn hold(&mut self, scope: &OrgScope, id: ProjectId) -> Result<(), StoreError> {
        self.lock(scope, id).await.map(drop)
    }
    /// Changes it; [`StoreError::StaleVersion`] when the target's version is not the stored one.
    async fn update(
        &mut self,
        scope: &OrgScope,
        target: Target<ProjectId>,
        change: &ProjectChange,
        now: Timestamp,
    ) -> Result<Option<Project>, StoreError>;
    /// Moves the project's last position on by `by` (which may be 0), and answers what it is then. Takes the project's lock.
    async fn advance_position(
        &mut self,
        scope: &OrgScope,
        id: ProjectId,
        by: i64,
    ) -> Result<Option<i64>, StoreError>;
}

/// The statuses of a project.
#[async_trait]
pub trait StatusStore: Send {
    /// All statuses of a project, by (`position`, `id`).
    async fn list(&mut self, scope: &OrgScope, project: ProjectId) -> Result<Vec<Status>, StoreError>;
    /// One status of a project.
    async fn find(
        &mut self,
        scope: &OrgScope,
        project: ProjectId,
        id: StatusId,
    ) -> Result<Option<Status>, StoreError>;
    /// The first status of a project, by (`position`, `id`).
    async fn first(&mut self, scope: &OrgScope, project: ProjectId) -> Result<Option<Status>, StoreError>;
    /// Adds a status; [`crate::Constraint::StatusName`] when the project has one of this name.
    async fn insert(&mut self, scope: &OrgScope, status: &Status) -> Result<(), StoreError>;
    /// Changes it; [`crate::Constraint::StatusName`], and [`StoreError::StaleVersion`] as elsewhere.
    async fn update(
        &mut self,
        scope: &OrgScope,
        target: TargetIn<ProjectId, StatusId>,
        change: &StatusChange,
        now: Timestamp,
    ) -> Result<Option<Status>, StoreError>;
    /// Numbers statuses from 0, in the order given. Take the project's lock first.
    async fn arrange(
        &mut self,
        scope: &OrgScope,
        project: ProjectId,
        order: &[StatusId],
    ) -> Result<(), StoreError>;
    /// Removes a status in which no task stands; `false` when it is gone. [`StoreError::StaleVersion`] as elsewhere.
    async fn delete(
        &mut self,
        scope: &OrgScope,
        target: TargetIn<ProjectId, StatusId>,
    ) -> Result<bool, StoreError>;
}

/// The labels of a project, and on which tasks they are.
#[async_trait]
pub trait LabelStore: Send {
    /// Labels by age (`created_at`, `id`), up to [`PageRequest::fetch`] rows.
    async fn list(
        &mut self,
        scope: &OrgScope,
        project: ProjectId,
        page: &PageRequest,
    ) -> Result<Vec<Label>, StoreError>;
    /// How many labels a project has.
    async fn count(&mut self, scope: &OrgScope, project: ProjectId) -> Result<i64, StoreError>;
    /// One label of a project.
    async fn find(
        &mut self,
        scope: &OrgScope,
        project: ProjectId,
        id: LabelId,
    ) -> Result<Option<Label>, StoreError>;
    /// Those of the given labels that the project has, by name (in lower case), then id.
    async fn find_many(
        &mut self,
        scope: &OrgScope,
        project: ProjectId,
        ids: &[LabelId],
    ) -> Result<Vec<Label>, StoreError>;
    /// Adds a label; [`crate::Constraint::LabelName`] when the project has one of this name.
    async fn insert(&mut self, scope: &OrgScope, label: &Label) -> Result<(), StoreError>;
    /// Changes it; [`crate::Constraint::LabelName`], and [`StoreError::StaleVersion`] as elsewhere.
    async fn update(
        &mut self,
        scope: &OrgScope,
        target: TargetIn<ProjectId, LabelId>,
        change: &LabelChange,
        now: Timestamp,
    ) -> Result<Option<Label>, StoreError>;
    /// Removes a label, from its tasks too; `false` when it is gone. [`StoreError::StaleVersion`] as elsewhere.
    async fn delete(
        &mut self,
        scope: &OrgScope,
        target: TargetIn<ProjectId, LabelId>,
    ) -> Result<bool, StoreError>;
    /// Puts labels on a task; those that are on it stay. [`crate::Constraint::Reference`] for a label that is gone, now or
    /// at the commit.
    async fn attach(&mut self, scope: &OrgScope, task: TaskId, labels: &[LabelId]) -> Result<(), StoreError>;
    /// Takes labels off a task.
    async fn detach(&mut self, scope: &OrgScope, task: TaskId, labels: &[LabelId]) -> Result<(), StoreError>;
}

/// Tasks, and the look-up behind the door to one.
#[async_trait]
pub trait TaskStore: Send {
    /// A task in full, for a member of its organization. One statement.
    async fn enter(&mut self, user: UserId, id: TaskId) -> Result<Option<Entered<Task>>, StoreError>;
    /// A task in full.
    async fn find(&mut self, scope: &OrgScope, id: TaskId) -> Result<Option<Task>, StoreError>;
    /// A task in full, by its name for people.
    async fn find_by_key(
        &mut self,
        scope: &OrgScope,
        project: &ProjectKey,
        number: i64,
    ) -> Result<Option<Task>, StoreError>;
    /// Takes the locks of tasks, in the order of their ids, and reads them in full and in that order. Those that are gone
    /// are left out.
    async fn lock(&mut self, scope: &OrgScope, ids: &[TaskId]) -> Result<Vec<Task>, StoreError>;
    /// Adds a task with the next number of its project, at the end of its column, under the project's lock;
    /// [`crate::Constraint::OpenProject`] when the project is gone, archived or out of numbers, [`crate::Constraint::Room`] when
    /// its parent has too many. Its parent counts it.
    async fn insert(&mut self, scope: &OrgScope, task: &NewTask) -> Result<Numbered, StoreError>;
    /// Writes a task's fields, and its position when one is given; `false` when it is gone. Its old and its new parent count it.
    /// [`StoreError::StaleVersion`] as elsewhere.
    async fn update(
        &mut self,
        scope: &OrgScope,
        target: Target<TaskId>,
        write: TaskWrite<'_>,
        now: Timestamp,
    ) -> Result<bool, StoreError>;
    /// Removes a task that is no other's parent, with its comments; `false` when it is gone. Its parent counts it no more.
    /// [`StoreError::StaleVersion`] as elsewhere.
    async fn delete(&mut self, scope: &OrgScope, target: Target<TaskId>) -> Result<bool, StoreError>;
    /// A page of tasks without their descriptions, up to [`TaskQuery::fetch`] rows. One statement.
    async fn list(&mut self, scope: &OrgScope, query: &TaskQuery) -> Result<Vec<Task>, StoreError>;
    /// How many tasks fit the query's filter.
    async fn count(&mut self, scope: &OrgScope, query: &TaskQuery) -> Result<i64, StoreError>;

    /// The ids of the tasks below a task, at most `limit`, by id.
    async fn children(&mut self, scope: &OrgScope, id: TaskId, limit: u32)
    -> Result<Vec<TaskId>, StoreError>;
    /// Whether `id` is `ancestor`, or is below it.
    async fn is_within(&mut self, scope: &OrgScope, id: TaskId, ancestor: TaskId)
    -> Result<bool, StoreError>;
    /// A person's tasks that are not in a done status, at most `limit`, by due date (without one: last) and id, after `after`.
    async fn open_of(
        &mut self,
        scope: &OrgScope,
        assignee: UserId,
        after: Option<(Option<NaiveDate>, TaskId)>,
        limit: u32,
    ) -> Result<Vec<(Option<NaiveDate>, TaskId)>, StoreError>;
    /// The ids of the tasks in a status, at most `limit`, by id, after `after`.
    async fn in_status(
        &mut self,
        scope: &OrgScope,
        status: &Status,
        after: Option<TaskId>,
        limit: u32,
    ) -> Result<Vec<TaskId>, StoreError>;
}

/// Comments on tasks.
#[async_trait]
pub trait CommentStore: Send {
    /// Adds a comment, which its task counts; [`crate::Constraint::Reference`] when the task is gone, [`crate::Constraint::Room`]
    /// when it has `most` already, however many come at once.
    async fn insert(&mut self, scope: &OrgScope, comment: &Comment, most: i64) -> Result<(), StoreError>;
    /// One comment of a task.
    async fn find(
        &mut self,
        scope: &OrgScope,
        task: TaskId,
        id: CommentId,
    ) -> Result<Option<Comment>, StoreError>;
    /// A task's comments by age (`created_at`, `id`), up to [`PageRequest::fetch`] rows.
    async fn list(
        &mut self,
        scope: &OrgScope,
        task: TaskId,
        page: &PageRequest,
    ) -> Result<Vec<Comment>, StoreError>;
    /// How many comments a task has.
    async fn count(&mut self, scope: &OrgScope, task: TaskId) -> Result<i64, StoreError>;
    /// Writes a new body, and notes that it was edited; `false` when it is gone. [`StoreError::StaleVersion`] as elsewhere.
    async fn update(
        &mut self,
        scope: &OrgScope,
        target: TargetIn<TaskId, CommentId>,
        body: &Document,
        now: Timestamp,
    ) -> Result<bool, StoreError>;
    /// Removes a comment, which its task counts no more; `false` when it is gone. [`StoreError::StaleVersion`] as elsewhere.
    async fn delete(
        &mut self,
        scope: &OrgScope,
        target: TargetIn<TaskId, CommentId>,
    ) -> Result<bool, StoreError>;
}

/// What happened in an organization.
#[async_trait]
pub trait ActivityStore: Send {
    /// Adds lines, in one statement however many.
    async fn add(&mut self, scope: &OrgScope, lines: &[NewActivity]) -> Result<(), StoreError>;
    /// Lines, newest first (`created_at`, `id`), of one task or of all, up to [`PageRequest::fetch`] rows.
    async fn list(
        &mut self,
        scope: &OrgScope,
        task: Option<TaskId>,
        page: &PageRequest,
    ) -> Result<Vec<Activity>, StoreError>;
    /// How many lines there are, of one task or of all.
    async fn count(&mut self, scope: &OrgScope, task: Option<TaskId>) -> Result<i64, StoreError>;
}
