//! Units of work: a committed unit is stored as a whole, and another unit leaves no change.

use super::fixtures::*;
use super::prelude::*;

use workscribe_core::identity::{Bounce, LoginPlace};
use workscribe_core::outbox::Outcome;
use workscribe_core::work::ProjectRef;

pub async fn a_storage_that_is_well_is_ready(storage: Arc<dyn Storage>) {
    assert_eq!(storage.readiness().await, []);
}

pub async fn a_job_goes_with_a_rollback_and_comes_with_the_commit(storage: Arc<dyn Storage>) {
    let (user, job) = (new_user("ada"), new_job("mail", at(0)));
    for (commits, expected) in [(false, 0), (true, 1)] {
        let mut uow = storage.begin().await.unwrap();
        uow.users().insert(&user).await.unwrap();
        uow.outbox().enqueue(std::slice::from_ref(&job)).await.unwrap();
        assert_eq!(uow.users().find(user.id).await.unwrap().map(|user| user.id), Some(user.id));
        if commits {
            uow.commit().await.unwrap();
        } else {
            drop(uow);
        }
        assert_eq!(super::outbox::jobs::counts(&storage).await.0, expected);
        let found = read!(storage, uow => uow.users().find(user.id));
        assert_eq!(found.is_some(), commits);
    }
}

pub async fn a_unit_knows_whether_a_job_was_enqueued(storage: Arc<dyn Storage>) {
    let mut uow = storage.begin().await.unwrap();
    assert!(!uow.has_enqueued());
    uow.users().insert(&new_user("ada")).await.unwrap();
    assert!(!uow.has_enqueued());
    uow.outbox().enqueue(&[new_job("mail", at(0))]).await.unwrap();
    assert!(uow.has_enqueued());
    uow.commit().await.unwrap();
    assert!(!storage.begin().await.unwrap().has_enqueued());
}

pub async fn one_transaction_spans_every_store(storage: Arc<dyn Storage>) {
    let scope = tenant(&storage, "engines").await;
    let (invitation, _) = add_invitation(&storage, &scope, "grace").await;
    let (user, account) = (new_user("edsger"), hash());
    let organization = new_organization("compilers");
    let key = IdempotencyKey { org: None, scope: "s".into(), key: "k".into(), fingerprint: [1; 32] };
    let mut uow = storage.begin().await.unwrap();
    uow.users().insert(&user).await.unwrap();
    uow.organizations().insert(&organization, user.id).await.unwrap();
    assert!(uow.invitations().revoke(&scope, invitation.id, None).await.unwrap());
    uow.members().set_role(&scope, scope.actor(), Role::Admin, None).await.unwrap();
    uow.attempts().record_failure(&account, at(0), at(-10)).await.unwrap();
    uow.attempts().block(&account, at(15)).await.unwrap();
    let bounce = Bounce { email: user.email.clone(), reason: "gone".into(), job: None, bounced_at: at(0) };
    uow.bounces().note(&bounce).await.unwrap();
    uow.idempotency().claim(&key, at(0), at(-60), at(60)).await.unwrap();
    drop(uow);
    assert_eq!(read!(storage, uow => uow.users().find(user.id)), None);
    assert_eq!(read!(storage, uow => uow.organizations().count_of(user.id)), 0);
    assert_eq!(read!(storage, uow => uow.invitations().find(&scope, invitation.id)), Some(invitation));
    assert_eq!(enter(&storage, "engines", scope.actor()).await.role(), Role::Owner);
    let place = LoginPlace { account, network: account };
    assert_eq!(read!(storage, uow => uow.attempts().blocked_until(&place, at(0), at(-10))), None);
    assert_eq!(read!(storage, uow => uow.bounces().find(&user.email)), None);
    let claim = commit!(storage, uow => uow.idempotency().claim(&key, at(0), at(-60), at(60)));
    assert_eq!(claim, Claim::Fresh);
}

pub async fn what_is_not_committed_is_seen_by_no_other_unit(storage: Arc<dyn Storage>) {
    let user = new_user("ada");
    let mut writing = storage.begin().await.unwrap();
    writing.users().insert(&user).await.unwrap();
    assert_eq!(read!(storage, uow => uow.users().find(user.id)), None);
    writing.commit().await.unwrap();
    assert!(read!(storage, uow => uow.users().find(user.id)).is_some());
}

pub async fn a_unit_for_reading_sees_what_is_committed_when_a_statement_runs(storage: Arc<dyn Storage>) {
    let new = new_user("ada");
    let mut reading = storage.read().await.unwrap();
    assert_eq!(reading.users().find(new.id).await.unwrap(), None);
    let user = commit!(storage, uow => uow.users().insert(&new));
    assert_eq!(reading.users().find(new.id).await.unwrap(), Some(user));
}

