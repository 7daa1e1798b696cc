//! Times in JSON (RFC 3339, UTC, six digits of a second, `Z`) and days.

use std::fmt;

use chrono::{NaiveDate, SecondsFormat};
use poem_openapi::registry::MetaSchema;
use serde::{Deserialize, Serialize, Serializer};
use workscribe_core::clock::{Timestamp, is_writable_day, parse_time};

use crate::taken::Taken;
use crate::wire::described;

/// A time. From a client it has a year from 1 to 9999.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Time(pub Timestamp);

impl Time {
    /// Reads a time in the form of RFC 3339.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        parse_time(text).map(Self)
    }

    pub(crate) fn described() -> MetaSchema {
        let example = Some("2026-11-23T09:30:00.000000Z".into());
        MetaSchema { example, ..MetaSchema::new_with_format("string", "date-time") }
    }
}

impl From<Timestamp> for Time {
    fn from(time: Timestamp) -> Self {
        Self(time)
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.to_rfc3339_opts(SecondsFormat::Micros, true))
    }
}

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl TryFrom<String> for Time {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text).ok_or("a moment is written as RFC 3339 has it")
    }
}

described!(Time, "string_date-time", Time::described());

/// A day as `YYYY-MM-DD`, with a year from 1 to 9999.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Date(pub NaiveDate);

impl Date {
    /// Reads a day; `None` for any form other than `YYYY-MM-DD`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let day = NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?;
        let date = Self(day);
        (text == date.to_string() && is_writable_day(day)).then_some(date)
    }

    pub(crate) fn described() -> MetaSchema {
        let example = Some("2026-12-24".into());
        MetaSchema { example, ..MetaSchema::new_with_format("string", "date") }
    }
}

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.format("%Y-%m-%d"))
    }
}

impl From<NaiveDate> for Date {
    fn from(day: NaiveDate) -> Self {
        Self(day)
    }
}

impl From<Date> for NaiveDate {
    fn from(day: Date) -> Self {
        day.0
    }
}

impl TryFrom<String> for Date {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text).ok_or("a day is written as YYYY-MM-DD")
    }
}

impl Serialize for Date {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

described!(Date, "string_date", Date::described());

impl Taken for Date {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_has_one_form() {
        assert_eq!(Date::parse("2026-02-28").unwrap().to_string(), "2026-02-28");
        for bad in ["2026-02-29", "2026-2-8", " 2026-02-28", "0000-01-01", "+10000-01-01", "20260228", ""] {
            assert_eq!(Date::parse(bad), None, "{bad:?}");
        }
    }
}
