//! The queue for workers. `job_records.rs` has the statements for operators.

use async_trait::async_trait;
use serde_json::{Value, json};
use sqlx::types::{Json, Uuid};
use sqlx::{FromRow, query, query_as};
use workscribe_core::StoreError;
use workscribe_core::clock::Timestamp;
use workscribe_core::id::{JobId, OrgId};
use workscribe_core::outbox::{
    AttemptId, Backlog, Claim, ClaimedJob, Enqueued, ExtendedLease, JobFilter, JobRecord, JobState, JobStore,
    KindCounts, NewJob, Outbox, Outcome, QueueState, Settlement,
};
use workscribe_core::sweep::Portion;

use super::bind::BindAll as _;
use super::job_records::{attempts, duration};
use super::{Ts, Unit, dialect, storable};

#[derive(FromRow)]
struct ClaimedRow {
    id: Uuid,
    org_id: Option<Uuid>,
    kind: String,
    payload: Json<Value>,
    priority: i64,
    attempt: i64,
    put_off: i64,
    max_attempts: i64,
    timeout_ms: Option<i64>,
    run_at: Ts,
    created_at: Ts,
}

impl TryFrom<ClaimedRow> for ClaimedJob {
    type Error = StoreError;

    fn try_from(row: ClaimedRow) -> Result<Self, StoreError> {
        Ok(Self {
            id: row.id.into(),
            org: row.org_id.map(OrgId::from),
            kind: row.kind,
            payload: row.payload.0,
            attempt: attempts("attempt", row.attempt)?,
            snoozed: attempts("put_off", row.put_off)?,
            max_attempts: attempts("max_attempts", row.max_attempts)?,
            timeout: row.timeout_ms.map(duration).transpose()?,
            run_at: row.run_at.0,
            created_at: row.created_at.0,
        })
    }
}

fn time(at: Timestamp) -> Value {
    dialect::json_time(at)
}

fn row_of(job: &NewJob) -> Value {
    let unique = job.unique.as_ref();
    json!([
        job.id,
        job.kind,
        job.payload,
        job.queue,
        job.priority.number(),
        job.max_attempts,
        job.timeout.map(|timeout| u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX >> 1)),
        unique.map(|unique| &unique.key),
        unique.map(|unique| unique.until.as_str()),
        unique.and_then(|unique| unique.keep_until).map(time),
        time(job.run_at),
        time(job.created_at),
        job.org,
        job.run_at <= job.created_at,
    ])
}

impl Unit {
    /// Inserts the jobs whose unique keys are free, and returns their ids.
    async fn insert_jobs(&mut self, jobs: &[&NewJob]) -> Result<Vec<Uuid>, StoreError> {
        let rows: Vec<Value> = jobs.iter().map(|job| row_of(job)).collect();
        // SQLite needs the WHERE to distinguish ON CONFLICT from a join.
        let insert = query_as::<_, (Uuid,)>(concat!(
            "INSERT INTO ws_jobs (id, kind, payload, state, attempt, queue, priority, max_attempts, timeout_ms, unique_key,
                                  unique_until, keep_until, run_at, created_at, org_id, is_due)
             SELECT ",
            uuid_of!("(given.value ->> 0)"),
            ", given.value ->> 1, given.value -> 2, 'available', 0, given.value ->> 3, CAST(given.value ->> 4 AS bigint),
               CAST(given.value ->> 5 AS bigint), CAST(given.value ->> 6 AS bigint), given.value ->> 7,
               given.value ->> 8, ",
            time_of!("(given.value ->> 9)"),
            ", ",
            time_of!("(given.value ->> 10)"),
            ", ",
            time_of!("(given.value ->> 11)"),
            ", ",
            uuid_of!("(given.value ->> 12)"),
            ", CAST(given.value ->> 13 AS boolean) FROM ",
            rows_of!("$1"),
            " WHERE TRUE
             ON CONFLICT (unique_key) WHERE unique_key IS NOT NULL DO NOTHING
             RETURNING id"
        ))
        .bind(Json(rows));
        Ok(self.all("ws_jobs: enqueue", insert).await?.into_iter().map(|(id,)| id).collect())
    }

    /// Marks the jobs of a queue that have become due, earliest first, so that they take part in the turns.
    async fn mark_due(&mut self, claim: &Claim<'_>) -> Result<(), StoreError> {
        const AT_ONCE: i64 = 1_000;
        let mark = query(concat!(
            "UPDATE ws_jobs SET is_due = TRUE
              WHERE state = 'available' AND id ",
            any_of!(concat!(
                "(SELECT id FROM ws_jobs
                   WHERE state = 'available' AND NOT is_due AND queue = $1 AND run_at <= $2
                   ORDER BY run_at, id LIMIT $3",
                skip_locked!(),
                ")"
            ))
        ))
        .bind_all((claim.queue, claim.now, AT_ONCE));
        self.execute("ws_jobs: mark due", mark).await?;
        Ok(())
    }

    /// The jobs that hold these unique keys.
    async fn jobs_of_keys(&mut self, keys: &[&str]) -> Result<Vec<(String, Uuid)>, StoreError> {
        let find = query_as::<_, (String, Uuid)>(concat!(
            "SELECT unique_key, id FROM ws_jobs WHERE unique_key ",
            any_of!(texts_of!("$1"))
        ))
        .bind(Json(keys));
        self.all("ws_jobs: of unique keys", find).await
    }
}

