//! Members, each shown with their account.

use async_trait::async_trait;
use sqlx::types::{Json, Uuid};
use sqlx::{FromRow, query, query_as};
use workscribe_core::StoreResult;
use workscribe_core::clock::Timestamp;
use workscribe_core::id::UserId;
use workscribe_core::identity::Email;
use workscribe_core::page::PageRequest;
use workscribe_core::tenancy::{InvitationPass, Member, MemberStore, OrgScope, Role};
use workscribe_core::transfer::MemberRow;

use super::bind::BindAll as _;
use super::table::Stored;
use super::{Unit, after, corrupt};

/// A member with the public data of their account; see `member_select!`.
#[derive(FromRow)]
struct ShownRow {
    #[sqlx(flatten)]
    row: Stored<MemberRow>,
    email: String,
    display_name: String,
    avatar_url: Option<String>,
}

impl From<ShownRow> for Member {
    fn from(shown: ShownRow) -> Self {
        let MemberRow { user_id, role, version, joined_at } = shown.row.0;
        let (email, display_name) = (Email::from_stored(shown.email), shown.display_name);
        Self { user_id, email, display_name, avatar_url: shown.avatar_url, role, version, joined_at }
    }
}

pub(crate) fn parse_role(table: &'static str, name: &str) -> StoreResult<Role> {
    Role::parse(name).ok_or_else(|| corrupt(table, format!("role is {name:?}")))
}

#[async_trait]
impl MemberStore for Unit {
    async fn list(&mut self, scope: &OrgScope, page: &PageRequest) -> StoreResult<Vec<Member>> {
        let (at, id) = after(page);
        let list = query_as::<_, ShownRow>(concat!(
            member_select!(),
            "WHERE m.org_id = $1 AND (m.joined_at, m.user_id) > ($2, $3) ORDER BY m.joined_at, m.user_id LIMIT $4"
        ))
        .bind_all((scope, at, id, page.fetch()));
        Ok(self.all("ws_members: list", list).await?.into_iter().map(Member::from).collect())
    }

    async fn count(&mut self, scope: &OrgScope) -> StoreResult<i64> {
        let count = query_as::<_, (i64,)>("SELECT count(*) FROM ws_members WHERE org_id = $1")
            .bind(scope.org().as_uuid());
        Ok(self.one("ws_members: count", count).await?.0)
    }

    async fn find(&mut self, scope: &OrgScope, user: UserId) -> StoreResult<Option<Member>> {
        let find =
            query_as::<_, ShownRow>(concat!(member_select!(), "WHERE m.org_id = $1 AND m.user_id = $2"))
                .bind_all((scope, user));
        Ok(self.optional("ws_members: find", find).await?.map(Member::from))
    }

    async fn hold(&mut self, scope: &OrgScope, user: UserId) -> StoreResult<Option<Member>> {
        let find = query_as::<_, ShownRow>(concat!(
            member_select!(),
            "WHERE m.org_id = $1 AND m.user_id = $2",
            for_key_share!()
        ))
        .bind_all((scope, user));
        Ok(self.optional("ws_members: hold", find).await?.map(Member::from))
    }

    async fn among(&mut self, scope: &OrgScope, users: &[UserId]) -> StoreResult<Vec<UserId>> {
        if users.is_empty() {
            return Ok(Vec::new());
        }
        let list = query_as::<_, (Uuid,)>(concat!(
            "SELECT user_id FROM ws_members WHERE org_id = $1 AND user_id ",
            in_ids!("$2"),
            " ORDER BY user_id"
        ))
        .bind_all((scope, Json(users)));
        let found = self.all("ws_members: among", list).await?;
        Ok(found.into_iter().map(|(user,)| user.into()).collect())
    }

    async fn find_by_email(&mut self, scope: &OrgScope, email: &Email) -> StoreResult<Option<Member>> {
        let find = query_as::<_, ShownRow>(concat!(member_select!(), "WHERE m.org_id = $1 AND u.email = $2"))
            .bind_all((scope, email.as_str()));
        Ok(self.optional("ws_members: find by email", find).await?.map(Member::from))
    }

    async fn count_owners(&mut self, scope: &OrgScope) -> StoreResult<i64> {
        let count =
            query_as::<_, (i64,)>("SELECT count(*) FROM ws_members WHERE org_id = $1 AND role = 'owner'")
                .bind(scope.org().as_uuid());
        Ok(self.one("ws_members: count owners", count).await?.0)
    }

    async fn set_role(
        &mut self,
        scope: &OrgScope,
        user: UserId,
        role: Role,
        expected: Option<i64>,
    ) -> StoreResult<Option<Member>> {
        let update = query(
            "UPDATE ws_members SET role = $3, version = version + 1
              WHERE org_id = $1 AND user_id = $2 AND ($4 IS NULL OR version = $4)",
        )
        .bind_all((scope, user, role.as_str(), expected));
        if self.execute("ws_members: set role", update).await? == 0 {
            self.refuse_stale_member(scope, user, expected).await?;
            return Ok(None);
        }
        MemberStore::find(self, scope, user).await
    }

    async fn remove(&mut self, scope: &OrgScope, user: UserId, expected: Option<i64>) -> StoreResult<bool> {
        let delete = query(
            "DELETE FROM ws_members WHERE org_id = $1 AND user_id = $2 AND ($3 IS NULL OR version = $3)",
        )
        .bind_all((scope, user, expected));
        let removed = self.execute("ws_members: remove", delete).await? > 0;
        if !removed {
            self.refuse_stale_member(scope, user, expected).await?;
        }
        Ok(removed)
    }

    async fn join(&mut self, pass: &InvitationPass, user: UserId, now: Timestamp) -> StoreResult<()> {
        let invitation = pass.invitation();
        let member = MemberRow { user_id: user, role: invitation.role, version: 1, joined_at: now };
        self.insert_row("ws_members: join", invitation.org_id.as_uuid(), &member).await
    }
}

impl Unit {
    async fn refuse_stale_member(
        &mut self,
        scope: &OrgScope,
        user: UserId,
        expected: Option<i64>,
    ) -> StoreResult<()> {
        let current = query_as("SELECT version FROM ws_members WHERE org_id = $1 AND user_id = $2")
            .bind_all((scope, user));
        self.refuse_stale("ws_members: version", expected, current).await
    }
}
