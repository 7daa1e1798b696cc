//! The rows of tasks: how they are shown, which fit a filter, and in which order they stand.

use uuid::Uuid;
use workscribe_core::clock::Timestamp;
use workscribe_core::id::{LabelId, OrgId, ProjectId, StatusId, TaskId, UserId};
use workscribe_core::search::SearchKind;
use workscribe_core::work::{
    AssigneeFilter, NO_DUE_DATE, ParentFilter, Slot, Status, Task, TaskCursor, TaskFields, TaskFilter,
    TaskLabel, TaskOrder, TaskQuery, TaskSort, name_key,
};

use chrono::Datelike as _;

use super::Tables;
use super::search::has_all;

#[derive(Clone)]
pub(super) struct Row {
    pub(super) id: TaskId,
    pub(super) org: OrgId,
    pub(super) project_id: ProjectId,
    pub(super) number: i64,
    pub(super) reporter_id: UserId,
    pub(super) fields: TaskFields,
    pub(super) position: i64,
    pub(super) version: i64,
    pub(super) created_at: Timestamp,
    pub(super) updated_at: Timestamp,
}

impl Row {
    /// Notes a change of its fields.
    pub(super) const fn touch(&mut self, now: Timestamp) {
        self.version += 1;
        self.updated_at = now;
    }

    pub(super) const fn slot(&self) -> Slot {
        Slot { position: self.position, id: self.id }
    }

    /// Where it stands in a list.
    fn key(&self, status: &Status, sort: TaskSort) -> (i64, i64, Uuid) {
        let fields = &self.fields;
        let (first, second) = match sort.by {
            TaskOrder::Board => (status.position, self.position),
            TaskOrder::CreatedAt => (self.created_at.timestamp_micros(), 0),
            TaskOrder::UpdatedAt => (self.updated_at.timestamp_micros(), 0),
            TaskOrder::DueDate => (i64::from(fields.due_date.unwrap_or(NO_DUE_DATE).num_days_from_ce()), 0),
            TaskOrder::Priority => (fields.priority.rank(), 0),
        };
        (first, second, self.id.into())
    }
}

impl Tables {
    /// The tasks of an organization, by id.
    pub(super) fn tasks_of(&self, org: OrgId) -> impl Iterator<Item = &Row> {
        let (first, last) = (TaskId::from(Uuid::nil()), TaskId::from(Uuid::max()));
        self.tasks.range((org, first)..=(org, last)).map(|(_, row)| &**row)
    }

    pub(super) fn children_of(&self, org: OrgId, parent: TaskId) -> impl Iterator<Item = &Row> {
        self.tasks_of(org).filter(move |row| row.fields.parent_id == Some(parent))
    }

    /// A task in full.
    pub(super) fn task(&self, org: OrgId, id: TaskId) -> Option<Task> {
        self.shown(self.tasks.get(&(org, id))?)
    }

    fn shown(&self, row: &Row) -> Option<Task> {
        let project = self.project(row.org, row.project_id)?;
        let fields = &row.fields;
        let comments = self.comments_of(row.org, row.id);
        Some(Task {
            id: row.id,
            org_id: row.org,
            project_id: row.project_id,
            project_key: project.key.clone(),
            project_is_archived: project.is_archived,
            number: row.number,
            title: fields.title.clone(),
            description: fields.description.clone(),
            status: self.statuses.get(&(row.org, fields.status_id))?.clone(),
            assignee: fields.assignee_id.and_then(|user| self.person(user)),
            reporter: self.person(row.reporter_id)?,
            priority: fields.priority,
            kind: fields.kind,
            parent_id: fields.parent_id,
            labels: self.labels_on(row),
            position: row.position,
            due_date: fields.due_date,
            subtask_count: self.children_of(row.org, row.id).count() as i64,
            comment_count: comments.count() as i64,
            version: row.version,
            created_at: row.created_at,
            updated_at: row.updated_at,
        })
    }

