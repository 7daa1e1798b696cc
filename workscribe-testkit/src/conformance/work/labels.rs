//! The labels of a project, and the tasks that have them.

use super::fixtures::*;
use super::prelude::*;

use workscribe_core::work::{Color, Label, LabelChange, Task, TaskLabel};
use workscribe_core::{Constraint, Target};

async fn find(storage: &Arc<dyn Storage>, scope: &OrgScope, label: &Label) -> Option<Label> {
    read!(storage, uow => uow.labels().find(scope, label.project_id, label.id))
}

fn rename(name: &str) -> LabelChange {
    LabelChange { name: Some(name.into()), color: None }
}

async fn names_on(storage: &Arc<dyn Storage>, scope: &OrgScope, on: &Task) -> Vec<String> {
    let labels = task(storage, scope, on.id).await.unwrap().labels;
    labels.into_iter().map(|label| label.name).collect()
}

pub async fn a_label_is_found_as_it_was_stored(storage: Arc<dyn Storage>) {
    let (scope, board) = project_of(&storage, "engines").await;
    let other = add_project(&storage, &scope, "APP").await;
    let label = Label {
        color: Color::parse("#abcdef").unwrap(),
        created_at: at_micros(7),
        updated_at: at_micros(8),
        ..new_label(board.project.id, UNICODE)
    };
    commit!(storage, uow => uow.labels().insert(&scope, &label));
    assert_eq!(find(&storage, &scope, &label).await, Some(label.clone()));
    let elsewhere = read!(storage, uow => uow.labels().find(&scope, other.project.id, label.id));
    assert_eq!(elsewhere, None, "it is none of another project");
    assert_eq!(read!(storage, uow => uow.labels().find(&scope, board.project.id, id())), None);
}

pub async fn a_label_name_is_taken_whatever_its_case(storage: Arc<dyn Storage>) {
    let (scope, board) = project_of(&storage, "engines").await;
    let project = board.project.id;
    let label = add_label(&storage, &scope, &board, "Ärger").await;
    let other = add_label(&storage, &scope, &board, "Other").await;
    for taken in ["Ärger", "ÄRGER", "ärger"] {
        let again = new_label(project, taken);
        assert_conflict!(attempt!(storage, uow => uow.labels().insert(&scope, &again)), LabelName);
        let renamed = attempt!(storage, uow => uow.labels().update(&scope, Target::from(other.id).within(project), &rename(taken), at(1)));
        assert_conflict!(renamed, LabelName);
    }
    let own = commit!(storage, uow => uow.labels().update(&scope, Target::from(label.id).within(project), &rename("ärger"), at(1)));
    assert_eq!(own.unwrap().name, "ärger", "its own name is not taken");
    let same = Label { id: label.id, ..new_label(project, "Third") };
    assert_fault!(attempt!(storage, uow => uow.labels().insert(&scope, &same)));
    let lost = new_label(id(), "Lost");
    assert_conflict!(attempt!(storage, uow => uow.labels().insert(&scope, &lost)), Reference);
    // Another project has its own names.
    let second = add_project(&storage, &scope, "APP").await;
    add_label(&storage, &scope, &second, "Ärger").await;
    assert_eq!(read!(storage, uow => uow.labels().count(&scope, project)), 2);
}

pub async fn labels_are_listed_by_age_page_by_page(storage: Arc<dyn Storage>) {
    let (scope, board) = project_of(&storage, "engines").await;
    let other = add_project(&storage, &scope, "APP").await;
    add_label(&storage, &scope, &other, "Elsewhere").await;
    let mut expected = Vec::new();
    // Three share each time, so that the id determines the order.
    for index in 0..9_i64 {
        let created_at = at_micros(9 - index / 3);
        let label =
            Label { created_at, updated_at: created_at, ..new_label(board.project.id, &format!("{index}")) };
        commit!(storage, uow => uow.labels().insert(&scope, &label));
        expected.push(label);
    }
    expected.sort_by_key(|label| (label.created_at, label.id));
    for limit in [1, 2, 3, 9, 100] {
        let seen = all_pages(limit, async |page| {
            let rows = read!(storage, uow => uow.labels().list(&scope, board.project.id, &page));
            assert!(rows.len() <= page.fetch() as usize, "no more rows than were asked for");
            page.page(rows, None, |row| Cursor { at: row.created_at, id: row.id.into() })
        })
        .await;
        assert_eq!(seen, expected, "pages of {limit}");
    }
    assert_eq!(read!(storage, uow => uow.labels().count(&scope, board.project.id)), 9);
    assert_eq!(read!(storage, uow => uow.labels().count(&scope, id())), 0);
}

