//! How much long work does in one transaction: [`Portion`].

/// How much is removed in one transaction: so many rows, and no further one where those before it have so many bytes. So one goes at
/// least, however large it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Portion {
    /// How many rows at the most.
    pub rows: u32,
    /// How many bytes of them, as they are stored.
    pub bytes: u32,
}

impl Portion {
    /// Of so many rows, with 8 MiB: what a disk writes in a fraction of a second, and more than most portions have.
    #[must_use]
    pub const fn of(rows: u32) -> Self {
        Self { rows, bytes: 8 << 20 }
    }
}
