//! An organization with work in it, for tests of projects, tasks and what belongs to them.

use crate::support::*;

pub(crate) const WEB: &str = "/organizations/engines/projects/WEB";

/// The organization `engines` with its owner Ada, the member Grace, and the project WEB.
pub(crate) struct Workshop {
    pub(crate) app: TestApp,
    pub(crate) ada: Login,
    pub(crate) grace: Login,
}

impl Workshop {
    pub(crate) async fn new(on: On) -> Self {
        Self::of(on.app().await).await
    }

    pub(crate) async fn of(app: TestApp) -> Self {
        let ada = app.register("ada@example.com").await;
        app.organization(&ada, "engines").await;
        let grace = app.member(&ada, "engines", "grace@example.com", "member").await;
        let shop = Self { app, ada, grace };
        shop.make(&shop.ada, &format!("{ORG}/projects"), json!({"name": "The Web", "key": "WEB"})).await;
        shop
    }

    /// Sends a request with a body, or without one when it is null.
    pub(crate) async fn send(&self, who: &Login, method: Method, path: &str, body: Value) -> Answer {
        let call = self.app.request(method, &format!("/api/v1{path}")).bearer(who);
        if body.is_null() { call.send().await } else { call.json(&body).send().await }
    }

    pub(crate) async fn make(&self, who: &Login, path: &str, body: Value) -> Value {
        self.send(who, Method::POST, path, body).await.expect(StatusCode::CREATED).json
    }

    pub(crate) async fn patch(&self, who: &Login, path: &str, body: Value) -> Answer {
        self.send(who, Method::PATCH, path, body).await
    }

    pub(crate) async fn change(&self, who: &Login, path: &str, body: Value) -> Value {
        self.patch(who, path, body).await.expect(StatusCode::OK).json
    }

    pub(crate) async fn read(&self, who: &Login, path: &str) -> Value {
        self.app.get(path).bearer(who).send().await.expect(StatusCode::OK).json
    }

    pub(crate) async fn remove(&self, who: &Login, path: &str) -> Answer {
        self.app.delete(path).bearer(who).send().await
    }

    /// Creates a task in WEB, as Ada.
    pub(crate) async fn task(&self, body: Value) -> Value {
        self.make(&self.ada, &format!("{WEB}/tasks"), body).await
    }

    /// The statuses of WEB: To Do, In Progress, In Review, Done.
    pub(crate) async fn statuses(&self) -> Vec<String> {
        let statuses = self.read(&self.ada, &format!("{WEB}/statuses")).await;
        statuses.as_array().unwrap().iter().map(id).collect()
    }

    pub(crate) async fn label(&self, name: &str) -> String {
        let body = json!({"name": name, "color": "#aabbcc"});
        id(&self.make(&self.ada, &format!("{WEB}/labels"), body).await)
    }

    /// The titles of WEB's tasks in the order of the board, as `status title`.
    pub(crate) async fn board(&self) -> Vec<String> {
        let tasks = self.read(&self.ada, &format!("{WEB}/tasks?limit=100")).await;
        let line = |task: &Value| format!("{}: {}", text(&task["status"]["name"]), text(&task["title"]));
        tasks["tasks"].as_array().unwrap().iter().map(line).collect()
    }
}

pub(crate) fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("{value} is no text")).to_owned()
}

pub(crate) fn id(thing: &Value) -> String {
    text(&thing["id"])
}

/// The path of a task.
pub(crate) fn path_of(task: &Value) -> String {
    format!("/tasks/{}", id(task))
}

/// A document with one paragraph.
pub(crate) fn says(text: &str) -> Value {
    json!({"type": "doc", "content": [{"type": "paragraph", "content": [{"type": "text", "text": text}]}]})
}

/// A document that mentions a user by the given id.
pub(crate) fn mentions(id: &Value) -> Value {
    json!({"type": "doc", "content": [{"type": "paragraph", "content": [
        {"type": "text", "text": "Look, "}, {"type": "mention", "attrs": {"id": id, "label": "you"}},
    ]}]})
}

/// An id that no row has.
pub(crate) const NOTHING: &str = "019ab0c4-5d2e-7c31-9f64-0d1b2a3c4e5f";
