//! The cost of exports and imports: `cargo bench --features postgres --bench transfer`.
//!
//! On SQLite and on Postgres, a demo of 10,000 tasks is created, exported to a file, and imported into an empty database; then one
//! of 100,000. Each step is a separate process, as the host's command is: this program again, which prints its duration, from
//! before the file is read until the commit, and its peak of resident memory (on Linux). The ratio of the larger time to the
//! smaller one is printed beside it.
//!
//! The program checks the targets and fails when one is missed: ten times the tasks take at most 12 times as long, and an import of
//! 100,000 takes at most 60 s on SQLite and 30 s on Postgres, in at most 150 MB.
//!
//! `--quick` takes 1,000 and 10,000 tasks and checks only the ratio. Postgres is the server of `WORKSCRIBE_TEST_POSTGRES_URL`, in
//! separate schemas; `--sqlite-only` leaves it out.

#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]

use std::fs::File;
use std::io::{BufReader, Write as _};
use std::path::Path;
use std::process::{Command, ExitCode};
use std::sync::Arc;
use std::time::Instant;

use workscribe::WorkScribe;
use workscribe::identity::{SecretKey, SecretRing};
use workscribe::local::BcryptHasher;
use workscribe::ports::Secret;
use workscribe::sql::{Database, Options, PostgresStorage, SqliteStorage};
use workscribe::transfer::{Bundle, DemoOptions, ImportOptions};
use workscribe_testkit::databases::Schema;

type Outcome<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

const STEPS: [&str; 3] = ["demo", "export", "import"];
/// The maximum ratio of the times for ten times the tasks.
const RATIO: f64 = 12.0;
/// The maximum cost of an import of 100,000 tasks, in MB and seconds.
const MEMORY: f64 = 150.0;
const SQLITE_SECONDS: f64 = 60.0;
const POSTGRES_SECONDS: f64 = 30.0;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let outcome = runtime.map_err(Into::into).and_then(|runtime| {
        runtime.block_on(async {
            match arguments.as_slice() {
                [first, step, url, file, tasks] if first == "--step" => {
                    run(step, url, Path::new(file), tasks.parse()?).await.map(|()| Vec::new())
                }
                _ => bench(&arguments).await,
            }
        })
    });
    match outcome {
        Ok(missed) if missed.is_empty() => ExitCode::SUCCESS,
        Ok(missed) => {
            println!("FAILED: {}", missed.join("; "));
            ExitCode::FAILURE
        }
        Err(error) => {
            println!("FAILED: {error}");
            ExitCode::FAILURE
        }
    }
}

/// The cost of a step: seconds, and MB of memory if the system reports it.
#[derive(Clone, Copy)]
struct Cost {
    seconds: f64,
    memory: Option<f64>,
}

/// Runs all steps and returns the missed targets.
async fn bench(arguments: &[String]) -> Outcome<Vec<String>> {
    let is = |flag: &str| arguments.iter().any(|argument| argument == flag);
    let sizes = if is("--quick") { [1_000, 10_000] } else { [10_000, 100_000] };
    let directory = tempfile::tempdir()?;
    let mut missed = Vec::new();
    println!(
        "| | tasks | seconds | tasks a second | memory | of the smaller's time |\n|---|---|---|---|---|---|"
    );
    for (database, seconds) in [("SQLite", SQLITE_SECONDS), ("Postgres", POSTGRES_SECONDS)] {
        let is_sqlite = database == "SQLite";
        if !is_sqlite && is("--sqlite-only") {
            continue;
        }
        let mut smaller: Vec<Cost> = Vec::new();
        for tasks in sizes {
            let file = directory.path().join(format!("{database}{tasks}.jsonl"));
            // One database for the export, and one for the import.
            let (from, to) = if is_sqlite {
                let url = |name| format!("sqlite://{}/{tasks}{name}.db", directory.path().display());
                (Place::File(url("from")), Place::File(url("to")))
            } else {
                (Place::Schema(Schema::new().await), Place::Schema(Schema::new().await))
            };
            let mut costs = Vec::new();
            for (at, step) in STEPS.into_iter().enumerate() {
                let place = if step == "import" { &to } else { &from };
                let cost = in_a_process(step, place.url(), &file, tasks)?;
                let times = smaller.get(at).map(|smaller: &Cost| cost.seconds / smaller.seconds);
                let memory = cost.memory.map_or("not known".to_owned(), |memory| format!("{memory:.0} MB"));
                let rate = f64::from(tasks) / cost.seconds;
                let ratio = times.map(|times| format!("{times:.1}")).unwrap_or_default();
                println!(
                    "| {database}, {step} | {tasks} | {:.1} | {rate:.0} | {memory} | {ratio} |",
                    cost.seconds
                );
                if times.is_some_and(|times| times > RATIO) {
                    missed.push(format!("{database}, {step}: {ratio} times as long for ten times the tasks"));
                }
                if step == "import" && tasks == 100_000 && cost.seconds > seconds {
                    missed.push(format!("{database}: an import of {tasks} tasks took more than {seconds} s"));
                }
                if step == "import" && cost.memory.is_some_and(|memory| memory > MEMORY) {
                    missed.push(format!("{database}: an import of {tasks} tasks took more than {MEMORY} MB"));
                }
                costs.push(cost);
            }
            smaller = costs;
        }
    }
    Ok(missed)
}

