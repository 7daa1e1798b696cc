//! Errors for the caller: a stable code, a sentence that a person can act on, and pointers to fields.
//!
//! Every refusal of a service is an [`Error`] with a [`Code`]. The code determines the [`ErrorKind`], which an adapter maps to its
//! protocol (HTTP does so in one place). To add a code, add a line in `catalog.rs` and use it.

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

every_code!(codes);

/// The result of a service.
pub type Result<T, E = Error> = std::result::Result<T, E>;

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
