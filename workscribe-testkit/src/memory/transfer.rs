//! Whole organizations, row by row.

use std::sync::Arc;

use async_trait::async_trait;
use uuid::Uuid;
use workscribe_core::id::{LabelId, OrgId, TaskId, UserId};
use workscribe_core::notifications::NewNotification;
use workscribe_core::tenancy::{OrgScope, Role, Slug};
use workscribe_core::transfer::{
    ActivityRow, CommentRow, Kind, LabelRow, MemberRow, NotificationRow, ProjectRow, Record, StatusRow,
    TaskRow, TransferStore, UserRow,
};
use workscribe_core::work::{Label, NewActivity, Project, Status, TaskFields};
use workscribe_core::{Constraint, StoreError};

use super::{
    Deferred, MemoryUnit, Tables, activity, comments, conflict, members, notifications, projects, taken_key,
    task_rows,
};

impl Tables {
    /// The rows of a kind that belong to an organization.
    fn exported(&self, org: OrgId, kind: Kind) -> Vec<Record> {
        match kind {
            Kind::Member => of(&self.members, org).map(|(id, row)| member(*id, row)).collect(),
            Kind::Project => of(&self.projects, org).map(|(_, row)| project(row)).collect(),
            Kind::Status => of(&self.statuses, org).map(|(_, row)| status(row)).collect(),
            Kind::Label => of(&self.labels, org).map(|(_, row)| label(row)).collect(),
            Kind::Task => of(&self.tasks, org).map(|(_, row)| self.exported_task(row)).collect(),
            Kind::Comment => of(&self.comments, org).map(|(_, row)| comment(row)).collect(),
            Kind::Activity => of(&self.activity, org).map(|(_, row)| line(row)).collect(),
            Kind::Notification => of(&self.notifications, org).map(|(_, row)| notification(row)).collect(),
        }
    }

    fn exported_task(&self, row: &task_rows::Row) -> Record {
        let fields = row.fields.clone();
        let (first, last) = (LabelId::from(Uuid::nil()), LabelId::from(Uuid::max()));
        let labels = self.task_labels.range((row.org, row.id, first)..=(row.org, row.id, last));
        Record::Task(TaskRow {
            id: row.id,
            project_id: row.project_id,
            number: row.number,
            title: fields.title,
            description: fields.description,
            status_id: fields.status_id,
            position: row.position,
            assignee_id: fields.assignee_id,
            reporter_id: row.reporter_id,
            priority: fields.priority,
            kind: fields.kind,
            parent_id: fields.parent_id,
            label_ids: labels.map(|((_, _, label), ())| *label).collect(),
            due_date: fields.due_date,
            version: row.version,
            created_at: row.created_at,
            updated_at: row.updated_at,
            subtask_count: 0,
            comment_count: 0,
        })
    }

    fn restore(&mut self, org: OrgId, record: &Record) -> Result<(), StoreError> {
        for user in record.people() {
            self.require_user(user)?;
        }
        let taken = || taken_key();
        let is_new = match record {
            Record::Header(_) | Record::Organization(_) | Record::User(_) | Record::End(_) => true,
            Record::Member(row) => {
                let MemberRow { user_id, role, version, joined_at } = row.clone();
                self.members.insert((org, user_id), members::Row { role, version, joined_at });
                true
            }
            Record::Project(row) => {
                if self
                    .projects
                    .iter()
                    .any(|((other, _), found)| *other == org && found.project.key == row.key)
                {
                    return Err(conflict(Constraint::ProjectKey));
                }
                self.projects.insert((org, row.id), stored_project(org, row)).is_none()
            }
            Record::Status(row) => {
                return self.add_status(org, &stored_status(row));
            }
            Record::Label(row) => {
                self.require(self.projects.contains_key(&(org, row.project_id)))?;
                if self.has_label_name(org, row.project_id, &row.name, row.id) {
                    return Err(conflict(Constraint::LabelName));
                }
                self.labels.insert((org, row.id), stored_label(row)).is_none()
            }
            Record::Task(row) => {
                self.require(self.projects.contains_key(&(org, row.project_id)))?;
                for label in &row.label_ids {
                    self.require(self.labels.contains_key(&(org, *label)))?;
                    self.task_labels.insert((org, row.id, *label), ());
                }
                self.deferred.push(Deferred::Task(org, row.id));
                self.tasks.insert((org, row.id), Arc::new(stored_task(org, row))).is_none()
            }
            Record::Comment(row) => {
                self.require(self.tasks.contains_key(&(org, row.task_id)))?;
                self.comments.insert((org, row.id), Arc::new(stored_comment(row))).is_none()
            }
            Record::Activity(row) => {
                self.activity.insert((org, row.id), Arc::new(stored_line(row))).is_none()
            }
            Record::Notification(row) => {
                self.notifications.insert((org, row.id), stored_notification(org, row)).is_none()
            }
        };
        if is_new { Ok(()) } else { Err(taken()) }
    }

