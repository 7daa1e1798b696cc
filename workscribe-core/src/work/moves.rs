//! Moving a task on the board.

use crate::error::{Error, FieldError, Result};
use crate::id::{ProjectId, StatusId, TaskId};
use crate::storage::UnitOfWork;
use crate::tenancy::{In, OrgScope};

use super::board::{BoardPosition, Column, Goal, Landmark, Lifted};
use super::changes::{Lookup, Resolved};
use super::order::{self, GAP};
use super::projects::no_such_project;
use super::record::{Trail, writable};
use super::task::Task;
use super::tasks::{Tasks, no_such_task};

/// The new position of a task in its column.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Destination {
    /// The end.
    #[default]
    End,
    /// The position with so many tasks before it; the end when there are fewer.
    Index(i64),
    /// Directly before another task of the column.
    Before(TaskId),
    /// Directly after another task of the column.
    After(TaskId),
}

/// The new position of a task on the board.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Move {
    /// The column; `None` for the current column of the task.
    pub status: Option<StatusId>,
    /// The position in the column.
    pub to: Destination,
}

/// How many neighbours on each side are spread out first when there is no room.
const WINDOW: u32 = 8;

impl Tasks<'_> {
    /// Moves a task on the board to a position in a column.
    ///
    /// It writes one row, unless there is no room between the new neighbours; see [`super::order`]. The version of the task grows
    /// only when its status changes.
    ///
    /// # Errors
    /// `INSUFFICIENT_ROLE`; `VALIDATION_FAILED` for a status of another project, a negative index, or a neighbour that is not in
    /// the column; `PROJECT_ARCHIVED`; `TASK_NOT_FOUND`; `STALE_VERSION`.
    pub async fn relocate(
        &self,
        uow: &mut dyn UnitOfWork,
        at: &In<Task>,
        to: Move,
        expected: Option<i64>,
    ) -> Result<Task> {
        let scope = at.scope();
        self.edit(scope)?;
        writable(at.project_is_archived)?;
        let mut lookup = Lookup::new(self.app, scope, at.project_id);
        let mut change = Resolved { expected, ..Resolved::default() };
        if let Some(status) = to.status {
            change.status = lookup.status(uow, status).await?;
        }
        if matches!(to.to, Destination::Index(index) if index < 0) {
            lookup.violations.add("/position", "OUT_OF_RANGE", "Positions in a column are counted from 0.");
        }
        lookup.violations.into_result()?;
        uow.projects().hold(scope, at.project_id).await?;
        let (before, room) = self.lift(uow, at, to).await?;
        writable(before.project_is_archived)?;
        let status = to.status.unwrap_or(before.status.id);
        let column = Column { project: at.project_id, status, without: &[at.id] };
        change.position = Some(self.find_room(uow, scope, column, room).await?);
        self.apply(uow, Trail::new(self.app, at), before, &change).await
    }

    /// The task under its lock, and the positions around its new position; `None` for the end of the column.
    async fn lift(
        &self,
        uow: &mut dyn UnitOfWork,
        at: &In<Task>,
        Move { status, to }: Move,
    ) -> Result<(Task, Option<Gap>)> {
        let landmark = match to {
            Destination::End => return Ok((self.lock_one(uow, at.scope(), at.id).await?, None)),
            Destination::Index(index) => Landmark::Index(index),
            Destination::Before(other) | Destination::After(other) => Landmark::Task(other),
        };
        let goal = Goal { project: at.project_id, status, landmark };
        let lifted = uow.board().lift(at.scope(), at.id, goal).await?;
        let Lifted { task, landmark, above, below } = lifted.ok_or_else(no_such_task)?;
        let gap = match to {
            Destination::After(_) => {
                let above = landmark.ok_or_else(|| no_such_neighbour("/after_id"))?;
                below.map(|next| Gap { above: Some(above), next })
            }
            Destination::Before(_) => {
                let next = landmark.ok_or_else(|| no_such_neighbour("/before_id"))?;
                Some(Gap { above, next })
            }
            Destination::Index(_) | Destination::End => landmark.map(|next| Gap { above, next }),
        };
        Ok((task, gap))
    }

    /// A position for a task in a column, under the project's lock. It spreads out the neighbours if there is no room.
    async fn find_room(
        &self,
        uow: &mut dyn UnitOfWork,
        scope: &OrgScope,
        column: Column<'_>,
        gap: Option<Gap>,
    ) -> Result<i64> {
        let Some(Gap { above, next }) = gap else {
            return self.advance(uow, scope, column.project, GAP).await;
        };
        match order::between(above.map(|place| place.position), Some(next.position)) {
            Some(position) => Ok(position),
            None => {
                let positions = self.spread(uow, scope, column, (next, 1)).await?;
                positions.first().copied().ok_or_else(|| Error::internal("the task is not in its own window"))
            }
        }
    }

    /// Makes room before `next` for a row of tasks: spreads out the tasks of the smallest window that has room. Returns the
    /// positions of the row.
    pub(super) async fn spread(
        &self,
        uow: &mut dyn UnitOfWork,
        scope: &OrgScope,
        column: Column<'_>,
        (next, row): (BoardPosition, usize),
    ) -> Result<Vec<i64>> {
        let mut window = WINDOW;
        loop {
            // One more than the window on each side is the bound, unless the column ends there.
            let limit = window.saturating_add(1);
            let mut before = uow.board().positions_before(scope, column, Some(next), limit).await?;
            let mut after = uow.board().positions_from(scope, column, next, limit).await?;
            let bound = |places: &mut Vec<BoardPosition>| {
                if places.len() > window as usize { places.pop().map(|place| place.position) } else { None }
            };
            let (low, mut high) = (bound(&mut before), bound(&mut after));
            let count = before.len() + row + after.len();
            if high.is_none() {
                // No position is above the last position of the project.
                let room = GAP.saturating_mul(i64::try_from(count).unwrap_or(i64::MAX).saturating_add(1));
                high = Some(self.advance(uow, scope, column.project, room).await?);
            }
            let Some(positions) = order::spread(low, high, count) else {
                window = window.saturating_mul(2);
                continue;
            };
            let others: Vec<BoardPosition> = before.iter().rev().chain(&after).copied().collect();
            let own = before.len()..before.len() + row;
            let elsewhere = positions.iter().enumerate().filter(|(at, _)| !own.contains(at));
            let others: Vec<BoardPosition> = others
                .iter()
                .zip(elsewhere)
                .map(|(place, (_, position))| BoardPosition { position: *position, ..*place })
                .collect();
            uow.board().place(scope, &others).await?;
            return positions
                .get(own)
                .map(<[i64]>::to_vec)
                .ok_or_else(|| Error::internal("a row has no place"));
        }
    }

    pub(super) async fn advance(
        &self,
        uow: &mut dyn UnitOfWork,
        scope: &OrgScope,
        project: ProjectId,
        by: i64,
    ) -> Result<i64> {
        let end = uow.projects().advance_position(scope, project, by).await?;
        end.ok_or_else(no_such_project)
    }
}

/// The gap between two tasks, where a third one goes.
struct Gap {
    above: Option<BoardPosition>,
    next: BoardPosition,
}

fn no_such_neighbour(pointer: &str) -> Error {
    Error::invalid(vec![FieldError {
        pointer: pointer.into(),
        code: "NOT_FOUND",
        message: "Give the id of another task in the column that the task goes to.".into(),
    }])
}
