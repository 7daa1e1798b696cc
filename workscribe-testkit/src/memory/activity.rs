//! What happened in an organization.

use std::sync::Arc;

use async_trait::async_trait;
use workscribe_core::id::{OrgId, TaskId, UserId};
use workscribe_core::page::PageRequest;
use workscribe_core::tenancy::OrgScope;
use workscribe_core::work::{Activity, ActivityStore, NewActivity};
use workscribe_core::{Constraint, StoreError};

use super::{MemoryUnit, Tables, conflict, page_of, taken_key};

pub(super) struct Row {
    pub(super) line: NewActivity,
    /// Which field, whatever its name: an imported line may tell of one that there is not here.
    pub(super) field_name: Option<String>,
    pub(super) actor: UserId,
}

impl Tables {
    fn lines_of(&self, org: OrgId, task: Option<TaskId>) -> impl Iterator<Item = &Row> {
        let of_org = self.activity.iter().filter(move |((other, _), _)| *other == org);
        of_org.map(|(_, row)| &**row).filter(move |row| task.is_none() || row.line.task_id == task)
    }

    fn line(&self, org: OrgId, row: &Row) -> Option<Activity> {
        let line = row.line.clone();
        Some(Activity {
            id: line.id,
            org_id: org,
            project_id: line.project_id,
            task_id: line.task_id,
            actor: self.person(row.actor)?,
            action: line.action,
            field_name: row.field_name.clone(),
            old_value: line.old_value,
            new_value: line.new_value,
            created_at: line.created_at,
        })
    }
}

#[async_trait]
impl ActivityStore for MemoryUnit {
    async fn add(&mut self, scope: &OrgScope, lines: &[NewActivity]) -> Result<(), StoreError> {
        let (org, actor) = (scope.org(), scope.actor());
        self.change(|tables| {
            if !lines.is_empty() && !tables.organizations.contains_key(&org) {
                return Err(conflict(Constraint::Reference));
            }
            for line in lines {
                let field_name = line.field_name.map(str::to_owned);
                let row = Arc::new(Row { line: line.clone(), field_name, actor });
                if tables.activity.insert((org, line.id), row).is_some() {
                    return Err(taken_key());
                }
            }
            Ok(())
        })
        .await
    }

    async fn list(
        &mut self,
        scope: &OrgScope,
        task: Option<TaskId>,
        page: &PageRequest,
    ) -> Result<Vec<Activity>, StoreError> {
        self.view(|tables| {
            let lines = page_of(tables.lines_of(scope.org(), task), page, true, |row| {
                (row.line.created_at, row.line.id.into())
            });
            lines.into_iter().filter_map(|row| tables.line(scope.org(), row)).collect()
        })
        .await
    }

    async fn count(&mut self, scope: &OrgScope, task: Option<TaskId>) -> Result<i64, StoreError> {
        self.view(|tables| tables.lines_of(scope.org(), task).count() as i64).await
    }
}
