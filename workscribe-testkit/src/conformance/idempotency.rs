//! Responses that are stored for repeated requests.

use super::fixtures::*;
use super::prelude::*;

use workscribe_core::sweep::Portion;

fn new_key(scope: &str, key: &str) -> IdempotencyKey {
    IdempotencyKey { org: None, scope: scope.into(), key: key.into(), fingerprint: [7; 32] }
}

/// Claims at a time: claims without a response are stale after 60 seconds, responses are kept for 1,000 seconds.
async fn claim(storage: &Arc<dyn Storage>, key: &IdempotencyKey, seconds: i64) -> Claim {
    commit!(
        storage,
        uow => uow.idempotency().claim(key, at(seconds), at(seconds - 60), at(seconds + 1_000))
    )
}

async fn finish(storage: &Arc<dyn Storage>, key: &IdempotencyKey, body: serde_json::Value) -> StoredAnswer {
    let answer = StoredAnswer { status: 201, body };
    commit!(storage, uow => uow.idempotency().finish(key, &answer));
    answer
}

fn taken(answer: Option<StoredAnswer>) -> Claim {
    Claim::Taken { fingerprint: [7; 32], answer }
}

pub async fn a_key_is_claimed_once_and_then_shows_its_answer(storage: Arc<dyn Storage>) {
    let key = new_key("user 1", UNICODE);
    assert_eq!(claim(&storage, &key, 0).await, Claim::Fresh);
    assert_eq!(claim(&storage, &key, 1).await, taken(None));
    let answer = finish(&storage, &key, serde_json::json!({ "name": UNICODE, "none": null })).await;
    assert_eq!(claim(&storage, &key, 2).await, taken(Some(answer.clone())));
    assert_eq!(claim(&storage, &key, 500).await, taken(Some(answer)), "an answer is not stale");
}

pub async fn an_answer_may_be_empty_or_large(storage: Arc<dyn Storage>) {
    let large = serde_json::Value::String(UNICODE.repeat(1_000_000 / UNICODE.len()));
    for (name, body) in [("none", serde_json::Value::Null), ("large", large)] {
        let key = new_key("user 1", name);
        assert_eq!(claim(&storage, &key, 0).await, Claim::Fresh);
        let answer = finish(&storage, &key, body).await;
        assert!(claim(&storage, &key, 1).await == taken(Some(answer)), "{name}");
    }
}

pub async fn an_answer_comes_back_with_whatever_a_document_may_hold(storage: Arc<dyn Storage>) {
    let body = serde_json::json!({
        "nul": "a\0b", "\0": "\u{1f}\u{7f}\u{fffe}", "numbers": EDGE_NUMBERS, "largest": u64::MAX, "least": i64::MIN,
        "": [[], {}, "", null, false], "escapes": "\\u0000 \"\\\" \\",
    });
    let key = new_key("user 1", "key");
    assert_eq!(claim(&storage, &key, 0).await, Claim::Fresh);
    let answer = finish(&storage, &key, body).await;
    assert_eq!(claim(&storage, &key, 1).await, taken(Some(answer)));
}

pub async fn a_key_is_told_apart_by_its_scope(storage: Arc<dyn Storage>) {
    let (one, other) = (new_key("user 1", "key"), new_key("user 2", "key"));
    assert_eq!(claim(&storage, &one, 0).await, Claim::Fresh);
    assert_eq!(claim(&storage, &other, 0).await, Claim::Fresh);
    let answer = finish(&storage, &one, serde_json::json!(1)).await;
    assert_eq!(claim(&storage, &one, 1).await, taken(Some(answer)));
    assert_eq!(claim(&storage, &other, 1).await, taken(None));
    commit!(storage, uow => uow.idempotency().release(&other));
    assert!(matches!(claim(&storage, &one, 1).await, Claim::Taken { .. }));
    // The boundary between scope and key matters.
    assert_eq!(claim(&storage, &new_key("user 1k", "ey"), 0).await, Claim::Fresh);
}

pub async fn another_request_sees_the_fingerprint_of_the_first(storage: Arc<dyn Storage>) {
    let key = new_key("user 1", "key");
    assert_eq!(claim(&storage, &key, 0).await, Claim::Fresh);
    let other = IdempotencyKey { fingerprint: [8; 32], ..key };
    assert_eq!(claim(&storage, &other, 1).await, taken(None));
}

