//! A scope of one organization neither reads nor changes another's rows, in any method that takes a scope.
//!
//! To add a scoped method, write a line in `attack`, `spy` or `meddle` with the id of the other organization's row.

use super::fixtures::*;
use super::prelude::*;

use workscribe_core::Target;
use workscribe_core::notifications::{Notification, NotificationFilter};
use workscribe_core::search::SearchHit;
use workscribe_core::tenancy::ListedInvitation;
use workscribe_core::work::{
    Activity, Archived, BoardPosition, Column, ColumnMove, Comment, Document, Label, LabelChange, NewTask,
    Numbered, ParentFilter, Project, ProjectChange, ProjectRef, Status, StatusChange, Task, TaskFields,
    TaskFilter, TaskQuery, TaskSort, TaskWrite,
};

/// Everything that members can see of an organization.
#[derive(Debug, PartialEq)]
struct View {
    organization: Option<(Organization, Role)>,
    members: Vec<Member>,
    invitations: Vec<ListedInvitation>,
}

/// Everything that members can see of an organization's only project and its rows.
#[derive(Debug, PartialEq)]
struct WorkView {
    projects: Vec<Project>,
    statuses: Vec<Status>,
    labels: Vec<Label>,
    tasks: Vec<Task>,
    comments: Vec<Comment>,
    activity: Vec<Activity>,
    notifications: Vec<Notification>,
    found: Vec<SearchHit>,
}

async fn view_work(storage: &Arc<dyn Storage>, scope: &OrgScope, work: &Work) -> WorkView {
    let (project, everything) = (work.board.project.id, PageRequest::largest());
    let own = NotificationFilter::default();
    let mut tasks = Vec::new();
    for listed in read!(storage, uow => uow.tasks().list(scope, &all_tasks(TaskFilter::default()))) {
        tasks.push(task(storage, scope, listed.id).await.unwrap());
    }
    WorkView {
        projects: read!(storage, uow => uow.projects().list(scope, Archived::All, &everything)),
        statuses: read!(storage, uow => uow.statuses().list(scope, project)),
        labels: read!(storage, uow => uow.labels().list(scope, project, &everything)),
        tasks,
        comments: read!(storage, uow => uow.comments().list(scope, work.task.id, &everything)),
        activity: read!(storage, uow => uow.activity().list(scope, None, &everything)),
        notifications: read!(storage, uow => uow.notifications().list(scope.actor(), &own, &everything)),
        found: read!(storage, uow => uow.search().find(scope, &engines())),
    }
}

fn all_tasks(filter: TaskFilter) -> TaskQuery {
    TaskQuery::new(filter, TaskSort::parse("created_at").unwrap(), Some(100), None, false).unwrap()
}

fn engines() -> SearchQuery {
    SearchQuery { words: Words::of("engine"), kind: None, limit: 100 }
}

/// A project with one row of each kind.
struct Work {
    board: Board,
    label: Label,
    task: Task,
    part: Task,
    comment: Comment,
}

async fn add_work(storage: &Arc<dyn Storage>, scope: &OrgScope) -> Work {
    let board = add_project(storage, scope, "WEB").await;
    let label = add_label(storage, scope, &board, "Bug").await;
    let mut whole = new_task(scope, &board, "The whole");
    whole.fields.assignee_id = Some(scope.actor());
    whole.fields.description = Some(Document::of_text("Theirs"));
    let whole = put_task(storage, scope, &whole).await;
    let part = add_part(storage, scope, &board, whole.id, "A part").await;
    commit!(storage, uow => uow.labels().attach(scope, whole.id, &[label.id]));
    let comment = add_comment(storage, scope, whole.id, "Theirs").await;
    let line = new_line(board.project.id, Some(whole.id), at(1));
    commit!(storage, uow => uow.activity().add(scope, &[line]));
    let new = new_notification(scope.actor(), "Theirs", at(1));
    commit!(storage, uow => uow.notifications().add(scope, &[new]));
    commit!(storage, uow => uow.search().put(scope, &task_document(whole.id, "engine", "")));
    let task = task(storage, scope, whole.id).await.unwrap();
    Work { board, label, task, part, comment }
}

