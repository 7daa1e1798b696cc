//! The statuses of a project's tasks, over HTTP: the columns of its board.

use workscribe_core::Code::{LastStatus, StatusInUse, StatusNameTaken, StatusNotFound};
use workscribe_core::id::StatusId;
use workscribe_core::work::{self, Color, NewStatus, StatusEdit};

use super::projects::location;
use crate::prelude::*;

api! {
    /// Statuses of projects.
    StatusesApi
}

#[OpenApi(prefix_path = "/api/v1", tag = "Tags::Projects")]
impl StatusesApi {
    /// List a project's statuses
    ///
    /// Returns all statuses, in the order of the board. There are no pages.
    #[oai(
        path = "/organizations/:slug/projects/:project_id/statuses",
        method = "get",
        operation_id = "listStatuses"
    )]
    async fn list(
        &self,
        auth: BearerAuth,
        slug: Path<Slug>,
        project_id: Path<ProjectRef>,
    ) -> ApiResult<Reply<Vec<Status>>, IN_PROJECT> {
        let mut uow = auth.read(&self.app).await?;
        let at = auth.enter_project(&mut *uow, &slug, &project_id).await?;
        let statuses = self.app.projects().statuses(&mut *uow, &at).await?;
        Ok(Reply::new(statuses.into_iter().map(Status::from).collect::<Vec<_>>()))
    }

    /// Create a status
    ///
    /// Adds a column to the project's board. A project has at most 50 statuses. Requires an admin or an owner.
    #[oai(
        path = "/organizations/:slug/projects/:project_id/statuses",
        method = "post",
        operation_id = "createStatus"
    )]
    async fn create(
        &self,
        auth: BearerAuth,
        slug: Path<Slug>,
        project_id: Path<ProjectRef>,
        #[oai(name = "Idempotency-Key")] key: Header<Option<IdempotencyKey>>,
        body: Body<CreateStatusRequest>,
    ) -> ApiResult<Created<Status>, { IN_PROJECT | ARCHIVED | CREATES | codes(&[StatusNameTaken]) }> {
        let once =
            Once::new(&self.app, &auth, key, "createStatus", &body).in_project(&slug, &project_id).await?;
        let made = once.run(|mut uow| async move {
            let at = auth.enter_project(&mut *uow, &slug, &project_id).await?;
            let status = self.app.projects().create_status(&mut *uow, &at, &body.0).await?;
            let location = format!("{}/statuses/{}", location(&slug, at.id), status.id);
            Ok((uow, Created::new(status, location)))
        });
        Ok(made.await?)
    }

    /// Update or move a status
    ///
    /// Changes the name, category or colour, or moves the column on the board. Requires an admin or an owner.
    #[oai(
        path = "/organizations/:slug/projects/:project_id/statuses/:status_id",
        method = "patch",
        operation_id = "updateStatus"
    )]
    async fn update(
        &self,
        auth: BearerAuth,
        slug: Path<Slug>,
        project_id: Path<ProjectRef>,
        status_id: Path<Id<StatusId>>,
        #[oai(name = "If-Match")] condition: Header<Option<IfMatch>>,
        body: Body<UpdateStatusRequest>,
    ) -> ApiResult<
        Versioned<Status>,
        { IN_PROJECT | ARCHIVED | STALE | codes(&[StatusNotFound, StatusNameTaken]) },
    > {
        let mut uow = auth.begin(&self.app).await?;
        let at = auth.enter_project(&mut *uow, &slug, &project_id).await?;
        let status = status_id.target(&condition)?;
        let updated = self.app.projects().update_status(&mut *uow, &at, status, &body.0).await?;
        self.app.commit(uow).await?;
        Ok(Versioned::new(updated))
    }

    /// Delete a status
    ///
    /// Moves its tasks to the end of the status `move_to`, which is required if there are any. Requires an admin or an owner.
    #[oai(
        path = "/organizations/:slug/projects/:project_id/statuses/:status_id",
        method = "delete",
        operation_id = "deleteStatus"
    )]
    async fn delete(
        &self,
        auth: BearerAuth,
        slug: Path<Slug>,
        project_id: Path<ProjectRef>,
        status_id: Path<Id<StatusId>>,
        move_to: Asked<MoveTo>,
        #[oai(name = "If-Match")] condition: Header<Option<IfMatch>>,
    ) -> ApiResult<
        NoContent,
        { IN_PROJECT | ARCHIVED | STALE | codes(&[StatusNotFound, StatusInUse, LastStatus]) },
    > {
        let mut uow = auth.begin(&self.app).await?;
        let at = auth.enter_project(&mut *uow, &slug, &project_id).await?;
        let status = status_id.target(&condition)?;
        self.app.projects().delete_status(&mut *uow, &at, status, move_to.0).await?;
        self.app.commit(uow).await?;
        Ok(NoContent::Done)
    }
}

named! {
    /// The meaning of a status, independent of its name.
    StatusCategory = work::StatusCategory;
}

answers! {
    /// A status of a project's tasks: a column of its board.
    Status of status: work::Status {
        /// The id of the status.
        id: Uuid,
        /// The name.
        name: Title,
        /// The meaning.
        category: StatusCategory,
        /// The position among the project's statuses, from 0.
        position: i64,
        /// The colour, as `#rrggbb`.
        color: Nullable<Colour> = status.color.as_ref().map(Color::as_str),
    }
}

inputs! {
    /// A new status.
    CreateStatusRequest {
        /// 1–50 characters, unique in the project without regard to case.
        #[oai(validator(min_length = 1, max_length = 50))]
        name: Required<Title>,
        /// The meaning.
        category: Required<StatusCategory>,
        /// The position among the other statuses, from 0. The default is the end.
        #[oai(validator(minimum(value = "0")))]
        position: Patch<i64>,
        /// The colour, as `#rrggbb`.
        #[oai(validator(pattern = "^#[0-9A-Fa-f]{6}$"))]
        color: Optional<Colour>,
    } => NewStatus = NewStatus { name, category, position, color };

    /// A change of a status. A field that is left out does not change.
    UpdateStatusRequest {
        /// 1–50 characters, unique in the project without regard to case.
        #[oai(validator(min_length = 1, max_length = 50))]
        name: Patch<Title>,
        /// The meaning.
        category: Patch<StatusCategory>,
        /// The position among the other statuses, from 0.
        #[oai(validator(minimum(value = "0")))]
        position: Patch<i64>,
        /// The colour, as `#rrggbb`, or null for none.
        #[oai(validator(pattern = "^#[0-9A-Fa-f]{6}$"))]
        color: Clearable<Colour>,
    } => StatusEdit = StatusEdit { name, category, color, position };
}

params! {
    /// Where the tasks of a deleted status go.
    MoveTo {
        /// The id of the status that its tasks get.
        move_to: StatusId,
    } => Option<StatusId> = move_to;
}
