//! Whose turn it is to have a password hashed. The hasher has a place for each core and a queue; before it stands a line for each
//! user, and for each network where there is no user, of which one at a time goes on. So a flood fills its own line alone.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Semaphore;

use crate::error::{Code, Error};
use crate::id::UserId;
use crate::limits::{Limit, Limits};
use crate::ports::{PasswordHasher, Secret, Verdict};

use super::delay::network_of;
use super::model::Client;

/// How many may wait to have a password hashed, by whom it is asked for. Of each, one is hashed at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct HashingShares {
    /// Requests of one user that may wait.
    per_user: usize,
    /// Requests from one network, without a user, that may wait.
    per_network: usize,
}

impl HashingShares {
    /// As the limits have it; `usize::MAX` where they are lifted.
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
    /// Nobody of whom anything is known: a call within the program.
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

/// A hasher with the lines before it.
pub(crate) struct Hashing {
    hasher: Arc<dyn PasswordHasher>,
    shares: HashingShares,
    lines: Arc<Lines>,
}

#[derive(Default)]
struct Lines(Mutex<HashMap<Asker, Line>>);

/// One asker's line: who stands in it, and the one place that they take in turns.
struct Line {
    standing: usize,
    turn: Arc<Semaphore>,
}

impl Hashing {
    pub(crate) fn new(hasher: Arc<dyn PasswordHasher>, shares: HashingShares) -> Self {
        Self { hasher, shares, lines: Arc::default() }
    }

    /// A new hash; `OVERLOADED` when the asker's line or the hasher's queue is full.
    pub(crate) async fn hash(&self, asker: Asker, password: &Secret) -> Result<String, Error> {
        let (hasher, password) = (Arc::clone(&self.hasher), password.clone());
        self.in_turn(asker, async move { hasher.hash(&password).await }).await
    }

    /// Checks a password; `OVERLOADED` as above.
    pub(crate) async fn verify(
        &self,
        asker: Asker,
        password: &Secret,
        hash: Option<&str>,
    ) -> Result<Verdict, Error> {
        let (hasher, password, hash) = (Arc::clone(&self.hasher), password.clone(), hash.map(str::to_owned));
        self.in_turn(asker, async move { hasher.verify(&password, hash.as_deref()).await }).await
    }

    async fn in_turn<T: Send + 'static>(
        &self,
        asker: Asker,
        work: impl Future<Output = Result<T, Error>> + Send + 'static,
    ) -> Result<T, Error> {
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
        // On a task of its own: who hangs up does not stop the work, and must not have a second one begin meanwhile.
        let working = tokio::spawn(async move {
            let done = work.await;
            drop((turn, standing));
            done
        });
        working.await.map_err(Error::internal)?
    }
}

/// A place in a line, left when dropped.
struct Standing {
    lines: Arc<Lines>,
    asker: Asker,
}

impl Standing {
    fn enter(lines: &Arc<Lines>, asker: Asker, most: usize) -> Result<(Self, Arc<Semaphore>), Error> {
        let mut all = lines.0.lock().unwrap_or_else(PoisonError::into_inner);
        let line = all
            .entry(asker.clone())
            .or_insert_with(|| Line { standing: 0, turn: Arc::new(Semaphore::new(1)) });
        // The one whose turn it is does not wait.
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

    /// Hashes nothing until it is let go, and counts who is at it.
    struct Held {
        begun: AtomicUsize,
        arrived: Notify,
        released: Semaphore,
    }

    #[async_trait]
    impl PasswordHasher for Held {
        async fn hash(&self, _password: &Secret) -> Result<String, Error> {
            self.begun.fetch_add(1, Ordering::SeqCst);
            self.arrived.notify_one();
            self.released.acquire().await.map_err(Error::internal)?.forget();
            Ok(String::new())
        }

        async fn verify(&self, password: &Secret, _hash: Option<&str>) -> Result<Verdict, Error> {
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

    fn ask(hashing: &Arc<Hashing>, asker: &Asker) -> tokio::task::JoinHandle<Result<String, Error>> {
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