/// Calls every scoped method that reads with ids of another organization; returns the methods that found its rows.
async fn spy(storage: &Arc<dyn Storage>, mine: &OrgScope, theirs: &Work) -> Vec<&'static str> {
    let (project, todo, label) = (theirs.board.project.id, theirs.board.todo.id, theirs.label.id);
    let (task, part, comment) = (theirs.task.id, theirs.part.id, theirs.comment.id);
    let everything = PageRequest::largest();
    let column = Column { project, status: todo, without: &[] };
    let least = BoardPosition { position: i64::MIN, id: uuid::Uuid::nil().into() };
    let none = TaskFilter::default;
    let mut seen = Vec::new();
    let mut note = |call, is_seen: bool| {
        if is_seen {
            seen.push(call);
        }
    };
    macro_rules! nothing {
        ($($store:ident.$method:ident($($argument:expr),*) => $is_nothing:expr;)+) => {$(
            let value = commit!(storage, uow => uow.$store().$method($($argument),*));
            note(concat!(stringify!($store), ".", stringify!($method)), !$is_nothing(value));
        )+};
    }
    nothing! {
        projects.find(mine, project) => |found: Option<_>| found.is_none();
        projects.list(mine, Archived::All, &everything) => |rows: Vec<_>| rows.is_empty();
        projects.count(mine, Archived::All) => |count| count == 0;
        projects.lock(mine, project) => |found: Option<_>| found.is_none();
        statuses.list(mine, project) => |rows: Vec<_>| rows.is_empty();
        statuses.find(mine, project, todo) => |found: Option<_>| found.is_none();
        statuses.first(mine, project) => |found: Option<_>| found.is_none();
        labels.list(mine, project, &everything) => |rows: Vec<_>| rows.is_empty();
        labels.count(mine, project) => |count| count == 0;
        labels.find(mine, project, label) => |found: Option<_>| found.is_none();
        labels.find_many(mine, project, &[label]) => |rows: Vec<_>| rows.is_empty();
        tasks.enter(mine.actor(), task) => |found: Option<_>| found.is_none();
        tasks.find(mine, task) => |found: Option<_>| found.is_none();
        tasks.find_by_key(mine, &key("WEB"), 1) => |found: Option<_>| found.is_none();
        tasks.lock(mine, &[task, part]) => |rows: Vec<_>| rows.is_empty();
        tasks.list(mine, &all_tasks(none())) => |rows: Vec<_>| rows.is_empty();
        tasks.list(mine, &all_tasks(TaskFilter { project: Some(project), ..none() })) => |rows: Vec<_>| rows.is_empty();
        tasks.list(mine, &all_tasks(TaskFilter { status: Some(todo), ..none() })) => |rows: Vec<_>| rows.is_empty();
        tasks.list(mine, &all_tasks(TaskFilter { label: Some(label), ..none() })) => |rows: Vec<_>| rows.is_empty();
        tasks.list(mine, &all_tasks(TaskFilter { parent: Some(ParentFilter::Of(task)), ..none() }))
            => |rows: Vec<_>| rows.is_empty();
        tasks.list(mine, &all_tasks(TaskFilter { search: Some(Words::of("engine")), ..none() }))
            => |rows: Vec<_>| rows.is_empty();
        tasks.count(mine, &all_tasks(none())) => |count| count == 0;
        tasks.children(mine, task, 100) => |rows: Vec<_>| rows.is_empty();
        tasks.is_within(mine, part, task) => |is_within: bool| !is_within;
        tasks.open_of(mine, theirs.task.reporter.id, None, 100) => |rows: Vec<_>| rows.is_empty();
        tasks.in_status(mine, &theirs.board.todo, None, 100) => |rows: Vec<_>| rows.is_empty();
        board.positions_at(mine, column, &[0, 1]) => |rows: Vec<_>| rows.is_empty();
        board.positions_before(mine, column, None, 100) => |rows: Vec<_>| rows.is_empty();
        board.positions_from(mine, column, least, 100) => |rows: Vec<_>| rows.is_empty();
        comments.find(mine, task, comment) => |found: Option<_>| found.is_none();
        comments.list(mine, task, &everything) => |rows: Vec<_>| rows.is_empty();
        comments.count(mine, task) => |count| count == 0;
        activity.list(mine, None, &everything) => |rows: Vec<_>| rows.is_empty();
        activity.list(mine, Some(task), &everything) => |rows: Vec<_>| rows.is_empty();
        activity.count(mine, None) => |count| count == 0;
        activity.count(mine, Some(task)) => |count| count == 0;
        notifications.list(mine.actor(), &NotificationFilter::default(), &everything) => |rows: Vec<_>| rows.is_empty();
        notifications.count(mine.actor(), &NotificationFilter::default()) => |count| count == 0;
        search.find(mine, &engines()) => |rows: Vec<_>| rows.is_empty();
    }
    let slug = Slug::parse("compilers").unwrap();
    for by in [ProjectRef::Id(project), ProjectRef::Key(key("WEB"))] {
        let entered = read!(storage, uow => uow.projects().enter(&slug, mine.actor(), &by));
        note("projects.enter", entered.is_some());
    }
    seen
}

