//! Time and randomness as ports: nothing in WorkScribe uses the system's clock or generator directly.

use chrono::{DateTime, Datelike as _, NaiveDate, SubsecRound, Utc};

/// A moment in UTC. Every clock returns whole microseconds, the precision of every storage.
pub type Timestamp = DateTime<Utc>;

/// Whether a day from outside is in the years 1 to 9999. RFC 3339 writes years with four digits, Postgres has no day before 4714
/// BC, and `chrono` has many days that neither of them can write.
#[must_use]
pub fn is_writable_day(day: NaiveDate) -> bool {
    (1..=9999).contains(&day.year())
}

/// Whether a moment from outside is in the years 1 to 9999 in UTC; see [`is_writable_day`].
#[must_use]
pub fn is_writable(time: Timestamp) -> bool {
    is_writable_day(time.date_naive())
}

/// Reads a moment in the format of RFC 3339, in whole microseconds; `None` for other formats and for years outside 1–9999 in UTC.
#[must_use]
pub fn parse_time(text: &str) -> Option<Timestamp> {
    let time = DateTime::parse_from_rfc3339(text).ok()?.to_utc().trunc_subsecs(6);
    Some(time).filter(|time| is_writable(*time))
}

/// The source of the current time.
pub trait Clock: Send + Sync {
    /// The current time, in whole microseconds.
    fn now(&self) -> Timestamp;
}

/// The source of random bytes. They must be good enough for keys and tokens.
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
    /// If the operating system has no random bytes. Then no token may be made.
    #[expect(clippy::expect_used, reason = "without randomness nothing safe can go on")]
    fn fill(&self, buffer: &mut [u8]) {
        getrandom::fill(buffer).expect("the operating system gives random bytes");
    }
}

/// Times as RFC 3339 in UTC, always with microseconds. No time is before 1970, where lists begin.
pub(crate) mod micros {
    use chrono::{DateTime, SecondsFormat, Utc};
    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};

    pub(crate) fn serialize<S: Serializer>(time: &DateTime<Utc>, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&time.to_rfc3339_opts(SecondsFormat::Micros, true))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<DateTime<Utc>, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(from)?;
        let time = super::parse_time(&text).filter(|time| *time >= DateTime::UNIX_EPOCH);
        let message = || format!("“{text}” is not a time in RFC 3339 format in the years 1970 to 9999");
        time.ok_or_else(|| D::Error::custom(message()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_of_another_form_or_of_an_unwritable_year_is_none() {
        let whole = parse_time("2026-11-23T09:30:00.1234567+01:00").unwrap();
        assert_eq!(whole.to_rfc3339(), "2026-11-23T08:30:00.123456+00:00");
        assert!(parse_time("0001-01-01T00:00:00Z").is_some());
        assert!(parse_time("9999-12-31T23:59:59.999999Z").is_some());
        // The year in UTC counts. A leap second is accepted.
        assert!(parse_time("2016-12-31T23:59:60Z").is_some());
        for bad in [
            "0001-01-01T00:00:00+00:01",
            "0000-06-01T00:00:00Z",
            "9999-12-31T23:59:59-00:01",
            "+10000-01-01T00:00:00Z",
            "-0001-01-01T00:00:00Z",
            "2026-11-23",
            "",
        ] {
            assert_eq!(parse_time(bad), None, "{bad}");
        }
    }
}
