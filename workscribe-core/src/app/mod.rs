//! The application: storage and ports together. Each area adds its services to [`WorkScribe`] in its own folder.

mod builder;
mod hook;
mod settings;

use std::sync::Arc;

use chrono::TimeDelta;

use crate::clock::{Clock, Entropy, Timestamp};
use crate::error::Result;
use crate::events::DomainEvent;
use crate::id::{Id, OrgId, SessionId, UserId, uuid_v7};
use crate::identity::{Hashing, SecretRing};
use crate::limits::Limits;
use crate::ports::{RateLimiter, TokenIssuer, Wakeup};
use crate::recent::Recent;
use crate::storage::{Storage, UnitOfWork};
use crate::tenancy::Authorizer;
use crate::webhooks::Subscription;

pub use builder::Builder;
pub use hook::Hook;
pub use settings::{RegistrationPolicy, Settings};

/// The maximum time until another node sees a new webhook: a second.
const SUBSCRIPTIONS_TTL: TimeDelta = TimeDelta::seconds(1);

/// The WorkScribe application. Clones are cheap and share everything.
#[derive(Clone)]
pub struct WorkScribe {
    inner: Arc<Inner>,
}

struct Inner {
    storage: Arc<dyn Storage>,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    hasher: Hashing,
    issuer: Arc<dyn TokenIssuer>,
    limiter: Arc<dyn RateLimiter>,
    wakeup: Arc<dyn Wakeup>,
    authorizer: Arc<dyn Authorizer>,
    hooks: Vec<Arc<dyn Hook>>,
    secrets: SecretRing,
    settings: Settings,
    sessions: Recent<SessionId, UserId, UserId>,
    subscriptions: Recent<OrgId, OrgId, Arc<[Subscription]>>,
}

impl WorkScribe {
    /// Opens a unit of work with a transaction; see [`Storage::begin`].
    ///
    /// # Errors
    /// `SERVICE_UNAVAILABLE` when the database does not answer.
    pub async fn begin(&self) -> Result<Box<dyn UnitOfWork>> {
        Ok(self.inner.storage.begin().await?)
    }

    /// Opens a unit of work for reading; see [`Storage::read`].
    ///
    /// # Errors
    /// `SERVICE_UNAVAILABLE` when the database does not answer.
    pub async fn read(&self) -> Result<Box<dyn UnitOfWork>> {
        Ok(self.inner.storage.read().await?)
    }

    /// Commits, and wakes a worker if a job was enqueued.
    ///
    /// # Errors
    /// `SERVICE_UNAVAILABLE` or `INTERNAL_ERROR` when the commit failed; then nothing was written.
    pub async fn commit(&self, uow: Box<dyn UnitOfWork>) -> Result<()> {
        let enqueued = uow.has_enqueued();
        uow.commit().await?;
        if enqueued {
            self.inner.wakeup.notify().await;
        }
        Ok(())
    }

    /// Runs all hooks for an event, in its transaction.
    pub(crate) async fn emit(&self, uow: &mut dyn UnitOfWork, event: &DomainEvent) -> Result<()> {
        for hook in &self.inner.hooks {
            hook.on_event(self, uow, event).await?;
        }
        Ok(())
    }

    /// A new id.
    #[must_use]
    pub fn new_id<I: Id>(&self) -> I {
        let mut random = [0; 10];
        self.inner.entropy.fill(&mut random);
        uuid_v7(self.now(), random).into()
    }

    /// The current time.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.inner.clock.now()
    }

    /// The storage.
    #[must_use]
    pub fn storage(&self) -> &Arc<dyn Storage> {
        &self.inner.storage
    }

    /// The clock.
    #[must_use]
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.inner.clock
    }

    /// The source of randomness.
    #[must_use]
    pub fn entropy(&self) -> &dyn Entropy {
        &*self.inner.entropy
    }

    /// The settings.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.inner.settings
    }

    pub(crate) fn limits(&self) -> &Limits {
        &self.settings().limits
    }

    /// The limiter.
    #[must_use]
    pub fn limiter(&self) -> &dyn RateLimiter {
        &*self.inner.limiter
    }

    /// The port that wakes the workers.
    #[must_use]
    pub fn wakeup(&self) -> &Arc<dyn Wakeup> {
        &self.inner.wakeup
    }

    /// The issuer of access tokens.
    #[must_use]
    pub fn issuer(&self) -> &dyn TokenIssuer {
        &*self.inner.issuer
    }

    pub(crate) fn hasher(&self) -> &Hashing {
        &self.inner.hasher
    }

    pub(crate) fn authorizer(&self) -> &dyn Authorizer {
        &*self.inner.authorizer
    }

    pub(crate) fn secrets(&self) -> &SecretRing {
        &self.inner.secrets
    }

    pub(crate) fn sessions(&self) -> &Recent<SessionId, UserId, UserId> {
        &self.inner.sessions
    }

    pub(crate) fn subscriptions(&self) -> &Recent<OrgId, OrgId, Arc<[Subscription]>> {
        &self.inner.subscriptions
    }
}
