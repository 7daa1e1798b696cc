//! Notifications to people, and the digests that bundle them.

use async_trait::async_trait;
use workscribe_core::clock::Timestamp;
use workscribe_core::id::{JobId, NotificationId, OrgId, UserId};
use workscribe_core::notifications::{
    Digest, NewNotification, Notification, NotificationFilter, NotificationStore, NotificationType,
    Preferences,
};
use workscribe_core::page::PageRequest;
use workscribe_core::tenancy::OrgScope;
use workscribe_core::{Constraint, StoreError};

use super::{MemoryUnit, Tables, conflict, page_of, sweep_some, taken_key};

#[derive(Clone)]
pub(super) struct Row {
    pub(super) org: OrgId,
    pub(super) new: NewNotification,
    pub(super) actor: Option<UserId>,
    pub(super) is_read: bool,
    pub(super) mail: Mail,
}

/// Where its mail stands.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Mail {
    None,
    Waiting,
    /// In the digest of a job.
    Taken(JobId),
    /// In the digest of a job, which was sent.
    Sent(JobId),
}

impl Tables {
    /// A person's notifications from the organizations that they are in.
    fn notifications_of(
        &self,
        user: UserId,
        filter: &NotificationFilter,
    ) -> impl Iterator<Item = (OrgId, NotificationId)> {
        let org = filter.organization.as_ref();
        self.notifications
            .iter()
            .filter(move |((other, _), row)| {
                row.new.user_id == user && self.members.contains_key(&(*other, user))
            })
            .filter(move |(_, row)| !(filter.unread && row.is_read))
            .filter(move |((other, _), _)| {
                let found = self.organizations.get(other).map(|organization| &organization.slug);
                org.is_none() || found == org
            })
            .map(|(key, _)| *key)
    }

    fn notification(&self, key: (OrgId, NotificationId)) -> Option<Notification> {
        let row = self.notifications.get(&key)?;
        let (organization, new) = (self.organizations.get(&row.org)?, row.new.clone());
        Some(Notification {
            id: new.id,
            org_id: row.org,
            org_slug: organization.slug.clone(),
            org_name: organization.name.clone(),
            user_id: new.user_id,
            kind: new.kind,
            title: new.title,
            body: new.body,
            entity_type: new.entity_type,
            entity_id: new.entity_id,
            actor: row.actor.and_then(|actor| self.person(actor)),
            is_read: row.is_read,
            created_at: new.created_at,
        })
    }

    fn preferences(&self, user: UserId) -> Preferences {
        let mut preferences = Preferences::default();
        for kind in NotificationType::ALL {
            if let Some(mails) = self.preferences.get(&(user, *kind)) {
                preferences.set(*kind, *mails);
            }
        }
        preferences
    }
}

#[async_trait]
impl NotificationStore for MemoryUnit {
    async fn add(&mut self, scope: &OrgScope, new: &[NewNotification]) -> Result<(), StoreError> {
        let (org, actor) = (scope.org(), Some(scope.actor()));
        self.change(|tables| {
            if !new.is_empty() && !tables.organizations.contains_key(&org) {
                return Err(conflict(Constraint::Reference));
            }
            for new in new {
                tables.require_user(new.user_id)?;
                let mail = if new.mail { Mail::Waiting } else { Mail::None };
                let row = Row { org, new: new.clone(), actor, is_read: false, mail };
                if tables.notifications.insert((org, new.id), row).is_some() {
                    return Err(taken_key());
                }
            }
            Ok(())
        })
        .await
    }

    async fn list(
        &mut self,
        user: UserId,
        filter: &NotificationFilter,
        page: &PageRequest,
    ) -> Result<Vec<Notification>, StoreError> {
        self.view(|tables| {
            let theirs = tables.notifications_of(user, filter).filter_map(|key| tables.notification(key));
            page_of(theirs, page, true, |notification| (notification.created_at, notification.id.into()))
        })
        .await
    }

    async fn count(&mut self, user: UserId, filter: &NotificationFilter) -> Result<i64, StoreError> {
        self.view(|tables| tables.notifications_of(user, filter).count() as i64).await
    }

