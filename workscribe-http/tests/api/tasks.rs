//! Tasks: creating, reading, changing and removing them.

use std::collections::BTreeSet;

use crate::support::*;
use crate::workshop::{NOTHING, WEB, Workshop, id, path_of, says};

fn nested(depth: usize) -> Value {
    (1..depth).fold(json!({}), |inner, _| json!({ "content": inner }))
}

on_every_storage! {
    async fn a_task_has_all_that_the_contract_names(on: On) {
        let shop = Workshop::new(on).await;
        let statuses = shop.statuses().await;
        let parent = shop.task(json!({"title": "Whole"})).await;
        let (late, early) = (shop.label("late").await, shop.label("Early").await);
        let body = json!({
            "title": "  Weave  ", "status_id": statuses[1], "description_json": says("Cloth"),
            "assignee_id": shop.grace.user_id, "priority": "urgent", "type": "subtask",
            "parent_task_id": parent["id"], "due_date": "2026-12-24", "label_ids": [late, early, late],
        });
        let made = shop.send(&shop.ada, Method::POST, &format!("{WEB}/tasks"), body).await;
        let made = made.expect(StatusCode::CREATED);
        let task = &made.json;
        let org = shop.read(&shop.ada, ORG).await;
        let project = shop.read(&shop.ada, WEB).await;
        let person = |id: &str, name: &str| json!({"id": id, "display_name": name, "avatar_url": null});
        let expected = json!({
            "id": task["id"], "org_id": org["id"], "project_id": project["id"], "number": 2, "task_id": "WEB-2",
            "title": "Weave", "description_json": says("Cloth"), "status_id": statuses[1],
            "status": {"id": statuses[1], "name": "In Progress", "category": "in_progress", "position": 1, "color": null},
            "assignee_id": shop.grace.user_id, "assignee": person(&shop.grace.user_id, "Grace Hopper"),
            "reporter_id": shop.ada.user_id, "reporter": person(&shop.ada.user_id, "Ada Lovelace"),
            "priority": "urgent", "type": "subtask", "parent_task_id": parent["id"],
            "labels": [
                {"id": early, "name": "Early", "color": "#aabbcc"}, {"id": late, "name": "late", "color": "#aabbcc"},
            ],
            "position": task["position"], "due_date": "2026-12-24", "subtask_count": 0, "comment_count": 0, "blocked_by_count": 0,
            "created_at": task["created_at"], "updated_at": task["created_at"],
        });
        assert_eq!(*task, expected);
        let path = path_of(task);
        assert_eq!(made.header("location"), Some(format!("/api/v1{path}").as_str()));
        for path in [&path, &format!("{ORG}/tasks/WEB-2"), &format!("{ORG}/tasks/web-2")] {
            let read = shop.app.get(path).bearer(&shop.grace).send().await.expect(StatusCode::OK);
            assert_eq!((&read.json, read.etag()), (&expected, made.etag()), "{path}");
        }
        assert_eq!(shop.read(&shop.ada, &path_of(&parent)).await["subtask_count"], 1);
        let listed = shop.read(&shop.ada, &format!("{WEB}/tasks?priority=urgent")).await;
        let mut summary = expected;
        summary.as_object_mut().unwrap().remove("description_json");
        assert_eq!(listed, json!({"tasks": [summary], "next_cursor": null}));
        for absent in ["WEB-3", "WEB-0", "NO-1", "WEB", "x", NOTHING] {
            let path = format!("{ORG}/tasks/{absent}");
            shop.app.get(&path).bearer(&shop.ada).send().await.refused(404, "TASK_NOT_FOUND");
        }
        for absent in [NOTHING, "x", "WEB-1"] {
            shop.app.get(&format!("/tasks/{absent}")).bearer(&shop.ada).send().await.refused(404, "TASK_NOT_FOUND");
        }
    }

    async fn a_task_needs_a_title_alone_and_null_is_no_value(on: On) {
        let shop = Workshop::new(on).await;
        let plain = shop.task(json!({"title": "Weave", "description_json": null, "assignee_id": null,
            "parent_task_id": null, "due_date": null})).await;
        assert_eq!(
            (&plain["status"]["name"], &plain["priority"], &plain["type"], &plain["labels"]),
            (&json!("To Do"), &json!("none"), &json!("task"), &json!([]))
        );
        let make = async |body: Value| shop.send(&shop.grace, Method::POST, &format!("{WEB}/tasks"), body).await;
        for (body, fault) in [
            (json!({}), "/title REQUIRED"),
            (json!({"title": " \u{2003} "}), "/title BLANK"),
            (json!({"title": "a\nb"}), "/title CONTROL_CHARACTER"),
            (json!({"title": "x".repeat(501)}), "/title TOO_LONG"),
            (json!({"title": "x", "priority": "now"}), "/priority WRONG_TYPE"),
            (json!({"title": "x", "priority": null}), "/priority NOT_NULLABLE"),
            (json!({"title": "x", "type": "epic"}), "/type WRONG_TYPE"),
            (json!({"title": "x", "due_date": "2026-02-30"}), "/due_date WRONG_TYPE"),
            (json!({"title": "x", "due_date": "24.12.2026"}), "/due_date WRONG_TYPE"),
            (json!({"title": "x", "status_id": "x"}), "/status_id WRONG_TYPE"),
            (json!({"title": "x", "label_ids": ["x"]}), "/label_ids/0 WRONG_TYPE"),
            (
                json!({"status_id": null, "assignee_id": 5, "type": "epic"}),
                "/title REQUIRED, /status_id NOT_NULLABLE, /assignee_id WRONG_TYPE, /type WRONG_TYPE",
            ),
            (json!({"title": "x", "description_json": []}), "/description_json NOT_AN_OBJECT"),
            (json!({"title": "x", "description_json": "text"}), "/description_json NOT_AN_OBJECT"),
        ] {
            assert_eq!(make(body.clone()).await.refused(422, "VALIDATION_FAILED").faults().join(", "), fault, "{body}");
        }
        make(json!({"title": "ä".repeat(500)})).await.expect(StatusCode::CREATED);
    }

    async fn unknown_ids_are_faults_of_their_fields(on: On) {
        let shop = Workshop::new(on).await;
        shop.make(&shop.ada, &format!("{ORG}/projects"), json!({"name": "Looms", "key": "LM"})).await;
        let other = format!("{ORG}/projects/LM");
        let elsewhere = shop.make(&shop.ada, &format!("{other}/tasks"), json!({"title": "Elsewhere"})).await;
        let label = shop.make(&shop.ada, &format!("{other}/labels"), json!({"name": "x", "color": "#000000"})).await;
        let outsider = shop.app.register("mary@example.com").await;
        let task = shop.task(json!({"title": "Weave"})).await;
        for (status, assignee, parent, label) in [
            (json!(NOTHING), json!(NOTHING), json!(NOTHING), json!(NOTHING)),
            (elsewhere["status_id"].clone(), json!(outsider.user_id), elsewhere["id"].clone(), label["id"].clone()),
        ] {
            let body = json!({
                "title": "x", "status_id": status, "assignee_id": assignee, "parent_task_id": parent,
                "label_ids": [label],
            });
            let expected = [
                "/assignee_id NOT_FOUND", "/label_ids/0 NOT_FOUND", "/parent_task_id NOT_FOUND",
                "/status_id NOT_FOUND",
            ];
            let made = shop.send(&shop.ada, Method::POST, &format!("{WEB}/tasks"), body.clone()).await;
            for refused in [made, shop.patch(&shop.ada, &path_of(&task), body).await] {
                let mut faults = refused.refused(422, "VALIDATION_FAILED").faults();
                faults.sort();
                assert_eq!(faults, expected);
            }
        }
    }

    async fn documents_have_a_size_and_a_depth(on: On) {
        let shop = Workshop::new(on).await;
        let make = async |text: Value| {
            let body = json!({"title": "x", "description_json": text});
            shop.send(&shop.ada, Method::POST, &format!("{WEB}/tasks"), body).await
        };
        make(nested(64)).await.expect(StatusCode::CREATED);
        let refused = make(nested(65)).await.refused(422, "VALIDATION_FAILED");
        assert_eq!(refused.faults(), ["/description_json TOO_DEEP"]);
        make(json!({"t": "x".repeat(256 * 1024 - 8)})).await.expect(StatusCode::CREATED);
        let refused = make(json!({"t": "x".repeat(256 * 1024 - 7)})).await.refused(422, "VALIDATION_FAILED");
        assert_eq!(refused.faults(), ["/description_json TOO_LARGE"]);
        make(json!({"t": "x".repeat(1024 * 1024)})).await.refused(413, "BODY_TOO_LARGE");
        let strange = json!({"type": 7, "content": "no list", "attrs": {"\u{1F511}": "\u{0}\u{2028}"}, "n": 1.5});
        let made = make(strange.clone()).await.expect(StatusCode::CREATED).json;
        assert_eq!(shop.read(&shop.grace, &path_of(&made)).await["description_json"], strange, "kept as it came");
    }

    async fn a_change_merges_and_null_clears(on: On) {
        let shop = Workshop::new(on).await;
        let label = shop.label("late").await;
        let task = shop.task(json!({
            "title": "Weave", "description_json": says("Cloth"), "assignee_id": shop.grace.user_id,
            "due_date": "2026-12-24", "label_ids": [label], "priority": "low",
        })).await;
        let path = path_of(&task);
        let first = shop.app.get(&path).bearer(&shop.ada).send().await.etag();
        shop.app.clock.advance(TimeDelta::seconds(1));
        let renamed = shop.patch(&shop.grace, &path, json!({"title": "Spin"})).await.expect(StatusCode::OK);
        let mut expected = task.clone();
        expected["title"] = json!("Spin");
        expected["updated_at"] = renamed.json["updated_at"].clone();
        assert_eq!(renamed.json, expected);
        assert_ne!(renamed.json["updated_at"], task["updated_at"]);
        let same = shop.patch(&shop.grace, &path, json!({"title": "Spin", "priority": "low"})).await;
        assert_eq!((same.etag(), &same.json), (renamed.etag(), &expected), "to say the same again changes nothing");
        for body in [json!({"title": "No"}), json!({}), json!({"title": "Spin"})] {
            let stale = shop.app.patch(&path).bearer(&shop.ada).header("if-match", &first);
            stale.json(&body).send().await.refused(412, "STALE_VERSION");
        }
        let stale = shop.app.delete(&path).bearer(&shop.ada).header("if-match", &first).send().await;
        stale.refused(412, "STALE_VERSION");
        let cleared = shop.change(&shop.grace, &path, json!({
            "description_json": null, "assignee_id": null, "due_date": null, "label_ids": [], "priority": "none",
        })).await;
        for field in ["description_json", "assignee_id", "assignee", "due_date", "parent_task_id"] {
            assert_eq!(cleared[field], Value::Null, "{field}");
        }
        assert_eq!((&cleared["labels"], &cleared["title"]), (&json!([]), &json!("Spin")));
        assert_eq!(shop.read(&shop.ada, &path).await, cleared);
        for field in ["title", "status_id", "priority", "type", "label_ids"] {
            let refused = shop.patch(&shop.ada, &path, json!({field: null})).await;
            assert_eq!(refused.refused(422, "VALIDATION_FAILED").faults(), [format!("/{field} NOT_NULLABLE")]);
        }
    }

    async fn a_parent_is_never_below_its_own_part(on: On) {
        let shop = Workshop::new(on).await;
        let a = shop.task(json!({"title": "A"})).await;
        let b = shop.task(json!({"title": "B", "parent_task_id": a["id"]})).await;
        let c = shop.task(json!({"title": "C", "parent_task_id": b["id"]})).await;
        for below in [&a, &b, &c] {
            let body = json!({"parent_task_id": below["id"]});
            shop.patch(&shop.ada, &path_of(&a), body).await.refused(409, "PARENT_CYCLE");
        }
        shop.change(&shop.ada, &path_of(&c), json!({"parent_task_id": a["id"]})).await;
        shop.change(&shop.ada, &path_of(&b), json!({"parent_task_id": c["id"]})).await;
        assert_eq!(shop.read(&shop.ada, &path_of(&a)).await["subtask_count"], 1);
        shop.remove(&shop.ada, &path_of(&a)).await.expect(StatusCode::NO_CONTENT);
        assert_eq!(shop.read(&shop.ada, &path_of(&c)).await["parent_task_id"], Value::Null);
        assert_eq!(shop.read(&shop.ada, &path_of(&b)).await["parent_task_id"], c["id"]);
    }

    async fn of_two_that_become_each_others_parent_at_once_one_does(on: On) {
        let shop = Arc::new(Workshop::new(on).await);
        for round in 0..10 {
            let a = shop.task(json!({"title": "A"})).await;
            let b = shop.task(json!({"title": "B"})).await;
            let answers = at_once([(a.clone(), b.clone()), (b, a)].map(|(one, other)| {
                let shop = shop.clone();
                async move { shop.patch(&shop.ada, &path_of(&one), json!({"parent_task_id": other["id"]})).await }
            })).await;
            let mut statuses: Vec<_> = answers.iter().map(|answer| answer.status.as_u16()).collect();
            statuses.sort_unstable();
            assert_eq!(statuses, [200, 409], "round {round}");
        }
    }

    async fn a_task_is_removed_by_its_reporter_or_an_admin(on: On) {
        let shop = Workshop::new(on).await;
        let of_ada = shop.task(json!({"title": "Ada's"})).await;
        let of_grace = shop.make(&shop.grace, &format!("{WEB}/tasks"), json!({"title": "Grace's"})).await;
        let by_ada = shop.make(&shop.grace, &format!("{WEB}/tasks"), json!({"title": "Grace's too"})).await;
        shop.remove(&shop.grace, &path_of(&of_ada)).await.refused(403, "INSUFFICIENT_ROLE");
        shop.remove(&shop.grace, &path_of(&of_grace)).await.expect(StatusCode::NO_CONTENT);
        shop.remove(&shop.ada, &path_of(&by_ada)).await.expect(StatusCode::NO_CONTENT);
        shop.remove(&shop.ada, &path_of(&by_ada)).await.refused(404, "TASK_NOT_FOUND");
        assert_eq!(shop.board().await, ["To Do: Ada's"]);
        let next = shop.task(json!({"title": "Next"})).await;
        assert_eq!(next["task_id"], "WEB-4", "numbers are not used again");
    }

    async fn labels_are_put_on_and_taken_off(on: On) {
        let shop = Workshop::new(on).await;
        let label = shop.label("late").await;
        let task = shop.task(json!({"title": "Weave"})).await;
        let path = format!("{}/labels/{label}", path_of(&task));
        for _ in 0..2 {
            let put = shop.send(&shop.grace, Method::POST, &path, Value::Null).await.expect(StatusCode::OK);
            assert_eq!(put.json["labels"], json!([{"id": label, "name": "late", "color": "#aabbcc"}]));
            assert_eq!(put.etag(), shop.app.get(&path_of(&task)).bearer(&shop.ada).send().await.etag());
        }
        for _ in 0..2 {
            shop.remove(&shop.grace, &path).await.expect(StatusCode::NO_CONTENT);
        }
        assert_eq!(shop.read(&shop.ada, &path_of(&task)).await["labels"], json!([]));
        for absent in [NOTHING, "x"] {
            let path = format!("{}/labels/{absent}", path_of(&task));
            shop.send(&shop.ada, Method::POST, &path, Value::Null).await.refused(404, "LABEL_NOT_FOUND");
            shop.remove(&shop.ada, &path).await.refused(404, "LABEL_NOT_FOUND");
        }
    }

    async fn a_hundred_first_tasks_at_once_have_the_numbers_1_to_100(on: On) {
        let shop = Arc::new(Workshop::new(on).await);
        let answers = at_once((0..100).map(|round| {
            let shop = shop.clone();
            let who = if round % 2 == 0 { shop.ada.clone() } else { shop.grace.clone() };
            let body = json!({"title": format!("Task {round}"), "assignee_id": shop.grace.user_id});
            async move { shop.send(&who, Method::POST, &format!("{WEB}/tasks"), body).await }
        })).await;
        let numbers: BTreeSet<i64> = answers
            .into_iter()
            .map(|answer| answer.expect(StatusCode::CREATED).json["number"].as_i64().unwrap())
            .collect();
        assert_eq!(numbers, (1..=100).collect());
    }

    async fn who_leaves_keeps_what_they_finished_and_nothing_open(on: On) {
        let shop = Workshop::new(on).await;
        let done = shop.statuses().await.remove(3);
        let assignee = &shop.grace.user_id;
        let open = shop.task(json!({"title": "Open", "assignee_id": assignee})).await;
        let finished = shop.task(json!({"title": "Done", "assignee_id": assignee, "status_id": done})).await;
        let of_grace = shop.make(&shop.grace, &format!("{WEB}/tasks"), json!({"title": "Hers"})).await;
        shop.app.clock.advance(TimeDelta::seconds(1));
        shop.remove(&shop.ada, &format!("{ORG}/members/{assignee}")).await.expect(StatusCode::NO_CONTENT);
        assert_eq!(shop.read(&shop.ada, &path_of(&open)).await["assignee_id"], Value::Null);
        assert_eq!(shop.read(&shop.ada, &path_of(&finished)).await["assignee_id"], json!(assignee));
        let hers = shop.read(&shop.ada, &path_of(&of_grace)).await;
        assert_eq!(hers["reporter"]["display_name"], "Grace Hopper");
        let activity = shop.read(&shop.ada, &format!("{}/activity", path_of(&open))).await;
        let newest = &activity["activity"][0];
        assert_eq!(
            (&newest["field_name"], &newest["old_value"], &newest["new_value"], &newest["actor_id"]),
            (&json!("assignee_id"), &json!("Grace Hopper"), &Value::Null, &json!(shop.ada.user_id))
        );
        shop.app.get(&path_of(&open)).bearer(&shop.grace).send().await.refused(404, "TASK_NOT_FOUND");
        let body = json!({"assignee_id": assignee});
        let refused = shop.patch(&shop.ada, &path_of(&open), body).await.refused(422, "VALIDATION_FAILED");
        assert_eq!(refused.faults(), ["/assignee_id NOT_FOUND"]);
        assert_eq!(shop.read(&shop.ada, &format!("{WEB}/tasks?assignee_id=none")).await["tasks"]
            .as_array().unwrap().len(), 2);
        assert_eq!(id(&open), id(&shop.read(&shop.ada, &format!("{ORG}/tasks/WEB-1")).await));
    }
}
