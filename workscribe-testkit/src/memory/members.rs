//! Members of an organization.

use async_trait::async_trait;
use workscribe_core::clock::Timestamp;
use workscribe_core::id::{OrgId, UserId};
use workscribe_core::identity::Email;
use workscribe_core::page::PageRequest;
use workscribe_core::tenancy::{InvitationPass, Member, MemberStore, OrgScope, Role};
use workscribe_core::{Constraint, StoreError};

use super::{MemoryUnit, Tables, conflict, expect_version, page_of};

#[derive(Clone, Copy)]
pub(super) struct Row {
    pub(super) role: Role,
    pub(super) version: i64,
    pub(super) joined_at: Timestamp,
}

impl Tables {
    fn members_of(&self, org: OrgId) -> impl Iterator<Item = Member> {
        self.members
            .iter()
            .filter(move |((other, _), _)| *other == org)
            .filter_map(|((_, user), row)| self.member(*user, row))
    }

    fn member(&self, user: UserId, row: &Row) -> Option<Member> {
        let user = &self.users.get(&user)?.user;
        Some(Member {
            user_id: user.id,
            email: user.email.clone(),
            display_name: user.display_name.clone(),
            avatar_url: user.avatar_url.clone(),
            role: row.role,
            version: row.version,
            joined_at: row.joined_at,
        })
    }
}

#[async_trait]
impl MemberStore for MemoryUnit {
    async fn list(&mut self, scope: &OrgScope, page: &PageRequest) -> Result<Vec<Member>, StoreError> {
        self.view(|tables| {
            page_of(tables.members_of(scope.org()), page, false, |member| {
                (member.joined_at, member.user_id.into())
            })
        })
        .await
    }

    async fn count(&mut self, scope: &OrgScope) -> Result<i64, StoreError> {
        self.view(|tables| tables.members_of(scope.org()).count() as i64).await
    }

    async fn find(&mut self, scope: &OrgScope, user: UserId) -> Result<Option<Member>, StoreError> {
        self.view(|tables| tables.members_of(scope.org()).find(|member| member.user_id == user)).await
    }

    async fn hold(&mut self, scope: &OrgScope, user: UserId) -> Result<Option<Member>, StoreError> {
        // One writer at a time: nobody removes them meanwhile.
        MemberStore::find(self, scope, user).await
    }

    async fn among(&mut self, scope: &OrgScope, users: &[UserId]) -> Result<Vec<UserId>, StoreError> {
        self.view(|tables| {
            let members = tables.members_of(scope.org()).map(|member| member.user_id);
            members.filter(|user| users.contains(user)).collect()
        })
        .await
    }

    async fn find_by_email(&mut self, scope: &OrgScope, email: &Email) -> Result<Option<Member>, StoreError> {
        self.view(|tables| tables.members_of(scope.org()).find(|member| member.email == *email)).await
    }

    async fn count_owners(&mut self, scope: &OrgScope) -> Result<i64, StoreError> {
        self.view(|tables| {
            tables.members_of(scope.org()).filter(|member| member.role == Role::Owner).count() as i64
        })
        .await
    }

    async fn set_role(
        &mut self,
        scope: &OrgScope,
        user: UserId,
        role: Role,
        expected: Option<i64>,
    ) -> Result<Option<Member>, StoreError> {
        self.change(|tables| {
            let Some(row) = tables.members.get_mut(&(scope.org(), user)) else { return Ok(None) };
            expect_version(expected, row.version)?;
            row.role = role;
            row.version += 1;
            let row = *row;
            Ok(tables.member(user, &row))
        })
        .await
    }

    async fn remove(
        &mut self,
        scope: &OrgScope,
        user: UserId,
        expected: Option<i64>,
    ) -> Result<bool, StoreError> {
        self.change(|tables| {
            let Some(row) = tables.members.get(&(scope.org(), user)) else { return Ok(false) };
            expect_version(expected, row.version)?;
            Ok(tables.members.remove(&(scope.org(), user)).is_some())
        })
        .await
    }

    async fn join(&mut self, pass: &InvitationPass, user: UserId, now: Timestamp) -> Result<(), StoreError> {
        let invitation = pass.invitation();
        self.change(|tables| {
            let key = (invitation.org_id, user);
            if tables.members.contains_key(&key) {
                return Err(conflict(Constraint::Membership));
            }
            if !tables.organizations.contains_key(&invitation.org_id) || !tables.users.contains_key(&user) {
                return Err(conflict(Constraint::Reference));
            }
            tables.members.insert(key, Row { role: invitation.role, version: 1, joined_at: now });
            Ok(())
        })
        .await
    }
}
