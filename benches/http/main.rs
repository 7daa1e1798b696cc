//! How much of the database's speed remains through the API: `cargo bench --features postgres --bench http`.
//!
//! A server process serves the API on loopback, and a client sends requests over 32 kept-alive connections: `wrk`, a separate
//! process, if it is on the PATH, otherwise this process. Beside each figure is its ratio to the rate of pgbench on the same
//! cluster in the same round, with as many connections and with prepared statements: for reads `pgbench -S` (one row by its key),
//! for writes `pgbench -N` (one `UPDATE`, one `SELECT` and one `INSERT` in a transaction), each on a scratch database of scale 10.
//! Compare the ratios, which are medians of the rounds; the rates depend on this machine. Login is left out, limits are off.
//!
//! `--quick` takes 1 s per case and round instead of 3, for CI; `--full` takes 10 s. `--shape NAME` fills Postgres first (see `world.rs`).
//! The beginning of a case's name measures only that case. Postgres is the server of `WORKSCRIBE_TEST_POSTGRES_URL`, in a separate
//! schema; `--sqlite-only` leaves it out.

#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]

mod load;
mod operations;
mod pgbench;
mod round_trips;
mod server;
#[path = "../support/mod.rs"]
#[expect(dead_code, reason = "the other benchmark gives its server tasks too")]
mod support;
mod world;

use std::process::ExitCode;
use std::time::Duration;

use load::{Client, Load};
use operations::{Beside, Operation};
use pgbench::PgBench;
use support::{CONNECTIONS, Outcome, ServerProcess, percent};
use workscribe_testkit::databases::{POSTGRES_URL, Schema};
use world::{Shape, World};

/// As in the host.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The cases are measured in turn, this many times.
const ROUNDS: usize = 3;
/// How long a valid session is not looked up again, in ms: as in the server, and never cached.
const KEPT: [u32; 2] = [500, 0];

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
                [first, url, cache] if first == "--server" => server::serve(url, cache.parse()?).await,
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

/// The duration of a case, and the data.
struct Plan {
    case: Duration,
    sqlite_only: bool,
    shape: Shape,
    /// The beginning of the names of the cases to measure.
    only: String,
}

impl Plan {
    fn parse(arguments: &[String]) -> Outcome<Self> {
        let mut plan = Self {
            case: Duration::from_secs(3),
            sqlite_only: false,
            shape: Shape::Small,
            only: String::new(),
        };
        let mut arguments = arguments.iter();
        while let Some(argument) = arguments.next() {
            match argument.as_str() {
                "--quick" => plan.case = Duration::from_secs(1),
                "--full" => plan.case = Duration::from_secs(10),
                "--sqlite-only" => plan.sqlite_only = true,
                "--shape" => {
                    let name = arguments.next().map(String::as_str).unwrap_or_default();
                    plan.shape = Shape::parse(name)
                        .ok_or_else(|| format!("there is no shape {name:?}: see {}", Shape::NAMES))?;
                }
                "--bench" => {}
                name if !name.starts_with('-') => name.clone_into(&mut plan.only),
                other => {
                    return Err(
                        format!("{other} is none of --quick, --full, --sqlite-only, --shape NAME").into()
                    );
                }
            }
        }
        Ok(plan)
    }
}

async fn bench(plan: &Plan) -> Outcome<()> {
    let postgres = std::env::var(POSTGRES_URL).ok().filter(|url| !url.is_empty() && !plan.sqlite_only);
    let left_out =
        format!("Postgres is left out: {POSTGRES_URL} is not set (--sqlite-only makes that no fault).");
    let client = Client::find()?;
    println!("The client is {client}.\n");
    if plan.shape == Shape::Small {
        let folder = tempfile::tempdir()?;
        let url = format!("sqlite://{}", folder.path().join("bench.db").display());
        bench_one("SQLite", &url, None, &client, plan).await?;
    }
    let Some(server) = postgres else {
        return if plan.sqlite_only { Ok(()) } else { Err(left_out.into()) };
    };
    let schema = Schema::new().await;
    let pgbench = PgBench::on(&server).await?;
    if pgbench.is_none() {
        println!("There are no ratios to pgbench: it is not on the PATH.\n");
    }
    let world = bench_one("Postgres", &schema.url, pgbench.as_ref(), &client, plan).await;
    if let Some(pgbench) = pgbench {
        pgbench.drop().await?;
    }
    round_trips::count(&schema.url, &world?).await
}

