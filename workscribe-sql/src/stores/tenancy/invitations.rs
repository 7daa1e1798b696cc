//! Invitations.

use async_trait::async_trait;
use sqlx::types::Uuid;
use sqlx::{FromRow, query, query_as};
use workscribe_core::clock::Timestamp;
use workscribe_core::id::{InvitationId, OrgId, UserId};
use workscribe_core::identity::{Email, TokenHash};
use workscribe_core::page::PageRequest;
use workscribe_core::tenancy::{
    Invitation, InvitationPass, InvitationPreview, InvitationStatus, InvitationStore, ListedInvitation,
    OrgScope, Role, Slug,
};
use workscribe_core::{StoreError, StoreResult};

use super::bind::BindAll as _;
use super::members::parse_role;
use super::{Ts, Unit, before, corrupt, token_hash};

const TABLE: &str = "ws_invitations";

#[derive(FromRow)]
struct InvitationRow {
    org_id: Uuid,
    id: Uuid,
    email: String,
    role: String,
    status: String,
    token_hash: Vec<u8>,
    invited_by: Uuid,
    expires_at: Ts,
    version: i64,
    created_at: Ts,
}

impl TryFrom<InvitationRow> for Invitation {
    type Error = StoreError;

    fn try_from(row: InvitationRow) -> StoreResult<Self> {
        Ok(Self {
            id: row.id.into(),
            org_id: row.org_id.into(),
            email: Email::from_stored(row.email),
            role: parse_role(TABLE, &row.role)?,
            stored_status: InvitationStatus::parse(&row.status)
                .ok_or_else(|| corrupt(TABLE, format!("status is {:?}", row.status)))?,
            token_hash: token_hash(TABLE, row.token_hash)?,
            invited_by: row.invited_by.into(),
            expires_at: row.expires_at.0,
            version: row.version,
            created_at: row.created_at.0,
        })
    }
}

#[derive(FromRow)]
struct ListedRow {
    #[sqlx(flatten)]
    invitation: InvitationRow,
    email_bouncing: bool,
}

impl TryFrom<ListedRow> for ListedInvitation {
    type Error = StoreError;

    fn try_from(row: ListedRow) -> StoreResult<Self> {
        Ok(Self { invitation: row.invitation.try_into()?, email_bouncing: row.email_bouncing })
    }
}

#[derive(FromRow)]
struct PreviewRow {
    #[sqlx(flatten)]
    invitation: InvitationRow,
    org_name: String,
    org_slug: String,
    inviter_name: String,
    inviter_role: Option<String>,
}

