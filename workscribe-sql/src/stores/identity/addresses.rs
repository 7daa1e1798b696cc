//! Converts addresses that were stored before domains had one form.

use sqlx::types::Uuid;
use sqlx::{query, query_as};
use workscribe_core::identity::Email;
use workscribe_core::{StoreError, StoreResult};

use super::bind::BindAll as _;
use super::{Conn, Db, dialect, store_error};

/// The number of accounts that are read in one statement.
const PORTION: i64 = 1_000;

/// The name under which the step is recorded.
const STEP: &str = "forms of addresses";

fn refused(error: sqlx::Error) -> StoreError {
    store_error("migrate: forms of addresses", error, dialect::classify)
}

/// Brings the addresses of accounts into the form that [`Email`] gives them, which no database can do by itself. It runs after the
/// migrations, under their lock, and is recorded as done; after an interruption the next run converts the rest. If another account
/// has the new form already, an account keeps the old form, which no login finds; the log names both accounts.
///
/// Invitations and mailed tokens need no step: every read gives their addresses this form, and they end within days.
pub(crate) async fn bring_into_one_form(conn: &mut Conn) -> StoreResult<()> {
    let done = query_as::<Db, (String,)>("SELECT name FROM ws_steps WHERE name = $1")
        .bind(STEP)
        .persistent(false)
        .fetch_optional(&mut *conn)
        .await
        .map_err(refused)?;
    if done.is_some() {
        return Ok(());
    }
    change_all(conn).await?;
    query::<Db>("INSERT INTO ws_steps (name) VALUES ($1) ON CONFLICT (name) DO NOTHING")
        .bind(STEP)
        .persistent(false)
        .execute(conn)
        .await
        .map_err(refused)?;
    Ok(())
}

async fn change_all(conn: &mut Conn) -> StoreResult<()> {
    let mut after = Uuid::nil();
    loop {
        let others = query_as::<Db, (Uuid, String)>(
            "SELECT id, email FROM ws_users WHERE id > $1 AND length(email) <> octet_length(email) ORDER BY id LIMIT $2",
        )
        .bind_all((after, PORTION))
        .persistent(false)
        .fetch_all(&mut *conn)
        .await
        .map_err(refused)?;
        let Some((last, _)) = others.last() else { return Ok(()) };
        after = *last;
        for (id, stored) in others {
            let email = Email::from_stored(stored.clone());
            if email.as_str() == stored {
                continue;
            }
            let changed = query::<Db>(
                "UPDATE ws_users SET email = $2, version = version + 1
                  WHERE id = $1 AND NOT EXISTS (SELECT 1 FROM ws_users o WHERE o.email = $2)",
            )
            .bind_all((id, email.as_str()))
            .persistent(false)
            .execute(&mut *conn)
            .await
            .map_err(refused)?;
            if changed.rows_affected() == 0 {
                let other = query_as::<Db, (Uuid,)>("SELECT id FROM ws_users WHERE email = $1")
                    .bind(email.as_str())
                    .persistent(false)
                    .fetch_optional(&mut *conn)
                    .await
                    .map_err(refused)?;
                let other = other.map(|(other,)| other.to_string()).unwrap_or_default();
                tracing::warn!(
                    user_id = %id, %other,
                    "two accounts have one e-mail address in two forms of its domain; the first cannot log in until one is changed"
                );
            }
        }
    }
}
