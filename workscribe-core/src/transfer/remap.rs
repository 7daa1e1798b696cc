//! Which id becomes which.

use std::collections::{BTreeSet, HashMap};

use uuid::Uuid;

use crate::app::WorkScribe;
use crate::id::{Id, OrgId, UserId};
use crate::work::Document;

use super::record::Record;

/// New ids for old ones: those of people, who may have accounts here, and those of everything else.
pub(super) struct Remap {
    pub(super) users: HashMap<UserId, UserId>,
    /// `None` when ids are kept.
    pub(super) others: Option<HashMap<Uuid, Uuid>>,
}

impl Remap {
    /// New ids for everything but people. Each keeps the time that is in the old one, so that rows sort as they did.
    pub(super) fn fresh(app: &WorkScribe, records: &[Record]) -> HashMap<Uuid, Uuid> {
        let is_person = |record: &&Record| matches!(record, Record::User(_) | Record::Member(_));
        let mut old: BTreeSet<Uuid> = BTreeSet::new();
        for record in records.iter().filter(|record| !is_person(record)) {
            old.insert(record.id());
            // The history tells of what is gone, too.
            match record {
                Record::Activity(row) => {
                    old.extend(row.project_id.map(Uuid::from).into_iter().chain(row.task_id.map(Uuid::from)));
                }
                Record::Notification(row) => {
                    old.insert(row.entity_id);
                }
                _ => {}
            }
        }
        old.into_iter().map(|id| (id, renewed(app, id))).collect()
    }

    pub(super) fn id<I: Id>(&self, id: I) -> I {
        match &self.others {
            Some(ids) => ids.get(&id.into()).copied().map_or(id, I::from),
            None => id,
        }
    }

    pub(super) fn user(&self, id: UserId) -> UserId {
        self.users.get(&id).copied().unwrap_or(id)
    }

    /// The record as it is to be written.
    pub(super) fn apply(&self, record: &Record) -> Record {
        let mut record = record.clone();
        match &mut record {
            Record::Header(_) | Record::End(_) | Record::User(_) => {}
            Record::Organization(row) => row.id = self.id(row.id),
            Record::Member(row) => row.user_id = self.user(row.user_id),
            Record::Project(row) => {
                row.id = self.id(row.id);
                row.created_by = self.user(row.created_by);
            }
            Record::Status(row) => {
                (row.id, row.project_id) = (self.id(row.id), self.id(row.project_id));
            }
            Record::Label(row) => {
                (row.id, row.project_id) = (self.id(row.id), self.id(row.project_id));
            }
            Record::Task(row) => {
                (row.id, row.project_id) = (self.id(row.id), self.id(row.project_id));
                (row.status_id, row.parent_id) =
                    (self.id(row.status_id), row.parent_id.map(|parent| self.id(parent)));
                row.assignee_id = row.assignee_id.map(|user| self.user(user));
                row.reporter_id = self.user(row.reporter_id);
                row.label_ids.iter_mut().for_each(|label| *label = self.id(*label));
                row.description = row.description.as_ref().map(|text| self.document(text));
            }
            Record::Comment(row) => {
                (row.id, row.task_id) = (self.id(row.id), self.id(row.task_id));
                row.author_id = self.user(row.author_id);
                row.body = self.document(&row.body);
            }
            Record::Activity(row) => {
                row.id = self.id(row.id);
                row.project_id = row.project_id.map(|project| self.id(project));
                row.task_id = row.task_id.map(|task| self.id(task));
                row.actor_id = self.user(row.actor_id);
            }
            Record::Notification(row) => {
                row.id = self.id(row.id);
                row.user_id = self.user(row.user_id);
                row.actor_id = row.actor_id.map(|user| self.user(user));
                if let Some(entity) = self.others.as_ref().and_then(|ids| ids.get(&row.entity_id)) {
                    row.entity_id = *entity;
                }
            }
        }
        record
    }

    /// A text that mentions the same people.
    fn document(&self, document: &Document) -> Document {
        let is_same = |user: &UserId| self.user(*user) == *user;
        if document.mentions().iter().all(is_same) {
            return document.clone();
        }
        document.with_mentions(&|user| self.user(user))
    }
}

/// Another id of the same time: the first half of a UUIDv7 is its time.
pub(super) fn renewed(app: &WorkScribe, id: Uuid) -> Uuid {
    if id.get_version_num() != 7 {
        return app.new_id::<OrgId>().into();
    }
    let mut bytes = id.into_bytes();
    app.entropy().fill(&mut bytes[8..]);
    uuid::Builder::from_bytes(bytes).with_variant(uuid::Variant::RFC4122).into_uuid()
}
