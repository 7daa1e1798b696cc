//! Statuses: the columns of a board.

use crate::support::*;
use crate::workshop::{NOTHING, WEB, Workshop, id, path_of};

on_every_storage! {
    async fn a_project_begins_with_four_statuses_in_a_bare_array(on: On) {
        let shop = Workshop::new(on).await;
        let statuses = shop.read(&shop.grace, &format!("{WEB}/statuses")).await;
        let line = |status: &Value| {
            (status["name"].clone(), status["category"].clone(), status["position"].clone(), status["color"].clone())
        };
        let lines: Vec<_> = statuses.as_array().unwrap().iter().map(line).collect();
        let expected = |name: &str, category: &str, position: i64| {
            (json!(name), json!(category), json!(position), Value::Null)
        };
        assert_eq!(lines, [
            expected("To Do", "todo", 0),
            expected("In Progress", "in_progress", 1),
            expected("In Review", "in_progress", 2),
            expected("Done", "done", 3),
        ]);
    }

    async fn statuses_are_put_in_any_place_and_moved(on: On) {
        let shop = Workshop::new(on).await;
        let path = format!("{WEB}/statuses");
        let names = async || texts(shop.read(&shop.ada, &path).await.as_array().unwrap(), "name");
        let body = json!({"name": "Blocked", "category": "in_progress", "position": 1, "color": "#FF0000"});
        let made = shop.send(&shop.ada, Method::POST, &path, body).await.expect(StatusCode::CREATED);
        let own = format!("{path}/{}", id(&made.json));
        assert_eq!(made.header("location"), Some(
            format!("/api/v1/organizations/engines/projects/{}/statuses/{}",
                id(&shop.read(&shop.ada, WEB).await), id(&made.json)).as_str()));
        assert_eq!((&made.json["position"], &made.json["color"]), (&json!(1), &json!("#ff0000")));
        assert_eq!(names().await, ["To Do", "Blocked", "In Progress", "In Review", "Done"]);
        let moved = shop.change(&shop.ada, &own, json!({"position": 99})).await;
        assert_eq!(moved["position"], 4);
        assert_eq!(names().await, ["To Do", "In Progress", "In Review", "Done", "Blocked"]);
        let changed = shop.change(&shop.ada, &own, json!({"color": null, "category": "done"})).await;
        assert_eq!((&changed["color"], &changed["category"]), (&Value::Null, &json!("done")));
        shop.patch(&shop.ada, &own, json!({"name": "to do"})).await.refused(409, "STATUS_NAME_TAKEN");
        for (body, fault) in [
            (json!({"name": " "}), "/name BLANK"),
            (json!({"name": null}), "/name NOT_NULLABLE"),
            (json!({"position": -1}), "/position OUT_OF_RANGE"),
            (json!({"color": "red"}), "/color INVALID_COLOR"),
            (json!({"category": "later"}), "/category WRONG_TYPE"),
        ] {
            assert_eq!(shop.patch(&shop.ada, &own, body).await.refused(422, "VALIDATION_FAILED").faults(), [fault]);
        }
        shop.patch(&shop.ada, &format!("{path}/{NOTHING}"), json!({})).await.refused(404, "STATUS_NOT_FOUND");
        shop.patch(&shop.ada, &format!("{path}/x"), json!({})).await.refused(404, "STATUS_NOT_FOUND");
        let stale = shop.app.patch(&own).bearer(&shop.ada).header("if-match", &made.etag());
        stale.json(&json!({"name": "No"})).send().await.refused(412, "STALE_VERSION");
    }

    async fn tasks_of_a_removed_status_go_to_the_one_that_is_named(on: On) {
        let shop = Workshop::new(on).await;
        let [todo, doing, review, done] = <[String; 4]>::try_from(shop.statuses().await).unwrap();
        let first = shop.task(json!({"title": "First"})).await;
        for (title, status) in [("Second", &todo), ("Third", &doing)] {
            shop.task(json!({"title": title, "status_id": status})).await;
        }
        let path = |status: &str, to: &str| format!("{WEB}/statuses/{status}{to}");
        shop.app.clock.advance(TimeDelta::seconds(1));
        shop.remove(&shop.ada, &path(&todo, "")).await.refused(409, "STATUS_IN_USE");
        for to in [todo.as_str(), NOTHING] {
            let refused = shop.remove(&shop.ada, &path(&todo, &format!("?move_to={to}"))).await;
            assert_eq!(refused.refused(422, "VALIDATION_FAILED").faults(), ["/query/move_to NOT_FOUND"]);
        }
        let refused = shop.remove(&shop.ada, &path(&todo, "?move_to=x")).await;
        assert_eq!(refused.refused(422, "VALIDATION_FAILED").faults(), ["/query/move_to NOT_AN_ID"]);
        shop.remove(&shop.ada, &path(&todo, &format!("?move_to={doing}"))).await.expect(StatusCode::NO_CONTENT);
        assert_eq!(shop.board().await, ["In Progress: Third", "In Progress: First", "In Progress: Second"]);
        let activity = shop.read(&shop.grace, &format!("{}/activity", path_of(&first))).await;
        let newest = &activity["activity"][0];
        assert_eq!(
            (&newest["field_name"], &newest["old_value"], &newest["new_value"]),
            (&json!("status_id"), &json!("To Do"), &json!("In Progress"))
        );
        shop.remove(&shop.ada, &path(&review, "")).await.expect(StatusCode::NO_CONTENT);
        shop.remove(&shop.ada, &path(&done, "")).await.expect(StatusCode::NO_CONTENT);
        shop.remove(&shop.ada, &path(&doing, "")).await.refused(409, "LAST_STATUS");
        shop.remove(&shop.grace, &path(&doing, "")).await.refused(403, "INSUFFICIENT_ROLE");
    }
}
