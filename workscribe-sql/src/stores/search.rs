//! The search in an organization.

use async_trait::async_trait;
use sqlx::types::Uuid;
use sqlx::{FromRow, query, query_as};
use workscribe_core::id::TaskId;
use workscribe_core::search::{SearchDocument, SearchHit, SearchKind, SearchQuery, SearchStore, Words};
use workscribe_core::tenancy::OrgScope;
use workscribe_core::work::ProjectKey;
use workscribe_core::{StoreError, StoreResult};

use super::bind::BindAll as _;
use super::pending::{Statement, Write, push_rows};
use super::{Ts, Unit, dialect, named, storable};

#[derive(FromRow)]
struct HitRow {
    kind: String,
    id: Uuid,
    body: String,
    updated_at: Ts,
    project_id: Uuid,
    project_key: String,
    project_name: String,
    task_id: Option<Uuid>,
    task_number: Option<i64>,
    task_title: Option<String>,
}

impl TryFrom<HitRow> for SearchHit {
    type Error = StoreError;

    fn try_from(row: HitRow) -> StoreResult<Self> {
        Ok(Self {
            kind: named("ws_search", "kind", &row.kind, SearchKind::parse)?,
            id: row.id,
            title: row.task_title.unwrap_or(row.project_name),
            body: row.body,
            project_id: row.project_id.into(),
            project_key: ProjectKey::from_stored(row.project_key),
            task: row.task_id.map(TaskId::from).zip(row.task_number),
            updated_at: row.updated_at.0,
        })
    }
}

/// Selects the best matches. It reads the texts only of the matches that it returns.
macro_rules! search_statement {
    ($matches:expr) => {
        concat!(
            "SELECT w.kind, w.id, w.body, w.updated_at, p.id AS project_id, p.key AS project_key, p.name AS project_name,
                    t.id AS task_id, t.number AS task_number, t.title AS task_title
               FROM (SELECT found.id, found.rank, found.updated_at FROM ",
            $matches,
            " AS found ORDER BY found.rank, found.updated_at DESC, found.id LIMIT $5) AS hit
               JOIN ws_search w ON w.org_id = $1 AND w.id = hit.id
               LEFT JOIN ws_tasks t ON t.org_id = w.org_id AND t.id = w.task_id
               JOIN ws_projects p ON p.org_id = w.org_id AND p.id = COALESCE(t.project_id, w.id)
              ORDER BY hit.rank, hit.updated_at DESC, hit.id"
        )
    };
}

const FIND: &str = search_statement!(matches_of_search!());
const FIND_COMMON: &str = search_statement!(matches_of_common_search!());

/// The maximum number of documents in one statement.
const DOCUMENTS_AT_ONCE: usize = 100;
/// When this many of the newest documents have the words, the words are common.
const COMMON: i64 = 20;

impl Unit {
    /// Whether the sample of the newest documents suggests that one in ten documents has the words.
    pub(super) async fn are_common(&mut self, scope: &OrgScope, words: &Words) -> StoreResult<bool> {
        let Some(sample) = dialect::SEARCH_SAMPLE else { return Ok(false) };
        let sample =
            query_as::<_, (i64,)>(sample).bind_all((scope, dialect::search_query(scope.org(), words, true)));
        Ok(self.one("ws_search: sample", sample).await?.0 >= COMMON)
    }
}

#[async_trait]
impl SearchStore for Unit {
    async fn put(&mut self, scope: &OrgScope, document: &SearchDocument) -> StoreResult<()> {
        self.put_all(scope, std::slice::from_ref(document)).await
    }

    async fn put_all(&mut self, scope: &OrgScope, documents: &[SearchDocument]) -> StoreResult<()> {
        let org = scope.org().as_uuid();
        for documents in documents.chunks(DOCUMENTS_AT_ONCE) {
            let documents = documents.to_vec();
            let updates = documents.iter().map(|document| ("ws_search", document.id)).collect();
            let (name, rows) = ("ws_search: put", documents.len());
            let push = move |upsert: &mut Statement| {
                upsert.push(
                    "INSERT INTO ws_search (org_id, id, kind, task_id, title_words, body, body_words, updated_at) ",
                );
                push_rows(upsert, documents, |row, document| {
                    row.push_bind(org)
                        .push_bind(document.id)
                        .push_bind(document.kind.as_str())
                        .push_bind(document.task.map(Uuid::from))
                        .push_bind(document.title.joined())
                        .push_bind(storable(&document.body))
                        .push_bind(Words::of(&document.body).joined())
                        .push_bind(Ts(document.updated_at));
                });
                upsert.push(
                    " ON CONFLICT (org_id, id) DO UPDATE
                         SET kind = excluded.kind, task_id = excluded.task_id, title_words = excluded.title_words,
                             body = excluded.body, body_words = excluded.body_words, updated_at = excluded.updated_at",
                );
            };
            self.write_later(Write { name, rows, updates, push: Box::new(push) }).await?;
            if rows > 1 {
                self.flush().await?;
            }
        }
        Ok(())
    }

    async fn remove(&mut self, scope: &OrgScope, id: Uuid) -> StoreResult<()> {
        let delete = query("DELETE FROM ws_search WHERE org_id = $1 AND id = $2").bind_all((scope, id));
        self.execute("ws_search: remove", delete).await?;
        Ok(())
    }

    async fn find(&mut self, scope: &OrgScope, search: &SearchQuery) -> StoreResult<Vec<SearchHit>> {
        if search.words.is_empty() {
            return Ok(Vec::new());
        }
        let is_common = self.are_common(scope, &search.words).await?;
        let (org, words) = (scope.org(), &search.words);
        let (mut found, mut asked) = (Vec::new(), String::new());
        for open in if dialect::WHOLE_WORDS_FIRST { &[false, true][..] } else { &[true] } {
            let query = dialect::search_query(org, words, *open);
            if found.len() >= search.limit as usize || query == asked {
                break;
            }
            let find = query_as::<_, HitRow>(if is_common { FIND_COMMON } else { FIND }).bind_all((
                org,
                query.clone(),
                dialect::title_query(org, words, *open),
                search.kind.map(SearchKind::as_str),
                search.limit,
            ));
            found = self.all("ws_search: find", find).await?;
            asked = query;
        }
        found.into_iter().map(SearchHit::try_from).collect()
    }
}
