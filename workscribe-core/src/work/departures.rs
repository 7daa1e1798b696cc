//! Tasks of somebody who has left: taken from them in portions, by a job where they are many.

use std::time::Duration;

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use crate::app::WorkScribe;
use crate::error::Error;
use crate::id::{OrgId, TaskId, UserId};
use crate::outbox::{Job, JobPriority, UPKEEP_QUEUE};
use crate::storage::{Party, UnitOfWork};
use crate::tenancy::{OrgScope, VacatedOrg};

use super::model::StatusCategory;
use super::record::{Change, Trail, amend};
use super::task::Task;
use super::tasks::Tasks;

/// How many tasks are taken from somebody in one transaction; what is more than that goes by a job.
pub const UNASSIGNED_AT_ONCE: u32 = 100;

/// Takes the open tasks from somebody who has left an organization.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnassignFormer {
    /// Which organization.
    pub org_id: OrgId,
    /// From whom.
    pub user_id: UserId,
    /// Who removed them, or they themselves: the history says so.
    pub actor_id: UserId,
}

impl Job for UnassignFormer {
    const KIND: &'static str = "member.unassign";
    const QUEUE: &'static str = UPKEEP_QUEUE;
    const PRIORITY: JobPriority = JobPriority::LOW;
    const TIMEOUT: Option<Duration> = Some(Duration::from_secs(60 * 60));

    fn org(&self) -> Option<OrgId> {
        Some(self.org_id)
    }
}

/// Where a portion ended, in the order of [`TaskStore::open_of`](super::TaskStore::open_of).
type Reached = Option<(Option<NaiveDate>, TaskId)>;

/// What came of a portion.
enum Portion {
    /// There may be more behind this one.
    More(Reached),
    /// Nothing is left.
    Through,
    /// They are a member again.
    IsBack,
}

/// Takes the first of a former member's tasks from them, and leaves the rest to a job. The membership was removed in this unit, so
/// whoever gave them a task a moment ago has been waited for, and nobody gives them one any more.
pub(crate) async fn unassign_former(
    app: &WorkScribe,
    uow: &mut dyn UnitOfWork,
    scope: &OrgScope,
    user: UserId,
) -> Result<(), Error> {
    if let Portion::More(_) = portion(app, uow, scope, user, None).await? {
        let job = UnassignFormer { org_id: scope.org(), user_id: user, actor_id: scope.actor() };
        app.enqueue(uow, &job).await?;
    }
    Ok(())
}

impl Tasks<'_> {
    /// Takes the rest of a former member's open tasks from them, in portions, each in a transaction of its own. Done again it goes on
    /// where it was. It ends as soon as they are a member again: what was not taken from them by then stays theirs, and so does what
    /// they are given from then on.
    ///
    /// # Errors
    /// When the storage does not answer.
    pub async fn unassign_former(&self, job: &UnassignFormer) -> Result<(), Error> {
        let scope = OrgScope::of_begun_work(job.org_id, job.actor_id);
        let mut reached = None;
        loop {
            let mut uow = self.app.begin().await?;
            uow.on_behalf_of(Party::Organization(job.org_id));
            if VacatedOrg::enter(&mut *uow, job.org_id).await?.is_some() {
                return Ok(());
            }
            match portion(self.app, &mut *uow, &scope, job.user_id, reached).await? {
                Portion::More(last) => reached = last,
                Portion::Through => return self.app.commit(uow).await,
                Portion::IsBack => return Ok(()),
            }
            self.app.commit(uow).await?;
        }
    }
}

async fn portion(
    app: &WorkScribe,
    uow: &mut dyn UnitOfWork,
    scope: &OrgScope,
    user: UserId,
    after: Reached,
) -> Result<Portion, Error> {
    let open = uow.tasks().open_of(scope, user, after, UNASSIGNED_AT_ONCE).await?;
    let mut ids: Vec<TaskId> = open.iter().map(|(_, id)| *id).collect();
    ids.sort_unstable();
    let locked = uow.tasks().lock(scope, &ids).await?;
    // Asked under the tasks' locks: whoever gave one of them to somebody who is back did so before, and then this sees them back, or
    // waits for the lock, and then theirs is the last word.
    if uow.members().find(scope, user).await?.is_some() {
        return Ok(Portion::IsBack);
    }
    let mut trail = Trail::of_scope(app, scope);
    let is_theirs = |task: &Task| {
        task.assignee.as_ref().is_some_and(|person| person.id == user)
            && task.status.category != StatusCategory::Done
    };
    for task in locked.into_iter().filter(is_theirs) {
        let name = task.assignee.as_ref().map(|person| person.display_name.clone());
        let after = Task { assignee: None, ..task.clone() };
        amend(uow, &mut trail, task, after, Change::of("assignee_id", name, None)).await?;
    }
    trail.write(uow).await?;
    let is_full = open.len() >= UNASSIGNED_AT_ONCE as usize;
    Ok(if is_full { Portion::More(open.last().copied()) } else { Portion::Through })
}
