//! Checks that an engine which distributes tables by organization can run every statement: each tenant table is partitioned by a
//! hash of `org_id`, and a statement for one organization touches one partition.
//!
//! The tables come from the database's catalogue: all that have an `org_id` which is not null. Jobs and idempotency keys have a
//! nullable one, because these tables belong to the server.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use sqlx::{AssertSqlSafe, Executor as _, PgConnection, Row as _, query, query_scalar};
use workscribe_core::Storage;
use workscribe_sql::{Options, PostgresStorage, postgres};
use workscribe_testkit::conformance as suite;
use workscribe_testkit::databases::{self, Schema};

use super::recorded;

/// The number of partitions of a table.
const PARTS: usize = 8;
/// The organization for which statements are explained.
const ORG: &str = "018f0000-0000-7000-8000-00000000000a";

/// Statements for more than one organization, by a part of their text, and the reason.
const MANY: [(&str, &str); 18] = [
    // The door by a task's id: it finds the organization. To know that earlier would cost a round trip.
    (
        "WITH m AS MATERIALIZED (SELECT org_id, user_id, role FROM ws_members WHERE user_id",
        "the door by a task's id",
    ),
    ("AS given (user_id, task_id, number_of_key)", "the door by a task's id, for many"),
    // A person's organizations, and a person's rows in all of them.
    ("FROM ws_members m JOIN ws_organizations o ON o.id = m.org_id", "a person's organizations"),
    ("SELECT count(*) FROM ws_members WHERE user_id = $1", "a person's organizations"),
    ("WITH mine AS MATERIALIZED (", "a person's notifications"),
    ("FROM ws_members m JOIN ws_unread c", "a person's notifications"),
    ("FROM ws_notifications n JOIN ws_members m", "a person's notifications"),
    ("UPDATE ws_notifications SET is_read = $3", "a person's notifications"),
    ("UPDATE ws_notifications AS n SET is_read = TRUE", "a person's notifications"),
    ("UPDATE ws_notifications SET mail", "a person's digest, by a job"),
    ("SELECT n.org_id, o.slug AS org_slug", "a person's notifications"),
    // Background work.
    ("DELETE FROM ws_notifications WHERE (org_id, id) IN", "sweeping"),
    ("DELETE FROM ws_invitations WHERE (org_id, id) IN", "sweeping"),
    (
        "DELETE FROM ws_webhook_deliveries WHERE (org_id, id) IN (SELECT org_id, id FROM ws_webhook_deliveries WHERE created_at <",
        "sweeping",
    ),
    ("DELETE FROM ws_webhook_messages WHERE (org_id, id) IN", "sweeping"),
    ("FROM ws_webhooks WHERE secrets_key <>", "sealing anew"),
    ("SELECT m.user_id FROM ws_organizations o", "an operator's export"),
    // The words of a search contain a mark of their organization, by which the index separates tenants; see `dialect/search.rs`.
    ("words @@ CAST(", "a search for rare words"),
];

/// Replaces every tenant table by a partitioned one, with all its rules and indexes.
const PARTITION: &str = r"
DO $$
DECLARE
    tenant text; rule record; made text[] := '{}'; after text[] := '{}'; line text;
