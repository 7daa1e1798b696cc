//! The order of tasks in a column: what `TaskStore` says of it.

use sqlx::types::{Json, Uuid};
use sqlx::{FromRow, query, query_as};
use workscribe_core::StoreError;
use workscribe_core::clock::Timestamp;
use workscribe_core::id::{ProjectId, StatusId, TaskId};
use workscribe_core::tenancy::OrgScope;
use workscribe_core::work::{Landmark, Lifted, Slot, order};

use super::pending::{Statement, TASKS, Write};
use super::task_row::TaskRow;
use super::{Ts, Unit};

/// A task under its lock, with the place `$5` of the column `$4`, or of its own, in the project `$3`, and those around it.
macro_rules! lift {
    ($landmark:literal) => {
        concat!(
            "WITH t AS MATERIALIZED (SELECT i.description, ",
            listed_columns!(),
            " FROM ws_tasks i WHERE i.org_id = $1 AND i.id = $2",
            for_update!(),
            ")",
            shown_with!("$1"),
            ", goal AS MATERIALIZED (SELECT COALESCE($4, status_id) AS status_id FROM t),
             landmark AS MATERIALIZED (",
            $landmark,
            "), above AS MATERIALIZED (
                 SELECT n.position, n.id FROM ws_tasks n
                  WHERE n.org_id = $1 AND n.project_id = $3 AND n.status_id = (SELECT status_id FROM goal) AND n.id <> $2
                    AND (n.position, n.id) < ((SELECT position FROM landmark), (SELECT id FROM landmark))
                  ORDER BY n.position DESC, n.id DESC LIMIT 1
             ), below AS MATERIALIZED (
                 SELECT n.position, n.id FROM ws_tasks n
                  WHERE n.org_id = $1 AND n.project_id = $3 AND n.status_id = (SELECT status_id FROM goal) AND n.id <> $2
                    AND (n.position, n.id) > ((SELECT position FROM landmark), (SELECT id FROM landmark))
                  ORDER BY n.position, n.id LIMIT 1
             )
             SELECT ",
            task_columns!("t.description"),
            ", landmark.position AS landmark_position, landmark.id AS landmark_id,
               above.position AS above_position, above.id AS above_id,
               below.position AS below_position, below.id AS below_id
              FROM t",
            task_joins!(),
            "LEFT JOIN landmark ON TRUE LEFT JOIN above ON TRUE LEFT JOIN below ON TRUE"
        )
    };
}

#[derive(FromRow)]
struct LiftedRow {
    #[sqlx(flatten)]
    task: TaskRow,
    landmark_position: Option<i64>,
    landmark_id: Option<Uuid>,
    above_position: Option<i64>,
    above_id: Option<Uuid>,
    below_position: Option<i64>,
    below_id: Option<Uuid>,
}

impl TryFrom<LiftedRow> for Lifted {
    type Error = StoreError;

    fn try_from(row: LiftedRow) -> Result<Self, StoreError> {
        Ok(Self {
            task: row.task.try_into()?,
            landmark: row.landmark_position.zip(row.landmark_id).map(slot),
            above: row.above_position.zip(row.above_id).map(slot),
            below: row.below_position.zip(row.below_id).map(slot),
        })
    }
}

/// The ids as they are bound.
fn plain(ids: &[TaskId]) -> Json<Vec<Uuid>> {
    Json(ids.iter().map(|id| id.as_uuid()).collect())
}

fn slot((position, id): (i64, Uuid)) -> Slot {
    Slot { position, id: id.into() }
}

