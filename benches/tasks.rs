//! The cost of tasks as a database grows: `cargo bench --features postgres --bench tasks`.
//!
//! One Postgres database of 1,000 organizations is measured with 1,000 tasks in all, then with 100,000, then with 1,000,000. A
//! tenth of them belong to the project that is read and written here. 32 kept-alive connections on loopback send each kind of
//! request in turn. In between, 32 tasks without HTTP run two bare statements on the server's own pool: the `INSERT` of a task,
//! and the statement that reads one. Compare the ratios; the rates depend on this machine.
//!
//! The program checks the targets and fails when one is missed: the 99th percentile of a read at the largest size is at most twice
//! that at the smallest (of a search five times), creating in one project reaches 30 % of the bare `INSERT`, reading a task half of
//! its bare statement, and a page of 25 tasks takes at most three round trips.
//!
//! `--quick` stops at 20,000 tasks and takes 1 s per case instead of 3; `--full` takes 10 s; the beginning of a case's name measures
//! only that case. Postgres is the server of `WORKSCRIBE_TEST_POSTGRES_URL`, with a role that may bypass foreign keys (a superuser)
//! for the filling.

#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]

#[expect(dead_code, reason = "the other benchmark asks more of its server process")]
mod support;

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use poem::Server;
use poem::listener::{Acceptor as _, Listener as _};
use sqlx::postgres::PgConnection;
use sqlx::types::Uuid;
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgPool, query, query_as};
use support::{
    CONNECTIONS, Connection, Outcome, Sample, ServerProcess, Task, Timing, Worker, measure, obey, percent,
    traffic_of,
};
use workscribe::http::{HttpOptions, SearchApi, TasksApi, mount};
use workscribe::id::TaskId;
use workscribe::identity::{Actor, Client, SecretKey, SecretRing};
use workscribe::local::Unlimited;
use workscribe::ports::Secret;
use workscribe::sql::{Database as _, Options, PostgresStorage};
use workscribe::tenancy::NewOrganization;
use workscribe::{Settings, WorkScribe};
use workscribe_testkit::databases::Schema;
use workscribe_testkit::proxy::{Proxy, Traffic};

/// The members of the large organization, each with a session.
const MEMBERS: usize = 4;
const ORGANIZATIONS: i64 = 1_000;
/// The cases are measured in turn, this many times.
const ROUNDS: u32 = 3;
/// The number of rows that one statement writes when the database is filled.
const BATCH: i64 = 20_000;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let mut runtime = match arguments.first().map(String::as_str) {
        // As in the host: one thread per core.
        Some("--server") => tokio::runtime::Builder::new_multi_thread(),
        // One thread leaves the other cores to the server and the database.
        _ => tokio::runtime::Builder::new_current_thread(),
    };
    let outcome = runtime.enable_all().build().map_err(Into::into).and_then(|runtime| {
        runtime.block_on(async {
            match arguments.as_slice() {
                [first, url] if first == "--server" => serve(url).await,
                _ => bench(&Plan::parse(&arguments)?).await,
            }
        })
    });
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("FAILED: {error}");
            ExitCode::FAILURE
        }
    }
}

/// The duration of a case, and the sizes.
struct Plan {
    case: Duration,
    sizes: Vec<i64>,
    /// The beginning of the names of the cases to measure.
    only: String,
}

impl Plan {
    fn parse(arguments: &[String]) -> Outcome<Self> {
        let (mut case, mut sizes, mut only) = (3, vec![1_000, 100_000, 1_000_000], String::new());
        for argument in arguments {
            match argument.as_str() {
                "--quick" => (case, sizes) = (1, vec![1_000, 20_000]),
                "--full" => case = 10,
                "--bench" => {}
                name if !name.starts_with('-') => name.clone_into(&mut only),
                other => return Err(format!("{other} is none of --quick, --full").into()),
            }
        }
        Ok(Self { case: Duration::from_secs(case), sizes, only })
    }
}

// --- Measuring ---------------------------------------------------------------------------------------------------------

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ask {
    List(u32),
    Find,
    Mine,
    Search,
    SearchCommon,
    Create,
    Patch,
    Move,
}

