use crate::error::{Code, Error, FieldError, Violations};
use crate::events::DomainEvent;
use crate::id::{ProjectId, StatusId};
use crate::limits::{Limit, count};
use crate::storage::UnitOfWork;
use crate::store_error::{Constraint, StoreError};
use crate::tenancy::OrgScope;

use super::history::ActivityAction;
use super::model::{Color, Status, StatusCategory, StatusChange, line};
use super::order::GAP;
use super::projects::Projects;
use super::record::{Change, Trail};

/// What a person enters to make a status.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewStatus {
    /// Its name.
    pub name: String,
    /// What it means.
    pub category: StatusCategory,
    /// Where it goes among the others, from 0; at the end unless given.
    pub position: Option<i64>,
    /// Its colour, as `#rrggbb`.
    pub color: Option<String>,
}

/// The longest name of a status or a label.
pub(super) const NAME_CHARS: usize = Limit::LabelNameCharacters.default_value() as usize;
/// How many tasks are written to the history in one statement.
const BATCH: u32 = 1_000;

impl Projects<'_> {
    /// The statuses of a project, in their order.
    ///
    /// # Errors
    /// `INSUFFICIENT_ROLE`.
    pub async fn statuses(
        &self,
        uow: &mut dyn UnitOfWork,
        scope: &OrgScope,
        project: ProjectId,
    ) -> Result<Vec<Status>, Error> {
        self.view(scope)?;
        Ok(uow.statuses().list(scope, project).await?)
    }

    /// Makes a status. A project has at most [`Limit::StatusesPerProject`].
    ///
    /// # Errors
    /// `INSUFFICIENT_ROLE`, `VALIDATION_FAILED`, `PROJECT_ARCHIVED`, `STATUS_NAME_TAKEN`, `LIMIT_REACHED`.
    pub async fn create_status(
        &self,
        uow: &mut dyn UnitOfWork,
        scope: &OrgScope,
        project: ProjectId,
        new: &NewStatus,
    ) -> Result<Status, Error> {
        self.manage(scope)?;
        let mut violations = Violations::default();
        let name = violations.keep("/name", line(&new.name, NAME_CHARS));
        let color = new.color.as_deref().and_then(|color| violations.keep("/color", Color::parse(color)));
        check_position(&mut violations, new.position);
        violations.into_result()?;
        let name = name.ok_or_else(|| Error::internal("a fault was not noted"))?;
        self.lock_writable(uow, scope, project).await?;
        let others = uow.statuses().list(scope, project).await?;
        self.app.limits().admit(Limit::StatusesPerProject, count(others.len()))?;
        let mut trail = Trail::new(self.app, scope);
        let now = trail.now();
        let status = Status {
            id: self.app.new_id(),
            project_id: project,
            name,
            category: new.category,
            position: others.last().map_or(0, |last| last.position + 1),
            color,
            version: 1,
            created_at: now,
            updated_at: now,
        };
        uow.statuses().insert(scope, &status).await.map_err(name_taken)?;
        let mut order: Vec<StatusId> = others.iter().map(|other| other.id).collect();
        order.insert(index(new.position, order.len()), status.id);
        uow.statuses().arrange(scope, project, &order).await?;
        trail.project(ActivityAction::StatusCreated, project, Change::new(&status.name));
        trail.write(uow).await?;
        let status = self.find_status(uow, scope, project, status.id).await?;
        self.app.announce(uow, scope, &DomainEvent::StatusCreated { status: status.clone() }).await?;
        Ok(status)
    }

    /// Changes a status; `position` moves it among the others.
    ///
    /// # Errors
    /// `INSUFFICIENT_ROLE`, `VALIDATION_FAILED`, `PROJECT_ARCHIVED`, `STATUS_NOT_FOUND`, `STATUS_NAME_TAKEN`, `STALE_VERSION`.
    pub async fn update_status(
        &self,
        uow: &mut dyn UnitOfWork,
        scope: &OrgScope,
        project: ProjectId,
        id: StatusId,
        change: &StatusChange,
        position: Option<i64>,
        expected: Option<i64>,
    ) -> Result<Status, Error> {
        self.manage(scope)?;
        let mut violations = Violations::default();
        let name = change.name.as_deref().and_then(|name| violations.keep("/name", line(name, NAME_CHARS)));
        check_position(&mut violations, position);
        violations.into_result()?;
        self.lock_writable(uow, scope, project).await?;
        let before = self.find_status(uow, scope, project, id).await?;
        if expected.is_some_and(|version| version != before.version) {
            return Err(StoreError::StaleVersion.into());
        }
        let change = StatusChange {
            name: name.filter(|name| *name != before.name),
            category: change.category.filter(|category| *category != before.category),
            color: change.color.clone().filter(|color| *color != before.color),
        };
        let mut trail = Trail::new(self.app, scope);
        if change != StatusChange::default() {
            let update = uow.statuses().update(scope, project, id, &change, expected, trail.now());
            update.await.map_err(name_taken)?.ok_or_else(no_such_status)?;
        }
        if let Some(position) = position {
            let statuses = uow.statuses().list(scope, project).await?;
            let mut order: Vec<StatusId> =
                statuses.iter().map(|status| status.id).filter(|other| *other != id).collect();
            order.insert(index(Some(position), order.len()), id);
            uow.statuses().arrange(scope, project, &order).await?;
        }
        let after = self.find_status(uow, scope, project, id).await?;
        let color = |status: &Status| status.color.as_ref().map(|color| color.as_str().to_owned());
        let fields = [
            ("name", Some(before.name.clone()), Some(after.name.clone())),
            ("category", Some(before.category.as_str().into()), Some(after.category.as_str().into())),
            ("color", color(&before), color(&after)),
            ("position", Some(before.position.to_string()), Some(after.position.to_string())),
        ];
        for (field, old, new) in fields.into_iter().filter(|(_, old, new)| old != new) {
            trail.project(ActivityAction::StatusUpdated, project, Change::of(field, old, new));
        }
        trail.write(uow).await?;
        if after != before {
            self.app.announce(uow, scope, &DomainEvent::StatusUpdated { status: after.clone() }).await?;
        }
        Ok(after)
    }

    /// Removes a status. Tasks that stand in it go to the end of `move_to`, in their order.
    ///
    /// # Errors
    /// `INSUFFICIENT_ROLE`, `PROJECT_ARCHIVED`, `STATUS_NOT_FOUND`, `STATUS_IN_USE` when tasks stand in it and `move_to` is not
    /// given, `VALIDATION_FAILED` when `move_to` is no other status of the project, `LAST_STATUS`, `STALE_VERSION`.
    pub async fn delete_status(
        &self,
        uow: &mut dyn UnitOfWork,
        scope: &OrgScope,
        project: ProjectId,
        id: StatusId,
        move_to: Option<StatusId>,
        expected: Option<i64>,
    ) -> Result<(), Error> {
        self.manage(scope)?;
        self.lock_writable(uow, scope, project).await?;
        let statuses = uow.statuses().list(scope, project).await?;
        let status = statuses.iter().find(|status| status.id == id).ok_or_else(no_such_status)?;
        if statuses.len() == 1 {
            return Err(Error::new(Code::LastStatus, "A project needs a status. Make another one first."));
        }
        let target = match move_to {
            None => None,
            Some(to) => {
                Some(statuses.iter().find(|status| status.id == to && to != id).ok_or_else(|| {
                    Error::invalid(vec![FieldError {
                        pointer: "/query/move_to".into(),
                        code: "NOT_FOUND",
                        message: "Name another status of this project.".into(),
                    }])
                })?)
            }
        };
        let mut trail = Trail::new(self.app, scope);
        let in_use = !uow.tasks().in_status(scope, project, id, None, 1).await?.is_empty();
        if in_use {
            let target = target.ok_or_else(|| {
                Error::new(
                    Code::StatusInUse,
                    "Tasks have this status. Say with move_to which status they are to have.",
                )
            })?;
            self.move_all(uow, scope, status, target).await?;
        }
        if !uow.statuses().delete(scope, project, id, expected).await? {
            return Err(no_such_status());
        }
        let order: Vec<StatusId> =
            statuses.iter().map(|status| status.id).filter(|other| *other != id).collect();
        uow.statuses().arrange(scope, project, &order).await?;
        trail.project(ActivityAction::StatusDeleted, project, Change::old(&status.name));
        trail.write(uow).await?;
        let moved_to = target.filter(|_| in_use).map(|target| target.id);
        let event = DomainEvent::StatusDeleted { status: status.clone(), moved_to };
        self.app.announce(uow, scope, &event).await
    }

    /// Moves all tasks of a status to the end of another, and writes a line of the history for each.
    async fn move_all(
        &self,
        uow: &mut dyn UnitOfWork,
        scope: &OrgScope,
        from: &Status,
        to: &Status,
    ) -> Result<(), Error> {
        let project = from.project_id;
        let mut after = None;
        loop {
            let ids = uow.tasks().in_status(scope, project, from.id, after, BATCH).await?;
            let mut trail = Trail::new(self.app, scope);
            for id in &ids {
                let change = Change::of("status_id", Some(from.name.clone()), Some(to.name.clone()));
                trail.task(ActivityAction::TaskUpdated, project, *id, change);
            }
            trail.write(uow).await?;
            after = ids.last().copied();
            if ids.len() < BATCH as usize {
                break;
            }
        }
        let gone = super::projects::no_such_project;
        let end = uow.projects().advance_position(scope, project, 0).await?.ok_or_else(gone)?;
        let now = self.app.now();
        if let Some(last) = uow.tasks().move_column(scope, project, from.id, to.id, end, now).await? {
            uow.projects().advance_position(scope, project, last - end + GAP).await?;
        }
        Ok(())
    }

    async fn find_status(
        &self,
        uow: &mut dyn UnitOfWork,
        scope: &OrgScope,
        project: ProjectId,
        id: StatusId,
    ) -> Result<Status, Error> {
        uow.statuses().find(scope, project, id).await?.ok_or_else(no_such_status)
    }
}

fn check_position(violations: &mut Violations, position: Option<i64>) {
    if position.is_some_and(|position| position < 0) {
        violations.add("/position", "OUT_OF_RANGE", "Positions are counted from 0.");
    }
}

/// A place among `len` others: the end unless given, and for what is past it.
fn index(position: Option<i64>, len: usize) -> usize {
    position.and_then(|position| usize::try_from(position).ok()).unwrap_or(len).min(len)
}

fn name_taken(error: StoreError) -> Error {
    match error {
        StoreError::Conflict { constraint: Constraint::StatusName } => {
            Error::new(Code::StatusNameTaken, "Another status of this project has this name. Choose another.")
        }
        other => other.into(),
    }
}

fn no_such_status() -> Error {
    Error::new(Code::StatusNotFound, "This project has no status with this id.")
}
