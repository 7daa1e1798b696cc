//! The content of the log, and what must not be in it (guarantee 31).

use serde_json::{Value, json};
use workscribe_testkit::app::token_of;
use workscribe_testkit::databases::Schema;

use crate::client::{Login, PASSWORD};
use crate::program::Setup;

/// A session with successes and failures of every kind; returns the log, and the secrets that must not be in it.
async fn eventful_session(setup: Setup) -> (String, Vec<String>) {
    let setup = setup.mails_to_folder().env("WORKSCRIBE_JWT_SECRET", "a-key-that-nobody-may-see-in-a-log");
    let server = setup.serve().await;
    let client = &server.client;
    let mut secrets = vec!["a-key-that-nobody-may-see-in-a-log".to_owned(), PASSWORD.to_owned()];
    let mut keep = |text: &str| secrets.push(text.to_owned());

    let ada = client.register("ada@example.com").await;
    let verify = token_of(&setup.mailed_link("ada@example.com", "verify-email").await);
    for _ in 0..2 {
        client.post("/auth/verify-email", &json!({"token": verify})).send().await;
    }
    let body = json!({"email": "ada@example.com", "password": "wrong-but-close-to-it"});
    client.post("/auth/login", &body).send().await.expect(401);
    let body = json!({"display_name": 5, "email": "x@example.com", "password": "unparsed-password"});
    client.post("/auth/register", &body).send().await.expect(422);
    client.organization(&ada, "engines").await.expect(201);
    client.organization(&ada, "engines").await.expect(409);
    let body = json!({"email": "grace@example.com", "role": "member"});
    client.post("/organizations/engines/invite", &body).bearer(&ada).send().await.expect(201);
    let invitation = token_of(&setup.mailed_link("grace@example.com", "invitations").await);
    client.get(&format!("/api/v1/auth/invitations/{invitation}")).send().await.expect(200);
    // There is no such route, but the URL contains a token.
    client.get(&format!("/invitations/{invitation}/accept")).send().await.expect(404);
    client.get(&format!("/verify-email?token={verify}")).send().await.expect(404);
    client.get(&format!("/api/v1/auth/me?access_token={}", ada.access)).send().await.expect(401);
    let strange = Login { access: "strange-bearer-value".into(), refresh: "strange-refresh-value".into() };
    client.me(&strange).await.expect(401);
    client.refresh(&strange).await.expect(401);
    client
        .get("/api/v1/auth/me")
        .header("authorization", "Basic c3RyYW5nZTpiYXNpYw==")
        .send()
        .await
        .expect(401);
    let next = Login::of(&client.refresh(&ada).await.expect(200));
    let last = Login::of(&client.refresh(&next).await.expect(200));
    client.refresh(&ada).await.expect(401);

    for login in [ada, next, last, strange] {
        keep(&login.access);
        keep(&login.refresh);
    }
    for text in ["wrong-but-close-to-it", "unparsed-password", "c3RyYW5nZTpiYXNpYw", &verify, &invitation] {
        keep(text);
    }
    (server.process.stop().await, secrets)
}

async fn log_is_clean(setup: Setup) {
    let (log, secrets) = eventful_session(setup).await;
    let lines: Vec<Value> = log
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("not JSON: {line}")))
        .collect();
    let answered: Vec<_> = lines.iter().filter(|line| line["message"] == "answered").collect();
    assert!(answered.len() > 15);
    for line in answered {
        assert_eq!(line["span"]["request_id"].as_str().map(str::len), Some(36), "{line}");
    }
    for secret in secrets {
        let found = log.lines().find(|line| line.contains(&secret));
        assert_eq!(found, None, "{secret}");
    }
    let mail = log.lines().find(|line| line.contains("Ada Lovelace") || line.contains("<html"));
    assert_eq!(mail, None, "no mail's body");
}

#[tokio::test]
async fn the_log_is_json_with_request_ids_and_without_secrets() {
    log_is_clean(Setup::new()).await;
    let schema = Schema::new().await;
    log_is_clean(Setup::new().env("WORKSCRIBE_DATABASE_URL", &schema.url)).await;
}

/// This is the level for the search for a fault.
#[tokio::test]
async fn nor_are_there_secrets_at_a_talkative_level() {
    let setup = Setup::new().env("RUST_LOG", "debug");
    log_is_clean(setup).await;
    let schema = Schema::new().await;
    log_is_clean(Setup::new().env("RUST_LOG", "debug").env("WORKSCRIBE_DATABASE_URL", &schema.url)).await;
}
