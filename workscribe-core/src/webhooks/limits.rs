//! How much an organization may send to one host (a name or an address, with the port). The tenant chose the host, which may
//! belong to somebody who never agreed to it.

use crate::error::{Code, Error, Result};
use crate::id::OrgId;
use crate::limits::Limit;

use super::service::Webhooks;

/// The host and the port of an endpoint, as limits count them: `example.com:443`.
#[must_use]
pub fn host_and_port(url: &str) -> String {
    let Ok(url) = url::Url::parse(url) else { return String::new() };
    let host = url.host_str().unwrap_or_default().trim_end_matches('.').to_owned();
    format!("{host}:{}", url.port_or_known_default().unwrap_or_default())
}

impl Webhooks<'_> {
    /// Counts a message that a member sends manually, and refuses it over the limit.
    pub(super) async fn limit_by_hand(&self, org: OrgId, url: &str) -> Result<()> {
        let rule = self.app.limits().rule(Limit::WebhookMessagesByHand);
        let host = host_and_port(url);
        let decision = self.app.limiter().hit(&rule, &format!("{org}:{host}"), self.app.now()).await;
        if decision.allowed {
            return Ok(());
        }
        tracing::warn!(org.id = %org, host, limit = rule.limit, "pings or repeats by hand to one host are refused: too many");
        Err(Error::new(
            Code::RateLimited,
            "Your organization has sent too many pings and repeats to this host. Wait until the time in Retry-After has passed.",
        )
        .with_param("limit", rule.limit)
        .with_param("policy", rule.name)
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
