//! Clients that continue to write during every fault, and record what the server acknowledged.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::task::JoinSet;
use workscribe_core::clock::{Entropy as _, SystemEntropy};

use crate::client::{Call, Client, Login};
use crate::program::{Setup, until};

/// The number of clients that write at the same time.
pub(crate) const WRITERS: usize = 8;

/// What each of these clients writes to: an organization with a project.
#[derive(Clone)]
pub(crate) struct Desk {
    pub(crate) email: String,
    pub(crate) login: Login,
    pub(crate) slug: String,
}

impl Desk {
    pub(crate) async fn new(client: &Client, name: &str) -> Self {
        let email = format!("{name}@example.com");
        let login = client.register(&email).await;
        client.organization(&login, name).await.expect(201);
        let desk = Self { email, login, slug: name.to_owned() };
        let body = json!({"name": "Website", "key": "WEB", "type": "kanban"});
        let projects = format!("/organizations/{name}/projects");
        client.post(&projects, &body).bearer(&desk.login).send().await.expect(201);
        desk
    }

    fn tasks(&self) -> String {
        format!("/organizations/{}/projects/WEB/tasks", self.slug)
    }

    /// Creates a task with a description of this many bytes, which no database can compress.
    pub(crate) fn make_task(&self, client: &Client, title: &str, bytes: usize) -> Call {
        let body = json!({"title": title, "description_json": document(bytes)});
        client.post(&self.tasks(), &body).bearer(&self.login)
    }

    /// The number of tasks of each title.
    async fn titles(&self, client: &Client) -> BTreeMap<String, usize> {
        let (mut titles, mut cursor) = (BTreeMap::new(), String::new());
        loop {
            let path = format!("/api/v1{}?limit=100{cursor}", self.tasks());
            let page = client.get(&path).bearer(&self.login).send().await.expect(200).json;
            for task in page["tasks"].as_array().unwrap() {
                *titles.entry(task["title"].as_str().unwrap().to_owned()).or_default() += 1;
            }
            match page["next_cursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => return titles,
            }
        }
    }
}

/// A document of this many random characters, none of them in a text that the search contains.
pub(crate) fn document(bytes: usize) -> Value {
    let mut random = vec![0; bytes / 2];
    SystemEntropy.fill(&mut random);
    let text: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
    json!({"type": "doc", "attrs": {"picture": text}})
}

#[derive(Default)]
struct Counts {
    done: AtomicUsize,
    refused: AtomicUsize,
    is_enough: AtomicBool,
}

/// What the server acknowledged to one client, and whether the client was left without a response.
struct Told {
    desk: Desk,
    titles: Vec<String>,
    is_cut_off: bool,
}

/// Clients that create one task after another. An error must ask the client to try again later; then the client continues with the
/// next task. Without a response the client stops.
pub(crate) struct Writers {
    clients: JoinSet<Told>,
    counts: Arc<Counts>,
}

impl Writers {
    /// Starts the clients once each has its project. `name` is part of their names.
    pub(crate) async fn start(client: &Client, name: &str) -> Self {
        let counts = Arc::<Counts>::default();
        let mut clients = JoinSet::new();
        for number in 0..WRITERS {
            let desk = Desk::new(client, &format!("{name}-{number}")).await;
            clients.spawn(write(client.clone(), desk, Arc::clone(&counts)));
        }
        Self { clients, counts }
    }

    /// Waits for some more writes.
    pub(crate) async fn write_more(&self) {
        let enough = self.counts.done.load(Ordering::Relaxed) + 60;
        until("there are many writes", async || self.counts.done.load(Ordering::Relaxed) >= enough).await;
    }

    /// Waits for at least as many refused writes as there are clients.
    pub(crate) async fn are_refused(&self) {
        until("writes are refused", async || self.counts.refused.load(Ordering::Relaxed) >= WRITERS).await;
    }

    /// Stops the clients, and asks the server for everything that was acknowledged: each task must exist once. Returns how many
    /// clients were left without a response.
    pub(crate) async fn find_all(self, client: &Client) -> usize {
        self.counts.is_enough.store(true, Ordering::Relaxed);
        let mut cut_off = 0;
        for told in self.clients.join_all().await {
            cut_off += usize::from(told.is_cut_off);
            let there = told.desk.titles(client).await;
            for title in &told.titles {
                assert!(there.contains_key(title), "{title} was acknowledged and is lost");
            }
            // A task that was not acknowledged may exist, but not twice.
            assert!(there.values().all(|&times| times == 1), "{there:?}");
        }
        cut_off
    }
}

async fn write(client: Client, desk: Desk, counts: Arc<Counts>) -> Told {
    let mut told = Told { desk, titles: Vec::new(), is_cut_off: false };
    for count in 0.. {
        if counts.is_enough.load(Ordering::Relaxed) {
            break;
        }
        let title = format!("{}-{count}", told.desk.slug);
        let making = told.desk.make_task(&client, &title, 2_000).header("idempotency-key", &title);
        match making.try_send().await {
            Some(answer) if answer.status == 201 => {
                told.titles.push(title);
                counts.done.fetch_add(1, Ordering::Relaxed);
            }
            Some(answer) => {
                answer.expect_unavailable();
                counts.refused.fetch_add(1, Ordering::Relaxed);
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            None => {
                told.is_cut_off = true;
                break;
            }
        }
    }
    told
}

/// Asserts that no write is stored in part: stored counts match the rows.
pub(crate) async fn nothing_is_by_half(setup: &Setup) {
    let doctor = setup.run(&["doctor", "--deep"]).await;
    assert_eq!(doctor.code, Some(0), "{doctor:?}");
}
