//! The messages that arrive at the endpoints of an organization, on every storage. The receiver is a real HTTP server.

#![expect(clippy::unwrap_used, reason = "a test stops at what it does not expect")]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use chrono::TimeDelta;
use serde_json::{Value, json};
use wiremock::matchers::method;
use wiremock::{Mock, MockServer, Request, Respond, ResponseTemplate};
use workscribe_core::clock::Timestamp;
use workscribe_core::identity::{SecretKey, SecretRing};
use workscribe_core::limits::{Limit, Limits};
use workscribe_core::page::PageRequest;
use workscribe_core::ports::Secret;
use workscribe_core::tenancy::{In, OrgScope};
use workscribe_core::webhooks::{
    DeliverWebhook, DeliveryAttempt, DeliveryFilter, DeliveryStatus, DisabledReason, SigningSecret, Webhook,
    WebhookChange, WebhookDelivery, WebhookNetworks,
};
use workscribe_core::{Settings, Storage, WorkScribe};
use workscribe_jobs::webhooks::WebhookSender;
use workscribe_jobs::{Registry, Worker, WorkerOptions};
use workscribe_testkit::app::{Login, TEST_KEY, TestApp};

macro_rules! on_every_storage {
    ($($test:ident)+) => {
        mod sqlite {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $test() {
                super::$test(workscribe_testkit::databases::sqlite().await.storage).await;
            })+
        }
        mod postgres {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $test() {
                super::$test(workscribe_testkit::databases::postgres().await.storage).await;
            })+
        }
    };
}

on_every_storage! {
    a_change_arrives_signed_and_is_logged
    what_fails_comes_again_after_each_wait_as_the_same_message
    an_endpoint_that_takes_nothing_for_a_day_is_turned_off_and_the_owners_are_told
    a_message_that_is_given_up_turns_nothing_off_while_others_arrive
    an_endpoint_that_wants_no_more_gets_no_more
    what_waits_for_an_endpoint_that_was_turned_off_is_given_up
    a_redirect_is_not_followed
    what_is_not_public_is_not_called
    both_secrets_sign_for_a_day_after_a_change
    a_change_of_the_servers_keys_changes_no_secret
    a_slow_endpoint_keeps_no_other_waiting
    what_was_removed_meanwhile_is_not_sent
    what_is_beyond_an_organizations_rate_arrives_later
}

fn loopback() -> WebhookNetworks {
    WebhookNetworks::with(vec!["127.0.0.0/8".parse().unwrap()])
}

/// An organization with a project, and a receiver whose responses a test sets.
struct Setup {
    test: TestApp,
    ada: Login,
    receiver: MockServer,
}

impl Setup {
    async fn new(storage: Arc<dyn Storage>) -> Self {
        Self::with(storage, Settings { webhook_networks: loopback(), ..Settings::default() }).await
    }

    async fn with(storage: Arc<dyn Storage>, settings: Settings) -> Self {
        let test = TestApp::with_settings(storage, settings);
        let ada = test.register("ada@example.com").await;
        test.organization(&ada, "engines").await;
        let project = json!({"name": "Website", "key": "WEB", "type": "kanban"});
        let made = test.post("/organizations/engines/projects").bearer(&ada).json(&project).send().await;
        assert_eq!(made.status.as_u16(), 201, "{}", made.text);
        test.drain().await;
        let _ = test.mail.take();
        Self { test, ada, receiver: MockServer::start().await }
    }

    fn app(&self) -> &WorkScribe {
        &self.test.app
    }

    async fn answers(&self, answer: impl Respond + 'static) {
        Mock::given(method("POST")).respond_with(answer).mount(&self.receiver).await;
    }

    async fn scope(&self) -> OrgScope {
        let mut uow = self.app().read().await.unwrap();
        *In::organization(&mut *uow, "engines", self.ada.user_id.parse().unwrap()).await.unwrap().scope()
    }

