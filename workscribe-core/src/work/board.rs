//! The order of tasks in the columns of a board, as a storage keeps it; [`super::order`] says how positions are chosen.

use async_trait::async_trait;

use crate::clock::Timestamp;
use crate::id::{ProjectId, StatusId, TaskId};
use crate::store_error::StoreResult;
use crate::tenancy::OrgScope;

use super::task::Task;

/// A column of a board: the tasks of one status, by (`position`, `id`), without some of them.
#[derive(Debug, Clone, Copy)]
pub struct Column<'a> {
    /// The project of the board.
    pub project: ProjectId,
    /// The status.
    pub status: StatusId,
    /// Tasks that are left out, because they are about to be moved.
    pub without: &'a [TaskId],
}

/// The position of a task in its column.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct BoardPosition {
    /// The number by which the column is ordered.
    pub position: i64,
    /// The task, which decides between equal numbers.
    pub id: TaskId,
}

/// A position of a column to look up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Landmark {
    /// The position of another task.
    Task(TaskId),
    /// The position at an index, counted from 0.
    Index(i64),
}

/// What [`BoardStore::lift`] looks up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Goal {
    /// The project of the board.
    pub project: ProjectId,
    /// The status of the column; `None` for the column that the task is in.
    pub status: Option<StatusId>,
    /// The position in that column.
    pub landmark: Landmark,
}

/// A task before its move, read under its lock, with the positions around a landmark. The task itself is left out of them.
#[derive(Debug, Clone, PartialEq)]
pub struct Lifted {
    /// The task.
    pub task: Task,
    /// The landmark's position; `None` when the column has no such position.
    pub landmark: Option<BoardPosition>,
    /// The position right before it.
    pub above: Option<BoardPosition>,
    /// The position right after it.
    pub below: Option<BoardPosition>,
}

/// A move of all tasks of one status into another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ColumnMove {
    /// The project of both statuses.
    pub project: ProjectId,
    /// The status that the tasks have.
    pub from: StatusId,
    /// The status that they get.
    pub to: StatusId,
    /// The last position of the board.
    pub after: i64,
}

/// The order of tasks in columns. The caller holds the project's lock.
#[async_trait]
pub trait BoardStore: Send {
    /// The positions at some indexes of a column, each with its index, in any order; none past the end. It reads the column once, up
    /// to the largest index.
    async fn positions_at(
        &mut self,
        scope: &OrgScope,
        column: Column<'_>,
        indexes: &[i64],
    ) -> StoreResult<Vec<(i64, BoardPosition)>>;
    /// Locks a task and reads it with the positions around a landmark, in one statement. `None` when the task does not exist.
    async fn lift(&mut self, scope: &OrgScope, task: TaskId, goal: Goal) -> StoreResult<Option<Lifted>>;
    /// Up to `limit` positions of a column before one (of the whole column for `None`), nearest first.
    async fn positions_before(
        &mut self,
        scope: &OrgScope,
        column: Column<'_>,
        before: Option<BoardPosition>,
        limit: u32,
    ) -> StoreResult<Vec<BoardPosition>>;
    /// Up to `limit` positions of a column from one on, itself included, nearest first.
    async fn positions_from(
        &mut self,
        scope: &OrgScope,
        column: Column<'_>,
        from: BoardPosition,
        limit: u32,
    ) -> StoreResult<Vec<BoardPosition>>;
    /// Writes the positions of tasks, and no other field.
    async fn place(&mut self, scope: &OrgScope, positions: &[BoardPosition]) -> StoreResult<()>;
    /// Moves all tasks of a status to the end of another, in their order: the first gets the position `after` plus
    /// [`super::order::GAP`], and the distances stay. Returns the last of the new positions; `None` when the status has no task.
    async fn move_column(
        &mut self,
        scope: &OrgScope,
        column: ColumnMove,
        now: Timestamp,
    ) -> StoreResult<Option<i64>>;
}
