//! Addresses that refused a mail.

use async_trait::async_trait;
use sqlx::types::Uuid;
use sqlx::{FromRow, query, query_as};
use workscribe_core::StoreResult;
use workscribe_core::clock::Timestamp;
use workscribe_core::identity::{Bounce, BounceStore, Email};

use super::bind::BindAll as _;
use super::{Ts, Unit, storable};

#[derive(FromRow)]
struct BounceRow {
    email: String,
    reason: String,
    job_id: Option<Uuid>,
    bounced_at: Ts,
}

impl From<BounceRow> for Bounce {
    fn from(row: BounceRow) -> Self {
        Self {
            email: Email::from_stored(row.email),
            reason: row.reason,
            job: row.job_id.map(Into::into),
            bounced_at: row.bounced_at.0,
        }
    }
}

#[async_trait]
impl BounceStore for Unit {
    async fn note(&mut self, bounce: &Bounce) -> StoreResult<()> {
        let upsert = query(
            "INSERT INTO ws_email_bounces (email, reason, job_id, bounced_at) VALUES ($1, $2, $3, $4)
             ON CONFLICT (email) DO UPDATE
                SET reason = excluded.reason, job_id = excluded.job_id, bounced_at = excluded.bounced_at",
        )
        .bind_all((
            bounce.email.as_str(),
            storable(&bounce.reason),
            bounce.job.map(|job| job.as_uuid()),
            bounce.bounced_at,
        ));
        self.execute("ws_email_bounces: note", upsert).await?;
        Ok(())
    }

    async fn find(&mut self, email: &Email) -> StoreResult<Option<Bounce>> {
        let find = query_as::<_, BounceRow>(
            "SELECT email, reason, job_id, bounced_at FROM ws_email_bounces WHERE email = $1",
        )
        .bind(email.as_str());
        Ok(self.optional("ws_email_bounces: find", find).await?.map(Bounce::from))
    }

    async fn clear(&mut self, email: &Email) -> StoreResult<bool> {
        let delete = query("DELETE FROM ws_email_bounces WHERE email = $1").bind(email.as_str());
        Ok(self.execute("ws_email_bounces: clear", delete).await? > 0)
    }

    async fn sweep(&mut self, before: Timestamp, limit: u32) -> StoreResult<u64> {
        let delete = query(concat!(
            "DELETE FROM ws_email_bounces WHERE bounced_at < $1 AND email ",
            any_of!(
                "(SELECT email FROM ws_email_bounces WHERE bounced_at < $1 ORDER BY bounced_at LIMIT $2)"
            )
        ))
        .bind_all((before, limit));
        self.execute("ws_email_bounces: sweep", delete).await
    }
}
