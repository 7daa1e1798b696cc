//! The statements, written once. `postgres/mod.rs` and `sqlite/mod.rs` each include this module, so `super` is one database
//! or the other: it gives `Db`, `Conn`, [`Ts`] and the macros of its `dialect`.

#[macro_use]
mod columns;

mod attempts;
mod idempotency;
mod invitations;
mod jobs;
mod lane;
mod members;
mod organizations;
pub(super) mod schema;
mod tokens;
mod unit;
mod users;

use sqlx::types::Uuid;
use workscribe_core::StoreError;
use workscribe_core::clock::Timestamp;
use workscribe_core::identity::TokenHash;
use workscribe_core::page::{Cursor, PageRequest};

use super::dialect::{self, Conn, Db, Ts};
use crate::error::{corrupt, misuse, store_error};

pub(super) use lane::Lane;
pub use unit::Unit;

/// Reads a 32-byte digest back.
fn digest(table: &'static str, column: &str, bytes: Vec<u8>) -> Result<[u8; 32], StoreError> {
    bytes.try_into().map_err(|bytes: Vec<u8>| corrupt(table, format!("{column} has {} bytes", bytes.len())))
}

fn token_hash(table: &'static str, bytes: Vec<u8>) -> Result<TokenHash, StoreError> {
    digest(table, "a hash", bytes).map(TokenHash)
}

/// Where a page begins in a rising list. The first page begins before everything, so that one statement serves all pages
/// and always has a range of the index to walk.
fn after(page: &PageRequest) -> (Ts, Uuid) {
    let cursor = page.after().unwrap_or(Cursor { at: Timestamp::UNIX_EPOCH, id: Uuid::nil() });
    (Ts(cursor.at), cursor.id)
}

/// Where a page begins in a falling list: the first after everything, at the end of the year 9999.
fn before(page: &PageRequest) -> (Ts, Uuid) {
    let end = Timestamp::from_timestamp_micros(253_402_300_799_999_999);
    let first = Cursor { at: end.unwrap_or(Timestamp::MAX_UTC), id: Uuid::max() };
    let cursor = page.after().unwrap_or(first);
    (Ts(cursor.at), cursor.id)
}
