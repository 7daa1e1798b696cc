//! Runs every statement on each database, and checks its plan.
//!
//! [`exercise`] calls every method of every store. A statement that it does not run fails the count below. Lists of tasks are
//! built from the conditions that are set: `lists.rs` runs each sort and each condition.

#![expect(clippy::unwrap_used, reason = "a test fails where something else happens than it says")]

mod distribution;
mod listening;
mod lists;
mod print;
mod recorded;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde_json::json;
use sqlx::{AssertSqlSafe, PgConnection, Row as _, query, query_scalar};
use workscribe_core::clock::{Clock, SystemClock, Timestamp};
use workscribe_core::events::EventKind;
use workscribe_core::id::{CommentId, Id, OrgId, ProjectId, TaskId, UserId};
use workscribe_core::idempotency::{IdempotencyKey, StoredAnswer};
use workscribe_core::identity::{
    Account, Bounce, Client, Email, LoginPlace, NewUser, OneTimeToken, ProfileChange, Purpose, Rotation,
    Sealed, Session, TokenHash, UserStore,
};
use workscribe_core::notifications::{
    Digest, EntityType, NewNotification, NotificationFilter, NotificationType, Preferences,
};
use workscribe_core::outbox::{
    AttemptId, Claim, Enqueued, JobFilter, JobPriority, KindCounts, NewJob, Outcome, Settlement, Turn, Unique,
};
use workscribe_core::page::PageRequest;
use workscribe_core::search::{SearchDocument, SearchKind, SearchQuery, Words};
use workscribe_core::sweep::Portion;
use workscribe_core::tenancy::{
    In, Invitation, InvitationPass, InvitationStatus, ListedInvitation, OrgScope, Organization,
    OrganizationChange, Role, RoleTable, Slug, VacatedOrg, invitation_token,
};
use workscribe_core::transfer::{Kind, Record};
use workscribe_core::webhooks::{
    DeliveryAttempt, DeliveryPass, DeliveryStatus, Disabled, DisabledReason, EventSet, Webhook,
    WebhookDelivery,
};
use workscribe_core::work::{
    Archived, BoardPosition, Color, Column, ColumnMove, Comment, Document, Goal, Label, LabelChange,
    Landmark, NewActivity, NewTask, Priority, Project, ProjectChange, ProjectKey, ProjectRef, ProjectType,
    Room, Status, StatusCategory, StatusChange, Task, TaskFields, TaskFilter, TaskLabel, TaskQuery, TaskSort,
    TaskType, TaskWrite, order,
};
use workscribe_core::{Storage, Target, UnitOfWork};
use workscribe_sql::{postgres, sqlite};
use workscribe_testkit::databases;

use listening::{RUN, listen, run_on_sqlite};
use lists::task_lists;

/// Statements that read a whole table because they concern all of it; and one that would if rows referred to a user before the user
/// exists, which the foreign keys exclude.
const WHOLE_TABLE: [&str; 5] = [
    "INSERT INTO ws_users ",
    "FROM ws_webhooks WHERE secrets_key <>",
    "FROM ws_jobs GROUP BY queue, kind, state ORDER BY queue, kind",
    "SELECT queue AS name FROM ws_jobs UNION",
    "FROM ws_jobs WHERE state = 'available' AND org_id IS NOT NULL GROUP BY queue, org_id",
];

/// Whether a statement is one of `task_list.rs`, which builds them from parts.
fn is_made_of_parts(statement: &str) -> bool {
    statement.contains(" AS sort_key") || statement.contains("FROM ws_tasks i WHERE")
}

fn now() -> Timestamp {
    SystemClock.now()
}

/// Ids ascend, even within a millisecond.
fn new_id<I: Id>() -> I {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let mut counted = [0; 10];
    counted[2..].copy_from_slice(&COUNT.fetch_add(1, Ordering::Relaxed).to_be_bytes());
    uuid::Builder::from_unix_timestamp_millis(now().timestamp_millis().unsigned_abs(), &counted)
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
    work(uow, user).await;
    transfer(uow, user).await;
    webhooks(uow, user).await;
    jobs(uow).await;
    answers(uow).await;
}

async fn identity(uow: &mut dyn UnitOfWork) -> UserId {
    let new = new_user("ada@example.com");
    let email = new.email.clone();
    let user = uow.users().insert(&new).await.unwrap();
    assert_eq!(uow.users().find(user.id).await.unwrap(), Some(user.clone()));
    assert_eq!(
        uow.users().account(user.id).await.unwrap(),
        Some(Account { user: user.clone(), email_bouncing: false })
    );
    assert!(uow.users().credentials(user.id).await.unwrap().is_some());
    assert!(uow.users().credentials_by_email(&email).await.unwrap().is_some());
    let change = ProfileChange { display_name: Some("Ada".into()), avatar_url: Some(None) };
    let changed = uow.users().update_profile(user.id, &change, Some(1), now()).await.unwrap();
    assert_eq!(changed.unwrap().version, 2);
    assert!(uow.users().update_profile(user.id, &change, Some(1), now()).await.is_err());
    assert!(uow.users().set_password(user.id, "new", now()).await.unwrap().is_some());
    assert!(uow.users().rehash(user.id, "new", "newer").await.unwrap());
    assert!(uow.users().set_verified(user.id, &email, now()).await.unwrap());
    for disabled in [true, false] {
        assert!(uow.users().set_disabled(user.id, disabled, now()).await.unwrap().is_some());
    }

    let place = LoginPlace::new("account", "network");
    assert_eq!(uow.attempts().record_failure(&place.account, now(), long_ago()).await.unwrap(), 1);
    uow.attempts().block(&place.account, later()).await.unwrap();
    assert!(uow.attempts().blocked_until(&place, now(), now()).await.unwrap().is_some());
    uow.attempts().succeeded(&place, now()).await.unwrap();
    uow.attempts().clear(&place).await.unwrap();
    uow.attempts().sweep_networks(long_ago(), 10).await.unwrap();
    uow.attempts().sweep(long_ago(), 100).await.unwrap();

    let bounce = Bounce { email, reason: "no such mailbox".into(), job: Some(new_id()), bounced_at: now() };
    uow.bounces().note(&bounce).await.unwrap();
    assert_eq!(uow.bounces().find(&bounce.email).await.unwrap().as_ref(), Some(&bounce));
    assert!(uow.bounces().clear(&bounce.email).await.unwrap());
    uow.bounces().sweep(long_ago(), 100).await.unwrap();
    user.id
}

