//! Accounts.

use async_trait::async_trait;
use sqlx::types::Uuid;
use sqlx::{FromRow, query, query_as};
use workscribe_core::StoreResult;
use workscribe_core::clock::Timestamp;
use workscribe_core::id::UserId;
use workscribe_core::identity::{Account, Credentials, Email, NewUser, ProfileChange, User, UserStore};

use super::bind::BindAll as _;
use super::{Ts, Unit};

#[derive(FromRow)]
pub(crate) struct UserRow {
    id: Uuid,
    email: String,
    display_name: String,
    avatar_url: Option<String>,
    email_verified: bool,
    disabled_at: Option<Ts>,
    session_epoch: i64,
    version: i64,
    created_at: Ts,
    updated_at: Ts,
}

impl From<UserRow> for User {
    fn from(row: UserRow) -> Self {
        Self {
            id: row.id.into(),
            email: Email::from_stored(row.email),
            display_name: row.display_name,
            avatar_url: row.avatar_url,
            email_verified: row.email_verified,
            disabled_at: row.disabled_at.map(|at| at.0),
            session_epoch: row.session_epoch,
            version: row.version,
            created_at: row.created_at.0,
            updated_at: row.updated_at.0,
        }
    }
}

#[derive(FromRow)]
struct CredentialsRow {
    #[sqlx(flatten)]
    user: UserRow,
    password_hash: Option<String>,
}

impl From<CredentialsRow> for Credentials {
    fn from(row: CredentialsRow) -> Self {
        Self { user: row.user.into(), password_hash: row.password_hash }
    }
}

#[derive(FromRow)]
pub(crate) struct AccountRow {
    #[sqlx(flatten)]
    user: UserRow,
    email_bouncing: bool,
}

impl From<AccountRow> for Account {
    fn from(row: AccountRow) -> Self {
        Self { user: row.user.into(), email_bouncing: row.email_bouncing }
    }
}

