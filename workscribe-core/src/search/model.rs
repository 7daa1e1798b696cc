//! What is stored for search, what is asked, and what is found.

use uuid::Uuid;

use crate::clock::Timestamp;
use crate::id::{ProjectId, TaskId};
use crate::named::names;
use crate::work::ProjectKey;

use super::words::Words;

names! {
    /// What can be found.
    SearchKind {
        /// A project, by its name, key or description.
        Project = "project",
        /// A task, by its key, title or description.
        Task = "task",
        /// A comment, by what it says.
        Comment = "comment",
    }
}

/// What is known of one thing for finding it. It is kept in the transaction that changes the thing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SearchDocument {
    /// The thing's id.
    pub id: Uuid,
    /// What it is.
    pub kind: SearchKind,
    /// The task that it is, or on which it is. When that task goes, this goes.
    pub task: Option<TaskId>,
    /// The words of its title: they weigh more.
    pub title: Words,
    /// Its text, to show a part of: at most [`SearchDocument::MAX_BODY`] characters.
    pub body: String,
    /// When it was last changed.
    pub updated_at: Timestamp,
}

impl SearchDocument {
    /// How many characters of a text are kept and found.
    pub const MAX_BODY: usize = 20_000;
}

/// What a person looks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SearchRequest<'a> {
    /// What they wrote: 1–200 characters.
    pub text: &'a str,
    /// The kind of result; `None` for every kind.
    pub kind: Option<SearchKind>,
    /// The largest number of results.
    pub limit: u32,
}

/// What is looked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SearchQuery {
    /// All of these words; the last may go on.
    pub words: Words,
    /// Only this kind.
    pub kind: Option<SearchKind>,
    /// At most this many.
    pub limit: u32,
}

/// Something that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SearchHit {
    /// What it is.
    pub kind: SearchKind,
    /// Its id.
    pub id: Uuid,
    /// The project's name, or the title of the task that it is or is on.
    pub title: String,
    /// Its text, as kept for finding it.
    pub body: String,
    /// In which project.
    pub project_id: ProjectId,
    /// The project's key.
    pub project_key: ProjectKey,
    /// The task that it is, or on which it is, with its number.
    pub task: Option<(TaskId, i64)>,
    /// When it was last changed.
    pub updated_at: Timestamp,
}
