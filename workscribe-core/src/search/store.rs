use async_trait::async_trait;
use uuid::Uuid;

use crate::storage::StoreError;
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
    /// Finds the documents with all of the words, best match first: words in the title weigh more than those in the text.
    /// Nothing for no words.
    async fn find(&mut self, scope: &OrgScope, query: &SearchQuery) -> Result<Vec<SearchHit>, StoreError>;
}
