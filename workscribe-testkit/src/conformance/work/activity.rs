//! The history of an organization.

use super::fixtures::*;
use super::prelude::*;

use workscribe_core::events::EventKind;
use workscribe_core::work::{Activity, NewActivity};

async fn list(storage: &Arc<dyn Storage>, scope: &OrgScope, task: Option<TaskId>) -> Vec<Activity> {
    read!(storage, uow => uow.activity().list(scope, task, &PageRequest::largest()))
}

pub async fn a_line_is_found_as_it_was_stored_with_who_did_it(storage: Arc<dyn Storage>) {
    let scope = tenant(&storage, "engines").await;
    let (project, task) = (id::<ProjectId>(), id::<TaskId>());
    let full = NewActivity {
        action: EventKind::TaskUpdated,
        field_name: Some("title"),
        old_value: Some(UNICODE.into()),
        new_value: Some("ä".repeat(1_000)),
        ..new_line(project, Some(task), at_micros(7))
    };
    let bare = NewActivity { project_id: None, ..new_line(project, None, at(-1)) };
    commit!(storage, uow => uow.activity().add(&scope, &[full.clone(), bare.clone()]));
    let actor = person(&storage, scope.actor()).await;
    let expected = [full, bare].map(|line| Activity {
        id: line.id,
        org_id: scope.org(),
        project_id: line.project_id,
        task_id: line.task_id,
        actor: actor.clone(),
        action: line.action,
        field_name: line.field_name.map(str::to_owned),
        old_value: line.old_value,
        new_value: line.new_value,
        created_at: line.created_at,
    });
    assert_eq!(list(&storage, &scope, None).await, expected);
    assert_eq!(list(&storage, &scope, Some(task)).await, expected[..1]);
}

pub async fn every_action_is_kept(storage: Arc<dyn Storage>) {
    let scope = tenant(&storage, "engines").await;
    let lines: Vec<NewActivity> = (0..)
        .zip(EventKind::ALL)
        .map(|(micros, action)| NewActivity { action: *action, ..new_line(id(), None, at_micros(-micros)) })
        .collect();
    commit!(storage, uow => uow.activity().add(&scope, &lines));
    commit!(storage, uow => uow.activity().add(&scope, &[]));
    let seen: Vec<_> = list(&storage, &scope, None).await.iter().map(|line| line.action).collect();
    assert_eq!(seen, EventKind::ALL);
}

pub async fn lines_are_listed_newest_first_page_by_page_of_one_task_or_of_all(storage: Arc<dyn Storage>) {
    let scope = tenant(&storage, "engines").await;
    let other = tenant(&storage, "compilers").await;
    let tasks = [Some(id::<TaskId>()), Some(id()), None];
    let mut all = Vec::new();
    // Three share each time, so that the id determines the order.
    for index in 0..12_usize {
        let created_at = at_micros(i64::try_from(index / 3).unwrap());
        all.push(new_line(id(), tasks[index % 4 % 3], created_at));
    }
    commit!(storage, uow => uow.activity().add(&scope, &all));
    commit!(storage, uow => uow.activity().add(&other, &[new_line(id(), tasks[0], at(9))]));
    all.sort_by_key(|line| std::cmp::Reverse((line.created_at, line.id)));
    for task in [None, tasks[0], tasks[1], Some(id())] {
        let expected = all.iter().filter(|line| task.is_none() || line.task_id == task);
        let expected: Vec<_> = expected.map(|line| line.id).collect();
        for limit in [1, 2, 3, 12, 100] {
            let seen = all_pages(limit, async |page| {
                let rows = read!(storage, uow => uow.activity().list(&scope, task, &page));
                assert!(rows.len() <= page.fetch() as usize, "no more rows than were asked for");
                page.page(rows, None, |row| Cursor { at: row.created_at, id: row.id.into() })
            })
            .await;
            assert_eq!(seen.iter().map(|line| line.id).collect::<Vec<_>>(), expected, "pages of {limit}");
        }
        let count = read!(storage, uow => uow.activity().count(&scope, task));
        assert_eq!(count, expected.len() as i64);
    }
}

pub async fn a_line_with_the_id_of_another_is_refused_with_all_that_came_with_it(storage: Arc<dyn Storage>) {
    let scope = tenant(&storage, "engines").await;
    let line = new_line(id(), None, at(0));
    commit!(storage, uow => uow.activity().add(&scope, std::slice::from_ref(&line)));
    let lines = [new_line(id(), None, at(1)), line];
    assert_fault!(settle!(storage, uow => uow.activity().add(&scope, &lines)));
    assert_eq!(read!(storage, uow => uow.activity().count(&scope, None)), 1);
}

pub async fn hundreds_of_lines_are_added_at_once(storage: Arc<dyn Storage>) {
    let scope = tenant(&storage, "engines").await;
    let lines: Vec<NewActivity> = (0..700).map(|micros| new_line(id(), None, at_micros(micros))).collect();
    commit!(storage, uow => uow.activity().add(&scope, &lines));
    assert_eq!(read!(storage, uow => uow.activity().count(&scope, None)), 700);
    assert_eq!(list(&storage, &scope, None).await[0].id, lines[699].id);
}
