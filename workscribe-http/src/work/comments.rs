//! Comments on tasks over HTTP.

use serde_json::Value;
use workscribe_core::Code::CommentNotFound;
use workscribe_core::id::{CommentId, TaskId};
use workscribe_core::work;

use super::tasks::{Person, location};
use crate::prelude::*;

api! {
    /// Comments on tasks.
    CommentsApi
}

#[OpenApi(prefix_path = "/api/v1", tag = "Tags::Tasks")]
impl CommentsApi {
    /// List a task's comments
    ///
    /// Returns the comments, oldest first. A page that reaches the limit `page_bytes` ends early.
    #[oai(path = "/tasks/:task_id/comments", method = "get", operation_id = "listComments")]
    async fn list(
        &self,
        auth: BearerAuth,
        task_id: Path<Id<TaskId>>,
        page: Asked<Paging>,
    ) -> ApiResult<Reply<CommentList>, WITH_TASK> {
        let mut uow = auth.read(&self.app).await?;
        let at = auth.enter_task(&mut *uow, &task_id).await?;
        let found = self.app.tasks().comments(&mut *uow, &at, &page).await?;
        Ok(Reply::new(found))
    }

    /// Comment on a task
    ///
    /// Adds a comment. Each member whom it mentions gets a notification.
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
            let location = format!("{}/comments/{}", location(at.id), comment.id);
            Ok((uow, Created::new(comment, location)))
        });
        Ok(made.await?)
    }

    /// Update a comment
    ///
    /// Replaces the text of a comment. Members whom only the new text mentions get a notification. Requires the author.
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

    /// Delete a comment
    ///
    /// Removes the comment from the task. Requires its author, an admin or an owner.
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
}

answers! {
    /// A comment on a task.
    Comment of comment: work::Comment {
        /// The id of the comment.
        id: Uuid,
        /// The id of the task.
        task_id: Uuid,
        /// The id of the author.
        author_id: Uuid = comment.author.id,
        /// The author.
        author: Person,
        /// The text.
        body_json: RichText = comment.body,
        /// Whether the text was changed.
        is_edited: bool,
        /// When the comment was created.
        created_at: Time,
        /// When the comment was last changed.
        updated_at: Time,
    }
}

lists! {
    /// A page of comments, oldest first.
    CommentList {
        /// The comments.
        comments: Comment
    }
}

inputs! {
    /// A new comment.
    CreateCommentRequest {
        /// A ProseMirror document, or any other JSON object: at most 256 KiB, nested at most 64 deep. A node of the type `mention`
        /// notifies the member whose user id is its `attrs.id`.
        body_json: Required<RichText>,
    } => Value = body_json;

    /// A change of a comment. A field that is left out does not change.
    UpdateCommentRequest {
        /// The new text, with the same rules as for a new comment.
        body_json: Patch<RichText>,
    } => Option<Value> = body_json;
}
