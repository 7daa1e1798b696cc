//! The labels of projects.

use async_trait::async_trait;
use sqlx::query_as;
use sqlx::types::Json;
use workscribe_core::clock::Timestamp;
use workscribe_core::id::{LabelId, ProjectId, TaskId};
use workscribe_core::page::PageRequest;
use workscribe_core::tenancy::OrgScope;
use workscribe_core::work::{Color, Label, LabelChange, LabelStore, name_key};
use workscribe_core::{StoreResult, TargetIn};

use super::Unit;
use super::bind::BindAll as _;
use super::table::{At, Stored};

#[async_trait]
impl LabelStore for Unit {
    async fn list(
        &mut self,
        scope: &OrgScope,
        project: ProjectId,
        page: &PageRequest,
    ) -> StoreResult<Vec<Label>> {
        self.list_in("ws_labels: list", scope, project.as_uuid(), page).await
    }

    async fn count(&mut self, scope: &OrgScope, project: ProjectId) -> StoreResult<i64> {
        self.count_in::<Label>("ws_labels: count", scope, project.as_uuid()).await
    }

    async fn find(
        &mut self,
        scope: &OrgScope,
        project: ProjectId,
        id: LabelId,
    ) -> StoreResult<Option<Label>> {
        self.find_in("ws_labels: find", At::new(scope, project, id)).await
    }

    async fn find_many(
        &mut self,
        scope: &OrgScope,
        project: ProjectId,
        ids: &[LabelId],
    ) -> StoreResult<Vec<Label>> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let find = query_as::<_, Stored<Label>>(concat!(
            "SELECT ",
            label_columns!(),
            " FROM ws_labels WHERE org_id = $1 AND project_id = $2 AND id ",
            in_ids!("$3"),
            " ORDER BY name_key, id"
        ))
        .bind_all((scope, project, Json(ids)));
        Ok(self.all("ws_labels: find many", find).await?.into_iter().map(|row| row.0).collect())
    }

    async fn insert(&mut self, scope: &OrgScope, label: &Label) -> StoreResult<()> {
        self.insert_row("ws_labels: insert", scope.org().as_uuid(), label).await
    }

    async fn update(
        &mut self,
        scope: &OrgScope,
        target: TargetIn<ProjectId, LabelId>,
        change: &LabelChange,
        now: Timestamp,
    ) -> StoreResult<Option<Label>> {
        let at = At::of(scope, target);
        let update = query_as(concat!(
            "UPDATE ws_labels
                SET name = COALESCE($6, name), name_key = COALESCE($7, name_key), color = COALESCE($8, color),
                    version = version + 1, updated_at = $5
              WHERE org_id = $1 AND project_id = $2 AND id = $3 AND ($4 IS NULL OR version = $4)
             RETURNING ",
            label_columns!()
        ));
        let update = at.bind(update, now).bind_all((
            &change.name,
            change.name.as_deref().map(name_key),
            change.color.as_ref().map(Color::as_str),
        ));
        self.update_in("ws_labels: update", at, update).await
    }

    async fn delete(&mut self, scope: &OrgScope, target: TargetIn<ProjectId, LabelId>) -> StoreResult<bool> {
        self.delete_in::<Label>("ws_labels: delete", At::of(scope, target)).await
    }

    async fn attach(&mut self, scope: &OrgScope, task: TaskId, labels: &[LabelId]) -> StoreResult<()> {
        if labels.is_empty() {
            return Ok(());
        }
        self.relabel_later(scope, task, labels, &[]).await
    }

    async fn detach(&mut self, scope: &OrgScope, task: TaskId, labels: &[LabelId]) -> StoreResult<()> {
        if labels.is_empty() {
            return Ok(());
        }
        self.relabel_later(scope, task, &[], labels).await
    }
}
