//! Time and randomness as ports: nothing in WorkScribe reads an ambient clock or generator.

use chrono::{DateTime, SubsecRound, Utc};

/// A moment in UTC. Every clock answers whole microseconds, the precision that every storage keeps.
pub type Timestamp = DateTime<Utc>;

/// Where the time comes from.
pub trait Clock: Send + Sync {
    /// The present moment, in whole microseconds.
    fn now(&self) -> Timestamp;
}

/// Where random bytes come from. Must be fit for keys and tokens.
pub trait Entropy: Send + Sync {
    /// Fills `buffer` with unpredictable bytes.
    fn fill(&self, buffer: &mut [u8]);
}

/// The clock of the operating system.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the one place that reads the system's clock")]
    fn now(&self) -> Timestamp {
        Utc::now().trunc_subsecs(6)
    }
}

/// The generator of the operating system.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemEntropy;

impl Entropy for SystemEntropy {
    /// # Panics
    /// If the operating system has no randomness to give; no token may be made then.
    #[expect(clippy::expect_used, reason = "without randomness nothing safe can go on")]
    fn fill(&self, buffer: &mut [u8]) {
        getrandom::fill(buffer).expect("the operating system gives random bytes");
    }
}
