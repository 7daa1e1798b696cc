//! The labels of a project's tasks, over HTTP.

use workscribe_core::Code::{LabelNameTaken, LabelNotFound};
use workscribe_core::id::LabelId;
use workscribe_core::work::{self, LabelEdit, NewLabel};

use super::projects::location;
use crate::prelude::*;

api! {
    /// Labels of projects.
    LabelsApi
}

#[OpenApi(prefix_path = "/api/v1", tag = "Tags::Projects")]
impl LabelsApi {
    /// List a project's labels
    ///
    /// Returns the labels, oldest first.
    #[oai(
        path = "/organizations/:slug/projects/:project_id/labels",
        method = "get",
        operation_id = "listLabels"
    )]
    async fn list(
        &self,
        auth: BearerAuth,
        slug: Path<Slug>,
        project_id: Path<ProjectRef>,
        page: Asked<Paging>,
    ) -> ApiResult<Reply<LabelList>, IN_PROJECT> {
        let mut uow = auth.read(&self.app).await?;
        let at = auth.enter_project(&mut *uow, &slug, &project_id).await?;
        let found = self.app.projects().labels(&mut *uow, &at, &page).await?;
        Ok(Reply::new(found))
    }

    /// Create a label
    ///
    /// Adds a label that the project's tasks can have. Requires an admin or an owner.
    #[oai(
        path = "/organizations/:slug/projects/:project_id/labels",
        method = "post",
        operation_id = "createLabel"
    )]
    async fn create(
        &self,
        auth: BearerAuth,
        slug: Path<Slug>,
        project_id: Path<ProjectRef>,
        #[oai(name = "Idempotency-Key")] key: Header<Option<IdempotencyKey>>,
        body: Body<CreateLabelRequest>,
    ) -> ApiResult<Created<Label>, { IN_PROJECT | ARCHIVED | CREATES | codes(&[LabelNameTaken]) }> {
        let once =
            Once::new(&self.app, &auth, key, "createLabel", &body).in_project(&slug, &project_id).await?;
        let made = once.run(|mut uow| async move {
            let at = auth.enter_project(&mut *uow, &slug, &project_id).await?;
            let label = self.app.projects().create_label(&mut *uow, &at, &body.0).await?;
            let location = format!("{}/labels/{}", location(&slug, at.id), label.id);
            Ok((uow, Created::new(label, location)))
        });
        Ok(made.await?)
    }

    /// Update a label
    ///
    /// Changes the name or the colour, also on tasks that have the label. Requires an admin or an owner.
    #[oai(
        path = "/organizations/:slug/projects/:project_id/labels/:label_id",
        method = "patch",
        operation_id = "updateLabel"
    )]
    async fn update(
        &self,
        auth: BearerAuth,
        slug: Path<Slug>,
        project_id: Path<ProjectRef>,
        label_id: Path<Id<LabelId>>,
        #[oai(name = "If-Match")] condition: Header<Option<IfMatch>>,
        body: Body<UpdateLabelRequest>,
    ) -> ApiResult<
        Versioned<Label>,
        { IN_PROJECT | ARCHIVED | STALE | codes(&[LabelNotFound, LabelNameTaken]) },
    > {
        let mut uow = auth.begin(&self.app).await?;
        let at = auth.enter_project(&mut *uow, &slug, &project_id).await?;
        let label = label_id.target(&condition)?;
        let updated = self.app.projects().update_label(&mut *uow, &at, label, &body.0).await?;
        self.app.commit(uow).await?;
        Ok(Versioned::new(updated))
    }

    /// Delete a label
    ///
    /// Removes the label from the project and from its tasks. Requires an admin or an owner.
    #[oai(
        path = "/organizations/:slug/projects/:project_id/labels/:label_id",
        method = "delete",
        operation_id = "deleteLabel"
    )]
    async fn delete(
        &self,
        auth: BearerAuth,
        slug: Path<Slug>,
        project_id: Path<ProjectRef>,
        label_id: Path<Id<LabelId>>,
        #[oai(name = "If-Match")] condition: Header<Option<IfMatch>>,
    ) -> ApiResult<NoContent, { IN_PROJECT | ARCHIVED | STALE | codes(&[LabelNotFound]) }> {
        let mut uow = auth.begin(&self.app).await?;
        let at = auth.enter_project(&mut *uow, &slug, &project_id).await?;
        let label = label_id.target(&condition)?;
        self.app.projects().delete_label(&mut *uow, &at, label).await?;
        self.app.commit(uow).await?;
        Ok(NoContent::Done)
    }
}

answers! {
    /// A label of a project's tasks.
    Label of label: work::Label {
        /// The id of the label.
        id: Uuid,
        /// The name.
        name: Title,
        /// The colour, as `#rrggbb`.
        color: Colour = label.color.as_str(),
    }
}

impl From<work::TaskLabel> for Label {
    fn from(label: work::TaskLabel) -> Self {
        Self { id: label.id.into(), name: label.name.into(), color: label.color.as_str().into() }
    }
}

lists! {
    /// A page of labels, oldest first.
    LabelList {
        /// The labels.
        labels: Label
    }
}

inputs! {
    /// A new label.
    CreateLabelRequest {
        /// 1–50 characters, unique in the project without regard to case.
        #[oai(validator(min_length = 1, max_length = 50))]
        name: Required<Title>,
        /// The colour, as `#rrggbb`.
        #[oai(validator(pattern = "^#[0-9A-Fa-f]{6}$"))]
        color: Required<Colour>,
    } => NewLabel = NewLabel { name, color };

    /// A change of a label. A field that is left out does not change.
    UpdateLabelRequest {
        /// 1–50 characters, unique in the project without regard to case.
        #[oai(validator(min_length = 1, max_length = 50))]
        name: Patch<Title>,
        /// The colour, as `#rrggbb`.
        #[oai(validator(pattern = "^#[0-9A-Fa-f]{6}$"))]
        color: Patch<Colour>,
    } => LabelEdit = LabelEdit { name, color };
}
