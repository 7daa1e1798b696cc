//! The back-off: how long a failed job waits.

use std::time::Duration;

use workscribe_core::clock::Entropy;

/// The maximum back-off before the jitter: one day.
pub const LONGEST_BACKOFF: Duration = Duration::from_secs(24 * 60 * 60);

/// How long a job waits after failed attempt number `attempt` (from 1).
///
/// The wait is `attempt⁴` seconds, plus or minus up to a tenth at random: 1 s, 16 s, 81 s, 4 min, 10 min, 22 min, 40 min,
/// 68 min, … The twelve attempts of a default job span eleven hours. A mail provider keeps its idempotency keys for 24 hours.
///
/// The formula is that of River's default retry policy (`attempt⁴ ± 10 %`). The jitter spreads the retries of jobs
/// that failed together (M. Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015); AWS's
/// "full jitter" is not used, since with it a retry could follow at once.
#[must_use]
pub fn backoff(attempt: u32, entropy: &dyn Entropy) -> Duration {
    let seconds = u64::from(attempt.max(1)).saturating_pow(4).min(LONGEST_BACKOFF.as_secs());
    Duration::from_secs(seconds).mul_f64(0.9 + 0.2 * fraction(entropy))
}

/// A random number in `0.0..1.0`.
pub(crate) fn fraction(entropy: &dyn Entropy) -> f64 {
    let mut bytes = [0; 4];
    entropy.fill(&mut bytes);
    f64::from(u32::from_le_bytes(bytes)) / (f64::from(u32::MAX) + 1.0)
}

#[cfg(test)]
mod tests {
    use workscribe_core::clock::SystemEntropy;

    use super::*;

    struct Fixed(u8);

    impl Entropy for Fixed {
        fn fill(&self, buffer: &mut [u8]) {
            buffer.fill(self.0);
        }
    }

    #[test]
    fn it_grows_with_the_fourth_power_within_a_tenth() {
        for (attempt, seconds) in [(0, 1.0), (1, 1.0), (2, 16.0), (3, 81.0), (11, 14_641.0)] {
            for _ in 0..100 {
                let wait = backoff(attempt, &SystemEntropy).as_secs_f64();
                assert!((0.9 * seconds..1.1 * seconds).contains(&wait), "{attempt}: {wait}");
            }
        }
    }

    #[test]
    fn it_uses_the_whole_range_and_no_more() {
        assert_eq!(backoff(2, &Fixed(0)), Duration::from_secs(16).mul_f64(0.9));
        let longest = backoff(2, &Fixed(0xff));
        assert!(
            longest > Duration::from_secs(16).mul_f64(1.099)
                && longest < Duration::from_secs(16).mul_f64(1.1)
        );
    }

    #[test]
    fn it_is_capped() {
        for attempt in [18, 1_000, u32::MAX] {
            assert!(backoff(attempt, &Fixed(0xff)) <= LONGEST_BACKOFF.mul_f64(1.1), "{attempt}");
        }
    }
}