#[async_trait]
impl UserStore for Unit {
    async fn insert(&mut self, user: &NewUser) -> StoreResult<User> {
        let insert = query_as::<_, UserRow>(concat!(
            "INSERT INTO ws_users (id, email, display_name, password_hash, email_verified, session_epoch, version,
                                   created_at, updated_at)
             VALUES ($1, $2, $3, $4, $5, 0, 1, $6, $6)
             RETURNING ",
            user_columns!("")
        ))
        .bind_all((
            user.id, user.email.as_str(), &user.display_name, &user.password_hash, user.email_verified,
            user.created_at,
        ));
        Ok(self.one("ws_users: insert", insert).await?.into())
    }

    async fn find(&mut self, id: UserId) -> StoreResult<Option<User>> {
        let find =
            query_as::<_, UserRow>(concat!("SELECT ", user_columns!(""), " FROM ws_users WHERE id = $1"))
                .bind(id.as_uuid());
        Ok(self.optional("ws_users: find", find).await?.map(User::from))
    }

    async fn account(&mut self, id: UserId) -> StoreResult<Option<Account>> {
        if let Some(reads) = self.together() {
            return reads.accounts.load(id).await;
        }
        Box::pin(self.account_in(id)).await
    }

    async fn credentials_by_email(&mut self, email: &Email) -> StoreResult<Option<Credentials>> {
        // A login passes on what the user typed, and Postgres answers a text with U+0000 with an error instead of no row.
        if email.as_str().contains('\0') {
            return Ok(None);
        }
        let find = query_as::<_, CredentialsRow>(concat!(
            "SELECT ",
            user_columns!(""),
            ", password_hash FROM ws_users WHERE email = $1"
        ))
        .bind(email.as_str());
        Ok(self.optional("ws_users: credentials by email", find).await?.map(Credentials::from))
    }

    async fn credentials(&mut self, id: UserId) -> StoreResult<Option<Credentials>> {
        let find = query_as::<_, CredentialsRow>(concat!(
            "SELECT ",
            user_columns!(""),
            ", password_hash FROM ws_users WHERE id = $1"
        ))
        .bind(id.as_uuid());
        Ok(self.optional("ws_users: credentials", find).await?.map(Credentials::from))
    }

    async fn update_profile(
        &mut self,
        id: UserId,
        change: &ProfileChange,
        expected: Option<i64>,
        now: Timestamp,
    ) -> StoreResult<Option<User>> {
        let update = query_as::<_, UserRow>(concat!(
            "UPDATE ws_users
                SET display_name = COALESCE($2, display_name),
                    avatar_url = CASE WHEN $3 THEN $4 ELSE avatar_url END,
                    version = version + 1, updated_at = $5
              WHERE id = $1 AND ($6 IS NULL OR version = $6)
             RETURNING ",
            user_columns!("")
        ))
        .bind_all((
            id,
            &change.display_name,
            change.avatar_url.is_some(),
            change.avatar_url.clone().flatten(),
            now,
            expected,
        ));
        let updated = self.optional("ws_users: update profile", update).await?;
        if updated.is_none() {
            let current = query_as("SELECT version FROM ws_users WHERE id = $1").bind(id.as_uuid());
            self.refuse_stale("ws_users: version", expected, current).await?;
        }
        Ok(updated.map(User::from))
    }

    async fn set_password(&mut self, id: UserId, hash: &str, now: Timestamp) -> StoreResult<Option<User>> {
        let update = query_as::<_, UserRow>(concat!(
            "UPDATE ws_users
                SET password_hash = $2, session_epoch = session_epoch + 1, version = version + 1, updated_at = $3
              WHERE id = $1
             RETURNING ",
            user_columns!("")
        ))
        .bind_all((id, hash, now));
        Ok(self.optional("ws_users: set password", update).await?.map(User::from))
    }

    async fn rehash(&mut self, id: UserId, old: &str, new: &str) -> StoreResult<bool> {
        let update = query("UPDATE ws_users SET password_hash = $3 WHERE id = $1 AND password_hash = $2")
            .bind_all((id, old, new));
        Ok(self.execute("ws_users: rehash", update).await? > 0)
    }

    async fn set_verified(&mut self, id: UserId, email: &Email, now: Timestamp) -> StoreResult<bool> {
        let update = query(
            "UPDATE ws_users
                SET version = CASE WHEN email_verified THEN version ELSE version + 1 END,
                    updated_at = CASE WHEN email_verified THEN updated_at ELSE $3 END,
                    email_verified = TRUE
              WHERE id = $1 AND email = $2",
        )
        .bind_all((id, email.as_str(), now));
        Ok(self.execute("ws_users: set verified", update).await? > 0)
    }

    async fn set_disabled(
        &mut self,
        id: UserId,
        disabled: bool,
        now: Timestamp,
    ) -> StoreResult<Option<User>> {
        let update = query_as::<_, UserRow>(concat!(
            "UPDATE ws_users
                SET disabled_at = CASE WHEN $2 THEN $3 ELSE NULL END,
                    session_epoch = session_epoch + CASE WHEN $2 THEN 1 ELSE 0 END,
                    version = version + 1, updated_at = $3
              WHERE id = $1
             RETURNING ",
            user_columns!("")
        ))
        .bind_all((id, disabled, now));
        Ok(self.optional("ws_users: set disabled", update).await?.map(User::from))
    }
}

impl Unit {
    /// Reads on this unit's own connection. A separate function, so that a future that waits for a batch does not hold its state.
    pub(crate) async fn account_in(&mut self, id: UserId) -> StoreResult<Option<Account>> {
        let find = query_as::<_, AccountRow>(concat!(
            "SELECT ",
            user_columns!("u."),
            ", ",
            is_bouncing!("u.email"),
            " AS email_bouncing FROM ws_users u WHERE u.id = $1"
        ))
        .bind(id.as_uuid());
        Ok(self.optional("ws_users: account", find).await?.map(Account::from))
    }
}
