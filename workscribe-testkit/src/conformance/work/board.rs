//! The order of tasks in the columns of a board.

use super::fixtures::*;
use super::prelude::*;

use workscribe_core::work::{
    BoardPosition, Column, ColumnMove, Goal, Landmark, Lifted, NewTask, Task, order,
};

/// Six tasks of a column, in order. The third to the fifth have the same position.
async fn column(storage: &Arc<dyn Storage>, scope: &OrgScope, board: &Board) -> Vec<BoardPosition> {
    let mut places = Vec::new();
    for position in [70, 20, 50, 10, 50, 50] {
        let task = add_task(storage, scope, board, "Task").await;
        places.push(BoardPosition { position, id: task.id });
    }
    commit!(storage, uow => uow.board().place(scope, &places));
    places.sort_unstable();
    places
}

async fn read(
    storage: &Arc<dyn Storage>,
    scope: &OrgScope,
    project: ProjectId,
    status: StatusId,
) -> Vec<BoardPosition> {
    let least = BoardPosition { position: i64::MIN, id: uuid::Uuid::nil().into() };
    read!(storage, uow => uow.board().positions_from(scope, Column { project, status, without: &[] }, least, 100))
}

/// Another column of the same project, and another project.
async fn neighbours(storage: &Arc<dyn Storage>, scope: &OrgScope, board: &Board) {
    let mut new = new_task(scope, board, "In another column");
    new.fields.status_id = board.doing.id;
    put_task(storage, scope, &new).await;
    let other = add_project(storage, scope, "APP").await;
    add_task(storage, scope, &other, "In another project").await;
}

pub async fn a_place_in_a_column_is_found_by_its_index(storage: Arc<dyn Storage>) {
    let (scope, board) = project_of(&storage, "engines").await;
    let places = column(&storage, &scope, &board).await;
    neighbours(&storage, &scope, &board).await;
    let (project, status) = (board.project.id, board.todo.id);
    let at = async |excluded: &[TaskId], indexes: &[i64]| {
        let mut found = read!(storage, uow => uow.board().positions_at(&scope, Column { project, status, without: excluded }, indexes));
        found.sort_unstable();
        found
    };
    let all: Vec<(i64, BoardPosition)> = (0..).zip(places.clone()).collect();
    for place in &all {
        assert_eq!(at(&[], &[place.0]).await, [*place]);
    }
    assert_eq!(at(&[], &[5, 0, 1_000_000_000, 1, 2, 3, 4, 6]).await, all, "none is past the end");
    assert_eq!(at(&[], &[4, 1, 4]).await, [all[1], all[4]]);
    assert_eq!(at(&[], &[i64::MAX]).await, []);
    assert_eq!(at(&[], &[]).await, []);
    // Tasks that are left out leave no gap in the indexes.
    assert_eq!(at(&[places[2].id, id()], &[1, 2, 5]).await, [(1, places[1]), (2, places[3])]);
    assert_eq!(at(&[places[0].id, places[1].id, places[5].id], &[0, 3]).await, [(0, places[2])]);
    let empty = read!(storage, uow => uow.board().positions_at(&scope, Column { project, status: board.done.id, without: &[] }, &[0]));
    assert_eq!(empty, []);
}

pub async fn the_places_before_and_from_a_place_are_the_nearest_first(storage: Arc<dyn Storage>) {
    let (scope, board) = project_of(&storage, "engines").await;
    let places = column(&storage, &scope, &board).await;
    neighbours(&storage, &scope, &board).await;
    let (project, status) = (board.project.id, board.todo.id);
    let before = async |excluded: &[TaskId], place, limit| read!(storage, uow => uow.board().positions_before(&scope, Column { project, status, without: excluded }, place, limit));
    let from = async |excluded: &[TaskId], place, limit| read!(storage, uow => uow.board().positions_from(&scope, Column { project, status, without: excluded }, place, limit));
    let backwards = |to: usize| places[..to].iter().rev().copied().collect::<Vec<_>>();
    assert_eq!(before(&[], None, 100).await, backwards(6));
    assert_eq!(before(&[], None, 2).await, backwards(6)[..2]);
    for (index, place) in places.iter().enumerate() {
        assert_eq!(before(&[], Some(*place), 100).await, backwards(index));
        assert_eq!(before(&[], Some(*place), 2).await, backwards(index)[..index.min(2)]);
        assert_eq!(from(&[], *place, 100).await, places[index..]);
        assert_eq!(from(&[], *place, 2).await, places[index..(index + 2).min(6)]);
    }
    // Leaves out a task, and starts at a position that no task has.
    assert_eq!(before(&[places[3].id], Some(places[4]), 2).await, [places[2], places[1]]);
    assert_eq!(before(&[places[3].id, places[1].id, id()], Some(places[4]), 2).await, [places[2], places[0]]);
    assert_eq!(from(&[places[3].id], places[3], 2).await, [places[4], places[5]]);
    assert_eq!(from(&[places[3].id, places[4].id], places[2], 9).await, [places[2], places[5]]);
    let nowhere = BoardPosition { position: 30, id: id() };
    assert_eq!(before(&[], Some(nowhere), 1).await, [places[1]]);
    assert_eq!(from(&[], nowhere, 1).await, [places[2]]);
    assert_eq!(from(&[], BoardPosition { position: 71, id: id() }, 10).await, []);
    assert_eq!(before(&[], Some(BoardPosition { position: 9, id: id() }), 10).await, []);
}

