//! Tasks: creating, listing, finding and removing them, and their labels.

use crate::app::WorkScribe;
use crate::error::{Code, Error, FieldError, Result};
use crate::events::{DomainEvent, EventKind};
use crate::id::{LabelId, ProjectId, TaskId};
use crate::limits::Limit;
use crate::page::{Cursor, ITEM_BYTES, Page, PageRequest, json_bytes};
use crate::storage::UnitOfWork;
use crate::store_error::{Constraint, StoreError};
use crate::target::Target;
use crate::tenancy::{Action, In, OrgScope};

use super::changes::{Lookup, Resolved, TaskChange};
use super::history::Activity;
use super::labels::no_such_label;
use super::model::{Project, TaskKey, name_key};
use super::projects::no_such_project;
use super::record::{Change, Trail, amend, index_task, writable};
use super::task::{NewTask, Priority, Room, Task, TaskFields, TaskLabel, TaskType};
use super::task_lists::TaskQuery;

/// Tasks, comments and the history. [`WorkScribe::tasks`] returns it.
///
/// Every method takes the caller's unit of work and the result of a door: [`In::task`].
#[derive(Clone, Copy)]
pub struct Tasks<'a> {
    pub(super) app: &'a WorkScribe,
}

impl WorkScribe {
    /// Tasks, comments and the history.
    #[must_use]
    pub const fn tasks(&self) -> Tasks<'_> {
        Tasks { app: self }
    }
}

