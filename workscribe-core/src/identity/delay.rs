//! The rule of the delay after failed logins, and the keys under which failures are counted.

use std::net::IpAddr;

use chrono::TimeDelta;
use ipnet::{Ipv4Net, Ipv6Net};

use crate::identity::Actor;

use super::email::Email;
use super::model::Client;
use super::secrets::TokenHash;

/// The delay after failed logins: none for the first few, then one that doubles. There is no permanent lock, so that nobody
/// can lock other people out of their accounts (ASVS 5.0, 6.3.1).
///
/// Failures are counted by account and network, so that failures of strangers do not delay the owner, who is in another network
/// (OWASP Authentication Cheat Sheet). Many failures from many networks cause a delay in all networks except those from which a
/// login to the account succeeded before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LoginDelay {
    /// The number of failures from one network that causes the first delay there: 5.
    pub after: u32,
    /// The number of failures from all networks that causes the first delay for networks that are new to the account: 50.
    pub account_after: u32,
    /// The first delay: 15 seconds.
    pub first: TimeDelta,
    /// The longest delay: 15 minutes.
    pub longest: TimeDelta,
    /// Failures are forgotten when no other one follows within this time: one day.
    pub forget_after: TimeDelta,
    /// How long after a login its network is known to the account: 30 days.
    pub known_for: TimeDelta,
}

impl Default for LoginDelay {
    fn default() -> Self {
        Self {
            after: 5,
            account_after: 50,
            first: TimeDelta::seconds(15),
            longest: TimeDelta::minutes(15),
            forget_after: TimeDelta::days(1),
            known_for: TimeDelta::days(30),
        }
    }
}

impl LoginDelay {
    /// The delay in a network after this many failures in a row there.
    #[must_use]
    pub fn after_failures(&self, failures: u32) -> Option<TimeDelta> {
        self.delay(failures.checked_sub(self.after)?)
    }

    /// The delay in a new network after this many failures in a row from all networks.
    #[must_use]
    pub fn after_failures_anywhere(&self, failures: u32) -> Option<TimeDelta> {
        self.delay(failures.checked_sub(self.account_after)?)
    }

    fn delay(&self, doublings: u32) -> Option<TimeDelta> {
        let factor = 1_i32.checked_shl(doublings.min(20)).unwrap_or(i32::MAX);
        Some(self.first.checked_mul(factor).map_or(self.longest, |delay| delay.min(self.longest)))
    }
}

/// The keys under which failures are counted. They are hashes, so that attempted addresses are not stored. The first half of each
/// identifies the account and the second half the network, so that the keys of an account are adjacent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LoginPlace {
    /// The account, for all networks.
    pub account: TokenHash,
    /// The account in this network.
    pub network: TokenHash,
}

/// How many bytes of a key identify the account.
const HALF: usize = 16;

impl LoginPlace {
    /// The keys of an account and a network, by their names.
    #[must_use]
    pub fn new(account: &str, network: &str) -> Self {
        let mut place = Self { account: TokenHash([0; 32]), network: TokenHash::of(network) };
        let name = TokenHash::of(account);
        for half in [&mut place.account, &mut place.network] {
            half.0[..HALF].copy_from_slice(&name.0[..HALF]);
        }
        place
    }

    /// The first and the last possible key of the account.
    #[must_use]
    pub const fn all_of_account(&self) -> (TokenHash, TokenHash) {
        let mut last = self.account;
        let mut byte = HALF;
        while byte < last.0.len() {
            last.0[byte] = u8::MAX;
            byte += 1;
        }
        (self.account, last)
    }

    /// The keys of a login with an address. The network is the /24 of an IPv4 address or the /64 of an IPv6 address (RFC 6177
    /// §2): the range that one customer has, or can easily move within.
    pub(crate) fn of_login(email: &Email, client: &Client) -> Self {
        Self::new(email.as_str(), &network_of(client.ip))
    }

    /// The keys of a check of the current password in a session. Strangers have no session, so their failures do not count here.
    pub(crate) fn of_session(actor: &Actor) -> Self {
        Self::new(&format!("user {}", actor.user), &format!("session {}", actor.session))
    }
}

/// The name of the network of an address.
pub(crate) fn network_of(ip: Option<IpAddr>) -> String {
    match ip.map(|ip| ip.to_canonical()) {
        Some(IpAddr::V4(v4)) => {
            Ipv4Net::new(v4, 24).map_or_else(|_| v4.to_string(), |net| net.trunc().to_string())
        }
        Some(IpAddr::V6(v6)) => {
            Ipv6Net::new(v6, 64).map_or_else(|_| v6.to_string(), |net| net.trunc().to_string())
        }
        None => "unknown".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_delay_begins_with_the_fifth_failure_doubles_and_ends_at_15_minutes() {
        let seconds =
            |failures| LoginDelay::default().after_failures(failures).map(|delay| delay.num_seconds());
        assert_eq!(
            [4, 5, 6, 7, 10, 11, 1_000_000].map(seconds),
            [None, Some(15), Some(30), Some(60), Some(480), Some(900), Some(900)]
        );
        let anywhere = |failures| LoginDelay::default().after_failures_anywhere(failures);
        assert_eq!([49, 50].map(anywhere), [None, Some(TimeDelta::seconds(15))]);
    }

    #[test]
    fn a_place_is_an_account_and_a_network() {
        let ada = Email::parse("ada@example.com").unwrap();
        let place = |ip: &str| {
            let client = Client { ip: Some(ip.parse().unwrap()), user_agent: None };
            LoginPlace::of_login(&ada, &client)
        };
        assert_eq!(place("192.0.2.1"), place("192.0.2.254"));
        assert_eq!(place("192.0.2.1"), place("::ffff:192.0.2.7"));
        assert_eq!(place("2001:db8:1:2::1"), place("2001:db8:1:2:ffff::1"));
        let (one, other) = (place("192.0.2.1"), place("192.0.3.1"));
        assert!(one.network != other.network && one.account == other.account);
        let (first, last) = one.all_of_account();
        assert!(first <= one.account && first < one.network && one.network <= last);
        let grace = Email::parse("grace@example.com").unwrap();
        let hers = LoginPlace::of_login(&grace, &Client::default());
        assert!(!(first..=last).contains(&hers.network) && !(first..=last).contains(&hers.account));
    }
}
