//! Against a real Redis: the one that `WORKSCRIBE_TEST_REDIS_URL` names, and servers of the tests' own.

#[cfg(test)]
mod support;

use std::time::Duration;

use chrono::TimeDelta;
use support::{Keys, Server, id, insert_user, now, one_time, rotation, session, soon, storage, url, user};
use workscribe_core::StoreError;
use workscribe_core::identity::{Purpose, TokenHash};
use workscribe_core::local::LocalRateLimiter;
use workscribe_core::ports::{RateLimiter, RateRule, Wakeup};
use workscribe_redis::{Options, Redis, RedisRateLimiter, RedisWakeup};
use workscribe_sql::sqlite::Unit;

const ONCE: RateRule = RateRule { name: "once", limit: 1, window: Duration::from_secs(3_600) };

#[tokio::test]
async fn a_dropped_unit_writes_no_tokens_and_a_committed_one_all() {
    let keys = Keys::new();
    let storage = storage(keys.redis()).await;
    let user = user(&storage).await;
    let (kept, ended, token) = (session(user), session(user), one_time(user, "t"));
    let hash = token.hash;
    for commit in [false, true] {
        let mut uow = storage.begin().await.unwrap();
        uow.tokens().insert_session(&kept).await.unwrap();
        uow.tokens().insert_session(&ended).await.unwrap();
        uow.tokens().put_one_time(&token).await.unwrap();
        assert!(keys.list().is_empty(), "nothing is written before the commit");
        if commit {
            uow.commit().await.unwrap();
        }
    }
    let mut read = storage.read().await.unwrap();
    let (found, owner) = read.tokens().session_with_user(kept.id, now()).await.unwrap().unwrap();
    assert_eq!((found, owner.id), (kept.clone(), user));
    assert!(read.tokens().find_one_time(Purpose::ResetPassword, &hash, now()).await.unwrap().is_some());

    for commit in [false, true] {
        let mut uow = storage.begin().await.unwrap();
        uow.tokens().set_session_epoch(kept.id, 7).await.unwrap();
        uow.tokens().delete_sessions(user, Some(kept.id)).await.unwrap();
        uow.tokens().delete_one_time(user, Purpose::ResetPassword).await.unwrap();
        assert_eq!(read.tokens().sessions_of(user, now()).await.unwrap().len(), 2);
        if commit {
            uow.commit().await.unwrap();
        }
    }
    let left = read.tokens().sessions_of(user, now()).await.unwrap();
    assert_eq!(left.iter().map(|session| (session.id, session.epoch)).collect::<Vec<_>>(), [(kept.id, 7)]);
    assert!(read.tokens().find_one_time(Purpose::ResetPassword, &hash, now()).await.unwrap().is_none());
}

#[tokio::test]
async fn what_acts_at_once_stays_done_when_the_unit_is_dropped() {
    let keys = Keys::new();
    let storage = storage(keys.redis()).await;
    let user = user(&storage).await;
    let (rotated, ended, token) = (session(user), session(user), one_time(user, "t"));
    let mut uow = storage.begin().await.unwrap();
    uow.tokens().insert_session(&rotated).await.unwrap();
    uow.tokens().insert_session(&ended).await.unwrap();
    uow.tokens().put_one_time(&token).await.unwrap();
    uow.commit().await.unwrap();

    let mut uow = storage.begin().await.unwrap();
    let done = uow.tokens().rotate(&rotation(&rotated, "first", "second")).await.unwrap().unwrap();
    assert!(!done.repeated);
    assert!(!uow.tokens().delete_session(id(), ended.id).await.unwrap(), "it is another user's");
    assert!(uow.tokens().delete_session(user, ended.id).await.unwrap());
    assert!(!uow.tokens().delete_session(user, ended.id).await.unwrap());
    let take = uow.tokens().take_one_time(Purpose::ResetPassword, &token.hash, now()).await.unwrap();
    assert_eq!(take.as_ref(), Some(&token));
    drop(uow);

    let mut read = storage.read().await.unwrap();
    assert_eq!(read.tokens().session(rotated.id, now()).await.unwrap(), Some(done.session));
    assert_eq!(read.tokens().session(ended.id, now()).await.unwrap(), None);
    // The mail's job may run again after the token was taken, or removed: it must not become good again.
    read.tokens().put_one_time(&token).await.unwrap();
    read.tokens().delete_one_time(user, Purpose::ResetPassword).await.unwrap();
    read.tokens().put_one_time(&token).await.unwrap();
    assert!(read.tokens().find_one_time(Purpose::ResetPassword, &token.hash, now()).await.unwrap().is_none());
}

