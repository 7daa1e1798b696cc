//! The queue for workers. `claims.rs` has the statements that choose jobs, `job_records.rs` those for operators.

use async_trait::async_trait;
use serde_json::{Value, json};
use sqlx::types::{Json, Uuid};
use sqlx::{query, query_as};
use workscribe_core::StoreResult;
use workscribe_core::clock::Timestamp;
use workscribe_core::id::JobId;
use workscribe_core::outbox::{
    AttemptId, Backlog, Claim, ClaimedJob, ExtendedLease, JobFilter, JobRecord, JobState, JobStore,
    KindCounts, Outcome, QueueState, Settlement,
};
use workscribe_core::sweep::Portion;

use super::bind::BindAll as _;
use super::{Ts, Unit, dialect, storable};

#[async_trait]
impl JobStore for Unit {
    async fn claim(&mut self, claim: &Claim<'_>) -> StoreResult<Vec<ClaimedJob>> {
        self.claim_jobs(claim).await
    }

    async fn extend(
        &mut self,
        attempts: &[AttemptId],
        lease_until: Timestamp,
    ) -> StoreResult<Vec<ExtendedLease>> {
        let rows: Vec<_> = attempts.iter().map(|attempt| (attempt.id, attempt.attempt)).collect();
        let update = query_as::<_, (Uuid, bool)>(concat!(
            "UPDATE ws_jobs AS j SET lease_until = $2 FROM ",
            rows_of!("$1"),
            " WHERE j.id = ",
            uuid_of!("(given.value ->> 0)"),
            "   AND j.attempt = CAST(given.value ->> 1 AS bigint) AND j.state = 'running'
             RETURNING id, cancel_requested"
        ))
        .bind_all((Json(rows), lease_until));
        let mut leases: Vec<ExtendedLease> = self
            .all("ws_jobs: extend", update)
            .await?
            .into_iter()
            .map(|(id, cancel_requested)| ExtendedLease { id: id.into(), cancel_requested })
            .collect();
        leases.sort_unstable();
        Ok(leases)
    }

