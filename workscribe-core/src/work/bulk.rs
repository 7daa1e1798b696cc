//! Changing many tasks in one request.

use std::collections::BTreeSet;

use chrono::NaiveDate;
use uuid::Uuid;

use crate::error::{Result, Violations};
use crate::id::{LabelId, StatusId, TaskId, UserId};
use crate::limits::Limit;
use crate::storage::UnitOfWork;
use crate::tenancy::{In, OrgScope};

use super::changes::{Lookup, Resolved, keep_found};
use super::model::name_key;
use super::record::{Trail, writable};
use super::task::{Priority, Task, TaskLabel};
use super::tasks::Tasks;

/// One change of many tasks. `None` leaves a field unchanged.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BulkChange {
    /// The tasks: 1–100.
    pub task_ids: Vec<TaskId>,
    /// A status of the project of the tasks. They go to the end of its column, in the given order.
    pub status_id: Option<StatusId>,
    /// The assignee; `Some(None)` for nobody.
    pub assignee_id: Option<Option<UserId>>,
    /// The priority.
    pub priority: Option<Priority>,
    /// The day on which they are due; `Some(None)` for none.
    pub due_date: Option<Option<NaiveDate>>,
    /// All of their labels. The labels and the tasks belong to one project.
    pub label_ids: Option<Vec<LabelId>>,
    /// Labels to add.
    pub add_label_ids: Vec<LabelId>,
    /// Labels to remove.
    pub remove_label_ids: Vec<LabelId>,
}

/// The maximum number of tasks in one request.
const MOST: usize = Limit::TasksPerChange.default_value() as usize;

impl Tasks<'_> {
    /// Changes many tasks of an organization, or none of them.
    ///
    /// # Errors
    /// `INSUFFICIENT_ROLE`; `VALIDATION_FAILED`, also for ids of another organization or project; `PROJECT_ARCHIVED`;
    /// `LIMIT_REACHED`.
    pub async fn update_many<T: Sync>(
        &self,
        uow: &mut dyn UnitOfWork,
        at: &In<T>,
        change: &BulkChange,
    ) -> Result<Vec<Task>> {
        self.edit(at.scope())?;
        let ids = distinct(change.task_ids.iter().copied(), "/task_ids", "")?;
        let at = In::new(*at.scope(), Some(at.person(uow).await?), ());
        let scope = at.scope();
        // Statuses and labels belong to one project: the project of the first task.
        let first = match ids.first() {
            Some(first) => uow.tasks().find(scope, *first).await?,
            None => None,
        };
        let project = first.as_ref().map_or_else(|| Uuid::nil().into(), |first| first.project_id);
        let mut lookup = Lookup::new(self.app, scope, project);
        let first = keep_found(&mut lookup.violations, "/task_ids/0", "a task of this organization", first);
        let mut resolved =
            Resolved { priority: change.priority, due_date: change.due_date, ..Resolved::default() };
        if let Some(assignee) = change.assignee_id {
            resolved.assignee = Some(lookup.assignee(uow, assignee).await?);
        }
        if let Some(status) = change.status_id.filter(|_| first.is_some()) {
            resolved.status = lookup.status(uow, status).await?;
        }
        if let Some(labels) = change.label_ids.as_ref().filter(|_| first.is_some()) {
            resolved.labels = Some(lookup.labels(uow, "/label_ids", labels).await?);
        }
        let added = match first {
            Some(_) => lookup.labels(uow, "/add_label_ids", &change.add_label_ids).await?,
            None => Vec::new(),
        };
        lookup.violations.into_result()?;
        let in_one_project = resolved.status.is_some() || resolved.labels.is_some() || !added.is_empty();
        if resolved.status.is_some() {
            uow.projects().hold(scope, project).await?;
        }
        let listed = Listed { ids: &ids, pointer: "/task_ids", suffix: "" };
        let fits = |task: &Task| !in_one_project || task.project_id == project;
        let locked = self.lock_all(uow, scope, listed, fits).await?;
        let mut trail = Trail::new(self.app, &at);
        let mut tasks = Vec::with_capacity(locked.len());
        for task in locked {
            writable(task.project_is_archived)?;
            let labels = relabelled(&task, resolved.labels.as_deref(), &added, &change.remove_label_ids);
            let own = Resolved {
                labels: Some(labels),
                status: resolved.status.clone(),
                assignee: resolved.assignee.clone(),
                ..Resolved { priority: resolved.priority, due_date: resolved.due_date, ..Resolved::default() }
            };
            tasks.push(self.put_down(uow, &mut trail, task, &own).await?);
        }
        trail.write(uow).await?;
        Ok(tasks)
    }

    /// Locks the tasks, and returns them in the order of the list. A task that does not exist or does not fit is a fault.
    pub(super) async fn lock_all(
        &self,
        uow: &mut dyn UnitOfWork,
        scope: &OrgScope,
        Listed { ids, pointer, suffix }: Listed<'_>,
        fits: impl Fn(&Task) -> bool,
    ) -> Result<Vec<Task>> {
        let mut locked = uow.tasks().lock(scope, ids).await?;
        locked.retain(&fits);
        let mut violations = Violations::default();
        let mut tasks = Vec::with_capacity(ids.len());
        for (index, id) in ids.iter().enumerate() {
            let found = locked.iter().find(|task| task.id == *id).cloned();
            let what = "a task of this project; one change is made within one project";
            tasks.extend(keep_found(&mut violations, &format!("{pointer}/{index}{suffix}"), what, found));
        }
        violations.into_result()?;
        Ok(tasks)
    }
}

/// Ids of tasks. The JSON pointer of an id in the body is `pointer`, its index, and `suffix`.
#[derive(Clone, Copy)]
pub(super) struct Listed<'a> {
    pub(super) ids: &'a [TaskId],
    pub(super) pointer: &'a str,
    pub(super) suffix: &'a str,
}

/// The ids, if there are 1 to 100 of them without duplicates.
pub(super) fn distinct(
    ids: impl Iterator<Item = TaskId>,
    pointer: &str,
    suffix: &str,
) -> Result<Vec<TaskId>> {
    let ids: Vec<TaskId> = ids.collect();
    let mut violations = Violations::default();
    if ids.is_empty() || ids.len() > MOST {
        violations.add(pointer, "OUT_OF_RANGE", "Give 1 to 100 tasks.");
    }
    let mut seen = BTreeSet::new();
    for (index, _) in ids.iter().enumerate().filter(|(_, id)| !seen.insert(**id)) {
        violations.add(format!("{pointer}/{index}{suffix}"), "DUPLICATE", "Give each task once.");
    }
    violations.into_result()?;
    Ok(ids)
}

fn relabelled(
    task: &Task,
    all: Option<&[TaskLabel]>,
    added: &[TaskLabel],
    removed: &[LabelId],
) -> Vec<TaskLabel> {
    let mut labels: Vec<TaskLabel> = all.unwrap_or(&task.labels).iter().chain(added).cloned().collect();
    labels.retain(|label| !removed.contains(&label.id));
    labels.sort_by_key(|label| (name_key(&label.name), label.id));
    labels.dedup_by_key(|label| label.id);
    labels
}
