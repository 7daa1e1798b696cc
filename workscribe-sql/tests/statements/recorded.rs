//! Records every statement that the conformance suite runs on a database: its name, its text, and the types of its parameters.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, Once};

use sqlx::{AssertSqlSafe, Executor as _, PgConnection, Row as _, query, query_scalar};
use tokio::sync::OnceCell;
use tokio::task::{JoinSet, LocalSet};
use workscribe_core::Storage as _;
use workscribe_sql::{PostgresStorage, postgres};
use workscribe_testkit::conformance::{Case, storage_cases};
use workscribe_testkit::databases::{self, Schema};

/// A statement, as a unit runs it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Recorded {
    /// Its name in the log, such as `ws_tasks: find`.
    pub(super) name: String,
    pub(super) text: String,
    /// The types of its parameters on Postgres.
    pub(super) types: Vec<String>,
}

impl Recorded {
    /// A `PREPARE` of it, as Postgres has it.
    pub(super) fn prepare(&self, name: &str) -> String {
        let types = self.types.join(", ");
        let types = if types.is_empty() { types } else { format!(" ({types})") };
        format!("PREPARE {name}{types} AS\n{}", self.text)
    }

    /// Its plan on Postgres, with a value for each parameter from its number and its type.
    pub(super) async fn explain(
        &self,
        conn: &mut PgConnection,
        options: &str,
        value: impl Fn(usize, &str) -> String,
    ) -> Vec<String> {
        conn.execute(AssertSqlSafe(self.prepare("explained"))).await.unwrap();
        let types: Vec<String> = query_scalar(
            "SELECT unnest(parameter_types)::text FROM pg_prepared_statements WHERE name = 'explained'",
        )
        .persistent(false)
        .fetch_all(&mut *conn)
        .await
        .unwrap();
        let values: Vec<String> = (1..).zip(&types).map(|(number, kind)| value(number, kind)).collect();
        let values = if values.is_empty() { String::new() } else { format!("({})", values.join(", ")) };
        let explain = format!("EXPLAIN ({options}) EXECUTE explained{values}");
        let plan =
            query_scalar(AssertSqlSafe(explain)).persistent(false).fetch_all(&mut *conn).await.unwrap();
        conn.execute("DEALLOCATE explained").await.unwrap();
        plan
    }
}

/// Longer statements add many rows by one statement, as shorter ones do.
const LONGEST: usize = 30_000;

/// How many cases run at once.
const TOGETHER: usize = 4;

/// What units traced: database, name and text.
static TRACED: Mutex<BTreeSet<(String, String, String)>> = Mutex::new(BTreeSet::new());

/// Every statement on Postgres.
pub(super) async fn on_postgres() -> &'static [Recorded] {
    static ALL: OnceCell<Vec<Recorded>> = OnceCell::const_new();
    let record = || async {
        let types: BTreeMap<String, Vec<String>> = run(|case| async move {
            let schema = Schema::new().await;
            let storage = PostgresStorage::connect(&schema.url, &databases::options()).await.unwrap();
            storage.migrate().await.unwrap();
            (case.run)(Arc::new(storage.clone())).await;
            // A unit for each connection, so that every connection is asked.
            let (mut units, mut kept) = (Vec::new(), Vec::new());
            for _ in 0..databases::options().max_connections {
                units.push(storage.read().await.unwrap());
            }
            for unit in &mut units {
                let conn = postgres::Unit::of(&mut **unit).unwrap().connection().await.unwrap();
                let rows =
                    query("SELECT statement, parameter_types::text[] AS types FROM pg_prepared_statements");
                let rows = rows.persistent(false).fetch_all(conn).await.unwrap();
                kept.extend(rows.into_iter().map(|row| (row.get(0), row.get(1))));
            }
            kept
        })
        .await;
        traced("PostgreSQL", &types)
    };
    ALL.get_or_init(record).await
}

/// Every statement on SQLite.
pub(super) async fn on_sqlite() -> &'static [Recorded] {
    static ALL: OnceCell<Vec<Recorded>> = OnceCell::const_new();
    let record = || async {
        run(|case| async move {
            (case.run)(databases::sqlite().await.storage).await;
            Vec::new()
        })
        .await;
        traced("SQLite", &BTreeMap::new())
    };
    ALL.get_or_init(record).await
}

/// Runs every case, some at once, and collects what each returns.
async fn run<F>(one: fn(Case) -> F) -> BTreeMap<String, Vec<String>>
where
    F: Future<Output = Vec<(String, Vec<String>)>> + 'static,
{
    static ONCE: Once = Once::new();
    ONCE.call_once(|| tracing::subscriber::set_global_default(Listener).unwrap());
    let (mut cases, mut running, mut all) = (storage_cases().into_iter(), JoinSet::new(), BTreeMap::new());
    let run = async {
        loop {
            while running.len() < TOGETHER
                && let Some(case) = cases.next()
            {
                running.spawn_local(one(case));
            }
            let Some(kept) = running.join_next().await else { return all };
            all.extend(kept.unwrap());
        }
    };
    LocalSet::new().run_until(run).await
}

fn traced(database: &str, types: &BTreeMap<String, Vec<String>>) -> Vec<Recorded> {
    let traced = TRACED.lock().unwrap();
    let of_database = traced.iter().filter(|(of, _, text)| of == database && text.len() <= LONGEST);
    let recorded = of_database.map(|(_, name, text)| Recorded {
        name: name.clone(),
        text: text.trim().to_owned(),
        types: types.get(text).cloned().unwrap_or_default(),
    });
    recorded.collect()
}

struct Listener;

impl tracing::Subscriber for Listener {
    fn enabled(&self, metadata: &tracing::Metadata<'_>) -> bool {
        metadata.target() == "workscribe_sql::statements"
    }

    fn event(&self, event: &tracing::Event<'_>) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        TRACED.lock().unwrap().insert((fields.database, fields.statement, fields.text));
    }

    fn new_span(&self, _: &tracing::span::Attributes<'_>) -> tracing::span::Id {
        tracing::span::Id::from_u64(1)
    }

    fn record(&self, _: &tracing::span::Id, _: &tracing::span::Record<'_>) {}
    fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}
    fn enter(&self, _: &tracing::span::Id) {}
    fn exit(&self, _: &tracing::span::Id) {}
}

#[derive(Default)]
struct Fields {
    database: String,
    statement: String,
    text: String,
}

impl tracing::field::Visit for Fields {
    fn record_str(&mut self, field: &tracing::field::Field, value: &str) {
        let known = match field.name() {
            "database" => &mut self.database,
            "statement" => &mut self.statement,
            "text" => &mut self.text,
            _ => return,
        };
        value.clone_into(known);
    }

    fn record_debug(&mut self, _: &tracing::field::Field, _: &dyn std::fmt::Debug) {}
}
