//! Unassigning the tasks of former members. A job does it in portions when there are many.

use std::time::Duration;

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use crate::app::WorkScribe;
use crate::error::Result;
use crate::id::{OrgId, TaskId, UserId};
use crate::outbox::{Job, JobPriority, UPKEEP_QUEUE};
use crate::storage::{Party, UnitOfWork};
use crate::tenancy::{OrgScope, VacatedOrg};

use super::model::StatusCategory;
use super::record::{Change, Trail, amend};
use super::task::Task;
use super::tasks::Tasks;

/// How many tasks are unassigned in one transaction. A job unassigns the rest.
pub const UNASSIGNED_AT_ONCE: u32 = 100;

/// Unassigns the open tasks of a former member of an organization.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnassignFormer {
    /// The organization.
    pub org_id: OrgId,
    /// The former member.
    pub user_id: UserId,
    /// The user who removed them (they themselves if they left), as the history shows.
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

/// The last task of a portion, in the order of [`TaskStore::open_of`](super::TaskStore::open_of).
type Reached = Option<(Option<NaiveDate>, TaskId)>;

/// The result of a portion.
enum Portion {
    /// There may be more tasks after this one.
    More(Reached),
    /// No task is left.
    Through,
    /// The user is a member again.
    IsBack,
}

/// Unassigns the first tasks of a former member, and leaves the rest to a job. This unit has removed the membership. So it has
/// waited for every write that was assigning a task to the user, and no later write can.
pub(crate) async fn unassign_former(
    app: &WorkScribe,
    uow: &mut dyn UnitOfWork,
    scope: &OrgScope,
    user: UserId,
) -> Result<()> {
    if let Portion::More(_) = portion(app, uow, scope, user, None).await? {
        let job = UnassignFormer { org_id: scope.org(), user_id: user, actor_id: scope.actor() };
        app.enqueue(uow, &job).await?;
    }
    Ok(())
}

impl Tasks<'_> {
    /// Unassigns the remaining open tasks of a former member, in portions with a transaction for each. A repeated call continues
    /// where the previous one ended. The work stops when the user is a member again: they keep the tasks that are still assigned
    /// to them, and those that they get later.
    ///
    /// # Errors
    /// When the storage does not answer.
    pub async fn unassign_former(&self, job: &UnassignFormer) -> Result<()> {
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
) -> Result<Portion> {
    let open = uow.tasks().open_of(scope, user, after, UNASSIGNED_AT_ONCE).await?;
    let mut ids: Vec<TaskId> = open.iter().map(|(_, id)| *id).collect();
    ids.sort_unstable();
    let locked = uow.tasks().lock(scope, &ids).await?;
    // This check needs the locks of the tasks. A task that a returned member got earlier was assigned after they became a member
    // again, so the check finds them. A later assignment waits for the lock and overwrites this one.
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
