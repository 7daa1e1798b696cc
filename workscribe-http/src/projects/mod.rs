//! Projects, their statuses and their labels over HTTP.

mod dto;

use poem_openapi::OpenApi;
use poem_openapi::param::{Header, Path, Query};
use workscribe_core::error::Violations;
use workscribe_core::id::{LabelId, StatusId};
use workscribe_core::work::{Archived, Color, NewLabel, NewProject, NewStatus, ProjectChange, StatusChange};
use workscribe_core::{Code, Error, WorkScribe};

use crate::auth::BearerAuth;
use crate::body::{Body, not_null, nullable};
use crate::once::{self, Begun, Made, Place};
use crate::problem::ApiResult;
use crate::query::{choice, page, read};
use crate::reply::{Created, NoContent, Reply, Versioned, if_match};
use crate::tags::Tags;

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

fn location(slug: &str, project: impl std::fmt::Display) -> String {
    format!("/api/v1/organizations/{slug}/projects/{project}")
}

fn status_id(text: &str) -> Result<StatusId, Error> {
    text.parse().map_err(|_| Error::new(Code::StatusNotFound, "This project has no status with this id."))
}

fn label_id(text: &str) -> Result<LabelId, Error> {
    text.parse().map_err(|_| Error::new(Code::LabelNotFound, "This project has no label with this id."))
}

#[OpenApi(prefix_path = "/api/v1", tag = "Tags::Projects")]
impl ProjectsApi {
    /// List projects
    #[oai(path = "/organizations/:slug/projects", method = "get", operation_id = "listProjects")]
    async fn list(
        &self,
        auth: BearerAuth,
        /// The organization's slug.
        slug: Path<String>,
        /// Whether to list archived projects: only those (`true`), none of them (`false`), or `all`.
        archived: Query<Option<String>>,
        /// Items on a page: 1–100, 25 unless given.
        limit: Query<Option<String>>,
        /// The `next_cursor` of the page before.
        cursor: Query<Option<String>>,
        /// Whether to answer the `total`.
        count: Query<Option<String>>,
    ) -> ApiResult<Reply<ProjectList>> {
        let archived = choice("archived", archived, &["false", "true", "all"], |text| match text {
            "true" => Some(Archived::Yes),
            "all" => Some(Archived::All),
            _ => Some(Archived::No),
        });
        let (archived, page) = (archived?.unwrap_or_default(), page(limit, cursor, count)?);
        let mut uow = auth.read(&self.app).await?;
        let (scope, _) = auth.enter(&mut *uow, &slug.0).await?;
        let found = self.app.projects().list(&mut *uow, &scope, archived, &page).await?;
        let projects = found.items.into_iter().map(Project::from).collect();
        Ok(Reply::new(ProjectList { projects, next_cursor: found.next_cursor, total: found.total }))
    }

    /// Make a project
    ///
    /// It begins with the statuses To Do, In Progress, In Review and Done. For admins and owners.
    #[oai(path = "/organizations/:slug/projects", method = "post", operation_id = "createProject")]
    async fn create(
        &self,
        auth: BearerAuth,
        /// The organization's slug.
        slug: Path<String>,
        /// A key of the client's: the same request sent again under it is done once.
        #[oai(name = "Idempotency-Key")]
        key: Header<Option<String>>,
        body: Body<CreateProjectRequest>,
    ) -> ApiResult<Created<Project>> {
        let (user, digest, key) = (auth.actor().user, body.digest(), key.0.as_deref());
        let place = Place::organization(&self.app, key, &slug.0, user).await?;
        let request = once::Request { key, operation: "createProject", user, place, digest };
        let mut once = match once::begin(&self.app, request).await? {
            Begun::Repeated(answer) => return Ok(answer),
            Begun::Fresh(once) => once,
        };
        let made = async {
            let (scope, organization) = auth.enter(once.uow(), &slug.0).await?;
            let CreateProjectRequest { name, key, description, kind } = body.0;
            let kind = not_null("/type", kind)?.unwrap_or(ProjectType::Kanban).into();
            let new = NewProject { name, key, description: description.take(), kind };
            let project = self.app.projects().create(once.uow(), &scope, &new).await?;
            let (location, version) = (location(organization.slug.as_str(), project.id), project.version);
            Ok(Made { value: Project::from(project), location, version })
        };
        let made = made.await;
        once.finish(made).await
    }

