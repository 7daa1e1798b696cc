//! The rules for every adapter: each case is one rule, and runs on each adapter.
//!
//! | macro | for |
//! |---|---|
//! | [`conformance!`](crate::conformance!) | a [`Storage`]: every case but those of limiters |
//! | [`token_store_conformance!`](crate::token_store_conformance!) | a storage whose `tokens()` is of another kind than its other stores |
//! | [`rate_limiter_conformance!`](crate::rate_limiter_conformance!) | a [`RateLimiter`](workscribe_core::ports::RateLimiter) |
//!
//! Each case gets what the factory makes, which must be empty, and panics where the adapter breaks the rule.
//!
//! # How to add a case
//!
//! Write a `pub async fn` in the file of its area. Its name is a sentence that states the rule, so it has no comment. The macros
//! find it: `build.rs` reads the files.
//!
//! Times come from `at(seconds)`, and helpers from `fixtures/`. `commit!`, `attempt!` and `read!` run one call in its own unit.
//! After an error drop the unit: on some databases it accepts no more statements. Commit between writing and reading tokens: a
//! token store may write only at the commit.
#![expect(missing_docs, reason = "the name of a case is the sentence that says what it checks")]
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a case panics where an adapter does otherwise than it must"
)]

use std::pin::Pin;
use std::sync::Arc;

use workscribe_core::Storage;

mod fixtures;
pub mod idempotency;
pub mod identity;
pub mod isolation;
pub mod limiter;
pub mod notifications;
pub mod outbox;
pub mod races;
pub mod search;
pub mod tenancy;
pub mod tokens;
pub mod transfer;
pub mod units;
pub mod webhooks;
pub mod work;

/// The names that nearly every file of cases uses.
mod prelude {
    pub(crate) use std::collections::BTreeSet;
    pub(crate) use std::sync::Arc;
    pub(crate) use std::sync::atomic::{AtomicUsize, Ordering};
    pub(crate) use std::time::Duration;

    pub(crate) use workscribe_core::clock::{Clock, Timestamp};
    pub(crate) use workscribe_core::id::{InvitationId, JobId, LabelId, ProjectId, StatusId, TaskId, UserId};
    pub(crate) use workscribe_core::idempotency::{Claim, IdempotencyKey, StoredAnswer};
    pub(crate) use workscribe_core::identity::{
        Client, Email, NewUser, OneTimeToken, ProfileChange, Purpose, Rotated, Rotation, Session, TokenHash,
        User,
    };
    pub(crate) use workscribe_core::outbox::{ClaimedJob, NewJob};
    pub(crate) use workscribe_core::page::{Cursor, PageRequest};
    pub(crate) use workscribe_core::search::{SearchKind, SearchQuery, Words};
    pub(crate) use workscribe_core::tenancy::{
        Invitation, InvitationPass, InvitationStatus, Member, OrgScope, Organization, OrganizationChange,
        Role, RoleTable, Slug,
    };
    pub(crate) use workscribe_core::{Storage, WorkScribe};

    pub(crate) use crate::clock::FrozenClock;
}

/// A case of storages.
pub struct Case {
    /// The path of its function below this module.
    pub name: &'static str,
    /// Runs it on an empty storage. It panics where the storage breaks the rule.
    pub run: fn(Arc<dyn Storage>) -> Running,
}

/// A case that runs.
pub type Running = Pin<Box<dyn Future<Output = ()>>>;

/// Every case of storages, for a program that runs them in its own way; a test uses [`conformance!`](crate::conformance!).
#[must_use]
pub fn storage_cases() -> Vec<Case> {
    every_case()
}

/// Runs every case of storages, one test each, in a module of this name.
///
/// The factory is an async function or a closure without arguments that returns a future. The future yields an empty
/// `Arc<dyn Storage>` and a value that is kept until the case has ended, such as a guard that drops the database.
/// The calling crate needs `tokio` with `macros` and `rt-multi-thread`.
#[macro_export]
macro_rules! conformance {
    ($module:ident, $factory:expr) => {
        mod $module {
            $crate::__storage_cases! { $factory }
            $crate::__token_cases! { $factory }
        }
    };
}

/// Runs only the cases of the token store, on a storage whose `tokens()` is of another kind than its other stores.
/// The factory is as for [`conformance!`](crate::conformance!).
#[macro_export]
macro_rules! token_store_conformance {
    ($module:ident, $factory:expr) => {
        mod $module {
            $crate::__token_cases! { $factory }
        }
    };
}

/// Runs every case of limiters. The factory yields an `Arc<dyn RateLimiter>` and a value that is kept until the case has
/// ended.
#[macro_export]
macro_rules! rate_limiter_conformance {
    ($module:ident, $factory:expr) => {
        mod $module {
            $crate::__limiter_cases! { $factory }
        }
    };
}

/// Makes a module for a file of cases, with a test for each. The factory's name is resolved two modules further out.
#[doc(hidden)]
#[macro_export]
macro_rules! __cases {
    ($factory:expr; $tests:ident, $($area:ident)::+: $($case:ident)+) => {
        mod $tests {
            use super::super::*;
            use $crate::conformance::$($area)::+ as cases;

            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
                async fn $case() {
                    let (subject, _guard) = ($factory)().await;
                    cases::$case(subject).await;
                }
            )+
        }
    };
}

// `__storage_cases!`, `__token_cases!` and `__limiter_cases!`: see `build.rs`.
include!(concat!(env!("OUT_DIR"), "/cases.rs"));
