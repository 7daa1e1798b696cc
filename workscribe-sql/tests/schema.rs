//! The schema: many processes can apply it at once, it separates tenants, and it can be partitioned.

use std::collections::BTreeSet;

use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{
    AssertSqlSafe, ConnectOptions as _, Connection as _, Executor as _, query, query_as, query_scalar,
};
use workscribe_core::NotReady;
use workscribe_sql::{Options, PostgresStorage, SqliteStorage, UNIQUE_RULES};
use workscribe_testkit::databases::{self, Schema};

fn migrations_missing(readiness: &[NotReady]) -> bool {
    matches!(readiness, [NotReady { part: "migrations", reason }] if reason.contains("0001 foundation"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_processes_may_migrate_sqlite_at_once() {
    let directory = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}", directory.path().join("new.db").display());
    let processes = (0..6).map(|_| {
        let url = url.clone();
        tokio::spawn(async move {
            // The first one creates the file, and each switches it to WAL mode.
            let database = workscribe_sql::connect(&url, &Options::default()).await.unwrap();
            database.migrate().await.unwrap();
            assert_eq!(database.pending_migrations().await.unwrap(), Vec::<String>::new());
        })
    });
    for process in processes.collect::<Vec<_>>() {
        process.await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_nodes_may_migrate_postgres_at_once() {
    let schema = Schema::new().await;
    let nodes = (0..6).map(|_| {
        let url = schema.url.clone();
        tokio::spawn(async move {
            let database = workscribe_sql::connect(&url, &databases::options()).await.unwrap();
            database.migrate().await.unwrap();
            assert_eq!(database.pending_migrations().await.unwrap(), Vec::<String>::new());
            database.close().await;
        })
    });
    for node in nodes.collect::<Vec<_>>() {
        node.await.unwrap();
    }
}

#[tokio::test]
async fn a_database_without_its_schema_is_not_ready_and_says_what_is_missing() {
    let schema = Schema::new().await;
    let directory = tempfile::tempdir().unwrap();
    let file = format!("sqlite://{}", directory.path().join("new.db").display());
    let files =
        std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../migrations/sqlite")).unwrap().count();
    for url in [&schema.url, &file] {
        let database = workscribe_sql::connect(url, &databases::options()).await.unwrap();
        let storage = database.storage();
        assert!(migrations_missing(&storage.readiness().await), "{:?}", storage.readiness().await);
        let pending = database.pending_migrations().await.unwrap();
        assert_eq!(pending[..2], ["0001 foundation", "0002 work"]);
        assert_eq!(pending.len(), files);
        database.migrate().await.unwrap();
        assert_eq!(storage.readiness().await, []);
        database.close().await;
        assert!(matches!(storage.readiness().await[..], [NotReady { part: "database", .. }]));
    }
}

#[tokio::test]
async fn an_older_node_starts_on_a_newer_schema() {
    let (sqlite, postgres) = (databases::sqlite().await, databases::postgres().await);
    let newer = "INSERT INTO _workscribe_migrations (version, description, success, checksum, execution_time)
                 VALUES (9999, 'of a later release', TRUE, $1, 0)";
    let storage = SqliteStorage::connect(&sqlite.url, &databases::options()).await.unwrap();
    query(newer).bind(&[1_u8][..]).execute(storage.writer()).await.unwrap();
    let storage = PostgresStorage::connect(&postgres.url, &databases::options()).await.unwrap();
    query(newer).bind(&[1_u8][..]).execute(storage.pool()).await.unwrap();
    for database in [&sqlite.database, &postgres.database] {
        database.migrate().await.unwrap();
        assert!(database.pending_migrations().await.unwrap().is_empty());
    }
}

#[tokio::test]
async fn an_edited_migration_is_refused() {
    let sqlite = databases::sqlite().await;
    let storage = SqliteStorage::connect(&sqlite.url, &databases::options()).await.unwrap();
    query("UPDATE _workscribe_migrations SET checksum = x'00'").execute(storage.writer()).await.unwrap();
    assert!(storage.migrate().await.is_err());
}

#[tokio::test]
async fn a_failed_migration_leaves_the_lock_to_the_next() {
    let schema = Schema::new().await;
    let storage = PostgresStorage::connect(&schema.url, &databases::options()).await.unwrap();
    storage.pool().execute("CREATE TABLE ws_jobs ()").await.unwrap();
    assert!(storage.migrate().await.is_err());
    storage.pool().execute("DROP TABLE ws_jobs").await.unwrap();
    storage.migrate().await.unwrap();
}

#[tokio::test]
async fn a_tenants_row_needs_its_organization_and_user() {
    let postgres = databases::postgres().await;
    let sqlite = databases::sqlite().await;
    let orphan =
        "INSERT INTO ws_members (org_id, user_id, role, version, joined_at) VALUES ($1, $1, 'member', 1, $2)";
    let storage = PostgresStorage::connect(&postgres.url, &databases::options()).await.unwrap();
    let refused = query(orphan)
        .bind(uuid::Uuid::nil())
        .bind(chrono::DateTime::UNIX_EPOCH)
        .execute(storage.pool())
        .await
        .unwrap_err();
    assert!(refused.as_database_error().unwrap().is_foreign_key_violation());
    let storage = SqliteStorage::connect(&sqlite.url, &databases::options()).await.unwrap();
    let refused =
        query(orphan).bind(uuid::Uuid::nil()).bind(0_i64).execute(storage.writer()).await.unwrap_err();
    assert!(refused.as_database_error().unwrap().is_foreign_key_violation());
}

#[tokio::test]
async fn every_unique_rule_of_a_tenants_table_begins_with_the_organization() {
    let database = databases::postgres().await;
    let storage = PostgresStorage::connect(&database.url, &databases::options()).await.unwrap();
    let elsewhere: Vec<String> = query_scalar(
        "SELECT i.indexrelid::regclass::text
           FROM pg_index i
           JOIN pg_class t ON t.oid = i.indrelid
           JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = i.indkey[0]
          WHERE t.relnamespace = current_schema()::regnamespace AND i.indisunique AND a.attname <> 'org_id'
            AND EXISTS (SELECT FROM pg_attribute o WHERE o.attrelid = t.oid AND o.attname = 'org_id' AND o.attnotnull)",
    )
    .fetch_all(storage.pool())
    .await
    .unwrap();
    assert_eq!(elsewhere, Vec::<String>::new());
    let unnamed: Vec<String> = query_scalar(
        "SELECT conname::text FROM pg_constraint
          WHERE connamespace = current_schema()::regnamespace AND conname NOT LIKE 'ws\\_%'
            AND conname NOT LIKE '\\_workscribe%'",
    )
    .fetch_all(storage.pool())
    .await
    .unwrap();
    assert_eq!(unnamed, Vec::<String>::new());
}

/// The unique rules that only a fault of the program can break, by table and columns, and why. Rules for ids are such rules too, because
/// the program makes the ids, or a bundle was checked for a second one. The others are `UNIQUE_RULES`.
const OF_THE_PROGRAM: [(&str, &[&str]); 4] = [
    (
        "the id is in it",
        &["ws_statuses (org_id, project_id, id)", "ws_statuses (org_id, project_id, position, id)"],
    ),
    (
        "counted by the statement that writes the row, under the lock of what it is in",
        &["ws_tasks (org_id, project_id, number)", "ws_webhook_attempts (org_id, delivery_id, number)"],
    ),
    (
        "every INSERT says ON CONFLICT",
        &[
            "ws_digests (user_id)",
            "ws_email_bounces (email)",
            "ws_idempotency_keys (scope, key)",
            "ws_invitations (org_id, email)",
            "ws_job_queues (name)",
            "ws_job_schedules (name)",
            "ws_jobs (unique_key)",
            "ws_login_attempts (account)",
            "ws_login_networks (place)",
            "ws_notification_preferences (user_id, type)",
            "ws_relations (org_id, source_id, target_id, type)",
            "ws_steps (name)",
            "ws_task_labels (org_id, task_id, label_id)",
            "ws_unread (org_id, user_id)",
        ],
    ),
    (
        "SQLite's own",
        &["ws_search (rowid)", "ws_search_words_config (k)", "ws_search_words_idx (segid, term)"],
    ),
];

/// Selects the unique rules of the catalogue, each as `table (columns)` with its name.
const RULES_OF_POSTGRES: &str = "SELECT CAST(t.relname AS text) || ' (' || string_agg(a.attname, ', ' ORDER BY k.n) || ')', CAST(c.relname AS text)
   FROM pg_index i
   JOIN pg_class t ON t.oid = i.indrelid
   JOIN pg_class c ON c.oid = i.indexrelid
  CROSS JOIN LATERAL unnest(i.indkey) WITH ORDINALITY AS k (attnum, n)
   JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = k.attnum
  WHERE i.indisunique AND t.relnamespace = CAST(current_schema() AS regnamespace) AND t.relname LIKE 'ws\\_%'
  GROUP BY t.relname, c.relname";
const RULES_OF_SQLITE: &str = "SELECT t.name || ' (' || (SELECT group_concat(name, ', ') FROM (SELECT name FROM pragma_index_info(i.name) ORDER BY seqno))
        || ')', i.name
   FROM sqlite_schema t JOIN pragma_index_list(t.name) i
  WHERE t.type = 'table' AND t.name LIKE 'ws\\_%' ESCAPE '\\' AND i.\"unique\"
  UNION ALL
 SELECT t.name || ' (' || c.name || ')', 'rowid'
   FROM sqlite_schema t JOIN pragma_table_info(t.name) c
  WHERE t.type = 'table' AND t.name LIKE 'ws\\_%' ESCAPE '\\' AND c.pk = 1 AND c.type = 'INTEGER'
    AND NOT EXISTS (SELECT 1 FROM pragma_index_list(t.name) i WHERE i.origin = 'pk')";

#[tokio::test]
async fn every_unique_rule_is_one_that_people_can_break_or_a_fault_on_purpose() {
    let (sqlite, postgres) = (databases::sqlite().await, databases::postgres().await);
    let sqlite = SqliteStorage::connect(&sqlite.url, &databases::options()).await.unwrap();
    let postgres = PostgresStorage::connect(&postgres.url, &databases::options()).await.unwrap();
    let on_sqlite: Vec<(String, String)> =
        query_as(RULES_OF_SQLITE).fetch_all(sqlite.writer()).await.unwrap();
    let on_postgres: Vec<(String, String)> =
        query_as(RULES_OF_POSTGRES).fetch_all(postgres.pool()).await.unwrap();
    let of_people = UNIQUE_RULES.map(|rule| format!("{} ({})", rule.table, rule.columns.join(", ")));
    let of_the_program = OF_THE_PROGRAM.iter().flat_map(|(_, rules)| *rules).copied();
    let said: BTreeSet<&str> = of_people.iter().map(String::as_str).chain(of_the_program).collect();
    let is_of_people = |rule: &str| of_people.iter().any(|of_people| of_people == rule);
    let is_of_ids = |rule: &str| rule.ends_with(" (id)") || rule.ends_with(" (org_id, id)");
    let there = on_sqlite.iter().chain(&on_postgres).map(|(rule, _)| rule.as_str());
    let there: BTreeSet<&str> = there.filter(|rule| is_of_people(rule) || !is_of_ids(rule)).collect();
    assert_eq!(there.difference(&said).collect::<Vec<_>>(), Vec::<&&str>::new(), "who can break it?");
    assert_eq!(said.difference(&there).collect::<Vec<_>>(), Vec::<&&str>::new(), "no database has it");
    for (rule, columns) in UNIQUE_RULES.iter().zip(&of_people) {
        assert!(on_postgres.contains(&(columns.clone(), rule.name.to_owned())), "{rule:?}");
        assert!(on_sqlite.iter().any(|(there, _)| there == columns), "{rule:?}");
    }
}

#[tokio::test]
async fn limits_are_set_on_our_own_pool_and_not_on_an_embedders() {
    let schema = Schema::new().await;
    let ours = PostgresStorage::connect(&schema.url, &Options::default()).await.unwrap();
    let timeout = "SELECT current_setting('statement_timeout')";
    assert_eq!(query_scalar::<_, String>(timeout).fetch_one(ours.pool()).await.unwrap(), "5s");
    let connect: PgConnectOptions = schema.url.parse().unwrap();
    let mut plain = connect.connect().await.unwrap();
    let default: String = query_scalar(timeout).fetch_one(&mut plain).await.unwrap();
    plain.close().await.unwrap();
    let pool = PgPoolOptions::new().max_connections(2).connect(&schema.url).await.unwrap();
    let theirs = PostgresStorage::from_pool(pool);
    theirs.migrate().await.unwrap();
    assert_eq!(query_scalar::<_, String>(timeout).fetch_one(theirs.pool()).await.unwrap(), default);
    let url = format!("{}&options=-c%20statement_timeout%3D1234", schema.url);
    let chosen = PostgresStorage::connect(&url, &Options::default()).await.unwrap();
    assert_eq!(query_scalar::<_, String>(timeout).fetch_one(chosen.pool()).await.unwrap(), "1234ms");
}

/// Foreign keys: the table that is referred to, the types of the key, the condition on it, and its index.
const FOREIGN_KEYS: &str = "SELECT DISTINCT CAST(CAST(f.confrelid AS regclass) AS text),
        string_agg(format_type(a.atttypid, a.atttypmod), ', ' ORDER BY k.n),
        string_agg(a.attname || ' = $' || k.n, ' AND ' ORDER BY k.n), CAST(i.relname AS text)
   FROM pg_constraint f
  CROSS JOIN LATERAL unnest(f.confkey) WITH ORDINALITY AS k (attnum, n)
   JOIN pg_attribute a ON a.attrelid = f.confrelid AND a.attnum = k.attnum
   JOIN pg_class i ON i.oid = f.conindid
  WHERE f.contype = 'f' AND f.connamespace = CAST(current_schema() AS regnamespace)
  GROUP BY f.oid, f.confrelid, i.relname";

/// Postgres looks up the row of a foreign key with its own statement, which it plans once per session, perhaps while the tables are
/// empty.
#[tokio::test]
async fn what_a_foreign_key_names_is_found_by_its_key_though_the_table_was_empty_when_that_was_planned() {
    let schema = Schema::new().await;
    let storage = PostgresStorage::connect(&schema.url, &databases::options()).await.unwrap();
    storage.migrate().await.unwrap();
    let mut connection = storage.pool().acquire().await.unwrap();
    let keys: Vec<(String, String, String, String)> =
        query_as(FOREIGN_KEYS).fetch_all(&mut *connection).await.unwrap();
    assert!(keys.iter().any(|(table, ..)| table.ends_with("ws_tasks")), "{keys:?}");
    for (table, types, condition, index) in keys {
        let nothing = vec!["NULL"; types.split(", ").count()].join(", ");
        let look_up = format!("SELECT 1 FROM ONLY {table} x WHERE {condition} FOR KEY SHARE OF x");
        let statements = format!("DEALLOCATE ALL; PREPARE named ({types}) AS {look_up}");
        connection.execute(AssertSqlSafe(statements)).await.unwrap();
        let explain = AssertSqlSafe(format!("EXPLAIN EXECUTE named ({nothing})"));
        let plan: Vec<(String,)> =
            query_as(explain).persistent(false).fetch_all(&mut *connection).await.unwrap();
        let is_found = plan.iter().any(|(line,)| line.contains(&format!("Index Scan using {index} ")));
        assert!(is_found, "{look_up}: {plan:?}");
    }
}