    async fn settle(&mut self, settlements: &[Settlement]) -> StoreResult<Vec<JobId>> {
        let rows: Vec<Value> = settlements
            .iter()
            .map(|Settlement { attempt, outcome, at }| {
                let (state, run_at, error, put_off) = match outcome {
                    Outcome::Completed => (JobState::Completed, None, None, 0),
                    Outcome::Cancelled => (JobState::Cancelled, None, None, 0),
                    Outcome::Buried { error } => (JobState::Buried, None, Some(storable(error)), 0),
                    Outcome::Retry { run_at, error } => {
                        (JobState::Available, Some(*run_at), Some(storable(error)), 0)
                    }
                    Outcome::Snoozed { run_at } => (JobState::Available, Some(*run_at), None, 1),
                };
                json!([
                    attempt.id,
                    attempt.attempt,
                    state.as_str(),
                    run_at.map(dialect::json_time),
                    dialect::json_time(*at),
                    error,
                    put_off
                ])
            })
            .collect();
        // A job that an operator asks to cancel does not become available again.
        let update = query_as::<_, (Uuid,)>(concat!(
            "UPDATE ws_jobs AS j
                SET state = CASE WHEN given.value ->> 2 = 'available' AND j.cancel_requested THEN 'cancelled'
                                 ELSE given.value ->> 2 END,
                    finished_at = CASE WHEN given.value ->> 2 = 'available' AND NOT j.cancel_requested THEN NULL
                                       ELSE ",
            time_of!("(given.value ->> 4)"),
            " END,
                    unique_key = CASE WHEN given.value ->> 2 = 'available' AND NOT j.cancel_requested
                                        OR j.unique_until = 'removed' THEN j.unique_key END,
                    run_at = COALESCE(",
            time_of!("(given.value ->> 3)"),
            ", j.run_at),
                    last_error = COALESCE(given.value ->> 5, j.last_error),
                    put_off = j.put_off + CAST(given.value ->> 6 AS bigint),
                    is_due = FALSE,
                    lease_until = NULL
               FROM ",
            rows_of!("$1"),
            " WHERE j.id = ",
            uuid_of!("(given.value ->> 0)"),
            "   AND j.attempt = CAST(given.value ->> 1 AS bigint) AND j.state = 'running'
             RETURNING id"
        ))
        .bind(Json(rows));
        let mut taken: Vec<JobId> =
            self.all("ws_jobs: settle", update).await?.into_iter().map(|(id,)| id.into()).collect();
        taken.sort_unstable();
        Ok(taken)
    }

    async fn next_due(&mut self, queue: &str, kinds: &[&str]) -> StoreResult<Option<Timestamp>> {
        self.next_due_job(queue, kinds).await
    }

    async fn find(&mut self, id: JobId) -> StoreResult<Option<JobRecord>> {
        self.find_job(id).await
    }

    async fn list(
        &mut self,
        filter: &JobFilter,
        before: Option<JobId>,
        limit: u32,
    ) -> StoreResult<Vec<JobRecord>> {
        self.list_jobs(filter, before, limit).await
    }

    async fn cancel(&mut self, id: JobId, now: Timestamp) -> StoreResult<Option<JobRecord>> {
        self.cancel_job(id, now).await
    }

    async fn run_now(&mut self, id: JobId, now: Timestamp) -> StoreResult<Option<JobRecord>> {
        self.run_job_now(id, now).await
    }

    async fn counts(&mut self, now: Timestamp) -> StoreResult<Vec<KindCounts>> {
        self.count_jobs(now).await
    }

    async fn backlogs(&mut self, limit: u32) -> StoreResult<Vec<Backlog>> {
        self.list_backlogs(limit).await
    }

    async fn queues(&mut self) -> StoreResult<Vec<QueueState>> {
        self.list_queues().await
    }

    async fn pause(&mut self, queue: &str, now: Timestamp) -> StoreResult<()> {
        let insert = query(
            "INSERT INTO ws_job_queues (name, paused_at) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING",
        )
        .bind_all((queue, now));
        self.execute("ws_job_queues: pause", insert).await?;
        Ok(())
    }

    async fn resume(&mut self, queue: &str) -> StoreResult<bool> {
        let delete = query("DELETE FROM ws_job_queues WHERE name = $1").bind(queue);
        Ok(self.execute("ws_job_queues: resume", delete).await? > 0)
    }

    async fn sweep(
        &mut self,
        completed_before: Timestamp,
        buried_before: Timestamp,
        portion: Portion,
    ) -> StoreResult<u64> {
        macro_rules! old_of {
            ($state:literal, $before:literal) => {
                concat!(
                    "SELECT * FROM (SELECT id, finished_at, ",
                    bytes_of!("payload"),
                    " + ",
                    bytes_of!("last_error"),
                    " AS bytes FROM ws_jobs WHERE state = '",
                    $state,
                    "' AND finished_at < ",
                    $before,
                    " AND (keep_until IS NULL OR keep_until < $1) ORDER BY finished_at LIMIT $3) AS ",
                    $state
                )
            };
        }
        let delete = query(concat!(
            "WITH old AS MATERIALIZED (",
            first_bytes!(
                "id",
                "finished_at, id",
                "$4",
                concat!(
                    "SELECT * FROM (",
                    old_of!("completed", "$1"),
                    " UNION ALL ",
                    old_of!("cancelled", "$1"),
                    " UNION ALL ",
                    old_of!("buried", "$2"),
                    ") AS ended LIMIT $3"
                )
            ),
            ") DELETE FROM ws_jobs WHERE id ",
            any_of!("(SELECT id FROM old)")
        ))
        .bind_all((completed_before, buried_before, portion.rows, portion.bytes));
        self.execute("ws_jobs: sweep", delete).await
    }

    async fn schedule(&mut self, name: &str, begin: Timestamp) -> StoreResult<Timestamp> {
        let insert = query(
            "INSERT INTO ws_job_schedules (name, last_slot) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING",
        )
        .bind_all((name, begin));
        self.execute("ws_job_schedules: begin", insert).await?;
        let find = query_as::<_, (Ts,)>("SELECT last_slot FROM ws_job_schedules WHERE name = $1").bind(name);
        Ok(self.one("ws_job_schedules: last slot", find).await?.0.0)
    }

    async fn take_slot(&mut self, name: &str, slot: Timestamp) -> StoreResult<bool> {
        let update = query("UPDATE ws_job_schedules SET last_slot = $2 WHERE name = $1 AND last_slot < $2")
            .bind_all((name, slot));
        Ok(self.execute("ws_job_schedules: take slot", update).await? > 0)
    }
}
