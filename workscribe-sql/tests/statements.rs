//! Every statement, prepared and run on each database, and the plan that it gets.
//!
//! [`exercise`] calls every method of every store. A statement that it misses fails the count below.

#![expect(clippy::unwrap_used, reason = "a test fails where something else happens than it says")]

use sqlx::{AssertSqlSafe, Row as _, query, query_scalar};
use workscribe_core::UnitOfWork;
use workscribe_core::clock::{Clock, Entropy, SystemClock, SystemEntropy, Timestamp};
use workscribe_core::id::Id;
use workscribe_core::idempotency::{IdempotencyKey, StoredAnswer};
use workscribe_core::identity::{
    Client, Email, NewUser, OneTimeToken, ProfileChange, Purpose, Rotation, Session, TokenHash, UserStore,
};
use workscribe_core::outbox::NewJob;
use workscribe_core::page::PageRequest;
use workscribe_core::tenancy::{
    Invitation, InvitationPass, InvitationStatus, OrgScope, Organization, OrganizationChange, Role, Slug,
};
use workscribe_sql::{postgres, sqlite};
use workscribe_testkit::databases;

/// The files with statements.
const STORES: [&str; 8] = [
    include_str!("../src/stores/attempts.rs"),
    include_str!("../src/stores/idempotency.rs"),
    include_str!("../src/stores/invitations.rs"),
    include_str!("../src/stores/jobs.rs"),
    include_str!("../src/stores/members.rs"),
    include_str!("../src/stores/organizations.rs"),
    include_str!("../src/stores/tokens.rs"),
    include_str!("../src/stores/users.rs"),
];

/// Statements that read a whole table, since they ask about all of it.
const WHOLE_TABLE: [&str; 1] = ["SELECT state, count(*) FROM ws_jobs GROUP BY state"];

fn now() -> Timestamp {
    SystemClock.now()
}

fn new_id<I: Id>() -> I {
    let mut random = [0; 10];
    SystemEntropy.fill(&mut random);
    uuid::Builder::from_unix_timestamp_millis(now().timestamp_millis().unsigned_abs(), &random)
        .into_uuid()
        .into()
}

fn later() -> Timestamp {
    now() + chrono::TimeDelta::hours(1)
}

fn long_ago() -> Timestamp {
    now() - chrono::TimeDelta::days(365)
}

fn new_user(email: &str) -> NewUser {
    NewUser {
        id: new_id(),
        email: Email::parse(email).unwrap(),
        display_name: "Ada Lovelace".into(),
        password_hash: Some("hash".into()),
        email_verified: false,
        created_at: now(),
    }
}

/// Calls every method once or more, in one transaction.
async fn exercise(uow: &mut dyn UnitOfWork) {
    let user = identity(uow).await;
    sessions(uow, user).await;
    tenancy(uow, user).await;
    jobs(uow).await;
    answers(uow).await;
}

async fn identity(uow: &mut dyn UnitOfWork) -> workscribe_core::id::UserId {
    let new = new_user("ada@example.com");
    let email = new.email.clone();
    let user = uow.users().insert(&new).await.unwrap();
    assert_eq!(uow.users().find(user.id).await.unwrap(), Some(user.clone()));
    assert!(uow.users().credentials(user.id).await.unwrap().is_some());
    assert!(uow.users().credentials_by_email(&email).await.unwrap().is_some());
    let change = ProfileChange { display_name: Some("Ada".into()), avatar_url: Some(None) };
    let changed = uow.users().update_profile(user.id, &change, Some(1), now()).await.unwrap();
    assert_eq!(changed.unwrap().version, 2);
    assert!(uow.users().update_profile(user.id, &change, Some(1), now()).await.is_err());
    assert!(uow.users().set_password(user.id, "new", now()).await.unwrap().is_some());
    assert!(uow.users().rehash(user.id, "new", "newer").await.unwrap());
    assert!(uow.users().set_verified(user.id, &email, now()).await.unwrap());
    assert!(uow.users().set_disabled(user.id, true, now()).await.unwrap().is_some());

    let account = TokenHash::of("account");
    assert_eq!(uow.attempts().record_failure(&account, now(), long_ago()).await.unwrap(), 1);
    uow.attempts().block(&account, later()).await.unwrap();
    assert!(uow.attempts().blocked_until(&account, now()).await.unwrap().is_some());
    uow.attempts().clear(&account).await.unwrap();
    uow.attempts().sweep(long_ago()).await.unwrap();
    user.id
}

