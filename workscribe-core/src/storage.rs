//! The interface to the databases: a [`Storage`] opens units of work, and a unit of work gives access to every store.
//!
//! One transaction spans all stores and the outbox, so a job, the rows of a hook and the write that caused them commit together or
//! not at all. Stores only read and write; services decide. A missing row is an `Option`. A rule that a user's input can break is
//! enforced by the database: the result is a [`crate::StoreError::Conflict`] with the [`Constraint`](crate::Constraint), and there is no
//! look-up before the insert. Any other broken rule is a fault of the program.
//!
//! **To add a store**, write its trait in its area and one line in `catalog.rs`.

use std::any::Any;

use async_trait::async_trait;

use crate::id::{OrgId, UserId};
use crate::store_error::StoreResult;

/// A database.
#[async_trait]
pub trait Storage: Send + Sync + 'static {
    /// A unit of work with a transaction, which begins at the first statement. Dropping the unit rolls back.
    ///
    /// # Errors
    /// [`crate::StoreError::Unavailable`] when there is no free connection.
    async fn begin(&self) -> StoreResult<Box<dyn UnitOfWork>>;

    /// A unit of work without a transaction, for reads on the hot path. Each statement sees what is committed when it runs. A write
    /// through it is a mistake that a storage may refuse.
    ///
    /// # Errors
    /// [`crate::StoreError::Unavailable`] when there is no free connection.
    async fn read(&self) -> StoreResult<Box<dyn UnitOfWork>>;

    /// A unit of work for reading in which every statement sees what was committed at the first one, however long it takes. A write
    /// through it is a mistake that a storage may refuse.
    ///
    /// # Errors
    /// [`crate::StoreError::Unavailable`] when there is no free connection.
    async fn snapshot(&self) -> StoreResult<Box<dyn UnitOfWork>>;

    /// The parts that are not ready to serve; empty when all are ready.
    async fn readiness(&self) -> Vec<NotReady>;
}

/// A part that cannot serve now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotReady {
    /// `database`, `migrations` or `redis`.
    pub part: &'static str,
    /// What is wrong, without secrets.
    pub reason: String,
}

/// The party for which a unit works. Storages share scarce resources, such as connections, fairly among parties.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Party {
    /// An organization, for all its members together.
    Organization(OrgId),
    /// A person, for work that belongs to no organization.
    User(UserId),
}

macro_rules! accessors {
    ($($(#[$doc:meta])* $accessor:ident: $store:path;)+) => {
        $($(#[$doc])* fn $accessor(&mut self) -> &mut dyn $store;)+
    };
}

/// One piece of work on the database; see the documentation of the module.
#[async_trait]
pub trait UnitOfWork: Send {
    /// Sets the party for which the unit works from now on. Every door into an organization does so. Without a party, the unit works
    /// for the server and needs no share. A connection that the unit already has still counts for the previous party.
    fn on_behalf_of(&mut self, party: Party);

    every_store!(accessors);

    /// Whether a job was enqueued in this unit, so that the workers should be woken after the commit.
    fn has_enqueued(&self) -> bool;

    /// The concrete unit, so that an embedder's hook can use the connection of its database.
    fn as_any_mut(&mut self) -> &mut dyn Any;

    /// Commits everything that was written.
    ///
    /// # Errors
    /// [`crate::StoreError`] when the database refuses; then nothing was written.
    async fn commit(self: Box<Self>) -> StoreResult<()>;
}
