//! Time and randomness under the control of a test.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use chrono::TimeDelta;
use workscribe_core::clock::{Clock, Entropy, Timestamp};

/// A clock that is frozen until a test moves it. Clones share one time.
#[derive(Debug, Clone)]
pub struct FrozenClock {
    micros: Arc<AtomicI64>,
}

impl FrozenClock {
    /// A clock that shows a time, truncated to whole microseconds.
    #[must_use]
    pub fn at(time: Timestamp) -> Self {
        Self { micros: Arc::new(AtomicI64::new(time.timestamp_micros())) }
    }

    /// Sets the time.
    pub fn set(&self, time: Timestamp) {
        self.micros.store(time.timestamp_micros(), Ordering::SeqCst);
    }

    /// Moves the clock by a time span and returns the new time.
    ///
    /// # Panics
    /// For a span of more than 292,000 years.
    #[expect(clippy::expect_used, reason = "no test spans as many years")]
    pub fn advance(&self, by: TimeDelta) -> Timestamp {
        let by = by.num_microseconds().expect("the span fits into 64 bits of microseconds");
        self.micros.fetch_add(by, Ordering::SeqCst);
        self.now()
    }
}

impl Default for FrozenClock {
    /// A clock that shows 2033-05-18 03:33:20.123456 UTC: in the future, so that a store which removes expired rows by its own
    /// clock keeps the rows of a test.
    fn default() -> Self {
        Self { micros: Arc::new(AtomicI64::new(2_000_000_000_123_456)) }
    }
}

impl Clock for FrozenClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_timestamp_micros(self.micros.load(Ordering::SeqCst)).unwrap_or_default()
    }
}

/// Bytes that depend on a seed, the same in every run: **only for tests**, because anyone with the seed knows every token. Clones
/// share one sequence.
#[derive(Debug, Clone)]
pub struct SeededEntropy {
    state: Arc<AtomicU64>,
}

impl SeededEntropy {
    /// The sequence of a seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self { state: Arc::new(AtomicU64::new(seed)) }
    }
}

impl Entropy for SeededEntropy {
    /// SplitMix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014).
    fn fill(&self, buffer: &mut [u8]) {
        const STEP: u64 = 0x9e37_79b9_7f4a_7c15;
        for chunk in buffer.chunks_mut(8) {
            let mut word = self.state.fetch_add(STEP, Ordering::SeqCst).wrapping_add(STEP);
            word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            word ^= word >> 31;
            chunk.copy_from_slice(&word.to_le_bytes()[..chunk.len()]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clones_of_a_clock_show_one_time() {
        let clock = FrozenClock::default();
        let other = clock.clone();
        let before = clock.now();
        assert_eq!(clock.advance(TimeDelta::microseconds(7)), before + TimeDelta::microseconds(7));
        assert_eq!(other.now(), clock.now());
        other.set(before);
        assert_eq!(clock.now(), before);
    }

    #[test]
    fn a_seed_gives_the_same_bytes_in_every_run_and_no_two_alike() {
        let bytes = |entropy: &SeededEntropy| {
            let mut bytes = [0; 19];
            entropy.fill(&mut bytes);
            bytes
        };
        let (one, same, other) = (SeededEntropy::new(1), SeededEntropy::new(1), SeededEntropy::new(2));
        let first = bytes(&one);
        assert_eq!(first, bytes(&same));
        assert_ne!(first, bytes(&one));
        assert_ne!(first, bytes(&other));
        // The first number of the reference implementation for the seed 0.
        let mut zero = [0; 8];
        SeededEntropy::new(0).fill(&mut zero);
        assert_eq!(u64::from_le_bytes(zero), 0xe220_a839_7b1d_cdaf);
    }
}
