//! The domain of WorkScribe: users and sessions, organizations, members and invitations, projects and tasks, and the jobs
//! behind them.
//!
//! This crate depends on no database, web framework or Redis. Services contain the rules and take a [`UnitOfWork`]; adapters
//! implement the [`Storage`] and the other [`ports`].
//!
//! # Map
//!
//! | module | what |
//! |---|---|
//! | [`id`], [`clock`], [`page`], [`error`] | typed ids, time and randomness, cursors, errors with stable codes |
//! | [`storage`] | [`Storage`], [`UnitOfWork`], [`StoreError`] |
//! | [`identity`] | accounts, sessions, single-use tokens |
//! | [`tenancy`] | organizations, members, invitations; the proof of a membership ([`tenancy::OrgScope`]) and permissions |
//! | [`work`] | projects, statuses, labels, tasks, comments, activity |
//! | [`notifications`], [`search`] | who gets which notification, and full-text search |
//! | [`webhooks`] | endpoints, and the messages that they receive about events |
//! | [`transfer`] | export and import of whole organizations; the demo |
//! | [`outbox`], [`events`], [`idempotency`] | jobs, hooks, repeated requests |
//! | [`limits`] | how much of each thing there may be, how often something may be done, and how much at a time |
//! | [`ports`], [`local`] | the interfaces to the outside besides the storage, and in-process defaults |
//! | [`WorkScribe`] | the application, with all services |
//!
//! # How to add an aggregate
//!
//! `docs/ADDING.md` walks through it, file by file. The lists that a new aggregate extends are in `catalog.rs`.

#[macro_use]
mod catalog;

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
pub use store_error::{Constraint, StoreError, StoreResult};
pub use target::{Target, TargetIn};

/// The version of WorkScribe.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
