//! The traffic of one request to Postgres.

use super::KEPT;
use super::load::{askers, keep_tokens};
use super::operations::{self, Beside, PAGE};
use super::support::{Outcome, ServerProcess, traffic_of};
use super::world::World;
use workscribe_testkit::proxy::{Proxy, Traffic};

/// Counts the traffic and checks the promise for reads: no transaction, and at most two statements (three for a page of tasks: the
/// door, the tasks, and the rows shown with them), plus one for each session whenever its time in the cache has ended.
#[expect(
    clippy::print_stdout,
    clippy::cast_precision_loss,
    reason = "a benchmark prints its figures; counts are far below 2^52"
)]
pub(super) async fn count(url: &str, world: &World) -> Outcome<()> {
    const REQUESTS: u64 = 500;
    println!(
        "Postgres, on the wire, for one request (a ping is sqlx's test of a connection that is given back)"
    );
    println!("{:42}{:>12}{:>14}{:>13}{:>8}", "", "statements", "transactions", "round trips", "pings");
    let mut broken = Vec::new();
    for kept in KEPT {
        let proxy = Proxy::before(url).await?;
        let server = ServerProcess::start(&["--server", &proxy.url, &kept.to_string()]).await?;
        for operation in operations::all(world) {
            if operation.beside == Beside::Nothing || (kept == 0 && !operation.is_measured_without_sessions) {
                continue;
            }
            let mut asker = askers(server.port, &operation, 1).await?;
            let begin = std::time::Instant::now();
            let Traffic { round_trips, statements, transactions, pings } =
                traffic_of(&proxy, &mut asker[0], REQUESTS).await?;
            let times = begin.elapsed().as_millis().checked_div(kept.into()).map_or(0, |times| times + 1);
            let promised = if operation.name == PAGE { 3 } else { 2 };
            let sessions = world.subjects.len() as u128 * times;
            keep_tokens(&asker);
            let label = format!("{}, session kept {kept} ms", operation.name);
            let each = |count: u64| format!("{:.2}", count as f64 / REQUESTS as f64);
            println!(
                "{label:42}{:>12}{:>14}{:>13}{:>8}",
                each(statements),
                each(transactions),
                each(round_trips),
                each(pings)
            );
            if operation.beside == Beside::Reads
                && (transactions > 0 || u128::from(statements) > u128::from(promised * REQUESTS) + sessions)
            {
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
