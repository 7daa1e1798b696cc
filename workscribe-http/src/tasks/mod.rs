//! Tasks over HTTP, their comments and what happened to them.

mod comments;
mod dto;
mod filter;

use poem_openapi::OpenApi;
use poem_openapi::param::{Header, Path};
use workscribe_core::Code::{
    InsufficientRole, LabelNotFound, LimitReached, ParentCycle, TaskNotFound, WriteConflict,
};
use workscribe_core::id::{LabelId, StatusId, TaskId};
use workscribe_core::work::{self, AssigneeFilter, ParentFilter, StatusCategory, TaskFilter};
use workscribe_core::{Code, WorkScribe};

use crate::auth::BearerAuth;
use crate::body::Body;
use crate::once::Once;
use crate::problem::refuses::{ARCHIVED, CREATES, IN_ORGANIZATION, IN_PROJECT, STALE, WITH_TASK};
use crate::problem::{ApiResult, codes};
use crate::query::{Asked, Id, PageCount, PageCursor, PageLimit, fault, read};
use crate::reply::{Created, NoContent, Reply, Versioned, if_match};
use crate::tags::Tags;
use crate::time::{Date, Time};
use crate::wire::{IdempotencyKey, IfMatch, ProjectRef, Slug, TaskRef};

use filter::{Ask, BoardSort, SearchWords, SortAcross};

pub use comments::CommentsApi;
pub use dto::*;

/// Tasks and boards.
pub struct TasksApi {
    app: WorkScribe,
}

impl TasksApi {
    /// The API of an application.
    #[must_use]
    pub fn new(app: &WorkScribe) -> Self {
        Self { app: app.clone() }
    }
}

fn location(task: TaskId) -> String {
    format!("/api/v1/tasks/{task}")
}

