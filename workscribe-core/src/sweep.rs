//! Removing what has had its time: each sort of rows by itself, in portions, each in a transaction of its own. So the writer is given
//! back between them, and where one sort cannot be removed the others are.

use chrono::TimeDelta;

use crate::app::WorkScribe;
use crate::clock::Timestamp;
use crate::error::Error;

/// How many small rows are removed in one transaction.
pub const SWEPT_AT_ONCE: u32 = 1_000;
/// How many rows that may be large are: kept answers, which may have a megabyte each.
pub const LARGE_SWEPT_AT_ONCE: u32 = 50;
/// How long an invitation that came to nothing is kept after its end.
const INVITATIONS_KEPT: TimeDelta = TimeDelta::days(30);
/// How long an address is taken for one that refuses mail, unless it shows otherwise: mailboxes come back.
const BOUNCES_KEPT: TimeDelta = TimeDelta::days(180);
/// How long the network of a login is kept after the last one, beyond what a rule for delays asks for.
const NETWORKS_KEPT: TimeDelta = TimeDelta::days(1);
/// How long the deliveries of webhooks are kept.
const DELIVERIES_KEPT: TimeDelta = TimeDelta::days(30);
/// How long a job is kept that is done or was cancelled.
const JOBS_KEPT: TimeDelta = TimeDelta::days(1);
/// How long a buried job is kept.
const BURIED_KEPT: TimeDelta = TimeDelta::days(7);

/// A sort of rows that have their time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Old {
    Tokens,
    Answers,
    FailedLogins,
    Networks,
    Notifications,
    Bounces,
    Deliveries,
    Invitations,
    Jobs,
}

impl Old {
    const ALL: [Self; 9] = [
        Self::Tokens,
        Self::Answers,
        Self::FailedLogins,
        Self::Networks,
        Self::Notifications,
        Self::Bounces,
        Self::Deliveries,
        Self::Invitations,
        Self::Jobs,
    ];

    const fn rows_at_once(self) -> u32 {
        match self {
            Self::Answers => LARGE_SWEPT_AT_ONCE,
            _ => SWEPT_AT_ONCE,
        }
    }
}

impl WorkScribe {
    /// Removes what has expired: sessions, tokens, idempotency keys, forgotten failures, old notifications and marks of addresses,
    /// deliveries of webhooks, invitations that came to nothing, finished jobs. To be called now and then.
    ///
    /// # Errors
    /// When the storage does not answer, or cannot remove some sort of them; the other sorts are removed all the same.
    pub async fn sweep(&self) -> Result<u64, Error> {
        let now = self.now();
        let (mut removed, mut failed) = (0, None);
        for old in Old::ALL {
            match self.sweep_in_portions(old, now).await {
                Ok(rows) => removed += rows,
                Err(error) => {
                    tracing::error!(
                        ?error,
                        ?old,
                        "rows that have had their time could not be removed; the next sweep tries again"
                    );
                    failed = Some(error);
                }
            }
        }
        self.webhooks().reseal().await?;
        failed.map_or(Ok(removed), Err)
    }

    /// Removes rows until fewer are found than were asked for.
    async fn sweep_in_portions(&self, old: Old, now: Timestamp) -> Result<u64, Error> {
        let (mut removed, rows) = (0, old.rows_at_once());
        loop {
            let mut uow = self.begin().await?;
            let portion = match old {
                Old::Tokens => uow.tokens().sweep(now, rows).await?,
                Old::Answers => uow.idempotency().sweep(now, rows).await?,
                Old::FailedLogins => {
                    uow.attempts().sweep(now - self.settings().login_delay.forget_after, rows).await?
                }
                Old::Networks => {
                    let kept = self.settings().login_delay.known_for + NETWORKS_KEPT;
                    uow.attempts().sweep_networks(now - kept, rows).await?
                }
                Old::Notifications => {
                    uow.notifications().sweep(now - self.settings().notification_ttl, rows).await?
                }
                Old::Bounces => uow.bounces().sweep(now - BOUNCES_KEPT, rows).await?,
                Old::Deliveries => uow.webhooks().sweep(now - DELIVERIES_KEPT, rows).await?,
                Old::Invitations => uow.invitations().sweep(now - INVITATIONS_KEPT, rows).await?,
                Old::Jobs => uow.jobs().sweep(now - JOBS_KEPT, now - BURIED_KEPT, rows).await?,
            };
            self.commit(uow).await?;
            removed += portion;
            if portion < u64::from(rows) {
                return Ok(removed);
            }
        }
    }
}