BEGIN
    -- References go first, and come back last.
    FOR rule IN SELECT c.conrelid::regclass::text AS of, c.conname, pg_get_constraintdef(c.oid) AS def
                  FROM pg_constraint c WHERE c.contype = 'f' AND c.connamespace = current_schema()::regnamespace LOOP
        after := after || format('ALTER TABLE %s ADD CONSTRAINT %I %s', rule.of, rule.conname, rule.def);
        EXECUTE format('ALTER TABLE %s DROP CONSTRAINT %I', rule.of, rule.conname);
    END LOOP;
    FOR tenant IN SELECT t.relname FROM pg_class t JOIN pg_attribute a ON a.attrelid = t.oid AND a.attname = 'org_id' AND a.attnotnull
                   WHERE t.relkind = 'r' AND t.relnamespace = current_schema()::regnamespace LOOP
        made := '{}';
        FOR rule IN SELECT c.conname, pg_get_constraintdef(c.oid) AS def FROM pg_constraint c
                     WHERE c.conrelid = tenant::regclass AND c.contype IN ('p', 'u', 'c') LOOP
            made := made || format('ALTER TABLE %I ADD CONSTRAINT %I %s', tenant, rule.conname, rule.def);
        END LOOP;
        FOR rule IN SELECT pg_get_indexdef(i.indexrelid) AS def FROM pg_index i
                     WHERE i.indrelid = tenant::regclass
                       AND NOT EXISTS (SELECT FROM pg_constraint c WHERE c.conindid = i.indexrelid AND c.contype IN ('p', 'u')) LOOP
            made := made || rule.def;
        END LOOP;
        EXECUTE format('ALTER TABLE %I RENAME TO %I', tenant, tenant || '_whole');
        EXECUTE format('CREATE TABLE %I (LIKE %I INCLUDING DEFAULTS INCLUDING GENERATED) PARTITION BY HASH (org_id)',
                       tenant, tenant || '_whole');
        FOR n IN 0..7 LOOP
            EXECUTE format('CREATE TABLE %I PARTITION OF %I FOR VALUES WITH (MODULUS 8, REMAINDER %s)',
                           tenant || '_part' || n, tenant, n);
        END LOOP;
        EXECUTE format('DROP TABLE %I', tenant || '_whole');
        FOREACH line IN ARRAY made LOOP EXECUTE line; END LOOP;
    END LOOP;
    FOREACH line IN ARRAY after LOOP EXECUTE line; END LOOP;
END $$";

