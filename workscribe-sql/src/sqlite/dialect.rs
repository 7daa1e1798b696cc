//! Everything that differs between the databases, for SQLite. `postgres/dialect.rs` has the same names.

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
use workscribe_core::search::Words;

use crate::error::{Meaning, UNIQUE_RULES, UniqueRule};

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

/// The new `label_ids`. The added labels are bound after the first part, the removed labels after the second.
pub(crate) const LABEL_IDS_AFTER: [&str; 3] = [
    "(SELECT json_group_array(ids.id ORDER BY ids.id)
        FROM (SELECT value AS id FROM json_each(label_ids) UNION SELECT value FROM json_each(",
    ")) AS ids
       WHERE ids.id NOT IN (SELECT value FROM json_each(",
    ")))",
];

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

/// The labels of a single task `t`, as one JSON array.
macro_rules! labels_of_one_task {
    () => {
        "(SELECT json_group_array(json_object('id', hex(l.id), 'name', l.name, 'color', l.color) ORDER BY l.name_key, l.id)
            FROM json_each(t.label_ids) AS ids
           CROSS JOIN ws_labels l ON l.org_id = t.org_id AND l.id = unhex(replace(ids.value, '-', '')))"
    };
}

/// Nothing: [`task_joins`] reads the rows with which each task is shown, by their keys. Here that costs no round trip.
macro_rules! shown_with {
    ($org:literal) => {
        " "
    };
}

/// The joins with which a chosen task `t` is read.
macro_rules! task_joins {
    () => {
        concat!(
            " ",
            one_of!("ws_projects", "p", "p.org_id = t.org_id AND p.id = t.project_id"),
            one_of!("ws_statuses", "s", "s.org_id = t.org_id AND s.id = t.status_id"),
            one_or_none_of!("ws_users", "a", "a.id = t.assignee_id"),
            one_of!("ws_users", "r", "r.id = t.reporter_id")
        )
    };
}

/// The labels of the task `t`, as one JSON array.
macro_rules! labels_of_task {
    () => {
        labels_of_one_task!()
    };
}

/// Unread notifications, in the form that their index has.
macro_rules! unread {
    () => {
        "n.is_read = 0"
    };
}

/// The documents of the organization `$1` that match the query `$2`, of the kind `$4` if it is not null, with their rank; the
/// lowest is the best. Documents whose title has all words, which `$3` queries, come first. It takes the newest 200 of each sort,
/// and FTS5 reads them newest first: a word in all documents costs no more than a word in 200.
macro_rules! matches_of_search {
    () => {
        "(SELECT id, updated_at, min(rank) AS rank
            FROM (SELECT * FROM (SELECT f.id, f.updated_at, 0 AS rank FROM ws_search_words CROSS JOIN ws_search f
                                  WHERE ws_search_words MATCH $3 AND f.rowid = ws_search_words.rowid AND f.org_id = $1
                                    AND ($4 IS NULL OR f.kind = $4)
                                  ORDER BY ws_search_words.rowid DESC LIMIT 200)
                  UNION ALL
                  SELECT * FROM (SELECT f.id, f.updated_at, 1 AS rank FROM ws_search_words CROSS JOIN ws_search f
                                  WHERE ws_search_words MATCH $2 AND f.rowid = ws_search_words.rowid AND f.org_id = $1
                                    AND ($4 IS NULL OR f.kind = $4)
                                  ORDER BY ws_search_words.rowid DESC LIMIT 200))
           GROUP BY id)"
    };
}

/// The same: how common the words are makes no difference.
macro_rules! matches_of_common_search {
    () => {
        matches_of_search!()
    };
}

/// Nothing: how common a word is makes no difference.
pub(crate) const SEARCH_SAMPLE: Option<&str> = None;

/// Whether a search tries whole words first. FTS5 reads the documents of one word in order, but must merge those of all words
/// with a prefix before it knows the first.
pub(crate) const WHOLE_WORDS_FIRST: bool = true;

/// A query for the documents of an organization that have all words. If `open`, the last word is a prefix.
pub(crate) fn search_query(org: OrgId, words: &Words, open: bool) -> String {
    words.query(" AND ", |word, may_go_on| term('a', org, word, may_go_on && open))
}

/// A query for those that have all words in their title.
pub(crate) fn title_query(org: OrgId, words: &Words, open: bool) -> String {
    words.query(" AND ", |word, may_go_on| term('t', org, word, may_go_on && open))
}

/// A word as it is stored, after its place and the mark of its organization.
fn term(place: char, org: OrgId, word: &str, may_go_on: bool) -> String {
    let org = org.to_string();
    let mark = &org[org.len().saturating_sub(12)..];
    format!("\"{place}{mark}{word}\"{}", if may_go_on { " *" } else { "" })
}

/// A condition on the tasks `i`: they match a [`search_query`]. The query is bound after the first part, the organization after
/// the second.
pub(crate) const TASKS_FOUND: [&str; 3] = [
    " AND i.id IN (SELECT f.id FROM ws_search_words CROSS JOIN ws_search f
                    WHERE f.rowid = ws_search_words.rowid AND f.kind = 'task' AND ws_search_words MATCH ",
    " AND f.org_id = ",
    ")",
];
/// The same: how common the words are makes no difference.
pub(crate) const TASKS_FOUND_COMMON: [&str; 3] = TASKS_FOUND;

/// Up to this number of tasks of a label or a person, a list reads and sorts them. If there are more, it reads all tasks in
/// order, because it soon finds enough of them.
pub(crate) const FEW: i64 = 200;

/// Ends a query in parentheses, and keeps its conditions apart from those around it.
macro_rules! fence {
    () => {
        " LIMIT -1"
    };
}

/// Whether a person has the task `i`, for reading tasks in order. The sign prevents the use of an index of people.
pub(crate) const IS_OF: [&str; 2] = [" AND +i.assignee_id = ", ""];

/// Whether the task `i` has a label, from its own `label_ids`, for reading tasks in order.
pub(crate) const NOTES_LABEL: [&str; 2] =
    [" AND EXISTS (SELECT 1 FROM json_each(i.label_ids) AS ids WHERE ids.value = ", ")"];

/// Nothing: the choice of a page of tasks needs no hint for the planner.
pub(crate) const CHOICE_END: Option<&str> = None;

/// The tasks of a board by column. Conditions for its statuses `s` follow the first part, conditions for their tasks `i` the
/// second. `CROSS JOIN` keeps this order, so both indexes are read in order until the limit that follows.
pub(crate) const BOARD: [&str; 3] = [
    " FROM ws_statuses s CROSS JOIN ws_tasks i WHERE ",
    " AND ",
    " ORDER BY s.position, s.id, i.position, i.id",
];

/// How many tasks have other `label_ids` than `ws_task_labels`. A removed label may remain in `label_ids`.
pub(crate) const WRONG_LABELS: &str = "
    SELECT count(*) FROM ws_tasks t
     WHERE (SELECT json_group_array(hex(l.label_id) ORDER BY l.label_id) FROM ws_task_labels l
             WHERE l.org_id = t.org_id AND l.task_id = t.id)
        <> (SELECT json_group_array(hex(x.id) ORDER BY x.id) FROM json_each(t.label_ids) AS n
              JOIN ws_labels x ON x.org_id = t.org_id AND x.id = unhex(replace(n.value, '-', '')))";

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
