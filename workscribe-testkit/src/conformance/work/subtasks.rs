//! Tasks and their parts.

use super::fixtures::*;
use super::prelude::*;
use super::tasks::update;

use workscribe_core::Target;
use workscribe_core::work::{NewTask, Room, TaskFields};

pub async fn a_whole_counts_its_parts_as_they_come_change_and_go(storage: Arc<dyn Storage>) {
    let (scope, board) = project_of(&storage, "engines").await;
    let (one, two) =
        (add_task(&storage, &scope, &board, "One").await, add_task(&storage, &scope, &board, "Two").await);
    let part = add_part(&storage, &scope, &board, one.id, "A part").await;
    let counts = async || {
        let (one, two) = (task(&storage, &scope, one.id).await, task(&storage, &scope, two.id).await);
        (one.unwrap().subtask_count, two.unwrap().subtask_count)
    };
    assert_eq!(counts().await, (1, 0));
    for (parent, expected) in [
        (Some(two.id), (0, 1)),
        (Some(two.id), (0, 1)),
        (None, (0, 0)),
        (None, (0, 0)),
        (Some(one.id), (1, 0)),
    ] {
        let fields = TaskFields { parent_id: parent, ..TaskFields::of(&part) };
        assert!(update(&storage, &scope, part.id, &fields, None).await.unwrap());
        assert_eq!(counts().await, expected);
    }
    let fields = TaskFields { parent_id: Some(two.id), ..TaskFields::of(&part) };
    assert_stale!(update(&storage, &scope, part.id, &fields, Some(1)).await);
    assert_eq!(counts().await, (1, 0), "what was not written is not counted");
    assert!(!commit!(storage, uow => uow.tasks().delete(&scope, Target::from(id::<TaskId>()))));
    assert!(commit!(storage, uow => uow.tasks().delete(&scope, part.id.into())));
    assert_eq!(counts().await, (0, 0));
}

pub async fn a_task_is_added_where_there_is_room_alone(storage: Arc<dyn Storage>) {
    let (scope, board) = project_of(&storage, "engines").await;
    let parent = add_task(&storage, &scope, &board, "The whole").await;
    let part = |room| {
        let mut new = NewTask { room, ..new_task(&scope, &board, "A part") };
        new.fields.parent_id = Some(parent.id);
        new
    };
    let first = part(Room { in_project: 2, below_parent: 1 });
    assert_eq!(commit!(storage, uow => uow.tasks().insert(&scope, &first)).number, 2);
    let full = part(Room { below_parent: 1, ..Room::ANY });
    assert_conflict!(attempt!(storage, uow => uow.tasks().insert(&scope, &full)), Room);
    let past = NewTask { room: Room { in_project: 2, ..Room::ANY }, ..new_task(&scope, &board, "Past") };
    assert_conflict!(attempt!(storage, uow => uow.tasks().insert(&scope, &past)), OpenProject);
    let last = NewTask { room: Room { in_project: 3, below_parent: 0 }, ..new_task(&scope, &board, "Last") };
    let numbered = commit!(storage, uow => uow.tasks().insert(&scope, &last));
    assert_eq!(
        numbered.number, 3,
        "what was refused used no number, and a task below nothing needs no room there"
    );
}

pub async fn a_task_counts_its_parts_and_comments(storage: Arc<dyn Storage>) {
    let (scope, board) = project_of(&storage, "engines").await;
    let whole = add_task(&storage, &scope, &board, "The whole").await;
    let part = add_part(&storage, &scope, &board, whole.id, "A part").await;
    let below = add_part(&storage, &scope, &board, part.id, "A part of it").await;
    for text in ["One", "Two"] {
        add_comment(&storage, &scope, whole.id, text).await;
    }
    add_comment(&storage, &scope, part.id, "Three").await;
    let counts = async |id| {
        let task = task(&storage, &scope, id).await.unwrap();
        (task.subtask_count, task.comment_count, task.version)
    };
    assert_eq!(counts(whole.id).await, (1, 2, 1), "what is counted makes no new version");
    assert_eq!(counts(part.id).await, (1, 1, 1));
    assert_eq!(counts(below.id).await, (0, 0, 1));
}

pub async fn a_task_that_has_parts_stays(storage: Arc<dyn Storage>) {
    let (scope, board) = project_of(&storage, "engines").await;
    let whole = add_task(&storage, &scope, &board, "The whole").await;
    let part = add_part(&storage, &scope, &board, whole.id, "A part").await;
    assert_conflict!(settle!(storage, uow => uow.tasks().delete(&scope, whole.id.into())), Reference);
    assert!(task(&storage, &scope, whole.id).await.is_some());
    // Both may be removed in one transaction, the part first.
    let mut uow = storage.begin().await.unwrap();
    assert!(uow.tasks().delete(&scope, part.id.into()).await.unwrap());
    assert!(uow.tasks().delete(&scope, whole.id.into()).await.unwrap());
    uow.commit().await.unwrap();
    assert_eq!(task(&storage, &scope, part.id).await, None);
}

pub async fn the_parts_of_a_task_are_those_right_below_it(storage: Arc<dyn Storage>) {
    let (scope, board) = project_of(&storage, "engines").await;
    let top = add_task(&storage, &scope, &board, "Top").await;
    let mut parts = Vec::new();
    for index in 0..5 {
        parts.push(add_part(&storage, &scope, &board, top.id, &format!("Part {index}")).await.id);
    }
    let below = add_part(&storage, &scope, &board, parts[0], "Below").await.id;
    parts.sort_unstable();
    let children = async |id, limit| read!(storage, uow => uow.tasks().children(&scope, id, limit));
    assert_eq!(children(top.id, 100).await, parts);
    assert_eq!(children(top.id, 3).await, parts[..3]);
    assert_eq!(children(below, 100).await, []);
    assert_eq!(children(id(), 100).await, []);
    let within = async |id, ancestor| read!(storage, uow => uow.tasks().is_within(&scope, id, ancestor));
    let bottom_parent = task(&storage, &scope, below).await.unwrap().parent_id.unwrap();
    for (id, ancestor, expected) in [
        (top.id, top.id, true),
        (below, top.id, true),
        (below, bottom_parent, true),
        (bottom_parent, top.id, true),
        (top.id, below, false),
        (bottom_parent, below, false),
        (parts[1], parts[2], false),
    ] {
        assert_eq!(within(id, ancestor).await, expected);
    }
    assert!(!within(below, id()).await);
}
