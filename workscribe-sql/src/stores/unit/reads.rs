//! The reads at the start of nearly every request: session, account, and the doors. They run together for many requests; see
//! [`super::batch`].
//!
//! Only a unit that has run no statement yet reads this way: under READ COMMITTED each statement sees what is committed when it
//! runs, before `BEGIN` as well as after it, and the transaction begins a round trip later. A unit that has begun reads on its
//! own connection, where it sees its own writes.

use std::hash::Hash;
use std::marker::PhantomData;
use std::sync::Arc;

use sqlx::types::Uuid;
use sqlx::{FromRow, Row as _, SqlStr, query};
use workscribe_core::StoreResult;
use workscribe_core::id::{SessionId, TaskId, UserId};
use workscribe_core::identity::{Account, Session, User};
use workscribe_core::tenancy::{Organization, Role, Slug};
use workscribe_core::work::{Entered, Project, ProjectRef, Task};

use super::super::bind::BindAll as _;
use super::super::identity::tokens::SessionWithUserRow;
use super::super::identity::users::AccountRow;
use super::super::tenancy::organizations::MembershipRow;
use super::super::tenancy::slugs::Slugs;
use super::super::work::projects::EnteredProjectRow;
use super::super::work::tasks::EnteredTaskRow;
use super::batch::{Batch, Found, LookUp};
use super::{Row, Source};
use super::{Unit, dialect, store_error};

/// A kind of key, and how to look up rows by it.
pub(crate) trait Key: Clone + Eq + Hash + Send + Sync + 'static {
    /// The result for one key.
    type Row: Clone + Send + 'static;

    /// Looks up different keys.
    fn find(unit: &mut Unit, keys: &[Self]) -> impl Future<Output = StoreResult<Found<Self::Row>>> + Send;
}

/// The key of a membership: organization, slug, user.
type Membership = (Uuid, Slug, UserId);
/// The key of a project: that of a membership, and the project.
type ProjectDoor = (Uuid, Slug, UserId, ProjectRef);

type Together<K> = Arc<Batch<Reading<K>>>;

/// The batches of look-ups, one for each kind of key.
pub(crate) struct Reads {
    slugs: Arc<Slugs>,
    pub(crate) sessions: Together<SessionId>,
    pub(crate) accounts: Together<UserId>,
    pub(crate) memberships: Together<Membership>,
    pub(crate) projects: Together<ProjectDoor>,
    pub(crate) tasks: Together<(UserId, TaskId)>,
}

impl Reads {
    /// Reads on connections of `source`, each statement in a transaction that `begin` opens, or in none.
    pub(crate) fn new(source: &Source, begin: Option<SqlStr>, prepares: bool) -> Arc<Self> {
        let readers = Arc::new(Readers { source: source.clone(), begin, prepares });
        Arc::new(Self {
            slugs: Arc::default(),
            sessions: Reading::by(&readers),
            accounts: Reading::by(&readers),
            memberships: Reading::by(&readers),
            projects: Reading::by(&readers),
            tasks: Reading::by(&readers),
        })
    }

    pub(crate) fn slugs(&self) -> &Arc<Slugs> {
        &self.slugs
    }
}

/// Makes the units that read.
struct Readers {
    source: Source,
    begin: Option<SqlStr>,
    prepares: bool,
}

/// Look-ups by one kind of key, each on its own unit.
pub(crate) struct Reading<K> {
    readers: Arc<Readers>,
    kind: PhantomData<fn() -> K>,
}

impl<K: Key> Reading<K> {
    fn by(readers: &Arc<Readers>) -> Arc<Batch<Self>> {
        Batch::new(Self { readers: Arc::clone(readers), kind: PhantomData })
    }
}

impl<K: Key> LookUp for Reading<K> {
    type Key = K;
    type Row = K::Row;
    type Connection = Unit;

    async fn connect(&self) -> StoreResult<Unit> {
        let Readers { source, begin, prepares } = &*self.readers;
        let unit = Unit::waiting(source, None, begin.clone());
        let mut unit = if *prepares { unit } else { unit.unprepared() };
        unit.begin().await?;
        Ok(unit)
    }

