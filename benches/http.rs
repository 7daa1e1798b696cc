//! How much of the database's speed is left through the API: `cargo bench --features postgres --bench http`.
//!
//! A server process serves the API on loopback; this process asks it over 32 kept-alive connections, with a client that
//! does next to nothing. Two things are measured beside it, in turn with it, so that what else the machine does touches
//! all alike: a bare poem route of the same server, and the operation's own statement on the server's own pool, run by 32
//! tasks without HTTP. Read the ratios; the rates are those of this machine. Login is left out, limits are off.
//!
//! `--quick` takes 1 s a case instead of 3, for CI. `--full` takes 10 s, and 60 s of load before memory is read.
//! Postgres is the server that `WORKSCRIBE_TEST_POSTGRES_URL` names, in a schema of its own; `--sqlite-only` leaves it out.

#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]

mod support;

use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use poem::listener::{Acceptor as _, Listener as _};
use poem::{Route, Server, get, handler};
use sqlx::types::Uuid;
use support::{
    CONNECTIONS, Connection, Outcome, Sample, ServerProcess, Task, Timing, Worker, after, measure, obey,
    percent, traffic_of,
};
use workscribe::http::{HttpOptions, IdentityApi, OrganizationsApi, mount};
use workscribe::identity::{Actor, Client, SecretKey, SecretRing};
use workscribe::local::Unlimited;
use workscribe::ports::Secret;
use workscribe::sql::{Database, Options, PostgresStorage, SqliteStorage};
use workscribe::tenancy::NewOrganization;
use workscribe::{Settings, WorkScribe};
use workscribe_testkit::databases::{POSTGRES_URL, Schema};
use workscribe_testkit::wire::{Proxy, Traffic};

/// Users, each with a session and an organization. A connection takes its users in turn.
const USERS: usize = 64;
/// The cases are measured in turn, this many times.
const ROUNDS: u32 = 3;
/// What marks the sessions that only the bare statement uses.
const SPARE: &str = "spare";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let mut runtime = match arguments.first().map(String::as_str) {
        // As the host's: a thread for each core.
        Some("--server") => tokio::runtime::Builder::new_multi_thread(),
        // One thread leaves the rest to the server and the database.
        _ => tokio::runtime::Builder::new_current_thread(),
    };
    let outcome = runtime.enable_all().build().map_err(Into::into).and_then(|runtime| {
        runtime.block_on(async {
            match arguments.as_slice() {
                [first, url, cache] if first == "--server" => serve(url, cache.parse()?).await,
                _ => bench(&Plan::parse(&arguments)?).await,
            }
        })
    });
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("FAILED: {error}");
            ExitCode::FAILURE
        }
    }
}

/// How long, and on what.
struct Plan {
    case: Duration,
    before_memory: Duration,
    sqlite_only: bool,
}

impl Plan {
    fn parse(arguments: &[String]) -> Outcome<Self> {
        let (mut case, mut before_memory, mut sqlite_only) = (3, 3, false);
        for argument in arguments {
            match argument.as_str() {
                "--quick" => (case, before_memory) = (1, 1),
                "--full" => (case, before_memory) = (10, 60),
                "--sqlite-only" => sqlite_only = true,
                "--bench" => {}
                other => return Err(format!("{other} is none of --quick, --full, --sqlite-only").into()),
            }
        }
        Ok(Self {
            case: Duration::from_secs(case),
            before_memory: Duration::from_secs(before_memory),
            sqlite_only,
        })
    }
}

async fn bench(plan: &Plan) -> Outcome<()> {
    let postgres = std::env::var(POSTGRES_URL).is_ok_and(|url| !url.is_empty()) && !plan.sqlite_only;
    let left_out =
        format!("Postgres is left out: {POSTGRES_URL} is not set (--sqlite-only makes that no fault).");
    if !postgres && !plan.sqlite_only {
        println!("{left_out}\n");
    }
    let folder = tempfile::tempdir()?;
    bench_one("SQLite", &format!("sqlite://{}", folder.path().join("bench.db").display()), plan).await?;
    if postgres {
        let schema = Schema::new().await;
        let subjects = bench_one("Postgres", &schema.url, plan).await?;
        count_round_trips(&schema.url, &subjects).await?;
    }
    if postgres || plan.sqlite_only { Ok(()) } else { Err(left_out.into()) }
}