/// A database, which is removed with this value or with the directory.
enum Place {
    File(String),
    Schema(Schema),
}

impl Place {
    fn url(&self) -> &str {
        match self {
            Self::File(url) => url,
            Self::Schema(schema) => &schema.url,
        }
    }
}

/// Runs a step in a separate process.
fn in_a_process(step: &str, url: &str, file: &Path, tasks: u32) -> Outcome<Cost> {
    let output = Command::new(std::env::current_exe()?)
        .args(["--step", step, url])
        .arg(file)
        .arg(tasks.to_string())
        .output()?;
    let told = String::from_utf8_lossy(&output.stdout);
    let mut words = told.split_whitespace();
    let seconds = words.next().and_then(|word| word.parse().ok());
    let memory = words.next().and_then(|word| word.parse().ok());
    match seconds {
        Some(seconds) if output.status.success() => Ok(Cost { seconds, memory }),
        _ => Err(format!("{step}: {told}{}", String::from_utf8_lossy(&output.stderr)).into()),
    }
}

/// Runs a step, and prints its seconds and its peak of memory.
async fn run(step: &str, url: &str, file: &Path, tasks: u32) -> Outcome<()> {
    let options = Options::default();
    let database: Box<dyn Database> = if url.starts_with("sqlite:") {
        Box::new(SqliteStorage::connect(url, &options).await?)
    } else {
        Box::new(PostgresStorage::connect(url, &options).await?)
    };
    database.migrate().await?;
    let key = SecretKey::new(&Secret::new("a key for benchmarks, which opens nothing")).ok_or("too short")?;
    let app = WorkScribe::builder(database.storage(), SecretRing::new(key, vec![]))
        .hasher(Arc::new(BcryptHasher::new(4)))
        .build();
    let begun = Instant::now();
    match step {
        "demo" => {
            let password = Secret::new("correct horse battery staple");
            let options = DemoOptions { slug: "demo".to_owned(), tasks, password, seed: 1 };
            app.transfer().demo(&options).await?;
        }
        "export" => {
            let mut out = File::create(file)?;
            let mut export = app.transfer().export_as_operator("demo").await?;
            while let Some(lines) = export.next().await? {
                out.write_all(lines.as_bytes())?;
            }
            out.sync_all()?;
        }
        _ => {
            let bundle = Bundle::read(BufReader::new(File::open(file)?))?;
            let mut uow = app.begin().await?;
            app.transfer().import(&mut *uow, &bundle, &ImportOptions::default()).await?;
            app.commit(uow).await?;
        }
    }
    let seconds = begun.elapsed().as_secs_f64();
    database.close().await;
    println!("{seconds} {}", peak().map(|peak| peak.to_string()).unwrap_or_default());
    Ok(())
}

/// The peak of resident memory of this process, in MB.
fn peak() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kilobytes: f64 = line.split_whitespace().next()?.parse().ok()?;
    Some(kilobytes * 1.024 / 1000.0)
}
