//! The cases of jobs.

pub mod job_records;
pub mod jobs;

use super::{fixtures, prelude};
