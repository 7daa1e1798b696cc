//! What a worker tells the process's [metrics recorder](metrics), if the program has one.
//!
//! | name | kind | labels | what |
//! |---|---|---|---|
//! | `workscribe_jobs_ended_total` | counter | `kind`, `outcome` | attempts that ended: `completed`, `retry`, `snoozed`, `cancelled`, `buried` |
//! | `workscribe_job_run_seconds` | histogram | `kind` | how long an attempt ran |
//! | `workscribe_job_wait_seconds` | histogram | `kind` | how long a job that was due waited for a worker |
//! | `workscribe_jobs_running` | gauge | `worker`, `queue` | how many run in this worker |

use metrics::{counter, gauge, histogram};
use workscribe_core::clock::Timestamp;
use workscribe_core::outbox::{ClaimedJob, Ending};

use crate::ledger::Word;

pub(crate) fn claimed(job: &ClaimedJob, now: Timestamp) {
    let waited = (now - job.run_at).to_std().unwrap_or_default();
    histogram!("workscribe_job_wait_seconds", "kind" => job.kind.clone()).record(waited);
}

pub(crate) fn running(worker: &str, queue: &str, jobs: u32) {
    gauge!("workscribe_jobs_running", "worker" => worker.to_owned(), "queue" => queue.to_owned())
        .set(f64::from(jobs));
}

pub(crate) fn ended(word: &Word) {
    let outcome = match word.settled.ending {
        Ending::Completed => "completed",
        Ending::Retry { .. } => "retry",
        Ending::Snoozed { .. } => "snoozed",
        Ending::Cancelled => "cancelled",
        Ending::Buried { .. } => "buried",
    };
    counter!("workscribe_jobs_ended_total", "kind" => word.kind.clone(), "outcome" => outcome).increment(1);
    histogram!("workscribe_job_run_seconds", "kind" => word.kind.clone()).record(word.ran);
}
