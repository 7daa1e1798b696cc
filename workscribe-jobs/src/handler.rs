//! The code of a job: [`Handler`], its input [`JobContext`] and its error [`JobError`].

use std::error::Error as StdError;
use std::future::Future;
use std::time::Duration;

use async_trait::async_trait;
use workscribe_core::clock::Timestamp;
use workscribe_core::id::JobId;
use workscribe_core::outbox::Job;
use workscribe_core::ports::MailError;
use workscribe_core::{Code, Error, ErrorKind, StoreError, WorkScribe};

/// The input of a handler besides the payload.
#[derive(Clone)]
pub struct JobContext {
    /// The application the job belongs to.
    pub app: WorkScribe,
    /// The id of the job. It is the same in every attempt: use it as the idempotency key of calls to other services.
    pub id: JobId,
    /// The number of the attempt, from 1. Snoozed attempts do not count.
    pub attempt: u32,
    /// The job is buried when this many attempts have failed.
    pub max_attempts: u32,
    /// When the job was enqueued.
    pub created_at: Timestamp,
}

/// Why a handler did not complete the job, and what follows. The reason is stored with the job and logged: put no payload,
/// address or token in it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JobError {
    /// The attempt failed, and a later one may succeed. The job is buried if this was its last attempt.
    #[error("{reason}")]
    Retry {
        /// Why the attempt failed.
        reason: String,
        /// The minimum wait. The job waits for this or for the [back-off](crate::backoff), whichever is longer.
        after: Option<Duration>,
    },
    /// No later attempt can succeed. The job is buried: it is kept for an operator to inspect.
    #[error("{reason}")]
    Bury {
        /// Why the attempt failed.
        reason: String,
    },
    /// The job cannot run yet, which is no failure. It runs again after exactly this time, and the attempt does not count.
    #[error("not yet")]
    Snooze {
        /// How long to wait.
        after: Duration,
    },
}

impl JobError {
    /// Retries the job after the back-off.
    pub fn retry(reason: impl Into<String>) -> Self {
        Self::Retry { reason: reason.into(), after: None }
    }

    /// Buries the job.
    pub fn bury(reason: impl Into<String>) -> Self {
        Self::Bury { reason: reason.into() }
    }

    /// Runs the job again later. The attempt does not count.
    #[must_use]
    pub const fn snooze(after: Duration) -> Self {
        Self::Snooze { after }
    }

    /// The reason, as it is stored and logged.
    #[must_use]
    pub fn reason(&self) -> &str {
        match self {
            Self::Retry { reason, .. } | Self::Bury { reason } => reason,
            Self::Snooze { .. } => "not yet",
        }
    }
}

/// Retries the job when a service is unavailable, when the storage has a fault, and after a write conflict. Every other error of
/// a service would recur, so it buries the job.
impl From<Error> for JobError {
    fn from(error: Error) -> Self {
        let is_conflict = matches!(error.code(), Code::WriteConflict | Code::StaleVersion);
        let is_temporary =
            matches!(error.kind(), ErrorKind::Unavailable | ErrorKind::Internal | ErrorKind::TooManyRequests);
        let reason = with_sources(&error);
        if is_conflict || is_temporary {
            Self::Retry { reason, after: error.retry_after() }
        } else {
            Self::Bury { reason }
        }
    }
}

impl From<StoreError> for JobError {
    fn from(error: StoreError) -> Self {
        Error::from(error).into()
    }
}

impl From<MailError> for JobError {
    fn from(error: MailError) -> Self {
        let text = error.to_string();
        match error {
            MailError::Temporary { retry_after, .. } => Self::Retry { reason: text, after: retry_after },
            MailError::Permanent { .. } | MailError::Address { .. } => Self::Bury { reason: text },
        }
    }
}

/// An error with its chain of sources, on one line.
pub(crate) fn with_sources(error: &(dyn StdError + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

/// Runs one kind of job. Async functions and closures of [`JobContext`] and the payload implement it.
///
/// A handler may run more than once for one job. In rare cases it runs twice at the same time: when its worker could not reach
/// the storage for longer than the lease. A panic is a failed attempt. A handler that blocks its thread cannot be stopped.
#[async_trait]
pub trait Handler<J: Job>: Send + Sync + 'static {
    /// Runs the job.
    ///
    /// # Errors
    /// [`JobError`], which decides whether the job is retried, snoozed or buried.
    async fn handle(&self, context: JobContext, job: J) -> Result<(), JobError>;
}

#[async_trait]
impl<J, F, Fut> Handler<J> for F
where
    J: Job + 'static,
    F: Fn(JobContext, J) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<(), JobError>> + Send,
{
    async fn handle(&self, context: JobContext, job: J) -> Result<(), JobError> {
        self(context, job).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_storage_that_does_not_answer_is_tried_again() {
        let error = JobError::from(StoreError::Unavailable("connection refused".into()));
        assert!(matches!(&error, JobError::Retry { after: Some(_), .. }), "{error:?}");
        assert!(error.reason().contains("connection refused"), "the log gets the cause: {error}");
        assert!(matches!(Error::internal("a fault").into(), JobError::Retry { .. }));
        assert!(matches!(StoreError::StaleVersion.into(), JobError::Retry { .. }));
    }

    #[test]
    fn a_refusal_is_final() {
        assert!(matches!(Error::new(Code::LastOwner, "no").into(), JobError::Bury { .. }));
    }

    #[test]
    fn a_mail_error_keeps_the_providers_retry_after() {
        let retry_after = Some(Duration::from_secs(7));
        let temporary = MailError::Temporary { reason: "busy".into(), retry_after };
        assert!(matches!(temporary.into(), JobError::Retry { after, .. } if after == retry_after));
        assert!(matches!(MailError::Permanent { reason: "no".into() }.into(), JobError::Bury { .. }));
        assert!(matches!(MailError::Address { reason: "no".into() }.into(), JobError::Bury { .. }));
    }
}