#[async_trait]
impl Outbox for Unit {
    async fn enqueue(&mut self, jobs: &[NewJob]) -> Result<Vec<Enqueued>, StoreError> {
        const TRIES: u32 = 5;
        let mut done: Vec<Option<Enqueued>> = vec![None; jobs.len()];
        for _ in 0..TRIES {
            let mut open: Vec<(usize, &NewJob)> =
                jobs.iter().enumerate().filter(|(at, _)| done[*at].is_none()).collect();
            if open.is_empty() {
                break;
            }
            // All callers use the same order, so two that enqueue the same keys cannot deadlock.
            open.sort_by_key(|(at, job)| (job.unique.as_ref().map(|unique| &unique.key), *at));
            let new = self.insert_jobs(&open.iter().map(|(_, job)| *job).collect::<Vec<_>>()).await?;
            self.enqueued |= !new.is_empty();
            for (at, job) in &open {
                if new.contains(&job.id.as_uuid()) {
                    done[*at] = Some(Enqueued { id: job.id, is_new: true });
                }
            }
            open.retain(|(at, _)| done[*at].is_none());
            let keys: Vec<&str> =
                open.iter().filter_map(|(_, job)| Some(&*job.unique.as_ref()?.key)).collect();
            if keys.is_empty() {
                break;
            }
            // If a job has released its key since then, the insert is tried again.
            let taken = self.jobs_of_keys(&keys).await?;
            for (at, job) in open {
                let key = job.unique.as_ref().map(|unique| &unique.key);
                let id = taken.iter().find(|(taken, _)| Some(taken) == key).map(|(_, id)| JobId::from(*id));
                done[at] = id.map(|id| Enqueued { id, is_new: false });
            }
        }
        done.into_iter()
            .collect::<Option<Vec<_>>>()
            .ok_or_else(|| StoreError::Unavailable("a unique key came and went at every try".into()))
    }
}

/// Due jobs with a priority. Due jobs are marked, so that one index has them in the order of the turns.
macro_rules! due {
    ($priority:literal) => {
        concat!(
            "ws_jobs WHERE state = 'available' AND is_due AND queue = $1 AND priority = ",
            $priority,
            " AND kind IN ",
            texts_of!("$2")
        )
    };
}

/// The next organization that has such a job. It needs one look-up in that index, however many jobs are between.
macro_rules! next_party {
    ($priority:literal, $than:expr) => {
        concat!(
            "(SELECT ",
            party!(),
            " FROM ",
            due!($priority),
            " AND ",
            party!(),
            $than,
            " ORDER BY ",
            party!(),
            " LIMIT 1)"
        )
    };
}

