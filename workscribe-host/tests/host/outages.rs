//! Databases that become unavailable and return: the server runs on, reports it, and recovers without a restart (guarantees 19 and 30).

use serde_json::json;
use workscribe_testkit::app::token_of;
use workscribe_testkit::databases::Schema;

use crate::client::{Client, Login, PASSWORD};
use crate::program::{Setup, until};
use crate::services::{PostgresServer, RedisServer};

/// Logs in until the limit refuses it; returns the number of successful logins.
async fn logins_until_limited(client: &Client) -> u32 {
    for times in 0..=30 {
        match client.log_in("ada@example.com").await {
            answer if answer.status == 429 => {
                assert_eq!(answer.json["code"], "RATE_LIMITED");
                assert!(answer.headers.contains_key("retry-after"), "{:?}", answer.headers);
                return times;
            }
            answer => drop(answer.expect(200)),
        }
    }
    panic!("nothing was limited");
}

#[tokio::test]
async fn with_redis_gone_all_goes_on_and_limits_still_hold() {
    let (schema, mut redis) = (Schema::new().await, RedisServer::start().await);
    let setup = Setup::new()
        .env("WORKSCRIBE_DATABASE_URL", &schema.url)
        .env("WORKSCRIBE_REDIS_URL", redis.url())
        .without("WORKSCRIBE_RATE_LIMITS");
    let mut server = setup.serve().await;
    let client = server.client.clone();
    client.register("ada@example.com").await;
    let ada = Login::of(&client.log_in("ada@example.com").await.expect(200));

    redis.kill().await;
    client.log_in("ada@example.com").await.expect(200);
    client.me(&ada).await.expect(200);
    client.organization(&ada, "engines").await.expect(201);
    client.refresh(&ada).await.expect(200);
    assert_eq!(client.get("/readyz").send().await.expect(200).json["not_ready"], json!([]));
    assert!(logins_until_limited(&client).await <= 30);
    server.process.line("rate limits are counted by each server alone").await;

    redis.start_again().await;
    until("Redis counts again", async || {
        client.log_in("ada@example.com").await;
        server.process.log().contains("rate limits are counted in Redis again")
    })
    .await;
    // A second server knows the counts in Redis.
    logins_until_limited(&client).await;
    let second = setup.serve().await;
    assert_eq!(second.client.log_in("ada@example.com").await.status, 429);
    second.process.stop().await;
    server.process.stop().await;
}

#[tokio::test]
async fn with_tokens_in_redis_everything_works_and_recovers() {
    let mut redis = RedisServer::start().await;
    let setup = Setup::new()
        .mails_to_folder()
        .env("WORKSCRIBE_TOKEN_STORE", "redis")
        .env("WORKSCRIBE_REDIS_URL", redis.url());
    let server = setup.serve().await;
    let client = &server.client;
    let first = client.register("ada@example.com").await;
    let link = setup.mailed_link("ada@example.com", "verify-email").await;
    client.post("/auth/verify-email", &json!({"token": token_of(&link)})).send().await.expect(204);
    let second = Login::of(&client.refresh(&first).await.expect(200));
    let third = Login::of(&client.refresh(&second).await.expect(200));
    client.post("/auth/logout", &json!({})).bearer(&third).send().await.expect(204);
    client.me(&third).await.expect(401);
    client.refresh(&third).await.expect(401);

    let ada = Login::of(&client.log_in("ada@example.com").await.expect(200));
    client.post("/auth/forgot-password", &json!({"email": "ada@example.com"})).send().await.expect(204);
    let link = setup.mailed_link("ada@example.com", "reset-password").await;
    let body = json!({"token": token_of(&link), "new_password": PASSWORD});
    client.post("/auth/reset-password", &body).send().await.expect(204);
    client.post("/auth/reset-password", &body).send().await.expect(400);
    client.me(&ada).await.expect(401);
    let ada = Login::of(&client.log_in("ada@example.com").await.expect(200));

    redis.kill().await;
    client.log_in("ada@example.com").await.expect_unavailable();
    client.refresh(&ada).await.expect_unavailable();
    let ready = client.get("/readyz").send().await.expect(503);
    assert_eq!(ready.json["not_ready"][0]["part"], "redis", "{}", ready.text);
    client.get("/livez").send().await.expect(200);

    redis.start_again().await;
    until("it is ready", async || client.get("/readyz").send().await.status == 200).await;
    let ada = Login::of(&client.log_in("ada@example.com").await.expect(200));
    client.me(&ada).await.expect(200);
    server.process.stop().await;
}

#[tokio::test]
async fn with_postgres_gone_it_says_503_and_recovers() {
    let postgres = PostgresServer::start().await;
    let setup = Setup::new().mails_to_folder().env("WORKSCRIBE_DATABASE_URL", postgres.url());
    let server = setup.serve().await;
    let client = &server.client;
    let ada = client.register("ada@example.com").await;
    let mut worker = setup.start(&["worker"]);
    worker.line("working").await;

    postgres.kill().await;
    client.log_in("ada@example.com").await.expect_unavailable();
    client.organization(&ada, "engines").await.expect_unavailable();
    client.refresh(&ada).await.expect_unavailable();
    until("it says that the database is gone", async || {
        let ready = client.get("/readyz").send().await;
        ready.status == 503 && ready.json["not_ready"][0]["part"] == "database"
    })
    .await;
    client.get("/livez").send().await.expect(200);
    let log = server.process.log();
    let failed = log.lines().find(|line| line.contains("request failed")).expect("a line about it");
    let failed: serde_json::Value = serde_json::from_str(failed).unwrap();
    let cause = failed["cause"].as_str().unwrap();
    assert!(cause.matches(": ").count() >= 2, "the whole chain: {cause}");
    assert!(failed["request_id"].is_string() && failed["code"] == "SERVICE_UNAVAILABLE", "{failed}");

    postgres.start_again().await;
    until("it is ready", async || client.get("/readyz").send().await.status == 200).await;
    let ada = Login::of(&client.log_in("ada@example.com").await.expect(200));
    client.organization(&ada, "engines").await.expect(201);
    client.register("grace@example.com").await;
    setup.mailed_link("grace@example.com", "verify-email").await;
    worker.stop().await;
    server.process.stop().await;
}
