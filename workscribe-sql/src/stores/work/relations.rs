//! Relations between tasks.

use async_trait::async_trait;
use sqlx::query_builder::Separated;
use sqlx::types::{Json, Uuid};
use sqlx::{FromRow, query, query_as};
use workscribe_core::StoreResult;
use workscribe_core::id::{RelationId, TaskId};
use workscribe_core::tenancy::OrgScope;
use workscribe_core::work::{RelatedTask, Relation, RelationStore, RelationType, TaskKey};

use super::bind::BindAll as _;
use super::table::{ColumnValue, Stored, Table, column, insertion};
use super::unit::Row;
use super::{Db, Unit};

stored_by_name!(RelationType);

table! {
    Relation = "ws_relations", columns relation_columns "r." { id, kind "type", source_id, target_id, created_at }
    restored " ON CONFLICT (org_id, source_id, target_id, type) DO NOTHING"
}

/// The relations `r` of the task `$2`, from both sides.
macro_rules! relations_of_task {
    ($columns:expr) => {
        concat!(
            "(SELECT ",
            $columns,
            " FROM ws_relations r WHERE r.org_id = $1 AND r.source_id = $2
              UNION ALL
              SELECT ",
            $columns,
            " FROM ws_relations r WHERE r.org_id = $1 AND r.target_id = $2) AS r "
        )
    };
}

struct RelatedRow(RelatedTask);

impl FromRow<'_, Row> for RelatedRow {
    fn from_row(row: &Row) -> Result<Self, sqlx::Error> {
        Ok(Self(RelatedTask {
            relation: Relation::read(row)?,
            id: column(row, "task_id")?,
            project_id: column(row, "project_id")?,
            key: TaskKey { project: column(row, "key")?, number: column(row, "number")? },
            title: column(row, "title")?,
            status_id: column(row, "status_id")?,
            status_name: column(row, "name")?,
            status_category: column(row, "category")?,
        }))
    }
}

#[async_trait]
impl RelationStore for Unit {
    async fn list(&mut self, scope: &OrgScope, task: TaskId) -> StoreResult<Vec<RelatedTask>> {
        let list = query_as::<_, RelatedRow>(concat!(
            "SELECT ",
            relation_columns!(),
            ", t.id AS task_id, t.project_id, p.key, t.number, t.title, t.status_id, s.name, s.category FROM ",
            relations_of_task!(relation_columns!()),
            one_of!(
                "ws_tasks",
                "t",
                "t.org_id = $1 AND t.id = CASE WHEN r.source_id = $2 THEN r.target_id ELSE r.source_id END"
            ),
            one_of!("ws_projects", "p", "p.org_id = $1 AND p.id = t.project_id"),
            one_of!("ws_statuses", "s", "s.org_id = $1 AND s.id = t.status_id"),
            "ORDER BY r.created_at, r.id"
        ))
        .bind_all((scope, task));
        Ok(self.all("ws_relations: list", list).await?.into_iter().map(|row| row.0).collect())
    }

    async fn find(&mut self, scope: &OrgScope, id: RelationId) -> StoreResult<Option<Relation>> {
        let find = query_as::<_, Stored<Relation>>(concat!(
            "SELECT ",
            relation_columns!(),
            " FROM ws_relations r WHERE r.org_id = $1 AND r.id = $2"
        ))
        .bind_all((scope, id));
        Ok(self.optional("ws_relations: find", find).await?.map(|row| row.0))
    }

    async fn count(&mut self, scope: &OrgScope, task: TaskId) -> StoreResult<i64> {
        let count = concat!("SELECT count(*) FROM ", relations_of_task!("r.id"));
        let count = query_as::<_, (i64,)>(count).bind_all((scope, task));
        Ok(self.one("ws_relations: count", count).await?.0)
    }

    async fn blocked_by(&mut self, scope: &OrgScope, task: TaskId, limit: u32) -> StoreResult<Vec<TaskId>> {
        // `UNION` skips tasks that were found before, so a cycle ends.
        let walk = query_as::<_, (Uuid,)>(
            "WITH RECURSIVE ahead (id) AS (
                 SELECT t.id FROM ws_tasks t WHERE t.org_id = $1 AND t.id = $2
                  UNION
                 SELECT r.target_id FROM ahead CROSS JOIN ws_relations r
                  WHERE r.org_id = $1 AND r.source_id = ahead.id AND r.type = 'blocks'
             )
             SELECT id FROM ahead LIMIT $3",
        )
        .bind_all((scope, task, limit));
        let found = self.all("ws_relations: blocked by", walk).await?;
        Ok(found.into_iter().map(|(id,)| id.into()).collect())
    }

    async fn insert(&mut self, scope: &OrgScope, relation: &Relation) -> StoreResult<bool> {
        self.flush().await?;
        let (org, rows) = (scope.org().as_uuid(), vec![relation.clone()]);
        let insert = insertion("ws_relations: insert", org, rows, Relation::RESTORE_END);
        let is_new = self.write_all(vec![insert]).await? > 0;
        if is_new && relation.kind == RelationType::Blocks {
            self.note_blockers(org, &[relation.target_id]).await?;
        }
        Ok(is_new)
    }

    async fn delete(&mut self, scope: &OrgScope, id: RelationId) -> StoreResult<bool> {
        let delete = query("DELETE FROM ws_relations WHERE org_id = $1 AND id = $2").bind_all((scope, id));
        Ok(self.execute("ws_relations: delete", delete).await? > 0)
    }
}

impl Unit {
    /// Notes that tasks have blockers.
    pub(crate) async fn note_blockers(&mut self, org: Uuid, tasks: &[TaskId]) -> StoreResult<()> {
        if tasks.is_empty() {
            return Ok(());
        }
        let update = query(concat!(
            "UPDATE ws_tasks SET has_blockers = TRUE WHERE org_id = $1 AND NOT has_blockers AND id ",
            in_ids!("$2")
        ))
        .bind_all((org, Json(tasks)));
        self.execute("ws_tasks: note blockers", update).await.map(drop)
    }
}