    async fn webhook_at(&self, url: &str, event: &str) -> (Webhook, SigningSecret) {
        let scope = self.scope().await;
        let mut uow = self.app().begin().await.unwrap();
        let new = WebhookChange {
            url: Some(url.to_owned()),
            events: Some(vec![event.to_owned()]),
            ..WebhookChange::default()
        };
        let made = self.app().webhooks().create(&mut *uow, &scope, &new).await.unwrap();
        self.app().commit(uow).await.unwrap();
        made
    }

    async fn webhook(&self) -> (Webhook, SigningSecret) {
        self.webhook_at(&self.receiver.uri(), "task.created").await
    }

    /// Makes a task. Logs in first, since hours may have passed.
    async fn task(&self, title: &str) -> Value {
        let ada = self.test.login(&self.ada.email).await;
        let path = "/organizations/engines/projects/WEB/tasks";
        let made = self.test.post(path).bearer(&ada).json(&json!({ "title": title })).send().await;
        assert_eq!(made.status.as_u16(), 201, "{}", made.text);
        made.json
    }

    async fn now(&self, id: &Webhook) -> Webhook {
        let scope = self.scope().await;
        let mut uow = self.app().read().await.unwrap();
        self.app().webhooks().find(&mut *uow, &scope, id.id).await.unwrap()
    }

    async fn deliveries(&self, to: &Webhook) -> Vec<WebhookDelivery> {
        let scope = self.scope().await;
        let mut uow = self.app().read().await.unwrap();
        let page = PageRequest::largest();
        self.app()
            .webhooks()
            .deliveries(&mut *uow, &scope, DeliveryFilter { webhook: to.id, status: None }, &page)
            .await
            .unwrap()
            .items
    }

    /// The only delivery to an endpoint, with its attempts.
    async fn delivery(&self, to: &Webhook) -> (WebhookDelivery, Vec<DeliveryAttempt>) {
        let all = self.deliveries(to).await;
        assert_eq!(all.len(), 1);
        let scope = self.scope().await;
        let mut uow = self.app().read().await.unwrap();
        self.app().webhooks().delivery(&mut *uow, &scope, to.id, all[0].id).await.unwrap()
    }

    async fn received(&self) -> Vec<Request> {
        self.receiver.received_requests().await.unwrap()
    }

    /// Advances the clock to each next attempt and makes it, until there is no next attempt.
    async fn attempt_all(&self, to: &Webhook) -> usize {
        let mut attempts = 0;
        loop {
            self.test.drain().await;
            let (delivery, made) = self.delivery(to).await;
            assert!(made.len() > attempts, "an attempt was made");
            attempts = made.len();
            let Some(next) = delivery.next_attempt_at else { return attempts };
            self.test.drain().await;
            assert_eq!(self.delivery(to).await.1.len(), attempts, "not before its time");
            // The jitter delays it by up to a tenth.
            self.test.clock.advance((next - self.app().now()) * 12 / 10);
        }
    }
}

fn header<'a>(request: &'a Request, name: &str) -> &'a str {
    request.headers.get(name).unwrap().to_str().unwrap()
}

/// The signatures of a request.
fn signatures(request: &Request) -> Vec<&str> {
    header(request, "webhook-signature").split(' ').collect()
}

/// The signature of a secret for a request.
fn signature_of(secret: &SigningSecret, request: &Request) -> String {
    let seconds: i64 = header(request, "webhook-timestamp").parse().unwrap();
    let at = Timestamp::from_timestamp(seconds, 0).unwrap();
    secret.sign(header(request, "webhook-id"), at, std::str::from_utf8(&request.body).unwrap())
}

