//! A relation between two tasks: [`Relation`], and the store trait.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::clock::{Timestamp, micros};
use crate::id::{ProjectId, RelationId, StatusId, TaskId};
use crate::named::names;
use crate::store_error::StoreResult;
use crate::tenancy::OrgScope;

use super::model::{StatusCategory, TaskKey};

names! {
    /// How one task relates to another.
    RelationType {
        /// The source must be done before the target can be.
        Blocks = "blocks",
        /// The source asks for the same as the target.
        Duplicates = "duplicates",
        /// The two concern each other. The direction has no meaning: the source is the task with the lesser id.
        RelatesTo = "relates_to",
    }
}

names! {
    /// The side of a relation on which a task is.
    RelationDirection {
        /// The task is the source, or the relation has no direction.
        Outward = "outward",
        /// The task is the target.
        Inward = "inward",
    }
}

/// A relation between two tasks of an organization.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Relation {
    /// Its id.
    pub id: RelationId,
    /// How the source relates to the target.
    pub kind: RelationType,
    /// The task that blocks or duplicates the other.
    pub source_id: TaskId,
    /// The other task.
    pub target_id: TaskId,
    /// When it was created.
    #[serde(with = "micros")]
    pub created_at: Timestamp,
}

impl Relation {
    /// The side on which a task is.
    #[must_use]
    pub fn direction(&self, task: TaskId) -> RelationDirection {
        let is_source = self.source_id == task || self.kind == RelationType::RelatesTo;
        if is_source { RelationDirection::Outward } else { RelationDirection::Inward }
    }

    /// The text from the side of a task, as in “blocks WEB-42” and “is blocked by WEB-42”.
    #[must_use]
    pub fn verb(&self, task: TaskId) -> &'static str {
        match (self.kind, self.direction(task)) {
            (RelationType::Blocks, RelationDirection::Outward) => "blocks",
            (RelationType::Blocks, RelationDirection::Inward) => "is blocked by",
            (RelationType::Duplicates, RelationDirection::Outward) => "duplicates",
            (RelationType::Duplicates, RelationDirection::Inward) => "is duplicated by",
            (RelationType::RelatesTo, _) => "relates to",
        }
    }
}

/// A relation with the task on its other side.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RelatedTask {
    /// The relation.
    pub relation: Relation,
    /// The other task's id.
    pub id: TaskId,
    /// The other task's project.
    pub project_id: ProjectId,
    /// The other task's name for people.
    pub key: TaskKey,
    /// The other task's title.
    pub title: String,
    /// The other task's status.
    pub status_id: StatusId,
    /// The name of that status.
    pub status_name: String,
    /// The category of that status.
    pub status_category: StatusCategory,
}

/// The relations between tasks.
#[async_trait]
pub trait RelationStore: Send {
    /// All relations of a task, on either side, by age (`created_at`, `id`). One statement.
    async fn list(&mut self, scope: &OrgScope, task: TaskId) -> StoreResult<Vec<RelatedTask>>;
    /// One relation.
    async fn find(&mut self, scope: &OrgScope, id: RelationId) -> StoreResult<Option<Relation>>;
    /// The number of relations of a task, on either side.
    async fn count(&mut self, scope: &OrgScope, task: TaskId) -> StoreResult<i64>;
    /// The tasks that a task blocks, directly or through others, itself among them; at most `limit`.
    async fn blocked_by(&mut self, scope: &OrgScope, task: TaskId, limit: u32) -> StoreResult<Vec<TaskId>>;
    /// Adds a relation; `false` when the two tasks have one of this type and direction. The caller holds the locks of both tasks.
    async fn insert(&mut self, scope: &OrgScope, relation: &Relation) -> StoreResult<bool>;
    /// Removes a relation; `false` when it does not exist.
    async fn delete(&mut self, scope: &OrgScope, id: RelationId) -> StoreResult<bool>;
}
