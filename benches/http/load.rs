//! The client that sends requests: `wrk`, or this process.

use std::collections::VecDeque;
use std::fmt::{self, Write as _};
use std::path::Path;
use std::process::Stdio;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tempfile::TempDir;
use tokio::process::Command;

use super::operations::{Asked, NUMBER, Operation};
use super::support::{CONNECTIONS, Connection, Outcome, Sample, Timing, Worker, after, measure};

/// The result of one measurement.
pub(super) struct Load {
    pub(super) requests: f64,
    pub(super) seconds: f64,
    /// In microseconds.
    pub(super) p50: f64,
    pub(super) p99: f64,
}

impl Load {
    pub(super) fn rate(&self) -> f64 {
        self.requests / self.seconds
    }
}

pub(super) enum Client {
    /// With a folder for its scripts.
    Wrk(TempDir),
    Own,
}

impl fmt::Display for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Wrk(_) => "wrk, with one thread",
            Self::Own => "this process, since wrk is not on the PATH",
        })
    }
}

impl Client {
    pub(super) fn find() -> Outcome<Self> {
        let found =
            std::process::Command::new("wrk").arg("-v").stdout(Stdio::null()).stderr(Stdio::null()).status();
        Ok(if found.is_ok() { Self::Wrk(tempfile::tempdir()?) } else { Self::Own })
    }

    /// Sends requests over 32 connections for a time. Unused refresh tokens are kept for the next measurement.
    pub(super) async fn ask(&self, port: u16, operation: &Operation, time: Duration) -> Outcome<Load> {
        match self {
            Self::Wrk(folder) => by_wrk(folder.path(), port, operation, time).await,
            Self::Own => by_this(port, operation, time).await,
        }
    }
}

// --- wrk ---------------------------------------------------------------------------------------------------------------

/// The list `asked` comes before it. A refresh token is sent once, and the token in its response is added to the list.
const SCRIPT: &str = r##"
local at, number = 0, first_number
local left = #asked
function next_asked()
  at = at + 1
  if not refreshes and at > left then at = 1 end
  return asked[at]
end
function request()
  local text = next_asked()
  if refreshes then
    asked[at] = nil
    local body = '{"refresh_token":"' .. text .. '"}'
    return "POST /api/v1/auth/refresh HTTP/1.1\r\nhost: bench\r\ncontent-type: application/json\r\ncontent-length: "
      .. #body .. "\r\n\r\n" .. body
  elseif counts then
    number = number + 1
    return (text:gsub("@@@@@@@@", string.format("%08d", number)))
  end
  return text
end
if refreshes then
  function response(status, headers, body)
    left = left + 1
    asked[left] = body:match('"refresh_token":"([^"]+)"')
    tokens:write(asked[left], "\n")
  end
end
function done(summary, latency)
  local e = summary.errors
  io.write(string.format("RESULT %d %d %d %d %d\n", summary.requests, summary.duration, latency:percentile(50),
    latency:percentile(99), e.connect + e.read + e.write + e.status + e.timeout))
end
"##;

async fn by_wrk(folder: &Path, port: u16, operation: &Operation, time: Duration) -> Outcome<Load> {
    let (script, answered) = (folder.join("script.lua"), folder.join("tokens"));
    let (asked, refreshes) = match &operation.asked {
        Asked::Requests(asked) => (asked.clone(), false),
        Asked::Refresh(tokens) => (tokens.lock().unwrap_or_else(PoisonError::into_inner).clone(), true),
    };
    let counts = asked.iter().any(|text| text.contains(NUMBER));
    let mut text = String::from("asked = {\n");
    for one in &asked {
        writeln!(text, "[===[{one}]===],")?;
    }
    writeln!(text, "}}\nrefreshes, counts, first_number = {refreshes}, {counts}, {}", first_number())?;
    if refreshes {
        writeln!(text, "tokens = io.open({:?}, \"w\")", answered.display().to_string())?;
    }
    text.push_str(SCRIPT);
    std::fs::write(&script, text)?;
    let ran = Command::new("wrk")
        .args(["-t", "1", "-c", &CONNECTIONS.to_string(), "-d", &format!("{}s", time.as_secs())])
        .arg("-s")
        .arg(&script)
        .arg(format!("http://127.0.0.1:{port}/"))
        .output()
        .await?;
    let said = String::from_utf8_lossy(&ran.stdout);
    let result = said.lines().find_map(|line| line.strip_prefix("RESULT "));
    let figures = result.map(|line| line.split(' ').map(str::parse).collect::<Result<Vec<f64>, _>>());
    let [requests, micros, p50, p99, errors] = figures.transpose()?.unwrap_or_default()[..] else {
        return Err(
            format!("{}: wrk says {said}{}", operation.name, String::from_utf8_lossy(&ran.stderr)).into()
        );
    };
    if errors > 0.0 {
        return Err(format!("{}: {errors} requests failed", operation.name).into());
    }
    if let Asked::Refresh(tokens) = &operation.asked {
        // The unused tokens: for each connection one response is missing, and wrk tries one request in advance.
        let answered = std::fs::read_to_string(&answered)?;
        let mut all: Vec<_> = asked.iter().cloned().chain(answered.lines().map(str::to_owned)).collect();
        let left = all.split_off(all.len() - asked.len().saturating_sub(CONNECTIONS + 1));
        *tokens.lock().unwrap_or_else(PoisonError::into_inner) = left;
    }
    Ok(Load { requests, seconds: micros / 1e6, p50, p99 })
}