pub async fn a_dropped_unit_leaves_its_locks_behind(storage: Arc<dyn Storage>) {
    let ada = add_user(&storage, "ada").await;
    for _ in 0..20 {
        let mut uow = storage.begin().await.unwrap();
        uow.users().set_password(ada.id, "never kept", at(1)).await.unwrap();
        drop(uow);
    }
    let write = async { commit!(storage, uow => uow.users().set_password(ada.id, "kept", at(2))) };
    let changed = tokio::time::timeout(Duration::from_secs(10), write).await.expect("nothing is locked");
    assert_eq!(changed.unwrap().session_epoch, ada.session_epoch + 1, "none of the twenty counted");
    let found = read!(storage, uow => uow.users().credentials(ada.id)).unwrap();
    assert_eq!(found.password_hash.as_deref(), Some("kept"));
}

pub async fn a_unit_that_broke_a_rule_leaves_nothing(storage: Arc<dyn Storage>) {
    add_user(&storage, "ada").await;
    let (grace, again) = (new_user("grace"), new_user("ada"));
    let mut uow = storage.begin().await.unwrap();
    uow.users().insert(&grace).await.unwrap();
    uow.outbox().enqueue(&[new_job("mail", at(0))]).await.unwrap();
    assert_conflict!(uow.users().insert(&again).await, UserEmail);
    drop(uow);
    assert_eq!(read!(storage, uow => uow.users().find(grace.id)), None);
    assert_eq!(super::outbox::jobs::counts(&storage).await.0, 0);
}

pub async fn a_unit_that_did_nothing_commits(storage: Arc<dyn Storage>) {
    storage.begin().await.unwrap().commit().await.unwrap();
    storage.read().await.unwrap().commit().await.unwrap();
    let reading = add_user(&storage, "ada").await;
    let mut uow = storage.read().await.unwrap();
    assert!(uow.users().find(reading.id).await.unwrap().is_some());
    uow.commit().await.unwrap();
}

pub async fn a_sweep_of_the_application_removes_what_has_ended(storage: Arc<dyn Storage>) {
    let clock = FrozenClock::default();
    let app = app(&storage, &clock);
    let key = IdempotencyKey { org: None, scope: "s".into(), key: "k".into(), fingerprint: [1; 32] };
    let account = hash();
    commit!(storage, uow => uow.idempotency().claim(&key, at(0), at(-60), at(60)));
    commit!(storage, uow => uow.attempts().record_failure(&account, at(0), at(-60)));
    let id = add_job(&storage, "mail", at(0)).await;
    super::outbox::jobs::claim(&storage, 1, 0, 60).await;
    assert!(super::outbox::jobs::settle(&storage, id, 1, Outcome::Completed, 0).await);
    assert_eq!(app.sweep().await.unwrap(), 0);
    clock.advance(chrono::TimeDelta::days(2));
    assert_eq!(app.sweep().await.unwrap(), 3);
    assert_eq!(app.sweep().await.unwrap(), 0);
}

pub async fn each_of_many_reads_at_once_finds_what_it_asked_for(storage: Arc<dyn Storage>) {
    let (scope, board) = project_of(&storage, "engines").await;
    let task = add_task(&storage, &scope, &board, "Task").await.id;
    let (slug, project) = (Slug::parse("engines").unwrap(), board.project.clone());
    let session = add_session(&storage, &add_user(&storage, "grace").await).await.id;
    all_at_once(320, |turn| {
        let (storage, slug, project) = (Arc::clone(&storage), slug.clone(), project.clone());
        async move {
            let mut uow = storage.read().await.unwrap();
            let is_known = turn / 5 % 4 == 0;
            let user = if is_known { scope.actor() } else { id() };
            let by_key = ProjectRef::Key(project.key.clone());
            let by = if turn % 2 == 0 { ProjectRef::Id(project.id) } else { by_key };
            let finds = match turn % 5 {
                0 => {
                    let session = if is_known { session } else { id() };
                    uow.tokens().session_with_user(session, at(0)).await.unwrap().is_some()
                }
                1 => uow.users().account(user).await.unwrap().is_some_and(|found| found.user.id == user),
                2 => uow.organizations().membership(&slug, user).await.unwrap().is_some(),
                3 => {
                    let entered = uow.projects().enter(&slug, user, &by).await.unwrap();
                    entered.and_then(|it| it.found).is_some_and(|found| found.id == project.id)
                }
                _ => uow.tasks().enter(user, task).await.unwrap().is_some_and(|it| it.found.id == task),
            };
            assert_eq!(finds, is_known, "turn {turn}");
        }
    })
    .await;
}