async fn bench_one(name: &str, url: &str, plan: &Plan) -> Outcome<Vec<Arc<Subject>>> {
    let subjects = seed(url).await?;
    let default = Settings::default().session_cache_ttl.num_milliseconds();
    for cache in [default, 0] {
        println!("{name}, {CONNECTIONS} connections, {USERS} sessions, a session kept for {cache} ms");
        println!(
            "{:24}{:>10}{:>9}{:>9}{:>11}{:>11}{:>13}",
            "", "per s", "p50 µs", "p99 µs", "of route", "of SQL", "server µs"
        );
        let mut server = ServerProcess::start(&["--server", url, &cache.to_string()]).await?;
        let mut cases = vec![Case::http("bare route", Ask::Bare, None)];
        for (label, ask, statement) in [
            ("GET /auth/me", Ask::Me, Statement::Me),
            ("GET /organizations/{slug}", Ask::Organization, Statement::Organization),
            ("POST /auth/refresh", Ask::Refresh, Statement::Refresh),
        ] {
            // The statement comes to the same with any cache, but must have been measured beside the case.
            cases.push(Case::sql(statement));
            cases.push(Case::http(label, ask, Some(cases.len() - 1)));
        }
        for case in &mut cases {
            if let Work::Http(ask, connections) = &mut case.work {
                *connections = connect(server.port, *ask, &subjects).await?;
            }
        }
        for round in 0..ROUNDS {
            let warm_up = Duration::from_millis(if round == 0 { 500 } else { 100 });
            for case in &mut cases {
                let before = cpu(&server);
                let timing = Timing { warm_up, time: plan.case / ROUNDS };
                let sample = match &mut case.work {
                    Work::Sql(statement) => server.statement(&format!("{statement:?}"), timing).await?,
                    Work::Http(_, connections) => measure(connections, timing).await?,
                };
                case.sample.add(sample);
                case.cpu += cpu(&server).saturating_sub(before);
            }
        }
        let route = cases[0].rate(plan);
        for case in &mut cases {
            case.sample.took.sort_unstable();
        }
        for case in &cases {
            let sql =
                case.beside.map(|at| percent(case.rate(plan) / cases[at].rate(plan))).unwrap_or_default();
            println!(
                "{:24}{:>10.0}{:>9}{:>9}{:>11}{:>11}{:>13.0}",
                case.label,
                case.rate(plan),
                case.sample.quantile(50),
                case.sample.quantile(99),
                percent(case.rate(plan) / route),
                sql,
                case.cpu_each(),
            );
        }
        let idle = Duration::from_millis(200);
        let mut mixed = connect(server.port, Ask::Mixed, &subjects).await?;
        measure(&mut mixed, Timing { warm_up: idle, time: plan.before_memory }).await?;
        println!(
            "resident memory after {} s of all three: {}\n",
            plan.before_memory.as_secs(),
            server.memory()
        );
    }
    Ok(subjects)
}

/// What is measured, and what came out.
struct Case {
    label: &'static str,
    work: Work,
    /// The case of the same operation without HTTP.
    beside: Option<usize>,
    sample: Sample,
    cpu: Duration,
}

enum Work {
    Http(Ask, Vec<Asker>),
    Sql(Statement),
}

impl Case {
    fn http(label: &'static str, ask: Ask, beside: Option<usize>) -> Self {
        Self { label, work: Work::Http(ask, vec![]), beside, sample: Sample::default(), cpu: Duration::ZERO }
    }

    fn sql(statement: Statement) -> Self {
        Self { label: "  its statement", work: Work::Sql(statement), ..Self::http("", Ask::Bare, None) }
    }

    fn rate(&self, plan: &Plan) -> f64 {
        self.sample.rate(plan.case)
    }

    /// Processor time of the server for one, in microseconds.
    #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
    fn cpu_each(&self) -> f64 {
        self.cpu.as_secs_f64() * 1e6 / self.sample.total.max(1) as f64
    }
}

// --- The client --------------------------------------------------------------------------------------------------------

/// A user with what they need to ask.
struct Subject {
    access: String,
    slug: String,
    refresh: Mutex<String>,
}

