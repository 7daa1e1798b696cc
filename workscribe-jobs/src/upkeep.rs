//! The upkeep of WorkScribe: its jobs and their schedules.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use workscribe_core::outbox::{Job, JobPriority, UPKEEP_QUEUE};
use workscribe_core::tenancy::ClearOrganization;
use workscribe_core::work::UnassignFormer;

use crate::handler::{JobContext, JobError};
use crate::schedule::{Schedule, ScheduleError, Schedules};

/// Removes expired rows: [`WorkScribe::sweep`](workscribe_core::WorkScribe::sweep).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sweep {}

impl Job for Sweep {
    const KIND: &'static str = "upkeep.sweep";
    const QUEUE: &'static str = UPKEEP_QUEUE;
    const PRIORITY: JobPriority = JobPriority::IDLE;
    // The next sweep follows within the hour.
    const MAX_ATTEMPTS: u32 = 2;
    const TIMEOUT: Option<Duration> = Some(Duration::from_secs(30 * 60));
}

pub(crate) async fn sweep(context: JobContext, _: Sweep) -> Result<(), JobError> {
    let removed = context.app.sweep().await?;
    tracing::debug!(removed, "expired rows swept");
    Ok(())
}

pub(crate) async fn clear_organization(context: JobContext, job: ClearOrganization) -> Result<(), JobError> {
    Ok(context.app.organizations().clear(&job).await?)
}

pub(crate) async fn unassign_former(context: JobContext, job: UnassignFormer) -> Result<(), JobError> {
    Ok(context.app.tasks().unassign_former(&job).await?)
}

/// The schedules of WorkScribe's own jobs: an hourly sweep. Give them to every [`Worker`](crate::Worker), with an embedder's
/// own.
///
/// # Errors
/// [`ScheduleError`] if an expression of this crate were invalid, which the tests rule out.
pub fn workscribe_schedules() -> Result<Schedules, ScheduleError> {
    Ok(Schedules::new().with(Schedule::cron(Sweep::KIND, "17 * * * *", "UTC", |_| Sweep {})?))
}
