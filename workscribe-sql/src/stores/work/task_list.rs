//! Lists of tasks. Each statement contains only the conditions that are set, so each gets its own plan. Values are always bound.
//!
//! One statement chooses the tasks `i` of a page, by an index in the order of the list. A second statement reads what they are
//! shown with; see `task_shown.rs`.

use sqlx::QueryBuilder;
use sqlx::types::Uuid;
use workscribe_core::StoreResult;
use workscribe_core::id::{OrgId, ProjectId};
use workscribe_core::tenancy::OrgScope;
use workscribe_core::work::{
    AssigneeFilter, NO_DUE_DATE, ParentFilter, StatusCategory, Task, TaskCursor, TaskFilter, TaskOrder,
    TaskQuery, TaskSort,
};

use super::task_shown::ListedRow;
use super::{Db, Ts, Unit, corrupt, dialect};

type Statement = QueryBuilder<Db>;

/// The due date as in `ws_tasks_due_idx`.
macro_rules! due {
    () => {
        "COALESCE(i.due_date, '9999-12-31')"
    };
}

impl Unit {
    pub(crate) async fn list_tasks(&mut self, scope: &OrgScope, query: &TaskQuery) -> StoreResult<Vec<Task>> {
        for _ in 0..TRIES {
            let way = self.way(scope, query.filter()).await?;
            let mut list = Statement::new("WITH t AS MATERIALIZED (");
            choose(&mut list, scope.org(), query, way);
            list.push(") SELECT t.* FROM t ORDER BY ").push(order(query.sort(), "t.sort_key", "t."));
            let rows = self.all("ws_tasks: list", list.build_query_as::<ListedRow>()).await?;
            let shown = self.shown_with(scope, &rows).await?;
            let tasks =
                rows.into_iter().map(|row| shown.task(row)).collect::<Result<Option<Vec<Task>>, _>>()?;
            if let Some(tasks) = tasks {
                return Ok(tasks);
            }
        }
        Err(corrupt("ws_tasks", "the project, the status or a person of a task is not there".to_owned()))
    }

    pub(crate) async fn count_tasks(&mut self, scope: &OrgScope, filter: &TaskFilter) -> StoreResult<i64> {
        let way = self.way(scope, filter).await?;
        let mut count = Statement::new("SELECT count(*) FROM ");
        push_tasks(&mut count, scope.org(), filter, way);
        count.push(" WHERE ");
        push_tenant(&mut count, scope.org(), filter);
        push_status(&mut count, scope.org(), filter);
        push_filters(&mut count, scope.org(), filter, way);
        Ok(self.one("ws_tasks: count", count.build_query_as::<(i64,)>()).await?.0)
    }
}

/// How many times the tasks are read at most: again if a status was removed after its tasks were read, which have another one now.
const TRIES: usize = 3;

/// A project with at most this many task numbers is always read in the order of the list.
const SHORT_WALK: i64 = 1_000;

/// How a statement finds the tasks of a list.
#[derive(Debug, Clone, Copy, Default)]
struct Way {
    /// Whether the words of the search are common.
    words: bool,
    /// The condition that few tasks of a project match. The statement finds the tasks by it and sorts them.
    few: Option<Few>,
    /// Whether the statement reads tasks in the order of the list and checks the label and the assignee of each: many match.
    walks: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Few {
    Parent,
    Label,
    Assignee,
}

impl Unit {
    async fn way(&mut self, scope: &OrgScope, filter: &TaskFilter) -> StoreResult<Way> {
        let words = match &filter.search {
            Some(words) if !words.is_empty() => self.are_common(scope, words).await?,
            _ => false,
        };
        let few = match (filter.project, filter.parent) {
            (None, _) => return Ok(Way { words, ..Way::default() }),
            (_, Some(ParentFilter::Of(_))) => Some(Few::Parent),
            (Some(project), _) => self.few(scope, project, filter).await?,
        };
        Ok(Way { words, few, walks: few.is_none() })
    }

