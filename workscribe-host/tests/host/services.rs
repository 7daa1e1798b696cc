//! A Postgres and a Redis of one's own, to be killed. Their programs are those that `./test` has found.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use sqlx::Connection as _;
use tempfile::TempDir;
use tokio::process::Child;

use crate::program::{PATIENCE, until};

/// A port that is free now, below the range from which the system takes ports for outgoing connections.
async fn free_port() -> u16 {
    loop {
        let mut random = [0; 2];
        workscribe_core::clock::Entropy::fill(&workscribe_core::clock::SystemEntropy, &mut random);
        let port = 20_000 + u16::from_ne_bytes(random) % 12_000;
        if tokio::net::TcpListener::bind(("127.0.0.1", port)).await.is_ok() {
            return port;
        }
    }
}

fn named(variable: &str) -> PathBuf {
    let path = std::env::var_os(variable);
    PathBuf::from(path.unwrap_or_else(|| panic!("{variable} is not set; ./test sets it")))
}

/// A Redis that keeps nothing when it is killed.
pub(crate) struct RedisServer {
    port: u16,
    directory: TempDir,
    child: Option<Child>,
}

impl RedisServer {
    pub(crate) async fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let mut redis = Self { port: free_port().await, directory, child: None };
        redis.start_again().await;
        redis
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    pub(crate) async fn start_again(&mut self) {
        let mut command = tokio::process::Command::new(named("WORKSCRIBE_TEST_REDIS_BIN"));
        command.args(["--bind", "127.0.0.1", "--port", &self.port.to_string()]);
        command.args(["--save", "", "--appendonly", "no", "--dir"]).arg(self.directory.path());
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
        self.child = Some(command.spawn().unwrap());
        let address = ("127.0.0.1", self.port);
        until("Redis answers", async || tokio::net::TcpStream::connect(address).await.is_ok()).await;
    }

    pub(crate) async fn kill(&mut self) {
        self.child.take().expect("it runs").kill().await.unwrap();
    }
}

/// A Postgres that keeps what was committed when it is killed, as it would in earnest: its processes die, not the machine.
pub(crate) struct PostgresServer {
    port: u16,
    directory: TempDir,
}

impl PostgresServer {
    pub(crate) async fn start() -> Self {
        // Postgres' own user must be able to pass through the directory, hence /tmp for root.
        let directory = if is_root() { tempfile::tempdir_in("/tmp") } else { tempfile::tempdir() }.unwrap();
        let server = Self { port: free_port().await, directory };
        let data = server.data();
        if is_root() {
            use std::os::unix::fs::PermissionsExt as _;
            let open = std::fs::Permissions::from_mode(0o755);
            std::fs::set_permissions(server.directory.path(), open).unwrap();
            std::fs::create_dir(&data).unwrap();
            let given = Command::new("chown").arg(user()).arg(&data).status().unwrap();
            assert!(given.success());
        }
        let mut initdb = server.program("initdb");
        initdb.args(["-U", "postgres", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync"]);
        insist(initdb).await;
        server.start_again().await;
        server
    }

    pub(crate) fn url(&self) -> String {
        format!("postgres://postgres@127.0.0.1:{}/postgres", self.port)
    }

    pub(crate) async fn start_again(&self) {
        // A child of this process, not a daemon by pg_ctl: what ends the tests ends it too.
        let mut postgres = self.program("postgres");
        postgres.args(["-p", &self.port.to_string(), "-c", "listen_addresses=127.0.0.1"]);
        postgres.args(["-c", "unix_socket_directories=", "-c", "max_connections=80"]);
        // Of no matter as long as the machine itself stays up.
        postgres.args(["-c", "fsync=off"]);
        tokio::process::Command::from(postgres).spawn().unwrap();
        let url = self.url();
        until("Postgres answers", async || sqlx::PgConnection::connect(&url).await.is_ok()).await;
    }

    /// Kills it, in the midst of whatever it does.
    pub(crate) async fn kill(&self) {
        insist(self.stop()).await;
    }

    fn stop(&self) -> Command {
        let mut stop = self.program("pg_ctl");
        stop.args(["-m", "immediate", "-w", "stop"]);
        stop
    }

    fn data(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    /// One of Postgres' programs, run as a user that it accepts.
    fn program(&self, name: &str) -> Command {
        let program = named("WORKSCRIBE_TEST_POSTGRES_BIN").join(name);
        let mut command = if !is_root() {
            Command::new(program)
        } else if Path::new("/usr/bin/setpriv").exists() {
            let mut command = Command::new("setpriv");
            command.args([&format!("--reuid={}", user()), "--clear-groups", "--"]).arg(program);
            command
        } else {
            let mut command = Command::new("runuser");
            command.args(["-u", user(), "--"]).arg(program);
            command
        };
        command.env("LC_ALL", "C").current_dir("/").arg("-D").arg(self.data());
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command
    }
}

impl Drop for PostgresServer {
    fn drop(&mut self) {
        // It may be down already.
        let _ = self.stop().status();
    }
}

async fn insist(command: Command) {
    let mut command = tokio::process::Command::from(command);
    let status = tokio::time::timeout(PATIENCE, command.status()).await.expect("it ends").unwrap();
    assert!(status.success(), "{command:?}: {status}");
}

fn is_root() -> bool {
    let id = Command::new("id").arg("-u").output().unwrap();
    id.stdout.trim_ascii() == b"0"
}

/// Who owns Postgres' files when this runs as root.
fn user() -> &'static str {
    let known = Command::new("id").arg("postgres").stdout(Stdio::null()).stderr(Stdio::null()).status();
    if known.unwrap().success() { "postgres" } else { "nobody" }
}
