use async_trait::async_trait;
use sqlx::types::{Json, Uuid};
use sqlx::{FromRow, query, query_as};
use workscribe_core::StoreError;
use workscribe_core::clock::Timestamp;
use workscribe_core::id::JobId;
use workscribe_core::outbox::{ClaimedJob, JobCounts, JobStore, NewJob, Outbox};

use super::{Ts, Unit, corrupt, storable};

#[derive(FromRow)]
struct ClaimedRow {
    id: Uuid,
    kind: String,
    payload: Json<serde_json::Value>,
    attempt: i64,
    max_attempts: i64,
    run_at: Ts,
    created_at: Ts,
}

impl TryFrom<ClaimedRow> for ClaimedJob {
    type Error = StoreError;

    fn try_from(row: ClaimedRow) -> Result<Self, StoreError> {
        let count = |column: &str, value: i64| {
            u32::try_from(value).map_err(|_| corrupt("ws_jobs", format!("{column} is {value}")))
        };
        Ok(Self {
            id: row.id.into(),
            kind: row.kind,
            payload: row.payload.0,
            attempt: count("attempt", row.attempt)?,
            max_attempts: count("max_attempts", row.max_attempts)?,
            created_at: row.created_at.0,
        })
    }
}

#[async_trait]
impl Outbox for Unit {
    async fn enqueue(&mut self, job: &NewJob) -> Result<(), StoreError> {
        let insert = query(
            "INSERT INTO ws_jobs (id, kind, payload, state, attempt, max_attempts, run_at, created_at)
             VALUES ($1, $2, $3, 'available', 0, $4, $5, $6)",
        )
        .bind(job.id.as_uuid())
        .bind(job.kind.as_ref())
        .bind(Json(&job.payload))
        .bind(i64::from(job.max_attempts))
        .bind(Ts(job.run_at))
        .bind(Ts(job.created_at));
        self.execute("ws_jobs: enqueue", insert).await?;
        self.enqueued = true;
        Ok(())
    }
}

#[async_trait]
impl JobStore for Unit {
    async fn claim(
        &mut self,
        kinds: &[&str],
        limit: u32,
        now: Timestamp,
        lease_until: Timestamp,
    ) -> Result<Vec<ClaimedJob>, StoreError> {
        // Each half walks its own index in order and stops at the limit; one condition with OR would sort the whole
        // backlog. Both together may lock twice the limit; what is not taken is free again at the commit.
        let claim = query_as::<_, ClaimedRow>(concat!(
            "WITH lost AS (
                 SELECT id FROM ws_jobs
                  WHERE state = 'running' AND lease_until <= $3 AND kind IN ",
            texts_of!("$1"),
            "     ORDER BY lease_until, id LIMIT $2",
            skip_locked!(),
            "), due AS (
                 SELECT id FROM ws_jobs
                  WHERE state = 'available' AND run_at <= $3 AND kind IN ",
            texts_of!("$1"),
            "     ORDER BY run_at, id LIMIT $2",
            skip_locked!(),
            ")
             UPDATE ws_jobs SET state = 'running', attempt = attempt + 1, lease_until = $4
              WHERE id IN (SELECT id FROM lost UNION ALL SELECT id FROM due LIMIT $2)
             RETURNING id, kind, payload, attempt, max_attempts, run_at, created_at"
        ))
        .bind(Json(kinds))
        .bind(i64::from(limit))
        .bind(Ts(now))
        .bind(Ts(lease_until));
        let mut claimed = self.all("ws_jobs: claim", claim).await?;
        claimed.sort_by_key(|row| (row.run_at.0, row.id));
        claimed.into_iter().map(ClaimedJob::try_from).collect()
    }

