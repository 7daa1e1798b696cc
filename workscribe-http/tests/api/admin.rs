//! The operators' API: jobs and queues behind a token, and metrics.

use poem::endpoint::BoxEndpoint;
use poem::{Endpoint as _, Request, Response};
use serde::{Deserialize, Serialize};
use workscribe_core::id::JobId;
use workscribe_core::outbox::{AttemptId, Claim, Job, NewJob, Outcome, Settlement, Turn};
use workscribe_core::ports::Secret;
use workscribe_http::{AdminToken, mount_admin};

use crate::support::*;

const TOKEN: &str = "s5pL0qW8zT3nV7yR1uK6xB4mD9fG2hJc";

#[derive(Serialize, Deserialize)]
struct Report {
    about: String,
}

impl Job for Report {
    const KIND: &'static str = "test.report";
}

#[derive(Serialize, Deserialize)]
struct Greeting;

impl Job for Greeting {
    const KIND: &'static str = "test.greeting";
    const QUEUE: &'static str = "greetings";
}

/// An application with its operators' API.
struct Office {
    shop: TestApp,
    admin: BoxEndpoint<'static, Response>,
}

struct Answer {
    status: u16,
    media_type: String,
    text: String,
    json: Value,
}

impl Office {
    async fn new(on: On) -> Self {
        let shop = on.app().await;
        let token = AdminToken::new(&Secret::new(TOKEN)).unwrap();
        let recorded = Arc::new(|| "recorded_before 1\n".to_owned());
        let admin = mount_admin(&shop.app, token, Some(recorded));
        Self { shop, admin }
    }

    async fn call_as(&self, authorization: Option<&str>, method: Method, path: &str) -> Answer {
        let mut request = Request::builder().method(method).uri(path.parse().unwrap());
        if let Some(authorization) = authorization {
            request = request.header("authorization", authorization);
        }
        let response = self.admin.get_response(request.finish()).await;
        let status = response.status().as_u16();
        let media_type = response.content_type().unwrap_or_default().to_owned();
        let cache = response.header("cache-control").map(str::to_owned);
        assert_eq!(cache.as_deref(), path.starts_with("/admin/").then_some("no-store"), "{path}");
        let text = response.into_body().into_string().await.unwrap();
        let json = serde_json::from_str(&text).unwrap_or_default();
        Answer { status, media_type, text, json }
    }

    async fn call(&self, method: Method, path: &str) -> Answer {
        self.call_as(Some(&format!("Bearer {TOKEN}")), method, path).await
    }

    async fn get(&self, path: &str) -> Value {
        self.call(Method::GET, path).await.expect(200).json
    }

    async fn post(&self, path: &str) -> Answer {
        self.call(Method::POST, path).await
    }

    async fn enqueue(&self, jobs: &[NewJob]) -> Vec<JobId> {
        // The clock advances, so that ids are in the order of time.
        self.shop.clock.advance(TimeDelta::milliseconds(1));
        self.shop.app.jobs().enqueue(jobs).await.unwrap().iter().map(|job| job.id).collect()
    }

    async fn report(&self, about: &str) -> JobId {
        let job = self.shop.app.jobs().prepare(&Report { about: about.to_owned() }).unwrap();
        self.enqueue(&[job]).await[0]
    }

    async fn greeting(&self) -> JobId {
        let job = self.shop.app.jobs().prepare(&Greeting).unwrap();
        self.enqueue(&[job]).await[0]
    }

    /// The attempts that a worker claims from a queue now.
    async fn claim(&self, queue: &str) -> Vec<AttemptId> {
        let now = self.shop.app.now();
        let kinds = [Report::KIND, Greeting::KIND];
        let lease_until = now + TimeDelta::minutes(1);
        let claim = Claim {
            queue,
            kinds: &kinds,
            limit: 10,
            worker: "worker-1",
            now,
            lease_until,
            turn: Turn::default(),
        };
        let mut uow = self.shop.app.begin().await.unwrap();
        let jobs = uow.jobs().claim(&claim).await.unwrap();
        self.shop.app.commit(uow).await.unwrap();
        jobs.iter().map(|job| AttemptId { id: job.id, attempt: job.attempt }).collect()
    }

