//! Jira's CSV export ("Export Excel CSV (all fields)"). Columns are found by their names.

use std::collections::{BTreeSet, HashMap};
use std::io::Read;

use chrono::{DateTime, NaiveDate, NaiveDateTime};
use csv::StringRecord;

use crate::clock::Timestamp;
use crate::error::{Error, FieldError, Result};
use crate::id::TaskId;
use crate::names::mended_line;
use crate::work::{Priority, StatusCategory, TaskKey, TaskType, name_key};

use super::draft::{Draft, TaskDraft};
use super::foreign::{Foreign, Settings, broken, key_of};

/// The formats of times: they depend on the settings of the Jira site and on the kind of export.
const TIMES: [&str; 10] = [
    "%d/%b/%y %I:%M %p",
    "%d/%b/%Y %I:%M %p",
    "%d/%b/%y %H:%M",
    "%Y-%m-%d %H:%M:%S%.f",
    "%Y-%m-%d %H:%M",
    "%Y-%m-%dT%H:%M:%S%.f",
    "%d.%m.%Y %H:%M",
    "%d/%m/%Y %H:%M",
    "%b %d, %Y %I:%M %p",
    "%b %d, %Y, %I:%M %p",
];
/// The formats of days.
const DAYS: [&str; 6] = ["%d/%b/%y", "%d/%b/%Y", "%Y-%m-%d", "%d.%m.%Y", "%d/%m/%Y", "%b %d, %Y"];

/// Makes an organization from an export. Issues keep their keys.
///
/// # Errors
/// `VALIDATION_FAILED` with the faults: the file is not such an export, or rows are broken, each with its line.
pub fn jira(input: impl Read, settings: &Settings) -> Result<Foreign> {
    let mut draft = Draft::new(settings)?;
    // A byte order mark is not a part of the first column's name.
    let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(input);
    let columns = match reader.headers() {
        Ok(names) => Columns::of(names),
        Err(error) => return Err(Error::invalid(vec![broken(1, error)])),
    };
    for name in ["summary", "issue key"] {
        if columns.first(name).is_none() {
            let message = format!("Line 1: this is no export of Jira: it has no column “{name}”.");
            let fault = FieldError { pointer: "/1".into(), code: "NO_COLUMN", message };
            return Err(Error::invalid(vec![fault]));
        }
    }
    let mut issues = Issues::default();
    for row in reader.records() {
        match row {
            Ok(row) => {
                let line = row.position().map_or(0, csv::Position::line);
                if let Err(fault) =
                    issue(&mut draft, &mut issues, &Row { line, row: &row, columns: &columns })
                {
                    draft.fault(fault);
                }
            }
            Err(error) => {
                let line = error.position().map_or(0, csv::Position::line);
                draft.fault(broken(line, error));
            }
        }
    }
    issues.connect(&mut draft);
    draft.finish()
}

/// The indexes of the columns by name. Jira repeats a name for each further value.
struct Columns {
    by_name: HashMap<String, Vec<usize>>,
    count: usize,
}

impl Columns {
    fn of(names: &StringRecord) -> Self {
        let mut by_name: HashMap<String, Vec<usize>> = HashMap::new();
        for (at, name) in names.iter().enumerate() {
            let name = name.trim_start_matches('\u{feff}').trim();
            by_name.entry(name_key(name)).or_default().push(at);
        }
        Self { by_name, count: names.len() }
    }

    fn first(&self, name: &str) -> Option<usize> {
        self.by_name.get(name)?.first().copied()
    }
}

/// A row with the names of its columns.
struct Row<'a> {
    line: u64,
    row: &'a StringRecord,
    columns: &'a Columns,
}

impl<'a> Row<'a> {
    /// All values in the columns with a name.
    fn all(&self, name: &str) -> impl Iterator<Item = &'a str> + use<'a> {
        let row = self.row;
        let at: &'a [usize] = self.columns.by_name.get(name).map_or(&[], Vec::as_slice);
        at.iter().filter_map(|at| row.get(*at)).map(str::trim).filter(|text| !text.is_empty())
    }

