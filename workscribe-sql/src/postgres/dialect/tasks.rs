//! What differs between the databases in statements about tasks, for Postgres: the rows with which tasks are shown, the choice of a
//! page of a list, and their labels.

use workscribe_core::page::PageRequest;

/// The labels of a single task `t`, as one JSON array.
macro_rules! labels_of_one_task {
    () => {
        "(SELECT jsonb_agg(jsonb_build_object('id', l.id, 'name', l.name, 'color', l.color) ORDER BY l.name_key, l.id)
            FROM jsonb_array_elements_text(t.label_ids) AS ids (id)
           CROSS JOIN LATERAL (SELECT * FROM ws_labels l WHERE l.org_id = t.org_id AND l.id = CAST(ids.id AS uuid) LIMIT 1) AS l)"
    };
}

/// The ids in `label_ids` of all tasks of `t`, as rows.
macro_rules! label_ids_of_tasks {
    () => {
        "(SELECT CAST(jsonb_array_elements_text(t.label_ids) AS uuid) FROM t)"
    };
}

/// The rows with which the chosen tasks `t` are shown, read once for all of them by their keys. `$org` is their organization. It
/// begins with a comma, because it continues a `WITH`.
macro_rules! shown_with {
    ($org:literal) => {
        concat!(
            ", projects AS MATERIALIZED (",
            rows_by_id!("id, key, is_archived", "ws_projects", $org, "(SELECT project_id FROM t)"),
            "), statuses AS MATERIALIZED (",
            rows_by_id!(
                "id, name, category, position, color, version, created_at, updated_at",
                "ws_statuses",
                $org,
                "(SELECT status_id FROM t)"
            ),
            "), people AS MATERIALIZED (",
            users_by_id!(
                "id, display_name, avatar_url",
                "(SELECT assignee_id FROM t WHERE assignee_id IS NOT NULL UNION SELECT reporter_id FROM t)"
            ),
            "), labels AS MATERIALIZED (",
            rows_by_id!("id, name, name_key, color", "ws_labels", $org, label_ids_of_tasks!()),
            ") "
        )
    };
}

/// The joins with which a task `t` is read.
macro_rules! task_joins {
    () => {
        " JOIN projects p ON p.id = t.project_id
          JOIN statuses s ON s.id = t.status_id
          LEFT JOIN people a ON a.id = t.assignee_id
          JOIN people r ON r.id = t.reporter_id "
    };
}

/// The labels of the task `t` from `labels`, as one JSON array.
macro_rules! labels_of_task {
    () => {
        "(SELECT jsonb_agg(jsonb_build_object('id', l.id, 'name', l.name, 'color', l.color) ORDER BY l.name_key, l.id)
            FROM labels l WHERE jsonb_exists(t.label_ids, CAST(l.id AS text)))"
    };
}

/// Up to this number of tasks of a label or a person, a list reads and sorts them. If there are more, it reads all tasks in
/// order, because it soon finds enough of them.
pub(crate) const FEW: i64 = 200;

/// Whether a person has the task `i`, in a form that no index can use, for reading tasks in order.
pub(crate) const IS_OF: [&str; 2] = [" AND (i.assignee_id = ", ") IS TRUE"];

/// Whether the task `i` has a label, from its own `label_ids`, for reading tasks in order, where a look-up in another table would
/// cost blocks for each task. The label is bound in the middle. No index can use this condition.
pub(crate) const NOTES_LABEL: [&str; 2] = [" AND jsonb_exists(i.label_ids, CAST(", " AS text))"];

/// The first limit of the choice of a page of tasks, before its order and its actual limit. The planner assumes that an unknown
/// limit is a tenth of all rows, so this constant gives it the maximum.
pub(crate) const CHOICE_END: Option<&str> = Some(" LIMIT 101");
const _: () = assert!(PageRequest::MAX_LIMIT == 100, "the limit above is one more");

/// The tasks of a board by column. Conditions for its statuses `s` follow the first part, conditions for their tasks `i` the
/// second. The nested loop returns the columns in order and the tasks in each, until the limit that follows, so it reads only
/// what is shown. An `ORDER BY` would make it read a page of every column first, because the planner does not know that order.
pub(crate) const BOARD: [&str; 3] = [
    " FROM (SELECT s.id, s.position FROM ws_statuses s WHERE ",
    " ORDER BY s.position, s.id) AS s CROSS JOIN LATERAL (SELECT * FROM ws_tasks i WHERE ",
    " ORDER BY i.position, i.id LIMIT 101) AS i",
];

/// How many tasks have other `label_ids` than `ws_task_labels`. A removed label may remain in `label_ids`.
pub(crate) const WRONG_LABELS: &str = "
    SELECT count(*) FROM ws_tasks t
      LEFT JOIN (SELECT org_id, task_id, jsonb_agg(label_id ORDER BY label_id) AS ids FROM ws_task_labels
                  GROUP BY org_id, task_id) AS l ON l.org_id = t.org_id AND l.task_id = t.id
     WHERE COALESCE(l.ids, '[]') <> (SELECT COALESCE(jsonb_agg(n.id ORDER BY n.id COLLATE \"C\"), '[]')
                                       FROM jsonb_array_elements_text(t.label_ids) AS n (id)
                                      WHERE EXISTS (SELECT 1 FROM ws_labels x WHERE x.org_id = t.org_id AND x.id = CAST(n.id AS uuid)))";

/// The new `label_ids`. The added labels are bound after the first part, the removed labels after the second.
pub(crate) const LABEL_IDS_AFTER: [&str; 3] = [
    "(SELECT COALESCE(jsonb_agg(ids.id ORDER BY ids.id COLLATE \"C\"), '[]')
        FROM (SELECT jsonb_array_elements_text(label_ids) AS id UNION SELECT jsonb_array_elements_text(CAST(",
    " AS jsonb))) AS ids
       WHERE NOT jsonb_exists(CAST(",
    " AS jsonb), ids.id))",
];