async fn a_change_arrives_signed_and_is_logged(storage: Arc<dyn Storage>) {
    let setup = Setup::new(storage).await;
    setup.answers(ResponseTemplate::new(204)).await;
    let (webhook, secret) = setup.webhook().await;
    let task = setup.task("Publish the first program").await;
    assert_eq!(setup.received().await.len(), 0, "nothing is sent within the request");
    setup.test.drain().await;

    let [request] = &setup.received().await[..] else { panic!("one message arrives") };
    assert_eq!(signatures(request), [signature_of(&secret, request)]);
    assert_eq!(header(request, "content-type"), "application/json");
    let seconds: i64 = header(request, "webhook-timestamp").parse().unwrap();
    assert_eq!(seconds, setup.app().now().timestamp());
    let body: Value = serde_json::from_slice(&request.body).unwrap();
    assert_eq!(body["type"], "task.created");
    assert_eq!((&body["actor_id"], &body["data"]["task"]["id"]), (&json!(setup.ada.user_id), &task["id"]));

    let (delivery, attempts) = setup.delivery(&webhook).await;
    assert_eq!((delivery.status, delivery.attempts), (DeliveryStatus::Delivered, 1));
    assert_eq!(delivery.message_id.to_string(), header(request, "webhook-id"));
    assert_eq!(delivery.payload.unwrap().as_bytes(), request.body, "the log has what was sent");
    assert_eq!((attempts[0].response_status, &attempts[0].error), (Some(204), &None));
    assert_eq!(setup.now(&webhook).await.last_success_at, Some(setup.app().now()));
    setup.test.drain().await;
    assert_eq!(setup.received().await.len(), 1, "and once");
}

async fn what_fails_comes_again_after_each_wait_as_the_same_message(storage: Arc<dyn Storage>) {
    let setup = Setup::new(storage).await;
    let failing = Mock::given(method("POST")).respond_with(ResponseTemplate::new(500)).up_to_n_times(3);
    failing.mount(&setup.receiver).await;
    let busy = ResponseTemplate::new(429).insert_header("retry-after", "7200");
    Mock::given(method("POST")).respond_with(busy).up_to_n_times(1).mount(&setup.receiver).await;
    setup.answers(ResponseTemplate::new(200)).await;
    let (webhook, secret) = setup.webhook().await;
    setup.task("A task").await;
    assert_eq!(setup.attempt_all(&webhook).await, 5);

    let (delivery, attempts) = setup.delivery(&webhook).await;
    assert_eq!(delivery.status, DeliveryStatus::Delivered);
    let statuses: Vec<_> = attempts.iter().map(|attempt| attempt.response_status.unwrap()).collect();
    assert_eq!(statuses, [500, 500, 500, 429, 200]);
    let waits: Vec<i64> = attempts.windows(2).map(|two| (two[1].at - two[0].at).num_seconds()).collect();
    for (wait, least) in waits.iter().zip([5, 60, 300, 7200]) {
        assert!(*wait >= least, "{waits:?}");
    }
    let received = setup.received().await;
    for request in &received {
        assert_eq!(header(request, "webhook-id"), header(&received[0], "webhook-id"));
        assert_eq!(request.body, received[0].body);
        assert_eq!(signatures(request), [signature_of(&secret, request)], "each attempt has its own time");
    }
    assert_ne!(header(&received[0], "webhook-timestamp"), header(&received[4], "webhook-timestamp"));
}

async fn an_endpoint_that_takes_nothing_for_a_day_is_turned_off_and_the_owners_are_told(
    storage: Arc<dyn Storage>,
) {
    let setup = Setup::new(storage).await;
    setup.test.member(&setup.ada, "engines", "grace@example.com", "admin").await;
    let _ = setup.test.mail.take();
    setup.answers(ResponseTemplate::new(503)).await;
    let (webhook, _) = setup.webhook().await;
    let begin = setup.app().now();
    setup.task("A task").await;
    assert_eq!(setup.attempt_all(&webhook).await, 9);
    assert!(setup.app().now() - begin > TimeDelta::hours(24));
    let (delivery, _) = setup.delivery(&webhook).await;
    assert_eq!(delivery.status, DeliveryStatus::Failed);
    let off = setup.now(&webhook).await;
    assert_eq!(off.disabled.map(|disabled| disabled.reason), Some(DisabledReason::Failing));

    setup.test.drain().await;
    let mails = setup.test.mail.all();
    let [mail] = &mails[..] else { panic!("one mail, to the owner: {mails:?}") };
    assert_eq!(mail.to, "ada@example.com");
    assert!(mail.text.contains("127.0.0.1") && mail.text.contains("engines"), "{}", mail.text);
    assert!(!mail.text.contains(&setup.receiver.uri()), "a URL may hold a secret: {}", mail.text);

    setup.task("Another task").await;
    setup.test.drain().await;
    assert_eq!(setup.deliveries(&webhook).await.len(), 1, "it receives no more events");
}

