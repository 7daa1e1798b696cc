//! Lists of tasks in every order and with every condition, of a project and of a person, and lists that are longer than what a
//! storage collects at once.

use super::fixtures::*;
use super::prelude::*;

use chrono::NaiveDate;
use workscribe_core::Target;
use workscribe_core::work::{
    AssigneeFilter, NewTask, ParentFilter, Priority, StatusCategory, Task, TaskFields, TaskFilter, TaskQuery,
    TaskSort, TaskType,
};

fn query(filter: &TaskFilter, sort: &str, limit: i64, cursor: Option<&str>) -> TaskQuery {
    TaskQuery::new(filter.clone(), TaskSort::parse(sort).unwrap(), Some(limit), cursor, true).unwrap()
}

/// A bug of high priority with a due date and its reporter as assignee, a filter of its project, and one of its assignee.
async fn assigned(storage: &Arc<dyn Storage>) -> (OrgScope, Board, Task, [TaskFilter; 2]) {
    let (scope, board) = project_of(storage, "engines").await;
    let new = new_task(&scope, &board, "Fix it");
    let (kind, due_date) = (TaskType::Bug, NaiveDate::from_ymd_opt(2031, 2, 3));
    let assignee_id = Some(scope.actor());
    let fields = TaskFields { assignee_id, priority: Priority::High, kind, due_date, ..new.fields };
    let task = put_task(storage, &scope, &NewTask { fields, ..new }).await;
    let of_project = TaskFilter { project: Some(board.project.id), ..TaskFilter::default() };
    let assignee = Some(AssigneeFilter::User(scope.actor()));
    (scope, board, task, [of_project, TaskFilter { assignee, ..TaskFilter::default() }])
}

pub async fn every_order_goes_on_behind_the_last_task_of_a_page(storage: Arc<dyn Storage>) {
    let (scope, _, task, filters) = assigned(&storage).await;
    for name in TaskSort::NAMES {
        for filter in &filters {
            let found = read!(storage, uow => uow.tasks().list(&scope, &query(filter, name, 50, None)));
            assert_eq!(found, [Task { description: None, ..task.clone() }], "{name}");
            let cursor = TaskSort::parse(name).unwrap().key(&task).encode();
            let next = query(filter, name, 50, Some(&cursor));
            assert_eq!(read!(storage, uow => uow.tasks().list(&scope, &next)), [], "{name}");
        }
    }
}

pub async fn every_condition_holds_in_a_list_by_position_and_in_one_by_date(storage: Arc<dyn Storage>) {
    type Condition = fn(&mut TaskFilter, &Task);
    let (scope, _, task, filters) = assigned(&storage).await;
    let conditions: [(Condition, usize); 14] = [
        (|filter, task| filter.status = Some(task.status.id), 1),
        (|filter, _| filter.categories = vec![StatusCategory::Todo, StatusCategory::Done], 1),
        (|filter, _| filter.categories = vec![StatusCategory::Done], 0),
        (|filter, task| filter.assignee = Some(AssigneeFilter::User(task.reporter.id)), 1),
        (|filter, _| filter.assignee = Some(AssigneeFilter::Nobody), 0),
        (|filter, _| filter.priority = Some(Priority::High), 1),
        (|filter, _| filter.kind = Some(TaskType::Bug), 1),
        (|filter, _| filter.label = Some(id()), 0),
        (|filter, task| filter.parent = Some(ParentFilter::Of(task.id)), 0),
        (|filter, _| filter.parent = Some(ParentFilter::None), 1),
        (|filter, _| filter.search = Some(Words::of("fix login")), 0),
        (|filter, _| filter.search = Some(Words::default()), 0),
        (|filter, _| filter.due_before = NaiveDate::from_ymd_opt(2031, 2, 4), 1),
        (|filter, task| filter.updated_after = Some(task.updated_at), 0),
    ];
    for (number, (condition, expected)) in conditions.into_iter().enumerate() {
        for name in ["position", "-due_date"] {
            for mut filter in filters.clone() {
                condition(&mut filter, &task);
                let query = query(&filter, name, 50, None);
                let found = read!(storage, uow => uow.tasks().list(&scope, &query));
                assert_eq!(found.len(), expected, "{number} {name}");
                let count = read!(storage, uow => uow.tasks().count(&scope, &query));
                assert_eq!(count, expected as i64, "{number} {name}");
            }
        }
    }
}

