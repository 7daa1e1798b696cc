//! Resolves the host names of endpoints to allowed addresses only.

use std::error::Error as StdError;
use std::net::SocketAddr;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use tokio::net::lookup_host;
use workscribe_core::webhooks::WebhookNetworks;

/// A host name has no address that may be called. An unknown name gives the same error, since a difference would reveal which
/// internal names exist.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the name leads to no address that may be called")]
pub(super) struct NoAllowedAddress;

impl NoAllowedAddress {
    /// Finds this error among the sources of another error.
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

/// The system's resolver, without the addresses that webhooks may not call. The client connects to an address that was checked
/// here, so a name whose address changes in between (DNS rebinding) has no effect.
pub(super) struct AllowedAddresses {
    pub(super) is_https: bool,
    pub(super) networks: WebhookNetworks,
}

impl AllowedAddresses {
    fn choose(
        &self,
        found: impl IntoIterator<Item = SocketAddr>,
    ) -> Result<Vec<SocketAddr>, NoAllowedAddress> {
        let allowed: Vec<_> =
            found.into_iter().filter(|address| self.networks.allow(self.is_https, address.ip())).collect();
        if allowed.is_empty() { Err(NoAllowedAddress) } else { Ok(allowed) }
    }
}

impl Resolve for AllowedAddresses {
    fn resolve(&self, name: Name) -> Resolving {
        let chooser = Self { is_https: self.is_https, networks: self.networks.clone() };
        Box::pin(async move {
            let found = lookup_host((name.as_str(), 0)).await.map_err(|_| NoAllowedAddress)?;
            Ok(Box::new(chooser.choose(found)?.into_iter()) as Addrs)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(is_https: bool, networks: &[&str], found: &[&str]) -> Result<Vec<String>, NoAllowedAddress> {
        let networks =
            WebhookNetworks::with(networks.iter().map(|network| network.parse().unwrap()).collect());
        let found = found.iter().map(|address| SocketAddr::new(address.parse().unwrap(), 0));
        let chosen = AllowedAddresses { is_https, networks }.choose(found)?;
        Ok(chosen.into_iter().map(|address| address.ip().to_string()).collect())
    }

    #[test]
    fn of_a_names_addresses_the_public_ones_are_used() {
        assert_eq!(chosen(true, &[], &["10.0.0.1", "1.1.1.1", "::1"]), Ok(vec!["1.1.1.1".to_owned()]));
        assert_eq!(chosen(true, &[], &["127.0.0.1", "::ffff:10.0.0.1"]), Err(NoAllowedAddress));
        assert_eq!(chosen(true, &[], &[]), Err(NoAllowedAddress));
        assert_eq!(chosen(false, &[], &["1.1.1.1"]), Err(NoAllowedAddress), "no message is sent unencrypted");
        assert_eq!(chosen(false, &["10.0.0.0/8"], &["10.0.0.1", "1.1.1.1"]), Ok(vec!["10.0.0.1".to_owned()]));
    }
}