    fn require(&self, is_there: bool) -> Result<(), StoreError> {
        if is_there { Ok(()) } else { Err(conflict(Constraint::Reference)) }
    }
}

/// The rows of a table that belong to an organization, by id.
fn of<K, V>(table: &std::collections::BTreeMap<(OrgId, K), V>, org: OrgId) -> impl Iterator<Item = (&K, &V)> {
    table.iter().filter(move |((other, _), _)| *other == org).map(|((_, id), row)| (id, row))
}

fn member(user_id: UserId, row: &members::Row) -> Record {
    let members::Row { role, version, joined_at } = *row;
    Record::Member(MemberRow { user_id, role, version, joined_at })
}

fn project(row: &projects::Row) -> Record {
    let project = row.project.clone();
    Record::Project(ProjectRow {
        id: project.id,
        name: project.name,
        key: project.key,
        description: project.description,
        kind: project.kind,
        is_archived: project.is_archived,
        last_number: row.last_number,
        last_position: row.last_position,
        created_by: project.created_by,
        version: project.version,
        created_at: project.created_at,
        updated_at: project.updated_at,
    })
}

fn stored_project(org: OrgId, row: &ProjectRow) -> projects::Row {
    let row = row.clone();
    let project = Project {
        id: row.id,
        org_id: org,
        name: row.name,
        key: row.key,
        description: row.description,
        kind: row.kind,
        is_archived: row.is_archived,
        created_by: row.created_by,
        version: row.version,
        created_at: row.created_at,
        updated_at: row.updated_at,
    };
    projects::Row { project, last_number: row.last_number, last_position: row.last_position }
}

fn status(row: &Status) -> Record {
    let Status { id, project_id, name, category, position, color, version, created_at, updated_at } =
        row.clone();
    Record::Status(StatusRow {
        id,
        project_id,
        name,
        category,
        position,
        color,
        version,
        created_at,
        updated_at,
    })
}

fn stored_status(row: &StatusRow) -> Status {
    let StatusRow { id, project_id, name, category, position, color, version, created_at, updated_at } =
        row.clone();
    Status { id, project_id, name, category, position, color, version, created_at, updated_at }
}

fn label(row: &Label) -> Record {
    let Label { id, project_id, name, color, version, created_at, updated_at } = row.clone();
    Record::Label(LabelRow { id, project_id, name, color, version, created_at, updated_at })
}

fn stored_label(row: &LabelRow) -> Label {
    let LabelRow { id, project_id, name, color, version, created_at, updated_at } = row.clone();
    Label { id, project_id, name, color, version, created_at, updated_at }
}

fn stored_task(org: OrgId, row: &TaskRow) -> task_rows::Row {
    let row = row.clone();
    let fields = TaskFields {
        title: row.title,
        description: row.description,
        status_id: row.status_id,
        assignee_id: row.assignee_id,
        priority: row.priority,
        kind: row.kind,
        parent_id: row.parent_id,
        due_date: row.due_date,
    };
    task_rows::Row {
        id: row.id,
        org,
        project_id: row.project_id,
        number: row.number,
        reporter_id: row.reporter_id,
        fields,
        position: row.position,
        version: row.version,
        created_at: row.created_at,
        updated_at: row.updated_at,
    }
}

fn comment(row: &comments::Row) -> Record {
    let comments::Row { id, task_id, author, body, is_edited, version, created_at, updated_at } = row.clone();
    let author_id = author;
    Record::Comment(CommentRow { id, task_id, author_id, body, is_edited, version, created_at, updated_at })
}

