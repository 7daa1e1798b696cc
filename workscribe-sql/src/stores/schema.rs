//! Which migrations are missing, and whether the database can serve.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use sqlx::migrate::{Migration, Migrator};
use sqlx::{Connection as _, query_as};
use workscribe_core::{NotReady, StoreError};
use workscribe_migrations::TABLE;

use super::{Conn, Db, Unit, dialect, store_error};

/// A database that takes longer to say that it is there is not ready.
const PATIENCE: Duration = Duration::from_secs(1);

/// The migrations that were not applied yet, as `0001 foundation`.
pub(crate) async fn pending(conn: &mut Conn, known: &Migrator) -> Result<Vec<String>, StoreError> {
    let name = |migration: &Migration| format!("{:04} {}", migration.version, migration.description);
    Ok(pending_of(conn, known).await?.into_iter().map(name).collect())
}

/// The migrations that were not applied yet.
pub(crate) async fn pending_of<'m>(
    conn: &mut Conn,
    known: &'m Migrator,
) -> Result<Vec<&'m Migration>, StoreError> {
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

/// What is not ready. `migrated` remembers that nothing was missing, since migrations are never taken back.
pub(crate) async fn readiness(unit: Unit, known: &Migrator, migrated: &AtomicBool) -> Vec<NotReady> {
    let not_ready = |part, reason: String| vec![NotReady { part, reason }];
    match tokio::time::timeout(PATIENCE, check(unit, known, migrated)).await {
        Ok(Ok(missing)) if missing.is_empty() => Vec::new(),
        Ok(Ok(missing)) => not_ready("migrations", format!("not applied yet: {}", missing.join(", "))),
        Ok(Err(error)) => {
            tracing::warn!(error = &error as &dyn std::error::Error, "the database is not ready");
            not_ready("database", "the database does not answer".into())
        }
        Err(_) => not_ready("database", "the database does not answer within a second".into()),
    }
}

async fn check(mut unit: Unit, known: &Migrator, migrated: &AtomicBool) -> Result<Vec<String>, StoreError> {
    let conn = unit.connection().await?;
    if migrated.load(Ordering::Relaxed) {
        conn.ping().await.map_err(|error| store_error("ready", error, dialect::classify))?;
        return Ok(Vec::new());
    }
    let missing = pending(conn, known).await?;
    migrated.store(missing.is_empty(), Ordering::Relaxed);
    Ok(missing)
}
