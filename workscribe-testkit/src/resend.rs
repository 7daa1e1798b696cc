//! Resend with faults: a local server that keeps only the promises about idempotency keys.
//!
//! The promises (<https://resend.com/docs/dashboard/emails/idempotency-keys>), for 24 hours of the given clock: the same mail under
//! the same key is accepted once and gets the same response each time; another mail under that key is refused, and so is a call
//! while the previous one of the key still runs.

#![expect(clippy::expect_used, reason = "a test cannot go on without its server")]

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::TimeDelta;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use workscribe_core::clock::{Clock, Entropy, Timestamp};

use crate::clock::SeededEntropy;

/// How often calls fail. The fault of a call depends on the seed, its key, and the number of earlier calls of that key. It does not
/// depend on the order of calls with different keys.
#[derive(Debug, Clone, Copy)]
pub struct Faults {
    /// The seed of the randomness.
    pub seed: u64,
    /// How many calls of a hundred have a fault.
    pub percent: u64,
    /// The maximum number of calls of one key that may have a fault. Later calls have none, so every mail is sent in the end.
    pub most: usize,
    /// How long a slow call takes. Choose it longer than the client's timeout.
    pub slow: Duration,
    /// The `Retry-After` of a busy response, in seconds.
    pub retry_after: u32,
}

impl Faults {
    /// No faults.
    pub const NONE: Self = Self { seed: 0, percent: 0, most: 0, slow: Duration::ZERO, retry_after: 0 };

    /// The fault of a call of a key after `before` earlier calls.
    #[must_use]
    pub fn of(&self, key: &str, before: usize) -> Option<Fault> {
        const KINDS: [Fault; 4] = [Fault::Lost, Fault::Slow, Fault::Busy, Fault::Broken];
        if before >= self.most {
            return None;
        }
        // FNV-1a of the key.
        let hash = key
            .bytes()
            .fold(0xcbf2_9ce4_8422_2325_u64, |hash, b| (hash ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3));
        let mut random = [0; 8];
        SeededEntropy::new(self.seed ^ hash ^ (before as u64)).fill(&mut random);
        let random = u64::from_le_bytes(random);
        (random % 100 < self.percent).then(|| KINDS[(random / 100 % 4) as usize])
    }
}

/// A fault of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// The call runs, and the connection breaks before the response.
    Lost,
    /// The call takes longer than the client waits.
    Slow,
    /// The call is refused with 429 and `Retry-After`.
    Busy,
    /// The call is refused with 500.
    Broken,
}

/// The result of a call on the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    /// The mail was accepted.
    Accepted,
    /// The mail was accepted by an earlier call: the response is the same, and no mail is sent.
    Repeated,
    /// Refused, because another call of this key was running.
    StillRunning,
    /// Refused, because the key was used for another mail.
    AnotherMail,
    /// Refused before any work: [`Fault::Busy`] or [`Fault::Broken`].
    Refused,
}

/// A call that the server received.
#[derive(Debug, Clone)]
pub struct Received {
    /// Its idempotency key.
    pub key: String,
    /// The mail, as JSON.
    pub body: String,
    /// Its fault.
    pub fault: Option<Fault>,
    /// Its result.
    pub outcome: Outcome,
}

/// A server on its own port, until it is dropped.
pub struct FakeResend {
    url: String,
    shared: Arc<Shared>,
    accepting: JoinHandle<()>,
}

struct Shared {
    faults: Faults,
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    keys: BTreeMap<String, Entry>,
    /// The number of calls of each key.
    calls: BTreeMap<String, usize>,
    received: Vec<Received>,
    running: usize,
}

/// The accepted call of a key.
struct Entry {
    since: Timestamp,
    body: String,
    is_running: bool,
}

impl FakeResend {
    /// Starts a server.
    ///
    /// # Panics
    /// When no port is free.
    pub async fn start(clock: Arc<dyn Clock>, faults: Faults) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
        let url = format!("http://{}", listener.local_addr().expect("the listener has an address"));
        let shared = Arc::new(Shared { faults, clock, state: Mutex::default() });
        let serving = Arc::clone(&shared);
        let accepting = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let shared = Arc::clone(&serving);
                // Not ended with the connection: a call continues after its client has given up.
                tokio::spawn(async move { shared.serve(stream).await });
            }
        });
        Self { url, shared, accepting }
    }

    /// The base URL of its API.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The calls that have ended, in the order of their ends.
    #[must_use]
    pub fn received(&self) -> Vec<Received> {
        self.shared.state().received.clone()
    }

    /// How many calls are running.
    #[must_use]
    pub fn running(&self) -> usize {
        self.shared.state().running
    }
}

