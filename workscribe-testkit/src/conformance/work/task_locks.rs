//! Several transactions at one task: its lock, its number, its version, and its removal.

use super::fixtures::*;
use super::prelude::*;
use super::tasks::update;

use workscribe_core::work::{NewTask, Numbered, Task, TaskFields, order};
use workscribe_core::{Constraint, StoreError, StoreResult, Target};

pub async fn a_hundred_tasks_at_once_are_numbered_without_gaps(storage: Arc<dyn Storage>) {
    let (scope, board) = project_of(&storage, "engines").await;
    let news: Vec<NewTask> =
        (0..100).map(|index| new_task(&scope, &board, &format!("Task {index}"))).collect();
    let mut numbered = all_at_once(100, |index| {
        let (storage, new) = (Arc::clone(&storage), news[index].clone());
        async move { commit!(storage, uow => uow.tasks().insert(&scope, &new)) }
    })
    .await;
    numbered.sort_unstable_by_key(|numbered| numbered.number);
    let expected: Vec<_> =
        (1..=100).map(|number| Numbered { number, position: number * order::GAP }).collect();
    assert_eq!(numbered, expected);
}

pub async fn locked_tasks_come_in_the_order_of_their_ids_without_those_that_are_gone(
    storage: Arc<dyn Storage>,
) {
    let (scope, board) = project_of(&storage, "engines").await;
    let mut ids = Vec::new();
    for index in 0..12 {
        ids.push(add_task(&storage, &scope, &board, &format!("Task {index}")).await.id);
    }
    add_task(&storage, &scope, &board, "Not asked for").await;
    let mut asked = ids.clone();
    asked.extend([ids[3], id()]);
    let locked = commit!(storage, uow => uow.tasks().lock(&scope, &asked));
    let locked: Vec<TaskId> = locked.iter().map(|task| task.id).collect();
    ids.sort_unstable();
    assert_eq!(locked, ids);
    assert_eq!(commit!(storage, uow => uow.tasks().lock(&scope, &[])), []);
}

pub async fn a_tasks_lock_is_held_until_the_end_of_the_transaction(storage: Arc<dyn Storage>) {
    let (scope, board) = project_of(&storage, "engines").await;
    let stored = add_task(&storage, &scope, &board, "One").await;
    let id = stored.id;
    let mut first = storage.begin().await.unwrap();
    first.tasks().lock(&scope, &[id]).await.unwrap();
    let others = Arc::clone(&storage);
    let mut second = tokio::spawn(async move {
        let mut uow = others.begin().await.unwrap();
        let locked = uow.tasks().lock(&scope, &[id]).await.unwrap();
        uow.commit().await.unwrap();
        locked[0].title.clone()
    });
    let early = tokio::time::timeout(Duration::from_millis(200), &mut second).await;
    assert!(early.is_err(), "the second must wait");
    let fields = TaskFields { title: "Changed".into(), ..TaskFields::of(&stored) };
    assert!(first.tasks().update(&scope, Target::new(id, Some(1)), (&fields).into(), at(1)).await.unwrap());
    first.commit().await.unwrap();
    let title = tokio::time::timeout(Duration::from_secs(10), second).await.expect("it goes on").unwrap();
    assert_eq!(title, "Changed", "it reads under the lock");
}

pub async fn of_twenty_changes_of_one_version_of_a_task_one_succeeds(storage: Arc<dyn Storage>) {
    let (scope, board) = project_of(&storage, "engines").await;
    let stored = add_task(&storage, &scope, &board, "One").await;
    let results = all_at_once(20, |index| {
        let (storage, id) = (Arc::clone(&storage), stored.id);
        let fields = TaskFields { title: format!("Title {index}"), ..TaskFields::of(&stored) };
        async move { update(&storage, &scope, id, &fields, Some(1)).await }
    })
    .await;
    assert_eq!(results.iter().filter(|result| matches!(result, Ok(true))).count(), 1);
    for result in results.into_iter().filter(|result| !matches!(result, Ok(true))) {
        assert_stale!(result);
    }
    assert_eq!(task(&storage, &scope, stored.id).await.unwrap().version, 2);
}

/// What another transaction does to a task while it is removed.
async fn meddle(
    storage: &Arc<dyn Storage>,
    scope: &OrgScope,
    stored: &Task,
    label: LabelId,
    deed: usize,
) -> StoreResult<()> {
    match deed % 5 {
        0 => update(storage, scope, stored.id, &TaskFields::of(stored), Some(1)).await.map(drop),
        1 => update(storage, scope, stored.id, &TaskFields::of(stored), None).await.map(drop),
        2 => {
            let comment = new_comment(storage, scope, stored.id, "Wait").await;
            settle!(storage, uow => uow.comments().insert(scope, &comment, i64::MAX))
        }
        3 => settle!(storage, uow => uow.labels().attach(scope, stored.id, &[label])),
        _ => {
            let document = task_document(stored.id, "Wait", "");
            settle!(storage, uow => uow.search().put(scope, &document))
        }
    }
}

pub async fn what_is_done_to_a_task_while_it_is_removed_is_done_or_finds_it_gone(storage: Arc<dyn Storage>) {
    let (scope, board) = project_of(&storage, "engines").await;
    let label = add_label(&storage, &scope, &board, "Bug").await.id;
    for round in 0..10 {
        let stored = add_task(&storage, &scope, &board, "One").await;
        let results = all_at_once(6, |index| {
            let (storage, stored) = (Arc::clone(&storage), stored.clone());
            async move {
                if index == round % 6 {
                    let deleted = commit!(storage, uow => uow.tasks().delete(&scope, stored.id.into()));
                    assert!(deleted, "it is there");
                    return Ok(());
                }
                meddle(&storage, &scope, &stored, label, index).await
            }
        })
        .await;
        for error in results.into_iter().filter_map(Result::err) {
            let lost = matches!(
                error,
                StoreError::StaleVersion | StoreError::Conflict { constraint: Constraint::Reference, .. }
            );
            assert!(lost, "round {round}: {error:?}");
        }
        assert_eq!(task(&storage, &scope, stored.id).await, None);
        assert_eq!(read!(storage, uow => uow.comments().count(&scope, stored.id)), 0);
    }
    let query = SearchQuery { words: Words::of("wait"), kind: None, limit: 100 };
    assert_eq!(read!(storage, uow => uow.search().find(&scope, &query)), []);
}
