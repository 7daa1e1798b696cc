//! Projects with their statuses and labels, tasks, comments, and the history.
//!
//! | file | what |
//! |---|---|
//! | `model.rs` | [`Project`], [`Status`], [`Label`] and the rules for their fields |
//! | `task.rs`, `task_lists.rs` | [`Task`], and the filters and the order of lists of tasks |
//! | `document.rs` | [`Document`]: rich texts, their plain text, and the people whom they mention |
//! | `comment.rs`, `history.rs` | [`Comment`] and [`Activity`] |
//! | `relation.rs`, `relations.rs` | [`Relation`] with its store trait, and the service |
//! | `order.rs` | how the positions of tasks on a board are chosen |
//! | `store.rs`, `board.rs` | the store traits |
//! | `projects.rs`, `statuses.rs`, `labels.rs` | the services for admins |
//! | `tasks.rs`, `changes.rs`, `moves.rs`, `arrange.rs`, `bulk.rs`, `comments.rs` | the services for members |
//! | `record.rs` | what every write adds: entries of the history, notifications, search documents |
//!
//! # The order of locks
//!
//! Organization, members, project, tasks by id, and last the digests of people by id. Writes that take locks in this order cannot
//! deadlock.

mod arrange;
mod board;
mod bulk;
mod changes;
mod comment;
mod comments;
mod departures;
mod document;
mod door;
mod history;
mod labels;
mod model;
mod moves;
pub mod order;
mod projects;
mod record;
mod relation;
mod relations;
mod statuses;
mod store;
mod task;
mod task_lists;
mod tasks;

pub use crate::identity::Person;
pub use arrange::Placement;
pub use board::{BoardPosition, BoardStore, Column, ColumnMove, Goal, Landmark, Lifted};
pub use bulk::BulkChange;
pub use changes::TaskChange;
pub use comment::Comment;
pub(crate) use departures::unassign_former;
pub use departures::{UNASSIGNED_AT_ONCE, UnassignFormer};
pub use document::Document;
pub use history::{Activity, NewActivity};
pub use labels::{LabelEdit, NewLabel};
pub use model::{
    Archived, Color, Label, LabelChange, Project, ProjectChange, ProjectKey, ProjectRef, ProjectType, Status,
    StatusCategory, StatusChange, TaskKey, name_key,
};
pub(crate) use model::{DESCRIPTION_CHARS, single_line, text};
pub use moves::{Destination, Move};
pub use projects::{NewProject, Projects};
pub(crate) use record::{comment_document, project_document, task_document};
pub use relation::{RelatedTask, Relation, RelationDirection, RelationStore, RelationType};
pub use relations::NewRelation;
pub use statuses::{NewStatus, StatusEdit};
pub use store::{ActivityStore, CommentStore, Entered, LabelStore, ProjectStore, StatusStore, TaskStore};
pub use task::{NewTask, Numbered, Priority, Room, Task, TaskFields, TaskLabel, TaskType, TaskWrite};
pub use task_lists::{
    AssigneeFilter, NO_DUE_DATE, ParentFilter, TaskCursor, TaskFilter, TaskOrder, TaskQuery, TaskSort,
};
pub use tasks::Tasks;
