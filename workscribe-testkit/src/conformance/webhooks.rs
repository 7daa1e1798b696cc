//! Endpoints of webhooks, and the deliveries to them.

use super::fixtures::*;
use super::prelude::*;

use workscribe_core::events::EventKind;
use workscribe_core::id::{WebhookDeliveryId, WebhookId};
use workscribe_core::identity::Sealed;
use workscribe_core::sweep::Portion;
use workscribe_core::webhooks::{
    DeliveryAttempt, DeliveryPass, DeliveryState, DeliveryStatus, Disabled, DisabledReason, EventSet,
    Resealing, Subscription, Webhook, WebhookDelivery,
};

fn new_webhook(scope: &OrgScope, seconds: i64) -> Webhook {
    Webhook {
        id: id(),
        url: "https://example.com/hooks?a=b".into(),
        description: None,
        events: EventSet::of(&[EventKind::TaskCreated]),
        disabled: None,
        secrets: Sealed { key_id: "first".into(), bytes: vec![0, 1, 255] },
        previous_until: None,
        last_success_at: None,
        created_by: scope.actor(),
        version: 1,
        created_at: at(seconds),
        updated_at: at(seconds),
    }
}

async fn add_webhook(storage: &Arc<dyn Storage>, scope: &OrgScope, seconds: i64) -> Webhook {
    let webhook = new_webhook(scope, seconds);
    commit!(storage, uow => uow.webhooks().insert(scope, &webhook));
    webhook
}

fn new_delivery(webhook: WebhookId, seconds: i64) -> WebhookDelivery {
    WebhookDelivery {
        id: id(),
        webhook_id: webhook,
        message_id: id(),
        event: EventKind::TaskCreated,
        payload: Some(format!(
            r#"{{"type": "task.created", "name": "{}"}}"#,
            UNICODE.replace(['"', '\\'], "")
        )),
        status: DeliveryStatus::Pending,
        attempts: 0,
        next_attempt_at: None,
        created_at: at(seconds),
        finished_at: None,
    }
}

async fn add_delivery(
    storage: &Arc<dyn Storage>,
    scope: &OrgScope,
    webhook: WebhookId,
    seconds: i64,
) -> WebhookDelivery {
    let delivery = new_delivery(webhook, seconds);
    commit!(storage, uow => uow.webhooks().add_deliveries(scope, std::slice::from_ref(&delivery)));
    delivery
}

async fn enter(storage: &Arc<dyn Storage>, scope: &OrgScope, id: WebhookDeliveryId) -> Option<DeliveryPass> {
    let mut uow = storage.read().await.unwrap();
    DeliveryPass::enter(&mut *uow, scope.org(), id).await.unwrap()
}

fn attempt_number(number: u32, seconds: i64) -> DeliveryAttempt {
    DeliveryAttempt {
        number,
        at: at(seconds),
        took: Duration::from_millis(1_234),
        response_status: Some(503),
        error: Some("The endpoint answered 503.".into()),
    }
}

async fn find(storage: &Arc<dyn Storage>, scope: &OrgScope, id: WebhookId) -> Option<Webhook> {
    read!(storage, uow => uow.webhooks().find(scope, id))
}

pub async fn a_webhook_is_found_as_it_was_stored_and_by_its_organization_alone(storage: Arc<dyn Storage>) {
    let (ours, theirs) = (tenant(&storage, "engines").await, tenant(&storage, "looms").await);
    let webhook = Webhook {
        url: "https://例え.example.com/?a=%20b".into(),
        description: Some(UNICODE.into()),
        events: EventSet::All,
        disabled: Some(Disabled { reason: DisabledReason::Gone, at: at_micros(3) }),
        secrets: Sealed { key_id: "first".into(), bytes: (0..=255).collect() },
        previous_until: Some(at_micros(5)),
        last_success_at: Some(at_micros(6)),
        version: 7,
        created_at: at_micros(1),
        updated_at: at_micros(2),
        ..new_webhook(&ours, 0)
    };
    commit!(storage, uow => uow.webhooks().insert(&ours, &webhook));
    assert_eq!(find(&storage, &ours, webhook.id).await, Some(webhook.clone()));
    assert_eq!(commit!(storage, uow => uow.webhooks().lock(&ours, webhook.id)), Some(webhook.clone()));
    assert_eq!(find(&storage, &theirs, webhook.id).await, None);
    assert_eq!(commit!(storage, uow => uow.webhooks().lock(&theirs, webhook.id)), None);
    assert_eq!(read!(storage, uow => uow.webhooks().count(&theirs)), 0);
    // A call of another organization changes and removes nothing.
    let changed = Webhook { url: "https://evil.example.com/".into(), ..webhook.clone() };
    commit!(storage, uow => uow.webhooks().update(&theirs, &changed));
    commit!(storage, uow => uow.webhooks().delete(&theirs, webhook.id));
    assert_eq!(find(&storage, &ours, webhook.id).await, Some(webhook));
}

