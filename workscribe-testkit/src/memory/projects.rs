//! Projects, and the look-up behind the door to one.

use async_trait::async_trait;
use workscribe_core::clock::Timestamp;
use workscribe_core::id::{OrgId, ProjectId, UserId};
use workscribe_core::page::PageRequest;
use workscribe_core::tenancy::{OrgScope, Slug};
use workscribe_core::work::{
    Archived, Entered, Project, ProjectChange, ProjectRef, ProjectStore, Status, order,
};
use workscribe_core::{Constraint, StoreError};

use super::{MemoryUnit, Tables, conflict, expect_version, page_of, taken_key};

#[derive(Clone)]
pub(super) struct Row {
    pub(super) project: Project,
    pub(super) last_number: i64,
    pub(super) last_position: i64,
}

impl Row {
    /// The next number and position.
    pub(super) const fn advance(&mut self) -> (i64, i64) {
        self.last_number += 1;
        self.last_position += order::GAP;
        (self.last_number, self.last_position)
    }
}

impl Tables {
    fn projects_of(&self, org: OrgId, archived: Archived) -> impl Iterator<Item = &Project> {
        let is_wanted = move |project: &&Project| match archived {
            Archived::No => !project.is_archived,
            Archived::Yes => project.is_archived,
            Archived::All => true,
        };
        self.projects
            .values()
            .map(|row| &row.project)
            .filter(move |project| project.org_id == org)
            .filter(is_wanted)
    }

    pub(super) fn project(&self, org: OrgId, id: ProjectId) -> Option<&Project> {
        self.projects.get(&(org, id)).map(|row| &row.project)
    }
}

#[async_trait]
impl ProjectStore for MemoryUnit {
    async fn enter(
        &mut self,
        slug: &Slug,
        user: UserId,
        project: &ProjectRef,
    ) -> Result<Option<Entered<Option<Project>>>, StoreError> {
        self.view(|tables| {
            let org = tables.organizations.values().find(|other| other.slug == *slug)?.id;
            let role = tables.members.get(&(org, user))?.role;
            let is_meant = |other: &&Project| match project {
                ProjectRef::Id(id) => other.id == *id,
                ProjectRef::Key(key) => other.key == *key,
            };
            let found = tables.projects_of(org, Archived::All).find(is_meant).cloned();
            Some(Entered { org, role, actor: tables.person(user)?, found })
        })
        .await
    }

    async fn insert(
        &mut self,
        scope: &OrgScope,
        project: &Project,
        statuses: &[Status],
    ) -> Result<(), StoreError> {
        let org = scope.org();
        self.change(|tables| {
            if tables.projects.contains_key(&(org, project.id)) {
                return Err(taken_key());
            }
            if tables.projects_of(org, Archived::All).any(|other| other.key == project.key) {
                return Err(conflict(Constraint::ProjectKey));
            }
            if !tables.organizations.contains_key(&org) {
                return Err(conflict(Constraint::Reference));
            }
            tables.require_user(project.created_by)?;
            let project = Project { org_id: org, ..project.clone() };
            tables.projects.insert((org, project.id), Row { project, last_number: 0, last_position: 0 });
            statuses.iter().try_for_each(|status| tables.add_status(org, status))
        })
        .await
    }

    async fn find(&mut self, scope: &OrgScope, id: ProjectId) -> Result<Option<Project>, StoreError> {
        self.view(|tables| tables.project(scope.org(), id).cloned()).await
    }

    async fn list(
        &mut self,
        scope: &OrgScope,
        archived: Archived,
        page: &PageRequest,
    ) -> Result<Vec<Project>, StoreError> {
        self.view(|tables| {
            page_of(tables.projects_of(scope.org(), archived).cloned(), page, false, |project| {
                (project.created_at, project.id.into())
            })
        })
        .await
    }

    async fn count(&mut self, scope: &OrgScope, archived: Archived) -> Result<i64, StoreError> {
        self.view(|tables| tables.projects_of(scope.org(), archived).count() as i64).await
    }

    /// The first statement of the transaction took the lock of the whole storage.
    async fn lock(&mut self, scope: &OrgScope, id: ProjectId) -> Result<Option<Project>, StoreError> {
        self.change(|tables| Ok(tables.project(scope.org(), id).cloned())).await
    }

    async fn update(
        &mut self,
        scope: &OrgScope,
        id: ProjectId,
        change: &ProjectChange,
        expected: Option<i64>,
        now: Timestamp,
    ) -> Result<Option<Project>, StoreError> {
        self.change(|tables| {
            let Some(row) = tables.projects.get_mut(&(scope.org(), id)) else { return Ok(None) };
            let project = &mut row.project;
            expect_version(expected, project.version)?;
            if let Some(name) = &change.name {
                project.name.clone_from(name);
            }
            if let Some(description) = &change.description {
                project.description.clone_from(description);
            }
            if let Some(is_archived) = change.is_archived {
                project.is_archived = is_archived;
            }
            project.version += 1;
            project.updated_at = now;
            Ok(Some(project.clone()))
        })
        .await
    }

    async fn advance_position(
        &mut self,
        scope: &OrgScope,
        id: ProjectId,
        by: i64,
    ) -> Result<Option<i64>, StoreError> {
        self.change(|tables| {
            Ok(tables.projects.get_mut(&(scope.org(), id)).map(|row| {
                row.last_position += by;
                row.last_position
            }))
        })
        .await
    }
}
