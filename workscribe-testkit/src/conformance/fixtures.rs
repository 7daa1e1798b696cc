//! The data with which the cases start. Each case gets an empty storage.

use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use workscribe_core::clock::{Clock, Entropy, SystemEntropy, Timestamp};
use workscribe_core::events::EventKind;
use workscribe_core::id::{
    ActivityId, Id, InvitationId, JobId, LabelId, NotificationId, OrgId, ProjectId, SessionId, StatusId,
    TaskId, UserId,
};
use workscribe_core::identity::{
    Client, Email, NewUser, OneTimeToken, Purpose, Rotation, SecretKey, SecretRing, Session, TokenHash, User,
};
use workscribe_core::limits::Limits;
use workscribe_core::notifications::{EntityType, NewNotification, NotificationType};
use workscribe_core::outbox::{JobPriority, NewJob};
use workscribe_core::page::{Page, PageRequest};
use workscribe_core::ports::Secret;
use workscribe_core::search::{SearchDocument, SearchKind, Words};
use workscribe_core::tenancy::{
    In, Invitation, InvitationPass, InvitationStatus, OrgScope, Organization, Role, RoleTable, Slug,
    invitation_token,
};
use workscribe_core::work::{
    Color, Comment, Document, Label, NewActivity, NewTask, Person, Priority, Project, ProjectKey,
    ProjectType, Room, Status, StatusCategory, Task, TaskFields, TaskType,
};
use workscribe_core::{Constraint, Settings, Storage, StoreError, WorkScribe};

use crate::clock::FrozenClock;

/// Runs one statement in its own transaction, commits, and returns its value.
macro_rules! commit {
    ($storage:expr, $uow:ident => $statement:expr) => {{
        let mut $uow = $storage.begin().await.expect("a unit begins");
        let value = $statement.await.expect("the statement runs");
        $uow.commit().await.expect("the unit commits");
        value
    }};
}

/// Runs one statement in its own transaction, and returns its result. It commits unless the result is an error.
macro_rules! attempt {
    ($storage:expr, $uow:ident => $statement:expr) => {{
        let mut $uow = $storage.begin().await.expect("a unit begins");
        let result = $statement.await;
        match result {
            Ok(_) => $uow.commit().await.expect("the unit commits"),
            Err(_) => drop($uow),
        }
        result
    }};
}

/// Runs one statement in its own transaction and commits. Returns its value, or the error of either, for rules that a storage may
/// check in the statement or at the commit.
macro_rules! settle {
    ($storage:expr, $uow:ident => $statement:expr) => {{
        let mut $uow = $storage.begin().await.expect("a unit begins");
        match $statement.await {
            Ok(value) => $uow.commit().await.map(|()| value),
            Err(error) => Err(error),
        }
    }};
}

/// Runs one statement without a transaction, and returns its value.
macro_rules! read {
    ($storage:expr, $uow:ident => $statement:expr) => {{
        let mut $uow = $storage.read().await.expect("a unit for reading begins");
        $statement.await.expect("the statement runs")
    }};
}

/// Checks that a result is a violation of this rule.
macro_rules! assert_conflict {
    ($result:expr, $constraint:ident) => {{
        let result = $result;
        assert!(
            matches!(
                result,
                Err(workscribe_core::StoreError::Conflict {
                    constraint: workscribe_core::Constraint::$constraint,
                    ..
                })
            ),
            "expected a conflict with {}, got {result:?}",
            stringify!($constraint)
        );
    }};
}

/// Checks that a result is a fault of the program: a violation of a key that no caller chooses.
macro_rules! assert_fault {
    ($result:expr) => {{
        let result = $result;
        assert!(
            matches!(result, Err(workscribe_core::StoreError::Backend(_))),
            "expected a fault, got {result:?}"
        );
    }};
}

/// Checks that a result is a stale version.
macro_rules! assert_stale {
    ($result:expr) => {{
        let result = $result;
        assert!(
            matches!(result, Err(workscribe_core::StoreError::StaleVersion)),
            "expected a stale version, got {result:?}"
        );
    }};
}

pub(super) use {assert_conflict, assert_fault, assert_stale, attempt, commit, read, settle};