    /// The condition on the label or the assignee that the fewest tasks match, if at most [`dialect::FEW`] of a project do.
    async fn few(
        &mut self,
        scope: &OrgScope,
        project: ProjectId,
        filter: &TaskFilter,
    ) -> StoreResult<Option<Few>> {
        let most = dialect::FEW;
        let org = scope.org().as_uuid();
        let assignee = match filter.assignee {
            Some(AssigneeFilter::User(user)) => Some(user),
            _ => None,
        };
        let mut conditions = Vec::new();
        let mut count = Statement::new("SELECT ");
        let mut counts = count.separated(", ");
        if let Some(label) = filter.label {
            conditions.push(Few::Label);
            counts.push("(SELECT count(*) FROM (SELECT 1 FROM ws_task_labels WHERE org_id = ");
            counts.push_bind_unseparated(org).push_unseparated(" AND label_id = ");
            counts.push_bind_unseparated(label.as_uuid()).push_unseparated(" LIMIT ");
            counts.push_bind_unseparated(most + 1).push_unseparated(") AS l)");
        }
        if let Some(user) = assignee {
            conditions.push(Few::Assignee);
            // If a person has many tasks elsewhere and hardly any in a large project, reading the project in order would find
            // none of them for a long time. So their tasks are read and sorted, however many they have.
            counts.push("(SELECT CASE WHEN count(*) FILTER (WHERE a.project_id = ");
            counts.push_bind_unseparated(project.as_uuid());
            counts.push_unseparated(
                ") * 10 >= count(*) OR (SELECT last_number FROM ws_projects WHERE org_id = ",
            );
            counts.push_bind_unseparated(org).push_unseparated(" AND id = ");
            counts.push_bind_unseparated(project.as_uuid()).push_unseparated(") <= ");
            counts.push_bind_unseparated(SHORT_WALK).push_unseparated(" OR count(*) <= ");
            counts.push_bind_unseparated(most).push_unseparated(" THEN count(*) ELSE ");
            counts
                .push_bind_unseparated(most)
                .push_unseparated(" END FROM (SELECT project_id FROM ws_tasks WHERE org_id = ");
            counts.push_bind_unseparated(org).push_unseparated(" AND assignee_id = ");
            counts.push_bind_unseparated(user.as_uuid()).push_unseparated(" LIMIT ");
            counts.push_bind_unseparated(most + 1).push_unseparated(") AS a)");
        }
        let counted = match conditions.len() {
            0 => return Ok(None),
            1 => vec![self.one("ws_tasks: how many", count.build_query_as::<(i64,)>()).await?.0],
            _ => {
                let (labels, people) =
                    self.one("ws_tasks: how many", count.build_query_as::<(i64, i64)>()).await?;
                vec![labels, people]
            }
        };
        let found = conditions.into_iter().zip(counted).filter(|(_, number)| *number <= most);
        Ok(found.min_by_key(|(_, number)| *number).map(|(few, _)| few))
    }
}

/// The source of the tasks `i` of a list. The fence keeps the planner from using an index for another condition instead.
fn push_tasks(list: &mut Statement, org: OrgId, filter: &TaskFilter, way: Way) {
    let org = org.as_uuid();
    match (way.few, filter.parent, filter.label, filter.assignee) {
        (Some(Few::Parent), Some(ParentFilter::Of(parent)), ..) => {
            list.push("(SELECT * FROM ws_tasks WHERE org_id = ").push_bind(org);
            list.push(" AND parent_id = ").push_bind(parent.as_uuid()).push(concat!(fence!(), ") AS i"));
        }
        (Some(Few::Label), _, Some(label), _) => {
            list.push("(SELECT task_id FROM ws_task_labels WHERE org_id = ").push_bind(org);
            list.push(" AND label_id = ").push_bind(label.as_uuid()).push(concat!(fence!(), ") AS l "));
            // The organization is already bound as `$1`.
            list.push(one_of!("ws_tasks", "i", "i.org_id = $1 AND i.id = l.task_id"));
        }
        (Some(Few::Assignee), _, _, Some(AssigneeFilter::User(user))) => {
            list.push("(SELECT * FROM ws_tasks WHERE org_id = ").push_bind(org);
            list.push(" AND assignee_id = ").push_bind(user.as_uuid()).push(concat!(fence!(), ") AS i"));
        }
        _ => {
            list.push("ws_tasks i");
        }
    }
}

/// The sort key of a list, from the tasks `i` and their statuses `s`.
const fn sort_key(by: TaskOrder) -> &'static str {
    match by {
        TaskOrder::Board => "s.position",
        TaskOrder::CreatedAt => "i.created_at",
        TaskOrder::UpdatedAt => "i.updated_at",
        TaskOrder::DueDate => due!(),
        TaskOrder::Priority => "i.priority",
    }
}

