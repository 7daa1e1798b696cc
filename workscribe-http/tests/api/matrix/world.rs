//! Two separate organizations, and every kind of caller.

use crate::support::*;

/// Another valid password.
const NEW_PASSWORD: &str = "a horse of another colour";

/// An organization, with what nobody outside of it may learn.
pub(super) struct Org {
    pub(super) slug: String,
    /// The user who reads it to see that nothing changed.
    pub(super) owner: Login,
    /// A member who takes no action; the callers act on them.
    pub(super) colleague: Login,
    invitation: String,
    token: String,
    session: String,
    cursor: String,
    work: Work,
    webhook: String,
    /// A delivery to the webhook.
    delivery: String,
    /// Names, addresses and ids.
    pub(super) secrets: Vec<String>,
}

/// The work in an organization. Its owner created all of it.
struct Work {
    key: String,
    project: String,
    /// The project's first status, which its tasks have, and a status without tasks.
    first_status: String,
    status: String,
    label: String,
    /// Two tasks of the colleague.
    tasks: [String; 2],
    comment: String,
    relation: String,
    /// A notification to the colleague.
    notification: String,
    /// Cursors of a board, and of the colleague's own tasks.
    board_cursor: String,
    mine_cursor: String,
}

impl Work {
    async fn new(app: &TestApp, slug: &str, owner: &Login, colleague: &Login) -> Self {
        let text = |value: &Value| value.as_str().expect("a text").to_owned();
        let post = async |path: &str, body: Value| {
            app.post(path).bearer(owner).json(&body).send().await.expect(StatusCode::CREATED).json
        };
        let get = async |who: &Login, path: &str| {
            app.get(path).bearer(who).send().await.expect(StatusCode::OK).json
        };
        let key = if slug.starts_with("home") { "HOME" } else { "OTHER" };
        let projects = format!("/organizations/{slug}/projects");
        post(&projects, json!({"name": format!("The Project of {slug}"), "key": key})).await;
        let path = format!("{projects}/{key}");
        let project = get(owner, &path).await;
        let statuses = get(owner, &format!("{path}/statuses")).await;
        let body = json!({"name": format!("The label of {slug}"), "color": "#112233"});
        let label = post(&format!("{path}/labels"), body).await;
        let mut tasks = Vec::new();
        for number in [1, 2] {
            let title = format!("The task {number} of {slug}");
            let body = json!({"title": title, "assignee_id": colleague.user_id, "label_ids": [label["id"]]});
            tasks.push(text(&post(&format!("{path}/tasks"), body).await["id"]));
        }
        let text_of =
            json!({"type": "doc", "content": [{"type": "text", "text": format!("Told in {slug}")}]});
        let comment = post(&format!("/tasks/{}/comments", tasks[0]), json!({"body_json": text_of})).await;
        let related = json!({"type": "relates_to", "task_id": tasks[1]});
        let relation = post(&format!("/tasks/{}/relations", tasks[0]), related).await;
        let told = get(colleague, "/notifications").await;
        Self {
            key: key.to_owned(),
            project: text(&project["id"]),
            first_status: text(&statuses[0]["id"]),
            status: text(&statuses[2]["id"]),
            label: text(&label["id"]),
            tasks: tasks.try_into().expect("two tasks"),
            comment: text(&comment["id"]),
            relation: text(&relation["id"]),
            notification: text(&told["notifications"][0]["id"]),
            board_cursor: text(&get(owner, &format!("{path}/tasks?limit=1")).await["next_cursor"]),
            mine_cursor: text(
                &get(colleague, &format!("/organizations/{slug}/my-tasks?limit=1")).await["next_cursor"],
            ),
        }
    }

    /// What outsiders may not learn.
    fn secrets(&self, slug: &str) -> Vec<String> {
        let ids = [
            &self.project,
            &self.first_status,
            &self.status,
            &self.label,
            &self.tasks[0],
            &self.tasks[1],
            &self.comment,
            &self.relation,
            &self.notification,
        ];
        let mut secrets: Vec<String> = ids.into_iter().cloned().collect();
        let texts = ["The Project of", "The label of", "The task 1 of", "The task 2 of", "Told in"];
        secrets.extend(texts.iter().map(|text| format!("{text} {slug}")));
        secrets
    }
}

