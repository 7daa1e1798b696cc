//! Comments on tasks.

use serde_json::Value;

use crate::error::{Code, Error, Result, Violations};
use crate::events::DomainEvent;
use crate::id::CommentId;
use crate::limits::Limit;
use crate::page::{Cursor, ITEM_BYTES, Page, PageRequest};
use crate::storage::UnitOfWork;
use crate::store_error::{Constraint, StoreError};
use crate::target::{Target, expect_version};
use crate::tenancy::{Action, In};

use super::comment::Comment;
use super::document::Document;
use super::record::{Change, Trail, index_comment, writable};
use super::task::Task;
use super::tasks::{Tasks, no_such_task};

impl Tasks<'_> {
    /// The comments of a task, oldest first. A page ends early when it reaches [`Limit::PageBytes`].
    ///
    /// # Errors
    /// `INSUFFICIENT_ROLE`.
    pub async fn comments(
        &self,
        uow: &mut dyn UnitOfWork,
        at: &In<Task>,
        page: &PageRequest,
    ) -> Result<Page<Comment>> {
        let scope = at.scope();
        self.view(scope)?;
        let page = &page.within(self.app.limits().of(Limit::PageBytes));
        let rows = uow.comments().list(scope, at.id, page).await?;
        let total = if page.wants_count() { Some(uow.comments().count(scope, at.id).await?) } else { None };
        let key = |comment: &Comment| Cursor { at: comment.created_at, id: comment.id.into() };
        Ok(page.page_of(rows, total, key, |comment| ITEM_BYTES + comment.body.to_stored().len()))
    }

    /// Adds a comment to a task. Members whom it mentions get a notification.
    ///
    /// # Errors
    /// `INSUFFICIENT_ROLE`, `VALIDATION_FAILED`, `PROJECT_ARCHIVED`, `TASK_NOT_FOUND`, `LIMIT_REACHED`.
    pub async fn comment(&self, uow: &mut dyn UnitOfWork, at: &In<Task>, body: Value) -> Result<Comment> {
        let scope = at.scope();
        self.edit(scope)?;
        writable(at.project_is_archived)?;
        let body = document(body)?;
        let mut trail = Trail::new(self.app, at);
        let now = trail.now();
        let comment = Comment {
            id: self.app.new_id(),
            task_id: at.id,
            author: at.person(uow).await?,
            body,
            is_edited: false,
            version: 1,
            created_at: now,
            updated_at: now,
        };
        trail.mentioned(uow, at, &comment, comment.body.mentions()).await?;
        // Rows that nobody reads before the commit come first: the storage may write them together with the comment.
        index_comment(uow, scope, &comment).await?;
        let event = DomainEvent::CommentCreated { task: Task::clone(at), comment: comment.clone() };
        trail.happened(event, [Change::new(comment.body.plain_text())]);
        trail.write_entries(uow).await?;
        let most = i64::from(self.app.limits().of(Limit::CommentsPerTask));
        uow.comments().insert(scope, &comment, most).await.map_err(|error| match error {
            StoreError::Conflict { constraint: Constraint::Reference, .. } => no_such_task(),
            StoreError::Conflict { constraint: Constraint::Room, .. } => {
                self.app.limits().reached(Limit::CommentsPerTask)
            }
            other => other.into(),
        })?;
        trail.write(uow).await?;
        Ok(comment)
    }

    /// Changes a comment of the caller. Members whom only the new text mentions get a notification.
    ///
    /// # Errors
    /// `INSUFFICIENT_ROLE` for a comment of somebody else, `VALIDATION_FAILED`, `PROJECT_ARCHIVED`, `COMMENT_NOT_FOUND`,
    /// `STALE_VERSION`.
    pub async fn update_comment(
        &self,
        uow: &mut dyn UnitOfWork,
        at: &In<Task>,
        comment: Target<CommentId>,
        body: Option<Value>,
    ) -> Result<Comment> {
        let (scope, Target { id, version }) = (at.scope(), comment);
        self.edit(scope)?;
        let before = uow.comments().find(scope, at.id, id).await?.ok_or_else(no_such_comment)?;
        if before.author.id != at.actor() {
            return Err(Error::new(Code::InsufficientRole, "Only its author can change a comment.")
                .with_param("role", scope.role().as_str()));
        }
        writable(at.project_is_archived)?;
        let body = match body {
            Some(body) => document(body)?,
            None => before.body.clone(),
        };
        if body == before.body {
            expect_version(version, before.version)?;
            return Ok(before);
        }
        let mut trail = Trail::new(self.app, at);
        if !uow.comments().update(scope, comment.within(at.id), &body, trail.now()).await? {
            return Err(no_such_comment());
        }
        let after = uow.comments().find(scope, at.id, id).await?.ok_or_else(no_such_comment)?;
        index_comment(uow, scope, &after).await?;
        let text = |comment: &Comment| Some(comment.body.plain_text());
        let change = Change::of("body_json", text(&before), text(&after));
        trail.happened(
            DomainEvent::CommentUpdated { task: Task::clone(at), comment: after.clone() },
            [change],
        );
        trail.write_entries(uow).await?;
        let known = before.body.mentions();
        let new: Vec<_> = after.body.mentions().into_iter().filter(|user| !known.contains(user)).collect();
        trail.mentioned(uow, at, &after, new).await?;
        trail.write(uow).await?;
        Ok(after)
    }

    /// Removes a comment.
    ///
    /// # Errors
    /// `INSUFFICIENT_ROLE` unless the caller is the author or an admin, `PROJECT_ARCHIVED`, `COMMENT_NOT_FOUND`, `STALE_VERSION`.
    pub async fn delete_comment(
        &self,
        uow: &mut dyn UnitOfWork,
        at: &In<Task>,
        comment: Target<CommentId>,
    ) -> Result<()> {
        let (scope, target) = (at.scope(), comment.within(at.id));
        self.edit(scope)?;
        let comment = uow.comments().find(scope, at.id, target.id).await?.ok_or_else(no_such_comment)?;
        if comment.author.id != at.actor() {
            scope.require(self.app.authorizer(), Action::ModerateWork)?;
        }
        writable(at.project_is_archived)?;
        uow.search().remove(scope, target.id.into()).await?;
        if !uow.comments().delete(scope, target).await? {
            return Err(no_such_comment());
        }
        let mut trail = Trail::new(self.app, at);
        let text = Change::old(comment.body.plain_text());
        trail.happened(DomainEvent::CommentDeleted { task: Task::clone(at), comment }, [text]);
        trail.write(uow).await
    }
}

fn document(body: Value) -> Result<Document> {
    let mut violations = Violations::default();
    let document = violations.keep("/body_json", Document::parse(body));
    violations.into_values(document)
}

fn no_such_comment() -> Error {
    Error::new(Code::CommentNotFound, "This task has no comment with this id.")
}
