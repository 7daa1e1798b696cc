//! The multi-tenant backbone of a work-management product, as a library: users and sessions, organizations with members
//! and invitations, and the jobs and mails for them. It runs in your process, on SQLite or Postgres, next to your own tables.
//!
//! # Quick start
//!
#![cfg_attr(feature = "sqlite", doc = "```")]
#![cfg_attr(not(feature = "sqlite"), doc = "```ignore")]
//! use workscribe::identity::{Client, Register, RegisterOutcome, SecretKey, SecretRing};
//! use workscribe::tenancy::{NewOrganization, Role};
//! use workscribe::{WorkScribe, ports::Secret, sql};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let database = sql::connect("sqlite::memory:", &sql::Options::default()).await?;
//! database.migrate().await?;
//! let key = SecretKey::new(&Secret::new("32 bytes or more, kept from everybody")).ok_or("too short")?;
//! let app = WorkScribe::builder(database.storage(), SecretRing::new(key, vec![])).build();
//!
//! let (email, password) = ("ada@example.com".into(), Secret::new("correct horse battery staple"));
//! let ada = Register { email, display_name: "Ada Lovelace".into(), password };
//! let registered = app.identity().register(&ada, &Client::default()).await?;
//! let RegisterOutcome::Registered(tokens) = registered else { unreachable!("registration is open") };
//! let actor = app.identity().authenticate(tokens.access_token.expose()).await?;
//!
//! let mut uow = app.begin().await?; // one transaction, for as many calls as you like
//! let acme = NewOrganization { name: "Acme".into(), slug: "acme".into() };
//! let acme = app.organizations().create(&mut *uow, &actor, &acme).await?;
//! app.commit(uow).await?;
//! assert_eq!((acme.slug.as_str(), acme.scope().role()), ("acme", Role::Owner));
//! # Ok(())
//! # }
//! ```
//!
//! `examples/embed.rs` is a complete application. It mounts WorkScribe's API next to its own routes, a [hook](Hook) writes its
//! own row in WorkScribe's transaction, and it has its own job. Run it: `cargo run --example embed`.
//!
//! # Features
//!
//! | feature | on by default | what it adds |
//! |---|---|---|
//! | `sqlite` | yes | `sql`: storage in a SQLite file, with your pool or its own |
//! | `postgres` | | `sql`: storage on Postgres 15 or newer |
//! | `http` | yes | `http`: the JSON API as poem endpoints, with its OpenAPI document |
//! | `jobs` | yes | `jobs`: the worker, and the mails with their transports |
//! | `redis` | | `redis`: token store, rate limits and wake-ups shared by several servers |
//!
//! Without any feature there is only the domain, and you provide a [`Storage`]. What you share with WorkScribe must have the
//! same major version: a pool of sqlx 0.9, routes of poem 3.
//!
//! # Where to look
//!
//! | you want to | look at |
//! |---|---|
//! | configure and build it | [`WorkScribe::builder`], [`Settings`] |
//! | call it from your own code | [`identity::Identity`], [`tenancy::Organizations`], [`tenancy::In`] |
//! | write your rows in its transaction | [`Hook`], `sql::sqlite::Unit::of`, `sql::postgres::Unit::of` |
//! | run its calls in your transaction | `Unit::from_transaction`, `Unit::into_transaction` |
//! | run jobs of your own | [`outbox::Job`], [`WorkScribe::enqueue`], `jobs::Registry` |
//! | serve it | `http::mount`, `http::all` |
//! | replace a part | [`ports`] |
//! | test against it | the package `workscribe-testkit` |

pub use workscribe_core::*;

#[cfg(feature = "http")]
pub use workscribe_http as http;
#[cfg(feature = "jobs")]
pub use workscribe_jobs as jobs;
#[cfg(feature = "redis")]
pub use workscribe_redis as redis;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
pub use workscribe_sql as sql;
