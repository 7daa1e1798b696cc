//! A database that an import has filled, with an application on it.

use chrono::{NaiveDate, TimeDelta};
use sqlx::types::Uuid;
use workscribe::Settings;
use workscribe::clock::Timestamp;
use workscribe::events::EventKind;
use workscribe::id::{LabelId, ProjectId, StatusId, TaskId, UserId};
use workscribe::identity::Email;
use workscribe::notifications::{EntityType, NotificationType};
use workscribe::tenancy::{Role, Slug};
use workscribe::transfer::{
    ActivityRow, Bundle, CommentRow, ImportOptions, LabelRow, MemberRow, NotificationRow, OrganizationRow,
    ProjectRow, Record, StatusRow, TaskRow, UserRow,
};
use workscribe::work::{Color, Document, Priority, ProjectKey, ProjectType, StatusCategory, TaskType};
use workscribe_testkit::app::{Login, TestApp};

use super::Outcome;
use super::operations::World;

const OWNER: &str = "owner@example.com";
/// The number of people, including the owner.
const PEOPLE: u32 = 20;
const LABELS: u32 = 6;

pub(crate) struct Filled {
    pub(crate) app: TestApp,
    /// A second application that caches no session.
    pub(crate) forgetful: TestApp,
    pub(crate) owner: Login,
    pub(crate) world: World,
    /// The number of requests so far.
    pub(crate) turn: usize,
}

impl Filled {
    pub(crate) async fn new(tasks: u32) -> Outcome<Self> {
        let app = TestApp::sqlite().await;
        let settings = Settings { session_cache_ttl: TimeDelta::zero(), ..Settings::default() };
        let forgetful = app.another_node(|builder| builder.settings(settings));
        let owner = app.register(OWNER).await;
        let rows = Rows { tasks, now: app.app.now() };
        let lines = rows.head()?.into_iter().chain((1..=tasks).flat_map(|number| rows.task(number)));
        let bundle = Bundle::of((1..).zip(lines).map(Ok))?;
        // The owner's address was never verified.
        let options = ImportOptions { trust_unverified: true, ..ImportOptions::default() };
        let mut uow = app.app.begin().await?;
        app.app.transfer().import(&mut *uow, &bundle, &options).await?;
        app.app.commit(uow).await?;
        Ok(Self { app, forgetful, owner, world: rows.world(), turn: 0 })
    }
}

/// The rows of the import.
struct Rows {
    tasks: u32,
    now: Timestamp,
}

/// The kind of an id, so that ids of different kinds differ.
#[derive(Clone, Copy)]
enum Of {
    Organization,
    User,
    Project,
    Status,
    Label,
    Task,
    Comment,
    Activity,
    Notification,
}

impl Rows {
    /// The creation time of a task: one every ten minutes until now.
    fn at(&self, number: u32) -> Timestamp {
        self.now - TimeDelta::minutes(i64::from(self.tasks.saturating_sub(number) + 1) * 10)
    }

    fn id<I: From<Uuid>>(&self, of: Of, number: u32) -> I {
        let millis = u128::from(self.at(number).timestamp_millis().unsigned_abs());
        let tail = ((of as u128) << 32) | u128::from(number);
        Uuid::from_u128((millis << 80) | (7 << 76) | (2 << 62) | tail).into()
    }

    /// The id of a row of a small table, which is as old as the first task.
    fn few<I: From<Uuid>>(&self, of: Of, number: u32) -> I {
        let millis = u128::from(self.at(0).timestamp_millis().unsigned_abs());
        let tail = ((of as u128) << 32) | u128::from(number);
        Uuid::from_u128((millis << 80) | (7 << 76) | (2 << 62) | tail).into()
    }

    fn head(&self) -> Outcome<Vec<Record>> {
        let at = self.at(0);
        let mut rows = vec![Record::Organization(OrganizationRow {
            id: self.few(Of::Organization, 0),
            name: "Acme".to_owned(),
            slug: Slug::parse("acme").map_err(|fault| fault.message)?,
            version: 1,
            created_at: at,
            updated_at: at,
        })];
        for number in 0..PEOPLE {
            let email = if number == 0 { OWNER.to_owned() } else { format!("person{number}@example.com") };
            let id: UserId = self.few(Of::User, number);
            let email = Email::parse(&email).map_err(|fault| fault.message)?;
            rows.push(Record::User(UserRow {
                id,
                email,
                display_name: format!("Person {number}"),
                avatar_url: None,
            }));
            let role = if number == 0 { Role::Owner } else { Role::Member };
            rows.push(Record::Member(MemberRow { user_id: id, role, version: 1, joined_at: at }));
        }
        let project: ProjectId = self.few(Of::Project, 0);
        rows.push(Record::Project(ProjectRow {
            id: project,
            name: "A project".to_owned(),
            key: ProjectKey::parse("WEB").map_err(|fault| fault.message)?,
            description: None,
            kind: ProjectType::Kanban,
            is_archived: false,
            last_number: self.tasks.into(),
            last_position: position(self.tasks),
            created_by: self.few(Of::User, 0),
            version: 1,
            created_at: at,
            updated_at: at,
        }));
        let statuses = [
            ("To Do", StatusCategory::Todo),
            ("Doing", StatusCategory::InProgress),
            ("Review", StatusCategory::InProgress),
            ("Done", StatusCategory::Done),
        ];
        for (number, (name, category)) in (0..).zip(statuses) {
            rows.push(Record::Status(StatusRow {
                id: self.few(Of::Status, number),
                project_id: project,
                name: name.to_owned(),
                category,
                position: number.into(),
                color: None,
                version: 1,
                created_at: at,
                updated_at: at,
            }));
        }
        for number in 0..LABELS {
            rows.push(Record::Label(LabelRow {
                id: self.few(Of::Label, number),
                project_id: project,
                name: format!("label {number}"),
                color: Color::parse("#112233").map_err(|fault| fault.message)?,
                version: 1,
                created_at: at,
                updated_at: at,
            }));
        }
        Ok(rows)
    }

