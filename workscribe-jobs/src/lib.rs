//! The worker of WorkScribe: a registry of job handlers, retries, and the mails that must arrive.
//!
//! # Map
//!
//! | file | what |
//! |---|---|
//! | `handler.rs` | [`Handler`], [`JobContext`], [`Failure`]: what the code of a job looks like |
//! | `registry.rs` | [`Registry`]: which handler runs which kind of job |
//! | `worker/mod.rs`, `options.rs` | [`Worker`]: runs until it is told to stop, or drains |
//! | `worker/queue.rs` | the work on one queue: claims as many jobs as have room |
//! | `worker/run.rs` | one attempt: its time, and its last word |
//! | `worker/ledger.rs` | what a worker holds: its heartbeat, and the last words, written many at a time |
//! | `schedule.rs` | [`Schedule`]: cron expressions with time zones |
//! | `upkeep.rs` | WorkScribe's own schedules |
//! | `worker/metrics.rs` | what a worker tells the process's recorder of metrics |
//! | `backoff.rs` | how long a failed job waits |
//! | `mail/` | templates, links, the handlers of WorkScribe's mails, and the transports |
//! | `webhooks/` | [`webhooks::WebhookSender`]: sends what organizations asked for to their endpoints |
//!
//! # How to add a job
//!
//! 1. A type that implements [`Job`](workscribe_core::outbox::Job): its stable name, and its payload. Put ids in the
//!    payload rather than copies, and no secrets.
//! 2. A [`Handler`] for it, or an async closure of [`JobContext`] and the payload. It may run more than once: delivery is at
//!    least once, and [`JobContext::id`] is the key by which a repeat is told.
//! 3. [`Registry::register`] it, beside WorkScribe's own from [`mail::workscribe_jobs`].
//! 4. [`WorkScribe::enqueue`](workscribe_core::WorkScribe::enqueue) it in the transaction of the rows that cause it.
//!
//! ```
//! use serde::{Deserialize, Serialize};
//! use workscribe_core::outbox::Job;
//! use workscribe_jobs::{Failure, JobContext, Registry};
//!
//! #[derive(Serialize, Deserialize)]
//! struct Greet {
//!     whom: String,
//! }
//!
//! impl Job for Greet {
//!     const KIND: &'static str = "example.greet";
//! }
//!
//! async fn greet(context: JobContext, job: Greet) -> Result<(), Failure> {
//!     if job.whom.is_empty() {
//!         return Err(Failure::bury("nobody to greet"));
//!     }
//!     println!("{}: hello, {}", context.id, job.whom);
//!     Ok(())
//! }
//!
//! let registry = Registry::new().register::<Greet>(greet);
//! assert_eq!(registry.kinds().collect::<Vec<_>>(), ["example.greet"]);
//! ```
//!
//! # Why a queue of our own
//!
//! A job is a row in the caller's own transaction, on Postgres and on SQLite, and its attempt number fences a worker whose
//! lease ran out. No queue at hand gives both, as of November 2026: riverqueue 0.5 enqueues in the caller's transaction on
//! both, but ends a job by its id alone, so that a rescued job's first worker can still end it, and is MPL-2.0; apalis 1.0
//! has no public way into the caller's transaction on SQLite, and compares no attempt; `graphile_worker` and pgmq know
//! Postgres alone; underway, fang and sqlxmq are on sqlx 0.8, whose transactions are not those of sqlx 0.9. Two ideas are
//! theirs: a slot of a schedule that is compared and set with its job (graphile-worker), and last words that are written
//! many at a time (River).
//!
//! # What is measured
//!
//! See `worker/metrics.rs`: counters and histograms of the `metrics` facade, for which the program chooses a recorder.

mod backoff;
mod handler;
pub mod mail;
mod options;
mod registry;
mod retry_after;
mod schedule;
mod upkeep;
pub mod webhooks;
mod worker;

pub use backoff::{LONGEST_BACKOFF, backoff};
pub use handler::{Failure, Handler, JobContext};
pub use options::{QueueOptions, WorkerOptions};
pub use registry::Registry;
pub use schedule::{CatchUp, Schedule, ScheduleError, Schedules};
pub use upkeep::{Sweep, workscribe_schedules};
pub use worker::Worker;
