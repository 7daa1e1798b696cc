//! Projects, and the door to a project.

use async_trait::async_trait;
use sqlx::types::Uuid;
use sqlx::{FromRow, Row as _, query_as};
use workscribe_core::clock::Timestamp;
use workscribe_core::id::{OrgId, ProjectId, UserId};
use workscribe_core::page::PageRequest;
use workscribe_core::tenancy::{OrgScope, Slug};
use workscribe_core::transfer::ProjectRow;
use workscribe_core::work::{Archived, Entered, Project, ProjectChange, ProjectRef, ProjectStore, Status};
use workscribe_core::{StoreError, StoreResult, Target};

use super::bind::BindAll as _;
use super::members::parse_role;
use super::table::Stored;
use super::unit::Row;
use super::{Unit, after, dialect, person};

fn project(org_id: OrgId, Stored(row): Stored<ProjectRow>) -> Project {
    Project {
        id: row.id,
        org_id,
        name: row.name,
        key: row.key,
        description: row.description,
        kind: row.kind,
        is_archived: row.is_archived,
        created_by: row.created_by,
        version: row.version,
        created_at: row.created_at,
        updated_at: row.updated_at,
    }
}

/// The membership that a door has looked up; see `entered_columns!`.
#[derive(FromRow)]
pub(crate) struct EnteredRow {
    entered_org_id: Uuid,
    entered_role: String,
    actor_id: Uuid,
    actor_name: String,
    actor_avatar_url: Option<String>,
}

impl EnteredRow {
    pub(crate) fn with<T>(self, found: T) -> StoreResult<Entered<T>> {
        Ok(Entered {
            org: self.entered_org_id.into(),
            role: parse_role("ws_members", &self.entered_role)?,
            actor: person(self.actor_id, self.actor_name, self.actor_avatar_url),
            found,
        })
    }
}

/// A membership, and the project if it exists.
pub(crate) struct EnteredProjectRow {
    entered: EnteredRow,
    project: Option<Stored<ProjectRow>>,
}

impl FromRow<'_, Row> for EnteredProjectRow {
    fn from_row(row: &Row) -> Result<Self, sqlx::Error> {
        let is_there = row.try_get::<Option<Uuid>, _>("id")?.is_some();
        let project = is_there.then(|| Stored::from_row(row)).transpose()?;
        Ok(Self { entered: EnteredRow::from_row(row)?, project })
    }
}

macro_rules! enter_project {
    ($condition:literal) => {
        concat!(
            "SELECT ",
            entered_columns!(),
            ", ",
            project_columns!(),
            " FROM ws_organizations o
              CROSS JOIN ws_members m
              JOIN ws_users u ON u.id = $3
              LEFT JOIN ws_projects ON ws_projects.org_id = $1 AND ",
            $condition,
            " WHERE o.id = $1 AND o.slug = $2 AND m.org_id = $1 AND m.user_id = $3"
        )
    };
}

/// The stored value of a filter; `None` for archived and other projects.
const fn is_archived(archived: Archived) -> Option<bool> {
    match archived {
        Archived::No => Some(false),
        Archived::Yes => Some(true),
        Archived::All => None,
    }
}

#[async_trait]
impl ProjectStore for Unit {
    async fn enter(
        &mut self,
        slug: &Slug,
        user: UserId,
        project: &ProjectRef,
    ) -> StoreResult<Option<Entered<Option<Project>>>> {
        let Some(named) = self.named(slug).await? else { return Ok(None) };
        let mut found = self.find_entered(named.org, slug, user, project).await?;
        if found.is_none() && !named.is_fresh {
            let Some(named) = self.named_now(slug).await? else { return Ok(None) };
            found = self.find_entered(named.org, slug, user, project).await?;
        }
        Ok(found)
    }

    async fn insert(&mut self, scope: &OrgScope, project: &Project, statuses: &[Status]) -> StoreResult<()> {
        let (org, new) = (scope.org().as_uuid(), project.clone());
        let row = ProjectRow {
            id: new.id,
            name: new.name,
            key: new.key,
            description: new.description,
            kind: new.kind,
            is_archived: new.is_archived,
            last_number: 0,
            last_position: 0,
            created_by: new.created_by,
            version: new.version,
            created_at: new.created_at,
            updated_at: new.updated_at,
        };
        self.insert_row("ws_projects: insert", org, &row).await?;
        self.insert_few("ws_statuses: insert", org, statuses).await
    }

    async fn find(&mut self, scope: &OrgScope, id: ProjectId) -> StoreResult<Option<Project>> {
        let find = query_as::<_, Stored<ProjectRow>>(concat!(
            "SELECT ",
            project_columns!(),
            " FROM ws_projects WHERE org_id = $1 AND id = $2"
        ))
        .bind_all((scope, id));
        Ok(self.optional("ws_projects: find", find).await?.map(|row| project(scope.org(), row)))
    }

