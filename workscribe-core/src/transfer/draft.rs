//! Makes a bundle from other sources than an export: files of other programs, and the demo.
//!
//! Tasks with their comments, history and notifications are written to a temporary file as they are made. A task's position on its
//! board and its parent are known only at the end, and are set when the file is read again. A draft needs some ten bytes a row.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use chrono::NaiveDate;
use uuid::Uuid;

use crate::clock::Timestamp;
use crate::error::{Error, FieldError, Result, Violations};
use crate::events::EventKind;
use crate::id::{LabelId, StatusId, TaskId, UserId, uuid_v7};
use crate::identity::{Email, display_name};
use crate::names::mended_line;
use crate::tenancy::{Role, Slug};
use crate::work::order::GAP;
use crate::work::{Color, Document, Priority, ProjectKey, ProjectType, StatusCategory, TaskType, name_key};

use super::bundle::Bundle;
use super::check::FAULTS;
use super::foreign::{Foreign, Report, Settings, person_name};
use super::record::Record;
use super::rows::{
    ActivityRow, CommentRow, LabelRow, MemberRow, OrganizationRow, ProjectRow, StatusRow, TaskRow, UserRow,
};
use super::spool::SpoolWriter;

/// The colours of labels without a colour, by their names.
const COLORS: [&str; 8] =
    ["#2563eb", "#16a34a", "#d97706", "#dc2626", "#7c3aed", "#0891b2", "#db2777", "#64748b"];
/// The maximum length of a text in bytes. Longer texts are cut, since every character may need six bytes in JSON.
const TEXT_BYTES: usize = Document::MAX_BYTES / 8;

/// A new task.
pub(super) struct TaskDraft {
    pub(super) number: i64,
    pub(super) title: String,
    pub(super) text: String,
    pub(super) status: StatusId,
    pub(super) assignee: Option<UserId>,
    pub(super) reporter: UserId,
    pub(super) priority: Priority,
    pub(super) kind: TaskType,
    pub(super) due: Option<NaiveDate>,
    pub(super) labels: BTreeSet<LabelId>,
    pub(super) created: Timestamp,
    pub(super) updated: Timestamp,
}

/// A new project, with its statuses and labels.
pub(super) struct ProjectDraft {
    /// The line that named it first.
    line: u64,
    pub(super) row: ProjectRow,
    pub(super) statuses: Vec<StatusRow>,
    labels: BTreeMap<String, LabelRow>,
    /// The numbers of its tasks.
    numbers: Vec<i64>,
}

/// A new organization.
pub(super) struct Draft {
    pub(super) now: Timestamp,
    made: u64,
    organization: OrganizationRow,
    pub(super) owner: UserId,
    people: BTreeMap<String, String>,
    users: BTreeMap<Email, UserRow>,
    pub(super) projects: Vec<ProjectDraft>,
    /// Tasks, comments, history and notifications.
    rest: SpoolWriter,
    /// The lines from which they were made.
    lines: Vec<u64>,
    /// The latest task with its comments, history and notifications, which may still change.
    open: Vec<(u64, Record)>,
    /// The tasks that have a parent, with their parents.
    parents: HashMap<TaskId, TaskId>,
    /// An error of the temporary file.
    hindered: Option<Error>,
    pub(super) report: Report,
    faults: Vec<FieldError>,
}

impl Draft {
    pub(super) fn new(settings: &Settings) -> Result<Self> {
        let mut violations = Violations::default();
        let name = violations.keep("/name", display_name(&settings.name));
        let slug = violations.keep("/slug", Slug::parse(&settings.slug));
        let owner = violations.keep("/owner", Email::parse(&settings.owner));
        violations.into_result()?;
        let (Some(name), Some(slug), Some(email)) = (name, slug, owner) else {
            return Err(Error::internal("a fault was not noted"));
        };
        let now = settings.now;
        let organization = OrganizationRow {
            id: Uuid::nil().into(),
            name,
            slug,
            version: 1,
            created_at: now,
            updated_at: now,
        };
        let people =
            settings.people.iter().map(|(name, email)| (name_key(name.trim()), email.clone())).collect();
        let mut draft = Self {
            now,
            made: 0,
            organization,
            owner: Uuid::nil().into(),
            people,
            users: BTreeMap::new(),
            projects: Vec::new(),
            rest: SpoolWriter::new()?,
            lines: Vec::new(),
            open: Vec::new(),
            parents: HashMap::new(),
            hindered: None,
            report: Report::default(),
            faults: Vec::new(),
        };
        draft.organization.id = draft.id(now).into();
        draft.owner = draft.user(&email, settings.owner_name.as_deref().unwrap_or_default());
        Ok(draft)
    }

