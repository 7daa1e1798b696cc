use async_trait::async_trait;
use sqlx::query::QueryAs;
use sqlx::types::{Json, Uuid};
use sqlx::{FromRow, query, query_as};
use workscribe_core::StoreError;
use workscribe_core::id::{LabelId, StatusId, TaskId, UserId};
use workscribe_core::identity::Email;
use workscribe_core::tenancy::{OrgScope, Slug};
use workscribe_core::transfer::{
    ActivityRow, CommentRow, Kind, LabelRow, MemberRow, NotificationRow, ProjectRow, Record, StatusRow,
    TaskRow, TransferStore, UserRow,
};
use workscribe_core::work::{self, Color, CommentStore, Document, LabelStore, name_key};

use super::transfer_rows::{Activity, Comment, Label, Member, Notification, Project, Status, Task};
use super::unit::Arguments;
use super::{Db, Ts, Unit, person};

/// A page of a table by id, with `$1` for the organization, `$2` for the id before it and `$3` for its size.
macro_rules! page_of {
    ($columns:literal, $table:literal, $id:literal) => {
        concat!(
            "SELECT ",
            $columns,
            " FROM ",
            $table,
            " WHERE org_id = $1 AND ",
            $id,
            " > $2 ORDER BY ",
            $id,
            " LIMIT $3"
        )
    };
}

/// Where a page begins.
#[derive(Clone, Copy)]
struct Place {
    org: Uuid,
    after: Uuid,
    limit: i64,
}

impl Unit {
    async fn page_rows<T>(
        &mut self,
        name: &'static str,
        page: QueryAs<'static, Db, T, Arguments>,
        place: Place,
    ) -> Result<Vec<Record>, StoreError>
    where
        T: Send + Unpin + for<'r> FromRow<'r, super::unit::Row>,
        Record: TryFrom<T, Error = StoreError>,
    {
        let page = page.bind(place.org).bind(place.after).bind(place.limit);
        self.all(name, page).await?.into_iter().map(Record::try_from).collect()
    }

    async fn page_of_tasks(&mut self, place: Place) -> Result<Vec<Record>, StoreError> {
        let page = query_as::<_, Task>(page_of!(
            "id, project_id, number, title, description, status_id, position, assignee_id, reporter_id, priority,
             type AS kind, parent_id, due_date, version, created_at, updated_at",
            "ws_tasks",
            "id"
        ))
        .bind(place.org)
        .bind(place.after)
        .bind(place.limit);
        let rows = self.all("ws_tasks: page to export", page).await?;
        let ids: Vec<TaskId> = rows.iter().map(|row| row.id.into()).collect();
        let labels = query_as::<_, (Uuid, Uuid)>(concat!(
            "SELECT task_id, label_id FROM ws_task_labels WHERE org_id = $1 AND task_id IN ",
            ids_of!("$2"),
            " ORDER BY task_id, label_id"
        ))
        .bind(place.org)
        .bind(Json(ids));
        let labels = self.all("ws_task_labels: page to export", labels).await?;
        // Both are in the order of the tasks' ids.
        let mut labels = labels.into_iter().peekable();
        let mut tasks = Vec::with_capacity(rows.len());
        for row in rows {
            let mut task = TaskRow::try_from(row)?;
            while let Some((_, label)) = labels.next_if(|(id, _)| *id == task.id.as_uuid()) {
                task.label_ids.push(label.into());
            }
            tasks.push(Record::Task(task));
        }
        Ok(tasks)
    }

    async fn restore_member(&mut self, org: Uuid, row: &MemberRow) -> Result<(), StoreError> {
        let insert = query(
            "INSERT INTO ws_members (org_id, user_id, role, version, joined_at) VALUES ($1, $2, $3, $4, $5)
             ON CONFLICT (org_id, user_id)
             DO UPDATE SET role = excluded.role, version = excluded.version, joined_at = excluded.joined_at",
        )
        .bind(org)
        .bind(row.user_id.as_uuid())
        .bind(row.role.as_str())
        .bind(row.version)
        .bind(Ts(row.joined_at));
        self.execute("ws_members: restore", insert).await.map(drop)
    }