async fn sessions(uow: &mut dyn UnitOfWork, user: UserId) {
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
    tokens.sweep(long_ago(), 100).await.unwrap();
}

async fn tenancy(uow: &mut dyn UnitOfWork, user: UserId) {
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
    let at = In::organization(uow, slug.as_str(), user).await.unwrap();
    assert_eq!(*at, organization);
    let scope = *at.scope();
    let page = PageRequest::first();
    assert_eq!(uow.organizations().list_of(user, &page).await.unwrap().len(), 1);
    assert_eq!(uow.organizations().count_of(user).await.unwrap(), 1);
    assert_eq!(uow.organizations().count_owned(user).await.unwrap(), 1);
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
        token_hash: TokenHash::of(&invitation_token(scope.org(), "an old token")),
        invited_by: user,
        expires_at: later(),
        version: 1,
        created_at: now(),
    };
    uow.invitations().put_pending(&scope, &invitation).await.unwrap();
    let listed = ListedInvitation { invitation: invitation.clone(), email_bouncing: false };
    assert_eq!(uow.invitations().list(&scope, &page).await.unwrap(), [listed]);
    assert_eq!(uow.invitations().count(&scope).await.unwrap(), 1);
    assert_eq!(uow.invitations().count_pending(&scope, &guest.email).await.unwrap(), 0);
    assert_eq!(uow.invitations().find(&scope, invitation.id).await.unwrap(), Some(invitation.clone()));
    let token = invitation_token(scope.org(), "a token");
    let renewed = uow.invitations().renew(&scope, invitation.id, &TokenHash::of(&token), later()).await;
    assert_eq!(renewed.unwrap().unwrap().version, 2);
    assert!(uow.invitations().revoke(&scope, invitation.id, Some(1)).await.is_err());
    assert_eq!(uow.invitations().revoke_of(&scope, guest.id).await.unwrap(), 0);
    let pass = InvitationPass::redeem(uow, &RoleTable, &token, now()).await.unwrap();
    assert!(uow.invitations().accept(&pass, now()).await.unwrap());
    assert_eq!(uow.invitations().sweep(long_ago(), 10).await.unwrap(), 0);
    uow.members().join(&pass, guest.id, now()).await.unwrap();

    assert_eq!(uow.members().list(&scope, &page).await.unwrap().len(), 2);
    assert_eq!(uow.members().count(&scope).await.unwrap(), 2);
    assert!(uow.members().find(&scope, guest.id).await.unwrap().is_some());
    assert!(uow.members().hold(&scope, guest.id).await.unwrap().is_some());
    assert_eq!(uow.members().among(&scope, &[guest.id, new_id()]).await.unwrap(), [guest.id]);
    assert!(uow.members().find_by_email(&scope, &guest.email).await.unwrap().is_some());
    assert_eq!(uow.members().count_owners(&scope).await.unwrap(), 1);
    let changed = uow.members().set_role(&scope, guest.id, Role::Admin, Some(1)).await.unwrap();
    assert_eq!(changed.unwrap().role, Role::Admin);
    assert!(uow.members().set_role(&scope, guest.id, Role::Owner, Some(1)).await.is_err());
    assert!(uow.members().remove(&scope, guest.id, Some(2)).await.unwrap());
    assert!(uow.organizations().delete(&scope, Some(2)).await.unwrap());

    let (scope, ..) = organization_with_a_task(uow, user).await;
    let slug = VacatedOrg::slug(scope.org());
    assert!(!uow.organizations().is_larger_than(&scope, Portion::of(10)).await.unwrap());
    assert!(uow.organizations().vacate(&scope, None, &slug, 10).await.unwrap());
    assert!(!uow.organizations().vacate(&scope, Some(9), &slug, 10).await.is_ok_and(|vacated| vacated));
    let vacated = VacatedOrg::enter(uow, scope.org()).await.unwrap().unwrap();
    while uow.organizations().clear(&vacated, Portion::of(10)).await.unwrap() > 0 {}
}

async fn work(uow: &mut dyn UnitOfWork, user: UserId) {
    let (scope, project, task) = organization_with_a_task(uow, user).await;
    board(uow, &scope, &task).await;
    labels(uow, &scope, &task).await;
    comments_and_activity(uow, &scope, &task).await;
    notifications(uow, &scope, &task).await;
    search(uow, &scope, &project, &task).await;
    assert!(uow.tasks().delete(&scope, task.id.into()).await.unwrap());
}

async fn organization_with_a_task(uow: &mut dyn UnitOfWork, user: UserId) -> (OrgScope, Project, Task) {
    let id: OrgId = new_id();
    let slug = format!("acme-{}", &id.as_uuid().simple().to_string()[16..]);
    let organization = Organization {
        id,
        name: "Acme Works".into(),
        slug: Slug::parse(&slug).unwrap(),
        version: 1,
        created_at: now(),
        updated_at: now(),
    };
    uow.organizations().insert(&organization, user).await.unwrap();
    let scope = *In::organization(uow, &slug, user).await.unwrap().scope();
    let (project, status) = projects(uow, &scope, &organization.slug).await;
    let task = tasks(uow, &scope, &project, &status).await;
    (scope, project, task)
}

fn new_status(project: ProjectId, name: &str, position: i64) -> Status {
    Status {
        id: new_id(),
        project_id: project,
        name: name.into(),
        category: StatusCategory::Todo,
        position,
        color: None,
        version: 1,
        created_at: now(),
        updated_at: now(),
    }
}

