//! The cost of tasks as a database grows: `cargo bench --features postgres --bench tasks`.
//!
//! One Postgres database of 1,000 organizations is measured with 1,000 tasks in all, then with 100,000, then with 1,000,000. A
//! tenth of them belong to the project that is read and written here. 32 kept-alive connections on loopback send each kind of
//! request in turn. In between, 32 tasks without HTTP run two bare statements on the server's own pool: the `INSERT` of a task,
//! and the statement that reads one. Compare the ratios; the rates depend on this machine.
//!
//! The program checks the targets and fails when one is missed: the 99th percentile of a read at the largest size is at most twice
//! that at the smallest (of a search five times), creating in one project reaches 30 % of the bare `INSERT`, reading a task half of
//! its bare statement, and a page of 25 tasks takes at most three round trips.
//!
//! `--quick` stops at 20,000 tasks and takes 1 s per case instead of 3; `--full` takes 10 s; the beginning of a case's name measures
//! only that case. Postgres is the server of `WORKSCRIBE_TEST_POSTGRES_URL`, with a role that may bypass foreign keys (a superuser)
//! for the filling.

#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]

mod bare;
#[expect(dead_code, reason = "the other benchmark asks more of its server process")]
#[path = "../support/mod.rs"]
mod support;
mod world;

use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use poem::Server;
use poem::listener::{Acceptor as _, Listener as _};
use sqlx::types::Uuid;
use support::{
    CONNECTIONS, Connection, Outcome, Sample, ServerProcess, Timing, Worker, measure, obey, percent,
    traffic_of,
};
use workscribe::http::{HttpOptions, SearchApi, TasksApi, mount};
use workscribe::identity::{SecretKey, SecretRing};
use workscribe::local::Unlimited;
use workscribe::ports::Secret;
use workscribe::sql::{Database as _, Options, PostgresStorage};
use workscribe::{Settings, WorkScribe};
use workscribe_testkit::databases::Schema;
use workscribe_testkit::proxy::{Proxy, Traffic};

use bare::Statement;
use world::World;

