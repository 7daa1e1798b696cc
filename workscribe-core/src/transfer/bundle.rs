//! An organization to be imported: read, and checked before any of it is written.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::io::BufRead;

use crate::clock::is_writable_day;
use crate::error::{Error, Fault, FieldError};
use crate::id::{LabelId, ProjectId, StatusId, TaskId, UserId};
use crate::identity::{Email, avatar_url, display_name};
use crate::tenancy::{Role, Slug};
use crate::work::{Color, ProjectKey, line, name_key, text};

use super::record::{FORMAT, Header, ProjectRow, Record, TaskRow, UserRow, VERSION};
use super::spool::{Rows, Spool, SpoolWriter};

/// The maximum number of faults in one error.
const FAULTS: usize = 20;

/// An organization that can be imported: rows that are consistent with each other.
///
/// Projects, people and other rows of small number are in memory. Tasks, comments, history and notifications are in a temporary
/// file, so that a bundle of any size needs about a hundred bytes of memory for each task.
#[derive(Debug)]
pub struct Bundle {
    head: Vec<Record>,
    rest: Spool,
    parents: Vec<(TaskId, TaskId)>,
    counts: HashMap<TaskId, HangingOn>,
}

/// The number of subtasks and comments of a task.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct HangingOn {
    pub(super) subtasks: u32,
    pub(super) comments: u32,
}

/// Whether the number of rows of this kind is unbounded.
const fn is_of_many(record: &Record) -> bool {
    matches!(record, Record::Task(_) | Record::Comment(_) | Record::Activity(_) | Record::Notification(_))
}

impl Bundle {
    /// Reads an export. Names are put into their stored form: characters that change the direction of text are removed, and
    /// people whose names have no visible character are named by their address. Any other name without a visible character is a
    /// fault, and so are two labels or statuses of a project that have the same name after that.
    ///
    /// # Errors
    /// `VALIDATION_FAILED` with the faults, each with the number of its line: the file is not an export, has another version, is
    /// incomplete, or has inconsistent rows.
    pub fn read(mut input: impl BufRead) -> Result<Self, Error> {
        // Faults of unreadable lines come before faults in the content of lines.
        let (mut lines, mut check) = (Check::default(), Check::default());
        let (mut head, mut rest) = (Vec::new(), SpoolWriter::new()?);
        let (mut number, mut ended, mut bytes) = (0, None, Vec::new());
        loop {
            bytes.clear();
            match input.read_until(b'\n', &mut bytes) {
                Ok(0) => break,
                Ok(_) => number += 1,
                Err(error) => {
                    lines.fault(number + 1, "UNREADABLE", format!("the file cannot be read: {error}"));
                    break;
                }
            }
            let record = match serde_json::from_slice::<Record>(&bytes) {
                Ok(record) => record,
                Err(error) => {
                    lines.fault(number, "NOT_A_RECORD", format!("this is no record of an export: {error}"));
                    // A file whose first line is not from an export is not an export at all.
                    if number == 1 || lines.is_full() {
                        break;
                    }
                    continue;
                }
            };
            match (record, number) {
                (Record::Header(header), 1) => {
                    if !lines.header(&header) {
                        break;
                    }
                }
                (_, 1) => {
                    lines.fault(1, "NO_HEADER", "an export begins with a header");
                    break;
                }
                (Record::End(end), _) => ended = Some((number, end.records)),
                (mut record, _) => {
                    let is_mended = record.mend();
                    check.record(number, &record);
                    if is_of_many(&record) && is_mended {
                        rest.add(&record)?;
                    } else if is_of_many(&record) {
                        rest.add_line(&bytes)?;
                    } else {
                        head.push(record);
                    }
                }
            }
        }
        if lines.faults.is_empty() {
            match ended {
                Some((at, records)) if at == number && records == number => {}
                Some((at, _)) if at != number => {
                    lines.fault(at + 1, "AFTER_THE_END", "there is more after the end");
                }
                Some((_, records)) => {
                    let problem = format!("the end tells of {records} lines, and there are {number}");
                    lines.fault(number, "NOT_WHOLE", problem);
                }
                None => {
                    lines.fault(number + 1, "NOT_WHOLE", "the end is missing: this is not the whole export");
                }
            }
        }
        if !lines.faults.is_empty() {
            return Err(refused(lines.faults));
        }
        check.finish(head, rest)
    }

    /// Makes a bundle of rows from another source, each with the line from which it was made.
    ///
    /// # Errors
    /// As [`Bundle::read`] for inconsistent rows, and the errors of the iterator.
    pub fn of(lines: impl IntoIterator<Item = Result<(u64, Record), Error>>) -> Result<Self, Error> {
        let mut check = Check::default();
        let (mut head, mut rest) = (Vec::new(), SpoolWriter::new()?);
        for line in lines {
            let (number, mut record) = line?;
            record.mend();
            check.record(number, &record);
            if is_of_many(&record) {
                rest.add(&record)?;
            } else {
                head.push(record);
            }
        }
        check.finish(head, rest)
    }

    /// All rows at once, in an order in which they can be written. Use it only for a small bundle.
    ///
    /// # Errors
    /// When its temporary file cannot be read.
    pub fn records(&self) -> Result<Vec<Record>, Error> {
        let most = usize::try_from(self.rest.len()).unwrap_or(usize::MAX);
        let mut records = self.head.clone();
        records.extend(self.rest.rows()?.next(most)?);
        Ok(records)
    }

