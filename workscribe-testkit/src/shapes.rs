//! Large sets of data, written directly into Postgres, because the API would take too long. Each row is as the services would have
//! written it, with the values that other rows store of it (counts, labels, words).

#![expect(clippy::expect_used, reason = "a test cannot go on without its data")]

use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Connection as _, Executor as _};

/// The amount of data in an organization.
#[derive(Debug, Clone, Copy)]
pub struct Shape {
    /// Projects, with the keys `P1`, `P2`, …
    pub projects: u32,
    /// Tasks in each project.
    pub tasks: u32,
}

/// The number of users who are members of every filled organization, as assignees and reporters.
pub const PEOPLE: u32 = 20;

/// Fills the organizations whose slugs match the `LIKE` pattern; they must exist and have an owner. One task in twenty is assigned
/// to the owner (with many projects one in five of the first five projects, because nobody works in a thousand). Half of the tasks
/// have one to three labels, a third have a comment, a tenth are subtasks. A hash of the number decides each of these
/// independently. Every second word is common, and every task has a word that no other task has.
///
/// # Panics
/// When the database does not answer or refuses the rows.
pub async fn fill(url: &str, slugs: &str, shape: Shape) {
    let mut connection = PgConnection::connect(url).await.expect("the database answers");
    let Shape { projects, tasks } = shape;
    let script = format!(
        "SET statement_timeout = 0;
         CREATE TEMP TABLE orgs AS
             SELECT o.id, (SELECT m.user_id FROM ws_members m WHERE m.org_id = o.id AND m.role = 'owner' LIMIT 1) AS owner
               FROM ws_organizations o WHERE o.slug LIKE '{slugs}';
         {ROWS}
         DROP TABLE orgs, rows_of_tasks, rows_of_comments;"
    )
    .replace("$projects", &projects.to_string())
    .replace("$tasks", &tasks.to_string())
    .replace("$people", &PEOPLE.to_string());
    connection.execute(AssertSqlSafe(script)).await.expect("the rows are written");
    connection.close().await.expect("the connection closes");
}

