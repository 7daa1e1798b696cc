//! Webhooks: who creates them, their fields, and their secrets. Tests of events are in `webhooks/events.rs`, and tests of
//! deliveries in `webhooks/deliveries.rs`.

mod deliveries;
mod events;
mod listening;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::support::*;
use crate::workshop::{NOTHING, Workshop, id, text};

const HOOKS: &str = "/organizations/engines/webhooks";
const URL: &str = "https://hooks.example/engines";

/// Creates a webhook, as Ada. The response has its secret.
async fn hook(shop: &Workshop, events: Value) -> Value {
    shop.make(&shop.ada, HOOKS, json!({"url": URL, "events": events})).await
}

fn at(webhook: &Value) -> String {
    format!("{HOOKS}/{}", id(webhook))
}

async fn post(shop: &Workshop, who: &Login, path: &str) -> Answer {
    shop.app.post(path).bearer(who).send().await
}

/// Sends a webhook a ping, as Ada.
async fn ping(shop: &Workshop, webhook: &Value) -> Value {
    let answer = post(shop, &shop.ada, &format!("{}/ping", at(webhook))).await;
    answer.expect(StatusCode::ACCEPTED).json
}

/// Every operation on webhooks, with a valid body.
fn operations(webhook: &str, delivery: &str) -> Vec<(Method, String, Value)> {
    let hook = format!("{HOOKS}/{webhook}");
    vec![
        (Method::GET, hook.clone(), Value::Null),
        (Method::PATCH, hook.clone(), json!({"is_enabled": true})),
        (Method::POST, format!("{hook}/rotate-secret"), Value::Null),
        (Method::POST, format!("{hook}/ping"), Value::Null),
        (Method::GET, format!("{hook}/deliveries"), Value::Null),
        (Method::GET, format!("{hook}/deliveries/{delivery}"), Value::Null),
        (Method::POST, format!("{hook}/deliveries/{delivery}/redeliver"), Value::Null),
        (Method::DELETE, hook, Value::Null),
    ]
}

