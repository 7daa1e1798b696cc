//! The cost of a request to Postgres in different shapes of data: statements, and touched blocks, which have no noise.
//!
//! Nothing here measures time. The ceilings are in [`operations`]; `docs/PERFORMANCE.md` has the table that this prints
//! (`./test --test shapes -- --nocapture`).

#![cfg(all(feature = "postgres", feature = "http", unix))]
#![expect(clippy::unwrap_used, reason = "a test stops at what it does not expect")]

mod meter;
mod operations;

use std::collections::BTreeMap;

use workscribe_testkit::servers::PostgresServer;
use workscribe_testkit::shapes::{Shape, add_organizations, fill};

use meter::{Cost, Place};
use operations::OPERATIONS;

/// A very large installation.
const LARGE: Shape = Shape { projects: 1, tasks: 100_000 };
/// The shape of most installations.
const ORDINARY: &str = "one project of 100,000, never analysed";
/// The additional cost of a request where the tables of users, projects, statuses and labels have the rows of a thousand
/// organizations: their indexes have one more level each, and about ten rows are looked up in them.
const LEVELS: u64 = 12;

/// The blocks of the catalogue that the first statements of a connection read.
const CATALOGUE: u64 = 25;

/// Costs by shape and operation.
type Costs = BTreeMap<&'static str, BTreeMap<&'static str, Cost>>;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_costs_the_same_in_every_shape_of_data() {
    let server = PostgresServer::start_with(&[
        "shared_preload_libraries=pg_stat_statements",
        "shared_buffers=512MB",
        "synchronous_commit=off",
        "full_page_writes=off",
        // Tables that were never analysed stay so.
        "autovacuum=off",
    ])
    .await;
    let mut costs = Costs::new();

    let place = Place::new(&server, "large").await;
    fill(&place.url, "acme", LARGE).await;
    assert_eq!(place.differences().await, Vec::<String>::new(), "what is loaded is as the services write it");
    costs.insert(ORDINARY, place.measure("acme").await);
    place.analyze().await;
    costs.insert("one project of 100,000, analysed", place.measure("acme").await);

    add_organizations(&place.url, "other", 1_000).await;
    fill(&place.url, "other%", Shape { projects: 1, tasks: 100 }).await;
    place.analyze().await;
    costs.insert("the same beside 1,000 organizations", place.measure("acme").await);
    costs.insert("one of 100 tasks among them", place.measure("other500").await);

    let place = Place::new(&server, "projects").await;
    fill(&place.url, "acme", Shape { projects: 1_000, tasks: 100 }).await;
    place.analyze().await;
    costs.insert("1,000 projects of 100", place.measure("acme").await);

    let place = Place::new(&server, "growing").await;
    fill(&place.url, "acme", Shape { projects: 1, tasks: 0 }).await;
    place.create_tasks(10).await;
    // The difficult case: statistics of a few rows, and plans based on them.
    place.analyze().await;
    for (name, tasks) in
        [("empty, 100 made", 100), ("empty, 1,000 made", 1_000), ("empty, 2,000 made", 2_000)]
    {
        place.create_tasks(tasks).await;
        costs.insert(name, place.measure("acme").await);
    }
    assert_eq!(place.differences().await, Vec::<String>::new());

    let faults = judge(&costs);
    print(&costs);
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// The costs above their ceiling, or more than 1.5 times those of the best shape. The comparison allows for the levels of larger
/// indexes and for the rows that the operation must read more.
fn judge(costs: &Costs) -> Vec<String> {
    let mut faults = Vec::new();
    for operation in OPERATIONS {
        let name = operation.name;
        let best = costs.values().map(|costs| costs[name].blocks).min().unwrap();
        for (shape, costs) in costs {
            let cost = &costs[name];
            let mut judge = |what: &str, is: u64, most: u64| {
                if is > most {
                    faults
                        .push(format!("{name}, {shape}: {is} {what} of {most} at the most\n{}", cost.detail));
                }
            };
            // A page of an index is split from time to time.
            let with_splits = |blocks: u64| blocks + blocks / 20;
            let ceiling = with_splits(operation.blocks);
            let beside_best = with_splits(best + best / 2 + LEVELS + operation.more);
            judge("blocks", cost.blocks, ceiling);
            judge("blocks beside the best shape", cost.blocks, beside_best);
            judge("round trips", cost.round_trips, operation.round_trips);
            judge("statements", cost.statements, operation.statements);
            if operation.method == "GET" {
                judge("blocks on a new connection", cost.first, ceiling + CATALOGUE);
            }
        }
    }
    faults
}

/// Prints a table in Markdown.
#[expect(clippy::print_stdout, reason = "the table is for who asks to see it")]
fn print(costs: &Costs) {
    print!("\n| | round trips | statements | ceiling |");
    costs.keys().for_each(|shape| print!(" {shape} |"));
    print!("\n|---|---|---|---|");
    costs.keys().for_each(|_| print!("---|"));
    println!();
    print!("| the session, in each of those below | 1 | 1 | |");
    costs.values().for_each(|costs| print!(" {} |", costs["one task"].session));
    println!();
    for operation in OPERATIONS {
        let most =
            |of: fn(&Cost) -> u64| costs.values().map(|costs| of(&costs[operation.name])).max().unwrap();
        let (trips, statements) = (most(|cost| cost.round_trips), most(|cost| cost.statements));
        print!("| {} | {trips} | {statements} | {} |", operation.name, operation.blocks);
        costs.values().for_each(|costs| print!(" {} |", costs[operation.name].blocks));
        println!();
    }
}
