//! Comments: creating them, changing them by their authors, and removing them by authors or admins.

use crate::support::*;
use crate::workshop::{NOTHING, Workshop, id, mentions, path_of, says};

on_every_storage! {
    async fn a_comment_is_made_listed_and_counted(on: On) {
        let shop = Workshop::new(on).await;
        let task = shop.task(json!({"title": "Weave"})).await;
        let path = format!("{}/comments", path_of(&task));
        let made = shop.send(&shop.grace, Method::POST, &path, json!({"body_json": says("Yes")})).await;
        let made = made.expect(StatusCode::CREATED);
        assert_eq!(made.header("location"), Some(format!("/api/v1{path}/{}", id(&made.json)).as_str()));
        assert_eq!(made.json, json!({
            "id": made.json["id"], "task_id": task["id"], "author_id": shop.grace.user_id,
            "author": {"id": shop.grace.user_id, "display_name": "Grace Hopper", "avatar_url": null},
            "body_json": says("Yes"), "is_edited": false, "created_at": made.json["created_at"],
            "updated_at": made.json["created_at"],
        }));
        for number in 0..6 {
            shop.make(&shop.ada, &path, json!({"body_json": says(&number.to_string())})).await;
        }
        for limit in [1, 3, 7, 100] {
            let listed = walk(&shop.app, &shop.ada, &path, limit).await;
            let mut ids = texts(&listed, "id");
            ids.sort();
            ids.dedup();
            assert_eq!((listed.len(), ids.len()), (7, 7), "{limit} on a page");
        }
        assert_eq!(shop.read(&shop.ada, &path_of(&task)).await["comment_count"], 7);
        assert_eq!(shop.read(&shop.ada, &format!("{path}?count=true")).await["total"], 7);
    }

    async fn a_comment_is_changed_by_its_author_alone(on: On) {
        let shop = Workshop::new(on).await;
        let task = shop.task(json!({"title": "Weave"})).await;
        let path = format!("{}/comments", path_of(&task));
        let made = shop.send(&shop.grace, Method::POST, &path, json!({"body_json": says("Yes")})).await;
        let own = format!("{path}/{}", id(&made.json));
        shop.patch(&shop.ada, &own, json!({"body_json": says("No")})).await.refused(403, "INSUFFICIENT_ROLE");
        shop.app.clock.advance(TimeDelta::seconds(1));
        let same = shop.change(&shop.grace, &own, json!({"body_json": says("Yes")})).await;
        assert_eq!(same["is_edited"], false, "to say the same again changes nothing");
        let changed = shop.patch(&shop.grace, &own, json!({"body_json": says("No")})).await.expect(StatusCode::OK);
        assert_eq!((&changed.json["is_edited"], &changed.json["body_json"]), (&json!(true), &says("No")));
        assert_ne!(changed.json["updated_at"], changed.json["created_at"]);
        let stale = shop.app.patch(&own).bearer(&shop.grace).header("if-match", &made.etag());
        stale.json(&json!({"body_json": says("Stale")})).send().await.refused(412, "STALE_VERSION");
        for (body, fault) in [
            (json!({"body_json": null}), "/body_json NOT_NULLABLE"),
            (json!({"body_json": "text"}), "/body_json NOT_AN_OBJECT"),
        ] {
            assert_eq!(shop.patch(&shop.grace, &own, body).await.refused(422, "VALIDATION_FAILED").faults(), [fault]);
        }
        let missing = shop.send(&shop.grace, Method::POST, &path, json!({})).await;
        assert_eq!(missing.refused(422, "VALIDATION_FAILED").faults(), ["/body_json REQUIRED"]);
    }

    async fn a_comment_is_removed_by_its_author_or_an_admin(on: On) {
        let shop = Workshop::new(on).await;
        let task = shop.task(json!({"title": "Weave"})).await;
        let other = shop.task(json!({"title": "Spin"})).await;
        let path = format!("{}/comments", path_of(&task));
        let of_ada = shop.make(&shop.ada, &path, json!({"body_json": says("Ada's")})).await;
        let of_grace = shop.make(&shop.grace, &path, json!({"body_json": says("Grace's")})).await;
        let by_ada = shop.make(&shop.grace, &path, json!({"body_json": says("Grace's too")})).await;
        shop.remove(&shop.grace, &format!("{path}/{}", id(&of_ada))).await.refused(403, "INSUFFICIENT_ROLE");
        let elsewhere = format!("{}/comments/{}", path_of(&other), id(&of_ada));
        shop.remove(&shop.ada, &elsewhere).await.refused(404, "COMMENT_NOT_FOUND");
        for absent in [NOTHING, "x"] {
            shop.remove(&shop.ada, &format!("{path}/{absent}")).await.refused(404, "COMMENT_NOT_FOUND");
        }
        shop.remove(&shop.grace, &format!("{path}/{}", id(&of_grace))).await.expect(StatusCode::NO_CONTENT);
        shop.remove(&shop.ada, &format!("{path}/{}", id(&by_ada))).await.expect(StatusCode::NO_CONTENT);
        assert_eq!(shop.read(&shop.ada, &path).await["comments"], json!([of_ada]));
        assert_eq!(shop.read(&shop.ada, &path_of(&task)).await["comment_count"], 1);
    }

    async fn malformed_mentions_are_kept_and_do_nothing(on: On) {
        let shop = Workshop::new(on).await;
        let outsider = shop.app.register("mary@example.com").await;
        let task = shop.task(json!({"title": "Weave"})).await;
        let path = format!("{}/comments", path_of(&task));
        let node = |node: Value| json!({"type": "doc", "content": [node]});
        for body in [
            mentions(&json!(NOTHING)),
            mentions(&json!(outsider.user_id)),
            mentions(&json!("x")),
            mentions(&json!(7)),
            mentions(&Value::Null),
            node(json!({"type": "mention"})),
            node(json!({"type": "mention", "attrs": []})),
            node(json!({"type": ["mention"], "attrs": {"id": shop.grace.user_id}})),
            json!({"content": {"type": "mention", "attrs": {"id": shop.grace.user_id}}}),
            json!({}),
        ] {
            let made = shop.make(&shop.ada, &path, json!({"body_json": body})).await;
            assert_eq!(made["body_json"], body);
        }
        for who in [&shop.ada, &shop.grace, &outsider] {
            assert_eq!(shop.read(who, "/notifications").await["unread_count"], 0);
        }
    }
}
