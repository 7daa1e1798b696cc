//! Which organization a slug names.
//!
//! A tenant's tables are read by `org_id`, so the slug's organization comes first. What was found is kept as a hint, and every
//! statement that uses it checks it: it may be out of date, and is never believed. So a door stays one statement.

use std::collections::HashMap;
use std::sync::{PoisonError, RwLock};

use sqlx::query_as;
use sqlx::types::Uuid;
use workscribe_core::StoreError;
use workscribe_core::tenancy::Slug;

use super::Unit;

/// Past this many all are forgotten, which costs each that is in use a look-up.
const CAPACITY: usize = 10_000;

/// Organizations by slug, as they were when last seen.
#[derive(Default)]
pub(crate) struct Slugs(RwLock<HashMap<Slug, Uuid>>);

impl Slugs {
    fn get(&self, slug: &Slug) -> Option<Uuid> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(slug).copied()
    }

    fn keep(&self, slug: &Slug, org: Uuid) {
        let mut slugs = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if slugs.len() >= CAPACITY {
            slugs.clear();
        }
        slugs.insert(slug.clone(), org);
    }
}

/// What is known of a slug's organization.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Named {
    pub(crate) org: Uuid,
    /// Whether the database said so now; a hint else.
    pub(crate) is_fresh: bool,
}

impl Unit {
    /// The organization of a slug, from a hint if there is one.
    pub(crate) async fn named(&mut self, slug: &Slug) -> Result<Option<Named>, StoreError> {
        match self.slugs.get(slug) {
            Some(org) => Ok(Some(Named { org, is_fresh: false })),
            None => Box::pin(self.named_now(slug)).await,
        }
    }

    /// The organization that has a slug now. For who found nothing by a hint.
    pub(crate) async fn named_now(&mut self, slug: &Slug) -> Result<Option<Named>, StoreError> {
        let find =
            query_as::<_, (Uuid,)>("SELECT id FROM ws_organizations WHERE slug = $1").bind(slug.as_str());
        let Some((org,)) = self.optional("ws_organizations: by slug", find).await? else { return Ok(None) };
        self.slugs.keep(slug, org);
        Ok(Some(Named { org, is_fresh: true }))
    }
}
