//! Sessions and tokens in a storage that stores them itself.

use super::fixtures::*;
use super::prelude::*;

/// For a storage that stores its tokens itself. A store whose tokens expire by themselves has nothing to sweep.
pub async fn a_sweep_removes_expired_sessions_and_tokens_and_counts_them(storage: Arc<dyn Storage>) {
    let ada = add_user(&storage, "ada").await;
    let session = Session { expires_at: at(10), ..new_session(&ada) };
    let token = OneTimeToken { expires_at: at(10), ..new_one_time(&ada, Purpose::VerifyEmail) };
    commit!(storage, uow => uow.tokens().insert_session(&session));
    commit!(storage, uow => uow.tokens().put_one_time(&token));
    assert_eq!(commit!(storage, uow => uow.tokens().sweep(at(9), 100)), 0);
    assert_eq!(commit!(storage, uow => uow.tokens().sweep(at(10), 100)), 2);
    assert_eq!(super::fixtures::session(&storage, session.id).await, None, "not even at an earlier time");
}

/// For a storage that stores its tokens itself.
pub async fn a_session_or_token_of_nobody_is_refused(storage: Arc<dyn Storage>) {
    let ada = add_user(&storage, "ada").await;
    let session = Session { user_id: id(), ..new_session(&ada) };
    assert_conflict!(attempt!(storage, uow => uow.tokens().insert_session(&session)), Reference);
    let token = OneTimeToken { user_id: id(), ..new_one_time(&ada, Purpose::VerifyEmail) };
    assert_conflict!(attempt!(storage, uow => uow.tokens().put_one_time(&token)), Reference);
}
