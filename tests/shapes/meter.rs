//! An application on a separate database, and the meter: `pg_stat_statements` for blocks, a proxy for round trips.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use poem::http::StatusCode;
use serde_json::{Value, json};
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Connection as _, query, query_as, query_scalar};
use tokio::sync::Mutex;
use workscribe::Settings;
use workscribe::sql::{Database as _, PostgresStorage};
use workscribe_testkit::app::{Login, TestApp};
use workscribe_testkit::databases::options;
use workscribe_testkit::proxy::Proxy;
use workscribe_testkit::servers::PostgresServer;

use super::operations::{OPERATIONS, Operation, World};

/// After these requests the connections have prepared their statements, and the server has the hints about slugs.
const WARM_UP: usize = 3;
/// The number of measured requests, of which the median counts: sometimes one pays for many, when it empties the pending list of
/// the index of words.
const MEASURED: usize = 15;

/// The owner of the organization `acme`.
const OWNER: &str = "owner@example.com";

/// The cost of one request.
#[derive(Debug, Clone)]
pub(crate) struct Cost {
    pub(crate) round_trips: u64,
    /// Including `BEGIN` and `COMMIT`.
    pub(crate) statements: u64,
    /// Without the look-up of the session.
    pub(crate) blocks: u64,
    /// The blocks of that look-up.
    pub(crate) session: u64,
    /// The blocks of the same request as the first of its connection.
    pub(crate) first: u64,
    /// Its statements, the most expensive first.
    pub(crate) detail: String,
}

/// A database with an application on it.
pub(crate) struct Place {
    pub(crate) url: String,
    /// It caches no session, so each request looks up its session.
    app: TestApp,
    proxy: Proxy,
    meter: Mutex<PgConnection>,
    turns: AtomicUsize,
}

impl Place {
    pub(crate) async fn new(server: &PostgresServer, name: &str) -> Self {
        let mut admin = PgConnection::connect(&server.url()).await.unwrap();
        query(AssertSqlSafe(format!("CREATE DATABASE {name}"))).execute(&mut admin).await.unwrap();
        let url = server.url_of(name);
        let mut meter = PgConnection::connect(&url).await.unwrap();
        query("CREATE EXTENSION pg_stat_statements").execute(&mut meter).await.unwrap();
        let proxy = Proxy::before(&url).await.unwrap();
        let app = application(&proxy).await;
        let owner = app.register(OWNER).await;
        app.organization(&owner, "acme").await;
        Self { url, app, proxy, meter: Mutex::new(meter), turns: AtomicUsize::new(0) }
    }

    pub(crate) async fn analyze(&self) {
        query("ANALYZE").execute(&mut *self.meter.lock().await).await.unwrap();
    }

    /// The stored values that differ from the rows from which they are derived.
    pub(crate) async fn differences(&self) -> Vec<String> {
        PostgresStorage::connect(&self.url, &options()).await.unwrap().differences().await.unwrap()
    }

    /// Creates tasks through the API up to a number, as users do: half of them by another person than the owner, with all fields,
    /// and some with comments.
    pub(crate) async fn create_tasks(&self, until: usize) {
        let colleague = self.login("person1@example.com").await;
        let people = [self.login(OWNER).await, colleague];
        let mut meter = self.meter.lock().await;
        let have: i64 = query_scalar("SELECT count(*) FROM ws_tasks").fetch_one(&mut *meter).await.unwrap();
        let ids = |table: &str, order: &str| format!("SELECT id::text FROM {table} ORDER BY {order}");
        let statuses = ids("ws_statuses", "position");
        let statuses: Vec<String> =
            query_scalar(AssertSqlSafe(statuses)).fetch_all(&mut *meter).await.unwrap();
        let labels: Vec<String> =
            query_scalar(AssertSqlSafe(ids("ws_labels", "name"))).fetch_all(&mut *meter).await.unwrap();
        let assignees: Vec<String> =
            query_scalar(AssertSqlSafe(ids("ws_users", "email"))).fetch_all(&mut *meter).await.unwrap();
        drop(meter);
        let mut whole: Option<String> = None;
        for number in usize::try_from(have).unwrap()..until {
            // Drawn by a hash, so that the values are independent.
            let picked = |many: usize, what: u32| {
                let mut hasher = DefaultHasher::new();
                (number, what).hash(&mut hasher);
                usize::try_from(hasher.finish() % many as u64).unwrap()
            };
            let text = document("It is broken in a way that takes a few words.");
            let mut new = json!({ "title": format!("Mend part {} of word{number}", number % 97), "description_json": text });
            new["status_id"] = statuses[picked(statuses.len(), 3)].as_str().into();
            if picked(3, 5) > 0 {
                new["assignee_id"] = assignees[picked(assignees.len(), 11)].as_str().into();
            }
            if picked(2, 7) > 0 {
                new["label_ids"] =
                    json!([labels[picked(labels.len(), 13)], labels[picked(labels.len(), 17)]]);
            }
            if picked(4, 19) == 0 {
                new["due_date"] = format!("2031-{:02}-{:02}", 1 + picked(12, 23), 1 + picked(28, 29)).into();
            }
            new["parent_task_id"] = if picked(10, 31) == 0 { json!(whole) } else { Value::Null };
            let path = "/organizations/acme/projects/P1/tasks";
            let by = &people[picked(2, 37)];
            let made = self.app.post(path).bearer(by).json(&new).send().await.expect(StatusCode::CREATED);
            let id = made.json["id"].as_str().unwrap().to_owned();
            if picked(3, 41) == 0 {
                let comment = json!({ "body_json": document("Seen it on the ground floor.") });
                let path = format!("/tasks/{id}/comments");
                self.app.post(&path).bearer(by).json(&comment).send().await.expect(StatusCode::CREATED);
            }
            if new["parent_task_id"].is_null() {
                whole = Some(id);
            }
        }
    }

