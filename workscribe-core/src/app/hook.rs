//! An embedder's code in the transaction of an event: [`Hook`].

use async_trait::async_trait;

use crate::error::Result;
use crate::events::DomainEvent;
use crate::storage::UnitOfWork;

use super::WorkScribe;

/// An embedder's code that runs in the transaction of an event.
///
/// It may read and write through the unit of work, or use the connection of its own database through
/// [`UnitOfWork::as_any_mut`]. An error rolls back the whole operation. Do not make remote calls in a hook: enqueue a job with
/// [`WorkScribe::enqueue`].
#[async_trait]
pub trait Hook: Send + Sync {
    /// Runs once for each event, in order.
    ///
    /// # Errors
    /// Any error rolls back the operation. The caller gets a 500 unless it is an [`crate::Error`].
    async fn on_event(&self, app: &WorkScribe, uow: &mut dyn UnitOfWork, event: &DomainEvent) -> Result<()>;
}
