//! All limits in one declaration: how much a tenant can have, how large a request and an answer may be, how often something may be
//! done, and how much at a time.
//!
//! The declaration gives the checks of the services, the rules of the limiter, the host's setting `WORKSCRIBE_LIMITS`,
//! `GET /api/v1/limits`, and `docs/LIMITS.md`, which a test compares. To add a limit, add a line in `catalog.rs`, use it,
//! and add a row in that document.

use std::time::Duration;

use crate::error::{Code, Error, Result};
use crate::named::names;
use crate::ports::RateRule;

names! {
    /// The unit of a limit.
    Unit {
        /// Things of one kind.
        Items = "items",
        /// Bytes.
        Bytes = "bytes",
        /// Characters (Unicode scalar values).
        Characters = "characters",
        /// Levels of objects and arrays inside each other.
        Levels = "levels",
        /// Requests.
        Requests = "requests",
        /// Mails.
        Mails = "mails",
        /// Messages of webhooks.
        Messages = "messages",
        /// Hundredths of another number.
        Percent = "percent",
        /// Seconds.
        Seconds = "seconds",
    }
}

/// Whether an operator can change a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Changeable {
    /// Yes, by [`Settings::limits`](crate::Settings::limits).
    Yes,
    /// Yes, and [`Limits::lifted`] lifts all of these together, for load tests.
    Lifted,
    /// No: the value is a part of the API.
    No,
}

macro_rules! limits {
    ($($(#[$doc:meta])* $limit:ident = $name:literal, $default:literal, $unit:ident $(per $seconds:literal)?, $changeable:ident, $code:literal, $sentence:literal;)+) => {
        /// What a limit bounds.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Limit { $($(#[$doc])* $limit,)+ }

        impl Limit {
            /// All limits, in the order of their declaration.
            pub const ALL: &'static [Limit] = &[$(Limit::$limit,)+];

            /// Its name in settings and in the API.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$limit => $name,)+ }
            }

            /// Its value, unless an operator changes it.
            #[must_use]
            pub const fn default_value(self) -> u32 {
                match self { $(Self::$limit => $default,)+ }
            }

            /// Its unit.
            #[must_use]
            pub const fn unit(self) -> Unit {
                match self { $(Self::$limit => Unit::$unit,)+ }
            }

            /// The period of a rate in seconds; 0 when the limit is not a rate.
            const fn seconds(self) -> u64 {
                match self { $(Self::$limit => 0 $(+ $seconds)?,)+ }
            }

            /// Whether an operator can change it.
            #[must_use]
            pub const fn changeable(self) -> Changeable {
                match self { $(Self::$limit => Changeable::$changeable,)+ }
            }

            /// The code of a refusal: that of the whole answer or that of the field. Empty when nothing is refused.
            #[must_use]
            pub const fn code(self) -> &'static str {
                match self { $(Self::$limit => $code,)+ }
            }

            /// The sentence for people, with `{}` for the value.
            const fn sentence(self) -> &'static str {
                match self { $(Self::$limit => $sentence,)+ }
            }
        }
    };
}

every_limit!(limits);

impl Limit {
    /// The limit with this name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|limit| limit.name() == name)
    }

    /// The period of a rate; `None` when the limit is not a rate.
    #[must_use]
    pub const fn per(self) -> Option<Duration> {
        match self.seconds() {
            0 => None,
            seconds => Some(Duration::from_secs(seconds)),
        }
    }
}

/// The values of the limits on this server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    values: [u32; Limit::ALL.len()],
    are_lifted: bool,
}

impl Default for Limits {
    fn default() -> Self {
        let values = std::array::from_fn(|at| Limit::ALL[at].default_value());
        Self { values, are_lifted: false }
    }
}

impl Limits {
    /// The value of a limit.
    #[must_use]
    pub const fn of(&self, limit: Limit) -> u32 {
        self.values[limit as usize]
    }

    /// The same as `usize`, for counting.
    #[must_use]
    pub fn count_of(&self, limit: Limit) -> usize {
        usize::try_from(self.of(limit)).unwrap_or(usize::MAX)
    }

