//! The history of a task and of an organization, over HTTP.

use workscribe_core::id::TaskId;
use workscribe_core::work;

use super::tasks::Person;
pub use crate::events::ActivityAction;
use crate::prelude::*;

api! {
    /// The history.
    ActivityApi
}

#[OpenApi(prefix_path = "/api/v1", tag = "Tags::Tasks")]
impl ActivityApi {
    /// List a task's history
    ///
    /// Returns who changed what on the task, newest first.
    #[oai(path = "/tasks/:task_id/activity", method = "get", operation_id = "listTaskActivity")]
    async fn of_task(
        &self,
        auth: BearerAuth,
        task_id: Path<Id<TaskId>>,
        page: Asked<Paging>,
    ) -> ApiResult<Reply<ActivityList>, WITH_TASK> {
        let mut uow = auth.read(&self.app).await?;
        let at = auth.enter_task(&mut *uow, &task_id).await?;
        Ok(Reply::new(self.app.tasks().activity(&mut *uow, at.scope(), Some(at.id), &page).await?))
    }

    /// List an organization's history
    ///
    /// Returns who changed what in the organization, newest first. Entries remain when the task or project is deleted.
    #[oai(path = "/organizations/:slug/activity", method = "get", operation_id = "listActivity")]
    async fn of_organization(
        &self,
        auth: BearerAuth,
        slug: Path<Slug>,
        page: Asked<Paging>,
    ) -> ApiResult<Reply<ActivityList>, IN_ORGANIZATION> {
        let mut uow = auth.read(&self.app).await?;
        let at = auth.enter(&mut *uow, &slug).await?;
        Ok(Reply::new(self.app.tasks().activity(&mut *uow, at.scope(), None, &page).await?))
    }
}

answers! {
    /// An entry of the history. Values are names, as a person reads them, not ids.
    Activity of line: work::Activity {
        /// The id of the entry.
        id: Uuid,
        /// The id of the task, if the entry is about one. The task may be deleted.
        task_id: Nullable<Uuid>,
        /// The id of the user who made the change.
        actor_id: Uuid = line.actor.id,
        /// The user who made the change.
        actor: Person,
        /// What the user did.
        action: ActivityAction,
        /// The name of the field, if one field was changed.
        field_name: Nullable<String>,
        /// The value before the change: at most its first 1,000 characters.
        old_value: Nullable<String>,
        /// The value after the change: at most its first 1,000 characters.
        new_value: Nullable<String>,
        /// When it happened.
        created_at: Time,
    }
}

lists! {
    /// A page of the history, newest first.
    ActivityList {
        /// The entries.
        activity: Activity
    }
}
