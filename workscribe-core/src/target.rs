//! The row that a write is about, and the version in which the caller expects it: [`Target`], [`TargetIn`].

use crate::store_error::{StoreError, StoreResult};

/// A row to change or to remove: its id, and the version in which the caller expects it (`If-Match`, RFC 9110 §13.1.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Target<I> {
    /// The id of the row.
    pub id: I,
    /// The version that the caller expects; `None` for any.
    pub version: Option<i64>,
}

impl<I> Target<I> {
    /// A row in a version, or in any.
    pub const fn new(id: I, version: Option<i64>) -> Self {
        Self { id, version }
    }

    /// The row below its parent.
    pub const fn within<P>(self, parent: P) -> TargetIn<P, I>
    where
        I: Copy,
    {
        TargetIn { parent, id: self.id, version: self.version }
    }
}

/// A [`Target`] together with the id of its parent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TargetIn<P, I> {
    /// The id of the parent.
    pub parent: P,
    /// The id of the row.
    pub id: I,
    /// The version that the caller expects; `None` for any.
    pub version: Option<i64>,
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
pub(crate) fn expect_version(expected: Option<i64>, current: i64) -> StoreResult<()> {
    if expected.is_some_and(|version| version != current) { Err(StoreError::StaleVersion) } else { Ok(()) }
}
