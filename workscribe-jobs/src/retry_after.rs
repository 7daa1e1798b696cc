use std::time::Duration;

use chrono::DateTime;
use reqwest::header::{DATE, HeaderMap, RETRY_AFTER};

/// A wish for a longer wait is cut to this: a day.
const LONGEST_WISH: Duration = Duration::from_secs(24 * 60 * 60);

/// How long a server wants to be left alone: seconds, or a date (RFC 9110 §10.2.3), which is compared with the answer's own
/// `Date`.
pub(crate) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim);
    let wish = text(RETRY_AFTER)?;
    let wait = match wish.parse::<u64>() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => {
            let until = DateTime::parse_from_rfc2822(wish).ok()?;
            let now = DateTime::parse_from_rfc2822(text(DATE)?).ok()?;
            (until - now).to_std().unwrap_or_default()
        }
    };
    Some(wait.min(LONGEST_WISH))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wish(retry_after: &str, date: Option<&str>) -> Option<Duration> {
        let mut headers = HeaderMap::new();
        headers.insert(RETRY_AFTER, retry_after.parse().unwrap());
        if let Some(date) = date {
            headers.insert(DATE, date.parse().unwrap());
        }
        super::retry_after(&headers)
    }

    #[test]
    fn a_wish_is_read_in_both_forms() {
        let date = Some("Wed, 21 Oct 2026 07:28:00 GMT");
        assert_eq!(wish("17", None), Some(Duration::from_secs(17)));
        assert_eq!(wish("Wed, 21 Oct 2026 07:28:30 GMT", date), Some(Duration::from_secs(30)));
        assert_eq!(wish("Wed, 21 Oct 2026 07:27:00 GMT", date), Some(Duration::ZERO), "in the past");
        assert_eq!(wish("Wed, 21 Oct 2026 07:28:30 GMT", None), None, "a date says nothing without another");
        assert_eq!(wish("soon", date), None);
        assert_eq!(wish("99999999999", None), Some(LONGEST_WISH));
    }
}
