//! The export and import of whole organizations, row by row.

use super::fixtures::*;
use super::prelude::*;

use workscribe_core::events::EventKind;
use workscribe_core::notifications::{EntityType, NotificationType};
use workscribe_core::transfer::{
    ActivityRow, CommentRow, Kind, LabelRow, MemberRow, NotificationRow, ProjectRow, Record, StatusRow,
    TaskRow,
};
use workscribe_core::work::{Color, Document, Priority, ProjectType, StatusCategory, TaskType};
use workscribe_core::{Constraint, StoreError};

/// Consistent rows of every kind except members: the second task is a subtask of the first, and comes before it.
fn rows_of(user: UserId) -> Vec<Record> {
    let (project_id, status_id, label_id): (ProjectId, StatusId, LabelId) = (id(), id(), id());
    let (mut first, mut second): (TaskId, TaskId) = (id(), id());
    if first < second {
        std::mem::swap(&mut first, &mut second);
    }
    let (created_at, updated_at) = (at_micros(1_000_001), at_micros(2_000_002));
    let text = || Document::of_text(UNICODE);
    let task = |id, number, parent_id, label_ids| {
        Record::Task(TaskRow {
            id,
            project_id,
            number,
            title: UNICODE.into(),
            description: Some(text()),
            status_id,
            position: -number,
            assignee_id: Some(user),
            reporter_id: user,
            priority: Priority::Urgent,
            kind: TaskType::Subtask,
            parent_id,
            label_ids,
            due_date: Some(chrono::NaiveDate::from_ymd_opt(2026, 2, 28).unwrap()),
            version: 4,
            created_at,
            updated_at,
            subtask_count: 0,
            comment_count: 0,
        })
    };
    vec![
        Record::Project(ProjectRow {
            id: project_id,
            name: UNICODE.into(),
            key: key("WEB"),
            description: Some(UNICODE.into()),
            kind: ProjectType::Scrum,
            is_archived: true,
            last_number: 9,
            last_position: -7,
            created_by: user,
            version: 2,
            created_at,
            updated_at,
        }),
        Record::Status(StatusRow {
            id: status_id,
            project_id,
            name: "To Do".into(),
            category: StatusCategory::Todo,
            position: 3,
            color: Some(Color::parse("#00ff00").unwrap()),
            version: 3,
            created_at,
            updated_at,
        }),
        Record::Label(LabelRow {
            id: label_id,
            project_id,
            name: UNICODE.into(),
            color: Color::parse("#0000ff").unwrap(),
            version: 5,
            created_at,
            updated_at,
        }),
        task(second, 2, Some(first), vec![label_id]),
        task(first, 1, None, vec![]),
        Record::Comment(CommentRow {
            id: id(),
            task_id: first,
            author_id: user,
            body: text(),
            is_edited: true,
            version: 6,
            created_at,
            updated_at,
        }),
        Record::Activity(ActivityRow {
            id: id(),
            project_id: Some(id()),
            task_id: Some(id()),
            actor_id: user,
            action: EventKind::TaskDeleted,
            field_name: Some("of another server".into()),
            old_value: Some(UNICODE.into()),
            new_value: None,
            created_at,
        }),
        Record::Notification(NotificationRow {
            id: id(),
            user_id: user,
            kind: NotificationType::Mention,
            title: UNICODE.into(),
            body: None,
            entity_type: EntityType::Comment,
            entity_id: id::<TaskId>().into(),
            actor_id: None,
            is_read: true,
            is_mailed: false,
            created_at,
        }),
    ]
}

/// Every row of an organization except its members, read in pages of one row.
async fn stored(storage: &Arc<dyn Storage>, scope: &OrgScope) -> Vec<Record> {
    let mut rows = Vec::new();
    for kind in Kind::ALL.iter().copied().filter(|kind| *kind != Kind::Member) {
        let mut after = None;
        while let [row] = read!(storage, uow => uow.transfer().page(scope, kind, after, 1)).as_slice() {
            after = Some(row.id());
            rows.push(row.clone());
        }
    }
    rows
}

async fn members(storage: &Arc<dyn Storage>, scope: &OrgScope) -> Vec<Record> {
    read!(storage, uow => uow.transfer().page(scope, Kind::Member, None, 100))
}

pub async fn rows_come_back_page_by_page_as_they_were_restored(storage: Arc<dyn Storage>) {
    let scope = tenant(&storage, "engines").await;
    let rows = rows_of(scope.actor());
    commit!(storage, uow => uow.transfer().restore(&scope, &rows));
    assert_eq!(stored(&storage, &scope).await, rows);
    let Record::Task(row) = &rows[3] else { panic!("a task") };
    let task = task(&storage, &scope, row.id).await.unwrap();
    assert_eq!((task.labels.len(), task.parent_id, task.version), (1, row.parent_id, 4));
}

pub async fn a_page_has_the_rows_of_one_organization_alone(storage: Arc<dyn Storage>) {
    let (scope, other) = (tenant(&storage, "engines").await, tenant(&storage, "looms").await);
    let rows = rows_of(other.actor());
    commit!(storage, uow => uow.transfer().restore(&other, &rows));
    assert!(stored(&storage, &scope).await.is_empty());
    assert_eq!(members(&storage, &scope).await.len(), 1);
    // The same ids in two organizations are two separate rows.
    commit!(storage, uow => uow.transfer().restore(&scope, &rows));
    assert_eq!(stored(&storage, &scope).await, rows);
    assert_eq!(stored(&storage, &other).await, rows);
}

