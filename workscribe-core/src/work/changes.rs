//! Changing a task: the input, the look-up of the ids in it, and the write.

use std::collections::BTreeSet;

use chrono::NaiveDate;
use serde_json::Value;

use crate::app::WorkScribe;
use crate::error::{Code, Error, Fault, Result, Violations};
use crate::events::DomainEvent;
use crate::id::{LabelId, ProjectId, StatusId, TaskId, UserId};
use crate::identity::Person;
use crate::limits::{Limit, count};
use crate::storage::UnitOfWork;
use crate::target::{Target, expect_version};
use crate::tenancy::{In, OrgScope};

use super::board::BoardPosition;
use super::document::Document;
use super::model::{Status, StatusCategory, name_key, single_line};
use super::order::GAP;
use super::projects::no_such_project;
use super::record::{Change, Trail, index_task, writable};
use super::task::{Priority, Task, TaskFields, TaskLabel, TaskType, TaskWrite};
use super::tasks::{Tasks, no_such_task};

/// The input of a new task or of a change. `None` leaves a field unchanged, or at its default.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct TaskChange {
    /// The title: 1–500 characters. A new task needs one.
    pub title: Option<String>,
    /// The description: a JSON object (see [`Document`]); `Some(None)` for none.
    pub description: Option<Option<Value>>,
    /// The status; a new task gets the first status of the project. The task goes to the end of that column.
    pub status_id: Option<StatusId>,
    /// The assignee; `Some(None)` for nobody.
    pub assignee_id: Option<Option<UserId>>,
    /// The priority.
    pub priority: Option<Priority>,
    /// The type.
    pub kind: Option<TaskType>,
    /// The parent, of which the task is a part; `Some(None)` for none.
    pub parent_id: Option<Option<TaskId>>,
    /// The day on which it is due; `Some(None)` for none.
    pub due_date: Option<Option<NaiveDate>>,
    /// All of its labels.
    pub label_ids: Option<Vec<LabelId>>,
}

/// The maximum length of a title, in characters.
const TITLE_CHARS: usize = Limit::TitleCharacters.default_value() as usize;

/// A change with checked values and looked-up ids.
#[derive(Default)]
pub(super) struct Resolved {
    pub(super) title: Option<String>,
    pub(super) description: Option<Option<Document>>,
    pub(super) status: Option<Status>,
    pub(super) assignee: Option<Option<Person>>,
    pub(super) priority: Option<Priority>,
    pub(super) kind: Option<TaskType>,
    pub(super) parent: Option<Option<Parent>>,
    pub(super) due_date: Option<Option<NaiveDate>>,
    pub(super) labels: Option<Vec<TaskLabel>>,
    /// The position in its column; `None` for the end of a new column.
    pub(super) position: Option<i64>,
    /// The version that the caller expects; `None` for any.
    pub(super) expected: Option<i64>,
}

/// A task that becomes the parent of another.
pub(super) struct Parent {
    pub(super) id: TaskId,
    pub(super) key: String,
}

/// Looks up the ids of a change, and adds a fault for each id that does not exist. It locks memberships, so that no task gets an
/// assignee who is being removed. So it comes before any lock of a project or a task.
pub(super) struct Lookup<'a> {
    app: &'a WorkScribe,
    scope: &'a OrgScope,
    project: ProjectId,
    pub(super) violations: Violations,
}

impl<'a> Lookup<'a> {
    /// For ids of one project.
    pub(super) fn new(app: &'a WorkScribe, scope: &'a OrgScope, project: ProjectId) -> Self {
        Self { app, scope, project, violations: Violations::default() }
    }

