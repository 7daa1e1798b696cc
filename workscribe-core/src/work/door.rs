//! The doors to a project and to a task: one look-up of it and of the caller's membership.

use crate::error::{Code, Error};
use crate::id::{TaskId, UserId};
use crate::storage::{Party, UnitOfWork};
use crate::tenancy::{OrgScope, Slug, no_such_organization};

use super::model::{Project, ProjectRef};
use super::store::Entered;
use super::task::Task;

impl OrgScope {
    /// The door to a project: looks the membership and the project up, in one statement.
    ///
    /// # Errors
    /// `ORGANIZATION_NOT_FOUND` as above, and `PROJECT_NOT_FOUND` for a project that the organization does not have.
    pub async fn enter_project(
        uow: &mut dyn UnitOfWork,
        slug: &str,
        project: &str,
        actor: UserId,
    ) -> Result<(Self, Entered<Project>), Error> {
        let no_such_project =
            || Error::new(Code::ProjectNotFound, "This organization has no project with this id or key.");
        let Some(project) = ProjectRef::parse(project) else {
            Self::enter(uow, slug, actor).await?;
            return Err(no_such_project());
        };
        let entered = match Slug::existing(slug) {
            Some(slug) => uow.projects().enter(&slug, actor, &project).await?,
            None => None,
        };
        let Entered { org, role, actor: person, found } = entered.ok_or_else(no_such_organization)?;
        uow.on_behalf_of(Party::Organization(org));
        let found = found.ok_or_else(no_such_project)?;
        Ok((Self::of_member(org, actor, role), Entered { org, role, actor: person, found }))
    }

    /// The door to a task, by its id alone: looks the task and the membership up, in one statement.
    ///
    /// # Errors
    /// `TASK_NOT_FOUND`, the same for an outsider as for an id that nothing has.
    pub async fn enter_task(
        uow: &mut dyn UnitOfWork,
        task: &str,
        actor: UserId,
    ) -> Result<(Self, Entered<Task>), Error> {
        let entered = match task.parse::<TaskId>() {
            Ok(task) => uow.tasks().enter(actor, task).await?,
            Err(_) => None,
        };
        let entered = entered.ok_or_else(|| {
            Error::new(Code::TaskNotFound, "There is no task with this id in your organizations.")
        })?;
        uow.on_behalf_of(Party::Organization(entered.org));
        Ok((Self::of_member(entered.org, actor, entered.role), entered))
    }
}