    /// The first value in the columns with these names, in the order of the names.
    fn get(&self, names: &[&str]) -> Option<&'a str> {
        names.iter().find_map(|name| self.all(name).next())
    }
}

/// Issues by their keys and ids, and the parents of tasks.
#[derive(Default)]
struct Issues {
    known: HashMap<String, (usize, TaskId)>,
    below: Vec<(usize, TaskId, String)>,
}

fn issue(draft: &mut Draft, issues: &mut Issues, row: &Row<'_>) -> Result<(), FieldError> {
    if row.row.len() != row.columns.count {
        let problem = format!("this row has {} fields, and the first {}", row.row.len(), row.columns.count);
        return Err(broken(row.line, problem));
    }
    let key = row.get(&["issue key"]).ok_or_else(|| broken(row.line, "this row has no issue key"))?;
    let title = row.get(&["summary"]).and_then(|title| mended_line(title, 500));
    let title = title.ok_or_else(|| broken(row.line, "this row has no summary"))?;
    let no_key = || broken(row.line, format!("“{key}” is no issue key"));
    let (letters, number) = key.rsplit_once('-').ok_or_else(no_key)?;
    let letters = key_of(letters).ok_or_else(no_key)?;
    let TaskKey { project, number } = TaskKey::parse(&format!("{letters}-{number}")).ok_or_else(no_key)?;
    let name = row.get(&["project name"]).unwrap_or_default();
    let project = draft.project(row.line, &project, name);

    let status = row.get(&["status"]).unwrap_or("To Do");
    let category = match row.get(&["status category"]) {
        Some(category) => category_of(draft, category, status),
        None => guessed_category(status),
    };
    let status = draft.status(project, status, category);
    let labels: BTreeSet<_> = row
        .all("labels")
        .flat_map(str::split_whitespace)
        .filter_map(|name| draft.label(project, name, None))
        .collect();
    let told = |names: &[&str]| -> Vec<&str> { names.iter().flat_map(|name| row.all(name)).collect() };
    let assignee = told(&["assignee email", "assignee e-mail", "assignee id", "assignee"]);
    let reporter = told(&["reporter email", "reporter e-mail", "reporter id", "reporter", "creator"]);
    let assignee = draft.person(&assignee);
    let found = draft.person(&reporter);
    let mut text = row.get(&["description"]).unwrap_or_default().to_owned();
    if let (None, Some(name)) = (found, row.get(&["reporter", "reporter id"])) {
        text = format!("Reported by {name}.\n\n{text}");
    }
    let created = time_of(draft, row.get(&["created"]));
    let updated = row.get(&["updated"]).map(|text| time_of(draft, Some(text))).unwrap_or(created);
    let task = TaskDraft {
        number,
        title,
        text,
        status,
        assignee,
        reporter: found.unwrap_or(draft.owner),
        priority: priority_of(draft, row.get(&["priority"])),
        kind: type_of(draft, row.get(&["issue type", "issuetype"])),
        due: row.get(&["due date", "due"]).and_then(|text| day_of(draft, text)),
        labels,
        created,
        updated,
    };
    let no_title = || broken(row.line, "this row has no summary");
    let task = draft.task(project, row.line, task).ok_or_else(no_title)?;
    issues.known.insert(name_key(key), (project, task));
    if let Some(id) = row.get(&["issue id"]) {
        issues.known.insert(id.to_owned(), (project, task));
    }
    if let Some(parent) = row.get(&["parent id", "parent key", "parent", "epic link"]) {
        issues.below.push((project, task, name_key(parent)));
    }
    for comment in row.all("comment") {
        let mut parts = comment.splitn(3, ';');
        let (at, author, text) = match (parts.next(), parts.next(), parts.next()) {
            (Some(at), Some(author), Some(text)) if parse_time(at).is_some() => (Some(at), author, text),
            _ => {
                draft.report.note("a comment without a date and an author");
                (None, "", comment)
            }
        };
        let at = at.and_then(parse_time).unwrap_or(updated);
        let person = draft.person(&[author]);
        draft.comment(row.line, task, person, author, text, at);
    }
    Ok(())
}

