//! The requests to the API.

use std::sync::{Arc, Mutex};

use super::world::{Subject, World};

/// A placeholder in a request for a growing number with the same number of digits.
pub(super) const NUMBER: &str = "@@@@@@@@";

/// The operation that reads the most.
pub(super) const PAGE: &str = "GET a page of 25 tasks";

/// What an operation is compared with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Beside {
    Nothing,
    Reads,
    Writes,
}

#[derive(Debug, Clone)]
pub(super) struct Operation {
    pub(super) name: &'static str,
    pub(super) beside: Beside,
    /// Whether it is also measured with a look-up of the session in every request.
    pub(super) is_measured_without_sessions: bool,
    pub(super) asked: Asked,
}

#[derive(Debug, Clone)]
pub(super) enum Asked {
    /// Whole requests, sent in turn; they may contain [`NUMBER`].
    Requests(Vec<String>),
    /// Valid refresh tokens: each response contains the next one.
    Refresh(Arc<Mutex<Vec<String>>>),
}

pub(super) fn all(world: &World) -> Vec<Operation> {
    let subjects = &world.subjects;
    let one = |name, beside, ask: &dyn Fn(&Subject) -> Vec<String>| Operation {
        name,
        beside,
        is_measured_without_sessions: name == "GET /auth/me",
        asked: Asked::Requests(in_turn(subjects.iter().map(ask).collect())),
    };
    let get = |subject: &Subject, path: String| request("GET", &path, subject, None);
    let create = |subject: &Subject, project: &str| {
        let path = format!("/organizations/{}/projects/{project}/tasks", subject.slug);
        request("POST", &path, subject, Some(format!("{{\"title\":\"Mend part {NUMBER} of it\"}}")))
    };
    let first = &subjects[0];
    vec![
        Operation {
            name: "bare route",
            beside: Beside::Nothing,
            is_measured_without_sessions: false,
            asked: Asked::Requests(vec!["GET /bare HTTP/1.1\r\nhost: bench\r\n\r\n".into()]),
        },
        one("GET /auth/me", Beside::Reads, &|s| vec![get(s, "/auth/me".into())]),
        one("GET an organization", Beside::Reads, &|s| vec![get(s, format!("/organizations/{}", s.slug))]),
        one("GET a project", Beside::Reads, &|s| {
            vec![get(s, format!("/organizations/{}/projects/{}", s.slug, s.project))]
        }),
        one("GET a task", Beside::Reads, &|s| {
            s.tasks.iter().map(|task| get(s, format!("/tasks/{task}"))).collect()
        }),
        one(PAGE, Beside::Reads, &|s| {
            vec![get(s, format!("/organizations/{}/projects/{}/tasks", s.slug, s.project))]
        }),
        Operation {
            name: "POST /auth/refresh",
            beside: Beside::Writes,
            is_measured_without_sessions: false,
            asked: Asked::Refresh(Arc::clone(&world.refresh_tokens)),
        },
        one("create a task in one project", Beside::Writes, &|_| vec![create(first, &first.project)]),
        Operation {
            name: "create a task in one of 32 projects",
            beside: Beside::Writes,
            is_measured_without_sessions: false,
            asked: Asked::Requests(
                world.projects.iter().map(|(at, project)| create(&subjects[*at], project)).collect(),
            ),
        },
        one("PATCH of a title", Beside::Writes, &|s| {
            let patch = |task| {
                let body = format!("{{\"title\":\"Part {NUMBER} of it is mended\"}}");
                request("PATCH", &format!("/tasks/{task}"), s, Some(body))
            };
            s.tasks.iter().map(patch).collect()
        }),
    ]
}

fn request(method: &str, path: &str, subject: &Subject, body: Option<String>) -> String {
    let Subject { access, .. } = subject;
    let head = format!("{method} /api/v1{path} HTTP/1.1\r\nhost: bench\r\nauthorization: Bearer {access}");
    match body {
        Some(body) => {
            format!(
                "{head}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
                body.len()
            )
        }
        None => format!("{head}\r\n\r\n"),
    }
}

/// The first of each list, then the second of each, and so on, so that connections request different things at the same time.
fn in_turn(lists: Vec<Vec<String>>) -> Vec<String> {
    let longest = lists.iter().map(Vec::len).max().unwrap_or_default();
    (0..longest).flat_map(|at| lists.iter().filter_map(move |list| list.get(at).cloned())).collect()
}
