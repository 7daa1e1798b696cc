//! Everything that differs between the databases, for Postgres. `sqlite/dialect.rs` has the same names.

use std::time::Duration;

use sqlx::encode::IsNull;
use sqlx::error::{BoxDynError, DatabaseError};
use sqlx::postgres::{PgArgumentBuffer, PgDatabaseError, PgTypeInfo, PgValueRef};
use sqlx::types::{Json, Uuid};
use sqlx::{Decode, Encode, PgConnection, Postgres, QueryBuilder, Type};
use workscribe_core::Constraint;
use workscribe_core::clock::Timestamp;
use workscribe_core::id::{OrgId, ProjectId};
use workscribe_core::page::PageRequest;
use workscribe_core::search::Words;

use crate::error::{Meaning, UNIQUE_RULES, UniqueRule};

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

/// The new `label_ids`. The added labels are bound after the first part, the removed labels after the second.
pub(crate) const LABEL_IDS_AFTER: [&str; 3] = [
    "(SELECT COALESCE(jsonb_agg(ids.id ORDER BY ids.id COLLATE \"C\"), '[]')
        FROM (SELECT jsonb_array_elements_text(label_ids) AS id UNION SELECT jsonb_array_elements_text(CAST(",
    " AS jsonb))) AS ids
       WHERE NOT jsonb_exists(CAST(",
    " AS jsonb), ids.id))",
];

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

/// The labels of a single task `t`, as one JSON array.
macro_rules! labels_of_one_task {
    () => {
        "(SELECT jsonb_agg(jsonb_build_object('id', l.id, 'name', l.name, 'color', l.color) ORDER BY l.name_key, l.id)
            FROM jsonb_array_elements_text(t.label_ids) AS ids (id)
           CROSS JOIN LATERAL (SELECT * FROM ws_labels l WHERE l.org_id = t.org_id AND l.id = CAST(ids.id AS uuid) LIMIT 1) AS l)"
    };
}

/// The ids in `label_ids` of all tasks of `t`, as rows.
macro_rules! label_ids_of_tasks {
    () => {
        "(SELECT CAST(jsonb_array_elements_text(t.label_ids) AS uuid) FROM t)"
    };
}

/// The rows with which the chosen tasks `t` are shown, read once for all of them by their keys. `$org` is their organization. It
/// begins with a comma, because it continues a `WITH`.
macro_rules! shown_with {
    ($org:literal) => {
        concat!(
            ", projects AS MATERIALIZED (",
            rows_by_id!("id, key, is_archived", "ws_projects", $org, "(SELECT project_id FROM t)"),
            "), statuses AS MATERIALIZED (",
            rows_by_id!(
                "id, name, category, position, color, version, created_at, updated_at",
                "ws_statuses",
                $org,
                "(SELECT status_id FROM t)"
            ),
            "), people AS MATERIALIZED (",
            users_by_id!(
                "id, display_name, avatar_url",
                "(SELECT assignee_id FROM t WHERE assignee_id IS NOT NULL UNION SELECT reporter_id FROM t)"
            ),
            "), labels AS MATERIALIZED (",
            rows_by_id!("id, name, name_key, color", "ws_labels", $org, label_ids_of_tasks!()),
            ") "
        )
    };
}

/// The joins with which a task `t` is read.
macro_rules! task_joins {
    () => {
        " JOIN projects p ON p.id = t.project_id
          JOIN statuses s ON s.id = t.status_id
          LEFT JOIN people a ON a.id = t.assignee_id
          JOIN people r ON r.id = t.reporter_id "
    };
}

/// The labels of the task `t` from `labels`, as one JSON array.
macro_rules! labels_of_task {
    () => {
        "(SELECT jsonb_agg(jsonb_build_object('id', l.id, 'name', l.name, 'color', l.color) ORDER BY l.name_key, l.id)
            FROM labels l WHERE jsonb_exists(t.label_ids, CAST(l.id AS text)))"
    };
}

/// Unread notifications, in the form that their index has.
macro_rules! unread {
    () => {
        "NOT n.is_read"
    };
}

/// The documents of the organization `$1` that match the query `$2`, of the kind `$4` if it is not null, with their rank; the
/// lowest is the best. Documents whose title matches `$3` come first. Of more than 500 matches, any 500 are ranked. The words
/// contain a mark of the organization, which is checked last, because otherwise the planner would read all of its documents.
macro_rules! matches_of_search {
    () => {
        concat!(
            "(SELECT id, updated_at, ",
            rank_of_search!(),
            " AS rank
                FROM (SELECT org_id, id, updated_at, words FROM ws_search
                       WHERE words @@ CAST($2 AS tsquery) AND ($4 IS NULL OR kind = $4)
                       LIMIT 500) AS matches
               WHERE org_id = $1)"
        )
    };
}

/// The same for common words; the newest 500 matches are ranked. An index of words reads all matches of a word before it returns
/// the first. Reading the documents in order finds matches sooner, and the function form of the condition prevents that index.
macro_rules! matches_of_common_search {
    () => {
        concat!(
            "(SELECT id, updated_at, ",
            rank_of_search!(),
            " AS rank
                FROM (SELECT id, updated_at, words FROM ws_search
                       WHERE org_id = $1 AND ts_match_vq(words, CAST($2 AS tsquery)) AND ($4 IS NULL OR kind = $4)
                       ORDER BY updated_at DESC LIMIT 500) AS matches)"
        )
    };
}

macro_rules! rank_of_search {
    () => {
        "CASE WHEN ts_match_vq(words, CAST($3 AS tsquery)) THEN 0 ELSE 1 END"
    };
}

/// How many of the 200 newest documents of the organization `$1` match the query `$2`.
pub(crate) const SEARCH_SAMPLE: Option<&str> = Some(
    "SELECT count(*) FROM (SELECT ts_match_vq(words, CAST($2 AS tsquery)) AS fits FROM ws_search
                            WHERE org_id = $1 ORDER BY updated_at DESC LIMIT 200) AS newest WHERE fits",
);

