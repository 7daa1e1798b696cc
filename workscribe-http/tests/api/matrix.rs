//! Guarantee 12: every operation of the document × every kind of caller × ids of the caller's and of another organization.
//!
//! `matrix/rows.rs` has what each caller gets for ids of their own organization. The rules below give what they get for other
//! ids. `snapshots/matrix.txt` has all of it, so that a change of permissions shows in review as a changed line. Write that
//! file again with `UPDATE_SNAPSHOTS=1`.

mod rows;
mod world;

use std::collections::BTreeSet;
use std::fmt::Write as _;

use self::rows::{CALLERS, For, ROWS, Row};
use self::world::World;

use crate::support::*;

/// An operation of the document.
struct Operation {
    id: String,
    method: Method,
    path: String,
    /// The location (`path`, `query` or `header`) and the name of each.
    parameters: Vec<(String, String)>,
    fields: BTreeSet<String>,
}

fn operations(document: &Value) -> Vec<Operation> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let mut operations = Vec::new();
    for (path, methods) in document["paths"].as_object().expect("paths") {
        for (method, operation) in methods.as_object().expect("operations") {
            let parameters = operation["parameters"].as_array().cloned().unwrap_or_default();
            let schema = &operation["requestBody"]["content"]["application/json"]["schema"]["$ref"];
            let pointer = text(schema).trim_start_matches('#').to_owned();
            let schema = document.pointer(&pointer).filter(|_| !pointer.is_empty());
            let fields = schema.and_then(|schema| schema["properties"].as_object());
            operations.push(Operation {
                id: text(&operation["operationId"]),
                method: method.to_uppercase().parse().expect("a method"),
                path: path.clone(),
                parameters: parameters.iter().map(|it| (text(&it["in"]), text(&it["name"]))).collect(),
                fields: fields.into_iter().flat_map(|fields| fields.keys().cloned()).collect(),
            });
        }
    }
    operations
}