    /// Looks up all ids of a change.
    pub(super) async fn resolve(mut self, uow: &mut dyn UnitOfWork, change: &TaskChange) -> Result<Resolved> {
        let violations = &mut self.violations;
        let mut resolved = Resolved {
            title: change
                .title
                .as_deref()
                .and_then(|title| violations.keep("/title", single_line(title, TITLE_CHARS))),
            description: change.description.clone().map(|value| {
                value.and_then(|value| violations.keep("/description_json", Document::parse(value)))
            }),
            priority: change.priority,
            kind: change.kind,
            due_date: change.due_date,
            ..Resolved::default()
        };
        if let Some(assignee) = change.assignee_id {
            resolved.assignee = Some(self.assignee(uow, assignee).await?);
        }
        if let Some(id) = change.status_id {
            resolved.status = self.status(uow, id).await?;
        }
        if let Some(parent) = change.parent_id {
            resolved.parent = Some(self.parent(uow, parent).await?);
        }
        if let Some(ids) = &change.label_ids {
            resolved.labels = Some(self.labels(uow, "/label_ids", ids).await?);
        }
        self.violations.into_result()?;
        Ok(resolved)
    }

    /// Looks up the assignee.
    pub(super) async fn assignee(
        &mut self,
        uow: &mut dyn UnitOfWork,
        assignee: Option<UserId>,
    ) -> Result<Option<Person>> {
        let Some(id) = assignee else { return Ok(None) };
        let member = uow.members().hold(self.scope, id).await?;
        let member =
            keep_found(&mut self.violations, "/assignee_id", "a member of this organization", member);
        Ok(member.map(|member| Person {
            id: member.user_id,
            display_name: member.display_name,
            avatar_url: member.avatar_url,
        }))
    }

    /// Looks up the status.
    pub(super) async fn status(&mut self, uow: &mut dyn UnitOfWork, id: StatusId) -> Result<Option<Status>> {
        let status = uow.statuses().find(self.scope, self.project, id).await?;
        Ok(keep_found(&mut self.violations, "/status_id", "a status of this project", status))
    }

    async fn parent(&mut self, uow: &mut dyn UnitOfWork, id: Option<TaskId>) -> Result<Option<Parent>> {
        let Some(id) = id else { return Ok(None) };
        let task = uow.tasks().find(self.scope, id).await?.filter(|task| task.project_id == self.project);
        let found = keep_found(&mut self.violations, "/parent_task_id", "a task of this project", task);
        Ok(found.map(|task| Parent { id: task.id, key: task.key().to_string() }))
    }

    /// Looks up labels, whose ids are at `pointer` in the body.
    pub(super) async fn labels(
        &mut self,
        uow: &mut dyn UnitOfWork,
        pointer: &str,
        ids: &[LabelId],
    ) -> Result<Vec<TaskLabel>> {
        let limits = self.app.limits();
        if count(ids.len()) > i64::from(limits.of(Limit::LabelsPerTask)) {
            self.violations.add(pointer, "TOO_MANY", limits.sentence(Limit::LabelsPerTask));
            return Ok(Vec::new());
        }
        let found = uow.labels().find_many(self.scope, self.project, ids).await?;
        let known: BTreeSet<LabelId> = found.iter().map(|label| label.id).collect();
        for (index, _) in ids.iter().enumerate().filter(|(_, id)| !known.contains(id)) {
            let pointer = format!("{pointer}/{index}");
            keep_found::<()>(&mut self.violations, &pointer, "a label of this project", None);
        }
        Ok(found
            .into_iter()
            .map(|label| TaskLabel { id: label.id, name: label.name, color: label.color })
            .collect())
    }
}

/// Keeps the result of a look-up by an id of the body, or adds a fault.
pub(super) fn keep_found<T>(
    violations: &mut Violations,
    pointer: &str,
    what: &str,
    found: Option<T>,
) -> Option<T> {
    violations.keep(pointer, found.ok_or_else(|| Fault::new("NOT_FOUND", format!("Give the id of {what}."))))
}

