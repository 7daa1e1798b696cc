//! Sessions and single-use tokens.

use std::net::IpAddr;

use async_trait::async_trait;
use sqlx::types::Uuid;
use sqlx::{FromRow, query, query_as};
use workscribe_core::clock::Timestamp;
use workscribe_core::id::{SessionId, UserId};
use workscribe_core::identity::{
    Client, Email, OneTimeToken, Purpose, Rotated, Rotation, Session, TokenHash, TokenStore, User,
};
use workscribe_core::{StoreError, StoreResult};

use super::bind::BindAll as _;
use super::users::UserRow;
use super::{Ts, Unit, corrupt, token_hash};

#[derive(FromRow)]
struct SessionRow {
    session_id: Uuid,
    session_user_id: Uuid,
    session_epoch_then: i64,
    refresh_hash: Vec<u8>,
    session_created_at: Ts,
    last_used_at: Ts,
    expires_at: Ts,
    ip: Option<String>,
    user_agent: Option<String>,
}

impl TryFrom<SessionRow> for Session {
    type Error = StoreError;

    fn try_from(row: SessionRow) -> StoreResult<Self> {
        let ip = row.ip.map(|ip| ip.parse::<IpAddr>()).transpose();
        Ok(Self {
            id: row.session_id.into(),
            user_id: row.session_user_id.into(),
            epoch: row.session_epoch_then,
            refresh_hash: token_hash("ws_sessions", row.refresh_hash)?,
            created_at: row.session_created_at.0,
            last_used_at: row.last_used_at.0,
            expires_at: row.expires_at.0,
            client: Client {
                ip: ip.map_err(|_| corrupt("ws_sessions", "ip is not an address"))?,
                user_agent: row.user_agent,
            },
        })
    }
}

#[derive(FromRow)]
pub(crate) struct SessionWithUserRow {
    #[sqlx(flatten)]
    session: SessionRow,
    #[sqlx(flatten)]
    user: UserRow,
}

#[derive(FromRow)]
struct RotatedRow {
    #[sqlx(flatten)]
    session: SessionRow,
    repeats: i64,
}

#[derive(FromRow)]
struct OneTimeRow {
    id: Uuid,
    token_hash: Vec<u8>,
    purpose: String,
    user_id: Uuid,
    email: String,
    expires_at: Ts,
}

impl TryFrom<OneTimeRow> for OneTimeToken {
    type Error = StoreError;

    fn try_from(row: OneTimeRow) -> StoreResult<Self> {
        let purpose = [Purpose::ResetPassword, Purpose::VerifyEmail]
            .into_iter()
            .find(|purpose| purpose.as_str() == row.purpose)
            .ok_or_else(|| corrupt("ws_one_time_tokens", format!("purpose is {:?}", row.purpose)))?;
        Ok(Self {
            id: row.id.into(),
            hash: token_hash("ws_one_time_tokens", row.token_hash)?,
            purpose,
            user_id: row.user_id.into(),
            email: Email::from_stored(row.email),
            expires_at: row.expires_at.0,
        })
    }
}

impl TryFrom<SessionWithUserRow> for (Session, User) {
    type Error = StoreError;

    fn try_from(row: SessionWithUserRow) -> StoreResult<Self> {
        Ok((row.session.try_into()?, row.user.into()))
    }
}

