//! Tasks: a single task, and the rows that belong to it.

use super::fixtures::*;
use super::prelude::*;

use chrono::NaiveDate;
use workscribe_core::work::{
    Document, Entered, NewTask, Numbered, Priority, ProjectChange, Task, TaskFields, TaskLabel, TaskType,
    TaskWrite, order,
};
use workscribe_core::{StoreResult, Target};

pub(super) async fn update(
    storage: &Arc<dyn Storage>,
    scope: &OrgScope,
    task: TaskId,
    fields: &TaskFields,
    expected: Option<i64>,
) -> StoreResult<bool> {
    settle!(storage, uow => uow.tasks().update(scope, Target::new(task, expected), fields.into(), at(5)))
}

fn day(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

pub async fn a_task_is_found_as_it_was_stored(storage: Arc<dyn Storage>) {
    let (scope, board) = project_of(&storage, "engines").await;
    let grace = add_user(&storage, "grace").await;
    add_member(&storage, &scope, &grace, Role::Admin, at(1)).await;
    let parent = add_task(&storage, &scope, &board, "The whole").await;
    let label = add_label(&storage, &scope, &board, UNICODE).await;
    let description = Document::of_text(UNICODE);
    let new = NewTask {
        created_at: at_micros(7),
        fields: TaskFields {
            title: UNICODE.into(),
            description: Some(description.clone()),
            status_id: board.doing.id,
            assignee_id: Some(grace.id),
            priority: Priority::Urgent,
            kind: TaskType::Subtask,
            parent_id: Some(parent.id),
            due_date: Some(day("2028-02-29")),
        },
        ..new_task(&scope, &board, "")
    };
    let numbered = commit!(storage, uow => uow.tasks().insert(&scope, &new));
    assert_eq!(numbered, Numbered { number: 2, position: 2 * order::GAP });
    commit!(storage, uow => uow.labels().attach(&scope, new.id, &[label.id]));
    let expected = Task {
        id: new.id,
        org_id: scope.org(),
        project_id: board.project.id,
        project_key: key("WEB"),
        project_is_archived: false,
        number: 2,
        title: UNICODE.into(),
        description: Some(description),
        status: board.doing,
        assignee: Some(person(&storage, grace.id).await),
        reporter: person(&storage, scope.actor()).await,
        priority: Priority::Urgent,
        kind: TaskType::Subtask,
        parent_id: Some(parent.id),
        labels: vec![TaskLabel { id: label.id, name: label.name, color: label.color }],
        position: 2 * order::GAP,
        due_date: Some(day("2028-02-29")),
        subtask_count: 0,
        comment_count: 0,
        blocked_by_count: 0,
        version: 1,
        created_at: at_micros(7),
        updated_at: at_micros(7),
    };
    assert_eq!(task(&storage, &scope, new.id).await.as_ref(), Some(&expected));
    let by_key = read!(storage, uow => uow.tasks().find_by_key(&scope, &key("web"), 2));
    assert_eq!(by_key.as_ref(), Some(&expected));
    let locked = commit!(storage, uow => uow.tasks().lock(&scope, &[new.id]));
    assert_eq!(locked, std::slice::from_ref(&expected));
    let entered = read!(storage, uow => uow.tasks().enter(grace.id, new.id));
    let actor = person(&storage, grace.id).await;
    assert_eq!(entered, Some(Entered { org: scope.org(), role: Role::Admin, actor, found: expected }));
}

pub async fn no_task_is_found_under_another_id_or_number(storage: Arc<dyn Storage>) {
    let (scope, board) = project_of(&storage, "engines").await;
    add_project(&storage, &scope, "APP").await;
    add_task(&storage, &scope, &board, "One").await;
    assert_eq!(task(&storage, &scope, id()).await, None);
    for (project, number) in [("WEB", 2), ("WEB", 0), ("WEB", -1), ("APP", 1), ("NONE", 1), ("WEB", i64::MAX)]
    {
        let found = read!(storage, uow => uow.tasks().find_by_key(&scope, &key(project), number));
        assert_eq!(found, None, "{project}-{number}");
    }
}

pub async fn the_door_to_a_task_is_shut_to_outsiders_and_former_members(storage: Arc<dyn Storage>) {
    let (scope, board) = project_of(&storage, "engines").await;
    let outsider = tenant(&storage, "compilers").await;
    let grace = add_user(&storage, "grace").await;
    add_member(&storage, &scope, &grace, Role::Member, at(1)).await;
    let task = add_task(&storage, &scope, &board, "One").await;
    let enter = async |user| read!(storage, uow => uow.tasks().enter(user, task.id));
    assert_eq!(enter(grace.id).await.map(|entered| entered.role), Some(Role::Member));
    commit!(storage, uow => uow.members().remove(&scope, grace.id, None));
    for user in [grace.id, outsider.actor(), id()] {
        assert_eq!(enter(user).await, None);
    }
    assert_eq!(read!(storage, uow => uow.tasks().enter(scope.actor(), id())), None);
}

pub async fn tasks_are_numbered_from_one_in_each_project(storage: Arc<dyn Storage>) {
    let (scope, web) = project_of(&storage, "engines").await;
    let app = add_project(&storage, &scope, "APP").await;
    for number in 1..=3 {
        for board in [&web, &app] {
            let task = add_task(&storage, &scope, board, "Next").await;
            assert_eq!((task.number, task.position), (number, number * order::GAP));
        }
    }
    let last = read!(storage, uow => uow.tasks().find_by_key(&scope, &key("APP"), 3)).unwrap();
    assert!(commit!(storage, uow => uow.tasks().delete(&scope, last.id.into())));
    assert_eq!(add_task(&storage, &scope, &app, "Next").await.number, 4, "no number comes back");
}

pub async fn a_task_that_is_rolled_back_leaves_its_number_to_the_next(storage: Arc<dyn Storage>) {
    let (scope, board) = project_of(&storage, "engines").await;
    let mut uow = storage.begin().await.unwrap();
    let first = uow.tasks().insert(&scope, &new_task(&scope, &board, "Never")).await.unwrap();
    let second = uow.tasks().insert(&scope, &new_task(&scope, &board, "Never")).await.unwrap();
    assert_eq!((first.number, second.number), (1, 2));
    drop(uow);
    let task = add_task(&storage, &scope, &board, "First").await;
    assert_eq!((task.number, task.position), (1, order::GAP));
}

pub async fn an_archived_or_missing_project_takes_no_tasks(storage: Arc<dyn Storage>) {
    let (scope, board) = project_of(&storage, "engines").await;
    let old = add_task(&storage, &scope, &board, "Old").await;
    let archive = async |is_archived| {
        let change = ProjectChange { is_archived: Some(is_archived), ..ProjectChange::default() };
        commit!(storage, uow => uow.projects().update(&scope, board.project.id.into(), &change, at(1)))
            .unwrap()
    };
    archive(true).await;
    let new = new_task(&scope, &board, "Too late");
    assert_conflict!(attempt!(storage, uow => uow.tasks().insert(&scope, &new)), OpenProject);
    assert!(task(&storage, &scope, old.id).await.unwrap().project_is_archived);
    let lost = NewTask { project_id: id(), ..new.clone() };
    assert_conflict!(attempt!(storage, uow => uow.tasks().insert(&scope, &lost)), OpenProject);
    archive(false).await;
    assert_eq!(put_task(&storage, &scope, &new).await.number, 2);
}

pub async fn a_task_refers_to_what_is_there(storage: Arc<dyn Storage>) {
    let (scope, board) = project_of(&storage, "engines").await;
    let other = add_project(&storage, &scope, "APP").await;
    let new = new_task(&scope, &board, "New");
    let fields = new.fields.clone();
    let wrong = [
        TaskFields { status_id: id(), ..fields.clone() },
        TaskFields { status_id: other.todo.id, ..fields.clone() },
        TaskFields { parent_id: Some(id()), ..fields.clone() },
        TaskFields { assignee_id: Some(id()), ..fields.clone() },
    ];
    for fields in &wrong {
        let new = NewTask { fields: fields.clone(), ..new.clone() };
        assert_conflict!(settle!(storage, uow => uow.tasks().insert(&scope, &new)), Reference);
        assert_eq!(task(&storage, &scope, new.id).await, None);
    }
    let by_nobody = NewTask { reporter_id: id(), ..new.clone() };
    assert_conflict!(settle!(storage, uow => uow.tasks().insert(&scope, &by_nobody)), Reference);
    let stored = put_task(&storage, &scope, &new).await;
    assert_eq!(stored.number, 1);
    for fields in &wrong {
        assert_conflict!(update(&storage, &scope, new.id, fields, None).await, Reference);
        assert_eq!(task(&storage, &scope, new.id).await.as_ref(), Some(&stored));
    }
    assert_fault!(settle!(storage, uow => uow.tasks().insert(&scope, &new)));
}

pub async fn a_task_changes_in_all_its_fields(storage: Arc<dyn Storage>) {
    let (scope, board) = project_of(&storage, "engines").await;
    let (parent, old) = (
        add_task(&storage, &scope, &board, "The whole").await,
        add_task(&storage, &scope, &board, "Old").await,
    );
    let changed = TaskFields {
        title: UNICODE.into(),
        description: Some(Document::of_text(UNICODE)),
        status_id: board.done.id,
        assignee_id: Some(scope.actor()),
        priority: Priority::High,
        kind: TaskType::Bug,
        parent_id: Some(parent.id),
        due_date: Some(day("9999-12-31")),
    };
    let moved = commit!(storage, uow => uow.tasks().update(&scope, Target::new(old.id, Some(1)), TaskWrite { fields: &changed, position: Some(-7) }, at(5)));
    assert!(moved);
    let expected = Task {
        title: UNICODE.into(),
        description: Some(Document::of_text(UNICODE)),
        status: board.done,
        assignee: Some(person(&storage, scope.actor()).await),
        priority: Priority::High,
        kind: TaskType::Bug,
        parent_id: Some(parent.id),
        due_date: Some(day("9999-12-31")),
        position: -7,
        version: 2,
        updated_at: at(5),
        ..old.clone()
    };
    assert_eq!(task(&storage, &scope, old.id).await, Some(expected));
    // And back, without a position: it keeps its position.
    assert!(update(&storage, &scope, old.id, &TaskFields::of(&old), None).await.unwrap());
    let expected = Task { position: -7, version: 3, updated_at: at(5), ..old };
    assert_eq!(task(&storage, &scope, expected.id).await, Some(expected));
}

pub async fn a_change_or_removal_of_a_task_of_another_version_is_stale(storage: Arc<dyn Storage>) {
    let (scope, board) = project_of(&storage, "engines").await;
    let stored = add_task(&storage, &scope, &board, "One").await;
    let fields = TaskFields { title: "Another".into(), ..TaskFields::of(&stored) };
    let delete =
        async |id, expected| attempt!(storage, uow => uow.tasks().delete(&scope, Target::new(id, expected)));
    assert_stale!(update(&storage, &scope, stored.id, &fields, Some(2)).await);
    assert_stale!(delete(stored.id, Some(0)).await);
    assert_eq!(task(&storage, &scope, stored.id).await.as_ref(), Some(&stored));
    for expected in [None, Some(1)] {
        assert!(
            !update(&storage, &scope, id(), &fields, expected).await.unwrap(),
            "a missing row is not stale"
        );
        assert!(!delete(id(), expected).await.unwrap());
    }
    assert!(update(&storage, &scope, stored.id, &fields, Some(1)).await.unwrap());
    assert!(delete(stored.id, Some(2)).await.unwrap());
    assert!(!delete(stored.id, Some(2)).await.unwrap(), "again");
    assert_eq!(task(&storage, &scope, stored.id).await, None);
}

pub async fn a_document_comes_back_as_it_was(storage: Arc<dyn Storage>) {
    let (scope, board) = project_of(&storage, "engines").await;
    let deep = (1..Document::MAX_DEPTH)
        .fold(serde_json::json!({}), |inner, _| serde_json::json!({ "content": inner }));
    let documents = [
        serde_json::json!({}),
        serde_json::json!({"type": "doc", "content": [{"type": "text", "text": UNICODE}], "": null}),
        serde_json::json!({"text": "\u{0}\u{1}\u{7f}\u{2028}\u{fffe}\u{10ffff}\t\r\n\"\\/", "\u{0}": "\u{0}"}),
        serde_json::json!({"numbers": [0, -1, 0.5, 1e300, i64::MIN, u64::MAX, -0.0], "flags": [true, false, null]}),
        deep,
        serde_json::json!({"text": "ä".repeat(100_000)}),
    ];
    for json in documents {
        let document = Document::parse(json).unwrap();
        let mut new = new_task(&scope, &board, "With a text");
        new.fields.description = Some(document.clone());
        let stored = put_task(&storage, &scope, &new).await;
        assert!(stored.description.as_ref() == Some(&document), "a description came back otherwise");
        let mut comment = new_comment(&storage, &scope, new.id, "").await;
        comment.body = document;
        commit!(storage, uow => uow.comments().insert(&scope, &comment, i64::MAX));
        let found = read!(storage, uow => uow.comments().find(&scope, new.id, comment.id));
        assert!(found.as_ref() == Some(&comment), "a body came back otherwise");
    }
}

pub async fn a_task_goes_with_its_comments_its_labels_and_what_is_found_of_it(storage: Arc<dyn Storage>) {
    let (scope, board) = project_of(&storage, "engines").await;
    let label = add_label(&storage, &scope, &board, "Bug").await;
    let (gone, kept) = (
        add_findable(&storage, &scope, &board, "Engine", "").await,
        add_findable(&storage, &scope, &board, "Engine", "").await,
    );
    let mut comments = Vec::new();
    for task in [&gone, &kept] {
        commit!(storage, uow => uow.labels().attach(&scope, task.id, &[label.id]));
        let comment = add_comment(&storage, &scope, task.id, "Engine").await;
        let mut document = task_document(task.id, "", "Engine");
        document.id = comment.id.into();
        document.kind = SearchKind::Comment;
        commit!(storage, uow => uow.search().put(&scope, &document));
        comments.push(comment);
    }
    let line = new_line(board.project.id, Some(gone.id), at(1));
    commit!(storage, uow => uow.activity().add(&scope, std::slice::from_ref(&line)));
    assert!(commit!(storage, uow => uow.tasks().delete(&scope, Target::new(gone.id, Some(1)))));
    assert_eq!(read!(storage, uow => uow.comments().find(&scope, gone.id, comments[0].id)), None);
    assert_eq!(read!(storage, uow => uow.comments().count(&scope, gone.id)), 0);
    assert_eq!(read!(storage, uow => uow.comments().count(&scope, kept.id)), 1);
    assert_eq!(task(&storage, &scope, kept.id).await.unwrap().labels.len(), 1);
    let query = SearchQuery { words: Words::of("engine"), kind: None, limit: 10 };
    let found = read!(storage, uow => uow.search().find(&scope, &query));
    assert_eq!(found.len(), 2);
    assert!(found.iter().all(|hit| hit.task == Some((kept.id, kept.number))));
    let lines = read!(storage, uow => uow.activity().count(&scope, Some(gone.id)));
    assert_eq!(lines, 1, "the history stays");
}

pub async fn a_persons_open_tasks_are_listed_by_id(storage: Arc<dyn Storage>) {
    let (scope, board) = project_of(&storage, "engines").await;
    let app = add_project(&storage, &scope, "APP").await;
    let grace = add_user(&storage, "grace").await;
    let mut expected = Vec::new();
    for index in 0..12 {
        let board = if index < 6 { &board } else { &app };
        let mut new = new_task(&scope, board, "Task");
        new.fields.assignee_id = [Some(grace.id), Some(grace.id), Some(scope.actor()), None][index % 4];
        new.fields.status_id = [board.todo.id, board.doing.id, board.done.id][index % 3];
        let due = if index % 2 == 0 { NaiveDate::from_ymd_opt(2026, 5, 20 - index as u32) } else { None };
        new.fields.due_date = due;
        let task = put_task(&storage, &scope, &new).await;
        if index % 4 < 2 && index % 3 < 2 {
            expected.push((due, task.id));
        }
    }
    expected.sort_by_key(|(due, id)| (due.is_none(), *due, *id));
    let open =
        async |after, limit| read!(storage, uow => uow.tasks().open_of(&scope, grace.id, after, limit));
    assert_eq!(expected.len(), 4);
    assert_eq!(open(None, 100).await, expected);
    assert_eq!(open(None, 3).await, expected[..3]);
    assert_eq!(open(Some(expected[2]), 3).await, expected[3..]);
    assert_eq!(open(Some(expected[3]), 3).await, []);
}