#[derive(Clone, Copy)]
enum Ask {
    Bare,
    Me,
    Organization,
    Refresh,
    Mixed,
}

/// Asks one thing of its users in turn.
struct Asker {
    connection: Connection,
    ask: Ask,
    subjects: Vec<Arc<Subject>>,
    turn: usize,
}

async fn connect(port: u16, ask: Ask, subjects: &[Arc<Subject>]) -> Outcome<Vec<Asker>> {
    let mut askers = Vec::new();
    for at in 0..CONNECTIONS {
        let subjects = subjects.iter().skip(at).step_by(CONNECTIONS).cloned().collect();
        askers.push(Asker { connection: Connection::open(port).await?, ask, subjects, turn: 0 });
    }
    Ok(askers)
}

impl Worker for Asker {
    async fn step(&mut self) -> Outcome<()> {
        self.turn += 1;
        let subject = Arc::clone(&self.subjects[self.turn % self.subjects.len()]);
        let ask = match (self.ask, self.turn % 3) {
            (Ask::Mixed, 0) => Ask::Me,
            (Ask::Mixed, 1) => Ask::Organization,
            (Ask::Mixed, _) => Ask::Refresh,
            (ask, _) => ask,
        };
        let (Subject { access, slug, refresh }, host) = (&*subject, "HTTP/1.1\r\nhost: bench");
        let request = match ask {
            Ask::Bare => format!("GET /bare {host}\r\n\r\n"),
            Ask::Organization => {
                format!("GET /api/v1/organizations/{slug} {host}\r\nauthorization: Bearer {access}\r\n\r\n")
            }
            Ask::Refresh => {
                let token = refresh.lock().unwrap_or_else(PoisonError::into_inner);
                let body = format!("{{\"refresh_token\":\"{token}\"}}");
                let kind = "content-type: application/json";
                let length = body.len();
                format!(
                    "POST /api/v1/auth/refresh {host}\r\n{kind}\r\ncontent-length: {length}\r\n\r\n{body}"
                )
            }
            Ask::Me | Ask::Mixed => {
                format!("GET /api/v1/auth/me {host}\r\nauthorization: Bearer {access}\r\n\r\n")
            }
        };
        let body = self.connection.ask(&request).await?;
        if matches!(ask, Ask::Refresh) {
            let token = after(body, "\"refresh_token\":\"").and_then(|rest| rest.split('"').next());
            *refresh.lock().unwrap_or_else(PoisonError::into_inner) =
                token.ok_or("no refresh token")?.to_owned();
        }
        Ok(())
    }
}

// --- The server's process, seen from outside ---------------------------------------------------------------------------

/// Processor time so far, where the system tells it, in ticks of 10 ms.
fn cpu(server: &ServerProcess) -> Duration {
    let stat = server.proc("stat").unwrap_or_default();
    let fields = stat.rsplit_once(')').map(|(_, rest)| rest).unwrap_or_default().split_whitespace();
    let ticks: u64 = fields.skip(11).take(2).filter_map(|field| field.parse::<u64>().ok()).sum();
    Duration::from_millis(ticks * 10)
}

// --- The server, seen from inside --------------------------------------------------------------------------------------

#[derive(Debug, Clone, Copy)]
enum Statement {
    Me,
    Organization,
    Refresh,
}

#[derive(Clone)]
enum Store {
    Sqlite(SqliteStorage),
    Postgres(PostgresStorage),
}

impl Store {
    async fn connect(url: &str) -> Outcome<Self> {
        let options = Options::default();
        Ok(if url.starts_with("sqlite:") {
            Self::Sqlite(SqliteStorage::connect(url, &options).await?)
        } else {
            Self::Postgres(PostgresStorage::connect(url, &options).await?)
        })
    }

    fn database(&self) -> &dyn Database {
        match self {
            Self::Sqlite(storage) => storage,
            Self::Postgres(storage) => storage,
        }
    }

    fn app(&self, cache: i64) -> Outcome<WorkScribe> {
        let key =
            SecretKey::new(&Secret::new("a key for benchmarks, which opens nothing")).ok_or("too short")?;
        let session_cache_ttl = chrono::TimeDelta::milliseconds(cache);
        Ok(WorkScribe::builder(self.database().storage(), SecretRing::new(key, vec![]))
            .limiter(Arc::new(Unlimited))
            .settings(Settings { session_cache_ttl, ..Settings::default() })
            .build())
    }
}

