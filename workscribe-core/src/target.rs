//! Which row is meant, and in which version: [`Target`].

use crate::store_error::StoreError;

/// A row that is to be changed or removed: its id, and the version in which the caller expects it, if they say so (`If-Match`,
/// RFC 9110 §13.1.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Target<I> {
    /// Its id.
    pub id: I,
    /// The version it is expected in; `None` for any.
    pub version: Option<i64>,
}

impl<I> Target<I> {
    /// A row in a version, or in any.
    pub const fn new(id: I, version: Option<i64>) -> Self {
        Self { id, version }
    }
}

impl<I> From<I> for Target<I> {
    /// The row in any version.
    fn from(id: I) -> Self {
        Self { id, version: None }
    }
}

/// Refuses when a row is expected in another version than the one that was read.
///
/// # Errors
/// [`StoreError::StaleVersion`].
pub(crate) fn expect_version(expected: Option<i64>, current: i64) -> Result<(), StoreError> {
    if expected.is_some_and(|version| version != current) { Err(StoreError::StaleVersion) } else { Ok(()) }
}
