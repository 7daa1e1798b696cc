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
    /// The task.
    pub task_id: TaskId,
    /// The author.
    pub author: Person,
    /// The text.
    pub body: Document,
    /// Whether it was changed.
    pub is_edited: bool,
    /// Grows with every change. It is the `ETag`.
    pub version: i64,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
}
