//! Which of the due jobs are claimed: by queue and priority, and in turns of their organizations.

use super::fixtures::*;
use super::jobs::{MAIL, asking, claim, claim_one, enqueue, next_due, settle};
use super::prelude::*;

use workscribe_core::id::OrgId;
use workscribe_core::outbox::{Claim, JobPriority, Outcome, Turn};

pub async fn jobs_of_a_higher_priority_come_first_and_queues_stand_apart(storage: Arc<dyn Storage>) {
    let priorities = [JobPriority::IDLE, JobPriority::LOW, JobPriority::NORMAL, JobPriority::HIGH];
    let jobs: Vec<NewJob> = (0..4_i64)
        .flat_map(|index| priorities.map(|priority| new_job("mail", at(index)).priority(priority)))
        .collect();
    let later = new_job("mail", at(1_000)).priority(JobPriority::HIGH);
    let elsewhere = new_job("mail", at(0)).priority(JobPriority::HIGH).queue("reports").unwrap();
    enqueue(&storage, &[jobs.clone(), vec![later, elsewhere.clone()]].concat()).await;
    let mut expected = jobs;
    expected.sort_by_key(|job| (job.priority, job.run_at));
    let expected: Vec<JobId> = expected.into_iter().map(|job| job.id).collect();
    let mut order = Vec::new();
    for limit in [1, 2, 5, 10] {
        order.extend(claim(&storage, limit, 10, 60).await.into_iter().map(|job| job.id));
    }
    assert_eq!(order, expected);
    let other = Claim { queue: "reports", ..asking(MAIL, 10, at(10), at(60)) };
    let claimed = commit!(storage, uow => uow.jobs().claim(&other));
    assert_eq!(claimed.iter().map(|job| job.id).collect::<Vec<_>>(), [elsewhere.id]);
    assert_eq!(read!(storage, uow => uow.jobs().next_due("nowhere", MAIL)), None);
}

pub async fn nothing_is_claimed_from_a_queue_that_is_paused(storage: Arc<dyn Storage>) {
    add_job(&storage, "mail", at(0)).await;
    commit!(storage, uow => uow.jobs().pause("default", at(5)));
    commit!(storage, uow => uow.jobs().pause("default", at(6)));
    assert_eq!((claim(&storage, 10, 10, 60).await.len(), next_due(&storage).await), (0, None));
    assert!(commit!(storage, uow => uow.jobs().resume("default")));
    assert!(!commit!(storage, uow => uow.jobs().resume("default")), "it was not paused");
    assert_eq!(next_due(&storage).await, Some(at(0)));
    claim_one(&storage, 10, 60).await;
    commit!(storage, uow => uow.jobs().pause("default", at(20)));
    assert!(claim(&storage, 10, 100, 200).await.is_empty(), "of one whose lease ran out neither");
}

/// The organizations whose jobs a claim returns, as indexes of `orgs`.
async fn turns(storage: &Arc<dyn Storage>, orgs: &[OrgId], limit: u32, turn: Turn<'_>) -> Vec<usize> {
    let claim = Claim { turn, ..asking(MAIL, limit, at(1_000), at(9_000)) };
    let claimed = commit!(storage, uow => uow.jobs().claim(&claim));
    let at = |job: &ClaimedJob| orgs.iter().position(|org| Some(*org) == job.org).unwrap_or(orgs.len());
    let mut turns: Vec<usize> = claimed.iter().map(at).collect();
    turns.sort_unstable();
    turns
}

/// Adds jobs of an organization, one per second from a time on.
async fn jobs_of(storage: &Arc<dyn Storage>, org: Option<OrgId>, count: i64, from: i64) {
    let jobs: Vec<NewJob> =
        (0..count).map(|n| NewJob { org, created_at: at(from), ..new_job("mail", at(from + n)) }).collect();
    enqueue(storage, &jobs).await;
}

