use std::error::Error as StdError;
use std::future::Future;
use std::time::Duration;

use async_trait::async_trait;
use workscribe_core::clock::Timestamp;
use workscribe_core::id::JobId;
use workscribe_core::outbox::Job;
use workscribe_core::ports::MailError;
use workscribe_core::{Code, Error, ErrorKind, StoreError, WorkScribe};

/// What a handler gets beside the payload.
#[derive(Clone)]
pub struct JobContext {
    /// The application the job belongs to.
    pub app: WorkScribe,
    /// The job. The same in every attempt: give it to others as the idempotency key.
    pub id: JobId,
    /// Which attempt this is, from 1.
    pub attempt: u32,
    /// After this many it is buried.
    pub max_attempts: u32,
    /// When it was written.
    pub created_at: Timestamp,
}

/// Why a job was not done. A reason is stored with the job and logged: put no payload, address or token in it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// It may work later. A job that has had its last attempt is buried all the same.
    #[error("{reason}")]
    Retry {
        /// What was the matter.
        reason: String,
        /// Not before this time has passed. The [back-off](crate::backoff) holds too: the longer of the two is waited.
        after: Option<Duration>,
    },
    /// It will never work: the job is given up, and kept for a person to look at.
    #[error("{reason}")]
    Bury {
        /// What was the matter.
        reason: String,
    },
    /// It is not time yet, which is no failure: another try after exactly this long, and the attempt does not count.
    #[error("not yet")]
    Snooze {
        /// How long to wait.
        after: Duration,
    },
}

impl Failure {
    /// Another try after the back-off.
    pub fn retry(reason: impl Into<String>) -> Self {
        Self::Retry { reason: reason.into(), after: None }
    }

    /// No other try.
    pub fn bury(reason: impl Into<String>) -> Self {
        Self::Bury { reason: reason.into() }
    }

    /// Another try later, which costs no attempt.
    #[must_use]
    pub const fn snooze(after: Duration) -> Self {
        Self::Snooze { after }
    }

    /// What was the matter.
    #[must_use]
    pub fn reason(&self) -> &str {
        match self {
            Self::Retry { reason, .. } | Self::Bury { reason } => reason,
            Self::Snooze { .. } => "not yet",
        }
    }
}

/// A part that does not answer, a fault of the storage and a lost race are tried again; any other refusal of a service
/// would be the same the next time, and buries the job.
impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let lost_race = matches!(error.code(), Code::WriteConflict | Code::StaleVersion);
        let passing =
            matches!(error.kind(), ErrorKind::Unavailable | ErrorKind::Internal | ErrorKind::TooManyRequests);
        let reason = with_sources(&error);
        if lost_race || passing {
            Self::Retry { reason, after: error.retry_after() }
        } else {
            Self::Bury { reason }
        }
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Error::from(error).into()
    }
}

impl From<MailError> for Failure {
    fn from(error: MailError) -> Self {
        let text = error.to_string();
        match error {
            MailError::Temporary { retry_after, .. } => Self::Retry { reason: text, after: retry_after },
            MailError::Permanent { .. } | MailError::Address { .. } => Self::Bury { reason: text },
        }
    }
}

/// An error with the chain of its causes, on one line.
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

/// Does one kind of job. Async functions and closures of [`JobContext`] and the payload are handlers too.
///
/// A handler may run more than once for one job, and in rare cases twice at the same time: when its worker was cut off
/// for longer than the lease. A panic is one failed attempt. A handler that blocks its thread cannot be stopped.
#[async_trait]
pub trait Handler<J: Job>: Send + Sync + 'static {
    /// Does the job.
    ///
    /// # Errors
    /// [`Failure`], which says whether another try makes sense.
    async fn handle(&self, context: JobContext, job: J) -> Result<(), Failure>;
}

#[async_trait]
impl<J, F, Fut> Handler<J> for F
where
    J: Job + 'static,
    F: Fn(JobContext, J) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<(), Failure>> + Send,
{
    async fn handle(&self, context: JobContext, job: J) -> Result<(), Failure> {
        self(context, job).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_storage_that_does_not_answer_is_tried_again() {
        let failure = Failure::from(StoreError::Unavailable("connection refused".into()));
        assert!(matches!(&failure, Failure::Retry { after: Some(_), .. }), "{failure:?}");
        assert!(failure.reason().contains("connection refused"), "the log gets the cause: {failure}");
        assert!(matches!(Error::internal("a fault").into(), Failure::Retry { .. }));
        assert!(matches!(StoreError::StaleVersion.into(), Failure::Retry { .. }));
    }

    #[test]
    fn a_refusal_is_final() {
        assert!(matches!(Error::new(Code::LastOwner, "no").into(), Failure::Bury { .. }));
    }

    #[test]
    fn a_mail_error_keeps_the_providers_wish() {
        let wish = Some(Duration::from_secs(7));
        let temporary = MailError::Temporary { reason: "busy".into(), retry_after: wish };
        assert!(matches!(temporary.into(), Failure::Retry { after, .. } if after == wish));
        assert!(matches!(MailError::Permanent { reason: "no".into() }.into(), Failure::Bury { .. }));
        assert!(matches!(MailError::Address { reason: "no".into() }.into(), Failure::Bury { .. }));
    }
}
