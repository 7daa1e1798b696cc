//! Errors for the caller: a stable code, a sentence that a person can act on, and pointers to fields.
//!
//! Every refusal of a service is an [`Error`] with a [`Code`]. The code determines the [`ErrorKind`], which an adapter maps to its
//! protocol (HTTP does so in one place). To add a code, add a line in [`codes!`](self) and use it.

mod violations;

use std::borrow::Cow;
use std::error::Error as StdError;
use std::fmt;
use std::time::Duration;

use serde_json::{Map, Value};

use crate::store_error::{Constraint, StoreError};

pub use violations::{Fault, FieldError, Kept, MAX_FAULTS, Violations};

/// The family of an error: what the caller can do about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// The request is malformed (HTTP 400).
    BadRequest,
    /// The caller is unknown (401).
    Unauthenticated,
    /// The caller is known but is not allowed to do this (403).
    Forbidden,
    /// The thing does not exist, or the caller may not see it (404).
    NotFound,
    /// The current state does not allow it (409).
    Conflict,
    /// It existed and does not exist any more (410).
    Gone,
    /// The version that the caller has is not the current one (412).
    PreconditionFailed,
    /// Fields of the input are invalid; each error is listed by field (422).
    Invalid,
    /// Too many requests; see [`Error::retry_after`] (429).
    TooManyRequests,
    /// A fault of the program or its storage (500). Its source goes only to the log.
    Internal,
    /// A required part is not available now; the same call may succeed later (503).
    Unavailable,
}

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $text:literal, $kind:ident, $title:literal;)+) => {
        /// The stable codes of the API.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Code { $($(#[$doc])* $name,)+ }

        impl Code {
            /// All codes, in the order of their declaration.
            pub const ALL: &'static [Code] = &[$(Code::$name,)+];

            /// The code as it appears in answers.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Code::$name => $text,)+ }
            }

            /// The family of the code.
            #[must_use]
            pub const fn kind(self) -> ErrorKind {
                match self { $(Code::$name => ErrorKind::$kind,)+ }
            }

            /// A short summary, the same for every occurrence of the code.
            #[must_use]
            pub const fn title(self) -> &'static str {
                match self { $(Code::$name => $title,)+ }
            }
        }
    };
}

