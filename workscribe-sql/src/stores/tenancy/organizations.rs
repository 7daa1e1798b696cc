//! Organizations, the door to them, and their removal.

use async_trait::async_trait;
use sqlx::types::Uuid;
use sqlx::{FromRow, query, query_as};
use workscribe_core::clock::Timestamp;
use workscribe_core::id::{OrgId, UserId};
use workscribe_core::page::PageRequest;
use workscribe_core::sweep::Portion;
use workscribe_core::tenancy::{
    OrgScope, Organization, OrganizationChange, OrganizationStore, Role, Slug, VacatedOrg,
};
use workscribe_core::transfer::MemberRow;
use workscribe_core::{StoreError, StoreResult};

use super::bind::BindAll as _;
use super::members::parse_role;
use super::{Ts, Unit, after};

#[derive(FromRow)]
struct OrganizationRow {
    id: Uuid,
    name: String,
    slug: String,
    version: i64,
    created_at: Ts,
    updated_at: Ts,
}

impl From<OrganizationRow> for Organization {
    fn from(row: OrganizationRow) -> Self {
        Self {
            id: row.id.into(),
            name: row.name,
            slug: Slug::from_stored(row.slug),
            version: row.version,
            created_at: row.created_at.0,
            updated_at: row.updated_at.0,
        }
    }
}

#[derive(FromRow)]
pub(crate) struct MembershipRow {
    #[sqlx(flatten)]
    organization: OrganizationRow,
    role: String,
}

impl TryFrom<MembershipRow> for (Organization, Role) {
    type Error = StoreError;

    fn try_from(row: MembershipRow) -> StoreResult<Self> {
        Ok((row.organization.into(), parse_role("ws_members", &row.role)?))
    }
}

#[async_trait]
impl OrganizationStore for Unit {
    async fn insert(&mut self, organization: &Organization, owner: UserId) -> StoreResult<()> {
        let insert = query(
            "INSERT INTO ws_organizations (id, name, slug, version, created_at, updated_at)
             VALUES ($1, $2, $3, $4, $5, $6)",
        )
        .bind_all((
            organization.id,
            &organization.name,
            organization.slug.as_str(),
            organization.version,
            organization.created_at,
            organization.updated_at,
        ));
        self.execute("ws_organizations: insert", insert).await?;
        let joined_at = organization.created_at;
        let owner = MemberRow { user_id: owner, role: Role::Owner, version: 1, joined_at };
        self.insert_row("ws_members: insert owner", organization.id.as_uuid(), &owner).await
    }

    async fn membership(&mut self, slug: &Slug, user: UserId) -> StoreResult<Option<(Organization, Role)>> {
        let Some(named) = self.named(slug).await? else { return Ok(None) };
        let mut found = self.find_membership(named.org, slug, user).await?;
        if found.is_none() && !named.is_fresh {
            let Some(named) = self.named_now(slug).await? else { return Ok(None) };
            found = self.find_membership(named.org, slug, user).await?;
        }
        Ok(found)
    }

    async fn list_of(&mut self, user: UserId, page: &PageRequest) -> StoreResult<Vec<(Organization, Role)>> {
        let (at, id) = after(page);
        let list = query_as::<_, MembershipRow>(concat!(
            "SELECT ",
            organization_columns!("o."),
            ", m.role FROM ws_members m JOIN ws_organizations o ON o.id = m.org_id
              WHERE m.user_id = $1 AND (o.created_at, o.id) > ($2, $3)
              ORDER BY o.created_at, o.id LIMIT $4"
        ))
        .bind_all((user, at, id, page.fetch()));
        self.all("ws_organizations: list of user", list).await?.into_iter().map(TryFrom::try_from).collect()
    }

    async fn count_of(&mut self, user: UserId) -> StoreResult<i64> {
        let count =
            query_as::<_, (i64,)>("SELECT count(*) FROM ws_members WHERE user_id = $1").bind(user.as_uuid());
        Ok(self.one("ws_members: count of user", count).await?.0)
    }

    async fn count_owned(&mut self, user: UserId) -> StoreResult<i64> {
        let lock = query_as::<_, (Uuid,)>(concat!("SELECT id FROM ws_users WHERE id = $1", for_update!()))
            .bind(user.as_uuid());
        self.optional("ws_users: lock an owner", lock).await?;
        let count =
            query_as::<_, (i64,)>("SELECT count(*) FROM ws_members WHERE user_id = $1 AND role = 'owner'")
                .bind(user.as_uuid());
        Ok(self.one("ws_members: count owned", count).await?.0)
    }

