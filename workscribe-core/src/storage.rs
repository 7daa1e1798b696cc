//! The seam to the databases: a [`Storage`] makes units of work, and a unit of work is the repository.
//!
//! One transaction spans every store and the outbox, so a job, a hook's row and the write that caused them
//! commit together or not at all. Stores only read and write; services decide. A missing row is an
//! `Option`; a broken rule that people can break is a [`StoreError::Conflict`] that names the [`Constraint`],
//! never a look-up before the insert. Any other broken rule is a fault of the program.
//!
//! **How to add an aggregate**: model and store trait in its area's module, an accessor here, the statements
//! in `workscribe-sql/src/stores/`, the memory form in `workscribe-testkit/src/memory/`, a migration for
//! each database, and cases in `workscribe-testkit/src/conformance/`, which every storage then runs.

use std::any::Any;
use std::error::Error as StdError;

use async_trait::async_trait;

use crate::id::{OrgId, UserId};
use crate::idempotency::IdempotencyStore;
use crate::identity::{AttemptStore, BounceStore, TokenStore, UserStore};
use crate::notifications::NotificationStore;
use crate::outbox::{JobStore, Outbox};
use crate::search::SearchStore;
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

/// The rules that people can break, one alone or two at once, told apart by name and not by a driver's text. What only a fault of the
/// program can break, such as the key of a row whose id the program makes, is none of them: it is a [`StoreError::Backend`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Constraint {
    /// A user's id, which an import may bring along. From elsewhere it is a fault.
    UserId,
    /// A user's e-mail address.
    UserEmail,
    /// An organization's id, which an import may bring along. From elsewhere it is a fault.
    OrganizationId,
    /// An organization's slug.
    OrganizationSlug,
    /// One membership for a user in an organization.
    Membership,
    /// A project's key in its organization.
    ProjectKey,
    /// A status's name in its project.
    StatusName,
    /// A label's name in its project.
    LabelName,
    /// A row that is referred to is not there.
    Reference,
    /// A new task is in a project that is there, not archived, and has numbers left: only such a project gives one.
    OpenProject,
    /// What a row is added to has room for it.
    Room,
    /// The claim of an idempotency key is there, and not answered yet.
    IdempotencyClaim,
}

/// Why a storage could not do it. The sources name the statement, and the table and the rule as far as the database tells them, for the
/// log; never the values of a row, since those may be secrets.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// A rule is broken that people can break.
    #[error("the {constraint:?} rule is broken")]
    Conflict {
        /// Which rule.
        constraint: Constraint,
        /// Which statement has found it broken, and how.
        source: Box<dyn StdError + Send + Sync>,
    },
    /// The row is there, in another version than the one expected.
    #[error("the row has another version than the one expected")]
    StaleVersion,
    /// The database cannot be reached, is too busy, or gave up on the statement's time.
    #[error("the storage does not answer")]
    Unavailable(#[source] Box<dyn StdError + Send + Sync>),
    /// Too many wait already for whom this unit works, or they have waited for too long. Nobody else is held up by it.
    #[error("too many wait for the same organization or person")]
    Crowded,
    /// A stored value cannot be read back.
    #[error("a value in {table} cannot be read: {problem}")]
    Corrupt {
        /// The table it stands in.
        table: &'static str,
        /// Which column, and what is wrong with it.
        problem: String,
    },
    /// Anything else that the database says: a fault of the program, or of the database.
    #[error("the storage refused the statement")]
    Backend(#[source] Box<dyn StdError + Send + Sync>),
}

impl StoreError {
    /// A broken rule, with the statement that has found it or the database's error.
    pub fn conflict(constraint: Constraint, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self::Conflict { constraint, source: source.into() }
    }
}
