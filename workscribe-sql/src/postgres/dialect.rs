//! All that differs between the databases, for Postgres. `sqlite/dialect.rs` has the same names.

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

/// What opens a transaction. The isolation is named, because a server's default may be another, and the statements that
/// compare and set rely on seeing a row again after waiting for it.
pub(crate) const BEGIN: &str = "BEGIN ISOLATION LEVEL READ COMMITTED";

/// What opens a transaction that reads, each statement what is committed then.
pub(crate) const READ: &str = "BEGIN ISOLATION LEVEL READ COMMITTED READ ONLY";

/// What opens a transaction that reads, all of it as it was at its first statement.
pub(crate) const SNAPSHOT: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";

/// Locks the rows that were read against other writers, but not against references to them.
macro_rules! for_update {
    () => {
        " FOR NO KEY UPDATE"
    };
}

/// What takes a project's lock in the round trip that begins a transaction, where nothing can be bound: ids are written in, which
/// hold digits and hyphens alone.
pub(crate) fn hold_project(org: OrgId, id: ProjectId) -> Option<String> {
    Some(format!("SELECT FROM ws_projects WHERE org_id = '{org}' AND id = '{id}' FOR NO KEY UPDATE"))
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

/// Of whom a job is: its organization, or nobody in particular.
macro_rules! party {
    () => {
        concat!("COALESCE(org_id, ", nobody!(), ")")
    };
}

/// The party of what is no organization's: before all others.
macro_rules! nobody {
    () => {
        "CAST('00000000-0000-0000-0000-000000000000' AS uuid)"
    };
}

/// The ids that a query answers for each row `turn` of the first, each of them locked, or passed over where another holds it.
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

/// How many bytes a value takes, as it is stored: told without reading what is stored apart.
macro_rules! bytes_of {
    ($value:literal) => {
        concat!("COALESCE(pg_column_size(", $value, "), 0)")
    };
}

/// Whether one statement can make several writes.
pub(crate) const WRITES_TOGETHER: bool = true;

/// What `label_ids` is after some came and some went. Those are bound after the first part, these after the second.
pub(crate) const LABEL_IDS_AFTER: [&str; 3] = [
    "(SELECT COALESCE(jsonb_agg(ids.id ORDER BY ids.id COLLATE \"C\"), '[]')
        FROM (SELECT jsonb_array_elements_text(label_ids) AS id UNION SELECT jsonb_array_elements_text(CAST(",
    " AS jsonb))) AS ids
       WHERE NOT jsonb_exists(CAST(",
    " AS jsonb), ids.id))",
];

/// Whether what is before it is one of the ids that are bound, as `in_ids` says it.
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

/// Whether the id before it is one of a JSON array: as an array of Postgres, because from rows the planner expects a hundred,
/// for which it would rather read a whole table than an index.
macro_rules! in_ids {
    ($array:literal) => {
        any_of!(ids_of!($array))
    };
}

/// Whether what is before it is one of what a query in parentheses answers. As an array, for the reason above.
macro_rules! any_of {
    ($query:expr) => {
        concat!("= ANY (ARRAY", $query, ")")
    };
}

/// The members of a JSON array as rows, each of which has a `value`.
macro_rules! rows_of {
    ($array:literal) => {
        concat!("jsonb_array_elements(", $array, ") AS given (value)")
    };
}

/// An id that stands as text in such a `value`.
macro_rules! uuid_of {
    ($text:expr) => {
        concat!("CAST(", $text, " AS uuid)")
    };
}

/// A moment that stands in such a `value` as [`json_time`] writes it.
macro_rules! time_of {
    ($text:literal) => {
        concat!("CAST(", $text, " AS timestamptz)")
    };
}

/// The rows of a tenant's table with the ids that a query in parentheses answers, once each. `LATERAL` with a limit leaves the planner
/// one way to go: from each id by the primary key.
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

/// The same of users, who are of no tenant.
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

/// Keys as rows `given`, with a number from [`FIRST_KEY`]: each column is an [`array`]. It comes out of a query of its own, so that the
/// planner does not see how many there are, and does not plan anew for each number of them.
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

/// The number of the first key that is given.
pub(crate) const FIRST_KEY: i64 = 1;

/// Keys that are bound.
pub(crate) fn array<T>(keys: impl Iterator<Item = T>) -> Vec<T> {
    keys.collect()
}

/// Joins the one row of a table that a condition names. `LATERAL` with a limit leaves the planner one way to go, from the rows before
/// it by an index of the condition's columns.
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

/// The same where there may be none.
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

/// The labels of a task `t`, looked up for it alone, as one JSON array.
macro_rules! labels_of_one_task {
    () => {
        "(SELECT jsonb_agg(jsonb_build_object('id', l.id, 'name', l.name, 'color', l.color) ORDER BY l.name_key, l.id)
            FROM jsonb_array_elements_text(t.label_ids) AS ids (id)
           CROSS JOIN LATERAL (SELECT * FROM ws_labels l WHERE l.org_id = t.org_id AND l.id = CAST(ids.id AS uuid) LIMIT 1) AS l)"
    };
}

/// The ids in the array of ids `label_ids` of every task of `t`, as rows.
macro_rules! label_ids_of_tasks {
    () => {
        "(SELECT CAST(jsonb_array_elements_text(t.label_ids) AS uuid) FROM t)"
    };
}

/// What tasks `t`, which were chosen before, are shown with, read once for all of them by their keys. `$org` is their organization.
/// Begins with a comma, as further parts of a `WITH`.
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

/// What a task `t` is read with.
macro_rules! task_joins {
    () => {
        " JOIN projects p ON p.id = t.project_id
          JOIN statuses s ON s.id = t.status_id
          LEFT JOIN people a ON a.id = t.assignee_id
          JOIN people r ON r.id = t.reporter_id "
    };
}

/// The labels of the task `t` that are among `labels`, as one JSON array.
macro_rules! labels_of_task {
    () => {
        "(SELECT jsonb_agg(jsonb_build_object('id', l.id, 'name', l.name, 'color', l.color) ORDER BY l.name_key, l.id)
            FROM labels l WHERE jsonb_exists(t.label_ids, CAST(l.id AS text)))"
    };
}

/// Notifications that were not read, as their index says it.
macro_rules! unread {
    () => {
        "NOT n.is_read"
    };
}

/// The documents of the organization `$1` that fit the query `$2`, of the kind `$4` if it is not null, with their rank: the
/// least is the best. Those whose title has all of the words, which `$3` asks for, come before the others. Of more than 500, any 500 are ranked. The organization is
/// asked for after that, since the words have its mark; before, the planner would read all that it has.
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

/// The same for words that many documents have, of which the newest 500 are ranked: an index of words reads all that has a
/// word before it gives the first, which a reader of everything meets soon. As a function the condition is none for that index.
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

/// How many of the 200 newest documents of the organization `$1` fit the query `$2`.
pub(crate) const SEARCH_SAMPLE: Option<&str> = Some(
    "SELECT count(*) FROM (SELECT ts_match_vq(words, CAST($2 AS tsquery)) AS fits FROM ws_search
                            WHERE org_id = $1 ORDER BY updated_at DESC LIMIT 200) AS newest WHERE fits",
);

/// Whether whole words alone are asked for first: it would save nothing.
pub(crate) const WHOLE_WORDS_FIRST: bool = false;

/// Which documents of an organization have all of the words, the last of which may go on if `open`.
pub(crate) fn search_query(org: OrgId, words: &Words, open: bool) -> String {
    words.query(" & ", |word, may_go_on| lexeme(org, word, if may_go_on && open { ":*" } else { "" }))
}

/// Which of them have all of the words in their title: those bear the weight A.
pub(crate) fn title_query(org: OrgId, words: &Words, open: bool) -> String {
    words.query(" & ", |word, may_go_on| lexeme(org, word, if may_go_on && open { ":*A" } else { ":A" }))
}

/// A word with the mark of its organization, as the column has it.
fn lexeme(org: OrgId, word: &str, which: &str) -> String {
    let org = org.to_string();
    let mark = &org[org.len().saturating_sub(12)..];
    format!("'{mark}{word}'{which}")
}

/// Conditions on the tasks `i`: that they fit a [`search_query`]. The query is bound after the first part, the organization
/// after the second. A fence keeps the organization from the planner, as above.
pub(crate) const TASKS_FOUND: [&str; 3] = [
    " AND i.id IN (SELECT f.id FROM (SELECT org_id, id FROM ws_search WHERE kind = 'task' AND words @@ CAST(",
    " AS tsquery) OFFSET 0) AS f WHERE f.org_id = ",
    ")",
];
/// The same for words that many documents have.
pub(crate) const TASKS_FOUND_COMMON: [&str; 3] = [
    " AND EXISTS (SELECT 1 FROM ws_search f WHERE f.id = i.id AND ts_match_vq(f.words, CAST(",
    " AS tsquery)) AND f.org_id = ",
    ")",
];

/// How many tasks have a label, and how many a person: so many at the most, because those who have more are met soon on a walk through
/// all tasks, and fewer are gathered sooner.
pub(crate) const FEW: i64 = 200;

/// Ends a query in parentheses whose conditions are to stay apart from those around it.
macro_rules! fence {
    () => {
        " OFFSET 0"
    };
}

/// Whether the task `i` is a person's, asked on a walk: the truth of a comparison is none for an index.
pub(crate) const IS_OF: [&str; 2] = [" AND (i.assignee_id = ", ") IS TRUE"];

/// Whether the task `i` has a label, by its own note alone: it is asked on a walk, where a look-up would cost blocks for each task. The
/// label is bound in the middle. No index knows this condition, so none leads away from the walk.
pub(crate) const NOTES_LABEL: [&str; 2] = [" AND jsonb_exists(i.label_ids, CAST(", " AS text))"];

/// What a choice of a page of tasks ends with, before its order and size once more: the planner takes a limit that it does not know
/// for a tenth of everything, so it is told first what there can be at the most.
pub(crate) const CHOICE_END: Option<&str> = Some(" LIMIT 101");
const _: () = assert!(PageRequest::MAX_LIMIT == 100, "the limit above is one more");

/// A board, column by column: conditions for its statuses `s` follow the first part, conditions for their tasks `i` the second. The
/// nested loop gives the columns in order and the tasks in each, and ends with the limit that follows, so nothing is read that is
/// not shown. An `ORDER BY` would read a page of every column first, since the planner does not know that order.
pub(crate) const BOARD: [&str; 3] = [
    " FROM (SELECT s.id, s.position FROM ws_statuses s WHERE ",
    " ORDER BY s.position, s.id) AS s CROSS JOIN LATERAL (SELECT * FROM ws_tasks i WHERE ",
    " ORDER BY i.position, i.id LIMIT 101) AS i",
];

/// How many tasks note other labels than `ws_task_labels` has of them. A label that was removed may be noted still.
pub(crate) const WRONG_LABELS: &str = "
    SELECT count(*) FROM ws_tasks t
      LEFT JOIN (SELECT org_id, task_id, jsonb_agg(label_id ORDER BY label_id) AS ids FROM ws_task_labels
                  GROUP BY org_id, task_id) AS l ON l.org_id = t.org_id AND l.task_id = t.id
     WHERE COALESCE(l.ids, '[]') <> (SELECT COALESCE(jsonb_agg(n.id ORDER BY n.id COLLATE \"C\"), '[]')
                                       FROM jsonb_array_elements_text(t.label_ids) AS n (id)
                                      WHERE EXISTS (SELECT 1 FROM ws_labels x WHERE x.org_id = t.org_id AND x.id = CAST(n.id AS uuid)))";

/// A moment in JSON.
pub(crate) fn json_time(time: Timestamp) -> serde_json::Value {
    time.to_rfc3339_opts(chrono::SecondsFormat::Micros, true).into()
}

/// A statement that fails on a full disk, where a small change may still find a place: its rows are more than it may keep in memory, so
/// that they go into a file beside the tables for as long as it runs.
pub(crate) const TAKES_SPACE: Option<&str> = Some(
    "SELECT count(*)
       FROM (SELECT set_config('work_mem', '64kB', TRUE) || set_config('temp_tablespaces', '', TRUE) AS small OFFSET 0) AS set
      CROSS JOIN LATERAL generate_series(length(set.small), 20000)",
);

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

/// What breaks a statement off: the end of its connection, which the server notices within `client_connection_check_interval`.
pub(crate) struct Interrupt;

impl Interrupt {
    pub(crate) async fn of(_: &mut Conn) -> Result<Self, sqlx::Error> {
        Ok(Self)
    }

    /// The server has the limit.
    pub(crate) fn begins(&mut self, _: Option<Duration>) {}

    pub(crate) fn ended(&mut self) {}

    /// Whether the connection can be used on: it is what has to end.
    pub(crate) fn break_off(&self) -> bool {
        false
    }
}

/// Opens a transaction in place of one that cannot be rolled back: none can be, on a connection that broke.
pub(crate) async fn begin_anew(_: &mut Conn) -> Result<(), sqlx::Error> {
    Err(sqlx::Error::BeginFailed)
}

/// Reads an error by its SQLSTATE and the constraint's name.
pub(crate) fn classify(error: &dyn DatabaseError) -> Meaning {
    match error.code().as_deref() {
        Some("23505") => unique_rule(error).map_or(Meaning::Other, |rule| Meaning::Conflict(rule.constraint)),
        Some("23503") => Meaning::Conflict(Constraint::Reference),
        // A task without a number: its project, which counts them, is gone or archived.
        Some("23502") if is_unnumbered_task(error) => Meaning::Conflict(Constraint::OpenProject),
        // Cancelled by a timeout; serialization failure and deadlock; lock not to be had; a disk that fails.
        Some("57014" | "40001" | "40P01" | "55P03" | "58030") => Meaning::Unavailable,
        // Out of something: space on the disk, memory, connections.
        Some(code) if code.starts_with("53") => Meaning::Unavailable,
        // Read only: a standby that was not promoted yet. Idle in a transaction for too long.
        Some("25006" | "25P03") => Meaning::Unavailable,
        // Connection exceptions; shut down, crashed, starting.
        Some(code) if code.starts_with("08") || code.starts_with("57P") => Meaning::Unavailable,
        _ => Meaning::Other,
    }
}

fn is_unnumbered_task(error: &dyn DatabaseError) -> bool {
    let error = error.try_downcast_ref::<PgDatabaseError>();
    // A partition's name has more after it.
    error.is_some_and(|error| {
        error.column() == Some("number") && error.table().is_some_and(|table| table.starts_with("ws_tasks"))
    })
}

fn unique_rule(error: &dyn DatabaseError) -> Option<&'static UniqueRule> {
    let (table, name) = (error.table()?, error.constraint()?);
    UNIQUE_RULES.iter().find(|rule| rule.name == name || is_of_a_part(rule, table, name))
}

/// Whether a rule is that of a partition, whose name Postgres makes of the partition's and the columns'.
fn is_of_a_part(rule: &UniqueRule, table: &str, name: &str) -> bool {
    let end = match rule.columns {
        _ if rule.name.ends_with("_pkey") => "_pkey".to_owned(),
        columns => format!("_{}_key", columns.join("_")),
    };
    table.starts_with(rule.table) && table != rule.table && name.ends_with(&end)
}
