//! Relations between tasks: in the store, and by the service where several rows decide.

use super::fixtures::*;
use super::prelude::*;

use workscribe_core::Code;
use workscribe_core::id::RelationId;
use workscribe_core::limits::{Limit, Limits};
use workscribe_core::tenancy::In;
use workscribe_core::transfer::{Kind, Record};
use workscribe_core::work::{
    ColumnMove, NewRelation, RelatedTask, Relation, RelationDirection, RelationType, Task, TaskFields,
    TaskFilter, TaskQuery, TaskSort,
};

use RelationType::{Blocks, Duplicates, RelatesTo};

fn new_relation(kind: RelationType, source: &Task, target: &Task, seconds: i64) -> Relation {
    Relation { id: id(), kind, source_id: source.id, target_id: target.id, created_at: at(seconds) }
}

async fn insert(storage: &Arc<dyn Storage>, scope: &OrgScope, relation: &Relation) -> bool {
    commit!(storage, uow => uow.relations().insert(scope, relation))
}

async fn list(storage: &Arc<dyn Storage>, scope: &OrgScope, task: &Task) -> Vec<RelatedTask> {
    read!(storage, uow => uow.relations().list(scope, task.id))
}

async fn tasks_of(storage: &Arc<dyn Storage>, scope: &OrgScope, board: &Board, count: usize) -> Vec<Task> {
    let mut tasks = Vec::new();
    for number in 0..count {
        tasks.push(add_task(storage, scope, board, &format!("Task {number}")).await);
    }
    tasks
}

/// Relates tasks as a member does.
async fn relate(
    app: &WorkScribe,
    user: UserId,
    source: &Task,
    kind: RelationType,
    target: TaskId,
) -> Result<RelatedTask, Code> {
    let mut uow = app.begin().await.unwrap();
    let at = In::task(&mut *uow, &source.id.to_string(), user).await.unwrap();
    let new = NewRelation { kind, task: target };
    let related = app.tasks().relate(&mut *uow, &at, new).await.map_err(|error| error.code())?;
    app.commit(uow).await.map_err(|error| error.code())?;
    Ok(related)
}

pub async fn a_relation_is_shown_from_both_sides_in_the_order_of_age(storage: Arc<dyn Storage>) {
    let (scope, board) = project_of(&storage, "engines").await;
    let other_board = add_project(&storage, &scope, "OTHER").await;
    let (one, two) = (
        add_task(&storage, &scope, &board, "One").await,
        add_task(&storage, &scope, &other_board, UNICODE).await,
    );
    let (late, early) = (new_relation(Duplicates, &two, &one, 9), new_relation(Blocks, &one, &two, 3));
    assert!(insert(&storage, &scope, &late).await && insert(&storage, &scope, &early).await);
    let shown = |relation: &Relation, other: &Task| RelatedTask {
        relation: relation.clone(),
        id: other.id,
        project_id: other.project_id,
        key: other.key(),
        title: other.title.clone(),
        status_id: other.status.id,
        status_name: other.status.name.clone(),
        status_category: other.status.category,
    };
    assert_eq!(list(&storage, &scope, &one).await, [shown(&early, &two), shown(&late, &two)]);
    assert_eq!(list(&storage, &scope, &two).await, [shown(&early, &one), shown(&late, &one)]);
    assert_eq!(early.direction(one.id), RelationDirection::Outward);
    assert_eq!((early.verb(one.id), early.verb(two.id)), ("blocks", "is blocked by"));
    assert_eq!(read!(storage, uow => uow.relations().find(&scope, late.id)), Some(late));
    assert_eq!(read!(storage, uow => uow.relations().find(&scope, id())), None);
    assert_eq!(read!(storage, uow => uow.relations().count(&scope, one.id)), 2);
}

pub async fn two_tasks_have_a_relation_of_a_type_and_direction_once(storage: Arc<dyn Storage>) {
    let (scope, board) = project_of(&storage, "engines").await;
    let tasks = tasks_of(&storage, &scope, &board, 2).await;
    let first = new_relation(Blocks, &tasks[0], &tasks[1], 1);
    assert!(insert(&storage, &scope, &first).await);
    assert!(!insert(&storage, &scope, &new_relation(Blocks, &tasks[0], &tasks[1], 2)).await);
    assert!(insert(&storage, &scope, &new_relation(Blocks, &tasks[1], &tasks[0], 3)).await);
    assert!(insert(&storage, &scope, &new_relation(RelatesTo, &tasks[0], &tasks[1], 4)).await);
    assert!(commit!(storage, uow => uow.relations().delete(&scope, first.id)));
    assert!(!commit!(storage, uow => uow.relations().delete(&scope, first.id)));
    assert_eq!(list(&storage, &scope, &tasks[0]).await.len(), 2);
}

