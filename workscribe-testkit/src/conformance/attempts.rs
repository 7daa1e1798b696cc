//! Failed logins.

use super::fixtures::*;
use super::prelude::*;

/// Before every time of these cases.
const NEVER: i64 = -1_000_000;

async fn fail(storage: &Arc<dyn Storage>, account: &TokenHash, seconds: i64, forget_before: i64) -> u32 {
    commit!(storage, uow => uow.attempts().record_failure(account, at(seconds), at(forget_before)))
}

async fn blocked(storage: &Arc<dyn Storage>, account: &TokenHash, seconds: i64) -> Option<Timestamp> {
    read!(storage, uow => uow.attempts().blocked_until(account, at(seconds)))
}

pub async fn failures_are_counted_by_account(storage: Arc<dyn Storage>) {
    let (one, other) = (hash(), hash());
    for expected in 1..=3 {
        assert_eq!(fail(&storage, &one, expected.into(), NEVER).await, expected);
    }
    assert_eq!(fail(&storage, &other, 4, NEVER).await, 1);
    assert_eq!(blocked(&storage, &one, 4).await, None, "counting alone does not block");
}

pub async fn failures_from_before_the_time_to_forget_do_not_count(storage: Arc<dyn Storage>) {
    let account = hash();
    fail(&storage, &account, 0, NEVER).await;
    assert_eq!(fail(&storage, &account, 10, 0).await, 2, "the one at the very time counts");
    assert_eq!(fail(&storage, &account, 20, 11).await, 1);
    assert_eq!(fail(&storage, &account, 30, 11).await, 2);
}

pub async fn a_block_lasts_until_its_end(storage: Arc<dyn Storage>) {
    let (account, other) = (hash(), hash());
    assert_eq!(blocked(&storage, &account, 0).await, None);
    fail(&storage, &account, 0, NEVER).await;
    fail(&storage, &other, 0, NEVER).await;
    commit!(storage, uow => uow.attempts().block(&account, at(15)));
    assert_eq!(blocked(&storage, &account, 0).await, Some(at(15)));
    assert_eq!(blocked(&storage, &account, 14).await, Some(at(15)));
    assert_eq!(blocked(&storage, &account, 15).await, None, "the end is not within");
    assert_eq!(blocked(&storage, &other, 0).await, None);
    fail(&storage, &account, 15, NEVER).await;
    commit!(storage, uow => uow.attempts().block(&account, at(45)));
    assert_eq!(blocked(&storage, &account, 16).await, Some(at(45)));
}

pub async fn clearing_forgets_failures_and_block(storage: Arc<dyn Storage>) {
    let (account, other) = (hash(), hash());
    for seconds in 0..5 {
        fail(&storage, &account, seconds, NEVER).await;
    }
    fail(&storage, &other, 0, NEVER).await;
    commit!(storage, uow => uow.attempts().block(&account, at(100)));
    commit!(storage, uow => uow.attempts().clear(&account));
    assert_eq!(blocked(&storage, &account, 6).await, None);
    assert_eq!(fail(&storage, &account, 6, NEVER).await, 1);
    assert_eq!(fail(&storage, &other, 6, NEVER).await, 2);
    let unknown = hash();
    commit!(storage, uow => uow.attempts().clear(&unknown));
}

pub async fn a_sweep_removes_forgotten_failures_only(storage: Arc<dyn Storage>) {
    let (old, recent) = (hash(), hash());
    fail(&storage, &old, 0, NEVER).await;
    fail(&storage, &recent, 10, NEVER).await;
    assert_eq!(commit!(storage, uow => uow.attempts().sweep(at(5), 100)), 1);
    assert_eq!(commit!(storage, uow => uow.attempts().sweep(at(5), 100)), 0);
    assert_eq!(fail(&storage, &old, 11, NEVER).await, 1);
    assert_eq!(fail(&storage, &recent, 11, NEVER).await, 2);
}