    /// An id with a time, the same in every run.
    pub(super) fn id(&mut self, at: Timestamp) -> Uuid {
        self.made += 1;
        let mut tail = [0; 10];
        tail[2..].copy_from_slice(&self.made.to_be_bytes());
        uuid_v7(at, tail)
    }

    pub(super) fn fault(&mut self, fault: FieldError) {
        if self.faults.len() < FAULTS {
            self.faults.push(fault);
        }
    }

    /// The user with an address. A new address gets a new user.
    pub(super) fn user(&mut self, email: &Email, name: &str) -> UserId {
        if let Some(user) = self.users.get(email) {
            return user.id;
        }
        let display_name = person_name(email, name);
        let id = self.id(self.now).into();
        self.users
            .insert(email.clone(), UserRow { id, email: email.clone(), display_name, avatar_url: None });
        id
    }

    /// The user whom the file describes by an address, a name or an id. `None` when none of these leads to an address, which is
    /// noted in the report.
    pub(super) fn person(&mut self, told: &[&str]) -> Option<UserId> {
        let told: Vec<&str> = told.iter().map(|name| name.trim()).filter(|name| !name.is_empty()).collect();
        let name = told.iter().copied().find(|name| !name.contains('@')).unwrap_or_default();
        let known = told.iter().find_map(|name| self.people.get(&name_key(name)).cloned());
        let mut addresses = known.iter().map(String::as_str).chain(told.iter().copied());
        match addresses.find_map(|address| Email::parse(address).ok()) {
            Some(email) => Some(self.user(&email, name)),
            None => {
                if let Some(name) = told.first() {
                    self.report.note(format!("“{name}” has no e-mail address, so is nobody here"));
                }
                None
            }
        }
    }

    /// The project with a key, created if it is new.
    pub(super) fn project(&mut self, line: u64, key: &ProjectKey, name: &str) -> usize {
        if let Some(found) = self.projects.iter().position(|project| project.row.key == *key) {
            return found;
        }
        let row = ProjectRow {
            id: self.id(self.now).into(),
            name: mended_line(name, 100)
                .and_then(|name| display_name(&name).ok())
                .unwrap_or_else(|| key.to_string()),
            key: key.clone(),
            description: None,
            kind: ProjectType::Kanban,
            is_archived: false,
            last_number: 0,
            last_position: 0,
            created_by: self.owner,
            version: 1,
            created_at: self.now,
            updated_at: self.now,
        };
        let (statuses, labels, numbers) = (Vec::new(), BTreeMap::new(), Vec::new());
        self.projects.push(ProjectDraft { line, row, statuses, labels, numbers });
        self.projects.len() - 1
    }

    /// The status with a name, created if it is new.
    pub(super) fn status(&mut self, project: usize, name: &str, category: StatusCategory) -> StatusId {
        let name = mended_line(name, 50).unwrap_or_else(|| "To Do".to_owned());
        let is_named = |status: &&StatusRow| name_key(&status.name) == name_key(&name);
        if let Some(found) = self.projects[project].statuses.iter().find(is_named) {
            return found.id;
        }
        let id = self.id(self.now).into();
        let ProjectDraft { row, statuses, .. } = &mut self.projects[project];
        statuses.push(StatusRow {
            id,
            project_id: row.id,
            name,
            category,
            position: 0,
            color: None,
            version: 1,
            created_at: row.created_at,
            updated_at: row.created_at,
        });
        id
    }