impl Tasks<'_> {
    /// Creates a task with the next number of its project, at the end of its column.
    ///
    /// # Errors
    /// `INSUFFICIENT_ROLE`; `VALIDATION_FAILED`, also for ids of another project; `PROJECT_ARCHIVED`; `LIMIT_REACHED`.
    pub async fn create(&self, uow: &mut dyn UnitOfWork, at: &In<Project>, new: &TaskChange) -> Result<Task> {
        let scope = at.scope();
        self.edit(scope)?;
        writable(at.is_archived)?;
        let mut given = Lookup::new(self.app, scope, at.id).resolve(uow, new).await?;
        let status = match given.status.take() {
            Some(status) => status,
            None => uow.statuses().first(scope, at.id).await?.ok_or_else(no_such_project)?,
        };
        let mut trail = Trail::new(self.app, at);
        let mut task = Task {
            id: self.app.new_id(),
            org_id: scope.org(),
            project_id: at.id,
            project_key: at.key.clone(),
            project_is_archived: false,
            number: 0,
            title: given.title.take().ok_or_else(title_required)?,
            description: given.description.take().flatten(),
            status,
            assignee: given.assignee.take().flatten(),
            reporter: at.person(uow).await?,
            priority: given.priority.unwrap_or(Priority::None),
            kind: given.kind.unwrap_or(TaskType::Task),
            parent_id: given.parent.take().flatten().map(|parent| parent.id),
            labels: given.labels.take().unwrap_or_default(),
            position: 0,
            due_date: given.due_date.flatten(),
            subtask_count: 0,
            comment_count: 0,
            blocked_by_count: 0,
            version: 1,
            created_at: trail.now(),
            updated_at: trail.now(),
        };
        let fields = TaskFields::of(&task);
        // Writes that do not need the number come first, because taking the number locks the project until the commit.
        index_task(uow, scope, task.id, &fields, trail.now()).await?;
        if !task.labels.is_empty() {
            let labels: Vec<LabelId> = task.labels.iter().map(|label| label.id).collect();
            uow.labels().attach(scope, task.id, &labels).await?;
        }
        trail.add_entry(EventKind::TaskCreated, at.id, Some(task.id), Change::new(&task.title));
        trail.write_entries(uow).await?;
        let row = NewTask {
            id: task.id,
            project_id: at.id,
            reporter_id: scope.actor(),
            fields,
            room: Room {
                in_project: i64::from(self.app.limits().of(Limit::TasksPerProject)),
                below_parent: i64::from(self.app.limits().of(Limit::SubtasksPerTask)),
            },
            created_at: task.created_at,
        };
        let numbered = match uow.tasks().insert(scope, &row).await {
            Ok(numbered) => numbered,
            Err(StoreError::Conflict { constraint: Constraint::OpenProject, .. }) => {
                return Err(self.closed(scope, at.id).await?);
            }
            Err(StoreError::Conflict { constraint: Constraint::Room, .. }) => {
                return Err(self.app.limits().reached(Limit::SubtasksPerTask));
            }
            Err(error) => return Err(error.into()),
        };
        (task.number, task.position) = (numbered.number, numbered.position);
        // Notifications lock people, and their titles contain the number of the task.
        trail.assigned(&task);
        trail.happened(DomainEvent::TaskCreated { task: task.clone() }, []);
        trail.write(uow).await?;
        Ok(task)
    }

    /// Why a project gave no number: it has none left, or was archived or removed after the door. The unit of work has failed.
    async fn closed(&self, scope: &OrgScope, project: ProjectId) -> Result<Error> {
        let found = self.app.read().await?.projects().find(scope, project).await?;
        Ok(match found.map(|project| writable(project.is_archived)) {
            Some(Err(archived)) => archived,
            Some(Ok(())) => self.app.limits().reached(Limit::TasksPerProject),
            None => no_such_project(),
        })
    }

    /// A page of tasks, without their descriptions.
    ///
    /// # Errors
    /// `INSUFFICIENT_ROLE`.
    pub async fn list(
        &self,
        uow: &mut dyn UnitOfWork,
        scope: &OrgScope,
        query: &TaskQuery,
    ) -> Result<Page<Task>> {
        self.view(scope)?;
        let rows = uow.tasks().list(scope, query).await?;
        let total = if query.wants_count() { Some(uow.tasks().count(scope, query).await?) } else { None };
        Ok(query.page(rows, total, self.app.limits().of(Limit::PageBytes)))
    }

    /// Finds a task by its key, such as `WEB-42`.
    ///
    /// # Errors
    /// `INSUFFICIENT_ROLE`, `TASK_NOT_FOUND`.
    pub async fn find_by_key(&self, uow: &mut dyn UnitOfWork, scope: &OrgScope, key: &str) -> Result<Task> {
        self.view(scope)?;
        let found = match TaskKey::parse(key) {
            Some(key) => uow.tasks().find_by_key(scope, &key.project, key.number).await?,
            None => None,
        };
        found.ok_or_else(|| Error::new(Code::TaskNotFound, "This organization has no task with this key."))
    }

    /// Removes a task with its comments. Its subtasks remain without a parent, and its history remains.
    ///
    /// # Errors
    /// `INSUFFICIENT_ROLE` unless the caller created it or is an admin, `PROJECT_ARCHIVED`, `TASK_NOT_FOUND`, `STALE_VERSION`.
    pub async fn delete(&self, uow: &mut dyn UnitOfWork, at: &In<Task>, expected: Option<i64>) -> Result<()> {
        let scope = at.scope();
        self.edit(scope)?;
        if at.reporter.id != at.actor() {
            scope.require(self.app.authorizer(), Action::ModerateWork)?;
        }
        writable(at.project_is_archived)?;
        // A write that gives a task a parent holds this lock too.
        uow.projects().hold(scope, at.project_id).await?;
        let mut trail = Trail::new(self.app, at);
        self.release_children(uow, at, &mut trail).await?;
        let task = self.lock_one(uow, scope, at.id).await?;
        writable(task.project_is_archived)?;
        if !uow.tasks().delete(scope, Target::new(task.id, expected)).await? {
            return Err(no_such_task());
        }
        let name = Change::old(format!("{} {}", task.key(), task.title));
        trail.happened(DomainEvent::TaskDeleted { task }, [name]);
        trail.write(uow).await
    }

    async fn release_children(
        &self,
        uow: &mut dyn UnitOfWork,
        task: &In<Task>,
        trail: &mut Trail<'_>,
    ) -> Result<()> {
        const BATCH: u32 = 1_000;
        loop {
            let ids = uow.tasks().children(task.scope(), task.id, BATCH).await?;
            // Includes the task itself and its parent, which counts it, so that the locks are taken in the order of the ids.
            let own: Vec<TaskId> = ids.iter().copied().chain([task.id]).chain(task.parent_id).collect();
            let locked = uow.tasks().lock(task.scope(), &own).await?;
            for child in locked.into_iter().filter(|locked| locked.parent_id == Some(task.id)) {
                let change = Change::of("parent_task_id", Some(task.key().to_string()), None);
                let after = Task { parent_id: None, ..child.clone() };
                amend(uow, trail, child, after, change).await?;
            }
            if ids.len() < BATCH as usize {
                return Ok(());
            }
        }
    }

    /// Adds a label to a task. It is no error when the task already has the label.
    ///
    /// # Errors
    /// `INSUFFICIENT_ROLE`, `PROJECT_ARCHIVED`, `LABEL_NOT_FOUND`, `TASK_NOT_FOUND`, `LIMIT_REACHED`.
    pub async fn add_label(&self, uow: &mut dyn UnitOfWork, at: &In<Task>, label: LabelId) -> Result<Task> {
        self.relabel(uow, at, label, true).await
    }

    /// Removes a label from a task. It is no error when the task does not have the label.
    ///
    /// # Errors
    /// `INSUFFICIENT_ROLE`, `PROJECT_ARCHIVED`, `LABEL_NOT_FOUND`, `TASK_NOT_FOUND`.
    pub async fn remove_label(
        &self,
        uow: &mut dyn UnitOfWork,
        at: &In<Task>,
        label: LabelId,
    ) -> Result<Task> {
        self.relabel(uow, at, label, false).await
    }

    async fn relabel(
        &self,
        uow: &mut dyn UnitOfWork,
        at: &In<Task>,
        label: LabelId,
        is_on: bool,
    ) -> Result<Task> {
        let scope = at.scope();
        self.edit(scope)?;
        writable(at.project_is_archived)?;
        let label = uow.labels().find(scope, at.project_id, label).await?.ok_or_else(no_such_label)?;
        // Reads under the lock, so that two labels that are added at the same time both remain.
        let before = self.lock_one(uow, scope, at.id).await?;
        let mut labels = before.labels.clone();
        labels.retain(|other| other.id != label.id);
        if is_on {
            labels.push(TaskLabel { id: label.id, name: label.name, color: label.color });
            labels.sort_by_key(|label| (name_key(&label.name), label.id));
        }
        let change = Resolved { labels: Some(labels), ..Resolved::default() };
        self.apply(uow, Trail::new(self.app, at), before, &change).await
    }

    /// The history of one task or of the whole organization, newest first.
    ///
    /// # Errors
    /// `INSUFFICIENT_ROLE`.
    pub async fn activity(
        &self,
        uow: &mut dyn UnitOfWork,
        scope: &OrgScope,
        task: Option<TaskId>,
        page: &PageRequest,
    ) -> Result<Page<Activity>> {
        self.view(scope)?;
        let page = &page.within(self.app.limits().of(Limit::PageBytes));
        let rows = uow.activity().list(scope, task, page).await?;
        let total = if page.wants_count() { Some(uow.activity().count(scope, task).await?) } else { None };
        let key = |line: &Activity| Cursor { at: line.created_at, id: line.id.into() };
        Ok(page.page_of(rows, total, key, |line| {
            let values = [&line.old_value, &line.new_value].into_iter().flatten();
            ITEM_BYTES + values.map(|value| json_bytes(value)).sum::<usize>()
        }))
    }

    pub(super) async fn lock_one(
        &self,
        uow: &mut dyn UnitOfWork,
        scope: &OrgScope,
        id: TaskId,
    ) -> Result<Task> {
        let locked = uow.tasks().lock(scope, &[id]).await?;
        locked.into_iter().next().ok_or_else(no_such_task)
    }

    /// Refuses a caller whose role may not see what a door has found.
    ///
    /// # Errors
    /// `INSUFFICIENT_ROLE`.
    pub fn view(&self, scope: &OrgScope) -> Result<()> {
        scope.require(self.app.authorizer(), Action::ViewWork)
    }

    pub(super) fn edit(&self, scope: &OrgScope) -> Result<()> {
        scope.require(self.app.authorizer(), Action::EditWork)
    }
}

fn title_required() -> Error {
    Error::invalid(vec![FieldError {
        pointer: "/title".into(),
        code: "REQUIRED",
        message: "Enter a title.".into(),
    }])
}

/// The refusal when the task was removed after the door and before the statement.
pub(super) fn no_such_task() -> Error {
    Error::new(Code::TaskNotFound, "This task does not exist any more.")
}
