//! Jobs as an operator sees and changes them.

use super::fixtures::*;
use super::jobs::{claim, claim_one, counts, enqueue, settle};
use super::prelude::*;

use workscribe_core::outbox::{
    AttemptId, ExtendedLease, JobFilter, JobPriority, JobRecord, JobState, KindCounts, Outcome, QueueState,
    Unique,
};

async fn find(storage: &Arc<dyn Storage>, id: JobId) -> JobRecord {
    read!(storage, uow => uow.jobs().find(id)).expect("the job is there")
}

async fn list(
    storage: &Arc<dyn Storage>,
    filter: &JobFilter,
    before: Option<JobId>,
    limit: u32,
) -> Vec<JobId> {
    let found = read!(storage, uow => uow.jobs().list(filter, before, limit));
    found.into_iter().map(|job| job.id).collect()
}

pub async fn an_operator_sees_all_of_a_job(storage: Arc<dyn Storage>) {
    let job = new_job("mail", at(3)).priority(JobPriority::LOW).queue("reports").unwrap();
    let job = job.timeout(None).unique(&Unique::by("a")).unwrap();
    enqueue(&storage, std::slice::from_ref(&job)).await;
    let expected = JobRecord {
        id: job.id,
        org: job.org,
        kind: "mail".into(),
        payload: job.payload.clone(),
        queue: "reports".into(),
        priority: JobPriority::LOW,
        state: JobState::Available,
        attempt: 0,
        snoozed: 0,
        max_attempts: 3,
        timeout: None,
        unique_key: Some("mail:a".into()),
        cancel_requested: false,
        run_at: at(3),
        worker: None,
        claimed_at: None,
        lease_until: None,
        last_error: None,
        created_at: at(0),
        finished_at: None,
    };
    assert_eq!(find(&storage, job.id).await, expected);
    assert_eq!(read!(storage, uow => uow.jobs().find(id())), None);
    let asking = workscribe_core::outbox::Claim {
        queue: "reports",
        ..super::jobs::asking(&["mail"], 1, at(4), at(64))
    };
    commit!(storage, uow => uow.jobs().claim(&asking));
    let running = JobRecord {
        state: JobState::Running,
        attempt: 1,
        worker: Some("a worker".into()),
        claimed_at: Some(at(4)),
        lease_until: Some(at(64)),
        ..expected
    };
    assert_eq!(find(&storage, job.id).await, running);
    assert!(settle(&storage, job.id, 1, Outcome::Buried { error: UNICODE.into() }, 5).await);
    let buried = JobRecord {
        state: JobState::Buried,
        unique_key: None,
        lease_until: None,
        last_error: Some(UNICODE.into()),
        finished_at: Some(at(5)),
        ..running
    };
    assert_eq!(find(&storage, job.id).await, buried);
}

pub async fn jobs_are_listed_from_the_newest_by_state_kind_and_queue(storage: Arc<dyn Storage>) {
    let mut jobs = Vec::new();
    for index in 0..6_i64 {
        let kind = if index % 2 == 0 { "mail" } else { "report" };
        let queue = if index < 3 { "default" } else { "slow" };
        jobs.push(new_job(kind, at(index)).queue(queue).unwrap());
    }
    jobs.sort_by_key(|job| std::cmp::Reverse(job.id));
    enqueue(&storage, &jobs).await;
    let ids = |keep: &dyn Fn(&NewJob) -> bool| {
        jobs.iter().filter(|job| keep(job)).map(|job| job.id).collect::<Vec<_>>()
    };
    let all = ids(&|_| true);
    assert_eq!(list(&storage, &JobFilter::default(), None, 100).await, all);
    assert_eq!(list(&storage, &JobFilter::default(), None, 2).await, all[..2]);
    assert_eq!(list(&storage, &JobFilter::default(), Some(all[1]), 3).await, all[2..5]);
    let mails = JobFilter { kind: Some("mail".into()), ..JobFilter::default() };
    assert_eq!(list(&storage, &mails, None, 100).await, ids(&|job| job.kind == "mail"));
    let slow = JobFilter { queue: Some("slow".into()), ..JobFilter::default() };
    assert_eq!(list(&storage, &slow, None, 100).await, ids(&|job| job.queue == "slow"));
    let both = JobFilter { kind: Some("mail".into()), ..slow };
    assert_eq!(list(&storage, &both, None, 100).await, ids(&|job| job.queue == "slow" && job.kind == "mail"));
    let claimed = claim(&storage, 1, 100, 160).await.remove(0);
    let running = JobFilter { state: Some(JobState::Running), ..JobFilter::default() };
    assert_eq!(list(&storage, &running, None, 100).await, [claimed.id]);
}