pub async fn claims_go_from_organization_to_organization(storage: Arc<dyn Storage>) {
    let mut orgs: Vec<OrgId> = (0..3).map(|_| id()).collect();
    orgs.sort_unstable();
    jobs_of(&storage, Some(orgs[0]), 500, 0).await;
    jobs_of(&storage, Some(orgs[1]), 1, 900).await;
    jobs_of(&storage, Some(orgs[2]), 5, 901).await;
    jobs_of(&storage, None, 2, 902).await;
    let after = |org: usize| Turn { after: Some(orgs[org]), ..Turn::default() };
    // Five hundred jobs have waited longer, and they delay no organization's first job.
    assert_eq!(turns(&storage, &orgs, 4, Turn::default()).await, [0, 1, 2, 3]);
    assert_eq!(turns(&storage, &orgs, 1, after(0)).await, [2], "the second has no more");
    assert_eq!(turns(&storage, &orgs, 1, after(2)).await, [3], "the round begins anew with what is nobody's");
    assert_eq!(turns(&storage, &orgs, 1, Turn::default()).await, [0]);
    assert_eq!(
        turns(&storage, &orgs, 10, after(0)).await,
        [0, 0, 0, 0, 0, 2, 2, 2],
        "an equal share of each"
    );
    let jobs = turns(&storage, &orgs, 10, after(0)).await;
    assert_eq!(jobs, [0; 10], "who is alone has all of it");
}

pub async fn who_has_the_most_jobs_waiting_is_told(storage: Arc<dyn Storage>) {
    let orgs: Vec<OrgId> = (0..3).map(|_| id()).collect();
    for (org, count) in orgs.iter().zip([3, 5, 1]) {
        jobs_of(&storage, Some(*org), count, 0).await;
    }
    jobs_of(&storage, None, 9, 0).await;
    let claim = Claim {
        turn: Turn { skipped: &[orgs[0], orgs[2]], ..Turn::default() },
        ..asking(MAIL, 20, at(99), at(999))
    };
    for job in
        commit!(storage, uow => uow.jobs().claim(&claim)).iter().filter(|job| job.org.is_some()).take(2)
    {
        assert!(settle(&storage, job.id, job.attempt, Outcome::Snoozed { run_at: at(100) }, 99).await);
    }
    let backlogs = read!(storage, uow => uow.jobs().backlogs(2));
    let counts: Vec<_> = backlogs.iter().map(|of| (&*of.queue, of.org, of.waiting, of.snoozed)).collect();
    assert_eq!(counts, [("default", orgs[0], 3, 0), ("default", orgs[1], 2, 2)]);
}

pub async fn whoever_is_passed_over_gets_nothing_and_nobody_more_than_they_may(storage: Arc<dyn Storage>) {
    let mut orgs: Vec<OrgId> = (0..3).map(|_| id()).collect();
    orgs.sort_unstable();
    for org in &orgs {
        jobs_of(&storage, Some(*org), 20, 0).await;
    }
    let third_only = Turn { skipped: &orgs[..2], max_each: Some(3), ..Turn::default() };
    assert_eq!(turns(&storage, &orgs, 10, third_only).await, [2, 2, 2]);
    let all = Turn { skipped: &orgs, ..Turn::default() };
    assert_eq!(turns(&storage, &orgs, 10, all).await, [0; 0]);
    let two = Turn { max_each: Some(2), ..Turn::default() };
    assert_eq!(turns(&storage, &orgs, 10, two).await, [0, 0, 1, 1, 2, 2]);
}

pub async fn jobs_that_come_due_take_part_in_the_turns(storage: Arc<dyn Storage>) {
    let mut orgs: Vec<OrgId> = (0..2).map(|_| id()).collect();
    orgs.sort_unstable();
    jobs_of(&storage, Some(orgs[0]), 50, 10).await;
    let later = NewJob { org: Some(orgs[1]), ..new_job("mail", at(999)) };
    let never = NewJob { org: Some(orgs[1]), ..new_job("mail", at(5_000)) };
    enqueue(&storage, &[later, never]).await;
    assert_eq!(turns(&storage, &orgs, 2, Turn::default()).await, [0, 1]);
    assert_eq!(turns(&storage, &orgs, 2, Turn::default()).await, [0, 0], "the other's time has not come");
}
