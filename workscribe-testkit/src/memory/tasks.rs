//! Tasks, and the look-up behind the door to one.

use std::collections::BTreeSet;
use std::sync::Arc;

use async_trait::async_trait;
use chrono::NaiveDate;
use workscribe_core::clock::Timestamp;
use workscribe_core::id::{OrgId, ProjectId, StatusId, TaskId, UserId};
use workscribe_core::tenancy::OrgScope;
use workscribe_core::work::{
    Entered, Landmark, Lifted, NewTask, Numbered, ProjectKey, Slot, StatusCategory, Task, TaskFields,
    TaskQuery, TaskStore, order,
};
use workscribe_core::{Constraint, StoreError};

use super::task_rows::Row;
use super::{Deferred, MemoryUnit, Tables, conflict, expect_version, taken_key};

impl Tables {
    fn task_mut(&mut self, org: OrgId, id: TaskId) -> Option<&mut Row> {
        self.tasks.get_mut(&(org, id)).map(Arc::make_mut)
    }

    fn require_assignee(&self, fields: &TaskFields) -> Result<(), StoreError> {
        fields.assignee_id.map_or(Ok(()), |user| self.require_user(user))
    }
}

/// The first ids of a list by id.
fn first_ids<'a>(rows: impl Iterator<Item = &'a Row>, after: Option<TaskId>, limit: u32) -> Vec<TaskId> {
    let ids = rows.map(|row| row.id).filter(|id| after.is_none_or(|after| *id > after));
    ids.take(limit as usize).collect()
}

#[async_trait]
impl TaskStore for MemoryUnit {
    async fn enter(&mut self, user: UserId, id: TaskId) -> Result<Option<Entered<Task>>, StoreError> {
        self.view(|tables| {
            let mut memberships = tables.members.iter().filter(|((_, member), _)| *member == user);
            memberships.find_map(|((org, _), row)| {
                let (found, actor) = (tables.task(*org, id)?, tables.person(user)?);
                Some(Entered { org: *org, role: row.role, actor, found })
            })
        })
        .await
    }

    async fn find(&mut self, scope: &OrgScope, id: TaskId) -> Result<Option<Task>, StoreError> {
        self.view(|tables| tables.task(scope.org(), id)).await
    }

    async fn find_by_key(
        &mut self,
        scope: &OrgScope,
        project: &ProjectKey,
        number: i64,
    ) -> Result<Option<Task>, StoreError> {
        self.view(|tables| {
            let has_key = |row: &&Row| {
                tables.project(row.org, row.project_id).is_some_and(|found| found.key == *project)
            };
            let mut rows = tables.tasks_of(scope.org()).filter(|row| row.number == number);
            tables.task(scope.org(), rows.find(has_key)?.id)
        })
        .await
    }

    /// The first statement of the transaction took the lock of the whole storage.
    async fn lock(&mut self, scope: &OrgScope, ids: &[TaskId]) -> Result<Vec<Task>, StoreError> {
        let ids: BTreeSet<TaskId> = ids.iter().copied().collect();
        self.change(|tables| Ok(ids.into_iter().filter_map(|id| tables.task(scope.org(), id)).collect()))
            .await
    }

    async fn insert(&mut self, scope: &OrgScope, task: &NewTask) -> Result<Numbered, StoreError> {
        let org = scope.org();
        self.change(|tables| {
            let in_use = |id| tables.project(org, id).is_some_and(|project| !project.is_archived);
            if !in_use(task.project_id) {
                return Err(conflict(Constraint::OpenProject));
            }
            if tables.tasks.contains_key(&(org, task.id)) {
                return Err(taken_key());
            }
            tables.require_user(task.reporter_id)?;
            tables.require_assignee(&task.fields)?;
            if let Some(parent) = task.fields.parent_id
                && tables.children_of(org, parent).count() as i64 >= task.room.below_parent
            {
                return Err(conflict(Constraint::Room));
            }
            let Some(project) = tables.projects.get_mut(&(org, task.project_id)) else {
                return Err(conflict(Constraint::OpenProject));
            };
            if project.last_number >= task.room.in_project {
                return Err(conflict(Constraint::OpenProject));
            }
            let (number, position) = project.advance();
            let row = Row {
                id: task.id,
                org,
                project_id: task.project_id,
                number,
                reporter_id: task.reporter_id,
                fields: task.fields.clone(),
                position,
                version: 1,
                created_at: task.created_at,
                updated_at: task.created_at,
            };
            tables.tasks.insert((org, task.id), Arc::new(row));
            tables.deferred.push(Deferred::Task(org, task.id));
            Ok(Numbered { number, position })
        })
        .await
    }

