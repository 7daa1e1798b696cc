//! Redis for WorkScribe: sessions and single-use tokens, rate limits, and wake-ups for workers.
//!
//! Redis is never the source of truth for work: jobs, users and organizations are in the database. Each part can be used without the
//! others.
//!
//! # Map
//!
//! | module | what | when Redis is unavailable |
//! |---|---|---|
//! | [`client`] | [`Redis`], [`Options`]: the pool, timeouts, errors | every call ends within twice [`Options::timeout`] |
//! | [`tokens`] | [`RedisTokens`]: a [`workscribe_core::Storage`] around another one, with the tokens in Redis | token calls return [`workscribe_core::StoreError::Unavailable`]; everything else works |
//! | [`limiter`] | [`RedisRateLimiter`]: one limit for all servers | each server applies the limit by itself |
//! | [`wakeup`] | [`RedisWakeup`]: wakes the workers of every server | each server wakes its own workers; the others poll |
//!
//! # Requirements
//!
//! Redis 6.2 or later, or Valkey, as **one primary**: without replicas, or with replicas behind an address that follows the primary
//! (a DNS name, a proxy, a managed endpoint). A connection that reaches a replica is closed, so that the next one resolves the
//! address again. Redis Sentinel is not supported, and neither is Redis Cluster (redirects are not followed). A proxy that uses
//! Cluster on behalf of its clients works if the prefix has a hash tag, such as `{ws}:`: some scripts use several keys, and the
//! tag puts all of them in one hash slot of Redis.
//!
//! Set `maxmemory-policy noeviction`: with another policy a full Redis removes sessions, which logs users out. Sessions are as
//! durable as Redis is; `appendonly yes` keeps them over a restart.
//!
//! `rediss://` needs the feature `tls`. Certificates are checked against the system's roots. The program must have one rustls
//! provider: enable one of rustls' features `aws_lc_rs` and `ring`, or install a provider.
//!
//! # How to add a part
//!
//! *A token command*: write the method in the core's `TokenStore`, a case in the testkit's suite, a method in `tokens::commands`
//! (with a script in `src/lua/` if it uses more than one key or a condition), and the method in `tokens.rs`: either at once, or
//! buffered until the commit.
//!
//! *A port*: write a module beside [`limiter`] that takes a [`Redis`] and makes keys with its prefix. Its first lines say what
//! happens while Redis is unavailable.

pub mod client;
pub mod limiter;
pub mod tokens;
pub mod wakeup;

pub use client::{ConfigError, Options, Redis};
pub use limiter::RedisRateLimiter;
pub use tokens::RedisTokens;
pub use wakeup::RedisWakeup;