pub async fn a_claim_of_a_dead_process_is_taken_over(storage: Arc<dyn Storage>) {
    let key = new_key("user 1", "key");
    assert_eq!(claim(&storage, &key, 0).await, Claim::Fresh);
    assert_eq!(claim(&storage, &key, 60).await, taken(None), "at the very time it is not stale yet");
    let other = IdempotencyKey { fingerprint: [8; 32], ..key.clone() };
    assert_eq!(claim(&storage, &other, 61).await, Claim::Fresh);
    let seen = claim(&storage, &key, 62).await;
    assert_eq!(seen, Claim::Taken { fingerprint: [8; 32], answer: None }, "it is the new request's now");
    assert!(matches!(claim(&storage, &key, 121).await, Claim::Taken { .. }), "its time began anew");
}

pub async fn an_expired_key_is_free_again(storage: Arc<dyn Storage>) {
    let key = new_key("user 1", "key");
    assert_eq!(claim(&storage, &key, 0).await, Claim::Fresh);
    finish(&storage, &key, serde_json::json!(1)).await;
    assert!(matches!(claim(&storage, &key, 999).await, Claim::Taken { .. }));
    assert_eq!(claim(&storage, &key, 1_000).await, Claim::Fresh, "the end is not within");
    assert_eq!(claim(&storage, &key, 1_001).await, taken(None), "the old answer is gone");
}

pub async fn a_released_key_is_free_again(storage: Arc<dyn Storage>) {
    let key = new_key("user 1", "key");
    assert_eq!(claim(&storage, &key, 0).await, Claim::Fresh);
    commit!(storage, uow => uow.idempotency().release(&key));
    assert_eq!(claim(&storage, &key, 1).await, Claim::Fresh);
}

pub async fn a_sweep_removes_expired_keys_only(storage: Arc<dyn Storage>) {
    let (old, recent) = (new_key("user 1", "old"), new_key("user 1", "recent"));
    claim(&storage, &old, 0).await;
    claim(&storage, &recent, 1).await;
    assert_eq!(commit!(storage, uow => uow.idempotency().sweep(at(999), Portion::of(100))), 0);
    assert_eq!(
        commit!(storage, uow => uow.idempotency().sweep(at(1_000), Portion::of(0))),
        0,
        "no more than is asked for"
    );
    assert_eq!(commit!(storage, uow => uow.idempotency().sweep(at(1_000), Portion::of(100))), 1);
    assert_eq!(commit!(storage, uow => uow.idempotency().sweep(at(1_000), Portion::of(100))), 0);
}

pub async fn a_sweep_of_answers_ends_where_those_before_have_the_bytes_of_a_portion(
    storage: Arc<dyn Storage>,
) {
    for number in 0..5 {
        let key = new_key("user 1", &format!("key {number}"));
        claim(&storage, &key, number).await;
        finish(&storage, &key, serde_json::json!("x".repeat(1_000))).await;
    }
    let sweep = async |bytes| {
        let portion = Portion { rows: 100, bytes };
        commit!(storage, uow => uow.idempotency().sweep(at(5_000), portion))
    };
    assert_eq!(sweep(1).await, 1, "one goes, however large it is");
    assert_eq!(sweep(1_500).await, 2, "and another one after what is not enough");
    assert_eq!(sweep(1_000_000).await, 2);
    assert_eq!(sweep(1_000_000).await, 0);
}

pub async fn an_answer_that_is_rolled_back_leaves_the_claim(storage: Arc<dyn Storage>) {
    let key = new_key("user 1", "key");
    claim(&storage, &key, 0).await;
    let answer = StoredAnswer { status: 201, body: serde_json::json!(1) };
    let mut uow = storage.begin().await.unwrap();
    uow.idempotency().finish(&key, &answer).await.unwrap();
    drop(uow);
    assert_eq!(claim(&storage, &key, 1).await, taken(None));
}

pub async fn a_claim_is_answered_once(storage: Arc<dyn Storage>) {
    let key = new_key("user 1", "key");
    let answer = StoredAnswer { status: 201, body: serde_json::json!(1) };
    assert_conflict!(attempt!(storage, uow => uow.idempotency().finish(&key, &answer)), IdempotencyClaim);
    claim(&storage, &key, 0).await;
    commit!(storage, uow => uow.idempotency().finish(&key, &answer));
    assert_conflict!(attempt!(storage, uow => uow.idempotency().finish(&key, &answer)), IdempotencyClaim);
    assert_eq!(claim(&storage, &key, 1).await, taken(Some(answer)));
}

pub async fn of_many_claims_at_once_one_is_fresh(storage: Arc<dyn Storage>) {
    let key = new_key("user 1", "key");
    for (round, seconds) in [("a free key", 0), ("a stale claim", 61), ("an expired key", 5_000)] {
        let answers = all_at_once(50, |_| {
            let (storage, key) = (Arc::clone(&storage), key.clone());
            async move { claim(&storage, &key, seconds).await }
        })
        .await;
        let fresh = answers.iter().filter(|answer| **answer == Claim::Fresh).count();
        assert_eq!(fresh, 1, "{round}");
    }
}
