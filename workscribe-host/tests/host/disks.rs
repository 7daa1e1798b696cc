//! Full disks: the server reports it, reads continue, and writes continue once there is space again, without a
//! restart (guarantees 26 and 30).
//!
//! As root with the right to mount, the disks are real ones: small file systems in memory. Elsewhere nothing is mounted.
//! Two more tests run everywhere: one limits the size of files, and one uses a trigger on Postgres that fails as Postgres
//! does on a full disk.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection, query_scalar};
use tempfile::TempDir;
use workscribe_testkit::databases::Schema;
use workscribe_testkit::servers::give;

use crate::load::{Desk, Writers, nothing_is_by_half};
use crate::program::{Server, Setup, until};
use crate::services::PostgresServer;

/// A small file system, which a file of ballast can fill and free.
struct Disk(TempDir);

impl Disk {
    /// A disk of this many MiB, or `None` where mounting is not allowed.
    fn of(mebibytes: u32) -> Option<Self> {
        // Postgres' own user must be able to reach it.
        let directory = tempfile::tempdir_in("/tmp").unwrap();
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &format!("size={mebibytes}m"), "workscribe-test"]);
        let mount = mount.arg(directory.path()).stderr(Stdio::null()).status();
        if mount.is_ok_and(|status| status.success()) {
            return Some(Self(directory));
        }
        eprintln!("no file system may be mounted here: the same is shown without one beside this");
        None
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    /// Fills the disk.
    fn fill(&self) {
        let mut file =
            OpenOptions::new().append(true).create(true).open(self.path().join("ballast")).unwrap();
        let bytes = vec![1; 1 << 20];
        // The last write takes only a part of the bytes.
        while file.write(&bytes).is_ok_and(|written| written > 0) {}
    }

    /// Frees the disk.
    fn free(&self) {
        std::fs::remove_file(self.path().join("ballast")).unwrap();
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Processes that use it may be about to end.
        let _ = Command::new("umount").arg("--lazy").arg(self.path()).status();
    }
}

/// Checks a server that cannot write for a while, and its clients, which continue.
async fn is_told_and_forgotten(
    setup: &Setup,
    server: Server,
    begin: impl AsyncFnOnce(&Server),
    end: impl AsyncFnOnce(&Server),
) {
    let client = &server.client;
    let ada = Desk::new(client, "ada").await;
    let ready = async || client.get("/readyz").send().await;
    let writers = Writers::start(client, "writer").await;
    writers.write_more().await;

    begin(&server).await;
    writers.are_refused().await;
    until("it says that it cannot write", async || ready().await.status == 503).await;
    for _ in 0..5 {
        // While nothing changes, the server's report matches its behaviour.
        let said = ready().await.expect(503);
        assert_eq!(said.json["not_ready"][0]["part"], "database", "{}", said.text);
        ada.make_task(client, "Too much", 100_000).send().await.expect_unavailable();
        client.get("/livez").send().await.expect(200);
        client.me(&ada.login).await.expect(200);
        client.get("/api/v1/organizations/ada/projects").bearer(&ada.login).send().await.expect(200);
    }
    end(&server).await;

    // The guarantee is five seconds.
    until("it is ready", async || ready().await.status == 200).await;
    ada.make_task(client, "Not too much", 100_000).send().await.expect(201);
    client.log_in(&ada.email).await.expect(200);
    writers.write_more().await;
    assert_eq!(writers.find_all(client).await, 0, "nobody was left without an answer");
    nothing_is_by_half(setup).await;
    server.process.stop().await;
}

#[tokio::test]
async fn a_full_disk_under_sqlite_is_told_and_forgotten_when_there_is_space_again() {
    let Some(disk) = Disk::of(8) else { return };
    let file = disk.path().join("workscribe.db");
    let setup = Setup::new().env("WORKSCRIBE_DATABASE_URL", format!("sqlite://{}", file.display()));
    let server = setup.serve().await;
    is_told_and_forgotten(&setup, server, async |_| disk.fill(), async |_| disk.free()).await;
    is_sound(&file).await;
}

/// Limits the size of the files that a process writes, as `ulimit -f` does.
async fn limit_files(server: &Server, to: &str) {
    let (limit, process) = (format!("--fsize={to}:"), format!("--pid={}", server.process.pid()));
    let status = tokio::process::Command::new("prlimit").args([limit, process]).status().await;
    assert!(status.unwrap().success(), "prlimit (util-linux) sets the limit");
}

#[tokio::test]
async fn files_that_cannot_be_written_under_sqlite_are_told_and_forgotten() {
    let setup = Setup::new().ignoring("XFSZ");
    let server = setup.serve().await;
    let begin = async |server: &Server| limit_files(server, "4096").await;
    let end = async |server: &Server| limit_files(server, "unlimited").await;
    is_told_and_forgotten(&setup, server, begin, end).await;
    is_sound(&setup.path().join("workscribe.db")).await;
}