impl Org {
    async fn new(app: &TestApp, slug: &str) -> Self {
        let domain = domain_of(slug);
        let owner = app.register(&format!("owner@{domain}")).await;
        let body = json!({"name": format!("The Works of {slug}"), "slug": slug});
        let made = app.post("/organizations").bearer(&owner).json(&body).send().await;
        let colleague = app.member(&owner, slug, &format!("colleague@{domain}"), "member").await;
        let guest = format!("guest@{domain}");
        let body = json!({"email": guest, "role": "member"});
        let path = format!("/organizations/{slug}/invite");
        let invited = app.post(&path).bearer(&owner).json(&body).send().await;
        let page = app.get(&format!("/organizations/{slug}/members?limit=1")).bearer(&owner).send().await;
        let sessions = app.get("/auth/sessions").bearer(&owner).send().await;
        let text = |value: &Value| value.as_str().expect("a text").to_owned();
        let invitation = text(&invited.json["id"]);
        let work = Work::new(app, slug, &owner, &colleague).await;
        let webhooks = format!("/organizations/{slug}/webhooks");
        let url = format!("https://hooks.example/told-in-{slug}");
        let body = json!({"url": url, "events": ["comment.deleted"]});
        let webhook = app.post(&webhooks).bearer(&owner).json(&body).send().await;
        let webhook = text(&webhook.expect(StatusCode::CREATED).json["id"]);
        let delivery = app.post(&format!("{webhooks}/{webhook}/ping")).bearer(&owner).send().await;
        let delivery = text(&delivery.expect(StatusCode::ACCEPTED).json["id"]);
        let mut secrets = vec![
            slug.to_owned(),
            text(&made.json["id"]),
            text(&made.json["name"]),
            owner.email.clone(),
            owner.user_id.clone(),
            colleague.email.clone(),
            colleague.user_id.clone(),
            guest.clone(),
            invitation.clone(),
            url,
            webhook.clone(),
            delivery.clone(),
        ];
        secrets.extend(work.secrets(slug));
        Self {
            slug: slug.to_owned(),
            token: app.mailed_token(&guest).await,
            session: text(&sessions.json["sessions"][0]["id"]),
            cursor: text(&page.json["next_cursor"]),
            owner,
            colleague,
            invitation,
            work,
            webhook,
            delivery,
            secrets,
        }
    }

    /// Everything in it that its owner can read.
    pub(super) async fn state(&self, app: &TestApp) -> Vec<Value> {
        let path = format!("/organizations/{}", self.slug);
        let mut state = vec![app.get(&path).bearer(&self.owner).send().await.json];
        for list in ["members", "invitations", "webhooks"] {
            state.extend(walk(app, &self.owner, &format!("{path}/{list}"), 100).await);
        }
        // Every write leaves an entry of the history, except that of a position.
        let board = format!("projects/{}/tasks", self.work.project);
        for list in ["activity?limit=20", "projects?archived=all", &board] {
            state.push(app.get(&format!("{path}/{list}")).bearer(&self.owner).send().await.json);
        }
        state.push(app.get("/notifications").bearer(&self.colleague).send().await.json);
        // Without their status: a worker may try to send them meanwhile.
        let deliveries = format!("{path}/webhooks/{}/deliveries", self.webhook);
        state.push(json!(texts(&walk(app, &self.owner, &deliveries, 100).await, "id")));
        state
    }
}

/// The domain of its people's addresses. It is not the slug: former members keep their addresses.
fn domain_of(slug: &str) -> String {
    format!("{}.example", slug.replace('-', "."))
}

/// The callers, their own organization (`home`), and another one (`other`).
pub(super) struct World {
    pub(super) home: Org,
    pub(super) other: Arc<Org>,
    /// The state of the other organization, which must not change.
    pub(super) other_state: Arc<Vec<Value>>,
    /// The callers, in the order of [`super::rows::CALLERS`].
    pub(super) callers: [Option<Login>; 6],
    number: usize,
}

impl World {
    pub(super) async fn new(app: &TestApp) -> Self {
        let other = Org::new(app, "other-0000").await;
        let state = other.state(app).await;
        Self::around(app, 0, Arc::new(other), Arc::new(state)).await
    }

    /// A new world with the same other organization.
    pub(super) async fn next(&self, app: &TestApp) -> Self {
        Self::around(app, self.number + 1, self.other.clone(), self.other_state.clone()).await
    }