#[tokio::test]
async fn every_key_ends_by_itself_and_an_index_forgets_what_has_ended() {
    let keys = Keys::new();
    let storage = storage(keys.redis()).await;
    let user = user(&storage).await;
    let sessions = [session(user), session(user)];
    let mut read = storage.read().await.unwrap();
    for session in &sessions {
        read.tokens().insert_session(session).await.unwrap();
    }
    read.tokens().rotate(&rotation(&sessions[0], "first", "second")).await.unwrap().unwrap();
    read.tokens().put_one_time(&one_time(user, "t")).await.unwrap();
    read.tokens().set_session_epoch(id(), 1).await.unwrap();
    RedisRateLimiter::new(keys.redis(), LocalRateLimiter::default()).hit(&ONCE, "k", now()).await;

    let listed = keys.list();
    assert_eq!(listed.len(), 6, "{listed:?}");
    assert!(listed.iter().all(|(_, ttl)| *ttl > 0), "{listed:?}");
    let ttl = |name: &str| {
        let days = TimeDelta::milliseconds(keys.run::<i64>("PTTL", name)).num_days();
        assert!(days == 31, "{name} lives {days} days, as long as the session that was rotated");
    };
    ttl(&format!("session:{}", sessions[0].id));
    ttl(&format!("user:{user}:sessions"));

    keys.run::<()>("DEL", &format!("session:{}", sessions[1].id));
    assert_eq!(keys.run::<i64>("ZCARD", &format!("user:{user}:sessions")), 2);
    assert_eq!(read.tokens().sessions_of(user, now()).await.unwrap().len(), 1);
    assert_eq!(keys.run::<i64>("ZCARD", &format!("user:{user}:sessions")), 1);
    // Whether a session is good is decided by the caller's clock.
    let later = now() + TimeDelta::days(32);
    assert!(read.tokens().session(sessions[0].id, later).await.unwrap().is_none());
    assert!(read.tokens().sessions_of(user, later).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_hook_reaches_the_unit_of_the_database() {
    let keys = Keys::new();
    let storage = storage(keys.redis()).await;
    let mut uow = storage.begin().await.unwrap();
    assert!(uow.as_any_mut().downcast_mut::<Unit>().is_some());
    assert!(!uow.has_enqueued());
    assert!(storage.readiness().await.is_empty());
}

#[tokio::test]
async fn the_script_decides_as_the_local_rule_does() {
    let keys = Keys::new();
    let redis = RedisRateLimiter::new(keys.redis(), LocalRateLimiter::default());
    let local = LocalRateLimiter::default();
    let rules = [
        RateRule { name: "seven", limit: 7, window: Duration::from_millis(999) },
        RateRule { name: "none", limit: 0, window: Duration::from_secs(1) },
        RateRule { name: "more", limit: 2_000_000, window: Duration::from_secs(1) },
    ];
    let (mut at, mut step) = (now(), 1_i64);
    for round in 0..300 {
        // Steps of all sizes, some of them backwards.
        step = (step * 48_271) % 0x7fff_ffff;
        at += TimeDelta::microseconds(step % 200_000 - 20_000);
        for rule in &rules {
            let expected = local.hit(rule, "key", at).await;
            assert_eq!(redis.hit(rule, "key", at).await, expected, "round {round} of {}", rule.name);
        }
    }
}

#[tokio::test]
async fn a_wake_up_crosses_to_another_process() {
    let keys = Keys::new();
    let (here, there) = (RedisWakeup::new(keys.redis()), RedisWakeup::new(keys.redis()));
    // Each subscription wakes its own side once.
    soon(here.wait()).await;
    soon(there.wait()).await;
    here.notify().await;
    soon(there.wait()).await;
    soon(here.wait()).await;
    there.notify().await;
    soon(here.wait()).await;
}

#[tokio::test]
async fn limits_hold_while_redis_is_gone_and_are_shared_again_when_it_is_back() {
    let mut server = Server::start().await;
    let limiter = || RedisRateLimiter::new(server.redis(), LocalRateLimiter::default());
    let (here, there) = (limiter(), limiter());
    assert!(here.hit(&ONCE, "before", now()).await.allowed);
    assert!(!there.hit(&ONCE, "before", now()).await.allowed);

    server.stop();
    for limiter in [&here, &there] {
        assert!(soon(limiter.hit(&ONCE, "during", now())).await.allowed, "each server limits by itself");
        assert!(!soon(limiter.hit(&ONCE, "during", now())).await.allowed, "there is a limit all the same");
    }

    server.start_again().await;
    let shared = async {
        for number in 0.. {
            let key = format!("after {number}");
            here.hit(&ONCE, &key, now()).await;
            if !there.hit(&ONCE, &key, now()).await.allowed {
                break;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    soon(shared).await;
}

#[tokio::test]
async fn with_redis_gone_tokens_are_unavailable_and_the_rest_goes_on() {
    let mut server = Server::start().await;
    let storage = storage(server.redis()).await;
    let user = user(&storage).await;
    let session = session(user);
    storage.read().await.unwrap().tokens().insert_session(&session).await.unwrap();

    server.stop();
    let mut read = storage.read().await.unwrap();
    assert!(read.users().find(user).await.unwrap().is_some());
    unavailable(soon(read.tokens().session_with_user(session.id, now())).await);
    unavailable(soon(read.tokens().rotate(&rotation(&session, "first", "second"))).await);
    unavailable(soon(read.tokens().delete_session(user, session.id)).await);
    let not_ready = soon(storage.readiness()).await;
    assert_eq!(not_ready.iter().map(|part| part.part).collect::<Vec<_>>(), ["redis"]);

    let mut uow = storage.begin().await.unwrap();
    let other = insert_user(&mut *uow).await;
    uow.commit().await.unwrap();
    assert!(read.users().find(other).await.unwrap().is_some());
    // As the documentation says: the database's part of such a unit is committed.
    let mut uow = storage.begin().await.unwrap();
    let third = insert_user(&mut *uow).await;
    uow.tokens().delete_sessions(third, None).await.unwrap();
    unavailable(soon(uow.commit()).await);
    assert!(read.users().find(third).await.unwrap().is_some());

    server.start_again().await;
    read.tokens().insert_session(&session).await.unwrap();
    assert!(read.tokens().session_with_user(session.id, now()).await.unwrap().is_some());
    assert!(storage.readiness().await.is_empty());
}

#[tokio::test]
async fn wake_ups_cross_again_after_redis_was_gone() {
    let mut server = Server::start().await;
    let (here, there) = (RedisWakeup::new(server.redis()), RedisWakeup::new(server.redis()));
    soon(here.wait()).await;
    soon(there.wait()).await;
    server.stop();
    soon(here.notify()).await;
    soon(here.wait()).await;
    server.start_again().await;
    // The new subscriptions.
    soon(here.wait()).await;
    soon(there.wait()).await;
    here.notify().await;
    soon(there.wait()).await;
}

#[tokio::test]
async fn a_redis_that_never_answers_is_given_up() {
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("redis://{}", silent.local_addr().unwrap());
    let redis = Redis::connect(&url, Options::default()).unwrap();
    let storage = storage(redis.clone()).await;
    let hash = TokenHash::of("t");
    let mut read = storage.read().await.unwrap();
    unavailable(soon(read.tokens().find_one_time(Purpose::VerifyEmail, &hash, now())).await);
    let limiter = RedisRateLimiter::new(redis.clone(), LocalRateLimiter::default());
    assert!(soon(limiter.hit(&ONCE, "k", now())).await.allowed);
    soon(RedisWakeup::new(redis).notify()).await;
}

#[tokio::test]
async fn a_wrong_password_is_not_shown() {
    let url = url().replacen("://", "://:hunter2@", 1);
    let redis = Redis::connect(&url, Options::default()).unwrap();
    let error = redis.ping().await.unwrap_err();
    assert!(!format!("{error:?} {error}").contains("hunter2"), "{error:?}");
}

fn unavailable<T: std::fmt::Debug>(outcome: Result<T, StoreError>) {
    assert!(matches!(outcome, Err(StoreError::Unavailable(_))), "{outcome:?}");
}
