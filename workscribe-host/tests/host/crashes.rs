//! `kill -9` during writes: acknowledged writes are stored, and no write is stored in part (guarantee 26).

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::json;
use sqlx::query_as;
use tokio::task::JoinSet;
use workscribe_sql::{Options, PostgresStorage, SqliteStorage};
use workscribe_testkit::databases::Schema;

use crate::client::{Client, Login, PASSWORD};
use crate::program::{Setup, until};
use crate::services::PostgresServer;

/// What the server acknowledged to one client: its account and its organizations.
#[derive(Default)]
struct Acknowledged {
    email: Option<String>,
    slugs: Vec<String>,
}

/// Eight clients that register and create organizations until they get no response or are stopped.
struct Load {
    clients: JoinSet<Acknowledged>,
    answers: Arc<AtomicUsize>,
}

/// Added to the count of answers, it stops the clients: a database may be back before any of them fails.
const ENOUGH: usize = usize::MAX / 2;

impl Load {
    fn start(client: &Client) -> Self {
        let answers = Arc::new(AtomicUsize::new(0));
        let mut clients = JoinSet::new();
        for number in 0..8 {
            clients.spawn(write(client.clone(), number, Arc::clone(&answers)));
        }
        Self { clients, answers }
    }

    async fn is_in_full_swing(&self) {
        until("there are many writes", async || self.answers.load(Ordering::Relaxed) >= 60).await;
    }

    /// Asks the server for everything that was acknowledged.
    async fn find_all(self, client: &Client) {
        self.answers.fetch_add(ENOUGH, Ordering::Relaxed);
        for Acknowledged { email, slugs } in self.clients.join_all().await {
            let Some(email) = email else { continue };
            let login = Login::of(&client.log_in(&email).await.expect(200));
            for slug in slugs {
                let path = format!("/api/v1/organizations/{slug}");
                client.get(&path).bearer(&login).send().await.expect(200);
            }
        }
    }
}

async fn write(client: Client, number: u32, answers: Arc<AtomicUsize>) -> Acknowledged {
    let mut done = Acknowledged::default();
    let email = format!("client-{number}@example.com");
    let body = json!({"display_name": "Ada Lovelace", "email": email, "password": PASSWORD});
    let Some(answer) = client.post("/auth/register", &body).try_send().await else { return done };
    if answer.status != 201 {
        return done;
    }
    let login = Login::of(&answer);
    done.email = Some(email);
    for count in 0.. {
        if answers.fetch_add(1, Ordering::Relaxed) >= ENOUGH {
            break;
        }
        let slug = format!("org-{number}-{count}");
        let body = json!({"name": slug, "slug": slug});
        let making = client.post("/organizations", &body).bearer(&login).header("idempotency-key", &slug);
        match making.try_send().await {
            Some(answer) if answer.status == 201 => done.slugs.push(slug),
            Some(answer) => {
                answer.expect_unavailable();
                break;
            }
            None => break,
        }
    }
    done
}

const WITHOUT_ONE_OWNER: &str = "SELECT count(*) FROM ws_organizations o WHERE 1 <> \
    (SELECT count(*) FROM ws_members m WHERE m.org_id = o.id AND m.role = 'owner')";

#[tokio::test]
async fn what_was_acknowledged_survives_the_servers_death_on_sqlite() {
    let setup = Setup::new();
    let server = setup.serve().await;
    let load = Load::start(&server.client);
    load.is_in_full_swing().await;
    server.process.kill().await;

    let server = setup.serve().await;
    load.find_all(&server.client).await;
    let storage = SqliteStorage::connect(&setup.sqlite_url(), &Options::default()).await.unwrap();
    let (halves,) = query_as::<_, (i64,)>(WITHOUT_ONE_OWNER).fetch_one(storage.pool()).await.unwrap();
    assert_eq!(halves, 0);
    let (sound,) =
        query_as::<_, (String,)>("PRAGMA integrity_check").fetch_one(storage.pool()).await.unwrap();
    assert_eq!(sound, "ok");
    server.process.stop().await;
}

async fn no_halves_on_postgres(url: &str) {
    let storage = PostgresStorage::connect(url, &Options::default()).await.unwrap();
    let (halves,) = query_as::<_, (i64,)>(WITHOUT_ONE_OWNER).fetch_one(storage.pool()).await.unwrap();
    assert_eq!(halves, 0);
    storage.pool().close().await;
}

#[tokio::test]
async fn what_was_acknowledged_survives_the_servers_death_on_postgres() {
    let schema = Schema::new().await;
    let setup = Setup::new().env("WORKSCRIBE_DATABASE_URL", &schema.url);
    let server = setup.serve().await;
    let load = Load::start(&server.client);
    load.is_in_full_swing().await;
    server.process.kill().await;

    let server = setup.serve().await;
    load.find_all(&server.client).await;
    no_halves_on_postgres(&schema.url).await;
    server.process.stop().await;
}

#[tokio::test]
async fn what_was_acknowledged_survives_the_death_of_postgres() {
    let postgres = PostgresServer::start().await;
    let setup = Setup::new().env("WORKSCRIBE_DATABASE_URL", postgres.url());
    let server = setup.serve().await;
    let load = Load::start(&server.client);
    load.is_in_full_swing().await;
    postgres.kill().await;
    postgres.start_again().await;

    let client = &server.client;
    until("it is ready", async || client.get("/readyz").send().await.status == 200).await;
    load.find_all(client).await;
    no_halves_on_postgres(&postgres.url()).await;
    server.process.stop().await;
}
