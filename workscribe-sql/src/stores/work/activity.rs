//! The history.

use async_trait::async_trait;
use sqlx::{FromRow, query_as};
use workscribe_core::StoreResult;
use workscribe_core::id::TaskId;
use workscribe_core::page::PageRequest;
use workscribe_core::tenancy::OrgScope;
use workscribe_core::transfer::ActivityRow;
use workscribe_core::work::{Activity, ActivityStore, NewActivity, Person};

use super::bind::BindAll as _;
use super::table::{Stored, insertion};
use super::{Unit, before, pending, storable};

/// An entry with its actor; see `activity_select!`.
#[derive(FromRow)]
struct ShownRow {
    #[sqlx(flatten)]
    line: Stored<ActivityRow>,
    display_name: String,
    avatar_url: Option<String>,
}

impl ShownRow {
    fn shown(self, scope: &OrgScope) -> Activity {
        let line = self.line.0;
        Activity {
            id: line.id,
            org_id: scope.org(),
            project_id: line.project_id,
            task_id: line.task_id,
            actor: Person { id: line.actor_id, display_name: self.display_name, avatar_url: self.avatar_url },
            action: line.action,
            field_name: line.field_name,
            old_value: line.old_value,
            new_value: line.new_value,
            created_at: line.created_at,
        }
    }
}

#[async_trait]
impl ActivityStore for Unit {
    async fn add(&mut self, scope: &OrgScope, lines: &[NewActivity]) -> StoreResult<()> {
        for lines in lines.chunks(pending::ROWS_AT_ONCE) {
            let rows = lines.iter().map(|line| ActivityRow {
                id: line.id,
                project_id: line.project_id,
                task_id: line.task_id,
                actor_id: scope.actor(),
                action: line.action,
                field_name: line.field_name.map(str::to_owned),
                old_value: line.old_value.as_deref().map(storable),
                new_value: line.new_value.as_deref().map(storable),
                created_at: line.created_at,
            });
            let rows = insertion("ws_activity: add", scope.org().as_uuid(), rows.collect(), "");
            self.write_later(rows).await?;
        }
        Ok(())
    }

    async fn list(
        &mut self,
        scope: &OrgScope,
        task: Option<TaskId>,
        page: &PageRequest,
    ) -> StoreResult<Vec<Activity>> {
        let (at, id) = before(page);
        let list = match task {
            Some(task) => query_as::<_, ShownRow>(concat!(
                activity_select!(),
                "WHERE h.org_id = $1 AND h.task_id = $5 AND (h.created_at, h.id) < ($2, $3)
                 ORDER BY h.created_at DESC, h.id DESC LIMIT $4"
            ))
            .bind_all((scope, at, id, page.fetch(), task)),
            None => query_as::<_, ShownRow>(concat!(
                activity_select!(),
                "WHERE h.org_id = $1 AND (h.created_at, h.id) < ($2, $3)
                 ORDER BY h.created_at DESC, h.id DESC LIMIT $4"
            ))
            .bind_all((scope, at, id, page.fetch())),
        };
        Ok(self.all("ws_activity: list", list).await?.into_iter().map(|row| row.shown(scope)).collect())
    }

    async fn count(&mut self, scope: &OrgScope, task: Option<TaskId>) -> StoreResult<i64> {
        let count = match task {
            Some(task) => {
                query_as::<_, (i64,)>("SELECT count(*) FROM ws_activity WHERE org_id = $1 AND task_id = $2")
                    .bind_all((scope, task))
            }
            None => query_as::<_, (i64,)>("SELECT count(*) FROM ws_activity WHERE org_id = $1")
                .bind(scope.org().as_uuid()),
        };
        Ok(self.one("ws_activity: count", count).await?.0)
    }
}
