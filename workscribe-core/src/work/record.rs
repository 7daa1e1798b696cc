//! What every write adds in its transaction: entries of the history, notifications with their digests, and search documents.

use std::collections::{BTreeMap, BTreeSet};

use chrono::TimeDelta;
use uuid::Uuid;

use crate::app::WorkScribe;
use crate::clock::Timestamp;
use crate::error::{Code, Error, Result};
use crate::events::{DomainEvent, EventKind};
use crate::id::{JobId, ProjectId, TaskId, UserId};
use crate::notifications::{Digest, EntityType, NewNotification, NotificationType, SendDigest};
use crate::outbox::NewJob;
use crate::search::{SearchDocument, SearchKind, Words};
use crate::storage::UnitOfWork;
use crate::tenancy::{In, OrgScope};

use super::comment::Comment;
use super::history::NewActivity;
use super::model::Project;
use super::task::{Task, TaskFields};

/// How long a digest collects notifications before it is sent.
const DIGEST_AFTER: TimeDelta = TimeDelta::minutes(5);
/// How many characters of a value the history stores.
const VALUE_CHARS: usize = 1_000;

/// Collects the entries, notifications and events of one write, which stores them at its end.
pub(crate) struct Trail<'a> {
    app: &'a WorkScribe,
    scope: OrgScope,
    actor: String,
    now: Timestamp,
    entries: Vec<NewActivity>,
    notifications: Vec<NewNotification>,
    events: Vec<DomainEvent>,
}

/// A change of one field, as a person reads it.
#[derive(Default)]
pub(crate) struct Change {
    field: Option<&'static str>,
    old: Option<String>,
    new: Option<String>,
}

impl Change {
    /// A change of a field.
    pub(crate) fn of(field: &'static str, old: Option<String>, new: Option<String>) -> Self {
        Self { field: Some(field), old, new }
    }

    /// A new value.
    pub(crate) fn new(value: impl Into<String>) -> Self {
        Self { new: Some(value.into()), ..Self::default() }
    }

    /// A removed value.
    pub(crate) fn old(value: impl Into<String>) -> Self {
        Self { old: Some(value.into()), ..Self::default() }
    }

