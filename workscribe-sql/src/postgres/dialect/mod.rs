//! Everything that differs between the databases, for Postgres. `sqlite/dialect` has the same names, in the same files.
//!
//! `tasks.rs` is for tasks and their lists, `search.rs` for full-text search; this file is for everything else.

#[macro_use]
mod search;
#[macro_use]
mod tasks;

use std::time::Duration;

use sqlx::encode::IsNull;
use sqlx::error::{BoxDynError, DatabaseError};
use sqlx::postgres::{PgArgumentBuffer, PgDatabaseError, PgTypeInfo, PgValueRef};
use sqlx::types::{Json, Uuid};
use sqlx::{Decode, Encode, PgConnection, Postgres, QueryBuilder, Type};
use workscribe_core::Constraint;
use workscribe_core::clock::Timestamp;
use workscribe_core::id::{OrgId, ProjectId};

use crate::error::{Meaning, UNIQUE_RULES, UniqueRule};

pub(crate) use search::{
    SEARCH_SAMPLE, TASKS_FOUND, TASKS_FOUND_COMMON, WHOLE_WORDS_FIRST, search_query, title_query,
};
pub(crate) use tasks::{BOARD, CHOICE_END, FEW, IS_OF, LABEL_IDS_AFTER, NOTES_LABEL, WRONG_LABELS};

pub(crate) type Db = Postgres;
pub(crate) type Conn = PgConnection;

/// Begins a transaction. It names the isolation level because a server may have another default. Statements that compare and set
/// need READ COMMITTED: they read the row again after waiting for its lock.
pub(crate) const BEGIN: &str = "BEGIN ISOLATION LEVEL READ COMMITTED";

/// Begins a read-only transaction in which each statement sees everything that is committed when the statement starts.
pub(crate) const READ: &str = "BEGIN ISOLATION LEVEL READ COMMITTED READ ONLY";

/// Begins a read-only transaction in which all statements see the snapshot of the first one.
pub(crate) const SNAPSHOT: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";

/// Locks the rows against other writers, but not against references to them.
macro_rules! for_update {
    () => {
        " FOR NO KEY UPDATE"
    };
}

/// Takes a project's lock in the round trip that begins a transaction, which cannot bind values. The text contains the ids
/// themselves, which have only digits, letters and hyphens.
pub(crate) fn hold_project(org: OrgId, id: ProjectId) -> Option<String> {
    Some(format!("SELECT FROM ws_projects WHERE org_id = '{org}' AND id = '{id}' FOR NO KEY UPDATE"))
}

/// Locks the rows against their removal, as a foreign key to them does.
macro_rules! for_key_share {
    () => {
        " FOR KEY SHARE"
    };
}

/// Locks the rows, and skips rows that another transaction has locked.
macro_rules! skip_locked {
    () => {
        " FOR UPDATE SKIP LOCKED"
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
        "CAST('00000000-0000-0000-0000-000000000000' AS uuid)"
    };
}

/// The ids that the second query returns for each row `turn` of the first. It locks them, and skips those that are locked already.
macro_rules! of_each_turn {
    ($turns:expr, $query:expr) => {
        concat!(
            "SELECT one.id FROM ",
            $turns,
            " AS turn CROSS JOIN LATERAL (",
            $query,
            " FOR UPDATE SKIP LOCKED) AS one"
        )
    };
}

/// The stored size of a value in bytes, without reading a value that is stored out of line.
macro_rules! bytes_of {
    ($value:literal) => {
        concat!("COALESCE(pg_column_size(", $value, "), 0)")
    };
}

/// Whether one statement can contain several writes.
pub(crate) const WRITES_TOGETHER: bool = true;

/// Compares the preceding expression with bound ids, like `in_ids`.
pub(crate) fn push_in_ids(statement: &mut QueryBuilder<Db>, ids: Json<Vec<Uuid>>) {
    statement.push("= ANY (ARRAY(SELECT CAST(jsonb_array_elements_text(").push_bind(ids).push(") AS uuid)))");
}

/// The texts of a JSON array, as rows.
macro_rules! texts_of {
    ($array:literal) => {
        concat!("(SELECT jsonb_array_elements_text(", $array, "))")
    };
}