pub async fn many_labels_are_found_at_once_by_name(storage: Arc<dyn Storage>) {
    let (scope, board) = project_of(&storage, "engines").await;
    let other = add_project(&storage, &scope, "APP").await;
    let mut ids = vec![id(), add_label(&storage, &scope, &other, "Elsewhere").await.id];
    for name in ["cherry", "Banana", "apple", "Date"] {
        ids.push(add_label(&storage, &scope, &board, name).await.id);
    }
    add_label(&storage, &scope, &board, "Not asked for").await;
    ids.push(ids[2]);
    let found = read!(storage, uow => uow.labels().find_many(&scope, board.project.id, &ids));
    let names: Vec<&str> = found.iter().map(|label| &*label.name).collect();
    assert_eq!(names, ["apple", "Banana", "cherry", "Date"]);
    assert_eq!(read!(storage, uow => uow.labels().find_many(&scope, board.project.id, &[])), []);
}

pub async fn a_label_changes_in_what_is_named_only(storage: Arc<dyn Storage>) {
    let (scope, board) = project_of(&storage, "engines").await;
    let (label, color) = (add_label(&storage, &scope, &board, "Bug").await, Color::parse("#ff0000").unwrap());
    let update = async |change: LabelChange, seconds| commit!(storage, uow => uow.labels().update(&scope, Target::from(label.id).within(label.project_id), &change, at(seconds)));
    let named = update(rename(UNICODE), 1).await;
    let expected = Label { name: UNICODE.into(), version: 2, updated_at: at(1), ..label.clone() };
    assert_eq!(named, Some(expected.clone()));
    let colored = update(LabelChange { name: None, color: Some(color.clone()) }, 2).await;
    let expected = Label { color, version: 3, updated_at: at(2), ..expected };
    assert_eq!(colored, Some(expected.clone()));
    assert_eq!(find(&storage, &scope, &label).await, Some(expected));
}

pub async fn a_change_or_removal_of_a_label_of_another_version_is_stale(storage: Arc<dyn Storage>) {
    let (scope, board) = project_of(&storage, "engines").await;
    let other = add_project(&storage, &scope, "APP").await.project.id;
    let label = add_label(&storage, &scope, &board, "Bug").await;
    let update = async |project, id, expected| attempt!(storage, uow => uow.labels().update(&scope, Target::new(id, expected).within(project), &rename("Fault"), at(1)));
    let delete = async |project, id, expected| attempt!(storage, uow => uow.labels().delete(&scope, Target::new(id, expected).within(project)));
    assert_stale!(update(label.project_id, label.id, Some(2)).await);
    assert_stale!(delete(label.project_id, label.id, Some(2)).await);
    assert_eq!(find(&storage, &scope, &label).await.as_ref(), Some(&label));
    for (project, label) in [(label.project_id, id()), (other, label.id)] {
        assert_eq!(update(project, label, Some(2)).await.unwrap(), None, "a missing row is not a stale one");
        assert!(!delete(project, label, Some(2)).await.unwrap(), "a missing row is not a stale one");
    }
    assert_eq!(update(label.project_id, label.id, Some(1)).await.unwrap().unwrap().version, 2);
    assert!(delete(label.project_id, label.id, Some(2)).await.unwrap());
    assert!(!delete(label.project_id, label.id, None).await.unwrap(), "again");
}

