//! Sessions and single-use tokens in Redis, with another storage for everything else.
//!
//! Redis is not part of the database's transaction. So within a unit of work
//!
//! - look-ups, `rotate`, `take_one_time` and `delete_session` take effect **at once**, also if the unit is dropped;
//! - `insert_session`, `set_session_epoch`, `delete_sessions`, `put_one_time` and `delete_one_time` are buffered in the unit and
//!   take effect **after the commit**, in their order. A dropped unit runs none of them. Until the commit the unit itself does
//!   not see them.
//!
//! The inner unit opens its transaction at its first statement. A service that calls the immediate methods before its first
//! statement never waits for Redis with an open transaction.
//!
//! # When Redis fails after the commit
//!
//! `commit` returns [`StoreError::Unavailable`], and **the database has committed**. No ended session becomes valid through this:
//! `User::session_epoch` is in the database and has grown with the change of the password or the disabling of the account, and
//! every session is compared with it. Only additions can be missing (a new session: log in again; a mailed token: its job runs
//! again), and the end of other sessions where no epoch has grown (the caller tries again). The part after the commit runs to its
//! end even if the caller's future is dropped.

mod commands;

use std::any::Any;
use std::sync::Arc;

use async_trait::async_trait;
use tracing::Instrument as _;
use workscribe_core::clock::Timestamp;
use workscribe_core::id::{SessionId, UserId};
use workscribe_core::identity::{
    OneTimeToken, Purpose, Rotated, Rotation, Session, TokenHash, TokenStore, User,
};
use workscribe_core::storage::Party;
use workscribe_core::{NotReady, Storage, StoreError, StoreResult, UnitOfWork, every_store};

use crate::client::Redis;
use commands::Write;

/// A storage that keeps sessions and single-use tokens in Redis, and everything else in another storage.
pub struct RedisTokens {
    inner: Arc<dyn Storage>,
    redis: Redis,
}

impl RedisTokens {
    /// Keeps the tokens of `inner` in Redis. Existing tokens in `inner` are not moved, so users log in again.
    #[must_use]
    pub fn new(inner: Arc<dyn Storage>, redis: Redis) -> Self {
        Self { inner, redis }
    }

    fn unit(&self, inner: Box<dyn UnitOfWork>, writes: Writes) -> Box<dyn UnitOfWork> {
        Box::new(Unit { inner, redis: self.redis.clone(), writes })
    }
}

#[async_trait]
impl Storage for RedisTokens {
    async fn begin(&self) -> StoreResult<Box<dyn UnitOfWork>> {
        Ok(self.unit(self.inner.begin().await?, Writes::AfterCommit(Vec::new())))
    }

    async fn read(&self) -> StoreResult<Box<dyn UnitOfWork>> {
        Ok(self.unit(self.inner.read().await?, Writes::AtOnce))
    }

    async fn snapshot(&self) -> StoreResult<Box<dyn UnitOfWork>> {
        Ok(self.unit(self.inner.snapshot().await?, Writes::AtOnce))
    }

    async fn readiness(&self) -> Vec<NotReady> {
        let (mut parts, pong) = tokio::join!(self.inner.readiness(), self.redis.ping());
        if let Err(error) = pong {
            parts.push(NotReady { part: "redis", reason: error.to_string() });
        }
        parts
    }
}