/// The organizations whose turn it is in a priority: from the one after `$7` to the end, then from the beginning.
macro_rules! turns_of {
    ($priority:literal) => {
        concat!(
            "above_",
            $priority,
            " (party, step) AS (
                 SELECT ",
            next_party!($priority, " > $7"),
            ", CAST(1 AS bigint)
                  UNION ALL
                 SELECT ",
            next_party!($priority, " > before.party"),
            ", before.step + 1 FROM above_",
            $priority,
            " AS before WHERE before.party IS NOT NULL AND before.step < $8),
             below_",
            $priority,
            " (party, step) AS (
                 SELECT ",
            next_party!($priority, concat!(" >= ", nobody!())),
            ", CAST(1 AS bigint)
                  UNION ALL
                 SELECT ",
            next_party!($priority, " > before.party"),
            ", before.step + 1 FROM below_",
            $priority,
            " AS before WHERE before.party < $7 AND before.step < $8),
             turns_",
            $priority,
            " (party) AS MATERIALIZED (
                 SELECT party FROM (
                     SELECT party FROM above_",
            $priority,
            " WHERE party IS NOT NULL UNION ALL SELECT party FROM below_",
            $priority,
            " WHERE party <= $7) AS round
                  WHERE NOT party ",
            in_ids!("$9"),
            " LIMIT $3)"
        )
    };
}

/// The first jobs of each organization whose turn it is: an equal share of the limit.
macro_rules! due_of {
    ($priority:literal) => {
        concat!(
            " UNION ALL SELECT id FROM (",
            of_each_turn!(
                concat!("turns_", $priority),
                concat!(
                    "SELECT id FROM ",
                    due!($priority),
                    " AND ",
                    party!(),
                    " = turn.party ORDER BY run_at, id
                      LIMIT (SELECT CASE WHEN ($3 + count(*) - 1) / count(*) < $10 THEN ($3 + count(*) - 1) / count(*)
                                         ELSE $10 END FROM turns_",
                    $priority,
                    ")"
                )
            ),
            ") AS due_",
            $priority
        )
    };
}

/// Whether the queue `$1` is not paused.
macro_rules! is_open {
    () => {
        "NOT EXISTS (SELECT 1 FROM ws_job_queues WHERE name = $1)"
    };
}

#[async_trait]
impl JobStore for Unit {
    async fn claim(&mut self, claim: &Claim<'_>) -> Result<Vec<ClaimedJob>, StoreError> {
        self.mark_due(claim).await?;
        // Each part reads its own index in order. The parts are read one after the other until there are enough jobs. Rows that
        // were locked but not claimed are unlocked by the commit.
        let update = query_as::<_, ClaimedRow>(concat!(
            "WITH RECURSIVE ",
            turns_of!(1),
            ", ",
            turns_of!(2),
            ", ",
            turns_of!(3),
            ", ",
            turns_of!(4),
            ", taken AS MATERIALIZED (
                 SELECT id FROM (
                     SELECT id FROM (
                         SELECT id FROM ws_jobs
                          WHERE state = 'running' AND lease_until <= $4 AND queue = $1 AND kind IN ",
            texts_of!("$2"),
            "             ORDER BY lease_until, id LIMIT $3",
            skip_locked!(),
            ") AS lost",
            due_of!(1),
            due_of!(2),
            due_of!(3),
            due_of!(4),
            "    ) AS ready WHERE ",
            is_open!(),
            " LIMIT $3)
             UPDATE ws_jobs
                SET state = 'running', attempt = attempt + 1, lease_until = $5, claimed_at = $4, worker = $6,
                    unique_key = CASE WHEN unique_until = 'claimed' THEN NULL ELSE unique_key END
              WHERE id ",
            any_of!("(SELECT id FROM taken)"),
            " RETURNING id, org_id, kind, payload, priority, attempt, put_off, max_attempts, timeout_ms, run_at, created_at"
        ))
        .bind_all((
            claim.queue, Json(claim.kinds), claim.limit, claim.now, claim.lease_until, claim.worker,
            claim.turn.after.map_or(Uuid::nil(), Uuid::from),
            i64::from(claim.limit) + i64::try_from(claim.turn.skipped.len()).unwrap_or_default(),
            Json(claim.turn.skipped), claim.turn.max_each.unwrap_or(claim.limit),
        ));
        let mut claimed = self.all("ws_jobs: claim", update).await?;
        claimed.sort_by_key(|row| (row.priority, row.run_at.0, row.id));
        claimed.into_iter().map(ClaimedJob::try_from).collect()
    }

    async fn extend(
        &mut self,
        attempts: &[AttemptId],
        lease_until: Timestamp,
    ) -> Result<Vec<ExtendedLease>, StoreError> {
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

    async fn settle(&mut self, settlements: &[Settlement]) -> Result<Vec<JobId>, StoreError> {
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
                    run_at.map(time),
                    time(*at),
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

    async fn next_due(&mut self, queue: &str, kinds: &[&str]) -> Result<Option<Timestamp>, StoreError> {
        let next = query_as::<_, (Option<Ts>,)>(concat!(
            "SELECT min(at) FROM (
                 SELECT at FROM (
                     SELECT lease_until AS at FROM ws_jobs
                      WHERE state = 'running' AND queue = $1 AND kind IN ",
            texts_of!("$2"),
            "         ORDER BY lease_until LIMIT 1) AS lost",
            " UNION ALL SELECT at FROM (
                 SELECT run_at AS at FROM ws_jobs
                  WHERE state = 'available' AND is_due AND queue = $1 AND kind IN ",
            texts_of!("$2"),
            "     ORDER BY priority, ",
            party!(),
            ", run_at LIMIT 1) AS due
              UNION ALL SELECT at FROM (
                 SELECT run_at AS at FROM ws_jobs
                  WHERE state = 'available' AND NOT is_due AND queue = $1 AND kind IN ",
            texts_of!("$2"),
            "     ORDER BY run_at LIMIT 1) AS later",
            ") AS any_of_them WHERE ",
            is_open!()
        ))
        .bind_all((queue, Json(kinds)));
        Ok(self.one("ws_jobs: next due", next).await?.0.map(|at| at.0))
    }

    async fn find(&mut self, id: JobId) -> Result<Option<JobRecord>, StoreError> {
        self.find_job(id).await
    }

    async fn list(
        &mut self,
        filter: &JobFilter,
        before: Option<JobId>,
        limit: u32,
    ) -> Result<Vec<JobRecord>, StoreError> {
        self.list_jobs(filter, before, limit).await
    }

    async fn cancel(&mut self, id: JobId, now: Timestamp) -> Result<Option<JobRecord>, StoreError> {
        self.cancel_job(id, now).await
    }

    async fn run_now(&mut self, id: JobId, now: Timestamp) -> Result<Option<JobRecord>, StoreError> {
        self.run_job_now(id, now).await
    }

    async fn counts(&mut self, now: Timestamp) -> Result<Vec<KindCounts>, StoreError> {
        self.count_jobs(now).await
    }

    async fn backlogs(&mut self, limit: u32) -> Result<Vec<Backlog>, StoreError> {
        self.list_backlogs(limit).await
    }

    async fn queues(&mut self) -> Result<Vec<QueueState>, StoreError> {
        self.list_queues().await
    }

    async fn pause(&mut self, queue: &str, now: Timestamp) -> Result<(), StoreError> {
        let insert = query(
            "INSERT INTO ws_job_queues (name, paused_at) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING",
        )
        .bind_all((queue, now));
        self.execute("ws_job_queues: pause", insert).await?;
        Ok(())
    }

    async fn resume(&mut self, queue: &str) -> Result<bool, StoreError> {
        let delete = query("DELETE FROM ws_job_queues WHERE name = $1").bind(queue);
        Ok(self.execute("ws_job_queues: resume", delete).await? > 0)
    }

    async fn sweep(
        &mut self,
        completed_before: Timestamp,
        buried_before: Timestamp,
        portion: Portion,
    ) -> Result<u64, StoreError> {
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

    async fn schedule(&mut self, name: &str, begin: Timestamp) -> Result<Timestamp, StoreError> {
        let insert = query(
            "INSERT INTO ws_job_schedules (name, last_slot) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING",
        )
        .bind_all((name, begin));
        self.execute("ws_job_schedules: begin", insert).await?;
        let find = query_as::<_, (Ts,)>("SELECT last_slot FROM ws_job_schedules WHERE name = $1").bind(name);
        Ok(self.one("ws_job_schedules: last slot", find).await?.0.0)
    }

    async fn take_slot(&mut self, name: &str, slot: Timestamp) -> Result<bool, StoreError> {
        let update = query("UPDATE ws_job_schedules SET last_slot = $2 WHERE name = $1 AND last_slot < $2")
            .bind_all((name, slot));
        Ok(self.execute("ws_job_schedules: take slot", update).await? > 0)
    }
}