async fn projects(uow: &mut dyn UnitOfWork, scope: &OrgScope, slug: &Slug) -> (Project, Status) {
    let project = Project {
        id: new_id(),
        org_id: scope.org(),
        name: "Web".into(),
        key: ProjectKey::parse("WEB").unwrap(),
        description: None,
        kind: ProjectType::Kanban,
        is_archived: false,
        created_by: scope.actor(),
        version: 1,
        created_at: now(),
        updated_at: now(),
    };
    let statuses = [new_status(project.id, "To Do", 0), new_status(project.id, "Done", 1)];
    let store = uow.projects();
    store.insert(scope, &project, &statuses).await.unwrap();
    assert_eq!(store.find(scope, project.id).await.unwrap(), Some(project.clone()));
    for by in [ProjectRef::Id(project.id), ProjectRef::Key(project.key.clone())] {
        let entered = store.enter(slug, scope.actor(), &by).await.unwrap().unwrap();
        assert_eq!((entered.org, entered.role), (scope.org(), Role::Owner));
        assert_eq!(entered.found.as_ref(), Some(&project));
    }
    let nothing = ProjectRef::Key(ProjectKey::parse("NONE").unwrap());
    assert_eq!(store.enter(slug, scope.actor(), &nothing).await.unwrap().unwrap().found, None);
    assert!(store.enter(slug, new_id(), &nothing).await.unwrap().is_none());
    let page = PageRequest::first();
    for (archived, number) in [(Archived::No, 1), (Archived::Yes, 0), (Archived::All, 1)] {
        assert_eq!(store.list(scope, archived, &page).await.unwrap().len(), number);
        assert_eq!(store.count(scope, archived).await.unwrap(), number as i64);
    }
    assert!(store.lock(scope, project.id).await.unwrap().is_some());
    store.hold(scope, project.id).await.unwrap();
    let change = ProjectChange { name: Some("Website".into()), description: Some(None), is_archived: None };
    let changed =
        store.update(scope, Target::new(project.id, Some(1)), &change, now()).await.unwrap().unwrap();
    assert!(store.update(scope, Target::new(project.id, Some(1)), &change, now()).await.is_err());
    assert_eq!(store.advance_position(scope, project.id, 5).await.unwrap(), Some(5));

    let store = uow.statuses();
    let [first, second] = &statuses;
    assert_eq!(store.list(scope, project.id).await.unwrap(), statuses);
    assert_eq!(store.find(scope, project.id, second.id).await.unwrap().as_ref(), Some(second));
    assert_eq!(store.first(scope, project.id).await.unwrap().as_ref(), Some(first));
    store.arrange(scope, project.id, &[second.id, first.id]).await.unwrap();
    assert_eq!(store.first(scope, project.id).await.unwrap().unwrap().id, second.id);
    let change = StatusChange { name: Some("Ready".into()), category: None, color: Some(None) };
    let status = store
        .update(scope, Target::new(first.id, Some(1)).within(project.id), &change, now())
        .await
        .unwrap()
        .unwrap();
    assert!(
        store.update(scope, Target::new(first.id, Some(1)).within(project.id), &change, now()).await.is_err()
    );
    assert!(store.delete(scope, Target::new(second.id, Some(1)).within(project.id)).await.unwrap());
    (changed, status)
}

fn new_task(project: &Project, status: &Status, reporter: UserId) -> NewTask {
    let fields = TaskFields {
        title: "Fix the login page".into(),
        description: Some(Document::of_text("It is broken.")),
        status_id: status.id,
        assignee_id: Some(reporter),
        priority: Priority::High,
        kind: TaskType::Bug,
        parent_id: None,
        due_date: chrono::NaiveDate::from_ymd_opt(2031, 2, 3),
    };
    NewTask {
        id: new_id(),
        project_id: project.id,
        reporter_id: reporter,
        fields,
        room: Room::ANY,
        created_at: now(),
    }
}

async fn tasks(uow: &mut dyn UnitOfWork, scope: &OrgScope, project: &Project, status: &Status) -> Task {
    let new = new_task(project, status, scope.actor());
    let store = uow.tasks();
    let numbered = store.insert(scope, &new).await.unwrap();
    assert_eq!((numbered.number, numbered.position), (1, 5 + order::GAP));
    let mut below = new_task(project, status, scope.actor());
    below.fields = TaskFields { parent_id: Some(new.id), assignee_id: None, due_date: None, ..below.fields };
    store.insert(scope, &below).await.unwrap();
    let task = store.find(scope, new.id).await.unwrap().unwrap();
    assert_eq!((TaskFields::of(&task), task.subtask_count), (new.fields.clone(), 1));
    let nowhere = TaskFilter { project: Some(project.id), label: Some(new_id()), ..TaskFilter::default() };
    let by_label = TaskQuery::new(nowhere, TaskSort::parse("position").unwrap(), None, None, false).unwrap();
    assert_eq!(store.list(scope, &by_label).await.unwrap(), []);
    let entered = store.enter(scope.actor(), new.id).await.unwrap().unwrap();
    assert_eq!((entered.org, entered.actor.id, &entered.found), (scope.org(), scope.actor(), &task));
    assert_eq!(store.find_by_key(scope, &project.key, 1).await.unwrap().as_ref(), Some(&task));
    let locked = store.lock(scope, &[below.id, new.id, new_id()]).await.unwrap();
    assert_eq!(locked.iter().map(|task| task.number).collect::<Vec<_>>(), [1, 2]);
    assert!(
        store
            .update(
                scope,
                Target::new(new.id, Some(1)),
                TaskWrite { fields: &new.fields, position: Some(7) },
                now()
            )
            .await
            .unwrap()
    );
    assert!(store.update(scope, Target::new(new.id, Some(1)), (&new.fields).into(), now()).await.is_err());
    assert_eq!(store.children(scope, new.id, 10).await.unwrap(), [below.id]);
    assert!(store.is_within(scope, below.id, new.id).await.unwrap());
    assert!(!store.is_within(scope, new.id, below.id).await.unwrap());
    assert_eq!(store.open_of(scope, scope.actor(), None, 10).await.unwrap()[0].1, new.id);
    assert_eq!(store.in_status(scope, status, Some(new.id), 10).await.unwrap(), [below.id]);
    assert!(store.delete(scope, Target::new(below.id, Some(1))).await.unwrap());
    let found = store.find(scope, new.id).await.unwrap().unwrap();
    assert_eq!((found.version, found.position, found.subtask_count), (2, 7, 0));
    found
}

