//! Failed logins.

use super::fixtures::*;
use super::prelude::*;
use workscribe_core::identity::LoginPlace;

/// A time before all others in these cases.
const NEVER: i64 = -1_000_000;

async fn fail(storage: &Arc<dyn Storage>, account: &TokenHash, seconds: i64, forget_before: i64) -> u32 {
    commit!(storage, uow => uow.attempts().record_failure(account, at(seconds), at(forget_before)))
}

async fn blocked(storage: &Arc<dyn Storage>, account: &TokenHash, seconds: i64) -> Option<Timestamp> {
    let place = LoginPlace { account: *account, network: hash() };
    blocked_in(storage, &place, seconds, NEVER).await
}

async fn blocked_in(
    storage: &Arc<dyn Storage>,
    place: &LoginPlace,
    seconds: i64,
    known_since: i64,
) -> Option<Timestamp> {
    read!(storage, uow => uow.attempts().blocked_until(place, at(seconds), at(known_since)))
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

pub async fn clearing_forgets_failures_and_blocks_of_an_account_from_anywhere(storage: Arc<dyn Storage>) {
    let (home, away) = (LoginPlace::new("ada", "home"), LoginPlace::new("ada", "away"));
    let other = LoginPlace::new("grace", "home");
    let keys = [home.account, home.network, away.network, other.account, other.network];
    for key in &keys {
        fail(&storage, key, 0, NEVER).await;
        commit!(storage, uow => uow.attempts().block(key, at(100)));
    }
    commit!(storage, uow => uow.attempts().clear(&home));
    for place in [&home, &away] {
        assert_eq!(blocked_in(&storage, place, 6, NEVER).await, None);
        assert_eq!(fail(&storage, &place.network, 6, NEVER).await, 1);
    }
    assert_eq!(blocked_in(&storage, &other, 6, NEVER).await, Some(at(100)));
    assert_eq!(fail(&storage, &other.network, 6, NEVER).await, 2);
    commit!(storage, uow => uow.attempts().clear(&LoginPlace::new("nobody", "nowhere")));
}

pub async fn a_login_forgets_the_failures_of_its_network_alone(storage: Arc<dyn Storage>) {
    let (home, away) = (LoginPlace::new("ada", "home"), LoginPlace::new("ada", "away"));
    for key in [home.network, away.network, home.account] {
        fail(&storage, &key, 0, NEVER).await;
    }
    commit!(storage, uow => uow.attempts().block(&home.network, at(100)));
    commit!(storage, uow => uow.attempts().block(&away.network, at(100)));
    commit!(storage, uow => uow.attempts().succeeded(&home, at(1)));
    assert_eq!(blocked_in(&storage, &home, 2, NEVER).await, None);
    assert_eq!(blocked_in(&storage, &away, 2, NEVER).await, Some(at(100)));
    assert_eq!(fail(&storage, &home.network, 2, NEVER).await, 1);
    assert_eq!(fail(&storage, &home.account, 2, NEVER).await, 2, "strangers' failures stay counted");
}

pub async fn what_an_account_waits_for_spares_networks_that_logged_in_lately(storage: Arc<dyn Storage>) {
    let (home, away) = (LoginPlace::new("ada", "home"), LoginPlace::new("ada", "away"));
    let other = LoginPlace::new("grace", "home");
    commit!(storage, uow => uow.attempts().succeeded(&home, at(10)));
    commit!(storage, uow => uow.attempts().block(&home.account, at(100)));
    commit!(storage, uow => uow.attempts().block(&other.account, at(100)));
    assert_eq!(blocked_in(&storage, &home, 20, 10).await, None, "at the very time counts");
    assert_eq!(blocked_in(&storage, &home, 20, 11).await, Some(at(100)), "too long ago");
    assert_eq!(blocked_in(&storage, &away, 20, NEVER).await, Some(at(100)));
    assert_eq!(blocked_in(&storage, &other, 20, NEVER).await, Some(at(100)), "another's login");
    commit!(storage, uow => uow.attempts().block(&home.network, at(50)));
    assert_eq!(blocked_in(&storage, &home, 20, 10).await, Some(at(50)), "its own failures count");
    commit!(storage, uow => uow.attempts().succeeded(&away, at(20)));
    commit!(storage, uow => uow.attempts().succeeded(&home, at(30)));
    assert_eq!(commit!(storage, uow => uow.attempts().sweep_networks(at(30), 10)), 1);
    assert_eq!(commit!(storage, uow => uow.attempts().sweep_networks(at(30), 10)), 0);
    assert_eq!(blocked_in(&storage, &away, 31, NEVER).await, Some(at(100)), "swept");
    assert_eq!(blocked_in(&storage, &home, 31, NEVER).await, None);
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
