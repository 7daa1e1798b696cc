//! An organization with webhooks, and the messages that they got.

use std::collections::{BTreeMap, HashSet};

use chrono::SecondsFormat;
use workscribe_core::events::EventKind;

use crate::support::*;
use crate::workshop::WEB;

use super::*;

/// An organization with a webhook for every two events, one for all events and one that is off, next to another organization with
/// one for all events.
pub(super) struct Listening {
    pub(super) shop: Workshop,
    pub(super) org: Value,
    /// The events that each webhook asks for, and the path of its deliveries.
    logs: Vec<(Vec<&'static str>, String)>,
    seen: HashSet<String>,
}

impl Listening {
    pub(super) async fn new(on: On) -> Self {
        Self::of(Workshop::new(on).await).await
    }

    pub(super) async fn of(shop: Workshop) -> Self {
        let mut logs = Vec::new();
        let asked_for = EventKind::of_webhooks().filter(|kind| *kind != EventKind::Ping);
        let events = asked_for.map(EventKind::as_str);
        let events: Vec<&str> = events.collect();
        assert!(events.len() > 18, "the catalogue is read");
        for asked in events.chunks(2).chain([["*"].as_slice()]) {
            logs.push((asked.to_vec(), format!("{}/deliveries", at(&hook(&shop, json!(asked)).await))));
        }
        let body = json!({"url": URL, "events": ["*"], "is_enabled": false});
        let off = shop.make(&shop.ada, HOOKS, body).await;
        logs.push((vec!["nothing: it is off"], format!("{}/deliveries", at(&off))));
        shop.app.organization(&shop.ada, "looms").await;
        let looms = "/organizations/looms/webhooks";
        let other = id(&shop.make(&shop.ada, looms, json!({"url": URL, "events": ["*"]})).await);
        logs.push((vec!["nothing: it is another's"], format!("{looms}/{other}/deliveries")));
        let org = shop.read(&shop.ada, ORG).await["id"].clone();
        Self { shop, org, logs, seen: HashSet::new() }
    }

    /// The messages since the last call. They must be these events and no others, each for the webhook that asks for it and for the
    /// one that asks for all. Returns their `data`.
    pub(super) async fn told(&mut self, by: &Login, events: &[&str]) -> Vec<Value> {
        let shop = &self.shop;
        let mut messages: BTreeMap<String, Vec<(&[&str], Value)>> = BTreeMap::new();
        for (asked, log) in &self.logs {
            let listed = shop.read(&shop.ada, &format!("{log}?limit=100")).await;
            assert_eq!(listed["next_cursor"], Value::Null, "more than are looked at");
            for delivery in listed["deliveries"].as_array().unwrap() {
                if self.seen.insert(id(delivery)) {
                    let detail = shop.read(&shop.ada, &format!("{log}/{}", id(delivery))).await;
                    assert_eq!(detail["payload"]["type"], delivery["event"]);
                    assert_eq!(detail["payload"]["timestamp"], delivery["created_at"]);
                    let copies = messages.entry(text(&delivery["message_id"])).or_default();
                    copies.push((asked.as_slice(), detail["payload"].clone()));
                }
            }
        }
        let now = shop.app.app.now().to_rfc3339_opts(SecondsFormat::Micros, true);
        let (mut told, mut data) = (Vec::new(), Vec::new());
        for copies in messages.values() {
            let event = text(&copies[0].1["type"]);
            let mut asked: Vec<_> = copies.iter().map(|(asked, _)| *asked).collect();
            asked.sort_unstable();
            let is_right = |asked: &[&[&str]]| {
                asked.len() == 2 && asked[0] == ["*"] && asked[1].contains(&event.as_str())
            };
            assert!(is_right(&asked), "{event} was told to those who ask for {asked:?}");
            let message = json!({
                "type": event, "timestamp": now, "organization_id": self.org, "actor_id": by.user_id,
                "data": copies[0].1["data"],
            });
            assert!(copies.iter().all(|(_, payload)| *payload == message), "{copies:?} for {message}");
            told.push(event);
            data.push(message["data"].clone());
        }
        told.sort_unstable();
        assert_eq!(told, events);
        data
    }

    pub(super) async fn told_by_ada(&mut self, events: &[&str]) -> Vec<Value> {
        let ada = self.shop.ada.clone();
        self.told(&ada, events).await
    }

    /// A task as the list of tasks shows it.
    pub(super) async fn listed(&self, task: &Value) -> Value {
        let tasks = self.shop.read(&self.shop.ada, &format!("{WEB}/tasks?limit=100")).await;
        let mut tasks = tasks["tasks"].as_array().unwrap().iter();
        tasks.find(|listed| listed["id"] == task["id"]).expect("the task is listed").clone()
    }

    /// Sends a change of a task, and checks that the message has the names of these fields and the task with its new values.
    pub(super) async fn changes(
        &mut self,
        task: &Value,
        method: Method,
        path: &str,
        body: Value,
        changed: &[&str],
    ) {
        let answer = self.shop.send(&self.shop.ada, method, path, body.clone()).await;
        assert!(answer.status.is_success(), "{body}: {answer:?}");
        let told = self.told_by_ada(&["task.updated"]).await;
        let mut names = texts_of(&told[0]["changed"]);
        names.sort();
        assert_eq!(names, changed, "{body}");
        assert_eq!(
            told[0],
            json!({"task": self.listed(task).await, "changed": told[0]["changed"]}),
            "{body}"
        );
    }
}

fn texts_of(list: &Value) -> Vec<String> {
    list.as_array().unwrap().iter().map(text).collect()
}