/// Redis did not accept the changes that follow a commit.
#[derive(Debug, thiserror::Error)]
#[error("the database has committed, but Redis did not accept the changes of tokens that follow")]
struct NotApplied(#[source] StoreError);

enum Writes {
    /// In a transaction.
    AfterCommit(Vec<Write>),
    /// In a unit that only reads and is never committed.
    AtOnce,
}

struct Unit {
    inner: Box<dyn UnitOfWork>,
    redis: Redis,
    writes: Writes,
}

impl Unit {
    async fn write(&mut self, write: Write) -> StoreResult<()> {
        match &mut self.writes {
            Writes::AfterCommit(writes) => {
                writes.push(write);
                Ok(())
            }
            Writes::AtOnce => self.redis.apply(&write).await,
        }
    }
}

/// This unit is the store of tokens; the inner unit is every other store.
macro_rules! all_but_tokens {
    ($($(#[$doc:meta])* $accessor:ident: $store:path;)+) => {
        $(all_but_tokens!(@ $accessor, $store);)+
    };
    (@ tokens, $store:path) => {
        fn tokens(&mut self) -> &mut dyn $store {
            self
        }
    };
    (@ $accessor:ident, $store:path) => {
        fn $accessor(&mut self) -> &mut dyn $store {
            self.inner.$accessor()
        }
    };
}

#[async_trait]
impl UnitOfWork for Unit {
    fn on_behalf_of(&mut self, party: Party) {
        self.inner.on_behalf_of(party);
    }

    every_store!(all_but_tokens);

    fn has_enqueued(&self) -> bool {
        self.inner.has_enqueued()
    }

    fn as_any_mut(&mut self) -> &mut dyn Any {
        self.inner.as_any_mut()
    }

    async fn commit(self: Box<Self>) -> StoreResult<()> {
        let Self { inner, redis, writes } = *self;
        let writes = match writes {
            Writes::AfterCommit(writes) if !writes.is_empty() => writes,
            _ => return inner.commit().await,
        };
        // In a separate task, so that both steps run even if the caller's future is dropped.
        let both = async move {
            inner.commit().await?;
            for write in &writes {
                let failed = |error| StoreError::Unavailable(Box::new(NotApplied(error)));
                redis.apply(write).await.map_err(failed)?;
            }
            Ok(())
        };
        match tokio::spawn(both.in_current_span()).await {
            Ok(outcome) => outcome,
            Err(error) => Err(StoreError::Backend(Box::new(error))),
        }
    }
}

#[async_trait]
impl TokenStore for Unit {
    async fn insert_session(&mut self, session: &Session) -> StoreResult<()> {
        self.write(Write::InsertSession(Box::new(session.clone()))).await
    }

    async fn session_with_user(
        &mut self,
        id: SessionId,
        now: Timestamp,
    ) -> StoreResult<Option<(Session, User)>> {
        let Some(session) = self.redis.session(id, now).await? else { return Ok(None) };
        Ok(self.inner.users().find(session.user_id).await?.map(|user| (session, user)))
    }

    async fn session(&mut self, id: SessionId, now: Timestamp) -> StoreResult<Option<Session>> {
        self.redis.session(id, now).await
    }

    async fn sessions_of(&mut self, user: UserId, now: Timestamp) -> StoreResult<Vec<Session>> {
        self.redis.sessions_of(user, now).await
    }

    async fn rotate(&mut self, rotation: &Rotation) -> StoreResult<Option<Rotated>> {
        self.redis.rotate(rotation).await
    }

    async fn set_session_epoch(&mut self, id: SessionId, epoch: i64) -> StoreResult<()> {
        self.write(Write::SetSessionEpoch(id, epoch)).await
    }

    async fn delete_session(&mut self, user: UserId, id: SessionId) -> StoreResult<bool> {
        self.redis.delete_session(user, id).await
    }

    async fn delete_sessions(&mut self, user: UserId, except: Option<SessionId>) -> StoreResult<()> {
        self.write(Write::DeleteSessions(user, except)).await
    }

    async fn put_one_time(&mut self, token: &OneTimeToken) -> StoreResult<()> {
        self.write(Write::PutOneTime(Box::new(token.clone()))).await
    }

    async fn find_one_time(
        &mut self,
        purpose: Purpose,
        hash: &TokenHash,
        now: Timestamp,
    ) -> StoreResult<Option<OneTimeToken>> {
        self.redis.find_one_time(purpose, hash, now).await
    }

    async fn take_one_time(
        &mut self,
        purpose: Purpose,
        hash: &TokenHash,
        now: Timestamp,
    ) -> StoreResult<Option<OneTimeToken>> {
        self.redis.take_one_time(purpose, hash, now).await
    }

    async fn delete_one_time(&mut self, user: UserId, purpose: Purpose) -> StoreResult<()> {
        self.write(Write::DeleteOneTime(user, purpose)).await
    }

    /// Removes nothing: the keys expire by themselves.
    async fn sweep(&mut self, _now: Timestamp, _limit: u32) -> StoreResult<u64> {
        Ok(0)
    }
}