pub async fn a_lifted_task_comes_with_the_places_around_a_landmark(storage: Arc<dyn Storage>) {
    let (scope, board) = project_of(&storage, "engines").await;
    let places = column(&storage, &scope, &board).await;
    neighbours(&storage, &scope, &board).await;
    let (project, doing) = (board.project.id, board.doing.id);
    let there = read(&storage, &scope, project, doing).await;
    let lift = async |task, status, landmark| {
        attempt!(storage, uow => uow.board().lift(&scope, task, Goal { project, status, landmark })).unwrap()
    };
    let lifted = task(&storage, &scope, places[2].id).await.unwrap();
    // The column without the lifted task.
    let others = [places[0], places[1], places[3], places[4], places[5]];
    for (index, place) in others.into_iter().enumerate() {
        let expected = Lifted {
            task: lifted.clone(),
            landmark: Some(place),
            above: index.checked_sub(1).map(|above| others[above]),
            below: others.get(index + 1).copied(),
        };
        let by_index = Landmark::Index(i64::try_from(index).unwrap());
        for landmark in [by_index, Landmark::Task(place.id)] {
            assert_eq!(lift(lifted.id, None, landmark).await.as_ref(), Some(&expected));
            assert_eq!(lift(lifted.id, Some(board.todo.id), landmark).await.as_ref(), Some(&expected));
        }
    }
    let nowhere = Lifted { task: lifted.clone(), landmark: None, above: None, below: None };
    for landmark in
        [Landmark::Index(5), Landmark::Task(id()), Landmark::Task(lifted.id), Landmark::Task(there[0].id)]
    {
        assert_eq!(lift(lifted.id, None, landmark).await.as_ref(), Some(&nowhere), "{landmark:?}");
    }
    let elsewhere = Lifted { landmark: Some(there[0]), ..nowhere };
    for landmark in [Landmark::Index(0), Landmark::Task(there[0].id)] {
        assert_eq!(lift(lifted.id, Some(doing), landmark).await.as_ref(), Some(&elsewhere), "{landmark:?}");
    }
    assert_eq!(lift(id(), None, Landmark::Index(0)).await, None, "there is no such task");
    let (stranger, _) = project_of(&storage, "looms").await;
    let theirs = attempt!(storage, uow => uow.board().lift(&stranger, lifted.id, Goal { project, status: None, landmark: Landmark::Index(0) }));
    assert_eq!(theirs.unwrap(), None, "it is another organization's");
}

pub async fn tasks_are_given_new_positions_and_nothing_else(storage: Arc<dyn Storage>) {
    let (scope, board) = project_of(&storage, "engines").await;
    let mut before = Vec::new();
    for index in 0..4 {
        before.push(add_task(&storage, &scope, &board, &format!("Task {index}")).await);
    }
    let places = [
        BoardPosition { position: -5, id: before[2].id },
        BoardPosition { position: i64::MAX >> 8, id: before[0].id },
        BoardPosition { position: 7, id: id() },
    ];
    commit!(storage, uow => uow.board().place(&scope, &places));
    commit!(storage, uow => uow.board().place(&scope, &[]));
    let expected = [
        Task { position: i64::MAX >> 8, ..before[0].clone() },
        before[1].clone(),
        Task { position: -5, ..before[2].clone() },
        before[3].clone(),
    ];
    for expected in expected {
        assert_eq!(task(&storage, &scope, expected.id).await, Some(expected));
    }
}

