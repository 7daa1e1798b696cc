//! How tasks are inserted, updated and deleted, together with the counts at their parents.
//!
//! On Postgres each of these is one statement, which includes the pending writes. SQLite runs several statements, because a
//! `WITH` can only read there. No other transaction writes between them.

use sqlx::query::Query;
use sqlx::types::{Json, Uuid};
use sqlx::{Execute as _, query, query_as};
use workscribe_core::clock::Timestamp;
use workscribe_core::id::{LabelId, TaskId};
use workscribe_core::tenancy::OrgScope;
use workscribe_core::work::{Document, NewTask, Numbered, TaskWrite, order};
use workscribe_core::{Constraint, StoreError, StoreResult, Target};

use super::bind::BindAll as _;
use super::pending::{Relabelling, Statement};
use super::unit::Arguments;
use super::{Db, Unit, dialect, misuse};

/// Inserts a row into `ws_tasks`. The parameters say where its number and position come from.
macro_rules! insert_task {
    ($number:literal, $position:literal) => {
        concat!(
            "INSERT INTO ws_tasks (org_id, id, project_id, title, description, status_id, assignee_id, reporter_id, priority,
                                   type, parent_id, due_date, label_ids, created_at, updated_at, version, number, position)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $14, 1, ",
            $number,
            ", ",
            $position,
            ")"
        )
    };
}

/// The statement that uses the next number of the project also counts it, so the project's lock is held only for this round trip
/// and the commit. Without a number the insert fails, and `dialect::classify` recognizes the error.
const INSERT_COUNTED: &str = concat!(
    "WITH numbered AS (
         UPDATE ws_projects SET last_number = last_number + 1, last_position = last_position + $15
          WHERE org_id = $1 AND id = $3 AND is_archived = FALSE AND last_number < $16
         RETURNING last_number, last_position
     ), written AS (",
    insert_task!("(SELECT last_number FROM numbered)", "(SELECT last_position FROM numbered)"),
    " RETURNING number, position
     ), counted AS (
         UPDATE ws_tasks SET subtask_count = subtask_count + 1
          WHERE org_id = $1 AND id = $11 AND subtask_count < $17 AND EXISTS (SELECT 1 FROM written)
         RETURNING id
     )"
);

/// Updates the fields of a task, and the columns in `also`.
fn update_of(also: &str) -> String {
    format!(
        "UPDATE ws_tasks
            SET title = $3, description = $4, status_id = $5, position = COALESCE($6, position), assignee_id = $7,
                priority = $8, type = $9, parent_id = $10, due_date = $11, version = version + 1, updated_at = $12{also}
          WHERE org_id = $1 AND id = $2 AND ($13 IS NULL OR version = $13)"
    )
}

/// The same as the first part of a statement. It also changes the counts of the old and the new parent, if they differ.
fn update_counted(also: &str, keeps_parent: bool) -> String {
    if keeps_parent {
        return format!("WITH written AS ({} RETURNING id)", update_of(also));
    }
    format!(
        "WITH old AS MATERIALIZED (SELECT parent_id FROM ws_tasks WHERE org_id = $1 AND id = $2), written AS (
             {} RETURNING id
         ), counted AS (
             UPDATE ws_tasks SET subtask_count = subtask_count + CASE WHEN id = $10 THEN 1 ELSE -1 END
              WHERE org_id = $1 AND id = ANY (ARRAY[$10, (SELECT parent_id FROM old)])
                AND (SELECT parent_id FROM old) IS DISTINCT FROM $10 AND EXISTS (SELECT 1 FROM written)
         )",
        update_of(also)
    )
}

const DELETE_COUNTED: &str = "
    WITH written AS (
        DELETE FROM ws_tasks WHERE org_id = $1 AND id = $2 AND ($3 IS NULL OR version = $3) RETURNING parent_id
    ), counted AS (
        UPDATE ws_tasks SET subtask_count = subtask_count - 1
         WHERE org_id = $1 AND id = (SELECT parent_id FROM written)
    )";

fn arguments_of(mut query: Query<'_, Db, Arguments>) -> StoreResult<Arguments> {
    let taken = query.take_arguments().map_err(|error| misuse("bind", error.to_string()))?;
    Ok(taken.unwrap_or_default())
}

