//! Separate servers for one test, which it may freeze, restart and kill. `./test` finds their programs. Each server listens on a
//! loopback port, and ends when its value is dropped.

#![expect(clippy::expect_used, reason = "a test cannot go on without its server")]

use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::str::FromStr as _;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{ConnectOptions as _, Connection as _};
use tempfile::TempDir;
use tokio::net::{TcpListener, TcpStream};
use workscribe_core::clock::{Entropy as _, SystemEntropy};

use crate::schema::Schema;

/// Names the directory with the programs of Postgres.
pub const POSTGRES_BIN: &str = "WORKSCRIBE_TEST_POSTGRES_BIN";
/// Names the program of PgBouncer.
pub const PGBOUNCER_BIN: &str = "WORKSCRIBE_TEST_PGBOUNCER_BIN";

/// The maximum wait. Nothing here takes this long unless it hangs.
const PATIENCE: Duration = Duration::from_secs(60);

/// A Postgres that keeps committed data when it is killed, as in production: its processes end, not the machine.
pub struct PostgresServer {
    port: u16,
    directory: TempDir,
    settings: Vec<String>,
}

impl PostgresServer {
    /// Creates an empty server, and starts it.
    ///
    /// # Panics
    /// When it does not start, or `WORKSCRIBE_TEST_POSTGRES_BIN` is not set.
    pub async fn start() -> Self {
        Self::start_with(&[]).await
    }