pub async fn many_tasks_are_placed_at_once(storage: Arc<dyn Storage>) {
    let (scope, board) = project_of(&storage, "engines").await;
    let news: Vec<NewTask> = (0..300).map(|_| new_task(&scope, &board, "Task")).collect();
    let mut uow = storage.begin().await.unwrap();
    for new in &news {
        uow.tasks().insert(&scope, new).await.unwrap();
    }
    uow.commit().await.unwrap();
    let mut places: Vec<BoardPosition> = (0..)
        .zip(&news)
        .map(|(index, new)| BoardPosition { position: index * 97 % 300, id: new.id })
        .collect();
    commit!(storage, uow => uow.board().place(&scope, &places));
    places.sort_unstable();
    let least = BoardPosition { position: 0, id: uuid::Uuid::nil().into() };
    let (project, status) = (board.project.id, board.todo.id);
    let read = read!(storage, uow => uow.board().positions_from(&scope, Column { project, status, without: &[] }, least, 1_000));
    assert_eq!(read, places);
}

pub async fn a_column_moves_behind_another_in_its_order(storage: Arc<dyn Storage>) {
    let (scope, board) = project_of(&storage, "engines").await;
    let places = column(&storage, &scope, &board).await;
    neighbours(&storage, &scope, &board).await;
    let (project, from, to) = (board.project.id, board.todo.id, board.doing.id);
    let there = read(&storage, &scope, project, to).await;
    let move_to = async |from, to, after| commit!(storage, uow => uow.board().move_column(&scope, ColumnMove { project, from, to, after }, at(5)));
    let after = there[0].position;
    let last = move_to(from, to, after).await;
    assert_eq!(last, Some(after + order::GAP + 60), "as far from the first as it was");
    let moved = places
        .iter()
        .map(|place| BoardPosition { position: after + order::GAP + place.position - 10, id: place.id });
    let expected: Vec<BoardPosition> = there.into_iter().chain(moved).collect();
    assert_eq!(read(&storage, &scope, project, to).await, expected);
    assert_eq!(read(&storage, &scope, project, from).await, []);
    assert_eq!(move_to(from, to, after).await, None, "none is left");
    for place in &places {
        let moved = task(&storage, &scope, place.id).await.unwrap();
        assert_eq!((moved.status.id, moved.version, moved.updated_at), (to, 2, at(5)), "it has changed");
    }
    let other = read!(storage, uow => uow.tasks().find_by_key(&scope, &key("APP"), 1)).unwrap();
    assert_eq!((other.version, other.updated_at), (1, at(0)), "another project stays as it is");
}

pub async fn the_tasks_of_a_column_are_listed_by_id(storage: Arc<dyn Storage>) {
    let (scope, board) = project_of(&storage, "engines").await;
    let mut expected: Vec<TaskId> =
        column(&storage, &scope, &board).await.into_iter().map(|place| place.id).collect();
    neighbours(&storage, &scope, &board).await;
    expected.sort_unstable();
    let in_status =
        async |after, limit| read!(storage, uow => uow.tasks().in_status(&scope, &board.todo, after, limit));
    assert_eq!(in_status(None, 100).await, expected);
    let (mut seen, mut after) = (Vec::new(), None);
    loop {
        let page = in_status(after, 4).await;
        assert!(page.len() <= 4, "no more than were asked for");
        after = page.last().copied();
        if after.is_none() {
            break;
        }
        seen.extend(page);
    }
    assert_eq!(seen, expected);
    let none = read!(storage, uow => uow.tasks().in_status(&scope, &board.done, None, 9));
    assert_eq!(none, []);
}

pub async fn sixteen_moving_tasks_under_the_projects_lock_lose_none(storage: Arc<dyn Storage>) {
    let (scope, board) = project_of(&storage, "engines").await;
    let mut tasks = Vec::new();
    for _ in 0..16 {
        tasks.push(add_task(&storage, &scope, &board, "Task").await.id);
    }
    let (project, status) = (board.project.id, board.todo.id);
    all_at_once(16, |index| {
        let (storage, moving) = (Arc::clone(&storage), tasks[index]);
        async move {
            for _ in 0..4 {
                let mut uow = storage.begin().await.unwrap();
                uow.projects().lock(&scope, project).await.unwrap().unwrap();
                // Always to the beginning.
                let first = uow
                    .board()
                    .positions_at(&scope, Column { project, status, without: &[moving] }, &[0])
                    .await
                    .unwrap();
                let position = order::between(None, Some(first[0].1.position)).unwrap();
                uow.board().place(&scope, &[BoardPosition { position, id: moving }]).await.unwrap();
                uow.commit().await.unwrap();
            }
        }
    })
    .await;
    let places = read(&storage, &scope, project, status).await;
    let positions: BTreeSet<i64> = places.iter().map(|place| place.position).collect();
    assert_eq!((places.len(), positions.len()), (16, 16), "each has a place of its own");
}
