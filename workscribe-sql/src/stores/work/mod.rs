//! The stores of projects, statuses, labels, tasks, comments and the history.

mod activity;
mod board;
mod comments;
mod labels;
pub(crate) mod projects;
mod relations;
pub(crate) mod statuses;
mod task_list;
pub(crate) mod task_row;
mod task_shown;
mod task_writes;
pub(crate) mod tasks;

use super::*;
