//! The new ids of an import.

use std::collections::HashMap;

use uuid::Uuid;

use crate::app::WorkScribe;
use crate::clock::Timestamp;
use crate::id::{Id, OrgId, UserId, uuid_v7};
use crate::identity::secrets::hmac;
use crate::work::Document;

/// Maps old ids to new ones: those of people, who may have accounts here, and those of all other rows.
pub(super) struct Remap {
    pub(super) users: HashMap<UserId, UserId>,
    /// The key from which the new ids are derived, one for each import; `None` when ids are kept.
    pub(super) key: Option<[u8; 32]>,
    /// The time in the new ids of rows whose old id contains no time.
    pub(super) now: Timestamp,
}

impl Remap {
    /// The new id of an old one. It keeps the time in the old id, so that rows sort as before. It is derived from the old id, so
    /// that no table of ids is needed, and from a key of this import, so that nobody can predict it.
    pub(super) fn id<I: Id>(&self, id: I) -> I {
        let Some(key) = &self.key else { return id };
        let old: Uuid = id.into();
        let mac = hmac(key, &[b"workscribe import id v1".as_slice(), old.as_bytes()]);
        let mut random = [0; 10];
        random.copy_from_slice(&mac[..10]);
        if old.get_version_num() != 7 {
            return uuid_v7(self.now, random).into();
        }
        let mut bytes = old.into_bytes();
        bytes[8..].copy_from_slice(&random[2..]);
        uuid::Builder::from_bytes(bytes).with_variant(uuid::Variant::RFC4122).into_uuid().into()
    }

    pub(super) fn user(&self, id: UserId) -> UserId {
        self.users.get(&id).copied().unwrap_or(id)
    }

    /// The text with new ids in its mentions.
    pub(super) fn document(&self, document: &Document) -> Document {
        let is_same = |user: &UserId| self.user(*user) == *user;
        if document.mentions().iter().all(is_same) {
            return document.clone();
        }
        document.with_mentions(&|user| self.user(user))
    }
}

/// Another id with the same time: the first half of a UUIDv7 contains its time.
pub(super) fn renewed(app: &WorkScribe, id: Uuid) -> Uuid {
    if id.get_version_num() != 7 {
        return app.new_id::<OrgId>().into();
    }
    let mut bytes = id.into_bytes();
    app.entropy().fill(&mut bytes[8..]);
    uuid::Builder::from_bytes(bytes).with_variant(uuid::Variant::RFC4122).into_uuid()
}
