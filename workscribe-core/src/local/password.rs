//! Hashes passwords with bcrypt.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use tokio::sync::Semaphore;

use crate::error::{Code, Error, Result};
use crate::identity::secrets::hmac;
use crate::ports::{PasswordHasher, Secret, Verdict};

/// The prefix of hashes of the scheme below. A hash without it is plain bcrypt, from the first server.
const SCHEME: &str = "$ws1";
/// The default HMAC key. It separates the hashes from those of other programs, so that a leaked list of plain SHA-256
/// hashes cannot be tried against them. An operator can replace it with a secret key.
const DEFAULT_KEY: &[u8] = b"workscribe password digest v1";

/// bcrypt over a keyed hash.
///
/// bcrypt reads 72 bytes and stops at a NUL, so its input is `base64(HMAC-SHA-256(key, password))`: 43 characters that
/// depend on every byte of the password (OWASP Password Storage; ASVS 5.0, 6.2.8). Each hash has its own thread, and as many run at
/// a time as there are cores. When the bounded queue is full, calls get `OVERLOADED`. On Linux these threads have a lower priority
/// (by 5 steps of `nice`), since a hash uses a core for a quarter of a second and a request for some milliseconds.
pub struct BcryptHasher {
    key: Vec<u8>,
    cost: u32,
    running: Arc<Semaphore>,
    waiting: AtomicUsize,
    most_waiting: usize,
}

impl BcryptHasher {
    /// The default cost (OWASP requires 10 or more).
    pub const DEFAULT_COST: u32 = 12;
    /// The default number of calls that may wait for a thread.
    pub const DEFAULT_QUEUE: usize = crate::limits::Limit::HashesWaiting.default_value() as usize;

    /// A hasher with a cost between 4 and 31. Each step doubles the work.
    #[must_use]
    pub fn new(cost: u32) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        Self {
            key: DEFAULT_KEY.to_vec(),
            cost: cost.clamp(4, 31),
            running: Arc::new(Semaphore::new(cores)),
            waiting: AtomicUsize::new(0),
            most_waiting: Self::DEFAULT_QUEUE,
        }
    }

    /// Sets a secret key ("pepper") for the HMAC. Without the same key no stored hash verifies: never lose or change it.
    #[must_use]
    pub fn with_key(mut self, key: &Secret) -> Self {
        self.key = key.expose().as_bytes().to_vec();
        self
    }

    /// Sets the number of calls that may wait.
    #[must_use]
    pub fn with_queue(mut self, most_waiting: usize) -> Self {
        self.most_waiting = most_waiting;
        self
    }

    fn keyed_hash(&self, password: &Secret) -> String {
        STANDARD_NO_PAD.encode(hmac(&self.key, &[password.expose().as_bytes()]))
    }

    async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T> {
        let place = Place::take(&self.waiting, self.most_waiting)?;
        let permit = Arc::clone(&self.running).acquire_owned().await.map_err(Error::internal)?;
        drop(place);
        let (sender, done) = tokio::sync::oneshot::channel();
        // Not a thread of a pool: only root can raise its priority again.
        let thread = std::thread::Builder::new().name("password-hash".into());
        let started = thread.spawn(move || {
            // The permit stays with the work, since a dropped request does not stop the work.
            let _permit = permit;
            yield_to_others();
            // If nobody waits for the result any more, that is not an error.
            let _ = sender.send(work());
        });
        started.map_err(Error::internal)?;
        done.await.map_err(Error::internal)
    }
}

/// Lowers the priority of this thread. Linux has a `nice` value for each thread (setpriority(2)). On other systems it belongs to
/// the whole process, and this function does nothing.
fn yield_to_others() {
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::process::getpriority_process(None)
        .and_then(|nice| rustix::process::setpriority_process(None, nice.saturating_add(NICE)))
    {
        tracing::debug!(%error, "passwords are hashed at the usual priority");
    }
}

/// Other threads get three times as much of a core (sched(7)).
#[cfg(target_os = "linux")]
const NICE: i32 = 5;

/// Checks a password in the time of a hash with the current cost, even if the stored hash has a lower cost, so that the time does
/// not reveal accounts with old hashes. Each step of the cost doubles the work, so one hash of each cost, from the stored one up
/// to the current one (excluded), adds the missing work. A stored hash with a higher cost takes longer.
fn verify_in_full(text: &str, stored: &str, present_cost: u32, mut work: impl FnMut(u32)) -> bool {
    match stored.parse::<bcrypt::HashParts>() {
        Ok(parts) => {
            let fits = bcrypt::verify(text, stored).unwrap_or(false);
            (parts.get_cost()..present_cost).for_each(work);
            fits
        }
        Err(_) => {
            work(present_cost);
            false
        }
    }
}

impl Default for BcryptHasher {
    fn default() -> Self {
        Self::new(Self::DEFAULT_COST)
    }
}

/// A place in the queue. Dropping it frees the place.
struct Place<'a>(&'a AtomicUsize);

