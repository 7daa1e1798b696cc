//! Queues for password hashing. The hasher has a place for each core and one queue. In front of it each user, or each network where
//! there is no user, has a queue of which one request at a time goes to the hasher. So a flood fills only its own queue.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Semaphore;

use crate::error::{Code, Error, Result};
use crate::id::UserId;
use crate::limits::{Limit, Limits};
use crate::ports::{PasswordHasher, Secret, Verdict};

use super::delay::network_of;
use super::model::Client;

/// How many requests of one caller may wait for a hash. One request of each caller is hashed at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct HashingShares {
    /// Waiting requests of one user.
    per_user: usize,
    /// Waiting requests from one network, without a user.
    per_network: usize,
}

impl HashingShares {
    /// The shares by the limits; `usize::MAX` where they are lifted.
    pub(crate) fn of(limits: &Limits) -> Self {
        let most = |limit| if limits.is_lifted(limit) { usize::MAX } else { limits.count_of(limit) };
        Self {
            per_user: most(Limit::HashesWaitingPerUser),
            per_network: most(Limit::HashesWaitingPerNetwork),
        }
    }
}

/// Who asks for a hash.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Asker {
    /// A user who is logged in.
    User(UserId),
    /// A network.
    Network(String),
    /// An unknown caller: a call inside the program.
    Unknown,
}

impl Asker {
    /// The network of a client.
    pub(crate) fn at(client: &Client) -> Self {
        match client.ip {
            Some(ip) => Self::Network(network_of(Some(ip))),
            None => Self::Unknown,
        }
    }
}

/// A hasher with the queues in front of it.
pub(crate) struct Hashing {
    hasher: Arc<dyn PasswordHasher>,
    shares: HashingShares,
    lines: Arc<Lines>,
}

#[derive(Default)]
struct Lines(Mutex<HashMap<Asker, Line>>);

/// The queue of one caller: how many requests are in it, and the permit that they take in turns.
struct Line {
    standing: usize,
    turn: Arc<Semaphore>,
}

impl Hashing {
    pub(crate) fn new(hasher: Arc<dyn PasswordHasher>, shares: HashingShares) -> Self {
        Self { hasher, shares, lines: Arc::default() }
    }

    /// A new hash; `OVERLOADED` when the queue of the caller or of the hasher is full.
    pub(crate) async fn hash(&self, asker: Asker, password: &Secret) -> Result<String> {
        let (hasher, password) = (Arc::clone(&self.hasher), password.clone());
        self.in_turn(asker, async move { hasher.hash(&password).await }).await
    }

    /// Checks a password; `OVERLOADED` as above.
    pub(crate) async fn verify(
        &self,
        asker: Asker,
        password: &Secret,
        hash: Option<&str>,
    ) -> Result<Verdict> {
        let (hasher, password, hash) = (Arc::clone(&self.hasher), password.clone(), hash.map(str::to_owned));
        self.in_turn(asker, async move { hasher.verify(&password, hash.as_deref()).await }).await
    }

    async fn in_turn<T: Send + 'static>(
        &self,
        asker: Asker,
        work: impl Future<Output = Result<T>> + Send + 'static,
    ) -> Result<T> {
        let most = match &asker {
            Asker::User(_) => self.shares.per_user,
            Asker::Network(_) => self.shares.per_network,
            Asker::Unknown => usize::MAX,
        };
        if most == usize::MAX {
            return work.await;
        }
        let (standing, turn) = Standing::enter(&self.lines, asker, most)?;
        let turn = turn.acquire_owned().await.map_err(Error::internal)?;
        // A separate task: a client that hangs up does not stop the work, and must not start a second hash in the meantime.
        let working = tokio::spawn(async move {
            let done = work.await;
            drop((turn, standing));
            done
        });
        working.await.map_err(Error::internal)?
    }
}

/// A place in a queue. Dropping it frees the place.
struct Standing {
    lines: Arc<Lines>,
    asker: Asker,
}

