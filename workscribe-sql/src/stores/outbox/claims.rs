//! Which jobs a worker claims: the due ones, by priority, and in each priority in turns of their organizations.

use serde_json::Value;
use sqlx::types::{Json, Uuid};
use sqlx::{FromRow, query, query_as};
use workscribe_core::clock::Timestamp;
use workscribe_core::id::OrgId;
use workscribe_core::outbox::{Claim, ClaimedJob};
use workscribe_core::{StoreError, StoreResult};

use super::bind::BindAll as _;
use super::job_records::{attempts, duration};
use super::{Ts, Unit};

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

    fn try_from(row: ClaimedRow) -> StoreResult<Self> {
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

impl Unit {
    /// Claims due jobs, by priority and in turns of their organizations.
    pub(super) async fn claim_jobs(&mut self, claim: &Claim<'_>) -> StoreResult<Vec<ClaimedJob>> {
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

    /// Marks the jobs of a queue that have become due, earliest first, so that they take part in the turns.
    async fn mark_due(&mut self, claim: &Claim<'_>) -> StoreResult<()> {
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

    /// When the next job is due, or the next lease ends.
    pub(super) async fn next_due_job(
        &mut self,
        queue: &str,
        kinds: &[&str],
    ) -> StoreResult<Option<Timestamp>> {
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
}
