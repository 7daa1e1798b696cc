//! Typed identifiers: UUID version 7 (RFC 9562 §5.7), so that rows sort by the time of their creation.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::clock::Timestamp;

/// The common functions of all typed identifiers. Only the types of this module implement it.
pub trait Id: Copy + Eq + Ord + fmt::Display + From<Uuid> + Into<Uuid> + Send + Sync + 'static {}

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Uuid);

        impl $name {
            /// The UUID inside.
            #[must_use]
            pub const fn as_uuid(&self) -> Uuid {
                self.0
            }

            /// When the id was made, to the millisecond; `None` for a UUID of another version than 7.
            #[must_use]
            pub fn made_at(&self) -> Option<Timestamp> {
                let (seconds, nanos) = self.0.get_timestamp()?.to_unix();
                Timestamp::from_timestamp(i64::try_from(seconds).ok()?, nanos)
            }
        }

        impl Id for $name {}

        impl From<Uuid> for $name {
            fn from(uuid: Uuid) -> Self {
                Self(uuid)
            }
        }

        impl From<$name> for Uuid {
            fn from(id: $name) -> Uuid {
                id.0
            }
        }

        impl FromStr for $name {
            type Err = uuid::Error;
            /// Accepts only the hyphenated form, so that one thing has one URL.
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Ok(Self(uuid::fmt::Hyphenated::from_str(text)?.into_uuid()))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.0)
            }
        }
    )+};
}

every_id!(ids);

/// Builds a UUIDv7 from a time and ten random bytes.
///
/// The twelve bits after the milliseconds hold the microseconds within the millisecond (RFC 9562 §6.2, method 3), so that ids made
/// within one millisecond still sort by time.
pub(crate) fn uuid_v7(now: Timestamp, random: [u8; 10]) -> Uuid {
    let micros = now.timestamp_micros().max(0).unsigned_abs();
    let (millis, rest) = (micros / 1_000, micros % 1_000);
    let fraction = (rest * 4_096 / 1_000) as u16;
    let mut bytes = random;
    bytes[..2].copy_from_slice(&fraction.to_be_bytes());
    uuid::Builder::from_unix_timestamp_millis(millis, &bytes).into_uuid()
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::DateTime;

    #[test]
    fn ids_sort_by_the_microsecond_they_were_made_in() {
        let at = |micros| uuid_v7(DateTime::from_timestamp_micros(micros).unwrap(), [0xff; 10]);
        assert_eq!(at(1_700_000_000_000_000).get_version_num(), 7);
        let earlier = uuid_v7(DateTime::from_timestamp_micros(1_700_000_000_000_001).unwrap(), [0xff; 10]);
        let later = uuid_v7(DateTime::from_timestamp_micros(1_700_000_000_000_002).unwrap(), [0; 10]);
        assert!(earlier < later);
    }

    #[test]
    fn only_the_hyphenated_form_is_an_id() {
        assert!("018f3c6e-7d2a-7b4c-9a1e-2f3b4c5d6e7f".parse::<UserId>().is_ok());
        assert!("018f3c6e7d2a7b4c9a1e2f3b4c5d6e7f".parse::<UserId>().is_err());
        assert!("urn:uuid:018f3c6e-7d2a-7b4c-9a1e-2f3b4c5d6e7f".parse::<UserId>().is_err());
    }
}
