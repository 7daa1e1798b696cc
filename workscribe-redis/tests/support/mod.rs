//! A Redis for tests: the one that the environment names, or one of a test's own that it can stop.

use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use deadpool_redis::redis;
use uuid::Uuid;
use workscribe_core::clock::{Clock as _, Entropy as _, SystemEntropy, Timestamp};
use workscribe_core::id::{OneTimeTokenId, SessionId, UserId};
use workscribe_core::identity::{
    Client, Email, NewUser, OneTimeToken, Purpose, Rotation, Session, TokenHash,
};
use workscribe_core::{Storage, UnitOfWork};
use workscribe_redis::{Options, Redis, RedisTokens};
use workscribe_testkit::clock::FrozenClock;
use workscribe_testkit::databases;

/// The URL of the Redis to test with.
pub(crate) fn url() -> String {
    std::env::var("WORKSCRIBE_TEST_REDIS_URL")
        .expect("set WORKSCRIBE_TEST_REDIS_URL to a Redis for tests, such as redis://127.0.0.1:6379")
}

/// A random id.
pub(crate) fn id<I: From<Uuid>>() -> I {
    let mut bytes = [0; 16];
    SystemEntropy.fill(&mut bytes);
    Uuid::from_bytes(bytes).into()
}

/// The time at which tests begin; not the real one.
pub(crate) fn now() -> Timestamp {
    FrozenClock::default().now()
}

/// Keys of a test's own, removed at its end.
pub(crate) struct Keys {
    client: redis::Client,
    pub(crate) prefix: String,
}

impl Keys {
    pub(crate) fn new() -> Self {
        let prefix = format!("ws-test:{}:", id::<Uuid>());
        Self { client: redis::Client::open(url()).unwrap(), prefix }
    }

    /// A Redis that uses these keys.
    pub(crate) fn redis(&self) -> Redis {
        Redis::connect(&url(), Options { prefix: self.prefix.clone(), ..Options::default() }).unwrap()
    }

    /// The keys that are there, each with its time to live in milliseconds.
    pub(crate) fn list(&self) -> Vec<(String, i64)> {
        let mut connection = self.client.get_connection().unwrap();
        let mut keys = Vec::new();
        let mut cursor = 0_u64;
        loop {
            let mut scan = redis::cmd("SCAN");
            scan.arg(cursor).arg("MATCH").arg(format!("{}*", self.prefix)).arg("COUNT").arg(1_000);
            let (next, found): (u64, Vec<String>) = scan.query(&mut connection).unwrap();
            for key in found {
                let ttl = redis::cmd("PTTL").arg(&key).query(&mut connection).unwrap();
                keys.push((key, ttl));
            }
            cursor = next;
            if cursor == 0 {
                return keys;
            }
        }
    }

    /// Runs a command on a key.
    pub(crate) fn run<T: redis::FromRedisValue>(&self, command: &str, key: &str) -> T {
        let mut connection = self.client.get_connection().unwrap();
        redis::cmd(command).arg(format!("{}{key}", self.prefix)).query(&mut connection).unwrap()
    }
}

impl Drop for Keys {
    fn drop(&mut self) {
        let Ok(mut connection) = self.client.get_connection() else { return };
        for (key, _) in self.list() {
            let _: Result<(), _> = redis::cmd("DEL").arg(key).query(&mut connection);
        }
    }
}

/// A database with its tokens in Redis.
pub(crate) async fn storage(redis: Redis) -> Arc<dyn Storage> {
    Arc::new(RedisTokens::new(databases::sqlite().await.storage, redis))
}

/// Stores a user.
pub(crate) async fn user(storage: &Arc<dyn Storage>) -> UserId {
    let mut uow = storage.begin().await.unwrap();
    let id = insert_user(&mut *uow).await;
    uow.commit().await.unwrap();
    id
}

/// Adds a user in a unit of work.
pub(crate) async fn insert_user(uow: &mut dyn UnitOfWork) -> UserId {
    let id: UserId = id();
    let new = NewUser {
        id,
        email: Email::parse(&format!("{id}@example.com")).unwrap(),
        display_name: "Ada Lovelace".to_owned(),
        password_hash: None,
        email_verified: true,
        created_at: now(),
    };
    uow.users().insert(&new).await.unwrap();
    id
}

pub(crate) fn session(user: UserId) -> Session {
    Session {
        id: id::<SessionId>(),
        user_id: user,
        epoch: 0,
        refresh_hash: TokenHash::of("first"),
        created_at: now(),
        last_used_at: now(),
        expires_at: now() + TimeDelta::days(30),
        client: Client {
            ip: Some([0x2001, 0xdb8, 0, 0, 0, 0, 0, 1].into()),
            user_agent: Some("ü".to_owned()),
        },
    }
}

pub(crate) fn rotation(session: &Session, presented: &str, successor: &str) -> Rotation {
    Rotation {
        session: session.id,
        presented: TokenHash::of(presented),
        successor: TokenHash::of(successor),
        now: now() + TimeDelta::minutes(1),
        grace_since: now() + TimeDelta::seconds(30),
        expires_at: now() + TimeDelta::days(32),
    }
}

pub(crate) fn one_time(user: UserId, token: &str) -> OneTimeToken {
    OneTimeToken {
        id: id::<OneTimeTokenId>(),
        hash: TokenHash::of(token),
        purpose: Purpose::ResetPassword,
        user_id: user,
        email: Email::parse("ada@example.com").unwrap(),
        expires_at: now() + TimeDelta::hours(1),
    }
}

/// Ends the test when something takes far longer than its bounds.
pub(crate) async fn soon<F: Future>(future: F) -> F::Output {
    tokio::time::timeout(Duration::from_secs(10), future).await.expect("it ends within 10 seconds")
}

/// A server of a test's own, to be stopped and started again on the same port.
pub(crate) struct Server {
    port: u16,
    process: Option<Child>,
}

impl Server {
    pub(crate) async fn start() -> Self {
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = free.local_addr().unwrap().port();
        drop(free);
        let mut server = Self { port, process: None };
        server.start_again().await;
        server
    }

    pub(crate) async fn start_again(&mut self) {
        let port = self.port.to_string();
        let process = Command::new("redis-server")
            .args(["--port", &port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("this test starts a server of its own: install redis-server, so that it is on the PATH");
        self.process = Some(process);
        let redis = self.redis();
        soon(async {
            while redis.ping().await.is_err() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        })
        .await;
    }

    pub(crate) fn redis(&self) -> Redis {
        Redis::connect(&format!("redis://127.0.0.1:{}", self.port), Options::default()).unwrap()
    }

    pub(crate) fn stop(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill().unwrap();
            process.wait().unwrap();
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop();
    }
}