    /// The next look-up gets the connection before the callers continue.
    async fn look_up(&self, mut unit: Unit, keys: &[K]) -> StoreResult<Found<K::Row>> {
        K::find(&mut unit, keys).await
    }
}

/// The rows found, each with the number of its key. A row that cannot be read is an error for its key only.
fn found<T, R>(name: &'static str, rows: Vec<Row>, read: impl Fn(T) -> StoreResult<R>) -> Found<R>
where
    T: for<'r> FromRow<'r, Row>,
{
    let number =
        |row: &Row| usize::try_from(row.try_get::<i64, _>("number_of_key").ok()? - dialect::FIRST_KEY).ok();
    let row = |row: &Row| {
        let read_row = T::from_row(row).map_err(|error| store_error(name, error, dialect::classify));
        Some((number(row)?, read_row.and_then(&read)))
    };
    rows.iter().filter_map(row).collect()
}

/// The result of a look-up of one key.
fn alone<R>(found: Option<R>) -> Found<R> {
    found.map(|row| (0, Ok(row))).into_iter().collect()
}

impl Key for SessionId {
    type Row = (Session, User);

    async fn find(unit: &mut Unit, keys: &[Self]) -> StoreResult<Found<(Session, User)>> {
        if let [id] = keys {
            return Ok(alone(unit.session_and_user(*id).await?));
        }
        let name = "ws_sessions: with users";
        let find = query(concat!(
            "SELECT given.number_of_key, ",
            session_columns!("s."),
            ", ",
            user_columns!("u."),
            " FROM ",
            given!(uuid "$1" "id"),
            one_of!("ws_sessions", "s", "s.id = given.id"),
            one_of!("ws_users", "u", "u.id = s.user_id")
        ))
        .bind(dialect::array(keys.iter().map(|id| id.as_uuid())));
        Ok(found(name, unit.rows(name, find).await?, |row: SessionWithUserRow| row.try_into()))
    }
}

impl Key for UserId {
    type Row = Account;

    async fn find(unit: &mut Unit, keys: &[Self]) -> StoreResult<Found<Account>> {
        if let [id] = keys {
            return Ok(alone(unit.account_in(*id).await?));
        }
        let name = "ws_users: accounts";
        let find = query(concat!(
            "SELECT given.number_of_key, ",
            user_columns!("u."),
            ", ",
            is_bouncing!("u.email"),
            " AS email_bouncing FROM ",
            given!(uuid "$1" "id"),
            one_of!("ws_users", "u", "u.id = given.id")
        ))
        .bind(dialect::array(keys.iter().map(|id| id.as_uuid())));
        Ok(found(name, unit.rows(name, find).await?, |row: AccountRow| Ok(row.into())))
    }
}

impl Key for Membership {
    type Row = (Organization, Role);

    async fn find(unit: &mut Unit, keys: &[Self]) -> StoreResult<Found<(Organization, Role)>> {
        if let [(org, slug, user)] = keys {
            return Ok(alone(unit.membership_in(*org, slug, *user).await?));
        }
        let name = "ws_organizations: memberships";
        let find = query(concat!(
            "SELECT given.number_of_key, ",
            organization_columns!("o."),
            ", m.role FROM ",
            given!(uuid "$1" "org_id", text "$2" "slug", uuid "$3" "user_id"),
            one_of!("ws_organizations", "o", "o.id = given.org_id AND o.slug = given.slug"),
            one_of!("ws_members", "m", "m.org_id = given.org_id AND m.user_id = given.user_id")
        ))
        .bind_all((
            dialect::array(keys.iter().map(|(org, ..)| *org)),
            dialect::array(keys.iter().map(|(_, slug, _)| slug.as_str().to_owned())),
            dialect::array(keys.iter().map(|(.., user)| user.as_uuid())),
        ));
        Ok(found(name, unit.rows(name, find).await?, |row: MembershipRow| row.try_into()))
    }
}

impl Key for ProjectDoor {
    type Row = Entered<Option<Project>>;

    async fn find(unit: &mut Unit, keys: &[Self]) -> StoreResult<Found<Entered<Option<Project>>>> {
        if let [(org, slug, user, project)] = keys {
            return Ok(alone(unit.enter_in(*org, slug, *user, project).await?));
        }
        let name = "ws_projects: enter many";
        // Each project is named by its id or by its key.
        let find = query(concat!(
            "SELECT given.number_of_key, ",
            entered_columns!(),
            ", ",
            project_columns!(),
            " FROM ",
            given!(uuid "$1" "org_id", text "$2" "slug", uuid "$3" "user_id", uuid "$4" "project_id", text "$5" "key"),
            one_of!("ws_organizations", "o", "o.id = given.org_id AND o.slug = given.slug"),
            one_of!("ws_members", "m", "m.org_id = given.org_id AND m.user_id = given.user_id"),
            one_of!("ws_users", "u", "u.id = m.user_id"),
            one_or_none_of!(
                "ws_projects",
                "ws_projects",
                "ws_projects.org_id = given.org_id AND ws_projects.id = COALESCE(given.project_id, (
                     SELECT k.id FROM ws_projects k WHERE k.org_id = given.org_id AND k.key = given.key))"
            )
        ))
        .bind_all((
            dialect::array(keys.iter().map(|(org, ..)| *org)),
            dialect::array(keys.iter().map(|(_, slug, ..)| slug.as_str().to_owned())),
            dialect::array(keys.iter().map(|(_, _, user, _)| user.as_uuid())),
            dialect::array(keys.iter().map(|(.., project)| id_of(project))),
            dialect::array(keys.iter().map(|(.., project)| key_of(project))),
        ));
        Ok(found(name, unit.rows(name, find).await?, |row: EnteredProjectRow| row.try_into()))
    }
}