/// The ids of a JSON array, as rows.
macro_rules! ids_of {
    ($array:literal) => {
        concat!("(SELECT CAST(jsonb_array_elements_text(", $array, ") AS uuid) AS id)")
    };
}

/// Compares the preceding id with the ids of a JSON array. They are an array of Postgres: for rows the planner would expect a
/// hundred, and rather read a whole table than use an index.
macro_rules! in_ids {
    ($array:literal) => {
        any_of!(ids_of!($array))
    };
}

/// Compares the preceding expression with the rows of a query in parentheses, as an array for the same reason.
macro_rules! any_of {
    ($query:expr) => {
        concat!("= ANY (ARRAY", $query, ")")
    };
}

/// The elements of a JSON array as rows, each with a `value`.
macro_rules! rows_of {
    ($array:literal) => {
        concat!("jsonb_array_elements(", $array, ") AS given (value)")
    };
}

/// An id that is a text in such a `value`.
macro_rules! uuid_of {
    ($text:expr) => {
        concat!("CAST(", $text, " AS uuid)")
    };
}

/// A time in such a `value`, as [`json_time`] writes it.
macro_rules! time_of {
    ($text:literal) => {
        concat!("CAST(", $text, " AS timestamptz)")
    };
}

/// The rows of a tenant's table with the ids that a query in parentheses returns, each once. Because of `LATERAL` with a limit,
/// the planner has only one choice: the primary key, for each id.
macro_rules! rows_by_id {
    ($columns:literal, $table:literal, $org:literal, $ids:expr) => {
        concat!(
            "SELECT ",
            $columns,
            " FROM (SELECT DISTINCT wanted_id FROM ",
            $ids,
            " AS ids (wanted_id)) AS wanted CROSS JOIN LATERAL (SELECT * FROM ",
            $table,
            " WHERE org_id = ",
            $org,
            " AND id = wanted.wanted_id LIMIT 1) AS found"
        )
    };
}

/// The same for users, who belong to no tenant.
macro_rules! users_by_id {
    ($columns:literal, $ids:expr) => {
        concat!(
            "SELECT ",
            $columns,
            " FROM (SELECT DISTINCT wanted_id FROM ",
            $ids,
            " AS ids (wanted_id)) AS wanted CROSS JOIN LATERAL (SELECT * FROM ws_users WHERE id = wanted.wanted_id LIMIT 1) AS found"
        )
    };
}

/// Keys as rows `given`, numbered from [`FIRST_KEY`]. Each column is an [`array`]. They come from a subquery, so the planner does
/// not see their number and needs no new plan for each number.
macro_rules! given {
    ($kind:ident $bound:literal $name:literal $(, $kinds:ident $bounds:literal $names:literal)*) => {
        concat!(
            "unnest((SELECT CAST(",
            $bound,
            " AS ",
            stringify!($kind),
            "[]))" $(, ", (SELECT CAST(", $bounds, " AS ", stringify!($kinds), "[]))")*,
            ") WITH ORDINALITY AS given (",
            $name $(, ", ", $names)*,
            ", number_of_key) "
        )
    };
}

/// The number of the first key.
pub(crate) const FIRST_KEY: i64 = 1;

/// Keys as a bound value.
pub(crate) fn array<T>(keys: impl Iterator<Item = T>) -> Vec<T> {
    keys.collect()
}

/// Joins the one row of a table that a condition identifies. Because of `LATERAL` with a limit, the planner has only one choice:
/// an index of the condition's columns, for each of the preceding rows.
macro_rules! one_of {
    ($table:literal, $alias:literal, $condition:expr) => {
        concat!(
            "CROSS JOIN LATERAL (SELECT * FROM ",
            $table,
            " ",
            $alias,
            " WHERE ",
            $condition,
            " LIMIT 1) AS ",
            $alias,
            " "
        )
    };
}

/// The same when there may be no such row.
macro_rules! one_or_none_of {
    ($table:literal, $alias:literal, $condition:expr) => {
        concat!(
            "LEFT JOIN LATERAL (SELECT * FROM ",
            $table,
            " ",
            $alias,
            " WHERE ",
            $condition,
            " LIMIT 1) AS ",
            $alias,
            " ON TRUE "
        )
    };
}

