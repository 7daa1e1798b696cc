use async_trait::async_trait;
use sqlx::types::Uuid;
use sqlx::{FromRow, query, query_as};
use workscribe_core::clock::Timestamp;
use workscribe_core::id::{CommentId, TaskId};
use workscribe_core::page::PageRequest;
use workscribe_core::tenancy::OrgScope;
use workscribe_core::work::{Comment, CommentStore, Document};
use workscribe_core::{Constraint, StoreError};

use super::pending::{Statement, TASKS, Write, push_rows};
use super::{Ts, Unit, after, document, person};

#[derive(FromRow)]
struct CommentRow {
    id: Uuid,
    task_id: Uuid,
    author_id: Uuid,
    author_name: String,
    author_avatar_url: Option<String>,
    body: String,
    is_edited: bool,
    version: i64,
    created_at: Ts,
    updated_at: Ts,
}

impl TryFrom<CommentRow> for Comment {
    type Error = StoreError;

    fn try_from(row: CommentRow) -> Result<Self, StoreError> {
        Ok(Self {
            id: row.id.into(),
            task_id: row.task_id.into(),
            author: person(row.author_id, row.author_name, row.author_avatar_url),
            body: document("ws_comments", "body", &row.body)?,
            is_edited: row.is_edited,
            version: row.version,
            created_at: row.created_at.0,
            updated_at: row.updated_at.0,
        })
    }
}

#[async_trait]
impl CommentStore for Unit {
    async fn insert(&mut self, scope: &OrgScope, comment: &Comment, most: i64) -> Result<(), StoreError> {
        let (org, task, new) = (scope.org().as_uuid(), comment.task_id.as_uuid(), comment.clone());
        let push = move |insert: &mut Statement| {
            insert.push(
                "INSERT INTO ws_comments (org_id, id, task_id, author_id, body, is_edited, version, created_at, updated_at) ",
            );
            push_rows(insert, [new], |row, comment| {
                row.push_bind(org)
                    .push_bind(comment.id.as_uuid())
                    .push_bind(comment.task_id.as_uuid())
                    .push_bind(comment.author.id.as_uuid())
                    .push_bind(comment.body.to_stored())
                    .push_bind(comment.is_edited)
                    .push_bind(comment.version)
                    .push_bind(Ts(comment.created_at))
                    .push_bind(Ts(comment.updated_at));
            });
        };
        let insert = Write { name: "ws_comments: insert", rows: 1, updates: vec![], push: Box::new(push) };
        let push = move |count: &mut Statement| {
            count
                .push("UPDATE ws_tasks SET comment_count = comment_count + 1 WHERE org_id = ")
                .push_bind(org);
            count.push(" AND id = ").push_bind(task).push(" AND comment_count < ").push_bind(most);
        };
        let updates = vec![(TASKS, task)];
        let count = Write { name: "ws_tasks: count a comment", rows: 1, updates, push: Box::new(push) };
        // Those who comment on one task wait in the process, as those who number in one project.
        self.pass(task).await;
        self.write_later(insert).await?;
        if self.flush_with(count).await? > 0 {
            return Ok(());
        }
        let there = query_as::<_, (Uuid,)>("SELECT id FROM ws_tasks WHERE org_id = $1 AND id = $2")
            .bind(org)
            .bind(task);
        let is_there = self.optional("ws_tasks: find without room", there).await?.is_some();
        let constraint = if is_there { Constraint::Room } else { Constraint::Reference };
        Err(StoreError::conflict(constraint, "ws_tasks: count a comment"))
    }

    async fn find(
        &mut self,
        scope: &OrgScope,
        task: TaskId,
        id: CommentId,
    ) -> Result<Option<Comment>, StoreError> {
        let find = query_as::<_, CommentRow>(concat!(
            comment_select!(),
            "WHERE c.org_id = $1 AND c.task_id = $2 AND c.id = $3"
        ))
        .bind(scope.org().as_uuid())
        .bind(task.as_uuid())
        .bind(id.as_uuid());
        self.optional("ws_comments: find", find).await?.map(Comment::try_from).transpose()
    }

