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
    /// List projects
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
}

named! {
    /// How a project is worked on.
    ProjectType = work::ProjectType;
}

answers! {
    /// A project.
    Project of project: work::Project {
        /// Its id.
        id: Uuid,
        /// Of which organization.
        org_id: Uuid,
        /// Its name.
        name: Title,
        /// The letters before its tasks' numbers.
        key: ProjectKey,
        /// What it is for.
        description: Nullable<String>,
        /// How it is worked on.
        kind as "type": ProjectType,
        /// Whether it is read-only.
        is_archived: bool,
        /// The user who made it.
        created_by: Uuid,
        /// When it was made.
        created_at: Time,
        /// When it was last changed.
        updated_at: Time,
    }
}

lists! {
    /// A page of projects, the oldest first.
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
        /// 2–10 letters and digits, beginning with a letter; kept in upper case. It does not change later.
        #[oai(validator(min_length = 2, max_length = 10, pattern = "^[A-Za-z][A-Za-z0-9]{1,9}$"))]
        key: Required<ProjectKey>,
        /// At most 10,000 characters.
        #[oai(validator(max_length = 10000))]
        description: Optional<String>,
        /// How it is worked on: `kanban` unless given.
        kind as "type": Patch<ProjectType>,
    } => NewProject = {
        let kind = kind.unwrap_or(work::ProjectType::Kanban);
        NewProject { name, key, description, kind }
    };

    /// A change of a project. What is left out stays as it is.
    UpdateProjectRequest {
        /// 2–100 characters.
        #[oai(validator(min_length = 2, max_length = 100))]
        name: Patch<Title>,
        /// At most 10,000 characters, or null for none.
        #[oai(validator(max_length = 10000))]
        description: Clearable<String>,
        /// `true` archives, `false` restores.
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
            Some("Whether to list archived projects: only those (`true`), none of them (`false`), or `all`.");
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
