//! Projects: admins create, change and archive them.

use crate::app::WorkScribe;
use crate::error::{Code, Error, Result, Violations};
use crate::events::DomainEvent;
use crate::identity::display_name;
use crate::limits::Limit;
use crate::page::{Cursor, ITEM_BYTES, Page, PageRequest, json_bytes};
use crate::storage::UnitOfWork;
use crate::store_error::{Constraint, StoreError};
use crate::target::{Target, expect_version};
use crate::tenancy::{Action, In, OrgScope, Organization};

use super::model::{
    Archived, DESCRIPTION_CHARS, Project, ProjectChange, ProjectKey, ProjectType, Status, StatusCategory,
    text,
};
use super::record::{Change, Trail, index_project, writable};

/// Projects, with their statuses and labels. [`WorkScribe::projects`] returns it.
///
/// Every method takes the caller's unit of work and the result of a door: [`In::project`].
#[derive(Clone, Copy)]
pub struct Projects<'a> {
    pub(super) app: &'a WorkScribe,
}

/// The input of a new project.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewProject {
    /// Its name.
    pub name: String,
    /// The letters before the numbers of its tasks, in upper or lower case.
    pub key: String,
    /// Its description.
    pub description: Option<String>,
    /// How the members work on it.
    pub kind: ProjectType,
}

/// The statuses of a new project.
const STATUSES: [(&str, StatusCategory); 4] = [
    ("To Do", StatusCategory::Todo),
    ("In Progress", StatusCategory::InProgress),
    ("In Review", StatusCategory::InProgress),
    ("Done", StatusCategory::Done),
];

impl WorkScribe {
    /// Projects, with their statuses and labels.
    #[must_use]
    pub const fn projects(&self) -> Projects<'_> {
        Projects { app: self }
    }
}