pub async fn webhooks_are_listed_by_age_page_by_page(storage: Arc<dyn Storage>) {
    let (scope, other) = (tenant(&storage, "engines").await, tenant(&storage, "looms").await);
    add_webhook(&storage, &other, 0).await;
    let mut expected = Vec::new();
    for index in 0..7 {
        expected.push(add_webhook(&storage, &scope, 7 - index / 3).await);
    }
    expected.sort_by_key(|webhook| (webhook.created_at, webhook.id));
    for limit in [1, 3, 100] {
        let seen = all_pages(limit, async |page| {
            let rows = read!(storage, uow => uow.webhooks().list(&scope, &page));
            page.page(rows, None, |row| Cursor { at: row.created_at, id: row.id.into() })
        })
        .await;
        assert_eq!(seen, expected, "pages of {limit}");
    }
    assert_eq!(read!(storage, uow => uow.webhooks().count(&scope)), 7);
}

pub async fn a_webhook_is_written_as_it_is_given_but_for_what_a_worker_notes(storage: Arc<dyn Storage>) {
    let scope = tenant(&storage, "engines").await;
    let webhook = add_webhook(&storage, &scope, 0).await;
    let delivery = add_delivery(&storage, &scope, webhook.id, 1).await;
    let pass = enter(&storage, &scope, delivery.id).await.unwrap();
    commit!(storage, uow => uow.webhooks().note_success(&pass, at(2)));
    let changed = Webhook {
        url: "https://example.org/".into(),
        description: Some("For the chat".into()),
        events: EventSet::All,
        disabled: Some(Disabled { reason: DisabledReason::Manual, at: at(3) }),
        secrets: Sealed { key_id: "second".into(), bytes: vec![9] },
        previous_until: Some(at(4)),
        version: 2,
        updated_at: at(3),
        ..webhook.clone()
    };
    commit!(storage, uow => uow.webhooks().update(&scope, &changed));
    let expected = Webhook { last_success_at: Some(at(2)), ..changed.clone() };
    assert_eq!(find(&storage, &scope, webhook.id).await, Some(expected));
    let on = Webhook { disabled: None, description: None, previous_until: None, ..changed };
    commit!(storage, uow => uow.webhooks().update(&scope, &on));
    let expected = Webhook { last_success_at: Some(at(2)), ..on };
    assert_eq!(find(&storage, &scope, webhook.id).await, Some(expected));
}

pub async fn those_that_are_on_listen(storage: Arc<dyn Storage>) {
    let (scope, other) = (tenant(&storage, "engines").await, tenant(&storage, "looms").await);
    add_webhook(&storage, &other, 0).await;
    let off = Webhook {
        disabled: Some(Disabled { reason: DisabledReason::Manual, at: at(0) }),
        ..new_webhook(&scope, 0)
    };
    let all = Webhook { events: EventSet::All, ..new_webhook(&scope, 0) };
    for webhook in [&off, &all] {
        commit!(storage, uow => uow.webhooks().insert(&scope, webhook));
    }
    let some = add_webhook(&storage, &scope, 0).await;
    let mut expected =
        [&all, &some].map(|webhook| Subscription { id: webhook.id, events: webhook.events.clone() });
    expected.sort_by_key(|subscription| subscription.id);
    assert_eq!(read!(storage, uow => uow.webhooks().subscriptions(&scope)), expected);
}

