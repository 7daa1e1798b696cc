//! A storage in this process's memory: for tests, and the shortest form of what a storage has to do.
//!
//! Transactions are serializable by the plainest means: one writer at a time. A unit takes the lock at its first
//! statement, works on a copy, and a commit puts the copy in the place of what was there. Dropping it leaves nothing.
//!
//! A unit whose statement broke a [`Constraint`] takes no further statements, as on Postgres, so that code which
//! goes on regardless is found here already.
//!
//! One file an area; each implements the store traits on [`MemoryUnit`]. To add an aggregate: a table in `Tables`,
//! a file with its store, an accessor below, and cases in [`mod@crate::conformance`].

mod activity;
mod attempts;
mod bounces;
mod comments;
mod idempotency;
mod invitations;
mod jobs;
mod labels;
mod members;
mod notifications;
mod organizations;
mod projects;
mod search;
mod statuses;
mod task_rows;
mod tasks;
mod tokens;
mod transfer;
mod users;
mod webhooks;

use std::any::Any;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::{Deref, DerefMut};
use std::sync::{Arc, PoisonError, RwLock};

use async_trait::async_trait;
use tokio::sync::{Mutex, OwnedMutexGuard};
use workscribe_core::clock::Timestamp;
use workscribe_core::id::{
    ActivityId, CommentId, InvitationId, JobId, LabelId, NotificationId, OneTimeTokenId, OrgId, ProjectId,
    SessionId, StatusId, TaskId, UserId, WebhookDeliveryId, WebhookId, WebhookMessageId,
};
use workscribe_core::idempotency::IdempotencyStore;
use workscribe_core::identity::{
    AttemptStore, Bounce, BounceStore, Email, OneTimeToken, TokenHash, TokenStore, UserStore,
};
use workscribe_core::notifications::{NotificationStore, NotificationType};
use workscribe_core::outbox::{JobStore, Outbox};
use workscribe_core::page::Cursor;
use workscribe_core::search::{SearchDocument, SearchStore};
use workscribe_core::storage::Party;
use workscribe_core::sweep::Portion;
use workscribe_core::tenancy::{Invitation, InvitationStore, MemberStore, Organization, OrganizationStore};
use workscribe_core::transfer::TransferStore;
use workscribe_core::webhooks::{Webhook, WebhookStore};
use workscribe_core::work::{
    ActivityStore, CommentStore, Label, LabelStore, ProjectStore, Status, StatusStore, TaskStore,
};
use workscribe_core::{Constraint, NotReady, Storage, StoreError, UnitOfWork};

/// A storage in memory. Clones are one storage.
#[derive(Clone, Default)]
pub struct MemoryStorage {
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    committed: RwLock<Arc<Tables>>,
    writer: Arc<Mutex<()>>,
}

impl Shared {
    fn committed(&self) -> Arc<Tables> {
        Arc::clone(&self.committed.read().unwrap_or_else(PoisonError::into_inner))
    }
}

/// One table. Its rows are copied at the first write of a transaction, so that a commit costs what it touched.
#[derive(Clone)]
struct Table<K, V>(Arc<BTreeMap<K, V>>);

