//! Relations between tasks over HTTP.

use workscribe_core::Code::{LimitReached, RelationCycle, RelationExists, RelationNotFound};
use workscribe_core::id::{RelationId, TaskId};
use workscribe_core::work::{self, NewRelation};

use super::statuses::StatusCategory;
use super::tasks::location;
use crate::prelude::*;

api! {
    /// Relations between tasks.
    RelationsApi
}

#[OpenApi(prefix_path = "/api/v1", tag = "Tags::Tasks")]
impl RelationsApi {
    /// List a task's relations
    ///
    /// Returns every relation of the task, the oldest first. A relation appears in the lists of both tasks, each time with the other
    /// task and with the `direction` as seen from the task in the path.
    #[oai(path = "/tasks/:task_id/relations", method = "get", operation_id = "listRelations")]
    async fn list(
        &self,
        auth: BearerAuth,
        task_id: Path<Id<TaskId>>,
    ) -> ApiResult<Reply<RelationList>, WITH_TASK> {
        let mut uow = auth.read(&self.app).await?;
        let at = auth.enter_task(&mut *uow, &task_id).await?;
        let found = self.app.tasks().relations(&mut *uow, &at).await?;
        Ok(Reply::new((at.id, found)))
    }

    /// Relate a task to another
    ///
    /// The other task may belong to any project of the organization. Both tasks get an entry in their history. A task has at most 100
    /// relations. A task cannot block itself, directly or through other tasks.
    #[oai(path = "/tasks/:task_id/relations", method = "post", operation_id = "createRelation")]
    async fn create(
        &self,
        auth: BearerAuth,
        task_id: Path<Id<TaskId>>,
        #[oai(name = "Idempotency-Key")] key: Header<Option<IdempotencyKey>>,
        body: Body<CreateRelationRequest>,
    ) -> ApiResult<
        Created<Relation>,
        { WITH_TASK | ARCHIVED | CREATES | codes(&[RelationExists, RelationCycle, LimitReached]) },
    > {
        let once = Once::new(&self.app, &auth, key, "createRelation", &body).on_task(&task_id).await?;
        let made = once.run(|mut uow| async move {
            let at = auth.enter_task(&mut *uow, &task_id).await?;
            let related = self.app.tasks().relate(&mut *uow, &at, body.0).await?;
            let location = format!("{}/relations/{}", location(at.id), related.relation.id);
            Ok((uow, Created::of((at.id, related).into(), location, 1)))
        });
        Ok(made.await?)
    }

    /// Remove a relation
    ///
    /// Removes it from both tasks, and adds an entry to the history of both.
    #[oai(
        path = "/tasks/:task_id/relations/:relation_id",
        method = "delete",
        operation_id = "deleteRelation"
    )]
    async fn delete(
        &self,
        auth: BearerAuth,
        task_id: Path<Id<TaskId>>,
        relation_id: Path<Id<RelationId>>,
    ) -> ApiResult<NoContent, { WITH_TASK | ARCHIVED | codes(&[RelationNotFound]) }> {
        let mut uow = auth.begin(&self.app).await?;
        let at = auth.enter_task(&mut *uow, &task_id).await?;
        let relation = relation_id.read()?;
        self.app.tasks().unrelate(&mut *uow, &at, relation).await?;
        self.app.commit(uow).await?;
        Ok(NoContent::Done)
    }
}

identified! {
    RelationId: "The id of the relation.", RelationNotFound, "This task has no relation with this id.";
}

named! {
    /// How one task relates to another. `blocks`: the other cannot be done before this one. `duplicates`: this one asks for the same
    /// as the other. `relates_to`: the two concern each other.
    RelationType = work::RelationType;

    /// The side of a relation on which a task is. `outward`: this task blocks, duplicates or relates to the other. `inward`: the other
    /// task blocks or duplicates this one. A relation of the type `relates_to` is always `outward`.
    RelationDirection = work::RelationDirection;
}

answers! {
    /// A relation, as seen from one of its tasks.
    Relation of seen: (TaskId, work::RelatedTask) {
        /// The id of the relation.
        id: Uuid = seen.1.relation.id,
        /// The type.
        kind as "type": RelationType = seen.1.relation.kind,
        /// The side on which the task of the request is.
        direction: RelationDirection = seen.1.relation.direction(seen.0),
        /// The other task.
        task: OtherTask = seen.1.clone(),
        /// When the relation was created.
        created_at: Time = seen.1.relation.created_at,
    }

    /// The task on the other side of a relation.
    OtherTask of other: work::RelatedTask {
        /// The id of the task.
        id: Uuid,
        /// The id of its project.
        project_id: Uuid,
        /// The name of the task for people, such as WEB-42.
        task_id: TaskKey = other.key,
        /// The title.
        title: String,
        /// The id of the status.
        status_id: Uuid,
        /// The name of the status.
        status_name: String,
        /// The category of the status.
        status_category: StatusCategory,
    }

    /// The relations of a task.
    RelationList of all: (TaskId, Vec<work::RelatedTask>) {
        /// The relations.
        relations: Vec<Relation> = all.1.into_iter().map(|one| (all.0, one).into()).collect::<Vec<_>>(),
    }
}

inputs! {
    /// A new relation.
    CreateRelationRequest {
        /// How the task relates to the other.
        kind as "type": Required<RelationType>,
        /// The id of the other task.
        task_id: Required<Uuid>,
    } => NewRelation = NewRelation { kind, task: task_id };
}