/// Numbers that a storage may write in another form, but must return unchanged.
pub(super) const EDGE_NUMBERS: [f64; 7] =
    [f64::MAX, f64::MIN, f64::MIN_POSITIVE, 5e-324, 1e23, 0.1, -3.994_460_724_438_086e-74];

/// A name that a storage must return unchanged: four scripts, a combining character, and one outside the first plane.
pub(super) const UNICODE: &str = "Ада Λόβελεϊς 洛夫莱斯 Ame\u{301}lie 👩🏽‍💻 ''\"\\%_";

/// A time so many microseconds after one that is not a whole second.
pub(super) fn at_micros(micros: i64) -> Timestamp {
    FrozenClock::default().now() + TimeDelta::microseconds(micros)
}

/// A time so many seconds after one that is not a whole second.
pub(super) fn at(seconds: i64) -> Timestamp {
    at_micros(seconds * 1_000_000)
}

/// A new id. Its time part is fixed, so ids have no order.
pub(super) fn id<I: Id>() -> I {
    let mut random = [0; 10];
    SystemEntropy.fill(&mut random);
    uuid::Builder::from_unix_timestamp_millis(2_000_000_000_123, &random).into_uuid().into()
}

/// A new token.
pub(super) fn token() -> String {
    id::<SessionId>().to_string()
}

/// The hash of a new token.
pub(super) fn hash() -> TokenHash {
    TokenHash::of(&token())
}

pub(super) fn email(name: &str) -> Email {
    Email::parse(&format!("{name}@example.com")).expect("the address is one")
}

pub(super) fn new_user(name: &str) -> NewUser {
    NewUser {
        id: id(),
        email: email(name),
        display_name: format!("The user {name}"),
        password_hash: Some(format!("hash of {name}")),
        email_verified: false,
        created_at: at(0),
    }
}

pub(super) async fn add_user(storage: &Arc<dyn Storage>, name: &str) -> User {
    let new = new_user(name);
    commit!(storage, uow => uow.users().insert(&new))
}

pub(super) fn new_session(user: &User) -> Session {
    Session {
        id: id(),
        user_id: user.id,
        epoch: user.session_epoch,
        refresh_hash: hash(),
        created_at: at(0),
        last_used_at: at(0),
        expires_at: at(1_000),
        client: Client::default(),
    }
}

pub(super) async fn add_session(storage: &Arc<dyn Storage>, user: &User) -> Session {
    let session = new_session(user);
    commit!(storage, uow => uow.tokens().insert_session(&session));
    session
}

pub(super) async fn session(storage: &Arc<dyn Storage>, id: SessionId) -> Option<Session> {
    read!(storage, uow => uow.tokens().session(id, at(0)))
}

/// A use of a refresh token, with a grace period of 30 seconds and a lifetime of 1,000 seconds for the next token.
pub(super) fn rotation(
    session: &Session,
    presented: TokenHash,
    successor: TokenHash,
    seconds: i64,
) -> Rotation {
    Rotation {
        session: session.id,
        presented,
        successor,
        now: at(seconds),
        grace_since: at(seconds - 30),
        expires_at: at(seconds + 1_000),
    }
}

pub(super) fn new_one_time(user: &User, purpose: Purpose) -> OneTimeToken {
    OneTimeToken {
        id: id(),
        hash: hash(),
        purpose,
        user_id: user.id,
        email: user.email.clone(),
        expires_at: at(1_000),
    }
}

pub(super) async fn add_one_time(storage: &Arc<dyn Storage>, user: &User, purpose: Purpose) -> OneTimeToken {
    let token = new_one_time(user, purpose);
    commit!(storage, uow => uow.tokens().put_one_time(&token));
    token
}

pub(super) fn new_organization(slug: &str) -> Organization {
    Organization {
        id: id::<OrgId>(),
        name: format!("The organization {slug}"),
        slug: Slug::parse(slug).expect("the slug is one"),
        version: 1,
        created_at: at(0),
        updated_at: at(0),
    }
}

pub(super) async fn add_organization(storage: &Arc<dyn Storage>, slug: &str, owner: UserId) -> Organization {
    let organization = new_organization(slug);
    commit!(storage, uow => uow.organizations().insert(&organization, owner));
    organization
}

