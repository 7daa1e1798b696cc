//! The operations that are measured, and their ceilings.

use serde_json::{Value, json};
use workscribe_testkit::app::{Answer, Login, TestApp};

/// The data of the requests in an organization.
pub(crate) struct World {
    pub(crate) slug: String,
    pub(crate) project: String,
    /// Tasks, spread over the whole organization.
    pub(crate) tasks: Vec<String>,
    /// A hundred tasks of the project.
    pub(crate) board: Vec<String>,
    /// Pairs of tasks in the same column.
    pub(crate) neighbours: Vec<(String, String)>,
    /// A status, a label and a person of the project's tasks.
    pub(crate) status: String,
    pub(crate) label: String,
    pub(crate) assignee: String,
}

/// An operation of the API, with its ceilings.
pub(crate) struct Operation {
    pub(crate) name: &'static str,
    /// The ceiling of shared blocks, for a request or for each task that it changes.
    pub(crate) blocks: u64,
    pub(crate) round_trips: u64,
    /// Including `BEGIN` and `COMMIT`.
    pub(crate) statements: u64,
    /// More blocks that it may touch where there is more to read: the best shape has fewer rows for it, or has them close together.
    pub(crate) more: u64,
    /// Whether the cost includes the look-up of the session, which is otherwise counted separately.
    pub(crate) with_session: bool,
    /// How many tasks it changes, if its cost counts per task.
    pub(crate) tasks: u64,
    pub(crate) method: &'static str,
    ask: fn(&World, usize) -> (String, Value),
}

impl Operation {
    /// Sends one request; `turn` is its number.
    pub(crate) async fn ask(&self, app: &TestApp, login: &Login, world: &World, turn: usize) -> Answer {
        let (path, body) = (self.ask)(world, turn);
        let call = app.request(self.method.parse().unwrap(), &path).bearer(login);
        if self.method == "GET" { call.send().await } else { call.json(&body).send().await }
    }
}

const fn reads(
    name: &'static str,
    blocks: u64,
    (round_trips, statements): (u64, u64),
    ask: fn(&World, usize) -> (String, Value),
) -> Operation {
    Operation {
        name,
        blocks,
        round_trips,
        statements,
        more: 0,
        with_session: false,
        tasks: 1,
        method: "GET",
        ask,
    }
}

const fn writes(
    name: &'static str,
    method: &'static str,
    blocks: u64,
    (round_trips, statements): (u64, u64),
    ask: fn(&World, usize) -> (String, Value),
) -> Operation {
    Operation { name, blocks, round_trips, statements, more: 0, with_session: false, tasks: 1, method, ask }
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

fn list(world: &World, query: &str) -> (String, Value) {
    project(world, &format!("/tasks?{query}"))
}

/// All operations. Each looks up its session.
pub(crate) const OPERATIONS: &[Operation] = &[
    Operation {
        with_session: true,
        ..reads("session and door", 12, (2, 2), |world, _| organization(world, ""))
    },
    reads("one project", 12, (2, 2), |world, _| project(world, "")),
    reads("one task", 26, (2, 2), |world, turn| (task(world, turn, ""), Value::Null)),
    Operation { more: 78, ..reads("25 tasks of the board", 130, (4, 4), |world, _| list(world, "")) },
    Operation {
        more: 78,
        ..reads("100 tasks of the board", 400, (4, 4), |world, _| list(world, "limit=100"))
    },
    Operation {
        more: 78,
        ..reads("25 tasks, last changed first", 150, (4, 4), |world, _| list(world, "sort=-updated_at"))
    },
    Operation {
        more: 78,
        ..reads("25 tasks by due date", 150, (4, 4), |world, _| list(world, "sort=due_date"))
    },
    Operation {
        more: 78,
        ..reads("25 tasks of a status", 200, (4, 4), |world, _| {
            list(world, &format!("status_id={}", world.status))
        })
    },
    Operation {
        more: 500,
        ..reads("25 tasks of a person", 560, (5, 5), |world, _| {
            list(world, &format!("assignee_id={}", world.assignee))
        })
    },
    Operation {
        more: 1_100,
        ..reads("25 tasks with a label", 1_200, (5, 5), |world, _| {
            list(world, &format!("label_id={}", world.label))
        })
    },
    Operation {
        more: 3_500,
        ..reads("25 tasks of a person with a label", 3_500, (5, 5), |world, _| {
            list(world, &format!("assignee_id={}&label_id={}", world.assignee, world.label))
        })
    },
    // Of several projects, each with its statuses and labels.
    Operation { more: 180, ..reads("my tasks", 220, (4, 4), |world, _| organization(world, "/my-tasks")) },
    // The newest 200 documents show how common the words are, and 500 of those with the words are ranked.
    Operation {
        more: 700,
        ..reads("search for a common word", 1_500, (4, 4), |world, _| organization(world, "/search?q=mend"))
    },
    Operation {
        more: 350,
        ..reads("search for a rare word", 1_500, (4, 4), |world, turn| {
            organization(world, &format!("/search?q=word{}", 1 + turn))
        })
    },
    Operation {
        more: 78,
        ..reads("notifications", 120, (3, 3), |_, _| ("/api/v1/notifications".to_owned(), Value::Null))
    },
    Operation {
        more: 24,
        ..writes("create a task", "POST", 130, (6, 6), |world, turn| {
            (project(world, "/tasks").0, json!({ "title": format!("A new one, the {turn}th") }))
        })
    },
    Operation {
        more: 30,
        ..writes("change a title", "PATCH", 120, (6, 6), |world, turn| {
            (task(world, turn, ""), json!({ "title": format!("Another title, the {turn}th") }))
        })
    },
    Operation {
        more: 24,
        ..writes("move by after_id", "PATCH", 120, (6, 7), |world, turn| {
            let (moved, after) = &world.neighbours[turn % world.neighbours.len()];
            (format!("/api/v1/tasks/{moved}/move"), json!({ "after_id": after }))
        })
    },
    Operation {
        more: 24,
        ..writes("comment", "POST", 118, (5, 5), |world, turn| {
            let text = json!({ "type": "text", "text": "Seen it too" });
            let body = json!({ "type": "doc", "content": [{ "type": "paragraph", "content": [text] }] });
            (task(world, turn, "/comments"), json!({ "body_json": body }))
        })
    },
    Operation {
        tasks: 100,
        ..writes("change 100 tasks, each", "PATCH", 64, (107, 107), |world, turn| {
            let due = format!("{:04}-02-01", 2030 + turn % 900);
            (organization(world, "/tasks/bulk").0, json!({ "task_ids": world.board, "due_date": due }))
        })
    },
];