impl<K, V> Default for Table<K, V> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<K, V> Deref for Table<K, V> {
    type Target = BTreeMap<K, V>;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl<K: Clone + Ord, V: Clone> DerefMut for Table<K, V> {
    fn deref_mut(&mut self) -> &mut Self::Target {
        Arc::make_mut(&mut self.0)
    }
}

/// Every table. A clone is the copy that a transaction works on.
#[derive(Clone, Default)]
struct Tables {
    users: Table<UserId, users::Row>,
    attempts: Table<TokenHash, attempts::Row>,
    login_networks: Table<TokenHash, Timestamp>,
    bounces: Table<Email, Bounce>,
    sessions: Table<SessionId, tokens::Row>,
    one_time: Table<OneTimeTokenId, OneTimeToken>,
    /// Taken and removed ones, which do not come back.
    spent: BTreeSet<OneTimeTokenId>,
    organizations: Table<OrgId, Organization>,
    members: Table<(OrgId, UserId), members::Row>,
    invitations: Table<(OrgId, InvitationId), Invitation>,
    projects: Table<(OrgId, ProjectId), projects::Row>,
    statuses: Table<(OrgId, StatusId), Status>,
    labels: Table<(OrgId, LabelId), Label>,
    tasks: Table<(OrgId, TaskId), Arc<task_rows::Row>>,
    task_labels: Table<(OrgId, TaskId, LabelId), ()>,
    comments: Table<(OrgId, CommentId), Arc<comments::Row>>,
    activity: Table<(OrgId, ActivityId), Arc<activity::Row>>,
    notifications: Table<(OrgId, NotificationId), notifications::Row>,
    preferences: Table<(UserId, NotificationType), bool>,
    /// The job of each open one.
    digests: Table<UserId, JobId>,
    search: Table<(OrgId, uuid::Uuid), Arc<SearchDocument>>,
    webhooks: Table<(OrgId, WebhookId), Webhook>,
    deliveries: Table<(OrgId, WebhookDeliveryId), webhooks::DeliveryRow>,
    messages: Table<(OrgId, WebhookMessageId), webhooks::MessageRow>,
    idempotency: Table<(String, String), idempotency::Row>,
    jobs: Table<JobId, jobs::Row>,
    /// Since when.
    paused: Table<String, Timestamp>,
    /// The last slot of each.
    schedules: Table<String, Timestamp>,
    /// References that are checked at the commit.
    deferred: Vec<Deferred>,
}

/// A row that may refer to one that is written later in its transaction.
#[derive(Clone, Copy)]
enum Deferred {
    /// A task refers to its status and its parent.
    Task(OrgId, TaskId),
    /// A label on a task refers to the task.
    Label(OrgId, TaskId, LabelId),
    /// What can be found of a task refers to it.
    Document(OrgId, uuid::Uuid),
}

impl Tables {
    /// Checks the references that were left for the commit. A row that is gone refers to nothing.
    fn check_deferred(&mut self) -> Result<(), StoreError> {
        let kept = std::mem::take(&mut self.deferred).into_iter().all(|reference| match reference {
            Deferred::Task(org, id) => self.tasks.get(&(org, id)).is_none_or(|row| {
                let status = self.statuses.get(&(org, row.fields.status_id));
                let parent = row.fields.parent_id;
                status.is_some_and(|status| status.project_id == row.project_id)
                    && parent.is_none_or(|parent| self.tasks.contains_key(&(org, parent)))
            }),
            Deferred::Label(org, task, label) => {
                !self.task_labels.contains_key(&(org, task, label)) || self.tasks.contains_key(&(org, task))
            }
            Deferred::Document(org, id) => {
                let task = self.search.get(&(org, id)).and_then(|document| document.task);
                task.is_none_or(|task| self.tasks.contains_key(&(org, task)))
            }
        });
        if kept { Ok(()) } else { Err(conflict(Constraint::Reference)) }
    }
}

impl MemoryStorage {
    /// An empty storage.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    fn unit(&self, state: State) -> Box<dyn UnitOfWork> {
        Box::new(MemoryUnit { shared: Arc::clone(&self.shared), state, has_enqueued: false })
    }
}

#[async_trait]
impl Storage for MemoryStorage {
    async fn begin(&self) -> Result<Box<dyn UnitOfWork>, StoreError> {
        Ok(self.unit(State::Unopened))
    }

    async fn read(&self) -> Result<Box<dyn UnitOfWork>, StoreError> {
        Ok(self.unit(State::Reading))
    }

    async fn snapshot(&self) -> Result<Box<dyn UnitOfWork>, StoreError> {
        Ok(self.unit(State::Snapshot(self.shared.committed())))
    }

    async fn readiness(&self) -> Vec<NotReady> {
        Vec::new()
    }
}

/// A unit of work on a [`MemoryStorage`].
pub struct MemoryUnit {
    shared: Arc<Shared>,
    state: State,
    has_enqueued: bool,
}