/// Calls every scoped method that writes with ids of another organization; returns the methods that reported a change. A rule may
/// stop one.
async fn meddle(storage: &Arc<dyn Storage>, mine: &OrgScope, theirs: &Work) -> Vec<&'static str> {
    let (project, todo, done) = (theirs.board.project.id, theirs.board.todo.id, theirs.board.done.id);
    let (task, part, label, comment) = (theirs.task.id, theirs.part.id, theirs.label.id, theirs.comment.id);
    let rename = || Some("Taken over".to_owned());
    let project_change = ProjectChange { name: rename(), ..ProjectChange::default() };
    let status_change = StatusChange { name: rename(), ..StatusChange::default() };
    let label_change = LabelChange { name: rename(), color: None };
    let fields = TaskFields { title: "Taken over".into(), parent_id: None, ..TaskFields::of(&theirs.task) };
    let (new, body) = (new_task(mine, &theirs.board, "Taken over"), Document::of_text("Taken over"));
    let status = new_status(project, "Taken over", theirs.board.todo.category, 9);
    let mut seen = Vec::new();
    macro_rules! nothing {
        ($($store:ident.$method:ident($($argument:expr),*) => $is_nothing:expr;)+) => {$(
            if let Ok(value) = settle!(storage, uow => uow.$store().$method($($argument),*)) {
                if !$is_nothing(value) {
                    seen.push(concat!(stringify!($store), ".", stringify!($method)));
                }
            }
        )+};
    }
    let comment_of_mine = new_comment(storage, mine, task, "Taken over").await;
    let label_of_mine = new_label(project, "Taken over");
    for expected in [None, Some(1), Some(2)] {
        nothing! {
            projects.update(mine, Target::new(project, expected), &project_change, at(5)) => |found: Option<_>| found.is_none();
            statuses.update(mine, Target::new(todo, expected).within(project), &status_change, at(5)) => |found: Option<_>| found.is_none();
            statuses.delete(mine, Target::new(done, expected).within(project)) => |is_done: bool| !is_done;
            labels.update(mine, Target::new(label, expected).within(project), &label_change, at(5)) => |found: Option<_>| found.is_none();
            labels.delete(mine, Target::new(label, expected).within(project)) => |is_done: bool| !is_done;
            tasks.update(mine, Target::new(task, expected), TaskWrite { fields: &fields, position: Some(9) }, at(5)) => |is_done: bool| !is_done;
            tasks.delete(mine, Target::new(part, expected)) => |is_done: bool| !is_done;
            comments.update(mine, Target::new(comment, expected).within(task), &body, at(5)) => |is_done: bool| !is_done;
            comments.delete(mine, Target::new(comment, expected).within(task)) => |is_done: bool| !is_done;
        }
    }
    // Some methods do not report a failure. The caller checks that the other organization's rows did not change.
    let whatever = |()| true;
    nothing! {
        projects.advance_position(mine, project, 7) => |found: Option<_>| found.is_none();
        statuses.insert(mine, &status) => |()| false;
        statuses.arrange(mine, project, &[done, todo]) => whatever;
        labels.insert(mine, &label_of_mine) => |()| false;
        labels.attach(mine, part, &[label]) => |()| false;
        labels.detach(mine, task, &[label]) => whatever;
        tasks.insert(mine, &new) => |_: Numbered| false;
        board.place(mine, &[BoardPosition { position: 7, id: task }]) => whatever;
        board.move_column(mine, ColumnMove { project, from: todo, to: done, after: 0 }, at(5)) => |found: Option<_>| found.is_none();
        comments.insert(mine, &comment_of_mine, 5_000) => |()| false;
        search.put(mine, &task_document(task, "taken over", "")) => |()| false;
        search.remove(mine, task.into()) => whatever;
    }
    seen
}

