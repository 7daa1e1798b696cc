//! Lists of tasks: their content, their order, and their pages.

use super::fixtures::*;
use super::prelude::*;

use chrono::NaiveDate;
use workscribe_core::work::{
    AssigneeFilter, Document, NewTask, ParentFilter, Priority, StatusCategory, Task, TaskFields, TaskFilter,
    TaskQuery, TaskSort, TaskType,
};

fn query(filter: &TaskFilter, sort: &str, limit: i64, cursor: Option<&str>) -> TaskQuery {
    let sort = TaskSort::parse(sort).unwrap();
    TaskQuery::new(filter.clone(), sort, Some(limit), cursor, false).unwrap()
}

async fn list(storage: &Arc<dyn Storage>, scope: &OrgScope, query: &TaskQuery) -> Vec<Task> {
    read!(storage, uow => uow.tasks().list(scope, query))
}

/// Reads every page of a list.
async fn pages(
    storage: &Arc<dyn Storage>,
    scope: &OrgScope,
    filter: &TaskFilter,
    sort: &str,
    limit: i64,
) -> Vec<Task> {
    let (mut seen, mut cursor) = (Vec::new(), None::<String>);
    loop {
        let query = query(filter, sort, limit, cursor.as_deref());
        let rows = list(storage, scope, &query).await;
        assert!(rows.len() <= query.fetch() as usize, "no more rows than were asked for");
        let page = query.page(rows, None, u32::MAX);
        seen.extend(page.items);
        cursor = page.next_cursor;
        if cursor.is_none() {
            return seen;
        }
    }
}

/// Thirty tasks of two projects that differ in every field and share many values; every third has one label.
async fn mixed(storage: &Arc<dyn Storage>, scope: &OrgScope) -> (Board, LabelId, UserId) {
    let (web, app) = (add_project(storage, scope, "WEB").await, add_project(storage, scope, "APP").await);
    let label = add_label(storage, scope, &web, "Bug").await.id;
    let grace = add_user(storage, "grace").await;
    add_member(storage, scope, &grace, Role::Member, at(1)).await;
    let day = |n: u32| NaiveDate::from_ymd_opt(2030, 1, n).unwrap();
    let mut parent = None;
    for index in 0..30_usize {
        let board = if index % 6 == 5 { &app } else { &web };
        let number = i64::try_from(index).unwrap();
        let new = NewTask {
            created_at: at(number / 4),
            fields: TaskFields {
                title: format!("Task {index}"),
                description: Some(Document::of_text("Left out of lists")),
                status_id: [board.todo.id, board.doing.id, board.done.id][index / 2 % 3],
                assignee_id: [None, Some(grace.id), Some(scope.actor())][index % 3],
                priority: Priority::ALL[index % 5],
                kind: TaskType::ALL[index / 3 % 4],
                parent_id: if index % 4 == 3 { parent } else { None },
                due_date: [None, Some(day(3)), Some(day(1)), Some(day(2))][index % 4],
            },
            ..new_task(scope, board, "")
        };
        let stored = put_task(storage, scope, &new).await;
        parent = parent.or(Some(stored.id));
        if index % 3 == 0 {
            commit!(storage, uow => uow.labels().attach(scope, stored.id, &[label]));
        }
        if index % 5 == 0 {
            let fields = TaskFields::of(&stored);
            let updated = at(100 - number / 10);
            commit!(storage, uow => uow.tasks().update(scope, stored.id.into(), (&fields).into(), updated));
        }
        let title = if index % 2 == 0 { "even engine" } else { "odd engine" };
        let document = task_document(stored.id, title, "");
        commit!(storage, uow => uow.search().put(scope, &document));
        add_comment(storage, scope, stored.id, "One").await;
    }
    (web, label, grace.id)
}

pub async fn every_sort_shows_every_task_once_page_by_page(storage: Arc<dyn Storage>) {
    let scope = tenant(&storage, "engines").await;
    let (web, _, _) = mixed(&storage, &scope).await;
    project_of(&storage, "compilers").await;
    for name in TaskSort::NAMES {
        let sort = TaskSort::parse(name).unwrap();
        // A board belongs to one project; the other lists cover all projects.
        let project = (name == "position").then_some(web.project.id);
        let filter = TaskFilter { project, ..TaskFilter::default() };
        let mut expected = list(&storage, &scope, &query(&filter, name, 100, None)).await;
        let seen = expected.iter().map(|task| task.id).collect::<Vec<_>>();
        expected.sort_by_key(|task| {
            let cursor = sort.key(task);
            (cursor.first, cursor.second, cursor.id)
        });
        if sort.descending {
            expected.reverse();
        }
        let expected: Vec<TaskId> = expected.iter().map(|task| task.id).collect();
        assert_eq!(expected.len(), if name == "position" { 25 } else { 30 });
        assert_eq!(seen, expected, "{name} in one page");
        for limit in [1, 3, 7] {
            let seen = pages(&storage, &scope, &filter, name, limit).await;
            let seen: Vec<TaskId> = seen.iter().map(|task| task.id).collect();
            assert_eq!(seen, expected, "{name} in pages of {limit}");
        }
    }
}

