//! Removing what has had its time: each sort of rows by itself, in portions, each in a transaction of its own. So the writer is given
//! back between them, and where one sort cannot be removed the others are. Where rows may be large, a portion is bounded by their bytes
//! too.

use chrono::TimeDelta;

use crate::app::WorkScribe;
use crate::clock::Timestamp;
use crate::error::Error;

pub use crate::portion::Portion;

/// How much a sweep removes in one transaction.
pub const SWEPT_AT_ONCE: Portion = Portion::of(1_000);
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
    Messages,
    Invitations,
    Jobs,
}

impl Old {
    /// Messages of webhooks come after their deliveries, since those keep them.
    const ALL: [Self; 10] = [
        Self::Tokens,
        Self::Answers,
        Self::FailedLogins,
        Self::Networks,
        Self::Notifications,
        Self::Bounces,
        Self::Deliveries,
        Self::Messages,
        Self::Invitations,
        Self::Jobs,
    ];
}

impl WorkScribe {
    /// Removes what has expired: sessions, tokens, idempotency keys, forgotten failures, old notifications and marks of addresses,
    /// deliveries and messages of webhooks, invitations that came to nothing, finished jobs. To be called now and then.
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

    /// Removes rows until none are found.
    async fn sweep_in_portions(&self, old: Old, now: Timestamp) -> Result<u64, Error> {
        let (mut removed, Portion { rows, .. }) = (0, SWEPT_AT_ONCE);
        loop {
            let mut uow = self.begin().await?;
            let portion = match old {
                Old::Tokens => uow.tokens().sweep(now, rows).await?,
                Old::Answers => uow.idempotency().sweep(now, SWEPT_AT_ONCE).await?,
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
                Old::Messages => uow.webhooks().sweep_messages(now - DELIVERIES_KEPT, SWEPT_AT_ONCE).await?,
                Old::Invitations => uow.invitations().sweep(now - INVITATIONS_KEPT, rows).await?,
                Old::Jobs => uow.jobs().sweep(now - JOBS_KEPT, now - BURIED_KEPT, SWEPT_AT_ONCE).await?,
            };
            self.commit(uow).await?;
            removed += portion;
            if portion == 0 {
                return Ok(removed);
            }
        }
    }
}