    async fn update(
        &mut self,
        scope: &OrgScope,
        id: TaskId,
        fields: &TaskFields,
        position: Option<i64>,
        expected: Option<i64>,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        self.change(|tables| {
            let Some(stored) = tables.tasks.get(&(scope.org(), id)) else { return Ok(false) };
            expect_version(expected, stored.version)?;
            tables.require_assignee(fields)?;
            tables.deferred.push(Deferred::Task(scope.org(), id));
            Ok(tables.task_mut(scope.org(), id).is_some_and(|row| {
                row.fields = fields.clone();
                row.position = position.unwrap_or(row.position);
                row.touch(now);
                true
            }))
        })
        .await
    }

    async fn delete(
        &mut self,
        scope: &OrgScope,
        id: TaskId,
        expected: Option<i64>,
    ) -> Result<bool, StoreError> {
        let org = scope.org();
        self.change(|tables| {
            let Some(stored) = tables.tasks.get(&(org, id)) else { return Ok(false) };
            expect_version(expected, stored.version)?;
            tables.tasks.remove(&(org, id));
            tables.comments.retain(|(other, _), row| *other != org || row.task_id != id);
            tables.task_labels.retain(|(other, task, _), ()| *other != org || *task != id);
            tables.search.retain(|(other, _), document| *other != org || document.task != Some(id));
            let children: Vec<_> =
                tables.children_of(org, id).map(|row| Deferred::Task(org, row.id)).collect();
            tables.deferred.extend(children);
            Ok(true)
        })
        .await
    }

    async fn list(&mut self, scope: &OrgScope, query: &TaskQuery) -> Result<Vec<Task>, StoreError> {
        self.view(|tables| tables.task_page(scope.org(), query)).await
    }

    async fn count(&mut self, scope: &OrgScope, query: &TaskQuery) -> Result<i64, StoreError> {
        self.view(|tables| tables.task_count(scope.org(), query)).await
    }

    async fn children(
        &mut self,
        scope: &OrgScope,
        id: TaskId,
        limit: u32,
    ) -> Result<Vec<TaskId>, StoreError> {
        self.view(|tables| first_ids(tables.children_of(scope.org(), id), None, limit)).await
    }

    async fn is_within(
        &mut self,
        scope: &OrgScope,
        id: TaskId,
        ancestor: TaskId,
    ) -> Result<bool, StoreError> {
        self.view(|tables| {
            let (mut seen, mut next) = (BTreeSet::new(), Some(id));
            // A chain that runs in a circle ends where it began.
            while let Some(id) = next.filter(|id| seen.insert(*id)) {
                let Some(row) = tables.tasks.get(&(scope.org(), id)) else { return false };
                if id == ancestor {
                    return true;
                }
                next = row.fields.parent_id;
            }
            false
        })
        .await
    }

    async fn open_of(
        &mut self,
        scope: &OrgScope,
        assignee: UserId,
        after: Option<(Option<NaiveDate>, TaskId)>,
        limit: u32,
    ) -> Result<Vec<(Option<NaiveDate>, TaskId)>, StoreError> {
        self.view(|tables| {
            let is_open = |row: &&Row| {
                let status = tables.statuses.get(&(row.org, row.fields.status_id));
                status.is_some_and(|status| status.category != StatusCategory::Done)
            };
            let theirs = tables.tasks_of(scope.org()).filter(|row| row.fields.assignee_id == Some(assignee));
            // One without a due date comes last.
            let order = |(due, id): (Option<NaiveDate>, TaskId)| (due.is_none(), due, id);
            let mut open: Vec<_> = theirs.filter(is_open).map(|row| (row.fields.due_date, row.id)).collect();
            open.retain(|one| after.is_none_or(|after| order(*one) > order(after)));
            open.sort_by_key(|one| order(*one));
            open.truncate(limit as usize);
            open
        })
        .await
    }