    async fn list(
        &mut self,
        scope: &OrgScope,
        task: TaskId,
        page: &PageRequest,
    ) -> Result<Vec<Comment>, StoreError> {
        let (at, id) = after(page);
        // Bodies past what the page shows stay where they are, but for one that tells of a next page.
        let list = query_as::<_, CommentRow>(
            "SELECT c.id, c.task_id, c.author_id, u.display_name AS author_name, u.avatar_url AS author_avatar_url, c.body,
                    c.is_edited, c.version, c.created_at, c.updated_at
               FROM (SELECT near.*, sum(octet_length(body)) OVER (
                                ORDER BY created_at, id ROWS BETWEEN UNBOUNDED PRECEDING AND 2 PRECEDING
                            ) AS bytes_before
                       FROM (SELECT * FROM ws_comments
                              WHERE org_id = $1 AND task_id = $2 AND (created_at, id) > ($3, $4)
                              ORDER BY created_at, id LIMIT $5) AS near
                    ) AS c
               JOIN ws_users u ON u.id = c.author_id
              WHERE c.bytes_before IS NULL OR c.bytes_before < $6
              ORDER BY c.created_at, c.id"
        )
        .bind(scope.org().as_uuid())
        .bind(task.as_uuid())
        .bind(at)
        .bind(id)
        .bind(page.fetch())
        .bind(i64::from(page.bytes()));
        self.all("ws_comments: list", list).await?.into_iter().map(Comment::try_from).collect()
    }

    async fn count(&mut self, scope: &OrgScope, task: TaskId) -> Result<i64, StoreError> {
        let count =
            query_as::<_, (i64,)>("SELECT count(*) FROM ws_comments WHERE org_id = $1 AND task_id = $2")
                .bind(scope.org().as_uuid())
                .bind(task.as_uuid());
        Ok(self.one("ws_comments: count", count).await?.0)
    }

    async fn update(
        &mut self,
        scope: &OrgScope,
        task: TaskId,
        id: CommentId,
        body: &Document,
        expected: Option<i64>,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let update = query(
            "UPDATE ws_comments SET body = $4, is_edited = TRUE, version = version + 1, updated_at = $5
              WHERE org_id = $1 AND task_id = $2 AND id = $3 AND ($6 IS NULL OR version = $6)",
        )
        .bind(scope.org().as_uuid())
        .bind(task.as_uuid())
        .bind(id.as_uuid())
        .bind(body.to_stored())
        .bind(Ts(now))
        .bind(expected);
        let updated = self.execute("ws_comments: update", update).await? > 0;
        if !updated {
            self.refuse_stale_comment(scope, task, id, expected).await?;
        }
        Ok(updated)
    }

    async fn delete(
        &mut self,
        scope: &OrgScope,
        task: TaskId,
        id: CommentId,
        expected: Option<i64>,
    ) -> Result<bool, StoreError> {
        let delete = query_as::<_, (i64,)>(
            "DELETE FROM ws_comments
              WHERE org_id = $1 AND task_id = $2 AND id = $3 AND ($4 IS NULL OR version = $4)
             RETURNING version",
        )
        .bind(scope.org().as_uuid())
        .bind(task.as_uuid())
        .bind(id.as_uuid())
        .bind(expected);
        let deleted = self.optional("ws_comments: delete", delete).await?.is_some();
        if deleted {
            let (org, task) = (scope.org().as_uuid(), task.as_uuid());
            let push = move |count: &mut Statement| {
                count.push("UPDATE ws_tasks SET comment_count = comment_count - 1 WHERE org_id = ");
                count.push_bind(org).push(" AND id = ").push_bind(task);
            };
            let updates = vec![(TASKS, task)];
            let count = Write { name: "ws_tasks: count a comment", rows: 1, updates, push: Box::new(push) };
            self.write_later(count).await?;
        }
        if !deleted {
            self.refuse_stale_comment(scope, task, id, expected).await?;
        }
        Ok(deleted)
    }
}

impl Unit {
    async fn refuse_stale_comment(
        &mut self,
        scope: &OrgScope,
        task: TaskId,
        id: CommentId,
        expected: Option<i64>,
    ) -> Result<(), StoreError> {
        let current =
            query_as("SELECT version FROM ws_comments WHERE org_id = $1 AND task_id = $2 AND id = $3")
                .bind(scope.org().as_uuid())
                .bind(task.as_uuid())
                .bind(id.as_uuid());
        self.refuse_stale("ws_comments: version", expected, current).await
    }
}
