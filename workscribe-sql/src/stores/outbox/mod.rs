//! The stores of jobs: the outbox, the queue, and what an operator sees.

mod claims;
mod enqueuing;
mod job_records;
mod jobs;

use super::*;
