//! Tasks: the look-up behind the door, and reads under locks.

use std::collections::BTreeSet;

use async_trait::async_trait;
use chrono::NaiveDate;
use sqlx::types::{Json, Uuid};
use sqlx::{FromRow, query_as};
use workscribe_core::clock::Timestamp;
use workscribe_core::id::{TaskId, UserId};
use workscribe_core::tenancy::OrgScope;
use workscribe_core::work::{
    Entered, NewTask, Numbered, ProjectKey, Status, Task, TaskQuery, TaskStore, TaskWrite,
};
use workscribe_core::{StoreError, StoreResult, Target};

use super::Unit;
use super::bind::BindAll as _;
use super::projects::EnteredRow;
use super::task_row::TaskRow;

#[derive(FromRow)]
pub(crate) struct EnteredTaskRow {
    #[sqlx(flatten)]
    entered: EnteredRow,
    #[sqlx(flatten)]
    task: TaskRow,
}

impl TryFrom<EnteredTaskRow> for Entered<Task> {
    type Error = StoreError;

    fn try_from(row: EnteredTaskRow) -> StoreResult<Self> {
        row.entered.with(row.task.try_into()?)
    }
}

/// Reads those tasks of the organization `$1` that a query for ids or numbers chooses. That query is a `WITH` part of its own, so
/// the plan always starts with it.
macro_rules! task_select {
    ($choice:expr) => {
        concat!(
            "WITH t AS MATERIALIZED (SELECT i.description, ",
            listed_columns!(),
            " FROM ",
            $choice,
            ")",
            shown_with!("$1"),
            "SELECT ",
            task_columns!("t.description", "$1"),
            " FROM t",
            task_joins!()
        )
    };
}

macro_rules! tasks_by_id {
    ($lock:expr) => {
        task_select!(concat!(
            "ws_tasks i WHERE i.org_id = $1 AND i.id ",
            in_ids!("$2"),
            " ORDER BY i.id",
            $lock
        ))
    };
}

#[async_trait]
impl TaskStore for Unit {
    async fn enter(&mut self, user: UserId, id: TaskId) -> StoreResult<Option<Entered<Task>>> {
        if let Some(reads) = self.together() {
            return reads.tasks.load((user, id)).await;
        }
        Box::pin(self.enter_task_in(user, id)).await
    }

    async fn find(&mut self, scope: &OrgScope, id: TaskId) -> StoreResult<Option<Task>> {
        let find = query_as::<_, TaskRow>(task_select!("ws_tasks i WHERE i.org_id = $1 AND i.id = $2"))
            .bind_all((scope, id));
        self.optional("ws_tasks: find", find).await?.map(Task::try_from).transpose()
    }

    async fn find_by_key(
        &mut self,
        scope: &OrgScope,
        project: &ProjectKey,
        number: i64,
    ) -> StoreResult<Option<Task>> {
        let find = query_as::<_, TaskRow>(task_select!(
            "ws_tasks i
              WHERE i.org_id = $1 AND i.project_id = (SELECT id FROM ws_projects WHERE org_id = $1 AND key = $2)
                AND i.number = $3"
        ))
        .bind_all((scope, project.as_str(), number));
        self.optional("ws_tasks: find by key", find).await?.map(Task::try_from).transpose()
    }

