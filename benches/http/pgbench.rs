//! pgbench beside the API, on a scratch database of the same cluster.

use std::process::Stdio;
use std::time::Duration;

use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Connection as _, Executor as _};
use tokio::process::Command;

use super::support::{CONNECTIONS, Outcome};

pub(super) struct PgBench {
    server: String,
    database: String,
}

impl PgBench {
    /// Creates its tables in a separate database; `None` when the program is not installed.
    pub(super) async fn on(server: &str) -> Outcome<Option<Self>> {
        if Command::new("pgbench").arg("--version").stdout(Stdio::null()).status().await.is_err() {
            return Ok(None);
        }
        let database = format!("ws_pgbench_{}", std::process::id());
        let pgbench = Self { server: server.to_owned(), database };
        pgbench.execute(format!("CREATE DATABASE {}", pgbench.database)).await?;
        pgbench.run(&["-i", "-s", "10", "-q"]).await?;
        Ok(Some(pgbench))
    }

    /// Its rate with one of its scripts, per second.
    pub(super) async fn rate(&self, script: &str, time: Duration) -> Outcome<f64> {
        let (connections, seconds) = (CONNECTIONS.to_string(), time.as_secs().to_string());
        let arguments = [script, "-n", "-M", "prepared", "-c", &connections, "-T", &seconds];
        let said = self.run(&arguments).await?;
        let rate = said.lines().find_map(|line| line.strip_prefix("tps = ")?.split_whitespace().next());
        Ok(rate.ok_or("pgbench says no rate")?.parse()?)
    }

    pub(super) async fn drop(self) -> Outcome<()> {
        self.execute(format!("DROP DATABASE {} WITH (FORCE)", self.database)).await
    }

    async fn run(&self, arguments: &[&str]) -> Outcome<String> {
        let ran = Command::new("pgbench").args(arguments).arg(self.url()?).output().await?;
        if !ran.status.success() {
            return Err(String::from_utf8_lossy(&ran.stderr).into());
        }
        Ok(String::from_utf8_lossy(&ran.stdout).into())
    }

    /// The server's URL with the scratch database.
    fn url(&self) -> Outcome<String> {
        let (before, after) = self.server.split_once("://").ok_or("the server's URL has no address")?;
        let (authority, rest) = after.split_once('/').unwrap_or((after, ""));
        let query = rest.split_once('?').map(|(_, query)| format!("?{query}")).unwrap_or_default();
        Ok(format!("{before}://{authority}/{}{query}", self.database))
    }

    async fn execute(&self, statement: String) -> Outcome<()> {
        let mut connection = PgConnection::connect(&self.server).await?;
        connection.execute(AssertSqlSafe(statement)).await?;
        Ok(connection.close().await?)
    }
}
