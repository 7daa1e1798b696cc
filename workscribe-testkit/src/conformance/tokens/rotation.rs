//! The rotation of refresh tokens. These cases only use the token store, which may be a separate one.

use super::fixtures::*;
use super::prelude::*;

async fn rotate(storage: &Arc<dyn Storage>, rotation: Rotation) -> Option<Rotated> {
    commit!(storage, uow => uow.tokens().rotate(&rotation))
}

pub async fn a_live_token_is_swapped_for_its_successor(storage: Arc<dyn Storage>) {
    let ada = add_user(&storage, "ada").await;
    let session = add_session(&storage, &ada).await;
    let successor = hash();
    let swap = Rotation {
        now: at_micros(5),
        expires_at: at_micros(2_000_000_007),
        ..rotation(&session, session.refresh_hash, successor, 0)
    };
    let expected = Session {
        refresh_hash: successor,
        last_used_at: at_micros(5),
        expires_at: at_micros(2_000_000_007),
        ..session
    };
    let rotated = rotate(&storage, swap).await.unwrap();
    assert_eq!(rotated, Rotated { session: expected.clone(), repeated: false });
    assert_eq!(super::fixtures::session(&storage, expected.id).await, Some(expected));
}

pub async fn a_chain_of_swaps_keeps_one_session_alive(storage: Arc<dyn Storage>) {
    let ada = add_user(&storage, "ada").await;
    let session = add_session(&storage, &ada).await;
    let mut live = session.refresh_hash;
    for step in 1..=10 {
        let successor = hash();
        // Each rotation comes after the first expiry time of the session.
        let swap = rotation(&session, live, successor, step * 900);
        let rotated = rotate(&storage, swap).await.unwrap();
        assert!(!rotated.repeated && rotated.session.refresh_hash == successor, "step {step}");
        live = successor;
    }
    let sessions = read!(storage, uow => uow.tokens().sessions_of(ada.id, at(9_000)));
    assert_eq!(sessions.len(), 1);
}

pub async fn a_token_repeated_within_the_grace_gets_the_same_successor(storage: Arc<dyn Storage>) {
    let ada = add_user(&storage, "ada").await;
    let session = add_session(&storage, &ada).await;
    let (first, second) = (session.refresh_hash, hash());
    rotate(&storage, rotation(&session, first, second, 100)).await.unwrap();
    for seconds in [100, 110, 129] {
        let repeated = rotate(&storage, rotation(&session, first, second, seconds)).await.unwrap();
        assert!(repeated.repeated, "after {seconds} s");
        assert_eq!(repeated.session.refresh_hash, second);
        assert_eq!(repeated.session.last_used_at, at(seconds));
        assert_eq!(repeated.session.expires_at, at(seconds + 1_000));
    }
    let next = rotate(&storage, rotation(&session, second, hash(), 130)).await.unwrap();
    assert!(!next.repeated, "the successor is as good as ever");
}

pub async fn the_grace_ends_at_its_very_end_and_repeats_do_not_prolong_it(storage: Arc<dyn Storage>) {
    let ada = add_user(&storage, "ada").await;
    let session = add_session(&storage, &ada).await;
    let (first, second) = (session.refresh_hash, hash());
    rotate(&storage, rotation(&session, first, second, 100)).await.unwrap();
    assert!(rotate(&storage, rotation(&session, first, second, 129)).await.is_some());
    assert!(rotate(&storage, rotation(&session, first, second, 130)).await.is_none());
    let kept = super::fixtures::session(&storage, session.id).await.unwrap();
    assert_eq!((kept.refresh_hash, kept.last_used_at), (second, at(129)), "a refusal changes nothing");
}

pub async fn a_used_successor_ends_the_grace_of_the_token_before_it(storage: Arc<dyn Storage>) {
    let ada = add_user(&storage, "ada").await;
    let session = add_session(&storage, &ada).await;
    let (first, second, third) = (session.refresh_hash, hash(), hash());
    rotate(&storage, rotation(&session, first, second, 100)).await.unwrap();
    rotate(&storage, rotation(&session, second, third, 101)).await.unwrap();
    assert!(rotate(&storage, rotation(&session, first, second, 102)).await.is_none());
    assert!(rotate(&storage, rotation(&session, first, third, 102)).await.is_none());
    assert!(rotate(&storage, rotation(&session, second, third, 102)).await.unwrap().repeated);
}

pub async fn a_repeat_that_names_another_successor_is_refused(storage: Arc<dyn Storage>) {
    let ada = add_user(&storage, "ada").await;
    let session = add_session(&storage, &ada).await;
    let (first, second) = (session.refresh_hash, hash());
    rotate(&storage, rotation(&session, first, second, 100)).await.unwrap();
    assert!(rotate(&storage, rotation(&session, first, hash(), 101)).await.is_none());
    assert_eq!(super::fixtures::session(&storage, session.id).await.unwrap().refresh_hash, second);
}

