//! The message about an event, and which events an endpoint subscribes to.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use crate::clock::Timestamp;
use crate::events::{DomainEvent, EventKind};
use crate::id::{OrgId, UserId, WebhookMessageId};
use crate::identity::Person;
use crate::tenancy::{Invitation, OrgScope};
use crate::work::{Comment, Label, Project, Status, Task};

/// The message to endpoints: the form that Standard Webhooks recommends, with the organization and the actor added.
pub(crate) struct Message {
    pub(crate) id: WebhookMessageId,
    pub(crate) event: EventKind,
    pub(crate) payload: String,
}

impl Message {
    pub(crate) fn new(
        id: WebhookMessageId,
        event: EventKind,
        scope: &OrgScope,
        now: Timestamp,
        data: &Value,
    ) -> Self {
        let (organization, actor): (OrgId, UserId) = (scope.org(), scope.actor());
        let payload = json!({
            "type": event.as_str(),
            "timestamp": time(now),
            "organization_id": organization,
            "actor_id": actor,
            "data": data,
        });
        Self { id, event, payload: payload.to_string() }
    }
}

macro_rules! value_or_null {
    () => {
        Value::Null
    };
    ($value:expr) => {
        $value
    };
}

/// Makes the function of the data of an event's message. Things have the same form as in the API. A task has no description, as in
/// lists, since a description may be as large as all other messages of a day.
macro_rules! data {
    ($($(#[$doc:meta])* $event:ident = $name:literal { $($field:ident: $type:ty),* }
        $(history of $subject:ident)? $(webhooks $data:literal = $value:expr)?;)+) => {
        #[expect(unused_variables, reason = "a message needs not say all that hooks get")]
        pub(crate) fn data(event: &DomainEvent) -> Value {
            match event { $(DomainEvent::$event { $($field),* } => value_or_null!($($value)?),)+ }
        }
    };
}

every_event!(data);

/// The names of the fields of a task that differ.
fn changed(before: &Task, after: &Task) -> Vec<String> {
    let mut changed = differing(&said(before), &said(after));
    if before.description != after.description {
        changed.push("description_json".to_owned());
    }
    changed
}

/// What identifies a task to people and programs.
fn brief(task: &Task) -> Value {
    let (id, key) = (task.id, task.key().to_string());
    json!({ "id": id, "task_id": key, "project_id": task.project_id, "title": task.title })
}

/// A thing as the API shows it.
trait Said {
    fn said(&self) -> Value;
}

fn said<T: Said>(it: &T) -> Value {
    it.said()
}

/// The fields that differ, except those that follow from other fields.
fn differing(before: &Value, after: &Value) -> Vec<String> {
    const FOLLOWING: [&str; 4] = ["status", "assignee", "position", "updated_at"];
    let (Value::Object(before), Value::Object(after)) = (before, after) else { return Vec::new() };
    let differs = |(name, value): (&String, &Value)| {
        (before.get(name) != Some(value) && !FOLLOWING.contains(&name.as_str())).then(|| name.clone())
    };
    Map::iter(after).filter_map(differs).collect()
}

impl Said for Person {
    fn said(&self) -> Value {
        json!({ "id": self.id, "display_name": self.display_name, "avatar_url": self.avatar_url })
    }
}

impl Said for Invitation {
    fn said(&self) -> Value {
        json!({
            "id": self.id,
            "email": self.email,
            "role": self.role,
            "status": self.stored_status.as_str(),
            "invited_by": self.invited_by,
            "expires_at": time(self.expires_at),
            "created_at": time(self.created_at),
        })
    }
}

impl Said for Project {
    fn said(&self) -> Value {
        json!({
            "id": self.id,
            "org_id": self.org_id,
            "name": self.name,
            "key": self.key.to_string(),
            "description": self.description,
            "type": self.kind,
            "is_archived": self.is_archived,
            "created_by": self.created_by,
            "created_at": time(self.created_at),
            "updated_at": time(self.updated_at),
        })
    }
}

impl Said for Status {
    fn said(&self) -> Value {
        json!({
            "id": self.id,
            "name": self.name,
            "category": self.category,
            "position": self.position,
            "color": self.color,
        })
    }
}

impl Said for Label {
    fn said(&self) -> Value {
        json!({ "id": self.id, "name": self.name, "color": self.color })
    }
}

impl Said for Task {
    fn said(&self) -> Value {
        json!({
            "id": self.id,
            "org_id": self.org_id,
            "project_id": self.project_id,
            "number": self.number,
            "task_id": self.key().to_string(),
            "title": self.title,
            "status_id": self.status.id,
            "status": said(&self.status),
            "assignee_id": self.assignee.as_ref().map(|person| person.id),
            "assignee": self.assignee.as_ref().map(said),
            "reporter_id": self.reporter.id,
            "reporter": said(&self.reporter),
            "priority": self.priority,
            "type": self.kind,
            "parent_task_id": self.parent_id,
            "labels": self.labels,
            "position": self.position,
            "due_date": self.due_date,
            "subtask_count": self.subtask_count,
            "comment_count": self.comment_count,
            "blocked_by_count": self.blocked_by_count,
            "created_at": time(self.created_at),
            "updated_at": time(self.updated_at),
        })
    }
}

impl Said for Comment {
    fn said(&self) -> Value {
        json!({
            "id": self.id,
            "task_id": self.task_id,
            "author_id": self.author.id,
            "author": said(&self.author),
            "body_json": self.body.as_json(),
            "is_edited": self.is_edited,
            "created_at": time(self.created_at),
            "updated_at": time(self.updated_at),
        })
    }
}

/// The time as in the API: RFC 3339 in UTC with microseconds.
fn time(at: Timestamp) -> String {
    at.to_rfc3339_opts(chrono::SecondsFormat::Micros, true)
}

/// The events to which an endpoint subscribes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EventSet {
    /// All events, including those of later versions.
    All,
    /// These events.
    Some(BTreeSet<EventKind>),
}

impl EventSet {
    /// The name for all events.
    pub const ALL: &'static str = "*";

    /// The set of the given events.
    #[must_use]
    pub fn of(events: &[EventKind]) -> Self {
        Self::Some(events.iter().copied().collect())
    }

    /// Whether the set contains an event.
    #[must_use]
    pub fn has(&self, event: EventKind) -> bool {
        match self {
            Self::All => true,
            Self::Some(set) => set.contains(&event),
        }
    }

    /// The names of its events, or `*`.
    #[must_use]
    pub fn names(&self) -> Vec<&'static str> {
        match self {
            Self::All => vec![Self::ALL],
            Self::Some(set) => set.iter().map(|event| event.as_str()).collect(),
        }
    }

    /// The stored form: the names, separated by spaces.
    #[must_use]
    pub fn to_stored(&self) -> String {
        self.names().join(" ")
    }

    /// Reads the stored form. A name that this version does not know is left out.
    #[must_use]
    pub fn from_stored(text: &str) -> Self {
        if text == Self::ALL {
            return Self::All;
        }
        let events: Vec<_> = text.split(' ').filter_map(EventKind::parse).collect();
        Self::of(&events)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_of_events_is_stored_by_name() {
        let set = EventSet::of(&[EventKind::TaskCreated, EventKind::MemberJoined]);
        assert_eq!(set.to_stored(), "member.joined task.created");
        assert_eq!(EventSet::from_stored("member.joined task.created of.the.future"), set);
        assert!(set.has(EventKind::TaskCreated) && !set.has(EventKind::TaskDeleted));
        assert_eq!(EventSet::from_stored("*"), EventSet::All);
        assert!(EventSet::All.has(EventKind::Ping));
    }
}
