//! The labels of a project, and on which tasks they are.

use async_trait::async_trait;
use workscribe_core::clock::Timestamp;
use workscribe_core::id::{LabelId, OrgId, ProjectId, TaskId};
use workscribe_core::page::PageRequest;
use workscribe_core::tenancy::OrgScope;
use workscribe_core::work::{Label, LabelChange, LabelStore, name_key};
use workscribe_core::{Constraint, StoreError};

use super::{Deferred, MemoryUnit, Tables, conflict, expect_version, page_of, taken_key};

impl Tables {
    fn labels_of(&self, org: OrgId, project: ProjectId) -> impl Iterator<Item = &Label> {
        let of_org = self.labels.iter().filter(move |((other, _), _)| *other == org);
        of_org.map(|(_, label)| label).filter(move |label| label.project_id == project)
    }

    fn label_mut(&mut self, org: OrgId, project: ProjectId, id: LabelId) -> Option<&mut Label> {
        self.labels.get_mut(&(org, id)).filter(|label| label.project_id == project)
    }

    pub(super) fn has_label_name(&self, org: OrgId, project: ProjectId, name: &str, except: LabelId) -> bool {
        let mut labels = self.labels_of(org, project);
        labels.any(|other| other.id != except && name_key(&other.name) == name_key(name))
    }
}

#[async_trait]
impl LabelStore for MemoryUnit {
    async fn list(
        &mut self,
        scope: &OrgScope,
        project: ProjectId,
        page: &PageRequest,
    ) -> Result<Vec<Label>, StoreError> {
        self.view(|tables| {
            page_of(tables.labels_of(scope.org(), project).cloned(), page, false, |label| {
                (label.created_at, label.id.into())
            })
        })
        .await
    }

    async fn count(&mut self, scope: &OrgScope, project: ProjectId) -> Result<i64, StoreError> {
        self.view(|tables| tables.labels_of(scope.org(), project).count() as i64).await
    }

    async fn find(
        &mut self,
        scope: &OrgScope,
        project: ProjectId,
        id: LabelId,
    ) -> Result<Option<Label>, StoreError> {
        self.view(|tables| tables.labels_of(scope.org(), project).find(|label| label.id == id).cloned()).await
    }

    async fn find_many(
        &mut self,
        scope: &OrgScope,
        project: ProjectId,
        ids: &[LabelId],
    ) -> Result<Vec<Label>, StoreError> {
        self.view(|tables| {
            let labels = tables.labels_of(scope.org(), project).filter(|label| ids.contains(&label.id));
            let mut labels: Vec<Label> = labels.cloned().collect();
            labels.sort_by_key(|label| (name_key(&label.name), label.id));
            labels
        })
        .await
    }

    async fn insert(&mut self, scope: &OrgScope, label: &Label) -> Result<(), StoreError> {
        let org = scope.org();
        self.change(|tables| {
            if tables.labels.contains_key(&(org, label.id)) {
                return Err(taken_key());
            }
            if tables.has_label_name(org, label.project_id, &label.name, label.id) {
                return Err(conflict(Constraint::LabelName));
            }
            if !tables.projects.contains_key(&(org, label.project_id)) {
                return Err(conflict(Constraint::Reference));
            }
            tables.labels.insert((org, label.id), label.clone());
            Ok(())
        })
        .await
    }

    async fn update(
        &mut self,
        scope: &OrgScope,
        project: ProjectId,
        id: LabelId,
        change: &LabelChange,
        expected: Option<i64>,
        now: Timestamp,
    ) -> Result<Option<Label>, StoreError> {
        self.change(|tables| {
            let is_taken = |name: &String| tables.has_label_name(scope.org(), project, name, id);
            let is_taken = change.name.as_ref().is_some_and(is_taken);
            let Some(label) = tables.label_mut(scope.org(), project, id) else { return Ok(None) };
            expect_version(expected, label.version)?;
            if is_taken {
                return Err(conflict(Constraint::LabelName));
            }
            if let Some(name) = &change.name {
                label.name.clone_from(name);
            }
            if let Some(color) = &change.color {
                label.color.clone_from(color);
            }
            label.version += 1;
            label.updated_at = now;
            Ok(Some(label.clone()))
        })
        .await
    }

    async fn delete(
        &mut self,
        scope: &OrgScope,
        project: ProjectId,
        id: LabelId,
        expected: Option<i64>,
    ) -> Result<bool, StoreError> {
        self.change(|tables| {
            let Some(label) = tables.label_mut(scope.org(), project, id) else { return Ok(false) };
            expect_version(expected, label.version)?;
            tables.labels.remove(&(scope.org(), id));
            tables.task_labels.retain(|(org, _, label), ()| *org != scope.org() || *label != id);
            Ok(true)
        })
        .await
    }

    async fn attach(&mut self, scope: &OrgScope, task: TaskId, labels: &[LabelId]) -> Result<(), StoreError> {
        let org = scope.org();
        self.change(|tables| {
            if !labels.iter().all(|label| tables.labels.contains_key(&(org, *label))) {
                return Err(conflict(Constraint::Reference));
            }
            for label in labels {
                tables.task_labels.insert((org, task, *label), ());
                tables.deferred.push(Deferred::Label(org, task, *label));
            }
            Ok(())
        })
        .await
    }

    async fn detach(&mut self, scope: &OrgScope, task: TaskId, labels: &[LabelId]) -> Result<(), StoreError> {
        self.change(|tables| {
            for label in labels {
                tables.task_labels.remove(&(scope.org(), task, *label));
            }
            Ok(())
        })
        .await
    }
}