pub async fn deliveries_are_listed_newest_first_by_status_without_their_payloads(storage: Arc<dyn Storage>) {
    let (scope, other) = (tenant(&storage, "engines").await, tenant(&storage, "looms").await);
    let (webhook, second) = (add_webhook(&storage, &scope, 0).await, add_webhook(&storage, &scope, 0).await);
    let deliveries: Vec<WebhookDelivery> =
        (0..7).map(|index| new_delivery(webhook.id, index / 3)).chain([new_delivery(second.id, 0)]).collect();
    commit!(storage, uow => uow.webhooks().add_deliveries(&scope, &deliveries));
    commit!(storage, uow => uow.webhooks().add_deliveries(&scope, &[]));
    let pass = enter(&storage, &scope, deliveries[0].id).await.unwrap();
    assert!(
        commit!(storage, uow => uow.webhooks().note_attempt(&pass, None, DeliveryStatus::Failed.into(), at(9)))
    );
    let mut expected: Vec<WebhookDelivery> = deliveries[..7].to_vec();
    (expected[0].status, expected[0].finished_at) = (DeliveryStatus::Failed, Some(at(9)));
    expected.iter_mut().for_each(|delivery| delivery.payload = None);
    expected.sort_by_key(|delivery| std::cmp::Reverse((delivery.created_at, delivery.id)));
    for (status, limit) in
        [(None, 2), (None, 100), (Some(DeliveryStatus::Pending), 4), (Some(DeliveryStatus::Failed), 1)]
    {
        let expected: Vec<_> = expected
            .iter()
            .filter(|delivery| status.is_none_or(|status| delivery.status == status))
            .cloned()
            .collect();
        let seen = all_pages(limit, async |page| {
            let rows = read!(storage, uow => uow.webhooks().deliveries(&scope, webhook.id, status, &page));
            page.page(rows, None, |row| Cursor { at: row.created_at, id: row.id.into() })
        })
        .await;
        assert_eq!(seen, expected, "{status:?}, pages of {limit}");
        let count = read!(storage, uow => uow.webhooks().count_deliveries(&scope, webhook.id, status));
        assert_eq!(count, expected.len() as i64);
    }
    let page = PageRequest::largest();
    assert_eq!(read!(storage, uow => uow.webhooks().deliveries(&other, webhook.id, None, &page)), []);
    assert_eq!(read!(storage, uow => uow.webhooks().count_deliveries(&other, webhook.id, None)), 0);
}

pub async fn a_delivery_is_found_with_its_payload_by_its_webhook(storage: Arc<dyn Storage>) {
    let (scope, other) = (tenant(&storage, "engines").await, tenant(&storage, "looms").await);
    let (webhook, second) = (add_webhook(&storage, &scope, 0).await, add_webhook(&storage, &scope, 0).await);
    let delivery = add_delivery(&storage, &scope, webhook.id, 1).await;
    let find = async |scope: &OrgScope, webhook, id| read!(storage, uow => uow.webhooks().delivery(scope, webhook, id));
    assert_eq!(find(&scope, webhook.id, delivery.id).await, Some(delivery.clone()));
    assert_eq!(find(&scope, second.id, delivery.id).await, None);
    assert_eq!(find(&other, webhook.id, delivery.id).await, None);
    assert_eq!(find(&scope, webhook.id, id()).await, None);
}

pub async fn a_worker_enters_a_delivery_with_its_webhook_and_organization(storage: Arc<dyn Storage>) {
    let (scope, other) = (tenant(&storage, "engines").await, tenant(&storage, "looms").await);
    let webhook = add_webhook(&storage, &scope, 0).await;
    let delivery = add_delivery(&storage, &scope, webhook.id, 1).await;
    let pass = enter(&storage, &scope, delivery.id).await.unwrap();
    assert_eq!((pass.org(), pass.webhook(), pass.delivery()), (scope.org(), &webhook, &delivery));
    assert_eq!(enter(&storage, &other, delivery.id).await, None);
    let stray = add_delivery(&storage, &scope, id(), 1).await;
    assert_eq!(enter(&storage, &scope, stray.id).await, None, "its webhook is gone");
    let owners = read!(storage, uow => uow.webhooks().owners(&pass));
    assert_eq!(owners, [scope.actor()]);
    let grace = add_user(&storage, "grace").await;
    add_member(&storage, &scope, &grace, Role::Admin, at(1)).await;
    assert_eq!(read!(storage, uow => uow.webhooks().owners(&pass)), [scope.actor()]);
}