    /// The label with a name, created if it is new; `None` for a blank name.
    pub(super) fn label(&mut self, project: usize, name: &str, color: Option<&str>) -> Option<LabelId> {
        let name = mended_line(name, 50)?;
        if let Some(found) = self.projects[project].labels.get(&name_key(&name)) {
            return Some(found.id);
        }
        let id = self.id(self.now).into();
        let by_name = COLORS[name.bytes().map(usize::from).sum::<usize>() % COLORS.len()];
        let color = color.and_then(|color| Color::parse(color).ok());
        let color = color.unwrap_or_else(|| Color::from_stored(by_name.to_owned()));
        let ProjectDraft { row, labels, .. } = &mut self.projects[project];
        let (created_at, updated_at) = (row.created_at, row.created_at);
        let key = name_key(&name);
        labels.insert(
            key,
            LabelRow { id, project_id: row.id, name, color, version: 1, created_at, updated_at },
        );
        Some(id)
    }

    /// Adds a task and the history entry of its creation; `None` for a task without a title, which is a fault of its line.
    pub(super) fn task(&mut self, project: usize, line: u64, task: TaskDraft) -> Option<TaskId> {
        let title = mended_line(&task.title, 500)?;
        let id: TaskId = self.id(task.created).into();
        let description = self.document(&task.text);
        let activity = ActivityRow {
            id: self.id(task.created).into(),
            project_id: Some(self.projects[project].row.id),
            task_id: Some(id),
            actor_id: task.reporter,
            action: EventKind::TaskCreated,
            field_name: None,
            old_value: None,
            new_value: Some(title.clone()),
            created_at: task.created,
        };
        let ProjectDraft { row, numbers, .. } = &mut self.projects[project];
        numbers.push(task.number);
        row.last_number = row.last_number.max(task.number);
        row.created_at = row.created_at.min(task.created);
        let new = TaskRow {
            id,
            project_id: row.id,
            number: task.number,
            title,
            description,
            status_id: task.status,
            position: 0,
            assignee_id: task.assignee,
            reporter_id: task.reporter,
            priority: task.priority,
            kind: task.kind,
            parent_id: None,
            label_ids: task.labels.into_iter().collect(),
            due_date: task.due,
            version: 1,
            created_at: task.created,
            updated_at: task.updated.max(task.created),
            subtask_count: 0,
            comment_count: 0,
        };
        self.close();
        self.hang(line, Record::Task(new));
        self.hang(line, Record::Activity(activity));
        Some(id)
    }

    /// Adds a comment, an entry of the history or a notification to the latest task.
    pub(super) fn hang(&mut self, line: u64, record: Record) {
        self.open.push((line, record));
    }

    /// The latest task.
    pub(super) fn last_task(&mut self) -> Option<&mut TaskRow> {
        self.open.iter_mut().find_map(|(_, record)| match record {
            Record::Task(row) => Some(row),
            _ => None,
        })
    }

    /// Sets the parent of a task to another task of its project.
    pub(super) fn put_below(&mut self, task: TaskId, parent: TaskId) {
        self.parents.insert(task, parent);
    }

    /// Writes the latest task, which cannot change any more.
    fn close(&mut self) {
        for (line, record) in self.open.drain(..) {
            match self.rest.add(&record) {
                Ok(()) => self.lines.push(line),
                // The error is returned at the end, in place of an incomplete bundle.
                Err(error) => self.hindered = Some(error),
            }
        }
    }

    /// Adds a comment. If its author is unknown, the author is the owner, and the text names the original author.
    pub(super) fn comment(
        &mut self,
        line: u64,
        task: TaskId,
        author: Option<UserId>,
        told: &str,
        text: &str,
        at: Timestamp,
    ) {
        let text = match author {
            None if !told.is_empty() => format!("{told} wrote:\n\n{text}"),
            _ => text.to_owned(),
        };
        let Some(body) = self.document(&text) else { return };
        let row = CommentRow {
            id: self.id(at).into(),
            task_id: task,
            author_id: author.unwrap_or(self.owner),
            body,
            is_edited: false,
            version: 1,
            created_at: at,
            updated_at: at,
        };
        self.hang(line, Record::Comment(row));
    }

