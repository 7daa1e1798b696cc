//! Checks whether stored values that are derived from other rows are right: the counts of tasks, their labels, and the counts of
//! unread notifications. It reads whole tables, so it is for an operator (`workscribe doctor --deep`) and for tests.

use sqlx::query_as;
use workscribe_core::StoreResult;

use super::{Conn, Db, dialect, store_error};

/// What is compared, and a statement that counts the rows that differ.
const COMPARED: [(&str, &str); 5] = [
    (
        "tasks that count their subtasks wrongly",
        "SELECT count(*) FROM ws_tasks t
           LEFT JOIN (SELECT org_id, parent_id, count(*) AS number FROM ws_tasks WHERE parent_id IS NOT NULL
                       GROUP BY org_id, parent_id) AS c ON c.org_id = t.org_id AND c.parent_id = t.id
          WHERE t.subtask_count <> COALESCE(c.number, 0)",
    ),
    (
        "tasks that count their comments wrongly",
        "SELECT count(*) FROM ws_tasks t
           LEFT JOIN (SELECT org_id, task_id, count(*) AS number FROM ws_comments GROUP BY org_id, task_id) AS c
                  ON c.org_id = t.org_id AND c.task_id = t.id
          WHERE t.comment_count <> COALESCE(c.number, 0)",
    ),
    ("tasks with a wrong list of labels", dialect::WRONG_LABELS),
    (
        "deliveries of webhooks without their message",
        "SELECT count(*) FROM ws_webhook_deliveries d
          WHERE NOT EXISTS (SELECT 1 FROM ws_webhook_messages m WHERE m.org_id = d.org_id AND m.id = d.message_id)",
    ),
    (
        "people whose unread notifications are counted wrongly",
        concat!(
            "SELECT count(*) FROM (
                 SELECT org_id, user_id, sum(unread) AS off FROM (
                     SELECT org_id, user_id, unread FROM ws_unread
                      UNION ALL
                     SELECT n.org_id, n.user_id, -count(*) FROM ws_notifications n WHERE ",
            unread!(),
            " GROUP BY n.org_id, n.user_id
                 ) AS entries GROUP BY org_id, user_id
             ) AS people WHERE off <> 0"
        ),
    ),
];

/// The differences, in words; empty when there are none.
pub(crate) async fn differences(conn: &mut Conn) -> StoreResult<Vec<String>> {
    let mut found = Vec::new();
    for (what, compare) in COMPARED {
        let counted = query_as::<Db, (i64,)>(compare).persistent(false).fetch_one(&mut *conn).await;
        let (number,) = counted.map_err(|error| store_error("compare counts", error, dialect::classify))?;
        if number > 0 {
            found.push(format!("{number} {what}"));
        }
    }
    Ok(found)
}
