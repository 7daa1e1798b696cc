//! The operations that are measured, and what each may cost.

use serde_json::{Value, json};
use workscribe_testkit::app::{Answer, Login, TestApp};

/// What may be asked for, among the data of an organization.
pub(crate) struct World {
    pub(crate) slug: String,
    pub(crate) project: String,
    /// Tasks, spread over all of them.
    pub(crate) tasks: Vec<String>,
    /// Fifty tasks of the project.
    pub(crate) board: Vec<String>,
    /// Pairs of tasks of one column.
    pub(crate) neighbours: Vec<(String, String)>,
}

/// An operation of the API, with its ceilings.
pub(crate) struct Operation {
    pub(crate) name: &'static str,
    /// Shared blocks, for a request or for each of the tasks that it changes.
    pub(crate) blocks: u64,
    pub(crate) round_trips: u64,
    /// Rows that it reads for a page. After an import they stand close together, and later each is on a page of its own.
    pub(crate) rows: u64,
    /// How many tasks it changes, if it is counted by task.
    pub(crate) tasks: u64,
    /// Whether the session is looked up, which else is kept from the request before.
    pub(crate) with_session: bool,
    method: &'static str,
    ask: fn(&World, usize) -> (String, Value),
}

impl Operation {
    /// Asks once; `turn` counts.
    pub(crate) async fn ask(&self, app: &TestApp, login: &Login, world: &World, turn: usize) -> Answer {
        let (path, body) = (self.ask)(world, turn);
        let call = app.request(self.method.parse().unwrap(), &path).bearer(login);
        if self.method == "GET" { call.send().await } else { call.json(&body).send().await }
    }
}

const fn reads(
    name: &'static str,
    blocks: u64,
    round_trips: u64,
    ask: fn(&World, usize) -> (String, Value),
) -> Operation {
    Operation { name, blocks, round_trips, rows: 0, tasks: 1, with_session: false, method: "GET", ask }
}

const fn writes(
    name: &'static str,
    method: &'static str,
    blocks: u64,
    round_trips: u64,
    ask: fn(&World, usize) -> (String, Value),
) -> Operation {
    Operation { name, blocks, round_trips, rows: 0, tasks: 1, with_session: false, method, ask }
}

fn project(world: &World, rest: &str) -> (String, Value) {
    let World { slug, project, .. } = world;
    (format!("/api/v1/organizations/{slug}/projects/{project}{rest}"), Value::Null)
}

fn organization(world: &World, rest: &str) -> (String, Value) {
    (format!("/api/v1/organizations/{}{rest}", world.slug), Value::Null)
}

fn task(world: &World, turn: usize, rest: &str) -> String {
    format!("/api/v1/tasks/{}{rest}", world.tasks[turn % world.tasks.len()])
}

/// All of them.
pub(crate) const OPERATIONS: &[Operation] = &[
    Operation { with_session: true, ..reads("session and door", 12, 2, |world, _| organization(world, "")) },
    reads("one project", 12, 1, |world, _| project(world, "")),
    reads("one task", 20, 1, |world, turn| (task(world, turn, ""), Value::Null)),
    Operation { rows: 26, ..reads("25 tasks of the board", 120, 2, |world, _| project(world, "/tasks")) },
    Operation {
        rows: 101,
        ..reads("100 tasks of the board", 400, 2, |world, _| project(world, "/tasks?limit=100"))
    },
    Operation {
        rows: 26,
        ..reads("25 tasks, last changed first", 150, 2, |world, _| project(world, "/tasks?sort=-updated_at"))
    },
    Operation {
        rows: 26,
        ..reads("25 tasks by due date", 150, 2, |world, _| project(world, "/tasks?sort=due_date"))
    },
    // Of several projects at once, each with its statuses and labels.
    Operation { rows: 3 * 26, ..reads("my tasks", 150, 2, |world, _| organization(world, "/my-tasks")) },
    // The newest 200 tell how common the words are, and of those that have them 500 are ranked.
    Operation {
        rows: 700,
        ..reads("search for a common word", 1_500, 3, |world, _| organization(world, "/search?q=mend"))
    },
    reads("search for a rare word", 1_500, 3, |world, turn| {
        organization(world, &format!("/search?q=word{}", 1 + turn))
    }),
    Operation {
        rows: 26,
        ..reads("notifications", 120, 2, |_, _| ("/api/v1/notifications".to_owned(), Value::Null))
    },
    writes("create a task", "POST", 130, 5, |world, turn| {
        (project(world, "/tasks").0, json!({ "title": format!("A new one, the {turn}th") }))
    }),
    writes("change a title", "PATCH", 120, 5, |world, turn| {
        (task(world, turn, ""), json!({ "title": format!("Another title, the {turn}th") }))
    }),
    writes("move by after_id", "PATCH", 120, 5, |world, turn| {
        let (moved, after) = &world.neighbours[turn % world.neighbours.len()];
        (format!("/api/v1/tasks/{moved}/move"), json!({ "after_id": after }))
    }),
    writes("comment", "POST", 110, 5, |world, turn| {
        let text = json!({ "type": "text", "text": "Seen it too" });
        let body = json!({ "type": "doc", "content": [{ "type": "paragraph", "content": [text] }] });
        (task(world, turn, "/comments"), json!({ "body_json": body }))
    }),
    Operation {
        tasks: 50,
        ..writes("change 50 tasks, each", "PATCH", 60, 110, |world, turn| {
            let due = format!("{:04}-02-01", 2030 + turn % 900);
            (organization(world, "/tasks/bulk").0, json!({ "task_ids": world.board, "due_date": due }))
        })
    },
];