impl Tasks<'_> {
    /// Changes fields of a task. A task with a new status goes to the end of that column.
    ///
    /// # Errors
    /// `INSUFFICIENT_ROLE`; `VALIDATION_FAILED`, also for ids of another project; `PROJECT_ARCHIVED`; `PARENT_CYCLE`;
    /// `LIMIT_REACHED`; `TASK_NOT_FOUND` when the task was removed in the meantime; `STALE_VERSION`.
    pub async fn update(
        &self,
        uow: &mut dyn UnitOfWork,
        at: &In<Task>,
        change: &TaskChange,
        expected: Option<i64>,
    ) -> Result<Task> {
        let scope = at.scope();
        self.edit(scope)?;
        writable(at.project_is_archived)?;
        let mut resolved = Lookup::new(self.app, scope, at.project_id).resolve(uow, change).await?;
        resolved.expected = expected;
        if resolved.status.is_some() || resolved.parent.is_some() {
            uow.projects().hold(scope, at.project_id).await?;
        }
        // Locks the parents too, because they count the task, so that all locks are taken in the order of the ids.
        let parents =
            resolved.parent.as_ref().map(|parent| [at.parent_id, parent.as_ref().map(|new| new.id)]);
        let mut ids: Vec<TaskId> = parents.into_iter().flatten().flatten().collect();
        ids.push(at.id);
        let locked = uow.tasks().lock(scope, &ids).await?;
        let before = locked.iter().find(|other| other.id == at.id).cloned().ok_or_else(no_such_task)?;
        let new = resolved.parent.as_ref().and_then(Option::as_ref);
        if let Some(parent) = new.and_then(|new| locked.iter().find(|other| other.id == new.id))
            && before.parent_id != Some(parent.id)
        {
            self.app.limits().admit(Limit::SubtasksPerTask, parent.subtask_count)?;
        }
        writable(before.project_is_archived)?;
        self.apply(uow, Trail::new(self.app, at), before, &resolved).await
    }

    /// Writes a resolved change of a task that was read under its lock, with its history, notifications and events, and returns
    /// the changed task. It writes nothing when nothing differs. The caller holds the project's lock when the status or the
    /// parent changes.
    pub(super) async fn apply(
        &self,
        uow: &mut dyn UnitOfWork,
        mut trail: Trail<'_>,
        before: Task,
        change: &Resolved,
    ) -> Result<Task> {
        let after = self.put_down(uow, &mut trail, before, change).await?;
        trail.write(uow).await?;
        Ok(after)
    }

    /// Does the same as [`Tasks::apply`] for one of many tasks. The caller writes the trail.
    pub(super) async fn put_down(
        &self,
        uow: &mut dyn UnitOfWork,
        trail: &mut Trail<'_>,
        before: Task,
        change: &Resolved,
    ) -> Result<Task> {
        let scope = *trail.scope();
        let mut after = merged(&before, change);
        let labels_differ = labels(&before) != labels(&after);
        // A task that has more labels, from before the limit was lowered or from an import, can get fewer.
        if after.labels.len() > before.labels.len() {
            self.app.limits().admit(Limit::LabelsPerTask, count(after.labels.len()) - 1)?;
        }
        let (old, new) = (TaskFields::of(&before), TaskFields::of(&after));
        if old == new && !labels_differ {
            expect_version(change.expected, before.version)?;
            if let Some(position) = change.position {
                uow.board().place(&scope, &[BoardPosition { position, id: before.id }]).await?;
                after.position = position;
            }
            return Ok(after);
        }
        if new.parent_id != old.parent_id
            && let Some(parent) = new.parent_id
            && uow.tasks().is_within(&scope, parent, before.id).await?
        {
            return Err(Error::new(
                Code::ParentCycle,
                "This task, or one below it, cannot be the task's parent.",
            ));
        }
        let mut position = change.position;
        if position.is_none() && new.status_id != old.status_id {
            let end = uow.projects().advance_position(&scope, before.project_id, GAP).await?;
            position = Some(end.ok_or_else(no_such_project)?);
        }
        (after.version, after.updated_at) = (before.version + 1, trail.now());
        after.position = position.unwrap_or(before.position);
        let changes = self.differences(uow, &scope, (&before, &after), change).await?;
        // Rows that nobody reads before the commit come first: the storage may write them together with the task.
        if old.title != new.title || old.description != new.description {
            index_task(uow, &scope, before.id, &new, trail.now()).await?;
        }
        self.write_labels(uow, &scope, &before, &after).await?;
        let (is_assigned, is_finished) = (new.assignee_id != old.assignee_id, finishes(&before, &after));
        let event = DomainEvent::TaskUpdated { before: Box::new(before), after: Box::new(after.clone()) };
        trail.happened(event, changes);
        trail.write_entries(uow).await?;
        let target = Target::new(after.id, change.expected);
        let write = TaskWrite { fields: &new, position };
        if !uow.tasks().update(&scope, target, write, trail.now()).await? {
            return Err(no_such_task());
        }
        if is_assigned {
            trail.assigned(&after);
        }
        if is_finished {
            trail.finished(uow, &after).await?;
        }
        Ok(after)
    }

    async fn write_labels(
        &self,
        uow: &mut dyn UnitOfWork,
        scope: &OrgScope,
        before: &Task,
        after: &Task,
    ) -> Result<()> {
        let (old, new) = (labels(before), labels(after));
        let added: Vec<LabelId> = new.difference(&old).copied().collect();
        let removed: Vec<LabelId> = old.difference(&new).copied().collect();
        if !added.is_empty() {
            uow.labels().attach(scope, before.id, &added).await?;
        }
        if !removed.is_empty() {
            uow.labels().detach(scope, before.id, &removed).await?;
        }
        Ok(())
    }

    /// A change for each field that differs, and for each label.
    async fn differences(
        &self,
        uow: &mut dyn UnitOfWork,
        scope: &OrgScope,
        (before, after): (&Task, &Task),
        change: &Resolved,
    ) -> Result<Vec<Change>> {
        let fields = readable(before).into_iter().zip(readable(after));
        let differing = fields.filter(|((_, old), (_, new))| old != new);
        let mut changes: Vec<Change> =
            differing.map(|((field, old), (_, new))| Change::of(field, old, new)).collect();
        if before.parent_id != after.parent_id {
            let old = match before.parent_id {
                Some(parent) => uow.tasks().find(scope, parent).await?.map(|task| task.key().to_string()),
                None => None,
            };
            let new = change.parent.as_ref().and_then(Option::as_ref).map(|parent| parent.key.clone());
            changes.push(Change::of("parent_task_id", old, new));
        }
        let name = |label: &TaskLabel| Some(label.name.clone());
        let (old, new) = (labels(before), labels(after));
        let removed = before.labels.iter().filter(|label| !new.contains(&label.id));
        changes.extend(removed.map(|label| Change::of("labels", name(label), None)));
        let added = after.labels.iter().filter(|label| !old.contains(&label.id));
        changes.extend(added.map(|label| Change::of("labels", None, name(label))));
        Ok(changes)
    }
}

