//! Connections that are cut during enqueueing, claiming, extending and finishing: before the server receives the statement, and
//! after it has answered.

use std::time::Duration;

use workscribe_testkit::databases;
use workscribe_testkit::proxy::{Moment, Proxy};

use crate::load::Load;
use crate::until;

const CLAIM: &str = "taken AS MATERIALIZED";

/// A part of the text of each statement.
const STATEMENTS: [&str; 4] =
    ["INSERT INTO ws_jobs (id", CLAIM, "SET lease_until = $2 FROM", "SET state = CASE WHEN given.value"];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_cut_at_every_moment_of_enqueueing_claiming_and_finishing_lose_no_job() {
    let database = databases::postgres().await;
    let proxy = Proxy::before(&database.url).await.unwrap();
    let load = Load::start(&proxy.url).await;
    load.goes_on().await;
    for moment in Moment::ALL {
        for statement in STATEMENTS {
            proxy.cut_at(statement, moment);
            proxy.cut_at(statement, moment);
        }
        let mut left = Vec::new();
        until("every cut was made", Duration::from_secs(60), async || {
            left = proxy.cuts_to_come();
            left.is_empty()
        })
        .await;
        proxy.cut();
        load.goes_on().await;
    }
    // A cut claim may have found no jobs. So claims are cut until one had jobs, which run again after its lease.
    for _ in 0..20 {
        if load.has_repeated() {
            break;
        }
        proxy.cut_at(CLAIM, Moment::AfterCommit);
        load.goes_on().await;
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    let repeated = load.end(&database.url).await;
    assert!(repeated > 0, "a claim whose answer was lost is made again");
}
