//! The commands for tokens in Redis, and how tokens are stored there. All keys begin with the prefix.
//!
//! | key | what |
//! |---|---|
//! | `session:<id>` | hash: the fields of a session, `previous` (the token before the current one) and `rotated_at` |
//! | `user:<id>:sessions` | sorted set: the ids of a user's sessions by `created_at`; it may contain ended ones |
//! | `once:<purpose>:<hash>` | JSON: a single-use token |
//! | `user:<id>:once:<purpose>` | hash: from the ids of a user's tokens to their hashes, also of used tokens, so that none can be inserted again |
//!
//! Times are whole microseconds since 1970. The caller's `now` decides whether something has expired. The keys themselves expire
//! later and only for clean-up, so differences between clocks have no effect.

use std::collections::HashMap;
use std::sync::LazyLock;

use chrono::TimeDelta;
use deadpool_redis::redis::{Script, cmd};
use serde::{Deserialize, Serialize};
use workscribe_core::clock::{Clock, SystemClock, Timestamp};
use workscribe_core::id::{OneTimeTokenId, SessionId, UserId};
use workscribe_core::identity::{
    Client, Email, OneTimeToken, Purpose, Rotated, Rotation, Session, TokenHash,
};
use workscribe_core::{StoreError, StoreResult};

use crate::client::Redis;

macro_rules! scripts {
    ($($name:ident = $file:literal;)+) => {$(
        static $name: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!(concat!("../lua/", $file))));
    )+};
}

scripts! {
    INSERT_SESSION = "insert_session.lua";
    ROTATE = "rotate.lua";
    SESSIONS_OF = "sessions_of.lua";
    SET_SESSION_EPOCH = "set_session_epoch.lua";
    DELETE_SESSION = "delete_session.lua";
    DELETE_SESSIONS = "delete_sessions.lua";
    PUT_ONE_TIME = "put_one_time.lua";
    TAKE_ONE_TIME = "take_one_time.lua";
    DELETE_ONE_TIME = "delete_one_time.lua";
}

/// A change that a unit of work makes after its commit.
pub(super) enum Write {
    InsertSession(Box<Session>),
    SetSessionEpoch(SessionId, i64),
    DeleteSessions(UserId, Option<SessionId>),
    PutOneTime(Box<OneTimeToken>),
    DeleteOneTime(UserId, Purpose),
}

/// The value of a single-use token. The hash and the purpose are in its key.
#[derive(Serialize, Deserialize)]
struct StoredOneTime {
    id: OneTimeTokenId,
    user_id: UserId,
    email: Email,
    expires_at: i64,
}

type Fields = HashMap<String, String>;

impl Redis {
    fn session_key(&self, id: SessionId) -> String {
        self.key(&format!("session:{id}"))
    }

    fn sessions_key(&self, user: UserId) -> String {
        self.key(&format!("user:{user}:sessions"))
    }

    fn one_time_key(&self, purpose: Purpose, hash: &str) -> String {
        self.key(&format!("once:{}:{hash}", purpose.as_str()))
    }

    fn one_times_key(&self, user: UserId, purpose: Purpose) -> String {
        self.key(&format!("user:{user}:once:{}", purpose.as_str()))
    }

    pub(super) async fn apply(&self, write: &Write) -> StoreResult<()> {
        match write {
            Write::InsertSession(session) => self.insert_session(session).await,
            Write::SetSessionEpoch(id, epoch) => {
                self.script(SET_SESSION_EPOCH.key(self.session_key(*id)).arg(*epoch)).await
            }
            Write::DeleteSessions(user, except) => {
                let except = except.map_or_else(String::new, |id| id.to_string());
                let mut script = DELETE_SESSIONS.key(self.sessions_key(*user));
                self.script(script.arg(self.key("session:")).arg(except)).await
            }
            Write::PutOneTime(token) => self.put_one_time(token).await,
            Write::DeleteOneTime(user, purpose) => {
                let mut script = DELETE_ONE_TIME.key(self.one_times_key(*user, *purpose));
                self.script(script.arg(self.one_time_key(*purpose, ""))).await
            }
        }
    }