enum State {
    /// No transaction: each statement sees what is committed.
    Reading,
    /// What was committed at one moment, for reading.
    Snapshot(Arc<Tables>),
    /// A transaction before its first statement.
    Unopened,
    /// A transaction that holds the lock. The tables are copied at the first write.
    Open { tables: Arc<Tables>, _writer: OwnedMutexGuard<()> },
    /// A transaction that broke a rule.
    Failed,
}

impl MemoryUnit {
    /// Runs a statement that reads.
    async fn view<T>(&mut self, statement: impl FnOnce(&Tables) -> T + Send) -> Result<T, StoreError> {
        self.open().await?;
        match &self.state {
            State::Open { tables, .. } | State::Snapshot(tables) => Ok(statement(tables)),
            _ => Ok(statement(&self.shared.committed())),
        }
    }

    /// Runs a statement that writes. A statement that fails must not have written.
    async fn change<T>(
        &mut self,
        statement: impl FnOnce(&mut Tables) -> Result<T, StoreError> + Send,
    ) -> Result<T, StoreError> {
        self.open().await?;
        let State::Open { tables, .. } = &mut self.state else {
            return Err(StoreError::Backend("a unit for reading was asked to write".into()));
        };
        let result = statement(Arc::make_mut(tables));
        if matches!(result, Err(StoreError::Conflict { .. } | StoreError::Backend(_))) {
            self.state = State::Failed;
        }
        result
    }

    async fn open(&mut self) -> Result<(), StoreError> {
        match self.state {
            State::Reading | State::Snapshot(_) | State::Open { .. } => Ok(()),
            State::Failed => Err(aborted()),
            State::Unopened => {
                let writer = Arc::clone(&self.shared.writer).lock_owned().await;
                self.state = State::Open { tables: self.shared.committed(), _writer: writer };
                Ok(())
            }
        }
    }
}

#[async_trait]
impl UnitOfWork for MemoryUnit {
    /// Nothing is scarce here.
    fn on_behalf_of(&mut self, _: Party) {}

    fn users(&mut self) -> &mut dyn UserStore {
        self
    }

    fn attempts(&mut self) -> &mut dyn AttemptStore {
        self
    }

    fn bounces(&mut self) -> &mut dyn BounceStore {
        self
    }

    fn tokens(&mut self) -> &mut dyn TokenStore {
        self
    }

    fn organizations(&mut self) -> &mut dyn OrganizationStore {
        self
    }

    fn members(&mut self) -> &mut dyn MemberStore {
        self
    }

    fn invitations(&mut self) -> &mut dyn InvitationStore {
        self
    }

    fn projects(&mut self) -> &mut dyn ProjectStore {
        self
    }

    fn statuses(&mut self) -> &mut dyn StatusStore {
        self
    }

    fn labels(&mut self) -> &mut dyn LabelStore {
        self
    }

    fn tasks(&mut self) -> &mut dyn TaskStore {
        self
    }

    fn comments(&mut self) -> &mut dyn CommentStore {
        self
    }

    fn activity(&mut self) -> &mut dyn ActivityStore {
        self
    }

    fn notifications(&mut self) -> &mut dyn NotificationStore {
        self
    }

    fn search(&mut self) -> &mut dyn SearchStore {
        self
    }

    fn transfer(&mut self) -> &mut dyn TransferStore {
        self
    }

    fn webhooks(&mut self) -> &mut dyn WebhookStore {
        self
    }

    fn idempotency(&mut self) -> &mut dyn IdempotencyStore {
        self
    }

    fn outbox(&mut self) -> &mut dyn Outbox {
        self
    }

    fn jobs(&mut self) -> &mut dyn JobStore {
        self
    }

    fn has_enqueued(&self) -> bool {
        self.has_enqueued
    }

    fn as_any_mut(&mut self) -> &mut dyn Any {
        self
    }

