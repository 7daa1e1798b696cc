//! Rows as they are exported.

use chrono::NaiveDate;
use sqlx::FromRow;
use sqlx::types::Uuid;
use workscribe_core::StoreError;
use workscribe_core::id::{ProjectId, TaskId, UserId};
use workscribe_core::notifications::{EntityType, NotificationType};
use workscribe_core::transfer::{
    ActivityRow, CommentRow, LabelRow, MemberRow, NotificationRow, ProjectRow, Record, StatusRow, TaskRow,
};
use workscribe_core::work::{
    ActivityAction, Color, Priority, ProjectKey, ProjectType, StatusCategory, TaskType,
};

use super::members::parse_role;
use super::{Ts, document, named};
use crate::error::corrupt;

#[derive(FromRow)]
pub(super) struct Member {
    user_id: Uuid,
    role: String,
    version: i64,
    joined_at: Ts,
}

#[derive(FromRow)]
pub(super) struct Project {
    id: Uuid,
    name: String,
    key: String,
    description: Option<String>,
    kind: String,
    is_archived: bool,
    last_number: i64,
    last_position: i64,
    created_by: Uuid,
    version: i64,
    created_at: Ts,
    updated_at: Ts,
}

#[derive(FromRow)]
pub(super) struct Status {
    id: Uuid,
    project_id: Uuid,
    name: String,
    category: String,
    position: i64,
    color: Option<String>,
    version: i64,
    created_at: Ts,
    updated_at: Ts,
}

#[derive(FromRow)]
pub(super) struct Label {
    id: Uuid,
    project_id: Uuid,
    name: String,
    color: String,
    version: i64,
    created_at: Ts,
    updated_at: Ts,
}

#[derive(FromRow)]
pub(super) struct Task {
    pub(super) id: Uuid,
    project_id: Uuid,
    number: i64,
    title: String,
    description: Option<String>,
    status_id: Uuid,
    position: i64,
    assignee_id: Option<Uuid>,
    reporter_id: Uuid,
    priority: i64,
    kind: String,
    parent_id: Option<Uuid>,
    due_date: Option<NaiveDate>,
    version: i64,
    created_at: Ts,
    updated_at: Ts,
}

#[derive(FromRow)]
pub(super) struct Comment {
    id: Uuid,
    task_id: Uuid,
    author_id: Uuid,
    body: String,
    is_edited: bool,
    version: i64,
    created_at: Ts,
    updated_at: Ts,
}

#[derive(FromRow)]
pub(super) struct Activity {
    id: Uuid,
    project_id: Option<Uuid>,
    task_id: Option<Uuid>,
    actor_id: Uuid,
    action: String,
    field_name: Option<String>,
    old_value: Option<String>,
    new_value: Option<String>,
    created_at: Ts,
}

#[derive(FromRow)]
pub(super) struct Notification {
    id: Uuid,
    user_id: Uuid,
    kind: String,
    title: String,
    body: Option<String>,
    entity_type: String,
    entity_id: Uuid,
    actor_id: Option<Uuid>,
    is_read: bool,
    created_at: Ts,
}

impl TryFrom<Member> for Record {
    type Error = StoreError;

    fn try_from(row: Member) -> Result<Self, StoreError> {
        Ok(Self::Member(MemberRow {
            user_id: row.user_id.into(),
            role: parse_role("ws_members", &row.role)?,
            version: row.version,
            joined_at: row.joined_at.0,
        }))
    }
}

impl TryFrom<Project> for Record {
    type Error = StoreError;

    fn try_from(row: Project) -> Result<Self, StoreError> {
        Ok(Self::Project(ProjectRow {
            id: row.id.into(),
            name: row.name,
            key: ProjectKey::from_stored(row.key),
            description: row.description,
            kind: named("ws_projects", "type", &row.kind, ProjectType::parse)?,
            is_archived: row.is_archived,
            last_number: row.last_number,
            last_position: row.last_position,
            created_by: row.created_by.into(),
            version: row.version,
            created_at: row.created_at.0,
            updated_at: row.updated_at.0,
        }))
    }
}