/// Makes the users with their sessions and organizations.
async fn seed(url: &str) -> Outcome<Vec<Arc<Subject>>> {
    let store = Store::connect(url).await?;
    store.database().migrate().await?;
    let app = store.app(0)?;
    let mut subjects = Vec::new();
    for number in 0..USERS {
        let mut uow = app.begin().await?;
        let (email, slug) = (format!("user{number}@example.com"), format!("organization-{number}"));
        let user = app.identity().create_without_password(&mut *uow, &email, "A user", true).await?;
        let spare = Client { ip: None, user_agent: Some(SPARE.to_owned()) };
        app.identity().start_session(&mut *uow, user.clone(), &spare).await?;
        let tokens = app.identity().start_session(&mut *uow, user, &Client::default()).await?;
        let access = tokens.access_token.expose().to_owned();
        let claims = app.issuer().verify(&access, app.now()).ok_or("the token is good")?;
        let actor = Actor { user: claims.user, session: claims.session };
        let new = NewOrganization { name: format!("Organization {number}"), slug: slug.clone() };
        app.organizations().create(&mut *uow, &actor, &new).await?;
        app.commit(uow).await?;
        let refresh = Mutex::new(tokens.refresh_token.expose().to_owned());
        subjects.push(Arc::new(Subject { access, slug, refresh }));
    }
    store.database().close().await;
    Ok(subjects)
}

#[handler]
fn bare() -> &'static str {
    "{\"hello\":\"world\"}"
}

/// Serves until the standard input ends, and runs the statements that are asked for there.
async fn serve(url: &str, cache: i64) -> Outcome<()> {
    let store = Store::connect(url).await?;
    let app = store.app(cache)?;
    let api = mount(&app, (IdentityApi::new(&app), OrganizationsApi::new(&app)), &HttpOptions::default());
    let routes = Route::new().at("/bare", get(bare)).nest_no_strip("/", api);
    let acceptor = poem::listener::TcpListener::bind("127.0.0.1:0").into_acceptor().await?;
    let address = acceptor.local_addr().remove(0);
    println!("{}", address.as_socket_addr().ok_or("no TCP address")?.port());
    tokio::spawn(Server::new_with_acceptor(acceptor).run(routes));

    match &store {
        Store::Sqlite(storage) => obey(sqlite::tasks(storage.pool(), storage.writer()).await?).await?,
        Store::Postgres(storage) => obey(postgres::tasks(storage.pool(), storage.pool()).await?).await?,
    }
    store.database().close().await;
    Ok(())
}

/// What a bare statement is run for: user, slug, session, and the digest of the session's token.
type Row = (Uuid, String, Uuid, Vec<u8>);

