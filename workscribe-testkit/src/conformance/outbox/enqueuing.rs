//! The outbox: jobs are enqueued, one for each unique key.

use super::fixtures::*;
use super::jobs::{claim, claim_one, complete, counts, enqueue, retry};
use super::prelude::*;

use workscribe_core::outbox::{Enqueued, Unique, Until};
use workscribe_core::sweep::Portion;

pub async fn an_id_belongs_to_one_job(storage: Arc<dyn Storage>) {
    let job = new_job("mail", at(0));
    enqueue(&storage, std::slice::from_ref(&job)).await;
    assert_fault!(attempt!(storage, uow => uow.outbox().enqueue(std::slice::from_ref(&job))));
    assert_eq!(counts(&storage).await, (1, 0, 0, 0));
}

pub async fn many_jobs_are_enqueued_at_once_and_answered_for_in_order(storage: Arc<dyn Storage>) {
    assert_eq!(enqueue(&storage, &[]).await, []);
    let jobs: Vec<NewJob> = (0..300).map(|index| new_job("mail", at_micros(300 - index))).collect();
    let expected: Vec<Enqueued> = jobs.iter().map(|job| Enqueued { id: job.id, is_new: true }).collect();
    assert_eq!(enqueue(&storage, &jobs).await, expected);
    assert_eq!(counts(&storage).await.0, 300);
}

fn unique(key: &str) -> NewJob {
    new_job("mail", at(0)).unique(&Unique::by(key)).unwrap()
}

pub async fn a_unique_key_keeps_others_out_until_the_job_has_ended(storage: Arc<dyn Storage>) {
    let (first, second, other) = (unique("a"), unique("a"), unique(UNICODE));
    let all = enqueue(&storage, &[first.clone(), second.clone(), other.clone()]).await;
    let [is, is_not] = [true, false];
    assert_eq!(
        all.iter().map(|one| (one.id, one.is_new)).collect::<Vec<_>>(),
        [(first.id, is), (first.id, is_not), (other.id, is)]
    );
    assert_eq!(enqueue(&storage, &[unique("a")]).await, [Enqueued { id: first.id, is_new: false }]);
    let claimed = claim(&storage, 1, 1, 60).await.remove(0);
    assert_eq!(claimed.id, first.id.min(other.id));
    assert_eq!(claim(&storage, 5, 1, 60).await.len(), 1);
    assert!(!enqueue(&storage, &[unique("a")]).await[0].is_new, "it runs");
    assert!(retry(&storage, first.id, 1, 5, "busy").await);
    assert!(!enqueue(&storage, &[unique("a")]).await[0].is_new, "it waits again");
    assert_eq!(claim_one(&storage, 5, 60).await.id, first.id);
    assert!(complete(&storage, first.id, 2, 6).await);
    let again = unique("a");
    assert_eq!(
        enqueue(&storage, std::slice::from_ref(&again)).await,
        [Enqueued { id: again.id, is_new: true }]
    );
}

pub async fn a_unique_key_lets_go_when_it_is_said_to(storage: Arc<dyn Storage>) {
    let until_claimed = || new_job("mail", at(0)).unique(&Unique::by("c").until(Until::Claimed)).unwrap();
    let (first, second) = (until_claimed(), until_claimed());
    enqueue(&storage, std::slice::from_ref(&first)).await;
    assert!(!enqueue(&storage, std::slice::from_ref(&second)).await[0].is_new);
    claim_one(&storage, 0, 60).await;
    assert!(
        enqueue(&storage, std::slice::from_ref(&second)).await[0].is_new,
        "one more may wait while one runs"
    );
    claim_one(&storage, 0, 60).await;

    let daily = |created_at| {
        let job = NewJob { created_at, ..new_job("mail", at(0)) };
        job.unique(&Unique::by("d").within(chrono::TimeDelta::days(1))).unwrap()
    };
    let today = daily(at(10));
    enqueue(&storage, std::slice::from_ref(&today)).await;
    claim_one(&storage, 20, 60).await;
    assert!(complete(&storage, today.id, 1, 21).await);
    assert!(!enqueue(&storage, &[daily(at(30))]).await[0].is_new, "it is done, and yet it is today's");
    let tomorrow = daily(at(86_400));
    assert!(enqueue(&storage, std::slice::from_ref(&tomorrow)).await[0].is_new);
    let sweep = async |now| commit!(storage, uow => uow.jobs().sweep(now, now, Portion::of(10)));
    let end = today.unique.and_then(|unique| unique.keep_until).unwrap();
    assert_eq!(sweep(end).await, 0, "its day is not over");
    assert_eq!(sweep(end + chrono::TimeDelta::microseconds(1)).await, 1);
}

pub async fn a_hundred_jobs_of_one_key_at_once_are_one(storage: Arc<dyn Storage>) {
    let enqueued = all_at_once(100, |index| {
        let storage = Arc::clone(&storage);
        async move {
            // Two keys, given in either order.
            let mut jobs = vec![unique("a"), unique("b")];
            if index % 2 == 0 {
                jobs.reverse();
            }
            enqueue(&storage, &jobs).await
        }
    });
    let all: Vec<Enqueued> = enqueued.await.into_iter().flatten().collect();
    assert_eq!(all.iter().filter(|one| one.is_new).count(), 2);
    assert_eq!(all.iter().map(|one| one.id).collect::<BTreeSet<_>>().len(), 2);
    assert_eq!(counts(&storage).await.0, 2);
}