#[derive(Clone, Copy)]
enum Work {
    Http(Ask),
    Sql(&'static str),
}

/// The cases by name, with the maximum growth of the cost of a read.
const CASES: [(&str, Work, Option<f64>); 11] = [
    ("list of 25", Work::Http(Ask::List(25)), Some(2.0)),
    ("list of 100", Work::Http(Ask::List(100)), Some(2.0)),
    ("  statement that reads one", Work::Sql("find"), None),
    ("one task", Work::Http(Ask::Find), Some(2.0)),
    ("my tasks, 25", Work::Http(Ask::Mine), Some(2.0)),
    ("search", Work::Http(Ask::Search), Some(5.0)),
    ("search, a word of 4 in 5 tasks", Work::Http(Ask::SearchCommon), Some(5.0)),
    ("  bare INSERT", Work::Sql("insert"), None),
    ("create in one project", Work::Http(Ask::Create), None),
    ("change a task", Work::Http(Ask::Patch), None),
    ("move a task", Work::Http(Ask::Move), None),
];
async fn bench(plan: &Plan) -> Outcome<()> {
    let schema = Schema::new().await;
    let world = World::begin(&schema.url).await?;
    let cases: Vec<_> =
        CASES.into_iter().filter(|(label, ..)| label.trim().starts_with(&plan.only)).collect();
    // One list for each size, and in it one sample for each case.
    let mut samples: Vec<Vec<Sample>> = Vec::new();
    for size in &plan.sizes {
        let begun = Instant::now();
        let subjects = Arc::new(world.grow(*size).await?);
        println!("{size} tasks, filled in {:.0} s", begun.elapsed().as_secs_f64());
        let mut server = ServerProcess::start(&["--server", &schema.url]).await?;
        let mut taken: Vec<Sample> = cases.iter().map(|_| Sample::default()).collect();
        for round in 0..ROUNDS {
            let warm_up = Duration::from_millis(if round == 0 { 500 } else { 100 });
            let timing = Timing { warm_up, time: plan.case / ROUNDS };
            for ((_, work, _), taken) in cases.iter().zip(&mut taken) {
                taken.add(match work {
                    Work::Sql(statement) => server.statement(statement, timing).await?,
                    Work::Http(ask) => {
                        measure(&mut connect(server.port, *ask, &subjects).await?, timing).await?
                    }
                });
            }
        }
        taken.iter_mut().for_each(|sample| sample.took.sort_unstable());
        println!("{:32}{:>10}{:>9}{:>9}", "", "per s", "p50 µs", "p99 µs");
        for ((label, ..), sample) in cases.iter().zip(&taken) {
            let (rate, p50, p99) = (sample.rate(plan.case), sample.quantile(50), sample.quantile(99));
            println!("{label:32}{rate:>10.0}{p50:>9}{p99:>9}");
        }
        println!("resident memory of the server: {}\n", server.memory());
        samples.push(taken);
    }
    let mut missed = growth(&cases, &samples);
    let at = |label: &str| cases.iter().position(|(name, ..)| *name == label);
    for (label, beside, least) in
        [("create in one project", "  bare INSERT", 0.3), ("one task", "  statement that reads one", 0.5)]
    {
        let (Some(case), Some(beside_at)) = (at(label), at(beside)) else { continue };
        for (size, taken) in plan.sizes.iter().zip(&samples) {
            let ratio = taken[case].rate(plan.case) / taken[beside_at].rate(plan.case);
            let verdict = if ratio >= least { "" } else { "  MISSED" };
            println!(
                "{size:>9} tasks: {label} at {} of the rate of the {} (at least {}){verdict}",
                percent(ratio),
                beside.trim(),
                percent(least)
            );
            if ratio < least {
                missed.push(format!("{label} at {size}"));
            }
        }
    }
    missed.extend(round_trips(&schema.url, &world.subjects().await?).await?);
    if missed.is_empty() { Ok(()) } else { Err(format!("targets missed: {}", missed.join("; ")).into()) }
}

/// How much the cost of each case grows up to the largest size, and which reads exceed their maximum.
fn growth(cases: &[(&str, Work, Option<f64>)], samples: &[Vec<Sample>]) -> Vec<String> {
    let mut missed = Vec::new();
    let (Some(least), Some(most)) = (samples.first(), samples.last()) else { return missed };
    println!("p99 at the largest size, in times that at the least");
    for (((label, _, limit), least), most) in cases.iter().zip(least).zip(most) {
        let times = f64::from(most.quantile(99)) / f64::from(least.quantile(99).max(1));
        let verdict = match limit {
            Some(limit) if times > *limit => {
                missed.push(format!("{label} {times:.1} times"));
                format!("at most {limit}  MISSED")
            }
            Some(limit) => format!("at most {limit}"),
            None => String::new(),
        };
        println!("{label:32}{times:>10.1}  {verdict}");
    }
    println!();
    missed
}

/// Counts the traffic of one page to Postgres.
async fn round_trips(url: &str, subjects: &Arc<Subjects>) -> Outcome<Vec<String>> {
    const REQUESTS: u64 = 200;
    let proxy = Proxy::before(url).await?;
    let server = ServerProcess::start(&["--server", &proxy.url]).await?;
    let mut missed = Vec::new();
    for (label, ask) in [
        ("a page of 25", Ask::List(25)),
        ("my tasks, 25", Ask::Mine),
        ("one task", Ask::Find),
        ("creating one", Ask::Create),
        ("changing one", Ask::Patch),
        ("moving one", Ask::Move),
    ] {
        let mut askers = connect(server.port, ask, subjects).await?;
        let Traffic { round_trips, statements, .. } = traffic_of(&proxy, &mut askers[0], REQUESTS).await?;
        let each = |count: u64| format!("{:.2}", count as f64 / REQUESTS as f64);
        let verdict = if matches!(ask, Ask::List(_)) && round_trips > 3 * REQUESTS {
            missed.push(format!("round trips of {label}"));
            "  MISSED"
        } else {
            ""
        };
        println!("{label}: {} round trips, {} statements{verdict}", each(round_trips), each(statements));
    }
    Ok(missed)
}

// --- The client --------------------------------------------------------------------------------------------------------

/// The data of the requests.
struct Subjects {
    access: Vec<String>,
    project: Uuid,
    status: Vec<Uuid>,
    /// Tasks of the large project.
    tasks: Vec<Uuid>,
}

/// Sends one kind of request, with different data in turn.
struct Asker {
    connection: Connection,
    ask: Ask,
    subjects: Arc<Subjects>,
    turn: usize,
}

async fn connect(port: u16, ask: Ask, subjects: &Arc<Subjects>) -> Outcome<Vec<Asker>> {
    let mut askers = Vec::new();
    for at in 0..CONNECTIONS {
        let connection = Connection::open(port).await?;
        // Each begins at a different place.
        askers.push(Asker { connection, ask, subjects: Arc::clone(subjects), turn: at * 7_919 });
    }
    Ok(askers)
}

/// A word of the vocabulary, as `bench_words` makes it; word 1 is the most common.
fn word(n: usize) -> String {
    [n % 20, n / 20 % 20, n / 400 % 20].map(|at| &SYLLABLES[2 * at..2 * at + 2]).concat()
}

const SYLLABLES: &str = "babecidofugahejikolumanepirosutavewixezu";
const VOCABULARY: usize = 5_000;

impl Worker for Asker {
    async fn step(&mut self) -> Outcome<()> {
        self.turn += 1;
        let (turn, subjects) = (self.turn, &*self.subjects);
        let access = &subjects.access[turn % MEMBERS];
        let task = subjects.tasks[turn.wrapping_mul(2_654_435_761) % subjects.tasks.len()];
        let (project, organization) = (subjects.project, "/api/v1/organizations/large");
        let tasks = format!("{organization}/projects/{project}/tasks");
        let (method, path, body) = match self.ask {
            Ask::List(limit) => ("GET", format!("{tasks}?limit={limit}"), String::new()),
            Ask::Find => ("GET", format!("/api/v1/tasks/{task}"), String::new()),
            Ask::Mine => ("GET", format!("{organization}/my-tasks?limit=25"), String::new()),
            Ask::Search => {
                let (rare, common) = (word(500 + turn % (VOCABULARY - 500)), word(1 + turn % 100));
                let words = match turn % 3 {
                    0 => rare,
                    1 => format!("{common}+{rare}"),
                    // Twelve words have this beginning.
                    _ => rare[..4].to_owned(),
                };
                ("GET", format!("{organization}/search?q={words}"), String::new())
            }
            Ask::SearchCommon => ("GET", format!("{organization}/search?q={}", word(1)), String::new()),
            Ask::Create => {
                ("POST", tasks, r#"{"title":"Write down what was found","priority":"high"}"#.to_owned())
            }
            Ask::Patch => {
                let title = format!("{} {}", word(turn % VOCABULARY), word(turn % 77));
                ("PATCH", format!("/api/v1/tasks/{task}"), format!("{{\"title\":\"{title} {turn}\"}}"))
            }
            Ask::Move => {
                let status = subjects.status[turn % subjects.status.len()];
                let body = format!("{{\"status_id\":\"{status}\",\"position\":{}}}", turn % 20);
                ("PATCH", format!("/api/v1/tasks/{task}/move"), body)
            }
        };
        let content = if body.is_empty() {
            String::new()
        } else {
            format!("content-type: application/json\r\ncontent-length: {}\r\n", body.len())
        };
        let head = format!("{method} {path} HTTP/1.1\r\nhost: bench\r\nauthorization: Bearer {access}\r\n");
        self.connection.ask(&format!("{head}{content}\r\n{body}")).await.map(drop)
    }
}

// --- The server --------------------------------------------------------------------------------------------------------

fn application(storage: &PostgresStorage) -> Outcome<WorkScribe> {
    let key = SecretKey::new(&Secret::new("a key for benchmarks, which opens nothing")).ok_or("too short")?;
    Ok(WorkScribe::builder(storage.storage(), SecretRing::new(key, vec![]))
        .limiter(Arc::new(Unlimited))
        .settings(Settings { access_ttl: chrono::TimeDelta::hours(6), ..Settings::default() })
        .build())
}

/// Serves until the standard input ends, and runs the statements that are requested there.
async fn serve(url: &str) -> Outcome<()> {
    let storage = PostgresStorage::connect(url, &Options::default()).await?;
    let app = application(&storage)?;
    let api = mount(
        &app,
        (TasksApi::new(&app), SearchApi::new(&app)),
        &HttpOptions { counts_requests: false, ..HttpOptions::default() },
    );
    let acceptor = poem::listener::TcpListener::bind("127.0.0.1:0").into_acceptor().await?;
    let address = acceptor.local_addr().remove(0);
    println!("{}", address.as_socket_addr().ok_or("no TCP address")?.port());
    tokio::spawn(Server::new_with_acceptor(acceptor).run(api));
    obey(Statement::all(&app, storage.pool()).await?).await?;
    storage.close().await;
    Ok(())
}

/// A statement as WorkScribe makes it, without the rest of WorkScribe. It is repeated here because the comparison must not use the
/// stores.
struct Statement {
    app: WorkScribe,
    pool: PgPool,
    inserts: bool,
    rows: Arc<Vec<(Uuid, Uuid)>>,
    /// An organization, a project that nothing else writes to, its status, and a user.
    place: (Uuid, Uuid, Uuid, Uuid),
    number: Arc<AtomicI64>,
    turn: usize,
}

impl Statement {
    async fn all(app: &WorkScribe, pool: &PgPool) -> Outcome<Vec<Self>> {
        let rows = "SELECT t.id, m.user_id FROM ws_tasks t JOIN ws_members m ON m.org_id = t.org_id
                      JOIN ws_organizations o ON o.id = t.org_id WHERE o.slug = 'large' LIMIT 5000";
        let rows: Arc<Vec<(Uuid, Uuid)>> = Arc::new(query_as(rows).fetch_all(pool).await?);
        let place = "SELECT s.org_id, s.project_id, s.id, p.created_by
                       FROM ws_statuses s JOIN ws_projects p ON p.org_id = s.org_id AND p.id = s.project_id
                      WHERE p.key = 'BARE'";
        let place: (Uuid, Uuid, Uuid, Uuid) = query_as(place).fetch_one(pool).await?;
        let last = "SELECT COALESCE(max(number), 0) FROM ws_tasks WHERE org_id = $1 AND project_id = $2";
        let (last,): (i64,) = query_as(last).bind(place.0).bind(place.1).fetch_one(pool).await?;
        let number = Arc::new(AtomicI64::new(last + 1));
        let one = |at| Self {
            app: app.clone(),
            pool: pool.clone(),
            inserts: false,
            rows: Arc::clone(&rows),
            place,
            number: Arc::clone(&number),
            turn: at * 157,
        };
        Ok((0..CONNECTIONS).map(one).collect())
    }
}

impl Task for Statement {
    fn set(&mut self, statement: &str) -> Outcome<()> {
        self.inserts = match statement {
            "insert" => true,
            "find" => false,
            other => return Err(other.into()),
        };
        Ok(())
    }
}

impl Worker for Statement {
    async fn step(&mut self) -> Outcome<()> {
        self.turn += 1;
        if self.inserts {
            let (organization, project, status, user) = self.place;
            let number = self.number.fetch_add(1, Ordering::Relaxed);
            query(
                "INSERT INTO ws_tasks (org_id, id, project_id, number, title, description, status_id, position,
                                       assignee_id, reporter_id, priority, type, parent_id, due_date, version,
                                       created_at, updated_at)
                 VALUES ($1, $2, $3, $4, $5, NULL, $6, $7, NULL, $8, 1, 'task', NULL, NULL, 1, now(), now())",
            )
            .bind(organization)
            .bind(Uuid::from(self.app.new_id::<TaskId>()))
            .bind(project)
            .bind(number)
            .bind("Write down what was found")
            .bind(status)
            .bind(number << 20)
            .bind(user)
            .execute(&self.pool)
            .await?;
        } else {
            let (task, user) = self.rows[self.turn % self.rows.len()];
            query(READ_ONE).bind(task).bind(user).fetch_one(&self.pool).await?;
        }
        Ok(())
    }
}

/// Reads a task for a member, with everything that is shown of it.
const READ_ONE: &str = "
    SELECT m.org_id AS entered_org_id, m.role AS entered_role, u.id AS actor_id, u.display_name AS actor_name,
           u.avatar_url AS actor_avatar_url, t.org_id, t.id, t.project_id, p.key AS project_key,
           p.is_archived AS project_is_archived, t.number, t.title, t.description, s.id AS status_id,
           s.name AS status_name, s.category AS status_category, s.position AS status_position,
           s.color AS status_color, s.version AS status_version, s.created_at AS status_created_at,
           s.updated_at AS status_updated_at, a.id AS assignee_id, a.display_name AS assignee_name,
           a.avatar_url AS assignee_avatar_url, r.id AS reporter_id, r.display_name AS reporter_name,
           r.avatar_url AS reporter_avatar_url, t.priority, t.type AS kind, t.parent_id,
           (SELECT jsonb_agg(jsonb_build_object('id', l.id, 'name', l.name, 'color', l.color) ORDER BY l.name_key, l.id)
              FROM ws_task_labels tl JOIN ws_labels l ON l.org_id = tl.org_id AND l.id = tl.label_id
             WHERE tl.org_id = t.org_id AND tl.task_id = t.id) AS labels,
           t.position, t.due_date,
           (SELECT count(*) FROM ws_tasks below WHERE below.org_id = t.org_id AND below.parent_id = t.id)
              AS subtask_count,
           (SELECT count(*) FROM ws_comments c WHERE c.org_id = t.org_id AND c.task_id = t.id) AS comment_count,
           t.version, t.created_at, t.updated_at
      FROM ws_members m
      JOIN ws_users u ON u.id = m.user_id
      JOIN ws_tasks t ON t.org_id = m.org_id AND t.id = $1
      JOIN ws_projects p ON p.org_id = t.org_id AND p.id = t.project_id
      JOIN ws_statuses s ON s.org_id = t.org_id AND s.id = t.status_id
      LEFT JOIN ws_users a ON a.id = t.assignee_id
      JOIN ws_users r ON r.id = t.reporter_id
     WHERE m.user_id = $2";

// --- The data ----------------------------------------------------------------------------------------------------------

/// The database while it grows.
struct World {
    url: String,
    access: Vec<String>,
}

impl World {
    /// Creates the members of the large organization through the services, and all other rows with single statements.
    async fn begin(url: &str) -> Outcome<Self> {
        let storage = PostgresStorage::connect(url, &Options::default()).await?;
        storage.migrate().await?;
        let app = application(&storage)?;
        let mut access = Vec::new();
        for number in 0..MEMBERS {
            let mut uow = app.begin().await?;
            let email = format!("user{number}@example.com");
            let user = app.identity().create_without_password(&mut *uow, &email, "A user", true).await?;
            let tokens = app.identity().start_session(&mut *uow, user, &Client::default()).await?;
            let token = tokens.access_token.expose().to_owned();
            if number == 0 {
                let claims = app.issuer().verify(&token, app.now()).ok_or("the token is good")?;
                let actor = Actor { user: claims.user, session: claims.session };
                let new = NewOrganization { name: "Large".to_owned(), slug: "large".to_owned() };
                app.organizations().create(&mut *uow, &actor, &new).await?;
            }
            app.commit(uow).await?;
            access.push(token);
        }
        storage.close().await;
        let world = Self { url: url.to_owned(), access };
        let mut connection = world.connect().await?;
        connection
            .execute(AssertSqlSafe(format!("{}{TENANTS}", FUNCTIONS.replace("{syllables}", SYLLABLES))))
            .await?;
        connection.close().await?;
        Ok(world)
    }