    async fn settle(&self, attempt: AttemptId, outcome: Outcome) {
        let mut uow = self.shop.app.begin().await.unwrap();
        let settlement = Settlement { attempt, outcome, at: self.shop.app.now() };
        assert_eq!(uow.jobs().settle(&[settlement]).await.unwrap(), [attempt.id]);
        self.shop.app.commit(uow).await.unwrap();
    }
}

impl Answer {
    #[track_caller]
    fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}", self.text);
        self
    }

    #[track_caller]
    fn refused(self, status: u16, code: &str) -> Self {
        let refusal = (self.status, self.json["code"].as_str(), &*self.media_type);
        assert_eq!(refusal, (status, Some(code), "application/problem+json"), "{}", self.text);
        self
    }
}

fn ids(page: &Value) -> Vec<String> {
    page["jobs"].as_array().unwrap().iter().map(|job| job["id"].as_str().unwrap().to_owned()).collect()
}

fn names(jobs: &[JobId]) -> Vec<String> {
    jobs.iter().map(ToString::to_string).collect()
}

on_every_storage! {
    async fn nothing_is_answered_without_the_token(on: On) {
        let office = Office::new(on).await;
        let ada = office.shop.register("ada@example.com").await;
        let id = office.report("Ada").await;
        let paths = [
            (Method::GET, "/admin/jobs".to_owned()),
            (Method::GET, format!("/admin/jobs/{id}")),
            (Method::POST, format!("/admin/jobs/{id}/cancel")),
            (Method::POST, format!("/admin/jobs/{id}/retry")),
            (Method::GET, "/admin/job-stats".to_owned()),
            (Method::GET, "/admin/queues".to_owned()),
            (Method::POST, "/admin/queues/default/pause".to_owned()),
            (Method::POST, "/admin/queues/default/resume".to_owned()),
            (Method::GET, "/admin/openapi.json".to_owned()),
            (Method::GET, "/metrics".to_owned()),
            (Method::GET, "/nowhere".to_owned()),
        ];
        let (login, wrong) = (format!("Bearer {}", ada.access), format!("Bearer {TOKEN}x"));
        for (method, path) in &paths {
            for authorization in [None, Some("Bearer "), Some(login.as_str()), Some(wrong.as_str())] {
                let answer = office.call_as(authorization, method.clone(), path).await;
                answer.refused(401, "UNAUTHENTICATED");
            }
        }
        assert_eq!(office.get(&format!("/admin/jobs/{id}")).await["state"], "available", "nobody touched it");
        office.call(Method::GET, "/nowhere").await.refused(404, "NOT_FOUND");
        office.call(Method::DELETE, "/admin/jobs").await.refused(405, "METHOD_NOT_ALLOWED");
        // The public API has none of these paths.
        let public = office.shop.request(Method::GET, "/admin/jobs").header("authorization", &format!("Bearer {TOKEN}"));
        public.send().await.refused(404, "NOT_FOUND");
    }

    async fn jobs_are_listed_newest_first_by_state_kind_and_queue_and_page_by_page(on: On) {
        let office = Office::new(on).await;
        let mut reports = Vec::new();
        for about in ["Ada", "Grace", "Alan"] {
            reports.push(office.report(about).await);
        }
        let greeting = office.greeting().await;
        office.post(&format!("/admin/jobs/{}/cancel", reports[1])).await.expect(200);
        let all = names(&[greeting, reports[2], reports[1], reports[0]]);
        assert_eq!(ids(&office.get("/admin/jobs").await), all);
        for (query, expected) in [
            ("kind=test.greeting", vec![greeting]),
            ("queue=default", vec![reports[2], reports[1], reports[0]]),
            ("state=cancelled", vec![reports[1]]),
            ("state=available&queue=default", vec![reports[2], reports[0]]),
            ("kind=test.nothing", vec![]),
        ] {
            assert_eq!(ids(&office.get(&format!("/admin/jobs?{query}")).await), names(&expected), "{query}");
        }
        let (mut walked, mut cursor) = (Vec::new(), String::new());
        loop {
            let page = office.get(&format!("/admin/jobs?limit=3{cursor}")).await;
            walked.extend(ids(&page));
            let Some(next) = page["next_cursor"].as_str() else { break };
            cursor = format!("&cursor={next}");
        }
        assert_eq!(walked, all);
        for (query, pointer, fault) in [
            ("state=lost", "/query/state", "NOT_ONE_OF"),
            ("limit=0", "/query/limit", "OUT_OF_RANGE"),
            ("limit=101", "/query/limit", "OUT_OF_RANGE"),
            ("cursor=x", "/query/cursor", "INVALID_CURSOR"),
            ("kind=", "/query/kind", "OUT_OF_RANGE"),
            ("queue=a%00b", "/query/queue", "OUT_OF_RANGE"),
        ] {
            let path = format!("/admin/jobs?{query}");
            let refused = office.call(Method::GET, &path).await.refused(422, "VALIDATION_FAILED");
            let error = &refused.json["errors"][0];
            assert_eq!((&error["pointer"], &error["code"]), (&json!(pointer), &json!(fault)), "{query}");
        }
    }

    async fn a_job_is_shown_with_its_payload_cancelled_and_run_again(on: On) {
        let office = Office::new(on).await;
        let id = office.report("Ada").await;
        let path = format!("/admin/jobs/{id}");
        let shown = office.get(&path).await;
        let now = shown["created_at"].clone();
        assert_eq!(shown, json!({
            "id": id.to_string(), "kind": "test.report", "queue": "default", "priority": 2,
            "state": "available", "attempt": 0, "max_attempts": 12, "timeout_ms": 300_000, "unique_key": null,
            "cancel_requested": false, "run_at": now, "worker": null, "claimed_at": null, "lease_until": null,
            "last_error": null, "created_at": now, "finished_at": null, "payload": {"about": "Ada"},
        }));
        let listed = office.get("/admin/jobs").await;
        assert!(listed["jobs"][0].get("payload").is_none(), "a list has no payloads");

        let cancelled = office.post(&format!("{path}/cancel")).await.expect(200).json;
        assert_eq!(cancelled["state"], "cancelled");
        assert!(cancelled["finished_at"].is_string());
        office.post(&format!("{path}/cancel")).await.refused(409, "JOB_FINISHED");
        assert!(office.claim("default").await.is_empty());

        let again = office.post(&format!("{path}/retry")).await.expect(200).json;
        assert_eq!((&again["state"], &again["finished_at"]), (&json!("available"), &Value::Null));
        let attempt = office.claim("default").await[0];
        let error = "it is raining".to_owned();
        office.settle(attempt, Outcome::Buried { error }).await;
        let buried = office.get(&path).await;
        assert_eq!(
            (&buried["state"], &buried["last_error"], &buried["worker"]),
            (&json!("buried"), &json!("it is raining"), &json!("worker-1"))
        );
        office.post(&format!("{path}/retry")).await.expect(200);
        assert_eq!(office.claim("default").await.len(), 1, "it runs again");
    }

    async fn a_running_job_is_not_run_again_and_its_end_is_asked_for(on: On) {
        let office = Office::new(on).await;
        let path = format!("/admin/jobs/{}", office.report("Ada").await);
        assert_eq!(office.claim("default").await.len(), 1);
        office.post(&format!("{path}/retry")).await.refused(409, "JOB_RUNNING");
        let asked = office.post(&format!("{path}/cancel")).await.expect(200).json;
        assert_eq!((&asked["state"], &asked["cancel_requested"]), (&json!("running"), &json!(true)));
    }

    async fn a_job_that_is_not_there_is_told_so(on: On) {
        let office = Office::new(on).await;
        let absent: JobId = office.shop.app.new_id();
        for id in [absent.to_string(), "rubbish".to_owned()] {
            office.call(Method::GET, &format!("/admin/jobs/{id}")).await.refused(404, "JOB_NOT_FOUND");
            office.post(&format!("/admin/jobs/{id}/retry")).await.refused(404, "JOB_NOT_FOUND");
            office.post(&format!("/admin/jobs/{id}/cancel")).await.refused(404, "JOB_NOT_FOUND");
        }
    }

    async fn a_paused_queue_gives_nothing_until_it_is_resumed(on: On) {
        let office = Office::new(on).await;
        office.report("Ada").await;
        office.greeting().await;
        for _ in 0..2 {
            office.post("/admin/queues/default/pause").await.expect(204);
        }
        let since = office.shop.app.now().to_rfc3339_opts(chrono::SecondsFormat::Micros, true);
        assert_eq!(office.get("/admin/queues").await, json!({"queues": [
            {"name": "default", "paused_at": since}, {"name": "greetings", "paused_at": null},
        ]}));
        assert!(office.claim("default").await.is_empty());
        assert_eq!(office.claim("greetings").await.len(), 1, "another queue goes on");
        for _ in 0..2 {
            office.post("/admin/queues/default/resume").await.expect(204);
        }
        assert_eq!(office.claim("default").await.len(), 1);
        for bad in ["a%00b".to_owned(), "x".repeat(101)] {
            let path = format!("/admin/queues/{bad}/pause");
            office.post(&path).await.refused(422, "VALIDATION_FAILED");
        }
        office.post(&format!("/admin/queues/{}/pause", "x".repeat(100))).await.expect(204);
    }

    async fn the_metrics_hold_how_many_jobs_of_a_kind_wait_and_since_when(on: On) {
        let office = Office::new(on).await;
        office.report("Ada").await;
        office.report("Grace").await;
        let later = office.shop.app.now() + TimeDelta::hours(1);
        let greeting = office.shop.app.jobs().prepare(&Greeting).unwrap().at(later);
        office.enqueue(&[greeting]).await;
        office.shop.clock.advance(TimeDelta::milliseconds(2_497));
        let metrics = office.call(Method::GET, "/metrics").await.expect(200);
        assert_eq!(metrics.media_type, "text/plain; version=0.0.4; charset=utf-8");
        for line in [
            "recorded_before 1",
            "workscribe_storage_up 1",
            r#"workscribe_jobs{queue="default",kind="test.report",state="available"} 2"#,
            r#"workscribe_jobs{queue="default",kind="test.report",state="buried"} 0"#,
            r#"workscribe_jobs{queue="greetings",kind="test.greeting",state="available"} 1"#,
            r#"workscribe_jobs_oldest_due_seconds{queue="default",kind="test.report"} 2.5"#,
            r#"workscribe_jobs_oldest_due_seconds{queue="greetings",kind="test.greeting"} 0"#,
        ] {
            assert!(metrics.text.lines().any(|have| have == line), "{line} is not in\n{}", metrics.text);
        }
        let stats = office.get("/admin/job-stats").await;
        let kinds = stats["kinds"].as_array().unwrap();
        assert_eq!(kinds.len(), 2);
        assert_eq!((&kinds[0]["kind"], &kinds[0]["available"]), (&json!("test.report"), &json!(2)));
        assert!(kinds[0]["oldest_due"].is_string());
        assert_eq!(kinds[1]["oldest_due"], Value::Null, "it waits for later");
    }
}

#[tokio::test]
async fn its_document_tells_every_operation_with_its_refusals() {
    let office = Office::new(On::Sqlite).await;
    let document = office.get("/admin/openapi.json").await;
    let paths = document["paths"].as_object().unwrap();
    assert_eq!(paths.len(), 9);
    for (path, methods) in paths {
        for operation in methods.as_object().unwrap().values() {
            assert_eq!(operation["security"], json!([{"bearer": []}]), "{path}");
            let unknown = &operation["responses"]["401"]["content"]["application/problem+json"]["schema"];
            assert_eq!(unknown["$ref"], "#/components/schemas/Problem", "{path}");
        }
    }
    assert_eq!(document["components"]["securitySchemes"]["bearer"]["scheme"], "bearer");
    let conflict = &paths["/admin/jobs/{job_id}/retry"]["post"]["responses"]["409"];
    assert_eq!(conflict["description"], "`JOB_RUNNING`");
    let details = &document["components"]["schemas"]["JobDetails"];
    for field in ["id", "state", "payload", "finished_at"] {
        assert!(details["required"].as_array().unwrap().contains(&json!(field)), "{field}");
    }
    assert_eq!(details["properties"]["finished_at"]["nullable"], true);
}
