//! The store traits of accounts, failed logins, bounced addresses, sessions and tokens.

use async_trait::async_trait;

use crate::clock::Timestamp;
use crate::id::{SessionId, UserId};
use crate::store_error::StoreResult;

use super::delay::LoginPlace;
use super::email::Email;
use super::model::{
    Account, Bounce, Credentials, NewUser, OneTimeToken, ProfileChange, Purpose, Session, User,
};
use super::secrets::TokenHash;

/// Users and their credentials.
#[async_trait]
pub trait UserStore: Send {
    /// Inserts a user; [`crate::Constraint::UserEmail`] when the address is taken.
    async fn insert(&mut self, user: &NewUser) -> StoreResult<User>;
    /// Finds a user by id.
    async fn find(&mut self, id: UserId) -> StoreResult<Option<User>>;
    /// Finds a user by id, and whether their address refuses mail, in one round trip.
    async fn account(&mut self, id: UserId) -> StoreResult<Option<Account>>;
    /// Finds a user and the hash of their password by address.
    async fn credentials_by_email(&mut self, email: &Email) -> StoreResult<Option<Credentials>>;
    /// Finds a user and the hash of their password by id.
    async fn credentials(&mut self, id: UserId) -> StoreResult<Option<Credentials>>;
    /// Changes a profile; [`crate::StoreError::StaleVersion`] when `expected` is not the stored version.
    async fn update_profile(
        &mut self,
        id: UserId,
        change: &ProfileChange,
        expected: Option<i64>,
        now: Timestamp,
    ) -> StoreResult<Option<User>>;
    /// Sets a password and begins a new session epoch.
    async fn set_password(&mut self, id: UserId, hash: &str, now: Timestamp) -> StoreResult<Option<User>>;
    /// Replaces the hash of the same password, if the stored hash is still `old`. The epoch does not change.
    async fn rehash(&mut self, id: UserId, old: &str, new: &str) -> StoreResult<bool>;
    /// Marks the address as verified, if the user's address is still `email`.
    async fn set_verified(&mut self, id: UserId, email: &Email, now: Timestamp) -> StoreResult<bool>;
    /// Disables the account and begins a new session epoch, or enables it again.
    async fn set_disabled(&mut self, id: UserId, disabled: bool, now: Timestamp)
    -> StoreResult<Option<User>>;
}

/// Failed logins, and the networks of successful logins. They are counted under hashes ([`LoginPlace`]), whether the account exists
/// or not.
#[async_trait]
pub trait AttemptStore: Send {
    /// Until when logins must wait here; `None` when they need not wait. The delay of the whole account does not apply in a network
    /// from which a login succeeded at `known_since` or later. It is one statement.
    async fn blocked_until(
        &mut self,
        place: &LoginPlace,
        now: Timestamp,
        known_since: Timestamp,
    ) -> StoreResult<Option<Timestamp>>;
    /// Counts a failure and returns the number of failures in a row. Failures before `forget_before` do not count.
    async fn record_failure(
        &mut self,
        account: &TokenHash,
        now: Timestamp,
        forget_before: Timestamp,
    ) -> StoreResult<u32>;
    /// Makes further logins wait until a time.
    async fn block(&mut self, account: &TokenHash, until: Timestamp) -> StoreResult<()>;
    /// Forgets the failures from a network after a login succeeded there, and stores the time of that login.
    async fn succeeded(&mut self, place: &LoginPlace, now: Timestamp) -> StoreResult<()>;
    /// Forgets the failures of an account from all networks.
    async fn clear(&mut self, place: &LoginPlace) -> StoreResult<()>;
    /// Removes up to `limit` networks without a login since a time, and returns their number.
    async fn sweep_networks(&mut self, before: Timestamp, limit: u32) -> StoreResult<u64>;
    /// Removes up to `limit` rows of failures that do not count any more.
    async fn sweep(&mut self, forget_before: Timestamp, limit: u32) -> StoreResult<u64>;
}