/// Enters an organization through its door.
pub(super) async fn enter(storage: &Arc<dyn Storage>, slug: &str, user: UserId) -> OrgScope {
    let mut uow = storage.read().await.expect("a unit for reading begins");
    *In::organization(&mut *uow, slug, user).await.expect("the user is a member").scope()
}

/// An organization, with the scope of its owner. The owner's name is the slug.
pub(super) async fn tenant(storage: &Arc<dyn Storage>, slug: &str) -> OrgScope {
    let owner = add_user(storage, slug).await;
    add_organization(storage, slug, owner.id).await;
    enter(storage, slug, owner.id).await
}

/// An invitation to an address, with its token.
pub(super) fn new_invitation(scope: &OrgScope, name: &str) -> (Invitation, String) {
    let token = invitation_token(scope.org(), &token());
    let invitation = Invitation {
        id: id::<InvitationId>(),
        org_id: scope.org(),
        email: email(name),
        role: Role::Member,
        stored_status: InvitationStatus::Pending,
        token_hash: TokenHash::of(&token),
        invited_by: scope.actor(),
        expires_at: at(1_000),
        version: 1,
        created_at: at(0),
    };
    (invitation, token)
}

pub(super) async fn add_invitation(
    storage: &Arc<dyn Storage>,
    scope: &OrgScope,
    name: &str,
) -> (Invitation, String) {
    let (invitation, token) = new_invitation(scope, name);
    commit!(storage, uow => uow.invitations().put_pending(scope, &invitation));
    (invitation, token)
}

pub(super) async fn redeem(storage: &Arc<dyn Storage>, token: &str) -> InvitationPass {
    let mut uow = storage.read().await.expect("a unit for reading begins");
    InvitationPass::redeem(&mut *uow, &RoleTable, token, at(0)).await.expect("the token is good")
}

/// Makes a user a member at the given time.
pub(super) async fn add_member(
    storage: &Arc<dyn Storage>,
    scope: &OrgScope,
    user: &User,
    role: Role,
    joined_at: Timestamp,
) {
    let (mut invitation, token) = new_invitation(scope, "unused");
    invitation.email = user.email.clone();
    let mut uow = storage.begin().await.expect("a unit begins");
    uow.invitations().put_pending(scope, &invitation).await.expect("the invitation is put");
    let pass = InvitationPass::redeem(&mut *uow, &RoleTable, &token, at(0)).await.expect("the token is good");
    assert!(uow.invitations().accept(&pass, joined_at).await.expect("the invitation is accepted"));
    uow.members().join(&pass, user.id, joined_at).await.expect("the user joins");
    if role != Role::Member {
        uow.members().set_role(scope, user.id, role, None).await.expect("the role is given");
    }
    uow.commit().await.expect("the unit commits");
}

pub(super) fn new_job(kind: &'static str, run_at: Timestamp) -> NewJob {
    NewJob {
        id: id::<JobId>(),
        org: None,
        kind: kind.into(),
        payload: serde_json::json!({ "name": UNICODE, "none": null, "numbers": [1, -2, 0.5] }),
        queue: "default".into(),
        priority: JobPriority::NORMAL,
        run_at,
        max_attempts: 3,
        timeout: Some(Duration::from_millis(1_500)),
        unique: None,
        created_at: at(0),
    }
}

pub(super) async fn add_job(storage: &Arc<dyn Storage>, kind: &'static str, run_at: Timestamp) -> JobId {
    let job = new_job(kind, run_at);
    commit!(storage, uow => uow.outbox().enqueue(std::slice::from_ref(&job)));
    job.id
}

pub(super) fn key(text: &str) -> ProjectKey {
    ProjectKey::parse(text).expect("the key is one")
}

pub(super) fn new_project(scope: &OrgScope, text: &str) -> Project {
    Project {
        id: id::<ProjectId>(),
        org_id: scope.org(),
        name: format!("The project {text}"),
        key: key(text),
        description: None,
        kind: ProjectType::Kanban,
        is_archived: false,
        created_by: scope.actor(),
        version: 1,
        created_at: at(0),
        updated_at: at(0),
    }
}

