//! Jobs: the worker's view of the queue.

use super::fixtures::*;
use super::prelude::*;

use workscribe_core::outbox::{AttemptId, Claim, Enqueued, ExtendedLease, Outcome, Settlement, Turn};
use workscribe_core::sweep::Portion;

pub(super) const MAIL: &[&str] = &["mail"];

/// The claim of a worker that handles mails, on the default queue.
pub(crate) fn asking<'a>(
    kinds: &'a [&'a str],
    limit: u32,
    now: Timestamp,
    lease_until: Timestamp,
) -> Claim<'a> {
    Claim { queue: "default", kinds, limit, worker: "a worker", now, lease_until, turn: Turn::default() }
}

pub(crate) async fn claim(
    storage: &Arc<dyn Storage>,
    limit: u32,
    now: i64,
    lease_until: i64,
) -> Vec<ClaimedJob> {
    let claim = asking(MAIL, limit, at(now), at(lease_until));
    commit!(storage, uow => uow.jobs().claim(&claim))
}

pub(crate) async fn claim_one(storage: &Arc<dyn Storage>, now: i64, lease_until: i64) -> ClaimedJob {
    let mut claimed = claim(storage, 10, now, lease_until).await;
    assert_eq!(claimed.len(), 1, "one job is due at {now}");
    claimed.remove(0)
}

pub(crate) async fn counts(storage: &Arc<dyn Storage>) -> (i64, i64, i64, i64) {
    let all = read!(storage, uow => uow.jobs().counts(at(0)));
    all.iter().fold((0, 0, 0, 0), |sum, of| {
        let counts = of.counts;
        (
            sum.0 + counts.available,
            sum.1 + counts.running,
            sum.2 + counts.completed + counts.cancelled,
            sum.3 + counts.buried,
        )
    })
}

pub(super) async fn next_due(storage: &Arc<dyn Storage>) -> Option<Timestamp> {
    read!(storage, uow => uow.jobs().next_due("default", MAIL))
}

/// Settles an attempt. Returns whether the storage accepted the outcome.
pub(crate) async fn settle(
    storage: &Arc<dyn Storage>,
    id: JobId,
    attempt: u32,
    outcome: Outcome,
    now: i64,
) -> bool {
    let settlements = [Settlement { attempt: AttemptId { id, attempt }, outcome, at: at(now) }];
    commit!(storage, uow => uow.jobs().settle(&settlements)) == [id]
}

pub(super) async fn complete(storage: &Arc<dyn Storage>, id: JobId, attempt: u32, now: i64) -> bool {
    settle(storage, id, attempt, Outcome::Completed, now).await
}

pub(super) async fn retry(
    storage: &Arc<dyn Storage>,
    id: JobId,
    attempt: u32,
    run_at: i64,
    error: &str,
) -> bool {
    settle(storage, id, attempt, Outcome::Retry { run_at: at(run_at), error: error.into() }, 0).await
}

async fn bury(storage: &Arc<dyn Storage>, id: JobId, attempt: u32, now: i64, error: &str) -> bool {
    settle(storage, id, attempt, Outcome::Buried { error: error.into() }, now).await
}

async fn extend(storage: &Arc<dyn Storage>, id: JobId, attempt: u32, until: i64) -> bool {
    let leases = commit!(storage, uow => uow.jobs().extend(&[AttemptId { id, attempt }], at(until)));
    leases == [ExtendedLease { id, cancel_requested: false }]
}

/// Whether the storage accepts nothing about an attempt: no longer lease and no outcome.
async fn hears_nothing(storage: &Arc<dyn Storage>, id: JobId, attempt: u32) -> bool {
    !extend(storage, id, attempt, 500).await
        && !complete(storage, id, attempt, 2).await
        && !retry(storage, id, attempt, 2, "late").await
        && !bury(storage, id, attempt, 2, "late").await
}

pub(crate) async fn enqueue(storage: &Arc<dyn Storage>, jobs: &[NewJob]) -> Vec<Enqueued> {
    commit!(storage, uow => uow.outbox().enqueue(jobs))
}

