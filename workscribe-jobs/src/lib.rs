//! The worker of WorkScribe: a registry of job handlers, retries, schedules, mails and webhooks.
//!
//! # Map
//!
//! | file | what |
//! |---|---|
//! | `handler.rs` | [`Handler`], [`JobContext`], [`JobError`]: the code of a job |
//! | `registry.rs` | [`Registry`]: which handler runs which kind of job |
//! | `worker/mod.rs`, `options.rs` | [`Worker`]: runs until its shutdown, or drains the queues once |
//! | `worker/inner.rs` | what the tasks of a worker share |
//! | `worker/queue.rs` | the loop of one queue: claims as many jobs as its concurrency allows |
//! | `worker/run.rs` | one attempt: its time limit and its outcome |
//! | `worker/in_flight.rs` | the attempts in flight: the heartbeat, and the settlements, written in batches |
//! | `worker/storage.rs` | the time-out of storage calls, and the wait after a failed one |
//! | `schedule.rs` | [`Schedule`]: cron expressions with time zones |
//! | `upkeep.rs` | WorkScribe's own schedules |
//! | `worker/metrics.rs` | the metrics of a worker |
//! | `backoff.rs` | how long a failed job waits |
//! | `mail/` | templates, links, the handlers of WorkScribe's mails, and the transports |
//! | `webhooks/` | [`webhooks::WebhookSender`]: sends messages to the endpoints of organizations |
//!
//! # How to add a job
//!
//! 1. A type that implements [`Job`](workscribe_core::outbox::Job): its stable name, and its payload. Put ids in the
//!    payload rather than copies, and no secrets.
//! 2. A [`Handler`] for it, or an async closure of [`JobContext`] and the payload. It may run more than once: delivery is at
//!    least once, and [`JobContext::id`] is the key that identifies a repeat.
//! 3. Add it with [`Registry::register`] to the registry that [`mail::workscribe_jobs`] returns.
//! 4. Enqueue it with [`WorkScribe::enqueue`](workscribe_core::WorkScribe::enqueue) in the transaction of the rows that cause it.
//!
//! # How an attempt ends
//!
//! | the handler returns | [`Outcome`](workscribe_core::outbox::Outcome) | the job |
//! |---|---|---|
//! | `Ok(())` | `Completed` | is completed |
//! | [`JobError::Retry`] | `Retry` | runs again after its back-off; after the last attempt it is buried |
//! | [`JobError::Snooze`] | `Snoozed` | runs again after the given time; the attempt does not count |
//! | [`JobError::Bury`] | `Buried` | is kept for an operator to inspect |
//!
//! An operator's cancellation gives `Cancelled`. The worker writes each outcome in a
//! [`Settlement`](workscribe_core::outbox::Settlement).
//!
//! ```
//! use serde::{Deserialize, Serialize};
//! use workscribe_core::outbox::Job;
//! use workscribe_jobs::{JobError, JobContext, Registry};
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
//! async fn greet(context: JobContext, job: Greet) -> Result<(), JobError> {
//!     if job.whom.is_empty() {
//!         return Err(JobError::bury("nobody to greet"));
//!     }
//!     println!("{}: hello, {}", context.id, job.whom);
//!     Ok(())
//! }
//!
//! let registry = Registry::new().register::<Greet>(greet);
//! assert_eq!(registry.kinds().collect::<Vec<_>>(), ["example.greet"]);
//! ```
//!
//! # Why WorkScribe has its own queue
//!
//! A job is a row in the caller's own transaction, on Postgres and on SQLite, and its attempt number fences a worker whose
//! lease has expired. No published queue does both, as of November 2026. riverqueue 0.5 enqueues in the caller's transaction on
//! both, but completes a job by its id alone, so the first worker of a rescued job can still complete it; its license is
//! MPL-2.0. apalis 1.0 offers no public way to use the caller's transaction on SQLite, and compares no attempt.
//! `graphile_worker` and pgmq support Postgres only. underway, fang and sqlxmq use sqlx 0.8, whose transactions are not those of
//! sqlx 0.9. Two ideas come from these queues: a compare-and-set of a schedule's slot in the transaction of its job
//! (graphile-worker), and outcomes that are written in batches (River).
//!
//! # Metrics
//!
//! `worker/metrics.rs` lists them: counters and histograms of the `metrics` facade. The program chooses the recorder.

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
pub use handler::{Handler, JobContext, JobError};
pub use options::{QueueOptions, WorkerOptions};
pub use registry::Registry;
pub use schedule::{CatchUp, Schedule, ScheduleError, Schedules};
pub use upkeep::{Sweep, workscribe_schedules};
pub use worker::Worker;
