//! Data in different shapes, written straight into Postgres: what one cannot wait for through the API. Each row is as the services
//! would have written it, with what is stored of it elsewhere (counts, labels, words).

#![expect(clippy::expect_used, reason = "a test cannot go on without its data")]

use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Connection as _, Executor as _};

/// How much there is of everything in an organization.
#[derive(Debug, Clone, Copy)]
pub struct Shape {
    /// Projects, with the keys `P1`, `P2`, …
    pub projects: u32,
    /// Tasks in each of them.
    pub tasks: u32,
}

/// People who are members of every organization that is filled, as assignees and reporters.
pub const PEOPLE: u32 = 20;

/// Fills organizations of these slugs, which are there and have an owner. A task in twenty is the owner's (in the first five of many
/// projects, one in five: nobody works in a thousand), half have one to three labels,
/// a third a comment, a tenth are a part of another one. Every second word is common, every task has a word of its own.
///
/// # Panics
/// When the database does not take it.
pub async fn fill(url: &str, slugs: &str, shape: Shape) {
    let mut connection = PgConnection::connect(url).await.expect("the database answers");
    let Shape { projects, tasks } = shape;
    let script = format!(
        "SET statement_timeout = 0;
         CREATE TEMP TABLE orgs AS
             SELECT o.id, (SELECT m.user_id FROM ws_members m WHERE m.org_id = o.id AND m.role = 'owner' LIMIT 1) AS owner
               FROM ws_organizations o WHERE o.slug LIKE '{slugs}';
         {ROWS}
         DROP TABLE orgs, rows_of_tasks;"
    )
    .replace("$projects", &projects.to_string())
    .replace("$tasks", &tasks.to_string())
    .replace("$people", &PEOPLE.to_string());
    connection.execute(AssertSqlSafe(script)).await.expect("the rows are written");
    connection.close().await.expect("the connection closes");
}

/// Adds organizations with an owner each, for [`fill`]: their slugs are the prefix and a number from 1.
///
/// # Panics
/// When the database does not take it.
pub async fn add_organizations(url: &str, prefix: &str, number: u32) {
    let mut connection = PgConnection::connect(url).await.expect("the database answers");
    let script = format!(
        "INSERT INTO ws_users (id, email, display_name, email_verified, session_epoch, version, created_at, updated_at)
         SELECT gen_random_uuid(), '{prefix}' || n || '@example.com', 'Owner ' || n, TRUE, 0, 1, now(), now()
           FROM generate_series(1, {number}) n;
         INSERT INTO ws_organizations (id, name, slug, version, created_at, updated_at)
         SELECT gen_random_uuid(), 'Organization ' || n, '{prefix}' || n, 1, now(), now() FROM generate_series(1, {number}) n;
         INSERT INTO ws_members (org_id, user_id, role, version, joined_at)
         SELECT o.id, u.id, 'owner', 1, now() FROM ws_organizations o JOIN ws_users u ON u.email = o.slug || '@example.com'
          WHERE o.slug LIKE '{prefix}%';"
    );
    connection.execute(AssertSqlSafe(script)).await.expect("the rows are written");
    connection.close().await.expect("the connection closes");
}

