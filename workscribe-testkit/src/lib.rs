//! What tests of WorkScribe need, and of those who embed it or bring an adapter of their own.
//!
//! | module | what |
//! |---|---|
//! | [`app`] | a whole application under test: API, worker and mail |
//! | [`mod@conformance`] | the cases that every storage, token store and limiter has to pass, and how to add one |
//! | [`databases`] | empty, migrated SQLite and Postgres databases |
//! | [`servers`] | a Postgres and a PgBouncer of one's own |
//! | [`clock`] | a clock that stands still, and randomness that follows from a seed |
//! | [`mail`] | a mailer that keeps what it is given |
//! | [`resend`] | a server that answers as Resend does, on a bad day |
//! | [`wire`] | a proxy before Postgres that counts round trips, and cuts connections |
//!
//! # An application for a test
//!
//! [`TestApp::sqlite`](app::TestApp::sqlite) is WorkScribe on an empty SQLite file, which goes with it. Its clock stands still until it is
//! moved, and it keeps the mails that it sends.
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
//! let grace = test.app.identity().create_without_password(&mut *uow, "grace@example.com", "Grace Hopper", true);
//! assert_eq!(grace.await.unwrap().created_at, test.app.now());
//! test.app.commit(uow).await.unwrap();
//! # }
//! ```
//!
//! With settings or parts of your own: [`TestApp::with`](app::TestApp::with) on [`databases::sqlite`]`().await.storage`.
//!
//! # The suite on your own storage
//!
//! In a file under `tests/`, with `tokio` among the development dependencies. Every case becomes a test.
//!
//! ```
//! use std::sync::Arc;
//! use workscribe_core::Storage;
//! use workscribe_testkit::databases;
//!
//! /// An empty storage for each case, and what is to be dropped when the case has ended.
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
pub mod resend;
#[cfg(unix)]
pub mod servers;
pub mod shapes;
pub mod wire;