impl Drop for FakeResend {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn serve(&self, mut stream: TcpStream) {
        let Some((key, body)) = read(&mut stream).await else { return };
        self.state().running += 1;
        let answer = self.answer(key, body).await;
        self.state().running -= 1;
        if let Some(answer) = answer {
            // A client that has given up does not read it.
            drop(stream.write_all(answer.as_bytes()).await);
        }
    }

    /// Runs a call; `None` when the response is lost.
    async fn answer(&self, key: String, body: String) -> Option<String> {
        let fault = self.luck(&key);
        let end = |outcome| {
            let received = Received { key: key.clone(), body: body.clone(), fault, outcome };
            self.state().received.push(received);
        };
        let refused = match fault {
            Some(Fault::Busy) => Some((429, "rate_limit_exceeded")),
            Some(Fault::Broken) => Some((500, "application_error")),
            _ => None,
        };
        if let Some((status, name)) = refused {
            end(Outcome::Refused);
            return Some(refusal(status, name, self.faults.retry_after));
        }
        let outcome = self.begin(&key, &body);
        if fault == Some(Fault::Slow) {
            tokio::time::sleep(self.faults.slow).await;
        }
        if outcome == Outcome::Accepted
            && let Some(entry) = self.state().keys.get_mut(&key)
        {
            entry.is_running = false;
        }
        end(outcome);
        let answer = match outcome {
            Outcome::StillRunning => refusal(409, "concurrent_idempotent_requests", 0),
            Outcome::AnotherMail => refusal(409, "invalid_idempotent_request", 0),
            _ => response(200, "", &json!({"id": key})),
        };
        (fault != Some(Fault::Lost)).then_some(answer)
    }

    fn luck(&self, key: &str) -> Option<Fault> {
        let mut state = self.state();
        let before = state.calls.entry(key.to_owned()).or_default();
        let fault = self.faults.of(key, *before);
        *before += 1;
        fault
    }

    fn begin(&self, key: &str, body: &str) -> Outcome {
        let now = self.clock.now();
        let mut state = self.state();
        state.keys.retain(|_, entry| entry.is_running || now < entry.since + TimeDelta::hours(24));
        match state.keys.get(key) {
            Some(entry) if entry.body != body => Outcome::AnotherMail,
            Some(entry) if entry.is_running => Outcome::StillRunning,
            Some(_) => Outcome::Repeated,
            None => {
                let entry = Entry { since: now, body: body.to_owned(), is_running: true };
                state.keys.insert(key.to_owned(), entry);
                Outcome::Accepted
            }
        }
    }
}

/// The idempotency key and the body of a request; `None` when the client disconnects before the end.
async fn read(stream: &mut TcpStream) -> Option<(String, String)> {
    let mut reader = BufReader::new(stream);
    let (mut line, mut key, mut length) = (String::new(), String::new(), 0);
    loop {
        line.clear();
        if reader.read_line(&mut line).await.ok()? == 0 {
            return None;
        }
        let header = line.trim_end();
        if header.is_empty() {
            break;
        }
        if let Some((name, value)) = header.split_once(": ") {
            match &*name.to_ascii_lowercase() {
                "idempotency-key" => value.clone_into(&mut key),
                "content-length" => length = value.parse().ok()?,
                _ => {}
            }
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).await.ok()?;
    Some((key, String::from_utf8(body).ok()?))
}

fn refusal(status: u16, name: &str, retry_after: u32) -> String {
    let wish = if status == 429 { format!("retry-after: {retry_after}\r\n") } else { String::new() };
    let body = json!({"statusCode": status, "name": name, "message": "not now"});
    response(status, &wish, &body)
}

/// A connection serves one call, so that a broken one affects no other call.
fn response(status: u16, headers: &str, body: &Value) -> String {
    let body = body.to_string();
    format!(
        "HTTP/1.1 {status} Test\r\ncontent-type: application/json\r\nconnection: close\r\n{headers}content-length: {}\r\n\r\n{body}",
        body.len()
    )
}
