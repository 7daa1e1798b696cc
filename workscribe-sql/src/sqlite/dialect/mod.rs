//! Everything that differs between the databases, for SQLite. `postgres/dialect` has the same names, in the same files.
//!
//! `tasks.rs` is for tasks and their lists, `search.rs` for full-text search; this file is for everything else.

#[macro_use]
mod search;
#[macro_use]
mod tasks;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use sqlx::encode::IsNull;
use sqlx::error::{BoxDynError, DatabaseError, ErrorKind};
use sqlx::sqlite::{SqliteArgumentsBuffer, SqliteTypeInfo, SqliteValueRef};
use sqlx::types::{Json, Uuid};
use sqlx::{Decode, Encode, QueryBuilder, Sqlite, SqliteConnection, Type, raw_sql};
use workscribe_core::Constraint;
use workscribe_core::clock::Timestamp;
use workscribe_core::id::{OrgId, ProjectId};

use crate::error::{Meaning, UNIQUE_RULES, UniqueRule};

pub(crate) use search::{
    SEARCH_SAMPLE, TASKS_FOUND, TASKS_FOUND_COMMON, WHOLE_WORDS_FIRST, search_query, title_query,
};
pub(crate) use tasks::{BOARD, CHOICE_END, FEW, IS_OF, LABEL_IDS_AFTER, NOTES_LABEL, WRONG_LABELS};

pub(crate) type Db = Sqlite;
pub(crate) type Conn = SqliteConnection;

/// Begins a transaction. It takes the write lock at once: a transaction that reads before it writes could not wait for the lock,
/// because by then its snapshot would be old (`SQLITE_BUSY_SNAPSHOT`).
pub(crate) const BEGIN: &str = "BEGIN IMMEDIATE";

/// Begins a read-only transaction. In WAL mode all of its statements see the snapshot of the first one.
pub(crate) const SNAPSHOT: &str = "BEGIN DEFERRED";

/// Nothing: a transaction is the only writer of the whole database.
macro_rules! for_update {
    () => {
        ""
    };
}