async fn a_message_that_is_given_up_turns_nothing_off_while_others_arrive(storage: Arc<dyn Storage>) {
    struct Picky;
    impl Respond for Picky {
        fn respond(&self, request: &Request) -> ResponseTemplate {
            let is_bad = String::from_utf8_lossy(&request.body).contains("Unloved");
            ResponseTemplate::new(if is_bad { 400 } else { 200 })
        }
    }
    let setup = Setup::new(storage).await;
    setup.answers(Picky).await;
    let (webhook, _) = setup.webhook().await;
    setup.task("Unloved").await;
    setup.attempt_all(&webhook).await;
    // Nothing else was sent, so the endpoint was off by then.
    assert!(setup.now(&webhook).await.disabled.is_some());

    let scope = setup.scope().await;
    let mut uow = setup.app().begin().await.unwrap();
    let on = WebhookChange { is_enabled: Some(true), ..WebhookChange::default() };
    setup.app().webhooks().update(&mut *uow, &scope, webhook.id.into(), &on).await.unwrap();
    setup.app().commit(uow).await.unwrap();
    setup.task("Unloved again").await;
    for index in 0..10 {
        setup.test.drain().await;
        setup.test.clock.advance(TimeDelta::hours(11));
        setup.task(&format!("Task {index}")).await;
    }
    setup.test.drain().await;
    let failed = setup.deliveries(&webhook).await.into_iter();
    let failed = failed.filter(|delivery| delivery.status == DeliveryStatus::Failed).count();
    assert_eq!(failed, 2, "the second one is given up too");
    assert_eq!(setup.now(&webhook).await.disabled, None, "but the endpoint stays on");
}

async fn an_endpoint_that_wants_no_more_gets_no_more(storage: Arc<dyn Storage>) {
    let setup = Setup::new(storage).await;
    setup.answers(ResponseTemplate::new(410)).await;
    let (webhook, _) = setup.webhook().await;
    setup.task("A task").await;
    setup.test.drain().await;
    let (delivery, _) = setup.delivery(&webhook).await;
    assert_eq!((delivery.status, delivery.attempts), (DeliveryStatus::Failed, 1));
    let off = setup.now(&webhook).await;
    assert_eq!(off.disabled.map(|disabled| disabled.reason), Some(DisabledReason::Gone));
    assert_eq!(setup.test.mail.all().len(), 1, "the owner receives a mail");
    setup.task("Another task").await;
    setup.test.drain().await;
    assert_eq!(setup.received().await.len(), 1);
}

async fn what_waits_for_an_endpoint_that_was_turned_off_is_given_up(storage: Arc<dyn Storage>) {
    let setup = Setup::new(storage).await;
    let (webhook, _) = setup.webhook().await;
    setup.task("A task").await;
    let scope = setup.scope().await;
    let mut uow = setup.app().begin().await.unwrap();
    let off = WebhookChange { is_enabled: Some(false), ..WebhookChange::default() };
    setup.app().webhooks().update(&mut *uow, &scope, webhook.id.into(), &off).await.unwrap();
    setup.app().commit(uow).await.unwrap();
    setup.test.drain().await;
    let (delivery, attempts) = setup.delivery(&webhook).await;
    assert_eq!((delivery.status, attempts.len()), (DeliveryStatus::Failed, 0));
    assert_eq!(setup.received().await.len(), 0);
}

