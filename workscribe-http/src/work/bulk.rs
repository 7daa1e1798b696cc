//! Many tasks in one request over HTTP: all of them are changed or moved, or none.

use workscribe_core::Code::{self, InsufficientRole, LimitReached, WriteConflict};
use workscribe_core::error::Violations;
use workscribe_core::work::{self, BulkChange, Placement};

use super::tasks::{Priority, TaskSummary, ids};
use crate::body::{Input as _, nested};
use crate::prelude::*;

api! {
    /// Many tasks in one request.
    BulkApi
}

#[OpenApi(prefix_path = "/api/v1", tag = "Tags::Tasks")]
impl BulkApi {
    /// Update many tasks
    ///
    /// Makes the same change to 1–100 tasks of an organization. If one task cannot be changed, no task is changed.
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
    /// Moves 1–100 tasks of one project within their columns. If one task cannot be moved, no task is moved.
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
        // The body names the task, so the fault is about a field of the body.
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
    /// The changed tasks, in the order of the request.
    ChangedTasks of tasks: Vec<work::Task> {
        /// The tasks as they are now.
        tasks: Vec<TaskSummary> = tasks.into_iter().map(TaskSummary::from).collect::<Vec<_>>(),
    }
}

inputs! {
    /// A change of many tasks. A field that is left out does not change.
    UpdateTasksRequest {
        /// The ids of 1–100 tasks, without duplicates.
        #[oai(validator(min_items = 1, max_items = 100))]
        task_ids: Required<Vec<Uuid>>,
        /// The id of a status of the tasks' project. The tasks go to the end of its column, in the order of the request.
        status_id: Patch<Uuid>,
        /// The user id of a member of the organization, or null for nobody.
        assignee_id: Clearable<Uuid>,
        /// The priority.
        priority: Patch<Priority>,
        /// The day on which the tasks are due, or null for none.
        due_date: Clearable<Date>,
        /// The ids of all labels that the tasks will have, at most 50. The tasks must belong to the labels' project.
        #[oai(validator(max_items = 50))]
        label_ids: Patch<Vec<Uuid>>,
        /// The ids of labels to add to those that the tasks have, at most 50.
        #[oai(validator(max_items = 50))]
        add_label_ids: Patch<Vec<Uuid>>,
        /// The ids of labels to remove from the tasks, at most 50.
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

    /// The new position of a task in its column.
    TaskPlace {
        /// The id of the task.
        task_id: Required<Uuid>,
        /// How many tasks of the column come before it.
        #[oai(validator(minimum(value = "0")))]
        position: Required<i64>,
    } => Placement = Placement { task_id, index: position };

    /// New positions of tasks of one project.
    MoveTasksRequest(faults) {
        /// 1–100 tasks, without duplicates. The server also accepts the name `positions`, which an earlier server used.
        #[oai(validator(min_items = 1, max_items = 100))]
        updates also "positions": Required<Vec<TaskPlace>>,
    } => Vec<Placement> = placements(updates, faults);
}

nested!(TaskPlace);

fn placements(updates: Vec<TaskPlace>, faults: &mut Violations) -> Vec<Placement> {
    let updates = updates.into_iter().enumerate();
    updates.map(|(index, place)| place.read(&format!("/updates/{index}"), faults)).collect()
}