/// The tasks of a list, page by page.
async fn every_page(
    storage: &Arc<dyn Storage>,
    scope: &OrgScope,
    filter: &TaskFilter,
    sort: &str,
) -> Vec<TaskId> {
    let (mut found, mut cursor) = (Vec::new(), None::<String>);
    loop {
        let query = query(filter, sort, 40, cursor.as_deref());
        let page = query.page(read!(storage, uow => uow.tasks().list(scope, &query)), None, u32::MAX);
        found.extend(page.items.iter().map(|task| task.id));
        cursor = page.next_cursor;
        if cursor.is_none() {
            assert_eq!(read!(storage, uow => uow.tasks().count(scope, &query)), found.len() as i64);
            return found;
        }
    }
}

pub async fn a_list_by_a_label_or_a_person_that_many_tasks_have_is_complete(storage: Arc<dyn Storage>) {
    let (scope, board, task, [of_project, of_person]) = assigned(&storage).await;
    let common = add_label(&storage, &scope, &board, "Common").await.id;
    let rare = add_label(&storage, &scope, &board, "Rare").await.id;
    let mut all = vec![task.id];
    let mut uow = storage.begin().await.unwrap();
    for number in 0..230 {
        let mut new = new_task(&scope, &board, "One of many");
        new.fields.assignee_id = Some(scope.actor());
        new.fields.due_date = NaiveDate::from_ymd_opt(2031, 2, 3 - number % 3);
        uow.tasks().insert(&scope, &new).await.unwrap();
        let labels = if number == 70 { vec![common, rare] } else { vec![common] };
        uow.labels().attach(&scope, new.id, &labels).await.unwrap();
        all.push(new.id);
    }
    uow.commit().await.unwrap();
    for name in ["position", "-due_date"] {
        let everything = every_page(&storage, &scope, &of_project, name).await;
        assert_eq!(everything.len(), all.len(), "{name}");
        let filter = TaskFilter { assignee: of_person.assignee, ..of_project.clone() };
        assert_eq!(every_page(&storage, &scope, &filter, name).await, everything, "{name}");
        let labelled: Vec<TaskId> = everything.iter().copied().filter(|id| *id != task.id).collect();
        for assignee in [None, of_person.assignee] {
            let filter = TaskFilter { label: Some(common), assignee, ..of_project.clone() };
            assert_eq!(every_page(&storage, &scope, &filter, name).await, labelled, "{name}");
            let filter = TaskFilter { label: Some(rare), assignee, ..of_project.clone() };
            assert_eq!(every_page(&storage, &scope, &filter, name).await, [all[71]], "{name}");
        }
    }
    // The same person's only task in another project.
    let other = add_project(&storage, &scope, "OTHER").await;
    let mut one = new_task(&scope, &other, "Alone");
    one.fields.assignee_id = Some(scope.actor());
    put_task(&storage, &scope, &one).await;
    let filter = TaskFilter { project: Some(other.project.id), ..of_person };
    for name in ["position", "-due_date"] {
        assert_eq!(every_page(&storage, &scope, &filter, name).await, [one.id], "{name}");
    }
    // The id of a removed label may stay in the `label_ids` of tasks.
    let target = Target::from(common).within(board.project.id);
    assert!(commit!(storage, uow => uow.labels().delete(&scope, target)));
    let filter = TaskFilter { label: Some(common), ..of_project };
    assert_eq!(every_page(&storage, &scope, &filter, "position").await, []);
}
