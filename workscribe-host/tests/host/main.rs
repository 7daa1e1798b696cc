//! The real program, as its users run it: real processes, databases and networks, and what becomes of them in bad luck.
//!
//! | file | what |
//! |---|---|
//! | `program.rs` | starts, watches and stops the program |
//! | `client.rs` | calls it over HTTP |
//! | `services.rs` | a Postgres and a Redis of one's own, to be killed |
//! | `journeys.rs` | what people do first, mail included |
//! | `start.rs`, `stop.rs` | settings, migrations, two at once; signals |
//! | `rotation.rs` | keys that take turns |
//! | `jobs.rs` | jobs and queues, and the operators' listener |
//! | `transfer.rs` | the demo, exports and imports |
//! | `checks.rs` | `doctor`, `health`, `openapi` |
//! | `outages.rs`, `crashes.rs` | databases that go and come back; `kill -9` |
//! | `disks.rs`, `faults.rs` | full disks; databases that hang, cut connections, two servers; under load |
//! | `load.rs` | the clients that make that load |
//! | `pooler.rs` | Postgres behind PgBouncer |
//! | `neighbours.rs` | two tenants, of which one attacks (`tenants.rs` of the benchmark) |
//! | `slow.rs`, `logs.rs` | slow clients; what is in the log, and what is not |
//!
//! **How to add a case**: `Setup::new().serve().await` gives a server on an SQLite file of its own; `.env(…)` sets what it
//! should have beside that. Waits are bounded only so that nothing hangs: no case is about how long something takes.

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
