//! A Postgres that is restarted under load, in order and by `kill -9`.

use workscribe::sql::{self, Options};
use workscribe_testkit::servers::PostgresServer;

use crate::load::Load;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn jobs_outlive_a_postgres_that_is_killed_and_one_that_is_restarted() {
    let postgres = PostgresServer::start().await;
    sql::connect(&postgres.url(), &Options::default()).await.unwrap().migrate().await.unwrap();
    let load = Load::start(&postgres.url()).await;
    for killed in [true, false, true] {
        load.goes_on().await;
        if killed {
            postgres.kill().await
        } else {
            postgres.stop().await
        }
        postgres.start_again().await;
    }
    load.goes_on().await;
    load.end(&postgres.url()).await;
}
