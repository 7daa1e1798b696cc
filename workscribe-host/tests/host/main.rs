//! The real program, as its users run it: real processes, databases and networks, and their behaviour under faults.
//!
//! | file | what |
//! |---|---|
//! | `program.rs` | starts, watches and stops the program |
//! | `client.rs` | calls it over HTTP |
//! | `services.rs` | a separate Postgres and a separate Redis, which a test may kill |
//! | `journeys.rs` | the first steps of users, with mails |
//! | `start.rs`, `stop.rs` | settings, migrations, two servers at once; signals |
//! | `rotation.rs` | the replacement of keys |
//! | `jobs.rs` | jobs and queues, and the operators' listener |
//! | `transfer.rs` | the demo, exports and imports |
//! | `checks.rs` | `doctor`, `health`, `openapi` |
//! | `outages.rs`, `crashes.rs` | databases that become unavailable and return; `kill -9` |
//! | `disks.rs`, `faults.rs` | full disks; databases that hang, cut connections, two servers; under load |
//! | `load.rs` | the clients that make that load |
//! | `pooler.rs` | Postgres behind PgBouncer |
//! | `neighbours.rs` | two tenants, one of which attacks (`tenants.rs` of the benchmark) |
//! | `slow.rs`, `logs.rs` | slow clients; the content of the log |
//!
//! **How to add a case**: `Setup::new().serve().await` starts a server on its own SQLite file; `.env(…)` adds a setting. Waits have
//! a limit only so that no test hangs: no case measures time.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test ends where something is not as it should be"
)]

mod checks;
mod client;
mod crashes;
mod disks;
mod faults;
mod jobs;
mod journeys;
mod load;
mod logs;
mod neighbours;
mod outages;
mod pooler;
mod program;
mod rotation;
mod services;
mod slow;
mod start;
mod stop;
#[path = "../../benches/neighbours/tenants.rs"]
mod tenants;
mod transfer;
