//! The queue as an operator sees it.

use std::time::Duration;

use sqlx::types::{Json, Uuid};
use sqlx::{FromRow, query_as};
use workscribe_core::clock::Timestamp;
use workscribe_core::id::{JobId, OrgId};
use workscribe_core::outbox::{
    Backlog, JobCounts, JobFilter, JobPriority, JobRecord, JobState, KindCounts, QueueState,
};
use workscribe_core::{StoreError, StoreResult};

use super::bind::BindAll as _;
use super::{Ts, Unit, corrupt, named};

macro_rules! job_columns {
    () => {
        "id, org_id, kind, payload, queue, priority, state, attempt, put_off, max_attempts, timeout_ms, unique_key, cancel_requested, run_at,
         worker, claimed_at, lease_until, last_error, created_at, finished_at"
    };
}

#[derive(FromRow)]
struct JobRow {
    id: Uuid,
    org_id: Option<Uuid>,
    kind: String,
    payload: Json<serde_json::Value>,
    queue: String,
    priority: i64,
    state: String,
    attempt: i64,
    put_off: i64,
    max_attempts: i64,
    timeout_ms: Option<i64>,
    unique_key: Option<String>,
    cancel_requested: bool,
    run_at: Ts,
    worker: Option<String>,
    claimed_at: Option<Ts>,
    lease_until: Option<Ts>,
    last_error: Option<String>,
    created_at: Ts,
    finished_at: Option<Ts>,
}

pub(crate) fn attempts(column: &str, value: i64) -> StoreResult<u32> {
    u32::try_from(value).map_err(|_| corrupt("ws_jobs", format!("{column} is {value}")))
}

pub(crate) fn duration(millis: i64) -> StoreResult<Duration> {
    let millis = u64::try_from(millis).map_err(|_| corrupt("ws_jobs", format!("timeout_ms is {millis}")))?;
    Ok(Duration::from_millis(millis))
}

fn state(name: &str) -> StoreResult<JobState> {
    named("ws_jobs", "state", name, JobState::parse)
}

impl TryFrom<JobRow> for JobRecord {
    type Error = StoreError;

    fn try_from(row: JobRow) -> StoreResult<Self> {
        let priority = u8::try_from(row.priority).ok().and_then(JobPriority::new);
        Ok(Self {
            id: row.id.into(),
            org: row.org_id.map(OrgId::from),
            kind: row.kind,
            payload: row.payload.0,
            queue: row.queue,
            priority: priority.ok_or_else(|| corrupt("ws_jobs", format!("priority is {}", row.priority)))?,
            state: state(&row.state)?,
            attempt: attempts("attempt", row.attempt - row.put_off)?,
            snoozed: attempts("put_off", row.put_off)?,
            max_attempts: attempts("max_attempts", row.max_attempts)?,
            timeout: row.timeout_ms.map(duration).transpose()?,
            unique_key: row.unique_key,
            cancel_requested: row.cancel_requested,
            run_at: row.run_at.0,
            worker: row.worker,
            claimed_at: row.claimed_at.map(|at| at.0),
            lease_until: row.lease_until.map(|at| at.0),
            last_error: row.last_error,
            created_at: row.created_at.0,
            finished_at: row.finished_at.map(|at| at.0),
        })
    }
}

impl Unit {
    pub(crate) async fn find_job(&mut self, id: JobId) -> StoreResult<Option<JobRecord>> {
        let find = query_as::<_, JobRow>(concat!("SELECT ", job_columns!(), " FROM ws_jobs WHERE id = $1"))
            .bind(id.as_uuid());
        self.optional("ws_jobs: find", find).await?.map(JobRecord::try_from).transpose()
    }

    pub(crate) async fn list_jobs(
        &mut self,
        filter: &JobFilter,
        before: Option<JobId>,
        limit: u32,
    ) -> StoreResult<Vec<JobRecord>> {
        let list = query_as::<_, JobRow>(concat!(
            "SELECT ",
            job_columns!(),
            " FROM ws_jobs
               WHERE id < $1 AND ($2 IS NULL OR state = $2) AND ($3 IS NULL OR kind = $3)
                 AND ($4 IS NULL OR queue = $4)
               ORDER BY id DESC LIMIT $5"
        ))
        .bind_all((
            before.map_or(Uuid::max(), Uuid::from),
            filter.state.map(JobState::as_str),
            filter.kind.as_deref(),
            filter.queue.as_deref(),
            limit,
        ));
        self.all("ws_jobs: list", list).await?.into_iter().map(JobRecord::try_from).collect()
    }