pub async fn a_job_is_claimed_as_it_was_enqueued(storage: Arc<dyn Storage>) {
    let job = NewJob { created_at: at_micros(7), ..new_job("mail", at(0)) };
    enqueue(&storage, std::slice::from_ref(&job)).await;
    assert_eq!(counts(&storage).await, (1, 0, 0, 0));
    let expected = ClaimedJob {
        id: job.id,
        org: None,
        kind: "mail".into(),
        payload: job.payload,
        attempt: 1,
        snoozed: 0,
        max_attempts: 3,
        timeout: Some(Duration::from_millis(1_500)),
        run_at: at(0),
        created_at: at_micros(7),
    };
    assert_eq!(claim_one(&storage, 0, 60).await, expected);
    assert_eq!(counts(&storage).await, (0, 1, 0, 0));
    assert!(claim(&storage, 10, 0, 60).await.is_empty(), "it is claimed once");
}

pub async fn a_payload_of_a_megabyte_comes_back_whole(storage: Arc<dyn Storage>) {
    let text = UNICODE.repeat(1_000_000 / UNICODE.len());
    let job = NewJob { payload: serde_json::json!({ "text": text }), ..new_job("mail", at(0)) };
    enqueue(&storage, std::slice::from_ref(&job)).await;
    assert!(claim_one(&storage, 0, 60).await.payload == job.payload);
}

pub async fn the_numbers_of_a_payload_come_back_as_they_were(storage: Arc<dyn Storage>) {
    let payload = serde_json::json!({ "edges": EDGE_NUMBERS, "largest": u64::MAX, "least": i64::MIN });
    let job = NewJob { payload, ..new_job("mail", at(0)) };
    enqueue(&storage, std::slice::from_ref(&job)).await;
    assert_eq!(claim_one(&storage, 0, 60).await.payload, job.payload);
}

pub async fn a_job_is_not_claimed_before_its_time(storage: Arc<dyn Storage>) {
    let job = add_job(&storage, "mail", at_micros(5_000_001)).await;
    assert!(claim(&storage, 10, 5, 60).await.is_empty(), "a microsecond early");
    let claimed = commit!(storage, uow => uow.jobs().claim(&asking(MAIL, 10, at_micros(5_000_001), at(60))));
    assert_eq!(claimed[0].id, job);
}

pub async fn only_the_kinds_asked_for_are_claimed(storage: Arc<dyn Storage>) {
    let mail = add_job(&storage, "mail", at(0)).await;
    let sweep = add_job(&storage, "sweep", at(0)).await;
    add_job(&storage, "report", at(0)).await;
    let ids = |claimed: Vec<ClaimedJob>| claimed.into_iter().map(|job| job.id).collect::<BTreeSet<_>>();
    let none = commit!(storage, uow => uow.jobs().claim(&asking(&[], 10, at(0), at(60))));
    assert!(none.is_empty());
    let unknown =
        commit!(storage, uow => uow.jobs().claim(&asking(&["unknown", "mai", "mail%"], 10, at(0), at(60))));
    assert!(unknown.is_empty());
    let both = commit!(storage, uow => uow.jobs().claim(&asking(&["mail", "sweep"], 10, at(0), at(60))));
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

    // The first worker's statements come too late.
    assert!(hears_nothing(&storage, id, 1).await);
    assert_eq!(counts(&storage).await, (0, 1, 0, 0));
    assert_eq!(next_due(&storage).await, Some(at(120)), "the second worker's lease is as it was");
    assert!(complete(&storage, id, 2, 62).await);
    assert_eq!(counts(&storage).await, (0, 0, 1, 0));
}

pub async fn a_lease_that_ran_out_may_still_be_kept_if_nobody_took_the_job(storage: Arc<dyn Storage>) {
    let id = add_job(&storage, "mail", at(0)).await;
    claim_one(&storage, 0, 60).await;
    assert!(extend(&storage, id, 1, 200).await);
    assert_eq!(next_due(&storage).await, Some(at(200)));
    assert!(claim(&storage, 10, 199, 300).await.is_empty());
    assert_eq!(claim_one(&storage, 200, 300).await.attempt, 2);
}

pub async fn a_finished_job_hears_no_further_word(storage: Arc<dyn Storage>) {
    let done = add_job(&storage, "mail", at(0)).await;
    claim_one(&storage, 0, 60).await;
    assert!(complete(&storage, done, 1, 1).await);
    let given_up = add_job(&storage, "mail", at(0)).await;
    claim_one(&storage, 0, 60).await;
    assert!(bury(&storage, given_up, 1, 1, UNICODE).await);
    assert_eq!(counts(&storage).await, (0, 0, 1, 1));
    assert!(claim(&storage, 10, 1_000, 2_000).await.is_empty());
    assert_eq!(next_due(&storage).await, None);
    for id in [done, given_up] {
        for attempt in [0, 1, 2] {
            assert!(hears_nothing(&storage, id, attempt).await);
        }
    }
    assert_eq!(counts(&storage).await, (0, 0, 1, 1));
}