/// The part of a request that is replaced by something that is not the caller's.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Swap<'a> {
    Nothing,
    /// A slug that no organization has.
    AbsentSlug,
    Parameter(&'a str),
    Field(&'a str),
}

/// Sends an operation, and checks the rules for all operations: no fault of the server, no leak, no change of the other
/// organization, and no change of the own organization after a refusal.
async fn call(app: &TestApp, world: &World, at: (&Operation, &Row), caller: usize, swap: Swap<'_>) -> Answer {
    let (operation, row) = at;
    let (mut path, mut query, mut headers) = (operation.path.clone(), String::new(), Vec::new());
    for (place, name) in &operation.parameters {
        let value = match swap {
            Swap::AbsentSlug if name == "slug" => Some("no-such-organization".to_owned()),
            Swap::Parameter(swapped) if swapped == name => world.foreign(&operation.id, name),
            _ if place == "query" => world.own_query(name),
            _ => world.own(app, name, caller).await,
        };
        let Some(value) = value else { continue };
        match place.as_str() {
            "path" => path = path.replace(&format!("{{{name}}}"), &value),
            "query" => write!(query, "{}{name}={value}", if query.is_empty() { '?' } else { '&' }).unwrap(),
            "header" if name == "If-Match" => headers.push(("if-match", value)),
            "header" if name == "Idempotency-Key" => headers.push(("idempotency-key", value)),
            _ => panic!("the matrix cannot send {name} in the {place}"),
        }
    }
    let mut body = world.fill(row.body);
    if let Swap::Field(field) = swap {
        body[field] = world.foreign_field(field).expect("a foreign value");
    }
    let mut request = app.request(operation.method.clone(), &format!("{path}{query}"));
    for (name, value) in headers {
        request = request.header(name, &value);
    }
    if let Some(login) = &world.callers[caller] {
        request = request.bearer(login);
    }
    if !body.is_null() {
        request = request.json(&body);
    }
    let home = world.home.state(app).await;
    let answer = request.send().await;
    let cell = format!("{} as {}: {answer:?}", operation.id, CALLERS[caller]);
    assert!(!answer.status.is_server_error(), "{cell}");
    let leaks = world.leaks(caller, row.reach == For::Anyone, &format!("{path}{query}{body}"), &answer);
    assert!(leaks.is_empty(), "leaked {leaks:?} to {cell}");
    assert_eq!(world.other.state(app).await, *world.other_state, "another organization was changed: {cell}");
    if answer.status.is_client_error() || operation.method == Method::GET {
        assert_eq!(world.home.state(app).await, home, "a refusal changed something: {cell}");
    }
    answer
}

/// A storage with worlds: a new one after each call that changed something.
struct Matrix {
    app: TestApp,
    world: World,
    text: String,
}

impl Matrix {
    async fn new(on: On) -> Self {
        let app = on.app().await;
        let world = World::new(&app).await;
        let text = format!("{:63}{}\n", "", CALLERS.join(" "));
        Self { app, world, text }
    }

    async fn call(&mut self, at: (&Operation, &Row), caller: usize, swap: Swap<'_>) -> Answer {
        let answer = call(&self.app, &self.world, at, caller, swap).await;
        if answer.status.is_success() && at.0.method != Method::GET {
            self.world = self.world.next(&self.app).await;
        }
        answer
    }

    /// Calls as every caller, and writes the line.
    async fn line(&mut self, at: (&Operation, &Row), what: &str, swap: Swap<'_>) -> Vec<Answer> {
        let mut answers = Vec::new();
        for caller in 0..CALLERS.len() {
            answers.push(self.call(at, caller, swap).await);
        }
        let statuses = CALLERS.iter().zip(&answers).map(|(name, answer)| {
            let width = name.len();
            format!("{:<width$}", answer.status.as_u16())
        });
        let statuses = statuses.collect::<Vec<_>>().join(" ");
        writeln!(self.text, "{:30}{what:33}{}", at.0.id, statuses.trim_end()).unwrap();
        answers
    }

    async fn operation(&mut self, operation: &Operation, row: &Row) {
        let at = (operation, row);
        let own = self.line(at, "own", Swap::Nothing).await;
        let statuses: Vec<_> = own.iter().map(|answer| answer.status.as_u16()).collect();
        assert_eq!(statuses, row.expected, "{}", row.operation);
        if row.reach == For::Members {
            let absent = self.line(at, "a slug of nobody", Swap::AbsentSlug).await;
            for caller in [1, 2] {
                same(&own[caller], &absent[caller]);
            }
            refused(&absent[1..], "ORGANIZATION_NOT_FOUND");
        }
        if row.reach != For::Anyone {
            own[0].clone().refused(401, "UNAUTHENTICATED");
            for (place, name) in &operation.parameters {
                if self.world.foreign(&operation.id, name).is_some() {
                    let answers =
                        self.line(at, &format!("another's {place} {name}"), Swap::Parameter(name)).await;
                    match place.as_str() {
                        "query" => filtered(name, &own, &answers),
                        _ => hidden(name, &own, &answers),
                    }
                }
            }
            for field in &operation.fields {
                if self.world.foreign_field(field).is_some() {
                    let answers = self.line(at, &format!("another's body {field}"), Swap::Field(field)).await;
                    at_fault(field, &own, &answers);
                }
            }
        }
    }
}

/// An id of another organization gets the same response as an unknown id, from callers who may do this with ids of their own. The
/// others get the same response as for their own ids.
#[track_caller]
fn hidden(name: &str, own: &[Answer], answers: &[Answer]) {
    let code = match name {
        "slug" => return refused(&answers[1..], "ORGANIZATION_NOT_FOUND"),
        "user_id" => "MEMBER_NOT_FOUND",
        "invitation_id" => "INVITATION_NOT_FOUND",
        "session_id" => "SESSION_NOT_FOUND",
        "notification_id" => "NOTIFICATION_NOT_FOUND",
        "status_id" => "STATUS_NOT_FOUND",
        "label_id" => "LABEL_NOT_FOUND",
        "comment_id" => "COMMENT_NOT_FOUND",
        "relation_id" => "RELATION_NOT_FOUND",
        "webhook_id" => "WEBHOOK_NOT_FOUND",
        "delivery_id" => "DELIVERY_NOT_FOUND",
        "task_key" => "TASK_NOT_FOUND",
        // Doors: the look-up comes before the check of permissions.
        "project_id" => return behind_the_door("PROJECT_NOT_FOUND", own, answers),
        "task_id" => return behind_the_door("TASK_NOT_FOUND", own, answers),
        _ => panic!("the matrix does not know what refuses another's {name}"),
    };
    for (own, foreign) in own.iter().zip(answers) {
        if own.status.is_success() {
            foreign.clone().refused(404, code);
        } else {
            same(own, foreign);
        }
    }
}

#[track_caller]
fn behind_the_door(code: &str, own: &[Answer], answers: &[Answer]) {
    for (own, foreign) in own.iter().zip(answers).take(3) {
        same(own, foreign);
    }
    refused(&answers[3..], code);
}

/// An id of another organization matches no filter, and is not a valid destination of a move.
#[track_caller]
fn filtered(name: &str, own: &[Answer], answers: &[Answer]) {
    for (own, foreign) in own.iter().zip(answers) {
        if name == "move_to" && own.status.is_success() {
            assert_eq!(
                foreign.clone().refused(422, "VALIDATION_FAILED").faults(),
                ["/query/move_to NOT_FOUND"]
            );
            continue;
        }
        assert_eq!(own.status, foreign.status);
        // A cursor is a place in a list, not a thing: the response has the caller's own rows after it. The check for leaks
        // makes sure that it has no others.
        if name != "cursor" && own.status.is_success() {
            let plural =
                ["tasks", "notifications"].into_iter().find(|plural| foreign.json.get(plural).is_some());
            match plural {
                Some(plural) => assert_eq!(foreign.json[plural], serde_json::json!([]), "{name}"),
                None => assert_eq!(foreign.json["updated"], 0, "{name}"),
            }
        }
    }
}

/// In a body, an id of another organization is a fault of its field, for callers who may do this with ids of their own.
#[track_caller]
fn at_fault(field: &str, own: &[Answer], answers: &[Answer]) {
    // Names may be taken in the other organization. A label to remove may be unknown.
    if ["slug", "email", "remove_label_ids"].contains(&field) {
        return;
    }
    for (own, foreign) in own.iter().zip(answers) {
        if own.status.is_success() {
            let faults = foreign.clone().refused(422, "VALIDATION_FAILED").faults();
            assert!(
                faults.iter().all(|fault| fault.starts_with(&format!("/{field}"))) && !faults.is_empty(),
                "{faults:?}"
            );
        } else {
            same(own, foreign);
        }
    }
}

#[track_caller]
fn refused(answers: &[Answer], code: &str) {
    for answer in answers {
        answer.clone().refused(404, code);
    }
}

/// The same response, except for the id of the request.
#[track_caller]
fn same(one: &Answer, other: &Answer) {
    let told = |answer: &Answer| {
        let (mut body, mut headers) = (answer.json.clone(), answer.headers.clone());
        body.as_object_mut().map(|body| body.remove("request_id"));
        headers.remove("x-request-id");
        (answer.status, headers, body)
    };
    assert_eq!(told(one), told(other));
}

#[test]
fn every_operation_of_the_document_has_a_row_and_every_row_an_operation() {
    let document = operations(&workscribe_http::openapi::whole());
    let ids: BTreeSet<_> = document.iter().map(|operation| operation.id.as_str()).collect();
    let rows: BTreeSet<_> = ROWS.iter().map(|row| row.operation).collect();
    assert_eq!(ids, rows, "the operations of the document, and those of matrix/rows.rs");
    assert_eq!((document.len(), ROWS.len()), (ids.len(), rows.len()), "an operation is there once");
    for operation in &document {
        let row = ROWS.iter().find(|row| row.operation == operation.id).unwrap();
        let body: Value = serde_json::from_str(row.body).unwrap_or_default();
        let fields: BTreeSet<_> =
            body.as_object().into_iter().flat_map(|body| body.keys().cloned()).collect();
        assert_eq!(fields, operation.fields, "the fields of the body of {}", operation.id);
        let is_within = operation.path.contains("{slug}");
        assert_eq!(row.reach == For::Members, is_within, "{} is within an organization", operation.id);
    }
}

on_every_storage! {
    async fn nobody_reaches_or_learns_what_is_not_theirs(on: On) {
        let mut operations = operations(&workscribe_http::openapi::whole());
        let mut matrix = Matrix::new(on).await;
        for row in ROWS {
            let at = operations.iter().position(|operation| operation.id == row.operation);
            let operation = operations.remove(at.expect("a row has its operation"));
            matrix.operation(&operation, row).await;
        }
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/api/snapshots/matrix.txt");
        if std::env::var_os("UPDATE_SNAPSHOTS").is_some() {
            std::fs::write(file, &matrix.text).unwrap();
        }
        let kept = std::fs::read_to_string(file).unwrap_or_default();
        for (new, old) in matrix.text.lines().zip(kept.lines()) {
            assert_eq!(new, old, "rights have changed: see the head of matrix.rs");
        }
        assert_eq!(matrix.text, kept, "rights have changed: see the head of matrix.rs");
    }
}
