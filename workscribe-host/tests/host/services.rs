//! A separate Postgres and a separate Redis, which a test may kill. `./test` finds their programs.

use std::process::Stdio;

use tempfile::TempDir;
use tokio::process::Child;
pub(crate) use workscribe_testkit::servers::PostgresServer;
use workscribe_testkit::servers::{free_port, named};

use crate::program::until;

/// A Redis that loses all data when it is killed.
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