    async fn extend(&mut self, id: JobId, attempt: u32, lease_until: Timestamp) -> Result<bool, StoreError> {
        let update =
            query("UPDATE ws_jobs SET lease_until = $3 WHERE id = $1 AND attempt = $2 AND state = 'running'")
                .bind(id.as_uuid())
                .bind(i64::from(attempt))
                .bind(Ts(lease_until));
        Ok(self.execute("ws_jobs: extend", update).await? > 0)
    }

    async fn complete(&mut self, id: JobId, attempt: u32, now: Timestamp) -> Result<bool, StoreError> {
        let update = query(
            "UPDATE ws_jobs SET state = 'completed', finished_at = $3, lease_until = NULL
              WHERE id = $1 AND attempt = $2 AND state = 'running'",
        )
        .bind(id.as_uuid())
        .bind(i64::from(attempt))
        .bind(Ts(now));
        Ok(self.execute("ws_jobs: complete", update).await? > 0)
    }

    async fn retry(
        &mut self,
        id: JobId,
        attempt: u32,
        run_at: Timestamp,
        error: &str,
    ) -> Result<bool, StoreError> {
        let update = query(
            "UPDATE ws_jobs SET state = 'available', run_at = $3, last_error = $4, lease_until = NULL
              WHERE id = $1 AND attempt = $2 AND state = 'running'",
        )
        .bind(id.as_uuid())
        .bind(i64::from(attempt))
        .bind(Ts(run_at))
        .bind(storable(error));
        Ok(self.execute("ws_jobs: retry", update).await? > 0)
    }

    async fn bury(
        &mut self,
        id: JobId,
        attempt: u32,
        now: Timestamp,
        error: &str,
    ) -> Result<bool, StoreError> {
        let update = query(
            "UPDATE ws_jobs SET state = 'buried', finished_at = $3, last_error = $4, lease_until = NULL
              WHERE id = $1 AND attempt = $2 AND state = 'running'",
        )
        .bind(id.as_uuid())
        .bind(i64::from(attempt))
        .bind(Ts(now))
        .bind(storable(error));
        Ok(self.execute("ws_jobs: bury", update).await? > 0)
    }

    async fn next_due(&mut self, kinds: &[&str]) -> Result<Option<Timestamp>, StoreError> {
        let next = query_as::<_, (Option<Ts>,)>(concat!(
            "SELECT min(at) FROM (
                 SELECT at FROM (SELECT run_at AS at FROM ws_jobs WHERE state = 'available' AND kind IN ",
            texts_of!("$1"),
            "                     ORDER BY run_at LIMIT 1) AS due
                 UNION ALL
                 SELECT at FROM (SELECT lease_until AS at FROM ws_jobs WHERE state = 'running' AND kind IN ",
            texts_of!("$1"),
            "                     ORDER BY lease_until LIMIT 1) AS lost
             ) AS either"
        ))
        .bind(Json(kinds));
        Ok(self.one("ws_jobs: next due", next).await?.0.map(|at| at.0))
    }

    async fn counts(&mut self) -> Result<JobCounts, StoreError> {
        let count = query_as::<_, (String, i64)>("SELECT state, count(*) FROM ws_jobs GROUP BY state");
        let mut counts = JobCounts::default();
        for (state, number) in self.all("ws_jobs: counts", count).await? {
            match state.as_str() {
                "available" => counts.available = number,
                "running" => counts.running = number,
                "completed" => counts.completed = number,
                "buried" => counts.buried = number,
                other => return Err(corrupt("ws_jobs", format!("state is {other:?}"))),
            }
        }
        Ok(counts)
    }

    async fn sweep(
        &mut self,
        completed_before: Timestamp,
        buried_before: Timestamp,
    ) -> Result<u64, StoreError> {
        let delete = query(
            "DELETE FROM ws_jobs
              WHERE (state = 'completed' AND finished_at < $1) OR (state = 'buried' AND finished_at < $2)",
        )
        .bind(Ts(completed_before))
        .bind(Ts(buried_before));
        self.execute("ws_jobs: sweep", delete).await
    }
}