pub async fn a_restored_row_has_an_id_of_its_own_and_what_it_refers_to(storage: Arc<dyn Storage>) {
    let scope = tenant(&storage, "engines").await;
    let rows = rows_of(scope.actor());
    for missing in [0, 2, 4] {
        let rows: Vec<Record> =
            rows.iter().enumerate().filter(|(n, _)| *n != missing).map(|(_, row)| row.clone()).collect();
        let mut uow = storage.begin().await.unwrap();
        let restored = uow.transfer().restore(&scope, &rows).await;
        let result = if restored.is_ok() { uow.commit().await } else { restored };
        assert_conflict!(result, Reference);
    }
    commit!(storage, uow => uow.transfer().restore(&scope, &rows));
    for row in &rows {
        let again = attempt!(storage, uow => uow.transfer().restore(&scope, std::slice::from_ref(row)));
        // If the id and the name of a row are taken, each database reports the conflict that it finds first.
        let is_taken = match again.expect_err("it is there") {
            StoreError::Backend(_) => true,
            StoreError::Conflict { constraint, .. } => constraint != Constraint::Reference,
            _ => false,
        };
        assert!(is_taken, "{row:?}");
    }
    assert_eq!(stored(&storage, &scope).await, rows);
}

pub async fn a_task_that_is_adopted_is_a_part_and_is_not_counted_again(storage: Arc<dyn Storage>) {
    let (scope, stranger) = (tenant(&storage, "engines").await, tenant(&storage, "looms").await);
    let mut rows = rows_of(scope.actor());
    let Record::Task(template) = rows[3].clone() else { panic!("a task") };
    rows.truncate(3);
    let ids: [TaskId; 4] = [id(), id(), id(), id()];
    let [whole, first, second, apart] = ids;
    for (number, id) in (1..).zip(ids) {
        let subtask_count = if id == whole { 2 } else { 0 };
        rows.push(Record::Task(TaskRow { id, number, parent_id: None, subtask_count, ..template.clone() }));
    }
    commit!(storage, uow => uow.transfer().restore(&scope, &rows));
    let parents = [(first, whole), (second, whole)];
    commit!(storage, uow => uow.transfer().adopt(&stranger, &parents));
    let before = task(&storage, &scope, first).await.unwrap();
    assert_eq!(before.parent_id, None, "it is another organization's");
    commit!(storage, uow => uow.transfer().adopt(&scope, &parents));
    commit!(storage, uow => uow.transfer().adopt(&scope, &[]));
    for (number, id) in (1..).zip(ids) {
        let found = task(&storage, &scope, id).await.unwrap();
        let parent = (id == first || id == second).then_some(whole);
        let subtasks = if id == whole { 2 } else { 0 };
        assert_eq!((found.number, found.parent_id, found.subtask_count), (number, parent, subtasks));
        assert_eq!((found.version, found.updated_at), (template.version, template.updated_at));
    }
    assert_eq!(task(&storage, &scope, apart).await.unwrap().labels.len(), 1, "it stays as it is");
}

pub async fn a_restored_membership_takes_the_place_of_the_persons(storage: Arc<dyn Storage>) {
    let scope = tenant(&storage, "engines").await;
    let guest = add_user(&storage, "guest").await;
    let row = |user_id, role, version, second| {
        Record::Member(MemberRow { user_id, role, version, joined_at: at(second) })
    };
    let mut rows = vec![row(scope.actor(), Role::Owner, 7, 2), row(guest.id, Role::Owner, 3, 1)];
    commit!(storage, uow => uow.transfer().restore(&scope, &rows));
    rows.sort_by_key(Record::id);
    assert_eq!(members(&storage, &scope).await, rows);
    let slug = Slug::existing("engines").unwrap();
    assert_eq!(read!(storage, uow => uow.transfer().first_owner(&slug)), Some(guest.id));
    let nobody = Slug::existing("nobody").unwrap();
    assert_eq!(read!(storage, uow => uow.transfer().first_owner(&nobody)), None);
    let people = read!(storage, uow => uow.transfer().people(&[guest.id]));
    assert_eq!((people.len(), people[0].id, &people[0].email), (1, guest.id, &guest.email));
}

pub async fn a_snapshot_sees_nothing_that_is_committed_after_its_first_statement(storage: Arc<dyn Storage>) {
    let scope = tenant(&storage, "engines").await;
    let mut snapshot = storage.snapshot().await.unwrap();
    assert!(snapshot.transfer().page(&scope, Kind::Task, None, 10).await.unwrap().is_empty());
    let rows = rows_of(scope.actor());
    commit!(storage, uow => uow.transfer().restore(&scope, &rows));
    assert!(snapshot.transfer().page(&scope, Kind::Task, None, 10).await.unwrap().is_empty());
    assert!(snapshot.transfer().page(&scope, Kind::Project, None, 10).await.unwrap().is_empty());
    drop(snapshot);
    let mut later = storage.snapshot().await.unwrap();
    assert_eq!(later.transfer().page(&scope, Kind::Task, None, 10).await.unwrap().len(), 2);
}
