//! An application that embeds WorkScribe.
//!
//! It has its own route (`GET /hello`), its own SQLite pool, its own table with its own migrations, and its own job. From
//! WorkScribe it mounts only identity and organizations. When an organization is created, the application opens a billing
//! account for it **in the same transaction**: either both are stored, or neither.
//!
//! `cargo run --example embed` tries all of this over real HTTP and ends. With `-- --serve` it keeps running, for tests by
//! hand.

#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use std::sync::Arc;

use async_trait::async_trait;
use poem::listener::{Acceptor as _, Listener as _, TcpListener};
use poem::{EndpointExt as _, Route, Server, get, handler, web::Data};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePool};
use workscribe::Hook;
use workscribe::error::{Error, FieldError};
use workscribe::events::DomainEvent;
use workscribe::http::{HttpOptions, IdentityApi, OrganizationsApi, mount};
use workscribe::id::OrgId;
use workscribe::identity::{SecretKey, SecretRing};
use workscribe::jobs::mail::{DefaultTemplates, Links, LogMailer, workscribe_jobs};
use workscribe::jobs::{JobContext, JobError, Worker, WorkerOptions, workscribe_schedules};
use workscribe::local::BcryptHasher;
use workscribe::outbox::Job;
use workscribe::ports::Secret;
use workscribe::sql::sqlite::{SqliteStorage, Unit};
use workscribe::{UnitOfWork, WorkScribe};

type Outcome<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

// --- The application's own rules ---------------------------------------------------------------------------------------

/// The maximum number of organizations of one person on the free plan.
const FREE_ORGANIZATIONS: i64 = 2;

/// A job of the application: reports a new account to the payment provider.
#[derive(Serialize, Deserialize)]
struct OpenAccount {
    org: OrgId,
}

impl Job for OpenAccount {
    const KIND: &'static str = "billing.open_account";
}

/// Opens a billing account with every new organization.
struct Billing;

#[async_trait]
impl Hook for Billing {
    async fn on_event(
        &self,
        app: &WorkScribe,
        uow: &mut dyn UnitOfWork,
        event: &DomainEvent,
    ) -> Result<(), Error> {
        let DomainEvent::OrganizationCreated { organization, owner } = event else { return Ok(()) };
        // The connection with WorkScribe's open transaction. An error from here on undoes the organization as well.
        let unit = Unit::of(uow).ok_or_else(|| Error::internal("the storage is not SQLite"))?;
        let connection = unit.connection().await?;
        sqlx::query("INSERT INTO app_billing_accounts (org_id, owner_id, plan) VALUES ($1, $2, 'free')")
            .bind(organization.id.as_uuid())
            .bind(owner.as_uuid())
            .execute(&mut *connection)
            .await
            .map_err(Error::internal)?;
        let count = "SELECT count(*) FROM app_billing_accounts WHERE owner_id = $1 AND plan = 'free'";
        let counted = sqlx::query_scalar::<_, i64>(count).bind(owner.as_uuid()).fetch_one(connection).await;
        if counted.map_err(Error::internal)? > FREE_ORGANIZATIONS {
            let message = "The free plan has two organizations.".to_owned();
            let fault = FieldError { pointer: "/name".to_owned(), code: "PLAN_LIMIT", message };
            return Err(Error::invalid(vec![fault]));
        }
        // The job is written in this transaction too: it runs if, and only if, the organization is stored.
        app.enqueue(uow, &OpenAccount { org: organization.id }).await?;
        Ok(())
    }
}

/// Runs the job. It may run more than once, so it only fills in a value that is still missing.
async fn open_account(pool: SqlitePool, job: OpenAccount) -> Result<(), JobError> {
    let update =
        "UPDATE app_billing_accounts SET opened_at = datetime('now') WHERE org_id = $1 AND opened_at IS NULL";
    let done = sqlx::query(update).bind(job.org.as_uuid()).execute(&pool).await;
    done.map(|_| ()).map_err(|error| JobError::retry(error.to_string()))
}

/// A route of the application, on the same pool.
#[handler]
async fn hello(pool: Data<&SqlitePool>) -> poem::Result<String> {
    let count = sqlx::query_scalar("SELECT count(*) FROM app_billing_accounts WHERE opened_at IS NOT NULL");
    let open: i64 = count.fetch_one(*pool).await.map_err(poem::error::InternalServerError)?;
    Ok(format!("Hello! Open billing accounts: {open}."))
}

// --- Putting it together -----------------------------------------------------------------------------------------------