#[async_trait]
impl TokenStore for Unit {
    async fn insert_session(&mut self, session: &Session) -> StoreResult<()> {
        let insert = query(
            "INSERT INTO ws_sessions (id, user_id, epoch, refresh_hash, repeats, created_at, last_used_at, expires_at,
                                      ip, user_agent)
             VALUES ($1, $2, $3, $4, 0, $5, $6, $7, $8, $9)",
        )
        .bind_all((
            session.id, session.user_id, session.epoch, &session.refresh_hash.0[..], session.created_at,
            session.last_used_at, session.expires_at, session.client.ip.map(|ip| ip.to_string()),
            &session.client.user_agent,
        ));
        self.execute("ws_sessions: insert", insert).await?;
        Ok(())
    }

    async fn session_with_user(
        &mut self,
        id: SessionId,
        now: Timestamp,
    ) -> StoreResult<Option<(Session, User)>> {
        let found = match self.together() {
            Some(reads) => reads.sessions.load(id).await?,
            None => Box::pin(self.session_and_user(id)).await?,
        };
        Ok(found.filter(|(session, _)| session.expires_at > now))
    }

    async fn session(&mut self, id: SessionId, now: Timestamp) -> StoreResult<Option<Session>> {
        let find = query_as::<_, SessionRow>(concat!(
            "SELECT ",
            session_columns!(""),
            " FROM ws_sessions WHERE id = $1 AND expires_at > $2"
        ))
        .bind_all((id, now));
        self.optional("ws_sessions: find", find).await?.map(Session::try_from).transpose()
    }

    async fn sessions_of(&mut self, user: UserId, now: Timestamp) -> StoreResult<Vec<Session>> {
        let list = query_as::<_, SessionRow>(concat!(
            "SELECT ",
            session_columns!(""),
            " FROM ws_sessions WHERE user_id = $1 AND expires_at > $2 ORDER BY created_at DESC, id DESC LIMIT 100"
        ))
        .bind_all((user, now));
        self.all("ws_sessions: of user", list).await?.into_iter().map(Session::try_from).collect()
    }

    async fn rotate(&mut self, rotation: &Rotation) -> StoreResult<Option<Rotated>> {
        // One statement: of many at the same time, one rotates the token and the others see its result. Each SET reads the row as
        // it was, and in both branches the current token afterwards is the successor.
        let update = query_as::<_, RotatedRow>(concat!(
            "UPDATE ws_sessions
                SET previous_hash = $2,
                    rotated_at = CASE WHEN refresh_hash = $2 THEN $4 ELSE rotated_at END,
                    repeats = CASE WHEN refresh_hash = $2 THEN 0 ELSE repeats + 1 END,
                    refresh_hash = $3, last_used_at = $4, expires_at = $6
              WHERE id = $1 AND expires_at > $4
                AND (refresh_hash = $2 OR (previous_hash = $2 AND refresh_hash = $3 AND rotated_at > $5))
             RETURNING ",
            session_columns!(""),
            ", repeats"
        ))
        .bind_all((
            rotation.session,
            &rotation.presented.0[..],
            &rotation.successor.0[..],
            rotation.now,
            rotation.grace_since,
            rotation.expires_at,
        ));
        let rotated = self.optional("ws_sessions: rotate", update).await?;
        rotated
            .map(|row| Ok(Rotated { session: row.session.try_into()?, repeated: row.repeats > 0 }))
            .transpose()
    }

    async fn set_session_epoch(&mut self, id: SessionId, epoch: i64) -> StoreResult<()> {
        let update = query("UPDATE ws_sessions SET epoch = $2 WHERE id = $1").bind_all((id, epoch));
        self.execute("ws_sessions: set epoch", update).await?;
        Ok(())
    }

    async fn delete_session(&mut self, user: UserId, id: SessionId) -> StoreResult<bool> {
        let delete = query("DELETE FROM ws_sessions WHERE id = $1 AND user_id = $2").bind_all((id, user));
        Ok(self.execute("ws_sessions: delete", delete).await? > 0)
    }

    async fn delete_sessions(&mut self, user: UserId, except: Option<SessionId>) -> StoreResult<()> {
        let delete = query("DELETE FROM ws_sessions WHERE user_id = $1 AND ($2 IS NULL OR id <> $2)")
            .bind_all((user, except.map(|id| id.as_uuid())));
        self.execute("ws_sessions: delete of user", delete).await?;
        Ok(())
    }

    async fn put_one_time(&mut self, token: &OneTimeToken) -> StoreResult<()> {
        let insert = query(
            "INSERT INTO ws_one_time_tokens (id, token_hash, purpose, user_id, email, expires_at)
             VALUES ($1, $2, $3, $4, $5, $6)
             ON CONFLICT (id) DO NOTHING",
        )
        .bind_all((
            token.id,
            &token.hash.0[..],
            token.purpose.as_str(),
            token.user_id,
            token.email.as_str(),
            token.expires_at,
        ));
        self.execute("ws_one_time_tokens: put", insert).await?;
        Ok(())
    }

    async fn find_one_time(
        &mut self,
        purpose: Purpose,
        hash: &TokenHash,
        now: Timestamp,
    ) -> StoreResult<Option<OneTimeToken>> {
        let find = query_as::<_, OneTimeRow>(concat!(
            "SELECT ",
            one_time_columns!(),
            " FROM ws_one_time_tokens WHERE token_hash = $1 AND purpose = $2 AND expires_at > $3 AND NOT spent"
        ))
        .bind_all((&hash.0[..], purpose.as_str(), now));
        self.optional("ws_one_time_tokens: find", find).await?.map(OneTimeToken::try_from).transpose()
    }

    async fn take_one_time(
        &mut self,
        purpose: Purpose,
        hash: &TokenHash,
        now: Timestamp,
    ) -> StoreResult<Option<OneTimeToken>> {
        let take = query_as::<_, OneTimeRow>(concat!(
            "UPDATE ws_one_time_tokens SET spent = TRUE
              WHERE token_hash = $1 AND purpose = $2 AND expires_at > $3 AND NOT spent
             RETURNING ",
            one_time_columns!()
        ))
        .bind_all((&hash.0[..], purpose.as_str(), now));
        self.optional("ws_one_time_tokens: take", take).await?.map(OneTimeToken::try_from).transpose()
    }

    async fn delete_one_time(&mut self, user: UserId, purpose: Purpose) -> StoreResult<()> {
        let spend = query("UPDATE ws_one_time_tokens SET spent = TRUE WHERE user_id = $1 AND purpose = $2")
            .bind_all((user, purpose.as_str()));
        self.execute("ws_one_time_tokens: spend those of user", spend).await?;
        Ok(())
    }

    async fn sweep(&mut self, now: Timestamp, limit: u32) -> StoreResult<u64> {
        let sessions = query(concat!(
            "DELETE FROM ws_sessions WHERE expires_at <= $1 AND id ",
            any_of!("(SELECT id FROM ws_sessions WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2)")
        ))
        .bind_all((now, limit));
        let tokens = query(concat!(
            "DELETE FROM ws_one_time_tokens WHERE id ",
            any_of!(
                "(SELECT id FROM ws_one_time_tokens WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2)"
            )
        ))
        .bind_all((now, limit));
        let swept = self.execute("ws_sessions: sweep", sessions).await?;
        Ok(swept + self.execute("ws_one_time_tokens: sweep", tokens).await?)
    }
}

impl Unit {
    /// A session, even if it has expired.
    pub(crate) async fn session_and_user(&mut self, id: SessionId) -> StoreResult<Option<(Session, User)>> {
        let find = query_as::<_, SessionWithUserRow>(concat!(
            "SELECT ",
            session_columns!("s."),
            ", ",
            user_columns!("u."),
            " FROM (SELECT * FROM ws_sessions WHERE id = $1 LIMIT 1) AS s ",
            one_of!("ws_users", "u", "u.id = s.user_id")
        ))
        .bind(id.as_uuid());
        let found = self.optional("ws_sessions: with user", find).await?;
        found.map(TryFrom::try_from).transpose()
    }
}