pub(super) fn new_status(project: ProjectId, name: &str, category: StatusCategory, position: i64) -> Status {
    Status {
        id: id::<StatusId>(),
        project_id: project,
        name: name.into(),
        category,
        position,
        color: None,
        version: 1,
        created_at: at(0),
        updated_at: at(0),
    }
}

/// A project with its statuses.
pub(super) struct Board {
    pub(super) project: Project,
    pub(super) todo: Status,
    pub(super) doing: Status,
    pub(super) done: Status,
}

/// A project with three statuses, one of each category.
pub(super) async fn add_project(storage: &Arc<dyn Storage>, scope: &OrgScope, text: &str) -> Board {
    let project = new_project(scope, text);
    let todo = new_status(project.id, "To Do", StatusCategory::Todo, 0);
    let doing = new_status(project.id, "In Progress", StatusCategory::InProgress, 1);
    let done = new_status(project.id, "Done", StatusCategory::Done, 2);
    let statuses = [todo.clone(), doing.clone(), done.clone()];
    commit!(storage, uow => uow.projects().insert(scope, &project, &statuses));
    Board { project, todo, doing, done }
}

/// An organization with a project whose key is `WEB`.
pub(super) async fn project_of(storage: &Arc<dyn Storage>, slug: &str) -> (OrgScope, Board) {
    let scope = tenant(storage, slug).await;
    let board = add_project(storage, &scope, "WEB").await;
    (scope, board)
}

pub(super) fn new_label(project: ProjectId, name: &str) -> Label {
    Label {
        id: id::<LabelId>(),
        project_id: project,
        name: name.into(),
        color: Color::parse("#336699").expect("the colour is one"),
        version: 1,
        created_at: at(0),
        updated_at: at(0),
    }
}

pub(super) async fn add_label(
    storage: &Arc<dyn Storage>,
    scope: &OrgScope,
    board: &Board,
    name: &str,
) -> Label {
    let label = new_label(board.project.id, name);
    commit!(storage, uow => uow.labels().insert(scope, &label));
    label
}

/// A task in the first column. The scope's actor creates it.
pub(super) fn new_task(scope: &OrgScope, board: &Board, title: &str) -> NewTask {
    NewTask {
        id: id::<TaskId>(),
        project_id: board.project.id,
        reporter_id: scope.actor(),
        fields: TaskFields {
            title: title.into(),
            description: None,
            status_id: board.todo.id,
            assignee_id: None,
            priority: Priority::None,
            kind: TaskType::Task,
            parent_id: None,
            due_date: None,
        },
        room: Room::ANY,
        created_at: at(0),
    }
}

/// Inserts a task and reads it back.
pub(super) async fn put_task(storage: &Arc<dyn Storage>, scope: &OrgScope, new: &NewTask) -> Task {
    commit!(storage, uow => uow.tasks().insert(scope, new));
    task(storage, scope, new.id).await.expect("the task is there")
}

pub(super) async fn add_task(
    storage: &Arc<dyn Storage>,
    scope: &OrgScope,
    board: &Board,
    title: &str,
) -> Task {
    put_task(storage, scope, &new_task(scope, board, title)).await
}

pub(super) async fn task(storage: &Arc<dyn Storage>, scope: &OrgScope, id: TaskId) -> Option<Task> {
    read!(storage, uow => uow.tasks().find(scope, id))
}

/// A user as others see them.
pub(super) async fn person(storage: &Arc<dyn Storage>, id: UserId) -> Person {
    let user = read!(storage, uow => uow.users().find(id)).expect("the user is there");
    Person { id, display_name: user.display_name, avatar_url: user.avatar_url }
}

pub(super) async fn new_comment(
    storage: &Arc<dyn Storage>,
    scope: &OrgScope,
    task: TaskId,
    text: &str,
) -> Comment {
    Comment {
        id: id(),
        task_id: task,
        author: person(storage, scope.actor()).await,
        body: Document::of_text(text),
        is_edited: false,
        version: 1,
        created_at: at(0),
        updated_at: at(0),
    }
}

