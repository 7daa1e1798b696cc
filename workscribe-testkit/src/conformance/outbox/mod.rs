//! The cases of jobs.

pub mod enqueuing;
pub mod job_records;
pub mod jobs;
pub mod turns;

use super::{fixtures, prelude};