async fn is_sound(file: &Path) {
    let mut database =
        sqlx::SqliteConnection::connect(&format!("sqlite://{}", file.display())).await.unwrap();
    let sound: String = query_scalar("PRAGMA integrity_check").fetch_one(&mut database).await.unwrap();
    assert_eq!(sound, "ok");
}

/// Runs statements one by one.
async fn run(url: &str, statements: impl IntoIterator<Item = String>) {
    let mut connection = PgConnection::connect(url).await.unwrap();
    for statement in statements {
        connection.execute(AssertSqlSafe(statement)).await.unwrap();
    }
    connection.close().await.unwrap();
}

/// Only the tables are on the small disk, so Postgres has no space for them and continues to run.
#[tokio::test]
async fn a_full_disk_under_postgres_is_told_and_forgotten_when_there_is_space_again() {
    let Some(disk) = Disk::of(64) else { return };
    give(disk.path());
    let postgres = PostgresServer::start().await;
    let place = format!("CREATE TABLESPACE small LOCATION '{}'", disk.path().display());
    run(&postgres.url(), [place, "CREATE DATABASE small TABLESPACE small".to_owned()]).await;
    let setup = Setup::new().env("WORKSCRIBE_DATABASE_URL", postgres.url_of("small"));
    let server = setup.serve().await;
    is_told_and_forgotten(&setup, server, async |_| disk.fill(), async |_| disk.free()).await;
}

#[tokio::test]
async fn what_postgres_says_of_a_full_disk_is_told_and_forgotten() {
    let schema = Schema::new().await;
    let setup = Setup::new().env("WORKSCRIBE_DATABASE_URL", &schema.url);
    let server = setup.serve().await;
    let full = "RAISE 'could not extend file \"base/1/2\": No space left on device' USING ERRCODE = '53100'";
    let disk_is = |does: &str| {
        let body = format!("BEGIN {does}; END");
        format!("CREATE OR REPLACE FUNCTION disk () RETURNS trigger LANGUAGE plpgsql AS $${body}$$")
    };
    run(&schema.url, [disk_is("RETURN NULL")]).await;
    let mut connection = PgConnection::connect(&schema.url).await.unwrap();
    let tables = "SELECT relname::text FROM pg_class
                   WHERE relnamespace = current_schema()::regnamespace AND relkind = 'r'";
    for table in query_scalar::<_, String>(tables).fetch_all(&mut connection).await.unwrap() {
        let trigger =
            format!("CREATE TRIGGER disk BEFORE INSERT OR UPDATE ON {table} EXECUTE FUNCTION disk()");
        connection.execute(AssertSqlSafe(trigger)).await.unwrap();
    }
    let begin = async |_: &Server| run(&schema.url, [disk_is(full)]).await;
    let end = async |_: &Server| run(&schema.url, [disk_is("RETURN NULL")]).await;
    is_told_and_forgotten(&setup, server, begin, end).await;
}

/// Without space for its log Postgres ends at once. It restarts by itself if there is enough space for that; otherwise an operator
/// must start it.
#[tokio::test]
async fn a_full_disk_under_the_log_of_postgres_is_told_and_forgotten() {
    let Some(disk) = Disk::of(40) else { return };
    give(disk.path());
    let postgres = PostgresServer::start().await;
    let mut connection = PgConnection::connect(&postgres.url()).await.unwrap();
    let data: String = query_scalar("SHOW data_directory").fetch_one(&mut connection).await.unwrap();
    connection.close().await.unwrap();
    postgres.stop().await;
    let (log, there) = (Path::new(&data).join("pg_wal"), disk.path().join("pg_wal"));
    assert!(Command::new("mv").args([&log, &there]).status().unwrap().success());
    std::os::unix::fs::symlink(&there, &log).unwrap();
    postgres.start_again().await;

    let setup = Setup::new().env("WORKSCRIBE_DATABASE_URL", postgres.url());
    let server = setup.serve().await;
    let client = &server.client;
    let writers = Writers::start(client, "writer").await;
    writers.write_more().await;
    disk.fill();
    // Uses up the segments of the log.
    until("Postgres has ended", async || {
        let Ok(mut connection) = PgConnection::connect(&postgres.url()).await else { return true };
        connection.execute("SELECT pg_switch_wal()").await.is_err()
    })
    .await;
    writers.are_refused().await;
    until("it says so", async || client.get("/readyz").send().await.status == 503).await;
    client.get("/livez").send().await.expect(200);

    disk.free();
    // A server that is about to end prevents another one from starting.
    until("Postgres is there", async || {
        tokio::time::timeout(std::time::Duration::from_secs(5), postgres.start_again()).await.is_ok()
    })
    .await;
    until("it is ready", async || client.get("/readyz").send().await.status == 200).await;
    writers.write_more().await;
    assert_eq!(writers.find_all(client).await, 0, "nobody was left without an answer");
    nothing_is_by_half(&setup).await;
    server.process.stop().await;
}
