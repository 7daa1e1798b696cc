//! The statuses of a project.

use super::fixtures::*;
use super::prelude::*;

use workscribe_core::work::{Color, ColumnMove, Status, StatusCategory, StatusChange};
use workscribe_core::{Constraint, Target};

async fn find(storage: &Arc<dyn Storage>, scope: &OrgScope, status: &Status) -> Option<Status> {
    read!(storage, uow => uow.statuses().find(scope, status.project_id, status.id))
}

async fn list(storage: &Arc<dyn Storage>, scope: &OrgScope, project: ProjectId) -> Vec<Status> {
    read!(storage, uow => uow.statuses().list(scope, project))
}

fn rename(name: &str) -> StatusChange {
    StatusChange { name: Some(name.into()), ..StatusChange::default() }
}

pub async fn a_status_is_found_as_it_was_stored(storage: Arc<dyn Storage>) {
    let (scope, board) = project_of(&storage, "engines").await;
    let other = add_project(&storage, &scope, "APP").await;
    let status = Status {
        color: Some(Color::parse("#abcdef").unwrap()),
        created_at: at_micros(7),
        updated_at: at_micros(8),
        ..new_status(board.project.id, UNICODE, StatusCategory::InProgress, 3)
    };
    commit!(storage, uow => uow.statuses().insert(&scope, &status));
    assert_eq!(find(&storage, &scope, &status).await, Some(status.clone()));
    assert_eq!(list(&storage, &scope, board.project.id).await.last(), Some(&status));
    let elsewhere = read!(storage, uow => uow.statuses().find(&scope, other.project.id, status.id));
    assert_eq!(elsewhere, None, "it is none of another project");
    assert_eq!(read!(storage, uow => uow.statuses().find(&scope, board.project.id, id())), None);
}

pub async fn statuses_stand_by_their_position_and_then_by_their_id(storage: Arc<dyn Storage>) {
    let scope = tenant(&storage, "engines").await;
    let project = new_project(&scope, "WEB");
    let mut statuses = Vec::new();
    for (index, position) in [4, -1, 4, 0, 4].into_iter().enumerate() {
        statuses.push(new_status(project.id, &format!("Status {index}"), StatusCategory::Todo, position));
    }
    commit!(storage, uow => uow.projects().insert(&scope, &project, &statuses));
    add_project(&storage, &scope, "APP").await;
    statuses.sort_by_key(|status| (status.position, status.id));
    assert_eq!(list(&storage, &scope, project.id).await, statuses);
    let first = read!(storage, uow => uow.statuses().first(&scope, project.id));
    assert_eq!(first.as_ref(), statuses.first());
    assert_eq!(list(&storage, &scope, id()).await, []);
    assert_eq!(read!(storage, uow => uow.statuses().first(&scope, id())), None);
}

pub async fn a_status_name_is_taken_whatever_its_case(storage: Arc<dyn Storage>) {
    let (scope, board) = project_of(&storage, "engines").await;
    let project = board.project.id;
    let grown = new_status(project, "ÄRGER", StatusCategory::Todo, 3);
    commit!(storage, uow => uow.statuses().insert(&scope, &grown));
    for taken in ["To Do", "TO DO", "to do", "ärger"] {
        let again = new_status(project, taken, StatusCategory::Todo, 4);
        assert_conflict!(attempt!(storage, uow => uow.statuses().insert(&scope, &again)), StatusName);
        let renamed = attempt!(storage, uow => uow.statuses().update(&scope, Target::from(board.doing.id).within(project), &rename(taken), at(1)));
        assert_conflict!(renamed, StatusName);
    }
    let own = commit!(storage, uow => uow.statuses().update(&scope, Target::from(board.todo.id).within(project), &rename("TO do"), at(1)));
    assert_eq!(own.unwrap().name, "TO do", "its own name is not taken");
    let same = Status { id: board.todo.id, ..new_status(project, "Other", StatusCategory::Todo, 4) };
    assert_fault!(attempt!(storage, uow => uow.statuses().insert(&scope, &same)));
    // Another project has its own names.
    add_project(&storage, &scope, "APP").await;
}

pub async fn a_status_belongs_to_a_project_that_is_there(storage: Arc<dyn Storage>) {
    let (scope, _) = project_of(&storage, "engines").await;
    let status = new_status(id(), "Lost", StatusCategory::Todo, 0);
    assert_conflict!(attempt!(storage, uow => uow.statuses().insert(&scope, &status)), Reference);
}