on_every_storage! {
    async fn a_webhook_is_made_read_changed_and_removed_in_the_version_that_was_read(on: On) {
        let shop = Workshop::new(on).await;
        let body = json!({
            "url": " https://hooks.example/a?b=c ", "description": " Looks on. ",
            "events": ["task.created", "member.joined", "task.created"],
        });
        let made = shop.send(&shop.ada, Method::POST, HOOKS, body).await.expect(StatusCode::CREATED);
        let path = at(&made.json);
        assert_eq!(made.header("location"), Some(format!("/api/v1{path}").as_str()));
        let mut expected = json!({
            "id": made.json["id"], "url": "https://hooks.example/a?b=c", "description": "Looks on.",
            "events": ["member.joined", "task.created"], "is_enabled": true, "disabled_reason": null,
            "disabled_at": null, "last_success_at": null, "created_by": shop.ada.user_id,
            "created_at": made.json["created_at"], "updated_at": made.json["created_at"],
        });
        let read = async || shop.app.get(&path).bearer(&shop.ada).send().await.expect(StatusCode::OK);
        assert_eq!((read().await.json, read().await.etag()), (expected.clone(), made.etag()));
        let listed = shop.read(&shop.ada, &format!("{HOOKS}?count=true")).await;
        assert_eq!(listed, json!({"webhooks": [expected], "next_cursor": null, "total": 1}));
        expected["secret"] = made.json["secret"].clone();
        assert_eq!(made.json, expected);

        shop.app.clock.advance(TimeDelta::seconds(1));
        let change = async |tag: &str, body: Value| {
            shop.app.patch(&path).bearer(&shop.ada).header("if-match", tag).json(&body).send().await
        };
        let off = change(&made.etag(), json!({"is_enabled": false})).await.expect(StatusCode::OK);
        assert_eq!((&off.json["is_enabled"], &off.json["disabled_reason"]), (&json!(false), &json!("manual")));
        assert_eq!(off.json["disabled_at"], off.json["updated_at"]);
        assert_ne!((&off.json["updated_at"], off.etag()), (&made.json["updated_at"], made.etag()));
        for stale in [made.etag().as_str(), "\"x\"", ""] {
            change(stale, json!({"is_enabled": true})).await.refused(412, "STALE_VERSION");
            let delete = shop.app.delete(&path).bearer(&shop.ada).header("if-match", stale);
            delete.send().await.refused(412, "STALE_VERSION");
        }
        shop.app.clock.advance(TimeDelta::seconds(1));
        let same = change(&off.etag(), json!({"is_enabled": false, "description": "Looks on."})).await;
        assert_eq!((&same.json, same.etag()), (&off.json, off.etag()), "to say the same again changes nothing");
        let body = json!({"url": "https://hooks.example", "events": ["*"], "description": null, "is_enabled": true});
        let changed = change("*", body).await.expect(StatusCode::OK);
        let expected = json!({
            "id": made.json["id"], "url": "https://hooks.example/", "description": null, "events": ["*"],
            "is_enabled": true, "disabled_reason": null, "disabled_at": null, "last_success_at": null,
            "created_by": shop.ada.user_id, "created_at": made.json["created_at"],
            "updated_at": changed.json["updated_at"],
        });
        assert_eq!((&changed.json, &read().await.json), (&expected, &expected));
        let delete = shop.app.delete(&path).bearer(&shop.ada).header("if-match", &changed.etag());
        delete.send().await.expect(StatusCode::NO_CONTENT);
        shop.remove(&shop.ada, &path).await.refused(404, "WEBHOOK_NOT_FOUND");
        assert_eq!(shop.read(&shop.ada, HOOKS).await["webhooks"], json!([]));
    }

    async fn a_secret_is_shown_when_it_is_made_and_in_no_other_answer(on: On) {
        let shop = Workshop::new(on).await;
        let made = hook(&shop, json!(["*"])).await;
        let first = text(&made["secret"]);
        let path = at(&made);
        let before = shop.app.get(&path).bearer(&shop.ada).send().await.etag();
        let rotated = post(&shop, &shop.ada, &format!("{path}/rotate-secret")).await.expect(StatusCode::OK);
        let second = text(&rotated.json["secret"]);
        for secret in [&first, &second] {
            let key = STANDARD.decode(secret.strip_prefix("whsec_").unwrap()).unwrap();
            assert_eq!(key.len(), 32);
        }
        assert_ne!(first, second);
        assert!(!rotated.text.contains(&first));
        let now = shop.app.get(&path).bearer(&shop.ada).send().await;
        assert_ne!(before, now.etag(), "a new secret is a new version");
        let mut shown = rotated.json.clone();
        shown.as_object_mut().unwrap().remove("secret");
        assert_eq!((rotated.etag(), shown), (now.etag(), now.json));
        let delivery = id(&ping(&shop, &made).await);
        let mut answers = vec![
            shop.send(&shop.ada, Method::GET, HOOKS, Value::Null).await,
            shop.send(&shop.ada, Method::POST, HOOKS, json!({"url": URL, "events": ["*"]})).await,
            shop.send(&shop.ada, Method::GET, &format!("{ORG}/export"), Value::Null).await,
        ];
        for (method, path, body) in operations(&id(&made), &delivery) {
            answers.push(shop.send(&shop.ada, method, &path, body).await);
        }
        for answer in answers {
            assert!(answer.status.is_success(), "{answer:?}");
            let told = format!("{} {:?}", answer.text, answer.headers);
            for secret in [&first, &second] {
                assert!(!told.contains(secret.trim_start_matches("whsec_")), "{told}");
            }
        }
    }

    async fn every_fault_of_a_webhook_has_its_code_and_pointer(on: On) {
        let shop = Workshop::new(on).await;
        let kept = hook(&shop, json!(["task.created"])).await;
        let path = at(&kept);
        let kept = shop.read(&shop.ada, &path).await;
        let urls = [
            (json!("http://hooks.example/"), "/url NOT_HTTPS"),
            (json!("ftp://hooks.example/"), "/url NOT_HTTPS"),
            (json!("https://169.254.169.254/latest/meta-data/"), "/url NOT_PUBLIC"),
            (json!("https://[::1]/"), "/url NOT_PUBLIC"),
            (json!("https://[::ffff:10.0.0.1]/"), "/url NOT_PUBLIC"),
            (json!("https://127.0.0.1:8001/"), "/url NOT_PUBLIC"),
            (json!("https://2130706433/"), "/url NOT_PUBLIC"),
            (json!("https://10.0.0.8/"), "/url NOT_PUBLIC"),
            (json!("https://localhost/"), "/url NOT_PUBLIC"),
            (json!("hooks.example"), "/url INVALID_URL"),
            (json!(""), "/url INVALID_URL"),
            (json!("https://ada:secret@hooks.example/"), "/url INVALID_URL"),
            (json!("https://hooks.example/#here"), "/url INVALID_URL"),
            (json!(format!("https://hooks.example/{}", "a".repeat(2_000))), "/url TOO_LONG"),
            (json!(5), "/url WRONG_TYPE"),
        ];
        let events = [
            (json!([]), "/events REQUIRED"),
            (json!(["task.moved"]), "/events/0 UNKNOWN_EVENT"),
            (json!(["*", "task.moved"]), "/events/1 UNKNOWN_EVENT"),
            (json!(["task.created", "Task.created", "ping"]), "/events/1 UNKNOWN_EVENT, /events/2 UNKNOWN_EVENT"),
            (json!(vec!["no such event"; 51]), "/events TOO_MANY"),
            (json!(["task.created", 1]), "/events/1 WRONG_TYPE"),
            (json!("task.created"), "/events WRONG_TYPE"),
        ];
        let descriptions = [
            (json!("x".repeat(201)), "/description TOO_LONG"),
            (json!("a\u{0}"), "/description CONTROL_CHARACTER"),
            (json!(5), "/description WRONG_TYPE"),
        ];
        let mut cases: Vec<(Value, String)> = Vec::new();
        let fields = [("url", &urls[..]), ("events", &events[..]), ("description", &descriptions[..])];
        for (field, faults) in fields {
            cases.extend(faults.iter().map(|(value, fault)| (json!({field: value}), (*fault).to_owned())));
        }
        cases.push((json!({"is_enabled": "yes"}), "/is_enabled WRONG_TYPE".into()));
        cases.push((json!({"is_enabled": null}), "/is_enabled NOT_NULLABLE".into()));
        let all = json!({"url": "http://hooks.example/", "description": "x".repeat(201), "events": ["a"]});
        cases.push((all, "/url NOT_HTTPS, /description TOO_LONG, /events/0 UNKNOWN_EVENT".into()));
        let faults = async |method: Method, path: &str, body: &Value| {
            let answer = shop.send(&shop.ada, method, path, body.clone()).await;
            answer.refused(422, "VALIDATION_FAILED").faults().join(", ")
        };
        for (body, fault) in &cases {
            assert_eq!(faults(Method::PATCH, &path, body).await, *fault, "{body}");
            let mut whole = json!({"url": URL, "events": ["*"]});
            whole.as_object_mut().unwrap().extend(body.as_object().unwrap().clone());
            assert_eq!(faults(Method::POST, HOOKS, &whole).await, *fault, "{whole}");
        }
        for field in ["url", "events"] {
            let body = json!({field: null});
            assert_eq!(faults(Method::PATCH, &path, &body).await, format!("/{field} NOT_NULLABLE"));
            let mut body = json!({"url": URL, "events": ["*"]});
            body.as_object_mut().unwrap().remove(field);
            assert_eq!(faults(Method::POST, HOOKS, &body).await, format!("/{field} REQUIRED"));
        }
        assert_eq!(shop.read(&shop.ada, HOOKS).await["webhooks"], json!([kept]), "a refusal changes nothing");
        let longest = json!({"description": "é".repeat(200)});
        assert_eq!(shop.change(&shop.ada, &path, longest.clone()).await["description"], longest["description"]);
        let blank = shop.change(&shop.ada, &path, json!({"description": "  "})).await;
        assert_eq!(blank["description"], Value::Null);
    }

    async fn of_30_webhooks_made_at_once_20_are_there(on: On) {
        let shop = Arc::new(Workshop::new(on).await);
        let answers = at_once((0..30).map(|number| {
            let shop = Arc::clone(&shop);
            async move {
                let body = json!({"url": format!("{URL}/{number}"), "events": ["task.created"]});
                shop.send(&shop.ada, Method::POST, HOOKS, body).await
            }
        }))
        .await;
        let (made, refused): (Vec<_>, Vec<_>) =
            answers.into_iter().partition(|answer| answer.status == StatusCode::CREATED);
        assert_eq!(made.len(), 20);
        for answer in refused {
            answer.refused(409, "LIMIT_REACHED");
        }
        let mut made: Vec<_> = made.iter().map(|answer| id(&answer.json)).collect();
        made.sort();
        for limit in [1, 7, 20, 100] {
            let mut listed = texts(&walk(&shop.app, &shop.ada, HOOKS, limit).await, "id");
            listed.sort();
            assert_eq!(listed, made, "{limit} on a page");
        }
        assert_eq!(shop.read(&shop.ada, &format!("{HOOKS}?count=true&limit=1")).await["total"], 20);
        let body = json!({"url": URL, "events": ["*"]});
        shop.send(&shop.ada, Method::POST, HOOKS, body.clone()).await.refused(409, "LIMIT_REACHED");
        shop.remove(&shop.ada, &format!("{HOOKS}/{}", made[0])).await.expect(StatusCode::NO_CONTENT);
        shop.make(&shop.ada, HOOKS, body).await;
    }

    async fn webhooks_are_for_admins_and_owners_and_others_learn_nothing(on: On) {
        let shop = Workshop::new(on).await;
        let made = hook(&shop, json!(["*"])).await;
        let delivery = id(&ping(&shop, &made).await);
        let mary = shop.app.member(&shop.ada, "engines", "mary@example.com", "admin").await;
        let outsider = shop.app.register("charles@example.com").await;
        let mut all = operations(&id(&made), &delivery);
        all.insert(0, (Method::POST, HOOKS.to_owned(), json!({"url": URL, "events": ["*"]})));
        all.insert(0, (Method::GET, HOOKS.to_owned(), Value::Null));
        for (method, path, body) in &all {
            let send = async |who: &Login| shop.send(who, method.clone(), path, body.clone()).await;
            send(&shop.grace).await.refused(403, "INSUFFICIENT_ROLE");
            send(&outsider).await.refused(404, "ORGANIZATION_NOT_FOUND");
            let anonymous = shop.app.request(method.clone(), &format!("/api/v1{path}")).send().await;
            anonymous.refused(401, "UNAUTHENTICATED");
        }
        for (method, path, body) in all {
            let answer = shop.send(&mary, method.clone(), &path, body).await;
            assert!(answer.status.is_success(), "{method} {path}: {answer:?}");
        }
    }

    async fn ids_of_nothing_and_of_another_tenant_are_not_found(on: On) {
        let shop = Workshop::new(on).await;
        let made = id(&hook(&shop, json!(["*"])).await);
        shop.app.organization(&shop.ada, "looms").await;
        let looms = "/organizations/looms/webhooks";
        let other = id(&shop.make(&shop.ada, looms, json!({"url": URL, "events": ["*"]})).await);
        let ping = post(&shop, &shop.ada, &format!("{looms}/{other}/ping")).await;
        let delivery = id(&ping.expect(StatusCode::ACCEPTED).json);
        for absent in [other.as_str(), NOTHING, "no-id", &made.replace('-', "")] {
            for (method, path, body) in operations(absent, &delivery) {
                shop.send(&shop.ada, method, &path, body).await.refused(404, "WEBHOOK_NOT_FOUND");
            }
        }
        for absent in [delivery.as_str(), NOTHING, "no-id"] {
            let path = format!("{HOOKS}/{made}/deliveries/{absent}");
            shop.app.get(&path).bearer(&shop.ada).send().await.refused(404, "DELIVERY_NOT_FOUND");
            let again = post(&shop, &shop.ada, &format!("{path}/redeliver")).await;
            again.refused(404, "DELIVERY_NOT_FOUND");
        }
        let path = format!("{looms}/{other}/deliveries");
        assert_eq!(shop.read(&shop.ada, &path).await["deliveries"].as_array().unwrap().len(), 1);
    }
}