    pub(crate) async fn cancel_job(&mut self, id: JobId, now: Timestamp) -> StoreResult<Option<JobRecord>> {
        let update = query_as::<_, JobRow>(concat!(
            "UPDATE ws_jobs
                SET state = CASE WHEN state = 'available' THEN 'cancelled' ELSE state END,
                    finished_at = CASE WHEN state = 'available' THEN $2 ELSE finished_at END,
                    unique_key = CASE WHEN state = 'available' AND unique_until <> 'removed' THEN NULL
                                      ELSE unique_key END,
                    cancel_requested = CASE WHEN state = 'running' THEN TRUE ELSE cancel_requested END
              WHERE id = $1
             RETURNING ",
            job_columns!()
        ))
        .bind_all((id, now));
        self.optional("ws_jobs: cancel", update).await?.map(JobRecord::try_from).transpose()
    }

    pub(crate) async fn run_job_now(&mut self, id: JobId, now: Timestamp) -> StoreResult<Option<JobRecord>> {
        let update = query_as::<_, JobRow>(concat!(
            "UPDATE ws_jobs
                SET state = 'available', run_at = $2, is_due = TRUE, finished_at = NULL, cancel_requested = FALSE,
                    max_attempts = CASE WHEN max_attempts > attempt - put_off THEN max_attempts
                                        ELSE attempt - put_off + 1 END
              WHERE id = $1 AND state <> 'running'
             RETURNING ",
            job_columns!()
        ))
        .bind_all((id, now));
        match self.optional("ws_jobs: run now", update).await? {
            Some(row) => {
                self.enqueued = true;
                row.try_into().map(Some)
            }
            None => self.find_job(id).await,
        }
    }

    pub(crate) async fn count_jobs(&mut self, now: Timestamp) -> StoreResult<Vec<KindCounts>> {
        let count = query_as::<_, (String, String, String, i64, Option<Ts>)>(
            "SELECT queue, kind, state, count(*),
                    min(CASE WHEN state = 'available' AND run_at <= $1 THEN run_at END)
               FROM ws_jobs GROUP BY queue, kind, state ORDER BY queue, kind",
        )
        .bind(Ts(now));
        let mut all: Vec<KindCounts> = Vec::new();
        for (queue, kind, name, number, oldest) in self.all("ws_jobs: count", count).await? {
            let state = state(&name)?;
            let new = KindCounts { queue, kind, counts: JobCounts::default(), oldest_due: None };
            let same = |last: &KindCounts| last.queue == new.queue && last.kind == new.kind;
            if !all.last().is_some_and(same) {
                all.push(new);
            }
            if let Some(last) = all.last_mut() {
                *last.counts.of(state) = number;
                last.oldest_due = oldest.map(|at| at.0).or(last.oldest_due);
            }
        }
        Ok(all)
    }

    pub(crate) async fn list_backlogs(&mut self, limit: u32) -> StoreResult<Vec<Backlog>> {
        let list = query_as::<_, (String, Uuid, i64, i64)>(
            "SELECT queue, org_id, count(*), sum(CASE WHEN put_off > 0 THEN 1 ELSE 0 END)
               FROM ws_jobs WHERE state = 'available' AND org_id IS NOT NULL
              GROUP BY queue, org_id ORDER BY count(*) DESC, queue, org_id LIMIT $1",
        )
        .bind(i64::from(limit));
        let rows = self.all("ws_jobs: backlogs", list).await?;
        Ok(rows
            .into_iter()
            .map(|(queue, org, waiting, put_off)| Backlog {
                queue,
                org: org.into(),
                waiting,
                snoozed: put_off,
            })
            .collect())
    }

    pub(crate) async fn list_queues(&mut self) -> StoreResult<Vec<QueueState>> {
        let list = query_as::<_, (String, Option<Ts>)>(
            "SELECT q.name, p.paused_at
               FROM (SELECT queue AS name FROM ws_jobs UNION SELECT name FROM ws_job_queues) AS q
               LEFT JOIN ws_job_queues p ON p.name = q.name
              ORDER BY q.name",
        );
        let rows = self.all("ws_jobs: queues", list).await?;
        Ok(rows
            .into_iter()
            .map(|(name, paused_at)| QueueState { name, paused_at: paused_at.map(|at| at.0) })
            .collect())
    }
}