    async fn connect(&self) -> Outcome<PgConnection> {
        let mut connection = PgConnection::connect(&self.url).await?;
        connection
            .execute("SET session_replication_role = replica; SET client_min_messages = warning")
            .await?;
        Ok(connection)
    }

    /// Fills it up to this number of tasks: a tenth belong to the large project, and the rest evenly to the others.
    async fn grow(&self, size: i64) -> Outcome<Subjects> {
        let mut connection = self.connect().await?;
        connection.execute("SELECT setseed(0.5)").await?;
        let counts = "SELECT count(*) FILTER (WHERE o.slug = 'large'), count(*)
                        FROM ws_tasks t JOIN ws_organizations o ON o.id = t.org_id";
        let (large, all): (i64, i64) = query_as(counts).fetch_one(&mut connection).await?;
        // For the large project and for the others: the existing number of tasks, and the new one.
        for (condition, projects, from, to) in [
            ("p.key = 'LARGE'", 1, large, size / 10),
            ("p.key = 'WEB'", ORGANIZATIONS - 1, all - large, size - size / 10),
        ] {
            let mut from = from;
            while from < to {
                let until = (from + BATCH).min(to);
                for fill in FILL {
                    let fill = fill.replace("{projects}", condition);
                    query(AssertSqlSafe(fill))
                        .bind(from)
                        .bind(until - 1)
                        .bind(projects)
                        .execute(&mut connection)
                        .await?;
                }
                from = until;
            }
        }
        for table in ["ws_tasks", "ws_task_labels", "ws_comments", "ws_activity", "ws_search", "ws_projects"]
        {
            connection.execute(AssertSqlSafe(format!("VACUUM (ANALYZE) {table}"))).await?;
        }
        connection.close().await?;
        self.subjects()
            .await
            .map(|subjects| Arc::into_inner(subjects).ok_or("it is new"))?
            .map_err(Into::into)
    }