codes! {
    /// One or more fields are invalid.
    ValidationFailed = "VALIDATION_FAILED", Invalid, "Some fields are not valid";
    /// The e-mail address belongs to an account.
    EmailTaken = "EMAIL_TAKEN", Conflict, "This e-mail address is taken";
    /// The address or the password is wrong.
    InvalidCredentials = "INVALID_CREDENTIALS", Unauthenticated, "Wrong e-mail address or password";
    /// The account was disabled by an operator.
    AccountDisabled = "ACCOUNT_DISABLED", Forbidden, "This account is disabled";
    /// The account's address must be verified first.
    EmailNotVerified = "EMAIL_NOT_VERIFIED", Forbidden, "The e-mail address is not verified";
    /// There is no access token, or the access token is not accepted.
    Unauthenticated = "UNAUTHENTICATED", Unauthenticated, "Log in first";
    /// The refresh token is not accepted.
    InvalidRefreshToken = "INVALID_TOKEN", Unauthenticated, "The refresh token is not valid";
    /// A refresh token was used a second time; its session has ended.
    TokenReused = "TOKEN_REUSED", Unauthenticated, "The refresh token was used before";
    /// The mailed token is unknown, used or expired.
    InvalidToken = "INVALID_TOKEN", BadRequest, "The token is not valid";
    /// The invitation is for an existing account: log in to accept it.
    LoginRequired = "LOGIN_REQUIRED", Unauthenticated, "Log in to accept this invitation";
    /// The invitation was sent to another address.
    EmailMismatch = "EMAIL_MISMATCH", Forbidden, "This invitation is for another e-mail address";
    /// The role does not allow it.
    InsufficientRole = "INSUFFICIENT_ROLE", Forbidden, "Your role does not allow this";
    /// The caller has no such session.
    SessionNotFound = "SESSION_NOT_FOUND", NotFound, "No such session";
    /// The caller has no such organization.
    OrganizationNotFound = "ORGANIZATION_NOT_FOUND", NotFound, "No such organization";
    /// The organization has no such member.
    MemberNotFound = "MEMBER_NOT_FOUND", NotFound, "No such member";
    /// There is no such invitation.
    InvitationNotFound = "INVITATION_NOT_FOUND", NotFound, "No such invitation";
    /// There is no such job.
    JobNotFound = "JOB_NOT_FOUND", NotFound, "No such job";
    /// A worker runs the job.
    JobRunning = "JOB_RUNNING", Conflict, "This job is running";
    /// The job has ended.
    JobFinished = "JOB_FINISHED", Conflict, "This job has ended";
    /// The organization has no such webhook.
    WebhookNotFound = "WEBHOOK_NOT_FOUND", NotFound, "No such webhook";
    /// The webhook is disabled.
    WebhookDisabled = "WEBHOOK_DISABLED", Conflict, "This webhook is off";
    /// The webhook has no such delivery.
    DeliveryNotFound = "DELIVERY_NOT_FOUND", NotFound, "No such delivery";
    /// The invitation has expired.
    InvitationExpired = "INVITATION_EXPIRED", Gone, "This invitation has expired";
    /// The invitation was already accepted.
    InvitationAccepted = "INVITATION_ACCEPTED", Conflict, "This invitation was accepted";
    /// The slug belongs to another organization.
    SlugTaken = "SLUG_TAKEN", Conflict, "This slug is taken";
    /// The person is already a member.
    AlreadyMember = "ALREADY_MEMBER", Conflict, "Already a member";
    /// An organization keeps at least one owner.
    LastOwner = "LAST_OWNER", Conflict, "The last owner must stay";
    /// The organization has no such project.
    ProjectNotFound = "PROJECT_NOT_FOUND", NotFound, "No such project";
    /// The project's key belongs to another project of the organization.
    KeyTaken = "KEY_TAKEN", Conflict, "This key is taken";
    /// An archived project is read-only.
    ProjectArchived = "PROJECT_ARCHIVED", Conflict, "This project is archived";
    /// The project has no such status.
    StatusNotFound = "STATUS_NOT_FOUND", NotFound, "No such status";
    /// Another status of the project has this name.
    StatusNameTaken = "STATUS_NAME_TAKEN", Conflict, "This status name is taken";
    /// Tasks have the status, and the request does not say to which status they move.
    StatusInUse = "STATUS_IN_USE", Conflict, "Tasks have this status";
    /// A project keeps at least one status.
    LastStatus = "LAST_STATUS", Conflict, "The last status must stay";
    /// The number of these things has reached its limit.
    LimitReached = "LIMIT_REACHED", Conflict, "There are as many as there can be";
    /// The project has no such label.
    LabelNotFound = "LABEL_NOT_FOUND", NotFound, "No such label";
    /// Another label of the project has this name.
    LabelNameTaken = "LABEL_NAME_TAKEN", Conflict, "This label name is taken";
    /// The caller has no such task.
    TaskNotFound = "TASK_NOT_FOUND", NotFound, "No such task";
    /// The parent is the task itself, or one of its descendants.
    ParentCycle = "PARENT_CYCLE", Conflict, "A task cannot be below itself";
    /// The task has no such comment.
    CommentNotFound = "COMMENT_NOT_FOUND", NotFound, "No such comment";
    /// The caller has no such notification.
    NotificationNotFound = "NOTIFICATION_NOT_FOUND", NotFound, "No such notification";
    /// `If-Match` names another version.
    StaleVersion = "STALE_VERSION", PreconditionFailed, "This was changed in the meantime";
    /// Two requests changed the same row at the same time.
    WriteConflict = "WRITE_CONFLICT", Conflict, "Another request changed this at the same time";
    /// The idempotency key was used for another request.
    IdempotencyKeyReused = "IDEMPOTENCY_KEY_REUSED", Invalid, "This idempotency key was used for another request";
    /// The first request with this idempotency key is still running.
    IdempotencyInProgress = "IDEMPOTENCY_IN_PROGRESS", Conflict, "The first request with this key is still running";
    /// The body is not JSON.
    MalformedBody = "MALFORMED_BODY", BadRequest, "The body is not valid JSON";
    /// Too many requests from this address or for this account.
    RateLimited = "RATE_LIMITED", TooManyRequests, "Too many requests";
    /// More requests wait than the queue accepts.
    Overloaded = "OVERLOADED", Unavailable, "The server is busy";
    /// The database, or another required part, does not answer.
    Unavailable = "SERVICE_UNAVAILABLE", Unavailable, "The service is not available right now";
    /// A fault of the server.
    Internal = "INTERNAL_ERROR", Internal, "Something went wrong on our side";
}

/// A refusal, with what the caller needs to act on it.
pub struct Error(Box<Inner>);

