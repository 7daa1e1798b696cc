use async_trait::async_trait;
use sqlx::types::Uuid;
use sqlx::{FromRow, query_as};
use workscribe_core::StoreError;
use workscribe_core::id::TaskId;
use workscribe_core::page::PageRequest;
use workscribe_core::tenancy::OrgScope;
use workscribe_core::work::{Activity, ActivityAction, ActivityStore, NewActivity};

use super::pending::{ROWS_AT_ONCE, Statement, Write, push_rows};
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

#[async_trait]
impl ActivityStore for Unit {
    async fn add(&mut self, scope: &OrgScope, lines: &[NewActivity]) -> Result<(), StoreError> {
        let (org, actor) = (scope.org().as_uuid(), scope.actor().as_uuid());
        for lines in lines.chunks(ROWS_AT_ONCE) {
            let (name, rows, lines) = ("ws_activity: add", lines.len(), lines.to_vec());
            let push = move |insert: &mut Statement| {
                insert.push(
                    "INSERT INTO ws_activity (org_id, id, project_id, task_id, actor_id, action, field_name, old_value,
                                              new_value, created_at) ",
                );
                push_rows(insert, lines, |row, line| {
                    row.push_bind(org)
                        .push_bind(line.id.as_uuid())
                        .push_bind(line.project_id.map(Uuid::from))
                        .push_bind(line.task_id.map(Uuid::from))
                        .push_bind(actor)
                        .push_bind(line.action.as_str())
                        .push_bind(line.field_name)
                        .push_bind(line.old_value.as_deref().map(storable))
                        .push_bind(line.new_value.as_deref().map(storable))
                        .push_bind(Ts(line.created_at));
                });
            };
            self.write_later(Write { name, rows, updates: vec![], push: Box::new(push) }).await?;
        }
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