async fn a_redirect_is_not_followed(storage: Arc<dyn Storage>) {
    let setup = Setup::new(storage).await;
    let elsewhere = MockServer::start().await;
    setup.answers(ResponseTemplate::new(307).insert_header("location", elsewhere.uri())).await;
    let (webhook, _) = setup.webhook().await;
    setup.task("A task").await;
    setup.test.drain().await;
    let (delivery, attempts) = setup.delivery(&webhook).await;
    assert_eq!((delivery.status, attempts[0].response_status), (DeliveryStatus::Pending, Some(307)));
    assert!(attempts[0].error.as_ref().unwrap().contains("redirect"));
    assert_eq!(elsewhere.received_requests().await.unwrap().len(), 0);
}

/// One server allows the endpoints and makes them. Another does not allow them and calls them, as after a change in DNS.
async fn what_is_not_public_is_not_called(storage: Arc<dyn Storage>) {
    let setup = Setup::new(storage).await;
    setup.answers(ResponseTemplate::new(200)).await;
    let port = setup.receiver.address().port();
    for url in [
        format!("http://127.0.0.1:{port}/"),
        format!("https://127.0.0.1:{port}/"),
        format!("https://localhost:{port}/"),
        format!("http://localhost:{port}/"),
        "https://no-such-name.invalid/".to_owned(),
    ] {
        setup.webhook_at(&url, "task.created").await;
    }
    setup.task("A task").await;
    let sender = WebhookSender::new(WebhookNetworks::default()).unwrap();
    let registry = Registry::new().register::<DeliverWebhook>(sender);
    let strict = Worker::new(setup.app().clone(), registry, WorkerOptions::default());
    assert_eq!(strict.drain().await.unwrap(), 5);
    let scope = setup.scope().await;
    let mut uow = setup.app().read().await.unwrap();
    let all = setup.app().webhooks().list(&mut *uow, &scope, &PageRequest::largest()).await.unwrap().items;
    assert_eq!(all.len(), 5);
    for webhook in all {
        let (_, attempts) = setup.delivery(&webhook).await;
        let error = attempts[0].error.as_deref();
        assert_eq!(
            error,
            Some("The endpoint's name or address is not on the public internet."),
            "{}",
            webhook.url
        );
        assert_eq!(attempts[0].took, Duration::ZERO, "the time tells nothing either");
    }
    assert_eq!(setup.received().await.len(), 0);
}

async fn both_secrets_sign_for_a_day_after_a_change(storage: Arc<dyn Storage>) {
    let setup = Setup::new(storage).await;
    setup.answers(ResponseTemplate::new(200)).await;
    let (webhook, first) = setup.webhook().await;
    let scope = setup.scope().await;
    let mut uow = setup.app().begin().await.unwrap();
    let (_, second) = setup.app().webhooks().rotate_secret(&mut *uow, &scope, webhook.id).await.unwrap();
    setup.app().commit(uow).await.unwrap();
    for hours in [0, 23, 2] {
        setup.test.clock.advance(TimeDelta::hours(hours));
        setup.task("A task").await;
        setup.test.drain().await;
    }
    let received = setup.received().await;
    assert_eq!(received.len(), 3);
    for request in &received[..2] {
        assert_eq!(signatures(request), [signature_of(&second, request), signature_of(&first, request)]);
    }
    assert_eq!(signatures(&received[2]), [signature_of(&second, &received[2])]);
}

async fn a_change_of_the_servers_keys_changes_no_secret(storage: Arc<dyn Storage>) {
    let setup = Setup::new(Arc::clone(&storage)).await;
    setup.answers(ResponseTemplate::new(200)).await;
    let (_, secret) = setup.webhook().await;
    let key = |text: &str| SecretKey::new(&Secret::new(text)).unwrap();
    let (old, new) = (|| key(TEST_KEY), || key("another key for tests, which is of no use"));
    let server = |ring: SecretRing| {
        let app = WorkScribe::builder(Arc::clone(&storage), ring).clock(Arc::new(setup.test.clock.clone()));
        let app = app.build();
        let registry = Registry::new().register::<DeliverWebhook>(WebhookSender::new(loopback()).unwrap());
        let worker = Worker::new(app.clone(), registry, WorkerOptions::default());
        (app, worker)
    };
    let lost = server(SecretRing::new(new(), vec![]));
    setup.task("While the key is missing").await;
    lost.1.drain().await.unwrap();
    assert_eq!(setup.received().await.len(), 0, "it cannot be signed, and waits");

    let (changed, _) = server(SecretRing::new(new(), vec![old()]));
    changed.sweep().await.unwrap();
    setup.test.clock.advance(TimeDelta::minutes(1));
    lost.1.drain().await.unwrap();
    let received = setup.received().await;
    assert_eq!(received.len(), 1, "the old key is not needed any more");
    assert_eq!(signatures(&received[0]), [signature_of(&secret, &received[0])]);
}

