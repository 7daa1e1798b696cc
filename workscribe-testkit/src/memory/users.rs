//! Users and their credentials.

use async_trait::async_trait;
use workscribe_core::clock::Timestamp;
use workscribe_core::id::UserId;
use workscribe_core::identity::{Account, Credentials, Email, NewUser, ProfileChange, User, UserStore};
use workscribe_core::work::Person;
use workscribe_core::{Constraint, StoreError};

use super::{MemoryUnit, Tables, conflict, expect_version};

#[derive(Clone)]
pub(super) struct Row {
    pub(super) user: User,
    password_hash: Option<String>,
}

impl Row {
    fn credentials(&self) -> Credentials {
        Credentials { user: self.user.clone(), password_hash: self.password_hash.clone() }
    }

    fn touch(&mut self, now: Timestamp) -> User {
        self.user.version += 1;
        self.user.updated_at = now;
        self.user.clone()
    }
}

impl Tables {
    /// A user as others see them.
    pub(super) fn person(&self, id: UserId) -> Option<Person> {
        let user = &self.users.get(&id)?.user;
        Some(Person { id, display_name: user.display_name.clone(), avatar_url: user.avatar_url.clone() })
    }
}

#[async_trait]
impl UserStore for MemoryUnit {
    async fn insert(&mut self, new: &NewUser) -> Result<User, StoreError> {
        self.change(|tables| {
            if tables.users.contains_key(&new.id) {
                return Err(conflict(Constraint::UserId));
            }
            if tables.users.values().any(|row| row.user.email == new.email) {
                return Err(conflict(Constraint::UserEmail));
            }
            let user = User {
                id: new.id,
                email: new.email.clone(),
                display_name: new.display_name.clone(),
                avatar_url: None,
                email_verified: new.email_verified,
                disabled_at: None,
                session_epoch: 0,
                version: 1,
                created_at: new.created_at,
                updated_at: new.created_at,
            };
            let row = Row { user: user.clone(), password_hash: new.password_hash.clone() };
            tables.users.insert(new.id, row);
            Ok(user)
        })
        .await
    }

    async fn find(&mut self, id: UserId) -> Result<Option<User>, StoreError> {
        self.view(|tables| tables.users.get(&id).map(|row| row.user.clone())).await
    }

    async fn account(&mut self, id: UserId) -> Result<Option<Account>, StoreError> {
        self.view(|tables| {
            let user = tables.users.get(&id)?.user.clone();
            let email_bouncing = tables.bounces.contains_key(&user.email);
            Some(Account { user, email_bouncing })
        })
        .await
    }

    async fn credentials_by_email(&mut self, email: &Email) -> Result<Option<Credentials>, StoreError> {
        self.view(|tables| tables.users.values().find(|row| row.user.email == *email).map(Row::credentials))
            .await
    }

    async fn credentials(&mut self, id: UserId) -> Result<Option<Credentials>, StoreError> {
        self.view(|tables| tables.users.get(&id).map(Row::credentials)).await
    }

    async fn update_profile(
        &mut self,
        id: UserId,
        change: &ProfileChange,
        expected: Option<i64>,
        now: Timestamp,
    ) -> Result<Option<User>, StoreError> {
        self.change(|tables| {
            let Some(row) = tables.users.get_mut(&id) else { return Ok(None) };
            expect_version(expected, row.user.version)?;
            if let Some(name) = &change.display_name {
                row.user.display_name.clone_from(name);
            }
            if let Some(url) = &change.avatar_url {
                row.user.avatar_url.clone_from(url);
            }
            Ok(Some(row.touch(now)))
        })
        .await
    }

    async fn set_password(
        &mut self,
        id: UserId,
        hash: &str,
        now: Timestamp,
    ) -> Result<Option<User>, StoreError> {
        self.change(|tables| {
            Ok(tables.users.get_mut(&id).map(|row| {
                row.password_hash = Some(hash.to_owned());
                row.user.session_epoch += 1;
                row.touch(now)
            }))
        })
        .await
    }

    async fn rehash(&mut self, id: UserId, old: &str, new: &str) -> Result<bool, StoreError> {
        self.change(|tables| {
            let row = tables.users.get_mut(&id).filter(|row| row.password_hash.as_deref() == Some(old));
            Ok(row.map(|row| row.password_hash = Some(new.to_owned())).is_some())
        })
        .await
    }

    async fn set_verified(&mut self, id: UserId, email: &Email, now: Timestamp) -> Result<bool, StoreError> {
        self.change(|tables| {
            let Some(row) = tables.users.get_mut(&id).filter(|row| row.user.email == *email) else {
                return Ok(false);
            };
            if !row.user.email_verified {
                row.user.email_verified = true;
                row.touch(now);
            }
            Ok(true)
        })
        .await
    }

    async fn set_disabled(
        &mut self,
        id: UserId,
        disabled: bool,
        now: Timestamp,
    ) -> Result<Option<User>, StoreError> {
        self.change(|tables| {
            Ok(tables.users.get_mut(&id).map(|row| {
                row.user.disabled_at = disabled.then_some(now);
                row.user.session_epoch += i64::from(disabled);
                row.touch(now)
            }))
        })
        .await
    }
}
