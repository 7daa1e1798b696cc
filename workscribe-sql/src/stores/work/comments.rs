//! Comments, and the number of them that their task stores.

use async_trait::async_trait;
use sqlx::types::Uuid;
use sqlx::{FromRow, query, query_as};
use workscribe_core::clock::Timestamp;
use workscribe_core::id::{CommentId, TaskId};
use workscribe_core::page::PageRequest;
use workscribe_core::tenancy::OrgScope;
use workscribe_core::transfer::CommentRow;
use workscribe_core::work::{Comment, CommentStore, Document, Person};
use workscribe_core::{Constraint, StoreError, StoreResult, TargetIn};

use super::bind::BindAll as _;
use super::pending::{Statement, TASKS, Write};
use super::table::{At, Stored, insertion};
use super::{Unit, after};

/// A comment with its author; see `comment_select!`.
#[derive(FromRow)]
struct ShownRow {
    #[sqlx(flatten)]
    comment: Stored<CommentRow>,
    display_name: String,
    avatar_url: Option<String>,
}

impl From<ShownRow> for Comment {
    fn from(row: ShownRow) -> Self {
        let CommentRow { id, task_id, author_id, body, is_edited, version, created_at, updated_at } =
            row.comment.0;
        let author = Person { id: author_id, display_name: row.display_name, avatar_url: row.avatar_url };
        Self { id, task_id, author, body, is_edited, version, created_at, updated_at }
    }
}

#[async_trait]
impl CommentStore for Unit {
    async fn insert(&mut self, scope: &OrgScope, comment: &Comment, most: i64) -> StoreResult<()> {
        let (org, task) = (scope.org().as_uuid(), comment.task_id.as_uuid());
        let Comment { id, task_id, ref author, ref body, is_edited, version, created_at, updated_at } =
            *comment;
        let (author_id, body) = (author.id, body.clone());
        let row = CommentRow { id, task_id, author_id, body, is_edited, version, created_at, updated_at };
        let push = move |count: &mut Statement| {
            count
                .push("UPDATE ws_tasks SET comment_count = comment_count + 1 WHERE org_id = ")
                .push_bind(org);
            count.push(" AND id = ").push_bind(task).push(" AND comment_count < ").push_bind(most);
        };
        let updates = vec![(TASKS, task)];
        let count = Write { name: "ws_tasks: count a comment", rows: 1, updates, push: Box::new(push) };
        // Inserts of comments on the same task queue in the process, like inserts of tasks into the same project.
        self.wait_for_turn(task).await;
        self.write_later(insertion("ws_comments: insert", org, vec![row], "")).await?;
        if self.flush_with(count).await? > 0 {
            return Ok(());
        }
        let there = query_as::<_, (Uuid,)>("SELECT id FROM ws_tasks WHERE org_id = $1 AND id = $2")
            .bind_all((org, task));
        let is_there = self.optional("ws_tasks: find without room", there).await?.is_some();
        let constraint = if is_there { Constraint::Room } else { Constraint::Reference };
        Err(StoreError::conflict(constraint, "ws_tasks: count a comment"))
    }

    async fn find(&mut self, scope: &OrgScope, task: TaskId, id: CommentId) -> StoreResult<Option<Comment>> {
        let find = query_as::<_, ShownRow>(concat!(
            comment_select!(),
            "WHERE c.org_id = $1 AND c.task_id = $2 AND c.id = $3"
        ))
        .bind_all((scope, task, id));
        Ok(self.optional("ws_comments: find", find).await?.map(Comment::from))
    }

    async fn list(
        &mut self,
        scope: &OrgScope,
        task: TaskId,
        page: &PageRequest,
    ) -> StoreResult<Vec<Comment>> {
        let (at, id) = after(page);
        // Reads no bodies of comments after the end of the page, except one, which shows that a next page exists.
        let list = query_as::<_, ShownRow>(concat!(
            "SELECT ",
            comment_columns!(),
            ", u.display_name, u.avatar_url
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
        ))
        .bind_all((scope, task, at, id, page.fetch(), page.bytes()));
        Ok(self.all("ws_comments: list", list).await?.into_iter().map(Comment::from).collect())
    }

    async fn count(&mut self, scope: &OrgScope, task: TaskId) -> StoreResult<i64> {
        self.count_in::<CommentRow>("ws_comments: count", scope, task.as_uuid()).await
    }

    async fn update(
        &mut self,
        scope: &OrgScope,
        target: TargetIn<TaskId, CommentId>,
        body: &Document,
        now: Timestamp,
    ) -> StoreResult<bool> {
        let at = At::of(scope, target);
        let update = query(
            "UPDATE ws_comments SET body = $4, is_edited = TRUE, version = version + 1, updated_at = $5
              WHERE org_id = $1 AND task_id = $2 AND id = $3 AND ($6 IS NULL OR version = $6)",
        )
        .bind_all((at.org, at.parent, at.id, body.to_stored(), now, at.expected));
        let updated = self.execute("ws_comments: update", update).await? > 0;
        if !updated {
            self.refuse_stale_in::<CommentRow>(at).await?;
        }
        Ok(updated)
    }

    async fn delete(&mut self, scope: &OrgScope, target: TargetIn<TaskId, CommentId>) -> StoreResult<bool> {
        let at = At::of(scope, target);
        let deleted = self.delete_in::<CommentRow>("ws_comments: delete", at).await?;
        if deleted {
            let (org, task) = (at.org, at.parent);
            let push = move |count: &mut Statement| {
                count.push("UPDATE ws_tasks SET comment_count = comment_count - 1 WHERE org_id = ");
                count.push_bind(org).push(" AND id = ").push_bind(task);
            };
            let updates = vec![(TASKS, task)];
            let count = Write { name: "ws_tasks: count a comment", rows: 1, updates, push: Box::new(push) };
            self.write_later(count).await?;
        }
        Ok(deleted)
    }
}
