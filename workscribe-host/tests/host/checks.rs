//! `doctor`, `health` and `openapi`.

use serde_json::Value;
use workscribe_testkit::databases::Schema;

use crate::program::{Ended, Setup};

/// The doctor's result for each part: `ok` or `WRONG`, the part, and the text.
fn findings(ended: &Ended) -> Vec<(String, String, String)> {
    let line = |line: &str| {
        let (state, rest) = line.split_once(' ').unwrap();
        let (part, text) = rest.trim().split_once(": ").unwrap();
        (state.to_owned(), part.to_owned(), text.to_owned())
    };
    ended.stdout.lines().map(line).collect()
}

async fn is_wrong(setup: &Setup, part: &str, reason: &str) {
    let ended = setup.run(&["doctor"]).await;
    assert_eq!(ended.code, Some(1), "{ended:?}");
    let wrong: Vec<_> = findings(&ended).into_iter().filter(|(state, ..)| state == "WRONG").collect();
    assert_eq!(wrong.len(), 1, "{ended:?}");
    assert_eq!(wrong[0].1, part);
    assert!(wrong[0].2.contains(reason), "{reason}: {ended:?}");
}

#[tokio::test]
async fn the_doctor_finds_nothing_when_all_is_well() {
    let schema = Schema::new().await;
    let postgres = Setup::new()
        .env("WORKSCRIBE_DATABASE_URL", &schema.url)
        .env("WORKSCRIBE_REDIS_URL", std::env::var("WORKSCRIBE_TEST_REDIS_URL").unwrap());
    for setup in [Setup::new().mails_to_folder(), postgres] {
        assert_eq!(setup.run(&["migrate"]).await.code, Some(0));
        let ended = setup.run(&["doctor"]).await;
        assert_eq!(ended.code, Some(0), "{ended:?}");
        let parts: Vec<_> = findings(&ended).into_iter().map(|(state, part, _)| (state, part)).collect();
        let ok = |part: &str| ("ok".to_owned(), part.to_owned());
        assert_eq!(parts, [ok("configuration"), ok("database"), ok("redis"), ok("mail"), ok("jobs")]);
        assert_eq!(ended.stderr, "", "the report is all there is to read");
    }
}

#[tokio::test]
async fn the_doctor_names_what_is_wrong() {
    let setup = Setup::new();
    assert_eq!(setup.run(&["migrate"]).await.code, Some(0));
    let with = |variable: &str, value: &str| setup.clone().env(variable, value);
    is_wrong(&with("WORKSCRIBE_REDIS_URL", "redis://127.0.0.1:1"), "redis", "does not answer").await;
    is_wrong(&with("WORKSCRIBE_MAIL", "smtp://127.0.0.1:1"), "mail", "does not take mail").await;
    let resend = with("WORKSCRIBE_MAIL", "resend").env("WORKSCRIBE_RESEND_API_KEY", "re_1");
    let resend = resend.env("WORKSCRIBE_RESEND_URL", "http://127.0.0.1:1");
    is_wrong(&resend, "mail", "Resend cannot be reached").await;
    std::fs::write(setup.path().join("occupied"), "").unwrap();
    is_wrong(&with("WORKSCRIBE_MAIL", "file:occupied"), "mail", "occupied cannot be used").await;
    let gone = with("WORKSCRIBE_DATABASE_URL", "postgres://u:hunter2@127.0.0.1:1/x");
    is_wrong(&gone, "database", "cannot be reached").await;
    assert!(!gone.run(&["doctor"]).await.stdout.contains("hunter2"));

    let schema = Schema::new().await;
    let pending = with("WORKSCRIBE_DATABASE_URL", &schema.url);
    is_wrong(&pending, "database", "migrations are pending (0001 foundation, 0002 work, ").await;
    std::fs::write(setup.path().join("empty.db"), "").unwrap();
    let pending = with("WORKSCRIBE_DATABASE_URL", "sqlite://empty.db");
    is_wrong(&pending, "database", "migrations are pending").await;
    std::fs::write(setup.path().join("not.db"), "x".repeat(4_096)).unwrap();
    is_wrong(&with("WORKSCRIBE_DATABASE_URL", "sqlite://not.db"), "database", "").await;
}

#[tokio::test]
async fn health_asks_the_server_of_the_settings_or_another() {
    let setup = Setup::new();
    let server = setup.serve().await;
    let address = server.client.address().to_owned();
    // A proxy for outgoing calls must not be used.
    let here = setup.clone().env("WORKSCRIBE_LISTEN", &address).env("http_proxy", "http://127.0.0.1:1");
    assert_eq!(here.run(&["health"]).await.code, Some(0));
    let port = address.rsplit(':').next().unwrap();
    let everywhere = here.clone().env("WORKSCRIBE_LISTEN", format!("0.0.0.0:{port}"));
    assert_eq!(everywhere.run(&["health"]).await.code, Some(0));
    assert_eq!(setup.run(&["health", "--url", &format!("http://{address}/")]).await.code, Some(0));
    server.process.stop().await;
    let gone = here.run(&["health"]).await;
    assert_eq!(gone.code, Some(1), "{gone:?}");
    assert!(gone.stderr.contains("refused"), "{gone:?}");
}

#[tokio::test]
async fn openapi_prints_the_document() {
    let ended = Setup::new().env("WORKSCRIBE_LISTEN", "nowhere").run(&["openapi"]).await;
    assert_eq!(ended.code, Some(0), "it needs no settings: {ended:?}");
    let printed: Value = serde_json::from_str(&ended.stdout).unwrap();
    assert!(printed["openapi"].as_str().is_some_and(|version| version.starts_with("3.")));
    let server = Setup::new().serve().await;
    assert_eq!(server.client.get("/openapi.json").send().await.expect(200).json, printed);
    let committed = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/openapi.json");
    if let Ok(committed) = std::fs::read_to_string(committed) {
        assert_eq!(ended.stdout, committed, "make docs/openapi.json anew: see the README");
    }
}