async fn board(uow: &mut dyn UnitOfWork, scope: &OrgScope, task: &Task) {
    let (project, status) = (task.project_id, task.status.id);
    let first = BoardPosition { position: task.position, id: task.id };
    let column = Column { project, status, without: &[] };
    let store = uow.board();
    assert_eq!(store.positions_at(scope, column, &[0, 1]).await.unwrap(), [(0, first)]);
    assert_eq!(store.positions_at(scope, Column { without: &[task.id], ..column }, &[0]).await.unwrap(), []);
    assert_eq!(store.positions_before(scope, column, None, 5).await.unwrap(), [first]);
    assert_eq!(store.positions_before(scope, column, Some(first), 5).await.unwrap(), []);
    assert_eq!(store.positions_from(scope, column, first, 5).await.unwrap(), [first]);
    store.place(scope, &[BoardPosition { position: -3, id: task.id }]).await.unwrap();
    store
        .place(
            scope,
            &[BoardPosition { position: -2, id: task.id }, BoardPosition { position: 9, id: new_id() }],
        )
        .await
        .unwrap();
    for landmark in [Landmark::Index(0), Landmark::Task(new_id())] {
        let lifted =
            store.lift(scope, task.id, Goal { project, status: None, landmark }).await.unwrap().unwrap();
        assert_eq!((lifted.task.id, lifted.landmark), (task.id, None));
    }
    let last = store
        .move_column(scope, ColumnMove { project, from: status, to: status, after: 10 }, now())
        .await
        .unwrap();
    assert_eq!(last, Some(10 + order::GAP));
    assert_eq!(uow.tasks().find(scope, task.id).await.unwrap().unwrap().position, 10 + order::GAP);
}

async fn labels(uow: &mut dyn UnitOfWork, scope: &OrgScope, task: &Task) {
    let project = task.project_id;
    let label = |name: &str| Label {
        id: new_id(),
        project_id: project,
        name: name.into(),
        color: Color::parse("#00ff00").unwrap(),
        version: 1,
        created_at: now(),
        updated_at: now(),
    };
    let (zoo, bug) = (label("Zoo"), label("bug \"1\""));
    let store = uow.labels();
    store.insert(scope, &zoo).await.unwrap();
    store.insert(scope, &bug).await.unwrap();
    assert_eq!(store.list(scope, project, &PageRequest::first()).await.unwrap().len(), 2);
    assert_eq!(store.count(scope, project).await.unwrap(), 2);
    assert_eq!(store.find(scope, project, zoo.id).await.unwrap().as_ref(), Some(&zoo));
    let both = [zoo.id, new_id(), bug.id];
    assert_eq!(store.find_many(scope, project, &both).await.unwrap(), [bug.clone(), zoo.clone()]);
    store.attach(scope, task.id, &[zoo.id]).await.unwrap();
    store.attach(scope, task.id, &[zoo.id, bug.id]).await.unwrap();
    let found = uow.tasks().find(scope, task.id).await.unwrap().unwrap();
    let on = |label: &Label| TaskLabel { id: label.id, name: label.name.clone(), color: label.color.clone() };
    assert_eq!(found.labels, [on(&bug), on(&zoo)]);
    let store = uow.labels();
    store.detach(scope, task.id, &[bug.id]).await.unwrap();
    let change = LabelChange { name: Some("Zoological".into()), color: None };
    assert!(
        store
            .update(scope, Target::new(zoo.id, Some(1)).within(project), &change, now())
            .await
            .unwrap()
            .is_some()
    );
    assert!(store.update(scope, Target::new(zoo.id, Some(1)).within(project), &change, now()).await.is_err());
    assert!(store.delete(scope, Target::new(zoo.id, Some(2)).within(project)).await.unwrap());
    assert_eq!(uow.tasks().find(scope, task.id).await.unwrap().unwrap().labels, []);
}

async fn comments_and_activity(uow: &mut dyn UnitOfWork, scope: &OrgScope, task: &Task) {
    let comment = Comment {
        id: new_id(),
        task_id: task.id,
        author: task.reporter.clone(),
        body: Document::of_text("Seen. \0"),
        is_edited: false,
        version: 1,
        created_at: now(),
        updated_at: now(),
    };
    let (page, store) = (PageRequest::first(), uow.comments());
    store.insert(scope, &comment, i64::MAX).await.unwrap();
    assert_eq!(store.find(scope, task.id, comment.id).await.unwrap().as_ref(), Some(&comment));
    assert_eq!(store.list(scope, task.id, &page).await.unwrap(), std::slice::from_ref(&comment));
    assert_eq!(store.count(scope, task.id).await.unwrap(), 1);
    let body = Document::of_text("Done.");
    assert!(
        store.update(scope, Target::new(comment.id, Some(1)).within(task.id), &body, now()).await.unwrap()
    );
    assert!(
        store.update(scope, Target::new(comment.id, Some(1)).within(task.id), &body, now()).await.is_err()
    );
    assert!(store.delete(scope, Target::new(comment.id, Some(2)).within(task.id)).await.unwrap());
    let one_too_many = Comment { id: new_id(), ..comment };
    assert!(store.insert(scope, &one_too_many, 0).await.is_err());

    let line = |task: Option<TaskId>| NewActivity {
        id: new_id(),
        project_id: None,
        task_id: task,
        action: EventKind::TaskUpdated,
        field_name: Some("title"),
        old_value: Some("a NUL \0 within".into()),
        new_value: None,
        created_at: now(),
    };
    let store = uow.activity();
    let lines = [line(Some(task.id)), line(None)];
    store.add(scope, &lines).await.unwrap();
    let [found] = &store.list(scope, Some(task.id), &page).await.unwrap()[..] else { panic!("one line") };
    assert_eq!(
        (found.id, found.created_at, &found.actor),
        (lines[0].id, lines[0].created_at, &task.reporter)
    );
    assert_eq!(found.old_value.as_deref(), Some("a NUL \u{fffd} within"));
    assert_eq!(store.list(scope, None, &page).await.unwrap().len(), 2);
    assert_eq!(store.count(scope, Some(task.id)).await.unwrap(), 1);
    assert_eq!(store.count(scope, None).await.unwrap(), 2);
}

