//! The data of the requests, and the users who send them.

use std::fmt;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use sqlx::postgres::PgConnection;
use sqlx::{Connection as _, Executor as _, query_as};
use workscribe::identity::{Actor, Client};
use workscribe::tenancy::NewOrganization;
use workscribe_testkit::shapes::{self, add_organizations, fill};

use super::server::Store;
use super::support::{Connection, Outcome, ServerProcess};

/// Users, each with a session.
const USERS: usize = 64;
/// More sessions of each user, which are refreshed.
const SPARE_SESSIONS: usize = 4;
/// The number of projects in which tasks are created.
const PROJECTS: usize = 32;
/// The number of tasks that each user requests.
const TASKS: usize = 40;

/// The shape of the data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    /// An organization for each user, with a project of 40 tasks.
    Small,
    /// One organization of all users, with one project of 100,000 tasks.
    Large,
    /// As [`Shape::Large`], never analysed, as after an import.
    Fresh,
    /// One organization with 1,000 projects of 100 tasks.
    Projects,
    /// One large organization, and 1,000 organizations of 100 tasks.
    Beside,
    /// One organization whose tasks are created during the measurement.
    Empty,
}

impl Shape {
    pub(super) const NAMES: &str = "small, large, fresh, projects, beside, empty";

    pub(super) fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "small" => Self::Small,
            "large" => Self::Large,
            "fresh" => Self::Fresh,
            "projects" => Self::Projects,
            "beside" => Self::Beside,
            "empty" => Self::Empty,
            _ => return None,
        })
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Small => "64 organizations with a project of 40 tasks each",
            Self::Large => "one organization with one project of 100,000 tasks",
            Self::Fresh => "one organization with one project of 100,000 tasks, never analysed",
            Self::Projects => "one organization with 1,000 projects of 100 tasks",
            Self::Beside => "1,000 organizations of 100 tasks beside one of 100,000, which is asked",
            Self::Empty => "one organization whose first tasks are made meanwhile",
        })
    }
}

/// A user, and the data of their requests.
pub(super) struct Subject {
    pub(super) access: String,
    pub(super) slug: String,
    pub(super) project: String,
    pub(super) tasks: Vec<String>,
}

pub(super) struct World {
    pub(super) subjects: Vec<Subject>,
    pub(super) refresh_tokens: Arc<Mutex<Vec<String>>>,
    /// Projects in which tasks are created, with their users.
    pub(super) projects: Vec<(usize, String)>,
}

impl World {
    pub(super) async fn make(url: &str, shape: Shape) -> Outcome<Self> {
        let (mut subjects, refresh_tokens) = users(url, shape == Shape::Small).await?;
        if !matches!(shape, Shape::Small | Shape::Empty) {
            fill_organization(url, shape, &mut subjects).await?;
        }
        let mut projects = match shape {
            Shape::Small | Shape::Empty => by_the_api(url, &mut subjects, shape).await?,
            Shape::Projects => first_projects(url).await?,
            Shape::Large | Shape::Fresh | Shape::Beside => vec![(0, subjects[0].project.clone())],
        };
        projects.truncate(PROJECTS);
        Ok(Self { subjects, refresh_tokens: Arc::new(Mutex::new(refresh_tokens)), projects })
    }
}

/// Creates the users with their sessions, and organizations: either one for each, or one of the first user with the others as members.
async fn users(url: &str, an_organization_each: bool) -> Outcome<(Vec<Subject>, Vec<String>)> {
    let store = Store::connect(url).await?;
    store.database().migrate().await?;
    let app = store.app(0)?;
    let (mut subjects, mut refresh_tokens) = (Vec::new(), Vec::new());
    for number in 0..USERS {
        let mut uow = app.begin().await?;
        let email = format!("user{number}@example.com");
        let user = app.identity().create_without_password(&mut *uow, &email, "A user", true).await?;
        for _ in 0..SPARE_SESSIONS {
            let spare = app.identity().start_session(&mut *uow, user.clone(), &Client::default()).await?;
            refresh_tokens.push(spare.refresh_token.expose().to_owned());
        }
        let tokens = app.identity().start_session(&mut *uow, user, &Client::default()).await?;
        let access = tokens.access_token.expose().to_owned();
        let slug = format!("organization-{}", if an_organization_each { number } else { 0 });
        if an_organization_each || number == 0 {
            let claims = app.issuer().verify(&access, app.now()).ok_or("the token is good")?;
            let actor = Actor { user: claims.user, session: claims.session };
            let new = NewOrganization { name: format!("Organization {number}"), slug: slug.clone() };
            app.organizations().create(&mut *uow, &actor, &new).await?;
        }
        app.commit(uow).await?;
        subjects.push(Subject { access, slug, project: String::new(), tasks: Vec::new() });
    }
    store.database().close().await;
    if !an_organization_each {
        let join = "INSERT INTO ws_members (org_id, user_id, role, version, joined_at)
                    SELECT o.id, u.id, 'member', 1, now() FROM ws_organizations o, ws_users u
                     WHERE o.slug = 'organization-0' AND u.email LIKE 'user%' ON CONFLICT DO NOTHING";
        let mut connection = PgConnection::connect(url).await?;
        connection.execute(join).await?;
        connection.close().await?;
    }
    Ok((subjects, refresh_tokens))
}

