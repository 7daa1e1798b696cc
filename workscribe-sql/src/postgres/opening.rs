//! What opens a unit of work, straight on the server or through a pooler.

use std::time::Duration;

use sqlx::{AssertSqlSafe, SqlSafeStr as _, SqlStr};

use super::dialect;
use crate::Options;

/// The statements that open units.
///
/// Behind a pooler that gives each transaction a session, all is in a transaction: sqlx sends a statement in two parts, which
/// would else reach two sessions. What a session would be set up with is set for the transaction, in the same round trip,
/// because the pooler forwards no such wish of a client.
#[derive(Debug, Clone)]
pub(super) struct Opening {
    pub(super) write: SqlStr,
    /// None for reads of which each statement stands alone.
    pub(super) read: Option<SqlStr>,
    pub(super) snapshot: SqlStr,
    /// Whether statements are kept prepared on the connection.
    pub(super) prepares: bool,
}

impl Opening {
    /// Straight on the server.
    pub(super) fn direct() -> Self {
        let (write, snapshot) = (dialect::BEGIN.into_sql_str(), dialect::SNAPSHOT.into_sql_str());
        Self { write, read: None, snapshot, prepares: true }
    }

    /// Through a pooler, with our own limits or those that the role has.
    pub(super) fn pooled(options: Option<&Options>) -> Self {
        let limits = options.map(|options| limits(options.statement_timeout));
        let with = |begin: &str| {
            let limits = limits.iter().flatten().map(|(name, value)| format!("; SET LOCAL {name} = {value}"));
            let plans = PLANS.iter().map(|(name, value)| format!("; SET LOCAL {name} = {value}"));
            AssertSqlSafe(limits.chain(plans).fold(begin.to_owned(), |all, one| all + &one)).into_sql_str()
        };
        Self {
            write: with(dialect::BEGIN),
            read: Some(with(dialect::READ)),
            snapshot: with(dialect::SNAPSHOT),
            prepares: false,
        }
    }
}

/// What every session or transaction of ours is told of plans. A plan may be made while a table is small and used when it is large.
/// So rows are found by an index and joined by a key even where reading a whole table would be as cheap now, and a page costs the
/// same wherever it is, so that rows come in the order of their index instead of being gathered and sorted. Compiling a plan costs
/// more than running any of ours. A prepared statement is planned once: no plan is to depend on the values, and Postgres would plan
/// a page of tasks anew for each, since it takes its guess at a plan for all values to be dearer.
pub(super) const PLANS: [(&str, &str); 6] = [
    ("enable_seqscan", "off"),
    ("enable_hashjoin", "off"),
    ("enable_mergejoin", "off"),
    ("random_page_cost", "1"),
    ("jit", "off"),
    ("plan_cache_mode", "force_generic_plan"),
];

/// What every session or transaction of ours is limited to, in milliseconds.
pub(super) fn limits(statement_timeout: Duration) -> [(&'static str, u128); 3] {
    [
        ("statement_timeout", statement_timeout.as_millis()),
        // A statement of which nobody will hear ends when its connection has gone. A server on Windows cannot look, and wants it set to 0
        // in the URL's `options`.
        ("client_connection_check_interval", 500),
        // What a process that hangs in a transaction keeps locked is free again after this.
        ("idle_in_transaction_session_timeout", (statement_timeout * 6).as_millis()),
    ]
}
