//! The export and import of whole organizations, row by row.

use std::collections::BTreeMap;

use async_trait::async_trait;
use sqlx::types::{Json, Uuid};
use sqlx::{query, query_as};
use workscribe_core::StoreError;
use workscribe_core::id::{LabelId, TaskId, UserId};
use workscribe_core::identity::Email;
use workscribe_core::tenancy::{OrgScope, Slug};
use workscribe_core::transfer::{Kind, Record, TaskRow, TransferStore, UserRow};

use super::Unit;
use super::bind::BindAll as _;
use super::pending::{Statement, push_rows};
use super::table::{PORTION, Stored, Table};

/// The rows of one kind, in their original order.
macro_rules! of_kind {
    ($rows:expr, $kind:ident) => {
        $rows
            .iter()
            .filter_map(|record| if let Record::$kind(row) = record { Some(row.clone()) } else { None })
            .collect::<Vec<_>>()
    };
}

/// The start of a page.
#[derive(Clone, Copy)]
struct PageStart {
    org: Uuid,
    after: Uuid,
    limit: i64,
}

impl Unit {
    async fn page_rows<T: Table>(
        &mut self,
        name: &'static str,
        start: PageStart,
    ) -> Result<Vec<T>, StoreError> {
        let page = query_as::<_, Stored<T>>(T::PAGE).bind_all((start.org, start.after, start.limit));
        Ok(self.all(name, page).await?.into_iter().map(|row| row.0).collect())
    }

    async fn page_of<T: Table>(
        &mut self,
        name: &'static str,
        start: PageStart,
        record: fn(T) -> Record,
    ) -> Result<Vec<Record>, StoreError> {
        Ok(self.page_rows(name, start).await?.into_iter().map(record).collect())
    }

    async fn page_of_tasks(&mut self, start: PageStart) -> Result<Vec<Record>, StoreError> {
        let mut tasks: Vec<TaskRow> = self.page_rows("ws_tasks: page to export", start).await?;
        let ids: Vec<TaskId> = tasks.iter().map(|task| task.id).collect();
        let labels = query_as::<_, (Uuid, Uuid)>(concat!(
            "SELECT task_id, label_id FROM ws_task_labels WHERE org_id = $1 AND task_id IN ",
            ids_of!("$2"),
            " ORDER BY task_id, label_id"
        ))
        .bind_all((start.org, Json(ids)));
        // Both are in the order of the tasks' ids.
        let mut labels = self.all("ws_task_labels: page to export", labels).await?.into_iter().peekable();
        for task in &mut tasks {
            while let Some((_, label)) = labels.next_if(|(id, _)| *id == task.id.as_uuid()) {
                task.label_ids.push(label.into());
            }
        }
        Ok(tasks.into_iter().map(Record::Task).collect())
    }

    async fn restore_tasks(&mut self, scope: &OrgScope, rows: Vec<TaskRow>) -> Result<(), StoreError> {
        let org = scope.org().as_uuid();
        let parents: Vec<_> = rows.iter().filter_map(|row| Some((row.id, row.parent_id?))).collect();
        let labels: Vec<(TaskId, LabelId)> =
            rows.iter().flat_map(|row| row.label_ids.iter().map(|label| (row.id, *label))).collect();
        // The tasks have no parent at first, because a parent may come later.
        let rows: Vec<_> = rows.into_iter().map(|row| TaskRow { parent_id: None, ..row }).collect();
        self.insert_many("ws_tasks: restore", org, &rows, "").await?;
        for labels in labels.chunks(PORTION) {
            let mut insert = Statement::new("INSERT INTO ws_task_labels (org_id, task_id, label_id) ");
            push_rows(&mut insert, labels, |values, (task, label)| {
                values.push_bind(org).push_bind(task.as_uuid()).push_bind(label.as_uuid());
            });
            let keep = labels.len() == PORTION;
            self.execute_now("ws_task_labels: restore", insert.build(), keep).await?;
        }
        self.adopt(scope, &parents).await
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
        let start = PageStart {
            org: scope.org().as_uuid(),
            after: after.unwrap_or(Uuid::nil()),
            limit: i64::from(limit),
        };
        match kind {
            Kind::Member => self.page_of("ws_members: page to export", start, Record::Member).await,
            Kind::Project => self.page_of("ws_projects: page to export", start, Record::Project).await,
            Kind::Status => self.page_of("ws_statuses: page to export", start, Record::Status).await,
            Kind::Label => self.page_of("ws_labels: page to export", start, Record::Label).await,
            Kind::Task => self.page_of_tasks(start).await,
            Kind::Comment => self.page_of("ws_comments: page to export", start, Record::Comment).await,
            Kind::Activity => self.page_of("ws_activity: page to export", start, Record::Activity).await,
            Kind::Notification => {
                self.page_of("ws_notifications: page to export", start, Record::Notification).await
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
        self.insert_many(
            "ws_members: restore",
            org,
            &of_kind!(rows, Member),
            " ON CONFLICT (org_id, user_id)
              DO UPDATE SET role = excluded.role, version = excluded.version, joined_at = excluded.joined_at",
        )
        .await?;
        self.insert_many("ws_projects: restore", org, &of_kind!(rows, Project), "").await?;
        self.insert_many("ws_statuses: restore", org, &of_kind!(rows, Status), "").await?;
        self.insert_many("ws_labels: restore", org, &of_kind!(rows, Label), "").await?;
        self.restore_tasks(scope, of_kind!(rows, Task)).await?;
        self.insert_many("ws_comments: restore", org, &of_kind!(rows, Comment), "").await?;
        self.insert_many("ws_activity: restore", org, &of_kind!(rows, Activity), "").await?;
        let notifications = of_kind!(rows, Notification);
        let mut unread = BTreeMap::<Uuid, i64>::new();
        for row in notifications.iter().filter(|row| !row.is_read) {
            *unread.entry(row.user_id.as_uuid()).or_default() += 1;
        }
        self.insert_many("ws_notifications: restore", org, &notifications, "").await?;
        self.count_unread(org, unread).await?;
        self.flush().await
    }

    async fn adopt(&mut self, scope: &OrgScope, parents: &[(TaskId, TaskId)]) -> Result<(), StoreError> {
        if parents.is_empty() {
            return Ok(());
        }
        let ids: Vec<TaskId> = parents.iter().map(|(task, _)| *task).collect();
        // The ids are also bound as a list, so that the tasks are found by their index.
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
        .bind_all((scope, Json(parents.to_vec()), Json(ids)));
        self.execute("ws_tasks: adopt", update).await.map(drop)
    }
}