async fn a_slow_endpoint_keeps_no_other_waiting(storage: Arc<dyn Storage>) {
    struct Counting(Arc<AtomicUsize>);
    impl Respond for Counting {
        fn respond(&self, _: &Request) -> ResponseTemplate {
            self.0.fetch_add(1, Ordering::SeqCst);
            ResponseTemplate::new(200).set_delay(Duration::from_secs(60))
        }
    }
    let setup = Setup::new(storage).await;
    let calls = Arc::new(AtomicUsize::new(0));
    setup.answers(Counting(Arc::clone(&calls))).await;
    let (slow, _) = setup.webhook().await;
    for index in 0..12 {
        setup.task(&format!("Task {index}")).await;
    }
    let quick = MockServer::start().await;
    Mock::given(method("POST")).respond_with(ResponseTemplate::new(200)).mount(&quick).await;
    setup.webhook_at(&quick.uri(), "*").await;
    setup.task("The last task").await;

    let sender = WebhookSender::new(loopback()).unwrap().with_timeout(Duration::from_secs(1));
    let registry = Registry::new().register::<DeliverWebhook>(sender);
    let worker = Worker::new(setup.app().clone(), registry, WorkerOptions::default());
    worker.drain().await.unwrap();
    assert_eq!(
        calls.load(Ordering::SeqCst),
        2,
        "of thirteen, two are sent at once, and the others are snoozed"
    );
    assert_eq!(quick.received_requests().await.unwrap().len(), 1, "the other endpoint has its message");
    let tried: Vec<_> =
        setup.deliveries(&slow).await.into_iter().filter(|delivery| delivery.attempts > 0).collect();
    assert_eq!(tried.len(), 2, "a snooze is no attempt");
}

async fn what_is_beyond_an_organizations_rate_arrives_later(storage: Arc<dyn Storage>) {
    let limits = Limits::default()
        .with(Limit::WebhookMessagesPerHost, 3)
        .with(Limit::WebhookPlacesPerHostAndOrganization, 5);
    let settings = Settings { webhook_networks: loopback(), limits, ..Settings::default() };
    let setup = Setup::with(storage, settings).await;
    setup.answers(ResponseTemplate::new(200)).await;
    let (webhook, _) = setup.webhook().await;
    for index in 0..5 {
        setup.task(&format!("Task {index}")).await;
    }
    for (arrived, seconds) in [(3, 0), (3, 19), (4, 1), (4, 19), (5, 1)] {
        setup.test.clock.advance(TimeDelta::seconds(seconds));
        setup.test.drain().await;
        assert_eq!(setup.received().await.len(), arrived, "after {seconds} s more");
    }
    let all = setup.deliveries(&webhook).await;
    assert!(
        all.iter().all(|delivery| (delivery.status, delivery.attempts) == (DeliveryStatus::Delivered, 1))
    );
}

async fn what_was_removed_meanwhile_is_not_sent(storage: Arc<dyn Storage>) {
    let setup = Setup::new(storage).await;
    setup.answers(ResponseTemplate::new(200)).await;
    let (webhook, _) = setup.webhook().await;
    setup.task("A task").await;
    let scope = setup.scope().await;
    let mut uow = setup.app().begin().await.unwrap();
    setup.app().webhooks().delete(&mut *uow, &scope, webhook.id.into()).await.unwrap();
    setup.app().commit(uow).await.unwrap();
    setup.test.drain().await;
    assert_eq!(setup.received().await.len(), 0);
}
