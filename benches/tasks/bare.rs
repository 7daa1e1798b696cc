//! Two bare statements of WorkScribe, on the server's own pool: what its requests are compared with.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use sqlx::types::Uuid;
use sqlx::{PgPool, query, query_as};
use workscribe::WorkScribe;
use workscribe::id::TaskId;

use super::support::{CONNECTIONS, Outcome, Task, Worker};

/// A statement as WorkScribe makes it, without the rest of WorkScribe. It is repeated here because the comparison must not use the
/// stores.
pub(super) struct Statement {
    app: WorkScribe,
    pool: PgPool,
    inserts: bool,
    rows: Arc<Vec<(Uuid, Uuid)>>,
    /// An organization, a project that nothing else writes to, its status, and a user.
    place: (Uuid, Uuid, Uuid, Uuid),
    number: Arc<AtomicI64>,
    turn: usize,
}

impl Statement {
    pub(super) async fn all(app: &WorkScribe, pool: &PgPool) -> Outcome<Vec<Self>> {
        let rows = "SELECT t.id, m.user_id FROM ws_tasks t JOIN ws_members m ON m.org_id = t.org_id
                      JOIN ws_organizations o ON o.id = t.org_id WHERE o.slug = 'large' LIMIT 5000";
        let rows: Arc<Vec<(Uuid, Uuid)>> = Arc::new(query_as(rows).fetch_all(pool).await?);
        let place = "SELECT s.org_id, s.project_id, s.id, p.created_by
                       FROM ws_statuses s JOIN ws_projects p ON p.org_id = s.org_id AND p.id = s.project_id
                      WHERE p.key = 'BARE'";
        let place: (Uuid, Uuid, Uuid, Uuid) = query_as(place).fetch_one(pool).await?;
        let last = "SELECT COALESCE(max(number), 0) FROM ws_tasks WHERE org_id = $1 AND project_id = $2";
        let (last,): (i64,) = query_as(last).bind(place.0).bind(place.1).fetch_one(pool).await?;
        let number = Arc::new(AtomicI64::new(last + 1));
        let one = |at| Self {
            app: app.clone(),
            pool: pool.clone(),
            inserts: false,
            rows: Arc::clone(&rows),
            place,
            number: Arc::clone(&number),
            turn: at * 157,
        };
        Ok((0..CONNECTIONS).map(one).collect())
    }
}

impl Task for Statement {
    fn set(&mut self, statement: &str) -> Outcome<()> {
        self.inserts = match statement {
            "insert" => true,
            "find" => false,
            other => return Err(other.into()),
        };
        Ok(())
    }
}

impl Worker for Statement {
    async fn step(&mut self) -> Outcome<()> {
        self.turn += 1;
        if self.inserts {
            let (organization, project, status, user) = self.place;
            let number = self.number.fetch_add(1, Ordering::Relaxed);
            query(
                "INSERT INTO ws_tasks (org_id, id, project_id, number, title, description, status_id, position,
                                       assignee_id, reporter_id, priority, type, parent_id, due_date, version,
                                       created_at, updated_at)
                 VALUES ($1, $2, $3, $4, $5, NULL, $6, $7, NULL, $8, 1, 'task', NULL, NULL, 1, now(), now())",
            )
            .bind(organization)
            .bind(Uuid::from(self.app.new_id::<TaskId>()))
            .bind(project)
            .bind(number)
            .bind("Write down what was found")
            .bind(status)
            .bind(number << 20)
            .bind(user)
            .execute(&self.pool)
            .await?;
        } else {
            let (task, user) = self.rows[self.turn % self.rows.len()];
            query(READ_ONE).bind(task).bind(user).fetch_one(&self.pool).await?;
        }
        Ok(())
    }
}

/// Reads a task for a member, with everything that is shown of it.
const READ_ONE: &str = "
    SELECT m.org_id AS entered_org_id, m.role AS entered_role, u.id AS actor_id, u.display_name AS actor_name,
           u.avatar_url AS actor_avatar_url, t.org_id, t.id, t.project_id, p.key AS project_key,
           p.is_archived AS project_is_archived, t.number, t.title, t.description, s.id AS status_id,
           s.name AS status_name, s.category AS status_category, s.position AS status_position,
           s.color AS status_color, s.version AS status_version, s.created_at AS status_created_at,
           s.updated_at AS status_updated_at, a.id AS assignee_id, a.display_name AS assignee_name,
           a.avatar_url AS assignee_avatar_url, r.id AS reporter_id, r.display_name AS reporter_name,
           r.avatar_url AS reporter_avatar_url, t.priority, t.type AS kind, t.parent_id,
           (SELECT jsonb_agg(jsonb_build_object('id', l.id, 'name', l.name, 'color', l.color) ORDER BY l.name_key, l.id)
              FROM ws_task_labels tl JOIN ws_labels l ON l.org_id = tl.org_id AND l.id = tl.label_id
             WHERE tl.org_id = t.org_id AND tl.task_id = t.id) AS labels,
           t.position, t.due_date,
           (SELECT count(*) FROM ws_tasks below WHERE below.org_id = t.org_id AND below.parent_id = t.id)
              AS subtask_count,
           (SELECT count(*) FROM ws_comments c WHERE c.org_id = t.org_id AND c.task_id = t.id) AS comment_count,
           t.version, t.created_at, t.updated_at
      FROM ws_members m
      JOIN ws_users u ON u.id = m.user_id
      JOIN ws_tasks t ON t.org_id = m.org_id AND t.id = $1
      JOIN ws_projects p ON p.org_id = t.org_id AND p.id = t.project_id
      JOIN ws_statuses s ON s.org_id = t.org_id AND s.id = t.status_id
      LEFT JOIN ws_users a ON a.id = t.assignee_id
      JOIN ws_users r ON r.id = t.reporter_id
     WHERE m.user_id = $2";

// --- The data ----------------------------------------------------------------------------------------------------------