    /// A task with its entry of the history; every third has a comment, and every twentieth a notification of the owner.
    fn task(&self, number: u32) -> Vec<Record> {
        let (at, id): (_, TaskId) = (self.at(number), self.id(Of::Task, number));
        let project: ProjectId = self.few(Of::Project, 0);
        let person = |of: u32| self.few::<UserId>(Of::User, of % PEOPLE);
        let status = drawn(number, 1);
        let status: StatusId =
            self.few(Of::Status, if status.is_multiple_of(2) { 3 } else { status / 2 % 3 });
        let labels: Vec<LabelId> =
            (0..drawn(number, 2) % 4).map(|label| self.few(Of::Label, label)).collect();
        let title = format!("Mend part {} of word{number}", number % 97);
        let mut rows = vec![Record::Task(TaskRow {
            id,
            project_id: project,
            number: number.into(),
            title: title.clone(),
            description: (number.is_multiple_of(2))
                .then(|| Document::of_text("It worked until the last release.")),
            status_id: status,
            position: position(number),
            assignee_id: Some(person(drawn(number, 3))),
            reporter_id: person(number / 2),
            priority: Priority::Medium,
            kind: TaskType::Task,
            parent_id: (number.is_multiple_of(10)).then(|| self.id(Of::Task, number - 1)),
            label_ids: labels,
            due_date: NaiveDate::from_ymd_opt(2030, 1 + number % 12, 1 + number % 28)
                .filter(|_| number.is_multiple_of(3)),
            version: 1,
            created_at: at,
            updated_at: at,
            subtask_count: 0,
            comment_count: 0,
        })];
        rows.push(Record::Activity(ActivityRow {
            id: self.id(Of::Activity, number),
            project_id: Some(project),
            task_id: Some(id),
            actor_id: person(number / 2),
            action: EventKind::TaskCreated,
            field_name: None,
            old_value: None,
            new_value: Some(title.clone()),
            created_at: at,
        }));
        if number.is_multiple_of(3) {
            rows.push(Record::Comment(CommentRow {
                id: self.id(Of::Comment, number),
                task_id: id,
                author_id: person(number / 3),
                body: Document::of_text("Seen it too."),
                is_edited: false,
                version: 1,
                created_at: at,
                updated_at: at,
            }));
        }
        if number.is_multiple_of(PEOPLE) {
            rows.push(Record::Notification(NotificationRow {
                id: self.id(Of::Notification, number),
                user_id: person(0),
                kind: NotificationType::TaskAssigned,
                title,
                body: None,
                entity_type: EntityType::Task,
                entity_id: id.into(),
                actor_id: Some(person(number / 2)),
                is_read: number.is_multiple_of(40),
                is_mailed: false,
                created_at: at,
            }));
        }
        rows
    }

    /// The data of the requests.
    fn world(&self) -> World {
        let id = |number: u32| self.id::<TaskId>(Of::Task, number).to_string();
        // No size is a multiple of the step.
        let spread = |step: u32| (1..).map(move |turn: u32| turn * 7_919 * step % self.tasks + 1);
        let pairs = spread(3).filter_map(|number| {
            let after = (number + 1..=self.tasks).find(|other| column(*other) == column(number));
            Some((number, after?))
        });
        World {
            slug: "acme".to_owned(),
            project: "WEB".to_owned(),
            tasks: spread(1).take(400).map(id).collect(),
            board: (1..=100).map(id).collect(),
            neighbours: pairs.take(60).map(|(number, after)| (id(number), id(after))).collect(),
            status: self.few::<StatusId>(Of::Status, 2).to_string(),
            label: self.few::<LabelId>(Of::Label, 1).to_string(),
            assignee: self.few::<UserId>(Of::User, 3).to_string(),
        }
    }
}

/// The status of a task: half of all tasks have the last one.
fn column(number: u32) -> u32 {
    let status = drawn(number, 1);
    if status.is_multiple_of(2) { 3 } else { status / 2 % 3 }
}

/// The properties of a task, each drawn independently by mixing bits (Steele, Lea and Flood, "Fast splittable pseudorandom number
/// generators", OOPSLA 2014).
fn drawn(number: u32, what: u32) -> u32 {
    let mut bits = (u64::from(what) << 32 | u64::from(number)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    (bits >> 33) as u32
}

/// Positions with room between them, as for tasks that the API creates.
fn position(number: u32) -> i64 {
    i64::from(number) << 20
}