async fn view(storage: &Arc<dyn Storage>, slug: &str, owner: UserId) -> View {
    let slug = Slug::parse(slug).unwrap();
    let scope = enter(storage, slug.as_str(), owner).await;
    View {
        organization: read!(storage, uow => uow.organizations().membership(&slug, owner)),
        members: read!(storage, uow => uow.members().list(&scope, &PageRequest::largest())),
        invitations: read!(storage, uow => uow.invitations().list(&scope, &PageRequest::largest())),
    }
}

/// Calls every scoped method with ids of another organization; returns the methods that reached its rows.
async fn attack(
    storage: &Arc<dyn Storage>,
    mine: &OrgScope,
    their_member: &User,
    their_invitation: &Invitation,
) -> Vec<&'static str> {
    let (user, invitation) = (their_member.id, their_invitation.id);
    let mut seen = Vec::new();
    let mut note = |call, is_seen: bool| {
        if is_seen {
            seen.push(call);
        }
    };
    let everything = PageRequest::largest();

    let members = read!(storage, uow => uow.members().list(mine, &everything));
    note("members.list", members.iter().any(|member| member.user_id == user));
    note("members.count", read!(storage, uow => uow.members().count(mine)) != 1);
    note("members.count_owners", read!(storage, uow => uow.members().count_owners(mine)) != 1);
    note("members.find", read!(storage, uow => uow.members().find(mine, user)).is_some());
    let found = read!(storage, uow => uow.members().find_by_email(mine, &their_member.email));
    note("members.find_by_email", found.is_some());
    note("members.among", !read!(storage, uow => uow.members().among(mine, &[user])).is_empty());
    for expected in [None, Some(1), Some(2)] {
        let set = commit!(storage, uow => uow.members().set_role(mine, user, Role::Owner, expected));
        note("members.set_role", set.is_some());
        note("members.remove", commit!(storage, uow => uow.members().remove(mine, user, expected)));
        let revoked = commit!(storage, uow => uow.invitations().revoke(mine, invitation, expected));
        note("invitations.revoke", revoked);
    }

    let listed = read!(storage, uow => uow.invitations().list(mine, &everything));
    note("invitations.list", !listed.is_empty());
    note("invitations.count", read!(storage, uow => uow.invitations().count(mine)) != 0);
    let found = read!(storage, uow => uow.invitations().find(mine, invitation));
    note("invitations.find", found.is_some());
    let renewed = commit!(storage, uow => uow.invitations().renew(mine, invitation, &hash(), at(9_999)));
    note("invitations.renew", renewed.is_some());

    commit!(storage, uow => uow.organizations().lock(mine));
    let change = OrganizationChange { name: Some("Taken over".into()), slug: None };
    let updated = commit!(storage, uow => uow.organizations().update(mine, &change, None, at(5)));
    note("organizations.update", updated.is_none_or(|organization| organization.id != mine.org()));
    seen
}

