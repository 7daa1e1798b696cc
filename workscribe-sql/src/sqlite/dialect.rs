//! All that differs between the databases, for SQLite. `postgres/dialect.rs` has the same names.

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

/// What opens a transaction. It takes the write lock at once: one that only begins to write after reading could not wait
/// for its turn, because what it has read would be old by then (`SQLITE_BUSY_SNAPSHOT`).
pub(crate) const BEGIN: &str = "BEGIN IMMEDIATE";

/// What opens a transaction that reads, all of it as it was at its first statement: in WAL mode a reader's transaction does.
pub(crate) const SNAPSHOT: &str = "BEGIN DEFERRED";

/// Nothing: a transaction has the whole database to itself.
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

/// Of whom a job is: its organization, or nobody in particular.
macro_rules! party {
    () => {
        concat!("COALESCE(org_id, ", nobody!(), ")")
    };
}

/// The party of what is no organization's: before all others.
macro_rules! nobody {
    () => {
        "x'00000000000000000000000000000000'"
    };
}

/// The ids that a query answers for each row `turn` of the first, which is the writer's alone.
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

/// How many bytes a value takes: told without reading it.
macro_rules! bytes_of {
    ($value:literal) => {
        concat!("COALESCE(octet_length(", $value, "), 0)")
    };
}

/// Whether one statement can make several writes: none can, since a `WITH` only reads.
pub(crate) const WRITES_TOGETHER: bool = false;

