//! Projects, and the look-up of the door to one.

use super::fixtures::*;
use super::prelude::*;

use workscribe_core::work::{
    Archived, Entered, Project, ProjectChange, ProjectRef, ProjectType, StatusCategory,
};
use workscribe_core::{Constraint, Target};

async fn find(storage: &Arc<dyn Storage>, scope: &OrgScope, id: ProjectId) -> Option<Project> {
    read!(storage, uow => uow.projects().find(scope, id))
}

async fn door(
    storage: &Arc<dyn Storage>,
    slug: &str,
    user: UserId,
    project: ProjectRef,
) -> Option<Entered<Option<Project>>> {
    let slug = Slug::parse(slug).unwrap();
    read!(storage, uow => uow.projects().enter(&slug, user, &project))
}

pub async fn a_project_is_found_as_it_was_stored(storage: Arc<dyn Storage>) {
    let scope = tenant(&storage, "engines").await;
    let grace = add_user(&storage, "grace").await;
    add_member(&storage, &scope, &grace, Role::Admin, at(1)).await;
    let project = Project {
        name: UNICODE.into(),
        description: Some(format!("{UNICODE}\n\t{UNICODE}")),
        kind: ProjectType::Scrum,
        created_at: at_micros(7),
        updated_at: at_micros(8),
        ..new_project(&scope, "WEB")
    };
    commit!(storage, uow => uow.projects().insert(&scope, &project, &[]));
    assert_eq!(find(&storage, &scope, project.id).await, Some(project.clone()));
    assert_eq!(find(&storage, &scope, id()).await, None);
    for by in [ProjectRef::Id(project.id), ProjectRef::Key(key("WEB"))] {
        let entered = door(&storage, "engines", grace.id, by).await;
        let expected = Entered {
            org: scope.org(),
            role: Role::Admin,
            actor: person(&storage, grace.id).await,
            found: Some(project.clone()),
        };
        assert_eq!(entered, Some(expected));
    }
}

pub async fn the_door_to_a_project_is_shut_to_outsiders_and_former_members(storage: Arc<dyn Storage>) {
    let (scope, board) = project_of(&storage, "engines").await;
    let theirs = tenant(&storage, "compilers").await;
    let other = add_project(&storage, &theirs, "APP").await;
    let grace = add_user(&storage, "grace").await;
    add_member(&storage, &scope, &grace, Role::Member, at(1)).await;
    let by_id = ProjectRef::Id(board.project.id);
    assert!(door(&storage, "engines", grace.id, by_id.clone()).await.is_some());
    commit!(storage, uow => uow.members().remove(&scope, grace.id, None));
    for user in [grace.id, theirs.actor(), id()] {
        assert_eq!(door(&storage, "engines", user, by_id.clone()).await, None);
        assert_eq!(door(&storage, "engines", user, ProjectRef::Key(key("WEB"))).await, None);
    }
    assert_eq!(door(&storage, "nowhere", scope.actor(), by_id).await, None);
    // A member finds no project that belongs to another organization.
    for by in [ProjectRef::Id(other.project.id), ProjectRef::Key(key("APP")), ProjectRef::Id(id())] {
        assert_eq!(door(&storage, "engines", scope.actor(), by).await.unwrap().found, None);
    }
}

pub async fn a_key_belongs_to_one_project_of_an_organization(storage: Arc<dyn Storage>) {
    let (scope, board) = project_of(&storage, "engines").await;
    let again = new_project(&scope, "web");
    assert_conflict!(attempt!(storage, uow => uow.projects().insert(&scope, &again, &[])), ProjectKey);
    let same = Project { id: board.project.id, ..new_project(&scope, "APP") };
    assert_fault!(attempt!(storage, uow => uow.projects().insert(&scope, &same, &[])));
    let archive = ProjectChange { is_archived: Some(true), ..ProjectChange::default() };
    commit!(storage, uow => uow.projects().update(&scope, board.project.id.into(), &archive, at(1)));
    let again = new_project(&scope, "WEB");
    assert_conflict!(attempt!(storage, uow => uow.projects().insert(&scope, &again, &[])), ProjectKey);
    // Another organization has its own keys.
    project_of(&storage, "compilers").await;
    assert_eq!(read!(storage, uow => uow.projects().count(&scope, Archived::All)), 1);
}

