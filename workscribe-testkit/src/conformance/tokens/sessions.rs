//! Sessions. These cases only use the token store, which may be a separate one, so they commit their writes before they
//! read them.

use super::fixtures::*;
use super::prelude::*;

pub async fn a_session_is_found_as_it_was_stored(storage: Arc<dyn Storage>) {
    let ada = add_user(&storage, "ada").await;
    for client in [
        Client::default(),
        Client { ip: Some("192.0.2.7".parse().unwrap()), user_agent: Some(UNICODE.into()) },
        Client { ip: Some("2001:db8::7".parse().unwrap()), user_agent: Some(String::new()) },
    ] {
        let session = Session {
            client,
            epoch: 7,
            created_at: at_micros(1),
            last_used_at: at_micros(2),
            expires_at: at_micros(1_000_003),
            ..new_session(&ada)
        };
        commit!(storage, uow => uow.tokens().insert_session(&session));
        assert_eq!(super::fixtures::session(&storage, session.id).await, Some(session.clone()));
        let found = read!(storage, uow => uow.tokens().session_with_user(session.id, at(0)));
        assert_eq!(found, Some((session, ada.clone())));
    }
}

pub async fn a_session_comes_with_its_user_as_they_are_now(storage: Arc<dyn Storage>) {
    let ada = add_user(&storage, "ada").await;
    let session = add_session(&storage, &ada).await;
    let disabled = commit!(storage, uow => uow.users().set_disabled(ada.id, true, at(1))).unwrap();
    let found = read!(storage, uow => uow.tokens().session_with_user(session.id, at(1))).unwrap();
    assert_eq!(found, (session, disabled));
}

pub async fn an_unknown_session_is_not_found(storage: Arc<dyn Storage>) {
    assert!(session(&storage, id()).await.is_none());
    assert!(read!(storage, uow => uow.tokens().session_with_user(id(), at(0))).is_none());
    assert!(read!(storage, uow => uow.tokens().sessions_of(id(), at(0))).is_empty());
}

pub async fn a_session_ends_at_the_very_moment_it_expires(storage: Arc<dyn Storage>) {
    let ada = add_user(&storage, "ada").await;
    let session = Session { expires_at: at(100), ..new_session(&ada) };
    commit!(storage, uow => uow.tokens().insert_session(&session));
    let last = at(100) - chrono::TimeDelta::microseconds(1);
    for (now, is_there) in [(last, true), (at(100), false), (at(101), false)] {
        let found = read!(storage, uow => uow.tokens().session(session.id, now));
        assert_eq!(found.is_some(), is_there, "session at {now}");
        let found = read!(storage, uow => uow.tokens().session_with_user(session.id, now));
        assert_eq!(found.is_some(), is_there, "session with user at {now}");
        let found = read!(storage, uow => uow.tokens().sessions_of(ada.id, now));
        assert_eq!(found.len(), usize::from(is_there), "sessions at {now}");
    }
}

pub async fn the_sessions_of_a_user_are_listed_newest_first(storage: Arc<dyn Storage>) {
    let ada = add_user(&storage, "ada").await;
    let grace = add_user(&storage, "grace").await;
    add_session(&storage, &grace).await;
    let mut expected = Vec::new();
    for created_at in [at_micros(2), at_micros(1), at_micros(3)] {
        let session = Session { created_at, ..new_session(&ada) };
        commit!(storage, uow => uow.tokens().insert_session(&session));
        expected.push(session);
    }
    expected.sort_by_key(|session| std::cmp::Reverse(session.created_at));
    assert_eq!(read!(storage, uow => uow.tokens().sessions_of(ada.id, at(0))), expected);
}

pub async fn no_more_than_the_100_newest_sessions_are_listed(storage: Arc<dyn Storage>) {
    let ada = add_user(&storage, "ada").await;
    let mut uow = storage.begin().await.unwrap();
    for index in 0..103 {
        let session = Session { created_at: at_micros(index), ..new_session(&ada) };
        uow.tokens().insert_session(&session).await.unwrap();
    }
    uow.commit().await.unwrap();
    let listed = read!(storage, uow => uow.tokens().sessions_of(ada.id, at(0)));
    assert_eq!(listed.len(), 100);
    assert_eq!((listed[0].created_at, listed[99].created_at), (at_micros(102), at_micros(3)));
}

pub async fn a_session_moves_into_a_new_epoch(storage: Arc<dyn Storage>) {
    let ada = add_user(&storage, "ada").await;
    let (one, other) = (add_session(&storage, &ada).await, add_session(&storage, &ada).await);
    commit!(storage, uow => uow.tokens().set_session_epoch(one.id, 9));
    assert_eq!(session(&storage, one.id).await, Some(Session { epoch: 9, ..one }));
    assert_eq!(session(&storage, other.id).await, Some(other));
    commit!(storage, uow => uow.tokens().set_session_epoch(id(), 9));
}

