use crate::error::{Code, Error, Violations};
use crate::events::DomainEvent;
use crate::id::{LabelId, ProjectId};
use crate::limits::Limit;
use crate::page::{Cursor, Page, PageRequest};
use crate::storage::UnitOfWork;
use crate::store_error::{Constraint, StoreError};
use crate::tenancy::OrgScope;

use super::history::ActivityAction;
use super::model::{Color, Label, LabelChange, line};
use super::projects::Projects;
use super::record::{Change, Trail};
use super::statuses::NAME_CHARS;

/// What a person enters to make a label.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewLabel {
    /// Its name.
    pub name: String,
    /// Its colour, as `#rrggbb`.
    pub color: String,
}

impl Projects<'_> {
    /// The labels of a project, by age.
    ///
    /// # Errors
    /// `INSUFFICIENT_ROLE`.
    pub async fn labels(
        &self,
        uow: &mut dyn UnitOfWork,
        scope: &OrgScope,
        project: ProjectId,
        page: &PageRequest,
    ) -> Result<Page<Label>, Error> {
        self.view(scope)?;
        let rows = uow.labels().list(scope, project, page).await?;
        let total = if page.wants_count() { Some(uow.labels().count(scope, project).await?) } else { None };
        Ok(page.page(rows, total, |label| Cursor { at: label.created_at, id: label.id.into() }))
    }

    /// Makes a label.
    ///
    /// # Errors
    /// `INSUFFICIENT_ROLE`, `VALIDATION_FAILED`, `PROJECT_ARCHIVED`, `LABEL_NAME_TAKEN`, `LIMIT_REACHED`.
    pub async fn create_label(
        &self,
        uow: &mut dyn UnitOfWork,
        scope: &OrgScope,
        project: ProjectId,
        new: &NewLabel,
    ) -> Result<Label, Error> {
        self.manage(scope)?;
        let mut violations = Violations::default();
        let name = violations.keep("/name", line(&new.name, NAME_CHARS));
        let color = violations.keep("/color", Color::parse(&new.color));
        violations.into_result()?;
        let (Some(name), Some(color)) = (name, color) else {
            return Err(Error::internal("a fault was not noted"));
        };
        self.lock_writable(uow, scope, project).await?;
        let there = uow.labels().count(scope, project).await?;
        self.app.limits().admit(Limit::LabelsPerProject, there)?;
        let mut trail = Trail::new(self.app, scope);
        let now = trail.now();
        let id = self.app.new_id();
        let label =
            Label { id, project_id: project, name, color, version: 1, created_at: now, updated_at: now };
        uow.labels().insert(scope, &label).await.map_err(name_taken)?;
        trail.project(ActivityAction::LabelCreated, project, Change::new(&label.name));
        trail.write(uow).await?;
        self.app.announce(uow, scope, &DomainEvent::LabelCreated { label: label.clone() }).await?;
        Ok(label)
    }

    /// Changes a label.
    ///
    /// # Errors
    /// `INSUFFICIENT_ROLE`, `VALIDATION_FAILED`, `PROJECT_ARCHIVED`, `LABEL_NOT_FOUND`, `LABEL_NAME_TAKEN`, `STALE_VERSION`.
    pub async fn update_label(
        &self,
        uow: &mut dyn UnitOfWork,
        scope: &OrgScope,
        project: ProjectId,
        id: LabelId,
        name: Option<&str>,
        color: Option<&str>,
        expected: Option<i64>,
    ) -> Result<Label, Error> {
        self.manage(scope)?;
        let mut violations = Violations::default();
        let name = name.and_then(|name| violations.keep("/name", line(name, NAME_CHARS)));
        let color = color.and_then(|color| violations.keep("/color", Color::parse(color)));
        violations.into_result()?;
        self.lock_writable(uow, scope, project).await?;
        let before = uow.labels().find(scope, project, id).await?.ok_or_else(no_such_label)?;
        let change = LabelChange {
            name: name.filter(|name| *name != before.name),
            color: color.filter(|color| *color != before.color),
        };
        if change == LabelChange::default() {
            let stale = expected.is_some_and(|version| version != before.version);
            return if stale { Err(StoreError::StaleVersion.into()) } else { Ok(before) };
        }
        let mut trail = Trail::new(self.app, scope);
        let update = uow.labels().update(scope, project, id, &change, expected, trail.now());
        let after = update.await.map_err(name_taken)?.ok_or_else(no_such_label)?;
        let fields = [
            ("name", before.name, after.name.clone()),
            ("color", before.color.as_str().to_owned(), after.color.as_str().to_owned()),
        ];
        for (field, old, new) in fields.into_iter().filter(|(_, old, new)| old != new) {
            let change = Change::of(field, Some(old), Some(new));
            trail.project(ActivityAction::LabelUpdated, project, change);
        }
        trail.write(uow).await?;
        self.app.announce(uow, scope, &DomainEvent::LabelUpdated { label: after.clone() }).await?;
        Ok(after)
    }

    /// Removes a label, from its tasks too.
    ///
    /// # Errors
    /// `INSUFFICIENT_ROLE`, `PROJECT_ARCHIVED`, `LABEL_NOT_FOUND`, `STALE_VERSION`.
    pub async fn delete_label(
        &self,
        uow: &mut dyn UnitOfWork,
        scope: &OrgScope,
        project: ProjectId,
        id: LabelId,
        expected: Option<i64>,
    ) -> Result<(), Error> {
        self.manage(scope)?;
        self.lock_writable(uow, scope, project).await?;
        let label = uow.labels().find(scope, project, id).await?.ok_or_else(no_such_label)?;
        if !uow.labels().delete(scope, project, id, expected).await? {
            return Err(no_such_label());
        }
        let mut trail = Trail::new(self.app, scope);
        trail.project(ActivityAction::LabelDeleted, project, Change::old(&label.name));
        trail.write(uow).await?;
        self.app.announce(uow, scope, &DomainEvent::LabelDeleted { label }).await
    }
}

fn name_taken(error: StoreError) -> Error {
    match error {
        StoreError::Conflict { constraint: Constraint::LabelName } => {
            Error::new(Code::LabelNameTaken, "Another label of this project has this name. Choose another.")
        }
        other => other.into(),
    }
}

pub(super) fn no_such_label() -> Error {
    Error::new(Code::LabelNotFound, "This project has no label with this id.")
}
