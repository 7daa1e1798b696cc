//! Search over HTTP.

use poem_openapi::registry::MetaSchema;
use workscribe_core::error::Fault;
use workscribe_core::page::PageRequest;
use workscribe_core::search::{self, SearchKind, SearchRequest};

use crate::prelude::*;

api! {
    /// Search in projects, tasks and comments.
    SearchApi
}

#[OpenApi(prefix_path = "/api/v1", tag = "Tags::Search")]
impl SearchApi {
    /// Search an organization
    ///
    /// Finds projects, tasks and comments that have all the words, without regard to case and accents, best match first. The last
    /// word may be the beginning of a word. A task's key, such as WEB-42, gives that task as the first result.
    #[oai(path = "/organizations/:slug/search", method = "get", operation_id = "search")]
    async fn search(
        &self,
        auth: BearerAuth,
        slug: Path<Slug>,
        asked: Asked<Search>,
    ) -> ApiResult<Reply<SearchResults>, IN_ORGANIZATION> {
        let (q, kind, limit) = asked.0;
        let mut uow = auth.read(&self.app).await?;
        let at = auth.enter(&mut *uow, &slug).await?;
        let found =
            self.app.search().find(&mut *uow, at.scope(), SearchRequest { text: &q, kind, limit }).await?;
        Ok(Reply::new((found, q)))
    }
}

named! {
    /// The kind of a result.
    SearchType = SearchKind;
}

answers! {
    /// A result of a search.
    SearchResult of result: search::SearchResult {
        /// The kind of the result.
        kind as "type": SearchType,
        /// The id of the project, task or comment.
        id: Uuid,
        /// The project's name, or the title of the task or of the comment's task.
        title: String,
        /// The key of the project, of the task or of the comment's task.
        subtitle: TaskKey,
        /// The part of the text around the first word that matches.
        snippet: Nullable<String>,
        /// The key of the project to which the result belongs.
        project_key: Nullable<ProjectKey> = Some(result.project_key),
        /// The id of the task, or of the comment's task.
        task_id: Nullable<Uuid> = result.task.map(|(id, _)| id),
        /// When the thing was last changed.
        updated_at: Time,
    }
}

answers! {
    /// The results of a search, best match first.
    SearchResults of (results, q): (Vec<search::SearchResult>, String) {
        /// The results.
        results: Vec<SearchResult> = results.into_iter().map(SearchResult::from).collect::<Vec<_>>(),
        /// The query.
        q: Sought = q,
    }
}

params! {
    /// The parameters of a search.
    Search(faults) {
        /// The words to search for: 1–200 characters. No character has a special meaning.
        q: Sought,
        /// Only results of this kind.
        kind as "type": SearchKind,
        /// The maximum number of results: 1–100. The default is 25.
        limit: PageLimit,
    } => (String, Option<SearchKind>, u32) = {
        if q.is_none() {
            faults.add("/query/q", "REQUIRED", "Say what to look for.");
        }
        (q.unwrap_or_default().0, kind, limit.map_or(PageRequest::first().limit(), |limit| limit.0))
    };
}

impl Parameter for Sought {
    fn schema() -> MetaSchema {
        let example = Some("engine".into());
        MetaSchema { min_length: Some(1), max_length: Some(200), example, ..MetaSchema::new("string") }
    }

    fn parse(text: &str) -> Result<Self, Fault> {
        Ok(Self(text.to_owned()))
    }
}
