//! Projects, their statuses and their labels over HTTP.

mod dto;

use poem_openapi::OpenApi;
use poem_openapi::param::{Header, Path};
use poem_openapi::registry::MetaSchema;
use workscribe_core::Code::*;
use workscribe_core::WorkScribe;
use workscribe_core::error::Fault;
use workscribe_core::id::{LabelId, StatusId};
use workscribe_core::work::Archived;

use crate::auth::BearerAuth;
use crate::body::Body;
use crate::once::Once;
use crate::problem::refuses::{ARCHIVED, CREATES, IN_ORGANIZATION, IN_PROJECT, STALE};
use crate::problem::{ApiResult, codes};
use crate::query::{
    Asked, Id, PageCount, PageCursor, PageLimit, Parameter, not_one_of, only_page, page, read,
};
use crate::reply::{Created, NoContent, Reply, Versioned, if_match};
use crate::tags::Tags;
use crate::wire::{IdempotencyKey, IfMatch, ProjectRef, Slug, names};

pub use dto::*;

/// Projects, their statuses and their labels.
pub struct ProjectsApi {
    app: WorkScribe,
}

impl ProjectsApi {
    /// The API of an application.
    #[must_use]
    pub fn new(app: &WorkScribe) -> Self {
        Self { app: app.clone() }
    }
}

const ARCHIVED_NAMES: [(&str, Archived); 3] =
    [("false", Archived::No), ("true", Archived::Yes), ("all", Archived::All)];

impl Parameter for Archived {
    fn schema() -> MetaSchema {
        let description =
            Some("Whether to list archived projects: only those (`true`), none of them (`false`), or `all`.");
        let default = Some("false".into());
        MetaSchema { description, default, ..names(ARCHIVED_NAMES.map(|(name, _)| name)) }
    }

    fn parse(text: &str) -> Result<Self, Fault> {
        let found = ARCHIVED_NAMES.into_iter().find(|(name, _)| *name == text);
        found.map(|(_, archived)| archived).ok_or_else(|| not_one_of(&ARCHIVED_NAMES.map(|(name, _)| name)))
    }
}

fn location(slug: &str, project: impl std::fmt::Display) -> String {
    format!("/api/v1/organizations/{slug}/projects/{project}")
}

#[OpenApi(prefix_path = "/api/v1", tag = "Tags::Projects")]
impl ProjectsApi {
    /// List projects
    #[oai(path = "/organizations/:slug/projects", method = "get", operation_id = "listProjects")]
    async fn list(
        &self,
        auth: BearerAuth,
        slug: Path<Slug>,
        archived: Asked<Archived>,
        limit: Asked<PageLimit>,
        cursor: Asked<PageCursor>,
        count: Asked<PageCount>,
    ) -> ApiResult<Reply<ProjectList>, IN_ORGANIZATION> {
        let (archived, page) =
            read(|faults| (archived.read(faults).unwrap_or_default(), page((limit, cursor, count), faults)))?;
        let mut uow = auth.read(&self.app).await?;
        let at = auth.enter(&mut *uow, &slug).await?;
        let found = self.app.projects().list(&mut *uow, &at, archived, &page).await?;
        Ok(Reply::new(found))
    }

    /// Make a project
    ///
    /// It begins with the statuses To Do, In Progress, In Review and Done. For admins and owners.
    #[oai(path = "/organizations/:slug/projects", method = "post", operation_id = "createProject")]
    async fn create(
        &self,
        auth: BearerAuth,
        slug: Path<Slug>,
        #[oai(name = "Idempotency-Key")] key: Header<Option<IdempotencyKey>>,
        body: Body<CreateProjectRequest>,
    ) -> ApiResult<Created<Project>, { IN_ORGANIZATION | CREATES | codes(&[KeyTaken]) }> {
        let once = Once::new(&self.app, &auth, key, "createProject", &body).in_organization(&slug).await?;
        let made = once.run(|mut uow| async move {
            let at = auth.enter(&mut *uow, &slug).await?;
            let project = self.app.projects().create(&mut *uow, &at, &body.0).await?;
            let location = location(at.slug.as_str(), project.id);
            Ok((uow, Created::new(project, location)))
        });
        Ok(made.await?)
    }

    /// Get a project
    #[oai(path = "/organizations/:slug/projects/:project_id", method = "get", operation_id = "getProject")]
    async fn get(
        &self,
        auth: BearerAuth,
        slug: Path<Slug>,
        project_id: Path<ProjectRef>,
    ) -> ApiResult<Versioned<Project>, IN_PROJECT> {
        let mut uow = auth.read(&self.app).await?;
        let at = auth.enter_project(&mut *uow, &slug, &project_id).await?;
        self.app.projects().view(at.scope())?;
        Ok(Versioned::new(at.into_it()))
    }

