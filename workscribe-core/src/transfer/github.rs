//! GitHub's issues as its REST API returns them (`GET /repos/{owner}/{repo}/issues?state=all`): one array, or the arrays of several
//! pages one after the other.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde_json::Value;

use crate::clock::{Timestamp, is_writable};
use crate::error::{Error, FieldError, Result};
use crate::id::UserId;
use crate::work::{Priority, ProjectKey, StatusCategory, TaskType, name_key};

use super::draft::{Draft, TaskDraft};
use super::foreign::{Foreign, Settings, key_of};

/// The fields of an issue that are imported.
#[derive(Deserialize)]
struct Issue {
    number: i64,
    title: String,
    body: Option<String>,
    state: Option<String>,
    state_reason: Option<String>,
    #[serde(default)]
    labels: Vec<Label>,
    assignee: Option<User>,
    #[serde(default)]
    assignees: Vec<User>,
    user: Option<User>,
    milestone: Option<Milestone>,
    created_at: Timestamp,
    updated_at: Option<Timestamp>,
    closed_at: Option<Timestamp>,
    pull_request: Option<Value>,
    repository_url: Option<String>,
    html_url: Option<String>,
}

/// A label: an object, or only its name in older responses.
#[derive(Deserialize)]
#[serde(untagged)]
enum Label {
    Name(String),
    Object { name: Option<String>, color: Option<String> },
}

#[derive(Deserialize)]
struct User {
    login: String,
    /// The API does not return it, but a script may add it.
    email: Option<String>,
}

#[derive(Deserialize)]
struct Milestone {
    due_on: Option<Timestamp>,
}

impl Label {
    fn parts(&self) -> (&str, Option<String>) {
        match self {
            Self::Name(name) => (name, None),
            Self::Object { name, color } => {
                let color = color.as_ref().map(|color| format!("#{}", color.trim_start_matches('#')));
                (name.as_deref().unwrap_or_default(), color)
            }
        }
    }
}

/// Makes an organization with one project for each repository. Issues keep their numbers; pull requests are left out.
///
/// # Errors
/// `VALIDATION_FAILED` with the faults: the text is not JSON, or issues are broken, each with its place in the file.
pub fn github(input: &str, settings: &Settings) -> Result<Foreign> {
    let mut draft = Draft::new(settings)?;
    let key = settings.project_key.as_deref().map(ProjectKey::parse).transpose();
    let key = key.map_err(|fault| {
        let (code, message) = (fault.code, fault.message.into_owned());
        Error::invalid(vec![FieldError { pointer: "/project_key".into(), code, message }])
    })?;
    let mut at = 0;
    let mut seen = BTreeSet::new();
    let mut keys = BTreeMap::new();
    for page in serde_json::Deserializer::from_str(input).into_iter::<Value>() {
        let issues = match page {
            Ok(Value::Array(issues)) => issues,
            Ok(_) => return Err(fault(at, None, "this is not an array of issues")),
            Err(error) => return Err(fault(at, None, &format!("this is no JSON: {error}"))),
        };
        for value in issues {
            let number = value["number"].as_i64();
            match serde_json::from_value::<Issue>(value) {
                Ok(issue) => issue_in(&mut draft, &mut keys, key.as_ref(), &mut seen, at, &issue),
                Err(error) => draft.fault(field(at, number, &error.to_string())),
            }
            at += 1;
        }
    }
    if draft.projects.is_empty() {
        let project = draft.project(1, &key.unwrap_or_else(default_key), "Issues");
        draft.status(project, "To Do", StatusCategory::Todo);
    }
    draft.finish()
}

fn fault(at: usize, number: Option<i64>, problem: &str) -> Error {
    Error::invalid(vec![field(at, number, problem)])
}

/// Issues have no lines, so they are counted from 1.
fn field(at: usize, number: Option<i64>, problem: &str) -> FieldError {
    let name = number.map(|number| format!(" (#{number})")).unwrap_or_default();
    let message = format!("Issue {}{name}: {problem}.", at + 1);
    FieldError { pointer: format!("/{at}"), code: "BROKEN_ROW", message }
}

fn default_key() -> ProjectKey {
    ProjectKey::from_stored("GH".to_owned())
}

/// `https://api.github.com/repos/acme/website` gives the repository `website`.
fn repository(issue: &Issue) -> &str {
    let by_api = issue.repository_url.as_deref().and_then(|url| url.rsplit('/').next());
    let by_page = || issue.html_url.as_deref().and_then(|url| url.split('/').nth(4));
    by_api.or_else(by_page).unwrap_or_default()
}

