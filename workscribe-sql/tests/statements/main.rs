//! Checks the plan of every statement that the conformance suite runs, on each database.
//!
//! A name of a statement that stands in the sources, and that no case runs, is a fault: the suite lacks a case then.

#![expect(clippy::unwrap_used, reason = "a test fails where something else happens than it says")]

mod distribution;
mod print;
mod recorded;

use std::collections::BTreeSet;

use sqlx::{AssertSqlSafe, Row as _, query};
use workscribe_core::identity::{Email, UserStore};
use workscribe_sql::{postgres, sqlite};
use workscribe_testkit::databases;

/// Statements that read a whole table because they concern all of it; and one that would if rows referred to a user before the user
/// exists, which the foreign keys exclude.
const WHOLE_TABLE: [&str; 5] = [
    "INSERT INTO ws_users ",
    "FROM ws_webhooks WHERE secrets_key <>",
    "FROM ws_jobs GROUP BY queue, kind, state ORDER BY queue, kind",
    "SELECT queue AS name FROM ws_jobs UNION",
    "FROM ws_jobs WHERE state = 'available' AND org_id IS NOT NULL GROUP BY queue, org_id",
];

/// Enough rows that the planner has a reason to use an index.
const ROWS: &str = "
    INSERT INTO ws_users (id, email, display_name, email_verified, session_epoch, version, created_at, updated_at)
         SELECT gen_random_uuid(), 'user' || n || '@example.com', 'A user', true, 0, 1, now(), now()
           FROM generate_series(1, 5000) n;
    INSERT INTO ws_sessions (id, user_id, epoch, refresh_hash, repeats, created_at, last_used_at, expires_at)
         SELECT gen_random_uuid(), id, 0, sha256(id::text::bytea), 0, now(), now(), now() + n * interval '1 hour'
           FROM ws_users, generate_series(1, 4) n;
    INSERT INTO ws_one_time_tokens (id, token_hash, purpose, user_id, email, expires_at)
         SELECT gen_random_uuid(), sha256(id::text::bytea), 'verify_email', id, email, now() + interval '1 day'
           FROM ws_users;
    INSERT INTO ws_login_attempts (account, failures, last_failed_at)
         SELECT sha256(email::bytea), 1, now() FROM ws_users;
    INSERT INTO ws_email_bounces (email, reason, bounced_at) SELECT email, 'no such mailbox', now() FROM ws_users;
    INSERT INTO ws_organizations (id, name, slug, version, created_at, updated_at)
         SELECT gen_random_uuid(), 'An organization', 'org-' || n, 1, now(), now() FROM generate_series(1, 20000) n;
    INSERT INTO ws_members (org_id, user_id, role, version, joined_at)
         SELECT o.id, u.id, 'member', 1, now()
           FROM (SELECT id, row_number() OVER () n FROM ws_organizations) o
           JOIN (SELECT id, row_number() OVER () n FROM ws_users) u ON u.n % 2500 = o.n % 2500
    ON CONFLICT DO NOTHING;
    INSERT INTO ws_invitations (org_id, id, email, role, status, token_hash, invited_by, expires_at, version, created_at)
         SELECT m.org_id, gen_random_uuid(), u.email, 'member', 'pending', sha256((m.org_id || u.email)::bytea), u.id,
                now(), 1, now()
           FROM ws_members m JOIN ws_users u ON u.id = m.user_id;
    INSERT INTO ws_jobs (id, kind, payload, state, attempt, max_attempts, run_at, created_at, lease_until, finished_at)
         SELECT gen_random_uuid(), 'test.one', '{}', state, 0, 3, now() - n * interval '1 second', now(),
                CASE WHEN state = 'running' THEN now() END, CASE WHEN state IN ('completed', 'buried') THEN now() END
           FROM generate_series(1, 5000) n, unnest(ARRAY['available', 'running', 'completed', 'buried']) state;
    INSERT INTO ws_idempotency_keys (scope, key, fingerprint, claimed_at, expires_at)
         SELECT id::text, 'key', sha256('x'), now(), now() + interval '1 day' FROM ws_users;
    INSERT INTO ws_projects (org_id, id, name, key, type, is_archived, last_number, last_position, created_by, version,
                             created_at, updated_at)
         SELECT m.org_id, gen_random_uuid(), 'A project', 'KEY' || n, 'kanban', false, 100, 0, m.user_id, 1, now(), now()
           FROM (SELECT DISTINCT ON (org_id) * FROM ws_members ORDER BY org_id LIMIT 2000) m, generate_series(1, 3) n;
    INSERT INTO ws_statuses (org_id, id, project_id, name, name_key, category, position, version, created_at, updated_at)
         SELECT org_id, gen_random_uuid(), id, 'Status ' || n, 'status ' || n, 'todo', n, 1, now(), now()
           FROM ws_projects, generate_series(1, 4) n WHERE key <> 'WEB';
    INSERT INTO ws_labels (org_id, id, project_id, name, name_key, color, version, created_at, updated_at)
         SELECT org_id, gen_random_uuid(), id, 'Label ' || n, 'label ' || n, '#00ff00', 1, now(), now()
           FROM ws_projects, generate_series(1, 3) n;
    INSERT INTO ws_tasks (org_id, id, project_id, number, title, status_id, position, assignee_id, reporter_id, priority,
                          type, due_date, version, created_at, updated_at)
         SELECT s.org_id, gen_random_uuid(), s.project_id, s.position * 1000 + n, 'A task', s.id, n, p.created_by,
                p.created_by, n % 5, 'task', CASE WHEN n % 2 = 0 THEN current_date + n END, 1,
                now() + n * interval '1 s', now() - n * interval '1 s'
           FROM ws_statuses s JOIN ws_projects p ON p.org_id = s.org_id AND p.id = s.project_id, generate_series(1, 25) n
          WHERE hashtext(s.project_id::text) % 20 = 0;
    UPDATE ws_tasks t SET parent_id = (SELECT id FROM ws_tasks u WHERE u.org_id = t.org_id AND u.project_id = t.project_id
                                           AND u.number = t.number - 1) WHERE number % 10 = 7;
    INSERT INTO ws_task_labels (org_id, task_id, label_id)
         SELECT t.org_id, t.id, l.id FROM ws_tasks t JOIN ws_labels l ON l.org_id = t.org_id AND l.project_id = t.project_id
          WHERE l.name = 'Label ' || t.number % 4;
    INSERT INTO ws_comments (org_id, id, task_id, author_id, body, is_edited, version, created_at, updated_at)
         SELECT org_id, gen_random_uuid(), id, reporter_id, '{}', false, 1, now(), now() FROM ws_tasks;
    INSERT INTO ws_activity (org_id, id, project_id, task_id, actor_id, action, created_at)
         SELECT org_id, gen_random_uuid(), project_id, id, reporter_id, 'task.created', created_at FROM ws_tasks;
    INSERT INTO ws_notifications (org_id, id, user_id, type, title, entity_type, entity_id, is_read, mail, created_at)
         SELECT org_id, gen_random_uuid(), assignee_id, 'MENTION', 'A mention', 'task', id, number % 2 = 0,
                CASE WHEN number % 9 = 0 THEN 'waiting' ELSE 'none' END, created_at
           FROM ws_tasks;
    INSERT INTO ws_notification_preferences (user_id, type, email) SELECT id, type, false FROM ws_users, unnest(ARRAY['MENTION', 'TASK_DONE', 'TASK_ASSIGNED']) type
    ON CONFLICT DO NOTHING;
    INSERT INTO ws_digests (user_id, job_id) SELECT id, id FROM ws_users;
    INSERT INTO ws_search (org_id, id, kind, task_id, title_words, body, body_words, updated_at)
         SELECT org_id, id, 'task', id, 'web ' || number || ' a task', 'a text', 'a text', updated_at FROM ws_tasks;
    INSERT INTO ws_webhooks (org_id, id, url, events, secrets, secrets_key, created_by, version, created_at, updated_at)
         SELECT m.org_id, gen_random_uuid(), 'https://example.com/', '*', 'x', 'key', m.user_id, 1, now(), now()
           FROM (SELECT DISTINCT ON (org_id) * FROM ws_members ORDER BY org_id LIMIT 2000) m, generate_series(1, 3) n;
    INSERT INTO ws_webhook_deliveries (org_id, id, webhook_id, message_id, event, status, attempts, created_at)
         SELECT org_id, gen_random_uuid(), id, id, 'task.created', 'pending', 1, now() - n * interval '1 hour'
           FROM ws_webhooks, generate_series(1, 5) n;
    INSERT INTO ws_webhook_messages (org_id, id, payload, created_at)
         SELECT DISTINCT org_id, message_id, '{}', now() FROM ws_webhook_deliveries;
    INSERT INTO ws_webhook_attempts (org_id, delivery_id, number, at, took_ms)
         SELECT org_id, id, 1, now(), 1 FROM ws_webhook_deliveries;
    ANALYZE;