    /// The number of rows.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.rest.len() + self.head.len() as u64
    }

    /// Whether there are no rows. It is always `false`: every bundle has an organization.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The rows of small number. They come before the others.
    pub(super) fn head(&self) -> &[Record] {
        &self.head
    }

    /// The rows of unbounded number.
    pub(super) fn rest(&self) -> Result<Rows, Error> {
        self.rest.rows()
    }

    /// The tasks that have a parent, with their parents.
    pub(super) fn parents(&self) -> &[(TaskId, TaskId)] {
        &self.parents
    }

    /// The number of subtasks and comments of a task.
    pub(super) fn hanging_on(&self, task: TaskId) -> HangingOn {
        self.counts.get(&task).copied().unwrap_or_default()
    }
}

/// The error for faults that were found in a file.
pub(super) fn refused(faults: Vec<FieldError>) -> Error {
    Error::invalid(faults)
}

/// A fault in a line.
pub(super) fn fault_at(line: u64, code: &'static str, problem: impl std::fmt::Display) -> FieldError {
    FieldError { pointer: format!("/{line}"), code, message: format!("Line {line}: {problem}.") }
}

/// What the lines so far contained.
#[derive(Default)]
struct Check {
    faults: Vec<FieldError>,
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
    fn is_full(&self) -> bool {
        self.faults.len() >= FAULTS
    }

    fn fault(&mut self, line: u64, code: &'static str, problem: impl std::fmt::Display) {
        if !self.is_full() {
            self.faults.push(fault_at(line, code, problem));
        }
    }

    fn header(&mut self, header: &Header) -> bool {
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

    fn finish(mut self, head: Vec<Record>, rest: SpoolWriter) -> Result<Bundle, Error> {
        if !self.is_full() {
            self.whole();
        }
        if !self.faults.is_empty() {
            return Err(refused(self.faults));
        }
        let parents = self.tasks.iter().filter_map(|(id, task)| Some((*id, task.parent?)));
        let mut parents: Vec<(TaskId, TaskId)> = parents.collect();
        parents.sort_unstable();
        let mut counts = self.comments;
        for (_, parent) in &parents {
            counts.entry(*parent).or_default().subtasks += 1;
        }
        Ok(Bundle { head, rest: rest.finish()?, parents, counts })
    }

    fn record(&mut self, at: u64, record: &Record) {
        if self.is_full() {
            return;
        }
        for user in record.people() {
            if !self.users.contains(&user) {
                self.fault(at, "UNKNOWN_USER", format!("no line before this describes the user {user}"));
            }
        }
        match record {
            Record::Header(_) => self.fault(at, "SECOND_HEADER", "there is a second header"),
            Record::End(_) => self.fault(at, "NOT_WHOLE", "the end is not the last line"),
            Record::Organization(row) => {
                if self.organization.replace(at).is_some() {
                    self.fault(at, "SECOND_ORGANIZATION", "there is a second organization");
                }
                self.valid(at, display_name(&row.name));
                if Slug::existing(row.slug.as_str()).is_none() {
                    self.fault(at, "INVALID_SLUG", "no organization can have this slug");
                }
                self.version(at, row.version);
            }
            Record::User(row) => self.user(at, row),
            Record::Member(row) => {
                if self.members.insert(row.user_id, row.role).is_some() {
                    self.fault(at, "DUPLICATE", "this person is a member already");
                }
                self.version(at, row.version);
            }
            Record::Project(row) => self.project(at, row),
            Record::Status(row) => {
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
            Record::Label(row) => {
                let is_new = self.labels.insert(row.id, row.project_id).is_none();
                self.named(at, is_new, "label", row.project_id, &row.name);
                self.valid(at, Color::parse(row.color.as_str()));
                self.version(at, row.version);
            }
            Record::Task(row) => self.task(at, row),
            Record::Comment(row) => {
                self.unique(at, "comment", row.id.into());
                if !self.tasks.contains_key(&row.task_id) {
                    let problem = format!("no line before this describes the task {}", row.task_id);
                    self.fault(at, "UNKNOWN_TASK", problem);
                }
                self.comments.entry(row.task_id).or_default().comments += 1;
                self.version(at, row.version);
            }
            Record::Activity(row) => {
                self.unique(at, "line of the history", row.id.into());
                self.storable(at, &[&row.field_name, &row.old_value, &row.new_value]);
            }
            Record::Notification(row) => {
                self.unique(at, "notification", row.id.into());
                self.storable(at, &[&Some(row.title.clone()), &row.body]);
            }
        }
    }

    fn user(&mut self, at: u64, row: &UserRow) {
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

    fn project(&mut self, at: u64, row: &ProjectRow) {
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
        self.valid(at, line(name, 50));
        if !self.names.insert((what, project, name_key(name))) {
            self.fault(at, "DUPLICATE", format!("its project has a second {what} “{name}”"));
        }
    }

    fn task(&mut self, at: u64, row: &TaskRow) {
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
        self.valid(at, line(&row.title, 500));
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

    fn unique(&mut self, at: u64, what: &'static str, id: uuid::Uuid) {
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
    fn storable(&mut self, at: u64, texts: &[&Option<String>]) {
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
