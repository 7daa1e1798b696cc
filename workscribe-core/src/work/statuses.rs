//! The statuses of a project, which admins manage.

use crate::error::{Code, Error, FieldError, Result, Violations};
use crate::events::{DomainEvent, EventKind};
use crate::id::StatusId;
use crate::limits::{Limit, count};
use crate::storage::UnitOfWork;
use crate::store_error::{Constraint, StoreError};
use crate::target::{Target, expect_version};
use crate::tenancy::In;

use super::board::ColumnMove;
use super::model::{Color, Project, Status, StatusCategory, StatusChange, single_line};
use super::order::GAP;
use super::projects::{Projects, no_such_project};
use super::record::Change;

/// The input of a new status.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewStatus {
    /// Its name.
    pub name: String,
    /// Its meaning.
    pub category: StatusCategory,
    /// Its position among the others, from 0; `None` for the end.
    pub position: Option<i64>,
    /// Its colour, as `#rrggbb`.
    pub color: Option<String>,
}

/// The input of a change of a status. `None` leaves a field unchanged.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StatusEdit {
    /// Its name.
    pub name: Option<String>,
    /// Its meaning.
    pub category: Option<StatusCategory>,
    /// Its colour, as `#rrggbb`; `Some(None)` removes it.
    pub color: Option<Option<String>>,
    /// Its position among the others, from 0.
    pub position: Option<i64>,
}

/// The maximum length of the name of a status or a label, in characters.
pub(super) const NAME_CHARS: usize = Limit::LabelNameCharacters.default_value() as usize;
/// How many entries of the history are written in one statement.
const BATCH: u32 = 1_000;