pub async fn tasks_without_a_due_date_come_last_and_first_when_falling(storage: Arc<dyn Storage>) {
    let (scope, board) = project_of(&storage, "engines").await;
    for (title, due) in [("b", Some("2030-01-02")), ("none", None), ("a", Some("0001-01-01"))] {
        let mut new = new_task(&scope, &board, title);
        new.fields.due_date = due.map(|text| text.parse().unwrap());
        put_task(&storage, &scope, &new).await;
    }
    for (sort, expected) in [("due_date", ["a", "b", "none"]), ("-due_date", ["none", "b", "a"])] {
        let seen = pages(&storage, &scope, &TaskFilter::default(), sort, 1).await;
        let titles: Vec<&str> = seen.iter().map(|task| &*task.title).collect();
        assert_eq!(titles, expected);
        assert_eq!(seen.iter().filter(|task| task.due_date.is_none()).count(), 1);
    }
}

pub async fn a_list_shows_tasks_in_full_but_for_their_descriptions(storage: Arc<dyn Storage>) {
    let scope = tenant(&storage, "engines").await;
    mixed(&storage, &scope).await;
    let listed = list(&storage, &scope, &query(&TaskFilter::default(), "created_at", 100, None)).await;
    assert_eq!(listed.len(), 30);
    for listed in listed {
        let full = task(&storage, &scope, listed.id).await.unwrap();
        assert!(full.description.is_some());
        assert_eq!(listed, Task { description: None, ..full });
    }
}

/// Filters on one field each, with the condition that their results meet.
type Filters = Vec<(TaskFilter, Box<dyn Fn(&Task) -> bool>)>;

fn filters(scope: &OrgScope, web: &Board, label: LabelId, grace: UserId, parent: TaskId) -> Filters {
    let (actor, project, doing) = (scope.actor(), web.project.id, web.doing.id);
    let day = NaiveDate::from_ymd_opt(2030, 1, 2).unwrap();
    let none = TaskFilter::default;
    let done_or_todo = vec![StatusCategory::Done, StatusCategory::Todo];
    let theirs = move |task: &Task, user| task.assignee.as_ref().map(|person| person.id) == user;
    vec![
        (none(), Box::new(|_| true)),
        (TaskFilter { project: Some(project), ..none() }, Box::new(move |task| task.project_id == project)),
        (TaskFilter { status: Some(doing), ..none() }, Box::new(move |task| task.status.id == doing)),
        (
            TaskFilter { categories: done_or_todo.clone(), ..none() },
            Box::new(move |task| done_or_todo.contains(&task.status.category)),
        ),
        (
            TaskFilter { assignee: Some(AssigneeFilter::User(grace)), ..none() },
            Box::new(move |task| theirs(task, Some(grace))),
        ),
        (
            TaskFilter { assignee: Some(AssigneeFilter::User(actor)), ..none() },
            Box::new(move |task| theirs(task, Some(actor))),
        ),
        (
            TaskFilter { assignee: Some(AssigneeFilter::Nobody), ..none() },
            Box::new(move |task| theirs(task, None)),
        ),
        (
            TaskFilter { priority: Some(Priority::None), ..none() },
            Box::new(|task| task.priority == Priority::None),
        ),
        (TaskFilter { kind: Some(TaskType::Bug), ..none() }, Box::new(|task| task.kind == TaskType::Bug)),
        (
            TaskFilter { label: Some(label), ..none() },
            Box::new(move |task| task.labels.iter().any(|on_it| on_it.id == label)),
        ),
        (
            TaskFilter { parent: Some(ParentFilter::Of(parent)), ..none() },
            Box::new(move |task| task.parent_id == Some(parent)),
        ),
        (
            TaskFilter { parent: Some(ParentFilter::None), ..none() },
            Box::new(|task| task.parent_id.is_none()),
        ),
        (
            TaskFilter { search: Some(Words::of("Engine EV")), ..none() },
            // The title shows whether the number is even or odd.
            Box::new(|task| task.title.ends_with(['0', '2', '4', '6', '8'])),
        ),
        (
            TaskFilter { due_before: Some(day), ..none() },
            Box::new(move |task| task.due_date.is_some_and(|due| due < day)),
        ),
        (TaskFilter { updated_after: Some(at(99)), ..none() }, Box::new(|task| task.updated_at > at(99))),
    ]
}

