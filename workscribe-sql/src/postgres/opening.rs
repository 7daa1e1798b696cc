//! The statements that open a unit of work, directly on the server or through a pooler.

use std::time::Duration;

use sqlx::{AssertSqlSafe, SqlSafeStr as _, SqlStr};

use super::dialect;
use crate::Options;

/// The statements that open units.
///
/// Through a pooler that assigns a session to each transaction, every statement runs in a transaction: sqlx sends a statement in
/// two parts, which could otherwise reach two sessions. The settings of a session are set for the transaction, in the same round
/// trip, because the pooler does not forward a client's settings.
#[derive(Debug, Clone)]
pub(super) struct Opening {
    pub(super) write: SqlStr,
    /// `None` for reads whose statements need no transaction.
    pub(super) read: Option<SqlStr>,
    pub(super) snapshot: SqlStr,
    /// Whether statements stay prepared on the connection.
    pub(super) prepares: bool,
}

impl Opening {
    /// Directly on the server.
    pub(super) fn direct() -> Self {
        let (write, snapshot) = (dialect::BEGIN.into_sql_str(), dialect::SNAPSHOT.into_sql_str());
        Self { write, read: None, snapshot, prepares: true }
    }

    /// Through a pooler, with our own limits, or with those of the role if there are no options.
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

/// The planner settings of every session or transaction of ours. A plan may be made while a table is small and used when it is
/// large. So rows are found by an index and joined by a key even where reading a whole table would cost the same now, and every
/// page costs the same, so that rows come in the order of their index instead of being collected and sorted. Compiling a plan
/// (`jit`) takes longer than running any of ours. A prepared statement is planned once: no plan should depend on the values, and
/// Postgres would plan every page of tasks again, because it estimates a higher cost for the generic plan.
pub(super) const PLANS: [(&str, &str); 6] = [
    ("enable_seqscan", "off"),
    ("enable_hashjoin", "off"),
    ("enable_mergejoin", "off"),
    ("random_page_cost", "1"),
    ("jit", "off"),
    ("plan_cache_mode", "force_generic_plan"),
];

/// The time limits of every session or transaction of ours, in milliseconds.
pub(super) fn limits(statement_timeout: Duration) -> [(&'static str, u128); 3] {
    [
        ("statement_timeout", statement_timeout.as_millis()),
        // A statement ends when its client has disconnected. A server on Windows cannot check that, and needs the value 0 in the
        // URL's `options`.
        ("client_connection_check_interval", 500),
        // Releases the locks of a process that hangs in a transaction.
        ("idle_in_transaction_session_timeout", (statement_timeout * 6).as_millis()),
    ]
}
