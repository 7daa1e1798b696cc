//! The database that is measured, and how it is filled.

use std::sync::Arc;

use sqlx::postgres::PgConnection;
use sqlx::types::Uuid;
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, query, query_as};
use workscribe::identity::{Actor, Client};
use workscribe::sql::{Database as _, Options, PostgresStorage};
use workscribe::tenancy::NewOrganization;

use super::support::Outcome;
use super::{BATCH, MEMBERS, ORGANIZATIONS, SYLLABLES, Subjects, application};

/// The database while it grows.
pub(super) struct World {
    url: String,
    pub(super) access: Vec<String>,
}

impl World {
    /// Creates the members of the large organization through the services, and all other rows with single statements.
    pub(super) async fn begin(url: &str) -> Outcome<Self> {
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

    pub(super) async fn connect(&self) -> Outcome<PgConnection> {
        let mut connection = PgConnection::connect(&self.url).await?;
        connection
            .execute("SET session_replication_role = replica; SET client_min_messages = warning")
            .await?;
        Ok(connection)
    }

    /// Fills it up to this number of tasks: a tenth belong to the large project, and the rest evenly to the others.
    pub(super) async fn grow(&self, size: i64) -> Outcome<Subjects> {
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

    pub(super) async fn subjects(&self) -> Outcome<Arc<Subjects>> {
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