    async fn subjects(&self) -> Outcome<Arc<Subjects>> {
        let mut connection = self.connect().await?;
        let statuses: Vec<(Uuid, Uuid)> = query_as(
            "SELECT s.project_id, s.id FROM ws_statuses s JOIN ws_projects p ON p.org_id = s.org_id AND p.id = s.project_id
              WHERE p.key = 'LARGE' ORDER BY s.position",
        )
        .fetch_all(&mut connection)
        .await?;
        let project = statuses.first().ok_or("there are statuses")?.0;
        let tasks: Vec<(Uuid,)> =
            query_as("SELECT id FROM ws_tasks WHERE project_id = $1 ORDER BY md5(id::text) LIMIT 20000")
                .bind(project)
                .fetch_all(&mut connection)
                .await?;
        connection.close().await?;
        Ok(Arc::new(Subjects {
            access: self.access.clone(),
            project,
            status: statuses.into_iter().map(|(_, status)| status).collect(),
            tasks: tasks.into_iter().map(|(id,)| id).collect(),
        }))
    }
}

/// Words as in real texts, of which some are common and most are rare, and ids in the order of time.
const FUNCTIONS: &str = "
    CREATE FUNCTION bench_words(count bigint) RETURNS text LANGUAGE sql VOLATILE AS $$
        SELECT string_agg(substr(s, 1 + 2 * (n % 20), 2) || substr(s, 1 + 2 * (n / 20 % 20), 2)
                          || substr(s, 1 + 2 * (n / 400 % 20), 2), ' ')
          FROM (SELECT '{syllables}'::text AS s, floor(power(5000, random()))::int AS n
                  FROM generate_series(1, count)) AS words $$;
    CREATE FUNCTION bench_id(n bigint, kind text) RETURNS uuid LANGUAGE sql IMMUTABLE AS $$
        SELECT ('0190' || lpad(to_hex(n), 8, '0') || '7' || substr(md5(kind || n), 1, 3)
                || '8' || substr(md5(kind || n), 4, 15))::uuid $$;
";

/// Organizations, each with an owner, a project of four statuses, and six labels.
const TENANTS: &str = "
    INSERT INTO ws_organizations (id, name, slug, version, created_at, updated_at)
        SELECT bench_id(n, 'o'), 'Organization ' || n, 'organization-' || n, 1, now(), now()
          FROM generate_series(1, 999) AS n;
    INSERT INTO ws_users (id, email, display_name, email_verified, session_epoch, version, created_at, updated_at)
        SELECT bench_id(n, 'u'), 'owner' || n || '@example.com', 'An owner', TRUE, 0, 1, now(), now()
          FROM generate_series(1, 999) AS n;
    INSERT INTO ws_members (org_id, user_id, role, version, joined_at)
        SELECT bench_id(n, 'o'), bench_id(n, 'u'), 'owner', 1, now() FROM generate_series(1, 999) AS n;
    INSERT INTO ws_members (org_id, user_id, role, version, joined_at)
        SELECT o.id, u.id, 'member', 1, now() FROM ws_organizations o CROSS JOIN ws_users u
         WHERE o.slug = 'large' AND u.email LIKE 'user%' AND u.email <> 'user0@example.com';
    INSERT INTO ws_projects (org_id, id, name, key, type, is_archived, last_number, last_position, created_by, version,
                             created_at, updated_at)
        SELECT o.id, gen_random_uuid(), k.key, k.key, 'kanban', FALSE, 0, 0, m.user_id, 1, now(), now()
          FROM ws_organizations o JOIN ws_members m ON m.org_id = o.id AND m.role = 'owner'
          JOIN (VALUES ('LARGE'), ('BARE'), ('WEB')) AS k (key) ON (o.slug = 'large') = (k.key <> 'WEB');
    INSERT INTO ws_statuses (org_id, id, project_id, name, name_key, category, position, version, created_at, updated_at)
        SELECT p.org_id, gen_random_uuid(), p.id, s.name, s.name, s.category, s.position, 1, now(), now()
          FROM ws_projects p CROSS JOIN (VALUES ('to do', 'todo', 0), ('doing', 'in_progress', 1),
                                                ('review', 'in_progress', 2), ('done', 'done', 3))
                                        AS s (name, category, position)
         WHERE p.key <> 'BARE' OR s.position = 0;
    INSERT INTO ws_labels (org_id, id, project_id, name, name_key, color, version, created_at, updated_at)
        SELECT p.org_id, gen_random_uuid(), p.id, 'label ' || n, 'label ' || n, '#112233', 1, now(), now()
          FROM ws_projects p CROSS JOIN generate_series(1, 6) AS n;
";

/// The tasks from `$1` to `$2` of `$3` projects, in turn, with their rows: every second has a label, every fourth a comment, and
/// each has two entries of the history. Half are done, and half are assigned.
const FILL: [&str; 6] = [
    "CREATE TEMPORARY TABLE IF NOT EXISTS bench_new AS
        SELECT NULL::uuid AS org_id, NULL::uuid AS id, NULL::uuid AS project_id, NULL::bigint AS n, NULL::text AS title,
               NULL::text AS body, NULL::uuid AS user_id, NULL::timestamptz AS at
         WHERE $1::bigint + $2::bigint + $3::bigint IS NULL",
    "WITH gone AS (DELETE FROM bench_new), numbered AS MATERIALIZED (
        SELECT p.org_id, p.id, p.last_number, row_number() OVER (ORDER BY p.id) - 1 AS at,
               ARRAY(SELECT m.user_id FROM ws_members m WHERE m.org_id = p.org_id ORDER BY m.user_id) AS members
          FROM ws_projects p WHERE {projects})
     INSERT INTO bench_new
        SELECT p.org_id, bench_id(n, p.at::text), p.id, n / $3 + 1, bench_words(6), bench_words(15),
               p.members[1 + (n / $3) % cardinality(p.members)], now() - interval '120 days' + n * interval '10 seconds'
          FROM generate_series($1, $2) AS n JOIN numbered p ON p.at = n % $3",
    "WITH bound AS (SELECT $1::bigint, $2::bigint, $3::bigint), status AS (
        SELECT s.org_id, s.project_id, array_agg(s.id ORDER BY s.position) AS ids FROM ws_statuses s GROUP BY 1, 2),
     numbered AS (
        UPDATE ws_projects p SET last_number = new.n, last_position = new.n << 20
          FROM (SELECT org_id, project_id, max(n) AS n FROM bench_new GROUP BY 1, 2) AS new
         WHERE p.org_id = new.org_id AND p.id = new.project_id)
     INSERT INTO ws_tasks (org_id, id, project_id, number, title, description, status_id, position, assignee_id, reporter_id,
                           priority, type, due_date, version, created_at, updated_at)
        SELECT t.org_id, t.id, t.project_id, t.n, t.title,
               json_build_object('type', 'doc', 'content', json_build_array(json_build_object('type', 'paragraph',
                    'content', json_build_array(json_build_object('type', 'text', 'text', t.body)))))::text,
               s.ids[CASE WHEN t.n % 10 < 5 THEN 4 ELSE 1 + t.n % 3 END], t.n << 20,
               CASE WHEN t.n / 4 % 2 = 0 THEN t.user_id END, t.user_id, t.n % 5, 'task',
               CASE WHEN t.n % 3 = 0 THEN current_date + (t.n % 60)::int END, 1, t.at, t.at
          FROM bench_new t JOIN status s ON s.org_id = t.org_id AND s.project_id = t.project_id",
    "WITH bound AS (SELECT $1::bigint, $2::bigint, $3::bigint), label AS (
        SELECT l.org_id, l.project_id, array_agg(l.id) AS ids FROM ws_labels l GROUP BY 1, 2)
     INSERT INTO ws_task_labels (org_id, task_id, label_id)
        SELECT t.org_id, t.id, l.ids[1 + t.n % 6]
          FROM bench_new t JOIN label l ON l.org_id = t.org_id AND l.project_id = t.project_id WHERE t.n % 2 = 0",
    "WITH bound AS (SELECT $1::bigint, $2::bigint, $3::bigint), history AS (
        INSERT INTO ws_activity (org_id, id, project_id, task_id, actor_id, action, field_name, new_value, created_at)
            SELECT t.org_id, gen_random_uuid(), t.project_id, t.id, t.user_id, a.action, a.field, 'x', t.at
              FROM bench_new t CROSS JOIN (VALUES ('TASK_CREATED', NULL), ('TASK_UPDATED', 'title')) AS a (action, field))
     INSERT INTO ws_comments (org_id, id, task_id, author_id, body, is_edited, version, created_at, updated_at)
        SELECT t.org_id, gen_random_uuid(), t.id, t.user_id,
               json_build_object('type', 'doc', 'content', json_build_array())::text, FALSE, 1, t.at, t.at
          FROM bench_new t WHERE t.n % 4 = 0",
    "WITH bound AS (SELECT $1::bigint, $2::bigint, $3::bigint)
     INSERT INTO ws_search (org_id, id, kind, task_id, title_words, body, body_words, updated_at)
        SELECT t.org_id, t.id, 'task', t.id, t.title, t.body, t.body, t.at FROM bench_new t",
];
