//! Removes expired rows. Each kind of rows is removed by itself, in portions, with a transaction for each portion. So other writers
//! can write in between, and when one kind cannot be removed, the others still are. Where rows may be large, their bytes bound a
//! portion too.

use chrono::TimeDelta;

use crate::app::WorkScribe;
use crate::clock::Timestamp;
use crate::error::Result;

pub use crate::portion::Portion;

/// How much a sweep removes in one transaction.
pub const SWEPT_AT_ONCE: Portion = Portion::of(1_000);
/// How long an invitation that nobody accepted is stored after its end.
const INVITATIONS_KEPT: TimeDelta = TimeDelta::days(30);
/// How long an address is marked as one that refuses mail, unless it accepts mail earlier: mailboxes can start to work again.
const BOUNCES_KEPT: TimeDelta = TimeDelta::days(180);
/// How long the network of a login is stored after the last login, in addition to the time that the rule for delays needs.
const NETWORKS_KEPT: TimeDelta = TimeDelta::days(1);
/// How long the deliveries of webhooks are stored.
const DELIVERIES_KEPT: TimeDelta = TimeDelta::days(30);
/// How long a completed or cancelled job is stored.
const JOBS_KEPT: TimeDelta = TimeDelta::days(1);
/// How long a buried job is stored.
const BURIED_KEPT: TimeDelta = TimeDelta::days(7);

/// A kind of rows that expire.
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
    /// Messages of webhooks come after their deliveries, since a delivery refers to its message.
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
    /// Removes expired rows: sessions, tokens, idempotency keys, failed logins, old notifications and marks of addresses,
    /// deliveries and messages of webhooks, invitations that nobody accepted, ended jobs. Call it regularly.
    ///
    /// # Errors
    /// When the storage does not answer, or one kind cannot be removed. The other kinds are still removed.
    pub async fn sweep(&self) -> Result<u64> {
        let now = self.now();
        let (mut removed, mut failed) = (0, None);
        for old in Old::ALL {
            match self.sweep_in_portions(old, now).await {
                Ok(rows) => removed += rows,
                Err(error) => {
                    tracing::error!(
                        ?error,
                        ?old,
                        "expired rows could not be removed; the next sweep tries again"
                    );
                    failed = Some(error);
                }
            }
        }
        self.webhooks().reseal().await?;
        failed.map_or(Ok(removed), Err)
    }

    /// Removes rows until none are left.
    async fn sweep_in_portions(&self, old: Old, now: Timestamp) -> Result<u64> {
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
