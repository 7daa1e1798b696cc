//! The doors to a project and to a task: one look-up of it and of the caller's membership.

use crate::error::{Code, Error};
use crate::id::{TaskId, UserId};
use crate::storage::{Party, UnitOfWork};
use crate::tenancy::{In, OrgScope, Slug, no_such_organization};

use super::model::{Project, ProjectRef};
use super::store::Entered;
use super::task::Task;

impl<T> Entered<T> {
    /// What the door of `user` answers, and for whom the unit works from now on.
    fn through(self, uow: &mut dyn UnitOfWork, user: UserId) -> In<T> {
        uow.on_behalf_of(Party::Organization(self.org));
        In::new(OrgScope::of_member(self.org, user, self.role), Some(self.actor), self.found)
    }
}

impl In<Project> {
    /// The door to a project: looks the membership and the project up, in one statement.
    ///
    /// # Errors
    /// `ORGANIZATION_NOT_FOUND`, the same for an outsider as for a slug that nobody has, and `PROJECT_NOT_FOUND` for a project that
    /// the organization does not have.
    pub async fn project(
        uow: &mut dyn UnitOfWork,
        slug: &str,
        project: &str,
        user: UserId,
    ) -> Result<Self, Error> {
        let no_such_project =
            || Error::new(Code::ProjectNotFound, "This organization has no project with this id or key.");
        let Some(project) = ProjectRef::parse(project) else {
            In::organization(uow, slug, user).await?;
            return Err(no_such_project());
        };
        let entered = match Slug::existing(slug) {
            Some(slug) => uow.projects().enter(&slug, user, &project).await?,
            None => None,
        };
        entered.ok_or_else(no_such_organization)?.through(uow, user).transpose().ok_or_else(no_such_project)
    }
}

impl In<Task> {
    /// The door to a task, by its id alone: looks the task and the membership up, in one statement.
    ///
    /// # Errors
    /// `TASK_NOT_FOUND`, the same for an outsider as for an id that nothing has.
    pub async fn task(uow: &mut dyn UnitOfWork, task: &str, user: UserId) -> Result<Self, Error> {
        let entered = match task.parse::<TaskId>() {
            Ok(task) => uow.tasks().enter(user, task).await?,
            Err(_) => None,
        };
        let entered = entered.ok_or_else(|| {
            Error::new(Code::TaskNotFound, "There is no task with this id in your organizations.")
        })?;
        Ok(entered.through(uow, user))
    }
}
