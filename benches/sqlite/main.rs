//! What requests take on SQLite as one organization with one project grows: `cargo bench --bench sqlite`.
//!
//! Three databases are filled by the import, with 1,000, 10,000 and 100,000 tasks, and asked as they are after it. Each operation of
//! `tests/shapes` is asked of the three in turn, through the whole application but for the network, and the medians are printed with the
//! ratio of the largest to the least. It fails where that is above 1.5, as nothing that is asked for is to depend on what else is
//! there. A time of less than 50 µs is not judged.
//!
//! `--quick` leaves out the largest. The beginning of an operation's name measures it alone.

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
/// How often an operation is asked of each database: to warm up, and to be measured.
const ASKED: (usize, usize) = (10, 101);
/// The same of one that changes many tasks.
const ASKED_OF_MANY: (usize, usize) = (2, 21);
/// What the largest may take of what the least takes.
const FLAT: f64 = 1.5;
/// Below this, in µs, a ratio is one of noise.
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

/// Whether everything is flat.
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

/// What an operation takes in each database, in µs. All are asked in turn, so that what else the machine does touches them alike.
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
