//! How much long work does in one transaction: [`Portion`].

/// How much one transaction removes: at most `rows` rows, and no further row once the removed rows have `bytes` bytes. So it
/// removes at least one row, however large that row is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Portion {
    /// The maximum number of rows.
    pub rows: u32,
    /// The number of stored bytes after which no further row is removed.
    pub bytes: u32,
}

impl Portion {
    /// At most `rows` rows, and 8 MiB: a disk writes that in a fraction of a second, and most portions are smaller.
    #[must_use]
    pub const fn of(rows: u32) -> Self {
        Self { rows, bytes: 8 << 20 }
    }
}
