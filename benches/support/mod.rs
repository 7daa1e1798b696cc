//! The common parts of the server benchmarks. Each is one program with two roles: the measuring process starts itself again as the
//! server, sends requests over kept-alive connections with a client that does very little, and lets the server run bare statements
//! on its own pool in between, so that other load on the machine affects all equally.

use std::future::Future;
use std::process::Stdio;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::net::TcpStream;
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::task::JoinSet;
use workscribe_testkit::proxy::{Proxy, Traffic};

pub(crate) type Outcome<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// The number of the client's connections, and of the tasks that run the bare statement.
pub(crate) const CONNECTIONS: usize = 32;

pub(crate) fn percent(ratio: f64) -> String {
    format!("{:.0} %", ratio * 100.0)
}

// --- Measuring ---------------------------------------------------------------------------------------------------------

/// Repeats one action.
pub(crate) trait Worker: Send + 'static {
    fn step(&mut self) -> impl Future<Output = Outcome<()>> + Send;
}

#[derive(Clone, Copy)]
pub(crate) struct Timing {
    pub(crate) warm_up: Duration,
    pub(crate) time: Duration,
}

/// The duration of each action in microseconds, and their number including the warm-up.
#[derive(Default, Serialize, Deserialize)]
pub(crate) struct Sample {
    pub(crate) took: Vec<u32>,
    pub(crate) total: usize,
}

impl Sample {
    pub(crate) fn add(&mut self, other: Self) {
        self.took.extend(other.took);
        self.total += other.total;
    }

    /// A quantile of the sorted times.
    pub(crate) fn quantile(&self, percent: usize) -> u32 {
        self.took.get(self.took.len() * percent / 100).copied().unwrap_or_default()
    }

    #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
    pub(crate) fn rate(&self, time: Duration) -> f64 {
        self.took.len() as f64 / time.as_secs_f64()
    }
}

/// Runs all workers at the same time, and returns them to `workers`.
pub(crate) async fn measure<W: Worker>(workers: &mut Vec<W>, timing: Timing) -> Outcome<Sample> {
    let begin = Instant::now() + timing.warm_up;
    let end = begin + timing.time;
    let mut running = JoinSet::new();
    for mut worker in workers.drain(..) {
        running.spawn(async move {
            let mut sample = Sample::default();
            loop {
                let started = Instant::now();
                worker.step().await?;
                let done = Instant::now();
                sample.total += 1;
                if done >= end {
                    return Outcome::Ok((worker, sample));
                }
                if done >= begin {
                    sample.took.push(u32::try_from((done - started).as_micros()).unwrap_or(u32::MAX));
                }
            }
        });
    }
    let mut all = Sample::default();
    while let Some(ended) = running.join_next().await {
        let (worker, sample) = ended??;
        workers.push(worker);
        all.add(sample);
    }
    Ok(all)
}

/// The traffic of `requests` steps of a worker to Postgres, one by one, after as many to warm up.
pub(crate) async fn traffic_of(proxy: &Proxy, worker: &mut impl Worker, requests: u64) -> Outcome<Traffic> {
    let mut before = Traffic::default();
    for _ in 0..2 {
        before = proxy.traffic();
        for _ in 0..requests {
            worker.step().await?;
        }
        // Connections that are returned after the response are counted too.
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Ok(proxy.traffic() - before)
}

// --- The client --------------------------------------------------------------------------------------------------------

/// A kept-alive connection. It sends prepared requests, and parses only the necessary parts of a response.
pub(crate) struct Connection {
    stream: TcpStream,
    received: Vec<u8>,
}

impl Connection {
    pub(crate) async fn open(port: u16) -> Outcome<Self> {
        let stream = TcpStream::connect(("127.0.0.1", port)).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, received: Vec::with_capacity(4096) })
    }

    /// Sends a request and reads the body of the response, which must be a success.
    pub(crate) async fn ask(&mut self, request: &str) -> Outcome<&[u8]> {
        self.stream.write_all(request.as_bytes()).await?;
        self.received.clear();
        loop {
            if self.stream.read_buf(&mut self.received).await? == 0 {
                return Err("the server closed a connection".into());
            }
            let Some(head) = self.received.windows(4).position(|four| four == b"\r\n\r\n") else { continue };
            let length =
                after(&self.received[..head], "content-length: ").and_then(|rest| rest.lines().next());
            if self.received.len() < head + 4 + length.unwrap_or("0").parse::<usize>()? {
                continue;
            }
            if !self.received.starts_with(b"HTTP/1.1 2") {
                return Err(String::from_utf8_lossy(&self.received).into());
            }
            return Ok(&self.received[head + 4..]);
        }
    }
}

