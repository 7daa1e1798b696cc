//! Single-use tokens. These cases only use the token store, which may be a separate one.

use super::fixtures::*;
use super::prelude::*;

async fn find(storage: &Arc<dyn Storage>, purpose: Purpose, hash: &TokenHash) -> Option<OneTimeToken> {
    read!(storage, uow => uow.tokens().find_one_time(purpose, hash, at(0)))
}

async fn take(storage: &Arc<dyn Storage>, purpose: Purpose, hash: &TokenHash) -> Option<OneTimeToken> {
    commit!(storage, uow => uow.tokens().take_one_time(purpose, hash, at(0)))
}

pub async fn a_token_is_found_as_it_was_stored_and_taken_once(storage: Arc<dyn Storage>) {
    let ada = add_user(&storage, "ada").await;
    for purpose in [Purpose::ResetPassword, Purpose::VerifyEmail] {
        let token = OneTimeToken {
            email: Email::parse("jürgen@bücher.example").unwrap(),
            expires_at: at_micros(3_000_001),
            ..new_one_time(&ada, purpose)
        };
        commit!(storage, uow => uow.tokens().put_one_time(&token));
        assert_eq!(find(&storage, purpose, &token.hash).await, Some(token.clone()));
        assert_eq!(find(&storage, purpose, &token.hash).await, Some(token.clone()), "looking takes nothing");
        assert_eq!(take(&storage, purpose, &token.hash).await, Some(token.clone()));
        assert_eq!(find(&storage, purpose, &token.hash).await, None);
        assert_eq!(take(&storage, purpose, &token.hash).await, None);
    }
}

pub async fn a_token_is_good_for_its_own_purpose_only(storage: Arc<dyn Storage>) {
    let ada = add_user(&storage, "ada").await;
    let token = add_one_time(&storage, &ada, Purpose::VerifyEmail).await;
    assert_eq!(find(&storage, Purpose::ResetPassword, &token.hash).await, None);
    assert_eq!(take(&storage, Purpose::ResetPassword, &token.hash).await, None);
    assert_eq!(take(&storage, Purpose::VerifyEmail, &hash()).await, None);
    assert_eq!(take(&storage, Purpose::VerifyEmail, &token.hash).await, Some(token));
}

pub async fn a_token_ends_at_the_very_moment_it_expires(storage: Arc<dyn Storage>) {
    let ada = add_user(&storage, "ada").await;
    let token = OneTimeToken { expires_at: at(100), ..new_one_time(&ada, Purpose::ResetPassword) };
    commit!(storage, uow => uow.tokens().put_one_time(&token));
    let (purpose, last) = (token.purpose, at(100) - chrono::TimeDelta::microseconds(1));
    assert!(read!(storage, uow => uow.tokens().find_one_time(purpose, &token.hash, at(100))).is_none());
    assert!(read!(storage, uow => uow.tokens().find_one_time(purpose, &token.hash, last)).is_some());
    assert!(commit!(storage, uow => uow.tokens().take_one_time(purpose, &token.hash, at(100))).is_none());
    assert!(commit!(storage, uow => uow.tokens().take_one_time(purpose, &token.hash, last)).is_some());
}

pub async fn a_token_put_again_is_left_as_it_is(storage: Arc<dyn Storage>) {
    let ada = add_user(&storage, "ada").await;
    let token = add_one_time(&storage, &ada, Purpose::ResetPassword).await;
    let again = OneTimeToken { expires_at: at(2_000), ..token.clone() };
    commit!(storage, uow => uow.tokens().put_one_time(&again));
    assert_eq!(find(&storage, token.purpose, &token.hash).await, Some(token));
}

pub async fn a_token_that_was_taken_or_removed_does_not_come_back(storage: Arc<dyn Storage>) {
    let ada = add_user(&storage, "ada").await;
    let taken = add_one_time(&storage, &ada, Purpose::VerifyEmail).await;
    let removed = add_one_time(&storage, &ada, Purpose::ResetPassword).await;
    assert_eq!(take(&storage, taken.purpose, &taken.hash).await, Some(taken.clone()));
    commit!(storage, uow => uow.tokens().delete_one_time(ada.id, removed.purpose));
    for token in [taken, removed] {
        commit!(storage, uow => uow.tokens().put_one_time(&token));
        assert_eq!(find(&storage, token.purpose, &token.hash).await, None);
        assert_eq!(take(&storage, token.purpose, &token.hash).await, None);
    }
}

pub async fn a_users_tokens_of_one_purpose_are_removed_and_no_others(storage: Arc<dyn Storage>) {
    let ada = add_user(&storage, "ada").await;
    let grace = add_user(&storage, "grace").await;
    let mut gone = Vec::new();
    for _ in 0..3 {
        gone.push(add_one_time(&storage, &ada, Purpose::ResetPassword).await);
    }
    let kept = [
        add_one_time(&storage, &ada, Purpose::VerifyEmail).await,
        add_one_time(&storage, &grace, Purpose::ResetPassword).await,
    ];
    commit!(storage, uow => uow.tokens().delete_one_time(ada.id, Purpose::ResetPassword));
    for token in gone {
        assert_eq!(find(&storage, token.purpose, &token.hash).await, None);
        assert_eq!(take(&storage, token.purpose, &token.hash).await, None);
    }
    for token in kept {
        assert_eq!(find(&storage, token.purpose, &token.hash).await, Some(token));
    }
}

pub async fn of_a_hundred_takers_at_once_one_gets_the_token(storage: Arc<dyn Storage>) {
    let ada = add_user(&storage, "ada").await;
    let token = add_one_time(&storage, &ada, Purpose::ResetPassword).await;
    let answers = all_at_once(100, |_| {
        let (storage, hash) = (Arc::clone(&storage), token.hash);
        async move { take(&storage, Purpose::ResetPassword, &hash).await }
    })
    .await;
    let taken: Vec<OneTimeToken> = answers.into_iter().flatten().collect();
    assert_eq!(taken, [token]);
}
