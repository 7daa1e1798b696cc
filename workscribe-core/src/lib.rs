//! The domain of WorkScribe: users and sessions, organizations, members and invitations, projects and tasks, and the jobs
//! behind them.
//!
//! Nothing here knows a database, a web framework or Redis. Services hold the rules and take a [`UnitOfWork`];
//! adapters bring the [`Storage`] and the other [`ports`].
//!
//! # Map
//!
//! | module | what |
//! |---|---|
//! | [`id`], [`clock`], [`page`], [`error`] | typed ids, time and randomness, cursors, errors with stable codes |
//! | [`storage`] | [`Storage`], [`UnitOfWork`], [`StoreError`] |
//! | [`identity`] | accounts, sessions, single-use tokens |
//! | [`tenancy`] | organizations, members, invitations; the door ([`tenancy::OrgScope`]) and permissions |
//! | [`work`] | projects, statuses, labels, tasks, comments, activity |
//! | [`notifications`], [`search`] | who is told of what, and how things are found |
//! | [`webhooks`] | endpoints that are told of what happens |
//! | [`transfer`] | whole organizations, out and in; the demo |
//! | [`outbox`], [`events`], [`idempotency`] | jobs, hooks, repeated requests |
//! | [`limits`] | how much of each thing there may be, how often what may be done, and how many at a time |
//! | [`ports`], [`local`] | what is asked of the world, and in-process defaults |
//! | [`WorkScribe`] | all of it put together |
//!
//! # How to add an aggregate
//!
//! 1. A module in its area: `model.rs` (plain data and its rules), `store.rs` (an object-safe trait; every call within an
//!    organization takes an [`tenancy::OrgScope`] first), the service.
//! 2. An accessor in [`UnitOfWork`], the statements in `workscribe-sql/src/stores/`, and a migration for each
//!    database.
//! 3. A conformance case for every store method: all storages run them.
//! 4. Handlers in `workscribe-http`, and rows in the tenancy matrix, which fails until they are there.

mod app;
pub mod clock;
pub mod error;
pub mod events;
pub mod id;
pub mod idempotency;
pub mod identity;
pub mod limits;
pub mod local;
mod mail_limits;
mod named;
mod names;
pub mod notifications;
pub mod outbox;
pub mod page;
mod portion;
pub mod ports;
mod recent;
pub mod search;
pub mod storage;
mod store_error;
pub mod sweep;
mod target;
pub mod tenancy;
pub mod transfer;
pub mod webhooks;
pub mod work;

pub use app::{Builder, Hook, RegistrationPolicy, Settings, WorkScribe};
pub use error::{Code, Error, ErrorKind};
pub use storage::{NotReady, Storage, UnitOfWork};
pub use store_error::{Constraint, StoreError};
pub use target::{Target, TargetIn};

/// The version of WorkScribe.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
