//! The projects, statuses, people and labels with which the tasks of a list are shown, read once for a whole page.
//!
//! In the statement that chooses a page, they were more than half of its cost: Postgres set up some twenty plan nodes for each
//! request, and assembled the same few rows for each task. A second statement reads each of them once, and this module assembles
//! the page. One task is read in one statement, because there a second round trip costs more; see `task_columns!`.

use std::collections::HashMap;

use chrono::NaiveDate;
use sqlx::types::{Json, Uuid};
use sqlx::{FromRow, query_as};
use workscribe_core::StoreResult;
use workscribe_core::tenancy::OrgScope;
use workscribe_core::work::{Color, Person, Priority, ProjectKey, Status, Task, TaskLabel, TaskType};

use super::bind::BindAll as _;
use super::statuses::parse_category;
use super::{Ts, Unit, corrupt, named, person};

/// A task of a list, as its table stores it; see `listed_columns!`.
#[derive(FromRow)]
pub(crate) struct ListedRow {
    org_id: Uuid,
    id: Uuid,
    project_id: Uuid,
    number: i64,
    title: String,
    status_id: Uuid,
    position: i64,
    assignee_id: Option<Uuid>,
    reporter_id: Uuid,
    priority: i64,
    #[sqlx(rename = "type")]
    kind: String,
    parent_id: Option<Uuid>,
    due_date: Option<NaiveDate>,
    label_ids: Json<Vec<Uuid>>,
    subtask_count: i64,
    comment_count: i64,
    has_blockers: bool,
    version: i64,
    created_at: Ts,
    updated_at: Ts,
}

/// A project, status, person or label. Fields that its kind does not have are null.
#[derive(FromRow)]
struct ShownRow {
    what: i64,
    id: Uuid,
    project_id: Option<Uuid>,
    name: String,
    /// A colour, or the URL of a picture.
    looks: Option<String>,
    category: Option<String>,
    /// The position of a status, or of a label among the labels by name; the number of a task's blockers.
    position: i64,
    is_archived: bool,
    version: i64,
    created_at: Ts,
    updated_at: Ts,
}

const PROJECT: i64 = 1;
const STATUS: i64 = 2;
const PERSON: i64 = 3;
const BLOCKERS: i64 = 5;

/// The rows with which a page of tasks is shown, by id.
#[derive(Default)]
pub(crate) struct Shown {
    projects: HashMap<Uuid, (ProjectKey, bool)>,
    statuses: HashMap<Uuid, Status>,
    people: HashMap<Uuid, Person>,
    labels: HashMap<Uuid, (i64, TaskLabel)>,
    /// The number of open tasks that block a task.
    blockers: HashMap<Uuid, i64>,
}

impl Unit {
    /// Reads the rows with which tasks are shown.
    pub(crate) async fn shown_with(&mut self, scope: &OrgScope, tasks: &[ListedRow]) -> StoreResult<Shown> {
        let mut shown = Shown::default();
        if tasks.is_empty() {
            return Ok(shown);
        }
        let find = query_as::<_, ShownRow>(concat!(
            rows_by_id!(
                "CAST(1 AS bigint) AS what, id, CAST(NULL AS uuid) AS project_id, key AS name, CAST(NULL AS text) AS looks,
                 CAST(NULL AS text) AS category, CAST(0 AS bigint) AS position, is_archived, version, created_at, updated_at",
                "ws_projects",
                "$1",
                ids_of!("$2")
            ),
            " UNION ALL ",
            rows_by_id!(
                "2, id, project_id, name, color, category, position, FALSE, version, created_at, updated_at",
                "ws_statuses",
                "$1",
                ids_of!("$3")
            ),
            " UNION ALL ",
            users_by_id!(
                "3, id, NULL, display_name, avatar_url, NULL, 0, FALSE, 0, created_at, created_at",
                ids_of!("$4")
            ),
            " UNION ALL ",
            rows_by_id!(
                "4, id, project_id, name, color, NULL, row_number() OVER (ORDER BY name_key, id), FALSE, version, created_at, updated_at",
                "ws_labels",
                "$1",
                ids_of!("$5")
            ),
            " UNION ALL
             SELECT 5, b.target_id, NULL, '', NULL, NULL, count(*), FALSE, 0, min(b.created_at), min(b.created_at)
               FROM ws_relations b ",
            one_of!("ws_tasks", "bt", "bt.org_id = $1 AND bt.id = b.source_id"),
            one_of!("ws_statuses", "bs", "bs.org_id = $1 AND bs.id = bt.status_id"),
            "WHERE b.org_id = $1 AND b.target_id ",
            in_ids!("$6"),
            " AND b.type = 'blocks' AND bs.category <> 'done' GROUP BY b.target_id"
        ))
        .bind_all((
            scope, distinct(tasks.iter().map(|task| task.project_id)),
            distinct(tasks.iter().map(|task| task.status_id)),
            distinct(tasks.iter().flat_map(|task| task.assignee_id.into_iter().chain([task.reporter_id]))),
            distinct(tasks.iter().flat_map(|task| task.label_ids.iter()).copied()),
            distinct(tasks.iter().filter(|task| task.has_blockers).map(|task| task.id)),
        ));
        for row in self.all("ws_tasks: shown with", find).await? {
            shown.add(row)?;
        }
        Ok(shown)
    }
}

