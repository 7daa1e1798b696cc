//! The order of tasks in the columns of boards.

use async_trait::async_trait;
use sqlx::types::{Json, Uuid};
use sqlx::{FromRow, query, query_as};
use workscribe_core::clock::Timestamp;
use workscribe_core::id::TaskId;
use workscribe_core::tenancy::OrgScope;
use workscribe_core::work::{BoardPosition, BoardStore, Column, ColumnMove, Goal, Landmark, Lifted, order};
use workscribe_core::{StoreError, StoreResult};

use super::Unit;
use super::bind::BindAll as _;
use super::pending::{Statement, TASKS, Write};
use super::task_row::TaskRow;

/// A locked task, with the position `$5` of the column `$4` (or of its own column) in the project `$3`, and its neighbours.
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
            task_columns!("t.description", "$1"),
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

    fn try_from(row: LiftedRow) -> StoreResult<Self> {
        Ok(Self {
            task: row.task.try_into()?,
            landmark: row.landmark_position.zip(row.landmark_id).map(position),
            above: row.above_position.zip(row.above_id).map(position),
            below: row.below_position.zip(row.below_id).map(position),
        })
    }
}

/// The ids as a bound value.
fn plain(ids: &[TaskId]) -> Json<Vec<Uuid>> {
    Json(ids.iter().map(|id| id.as_uuid()).collect())
}

fn position((position, id): (i64, Uuid)) -> BoardPosition {
    BoardPosition { position, id: id.into() }
}

#[async_trait]
impl BoardStore for Unit {
    async fn positions_at(
        &mut self,
        scope: &OrgScope,
        column: Column<'_>,
        indexes: &[i64],
    ) -> StoreResult<Vec<(i64, BoardPosition)>> {
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
        .bind_all((
            scope,
            column.project,
            column.status,
            plain(column.without),
            last.saturating_add(1),
            Json(indexes.to_vec()),
        ));
        let found = self.all("ws_tasks: positions at", find).await?;
        Ok(found
            .into_iter()
            .map(|(index, position, id)| (index, BoardPosition { position, id: id.into() }))
            .collect())
    }

    async fn lift(
        &mut self,
        scope: &OrgScope,
        task: TaskId,
        Goal { project, status, landmark }: Goal,
    ) -> StoreResult<Option<Lifted>> {
        let lift = match landmark {
            // Finds the task by its key, then checks that it is in the column.
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
        .bind_all((scope, task, project, status));
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

    async fn positions_before(
        &mut self,
        scope: &OrgScope,
        column: Column<'_>,
        before: Option<BoardPosition>,
        limit: u32,
    ) -> StoreResult<Vec<BoardPosition>> {
        let (last, id) = before.map_or((i64::MAX, Uuid::max()), |one| (one.position, one.id.as_uuid()));
        let list = query_as::<_, (i64, Uuid)>(concat!(
            "SELECT position, id FROM ws_tasks
              WHERE org_id = $1 AND project_id = $2 AND status_id = $3 AND (position, id) < ($4, $5) AND NOT id ",
            in_ids!("$6"),
            " ORDER BY position DESC, id DESC LIMIT $7"
        ))
        .bind_all((scope, column.project, column.status, last, id, plain(column.without), limit));
        Ok(self.all("ws_tasks: positions before", list).await?.into_iter().map(position).collect())
    }

    async fn positions_from(
        &mut self,
        scope: &OrgScope,
        column: Column<'_>,
        from: BoardPosition,
        limit: u32,
    ) -> StoreResult<Vec<BoardPosition>> {
        let list = query_as::<_, (i64, Uuid)>(concat!(
            "SELECT position, id FROM ws_tasks
              WHERE org_id = $1 AND project_id = $2 AND status_id = $3 AND (position, id) >= ($4, $5) AND NOT id ",
            in_ids!("$6"),
            " ORDER BY position, id LIMIT $7"
        ))
        .bind_all((
            scope, column.project, column.status, from.position, from.id, plain(column.without), limit,
        ));
        Ok(self.all("ws_tasks: positions from", list).await?.into_iter().map(position).collect())
    }

    async fn place(&mut self, scope: &OrgScope, positions: &[BoardPosition]) -> StoreResult<()> {
        let org = scope.org().as_uuid();
        match positions {
            [] => Ok(()),
            [one] => {
                let (position, id) = (one.position, one.id.as_uuid());
                let push = move |update: &mut Statement| {
                    update.push("UPDATE ws_tasks SET position = ").push_bind(position);
                    update.push(" WHERE org_id = ").push_bind(org).push(" AND id = ").push_bind(id);
                };
                let updates = vec![(TASKS, id)];
                self.write_later(Write { name: "ws_tasks: place", rows: 1, updates, push: Box::new(push) })
                    .await
            }
            _ => {
                let ids: Vec<Uuid> = positions.iter().map(|one| one.id.as_uuid()).collect();
                let positions: Vec<_> =
                    positions.iter().map(|one| (one.position, one.id.as_uuid())).collect();
                // The ids are bound once more by themselves, so that the tasks are found by their index.
                let update = query(concat!(
                    "UPDATE ws_tasks AS t SET position = CAST(given.value ->> 0 AS bigint)
                       FROM ",
                    rows_of!("$2"),
                    " WHERE t.org_id = $1 AND t.id = ",
                    uuid_of!("given.value ->> 1"),
                    " AND t.id ",
                    in_ids!("$3")
                ))
                .bind_all((org, Json(positions), Json(ids)));
                self.execute("ws_tasks: place", update).await.map(drop)
            }
        }
    }

    async fn move_column(
        &mut self,
        scope: &OrgScope,
        ColumnMove { project, from, to, after }: ColumnMove,
        now: Timestamp,
    ) -> StoreResult<Option<i64>> {
        // The caller holds the project's lock, so no task moves between the two statements.
        let ends = query_as::<_, (Option<i64>, Option<i64>)>(
            "SELECT min(position), max(position) FROM ws_tasks
              WHERE org_id = $1 AND project_id = $2 AND status_id = $3",
        )
        .bind_all((scope, project, from));
        let (Some(first), Some(last)) = self.one("ws_tasks: ends of column", ends).await? else {
            return Ok(None);
        };
        let by = after + order::GAP - first;
        let update = query(
            "UPDATE ws_tasks SET status_id = $4, position = position + $5, version = version + 1, updated_at = $6
              WHERE org_id = $1 AND project_id = $2 AND status_id = $3",
        )
        .bind_all((scope, project, from, to, by, now));
        self.execute("ws_tasks: move column", update).await?;
        Ok(Some(last + by))
    }
}
