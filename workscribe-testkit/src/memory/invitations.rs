//! Invitations into an organization.

use async_trait::async_trait;
use workscribe_core::clock::Timestamp;
use workscribe_core::id::{InvitationId, OrgId, UserId};
use workscribe_core::identity::{Email, TokenHash};
use workscribe_core::page::PageRequest;
use workscribe_core::tenancy::{
    Invitation, InvitationPass, InvitationPreview, InvitationStatus, InvitationStore, ListedInvitation,
    OrgScope,
};
use workscribe_core::{Constraint, StoreError};

use super::{MemoryUnit, Tables, conflict, expect_version, page_of, taken_key};

impl Tables {
    fn pending_mut(&mut self, org: OrgId, id: InvitationId) -> Option<&mut Invitation> {
        self.invitations
            .get_mut(&(org, id))
            .filter(|invitation| invitation.stored_status == InvitationStatus::Pending)
    }

    fn invitations_of(&self, org: OrgId) -> impl Iterator<Item = &Invitation> {
        self.invitations.values().filter(move |invitation| invitation.org_id == org)
    }
}

#[async_trait]
impl InvitationStore for MemoryUnit {
    async fn put_pending(&mut self, scope: &OrgScope, invitation: &Invitation) -> Result<(), StoreError> {
        let org = scope.org();
        self.change(|tables| {
            if !tables.organizations.contains_key(&org) || !tables.users.contains_key(&invitation.invited_by)
            {
                return Err(conflict(Constraint::Reference));
            }
            if tables.invitations.contains_key(&(org, invitation.id)) {
                return Err(taken_key());
            }
            tables.invitations.retain(|_, other| {
                other.org_id != org
                    || other.email != invitation.email
                    || other.stored_status != InvitationStatus::Pending
            });
            let stored =
                Invitation { org_id: org, stored_status: InvitationStatus::Pending, ..invitation.clone() };
            tables.invitations.insert((org, invitation.id), stored);
            Ok(())
        })
        .await
    }

    async fn list(
        &mut self,
        scope: &OrgScope,
        page: &PageRequest,
    ) -> Result<Vec<ListedInvitation>, StoreError> {
        self.view(|tables| {
            let listed = tables.invitations_of(scope.org()).map(|invitation| ListedInvitation {
                invitation: invitation.clone(),
                email_bouncing: tables.bounces.contains_key(&invitation.email),
            });
            page_of(listed, page, true, |row| (row.invitation.created_at, row.invitation.id.into()))
        })
        .await
    }

    async fn count_pending(&mut self, scope: &OrgScope, besides: &Email) -> Result<i64, StoreError> {
        self.view(|tables| {
            let pending = tables.invitations_of(scope.org()).filter(|invitation| {
                invitation.stored_status == InvitationStatus::Pending && invitation.email != *besides
            });
            pending.count() as i64
        })
        .await
    }

    async fn count(&mut self, scope: &OrgScope) -> Result<i64, StoreError> {
        self.view(|tables| tables.invitations_of(scope.org()).count() as i64).await
    }

    async fn find(&mut self, scope: &OrgScope, id: InvitationId) -> Result<Option<Invitation>, StoreError> {
        self.view(|tables| tables.invitations.get(&(scope.org(), id)).cloned()).await
    }

    async fn renew(
        &mut self,
        scope: &OrgScope,
        id: InvitationId,
        token_hash: &TokenHash,
        expires_at: Timestamp,
    ) -> Result<Option<Invitation>, StoreError> {
        self.change(|tables| {
            Ok(tables.pending_mut(scope.org(), id).map(|invitation| {
                invitation.token_hash = *token_hash;
                invitation.expires_at = expires_at;
                invitation.version += 1;
                invitation.clone()
            }))
        })
        .await
    }

    async fn revoke(
        &mut self,
        scope: &OrgScope,
        id: InvitationId,
        expected: Option<i64>,
    ) -> Result<bool, StoreError> {
        self.change(|tables| {
            let Some(invitation) = tables.pending_mut(scope.org(), id) else { return Ok(false) };
            expect_version(expected, invitation.version)?;
            invitation.stored_status = InvitationStatus::Revoked;
            invitation.version += 1;
            Ok(true)
        })
        .await
    }

    async fn revoke_of(&mut self, scope: &OrgScope, inviter: UserId) -> Result<u64, StoreError> {
        self.change(|tables| {
            let mut revoked = 0;
            for invitation in tables.invitations.values_mut() {
                if invitation.org_id == scope.org()
                    && invitation.invited_by == inviter
                    && invitation.stored_status == InvitationStatus::Pending
                {
                    invitation.stored_status = InvitationStatus::Revoked;
                    invitation.version += 1;
                    revoked += 1;
                }
            }
            Ok(revoked)
        })
        .await
    }

    async fn find_by_token(
        &mut self,
        org: OrgId,
        token_hash: &TokenHash,
    ) -> Result<Option<InvitationPreview>, StoreError> {
        self.view(|tables| {
            let mut of_org = tables.invitations.values().filter(|invitation| invitation.org_id == org);
            let invitation = of_org.find(|invitation| invitation.token_hash == *token_hash)?;
            let organization = tables.organizations.get(&invitation.org_id)?;
            let inviter = tables.users.get(&invitation.invited_by)?;
            Some(InvitationPreview {
                invitation: invitation.clone(),
                org_name: organization.name.clone(),
                org_slug: organization.slug.clone(),
                inviter_name: inviter.user.display_name.clone(),
                inviter_role: tables
                    .members
                    .get(&(invitation.org_id, invitation.invited_by))
                    .filter(|_| inviter.user.disabled_at.is_none())
                    .map(|row| row.role),
            })
        })
        .await
    }

    async fn accept(&mut self, pass: &InvitationPass, _now: Timestamp) -> Result<bool, StoreError> {
        let redeemed = pass.invitation();
        self.change(|tables| {
            let inviter = tables.members.get(&(redeemed.org_id, redeemed.invited_by)).map(|row| row.role);
            if inviter != pass.inviter_role() {
                return Ok(false);
            }
            let pending = tables
                .pending_mut(redeemed.org_id, redeemed.id)
                .filter(|invitation| invitation.token_hash == redeemed.token_hash);
            let Some(invitation) = pending else { return Ok(false) };
            invitation.stored_status = InvitationStatus::Accepted;
            invitation.version += 1;
            Ok(true)
        })
        .await
    }
    async fn sweep(&mut self, before: Timestamp, limit: u32) -> Result<u64, StoreError> {
        self.change(|tables| {
            let ended = tables.invitations.iter().filter(|(_, invitation)| {
                invitation.stored_status != InvitationStatus::Accepted && invitation.expires_at < before
            });
            let mut ended: Vec<_> = ended.map(|(key, invitation)| (invitation.expires_at, *key)).collect();
            ended.sort_unstable();
            ended.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
            for (_, key) in &ended {
                tables.invitations.remove(key);
            }
            Ok(ended.len() as u64)
        })
        .await
    }
}
