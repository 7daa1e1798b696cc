//! The rules that are configuration: [`Settings`].

use chrono::TimeDelta;

use crate::identity::{LoginDelay, PasswordPolicy};
use crate::limits::Limits;
use crate::webhooks::WebhookNetworks;

/// What becomes of a registration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum RegistrationPolicy {
    /// The account is there at once, and a taken address is said to be taken.
    #[default]
    Open,
    /// The answer does not tell whether the address is known; the mail does. Login needs a verified address.
    VerifyFirst,
}

/// The rules that are configuration.
#[derive(Debug, Clone)]
pub struct Settings {
    /// What becomes of a registration.
    pub registration: RegistrationPolicy,
    /// Whether each refresh gives a new refresh token. Off is for clients that keep the first one.
    pub refresh_rotation: bool,
    /// How long an access token is good: 15 minutes.
    pub access_ttl: TimeDelta,
    /// How long a refresh token is good: 30 days.
    pub refresh_ttl: TimeDelta,
    /// How long a refresh token may be repeated, while its successor is unused: 30 seconds.
    pub refresh_grace: TimeDelta,
    /// How long a link to a new password is good: one hour.
    pub reset_ttl: TimeDelta,
    /// How long a link to verify an address is good: 48 hours.
    pub verify_ttl: TimeDelta,
    /// How long an invitation is good: 48 hours.
    pub invitation_ttl: TimeDelta,
    /// How long a looked-up session may be used again without a look-up: 500 ms. It bounds how late another node
    /// hears of a logout, so keep it below a second.
    pub session_cache_ttl: TimeDelta,
    /// How long a notification is kept, read or not: 180 days.
    pub notification_ttl: TimeDelta,
    /// To which networks webhooks may go beside the public internet: none. Those may be spoken to over plain HTTP too.
    pub webhook_networks: WebhookNetworks,
    /// The rules for a new password.
    pub password: PasswordPolicy,
    /// The delay after failed logins.
    pub login_delay: LoginDelay,
    /// Whether only people with a verified address invite. The host asks for it in production.
    pub verified_inviters: bool,
    /// How much of each thing there may be, how often what may be done, and how many at a time.
    pub limits: Limits,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            registration: RegistrationPolicy::default(),
            refresh_rotation: true,
            access_ttl: TimeDelta::minutes(15),
            refresh_ttl: TimeDelta::days(30),
            refresh_grace: TimeDelta::seconds(30),
            reset_ttl: TimeDelta::hours(1),
            verify_ttl: TimeDelta::hours(48),
            invitation_ttl: TimeDelta::hours(48),
            session_cache_ttl: TimeDelta::milliseconds(500),
            notification_ttl: TimeDelta::days(180),
            webhook_networks: WebhookNetworks::default(),
            password: PasswordPolicy::default(),
            login_delay: LoginDelay::default(),
            verified_inviters: false,
            limits: Limits::default(),
        }
    }
}
