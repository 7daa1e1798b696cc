//! Where webhooks may be sent: to the public internet, and to networks that the operator lists.
//!
//! A tenant chooses the URL, and the server calls it from the operator's network. So every address that is not public is refused:
//! by the text of the URL when the endpoint is created, and by the addresses that DNS returns at every attempt (OWASP,
//! "Server-Side Request Forgery Prevention"; ASVS 5.0 1.3.6).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;
use url::{Host, Url};

use crate::error::Fault;

/// The maximum length of an endpoint's URL in characters.
pub const URL_CHARS: usize = crate::limits::Limit::WebhookUrlCharacters.default_value() as usize;

/// Addresses that are not globally reachable by IANA's special-purpose registry (RFC 6890), and multicast.
const NOT_PUBLIC_V4: &[(Ipv4Addr, u8)] = &[
    (Ipv4Addr::new(0, 0, 0, 0), 8),
    (Ipv4Addr::new(10, 0, 0, 0), 8),
    (Ipv4Addr::new(100, 64, 0, 0), 10),
    (Ipv4Addr::new(127, 0, 0, 0), 8),
    (Ipv4Addr::new(169, 254, 0, 0), 16),
    (Ipv4Addr::new(172, 16, 0, 0), 12),
    (Ipv4Addr::new(192, 0, 0, 0), 24),
    (Ipv4Addr::new(192, 0, 2, 0), 24),
    (Ipv4Addr::new(192, 88, 99, 0), 24),
    (Ipv4Addr::new(192, 168, 0, 0), 16),
    (Ipv4Addr::new(198, 18, 0, 0), 15),
    (Ipv4Addr::new(198, 51, 100, 0), 24),
    (Ipv4Addr::new(203, 0, 113, 0), 24),
    (Ipv4Addr::new(224, 0, 0, 0), 4),
    (Ipv4Addr::new(240, 0, 0, 0), 4),
];

/// Exceptions within 2000::/3, the only part that is assigned: protocol assignments with Teredo and ORCHID, 6to4, documentation.
const NOT_PUBLIC_V6: &[(Ipv6Addr, u8)] = &[
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23),
    (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32),
    (Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16),
    (Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20),
];

/// Whether an address belongs to the public internet.
#[must_use]
pub fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => !NOT_PUBLIC_V4
            .iter()
            .any(|(network, bits)| same_prefix(v4.to_bits().into(), network.to_bits().into(), 32, *bits)),
        IpAddr::V6(v6) => match inner_v4(v6) {
            Some(v4) => is_public(IpAddr::V4(v4)),
            None => {
                v6.segments()[0] & 0xe000 == 0x2000
                    && !NOT_PUBLIC_V6
                        .iter()
                        .any(|(network, bits)| same_prefix(v6.to_bits(), network.to_bits(), 128, *bits))
            }
        },
    }
}

fn same_prefix(a: u128, b: u128, width: u8, bits: u8) -> bool {
    let shift = u32::from(width - bits);
    a >> shift == b >> shift
}

/// The IPv4 address to which packets to this address go: mapped (RFC 4291 §2.5.5.2) or behind the well-known NAT64 prefix
/// (RFC 6052).
fn inner_v4(v6: Ipv6Addr) -> Option<Ipv4Addr> {
    v6.to_ipv4_mapped().or_else(|| match v6.segments() {
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] => {
            Some(Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low)))
        }
        _ => None,
    })
}

/// The networks to which webhooks may be sent.
#[derive(Debug, Clone, Default)]
pub struct WebhookNetworks(Vec<IpNet>);

impl WebhookNetworks {
    /// The public internet and these networks. Endpoints in these networks may also use plain HTTP.
    #[must_use]
    pub const fn with(networks: Vec<IpNet>) -> Self {
        Self(networks)
    }

