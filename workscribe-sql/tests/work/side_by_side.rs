//! SQLite and Postgres give the same answers to the same random sequence of operations, and these match [`Model`].
//!
//! Both have the same clock and the same randomness, so even the ids are the same.

use std::fmt::Debug;
use std::sync::Arc;

use chrono::{Datelike as _, NaiveDate, TimeDelta};
use proptest::prelude::*;
use proptest::test_runner::{RngAlgorithm, TestRng, TestRunner};
use serde_json::json;
use workscribe_core::clock::{Clock as _, Timestamp};
use workscribe_core::id::{CommentId, LabelId, ProjectId, StatusId, TaskId, UserId};
use workscribe_core::identity::Actor;
use workscribe_core::notifications::NotificationFilter;
use workscribe_core::page::PageRequest;
use workscribe_core::search::{SearchRequest, Words};
use workscribe_core::tenancy::{In, OrgScope};
use workscribe_core::work::{
    AssigneeFilter, BulkChange, Destination, Move, NewLabel, NewStatus, ParentFilter, Placement, Priority,
    Project, ProjectChange, StatusCategory, StatusEdit, Task, TaskChange, TaskFilter, TaskQuery, TaskSort,
    TaskType,
};
use workscribe_core::{Code, Error, ErrorKind, Storage, UnitOfWork, WorkScribe};
use workscribe_testkit::clock::{FrozenClock, SeededEntropy};
use workscribe_testkit::databases;

use crate::model::{Card, Column, Model, State};
use crate::operations::{Change, Filter, Operation, Place, TITLES, operation};
use crate::support::Team;

/// An application with an organization of four people and one project, and the rows created in it.
struct World {
    app: WorkScribe,
    people: Vec<UserId>,
    project: ProjectId,
    tasks: Vec<TaskId>,
    labels: Vec<LabelId>,
    statuses: Vec<StatusId>,
    comments: Vec<(TaskId, CommentId)>,
    /// The tasks that the last operation found.
    found: Option<Vec<TaskId>>,
    began: Timestamp,
}

/// The result of an operation, as a text, and the tasks that it found; or its error.
#[derive(Debug, PartialEq)]
struct Answer {
    outcome: Result<String, (Code, Vec<String>)>,
    found: Option<Vec<usize>>,
}

fn nth<T: PartialEq>(list: &[T], one: &T) -> usize {
    list.iter().position(|other| other == one).unwrap()
}

fn pick<T: Copy>(list: &[T], index: usize) -> Option<T> {
    list.get(index % list.len().max(1)).copied()
}

impl World {
    async fn new(storage: Arc<dyn Storage>, clock: &FrozenClock) -> Self {
        let entropy = SeededEntropy::new(7);
        let Team { app, people, project, statuses } = Team::new(storage, clock.clone(), entropy).await;
        let (tasks, labels, comments) = (Vec::new(), Vec::new(), Vec::new());
        let began = clock.now();
        Self { app, people, project, tasks, labels, statuses, comments, found: None, began }
    }

    /// Runs an operation and commits it unless it fails; returns its result.
    async fn run(&mut self, operation: &Operation) -> Answer {
        self.found = None;
        let mut uow = self.app.begin().await.unwrap();
        let outcome = match self.perform(&mut *uow, operation).await {
            Ok(answer) => self.app.commit(uow).await.map(|()| answer),
            Err(error) => Err(error),
        };
        let found = self.found.take().map(|found| found.iter().map(|id| nth(&self.tasks, id)).collect());
        Answer { outcome: outcome.map_err(|error| told(&error)), found }
    }