fn distinct(ids: impl Iterator<Item = Uuid>) -> Json<Vec<Uuid>> {
    let mut ids: Vec<Uuid> = ids.collect();
    ids.sort_unstable();
    ids.dedup();
    Json(ids)
}

impl Shown {
    fn add(&mut self, row: ShownRow) -> StoreResult<()> {
        match row.what {
            PROJECT => {
                self.projects.insert(row.id, (ProjectKey::from_stored(row.name), row.is_archived));
            }
            STATUS => {
                let status = Status {
                    id: row.id.into(),
                    project_id: row.project_id.unwrap_or_default().into(),
                    name: row.name,
                    category: parse_category(&row.category.unwrap_or_default())?,
                    position: row.position,
                    color: row.looks.map(Color::from_stored),
                    version: row.version,
                    created_at: row.created_at.0,
                    updated_at: row.updated_at.0,
                };
                self.statuses.insert(row.id, status);
            }
            PERSON => {
                self.people.insert(row.id, person(row.id, row.name, row.looks));
            }
            BLOCKERS => {
                self.blockers.insert(row.id, row.position);
            }
            _ => {
                let color = Color::from_stored(row.looks.unwrap_or_default());
                let label = TaskLabel { id: row.id.into(), name: row.name, color };
                self.labels.insert(row.id, (row.position, label));
            }
        }
        Ok(())
    }

    /// A task with all its fields; `None` when its project, its status or a person is missing, because the task was changed or
    /// removed after it was read.
    pub(crate) fn task(&self, row: ListedRow) -> StoreResult<Option<Task>> {
        let assignee = match row.assignee_id {
            Some(id) => self.people.get(&id).map(Some),
            None => Some(None),
        };
        let (Some((project_key, project_is_archived)), Some(status), Some(assignee), Some(reporter)) = (
            self.projects.get(&row.project_id),
            self.statuses.get(&row.status_id),
            assignee,
            self.people.get(&row.reporter_id),
        ) else {
            return Ok(None);
        };
        let priority = Priority::of_rank(row.priority)
            .ok_or_else(|| corrupt("ws_tasks", format!("priority is {}", row.priority)))?;
        // A task may name a removed label until its next change.
        let mut labels: Vec<&(i64, TaskLabel)> =
            row.label_ids.iter().filter_map(|id| self.labels.get(id)).collect();
        labels.sort_unstable_by_key(|(place, _)| *place);
        let labels = labels.into_iter().map(|(_, label)| label.clone()).collect();
        Ok(Some(Task {
            id: row.id.into(),
            org_id: row.org_id.into(),
            project_id: row.project_id.into(),
            project_key: project_key.clone(),
            project_is_archived: *project_is_archived,
            number: row.number,
            title: row.title,
            description: None,
            status: status.clone(),
            assignee: assignee.cloned(),
            reporter: reporter.clone(),
            priority,
            kind: named("ws_tasks", "type", &row.kind, TaskType::parse)?,
            parent_id: row.parent_id.map(Into::into),
            labels,
            position: row.position,
            due_date: row.due_date,
            subtask_count: row.subtask_count,
            comment_count: row.comment_count,
            blocked_by_count: self.blockers.get(&row.id).copied().unwrap_or_default(),
            version: row.version,
            created_at: row.created_at.0,
            updated_at: row.updated_at.0,
        }))
    }
}
