//! Comments on tasks over HTTP, and what happened.

use poem_openapi::OpenApi;
use poem_openapi::param::{Header, Path};
use workscribe_core::Code::CommentNotFound;
use workscribe_core::WorkScribe;
use workscribe_core::id::{CommentId, TaskId};

use crate::auth::BearerAuth;
use crate::body::Body;
use crate::once::Once;
use crate::problem::refuses::{ARCHIVED, CREATES, IN_ORGANIZATION, STALE, WITH_TASK};
use crate::problem::{ApiResult, codes};
use crate::query::{Asked, Id, PageCount, PageCursor, PageLimit, only_page};
use crate::reply::{Created, NoContent, Reply, Versioned};
use crate::tags::Tags;
use crate::wire::{IdempotencyKey, IfMatch, Slug};

use super::dto::{ActivityList, Comment, CommentList, CreateCommentRequest, UpdateCommentRequest};

/// Comments on tasks, and what happened.
pub struct CommentsApi {
    app: WorkScribe,
}

impl CommentsApi {
    /// The API of an application.
    #[must_use]
    pub fn new(app: &WorkScribe) -> Self {
        Self { app: app.clone() }
    }
}

#[OpenApi(prefix_path = "/api/v1", tag = "Tags::Tasks")]
impl CommentsApi {
    /// List a task's comments
    #[oai(path = "/tasks/:task_id/comments", method = "get", operation_id = "listComments")]
    async fn list(
        &self,
        auth: BearerAuth,
        task_id: Path<Id<TaskId>>,
        limit: Asked<PageLimit>,
        cursor: Asked<PageCursor>,
        count: Asked<PageCount>,
    ) -> ApiResult<Reply<CommentList>, WITH_TASK> {
        let page = only_page(limit, cursor, count)?;
        let mut uow = auth.read(&self.app).await?;
        let at = auth.enter_task(&mut *uow, &task_id).await?;
        let found = self.app.tasks().comments(&mut *uow, &at, &page).await?;
        Ok(Reply::new(found))
    }

    /// Comment on a task
    ///
    /// Members whom it mentions are told.
    #[oai(path = "/tasks/:task_id/comments", method = "post", operation_id = "createComment")]
    async fn create(
        &self,
        auth: BearerAuth,
        task_id: Path<Id<TaskId>>,
        #[oai(name = "Idempotency-Key")] key: Header<Option<IdempotencyKey>>,
        body: Body<CreateCommentRequest>,
    ) -> ApiResult<Created<Comment>, { WITH_TASK | ARCHIVED | CREATES }> {
        let once = Once::new(&self.app, &auth, key, "createComment", &body).on_task(&task_id).await?;
        let made = once.run(|mut uow| async move {
            let at = auth.enter_task(&mut *uow, &task_id).await?;
            let comment = self.app.tasks().comment(&mut *uow, &at, body.0).await?;
            let location = format!("{}/comments/{}", super::location(at.id), comment.id);
            Ok((uow, Created::new(comment, location)))
        });
        Ok(made.await?)
    }

    /// Change a comment
    ///
    /// Members whom it mentions now and did not before are told. For its author.
    #[oai(path = "/tasks/:task_id/comments/:comment_id", method = "patch", operation_id = "updateComment")]
    async fn update(
        &self,
        auth: BearerAuth,
        task_id: Path<Id<TaskId>>,
        comment_id: Path<Id<CommentId>>,
        #[oai(name = "If-Match")] condition: Header<Option<IfMatch>>,
        body: Body<UpdateCommentRequest>,
    ) -> ApiResult<Versioned<Comment>, { WITH_TASK | ARCHIVED | STALE | codes(&[CommentNotFound]) }> {
        let mut uow = auth.begin(&self.app).await?;
        let at = auth.enter_task(&mut *uow, &task_id).await?;
        let comment = comment_id.target(&condition)?;
        let updated = self.app.tasks().update_comment(&mut *uow, &at, comment, body.0).await?;
        self.app.commit(uow).await?;
        Ok(Versioned::new(updated))
    }

    /// Remove a comment
    ///
    /// For its author, admins and owners.
    #[oai(path = "/tasks/:task_id/comments/:comment_id", method = "delete", operation_id = "deleteComment")]
    async fn delete(
        &self,
        auth: BearerAuth,
        task_id: Path<Id<TaskId>>,
        comment_id: Path<Id<CommentId>>,
        #[oai(name = "If-Match")] condition: Header<Option<IfMatch>>,
    ) -> ApiResult<NoContent, { WITH_TASK | ARCHIVED | STALE | codes(&[CommentNotFound]) }> {
        let mut uow = auth.begin(&self.app).await?;
        let at = auth.enter_task(&mut *uow, &task_id).await?;
        let comment = comment_id.target(&condition)?;
        self.app.tasks().delete_comment(&mut *uow, &at, comment).await?;
        self.app.commit(uow).await?;
        Ok(NoContent::Done)
    }

    /// List what happened to a task
    ///
    /// The newest first.
    #[oai(path = "/tasks/:task_id/activity", method = "get", operation_id = "listTaskActivity")]
    async fn task_activity(
        &self,
        auth: BearerAuth,
        task_id: Path<Id<TaskId>>,
        limit: Asked<PageLimit>,
        cursor: Asked<PageCursor>,
        count: Asked<PageCount>,
    ) -> ApiResult<Reply<ActivityList>, WITH_TASK> {
        let page = only_page(limit, cursor, count)?;
        let mut uow = auth.read(&self.app).await?;
        let at = auth.enter_task(&mut *uow, &task_id).await?;
        Ok(Reply::new(self.app.tasks().activity(&mut *uow, at.scope(), Some(at.id), &page).await?))
    }

    /// List what happened in an organization
    ///
    /// The newest first, also to what is gone.
    #[oai(path = "/organizations/:slug/activity", method = "get", operation_id = "listActivity")]
    async fn activity(
        &self,
        auth: BearerAuth,
        slug: Path<Slug>,
        limit: Asked<PageLimit>,
        cursor: Asked<PageCursor>,
        count: Asked<PageCount>,
    ) -> ApiResult<Reply<ActivityList>, IN_ORGANIZATION> {
        let page = only_page(limit, cursor, count)?;
        let mut uow = auth.read(&self.app).await?;
        let at = auth.enter(&mut *uow, &slug).await?;
        Ok(Reply::new(self.app.tasks().activity(&mut *uow, at.scope(), None, &page).await?))
    }
}