    /// The current rows, as lists show them.
    async fn state(&self) -> State {
        let mut uow = self.app.read().await.unwrap();
        let uow = &mut *uow;
        let at = In::project(uow, "engines", "web", self.people[0]).await.unwrap();
        let (page, projects) = (PageRequest::largest(), self.app.projects());
        let members = self.app.organizations().members(uow, at.scope(), &page).await.unwrap().items;
        let statuses = projects.statuses(uow, &at).await.unwrap();
        let labels = projects.labels(uow, &at, &page).await.unwrap().items;
        let all = TaskFilter { project: Some(self.project), ..TaskFilter::default() };
        let query = TaskQuery::new(all, TaskSort::default(), Some(100), None, false).unwrap();
        let tasks = self.app.tasks().list(uow, at.scope(), &query).await.unwrap().items;
        let columns = statuses.into_iter().map(|status| Column {
            status: nth(&self.statuses, &status.id),
            category: status.category,
            tasks: tasks
                .iter()
                .filter(|task| task.status.id == status.id)
                .map(|task| nth(&self.tasks, &task.id))
                .collect(),
            name: status.name,
        });
        State {
            is_archived: at.is_archived,
            members: members.iter().map(|member| nth(&self.people, &member.user_id)).collect(),
            columns: columns.collect(),
            labels: labels.into_iter().map(|label| (nth(&self.labels, &label.id), label.name)).collect(),
            tasks: tasks.iter().map(|task| (nth(&self.tasks, &task.id), self.card(task))).collect(),
        }
    }

    fn card(&self, task: &Task) -> Card {
        let moment = |time: Timestamp| (time - self.began).num_seconds();
        Card {
            number: task.number,
            title: task.title.clone(),
            reporter: nth(&self.people, &task.reporter.id),
            assignee: task.assignee.as_ref().map(|person| nth(&self.people, &person.id)),
            priority: task.priority,
            kind: task.kind,
            parent: task.parent_id.map(|parent| nth(&self.tasks, &parent)),
            due: task.due_date.map(|day| day.day()),
            labels: task.labels.iter().map(|label| nth(&self.labels, &label.id)).collect(),
            parts: usize::try_from(task.subtask_count).unwrap(),
            comments: usize::try_from(task.comment_count).unwrap(),
            version: task.version,
            made: moment(task.created_at),
            changed: moment(task.updated_at),
        }
    }

    async fn scope(&self, uow: &mut dyn UnitOfWork, who: usize) -> Result<OrgScope, Error> {
        let who = pick(&self.people, who).unwrap();
        Ok(*In::organization(uow, "engines", who).await?.scope())
    }

    /// The project, as its first member sees it.
    async fn project(&self, uow: &mut dyn UnitOfWork) -> Result<In<Project>, Error> {
        In::project(uow, "engines", "web", self.people[0]).await
    }

    fn change(&self, change: &Change) -> TaskChange {
        let day = |day: u32| NaiveDate::from_ymd_opt(2033, 6, day).unwrap();
        TaskChange {
            title: change.title.map(|n| TITLES[n].to_owned()),
            description: change.title.map(|n| Some(document(TITLES[n], None))),
            status_id: change.status.and_then(|n| pick(&self.statuses, n)),
            assignee_id: change.assignee.map(|n| n.and_then(|n| pick(&self.people, n))),
            priority: change.priority.map(|n| Priority::ALL[n]),
            kind: change.priority.map(|n| TaskType::ALL[n % 4]),
            parent_id: change.parent.map(|n| n.and_then(|n| pick(&self.tasks, n))),
            due_date: change.due.map(|n| n.map(day)),
            label_ids: change
                .labels
                .as_ref()
                .map(|list| list.iter().filter_map(|n| pick(&self.labels, *n)).collect()),
        }
    }