impl Standing {
    fn enter(lines: &Arc<Lines>, asker: Asker, most: usize) -> Result<(Self, Arc<Semaphore>)> {
        let mut all = lines.0.lock().unwrap_or_else(PoisonError::into_inner);
        let line = all
            .entry(asker.clone())
            .or_insert_with(|| Line { standing: 0, turn: Arc::new(Semaphore::new(1)) });
        // One of them is being hashed and does not wait.
        if line.standing > most {
            return Err(Error::new(
                Code::Overloaded,
                "Too many passwords from here are being checked at this moment. Try again in a few seconds.",
            )
            .with_retry_after(Duration::from_secs(2)));
        }
        line.standing += 1;
        let turn = Arc::clone(&line.turn);
        drop(all);
        Ok((Self { lines: Arc::clone(lines), asker }, turn))
    }
}

impl Drop for Standing {
    fn drop(&mut self) {
        let mut all = self.lines.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(line) = all.get_mut(&self.asker) {
            line.standing -= 1;
            if line.standing == 0 {
                all.remove(&self.asker);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use async_trait::async_trait;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use tokio::sync::Notify;

    /// Waits in each hash until the test releases it, and counts the hashes that have begun.
    struct Held {
        begun: AtomicUsize,
        arrived: Notify,
        released: Semaphore,
    }

    #[async_trait]
    impl PasswordHasher for Held {
        async fn hash(&self, _password: &Secret) -> Result<String> {
            self.begun.fetch_add(1, Ordering::SeqCst);
            self.arrived.notify_one();
            self.released.acquire().await.map_err(Error::internal)?.forget();
            Ok(String::new())
        }

        async fn verify(&self, password: &Secret, _hash: Option<&str>) -> Result<Verdict> {
            self.hash(password).await.map(|_| Verdict::Right)
        }
    }

    fn hashing(shares: HashingShares) -> (Arc<Held>, Arc<Hashing>) {
        let held = Arc::new(Held {
            begun: AtomicUsize::new(0),
            arrived: Notify::new(),
            released: Semaphore::new(0),
        });
        let hasher: Arc<dyn PasswordHasher> = held.clone();
        (held, Arc::new(Hashing::new(hasher, shares)))
    }

    fn ask(hashing: &Arc<Hashing>, asker: &Asker) -> tokio::task::JoinHandle<Result<String>> {
        let (hashing, asker) = (Arc::clone(hashing), asker.clone());
        tokio::spawn(async move { hashing.hash(asker, &Secret::new("a password")).await })
    }

    #[tokio::test]
    async fn a_flood_of_one_asker_has_one_place_and_is_refused_alone() {
        let (held, hashing) = hashing(HashingShares { per_user: 2, per_network: 2 });
        let network = Asker::Network("192.0.2.0/24".into());
        let flood: Vec<_> = (0..40).map(|_| ask(&hashing, &network)).collect();
        held.arrived.notified().await;
        let user = ask(&hashing, &Asker::User(UserId::from(uuid::Uuid::from_u128(1))));
        held.arrived.notified().await;
        assert_eq!(held.begun.load(Ordering::SeqCst), 2, "one of each asker");
        held.released.add_permits(40);
        user.await.unwrap().unwrap();
        let mut refused = 0;
        for asked in flood {
            if let Err(error) = asked.await.unwrap() {
                assert_eq!(error.code(), Code::Overloaded);
                assert!(error.retry_after().is_some());
                refused += 1;
            }
        }
        assert_eq!(refused, 37, "one was hashed and two waited");
        assert!(hashing.lines.0.lock().unwrap().is_empty(), "no line is kept of who has gone");
    }

    #[tokio::test]
    async fn who_hangs_up_keeps_their_place_until_the_work_has_ended() {
        let (held, hashing) = hashing(HashingShares { per_user: 0, per_network: 0 });
        let network = Asker::Network("192.0.2.0/24".into());
        let first = ask(&hashing, &network);
        held.arrived.notified().await;
        first.abort();
        assert!(first.await.unwrap_err().is_cancelled());
        let next = hashing.hash(network.clone(), &Secret::new("a password")).await.unwrap_err();
        assert_eq!(next.code(), Code::Overloaded);
        assert_eq!(held.begun.load(Ordering::SeqCst), 1);
        held.released.add_permits(1);
    }
}