impl Projects<'_> {
    /// Creates a project with the statuses To Do, In Progress, In Review and Done.
    ///
    /// # Errors
    /// `INSUFFICIENT_ROLE`, `VALIDATION_FAILED`, `KEY_TAKEN`, `LIMIT_REACHED`.
    pub async fn create(
        &self,
        uow: &mut dyn UnitOfWork,
        at: &In<Organization>,
        new: &NewProject,
    ) -> Result<Project> {
        let scope = at.scope();
        self.manage(scope)?;
        let mut violations = Violations::default();
        let name = violations.keep("/name", display_name(&new.name));
        let key = violations.keep("/key", ProjectKey::parse(&new.key));
        let description = new.description.as_deref();
        let description =
            description.and_then(|d| violations.keep("/description", text(d, DESCRIPTION_CHARS)));
        let (name, key) = violations.into_values((name, key))?;
        let mut trail = Trail::new(self.app, at);
        let now = trail.now();
        let project = Project {
            id: self.app.new_id(),
            org_id: scope.org(),
            name,
            key,
            description,
            kind: new.kind,
            is_archived: false,
            created_by: scope.actor(),
            version: 1,
            created_at: now,
            updated_at: now,
        };
        let statuses: Vec<Status> = (0..)
            .zip(STATUSES)
            .map(|(position, (name, category))| Status {
                id: self.app.new_id(),
                project_id: project.id,
                name: name.to_owned(),
                category,
                position,
                color: None,
                version: 1,
                created_at: now,
                updated_at: now,
            })
            .collect();
        uow.organizations().lock(scope).await?;
        let there = uow.projects().count(scope, Archived::All).await?;
        self.app.limits().admit(Limit::ProjectsPerOrganization, there)?;
        uow.projects().insert(scope, &project, &statuses).await.map_err(|error| match error {
            StoreError::Conflict { constraint: Constraint::ProjectKey, .. } => Error::new(
                Code::KeyTaken,
                "Another project of this organization has this key. Choose another.",
            ),
            // The organization was removed in the meantime.
            StoreError::Conflict { constraint: Constraint::Reference, .. } => crate::tenancy::gone(),
            other => other.into(),
        })?;
        index_project(uow, scope, &project).await?;
        let event = DomainEvent::ProjectCreated { project: project.clone() };
        trail.happened(event, [Change::new(&project.name)]);
        trail.write(uow).await?;
        Ok(project)
    }

    /// The projects, oldest first.
    ///
    /// # Errors
    /// `INSUFFICIENT_ROLE`.
    pub async fn list(
        &self,
        uow: &mut dyn UnitOfWork,
        at: &In<Organization>,
        archived: Archived,
        page: &PageRequest,
    ) -> Result<Page<Project>> {
        let scope = at.scope();
        self.view(scope)?;
        let page = &page.within(self.app.limits().of(Limit::PageBytes));
        let rows = uow.projects().list(scope, archived, page).await?;
        let total =
            if page.wants_count() { Some(uow.projects().count(scope, archived).await?) } else { None };
        let key = |project: &Project| Cursor { at: project.created_at, id: project.id.into() };
        Ok(page.page_of(rows, total, key, |project| {
            ITEM_BYTES + project.description.as_deref().map_or(0, json_bytes)
        }))
    }

    /// Changes, archives or restores a project. An archived project can only be restored, with other changes in the same call.
    ///
    /// # Errors
    /// `INSUFFICIENT_ROLE`, `VALIDATION_FAILED`, `PROJECT_ARCHIVED`, `PROJECT_NOT_FOUND`, `STALE_VERSION`.
    pub async fn update(
        &self,
        uow: &mut dyn UnitOfWork,
        at: &In<Project>,
        change: &ProjectChange,
        expected: Option<i64>,
    ) -> Result<Project> {
        self.manage(at.scope())?;
        let mut violations = Violations::default();
        let name = change.name.as_deref().and_then(|n| violations.keep("/name", display_name(n)));
        let description = change.description.as_ref().map(|description| {
            let description = description.as_deref();
            description.and_then(|d| violations.keep("/description", text(d, DESCRIPTION_CHARS)))
        });
        violations.into_result()?;
        let before = self.lock(uow, at).await?;
        if change.is_archived != Some(false) && (name.is_some() || description.is_some()) {
            writable(before.is_archived)?;
        }
        // Only fields that differ, so that a repeated request changes nothing.
        let change = ProjectChange {
            name: name.filter(|name| *name != before.name),
            description: description.filter(|description| *description != before.description),
            is_archived: change.is_archived.filter(|is| *is != before.is_archived),
        };
        if change == ProjectChange::default() {
            expect_version(expected, before.version)?;
            return Ok(before);
        }
        let mut trail = self.trail(at);
        let updated =
            uow.projects().update(at.scope(), Target::new(at.id, expected), &change, trail.now()).await?;
        let after = updated.ok_or_else(no_such_project)?;
        let fields = [
            ("name", Some(before.name), Some(after.name.clone())),
            ("description", before.description, after.description.clone()),
            ("is_archived", Some(before.is_archived.to_string()), Some(after.is_archived.to_string())),
        ];
        index_project(uow, at.scope(), &after).await?;
        trail.happened(DomainEvent::ProjectUpdated { project: after.clone() }, Change::between(fields));
        trail.write(uow).await?;
        Ok(after)
    }

    /// Archives a project. It is no error when the project is already archived.
    ///
    /// # Errors
    /// `INSUFFICIENT_ROLE`, `PROJECT_NOT_FOUND`, `STALE_VERSION`.
    pub async fn archive(
        &self,
        uow: &mut dyn UnitOfWork,
        at: &In<Project>,
        expected: Option<i64>,
    ) -> Result<()> {
        let change = ProjectChange { is_archived: Some(true), ..ProjectChange::default() };
        self.update(uow, at, &change, expected).await.map(|_| ())
    }

    /// Locks the project and reads it.
    async fn lock(&self, uow: &mut dyn UnitOfWork, at: &In<Project>) -> Result<Project> {
        uow.projects().lock(at.scope(), at.id).await?.ok_or_else(no_such_project)
    }

    /// Takes the project's lock, and refuses an archived project.
    pub(super) async fn lock_writable(&self, uow: &mut dyn UnitOfWork, at: &In<Project>) -> Result<()> {
        writable(self.lock(uow, at).await?.is_archived)
    }

    /// A trail for a write to the project.
    pub(super) fn trail(&self, at: &In<Project>) -> Trail<'_> {
        Trail::new(self.app, at)
    }

    /// Refuses a caller whose role may not see what a door has found.
    ///
    /// # Errors
    /// `INSUFFICIENT_ROLE`.
    pub fn view(&self, scope: &OrgScope) -> Result<()> {
        scope.require(self.app.authorizer(), Action::ViewWork)
    }

    pub(super) fn manage(&self, scope: &OrgScope) -> Result<()> {
        scope.require(self.app.authorizer(), Action::ManageProjects)
    }
}

/// The refusal when the project was removed after the door and before the statement.
pub(super) fn no_such_project() -> Error {
    Error::new(Code::ProjectNotFound, "This project does not exist any more.")
}
