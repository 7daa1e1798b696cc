//! `jobs`, and the operators' listener.

use serde_json::{Value, json};

use crate::client::Client;
use crate::program::{Ended, Process, Setup, until};

const TOKEN: &str = "s5pL0qW8zT3nV7yR1uK6xB4mD9fG2hJc";

async fn jobs(setup: &Setup, arguments: &[&str]) -> Ended {
    setup.run(&[&["jobs"], arguments].concat()).await
}

/// The output of a `jobs` command that succeeds.
async fn done(setup: &Setup, arguments: &[&str]) -> String {
    let ended = jobs(setup, arguments).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    ended.stdout
}

async fn as_json(setup: &Setup, arguments: &[&str]) -> Value {
    serde_json::from_str(&done(setup, arguments).await).unwrap()
}

/// The id of the newest job.
async fn newest(setup: &Setup) -> String {
    let listed = as_json(setup, &["list", "--limit", "1", "--json"]).await;
    listed[0]["id"].as_str().unwrap().to_owned()
}

/// Leaves the jobs of two registrations, without a worker.
async fn with_jobs() -> Setup {
    let setup = Setup::new().mails_to_folder();
    let server = setup.serve_with(&["serve", "--no-worker"]).await;
    server.client.register("ada@example.com").await;
    server.client.register("grace@example.com").await;
    server.process.stop().await;
    setup
}

#[tokio::test]
async fn jobs_are_listed_for_people_and_for_programs() {
    let setup = with_jobs().await;
    let listed = as_json(&setup, &["list", "--json"]).await;
    let listed = listed.as_array().unwrap();
    assert_eq!(listed.len(), 2);
    let (id, kind) = (listed[0]["id"].as_str().unwrap(), listed[0]["kind"].as_str().unwrap());
    assert_eq!(listed[0]["state"], "available");

    let table = done(&setup, &["list"]).await;
    let lines: Vec<&str> = table.lines().collect();
    assert_eq!(lines.len(), 3, "{table}");
    assert!(lines[0].starts_with("ID  "), "{table}");
    let cells: Vec<&str> = lines[1].split_whitespace().collect();
    assert_eq!(cells[..5], [id, "mail", kind, "available", "0/12"], "{table}");
    let first = done(&setup, &["list", "--limit", "1"]).await;
    assert!(first.ends_with(&format!("There are more: --before {id}\n")), "{first}");
    let second = done(&setup, &["list", "--limit", "1", "--before", id]).await;
    assert!(second.contains(listed[1]["id"].as_str().unwrap()) && !second.contains("more"), "{second}");
    for nothing in [["--state", "running"], ["--kind", "no.such"], ["--queue", "other"]] {
        assert_eq!(done(&setup, &[&["list"], &nothing[..]].concat()).await, "There are no such jobs.\n");
    }
    let same = done(&setup, &["list", "--state", "available", "--kind", kind, "--queue", "mail"]).await;
    assert_eq!(same, table);

    let shown = as_json(&setup, &["show", id]).await;
    assert!(shown["payload"].is_object(), "{shown}");
    let stats = done(&setup, &["stats"]).await;
    let cells: Vec<&str> = stats.lines().nth(1).unwrap().split_whitespace().collect();
    assert_eq!(cells[..7], ["mail", kind, "2", "0", "0", "0", "0"], "{stats}");
    let stats = as_json(&setup, &["stats", "--json"]).await;
    assert_eq!(stats["kinds"][0]["available"], 2);
    assert_eq!(stats["queues"], json!([{"name": "mail", "paused_at": null}]));
}

#[tokio::test]
async fn jobs_are_cancelled_and_run_again_and_refusals_are_told() {
    let setup = with_jobs().await;
    let id = newest(&setup).await;
    assert_eq!(done(&setup, &["cancel", &id]).await, format!("{id} is cancelled.\n"));
    assert_eq!(as_json(&setup, &["show", &id]).await["state"], "cancelled");
    let refused = jobs(&setup, &["cancel", &id]).await;
    assert_eq!(refused.code, Some(1), "{refused:?}");
    assert!(refused.stderr.contains("This job has ended already."), "{refused:?}");

    let absent = "019ab0c4-5d2e-7c31-9f64-0d1b2a3c4e5f";
    for command in ["show", "retry", "cancel"] {
        let refused = jobs(&setup, &[command, absent]).await;
        assert_eq!((refused.code, &*refused.stdout), (Some(1), ""), "{refused:?}");
        assert!(refused.stderr.contains("There is no job with this id."), "{refused:?}");
    }
    let some = jobs(&setup, &["retry", absent, &id]).await;
    assert_eq!(some.code, Some(1));
    assert_eq!(
        some.stdout,
        format!("{id} runs again as soon as a worker is free.\n"),
        "the other is retried"
    );
    assert!(some.stderr.contains(&format!("{absent}: JOB_NOT_FOUND")), "{some:?}");
    assert_eq!(as_json(&setup, &["show", &id]).await["state"], "available");

    let long = "x".repeat(101);
    for wrong in [&["show", "rubbish"][..], &["list", "--state", "lost"], &["pause", &long], &["retry"], &[]]
    {
        assert_eq!(jobs(&setup, wrong).await.code, Some(2), "{wrong:?}");
    }
}

