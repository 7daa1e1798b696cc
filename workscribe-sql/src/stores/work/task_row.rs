//! A task as a statement returns it.

use chrono::NaiveDate;
use sqlx::FromRow;
use sqlx::types::{Json, Uuid};
use workscribe_core::work::{Color, Priority, ProjectKey, Status, Task, TaskLabel, TaskType};
use workscribe_core::{StoreError, StoreResult};

use super::statuses::parse_category;
use super::{Ts, corrupt, document, named, person};

/// A task with all its fields; see `task_columns!`.
#[derive(FromRow)]
pub(crate) struct TaskRow {
    org_id: Uuid,
    id: Uuid,
    project_id: Uuid,
    project_key: String,
    project_is_archived: bool,
    number: i64,
    title: String,
    description: Option<String>,
    status_id: Uuid,
    status_name: String,
    status_category: String,
    status_position: i64,
    status_color: Option<String>,
    status_version: i64,
    status_created_at: Ts,
    status_updated_at: Ts,
    assignee_id: Option<Uuid>,
    assignee_name: Option<String>,
    assignee_avatar_url: Option<String>,
    reporter_id: Uuid,
    reporter_name: String,
    reporter_avatar_url: Option<String>,
    priority: i64,
    kind: String,
    parent_id: Option<Uuid>,
    labels: Option<Json<Vec<TaskLabel>>>,
    position: i64,
    due_date: Option<NaiveDate>,
    subtask_count: i64,
    comment_count: i64,
    blocked_by_count: i64,
    version: i64,
    created_at: Ts,
    updated_at: Ts,
}

impl TryFrom<TaskRow> for Task {
    type Error = StoreError;

    fn try_from(row: TaskRow) -> StoreResult<Self> {
        let priority = Priority::of_rank(row.priority)
            .ok_or_else(|| corrupt("ws_tasks", format!("priority is {}", row.priority)))?;
        let description =
            row.description.map(|text| document("ws_tasks", "description", &text)).transpose()?;
        let status = Status {
            id: row.status_id.into(),
            project_id: row.project_id.into(),
            name: row.status_name,
            category: parse_category(&row.status_category)?,
            position: row.status_position,
            color: row.status_color.map(Color::from_stored),
            version: row.status_version,
            created_at: row.status_created_at.0,
            updated_at: row.status_updated_at.0,
        };
        let assignee = row.assignee_id.zip(row.assignee_name);
        Ok(Self {
            id: row.id.into(),
            org_id: row.org_id.into(),
            project_id: row.project_id.into(),
            project_key: ProjectKey::from_stored(row.project_key),
            project_is_archived: row.project_is_archived,
            number: row.number,
            title: row.title,
            description,
            status,
            assignee: assignee.map(|(id, name)| person(id, name, row.assignee_avatar_url)),
            reporter: person(row.reporter_id, row.reporter_name, row.reporter_avatar_url),
            priority,
            kind: named("ws_tasks", "type", &row.kind, TaskType::parse)?,
            parent_id: row.parent_id.map(Into::into),
            labels: row.labels.map(|labels| labels.0).unwrap_or_default(),
            position: row.position,
            due_date: row.due_date,
            subtask_count: row.subtask_count,
            comment_count: row.comment_count,
            blocked_by_count: row.blocked_by_count,
            version: row.version,
            created_at: row.created_at.0,
            updated_at: row.updated_at.0,
        })
    }
}
