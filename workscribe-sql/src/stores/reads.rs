//! The reads that nearly every request begins with: session, account, and the doors. They are made together for many requests; see
//! [`super::batch`].
//!
//! Only a unit that has made no statement yet reads so: under READ COMMITTED each statement sees what is committed when it runs, before
//! `BEGIN` as after it, and the transaction begins a round trip later. A unit that has begun reads on its own connection, where it
//! sees its own writes.

use std::sync::Arc;

use serde_json::json;
use sqlx::types::{Json, Uuid};
use sqlx::{FromRow, Pool, SqlStr, query_as};
use workscribe_core::StoreError;
use workscribe_core::clock::Timestamp;
use workscribe_core::id::{SessionId, TaskId, UserId};
use workscribe_core::identity::{Account, Session, TokenStore, User, UserStore};
use workscribe_core::tenancy::{Organization, Role, Slug};
use workscribe_core::work::{Entered, Project, ProjectRef, Task, TaskStore};

use super::batch::{Batch, Found, Looking};
use super::lane::Lane;
use super::organizations::MembershipRow;
use super::projects::EnteredProjectRow;
use super::slugs::Slugs;
use super::tasks::EnteredTaskRow;
use super::tokens::SessionWithUserRow;
use super::unit::Row;
use super::users::AccountRow;
use super::{Db, Unit};

/// A membership that is asked for: of which organization, under which slug, and whose.
type Membership = (Uuid, Slug, UserId);
/// The same with a project.
type ProjectDoor = (Uuid, Slug, UserId, ProjectRef);

/// How to read, and who waits for what.
pub(crate) struct Reads {
    pool: Pool<Db>,
    lane: Arc<Lane>,
    begin: Option<SqlStr>,
    prepares: bool,
    slugs: Arc<Slugs>,
    pub(super) sessions: Arc<Batch<(SessionId, Timestamp), (Session, User)>>,
    pub(super) accounts: Arc<Batch<UserId, Account>>,
    pub(super) memberships: Arc<Batch<Membership, (Organization, Role)>>,
    pub(super) projects: Arc<Batch<ProjectDoor, Entered<Option<Project>>>>,
    pub(super) tasks: Arc<Batch<(UserId, TaskId), Entered<Task>>>,
}

impl Reads {
    /// Reads by the connections of a pool, each statement alone or in what `begin` opens.
    pub(crate) fn new(pool: &Pool<Db>, lane: &Arc<Lane>, begin: Option<SqlStr>, prepares: bool) -> Arc<Self> {
        Arc::new(Self {
            pool: pool.clone(),
            lane: Arc::clone(lane),
            begin,
            prepares,
            slugs: Arc::default(),
            sessions: Batch::new(sessions),
            accounts: Batch::new(accounts),
            memberships: Batch::new(memberships),
            projects: Batch::new(projects),
            tasks: Batch::new(tasks),
        })
    }

    /// A unit that reads alone.
    pub(super) fn unit(&self) -> Unit {
        let mut unit = Unit::waiting(&self.pool, &self.lane, None, self.begin.clone());
        unit.slugs = Arc::clone(&self.slugs);
        if self.prepares { unit } else { unit.unprepared() }
    }

    pub(super) fn slugs(&self) -> &Arc<Slugs> {
        &self.slugs
    }
}

/// A row with the number of the key that it was found for.
struct Numbered<T> {
    number: usize,
    row: T,
}

impl<'r, T: FromRow<'r, Row>> FromRow<'r, Row> for Numbered<T> {
    fn from_row(row: &'r Row) -> Result<Self, sqlx::Error> {
        use sqlx::Row as _;
        let number = usize::try_from(row.try_get::<i64, _>("number_of_key")?).unwrap_or(usize::MAX);
        Ok(Self { number, row: T::from_row(row)? })
    }
}

fn found<T, R>(
    rows: Vec<Numbered<T>>,
    read: impl Fn(T) -> Result<R, StoreError>,
) -> Result<Found<R>, StoreError> {
    Ok(rows.into_iter().map(|Numbered { number, row }| (number, read(row))).collect())
}