    async fn insert_session(&self, session: &Session) -> StoreResult<()> {
        let mut script = INSERT_SESSION.key(self.session_key(session.id));
        script
            .key(self.sessions_key(session.user_id))
            .arg(keep_for(session.expires_at - session.last_used_at))
            .arg(session.created_at.timestamp_micros())
            .arg(session.id.to_string())
            .arg(self.key("session:"));
        for (field, value) in fields(session) {
            script.arg(field).arg(value);
        }
        if self.script::<bool>(&script).await? {
            Ok(())
        } else {
            Err(StoreError::Backend("sessions: insert: there is a session with this id".into()))
        }
    }

    async fn put_one_time(&self, token: &OneTimeToken) -> StoreResult<()> {
        let value = StoredOneTime {
            id: token.id,
            user_id: token.user_id,
            email: token.email.clone(),
            expires_at: token.expires_at.timestamp_micros(),
        };
        let value = serde_json::to_string(&value).map_err(|error| StoreError::Backend(Box::new(error)))?;
        let hash = token.hash.to_hex();
        // The caller passes no time here. The margin of a day keeps the token long enough if the callers' clock is slow.
        let left = token.expires_at - SystemClock.now();
        let left = left.max(TimeDelta::zero()) + TimeDelta::days(1);
        let mut script = PUT_ONE_TIME.key(self.one_time_key(token.purpose, &hash));
        script
            .key(self.one_times_key(token.user_id, token.purpose))
            .arg(token.id.to_string())
            .arg(&hash)
            .arg(value)
            .arg(keep_for(left));
        self.script(&script).await
    }

    pub(super) async fn session(&self, id: SessionId, now: Timestamp) -> StoreResult<Option<Session>> {
        let fields: Fields = self.query(cmd("HGETALL").arg(self.session_key(id))).await?;
        if fields.is_empty() {
            return Ok(None);
        }
        Ok(Some(session(id, &fields)?).filter(|session| session.expires_at > now))
    }

    pub(super) async fn sessions_of(&self, user: UserId, now: Timestamp) -> StoreResult<Vec<Session>> {
        let mut script = SESSIONS_OF.key(self.sessions_key(user));
        script.arg(self.key("session:")).arg(now.timestamp_micros());
        let rows: Vec<(String, Fields)> = self.script(&script).await?;
        rows.iter()
            .map(|(id, fields)| session(id.parse().map_err(|_| corrupt("session", "its id"))?, fields))
            .collect()
    }

    pub(super) async fn rotate(&self, rotation: &Rotation) -> StoreResult<Option<Rotated>> {
        let mut script = ROTATE.key(self.session_key(rotation.session));
        script
            .arg(rotation.session.to_string())
            .arg(rotation.presented.to_hex())
            .arg(rotation.successor.to_hex())
            .arg(rotation.now.timestamp_micros())
            .arg(rotation.grace_since.timestamp_micros())
            .arg(rotation.expires_at.timestamp_micros())
            .arg(keep_for(rotation.expires_at - rotation.now))
            .arg(self.key("user:"))
            .arg(":sessions");
        let row: Option<(bool, Fields)> = self.script(&script).await?;
        row.map(|(repeated, fields)| Ok(Rotated { session: session(rotation.session, &fields)?, repeated }))
            .transpose()
    }

    pub(super) async fn delete_session(&self, user: UserId, id: SessionId) -> StoreResult<bool> {
        let mut script = DELETE_SESSION.key(self.session_key(id));
        script.key(self.sessions_key(user)).arg(user.to_string()).arg(id.to_string());
        self.script(&script).await
    }