impl Projects<'_> {
    /// The statuses of a project, in order.
    ///
    /// # Errors
    /// `INSUFFICIENT_ROLE`.
    pub async fn statuses(&self, uow: &mut dyn UnitOfWork, at: &In<Project>) -> Result<Vec<Status>> {
        self.view(at.scope())?;
        Ok(uow.statuses().list(at.scope(), at.id).await?)
    }

    /// Creates a status. A project has at most [`Limit::StatusesPerProject`].
    ///
    /// # Errors
    /// `INSUFFICIENT_ROLE`, `VALIDATION_FAILED`, `PROJECT_ARCHIVED`, `STATUS_NAME_TAKEN`, `LIMIT_REACHED`.
    pub async fn create_status(
        &self,
        uow: &mut dyn UnitOfWork,
        at: &In<Project>,
        new: &NewStatus,
    ) -> Result<Status> {
        self.manage(at.scope())?;
        let mut violations = Violations::default();
        let name = violations.keep("/name", single_line(&new.name, NAME_CHARS));
        let color = new.color.as_deref().and_then(|color| violations.keep("/color", Color::parse(color)));
        check_position(&mut violations, new.position);
        let name = violations.into_values(name)?;
        self.lock_writable(uow, at).await?;
        let others = uow.statuses().list(at.scope(), at.id).await?;
        self.app.limits().admit(Limit::StatusesPerProject, count(others.len()))?;
        let mut trail = self.trail(at);
        let now = trail.now();
        let status = Status {
            id: self.app.new_id(),
            project_id: at.id,
            name,
            category: new.category,
            position: others.last().map_or(0, |last| last.position + 1),
            color,
            version: 1,
            created_at: now,
            updated_at: now,
        };
        uow.statuses().insert(at.scope(), &status).await.map_err(name_taken)?;
        let mut order: Vec<StatusId> = others.iter().map(|other| other.id).collect();
        order.insert(index(new.position, order.len()), status.id);
        uow.statuses().arrange(at.scope(), at.id, &order).await?;
        let status = self.find_status(uow, at, status.id).await?;
        let event = DomainEvent::StatusCreated { status: status.clone() };
        trail.happened(event, [Change::new(&status.name)]);
        trail.write(uow).await?;
        Ok(status)
    }

    /// Changes a status. A given position moves it among the others.
    ///
    /// # Errors
    /// `INSUFFICIENT_ROLE`, `VALIDATION_FAILED`, `PROJECT_ARCHIVED`, `STATUS_NOT_FOUND`, `STATUS_NAME_TAKEN`, `STALE_VERSION`.
    pub async fn update_status(
        &self,
        uow: &mut dyn UnitOfWork,
        at: &In<Project>,
        status: Target<StatusId>,
        edit: &StatusEdit,
    ) -> Result<Status> {
        self.manage(at.scope())?;
        let mut violations = Violations::default();
        let name =
            edit.name.as_deref().and_then(|name| violations.keep("/name", single_line(name, NAME_CHARS)));
        let color = edit
            .color
            .as_ref()
            .map(|color| color.as_deref().and_then(|color| violations.keep("/color", Color::parse(color))));
        check_position(&mut violations, edit.position);
        violations.into_result()?;
        self.lock_writable(uow, at).await?;
        let before = self.find_status(uow, at, status.id).await?;
        expect_version(status.version, before.version)?;
        let change = StatusChange {
            name: name.filter(|name| *name != before.name),
            category: edit.category.filter(|category| *category != before.category),
            color: color.filter(|color| *color != before.color),
        };
        let mut trail = self.trail(at);
        if change != StatusChange::default() {
            let update = uow.statuses().update(at.scope(), status.within(at.id), &change, trail.now());
            update.await.map_err(name_taken)?.ok_or_else(no_such_status)?;
        }
        if edit.position.is_some() {
            let statuses = uow.statuses().list(at.scope(), at.id).await?;
            let mut order: Vec<StatusId> =
                statuses.iter().map(|status| status.id).filter(|other| *other != status.id).collect();
            order.insert(index(edit.position, order.len()), status.id);
            uow.statuses().arrange(at.scope(), at.id, &order).await?;
        }
        let after = self.find_status(uow, at, status.id).await?;
        if after != before {
            let changes = Change::between(differences(&before, &after));
            trail.happened(DomainEvent::StatusUpdated { status: after.clone() }, changes);
            trail.write(uow).await?;
        }
        Ok(after)
    }

    /// Removes a status. Its tasks go to the end of `move_to`, in their order.
    ///
    /// # Errors
    /// `INSUFFICIENT_ROLE`; `PROJECT_ARCHIVED`; `STATUS_NOT_FOUND`; `STATUS_IN_USE` when tasks have the status and `move_to` is
    /// not given; `VALIDATION_FAILED` when `move_to` is not another status of the project; `LAST_STATUS`; `STALE_VERSION`.
    pub async fn delete_status(
        &self,
        uow: &mut dyn UnitOfWork,
        at: &In<Project>,
        status: Target<StatusId>,
        move_to: Option<StatusId>,
    ) -> Result<()> {
        self.manage(at.scope())?;
        self.lock_writable(uow, at).await?;
        let (id, gone) = (status.id, status);
        let statuses = uow.statuses().list(at.scope(), at.id).await?;
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
        let in_use = !uow.tasks().in_status(at.scope(), status, None, 1).await?.is_empty();
        if in_use {
            let target = target.ok_or_else(|| {
                Error::new(
                    Code::StatusInUse,
                    "Tasks have this status. Say with move_to which status they are to have.",
                )
            })?;
            self.move_all(uow, at, status, target).await?;
        }
        if !uow.statuses().delete(at.scope(), gone.within(at.id)).await? {
            return Err(no_such_status());
        }
        let order: Vec<StatusId> =
            statuses.iter().map(|status| status.id).filter(|other| *other != id).collect();
        uow.statuses().arrange(at.scope(), at.id, &order).await?;
        let mut trail = self.trail(at);
        let moved_to = target.filter(|_| in_use).map(|target| target.id);
        let event = DomainEvent::StatusDeleted { status: status.clone(), moved_to };
        trail.happened(event, [Change::old(&status.name)]);
        trail.write(uow).await
    }

    /// Moves all tasks of a status to the end of another, and writes an entry of the history for each.
    async fn move_all(
        &self,
        uow: &mut dyn UnitOfWork,
        at: &In<Project>,
        from: &Status,
        to: &Status,
    ) -> Result<()> {
        let (scope, project) = (at.scope(), at.id);
        let mut after = None;
        loop {
            let ids = uow.tasks().in_status(scope, from, after, BATCH).await?;
            let mut trail = self.trail(at);
            for id in &ids {
                let change = Change::of("status_id", Some(from.name.clone()), Some(to.name.clone()));
                trail.add_entry(EventKind::TaskUpdated, project, Some(*id), change);
            }
            trail.write(uow).await?;
            after = ids.last().copied();
            if ids.len() < BATCH as usize {
                break;
            }
        }
        let end = uow.projects().advance_position(scope, project, 0).await?.ok_or_else(no_such_project)?;
        let column = ColumnMove { project, from: from.id, to: to.id, after: end };
        if let Some(last) = uow.board().move_column(scope, column, self.app.now()).await? {
            uow.projects().advance_position(scope, project, last - end + GAP).await?;
        }
        Ok(())
    }

    async fn find_status(&self, uow: &mut dyn UnitOfWork, at: &In<Project>, id: StatusId) -> Result<Status> {
        uow.statuses().find(at.scope(), at.id, id).await?.ok_or_else(no_such_status)
    }
}

/// The fields of a status as a person reads them, before and after.
fn differences(before: &Status, after: &Status) -> [(&'static str, Option<String>, Option<String>); 4] {
    let color = |status: &Status| status.color.as_ref().map(|color| color.as_str().to_owned());
    [
        ("name", Some(before.name.clone()), Some(after.name.clone())),
        ("category", Some(before.category.as_str().into()), Some(after.category.as_str().into())),
        ("color", color(before), color(after)),
        ("position", Some(before.position.to_string()), Some(after.position.to_string())),
    ]
}

fn check_position(violations: &mut Violations, position: Option<i64>) {
    if position.is_some_and(|position| position < 0) {
        violations.add("/position", "OUT_OF_RANGE", "Positions are counted from 0.");
    }
}

/// An index among `len` others; the end when none is given or the given one is past the end.
fn index(position: Option<i64>, len: usize) -> usize {
    position.and_then(|position| usize::try_from(position).ok()).unwrap_or(len).min(len)
}

fn name_taken(error: StoreError) -> Error {
    match error {
        StoreError::Conflict { constraint: Constraint::StatusName, .. } => {
            Error::new(Code::StatusNameTaken, "Another status of this project has this name. Choose another.")
        }
        other => other.into(),
    }
}

fn no_such_status() -> Error {
    Error::new(Code::StatusNotFound, "This project has no status with this id.")
}
