use std::collections::BTreeSet;

use chrono::NaiveDate;

use crate::error::{Error, Violations};
use crate::id::{LabelId, StatusId, TaskId, UserId};
use crate::identity::Person;
use crate::limits::Limit;
use crate::storage::UnitOfWork;
use crate::tenancy::OrgScope;

use super::changes::{Resolved, find_labels, find_status, hold_assignee, keep_found};
use super::model::name_key;
use super::record::{Trail, writable};
use super::task::{Priority, Task, TaskLabel};
use super::tasks::Tasks;

/// One change of many tasks: `None` leaves a field as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BulkChange {
    /// Which tasks: 1–100.
    pub task_ids: Vec<TaskId>,
    /// A status of the project that all of them are in; they go to its end, in the order given.
    pub status_id: Option<StatusId>,
    /// Who does them, or nobody.
    pub assignee_id: Option<Option<UserId>>,
    /// How much they press.
    pub priority: Option<Priority>,
    /// By which day they are to be done, or by none.
    pub due_date: Option<Option<NaiveDate>>,
    /// All of their labels, of the project that all of them are in.
    pub label_ids: Option<Vec<LabelId>>,
    /// Labels to put on them, beside those that are.
    pub add_label_ids: Vec<LabelId>,
    /// Labels to take off.
    pub remove_label_ids: Vec<LabelId>,
}

/// How many tasks are changed at once.
const MOST: usize = Limit::TasksPerChange.default_value() as usize;

impl Tasks<'_> {
    /// Changes many tasks of an organization, or none of them.
    ///
    /// # Errors
    /// `INSUFFICIENT_ROLE`, `VALIDATION_FAILED` also for ids that are not of this organization or project,
    /// `PROJECT_ARCHIVED`, `LIMIT_REACHED`.
    pub async fn update_many(
        &self,
        uow: &mut dyn UnitOfWork,
        scope: &OrgScope,
        actor: &Person,
        change: &BulkChange,
    ) -> Result<Vec<Task>, Error> {
        self.edit(scope)?;
        let ids = distinct(change.task_ids.iter().copied(), "/task_ids", "")?;
        let mut violations = Violations::default();
        let mut resolved =
            Resolved { priority: change.priority, due_date: change.due_date, ..Resolved::default() };
        if let Some(assignee) = change.assignee_id {
            resolved.assignee = Some(hold_assignee(uow, scope, assignee, &mut violations).await?);
        }
        // Statuses and labels are of one project: that of the first task.
        let first = match ids.first() {
            Some(first) => uow.tasks().find(scope, *first).await?,
            None => None,
        };
        let Some(first) = keep_found(&mut violations, "/task_ids/0", "a task of this organization", first)
        else {
            violations.into_result()?;
            return Err(Error::internal("a fault was not noted"));
        };
        let project = first.project_id;
        if let Some(status) = change.status_id {
            resolved.status = find_status(uow, scope, project, status, &mut violations).await?;
        }
        if let Some(labels) = &change.label_ids {
            let found =
                find_labels(self.app, uow, scope, project, "/label_ids", labels, &mut violations).await?;
            resolved.labels = Some(found);
        }
        let add = &change.add_label_ids;
        let added =
            find_labels(self.app, uow, scope, project, "/add_label_ids", add, &mut violations).await?;
        violations.into_result()?;
        let in_one_project = resolved.status.is_some() || resolved.labels.is_some() || !added.is_empty();
        if resolved.status.is_some() {
            uow.projects().hold(scope, project).await?;
        }
        let tasks = self
            .lock_all(uow, scope, &ids, "/task_ids", |task| !in_one_project || task.project_id == project);
        let mut trail = Trail::new(self.app, scope);
        let mut changed = Vec::new();
        for task in tasks.await? {
            writable(task.project_is_archived)?;
            let labels = relabelled(&task, resolved.labels.as_deref(), &added, &change.remove_label_ids);
            let own = Resolved {
                labels: Some(labels),
                status: resolved.status.clone(),
                assignee: resolved.assignee.clone(),
                ..Resolved { priority: resolved.priority, due_date: resolved.due_date, ..Resolved::default() }
            };
            changed.push(self.put_down(uow, scope, actor, &mut trail, task, &own, None).await?);
        }
        trail.write(uow).await?;
        let mut tasks = Vec::with_capacity(changed.len());
        for (after, before) in changed {
            self.tell(uow, scope, before, &after).await?;
            tasks.push(after);
        }
        Ok(tasks)
    }

    /// The tasks under their locks, in the order of `ids`. One that is missing, or does not fit, is a fault of its id.
    pub(super) async fn lock_all(
        &self,
        uow: &mut dyn UnitOfWork,
        scope: &OrgScope,
        ids: &[TaskId],
        pointer: &str,
        fits: impl Fn(&Task) -> bool,
    ) -> Result<Vec<Task>, Error> {
        let mut locked = uow.tasks().lock(scope, ids).await?;
        locked.retain(&fits);
        let mut violations = Violations::default();
        let suffix = if pointer == "/updates" { "/task_id" } else { "" };
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

/// The ids, if there are 1 to 100 of them and none twice.
pub(super) fn distinct(
    ids: impl Iterator<Item = TaskId>,
    pointer: &str,
    suffix: &str,
) -> Result<Vec<TaskId>, Error> {
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
