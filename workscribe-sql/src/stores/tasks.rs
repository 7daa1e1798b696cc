use async_trait::async_trait;
use sqlx::types::{Json, Uuid};
use sqlx::{FromRow, query, query_as};
use workscribe_core::StoreError;
use workscribe_core::clock::Timestamp;
use workscribe_core::id::{ProjectId, StatusId, TaskId, UserId};
use workscribe_core::tenancy::OrgScope;
use workscribe_core::work::{
    Document, Entered, NewTask, Numbered, ProjectKey, Slot, Task, TaskFields, TaskQuery, TaskStore, order,
};

use super::projects::EnteredRow;
use super::task_row::TaskRow;
use super::{Ts, Unit, dialect};

#[derive(FromRow)]
struct EnteredTaskRow {
    #[sqlx(flatten)]
    entered: EnteredRow,
    #[sqlx(flatten)]
    task: TaskRow,
}

macro_rules! task_select {
    () => {
        concat!("SELECT ", task_columns!("t.description"), " FROM ws_tasks t", task_joins!())
    };
}

/// The id before every other.
fn id_or_first(after: Option<TaskId>) -> Uuid {
    after.map_or(Uuid::nil(), Uuid::from)
}

#[async_trait]
impl TaskStore for Unit {
    async fn enter(&mut self, user: UserId, id: TaskId) -> Result<Option<Entered<Task>>, StoreError> {
        let enter = query_as::<_, EnteredTaskRow>(concat!(
            "SELECT ",
            entered_columns!(),
            ", ",
            task_columns!("t.description"),
            " FROM ws_members m
              JOIN ws_users u ON u.id = m.user_id
              JOIN ws_tasks t ON t.org_id = m.org_id AND t.id = $1",
            task_joins!(),
            "WHERE m.user_id = $2"
        ))
        .bind(id.as_uuid())
        .bind(user.as_uuid());
        let found = self.optional("ws_tasks: enter", enter).await?;
        found.map(|row| row.entered.with(row.task.try_into()?)).transpose()
    }

    async fn find(&mut self, scope: &OrgScope, id: TaskId) -> Result<Option<Task>, StoreError> {
        let find = query_as::<_, TaskRow>(concat!(task_select!(), "WHERE t.org_id = $1 AND t.id = $2"))
            .bind(scope.org().as_uuid())
            .bind(id.as_uuid());
        self.optional("ws_tasks: find", find).await?.map(Task::try_from).transpose()
    }

    async fn find_by_key(
        &mut self,
        scope: &OrgScope,
        project: &ProjectKey,
        number: i64,
    ) -> Result<Option<Task>, StoreError> {
        let find = query_as::<_, TaskRow>(concat!(
            task_select!(),
            "WHERE p.org_id = $1 AND p.key = $2 AND t.org_id = $1 AND t.number = $3"
        ))
        .bind(scope.org().as_uuid())
        .bind(project.as_str())
        .bind(number);
        self.optional("ws_tasks: find by key", find).await?.map(Task::try_from).transpose()
    }

