//! Projects over HTTP.

use poem_openapi::registry::MetaSchema;
use workscribe_core::Code::KeyTaken;
use workscribe_core::error::Fault;
use workscribe_core::work::{self, Archived, NewProject, ProjectChange};

use crate::prelude::*;

api! {
    /// Projects.
    ProjectsApi
}

#[OpenApi(prefix_path = "/api/v1", tag = "Tags::Projects")]
impl ProjectsApi {
    /// List an organization's projects
    ///
    /// Returns the projects, oldest first. Archived projects are included only if `archived` asks for them.
    #[oai(path = "/organizations/:slug/projects", method = "get", operation_id = "listProjects")]
    async fn list(
        &self,
        auth: BearerAuth,
        slug: Path<Slug>,
        asked: Asked<(ProjectFilter, Paging)>,
    ) -> ApiResult<Reply<ProjectList>, IN_ORGANIZATION> {
        let (archived, page) = asked.0;
        let mut uow = auth.read(&self.app).await?;
        let at = auth.enter(&mut *uow, &slug).await?;
        let found = self.app.projects().list(&mut *uow, &at, archived, &page).await?;
        Ok(Reply::new(found))
    }

    /// Create a project
    ///
    /// The new project has the statuses To Do, In Progress, In Review and Done. Requires an admin or an owner.
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
    ///
    /// Finds a project by its id or by its key.
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

    /// Update, archive or restore a project
    ///
    /// An archived project can only be restored, with other changes in the same request. Requires an admin or an owner.
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
    /// Makes the project read-only. It can be restored with `updateProject`. Requires an admin or an owner.
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
}

named! {
    /// How the members work on a project.
    ProjectType = work::ProjectType;
}

answers! {
    /// A project.
    Project of project: work::Project {
        /// The id of the project.
        id: Uuid,
        /// The id of the organization.
        org_id: Uuid,
        /// The name.
        name: Title,
        /// The letters before the numbers of its tasks.
        key: ProjectKey,
        /// The description.
        description: Nullable<String>,
        /// How the members work on the project.
        kind as "type": ProjectType,
        /// Whether the project is archived, and so read-only.
        is_archived: bool,
        /// The id of the user who created the project.
        created_by: Uuid,
        /// When the project was created.
        created_at: Time,
        /// When the project was last changed.
        updated_at: Time,
    }
}

lists! {
    /// A page of projects, oldest first.
    ProjectList {
        /// The projects.
        projects: Project
    }
}

inputs! {
    /// A new project.
    CreateProjectRequest {
        /// 2–100 characters.
        #[oai(validator(min_length = 2, max_length = 100))]
        name: Required<Title>,
        /// 2–10 letters and digits, beginning with a letter; stored in upper case. It cannot be changed later.
        #[oai(validator(min_length = 2, max_length = 10, pattern = "^[A-Za-z][A-Za-z0-9]{1,9}$"))]
        key: Required<ProjectKey>,
        /// At most 10,000 characters.
        #[oai(validator(max_length = 10000))]
        description: Optional<String>,
        /// How the members work on the project. The default is `kanban`.
        kind as "type": Patch<ProjectType>,
    } => NewProject = {
        let kind = kind.unwrap_or(work::ProjectType::Kanban);
        NewProject { name, key, description, kind }
    };

    /// A change of a project. A field that is left out does not change.
    UpdateProjectRequest {
        /// 2–100 characters.
        #[oai(validator(min_length = 2, max_length = 100))]
        name: Patch<Title>,
        /// At most 10,000 characters, or null for none.
        #[oai(validator(max_length = 10000))]
        description: Clearable<String>,
        /// `true` archives the project, `false` restores it.
        is_archived: Patch<bool>,
    } => ProjectChange = ProjectChange { name, description, is_archived };
}

params! {
    /// Which projects to list.
    ProjectFilter { archived: Archived } => Archived = archived.unwrap_or_default();
}

const ARCHIVED_NAMES: [(&str, Archived); 3] =
    [("false", Archived::No), ("true", Archived::Yes), ("all", Archived::All)];

impl Parameter for Archived {
    fn schema() -> MetaSchema {
        let description =
            Some("Which projects to list: the archived ones (`true`), the others (`false`) or both (`all`).");
        let default = Some("false".into());
        MetaSchema { description, default, ..names(ARCHIVED_NAMES.map(|(name, _)| name)) }
    }

    fn parse(text: &str) -> Result<Self, Fault> {
        let found = ARCHIVED_NAMES.into_iter().find(|(name, _)| *name == text);
        found.map(|(_, archived)| archived).ok_or_else(|| not_one_of(&ARCHIVED_NAMES.map(|(name, _)| name)))
    }
}

/// The path of a project, by its id or key.
pub(super) fn location(slug: &str, project: impl std::fmt::Display) -> String {
    format!("/api/v1/organizations/{slug}/projects/{project}")
}
