//! How much an organization sends to one host.

use std::time::Duration;

use crate::error::{Code, Error};
use crate::id::OrgId;
use crate::ports::RateRule;

use super::service::Webhooks;

/// How much an organization sends to one host (a name or an address, with the port): the tenant chose it, and it may be somebody
/// else's, who never asked for anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WebhookLimits {
    /// Messages of an organization to one host, whatever they tell of: 600 a minute. What is beyond it is put off, and arrives
    /// later.
    pub messages: RateRule,
    /// Pings and messages sent again by hand, of an organization to one host: 10 a minute. More are refused with `RATE_LIMITED`.
    pub by_hand: RateRule,
    /// How many messages are on their way to one host at a time, from one worker: 8.
    pub places_of_host: u32,
    /// How many of them are of one organization: 2. So a slow endpoint leaves places to the organization's others.
    pub places_of_organization: u32,
}

impl Default for WebhookLimits {
    fn default() -> Self {
        const MINUTE: Duration = Duration::from_secs(60);
        Self {
            messages: RateRule { name: "webhook-messages", limit: 600, window: MINUTE },
            by_hand: RateRule { name: "webhook-by-hand", limit: 10, window: MINUTE },
            places_of_host: 8,
            places_of_organization: 2,
        }
    }
}

/// The host and the port of an endpoint, as they are counted: `example.com:443`.
#[must_use]
pub fn host_and_port(url: &str) -> String {
    let Ok(url) = url::Url::parse(url) else { return String::new() };
    let host = url.host_str().unwrap_or_default().trim_end_matches('.').to_owned();
    format!("{host}:{}", url.port_or_known_default().unwrap_or_default())
}

impl Webhooks<'_> {
    /// Counts a message that a person sends by hand.
    pub(super) async fn limit_by_hand(&self, org: OrgId, url: &str) -> Result<(), Error> {
        let rule = &self.app.settings().webhook_limits.by_hand;
        let host = host_and_port(url);
        let decision = self.app.limiter().hit(rule, &format!("{org}:{host}"), self.app.now()).await;
        if decision.allowed {
            return Ok(());
        }
        tracing::warn!(org.id = %org, host, limit = rule.limit, "pings or repeats by hand to one host are refused: too many");
        Err(Error::new(
            Code::RateLimited,
            "Your organization has sent too many pings and repeats to this host. Wait until the time in Retry-After has passed.",
        )
        .with_param("limit", rule.limit)
        .with_retry_after(decision.retry_after))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_host_is_counted_as_one_however_it_is_written() {
        for url in ["https://Example.com/a", "https://example.com:443/b?c", "https://example.com./"] {
            assert_eq!(host_and_port(url), "example.com:443");
        }
        assert_eq!(host_and_port("http://[::1]:8080/"), "[::1]:8080");
    }
}
