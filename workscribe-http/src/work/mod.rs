//! Projects and the work in them, over HTTP.
//!
//! | file | what |
//! |---|---|
//! | `projects.rs`, `statuses.rs`, `labels.rs` | projects, and the statuses and labels of their tasks |
//! | `tasks.rs`, `task_lists.rs`, `bulk.rs` | single tasks, lists of tasks, and many tasks in one request |
//! | `comments.rs`, `activity.rs` | the comments on a task, and the history |

mod activity;
mod bulk;
mod comments;
mod labels;
mod projects;
mod relations;
mod statuses;
mod task_lists;
mod tasks;

pub use activity::*;
pub use bulk::*;
pub use comments::*;
pub use labels::*;
pub use projects::*;
pub use relations::*;
pub use statuses::*;
pub use task_lists::*;
pub use tasks::*;