/// Whether a change moves a task into a status of the done category.
fn finishes(before: &Task, after: &Task) -> bool {
    let is_done = |task: &Task| task.status.category == StatusCategory::Done;
    is_done(after) && !is_done(before)
}

fn labels(task: &Task) -> BTreeSet<LabelId> {
    task.labels.iter().map(|label| label.id).collect()
}

/// The task with the change applied.
fn merged(before: &Task, change: &Resolved) -> Task {
    let mut after = before.clone();
    if let Some(title) = &change.title {
        after.title.clone_from(title);
    }
    if let Some(description) = &change.description {
        after.description.clone_from(description);
    }
    if let Some(status) = &change.status {
        after.status = status.clone();
    }
    if let Some(assignee) = &change.assignee {
        after.assignee.clone_from(assignee);
    }
    if let Some(parent) = &change.parent {
        after.parent_id = parent.as_ref().map(|parent| parent.id);
    }
    if let Some(labels) = &change.labels {
        after.labels.clone_from(labels);
        after.labels.sort_by_key(|label| (name_key(&label.name), label.id));
    }
    after.priority = change.priority.unwrap_or(before.priority);
    after.kind = change.kind.unwrap_or(before.kind);
    after.due_date = change.due_date.unwrap_or(before.due_date);
    after
}

/// The fields of a task as a person reads them, without its parent and its labels.
fn readable(task: &Task) -> [(&'static str, Option<String>); 7] {
    [
        ("title", Some(task.title.clone())),
        ("description_json", task.description.as_ref().map(|d| d.plain_text())),
        ("status_id", Some(task.status.name.clone())),
        ("assignee_id", task.assignee.as_ref().map(|person| person.display_name.clone())),
        ("priority", Some(task.priority.as_str().to_owned())),
        ("type", Some(task.kind.as_str().to_owned())),
        ("due_date", task.due_date.map(|date| date.to_string())),
    ]
}