pub async fn an_unknown_token_or_session_swaps_nothing(storage: Arc<dyn Storage>) {
    let ada = add_user(&storage, "ada").await;
    let (session, other) = (add_session(&storage, &ada).await, add_session(&storage, &ada).await);
    assert!(rotate(&storage, rotation(&session, hash(), hash(), 1)).await.is_none());
    assert!(rotate(&storage, rotation(&session, other.refresh_hash, hash(), 1)).await.is_none());
    let unknown = Rotation { session: id(), ..rotation(&session, session.refresh_hash, hash(), 1) };
    assert!(rotate(&storage, unknown).await.is_none());
    assert_eq!(super::fixtures::session(&storage, session.id).await, Some(session));
}

pub async fn an_expired_session_is_not_swapped_back_to_life(storage: Arc<dyn Storage>) {
    let ada = add_user(&storage, "ada").await;
    let session = Session { expires_at: at(100), ..new_session(&ada) };
    commit!(storage, uow => uow.tokens().insert_session(&session));
    let successor = hash();
    assert!(rotate(&storage, rotation(&session, session.refresh_hash, successor, 100)).await.is_none());
    let swap = Rotation { expires_at: at(110), ..rotation(&session, session.refresh_hash, successor, 99) };
    assert!(rotate(&storage, swap).await.is_some());
    assert!(
        rotate(&storage, rotation(&session, session.refresh_hash, successor, 110)).await.is_none(),
        "nor by a repeat within the grace"
    );
}

pub async fn a_token_that_follows_itself_stays_good(storage: Arc<dyn Storage>) {
    let ada = add_user(&storage, "ada").await;
    let session = add_session(&storage, &ada).await;
    let token = session.refresh_hash;
    for seconds in [100, 110, 500] {
        let rotated = rotate(&storage, rotation(&session, token, token, seconds)).await.unwrap();
        assert_eq!(rotated.session.refresh_hash, token);
        assert_eq!(rotated.session.expires_at, at(seconds + 1_000));
    }
}

pub async fn a_hundred_uses_of_one_token_at_once_leave_one_live_branch(storage: Arc<dyn Storage>) {
    let ada = add_user(&storage, "ada").await;
    let session = add_session(&storage, &ada).await;
    let (first, second) = (session.refresh_hash, hash());
    let swap = rotation(&session, first, second, 100);
    let answers = all_at_once(100, |_| {
        let (storage, swap) = (Arc::clone(&storage), swap.clone());
        async move { rotate(&storage, swap).await }
    })
    .await;
    let answers: Vec<Rotated> = answers.into_iter().map(|answer| answer.expect("answered")).collect();
    assert!(answers.iter().all(|answer| answer.session.refresh_hash == second));
    assert_eq!(answers.iter().filter(|answer| !answer.repeated).count(), 1, "one swap, 99 repeats");
    assert!(rotate(&storage, rotation(&session, second, hash(), 101)).await.is_some());
    assert!(rotate(&storage, rotation(&session, first, second, 101)).await.is_none());
    assert_eq!(read!(storage, uow => uow.tokens().sessions_of(ada.id, at(101))).len(), 1);
}

pub async fn of_many_successors_offered_at_once_one_is_taken(storage: Arc<dyn Storage>) {
    let ada = add_user(&storage, "ada").await;
    let session = add_session(&storage, &ada).await;
    let answers = all_at_once(20, |_| {
        let storage = Arc::clone(&storage);
        let swap = rotation(&session, session.refresh_hash, hash(), 100);
        async move { rotate(&storage, swap).await }
    })
    .await;
    let taken: Vec<Rotated> = answers.into_iter().flatten().collect();
    let [rotated] = &taken[..] else { panic!("{} were taken", taken.len()) };
    assert_eq!(super::fixtures::session(&storage, session.id).await.as_ref(), Some(&rotated.session));
}

pub async fn a_hundred_refreshes_at_once_through_the_service_give_one_token(storage: Arc<dyn Storage>) {
    let ada = add_user(&storage, "ada").await;
    let clock = FrozenClock::default();
    let app = app(&storage, &clock);
    let mut uow = app.begin().await.unwrap();
    let tokens = app.identity().start_session(&mut *uow, ada.clone(), &Client::default()).await.unwrap();
    app.commit(uow).await.unwrap();
    let first = tokens.refresh_token.expose().to_owned();
    clock.advance(chrono::TimeDelta::seconds(1));
    let answers = all_at_once(100, |_| {
        let (app, first) = (app.clone(), first.clone());
        async move { app.identity().refresh(&first).await.expect("answered").refresh_token }
    })
    .await;
    let successor = answers[0].expose().to_owned();
    assert!(answers.iter().all(|answer| answer.expose() == successor) && successor != first);
    assert!(app.identity().refresh(&successor).await.is_ok(), "the one live branch");
    let reused = app.identity().refresh(&first).await.unwrap_err();
    assert_eq!(reused.code(), workscribe_core::Code::TokenReused);
    assert!(read!(storage, uow => uow.tokens().sessions_of(ada.id, clock.now())).is_empty());
}
