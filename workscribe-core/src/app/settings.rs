//! The configurable rules: [`Settings`].

use chrono::TimeDelta;

use crate::identity::{LoginDelay, PasswordPolicy};
use crate::limits::Limits;
use crate::webhooks::WebhookNetworks;

/// How a registration works.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum RegistrationPolicy {
    /// The account exists at once. The answer reveals whether an address is taken.
    #[default]
    Open,
    /// The answer does not reveal whether the address is known; the mail does. Login needs a verified address.
    VerifyFirst,
}

/// The configurable rules.
#[derive(Debug, Clone)]
pub struct Settings {
    /// How a registration works.
    pub registration: RegistrationPolicy,
    /// Whether each refresh returns a new refresh token. Turn it off for clients that keep the first one.
    pub refresh_rotation: bool,
    /// The lifetime of an access token: 15 minutes.
    pub access_ttl: TimeDelta,
    /// The lifetime of a refresh token: 30 days.
    pub refresh_ttl: TimeDelta,
    /// How long a refresh token may be used again while its successor is unused: 30 seconds.
    pub refresh_grace: TimeDelta,
    /// The lifetime of a link to set a new password: one hour.
    pub reset_ttl: TimeDelta,
    /// The lifetime of a link to verify an address: 48 hours.
    pub verify_ttl: TimeDelta,
    /// The lifetime of an invitation: 48 hours.
    pub invitation_ttl: TimeDelta,
    /// How long a looked-up session is used without another look-up: 500 ms. Another node sees a logout at most this much later,
    /// so keep it below a second.
    pub session_cache_ttl: TimeDelta,
    /// How long a notification is stored, read or unread: 180 days.
    pub notification_ttl: TimeDelta,
    /// The networks to which webhooks may be sent besides the public internet: none. Plain HTTP is allowed there too.
    pub webhook_networks: WebhookNetworks,
    /// The rules for a new password.
    pub password: PasswordPolicy,
    /// The delay after failed logins.
    pub login_delay: LoginDelay,
    /// Whether only users with a verified address may invite. The host requires it in production.
    pub verified_inviters: bool,
    /// How much of each thing there may be, how often something may be done, and how much at a time.
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
