//! What a worker tells the process's [metrics recorder](metrics), if the program has one.
//!
//! | name | kind | labels | what |
//! |---|---|---|---|
//! | `workscribe_jobs_ended_total` | counter | `kind`, `outcome` | attempts that ended: `completed`, `retry`, `snoozed`, `cancelled`, `buried` |
//! | `workscribe_job_run_seconds` | histogram | `kind` | how long an attempt ran |
//! | `workscribe_job_wait_seconds` | histogram | `kind` | how long a job that was due waited for a worker |
//! | `workscribe_jobs_organizations_at_bound` | gauge | `queue` | how many organizations hold as many places of this worker as they may |
//! | `workscribe_webhooks_put_off_total` | counter | `reason` | messages put off: `rate` (an organization's to one host), `busy` (all places taken) |
//! | `workscribe_jobs_running` | gauge | `worker`, `queue` | how many run in this worker |

use metrics::{counter, gauge, histogram};
use workscribe_core::clock::Timestamp;
use workscribe_core::id::OrgId;
use workscribe_core::outbox::{ClaimedJob, Ending};

use super::ledger::Word;

pub(crate) fn claimed(job: &ClaimedJob, now: Timestamp) {
    let waited = (now - job.run_at).to_std().unwrap_or_default();
    histogram!("workscribe_job_wait_seconds", "kind" => job.kind.clone()).record(waited);
}

pub(crate) fn running(worker: &str, queue: &str, jobs: u32) {
    gauge!("workscribe_jobs_running", "worker" => worker.to_owned(), "queue" => queue.to_owned())
        .set(f64::from(jobs));
}

/// Says who holds as many places as they may: their other jobs wait meanwhile.
pub(crate) fn full(queue: &str, full: &[OrgId]) {
    gauge!("workscribe_jobs_organizations_at_bound", "queue" => queue.to_owned())
        .set(u32::try_from(full.len()).map_or(f64::from(u32::MAX), f64::from));
    for org in full {
        tracing::debug!(org.id = %org, queue, "an organization holds as many places as it may; its other jobs wait");
    }
}

/// Says who floods a host.
pub(crate) fn put_off(org: OrgId, host: &str, reason: &'static str) {
    counter!("workscribe_webhooks_put_off_total", "reason" => reason).increment(1);
    tracing::info!(org.id = %org, host, reason, "a message to a webhook is put off");
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