    async fn lock(&mut self, scope: &OrgScope, ids: &[TaskId]) -> StoreResult<Vec<Task>> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let ids: BTreeSet<TaskId> = ids.iter().copied().collect();
        // The locked rows are current. The rows with which they are shown were read before the wait for the locks, and may lack a
        // new status.
        let lock = query_as::<_, TaskRow>(concat!(tasks_by_id!(for_update!()), "ORDER BY t.id"))
            .bind_all((scope, Json(&ids)));
        let mut rows = self.all("ws_tasks: lock", lock).await?;
        if rows.len() < ids.len() {
            let read = query_as::<_, TaskRow>(concat!(tasks_by_id!(""), "ORDER BY t.id"))
                .bind_all((scope, Json(&ids)));
            rows = self.all("ws_tasks: read locked", read).await?;
        }
        let tasks = rows.into_iter().map(Task::try_from).collect::<Result<Vec<_>, _>>()?;
        self.parents.extend(tasks.iter().map(|task| (task.id.as_uuid(), task.parent_id.map(Uuid::from))));
        Ok(tasks)
    }

    async fn insert(&mut self, scope: &OrgScope, task: &NewTask) -> StoreResult<Numbered> {
        self.insert_task(scope, task).await
    }

    async fn update(
        &mut self,
        scope: &OrgScope,
        target: Target<TaskId>,
        write: TaskWrite<'_>,
        now: Timestamp,
    ) -> StoreResult<bool> {
        let updated = self.update_task(scope, target, write, now).await?;
        self.written(scope, target, updated).await
    }

    async fn delete(&mut self, scope: &OrgScope, target: Target<TaskId>) -> StoreResult<bool> {
        let deleted = self.delete_task(scope, target).await?;
        self.written(scope, target, deleted).await
    }

    async fn list(&mut self, scope: &OrgScope, query: &TaskQuery) -> StoreResult<Vec<Task>> {
        self.list_tasks(scope, query).await
    }

    async fn count(&mut self, scope: &OrgScope, query: &TaskQuery) -> StoreResult<i64> {
        self.count_tasks(scope, query.filter()).await
    }

    async fn children(&mut self, scope: &OrgScope, id: TaskId, limit: u32) -> StoreResult<Vec<TaskId>> {
        let list = query_as::<_, (Uuid,)>(
            "SELECT id FROM ws_tasks WHERE org_id = $1 AND parent_id = $2 ORDER BY id LIMIT $3",
        )
        .bind_all((scope, id, limit));
        Ok(ids(self.all("ws_tasks: children", list).await?))
    }

    async fn is_within(&mut self, scope: &OrgScope, id: TaskId, ancestor: TaskId) -> StoreResult<bool> {
        // `UNION` drops rows that were found before, so a circle ends.
        let walk = query_as::<_, (i64,)>(
            "WITH RECURSIVE above (id) AS (
                 SELECT $2
                  UNION
                 SELECT t.parent_id FROM above CROSS JOIN ws_tasks t
                  WHERE t.org_id = $1 AND t.id = above.id AND t.parent_id IS NOT NULL
             )
             SELECT count(*) FROM above WHERE id = $3",
        )
        .bind_all((scope, id, ancestor));
        Ok(self.one("ws_tasks: is within", walk).await?.0 > 0)
    }

    async fn open_of(
        &mut self,
        scope: &OrgScope,
        assignee: UserId,
        after: Option<(Option<NaiveDate>, TaskId)>,
        limit: u32,
    ) -> StoreResult<Vec<(Option<NaiveDate>, TaskId)>> {
        // As in the index of a person's tasks: a task without a due date comes last.
        let last = NaiveDate::from_ymd_opt(9999, 12, 31).unwrap_or_default();
        let (due, id) = match after {
            Some((due, id)) => (due.unwrap_or(last), id.as_uuid()),
            None => (NaiveDate::from_ymd_opt(1, 1, 1).unwrap_or_default(), Uuid::nil()),
        };
        let list = query_as::<_, (Option<NaiveDate>, Uuid)>(concat!(
            "SELECT t.due_date, t.id FROM ws_tasks t ",
            one_of!("ws_statuses", "s", "s.org_id = $1 AND s.id = t.status_id"),
            " WHERE t.org_id = $1 AND t.assignee_id = $2 AND s.category <> 'done'
                AND (COALESCE(t.due_date, '9999-12-31'), t.id) > ($3, $4)
              ORDER BY COALESCE(t.due_date, '9999-12-31'), t.id LIMIT $5"
        ))
        .bind_all((scope, assignee, due, id, limit));
        Ok(self.all("ws_tasks: open of", list).await?.into_iter().map(|(due, id)| (due, id.into())).collect())
    }

    async fn in_status(
        &mut self,
        scope: &OrgScope,
        status: &Status,
        after: Option<TaskId>,
        limit: u32,
    ) -> StoreResult<Vec<TaskId>> {
        let list = query_as::<_, (Uuid,)>(
            "SELECT id FROM ws_tasks
              WHERE org_id = $1 AND project_id = $2 AND status_id = $3 AND id > $4 ORDER BY id LIMIT $5",
        )
        .bind_all((
            scope,
            status.project_id,
            status.id,
            after.map_or(Uuid::nil(), Uuid::from),
            limit,
        ));
        Ok(ids(self.all("ws_tasks: in status", list).await?))
    }
}

fn ids(rows: Vec<(Uuid,)>) -> Vec<TaskId> {
    rows.into_iter().map(|(id,)| id.into()).collect()
}

impl Unit {
    /// Reads on this unit's own connection.
    pub(crate) async fn enter_task_in(
        &mut self,
        user: UserId,
        id: TaskId,
    ) -> StoreResult<Option<Entered<Task>>> {
        // First finds the user's organizations, then looks for the task by its key in each of them.
        let enter = query_as::<_, EnteredTaskRow>(concat!(
            "WITH m AS MATERIALIZED (SELECT org_id, user_id, role FROM ws_members WHERE user_id = $2),
             t AS MATERIALIZED (
                 SELECT i.description, ",
            listed_columns!(),
            " FROM m ",
            one_of!("ws_tasks", "i", "i.org_id = m.org_id AND i.id = $1"),
            ")",
            shown_with!("(SELECT org_id FROM t)"),
            "SELECT ",
            entered_columns!(),
            ", ",
            task_columns!("t.description", "t.org_id"),
            " FROM t JOIN m ON m.org_id = t.org_id ",
            one_of!("ws_users", "u", "u.id = m.user_id"),
            task_joins!()
        ))
        .bind_all((id, user));
        self.optional("ws_tasks: enter", enter).await?.map(TryFrom::try_from).transpose()
    }

    /// Returns whether a task was written; an error if it was not because its version differs.
    async fn written(
        &mut self,
        scope: &OrgScope,
        Target { id, version }: Target<TaskId>,
        written: bool,
    ) -> StoreResult<bool> {
        if !written {
            let current =
                query_as("SELECT version FROM ws_tasks WHERE org_id = $1 AND id = $2").bind_all((scope, id));
            self.refuse_stale("ws_tasks: version", version, current).await?;
        }
        Ok(written)
    }
}
