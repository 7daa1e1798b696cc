use poem_openapi::OpenApi;
use poem_openapi::param::{Header, Path, Query};
use workscribe_core::id::CommentId;
use workscribe_core::{Code, Error, WorkScribe, page, work};

use crate::auth::BearerAuth;
use crate::body::{Body, not_null};
use crate::once::{self, Begun, Made, Place};
use crate::problem::ApiResult;
use crate::query::page;
use crate::reply::{Created, NoContent, Reply, Versioned, if_match};
use crate::tags::Tags;

use super::dto::{Activity, ActivityList, Comment, CommentList, CreateCommentRequest, UpdateCommentRequest};

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

fn comment_id(text: &str) -> Result<CommentId, Error> {
    text.parse().map_err(|_| Error::new(Code::CommentNotFound, "This task has no comment with this id."))
}

fn activity(found: page::Page<work::Activity>) -> Reply<ActivityList> {
    let activity = found.items.into_iter().map(Activity::from).collect();
    Reply::new(ActivityList { activity, next_cursor: found.next_cursor, total: found.total })
}

#[OpenApi(prefix_path = "/api/v1", tag = "Tags::Tasks")]
impl CommentsApi {
    /// List a task's comments
    #[oai(path = "/tasks/:task_id/comments", method = "get", operation_id = "listComments")]
    async fn list(
        &self,
        auth: BearerAuth,
        /// The task's id.
        task_id: Path<String>,
        /// Items on a page: 1–100, 25 unless given.
        limit: Query<Option<String>>,
        /// The `next_cursor` of the page before.
        cursor: Query<Option<String>>,
        /// Whether to answer the `total`.
        count: Query<Option<String>>,
    ) -> ApiResult<Reply<CommentList>> {
        let page = page(limit, cursor, count)?;
        let mut uow = auth.read(&self.app).await?;
        let (scope, entered) = auth.enter_task(&mut *uow, &task_id.0).await?;
        let found = self.app.tasks().comments(&mut *uow, &scope, &entered.found, &page).await?;
        let comments = found.items.into_iter().map(Comment::from).collect();
        Ok(Reply::new(CommentList { comments, next_cursor: found.next_cursor, total: found.total }))
    }

    /// Comment on a task
    ///
    /// Members whom it mentions are told.
    #[oai(path = "/tasks/:task_id/comments", method = "post", operation_id = "createComment")]
    async fn create(
        &self,
        auth: BearerAuth,
        /// The task's id.
        task_id: Path<String>,
        /// A key of the client's: the same request sent again under it is done once.
        #[oai(name = "Idempotency-Key")]
        key: Header<Option<String>>,
        body: Body<CreateCommentRequest>,
    ) -> ApiResult<Created<Comment>> {
        let (user, digest, key) = (auth.actor().user, body.digest(), key.0.as_deref());
        let place = Place::task(&self.app, key, &task_id.0, user).await?;
        let request = once::Request { key, operation: "createComment", user, place, digest };
        let mut once = match once::begin(&self.app, request).await? {
            Begun::Repeated(answer) => return Ok(answer),
            Begun::Fresh(once) => once,
        };
        let made = async {
            let (scope, entered) = auth.enter_task(once.uow(), &task_id.0).await?;
            let (author, task, text) = (&entered.actor, &entered.found, body.0.body_json.0);
            let comment = self.app.tasks().comment(once.uow(), &scope, author, task, text).await?;
            let location = format!("{}/comments/{}", super::location(task.id), comment.id);
            let version = comment.version;
            Ok(Made { value: Comment::from(comment), location, version })
        };
        let made = made.await;
        once.finish(made).await
    }

    /// Change a comment
    ///
    /// Members whom it mentions now and did not before are told. For its author.
    #[oai(path = "/tasks/:task_id/comments/:comment_id", method = "patch", operation_id = "updateComment")]
    async fn update(
        &self,
        auth: BearerAuth,
        /// The task's id.
        task_id: Path<String>,
        /// The comment's id.
        comment_id: Path<String>,
        /// The `ETag` the change is meant for.
        #[oai(name = "If-Match")]
        condition: Header<Option<String>>,
        body: Body<UpdateCommentRequest>,
    ) -> ApiResult<Versioned<Comment>> {
        let mut uow = auth.begin(&self.app).await?;
        let (scope, entered) = auth.enter_task(&mut *uow, &task_id.0).await?;
        let id = self::comment_id(&comment_id.0)?;
        let text = not_null("/body_json", body.0.body_json)?.map(|text| text.0);
        let (task, expected) = (&entered.found, if_match(condition.0.as_deref()));
        let tasks = self.app.tasks();
        let updated = tasks.update_comment(&mut *uow, &scope, task, id, text, expected).await?;
        self.app.commit(uow).await?;
        let version = updated.version;
        Ok(Versioned::new(updated.into(), version))
    }

    /// Remove a comment
    ///
    /// For its author, admins and owners.
    #[oai(path = "/tasks/:task_id/comments/:comment_id", method = "delete", operation_id = "deleteComment")]
    async fn delete(
        &self,
        auth: BearerAuth,
        /// The task's id.
        task_id: Path<String>,
        /// The comment's id.
        comment_id: Path<String>,
        /// The `ETag` the removal is meant for.
        #[oai(name = "If-Match")]
        condition: Header<Option<String>>,
    ) -> ApiResult<NoContent> {
        let mut uow = auth.begin(&self.app).await?;
        let (scope, entered) = auth.enter_task(&mut *uow, &task_id.0).await?;
        let id = self::comment_id(&comment_id.0)?;
        let expected = if_match(condition.0.as_deref());
        self.app.tasks().delete_comment(&mut *uow, &scope, &entered.found, id, expected).await?;
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
        /// The task's id.
        task_id: Path<String>,
        /// Items on a page: 1–100, 25 unless given.
        limit: Query<Option<String>>,
        /// The `next_cursor` of the page before.
        cursor: Query<Option<String>>,
        /// Whether to answer the `total`.
        count: Query<Option<String>>,
    ) -> ApiResult<Reply<ActivityList>> {
        let page = page(limit, cursor, count)?;
        let mut uow = auth.read(&self.app).await?;
        let (scope, entered) = auth.enter_task(&mut *uow, &task_id.0).await?;
        let task = Some(entered.found.id);
        Ok(activity(self.app.tasks().activity(&mut *uow, &scope, task, &page).await?))
    }

    /// List what happened in an organization
    ///
    /// The newest first, also to what is gone.
    #[oai(path = "/organizations/:slug/activity", method = "get", operation_id = "listActivity")]
    async fn activity(
        &self,
        auth: BearerAuth,
        /// The organization's slug.
        slug: Path<String>,
        /// Items on a page: 1–100, 25 unless given.
        limit: Query<Option<String>>,
        /// The `next_cursor` of the page before.
        cursor: Query<Option<String>>,
        /// Whether to answer the `total`.
        count: Query<Option<String>>,
    ) -> ApiResult<Reply<ActivityList>> {
        let page = page(limit, cursor, count)?;
        let mut uow = auth.read(&self.app).await?;
        let (scope, _) = auth.enter(&mut *uow, &slug.0).await?;
        Ok(activity(self.app.tasks().activity(&mut *uow, &scope, None, &page).await?))
    }
}