pub async fn every_filter_and_every_two_show_and_count_what_fits_them(storage: Arc<dyn Storage>) {
    let scope = tenant(&storage, "engines").await;
    let (web, label, grace) = mixed(&storage, &scope).await;
    let all = list(&storage, &scope, &query(&TaskFilter::default(), "created_at", 100, None)).await;
    let parent = all.iter().find_map(|task| task.parent_id).unwrap();
    let filters = filters(&scope, &web, label, grace, parent);
    for (index, (filter, fits)) in filters.iter().enumerate() {
        let fitting = all.iter().filter(|task| fits(task)).count();
        assert!(index == 0 || (fitting > 0 && fitting < 30), "filter {index} tells nothing apart: {fitting}");
        for (second, fits_too) in &filters {
            let both = TaskFilter {
                project: filter.project.or(second.project),
                status: filter.status.or(second.status),
                categories: if filter.categories.is_empty() {
                    &second.categories
                } else {
                    &filter.categories
                }
                .clone(),
                assignee: filter.assignee.or(second.assignee),
                priority: filter.priority.or(second.priority),
                kind: filter.kind.or(second.kind),
                label: filter.label.or(second.label),
                parent: filter.parent.or(second.parent),
                search: filter.search.clone().or_else(|| second.search.clone()),
                due_before: filter.due_before.or(second.due_before),
                updated_after: filter.updated_after.or(second.updated_after),
            };
            // Two filters on one field cannot be combined: the first one is kept.
            let is_one = both == *filter;
            let expected: BTreeSet<TaskId> = all
                .iter()
                .filter(|task| fits(task) && (is_one || fits_too(task)))
                .map(|task| task.id)
                .collect();
            let query = query(&both, "-created_at", 100, None);
            let listed = list(&storage, &scope, &query).await;
            assert!(listed.len() == expected.len(), "{both:?}: {} of {}", listed.len(), expected.len());
            assert!(listed.iter().all(|task| expected.contains(&task.id)), "{both:?}");
            let count = read!(storage, uow => uow.tasks().count(&scope, &query));
            assert_eq!(count, expected.len() as i64, "{both:?}");
        }
    }
}

pub async fn a_filter_by_what_is_not_there_shows_nothing(storage: Arc<dyn Storage>) {
    let (scope, board) = project_of(&storage, "engines").await;
    add_findable(&storage, &scope, &board, "Engine", "").await;
    let none = TaskFilter::default;
    for filter in [
        TaskFilter { project: Some(id()), ..none() },
        TaskFilter { status: Some(id()), ..none() },
        TaskFilter { assignee: Some(AssigneeFilter::User(id())), ..none() },
        TaskFilter { label: Some(id()), ..none() },
        TaskFilter { parent: Some(ParentFilter::Of(id())), ..none() },
        TaskFilter { search: Some(Words::of("difference")), ..none() },
        TaskFilter { due_before: NaiveDate::from_ymd_opt(9999, 12, 31), ..none() },
        // No task changes after the time of its last change.
        TaskFilter { updated_after: Some(at(0)), ..none() },
    ] {
        let query = query(&filter, "created_at", 10, None);
        assert_eq!(list(&storage, &scope, &query).await, [], "{filter:?}");
        assert_eq!(read!(storage, uow => uow.tasks().count(&scope, &query)), 0, "{filter:?}");
    }
}

pub async fn a_list_by_words_looks_at_tasks_and_not_at_their_comments(storage: Arc<dyn Storage>) {
    let (scope, board) = project_of(&storage, "engines").await;
    let (in_title, in_text, in_comment) = (
        add_findable(&storage, &scope, &board, "Café", "").await,
        add_findable(&storage, &scope, &board, "Another", "in the cafés of Paris").await,
        add_findable(&storage, &scope, &board, "A third", "").await,
    );
    let mut document = task_document(in_comment.id, "", "a cafe");
    document.id = uuid::Uuid::from(id::<TaskId>());
    document.kind = SearchKind::Comment;
    commit!(storage, uow => uow.search().put(&scope, &document));
    let words = async |text| {
        let filter = TaskFilter { search: Some(Words::of(text)), ..TaskFilter::default() };
        let found = list(&storage, &scope, &query(&filter, "created_at", 10, None)).await;
        found.into_iter().map(|task| task.id).collect::<BTreeSet<_>>()
    };
    assert_eq!(words("CAFE").await, BTreeSet::from([in_title.id, in_text.id]));
    assert_eq!(words("paris caf").await, BTreeSet::from([in_text.id]));
    assert_eq!(words("caf paris").await, BTreeSet::new(), "the last alone may go on");
}

pub async fn tasks_added_between_pages_shift_none(storage: Arc<dyn Storage>) {
    let (scope, board) = project_of(&storage, "engines").await;
    let add = async |title: &str, seconds| {
        let new = NewTask { created_at: at(seconds), ..new_task(&scope, &board, title) };
        put_task(&storage, &scope, &new).await
    };
    for (title, seconds) in [("a", 10), ("b", 20), ("c", 30), ("d", 40)] {
        add(title, seconds).await;
    }
    let next = async |cursor: Option<String>| {
        let query = query(&TaskFilter::default(), "-created_at", 2, cursor.as_deref());
        query.page(list(&storage, &scope, &query).await, None, u32::MAX)
    };
    let first = next(None).await;
    add("early", 5).await;
    add("between", 15).await;
    add("late", 50).await;
    let gone = first.items[1].id;
    assert!(commit!(storage, uow => uow.tasks().delete(&scope, gone.into())));
    let second = next(first.next_cursor.clone()).await;
    let third = next(second.next_cursor.clone()).await;
    let seen: Vec<String> =
        [first, second, third].into_iter().flat_map(|page| page.items).map(|task| task.title).collect();
    assert_eq!(seen, ["d", "c", "b", "between", "a", "early"]);
}
