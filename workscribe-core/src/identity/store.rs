//! The store traits of accounts, failed logins, bounced addresses, sessions and tokens.

use async_trait::async_trait;

use crate::clock::Timestamp;
use crate::id::{SessionId, UserId};
use crate::store_error::StoreError;

use super::delay::LoginPlace;
use super::email::Email;
use super::model::{
    Account, Bounce, Credentials, NewUser, OneTimeToken, ProfileChange, Purpose, Session, User,
};
use super::secrets::TokenHash;

/// Users and their credentials.
#[async_trait]
pub trait UserStore: Send {
    /// Adds a user; [`crate::Constraint::UserEmail`] when the address is taken.
    async fn insert(&mut self, user: &NewUser) -> Result<User, StoreError>;
    /// A user by id.
    async fn find(&mut self, id: UserId) -> Result<Option<User>, StoreError>;
    /// A user by id, and whether their address refuses mail: one round trip.
    async fn account(&mut self, id: UserId) -> Result<Option<Account>, StoreError>;
    /// A user and the hash of their password, by address.
    async fn credentials_by_email(&mut self, email: &Email) -> Result<Option<Credentials>, StoreError>;
    /// A user and the hash of their password, by id.
    async fn credentials(&mut self, id: UserId) -> Result<Option<Credentials>, StoreError>;
    /// Changes a profile; [`StoreError::StaleVersion`] when `expected` is another version than the stored one.
    async fn update_profile(
        &mut self,
        id: UserId,
        change: &ProfileChange,
        expected: Option<i64>,
        now: Timestamp,
    ) -> Result<Option<User>, StoreError>;
    /// Sets a password and begins a new session epoch.
    async fn set_password(
        &mut self,
        id: UserId,
        hash: &str,
        now: Timestamp,
    ) -> Result<Option<User>, StoreError>;
    /// Replaces the hash of the same password, if it is still `old`. The epoch stays.
    async fn rehash(&mut self, id: UserId, old: &str, new: &str) -> Result<bool, StoreError>;
    /// Notes that the address is the user's, if it still is `email`.
    async fn set_verified(&mut self, id: UserId, email: &Email, now: Timestamp) -> Result<bool, StoreError>;
    /// Disables the account and begins a new session epoch, or enables it again.
    async fn set_disabled(
        &mut self,
        id: UserId,
        disabled: bool,
        now: Timestamp,
    ) -> Result<Option<User>, StoreError>;
}

/// Failed logins, and the networks that logins came from. What is counted by is named by a digest ([`LoginPlace`]), whether there is
/// such an account or not.
#[async_trait]
pub trait AttemptStore: Send {
    /// Until when logins wait here; `None` when they need not. What the whole account waits for does not count in a network from
    /// which it was logged in at `known_since` or later. One statement.
    async fn blocked_until(
        &mut self,
        place: &LoginPlace,
        now: Timestamp,
        known_since: Timestamp,
    ) -> Result<Option<Timestamp>, StoreError>;
    /// Counts a failure and answers how many there are in a row. Those before `forget_before` do not count.
    async fn record_failure(
        &mut self,
        account: &TokenHash,
        now: Timestamp,
        forget_before: Timestamp,
    ) -> Result<u32, StoreError>;
    /// Makes further logins wait.
    async fn block(&mut self, account: &TokenHash, until: Timestamp) -> Result<(), StoreError>;
    /// Forgets the failures from a network, since a login succeeded there, and notes the time of it.
    async fn succeeded(&mut self, place: &LoginPlace, now: Timestamp) -> Result<(), StoreError>;
    /// Forgets the failures of an account, from wherever.
    async fn clear(&mut self, place: &LoginPlace) -> Result<(), StoreError>;
    /// Forgets up to `limit` networks from which no login came since a time; answers how many.
    async fn sweep_networks(&mut self, before: Timestamp, limit: u32) -> Result<u64, StoreError>;
    /// Removes what no longer counts, up to `limit` rows.
    async fn sweep(&mut self, forget_before: Timestamp, limit: u32) -> Result<u64, StoreError>;
}