/// What one unit finds for one key.
fn alone<R>(found: Option<R>) -> Found<R> {
    found.map(|row| (0, Ok(row))).into_iter().collect()
}

/// The keys, as rows `given` with a number.
macro_rules! given {
    ($($column:expr),+) => {
        concat!("(SELECT CAST(given.value ->> 'number' AS bigint) AS number_of_key" $(, ", ", $column)+, " FROM ", rows_of!("$1"), ") AS given ")
    };
}

fn sessions<'a>(unit: &'a mut Unit, keys: &'a [(SessionId, Timestamp)]) -> Looking<'a, (Session, User)> {
    Box::pin(async move {
        if let [(id, now)] = keys {
            return Ok(alone(unit.session_with_user(*id, *now).await?));
        }
        let given: Vec<_> =
            (0..).zip(keys).map(|(number, (id, _)): (i64, _)| json!({"number": number, "id": id})).collect();
        let find = query_as::<_, Numbered<SessionWithUserRow>>(concat!(
            "SELECT given.number_of_key, ",
            session_columns!("s."),
            ", ",
            user_columns!("u."),
            " FROM ",
            given!(uuid_of_key!("id")),
            one_of!("ws_sessions", "s", "s.id = given.id"),
            one_of!("ws_users", "u", "u.id = s.user_id")
        ))
        .bind(Json(given));
        let rows = unit.all("ws_sessions: with users", find).await?;
        let rows: Vec<_> = rows
            .into_iter()
            .filter(|found| keys.get(found.number).is_some_and(|(_, now)| found.row.is_good_at(*now)))
            .collect();
        found(rows, TryInto::try_into)
    })
}

fn accounts<'a>(unit: &'a mut Unit, keys: &'a [UserId]) -> Looking<'a, Account> {
    Box::pin(async move {
        if let [id] = keys {
            return Ok(alone(UserStore::account(unit, *id).await?));
        }
        let given: Vec<_> =
            (0..).zip(keys).map(|(number, id): (i64, _)| json!({"number": number, "id": id})).collect();
        let find = query_as::<_, Numbered<AccountRow>>(concat!(
            "SELECT given.number_of_key, ",
            user_columns!("u."),
            ", ",
            is_bouncing!("u.email"),
            " AS email_bouncing FROM ",
            given!(uuid_of_key!("id")),
            one_of!("ws_users", "u", "u.id = given.id")
        ))
        .bind(Json(given));
        found(unit.all("ws_users: accounts", find).await?, |row| Ok(row.into()))
    })
}

fn memberships<'a>(unit: &'a mut Unit, keys: &'a [Membership]) -> Looking<'a, (Organization, Role)> {
    Box::pin(async move {
        if let [(org, slug, user)] = keys {
            let row = unit.membership_in(*org, slug, *user).await?;
            return Ok(alone(row.map(TryInto::try_into).transpose()?));
        }
        let given = |(number, (org, slug, user)): (i64, &Membership)| json!({"number": number, "org_id": org, "slug": slug.as_str(), "user_id": user});
        let given: Vec<_> = (0..).zip(keys).map(given).collect();
        let find = query_as::<_, Numbered<MembershipRow>>(concat!(
            "SELECT given.number_of_key, ",
            organization_columns!("o."),
            ", m.role FROM ",
            given!(uuid_of_key!("org_id"), "given.value ->> 'slug' AS slug", uuid_of_key!("user_id")),
            one_of!("ws_organizations", "o", "o.id = given.org_id AND o.slug = given.slug"),
            one_of!("ws_members", "m", "m.org_id = given.org_id AND m.user_id = given.user_id")
        ))
        .bind(Json(given));
        found(unit.all("ws_organizations: memberships", find).await?, TryInto::try_into)
    })
}