/// What `label_ids` is after some came and some went. Those are bound after the first part, these after the second.
pub(crate) const LABEL_IDS_AFTER: [&str; 3] = [
    "(SELECT json_group_array(ids.id ORDER BY ids.id)
        FROM (SELECT value AS id FROM json_each(label_ids) UNION SELECT value FROM json_each(",
    ")) AS ids
       WHERE ids.id NOT IN (SELECT value FROM json_each(",
    ")))",
];

/// Whether what is before it is one of the ids that are bound, as `in_ids` says it.
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

/// Whether the id before it is one of a JSON array.
macro_rules! in_ids {
    ($array:literal) => {
        any_of!(ids_of!($array))
    };
}

/// Whether what is before it is one of what a query in parentheses answers.
macro_rules! any_of {
    ($query:expr) => {
        concat!("IN ", $query)
    };
}

/// The members of a JSON array as rows, each of which has a `value`.
macro_rules! rows_of {
    ($array:literal) => {
        concat!("json_each(", $array, ") AS given")
    };
}

/// An id that stands as text in such a `value`.
macro_rules! uuid_of {
    ($text:expr) => {
        concat!("unhex(replace(", $text, ", '-', ''))")
    };
}

/// A moment that stands in such a `value` as [`json_time`] writes it.
macro_rules! time_of {
    ($text:literal) => {
        $text
    };
}

/// The users with the ids that a query in parentheses answers, once each. `CROSS JOIN` has them looked up by their key, however few
/// users there are.
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

/// The same of a tenant's table.
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

/// Keys as rows `given`, with a number from [`FIRST_KEY`]: each column is an [`array`].
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

/// The number of the first key that is given.
pub(crate) const FIRST_KEY: i64 = 0;

/// Keys that are bound.
pub(crate) fn array<T>(keys: impl Iterator<Item = T>) -> Json<Vec<T>> {
    Json(keys.collect())
}

/// Joins the one row of a table that a condition names, from the rows before it: `CROSS JOIN` keeps their order.
macro_rules! one_of {
    ($table:literal, $alias:literal, $condition:expr) => {
        concat!("CROSS JOIN ", $table, " ", $alias, " ON ", $condition, " ")
    };
}

/// The same where there may be none.
macro_rules! one_or_none_of {
    ($table:literal, $alias:literal, $condition:expr) => {
        concat!("LEFT JOIN ", $table, " ", $alias, " ON ", $condition, " ")
    };
}

/// The labels of a task `t`, looked up for it alone, as one JSON array.
macro_rules! labels_of_one_task {
    () => {
        "(SELECT json_group_array(json_object('id', hex(l.id), 'name', l.name, 'color', l.color) ORDER BY l.name_key, l.id)
            FROM json_each(t.label_ids) AS ids
           CROSS JOIN ws_labels l ON l.org_id = t.org_id AND l.id = unhex(replace(ids.value, '-', '')))"
    };
}

/// Nothing: [`task_joins`] looks up what each task is shown with by its keys, which costs no round trip here.
macro_rules! shown_with {
    ($org:literal) => {
        " "
    };
}

/// What a task `t`, which was chosen before, is read with.
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

/// Notifications that were not read, as their index says it.
macro_rules! unread {
    () => {
        "n.is_read = 0"
    };
}

/// The documents of the organization `$1` that fit the query `$2`, of the kind `$4` if it is not null, with their rank: the
/// least is the best. Those whose title has all of the words, which `$3` asks for, come before the others. Of either the latest 200 are
/// taken, and FTS5 steps through them from the newest on: a word that is everywhere costs no more than one that 200 have.
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

/// The same, whatever the words.
macro_rules! matches_of_common_search {
    () => {
        matches_of_search!()
    };
}

/// Nothing: it makes no difference how common a word is.
pub(crate) const SEARCH_SAMPLE: Option<&str> = None;

/// Whether whole words alone are asked for first. The documents of a word are stepped through, those of all words with one beginning
/// must be put together before the first of them is known.
pub(crate) const WHOLE_WORDS_FIRST: bool = true;

/// Which documents of an organization have all of the words, the last of which may go on if `open`.
pub(crate) fn search_query(org: OrgId, words: &Words, open: bool) -> String {
    words.query(" AND ", |word, may_go_on| term('a', org, word, may_go_on && open))
}

/// Which of them have all of the words in their title.
pub(crate) fn title_query(org: OrgId, words: &Words, open: bool) -> String {
    words.query(" AND ", |word, may_go_on| term('t', org, word, may_go_on && open))
}

/// A word as the index has it: with its place and the mark of its organization before it.
fn term(place: char, org: OrgId, word: &str, may_go_on: bool) -> String {
    let org = org.to_string();
    let mark = &org[org.len().saturating_sub(12)..];
    format!("\"{place}{mark}{word}\"{}", if may_go_on { " *" } else { "" })
}

/// A condition on the tasks `i`: that they fit a [`search_query`]. The query is bound after the first part, the organization
/// after the second.
pub(crate) const TASKS_FOUND: [&str; 3] = [
    " AND i.id IN (SELECT f.id FROM ws_search_words CROSS JOIN ws_search f
                    WHERE f.rowid = ws_search_words.rowid AND f.kind = 'task' AND ws_search_words MATCH ",
    " AND f.org_id = ",
    ")",
];
/// The same, whatever the words.
pub(crate) const TASKS_FOUND_COMMON: [&str; 3] = TASKS_FOUND;

/// How many tasks have a label, and how many a person: so many at the most, because those who have more are met soon on a walk through
/// all tasks, and fewer are gathered sooner.
pub(crate) const FEW: i64 = 200;

/// Ends a query in parentheses whose conditions are to stay apart from those around it.
macro_rules! fence {
    () => {
        " LIMIT -1"
    };
}

/// Whether the task `i` is a person's, asked on a walk: the sign keeps indexes of people from it.
pub(crate) const IS_OF: [&str; 2] = [" AND +i.assignee_id = ", ""];

/// Whether the task `i` has a label, by its own note alone: it is asked on a walk.
pub(crate) const NOTES_LABEL: [&str; 2] =
    [" AND EXISTS (SELECT 1 FROM json_each(i.label_ids) AS ids WHERE ids.value = ", ")"];

/// Nothing ends a choice of a page of tasks: there is nothing to tell the planner about its size.
pub(crate) const CHOICE_END: Option<&str> = None;

/// A board, column by column: conditions for its statuses `s` follow the first part, conditions for their tasks `i` the second.
/// `CROSS JOIN` keeps the order of the two, so that both indexes are walked in order and the limit that follows ends the walk.
pub(crate) const BOARD: [&str; 3] = [
    " FROM ws_statuses s CROSS JOIN ws_tasks i WHERE ",
    " AND ",
    " ORDER BY s.position, s.id, i.position, i.id",
];

/// How many tasks note other labels than `ws_task_labels` has of them. A label that was removed may be noted still.
pub(crate) const WRONG_LABELS: &str = "
    SELECT count(*) FROM ws_tasks t
     WHERE (SELECT json_group_array(hex(l.label_id) ORDER BY l.label_id) FROM ws_task_labels l
             WHERE l.org_id = t.org_id AND l.task_id = t.id)
        <> (SELECT json_group_array(hex(x.id) ORDER BY x.id) FROM json_each(t.label_ids) AS n
              JOIN ws_labels x ON x.org_id = t.org_id AND x.id = unhex(replace(n.value, '-', '')))";

/// A moment in JSON.
pub(crate) fn json_time(time: Timestamp) -> serde_json::Value {
    time.timestamp_micros().into()
}

/// Nothing: every change takes some space, in the log.
pub(crate) const TAKES_SPACE: Option<&str> = None;

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

/// What breaks a statement off: SQLite asks it after every so many steps of its machine.
#[derive(Clone)]
pub(crate) struct Interrupt {
    /// When the statement is to end, in µs since [`Interrupt::epoch`].
    end: Arc<AtomicU64>,
}

/// Some tenths of a millisecond.
const STEPS: i32 = 10_000;
const NEVER: u64 = u64::MAX;

impl Interrupt {
    /// Has a connection ask. One that an earlier unit was asked by is replaced.
    pub(crate) async fn of(connection: &mut Conn) -> Result<Self, sqlx::Error> {
        let end = Arc::new(AtomicU64::new(NEVER));
        let asked = Arc::clone(&end);
        connection.lock_handle().await?.set_progress_handler(STEPS, move || {
            let end = asked.load(Ordering::Relaxed);
            let goes_on = end == NEVER || micros() < end;
            if !goes_on {
                // Once: what comes next on this connection is another's.
                asked.store(NEVER, Ordering::Relaxed);
            }
            goes_on
        });
        Ok(Self { end })
    }

    /// A statement begins that may take so long.
    pub(crate) fn begins(&mut self, limit: Option<Duration>) {
        let end = limit.map_or(NEVER, |limit| {
            micros().saturating_add(u64::try_from(limit.as_micros()).unwrap_or(NEVER))
        });
        self.end.store(end, Ordering::Relaxed);
    }

    pub(crate) fn ended(&mut self) {
        self.end.store(NEVER, Ordering::Relaxed);
    }

    /// Whether the connection can be used on: what comes next waits until the statement has ended.
    pub(crate) fn break_off(&self) -> bool {
        self.end.store(0, Ordering::Relaxed);
        true
    }
}

fn micros() -> u64 {
    static EPOCH: LazyLock<Instant> = LazyLock::new(Instant::now);
    u64::try_from(EPOCH.elapsed().as_micros()).unwrap_or(NEVER)
}

/// Opens a transaction in place of one that cannot be rolled back. SQLite ends a transaction by itself when the disk is full, and sqlx
/// goes on to take it for open: so there is something to roll back again.
pub(crate) async fn begin_anew(connection: &mut Conn) -> Result<(), sqlx::Error> {
    raw_sql("BEGIN").execute(connection).await.map(drop)
}

/// Reads an error by its code, and a unique rule by the columns that the message names: SQLite does not give its name.
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
