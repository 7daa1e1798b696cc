//! The statements, written once. `postgres/mod.rs` and `sqlite/mod.rs` each include this module, so `super` is the module of one
//! database, with its `Db`, `Conn`, [`Ts`] and the macros of its `dialect`.

#[macro_use]
mod columns;
#[macro_use]
mod portions;
#[macro_use]
mod table;
#[macro_use]
mod tables;

mod bind;
mod idempotency;
pub(super) mod identity;
mod notifications;
mod outbox;
pub(super) mod schema;
mod search;
mod tenancy;
mod transfer;
pub(super) mod truth;
pub(super) mod unit;
mod webhooks;
mod work;

use sqlx::types::Uuid;
use workscribe_core::StoreResult;
use workscribe_core::clock::Timestamp;
use workscribe_core::identity::TokenHash;
use workscribe_core::page::{Cursor, PageRequest};
use workscribe_core::work::{Document, Person};

use super::dialect::{self, Conn, Db, Ts};
use crate::error::{corrupt, misuse, store_error};

use tenancy::{members, slugs};
use unit::{batch, pending};

pub(super) use unit::Source;
pub use unit::Unit;

/// Reads a stored 32-byte hash.
fn hash_bytes(table: &'static str, column: &str, bytes: Vec<u8>) -> StoreResult<[u8; 32]> {
    bytes.try_into().map_err(|bytes: Vec<u8>| corrupt(table, format!("{column} has {} bytes", bytes.len())))
}

fn token_hash(table: &'static str, bytes: Vec<u8>) -> StoreResult<TokenHash> {
    hash_bytes(table, "a hash", bytes).map(TokenHash)
}

/// Where a page of an ascending list begins. The first page begins before every row, so one statement serves all pages and always
/// walks a range of the index.
fn after(page: &PageRequest) -> (Ts, Uuid) {
    let cursor = page.after().unwrap_or(Cursor { at: Timestamp::UNIX_EPOCH, id: Uuid::nil() });
    (Ts(cursor.at), cursor.id)
}

/// Where a page of a descending list begins. The first page begins after every row, at the end of the year 9999.
fn before(page: &PageRequest) -> (Ts, Uuid) {
    let end = Timestamp::from_timestamp_micros(253_402_300_799_999_999);
    let first = Cursor { at: end.unwrap_or(Timestamp::MAX_UTC), id: Uuid::max() };
    let cursor = page.after().unwrap_or(first);
    (Ts(cursor.at), cursor.id)
}

fn person(id: Uuid, display_name: String, avatar_url: Option<String>) -> Person {
    Person { id: id.into(), display_name, avatar_url }
}

/// Reads a stored name of a fixed set.
fn named<T>(
    table: &'static str,
    column: &str,
    name: &str,
    parse: impl Fn(&str) -> Option<T>,
) -> StoreResult<T> {
    parse(name).ok_or_else(|| corrupt(table, format!("{column} is {name:?}")))
}

/// Reads a stored rich text.
fn document(table: &'static str, column: &str, text: &str) -> StoreResult<Document> {
    Document::from_stored(text).ok_or_else(|| corrupt(table, format!("{column} is not JSON")))
}

/// Replaces U+0000, which Postgres does not store, with U+FFFD.
fn storable(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}