pub async fn a_scope_neither_sees_nor_changes_another_organizations_rows(storage: Arc<dyn Storage>) {
    let mine = tenant(&storage, "engines").await;
    let theirs = tenant(&storage, "compilers").await;
    let grace = add_user(&storage, "grace").await;
    add_member(&storage, &theirs, &grace, Role::Admin, at(1)).await;
    let (invitation, _) = add_invitation(&storage, &theirs, "edsger").await;
    let before = view(&storage, "compilers", theirs.actor()).await;
    assert_eq!((before.members.len(), before.invitations.len()), (2, 2));

    let seen = attack(&storage, &mine, &grace, &invitation).await;
    assert!(seen.is_empty(), "{seen:?} reached another organization's rows");
    assert_eq!(view(&storage, "compilers", theirs.actor()).await, before);
    // With the scope of these rows the same calls do reach them.
    let seen = attack(&storage, &theirs, &grace, &invitation).await;
    assert!(seen.contains(&"members.set_role") && seen.contains(&"invitations.revoke"), "{seen:?}");
}

pub async fn an_invitation_that_names_another_organization_does_not_reach_it(storage: Arc<dyn Storage>) {
    let mine = tenant(&storage, "engines").await;
    let theirs = tenant(&storage, "compilers").await;
    let (pending, _) = add_invitation(&storage, &theirs, "grace").await;
    let before = view(&storage, "compilers", theirs.actor()).await;
    let (new, token) = new_invitation(&mine, "grace");
    let forged = Invitation { org_id: theirs.org(), ..new };
    // The method fails, or stores the row in the scope's own organization.
    let result = attempt!(storage, uow => uow.invitations().put_pending(&mine, &forged));
    assert_eq!(view(&storage, "compilers", theirs.actor()).await, before);
    if result.is_ok() {
        assert_eq!(redeem(&storage, &token).await.invitation().org_id, mine.org());
    }
    assert_eq!(read!(storage, uow => uow.invitations().find(&theirs, pending.id)), Some(pending));
}

pub async fn a_removal_leaves_the_other_organization_whole(storage: Arc<dyn Storage>) {
    let mine = tenant(&storage, "engines").await;
    let theirs = tenant(&storage, "compilers").await;
    let grace = add_user(&storage, "grace").await;
    add_member(&storage, &theirs, &grace, Role::Member, at(1)).await;
    add_member(&storage, &mine, &grace, Role::Owner, at(1)).await;
    add_invitation(&storage, &theirs, "edsger").await;
    let before = view(&storage, "compilers", theirs.actor()).await;
    assert!(commit!(storage, uow => uow.members().remove(&mine, grace.id, None)));
    assert!(commit!(storage, uow => uow.organizations().delete(&mine, None)));
    assert_eq!(view(&storage, "compilers", theirs.actor()).await, before);
}

pub async fn a_pass_leads_into_its_own_organization_only(storage: Arc<dyn Storage>) {
    let mine = tenant(&storage, "engines").await;
    let theirs = tenant(&storage, "compilers").await;
    let grace = add_user(&storage, "grace").await;
    let (_, token) = add_invitation(&storage, &mine, "grace").await;
    let (pending, _) = add_invitation(&storage, &theirs, "grace").await;
    let pass = redeem(&storage, &token).await;
    assert!(commit!(storage, uow => uow.invitations().accept(&pass, at(1))));
    commit!(storage, uow => uow.members().join(&pass, grace.id, at(1)));
    assert!(read!(storage, uow => uow.members().find(&mine, grace.id)).is_some());
    assert_eq!(read!(storage, uow => uow.members().find(&theirs, grace.id)), None);
    assert_eq!(read!(storage, uow => uow.invitations().find(&theirs, pending.id)), Some(pending));
}