/// An operation, and its results in each round.
struct Case {
    operation: Operation,
    /// How long the server caches a session, in ms.
    kept: u32,
    loads: Vec<Load>,
    ratios: Vec<f64>,
    cpu: Duration,
}

async fn bench_one(
    name: &str,
    url: &str,
    pgbench: Option<&PgBench>,
    client: &Client,
    plan: &Plan,
) -> Outcome<World> {
    let world = World::make(url, plan.shape).await?;
    println!("{name}, {CONNECTIONS} connections, {}", plan.shape);
    let mut cases = Vec::new();
    for operation in operations::all(&world) {
        for kept in KEPT {
            if operation.name.starts_with(&plan.only) && (kept > 0 || operation.is_measured_without_sessions)
            {
                let (loads, ratios) = (Vec::new(), Vec::new());
                cases.push(Case { operation: operation.clone(), kept, loads, ratios, cpu: Duration::ZERO });
            }
        }
    }
    // Each has its own connections, which are idle while the other is measured.
    let servers = [start(url, KEPT[0]).await?, start(url, KEPT[1]).await?];
    for round in 0..ROUNDS {
        let (mut reads, mut writes) = (None, None);
        for case in &mut cases {
            let bare = match (&case.operation.beside, pgbench) {
                (_, None) | (Beside::Nothing, _) => None,
                (Beside::Reads, Some(pgbench)) => Some(once(&mut reads, pgbench, "-S", plan.case).await?),
                (Beside::Writes, Some(pgbench)) => Some(once(&mut writes, pgbench, "-N", plan.case).await?),
            };
            let server = &servers[usize::from(case.kept == 0)];
            if round == 0 {
                client.ask(server.port, &case.operation, Duration::from_secs(1)).await?;
            }
            let before = server.cpu();
            let load = client.ask(server.port, &case.operation, plan.case).await?;
            case.cpu += server.cpu().saturating_sub(before);
            case.ratios.extend(bare.map(|bare| load.rate() / bare));
            case.loads.push(load);
        }
        for (script, rate) in [("-S", reads), ("-N", writes)] {
            if let Some(rate) = rate {
                println!(
                    "round {}: pgbench {script} -M prepared -c {CONNECTIONS}: {rate:.0} a second",
                    round + 1
                );
            }
        }
    }
    println!("{:42}{:>10}{:>9}{:>9}{:>12}{:>11}", "", "per s", "p50 µs", "p99 µs", "of pgbench", "server µs");
    for Case { operation, kept, loads, ratios, cpu } in &cases {
        let beside = match (operation.beside, ratios.is_empty()) {
            (_, true) => String::new(),
            (Beside::Writes, _) => format!("{} -N", percent(middle(ratios.iter().copied()))),
            _ => format!("{} -S", percent(middle(ratios.iter().copied()))),
        };
        let label =
            if *kept == 0 { format!("{}, no session kept", operation.name) } else { operation.name.into() };
        let requests: f64 = loads.iter().map(|load| load.requests).sum();
        println!(
            "{label:42}{:>10.0}{:>9.0}{:>9.0}{beside:>12}{:>11.0}",
            middle(loads.iter().map(Load::rate)),
            middle(loads.iter().map(|load| load.p50)),
            middle(loads.iter().map(|load| load.p99)),
            cpu.as_secs_f64() * 1e6 / requests.max(1.0),
        );
    }
    println!("resident memory of the server: {}\n", servers[0].memory());
    Ok(world)
}

async fn start(url: &str, kept: u32) -> Outcome<ServerProcess> {
    ServerProcess::start(&["--server", url, &kept.to_string()]).await
}

/// The rate of pgbench in this round.
async fn once(measured: &mut Option<f64>, pgbench: &PgBench, script: &str, time: Duration) -> Outcome<f64> {
    if measured.is_none() {
        *measured = Some(pgbench.rate(script, time).await?);
    }
    Ok(measured.unwrap_or_default())
}

/// The median.
fn middle(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}