    /// Sets the value of a limit. A limit that is a part of the API does not change.
    #[must_use]
    pub const fn with(mut self, limit: Limit, value: u32) -> Self {
        if !matches!(limit.changeable(), Changeable::No) {
            self.values[limit as usize] = value;
        }
        self
    }

    /// Lifts the limits that are [`Changeable::Lifted`]: how often requests, logins and mails may come, and how many of one party
    /// at a time. For load tests.
    #[must_use]
    pub const fn lifted(mut self) -> Self {
        self.are_lifted = true;
        self
    }

    /// Whether a limit is lifted on this server.
    #[must_use]
    pub const fn is_lifted(&self, limit: Limit) -> bool {
        self.are_lifted && matches!(limit.changeable(), Changeable::Lifted)
    }

    /// Whether the limits that can be lifted are lifted.
    #[must_use]
    pub const fn are_lifted(&self) -> bool {
        self.are_lifted
    }

    /// A rate as limiters count it. The rule has the name of the limit.
    #[must_use]
    pub fn rule(&self, limit: Limit) -> RateRule {
        RateRule {
            name: limit.name(),
            limit: self.of(limit),
            window: limit.per().unwrap_or(Duration::from_secs(1)),
        }
    }

    /// The sentence for people, with the value.
    #[must_use]
    pub fn sentence(&self, limit: Limit) -> String {
        limit.sentence().replace("{}", &self.of(limit).to_string())
    }

    /// Refuses one more when `there` already exist. Count them under a lock that every transaction that adds one holds.
    ///
    /// # Errors
    /// `LIMIT_REACHED`; see [`Limits::reached`].
    pub fn admit(&self, limit: Limit, there: i64) -> Result<()> {
        if there < i64::from(self.of(limit)) { Ok(()) } else { Err(self.reached(limit)) }
    }

    /// The refusal when a limit is reached: `params` has its name (`limit_name`) and its value (`limit`).
    #[must_use]
    pub fn reached(&self, limit: Limit) -> Error {
        Error::new(Code::LimitReached, self.sentence(limit))
            .with_param("limit", self.of(limit))
            .with_param("limit_name", limit.name())
    }
}

/// A number of rows that were read, for [`Limits::admit`].
#[must_use]
pub(crate) fn count(there: usize) -> i64 {
    i64::try_from(there).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_limit_is_found_by_its_name_and_says_its_value() {
        let limits = Limits::default();
        for limit in Limit::ALL {
            assert_eq!(Limit::parse(limit.name()), Some(*limit));
            let sentence = limits.sentence(*limit);
            assert!(
                sentence.contains(&limit.default_value().to_string()) && !sentence.contains("{}"),
                "{sentence}"
            );
        }
    }

    #[test]
    fn a_rate_is_counted_under_its_name_within_its_time_and_can_be_lifted() {
        let limits = Limits::default().with(Limit::LoginsPerAddress, 7);
        let rule = limits.rule(Limit::LoginsPerAddress);
        assert_eq!((rule.name, rule.limit, rule.window), ("logins_per_address", 7, Duration::from_secs(60)));
        assert_eq!(limits.clone().with(Limit::BodySeconds, 7), limits, "a part of the contract");
        assert!(!limits.is_lifted(Limit::LoginsPerAddress));
        let lifted = limits.lifted();
        assert!(lifted.is_lifted(Limit::LoginsPerAddress) && !lifted.is_lifted(Limit::LabelsPerTask));
    }

    #[test]
    fn one_more_is_admitted_below_the_limit_alone() {
        let limits = Limits::default().with(Limit::LabelsPerTask, 2);
        assert!(limits.admit(Limit::LabelsPerTask, 1).is_ok());
        let refused = limits.admit(Limit::LabelsPerTask, 2).unwrap_err();
        assert_eq!((refused.code(), refused.detail()), (Code::LimitReached, "A task has at most 2 labels."));
        assert_eq!(refused.params()["limit"], 2);
        assert_eq!(refused.params()["limit_name"], "labels_per_task");
    }
}
