//! Organizations, and the look-up behind the door.

use async_trait::async_trait;
use workscribe_core::clock::Timestamp;
use workscribe_core::id::UserId;
use workscribe_core::page::PageRequest;
use workscribe_core::tenancy::{OrgScope, Organization, OrganizationChange, OrganizationStore, Role, Slug};
use workscribe_core::{Constraint, StoreError};

use super::{MemoryUnit, Tables, conflict, expect_version, members, page_of};

impl Tables {
    fn organizations_of(&self, user: UserId) -> impl Iterator<Item = (Organization, Role)> {
        self.members.iter().filter(move |((_, member), _)| *member == user).filter_map(|((org, _), row)| {
            self.organizations.get(org).map(|organization| (organization.clone(), row.role))
        })
    }
}

#[async_trait]
impl OrganizationStore for MemoryUnit {
    async fn insert(&mut self, organization: &Organization, owner: UserId) -> Result<(), StoreError> {
        self.change(|tables| {
            if tables.organizations.contains_key(&organization.id) {
                return Err(conflict(Constraint::Other));
            }
            if tables.organizations.values().any(|other| other.slug == organization.slug) {
                return Err(conflict(Constraint::OrganizationSlug));
            }
            if !tables.users.contains_key(&owner) {
                return Err(conflict(Constraint::Reference));
            }
            tables.organizations.insert(organization.id, organization.clone());
            let row = members::Row { role: Role::Owner, version: 1, joined_at: organization.created_at };
            tables.members.insert((organization.id, owner), row);
            Ok(())
        })
        .await
    }

    async fn membership(
        &mut self,
        slug: &Slug,
        user: UserId,
    ) -> Result<Option<(Organization, Role)>, StoreError> {
        self.view(|tables| {
            let organization = tables.organizations.values().find(|other| other.slug == *slug)?;
            let row = tables.members.get(&(organization.id, user))?;
            Some((organization.clone(), row.role))
        })
        .await
    }

    async fn list_of(
        &mut self,
        user: UserId,
        page: &PageRequest,
    ) -> Result<Vec<(Organization, Role)>, StoreError> {
        self.view(|tables| {
            page_of(tables.organizations_of(user), page, false, |(organization, _)| {
                (organization.created_at, organization.id.into())
            })
        })
        .await
    }

    async fn count_of(&mut self, user: UserId) -> Result<i64, StoreError> {
        self.view(|tables| tables.organizations_of(user).count() as i64).await
    }

    /// The first statement of the transaction took the lock of the whole storage.
    async fn lock(&mut self, _scope: &OrgScope) -> Result<(), StoreError> {
        self.change(|_| Ok(())).await
    }

    async fn update(
        &mut self,
        scope: &OrgScope,
        change: &OrganizationChange,
        expected: Option<i64>,
        now: Timestamp,
    ) -> Result<Option<Organization>, StoreError> {
        self.change(|tables| {
            let Some(stored) = tables.organizations.get(&scope.org()) else { return Ok(None) };
            expect_version(expected, stored.version)?;
            let is_taken = |slug: &Slug| {
                tables.organizations.values().any(|other| other.id != scope.org() && other.slug == *slug)
            };
            if change.slug.as_ref().is_some_and(is_taken) {
                return Err(conflict(Constraint::OrganizationSlug));
            }
            Ok(tables.organizations.get_mut(&scope.org()).map(|organization| {
                if let Some(name) = &change.name {
                    organization.name.clone_from(name);
                }
                if let Some(slug) = &change.slug {
                    organization.slug.clone_from(slug);
                }
                organization.version += 1;
                organization.updated_at = now;
                organization.clone()
            }))
        })
        .await
    }

    async fn delete(&mut self, scope: &OrgScope, expected: Option<i64>) -> Result<bool, StoreError> {
        self.change(|tables| {
            let Some(stored) = tables.organizations.get(&scope.org()) else { return Ok(false) };
            expect_version(expected, stored.version)?;
            tables.organizations.remove(&scope.org());
            tables.members.retain(|(org, _), _| *org != scope.org());
            tables.invitations.retain(|(org, _), _| *org != scope.org());
            tables.projects.retain(|(org, _), _| *org != scope.org());
            tables.statuses.retain(|(org, _), _| *org != scope.org());
            tables.labels.retain(|(org, _), _| *org != scope.org());
            tables.tasks.retain(|(org, _), _| *org != scope.org());
            tables.task_labels.retain(|(org, _, _), ()| *org != scope.org());
            tables.comments.retain(|(org, _), _| *org != scope.org());
            tables.activity.retain(|(org, _), _| *org != scope.org());
            tables.notifications.retain(|(org, _), _| *org != scope.org());
            tables.search.retain(|(org, _), _| *org != scope.org());
            tables.webhooks.retain(|(org, _), _| *org != scope.org());
            tables.deliveries.retain(|(org, _), _| *org != scope.org());
            Ok(true)
        })
        .await
    }
}