async fn sessions(uow: &mut dyn UnitOfWork, user: workscribe_core::id::UserId) {
    let (first, second) = (TokenHash::of("first"), TokenHash::of("second"));
    let session = Session {
        id: new_id(),
        user_id: user,
        epoch: 0,
        refresh_hash: first,
        created_at: now(),
        last_used_at: now(),
        expires_at: later(),
        client: Client { ip: Some("2001:db8::1".parse().unwrap()), user_agent: Some("test".into()) },
    };
    let tokens = uow.tokens();
    tokens.insert_session(&session).await.unwrap();
    assert_eq!(tokens.session(session.id, now()).await.unwrap(), Some(session.clone()));
    assert!(tokens.session_with_user(session.id, now()).await.unwrap().is_some());
    assert_eq!(tokens.sessions_of(user, now()).await.unwrap().len(), 1);
    let rotation = Rotation {
        session: session.id,
        presented: first,
        successor: second,
        now: now(),
        grace_since: long_ago(),
        expires_at: later(),
    };
    assert!(!tokens.rotate(&rotation).await.unwrap().unwrap().repeated);
    assert!(tokens.rotate(&rotation).await.unwrap().unwrap().repeated, "the same moment is told apart");
    tokens.set_session_epoch(session.id, 3).await.unwrap();
    assert!(tokens.delete_session(user, session.id).await.unwrap());
    tokens.delete_sessions(user, Some(session.id)).await.unwrap();

    let token = OneTimeToken {
        id: new_id(),
        hash: first,
        purpose: Purpose::ResetPassword,
        user_id: user,
        email: Email::parse("ada@example.com").unwrap(),
        expires_at: later(),
    };
    tokens.put_one_time(&token).await.unwrap();
    tokens.put_one_time(&token).await.unwrap();
    assert_eq!(tokens.find_one_time(token.purpose, &first, now()).await.unwrap(), Some(token.clone()));
    assert_eq!(tokens.take_one_time(token.purpose, &first, now()).await.unwrap(), Some(token));
    tokens.delete_one_time(user, Purpose::VerifyEmail).await.unwrap();
    tokens.sweep(long_ago()).await.unwrap();
}

async fn tenancy(uow: &mut dyn UnitOfWork, user: workscribe_core::id::UserId) {
    let slug = Slug::parse("acme-works").unwrap();
    let organization = Organization {
        id: new_id(),
        name: "Acme Works".into(),
        slug: slug.clone(),
        version: 1,
        created_at: now(),
        updated_at: now(),
    };
    uow.organizations().insert(&organization, user).await.unwrap();
    let (scope, found) = OrgScope::enter(uow, slug.as_str(), user).await.unwrap();
    assert_eq!(found, organization);
    let page = PageRequest::first();
    assert_eq!(uow.organizations().list_of(user, &page).await.unwrap().len(), 1);
    assert_eq!(uow.organizations().count_of(user).await.unwrap(), 1);
    uow.organizations().lock(&scope).await.unwrap();
    let change = OrganizationChange { name: Some("Acme".into()), slug: None };
    assert!(uow.organizations().update(&scope, &change, Some(1), now()).await.unwrap().is_some());
    assert!(uow.organizations().update(&scope, &change, Some(1), now()).await.is_err());

    let guest = uow.users().insert(&new_user("guest@example.com")).await.unwrap();
    let invitation = Invitation {
        id: new_id(),
        org_id: scope.org(),
        email: guest.email.clone(),
        role: Role::Member,
        stored_status: InvitationStatus::Pending,
        token_hash: TokenHash::of("an old token"),
        invited_by: user,
        expires_at: later(),
        version: 1,
        created_at: now(),
    };
    uow.invitations().put_pending(&scope, &invitation).await.unwrap();
    assert_eq!(uow.invitations().list(&scope, &page).await.unwrap(), std::slice::from_ref(&invitation));
    assert_eq!(uow.invitations().count(&scope).await.unwrap(), 1);
    assert_eq!(uow.invitations().find(&scope, invitation.id).await.unwrap(), Some(invitation.clone()));
    let renewed = uow.invitations().renew(&scope, invitation.id, &TokenHash::of("a token"), later()).await;
    assert_eq!(renewed.unwrap().unwrap().version, 2);
    assert!(uow.invitations().revoke(&scope, invitation.id, Some(1)).await.is_err());
    let pass = InvitationPass::redeem(uow, "a token", now()).await.unwrap();
    assert!(uow.invitations().accept(&pass, now()).await.unwrap());
    uow.members().join(&pass, guest.id, now()).await.unwrap();

    assert_eq!(uow.members().list(&scope, &page).await.unwrap().len(), 2);
    assert_eq!(uow.members().count(&scope).await.unwrap(), 2);
    assert!(uow.members().find(&scope, guest.id).await.unwrap().is_some());
    assert!(uow.members().find_by_email(&scope, &guest.email).await.unwrap().is_some());
    assert_eq!(uow.members().count_owners(&scope).await.unwrap(), 1);
    let changed = uow.members().set_role(&scope, guest.id, Role::Admin, Some(1)).await.unwrap();
    assert_eq!(changed.unwrap().role, Role::Admin);
    assert!(uow.members().set_role(&scope, guest.id, Role::Owner, Some(1)).await.is_err());
    assert!(uow.members().remove(&scope, guest.id, Some(2)).await.unwrap());
    assert!(uow.organizations().delete(&scope, Some(2)).await.unwrap());
}