    #[expect(clippy::too_many_lines, reason = "one arm for each operation")]
    async fn perform(&mut self, uow: &mut dyn UnitOfWork, operation: &Operation) -> Result<String, Error> {
        let app = self.app.clone();
        let (tasks, projects) = (app.tasks(), app.projects());
        let first = PageRequest::new(Some(100), None, true)?;
        Ok(match operation {
            Operation::CreateTask(who, change) => {
                let who = pick(&self.people, *who).unwrap();
                let at = In::project(uow, "engines", "web", who).await?;
                let mut new = self.change(change);
                new.title.get_or_insert_with(|| "Untitled".into());
                let task = tasks.create(uow, &at, &new).await?;
                self.tasks.push(task.id);
                show(&task)
            }
            Operation::UpdateTask(who, task, change) => {
                let Some(at) = self.enter(uow, *who, *task).await? else { return skipped() };
                let change = self.change(change);
                show(&tasks.update(uow, &at, &change, None).await?)
            }
            Operation::DeleteTask(who, task) => {
                let Some(at) = self.enter(uow, *who, *task).await? else { return skipped() };
                show(&tasks.delete(uow, &at, None).await?)
            }
            Operation::MoveTask(who, task, status, place) => {
                let Some(at) = self.enter(uow, *who, *task).await? else { return skipped() };
                let status = status.and_then(|n| pick(&self.statuses, n));
                let to = match place {
                    Place::End => Destination::End,
                    Place::Index(index) => Destination::Index(*index),
                    Place::Before(n) => Destination::Before(pick(&self.tasks, *n).unwrap()),
                    Place::After(n) => Destination::After(pick(&self.tasks, *n).unwrap()),
                };
                show(&tasks.relocate(uow, &at, Move { status, to }, None).await?)
            }
            Operation::Arrange(list) => {
                let Some(at) = self.enter(uow, 0, list[0].0).await? else { return skipped() };
                let placements: Vec<Placement> = list
                    .iter()
                    .map(|(n, index)| Placement { task_id: pick(&self.tasks, *n).unwrap(), index: *index })
                    .collect();
                show(&tasks.arrange(uow, &at, &placements).await?)
            }
            Operation::UpdateMany(who, list, change) => {
                let Some(at) = self.enter(uow, *who, list[0]).await? else { return skipped() };
                let change = self.change(change);
                let change = BulkChange {
                    task_ids: list.iter().filter_map(|n| pick(&self.tasks, *n)).collect(),
                    status_id: change.status_id,
                    assignee_id: change.assignee_id,
                    priority: change.priority,
                    due_date: change.due_date,
                    label_ids: None,
                    add_label_ids: change.label_ids.unwrap_or_default(),
                    remove_label_ids: Vec::new(),
                };
                show(&tasks.update_many(uow, &at, &change).await?)
            }
            Operation::Label(who, task, label, is_on) => {
                let Some(at) = self.enter(uow, *who, *task).await? else { return skipped() };
                let Some(label) = pick(&self.labels, *label) else { return skipped() };
                if *is_on {
                    show(&tasks.add_label(uow, &at, label).await?)
                } else {
                    show(&tasks.remove_label(uow, &at, label).await?)
                }
            }
            Operation::Comment(who, task, mentioned) => {
                let Some(at) = self.enter(uow, *who, *task).await? else { return skipped() };
                let body = document("Have a look", pick(&self.people, *mentioned));
                let comment = tasks.comment(uow, &at, body).await?;
                self.comments.push((at.id, comment.id));
                show(&comment)
            }
            Operation::EditComment(who, comment, mentioned) => {
                let Some((task, comment)) = pick(&self.comments, *comment) else { return skipped() };
                let who = pick(&self.people, *who).unwrap();
                let at = In::task(uow, &task.to_string(), who).await?;
                let body = Some(document("Look again", pick(&self.people, *mentioned)));
                show(&tasks.update_comment(uow, &at, comment.into(), body).await?)
            }
            Operation::DeleteComment(who, comment) => {
                let Some((task, comment)) = pick(&self.comments, *comment) else { return skipped() };
                let who = pick(&self.people, *who).unwrap();
                let at = In::task(uow, &task.to_string(), who).await?;
                show(&tasks.delete_comment(uow, &at, comment.into()).await?)
            }
            Operation::CreateLabel(name) => {
                let at = self.project(uow).await?;
                let new = NewLabel { name: TITLES[*name].into(), color: "#ABCDEF".into() };
                let label = projects.create_label(uow, &at, &new).await?;
                self.labels.push(label.id);
                show(&label)
            }
            Operation::DeleteLabel(label) => {
                let Some(label) = pick(&self.labels, *label) else { return skipped() };
                let at = self.project(uow).await?;
                show(&projects.delete_label(uow, &at, label.into()).await?)
            }
            Operation::CreateStatus(name, position) => {
                let at = self.project(uow).await?;
                let new = NewStatus {
                    name: TITLES[*name].into(),
                    category: StatusCategory::ALL[name % 3],
                    position: *position,
                    color: None,
                };
                let status = projects.create_status(uow, &at, &new).await?;
                self.statuses.push(status.id);
                show(&status)
            }
            Operation::UpdateStatus(status, name, position) => {
                let at = self.project(uow).await?;
                let status = pick(&self.statuses, *status).unwrap();
                let (name, position) = (Some(TITLES[*name].into()), Some(*position));
                let edit = StatusEdit { name, position, ..StatusEdit::default() };
                show(&projects.update_status(uow, &at, status.into(), &edit).await?)
            }
            Operation::DeleteStatus(status, to) => {
                let at = self.project(uow).await?;
                let status = pick(&self.statuses, *status).unwrap();
                let to = to.and_then(|to| pick(&self.statuses, to));
                show(&projects.delete_status(uow, &at, status.into(), to).await?)
            }
            Operation::Archive(is_archived) => {
                let at = self.project(uow).await?;
                let change = ProjectChange { is_archived: Some(*is_archived), ..ProjectChange::default() };
                show(&projects.update(uow, &at, &change, None).await?)
            }
            Operation::List(filter, sort, limit) => {
                let scope = self.scope(uow, 0).await?;
                let sort = TaskSort::parse(TaskSort::NAMES[*sort]).unwrap();
                let filter = self.filter(filter);
                let mut pages = Vec::new();
                let mut cursor: Option<String> = None;
                loop {
                    let after = cursor.as_deref();
                    let query = TaskQuery::new(filter.clone(), sort, Some(*limit), after, true)?;
                    let page = tasks.list(uow, &scope, &query).await?;
                    cursor.clone_from(&page.next_cursor);
                    self.found.get_or_insert_default().extend(page.items.iter().map(|task| task.id));
                    pages.push(page);
                    if cursor.is_none() {
                        break show(&pages);
                    }
                }
            }
            Operation::Find(task) => {
                let Some(at) = self.enter(uow, 0, *task).await? else { return skipped() };
                let key = at.key().to_string();
                let found = tasks.find_by_key(uow, at.scope(), &key.to_lowercase()).await?;
                assert_eq!(found, *at);
                self.found = Some(vec![found.id]);
                show(&found)
            }
            Operation::Activity(task) => {
                let scope = self.scope(uow, 0).await?;
                let task = task.and_then(|n| pick(&self.tasks, n));
                show(&tasks.activity(uow, &scope, task, &first).await?)
            }
            Operation::Search(words) => {
                let scope = self.scope(uow, 0).await?;
                let mut found = app
                    .search()
                    .find(uow, &scope, SearchRequest { text: TITLES[*words], kind: None, limit: 100 })
                    .await?;
                // Each storage ranks matches in its own way.
                found.sort_by_key(|result| result.id);
                self.found = Some(found.iter().filter_map(|result| Some(result.task.as_ref()?.0)).collect());
                show(&found)
            }
            Operation::Notifications(who, unread) => {
                let actor = self.actor(*who);
                let filter = NotificationFilter { unread: *unread, ..NotificationFilter::default() };
                show(&app.notifications().list(uow, &actor, &filter, &first).await?)
            }
            Operation::ReadAll(who) => {
                let filter = NotificationFilter::default();
                show(&app.notifications().read_all(uow, &self.actor(*who), &filter).await?)
            }
            Operation::RemoveMember(who) => {
                let scope = self.scope(uow, 0).await?;
                let who = pick(&self.people, *who).unwrap();
                show(&app.organizations().remove_member(uow, &scope, who.into()).await?)
            }
        })
    }

