//! Relations between tasks: what members do with them.

use crate::error::{Code, Error, FieldError, Result};
use crate::events::DomainEvent;
use crate::id::{RelationId, TaskId};
use crate::limits::Limit;
use crate::storage::UnitOfWork;
use crate::tenancy::In;

use super::record::{Change, Trail, writable};
use super::relation::{RelatedTask, Relation, RelationType};
use super::task::Task;
use super::tasks::{Tasks, no_such_task};

/// What a person enters to relate a task to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NewRelation {
    /// How the task relates to the other.
    pub kind: RelationType,
    /// The other task, of any project of the organization.
    pub task: TaskId,
}

impl Tasks<'_> {
    /// The relations of a task, from its side, the oldest first.
    ///
    /// # Errors
    /// `INSUFFICIENT_ROLE`.
    pub async fn relations(&self, uow: &mut dyn UnitOfWork, at: &In<Task>) -> Result<Vec<RelatedTask>> {
        self.view(at.scope())?;
        Ok(uow.relations().list(at.scope(), at.id).await?)
    }

    /// Relates a task to another. Both histories get an entry.
    ///
    /// # Errors
    /// `INSUFFICIENT_ROLE`; `VALIDATION_FAILED` for the task itself, or for a task that the organization does not have;
    /// `PROJECT_ARCHIVED` for the project of either; `TASK_NOT_FOUND`; `RELATION_EXISTS`; `RELATION_CYCLE` when the other task blocks
    /// this one, directly or through others; `LIMIT_REACHED`.
    pub async fn relate(
        &self,
        uow: &mut dyn UnitOfWork,
        at: &In<Task>,
        new: NewRelation,
    ) -> Result<RelatedTask> {
        let scope = at.scope();
        self.edit(scope)?;
        if new.task == at.id {
            return Err(invalid_task("SAME_TASK", "A task cannot be related to itself."));
        }
        if new.kind == RelationType::Blocks {
            // Two relations that close a cycle need have no task in common, so the organization's lock keeps them apart.
            uow.organizations().lock(scope).await?;
        }
        let (own, other) = self.lock_both(uow, at, new.task).await?;
        let other =
            other.ok_or_else(|| invalid_task("NOT_FOUND", "The organization has no task with this id."))?;
        writable(own.project_is_archived || other.project_is_archived)?;
        for task in [own.id, other.id] {
            let existing = uow.relations().count(scope, task).await?;
            self.app.limits().admit(Limit::RelationsPerTask, existing)?;
        }
        if new.kind == RelationType::Blocks {
            let most = self.app.limits().of(Limit::TasksBlocked);
            let ahead = uow.relations().blocked_by(scope, other.id, most.saturating_add(1)).await?;
            if ahead.contains(&own.id) {
                let message = "The other task blocks this one already, directly or through others.";
                return Err(Error::new(Code::RelationCycle, message));
            }
            self.app.limits().admit(Limit::TasksBlocked, ahead.len() as i64 - 1)?;
        }
        let mut trail = Trail::new(self.app, at);
        let is_swapped = new.kind == RelationType::RelatesTo && other.id < own.id;
        let (source_id, target_id) = if is_swapped { (other.id, own.id) } else { (own.id, other.id) };
        let (id, created_at) = (self.app.new_id(), trail.now());
        let relation = Relation { id, kind: new.kind, source_id, target_id, created_at };
        if !uow.relations().insert(scope, &relation).await? {
            return Err(Error::new(Code::RelationExists, "The two tasks have this relation already."));
        }
        note(&mut trail, relation.clone(), (&own, &other), true);
        trail.write(uow).await?;
        Ok(RelatedTask {
            relation,
            id: other.id,
            project_id: other.project_id,
            key: other.key(),
            title: other.title,
            status_id: other.status.id,
            status_name: other.status.name,
            status_category: other.status.category,
        })
    }

    /// Removes a relation, from whichever side. Both histories get an entry.
    ///
    /// # Errors
    /// `INSUFFICIENT_ROLE`; `RELATION_NOT_FOUND`; `PROJECT_ARCHIVED` for the project of either task; `TASK_NOT_FOUND`.
    pub async fn unrelate(&self, uow: &mut dyn UnitOfWork, at: &In<Task>, id: RelationId) -> Result<()> {
        let scope = at.scope();
        self.edit(scope)?;
        let relation = uow.relations().find(scope, id).await?;
        let relation = relation.filter(|it| [it.source_id, it.target_id].contains(&at.id));
        let relation = relation.ok_or_else(no_such_relation)?;
        let other = if relation.source_id == at.id { relation.target_id } else { relation.source_id };
        let (own, other) = self.lock_both(uow, at, other).await?;
        let other = other.ok_or_else(no_such_relation)?;
        writable(own.project_is_archived || other.project_is_archived)?;
        if !uow.relations().delete(scope, id).await? {
            return Err(no_such_relation());
        }
        let mut trail = Trail::new(self.app, at);
        note(&mut trail, relation, (&own, &other), false);
        trail.write(uow).await
    }

    /// Both tasks under their locks; `None` for the other if it does not exist.
    async fn lock_both(
        &self,
        uow: &mut dyn UnitOfWork,
        at: &In<Task>,
        other: TaskId,
    ) -> Result<(Task, Option<Task>)> {
        let (mut own, mut others) = (None, None);
        for task in uow.tasks().lock(at.scope(), &[at.id, other]).await? {
            if task.id == at.id { own = Some(task) } else { others = Some(task) }
        }
        Ok((own.ok_or_else(no_such_task)?, others))
    }
}

/// Notes the event of a new or a removed relation, with an entry in the history of both tasks.
fn note(trail: &mut Trail<'_>, relation: Relation, (own, other): (&Task, &Task), is_new: bool) {
    let entry = |of: &Task, to: &Task| {
        let text = format!("{} {}", relation.verb(of.id), to.key());
        if is_new { Change::new(text) } else { Change::old(text) }
    };
    let (entry_of_own, entry_of_other) = (entry(own, other), entry(other, own));
    let task = own.clone();
    let event = if is_new {
        DomainEvent::RelationCreated { task, relation }
    } else {
        DomainEvent::RelationDeleted { task, relation }
    };
    trail.add_entry(event.kind(), other.project_id, Some(other.id), entry_of_other);
    trail.happened(event, [entry_of_own]);
}

fn invalid_task(code: &'static str, message: &str) -> Error {
    Error::invalid(vec![FieldError { pointer: "/task_id".into(), code, message: message.into() }])
}

fn no_such_relation() -> Error {
    Error::new(Code::RelationNotFound, "This task has no relation with this id.")
}
