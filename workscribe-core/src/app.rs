//! The application: storage and ports put together, from which the services are had.

use std::sync::Arc;

use chrono::TimeDelta;

use crate::clock::{Clock, Entropy, SystemClock, SystemEntropy, Timestamp};
use crate::error::Error;
use crate::events::{DomainEvent, Hook};
use crate::id::{Id, JobId, OrgId, SessionId, UserId, uuid_v7};
use crate::identity::{
    Hashing, HashingShares, Identity, LoginDelay, Normalising, PasswordPolicy, SecretRing,
};
use crate::limits::Limits;
use crate::local::{BcryptHasher, JwtIssuer, LocalRateLimiter, LocalWakeup, Unlimited};
use crate::notifications::Notifications;
use crate::outbox::{Enqueued, Job, Jobs, NewJob};
use crate::ports::{Authorizer, PasswordHasher, RateLimiter, TokenIssuer, Wakeup};
use crate::recent::Recent;
use crate::search::Search;
use crate::storage::{Storage, UnitOfWork};
use crate::tenancy::{OrgScope, Organizations, RoleTable};
use crate::transfer::Transfer;
use crate::webhooks::{Listener, WebhookNetworks, Webhooks};
use crate::work::{Projects, Tasks};

/// How late another node hears of a new webhook: a second.
const LISTENERS_TTL: TimeDelta = TimeDelta::seconds(1);
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

/// WorkScribe, ready to be used. Cloning it is cheap, and the clones are one.
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
    listeners: Recent<OrgId, OrgId, Arc<[Listener]>>,
}

impl WorkScribe {
    /// Begins with a storage and the server's keys; everything else has an in-process default.
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

