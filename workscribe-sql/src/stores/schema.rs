//! Missing migrations, and whether the database can serve requests.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use sqlx::migrate::{Migration, Migrator};
use sqlx::{query, query_as};
use workscribe_core::{NotReady, StoreError, StoreResult, UnitOfWork as _};
use workscribe_migrations::TABLE;

use super::batch::{Batch, Found, LookUp};
use super::{Conn, Db, Unit, dialect, store_error};

/// A database that takes longer than this for a small write is not ready.
const PATIENCE: Duration = Duration::from_secs(1);

/// The missing migrations, as `0001 foundation`.
pub(crate) async fn pending(conn: &mut Conn, known: &Migrator) -> StoreResult<Vec<String>> {
    let name = |migration: &Migration| format!("{:04} {}", migration.version, migration.description);
    Ok(pending_of(conn, known).await?.into_iter().map(name).collect())
}

/// The missing migrations.
pub(crate) async fn pending_of<'m>(conn: &mut Conn, known: &'m Migrator) -> StoreResult<Vec<&'m Migration>> {
    let applied = applied(conn).await.map_err(|error| store_error("migrations", error, dialect::classify))?;
    Ok(known.iter().filter(|migration| !applied.contains(&migration.version)).collect())
}

async fn applied(conn: &mut Conn) -> Result<HashSet<i64>, sqlx::Error> {
    let exists = query_as::<Db, (bool,)>(dialect::TABLE_EXISTS).bind(TABLE).persistent(false);
    if !exists.fetch_one(&mut *conn).await?.0 {
        return Ok(HashSet::new());
    }
    let applied = query_as::<Db, (i64,)>("SELECT version FROM _workscribe_migrations WHERE success");
    Ok(applied.persistent(false).fetch_all(conn).await?.into_iter().map(|(version,)| version).collect())
}

/// Checks what is not ready. Callers that arrive during a check share the next one, so that one or a few checks run at a time,
/// however many callers there are.
pub(crate) struct Readiness {
    tries: Arc<Batch<Try>>,
}

impl Readiness {
    /// `unit` makes the units for reads and writes.
    pub(crate) fn new(
        known: &'static Migrator,
        unit: impl Fn(Kind) -> Unit + Send + Sync + 'static,
    ) -> Arc<Self> {
        let tries = Batch::new(Try { known, unit: Box::new(unit), migrated: AtomicBool::new(false) });
        Arc::new(Self { tries })
    }

    pub(crate) async fn ask(&self) -> Vec<NotReady> {
        match self.tries.load(()).await {
            Ok(parts) => parts.unwrap_or_default(),
            Err(error) => not_answering(&error),
        }
    }
}

/// The kind of a unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Reads,
    Writes,
}

struct Try {
    known: &'static Migrator,
    unit: Box<dyn Fn(Kind) -> Unit + Send + Sync>,
    /// Set once no migration was missing, since migrations are never undone.
    migrated: AtomicBool,
}

impl LookUp for Try {
    type Key = ();
    type Row = Vec<NotReady>;
    type Connection = ();

    async fn connect(&self) -> StoreResult<()> {
        Ok(())
    }

    async fn look_up(&self, (): (), _: &[()]) -> StoreResult<Found<Vec<NotReady>>> {
        let parts = match tokio::time::timeout(PATIENCE, self.check()).await {
            Ok(Ok(missing)) if missing.is_empty() => Vec::new(),
            Ok(Ok(missing)) => not_ready("migrations", format!("not applied yet: {}", missing.join(", "))),
            Ok(Err(error)) => not_answering(&error),
            Err(_) => not_ready("database", "the database does not answer within a second".into()),
        };
        Ok(vec![(0, Ok(parts))])
    }
}

impl Try {
    async fn check(&self) -> StoreResult<Vec<String>> {
        if !self.migrated.load(Ordering::Relaxed) {
            let mut unit = (self.unit)(Kind::Reads);
            let missing = pending(unit.connection().await?, self.known).await?;
            self.migrated.store(missing.is_empty(), Ordering::Relaxed);
            if !missing.is_empty() {
                return Ok(missing);
            }
        }
        // Many faults still allow reads: a full disk, or a server that has become a replica.
        let mut unit = (self.unit)(Kind::Writes);
        unit.execute("ws_readiness: try", query("UPDATE ws_readiness SET tries = tries + 1 WHERE id = 1"))
            .await?;
        if let Some(statement) = dialect::TAKES_SPACE {
            unit.execute("readiness: space", query(statement)).await?;
        }
        Box::new(unit).commit().await?;
        Ok(Vec::new())
    }
}

fn not_ready(part: &'static str, reason: String) -> Vec<NotReady> {
    vec![NotReady { part, reason }]
}

fn not_answering(error: &StoreError) -> Vec<NotReady> {
    tracing::warn!(error = error as &dyn std::error::Error, "the database is not ready");
    not_ready("database", "the database accepts no writes, or does not answer".into())
}
