//! Organizations, and the look-up behind the door.

use async_trait::async_trait;
use workscribe_core::clock::Timestamp;
use workscribe_core::id::{OrgId, UserId};
use workscribe_core::page::PageRequest;
use workscribe_core::sweep::Portion;
use workscribe_core::tenancy::{
    InvitationStatus, OrgScope, Organization, OrganizationChange, OrganizationStore, Role, Slug, VacatedOrg,
};
use workscribe_core::work::Document;
use workscribe_core::{Constraint, StoreError};

use super::{MemoryUnit, Tables, conflict, expect_version, members, page_of};

impl Tables {
    /// Removes an organization with all that belongs to it.
    fn remove_organization(&mut self, org: OrgId) {
        self.organizations.remove(&org);
        self.members.retain(|(other, _), _| *other != org);
        self.invitations.retain(|(other, _), _| *other != org);
        self.projects.retain(|(other, _), _| *other != org);
        self.statuses.retain(|(other, _), _| *other != org);
        self.labels.retain(|(other, _), _| *other != org);
        self.tasks.retain(|(other, _), _| *other != org);
        self.task_labels.retain(|(other, _, _), ()| *other != org);
        self.comments.retain(|(other, _), _| *other != org);
        self.activity.retain(|(other, _), _| *other != org);
        self.notifications.retain(|(other, _), _| *other != org);
        self.search.retain(|(other, _), _| *other != org);
        self.webhooks.retain(|(other, _), _| *other != org);
        self.deliveries.retain(|(other, _), _| *other != org);
        self.messages.retain(|(other, _), _| *other != org);
    }

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
                return Err(conflict(Constraint::OrganizationId));
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
    async fn count_owned(&mut self, user: UserId) -> Result<i64, StoreError> {
        self.change(|tables| {
            let owned = tables.organizations_of(user).filter(|(_, role)| *role == Role::Owner);
            Ok(owned.count() as i64)
        })
        .await
    }

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
            tables.remove_organization(scope.org());
            Ok(true)
        })
        .await
    }

    async fn is_larger_than(&mut self, scope: &OrgScope, portion: Portion) -> Result<bool, StoreError> {
        self.view(|tables| {
            let is_ours = |org: &OrgId| *org == scope.org();
            let bytes = |text: &Document| text.to_stored().len();
            let tasks = tables.tasks.iter().filter(|((org, _), _)| is_ours(org));
            let comments = tables.comments.iter().filter(|((org, _), _)| is_ours(org));
            let messages = tables.messages.iter().filter(|((org, _), _)| is_ours(org));
            let small = tables.activity.keys().filter(|(org, _)| is_ours(org)).count()
                + tables.deliveries.keys().filter(|(org, _)| is_ours(org)).count()
                + tables.task_labels.keys().filter(|(org, ..)| is_ours(org)).count()
                + tables.notifications.keys().filter(|(org, _)| is_ours(org)).count();
            let large: Vec<usize> = tasks
                .map(|(_, task)| task.fields.description.as_ref().map_or(0, bytes))
                .chain(comments.map(|(_, comment)| bytes(&comment.body)))
                .chain(messages.map(|(_, message)| message.bytes()))
                .collect();
            small + large.len() > portion.rows as usize
                || large.iter().sum::<usize>() > portion.bytes as usize
        })
        .await
    }

    async fn vacate(
        &mut self,
        scope: &OrgScope,
        expected: Option<i64>,
        slug: &Slug,
        _rows: u32,
    ) -> Result<bool, StoreError> {
        let org = scope.org();
        self.change(|tables| {
            let Some(organization) = tables.organizations.get_mut(&org) else { return Ok(false) };
            if organization.slug == *slug {
                return Ok(false);
            }
            expect_version(expected, organization.version)?;
            organization.slug.clone_from(slug);
            organization.version += 1;
            tables.members.retain(|(other, _), _| *other != org);
            tables
                .invitations
                .retain(|(other, _), row| *other != org || row.stored_status != InvitationStatus::Pending);
            tables.webhooks.retain(|(other, _), _| *other != org);
            Ok(true)
        })
        .await
    }

    async fn is_vacated(&mut self, org: OrgId, slug: &Slug) -> Result<bool, StoreError> {
        self.view(|tables| tables.organizations.get(&org).is_some_and(|found| found.slug == *slug)).await
    }

    /// All at once, and in two steps as elsewhere: what is left, and then the organization.
    async fn clear(&mut self, vacated: &VacatedOrg, _portion: Portion) -> Result<u64, StoreError> {
        let org = vacated.org();
        self.change(|tables| {
            let before = tables.tasks.keys().filter(|(other, _)| *other == org).count();
            tables.tasks.retain(|(other, _), _| *other != org);
            if before == 0 {
                tables.remove_organization(org);
            }
            Ok(before as u64)
        })
        .await
    }
}
