//! What bodies say, as the services take it.

use poem_openapi::types::MaybeUndefined;
use uuid::Uuid;
use workscribe_core::Error;
use workscribe_core::error::Violations;
use workscribe_core::id::StatusId;
use workscribe_core::work::{BulkChange, Destination, TaskChange};

use crate::body::{not_null, nullable};

use super::dto::{CreateTaskRequest, MoveTaskRequest, UpdateTaskRequest, UpdateTasksRequest};

fn ids<T: From<Uuid>>(ids: Vec<Uuid>) -> Vec<T> {
    ids.into_iter().map(T::from).collect()
}

impl CreateTaskRequest {
    pub(super) fn into_change(self) -> Result<TaskChange, Error> {
        let title = MaybeUndefined::Value(self.title);
        let Self { description_json, status_id, assignee_id, priority, kind, .. } = self;
        let Self { parent_task_id, due_date, label_ids, .. } = self;
        UpdateTaskRequest {
            title,
            description_json,
            status_id,
            assignee_id,
            priority,
            kind,
            parent_task_id,
            due_date,
            label_ids,
        }
        .into_change()
    }
}

impl UpdateTaskRequest {
    pub(super) fn into_change(self) -> Result<TaskChange, Error> {
        Ok(TaskChange {
            title: not_null("/title", self.title)?,
            description: nullable(self.description_json).map(|text| text.map(|text| text.0)),
            status_id: not_null("/status_id", self.status_id)?.map(Into::into),
            assignee_id: nullable(self.assignee_id).map(|id| id.map(Into::into)),
            priority: not_null("/priority", self.priority)?.map(Into::into),
            kind: not_null("/type", self.kind)?.map(Into::into),
            parent_id: nullable(self.parent_task_id).map(|id| id.map(Into::into)),
            due_date: nullable(self.due_date).map(|date| date.map(|date| date.0)),
            label_ids: not_null("/label_ids", self.label_ids)?.map(ids),
        })
    }
}

impl MoveTaskRequest {
    pub(super) fn into_destination(self) -> Result<(Option<StatusId>, Destination), Error> {
        let status = not_null("/status_id", self.status_id)?.map(StatusId::from);
        let position = not_null("/position", self.position)?.map(Destination::Index);
        let before = not_null("/before_id", self.before_id)?.map(|id| Destination::Before(id.into()));
        let after = not_null("/after_id", self.after_id)?.map(|id| Destination::After(id.into()));
        let given = [("/position", position), ("/before_id", before), ("/after_id", after)];
        let mut given = given.into_iter().filter_map(|(pointer, to)| Some((pointer, to?)));
        let first = given.next().map_or(Destination::End, |(_, to)| to);
        let mut violations = Violations::default();
        for (pointer, _) in given {
            violations.add(pointer, "TOO_MANY", "Give at most one of position, before_id and after_id.");
        }
        violations.into_result()?;
        Ok((status, first))
    }
}

impl UpdateTasksRequest {
    pub(super) fn into_change(self) -> Result<BulkChange, Error> {
        let labels = |pointer, field| Ok::<_, Error>(not_null(pointer, field)?.map(ids).unwrap_or_default());
        Ok(BulkChange {
            task_ids: ids(self.task_ids),
            status_id: not_null("/status_id", self.status_id)?.map(Into::into),
            assignee_id: nullable(self.assignee_id).map(|id| id.map(Into::into)),
            priority: not_null("/priority", self.priority)?.map(Into::into),
            due_date: nullable(self.due_date).map(|date| date.map(|date| date.0)),
            label_ids: not_null("/label_ids", self.label_ids)?.map(ids),
            add_label_ids: labels("/add_label_ids", self.add_label_ids)?,
            remove_label_ids: labels("/remove_label_ids", self.remove_label_ids)?,
        })
    }
}