pub async fn a_scope_neither_sees_nor_changes_another_organizations_work(storage: Arc<dyn Storage>) {
    let mine = tenant(&storage, "engines").await;
    let theirs = tenant(&storage, "compilers").await;
    let work = add_work(&storage, &theirs).await;
    let before = view_work(&storage, &theirs, &work).await;
    let of_each = (before.tasks.len(), before.labels.len(), before.comments.len(), before.activity.len());
    assert_eq!((of_each, before.notifications.len(), before.found.len()), ((2, 1, 1, 1), 1, 1));
    let seen = spy(&storage, &mine, &work).await;
    assert!(seen.is_empty(), "{seen:?} saw another organization's rows");
    let done = meddle(&storage, &mine, &work).await;
    assert!(done.is_empty(), "{done:?} reached another organization's rows");
    assert_eq!(view_work(&storage, &theirs, &work).await, before);
    let number = add_task(&storage, &theirs, &work.board, "Next").await.number;
    assert_eq!(number, 3, "nobody else took a number");
    // With the scope of these rows all calls do reach them.
    assert!(spy(&storage, &theirs, &work).await.len() > 35);
    assert!(meddle(&storage, &theirs, &work).await.len() > 15);
}

pub async fn work_of_one_organization_refers_to_none_of_another(storage: Arc<dyn Storage>) {
    let mine = tenant(&storage, "engines").await;
    let theirs = tenant(&storage, "compilers").await;
    let (own, other) = (add_work(&storage, &mine).await, add_work(&storage, &theirs).await);
    let fields = TaskFields::of(&own.task);
    for fields in [
        TaskFields { status_id: other.board.todo.id, ..fields.clone() },
        TaskFields { parent_id: Some(other.task.id), ..fields.clone() },
    ] {
        let updated =
            settle!(storage, uow => uow.tasks().update(&mine, own.task.id.into(), (&fields).into(), at(5)));
        assert_conflict!(updated, Reference);
        let new = NewTask { fields, ..new_task(&mine, &own.board, "") };
        assert_conflict!(settle!(storage, uow => uow.tasks().insert(&mine, &new)), Reference);
    }
    let (project, from, to) = (own.board.project.id, own.board.todo.id, other.board.todo.id);
    let column = ColumnMove { project, from, to, after: 0 };
    let moved = settle!(storage, uow => uow.board().move_column(&mine, column, at(5)));
    assert_conflict!(moved, Reference);
    let attached = settle!(storage, uow => uow.labels().attach(&mine, own.task.id, &[other.label.id]));
    assert_conflict!(attached, Reference);
    assert_eq!(task(&storage, &mine, own.task.id).await.as_ref(), Some(&own.task));
}

pub async fn an_organizations_work_goes_with_it_and_no_other(storage: Arc<dyn Storage>) {
    let mine = tenant(&storage, "engines").await;
    let theirs = tenant(&storage, "compilers").await;
    let (own, other) = (add_work(&storage, &mine).await, add_work(&storage, &theirs).await);
    let before = view_work(&storage, &theirs, &other).await;
    assert!(commit!(storage, uow => uow.organizations().delete(&mine, None)));
    let seen = spy(&storage, &mine, &own).await;
    assert!(seen.is_empty(), "{seen:?} saw what is gone");
    assert_eq!(view_work(&storage, &theirs, &other).await, before);
    let line = new_line(own.board.project.id, None, at(1));
    assert_conflict!(settle!(storage, uow => uow.activity().add(&mine, &[line])), Reference);
    let new = new_notification(mine.actor(), "Too late", at(1));
    assert_conflict!(settle!(storage, uow => uow.notifications().add(&mine, &[new])), Reference);
    let lost = new_task(&mine, &own.board, "");
    assert_conflict!(attempt!(storage, uow => uow.tasks().insert(&mine, &lost)), OpenProject);
}