/// Addresses that refuse mail.
#[async_trait]
pub trait BounceStore: Send {
    /// Notes one, in place of what was noted of it before.
    async fn note(&mut self, bounce: &Bounce) -> Result<(), StoreError>;
    /// What is noted of an address.
    async fn find(&mut self, email: &Email) -> Result<Option<Bounce>, StoreError>;
    /// Forgets an address; `false` when nothing was noted of it.
    async fn clear(&mut self, email: &Email) -> Result<bool, StoreError>;
    /// Forgets what was noted before a time of up to `limit` addresses, and answers how many that were.
    async fn sweep(&mut self, before: Timestamp, limit: u32) -> Result<u64, StoreError>;
}

/// One use of a refresh token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rotation {
    /// Which session the token says it is of.
    pub session: SessionId,
    /// The hash of the token that was presented.
    pub presented: TokenHash,
    /// The hash of the token that follows it.
    pub successor: TokenHash,
    /// The time of it.
    pub now: Timestamp,
    /// A token that was rotated after this time, and whose successor was not used, gets the same successor again.
    pub grace_since: Timestamp,
    /// The session's new end.
    pub expires_at: Timestamp,
}

/// What became of a [`Rotation`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rotated {
    /// The session as it is now.
    pub session: Session,
    /// Whether the token had been rotated before, within the grace.
    pub repeated: bool,
}

/// Sessions and single-use tokens.
///
/// Two adapters: SQL, which joins the unit's transaction, and Redis, which does not: there, look-ups, rotation, taking a
/// token and ending one session act at once, and other writes when the unit is committed. So services call what acts at once
/// before their first statement, and correctness never hangs on the two being one: see [`User::session_epoch`].
#[async_trait]
pub trait TokenStore: Send {
    /// Adds a session.
    async fn insert_session(&mut self, session: &Session) -> Result<(), StoreError>;
    /// A session that has not expired, with its user: one round trip.
    async fn session_with_user(
        &mut self,
        id: SessionId,
        now: Timestamp,
    ) -> Result<Option<(Session, User)>, StoreError>;
    /// A session that has not expired.
    async fn session(&mut self, id: SessionId, now: Timestamp) -> Result<Option<Session>, StoreError>;
    /// A user's sessions that have not expired, newest first; 100 at the most.
    async fn sessions_of(&mut self, user: UserId, now: Timestamp) -> Result<Vec<Session>, StoreError>;
    /// Swaps the refresh token by one compare-and-set. `None` when the token is neither the live one nor within the grace.
    async fn rotate(&mut self, rotation: &Rotation) -> Result<Option<Rotated>, StoreError>;
    /// Moves a session into a new epoch of its user.
    async fn set_session_epoch(&mut self, id: SessionId, epoch: i64) -> Result<(), StoreError>;
    /// Ends one session of a user; `false` if there is none.
    async fn delete_session(&mut self, user: UserId, id: SessionId) -> Result<bool, StoreError>;
    /// Ends the sessions of a user, but for one.
    async fn delete_sessions(&mut self, user: UserId, except: Option<SessionId>) -> Result<(), StoreError>;
    /// Adds a single-use token. One with the same id is left as it is, and one that was taken or removed does not come back.
    async fn put_one_time(&mut self, token: &OneTimeToken) -> Result<(), StoreError>;
    /// A token that could be taken now.
    async fn find_one_time(
        &mut self,
        purpose: Purpose,
        hash: &TokenHash,
        now: Timestamp,
    ) -> Result<Option<OneTimeToken>, StoreError>;
    /// Takes a token: of many callers at once, one gets it.
    async fn take_one_time(
        &mut self,
        purpose: Purpose,
        hash: &TokenHash,
        now: Timestamp,
    ) -> Result<Option<OneTimeToken>, StoreError>;
    /// Removes a user's tokens of a purpose: none of them can be taken any more.
    async fn delete_one_time(&mut self, user: UserId, purpose: Purpose) -> Result<(), StoreError>;
    /// Removes what has expired: up to `limit` sessions and as many tokens; answers how many rows went.
    async fn sweep(&mut self, now: Timestamp, limit: u32) -> Result<u64, StoreError>;
}
