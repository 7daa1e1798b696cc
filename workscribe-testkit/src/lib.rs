//! What tests of WorkScribe need, and of those who embed it or bring an adapter of their own.
//!
//! | module | what |
//! |---|---|
//! | [`app`] | a whole application under test: API, worker and mail |
//! | [`memory`] | a storage in memory |
//! | [`mod@conformance`] | the cases that every storage, token store and limiter has to pass, and how to add one |
//! | [`databases`] | empty, migrated SQLite and Postgres databases |
//! | [`servers`] | a Postgres and a PgBouncer of one's own |
//! | [`clock`] | a clock that stands still, and randomness that follows from a seed |
//! | [`mail`] | a mailer that keeps what it is given |
//! | [`resend`] | a server that answers as Resend does, on a bad day |
//! | [`wire`] | a proxy before Postgres that counts round trips, and cuts connections |
//!
//! # The suite on your own storage
//!
//! In a file under `tests/`, with `tokio` among the development dependencies. Every case becomes a test.
//!
//! ```
//! use std::sync::Arc;
//! use workscribe_core::Storage;
//! use workscribe_testkit::memory::MemoryStorage;
//!
//! /// An empty storage for each case, and what is to be dropped when the case has ended.
//! async fn my_storage() -> (Arc<dyn Storage>, impl Sized) {
//!     (Arc::new(MemoryStorage::new()), ())
//! }
//!
//! workscribe_testkit::conformance!(my_storage_keeps_the_rules, my_storage);
//! # fn main() {}
//! ```
//!
//! # An application in memory
//!
//! ```
//! use std::sync::Arc;
//! use workscribe_core::WorkScribe;
//! use workscribe_core::identity::{SecretKey, SecretRing};
//! use workscribe_core::ports::Secret;
//! use workscribe_testkit::{clock::FrozenClock, memory::MemoryStorage};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), workscribe_core::Error> {
//! let clock = FrozenClock::default();
//! let key = SecretKey::new(&Secret::new("a key of 32 bytes or more, for tests")).expect("it is long enough");
//! let app = WorkScribe::builder(Arc::new(MemoryStorage::new()), SecretRing::new(key, vec![]))
//!     .clock(Arc::new(clock.clone()))
//!     .build();
//! let mut uow = app.begin().await?;
//! let ada = app.identity().create_without_password(&mut *uow, "ada@example.com", "Ada Lovelace", true).await?;
//! app.commit(uow).await?;
//! assert_eq!(ada.created_at, app.now());
//! # Ok(())
//! # }
//! ```

pub mod app;
pub mod clock;
pub mod conformance;
pub mod databases;
pub mod mail;
pub mod memory;
pub mod resend;
#[cfg(unix)]
pub mod servers;
pub mod shapes;
pub mod wire;