pub async fn attempts_are_noted_in_order_and_once(storage: Arc<dyn Storage>) {
    let (scope, other) = (tenant(&storage, "engines").await, tenant(&storage, "looms").await);
    let webhook = add_webhook(&storage, &scope, 0).await;
    let delivery = add_delivery(&storage, &scope, webhook.id, 1).await;
    let first = enter(&storage, &scope, delivery.id).await.unwrap();
    let failed = attempt_number(1, 2);
    let note = async |pass: &DeliveryPass, attempt: &DeliveryAttempt, status, next, now| commit!(storage, uow => uow.webhooks().note_attempt(pass, Some(attempt), DeliveryState { status, next_attempt_at: next }, now));
    assert!(note(&first, &failed, DeliveryStatus::Pending, Some(at(60)), at(3)).await);
    // The report of a worker whose lease has expired comes too late.
    assert!(!note(&first, &attempt_number(1, 4), DeliveryStatus::Delivered, None, at(4)).await);
    let expected = WebhookDelivery { attempts: 1, next_attempt_at: Some(at(60)), ..delivery.clone() };
    let found =
        async || read!(storage, uow => uow.webhooks().delivery(&scope, webhook.id, delivery.id)).unwrap();
    assert_eq!(found().await, expected);

    let second = enter(&storage, &scope, delivery.id).await.unwrap();
    let taken = DeliveryAttempt { response_status: Some(204), error: None, ..attempt_number(2, 61) };
    assert!(note(&second, &taken, DeliveryStatus::Delivered, None, at(62)).await);
    let expected = WebhookDelivery {
        status: DeliveryStatus::Delivered,
        attempts: 2,
        next_attempt_at: None,
        finished_at: Some(at(62)),
        ..delivery.clone()
    };
    assert_eq!(found().await, expected);
    let third = enter(&storage, &scope, delivery.id).await.unwrap();
    assert!(
        !note(&third, &attempt_number(3, 63), DeliveryStatus::Failed, None, at(63)).await,
        "it is settled"
    );
    let unanswered = read!(storage, uow => uow.webhooks().attempts(&scope, delivery.id));
    assert_eq!(unanswered, [failed, taken]);
    assert_eq!(read!(storage, uow => uow.webhooks().attempts(&other, delivery.id)), []);
}

pub async fn a_webhook_is_turned_off_once_and_not_when_it_took_a_message_meanwhile(
    storage: Arc<dyn Storage>,
) {
    let scope = tenant(&storage, "engines").await;
    let webhook = add_webhook(&storage, &scope, 0).await;
    let delivery = add_delivery(&storage, &scope, webhook.id, 10).await;
    let pass = enter(&storage, &scope, delivery.id).await.unwrap();
    let failing = Disabled { reason: DisabledReason::Failing, at: at(100) };
    let turn_off = async |since| commit!(storage, uow => uow.webhooks().turn_off(&pass, failing, since));
    commit!(storage, uow => uow.webhooks().note_success(&pass, at(10)));
    assert!(!turn_off(Some(at(10))).await, "it took a message since");
    assert!(turn_off(Some(at(11))).await, "it took none since");
    assert!(!turn_off(None).await, "it is off");
    let found = find(&storage, &scope, webhook.id).await.unwrap();
    assert_eq!((found.disabled, found.version, found.updated_at), (Some(failing), 2, at(100)));

    let never = add_webhook(&storage, &scope, 0).await;
    let delivery = add_delivery(&storage, &scope, never.id, 10).await;
    let pass = enter(&storage, &scope, delivery.id).await.unwrap();
    assert!(
        commit!(storage, uow => uow.webhooks().turn_off(&pass, failing, Some(at(0)))),
        "it never took one"
    );
}

