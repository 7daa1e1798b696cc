//! Tasks over HTTP: listing, creating, finding, changing, moving and removing them.

use workscribe_core::Code::{LabelNotFound, LimitReached, ParentCycle, TaskNotFound, WriteConflict};
use workscribe_core::error::Violations;
use workscribe_core::id::{LabelId, TaskId};
use workscribe_core::work::{
    self, AssigneeFilter, Destination, Move, StatusCategory, TaskChange, TaskFilter,
};

use super::labels::Label;
use super::statuses::Status;
use super::task_lists::{BoardPage, PageAcross, ProjectTasks, TaskList, TasksByCategory};
use crate::prelude::*;

api! {
    /// Tasks.
    TasksApi
}

#[OpenApi(prefix_path = "/api/v1", tag = "Tags::Tasks")]
impl TasksApi {
    /// List a project's tasks
    ///
    /// Returns the tasks without their descriptions. The default order is that of the board.
    #[oai(
        path = "/organizations/:slug/projects/:project_id/tasks",
        method = "get",
        operation_id = "listTasks"
    )]
    async fn list(
        &self,
        auth: BearerAuth,
        slug: Path<Slug>,
        project_id: Path<ProjectRef>,
        asked: Asked<(ProjectTasks, BoardPage)>,
    ) -> ApiResult<Reply<TaskList>, IN_PROJECT> {
        let (filter, page) = asked.0;
        let mut uow = auth.read(&self.app).await?;
        let at = auth.enter_project(&mut *uow, &slug, &project_id).await?;
        let query = page.of(TaskFilter { project: Some(at.id), ..filter })?;
        Ok(Reply::new(self.app.tasks().list(&mut *uow, at.scope(), &query).await?))
    }

    /// List a project's open tasks
    ///
    /// Returns the tasks with the category `todo` or `in_progress`, unless `status_category` asks for another one. The
    /// default order is that of the board.
    #[oai(
        path = "/organizations/:slug/projects/:project_id/backlog",
        method = "get",
        operation_id = "listBacklog"
    )]
    async fn backlog(
        &self,
        auth: BearerAuth,
        slug: Path<Slug>,
        project_id: Path<ProjectRef>,
        asked: Asked<(TasksByCategory, BoardPage)>,
    ) -> ApiResult<Reply<TaskList>, IN_PROJECT> {
        let (mut filter, page) = asked.0;
        if filter.categories.is_empty() {
            filter.categories = vec![StatusCategory::Todo, StatusCategory::InProgress];
        }
        self.list(auth, slug, project_id, Asked((filter, page))).await
    }

    /// List the caller's tasks
    ///
    /// Returns the caller's assigned tasks in all projects of the organization. By default, those due first come first.
    #[oai(path = "/organizations/:slug/my-tasks", method = "get", operation_id = "listMyTasks")]
    async fn mine(
        &self,
        auth: BearerAuth,
        slug: Path<Slug>,
        asked: Asked<(TasksByCategory, PageAcross)>,
    ) -> ApiResult<Reply<TaskList>, IN_ORGANIZATION> {
        let (filter, page) = asked.0;
        let assignee = Some(AssigneeFilter::User(auth.actor().user));
        let query = page.of(TaskFilter { assignee, ..filter })?;
        let mut uow = auth.read(&self.app).await?;
        let at = auth.enter(&mut *uow, &slug).await?;
        Ok(Reply::new(self.app.tasks().list(&mut *uow, at.scope(), &query).await?))
    }

    /// Create a task
    ///
    /// The task gets the next number of its project and goes to the end of its column. The caller is its reporter. The assignee
    /// gets a notification.
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

    /// Get a task by its key
    ///
    /// Use this when you have the name that people use, such as WEB-42. `getTask` finds a task by its id.
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

    /// Get a task
    ///
    /// Finds a task by its id, with its description. The response does not contain its comments.
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

    /// Update a task
    ///
    /// A new assignee gets a notification. When the task is finished, its reporter and its assignee get one.
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

    /// Delete a task
    ///
    /// Removes the task with its comments. Its subtasks remain without a parent, and its history remains. Requires the
    /// task's reporter, an admin or an owner.
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
    /// Moves the task to a column and to a position in it: to the end, unless `position`, `before_id` or `after_id` is given.
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

    /// Add a label to a task
    ///
    /// It is no error when the task already has the label. A task has at most 50 labels.
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

    /// Remove a label from a task
    ///
    /// It is no error when the task does not have the label.
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

named! {
    /// The priority of a task.
    Priority = work::Priority;

    /// The type of work that a task is.
    TaskType = work::TaskType;
}

answers! {
    /// A user as others see them, next to what the user did.
    Person of person: work::Person {
        /// The id of the user.
        id: Uuid,
        /// The name.
        display_name: PersonName,
        /// The URL of the picture.
        avatar_url: Nullable<PictureUrl>,
    }
}

