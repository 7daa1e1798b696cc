//! Jobs: a caller enqueues them in its transaction, workers claim them under a lease.
//!
//! | file | what |
//! |---|---|
//! | `job.rs` | [`Job`] and [`NewJob`]: a kind of job, and a job to be enqueued |
//! | `model.rs` | what a worker claims and settles, what an operator sees |
//! | `store.rs` | [`Outbox`] and [`JobStore`]: the queue as a storage keeps it |
//! | `service.rs` | [`Jobs`]: enqueueing without a unit of work, and an operator's reads and commands |
//!
//! Delivery is at least once. A worker claims a job for a limited time (the lease) and receives an attempt number. Each later
//! statement about the job must carry that number, so a worker whose lease has expired cannot settle an attempt that another
//! worker has taken over (a fencing token: Kleppmann, "How to do distributed locking", 2016).
//!
//! An attempt ends with one [`Outcome`]. A worker writes it with [`JobStore::settle`].

mod job;
mod model;
mod service;
mod store;

pub use job::{Job, JobPriority, MAIL_QUEUE, NewJob, OptionsError, UPKEEP_QUEUE, Unique, UniqueKey, Until};
pub use model::{
    AttemptId, Backlog, ClaimedJob, Enqueued, ExtendedLease, JobCounts, JobFilter, JobRecord, JobState,
    KindCounts, Outcome, QueueState, Settlement,
};
pub use service::Jobs;
pub use store::{Claim, JobStore, Outbox, Turn};