/// The project of a repository. If two repositories would have the same key, the second key gets a number.
fn project_of(
    draft: &mut Draft,
    keys: &mut BTreeMap<String, usize>,
    key: Option<&ProjectKey>,
    line: u64,
    repository: &str,
) -> usize {
    if let Some(found) = keys.get(repository) {
        return *found;
    }
    let wanted = match key {
        Some(key) if keys.is_empty() => key.clone(),
        _ => key_of(repository).unwrap_or_else(default_key),
    };
    let is_taken = |key: &ProjectKey| draft.projects.iter().any(|project| project.row.key == *key);
    let others = (2..).map(|n: u32| {
        let n = n.to_string();
        let begin: String = wanted.as_str().chars().take(10_usize.saturating_sub(n.len())).collect();
        ProjectKey::from_stored(begin + &n)
    });
    let free = std::iter::once(wanted.clone()).chain(others).find(|key| !is_taken(key));
    let project = draft.project(line, &free.unwrap_or(wanted), repository);
    draft.status(project, "To Do", StatusCategory::Todo);
    draft.status(project, "In Progress", StatusCategory::InProgress);
    draft.status(project, "Done", StatusCategory::Done);
    keys.insert(repository.to_owned(), project);
    project
}

fn issue_in(
    draft: &mut Draft,
    keys: &mut BTreeMap<String, usize>,
    key: Option<&ProjectKey>,
    seen: &mut BTreeSet<(usize, i64)>,
    at: usize,
    issue: &Issue,
) {
    if issue.pull_request.is_some() {
        draft.report.note("a pull request, passed over");
        return;
    }
    let line = at as u64 + 1;
    let project = project_of(draft, keys, key, line, repository(issue));
    // A page may begin with the last issues of the previous page.
    if !seen.insert((project, issue.number)) {
        draft.report.note("an issue that was there already");
        return;
    }
    if issue.number < 1 {
        draft.fault(field(at, Some(issue.number), "this is not the number of an issue"));
        return;
    }
    let due = issue.milestone.as_ref().and_then(|milestone| milestone.due_on);
    let times = [Some(issue.created_at), issue.updated_at, issue.closed_at, due];
    if !times.into_iter().flatten().all(|time| is_writable(time) && time >= Timestamp::UNIX_EPOCH) {
        draft.fault(field(at, Some(issue.number), "one of its times is outside the years 1970 to 9999"));
        return;
    }
    let (status, category) = status_of(draft, issue);
    let status = draft.status(project, status, category);
    let labels = issue.labels.iter().map(Label::parts);
    let labels: Vec<_> = labels.map(|(name, color)| (name.to_owned(), color)).collect();
    let named = |wanted: &[&str]| labels.iter().any(|(name, _)| wanted.contains(&name_key(name).as_str()));
    let kind = if named(&["bug", "type: bug", "kind/bug"]) {
        TaskType::Bug
    } else if named(&["enhancement", "feature", "type: feature", "kind/feature"]) {
        TaskType::Story
    } else {
        TaskType::Task
    };
    let ids = labels.iter().filter_map(|(name, color)| draft.label(project, name, color.as_deref()));
    let ids: BTreeSet<_> = ids.collect();
    let assignees: Vec<&User> = issue.assignee.iter().chain(&issue.assignees).collect();
    let distinct: BTreeSet<&str> = assignees.iter().map(|user| user.login.as_str()).collect();
    if distinct.len() > 1 {
        draft.report.note("an issue with several assignees: the first who is somebody here");
    }
    let assignee = assignees.iter().find_map(|user| person(draft, user));
    let reporter = issue.user.as_ref().and_then(|user| person(draft, user));
    let mut text = issue.body.clone().unwrap_or_default();
    if let (None, Some(user)) = (reporter, &issue.user) {
        text = format!("Reported by @{}.\n\n{text}", user.login);
    }
    let updated = issue.updated_at.or(issue.closed_at).unwrap_or(issue.created_at);
    let task = TaskDraft {
        number: issue.number,
        title: issue.title.clone(),
        text,
        status,
        assignee,
        reporter: reporter.unwrap_or(draft.owner),
        priority: Priority::None,
        kind,
        due: due.map(|due| due.date_naive()),
        labels: ids,
        created: micros(issue.created_at),
        updated: micros(updated),
    };
    if draft.task(project, line, task).is_none() {
        draft.fault(field(at, Some(issue.number), "it has no title"));
    }
}