    /// Makes a world. Everything in it has the number in its name, so that many worlds fit into one storage.
    async fn around(app: &TestApp, number: usize, other: Arc<Org>, other_state: Arc<Vec<Value>>) -> Self {
        let mut home = Org::new(app, &format!("home-{number:04}")).await;
        let slug = home.slug.clone();
        let domain = domain_of(&slug);
        let mut people = Vec::new();
        for (name, role) in
            [("former", "admin"), ("member", "member"), ("admin", "admin"), ("owner", "member")]
        {
            people.push(app.member(&home.owner, &slug, &format!("{name}-1@{domain}"), role).await);
        }
        let [former, member, admin, owner] = people.try_into().expect("four people");
        let path = |who: &Login| format!("/organizations/{slug}/members/{}", who.user_id);
        let body = json!({"role": "owner"});
        app.patch(&path(&owner)).bearer(&home.owner).json(&body).send().await;
        for who in [&former, &member, &admin, &owner] {
            let path = format!("/organizations/{slug}/projects/HOME/tasks");
            let body = json!({"title": "For one of the callers", "assignee_id": who.user_id});
            app.post(&path).bearer(&home.owner).json(&body).send().await.expect(StatusCode::CREATED);
        }
        app.delete(&path(&former)).bearer(&home.owner).send().await;
        let outsider = app.register(&format!("outsider@number-{number}.example")).await;
        for login in [&member, &admin, &owner] {
            home.secrets.extend([login.email.clone(), login.user_id.clone()]);
        }
        let callers = [None, Some(outsider), Some(former), Some(member), Some(admin), Some(owner)];
        Self { home, other, other_state, callers, number }
    }

    /// The value of a placeholder in the body of a row.
    fn value(&self, name: &str) -> String {
        match name {
            "password" => PASSWORD.to_owned(),
            "new_password" => NEW_PASSWORD.to_owned(),
            "new_email" => format!("newcomer@number-{}.example", self.number),
            "new_slug" => format!("new-{}", self.number),
            "colleague_email" => self.home.colleague.email.clone(),
            "colleague_refresh" => self.home.colleague.refresh.clone(),
            "colleague" => self.home.colleague.user_id.clone(),
            "status" => self.home.work.status.clone(),
            "label" => self.home.work.label.clone(),
            "task" => self.home.work.tasks[0].clone(),
            "second_task" => self.home.work.tasks[1].clone(),
            _ => panic!("no row can use {{{name}}}"),
        }
    }

    /// The body of a row, with values in place of its placeholders.
    pub(super) fn fill(&self, body: &str) -> Value {
        if body.is_empty() {
            return Value::Null;
        }
        let mut body: Value = serde_json::from_str(body).expect("the body of a row is JSON");
        let fields = body.as_object_mut().expect("the body of a row is an object");
        fields.retain(|_, value| value != "{absent}");
        self.put_in(&mut body);
        body
    }

