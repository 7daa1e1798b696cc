//! The first steps of users on each database, and their mails.

use serde_json::json;
use workscribe_testkit::app::token_of;
use workscribe_testkit::databases::Schema;

use crate::client::{Login, PASSWORD};
use crate::program::{Server, Setup};
use crate::services::RedisServer;

/// Registers, logs in and creates an organization, as the README shows.
async fn first_steps(server: Server) {
    let client = &server.client;
    client.register("ada@example.com").await;
    let ada = Login::of(&client.log_in("ada@example.com").await.expect(200));
    assert_eq!(client.me(&ada).await.expect(200).json["email"], "ada@example.com");
    let made = client.organization(&ada, "analytical-engines").await.expect(201);
    assert_eq!(made.headers["location"], "/api/v1/organizations/analytical-engines");
    let seen = client.get("/api/v1/organizations/analytical-engines").bearer(&ada).send().await.expect(200);
    assert_eq!(seen.json, made.json);
    assert_eq!(client.get("/docs").send().await.status, 200);
    server.process.stop().await;
}

#[tokio::test]
async fn first_steps_on_sqlite() {
    let setup = Setup::new();
    first_steps(setup.serve().await).await;
    let files = std::fs::read_dir(setup.path()).unwrap().map(|file| file.unwrap().file_name());
    let mut files: Vec<_> = files.map(|name| name.into_string().unwrap()).collect();
    files.sort();
    assert_eq!(files, ["workscribe.db", "workscribe.db.secret"], "the log was cleared away");
}

#[tokio::test]
async fn first_steps_on_postgres() {
    let schema = Schema::new().await;
    first_steps(Setup::new().env("WORKSCRIBE_DATABASE_URL", &schema.url).serve().await).await;
}

#[tokio::test]
async fn links_in_mails_hold_the_public_url_whatever_the_host_header_says() {
    let setup = Setup::new().mails_to_folder().env("WORKSCRIBE_PUBLIC_URL", "https://app.example.com/base");
    let server = setup.serve().await;
    let client = &server.client;
    let body = json!({"display_name": "Ada", "email": "ada@example.com", "password": PASSWORD});
    let forged = client.post("/auth/register", &body).header("host", "evil.example");
    let forged = forged.header("x-forwarded-host", "evil.example").header("forwarded", "host=evil.example");
    let ada = Login::of(&forged.send().await.expect(201));

    let link = setup.mailed_link("ada@example.com", "verify-email").await;
    assert!(link.starts_with("https://app.example.com/base/verify-email?token="), "{link}");
    client.post("/auth/verify-email", &json!({"token": token_of(&link)})).send().await.expect(204);
    assert_eq!(client.me(&ada).await.json["email_verified"], true);

    client.organization(&ada, "engines").await.expect(201);
    let body = json!({"email": "grace@example.com", "role": "member"});
    let invite = client.post("/organizations/engines/invite", &body).bearer(&ada);
    invite.header("host", "evil.example").send().await.expect(201);
    let link = setup.mailed_link("grace@example.com", "invitations").await;
    assert!(link.starts_with("https://app.example.com/base/invitations/"), "{link}");
    let path = format!("/auth/invitations/{}/accept", token_of(&link));
    let body = json!({"display_name": "Grace Hopper", "password": PASSWORD});
    let grace = Login::of(&client.post(&path, &body).send().await.expect(200));
    client.get("/api/v1/organizations/engines").bearer(&grace).send().await.expect(200);

    let body = json!({"email": "ada@example.com"});
    let forgot = client.post("/auth/forgot-password", &body).header("host", "evil.example");
    forgot.send().await.expect(204);
    let link = setup.mailed_link("ada@example.com", "reset-password").await;
    assert!(link.starts_with("https://app.example.com/base/reset-password?token="), "{link}");
    server.process.stop().await;
}

/// A server without a worker, and a separate worker.
async fn separate_worker(setup: Setup) {
    let setup = setup.mails_to_folder();
    let server = setup.serve_with(&["serve", "--no-worker"]).await;
    let client = &server.client;
    client.register("ada@example.com").await;
    let folder = setup.path().join("mails");
    let mut worker = setup.start(&["worker"]);
    worker.line("working").await;
    setup.mailed_link("ada@example.com", "verify-email").await;
    // And a job that is enqueued while the worker waits.
    client.register("grace@example.com").await;
    setup.mailed_link("grace@example.com", "verify-email").await;
    worker.stop().await;

    client.register("edith@example.com").await;
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 2, "the server itself sends nothing");
    assert!(!server.process.stop().await.contains("job completed"));
}

#[tokio::test]
async fn a_separate_worker_sends_the_mails() {
    separate_worker(Setup::new()).await;
    let schema = Schema::new().await;
    separate_worker(Setup::new().env("WORKSCRIBE_DATABASE_URL", &schema.url)).await;
}

#[tokio::test]
async fn a_separate_worker_sends_the_mails_with_redis_to_wake_it() {
    let (schema, redis) = (Schema::new().await, RedisServer::start().await);
    let setup = Setup::new().env("WORKSCRIBE_DATABASE_URL", &schema.url);
    separate_worker(setup.env("WORKSCRIBE_REDIS_URL", redis.url())).await;
}
