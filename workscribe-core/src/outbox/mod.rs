//! Jobs: written in the caller's transaction, claimed by workers under a lease.
//!
//! | file | what |
//! |---|---|
//! | `job.rs` | [`Job`] and [`NewJob`]: a kind of job, and one that is to be written |
//! | `model.rs` | what a worker has claimed, what an operator sees |
//! | `store.rs` | [`Outbox`] and [`JobStore`]: the queue as a storage keeps it |
//! | `service.rs` | [`Jobs`]: enqueueing without a unit of work, and an operator's view and hand |
//!
//! Delivery is at least once. A worker claims a job for a while (its lease) and gets an attempt number; every
//! later word about the job must carry that number, so that a worker whose lease has run out cannot finish
//! what another has taken over (a fencing token: Kleppmann, "How to do distributed locking", 2016).

mod job;
mod model;
mod service;
mod store;

pub use job::{Job, JobPriority, MAIL_QUEUE, NewJob, OptionsError, UPKEEP_QUEUE, Unique, UniqueKey, Until};
pub use model::{
    Backlog, ClaimedJob, Ending, Enqueued, Held, HeldJob, JobCounts, JobFilter, JobRecord, JobState,
    KindCounts, QueueState, Settled,
};
pub use service::Jobs;
pub use store::{Claim, JobStore, Outbox, Turn};
