//! An embedder's code within the transaction of an event: [`Hook`].

use async_trait::async_trait;

use crate::error::Error;
use crate::events::DomainEvent;
use crate::storage::UnitOfWork;

use super::WorkScribe;

/// An embedder's code that runs within the transaction of the event.
///
/// It may read and write through the unit of work, or reach its own database's connection with
/// [`UnitOfWork::as_any_mut`]. An error rolls the whole operation back. Do no remote call in it: enqueue a job, with
/// [`WorkScribe::enqueue`].
#[async_trait]
pub trait Hook: Send + Sync {
    /// Called once for each event, in order.
    ///
    /// # Errors
    /// Any error undoes the operation, and the caller gets a 500 unless it is a [`Error`].
    async fn on_event(
        &self,
        app: &WorkScribe,
        uow: &mut dyn UnitOfWork,
        event: &DomainEvent,
    ) -> Result<(), Error>;
}
