//! Two tenants of one server: one goes about its work, the other does all it can to get in the way.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use reqwest::{Client, Method, RequestBuilder};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until};

pub(crate) type Outcome<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

const PASSWORD: &str = "correct horse battery staple";

/// Somebody with an account, a network of their own, and an organization with a project.
#[derive(Clone)]
pub(crate) struct Tenant {
    http: Client,
    base: String,
    email: String,
    network: String,
    token: String,
    slug: String,
    tasks: Vec<String>,
}

impl Tenant {
    /// Makes an account, an organization and so many tasks.
    pub(crate) async fn new(base: &str, name: &str, network: &str, tasks: usize) -> Outcome<Self> {
        let mut tenant = Self {
            http: Client::builder().no_proxy().timeout(Duration::from_secs(60)).build()?,
            base: base.to_owned(),
            email: format!("{name}@example.com"),
            network: network.to_owned(),
            token: String::new(),
            slug: format!("{name}-works"),
            tasks: Vec::new(),
        };
        let account = json!({"email": tenant.email, "password": PASSWORD, "display_name": "Somebody"});
        let made = tenant.made("/auth/register", &account).await?;
        tenant.token = made["access_token"].as_str().ok_or("no token")?.to_owned();
        tenant.made("/organizations", &json!({"name": tenant.slug, "slug": tenant.slug})).await?;
        let project = json!({"name": "A project", "key": "WEB"});
        tenant.made(&format!("/organizations/{}/projects", tenant.slug), &project).await?;
        for number in 0..tasks {
            let task = json!({"title": format!("Task {number}")});
            let made = tenant.made(&tenant.at("/tasks"), &task).await?;
            tenant.tasks.push(made["id"].as_str().ok_or("no id")?.to_owned());
        }
        Ok(tenant)
    }

    fn at(&self, path: &str) -> String {
        format!("/organizations/{}/projects/WEB{path}", self.slug)
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.http.request(method, format!("{}/api/v1{path}", self.base));
        request.bearer_auth(&self.token).header("x-forwarded-for", &self.network)
    }

    async fn made(&self, path: &str, body: &Value) -> Outcome<Value> {
        let answer = self.request(Method::POST, path).json(body).send().await?;
        let (status, text) = (answer.status(), answer.text().await?);
        if !status.is_success() {
            return Err(format!("{path}: {status} {text}").into());
        }
        Ok(serde_json::from_str(&text)?)
    }

    /// One round of what people do: they look at themselves, a board and a task, search, change and make something.
    fn work(&self, turn: usize) -> Vec<(&'static str, RequestBuilder)> {
        let task = format!("/tasks/{}", self.tasks[turn % self.tasks.len()]);
        let title = json!({"title": format!("Another title, the {turn}th")});
        vec![
            ("me", self.request(Method::GET, "/auth/me")),
            ("a board", self.request(Method::GET, &self.at("/tasks"))),
            ("a task", self.request(Method::GET, &task)),
            ("a search", self.request(Method::GET, &format!("/organizations/{}/search?q=title", self.slug))),
            ("a change", self.request(Method::PATCH, &task).json(&title)),
            ("a new task", self.request(Method::POST, &self.at("/tasks")).json(&title)),
        ]
    }

    fn log_in(&self) -> RequestBuilder {
        let login = json!({"email": self.email, "password": PASSWORD});
        self.request(Method::POST, "/auth/login").json(&login)
    }
}

/// In every so manyth round somebody logs in: at most ten times a minute, which is as often as one network may.
const ROUNDS_A_LOG_IN: usize = 12;
/// Between two requests of one of them. All together stay below what one user may ask for.
const PAUSE: Duration = Duration::from_millis(90);

/// How long the requests of one kind took, in µs, and what was answered in place of success.
#[derive(Default)]
pub(crate) struct Seen {
    pub(crate) took: BTreeMap<&'static str, Vec<u64>>,
    pub(crate) failed: Vec<String>,
}

