//! The origin of a request, and its rate limits.

use std::fmt::Write as _;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use ipnet::{IpNet, Ipv6Net};
use poem::http::{HeaderMap, HeaderValue, header};
use poem::{FromRequest, Request, RequestBody, Result};
use workscribe_core::identity::Client;
use workscribe_core::limits::Limit;
use workscribe_core::ports::{RateDecision, RateRule};
use workscribe_core::{Code, Error, WorkScribe};

/// The address from which a request comes. `X-Forwarded-For` is believed only as far as configured proxies wrote it: the result
/// is the first address from the right that is not a proxy's.
#[must_use]
pub(crate) fn client_ip(peer: Option<IpAddr>, headers: &HeaderMap, trusted: &[IpNet]) -> Option<IpAddr> {
    let is_trusted = |ip: &IpAddr| trusted.iter().any(|net| net.contains(&canonical(*ip)));
    let mut client = canonical(peer?);
    if !is_trusted(&client) {
        return Some(client);
    }
    let values: Vec<_> =
        headers.get_all("x-forwarded-for").iter().filter_map(|value| value.to_str().ok()).collect();
    for entry in values.iter().rev().flat_map(|value| value.rsplit(',')) {
        let Ok(ip) = entry.trim().parse::<IpAddr>() else { break };
        client = canonical(ip);
        if !is_trusted(&client) {
            break;
        }
    }
    Some(client)
}

/// Turns an IPv4 address that is mapped to IPv6 back into IPv4.
fn canonical(ip: IpAddr) -> IpAddr {
    ip.to_canonical()
}

/// The key under which a limit counts: an IPv4 address, or the /64 of an IPv6 address, which is the range that one customer gets
/// (RFC 6177 §2).
fn limit_key(ip: Option<IpAddr>) -> String {
    match ip {
        Some(IpAddr::V6(v6)) => {
            Ipv6Net::new(v6, 64).map_or_else(|_| v6.to_string(), |net| net.trunc().to_string())
        }
        Some(v4) => v4.to_string(),
        None => "unknown".to_owned(),
    }
}

/// The limits under which a request was counted, for the headers of its response.
#[derive(Debug, Clone, Default)]
pub(crate) struct Counted(Arc<Mutex<Vec<(RateRule, RateDecision)>>>);

impl Counted {
    /// Adds a decision, and refuses the request when it is above the limit.
    ///
    /// # Errors
    /// `RATE_LIMITED`.
    pub(crate) fn note(&self, rule: &RateRule, decision: RateDecision) -> Result<(), Error> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push((*rule, decision));
        if decision.allowed {
            return Ok(());
        }
        Err(Error::new(
            Code::RateLimited,
            "Too many requests of this kind. Wait until the time in Retry-After has passed.",
        )
        .with_param("limit", rule.limit)
        .with_param("policy", rule.name)
        .with_retry_after(decision.retry_after))
    }

    /// The limit that refused the request, if any.
    pub(crate) fn exhausted(&self) -> Option<&'static str> {
        let counted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        counted.iter().find(|(_, decision)| !decision.allowed).map(|(rule, _)| rule.name)
    }

    /// Adds the `RateLimit` and `RateLimit-Policy` headers (draft-ietf-httpapi-ratelimit-headers-10).
    pub(crate) fn write(&self, headers: &mut HeaderMap) {
        let counted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if counted.is_empty() {
            return;
        }
        let (mut policies, mut limits) = (String::new(), String::new());
        for (number, (rule, decision)) in counted.iter().enumerate() {
            let comma = if number == 0 { "" } else { ", " };
            let reset = decision.reset_after.as_secs() + u64::from(decision.reset_after.subsec_nanos() > 0);
            // Writing to a string does not fail.
            let _ = write!(policies, "{comma}\"{}\";q={};w={}", rule.name, rule.limit, rule.window.as_secs());
            let _ = write!(limits, "{comma}\"{}\";r={};t={reset}", rule.name, decision.remaining);
        }
        for (name, value) in [("ratelimit-policy", policies), ("ratelimit", limits)] {
            if let Ok(value) = HeaderValue::from_str(&value) {
                headers.insert(name, value);
            }
        }
    }
}