fn order(sort: TaskSort, key: &str, table: &str) -> String {
    let direction = if sort.descending { " DESC" } else { "" };
    match sort.by {
        TaskOrder::Board => format!("{key}, {table}position, {table}id"),
        _ => format!("{key}{direction}, {table}id{direction}"),
    }
}

fn choose(list: &mut Statement, org: OrgId, query: &TaskQuery, way: Way) {
    let (filter, sort) = (query.filter(), query.sort());
    let key = sort_key(sort.by);
    if let (TaskOrder::Board, Some(project), None) = (sort.by, filter.project, way.few) {
        list.push(concat!("SELECT ", listed_columns!(), ", ")).push(key).push(" AS sort_key");
        push_board(list, org, project, query, way);
        list.push(" LIMIT ").push_bind(query.fetch());
        return;
    }
    if dialect::CHOICE_END.is_some() {
        list.push("SELECT i.* FROM (");
    }
    list.push(concat!("SELECT ", listed_columns!(), ", ")).push(key).push(" AS sort_key FROM ");
    push_tasks(list, org, filter, way);
    if sort.by == TaskOrder::Board {
        list.push(" JOIN ws_statuses s ON s.id = i.status_id AND s.org_id = i.org_id");
    }
    list.push(" WHERE ");
    push_tenant(list, org, filter);
    push_status(list, org, filter);
    push_filters(list, org, filter, way);
    if let Some(cursor) = query.after() {
        push_cursor(list, &cursor);
    }
    list.push(" ORDER BY ").push(order(sort, key, "i."));
    if let Some(limit) = dialect::CHOICE_END {
        list.push(limit).push(") AS i ORDER BY ").push(order(sort, "i.sort_key", "i."));
    }
    list.push(" LIMIT ").push_bind(query.fetch());
}

/// The tasks of a project in board order, from the cursor on.
fn push_board(list: &mut Statement, org: OrgId, project: ProjectId, query: &TaskQuery, way: Way) {
    let (filter, [statuses, tasks, end]) = (query.filter(), dialect::BOARD);
    let start = query.after().unwrap_or(TaskCursor {
        sort: query.sort(),
        first: i64::MIN,
        second: i64::MIN,
        id: Uuid::nil(),
    });
    list.push(statuses).push("s.org_id = ").push_bind(org.as_uuid());
    list.push(" AND s.project_id = ").push_bind(project.as_uuid());
    list.push(" AND s.position >= ").push_bind(start.first);
    if let Some(status) = filter.status {
        list.push(" AND s.id = ").push_bind(status.as_uuid());
    }
    push_categories(list, " AND s.category IN (", &filter.categories);
    list.push(tasks).push("i.org_id = ").push_bind(org.as_uuid());
    list.push(" AND i.project_id = ").push_bind(project.as_uuid()).push(" AND i.status_id = s.id");
    push_place_in_column(list, &start);
    push_filters(list, org, filter, way);
    list.push(end);
}

/// Tasks after the cursor in its column, and all tasks in later columns.
fn push_place_in_column(list: &mut Statement, start: &TaskCursor) {
    list.push(" AND (i.position, i.id) > (CASE WHEN s.position = ").push_bind(start.first);
    list.push(" THEN ").push_bind(start.second).push(" ELSE ").push_bind(i64::MIN).push(" END, ");
    list.push("CASE WHEN s.position = ").push_bind(start.first);
    list.push(" THEN ").push_bind(start.id).push(" ELSE ").push_bind(Uuid::nil()).push(" END)");
}

fn push_cursor(list: &mut Statement, cursor: &TaskCursor) {
    let is = if cursor.sort.descending { ") < (" } else { ") > (" };
    let key = sort_key(cursor.sort.by);
    if cursor.sort.by == TaskOrder::Board {
        list.push(" AND (s.position, i.position, i.id) > (").push_bind(cursor.first);
        list.push(", ").push_bind(cursor.second);
    } else {
        if let (TaskOrder::DueDate, Some(day)) = (cursor.sort.by, cursor.date()) {
            // The key is also compared by itself: SQLite does not start at a pair in an index of expressions.
            list.push(" AND ").push(key).push(if cursor.sort.descending { " <= " } else { " >= " });
            list.push_bind(day);
        }
        list.push(" AND (").push(key).push(", i.id").push(is);
        match cursor.sort.by {
            TaskOrder::CreatedAt | TaskOrder::UpdatedAt => {
                list.push_bind(Ts(cursor.time().unwrap_or_default()))
            }
            TaskOrder::DueDate => list.push_bind(cursor.date().unwrap_or(NO_DUE_DATE)),
            TaskOrder::Priority | TaskOrder::Board => list.push_bind(cursor.first),
        };
    }
    list.push(", ").push_bind(cursor.id).push(")");
}

