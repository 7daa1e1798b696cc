//! Finding the organization of a slug.
//!
//! A tenant's tables are read by `org_id`, so a door needs the organization of the slug first. The result is kept as a hint that
//! may be out of date, so every statement that uses it checks it. In this way a door stays one statement.

use std::collections::HashMap;
use std::sync::{PoisonError, RwLock};

use sqlx::query_as;
use sqlx::types::Uuid;
use workscribe_core::StoreResult;
use workscribe_core::tenancy::Slug;

use super::Unit;

/// When there are more hints than this, all are removed. Each organization in use then costs one look-up.
const CAPACITY: usize = 10_000;

/// The hints: organizations by slug, as they were when last read.
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

/// The organization of a slug.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Named {
    pub(crate) org: Uuid,
    /// Whether it was read from the database just now; otherwise it is a hint.
    pub(crate) is_fresh: bool,
}

impl Unit {
    /// The organization of a slug, from a hint if there is one.
    pub(crate) async fn named(&mut self, slug: &Slug) -> StoreResult<Option<Named>> {
        match self.slugs.get(slug) {
            Some(org) => Ok(Some(Named { org, is_fresh: false })),
            None => Box::pin(self.named_now(slug)).await,
        }
    }

    /// The organization of a slug, read from the database. For callers whose hint led to nothing.
    pub(crate) async fn named_now(&mut self, slug: &Slug) -> StoreResult<Option<Named>> {
        let find =
            query_as::<_, (Uuid,)>("SELECT id FROM ws_organizations WHERE slug = $1").bind(slug.as_str());
        let Some((org,)) = self.optional("ws_organizations: by slug", find).await? else { return Ok(None) };
        self.slugs.keep(slug, org);
        Ok(Some(Named { org, is_fresh: true }))
    }
}
