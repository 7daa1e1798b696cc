//! The metrics of a worker. The process's [metrics recorder](metrics) receives them, if the program has one.
//!
//! | name | kind | labels | what |
//! |---|---|---|---|
//! | `workscribe_jobs_ended_total` | counter | `kind`, `outcome` | attempts that ended: `completed`, `retry`, `snoozed`, `cancelled`, `buried` |
//! | `workscribe_job_run_seconds` | histogram | `kind` | how long an attempt ran |
//! | `workscribe_job_wait_seconds` | histogram | `kind` | how long a due job waited for a worker |
//! | `workscribe_jobs_organizations_at_bound` | gauge | `queue` | how many organizations have as many running jobs in this worker as they may |
//! | `workscribe_webhooks_put_off_total` | counter | `reason` | snoozed messages: `rate` (the organization's rate to one host), `busy` (all permits of the host are taken) |
//! | `workscribe_jobs_running` | gauge | `worker`, `queue` | how many jobs run in this worker |

use metrics::{counter, gauge, histogram};
use workscribe_core::clock::Timestamp;
use workscribe_core::id::OrgId;
use workscribe_core::outbox::{ClaimedJob, Outcome};

use super::in_flight::PendingSettlement;

pub(crate) fn claimed(job: &ClaimedJob, now: Timestamp) {
    let waited = (now - job.run_at).to_std().unwrap_or_default();
    histogram!("workscribe_job_wait_seconds", "kind" => job.kind.clone()).record(waited);
}

pub(crate) fn running(worker: &str, queue: &str, jobs: u32) {
    gauge!("workscribe_jobs_running", "worker" => worker.to_owned(), "queue" => queue.to_owned())
        .set(f64::from(jobs));
}

/// Reports the organizations that have as many running jobs as they may. Their other jobs wait.
pub(crate) fn at_maximum(queue: &str, orgs: &[OrgId]) {
    gauge!("workscribe_jobs_organizations_at_bound", "queue" => queue.to_owned())
        .set(u32::try_from(orgs.len()).map_or(f64::from(u32::MAX), f64::from));
    for org in orgs {
        tracing::debug!(org.id = %org, queue, "an organization has as many running jobs as it may; its other jobs wait");
    }
}

/// Reports an organization that sends too many messages to a host.
pub(crate) fn message_snoozed(org: OrgId, host: &str, reason: &'static str) {
    counter!("workscribe_webhooks_put_off_total", "reason" => reason).increment(1);
    tracing::info!(org.id = %org, host, reason, "a message to a webhook is snoozed");
}

pub(crate) fn settled(pending: &PendingSettlement) {
    let outcome = match pending.settlement.outcome {
        Outcome::Completed => "completed",
        Outcome::Retry { .. } => "retry",
        Outcome::Snoozed { .. } => "snoozed",
        Outcome::Cancelled => "cancelled",
        Outcome::Buried { .. } => "buried",
    };
    counter!("workscribe_jobs_ended_total", "kind" => pending.kind.clone(), "outcome" => outcome)
        .increment(1);
    histogram!("workscribe_job_run_seconds", "kind" => pending.kind.clone()).record(pending.ran);
}