    async fn lock(&mut self, scope: &OrgScope) -> StoreResult<()> {
        let lock =
            query_as::<_, (Uuid,)>(concat!("SELECT id FROM ws_organizations WHERE id = $1", for_update!()))
                .bind(scope.org().as_uuid());
        self.optional("ws_organizations: lock", lock).await?;
        Ok(())
    }

    async fn update(
        &mut self,
        scope: &OrgScope,
        change: &OrganizationChange,
        expected: Option<i64>,
        now: Timestamp,
    ) -> StoreResult<Option<Organization>> {
        let update = query_as::<_, OrganizationRow>(concat!(
            "UPDATE ws_organizations
                SET name = COALESCE($2, name), slug = COALESCE($3, slug), version = version + 1, updated_at = $4
              WHERE id = $1 AND ($5 IS NULL OR version = $5)
             RETURNING ",
            organization_columns!("")
        ))
        .bind_all((scope, &change.name, change.slug.as_ref().map(Slug::as_str), now, expected));
        let updated = self.optional("ws_organizations: update", update).await?;
        if updated.is_none() {
            self.refuse_stale_organization(scope, expected).await?;
        }
        Ok(updated.map(Organization::from))
    }

    async fn delete(&mut self, scope: &OrgScope, expected: Option<i64>) -> StoreResult<bool> {
        let delete = query("DELETE FROM ws_organizations WHERE id = $1 AND ($2 IS NULL OR version = $2)")
            .bind_all((scope, expected));
        let deleted = self.execute("ws_organizations: delete", delete).await? > 0;
        if !deleted {
            self.refuse_stale_organization(scope, expected).await?;
        }
        Ok(deleted)
    }

    async fn is_larger_than(&mut self, scope: &OrgScope, portion: Portion) -> StoreResult<bool> {
        macro_rules! some_of {
            ($bytes:expr, $table:literal) => {
                concat!(
                    "SELECT * FROM (SELECT ",
                    $bytes,
                    " AS bytes FROM ",
                    $table,
                    " WHERE org_id = $1 LIMIT $2) AS of_",
                    $table
                )
            };
        }
        let weigh = query_as::<_, (i64, i64)>(concat!(
            "SELECT count(*), CAST(COALESCE(sum(bytes), 0) AS bigint) FROM (",
            some_of!(bytes_of!("description"), "ws_tasks"),
            " UNION ALL ",
            some_of!("0", "ws_task_labels"),
            " UNION ALL ",
            some_of!("0", "ws_relations"),
            " UNION ALL ",
            some_of!(bytes_of!("body"), "ws_comments"),
            " UNION ALL ",
            some_of!("0", "ws_activity"),
            " UNION ALL ",
            some_of!("0", "ws_notifications"),
            " UNION ALL ",
            some_of!("0", "ws_webhook_deliveries"),
            " UNION ALL ",
            some_of!(bytes_of!("payload"), "ws_webhook_messages"),
            ") AS weighed"
        ))
        .bind_all((scope, i64::from(portion.rows) + 1));
        let (rows, bytes) = self.one("ws_organizations: size", weigh).await?;
        Ok(rows > i64::from(portion.rows) || bytes > i64::from(portion.bytes))
    }

    async fn vacate(
        &mut self,
        scope: &OrgScope,
        expected: Option<i64>,
        slug: &Slug,
        rows: u32,
    ) -> StoreResult<bool> {
        let org = scope.org().as_uuid();
        let rename = query(
            "UPDATE ws_organizations SET slug = $2, version = version + 1
              WHERE id = $1 AND slug <> $2 AND ($3 IS NULL OR version = $3)",
        )
        .bind_all((org, slug.as_str(), expected));
        if self.execute("ws_organizations: vacate", rename).await? == 0 {
            self.refuse_stale_organization(scope, expected).await?;
            return Ok(false);
        }
        // In this transaction, because its commit closes the doors. Each statement removes a limited number of rows.
        let ways_in = [
            ("ws_members: vacate", portion_by!("ws_members", "user_id")),
            (
                "ws_invitations: vacate",
                portion_of!(
                    "DELETE FROM ws_invitations",
                    "ws_invitations WHERE org_id = $1 AND status = 'pending'"
                ),
            ),
            ("ws_webhooks: vacate", portion_of!("DELETE FROM ws_webhooks", "ws_webhooks WHERE org_id = $1")),
        ];
        for (name, statement) in ways_in {
            while self.execute(name, query(statement).bind_all((org, rows))).await? > 0 {}
        }
        Ok(true)
    }

