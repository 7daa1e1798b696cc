//! The statuses of projects.

use async_trait::async_trait;
use sqlx::types::Json;
use sqlx::{query, query_as};
use workscribe_core::clock::Timestamp;
use workscribe_core::id::{ProjectId, StatusId};
use workscribe_core::tenancy::OrgScope;
use workscribe_core::work::{Color, Status, StatusCategory, StatusChange, StatusStore, name_key};
use workscribe_core::{StoreResult, TargetIn};

use super::bind::BindAll as _;
use super::table::{At, Stored};
use super::{Unit, named};

pub(crate) fn parse_category(name: &str) -> StoreResult<StatusCategory> {
    named("ws_statuses", "category", name, StatusCategory::parse)
}

#[async_trait]
impl StatusStore for Unit {
    async fn list(&mut self, scope: &OrgScope, project: ProjectId) -> StoreResult<Vec<Status>> {
        let list = query_as::<_, Stored<Status>>(concat!(
            "SELECT ",
            status_columns!(),
            " FROM ws_statuses WHERE org_id = $1 AND project_id = $2 ORDER BY position, id"
        ))
        .bind_all((scope, project));
        Ok(self.all("ws_statuses: list", list).await?.into_iter().map(|row| row.0).collect())
    }

    async fn find(
        &mut self,
        scope: &OrgScope,
        project: ProjectId,
        id: StatusId,
    ) -> StoreResult<Option<Status>> {
        self.find_in("ws_statuses: find", At::new(scope, project, id)).await
    }

    async fn first(&mut self, scope: &OrgScope, project: ProjectId) -> StoreResult<Option<Status>> {
        let first = query_as::<_, Stored<Status>>(concat!(
            "SELECT ",
            status_columns!(),
            " FROM ws_statuses WHERE org_id = $1 AND project_id = $2 ORDER BY position, id LIMIT 1"
        ))
        .bind_all((scope, project));
        Ok(self.optional("ws_statuses: first", first).await?.map(|row| row.0))
    }

    async fn insert(&mut self, scope: &OrgScope, status: &Status) -> StoreResult<()> {
        self.insert_row("ws_statuses: insert", scope.org().as_uuid(), status).await
    }

    async fn update(
        &mut self,
        scope: &OrgScope,
        target: TargetIn<ProjectId, StatusId>,
        change: &StatusChange,
        now: Timestamp,
    ) -> StoreResult<Option<Status>> {
        let at = At::of(scope, target);
        let update = query_as(concat!(
            "UPDATE ws_statuses
                SET name = COALESCE($6, name), name_key = COALESCE($7, name_key), category = COALESCE($8, category),
                    color = CASE WHEN $9 THEN $10 ELSE color END,
                    version = version + 1, updated_at = $5
              WHERE org_id = $1 AND project_id = $2 AND id = $3 AND ($4 IS NULL OR version = $4)
             RETURNING ",
            status_columns!()
        ));
        let update = at.bind(update, now).bind_all((
            &change.name,
            change.name.as_deref().map(name_key),
            change.category.map(StatusCategory::as_str),
            change.color.is_some(),
            change.color.as_ref().and_then(Option::as_ref).map(Color::as_str),
        ));
        self.update_in("ws_statuses: update", at, update).await
    }

    async fn arrange(&mut self, scope: &OrgScope, project: ProjectId, order: &[StatusId]) -> StoreResult<()> {
        let positions: Vec<_> = order.iter().map(|id| id.as_uuid()).enumerate().collect();
        let update = query(concat!(
            "UPDATE ws_statuses AS s SET position = CAST(given.value ->> 0 AS bigint)
               FROM ",
            rows_of!("$3"),
            " WHERE s.org_id = $1 AND s.project_id = $2 AND s.id = ",
            uuid_of!("given.value ->> 1")
        ))
        .bind_all((scope, project, Json(positions)));
        self.execute("ws_statuses: arrange", update).await?;
        Ok(())
    }

    async fn delete(&mut self, scope: &OrgScope, target: TargetIn<ProjectId, StatusId>) -> StoreResult<bool> {
        self.delete_in::<Status>("ws_statuses: delete", At::of(scope, target)).await
    }
}
