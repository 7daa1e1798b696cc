//! Two organizations that know nothing of each other, and everybody who may call.

use serde_json::{Value, json};
use workscribe_testkit::app::{Answer, Login, PASSWORD, TestApp};

use crate::support::{texts, walk};

/// Another password that every rule allows.
const NEW_PASSWORD: &str = "a horse of another colour";

/// An organization, and what nobody outside of it may learn.
pub(super) struct Org {
    pub(super) slug: String,
    /// Whoever reads it to see that nothing changed.
    pub(super) owner: Login,
    /// Has no other part than to be acted on.
    pub(super) colleague: Login,
    invitation: String,
    token: String,
    session: String,
    cursor: String,
    /// Names, addresses and ids.
    pub(super) secrets: Vec<String>,
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
        let secrets = vec![
            slug.to_owned(),
            text(&made.json["id"]),
            text(&made.json["name"]),
            owner.email.clone(),
            owner.user_id.clone(),
            colleague.email.clone(),
            colleague.user_id.clone(),
            guest.clone(),
            invitation.clone(),
        ];
        Self {
            slug: slug.to_owned(),
            token: app.mailed_token(&guest).await,
            session: text(&sessions.json["sessions"][0]["id"]),
            cursor: text(&page.json["next_cursor"]),
            owner,
            colleague,
            invitation,
            secrets,
        }
    }

    /// All that its owner can read of it.
    pub(super) async fn state(&self, app: &TestApp) -> Vec<Value> {
        let path = format!("/organizations/{}", self.slug);
        let mut state = vec![app.get(&path).bearer(&self.owner).send().await.json];
        for list in ["members", "invitations"] {
            state.extend(walk(app, &self.owner, &format!("{path}/{list}"), 100).await);
        }
        state
    }
}

/// Of its people's addresses. The slug is not in it: those who left keep their addresses.
fn domain_of(slug: &str) -> String {
    format!("{}.example", slug.replace('-', "."))
}

/// The callers, their own organization (`home`), and one that is not theirs (`other`).
pub(super) struct World {
    pub(super) home: Org,
    pub(super) other: Org,
    /// In the order of [`super::rows::CALLERS`].
    pub(super) callers: [Option<Login>; 6],
    number: usize,
}

impl World {
    /// Everything in it has the number in its name, so that many worlds fit into one storage.
    pub(super) async fn new(app: &TestApp, number: usize) -> Self {
        let mut home = Org::new(app, &format!("home-{number:04}")).await;
        let other = Org::new(app, &format!("other-{number:04}")).await;
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
        app.delete(&path(&former)).bearer(&home.owner).send().await;
        let outsider = app.register(&format!("outsider@number-{number}.example")).await;
        for login in [&member, &admin, &owner] {
            home.secrets.extend([login.email.clone(), login.user_id.clone()]);
        }
        let callers = [None, Some(outsider), Some(former), Some(member), Some(admin), Some(owner)];
        Self { home, other, callers, number }
    }

    /// What stands between braces in the body of a row.
    fn value(&self, name: &str) -> String {
        match name {
            "password" => PASSWORD.to_owned(),
            "new_password" => NEW_PASSWORD.to_owned(),
            "new_email" => format!("newcomer@number-{}.example", self.number),
            "new_slug" => format!("new-{}", self.number),
            "colleague_email" => self.home.colleague.email.clone(),
            "colleague_refresh" => self.home.colleague.refresh.clone(),
            _ => panic!("no row can use {{{name}}}"),
        }
    }

    /// The body of a row, with what is between braces put in.
    pub(super) fn fill(&self, body: &str) -> Value {
        if body.is_empty() {
            return Value::Null;
        }
        let mut body: Value = serde_json::from_str(body).expect("the body of a row is JSON");
        for field in body.as_object_mut().expect("the body of a row is an object").values_mut() {
            let text = field.as_str().expect("a text").to_owned();
            if let Some(name) = text.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')) {
                *field = json!(self.value(name));
            }
        }
        body
    }

    /// A parameter of the caller's own organization. One that is not known here has to be added.
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
            "limit" => "100".to_owned(),
            "count" => "true".to_owned(),
            "If-Match" => "*".to_owned(),
            "Idempotency-Key" => format!("key-{}", self.number),
            "cursor" => return None,
            _ => panic!("the matrix does not know how to fill the parameter {parameter}"),
        })
    }

    /// The same parameter or field of the other organization; `None` when it names nothing of an organization, or is by
    /// itself the right to what it names.
    pub(super) fn foreign(&self, parameter: &str) -> Option<String> {
        Some(match parameter {
            "slug" => self.other.slug.clone(),
            "user_id" => self.other.colleague.user_id.clone(),
            "invitation_id" => self.other.invitation.clone(),
            "session_id" => self.other.session.clone(),
            "cursor" => self.other.cursor.clone(),
            "email" => self.other.colleague.email.clone(),
            "token" | "limit" | "count" | "If-Match" | "Idempotency-Key" => return None,
            "name" | "role" | "display_name" | "avatar_url" | "current_password" | "new_password" => {
                return None;
            }
            _ => panic!("the matrix does not know whether {parameter} names something of an organization"),
        })
    }

    /// What an answer must not have in it: what is not the caller's to know, and not in the request either.
    pub(super) fn leaks(&self, caller: usize, is_open: bool, request: &str, answer: &Answer) -> Vec<String> {
        let is_inside = caller >= 3;
        let home = if is_inside || is_open { &[][..] } else { &self.home.secrets[..] };
        let told = format!("{} {:?}", answer.text, answer.headers);
        let forbidden = home.iter().chain(&self.other.secrets);
        forbidden.filter(|secret| told.contains(*secret) && !request.contains(*secret)).cloned().collect()
    }
}