impl<'a> Place<'a> {
    fn take(waiting: &'a AtomicUsize, most: usize) -> Result<Self> {
        if waiting.fetch_add(1, Ordering::Relaxed) >= most {
            waiting.fetch_sub(1, Ordering::Relaxed);
            return Err(Error::new(
                Code::Overloaded,
                "Too many people are logging in at this moment. Try again in a few seconds.",
            )
            .with_retry_after(Duration::from_secs(2)));
        }
        Ok(Self(waiting))
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[async_trait]
impl PasswordHasher for BcryptHasher {
    async fn hash(&self, password: &Secret) -> Result<String> {
        let (keyed, cost) = (self.keyed_hash(password), self.cost);
        let hash = self.run(move || bcrypt::hash(keyed, cost)).await?.map_err(Error::internal)?;
        Ok(format!("{SCHEME}{hash}"))
    }

    async fn verify(&self, password: &Secret, hash: Option<&str>) -> Result<Verdict> {
        let (keyed, cost) = (self.keyed_hash(password), self.cost);
        let Some(stored) = hash else {
            // As much work as a real check, so that the time does not reveal that the account does not exist.
            self.run(move || bcrypt::hash(keyed, cost)).await?.map_err(Error::internal)?;
            return Ok(Verdict::Wrong);
        };
        let (ours, text, bcrypt_hash) = match stored.strip_prefix(SCHEME) {
            Some(bcrypt_hash) => (true, keyed, bcrypt_hash.to_owned()),
            // The hashes of the first server: bcrypt of the first 72 bytes.
            None => (false, password.expose().to_owned(), stored.to_owned()),
        };
        let current =
            ours && bcrypt_hash.parse::<bcrypt::HashParts>().is_ok_and(|parts| parts.get_cost() == cost);
        // A hash that cannot be read matches no password.
        let fits = self
            .run(move || {
                verify_in_full(&text, &bcrypt_hash, cost, |cost| {
                    // Only the work matters; the result is not used.
                    let _ = bcrypt::hash(&text, cost);
                })
            })
            .await?;
        Ok(match (fits, current) {
            (false, _) => Verdict::Wrong,
            (true, true) => Verdict::Right,
            (true, false) => Verdict::RightButOutdated,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn differ(one: String, other: String) {
        let hasher = BcryptHasher::new(4);
        let hash = hasher.hash(&Secret::new(one.clone())).await.unwrap();
        assert_eq!(hasher.verify(&Secret::new(one), Some(&hash)).await.unwrap(), Verdict::Right);
        assert_eq!(hasher.verify(&Secret::new(other), Some(&hash)).await.unwrap(), Verdict::Wrong);
    }

    #[tokio::test]
    async fn no_byte_of_a_password_is_ignored() {
        differ("a".repeat(72), "a".repeat(73)).await;
        differ("🔑".repeat(64), "🔑".repeat(63) + "🔒").await;
        differ("🔑".repeat(128), "🔑".repeat(127) + "🔒").await;
        differ("before\0after".into(), "before\0other".into()).await;
    }

    #[tokio::test]
    async fn a_hash_of_the_first_server_verifies_and_is_outdated() {
        let hasher = BcryptHasher::new(4);
        let old = bcrypt::hash("correct horse battery", 4).unwrap();
        let check = |text: &str| Secret::new(text);
        assert_eq!(
            hasher.verify(&check("correct horse battery"), Some(&old)).await.unwrap(),
            Verdict::RightButOutdated
        );
        assert_eq!(hasher.verify(&check("wrong"), Some(&old)).await.unwrap(), Verdict::Wrong);
        let long = bcrypt::hash("x".repeat(72), 4).unwrap();
        assert_eq!(
            hasher.verify(&check(&"x".repeat(80)), Some(&long)).await.unwrap(),
            Verdict::RightButOutdated
        );
    }

    #[tokio::test]
    async fn another_cost_is_outdated_and_a_broken_hash_is_wrong() {
        let password = Secret::new("correct horse battery");
        let old = BcryptHasher::new(5).hash(&password).await.unwrap();
        let hasher = BcryptHasher::new(4);
        assert_eq!(hasher.verify(&password, Some(&old)).await.unwrap(), Verdict::RightButOutdated);
        assert_eq!(hasher.verify(&password, Some("not a hash")).await.unwrap(), Verdict::Wrong);
        assert_eq!(hasher.verify(&password, None).await.unwrap(), Verdict::Wrong);
    }

    #[test]
    fn a_check_is_as_much_work_as_a_hash_of_now_whatever_the_stored_cost() {
        let work = |stored: &str, text: &str, present: u32| {
            let mut rounds = stored.parse::<bcrypt::HashParts>().map_or(0, |parts| 1_u64 << parts.get_cost());
            let fits = verify_in_full(text, stored, present, |cost| rounds += 1 << cost);
            (fits, rounds)
        };
        let old = bcrypt::hash("right", 4).unwrap();
        for present in [4, 5, 8, 12] {
            assert_eq!(work(&old, "right", present), (true, 1 << present), "{present}");
            assert_eq!(work(&old, "wrong", present), (false, 1 << present), "{present}");
            assert_eq!(work("not a hash", "right", present), (false, 1 << present), "{present}");
        }
    }

    #[tokio::test]
    async fn past_the_queue_the_answer_is_overloaded() {
        let hasher = Arc::new(BcryptHasher::new(4).with_queue(0));
        let refused = hasher.hash(&Secret::new("correct horse battery")).await.unwrap_err();
        assert_eq!(refused.code(), Code::Overloaded);
        assert!(refused.retry_after().is_some());
    }
}