pub async fn a_waiting_job_is_cancelled_at_once_and_a_running_one_is_asked(storage: Arc<dyn Storage>) {
    let cancel = async |id, now| commit!(storage, uow => uow.jobs().cancel(id, at(now)));
    assert_eq!(cancel(id(), 1).await, None);
    let waiting = new_job("mail", at(0)).unique(&Unique::by("a")).unwrap();
    enqueue(&storage, std::slice::from_ref(&waiting)).await;
    let cancelled = cancel(waiting.id, 5).await.unwrap();
    assert_eq!((cancelled.state, cancelled.finished_at), (JobState::Cancelled, Some(at(5))));
    assert_eq!(cancelled.unique_key, None, "another may come");
    assert_eq!(cancel(waiting.id, 9).await, Some(cancelled), "it has ended");
    assert!(claim(&storage, 10, 10, 60).await.is_empty());

    for (outcome, expected) in [
        (Outcome::Cancelled, JobState::Cancelled),
        (Outcome::Completed, JobState::Completed),
        (Outcome::Retry { run_at: at(30), error: "stopped".into() }, JobState::Cancelled),
        (Outcome::Snoozed { run_at: at(30) }, JobState::Cancelled),
    ] {
        let running = add_job(&storage, "mail", at(0)).await;
        claim_one(&storage, 10, 60).await;
        let asked = cancel(running, 11).await.unwrap();
        assert_eq!((asked.state, asked.cancel_requested), (JobState::Running, true));
        let leases =
            commit!(storage, uow => uow.jobs().extend(&[AttemptId { id: running, attempt: 1 }], at(90)));
        assert_eq!(leases, [ExtendedLease { id: running, cancel_requested: true }]);
        assert!(settle(&storage, running, 1, outcome, 12).await);
        let ended = find(&storage, running).await;
        assert_eq!((ended.state, ended.finished_at), (expected, Some(at(12))));
    }
}

pub async fn a_job_that_has_ended_runs_again_when_an_operator_says_so(storage: Arc<dyn Storage>) {
    let run_now = async |id, now| commit!(storage, uow => uow.jobs().run_now(id, at(now)));
    assert_eq!(run_now(id(), 1).await, None);
    let job = add_job(&storage, "mail", at(0)).await;
    for attempt in 1..=3 {
        claim_one(&storage, 0, 60).await;
        let outcome = match attempt {
            3 => Outcome::Buried { error: "spent".into() },
            _ => Outcome::Retry { run_at: at(0), error: "busy".into() },
        };
        assert!(settle(&storage, job, attempt, outcome, 1).await);
    }
    let again = run_now(job, 20).await.unwrap();
    assert_eq!((again.state, again.run_at, again.finished_at), (JobState::Available, at(20), None));
    assert_eq!((again.attempt, again.max_attempts), (3, 4), "one more, and the count goes on");
    assert_eq!(claim_one(&storage, 20, 60).await.attempt, 4);
    let running = run_now(job, 30).await.unwrap();
    assert_eq!((running.state, running.attempt), (JobState::Running, 4), "it is left alone");
    assert!(settle(&storage, job, 4, Outcome::Completed, 31).await);
    let later = add_job(&storage, "mail", at(5_000)).await;
    assert_eq!(run_now(later, 40).await.unwrap().run_at, at(40), "now instead of later");
    assert_eq!(claim_one(&storage, 40, 90).await.id, later);
}

pub async fn jobs_are_counted_by_queue_kind_and_state(storage: Arc<dyn Storage>) {
    assert_eq!(read!(storage, uow => uow.jobs().counts(at(0))), []);
    let slow = new_job("mail", at(0)).queue("a slow one").unwrap();
    enqueue(&storage, &[slow, new_job("report", at(50)), new_job("mail", at(7)), new_job("mail", at(5))])
        .await;
    claim_one(&storage, 5, 60).await;
    let all = read!(storage, uow => uow.jobs().counts(at(10)));
    let line = |of: &KindCounts| {
        (of.queue.clone(), of.kind.clone(), of.counts.available, of.counts.running, of.oldest_due)
    };
    assert_eq!(
        all.iter().map(line).collect::<Vec<_>>(),
        [
            ("a slow one".into(), "mail".into(), 1, 0, Some(at(0))),
            ("default".into(), "mail".into(), 1, 1, Some(at(7))),
            ("default".into(), "report".into(), 1, 0, None),
        ]
    );
    assert_eq!(counts(&storage).await, (3, 1, 0, 0));
}

pub async fn queues_are_those_with_a_job_and_those_that_are_paused(storage: Arc<dyn Storage>) {
    assert_eq!(read!(storage, uow => uow.jobs().queues()), []);
    add_job(&storage, "mail", at(0)).await;
    commit!(storage, uow => uow.jobs().pause("reports", at(3)));
    let queue = |name: &str, paused_at| QueueState { name: name.into(), paused_at };
    let expected = [queue("default", None), queue("reports", Some(at(3)))];
    assert_eq!(read!(storage, uow => uow.jobs().queues()), expected);
}
