use std::error::Error as StdError;
use std::net::SocketAddr;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use tokio::net::lookup_host;
use workscribe_core::webhooks::WebhookNetworks;

/// A name leads to no address that may be called. That there is no such name is told as the same, since the difference would tell a
/// stranger which names there are inside.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the name leads to no address that may be called")]
pub(super) struct Nowhere;

impl Nowhere {
    /// The reason among the causes of an error.
    pub(super) fn within(error: &(dyn StdError + 'static)) -> Option<Self> {
        let mut cause = Some(error);
        while let Some(error) = cause {
            if let Some(found) = error.downcast_ref::<Self>() {
                return Some(*found);
            }
            cause = error.source();
        }
        None
    }
}

/// The system's names, without the addresses to which webhooks may not go. The connection is made to an address that was
/// checked here, so a name that changes its answer in between (DNS rebinding) gains nothing.
pub(super) struct AllowedOnly {
    pub(super) is_https: bool,
    pub(super) networks: WebhookNetworks,
}

impl AllowedOnly {
    fn choose(&self, found: impl IntoIterator<Item = SocketAddr>) -> Result<Vec<SocketAddr>, Nowhere> {
        let allowed: Vec<_> =
            found.into_iter().filter(|address| self.networks.allow(self.is_https, address.ip())).collect();
        if allowed.is_empty() { Err(Nowhere) } else { Ok(allowed) }
    }
}

impl Resolve for AllowedOnly {
    fn resolve(&self, name: Name) -> Resolving {
        let chooser = Self { is_https: self.is_https, networks: self.networks.clone() };
        Box::pin(async move {
            let found = lookup_host((name.as_str(), 0)).await.map_err(|_| Nowhere)?;
            Ok(Box::new(chooser.choose(found)?.into_iter()) as Addrs)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(is_https: bool, networks: &[&str], found: &[&str]) -> Result<Vec<String>, Nowhere> {
        let networks =
            WebhookNetworks::with(networks.iter().map(|network| network.parse().unwrap()).collect());
        let found = found.iter().map(|address| SocketAddr::new(address.parse().unwrap(), 0));
        let chosen = AllowedOnly { is_https, networks }.choose(found)?;
        Ok(chosen.into_iter().map(|address| address.ip().to_string()).collect())
    }

    #[test]
    fn of_a_names_addresses_the_public_ones_are_used() {
        assert_eq!(chosen(true, &[], &["10.0.0.1", "1.1.1.1", "::1"]), Ok(vec!["1.1.1.1".to_owned()]));
        assert_eq!(chosen(true, &[], &["127.0.0.1", "::ffff:10.0.0.1"]), Err(Nowhere));
        assert_eq!(chosen(true, &[], &[]), Err(Nowhere));
        assert_eq!(chosen(false, &[], &["1.1.1.1"]), Err(Nowhere), "nothing goes out in clear");
        assert_eq!(chosen(false, &["10.0.0.0/8"], &["10.0.0.1", "1.1.1.1"]), Ok(vec!["10.0.0.1".to_owned()]));
    }
}
