//! Builds a [`WorkScribe`]: [`Builder`].

use std::sync::Arc;

use crate::clock::{Clock, Entropy, SystemClock, SystemEntropy};
use crate::identity::{Hashing, HashingShares, Normalising, SecretRing};
use crate::local::{BcryptHasher, JwtIssuer, LocalRateLimiter, LocalWakeup, Unlimited};
use crate::ports::{PasswordHasher, RateLimiter, TokenIssuer, Wakeup};
use crate::recent::Recent;
use crate::storage::Storage;
use crate::tenancy::{Authorizer, RoleTable};

use super::{Hook, Inner, SUBSCRIPTIONS_TTL, Settings, WorkScribe};

impl WorkScribe {
    /// A builder with a storage and the server's keys. Every other part has an in-process default.
    #[must_use]
    pub fn builder(storage: Arc<dyn Storage>, secrets: SecretRing) -> Builder {
        Builder {
            storage,
            secrets,
            clock: Arc::new(SystemClock),
            entropy: Arc::new(SystemEntropy),
            hasher: None,
            issuer: None,
            limiter: None,
            wakeup: None,
            authorizer: Arc::new(RoleTable),
            hooks: Vec::new(),
            settings: Settings::default(),
        }
    }
}

/// Builds a [`WorkScribe`].
pub struct Builder {
    storage: Arc<dyn Storage>,
    secrets: SecretRing,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    hasher: Option<Arc<dyn PasswordHasher>>,
    issuer: Option<Arc<dyn TokenIssuer>>,
    limiter: Option<Arc<dyn RateLimiter>>,
    wakeup: Option<Arc<dyn Wakeup>>,
    authorizer: Arc<dyn Authorizer>,
    hooks: Vec<Arc<dyn Hook>>,
    settings: Settings,
}

macro_rules! setters {
    ($($(#[$doc:meta])* $name:ident: $port:ty => |$value:ident| $set:expr;)+) => {$(
        $(#[$doc])*
        #[must_use]
        pub fn $name(mut self, $value: $port) -> Self {
            self.$name = $set;
            self
        }
    )+};
}

impl Builder {
    setters! {
        /// Replaces the clock.
        clock: Arc<dyn Clock> => |clock| clock;
        /// Replaces the source of randomness.
        entropy: Arc<dyn Entropy> => |entropy| entropy;
        /// Replaces the password hasher; the default is bcrypt with cost 12. It gets passwords in Normalization Form KC.
        hasher: Arc<dyn PasswordHasher> => |hasher| Some(hasher);
        /// Replaces the issuer of access tokens; the default is HS256 with the server's keys.
        issuer: Arc<dyn TokenIssuer> => |issuer| Some(issuer);
        /// Replaces the limiter in memory. Rates lifted by [`Limits::lifted`](crate::limits::Limits::lifted) use no limiter.
        limiter: Arc<dyn RateLimiter> => |limiter| Some(limiter);
        /// Replaces the wake-up; the default works within this process.
        wakeup: Arc<dyn Wakeup> => |wakeup| Some(wakeup);
        /// Replaces the permissions of roles; the default is [`RoleTable`].
        authorizer: Arc<dyn Authorizer> => |authorizer| authorizer;
        /// Replaces the settings.
        settings: Settings => |settings| settings;
    }

    /// Adds a hook. Hooks run in the order in which they are added.
    #[must_use]
    pub fn hook(mut self, hook: Arc<dyn Hook>) -> Self {
        self.hooks.push(hook);
        self
    }

    /// Builds the application.
    #[must_use]
    pub fn build(self) -> WorkScribe {
        let sessions = Recent::new(self.settings.session_cache_ttl);
        let hasher = self.hasher.unwrap_or_else(|| Arc::new(BcryptHasher::default()));
        WorkScribe {
            inner: Arc::new(Inner {
                hasher: Hashing::new(Arc::new(Normalising(hasher)), HashingShares::of(&self.settings.limits)),
                issuer: self.issuer.unwrap_or_else(|| Arc::new(JwtIssuer::hs256(&self.secrets))),
                limiter: match self.limiter {
                    _ if self.settings.limits.are_lifted() => Arc::new(Unlimited),
                    Some(limiter) => limiter,
                    None => Arc::new(LocalRateLimiter::default()),
                },
                wakeup: self.wakeup.unwrap_or_else(|| Arc::new(LocalWakeup::default())),
                storage: self.storage,
                clock: self.clock,
                entropy: self.entropy,
                authorizer: self.authorizer,
                hooks: self.hooks,
                secrets: self.secrets,
                settings: self.settings,
                sessions,
                subscriptions: Recent::new(SUBSCRIPTIONS_TTL),
            }),
        }
    }
}