/// Unread notifications, in the form that their index has.
macro_rules! unread {
    () => {
        "NOT n.is_read"
    };
}

/// Ends a query in parentheses, and keeps its conditions apart from those around it.
macro_rules! fence {
    () => {
        " OFFSET 0"
    };
}

/// A time in JSON.
pub(crate) fn json_time(time: Timestamp) -> serde_json::Value {
    time.to_rfc3339_opts(chrono::SecondsFormat::Micros, true).into()
}

/// A statement that fails on a full disk even when a small change might still find space. Its rows need more than its memory, so
/// they go into a temporary file beside the tables.
pub(crate) const TAKES_SPACE: Option<&str> = Some(
    "SELECT count(*)
       FROM (SELECT set_config('work_mem', '64kB', TRUE) || set_config('temp_tablespaces', '', TRUE) AS small OFFSET 0) AS set
      CROSS JOIN LATERAL generate_series(length(set.small), 20000)",
);

/// Whether a table with this name exists in the search path.
pub(crate) const TABLE_EXISTS: &str = "SELECT to_regclass($1) IS NOT NULL";

/// A time, stored as `timestamptz`.
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

/// Interrupts a statement by closing its connection, which the server notices within `client_connection_check_interval`.
pub(crate) struct Interrupt;

impl Interrupt {
    pub(crate) async fn of(_: &mut Conn) -> Result<Self, sqlx::Error> {
        Ok(Self)
    }

    /// Does nothing: the server enforces the limit.
    pub(crate) fn begins(&mut self, _: Option<Duration>) {}

    pub(crate) fn ended(&mut self) {}

    /// Whether the connection can still be used. It cannot: closing it is the interruption.
    pub(crate) fn break_off(&self) -> bool {
        false
    }
}

/// Begins a transaction instead of one that cannot be rolled back. On a broken connection this is impossible.
pub(crate) async fn begin_anew(_: &mut Conn) -> Result<(), sqlx::Error> {
    Err(sqlx::Error::BeginFailed)
}

/// Classifies an error by its SQLSTATE and the name of the constraint.
pub(crate) fn classify(error: &dyn DatabaseError) -> Meaning {
    match error.code().as_deref() {
        Some("23505") => unique_rule(error).map_or(Meaning::Other, |rule| Meaning::Conflict(rule.constraint)),
        Some("23503") => Meaning::Conflict(Constraint::Reference),
        // A task without a number: its project, which counts the numbers, was removed or archived.
        Some("23502") if is_unnumbered_task(error) => Meaning::Conflict(Constraint::OpenProject),
        // Cancelled by a timeout; serialization failure and deadlock; lock not available; I/O error of a disk.
        Some("57014" | "40001" | "40P01" | "55P03" | "58030") => Meaning::Unavailable,
        // Disk space, memory or connections have run out.
        Some(code) if code.starts_with("53") => Meaning::Unavailable,
        // Read-only: a standby that is not promoted yet. Idle in a transaction for too long.
        Some("25006" | "25P03") => Meaning::Unavailable,
        // Connection errors; the server is shut down, has crashed, or is starting.
        Some(code) if code.starts_with("08") || code.starts_with("57P") => Meaning::Unavailable,
        _ => Meaning::Other,
    }
}

fn is_unnumbered_task(error: &dyn DatabaseError) -> bool {
    let error = error.try_downcast_ref::<PgDatabaseError>();
    // The name of a partition is longer.
    error.is_some_and(|error| {
        error.column() == Some("number") && error.table().is_some_and(|table| table.starts_with("ws_tasks"))
    })
}

fn unique_rule(error: &dyn DatabaseError) -> Option<&'static UniqueRule> {
    let (table, name) = (error.table()?, error.constraint()?);
    UNIQUE_RULES.iter().find(|rule| rule.name == name || is_of_a_part(rule, table, name))
}

/// Whether a name is that of a rule on a partition. Postgres makes it from the names of the partition and the columns.
fn is_of_a_part(rule: &UniqueRule, table: &str, name: &str) -> bool {
    let end = match rule.columns {
        _ if rule.name.ends_with("_pkey") => "_pkey".to_owned(),
        columns => format!("_{}_key", columns.join("_")),
    };
    table.starts_with(rule.table) && table != rule.table && name.ends_with(&end)
}