pub async fn a_project_comes_with_its_statuses_or_not_at_all(storage: Arc<dyn Storage>) {
    let (scope, board) = project_of(&storage, "engines").await;
    let statuses = read!(storage, uow => uow.statuses().list(&scope, board.project.id));
    assert_eq!(statuses, [board.todo, board.doing, board.done]);
    let project = new_project(&scope, "APP");
    let statuses = [
        new_status(project.id, "Open", StatusCategory::Todo, 0),
        new_status(project.id, "OPEN", StatusCategory::Done, 1),
    ];
    let inserted = attempt!(storage, uow => uow.projects().insert(&scope, &project, &statuses));
    assert_conflict!(inserted, StatusName);
    assert_eq!(find(&storage, &scope, project.id).await, None);
}

pub async fn a_project_is_made_by_somebody_who_is_there(storage: Arc<dyn Storage>) {
    let scope = tenant(&storage, "engines").await;
    let project = Project { created_by: id(), ..new_project(&scope, "WEB") };
    assert_conflict!(attempt!(storage, uow => uow.projects().insert(&scope, &project, &[])), Reference);
    let project = new_project(&scope, "WEB");
    assert!(commit!(storage, uow => uow.organizations().delete(&scope, None)));
    assert_conflict!(attempt!(storage, uow => uow.projects().insert(&scope, &project, &[])), Reference);
}

pub async fn projects_are_listed_by_age_page_by_page(storage: Arc<dyn Storage>) {
    let scope = tenant(&storage, "engines").await;
    project_of(&storage, "compilers").await;
    let mut all = Vec::new();
    // Three share each time, so that the id determines the order.
    for index in 0..9_i64 {
        let created_at = at_micros(9 - index / 3);
        let project = Project {
            is_archived: index % 4 == 0,
            created_at,
            updated_at: created_at,
            ..new_project(&scope, &format!("P{index}"))
        };
        commit!(storage, uow => uow.projects().insert(&scope, &project, &[]));
        all.push(project);
    }
    all.sort_by_key(|project| (project.created_at, project.id));
    for (archived, expected) in [
        (Archived::All, all.clone()),
        (Archived::No, all.iter().filter(|project| !project.is_archived).cloned().collect()),
        (Archived::Yes, all.iter().filter(|project| project.is_archived).cloned().collect()),
    ] {
        for limit in [1, 2, 3, 9, 100] {
            let seen = all_pages(limit, async |page| {
                let rows = read!(storage, uow => uow.projects().list(&scope, archived, &page));
                assert!(rows.len() <= page.fetch() as usize, "no more rows than were asked for");
                page.page(rows, None, |row| Cursor { at: row.created_at, id: row.id.into() })
            })
            .await;
            assert_eq!(seen, expected, "{archived:?} in pages of {limit}");
        }
        let count = read!(storage, uow => uow.projects().count(&scope, archived));
        assert_eq!(count, expected.len() as i64, "{archived:?}");
    }
}

pub async fn a_project_changes_in_what_is_named_only(storage: Arc<dyn Storage>) {
    let (scope, board) = project_of(&storage, "engines").await;
    let mut expected = board.project;
    let changes = [
        ProjectChange { name: Some(UNICODE.into()), ..ProjectChange::default() },
        ProjectChange { description: Some(Some("What for".into())), ..ProjectChange::default() },
        ProjectChange { is_archived: Some(true), ..ProjectChange::default() },
        ProjectChange { description: Some(None), is_archived: Some(false), name: None },
    ];
    for (seconds, change) in (1..).zip(changes) {
        let changed =
            commit!(storage, uow => uow.projects().update(&scope, expected.id.into(), &change, at(seconds)));
        if let Some(name) = change.name {
            expected.name = name;
        }
        if let Some(description) = change.description {
            expected.description = description;
        }
        expected.is_archived = change.is_archived.unwrap_or(expected.is_archived);
        expected.version += 1;
        expected.updated_at = at(seconds);
        assert_eq!(changed.as_ref(), Some(&expected));
        assert_eq!(find(&storage, &scope, expected.id).await.as_ref(), Some(&expected));
    }
}