/// The statements as WorkScribe makes them, on its own pool, with nothing of WorkScribe around them. They stand here once
/// more, since the point is to go past the stores; the refresh is one UPDATE that writes the same columns.
macro_rules! statements {
    ($name:ident, $database:ty) => {
        mod $name {
            use sqlx::{Pool, query, query_as};

            use super::{CONNECTIONS, Outcome, Row, SPARE, Statement};

            pub(super) struct Task {
                statement: Statement,
                readers: Pool<$database>,
                writer: Pool<$database>,
                rows: Vec<Row>,
                turn: usize,
            }

            pub(super) async fn tasks(
                readers: &Pool<$database>,
                writer: &Pool<$database>,
            ) -> Outcome<Vec<Task>> {
                let all: Vec<Row> = query_as(
                    "SELECT m.user_id, o.slug, s.id, s.refresh_hash
                       FROM ws_members m JOIN ws_organizations o ON o.id = m.org_id
                                         JOIN ws_sessions s ON s.user_id = m.user_id
                      WHERE s.user_agent = $1 ORDER BY o.slug",
                )
                .bind(SPARE)
                .fetch_all(readers)
                .await?;
                let task = |at| Task {
                    statement: Statement::Me,
                    readers: readers.clone(),
                    writer: writer.clone(),
                    rows: all.iter().skip(at).step_by(CONNECTIONS).cloned().collect(),
                    turn: 0,
                };
                Ok((0..CONNECTIONS).map(task).collect())
            }

            impl super::Task for Task {
                fn set(&mut self, statement: &str) -> Outcome<()> {
                    self.statement = match statement {
                        "Me" => Statement::Me,
                        "Organization" => Statement::Organization,
                        "Refresh" => Statement::Refresh,
                        other => return Err(other.into()),
                    };
                    Ok(())
                }
            }

            impl super::Worker for Task {
                async fn step(&mut self) -> Outcome<()> {
                    self.turn += 1;
                    let at = self.turn % self.rows.len();
                    let (user, slug, session, digest) = &mut self.rows[at];
                    let (statement, pool) = match self.statement {
                        Statement::Me => (
                            query(
                                "SELECT u.id, u.email, u.display_name, u.avatar_url, u.email_verified, u.disabled_at,
                                        u.session_epoch, u.version, u.created_at, u.updated_at,
                                        EXISTS (SELECT 1 FROM ws_email_bounces b WHERE b.email = u.email) AS email_bouncing
                                   FROM ws_users u WHERE u.id = $1",
                            )
                            .bind(*user),
                            &self.readers,
                        ),
                        Statement::Organization => (
                            query(
                                "SELECT o.id, o.name, o.slug, o.version, o.created_at, o.updated_at, m.role
                                   FROM ws_organizations o JOIN ws_members m ON m.org_id = o.id
                                  WHERE o.slug = $1 AND m.user_id = $2",
                            )
                            .bind(&*slug)
                            .bind(*user),
                            &self.readers,
                        ),
                        Statement::Refresh => {
                            let old = digest.clone();
                            digest.rotate_left(1);
                            digest[0] = digest[0].wrapping_add(1);
                            (
                                query(
                                    "UPDATE ws_sessions
                                        SET previous_hash = $2, rotated_at = last_used_at, repeats = 0,
                                            refresh_hash = $3, last_used_at = last_used_at, expires_at = expires_at
                                      WHERE id = $1 AND refresh_hash = $2
                                     RETURNING id, user_id, epoch, refresh_hash, created_at, last_used_at, expires_at",
                                )
                                .bind(*session)
                                .bind(old)
                                .bind(&*digest),
                                &self.writer,
                            )
                        }
                    };
                    statement.fetch_one(pool).await?;
                    Ok(())
                }
            }
        }
    };
}

statements!(sqlite, sqlx::Sqlite);
statements!(postgres, sqlx::Postgres);

// --- Round trips -------------------------------------------------------------------------------------------------------

/// Counts what one request makes of Postgres, between the two, and insists on what is promised of reads: at most two
/// statements, and no transaction.
async fn count_round_trips(url: &str, subjects: &[Arc<Subject>]) -> Outcome<()> {
    const REQUESTS: u64 = 500;
    println!(
        "Postgres, on the wire, for one request (a sync is sqlx's test of a connection that is given back)"
    );
    println!("{:42}{:>12}{:>14}{:>8}", "", "statements", "transactions", "syncs");
    let default = Settings::default().session_cache_ttl.num_milliseconds();
    let mut broken = Vec::new();
    for cache in [default, 0] {
        let proxy = Proxy::before(url).await?;
        let server = ServerProcess::start(&["--server", &proxy.url, &cache.to_string()]).await?;
        for (label, ask) in [
            ("GET /auth/me", Ask::Me),
            ("GET /organizations/{slug}", Ask::Organization),
            ("POST /auth/refresh", Ask::Refresh),
        ] {
            let mut connections = connect(server.port, ask, subjects).await?;
            let Traffic { round_trips, statements, transactions, .. } =
                traffic_of(&proxy, &mut connections[0], REQUESTS).await?;
            let label = format!("{label}, session kept {cache} ms");
            let each = |count: u64| format!("{:.2}", count as f64 / REQUESTS as f64);
            let (statements_each, syncs) = (each(statements), each(round_trips - statements));
            println!("{label:42}{statements_each:>12}{:>14}{syncs:>8}", each(transactions));
            if !matches!(ask, Ask::Refresh) && (transactions > 0 || statements > 2 * REQUESTS) {
                broken.push(label);
            }
        }
    }
    if broken.is_empty() {
        Ok(())
    } else {
        Err(format!("more than is promised: {}", broken.join("; ")).into())
    }
}