pub async fn a_relation_goes_with_either_of_its_tasks(storage: Arc<dyn Storage>) {
    let (scope, board) = project_of(&storage, "engines").await;
    let tasks = tasks_of(&storage, &scope, &board, 3).await;
    insert(&storage, &scope, &new_relation(Blocks, &tasks[0], &tasks[1], 1)).await;
    insert(&storage, &scope, &new_relation(Blocks, &tasks[1], &tasks[2], 2)).await;
    assert!(commit!(storage, uow => uow.tasks().delete(&scope, tasks[1].id.into())));
    assert_eq!(list(&storage, &scope, &tasks[0]).await, []);
    assert_eq!(read!(storage, uow => uow.relations().count(&scope, tasks[2].id)), 0);
}

pub async fn a_relation_comes_back_as_it_was_restored_and_once(storage: Arc<dyn Storage>) {
    let (scope, board) = project_of(&storage, "engines").await;
    let tasks = tasks_of(&storage, &scope, &board, 2).await;
    let row = Record::Relation(new_relation(Blocks, &tasks[0], &tasks[1], 1));
    let again = Record::Relation(new_relation(Blocks, &tasks[0], &tasks[1], 2));
    commit!(storage, uow => uow.transfer().restore(&scope, std::slice::from_ref(&row)));
    commit!(storage, uow => uow.transfer().restore(&scope, &[again]));
    assert_eq!(read!(storage, uow => uow.transfer().page(&scope, Kind::Relation, None, 10)), [row]);
}

pub async fn relations_of_another_organization_are_neither_seen_nor_changed(storage: Arc<dyn Storage>) {
    let (scope, board) = project_of(&storage, "engines").await;
    let (stranger, strange_board) = project_of(&storage, "compilers").await;
    let tasks = tasks_of(&storage, &scope, &board, 2).await;
    let strange = add_task(&storage, &stranger, &strange_board, "Strange").await;
    let relation = new_relation(Blocks, &tasks[0], &tasks[1], 1);
    insert(&storage, &scope, &relation).await;
    assert_eq!(list(&storage, &stranger, &tasks[0]).await, []);
    assert_eq!(read!(storage, uow => uow.relations().find(&stranger, relation.id)), None);
    assert_eq!(read!(storage, uow => uow.relations().count(&stranger, tasks[0].id)), 0);
    assert_eq!(read!(storage, uow => uow.relations().blocked_by(&stranger, tasks[0].id, 9)), []);
    assert!(!commit!(storage, uow => uow.relations().delete(&stranger, relation.id)));
    let across = new_relation(Blocks, &strange, &tasks[0], 2);
    assert_conflict!(settle!(storage, uow => uow.relations().insert(&stranger, &across)), Reference);
    assert_eq!(list(&storage, &scope, &tasks[0]).await.len(), 1);
}

pub async fn a_task_never_blocks_itself_through_others(storage: Arc<dyn Storage>) {
    let (scope, board) = project_of(&storage, "engines").await;
    let (app, user) = (app(&storage, &FrozenClock::default()), scope.actor());
    let tasks = tasks_of(&storage, &scope, &board, 3).await;
    relate(&app, user, &tasks[0], Blocks, tasks[1].id).await.unwrap();
    relate(&app, user, &tasks[1], Blocks, tasks[2].id).await.unwrap();
    assert_eq!(relate(&app, user, &tasks[2], Blocks, tasks[0].id).await, Err(Code::RelationCycle));
    assert_eq!(relate(&app, user, &tasks[1], Blocks, tasks[0].id).await, Err(Code::RelationCycle));
    assert_eq!(relate(&app, user, &tasks[0], Blocks, tasks[0].id).await, Err(Code::ValidationFailed));
    assert_eq!(relate(&app, user, &tasks[0], Blocks, id()).await, Err(Code::ValidationFailed));
    assert_eq!(relate(&app, user, &tasks[0], Blocks, tasks[1].id).await, Err(Code::RelationExists));
    relate(&app, user, &tasks[2], Duplicates, tasks[0].id).await.unwrap();
    // Without a direction, the second is the same as the first.
    relate(&app, user, &tasks[0], RelatesTo, tasks[2].id).await.unwrap();
    assert_eq!(relate(&app, user, &tasks[2], RelatesTo, tasks[0].id).await, Err(Code::RelationExists));
}

pub async fn of_relations_that_would_close_a_circle_together_one_is_refused(storage: Arc<dyn Storage>) {
    let (scope, board) = project_of(&storage, "engines").await;
    let user = scope.actor();
    let tasks = tasks_of(&storage, &scope, &board, 16).await;
    // No two of them that are neighbours have both tasks in common: only a lock that all take keeps the circle open.
    let results = all_at_once(16, |number| {
        let app = app(&storage, &FrozenClock::default());
        let (source, target) = (tasks[number].clone(), tasks[(number + 1) % 16].id);
        async move { relate(&app, user, &source, Blocks, target).await.map(drop) }
    })
    .await;
    let refused: Vec<_> = results.iter().filter(|result| result.is_err()).collect();
    assert_eq!(refused, [&Err(Code::RelationCycle)]);
    let ahead = read!(storage, uow => uow.relations().blocked_by(&scope, tasks[0].id, 100));
    assert_eq!(ahead.iter().collect::<BTreeSet<_>>().len(), ahead.len(), "each once");
}

