//! Finding things over HTTP.

use poem_openapi::registry::MetaSchema;
use workscribe_core::error::Fault;
use workscribe_core::page::PageRequest;
use workscribe_core::search::{self, SearchKind, SearchRequest};

use crate::prelude::*;

api! {
    /// Finding projects, tasks and comments.
    SearchApi
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
    /// What can be found.
    SearchType = SearchKind;
}

answers! {
    /// Something that was found.
    SearchResult of result: search::SearchResult {
        /// What it is.
        kind as "type": SearchType,
        /// Its id.
        id: Uuid,
        /// The project's name, or the title of the task that it is or is on.
        title: String,
        /// Where it is: the project's or the task's key.
        subtitle: TaskKey,
        /// The part of its text around the first word that was found there.
        snippet: Nullable<String>,
        /// The key of the project that it is or is in.
        project_key: Nullable<ProjectKey> = Some(result.project_key),
        /// The id of the task that it is or is on.
        task_id: Nullable<Uuid> = result.task.map(|(id, _)| id),
        /// When it was last changed.
        updated_at: Time,
    }
}

answers! {
    /// What was found, the best match first.
    SearchResults of (results, q): (Vec<search::SearchResult>, String) {
        /// What was found.
        results: Vec<SearchResult> = results.into_iter().map(SearchResult::from).collect::<Vec<_>>(),
        /// What was looked for.
        q: Sought = q,
    }
}

params! {
    /// What to look for.
    Search(faults) {
        /// What to look for: 1–200 characters, each meant as it is.
        q: Sought,
        /// Only things of this type.
        kind as "type": SearchKind,
        /// Results at the most: 1–100, 25 unless given.
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
