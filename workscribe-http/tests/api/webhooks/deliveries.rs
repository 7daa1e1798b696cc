//! Deliveries: attempts, repeats, their results, and their signatures.

use std::time::Duration;

use chrono::SecondsFormat;
use hmac::digest::KeyInit;
use hmac::{Hmac, Mac};
use sha2::Sha256;
use workscribe_core::local::LocalRateLimiter;
use workscribe_core::webhooks::{DeliverWebhook, PreparedDelivery, SendResult, Sent};

use crate::support::*;

use super::*;

/// What a worker would send; `None` when there is nothing to do.
async fn prepared(shop: &Workshop, webhook: &Value, delivery: &Value) -> Option<PreparedDelivery> {
    let path = format!("{}/deliveries/{}", at(webhook), id(delivery));
    let org = shop.read(&shop.ada, &path).await["payload"]["organization_id"].clone();
    let job =
        DeliverWebhook { org_id: text(&org).parse().unwrap(), delivery_id: id(delivery).parse().unwrap() };
    shop.app.app.webhooks().prepare_delivery(&job).await.unwrap()
}

/// Settles an attempt with a result.
async fn attempt(shop: &Workshop, webhook: &Value, delivery: &Value, result: SendResult) {
    let prepared = prepared(shop, webhook, delivery).await.expect("a delivery to be sent");
    let sent = Sent { at: shop.app.app.now(), took: Duration::from_millis(120), result };
    shop.app.app.webhooks().settle_delivery(&prepared, &sent).await.unwrap();
}

fn answered(status: u16) -> SendResult {
    SendResult::Response { status, retry_after: None }
}

fn now(shop: &Workshop) -> String {
    shop.app.app.now().to_rfc3339_opts(SecondsFormat::Micros, true)
}

/// What a receiver reads from a message, with a secret as the API showed it.
fn signed(secret: &Value, message: &PreparedDelivery, seconds: i64) -> String {
    let key = STANDARD.decode(text(secret).strip_prefix("whsec_").unwrap()).unwrap();
    let mut mac = Hmac::<Sha256>::new_from_slice(&key).unwrap();
    mac.update(format!("{}.{seconds}.{}", message.message_id(), message.body()).as_bytes());
    format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
}

