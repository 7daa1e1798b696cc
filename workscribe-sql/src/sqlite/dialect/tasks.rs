//! What differs between the databases in statements about tasks, for SQLite: the rows with which tasks are shown, the choice of a
//! page of a list, and their labels.

/// The labels of a single task `t`, as one JSON array.
macro_rules! labels_of_one_task {
    () => {
        "(SELECT json_group_array(json_object('id', hex(l.id), 'name', l.name, 'color', l.color) ORDER BY l.name_key, l.id)
            FROM json_each(t.label_ids) AS ids
           CROSS JOIN ws_labels l ON l.org_id = t.org_id AND l.id = unhex(replace(ids.value, '-', '')))"
    };
}

/// Nothing: [`task_joins`] reads the rows with which each task is shown, by their keys. Here that costs no round trip.
macro_rules! shown_with {
    ($org:literal) => {
        " "
    };
}

/// The joins with which a chosen task `t` is read.
macro_rules! task_joins {
    () => {
        concat!(
            " ",
            one_of!("ws_projects", "p", "p.org_id = t.org_id AND p.id = t.project_id"),
            one_of!("ws_statuses", "s", "s.org_id = t.org_id AND s.id = t.status_id"),
            one_or_none_of!("ws_users", "a", "a.id = t.assignee_id"),
            one_of!("ws_users", "r", "r.id = t.reporter_id")
        )
    };
}

/// The labels of the task `t`, as one JSON array.
macro_rules! labels_of_task {
    () => {
        labels_of_one_task!()
    };
}

/// Up to this number of tasks of a label or a person, a list reads and sorts them. If there are more, it reads all tasks in
/// order, because it soon finds enough of them.
pub(crate) const FEW: i64 = 200;

/// Whether a person has the task `i`, for reading tasks in order. The sign prevents the use of an index of people.
pub(crate) const IS_OF: [&str; 2] = [" AND +i.assignee_id = ", ""];

/// Whether the task `i` has a label, from its own `label_ids`, for reading tasks in order.
pub(crate) const NOTES_LABEL: [&str; 2] =
    [" AND EXISTS (SELECT 1 FROM json_each(i.label_ids) AS ids WHERE ids.value = ", ")"];

/// Nothing: the choice of a page of tasks needs no hint for the planner.
pub(crate) const CHOICE_END: Option<&str> = None;

/// The tasks of a board by column. Conditions for its statuses `s` follow the first part, conditions for their tasks `i` the
/// second. `CROSS JOIN` keeps this order, so both indexes are read in order until the limit that follows.
pub(crate) const BOARD: [&str; 3] = [
    " FROM ws_statuses s CROSS JOIN ws_tasks i WHERE ",
    " AND ",
    " ORDER BY s.position, s.id, i.position, i.id",
];

/// How many tasks have other `label_ids` than `ws_task_labels`. A removed label may remain in `label_ids`.
pub(crate) const WRONG_LABELS: &str = "
    SELECT count(*) FROM ws_tasks t
     WHERE (SELECT json_group_array(hex(l.label_id) ORDER BY l.label_id) FROM ws_task_labels l
             WHERE l.org_id = t.org_id AND l.task_id = t.id)
        <> (SELECT json_group_array(hex(x.id) ORDER BY x.id) FROM json_each(t.label_ids) AS n
              JOIN ws_labels x ON x.org_id = t.org_id AND x.id = unhex(replace(n.value, '-', '')))";

/// The new `label_ids`. The added labels are bound after the first part, the removed labels after the second.
pub(crate) const LABEL_IDS_AFTER: [&str; 3] = [
    "(SELECT json_group_array(ids.id ORDER BY ids.id)
        FROM (SELECT value AS id FROM json_each(label_ids) UNION SELECT value FROM json_each(",
    ")) AS ids
       WHERE ids.id NOT IN (SELECT value FROM json_each(",
    ")))",
];