fn push_tenant(list: &mut Statement, org: OrgId, filter: &TaskFilter) {
    list.push("i.org_id = ").push_bind(org.as_uuid());
    if let Some(project) = filter.project {
        list.push(" AND i.project_id = ").push_bind(project.as_uuid());
    }
}

fn push_status(list: &mut Statement, org: OrgId, filter: &TaskFilter) {
    if let Some(status) = filter.status {
        list.push(" AND i.status_id = ").push_bind(status.as_uuid());
    }
    match filter.project {
        _ if filter.categories.is_empty() => {}
        // A project has few statuses; an organization may have many.
        Some(project) => {
            list.push(" AND i.status_id IN (SELECT c.id FROM ws_statuses c WHERE c.org_id = ");
            list.push_bind(org.as_uuid()).push(" AND c.project_id = ").push_bind(project.as_uuid());
            push_categories(list, " AND c.category IN (", &filter.categories);
            list.push(")");
        }
        None => {
            list.push(" AND EXISTS (SELECT 1 FROM ws_statuses c WHERE c.id = i.status_id AND c.org_id = ");
            list.push_bind(org.as_uuid());
            push_categories(list, " AND c.category IN (", &filter.categories);
            list.push(")");
        }
    }
}

fn push_categories(list: &mut Statement, begin: &str, categories: &[StatusCategory]) {
    if categories.is_empty() {
        return;
    }
    list.push(begin);
    let mut names = list.separated(", ");
    for category in categories {
        names.push_bind(category.as_str());
    }
    list.push(")");
}

/// All conditions except those on the project and the status.
fn push_filters(list: &mut Statement, org: OrgId, filter: &TaskFilter, way: Way) {
    match filter.assignee {
        Some(AssigneeFilter::User(user)) if way.walks => {
            let [begin, end] = dialect::IS_OF;
            list.push(begin).push_bind(user.as_uuid()).push(end)
        }
        Some(AssigneeFilter::User(user)) => list.push(" AND i.assignee_id = ").push_bind(user.as_uuid()),
        Some(AssigneeFilter::Nobody) => list.push(" AND i.assignee_id IS NULL"),
        None => list,
    };
    if let Some(priority) = filter.priority {
        list.push(" AND i.priority = ").push_bind(priority.rank());
    }
    if let Some(kind) = filter.kind {
        list.push(" AND i.type = ").push_bind(kind.as_str());
    }
    if let Some(label) = filter.label.filter(|_| way.walks || way.few == Some(Few::Assignee)) {
        let [begin, end] = dialect::NOTES_LABEL;
        list.push(begin).push_bind(label.to_string()).push(end);
    } else if let Some(label) = filter.label.filter(|_| way.few != Some(Few::Label)) {
        list.push(" AND i.id IN (SELECT l.task_id FROM ws_task_labels l WHERE l.org_id = ");
        list.push_bind(org.as_uuid()).push(" AND l.label_id = ").push_bind(label.as_uuid()).push(")");
    }
    match filter.parent {
        Some(ParentFilter::Of(parent)) => list.push(" AND i.parent_id = ").push_bind(parent.as_uuid()),
        Some(ParentFilter::None) => list.push(" AND i.parent_id IS NULL"),
        None => list,
    };
    match &filter.search {
        // As in a search, no words match nothing.
        Some(words) if words.is_empty() => {
            list.push(" AND FALSE");
        }
        Some(words) => {
            let [begin, then, end] =
                if way.words { dialect::TASKS_FOUND_COMMON } else { dialect::TASKS_FOUND };
            list.push(begin).push_bind(dialect::search_query(org, words, true));
            list.push(then).push_bind(org.as_uuid()).push(end);
        }
        None => {}
    }
    if let Some(day) = filter.due_before {
        list.push(concat!(" AND i.due_date IS NOT NULL AND ", due!(), " < ")).push_bind(day);
    }
    if let Some(time) = filter.updated_after {
        list.push(" AND i.updated_at > ").push_bind(Ts(time));
    }
}
