//! All that differs between the databases, for SQLite. `postgres/dialect.rs` has the same names.

use sqlx::encode::IsNull;
use sqlx::error::{BoxDynError, DatabaseError, ErrorKind};
use sqlx::sqlite::{SqliteArgumentsBuffer, SqliteTypeInfo, SqliteValueRef};
use sqlx::{Decode, Encode, Sqlite, SqliteConnection, Type};
use workscribe_core::Constraint;
use workscribe_core::clock::Timestamp;

use crate::error::Meaning;

pub(crate) type Db = Sqlite;
pub(crate) type Conn = SqliteConnection;

/// What opens a transaction. It takes the write lock at once: one that only begins to write after reading could not wait
/// for its turn, because what it has read would be old by then (`SQLITE_BUSY_SNAPSHOT`).
pub(crate) const BEGIN: &str = "BEGIN IMMEDIATE";

/// Nothing: a transaction has the whole database to itself.
macro_rules! for_update {
    () => {
        ""
    };
}

/// Nothing, as above.
macro_rules! for_key_share {
    () => {
        ""
    };
}

/// Nothing, as above.
macro_rules! skip_locked {
    () => {
        ""
    };
}

/// The texts of a JSON array, as rows.
macro_rules! texts_of {
    ($array:literal) => {
        concat!("(SELECT value FROM json_each(", $array, "))")
    };
}

/// Whether there is a table of this name.
pub(crate) const TABLE_EXISTS: &str =
    "SELECT count(*) > 0 FROM sqlite_master WHERE type = 'table' AND name = $1";

/// A moment: an `INTEGER` of microseconds since 1970.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ts(pub(crate) Timestamp);

impl Type<Sqlite> for Ts {
    fn type_info() -> SqliteTypeInfo {
        <i64 as Type<Sqlite>>::type_info()
    }

    fn compatible(ty: &SqliteTypeInfo) -> bool {
        <i64 as Type<Sqlite>>::compatible(ty)
    }
}

impl Encode<'_, Sqlite> for Ts {
    fn encode_by_ref(&self, buffer: &mut SqliteArgumentsBuffer) -> Result<IsNull, BoxDynError> {
        Encode::<Sqlite>::encode_by_ref(&self.0.timestamp_micros(), buffer)
    }
}

impl<'r> Decode<'r, Sqlite> for Ts {
    fn decode(value: SqliteValueRef<'r>) -> Result<Self, BoxDynError> {
        let micros = <i64 as Decode<Sqlite>>::decode(value)?;
        let moment = Timestamp::from_timestamp_micros(micros);
        moment.map(Self).ok_or_else(|| format!("{micros} microseconds is no moment").into())
    }
}

/// Reads an error by its code, and a unique rule by the columns that the message names: SQLite does not give its name.
pub(crate) fn classify(error: &dyn DatabaseError) -> Meaning {
    match error.kind() {
        ErrorKind::UniqueViolation => return Meaning::Conflict(unique_rule(error.message())),
        ErrorKind::ForeignKeyViolation => return Meaning::Conflict(Constraint::Reference),
        _ => {}
    }
    let code = error.code().and_then(|code| code.parse::<u32>().ok()).unwrap_or_default();
    match code & 0xff {
        // SQLITE_BUSY, LOCKED, INTERRUPT, IOERR, FULL, CANTOPEN.
        5 | 6 | 9 | 10 | 13 | 14 => Meaning::Unavailable,
        _ => Meaning::Other,
    }
}

fn unique_rule(message: &str) -> Constraint {
    match message.rsplit_once(": ").map_or(message, |(_, columns)| columns) {
        "ws_users.email" => Constraint::UserEmail,
        "ws_organizations.slug" => Constraint::OrganizationSlug,
        "ws_members.org_id, ws_members.user_id" => Constraint::Membership,
        _ => Constraint::Other,
    }
}
