//! What the benchmarks of the server share. Each is one program that is two: the one that measures starts itself again as
//! the server, asks it over kept-alive connections with a client that does next to nothing, and has it run bare statements
//! on its own pool between, so that what else the machine does touches all alike.

use std::future::Future;
use std::process::Stdio;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::net::TcpStream;
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::task::JoinSet;
use workscribe_testkit::wire::{Proxy, Traffic};

pub(crate) type Outcome<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// Connections of the client, and tasks that run the bare statement.
pub(crate) const CONNECTIONS: usize = 32;

pub(crate) fn percent(ratio: f64) -> String {
    format!("{:.0} %", ratio * 100.0)
}

// --- Measuring ---------------------------------------------------------------------------------------------------------

/// Does one thing again and again.
pub(crate) trait Worker: Send + 'static {
    fn step(&mut self) -> impl Future<Output = Outcome<()>> + Send;
}

#[derive(Clone, Copy)]
pub(crate) struct Timing {
    pub(crate) warm_up: Duration,
    pub(crate) time: Duration,
}

/// How long each took, in microseconds, and how many there were with the warm-up.
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

    /// Of the times in order.
    pub(crate) fn quantile(&self, percent: usize) -> u32 {
        self.took.get(self.took.len() * percent / 100).copied().unwrap_or_default()
    }

    #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
    pub(crate) fn rate(&self, time: Duration) -> f64 {
        self.took.len() as f64 / time.as_secs_f64()
    }
}

/// Lets all workers work at once, and gives them back.
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

/// What `requests` of a worker make of Postgres, one by one, after as many to warm up.
pub(crate) async fn traffic_of(proxy: &Proxy, worker: &mut impl Worker, requests: u64) -> Outcome<Traffic> {
    let mut before = Traffic::default();
    for _ in 0..2 {
        before = proxy.traffic();
        for _ in 0..requests {
            worker.step().await?;
        }
        // What is given back after the answer is counted too.
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Ok(proxy.traffic() - before)
}

// --- The client --------------------------------------------------------------------------------------------------------

/// A kept-alive connection. It sends what is written down, and looks only for what it must.
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

    /// Sends a request, and reads the body of its answer, which must be one of success.
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

/// What follows a marker.
pub(crate) fn after<'a>(bytes: &'a [u8], marker: &str) -> Option<&'a str> {
    std::str::from_utf8(bytes).ok()?.split_once(marker).map(|(_, rest)| rest)
}

// --- The server's process, seen from outside ---------------------------------------------------------------------------

pub(crate) struct ServerProcess {
    pub(crate) port: u16,
    child: Child,
    commands: ChildStdin,
    answers: Lines<BufReader<ChildStdout>>,
}

impl ServerProcess {
    /// This program again, as a server. It prints its port first.
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

    /// Has it run a statement on its pool.
    pub(crate) async fn statement(&mut self, statement: &str, timing: Timing) -> Outcome<Sample> {
        let (warm_up, time) = (timing.warm_up.as_millis(), timing.time.as_millis());
        self.commands.write_all(format!("{statement} {warm_up} {time}\n").as_bytes()).await?;
        Ok(serde_json::from_str(&self.answers.next_line().await?.ok_or("the server ended")?)?)
    }

    /// Resident memory, where the system tells it.
    pub(crate) fn memory(&self) -> String {
        let status = self.proc("status").unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")?.split_whitespace().next());
        let kilobytes = line.and_then(|text| text.parse::<f64>().ok());
        kilobytes.map_or_else(
            || "not known".to_owned(),
            |kilobytes| format!("{:.1} MB", kilobytes * 1.024 / 1000.0),
        )
    }

    /// Processor time so far, where the system tells it, in ticks of 10 ms.
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

// --- The server, seen from inside --------------------------------------------------------------------------------------

/// Runs a bare statement.
pub(crate) trait Task: Worker {
    fn set(&mut self, statement: &str) -> Outcome<()>;
}

/// Runs the statements that are asked for on the standard input, until nothing more can come.
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