    async fn in_status(
        &mut self,
        scope: &OrgScope,
        project: ProjectId,
        status: StatusId,
        after: Option<TaskId>,
        limit: u32,
    ) -> Result<Vec<TaskId>, StoreError> {
        self.view(|tables| {
            let rows = tables.tasks_of(scope.org()).filter(|row| row.project_id == project);
            first_ids(rows.filter(|row| row.fields.status_id == status), after, limit)
        })
        .await
    }

    async fn slots_at(
        &mut self,
        scope: &OrgScope,
        project: ProjectId,
        status: StatusId,
        excluded: &[TaskId],
        indexes: &[i64],
    ) -> Result<Vec<(i64, Slot)>, StoreError> {
        self.view(|tables| {
            let column = (0..).zip(tables.column(scope.org(), project, status, excluded));
            column.filter(|(index, _)| indexes.contains(index)).collect()
        })
        .await
    }

    async fn lift(
        &mut self,
        scope: &OrgScope,
        project: ProjectId,
        task: TaskId,
        status: Option<StatusId>,
        landmark: Landmark,
    ) -> Result<Option<Lifted>, StoreError> {
        self.change(|tables| {
            let Some(task) = tables.task(scope.org(), task) else { return Ok(None) };
            let column = tables.column(scope.org(), project, status.unwrap_or(task.status.id), &[task.id]);
            let at = match landmark {
                Landmark::Task(other) => column.iter().position(|slot| slot.id == other),
                Landmark::Index(index) => usize::try_from(index).ok(),
            };
            let slot = |at: Option<usize>| at.and_then(|at| column.get(at)).copied();
            let landmark = slot(at);
            let at = at.filter(|_| landmark.is_some());
            let above = slot(at.and_then(|at| at.checked_sub(1)));
            let below = slot(at.map(|at| at + 1));
            Ok(Some(Lifted { task, landmark, above, below }))
        })
        .await
    }

    async fn slots_before(
        &mut self,
        scope: &OrgScope,
        project: ProjectId,
        status: StatusId,
        excluded: &[TaskId],
        place: Option<Slot>,
        limit: u32,
    ) -> Result<Vec<Slot>, StoreError> {
        self.view(|tables| {
            let column = tables.column(scope.org(), project, status, excluded).into_iter().rev();
            let before = column.filter(|slot| place.is_none_or(|place| *slot < place));
            before.take(limit as usize).collect()
        })
        .await
    }

    async fn slots_from(
        &mut self,
        scope: &OrgScope,
        project: ProjectId,
        status: StatusId,
        excluded: &[TaskId],
        place: Slot,
        limit: u32,
    ) -> Result<Vec<Slot>, StoreError> {
        self.view(|tables| {
            let column = tables.column(scope.org(), project, status, excluded).into_iter();
            column.filter(|slot| *slot >= place).take(limit as usize).collect()
        })
        .await
    }

    async fn place(&mut self, scope: &OrgScope, slots: &[Slot]) -> Result<(), StoreError> {
        self.change(|tables| {
            for slot in slots {
                if let Some(row) = tables.task_mut(scope.org(), slot.id) {
                    row.position = slot.position;
                }
            }
            Ok(())
        })
        .await
    }

    async fn move_column(
        &mut self,
        scope: &OrgScope,
        project: ProjectId,
        from: StatusId,
        to: StatusId,
        after: i64,
        now: Timestamp,
    ) -> Result<Option<i64>, StoreError> {
        let org = scope.org();
        self.change(|tables| {
            let rows = tables.tasks_of(org).filter(|row| row.project_id == project);
            let mut slots: Vec<Slot> =
                rows.filter(|row| row.fields.status_id == from).map(Row::slot).collect();
            slots.sort_unstable();
            let Some(first) = slots.first().map(|slot| slot.position) else { return Ok(None) };
            let mut last = None;
            for slot in slots {
                tables.deferred.push(Deferred::Task(org, slot.id));
                if let Some(row) = tables.task_mut(org, slot.id) {
                    row.fields.status_id = to;
                    row.position = after + order::GAP + slot.position - first;
                    row.touch(now);
                    last = Some(row.position);
                }
            }
            Ok(last)
        })
        .await
    }
}