async fn jobs(uow: &mut dyn UnitOfWork) {
    let kinds = ["test.one", "test.other"];
    for _ in 0..4 {
        let job = NewJob {
            id: new_id(),
            kind: "test.one".into(),
            payload: serde_json::json!({ "to": "ada" }),
            run_at: now(),
            max_attempts: 3,
            created_at: now(),
        };
        uow.outbox().enqueue(&job).await.unwrap();
    }
    assert!(uow.has_enqueued());
    assert!(uow.jobs().next_due(&kinds).await.unwrap().is_some());
    let claimed = uow.jobs().claim(&kinds, 10, later(), later()).await.unwrap();
    let [first, second, third, ..] = &claimed[..] else { panic!("four jobs are due") };
    assert!(uow.jobs().extend(first.id, 1, later()).await.unwrap());
    assert!(uow.jobs().complete(first.id, 1, now()).await.unwrap());
    assert!(uow.jobs().retry(second.id, 1, now(), "a NUL \0 within").await.unwrap());
    assert!(uow.jobs().bury(third.id, 1, now(), "spent").await.unwrap());
    let counts = uow.jobs().counts().await.unwrap();
    assert_eq!((counts.available, counts.running, counts.completed, counts.buried), (1, 1, 1, 1));
    assert_eq!(uow.jobs().sweep(long_ago(), long_ago()).await.unwrap(), 0);
}

async fn answers(uow: &mut dyn UnitOfWork) {
    let key = IdempotencyKey { scope: "user".into(), key: "key".into(), fingerprint: [1; 32] };
    uow.idempotency().claim(&key, now(), long_ago(), later()).await.unwrap();
    uow.idempotency().claim(&key, now(), long_ago(), later()).await.unwrap();
    uow.idempotency().release(&key).await.unwrap();
    uow.idempotency().claim(&key, now(), long_ago(), later()).await.unwrap();
    let answer = StoredAnswer { status: 201, body: serde_json::json!({ "id": 1 }) };
    uow.idempotency().finish(&key, &answer).await.unwrap();
    uow.idempotency().sweep(long_ago()).await.unwrap();
}

/// Statements as Postgres has prepared them, with their names.
async fn prepared(unit: &mut postgres::Unit) -> Vec<(String, String, usize)> {
    let rows = query(
        "SELECT name, statement, cardinality(parameter_types) AS parameters FROM pg_prepared_statements
          WHERE statement LIKE '%ws\\_%' ORDER BY name",
    );
    let rows = rows.fetch_all(unit.connection().await.unwrap()).await.unwrap();
    let read = |row: sqlx::postgres::PgRow| {
        (row.get("name"), row.get("statement"), row.get::<i32, _>("parameters") as usize)
    };
    let all: Vec<(String, String, usize)> = rows.into_iter().map(read).collect();
    // Without this query itself.
    all.into_iter().filter(|(_, statement, _)| !statement.contains("pg_prepared_statements")).collect()
}

