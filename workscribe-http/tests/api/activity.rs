//! The history: an entry for every change of a field.

use crate::support::*;
use crate::workshop::{WEB, Workshop, id, path_of, says};

/// An entry as `action field: old > new`.
fn line(line: &Value) -> String {
    let text = |name: &str| line[name].as_str().unwrap_or("-").to_owned();
    format!("{} {}: {} > {}", text("action"), text("field_name"), text("old_value"), text("new_value"))
}

fn lines(page: &Value) -> Vec<String> {
    page["activity"].as_array().unwrap().iter().map(line).collect()
}

on_every_storage! {
    async fn every_change_of_a_field_leaves_its_old_and_new_value(on: On) {
        let shop = Workshop::new(on).await;
        let statuses = shop.statuses().await;
        let label = shop.label("late").await;
        let parent = shop.task(json!({"title": "Whole"})).await;
        let task = shop.task(json!({"title": "Weave"})).await;
        let path = path_of(&task);
        let told = format!("{path}/activity");
        assert_eq!(lines(&shop.read(&shop.grace, &told).await), ["task.created -: - > Weave"]);
        shop.app.clock.advance(chrono::TimeDelta::seconds(1));
        shop.change(&shop.grace, &path, json!({
            "title": "Spin", "description_json": says("Cloth"), "status_id": statuses[1],
            "assignee_id": shop.ada.user_id, "priority": "high", "type": "bug", "due_date": "2026-12-24",
            "parent_task_id": parent["id"], "label_ids": [label],
        })).await;
        let mut changed = lines(&shop.read(&shop.grace, &told).await);
        changed.sort();
        assert_eq!(changed, [
            "task.created -: - > Weave",
            "task.updated assignee_id: - > Ada Lovelace",
            "task.updated description_json: - > Cloth",
            "task.updated due_date: - > 2026-12-24",
            "task.updated labels: - > late",
            "task.updated parent_task_id: - > WEB-1",
            "task.updated priority: none > high",
            "task.updated status_id: To Do > In Progress",
            "task.updated title: Weave > Spin",
            "task.updated type: task > bug",
        ]);
        let page = shop.read(&shop.ada, &format!("{told}?count=true&limit=1")).await;
        assert_eq!(page["total"], 10);
        let newest = &page["activity"][0];
        assert_eq!(
            (&newest["task_id"], &newest["actor_id"], &newest["actor"]["display_name"]),
            (&task["id"], &json!(shop.grace.user_id), &json!("Grace Hopper"))
        );
        shop.change(&shop.grace, &path, json!({"title": "Spin"})).await;
        assert_eq!(shop.read(&shop.ada, &format!("{told}?count=true")).await["total"], 10, "nothing changed");
        for limit in [1, 3, 100] {
            let mut ids = texts(&walk(&shop.app, &shop.ada, &told, limit).await, "id");
            ids.sort();
            ids.dedup();
            assert_eq!(ids.len(), 10, "{limit} on a page");
        }
    }

    async fn the_organizations_history_outlives_its_tasks(on: On) {
        let shop = Workshop::new(on).await;
        let task = shop.task(json!({"title": "Weave"})).await;
        let comments = format!("{}/comments", path_of(&task));
        let comment = shop.make(&shop.grace, &comments, json!({"body_json": says("Yes")})).await;
        let own = format!("{comments}/{}", id(&comment));
        shop.change(&shop.grace, &own, json!({"body_json": says("No")})).await;
        shop.remove(&shop.grace, &own).await.expect(StatusCode::NO_CONTENT);
        shop.remove(&shop.ada, &path_of(&task)).await.expect(StatusCode::NO_CONTENT);
        let label = shop.label("late").await;
        shop.change(&shop.ada, &format!("{WEB}/labels/{label}"), json!({"color": "#000000"})).await;
        shop.remove(&shop.ada, &format!("{WEB}/labels/{label}")).await.expect(StatusCode::NO_CONTENT);
        let body = json!({"name": "Blocked", "category": "todo"});
        let status = shop.send(&shop.ada, Method::POST, &format!("{WEB}/statuses"), body).await.json;
        shop.remove(&shop.ada, &format!("{WEB}/statuses/{}", id(&status))).await.expect(StatusCode::NO_CONTENT);
        shop.remove(&shop.ada, WEB).await.expect(StatusCode::NO_CONTENT);
        let page = shop.read(&shop.grace, &format!("{ORG}/activity?limit=100")).await;
        let mut told = lines(&page);
        told.sort();
        assert_eq!(told, [
            "comment.created -: - > Yes",
            "comment.deleted -: No > -",
            "comment.updated body_json: Yes > No",
            "label.created -: - > late",
            "label.deleted -: late > -",
            "label.updated color: #aabbcc > #000000",
            "project.created -: - > The Web",
            "project.updated is_archived: false > true",
            "status.created -: - > Blocked",
            "status.deleted -: Blocked > -",
            "task.created -: - > Weave",
            "task.deleted -: WEB-1 Weave > -",
        ]);
    }
}
