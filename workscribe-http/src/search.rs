//! Finding things over HTTP.

use poem_openapi::param::{Path, Query};
use poem_openapi::{Object, OpenApi};
use serde::Serialize;
use uuid::Uuid;
use workscribe_core::WorkScribe;
use workscribe_core::search::{self, SearchKind};

use crate::auth::BearerAuth;
use crate::problem::ApiResult;
use crate::query::{choice, fault, page};
use crate::reply::Reply;
use crate::tags::Tags;
use crate::time::Time;
use crate::wire::wire_names;

wire_names! {
    /// What can be found.
    SearchType = SearchKind {
        /// A project, by its name, key or description.
        Project = "project",
        /// A task, by its key, title or description.
        Task = "task",
        /// A comment, by what it says.
        Comment = "comment",
    }
}

/// Something that was found.
#[derive(Object, Serialize)]
pub struct SearchResult {
    /// What it is.
    #[oai(rename = "type")]
    #[serde(rename = "type")]
    pub kind: SearchType,
    /// Its id.
    pub id: Uuid,
    /// The project's name, or the title of the task that it is or is on.
    pub title: String,
    /// Where it is: the project's or the task's key.
    pub subtitle: String,
    /// The part of its text around the first word that was found there.
    pub snippet: Option<String>,
    /// The key of the project that it is or is in.
    pub project_key: Option<String>,
    /// The id of the task that it is or is on.
    pub task_id: Option<Uuid>,
    /// When it was last changed.
    pub updated_at: Time,
}

impl From<search::SearchResult> for SearchResult {
    fn from(result: search::SearchResult) -> Self {
        Self {
            kind: result.kind.into(),
            id: result.id,
            title: result.title,
            subtitle: result.subtitle,
            snippet: result.snippet,
            project_key: Some(result.project_key.to_string()),
            task_id: result.task.map(|(id, _)| id.into()),
            updated_at: result.updated_at.into(),
        }
    }
}

/// What was found, the best match first.
#[derive(Object, Serialize)]
pub struct SearchResults {
    /// What was found.
    pub results: Vec<SearchResult>,
    /// What was looked for.
    pub q: String,
}

/// Finding projects, tasks and comments.
pub struct SearchApi {
    app: WorkScribe,
}

impl SearchApi {
    /// The API of an application.
    #[must_use]
    pub fn new(app: &WorkScribe) -> Self {
        Self { app: app.clone() }
    }
}

#[OpenApi(prefix_path = "/api/v1", tag = "Tags::Search")]
impl SearchApi {
    /// Search an organization
    ///
    /// Finds what has all of the words, without regard to case and accents; the last may be the beginning of one. The key of
    /// a task, such as WEB-42, finds that task first.
    #[oai(path = "/organizations/:slug/search", method = "get", operation_id = "search")]
    async fn search(
        &self,
        auth: BearerAuth,
        /// The organization's slug.
        slug: Path<String>,
        /// What to look for: 1–200 characters, each meant as it is.
        q: Query<Option<String>>,
        /// Only things of this type.
        #[oai(name = "type")]
        kind: Query<Option<String>>,
        /// Results at the most: 1–100, 25 unless given.
        limit: Query<Option<String>>,
    ) -> ApiResult<Reply<SearchResults>> {
        let q = q.0.ok_or_else(|| fault("/query/q", "REQUIRED", "Say what to look for."))?;
        let names = SearchKind::ALL.iter().map(|kind| kind.as_str()).collect::<Vec<_>>();
        let kind = choice("type", kind, &names, SearchKind::parse)?;
        let limit = page(limit, Query(None), Query(None))?.limit();
        let mut uow = auth.read(&self.app).await?;
        let (scope, _) = auth.enter(&mut *uow, &slug.0).await?;
        let found = self.app.search().find(&mut *uow, &scope, &q, kind, limit).await?;
        Ok(Reply::new(SearchResults { results: found.into_iter().map(SearchResult::from).collect(), q }))
    }
}