/// Makes the responses for a task: with all its fields, and in lists, which leave the description out.
macro_rules! tasks {
    ($($(#[$doc:meta])* $name:ident of $task:ident { $($own:tt)* })+) => {
        answers! {$(
            $(#[$doc])*
            $name of $task: work::Task {
                /// The id of the task.
                id: Uuid,
                /// The id of the organization.
                org_id: Uuid,
                /// The id of the project.
                project_id: Uuid,
                /// The number of the task in the project, from 1.
                number: i64,
                /// The name of the task for people, such as WEB-42.
                task_id: TaskKey = $task.key(),
                /// The title.
                title: String,
                $($own)*
                /// The id of the status.
                status_id: Uuid = $task.status.id,
                /// The status.
                status: Status,
                /// The user id of the assignee.
                assignee_id: Nullable<Uuid> = $task.assignee.as_ref().map(|person| person.id),
                /// The assignee.
                assignee: Nullable<Person>,
                /// The id of the user who created the task.
                reporter_id: Uuid = $task.reporter.id,
                /// The user who created the task.
                reporter: Person,
                /// The priority.
                priority: Priority,
                /// The type.
                kind as "type": TaskType,
                /// The id of the parent, of which the task is a part.
                parent_task_id: Nullable<Uuid> = $task.parent_id,
                /// The labels, by name.
                labels: Vec<Label> = $task.labels.into_iter().map(Label::from).collect::<Vec<_>>(),
                /// The position in the column: a lower number is higher up. It may change when other tasks are moved.
                position: i64,
                /// The day on which the task is due.
                due_date: Nullable<Date>,
                /// The number of subtasks.
                subtask_count: i64,
                /// The number of comments.
                comment_count: i64,
                /// The number of tasks that block the task and are not in a done status.
                blocked_by_count: i64,
                /// When the task was created.
                created_at: Time,
                /// When a field of the task was last changed.
                updated_at: Time,
            }
        )+}
    };
}

tasks! {
    /// A task.
    Task of task {
        /// The description.
        description_json: Nullable<RichText> = task.description,
    }
    /// A task in a list: without its description.
    TaskSummary of task {}
}

inputs! {
    /// A new task.
    CreateTaskRequest {
        /// 1–500 characters, not only spaces.
        #[oai(validator(min_length = 1, max_length = 500))]
        title: Required<String>,
        /// A ProseMirror document, or any other JSON object: at most 256 KiB, nested at most 64 deep.
        description as "description_json": Clearable<RichText>,
        /// The id of a status of the project. The default is its first status.
        status_id: Patch<Uuid>,
        /// The user id of a member of the organization.
        assignee_id: Clearable<Uuid>,
        /// The priority. The default is `none`.
        priority: Patch<Priority>,
        /// The type. The default is `task`.
        kind as "type": Patch<TaskType>,
        /// The id of a task of the same project that becomes the parent.
        parent_id as "parent_task_id": Clearable<Uuid>,
        /// The day on which the task is due.
        due_date: Clearable<Date>,
        /// The ids of labels of the project, at most 50.
        #[oai(validator(max_items = 50))]
        label_ids: Patch<Vec<Uuid>>,
    } => TaskChange = {
        let (title, label_ids) = (Some(title), label_ids.map(ids));
        TaskChange { title, description, status_id, assignee_id, priority, kind, parent_id, due_date, label_ids }
    };

    /// A change of a task. A field that is left out does not change.
    UpdateTaskRequest {
        /// 1–500 characters, not only spaces.
        #[oai(validator(min_length = 1, max_length = 500))]
        title: Patch<String>,
        /// A document with the same rules as for a new task, or null for none.
        description as "description_json": Clearable<RichText>,
        /// The id of a status of the project. The task goes to the end of its column.
        status_id: Patch<Uuid>,
        /// The user id of a member of the organization, or null for nobody.
        assignee_id: Clearable<Uuid>,
        /// The priority.
        priority: Patch<Priority>,
        /// The type.
        kind as "type": Patch<TaskType>,
        /// The id of a task of the project that becomes the parent, or null for none. It must not be below this task.
        parent_id as "parent_task_id": Clearable<Uuid>,
        /// The day on which the task is due, or null for none.
        due_date: Clearable<Date>,
        /// The ids of all labels that the task will have: labels of the project, at most 50.
        #[oai(validator(max_items = 50))]
        label_ids: Patch<Vec<Uuid>>,
    } => TaskChange = {
        let label_ids = label_ids.map(ids);
        TaskChange { title, description, status_id, assignee_id, priority, kind, parent_id, due_date, label_ids }
    };

    /// The new column of a task, and its position there. Give at most one of the three fields for a position. Without them,
    /// the task goes to the end.
    MoveTaskRequest(faults) {
        /// The id of a status of the project. The default is the current status of the task.
        status_id: Patch<Uuid>,
        /// How many tasks of the column come before it.
        #[oai(validator(minimum(value = "0")))]
        position: Patch<i64>,
        /// The id of the task of the column that comes directly after it.
        before_id: Patch<Uuid>,
        /// The id of the task of the column that comes directly before it.
        after_id: Patch<Uuid>,
    } => Move = {
        let position = position.map(Destination::Index);
        let before = before_id.map(|id: Uuid| Destination::Before(id.into()));
        let after = after_id.map(|id: Uuid| Destination::After(id.into()));
        let to = one_of([("/position", position), ("/before_id", before), ("/after_id", after)], faults);
        Move { status: status_id, to }
    };
}

pub(super) fn ids<T: From<Uuid>>(ids: Vec<Uuid>) -> Vec<T> {
    ids.into_iter().map(T::from).collect()
}

/// The position that is given, or the end.
fn one_of(places: [(&str, Option<Destination>); 3], faults: &mut Violations) -> Destination {
    let mut given = places.into_iter().filter_map(|(pointer, to)| Some((pointer, to?)));
    let first = given.next().map_or(Destination::End, |(_, to)| to);
    for (pointer, _) in given {
        faults.add(pointer, "TOO_MANY", "Give at most one of position, before_id and after_id.");
    }
    first
}

/// The path of a task.
pub(super) fn location(task: TaskId) -> String {
    format!("/api/v1/tasks/{task}")
}
