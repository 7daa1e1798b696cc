//! Tasks over HTTP, their comments and what happened to them.

mod changes;
mod comments;
mod dto;
mod filter;

use poem_openapi::OpenApi;
use poem_openapi::param::{Header, Path, Query};
use workscribe_core::id::{LabelId, TaskId};
use workscribe_core::tenancy::OrgScope;
use workscribe_core::work::{
    self, AssigneeFilter, Placement, StatusCategory, TaskFilter, TaskOrder, TaskQuery, TaskSort,
};
use workscribe_core::{Code, Error, UnitOfWork, WorkScribe};

use crate::auth::BearerAuth;
use crate::body::Body;
use crate::once::{self, Begun, Made, Place};
use crate::problem::ApiResult;
use crate::query::fault;
use crate::reply::{Created, NoContent, Reply, Versioned, if_match};
use crate::tags::Tags;

use filter::{Asked, Filters};

pub use comments::CommentsApi;
pub use dto::*;
pub(crate) use filter::SORTS_ACROSS;

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

fn label_id(text: &str) -> Result<LabelId, Error> {
    text.parse().map_err(|_| Error::new(Code::LabelNotFound, "This project has no label with this id."))
}

/// The caller as a person, of a door that tells only their membership.
async fn person(uow: &mut dyn UnitOfWork, scope: &OrgScope) -> Result<work::Person, Error> {
    let member = uow.members().find(scope, scope.actor()).await?;
    let member = member.ok_or_else(|| {
        Error::new(
            Code::OrganizationNotFound,
            "There is no organization with this slug that you are a member of.",
        )
    })?;
    let (display_name, avatar_url) = (member.display_name, member.avatar_url);
    Ok(work::Person { id: member.user_id, display_name, avatar_url })
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
        /// The organization's slug.
        slug: Path<String>,
        /// The project's id or key.
        project_id: Path<String>,
        /// Only tasks in this status.
        status_id: Query<Option<String>>,
        /// Only tasks of this user, or of nobody: `none`.
        assignee_id: Query<Option<String>>,
        /// Only tasks of this priority.
        priority: Query<Option<String>>,
        /// Only tasks of this type.
        #[oai(name = "type")]
        kind: Query<Option<String>>,
        /// Only tasks with this label.
        label_id: Query<Option<String>>,
        /// Only parts of this task, or of none: `none`.
        parent_task_id: Query<Option<String>>,
        /// Only tasks with these words in their title or description. The last may be the beginning of one.
        search: Query<Option<String>>,
        /// Only tasks due before this day.
        due_before: Query<Option<String>>,
        /// Only tasks changed after this moment.
        updated_after: Query<Option<String>>,
        /// By what the list is sorted; a hyphen before it means falling.
        sort: Query<Option<String>>,
        /// Items on a page: 1–100, 25 unless given.
        limit: Query<Option<String>>,
        /// The `next_cursor` of the page before.
        cursor: Query<Option<String>>,
        /// Whether to answer the `total`.
        count: Query<Option<String>>,
    ) -> ApiResult<Reply<TaskList>> {
        let filters = Filters {
            status_id,
            assignee_id,
            priority,
            kind,
            label_id,
            parent_task_id,
            search,
            due_before,
            updated_after,
        };
        let sorts = (&TaskSort::NAMES[..], TaskSort::default());
        let asked = Asked::new(filters.read()?, sort, sorts, (limit, cursor, count))?;
        let mut uow = auth.read(&self.app).await?;
        let (scope, entered) = auth.enter_project(&mut *uow, &slug.0, &project_id.0).await?;
        self.page(&mut *uow, &scope, &asked.of(Some(entered.found.id))?).await
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
        /// The organization's slug.
        slug: Path<String>,
        /// The project's id or key.
        project_id: Path<String>,
        /// A key of the client's: the same request sent again under it is done once.
        #[oai(name = "Idempotency-Key")]
        key: Header<Option<String>>,
        body: Body<CreateTaskRequest>,
    ) -> ApiResult<Created<Task>> {
        let (user, digest, key) = (auth.actor().user, body.digest(), key.0.as_deref());
        let place = Place::project(&self.app, key, &slug.0, &project_id.0, user).await?;
        let request = once::Request { key, operation: "createTask", user, place, digest };
        let mut once = match once::begin(&self.app, request).await? {
            Begun::Repeated(answer) => return Ok(answer),
            Begun::Fresh(once) => once,
        };
        let made = async {
            let (scope, entered) = auth.enter_project(once.uow(), &slug.0, &project_id.0).await?;
            let new = body.0.into_change()?;
            let task = self.app.tasks().create(once.uow(), &scope, &entered, &new).await?;
            let (location, version) = (location(task.id), task.version);
            Ok(Made { value: Task::from(task), location, version })
        };
        let made = made.await;
        once.finish(made).await
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
        /// The organization's slug.
        slug: Path<String>,
        /// The project's id or key.
        project_id: Path<String>,
        /// Only tasks in a status of this category.
        status_category: Query<Option<String>>,
        /// Only tasks of this priority.
        priority: Query<Option<String>>,
        /// By what the list is sorted; a hyphen before it means falling.
        sort: Query<Option<String>>,
        /// Items on a page: 1–100, 25 unless given.
        limit: Query<Option<String>>,
        /// The `next_cursor` of the page before.
        cursor: Query<Option<String>>,
        /// Whether to answer the `total`.
        count: Query<Option<String>>,
    ) -> ApiResult<Reply<TaskList>> {
        let categories = match filter::category(status_category)? {
            Some(category) => vec![category],
            None => vec![StatusCategory::Todo, StatusCategory::InProgress],
        };
        let filter =
            TaskFilter { categories, priority: filter::priority(priority)?, ..TaskFilter::default() };
        let sorts = (&TaskSort::NAMES[..], TaskSort::default());
        let asked = Asked::new(filter, sort, sorts, (limit, cursor, count))?;
        let mut uow = auth.read(&self.app).await?;
        let (scope, entered) = auth.enter_project(&mut *uow, &slug.0, &project_id.0).await?;
        self.page(&mut *uow, &scope, &asked.of(Some(entered.found.id))?).await
    }

    /// List one's tasks
    ///
    /// Those of the caller in every project of the organization, what is due first before the rest.
    #[oai(path = "/organizations/:slug/my-tasks", method = "get", operation_id = "listMyTasks")]
    #[expect(clippy::too_many_arguments, reason = "each is a parameter of the request")]
    async fn mine(
        &self,
        auth: BearerAuth,
        /// The organization's slug.
        slug: Path<String>,
        /// Only tasks in a status of this category.
        status_category: Query<Option<String>>,
        /// Only tasks of this priority.
        priority: Query<Option<String>>,
        /// By what the list is sorted; a hyphen before it means falling.
        sort: Query<Option<String>>,
        /// Items on a page: 1–100, 25 unless given.
        limit: Query<Option<String>>,
        /// The `next_cursor` of the page before.
        cursor: Query<Option<String>>,
        /// Whether to answer the `total`.
        count: Query<Option<String>>,
    ) -> ApiResult<Reply<TaskList>> {
        let user = auth.actor().user;
        let filter = TaskFilter {
            categories: filter::category(status_category)?.into_iter().collect(),
            assignee: Some(AssigneeFilter::User(user)),
            priority: filter::priority(priority)?,
            ..TaskFilter::default()
        };
        let sorts = (SORTS_ACROSS, TaskSort { by: TaskOrder::DueDate, descending: false });
        let asked = Asked::new(filter, sort, sorts, (limit, cursor, count))?;
        let mut uow = auth.read(&self.app).await?;
        let (scope, _) = auth.enter(&mut *uow, &slug.0).await?;
        self.page(&mut *uow, &scope, &asked.of(None)?).await
    }

    /// Change many tasks
    ///
    /// All of them, or none.
    #[oai(path = "/organizations/:slug/tasks/bulk", method = "patch", operation_id = "updateTasks")]
    async fn update_many(
        &self,
        auth: BearerAuth,
        /// The organization's slug.
        slug: Path<String>,
        body: Body<UpdateTasksRequest>,
    ) -> ApiResult<Reply<ChangedTasks>> {
        let mut uow = auth.begin(&self.app).await?;
        let (scope, _) = auth.enter(&mut *uow, &slug.0).await?;
        let change = body.0.into_change()?;
        let actor = person(&mut *uow, &scope).await?;
        let changed = self.app.tasks().update_many(&mut *uow, &scope, &actor, &change).await?;
        self.app.commit(uow).await?;
        Ok(Reply::new(ChangedTasks { tasks: changed.into_iter().map(TaskSummary::from).collect() }))
    }

    /// Get a task by its name for people
    #[oai(path = "/organizations/:slug/tasks/:task_key", method = "get", operation_id = "getTaskByKey")]
    async fn get_by_key(
        &self,
        auth: BearerAuth,
        /// The organization's slug.
        slug: Path<String>,
        /// The project's key, a hyphen and the task's number, in any case.
        task_key: Path<String>,
    ) -> ApiResult<Versioned<Task>> {
        let mut uow = auth.read(&self.app).await?;
        let (scope, _) = auth.enter(&mut *uow, &slug.0).await?;
        let task = self.app.tasks().find_by_key(&mut *uow, &scope, &task_key.0).await?;
        let version = task.version;
        Ok(Versioned::new(task.into(), version))
    }

    /// Move many tasks
    ///
    /// All of them to their places in their columns, or none. They are of one project.
    #[oai(path = "/tasks/bulk-positions", method = "patch", operation_id = "moveTasks")]
    async fn move_many(&self, auth: BearerAuth, body: Body<MoveTasksRequest>) -> ApiResult<NoContent> {
        let place = |place: TaskPlace| Placement { task_id: place.task_id.into(), index: place.position };
        let placements: Vec<Placement> = body.0.updates.into_iter().map(place).collect();
        let Some(first) = placements.first() else {
            return Err(fault("/updates", "OUT_OF_RANGE", "Give 1 to 100 tasks.").into());
        };
        let first = first.task_id.to_string();
        let mut uow = auth.begin(&self.app).await?;
        let entered = auth.enter_task(&mut *uow, &first).await;
        // It is named in the body, so there it is a fault of a field.
        let (scope, entered) = entered.map_err(|error| match error.code() {
            Code::TaskNotFound => fault("/updates/0/task_id", "NOT_FOUND", error.detail()),
            _ => error,
        })?;
        self.app.tasks().arrange(&mut *uow, &scope, &entered.found, &placements).await?;
        self.app.commit(uow).await?;
        Ok(NoContent::Done)
    }

    /// Get a task
    #[oai(path = "/tasks/:task_id", method = "get", operation_id = "getTask")]
    async fn get(
        &self,
        auth: BearerAuth,
        /// The task's id.
        task_id: Path<String>,
    ) -> ApiResult<Versioned<Task>> {
        let mut uow = auth.read(&self.app).await?;
        let (scope, entered) = auth.enter_task(&mut *uow, &task_id.0).await?;
        self.app.tasks().view(&scope)?;
        let version = entered.found.version;
        Ok(Versioned::new(entered.found.into(), version))
    }

    /// Change a task
    ///
    /// A new assignee is told, and so are its reporter and assignee when it is finished.
    #[oai(path = "/tasks/:task_id", method = "patch", operation_id = "updateTask")]
    async fn update(
        &self,
        auth: BearerAuth,
        /// The task's id.
        task_id: Path<String>,
        /// The `ETag` the change is meant for.
        #[oai(name = "If-Match")]
        condition: Header<Option<String>>,
        body: Body<UpdateTaskRequest>,
    ) -> ApiResult<Versioned<Task>> {
        let mut uow = auth.begin(&self.app).await?;
        let (scope, entered) = auth.enter_task(&mut *uow, &task_id.0).await?;
        let (change, expected) = (body.0.into_change()?, if_match(condition.0.as_deref()));
        let tasks = self.app.tasks();
        let updated =
            tasks.update(&mut *uow, &scope, &entered.actor, &entered.found, &change, expected).await?;
        self.app.commit(uow).await?;
        let version = updated.version;
        Ok(Versioned::new(updated.into(), version))
    }

    /// Remove a task
    ///
    /// With its comments. Its parts stay, as parts of nothing, and its history stays too. For its reporter, admins and
    /// owners.
    #[oai(path = "/tasks/:task_id", method = "delete", operation_id = "deleteTask")]
    async fn delete(
        &self,
        auth: BearerAuth,
        /// The task's id.
        task_id: Path<String>,
        /// The `ETag` the removal is meant for.
        #[oai(name = "If-Match")]
        condition: Header<Option<String>>,
    ) -> ApiResult<NoContent> {
        let mut uow = auth.begin(&self.app).await?;
        let (scope, entered) = auth.enter_task(&mut *uow, &task_id.0).await?;
        let expected = if_match(condition.0.as_deref());
        self.app.tasks().delete(&mut *uow, &scope, &entered.found, expected).await?;
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
        /// The task's id.
        task_id: Path<String>,
        /// The `ETag` the change is meant for.
        #[oai(name = "If-Match")]
        condition: Header<Option<String>>,
        body: Body<MoveTaskRequest>,
    ) -> ApiResult<Versioned<Task>> {
        let mut uow = auth.begin(&self.app).await?;
        let (scope, entered) = auth.enter_task(&mut *uow, &task_id.0).await?;
        let (status, to) = body.0.into_destination()?;
        let (actor, task, expected) = (&entered.actor, &entered.found, if_match(condition.0.as_deref()));
        let tasks = self.app.tasks();
        let moved = tasks.relocate(&mut *uow, &scope, actor, task, status, to, expected).await?;
        self.app.commit(uow).await?;
        let version = moved.version;
        Ok(Versioned::new(moved.into(), version))
    }

    /// Put a label on a task
    ///
    /// One that is on it stays.
    #[oai(path = "/tasks/:task_id/labels/:label_id", method = "post", operation_id = "addTaskLabel")]
    async fn add_label(
        &self,
        auth: BearerAuth,
        /// The task's id.
        task_id: Path<String>,
        /// The label's id.
        label_id: Path<String>,
    ) -> ApiResult<Versioned<Task>> {
        let mut uow = auth.begin(&self.app).await?;
        let (scope, entered) = auth.enter_task(&mut *uow, &task_id.0).await?;
        let label = self::label_id(&label_id.0)?;
        let (actor, task) = (&entered.actor, &entered.found);
        let labelled = self.app.tasks().add_label(&mut *uow, &scope, actor, task, label).await?;
        self.app.commit(uow).await?;
        let version = labelled.version;
        Ok(Versioned::new(labelled.into(), version))
    }

    /// Take a label off a task
    ///
    /// One that is not on it is no error.
    #[oai(path = "/tasks/:task_id/labels/:label_id", method = "delete", operation_id = "removeTaskLabel")]
    async fn remove_label(
        &self,
        auth: BearerAuth,
        /// The task's id.
        task_id: Path<String>,
        /// The label's id.
        label_id: Path<String>,
    ) -> ApiResult<NoContent> {
        let mut uow = auth.begin(&self.app).await?;
        let (scope, entered) = auth.enter_task(&mut *uow, &task_id.0).await?;
        let label = self::label_id(&label_id.0)?;
        let (actor, task) = (&entered.actor, &entered.found);
        self.app.tasks().remove_label(&mut *uow, &scope, actor, task, label).await?;
        self.app.commit(uow).await?;
        Ok(NoContent::Done)
    }
}

impl TasksApi {
    async fn page(
        &self,
        uow: &mut dyn UnitOfWork,
        scope: &OrgScope,
        query: &TaskQuery,
    ) -> ApiResult<Reply<TaskList>> {
        let found = self.app.tasks().list(uow, scope, query).await?;
        let tasks = found.items.into_iter().map(TaskSummary::from).collect();
        Ok(Reply::new(TaskList { tasks, next_cursor: found.next_cursor, total: found.total }))
    }
}
