//! Jobs: the outbox, and the worker's side of the queue.

use super::fixtures::*;
use super::prelude::*;

const MAIL: &[&str] = &["mail"];

async fn claim(storage: &Arc<dyn Storage>, limit: u32, now: i64, lease_until: i64) -> Vec<ClaimedJob> {
    commit!(storage, uow => uow.jobs().claim(MAIL, limit, at(now), at(lease_until)))
}

async fn claim_one(storage: &Arc<dyn Storage>, now: i64, lease_until: i64) -> ClaimedJob {
    let mut claimed = claim(storage, 10, now, lease_until).await;
    assert_eq!(claimed.len(), 1, "one job is due at {now}");
    claimed.remove(0)
}

async fn counts(storage: &Arc<dyn Storage>) -> (i64, i64, i64, i64) {
    let counts = read!(storage, uow => uow.jobs().counts());
    (counts.available, counts.running, counts.completed, counts.buried)
}

async fn next_due(storage: &Arc<dyn Storage>) -> Option<Timestamp> {
    read!(storage, uow => uow.jobs().next_due(MAIL))
}

pub async fn a_job_is_claimed_as_it_was_enqueued(storage: Arc<dyn Storage>) {
    let job = NewJob { created_at: at_micros(7), ..new_job("mail", at(0)) };
    commit!(storage, uow => uow.outbox().enqueue(&job));
    assert_eq!(counts(&storage).await, (1, 0, 0, 0));
    let expected = ClaimedJob {
        id: job.id,
        kind: "mail".into(),
        payload: job.payload,
        attempt: 1,
        max_attempts: 3,
        created_at: at_micros(7),
    };
    assert_eq!(claim_one(&storage, 0, 60).await, expected);
    assert_eq!(counts(&storage).await, (0, 1, 0, 0));
    assert!(claim(&storage, 10, 0, 60).await.is_empty(), "it is claimed once");
}

pub async fn a_payload_of_a_megabyte_comes_back_whole(storage: Arc<dyn Storage>) {
    let text = UNICODE.repeat(1_000_000 / UNICODE.len());
    let job = NewJob { payload: serde_json::json!({ "text": text }), ..new_job("mail", at(0)) };
    commit!(storage, uow => uow.outbox().enqueue(&job));
    assert!(claim_one(&storage, 0, 60).await.payload == job.payload);
}

pub async fn an_id_belongs_to_one_job(storage: Arc<dyn Storage>) {
    let job = new_job("mail", at(0));
    commit!(storage, uow => uow.outbox().enqueue(&job));
    assert_conflict!(attempt!(storage, uow => uow.outbox().enqueue(&job)), Other);
    assert_eq!(counts(&storage).await, (1, 0, 0, 0));
}

pub async fn a_job_is_not_claimed_before_its_time(storage: Arc<dyn Storage>) {
    let job = add_job(&storage, "mail", at_micros(5_000_001)).await;
    assert!(claim(&storage, 10, 5, 60).await.is_empty(), "a microsecond early");
    let claimed = commit!(storage, uow => uow.jobs().claim(MAIL, 10, at_micros(5_000_001), at(60)));
    assert_eq!(claimed[0].id, job);
}

pub async fn only_the_kinds_asked_for_are_claimed(storage: Arc<dyn Storage>) {
    let mail = add_job(&storage, "mail", at(0)).await;
    let sweep = add_job(&storage, "sweep", at(0)).await;
    add_job(&storage, "report", at(0)).await;
    let ids = |claimed: Vec<ClaimedJob>| claimed.into_iter().map(|job| job.id).collect::<BTreeSet<_>>();
    let none = commit!(storage, uow => uow.jobs().claim(&[], 10, at(0), at(60)));
    assert!(none.is_empty());
    let unknown = commit!(storage, uow => uow.jobs().claim(&["unknown", "mai", "mail%"], 10, at(0), at(60)));
    assert!(unknown.is_empty());
    let both = commit!(storage, uow => uow.jobs().claim(&["mail", "sweep"], 10, at(0), at(60)));
    assert_eq!(ids(both), [mail, sweep].into());
    assert_eq!(counts(&storage).await, (1, 2, 0, 0));
}

pub async fn jobs_are_claimed_in_the_order_of_their_time_and_id(storage: Arc<dyn Storage>) {
    let mut expected = Vec::new();
    for index in 0..9_i64 {
        let run_at = at_micros(9 - index / 3);
        expected.push((run_at, add_job(&storage, "mail", run_at).await));
    }
    expected.sort_unstable();
    let expected: Vec<JobId> = expected.into_iter().map(|(_, id)| id).collect();
    let first: BTreeSet<_> = claim(&storage, 4, 1, 60).await.into_iter().map(|job| job.id).collect();
    assert_eq!(first, expected[..4].iter().copied().collect());
    for id in &expected[4..] {
        let claimed = claim(&storage, 1, 1, 60).await;
        assert_eq!(claimed.iter().map(|job| job.id).collect::<Vec<_>>(), [*id]);
    }
    assert!(claim(&storage, 1, 1, 60).await.is_empty());
}

