//! The statuses of a project.

use async_trait::async_trait;
use workscribe_core::clock::Timestamp;
use workscribe_core::id::{OrgId, ProjectId, StatusId};
use workscribe_core::tenancy::OrgScope;
use workscribe_core::work::{Status, StatusChange, StatusStore, name_key};
use workscribe_core::{Constraint, StoreError};

use super::{Deferred, MemoryUnit, Tables, conflict, expect_version, taken_key};

impl Tables {
    /// The statuses of a project, in order.
    fn statuses_of(&self, org: OrgId, project: ProjectId) -> Vec<&Status> {
        let of_org = self.statuses.iter().filter(|((other, _), _)| *other == org).map(|(_, status)| status);
        let mut statuses: Vec<&Status> = of_org.filter(|status| status.project_id == project).collect();
        statuses.sort_by_key(|status| (status.position, status.id));
        statuses
    }

    fn status_mut(&mut self, org: OrgId, project: ProjectId, id: StatusId) -> Option<&mut Status> {
        self.statuses.get_mut(&(org, id)).filter(|status| status.project_id == project)
    }

    fn has_status_name(&self, org: OrgId, project: ProjectId, name: &str, except: StatusId) -> bool {
        let is_same = |other: &&Status| other.id != except && name_key(&other.name) == name_key(name);
        self.statuses_of(org, project).iter().any(is_same)
    }

    pub(super) fn add_status(&mut self, org: OrgId, status: &Status) -> Result<(), StoreError> {
        if self.statuses.contains_key(&(org, status.id)) {
            return Err(taken_key());
        }
        if self.has_status_name(org, status.project_id, &status.name, status.id) {
            return Err(conflict(Constraint::StatusName));
        }
        if !self.projects.contains_key(&(org, status.project_id)) {
            return Err(conflict(Constraint::Reference));
        }
        self.statuses.insert((org, status.id), status.clone());
        Ok(())
    }
}

#[async_trait]
impl StatusStore for MemoryUnit {
    async fn list(&mut self, scope: &OrgScope, project: ProjectId) -> Result<Vec<Status>, StoreError> {
        self.view(|tables| tables.statuses_of(scope.org(), project).into_iter().cloned().collect()).await
    }

    async fn find(
        &mut self,
        scope: &OrgScope,
        project: ProjectId,
        id: StatusId,
    ) -> Result<Option<Status>, StoreError> {
        self.view(|tables| {
            tables.statuses.get(&(scope.org(), id)).filter(|status| status.project_id == project).cloned()
        })
        .await
    }

    async fn first(&mut self, scope: &OrgScope, project: ProjectId) -> Result<Option<Status>, StoreError> {
        self.view(|tables| tables.statuses_of(scope.org(), project).first().copied().cloned()).await
    }

    async fn insert(&mut self, scope: &OrgScope, status: &Status) -> Result<(), StoreError> {
        self.change(|tables| tables.add_status(scope.org(), status)).await
    }

    async fn update(
        &mut self,
        scope: &OrgScope,
        project: ProjectId,
        id: StatusId,
        change: &StatusChange,
        expected: Option<i64>,
        now: Timestamp,
    ) -> Result<Option<Status>, StoreError> {
        self.change(|tables| {
            let is_taken = |name: &String| tables.has_status_name(scope.org(), project, name, id);
            let is_taken = change.name.as_ref().is_some_and(is_taken);
            let Some(status) = tables.status_mut(scope.org(), project, id) else { return Ok(None) };
            expect_version(expected, status.version)?;
            if is_taken {
                return Err(conflict(Constraint::StatusName));
            }
            if let Some(name) = &change.name {
                status.name.clone_from(name);
            }
            if let Some(category) = change.category {
                status.category = category;
            }
            if let Some(color) = &change.color {
                status.color.clone_from(color);
            }
            status.version += 1;
            status.updated_at = now;
            Ok(Some(status.clone()))
        })
        .await
    }

    async fn arrange(
        &mut self,
        scope: &OrgScope,
        project: ProjectId,
        order: &[StatusId],
    ) -> Result<(), StoreError> {
        self.change(|tables| {
            for (position, id) in (0..).zip(order) {
                if let Some(status) = tables.status_mut(scope.org(), project, *id) {
                    status.position = position;
                }
            }
            Ok(())
        })
        .await
    }

    async fn delete(
        &mut self,
        scope: &OrgScope,
        project: ProjectId,
        id: StatusId,
        expected: Option<i64>,
    ) -> Result<bool, StoreError> {
        self.change(|tables| {
            let Some(status) = tables.status_mut(scope.org(), project, id) else { return Ok(false) };
            expect_version(expected, status.version)?;
            tables.statuses.remove(&(scope.org(), id));
            let stranded = tables.tasks_of(scope.org()).filter(|row| row.fields.status_id == id);
            let stranded: Vec<_> = stranded.map(|row| Deferred::Task(scope.org(), row.id)).collect();
            tables.deferred.extend(stranded);
            Ok(true)
        })
        .await
    }
}
