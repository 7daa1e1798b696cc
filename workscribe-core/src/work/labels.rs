//! The labels of a project, which admins manage.

use crate::error::{Code, Error, Result, Violations};
use crate::events::DomainEvent;
use crate::id::LabelId;
use crate::limits::Limit;
use crate::page::{Cursor, Page, PageRequest};
use crate::storage::UnitOfWork;
use crate::store_error::{Constraint, StoreError};
use crate::target::{Target, expect_version};
use crate::tenancy::In;

use super::model::{Color, Label, LabelChange, Project, single_line};
use super::projects::Projects;
use super::record::Change;
use super::statuses::NAME_CHARS;

/// The input of a new label.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewLabel {
    /// Its name.
    pub name: String,
    /// Its colour, as `#rrggbb`.
    pub color: String,
}

/// The input of a change of a label. `None` leaves a field unchanged.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LabelEdit {
    /// Its name.
    pub name: Option<String>,
    /// Its colour, as `#rrggbb`.
    pub color: Option<String>,
}

impl Projects<'_> {
    /// The labels of a project, oldest first.
    ///
    /// # Errors
    /// `INSUFFICIENT_ROLE`.
    pub async fn labels(
        &self,
        uow: &mut dyn UnitOfWork,
        at: &In<Project>,
        page: &PageRequest,
    ) -> Result<Page<Label>> {
        self.view(at.scope())?;
        let rows = uow.labels().list(at.scope(), at.id, page).await?;
        let total =
            if page.wants_count() { Some(uow.labels().count(at.scope(), at.id).await?) } else { None };
        Ok(page.page(rows, total, |label| Cursor { at: label.created_at, id: label.id.into() }))
    }

    /// Creates a label.
    ///
    /// # Errors
    /// `INSUFFICIENT_ROLE`, `VALIDATION_FAILED`, `PROJECT_ARCHIVED`, `LABEL_NAME_TAKEN`, `LIMIT_REACHED`.
    pub async fn create_label(
        &self,
        uow: &mut dyn UnitOfWork,
        at: &In<Project>,
        new: &NewLabel,
    ) -> Result<Label> {
        self.manage(at.scope())?;
        let mut violations = Violations::default();
        let name = violations.keep("/name", single_line(&new.name, NAME_CHARS));
        let color = violations.keep("/color", Color::parse(&new.color));
        let (name, color) = violations.into_values((name, color))?;
        self.lock_writable(uow, at).await?;
        let there = uow.labels().count(at.scope(), at.id).await?;
        self.app.limits().admit(Limit::LabelsPerProject, there)?;
        let mut trail = self.trail(at);
        let (id, now) = (self.app.new_id(), trail.now());
        let label =
            Label { id, project_id: at.id, name, color, version: 1, created_at: now, updated_at: now };
        uow.labels().insert(at.scope(), &label).await.map_err(name_taken)?;
        let event = DomainEvent::LabelCreated { label: label.clone() };
        trail.happened(event, [Change::new(&label.name)]);
        trail.write(uow).await?;
        Ok(label)
    }

    /// Changes a label.
    ///
    /// # Errors
    /// `INSUFFICIENT_ROLE`, `VALIDATION_FAILED`, `PROJECT_ARCHIVED`, `LABEL_NOT_FOUND`, `LABEL_NAME_TAKEN`, `STALE_VERSION`.
    pub async fn update_label(
        &self,
        uow: &mut dyn UnitOfWork,
        at: &In<Project>,
        label: Target<LabelId>,
        edit: &LabelEdit,
    ) -> Result<Label> {
        self.manage(at.scope())?;
        let mut violations = Violations::default();
        let name =
            edit.name.as_deref().and_then(|name| violations.keep("/name", single_line(name, NAME_CHARS)));
        let color = edit.color.as_deref().and_then(|color| violations.keep("/color", Color::parse(color)));
        violations.into_result()?;
        self.lock_writable(uow, at).await?;
        let before = uow.labels().find(at.scope(), at.id, label.id).await?.ok_or_else(no_such_label)?;
        let change = LabelChange {
            name: name.filter(|name| *name != before.name),
            color: color.filter(|color| *color != before.color),
        };
        if change == LabelChange::default() {
            expect_version(label.version, before.version)?;
            return Ok(before);
        }
        let mut trail = self.trail(at);
        let update = uow.labels().update(at.scope(), label.within(at.id), &change, trail.now());
        let after = update.await.map_err(name_taken)?.ok_or_else(no_such_label)?;
        let color = |label: &Label| Some(label.color.as_str().to_owned());
        let fields = [
            ("name", Some(before.name.clone()), Some(after.name.clone())),
            ("color", color(&before), color(&after)),
        ];
        trail.happened(DomainEvent::LabelUpdated { label: after.clone() }, Change::between(fields));
        trail.write(uow).await?;
        Ok(after)
    }

    /// Removes a label, from its tasks too.
    ///
    /// # Errors
    /// `INSUFFICIENT_ROLE`, `PROJECT_ARCHIVED`, `LABEL_NOT_FOUND`, `STALE_VERSION`.
    pub async fn delete_label(
        &self,
        uow: &mut dyn UnitOfWork,
        at: &In<Project>,
        label: Target<LabelId>,
    ) -> Result<()> {
        self.manage(at.scope())?;
        self.lock_writable(uow, at).await?;
        let target = label.within(at.id);
        let label = uow.labels().find(at.scope(), at.id, label.id).await?.ok_or_else(no_such_label)?;
        if !uow.labels().delete(at.scope(), target).await? {
            return Err(no_such_label());
        }
        let mut trail = self.trail(at);
        let gone = Change::old(&label.name);
        trail.happened(DomainEvent::LabelDeleted { label }, [gone]);
        trail.write(uow).await
    }
}

fn name_taken(error: StoreError) -> Error {
    match error {
        StoreError::Conflict { constraint: Constraint::LabelName, .. } => {
            Error::new(Code::LabelNameTaken, "Another label of this project has this name. Choose another.")
        }
        other => other.into(),
    }
}

pub(super) fn no_such_label() -> Error {
    Error::new(Code::LabelNotFound, "This project has no label with this id.")
}
