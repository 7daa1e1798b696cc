use crate::error::{Error, FieldError, Violations};
use crate::id::{StatusId, TaskId};
use crate::storage::UnitOfWork;
use crate::tenancy::OrgScope;

use super::changes::{Resolved, find_status};
use super::model::Person;
use super::order::{self, GAP};
use super::projects::no_such_project;
use super::record::{Trail, writable};
use super::store::Slot;
use super::task::Task;
use super::tasks::Tasks;

/// Where in its column a task goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Destination {
    /// To its end.
    #[default]
    End,
    /// So that this many are before it; to the end when there are fewer.
    Index(i64),
    /// Right before another task of the column.
    Before(TaskId),
    /// Right after another task of the column.
    After(TaskId),
}

/// How many neighbours on each side are spread out first when there is no room.
const WINDOW: u32 = 8;

impl Tasks<'_> {
    /// Moves a task on the board: into a column, to a place in it.
    ///
    /// One row is written, unless there is no room between the new neighbours; see [`super::order`]. The task's version grows
    /// only when its status changes.
    ///
    /// # Errors
    /// `INSUFFICIENT_ROLE`, `VALIDATION_FAILED` for a status that is not of the project, a negative index or a neighbour that
    /// is not in the column, `PROJECT_ARCHIVED`, `TASK_NOT_FOUND`, `STALE_VERSION`.
    pub async fn relocate(
        &self,
        uow: &mut dyn UnitOfWork,
        scope: &OrgScope,
        actor: &Person,
        task: &Task,
        status: Option<StatusId>,
        to: Destination,
        expected: Option<i64>,
    ) -> Result<Task, Error> {
        self.edit(scope)?;
        writable(task.project_is_archived)?;
        let mut violations = Violations::default();
        let mut change = Resolved::default();
        if let Some(status) = status {
            change.status = find_status(uow, scope, task.project_id, status, &mut violations).await?;
        }
        if matches!(to, Destination::Index(index) if index < 0) {
            violations.add("/position", "OUT_OF_RANGE", "Positions in a column are counted from 0.");
        }
        violations.into_result()?;
        self.app.projects().lock_writable(uow, scope, task.project_id).await?;
        let before = self.lock_one(uow, scope, task.id).await?;
        let mut trail = Trail::new(self.app, scope);
        let (mut after, before) =
            self.put_down(uow, scope, actor, &mut trail, before, &change, expected).await?;
        after.position = self.put(uow, scope, &after, to).await?;
        trail.write(uow).await?;
        // With its place, which is known only now.
        self.tell(uow, scope, before, &after).await?;
        Ok(after)
    }

    /// Gives a task its place in its column, under the project's lock, and answers its position.
    pub(super) async fn put(
        &self,
        uow: &mut dyn UnitOfWork,
        scope: &OrgScope,
        task: &Task,
        to: Destination,
    ) -> Result<i64, Error> {
        let (project, status) = (task.project_id, task.status.id);
        let next = match to {
            Destination::End => None,
            Destination::Index(index) => uow.tasks().slot_at(scope, project, status, task.id, index).await?,
            Destination::Before(other) => Some(self.neighbour(uow, scope, task, other, "/before_id").await?),
            Destination::After(other) => {
                let place = self.neighbour(uow, scope, task, other, "/after_id").await?;
                let slots = uow.tasks().slots_from(scope, project, status, task.id, place, 2).await?;
                slots.into_iter().find(|slot| *slot > place)
            }
        };
        let Some(next) = next else {
            let end = self.advance(uow, scope, task, GAP).await?;
            uow.tasks().place(scope, &[Slot { position: end, id: task.id }]).await?;
            return Ok(end);
        };
        let before = uow.tasks().slots_before(scope, project, status, task.id, Some(next), 1).await?;
        let before = before.first().map(|slot| slot.position);
        match order::between(before, Some(next.position)) {
            Some(position) => {
                uow.tasks().place(scope, &[Slot { position, id: task.id }]).await?;
                Ok(position)
            }
            None => self.spread(uow, scope, task, next).await,
        }
    }

    /// Makes room before `next` by spreading out the tasks around it: the smallest window that has room.
    async fn spread(
        &self,
        uow: &mut dyn UnitOfWork,
        scope: &OrgScope,
        task: &Task,
        next: Slot,
    ) -> Result<i64, Error> {
        let (project, status) = (task.project_id, task.status.id);
        let mut window = WINDOW;
        loop {
            // One more than the window on each side: the bounds, unless the column ends there.
            let limit = window.saturating_add(1);
            let mut before =
                uow.tasks().slots_before(scope, project, status, task.id, Some(next), limit).await?;
            let mut after = uow.tasks().slots_from(scope, project, status, task.id, next, limit).await?;
            let bound = |slots: &mut Vec<Slot>| {
                if slots.len() > window as usize { slots.pop().map(|slot| slot.position) } else { None }
            };
            let (low, mut high) = (bound(&mut before), bound(&mut after));
            let count = before.len() + 1 + after.len();
            if high.is_none() {
                // No position is above the last that the project has given out.
                let room = GAP.saturating_mul(i64::try_from(count).unwrap_or(i64::MAX).saturating_add(1));
                high = Some(self.advance(uow, scope, task, room).await?);
            }
            let Some(positions) = order::spread(low, high, count) else {
                window = window.saturating_mul(2);
                continue;
            };
            let ids = before.iter().rev().map(|slot| slot.id).chain([task.id]);
            let ids = ids.chain(after.iter().map(|slot| slot.id));
            let slots: Vec<Slot> = ids.zip(positions).map(|(id, position)| Slot { position, id }).collect();
            uow.tasks().place(scope, &slots).await?;
            let own = slots.iter().find(|slot| slot.id == task.id).map(|slot| slot.position);
            return own.ok_or_else(|| Error::internal("the task is not in its own window"));
        }
    }

    /// The place of another task of the same column.
    async fn neighbour(
        &self,
        uow: &mut dyn UnitOfWork,
        scope: &OrgScope,
        task: &Task,
        other: TaskId,
        pointer: &str,
    ) -> Result<Slot, Error> {
        let found = if other == task.id { None } else { uow.tasks().find(scope, other).await? };
        let in_column =
            |found: &Task| found.project_id == task.project_id && found.status.id == task.status.id;
        let found = found.filter(in_column).ok_or_else(|| {
            Error::invalid(vec![FieldError {
                pointer: pointer.into(),
                code: "NOT_FOUND",
                message: "Give the id of another task in the column that the task goes to.".into(),
            }])
        })?;
        Ok(Slot { position: found.position, id: found.id })
    }

    pub(super) async fn advance(
        &self,
        uow: &mut dyn UnitOfWork,
        scope: &OrgScope,
        task: &Task,
        by: i64,
    ) -> Result<i64, Error> {
        let end = uow.projects().advance_position(scope, task.project_id, by).await?;
        end.ok_or_else(no_such_project)
    }
}