/// Adds organizations with one owner each, for [`fill`]. Their slugs are the prefix and a number from 1.
///
/// # Panics
/// When the database does not answer or refuses the rows.
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
           CASE WHEN $projects = 1 THEN d[1] % 20 = 0 ELSE d[1] % 5 = 0 AND p.key IN ('P1', 'P2', 'P3', 'P4', 'P5') END AS is_owners,
           (lpad(to_hex(1750000000000 + n), 12, '0') || '7' || substr(h, 1, 3) || '8' || substr(h, 4, 15))::uuid AS id,
           s.ids[1 + d[2] % 5] AS status_id,
           CASE WHEN d[3] % 3 > 0 THEN u.ids[1 + d[4] % $people] END AS somebody, u.ids[1 + d[5] % $people] AS reporter,
           CASE WHEN d[6] % 2 = 0 THEN ARRAY[l.ids[1 + d[7] % 10]] || CASE WHEN d[6] % 4 = 0 THEN ARRAY[l.ids[1 + (d[7] + 3) % 10]] END
                || CASE WHEN d[6] % 8 = 0 THEN ARRAY[l.ids[1 + (d[7] + 7) % 10]] END ELSE ARRAY[]::uuid[] END AS labels,
           d[8] % 5 AS priority, CASE WHEN d[9] % 4 = 0 THEN date '2031-01-01' + d[10] % 300 END AS due_date,
           n % 2 = 0 AND d[11] % 5 = 0 AS is_part, d[12] % 3 = 0 AS has_comment, d[13] % 20 = 0 AS is_told, d[14] % 2 = 0 AS is_read,
           now() - interval '100 days' + n * interval '1 second' AS at
      FROM orgs o JOIN ws_projects p ON p.org_id = o.id
      JOIN s ON s.org_id = p.org_id AND s.project_id = p.id JOIN l ON l.org_id = p.org_id AND l.project_id = p.id
     CROSS JOIN u CROSS JOIN generate_series(1, $tasks) n CROSS JOIN LATERAL md5(p.id::text || n) AS h
     CROSS JOIN LATERAL (SELECT sha256((p.key || '/' || n)::bytea) AS bytes) AS drawn
     CROSS JOIN LATERAL (SELECT array_agg(get_byte(bytes, 2 * i) * 256 + get_byte(bytes, 2 * i + 1)) AS d
                           FROM generate_series(0, 13) i) AS dice;
    INSERT INTO ws_tasks (org_id, id, project_id, number, title, description, status_id, position, assignee_id, reporter_id,
                          priority, type, parent_id, due_date, label_ids, subtask_count, comment_count, version, created_at,
                          updated_at)
    SELECT r.org_id, r.id, r.project_id, r.number, 'Mend part ' || (r.number % 97) || ' of word' || r.number,
           '{"type":"doc","content":[{"type":"paragraph","content":[{"type":"text","text":"It is broken in a way that takes a few words."}]}]}',
           r.status_id, r.number::bigint << 20, CASE WHEN r.is_owners THEN r.owner ELSE r.somebody END, r.reporter,
           r.priority, 'task', whole.id, r.due_date,
           (SELECT COALESCE(jsonb_agg(id::text ORDER BY id), '[]') FROM unnest(r.labels) AS id),
           CASE WHEN part.is_part THEN 1 ELSE 0 END, CASE WHEN r.has_comment THEN 1 ELSE 0 END, 1, r.at, r.at
      FROM rows_of_tasks r
      LEFT JOIN rows_of_tasks whole ON r.is_part AND whole.project_id = r.project_id AND whole.number = r.number - 1
      LEFT JOIN rows_of_tasks part ON part.project_id = r.project_id AND part.number = r.number + 1
     ORDER BY r.org_id, r.project_id, r.number;
    INSERT INTO ws_task_labels (org_id, task_id, label_id) SELECT org_id, id, unnest(labels) FROM rows_of_tasks;
    CREATE TEMP TABLE rows_of_comments AS
    SELECT org_id, gen_random_uuid() AS id, id AS task_id, owner, at FROM rows_of_tasks WHERE has_comment;
    INSERT INTO ws_comments (org_id, id, task_id, author_id, body, is_edited, version, created_at, updated_at)
    SELECT org_id, id, task_id, owner,
           '{"type":"doc","content":[{"type":"paragraph","content":[{"type":"text","text":"Seen it on the ground floor."}]}]}', FALSE, 1, at, at
      FROM rows_of_comments;
    INSERT INTO ws_search (org_id, id, kind, task_id, title_words, body, body_words, updated_at)
    SELECT p.org_id, p.id, 'project', NULL, lower(p.key || ' ' || p.name), '', '', p.updated_at
      FROM orgs o JOIN ws_projects p ON p.org_id = o.id
     UNION ALL
    SELECT org_id, id, 'task', id, 'mend part ' || (number % 97) || ' of word' || number,
           'It is broken in a way that takes a few words.', 'it is broken in a way that takes a few words', at
      FROM rows_of_tasks
     UNION ALL
    SELECT org_id, id, 'comment', task_id, '', 'Seen it on the ground floor.', 'seen it on the ground floor', at FROM rows_of_comments;
    INSERT INTO ws_activity (org_id, id, project_id, task_id, actor_id, action, new_value, created_at)
    SELECT org_id, gen_random_uuid(), project_id, id, reporter, 'task.created', 'Mend it', at FROM rows_of_tasks;
    INSERT INTO ws_notifications (org_id, id, user_id, type, title, body, entity_type, entity_id, actor_id, is_read, mail, created_at)
    SELECT org_id, gen_random_uuid(), owner, 'TASK_ASSIGNED', 'Somebody assigned a task to you', 'Mend it', 'task', id, reporter,
           is_read, 'none', at
      FROM rows_of_tasks WHERE is_told;
    INSERT INTO ws_unread (org_id, user_id, unread)
    SELECT org_id, user_id, count(*) FROM ws_notifications WHERE NOT is_read GROUP BY org_id, user_id ON CONFLICT DO NOTHING;
"#;