pub async fn a_user_ends_their_own_sessions_only(storage: Arc<dyn Storage>) {
    let ada = add_user(&storage, "ada").await;
    let grace = add_user(&storage, "grace").await;
    let of_ada = add_session(&storage, &ada).await;
    assert!(!commit!(storage, uow => uow.tokens().delete_session(grace.id, of_ada.id)));
    assert!(session(&storage, of_ada.id).await.is_some());
    assert!(commit!(storage, uow => uow.tokens().delete_session(ada.id, of_ada.id)));
    assert!(session(&storage, of_ada.id).await.is_none());
    assert!(read!(storage, uow => uow.tokens().sessions_of(ada.id, at(0))).is_empty());
    assert!(!commit!(storage, uow => uow.tokens().delete_session(ada.id, of_ada.id)), "again");
}

pub async fn all_sessions_of_a_user_end_but_the_one_to_keep(storage: Arc<dyn Storage>) {
    let ada = add_user(&storage, "ada").await;
    let grace = add_user(&storage, "grace").await;
    let of_grace = add_session(&storage, &grace).await;
    let kept = add_session(&storage, &ada).await;
    for _ in 0..3 {
        add_session(&storage, &ada).await;
    }
    commit!(storage, uow => uow.tokens().delete_sessions(ada.id, Some(kept.id)));
    assert_eq!(read!(storage, uow => uow.tokens().sessions_of(ada.id, at(0))), [kept]);
    commit!(storage, uow => uow.tokens().delete_sessions(ada.id, Some(of_grace.id)));
    assert!(read!(storage, uow => uow.tokens().sessions_of(ada.id, at(0))).is_empty());
    commit!(storage, uow => uow.tokens().delete_sessions(ada.id, None));
    assert_eq!(session(&storage, of_grace.id).await, Some(of_grace));
}

pub async fn an_ended_session_cannot_be_refreshed(storage: Arc<dyn Storage>) {
    let ada = add_user(&storage, "ada").await;
    let session = add_session(&storage, &ada).await;
    commit!(storage, uow => uow.tokens().delete_sessions(ada.id, None));
    let rotation = rotation(&session, session.refresh_hash, hash(), 1);
    assert_eq!(commit!(storage, uow => uow.tokens().rotate(&rotation)), None);
}

pub async fn what_a_dropped_unit_did_to_sessions_and_tokens_did_not_happen(storage: Arc<dyn Storage>) {
    let ada = add_user(&storage, "ada").await;
    let kept = add_session(&storage, &ada).await;
    let kept_token = add_one_time(&storage, &ada, Purpose::VerifyEmail).await;
    let (session_of_it, token_of_it) = (new_session(&ada), new_one_time(&ada, Purpose::ResetPassword));
    let mut uow = storage.begin().await.unwrap();
    uow.tokens().insert_session(&session_of_it).await.unwrap();
    uow.tokens().put_one_time(&token_of_it).await.unwrap();
    uow.tokens().set_session_epoch(kept.id, 9).await.unwrap();
    uow.tokens().delete_sessions(ada.id, None).await.unwrap();
    uow.tokens().delete_one_time(ada.id, Purpose::VerifyEmail).await.unwrap();
    drop(uow);
    assert_eq!(session(&storage, session_of_it.id).await, None);
    assert_eq!(session(&storage, kept.id).await, Some(kept));
    let find = async |token: &OneTimeToken| read!(storage, uow => uow.tokens().find_one_time(token.purpose, &token.hash, at(0)));
    assert_eq!(find(&token_of_it).await, None);
    assert_eq!(find(&kept_token).await, Some(kept_token));
}

pub async fn a_sweep_leaves_live_sessions_and_tokens(storage: Arc<dyn Storage>) {
    let ada = add_user(&storage, "ada").await;
    let live = add_session(&storage, &ada).await;
    let token = add_one_time(&storage, &ada, Purpose::VerifyEmail).await;
    let ended = Session { expires_at: at(10), ..new_session(&ada) };
    commit!(storage, uow => uow.tokens().insert_session(&ended));
    commit!(storage, uow => uow.tokens().sweep(at(10), 100));
    let listed = read!(storage, uow => uow.tokens().sessions_of(ada.id, at(10)));
    assert_eq!(listed, [live]);
    let found = read!(storage, uow => uow.tokens().find_one_time(token.purpose, &token.hash, at(10)));
    assert_eq!(found, Some(token));
}