    fn actor(&self, who: usize) -> Actor {
        Actor { user: pick(&self.people, who).unwrap(), session: uuid::Uuid::nil().into() }
    }

    fn filter(&self, filter: &Filter) -> TaskFilter {
        TaskFilter {
            project: Some(self.project),
            status: filter.status.and_then(|n| pick(&self.statuses, n)),
            assignee: filter.assignee.map(|who| match who.and_then(|n| pick(&self.people, n)) {
                Some(user) => AssigneeFilter::User(user),
                None => AssigneeFilter::Nobody,
            }),
            priority: filter.priority.map(|n| Priority::ALL[n]),
            label: filter.label.and_then(|n| pick(&self.labels, n)),
            parent: filter.parent.map(|task| match task.and_then(|n| pick(&self.tasks, n)) {
                Some(task) => ParentFilter::Of(task),
                None => ParentFilter::None,
            }),
            search: filter.search.map(|n| Words::of(TITLES[n])),
            due_before: filter.due_before.map(|day| NaiveDate::from_ymd_opt(2033, 6, day).unwrap()),
            ..TaskFilter::default()
        }
    }

    async fn enter(
        &self,
        uow: &mut dyn UnitOfWork,
        who: usize,
        task: usize,
    ) -> Result<Option<In<Task>>, Error> {
        let Some(task) = pick(&self.tasks, task) else { return Ok(None) };
        let who = pick(&self.people, who).unwrap();
        In::task(uow, &task.to_string(), who).await.map(Some)
    }
}