pub async fn a_change_of_a_project_of_another_version_is_stale(storage: Arc<dyn Storage>) {
    let (scope, board) = project_of(&storage, "engines").await;
    let change = ProjectChange { name: Some("Another".into()), ..ProjectChange::default() };
    let update = async |id, expected| attempt!(storage, uow => uow.projects().update(&scope, Target::new(id, expected), &change, at(1)));
    assert_stale!(update(board.project.id, Some(2)).await);
    assert_eq!(find(&storage, &scope, board.project.id).await, Some(board.project.clone()));
    assert_eq!(update(board.project.id, Some(1)).await.unwrap().unwrap().version, 2);
    assert_eq!(update(id(), Some(1)).await.unwrap(), None, "a missing row is not a stale one");
}

pub async fn a_projects_lock_is_held_until_the_end_of_the_transaction(storage: Arc<dyn Storage>) {
    let (scope, board) = project_of(&storage, "engines").await;
    let project = board.project.id;
    let mut first = storage.begin().await.unwrap();
    assert_eq!(first.projects().lock(&scope, id()).await.unwrap(), None);
    assert_eq!(first.projects().lock(&scope, project).await.unwrap(), Some(board.project));
    let others = Arc::clone(&storage);
    let mut second = tokio::spawn(async move {
        let mut uow = others.begin().await.unwrap();
        assert!(uow.projects().find(&scope, project).await.unwrap().is_some());
        uow.projects().hold(&scope, project).await.unwrap();
        let locked = uow.projects().lock(&scope, project).await.unwrap().unwrap();
        uow.commit().await.unwrap();
        locked.name
    });
    let early = tokio::time::timeout(Duration::from_millis(200), &mut second).await;
    assert!(early.is_err(), "the second must wait");
    let change = ProjectChange { name: Some("Renamed".into()), ..ProjectChange::default() };
    first.projects().update(&scope, project.into(), &change, at(1)).await.unwrap();
    first.commit().await.unwrap();
    let name = tokio::time::timeout(Duration::from_secs(10), second).await.expect("it goes on").unwrap();
    assert_eq!(name, "Renamed", "it reads under the lock");
}

pub async fn the_last_position_of_a_project_moves_on(storage: Arc<dyn Storage>) {
    let (scope, board) = project_of(&storage, "engines").await;
    let project = board.project.id;
    let advance = async |by| commit!(storage, uow => uow.projects().advance_position(&scope, project, by));
    assert_eq!(advance(0).await, Some(0));
    assert_eq!(advance(70).await, Some(70));
    let task = add_task(&storage, &scope, &board, "After that").await;
    assert_eq!(task.position, 70 + workscribe_core::work::order::GAP);
    assert_eq!(advance(0).await, Some(task.position));
    let gone = commit!(storage, uow => uow.projects().advance_position(&scope, id(), 1));
    assert_eq!(gone, None);
    let mut ends = all_at_once(20, |_| {
        let storage = Arc::clone(&storage);
        async move { commit!(storage, uow => uow.projects().advance_position(&scope, project, 5)).unwrap() }
    })
    .await;
    ends.sort_unstable();
    assert_eq!(ends, (1..=20).map(|n| task.position + 5 * n).collect::<Vec<_>>());
    let same = find(&storage, &scope, project).await;
    assert_eq!(same, Some(board.project), "neither a new version nor a new time");
}

pub async fn of_twenty_projects_with_one_key_one_is_added(storage: Arc<dyn Storage>) {
    let scope = tenant(&storage, "engines").await;
    let results = all_at_once(20, |_| {
        let storage = Arc::clone(&storage);
        async move {
            let project = new_project(&scope, "WEB");
            let statuses = [new_status(project.id, "To Do", StatusCategory::Todo, 0)];
            attempt!(storage, uow => uow.projects().insert(&scope, &project, &statuses))
        }
    })
    .await;
    assert_one_winner(&results, Constraint::ProjectKey);
    assert_eq!(read!(storage, uow => uow.projects().count(&scope, Archived::All)), 1);
}
