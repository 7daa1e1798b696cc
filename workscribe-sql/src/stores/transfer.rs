//! The export and import of whole organizations, row by row.

use std::collections::BTreeMap;

use async_trait::async_trait;
use sqlx::types::{Json, Uuid};
use sqlx::{query, query_as};
use workscribe_core::id::{LabelId, TaskId, UserId};
use workscribe_core::identity::Email;
use workscribe_core::tenancy::{OrgScope, Slug};
use workscribe_core::transfer::{self, Kind, Record, TaskRow, TransferStore, UserRow};
use workscribe_core::work::RelationType;
use workscribe_core::{StoreResult, every_row};

use super::Unit;
use super::bind::BindAll as _;
use super::pending::{Statement, push_rows};
use super::table::{PORTION, Stored, Table};

/// Reads a page of the rows of a kind.
macro_rules! page_of_kind {
    ($($(#[$doc:meta])* $kind:ident($row:ident) $($many:ident)? $(, $name:literal)?;)+) => {
        impl Unit {
            async fn page_of(&mut self, kind: Kind, start: PageStart) -> StoreResult<Vec<Record>> {
                Ok(match kind {
                    $(Kind::$kind => {
                        let rows = self.page_rows::<transfer::$row>(start).await?;
                        rows.into_iter().map(Record::$kind).collect()
                    })+
                })
            }

            /// Adds rows, kind by kind.
            async fn restore_rows(&mut self, org: Uuid, mut records: Vec<Record>) -> StoreResult<()> {
                $(
                    let (mut rows, mut others) = (Vec::new(), Vec::new());
                    for record in records {
                        match record {
                            Record::$kind(row) => rows.push(row),
                            other => others.push(other),
                        }
                    }
                    self.restore_all(org, &rows).await?;
                    records = others;
                )+
                drop(records);
                Ok(())
            }
        }
    };
}

every_row!(page_of_kind);

/// The start of a page.
#[derive(Clone, Copy)]
struct PageStart {
    org: Uuid,
    after: Uuid,
    limit: i64,
}

impl Unit {
    async fn page_rows<T: Table>(&mut self, start: PageStart) -> StoreResult<Vec<T>> {
        let page = query_as::<_, Stored<T>>(T::PAGE).bind_all((start.org, start.after, start.limit));
        Ok(self.all(T::NAME_OF_PAGE, page).await?.into_iter().map(|row| row.0).collect())
    }

    /// Gives the tasks of a page their labels.
    async fn label_page(&mut self, org: Uuid, records: &mut [Record]) -> StoreResult<()> {
        let tasks = records.iter_mut().filter_map(|record| match record {
            Record::Task(task) => Some(task),
            _ => None,
        });
        let tasks: Vec<&mut TaskRow> = tasks.collect();
        if tasks.is_empty() {
            return Ok(());
        }
        let ids: Vec<TaskId> = tasks.iter().map(|task| task.id).collect();
        let labels = query_as::<_, (Uuid, Uuid)>(concat!(
            "SELECT task_id, label_id FROM ws_task_labels WHERE org_id = $1 AND task_id IN ",
            ids_of!("$2"),
            " ORDER BY task_id, label_id"
        ))
        .bind_all((org, Json(ids)));
        // Both are in the order of the tasks' ids.
        let mut labels = self.all("ws_task_labels: page to export", labels).await?.into_iter().peekable();
        for task in tasks {
            while let Some((_, label)) = labels.next_if(|(id, _)| *id == task.id.as_uuid()) {
                task.label_ids.push(label.into());
            }
        }
        Ok(())
    }

    /// Adds the labels of restored tasks.
    async fn restore_labels(&mut self, org: Uuid, tasks: &[&TaskRow]) -> StoreResult<()> {
        let labels = tasks.iter().flat_map(|task| task.label_ids.iter().map(|label| (task.id, *label)));
        for labels in labels.collect::<Vec<(TaskId, LabelId)>>().chunks(PORTION) {
            let mut insert = Statement::new("INSERT INTO ws_task_labels (org_id, task_id, label_id) ");
            push_rows(&mut insert, labels, |values, (task, label)| {
                values.push_bind(org).push_bind(task.as_uuid()).push_bind(label.as_uuid());
            });
            let keep = labels.len() == PORTION;
            self.execute_now("ws_task_labels: restore", insert.build(), keep).await?;
        }
        Ok(())
    }
}

#[async_trait]
impl TransferStore for Unit {
    async fn first_owner(&mut self, slug: &Slug) -> StoreResult<Option<UserId>> {
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
    ) -> StoreResult<Vec<Record>> {
        let start = PageStart {
            org: scope.org().as_uuid(),
            after: after.unwrap_or(Uuid::nil()),
            limit: i64::from(limit),
        };
        let mut records = self.page_of(kind, start).await?;
        self.label_page(start.org, &mut records).await?;
        Ok(records)
    }

    async fn people(&mut self, users: &[UserId]) -> StoreResult<Vec<UserRow>> {
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

    async fn restore(&mut self, scope: &OrgScope, rows: &[Record]) -> StoreResult<()> {
        let org = scope.org().as_uuid();
        // Each task without its parent at first, which may follow.
        let bare = rows.iter().cloned().map(|row| match row {
            Record::Task(task) => Record::Task(TaskRow { parent_id: None, ..task }),
            other => other,
        });
        self.restore_rows(org, bare.collect()).await?;
        let (mut tasks, mut blocked, mut unread) = (Vec::new(), Vec::new(), BTreeMap::<Uuid, i64>::new());
        for row in rows {
            match row {
                Record::Task(row) => tasks.push(row),
                Record::Relation(row) if row.kind == RelationType::Blocks => blocked.push(row.target_id),
                Record::Notification(row) if !row.is_read => {
                    *unread.entry(row.user_id.as_uuid()).or_default() += 1;
                }
                _ => {}
            }
        }
        self.restore_labels(org, &tasks).await?;
        let parents: Vec<_> = tasks.iter().filter_map(|row| Some((row.id, row.parent_id?))).collect();
        self.adopt(scope, &parents).await?;
        self.note_blockers(org, &blocked).await?;
        self.count_unread(org, unread).await?;
        self.flush().await
    }

    async fn adopt(&mut self, scope: &OrgScope, parents: &[(TaskId, TaskId)]) -> StoreResult<()> {
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
