//! Helpers for the tests of WorkScribe, and for those of embedders and of other adapters.
//!
//! | module | what |
//! |---|---|
//! | [`app`] | a whole application under test: API, worker and mail |
//! | [`mod@conformance`] | the cases for every storage, token store and limiter, and how to add one |
//! | [`databases`] | empty, migrated SQLite and Postgres databases |
//! | [`servers`] | a separate Postgres and a separate PgBouncer |
//! | [`clock`] | a frozen clock, and randomness from a seed |
//! | [`mail`] | a mailer that keeps its mails |
//! | [`resend`] | a server that responds as Resend does, with faults |
//! | [`proxy`] | a proxy for Postgres that counts round trips, and cuts connections |
//!
//! # An application for a test
//!
//! [`TestApp::sqlite`](app::TestApp::sqlite) is WorkScribe on an empty SQLite file, which is removed with it. Its clock is frozen
//! until the test moves it, and it keeps the mails that it sends.
//!
//! ```
//! use chrono::TimeDelta;
//! use workscribe_testkit::app::TestApp;
//!
//! # #[tokio::main]
//! # async fn main() {
//! let test = TestApp::sqlite().await;
//! let ada = test.register("ada@example.com").await;
//! test.drain().await;
//! assert_eq!(test.mail.last_to("ada@example.com").unwrap().subject, "Verify your e-mail address for WorkScribe");
//! test.clock.advance(TimeDelta::hours(1));
//! assert_eq!(test.get("/auth/me").bearer(&ada).send().await.status, 401);
//!
//! let mut uow = test.app.begin().await.unwrap();
//! let user = test.app.identity().find_by_email(&mut *uow, "ada@example.com").await.unwrap();
//! assert_eq!(user.unwrap().id.to_string(), ada.user_id);
//! # }
//! ```
//!
//! For your own settings or parts, use [`TestApp::with`](app::TestApp::with) on [`databases::sqlite`]`().await.storage`.
//!
//! # The suite on your own storage
//!
//! In a file under `tests/`, with `tokio` in the development dependencies. Every case becomes a test.
//!
//! ```
//! use std::sync::Arc;
//! use workscribe_core::Storage;
//! use workscribe_testkit::databases;
//!
//! /// An empty storage for each case, and a value that is dropped after the case.
//! async fn my_storage() -> (Arc<dyn Storage>, impl Sized) {
//!     (databases::sqlite().await.storage, ())
//! }
//!
//! workscribe_testkit::conformance!(my_storage_keeps_the_rules, my_storage);
//! # fn main() {}
//! ```

pub mod app;
pub mod clock;
pub mod conformance;
pub mod databases;
pub mod mail;
pub mod proxy;
pub mod resend;
mod schema;
#[cfg(unix)]
pub mod servers;
pub mod shapes;