pub async fn a_status_changes_in_what_is_named_only(storage: Arc<dyn Storage>) {
    let (scope, board) = project_of(&storage, "engines").await;
    let (mut expected, color) = (board.doing, Color::parse("#123456").unwrap());
    let changes = [
        rename(UNICODE),
        StatusChange { category: Some(StatusCategory::Done), ..StatusChange::default() },
        StatusChange { color: Some(Some(color)), ..StatusChange::default() },
        StatusChange { color: Some(None), ..StatusChange::default() },
    ];
    for (seconds, change) in (1..).zip(changes) {
        let (project, status) = (expected.project_id, expected.id);
        let changed = commit!(storage, uow => uow.statuses().update(&scope, Target::from(status).within(project), &change, at(seconds)));
        if let Some(name) = change.name {
            expected.name = name;
        }
        if let Some(color) = change.color {
            expected.color = color;
        }
        expected.category = change.category.unwrap_or(expected.category);
        expected.version += 1;
        expected.updated_at = at(seconds);
        assert_eq!(changed.as_ref(), Some(&expected));
        assert_eq!(find(&storage, &scope, &expected).await.as_ref(), Some(&expected));
    }
}

pub async fn a_change_or_removal_of_a_status_of_another_version_is_stale(storage: Arc<dyn Storage>) {
    let (scope, board) = project_of(&storage, "engines").await;
    let other = add_project(&storage, &scope, "APP").await.project.id;
    let (project, status) = (board.project.id, board.doing.id);
    let update = async |project, id, expected| attempt!(storage, uow => uow.statuses().update(&scope, Target::new(id, expected).within(project), &rename("Busy"), at(1)));
    let delete = async |project, id, expected| attempt!(storage, uow => uow.statuses().delete(&scope, Target::new(id, expected).within(project)));
    assert_stale!(update(project, status, Some(2)).await);
    assert_stale!(delete(project, status, Some(2)).await);
    assert_eq!(find(&storage, &scope, &board.doing).await, Some(board.doing));
    for (project, status) in [(project, id()), (other, status)] {
        assert_eq!(update(project, status, Some(2)).await.unwrap(), None, "a missing row is not a stale one");
        assert!(!delete(project, status, Some(2)).await.unwrap(), "a missing row is not a stale one");
    }
    assert_eq!(update(project, status, Some(1)).await.unwrap().unwrap().version, 2);
    assert!(delete(project, status, Some(2)).await.unwrap());
    assert!(!delete(project, status, None).await.unwrap(), "again");
}

pub async fn statuses_are_numbered_in_the_order_given_and_keep_their_versions(storage: Arc<dyn Storage>) {
    let (scope, board) = project_of(&storage, "engines").await;
    let other = add_project(&storage, &scope, "APP").await;
    let project = board.project.id;
    let order = [board.done.id, board.todo.id, board.doing.id];
    commit!(storage, uow => uow.statuses().arrange(&scope, project, &order));
    let expected = [
        Status { position: 0, ..board.done },
        Status { position: 1, ..board.todo },
        Status { position: 2, ..board.doing },
    ];
    assert_eq!(list(&storage, &scope, project).await, expected);
    // A status of another project is ignored.
    commit!(storage, uow => uow.statuses().arrange(&scope, project, &[other.done.id, order[2]]));
    assert_eq!(list(&storage, &scope, other.project.id).await, [other.todo, other.doing, other.done]);
    commit!(storage, uow => uow.statuses().arrange(&scope, project, &[]));
}

pub async fn a_status_in_which_a_task_stands_stays(storage: Arc<dyn Storage>) {
    let (scope, board) = project_of(&storage, "engines").await;
    let task = add_task(&storage, &scope, &board, "In the way").await;
    let delete = async || settle!(storage, uow => uow.statuses().delete(&scope, Target::from(board.todo.id).within(board.project.id)));
    assert_conflict!(delete().await, Reference);
    assert_eq!(find(&storage, &scope, &board.todo).await, Some(board.todo.clone()));
    // It may be removed after its tasks were moved away, even in the same transaction.
    let mut uow = storage.begin().await.unwrap();
    let (from, to) = (board.todo.id, board.doing.id);
    let moved = uow
        .board()
        .move_column(&scope, ColumnMove { project: board.project.id, from, to, after: 0 }, at(1))
        .await
        .unwrap();
    assert!(moved.is_some());
    assert!(uow.statuses().delete(&scope, Target::from(from).within(board.project.id)).await.unwrap());
    uow.commit().await.unwrap();
    assert_eq!(task_status(&storage, &scope, task.id).await, to);
    assert_eq!(list(&storage, &scope, board.project.id).await, [board.doing, board.done]);
}

async fn task_status(storage: &Arc<dyn Storage>, scope: &OrgScope, id: TaskId) -> StatusId {
    task(storage, scope, id).await.unwrap().status.id
}

pub async fn of_twenty_statuses_with_one_name_one_is_added(storage: Arc<dyn Storage>) {
    let (scope, board) = project_of(&storage, "engines").await;
    let project = board.project.id;
    let results = all_at_once(20, |index| {
        let storage = Arc::clone(&storage);
        async move {
            let name = if index % 2 == 0 { "Review" } else { "REVIEW" };
            let status = new_status(project, name, StatusCategory::InProgress, 3);
            attempt!(storage, uow => uow.statuses().insert(&scope, &status))
        }
    })
    .await;
    assert_one_winner(&results, Constraint::StatusName);
    assert_eq!(list(&storage, &scope, project).await.len(), 4);
}