    pub(super) async fn find_one_time(
        &self,
        purpose: Purpose,
        hash: &TokenHash,
        now: Timestamp,
    ) -> StoreResult<Option<OneTimeToken>> {
        let value = self.query(cmd("GET").arg(self.one_time_key(purpose, &hash.to_hex()))).await?;
        Ok(one_time(purpose, hash, value)?.filter(|token| token.expires_at > now))
    }

    pub(super) async fn take_one_time(
        &self,
        purpose: Purpose,
        hash: &TokenHash,
        now: Timestamp,
    ) -> StoreResult<Option<OneTimeToken>> {
        let mut script = TAKE_ONE_TIME.key(self.one_time_key(purpose, &hash.to_hex()));
        let value = self.script(script.arg(now.timestamp_micros())).await?;
        one_time(purpose, hash, value)
    }
}

fn one_time(purpose: Purpose, hash: &TokenHash, value: Option<String>) -> StoreResult<Option<OneTimeToken>> {
    let Some(value) = value else { return Ok(None) };
    // The error does not quote the value, which could contain an address.
    let stored: StoredOneTime = serde_json::from_str(&value).map_err(|_| corrupt("once", "its JSON"))?;
    Ok(Some(OneTimeToken {
        id: stored.id,
        hash: *hash,
        purpose,
        user_id: stored.user_id,
        email: stored.email,
        expires_at: Timestamp::from_timestamp_micros(stored.expires_at)
            .ok_or_else(|| corrupt("once", "expires_at"))?,
    }))
}

/// How long a key is kept, in milliseconds: a minute longer than its content is valid, at most ten years.
fn keep_for(left: TimeDelta) -> i64 {
    (left.clamp(TimeDelta::zero(), TimeDelta::days(3_650)) + TimeDelta::minutes(1)).num_milliseconds()
}

fn fields(session: &Session) -> Vec<(&'static str, String)> {
    let mut fields = vec![
        ("user_id", session.user_id.to_string()),
        ("epoch", session.epoch.to_string()),
        ("refresh", session.refresh_hash.to_hex()),
        ("created_at", session.created_at.timestamp_micros().to_string()),
        ("last_used_at", session.last_used_at.timestamp_micros().to_string()),
        ("expires_at", session.expires_at.timestamp_micros().to_string()),
    ];
    fields.extend(session.client.ip.map(|ip| ("ip", ip.to_string())));
    fields.extend(session.client.user_agent.clone().map(|agent| ("user_agent", agent)));
    fields
}

fn session(id: SessionId, fields: &Fields) -> StoreResult<Session> {
    let text = |field: &'static str| fields.get(field).ok_or_else(|| corrupt("session", field));
    let number = |field: &'static str| text(field)?.parse::<i64>().map_err(|_| corrupt("session", field));
    let time = |field: &'static str| {
        Timestamp::from_timestamp_micros(number(field)?).ok_or_else(|| corrupt("session", field))
    };
    Ok(Session {
        id,
        user_id: text("user_id")?.parse().map_err(|_| corrupt("session", "user_id"))?,
        epoch: number("epoch")?,
        refresh_hash: hash(text("refresh")?).ok_or_else(|| corrupt("session", "refresh"))?,
        created_at: time("created_at")?,
        last_used_at: time("last_used_at")?,
        expires_at: time("expires_at")?,
        client: Client {
            ip: fields.get("ip").map(|ip| ip.parse().map_err(|_| corrupt("session", "ip"))).transpose()?,
            user_agent: fields.get("user_agent").cloned(),
        },
    })
}

fn hash(hex: &str) -> Option<TokenHash> {
    let mut bytes = [0; 32];
    if hex.len() != 64 || !hex.is_ascii() {
        return None;
    }
    for (at, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&hex[2 * at..2 * at + 2], 16).ok()?;
    }
    Some(TokenHash(bytes))
}

fn corrupt(table: &'static str, field: &str) -> StoreError {
    StoreError::Corrupt { table, problem: format!("{field} is missing or not readable") }
}