async fn notifications(uow: &mut dyn UnitOfWork, scope: &OrgScope, task: &Task) {
    let user = scope.actor();
    let new = |mail: bool| NewNotification {
        id: new_id(),
        user_id: user,
        kind: NotificationType::Mention,
        title: "Ada mentioned you".into(),
        body: None,
        entity_type: EntityType::Task,
        entity_id: task.id.into(),
        mail,
        created_at: now(),
    };
    let (page, store) = (PageRequest::first(), uow.notifications());
    let (first, second, third) = (new(true), new(false), new(true));
    store.add(scope, &[first.clone(), second.clone(), third.clone()]).await.unwrap();
    let here = store.list(user, &NotificationFilter::default(), &page).await.unwrap()[0].org_slug.clone();
    for organization in [None, Some(here)] {
        for unread in [false, true] {
            let filter = NotificationFilter { organization: organization.clone(), unread };
            let found = store.list(user, &filter, &page).await.unwrap();
            assert_eq!(found.iter().map(|one| one.id).collect::<Vec<_>>(), [third.id, second.id, first.id]);
            assert_eq!(
                (found[0].created_at, found[0].actor.as_ref()),
                (third.created_at, Some(&task.reporter))
            );
            assert_eq!(store.count(user, &filter).await.unwrap(), 3);
        }
    }
    assert!(store.set_read(user, first.id, true).await.unwrap().unwrap().is_read);
    assert!(store.set_read(new_id(), first.id, true).await.unwrap().is_none());

    assert_eq!(store.preferences(user).await.unwrap(), Preferences::default());
    store.set_preference(user, NotificationType::Mention, true).await.unwrap();
    store.set_preference(user, NotificationType::Mention, false).await.unwrap();
    let (theirs, default) =
        (Preferences { mention: false, ..Preferences::default() }, Preferences::default());
    assert_eq!(store.preferences_of(&[user, new_id(), user]).await.unwrap(), [theirs, default, theirs]);

    let digest = Digest { user, job: new_id() };
    assert!(store.open_digest(&digest).await.unwrap());
    assert!(!store.open_digest(&Digest { user, job: new_id() }).await.unwrap());
    store.close_digest(&Digest { user, job: new_id() }).await.unwrap();
    for _ in 0..2 {
        store.close_digest(&digest).await.unwrap();
        let found = store.digest(&digest, 10).await.unwrap();
        assert_eq!(found.iter().map(|one| one.id).collect::<Vec<_>>(), [third.id]);
    }
    store.digest_sent(&digest).await.unwrap();
    assert_eq!(store.digest(&digest, 10).await.unwrap().len(), 1);
    assert_eq!(store.read_all(user, &NotificationFilter::default()).await.unwrap(), 2);
    assert_eq!(store.sweep(long_ago(), 100).await.unwrap(), 0);
}

async fn search(uow: &mut dyn UnitOfWork, scope: &OrgScope, project: &Project, task: &Task) {
    let document = |id: uuid::Uuid, kind: SearchKind, title: &str, body: &str| SearchDocument {
        id,
        kind,
        task: (kind != SearchKind::Project).then_some(task.id),
        title: Words::of(title),
        body: body.into(),
        updated_at: now(),
    };
    let comment: CommentId = new_id();
    let store = uow.search();
    for document in [
        document(project.id.into(), SearchKind::Project, "WEB Website", "all about 1e5abc logins"),
        document(task.id.into(), SearchKind::Task, "an earlier title", ""),
        document(task.id.into(), SearchKind::Task, "WEB-1 Fix the login page", "a NUL \0 within"),
        document(comment.into(), SearchKind::Comment, "", "the login is not fixed, says 1E5ABC"),
    ] {
        store.put(scope, &document).await.unwrap();
    }
    let mut titles = Vec::new();
    for (text, kind) in [
        ("login", None),
        ("logi", Some(SearchKind::Project)),
        ("fix login", None),
        ("login the", None),
        ("1e5abc", None),
        ("earlier", None),
        ("", None),
    ] {
        let query = SearchQuery { words: Words::of(text), kind, limit: 10 };
        let found = store.find(scope, &query).await.unwrap();
        titles.push(found.iter().map(|hit| (hit.kind.as_str(), hit.title.clone())).collect::<Vec<_>>());
    }
    let named = |kind: &'static str, title: &str| (kind, title.to_owned());
    let (the_task, the_comment) =
        (named("task", "Fix the login page"), named("comment", "Fix the login page"));
    let the_project = named("project", "Website");
    assert_eq!((titles[0].len(), &titles[0][0]), (3, &the_task), "the title weighs more");
    assert_eq!(titles[1], std::slice::from_ref(&the_project));
    assert_eq!(titles[2], std::slice::from_ref(&the_task), "only the last word may go on");
    assert_eq!(titles[3], [the_task, the_comment.clone()]);
    titles[4].sort();
    assert_eq!(titles[4], [the_comment, the_project]);
    assert_eq!(titles[5..], [[], []]);

    let filter = TaskFilter {
        project: Some(project.id),
        search: Some(Words::of("fix login")),
        ..TaskFilter::default()
    };
    let query = TaskQuery::new(filter, TaskSort::default(), None, None, false).unwrap();
    assert_eq!(uow.tasks().list(scope, &query).await.unwrap().len(), 1);
    uow.search().remove(scope, comment.into()).await.unwrap();

    // Another statement searches for a word that many documents have.
    let many: Vec<CommentId> = (0..30).map(|_| new_id()).collect();
    for id in &many {
        let comment = document((*id).into(), SearchKind::Comment, "", "the login again");
        uow.search().put(scope, &comment).await.unwrap();
    }
    let query = SearchQuery { words: Words::of("login"), kind: None, limit: 10 };
    let found = uow.search().find(scope, &query).await.unwrap();
    assert_eq!((found.len(), found[0].kind), (10, SearchKind::Task), "the title weighs more");
    let filter =
        TaskFilter { project: Some(project.id), search: Some(Words::of("login")), ..TaskFilter::default() };
    let query = TaskQuery::new(filter, TaskSort::default(), None, None, true).unwrap();
    assert_eq!(uow.tasks().list(scope, &query).await.unwrap().len(), 1);
    assert_eq!(uow.tasks().count(scope, &query).await.unwrap(), 1);
    for id in many {
        uow.search().remove(scope, id.into()).await.unwrap();
    }
}

