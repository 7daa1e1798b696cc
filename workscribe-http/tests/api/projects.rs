//! Projects and their labels: creating, listing, changing and archiving them.

use crate::support::*;
use crate::workshop::{WEB, Workshop, id, path_of, says};

on_every_storage! {
    async fn a_project_is_made_by_an_admin_and_read_by_its_id_or_key(on: On) {
        let shop = Workshop::new(on).await;
        let body = json!({"name": " Looms ", "key": "lm2", "description": "They\nweave.", "type": "scrum"});
        let made = shop.send(&shop.ada, Method::POST, &format!("{ORG}/projects"), body).await;
        let made = made.expect(StatusCode::CREATED);
        let path = format!("{ORG}/projects/{}", id(&made.json));
        assert_eq!(made.header("location"), Some(format!("/api/v1{path}").as_str()));
        let expected = json!({
            "id": made.json["id"], "org_id": made.json["org_id"], "name": "Looms", "key": "LM2",
            "description": "They\nweave.", "type": "scrum", "is_archived": false, "created_by": shop.ada.user_id,
            "created_at": made.json["created_at"], "updated_at": made.json["created_at"],
        });
        assert_eq!(made.json, expected);
        for name in [id(&made.json), "LM2".to_owned(), "lm2".to_owned()] {
            let read = shop.app.get(&format!("{ORG}/projects/{name}")).bearer(&shop.grace).send().await;
            let read = read.expect(StatusCode::OK);
            assert_eq!((&read.json, read.etag()), (&expected, made.etag()), "{name}");
        }
        let plain = shop.make(&shop.ada, &format!("{ORG}/projects"), json!({"name": "Mills", "key": "ML"})).await;
        assert_eq!((&plain["description"], &plain["type"]), (&Value::Null, &json!("kanban")));
        for absent in ["NO", "no such thing", "x", crate::workshop::NOTHING] {
            let path = format!("{ORG}/projects/{}", absent.replace(' ', "%20"));
            shop.app.get(&path).bearer(&shop.grace).send().await.refused(404, "PROJECT_NOT_FOUND");
        }
    }

    async fn a_key_is_taken_once_and_every_fault_has_its_pointer(on: On) {
        let shop = Workshop::new(on).await;
        let path = format!("{ORG}/projects");
        let make = async |body: Value| shop.send(&shop.ada, Method::POST, &path, body).await;
        make(json!({"name": "Other", "key": "web"})).await.refused(409, "KEY_TAKEN");
        let cases = [
            (json!({"name": "Looms"}), "/key REQUIRED"),
            (json!({"name": "L", "key": "1"}), "/name TOO_SHORT, /key INVALID_KEY"),
            (json!({"name": "Looms", "key": "A-B"}), "/key INVALID_KEY"),
            (json!({"name": "Looms", "key": "ABCDEFGHIJK"}), "/key INVALID_KEY"),
            (json!({"name": "Looms", "key": "LO", "type": "lean"}), "/type WRONG_TYPE"),
            (json!({"name": "Looms", "key": "LO", "type": null}), "/type NOT_NULLABLE"),
            (json!({"name": "Looms", "key": "LO", "description": "a\u{0}"}), "/description CONTROL_CHARACTER"),
            (json!({"name": "Looms", "key": "LO", "description": "x".repeat(10_001)}), "/description TOO_LONG"),
        ];
        for (body, faults) in cases {
            assert_eq!(make(body).await.refused(422, "VALIDATION_FAILED").faults().join(", "), faults);
        }
        shop.send(&shop.grace, Method::POST, &path, json!({"name": "Looms", "key": "LO"})).await
            .refused(403, "INSUFFICIENT_ROLE");
    }

    async fn an_archived_project_is_read_only_until_it_is_restored(on: On) {
        let shop = Workshop::new(on).await;
        let label = shop.label("late").await;
        let status = shop.statuses().await.remove(0);
        let task = shop.task(json!({"title": "Weave", "label_ids": [label]})).await;
        let comments = format!("{}/comments", path_of(&task));
        let comment = shop.make(&shop.ada, &comments, json!({"body_json": says("Yes")})).await;
        shop.remove(&shop.grace, WEB).await.refused(403, "INSUFFICIENT_ROLE");
        shop.remove(&shop.ada, WEB).await.expect(StatusCode::NO_CONTENT);
        shop.remove(&shop.ada, WEB).await.expect(StatusCode::NO_CONTENT);
        let (post, patch, delete) = (Method::POST, Method::PATCH, Method::DELETE);
        let writes = [
            (patch.clone(), WEB.to_owned(), json!({"name": "Renamed"})),
            (post.clone(), format!("{WEB}/statuses"), json!({"name": "Blocked", "category": "todo"})),
            (patch.clone(), format!("{WEB}/statuses/{status}"), json!({"name": "Blocked"})),
            (delete.clone(), format!("{WEB}/statuses/{status}"), Value::Null),
            (post.clone(), format!("{WEB}/labels"), json!({"name": "new", "color": "#aabbcc"})),
            (patch.clone(), format!("{WEB}/labels/{label}"), json!({"name": "new"})),
            (delete.clone(), format!("{WEB}/labels/{label}"), Value::Null),
            (post.clone(), format!("{WEB}/tasks"), json!({"title": "New"})),
            (patch.clone(), path_of(&task), json!({"title": "New"})),
            (patch.clone(), format!("{}/move", path_of(&task)), json!({"position": 0})),
            (patch.clone(), "/tasks/bulk-positions".to_owned(),
                json!({"updates": [{"task_id": task["id"], "position": 0}]})),
            (patch.clone(), format!("{ORG}/tasks/bulk"), json!({"task_ids": [task["id"]], "priority": "low"})),
            (post.clone(), format!("{}/labels/{label}", path_of(&task)), Value::Null),
            (delete.clone(), format!("{}/labels/{label}", path_of(&task)), Value::Null),
            (delete.clone(), path_of(&task), Value::Null),
            (post, comments.clone(), json!({"body_json": says("No")})),
            (patch, format!("{comments}/{}", id(&comment)), json!({"body_json": says("No")})),
            (delete, format!("{comments}/{}", id(&comment)), Value::Null),
        ];
        for (method, path, body) in writes {
            shop.send(&shop.ada, method, &path, body).await.refused(409, "PROJECT_ARCHIVED");
        }
        assert_eq!(shop.read(&shop.grace, &path_of(&task)).await["title"], "Weave");
        assert_eq!(shop.read(&shop.grace, WEB).await["is_archived"], true);
        let listed = async |archived: &str| {
            let list = shop.read(&shop.ada, &format!("{ORG}/projects{archived}")).await;
            texts(list["projects"].as_array().unwrap(), "key")
        };
        shop.make(&shop.ada, &format!("{ORG}/projects"), json!({"name": "Looms", "key": "LM"})).await;
        assert_eq!(listed("").await, ["LM"]);
        assert_eq!(listed("?archived=false").await, ["LM"]);
        assert_eq!(listed("?archived=true").await, ["WEB"]);
        assert_eq!(listed("?archived=all").await.len(), 2);
        let odd = shop.app.get(&format!("{ORG}/projects?archived=yes")).bearer(&shop.ada).send().await;
        assert_eq!(odd.refused(422, "VALIDATION_FAILED").faults(), ["/query/archived NOT_ONE_OF"]);
        let restored = shop.change(&shop.ada, WEB, json!({"is_archived": false, "name": "Again"})).await;
        assert_eq!((&restored["is_archived"], &restored["name"]), (&json!(false), &json!("Again")));
        shop.change(&shop.grace, &path_of(&task), json!({"title": "New"})).await;
    }

    async fn a_change_merges_in_the_version_that_was_read(on: On) {
        let shop = Workshop::new(on).await;
        let first = shop.app.get(WEB).bearer(&shop.ada).send().await.etag();
        shop.app.clock.advance(TimeDelta::seconds(1));
        let described = shop.patch(&shop.ada, WEB, json!({"description": "Cloth."})).await.expect(StatusCode::OK);
        assert_eq!((&described.json["name"], &described.json["description"]), (&json!("The Web"), &json!("Cloth.")));
        let stale = async |method: Method, body: Value| {
            let call = shop.app.request(method, &format!("/api/v1{WEB}")).bearer(&shop.ada);
            let call = call.header("if-match", &first);
            if body.is_null() { call.send().await } else { call.json(&body).send().await }
        };
        stale(Method::PATCH, json!({"name": "No"})).await.refused(412, "STALE_VERSION");
        stale(Method::PATCH, json!({})).await.refused(412, "STALE_VERSION");
        stale(Method::DELETE, Value::Null).await.refused(412, "STALE_VERSION");
        let same = shop.patch(&shop.ada, WEB, json!({"description": "Cloth."})).await;
        assert_eq!(same.etag(), described.etag(), "to say the same again changes nothing");
        assert_eq!(shop.change(&shop.ada, WEB, json!({"description": null})).await["description"], Value::Null);
        let nulls = shop.patch(&shop.ada, WEB, json!({"name": null})).await;
        assert_eq!(nulls.refused(422, "VALIDATION_FAILED").faults(), ["/name NOT_NULLABLE"]);
    }

    async fn a_list_of_projects_neither_skips_nor_repeats(on: On) {
        let shop = Workshop::new(on).await;
        for number in 0..11 {
            let body = json!({"name": "Looms", "key": format!("K{number:02}")});
            shop.make(&shop.ada, &format!("{ORG}/projects"), body).await;
        }
        for limit in [1, 5, 12, 100] {
            let mut keys = texts(&walk(&shop.app, &shop.grace, &format!("{ORG}/projects"), limit).await, "key");
            keys.sort();
            keys.dedup();
            assert_eq!(keys.len(), 12, "{limit} on a page");
        }
        assert_eq!(shop.read(&shop.grace, &format!("{ORG}/projects?count=true&limit=1")).await["total"], 12);
    }

    async fn a_project_made_under_a_key_is_made_once(on: On) {
        let shop = Workshop::new(on).await;
        let make = async |path: &str, body: Value| {
            let call = shop.app.post(path).bearer(&shop.ada).header("idempotency-key", "one");
            call.json(&body).send().await
        };
        let body = json!({"title": "Once", "description_json": says("Only"), "due_date": "2026-12-24"});
        let path = format!("{WEB}/tasks");
        let first = make(&path, body.clone()).await.expect(StatusCode::CREATED);
        let again = make(&path, body.clone()).await.expect(StatusCode::CREATED);
        assert_eq!((&first.json, first.header("location"), first.etag()),
            (&again.json, again.header("location"), again.etag()));
        make(&path, json!({"title": "Twice"})).await.refused(422, "IDEMPOTENCY_KEY_REUSED");
        shop.make(&shop.ada, &format!("{ORG}/projects"), json!({"name": "Looms", "key": "LM"})).await;
        make(&format!("{ORG}/projects/LM/tasks"), body).await.refused(422, "IDEMPOTENCY_KEY_REUSED");
        assert_eq!(shop.board().await, ["To Do: Once"]);
    }

    async fn what_a_database_cannot_hold_as_json_is_made_told_and_answered_again(on: On) {
        let shop = Workshop::new(on).await;
        let hook = json!({"url": "https://example.com/", "events": ["*"]});
        let hook = id(&shop.make(&shop.ada, &format!("{ORG}/webhooks"), hook).await);
        let document = json!({
            "type": "doc", "nul\0": ["\0", {"": "a\0b"}], "numbers": [f64::MAX, f64::MIN_POSITIVE, 5e-324, u64::MAX, i64::MIN],
            "content": [{"type": "text", "text": "Warp\0and weft"}],
        });
        let make = async |path: &str, key: &str, body: &Value| {
            let call = shop.app.post(path).bearer(&shop.ada).header("idempotency-key", key);
            call.json(body).send().await.expect(StatusCode::CREATED)
        };
        let body = json!({"title": "Weave", "description_json": document});
        let task = make(&format!("{WEB}/tasks"), "task", &body).await;
        assert_eq!(task.json["description_json"], document);
        assert_eq!(make(&format!("{WEB}/tasks"), "task", &body).await.json, task.json);
        let comments = format!("{}/comments", path_of(&task.json));
        let body = json!({"body_json": document});
        let comment = make(&comments, "comment", &body).await;
        assert_eq!(make(&comments, "comment", &body).await.json, comment.json);
        assert_eq!(shop.read(&shop.grace, &comments).await["comments"], json!([comment.json]));
        let log = format!("{ORG}/webhooks/{hook}/deliveries");
        let told = shop.read(&shop.ada, &log).await["deliveries"].clone();
        let told = told.as_array().unwrap().iter().find(|delivery| delivery["event"] == "comment.created").unwrap();
        let told = shop.read(&shop.ada, &format!("{log}/{}", id(told))).await;
        assert_eq!(told["payload"]["data"]["comment"], comment.json);
        let found = shop.read(&shop.grace, &format!("{ORG}/search?q=weft")).await;
        assert_eq!(found["results"].as_array().unwrap().len(), 2, "{found}");
    }

    async fn labels_are_made_renamed_and_removed_from_their_tasks(on: On) {
        let shop = Workshop::new(on).await;
        let path = format!("{WEB}/labels");
        let made = shop.send(&shop.ada, Method::POST, &path, json!({"name": " Late ", "color": "#AABBCC"})).await;
        let made = made.expect(StatusCode::CREATED);
        assert_eq!(made.json, json!({"id": made.json["id"], "name": "Late", "color": "#aabbcc"}));
        let own = format!("{path}/{}", id(&made.json));
        let taken = shop.send(&shop.ada, Method::POST, &path, json!({"name": "LATE", "color": "#000000"})).await;
        taken.refused(409, "LABEL_NAME_TAKEN");
        shop.patch(&shop.grace, &own, json!({"name": "No"})).await.refused(403, "INSUFFICIENT_ROLE");
        let faults = shop.patch(&shop.ada, &own, json!({"name": "", "color": "red"})).await;
        assert_eq!(faults.refused(422, "VALIDATION_FAILED").faults(), ["/name BLANK", "/color INVALID_COLOR"]);
        let nulls = shop.patch(&shop.ada, &own, json!({"color": null})).await;
        assert_eq!(nulls.refused(422, "VALIDATION_FAILED").faults(), ["/color NOT_NULLABLE"]);
        let task = shop.task(json!({"title": "Weave", "label_ids": [made.json["id"]]})).await;
        let renamed = shop.patch(&shop.ada, &own, json!({"name": "Very late"})).await.expect(StatusCode::OK);
        assert_ne!(renamed.etag(), made.etag());
        assert_eq!(shop.read(&shop.grace, &path_of(&task)).await["labels"], json!([renamed.json]));
        let listed = shop.read(&shop.grace, &path).await;
        assert_eq!(listed, json!({"labels": [renamed.json], "next_cursor": null}));
        let stale = shop.app.delete(&own).bearer(&shop.ada).header("if-match", &made.etag()).send().await;
        stale.refused(412, "STALE_VERSION");
        shop.remove(&shop.ada, &own).await.expect(StatusCode::NO_CONTENT);
        shop.remove(&shop.ada, &own).await.refused(404, "LABEL_NOT_FOUND");
        assert_eq!(shop.read(&shop.grace, &path_of(&task)).await["labels"], json!([]));
    }
}
