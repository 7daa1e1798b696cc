//! The duration of requests on SQLite as one organization with one project grows: `cargo bench --bench sqlite`.
//!
//! The import fills three databases, with 1,000, 10,000 and 100,000 tasks, and they are measured directly after it. Each operation
//! of `tests/shapes` runs on the three in turn, through the whole application except the network. The medians are printed with the
//! ratio of the largest to the smallest. The benchmark fails for a ratio above 1.5, because no request should depend on other
//! rows. A time below 50 µs is not judged.
//!
//! `--quick` leaves out the largest. The beginning of an operation's name measures only that operation.

#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]

mod filled;
#[path = "../../tests/shapes/operations.rs"]
#[expect(dead_code, clippy::unwrap_used, reason = "blocks and round trips are counted on Postgres alone")]
mod operations;

use std::process::ExitCode;
use std::time::Instant;

use filled::Filled;
use operations::{OPERATIONS, Operation};

type Outcome<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

const SIZES: [u32; 3] = [1_000, 10_000, 100_000];
/// How often an operation runs on each database: to warm up, and to be measured.
const ASKED: (usize, usize) = (10, 101);
/// As [`ASKED`], for an operation that changes many tasks.
const ASKED_OF_MANY: (usize, usize) = (2, 21);
/// The maximum ratio of the largest time to the smallest.
const FLAT: f64 = 1.5;
/// Below this time, in µs, a ratio is only noise.
const JUDGED: f64 = 50.0;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let outcome = runtime.map_err(Into::into).and_then(|runtime| runtime.block_on(bench(&arguments)));
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => {
            println!("FAILED: something is not flat");
            ExitCode::FAILURE
        }
        Err(error) => {
            println!("FAILED: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Whether no operation exceeds the ratio.
async fn bench(arguments: &[String]) -> Outcome<bool> {
    let is_quick = arguments.iter().any(|argument| argument == "--quick");
    let name = arguments.iter().find(|argument| !argument.starts_with("--"));
    let sizes = &SIZES[..if is_quick { 2 } else { 3 }];
    let mut filled = Vec::new();
    for size in sizes {
        let begun = Instant::now();
        filled.push(Filled::new(*size).await?);
        println!("{size} tasks were imported in {:.1} s", begun.elapsed().as_secs_f64());
    }
    println!("\nMedians in µs:\n");
    print!("| |");
    sizes.iter().for_each(|size| print!(" {size} tasks |"));
    println!(" ratio |\n|---|{}---|", "---|".repeat(sizes.len()));
    let mut is_flat = true;
    for operation in OPERATIONS.iter().filter(|one| name.is_none_or(|name| one.name.starts_with(name))) {
        let medians = medians(operation, &mut filled).await?;
        print!("| {} |", operation.name);
        medians.iter().for_each(|median| print!(" {median:.0} |"));
        let (least, most) = (medians[0], medians[medians.len() - 1]);
        println!(" {:.2} |", most / least);
        is_flat &= most < JUDGED || most / least <= FLAT;
    }
    Ok(is_flat)
}

/// The median times of an operation on each database, in µs. The databases take turns, so that other load affects them equally.
async fn medians(operation: &Operation, filled: &mut [Filled]) -> Outcome<Vec<f64>> {
    let (warm_up, measured) = if operation.tasks > 1 { ASKED_OF_MANY } else { ASKED };
    let mut took: Vec<Vec<f64>> = vec![Vec::new(); filled.len()];
    for round in 0..warm_up + measured {
        for (filled, took) in filled.iter_mut().zip(&mut took) {
            let app = if operation.with_session { &filled.forgetful } else { &filled.app };
            filled.turn += 1;
            let begun = Instant::now();
            let answer = operation.ask(app, &filled.owner, &filled.world, filled.turn).await;
            let micros = begun.elapsed().as_secs_f64() * 1e6;
            if !answer.status.is_success() {
                return Err(format!("{}: {}", operation.name, answer.text).into());
            }
            if round >= warm_up {
                took.push(micros);
            }
        }
    }
    for took in &mut took {
        took.sort_by(f64::total_cmp);
    }
    Ok(took.into_iter().map(|took| took[took.len() / 2]).collect())
}
