//! All that differs between the databases, for Postgres. `sqlite/dialect.rs` has the same names.

use sqlx::encode::IsNull;
use sqlx::error::{BoxDynError, DatabaseError};
use sqlx::postgres::{PgArgumentBuffer, PgTypeInfo, PgValueRef};
use sqlx::{Decode, Encode, PgConnection, Postgres, Type};
use workscribe_core::Constraint;
use workscribe_core::clock::Timestamp;

use crate::error::Meaning;

pub(crate) type Db = Postgres;
pub(crate) type Conn = PgConnection;

/// What opens a transaction. The isolation is named, because a server's default may be another, and the statements that
/// compare and set rely on seeing a row again after waiting for it.
pub(crate) const BEGIN: &str = "BEGIN ISOLATION LEVEL READ COMMITTED";

/// Locks the rows that were read against other writers, but not against references to them.
macro_rules! for_update {
    () => {
        " FOR NO KEY UPDATE"
    };
}

/// Locks the rows that were read against their removal, as a reference to them does.
macro_rules! for_key_share {
    () => {
        " FOR KEY SHARE"
    };
}

/// Locks the rows that were read, and passes over those that another holds.
macro_rules! skip_locked {
    () => {
        " FOR UPDATE SKIP LOCKED"
    };
}

/// The texts of a JSON array, as rows.
macro_rules! texts_of {
    ($array:literal) => {
        concat!("(SELECT jsonb_array_elements_text(", $array, "))")
    };
}

/// Whether there is a table of this name where the schema is looked for.
pub(crate) const TABLE_EXISTS: &str = "SELECT to_regclass($1) IS NOT NULL";

/// A moment: `timestamptz`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ts(pub(crate) Timestamp);

impl Type<Postgres> for Ts {
    fn type_info() -> PgTypeInfo {
        <Timestamp as Type<Postgres>>::type_info()
    }
}

impl Encode<'_, Postgres> for Ts {
    fn encode_by_ref(&self, buffer: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
        Encode::<Postgres>::encode_by_ref(&self.0, buffer)
    }
}

impl<'r> Decode<'r, Postgres> for Ts {
    fn decode(value: PgValueRef<'r>) -> Result<Self, BoxDynError> {
        <Timestamp as Decode<Postgres>>::decode(value).map(Self)
    }
}

/// Reads an error by its SQLSTATE and the constraint's name.
pub(crate) fn classify(error: &dyn DatabaseError) -> Meaning {
    match error.code().as_deref() {
        Some("23505") => Meaning::Conflict(unique_rule(error.constraint().unwrap_or_default())),
        Some("23503") => Meaning::Conflict(Constraint::Reference),
        // Cancelled by a timeout; serialization failure and deadlock; too many connections; lock not to be had.
        Some("57014" | "40001" | "40P01" | "53300" | "55P03") => Meaning::Unavailable,
        // Read only: a standby that was not promoted yet. Idle in a transaction for too long.
        Some("25006" | "25P03") => Meaning::Unavailable,
        // Connection exceptions; shut down, crashed, starting.
        Some(code) if code.starts_with("08") || code.starts_with("57P") => Meaning::Unavailable,
        _ => Meaning::Other,
    }
}

fn unique_rule(name: &str) -> Constraint {
    match name {
        "ws_users_email_key" => Constraint::UserEmail,
        "ws_organizations_slug_key" => Constraint::OrganizationSlug,
        // A partition's key has the partition's name in it.
        _ if name.starts_with("ws_members") && name.ends_with("_pkey") => Constraint::Membership,
        _ => Constraint::Other,
    }
}