    async fn is_vacated(&mut self, org: OrgId, slug: &Slug) -> StoreResult<bool> {
        let find = query_as::<_, (Uuid,)>("SELECT id FROM ws_organizations WHERE id = $1 AND slug = $2")
            .bind_all((org, slug.as_str()));
        Ok(self.optional("ws_organizations: is vacated", find).await?.is_some())
    }

    async fn clear(&mut self, vacated: &VacatedOrg, portion: Portion) -> StoreResult<u64> {
        let of = |statement: &'static str| query(statement).bind_all((vacated.org(), portion.rows));
        let large = |statement: &'static str| of(statement).bind(i64::from(portion.bytes));
        // A row is removed after the rows that refer to it; by then no task has a parent. A test checks every table of the catalogue.
        let portions = [
            of(portion_of!("DELETE FROM ws_activity", "ws_activity WHERE org_id = $1")),
            of(portion_of!("DELETE FROM ws_notifications", "ws_notifications WHERE org_id = $1")),
            of(portion_by!("ws_unread", "user_id")),
            of(portion_by!("ws_webhook_attempts", "delivery_id")),
            of(portion_of!("DELETE FROM ws_webhook_deliveries", "ws_webhook_deliveries WHERE org_id = $1")),
            large(large_portion_of!(
                "DELETE FROM ws_webhook_messages",
                "ws_webhook_messages WHERE org_id = $1",
                bytes_of!("payload")
            )),
            of(portion_of!("DELETE FROM ws_webhooks", "ws_webhooks WHERE org_id = $1")),
            large(large_portion_of!(
                "DELETE FROM ws_search",
                "ws_search WHERE org_id = $1",
                concat!(bytes_of!("body"), " + ", bytes_of!("body_words"))
            )),
            large(large_portion_of!(
                "DELETE FROM ws_comments",
                "ws_comments WHERE org_id = $1",
                bytes_of!("body")
            )),
            of(portion_by!("ws_task_labels", "task_id")),
            of(portion_of!("DELETE FROM ws_relations", "ws_relations WHERE org_id = $1")),
            large(large_portion_of!(
                "UPDATE ws_tasks SET parent_id = NULL",
                "ws_tasks WHERE org_id = $1 AND parent_id IS NOT NULL",
                bytes_of!("description")
            )),
            large(large_portion_of!(
                "DELETE FROM ws_tasks",
                "ws_tasks WHERE org_id = $1",
                bytes_of!("description")
            )),
            of(portion_of!("DELETE FROM ws_labels", "ws_labels WHERE org_id = $1")),
            of(portion_of!("DELETE FROM ws_statuses", "ws_statuses WHERE org_id = $1")),
            large(large_portion_of!(
                "DELETE FROM ws_projects",
                "ws_projects WHERE org_id = $1",
                bytes_of!("description")
            )),
            of(portion_of!("DELETE FROM ws_invitations", "ws_invitations WHERE org_id = $1")),
            of(portion_by!("ws_members", "user_id")),
        ];
        for portion in portions {
            let done = self.execute("ws_organizations: clear a portion", portion).await?;
            if done > 0 {
                return Ok(done);
            }
        }
        let rest = query("DELETE FROM ws_organizations WHERE id = $1").bind(vacated.org().as_uuid());
        self.execute("ws_organizations: clear the rest", rest).await?;
        Ok(0)
    }
}

impl Unit {
    async fn find_membership(
        &mut self,
        org: Uuid,
        slug: &Slug,
        user: UserId,
    ) -> StoreResult<Option<(Organization, Role)>> {
        if let Some(reads) = self.together() {
            return reads.memberships.load((org, slug.clone(), user)).await;
        }
        Box::pin(self.membership_in(org, slug, user)).await
    }

    pub(crate) async fn membership_in(
        &mut self,
        org: Uuid,
        slug: &Slug,
        user: UserId,
    ) -> StoreResult<Option<(Organization, Role)>> {
        let find = query_as::<_, MembershipRow>(concat!(
            "SELECT ",
            organization_columns!("o."),
            ", m.role FROM ws_organizations o CROSS JOIN ws_members m
              WHERE o.id = $1 AND o.slug = $2 AND m.org_id = $1 AND m.user_id = $3"
        ))
        .bind_all((org, slug.as_str(), user));
        self.optional("ws_organizations: membership", find).await?.map(TryFrom::try_from).transpose()
    }

    async fn refuse_stale_organization(
        &mut self,
        scope: &OrgScope,
        expected: Option<i64>,
    ) -> StoreResult<()> {
        let current =
            query_as("SELECT version FROM ws_organizations WHERE id = $1").bind(scope.org().as_uuid());
        self.refuse_stale("ws_organizations: version", expected, current).await
    }
}
