//! An application before a database of its own, and the meter: `pg_stat_statements` for blocks, a proxy for round trips.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use poem::http::StatusCode;
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Connection as _, query, query_as, query_scalar};
use tokio::sync::Mutex;
use workscribe::Settings;
use workscribe::sql::PostgresStorage;
use workscribe_testkit::app::{Login, TestApp};
use workscribe_testkit::databases::options;
use workscribe_testkit::servers::PostgresServer;
use workscribe_testkit::wire::Proxy;

use super::operations::{OPERATIONS, Operation, World};

/// After these a prepared statement has the plan that it keeps.
const WARM_UP: usize = 8;
/// So many requests are measured, and the one in the middle counts: now and then one pays for many, when it empties the list of
/// words that are new to the index.
const MEASURED: usize = 15;

/// What one request costs.
#[derive(Debug, Clone)]
pub(crate) struct Cost {
    pub(crate) round_trips: u64,
    pub(crate) blocks: u64,
    /// Its statements, the dearest first.
    pub(crate) detail: String,
}

/// A database with an application before it.
pub(crate) struct Place {
    pub(crate) url: String,
    app: TestApp,
    /// The same with no session kept.
    forgetful: TestApp,
    owner: Login,
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
        let storage = PostgresStorage::connect(&proxy.url, &options()).await.unwrap();
        storage.migrate().await.unwrap();
        let app = TestApp::new(std::sync::Arc::new(storage), ());
        let settings = Settings { session_cache_ttl: chrono::TimeDelta::zero(), ..Settings::default() };
        let forgetful = app.another_node(|builder| builder.settings(settings));
        let owner = app.register("owner@example.com").await;
        app.organization(&owner, "acme").await;
        Self { url, app, forgetful, owner, proxy, meter: Mutex::new(meter), turns: AtomicUsize::new(0) }
    }

    pub(crate) async fn analyze(&self) {
        query("ANALYZE").execute(&mut *self.meter.lock().await).await.unwrap();
    }

    /// Makes tasks through the API until there are so many.
    pub(crate) async fn create_tasks(&self, until: i64) {
        let have: i64 = query_scalar("SELECT count(*) FROM ws_tasks")
            .fetch_one(&mut *self.meter.lock().await)
            .await
            .unwrap();
        for number in have..until {
            let title = format!("Mend part {} of word{number}", number % 97);
            let path = "/organizations/acme/projects/P1/tasks";
            let new = serde_json::json!({ "title": title });
            self.app.post(path).bearer(&self.owner).json(&new).send().await.expect(StatusCode::CREATED);
        }
    }

    /// What every operation costs in an organization.
    pub(crate) async fn measure(&self, slug: &str) -> BTreeMap<&'static str, Cost> {
        let login = self.login(slug).await;
        let world = self.world(slug).await;
        let mut costs = BTreeMap::new();
        for operation in OPERATIONS {
            costs.insert(operation.name, self.cost(operation, &login, &world).await);
        }
        costs
    }

    /// The organization's owner, logged in.
    async fn login(&self, slug: &str) -> Login {
        if slug == "acme" {
            return self.app.login("owner@example.com").await;
        }
        let email = format!("{slug}@example.com");
        let same_password = "UPDATE ws_users SET password_hash = (SELECT password_hash FROM ws_users WHERE email = 'owner@example.com')
                              WHERE email = $1";
        query(same_password).bind(&email).execute(&mut *self.meter.lock().await).await.unwrap();
        self.app.login(&email).await
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
                                     AND b.number = a.number + 35 LIMIT 1) AS b
              WHERE b.status_id = a.status_id LIMIT 60",
        )
        .bind(slug)
        .fetch_all(&mut *meter)
        .await
        .unwrap();
        let board: Vec<String> = query_scalar(
            "SELECT t.id::text FROM ws_tasks t JOIN ws_organizations o ON o.id = t.org_id
               JOIN ws_projects p ON p.org_id = t.org_id AND p.id = t.project_id
              WHERE o.slug = $1 AND p.key = $2 ORDER BY t.number LIMIT 50",
        )
        .bind(slug)
        .bind(&project)
        .fetch_all(&mut *meter)
        .await
        .unwrap();
        World { slug: slug.to_owned(), project, tasks, board, neighbours }
    }

    async fn cost(&self, operation: &Operation, login: &Login, world: &World) -> Cost {
        let app = if operation.with_session { &self.forgetful } else { &self.app };
        let mut costs = Vec::new();
        for round in 0..WARM_UP + MEASURED {
            // Another one each time, so that what is written differs from what is there.
            let turn = self.turns.fetch_add(1, Ordering::Relaxed);
            // What the request before has left to its connection is over by then.
            tokio::time::sleep(Duration::from_millis(2)).await;
            let mut meter = self.meter.lock().await;
            query("SELECT pg_stat_statements_reset()").execute(&mut *meter).await.unwrap();
            let before = self.proxy.traffic();
            let answer = operation.ask(app, login, world, turn).await;
            let traffic = self.proxy.traffic() - before;
            assert!(answer.status.is_success(), "{}: {:?}", operation.name, answer.json);
            if round >= WARM_UP {
                let (blocks, detail) = touched(&mut meter).await;
                costs.push(Cost {
                    round_trips: traffic.round_trips - traffic.pings,
                    blocks: blocks / operation.tasks,
                    detail,
                });
            }
        }
        costs.sort_by_key(|cost| cost.blocks);
        let round_trips = costs.iter().map(|cost| cost.round_trips).min().unwrap();
        Cost { round_trips, ..costs.swap_remove(MEASURED / 2) }
    }
}

/// The blocks that statements have touched since the last reset, and which statements those were.
async fn touched(meter: &mut PgConnection) -> (u64, String) {
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
    let blocks = rows.iter().map(|(blocks, ..)| *blocks).sum::<i64>();
    let detail = rows
        .iter()
        .map(|(blocks, calls, text)| format!("    {blocks} blocks, {calls} calls: {text}\n"))
        .collect();
    (blocks.unsigned_abs(), detail)
}