/// Nothing, as above.
pub(crate) const fn hold_project(_: OrgId, _: ProjectId) -> Option<String> {
    None
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

/// The party of a job: its organization, or the party without an organization.
macro_rules! party {
    () => {
        concat!("COALESCE(org_id, ", nobody!(), ")")
    };
}

/// The party of jobs without an organization, which comes before all others.
macro_rules! nobody {
    () => {
        "x'00000000000000000000000000000000'"
    };
}

/// The ids that the second query returns for each row `turn` of the first. They need no locks, because there is only one writer.
macro_rules! of_each_turn {
    ($turns:expr, $query:expr) => {
        concat!(
            "SELECT one.id FROM ",
            $turns,
            " AS turn CROSS JOIN ws_jobs AS one ON one.id IN (",
            $query,
            ")"
        )
    };
}

/// The size of a value in bytes, without reading it.
macro_rules! bytes_of {
    ($value:literal) => {
        concat!("COALESCE(octet_length(", $value, "), 0)")
    };
}

/// Whether one statement can contain several writes. It cannot: a `WITH` only reads.
pub(crate) const WRITES_TOGETHER: bool = false;

/// Compares the preceding expression with bound ids, like `in_ids`.
pub(crate) fn push_in_ids(statement: &mut QueryBuilder<Db>, ids: Json<Vec<Uuid>>) {
    statement.push("IN (SELECT unhex(replace(value, '-', '')) FROM json_each(").push_bind(ids).push("))");
}

/// The texts of a JSON array, as rows.
macro_rules! texts_of {
    ($array:literal) => {
        concat!("(SELECT value FROM json_each(", $array, "))")
    };
}

/// The ids of a JSON array, as rows.
macro_rules! ids_of {
    ($array:literal) => {
        concat!("(SELECT unhex(replace(value, '-', '')) AS id FROM json_each(", $array, "))")
    };
}

/// Compares the preceding id with the ids of a JSON array.
macro_rules! in_ids {
    ($array:literal) => {
        any_of!(ids_of!($array))
    };
}

/// Compares the preceding expression with the rows of a query in parentheses.
macro_rules! any_of {
    ($query:expr) => {
        concat!("IN ", $query)
    };
}

/// The elements of a JSON array as rows, each with a `value`.
macro_rules! rows_of {
    ($array:literal) => {
        concat!("json_each(", $array, ") AS given")
    };
}

/// An id that is a text in such a `value`.
macro_rules! uuid_of {
    ($text:expr) => {
        concat!("unhex(replace(", $text, ", '-', ''))")
    };
}

/// A time in such a `value`, as [`json_time`] writes it.
macro_rules! time_of {
    ($text:literal) => {
        $text
    };
}

/// The users with the ids that a query in parentheses returns, each once. `CROSS JOIN` makes SQLite look them up by their key,
/// even when there are few users.
macro_rules! users_by_id {
    ($columns:literal, $ids:expr) => {
        concat!(
            "SELECT ",
            $columns,
            " FROM (WITH wanted (wanted_id) AS (SELECT DISTINCT * FROM ",
            $ids,
            ") SELECT wanted_id FROM wanted) CROSS JOIN ws_users ON id = wanted_id"
        )
    };
}

/// The same for a tenant's table.
macro_rules! rows_by_id {
    ($columns:literal, $table:literal, $org:literal, $ids:expr) => {
        concat!(
            "SELECT ",
            $columns,
            " FROM (WITH wanted (wanted_id) AS (SELECT DISTINCT * FROM ",
            $ids,
            ") SELECT wanted_id FROM wanted) CROSS JOIN ",
            $table,
            " ON org_id = ",
            $org,
            " AND id = wanted_id"
        )
    };
}

/// Keys as rows `given`, numbered from [`FIRST_KEY`]. Each column is an [`array`].
macro_rules! given {
    ($kind:ident $bound:literal $name:literal $(, $kinds:ident $bounds:literal $names:literal)*) => {
        concat!(
            "(SELECT one.key AS number_of_key, ",
            given!(@$kind "one.value"),
            " AS ",
            $name $(, ", ", given!(@$kinds $bounds " ->> one.key"), " AS ", $names)*,
            " FROM json_each(",
            $bound,
            ") AS one) AS given "
        )
    };
    (@uuid $($value:literal)+) => { concat!("unhex(replace(" $(, $value)+, ", '-', ''))") };
    (@text $($value:literal)+) => { concat!($($value),+) };
}

/// The number of the first key.
pub(crate) const FIRST_KEY: i64 = 0;

/// Keys as a bound value.
pub(crate) fn array<T>(keys: impl Iterator<Item = T>) -> Json<Vec<T>> {
    Json(keys.collect())
}

/// Joins the one row of a table that a condition identifies. `CROSS JOIN` keeps the preceding rows first.
macro_rules! one_of {
    ($table:literal, $alias:literal, $condition:expr) => {
        concat!("CROSS JOIN ", $table, " ", $alias, " ON ", $condition, " ")
    };
}

/// The same when there may be no such row.
macro_rules! one_or_none_of {
    ($table:literal, $alias:literal, $condition:expr) => {
        concat!("LEFT JOIN ", $table, " ", $alias, " ON ", $condition, " ")
    };
}

/// Unread notifications, in the form that their index has.
macro_rules! unread {
    () => {
        "n.is_read = 0"
    };
}

/// Ends a query in parentheses, and keeps its conditions apart from those around it.
macro_rules! fence {
    () => {
        " LIMIT -1"
    };
}

/// A time in JSON.
pub(crate) fn json_time(time: Timestamp) -> serde_json::Value {
    time.timestamp_micros().into()
}

/// Nothing: every change needs some space, in the log.
pub(crate) const TAKES_SPACE: Option<&str> = None;

/// Whether a table with this name exists.
pub(crate) const TABLE_EXISTS: &str =
    "SELECT count(*) > 0 FROM sqlite_master WHERE type = 'table' AND name = $1";

/// A time, stored as an `INTEGER` of microseconds since 1970.
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

/// Interrupts a statement: SQLite calls a handler regularly, which decides whether the statement continues.
#[derive(Clone)]
pub(crate) struct Interrupt {
    /// When the statement ends, in µs since the first use of [`micros`].
    end: Arc<AtomicU64>,
}

/// How many steps of its virtual machine SQLite takes between two calls: some tenths of a millisecond.
const STEPS: i32 = 10_000;
const NEVER: u64 = u64::MAX;

impl Interrupt {
    /// Sets the handler of a connection, and replaces that of an earlier unit.
    pub(crate) async fn of(connection: &mut Conn) -> Result<Self, sqlx::Error> {
        let end = Arc::new(AtomicU64::new(NEVER));
        let asked = Arc::clone(&end);
        connection.lock_handle().await?.set_progress_handler(STEPS, move || {
            let end = asked.load(Ordering::Relaxed);
            let goes_on = end == NEVER || micros() < end;
            if !goes_on {
                // Only once: the next statement on this connection belongs to another caller.
                asked.store(NEVER, Ordering::Relaxed);
            }
            goes_on
        });
        Ok(Self { end })
    }

    /// Called before a statement, with its time limit.
    pub(crate) fn begins(&mut self, limit: Option<Duration>) {
        let end = limit.map_or(NEVER, |limit| {
            micros().saturating_add(u64::try_from(limit.as_micros()).unwrap_or(NEVER))
        });
        self.end.store(end, Ordering::Relaxed);
    }

    pub(crate) fn ended(&mut self) {
        self.end.store(NEVER, Ordering::Relaxed);
    }

    /// Whether the connection can still be used. It can: the next statement waits until this one has ended.
    pub(crate) fn break_off(&self) -> bool {
        self.end.store(0, Ordering::Relaxed);
        true
    }
}

fn micros() -> u64 {
    static EPOCH: LazyLock<Instant> = LazyLock::new(Instant::now);
    u64::try_from(EPOCH.elapsed().as_micros()).unwrap_or(NEVER)
}

/// Begins a transaction instead of one that cannot be rolled back. SQLite ends a transaction by itself when the disk is full, but
/// sqlx treats it as open. After this there is one to roll back again.
pub(crate) async fn begin_anew(connection: &mut Conn) -> Result<(), sqlx::Error> {
    raw_sql("BEGIN").execute(connection).await.map(drop)
}

/// Classifies an error by its code, and finds a unique rule by the columns in the message, because SQLite does not give its name.
pub(crate) fn classify(error: &dyn DatabaseError) -> Meaning {
    match error.kind() {
        ErrorKind::UniqueViolation => {
            return unique_rule(error.message()).map_or(Meaning::Other, Meaning::Conflict);
        }
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

/// `UNIQUE constraint failed: ws_projects.org_id, ws_projects.key`
fn unique_rule(message: &str) -> Option<Constraint> {
    let (_, columns) = message.rsplit_once(": ")?;
    let is_over = |rule: &&UniqueRule| {
        columns
            .split(", ")
            .map(|column| column.split_once('.'))
            .eq(rule.columns.iter().map(|column| Some((rule.table, *column))))
    };
    UNIQUE_RULES.iter().find(is_over).map(|rule| rule.constraint)
}