impl Unit {
    pub(crate) async fn insert_task(&mut self, scope: &OrgScope, task: &NewTask) -> StoreResult<Numbered> {
        self.wait_for_turn(task.project_id.as_uuid()).await;
        let (writes, labels) = self.take_pending(task.id.as_uuid()).await?;
        let fields = &task.fields;
        let mut label_ids: Vec<LabelId> = labels.map(|labels| labels.added).unwrap_or_default();
        label_ids.sort_unstable();
        let insert = query(INSERT_COUNTED).bind_all((
            scope,
            task.id,
            task.project_id,
            &fields.title,
            fields.description.as_ref().map(Document::to_stored),
            fields.status_id,
            fields.assignee_id,
            task.reporter_id,
            fields.priority.rank(),
            fields.kind.as_str(),
            fields.parent_id,
            fields.due_date,
            Json(label_ids),
            task.created_at,
        ));
        if dialect::WRITES_TOGETHER {
            let insert = insert.bind_all((order::GAP, task.room.in_project, task.room.below_parent));
            let arguments = arguments_of(insert)?;
            // Uses the current row of the parent, even if the statement waited for its lock.
            let end = "SELECT number, position, $11 IS NULL OR EXISTS (SELECT 1 FROM counted) FROM written";
            let numbered =
                self.write_with("ws_tasks: insert", INSERT_COUNTED, arguments, end, writes).await?;
            let (number, position, has_room): (i64, i64, bool) =
                numbered.ok_or_else(|| misuse("ws_tasks: insert", "no row was written"))?;
            if !has_room {
                return Err(StoreError::conflict(Constraint::Room, "ws_tasks: insert"));
            }
            return Ok(Numbered { number, position });
        }
        let number = query_as::<_, (i64, i64)>(
            "UPDATE ws_projects SET last_number = last_number + 1, last_position = last_position + $3
              WHERE org_id = $1 AND id = $2 AND is_archived = FALSE AND last_number < $4
             RETURNING last_number, last_position",
        )
        .bind_all((scope, task.project_id, order::GAP, task.room.in_project));
        let Some((number, position)) = self.optional_now("ws_projects: count a task", number, true).await?
        else {
            return Err(StoreError::conflict(Constraint::OpenProject, "ws_projects: count a task"));
        };
        if let Some(parent) = fields.parent_id {
            let there =
                query_as::<_, (i64,)>("SELECT subtask_count FROM ws_tasks WHERE org_id = $1 AND id = $2")
                    .bind_all((scope, parent));
            let there = self.optional_now("ws_tasks: parts", there, true).await?;
            if there.is_some_and(|(there,)| there >= task.room.below_parent) {
                return Err(StoreError::conflict(Constraint::Room, "ws_tasks: parts"));
            }
        }
        let arguments = arguments_of(insert.bind_all((number, position)))?;
        let mut insert = Statement::with_arguments(insert_task!("$15", "$16"), arguments);
        self.execute_now("ws_tasks: insert", insert.build(), true).await?;
        self.count_at_parent(scope, fields.parent_id, 1).await?;
        self.write_all(writes).await?;
        Ok(Numbered { number, position })
    }

    pub(crate) async fn update_task(
        &mut self,
        scope: &OrgScope,
        Target { id, version }: Target<TaskId>,
        TaskWrite { fields, position }: TaskWrite<'_>,
        now: Timestamp,
    ) -> StoreResult<bool> {
        let (writes, labels) = self.take_pending(id.as_uuid()).await?;
        let update = query("").bind_all((
            scope,
            id,
            &fields.title,
            fields.description.as_ref().map(Document::to_stored),
            fields.status_id,
            position,
            fields.assignee_id,
            fields.priority.rank(),
            fields.kind.as_str(),
            fields.parent_id,
            fields.due_date,
            now,
            version,
        ));
        let [begin, then, end] = dialect::LABEL_IDS_AFTER;
        let (also, update) = match labels {
            None => (String::new(), update),
            Some(Relabelling { added, removed, .. }) => (
                format!(", label_ids = {begin}$14{then}$15{end}"),
                update.bind_all((Json(added), Json(removed))),
            ),
        };
        let arguments = arguments_of(update)?;
        if dialect::WRITES_TOGETHER {
            let parent = fields.parent_id.map(Uuid::from);
            let keeps_parent = self.parents.insert(id.as_uuid(), parent) == Some(parent);
            let (main, end) = (update_counted(&also, keeps_parent), "SELECT count(*) FROM written");
            let written = self.write_with("ws_tasks: update", main, arguments, end, writes).await?;
            return Ok(written.is_some_and(|(written,): (i64,)| written > 0));
        }
        let old =
            query_as::<_, (Option<Uuid>,)>("SELECT parent_id FROM ws_tasks WHERE org_id = $1 AND id = $2")
                .bind_all((scope, id));
        let Some((old,)) = self.optional_now("ws_tasks: parent", old, true).await? else { return Ok(false) };
        let mut update = Statement::with_arguments(update_of(&also), arguments);
        if self.execute_now("ws_tasks: update", update.build(), true).await? == 0 {
            return Ok(false);
        }
        let old = old.map(TaskId::from);
        if old != fields.parent_id {
            self.count_at_parent(scope, old, -1).await?;
            self.count_at_parent(scope, fields.parent_id, 1).await?;
        }
        self.write_all(writes).await?;
        Ok(true)
    }

    pub(crate) async fn delete_task(
        &mut self,
        scope: &OrgScope,
        Target { id, version }: Target<TaskId>,
    ) -> StoreResult<bool> {
        // Labels that are pending for this task are not written.
        let (writes, _) = self.take_pending(id.as_uuid()).await?;
        let delete = query("").bind_all((scope, id, version));
        let arguments = arguments_of(delete)?;
        if dialect::WRITES_TOGETHER {
            let end = "SELECT count(*) FROM written";
            let deleted = self.write_with("ws_tasks: delete", DELETE_COUNTED, arguments, end, writes);
            return Ok(deleted.await?.is_some_and(|(deleted,): (i64,)| deleted > 0));
        }
        let delete = query_as::<_, (Option<Uuid>,)>(
            "DELETE FROM ws_tasks WHERE org_id = $1 AND id = $2 AND ($3 IS NULL OR version = $3) RETURNING parent_id",
        )
        .bind_all((scope, id, version));
        let deleted = self.optional_now("ws_tasks: delete", delete, true).await?;
        self.write_all(writes).await?;
        let Some((parent,)) = deleted else { return Ok(false) };
        self.count_at_parent(scope, parent.map(TaskId::from), -1).await?;
        Ok(true)
    }

    async fn count_at_parent(
        &mut self,
        scope: &OrgScope,
        parent: Option<TaskId>,
        by: i64,
    ) -> StoreResult<()> {
        let Some(parent) = parent else { return Ok(()) };
        let count =
            query("UPDATE ws_tasks SET subtask_count = subtask_count + $3 WHERE org_id = $1 AND id = $2")
                .bind_all((scope, parent, by));
        self.execute_now("ws_tasks: count a subtask", count, true).await.map(drop)
    }
}