/// Fills the one organization, without the API, and finds the data of the requests in it.
async fn fill_organization(url: &str, shape: Shape, subjects: &mut [Subject]) -> Outcome<()> {
    const LARGE: shapes::Shape = shapes::Shape { projects: 1, tasks: 100_000 };
    let mut connection = PgConnection::connect(url).await?;
    if shape == Shape::Fresh {
        let never_analysed = "DO $$ DECLARE name text; BEGIN
            FOR name IN SELECT tablename FROM pg_tables WHERE schemaname = current_schema() AND tablename LIKE 'ws\\_%' LOOP
                EXECUTE format('ALTER TABLE %I SET (autovacuum_enabled = off)', name);
            END LOOP; END $$";
        connection.execute(never_analysed).await?;
    }
    match shape {
        Shape::Projects => {
            fill(url, "organization-0", shapes::Shape { projects: 1_000, tasks: 100 }).await;
        }
        _ => fill(url, "organization-0", LARGE).await,
    }
    if shape == Shape::Beside {
        add_organizations(url, "other", 1_000).await;
        fill(url, "other%", shapes::Shape { projects: 1, tasks: 100 }).await;
    }
    if shape != Shape::Fresh {
        connection.execute("ANALYZE").await?;
    }
    // Spread over all tasks.
    let tasks: Vec<(String, String)> = query_as(
        "SELECT CAST(id AS text), CAST(project_id AS text) FROM ws_tasks
          WHERE org_id = (SELECT id FROM ws_organizations WHERE slug = 'organization-0') ORDER BY md5(CAST(id AS text)) LIMIT $1",
    )
    .bind(i64::try_from(subjects.len() * TASKS)?)
    .fetch_all(&mut connection)
    .await?;
    for (subject, tasks) in subjects.iter_mut().zip(tasks.chunks(TASKS)) {
        subject.project = tasks.first().map(|task| task.1.clone()).unwrap_or_default();
        subject.tasks = tasks.iter().map(|task| task.0.clone()).collect();
    }
    Ok(connection.close().await?)
}

async fn first_projects(url: &str) -> Outcome<Vec<(usize, String)>> {
    let mut connection = PgConnection::connect(url).await?;
    let all: Vec<(String,)> = query_as(
        "SELECT CAST(id AS text) FROM ws_projects
          WHERE org_id = (SELECT id FROM ws_organizations WHERE slug = 'organization-0') ORDER BY created_at LIMIT 32",
    )
    .fetch_all(&mut connection)
    .await?;
    connection.close().await?;
    Ok(all.into_iter().map(|(id,)| (0, id)).collect())
}

/// Creates projects and tasks as clients do.
async fn by_the_api(url: &str, subjects: &mut [Subject], shape: Shape) -> Outcome<Vec<(usize, String)>> {
    let server = ServerProcess::start(&["--server", url, "500"]).await?;
    let mut connection = Connection::open(server.port).await?;
    let mut projects: Vec<(usize, String)> = Vec::new();
    for (number, subject) in subjects.iter_mut().enumerate() {
        if shape == Shape::Small || number == 0 {
            let path = format!("/organizations/{}/projects", subject.slug);
            let made =
                post(&mut connection, &path, subject, &json!({"name": "A project", "key": "WEB"})).await?;
            projects.push((number, made));
        }
        let project = projects.last().map(|(_, id)| id.clone()).ok_or("there is a project")?;
        let path = format!("/organizations/{}/projects/{project}/tasks", subject.slug);
        subject.project = project;
        // In an empty organization, only each user's first one.
        for part in 0..if shape == Shape::Small { TASKS } else { 1 } {
            let new = json!({"title": format!("Mend part {part}"), "priority": "high"});
            subject.tasks.push(post(&mut connection, &path, subject, &new).await?);
        }
    }
    Ok(projects)
}

/// Creates a row and returns its id.
async fn post(connection: &mut Connection, path: &str, subject: &Subject, new: &Value) -> Outcome<String> {
    let body = new.to_string();
    let request = format!(
        "POST /api/v1{path} HTTP/1.1\r\nhost: bench\r\nauthorization: Bearer {}\r\ncontent-type: application/json\r\n\
         content-length: {}\r\n\r\n{body}",
        subject.access,
        body.len()
    );
    let made: Value = serde_json::from_slice(connection.ask(&request).await?)?;
    Ok(made["id"].as_str().ok_or("what was made has an id")?.to_owned())
}
