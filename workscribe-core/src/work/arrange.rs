//! Moves many tasks within their columns in one request, with a few statements.
//!
//! The tasks that are not moved keep their order. In the new order, a moved task comes after as many of them as its index says,
//! less the moved tasks before it. Moved tasks between the same two others form a row. The row is put between these two, and the
//! tasks around it are spread out if there is no room; see [`super::order`].

use std::collections::{BTreeMap, BTreeSet};

use crate::error::{Result, Violations};
use crate::id::{StatusId, TaskId};
use crate::storage::UnitOfWork;
use crate::tenancy::In;

use super::board::{BoardPosition, Column};
use super::bulk::{Listed, distinct};
use super::order::{self, GAP};
use super::record::writable;
use super::task::Task;
use super::tasks::Tasks;

/// The new index of one of many tasks in its column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Placement {
    /// The task.
    pub task_id: TaskId,
    /// How many tasks are before it; an index past the end means the end. If several tasks have the same index, the task that is
    /// given first gets it, and the others follow.
    pub index: i64,
}

impl Tasks<'_> {
    /// Moves many tasks of one project within their columns, or none of them. Afterwards each task has as many tasks before it as
    /// its index says.
    ///
    /// # Errors
    /// `INSUFFICIENT_ROLE`; `VALIDATION_FAILED`, also when the tasks are of several projects; `PROJECT_ARCHIVED`.
    pub async fn arrange(
        &self,
        uow: &mut dyn UnitOfWork,
        at: &In<Task>,
        placements: &[Placement],
    ) -> Result<()> {
        let scope = at.scope();
        self.edit(scope)?;
        let ids = distinct(placements.iter().map(|placement| placement.task_id), "/updates", "/task_id")?;
        let mut violations = Violations::default();
        for (at, _) in placements.iter().enumerate().filter(|(_, placement)| placement.index < 0) {
            let message = "Positions in a column are counted from 0.";
            violations.add(format!("/updates/{at}/position"), "OUT_OF_RANGE", message);
        }
        violations.into_result()?;
        let project = at.project_id;
        uow.projects().hold(scope, project).await?;
        let tasks = self
            .lock_all(uow, scope, Listed { ids: &ids, pointer: "/updates", suffix: "/task_id" }, |task| {
                task.project_id == project
            })
            .await?;
        writable(tasks.iter().any(|task| task.project_is_archived))?;
        let mut columns: BTreeMap<StatusId, Vec<Placement>> = BTreeMap::new();
        for (placement, task) in placements.iter().zip(&tasks) {
            columns.entry(task.status.id).or_default().push(*placement);
        }
        for (status, mut placements) in columns {
            placements.sort_by_key(|placement| placement.index);
            self.arrange_column(uow, at, status, &placements).await?;
        }
        Ok(())
    }

    /// Moves tasks within one column, lowest index first, under the project's lock.
    async fn arrange_column(
        &self,
        uow: &mut dyn UnitOfWork,
        at: &In<Task>,
        status: StatusId,
        mut waiting: &[Placement],
    ) -> Result<()> {
        while !waiting.is_empty() {
            let absent: Vec<TaskId> = waiting.iter().map(|placement| placement.task_id).collect();
            let others = others_before(waiting);
            let around: BTreeSet<i64> =
                others.iter().flat_map(|others| [others - 1, *others]).filter(|index| *index >= 0).collect();
            let around: Vec<i64> = around.into_iter().collect();
            let (scope, project) = (at.scope(), at.project_id);
            let column = Column { project, status, without: &absent };
            let found = uow.board().positions_at(scope, column, &around).await?;
            let found: BTreeMap<i64, BoardPosition> = found.into_iter().collect();
            let mut placed: Vec<BoardPosition> = Vec::new();
            let mut dense = None;
            // All tasks past the end form one row.
            for row in others.chunk_by(|one, other| one == other || !found.contains_key(one)) {
                let from = placed.len();
                let ids = &absent[from..from + row.len()];
                let positions = match found.get(&row[0]) {
                    None => self.at_the_end(uow, at, row.len()).await?,
                    Some(next) => {
                        let above = found.get(&(row[0] - 1)).map(|place| place.position);
                        match order::row(above, next.position, row.len()) {
                            Some(positions) => positions,
                            None => {
                                dense = Some((*next, ids));
                                break;
                            }
                        }
                    }
                };
                placed.extend(
                    ids.iter().zip(positions).map(|(id, position)| BoardPosition { position, id: *id }),
                );
            }
            uow.board().place(scope, &placed).await?;
            let mut done = placed.len();
            if let Some((next, row)) = dense {
                let column = Column { without: &absent[done..], ..column };
                let positions = self.spread(uow, scope, column, (next, row.len())).await?;
                let row: Vec<BoardPosition> = row
                    .iter()
                    .zip(positions)
                    .map(|(id, position)| BoardPosition { position, id: *id })
                    .collect();
                uow.board().place(scope, &row).await?;
                done += row.len();
            }
            // The tasks that were spread out have new positions: look up the rest again.
            waiting = &waiting[done..];
        }
        Ok(())
    }

    async fn at_the_end(&self, uow: &mut dyn UnitOfWork, at: &In<Task>, count: usize) -> Result<Vec<i64>> {
        let count = i64::try_from(count).unwrap_or(i64::MAX);
        let end = self.advance(uow, at.scope(), at.project_id, GAP.saturating_mul(count)).await?;
        Ok((1..=count).map(|n| end - (count - n) * GAP).collect())
    }
}

/// For each task, in the order of the indexes: how many of the tasks that are not moved come before it.
fn others_before(placements: &[Placement]) -> Vec<i64> {
    let mut most = 0;
    let others = (0..).zip(placements).map(|(moved, placement)| {
        most = (placement.index - moved).max(most);
        most
    });
    others.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn others(indexes: &[i64]) -> Vec<i64> {
        let placement = |index: &i64| Placement { task_id: uuid::Uuid::nil().into(), index: *index };
        others_before(&indexes.iter().map(placement).collect::<Vec<_>>())
    }

    #[test]
    fn before_a_task_stand_so_many_others_as_its_index_says_less_those_that_are_moved() {
        assert_eq!(others(&[0, 1, 2]), [0, 0, 0]);
        assert_eq!(others(&[3, 4, 9]), [3, 3, 7]);
        assert_eq!(others(&[1, 1, 2]), [1, 1, 1], "those with the same index follow each other");
        assert_eq!(others(&[i64::MAX, i64::MAX]), [i64::MAX, i64::MAX]);
    }
}