pub async fn labels_are_put_on_a_task_and_taken_off(storage: Arc<dyn Storage>) {
    let (scope, board) = project_of(&storage, "engines").await;
    let (one, two) =
        (add_task(&storage, &scope, &board, "One").await, add_task(&storage, &scope, &board, "Two").await);
    let mut ids = Vec::new();
    for name in ["cherry", "Banana", "apple"] {
        ids.push(add_label(&storage, &scope, &board, name).await.id);
    }
    commit!(storage, uow => uow.labels().attach(&scope, one.id, &ids[..2]));
    assert_eq!(names_on(&storage, &scope, &one).await, ["Banana", "cherry"]);
    commit!(storage, uow => uow.labels().attach(&scope, one.id, &ids[1..]));
    assert_eq!(names_on(&storage, &scope, &one).await, ["apple", "Banana", "cherry"], "by name, each once");
    commit!(storage, uow => uow.labels().attach(&scope, two.id, &ids[..1]));
    commit!(storage, uow => uow.labels().attach(&scope, two.id, &[]));
    commit!(storage, uow => uow.labels().detach(&scope, one.id, &ids[..2]));
    commit!(storage, uow => uow.labels().detach(&scope, one.id, &ids[..1]));
    commit!(storage, uow => uow.labels().detach(&scope, one.id, &[]));
    assert_eq!(names_on(&storage, &scope, &one).await, ["apple"]);
    assert_eq!(names_on(&storage, &scope, &two).await, ["cherry"]);
    assert_eq!(task(&storage, &scope, one.id).await.unwrap().version, one.version, "the task is not touched");
}

pub async fn a_label_goes_from_its_tasks_and_shows_there_as_it_is_now(storage: Arc<dyn Storage>) {
    let (scope, board) = project_of(&storage, "engines").await;
    let shown = add_task(&storage, &scope, &board, "One").await;
    let (kept, gone) = (
        add_label(&storage, &scope, &board, "Kept").await,
        add_label(&storage, &scope, &board, "Gone").await,
    );
    commit!(storage, uow => uow.labels().attach(&scope, shown.id, &[kept.id, gone.id]));
    assert!(
        commit!(storage, uow => uow.labels().delete(&scope, Target::from(gone.id).within(gone.project_id)))
    );
    let change = LabelChange { name: Some(UNICODE.into()), color: Some(Color::parse("#000001").unwrap()) };
    let label = commit!(storage, uow => uow.labels().update(&scope, Target::from(kept.id).within(kept.project_id), &change, at(1)));
    let label = label.unwrap();
    let expected = [TaskLabel { id: label.id, name: label.name, color: label.color }];
    assert_eq!(task(&storage, &scope, shown.id).await.unwrap().labels, expected);
    assert_eq!(find(&storage, &scope, &gone).await, None);
}

pub async fn a_label_or_task_that_is_gone_is_not_put_together(storage: Arc<dyn Storage>) {
    let (scope, board) = project_of(&storage, "engines").await;
    let there = add_task(&storage, &scope, &board, "One").await;
    let label = add_label(&storage, &scope, &board, "Bug").await;
    let attached = settle!(storage, uow => uow.labels().attach(&scope, there.id, &[label.id, id()]));
    assert_conflict!(attached, Reference);
    assert_conflict!(settle!(storage, uow => uow.labels().attach(&scope, id(), &[label.id])), Reference);
    assert_eq!(names_on(&storage, &scope, &there).await, Vec::<String>::new());
}

pub async fn labels_may_be_put_on_a_task_before_it_is_stored(storage: Arc<dyn Storage>) {
    let (scope, board) = project_of(&storage, "engines").await;
    let label = add_label(&storage, &scope, &board, "Bug").await;
    let new = new_task(&scope, &board, "Later");
    let mut uow = storage.begin().await.unwrap();
    uow.labels().attach(&scope, new.id, &[label.id]).await.unwrap();
    uow.tasks().insert(&scope, &new).await.unwrap();
    uow.commit().await.unwrap();
    assert_eq!(task(&storage, &scope, new.id).await.unwrap().labels.len(), 1);
}

pub async fn of_twenty_labels_with_one_name_one_is_added(storage: Arc<dyn Storage>) {
    let (scope, board) = project_of(&storage, "engines").await;
    let project = board.project.id;
    let results = all_at_once(20, |index| {
        let storage = Arc::clone(&storage);
        async move {
            let label = new_label(project, if index % 2 == 0 { "Bug" } else { "BUG" });
            attempt!(storage, uow => uow.labels().insert(&scope, &label))
        }
    })
    .await;
    assert_one_winner(&results, Constraint::LabelName);
    assert_eq!(read!(storage, uow => uow.labels().count(&scope, project)), 1);
}
