//! The outbox: jobs are inserted in the transaction of what they are about, one for each unique key.

use async_trait::async_trait;
use serde_json::{Value, json};
use sqlx::query_as;
use sqlx::types::{Json, Uuid};
use workscribe_core::id::JobId;
use workscribe_core::outbox::{Enqueued, NewJob, Outbox};
use workscribe_core::{StoreError, StoreResult};

use super::{Unit, dialect};

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
        unique.and_then(|unique| unique.keep_until).map(dialect::json_time),
        dialect::json_time(job.run_at),
        dialect::json_time(job.created_at),
        job.org,
        job.run_at <= job.created_at,
    ])
}

impl Unit {
    /// Inserts the jobs whose unique keys are free, and returns their ids.
    async fn insert_jobs(&mut self, jobs: &[&NewJob]) -> StoreResult<Vec<Uuid>> {
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

    /// The jobs that hold these unique keys.
    async fn jobs_of_keys(&mut self, keys: &[&str]) -> StoreResult<Vec<(String, Uuid)>> {
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
    async fn enqueue(&mut self, jobs: &[NewJob]) -> StoreResult<Vec<Enqueued>> {
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
