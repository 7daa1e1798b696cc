//! Many tasks at once over HTTP: all of them are changed or moved, or none.

use workscribe_core::Code::{self, InsufficientRole, LimitReached, WriteConflict};
use workscribe_core::error::Violations;
use workscribe_core::work::{self, BulkChange, Placement};

use super::tasks::{Priority, TaskSummary, ids};
use crate::body::{Input as _, nested};
use crate::prelude::*;

api! {
    /// Many tasks at once.
    BulkApi
}

#[OpenApi(prefix_path = "/api/v1", tag = "Tags::Tasks")]
impl BulkApi {
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
}

answers! {
    /// Tasks that were changed together, in the order of the request.
    ChangedTasks of tasks: Vec<work::Task> {
        /// The tasks as they are now.
        tasks: Vec<TaskSummary> = tasks.into_iter().map(TaskSummary::from).collect::<Vec<_>>(),
    }
}

inputs! {
    /// One change of many tasks. What is left out stays as it is.
    UpdateTasksRequest {
        /// 1–100 tasks, each once.
        #[oai(validator(min_items = 1, max_items = 100))]
        task_ids: Required<Vec<Uuid>>,
        /// A status of the project that all of them are in; they go to the end of its column.
        status_id: Patch<Uuid>,
        /// A member of the organization, or null for nobody.
        assignee_id: Clearable<Uuid>,
        /// How much they press.
        priority: Patch<Priority>,
        /// By which day they are to be done, or null for none.
        due_date: Clearable<Date>,
        /// All of their labels, of the project that all of them are in.
        #[oai(validator(max_items = 50))]
        label_ids: Patch<Vec<Uuid>>,
        /// Labels to put on them beside those that they have.
        #[oai(validator(max_items = 50))]
        add_label_ids: Patch<Vec<Uuid>>,
        /// Labels to take off them.
        #[oai(validator(max_items = 50))]
        remove_label_ids: Patch<Vec<Uuid>>,
    } => BulkChange = BulkChange {
        task_ids: ids(task_ids),
        status_id,
        assignee_id,
        priority,
        due_date,
        label_ids: label_ids.map(ids),
        add_label_ids: add_label_ids.map(ids).unwrap_or_default(),
        remove_label_ids: remove_label_ids.map(ids).unwrap_or_default(),
    };

    /// The place of a task in its column.
    TaskPlace {
        /// The task's id.
        task_id: Required<Uuid>,
        /// How many tasks of the column are before it.
        #[oai(validator(minimum(value = "0")))]
        position: Required<i64>,
    } => Placement = Placement { task_id, index: position };

    /// Places of tasks of one project.
    MoveTasksRequest(faults) {
        /// 1–100 tasks, each once. The first server's name for it, `positions`, is taken too.
        #[oai(validator(min_items = 1, max_items = 100))]
        updates also "positions": Required<Vec<TaskPlace>>,
    } => Vec<Placement> = placements(updates, faults);
}

nested!(TaskPlace);

fn placements(updates: Vec<TaskPlace>, faults: &mut Violations) -> Vec<Placement> {
    let updates = updates.into_iter().enumerate();
    updates.map(|(index, place)| place.read(&format!("/updates/{index}"), faults)).collect()
}
