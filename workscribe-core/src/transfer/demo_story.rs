//! What happens in the demo: who made which task when, and what people did with it.

use std::collections::{BTreeSet, VecDeque};

use chrono::{Datelike as _, NaiveTime, TimeDelta, Weekday};
use serde_json::json;

use crate::clock::Timestamp;
use crate::events::EventKind;
use crate::id::{ProjectId, StatusId, TaskId, UserId};
use crate::notifications::{EntityType, NotificationType};
use crate::work::{Document, Priority, ProjectKey, Relation, RelationType, StatusCategory, TaskType};

use super::demo_texts::{COMMENTS, CUSTOMERS, DESCRIPTIONS, PLACES, Theme, VERBS};
use super::draft::{Draft, TaskDraft};
use super::record::Record;
use super::rows::{ActivityRow, CommentRow, NotificationRow};

/// The maximum age of notifications.
const TOLD_SINCE: TimeDelta = TimeDelta::days(21);
/// The columns of a board in the demo.
const STATUSES: [(&str, StatusCategory); 4] = [
    ("To Do", StatusCategory::Todo),
    ("In Progress", StatusCategory::InProgress),
    ("In Review", StatusCategory::InProgress),
    ("Done", StatusCategory::Done),
];

/// Random numbers from a seed: SplitMix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014).
pub(super) struct Dice(pub(super) u64);

impl Dice {
    /// A number below `sides`.
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        word ^= word >> 31;
        (word % sides.max(1) as u64) as usize
    }

    fn chance(&mut self, percent: usize) -> bool {
        self.roll(100) < percent
    }

    fn pick<T: Copy>(&mut self, some: &[T]) -> T {
        some[self.roll(some.len())]
    }

    /// A duration between two numbers of hours, with minutes and seconds.
    fn hours(&mut self, from: usize, to: usize) -> TimeDelta {
        let seconds = from * 3_600 + self.roll((to - from) * 3_600);
        TimeDelta::seconds(i64::try_from(seconds).unwrap_or(0))
    }
}

#[derive(Clone, Copy)]
pub(super) struct Colleague {
    pub(super) id: UserId,
    pub(super) name: &'static str,
}

pub(super) struct Story {
    pub(super) draft: Draft,
    pub(super) dice: Dice,
    pub(super) people: Vec<Colleague>,
    /// How long the people have worked.
    pub(super) span: TimeDelta,
    pub(super) end: Timestamp,
}

/// A task, while its comments, history and notifications are made.
#[derive(Clone, Copy)]
struct Told {
    line: u64,
    project: ProjectId,
    task: TaskId,
    number: i64,
    reporter: Colleague,
    assignee: Option<Colleague>,
    created: Timestamp,
}

