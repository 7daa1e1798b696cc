//! What one tenant's flood costs another: `cargo bench -p workscribe-host --bench neighbours`.
//!
//! The program serves with its usual limits, on SQLite and on the Postgres that `WORKSCRIBE_TEST_POSTGRES_URL` names. People of one
//! organization work, first alone and then while another organization attacks in every way at once; the 99th percentiles of both times
//! are printed side by side. It fails where a request of the first fails, or takes more than 5 times as long.
//!
//! `--quick` attacks for 5 s instead of 20. The beginning of an attack's name has it alone (`-- searches`).

#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]

mod tenants;

use std::path::Path;
use std::process::{ExitCode, Stdio};
use std::time::Duration;

use tenants::{Hostile, Outcome, Seen, Tenant, watch};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio::time::Instant;
use workscribe_testkit::databases::Schema;

/// How many times as long a request may take.
const MOST: f64 = 5.0;
const PEOPLE: usize = 4;

fn main() -> ExitCode {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    match runtime.map_err(Into::into).and_then(|runtime| runtime.block_on(bench())) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => {
            println!("FAILED: a neighbour is felt too much");
            ExitCode::FAILURE
        }
        Err(error) => {
            println!("FAILED: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn bench() -> Outcome<bool> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let is_quick = arguments.iter().any(|argument| argument == "--quick");
    let only = arguments.iter().find(|argument| !argument.starts_with('-')).map_or("", String::as_str);
    let time = Duration::from_secs(if is_quick { 5 } else { 20 });
    let directory = tempfile::tempdir()?;
    let mut is_fair =
        side_by_side("SQLite", &format!("sqlite://{}/neighbours.db", directory.path().display()), time, only)
            .await?;
    if std::env::var_os("WORKSCRIBE_TEST_POSTGRES_URL").is_some() {
        let schema = Schema::new().await;
        is_fair &= side_by_side("Postgres", &schema.url, time, only).await?;
    }
    Ok(is_fair)
}

async fn side_by_side(name: &str, url: &str, time: Duration, only: &str) -> Outcome<bool> {
    let directory = tempfile::tempdir()?;
    let (mut server, base) = serve(url, directory.path()).await?;
    let quiet = Tenant::new(&base, "ada", "198.51.100.1", 50).await?;
    let hostile = Hostile::new(&base, &quiet).await?;
    let before = watch(&quiet, PEOPLE, time).await;
    // Of a thread of its own, so that the attackers wait for nobody here.
    let end = Instant::now() + time;
    let answered = std::sync::Arc::clone(&hostile.answered);
    let only = only.to_owned();
    let attacking = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.map(|runtime| runtime.block_on(hostile.attack(end, &only)))
    });
    let during = watch(&quiet, PEOPLE, time).await;
    attacking.join().map_err(|_| "the attack broke off")??;
    server.kill().await?;

    println!("\n{name}: the 99th percentile of the others' requests, in ms\n");
    println!("| | alone | beside the attack | times | requests |\n|---|---|---|---|---|");
    let mut is_fair = during.failed.is_empty();
    for (kind, took) in &during.took {
        let (alone, beside) = (p99(&before, kind), p99(&during, kind));
        let times = ms(beside) / ms(alone);
        println!("| {kind} | {:.1} | {:.1} | {times:.1} | {} |", ms(alone), ms(beside), took.len());
        is_fair &= times <= MOST;
    }
    println!("\nFailed of theirs: {}", during.failed.len());
    during.failed.iter().take(10).for_each(|failed| println!("  {failed}"));
    println!("\nThe attack was answered:");
    for ((what, answer), times) in answered.lock().map_err(|_| "poisoned")?.iter() {
        println!("  {what}: {answer} {times} times");
    }
    Ok(is_fair)
}

/// The 99th percentile of a kind, in µs.
fn p99(seen: &Seen, kind: &str) -> u64 {
    let mut took = seen.took.get(kind).cloned().unwrap_or_default();
    took.sort_unstable();
    took.get(took.len() * 99 / 100).or(took.last()).copied().unwrap_or_default()
}

#[expect(clippy::cast_precision_loss, reason = "a request takes far less than 2^52 µs")]
fn ms(micros: u64) -> f64 {
    micros.max(1) as f64 / 1_000.0
}

/// The program, and where it listens.
async fn serve(url: &str, directory: &Path) -> Outcome<(Child, String)> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_workscribe"));
    command
        .arg("serve")
        .env("WORKSCRIBE_DATABASE_URL", url)
        .env("WORKSCRIBE_LISTEN", "127.0.0.1:0")
        .env("WORKSCRIBE_TRUSTED_PROXIES", "127.0.0.0/8")
        .env("WORKSCRIBE_WEBHOOK_NETWORKS", "127.0.0.0/8")
        .env("WORKSCRIBE_MAIL", "file:mails")
        .env("RUST_LOG", "info")
        .current_dir(directory)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    let mut server = command.spawn()?;
    let mut lines = BufReader::new(server.stderr.take().ok_or("no log")?).lines();
    let base = loop {
        let line = lines.next_line().await?.ok_or("it does not listen")?;
        let line: serde_json::Value = serde_json::from_str(&line)?;
        if let Some(base) = line["at"].as_str() {
            break base.to_owned();
        }
    };
    tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
    Ok((server, base))
}
