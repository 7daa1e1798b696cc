use async_trait::async_trait;
use sqlx::types::{Json, Uuid};
use sqlx::{FromRow, query, query_as};
use workscribe_core::StoreError;
use workscribe_core::clock::Timestamp;
use workscribe_core::id::{ProjectId, StatusId};
use workscribe_core::tenancy::OrgScope;
use workscribe_core::work::{Color, Status, StatusCategory, StatusChange, StatusStore, name_key};

use super::{Ts, Unit, named};

#[derive(FromRow)]
struct StatusRow {
    id: Uuid,
    project_id: Uuid,
    name: String,
    category: String,
    position: i64,
    color: Option<String>,
    version: i64,
    created_at: Ts,
    updated_at: Ts,
}

impl TryFrom<StatusRow> for Status {
    type Error = StoreError;

    fn try_from(row: StatusRow) -> Result<Self, StoreError> {
        Ok(Self {
            id: row.id.into(),
            project_id: row.project_id.into(),
            name: row.name,
            category: parse_category(&row.category)?,
            position: row.position,
            color: row.color.map(Color::from_stored),
            version: row.version,
            created_at: row.created_at.0,
            updated_at: row.updated_at.0,
        })
    }
}

pub(super) fn parse_category(name: &str) -> Result<StatusCategory, StoreError> {
    named("ws_statuses", "category", name, StatusCategory::parse)
}

#[async_trait]
impl StatusStore for Unit {
    async fn list(&mut self, scope: &OrgScope, project: ProjectId) -> Result<Vec<Status>, StoreError> {
        let list = query_as::<_, StatusRow>(concat!(
            "SELECT ",
            status_columns!(),
            " FROM ws_statuses WHERE org_id = $1 AND project_id = $2 ORDER BY position, id"
        ))
        .bind(scope.org().as_uuid())
        .bind(project.as_uuid());
        self.all("ws_statuses: list", list).await?.into_iter().map(Status::try_from).collect()
    }

    async fn find(
        &mut self,
        scope: &OrgScope,
        project: ProjectId,
        id: StatusId,
    ) -> Result<Option<Status>, StoreError> {
        let find = query_as::<_, StatusRow>(concat!(
            "SELECT ",
            status_columns!(),
            " FROM ws_statuses WHERE org_id = $1 AND project_id = $2 AND id = $3"
        ))
        .bind(scope.org().as_uuid())
        .bind(project.as_uuid())
        .bind(id.as_uuid());
        self.optional("ws_statuses: find", find).await?.map(Status::try_from).transpose()
    }

    async fn first(&mut self, scope: &OrgScope, project: ProjectId) -> Result<Option<Status>, StoreError> {
        let first = query_as::<_, StatusRow>(concat!(
            "SELECT ",
            status_columns!(),
            " FROM ws_statuses WHERE org_id = $1 AND project_id = $2 ORDER BY position, id LIMIT 1"
        ))
        .bind(scope.org().as_uuid())
        .bind(project.as_uuid());
        self.optional("ws_statuses: first", first).await?.map(Status::try_from).transpose()
    }

    async fn insert(&mut self, scope: &OrgScope, status: &Status) -> Result<(), StoreError> {
        let insert = query(
            "INSERT INTO ws_statuses (org_id, id, project_id, name, name_key, category, position, color, version,
                                      created_at, updated_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
        )
        .bind(scope.org().as_uuid())
        .bind(status.id.as_uuid())
        .bind(status.project_id.as_uuid())
        .bind(&status.name)
        .bind(name_key(&status.name))
        .bind(status.category.as_str())
        .bind(status.position)
        .bind(status.color.as_ref().map(Color::as_str))
        .bind(status.version)
        .bind(Ts(status.created_at))
        .bind(Ts(status.updated_at));
        self.execute("ws_statuses: insert", insert).await?;
        Ok(())
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
        let update = query_as::<_, StatusRow>(concat!(
            "UPDATE ws_statuses
                SET name = COALESCE($4, name), name_key = COALESCE($5, name_key), category = COALESCE($6, category),
                    color = CASE WHEN $7 THEN $8 ELSE color END,
                    version = version + 1, updated_at = $9
              WHERE org_id = $1 AND project_id = $2 AND id = $3 AND ($10 IS NULL OR version = $10)
             RETURNING ",
            status_columns!()
        ))
        .bind(scope.org().as_uuid())
        .bind(project.as_uuid())
        .bind(id.as_uuid())
        .bind(&change.name)
        .bind(change.name.as_deref().map(name_key))
        .bind(change.category.map(StatusCategory::as_str))
        .bind(change.color.is_some())
        .bind(change.color.as_ref().and_then(Option::as_ref).map(Color::as_str))
        .bind(Ts(now))
        .bind(expected);
        let updated = self.optional("ws_statuses: update", update).await?;
        if updated.is_none() {
            self.refuse_stale_status(scope, project, id, expected).await?;
        }
        updated.map(Status::try_from).transpose()
    }

    async fn arrange(
        &mut self,
        scope: &OrgScope,
        project: ProjectId,
        order: &[StatusId],
    ) -> Result<(), StoreError> {
        let positions: Vec<_> = order.iter().map(|id| id.as_uuid()).enumerate().collect();
        let update = query(concat!(
            "UPDATE ws_statuses AS s SET position = CAST(given.value ->> 0 AS bigint)
               FROM ",
            rows_of!("$3"),
            " WHERE s.org_id = $1 AND s.project_id = $2 AND s.id = ",
            uuid_of!("given.value ->> 1")
        ))
        .bind(scope.org().as_uuid())
        .bind(project.as_uuid())
        .bind(Json(positions));
        self.execute("ws_statuses: arrange", update).await?;
        Ok(())
    }

    async fn delete(
        &mut self,
        scope: &OrgScope,
        project: ProjectId,
        id: StatusId,
        expected: Option<i64>,
    ) -> Result<bool, StoreError> {
        let delete = query(
            "DELETE FROM ws_statuses
              WHERE org_id = $1 AND project_id = $2 AND id = $3 AND ($4 IS NULL OR version = $4)",
        )
        .bind(scope.org().as_uuid())
        .bind(project.as_uuid())
        .bind(id.as_uuid())
        .bind(expected);
        let deleted = self.execute("ws_statuses: delete", delete).await? > 0;
        if !deleted {
            self.refuse_stale_status(scope, project, id, expected).await?;
        }
        Ok(deleted)
    }
}

impl Unit {
    async fn refuse_stale_status(
        &mut self,
        scope: &OrgScope,
        project: ProjectId,
        id: StatusId,
        expected: Option<i64>,
    ) -> Result<(), StoreError> {
        let current =
            query_as("SELECT version FROM ws_statuses WHERE org_id = $1 AND project_id = $2 AND id = $3")
                .bind(scope.org().as_uuid())
                .bind(project.as_uuid())
                .bind(id.as_uuid());
        self.refuse_stale("ws_statuses: version", expected, current).await
    }
}