    async fn lock(&mut self, scope: &OrgScope, ids: &[TaskId]) -> Result<Vec<Task>, StoreError> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let lock = query_as::<_, (Uuid,)>(concat!(
            "SELECT id FROM ws_tasks WHERE org_id = $1 AND id ",
            in_ids!("$2"),
            " ORDER BY id",
            for_update!()
        ))
        .bind(scope.org().as_uuid())
        .bind(Json(ids));
        self.all("ws_tasks: lock", lock).await?;
        // By a statement of its own, which sees what those wrote who had the locks before.
        let read = query_as::<_, TaskRow>(concat!(
            task_select!(),
            "WHERE t.org_id = $1 AND t.id ",
            in_ids!("$2"),
            " ORDER BY t.id"
        ))
        .bind(scope.org().as_uuid())
        .bind(Json(ids));
        self.all("ws_tasks: read locked", read).await?.into_iter().map(Task::try_from).collect()
    }

    async fn insert(&mut self, scope: &OrgScope, task: &NewTask) -> Result<Option<Numbered>, StoreError> {
        let fields = &task.fields;
        let insert = query_as::<_, (i64, i64)>(concat!(
            "WITH numbered AS (",
            number_task!(),
            ") INSERT INTO ws_tasks (org_id, id, project_id, number, title, description, status_id, position, assignee_id,
                                     reporter_id, priority, type, parent_id, due_date, version, created_at, updated_at)
               SELECT $1, $2, $3, numbered.last_number, $5, $6, $7, numbered.last_position, $8, $9, $10, $11, $12, $13,
                      1, $14, $14
                 FROM numbered
             RETURNING number, position"
        ))
        .bind(scope.org().as_uuid())
        .bind(task.id.as_uuid())
        .bind(task.project_id.as_uuid())
        .bind(order::GAP)
        .bind(&fields.title)
        .bind(fields.description.as_ref().map(Document::to_stored))
        .bind(fields.status_id.as_uuid())
        .bind(fields.assignee_id.map(Uuid::from))
        .bind(task.reporter_id.as_uuid())
        .bind(fields.priority.rank())
        .bind(fields.kind.as_str())
        .bind(fields.parent_id.map(Uuid::from))
        .bind(fields.due_date)
        .bind(Ts(task.created_at));
        self.pass(task.project_id.as_uuid()).await;
        let Some((number, position)) = self.optional("ws_tasks: insert", insert).await? else {
            return Ok(None);
        };
        if let Some(count) = dialect::COUNT_TASK {
            let count = query(count)
                .bind(scope.org().as_uuid())
                .bind(task.project_id.as_uuid())
                .bind(number)
                .bind(position);
            self.execute("ws_projects: count a task", count).await?;
        }
        Ok(Some(Numbered { number, position }))
    }

    async fn update(
        &mut self,
        scope: &OrgScope,
        id: TaskId,
        fields: &TaskFields,
        position: Option<i64>,
        expected: Option<i64>,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let update = query(
            "UPDATE ws_tasks
                SET title = $3, description = $4, status_id = $5, position = COALESCE($6, position), assignee_id = $7,
                    priority = $8, type = $9, parent_id = $10, due_date = $11, version = version + 1, updated_at = $12
              WHERE org_id = $1 AND id = $2 AND ($13 IS NULL OR version = $13)",
        )
        .bind(scope.org().as_uuid())
        .bind(id.as_uuid())
        .bind(&fields.title)
        .bind(fields.description.as_ref().map(Document::to_stored))
        .bind(fields.status_id.as_uuid())
        .bind(position)
        .bind(fields.assignee_id.map(Uuid::from))
        .bind(fields.priority.rank())
        .bind(fields.kind.as_str())
        .bind(fields.parent_id.map(Uuid::from))
        .bind(fields.due_date)
        .bind(Ts(now))
        .bind(expected);
        let updated = self.execute("ws_tasks: update", update).await? > 0;
        self.written(scope, id, expected, updated).await
    }

    async fn delete(
        &mut self,
        scope: &OrgScope,
        id: TaskId,
        expected: Option<i64>,
    ) -> Result<bool, StoreError> {
        let delete =
            query("DELETE FROM ws_tasks WHERE org_id = $1 AND id = $2 AND ($3 IS NULL OR version = $3)")
                .bind(scope.org().as_uuid())
                .bind(id.as_uuid())
                .bind(expected);
        let deleted = self.execute("ws_tasks: delete", delete).await? > 0;
        self.written(scope, id, expected, deleted).await
    }

    async fn list(&mut self, scope: &OrgScope, query: &TaskQuery) -> Result<Vec<Task>, StoreError> {
        self.list_tasks(scope, query).await
    }

    async fn count(&mut self, scope: &OrgScope, query: &TaskQuery) -> Result<i64, StoreError> {
        self.count_tasks(scope, query.filter()).await
    }

    async fn children(
        &mut self,
        scope: &OrgScope,
        id: TaskId,
        limit: u32,
    ) -> Result<Vec<TaskId>, StoreError> {
        let list = query_as::<_, (Uuid,)>(
            "SELECT id FROM ws_tasks WHERE org_id = $1 AND parent_id = $2 ORDER BY id LIMIT $3",
        )
        .bind(scope.org().as_uuid())
        .bind(id.as_uuid())
        .bind(i64::from(limit));
        Ok(ids(self.all("ws_tasks: children", list).await?))
    }

    async fn is_within(
        &mut self,
        scope: &OrgScope,
        id: TaskId,
        ancestor: TaskId,
    ) -> Result<bool, StoreError> {
        // `UNION` passes over what was found before, so that a circle ends.
        let walk = query_as::<_, (i64,)>(
            "WITH RECURSIVE above (id) AS (
                 SELECT $2
                  UNION
                 SELECT t.parent_id FROM above CROSS JOIN ws_tasks t
                  WHERE t.org_id = $1 AND t.id = above.id AND t.parent_id IS NOT NULL
             )
             SELECT count(*) FROM above WHERE id = $3",
        )
        .bind(scope.org().as_uuid())
        .bind(id.as_uuid())
        .bind(ancestor.as_uuid());
        Ok(self.one("ws_tasks: is within", walk).await?.0 > 0)
    }

    async fn open_of(
        &mut self,
        scope: &OrgScope,
        assignee: UserId,
        after: Option<TaskId>,
        limit: u32,
    ) -> Result<Vec<TaskId>, StoreError> {
        let list = query_as::<_, (Uuid,)>(
            "SELECT t.id FROM ws_tasks t JOIN ws_statuses s ON s.org_id = t.org_id AND s.id = t.status_id
              WHERE t.org_id = $1 AND t.assignee_id = $2 AND s.category <> 'done' AND t.id > $3
              ORDER BY t.id LIMIT $4",
        )
        .bind(scope.org().as_uuid())
        .bind(assignee.as_uuid())
        .bind(id_or_first(after))
        .bind(i64::from(limit));
        Ok(ids(self.all("ws_tasks: open of", list).await?))
    }

    async fn in_status(
        &mut self,
        scope: &OrgScope,
        project: ProjectId,
        status: StatusId,
        after: Option<TaskId>,
        limit: u32,
    ) -> Result<Vec<TaskId>, StoreError> {
        let list = query_as::<_, (Uuid,)>(
            "SELECT id FROM ws_tasks
              WHERE org_id = $1 AND project_id = $2 AND status_id = $3 AND id > $4 ORDER BY id LIMIT $5",
        )
        .bind(scope.org().as_uuid())
        .bind(project.as_uuid())
        .bind(status.as_uuid())
        .bind(id_or_first(after))
        .bind(i64::from(limit));
        Ok(ids(self.all("ws_tasks: in status", list).await?))
    }

    async fn slot_at(
        &mut self,
        scope: &OrgScope,
        project: ProjectId,
        status: StatusId,
        excluded: TaskId,
        index: i64,
    ) -> Result<Option<Slot>, StoreError> {
        self.find_slot(scope, project, status, excluded, index).await
    }

    async fn slots_before(
        &mut self,
        scope: &OrgScope,
        project: ProjectId,
        status: StatusId,
        excluded: TaskId,
        place: Option<Slot>,
        limit: u32,
    ) -> Result<Vec<Slot>, StoreError> {
        self.find_slots_before(scope, project, status, excluded, place, limit).await
    }

    async fn slots_from(
        &mut self,
        scope: &OrgScope,
        project: ProjectId,
        status: StatusId,
        excluded: TaskId,
        place: Slot,
        limit: u32,
    ) -> Result<Vec<Slot>, StoreError> {
        self.find_slots_from(scope, project, status, excluded, place, limit).await
    }

    async fn place(&mut self, scope: &OrgScope, slots: &[Slot]) -> Result<(), StoreError> {
        self.place_tasks(scope, slots).await
    }

    async fn move_column(
        &mut self,
        scope: &OrgScope,
        project: ProjectId,
        from: StatusId,
        to: StatusId,
        after: i64,
        now: Timestamp,
    ) -> Result<Option<i64>, StoreError> {
        self.move_tasks(scope, project, from, to, after, now).await
    }
}

fn ids(rows: Vec<(Uuid,)>) -> Vec<TaskId> {
    rows.into_iter().map(|(id,)| id.into()).collect()
}

impl Unit {
    /// Whether a task was written; an error if it was not because it has another version.
    async fn written(
        &mut self,
        scope: &OrgScope,
        id: TaskId,
        expected: Option<i64>,
        written: bool,
    ) -> Result<bool, StoreError> {
        if !written {
            let current = query_as("SELECT version FROM ws_tasks WHERE org_id = $1 AND id = $2")
                .bind(scope.org().as_uuid())
                .bind(id.as_uuid());
            self.refuse_stale("ws_tasks: version", expected, current).await?;
        }
        Ok(written)
    }
}
