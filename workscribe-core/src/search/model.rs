//! The values of search: the stored document, the query and the result.

use uuid::Uuid;

use crate::clock::Timestamp;
use crate::id::{ProjectId, TaskId};
use crate::named::names;
use crate::work::ProjectKey;

use super::words::Words;

names! {
    /// The kinds of things that a search can find.
    SearchKind {
        /// A project, by its name, key or description.
        Project = "project",
        /// A task, by its key, title or description.
        Task = "task",
        /// A comment, by its text.
        Comment = "comment",
    }
}

/// What the search index contains about one thing. It is written in the transaction that changes the thing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SearchDocument {
    /// The thing's id.
    pub id: Uuid,
    /// The kind of the thing.
    pub kind: SearchKind,
    /// The task itself, or the task of the comment. When that task is removed, the document is removed.
    pub task: Option<TaskId>,
    /// The words of its title. They have more weight.
    pub title: Words,
    /// Its text, of which results show a part: at most [`SearchDocument::MAX_BODY`] characters.
    pub body: String,
    /// When it was last changed.
    pub updated_at: Timestamp,
}

impl SearchDocument {
    /// How many characters of a text are stored and searched.
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

/// A search.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SearchQuery {
    /// A document must have all these words; the last one may be the beginning of a word.
    pub words: Words,
    /// Only documents of this kind.
    pub kind: Option<SearchKind>,
    /// The maximum number of results.
    pub limit: u32,
}

/// A result of a search.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SearchHit {
    /// The kind of the thing.
    pub kind: SearchKind,
    /// Its id.
    pub id: Uuid,
    /// The project's name, or the title of the task or of the comment's task.
    pub title: String,
    /// Its stored text.
    pub body: String,
    /// The project.
    pub project_id: ProjectId,
    /// The project's key.
    pub project_key: ProjectKey,
    /// The task itself, or the task of the comment, with its number.
    pub task: Option<(TaskId, i64)>,
    /// When it was last changed.
    pub updated_at: Timestamp,
}