";

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn every_statement_in_the_sources_is_run_by_a_case() {
    let recorded = recorded::on_postgres().await.iter().chain(recorded::on_sqlite().await);
    let run: BTreeSet<String> = recorded.map(|one| one.name.clone()).collect();
    let written = names_in_sources();
    assert!(written.len() > 200, "the sources are read");
    let missed: Vec<&String> = written.difference(&run).collect();
    assert!(missed.is_empty(), "no case runs {missed:#?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn every_statement_runs_and_finds_an_index_on_postgres() {
    let statements = recorded::on_postgres().await;
    let database = databases::postgres().await;
    let mut uow = database.storage.begin().await.unwrap();
    let conn = postgres::Unit::of(&mut *uow).unwrap().connection().await.unwrap();
    // Writing the rows may take as long as a slow disk needs; after that, the statements under test are only explained.
    query("SET LOCAL statement_timeout = 0").execute(&mut *conn).await.unwrap();
    sqlx::raw_sql(ROWS).execute(&mut *conn).await.unwrap();
    query("SET LOCAL plan_cache_mode = force_generic_plan").execute(&mut *conn).await.unwrap();
    for statement in statements {
        let plan = statement.explain(&mut *conn, "COSTS OFF", |_, _| "NULL".to_owned()).await.join("\n");
        let text = &statement.text;
        let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
        let is_wanted = WHOLE_TABLE.iter().any(|part| words.contains(part));
        assert!(is_wanted || !plan.contains("Seq Scan on ws_"), "{text}\n\n{plan}");
        if text.contains("taken AS MATERIALIZED") && text.contains("ws_jobs") {
            // In each of the four priorities: the first turn of a round above and below, and the jobs of each turn. Postgres plans
            // the next turns of a round with the first step, and does not show them.
            assert_eq!(plan.matches("ws_jobs_turn_idx").count(), 12, "{plan}");
            for index in ["ws_jobs_running_idx", "ws_jobs_pkey"] {
                assert!(plan.contains(index), "{index}: {plan}");
            }
            assert!(!plan.contains("Sort"), "the backlog is not sorted: {plan}");
        }
    }
}

/// The names of statements in the sources of the stores, such as `"ws_tasks: find"`.
fn names_in_sources() -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let mut folders = vec![std::path::PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/src/stores"))];
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { folders.push(path) } else { files.push(path) }
        }
    }
    for file in files {
        let source = std::fs::read_to_string(file).unwrap();
        let quoted = source.match_indices("\"ws_").filter_map(|(at, _)| source[at + 1..].split('"').next());
        names.extend(quoted.filter(|name| name.contains(": ") && !name.contains('\n')).map(str::to_owned));
        // The statements that `table!` makes.
        for table in source.split("\ntable! {").skip(1) {
            let (table, rest) = table.split_once(" = \"").unwrap().1.split_once('"').unwrap();
            names.extend(["page to export", "restore"].map(|what| format!("{table}: {what}")));
            if rest.starts_with(", in ") {
                names.insert(format!("{table}: version"));
            }
        }
    }
    // The second read after a wait for a lock, if a status was created during the wait.
    names.remove("ws_tasks: read locked");
    names
}

