//! Two servers on Postgres behind PgBouncer in transaction mode, with fewer sessions than there are clients.

use serde_json::json;
use tokio::task::JoinSet;
use workscribe_testkit::app::token_of;
use workscribe_testkit::databases::Schema;
use workscribe_testkit::servers::PgBouncer;

use crate::client::{Client, Login};
use crate::program::Setup;

const SESSIONS: u32 = 5;
const CLIENTS: usize = 12;

/// The first steps of a user: an account, an organization, a project and tasks, and a list of the tasks.
async fn journey(client: Client, number: usize) {
    let email = format!("client-{number}@example.com");
    client.register(&email).await;
    let login = Login::of(&client.log_in(&email).await.expect(200));
    let slug = format!("org-{number}");
    client.organization(&login, &slug).await.expect(201);
    let wanted_by_all = client.organization(&login, "wanted-by-all").await;
    assert!(matches!(wanted_by_all.status, 201 | 409), "{}", wanted_by_all.text);
    let projects = format!("/organizations/{slug}/projects");
    let body = json!({"name": "Website", "key": "WEB", "type": "kanban"});
    client.post(&projects, &body).bearer(&login).send().await.expect(201);
    for title in ["Publish", "Measure", "Improve"] {
        let tasks = format!("{projects}/WEB/tasks");
        client.post(&tasks, &json!({"title": title})).bearer(&login).send().await.expect(201);
    }
    let tasks = format!("/api/v1{projects}/WEB/tasks");
    let tasks = client.get(&tasks).bearer(&login).send().await.expect(200);
    assert_eq!(tasks.json["tasks"].as_array().unwrap().len(), 3, "{}", tasks.text);
    client.refresh(&login).await.expect(200);
}

#[tokio::test]
async fn two_servers_share_the_sessions_of_a_pooler_and_everything_works() {
    let schema = Schema::new().await;
    let pooler = PgBouncer::before(&schema, SESSIONS).await;
    let setup = Setup::new()
        .mails_to_folder()
        .env("WORKSCRIBE_DATABASE_URL", &pooler.url)
        .env("WORKSCRIBE_POSTGRES_POOLER", "transaction");
    // Both servers migrate.
    let (one, other) = tokio::join!(setup.serve(), setup.serve());
    let mut clients = JoinSet::new();
    for number in 0..CLIENTS {
        let server = if number % 2 == 0 { &one } else { &other };
        clients.spawn(journey(server.client.clone(), number));
    }
    clients.join_all().await;
    // A snapshot over several statements.
    let first = Login::of(&one.client.log_in("client-0@example.com").await.expect(200));
    let export = other.client.get("/api/v1/organizations/org-0/export").bearer(&first).send().await;
    assert!(export.expect(200).text.contains("\"Publish\""));
    let link = setup.mailed_link("client-0@example.com", "verify-email").await;
    let body = json!({"token": token_of(&link)});
    other.client.post("/auth/verify-email", &body).send().await.expect(204);
    let doctor = setup.run(&["doctor"]).await;
    assert_eq!(doctor.code, Some(0), "{doctor:?}");
    for server in [one, other] {
        let log = server.process.stop().await;
        assert!(!log.contains("\"level\":\"ERROR\""), "{log}");
    }
}
