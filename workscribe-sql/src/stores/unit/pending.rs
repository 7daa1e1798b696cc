//! Writes that nobody reads before the commit. A unit gathers them and writes them together: on Postgres in one statement with the
//! next write, so that a change and all that it leaves behind costs one round trip; on SQLite, where a round trip costs nothing, one
//! after another.
//!
//! They are written at the latest before the unit's next statement of any kind, so nothing reads around them. A rule that one of
//! them breaks shows itself then, or at the commit.

use std::mem::take;

use sqlx::query_builder::Separated;
use sqlx::types::{Json, Uuid};
use sqlx::{FromRow, QueryBuilder};
use workscribe_core::StoreError;
use workscribe_core::id::{LabelId, TaskId};
use workscribe_core::tenancy::OrgScope;

use super::{Arguments, Row};
use super::{Db, Unit, dialect};

pub(crate) type Statement = QueryBuilder<Db>;

/// A statement with more rows than this is not kept prepared: its text depends on their number.
const KEPT_ROWS: usize = 16;
/// More rows than this are written by several statements.
pub(crate) const ROWS_AT_ONCE: usize = 500;

/// The table of tasks, as a part of a row's name.
pub(crate) const TASKS: &str = "ws_tasks";

/// One statement that is still to be made.
pub(crate) struct Write {
    /// Stands in the log when it fails.
    pub(crate) name: &'static str,
    pub(crate) rows: usize,
    /// The rows that it may update, by table and id. One statement of Postgres writes a row once.
    pub(crate) updates: Vec<(&'static str, Uuid)>,
    pub(crate) push: Box<dyn FnOnce(&mut Statement) + Send>,
}

/// What is to be written.
#[derive(Default)]
pub(crate) struct Pending {
    writes: Vec<Write>,
    labels: Vec<Relabelling>,
}

/// Labels that a task gets and loses.
pub(crate) struct Relabelling {
    pub(crate) org: Uuid,
    pub(crate) task: Uuid,
    pub(crate) added: Vec<LabelId>,
    pub(crate) removed: Vec<LabelId>,
}

impl Relabelling {
    /// The rows of `ws_task_labels` that come and go.
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

    /// The task's own note of its labels.
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

/// What `label_ids` is after labels came and went.
pub(crate) fn push_label_ids(update: &mut Statement, added: &[LabelId], removed: &[LabelId]) {
    let [begin, then, end] = dialect::LABEL_IDS_AFTER;
    update.push(begin).push_bind(Json(added.to_vec()));
    update.push(then).push_bind(Json(removed.to_vec())).push(end);
}

/// `VALUES` with a row for each.
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

    /// All of it, as statements.
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
    /// Writes this with the next write.
    pub(crate) async fn write_later(&mut self, write: Write) -> Result<(), StoreError> {
        if write.updates.iter().any(|row| self.pending.touches(*row)) {
            self.flush().await?;
        }
        self.pending.writes.push(write);
        Ok(())
    }

    /// The same for labels of a task.
    pub(crate) async fn relabel_later(
        &mut self,
        scope: &OrgScope,
        task: TaskId,
        added: &[LabelId],
        removed: &[LabelId],
    ) -> Result<(), StoreError> {
        let (org, task) = (scope.org().as_uuid(), task.as_uuid());
        if self.pending.touches((TASKS, task)) {
            self.flush().await?;
        }
        let (added, removed) = (added.to_vec(), removed.to_vec());
        self.pending.labels.push(Relabelling { org, task, added, removed });
        Ok(())
    }

    /// Takes what is to be written together with a statement that writes the row of a task: its labels apart, as that statement
    /// notes them itself. What updates the same row otherwise is written before.
    pub(crate) async fn take_pending(
        &mut self,
        task: Uuid,
    ) -> Result<(Vec<Write>, Option<Relabelling>), StoreError> {
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

    /// Writes what is pending.
    pub(crate) async fn flush(&mut self) -> Result<(), StoreError> {
        if self.pending.is_empty() {
            return Ok(());
        }
        let writes = take(&mut self.pending).into_writes();
        self.write_all(writes).await.map(drop)
    }

    /// Writes what is pending, then this, and answers how many rows this one wrote.
    pub(crate) async fn flush_with(&mut self, last: Write) -> Result<u64, StoreError> {
        if last.updates.iter().any(|row| self.pending.touches(*row)) {
            self.flush().await?;
        }
        let mut writes = take(&mut self.pending).into_writes();
        writes.push(last);
        self.write_all(writes).await
    }

    /// Answers how many rows the last of them wrote.
    pub(crate) async fn write_all(&mut self, mut writes: Vec<Write>) -> Result<u64, StoreError> {
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

    /// Runs a write that answers a row, with others as further parts of it. `main` is all of the statement before its last
    /// part, `end` the last one.
    pub(crate) async fn write_with<T>(
        &mut self,
        name: &'static str,
        main: impl Into<String> + Send,
        arguments: Arguments,
        end: &'static str,
        writes: Vec<Write>,
    ) -> Result<Option<T>, StoreError>
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
    ) -> Result<u64, StoreError> {
        // Many rows come by the hundred, so that their statement is kept as well.
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
