//! A comment on a task: [`Comment`].

use crate::clock::Timestamp;
use crate::id::{CommentId, TaskId};
use crate::identity::Person;

use super::document::Document;

/// A comment on a task.
#[derive(Debug, Clone, PartialEq)]
pub struct Comment {
    /// Its id.
    pub id: CommentId,
    /// On which task.
    pub task_id: TaskId,
    /// By whom.
    pub author: Person,
    /// What it says.
    pub body: Document,
    /// Whether it was changed after it was made.
    pub is_edited: bool,
    /// Grows with every change; the `ETag`.
    pub version: i64,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
}
