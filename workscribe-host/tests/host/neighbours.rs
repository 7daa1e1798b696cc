//! Two tenants of one server, one of which attacks in every way at once: no request of the other fails.
//!
//! `cargo bench -p workscribe-host --bench neighbours` prints how long the other waits.

use std::time::Duration;

use tokio::time::Instant;
use workscribe_testkit::databases::Schema;

use crate::program::Setup;
use crate::tenants::{Hostile, Tenant, watch};

const TIME: Duration = Duration::from_secs(20);

/// The settings of a usual server, with those that the benchmark also sets.
fn setup() -> Setup {
    Setup::new()
        .without("WORKSCRIBE_RATE_LIMITS")
        .env("WORKSCRIBE_TRUSTED_PROXIES", "127.0.0.0/8")
        .env("WORKSCRIBE_WEBHOOK_NETWORKS", "127.0.0.0/8")
        .mails_to_folder()
}

async fn one_works_while_the_other_attacks(setup: Setup) {
    let server = setup.serve().await;
    let base = &server.client.at;
    let quiet = Tenant::new(base, "ada", "198.51.100.1", 50).await.unwrap();
    let hostile = Hostile::new(base, &quiet).await.unwrap();
    let (seen, ()) = tokio::join!(watch(&quiet, 4, TIME), hostile.attack(Instant::now() + TIME, ""));
    assert_eq!(seen.failed, Vec::<String>::new());
    for (kind, took) in &seen.took {
        assert!(!took.is_empty(), "{kind}");
    }
    let answered = std::mem::take(&mut *hostile.answered.lock().unwrap());
    let faults: Vec<_> =
        answered.keys().filter(|(_, answer)| answer.starts_with("50") && answer != "503").collect();
    assert_eq!(faults, Vec::<&(&str, String)>::new(), "nor is anything a fault of the server");
    let refused = |what: &str| answered.get(&(what, "429".to_owned())).copied().unwrap_or_default();
    for what in ["100 tasks moved", "passwords changed", "reads", "wrong passwords"] {
        assert!(refused(what) > 0, "{what}: it was no flood: {answered:?}");
    }
    server.client.get("/readyz").send().await.expect(200);
    server.process.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_attacks_in_every_way_makes_nothing_of_anothers_fail_on_sqlite() {
    one_works_while_the_other_attacks(setup()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_attacks_in_every_way_makes_nothing_of_anothers_fail_on_postgres() {
    let schema = Schema::new().await;
    one_works_while_the_other_attacks(setup().env("WORKSCRIBE_DATABASE_URL", &schema.url)).await;
}
