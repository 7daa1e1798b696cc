//! What can be found in an organization.

use std::cmp::Reverse;
use std::sync::Arc;

use async_trait::async_trait;
use uuid::Uuid;
use workscribe_core::id::OrgId;
use workscribe_core::search::{SearchDocument, SearchHit, SearchKind, SearchQuery, SearchStore, Words};
use workscribe_core::tenancy::OrgScope;
use workscribe_core::{Constraint, StoreError};

use super::{Deferred, MemoryUnit, Tables, conflict};

/// Whether the title has all of the words, and whether the document has; the last may go on. None has no words.
fn matches(document: &SearchDocument, words: &Words) -> (bool, bool) {
    let body = Words::of(&document.body);
    let has = |text: &Words, wanted: &str| match wanted.strip_suffix('*') {
        Some(beginning) => text.as_slice().iter().any(|word| word.starts_with(beginning)),
        None => text.as_slice().iter().any(|word| word == wanted),
    };
    // Words hold letters and digits alone, so that a space and an asterisk can tell them apart.
    let query = words.query(" ", |word, may_go_on| format!("{word}{}", if may_go_on { "*" } else { "" }));
    query.split_whitespace().fold((!words.is_empty(), !words.is_empty()), |(title, either), word| {
        let in_title = has(&document.title, word);
        (title && in_title, either && (in_title || has(&body, word)))
    })
}

/// Whether a document has all of the words. None has no words.
pub(super) fn has_all(document: &SearchDocument, words: &Words) -> bool {
    matches(document, words).1
}

impl Tables {
    fn hit(&self, org: OrgId, document: &SearchDocument) -> Option<SearchHit> {
        let task = match document.task {
            Some(id) => Some(self.tasks.get(&(org, id))?),
            None => None,
        };
        let project_id = task.map_or_else(|| document.id.into(), |task| task.project_id);
        let project = self.project(org, project_id)?;
        Some(SearchHit {
            kind: document.kind,
            id: document.id,
            title: task.map_or(&project.name, |task| &task.fields.title).clone(),
            body: document.body.clone(),
            project_id,
            project_key: project.key.clone(),
            task: task.map(|task| (task.id, task.number)),
            updated_at: document.updated_at,
        })
    }
}

#[async_trait]
impl SearchStore for MemoryUnit {
    async fn put(&mut self, scope: &OrgScope, document: &SearchDocument) -> Result<(), StoreError> {
        let org = scope.org();
        self.change(|tables| {
            if !tables.organizations.contains_key(&org) {
                return Err(conflict(Constraint::Reference));
            }
            tables.search.insert((org, document.id), Arc::new(document.clone()));
            tables.deferred.push(Deferred::Document(org, document.id));
            Ok(())
        })
        .await
    }

    async fn remove(&mut self, scope: &OrgScope, id: Uuid) -> Result<(), StoreError> {
        self.change(|tables| {
            tables.search.remove(&(scope.org(), id));
            Ok(())
        })
        .await
    }

    async fn find(&mut self, scope: &OrgScope, query: &SearchQuery) -> Result<Vec<SearchHit>, StoreError> {
        let is_wanted = |kind: SearchKind| query.kind.is_none_or(|wanted| wanted == kind);
        self.view(|tables| {
            let of_org = tables.search.iter().filter(|((org, _), _)| *org == scope.org());
            let documents = of_org.map(|(_, document)| document).filter(|document| is_wanted(document.kind));
            let mut found: Vec<_> = documents
                .filter(|document| has_all(document, &query.words))
                .filter_map(|document| {
                    Some((matches(document, &query.words).0, tables.hit(scope.org(), document)?))
                })
                .collect();
            found.sort_by_key(|(in_title, hit)| Reverse((*in_title, hit.updated_at, hit.id)));
            found.into_iter().map(|(_, hit)| hit).take(query.limit as usize).collect()
        })
        .await
    }
}