pub async fn a_job_whose_lease_ran_out_goes_to_another_worker(storage: Arc<dyn Storage>) {
    let id = add_job(&storage, "mail", at(0)).await;
    let first = claim_one(&storage, 0, 60).await;
    assert!(claim(&storage, 10, 59, 120).await.is_empty(), "the lease holds");
    let second = claim_one(&storage, 60, 120).await;
    assert_eq!((first.id, first.attempt, second.id, second.attempt), (id, 1, id, 2));

    // What the first worker says comes too late.
    assert!(!commit!(storage, uow => uow.jobs().extend(id, 1, at(500))));
    assert!(!commit!(storage, uow => uow.jobs().complete(id, 1, at(61))));
    assert!(!commit!(storage, uow => uow.jobs().retry(id, 1, at(61), "late")));
    assert!(!commit!(storage, uow => uow.jobs().bury(id, 1, at(61), "late")));
    assert_eq!(counts(&storage).await, (0, 1, 0, 0));
    assert_eq!(next_due(&storage).await, Some(at(120)), "the second worker's lease is as it was");
    assert!(commit!(storage, uow => uow.jobs().complete(id, 2, at(62))));
    assert_eq!(counts(&storage).await, (0, 0, 1, 0));
}

pub async fn a_lease_that_ran_out_may_still_be_kept_if_nobody_took_the_job(storage: Arc<dyn Storage>) {
    let id = add_job(&storage, "mail", at(0)).await;
    claim_one(&storage, 0, 60).await;
    assert!(commit!(storage, uow => uow.jobs().extend(id, 1, at(200))));
    assert_eq!(next_due(&storage).await, Some(at(200)));
    assert!(claim(&storage, 10, 199, 300).await.is_empty());
    assert_eq!(claim_one(&storage, 200, 300).await.attempt, 2);
}

pub async fn a_finished_job_hears_no_further_word(storage: Arc<dyn Storage>) {
    let done = add_job(&storage, "mail", at(0)).await;
    claim_one(&storage, 0, 60).await;
    assert!(commit!(storage, uow => uow.jobs().complete(done, 1, at(1))));
    let given_up = add_job(&storage, "mail", at(0)).await;
    claim_one(&storage, 0, 60).await;
    assert!(commit!(storage, uow => uow.jobs().bury(given_up, 1, at(1), UNICODE)));
    assert_eq!(counts(&storage).await, (0, 0, 1, 1));
    assert!(claim(&storage, 10, 1_000, 2_000).await.is_empty());
    assert_eq!(next_due(&storage).await, None);
    for id in [done, given_up] {
        for attempt in [0, 1, 2] {
            assert!(!commit!(storage, uow => uow.jobs().extend(id, attempt, at(500))));
            assert!(!commit!(storage, uow => uow.jobs().complete(id, attempt, at(2))));
            assert!(!commit!(storage, uow => uow.jobs().retry(id, attempt, at(2), "late")));
            assert!(!commit!(storage, uow => uow.jobs().bury(id, attempt, at(2), "late")));
        }
    }
    assert_eq!(counts(&storage).await, (0, 0, 1, 1));
}

pub async fn a_job_that_is_not_claimed_hears_no_word(storage: Arc<dyn Storage>) {
    let id = add_job(&storage, "mail", at(0)).await;
    for id in [id, super::fixtures::id()] {
        for attempt in [0, 1] {
            assert!(!commit!(storage, uow => uow.jobs().extend(id, attempt, at(500))));
            assert!(!commit!(storage, uow => uow.jobs().complete(id, attempt, at(2))));
            assert!(!commit!(storage, uow => uow.jobs().retry(id, attempt, at(2), "early")));
            assert!(!commit!(storage, uow => uow.jobs().bury(id, attempt, at(2), "early")));
        }
    }
    assert_eq!(counts(&storage).await, (1, 0, 0, 0));
}

pub async fn a_job_given_back_is_claimed_again_at_its_new_time(storage: Arc<dyn Storage>) {
    let id = add_job(&storage, "mail", at(0)).await;
    for attempt in 1..=3_u32 {
        let now = i64::from(attempt) * 100;
        let claimed = claim_one(&storage, now, now + 60).await;
        assert_eq!((claimed.id, claimed.attempt), (id, attempt));
        let (again_at, error) = (at(now + 100), UNICODE.repeat(50));
        assert!(commit!(storage, uow => uow.jobs().retry(id, attempt, again_at, &error)));
        assert_eq!(counts(&storage).await, (1, 0, 0, 0));
        assert_eq!(next_due(&storage).await, Some(again_at));
        assert!(claim(&storage, 10, now + 99, now + 160).await.is_empty());
        assert!(!commit!(storage, uow => uow.jobs().complete(id, attempt, at(now))), "it was given back");
    }
}

pub async fn a_job_given_back_takes_its_place_by_its_new_time(storage: Arc<dyn Storage>) {
    let given_back = add_job(&storage, "mail", at(0)).await;
    let waiting = add_job(&storage, "mail", at(10)).await;
    claim_one(&storage, 0, 60).await;
    assert!(commit!(storage, uow => uow.jobs().retry(given_back, 1, at(20), "busy")));
    for expected in [waiting, given_back] {
        let claimed = claim(&storage, 1, 30, 90).await;
        assert_eq!(claimed.iter().map(|job| job.id).collect::<Vec<_>>(), [expected]);
    }
}