fn id_of(project: &ProjectRef) -> Option<Uuid> {
    match project {
        ProjectRef::Id(id) => Some(id.as_uuid()),
        ProjectRef::Key(_) => None,
    }
}

fn key_of(project: &ProjectRef) -> Option<String> {
    match project {
        ProjectRef::Id(_) => None,
        ProjectRef::Key(key) => Some(key.as_str().to_owned()),
    }
}

impl Key for (UserId, TaskId) {
    type Row = Entered<Task>;

    async fn find(unit: &mut Unit, keys: &[Self]) -> StoreResult<Found<Entered<Task>>> {
        if let [(user, id)] = keys {
            return Ok(alone(unit.enter_task_in(*user, *id).await?));
        }
        let name = "ws_tasks: enter many";
        let find = query(concat!(
            "SELECT given.number_of_key, ",
            entered_columns!(),
            ", ",
            task_columns_with!("t.description", labels_of_one_task!(), "t.org_id"),
            " FROM ",
            given!(uuid "$1" "user_id", uuid "$2" "task_id"),
            "CROSS JOIN ws_members m ",
            one_of!("ws_tasks", "t", "t.org_id = m.org_id AND t.id = given.task_id"),
            one_of!("ws_users", "u", "u.id = m.user_id"),
            one_of!("ws_projects", "p", "p.org_id = t.org_id AND p.id = t.project_id"),
            one_of!("ws_statuses", "s", "s.org_id = t.org_id AND s.id = t.status_id"),
            one_or_none_of!("ws_users", "a", "a.id = t.assignee_id"),
            one_of!("ws_users", "r", "r.id = t.reporter_id"),
            "WHERE m.user_id = given.user_id"
        ))
        .bind_all((
            dialect::array(keys.iter().map(|(user, _)| user.as_uuid())),
            dialect::array(keys.iter().map(|(_, task)| task.as_uuid())),
        ));
        Ok(found(name, unit.rows(name, find).await?, |row: EnteredTaskRow| row.try_into()))
    }
}
