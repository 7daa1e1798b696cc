//! The store trait of search.

use async_trait::async_trait;
use uuid::Uuid;

use crate::store_error::StoreResult;
use crate::tenancy::OrgScope;

use super::model::{SearchDocument, SearchHit, SearchQuery};

/// The search index of an organization.
#[async_trait]
pub trait SearchStore: Send {
    /// Stores a document, in place of a document with the same id. Its task may be written later in the transaction.
    async fn put(&mut self, scope: &OrgScope, document: &SearchDocument) -> StoreResult<()>;
    /// The same for many documents with different ids.
    async fn put_all(&mut self, scope: &OrgScope, documents: &[SearchDocument]) -> StoreResult<()> {
        for document in documents {
            self.put(scope, document).await?;
        }
        Ok(())
    }
    /// Removes a document. When a task is removed, its document and those of its comments are removed with it.
    async fn remove(&mut self, scope: &OrgScope, id: Uuid) -> StoreResult<()>;
    /// Finds the documents with all the words, of which the last may be the beginning of a word: first those with all words in
    /// the title, and newest first in each group. No words find nothing. For a very frequent word, it may search only the newest.
    async fn find(&mut self, scope: &OrgScope, query: &SearchQuery) -> StoreResult<Vec<SearchHit>>;
}
