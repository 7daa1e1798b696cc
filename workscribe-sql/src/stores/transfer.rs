use std::collections::BTreeMap;

use async_trait::async_trait;
use sqlx::query::QueryAs;
use sqlx::query_builder::Separated;
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
use workscribe_core::work::{Document, name_key};

use super::pending::{Statement, push_rows};
use super::transfer_rows::{Activity, Comment, Label, Member, Notification, Project, Status, Task};
use super::unit::Arguments;
use super::{Db, Ts, Unit};

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

    /// Writes rows of a table, so many at once that the text of the statement is the same for nearly all.
    async fn insert_rows<T: Clone + Send + 'static>(
        &mut self,
        name: &'static str,
        into: &'static str,
        rows: &[T],
        push: impl Fn(&mut Separated<'_, Db, &'static str>, T) + Copy,
        end: &'static str,
    ) -> Result<(), StoreError> {
        for rows in rows.chunks(RESTORED_AT_ONCE) {
            let mut insert = Statement::new(into);
            push_rows(&mut insert, rows.iter().cloned(), push);
            insert.push(end);
            self.execute_now(name, insert.build(), rows.len() == RESTORED_AT_ONCE).await?;
        }
        Ok(())
    }

    async fn restore_tasks(&mut self, scope: &OrgScope, rows: &[TaskRow]) -> Result<(), StoreError> {
        let org = scope.org().as_uuid();
        // Each below none at first, since its parent may follow.
        self.insert_rows(
            "ws_tasks: restore",
            "INSERT INTO ws_tasks (org_id, id, project_id, number, title, description, status_id, position, assignee_id,
                                   reporter_id, priority, type, due_date, label_ids, subtask_count, comment_count, version,
                                   created_at, updated_at) ",
            rows,
            |values, row| {
                let mut labels = row.label_ids;
                labels.sort_unstable();
                values
                    .push_bind(org)
                    .push_bind(row.id.as_uuid())
                    .push_bind(row.project_id.as_uuid())
                    .push_bind(row.number)
                    .push_bind(row.title)
                    .push_bind(row.description.as_ref().map(Document::to_stored))
                    .push_bind(StatusId::as_uuid(&row.status_id))
                    .push_bind(row.position)
                    .push_bind(row.assignee_id.map(Uuid::from))
                    .push_bind(row.reporter_id.as_uuid())
                    .push_bind(row.priority.rank())
                    .push_bind(row.kind.as_str())
                    .push_bind(row.due_date)
                    .push_bind(Json(labels))
                    .push_bind(row.subtask_count)
                    .push_bind(row.comment_count)
                    .push_bind(row.version)
                    .push_bind(Ts(row.created_at))
                    .push_bind(Ts(row.updated_at));
            },
            "",
        )
        .await?;
        let labels: Vec<(TaskId, LabelId)> =
            rows.iter().flat_map(|row| row.label_ids.iter().map(|label| (row.id, *label))).collect();
        self.insert_rows(
            "ws_task_labels: restore",
            "INSERT INTO ws_task_labels (org_id, task_id, label_id) ",
            &labels,
            |values, (task, label)| {
                values.push_bind(org).push_bind(task.as_uuid()).push_bind(label.as_uuid());
            },
            "",
        )
        .await?;
        let parents = rows.iter().filter_map(|row| Some((row.id, row.parent_id?)));
        self.adopt(scope, &parents.collect::<Vec<_>>()).await
    }
}

