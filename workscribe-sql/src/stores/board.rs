//! The order of tasks in a column: what `TaskStore` says of it.

use sqlx::types::{Json, Uuid};
use sqlx::{query, query_as};
use workscribe_core::StoreError;
use workscribe_core::clock::Timestamp;
use workscribe_core::id::{ProjectId, StatusId, TaskId};
use workscribe_core::tenancy::OrgScope;
use workscribe_core::work::{Slot, order};

use super::{Ts, Unit};

fn slot((position, id): (i64, Uuid)) -> Slot {
    Slot { position, id: id.into() }
}

impl Unit {
    pub(super) async fn find_slot(
        &mut self,
        scope: &OrgScope,
        project: ProjectId,
        status: StatusId,
        excluded: TaskId,
        index: i64,
    ) -> Result<Option<Slot>, StoreError> {
        let find = query_as::<_, (i64, Uuid)>(
            "SELECT position, id FROM ws_tasks
              WHERE org_id = $1 AND project_id = $2 AND status_id = $3 AND id <> $4
              ORDER BY position, id LIMIT 1 OFFSET $5",
        )
        .bind(scope.org().as_uuid())
        .bind(project.as_uuid())
        .bind(status.as_uuid())
        .bind(excluded.as_uuid())
        .bind(index);
        Ok(self.optional("ws_tasks: slot at", find).await?.map(slot))
    }

    pub(super) async fn find_slots_before(
        &mut self,
        scope: &OrgScope,
        project: ProjectId,
        status: StatusId,
        excluded: TaskId,
        place: Option<Slot>,
        limit: u32,
    ) -> Result<Vec<Slot>, StoreError> {
        let (position, id) =
            place.map_or((i64::MAX, Uuid::max()), |place| (place.position, place.id.as_uuid()));
        let list = query_as::<_, (i64, Uuid)>(
            "SELECT position, id FROM ws_tasks
              WHERE org_id = $1 AND project_id = $2 AND status_id = $3 AND (position, id) < ($4, $5) AND id <> $6
              ORDER BY position DESC, id DESC LIMIT $7",
        )
        .bind(scope.org().as_uuid())
        .bind(project.as_uuid())
        .bind(status.as_uuid())
        .bind(position)
        .bind(id)
        .bind(excluded.as_uuid())
        .bind(i64::from(limit));
        Ok(self.all("ws_tasks: slots before", list).await?.into_iter().map(slot).collect())
    }

    pub(super) async fn find_slots_from(
        &mut self,
        scope: &OrgScope,
        project: ProjectId,
        status: StatusId,
        excluded: TaskId,
        place: Slot,
        limit: u32,
    ) -> Result<Vec<Slot>, StoreError> {
        let list = query_as::<_, (i64, Uuid)>(
            "SELECT position, id FROM ws_tasks
              WHERE org_id = $1 AND project_id = $2 AND status_id = $3 AND (position, id) >= ($4, $5) AND id <> $6
              ORDER BY position, id LIMIT $7",
        )
        .bind(scope.org().as_uuid())
        .bind(project.as_uuid())
        .bind(status.as_uuid())
        .bind(place.position)
        .bind(place.id.as_uuid())
        .bind(excluded.as_uuid())
        .bind(i64::from(limit));
        Ok(self.all("ws_tasks: slots from", list).await?.into_iter().map(slot).collect())
    }

    pub(super) async fn place_tasks(&mut self, scope: &OrgScope, slots: &[Slot]) -> Result<(), StoreError> {
        if slots.is_empty() {
            return Ok(());
        }
        let positions: Vec<_> = slots.iter().map(|slot| (slot.position, slot.id.as_uuid())).collect();
        let update = query(concat!(
            "UPDATE ws_tasks AS t SET position = CAST(given.value ->> 0 AS bigint)
               FROM ",
            rows_of!("$2"),
            " WHERE t.org_id = $1 AND t.id = ",
            uuid_of!("given.value ->> 1")
        ))
        .bind(scope.org().as_uuid())
        .bind(Json(positions));
        self.execute("ws_tasks: place", update).await?;
        Ok(())
    }

    pub(super) async fn move_tasks(
        &mut self,
        scope: &OrgScope,
        project: ProjectId,
        from: StatusId,
        to: StatusId,
        after: i64,
        now: Timestamp,
    ) -> Result<Option<i64>, StoreError> {
        // Under the project's lock nobody moves a task between the two statements.
        let ends = query_as::<_, (Option<i64>, Option<i64>)>(
            "SELECT min(position), max(position) FROM ws_tasks
              WHERE org_id = $1 AND project_id = $2 AND status_id = $3",
        )
        .bind(scope.org().as_uuid())
        .bind(project.as_uuid())
        .bind(from.as_uuid());
        let (Some(first), Some(last)) = self.one("ws_tasks: ends of column", ends).await? else {
            return Ok(None);
        };
        let by = after + order::GAP - first;
        let update = query(
            "UPDATE ws_tasks SET status_id = $4, position = position + $5, version = version + 1, updated_at = $6
              WHERE org_id = $1 AND project_id = $2 AND status_id = $3",
        )
        .bind(scope.org().as_uuid())
        .bind(project.as_uuid())
        .bind(from.as_uuid())
        .bind(to.as_uuid())
        .bind(by)
        .bind(Ts(now));
        self.execute("ws_tasks: move column", update).await?;
        Ok(Some(last + by))
    }
}