impl Unit {
    pub(crate) async fn find_slots_at(
        &mut self,
        scope: &OrgScope,
        project: ProjectId,
        status: StatusId,
        excluded: &[TaskId],
        indexes: &[i64],
    ) -> Result<Vec<(i64, Slot)>, StoreError> {
        let Some(last) = indexes.iter().max() else { return Ok(Vec::new()) };
        let find = query_as::<_, (i64, i64, Uuid)>(concat!(
            "SELECT c.n, c.position, c.id
               FROM (SELECT row_number() OVER (ORDER BY t.position, t.id) - 1 AS n, t.position, t.id
                       FROM ws_tasks t
                      WHERE t.org_id = $1 AND t.project_id = $2 AND t.status_id = $3 AND NOT t.id ",
            in_ids!("$4"),
            "         ORDER BY t.position, t.id LIMIT $5) AS c
              WHERE c.n IN (SELECT CAST(given.value AS bigint) FROM ",
            rows_of!("$6"),
            ")"
        ))
        .bind(scope.org().as_uuid())
        .bind(project.as_uuid())
        .bind(status.as_uuid())
        .bind(plain(excluded))
        .bind(last.saturating_add(1))
        .bind(Json(indexes.to_vec()));
        let found = self.all("ws_tasks: slots at", find).await?;
        Ok(found.into_iter().map(|(index, position, id)| (index, slot((position, id)))).collect())
    }

    pub(crate) async fn lift_task(
        &mut self,
        scope: &OrgScope,
        project: ProjectId,
        task: TaskId,
        status: Option<StatusId>,
        landmark: Landmark,
    ) -> Result<Option<Lifted>, StoreError> {
        let lift = match landmark {
            // The task by its key, and then whether it is in the column.
            Landmark::Task(_) => query_as::<_, LiftedRow>(lift!(
                "SELECT other.position, other.id
                   FROM (SELECT * FROM ws_tasks n WHERE n.org_id = $1 AND n.id = $5 LIMIT 1) AS other CROSS JOIN goal
                  WHERE other.project_id = $3 AND other.status_id = goal.status_id AND other.id <> $2"
            )),
            Landmark::Index(_) => query_as(lift!(
                "SELECT n.position, n.id FROM ws_tasks n
                  WHERE n.org_id = $1 AND n.project_id = $3 AND n.status_id = (SELECT status_id FROM goal) AND n.id <> $2
                  ORDER BY n.position, n.id LIMIT 1 OFFSET $5"
            )),
        }
        .bind(scope.org().as_uuid())
        .bind(task.as_uuid())
        .bind(project.as_uuid())
        .bind(status.map(Uuid::from));
        let lift = match landmark {
            Landmark::Task(other) => lift.bind(other.as_uuid()),
            Landmark::Index(index) => lift.bind(index),
        };
        let lifted = self.optional("ws_tasks: lift", lift).await?.map(Lifted::try_from).transpose()?;
        self.parents.extend(
            lifted.iter().map(|lifted| (lifted.task.id.as_uuid(), lifted.task.parent_id.map(Uuid::from))),
        );
        Ok(lifted)
    }

    pub(crate) async fn find_slots_before(
        &mut self,
        scope: &OrgScope,
        project: ProjectId,
        status: StatusId,
        excluded: &[TaskId],
        place: Option<Slot>,
        limit: u32,
    ) -> Result<Vec<Slot>, StoreError> {
        let (position, id) =
            place.map_or((i64::MAX, Uuid::max()), |place| (place.position, place.id.as_uuid()));
        let list = query_as::<_, (i64, Uuid)>(concat!(
            "SELECT position, id FROM ws_tasks
              WHERE org_id = $1 AND project_id = $2 AND status_id = $3 AND (position, id) < ($4, $5) AND NOT id ",
            in_ids!("$6"),
            " ORDER BY position DESC, id DESC LIMIT $7"
        ))
        .bind(scope.org().as_uuid())
        .bind(project.as_uuid())
        .bind(status.as_uuid())
        .bind(position)
        .bind(id)
        .bind(plain(excluded))
        .bind(i64::from(limit));
        Ok(self.all("ws_tasks: slots before", list).await?.into_iter().map(slot).collect())
    }

    pub(crate) async fn find_slots_from(
        &mut self,
        scope: &OrgScope,
        project: ProjectId,
        status: StatusId,
        excluded: &[TaskId],
        place: Slot,
        limit: u32,
    ) -> Result<Vec<Slot>, StoreError> {
        let list = query_as::<_, (i64, Uuid)>(concat!(
            "SELECT position, id FROM ws_tasks
              WHERE org_id = $1 AND project_id = $2 AND status_id = $3 AND (position, id) >= ($4, $5) AND NOT id ",
            in_ids!("$6"),
            " ORDER BY position, id LIMIT $7"
        ))
        .bind(scope.org().as_uuid())
        .bind(project.as_uuid())
        .bind(status.as_uuid())
        .bind(place.position)
        .bind(place.id.as_uuid())
        .bind(plain(excluded))
        .bind(i64::from(limit));
        Ok(self.all("ws_tasks: slots from", list).await?.into_iter().map(slot).collect())
    }

    pub(crate) async fn place_tasks(&mut self, scope: &OrgScope, slots: &[Slot]) -> Result<(), StoreError> {
        let org = scope.org().as_uuid();
        match slots {
            [] => Ok(()),
            [slot] => {
                let (position, id) = (slot.position, slot.id.as_uuid());
                let push = move |update: &mut Statement| {
                    update.push("UPDATE ws_tasks SET position = ").push_bind(position);
                    update.push(" WHERE org_id = ").push_bind(org).push(" AND id = ").push_bind(id);
                };
                let updates = vec![(TASKS, id)];
                self.write_later(Write { name: "ws_tasks: place", rows: 1, updates, push: Box::new(push) })
                    .await
            }
            _ => {
                let positions: Vec<_> = slots.iter().map(|slot| (slot.position, slot.id.as_uuid())).collect();
                let ids: Vec<Uuid> = slots.iter().map(|slot| slot.id.as_uuid()).collect();
                // The ids alone too, which say by which index the tasks are found.
                let update = query(concat!(
                    "UPDATE ws_tasks AS t SET position = CAST(given.value ->> 0 AS bigint)
                       FROM ",
                    rows_of!("$2"),
                    " WHERE t.org_id = $1 AND t.id = ",
                    uuid_of!("given.value ->> 1"),
                    " AND t.id ",
                    in_ids!("$3")
                ))
                .bind(org)
                .bind(Json(positions))
                .bind(Json(ids));
                self.execute("ws_tasks: place", update).await.map(drop)
            }
        }
    }

    pub(crate) async fn move_tasks(
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
