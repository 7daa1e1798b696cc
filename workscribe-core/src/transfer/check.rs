//! The checks of the rows of a bundle: that each is valid, and that all are consistent with each other.

use std::collections::{BTreeSet, HashMap, HashSet};

use crate::clock::is_writable_day;
use crate::error::{Error, Fault, FieldError, Result};
use crate::id::{LabelId, ProjectId, StatusId, TaskId, UserId};
use crate::identity::{Email, avatar_url, display_name};
use crate::tenancy::{Role, Slug};
use crate::work::{Color, ProjectKey, name_key, single_line, text};

use super::record::{FORMAT, Header, Record, VERSION};
use super::rows::{
    CommentRow, LabelRow, MemberRow, OrganizationRow, ProjectRow, StatusRow, TaskRow, UserRow,
};

/// The maximum number of faults in one error.
pub(super) const FAULTS: usize = 20;

/// How the tasks of a bundle hang together.
#[derive(Debug)]
pub(super) struct Tree {
    /// The tasks that have a parent, with their parents.
    pub(super) parents: Vec<(TaskId, TaskId)>,
    /// What hangs on each task that has a subtask or a comment.
    pub(super) counts: HashMap<TaskId, HangingOn>,
}

/// The number of subtasks and comments of a task.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct HangingOn {
    pub(super) subtasks: u32,
    pub(super) comments: u32,
}

/// A fault in a line.
pub(super) fn fault_at(line: u64, code: &'static str, problem: impl std::fmt::Display) -> FieldError {
    FieldError { pointer: format!("/{line}"), code, message: format!("Line {line}: {problem}.") }
}