/// Addresses that refuse mail.
#[async_trait]
pub trait BounceStore: Send {
    /// Marks an address. It replaces an earlier mark.
    async fn note(&mut self, bounce: &Bounce) -> StoreResult<()>;
    /// Finds the mark of an address.
    async fn find(&mut self, email: &Email) -> StoreResult<Option<Bounce>>;
    /// Removes the mark of an address; `false` when there was none.
    async fn clear(&mut self, email: &Email) -> StoreResult<bool>;
    /// Removes up to `limit` marks that are older than a time, and returns their number.
    async fn sweep(&mut self, before: Timestamp, limit: u32) -> StoreResult<u64>;
}

/// One use of a refresh token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rotation {
    /// The session that the token names.
    pub session: SessionId,
    /// The hash of the token that was presented.
    pub presented: TokenHash,
    /// The hash of the token that follows it.
    pub successor: TokenHash,
    /// The current time.
    pub now: Timestamp,
    /// A token that was rotated after this time, and whose successor is unused, gets the same successor again.
    pub grace_since: Timestamp,
    /// When the session expires now.
    pub expires_at: Timestamp,
}

/// The result of a [`Rotation`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rotated {
    /// The session after the rotation.
    pub session: Session,
    /// Whether the token was rotated before, within the grace period.
    pub repeated: bool,
}

/// Sessions and single-use tokens.
///
/// There are two adapters. SQL joins the unit's transaction. Redis does not: look-ups, rotation, taking a token and ending one
/// session take effect at once, and other writes at the commit of the unit. So services call the immediate ones before their
/// first statement, and correctness never depends on one transaction for both: see [`User::session_epoch`].
#[async_trait]
pub trait TokenStore: Send {
    /// Inserts a session.
    async fn insert_session(&mut self, session: &Session) -> StoreResult<()>;
    /// Finds a session that has not expired, with its user, in one round trip.
    async fn session_with_user(
        &mut self,
        id: SessionId,
        now: Timestamp,
    ) -> StoreResult<Option<(Session, User)>>;
    /// Finds a session that has not expired.
    async fn session(&mut self, id: SessionId, now: Timestamp) -> StoreResult<Option<Session>>;
    /// The sessions of a user that have not expired, newest first; at most 100.
    async fn sessions_of(&mut self, user: UserId, now: Timestamp) -> StoreResult<Vec<Session>>;
    /// Rotates the refresh token with one compare-and-set. `None` when the token is neither current nor within the grace period.
    async fn rotate(&mut self, rotation: &Rotation) -> StoreResult<Option<Rotated>>;
    /// Moves a session into a new epoch of its user.
    async fn set_session_epoch(&mut self, id: SessionId, epoch: i64) -> StoreResult<()>;
    /// Ends one session of a user; `false` if there is none.
    async fn delete_session(&mut self, user: UserId, id: SessionId) -> StoreResult<bool>;
    /// Ends all sessions of a user, except one if it is given.
    async fn delete_sessions(&mut self, user: UserId, except: Option<SessionId>) -> StoreResult<()>;
    /// Inserts a single-use token. An existing token with the same id stays unchanged; a taken or removed token does not return.
    async fn put_one_time(&mut self, token: &OneTimeToken) -> StoreResult<()>;
    /// Finds a token that can be taken now.
    async fn find_one_time(
        &mut self,
        purpose: Purpose,
        hash: &TokenHash,
        now: Timestamp,
    ) -> StoreResult<Option<OneTimeToken>>;
    /// Takes a token. Of many callers at the same time, only one gets it.
    async fn take_one_time(
        &mut self,
        purpose: Purpose,
        hash: &TokenHash,
        now: Timestamp,
    ) -> StoreResult<Option<OneTimeToken>>;
    /// Removes the tokens of a user for a purpose, so that they cannot be taken any more.
    async fn delete_one_time(&mut self, user: UserId, purpose: Purpose) -> StoreResult<()>;
    /// Removes expired rows, up to `limit` sessions and as many tokens, and returns the number of rows.
    async fn sweep(&mut self, now: Timestamp, limit: u32) -> StoreResult<u64>;
}