/// The rows of both kinds of keys for projects, which have an index each.
macro_rules! enter_projects {
    ($key:expr, $condition:literal) => {
        concat!(
            "SELECT given.number_of_key, ",
            entered_columns!(),
            ", ",
            project_columns!("p."),
            " FROM ",
            given!(uuid_of_key!("org_id"), "given.value ->> 'slug' AS slug", uuid_of_key!("user_id"), $key),
            one_of!("ws_organizations", "o", "o.id = given.org_id AND o.slug = given.slug"),
            one_of!("ws_members", "m", "m.org_id = given.org_id AND m.user_id = given.user_id"),
            one_of!("ws_users", "u", "u.id = m.user_id"),
            one_or_none_of!("ws_projects", "p", $condition)
        )
    };
}

fn projects<'a>(unit: &'a mut Unit, keys: &'a [ProjectDoor]) -> Looking<'a, Entered<Option<Project>>> {
    Box::pin(async move {
        if let [(org, slug, user, project)] = keys {
            let row = unit.enter_in(*org, slug, *user, project).await?;
            return Ok(alone(row.map(TryInto::try_into).transpose()?));
        }
        let (mut by_id, mut by_key) = (Vec::new(), Vec::new());
        for (number, (org, slug, user, project)) in (0_i64..).zip(keys) {
            let mut given = json!({"number": number, "org_id": org, "slug": slug.as_str(), "user_id": user});
            match project {
                ProjectRef::Id(id) => {
                    given["project_id"] = json!(id);
                    by_id.push(given);
                }
                ProjectRef::Key(key) => {
                    given["key"] = json!(key.as_str());
                    by_key.push(given);
                }
            }
        }
        let mut rows = Vec::new();
        if !by_id.is_empty() {
            let find = query_as::<_, Numbered<EnteredProjectRow>>(enter_projects!(
                uuid_of_key!("project_id"),
                "p.org_id = given.org_id AND p.id = given.project_id"
            ));
            rows.extend(unit.all("ws_projects: enter many", find.bind(Json(by_id))).await?);
        }
        if !by_key.is_empty() {
            let find = query_as::<_, Numbered<EnteredProjectRow>>(enter_projects!(
                "given.value ->> 'key' AS key",
                "p.org_id = given.org_id AND p.key = given.key"
            ));
            rows.extend(unit.all("ws_projects: enter many", find.bind(Json(by_key))).await?);
        }
        found(rows, TryInto::try_into)
    })
}

fn tasks<'a>(unit: &'a mut Unit, keys: &'a [(UserId, TaskId)]) -> Looking<'a, Entered<Task>> {
    Box::pin(async move {
        if let [(user, id)] = keys {
            return Ok(alone(TaskStore::enter(unit, *user, *id).await?));
        }
        let given = |(number, (user, task)): (i64, &(UserId, TaskId))| json!({"number": number, "user_id": user, "task_id": task});
        let given: Vec<_> = (0..).zip(keys).map(given).collect();
        let find = query_as::<_, Numbered<EnteredTaskRow>>(concat!(
            "SELECT given.number_of_key, ",
            entered_columns!(),
            ", ",
            task_columns_with!("t.description", labels_of_one_task!()),
            " FROM ",
            given!(uuid_of_key!("user_id"), uuid_of_key!("task_id")),
            "JOIN ws_members m ON m.user_id = given.user_id ",
            one_of!("ws_tasks", "t", "t.org_id = m.org_id AND t.id = given.task_id"),
            one_of!("ws_users", "u", "u.id = m.user_id"),
            one_of!("ws_projects", "p", "p.org_id = t.org_id AND p.id = t.project_id"),
            one_of!("ws_statuses", "s", "s.org_id = t.org_id AND s.id = t.status_id"),
            one_or_none_of!("ws_users", "a", "a.id = t.assignee_id"),
            one_of!("ws_users", "r", "r.id = t.reporter_id")
        ))
        .bind(Json(given));
        found(unit.all("ws_tasks: enter many", find).await?, TryInto::try_into)
    })
}