#[async_trait]
impl InvitationStore for Unit {
    async fn put_pending(&mut self, scope: &OrgScope, invitation: &Invitation) -> StoreResult<()> {
        let upsert = query(
            "INSERT INTO ws_invitations (org_id, id, email, role, status, token_hash, invited_by, expires_at, version,
                                         created_at)
             VALUES ($1, $2, $3, $4, 'pending', $5, $6, $7, $8, $9)
             ON CONFLICT (org_id, email) WHERE status = 'pending' DO UPDATE
                SET id = excluded.id, role = excluded.role, token_hash = excluded.token_hash,
                    invited_by = excluded.invited_by, expires_at = excluded.expires_at,
                    version = excluded.version, created_at = excluded.created_at",
        )
        .bind_all((
            scope, invitation.id, invitation.email.as_str(), invitation.role.as_str(),
            &invitation.token_hash.0[..], invitation.invited_by, invitation.expires_at, invitation.version,
            invitation.created_at,
        ));
        self.execute("ws_invitations: put pending", upsert).await?;
        Ok(())
    }

    async fn list(&mut self, scope: &OrgScope, page: &PageRequest) -> StoreResult<Vec<ListedInvitation>> {
        let (at, id) = before(page);
        let list = query_as::<_, ListedRow>(concat!(
            "SELECT ",
            invitation_columns!("i."),
            ", ",
            is_bouncing!("i.email"),
            " AS email_bouncing FROM ws_invitations i WHERE i.org_id = $1 AND (i.created_at, i.id) < ($2, $3)
              ORDER BY i.created_at DESC, i.id DESC LIMIT $4"
        ))
        .bind_all((scope, at, id, page.fetch()));
        self.all("ws_invitations: list", list).await?.into_iter().map(ListedInvitation::try_from).collect()
    }

    async fn count_pending(&mut self, scope: &OrgScope, besides: &Email) -> StoreResult<i64> {
        let count = query_as::<_, (i64,)>(
            "SELECT count(*) FROM ws_invitations WHERE org_id = $1 AND status = 'pending' AND email <> $2",
        )
        .bind_all((scope, besides.as_str()));
        Ok(self.one("ws_invitations: count pending", count).await?.0)
    }

    async fn count(&mut self, scope: &OrgScope) -> StoreResult<i64> {
        let count = query_as::<_, (i64,)>("SELECT count(*) FROM ws_invitations WHERE org_id = $1")
            .bind(scope.org().as_uuid());
        Ok(self.one("ws_invitations: count", count).await?.0)
    }

    async fn find(&mut self, scope: &OrgScope, id: InvitationId) -> StoreResult<Option<Invitation>> {
        let find = query_as::<_, InvitationRow>(concat!(
            "SELECT ",
            invitation_columns!(""),
            " FROM ws_invitations WHERE org_id = $1 AND id = $2"
        ))
        .bind_all((scope, id));
        self.optional("ws_invitations: find", find).await?.map(Invitation::try_from).transpose()
    }

    async fn renew(
        &mut self,
        scope: &OrgScope,
        id: InvitationId,
        token_hash: &TokenHash,
        expires_at: Timestamp,
    ) -> StoreResult<Option<Invitation>> {
        let update = query_as::<_, InvitationRow>(concat!(
            "UPDATE ws_invitations SET token_hash = $3, expires_at = $4, version = version + 1
              WHERE org_id = $1 AND id = $2 AND status = 'pending'
             RETURNING ",
            invitation_columns!("")
        ))
        .bind_all((scope, id, &token_hash.0[..], expires_at));
        self.optional("ws_invitations: renew", update).await?.map(Invitation::try_from).transpose()
    }

    async fn revoke(
        &mut self,
        scope: &OrgScope,
        id: InvitationId,
        expected: Option<i64>,
    ) -> StoreResult<bool> {
        let update = query(
            "UPDATE ws_invitations SET status = 'revoked', version = version + 1
              WHERE org_id = $1 AND id = $2 AND status = 'pending' AND ($3 IS NULL OR version = $3)",
        )
        .bind_all((scope, id, expected));
        let revoked = self.execute("ws_invitations: revoke", update).await? > 0;
        if !revoked {
            let current = query_as(
                "SELECT version FROM ws_invitations WHERE org_id = $1 AND id = $2 AND status = 'pending'",
            )
            .bind_all((scope, id));
            self.refuse_stale("ws_invitations: version", expected, current).await?;
        }
        Ok(revoked)
    }

    async fn revoke_of(&mut self, scope: &OrgScope, inviter: UserId) -> StoreResult<u64> {
        let update = query(
            "UPDATE ws_invitations SET status = 'revoked', version = version + 1
              WHERE org_id = $1 AND invited_by = $2 AND status = 'pending'",
        )
        .bind_all((scope, inviter));
        self.execute("ws_invitations: revoke of", update).await
    }

    async fn find_by_token(
        &mut self,
        org: OrgId,
        token_hash: &TokenHash,
    ) -> StoreResult<Option<InvitationPreview>> {
        let find = query_as::<_, PreviewRow>(concat!(
            "SELECT ",
            invitation_columns!("i."),
            ", o.name AS org_name, o.slug AS org_slug, u.display_name AS inviter_name, m.role AS inviter_role
               FROM ws_invitations i
               JOIN ws_organizations o ON o.id = i.org_id
               JOIN ws_users u ON u.id = i.invited_by
               LEFT JOIN ws_members m ON m.org_id = $1 AND m.user_id = i.invited_by AND u.disabled_at IS NULL
              WHERE i.org_id = $1 AND i.token_hash = $2"
        ))
        .bind_all((org, &token_hash.0[..]));
        let found = self.optional("ws_invitations: find by token", find).await?;
        found
            .map(|row| {
                Ok(InvitationPreview {
                    invitation: row.invitation.try_into()?,
                    org_name: row.org_name,
                    org_slug: Slug::from_stored(row.org_slug),
                    inviter_name: row.inviter_name,
                    inviter_role: row.inviter_role.map(|role| parse_role("ws_members", &role)).transpose()?,
                })
            })
            .transpose()
    }

    async fn accept(&mut self, pass: &InvitationPass, now: Timestamp) -> StoreResult<bool> {
        let invitation = pass.invitation();
        // The organization first, as the removal of the organization does; otherwise each could wait for the other's lock. The next
        // transaction that counts the members counts every member that joined before.
        let lock =
            query_as::<_, (Uuid,)>(concat!("SELECT id FROM ws_organizations WHERE id = $1", for_update!()))
                .bind(invitation.org_id.as_uuid());
        if self.optional("ws_organizations: lock for a member", lock).await?.is_none() {
            return Ok(false);
        }
        // Then the inviter's membership, so that a transaction that ends their right to invite runs before this one or after it.
        let hold = query_as::<_, (String,)>(concat!(
            "SELECT role FROM ws_members WHERE org_id = $1 AND user_id = $2",
            for_update!()
        ))
        .bind_all((invitation.org_id, invitation.invited_by));
        let held = self.optional("ws_members: hold the inviter", hold).await?;
        if held.map(|(role,)| role).as_deref() != pass.inviter_role().map(Role::as_str) {
            return Ok(false);
        }
        let update = query(
            "UPDATE ws_invitations SET status = 'accepted', version = version + 1
              WHERE org_id = $1 AND id = $2 AND token_hash = $3 AND status = 'pending' AND expires_at > $4",
        )
        .bind_all((invitation.org_id, invitation.id, &invitation.token_hash.0[..], now));
        Ok(self.execute("ws_invitations: accept", update).await? > 0)
    }
    async fn sweep(&mut self, before: Timestamp, limit: u32) -> StoreResult<u64> {
        let sweep = query(
            "DELETE FROM ws_invitations
              WHERE (org_id, id) IN (SELECT org_id, id FROM ws_invitations
                                      WHERE status <> 'accepted' AND expires_at < $1 ORDER BY expires_at LIMIT $2)
                AND status <> 'accepted'",
        )
        .bind_all((before, limit));
        self.execute("ws_invitations: sweep", sweep).await
    }
}
