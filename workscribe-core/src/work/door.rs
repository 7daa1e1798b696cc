//! The doors to a project and to a task. Each looks up the thing together with the caller's membership.

use crate::error::{Code, Error, Result};
use crate::id::{TaskId, UserId};
use crate::storage::{Party, UnitOfWork};
use crate::tenancy::{In, OrgScope, Slug, no_such_organization};

use super::model::{Project, ProjectRef};
use super::store::Entered;
use super::task::Task;

impl<T> Entered<T> {
    /// The result of the door for `user`. It also sets the party for which the unit works.
    fn through(self, uow: &mut dyn UnitOfWork, user: UserId) -> In<T> {
        uow.on_behalf_of(Party::Organization(self.org));
        In::new(OrgScope::of_member(self.org, user, self.role), Some(self.actor), self.found)
    }
}

impl In<Project> {
    /// The door to a project. It looks up the membership and the project in one statement.
    ///
    /// # Errors
    /// `ORGANIZATION_NOT_FOUND` for an unknown slug, and equally when the caller is not a member; `PROJECT_NOT_FOUND` when the
    /// organization does not have the project.
    pub async fn project(uow: &mut dyn UnitOfWork, slug: &str, project: &str, user: UserId) -> Result<Self> {
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
    /// The door to a task by its id. It looks up the task and the membership in one statement.
    ///
    /// # Errors
    /// `TASK_NOT_FOUND` for an unknown id, and equally when the caller is not a member.
    pub async fn task(uow: &mut dyn UnitOfWork, task: &str, user: UserId) -> Result<Self> {
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
