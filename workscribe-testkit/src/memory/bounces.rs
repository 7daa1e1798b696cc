//! Addresses that refuse mail.

use async_trait::async_trait;
use workscribe_core::StoreError;
use workscribe_core::clock::Timestamp;
use workscribe_core::identity::{Bounce, BounceStore, Email};

use super::{MemoryUnit, sweep_some};

#[async_trait]
impl BounceStore for MemoryUnit {
    async fn note(&mut self, bounce: &Bounce) -> Result<(), StoreError> {
        self.change(|tables| {
            tables.bounces.insert(bounce.email.clone(), bounce.clone());
            Ok(())
        })
        .await
    }

    async fn find(&mut self, email: &Email) -> Result<Option<Bounce>, StoreError> {
        self.view(|tables| tables.bounces.get(email).cloned()).await
    }

    async fn clear(&mut self, email: &Email) -> Result<bool, StoreError> {
        self.change(|tables| Ok(tables.bounces.remove(email).is_some())).await
    }

    async fn sweep(&mut self, before: Timestamp, limit: u32) -> Result<u64, StoreError> {
        self.change(|tables| Ok(sweep_some(&mut tables.bounces, limit, |bounce| bounce.bounced_at < before)))
            .await
    }
}