/// The members of the large organization, each with a session.
const MEMBERS: usize = 4;
const ORGANIZATIONS: i64 = 1_000;
/// The cases are measured in turn, this many times.
const ROUNDS: u32 = 3;
/// The number of rows that one statement writes when the database is filled.
const BATCH: i64 = 20_000;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let mut runtime = match arguments.first().map(String::as_str) {
        // As in the host: one thread per core.
        Some("--server") => tokio::runtime::Builder::new_multi_thread(),
        // One thread leaves the other cores to the server and the database.
        _ => tokio::runtime::Builder::new_current_thread(),
    };
    let outcome = runtime.enable_all().build().map_err(Into::into).and_then(|runtime| {
        runtime.block_on(async {
            match arguments.as_slice() {
                [first, url] if first == "--server" => serve(url).await,
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

/// The duration of a case, and the sizes.
struct Plan {
    case: Duration,
    sizes: Vec<i64>,
    /// The beginning of the names of the cases to measure.
    only: String,
}

impl Plan {
    fn parse(arguments: &[String]) -> Outcome<Self> {
        let (mut case, mut sizes, mut only) = (3, vec![1_000, 100_000, 1_000_000], String::new());
        for argument in arguments {
            match argument.as_str() {
                "--quick" => (case, sizes) = (1, vec![1_000, 20_000]),
                "--full" => case = 10,
                "--bench" => {}
                name if !name.starts_with('-') => name.clone_into(&mut only),
                other => return Err(format!("{other} is none of --quick, --full").into()),
            }
        }
        Ok(Self { case: Duration::from_secs(case), sizes, only })
    }
}

// --- Measuring ---------------------------------------------------------------------------------------------------------

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ask {
    List(u32),
    Find,
    Mine,
    Search,
    SearchCommon,
    Create,
    Patch,
    Move,
}

#[derive(Clone, Copy)]
enum Work {
    Http(Ask),
    Sql(&'static str),
}

/// The cases by name, with the maximum growth of the cost of a read.
const CASES: [(&str, Work, Option<f64>); 11] = [
    ("list of 25", Work::Http(Ask::List(25)), Some(2.0)),
    ("list of 100", Work::Http(Ask::List(100)), Some(2.0)),
    ("  statement that reads one", Work::Sql("find"), None),
    ("one task", Work::Http(Ask::Find), Some(2.0)),
    ("my tasks, 25", Work::Http(Ask::Mine), Some(2.0)),
    ("search", Work::Http(Ask::Search), Some(5.0)),
    ("search, a word of 4 in 5 tasks", Work::Http(Ask::SearchCommon), Some(5.0)),
    ("  bare INSERT", Work::Sql("insert"), None),
    ("create in one project", Work::Http(Ask::Create), None),
    ("change a task", Work::Http(Ask::Patch), None),
    ("move a task", Work::Http(Ask::Move), None),
];
async fn bench(plan: &Plan) -> Outcome<()> {
    let schema = Schema::new().await;
    let world = World::begin(&schema.url).await?;
    let cases: Vec<_> =
        CASES.into_iter().filter(|(label, ..)| label.trim().starts_with(&plan.only)).collect();
    // One list for each size, and in it one sample for each case.
    let mut samples: Vec<Vec<Sample>> = Vec::new();
    for size in &plan.sizes {
        let begun = Instant::now();
        let subjects = Arc::new(world.grow(*size).await?);
        println!("{size} tasks, filled in {:.0} s", begun.elapsed().as_secs_f64());
        let mut server = ServerProcess::start(&["--server", &schema.url]).await?;
        let mut taken: Vec<Sample> = cases.iter().map(|_| Sample::default()).collect();
        for round in 0..ROUNDS {
            let warm_up = Duration::from_millis(if round == 0 { 500 } else { 100 });
            let timing = Timing { warm_up, time: plan.case / ROUNDS };
            for ((_, work, _), taken) in cases.iter().zip(&mut taken) {
                taken.add(match work {
                    Work::Sql(statement) => server.statement(statement, timing).await?,
                    Work::Http(ask) => {
                        measure(&mut connect(server.port, *ask, &subjects).await?, timing).await?
                    }
                });
            }
        }
        taken.iter_mut().for_each(|sample| sample.took.sort_unstable());
        println!("{:32}{:>10}{:>9}{:>9}", "", "per s", "p50 µs", "p99 µs");
        for ((label, ..), sample) in cases.iter().zip(&taken) {
            let (rate, p50, p99) = (sample.rate(plan.case), sample.quantile(50), sample.quantile(99));
            println!("{label:32}{rate:>10.0}{p50:>9}{p99:>9}");
        }
        println!("resident memory of the server: {}\n", server.memory());
        samples.push(taken);
    }
    let mut missed = growth(&cases, &samples);
    let at = |label: &str| cases.iter().position(|(name, ..)| *name == label);
    for (label, beside, least) in
        [("create in one project", "  bare INSERT", 0.3), ("one task", "  statement that reads one", 0.5)]
    {
        let (Some(case), Some(beside_at)) = (at(label), at(beside)) else { continue };
        for (size, taken) in plan.sizes.iter().zip(&samples) {
            let ratio = taken[case].rate(plan.case) / taken[beside_at].rate(plan.case);
            let verdict = if ratio >= least { "" } else { "  MISSED" };
            println!(
                "{size:>9} tasks: {label} at {} of the rate of the {} (at least {}){verdict}",
                percent(ratio),
                beside.trim(),
                percent(least)
            );
            if ratio < least {
                missed.push(format!("{label} at {size}"));
            }
        }
    }
    missed.extend(round_trips(&schema.url, &world.subjects().await?).await?);
    if missed.is_empty() { Ok(()) } else { Err(format!("targets missed: {}", missed.join("; ")).into()) }
}

/// How much the cost of each case grows up to the largest size, and which reads exceed their maximum.
fn growth(cases: &[(&str, Work, Option<f64>)], samples: &[Vec<Sample>]) -> Vec<String> {
    let mut missed = Vec::new();
    let (Some(least), Some(most)) = (samples.first(), samples.last()) else { return missed };
    println!("p99 at the largest size, in times that at the least");
    for (((label, _, limit), least), most) in cases.iter().zip(least).zip(most) {
        let times = f64::from(most.quantile(99)) / f64::from(least.quantile(99).max(1));
        let verdict = match limit {
            Some(limit) if times > *limit => {
                missed.push(format!("{label} {times:.1} times"));
                format!("at most {limit}  MISSED")
            }
            Some(limit) => format!("at most {limit}"),
            None => String::new(),
        };
        println!("{label:32}{times:>10.1}  {verdict}");
    }
    println!();
    missed
}

/// Counts the traffic of one page to Postgres.
async fn round_trips(url: &str, subjects: &Arc<Subjects>) -> Outcome<Vec<String>> {
    const REQUESTS: u64 = 200;
    let proxy = Proxy::before(url).await?;
    let server = ServerProcess::start(&["--server", &proxy.url]).await?;
    let mut missed = Vec::new();
    for (label, ask) in [
        ("a page of 25", Ask::List(25)),
        ("my tasks, 25", Ask::Mine),
        ("one task", Ask::Find),
        ("creating one", Ask::Create),
        ("changing one", Ask::Patch),
        ("moving one", Ask::Move),
    ] {
        let mut askers = connect(server.port, ask, subjects).await?;
        let Traffic { round_trips, statements, .. } = traffic_of(&proxy, &mut askers[0], REQUESTS).await?;
        let each = |count: u64| format!("{:.2}", count as f64 / REQUESTS as f64);
        let verdict = if matches!(ask, Ask::List(_)) && round_trips > 3 * REQUESTS {
            missed.push(format!("round trips of {label}"));
            "  MISSED"
        } else {
            ""
        };
        println!("{label}: {} round trips, {} statements{verdict}", each(round_trips), each(statements));
    }
    Ok(missed)
}

// --- The client --------------------------------------------------------------------------------------------------------

/// The data of the requests.
struct Subjects {
    access: Vec<String>,
    project: Uuid,
    status: Vec<Uuid>,
    /// Tasks of the large project.
    tasks: Vec<Uuid>,
}

/// Sends one kind of request, with different data in turn.
struct Asker {
    connection: Connection,
    ask: Ask,
    subjects: Arc<Subjects>,
    turn: usize,
}

async fn connect(port: u16, ask: Ask, subjects: &Arc<Subjects>) -> Outcome<Vec<Asker>> {
    let mut askers = Vec::new();
    for at in 0..CONNECTIONS {
        let connection = Connection::open(port).await?;
        // Each begins at a different place.
        askers.push(Asker { connection, ask, subjects: Arc::clone(subjects), turn: at * 7_919 });
    }
    Ok(askers)
}

/// A word of the vocabulary, as `bench_words` makes it; word 1 is the most common.
fn word(n: usize) -> String {
    [n % 20, n / 20 % 20, n / 400 % 20].map(|at| &SYLLABLES[2 * at..2 * at + 2]).concat()
}

const SYLLABLES: &str = "babecidofugahejikolumanepirosutavewixezu";
const VOCABULARY: usize = 5_000;

impl Worker for Asker {
    async fn step(&mut self) -> Outcome<()> {
        self.turn += 1;
        let (turn, subjects) = (self.turn, &*self.subjects);
        let access = &subjects.access[turn % MEMBERS];
        let task = subjects.tasks[turn.wrapping_mul(2_654_435_761) % subjects.tasks.len()];
        let (project, organization) = (subjects.project, "/api/v1/organizations/large");
        let tasks = format!("{organization}/projects/{project}/tasks");
        let (method, path, body) = match self.ask {
            Ask::List(limit) => ("GET", format!("{tasks}?limit={limit}"), String::new()),
            Ask::Find => ("GET", format!("/api/v1/tasks/{task}"), String::new()),
            Ask::Mine => ("GET", format!("{organization}/my-tasks?limit=25"), String::new()),
            Ask::Search => {
                let (rare, common) = (word(500 + turn % (VOCABULARY - 500)), word(1 + turn % 100));
                let words = match turn % 3 {
                    0 => rare,
                    1 => format!("{common}+{rare}"),
                    // Twelve words have this beginning.
                    _ => rare[..4].to_owned(),
                };
                ("GET", format!("{organization}/search?q={words}"), String::new())
            }
            Ask::SearchCommon => ("GET", format!("{organization}/search?q={}", word(1)), String::new()),
            Ask::Create => {
                ("POST", tasks, r#"{"title":"Write down what was found","priority":"high"}"#.to_owned())
            }
            Ask::Patch => {
                let title = format!("{} {}", word(turn % VOCABULARY), word(turn % 77));
                ("PATCH", format!("/api/v1/tasks/{task}"), format!("{{\"title\":\"{title} {turn}\"}}"))
            }
            Ask::Move => {
                let status = subjects.status[turn % subjects.status.len()];
                let body = format!("{{\"status_id\":\"{status}\",\"position\":{}}}", turn % 20);
                ("PATCH", format!("/api/v1/tasks/{task}/move"), body)
            }
        };
        let content = if body.is_empty() {
            String::new()
        } else {
            format!("content-type: application/json\r\ncontent-length: {}\r\n", body.len())
        };
        let head = format!("{method} {path} HTTP/1.1\r\nhost: bench\r\nauthorization: Bearer {access}\r\n");
        self.connection.ask(&format!("{head}{content}\r\n{body}")).await.map(drop)
    }
}

// --- The server --------------------------------------------------------------------------------------------------------

fn application(storage: &PostgresStorage) -> Outcome<WorkScribe> {
    let key = SecretKey::new(&Secret::new("a key for benchmarks, which opens nothing")).ok_or("too short")?;
    Ok(WorkScribe::builder(storage.storage(), SecretRing::new(key, vec![]))
        .limiter(Arc::new(Unlimited))
        .settings(Settings { access_ttl: chrono::TimeDelta::hours(6), ..Settings::default() })
        .build())
}

/// Serves until the standard input ends, and runs the statements that are requested there.
async fn serve(url: &str) -> Outcome<()> {
    let storage = PostgresStorage::connect(url, &Options::default()).await?;
    let app = application(&storage)?;
    let api = mount(
        &app,
        (TasksApi::new(&app), SearchApi::new(&app)),
        &HttpOptions { counts_requests: false, ..HttpOptions::default() },
    );
    let acceptor = poem::listener::TcpListener::bind("127.0.0.1:0").into_acceptor().await?;
    let address = acceptor.local_addr().remove(0);
    println!("{}", address.as_socket_addr().ok_or("no TCP address")?.port());
    tokio::spawn(Server::new_with_acceptor(acceptor).run(api));
    obey(Statement::all(&app, storage.pool()).await?).await?;
    storage.close().await;
    Ok(())
}