/// Has so many people of a tenant work, each with a pause between requests as people make them.
pub(crate) async fn watch(tenant: &Tenant, people: usize, time: Duration) -> Seen {
    let end = Instant::now() + time;
    let seen = Arc::new(Mutex::new(Seen::default()));
    let mut all = JoinSet::new();
    for person in 0..people {
        let (mut tenant, seen) = (tenant.clone(), Arc::clone(&seen));
        tenant.network = format!("198.51.{person}.1");
        all.spawn(async move {
            let mut turn = person;
            while Instant::now() < end {
                let mut work = tenant.work(turn);
                if (turn / people).is_multiple_of(ROUNDS_A_LOG_IN) {
                    work.push(("a log-in", tenant.log_in()));
                }
                for (kind, request) in work {
                    let begun = Instant::now();
                    let answer = async { request.send().await?.error_for_status()?.bytes().await }.await;
                    let took = u64::try_from(begun.elapsed().as_micros()).unwrap_or(u64::MAX);
                    note_of(&seen, kind, took, answer.err());
                    sleep(PAUSE).await;
                }
                turn += people;
            }
        });
    }
    while all.join_next().await.is_some() {}
    std::mem::take(&mut *seen.lock().unwrap_or_else(PoisonError::into_inner))
}

fn note_of(seen: &Mutex<Seen>, kind: &'static str, took: u64, error: Option<reqwest::Error>) {
    let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
    match error {
        None => seen.took.entry(kind).or_default().push(took),
        Some(error) => seen.failed.push(format!("{kind} after {took} µs: {error}")),
    }
}