async fn partitioned() -> (Schema, PostgresStorage) {
    let schema = Schema::new().await;
    let storage = PostgresStorage::connect(&schema.url, &databases::options()).await.unwrap();
    storage.migrate().await.unwrap();
    // An index on a partitioned table cannot have this setting.
    query("ALTER INDEX ws_search_words_idx RESET (gin_pending_list_limit)")
        .execute(storage.pool())
        .await
        .unwrap();
    query(PARTITION).execute(storage.pool()).await.unwrap();
    (schema, storage)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_statement_for_one_organization_touches_one_part_of_every_table() {
    let (schema, storage) = partitioned().await;
    let parted: Vec<String> = query_scalar(
        "SELECT relname::text FROM pg_class WHERE relkind = 'p' AND relnamespace = current_schema()::regnamespace ORDER BY 1",
    )
    .fetch_all(storage.pool())
    .await
    .unwrap();
    assert_eq!(parted, tables_of_tenants().await);
    let mut used = BTreeSet::new();
    let mut faults = explained(&storage, &mut used).await;
    faults.extend(read_together(&schema, &mut used).await);
    let unused = MANY.iter().filter(|(part, _)| !used.contains(part));
    faults.extend(unused.map(|(part, _)| format!("no statement is excepted by {part}")));
    let faults: Vec<&String> = faults.iter().collect();
    assert!(
        faults.is_empty(),
        "{} statements:\n\n{}",
        faults.len(),
        faults.iter().map(|one| one.as_str()).collect::<Vec<_>>().join("\n\n")
    );
}

/// The tables with an organization in every row, from a database with the original schema.
async fn tables_of_tenants() -> Vec<String> {
    let database = databases::postgres().await;
    let storage = PostgresStorage::connect(&database.url, &databases::options()).await.unwrap();
    query_scalar(
        "SELECT c.table_name::text FROM information_schema.columns c JOIN information_schema.tables t USING (table_schema, table_name)
          WHERE c.table_schema = current_schema() AND t.table_type = 'BASE TABLE' AND c.column_name = 'org_id' AND c.is_nullable = 'NO'
          ORDER BY 1",
    )
    .fetch_all(storage.pool())
    .await
    .unwrap()
}

/// Checks the statements that read for many requests, each for its own organization: run for one key, they touch one partition.
/// They are prepared on the connections of a pool, which has one connection here.
async fn read_together(schema: &Schema, used: &mut BTreeSet<&'static str>) -> BTreeSet<String> {
    let options = Options { max_connections: 1, ..databases::options() };
    let storage: Arc<dyn Storage> = Arc::new(PostgresStorage::connect(&schema.url, &options).await.unwrap());
    suite::units::each_of_many_reads_at_once_finds_what_it_asked_for(Arc::clone(&storage)).await;
    let mut uow = storage.begin().await.unwrap();
    let conn = postgres::Unit::of(&mut *uow).unwrap().connection().await.unwrap();
    let key = query(
        "SELECT m.org_id::text, o.slug, m.user_id::text, p.id::text AS project_id, p.key
           FROM ws_members m JOIN ws_organizations o ON o.id = m.org_id JOIN ws_projects p ON p.org_id = m.org_id LIMIT 1",
    )
    .persistent(false)
    .fetch_one(&mut *conn)
    .await
    .unwrap();
    let key: BTreeMap<&str, String> = ["org_id", "slug", "user_id", "project_id", "key"]
        .into_iter()
        .map(|name| (name, key.get(name)))
        .collect();
    query("SET LOCAL plan_cache_mode = force_custom_plan").execute(&mut *conn).await.unwrap();
    let (mut faults, mut seen) = (BTreeSet::new(), 0);
    for (name, statement, types) in prepared(conn).await {
        let statement = one_line(&statement);
        let Some(names) =
            statement.split_once(" AS given (").and_then(|(_, rest)| rest.split_once(", number_of_key"))
        else {
            continue;
        };
        seen += 1;
        if is_excepted(&statement, used) {
            continue;
        }
        let arguments: Vec<String> = names
            .0
            .split(", ")
            .zip(&types)
            .map(|(name, kind)| match key.get(name) {
                Some(value) => format!("CAST(ARRAY['{value}'] AS {kind})"),
                None => format!("CAST(ARRAY[NULL] AS {kind})"),
            })
            .collect();
        let explain = format!(
            "EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF) EXECUTE {name}({})",
            arguments.join(", ")
        );
        let plan: Vec<String> =
            query_scalar(AssertSqlSafe(explain)).persistent(false).fetch_all(&mut *conn).await.unwrap();
        let run: Vec<String> = plan.into_iter().filter(|line| !line.contains("never executed")).collect();
        let parts = parts_of(&run.join("\n"));
        if parts > 1 || (parts == 0 && statement.contains("org_id")) {
            faults.insert(format!("{parts} parts: {statement}"));
        }
    }
    if seen < 5 {
        faults.insert(format!("{seen} statements that read for many requests, where there are five"));
    }
    faults
}

/// A statement's text in one line.
fn one_line(statement: &str) -> String {
    statement.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Whether a statement may concern more than one organization. `used` collects the parts of texts that say so.
fn is_excepted(statement: &str, used: &mut BTreeSet<&'static str>) -> bool {
    let many: Vec<_> = MANY.iter().map(|(part, _)| *part).filter(|part| statement.contains(part)).collect();
    let is_excepted = !many.is_empty();
    used.extend(many);
    is_excepted
}

/// The number of partitions that a plan names.
fn parts_of(plan: &str) -> usize {
    (0..PARTS).filter(|part| plan.contains(&format!("_part{part}"))).count()
}

/// The statements that would touch more than one partition.
async fn explained(storage: &PostgresStorage, used: &mut BTreeSet<&'static str>) -> BTreeSet<String> {
    let mut conn = storage.pool().acquire().await.unwrap();
    for setting in ["SET plan_cache_mode = force_custom_plan", "SET constraint_exclusion = off"] {
        conn.execute(setting).await.unwrap();
    }
    let mut faults = BTreeSet::new();
    for recorded in recorded::on_postgres().await {
        let statement = one_line(&recorded.text);
        let inserts = statement.match_indices("INSERT INTO ws_").any(|(at, _)| {
            let rest = &statement[at..];
            // Tables of the server.
            if ["INSERT INTO ws_jobs", "INSERT INTO ws_users"].iter().any(|own| rest.starts_with(own)) {
                return false;
            }
            let values = rest.find("VALUES").unwrap_or(usize::MAX);
            rest.find("SELECT").is_some_and(|select| select < values)
        });
        if inserts {
            faults.insert(format!("INSERT … SELECT: {statement}"));
        }
        if is_excepted(&statement, used) || statement.contains(" AS given (") {
            continue;
        }
        let value = |number, kind: &str| argument(&statement, number, kind);
        let parts = parts_of(&recorded.explain(&mut conn, "COSTS OFF", value).await.join("\n"));
        if parts > 1 {
            faults.insert(format!("{parts} parts: {statement}"));
        }
    }
    faults
}

/// The statements that a connection has prepared: name, text, and types of the parameters.
async fn prepared(conn: &mut PgConnection) -> Vec<(String, String, Vec<String>)> {
    let rows = query(
        "SELECT name, statement, parameter_types::text[] AS types FROM pg_prepared_statements
          WHERE statement LIKE '%ws\\_%' AND statement NOT LIKE '%pg_prepared_statements%' ORDER BY name",
    );
    let rows = rows.persistent(false).fetch_all(conn).await.unwrap();
    rows.into_iter().map(|row| (row.get(0), row.get(1), row.get(2))).collect()
}

/// A value for a parameter: the organization if the statement compares `org_id` with it.
fn argument(statement: &str, number: usize, kind: &str) -> String {
    let is_org = |pattern: &str| {
        statement
            .match_indices(pattern)
            .any(|(at, _)| !statement[at + pattern.len()..].starts_with(|next: char| next.is_ascii_digit()))
    };
    match kind {
        "uuid" if is_org(&format!("org_id = ${number}")) => format!("'{ORG}'"),
        "uuid" => format!("'018f0000-0000-7000-8000-{number:012}'"),
        "jsonb" | "json" => "'[]'".to_owned(),
        "text" | "character varying" => "'x'".to_owned(),
        "bytea" => "'\\x00'".to_owned(),
        "boolean" => "true".to_owned(),
        "date" => "'2031-01-01'".to_owned(),
        kind if kind.starts_with("timestamp") => "now()".to_owned(),
        _ => "1".to_owned(),
    }
}

#[tokio::test]
async fn references_between_tables_of_a_tenant_carry_the_organization_and_are_checked_at_once() {
    let database = databases::postgres().await;
    let storage = PostgresStorage::connect(&database.url, &databases::options()).await.unwrap();
    let wrong: Vec<String> = query_scalar(
        "SELECT c.conname::text FROM pg_constraint c
           JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attname = 'org_id' AND a.attnotnull
           JOIN pg_attribute b ON b.attrelid = c.confrelid AND b.attname = 'org_id' AND b.attnotnull
          WHERE c.contype = 'f' AND c.connamespace = current_schema()::regnamespace
            AND (c.condeferrable OR NOT a.attnum = ANY (c.conkey) OR NOT b.attnum = ANY (c.confkey))",
    )
    .fetch_all(storage.pool())
    .await
    .unwrap();
    assert_eq!(wrong, Vec::<String>::new());
}

#[tokio::test]
async fn a_broken_rule_of_a_part_is_told_by_its_name() {
    let (_schema, storage) = partitioned().await;
    suite::tenancy::members::a_user_joins_an_organization_once(std::sync::Arc::new(storage)).await;
    let (_schema, storage) = partitioned().await;
    suite::work::tasks::an_archived_or_missing_project_takes_no_tasks(std::sync::Arc::new(storage)).await;
}