    /// As [`PostgresServer::start`], with settings such as `autovacuum=off`.
    ///
    /// # Panics
    /// As [`PostgresServer::start`], and for an unknown setting.
    pub async fn start_with(settings: &[&str]) -> Self {
        let settings = settings.iter().map(|&setting| setting.to_owned()).collect();
        let server = Self { port: free_port().await, directory: directory(), settings };
        let mut initdb = server.program("initdb");
        initdb.args(["-U", "postgres", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync"]);
        insist(initdb).await;
        server.start_again().await;
        server
    }

    /// Its URL, which stays the same after a restart.
    #[must_use]
    pub fn url(&self) -> String {
        self.url_of("postgres")
    }

    /// The URL of a database of this name on it.
    #[must_use]
    pub fn url_of(&self, database: &str) -> String {
        format!("postgres://postgres@127.0.0.1:{}/{database}", self.port)
    }

    /// Starts the ended server again, and waits until it answers.
    ///
    /// # Panics
    /// When it does not start.
    pub async fn start_again(&self) {
        // A child of this process instead of a daemon by pg_ctl, so that it ends when the tests are ended.
        let mut postgres = self.program("postgres");
        postgres.args(["-p", &self.port.to_string(), "-c", "listen_addresses=127.0.0.1"]);
        postgres.args(["-c", "unix_socket_directories=", "-c", "max_connections=80"]);
        // It makes no difference while the machine itself runs.
        postgres.args(["-c", "fsync=off"]);
        postgres.args(self.settings.iter().flat_map(|setting| ["-c", setting]));
        // Tokio's `Command`, which waits for the end of the process in the background.
        tokio::process::Command::from(postgres).spawn().expect("Postgres' program is run");
        let url = self.url();
        until("Postgres answers", async || PgConnection::connect(&url).await.is_ok()).await;
    }

    /// Kills the server, at any point of its work.
    ///
    /// # Panics
    /// When it is not running.
    pub async fn kill(&self) {
        insist(self.stopped("immediate")).await;
    }

    /// Stops the server in order, which interrupts its clients' statements.
    ///
    /// # Panics
    /// When it is not running.
    pub async fn stop(&self) {
        insist(self.stopped("fast")).await;
    }

    /// Stops all its processes, as on a machine that hangs: connections stay open, and nothing answers.
    ///
    /// # Panics
    /// When it is not running.
    pub fn freeze(&self) {
        assert!(self.signal("STOP"), "Postgres is not running");
    }

    /// Lets its processes continue.
    ///
    /// # Panics
    /// When it is not running.
    pub fn thaw(&self) {
        assert!(self.signal("CONT"), "Postgres is not running");
    }

    /// Sends a signal to the first process and its children; returns whether the first one got it.
    fn signal(&self, name: &str) -> bool {
        let noted = std::fs::read_to_string(self.directory.path().join("data/postmaster.pid"));
        let Some(first) = noted.ok().and_then(|text| text.lines().next().map(str::to_owned)) else {
            return false;
        };
        let send = |to: &str| {
            let sent = Command::new("kill").args([&format!("-{name}"), to]).status();
            sent.is_ok_and(|status| status.success())
        };
        // The first process first: once it is stopped it starts no more children. A child may end at the same time.
        let is_sent = send(&first);
        let children = std::fs::read_to_string(format!("/proc/{first}/task/{first}/children"));
        for child in children.unwrap_or_default().split_whitespace() {
            send(child);
        }
        is_sent
    }

    fn stopped(&self, mode: &str) -> Command {
        let mut stop = self.program("pg_ctl");
        stop.args(["-m", mode, "-w", "stop"]);
        stop
    }

    fn program(&self, name: &str) -> Command {
        let mut command = as_server(&named(POSTGRES_BIN).join(name));
        command.arg("-D").arg(self.directory.path().join("data"));
        command
    }
}

impl Drop for PostgresServer {
    fn drop(&mut self) {
        // The server may have ended already, or may be frozen.
        self.signal("CONT");
        let _ = self.stopped("immediate").status();
    }
}

/// A PgBouncer in transaction mode in front of a schema, with few sessions for many clients.
pub struct PgBouncer {
    /// The schema's URL with the pooler's address.
    pub url: String,
    process: Child,
    _directory: TempDir,
}

impl PgBouncer {
    /// Starts a PgBouncer with this many sessions on the server.
    ///
    /// # Panics
    /// When it does not start, or `WORKSCRIBE_TEST_PGBOUNCER_BIN` is not set.
    pub async fn before(schema: &Schema, sessions: u32) -> Self {
        let directory = directory();
        let settings = directory.path().join("pgbouncer.ini");
        for _ in 0..5 {
            let port = free_port().await;
            std::fs::write(&settings, text_of_settings(schema, sessions, port)).expect("a file is written");
            give(&settings);
            let mut process =
                as_server(&named(PGBOUNCER_BIN)).arg(&settings).spawn().expect("PgBouncer is run");
            let mut ended = false;
            until("PgBouncer answers", async || {
                ended = process.try_wait().is_ok_and(|status| status.is_some());
                ended || TcpStream::connect(("127.0.0.1", port)).await.is_ok()
            })
            .await;
            let name = &schema.name;
            let url = format!(
                "postgres://postgres@127.0.0.1:{port}/{name}?application_name={name}&sslmode=disable"
            );
            if !ended {
                return Self { url, process, _directory: directory };
            }
        }
        panic!("PgBouncer ends as soon as it is started");
    }
}

/// Only its mode and addresses: WorkScribe needs no other setting.
fn text_of_settings(schema: &Schema, sessions: u32, port: u16) -> String {
    let server = PgConnectOptions::from_str(&schema.url).expect("the URL is one of Postgres");
    let password = server.to_url_lossy().password().unwrap_or_default().replace('+', "%2B");
    let password = url::form_urlencoded::parse(format!("p={password}").as_bytes())
        .next()
        .filter(|(_, value)| !value.is_empty())
        .map(|(_, value)| format!("password='{}' ", value.replace('\'', "''")))
        .unwrap_or_default();
    let (host, upstream, user) = (server.get_host(), server.get_port(), server.get_username());
    let (name, database) = (&schema.name, server.get_database().unwrap_or(user));
    format!(
        "[databases]\n\
         {name} = host={host} port={upstream} dbname={database} user={user} {password}connect_query='SET search_path TO {name}'\n\
         [pgbouncer]\n\
         listen_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\nauth_type = any\n\
         pool_mode = transaction\ndefault_pool_size = {sessions}\nmax_client_conn = 200\n"
    )
}

impl Drop for PgBouncer {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A free port, below the range from which the system takes ports for outgoing connections.
///
/// # Panics
/// Never. While no port is free, it keeps trying.
pub async fn free_port() -> u16 {
    loop {
        let mut random = [0; 2];
        SystemEntropy.fill(&mut random);
        let port = 20_000 + u16::from_ne_bytes(random) % 12_000;
        if TcpListener::bind(("127.0.0.1", port)).await.is_ok() {
            return port;
        }
    }
}

/// The program whose path a variable contains.
///
/// # Panics
/// When the variable is not set.
#[must_use]
pub fn named(variable: &str) -> PathBuf {
    let path = std::env::var_os(variable);
    PathBuf::from(path.unwrap_or_else(|| panic!("{variable} is not set; ./test sets it")))
}

/// A directory that the servers' user can use.
fn directory() -> TempDir {
    // That user must be able to reach it, so root uses /tmp.
    let made = if number("-u", None) == 0 { tempfile::tempdir_in("/tmp") } else { tempfile::tempdir() };
    let directory = made.expect("a temporary directory is made");
    give(directory.path());
    directory
}

/// Makes the servers' user the owner of a file, and the only user with access to it.
///
/// # Panics
/// When the file does not belong to the caller.
pub fn give(path: &Path) {
    if let Some((user, group)) = other_user() {
        std::os::unix::fs::chown(path, Some(user), Some(group)).expect("root may give files away");
    }
    let mode = if path.is_dir() { 0o700 } else { 0o600 };
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).expect("the file is ours");
}

/// A command for a server's program, run as a user that it accepts: neither Postgres nor PgBouncer runs as root.
fn as_server(program: &Path) -> Command {
    let mut command = Command::new(program);
    if let Some((user, group)) = other_user() {
        command.uid(user).gid(group);
    }
    command.env("LC_ALL", "C").current_dir("/");
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command
}

/// The user and the group that run the servers when the tests run as root.
fn other_user() -> Option<(u32, u32)> {
    if number("-u", None) != 0 {
        return None;
    }
    let known = Command::new("id").arg("postgres").stdout(Stdio::null()).stderr(Stdio::null()).status();
    let user = if known.is_ok_and(|status| status.success()) { "postgres" } else { "nobody" };
    Some((number("-u", Some(user)), number("-g", Some(user))))
}

fn number(which: &str, of: Option<&str>) -> u32 {
    let output = Command::new("id").arg(which).args(of).output().expect("id is run");
    String::from_utf8_lossy(&output.stdout).trim().parse().expect("id answers a number")
}

async fn insist(command: Command) {
    let mut command = tokio::process::Command::from(command);
    let status = tokio::time::timeout(PATIENCE, command.status()).await.expect("it ends in time");
    let status = status.expect("the program is run");
    assert!(status.success(), "{command:?}: {status}");
}

async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let waiting = async {
        while !holds().await {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let in_time = tokio::time::timeout(PATIENCE, waiting).await;
    assert!(in_time.is_ok(), "waited in vain until {what}");
}
