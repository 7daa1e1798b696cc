//! Sessions and single-use tokens.

use async_trait::async_trait;
use workscribe_core::clock::Timestamp;
use workscribe_core::id::{SessionId, UserId};
use workscribe_core::identity::{
    OneTimeToken, Purpose, Rotated, Rotation, Session, TokenHash, TokenStore, User,
};
use workscribe_core::{Constraint, StoreError};

use super::{MemoryUnit, Tables, conflict, sweep_some, taken_key};

/// The most sessions of a user that are listed.
const SESSIONS_LISTED: usize = 100;

#[derive(Clone)]
pub(super) struct Row {
    session: Session,
    /// The token before the live one, and when it was swapped.
    previous: Option<(TokenHash, Timestamp)>,
}

impl Tables {
    fn live_session(&self, id: SessionId, now: Timestamp) -> Option<&Session> {
        self.sessions.get(&id).map(|row| &row.session).filter(|session| session.expires_at > now)
    }

    fn live_token(&self, purpose: Purpose, hash: &TokenHash, now: Timestamp) -> Option<&OneTimeToken> {
        let mut live = self.one_time.values().filter(|token| !self.spent.contains(&token.id));
        live.find(|token| token.purpose == purpose && token.hash == *hash && token.expires_at > now)
    }

    pub(super) fn require_user(&self, id: UserId) -> Result<(), StoreError> {
        if self.users.contains_key(&id) { Ok(()) } else { Err(conflict(Constraint::Reference)) }
    }
}

#[async_trait]
impl TokenStore for MemoryUnit {
    async fn insert_session(&mut self, session: &Session) -> Result<(), StoreError> {
        self.change(|tables| {
            tables.require_user(session.user_id)?;
            if tables.sessions.contains_key(&session.id) {
                return Err(taken_key());
            }
            tables.sessions.insert(session.id, Row { session: session.clone(), previous: None });
            Ok(())
        })
        .await
    }

    async fn session_with_user(
        &mut self,
        id: SessionId,
        now: Timestamp,
    ) -> Result<Option<(Session, User)>, StoreError> {
        self.view(|tables| {
            let session = tables.live_session(id, now)?;
            let user = tables.users.get(&session.user_id)?;
            Some((session.clone(), user.user.clone()))
        })
        .await
    }

    async fn session(&mut self, id: SessionId, now: Timestamp) -> Result<Option<Session>, StoreError> {
        self.view(|tables| tables.live_session(id, now).cloned()).await
    }

    async fn sessions_of(&mut self, user: UserId, now: Timestamp) -> Result<Vec<Session>, StoreError> {
        self.view(|tables| {
            let rows = tables.sessions.values().map(|row| &row.session);
            let mut sessions: Vec<Session> =
                rows.filter(|session| session.user_id == user && session.expires_at > now).cloned().collect();
            sessions.sort_by_key(|session| std::cmp::Reverse((session.created_at, session.id)));
            sessions.truncate(SESSIONS_LISTED);
            sessions
        })
        .await
    }

    async fn rotate(&mut self, rotation: &Rotation) -> Result<Option<Rotated>, StoreError> {
        self.change(|tables| {
            let Some(row) = tables.sessions.get_mut(&rotation.session) else { return Ok(None) };
            let session = &mut row.session;
            if session.expires_at <= rotation.now {
                return Ok(None);
            }
            let is_live = session.refresh_hash == rotation.presented;
            let in_grace = row.previous.is_some_and(|(previous, rotated_at)| {
                previous == rotation.presented
                    && session.refresh_hash == rotation.successor
                    && rotated_at > rotation.grace_since
            });
            if !is_live && !in_grace {
                return Ok(None);
            }
            if is_live {
                row.previous = Some((rotation.presented, rotation.now));
                session.refresh_hash = rotation.successor;
            }
            session.last_used_at = rotation.now;
            session.expires_at = rotation.expires_at;
            Ok(Some(Rotated { session: session.clone(), repeated: !is_live }))
        })
        .await
    }

    async fn set_session_epoch(&mut self, id: SessionId, epoch: i64) -> Result<(), StoreError> {
        self.change(|tables| {
            if let Some(row) = tables.sessions.get_mut(&id) {
                row.session.epoch = epoch;
            }
            Ok(())
        })
        .await
    }

    async fn delete_session(&mut self, user: UserId, id: SessionId) -> Result<bool, StoreError> {
        self.change(|tables| {
            if tables.sessions.get(&id).is_none_or(|row| row.session.user_id != user) {
                return Ok(false);
            }
            Ok(tables.sessions.remove(&id).is_some())
        })
        .await
    }

    async fn delete_sessions(&mut self, user: UserId, except: Option<SessionId>) -> Result<(), StoreError> {
        self.change(|tables| {
            tables.sessions.retain(|id, row| row.session.user_id != user || Some(*id) == except);
            Ok(())
        })
        .await
    }

    async fn put_one_time(&mut self, token: &OneTimeToken) -> Result<(), StoreError> {
        self.change(|tables| {
            tables.require_user(token.user_id)?;
            tables.one_time.entry(token.id).or_insert_with(|| token.clone());
            Ok(())
        })
        .await
    }

    async fn find_one_time(
        &mut self,
        purpose: Purpose,
        hash: &TokenHash,
        now: Timestamp,
    ) -> Result<Option<OneTimeToken>, StoreError> {
        self.view(|tables| tables.live_token(purpose, hash, now).cloned()).await
    }

    async fn take_one_time(
        &mut self,
        purpose: Purpose,
        hash: &TokenHash,
        now: Timestamp,
    ) -> Result<Option<OneTimeToken>, StoreError> {
        self.change(|tables| {
            let token = tables.live_token(purpose, hash, now).cloned();
            tables.spent.extend(token.as_ref().map(|token| token.id));
            Ok(token)
        })
        .await
    }

    async fn delete_one_time(&mut self, user: UserId, purpose: Purpose) -> Result<(), StoreError> {
        self.change(|tables| {
            let theirs = |token: &&OneTimeToken| token.user_id == user && token.purpose == purpose;
            tables.spent.extend(tables.one_time.values().filter(theirs).map(|token| token.id));
            Ok(())
        })
        .await
    }

    async fn sweep(&mut self, now: Timestamp, limit: u32) -> Result<u64, StoreError> {
        self.change(|tables| {
            let sessions = sweep_some(&mut tables.sessions, limit, |row| row.session.expires_at <= now);
            Ok(sessions + sweep_some(&mut tables.one_time, limit, |token| token.expires_at <= now))
        })
        .await
    }
}