fn micros(time: Timestamp) -> Timestamp {
    chrono::SubsecRound::trunc_subsecs(time, 6)
}

fn person(draft: &mut Draft, user: &User) -> Option<UserId> {
    draft.person(&[user.email.as_deref().unwrap_or_default(), &user.login])
}

fn status_of(draft: &mut Draft, issue: &Issue) -> (&'static str, StatusCategory) {
    match (issue.state.as_deref(), issue.state_reason.as_deref()) {
        (Some("open"), _) => ("To Do", StatusCategory::Todo),
        (Some("closed"), Some("not_planned" | "duplicate")) => ("Won't Do", StatusCategory::Done),
        (Some("closed"), _) => ("Done", StatusCategory::Done),
        (state, _) => {
            let state = state.unwrap_or_default();
            draft.report.note(format!("the state “{state}” is not known: To Do"));
            ("To Do", StatusCategory::Todo)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transfer::Record;
    use crate::transfer::foreign::tests::{counts, settings};

    const FILE: &str = include_str!("../../tests/data/github.json");

    #[test]
    fn issues_become_tasks_and_pull_requests_do_not() {
        let foreign = github(FILE, &settings()).unwrap();
        assert_eq!(counts(&foreign.bundle), [2, 1, 4, 3, 4, 0]);
        let records = foreign.bundle.records().unwrap();
        let tasks: Vec<_> = records
            .iter()
            .filter_map(|record| if let Record::Task(row) = record { Some(row) } else { None })
            .collect();
        assert_eq!(tasks.iter().map(|task| task.number).collect::<Vec<_>>(), [1, 2, 5, 9]);
        assert_eq!(tasks[0].title, "Crash on “Größe” = 0 \u{1f4a5}");
        let text = tasks[0].description.as_ref().unwrap().plain_text();
        assert_eq!(text, "Steps:\n1. open\n2. \"save\"");
        assert_eq!((tasks[0].kind, tasks[1].kind), (TaskType::Bug, TaskType::Story));
        assert_eq!(tasks[1].due_date.unwrap().to_string(), "2026-06-30");
        assert!(tasks[0].assignee_id.is_some() && tasks[2].assignee_id.is_none());
        let project = records.iter().find_map(|record| {
            if let Record::Project(row) = record {
                Some((row.key.to_string(), row.last_number))
            } else {
                None
            }
        });
        assert_eq!(project, Some(("WEBSITE".to_owned(), 9)));
        let notes: Vec<String> =
            foreign.report.0.iter().map(|(what, count)| format!("{count} {what}")).collect();
        assert_eq!(
            notes,
            [
                "1 a pull request, passed over",
                "1 an issue that was there already",
                "1 an issue with several assignees: the first who is somebody here",
                "3 “ghost” has no e-mail address, so is nobody here",
            ]
        );
    }

    #[test]
    fn a_broken_issue_is_named() {
        let broken = r#"[{"number": 1, "title": "x", "created_at": "2026-01-01T00:00:00Z", "state": "open"},
                         {"number": 2, "created_at": "2026-01-01T00:00:00Z"}, {"number": 3, "title": " ",
                          "created_at": "2026-01-01T00:00:00Z", "state": "open"}]"#;
        let error = github(broken, &settings()).unwrap_err();
        let faults: Vec<&str> = error.fields().iter().map(|fault| fault.message.as_str()).collect();
        assert_eq!(faults, ["Issue 2 (#2): missing field `title`.", "Issue 3 (#3): it has no title."]);
        let early = r#"[{"number": 4, "title": "x", "created_at": "1969-12-31T23:59:59Z", "state": "open"}]"#;
        let late = r#"[{"number": 4, "title": "x", "created_at": "2026-01-01T00:00:00Z", "state": "open",
                        "milestone": {"due_on": "9999-12-31T23:59:59-01:00"}}]"#;
        for text in [early, late] {
            let error = github(text, &settings()).unwrap_err();
            assert_eq!(
                error.fields()[0].message,
                "Issue 1 (#4): one of its times is outside the years 1970 to 9999."
            );
        }
        assert!(github("{}", &settings()).is_err());
        assert!(github("[", &settings()).unwrap_err().detail().contains("this is no JSON"));
        assert!(github("[]", &settings()).is_ok(), "a repository without issues");
    }
}