    /// Change, archive or restore a project
    ///
    /// An archived project can only be restored, with other changes in the same request. For admins and owners.
    #[oai(
        path = "/organizations/:slug/projects/:project_id",
        method = "patch",
        operation_id = "updateProject"
    )]
    async fn update(
        &self,
        auth: BearerAuth,
        slug: Path<Slug>,
        project_id: Path<ProjectRef>,
        #[oai(name = "If-Match")] condition: Header<Option<IfMatch>>,
        body: Body<UpdateProjectRequest>,
    ) -> ApiResult<Versioned<Project>, { IN_PROJECT | ARCHIVED | STALE }> {
        let mut uow = auth.begin(&self.app).await?;
        let at = auth.enter_project(&mut *uow, &slug, &project_id).await?;
        let expected = if_match(condition.0.as_deref());
        let updated = self.app.projects().update(&mut *uow, &at, &body.0, expected).await?;
        self.app.commit(uow).await?;
        Ok(Versioned::new(updated))
    }

    /// Archive a project
    ///
    /// It can be read and restored afterwards. For admins and owners.
    #[oai(
        path = "/organizations/:slug/projects/:project_id",
        method = "delete",
        operation_id = "archiveProject"
    )]
    async fn archive(
        &self,
        auth: BearerAuth,
        slug: Path<Slug>,
        project_id: Path<ProjectRef>,
        #[oai(name = "If-Match")] condition: Header<Option<IfMatch>>,
    ) -> ApiResult<NoContent, { IN_PROJECT | STALE }> {
        let mut uow = auth.begin(&self.app).await?;
        let at = auth.enter_project(&mut *uow, &slug, &project_id).await?;
        self.app.projects().archive(&mut *uow, &at, if_match(condition.0.as_deref())).await?;
        self.app.commit(uow).await?;
        Ok(NoContent::Done)
    }

    /// List statuses
    ///
    /// All of the project's, in the order of its board.
    #[oai(
        path = "/organizations/:slug/projects/:project_id/statuses",
        method = "get",
        operation_id = "listStatuses"
    )]
    async fn statuses(
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

    /// Make a status
    ///
    /// A project has at most 50. For admins and owners.
    #[oai(
        path = "/organizations/:slug/projects/:project_id/statuses",
        method = "post",
        operation_id = "createStatus"
    )]
    async fn create_status(
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

    /// Change or move a status
    ///
    /// For admins and owners.
    #[oai(
        path = "/organizations/:slug/projects/:project_id/statuses/:status_id",
        method = "patch",
        operation_id = "updateStatus"
    )]
    async fn update_status(
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

    /// Remove a status
    ///
    /// Its tasks go to the end of another, which must be named if there are any. For admins and owners.
    #[oai(
        path = "/organizations/:slug/projects/:project_id/statuses/:status_id",
        method = "delete",
        operation_id = "deleteStatus"
    )]
    async fn delete_status(
        &self,
        auth: BearerAuth,
        slug: Path<Slug>,
        project_id: Path<ProjectRef>,
        status_id: Path<Id<StatusId>>,
        /// The status that its tasks are to have.
        move_to: Asked<StatusId>,
        #[oai(name = "If-Match")] condition: Header<Option<IfMatch>>,
    ) -> ApiResult<
        NoContent,
        { IN_PROJECT | ARCHIVED | STALE | codes(&[StatusNotFound, StatusInUse, LastStatus]) },
    > {
        let move_to = read(|faults| move_to.read(faults))?;
        let mut uow = auth.begin(&self.app).await?;
        let at = auth.enter_project(&mut *uow, &slug, &project_id).await?;
        let status = status_id.target(&condition)?;
        self.app.projects().delete_status(&mut *uow, &at, status, move_to).await?;
        self.app.commit(uow).await?;
        Ok(NoContent::Done)
    }

    /// List labels
    #[oai(
        path = "/organizations/:slug/projects/:project_id/labels",
        method = "get",
        operation_id = "listLabels"
    )]
    async fn labels(
        &self,
        auth: BearerAuth,
        slug: Path<Slug>,
        project_id: Path<ProjectRef>,
        limit: Asked<PageLimit>,
        cursor: Asked<PageCursor>,
        count: Asked<PageCount>,
    ) -> ApiResult<Reply<LabelList>, IN_PROJECT> {
        let page = only_page(limit, cursor, count)?;
        let mut uow = auth.read(&self.app).await?;
        let at = auth.enter_project(&mut *uow, &slug, &project_id).await?;
        let found = self.app.projects().labels(&mut *uow, &at, &page).await?;
        Ok(Reply::new(found))
    }

    /// Make a label
    ///
    /// For admins and owners.
    #[oai(
        path = "/organizations/:slug/projects/:project_id/labels",
        method = "post",
        operation_id = "createLabel"
    )]
    async fn create_label(
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

    /// Change a label
    ///
    /// For admins and owners.
    #[oai(
        path = "/organizations/:slug/projects/:project_id/labels/:label_id",
        method = "patch",
        operation_id = "updateLabel"
    )]
    async fn update_label(
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

    /// Remove a label
    ///
    /// From its tasks too. For admins and owners.
    #[oai(
        path = "/organizations/:slug/projects/:project_id/labels/:label_id",
        method = "delete",
        operation_id = "deleteLabel"
    )]
    async fn delete_label(
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
