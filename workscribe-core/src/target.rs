//! Which row to change, and in which version: [`Target`].

use crate::store_error::StoreError;

/// A row to change or remove: its id, and the version that the caller expects, if the caller gives one (`If-Match`, RFC 9110
/// §13.1.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Target<I> {
    /// The id.
    pub id: I,
    /// The expected version; `None` for any version.
    pub version: Option<i64>,
}

impl<I> Target<I> {
    /// A row in the given version; `None` for any version.
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

/// Refuses when the version that was read is not the expected one.
///
/// # Errors
/// [`StoreError::StaleVersion`].
pub(crate) fn expect_version(expected: Option<i64>, current: i64) -> Result<(), StoreError> {
    if expected.is_some_and(|version| version != current) { Err(StoreError::StaleVersion) } else { Ok(()) }
}
