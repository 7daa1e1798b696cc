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

/// The data of an event's message. Things have the same form as in the API. A task has no description, as in lists, since a
/// description may be as large as all other messages of a day.
pub(crate) fn data(event: &DomainEvent) -> Value {
    match event {
        DomainEvent::MemberJoined { user, role, .. } | DomainEvent::MemberRoleChanged { user, role, .. } => {
            json!({ "member": { "user_id": user, "role": role } })
        }
        DomainEvent::MemberRemoved { user, .. } => json!({ "member": { "user_id": user } }),
        DomainEvent::InvitationCreated { invitation } => json!({ "invitation": invited(invitation) }),
        DomainEvent::InvitationRevoked { invitation, .. } => json!({ "invitation": { "id": invitation } }),
        DomainEvent::ProjectCreated { project: it } | DomainEvent::ProjectUpdated { project: it } => {
            json!({ "project": project(it) })
        }
        DomainEvent::StatusCreated { status: it } | DomainEvent::StatusUpdated { status: it } => {
            json!({ "project_id": it.project_id, "status": status(it) })
        }
        DomainEvent::StatusDeleted { status: it, moved_to } => {
            json!({ "project_id": it.project_id, "status": status(it), "moved_to": moved_to })
        }
        DomainEvent::LabelCreated { label: it }
        | DomainEvent::LabelUpdated { label: it }
        | DomainEvent::LabelDeleted { label: it } => {
            json!({ "project_id": it.project_id, "label": label(it) })
        }
        DomainEvent::TaskCreated { task: it } | DomainEvent::TaskDeleted { task: it } => {
            json!({ "task": task(it) })
        }
        DomainEvent::TaskUpdated { before, after } => {
            let mut changed = differing(&task(before), &task(after));
            if before.description != after.description {
                changed.push("description_json".to_owned());
            }
            json!({ "task": task(after), "changed": changed })
        }
        DomainEvent::CommentCreated { task, comment: it }
        | DomainEvent::CommentUpdated { task, comment: it }
        | DomainEvent::CommentDeleted { task, comment: it } => json!({
            "comment": comment(it),
            "task": {
                "id": task.id,
                "task_id": task.key().to_string(),
                "project_id": task.project_id,
                "title": task.title,
            },
        }),
        DomainEvent::UserRegistered { .. }
        | DomainEvent::RefreshTokenReused { .. }
        | DomainEvent::PasswordChanged { .. }
        | DomainEvent::OrganizationCreated { .. }
        | DomainEvent::OrganizationUpdated { .. }
        | DomainEvent::OrganizationDeleted { .. } => Value::Null,
    }
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

fn person(person: &Person) -> Value {
    json!({ "id": person.id, "display_name": person.display_name, "avatar_url": person.avatar_url })
}

fn invited(invitation: &Invitation) -> Value {
    json!({
        "id": invitation.id,
        "email": invitation.email,
        "role": invitation.role,
        "status": invitation.stored_status.as_str(),
        "invited_by": invitation.invited_by,
        "expires_at": time(invitation.expires_at),
        "created_at": time(invitation.created_at),
    })
}

fn project(project: &Project) -> Value {
    json!({
        "id": project.id,
        "org_id": project.org_id,
        "name": project.name,
        "key": project.key.to_string(),
        "description": project.description,
        "type": project.kind,
        "is_archived": project.is_archived,
        "created_by": project.created_by,
        "created_at": time(project.created_at),
        "updated_at": time(project.updated_at),
    })
}

fn status(status: &Status) -> Value {
    json!({
        "id": status.id,
        "name": status.name,
        "category": status.category,
        "position": status.position,
        "color": status.color,
    })
}

fn label(label: &Label) -> Value {
    json!({ "id": label.id, "name": label.name, "color": label.color })
}

fn task(task: &Task) -> Value {
    json!({
        "id": task.id,
        "org_id": task.org_id,
        "project_id": task.project_id,
        "number": task.number,
        "task_id": task.key().to_string(),
        "title": task.title,
        "status_id": task.status.id,
        "status": status(&task.status),
        "assignee_id": task.assignee.as_ref().map(|person| person.id),
        "assignee": task.assignee.as_ref().map(person),
        "reporter_id": task.reporter.id,
        "reporter": person(&task.reporter),
        "priority": task.priority,
        "type": task.kind,
        "parent_task_id": task.parent_id,
        "labels": task.labels,
        "position": task.position,
        "due_date": task.due_date,
        "subtask_count": task.subtask_count,
        "comment_count": task.comment_count,
        "created_at": time(task.created_at),
        "updated_at": time(task.updated_at),
    })
}

fn comment(comment: &Comment) -> Value {
    json!({
        "id": comment.id,
        "task_id": comment.task_id,
        "author_id": comment.author.id,
        "author": person(&comment.author),
        "body_json": comment.body.as_json(),
        "is_edited": comment.is_edited,
        "created_at": time(comment.created_at),
        "updated_at": time(comment.updated_at),
    })
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