impl Issues {
    /// Sets the parents of tasks, if the file contains the parent in the same project.
    fn connect(&self, draft: &mut Draft) {
        for (project, task, parent) in &self.below {
            let found = self.known.get(parent).filter(|(other, id)| other == project && id != task);
            let Some((_, parent)) = found else {
                draft.report.note("a parent that is not in the same project of the file");
                continue;
            };
            draft.put_below(*task, *parent);
        }
    }
}

fn category_of(draft: &mut Draft, category: &str, status: &str) -> StatusCategory {
    match name_key(category).as_str() {
        "to do" | "todo" | "new" => StatusCategory::Todo,
        "in progress" | "indeterminate" => StatusCategory::InProgress,
        "done" | "complete" => StatusCategory::Done,
        _ => {
            draft.report.note(format!("the status category “{category}” is not known"));
            guessed_category(status)
        }
    }
}

/// The category that the name of a status suggests.
fn guessed_category(status: &str) -> StatusCategory {
    match name_key(status).as_str() {
        "to do" | "todo" | "open" | "new" | "backlog" | "reopened" | "selected for development" => {
            StatusCategory::Todo
        }
        "done" | "closed" | "resolved" | "released" | "complete" | "completed" | "cancelled" | "won't do" => {
            StatusCategory::Done
        }
        _ => StatusCategory::InProgress,
    }
}

fn priority_of(draft: &mut Draft, priority: Option<&str>) -> Priority {
    let Some(priority) = priority else { return Priority::None };
    match name_key(priority).as_str() {
        "highest" | "blocker" | "critical" | "urgent" => Priority::Urgent,
        "high" | "major" => Priority::High,
        "medium" | "normal" => Priority::Medium,
        "low" | "lowest" | "minor" | "trivial" => Priority::Low,
        "none" | "undefined" | "not set" => Priority::None,
        _ => {
            draft.report.note(format!("the priority “{priority}” is not known: none"));
            Priority::None
        }
    }
}

fn type_of(draft: &mut Draft, kind: Option<&str>) -> TaskType {
    let Some(kind) = kind else { return TaskType::Task };
    match name_key(kind).as_str() {
        "bug" | "defect" | "incident" => TaskType::Bug,
        "story" | "epic" | "new feature" | "feature" | "improvement" => TaskType::Story,
        "sub-task" | "subtask" => TaskType::Subtask,
        "task" => TaskType::Task,
        _ => {
            draft.report.note(format!("the issue type “{kind}” is not known: task"));
            TaskType::Task
        }
    }
}

fn time_of(draft: &mut Draft, text: Option<&str>) -> Timestamp {
    let time = text.and_then(parse_time);
    if time.is_none() {
        draft.report.note("a time that cannot be read: now");
    }
    time.unwrap_or(draft.now)
}

fn day_of(draft: &mut Draft, text: &str) -> Option<NaiveDate> {
    let day = DAYS.iter().find_map(|format| parse_day(text, format));
    let day = day.or_else(|| parse_time(text).map(|time| time.date_naive()));
    if day.is_none() {
        draft.report.note("a due date that cannot be read: none");
    }
    day
}

/// `%Y` also accepts two digits, so `%y` is tried first. A year before 1970 or after 9999 is a mistake.
fn parse_day(text: &str, format: &str) -> Option<NaiveDate> {
    NaiveDate::parse_from_str(text.trim(), format).ok().filter(|day| is_believable(*day))
}

fn is_believable(day: NaiveDate) -> bool {
    (1970..=9999).contains(&chrono::Datelike::year(&day))
}