    async fn set_read(
        &mut self,
        user: UserId,
        id: NotificationId,
        is_read: bool,
    ) -> Result<Option<Notification>, StoreError> {
        self.change(|tables| {
            let key = tables.notifications_of(user, &NotificationFilter::default()).find(|key| key.1 == id);
            if let Some(row) = key.and_then(|key| tables.notifications.get_mut(&key)) {
                row.is_read = is_read;
            }
            Ok(key.and_then(|key| tables.notification(key)))
        })
        .await
    }

    async fn read_all(&mut self, user: UserId, filter: &NotificationFilter) -> Result<u64, StoreError> {
        let filter = NotificationFilter { unread: true, ..filter.clone() };
        self.change(|tables| {
            let unread: Vec<_> = tables.notifications_of(user, &filter).collect();
            for key in &unread {
                if let Some(row) = tables.notifications.get_mut(key) {
                    row.is_read = true;
                }
            }
            Ok(unread.len() as u64)
        })
        .await
    }

    async fn preferences(&mut self, user: UserId) -> Result<Preferences, StoreError> {
        self.view(|tables| tables.preferences(user)).await
    }

    async fn preferences_of(&mut self, users: &[UserId]) -> Result<Vec<Preferences>, StoreError> {
        self.view(|tables| users.iter().map(|user| tables.preferences(*user)).collect()).await
    }

    async fn set_preference(
        &mut self,
        user: UserId,
        kind: NotificationType,
        mails: bool,
    ) -> Result<(), StoreError> {
        self.change(|tables| {
            tables.require_user(user)?;
            tables.preferences.insert((user, kind), mails);
            Ok(())
        })
        .await
    }

    async fn open_digest(&mut self, digest: &Digest) -> Result<bool, StoreError> {
        self.change(|tables| {
            tables.require_user(digest.user)?;
            if tables.digests.contains_key(&digest.user) {
                return Ok(false);
            }
            tables.digests.insert(digest.user, digest.job);
            Ok(true)
        })
        .await
    }

    async fn close_digest(&mut self, digest: &Digest) -> Result<(), StoreError> {
        self.change(|tables| {
            if tables.digests.get(&digest.user) != Some(&digest.job) {
                return Ok(());
            }
            tables.digests.remove(&digest.user);
            let members = &tables.members;
            for ((org, _), row) in tables.notifications.iter_mut() {
                if row.new.user_id == digest.user && row.mail == Mail::Waiting {
                    let is_wanted = !row.is_read && members.contains_key(&(*org, digest.user));
                    row.mail = if is_wanted { Mail::Taken(digest.job) } else { Mail::None };
                }
            }
            Ok(())
        })
        .await
    }

    async fn digest(&mut self, digest: &Digest, limit: u32) -> Result<Vec<Notification>, StoreError> {
        self.view(|tables| {
            let is_in = |key: &(OrgId, NotificationId)| {
                let mail = tables.notifications.get(key).map(|row| row.mail);
                mail == Some(Mail::Taken(digest.job)) || mail == Some(Mail::Sent(digest.job))
            };
            let all = NotificationFilter::default();
            let in_it = tables.notifications_of(digest.user, &all).filter(is_in);
            let mut in_it: Vec<Notification> = in_it.filter_map(|key| tables.notification(key)).collect();
            in_it.sort_by_key(|notification| (notification.created_at, notification.id));
            in_it.truncate(limit as usize);
            in_it
        })
        .await
    }

    async fn digest_sent(&mut self, digest: &Digest) -> Result<(), StoreError> {
        self.change(|tables| {
            for row in tables.notifications.values_mut() {
                if row.new.user_id == digest.user && row.mail == Mail::Taken(digest.job) {
                    row.mail = Mail::Sent(digest.job);
                }
            }
            Ok(())
        })
        .await
    }

    async fn sweep(&mut self, before: Timestamp, limit: u32) -> Result<u64, StoreError> {
        self.change(|tables| {
            Ok(sweep_some(&mut tables.notifications, limit, |row| row.new.created_at < before))
        })
        .await
    }
}