/// The text after a marker.
pub(crate) fn after<'a>(bytes: &'a [u8], marker: &str) -> Option<&'a str> {
    std::str::from_utf8(bytes).ok()?.split_once(marker).map(|(_, rest)| rest)
}

// --- The server's process, from outside --------------------------------------------------------------------------------

pub(crate) struct ServerProcess {
    pub(crate) port: u16,
    child: Child,
    commands: ChildStdin,
    answers: Lines<BufReader<ChildStdout>>,
}

impl ServerProcess {
    /// Starts this program again, as a server. It prints its port first.
    pub(crate) async fn start(arguments: &[&str]) -> Outcome<Self> {
        let mut child = Command::new(std::env::current_exe()?)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let commands = child.stdin.take().ok_or("no standard input")?;
        let mut answers = BufReader::new(child.stdout.take().ok_or("no standard output")?).lines();
        let port = answers.next_line().await?.ok_or("the server did not start")?;
        Ok(Self { port: port.parse().map_err(|_| port)?, child, commands, answers })
    }

    /// Lets it run a statement on its pool.
    pub(crate) async fn statement(&mut self, statement: &str, timing: Timing) -> Outcome<Sample> {
        let (warm_up, time) = (timing.warm_up.as_millis(), timing.time.as_millis());
        self.commands.write_all(format!("{statement} {warm_up} {time}\n").as_bytes()).await?;
        Ok(serde_json::from_str(&self.answers.next_line().await?.ok_or("the server ended")?)?)
    }

    /// Its resident memory, if the system reports it.
    pub(crate) fn memory(&self) -> String {
        let status = self.proc("status").unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")?.split_whitespace().next());
        let kilobytes = line.and_then(|text| text.parse::<f64>().ok());
        kilobytes.map_or_else(
            || "not known".to_owned(),
            |kilobytes| format!("{:.1} MB", kilobytes * 1.024 / 1000.0),
        )
    }

    /// Its processor time so far, if the system reports it, in steps of 10 ms.
    pub(crate) fn cpu(&self) -> Duration {
        let stat = self.proc("stat").unwrap_or_default();
        let fields = stat.rsplit_once(')').map(|(_, rest)| rest).unwrap_or_default().split_whitespace();
        let ticks: u64 = fields.skip(11).take(2).filter_map(|field| field.parse::<u64>().ok()).sum();
        Duration::from_millis(ticks * 10)
    }

    /// A file about the process, on Linux.
    fn proc(&self, file: &str) -> Option<String> {
        std::fs::read_to_string(format!("/proc/{}/{file}", self.child.id()?)).ok()
    }
}

// --- The server's process, from inside ---------------------------------------------------------------------------------

/// Runs a bare statement.
pub(crate) trait Task: Worker {
    fn set(&mut self, statement: &str) -> Outcome<()>;
}

/// Runs the statements that are requested on the standard input, until it is closed.
#[expect(clippy::print_stdout, reason = "that is where the answer is awaited")]
pub(crate) async fn obey<T: Task>(mut tasks: Vec<T>) -> Outcome<()> {
    let mut commands = BufReader::new(tokio::io::stdin()).lines();
    while let Some(command) = commands.next_line().await? {
        let [statement, warm_up, time] = command.split(' ').collect::<Vec<_>>()[..] else {
            return Err(command.into());
        };
        let millis = |text: &str| text.parse().map(Duration::from_millis);
        let timing = Timing { warm_up: millis(warm_up)?, time: millis(time)? };
        for task in &mut tasks {
            task.set(statement)?;
        }
        println!("{}", serde_json::to_string(&measure(&mut tasks, timing).await?)?);
    }
    Ok(())
}