    /// A plain text as a document; `None` for a blank text. A text that is too long is cut.
    fn document(&mut self, text: &str) -> Option<Document> {
        let text = text.trim().replace('\0', "");
        let mut end = TEXT_BYTES.min(text.len());
        if end < text.len() {
            self.report.note("a text was too long and was cut");
        }
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        (!text.is_empty()).then(|| Document::of_text(&text[..end]))
    }

    /// The organization, if there were no faults.
    pub(super) fn finish(mut self) -> Result<Foreign> {
        if !self.faults.is_empty() {
            return Err(Error::invalid(self.faults));
        }
        self.close();
        if let Some(error) = self.hindered {
            return Err(error);
        }
        for at in 0..self.projects.len() {
            // New tasks begin in the first status, so its category must be `Todo`.
            if self.projects[at].statuses.iter().all(|status| status.category != StatusCategory::Todo) {
                self.status(at, "To Do", StatusCategory::Todo);
            }
        }
        let mut lines = Vec::new();
        let begin = self.projects.iter().map(|project| project.row.created_at).min();
        let joined_at = begin.unwrap_or(self.now).min(self.now);
        (self.organization.created_at, self.organization.updated_at) = (joined_at, joined_at);
        lines.push((1, Record::Organization(self.organization)));
        for user in self.users.into_values() {
            let role = if user.id == self.owner { Role::Owner } else { Role::Member };
            let member = MemberRow { user_id: user.id, role, version: 1, joined_at };
            lines.push((1, Record::User(user)));
            lines.push((1, Record::Member(member)));
        }
        let mut numbers = HashMap::new();
        for mut project in self.projects {
            // Statuses from left to right by category. Tasks have the order of their numbers.
            project.statuses.sort_by_key(|status| status.category);
            project.numbers.sort_unstable();
            project.row.updated_at = project.row.updated_at.max(project.row.created_at);
            project.row.last_position = place(project.numbers.len());
            numbers.insert(project.row.id, project.numbers);
            let line = project.line;
            let (created_at, updated_at) = (project.row.created_at, project.row.created_at);
            lines.push((line, Record::Project(project.row)));
            for (position, status) in (0..).zip(project.statuses) {
                let status = StatusRow { position, created_at, updated_at, ..status };
                lines.push((line, Record::Status(status)));
            }
            for label in project.labels.into_values() {
                lines.push((line, Record::Label(LabelRow { created_at, updated_at, ..label })));
            }
        }
        let rest = self.rest.finish()?;
        let (mut rows, parents) = (rest.rows()?, self.parents);
        let placed = self.lines.into_iter().map(|line| {
            let mut record = rows.one()?.ok_or_else(|| Error::internal("a row of the draft is missing"))?;
            if let Record::Task(task) = &mut record {
                let before =
                    numbers.get(&task.project_id).map(|all| all.partition_point(|n| *n < task.number));
                task.position = place(before.unwrap_or(0) + 1);
                task.parent_id = parents.get(&task.id).copied();
            }
            Ok((line, record))
        });
        let bundle = Bundle::of(lines.into_iter().map(Ok).chain(placed))?;
        Ok(Foreign { bundle, report: self.report })
    }
}

/// The position of a task by its place on the board, counted from 1.
fn place(at: usize) -> i64 {
    i64::try_from(at).unwrap_or(i64::MAX / GAP) * GAP
}

#[cfg(test)]
mod tests {
    use super::super::foreign::tests::settings;
    use super::*;

    #[test]
    fn people_are_found_by_address_or_by_what_the_settings_say_of_their_names() {
        let mut draft = Draft::new(&settings()).unwrap();
        let grace = draft.person(&["", "grace hopper"]).unwrap();
        assert_eq!(draft.person(&["712020:ab", "GRACE@example.com"]), Some(grace));
        assert_eq!(draft.person(&["ada-l"]), Some(draft.owner));
        assert_eq!(draft.person(&["nobody"]), None);
        assert_eq!(draft.person(&[""]), None);
        assert_eq!(draft.report.0.len(), 1);
    }
}