impl Story {
    pub(super) fn project(&mut self, theme: &Theme, tasks: u32) {
        let begin = self.end - self.span;
        let key = ProjectKey::from_stored(theme.key.to_owned());
        let at = self.draft.project(1, &key, theme.name);
        let row = &mut self.draft.projects[at].row;
        row.description = Some(theme.description.to_owned());
        row.created_at = begin;
        let project = row.id;
        let statuses = STATUSES.map(|(name, category)| self.draft.status(at, name, category));
        let mut titles: Vec<(TaskType, String)> = Vec::new();
        for (kind, verb) in VERBS {
            titles.extend(theme.things.iter().map(|thing| (kind, verb.replace("{}", thing))));
        }
        // Fisher–Yates shuffle.
        for last in (1..titles.len()).rev() {
            titles.swap(last, self.dice.roll(last + 1));
        }
        let mut times: Vec<Timestamp> = (0..tasks).map(|_| self.working_time(begin)).collect();
        times.sort_unstable();
        let mut parents: VecDeque<TaskId> = VecDeque::new();
        for (done, (number, created)) in (1_i64..).zip(times).enumerate() {
            let (kind, title) = titles[done % titles.len()].clone();
            let title = if done < titles.len() { title } else { self.elsewhere(&title) };
            let below = (number > 10 && self.dice.chance(8)).then(|| self.dice.roll(parents.len()));
            let parent = below.and_then(|below| parents.get(below)).copied();
            let kind = if parent.is_some() { TaskType::Subtask } else { kind };
            let reporter = self.dice.pick(&self.people);
            let assignee = self.dice.chance(85).then(|| self.dice.pick(&self.people));
            let text = if self.dice.chance(60) { self.dice.pick(&DESCRIPTIONS) } else { "" };
            let mut labels = BTreeSet::new();
            for _ in 0..self.dice.roll(3) {
                let (name, color) = self.dice.pick(&theme.labels);
                labels.extend(self.draft.label(at, name, Some(color)));
            }
            let due = self.dice.chance(35).then(|| (created + self.dice.hours(24 * 5, 24 * 30)).date_naive());
            let line = 1;
            let priority = self.priority();
            let task = TaskDraft {
                number,
                title: title.clone(),
                text: text.to_owned(),
                status: statuses[0],
                assignee: assignee.map(|person| person.id),
                reporter: reporter.id,
                priority,
                kind,
                due,
                labels,
                created,
                updated: created,
            };
            let Some(task) = self.draft.task(at, line, task) else { continue };
            let told = Told { line, project, task, number, reporter, assignee, created };
            if let Some(person) = assignee {
                let about = format!("{} assigned {}-{number} to you", reporter.name, theme.key);
                let about = (EntityType::Task, task.into(), about, title.clone());
                self.notify(told, NotificationType::TaskAssigned, reporter, person, about, created);
            }
            self.comments(theme, told);
            self.progress(theme, told, &statuses);
            match parent {
                Some(parent) => self.draft.put_below(task, parent),
                None => {
                    if let Some(earlier) = parents.back().filter(|_| number % 5 == 0) {
                        self.relate(line, *earlier, task, created);
                    }
                    parents.push_back(task);
                }
            }
            // The parent of a new task is one of the most recent tasks.
            if parents.len() > 12 {
                parents.pop_front();
            }
        }
    }

    /// Relates a task to an earlier one.
    fn relate(&mut self, line: u64, earlier: TaskId, task: TaskId, at: Timestamp) {
        let kind = self.dice.pick(RelationType::ALL);
        let (source_id, target_id) = if kind == RelationType::RelatesTo {
            (earlier.min(task), earlier.max(task))
        } else {
            (earlier, task)
        };
        let relation = Relation { id: self.draft.id(at).into(), kind, source_id, target_id, created_at: at };
        self.draft.hang(line, Record::Relation(relation));
    }

    /// The same title at another place and for another customer.
    fn elsewhere(&mut self, title: &str) -> String {
        format!("{title} {} for {}", self.dice.pick(&PLACES), self.dice.pick(&CUSTOMERS))
    }

    fn priority(&mut self) -> Priority {
        match self.dice.roll(100) {
            0..5 => Priority::Urgent,
            5..25 => Priority::High,
            25..60 => Priority::Medium,
            60..80 => Priority::Low,
            _ => Priority::None,
        }
    }

    /// A time on a working day between 8:00 and 17:00.
    fn working_time(&mut self, begin: Timestamp) -> Timestamp {
        let spread = self.dice.roll(usize::try_from(self.span.num_hours()).unwrap_or(1));
        let some = begin + TimeDelta::hours(i64::try_from(spread).unwrap_or(0));
        let day = match some.weekday() {
            Weekday::Sat => some - TimeDelta::days(1),
            Weekday::Sun => some + TimeDelta::days(1),
            _ => some,
        };
        let time = day.date_naive().and_time(NaiveTime::MIN).and_utc() + self.dice.hours(8, 17);
        time.clamp(begin, self.end - TimeDelta::hours(1))
    }