    /// The cost of every operation in an organization.
    pub(crate) async fn measure(&self, slug: &str) -> BTreeMap<&'static str, Cost> {
        let email = if slug == "acme" { OWNER.to_owned() } else { format!("{slug}@example.com") };
        let login = self.login(&email).await;
        let world = self.world(slug).await;
        let mut costs = BTreeMap::new();
        for operation in OPERATIONS {
            costs.insert(operation.name, self.cost(operation, &login, &world).await);
        }
        // The same few tasks were changed many times; autovacuum would have cleaned up.
        query("VACUUM").execute(&mut *self.meter.lock().await).await.unwrap();
        costs
    }

    /// Logs a user in.
    async fn login(&self, email: &str) -> Login {
        let same_password = "UPDATE ws_users SET password_hash = (SELECT password_hash FROM ws_users WHERE email = $2) WHERE email = $1";
        query(same_password).bind(email).bind(OWNER).execute(&mut *self.meter.lock().await).await.unwrap();
        self.app.login(email).await
    }

    async fn world(&self, slug: &str) -> World {
        let mut meter = self.meter.lock().await;
        let project: String = query_scalar(
            "SELECT p.key FROM ws_projects p JOIN ws_organizations o ON o.id = p.org_id
              WHERE o.slug = $1 ORDER BY p.created_at OFFSET (SELECT count(*) / 2 FROM ws_projects x WHERE x.org_id = p.org_id) LIMIT 1",
        )
        .bind(slug)
        .fetch_one(&mut *meter)
        .await
        .unwrap_or_else(|_| "P1".to_owned());
        let tasks: Vec<String> = query_scalar(
            "SELECT t.id::text FROM ws_tasks t JOIN ws_organizations o ON o.id = t.org_id
              WHERE o.slug = $1 ORDER BY md5(t.id::text) LIMIT 400",
        )
        .bind(slug)
        .fetch_all(&mut *meter)
        .await
        .unwrap();
        let neighbours: Vec<(String, String)> = query_as(
            "SELECT a.id::text, b.id::text
               FROM (SELECT t.* FROM ws_tasks t JOIN ws_organizations o ON o.id = t.org_id
                      WHERE o.slug = $1 ORDER BY md5(t.id::text) LIMIT 200) AS a
              CROSS JOIN LATERAL (SELECT * FROM ws_tasks b WHERE b.org_id = a.org_id AND b.project_id = a.project_id
                                     AND b.status_id = a.status_id AND b.position > a.position
                                   ORDER BY b.position OFFSET 6 LIMIT 1) AS b
              LIMIT 60",
        )
        .bind(slug)
        .fetch_all(&mut *meter)
        .await
        .unwrap();
        let board: Vec<String> = query_scalar(
            "SELECT t.id::text FROM ws_tasks t JOIN ws_organizations o ON o.id = t.org_id
               JOIN ws_projects p ON p.org_id = t.org_id AND p.id = t.project_id
              WHERE o.slug = $1 AND p.key = $2 ORDER BY t.number LIMIT 100",
        )
        .bind(slug)
        .bind(&project)
        .fetch_all(&mut *meter)
        .await
        .unwrap();
        let (status, label, assignee) = query_as(
            "SELECT (SELECT s.id::text FROM ws_statuses s WHERE s.org_id = p.org_id AND s.project_id = p.id ORDER BY s.position OFFSET 2 LIMIT 1),
                    (SELECT l.id::text FROM ws_labels l WHERE l.org_id = p.org_id AND l.project_id = p.id ORDER BY l.name OFFSET 2 LIMIT 1),
                    (SELECT u.id::text FROM ws_users u WHERE u.email = 'person3@example.com')
               FROM ws_projects p JOIN ws_organizations o ON o.id = p.org_id WHERE o.slug = $1 AND p.key = $2",
        )
        .bind(slug)
        .bind(&project)
        .fetch_one(&mut *meter)
        .await
        .unwrap();
        World { slug: slug.to_owned(), project, tasks, board, neighbours, status, label, assignee }
    }

    async fn cost(&self, operation: &Operation, login: &Login, world: &World) -> Cost {
        let mut costs = Vec::new();
        for round in 0..WARM_UP + MEASURED {
            let cost = self.once(&self.app, operation, login, world).await;
            if round >= WARM_UP {
                costs.push(cost);
            }
        }
        costs.sort_by_key(|cost| cost.blocks);
        let round_trips = costs.iter().map(|cost| cost.round_trips).min().unwrap();
        let statements = costs.iter().map(|cost| cost.statements).min().unwrap();
        let first = self.once(&application(&self.proxy).await, operation, login, world).await.blocks;
        Cost { round_trips, statements, first, ..costs.swap_remove(MEASURED / 2) }
    }

    /// The cost of one request, on another task than the previous one, so that it writes a different value.
    async fn once(&self, app: &TestApp, operation: &Operation, login: &Login, world: &World) -> Cost {
        let turn = self.turns.fetch_add(1, Ordering::Relaxed);
        // By then the previous request has finished with its connection.
        tokio::time::sleep(Duration::from_millis(2)).await;
        let mut meter = self.meter.lock().await;
        query("SELECT pg_stat_statements_reset()").execute(&mut *meter).await.unwrap();
        let before = self.proxy.traffic();
        let answer = operation.ask(app, login, world, turn).await;
        let traffic = self.proxy.traffic() - before;
        assert!(answer.status.is_success(), "{}: {:?}", operation.name, answer.json);
        let (session, blocks, detail) = touched(&mut meter).await;
        Cost {
            round_trips: traffic.round_trips - traffic.pings,
            statements: traffic.statements,
            blocks: if operation.with_session { session + blocks } else { blocks / operation.tasks },
            session,
            first: 0,
            detail,
        }
    }
}

