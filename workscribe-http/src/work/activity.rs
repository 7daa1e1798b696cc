//! The history over HTTP: what happened, to a task and in an organization.

use workscribe_core::id::TaskId;
use workscribe_core::work;

use super::tasks::Person;
pub use crate::events::ActivityAction;
use crate::prelude::*;

api! {
    /// What happened.
    ActivityApi
}

#[OpenApi(prefix_path = "/api/v1", tag = "Tags::Tasks")]
impl ActivityApi {
    /// List what happened to a task
    ///
    /// The newest first.
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

    /// List what happened in an organization
    ///
    /// The newest first, also to what is gone.
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
    /// One line of the history. Values are as a person reads them: names, not ids.
    Activity of line: work::Activity {
        /// Its id.
        id: Uuid,
        /// On which task, if on one. It may be gone.
        task_id: Nullable<Uuid>,
        /// The user who did it.
        actor_id: Uuid = line.actor.id,
        /// Who did it.
        actor: Person,
        /// What was done.
        action: ActivityAction,
        /// Which field, for a change of one.
        field_name: Nullable<String>,
        /// What it was; at most 1,000 characters of it.
        old_value: Nullable<String>,
        /// What it is now; at most 1,000 characters of it.
        new_value: Nullable<String>,
        /// When.
        created_at: Time,
    }
}

lists! {
    /// A page of the history, the newest first.
    ActivityList {
        /// The lines.
        activity: Activity
    }
}
