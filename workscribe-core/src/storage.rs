//! The seam to the databases: a [`Storage`] makes units of work, and a unit of work is the repository.
//!
//! One transaction spans every store and the outbox, so a job, a hook's row and the write that caused them
//! commit together or not at all. Stores only read and write; services decide. A missing row is an
//! `Option`; a broken unique rule is a [`StoreError::Conflict`] that names the [`Constraint`], never a
//! look-up before the insert.
//!
//! **How to add an aggregate**: model and store trait in its area's module, an accessor here, the statements
//! in `workscribe-sql/src/stores/`, a migration for each database, and cases in
//! `workscribe-testkit/src/conformance/`, which every storage then runs.

use std::any::Any;

use async_trait::async_trait;

use crate::id::{OrgId, UserId};
use crate::idempotency::IdempotencyStore;
use crate::identity::{AttemptStore, BounceStore, TokenStore, UserStore};
use crate::notifications::NotificationStore;
use crate::outbox::{JobStore, Outbox};
use crate::search::SearchStore;
use crate::store_error::StoreError;
use crate::tenancy::{InvitationStore, MemberStore, OrganizationStore};
use crate::transfer::TransferStore;
use crate::webhooks::WebhookStore;
use crate::work::{ActivityStore, CommentStore, LabelStore, ProjectStore, StatusStore, TaskStore};

/// A database, or what stands for one.
#[async_trait]
pub trait Storage: Send + Sync + 'static {
    /// A transaction, opened at the first statement. Dropping it rolls back.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when no connection is to be had.
    async fn begin(&self) -> Result<Box<dyn UnitOfWork>, StoreError>;

    /// Statements without a transaction around them: for reads on the hot path. Each sees what is
    /// committed when it runs. Writing through it is a mistake that a storage may refuse.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when no connection is to be had.
    async fn read(&self) -> Result<Box<dyn UnitOfWork>, StoreError>;

    /// A unit for reading, in which every statement sees what was committed at the first one, however long it takes. Writing
    /// through it is a mistake that a storage may refuse.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when no connection is to be had.
    async fn snapshot(&self) -> Result<Box<dyn UnitOfWork>, StoreError>;

    /// What is not ready to serve, by part; empty when all is well.
    async fn readiness(&self) -> Vec<NotReady>;
}

/// A part that cannot serve now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotReady {
    /// `database`, `migrations` or `redis`.
    pub part: &'static str,
    /// What is the matter, without secrets.
    pub reason: String,
}

/// For whom a unit works. Storages share what they have few of, such as connections, fairly among parties.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Party {
    /// An organization, whoever acts in it.
    Organization(OrgId),
    /// A person, for what belongs to no organization.
    User(UserId),
}

/// One piece of work on the database; see the module's notes.
#[async_trait]
pub trait UnitOfWork: Send {
    /// Says for whom the unit works from now on: every door into an organization does. Without it, it works for the server itself
    /// and waits for nobody's share. What it has already taken stays with whom it was taken for.
    fn on_behalf_of(&mut self, party: Party);

    /// Users and their credentials.
    fn users(&mut self) -> &mut dyn UserStore;
    /// Failed logins, by account.
    fn attempts(&mut self) -> &mut dyn AttemptStore;
    /// Addresses that refuse mail.
    fn bounces(&mut self) -> &mut dyn BounceStore;
    /// Sessions and single-use tokens.
    fn tokens(&mut self) -> &mut dyn TokenStore;
    /// Organizations, and the door into them.
    fn organizations(&mut self) -> &mut dyn OrganizationStore;
    /// Members of an organization.
    fn members(&mut self) -> &mut dyn MemberStore;
    /// Invitations into an organization.
    fn invitations(&mut self) -> &mut dyn InvitationStore;
    /// Projects, and the door to one.
    fn projects(&mut self) -> &mut dyn ProjectStore;
    /// The statuses of a project.
    fn statuses(&mut self) -> &mut dyn StatusStore;
    /// The labels of a project, and on which tasks they are.
    fn labels(&mut self) -> &mut dyn LabelStore;
    /// Tasks, and the door to one.
    fn tasks(&mut self) -> &mut dyn TaskStore;
    /// Comments on tasks.
    fn comments(&mut self) -> &mut dyn CommentStore;
    /// What happened.
    fn activity(&mut self) -> &mut dyn ActivityStore;
    /// Notifications to people.
    fn notifications(&mut self) -> &mut dyn NotificationStore;
    /// What can be found.
    fn search(&mut self) -> &mut dyn SearchStore;
    /// Whole organizations, row by row.
    fn transfer(&mut self) -> &mut dyn TransferStore;
    /// Endpoints that are told of what happens.
    fn webhooks(&mut self) -> &mut dyn WebhookStore;
    /// Answers kept for repeated requests.
    fn idempotency(&mut self) -> &mut dyn IdempotencyStore;
    /// Where jobs are written, with the rows that caused them.
    fn outbox(&mut self) -> &mut dyn Outbox;
    /// The worker's side of the queue.
    fn jobs(&mut self) -> &mut dyn JobStore;

    /// Whether a job was enqueued through this unit, so that a worker is worth waking after the commit.
    fn has_enqueued(&self) -> bool;

    /// The concrete unit, so that an embedder's hook can reach its own database's connection.
    fn as_any_mut(&mut self) -> &mut dyn Any;

    /// Makes everything durable.
    ///
    /// # Errors
    /// [`StoreError`] when the database refuses; then nothing was written.
    async fn commit(self: Box<Self>) -> Result<(), StoreError>;
}