/// So many rows are restored by one statement.
const RESTORED_AT_ONCE: usize = 100;

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
        let Restored { members, projects, statuses, labels, tasks, comments, activity, notifications } =
            Restored::of(rows);
        self.flush().await?;
        self.insert_rows(
            "ws_members: restore",
            "INSERT INTO ws_members (org_id, user_id, role, version, joined_at) ",
            &members,
            |values, row| {
                values
                    .push_bind(org)
                    .push_bind(row.user_id.as_uuid())
                    .push_bind(row.role.as_str())
                    .push_bind(row.version)
                    .push_bind(Ts(row.joined_at));
            },
            " ON CONFLICT (org_id, user_id)
              DO UPDATE SET role = excluded.role, version = excluded.version, joined_at = excluded.joined_at",
        )
        .await?;
        self.insert_rows(
            "ws_projects: restore",
            "INSERT INTO ws_projects (org_id, id, name, key, description, type, is_archived, last_number, last_position,
                                      created_by, version, created_at, updated_at) ",
            &projects,
            |values, row| {
                values
                    .push_bind(org)
                    .push_bind(row.id.as_uuid())
                    .push_bind(row.name)
                    .push_bind(row.key.as_str().to_owned())
                    .push_bind(row.description)
                    .push_bind(row.kind.as_str())
                    .push_bind(row.is_archived)
                    .push_bind(row.last_number)
                    .push_bind(row.last_position)
                    .push_bind(row.created_by.as_uuid())
                    .push_bind(row.version)
                    .push_bind(Ts(row.created_at))
                    .push_bind(Ts(row.updated_at));
            },
            "",
        )
        .await?;
        self.insert_rows(
            "ws_statuses: restore",
            "INSERT INTO ws_statuses (org_id, id, project_id, name, name_key, category, position, color, version, created_at,
                                      updated_at) ",
            &statuses,
            |values, row| {
                values
                    .push_bind(org)
                    .push_bind(row.id.as_uuid())
                    .push_bind(row.project_id.as_uuid())
                    .push_bind(row.name.clone())
                    .push_bind(name_key(&row.name))
                    .push_bind(row.category.as_str())
                    .push_bind(row.position)
                    .push_bind(row.color.as_ref().map(|color| color.as_str().to_owned()))
                    .push_bind(row.version)
                    .push_bind(Ts(row.created_at))
                    .push_bind(Ts(row.updated_at));
            },
            "",
        )
        .await?;
        self.insert_rows(
            "ws_labels: restore",
            "INSERT INTO ws_labels (org_id, id, project_id, name, name_key, color, version, created_at, updated_at) ",
            &labels,
            |values, row| {
                values
                    .push_bind(org)
                    .push_bind(row.id.as_uuid())
                    .push_bind(row.project_id.as_uuid())
                    .push_bind(row.name.clone())
                    .push_bind(name_key(&row.name))
                    .push_bind(row.color.as_str().to_owned())
                    .push_bind(row.version)
                    .push_bind(Ts(row.created_at))
                    .push_bind(Ts(row.updated_at));
            },
            "",
        )
        .await?;
        self.restore_tasks(scope, &tasks).await?;
        self.insert_rows(
            "ws_comments: restore",
            "INSERT INTO ws_comments (org_id, id, task_id, author_id, body, is_edited, version, created_at, updated_at) ",
            &comments,
            |values, row| {
                values
                    .push_bind(org)
                    .push_bind(row.id.as_uuid())
                    .push_bind(row.task_id.as_uuid())
                    .push_bind(row.author_id.as_uuid())
                    .push_bind(row.body.to_stored())
                    .push_bind(row.is_edited)
                    .push_bind(row.version)
                    .push_bind(Ts(row.created_at))
                    .push_bind(Ts(row.updated_at));
            },
            "",
        )
        .await?;
        self.insert_rows(
            "ws_activity: restore",
            "INSERT INTO ws_activity (org_id, id, project_id, task_id, actor_id, action, field_name, old_value, new_value,
                                      created_at) ",
            &activity,
            |values, row| {
                values
                    .push_bind(org)
                    .push_bind(row.id.as_uuid())
                    .push_bind(row.project_id.map(Uuid::from))
                    .push_bind(row.task_id.map(Uuid::from))
                    .push_bind(row.actor_id.as_uuid())
                    .push_bind(row.action.as_str())
                    .push_bind(row.field_name)
                    .push_bind(row.old_value)
                    .push_bind(row.new_value)
                    .push_bind(Ts(row.created_at));
            },
            "",
        )
        .await?;
        let mut unread = BTreeMap::<Uuid, i64>::new();
        for row in notifications.iter().filter(|row| !row.is_read) {
            *unread.entry(row.user_id.as_uuid()).or_default() += 1;
        }
        // Its mail is the business of the server that made it.
        self.insert_rows(
            "ws_notifications: restore",
            "INSERT INTO ws_notifications (org_id, id, user_id, type, title, body, entity_type, entity_id, actor_id, is_read,
                                           mail, created_at) ",
            &notifications,
            |values, row| {
                values
                    .push_bind(org)
                    .push_bind(row.id.as_uuid())
                    .push_bind(row.user_id.as_uuid())
                    .push_bind(row.kind.as_str())
                    .push_bind(row.title)
                    .push_bind(row.body)
                    .push_bind(row.entity_type.as_str())
                    .push_bind(row.entity_id)
                    .push_bind(row.actor_id.map(Uuid::from))
                    .push_bind(row.is_read)
                    .push_bind("none")
                    .push_bind(Ts(row.created_at));
            },
            "",
        )
        .await?;
        self.count_unread(org, unread).await?;
        self.flush().await
    }

    async fn adopt(&mut self, scope: &OrgScope, parents: &[(TaskId, TaskId)]) -> Result<(), StoreError> {
        if parents.is_empty() {
            return Ok(());
        }
        let ids: Vec<TaskId> = parents.iter().map(|(task, _)| *task).collect();
        // The ids alone too, which say by which index the tasks are found.
        let update = query(concat!(
            "UPDATE ws_tasks AS t SET parent_id = ",
            uuid_of!("given.value ->> 1"),
            " FROM ",
            rows_of!("$2"),
            " WHERE t.org_id = $1 AND t.id = ",
            uuid_of!("given.value ->> 0"),
            " AND t.id ",
            in_ids!("$3")
        ))
        .bind(scope.org().as_uuid())
        .bind(Json(parents.to_vec()))
        .bind(Json(ids));
        self.execute("ws_tasks: adopt", update).await.map(drop)
    }
}

/// Rows by kind, each kind in the order in which it came.
#[derive(Default)]
struct Restored {
    members: Vec<MemberRow>,
    projects: Vec<ProjectRow>,
    statuses: Vec<StatusRow>,
    labels: Vec<LabelRow>,
    tasks: Vec<TaskRow>,
    comments: Vec<CommentRow>,
    activity: Vec<ActivityRow>,
    notifications: Vec<NotificationRow>,
}

impl Restored {
    fn of(rows: &[Record]) -> Self {
        let mut all = Self::default();
        for row in rows {
            match row.clone() {
                Record::Header(_) | Record::Organization(_) | Record::User(_) | Record::End(_) => {}
                Record::Member(row) => all.members.push(row),
                Record::Project(row) => all.projects.push(row),
                Record::Status(row) => all.statuses.push(row),
                Record::Label(row) => all.labels.push(row),
                Record::Task(row) => all.tasks.push(row),
                Record::Comment(row) => all.comments.push(row),
                Record::Activity(row) => all.activity.push(row),
                Record::Notification(row) => all.notifications.push(row),
            }
        }
        all
    }
}
