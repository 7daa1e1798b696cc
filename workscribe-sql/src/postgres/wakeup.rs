//! Wakes the workers of every server with `LISTEN` and `NOTIFY`. Behind a pooler that keeps no session (PgBouncer in transaction
//! mode) no notification arrives, and workers poll.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use sqlx::postgres::{PgListener, PgPool, PgPoolOptions};
use sqlx::{query, query_as};
use tokio::sync::Notify;
use tokio::task::AbortHandle;
use workscribe_core::clock::{Entropy, SystemEntropy};
use workscribe_core::local::LocalWakeup;
use workscribe_core::ports::Wakeup;

/// The minimum time between two `NOTIFY`, because each commit of one takes a lock on the whole database.
const AT_MOST_EVERY: Duration = Duration::from_millis(20);
/// The waits between attempts to listen.
const BACKOFF: std::ops::Range<Duration> = Duration::from_millis(200)..Duration::from_secs(10);

/// Notifies on a channel named after the schema, and listens there on its own connection, in tasks that end when this is dropped.
/// Enqueueing does not wait for it: workers of this process wake at once, the others one round trip later.
///
/// A notification may be lost while a connection breaks. So each new connection wakes this server's workers once.
#[derive(Debug)]
pub struct PostgresWakeup {
    local: Arc<LocalWakeup>,
    outgoing: Arc<Notify>,
    tasks: [AbortHandle; 2],
}

impl PostgresWakeup {
    pub(super) fn new(pool: &PgPool) -> Self {
        let mut sender = [0; 16];
        SystemEntropy.fill(&mut sender);
        let sender: String = sender.iter().map(|byte| format!("{byte:02x}")).collect();
        let (local, outgoing) = (Arc::new(LocalWakeup::default()), Arc::new(Notify::new()));
        let telling = tokio::spawn(tell(pool.clone(), Arc::clone(&outgoing), sender.clone()));
        let listening = tokio::spawn(listen(pool.clone(), Arc::clone(&local), sender));
        Self { local, outgoing, tasks: [telling.abort_handle(), listening.abort_handle()] }
    }
}

impl Drop for PostgresWakeup {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

#[async_trait]
impl Wakeup for PostgresWakeup {
    async fn notify(&self) {
        self.local.notify().await;
        self.outgoing.notify_one();
    }

    async fn wait(&self) {
        self.local.wait().await;
    }
}

/// Sends notifications; several calls become one.
async fn tell(pool: PgPool, outgoing: Arc<Notify>, sender: String) {
    loop {
        outgoing.notified().await;
        let told = query("SELECT pg_notify(left('workscribe_' || current_schema(), 63), $1)")
            .bind(&sender)
            .execute(&pool);
        if let Err(error) = told.await {
            tracing::debug!(%error, "other servers were not notified of new work");
        }
        tokio::time::sleep(AT_MOST_EVERY).await;
    }
}

async fn listen(pool: PgPool, local: Arc<LocalWakeup>, sender: String) {
    let mut wait = BACKOFF.start;
    loop {
        match listen_once(&pool, &local, &sender, &mut wait).await {
            Ok(()) => tracing::debug!("the connection for notifications of new work was lost"),
            Err(error) => tracing::debug!(%error, "no notifications of new work arrive; workers poll"),
        }
        tokio::time::sleep(wait).await;
        wait = (wait * 2).min(BACKOFF.end);
    }
}

/// Listens until the connection is lost.
async fn listen_once(
    pool: &PgPool,
    local: &LocalWakeup,
    sender: &str,
    wait: &mut Duration,
) -> Result<(), sqlx::Error> {
    // Its own pool, so that it does not keep a connection of the storage's pool.
    let own = PgPoolOptions::new().max_connections(1).connect_lazy_with((*pool.connect_options()).clone());
    let channel = "SELECT left('workscribe_' || current_schema(), 63)";
    let (channel,): (String,) = query_as(channel).fetch_one(&own).await?;
    let mut listener = PgListener::connect_with(&own).await?;
    listener.listen(&channel).await?;
    *wait = BACKOFF.start;
    local.notify().await;
    while let Some(message) = listener.try_recv().await? {
        // Its own notifications have woken its workers already.
        if message.payload() != sender {
            local.notify().await;
        }
    }
    Ok(())
}