/// Exports a small organization and imports its rows into another.
async fn transfer(uow: &mut dyn UnitOfWork, user: UserId) {
    let (from, ..) = organization_with_a_task(uow, user).await;
    let (id, at) = (new_id::<OrgId>(), "2026-01-01T00:00:00Z");
    let others = [
        json!({"type": "label", "id": id, "name": "New", "color": "#00ff00", "version": 1}),
        json!({"type": "comment", "id": id, "author_id": user, "body": {}, "is_edited": false, "version": 1}),
        json!({"type": "activity", "id": id, "actor_id": user, "action": "task.created"}),
        json!({"type": "notification", "id": id, "user_id": user, "kind": "MENTION", "title": "A mention",
               "entity_type": "task", "entity_id": id, "is_read": false}),
    ];
    let mut rows = Vec::new();
    for kind in Kind::ALL {
        rows.extend(uow.transfer().page(&from, kind, None, 10).await.unwrap());
    }
    let project = rows.iter().find(|row| matches!(row, Record::Project(_))).unwrap().id();
    let task = rows.iter().find(|row| matches!(row, Record::Task(_))).unwrap().id();
    for mut row in others {
        row["created_at"] = json!(at);
        row["updated_at"] = json!(at);
        row["project_id"] = json!(project);
        row["task_id"] = json!(task);
        let row: Record = serde_json::from_value(row).unwrap();
        rows.retain(|other| std::mem::discriminant(other) != std::mem::discriminant(&row));
        rows.push(row);
    }
    for row in &mut rows {
        if let Record::Task(row) = row {
            row.label_ids = vec![id.as_uuid().into()];
        }
    }
    let slug = Slug::parse("another-place").unwrap();
    let organization = Organization {
        id: new_id(),
        name: "Acme Works".into(),
        slug: slug.clone(),
        version: 1,
        created_at: now(),
        updated_at: now(),
    };
    uow.organizations().insert(&organization, user).await.unwrap();
    assert_eq!(uow.transfer().first_owner(&slug).await.unwrap(), Some(user));
    let to = *In::organization(uow, slug.as_str(), user).await.unwrap().scope();
    uow.transfer().restore(&to, &rows).await.unwrap();
    uow.transfer().adopt(&to, &[(task.into(), task.into())]).await.unwrap();
    assert_eq!(uow.transfer().people(&[user]).await.unwrap().len(), 1);
    for scope in [from, to] {
        assert!(uow.organizations().delete(&scope, None).await.unwrap());
    }
}

async fn jobs(uow: &mut dyn UnitOfWork) {
    let kinds = ["test.one", "test.other"];
    let new = || NewJob {
        id: new_id(),
        org: Some(new_id()),
        kind: "test.one".into(),
        payload: serde_json::json!({ "to": "ada" }),
        queue: "default".into(),
        priority: JobPriority::NORMAL,
        run_at: now(),
        max_attempts: 3,
        timeout: None,
        unique: None,
        created_at: now(),
    };
    let only = new().unique(&Unique::by("a")).unwrap();
    let enqueued = uow.outbox().enqueue(&[new(), new(), new(), new(), only.clone()]).await.unwrap();
    assert!(enqueued.iter().all(|job| job.is_new) && uow.has_enqueued());
    let again = NewJob { id: new_id(), ..only.clone() };
    assert_eq!(uow.outbox().enqueue(&[again]).await.unwrap(), [Enqueued { id: only.id, is_new: false }]);
    let store = uow.jobs();
    assert!(store.next_due("default", &kinds).await.unwrap().is_some());
    let claim = Claim {
        queue: "default",
        kinds: &kinds,
        limit: 10,
        worker: "a worker",
        now: later(),
        lease_until: later(),
        turn: Turn::default(),
    };
    let claimed = store.claim(&claim).await.unwrap();
    let attempts: Vec<AttemptId> =
        claimed.iter().map(|job| AttemptId { id: job.id, attempt: job.attempt }).collect();
    assert_eq!(attempts.len(), 5);
    assert_eq!(store.extend(&attempts, later()).await.unwrap().len(), 5);
    let outcomes = [
        Outcome::Completed,
        Outcome::Retry { run_at: now(), error: "a NUL \0 within".into() },
        Outcome::Buried { error: "spent".into() },
    ];
    let settlements: Vec<Settlement> = attempts
        .iter()
        .zip(outcomes)
        .map(|(attempt, outcome)| Settlement { attempt: *attempt, outcome, at: now() })
        .collect();
    assert_eq!(store.settle(&settlements).await.unwrap().len(), 3);
    let states = |all: Vec<KindCounts>| {
        let counts = all.iter().find(|of| of.kind == "test.one").unwrap().counts;
        (counts.available, counts.running, counts.completed, counts.buried)
    };
    assert_eq!(states(store.counts(now()).await.unwrap()), (1, 2, 1, 1));
    assert_eq!(store.sweep(long_ago(), long_ago(), Portion::of(10)).await.unwrap(), 0);
    assert!(store.find(only.id).await.unwrap().is_some());
    let filter = JobFilter { queue: Some("default".into()), ..JobFilter::default() };
    assert_eq!(store.list(&filter, None, 10).await.unwrap().len(), 5);
    assert!(store.run_now(attempts[2].id, now()).await.unwrap().is_some());
    assert!(store.cancel(attempts[2].id, now()).await.unwrap().is_some());
    store.pause("default", now()).await.unwrap();
    assert_eq!(store.backlogs(3).await.unwrap().len(), 1);
    assert_eq!(store.queues().await.unwrap().len(), 1);
    assert!(store.resume("default").await.unwrap());
    assert!(store.schedule("nightly", long_ago()).await.unwrap() < now());
    assert!(store.take_slot("nightly", now()).await.unwrap());
}