fn document(text: &str, mentioned: Option<UserId>) -> serde_json::Value {
    let id = mentioned.map(|user| user.to_string());
    json!({"type": "doc", "content": [{"type": "paragraph", "content": [
        {"type": "text", "text": text}, {"type": "mention", "attrs": {"id": id, "label": "you"}}]}]})
}

fn show(answer: &impl Debug) -> String {
    format!("{answer:#?}")
}

fn told(error: &Error) -> (Code, Vec<String>) {
    assert_ne!(error.kind(), ErrorKind::Internal, "{error:?}");
    let fields = error.fields().iter().map(|field| format!("{} {}", field.pointer, field.code));
    (error.code(), fields.collect())
}

fn skipped() -> Result<String, Error> {
    Ok("there is nothing yet".into())
}

/// Runs sequences. Databases are expensive to create, and each sequence needs a new organization in a new pair of them.
#[test]
fn sqlite_postgres_and_a_model_answer_alike_whatever_is_done() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    // With a fixed seed, so that everybody can repeat a failure.
    let config = ProptestConfig {
        cases: 24,
        max_shrink_iters: 200,
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    let mut runner = TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha));
    let sequences = proptest::collection::vec(operation(), 20..80);
    let played = runner.run(&sequences, |operations| {
        runtime.block_on(async {
            let clock = FrozenClock::default();
            let mut sqlite = World::new(databases::sqlite().await.storage, &clock).await;
            let mut postgres = World::new(databases::postgres().await.storage, &clock).await;
            let mut model = Model::new(sqlite.state().await);
            for (index, operation) in operations.iter().enumerate() {
                clock.advance(TimeDelta::seconds(1));
                let answer = sqlite.run(operation).await;
                prop_assert_eq!(
                    &answer,
                    &postgres.run(operation).await,
                    "operation {}: {:?}",
                    index,
                    operation
                );
                let found = answer.outcome.map(|_| answer.found).map_err(|(code, _)| code);
                prop_assert_eq!(model.apply(operation), found, "operation {}: {:?}", index, operation);
                let expected = model.state();
                for world in [&sqlite, &postgres] {
                    prop_assert_eq!(&expected, &world.state().await, "operation {}: {:?}", index, operation);
                }
            }
            Ok(())
        })
    });
    played.unwrap();
}