/// Rows enough that the planner has a reason to use an index.
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
    INSERT INTO ws_organizations (id, name, slug, version, created_at, updated_at)
         SELECT gen_random_uuid(), 'An organization', 'org-' || n, 1, now(), now() FROM generate_series(1, 20000) n;
    INSERT INTO ws_members (org_id, user_id, role, version, joined_at)
         SELECT o.id, u.id, 'member', 1, now()
           FROM (SELECT id, row_number() OVER () n FROM ws_organizations) o
           JOIN (SELECT id, row_number() OVER () n FROM ws_users) u ON u.n % 2500 = o.n % 2500;
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
    ANALYZE;
";

#[tokio::test]
async fn every_statement_runs_and_finds_an_index_on_postgres() {
    let database = databases::postgres().await;
    let mut uow = database.storage.begin().await.unwrap();
    exercise(&mut *uow).await;
    let unit = postgres::Unit::of(&mut *uow).unwrap();
    sqlx::raw_sql(ROWS).execute(unit.connection().await.unwrap()).await.unwrap();
    let statements = prepared(unit).await;
    let written: usize = STORES.iter().map(|file| statements_in(file)).sum();
    assert_eq!(statements.len(), written, "exercise() calls for every statement, and none is written twice");

    query("SET LOCAL plan_cache_mode = force_generic_plan")
        .execute(unit.connection().await.unwrap())
        .await
        .unwrap();
    for (name, statement, parameters) in &statements {
        let nulls = vec!["NULL"; *parameters].join(", ");
        let arguments = if nulls.is_empty() { nulls } else { format!("({nulls})") };
        let explain = format!("EXPLAIN (COSTS OFF) EXECUTE {name}{arguments}");
        let conn = unit.connection().await.unwrap();
        // Not kept, or it would drive the statements themselves out of the cache.
        let explain = query_scalar(AssertSqlSafe(explain)).persistent(false);
        let plan: Vec<String> = explain.fetch_all(conn).await.unwrap();
        let plan = plan.join("\n");
        if !WHOLE_TABLE.contains(&statement.as_str()) {
            assert!(!plan.contains("Seq Scan on ws_"), "{statement}\n\n{plan}");
        }
        if statement.contains("WITH lost AS") {
            for index in ["ws_jobs_running_idx", "ws_jobs_available_idx", "ws_jobs_pkey"] {
                assert!(plan.contains(index), "{index}: {plan}");
            }
            assert!(!plan.contains("Sort"), "the backlog is not sorted: {plan}");
        }
    }
}

/// How many statements a file of the stores has.
fn statements_in(file: &str) -> usize {
    ["query(", "query_as(", "query_as::<"]
        .iter()
        .map(|call| file.match_indices(call).filter(|(at, _)| !file[..*at].ends_with('_')).count())
        .sum()
}

#[tokio::test]
async fn every_statement_runs_and_finds_an_index_on_sqlite() {
    let postgres = databases::postgres().await;
    let mut uow = postgres.storage.begin().await.unwrap();
    exercise(&mut *uow).await;
    let statements = prepared(postgres::Unit::of(&mut *uow).unwrap()).await;

    let sqlite = databases::sqlite().await;
    let mut uow = sqlite.storage.begin().await.unwrap();
    exercise(&mut *uow).await;
    let unit = sqlite::Unit::of(&mut *uow).unwrap();
    for (_, statement, _) in statements {
        // What the dialects say differently.
        let statement = statement
            .replace("SELECT jsonb_array_elements_text($1)", "SELECT value FROM json_each($1)")
            .replace(" FOR UPDATE SKIP LOCKED", "")
            .replace(" FOR NO KEY UPDATE", "")
            .replace(" FOR KEY SHARE", "");
        let explain = query(AssertSqlSafe(format!("EXPLAIN QUERY PLAN {statement}")));
        let plan = explain.fetch_all(unit.connection().await.unwrap()).await.unwrap();
        for step in plan {
            let step: String = step.get("detail");
            let scans = step.starts_with("SCAN ws_") && !step.contains("INDEX");
            assert!(!scans || WHOLE_TABLE.contains(&statement.as_str()), "{statement}\n\n{step}");
        }
    }
}

#[tokio::test]
async fn a_login_with_what_no_database_can_hold_finds_nobody() {
    let postgres = databases::postgres().await;
    let mut uow = postgres.storage.read().await.unwrap();
    let email = Email::from_stored("ada\0@example.com".into());
    assert!(uow.users().credentials_by_email(&email).await.unwrap().is_none());
    let unit = postgres::Unit::of(&mut *uow).unwrap();
    assert!(UserStore::find(unit, new_id()).await.unwrap().is_none());
}