impl TryFrom<Status> for Record {
    type Error = StoreError;

    fn try_from(row: Status) -> Result<Self, StoreError> {
        Ok(Self::Status(StatusRow {
            id: row.id.into(),
            project_id: row.project_id.into(),
            name: row.name,
            category: named("ws_statuses", "category", &row.category, StatusCategory::parse)?,
            position: row.position,
            color: row.color.map(Color::from_stored),
            version: row.version,
            created_at: row.created_at.0,
            updated_at: row.updated_at.0,
        }))
    }
}

impl TryFrom<Label> for Record {
    type Error = StoreError;

    fn try_from(row: Label) -> Result<Self, StoreError> {
        Ok(Self::Label(LabelRow {
            id: row.id.into(),
            project_id: row.project_id.into(),
            name: row.name,
            color: Color::from_stored(row.color),
            version: row.version,
            created_at: row.created_at.0,
            updated_at: row.updated_at.0,
        }))
    }
}

impl TryFrom<Task> for TaskRow {
    type Error = StoreError;

    fn try_from(row: Task) -> Result<Self, StoreError> {
        let description = row.description.as_deref();
        let priority = Priority::of_rank(row.priority)
            .ok_or_else(|| corrupt("ws_tasks", format!("priority is {}", row.priority)))?;
        Ok(Self {
            id: row.id.into(),
            project_id: row.project_id.into(),
            number: row.number,
            title: row.title,
            description: description.map(|text| document("ws_tasks", "description", text)).transpose()?,
            status_id: row.status_id.into(),
            position: row.position,
            assignee_id: row.assignee_id.map(UserId::from),
            reporter_id: row.reporter_id.into(),
            priority,
            kind: named("ws_tasks", "type", &row.kind, TaskType::parse)?,
            parent_id: row.parent_id.map(TaskId::from),
            label_ids: Vec::new(),
            subtask_count: 0,
            comment_count: 0,
            due_date: row.due_date,
            version: row.version,
            created_at: row.created_at.0,
            updated_at: row.updated_at.0,
        })
    }
}

impl TryFrom<Comment> for Record {
    type Error = StoreError;

    fn try_from(row: Comment) -> Result<Self, StoreError> {
        Ok(Self::Comment(CommentRow {
            id: row.id.into(),
            task_id: row.task_id.into(),
            author_id: row.author_id.into(),
            body: document("ws_comments", "body", &row.body)?,
            is_edited: row.is_edited,
            version: row.version,
            created_at: row.created_at.0,
            updated_at: row.updated_at.0,
        }))
    }
}

impl TryFrom<Activity> for Record {
    type Error = StoreError;

    fn try_from(row: Activity) -> Result<Self, StoreError> {
        Ok(Self::Activity(ActivityRow {
            id: row.id.into(),
            project_id: row.project_id.map(ProjectId::from),
            task_id: row.task_id.map(TaskId::from),
            actor_id: row.actor_id.into(),
            action: named("ws_activity", "action", &row.action, ActivityAction::parse)?,
            field_name: row.field_name,
            old_value: row.old_value,
            new_value: row.new_value,
            created_at: row.created_at.0,
        }))
    }
}

impl TryFrom<Notification> for Record {
    type Error = StoreError;

    fn try_from(row: Notification) -> Result<Self, StoreError> {
        Ok(Self::Notification(NotificationRow {
            id: row.id.into(),
            user_id: row.user_id.into(),
            kind: named("ws_notifications", "type", &row.kind, NotificationType::parse)?,
            title: row.title,
            body: row.body,
            entity_type: named("ws_notifications", "entity_type", &row.entity_type, EntityType::parse)?,
            entity_id: row.entity_id,
            actor_id: row.actor_id.map(UserId::from),
            is_read: row.is_read,
            created_at: row.created_at.0,
        }))
    }
}
