//! The worker of WorkScribe: a registry of job handlers, retries, and the mails that must arrive.
//!
//! # Map
//!
//! | file | what |
//! |---|---|
//! | `handler.rs` | [`Handler`], [`JobContext`], [`Failure`]: what the code of a job looks like |
//! | `registry.rs` | [`Registry`]: which handler runs which kind of job |
//! | `worker.rs` | [`Worker`]: claims jobs, and runs until it is told to stop |
//! | `run.rs` | one job: its heartbeat, its end, and what is written about it |
//! | `backoff.rs` | how long a failed job waits |
//! | `mail/` | templates, links, the handlers of WorkScribe's mails, and the transports |
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
//! lease ran out. The queues at hand do not give that: apalis 1.0 needs its own schema and the extensions `pgcrypto` and
//! `hstore`, and does not persist back-off; `graphile_worker` knows Postgres alone; underway, fang and sqlxmq are on
//! sqlx 0.8, whose transactions are not those of sqlx 0.9.

mod backoff;
mod handler;
pub mod mail;
mod registry;
mod run;
mod worker;

pub use backoff::{LONGEST_BACKOFF, backoff};
pub use handler::{Failure, Handler, JobContext};
pub use registry::Registry;
pub use worker::{Worker, WorkerOptions};