/// An application with its own connections, which caches no session.
async fn application(proxy: &Proxy) -> TestApp {
    let storage = PostgresStorage::connect(&proxy.url, &options()).await.unwrap();
    storage.migrate().await.unwrap();
    let settings = Settings { session_cache_ttl: chrono::TimeDelta::zero(), ..Settings::default() };
    TestApp::with_settings(Arc::new(storage), settings)
}

/// A document as the editor makes it.
fn document(text: &str) -> Value {
    json!({ "type": "doc", "content": [{ "type": "paragraph", "content": [{ "type": "text", "text": text }] }] })
}

/// The blocks that statements have touched since the last reset: of the look-up of the session, of all others, and a list of them.
async fn touched(meter: &mut PgConnection) -> (u64, u64, String) {
    let rows: Vec<(i64, i64, String)> = query_as(
        "SELECT shared_blks_hit + shared_blks_read, calls, left(regexp_replace(query, '\\s+', ' ', 'g'), 400)
           FROM pg_stat_statements
          WHERE toplevel AND dbid = (SELECT oid FROM pg_database WHERE datname = current_database())
            AND query NOT LIKE '%pg_stat_statements%'
          ORDER BY 1 DESC",
    )
    .fetch_all(&mut *meter)
    .await
    .unwrap();
    let is_session = |text: &str| text.contains("FROM ws_sessions") || text.contains("AS session_id");
    let blocks_of = |session: bool| {
        let rows = rows.iter().filter(|(.., text)| is_session(text) == session);
        rows.map(|(blocks, ..)| blocks.unsigned_abs()).sum()
    };
    let detail = rows
        .iter()
        .map(|(blocks, calls, text)| format!("    {blocks} blocks, {calls} calls: {text}\n"))
        .collect();
    (blocks_of(true), blocks_of(false), detail)
}