    async fn restore_project(&mut self, org: Uuid, row: &ProjectRow) -> Result<(), StoreError> {
        let insert = query(
            "INSERT INTO ws_projects (org_id, id, name, key, description, type, is_archived, last_number, last_position,
                                      created_by, version, created_at, updated_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)",
        )
        .bind(org)
        .bind(row.id.as_uuid())
        .bind(&row.name)
        .bind(row.key.as_str())
        .bind(&row.description)
        .bind(row.kind.as_str())
        .bind(row.is_archived)
        .bind(row.last_number)
        .bind(row.last_position)
        .bind(row.created_by.as_uuid())
        .bind(row.version)
        .bind(Ts(row.created_at))
        .bind(Ts(row.updated_at));
        self.execute("ws_projects: restore", insert).await.map(drop)
    }

    async fn restore_status(&mut self, org: Uuid, row: &StatusRow) -> Result<(), StoreError> {
        let insert = query(
            "INSERT INTO ws_statuses (org_id, id, project_id, name, name_key, category, position, color, version, created_at,
                                      updated_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
        )
        .bind(org)
        .bind(row.id.as_uuid())
        .bind(row.project_id.as_uuid())
        .bind(&row.name)
        .bind(name_key(&row.name))
        .bind(row.category.as_str())
        .bind(row.position)
        .bind(row.color.as_ref().map(Color::as_str))
        .bind(row.version)
        .bind(Ts(row.created_at))
        .bind(Ts(row.updated_at));
        self.execute("ws_statuses: restore", insert).await.map(drop)
    }

    async fn restore_label(&mut self, scope: &OrgScope, row: &LabelRow) -> Result<(), StoreError> {
        let LabelRow { id, project_id, name, color, version, created_at, updated_at } = row.clone();
        let label = work::Label { id, project_id, name, color, version, created_at, updated_at };
        LabelStore::insert(self, scope, &label).await
    }

    async fn restore_task(&mut self, scope: &OrgScope, row: &TaskRow) -> Result<(), StoreError> {
        let insert = query(
            "INSERT INTO ws_tasks (org_id, id, project_id, number, title, description, status_id, position, assignee_id,
                                   reporter_id, priority, type, parent_id, due_date, version, created_at, updated_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)",
        )
        .bind(scope.org().as_uuid())
        .bind(row.id.as_uuid())
        .bind(row.project_id.as_uuid())
        .bind(row.number)
        .bind(&row.title)
        .bind(row.description.as_ref().map(Document::to_stored))
        .bind(StatusId::as_uuid(&row.status_id))
        .bind(row.position)
        .bind(row.assignee_id.map(|user| user.as_uuid()))
        .bind(row.reporter_id.as_uuid())
        .bind(row.priority.rank())
        .bind(row.kind.as_str())
        .bind(row.parent_id.map(|parent| parent.as_uuid()))
        .bind(row.due_date)
        .bind(row.version)
        .bind(Ts(row.created_at))
        .bind(Ts(row.updated_at));
        self.execute("ws_tasks: restore", insert).await?;
        let labels: &[LabelId] = &row.label_ids;
        LabelStore::attach(self, scope, row.id, labels).await
    }

    async fn restore_comment(&mut self, scope: &OrgScope, row: &CommentRow) -> Result<(), StoreError> {
        let CommentRow { id, task_id, author_id, body, is_edited, version, created_at, updated_at } =
            row.clone();
        // Of the author, the id alone is stored.
        let author = person(author_id.as_uuid(), String::new(), None);
        let comment = work::Comment { id, task_id, author, body, is_edited, version, created_at, updated_at };
        CommentStore::insert(self, scope, &comment).await
    }

    async fn restore_activity(&mut self, org: Uuid, row: &ActivityRow) -> Result<(), StoreError> {
        let insert = query(
            "INSERT INTO ws_activity (org_id, id, project_id, task_id, actor_id, action, field_name, old_value, new_value,
                                      created_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        )
        .bind(org)
        .bind(row.id.as_uuid())
        .bind(row.project_id.map(|project| project.as_uuid()))
        .bind(row.task_id.map(|task| task.as_uuid()))
        .bind(row.actor_id.as_uuid())
        .bind(row.action.as_str())
        .bind(&row.field_name)
        .bind(&row.old_value)
        .bind(&row.new_value)
        .bind(Ts(row.created_at));
        self.execute("ws_activity: restore", insert).await.map(drop)
    }

    async fn restore_notification(&mut self, org: Uuid, row: &NotificationRow) -> Result<(), StoreError> {
        // Its mail is the business of the server that made it.
        let insert = query(
            "INSERT INTO ws_notifications (org_id, id, user_id, type, title, body, entity_type, entity_id, actor_id, is_read,
                                           mail, created_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 'none', $11)",
        )
        .bind(org)
        .bind(row.id.as_uuid())
        .bind(row.user_id.as_uuid())
        .bind(row.kind.as_str())
        .bind(&row.title)
        .bind(&row.body)
        .bind(row.entity_type.as_str())
        .bind(row.entity_id)
        .bind(row.actor_id.map(|user| user.as_uuid()))
        .bind(row.is_read)
        .bind(Ts(row.created_at));
        self.execute("ws_notifications: restore", insert).await.map(drop)
    }
}