fn stored_comment(row: &CommentRow) -> comments::Row {
    let CommentRow { id, task_id, author_id, body, is_edited, version, created_at, updated_at } = row.clone();
    comments::Row { id, task_id, author: author_id, body, is_edited, version, created_at, updated_at }
}

fn line(row: &activity::Row) -> Record {
    let new = row.line.clone();
    Record::Activity(ActivityRow {
        id: new.id,
        project_id: new.project_id,
        task_id: new.task_id,
        actor_id: row.actor,
        action: new.action,
        field_name: row.field_name.clone(),
        old_value: new.old_value,
        new_value: new.new_value,
        created_at: new.created_at,
    })
}

fn stored_line(row: &ActivityRow) -> activity::Row {
    let row = row.clone();
    let line = NewActivity {
        id: row.id,
        project_id: row.project_id,
        task_id: row.task_id,
        action: row.action,
        field_name: None,
        old_value: row.old_value,
        new_value: row.new_value,
        created_at: row.created_at,
    };
    activity::Row { line, field_name: row.field_name, actor: row.actor_id }
}

fn notification(row: &notifications::Row) -> Record {
    let new = row.new.clone();
    Record::Notification(NotificationRow {
        id: new.id,
        user_id: new.user_id,
        kind: new.kind,
        title: new.title,
        body: new.body,
        entity_type: new.entity_type,
        entity_id: new.entity_id,
        actor_id: row.actor,
        is_read: row.is_read,
        is_mailed: false,
        created_at: new.created_at,
    })
}

fn stored_notification(org: OrgId, row: &NotificationRow) -> notifications::Row {
    let row = row.clone();
    let new = NewNotification {
        id: row.id,
        user_id: row.user_id,
        kind: row.kind,
        title: row.title,
        body: row.body,
        entity_type: row.entity_type,
        entity_id: row.entity_id,
        mail: false,
        created_at: row.created_at,
    };
    let (actor, is_read) = (row.actor_id, row.is_read);
    notifications::Row { org, new, actor, is_read, mail: notifications::Mail::None }
}

#[async_trait]
impl TransferStore for MemoryUnit {
    async fn first_owner(&mut self, slug: &Slug) -> Result<Option<UserId>, StoreError> {
        self.view(|tables| {
            let org = tables.organizations.values().find(|other| other.slug == *slug)?.id;
            let owners = of(&tables.members, org).filter(|(_, row)| row.role == Role::Owner);
            owners.map(|(user, row)| (row.joined_at, *user)).min().map(|(_, user)| user)
        })
        .await
    }

    async fn page(
        &mut self,
        scope: &OrgScope,
        kind: Kind,
        after: Option<Uuid>,
        limit: u32,
    ) -> Result<Vec<Record>, StoreError> {
        self.view(|tables| {
            let rows = tables.exported(scope.org(), kind).into_iter();
            rows.filter(|row| after.is_none_or(|after| row.id() > after)).take(limit as usize).collect()
        })
        .await
    }

    async fn people(&mut self, users: &[UserId]) -> Result<Vec<UserRow>, StoreError> {
        self.view(|tables| {
            let found = tables.users.values().map(|row| &row.user).filter(|user| users.contains(&user.id));
            let row = |user: &workscribe_core::identity::User| UserRow {
                id: user.id,
                email: user.email.clone(),
                display_name: user.display_name.clone(),
                avatar_url: user.avatar_url.clone(),
            };
            found.map(row).collect()
        })
        .await
    }

    async fn restore(&mut self, scope: &OrgScope, rows: &[Record]) -> Result<(), StoreError> {
        self.change(|tables| rows.iter().try_for_each(|row| tables.restore(scope.org(), row))).await
    }

    async fn adopt(&mut self, scope: &OrgScope, parents: &[(TaskId, TaskId)]) -> Result<(), StoreError> {
        self.change(|tables| {
            for (task, parent) in parents {
                if let Some(row) = tables.tasks.get_mut(&(scope.org(), *task)) {
                    Arc::make_mut(row).fields.parent_id = Some(*parent);
                    tables.deferred.push(Deferred::Task(scope.org(), *task));
                }
            }
            Ok(())
        })
        .await
    }
}
