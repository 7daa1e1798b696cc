//! The cases of projects and tasks.

pub mod activity;
pub mod board;
pub mod comments;
pub mod labels;
pub mod long_lists;
pub mod projects;
pub mod relations;
pub mod statuses;
pub mod subtasks;
pub mod task_lists;
pub mod task_locks;
pub mod tasks;

use super::{fixtures, prelude};