const ROWS: &str = r#"
    INSERT INTO ws_users (id, email, display_name, email_verified, session_epoch, version, created_at, updated_at)
    SELECT gen_random_uuid(), 'person' || n || '@example.com', 'Person ' || n, TRUE, 0, 1, now(), now()
      FROM generate_series(1, $people) n ON CONFLICT DO NOTHING;
    INSERT INTO ws_members (org_id, user_id, role, version, joined_at)
    SELECT o.id, u.id, 'member', 1, now() FROM orgs o, ws_users u WHERE u.email LIKE 'person%' ON CONFLICT DO NOTHING;
    INSERT INTO ws_projects (org_id, id, name, key, type, is_archived, last_number, last_position, created_by, version, created_at,
                             updated_at)
    SELECT o.id, gen_random_uuid(), 'Project ' || n, 'P' || n, 'kanban', FALSE, $tasks, $tasks::bigint << 20, o.owner, 1,
           now() - interval '200 days' + n * interval '1 minute', now()
      FROM orgs o, generate_series(1, $projects) n;
    INSERT INTO ws_statuses (org_id, id, project_id, name, name_key, category, position, version, created_at, updated_at)
    SELECT p.org_id, gen_random_uuid(), p.id, s.name, lower(s.name), s.category, s.position, 1, now(), now()
      FROM orgs o JOIN ws_projects p ON p.org_id = o.id,
           (VALUES ('Backlog', 'todo', 0), ('To Do', 'todo', 1), ('In Progress', 'in_progress', 2), ('Review', 'in_progress', 3),
                   ('Done', 'done', 4)) AS s (name, category, position);
    INSERT INTO ws_labels (org_id, id, project_id, name, name_key, color, version, created_at, updated_at)
    SELECT p.org_id, gen_random_uuid(), p.id, 'label ' || n, 'label ' || n, '#336699', 1, now(), now()
      FROM orgs o JOIN ws_projects p ON p.org_id = o.id, generate_series(1, 10) n;

    CREATE TEMP TABLE rows_of_tasks AS
    WITH s AS (SELECT org_id, project_id, array_agg(id ORDER BY position) AS ids FROM ws_statuses GROUP BY org_id, project_id),
         l AS (SELECT org_id, project_id, array_agg(id ORDER BY name) AS ids FROM ws_labels GROUP BY org_id, project_id),
         u AS (SELECT array_agg(id ORDER BY email) AS ids FROM ws_users WHERE email LIKE 'person%')
    SELECT p.org_id, p.id AS project_id, n AS number, o.owner,
           CASE WHEN $projects = 1 THEN n % 20 = 0 ELSE n % 5 = 0 AND p.key IN ('P1', 'P2', 'P3', 'P4', 'P5') END AS is_owners,
           (lpad(to_hex(1750000000000 + n), 12, '0') || '7' || substr(h, 1, 3) || '8' || substr(h, 4, 15))::uuid AS id,
           s.ids[1 + n % 5] AS status_id, u.ids AS people,
           CASE WHEN n % 2 = 0 THEN ARRAY[l.ids[1 + n % 10]] || CASE WHEN n % 4 = 0 THEN ARRAY[l.ids[1 + (n + 3) % 10]] END
                || CASE WHEN n % 8 = 0 THEN ARRAY[l.ids[1 + (n + 7) % 10]] END ELSE ARRAY[]::uuid[] END AS labels,
           now() - interval '100 days' + n * interval '1 second' AS at
      FROM orgs o JOIN ws_projects p ON p.org_id = o.id
      JOIN s ON s.org_id = p.org_id AND s.project_id = p.id JOIN l ON l.org_id = p.org_id AND l.project_id = p.id
     CROSS JOIN u CROSS JOIN generate_series(1, $tasks) n CROSS JOIN LATERAL md5(p.id::text || n) AS h;
    INSERT INTO ws_tasks (org_id, id, project_id, number, title, description, status_id, position, assignee_id, reporter_id,
                          priority, type, parent_id, due_date, label_ids, subtask_count, comment_count, version, created_at,
                          updated_at)
    SELECT r.org_id, r.id, r.project_id, r.number, 'Mend part ' || (r.number % 97) || ' of word' || r.number,
           '{"type":"doc","content":[{"type":"paragraph","content":[{"type":"text","text":"It is broken in a way that takes a few words."}]}]}',
           r.status_id, r.number::bigint << 20,
           CASE WHEN r.is_owners THEN r.owner WHEN r.number % 3 > 0 THEN r.people[1 + r.number % $people] END,
           r.people[1 + (r.number * 7) % $people], r.number % 5, 'task', w.id,
           CASE WHEN r.number % 4 = 0 THEN date '2031-01-01' + r.number % 300 END,
           (SELECT COALESCE(jsonb_agg(id::text ORDER BY id), '[]') FROM unnest(r.labels) AS id),
           CASE WHEN r.number % 10 = 9 AND r.number < $tasks THEN 1 ELSE 0 END, CASE WHEN r.number % 3 = 0 THEN 1 ELSE 0 END,
           1, r.at, r.at
      FROM rows_of_tasks r
      LEFT JOIN rows_of_tasks w ON r.number % 10 = 0 AND w.project_id = r.project_id AND w.number = r.number - 1;
    INSERT INTO ws_task_labels (org_id, task_id, label_id) SELECT org_id, id, unnest(labels) FROM rows_of_tasks;
    INSERT INTO ws_comments (org_id, id, task_id, author_id, body, is_edited, version, created_at, updated_at)
    SELECT org_id, gen_random_uuid(), id, owner, '{"type":"doc","content":[]}', FALSE, 1, at, at
      FROM rows_of_tasks WHERE number % 3 = 0;
    INSERT INTO ws_search (org_id, id, kind, task_id, title_words, body, body_words, updated_at)
    SELECT org_id, id, 'task', id, 'mend part ' || (number % 97) || ' of word' || number,
           'It is broken in a way that takes a few words.', 'it is broken in a way that takes few words', at
      FROM rows_of_tasks;
    INSERT INTO ws_activity (org_id, id, project_id, task_id, actor_id, action, new_value, created_at)
    SELECT org_id, gen_random_uuid(), project_id, id, owner, 'task.created', 'Mend it', at FROM rows_of_tasks;
    INSERT INTO ws_notifications (org_id, id, user_id, type, title, body, entity_type, entity_id, actor_id, is_read, mail, created_at)
    SELECT org_id, gen_random_uuid(), owner, 'TASK_ASSIGNED', 'Somebody assigned a task to you', 'Mend it', 'task', id,
           people[1 + number % $people], number % 40 = 0, 'none', at
      FROM rows_of_tasks WHERE number % 20 = 0;
    INSERT INTO ws_unread (org_id, user_id, unread)
    SELECT org_id, user_id, count(*) FROM ws_notifications WHERE NOT is_read GROUP BY org_id, user_id ON CONFLICT DO NOTHING;
"#;
