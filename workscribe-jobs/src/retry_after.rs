//! Reads the `Retry-After` header of a response.

use std::time::Duration;

use chrono::DateTime;
use reqwest::header::{DATE, HeaderMap, RETRY_AFTER};

/// A longer `Retry-After` is shortened to this: one day.
const LONGEST_WAIT: Duration = Duration::from_secs(24 * 60 * 60);

/// How long a server asks the client to wait. The header has seconds or a date (RFC 9110 §10.2.3); a date is compared with the
/// `Date` of the same response.
pub(crate) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim);
    let value = text(RETRY_AFTER)?;
    let wait = match value.parse::<u64>() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => {
            let until = DateTime::parse_from_rfc2822(value).ok()?;
            let now = DateTime::parse_from_rfc2822(text(DATE)?).ok()?;
            (until - now).to_std().unwrap_or_default()
        }
    };
    Some(wait.min(LONGEST_WAIT))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wait(retry_after: &str, date: Option<&str>) -> Option<Duration> {
        let mut headers = HeaderMap::new();
        headers.insert(RETRY_AFTER, retry_after.parse().unwrap());
        if let Some(date) = date {
            headers.insert(DATE, date.parse().unwrap());
        }
        super::retry_after(&headers)
    }

    #[test]
    fn both_forms_are_read() {
        let date = Some("Wed, 21 Oct 2026 07:28:00 GMT");
        assert_eq!(wait("17", None), Some(Duration::from_secs(17)));
        assert_eq!(wait("Wed, 21 Oct 2026 07:28:30 GMT", date), Some(Duration::from_secs(30)));
        assert_eq!(wait("Wed, 21 Oct 2026 07:27:00 GMT", date), Some(Duration::ZERO), "in the past");
        assert_eq!(
            wait("Wed, 21 Oct 2026 07:28:30 GMT", None),
            None,
            "a date needs the `Date` of the response"
        );
        assert_eq!(wait("soon", date), None);
        assert_eq!(wait("99999999999", None), Some(LONGEST_WAIT));
    }
}
