//! Comments on tasks.

use std::sync::Arc;

use async_trait::async_trait;
use workscribe_core::clock::Timestamp;
use workscribe_core::id::{CommentId, OrgId, TaskId, UserId};
use workscribe_core::page::PageRequest;
use workscribe_core::tenancy::OrgScope;
use workscribe_core::work::{Comment, CommentStore, Document};
use workscribe_core::{Constraint, StoreError};

use super::{MemoryUnit, Tables, conflict, expect_version, page_of, taken_key};

#[derive(Clone)]
pub(super) struct Row {
    pub(super) id: CommentId,
    pub(super) task_id: TaskId,
    pub(super) author: UserId,
    pub(super) body: Document,
    pub(super) is_edited: bool,
    pub(super) version: i64,
    pub(super) created_at: Timestamp,
    pub(super) updated_at: Timestamp,
}

impl Tables {
    pub(super) fn comments_of(&self, org: OrgId, task: TaskId) -> impl Iterator<Item = &Row> {
        let of_org = self.comments.iter().filter(move |((other, _), _)| *other == org);
        of_org.map(|(_, row)| &**row).filter(move |row| row.task_id == task)
    }

    fn comment(&self, row: &Row) -> Option<Comment> {
        Some(Comment {
            id: row.id,
            task_id: row.task_id,
            author: self.person(row.author)?,
            body: row.body.clone(),
            is_edited: row.is_edited,
            version: row.version,
            created_at: row.created_at,
            updated_at: row.updated_at,
        })
    }

    fn comment_mut(&mut self, org: OrgId, task: TaskId, id: CommentId) -> Option<&mut Row> {
        self.comments.get_mut(&(org, id)).filter(|row| row.task_id == task).map(Arc::make_mut)
    }
}

#[async_trait]
impl CommentStore for MemoryUnit {
    async fn insert(&mut self, scope: &OrgScope, comment: &Comment, most: i64) -> Result<(), StoreError> {
        let org = scope.org();
        self.change(|tables| {
            if tables.comments.contains_key(&(org, comment.id)) {
                return Err(taken_key());
            }
            if !tables.tasks.contains_key(&(org, comment.task_id)) {
                return Err(conflict(Constraint::Reference));
            }
            tables.require_user(comment.author.id)?;
            if tables.comments_of(org, comment.task_id).count() as i64 >= most {
                return Err(conflict(Constraint::Room));
            }
            let row = Row {
                id: comment.id,
                task_id: comment.task_id,
                author: comment.author.id,
                body: comment.body.clone(),
                is_edited: comment.is_edited,
                version: comment.version,
                created_at: comment.created_at,
                updated_at: comment.updated_at,
            };
            tables.comments.insert((org, comment.id), Arc::new(row));
            Ok(())
        })
        .await
    }

    async fn find(
        &mut self,
        scope: &OrgScope,
        task: TaskId,
        id: CommentId,
    ) -> Result<Option<Comment>, StoreError> {
        self.view(|tables| {
            let row = tables.comments_of(scope.org(), task).find(|row| row.id == id)?;
            tables.comment(row)
        })
        .await
    }

    async fn list(
        &mut self,
        scope: &OrgScope,
        task: TaskId,
        page: &PageRequest,
    ) -> Result<Vec<Comment>, StoreError> {
        self.view(|tables| {
            let comments = tables.comments_of(scope.org(), task).filter_map(|row| tables.comment(row));
            page_of(comments, page, false, |comment| (comment.created_at, comment.id.into()))
        })
        .await
    }

    async fn count(&mut self, scope: &OrgScope, task: TaskId) -> Result<i64, StoreError> {
        self.view(|tables| tables.comments_of(scope.org(), task).count() as i64).await
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
        self.change(|tables| {
            let Some(row) = tables.comment_mut(scope.org(), task, id) else { return Ok(false) };
            expect_version(expected, row.version)?;
            row.body = body.clone();
            row.is_edited = true;
            row.version += 1;
            row.updated_at = now;
            Ok(true)
        })
        .await
    }

    async fn delete(
        &mut self,
        scope: &OrgScope,
        task: TaskId,
        id: CommentId,
        expected: Option<i64>,
    ) -> Result<bool, StoreError> {
        self.change(|tables| {
            let Some(row) = tables.comment_mut(scope.org(), task, id) else { return Ok(false) };
            expect_version(expected, row.version)?;
            Ok(tables.comments.remove(&(scope.org(), id)).is_some())
        })
        .await
    }
}
