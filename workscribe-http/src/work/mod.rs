//! Projects over HTTP, and the work in them.
//!
//! | file | what |
//! |---|---|
//! | `projects.rs`, `statuses.rs`, `labels.rs` | projects, and what their tasks can be given |
//! | `tasks.rs`, `task_lists.rs`, `bulk.rs` | one task, lists of tasks, and many tasks at once |
//! | `comments.rs`, `activity.rs` | what people say of a task, and what happened |

mod activity;
mod bulk;
mod comments;
mod labels;
mod projects;
mod statuses;
mod task_lists;
mod tasks;

pub use activity::*;
pub use bulk::*;
pub use comments::*;
pub use labels::*;
pub use projects::*;
pub use statuses::*;
pub use task_lists::*;
pub use tasks::*;