    /// Whether no network is listed.
    #[must_use]
    pub const fn is_public_alone(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether webhooks may be sent to an address by `http` or `https`.
    #[must_use]
    pub fn allow(&self, is_https: bool, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.0.iter().any(|network| network.contains(&address)) || (is_https && is_public(address))
    }

    /// Checks the URL of an endpoint, without DNS.
    ///
    /// # Errors
    /// `INVALID_URL`, `TOO_LONG`, `NOT_HTTPS`, `NOT_PUBLIC`.
    pub fn check(&self, text: &str) -> Result<Url, Fault> {
        let text = text.trim();
        if text.chars().count() > URL_CHARS {
            return Err(Fault::new("TOO_LONG", format!("Use at most {URL_CHARS} characters.")));
        }
        let invalid = || {
            Fault::new("INVALID_URL", "Give a URL such as https://example.com/webhooks, without a user name.")
        };
        let url = Url::parse(text).map_err(|_| invalid())?;
        if url.host().is_none() || !url.username().is_empty() || url.password().is_some() {
            return Err(invalid());
        }
        if url.fragment().is_some() {
            return Err(Fault::new("INVALID_URL", "Leave out the part after the #: it is never sent."));
        }
        let is_https = match url.scheme() {
            "https" => true,
            "http" if !self.0.is_empty() => false,
            _ => return Err(Fault::new("NOT_HTTPS", "Give a URL that begins with https://.")),
        };
        let is_refused = match url.host() {
            Some(Host::Ipv4(address)) => !self.allow(is_https, address.into()),
            Some(Host::Ipv6(address)) => !self.allow(is_https, address.into()),
            Some(Host::Domain(name)) => {
                let name = name.trim_end_matches('.');
                self.0.is_empty() && (name == "localhost" || name.ends_with(".localhost"))
            }
            None => true,
        };
        if is_refused {
            return Err(Fault::new(
                "NOT_PUBLIC",
                "Give an address that can be reached from the public internet.",
            ));
        }
        Ok(url)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_public_is_refused_in_every_spelling() {
        let public =
            ["1.1.1.1", "8.8.8.8", "172.32.0.1", "100.128.0.1", "2606:4700::1111", "64:ff9b::101:101"];
        for address in public {
            assert!(is_public(address.parse().unwrap()), "{address}");
        }
        let others = [
            "0.0.0.0",
            "10.1.2.3",
            "100.64.0.1",
            "127.0.0.1",
            "127.255.255.254",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.8",
            "192.168.1.1",
            "198.19.0.1",
            "203.0.113.9",
            "224.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:10.0.0.1",
            "::ffff:169.254.169.254",
            "64:ff9b::a00:1",
            "64:ff9b:1::1",
            "fe80::1",
            "fc00::1",
            "fd00:ec2::254",
            "ff02::1",
            "2001::1",
            "2001:db8::1",
            "2002:a00:1::",
            "3fff::1",
            "100::1",
            "5f00::1",
            "fec0::1",
        ];
        for address in others {
            assert!(!is_public(address.parse().unwrap()), "{address}");
        }
    }

    #[test]
    fn an_endpoint_is_a_public_https_url() {
        let networks = WebhookNetworks::default();
        let fault = |url: &str| networks.check(url).unwrap_err().code;
        assert!(networks.check(" https://example.com:8443/hooks?a=b ").is_ok());
        assert!(networks.check("https://1.1.1.1/").is_ok());
        for bad in ["", "example.com", "https://", "https://a:b@example.com/", "https://example.com/#a"] {
            assert_eq!(fault(bad), "INVALID_URL", "{bad}");
        }
        for bad in
            ["http://example.com/", "ftp://example.com/", "file:///etc/passwd", "gopher://example.com/"]
        {
            assert!(["NOT_HTTPS", "INVALID_URL"].contains(&fault(bad)), "{bad}");
        }
        // The URL standard reads all of these as 127.0.0.1 or as a private address.
        for bad in [
            "https://127.0.0.1/",
            "https://2130706433/",
            "https://0x7f.1/",
            "https://0177.0.0.1/",
            "https://127.1/",
            "https://[::1]/",
            "https://[::ffff:7f00:1]/",
            "https://10.0.0.8/",
            "https://localhost/",
            "https://LOCALHOST./",
            "https://a.localhost/",
            "https://169.254.169.254/latest/meta-data/",
        ] {
            assert_eq!(fault(bad), "NOT_PUBLIC", "{bad}");
        }
        let long = format!("https://example.com/{}", "a".repeat(URL_CHARS));
        assert_eq!(fault(&long), "TOO_LONG");
    }

    #[test]
    fn an_operator_can_name_networks_of_their_own() {
        let networks = WebhookNetworks::with(vec!["127.0.0.0/8".parse().unwrap()]);
        assert!(networks.check("http://127.0.0.1:9000/").is_ok());
        assert!(networks.check("https://localhost/").is_ok());
        assert_eq!(networks.check("https://10.0.0.1/").unwrap_err().code, "NOT_PUBLIC");
        assert!(networks.allow(false, "::ffff:127.0.0.1".parse().unwrap()));
        assert!(!networks.allow(false, "1.1.1.1".parse().unwrap()), "in clear, to named networks alone");
        assert!(networks.allow(true, "1.1.1.1".parse().unwrap()));
    }
}
