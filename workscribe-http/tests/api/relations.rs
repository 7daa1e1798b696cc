//! Relations between tasks over HTTP.

use crate::support::*;
use crate::workshop::{NOTHING, WEB, Workshop, id, path_of, text};

on_every_storage! {
    async fn a_relation_is_made_seen_from_both_sides_and_removed(on: On) {
        let shop = Workshop::new(on).await;
        let (weave, spin) = (shop.task(json!({"title": "Weave"})).await, shop.task(json!({"title": "Spin"})).await);
        let (path, other_path) = (format!("{}/relations", path_of(&weave)), format!("{}/relations", path_of(&spin)));
        let body = json!({"type": "blocks", "task_id": spin["id"]});
        let made = shop.send(&shop.grace, Method::POST, &path, body.clone()).await.expect(StatusCode::CREATED);
        assert_eq!(made.header("location"), Some(format!("/api/v1{path}/{}", id(&made.json)).as_str()));
        let seen = |direction: &str, task: &Value| json!({"relations": [{
            "id": made.json["id"], "type": "blocks", "direction": direction, "created_at": made.json["created_at"],
            "task": {
                "id": task["id"], "project_id": task["project_id"], "task_id": task["task_id"], "title": task["title"],
                "status_id": task["status_id"], "status_name": task["status"]["name"],
                "status_category": task["status"]["category"],
            },
        }]});
        assert_eq!(shop.read(&shop.ada, &path).await, seen("outward", &spin));
        assert_eq!(shop.read(&shop.ada, &other_path).await, seen("inward", &weave));
        assert_eq!(made.json, seen("outward", &spin)["relations"][0]);
        shop.send(&shop.ada, Method::POST, &path, body).await.refused(409, "RELATION_EXISTS");
        let back = json!({"type": "blocks", "task_id": weave["id"]});
        shop.send(&shop.ada, Method::POST, &other_path, back).await.refused(409, "RELATION_CYCLE");
        shop.remove(&shop.ada, &format!("{other_path}/{}", id(&made.json))).await.expect(StatusCode::NO_CONTENT);
        shop.remove(&shop.ada, &format!("{path}/{}", id(&made.json))).await.refused(404, "RELATION_NOT_FOUND");
        assert_eq!(shop.read(&shop.ada, &path).await, json!({"relations": []}));
        let history = shop.read(&shop.ada, &format!("{}/activity", path_of(&spin))).await;
        let mut entries = texts(history["activity"].as_array().unwrap(), "action");
        entries.sort();
        assert_eq!(entries, ["relation.created", "relation.deleted", "task.created"]);
        let text = format!("is blocked by {}", text(&weave["task_id"]));
        assert!(history["activity"].as_array().unwrap().iter().any(|entry| entry["new_value"] == text));
    }

    async fn every_fault_of_a_new_relation_is_named(on: On) {
        let shop = Workshop::new(on).await;
        let task = shop.task(json!({"title": "Weave"})).await;
        let path = format!("{}/relations", path_of(&task));
        for (body, faults) in [
            (json!({}), &["/type REQUIRED", "/task_id REQUIRED"][..]),
            (json!({"type": "likes", "task_id": "x"}), &["/type WRONG_TYPE", "/task_id WRONG_TYPE"]),
            (json!({"type": "blocks", "task_id": task["id"]}), &["/task_id SAME_TASK"]),
            (json!({"type": "blocks", "task_id": NOTHING}), &["/task_id NOT_FOUND"]),
        ] {
            let answer = shop.send(&shop.ada, Method::POST, &path, body.clone()).await;
            assert_eq!(answer.faults(), faults, "{body}");
        }
    }

    async fn a_task_of_an_archived_project_gets_and_loses_no_relation(on: On) {
        let shop = Workshop::new(on).await;
        let (weave, spin) = (shop.task(json!({"title": "Weave"})).await, shop.task(json!({"title": "Spin"})).await);
        let path = format!("{}/relations", path_of(&weave));
        let made = shop.make(&shop.ada, &path, json!({"type": "relates_to", "task_id": spin["id"]})).await;
        shop.change(&shop.ada, WEB, json!({"is_archived": true})).await;
        let body = json!({"type": "blocks", "task_id": spin["id"]});
        shop.send(&shop.ada, Method::POST, &path, body).await.refused(409, "PROJECT_ARCHIVED");
        shop.remove(&shop.ada, &format!("{path}/{}", id(&made))).await.refused(409, "PROJECT_ARCHIVED");
    }
}