/// The caller of a request, as the connection and its headers show.
pub struct Caller {
    client: Client,
    counted: Counted,
}

impl Caller {
    /// The address and the user agent, which are stored with a session.
    #[must_use]
    pub const fn client(&self) -> &Client {
        &self.client
    }

    /// Counts this request under the caller's address.
    ///
    /// # Errors
    /// `RATE_LIMITED`.
    pub async fn limit(&self, app: &WorkScribe, limit: Limit) -> Result<(), Error> {
        self.limit_by(app, limit, &limit_key(self.client.ip)).await
    }

    /// Counts this request under another key.
    ///
    /// # Errors
    /// `RATE_LIMITED`.
    pub async fn limit_by(&self, app: &WorkScribe, limit: Limit, key: &str) -> Result<(), Error> {
        let rule = app.settings().limits.rule(limit);
        let decision = app.limiter().hit(&rule, key, app.now()).await;
        self.counted.note(&rule, decision)
    }
}

/// The client's address, which the outermost layer adds to the request.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ClientIp(pub(crate) Option<IpAddr>);

impl<'a> FromRequest<'a> for Caller {
    async fn from_request(request: &'a Request, _body: &mut RequestBody) -> Result<Self> {
        let user_agent = request.headers().get(header::USER_AGENT).and_then(|value| value.to_str().ok());
        let ip = request.data::<ClientIp>().and_then(|ip| ip.0);
        Ok(Self {
            client: Client { ip, user_agent: user_agent.map(str::to_owned) },
            counted: request.data::<Counted>().cloned().unwrap_or_default(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip_of(peer: &str, forwarded: &[&str], trusted: &[&str]) -> String {
        let mut headers = HeaderMap::new();
        for value in forwarded {
            headers.append("x-forwarded-for", HeaderValue::from_str(value).unwrap());
        }
        let trusted: Vec<IpNet> = trusted.iter().map(|net| net.parse().unwrap()).collect();
        client_ip(Some(peer.parse().unwrap()), &headers, &trusted).unwrap().to_string()
    }

    #[test]
    fn forwarded_addresses_count_only_from_configured_proxies() {
        assert_eq!(ip_of("203.0.113.9", &["198.51.100.1"], &[]), "203.0.113.9");
        assert_eq!(ip_of("203.0.113.9", &["198.51.100.1"], &["10.0.0.0/8"]), "203.0.113.9");
        assert_eq!(ip_of("10.0.0.1", &["198.51.100.1"], &["10.0.0.0/8"]), "198.51.100.1");
        assert_eq!(ip_of("::ffff:10.0.0.1", &["198.51.100.1"], &["10.0.0.0/8"]), "198.51.100.1");
    }

    #[test]
    fn they_are_read_from_the_right_so_a_made_up_first_entry_is_not_believed() {
        assert_eq!(ip_of("10.0.0.1", &["1.2.3.4, 198.51.100.1, 10.0.0.2"], &["10.0.0.0/8"]), "198.51.100.1");
        assert_eq!(ip_of("10.0.0.1", &["1.2.3.4", "198.51.100.1"], &["10.0.0.0/8"]), "198.51.100.1");
        assert_eq!(ip_of("10.0.0.1", &["198.51.100.1, rubbish, 10.0.0.2"], &["10.0.0.0/8"]), "10.0.0.2");
        assert_eq!(ip_of("10.0.0.1", &["10.0.0.7"], &["10.0.0.0/8"]), "10.0.0.7");
    }

    #[test]
    fn limits_count_an_ipv6_network_as_one() {
        let key = |text: &str| limit_key(Some(text.parse().unwrap()));
        assert_eq!(key("2001:db8:1:2:3::4"), key("2001:db8:1:2:ffff::1"));
        assert_ne!(key("2001:db8:1:2::1"), key("2001:db8:1:3::1"));
        assert_ne!(key("192.0.2.1"), key("192.0.2.2"));
    }
}
