use async_trait::async_trait;
use serde_json::{Value, json};
use sqlx::types::{Json, Uuid};
use sqlx::{FromRow, query, query_as};
use workscribe_core::StoreError;
use workscribe_core::id::TaskId;
use workscribe_core::page::PageRequest;
use workscribe_core::tenancy::OrgScope;
use workscribe_core::work::{Activity, ActivityAction, ActivityStore, NewActivity};

use super::dialect::json_time;
use super::{Ts, Unit, before, named, person, storable};

#[derive(FromRow)]
struct ActivityRow {
    org_id: Uuid,
    id: Uuid,
    project_id: Option<Uuid>,
    task_id: Option<Uuid>,
    actor_id: Uuid,
    actor_name: String,
    actor_avatar_url: Option<String>,
    action: String,
    field_name: Option<String>,
    old_value: Option<String>,
    new_value: Option<String>,
    created_at: Ts,
}

impl TryFrom<ActivityRow> for Activity {
    type Error = StoreError;

    fn try_from(row: ActivityRow) -> Result<Self, StoreError> {
        Ok(Self {
            id: row.id.into(),
            org_id: row.org_id.into(),
            project_id: row.project_id.map(Into::into),
            task_id: row.task_id.map(Into::into),
            actor: person(row.actor_id, row.actor_name, row.actor_avatar_url),
            action: named("ws_activity", "action", &row.action, ActivityAction::parse)?,
            field_name: row.field_name,
            old_value: row.old_value,
            new_value: row.new_value,
            created_at: row.created_at.0,
        })
    }
}

fn line(new: &NewActivity) -> Value {
    json!({
        "id": new.id,
        "project_id": new.project_id,
        "task_id": new.task_id,
        "action": new.action,
        "field_name": new.field_name,
        "old_value": new.old_value.as_deref().map(storable),
        "new_value": new.new_value.as_deref().map(storable),
        "created_at": json_time(new.created_at),
    })
}

#[async_trait]
impl ActivityStore for Unit {
    async fn add(&mut self, scope: &OrgScope, lines: &[NewActivity]) -> Result<(), StoreError> {
        if lines.is_empty() {
            return Ok(());
        }
        let lines: Vec<Value> = lines.iter().map(line).collect();
        let insert = query(concat!(
            "INSERT INTO ws_activity (org_id, actor_id, id, project_id, task_id, action, field_name, old_value, new_value,
                                      created_at)
             SELECT $1, $2, ",
            uuid_of!("given.value ->> 'id'"),
            ", ",
            uuid_of!("given.value ->> 'project_id'"),
            ", ",
            uuid_of!("given.value ->> 'task_id'"),
            ", given.value ->> 'action', given.value ->> 'field_name', given.value ->> 'old_value',
                    given.value ->> 'new_value', ",
            time_of!("given.value ->> 'created_at'"),
            " FROM ",
            rows_of!("$3")
        ))
        .bind(scope.org().as_uuid())
        .bind(scope.actor().as_uuid())
        .bind(Json(lines));
        self.execute("ws_activity: add", insert).await?;
        Ok(())
    }

    async fn list(
        &mut self,
        scope: &OrgScope,
        task: Option<TaskId>,
        page: &PageRequest,
    ) -> Result<Vec<Activity>, StoreError> {
        let (at, id) = before(page);
        let list = match task {
            Some(task) => query_as::<_, ActivityRow>(concat!(
                activity_select!(),
                "WHERE h.org_id = $1 AND h.task_id = $5 AND (h.created_at, h.id) < ($2, $3)
                 ORDER BY h.created_at DESC, h.id DESC LIMIT $4"
            ))
            .bind(scope.org().as_uuid())
            .bind(at)
            .bind(id)
            .bind(page.fetch())
            .bind(task.as_uuid()),
            None => query_as::<_, ActivityRow>(concat!(
                activity_select!(),
                "WHERE h.org_id = $1 AND (h.created_at, h.id) < ($2, $3)
                 ORDER BY h.created_at DESC, h.id DESC LIMIT $4"
            ))
            .bind(scope.org().as_uuid())
            .bind(at)
            .bind(id)
            .bind(page.fetch()),
        };
        self.all("ws_activity: list", list).await?.into_iter().map(Activity::try_from).collect()
    }

    async fn count(&mut self, scope: &OrgScope, task: Option<TaskId>) -> Result<i64, StoreError> {
        let count = match task {
            Some(task) => {
                query_as::<_, (i64,)>("SELECT count(*) FROM ws_activity WHERE org_id = $1 AND task_id = $2")
                    .bind(scope.org().as_uuid())
                    .bind(task.as_uuid())
            }
            None => query_as::<_, (i64,)>("SELECT count(*) FROM ws_activity WHERE org_id = $1")
                .bind(scope.org().as_uuid()),
        };
        Ok(self.one("ws_activity: count", count).await?.0)
    }
}