pub async fn a_removed_webhook_takes_its_deliveries_with_it(storage: Arc<dyn Storage>) {
    let scope = tenant(&storage, "engines").await;
    let (webhook, other) = (add_webhook(&storage, &scope, 0).await, add_webhook(&storage, &scope, 0).await);
    let (gone, kept) = (
        add_delivery(&storage, &scope, webhook.id, 1).await,
        add_delivery(&storage, &scope, other.id, 1).await,
    );
    let pass = enter(&storage, &scope, gone.id).await.unwrap();
    commit!(storage, uow => uow.webhooks().note_attempt(&pass, Some(&attempt_number(1, 1)), DeliveryStatus::Pending.into(), at(1)));
    commit!(storage, uow => uow.webhooks().delete(&scope, webhook.id));
    assert_eq!(find(&storage, &scope, webhook.id).await, None);
    assert_eq!(read!(storage, uow => uow.webhooks().delivery(&scope, webhook.id, gone.id)), None);
    assert_eq!(read!(storage, uow => uow.webhooks().attempts(&scope, gone.id)), []);
    assert_eq!(read!(storage, uow => uow.webhooks().delivery(&scope, other.id, kept.id)), Some(kept));
    // A delivery that is in flight during the removal finds no row to write to.
    assert!(
        !commit!(storage, uow => uow.webhooks().note_attempt(&pass, None, DeliveryStatus::Failed.into(), at(2)))
    );
    commit!(storage, uow => uow.webhooks().note_success(&pass, at(2)));
}

pub async fn a_removed_webhook_takes_a_long_log_with_it(storage: Arc<dyn Storage>) {
    let scope = tenant(&storage, "engines").await;
    let (webhook, other) = (add_webhook(&storage, &scope, 0).await, add_webhook(&storage, &scope, 0).await);
    let log: Vec<_> = (0..5_001).map(|seconds| new_delivery(webhook.id, seconds)).collect();
    commit!(storage, uow => uow.webhooks().add_deliveries(&scope, &log));
    add_delivery(&storage, &scope, other.id, 1).await;
    let is_larger = async |rows| {
        let portion = Portion { rows, bytes: u32::MAX };
        read!(storage, uow => uow.organizations().is_larger_than(&scope, portion))
    };
    // Deliveries and their messages.
    assert!(is_larger(2 * 5_002 - 1).await && !is_larger(2 * 5_002).await);
    commit!(storage, uow => uow.webhooks().delete(&scope, webhook.id));
    assert_eq!(read!(storage, uow => uow.webhooks().count_deliveries(&scope, webhook.id, None)), 0);
    assert_eq!(read!(storage, uow => uow.webhooks().count_deliveries(&scope, other.id, None)), 1);
    assert!(is_larger(5_002).await && !is_larger(5_003).await, "the messages are there until they are swept");
    commit!(storage, uow => uow.webhooks().sweep_messages(at(10_000), Portion::of(10_000)));
    assert!(is_larger(1).await && !is_larger(2).await, "the other's delivery and message");
}

pub async fn an_organization_takes_its_webhooks_with_it(storage: Arc<dyn Storage>) {
    let (scope, other) = (tenant(&storage, "engines").await, tenant(&storage, "looms").await);
    let (webhook, theirs) = (add_webhook(&storage, &scope, 0).await, add_webhook(&storage, &other, 0).await);
    let delivery = add_delivery(&storage, &scope, webhook.id, 1).await;
    assert!(commit!(storage, uow => uow.organizations().delete(&scope, None)));
    assert_eq!(find(&storage, &scope, webhook.id).await, None);
    assert_eq!(enter(&storage, &scope, delivery.id).await, None);
    assert_eq!(find(&storage, &other, theirs.id).await, Some(theirs));
    let late = new_delivery(webhook.id, 2);
    let refused = settle!(storage, uow => uow.webhooks().add_deliveries(&scope, std::slice::from_ref(&late)));
    assert_conflict!(refused, Reference);
}