pub async fn relations_of_a_task_are_bounded_however_many_come_at_once(storage: Arc<dyn Storage>) {
    let (scope, board) = project_of(&storage, "engines").await;
    let user = scope.actor();
    let tasks = tasks_of(&storage, &scope, &board, 9).await;
    let limits = Limits::default().with(Limit::RelationsPerTask, 3);
    let results = all_at_once(8, |number| {
        let app = app_with(&storage, &FrozenClock::default(), limits.clone());
        let (source, target) = (tasks[number + 1].clone(), tasks[0].id);
        async move { relate(&app, user, &source, Duplicates, target).await.map(drop) }
    })
    .await;
    assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 3);
    assert!(results.iter().all(|result| matches!(result, Ok(()) | Err(Code::LimitReached))), "{results:?}");
    let short = app_with(&storage, &FrozenClock::default(), Limits::default().with(Limit::TasksBlocked, 1));
    relate(&short, user, &tasks[1], Blocks, tasks[2].id).await.unwrap();
    assert_eq!(relate(&short, user, &tasks[3], Blocks, tasks[1].id).await, Err(Code::LimitReached));
}

pub async fn a_removed_relation_is_in_the_history_of_both_tasks(storage: Arc<dyn Storage>) {
    let (scope, board) = project_of(&storage, "engines").await;
    let (app, tasks) = (app(&storage, &FrozenClock::default()), tasks_of(&storage, &scope, &board, 2).await);
    let related = relate(&app, scope.actor(), &tasks[0], Blocks, tasks[1].id).await.unwrap();
    let mut uow = app.begin().await.unwrap();
    let at = In::task(&mut *uow, &tasks[1].id.to_string(), scope.actor()).await.unwrap();
    let missing = app.tasks().unrelate(&mut *uow, &at, id::<RelationId>()).await.unwrap_err();
    assert_eq!(missing.code(), Code::RelationNotFound);
    app.tasks().unrelate(&mut *uow, &at, related.relation.id).await.unwrap();
    app.commit(uow).await.unwrap();
    for (task, text) in
        [(0, format!("blocks {}", tasks[1].key())), (1, format!("is blocked by {}", tasks[0].key()))]
    {
        let entries =
            read!(storage, uow => uow.activity().list(&scope, Some(tasks[task].id), &PageRequest::largest()));
        let values =
            |entry: &workscribe_core::work::Activity| (entry.old_value.clone(), entry.new_value.clone());
        let seen: BTreeSet<_> = entries.iter().map(values).collect();
        assert_eq!(seen, BTreeSet::from([(None, Some(text.clone())), (Some(text), None)]));
    }
}

pub async fn a_task_counts_the_open_tasks_that_block_it(storage: Arc<dyn Storage>) {
    let (scope, board) = project_of(&storage, "engines").await;
    let tasks = tasks_of(&storage, &scope, &board, 4).await;
    for (seconds, blocker) in (0..).zip(&tasks[1..]) {
        insert(&storage, &scope, &new_relation(Blocks, blocker, &tasks[0], seconds)).await;
    }
    insert(&storage, &scope, &new_relation(Duplicates, &tasks[0], &tasks[1], 9)).await;
    let counted = async || {
        let found = task(&storage, &scope, tasks[0].id).await.unwrap().blocked_by_count;
        let filter = TaskFilter { project: Some(board.project.id), ..TaskFilter::default() };
        let query =
            TaskQuery::new(filter, TaskSort::parse("created_at").unwrap(), None, None, false).unwrap();
        let listed = read!(storage, uow => uow.tasks().list(&scope, &query));
        let counts: Vec<i64> = listed.iter().map(|task| task.blocked_by_count).collect();
        let entered = read!(storage, uow => uow.tasks().enter(scope.actor(), tasks[0].id)).unwrap();
        assert_eq!(entered.found.blocked_by_count, found);
        assert_eq!(counts.iter().sum::<i64>(), found, "the others are blocked by none");
        found
    };
    assert_eq!(counted().await, 3);
    let done = TaskFields { status_id: board.done.id, ..TaskFields::of(&tasks[1]) };
    assert!(commit!(storage, uow => uow.tasks().update(&scope, tasks[1].id.into(), (&done).into(), at(5))));
    assert_eq!(counted().await, 2);
    assert!(commit!(storage, uow => uow.tasks().delete(&scope, tasks[2].id.into())));
    assert_eq!(counted().await, 1);
    let column = ColumnMove { project: board.project.id, from: board.todo.id, to: board.done.id, after: 0 };
    commit!(storage, uow => uow.board().move_column(&scope, column, at(6)));
    assert_eq!(counted().await, 0, "of a task in a done column too");
}
