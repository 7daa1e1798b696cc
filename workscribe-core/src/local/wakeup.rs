//! Wakes the workers of one process.

use async_trait::async_trait;
use tokio::sync::Notify;

use crate::ports::Wakeup;

/// Wakes the workers of this process.
#[derive(Debug, Default)]
pub struct LocalWakeup(Notify);

#[async_trait]
impl Wakeup for LocalWakeup {
    async fn notify(&self) {
        // All waiting tasks are woken. One permit is kept, so that a call between two waits is not lost.
        self.0.notify_waiters();
        self.0.notify_one();
    }

    async fn wait(&self) {
        self.0.notified().await;
    }
}