    fn put_in(&self, value: &mut Value) {
        match value {
            Value::String(text) => {
                if let Some(name) = text.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')) {
                    *text = self.value(name);
                }
            }
            Value::Array(items) => items.iter_mut().for_each(|item| self.put_in(item)),
            Value::Object(fields) => fields.values_mut().for_each(|field| self.put_in(field)),
            _ => {}
        }
    }

    /// A query parameter of an ordinary request.
    pub(super) fn own_query(&self, parameter: &str) -> Option<String> {
        Some(match parameter {
            "limit" => "100".to_owned(),
            "count" => "true".to_owned(),
            "q" => "the".to_owned(),
            "move_to" => self.home.work.first_status.clone(),
            "archived" => "all".to_owned(),
            "cursor" | "organization" | "unread" | "type" | "sort" | "search" | "priority" => return None,
            "status_id" | "assignee_id" | "label_id" | "parent_task_id" | "status_category" => return None,
            "due_before" | "updated_after" | "status" => return None,
            _ => panic!("the matrix does not know how to fill the query parameter {parameter}"),
        })
    }

    /// A parameter of the caller's own organization. Add new parameters here.
    pub(super) async fn own(&self, app: &TestApp, parameter: &str, caller: usize) -> Option<String> {
        Some(match parameter {
            "slug" => self.home.slug.clone(),
            "user_id" => self.home.colleague.user_id.clone(),
            "invitation_id" => self.home.invitation.clone(),
            "token" => self.home.token.clone(),
            "session_id" => match &self.callers[caller] {
                Some(login) => {
                    let sessions = app.get("/auth/sessions").bearer(login).send().await.json;
                    texts(sessions["sessions"].as_array().expect("a list"), "id").remove(0)
                }
                None => self.home.session.clone(),
            },
            "project_id" => self.home.work.project.clone(),
            "status_id" => self.home.work.status.clone(),
            "label_id" => self.home.work.label.clone(),
            "task_id" => self.home.work.tasks[0].clone(),
            "task_key" => format!("{}-1", self.home.work.key),
            // Only its author may change a comment.
            "comment_id" => match &self.callers[caller] {
                Some(login) if caller >= 3 => {
                    let path = format!("/tasks/{}/comments", self.home.work.tasks[0]);
                    let body = json!({"body_json": {}});
                    let made = app.post(&path).bearer(login).json(&body).send().await;
                    made.expect(StatusCode::CREATED).json["id"].as_str().expect("an id").to_owned()
                }
                _ => self.home.work.comment.clone(),
            },
            "relation_id" => self.home.work.relation.clone(),
            "notification_id" => match &self.callers[caller] {
                Some(login) if caller >= 3 => {
                    let told = app.get("/notifications").bearer(login).send().await.json;
                    texts(told["notifications"].as_array().expect("a list"), "id").remove(0)
                }
                _ => self.home.work.notification.clone(),
            },
            "webhook_id" => self.home.webhook.clone(),
            "delivery_id" => self.home.delivery.clone(),
            "If-Match" => "*".to_owned(),
            "Idempotency-Key" => format!("key-{}", self.number),
            _ => panic!("the matrix does not know how to fill the parameter {parameter}"),
        })
    }

    /// The same parameter of the other organization; `None` when it names nothing of an organization, or when the parameter itself
    /// gives access.
    pub(super) fn foreign(&self, operation: &str, parameter: &str) -> Option<String> {
        let work = &self.other.work;
        Some(match parameter {
            "slug" | "organization" => self.other.slug.clone(),
            "user_id" | "assignee_id" => self.other.colleague.user_id.clone(),
            "invitation_id" => self.other.invitation.clone(),
            "session_id" => self.other.session.clone(),
            "cursor" => match operation {
                "listTasks" | "listBacklog" => work.board_cursor.clone(),
                "listMyTasks" => work.mine_cursor.clone(),
                _ => self.other.cursor.clone(),
            },
            "project_id" => work.project.clone(),
            "status_id" | "move_to" => work.status.clone(),
            "label_id" => work.label.clone(),
            "task_id" | "parent_task_id" => work.tasks[0].clone(),
            "task_key" => format!("{}-1", work.key),
            "comment_id" => work.comment.clone(),
            "relation_id" => work.relation.clone(),
            "notification_id" => work.notification.clone(),
            "webhook_id" => self.other.webhook.clone(),
            "delivery_id" => self.other.delivery.clone(),
            "token" | "limit" | "count" | "If-Match" | "Idempotency-Key" => return None,
            "q" | "type" | "sort" | "search" | "archived" | "unread" | "priority" | "status_category" => {
                return None;
            }
            "due_before" | "updated_after" | "status" => return None,
            _ => panic!("the matrix does not know whether {parameter} names something of an organization"),
        })
    }

    /// The same field of a body, for the other organization.
    pub(super) fn foreign_field(&self, field: &str) -> Option<Value> {
        let work = &self.other.work;
        Some(match field {
            "email" => json!(self.other.colleague.email),
            "status_id" => json!(work.status),
            "assignee_id" => json!(self.other.colleague.user_id),
            "parent_task_id" | "before_id" | "after_id" | "task_id" => json!(work.tasks[0]),
            "task_ids" => json!([work.tasks[0]]),
            "label_ids" | "add_label_ids" | "remove_label_ids" => json!([work.label]),
            "updates" => json!([{"task_id": work.tasks[0], "position": 0}]),
            "slug" => json!(self.other.slug),
            "name" | "role" | "display_name" | "avatar_url" => return None,
            "password" | "current_password" | "new_password" => return None,
            "key" | "description" | "type" | "is_archived" | "category" | "position" | "color" => {
                return None;
            }
            "title" | "description_json" | "body_json" | "priority" | "due_date" => return None,
            "url" | "events" | "is_enabled" => return None,
            "is_read" | "task_assigned" | "mention" | "task_done" => return None,
            _ => panic!("the matrix does not know whether {field} names something of an organization"),
        })
    }

    /// What a response must not contain: what the caller may not know, unless the request contains it.
    pub(super) fn leaks(&self, caller: usize, is_open: bool, request: &str, answer: &Answer) -> Vec<String> {
        let is_inside = caller >= 3;
        let home = if is_inside || is_open { &[][..] } else { &self.home.secrets[..] };
        let told = format!("{} {:?}", answer.text, answer.headers);
        let forbidden = home.iter().chain(&self.other.secrets);
        forbidden.filter(|secret| told.contains(*secret) && !request.contains(*secret)).cloned().collect()
    }
}
