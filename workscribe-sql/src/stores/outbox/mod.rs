//! The stores of jobs: the outbox, the queue, and what an operator sees.

mod job_records;
mod jobs;

use super::*;