#[tokio::test]
async fn a_paused_queue_stands_still_until_it_is_resumed() {
    let setup = with_jobs().await;
    let paused = done(&setup, &["pause", "mail"]).await;
    assert_eq!(paused, "“mail” is paused: no worker takes anything from it.\n");
    assert!(done(&setup, &["stats"]).await.contains("“mail” is paused since "));
    let mut worker = setup.start(&["worker"]);
    worker.line("working").await;
    // A worker looks every second, and finds jobs of a paused queue only after the pause.
    tokio::time::sleep(std::time::Duration::from_millis(1_500)).await;
    assert_eq!(as_json(&setup, &["stats", "--json"]).await["kinds"][0]["available"], 2);
    done(&setup, &["resume", "mail"]).await;
    until("the mails are sent", async || {
        as_json(&setup, &["stats", "--json"]).await["kinds"][0]["completed"] == 2
    })
    .await;
    setup.mailed_link("ada@example.com", "verify-email").await;
    worker.stop().await;
}

/// A client for the operators' listener, once it is open.
async fn operators(process: &mut Process) -> Client {
    Client::new(process.line("the admin API listens").await["at"].as_str().unwrap())
}

#[tokio::test]
async fn operators_have_a_listener_of_their_own_with_metrics_when_they_ask_for_one() {
    let setup = Setup::new().mails_to_folder().without("WORKSCRIBE_RATE_LIMITS");
    let setup = setup.env("WORKSCRIBE_LIMITS", "logins_per_address:1");
    let setup = setup.env("WORKSCRIBE_ADMIN_BIND", "127.0.0.1:0").env("WORKSCRIBE_ADMIN_TOKEN", TOKEN);
    let mut server = setup.serve().await;
    let admin = operators(&mut server.process).await;
    let bearer = format!("Bearer {TOKEN}");
    let get = async |path: &str| admin.get(path).header("authorization", &bearer).send().await;
    admin.get("/metrics").send().await.expect(401);
    server.client.get("/metrics").header("authorization", &bearer).send().await.expect(404);

    server.client.register("ada@example.com").await;
    setup.mailed_link("ada@example.com", "verify-email").await;
    until("the job has ended", async || {
        get("/admin/jobs?state=completed").await.expect(200).json["jobs"].as_array().unwrap().len() == 1
    })
    .await;
    for status in [200, 429, 429] {
        server.client.log_in("ada@example.com").await.expect(status);
    }
    let job = get("/admin/jobs").await.json["jobs"][0].clone();
    let kind = job["kind"].as_str().unwrap();
    let metrics = get("/metrics").await.expect(200).text;
    for line in [
        format!("workscribe_jobs{{queue=\"mail\",kind=\"{kind}\",state=\"completed\"}} 1"),
        format!("workscribe_jobs_ended_total{{kind=\"{kind}\",outcome=\"completed\"}} 1"),
        format!("workscribe_job_run_seconds_count{{kind=\"{kind}\"}} 1"),
        format!("workscribe_job_run_seconds_bucket{{kind=\"{kind}\",le=\"+Inf\"}} 1"),
        "workscribe_requests_refused_total{operation=\"login\",status=\"429\",limit=\"logins_per_address\"} 2".to_owned(),
        "# TYPE workscribe_job_wait_seconds histogram".to_owned(),
        "# TYPE workscribe_jobs_running gauge".to_owned(),
    ] {
        assert!(metrics.lines().any(|have| have == line), "{line} is not in\n{metrics}");
    }
    assert_eq!(get("/admin/openapi.json").await.expect(200).json["info"]["title"], "WorkScribe admin");
    let log = server.process.stop().await;
    assert!(!log.contains(TOKEN), "{log}");
}

#[tokio::test]
async fn a_worker_alone_has_its_metrics_too_and_the_token_may_come_from_a_file() {
    let setup = Setup::new().env("WORKSCRIBE_ADMIN_BIND", "127.0.0.1:0");
    let setup = setup.env("WORKSCRIBE_ADMIN_TOKEN_FILE", "token");
    std::fs::write(setup.path().join("token"), format!("{TOKEN}\n")).unwrap();
    let mut worker = setup.start(&["worker"]);
    let admin = operators(&mut worker).await;
    let bearer = format!("Bearer {TOKEN}");
    let metrics = admin.get("/metrics").header("authorization", &bearer).send().await.expect(200);
    assert!(metrics.text.contains("workscribe_storage_up 1"), "{}", metrics.text);
    worker.stop().await;
}
