//! Redis for WorkScribe: sessions and single-use tokens, rate limits, and wake-ups for workers.
//!
//! Redis is never the source of truth for work: jobs, users and organizations are in the database. Each part here can be
//! used without the others.
//!
//! # Map
//!
//! | module | what | with Redis gone |
//! |---|---|---|
//! | [`client`] | [`Redis`], [`Options`]: the pool, timeouts, errors | every call ends within twice [`Options::timeout`] |
//! | [`tokens`] | [`RedisTokens`]: a [`workscribe_core::Storage`] around another one, with the tokens in Redis | token calls answer [`workscribe_core::StoreError::Unavailable`]; the rest goes on |
//! | [`limiter`] | [`RedisRateLimiter`]: one limit for all servers | each server limits by itself |
//! | [`wakeup`] | [`RedisWakeup`]: a hint to the workers of every server | each server wakes its own workers; the others poll |
//!
//! # What it runs on
//!
//! Redis 6.2 or later, or Valkey, as **one primary**: alone, or with replicas behind an address that follows the primary
//! (a DNS name, a proxy, a managed endpoint). A connection that finds itself at a replica is closed, so that the next
//! one asks for the address again. Redis Sentinel is not asked, and Redis Cluster is not spoken (redirects are not
//! followed). A proxy that speaks Cluster for its clients works if the prefix has a hash tag, such as `{ws}:`: some scripts
//! touch several keys, and a tag puts all of them in one slot.
//!
//! Set `maxmemory-policy noeviction`: with another policy a full Redis drops sessions, which logs people out. Sessions
//! are as durable as Redis is; `appendonly yes` keeps them over a restart.
//!
//! `rediss://` needs the feature `tls`. Certificates are checked against the system's roots. The program has to have one
//! rustls provider: by enabling one of rustls' features `aws_lc_rs` and `ring`, or by installing one.
//!
//! # How to add one
//!
//! *A token command*: the method in the core's `TokenStore` and a case in the testkit's suite; here a method of
//! `tokens::commands` (a script in `src/lua/` where more than one key or a condition is involved) and its place in
//! `tokens.rs`: at once, or buffered until the commit.
//!
//! *A port*: a module beside [`limiter`] that takes a [`Redis`], makes keys with its prefix, and says in its first lines
//! what happens while Redis is gone.

pub mod client;
pub mod limiter;
pub mod tokens;
pub mod wakeup;

pub use client::{ConfigError, Options, Redis};
pub use limiter::RedisRateLimiter;
pub use tokens::RedisTokens;
pub use wakeup::RedisWakeup;