    /// Users and sessions.
    #[must_use]
    pub fn identity(&self) -> Identity<'_> {
        Identity::new(self)
    }

    /// Organizations, members and invitations.
    #[must_use]
    pub fn organizations(&self) -> Organizations<'_> {
        Organizations::new(self)
    }

    /// Projects, with their statuses and labels.
    #[must_use]
    pub fn projects(&self) -> Projects<'_> {
        Projects::new(self)
    }

    /// Tasks, comments, and what happened.
    #[must_use]
    pub fn tasks(&self) -> Tasks<'_> {
        Tasks::new(self)
    }

    /// Notifications to people.
    #[must_use]
    pub fn notifications(&self) -> Notifications<'_> {
        Notifications::new(self)
    }

    /// Finding things.
    #[must_use]
    pub fn search(&self) -> Search<'_> {
        Search::new(self)
    }

    /// Endpoints that are told of what happens.
    #[must_use]
    pub const fn webhooks(&self) -> Webhooks<'_> {
        Webhooks::new(self)
    }

    /// Whole organizations, out and in.
    #[must_use]
    pub fn transfer(&self) -> Transfer<'_> {
        Transfer::new(self)
    }

    /// Jobs, outside of a unit of work.
    #[must_use]
    pub const fn jobs(&self) -> Jobs<'_> {
        Jobs::new(self)
    }

    /// A transaction; see [`Storage::begin`].
    ///
    /// # Errors
    /// `SERVICE_UNAVAILABLE` when the database does not answer.
    pub async fn begin(&self) -> Result<Box<dyn UnitOfWork>, Error> {
        Ok(self.inner.storage.begin().await?)
    }

    /// A unit for reading; see [`Storage::read`].
    ///
    /// # Errors
    /// `SERVICE_UNAVAILABLE` when the database does not answer.
    pub async fn read(&self) -> Result<Box<dyn UnitOfWork>, Error> {
        Ok(self.inner.storage.read().await?)
    }

    /// Commits, and wakes a worker if a job was enqueued.
    ///
    /// # Errors
    /// `SERVICE_UNAVAILABLE` or `INTERNAL_ERROR` when the commit failed; nothing was written then.
    pub async fn commit(&self, uow: Box<dyn UnitOfWork>) -> Result<(), Error> {
        let enqueued = uow.has_enqueued();
        uow.commit().await?;
        if enqueued {
            self.inner.wakeup.notify().await;
        }
        Ok(())
    }

    /// Adds a job to the unit's outbox, with its kind's options.
    ///
    /// # Errors
    /// When it cannot be written.
    pub async fn enqueue<J: Job>(&self, uow: &mut dyn UnitOfWork, job: &J) -> Result<JobId, Error> {
        let job = self.jobs().prepare(job)?;
        self.enqueue_all(uow, std::slice::from_ref(&job)).await?;
        Ok(job.id)
    }

    /// Adds jobs to the unit's outbox, in one statement, and answers what became of each: one whose unique key is taken is
    /// left out. [`Jobs::prepare`] makes them.
    ///
    /// # Errors
    /// When they cannot be written.
    pub async fn enqueue_all(
        &self,
        uow: &mut dyn UnitOfWork,
        jobs: &[NewJob],
    ) -> Result<Vec<Enqueued>, Error> {
        Ok(uow.outbox().enqueue(jobs).await?)
    }

    /// Tells every hook, and the organization's webhooks, within the transaction.
    pub(crate) async fn announce(
        &self,
        uow: &mut dyn UnitOfWork,
        scope: &OrgScope,
        event: &DomainEvent,
    ) -> Result<(), Error> {
        self.emit(uow, event).await?;
        self.webhooks().publish(uow, scope, event).await
    }

    /// Tells every hook, within the transaction.
    pub(crate) async fn emit(&self, uow: &mut dyn UnitOfWork, event: &DomainEvent) -> Result<(), Error> {
        for hook in &self.inner.hooks {
            hook.on_event(self, uow, event).await?;
        }
        Ok(())
    }

    /// A fresh id.
    #[must_use]
    pub fn new_id<I: Id>(&self) -> I {
        let mut random = [0; 10];
        self.inner.entropy.fill(&mut random);
        uuid_v7(self.now(), random).into()
    }

    /// The present moment.
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

    /// The rules that are configuration.
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

    /// What wakes the workers.
    #[must_use]
    pub fn wakeup(&self) -> &Arc<dyn Wakeup> {
        &self.inner.wakeup
    }

    /// What makes and reads access tokens.
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

    pub(crate) fn listeners(&self) -> &Recent<OrgId, OrgId, Arc<[Listener]>> {
        &self.inner.listeners
    }
}

/// Puts a [`WorkScribe`] together.
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
        /// Another clock.
        clock: Arc<dyn Clock> => |clock| clock;
        /// Another source of randomness.
        entropy: Arc<dyn Entropy> => |entropy| entropy;
        /// Another password hasher than bcrypt of cost 12. It sees passwords in Normalization Form KC.
        hasher: Arc<dyn PasswordHasher> => |hasher| Some(hasher);
        /// Another issuer of access tokens than HS256 with the server's keys.
        issuer: Arc<dyn TokenIssuer> => |issuer| Some(issuer);
        /// Another limiter than one in this process's memory. None limits where the rates are lifted ([`Limits::lifted`]).
        limiter: Arc<dyn RateLimiter> => |limiter| Some(limiter);
        /// Another wake-up than one within this process.
        wakeup: Arc<dyn Wakeup> => |wakeup| Some(wakeup);
        /// Other rules for roles than [`RoleTable`].
        authorizer: Arc<dyn Authorizer> => |authorizer| authorizer;
        /// Other rules than the defaults.
        settings: Settings => |settings| settings;
    }

    /// Adds a hook; hooks run in the order in which they were added.
    #[must_use]
    pub fn hook(mut self, hook: Arc<dyn Hook>) -> Self {
        self.hooks.push(hook);
        self
    }

    /// Puts it together.
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
                listeners: Recent::new(LISTENERS_TTL),
            }),
        }
    }
}