/// Numbers continue from one measurement to the next, so that no title repeats the current one.
fn first_number() -> usize {
    static USED: AtomicUsize = AtomicUsize::new(0);
    USED.fetch_add(1_000_000, Ordering::Relaxed) % 90_000_000
}

// --- This process ------------------------------------------------------------------------------------------------------

/// Sends one request after the other.
pub(super) struct Asker {
    connection: Connection,
    queue: Arc<Queue>,
}

/// The requests that all connections send in turn.
struct Queue {
    asked: Asked,
    turn: AtomicUsize,
    tokens: Mutex<VecDeque<String>>,
}

/// Opens this many connections, which send the requests in turn.
pub(super) async fn askers(port: u16, operation: &Operation, many: usize) -> Outcome<Vec<Asker>> {
    let tokens = match &operation.asked {
        Asked::Refresh(tokens) => tokens.lock().unwrap_or_else(PoisonError::into_inner).clone().into(),
        Asked::Requests(_) => VecDeque::new(),
    };
    let turn = AtomicUsize::new(first_number());
    let queue = Arc::new(Queue { asked: operation.asked.clone(), turn, tokens: Mutex::new(tokens) });
    let mut askers = Vec::new();
    for _ in 0..many {
        askers.push(Asker { connection: Connection::open(port).await?, queue: Arc::clone(&queue) });
    }
    Ok(askers)
}

/// Keeps the tokens that are valid after the measurement.
pub(super) fn keep_tokens(askers: &[Asker]) {
    let Some(queue) = askers.first().map(|asker| &asker.queue) else { return };
    if let Asked::Refresh(tokens) = &queue.asked {
        *tokens.lock().unwrap_or_else(PoisonError::into_inner) = queue.lock().iter().cloned().collect();
    }
}

impl Queue {
    fn lock(&self) -> std::sync::MutexGuard<'_, VecDeque<String>> {
        self.tokens.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Worker for Asker {
    async fn step(&mut self) -> Outcome<()> {
        let turn = self.queue.turn.fetch_add(1, Ordering::Relaxed);
        match &self.queue.asked {
            Asked::Requests(asked) => {
                let request = &asked[turn % asked.len()];
                if request.contains(NUMBER) {
                    self.connection.ask(&request.replace(NUMBER, &format!("{turn:08}"))).await?;
                } else {
                    self.connection.ask(request).await?;
                }
            }
            Asked::Refresh(_) => {
                let token = self.queue.lock().pop_front().ok_or("each connection has a token")?;
                let body = format!("{{\"refresh_token\":\"{token}\"}}");
                let request = format!(
                    "POST /api/v1/auth/refresh HTTP/1.1\r\nhost: bench\r\ncontent-type: application/json\r\n\
                     content-length: {}\r\n\r\n{body}",
                    body.len()
                );
                let answer = self.connection.ask(&request).await?;
                let token = after(answer, "\"refresh_token\":\"").and_then(|rest| rest.split('"').next());
                self.queue.lock().push_back(token.ok_or("no refresh token")?.to_owned());
            }
        }
        Ok(())
    }
}

async fn by_this(port: u16, operation: &Operation, time: Duration) -> Outcome<Load> {
    let mut askers = askers(port, operation, CONNECTIONS).await?;
    let timing = Timing { warm_up: Duration::from_millis(100), time };
    let Sample { mut took, .. } = measure(&mut askers, timing).await?;
    keep_tokens(&askers);
    took.sort_unstable();
    let sample = Sample { took, total: 0 };
    let (p50, p99) = (f64::from(sample.quantile(50)), f64::from(sample.quantile(99)));
    Ok(Load { requests: sample.rate(time) * time.as_secs_f64(), seconds: time.as_secs_f64(), p50, p99 })
}
