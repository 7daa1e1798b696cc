//! Changes of many tasks in one request.

use crate::support::*;
use crate::workshop::{NOTHING, WEB, Workshop, id, path_of};

on_every_storage! {
    async fn many_tasks_are_changed_together(on: On) {
        let shop = Workshop::new(on).await;
        let statuses = shop.statuses().await;
        let (late, early) = (shop.label("late").await, shop.label("early").await);
        let mut ids = Vec::new();
        for title in ["A", "B", "C"] {
            ids.push(id(&shop.task(json!({"title": title, "label_ids": [late]})).await));
        }
        let body = json!({
            "task_ids": [ids[2], ids[0]], "status_id": statuses[1], "assignee_id": shop.ada.user_id,
            "priority": "high", "due_date": "2026-12-24", "add_label_ids": [early], "remove_label_ids": [late],
        });
        let changed = shop.change(&shop.grace, &format!("{ORG}/tasks/bulk"), body.clone()).await;
        let changed = changed["tasks"].as_array().unwrap();
        assert_eq!(texts(changed, "title"), ["C", "A"]);
        for task in changed {
            assert_eq!(
                (&task["status_id"], &task["assignee_id"], &task["priority"], &task["due_date"]),
                (&json!(statuses[1]), &json!(shop.ada.user_id), &json!("high"), &json!("2026-12-24"))
            );
            assert_eq!(texts(task["labels"].as_array().unwrap(), "name"), ["early"]);
            assert!(task.get("description_json").is_none());
        }
        assert_eq!(shop.board().await, ["To Do: B", "In Progress: C", "In Progress: A"]);
        let told = shop.read(&shop.ada, "/notifications").await;
        assert_eq!(told["unread_count"], 2);
        let again = shop.change(&shop.grace, &format!("{ORG}/tasks/bulk"), body).await;
        assert_eq!(again["tasks"], json!(changed), "to say the same again changes nothing");
        let cleared = json!({"task_ids": ids, "assignee_id": null, "due_date": null, "label_ids": []});
        let cleared = shop.change(&shop.grace, &format!("{ORG}/tasks/bulk"), cleared).await;
        for task in cleared["tasks"].as_array().unwrap() {
            assert_eq!(
                (&task["assignee_id"], &task["due_date"], &task["labels"]),
                (&Value::Null, &Value::Null, &json!([]))
            );
        }
    }

    async fn a_fault_in_one_changes_none(on: On) {
        let shop = Workshop::new(on).await;
        shop.make(&shop.ada, &format!("{ORG}/projects"), json!({"name": "Looms", "key": "LM"})).await;
        let other = format!("{ORG}/projects/LM");
        let elsewhere = shop.make(&shop.ada, &format!("{other}/tasks"), json!({"title": "Elsewhere"})).await;
        let (one, two) = (shop.task(json!({"title": "A"})).await, shop.task(json!({"title": "B"})).await);
        let status = shop.statuses().await.remove(1);
        let label = shop.label("late").await;
        let path = format!("{ORG}/tasks/bulk");
        let (one, two, other_id) = (id(&one), id(&two), id(&elsewhere));
        for (body, fault) in [
            (json!({"task_ids": []}), "/task_ids OUT_OF_RANGE"),
            (json!({"task_ids": [one, one]}), "/task_ids/1 DUPLICATE"),
            (json!({"task_ids": [NOTHING], "priority": "low"}), "/task_ids/0 NOT_FOUND"),
            (json!({"task_ids": [one, NOTHING], "priority": "low"}), "/task_ids/1 NOT_FOUND"),
            (json!({"task_ids": [one, other_id], "status_id": status}), "/task_ids/1 NOT_FOUND"),
            (json!({"task_ids": [one, other_id], "label_ids": [label]}), "/task_ids/1 NOT_FOUND"),
            (json!({"task_ids": [one, two], "status_id": elsewhere["status_id"]}), "/status_id NOT_FOUND"),
            (json!({"task_ids": [one], "assignee_id": NOTHING}), "/assignee_id NOT_FOUND"),
            (json!({"task_ids": [one], "add_label_ids": [label, NOTHING]}), "/add_label_ids/1 NOT_FOUND"),
            (json!({"task_ids": [one], "priority": null}), "/priority NOT_NULLABLE"),
        ] {
            let refused = shop.patch(&shop.ada, &path, body.clone()).await.refused(422, "VALIDATION_FAILED");
            assert_eq!(refused.faults(), [fault], "{body}");
        }
        assert_eq!(shop.board().await, ["To Do: A", "To Do: B"]);
        let across = json!({"task_ids": [one, other_id], "priority": "low"});
        shop.change(&shop.ada, &path, across).await;
        shop.remove(&shop.ada, &other).await.expect(StatusCode::NO_CONTENT);
        let archived = json!({"task_ids": [one, other_id], "priority": "high"});
        shop.patch(&shop.ada, &path, archived).await.refused(409, "PROJECT_ARCHIVED");
        assert_eq!(shop.read(&shop.ada, &format!("/tasks/{one}")).await["priority"], "low");
        assert_eq!(shop.read(&shop.ada, &path_of(&elsewhere)).await["priority"], "low");
        assert_eq!(shop.read(&shop.ada, &format!("{WEB}/tasks?priority=high")).await["tasks"], json!([]));
    }
}