    fn labels_on(&self, row: &Row) -> Vec<TaskLabel> {
        let (first, last) = (LabelId::from(Uuid::nil()), LabelId::from(Uuid::max()));
        let on_it = self.task_labels.range((row.org, row.id, first)..=(row.org, row.id, last));
        let labels = on_it.filter_map(|((org, _, label), ())| self.labels.get(&(*org, *label)));
        let mut labels: Vec<TaskLabel> = labels
            .map(|label| TaskLabel { id: label.id, name: label.name.clone(), color: label.color.clone() })
            .collect();
        labels.sort_by_key(|label| (name_key(&label.name), label.id));
        labels
    }

    fn fits(&self, row: &Row, status: &Status, filter: &TaskFilter) -> bool {
        let fields = &row.fields;
        let document = || {
            let document = self.search.get(&(row.org, row.id.into()));
            document.filter(|document| document.kind == SearchKind::Task)
        };
        filter.project.is_none_or(|project| row.project_id == project)
            && filter.status.is_none_or(|status| fields.status_id == status)
            && (filter.categories.is_empty() || filter.categories.contains(&status.category))
            && filter.assignee.is_none_or(|assignee| match assignee {
                AssigneeFilter::User(user) => fields.assignee_id == Some(user),
                AssigneeFilter::Nobody => fields.assignee_id.is_none(),
            })
            && filter.priority.is_none_or(|priority| fields.priority == priority)
            && filter.kind.is_none_or(|kind| fields.kind == kind)
            && filter.label.is_none_or(|label| self.task_labels.contains_key(&(row.org, row.id, label)))
            && filter.parent.is_none_or(|parent| match parent {
                ParentFilter::Of(task) => fields.parent_id == Some(task),
                ParentFilter::None => fields.parent_id.is_none(),
            })
            && filter.due_before.is_none_or(|day| fields.due_date.is_some_and(|due| due < day))
            && filter.updated_after.is_none_or(|time| row.updated_at > time)
            && filter
                .search
                .as_ref()
                .is_none_or(|words| document().is_some_and(|found| has_all(found, words)))
    }

    fn fitting(&self, org: OrgId, filter: &TaskFilter) -> impl Iterator<Item = (&Row, &Status)> {
        self.tasks_of(org)
            .filter_map(move |row| Some((row, self.statuses.get(&(org, row.fields.status_id))?)))
            .filter(move |(row, status)| self.fits(row, status, filter))
    }

    pub(super) fn task_count(&self, org: OrgId, query: &TaskQuery) -> i64 {
        self.fitting(org, query.filter()).count() as i64
    }

    /// A page of a list, without the descriptions.
    pub(super) fn task_page(&self, org: OrgId, query: &TaskQuery) -> Vec<Task> {
        let sort = query.sort();
        let after = query.after().map(|TaskCursor { first, second, id, .. }| (first, second, id));
        let keyed = self.fitting(org, query.filter()).map(|(row, status)| (row.key(status, sort), row));
        let mut rows: Vec<_> = keyed
            .filter(|(key, _)| {
                after.is_none_or(|after| if sort.descending { *key < after } else { *key > after })
            })
            .collect();
        rows.sort_by_key(|(key, _)| *key);
        if sort.descending {
            rows.reverse();
        }
        let rows = rows.into_iter().take(usize::try_from(query.fetch()).unwrap_or(usize::MAX));
        rows.filter_map(|(_, row)| Some(Task { description: None, ..self.shown(row)? })).collect()
    }

    /// The places of a column, in order, without one task.
    pub(super) fn column(
        &self,
        org: OrgId,
        project: ProjectId,
        status: StatusId,
        excluded: &[TaskId],
    ) -> Vec<Slot> {
        let rows = self.tasks_of(org).filter(|row| row.project_id == project && !excluded.contains(&row.id));
        let mut slots: Vec<Slot> = rows.filter(|row| row.fields.status_id == status).map(Row::slot).collect();
        slots.sort_unstable();
        slots
    }
}