/// What an attack was answered: how often what.
pub(crate) type Answered = Arc<Mutex<BTreeMap<(&'static str, String), usize>>>;

/// What it is, how many do it at once, and how the request of a turn is made.
type Attack = (&'static str, usize, Box<dyn Fn(usize) -> RequestBuilder + Send + Sync>);

/// Everything that gets in the way, by one organization and its people.
pub(crate) struct Hostile {
    tenant: Tenant,
    victim: String,
    /// A webhook's endpoint that never answers.
    slow: SocketAddr,
    pub(crate) answered: Answered,
}

impl Hostile {
    /// Makes the organization, with texts as long as there may be.
    pub(crate) async fn new(base: &str, victim: &Tenant) -> Outcome<Self> {
        let tenant = Tenant::new(base, "mallory", "203.0.113.7", 100).await?;
        // One word again and again, and many long comments.
        let text = |text: String| json!({"type": "doc", "content": [{"type": "paragraph", "content": [{"type": "text", "text": text}]}]});
        for task in &tenant.tasks[..5] {
            let body = json!({"description_json": text("a ".repeat(10_000))});
            tenant.request(Method::PATCH, &format!("/tasks/{task}")).json(&body).send().await?;
        }
        let comments = format!("/tasks/{}/comments", tenant.tasks[0]);
        for _ in 0..100 {
            tenant.made(&comments, &json!({"body_json": text("x".repeat(10_000))})).await?;
        }
        let labels = tenant.at("/labels");
        for number in 0..50 {
            tenant.made(&labels, &json!({"name": format!("label {number}"), "color": "#112233"})).await?;
        }
        // It takes connections, and says nothing.
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        let slow = listener.local_addr()?;
        tokio::spawn(async move {
            let mut kept = Vec::new();
            while let Ok((stream, _)) = listener.accept().await {
                kept.push(stream);
            }
        });
        Ok(Self { tenant, victim: victim.email.clone(), slow, answered: Answered::default() })
    }

    /// Attacks in every way at once whose name begins so, until then.
    pub(crate) async fn attack(&self, end: Instant, only: &str) {
        let mut all = JoinSet::new();
        for number in 0..4 {
            let hook = json!({"url": format!("http://{}/{number}", self.slow), "events": ["task.updated"]});
            let path = format!("/organizations/{}/webhooks", self.tenant.slug);
            let answer = self.tenant.request(Method::POST, &path).json(&hook).send().await;
            self.note("webhooks made", answer);
        }
        let (tenant, slug) = (&self.tenant, &self.tenant.slug);
        let positions: Vec<Value> =
            tenant.tasks.iter().zip(0..).map(|(id, at)| json!({"task_id": id, "position": at})).collect();
        let search = format!("/organizations/{slug}/search?q={}&limit=100", "a+".repeat(99));
        let comments = format!("/tasks/{}/comments?limit=100", tenant.tasks[0]);
        let kinds: [Attack; 10] = {
            let t = tenant.clone();
            let (t1, t2, t3, t4, t5) = (t.clone(), t.clone(), t.clone(), t.clone(), t.clone());
            let (t6, t7, t8, t9) = (t.clone(), t.clone(), t.clone(), t.clone());
            let (victim, comments) = (self.victim.clone(), comments.clone());
            [
                (
                    "100 tasks moved",
                    40,
                    Box::new(move |_| {
                        let body = json!({"updates": positions});
                        t.request(Method::PATCH, "/tasks/bulk-positions").json(&body)
                    }),
                ),
                (
                    "passwords changed",
                    8,
                    Box::new(move |_| {
                        let body = json!({"current_password": PASSWORD, "new_password": PASSWORD});
                        t1.request(Method::POST, "/auth/change-password").json(&body)
                    }),
                ),
                ("searches", 6, Box::new(move |_| t2.request(Method::GET, &search))),
                ("pages of comments", 4, Box::new(move |_| t3.request(Method::GET, &comments))),
                ("reads", 64, Box::new(move |_| t4.request(Method::GET, &t4.at("/tasks?limit=100")))),
                (
                    "invitations",
                    4,
                    Box::new(move |turn| {
                        let body =
                            json!({"email": format!("victim{}@example.net", turn % 500), "role": "member"});
                        t5.request(Method::POST, &format!("/organizations/{}/invite", t5.slug)).json(&body)
                    }),
                ),
                (
                    "organizations",
                    4,
                    Box::new(move |turn| {
                        let body = json!({"name": "Many", "slug": format!("many-{turn}")});
                        t6.request(Method::POST, "/organizations").json(&body)
                    }),
                ),
                (
                    "wrong passwords",
                    8,
                    Box::new(move |turn| {
                        // From many networks.
                        let body = json!({"email": victim, "password": "a wrong password"});
                        let network = format!("203.0.{}.{}", turn / 200 % 200, turn % 200);
                        let url = format!("{}/api/v1/auth/login", t7.base);
                        t7.http.post(url).header("x-forwarded-for", network).json(&body)
                    }),
                ),
                (
                    "changes told to slow webhooks",
                    4,
                    Box::new(move |turn| {
                        let body = json!({"title": format!("The {turn}th")});
                        let task = &t8.tasks[turn % t8.tasks.len()];
                        t8.request(Method::PATCH, &format!("/tasks/{task}")).json(&body)
                    }),
                ),
                (
                    "exports",
                    3,
                    Box::new(move |_| t9.request(Method::GET, &format!("/organizations/{}/export", t9.slug))),
                ),
            ]
        };
        let turns = Arc::new(AtomicUsize::new(0));
        for (name, many, make) in kinds.into_iter().filter(|(name, ..)| name.starts_with(only)) {
            let make = Arc::new(make);
            for _ in 0..many {
                let (make, turns, answered) =
                    (Arc::clone(&make), Arc::clone(&turns), Arc::clone(&self.answered));
                all.spawn(async move {
                    while Instant::now() < end {
                        let sent = make(turns.fetch_add(1, Ordering::Relaxed)).send().await;
                        let answer = sent.map(|answer| answer.status().as_u16().to_string());
                        let answer = answer.unwrap_or_else(|_| "no answer".to_owned());
                        let mut answered = answered.lock().unwrap_or_else(PoisonError::into_inner);
                        *answered.entry((name, answer)).or_default() += 1;
                    }
                });
            }
        }
        // Clients that ask for much and take nothing of it.
        let unread = if "unread answers".starts_with(only) { 30 } else { 0 };
        for path in [comments, format!("/organizations/{slug}/export")].into_iter().cycle().take(unread) {
            let tenant = tenant.clone();
            all.spawn(async move {
                let address = tenant.base.trim_start_matches("http://");
                let Ok(mut stream) = TcpStream::connect(address).await else { return };
                let head = format!(
                    "GET /api/v1{path} HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {}\r\nx-forwarded-for: {}\r\n\r\n",
                    tenant.token, tenant.network
                );
                if stream.write_all(head.as_bytes()).await.is_ok() {
                    sleep_until(end).await;
                }
            });
        }
        sleep_until(end).await;
        all.shutdown().await;
    }

    fn note(&self, name: &'static str, answer: Result<reqwest::Response, reqwest::Error>) {
        let answer = answer.map(|answer| answer.status().as_u16().to_string());
        let answer = answer.unwrap_or_else(|_| "no answer".to_owned());
        let mut answered = self.answered.lock().unwrap_or_else(PoisonError::into_inner);
        *answered.entry((name, answer)).or_default() += 1;
    }
}