on_every_storage! {
    async fn pings_and_repeats_to_one_host_are_limited_by_organization(on: On) {
        let limited = on.app_with(|builder| builder.limiter(Arc::new(LocalRateLimiter::default())));
        let shop = Workshop::of(limited.await).await;
        let (made, second) = (hook(&shop, json!(["task.deleted"])).await, hook(&shop, json!(["*"])).await);
        let first = ping(&shop, &made).await;
        for _ in 1..10 {
            ping(&shop, &second).await;
        }
        let again = format!("{}/deliveries/{}/redeliver", at(&made), id(&first));
        for path in [format!("{}/ping", at(&made)), format!("{}/ping", at(&second)), again] {
            let refused = shop.app.post(&path).bearer(&shop.ada).send().await;
            assert_eq!(refused.header("retry-after"), Some("6"), "{path}");
            refused.refused(429, "RATE_LIMITED");
        }
        shop.app.clock.advance(TimeDelta::seconds(6));
        ping(&shop, &made).await;
    }

    async fn a_trial_is_sent_whatever_is_asked_for_and_again_under_the_same_message_id(on: On) {
        let shop = Workshop::new(on).await;
        let mary = shop.app.member(&shop.ada, "engines", "mary@example.com", "admin").await;
        let made = hook(&shop, json!(["member.joined", "task.deleted"])).await;
        let path = at(&made);
        shop.app.clock.advance(TimeDelta::seconds(1));
        let trial = ping(&shop, &made).await;
        let expected = json!({
            "id": trial["id"], "webhook_id": made["id"], "message_id": trial["message_id"], "event": "ping",
            "status": "pending", "attempt_count": 0, "next_attempt_at": null, "created_at": now(&shop),
            "finished_at": null,
        });
        assert_eq!(trial, expected);
        assert_ne!(trial["id"], trial["message_id"]);
        let log = format!("{path}/deliveries");
        assert_eq!(
            shop.read(&shop.ada, &format!("{log}?count=true")).await,
            json!({"deliveries": [trial], "next_cursor": null, "total": 1})
        );
        let detail = shop.read(&shop.ada, &format!("{log}/{}", id(&trial))).await;
        let org = shop.read(&shop.ada, ORG).await["id"].clone();
        let mut whole = trial.clone();
        whole["attempts"] = json!([]);
        whole["payload"] = json!({
            "type": "ping", "timestamp": now(&shop), "organization_id": org, "actor_id": shop.ada.user_id,
            "data": {"webhook_id": made["id"], "events": ["member.joined", "task.deleted"]},
        });
        assert_eq!(detail, whole);

        shop.app.clock.advance(TimeDelta::seconds(1));
        let redeliver = format!("{log}/{}/redeliver", id(&trial));
        let again = post(&shop, &mary, &redeliver).await.expect(StatusCode::ACCEPTED).json;
        assert_ne!(again["id"], trial["id"]);
        assert_eq!((&again["message_id"], &again["event"]), (&trial["message_id"], &trial["event"]));
        assert_eq!((&again["status"], &again["created_at"]), (&json!("pending"), &json!(now(&shop))));
        let repeated = shop.read(&shop.ada, &format!("{log}/{}", id(&again))).await;
        assert_eq!(repeated["payload"], detail["payload"], "the body is that of the first time");
        let listed = shop.read(&shop.ada, &format!("{log}?limit=2")).await;
        assert_eq!(texts(listed["deliveries"].as_array().unwrap(), "id")[0], id(&again), "the newest first");

        shop.change(&shop.ada, &path, json!({"is_enabled": false})).await;
        let count = shop.read(&shop.ada, &format!("{log}?count=true")).await["total"].clone();
        post(&shop, &shop.ada, &format!("{path}/ping")).await.refused(409, "WEBHOOK_DISABLED");
        post(&shop, &shop.ada, &redeliver).await.refused(409, "WEBHOOK_DISABLED");
        assert_eq!(shop.read(&shop.ada, &format!("{log}?count=true")).await["total"], count);
        shop.change(&shop.ada, &path, json!({"is_enabled": true})).await;
        ping(&shop, &made).await;
    }

    async fn deliveries_are_listed_the_newest_first_and_by_where_they_stand(on: On) {
        let shop = Workshop::new(on).await;
        let made = hook(&shop, json!(["task.created"])).await;
        let mut newest_first = Vec::new();
        for number in 0..9 {
            shop.app.clock.advance(TimeDelta::microseconds(1));
            let delivery = ping(&shop, &made).await;
            newest_first.insert(0, id(&delivery));
            match number % 3 {
                1 => attempt(&shop, &made, &delivery, answered(204)).await,
                2 => {
                    attempt(&shop, &made, &delivery, answered(410)).await;
                    shop.change(&shop.ada, &at(&made), json!({"is_enabled": true})).await;
                }
                _ => {}
            }
        }
        let log = format!("{}/deliveries", at(&made));
        for limit in [1, 4, 9, 100] {
            assert_eq!(texts(&walk(&shop.app, &shop.ada, &log, limit).await, "id"), newest_first);
            for (status, offset) in [("failed", 0), ("delivered", 1), ("pending", 2)] {
                let path = format!("{log}?status={status}");
                let found = crate::support::walk_of(&shop.app, &shop.ada, &path, "deliveries", limit).await;
                let expected: Vec<_> = newest_first.iter().skip(offset).step_by(3).cloned().collect();
                assert_eq!(texts(&found, "id"), expected, "{status}, {limit} on a page");
                assert!(found.iter().all(|delivery| delivery["status"] == status));
            }
        }
        let total = shop.read(&shop.ada, &format!("{log}?status=failed&count=true&limit=1")).await;
        assert_eq!(total["total"], 3);
        let odd = shop.app.get(&format!("{log}?status=sent")).bearer(&shop.ada).send().await;
        assert_eq!(odd.refused(422, "VALIDATION_FAILED").faults(), ["/query/status NOT_ONE_OF"]);
        let odd = shop.app.get(&format!("{log}?limit=0")).bearer(&shop.ada).send().await;
        assert_eq!(odd.refused(422, "VALIDATION_FAILED").faults(), ["/query/limit OUT_OF_RANGE"]);
    }

    async fn what_came_of_each_attempt_is_in_the_detail_and_what_follows_in_the_webhook(on: On) {
        let shop = Workshop::new(on).await;
        let made = hook(&shop, json!(["task.created"])).await;
        let delivery = ping(&shop, &made).await;
        let path = format!("{}/deliveries/{}", at(&made), id(&delivery));
        let failed_at = now(&shop);
        attempt(&shop, &made, &delivery, answered(500)).await;
        let failed = shop.read(&shop.ada, &path).await;
        let first = json!({
            "number": 1, "at": failed_at, "duration_ms": 120, "response_status": 500,
            "error": "The endpoint answered 500.",
        });
        assert_eq!((&failed["attempts"], &failed["attempt_count"]), (&json!([first]), &json!(1)));
        assert_eq!((&failed["status"], &failed["finished_at"]), (&json!("pending"), &Value::Null));
        shop.app.clock.advance(TimeDelta::seconds(5));
        assert_eq!(failed["next_attempt_at"], now(&shop));
        assert_eq!(shop.read(&shop.ada, &at(&made)).await["last_success_at"], Value::Null);

        let reason = "The endpoint did not answer.".to_owned();
        attempt(&shop, &made, &delivery, SendResult::NoResponse { reason }).await;
        shop.app.clock.advance(TimeDelta::seconds(60));
        attempt(&shop, &made, &delivery, answered(204)).await;
        let delivered = shop.read(&shop.ada, &path).await;
        assert_eq!((&delivered["status"], &delivered["finished_at"]), (&json!("delivered"), &json!(now(&shop))));
        assert_eq!((&delivered["next_attempt_at"], &delivered["attempt_count"]), (&Value::Null, &json!(3)));
        let told = |field: &str| {
            let attempts = delivered["attempts"].as_array().unwrap().iter();
            attempts.map(|attempt| attempt[field].clone()).collect::<Vec<_>>()
        };
        assert_eq!(told("number"), [json!(1), json!(2), json!(3)]);
        assert_eq!(told("response_status"), [json!(500), Value::Null, json!(204)]);
        assert_eq!(told("error")[1..], [json!("The endpoint did not answer."), Value::Null]);
        assert!(prepared(&shop, &made, &delivery).await.is_none(), "it is not sent again by itself");
        assert_eq!(shop.read(&shop.ada, &at(&made)).await["last_success_at"], now(&shop));

        let last = ping(&shop, &made).await;
        attempt(&shop, &made, &last, answered(410)).await;
        let gone = shop.read(&shop.ada, &at(&made)).await;
        assert_eq!((&gone["is_enabled"], &gone["disabled_reason"]), (&json!(false), &json!("gone")));
        assert_eq!(gone["disabled_at"], now(&shop));
        let still = shop.change(&shop.ada, &at(&made), json!({"is_enabled": false})).await;
        assert_eq!(still, gone, "one that is off is not turned off again");
        let on = shop.change(&shop.ada, &at(&made), json!({"is_enabled": true})).await;
        assert_eq!((&on["disabled_reason"], &on["disabled_at"]), (&Value::Null, &Value::Null));
    }

    async fn the_secret_that_was_shown_signs_and_the_one_before_it_for_a_day(on: On) {
        let shop = Workshop::new(on).await;
        let made = hook(&shop, json!(["task.created"])).await;
        let delivery = ping(&shop, &made).await;
        let at_second = shop.app.app.now();
        let signature = async || {
            let message = prepared(&shop, &made, &delivery).await.unwrap();
            (message.signature(at_second), message)
        };
        let rotate = async || {
            let answer = post(&shop, &shop.ada, &format!("{}/rotate-secret", at(&made))).await;
            answer.expect(StatusCode::OK).json["secret"].clone()
        };
        let (told, message) = signature().await;
        let by = |secret: &Value| signed(secret, &message, at_second.timestamp());
        assert_eq!(told, by(&made["secret"]));
        let second = rotate().await;
        assert_eq!(signature().await.0, format!("{} {}", by(&second), by(&made["secret"])));
        let third = rotate().await;
        assert_eq!(signature().await.0, format!("{} {}", by(&third), by(&second)), "two at the most");
        // A new login, since a token does not live so long.
        shop.app.clock.advance(TimeDelta::hours(24) - TimeDelta::seconds(1));
        let shop = Workshop { ada: shop.app.login("ada@example.com").await, ..shop };
        let message = prepared(&shop, &made, &delivery).await.unwrap();
        assert_eq!(message.signature(at_second), format!("{} {}", by(&third), by(&second)));
        shop.app.clock.advance(TimeDelta::seconds(1));
        let message = prepared(&shop, &made, &delivery).await.unwrap();
        assert_eq!(message.signature(at_second), by(&third));
    }
}