#[async_trait]
impl TransferStore for Unit {
    async fn first_owner(&mut self, slug: &Slug) -> Result<Option<UserId>, StoreError> {
        let owner = query_as::<_, (Uuid,)>(
            "SELECT m.user_id FROM ws_organizations o JOIN ws_members m ON m.org_id = o.id
              WHERE o.slug = $1 AND m.role = 'owner' ORDER BY m.joined_at, m.user_id LIMIT 1",
        )
        .bind(slug.as_str());
        Ok(self.optional("ws_members: first owner", owner).await?.map(|(id,)| id.into()))
    }

    async fn page(
        &mut self,
        scope: &OrgScope,
        kind: Kind,
        after: Option<Uuid>,
        limit: u32,
    ) -> Result<Vec<Record>, StoreError> {
        let place = Place {
            org: scope.org().as_uuid(),
            after: after.unwrap_or(Uuid::nil()),
            limit: i64::from(limit),
        };
        match kind {
            Kind::Member => {
                let page = query_as::<_, Member>(page_of!(
                    "user_id, role, version, joined_at",
                    "ws_members",
                    "user_id"
                ));
                self.page_rows("ws_members: page to export", page, place).await
            }
            Kind::Project => {
                let page = query_as::<_, Project>(page_of!(
                    "id, name, key, description, type AS kind, is_archived, last_number, last_position, created_by, version,
                     created_at, updated_at",
                    "ws_projects",
                    "id"
                ));
                self.page_rows("ws_projects: page to export", page, place).await
            }
            Kind::Status => {
                let page = query_as::<_, Status>(page_of!(
                    "id, project_id, name, category, position, color, version, created_at, updated_at",
                    "ws_statuses",
                    "id"
                ));
                self.page_rows("ws_statuses: page to export", page, place).await
            }
            Kind::Label => {
                let page = query_as::<_, Label>(page_of!(
                    "id, project_id, name, color, version, created_at, updated_at",
                    "ws_labels",
                    "id"
                ));
                self.page_rows("ws_labels: page to export", page, place).await
            }
            Kind::Task => self.page_of_tasks(place).await,
            Kind::Comment => {
                let page = query_as::<_, Comment>(page_of!(
                    "id, task_id, author_id, body, is_edited, version, created_at, updated_at",
                    "ws_comments",
                    "id"
                ));
                self.page_rows("ws_comments: page to export", page, place).await
            }
            Kind::Activity => {
                let page = query_as::<_, Activity>(page_of!(
                    "id, project_id, task_id, actor_id, action, field_name, old_value, new_value, created_at",
                    "ws_activity",
                    "id"
                ));
                self.page_rows("ws_activity: page to export", page, place).await
            }
            Kind::Notification => {
                let page = query_as::<_, Notification>(page_of!(
                    "id, user_id, type AS kind, title, body, entity_type, entity_id, actor_id, is_read, created_at",
                    "ws_notifications",
                    "id"
                ));
                self.page_rows("ws_notifications: page to export", page, place).await
            }
        }
    }

    async fn people(&mut self, users: &[UserId]) -> Result<Vec<UserRow>, StoreError> {
        let people = query_as::<_, (Uuid, String, String, Option<String>)>(concat!(
            "SELECT id, email, display_name, avatar_url FROM ws_users WHERE id IN ",
            ids_of!("$1"),
            " ORDER BY id"
        ))
        .bind(Json(users));
        let people = self.all("ws_users: page to export", people).await?.into_iter();
        let row = |(id, email, display_name, avatar_url): (Uuid, String, String, Option<String>)| UserRow {
            id: id.into(),
            email: Email::from_stored(email),
            display_name,
            avatar_url,
        };
        Ok(people.map(row).collect())
    }

    async fn restore(&mut self, scope: &OrgScope, rows: &[Record]) -> Result<(), StoreError> {
        let org = scope.org().as_uuid();
        for row in rows {
            match row {
                Record::Header(_) | Record::Organization(_) | Record::User(_) | Record::End(_) => {}
                Record::Member(row) => self.restore_member(org, row).await?,
                Record::Project(row) => self.restore_project(org, row).await?,
                Record::Status(row) => self.restore_status(org, row).await?,
                Record::Label(row) => self.restore_label(scope, row).await?,
                Record::Task(row) => self.restore_task(scope, row).await?,
                Record::Comment(row) => self.restore_comment(scope, row).await?,
                Record::Activity(row) => self.restore_activity(org, row).await?,
                Record::Notification(row) => self.restore_notification(org, row).await?,
            }
        }
        Ok(())
    }
}
