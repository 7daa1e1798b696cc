use async_trait::async_trait;
use sqlx::types::{Json, Uuid};
use sqlx::{FromRow, query, query_as};
use workscribe_core::StoreError;
use workscribe_core::clock::Timestamp;
use workscribe_core::id::{LabelId, ProjectId, TaskId};
use workscribe_core::page::PageRequest;
use workscribe_core::tenancy::OrgScope;
use workscribe_core::work::{Color, Label, LabelChange, LabelStore, name_key};

use super::{Ts, Unit, after};

#[derive(FromRow)]
struct LabelRow {
    id: Uuid,
    project_id: Uuid,
    name: String,
    color: String,
    version: i64,
    created_at: Ts,
    updated_at: Ts,
}

impl From<LabelRow> for Label {
    fn from(row: LabelRow) -> Self {
        Self {
            id: row.id.into(),
            project_id: row.project_id.into(),
            name: row.name,
            color: Color::from_stored(row.color),
            version: row.version,
            created_at: row.created_at.0,
            updated_at: row.updated_at.0,
        }
    }
}

#[async_trait]
impl LabelStore for Unit {
    async fn list(
        &mut self,
        scope: &OrgScope,
        project: ProjectId,
        page: &PageRequest,
    ) -> Result<Vec<Label>, StoreError> {
        let (at, id) = after(page);
        let list = query_as::<_, LabelRow>(concat!(
            "SELECT ",
            label_columns!(),
            " FROM ws_labels WHERE org_id = $1 AND project_id = $2 AND (created_at, id) > ($3, $4)
              ORDER BY created_at, id LIMIT $5"
        ))
        .bind(scope.org().as_uuid())
        .bind(project.as_uuid())
        .bind(at)
        .bind(id)
        .bind(page.fetch());
        Ok(self.all("ws_labels: list", list).await?.into_iter().map(Label::from).collect())
    }

    async fn count(&mut self, scope: &OrgScope, project: ProjectId) -> Result<i64, StoreError> {
        let count =
            query_as::<_, (i64,)>("SELECT count(*) FROM ws_labels WHERE org_id = $1 AND project_id = $2")
                .bind(scope.org().as_uuid())
                .bind(project.as_uuid());
        Ok(self.one("ws_labels: count", count).await?.0)
    }

    async fn find(
        &mut self,
        scope: &OrgScope,
        project: ProjectId,
        id: LabelId,
    ) -> Result<Option<Label>, StoreError> {
        let find = query_as::<_, LabelRow>(concat!(
            "SELECT ",
            label_columns!(),
            " FROM ws_labels WHERE org_id = $1 AND project_id = $2 AND id = $3"
        ))
        .bind(scope.org().as_uuid())
        .bind(project.as_uuid())
        .bind(id.as_uuid());
        Ok(self.optional("ws_labels: find", find).await?.map(Label::from))
    }

    async fn find_many(
        &mut self,
        scope: &OrgScope,
        project: ProjectId,
        ids: &[LabelId],
    ) -> Result<Vec<Label>, StoreError> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let find = query_as::<_, LabelRow>(concat!(
            "SELECT ",
            label_columns!(),
            " FROM ws_labels WHERE org_id = $1 AND project_id = $2 AND id ",
            in_ids!("$3"),
            " ORDER BY name_key, id"
        ))
        .bind(scope.org().as_uuid())
        .bind(project.as_uuid())
        .bind(Json(ids));
        Ok(self.all("ws_labels: find many", find).await?.into_iter().map(Label::from).collect())
    }

    async fn insert(&mut self, scope: &OrgScope, label: &Label) -> Result<(), StoreError> {
        let insert = query(
            "INSERT INTO ws_labels (org_id, id, project_id, name, name_key, color, version, created_at, updated_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        )
        .bind(scope.org().as_uuid())
        .bind(label.id.as_uuid())
        .bind(label.project_id.as_uuid())
        .bind(&label.name)
        .bind(name_key(&label.name))
        .bind(label.color.as_str())
        .bind(label.version)
        .bind(Ts(label.created_at))
        .bind(Ts(label.updated_at));
        self.execute("ws_labels: insert", insert).await?;
        Ok(())
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
        let update = query_as::<_, LabelRow>(concat!(
            "UPDATE ws_labels
                SET name = COALESCE($4, name), name_key = COALESCE($5, name_key), color = COALESCE($6, color),
                    version = version + 1, updated_at = $7
              WHERE org_id = $1 AND project_id = $2 AND id = $3 AND ($8 IS NULL OR version = $8)
             RETURNING ",
            label_columns!()
        ))
        .bind(scope.org().as_uuid())
        .bind(project.as_uuid())
        .bind(id.as_uuid())
        .bind(&change.name)
        .bind(change.name.as_deref().map(name_key))
        .bind(change.color.as_ref().map(Color::as_str))
        .bind(Ts(now))
        .bind(expected);
        let updated = self.optional("ws_labels: update", update).await?;
        if updated.is_none() {
            self.refuse_stale_label(scope, project, id, expected).await?;
        }
        Ok(updated.map(Label::from))
    }

    async fn delete(
        &mut self,
        scope: &OrgScope,
        project: ProjectId,
        id: LabelId,
        expected: Option<i64>,
    ) -> Result<bool, StoreError> {
        let delete = query(
            "DELETE FROM ws_labels
              WHERE org_id = $1 AND project_id = $2 AND id = $3 AND ($4 IS NULL OR version = $4)",
        )
        .bind(scope.org().as_uuid())
        .bind(project.as_uuid())
        .bind(id.as_uuid())
        .bind(expected);
        let deleted = self.execute("ws_labels: delete", delete).await? > 0;
        if !deleted {
            self.refuse_stale_label(scope, project, id, expected).await?;
        }
        Ok(deleted)
    }

    async fn attach(&mut self, scope: &OrgScope, task: TaskId, labels: &[LabelId]) -> Result<(), StoreError> {
        if labels.is_empty() {
            return Ok(());
        }
        self.relabel_later(scope, task, labels, &[]).await
    }

    async fn detach(&mut self, scope: &OrgScope, task: TaskId, labels: &[LabelId]) -> Result<(), StoreError> {
        if labels.is_empty() {
            return Ok(());
        }
        self.relabel_later(scope, task, &[], labels).await
    }
}

impl Unit {
    async fn refuse_stale_label(
        &mut self,
        scope: &OrgScope,
        project: ProjectId,
        id: LabelId,
        expected: Option<i64>,
    ) -> Result<(), StoreError> {
        let current =
            query_as("SELECT version FROM ws_labels WHERE org_id = $1 AND project_id = $2 AND id = $3")
                .bind(scope.org().as_uuid())
                .bind(project.as_uuid())
                .bind(id.as_uuid());
        self.refuse_stale("ws_labels: version", expected, current).await
    }
}
