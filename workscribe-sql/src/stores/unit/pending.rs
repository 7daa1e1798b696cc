//! Writes that nobody reads before the commit. A unit collects them and writes them together: on Postgres in one statement with the
//! next write, so a change and all that follows from it cost one round trip; on SQLite, where a round trip costs nothing, one after
//! another.
//!
//! They are written before the unit's next statement of any kind, so no statement misses them. When one breaks a rule, the error
//! appears then, or at the commit.

use std::mem::take;

use sqlx::query_builder::Separated;
use sqlx::types::{Json, Uuid};
use sqlx::{FromRow, QueryBuilder};
use workscribe_core::StoreResult;
use workscribe_core::id::{LabelId, TaskId};
use workscribe_core::tenancy::OrgScope;

use super::{Arguments, Row};
use super::{Db, Unit, dialect};

pub(crate) type Statement = QueryBuilder<Db>;

/// A statement with more rows than this does not stay prepared, because its text depends on their number.
const KEPT_ROWS: usize = 16;
/// More rows than this are written in several statements.
pub(crate) const ROWS_AT_ONCE: usize = 500;

/// The table of tasks, for [`Write::updates`].
pub(crate) const TASKS: &str = "ws_tasks";

/// A statement that was not run yet.
pub(crate) struct Write {
    /// The log shows it when the statement fails.
    pub(crate) name: &'static str,
    pub(crate) rows: usize,
    /// The rows that it may update, by table and id. One statement of Postgres can write a row only once.
    pub(crate) updates: Vec<(&'static str, Uuid)>,
    pub(crate) push: Box<dyn FnOnce(&mut Statement) + Send>,
}

/// The pending writes.
#[derive(Default)]
pub(crate) struct Pending {
    writes: Vec<Write>,
    labels: Vec<Relabelling>,
}

/// Labels that are added to and removed from a task.
pub(crate) struct Relabelling {
    pub(crate) org: Uuid,
    pub(crate) task: Uuid,
    pub(crate) added: Vec<LabelId>,
    pub(crate) removed: Vec<LabelId>,
}

impl Relabelling {
    /// The statements that add and remove rows of `ws_task_labels`.
    fn rows(&self) -> Vec<Write> {
        let (org, task) = (self.org, self.task);
        let mut writes = Vec::new();
        if !self.added.is_empty() {
            let added = self.added.clone();
            let push = move |insert: &mut Statement| {
                insert.push("INSERT INTO ws_task_labels (org_id, task_id, label_id) ");
                push_rows(insert, added, |row, label| {
                    row.push_bind(org).push_bind(task).push_bind(label.as_uuid());
                });
                insert.push(" ON CONFLICT DO NOTHING");
            };
            writes.push(Write {
                name: "ws_task_labels: attach",
                rows: self.added.len(),
                updates: vec![],
                push: Box::new(push),
            });
        }
        if !self.removed.is_empty() {
            let removed = Json(self.removed.iter().map(|label| label.as_uuid()).collect());
            let push = move |delete: &mut Statement| {
                delete.push("DELETE FROM ws_task_labels WHERE org_id = ").push_bind(org);
                delete.push(" AND task_id = ").push_bind(task).push(" AND label_id ");
                dialect::push_in_ids(delete, removed);
            };
            writes.push(Write {
                name: "ws_task_labels: detach",
                rows: 1,
                updates: vec![],
                push: Box::new(push),
            });
        }
        writes
    }

    /// The update of the labels on the task's row.
    fn note(self) -> Write {
        let Self { org, task, added, removed } = self;
        let push = move |update: &mut Statement| {
            update.push("UPDATE ws_tasks SET label_ids = ");
            push_label_ids(update, &added, &removed);
            update.push(" WHERE org_id = ").push_bind(org).push(" AND id = ").push_bind(task);
        };
        Write { name: "ws_tasks: note labels", rows: 1, updates: vec![(TASKS, task)], push: Box::new(push) }
    }
}

/// The new value of `label_ids` after labels are added and removed.
pub(crate) fn push_label_ids(update: &mut Statement, added: &[LabelId], removed: &[LabelId]) {
    let [begin, then, end] = dialect::LABEL_IDS_AFTER;
    update.push(begin).push_bind(Json(added.to_vec()));
    update.push(then).push_bind(Json(removed.to_vec())).push(end);
}

/// `VALUES` with one row for each item.
pub(crate) fn push_rows<T>(
    insert: &mut Statement,
    rows: impl IntoIterator<Item = T>,
    mut push: impl FnMut(&mut Separated<'_, Db, &'static str>, T),
) {
    let mut first = true;
    insert.push("VALUES ");
    for row in rows {
        insert.push(if take(&mut first) { "(" } else { ", (" });
        push(&mut insert.separated(", "), row);
        insert.push(")");
    }
}

impl Pending {
    pub(crate) fn is_empty(&self) -> bool {
        self.writes.is_empty() && self.labels.is_empty()
    }

