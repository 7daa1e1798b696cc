//! Every list of tasks: each sort, each single condition, and conditions that match many tasks.

use workscribe_core::id::TaskId;
use workscribe_core::search::Words;
use workscribe_core::tenancy::OrgScope;
use workscribe_core::work::{
    AssigneeFilter, Color, Label, ParentFilter, Priority, Project, ProjectKey, Status, StatusCategory, Task,
    TaskFilter, TaskQuery, TaskSort, TaskType,
};
use workscribe_core::{Target, UnitOfWork};

use super::{new_id, new_task, new_user, now, organization_with_a_task};

/// Sets one condition of a filter.
type Condition = fn(&mut TaskFilter, &Task);

/// Lists with every sort, with a first and a later page, and with every condition, of a project and of a person.
pub(super) async fn task_lists(uow: &mut dyn UnitOfWork) {
    let user = uow.users().insert(&new_user("grace@example.com")).await.unwrap();
    let (scope, project, task) = &organization_with_a_task(uow, user.id).await;
    let of_project = TaskFilter { project: Some(project.id), ..TaskFilter::default() };
    let of_person =
        TaskFilter { assignee: Some(AssigneeFilter::User(scope.actor())), ..TaskFilter::default() };
    for name in TaskSort::NAMES {
        let sort = TaskSort::parse(name).unwrap();
        for filter in [&of_project, &of_person] {
            let first = TaskQuery::new(filter.clone(), sort, None, None, true).unwrap();
            let found = uow.tasks().list(scope, &first).await.unwrap();
            assert_eq!(found, [Task { description: None, ..task.clone() }], "{name}");
            let cursor = sort.key(task).encode();
            let next = TaskQuery::new(filter.clone(), sort, None, Some(&cursor), false).unwrap();
            assert_eq!(uow.tasks().list(scope, &next).await.unwrap(), [], "{name}");
        }
    }
    let conditions: [(Condition, usize); 14] = [
        (|filter, task| filter.status = Some(task.status.id), 1),
        (|filter, _| filter.categories = vec![StatusCategory::Todo, StatusCategory::Done], 1),
        (|filter, _| filter.categories = vec![StatusCategory::Done], 0),
        (|filter, task| filter.assignee = Some(AssigneeFilter::User(task.reporter.id)), 1),
        (|filter, _| filter.assignee = Some(AssigneeFilter::Nobody), 0),
        (|filter, _| filter.priority = Some(Priority::High), 1),
        (|filter, _| filter.kind = Some(TaskType::Bug), 1),
        (|filter, _| filter.label = Some(new_id()), 0),
        (|filter, task| filter.parent = Some(ParentFilter::Of(task.id)), 0),
        (|filter, _| filter.parent = Some(ParentFilter::None), 1),
        (|filter, _| filter.search = Some(Words::of("fix login")), 0),
        (|filter, _| filter.search = Some(Words::default()), 0),
        (|filter, _| filter.due_before = chrono::NaiveDate::from_ymd_opt(2031, 2, 4), 1),
        (|filter, task| filter.updated_after = Some(task.updated_at), 0),
    ];
    for (at, (condition, number)) in conditions.into_iter().enumerate() {
        for name in ["position", "-due_date"] {
            for mut filter in [of_project.clone(), of_person.clone()] {
                condition(&mut filter, task);
                let query = TaskQuery::new(filter, TaskSort::parse(name).unwrap(), None, None, true).unwrap();
                let found = uow.tasks().list(scope, &query).await.unwrap();
                assert_eq!(found.len(), number, "{at} {name}");
                assert_eq!(uow.tasks().count(scope, &query).await.unwrap(), number as i64, "{at} {name}");
            }
        }
    }
    lists_of_many(uow, scope, project, task).await;
}