    /// Moves a task over the board. An older task moves further.
    fn progress(&mut self, theme: &Theme, told: Told, statuses: &[StatusId; 4]) {
        let days = (self.end - told.created).num_days();
        let weights = match days {
            30.. => [6, 4, 4],
            10..30 => [16, 14, 14],
            _ => [55, 22, 10],
        };
        let roll = self.dice.roll(100);
        let column = if roll < weights[0] {
            0
        } else if roll < weights[0] + weights[1] {
            1
        } else if roll < weights[0] + weights[1] + weights[2] {
            2
        } else {
            3
        };
        let mut at = told.created;
        let who = told.assignee.unwrap_or(told.reporter);
        for next in 1..=column {
            at += self.dice.hours(2, 70);
            if at > self.end {
                return;
            }
            let activity = ActivityRow {
                id: self.draft.id(at).into(),
                project_id: Some(told.project),
                task_id: Some(told.task),
                actor_id: who.id,
                action: EventKind::TaskUpdated,
                field_name: Some("status_id".to_owned()),
                old_value: Some(STATUSES[next - 1].0.to_owned()),
                new_value: Some(STATUSES[next].0.to_owned()),
                created_at: at,
            };
            self.draft.hang(told.line, Record::Activity(activity));
            let Some(row) = self.draft.last_task() else { return };
            (row.status_id, row.updated_at) = (statuses[next], at);
            row.version += 1;
            let (title, number) = (row.title.clone(), told.number);
            if next == 3 {
                let about = format!("{} finished {}-{number}", who.name, theme.key);
                let about = (EntityType::Task, told.task.into(), about, title);
                self.notify(told, NotificationType::TaskDone, who, told.reporter, about, at);
            }
        }
    }

    fn comments(&mut self, theme: &Theme, told: Told) {
        let count = [0, 0, 1, 1, 2, 3];
        let mut at = told.created;
        for _ in 0..self.dice.pick(&count) {
            at += self.dice.hours(1, 40);
            if at > self.end {
                return;
            }
            let author = self.dice.pick(&self.people);
            let text = self.dice.pick(&COMMENTS);
            let mentioned = self.dice.chance(25).then(|| self.dice.pick(&self.people));
            let mentioned = mentioned.filter(|person| person.id != author.id);
            let id = self.draft.id(at);
            let body = match mentioned {
                None => Document::of_text(text),
                Some(person) => mention(person, text),
            };
            let plain = body.plain_text();
            let comment = CommentRow {
                id: id.into(),
                task_id: told.task,
                author_id: author.id,
                body,
                is_edited: false,
                version: 1,
                created_at: at,
                updated_at: at,
            };
            self.draft.hang(told.line, Record::Comment(comment));
            let activity = ActivityRow {
                id: self.draft.id(at).into(),
                project_id: Some(told.project),
                task_id: Some(told.task),
                actor_id: author.id,
                action: EventKind::CommentCreated,
                field_name: None,
                old_value: None,
                new_value: Some(plain.clone()),
                created_at: at,
            };
            self.draft.hang(told.line, Record::Activity(activity));
            if let Some(person) = mentioned {
                let title = format!("{} mentioned you on {}-{}", author.name, theme.key, told.number);
                let about = (EntityType::Comment, id, title, plain);
                self.notify(told, NotificationType::Mention, author, person, about, at);
            }
        }
    }

    fn notify(
        &mut self,
        told: Told,
        kind: NotificationType,
        actor: Colleague,
        to: Colleague,
        about: (EntityType, uuid::Uuid, String, String),
        at: Timestamp,
    ) {
        let age = self.end - at;
        if actor.id == to.id || age > TOLD_SINCE {
            return;
        }
        let (entity_type, entity_id, title, body) = about;
        let row = NotificationRow {
            id: self.draft.id(at).into(),
            user_id: to.id,
            kind,
            title,
            body: Some(body),
            entity_type,
            entity_id,
            actor_id: Some(actor.id),
            is_read: age > TimeDelta::days(4) || self.dice.chance(30),
            is_mailed: false,
            created_at: at,
        };
        self.draft.hang(told.line, Record::Notification(row));
    }
}

fn mention(person: Colleague, text: &str) -> Document {
    let name = json!({"type": "mention", "attrs": {"id": person.id.to_string(), "label": person.name}});
    let rest = json!({"type": "text", "text": format!(" {text}")});
    let document = json!({"type": "doc", "content": [{"type": "paragraph", "content": [name, rest]}]});
    Document::parse(document).unwrap_or_else(|_| Document::of_text(text))
}
