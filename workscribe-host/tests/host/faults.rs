//! Faults under load: a database that hangs, connections that are cut, and a server that ends beside another. No response is an
//! internal error, acknowledged writes are stored, and everything continues without a restart (guarantees 19, 26 and 30).

use std::collections::BTreeSet;
use std::str::FromStr as _;

use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions as _, query, query_scalar};
use tokio::net::TcpListener;
use workscribe_sql::{Options, SqliteStorage};
use workscribe_testkit::databases::Schema;

use crate::load::{Desk, WRITERS, Writers, nothing_is_by_half};
use crate::program::{Setup, until};
use crate::services::PostgresServer;

#[tokio::test]
async fn with_a_postgres_that_hangs_everybody_is_answered_and_served_again_when_it_goes_on() {
    let postgres = PostgresServer::start().await;
    let setup = Setup::new().env("WORKSCRIBE_DATABASE_URL", postgres.url());
    let server = setup.serve().await;
    let client = &server.client;
    let ada = Desk::new(client, "ada").await;
    let writers = Writers::start(client, "writer").await;
    writers.write_more().await;

    postgres.freeze();
    // Each of these gets a response before its client would give up.
    let (said, me, login, task, again) = tokio::join!(
        client.get("/readyz").send(),
        client.me(&ada.login),
        client.log_in(&ada.email),
        ada.make_task(client, "Wait", 100).send(),
        client.refresh(&ada.login),
    );
    assert_eq!(said.expect(503).json["not_ready"][0]["part"], "database");
    for answer in [me, login, task, again] {
        answer.expect_unavailable();
    }
    writers.are_refused().await;
    client.get("/readyz").send().await.expect(503);
    client.get("/livez").send().await.expect(200);
    postgres.thaw();

    // The guarantee is five seconds.
    until("it is ready", async || client.get("/readyz").send().await.status == 200).await;
    client.me(&ada.login).await.expect(200);
    client.log_in(&ada.email).await.expect(200);
    writers.write_more().await;
    assert_eq!(writers.find_all(client).await, 0, "nobody was left without an answer");
    nothing_is_by_half(&setup).await;
    server.process.stop().await;
}

#[tokio::test]
async fn connections_to_postgres_that_are_cut_again_and_again_cost_nobody_what_was_acknowledged() {
    let schema = Schema::new().await;
    let setup = Setup::new().env("WORKSCRIBE_DATABASE_URL", &schema.url);
    let server = setup.serve().await;
    let client = &server.client;
    let ada = Desk::new(client, "ada").await;
    let writers = Writers::start(client, "writer").await;

    let own = PgConnectOptions::from_str(&schema.url).unwrap().application_name("operator");
    let mut operator = own.connect().await.unwrap();
    let mut cut = 0;
    for _ in 0..6 {
        writers.write_more().await;
        let all = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name = $1";
        cut += query_scalar::<_, i64>(all).bind(&schema.name).fetch_one(&mut operator).await.unwrap();
        // Reads are affected too.
        let me = client.me(&ada.login).await;
        if me.status != 200 {
            me.expect_unavailable();
        }
    }
    assert!(cut >= 6, "there was something to cut: {cut}");

    // The guarantee is five seconds.
    until("it is ready", async || client.get("/readyz").send().await.status == 200).await;
    writers.write_more().await;
    assert_eq!(writers.find_all(client).await, 0, "nobody was left without an answer");
    nothing_is_by_half(&setup).await;
    let log = server.process.stop().await;
    assert!(!log.contains("\"INTERNAL_ERROR\""), "nobody was told that the server is to blame: {log}");
}

/// Accepts connections and never responds, so a mail to it is sent forever.
async fn mute() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("smtp://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        let mut taken = Vec::new();
        while let Ok((connection, _)) = listener.accept().await {
            taken.push(connection);
        }
    });
    url
}

#[tokio::test]
async fn of_two_servers_on_one_file_the_other_goes_on_when_one_is_killed() {
    let setup = Setup::new();
    let dying = setup.clone().env("WORKSCRIBE_MAIL", mute().await).serve().await;
    let doomed = Writers::start(&dying.client, "doomed").await;
    let storage = SqliteStorage::connect(&setup.sqlite_url(), &Options::default()).await.unwrap();
    let running = async || -> BTreeSet<String> {
        let mails = "SELECT hex(id) FROM ws_jobs WHERE state = 'running' AND queue = 'mail'";
        query_scalar(mails).fetch_all(storage.pool()).await.unwrap().into_iter().collect()
    };
    until("it is about to send mails", async || !running().await.is_empty()).await;

    let setup = setup.mails_to_folder();
    let staying = setup.serve().await;
    let client = &staying.client;
    let writers = Writers::start(client, "other").await;
    writers.write_more().await;
    doomed.write_more().await;
    let left = running().await;
    dying.process.kill().await;
    writers.write_more().await;
    client.get("/readyz").send().await.expect(200);

    // The leases of those jobs expire now, instead of in a minute.
    for id in &left {
        let end =
            query("UPDATE ws_jobs SET lease_until = 1 WHERE hex(id) = $1 AND state = 'running'").bind(id);
        end.execute(storage.writer()).await.unwrap();
    }
    for number in 0..WRITERS {
        setup.mailed_link(&format!("doomed-{number}@example.com"), "verify-email").await;
    }
    assert_eq!(writers.find_all(client).await, 0, "nobody was left without an answer");
    assert_eq!(doomed.find_all(client).await, WRITERS, "all of them met the other's end");
    let sound: String = query_scalar("PRAGMA integrity_check").fetch_one(storage.pool()).await.unwrap();
    assert_eq!(sound, "ok");
    nothing_is_by_half(&setup).await;
    staying.process.stop().await;
}