/// Whether a search tries whole words first. Here it would save nothing.
pub(crate) const WHOLE_WORDS_FIRST: bool = false;

/// A query for the documents of an organization that have all words. If `open`, the last word is a prefix.
pub(crate) fn search_query(org: OrgId, words: &Words, open: bool) -> String {
    words.query(" & ", |word, may_go_on| lexeme(org, word, if may_go_on && open { ":*" } else { "" }))
}

/// A query for those that have all words in their title, which has the weight A.
pub(crate) fn title_query(org: OrgId, words: &Words, open: bool) -> String {
    words.query(" & ", |word, may_go_on| lexeme(org, word, if may_go_on && open { ":*A" } else { ":A" }))
}

/// A word with the mark of its organization, as it is stored.
fn lexeme(org: OrgId, word: &str, which: &str) -> String {
    let org = org.to_string();
    let mark = &org[org.len().saturating_sub(12)..];
    format!("'{mark}{word}'{which}")
}

/// Conditions on the tasks `i`: they match a [`search_query`]. The query is bound after the first part, the organization after
/// the second. A fence hides the organization from the planner, as above.
pub(crate) const TASKS_FOUND: [&str; 3] = [
    " AND i.id IN (SELECT f.id FROM (SELECT org_id, id FROM ws_search WHERE kind = 'task' AND words @@ CAST(",
    " AS tsquery) OFFSET 0) AS f WHERE f.org_id = ",
    ")",
];
/// The same for common words.
pub(crate) const TASKS_FOUND_COMMON: [&str; 3] = [
    " AND EXISTS (SELECT 1 FROM ws_search f WHERE f.id = i.id AND ts_match_vq(f.words, CAST(",
    " AS tsquery)) AND f.org_id = ",
    ")",
];

/// Up to this number of tasks of a label or a person, a list reads and sorts them. If there are more, it reads all tasks in
/// order, because it soon finds enough of them.
pub(crate) const FEW: i64 = 200;

/// Ends a query in parentheses, and keeps its conditions apart from those around it.
macro_rules! fence {
    () => {
        " OFFSET 0"
    };
}

/// Whether a person has the task `i`, in a form that no index can use, for reading tasks in order.
pub(crate) const IS_OF: [&str; 2] = [" AND (i.assignee_id = ", ") IS TRUE"];

/// Whether the task `i` has a label, from its own `label_ids`, for reading tasks in order, where a look-up in another table would
/// cost blocks for each task. The label is bound in the middle. No index can use this condition.
pub(crate) const NOTES_LABEL: [&str; 2] = [" AND jsonb_exists(i.label_ids, CAST(", " AS text))"];

/// The first limit of the choice of a page of tasks, before its order and its actual limit. The planner assumes that an unknown
/// limit is a tenth of all rows, so this constant gives it the maximum.
pub(crate) const CHOICE_END: Option<&str> = Some(" LIMIT 101");
const _: () = assert!(PageRequest::MAX_LIMIT == 100, "the limit above is one more");

/// The tasks of a board by column. Conditions for its statuses `s` follow the first part, conditions for their tasks `i` the
/// second. The nested loop returns the columns in order and the tasks in each, until the limit that follows, so it reads only
/// what is shown. An `ORDER BY` would make it read a page of every column first, because the planner does not know that order.
pub(crate) const BOARD: [&str; 3] = [
    " FROM (SELECT s.id, s.position FROM ws_statuses s WHERE ",
    " ORDER BY s.position, s.id) AS s CROSS JOIN LATERAL (SELECT * FROM ws_tasks i WHERE ",
    " ORDER BY i.position, i.id LIMIT 101) AS i",
];

/// How many tasks have other `label_ids` than `ws_task_labels`. A removed label may remain in `label_ids`.
pub(crate) const WRONG_LABELS: &str = "
    SELECT count(*) FROM ws_tasks t
      LEFT JOIN (SELECT org_id, task_id, jsonb_agg(label_id ORDER BY label_id) AS ids FROM ws_task_labels
                  GROUP BY org_id, task_id) AS l ON l.org_id = t.org_id AND l.task_id = t.id
     WHERE COALESCE(l.ids, '[]') <> (SELECT COALESCE(jsonb_agg(n.id ORDER BY n.id COLLATE \"C\"), '[]')
                                       FROM jsonb_array_elements_text(t.label_ids) AS n (id)
                                      WHERE EXISTS (SELECT 1 FROM ws_labels x WHERE x.org_id = t.org_id AND x.id = CAST(n.id AS uuid)))";

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