pub async fn a_job_that_is_not_claimed_hears_no_word(storage: Arc<dyn Storage>) {
    let id = add_job(&storage, "mail", at(0)).await;
    for id in [id, super::fixtures::id()] {
        for attempt in [0, 1] {
            assert!(hears_nothing(&storage, id, attempt).await);
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
        assert!(retry(&storage, id, attempt, now + 100, &UNICODE.repeat(50)).await);
        assert_eq!(counts(&storage).await, (1, 0, 0, 0));
        assert_eq!(next_due(&storage).await, Some(at(now + 100)));
        assert!(claim(&storage, 10, now + 99, now + 160).await.is_empty());
        assert!(!complete(&storage, id, attempt, now).await, "it was given back");
    }
}

pub async fn a_job_given_back_takes_its_place_by_its_new_time(storage: Arc<dyn Storage>) {
    let given_back = add_job(&storage, "mail", at(0)).await;
    let waiting = add_job(&storage, "mail", at(10)).await;
    claim_one(&storage, 0, 60).await;
    assert!(retry(&storage, given_back, 1, 20, "busy").await);
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
    let claimed = commit!(storage, uow => uow.jobs().claim(&asking(MAIL, 10, at(31), at_micros(90_000_001))));
    assert_eq!(claimed.len(), 1);
    assert_eq!(next_due(&storage).await, Some(at(80)), "the end of a lease counts as well");
    let both = read!(storage, uow => uow.jobs().next_due("default", &["mail", "sweep"]));
    assert_eq!(both, Some(at(1)));
    assert_eq!(read!(storage, uow => uow.jobs().next_due("default", &[])), None);
}

pub async fn a_sweep_removes_finished_jobs_of_before_the_given_times(storage: Arc<dyn Storage>) {
    for (seconds, is_done) in [(10, true), (20, true), (10, false), (20, false)] {
        let id = add_job(&storage, "mail", at(0)).await;
        assert_eq!(claim_one(&storage, 0, 60).await.id, id);
        let taken = if is_done {
            complete(&storage, id, 1, seconds).await
        } else {
            bury(&storage, id, 1, seconds, "no use").await
        };
        assert!(taken);
    }
    add_job(&storage, "mail", at(0)).await;
    claim_one(&storage, 0, 60).await;
    add_job(&storage, "mail", at(0)).await;
    assert_eq!(counts(&storage).await, (1, 1, 2, 2));
    let sweep = async |completed_before, buried_before| commit!(storage, uow => uow.jobs().sweep(at(completed_before), at(buried_before), Portion::of(10)));
    assert_eq!(sweep(10, 10).await, 0, "before, and not at the time");
    assert_eq!(sweep(20, 10).await, 1);
    assert_eq!(counts(&storage).await, (1, 1, 1, 2));
    assert_eq!(sweep(20, 20).await, 1);
    assert_eq!(counts(&storage).await, (1, 1, 1, 1));
    assert_eq!(sweep(10_000, 10_000).await, 2);
    assert_eq!(counts(&storage).await, (1, 1, 0, 0), "what is not finished stays");
}

pub async fn a_sweep_of_jobs_ends_where_those_before_have_the_bytes_of_a_portion(storage: Arc<dyn Storage>) {
    let payload = serde_json::json!("x".repeat(1_000));
    let large: Vec<NewJob> =
        (0..5).map(|_| NewJob { payload: payload.clone(), ..new_job("mail", at(0)) }).collect();
    enqueue(&storage, &large).await;
    for (seconds, job) in (1..).zip(claim(&storage, 10, 0, 60).await) {
        assert!(complete(&storage, job.id, 1, seconds).await);
    }
    let sweep = async |bytes| {
        let portion = Portion { rows: 100, bytes };
        commit!(storage, uow => uow.jobs().sweep(at(100), at(100), portion))
    };
    assert_eq!(sweep(1).await, 1, "one goes, however large it is");
    assert_eq!(sweep(1_500).await, 2, "and another one after what is not enough");
    assert_eq!(sweep(1_000_000).await, 2);
    assert_eq!(sweep(1_000_000).await, 0);
}

pub async fn a_claim_that_is_rolled_back_leaves_the_job_to_others(storage: Arc<dyn Storage>) {
    add_job(&storage, "mail", at(0)).await;
    let mut uow = storage.begin().await.unwrap();
    assert_eq!(uow.jobs().claim(&asking(MAIL, 1, at(0), at(60))).await.unwrap().len(), 1);
    drop(uow);
    // A driver may roll back in the background, after a short delay.
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
        uow.outbox().enqueue(std::slice::from_ref(&job)).await.unwrap();
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
                    assert!(complete(&storage, job.id, 1, 2).await);
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

pub async fn a_job_that_is_put_off_loses_no_attempt(storage: Arc<dyn Storage>) {
    let id = add_job(&storage, "mail", at(0)).await;
    for attempt in 1..=5 {
        let claimed = claim_one(&storage, i64::from(attempt), 60).await;
        assert_eq!((claimed.attempt, claimed.counted_attempt(), claimed.max_attempts), (attempt, 1, 3));
        let record = read!(storage, uow => uow.jobs().find(id)).unwrap();
        assert_eq!(
            (record.attempt, record.snoozed),
            (1, attempt - 1),
            "an operator sees the attempts that count"
        );
        let snooze = Outcome::Snoozed { run_at: at(i64::from(attempt) + 1) };
        assert!(settle(&storage, id, attempt, snooze, 1).await);
    }
}

pub async fn many_leases_are_extended_and_many_words_taken_at_once(storage: Arc<dyn Storage>) {
    let mut ids: Vec<JobId> = Vec::new();
    for _ in 0..5 {
        ids.push(add_job(&storage, "mail", at(0)).await);
    }
    ids.sort_unstable();
    claim(&storage, 10, 0, 60).await;
    assert!(complete(&storage, ids[0], 1, 1).await);
    let attempts = |attempt| ids.iter().map(|id| AttemptId { id: *id, attempt }).collect::<Vec<_>>();
    let extended = commit!(storage, uow => uow.jobs().extend(&attempts(1), at(90)));
    assert_eq!(extended.iter().map(|job| job.id).collect::<Vec<_>>(), ids[1..]);
    assert_eq!(commit!(storage, uow => uow.jobs().extend(&attempts(2), at(900))), []);
    assert_eq!(next_due(&storage).await, Some(at(90)));
    let outcomes = [
        Outcome::Completed,
        Outcome::Completed,
        Outcome::Retry { run_at: at(5), error: "busy\0".into() },
        Outcome::Buried { error: "no".into() },
        Outcome::Snoozed { run_at: at(6) },
    ];
    let settlements: Vec<Settlement> = attempts(1)
        .into_iter()
        .zip(outcomes)
        .map(|(attempt, outcome)| Settlement { attempt, outcome, at: at(7) })
        .collect();
    assert_eq!(commit!(storage, uow => uow.jobs().settle(&settlements)), ids[1..]);
    assert_eq!(counts(&storage).await, (2, 0, 2, 1));
    assert_eq!(commit!(storage, uow => uow.jobs().settle(&settlements)), []);
    assert_eq!(commit!(storage, uow => uow.jobs().settle(&[])), []);
}

pub async fn a_slot_of_a_schedule_is_taken_once(storage: Arc<dyn Storage>) {
    let begin = async |time| commit!(storage, uow => uow.jobs().schedule("nightly", at(time)));
    assert_eq!(begin(100).await, at(100));
    assert_eq!(begin(999).await, at(100), "it has begun");
    for slot in [200, 300] {
        let taken = all_at_once(20, |_| {
            let storage = Arc::clone(&storage);
            async move { commit!(storage, uow => uow.jobs().take_slot("nightly", at(slot))) }
        });
        assert_eq!(taken.await.into_iter().filter(|is_taken| *is_taken).count(), 1);
    }
    assert!(!commit!(storage, uow => uow.jobs().take_slot("nightly", at(250))), "it lies before");
    assert!(!commit!(storage, uow => uow.jobs().take_slot("unknown", at(250))));
    let mut uow = storage.begin().await.unwrap();
    assert!(uow.jobs().take_slot("nightly", at(400)).await.unwrap());
    drop(uow);
    assert_eq!(begin(0).await, at(300), "rolled back, it is not taken");
}