#[tokio::main]
async fn main() -> Outcome<()> {
    let serve = std::env::args().any(|argument| argument == "--serve");
    let folder = tempfile::tempdir()?;
    let file = SqliteConnectOptions::new().filename(folder.path().join("app.db")).create_if_missing(true);
    let pool = SqlitePool::connect_with(file.journal_mode(SqliteJournalMode::Wal)).await?;

    // WorkScribe's tables first, since ours refers to them. Each side keeps its own list of applied migrations.
    let storage = SqliteStorage::from_pool(pool.clone());
    storage.migrate().await?;
    sqlx::migrate!("examples/embed_migrations").run(&pool).await?;

    let key = SecretKey::new(&Secret::new("for this example only, 32 bytes or more")).ok_or("too short")?;
    let app = WorkScribe::builder(Arc::new(storage), SecretRing::new(key, vec![]))
        // Only for this example: with cost 4, hashes are fast to compute and fast to guess. Without this line the cost is 12.
        .hasher(Arc::new(BcryptHasher::new(4)))
        .hook(Arc::new(Billing))
        .build();

    // WorkScribe's mail jobs and the application's own, in one worker in this process.
    let links = Links::new("http://localhost:5173")?;
    let jobs_pool = pool.clone();
    let registry = workscribe_jobs(Arc::new(LogMailer), Arc::new(DefaultTemplates::new("Embed")), links)
        .register::<OpenAccount>(move |_: JobContext, job| open_account(jobs_pool.clone(), job));
    let worker =
        Worker::new(app.clone(), registry, WorkerOptions::default()).schedules(workscribe_schedules()?);
    tokio::spawn(async move { worker.run(std::future::pending()).await });

    let api = mount(&app, (IdentityApi::new(&app), OrganizationsApi::new(&app)), &HttpOptions::default());
    let routes = Route::new().at("/hello", get(hello)).nest_no_strip("/", api).data(pool.clone());

    let wanted = if serve { "127.0.0.1:8002" } else { "127.0.0.1:0" };
    let acceptor = TcpListener::bind(wanted).into_acceptor().await?;
    let address = *acceptor.local_addr()[0].as_socket_addr().ok_or("no TCP address")?;
    let server = Server::new_with_acceptor(acceptor).run(routes);
    if serve {
        println!("http://{address}/hello and http://{address}/docs");
        return Ok(server.await?);
    }
    tokio::spawn(server);
    try_it(&format!("http://{address}"), &pool).await
}

// --- Trying it ---------------------------------------------------------------------------------------------------------

async fn try_it(url: &str, pool: &SqlitePool) -> Outcome<()> {
    let client = reqwest::Client::new();
    let post = async |path: &str, token: &str, body: Value| -> Outcome<(u16, Value)> {
        let request = client.post(format!("{url}/api/v1{path}")).bearer_auth(token).json(&body);
        let response = request.send().await?;
        Ok((response.status().as_u16(), response.json().await?))
    };
    let count = "SELECT count(*) FROM app_billing_accounts";
    let accounts = async || sqlx::query_scalar::<_, i64>(count).fetch_one(pool).await;

    let password = "correct horse battery staple";
    let ada = json!({"display_name": "Ada", "email": "ada@example.com", "password": password});
    let (status, registered) = post("/auth/register", "", ada).await?;
    expect(status == 201, "registered over HTTP", &registered)?;
    let token = registered["access_token"].as_str().ok_or("a token")?.to_owned();

    for slug in ["acme", "globex"] {
        let (status, made) = post("/organizations", &token, json!({"name": slug, "slug": slug})).await?;
        expect(status == 201, &format!("made the organization {slug}"), &made)?;
    }
    expect(accounts().await? == 2, "each has its billing account", &Value::Null)?;

    // The hook has written its row before it refuses. Neither the row nor the organization may be stored.
    let (status, refused) =
        post("/organizations", &token, json!({"name": "Initech", "slug": "initech"})).await?;
    expect(status == 422, "the hook refused a third one on the free plan", &refused)?;
    let left = client.get(format!("{url}/api/v1/organizations/initech")).bearer_auth(&token).send().await?;
    expect(left.status() == 404, "and left no organization", &Value::Null)?;
    expect(accounts().await? == 2, "and no billing account", &Value::Null)?;

    // The commit wakes the worker; it needs a moment.
    let mut answer = String::new();
    for _ in 0..100 {
        answer = client.get(format!("{url}/hello")).send().await?.text().await?;
        if answer.ends_with(": 2.") {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    expect(
        answer == "Hello! Open billing accounts: 2.",
        "the jobs ran, as the application's own route shows",
        &answer.into(),
    )
}

fn expect(holds: bool, what: &str, answer: &Value) -> Outcome<()> {
    if !holds {
        return Err(format!("not so: {what}; the answer was {answer}").into());
    }
    println!("ok: {what}");
    Ok(())
}