    fn touches(&self, row: (&'static str, Uuid)) -> bool {
        self.writes.iter().any(|write| write.updates.contains(&row))
            || self.labels.iter().any(|labels| (TASKS, labels.task) == row)
    }

    /// All pending writes, as statements.
    fn into_writes(self) -> Vec<Write> {
        let mut writes = self.writes;
        for labels in self.labels {
            writes.extend(labels.rows());
            writes.push(labels.note());
        }
        writes
    }
}

impl Unit {
    /// Adds a statement to the pending writes.
    pub(crate) async fn write_later(&mut self, write: Write) -> StoreResult<()> {
        if write.updates.iter().any(|row| self.pending.touches(*row)) {
            self.flush().await?;
        }
        self.pending.writes.push(write);
        Ok(())
    }

    /// Adds a change of a task's labels to the pending writes.
    pub(crate) async fn relabel_later(
        &mut self,
        scope: &OrgScope,
        task: TaskId,
        added: &[LabelId],
        removed: &[LabelId],
    ) -> StoreResult<()> {
        let (org, task) = (scope.org().as_uuid(), task.as_uuid());
        if self.pending.touches((TASKS, task)) {
            self.flush().await?;
        }
        let (added, removed) = (added.to_vec(), removed.to_vec());
        self.pending.labels.push(Relabelling { org, task, added, removed });
        Ok(())
    }

    /// Takes the pending writes, to run them together with a statement that writes a task's row. The task's labels are apart,
    /// because that statement writes them to the row itself. Other pending updates of the row are written first.
    pub(crate) async fn take_pending(
        &mut self,
        task: Uuid,
    ) -> StoreResult<(Vec<Write>, Option<Relabelling>)> {
        if self.pending.writes.iter().any(|write| write.updates.contains(&(TASKS, task))) {
            self.flush().await?;
        }
        let mut pending = take(&mut self.pending);
        let own = pending.labels.iter().position(|labels| labels.task == task);
        let own = own.map(|at| pending.labels.swap_remove(at));
        let mut writes = pending.into_writes();
        if let Some(labels) = &own {
            writes.extend(labels.rows());
        }
        Ok((writes, own))
    }

    /// Runs the pending writes.
    pub(crate) async fn flush(&mut self) -> StoreResult<()> {
        if self.pending.is_empty() {
            return Ok(());
        }
        let writes = take(&mut self.pending).into_writes();
        self.write_all(writes).await.map(drop)
    }

    /// Runs the pending writes and then this one, and returns how many rows this one wrote.
    pub(crate) async fn flush_with(&mut self, last: Write) -> StoreResult<u64> {
        if last.updates.iter().any(|row| self.pending.touches(*row)) {
            self.flush().await?;
        }
        let mut writes = take(&mut self.pending).into_writes();
        writes.push(last);
        self.write_all(writes).await
    }

    /// Runs writes, and returns how many rows the last one wrote.
    pub(crate) async fn write_all(&mut self, mut writes: Vec<Write>) -> StoreResult<u64> {
        if dialect::WRITES_TOGETHER && writes.len() > 1 {
            let last = writes.pop();
            let (name, rows) = (writes[0].name, writes.iter().map(|write| write.rows).sum::<usize>());
            let mut all = Statement::new("WITH ");
            push_parts(&mut all, writes);
            let Some(last) = last else { return Ok(0) };
            all.push(" ");
            (last.push)(&mut all);
            return self.run_built(name, all, rows + last.rows).await;
        }
        let mut written = 0;
        for write in writes {
            let mut one = Statement::default();
            (write.push)(&mut one);
            written = self.run_built(write.name, one, write.rows).await?;
        }
        Ok(written)
    }

    /// Runs a write that returns a row, with other writes as further parts of the same statement. `main` is the statement
    /// without its last part, `end` is that part.
    pub(crate) async fn write_with<T>(
        &mut self,
        name: &'static str,
        main: impl Into<String> + Send,
        arguments: Arguments,
        end: &'static str,
        writes: Vec<Write>,
    ) -> StoreResult<Option<T>>
    where
        T: Send + Unpin + for<'r> FromRow<'r, Row>,
    {
        let rows = writes.iter().map(|write| write.rows).sum::<usize>();
        let mut all = Statement::with_arguments(main, arguments);
        if !writes.is_empty() {
            all.push(", ");
            push_parts(&mut all, writes);
        }
        all.push(" ").push(end);
        let query = all.build_query_as::<T>();
        self.optional_now(name, query, rows <= KEPT_ROWS).await
    }

    async fn run_built(
        &mut self,
        name: &'static str,
        mut statement: Statement,
        rows: usize,
    ) -> StoreResult<u64> {
        // Many rows are written in hundreds, so that their statement stays prepared too.
        self.execute_now(name, statement.build(), rows <= KEPT_ROWS || rows == 100).await
    }
}

fn push_parts(all: &mut Statement, writes: Vec<Write>) {
    for (at, write) in writes.into_iter().enumerate() {
        all.push(if at == 0 { "w" } else { ", w" }).push(at).push(" AS (");
        (write.push)(all);
        all.push(")");
    }
}
