//! No job is lost, and none runs when it should not: with connections that are cut, databases that restart, and workers that are
//! stopped, paused and killed. (Ten thousand jobs and their killed workers are in `killed_workers.rs`.)
//!
//! | file | what |
//! |---|---|
//! | `load.rs` | the clients and workers in this process, and what must be true at the end |
//! | `cuts.rs` | connections that are cut at the worst moments |
//! | `restarts.rs` | a Postgres that is restarted |
//! | `process.rs` | a worker as a separate process |
//! | `endings.rs` | workers that are stopped, killed, or paused for longer than their lease |
//! | `slots.rs` | schedules while the workers that fire them are killed |
//!
//! Waits have a limit only so that no test hangs.

#![cfg(all(feature = "sqlite", feature = "postgres", feature = "jobs"))]
#![expect(clippy::unwrap_used, reason = "a test stops at what it does not expect")]

mod cuts;
mod endings;
mod load;
mod process;
mod restarts;
mod slots;

use std::time::Duration;

/// Waits until a condition is true.
async fn until(what: &str, limit: Duration, mut holds: impl AsyncFnMut() -> bool) {
    let deadline = tokio::time::Instant::now() + limit;
    while !holds().await {
        assert!(tokio::time::Instant::now() < deadline, "waited in vain until {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