/// Lists by a label and by a person that more tasks have than are collected at once. They are found on a walk, unless another
/// condition matches few tasks.
async fn lists_of_many(uow: &mut dyn UnitOfWork, scope: &OrgScope, project: &Project, task: &Task) {
    let mut labels = Vec::new();
    for name in ["Common", "Rare"] {
        let label = Label {
            id: new_id(),
            project_id: project.id,
            name: name.into(),
            color: Color::parse("#00ff00").unwrap(),
            version: 1,
            created_at: now(),
            updated_at: now(),
        };
        uow.labels().insert(scope, &label).await.unwrap();
        labels.push(label.id);
    }
    let (common, rare) = (labels[0], labels[1]);
    let mut all = vec![task.id];
    for number in 0..230 {
        let mut new = new_task(project, &task.status, scope.actor());
        new.fields.due_date = chrono::NaiveDate::from_ymd_opt(2031, 2, 3 - number % 3);
        uow.tasks().insert(scope, &new).await.unwrap();
        let labels = if number == 70 { vec![common, rare] } else { vec![common] };
        uow.labels().attach(scope, new.id, &labels).await.unwrap();
        all.push(new.id);
    }
    let actor = Some(AssigneeFilter::User(scope.actor()));
    let of_project = TaskFilter { project: Some(project.id), ..TaskFilter::default() };
    for name in ["position", "-due_date"] {
        let everything = every_page(uow, scope, &of_project, name).await;
        assert_eq!(everything.len(), all.len(), "{name}");
        let filter = TaskFilter { assignee: actor, ..of_project.clone() };
        assert_eq!(every_page(uow, scope, &filter, name).await, everything, "{name}");
        let labelled: Vec<TaskId> = everything.iter().copied().filter(|id| *id != task.id).collect();
        for assignee in [None, actor] {
            let filter = TaskFilter { label: Some(common), assignee, ..of_project.clone() };
            assert_eq!(every_page(uow, scope, &filter, name).await, labelled, "{name}");
            let filter = TaskFilter { label: Some(rare), assignee, ..of_project.clone() };
            assert_eq!(every_page(uow, scope, &filter, name).await, [all[71]], "{name}");
        }
    }
    // Of a person whose tasks are nearly all in another project.
    let other = Project {
        id: new_id(),
        name: "Another".into(),
        key: ProjectKey::parse("OTHER").unwrap(),
        ..project.clone()
    };
    let status = Status { id: new_id(), project_id: other.id, ..task.status.clone() };
    uow.projects().insert(scope, &other, std::slice::from_ref(&status)).await.unwrap();
    let one = new_task(&other, &status, scope.actor());
    uow.tasks().insert(scope, &one).await.unwrap();
    let filter = TaskFilter { project: Some(other.id), assignee: actor, ..TaskFilter::default() };
    for name in ["position", "-due_date"] {
        assert_eq!(every_page(uow, scope, &filter, name).await, [one.id], "{name}");
    }
    // The id of a removed label may stay in the `label_ids` of tasks.
    assert!(uow.labels().delete(scope, Target::new(common, Some(1)).within(project.id)).await.unwrap());
    let filter = TaskFilter { label: Some(common), ..of_project };
    assert_eq!(every_page(uow, scope, &filter, "position").await, []);
}

/// The tasks of a list, page by page.
async fn every_page(
    uow: &mut dyn UnitOfWork,
    scope: &OrgScope,
    filter: &TaskFilter,
    sort: &str,
) -> Vec<TaskId> {
    let sort = TaskSort::parse(sort).unwrap();
    let (mut found, mut cursor) = (Vec::new(), None::<String>);
    loop {
        let query = TaskQuery::new(filter.clone(), sort, Some(40), cursor.as_deref(), true).unwrap();
        let mut page = uow.tasks().list(scope, &query).await.unwrap();
        let has_more = page.len() > 40;
        page.truncate(40);
        found.extend(page.iter().map(|task| task.id));
        if !has_more {
            assert_eq!(uow.tasks().count(scope, &query).await.unwrap(), found.len() as i64);
            return found;
        }
        cursor = page.last().map(|task| sort.key(task).encode());
    }
}