pub async fn old_deliveries_are_swept_oldest_first_up_to_a_limit(storage: Arc<dyn Storage>) {
    let (scope, other) = (tenant(&storage, "engines").await, tenant(&storage, "looms").await);
    let mut deliveries = Vec::new();
    for (scope, seconds) in [(&scope, 3), (&other, 1), (&scope, 2), (&other, 10)] {
        deliveries.push((scope, add_delivery(&storage, scope, id(), seconds).await));
    }
    let left = async || {
        let mut left = Vec::new();
        for (scope, delivery) in &deliveries {
            let found =
                read!(storage, uow => uow.webhooks().delivery(scope, delivery.webhook_id, delivery.id));
            left.extend(found.map(|found| (found.created_at - at(0)).num_seconds()));
        }
        left
    };
    assert_eq!(commit!(storage, uow => uow.webhooks().sweep(at(10), 2)), 2);
    assert_eq!(left().await, [3, 10]);
    assert_eq!(commit!(storage, uow => uow.webhooks().sweep(at(10), 2)), 1);
    assert_eq!(left().await, [10]);
}

pub async fn messages_go_after_their_deliveries_in_portions_of_so_many_bytes(storage: Arc<dyn Storage>) {
    let scope = tenant(&storage, "engines").await;
    let webhook = add_webhook(&storage, &scope, 0).await;
    let payload = Some(format!("\"{}\"", "x".repeat(1_000)));
    let mut log: Vec<_> = (0..6)
        .map(|seconds| WebhookDelivery { payload: payload.clone(), ..new_delivery(webhook.id, seconds) })
        .collect();
    // The first message was sent again later.
    let again = new_delivery(webhook.id, 50);
    log.push(WebhookDelivery { message_id: log[0].message_id, payload: payload.clone(), ..again });
    commit!(storage, uow => uow.webhooks().add_deliveries(&scope, &log));
    let sweep = async |before, rows, bytes| commit!(storage, uow => uow.webhooks().sweep_messages(at(before), Portion { rows, bytes }));
    assert_eq!(sweep(10, 10, 1_000_000).await, 0, "they have deliveries");
    assert_eq!(commit!(storage, uow => uow.webhooks().sweep(at(10), 100)), 6);
    assert_eq!(sweep(1, 10, 1_000_000).await, 0, "the oldest of before has a delivery still");
    assert_eq!(sweep(10, 10, 1).await, 1, "one goes, however large it is");
    assert_eq!(sweep(10, 10, 1_500).await, 2, "and another one after what is not enough");
    assert_eq!(sweep(10, 1, 1_000_000).await, 1);
    assert_eq!(sweep(10, 10, 1_000_000).await, 1);
    let again = log.last().unwrap();
    let kept = read!(storage, uow => uow.webhooks().delivery(&scope, webhook.id, again.id));
    assert_eq!(kept.and_then(|kept| kept.payload), payload, "the one that was sent again has its message");
}

pub async fn secrets_under_another_key_are_found_and_sealed_anew_unless_they_changed(
    storage: Arc<dyn Storage>,
) {
    let (scope, other) = (tenant(&storage, "engines").await, tenant(&storage, "looms").await);
    let (webhook, theirs) = (add_webhook(&storage, &scope, 0).await, add_webhook(&storage, &other, 0).await);
    let otherwise = async |key: &str, limit| {
        let mut found = read!(storage, uow => uow.webhooks().sealed_otherwise(key, limit));
        found.sort_by_key(|which| which.webhook);
        found
    };
    assert_eq!(otherwise("first", 10).await, []);
    assert_eq!(otherwise("second", 1).await.len(), 1);
    let found = otherwise("second", 10).await;
    let mut expected = [(&scope, &webhook), (&other, &theirs)].map(|(scope, webhook)| Resealing {
        org: scope.org(),
        webhook: webhook.id,
        secrets: webhook.secrets.clone(),
    });
    expected.sort_by_key(|which| which.webhook);
    assert_eq!(found, expected);
    let second = Sealed { key_id: "second".into(), bytes: vec![4, 5] };
    let which = found.iter().find(|which| which.webhook == webhook.id).unwrap();
    commit!(storage, uow => uow.webhooks().reseal(which, &second));
    assert_eq!(find(&storage, &scope, webhook.id).await.unwrap().secrets, second);
    assert_eq!(find(&storage, &scope, webhook.id).await.unwrap().version, 1, "nobody sees a difference");
    let third = Sealed { key_id: "third".into(), bytes: vec![6] };
    commit!(storage, uow => uow.webhooks().reseal(which, &third));
    assert_eq!(find(&storage, &scope, webhook.id).await.unwrap().secrets, second, "they were others by then");
}