    /// The changes of those fields that differ between two values.
    pub(crate) fn between<const N: usize>(
        fields: [(&'static str, Option<String>, Option<String>); N],
    ) -> impl Iterator<Item = Self> {
        let differing = fields.into_iter().filter(|(_, old, new)| old != new);
        differing.map(|(field, old, new)| Self::of(field, old, new))
    }
}

impl<'a> Trail<'a> {
    /// A trail for a write behind a door. Notifications name the caller, as the door or [`In::person`] returned them.
    pub(crate) fn new<T>(app: &'a WorkScribe, at: &In<T>) -> Self {
        let actor = at.known_person().map(|person| person.display_name.clone());
        Self { actor: actor.unwrap_or_default(), ..Self::of_scope(app, at.scope()) }
    }

    /// A trail for a write that notifies nobody.
    pub(crate) fn of_scope(app: &'a WorkScribe, scope: &OrgScope) -> Self {
        let (actor, now) = (String::new(), app.now());
        Self {
            app,
            scope: *scope,
            actor,
            now,
            entries: Vec::new(),
            notifications: Vec::new(),
            events: Vec::new(),
        }
    }

    /// The organization and the user who acts.
    pub(crate) const fn scope(&self) -> &OrgScope {
        &self.scope
    }

    /// The time of the write.
    pub(crate) const fn now(&self) -> Timestamp {
        self.now
    }

    /// Adds an event, with an entry of the history for each change.
    pub(crate) fn happened(&mut self, event: DomainEvent, changes: impl IntoIterator<Item = Change>) {
        if let Some((project, task)) = event.subject() {
            for change in changes {
                self.add_entry(event.kind(), project, task, change);
            }
        }
        self.events.push(event);
    }

    /// Adds an entry of the history without an event.
    pub(crate) fn add_entry(
        &mut self,
        action: EventKind,
        project: ProjectId,
        task: Option<TaskId>,
        change: Change,
    ) {
        let cut = |value: Option<String>| value.map(|value| shortened(&value));
        self.entries.push(NewActivity {
            id: self.app.new_id(),
            project_id: Some(project),
            task_id: task,
            action,
            field_name: change.field,
            old_value: cut(change.old),
            new_value: cut(change.new),
            created_at: self.now,
        });
    }

    /// Adds a notification, unless the user is the one who acts.
    fn add_notification(
        &mut self,
        user: UserId,
        kind: NotificationType,
        about: (EntityType, Uuid),
        text: (String, String),
    ) {
        if user == self.scope.actor() {
            return;
        }
        self.notifications.push(NewNotification {
            id: self.app.new_id(),
            user_id: user,
            kind,
            title: text.0,
            body: Some(text.1),
            entity_type: about.0,
            entity_id: about.1,
            mail: true,
            created_at: self.now,
        });
    }

    /// Notifies a new assignee, who is a member.
    pub(crate) fn assigned(&mut self, task: &Task) {
        let Some(assignee) = &task.assignee else { return };
        let title = format!("{} assigned {} to you", self.actor, task.key());
        let about = (EntityType::Task, task.id.into());
        self.add_notification(
            assignee.id,
            NotificationType::TaskAssigned,
            about,
            (title, task.title.clone()),
        );
    }

    /// Notifies the reporter and the assignee of a finished task, if they are still members.
    pub(crate) async fn finished(&mut self, uow: &mut dyn UnitOfWork, task: &Task) -> Result<()> {
        let assignee = task.assignee.as_ref().map(|person| person.id);
        let people: BTreeSet<UserId> = [Some(task.reporter.id), assignee].into_iter().flatten().collect();
        for user in self.members(uow, people).await? {
            let title = format!("{} finished {}", self.actor, task.key());
            let about = (EntityType::Task, task.id.into());
            self.add_notification(user, NotificationType::TaskDone, about, (title, task.title.clone()));
        }
        Ok(())
    }

    /// Notifies those of the people who are members that a comment mentions them.
    pub(crate) async fn mentioned(
        &mut self,
        uow: &mut dyn UnitOfWork,
        task: &Task,
        comment: &Comment,
        people: impl IntoIterator<Item = UserId>,
    ) -> Result<()> {
        for user in self.members(uow, people).await? {
            let title = format!("{} mentioned you on {}", comment.author.display_name, task.key());
            let text = shortened(&comment.body.plain_text());
            let about = (EntityType::Comment, comment.id.into());
            self.add_notification(user, NotificationType::Mention, about, (title, text));
        }
        Ok(())
    }

    /// Those of the people who are members, without the user who acts. It is one look-up for any number of people.
    async fn members(
        &self,
        uow: &mut dyn UnitOfWork,
        people: impl IntoIterator<Item = UserId>,
    ) -> Result<Vec<UserId>> {
        let others: Vec<UserId> = people.into_iter().filter(|user| *user != self.scope.actor()).collect();
        Ok(if others.is_empty() { others } else { uow.members().among(&self.scope, &others).await? })
    }

    /// Writes the entries that were added so far.
    pub(crate) async fn write_entries(&mut self, uow: &mut dyn UnitOfWork) -> Result<()> {
        let entries = std::mem::take(&mut self.entries);
        if !entries.is_empty() {
            uow.activity().add(&self.scope, &entries).await?;
        }
        Ok(())
    }

    /// Publishes the events that were added so far to hooks and webhooks.
    pub(crate) async fn announce(&mut self, uow: &mut dyn UnitOfWork) -> Result<()> {
        for event in std::mem::take(&mut self.events) {
            self.app.announce(uow, &self.scope, &event).await?;
        }
        Ok(())
    }

    /// Writes everything and publishes the events. A digest locks its person, so this comes last in a transaction, with the
    /// people ordered by id.
    pub(crate) async fn write(mut self, uow: &mut dyn UnitOfWork) -> Result<()> {
        self.write_entries(uow).await?;
        self.write_notifications(uow).await?;
        self.announce(uow).await
    }

    async fn write_notifications(&mut self, uow: &mut dyn UnitOfWork) -> Result<()> {
        let mut new = std::mem::take(&mut self.notifications);
        if new.is_empty() {
            return Ok(());
        }
        let people: BTreeSet<UserId> = new.iter().map(|new| new.user_id).collect();
        let people: Vec<UserId> = people.into_iter().collect();
        let preferences = uow.notifications().preferences_of(&people).await?;
        let preferences: BTreeMap<_, _> = people.iter().copied().zip(preferences).collect();
        for new in &mut new {
            new.mail = preferences.get(&new.user_id).is_none_or(|set| set.mails(new.kind));
        }
        uow.notifications().add(&self.scope, &new).await?;
        let mailed: BTreeSet<UserId> = new.iter().filter(|new| new.mail).map(|new| new.user_id).collect();
        for user in mailed {
            let job: JobId = self.app.new_id();
            if uow.notifications().open_digest(&Digest { user, job }).await? {
                let job = NewJob::now(job, &SendDigest { user }, self.now).map_err(Error::internal)?;
                uow.outbox().enqueue(&[job.at(self.now + DIGEST_AFTER)]).await?;
            }
        }
        Ok(())
    }
}

/// The beginning of a text, without U+0000, which a document may contain and Postgres does not store.
fn shortened(text: &str) -> String {
    text.chars().filter(|c| *c != '\0').take(VALUE_CHARS).collect()
}

/// Refuses an archived project.
pub(crate) fn writable(is_archived: bool) -> Result<()> {
    if !is_archived {
        return Ok(());
    }
    Err(Error::new(
        Code::ProjectArchived,
        "This project is archived, so it can only be read. Restore it first.",
    ))
}

/// Updates the search document of a project.
pub(crate) async fn index_project(
    uow: &mut dyn UnitOfWork,
    scope: &OrgScope,
    project: &Project,
) -> Result<()> {
    Ok(uow.search().put(scope, &project_document(project)).await?)
}

/// Updates the search document of a task.
pub(crate) async fn index_task(
    uow: &mut dyn UnitOfWork,
    scope: &OrgScope,
    task: TaskId,
    fields: &TaskFields,
    updated_at: Timestamp,
) -> Result<()> {
    Ok(uow.search().put(scope, &task_document(task, fields, updated_at)).await?)
}

/// Updates the search document of a comment.
pub(crate) async fn index_comment(
    uow: &mut dyn UnitOfWork,
    scope: &OrgScope,
    comment: &Comment,
) -> Result<()> {
    Ok(uow.search().put(scope, &comment_document(comment)).await?)
}

/// The search document of a project.
pub(crate) fn project_document(project: &Project) -> SearchDocument {
    let title = Words::of(&format!("{} {}", project.key, project.name));
    let body = searchable(project.description.as_deref().unwrap_or_default());
    let (id, updated_at) = (project.id.into(), project.updated_at);
    SearchDocument { id, kind: SearchKind::Project, task: None, title, body, updated_at }
}

/// The search document of a task.
pub(crate) fn task_document(task: TaskId, fields: &TaskFields, updated_at: Timestamp) -> SearchDocument {
    let title = Words::of(&fields.title);
    let body = fields.description.as_ref().map(super::Document::plain_text).unwrap_or_default();
    let (id, kind, task) = (task.into(), SearchKind::Task, Some(task));
    SearchDocument { id, kind, task, title, body: searchable(&body), updated_at }
}

/// The search document of a comment.
pub(crate) fn comment_document(comment: &Comment) -> SearchDocument {
    let (id, kind, task) = (comment.id.into(), SearchKind::Comment, Some(comment.task_id));
    let (body, updated_at) = (searchable(&comment.body.plain_text()), comment.updated_at);
    SearchDocument { id, kind, task, title: Words::default(), body, updated_at }
}

/// The searchable beginning of a text, without U+0000, which Postgres does not store.
fn searchable(text: &str) -> String {
    text.chars().filter(|c| *c != '\0').take(SearchDocument::MAX_BODY).collect()
}

/// Changes a locked task because something else was removed. It applies no rules and notifies nobody, but adds an entry of the
/// history and publishes the event to hooks and webhooks.
pub(super) async fn amend(
    uow: &mut dyn UnitOfWork,
    trail: &mut Trail<'_>,
    before: Task,
    mut after: Task,
    change: Change,
) -> Result<()> {
    (after.version, after.updated_at) = (before.version + 1, trail.now());
    let (id, fields) = (after.id, TaskFields::of(&after));
    trail.happened(DomainEvent::TaskUpdated { before: Box::new(before), after: Box::new(after) }, [change]);
    trail.write_entries(uow).await?;
    uow.tasks().update(&trail.scope, id.into(), (&fields).into(), trail.now()).await?;
    trail.announce(uow).await
}