#[OpenApi(prefix_path = "/api/v1", tag = "Tags::Tasks")]
impl TasksApi {
    /// List a project's tasks
    ///
    /// In the order of its board unless `sort` says otherwise.
    #[oai(
        path = "/organizations/:slug/projects/:project_id/tasks",
        method = "get",
        operation_id = "listTasks"
    )]
    #[expect(clippy::too_many_arguments, reason = "each is a parameter of the request")]
    async fn list(
        &self,
        auth: BearerAuth,
        slug: Path<Slug>,
        project_id: Path<ProjectRef>,
        /// Only tasks in this status.
        status_id: Asked<StatusId>,
        /// Only tasks of this user, or of nobody: `none`.
        assignee_id: Asked<AssigneeFilter>,
        /// Only tasks of this priority.
        priority: Asked<work::Priority>,
        /// Only tasks of this type.
        #[oai(name = "type")]
        kind: Asked<work::TaskType>,
        /// Only tasks with this label.
        label_id: Asked<LabelId>,
        /// Only parts of this task, or of none: `none`.
        parent_task_id: Asked<ParentFilter>,
        /// Only tasks with these words in their title or description. The last may be the beginning of one.
        search: Asked<SearchWords>,
        /// Only tasks due before this day.
        due_before: Asked<Date>,
        /// Only tasks changed after this moment.
        updated_after: Asked<Time>,
        sort: Asked<BoardSort>,
        limit: Asked<PageLimit>,
        cursor: Asked<PageCursor>,
        count: Asked<PageCount>,
    ) -> ApiResult<Reply<TaskList>, IN_PROJECT> {
        let ask = read(|faults| {
            let filter = TaskFilter {
                status: status_id.read(faults),
                assignee: assignee_id.read(faults),
                priority: priority.read(faults),
                kind: kind.read(faults),
                label: label_id.read(faults),
                parent: parent_task_id.read(faults),
                search: search.read(faults).and_then(|words| words.0),
                due_before: due_before.read(faults).map(|day| day.0),
                updated_after: updated_after.read(faults).map(|time| time.0),
                ..TaskFilter::default()
            };
            Ask::new(filter, sort, (limit, cursor, count), faults)
        })?;
        let mut uow = auth.read(&self.app).await?;
        let at = auth.enter_project(&mut *uow, &slug, &project_id).await?;
        Ok(Reply::new(self.app.tasks().list(&mut *uow, at.scope(), &ask.of(Some(at.id))?).await?))
    }

    /// Make a task
    ///
    /// At the end of its column, with the next number of its project. The caller is its reporter; the assignee is told.
    #[oai(
        path = "/organizations/:slug/projects/:project_id/tasks",
        method = "post",
        operation_id = "createTask"
    )]
    async fn create(
        &self,
        auth: BearerAuth,
        slug: Path<Slug>,
        project_id: Path<ProjectRef>,
        #[oai(name = "Idempotency-Key")] key: Header<Option<IdempotencyKey>>,
        body: Body<CreateTaskRequest>,
    ) -> ApiResult<Created<Task>, { IN_PROJECT | ARCHIVED | CREATES | codes(&[WriteConflict]) }> {
        let once =
            Once::new(&self.app, &auth, key, "createTask", &body).in_project(&slug, &project_id).await?;
        let made = once.run(|mut uow| async move {
            let at = auth.enter_project(&mut *uow, &slug, &project_id).await?;
            let task = self.app.tasks().create(&mut *uow, &at, &body.0).await?;
            let location = location(task.id);
            Ok((uow, Created::new(task, location)))
        });
        Ok(made.await?)
    }

    /// List a project's open tasks
    ///
    /// In the order of its board; those of other categories than to do and in progress when asked for.
    #[oai(
        path = "/organizations/:slug/projects/:project_id/backlog",
        method = "get",
        operation_id = "listBacklog"
    )]
    #[expect(clippy::too_many_arguments, reason = "each is a parameter of the request")]
    async fn backlog(
        &self,
        auth: BearerAuth,
        slug: Path<Slug>,
        project_id: Path<ProjectRef>,
        /// Only tasks in a status of this category.
        status_category: Asked<StatusCategory>,
        /// Only tasks of this priority.
        priority: Asked<work::Priority>,
        sort: Asked<BoardSort>,
        limit: Asked<PageLimit>,
        cursor: Asked<PageCursor>,
        count: Asked<PageCount>,
    ) -> ApiResult<Reply<TaskList>, IN_PROJECT> {
        let ask = read(|faults| {
            let open = || vec![StatusCategory::Todo, StatusCategory::InProgress];
            let categories = status_category.read(faults).map_or_else(open, |category| vec![category]);
            let filter = TaskFilter { categories, priority: priority.read(faults), ..TaskFilter::default() };
            Ask::new(filter, sort, (limit, cursor, count), faults)
        })?;
        let mut uow = auth.read(&self.app).await?;
        let at = auth.enter_project(&mut *uow, &slug, &project_id).await?;
        Ok(Reply::new(self.app.tasks().list(&mut *uow, at.scope(), &ask.of(Some(at.id))?).await?))
    }

    /// List one's tasks
    ///
    /// Those of the caller in every project of the organization, what is due first before the rest.
    #[oai(path = "/organizations/:slug/my-tasks", method = "get", operation_id = "listMyTasks")]
    #[expect(clippy::too_many_arguments, reason = "each is a parameter of the request")]
    async fn mine(
        &self,
        auth: BearerAuth,
        slug: Path<Slug>,
        /// Only tasks in a status of this category.
        status_category: Asked<StatusCategory>,
        /// Only tasks of this priority.
        priority: Asked<work::Priority>,
        sort: Asked<SortAcross>,
        limit: Asked<PageLimit>,
        cursor: Asked<PageCursor>,
        count: Asked<PageCount>,
    ) -> ApiResult<Reply<TaskList>, IN_ORGANIZATION> {
        let ask = read(|faults| {
            let filter = TaskFilter {
                categories: status_category.read(faults).into_iter().collect(),
                assignee: Some(AssigneeFilter::User(auth.actor().user)),
                priority: priority.read(faults),
                ..TaskFilter::default()
            };
            Ask::new(filter, sort, (limit, cursor, count), faults)
        })?;
        let mut uow = auth.read(&self.app).await?;
        let at = auth.enter(&mut *uow, &slug).await?;
        Ok(Reply::new(self.app.tasks().list(&mut *uow, at.scope(), &ask.of(None)?).await?))
    }

    /// Change many tasks
    ///
    /// All of them, or none.
    #[oai(path = "/organizations/:slug/tasks/bulk", method = "patch", operation_id = "updateTasks")]
    async fn update_many(
        &self,
        auth: BearerAuth,
        slug: Path<Slug>,
        body: Body<UpdateTasksRequest>,
    ) -> ApiResult<Reply<ChangedTasks>, { IN_ORGANIZATION | ARCHIVED | codes(&[LimitReached, WriteConflict]) }>
    {
        let mut uow = auth.begin(&self.app).await?;
        let at = auth.enter(&mut *uow, &slug).await?;
        let changed = self.app.tasks().update_many(&mut *uow, &at, &body.0).await?;
        self.app.commit(uow).await?;
        Ok(Reply::new(changed))
    }

    /// Get a task by its name for people
    #[oai(path = "/organizations/:slug/tasks/:task_key", method = "get", operation_id = "getTaskByKey")]
    async fn get_by_key(
        &self,
        auth: BearerAuth,
        slug: Path<Slug>,
        task_key: Path<TaskRef>,
    ) -> ApiResult<Versioned<Task>, { IN_ORGANIZATION | codes(&[TaskNotFound]) }> {
        let mut uow = auth.read(&self.app).await?;
        let at = auth.enter(&mut *uow, &slug).await?;
        let task = self.app.tasks().find_by_key(&mut *uow, at.scope(), &task_key).await?;
        Ok(Versioned::new(task))
    }

    /// Move many tasks
    ///
    /// All of them to their places in their columns, or none. They are of one project.
    #[oai(path = "/tasks/bulk-positions", method = "patch", operation_id = "moveTasks")]
    async fn move_many(
        &self,
        auth: BearerAuth,
        body: Body<MoveTasksRequest>,
    ) -> ApiResult<NoContent, { ARCHIVED | codes(&[InsufficientRole]) }> {
        let Some(first) = body.0.first() else {
            return Err(fault("/updates", "OUT_OF_RANGE", "Give 1 to 100 tasks.").into());
        };
        let first = first.task_id.to_string();
        let mut uow = auth.begin(&self.app).await?;
        let entered = auth.enter_task(&mut *uow, &first).await;
        // It is named in the body, so there it is a fault of a field.
        let at = entered.map_err(|error| match error.code() {
            Code::TaskNotFound => fault("/updates/0/task_id", "NOT_FOUND", error.detail()),
            _ => error,
        })?;
        self.app.tasks().arrange(&mut *uow, &at, &body.0).await?;
        self.app.commit(uow).await?;
        Ok(NoContent::Done)
    }

    /// Get a task
    #[oai(path = "/tasks/:task_id", method = "get", operation_id = "getTask")]
    async fn get(
        &self,
        auth: BearerAuth,
        task_id: Path<Id<TaskId>>,
    ) -> ApiResult<Versioned<Task>, WITH_TASK> {
        let mut uow = auth.read(&self.app).await?;
        let at = auth.enter_task(&mut *uow, &task_id).await?;
        self.app.tasks().view(at.scope())?;
        Ok(Versioned::new(at.into_it()))
    }

    /// Change a task
    ///
    /// A new assignee is told, and so are its reporter and assignee when it is finished.
    #[oai(path = "/tasks/:task_id", method = "patch", operation_id = "updateTask")]
    async fn update(
        &self,
        auth: BearerAuth,
        task_id: Path<Id<TaskId>>,
        #[oai(name = "If-Match")] condition: Header<Option<IfMatch>>,
        body: Body<UpdateTaskRequest>,
    ) -> ApiResult<
        Versioned<Task>,
        { WITH_TASK | ARCHIVED | STALE | codes(&[ParentCycle, LimitReached, WriteConflict]) },
    > {
        let mut uow = auth.begin(&self.app).await?;
        let at = auth.enter_task(&mut *uow, &task_id).await?;
        let expected = if_match(condition.0.as_deref());
        let updated = self.app.tasks().update(&mut *uow, &at, &body.0, expected).await?;
        self.app.commit(uow).await?;
        Ok(Versioned::new(updated))
    }

    /// Remove a task
    ///
    /// With its comments. Its parts stay, as parts of nothing, and its history stays too. For its reporter, admins and
    /// owners.
    #[oai(path = "/tasks/:task_id", method = "delete", operation_id = "deleteTask")]
    async fn delete(
        &self,
        auth: BearerAuth,
        task_id: Path<Id<TaskId>>,
        #[oai(name = "If-Match")] condition: Header<Option<IfMatch>>,
    ) -> ApiResult<NoContent, { WITH_TASK | ARCHIVED | STALE }> {
        let mut uow = auth.begin(&self.app).await?;
        let at = auth.enter_task(&mut *uow, &task_id).await?;
        let expected = if_match(condition.0.as_deref());
        self.app.tasks().delete(&mut *uow, &at, expected).await?;
        self.app.commit(uow).await?;
        Ok(NoContent::Done)
    }

    /// Move a task
    ///
    /// Into a column, and to a place in it: to its end unless one of `position`, `before_id` and `after_id` is given.
    #[oai(path = "/tasks/:task_id/move", method = "patch", operation_id = "moveTask")]
    async fn relocate(
        &self,
        auth: BearerAuth,
        task_id: Path<Id<TaskId>>,
        #[oai(name = "If-Match")] condition: Header<Option<IfMatch>>,
        body: Body<MoveTaskRequest>,
    ) -> ApiResult<Versioned<Task>, { WITH_TASK | ARCHIVED | STALE }> {
        let mut uow = auth.begin(&self.app).await?;
        let at = auth.enter_task(&mut *uow, &task_id).await?;
        let expected = if_match(condition.0.as_deref());
        let moved = self.app.tasks().relocate(&mut *uow, &at, body.0, expected).await?;
        self.app.commit(uow).await?;
        Ok(Versioned::new(moved))
    }

    /// Put a label on a task
    ///
    /// One that is on it stays.
    #[oai(path = "/tasks/:task_id/labels/:label_id", method = "post", operation_id = "addTaskLabel")]
    async fn add_label(
        &self,
        auth: BearerAuth,
        task_id: Path<Id<TaskId>>,
        label_id: Path<Id<LabelId>>,
    ) -> ApiResult<
        Versioned<Task>,
        { WITH_TASK | ARCHIVED | codes(&[LabelNotFound, LimitReached, WriteConflict]) },
    > {
        let mut uow = auth.begin(&self.app).await?;
        let at = auth.enter_task(&mut *uow, &task_id).await?;
        let label = label_id.read()?;
        let labelled = self.app.tasks().add_label(&mut *uow, &at, label).await?;
        self.app.commit(uow).await?;
        Ok(Versioned::new(labelled))
    }

    /// Take a label off a task
    ///
    /// One that is not on it is no error.
    #[oai(path = "/tasks/:task_id/labels/:label_id", method = "delete", operation_id = "removeTaskLabel")]
    async fn remove_label(
        &self,
        auth: BearerAuth,
        task_id: Path<Id<TaskId>>,
        label_id: Path<Id<LabelId>>,
    ) -> ApiResult<NoContent, { WITH_TASK | ARCHIVED | codes(&[LabelNotFound, WriteConflict]) }> {
        let mut uow = auth.begin(&self.app).await?;
        let at = auth.enter_task(&mut *uow, &task_id).await?;
        let label = label_id.read()?;
        self.app.tasks().remove_label(&mut *uow, &at, label).await?;
        self.app.commit(uow).await?;
        Ok(NoContent::Done)
    }
}