    async fn commit(self: Box<Self>) -> Result<(), StoreError> {
        match self.state {
            State::Open { mut tables, _writer } => {
                if !tables.deferred.is_empty() {
                    Arc::make_mut(&mut tables).check_deferred()?;
                }
                *self.shared.committed.write().unwrap_or_else(PoisonError::into_inner) = tables;
                Ok(())
            }
            State::Reading | State::Snapshot(_) | State::Unopened => Ok(()),
            State::Failed => Err(aborted()),
        }
    }
}

fn aborted() -> StoreError {
    StoreError::Backend("an earlier statement failed, so the transaction takes no more".into())
}

fn conflict(constraint: Constraint) -> StoreError {
    StoreError::conflict(constraint, "in memory")
}

/// A primary key is broken.
fn taken_key() -> StoreError {
    StoreError::Backend("there is a row with this key".into())
}

/// Refuses another version than the one expected.
fn expect_version(expected: Option<i64>, stored: i64) -> Result<(), StoreError> {
    match expected {
        Some(version) if version != stored => Err(StoreError::StaleVersion),
        _ => Ok(()),
    }
}

/// Sorts rows by time and id, and cuts out what a page reads.
fn page_of<T>(
    rows: impl Iterator<Item = T>,
    page: &workscribe_core::page::PageRequest,
    newest_first: bool,
    key: impl Fn(&T) -> (Timestamp, uuid::Uuid),
) -> Vec<T> {
    let after = page.after().map(|Cursor { at, id }| (at, id));
    let is_next = |row: &T| match after {
        None => true,
        Some(after) if newest_first => key(row) < after,
        Some(after) => key(row) > after,
    };
    let mut rows: Vec<T> = rows.filter(is_next).collect();
    rows.sort_by_key(&key);
    if newest_first {
        rows.reverse();
    }
    rows.truncate(usize::try_from(page.fetch()).unwrap_or(usize::MAX));
    rows
}

/// Removes up to a number of rows that are old, and answers how many.
fn sweep_some<K: Ord + Clone, V: Clone>(
    table: &mut Table<K, V>,
    limit: u32,
    is_old: impl Fn(&V) -> bool,
) -> u64 {
    sweep_portion(table, Portion::of(limit), is_old, |_| 0)
}

/// The same where rows may be large: no more after those that have the portion's bytes.
fn sweep_portion<K: Ord + Clone, V: Clone>(
    table: &mut Table<K, V>,
    portion: Portion,
    is_old: impl Fn(&V) -> bool,
    bytes: impl Fn(&V) -> usize,
) -> u64 {
    let (mut old, mut weight) = (Vec::new(), 0);
    for (key, row) in table.iter().filter(|(_, row)| is_old(row)).take(portion.rows as usize) {
        if weight >= portion.bytes as usize {
            break;
        }
        weight += bytes(row);
        old.push(key.clone());
    }
    for key in &old {
        table.remove(key);
    }
    old.len() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_unit_that_broke_a_rule_takes_no_more_and_does_not_commit() {
        let storage = MemoryStorage::new();
        let mut unit = storage.begin().await.unwrap();
        let nobody = UserId::from(uuid::Uuid::nil());
        let organization = Organization {
            id: OrgId::from(uuid::Uuid::nil()),
            name: "Analytical Engines".into(),
            slug: workscribe_core::tenancy::Slug::from_stored("engines".into()),
            version: 1,
            created_at: Timestamp::UNIX_EPOCH,
            updated_at: Timestamp::UNIX_EPOCH,
        };
        assert!(unit.organizations().insert(&organization, nobody).await.is_err());
        assert!(matches!(unit.users().find(nobody).await, Err(StoreError::Backend(_))));
        assert!(unit.commit().await.is_err());
    }

    #[tokio::test]
    async fn a_unit_for_reading_refuses_to_write() {
        let mut unit = MemoryStorage::new().read().await.unwrap();
        let place = workscribe_core::identity::LoginPlace::new("ada", "home");
        assert!(matches!(unit.attempts().clear(&place).await, Err(StoreError::Backend(_))));
        assert!(unit.as_any_mut().is::<MemoryUnit>());
    }
}
