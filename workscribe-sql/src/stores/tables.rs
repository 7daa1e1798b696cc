//! The tables whose rows are read and written whole, each with its columns.

use sqlx::query_builder::Separated;
use sqlx::types::{Json, Uuid};
use workscribe_core::id::LabelId;
use workscribe_core::transfer::{ActivityRow, CommentRow, MemberRow, NotificationRow, ProjectRow, TaskRow};
use workscribe_core::work::{Label, Status, name_key};

use super::Db;
use super::table::{Child, ColumnValue as _, Table, column, made_of};
use super::unit::Row;

table! {
    MemberRow = "ws_members", columns member_columns "m." { user_id, role, version, joined_at }
    restored " ON CONFLICT (org_id, user_id)
               DO UPDATE SET role = excluded.role, version = excluded.version, joined_at = excluded.joined_at"
}

table! {
    ProjectRow = "ws_projects", columns project_columns "ws_projects." {
        id, name, key, description, kind "type", is_archived, last_number, last_position, created_by, version, created_at,
        updated_at
    }
}

table! {
    Status = "ws_statuses", in project_id, columns status_columns "" {
        id, project_id, name, category, position, color, version, created_at, updated_at
    }
    written { name_key: |status| name_key(&status.name) }
}

table! {
    Label = "ws_labels", in project_id, columns label_columns "" {
        id, project_id, name, color, version, created_at, updated_at
    }
    written { name_key: |label| name_key(&label.name) }
}

// The labels of a task are read from the table that assigns them. The counts of a task are not exported.
table! {
    TaskRow = "ws_tasks" {
        id, project_id, number, title, description, status_id, position, assignee_id, reporter_id, priority, kind "type",
        parent_id, due_date, version, created_at, updated_at
    }
    written {
        label_ids: |task| Json(sorted(&task.label_ids)),
        subtask_count: |task| task.subtask_count,
        comment_count: |task| task.comment_count,
    }
    unread { label_ids: Vec::new(), subtask_count: 0, comment_count: 0 }
}

table! {
    CommentRow = "ws_comments", in task_id, columns comment_columns "c." {
        id, task_id, author_id, body, is_edited, version, created_at, updated_at
    }
}

table! {
    ActivityRow = "ws_activity", columns activity_columns "h." {
        id, project_id, task_id, actor_id, action, field_name, old_value, new_value, created_at
    }
}

// The state of a notification's mail is not exported: the server that made the notification sends the mail.
table! {
    NotificationRow = "ws_notifications", columns notification_columns "n." {
        id, user_id, kind "type", title, body, entity_type, entity_id, actor_id, is_read, created_at
    }
    written { mail: |row| if row.is_mailed { "waiting" } else { "none" } }
    unread { is_mailed: false }
}

fn sorted(labels: &[LabelId]) -> Vec<LabelId> {
    let mut labels = labels.to_vec();
    labels.sort_unstable();
    labels
}