/// What the lines so far contained.
#[derive(Default)]
pub(super) struct Check {
    pub(super) faults: Vec<FieldError>,
    organization: Option<u64>,
    users: HashSet<UserId>,
    emails: HashSet<Email>,
    members: HashMap<UserId, Role>,
    projects: HashMap<ProjectId, SeenProject>,
    keys: HashSet<ProjectKey>,
    statuses: HashMap<StatusId, ProjectId>,
    labels: HashMap<LabelId, ProjectId>,
    /// Names of statuses and labels, which are unique within a project.
    names: HashSet<(&'static str, ProjectId, String)>,
    numbers: HashSet<(ProjectId, i64)>,
    tasks: HashMap<TaskId, SeenTask>,
    /// The numbers of subtasks and comments of tasks.
    comments: HashMap<TaskId, HangingOn>,
    /// Ids of comments, entries of the history and notifications.
    others: HashSet<(&'static str, uuid::Uuid)>,
}

struct SeenProject {
    line: u64,
    last_number: i64,
    has_status: bool,
}

struct SeenTask {
    line: u64,
    project: ProjectId,
    parent: Option<TaskId>,
}

impl Check {
    pub(super) fn is_full(&self) -> bool {
        self.faults.len() >= FAULTS
    }

    pub(super) fn fault(&mut self, line: u64, code: &'static str, problem: impl std::fmt::Display) {
        if !self.is_full() {
            self.faults.push(fault_at(line, code, problem));
        }
    }

    pub(super) fn header(&mut self, header: &Header) -> bool {
        if header.format != FORMAT {
            self.fault(1, "NOT_AN_EXPORT", "this is no export of WorkScribe");
        } else if !(1..=VERSION).contains(&header.version) {
            let problem = format!(
                "this export has the version {}, and versions 1 to {VERSION} can be read",
                header.version
            );
            self.fault(1, "OTHER_VERSION", problem);
        }
        self.faults.is_empty()
    }

    /// Checks what needs all rows, and refuses them if any line has a fault.
    pub(super) fn finish(mut self) -> Result<Tree> {
        if !self.is_full() {
            self.whole();
        }
        if !self.faults.is_empty() {
            return Err(Error::invalid(self.faults));
        }
        let parents = self.tasks.iter().filter_map(|(id, task)| Some((*id, task.parent?)));
        let mut parents: Vec<(TaskId, TaskId)> = parents.collect();
        parents.sort_unstable();
        let mut counts = self.comments;
        for (_, parent) in &parents {
            counts.entry(*parent).or_default().subtasks += 1;
        }
        Ok(Tree { parents, counts })
    }

    pub(super) fn record(&mut self, at: u64, record: &Record) {
        if self.is_full() {
            return;
        }
        for user in record.people() {
            if !self.users.contains(&user) {
                self.fault(at, "UNKNOWN_USER", format!("no line before this describes the user {user}"));
            }
        }
        record.check(at, self);
    }

    pub(super) fn organization(&mut self, at: u64, row: &OrganizationRow) {
        if self.organization.replace(at).is_some() {
            self.fault(at, "SECOND_ORGANIZATION", "there is a second organization");
        }
        self.valid(at, display_name(&row.name));
        if Slug::existing(row.slug.as_str()).is_none() {
            self.fault(at, "INVALID_SLUG", "no organization can have this slug");
        }
        self.version(at, row.version);
    }

    pub(super) fn member(&mut self, at: u64, row: &MemberRow) {
        if self.members.insert(row.user_id, row.role).is_some() {
            self.fault(at, "DUPLICATE", "this person is a member already");
        }
        self.version(at, row.version);
    }

    pub(super) fn status(&mut self, at: u64, row: &StatusRow) {
        let is_new = self.statuses.insert(row.id, row.project_id).is_none();
        self.named(at, is_new, "status", row.project_id, &row.name);
        if let Some(project) = self.projects.get_mut(&row.project_id) {
            project.has_status = true;
        }
        if let Some(color) = &row.color {
            self.valid(at, Color::parse(color.as_str()));
        }
        self.version(at, row.version);
    }

    pub(super) fn label(&mut self, at: u64, row: &LabelRow) {
        let is_new = self.labels.insert(row.id, row.project_id).is_none();
        self.named(at, is_new, "label", row.project_id, &row.name);
        self.valid(at, Color::parse(row.color.as_str()));
        self.version(at, row.version);
    }

    pub(super) fn comment(&mut self, at: u64, row: &CommentRow) {
        self.unique(at, "comment", row.id.into());
        self.known_task(at, row.task_id);
        self.comments.entry(row.task_id).or_default().comments += 1;
        self.version(at, row.version);
    }

    pub(super) fn known_task(&mut self, at: u64, task: TaskId) {
        if !self.tasks.contains_key(&task) {
            self.fault(at, "UNKNOWN_TASK", format!("no line before this describes the task {task}"));
        }
    }

    pub(super) fn user(&mut self, at: u64, row: &UserRow) {
        if !self.users.insert(row.id) {
            self.fault(at, "DUPLICATE", "there is a second user with this id");
        }
        if Email::parse(row.email.as_str()).ok().as_ref() != Some(&row.email) {
            self.fault(at, "INVALID_EMAIL", format!("“{}” is not a normal e-mail address", row.email));
        } else if !self.emails.insert(row.email.clone()) {
            self.fault(at, "DUPLICATE", format!("there is a second user with the address {}", row.email));
        }
        self.valid(at, display_name(&row.display_name));
        if let Some(url) = &row.avatar_url {
            self.valid(at, avatar_url(url));
        }
    }

    pub(super) fn project(&mut self, at: u64, row: &ProjectRow) {
        let seen = SeenProject { line: at, last_number: row.last_number, has_status: false };
        if self.projects.insert(row.id, seen).is_some() {
            self.fault(at, "DUPLICATE", "there is a second project with this id");
        }
        if ProjectKey::existing(row.key.as_str()).as_ref() != Some(&row.key) {
            self.fault(at, "INVALID_KEY", format!("no project can have the key “{}”", row.key));
        } else if !self.keys.insert(row.key.clone()) {
            self.fault(at, "DUPLICATE", format!("there is a second project with the key {}", row.key));
        }
        self.valid(at, display_name(&row.name));
        if let Some(description) = &row.description {
            self.valid(at, text(description, crate::work::DESCRIPTION_CHARS));
        }
        self.version(at, row.version);
    }

    /// Checks a status or a label.
    fn named(&mut self, at: u64, is_new: bool, what: &'static str, project: ProjectId, name: &str) {
        if !is_new {
            self.fault(at, "DUPLICATE", format!("there is a second {what} with this id"));
        }
        self.known_project(at, project);
        self.valid(at, single_line(name, 50));
        if !self.names.insert((what, project, name_key(name))) {
            self.fault(at, "DUPLICATE", format!("its project has a second {what} “{name}”"));
        }
    }

    pub(super) fn task(&mut self, at: u64, row: &TaskRow) {
        let seen = SeenTask { line: at, project: row.project_id, parent: row.parent_id };
        if self.tasks.insert(row.id, seen).is_some() {
            self.fault(at, "DUPLICATE", "there is a second task with this id");
        }
        self.known_project(at, row.project_id);
        if self.statuses.get(&row.status_id) != Some(&row.project_id) {
            let problem = format!("its project has no status {}", row.status_id);
            self.fault(at, "UNKNOWN_STATUS", problem);
        }
        let mut labels = BTreeSet::new();
        for label in &row.label_ids {
            if self.labels.get(label) != Some(&row.project_id) {
                self.fault(at, "UNKNOWN_LABEL", format!("its project has no label {label}"));
            } else if !labels.insert(label) {
                self.fault(at, "DUPLICATE", format!("the label {label} is on it twice"));
            }
        }
        self.valid(at, single_line(&row.title, 500));
        if let Some(day) = row.due_date.filter(|day| !is_writable_day(*day)) {
            self.fault(at, "INVALID_DATE", format!("the day {day} is not in the years 1 to 9999"));
        }
        let last = self.projects.get(&row.project_id).map_or(i64::MAX, |project| project.last_number);
        if !(1..=last).contains(&row.number) {
            let problem = format!("its number is {}, and its project counts up to {last}", row.number);
            self.fault(at, "INVALID_NUMBER", problem);
        } else if !self.numbers.insert((row.project_id, row.number)) {
            let problem = format!("there is a second task with the number {}", row.number);
            self.fault(at, "DUPLICATE", problem);
        }
        self.version(at, row.version);
    }

    /// The checks that need all rows.
    fn whole(&mut self) {
        match self.organization {
            None => self.fault(2, "NO_ORGANIZATION", "there is no organization"),
            Some(line) if !self.members.values().any(|role| *role == Role::Owner) => {
                self.fault(line, "NO_OWNER", "this organization has no owner");
            }
            Some(_) => {}
        }
        let mut faults: Vec<FieldError> = Vec::new();
        for project in self.projects.values().filter(|project| !project.has_status) {
            faults.push(fault_at(project.line, "NO_STATUS", "this project has no status"));
        }
        let mut fine = HashSet::new();
        for (id, task) in &self.tasks {
            if let Some(parent) = task.parent
                && self.tasks.get(&parent).is_none_or(|found| found.project != task.project)
            {
                let problem = format!("its parent {parent} is not a task of its project");
                faults.push(fault_at(task.line, "UNKNOWN_PARENT", problem));
            } else if !self.has_top(*id, &mut fine) {
                faults.push(fault_at(task.line, "PARENT_CYCLE", "this task is below itself"));
            }
        }
        faults.sort_by_key(|fault| fault.pointer.trim_start_matches('/').parse::<u64>().unwrap_or(0));
        faults.truncate(FAULTS - self.faults.len().min(FAULTS));
        self.faults.append(&mut faults);
    }

    /// Whether a task is not below itself: the path over its parents ends. Tasks that are known to be so are in `fine`.
    fn has_top(&self, id: TaskId, fine: &mut HashSet<TaskId>) -> bool {
        let (mut way, mut next) = (HashSet::new(), Some(id));
        while let Some(id) = next.filter(|id| !fine.contains(id)) {
            if !way.insert(id) {
                return false;
            }
            next = self.tasks.get(&id).and_then(|task| task.parent);
        }
        fine.extend(way);
        true
    }

    fn known_project(&mut self, at: u64, project: ProjectId) {
        if !self.projects.contains_key(&project) {
            let problem = format!("no line before this describes the project {project}");
            self.fault(at, "UNKNOWN_PROJECT", problem);
        }
    }

    pub(super) fn unique(&mut self, at: u64, what: &'static str, id: uuid::Uuid) {
        if !self.others.insert((what, id)) {
            self.fault(at, "DUPLICATE", format!("there is a second {what} with this id"));
        }
    }

    fn valid<T>(&mut self, at: u64, checked: Result<T, Fault>) {
        if let Err(Fault { code, message }) = checked {
            self.fault(at, code, message.trim_end_matches('.'));
        }
    }

    /// Postgres stores no U+0000 in a text.
    pub(super) fn storable(&mut self, at: u64, texts: &[&Option<String>]) {
        if texts.iter().any(|text| text.as_deref().is_some_and(|text| text.contains('\0'))) {
            self.fault(at, "CONTROL_CHARACTER", "a text has the character U+0000");
        }
    }

    fn version(&mut self, at: u64, version: i64) {
        if version < 1 {
            self.fault(at, "INVALID_VERSION", "versions begin with 1");
        }
    }
}