async fn webhooks(uow: &mut dyn UnitOfWork, user: UserId) {
    let (scope, ..) = organization_with_a_task(uow, user).await;
    let webhook = Webhook {
        id: new_id(),
        url: "https://example.com/".into(),
        description: None,
        events: EventSet::All,
        disabled: None,
        secrets: Sealed { key_id: "key".into(), bytes: vec![1] },
        previous_until: None,
        last_success_at: None,
        created_by: user,
        version: 1,
        created_at: now(),
        updated_at: now(),
    };
    let delivery = WebhookDelivery {
        id: new_id(),
        webhook_id: webhook.id,
        message_id: new_id(),
        event: EventKind::TaskCreated,
        payload: Some("{}".into()),
        status: DeliveryStatus::Pending,
        attempts: 0,
        next_attempt_at: None,
        created_at: now(),
        finished_at: None,
    };
    let (page, pending) = (PageRequest::first(), Some(DeliveryStatus::Pending));
    let store = uow.webhooks();
    store.insert(&scope, &webhook).await.unwrap();
    store.update(&scope, &webhook).await.unwrap();
    assert!(store.lock(&scope, webhook.id).await.unwrap().is_some());
    assert!(store.find(&scope, webhook.id).await.unwrap().is_some());
    assert_eq!(store.list(&scope, &page).await.unwrap().len(), 1);
    assert_eq!(store.count(&scope).await.unwrap(), 1);
    assert_eq!(store.listeners(&scope).await.unwrap().len(), 1);
    store.add_deliveries(&scope, std::slice::from_ref(&delivery)).await.unwrap();
    assert_eq!(store.deliveries(&scope, webhook.id, pending, &page).await.unwrap().len(), 1);
    assert_eq!(store.count_deliveries(&scope, webhook.id, pending).await.unwrap(), 1);
    assert!(store.delivery(&scope, webhook.id, delivery.id).await.unwrap().is_some());
    let pass = DeliveryPass::enter(uow, scope.org(), delivery.id).await.unwrap().unwrap();
    let attempt =
        DeliveryAttempt { number: 1, at: now(), took: Duration::ZERO, response_status: None, error: None };
    let store = uow.webhooks();
    let settled = DeliveryStatus::Delivered;
    assert!(store.note_attempt(&pass, Some(&attempt), settled.into(), now()).await.unwrap());
    assert_eq!(store.attempts(&scope, delivery.id).await.unwrap().len(), 1);
    store.note_success(&pass, now()).await.unwrap();
    let disabled = Disabled { reason: DisabledReason::Gone, at: now() };
    assert!(store.turn_off(&pass, disabled, None).await.unwrap());
    assert_eq!(store.owners(&pass).await.unwrap(), [user]);
    assert_eq!(store.sweep(long_ago(), 10).await.unwrap(), 0);
    assert_eq!(store.sweep_messages(long_ago(), Portion::of(10)).await.unwrap(), 0);
    let others = store.sealed_otherwise("another", 10).await.unwrap();
    store.reseal(&others[0], &others[0].secrets).await.unwrap();
    store.delete(&scope, webhook.id).await.unwrap();
}

async fn answers(uow: &mut dyn UnitOfWork) {
    let key = IdempotencyKey { org: None, scope: "user".into(), key: "key".into(), fingerprint: [1; 32] };
    uow.idempotency().claim(&key, now(), long_ago(), later()).await.unwrap();
    uow.idempotency().claim(&key, now(), long_ago(), later()).await.unwrap();
    uow.idempotency().release(&key).await.unwrap();
    uow.idempotency().claim(&key, now(), long_ago(), later()).await.unwrap();
    let answer = StoredAnswer { status: 201, body: serde_json::json!({ "id": 1 }) };
    uow.idempotency().finish(&key, &answer).await.unwrap();
    uow.idempotency().sweep(long_ago(), Portion::of(100)).await.unwrap();
}

