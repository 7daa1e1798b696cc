use serde_json::Value;

use crate::error::{Code, Error, Violations};
use crate::events::DomainEvent;
use crate::id::CommentId;
use crate::identity::Person;
use crate::limits::Limit;
use crate::page::{Cursor, ITEM_BYTES, Page, PageRequest};
use crate::storage::UnitOfWork;
use crate::store_error::{Constraint, StoreError};
use crate::tenancy::{Action, OrgScope};

use super::document::Document;
use super::history::{ActivityAction, Comment};
use super::record::{Change, Trail, index_comment, writable};
use super::task::Task;
use super::tasks::{Tasks, no_such_task};

impl Tasks<'_> {
    /// A task's comments, by age. A page ends early where it has [`Limit::PageBytes`].
    ///
    /// # Errors
    /// `INSUFFICIENT_ROLE`.
    pub async fn comments(
        &self,
        uow: &mut dyn UnitOfWork,
        scope: &OrgScope,
        task: &Task,
        page: &PageRequest,
    ) -> Result<Page<Comment>, Error> {
        self.view(scope)?;
        let page = &page.within(self.app.limits().of(Limit::PageBytes));
        let rows = uow.comments().list(scope, task.id, page).await?;
        let total = if page.wants_count() { Some(uow.comments().count(scope, task.id).await?) } else { None };
        let key = |comment: &Comment| Cursor { at: comment.created_at, id: comment.id.into() };
        Ok(page.page_of(rows, total, key, |comment| ITEM_BYTES + comment.body.to_stored().len()))
    }

    /// Comments on a task. Members whom it mentions are told.
    ///
    /// # Errors
    /// `INSUFFICIENT_ROLE`, `VALIDATION_FAILED`, `PROJECT_ARCHIVED`, `TASK_NOT_FOUND`, `LIMIT_REACHED`.
    pub async fn comment(
        &self,
        uow: &mut dyn UnitOfWork,
        scope: &OrgScope,
        author: &Person,
        task: &Task,
        body: Value,
    ) -> Result<Comment, Error> {
        self.edit(scope)?;
        writable(task.project_is_archived)?;
        let body = document(body)?;
        let mut trail = Trail::new(self.app, scope);
        let now = trail.now();
        let comment = Comment {
            id: self.app.new_id(),
            task_id: task.id,
            author: author.clone(),
            body,
            is_edited: false,
            version: 1,
            created_at: now,
            updated_at: now,
        };
        let mut told = Trail::new(self.app, scope);
        told.mentioned(uow, task, &comment, comment.body.mentions()).await?;
        // What nobody reads before the commit comes first: the storage may write it together with the comment.
        index_comment(uow, scope, &comment).await?;
        let change = Change::new(readable(&comment.body));
        trail.task(ActivityAction::CommentCreated, task.project_id, task.id, change);
        trail.write(uow).await?;
        let most = i64::from(self.app.limits().of(Limit::CommentsPerTask));
        uow.comments().insert(scope, &comment, most).await.map_err(|error| match error {
            StoreError::Conflict { constraint: Constraint::Reference } => no_such_task(),
            StoreError::Conflict { constraint: Constraint::Room } => {
                self.app.limits().reached(Limit::CommentsPerTask)
            }
            other => other.into(),
        })?;
        told.write(uow).await?;
        let event = DomainEvent::CommentCreated { task: task.clone(), comment: comment.clone() };
        self.app.announce(uow, scope, &event).await?;
        Ok(comment)
    }

    /// Changes one's own comment. Members whom it mentions now and did not before are told.
    ///
    /// # Errors
    /// `INSUFFICIENT_ROLE` for a comment of somebody else, `VALIDATION_FAILED`, `PROJECT_ARCHIVED`, `COMMENT_NOT_FOUND`,
    /// `STALE_VERSION`.
    pub async fn update_comment(
        &self,
        uow: &mut dyn UnitOfWork,
        scope: &OrgScope,
        task: &Task,
        id: CommentId,
        body: Option<Value>,
        expected: Option<i64>,
    ) -> Result<Comment, Error> {
        self.edit(scope)?;
        let before = uow.comments().find(scope, task.id, id).await?.ok_or_else(no_such_comment)?;
        if before.author.id != scope.actor() {
            return Err(Error::new(Code::InsufficientRole, "Only its author can change a comment.")
                .with_param("role", scope.role().as_str()));
        }
        writable(task.project_is_archived)?;
        let body = match body {
            Some(body) => document(body)?,
            None => before.body.clone(),
        };
        if body == before.body {
            let stale = expected.is_some_and(|version| version != before.version);
            return if stale { Err(StoreError::StaleVersion.into()) } else { Ok(before) };
        }
        let mut trail = Trail::new(self.app, scope);
        if !uow.comments().update(scope, task.id, id, &body, expected, trail.now()).await? {
            return Err(no_such_comment());
        }
        let after = uow.comments().find(scope, task.id, id).await?.ok_or_else(no_such_comment)?;
        index_comment(uow, scope, &after).await?;
        let change = Change::of("body_json", Some(readable(&before.body)), Some(readable(&after.body)));
        trail.task(ActivityAction::CommentUpdated, task.project_id, task.id, change);
        let known = before.body.mentions();
        let new: Vec<_> = after.body.mentions().into_iter().filter(|user| !known.contains(user)).collect();
        trail.mentioned(uow, task, &after, new).await?;
        trail.write(uow).await?;
        let event = DomainEvent::CommentUpdated { task: task.clone(), comment: after.clone() };
        self.app.announce(uow, scope, &event).await?;
        Ok(after)
    }

    /// Removes a comment.
    ///
    /// # Errors
    /// `INSUFFICIENT_ROLE` unless one wrote it or is an admin, `PROJECT_ARCHIVED`, `COMMENT_NOT_FOUND`, `STALE_VERSION`.
    pub async fn delete_comment(
        &self,
        uow: &mut dyn UnitOfWork,
        scope: &OrgScope,
        task: &Task,
        id: CommentId,
        expected: Option<i64>,
    ) -> Result<(), Error> {
        self.edit(scope)?;
        let comment = uow.comments().find(scope, task.id, id).await?.ok_or_else(no_such_comment)?;
        if comment.author.id != scope.actor() {
            scope.require(self.app.authorizer(), Action::ModerateWork)?;
        }
        writable(task.project_is_archived)?;
        uow.search().remove(scope, id.into()).await?;
        if !uow.comments().delete(scope, task.id, id, expected).await? {
            return Err(no_such_comment());
        }
        let mut trail = Trail::new(self.app, scope);
        let change = Change::old(readable(&comment.body));
        trail.task(ActivityAction::CommentDeleted, task.project_id, task.id, change);
        trail.write(uow).await?;
        self.app.announce(uow, scope, &DomainEvent::CommentDeleted { task: task.clone(), comment }).await
    }
}

fn document(body: Value) -> Result<Document, Error> {
    let mut violations = Violations::default();
    let document = violations.keep("/body_json", Document::parse(body));
    violations.into_result()?;
    document.ok_or_else(|| Error::internal("a fault was not noted"))
}

fn readable(body: &Document) -> String {
    body.plain_text()
}

fn no_such_comment() -> Error {
    Error::new(Code::CommentNotFound, "This task has no comment with this id.")
}