/// A time without a zone counts as UTC.
fn parse_time(text: &str) -> Option<Timestamp> {
    let text = text.trim();
    let zoned = DateTime::parse_from_rfc3339(text)
        .or_else(|_| DateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.f%z"));
    let zoned = zoned.map(|time| time.to_utc()).ok();
    let plain = || TIMES.iter().find_map(|format| NaiveDateTime::parse_from_str(text, format).ok());
    let time = zoned.or_else(|| plain().map(|time| time.and_utc()))?;
    let time = chrono::SubsecRound::trunc_subsecs(time, 6);
    Some(time).filter(|time| is_believable(time.date_naive()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transfer::foreign::tests::{counts, settings};
    use crate::transfer::{Record, Report, TaskRow};

    const FILE: &str = include_str!("../../tests/data/jira.csv");

    fn tasks(foreign: &Foreign) -> Vec<TaskRow> {
        let tasks = foreign.bundle.records().unwrap().into_iter();
        tasks.filter_map(|record| if let Record::Task(row) = record { Some(row) } else { None }).collect()
    }

    #[test]
    fn an_export_becomes_projects_with_their_issues() {
        let foreign = jira(FILE.as_bytes(), &settings()).unwrap();
        let [users, projects, statuses, labels, tasks_, comments] = counts(&foreign.bundle);
        assert_eq!((users, projects, statuses, labels, tasks_, comments), (3, 2, 5, 3, 5, 3));
        let tasks = tasks(&foreign);
        assert_eq!(tasks[0].title, "Menu, \"main\" – the Größe is wrong");
        assert_eq!(
            tasks[0].description.as_ref().unwrap().plain_text(),
            "First line\nSecond line; with, commas\n日本語"
        );
        assert_eq!(tasks[0].created_at.to_rfc3339(), "2026-02-01T15:45:00+00:00");
        assert_eq!(tasks[0].due_date.unwrap().to_string(), "2026-03-01");
        assert_eq!(tasks[0].priority, Priority::Urgent);
        assert_eq!(tasks[0].label_ids.len(), 2);
        assert_eq!((tasks[1].parent_id, tasks[1].kind), (Some(tasks[0].id), TaskType::Subtask));
        assert_eq!(tasks.iter().map(|task| task.number).collect::<Vec<_>>(), [1, 2, 7, 8, 4]);
    }

    #[test]
    fn what_is_not_known_is_counted() {
        let Report(notes) = jira(FILE.as_bytes(), &settings()).unwrap().report;
        let notes: Vec<String> = notes.iter().map(|(what, count)| format!("{count} {what}")).collect();
        assert_eq!(
            notes,
            [
                "1 a comment without a date and an author",
                "1 a due date that cannot be read: none",
                "1 a parent that is not in the same project of the file",
                "1 the issue type “Spike” is not known: task",
                "1 the priority “Whenever” is not known: none",
                "2 “someone-else” has no e-mail address, so is nobody here",
            ]
        );
    }

    #[test]
    fn broken_rows_are_named_with_their_lines() {
        let file = "Summary,Issue key,Status\nFine,WEB-1,To Do\n,WEB-2,To Do\nToo few,WEB-3\nNo key,WEB,Done\n\
                    \"Two\nlines\",WEB-5,Done\nTwice,WEB-1,Done\n";
        let error = jira(file.as_bytes(), &settings()).unwrap_err();
        let lines: Vec<&str> = error.fields().iter().map(|fault| fault.message.as_str()).collect();
        assert_eq!(
            lines,
            [
                "Line 3: this row has no summary.",
                "Line 4: this row has 2 fields, and the first 3.",
                "Line 5: “WEB” is no issue key.",
            ]
        );
        let twice = "Summary,Issue key\nFine,WEB-1\n\"Two\nlines\",WEB-2\nTwice,WEB-1\n";
        let error = jira(twice.as_bytes(), &settings()).unwrap_err();
        assert_eq!(error.detail(), "Line 5: there is a second task with the number 1.");
        let error = jira("a,b\n1,2\n".as_bytes(), &settings()).unwrap_err();
        assert_eq!(error.detail(), "Line 1: this is no export of Jira: it has no column “summary”.");
    }

    #[test]
    fn times_are_read_however_a_site_writes_them() {
        for text in [
            "01/Feb/26 3:45 PM",
            "01/Feb/2026 03:45 PM",
            "2026-02-01 15:45",
            "2026-02-01T15:45:00.000+0000",
            "2026-02-01T16:45:00+01:00",
            "01.02.2026 15:45",
            "Feb 1, 2026, 3:45 PM",
        ] {
            let time = parse_time(text).unwrap_or_else(|| panic!("{text}"));
            assert_eq!(time.to_rfc3339(), "2026-02-01T15:45:00+00:00", "{text}");
        }
        assert_eq!(parse_time("yesterday"), None);
    }
}