/// The statements that Postgres has prepared: name, text, and types of the parameters.
async fn prepared(conn: &mut PgConnection) -> Vec<(String, String, Vec<String>)> {
    let rows = query(
        "SELECT name, statement, parameter_types::text[] AS types FROM pg_prepared_statements
          WHERE statement LIKE '%ws\\_%' AND statement NOT LIKE '%pg_prepared_statements%' ORDER BY name",
    );
    let rows = rows.persistent(false).fetch_all(conn).await.unwrap();
    rows.into_iter().map(|row| (row.get(0), row.get(1), row.get(2))).collect()
}

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
async fn every_statement_runs_and_finds_an_index_on_postgres() {
    let before = std::time::Instant::now();
    let a = recorded::on_postgres().await;
    println!("postgres {} in {:?}", a.len(), before.elapsed());
    let before = std::time::Instant::now();
    let b = recorded::on_sqlite().await;
    println!("sqlite {} in {:?}", b.len(), before.elapsed());
    let run: BTreeSet<String> = a.iter().map(|one| one.name.clone()).collect();
    println!("{:#?}", names_in_sources().difference(&run).collect::<Vec<_>>());
    let run: BTreeSet<String> = b.iter().map(|one| one.name.clone()).collect();
    println!("{:#?}", names_in_sources().difference(&run).collect::<Vec<_>>());
    println!("untyped {}", a.iter().filter(|one| one.types.is_empty()).count());
    let mut lines = String::new();
    for one in a {
        lines.push_str(&format!(
            "{}\t{}\n",
            one.name,
            one.text.split_whitespace().collect::<Vec<_>>().join(" ")
        ));
    }
    std::fs::write("/tmp/a.tsv", lines).unwrap();
    let mut lines = String::new();
    for one in b {
        lines.push_str(&format!(
            "{}\t{}\n",
            one.name,
            one.text.split_whitespace().collect::<Vec<_>>().join(" ")
        ));
    }
    std::fs::write("/tmp/b.tsv", lines).unwrap();
    let all = recorded::TRACED.lock().unwrap().clone();
    let database = databases::postgres().await;
    let mut uow = database.storage.begin().await.unwrap();
    exercise(&mut *uow).await;
    task_lists(&mut *uow).await;
    drop(uow);
    let database = databases::sqlite().await;
    let mut uow = database.storage.begin().await.unwrap();
    exercise(&mut *uow).await;
    task_lists(&mut *uow).await;
    drop(uow);
    for (d, n, t) in recorded::TRACED.lock().unwrap().difference(&all) { println!("NEW {d} {n}: {}", t.split_whitespace().collect::<Vec<_>>().join(" ")); }
    let database = databases::postgres().await;
    let mut uow = database.storage.begin().await.unwrap();
    exercise(&mut *uow).await;
    let unit = postgres::Unit::of(&mut *uow).unwrap();
    // Writing the rows may take as long as a slow disk needs; after that, the statements under test are only explained.
    query("SET LOCAL statement_timeout = 0").execute(unit.connection().await.unwrap()).await.unwrap();
    sqlx::raw_sql(ROWS).execute(unit.connection().await.unwrap()).await.unwrap();
    let statements = prepared(unit.connection().await.unwrap()).await;
    come_together(&database.storage).await;
    let (written, run) = (names_in_sources(), RUN.lock().unwrap().clone());
    let missed: Vec<&String> = written.difference(&run).collect();
    assert!(missed.is_empty(), "exercise() calls for every statement: {missed:#?}");

    query("SET LOCAL plan_cache_mode = force_generic_plan")
        .execute(unit.connection().await.unwrap())
        .await
        .unwrap();
    check_plans(unit, &statements).await;

    // Afterwards, because all statements together are more than a connection keeps.
    task_lists(&mut *uow).await;
    let unit = postgres::Unit::of(&mut *uow).unwrap();
    let mut statements = prepared(unit.connection().await.unwrap()).await;
    statements.retain(|(_, statement, _)| is_made_of_parts(statement));
    assert!(statements.len() > TaskSort::NAMES.len());
    check_plans(unit, &statements).await;
}

async fn check_plans(unit: &mut postgres::Unit, statements: &[(String, String, Vec<String>)]) {
    for (name, statement, types) in statements {
        let nulls = vec!["NULL"; types.len()].join(", ");
        let arguments = if nulls.is_empty() { nulls } else { format!("({nulls})") };
        let explain = format!("EXPLAIN (COSTS OFF) EXECUTE {name}{arguments}");
        let conn = unit.connection().await.unwrap();
        // Not kept prepared, or it would displace the statements themselves.
        let explain = query_scalar(AssertSqlSafe(explain)).persistent(false);
        let plan: Vec<String> = explain.fetch_all(conn).await.unwrap();
        let plan = plan.join("\n");
        if statement.contains("taken AS MATERIALIZED") && statement.contains("ws_jobs") {
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
        // The statements that `table!` makes for a table whose rows belong to rows of another table.
        let tables = source.match_indices("\", in ").filter_map(|(at, _)| source[..at].rsplit('"').next());
        names.extend(tables.map(|table| format!("{table}: version")));
    }
    // The second read after a wait for a lock, if a status was created during the wait.
    names.remove("ws_tasks: read locked");
    names
}

/// Runs many reads at once, so that some are batched: those of a member, and those of strangers, who find nothing.
async fn come_together(storage: &Arc<dyn Storage>) {
    assert_eq!(storage.readiness().await, []);
    let mut uow = storage.begin().await.unwrap();
    let member = uow.users().insert(&new_user("barbara@example.com")).await.unwrap().id;
    let (_, project, task) = organization_with_a_task(&mut *uow, member).await;
    let slug = uow.organizations().list_of(member, &PageRequest::first()).await.unwrap()[0].0.slug.clone();
    uow.commit().await.unwrap();
    let mut reading = tokio::task::JoinSet::new();
    for turn in 0..320 {
        let (storage, slug, key) = (Arc::clone(storage), slug.clone(), project.key.clone());
        let (project, task) = (project.id, task.id);
        let is_member = turn / 5 % 4 == 0;
        let user = if is_member { member } else { new_id() };
        reading.spawn(async move {
            let mut uow = storage.read().await.unwrap();
            let (expected, found) = match turn % 5 {
                0 => {
                    (None, uow.tokens().session_with_user(new_id(), now()).await.unwrap().map(|_| "session"))
                }
                1 => {
                    let account = uow.users().account(user).await.unwrap();
                    (
                        is_member.then_some("account"),
                        account.filter(|it| it.user.id == user).map(|_| "account"),
                    )
                }
                2 => {
                    let membership = uow.organizations().membership(&slug, user).await.unwrap();
                    (
                        is_member.then_some("owner"),
                        membership.filter(|it| it.1 == Role::Owner).map(|_| "owner"),
                    )
                }
                3 => {
                    let by = if turn % 2 == 0 { ProjectRef::Id(project) } else { ProjectRef::Key(key) };
                    let entered = uow.projects().enter(&slug, user, &by).await.unwrap();
                    let found = entered.and_then(|it| it.found).filter(|found| found.id == project);
                    (is_member.then_some("project"), found.map(|_| "project"))
                }
                _ => {
                    let entered = uow.tasks().enter(user, task).await.unwrap();
                    (is_member.then_some("task"), entered.filter(|it| it.found.id == task).map(|_| "task"))
                }
            };
            assert_eq!(found, expected, "turn {turn}");
        });
    }
    while let Some(done) = reading.join_next().await {
        done.unwrap();
    }
}

#[tokio::test]
async fn every_statement_runs_and_finds_an_index_on_sqlite() {
    let sqlite = databases::sqlite().await;
    let mut uow = sqlite.storage.begin().await.unwrap();
    let unit = sqlite::Unit::of(&mut *uow).unwrap();
    let statements = run_on_sqlite().await;
    assert!(statements.len() > 100, "sqlx logs them no more");
    for (_, statement) in statements {
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
            && !statement.contains("i.updated_at > ");
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
    assert!(UserStore::find(unit, new_id()).await.unwrap().is_none());
}
