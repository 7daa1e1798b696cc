//! Records the statements that run: their names, which units trace, and their texts, which sqlx logs.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::mem::take;
use std::sync::{Mutex, Once};

use sqlx::query;
use tokio::sync::OnceCell;
use workscribe_sql::sqlite;
use workscribe_testkit::databases;

use super::{exercise, task_lists};

/// Statements, each with its name and text.
pub(super) type Named = BTreeSet<(String, String)>;

/// The names of all statements that units ran.
pub(super) static RUN: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());
/// The statements that ran on SQLite, in order. Each connection of SQLite has its own thread.
static ON_SQLITE: Mutex<Vec<String>> = Mutex::new(Vec::new());

thread_local! {
    /// The statement that ran last on Postgres. Its unit traces its name before anything else runs in this thread.
    static LAST: Cell<Option<String>> = const { Cell::new(None) };
    /// The statements that units of this thread ran, in order: the name, and the text if it ran on Postgres.
    static HERE: RefCell<Vec<(String, Option<String>)>> = const { RefCell::new(Vec::new()) };
}

/// Starts to record statements, once for all tests.
pub(super) fn listen() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| tracing::subscriber::set_global_default(Listener).unwrap());
}

/// The statements that this thread has run on Postgres since the last call.
pub(super) fn run_on_postgres() -> Named {
    HERE.take().into_iter().filter_map(|(name, text)| Some((name, text?))).collect()
}

/// Every statement as it runs on SQLite, which cannot list its prepared statements.
pub(super) async fn run_on_sqlite() -> &'static Named {
    static ALL: OnceCell<Named> = OnceCell::const_new();
    ALL.get_or_init(|| async {
        listen();
        let sqlite = databases::sqlite().await;
        let mut uow = sqlite.storage.begin().await.unwrap();
        take(&mut *ON_SQLITE.lock().unwrap());
        HERE.take();
        exercise(&mut *uow).await;
        task_lists(&mut *uow).await;
        // sqlx logs a statement when it ends, and it ends when the next one runs.
        let unit = sqlite::Unit::of(&mut *uow).unwrap();
        query("SELECT 1").execute(unit.connection().await.unwrap()).await.unwrap();
        let (names, texts) = (HERE.take(), take(&mut *ON_SQLITE.lock().unwrap()));
        assert_eq!(names.len(), texts.len(), "sqlx logs every statement of a unit");
        names.into_iter().map(|(name, _)| name).zip(texts).collect()
    })
    .await
}

struct Listener;

impl tracing::Subscriber for Listener {
    fn enabled(&self, metadata: &tracing::Metadata<'_>) -> bool {
        ["sqlx::query", "workscribe_sql::statements"].contains(&metadata.target())
    }

    fn event(&self, event: &tracing::Event<'_>) {
        event.record(&mut Reader);
    }

    fn new_span(&self, _: &tracing::span::Attributes<'_>) -> tracing::span::Id {
        tracing::span::Id::from_u64(1)
    }

    fn record(&self, _: &tracing::span::Id, _: &tracing::span::Record<'_>) {}
    fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}
    fn enter(&self, _: &tracing::span::Id) {}
    fn exit(&self, _: &tracing::span::Id) {}
}

struct Reader;

impl tracing::field::Visit for Reader {
    fn record_str(&mut self, field: &tracing::field::Field, value: &str) {
        match field.name() {
            "statement" => {
                RUN.lock().unwrap().insert(value.to_owned());
                HERE.with_borrow_mut(|here| here.push((value.to_owned(), LAST.take())));
            }
            "db.statement" if value.contains("ws_") => {
                let text = value.trim().to_owned();
                if std::thread::current().name().is_some_and(|name| name.starts_with("sqlx-sqlite")) {
                    ON_SQLITE.lock().unwrap().push(text);
                } else {
                    LAST.set(Some(text));
                }
            }
            _ => {}
        }
    }

    fn record_debug(&mut self, _: &tracing::field::Field, _: &dyn std::fmt::Debug) {}
}