struct Inner {
    code: Code,
    detail: Cow<'static, str>,
    params: Map<String, Value>,
    fields: Vec<FieldError>,
    retry_after: Option<Duration>,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

impl Error {
    /// A refusal with its code and a sentence for people.
    pub fn new(code: Code, detail: impl Into<Cow<'static, str>>) -> Self {
        Self(Box::new(Inner {
            code,
            detail: detail.into(),
            params: Map::new(),
            fields: Vec::new(),
            retry_after: None,
            source: None,
        }))
    }

    /// `VALIDATION_FAILED` with the errors of the fields.
    #[must_use]
    pub fn invalid(fields: Vec<FieldError>) -> Self {
        let detail = match fields.as_slice() {
            [one] => one.message.clone(),
            many if many.len() >= MAX_FAULTS => {
                format!("{MAX_FAULTS} fields or more are not valid; see errors for the first of them.")
            }
            many => format!("{} fields are not valid; see errors.", many.len()),
        };
        let mut error = Self::new(Code::ValidationFailed, detail);
        error.0.fields = fields;
        error
    }

    /// A fault of the program itself. The source goes to the log, never to the caller.
    pub fn internal(source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self::new(
            Code::Internal,
            "The request failed for a reason on our side. Quote the request id when you report it.",
        )
        .with_source(source)
    }

    /// 503: a required part does not answer.
    pub fn unavailable(source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self::new(Code::Unavailable, "A part of the service does not answer. Try again in a moment.")
            .with_source(source)
            .with_retry_after(Duration::from_secs(2))
    }

    /// Adds a parameter that a translated sentence needs.
    #[must_use]
    pub fn with_param(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.0.params.insert(name.to_owned(), value.into());
        self
    }

    /// Sets when the same call may succeed.
    #[must_use]
    pub fn with_retry_after(mut self, after: Duration) -> Self {
        self.0.retry_after = Some(after);
        self
    }

    /// Sets the cause, for the log.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// The stable code.
    #[must_use]
    pub const fn code(&self) -> Code {
        self.0.code
    }

    /// The family of the code.
    #[must_use]
    pub const fn kind(&self) -> ErrorKind {
        self.0.code.kind()
    }

    /// A sentence for people.
    #[must_use]
    pub fn detail(&self) -> &str {
        &self.0.detail
    }

    /// The parameters that a translated sentence needs.
    #[must_use]
    pub const fn params(&self) -> &Map<String, Value> {
        &self.0.params
    }

    /// The errors by field; empty unless the kind is [`ErrorKind::Invalid`].
    #[must_use]
    pub fn fields(&self) -> &[FieldError] {
        &self.0.fields
    }

    /// How long to wait before the same call may succeed.
    #[must_use]
    pub const fn retry_after(&self) -> Option<Duration> {
        self.0.retry_after
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.0.code.as_str(), self.0.detail)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Error")
            .field("code", &self.0.code.as_str())
            .field("detail", &self.0.detail)
            .field("fields", &self.0.fields)
            .field("source", &self.0.source)
            .finish()
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source.as_deref().map(|source| source as &(dyn StdError + 'static))
    }
}

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Unavailable(_) => Self::unavailable(error),
            StoreError::Crowded => Self::new(
                Code::Overloaded,
                "More requests of your organization, or of yours, are waiting than can be served. Send fewer at a time.",
            )
            .with_retry_after(Duration::from_secs(1)),
            StoreError::StaleVersion => Self::new(
                Code::StaleVersion,
                "This was changed since you read it. Read it again and repeat your change.",
            ),
            // Only an import accepts ids from outside, and it has its own error for an id that is taken.
            StoreError::Conflict { constraint: Constraint::UserId | Constraint::OrganizationId, .. }
            | StoreError::Corrupt { .. }
            | StoreError::Backend(_) => Self::internal(error),
            StoreError::Conflict { .. } => Self::new(
                Code::WriteConflict,
                "Another request changed the same thing at the same time. Try again.",
            )
            .with_source(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_storage_fault_never_shows_the_drivers_text() {
        let error = Error::from(StoreError::Backend("relation ws_users does not exist".into()));
        assert_eq!(error.kind(), ErrorKind::Internal);
        assert!(!error.detail().contains("ws_users"));
        assert!(error.source().is_some(), "the log still gets the cause");
    }

    #[test]
    fn a_code_within_its_family_is_used_once() {
        for (index, code) in Code::ALL.iter().enumerate() {
            for other in &Code::ALL[index + 1..] {
                assert!(
                    (code.as_str(), code.kind()) != (other.as_str(), other.kind()),
                    "{code:?} and {other:?}"
                );
            }
        }
    }
}
