//! Wakes the workers of every server. While Redis is unavailable, each server wakes its own workers; the others poll.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use deadpool_redis::redis::cmd;
use futures_util::StreamExt;
use tokio::task::AbortHandle;
use workscribe_core::clock::{Entropy, SystemEntropy};
use workscribe_core::local::LocalWakeup;
use workscribe_core::ports::Wakeup;
use workscribe_core::{StoreError, StoreResult};

use crate::client::Redis;

/// The maximum time for which [`Wakeup::notify`] waits for Redis.
const PUBLISH_WITHIN: Duration = Duration::from_millis(200);
/// How often an idle subscription is checked, because a connection can break without an error.
const CHECK_EVERY: Duration = Duration::from_secs(15);
/// The waits between attempts to connect.
const BACKOFF: std::ops::Range<Duration> = Duration::from_millis(100)..Duration::from_secs(5);

/// Publishes on the channel `{prefix}wake`, and listens there in its own task, which ends when this is dropped.
///
/// A message may be lost while a server reconnects. So each new subscription also wakes the server's workers, once.
#[derive(Debug)]
pub struct RedisWakeup {
    redis: Redis,
    local: Arc<LocalWakeup>,
    /// Identifies its own messages, which have woken its workers already.
    sender: String,
    subscriber: AbortHandle,
}

impl RedisWakeup {
    /// Begins to listen. If Redis is unavailable, the task tries again until it can connect.
    ///
    /// # Panics
    /// Outside a Tokio runtime.
    #[must_use]
    pub fn new(redis: Redis) -> Self {
        let mut sender = [0; 16];
        SystemEntropy.fill(&mut sender);
        let sender: String = sender.iter().map(|byte| format!("{byte:02x}")).collect();
        let local = Arc::new(LocalWakeup::default());
        let task = tokio::spawn(listen(redis.clone(), Arc::clone(&local), sender.clone()));
        Self { redis, local, sender, subscriber: task.abort_handle() }
    }
}

impl Drop for RedisWakeup {
    fn drop(&mut self) {
        self.subscriber.abort();
    }
}

#[async_trait]
impl Wakeup for RedisWakeup {
    async fn notify(&self) {
        self.local.notify().await;
        let mut publish = cmd("PUBLISH");
        publish.arg(channel(&self.redis)).arg(&self.sender);
        match tokio::time::timeout(PUBLISH_WITHIN, self.redis.query::<i64>(&publish)).await {
            Ok(Ok(_)) => {}
            Ok(Err(error)) => tracing::debug!(%error, "other servers were not notified of new work"),
            Err(_) => tracing::debug!("other servers were not notified of new work in time"),
        }
    }

    async fn wait(&self) {
        self.local.wait().await;
    }
}

fn channel(redis: &Redis) -> String {
    redis.key("wake")
}

async fn listen(redis: Redis, local: Arc<LocalWakeup>, sender: String) {
    let mut pause = BACKOFF.start;
    loop {
        let mut subscribed = false;
        match follow(&redis, &local, &sender, &mut subscribed).await {
            Ok(()) => tracing::debug!("the subscription to wake-ups ended"),
            Err(error) => tracing::debug!(%error, "there is no subscription to wake-ups"),
        }
        if subscribed {
            pause = BACKOFF.start;
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(BACKOFF.end);
    }
}

/// Listens on one connection until it ends.
async fn follow(redis: &Redis, local: &LocalWakeup, sender: &str, subscribed: &mut bool) -> StoreResult<()> {
    let (mut sink, mut messages) = redis.subscriber().await?.split();
    let within = |error: tokio::time::error::Elapsed| StoreError::Unavailable(Box::new(error));
    let broken = |error| StoreError::Unavailable(Box::new(error));
    let subscribing = sink.subscribe(channel(redis));
    tokio::time::timeout(redis.timeout(), subscribing).await.map_err(within)?.map_err(broken)?;
    *subscribed = true;
    local.notify().await;
    loop {
        match tokio::time::timeout(CHECK_EVERY, messages.next()).await {
            Ok(Some(message)) if message.get_payload_bytes() == sender.as_bytes() => {}
            Ok(Some(_)) => local.notify().await,
            Ok(None) => return Ok(()),
            Err(_) => {
                let checking = sink.ping_message::<deadpool_redis::redis::Value>("");
                tokio::time::timeout(redis.timeout(), checking).await.map_err(within)?.map_err(broken)?;
            }
        }
    }
}