#[tokio::test]
async fn every_statement_runs_and_finds_an_index_on_sqlite() {
    let sqlite = databases::sqlite().await;
    let mut uow = sqlite.storage.begin().await.unwrap();
    let unit = sqlite::Unit::of(&mut *uow).unwrap();
    for statement in recorded::on_sqlite().await.iter().map(|one| &one.text) {
        let explain = query(AssertSqlSafe(format!("EXPLAIN QUERY PLAN {statement}")));
        let plan = explain.fetch_all(unit.connection().await.unwrap()).await.unwrap();
        let plan: Vec<String> = plan.into_iter().map(|step| step.get("detail")).collect();
        let whole_table = |step: &String| step.starts_with("SCAN ws_") && !step.contains("INDEX");
        let scans = plan.iter().any(whole_table);
        let words = statement.split_whitespace().collect::<Vec<_>>().join(" ");
        let is_wanted = WHOLE_TABLE.iter().any(|part| words.contains(part));
        assert!(!scans || is_wanted, "{statement}\n\n{plan:#?}");
        // A page of a project is found by walking an index in order, unless a condition has a better index.
        let page = plan.iter().take_while(|step| *step != "SCAN t");
        let sorts = page.filter(|step| step.contains("TEMP B-TREE")).count();
        let conditions =
            statement.split_once("FROM ws_tasks i WHERE").map_or("", |(_, conditions)| conditions);
        let is_in_order = statement.contains(" AS sort_key")
            && conditions.contains("i.project_id")
            && !statement.contains("i.updated_at > ")
            && !statement.contains("i.due_date IS NOT NULL");
        assert!(!is_in_order || sorts == 0, "{statement}\n\n{plan:#?}");
        let begins = plan.iter().any(|step| step.starts_with("SEARCH i ") && step.contains("<expr>"));
        let is_further_page = is_in_order && statement.contains("'9999-12-31'), i.id)");
        assert!(!is_further_page || begins, "{statement}\n\n{plan:#?}");
    }
}

#[tokio::test]
async fn a_login_with_what_no_database_can_hold_finds_nobody() {
    let postgres = databases::postgres().await;
    let mut uow = postgres.storage.read().await.unwrap();
    let email = Email::from_stored("ada\0@example.com".into());
    assert!(uow.users().credentials_by_email(&email).await.unwrap().is_none());
    let unit = postgres::Unit::of(&mut *uow).unwrap();
    assert!(UserStore::find(unit, uuid::Uuid::max().into()).await.unwrap().is_none());
}