    async fn list(
        &mut self,
        scope: &OrgScope,
        archived: Archived,
        page: &PageRequest,
    ) -> StoreResult<Vec<Project>> {
        let (at, id) = after(page);
        let list = query_as::<_, Stored<ProjectRow>>(concat!(
            "SELECT ",
            project_columns!(),
            " FROM ws_projects
              WHERE org_id = $1 AND (created_at, id) > ($2, $3) AND ($4 IS NULL OR is_archived = $4)
              ORDER BY created_at, id LIMIT $5"
        ))
        .bind_all((scope, at, id, is_archived(archived), page.fetch()));
        Ok(self
            .all("ws_projects: list", list)
            .await?
            .into_iter()
            .map(|row| project(scope.org(), row))
            .collect())
    }

    async fn count(&mut self, scope: &OrgScope, archived: Archived) -> StoreResult<i64> {
        let count = query_as::<_, (i64,)>(
            "SELECT count(*) FROM ws_projects WHERE org_id = $1 AND ($2 IS NULL OR is_archived = $2)",
        )
        .bind_all((scope, is_archived(archived)));
        Ok(self.one("ws_projects: count", count).await?.0)
    }

    async fn lock(&mut self, scope: &OrgScope, id: ProjectId) -> StoreResult<Option<Project>> {
        let lock = query_as::<_, Stored<ProjectRow>>(concat!(
            "SELECT ",
            project_columns!(),
            " FROM ws_projects WHERE org_id = $1 AND id = $2",
            for_update!()
        ))
        .bind_all((scope, id));
        self.wait_for_turn(id.as_uuid()).await;
        Ok(self.optional("ws_projects: lock", lock).await?.map(|row| project(scope.org(), row)))
    }

    async fn hold(&mut self, scope: &OrgScope, id: ProjectId) -> StoreResult<()> {
        self.wait_for_turn(id.as_uuid()).await;
        if self.begins_with(dialect::hold_project(scope.org(), id)) {
            return self.begin().await;
        }
        let hold = query_as::<_, (Uuid,)>(concat!(
            "SELECT id FROM ws_projects WHERE org_id = $1 AND id = $2",
            for_update!()
        ))
        .bind_all((scope, id));
        self.optional("ws_projects: hold", hold).await.map(drop)
    }

    async fn update(
        &mut self,
        scope: &OrgScope,
        Target { id, version }: Target<ProjectId>,
        change: &ProjectChange,
        now: Timestamp,
    ) -> StoreResult<Option<Project>> {
        let update = query_as::<_, Stored<ProjectRow>>(concat!(
            "UPDATE ws_projects
                SET name = COALESCE($3, name),
                    description = CASE WHEN $4 THEN $5 ELSE description END,
                    is_archived = COALESCE($6, is_archived),
                    version = version + 1, updated_at = $7
              WHERE org_id = $1 AND id = $2 AND ($8 IS NULL OR version = $8)
             RETURNING ",
            project_columns!()
        ))
        .bind_all((
            scope,
            id,
            &change.name,
            change.description.is_some(),
            change.description.clone().flatten(),
            change.is_archived,
            now,
            version,
        ));
        let updated = self.optional("ws_projects: update", update).await?;
        if updated.is_none() {
            let current = query_as("SELECT version FROM ws_projects WHERE org_id = $1 AND id = $2")
                .bind_all((scope, id));
            self.refuse_stale("ws_projects: version", version, current).await?;
        }
        Ok(updated.map(|row| project(scope.org(), row)))
    }

    async fn advance_position(
        &mut self,
        scope: &OrgScope,
        id: ProjectId,
        by: i64,
    ) -> StoreResult<Option<i64>> {
        let update = query_as::<_, (i64,)>(
            "UPDATE ws_projects SET last_position = last_position + $3 WHERE org_id = $1 AND id = $2
             RETURNING last_position",
        )
        .bind_all((scope, id, by));
        self.wait_for_turn(id.as_uuid()).await;
        Ok(self.optional("ws_projects: advance position", update).await?.map(|row| row.0))
    }
}

impl TryFrom<EnteredProjectRow> for Entered<Option<Project>> {
    type Error = StoreError;

    fn try_from(row: EnteredProjectRow) -> StoreResult<Self> {
        let org = row.entered.entered_org_id.into();
        row.entered.with(row.project.map(|row| project(org, row)))
    }
}

impl Unit {
    async fn find_entered(
        &mut self,
        org: Uuid,
        slug: &Slug,
        user: UserId,
        project: &ProjectRef,
    ) -> StoreResult<Option<Entered<Option<Project>>>> {
        if let Some(reads) = self.together() {
            return reads.projects.load((org, slug.clone(), user, project.clone())).await;
        }
        Box::pin(self.enter_in(org, slug, user, project)).await
    }

    pub(crate) async fn enter_in(
        &mut self,
        org: Uuid,
        slug: &Slug,
        user: UserId,
        project: &ProjectRef,
    ) -> StoreResult<Option<Entered<Option<Project>>>> {
        let enter = match project {
            ProjectRef::Id(_) => query_as::<_, EnteredProjectRow>(enter_project!("ws_projects.id = $4")),
            ProjectRef::Key(_) => query_as(enter_project!("ws_projects.key = $4")),
        }
        .bind_all((org, slug.as_str(), user));
        let enter = match project {
            ProjectRef::Id(id) => enter.bind(id.as_uuid()),
            ProjectRef::Key(key) => enter.bind(key.as_str()),
        };
        self.optional("ws_projects: enter", enter).await?.map(TryFrom::try_from).transpose()
    }
}