pub(super) async fn add_comment(
    storage: &Arc<dyn Storage>,
    scope: &OrgScope,
    task: TaskId,
    text: &str,
) -> Comment {
    let comment = new_comment(storage, scope, task, text).await;
    commit!(storage, uow => uow.comments().insert(scope, &comment, i64::MAX));
    comment
}

/// An entry of the history about a created task.
pub(super) fn new_line(project: ProjectId, task: Option<TaskId>, created_at: Timestamp) -> NewActivity {
    NewActivity {
        id: id::<ActivityId>(),
        project_id: Some(project),
        task_id: task,
        action: EventKind::TaskCreated,
        field_name: None,
        old_value: None,
        new_value: None,
        created_at,
    }
}

/// A notification that waits for its mail.
pub(super) fn new_notification(user: UserId, title: &str, created_at: Timestamp) -> NewNotification {
    NewNotification {
        id: id::<NotificationId>(),
        user_id: user,
        kind: NotificationType::TaskAssigned,
        title: title.into(),
        body: None,
        entity_type: EntityType::Task,
        entity_id: id::<TaskId>().into(),
        mail: true,
        created_at,
    }
}

/// The search document of a task.
pub(super) fn task_document(task: TaskId, title: &str, body: &str) -> SearchDocument {
    SearchDocument {
        id: task.into(),
        kind: SearchKind::Task,
        task: Some(task),
        title: Words::of(title),
        body: body.into(),
        updated_at: at(0),
    }
}

/// A task that a search finds by its title and a text.
pub(super) async fn add_findable(
    storage: &Arc<dyn Storage>,
    scope: &OrgScope,
    board: &Board,
    title: &str,
    body: &str,
) -> Task {
    let task = add_task(storage, scope, board, title).await;
    commit!(storage, uow => uow.search().put(scope, &task_document(task.id, title, body)));
    task
}

/// Checks that one call succeeded, and that the others violated the rule.
pub(super) fn assert_one_winner(results: &[Result<(), StoreError>], constraint: Constraint) {
    assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 1, "one wins");
    for error in results.iter().filter_map(|result| result.as_ref().err()) {
        let expected = matches!(error, StoreError::Conflict { constraint: met, .. } if *met == constraint);
        assert!(expected, "{error:?} is not a conflict with {constraint:?}");
    }
}

/// A page with a limit, after a cursor.
pub(super) fn page(limit: i64, cursor: Option<&str>) -> PageRequest {
    PageRequest::new(Some(limit), cursor, false).expect("the page is one")
}

/// The application on this storage, at a fixed time.
pub(super) fn app(storage: &Arc<dyn Storage>, clock: &FrozenClock) -> WorkScribe {
    app_with(storage, clock, Limits::default())
}

/// The same with other limits.
pub(super) fn app_with(storage: &Arc<dyn Storage>, clock: &FrozenClock, limits: Limits) -> WorkScribe {
    let key =
        SecretKey::new(&Secret::new("a key for tests, of 32 bytes or more")).expect("it is long enough");
    WorkScribe::builder(Arc::clone(storage), SecretRing::new(key, Vec::new()))
        .clock(Arc::new(clock.clone()))
        .settings(Settings { limits, ..Settings::default() })
        .build()
}

/// Runs a number of tasks at the same time, and returns their values.
pub(super) async fn all_at_once<T, F>(count: usize, task: impl Fn(usize) -> F) -> Vec<T>
where
    T: Send + 'static,
    F: Future<Output = T> + Send + 'static,
{
    let tasks: tokio::task::JoinSet<T> = (0..count).map(task).collect();
    tasks.join_all().await
}

/// Reads all pages of a list, from the first to the last.
pub(super) async fn all_pages<T>(limit: i64, mut read: impl AsyncFnMut(PageRequest) -> Page<T>) -> Vec<T> {
    let (mut seen, mut cursor) = (Vec::new(), None::<String>);
    loop {
        let page = read(page(limit, cursor.as_deref())).await;
        assert!(page.items.len() <= limit as usize, "a page is no larger than asked for");
        seen.extend(page.items);
        match page.next_cursor {
            Some(next) => cursor = Some(next),
            None => return seen,
        }
    }
}
