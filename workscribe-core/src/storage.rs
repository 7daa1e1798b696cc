//! The seam to the databases: a [`Storage`] makes units of work, and a unit of work is the repository.
//!
//! One transaction spans every store and the outbox, so a job, a hook's row and the write that caused them
//! commit together or not at all. Stores only read and write; services decide. A missing row is an
//! `Option`; a broken rule that people can break is a [`StoreError::Conflict`] that names the
//! [`Constraint`](crate::Constraint), never a look-up before the insert. Any other is a fault of the program.
//!
//! **To add a store**, write its trait in its area and one line in [`every_store!`](crate::every_store).

use std::any::Any;

use async_trait::async_trait;

use crate::id::{OrgId, UserId};
use crate::store_error::StoreError;

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

/// Every store, by its accessor: the only list of them. `every_store!(name)` calls the macro `name!` with
/// `$($(#[$doc:meta])* $accessor:ident: $store:path;)+`, so that a unit of work writes its accessors once for all.
#[macro_export]
macro_rules! every_store {
    ($callback:ident) => {
        $callback! {
            /// Users and their credentials.
            users: $crate::identity::UserStore;
            /// Failed logins, by account.
            attempts: $crate::identity::AttemptStore;
            /// Addresses that refuse mail.
            bounces: $crate::identity::BounceStore;
            /// Sessions and single-use tokens.
            tokens: $crate::identity::TokenStore;
            /// Organizations, and the door into them.
            organizations: $crate::tenancy::OrganizationStore;
            /// Members of an organization.
            members: $crate::tenancy::MemberStore;
            /// Invitations into an organization.
            invitations: $crate::tenancy::InvitationStore;
            /// Projects, and the door to one.
            projects: $crate::work::ProjectStore;
            /// The statuses of a project.
            statuses: $crate::work::StatusStore;
            /// The labels of a project, and on which tasks they are.
            labels: $crate::work::LabelStore;
            /// Tasks, and the door to one.
            tasks: $crate::work::TaskStore;
            /// The order of tasks in the columns of boards.
            board: $crate::work::BoardStore;
            /// Comments on tasks.
            comments: $crate::work::CommentStore;
            /// What happened.
            activity: $crate::work::ActivityStore;
            /// Notifications to people.
            notifications: $crate::notifications::NotificationStore;
            /// What can be found.
            search: $crate::search::SearchStore;
            /// Whole organizations, row by row.
            transfer: $crate::transfer::TransferStore;
            /// Endpoints that are told of what happens.
            webhooks: $crate::webhooks::WebhookStore;
            /// Answers kept for repeated requests.
            idempotency: $crate::idempotency::IdempotencyStore;
            /// Where jobs are written, with the rows that caused them.
            outbox: $crate::outbox::Outbox;
            /// The worker's side of the queue.
            jobs: $crate::outbox::JobStore;
        }
    };
}

macro_rules! accessors {
    ($($(#[$doc:meta])* $accessor:ident: $store:path;)+) => {
        $($(#[$doc])* fn $accessor(&mut self) -> &mut dyn $store;)+
    };
}

/// One piece of work on the database; see the module's notes.
#[async_trait]
pub trait UnitOfWork: Send {
    /// Says for whom the unit works from now on: every door into an organization does. Without it, it works for the server itself
    /// and waits for nobody's share. What it has already taken stays with whom it was taken for.
    fn on_behalf_of(&mut self, party: Party);

    every_store!(accessors);

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