    /// Get a project
    #[oai(path = "/organizations/:slug/projects/:project_id", method = "get", operation_id = "getProject")]
    async fn get(
        &self,
        auth: BearerAuth,
        /// The organization's slug.
        slug: Path<String>,
        /// The project's id or key.
        project_id: Path<String>,
    ) -> ApiResult<Versioned<Project>> {
        let mut uow = auth.read(&self.app).await?;
        let (scope, entered) = auth.enter_project(&mut *uow, &slug.0, &project_id.0).await?;
        self.app.projects().view(&scope)?;
        let version = entered.found.version;
        Ok(Versioned::new(entered.found.into(), version))
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
        /// The organization's slug.
        slug: Path<String>,
        /// The project's id or key.
        project_id: Path<String>,
        /// The `ETag` the change is meant for.
        #[oai(name = "If-Match")]
        condition: Header<Option<String>>,
        body: Body<UpdateProjectRequest>,
    ) -> ApiResult<Versioned<Project>> {
        let mut uow = auth.begin(&self.app).await?;
        let (scope, entered) = auth.enter_project(&mut *uow, &slug.0, &project_id.0).await?;
        let UpdateProjectRequest { name, description, is_archived } = body.0;
        let change = ProjectChange {
            name: not_null("/name", name)?,
            description: nullable(description),
            is_archived: not_null("/is_archived", is_archived)?,
        };
        let (id, expected) = (entered.found.id, if_match(condition.0.as_deref()));
        let updated = self.app.projects().update(&mut *uow, &scope, id, &change, expected).await?;
        self.app.commit(uow).await?;
        let version = updated.version;
        Ok(Versioned::new(updated.into(), version))
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
        /// The organization's slug.
        slug: Path<String>,
        /// The project's id or key.
        project_id: Path<String>,
        /// The `ETag` the removal is meant for.
        #[oai(name = "If-Match")]
        condition: Header<Option<String>>,
    ) -> ApiResult<NoContent> {
        let mut uow = auth.begin(&self.app).await?;
        let (scope, entered) = auth.enter_project(&mut *uow, &slug.0, &project_id.0).await?;
        let (id, expected) = (entered.found.id, if_match(condition.0.as_deref()));
        self.app.projects().archive(&mut *uow, &scope, id, expected).await?;
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
        /// The organization's slug.
        slug: Path<String>,
        /// The project's id or key.
        project_id: Path<String>,
    ) -> ApiResult<Reply<Vec<Status>>> {
        let mut uow = auth.read(&self.app).await?;
        let (scope, entered) = auth.enter_project(&mut *uow, &slug.0, &project_id.0).await?;
        let statuses = self.app.projects().statuses(&mut *uow, &scope, entered.found.id).await?;
        Ok(Reply::new(statuses.into_iter().map(Status::from).collect()))
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
        /// The organization's slug.
        slug: Path<String>,
        /// The project's id or key.
        project_id: Path<String>,
        /// A key of the client's: the same request sent again under it is done once.
        #[oai(name = "Idempotency-Key")]
        key: Header<Option<String>>,
        body: Body<CreateStatusRequest>,
    ) -> ApiResult<Created<Status>> {
        let (user, digest, key) = (auth.actor().user, body.digest(), key.0.as_deref());
        let place = Place::project(&self.app, key, &slug.0, &project_id.0, user).await?;
        let request = once::Request { key, operation: "createStatus", user, place, digest };
        let mut once = match once::begin(&self.app, request).await? {
            Begun::Repeated(answer) => return Ok(answer),
            Begun::Fresh(once) => once,
        };
        let made = async {
            let (scope, entered) = auth.enter_project(once.uow(), &slug.0, &project_id.0).await?;
            let CreateStatusRequest { name, category, position, color } = body.0;
            let (category, color) = (category.into(), color.take());
            let new = NewStatus { name, category, position: not_null("/position", position)?, color };
            let project = entered.found.id;
            let status = self.app.projects().create_status(once.uow(), &scope, project, &new).await?;
            let location = format!("{}/statuses/{}", location(&slug.0, project), status.id);
            let version = status.version;
            Ok(Made { value: Status::from(status), location, version })
        };
        let made = made.await;
        once.finish(made).await
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
        /// The organization's slug.
        slug: Path<String>,
        /// The project's id or key.
        project_id: Path<String>,
        /// The status's id.
        status_id: Path<String>,
        /// The `ETag` the change is meant for.
        #[oai(name = "If-Match")]
        condition: Header<Option<String>>,
        body: Body<UpdateStatusRequest>,
    ) -> ApiResult<Versioned<Status>> {
        let mut uow = auth.begin(&self.app).await?;
        let (scope, entered) = auth.enter_project(&mut *uow, &slug.0, &project_id.0).await?;
        let (project, id) = (entered.found.id, self::status_id(&status_id.0)?);
        let UpdateStatusRequest { name, category, position, color } = body.0;
        let mut violations = Violations::default();
        let color = nullable(color)
            .map(|color| color.and_then(|text| violations.keep("/color", Color::parse(&text))));
        violations.into_result()?;
        let category = not_null("/category", category)?.map(Into::into);
        let change = StatusChange { name: not_null("/name", name)?, category, color };
        let (position, expected) = (not_null("/position", position)?, if_match(condition.0.as_deref()));
        let projects = self.app.projects();
        let updated =
            projects.update_status(&mut *uow, &scope, project, id, &change, position, expected).await?;
        self.app.commit(uow).await?;
        let version = updated.version;
        Ok(Versioned::new(updated.into(), version))
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
        /// The organization's slug.
        slug: Path<String>,
        /// The project's id or key.
        project_id: Path<String>,
        /// The status's id.
        status_id: Path<String>,
        /// The status that its tasks are to have.
        move_to: Query<Option<String>>,
        /// The `ETag` the removal is meant for.
        #[oai(name = "If-Match")]
        condition: Header<Option<String>>,
    ) -> ApiResult<NoContent> {
        let message = "Name another status of this project.";
        let move_to = read("move_to", move_to, "NOT_AN_ID", message, |text| text.parse().ok())?;
        let mut uow = auth.begin(&self.app).await?;
        let (scope, entered) = auth.enter_project(&mut *uow, &slug.0, &project_id.0).await?;
        let (project, id) = (entered.found.id, self::status_id(&status_id.0)?);
        let expected = if_match(condition.0.as_deref());
        self.app.projects().delete_status(&mut *uow, &scope, project, id, move_to, expected).await?;
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
        /// The organization's slug.
        slug: Path<String>,
        /// The project's id or key.
        project_id: Path<String>,
        /// Items on a page: 1–100, 25 unless given.
        limit: Query<Option<String>>,
        /// The `next_cursor` of the page before.
        cursor: Query<Option<String>>,
        /// Whether to answer the `total`.
        count: Query<Option<String>>,
    ) -> ApiResult<Reply<LabelList>> {
        let page = page(limit, cursor, count)?;
        let mut uow = auth.read(&self.app).await?;
        let (scope, entered) = auth.enter_project(&mut *uow, &slug.0, &project_id.0).await?;
        let found = self.app.projects().labels(&mut *uow, &scope, entered.found.id, &page).await?;
        let labels = found.items.into_iter().map(Label::from).collect();
        Ok(Reply::new(LabelList { labels, next_cursor: found.next_cursor, total: found.total }))
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
        /// The organization's slug.
        slug: Path<String>,
        /// The project's id or key.
        project_id: Path<String>,
        /// A key of the client's: the same request sent again under it is done once.
        #[oai(name = "Idempotency-Key")]
        key: Header<Option<String>>,
        body: Body<CreateLabelRequest>,
    ) -> ApiResult<Created<Label>> {
        let (user, digest, key) = (auth.actor().user, body.digest(), key.0.as_deref());
        let place = Place::project(&self.app, key, &slug.0, &project_id.0, user).await?;
        let request = once::Request { key, operation: "createLabel", user, place, digest };
        let mut once = match once::begin(&self.app, request).await? {
            Begun::Repeated(answer) => return Ok(answer),
            Begun::Fresh(once) => once,
        };
        let made = async {
            let (scope, entered) = auth.enter_project(once.uow(), &slug.0, &project_id.0).await?;
            let CreateLabelRequest { name, color } = body.0;
            let (project, new) = (entered.found.id, NewLabel { name, color });
            let label = self.app.projects().create_label(once.uow(), &scope, project, &new).await?;
            let location = format!("{}/labels/{}", location(&slug.0, project), label.id);
            let version = label.version;
            Ok(Made { value: Label::from(label), location, version })
        };
        let made = made.await;
        once.finish(made).await
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
        /// The organization's slug.
        slug: Path<String>,
        /// The project's id or key.
        project_id: Path<String>,
        /// The label's id.
        label_id: Path<String>,
        /// The `ETag` the change is meant for.
        #[oai(name = "If-Match")]
        condition: Header<Option<String>>,
        body: Body<UpdateLabelRequest>,
    ) -> ApiResult<Versioned<Label>> {
        let mut uow = auth.begin(&self.app).await?;
        let (scope, entered) = auth.enter_project(&mut *uow, &slug.0, &project_id.0).await?;
        let (project, id) = (entered.found.id, self::label_id(&label_id.0)?);
        let UpdateLabelRequest { name, color } = body.0;
        let (name, color) = (not_null("/name", name)?, not_null("/color", color)?);
        let (name, color, expected) = (name.as_deref(), color.as_deref(), if_match(condition.0.as_deref()));
        let projects = self.app.projects();
        let updated = projects.update_label(&mut *uow, &scope, project, id, name, color, expected).await?;
        self.app.commit(uow).await?;
        let version = updated.version;
        Ok(Versioned::new(updated.into(), version))
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
        /// The organization's slug.
        slug: Path<String>,
        /// The project's id or key.
        project_id: Path<String>,
        /// The label's id.
        label_id: Path<String>,
        /// The `ETag` the removal is meant for.
        #[oai(name = "If-Match")]
        condition: Header<Option<String>>,
    ) -> ApiResult<NoContent> {
        let mut uow = auth.begin(&self.app).await?;
        let (scope, entered) = auth.enter_project(&mut *uow, &slug.0, &project_id.0).await?;
        let (project, id) = (entered.found.id, self::label_id(&label_id.0)?);
        let expected = if_match(condition.0.as_deref());
        self.app.projects().delete_label(&mut *uow, &scope, project, id, expected).await?;
        self.app.commit(uow).await?;
        Ok(NoContent::Done)
    }
}