pub async fn the_next_due_time_is_that_of_the_kinds_asked_for(storage: Arc<dyn Storage>) {
    assert_eq!(next_due(&storage).await, None);
    add_job(&storage, "sweep", at(1)).await;
    assert_eq!(next_due(&storage).await, None);
    add_job(&storage, "mail", at_micros(30_000_001)).await;
    add_job(&storage, "mail", at(20)).await;
    assert_eq!(next_due(&storage).await, Some(at(20)));
    claim_one(&storage, 20, 80).await;
    assert_eq!(next_due(&storage).await, Some(at_micros(30_000_001)));
    let claimed = commit!(storage, uow => uow.jobs().claim(MAIL, 10, at(31), at_micros(90_000_001)));
    assert_eq!(claimed.len(), 1);
    assert_eq!(next_due(&storage).await, Some(at(80)), "the end of a lease counts as well");
    let both = read!(storage, uow => uow.jobs().next_due(&["mail", "sweep"]));
    assert_eq!(both, Some(at(1)));
    assert_eq!(read!(storage, uow => uow.jobs().next_due(&[])), None);
}

pub async fn a_sweep_removes_finished_jobs_of_before_the_given_times(storage: Arc<dyn Storage>) {
    for (seconds, is_done) in [(10, true), (20, true), (10, false), (20, false)] {
        let id = add_job(&storage, "mail", at(0)).await;
        assert_eq!(claim_one(&storage, 0, 60).await.id, id);
        let taken = if is_done {
            commit!(storage, uow => uow.jobs().complete(id, 1, at(seconds)))
        } else {
            commit!(storage, uow => uow.jobs().bury(id, 1, at(seconds), "no use"))
        };
        assert!(taken);
    }
    add_job(&storage, "mail", at(0)).await;
    claim_one(&storage, 0, 60).await;
    add_job(&storage, "mail", at(0)).await;
    assert_eq!(counts(&storage).await, (1, 1, 2, 2));
    let sweep = async |completed_before, buried_before| commit!(storage, uow => uow.jobs().sweep(at(completed_before), at(buried_before)));
    assert_eq!(sweep(10, 10).await, 0, "before, and not at the time");
    assert_eq!(sweep(20, 10).await, 1);
    assert_eq!(counts(&storage).await, (1, 1, 1, 2));
    assert_eq!(sweep(20, 20).await, 1);
    assert_eq!(counts(&storage).await, (1, 1, 1, 1));
    assert_eq!(sweep(10_000, 10_000).await, 2);
    assert_eq!(counts(&storage).await, (1, 1, 0, 0), "what is not finished stays");
}

pub async fn a_claim_that_is_rolled_back_leaves_the_job_to_others(storage: Arc<dyn Storage>) {
    add_job(&storage, "mail", at(0)).await;
    let mut uow = storage.begin().await.unwrap();
    assert_eq!(uow.jobs().claim(MAIL, 1, at(0), at(60)).await.unwrap().len(), 1);
    drop(uow);
    // A driver may roll back in the background, a little later.
    let mut claimed = Vec::new();
    for _ in 0..500 {
        claimed = claim(&storage, 10, 0, 60).await;
        if !claimed.is_empty() {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    assert_eq!(claimed.iter().map(|job| job.attempt).collect::<Vec<_>>(), [1]);
}

pub async fn eight_workers_claim_each_of_two_hundred_jobs_once(storage: Arc<dyn Storage>) {
    let mut expected = BTreeSet::new();
    let mut uow = storage.begin().await.unwrap();
    for index in 0..200 {
        let job = new_job("mail", at_micros(index / 10));
        uow.outbox().enqueue(&job).await.unwrap();
        expected.insert(job.id);
    }
    uow.commit().await.unwrap();
    let left = Arc::new(AtomicUsize::new(200));
    let workers = all_at_once(8, |_| {
        let (storage, left) = (Arc::clone(&storage), Arc::clone(&left));
        async move {
            let mut mine = Vec::new();
            while left.load(Ordering::SeqCst) > 0 {
                let claimed = claim(&storage, 5, 1, 60).await;
                left.fetch_sub(claimed.len(), Ordering::SeqCst);
                for job in claimed {
                    assert_eq!(job.attempt, 1);
                    assert!(commit!(storage, uow => uow.jobs().complete(job.id, 1, at(2))));
                    mine.push(job.id);
                }
            }
            mine
        }
    });
    let workers = tokio::time::timeout(Duration::from_secs(60), workers).await.expect("none is left over");
    let claimed: Vec<JobId> = workers.into_iter().flatten().collect();
    assert_eq!(claimed.len(), 200, "none was claimed twice");
    assert_eq!(claimed.into_iter().collect::<BTreeSet<_>>(), expected);
    assert_eq!(counts(&storage).await, (0, 0, 200, 0));
}
