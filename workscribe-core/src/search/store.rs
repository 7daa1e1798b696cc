//! What a storage keeps of what can be found.

use async_trait::async_trait;
use uuid::Uuid;

use crate::store_error::StoreError;
use crate::tenancy::OrgScope;

use super::model::{SearchDocument, SearchHit, SearchQuery};

/// What can be found in an organization.
#[async_trait]
pub trait SearchStore: Send {
    /// Keeps a document, in place of an earlier one of the same id. Its task may be written later in the transaction.
    async fn put(&mut self, scope: &OrgScope, document: &SearchDocument) -> Result<(), StoreError>;
    /// The same for many, of which each is there once.
    async fn put_all(&mut self, scope: &OrgScope, documents: &[SearchDocument]) -> Result<(), StoreError> {
        for document in documents {
            self.put(scope, document).await?;
        }
        Ok(())
    }
    /// Forgets a document. Those of a task and its comments go with the task.
    async fn remove(&mut self, scope: &OrgScope, id: Uuid) -> Result<(), StoreError>;
    /// Finds the documents with all of the words, the last of which may go on: those first whose title has them all, and of either
    /// the newest first. Nothing for no words. Of a word that very many documents have, a storage may look at the newest alone.
    async fn find(&mut self, scope: &OrgScope, query: &SearchQuery) -> Result<Vec<SearchHit>, StoreError>;
}
