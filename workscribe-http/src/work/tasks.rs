//! Tasks over HTTP: listed, made, changed, moved and removed.

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
    /// In the order of its board unless `sort` says otherwise.
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
    /// In the order of its board; those of other categories than to do and in progress when asked for.
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

    /// List one's tasks
    ///
    /// Those of the caller in every project of the organization, what is due first before the rest.
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

named! {
    /// How much a task presses.
    Priority = work::Priority;

    /// What sort of work a task is.
    TaskType = work::TaskType;
}

answers! {
    /// A user as others see them beside what they did.
    Person of person: work::Person {
        /// Their id.
        id: Uuid,
        /// Their name.
        display_name: PersonName,
        /// Where their picture is.
        avatar_url: Nullable<PictureUrl>,
    }
}

/// Makes what is shown of a task: in full, and in lists, which leave something out.
macro_rules! tasks {
    ($($(#[$doc:meta])* $name:ident of $task:ident { $($own:tt)* })+) => {
        answers! {$(
            $(#[$doc])*
            $name of $task: work::Task {
                /// Its id.
                id: Uuid,
                /// Of which organization.
                org_id: Uuid,
                /// Of which project.
                project_id: Uuid,
                /// Its number in the project, from 1.
                number: i64,
                /// Its name for people.
                task_id: TaskKey = $task.key(),
                /// What is to be done.
                title: String,
                $($own)*
                /// The id of its status.
                status_id: Uuid = $task.status.id,
                /// Where it stands.
                status: Status,
                /// The user who does it.
                assignee_id: Nullable<Uuid> = $task.assignee.as_ref().map(|person| person.id),
                /// Who does it.
                assignee: Nullable<Person>,
                /// The user who made it.
                reporter_id: Uuid = $task.reporter.id,
                /// Who made it.
                reporter: Person,
                /// How much it presses.
                priority: Priority,
                /// What sort of work it is.
                kind as "type": TaskType,
                /// The task of which it is a part.
                parent_task_id: Nullable<Uuid> = $task.parent_id,
                /// Its labels, by name.
                labels: Vec<Label> = $task.labels.into_iter().map(Label::from).collect::<Vec<_>>(),
                /// Its place in the column: lower is higher up. It may change when other tasks are moved.
                position: i64,
                /// By which day it is to be done.
                due_date: Nullable<Date>,
                /// How many tasks are a part of it.
                subtask_count: i64,
                /// How many comments it has.
                comment_count: i64,
                /// When it was made.
                created_at: Time,
                /// When one of its fields was last changed.
                updated_at: Time,
            }
        )+}
    };
}

tasks! {
    /// A task.
    Task of task {
        /// In full.
        description_json: Nullable<RichText> = task.description,
    }
    /// A task as lists show it: without its description.
    TaskSummary of task {}
}

inputs! {
    /// A new task.
    CreateTaskRequest {
        /// 1–500 characters, not all of them spaces.
        #[oai(validator(min_length = 1, max_length = 500))]
        title: Required<String>,
        /// A ProseMirror document, or any other JSON object, of at most 256 KiB and nested at most 64 deep.
        description as "description_json": Clearable<RichText>,
        /// A status of the project; its first unless given.
        status_id: Patch<Uuid>,
        /// A member of the organization.
        assignee_id: Clearable<Uuid>,
        /// How much it presses: `none` unless given.
        priority: Patch<Priority>,
        /// What sort of work it is: `task` unless given.
        kind as "type": Patch<TaskType>,
        /// A task of the project, of which this is a part.
        parent_id as "parent_task_id": Clearable<Uuid>,
        /// By which day it is to be done.
        due_date: Clearable<Date>,
        /// Labels of the project: 50 at the most.
        #[oai(validator(max_items = 50))]
        label_ids: Patch<Vec<Uuid>>,
    } => TaskChange = {
        let (title, label_ids) = (Some(title), label_ids.map(ids));
        TaskChange { title, description, status_id, assignee_id, priority, kind, parent_id, due_date, label_ids }
    };

    /// A change of a task. What is left out stays as it is.
    UpdateTaskRequest {
        /// 1–500 characters, not all of them spaces.
        #[oai(validator(min_length = 1, max_length = 500))]
        title: Patch<String>,
        /// As for a new task, or null for none.
        description as "description_json": Clearable<RichText>,
        /// A status of the project; the task goes to the end of its column.
        status_id: Patch<Uuid>,
        /// A member of the organization, or null for nobody.
        assignee_id: Clearable<Uuid>,
        /// How much it presses.
        priority: Patch<Priority>,
        /// What sort of work it is.
        kind as "type": Patch<TaskType>,
        /// A task of the project that is not below this one, or null for none.
        parent_id as "parent_task_id": Clearable<Uuid>,
        /// By which day it is to be done, or null for none.
        due_date: Clearable<Date>,
        /// All of its labels, of the project: 50 at the most.
        #[oai(validator(max_items = 50))]
        label_ids: Patch<Vec<Uuid>>,
    } => TaskChange = {
        let label_ids = label_ids.map(ids);
        TaskChange { title, description, status_id, assignee_id, priority, kind, parent_id, due_date, label_ids }
    };

    /// Where a task goes: into a column, and to a place in it. Of the three that name a place at most one is given; without one
    /// the task goes to the end.
    MoveTaskRequest(faults) {
        /// A status of the project; the one it has unless given.
        status_id: Patch<Uuid>,
        /// How many tasks of the column are before it.
        #[oai(validator(minimum(value = "0")))]
        position: Patch<i64>,
        /// The task of the column that comes right after it.
        before_id: Patch<Uuid>,
        /// The task of the column that comes right before it.
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

/// The one place that is named, or the end.
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
