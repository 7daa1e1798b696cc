//! Notifications: who gets them, and how they are read.

use crate::support::*;
use crate::workshop::{NOTHING, Workshop, id, mentions, path_of, says};

on_every_storage! {
    async fn an_assignee_is_told_and_a_reporter_of_what_is_finished(on: On) {
        let shop = Workshop::new(on).await;
        let done = shop.statuses().await.remove(3);
        let task = shop.task(json!({"title": "Weave", "assignee_id": shop.grace.user_id})).await;
        let told = shop.read(&shop.grace, "/notifications").await;
        let first = &told["notifications"][0];
        assert_eq!(*first, json!({
            "id": first["id"], "org_id": task["org_id"], "organization": {"slug": "engines", "name": "engines"},
            "type": "TASK_ASSIGNED", "title": "Ada Lovelace assigned WEB-1 to you", "body": "Weave",
            "entity_type": "task", "entity_id": task["id"],
            "actor": {"id": shop.ada.user_id, "display_name": "Ada Lovelace", "avatar_url": null},
            "is_read": false, "created_at": first["created_at"],
        }));
        assert_eq!((&told["unread_count"], &told["next_cursor"]), (&json!(1), &Value::Null));
        shop.change(&shop.grace, &path_of(&task), json!({"status_id": done})).await;
        let told = shop.read(&shop.ada, "/notifications").await;
        assert_eq!(texts(told["notifications"].as_array().unwrap(), "type"), ["TASK_DONE"]);
        assert_eq!(shop.read(&shop.grace, "/notifications").await["unread_count"], 1, "and she knows");
    }

    async fn nobody_is_told_of_their_own_doing(on: On) {
        let shop = Workshop::new(on).await;
        let done = shop.statuses().await.remove(3);
        let task = shop.task(json!({"title": "Weave", "assignee_id": shop.ada.user_id})).await;
        let comments = format!("{}/comments", path_of(&task));
        shop.make(&shop.ada, &comments, json!({"body_json": mentions(&json!(shop.ada.user_id))})).await;
        shop.change(&shop.ada, &path_of(&task), json!({"status_id": done})).await;
        for who in [&shop.ada, &shop.grace] {
            assert_eq!(shop.read(who, "/notifications").await["notifications"], json!([]));
        }
    }

    async fn whoever_is_mentioned_is_told_once(on: On) {
        let shop = Workshop::new(on).await;
        let task = shop.task(json!({"title": "Weave"})).await;
        let comments = format!("{}/comments", path_of(&task));
        let grace = json!(shop.grace.user_id);
        let comment = shop.make(&shop.ada, &comments, json!({"body_json": says("Look")})).await;
        let own = format!("{comments}/{}", id(&comment));
        shop.change(&shop.ada, &own, json!({"body_json": mentions(&grace)})).await;
        let mut more = mentions(&grace);
        more["content"].as_array_mut().unwrap().push(json!({"type": "paragraph"}));
        shop.change(&shop.ada, &own, json!({"body_json": more})).await;
        let told = shop.read(&shop.grace, "/notifications").await;
        let told = told["notifications"].as_array().unwrap();
        assert_eq!(told.len(), 1);
        assert_eq!(
            (&told[0]["type"], &told[0]["entity_type"], &told[0]["entity_id"], &told[0]["body"]),
            (&json!("MENTION"), &json!("comment"), &comment["id"], &json!("Look, @you"))
        );
    }

    async fn notifications_are_read_one_by_one_or_all_at_once(on: On) {
        let shop = Workshop::new(on).await;
        shop.app.organization(&shop.ada, "looms").await;
        for number in 0..5 {
            shop.task(json!({"title": format!("{number}"), "assignee_id": shop.grace.user_id})).await;
            shop.app.clock.advance(TimeDelta::seconds(1));
        }
        let all = walk(&shop.app, &shop.grace, "/notifications", 2).await;
        assert_eq!(texts(&all, "body"), ["4", "3", "2", "1", "0"]);
        let path = format!("/notifications/{}/read", id(&all[0]));
        let read = shop.send(&shop.grace, Method::PATCH, &path, Value::Null).await.expect(StatusCode::OK).json;
        assert_eq!((&read["id"], &read["is_read"]), (&all[0]["id"], &json!(true)));
        let unread = shop.read(&shop.grace, "/notifications?unread=true&count=true").await;
        assert_eq!((&unread["total"], &unread["unread_count"]), (&json!(4), &json!(4)));
        let again = shop.change(&shop.grace, &path, json!({"is_read": false})).await;
        assert_eq!(again["is_read"], false);
        shop.change(&shop.grace, &path, json!({})).await;
        let nulls = shop.patch(&shop.grace, &path, json!({"is_read": null})).await;
        assert_eq!(nulls.refused(422, "VALIDATION_FAILED").faults(), ["/is_read NOT_NULLABLE"]);
        for (who, id) in [(&shop.ada, id(&all[1])), (&shop.grace, NOTHING.to_owned()), (&shop.grace, "x".to_owned())] {
            let path = format!("/notifications/{id}/read");
            shop.patch(who, &path, json!({})).await.refused(404, "NOTIFICATION_NOT_FOUND");
        }
        let post = async |query: &str| {
            let path = format!("/notifications/mark-all-read{query}");
            shop.send(&shop.grace, Method::POST, &path, Value::Null).await.expect(StatusCode::OK).json
        };
        assert_eq!(post("?organization=looms").await, json!({"updated": 0}));
        assert_eq!(post("?organization=engines").await, json!({"updated": 4}));
        assert_eq!(post("").await, json!({"updated": 0}));
        assert_eq!(shop.read(&shop.grace, "/notifications").await["unread_count"], 0);
        assert_eq!(shop.read(&shop.grace, "/notifications?organization=looms").await["notifications"], json!([]));
        for (query, fault) in
            [("organization=A%20B", "/query/organization INVALID_SLUG"), ("unread=1", "/query/unread NOT_A_BOOLEAN")]
        {
            let refused = shop.app.get(&format!("/notifications?{query}")).bearer(&shop.ada).send().await;
            assert_eq!(refused.refused(422, "VALIDATION_FAILED").faults(), [fault]);
        }
    }

    async fn what_happens_to_somebody_within_five_minutes_comes_in_one_mail(on: On) {
        let shop = Workshop::new(on).await;
        shop.app.drain().await;
        drop(shop.app.mail.take());
        let mine = async |title: &str| {
            shop.task(json!({"title": title, "assignee_id": shop.grace.user_id})).await
        };
        mine("Weave").await;
        shop.app.clock.advance(TimeDelta::seconds(299));
        mine("Spin").await;
        shop.app.drain().await;
        assert_eq!(shop.app.mail.take().len(), 0, "there may be more to say");
        shop.app.clock.advance(TimeDelta::seconds(1));
        shop.app.drain().await;
        let mails = shop.app.mail.take();
        assert_eq!(mails.iter().map(|mail| mail.to.as_str()).collect::<Vec<_>>(), ["grace@example.com"]);
        for said in ["Ada Lovelace assigned WEB-1 to you", "Weave", "Ada Lovelace assigned WEB-2 to you", "Spin"] {
            assert!(mails[0].text.contains(said) && mails[0].html.contains(said), "{said}: {}", mails[0].text);
        }
        mine("Dye").await;
        shop.app.clock.advance(TimeDelta::minutes(5));
        shop.app.drain().await;
        let mails = shop.app.mail.take();
        assert!(mails.len() == 1 && mails[0].text.contains("Dye") && !mails[0].text.contains("Weave"));
    }

    async fn what_was_read_or_is_not_wanted_is_not_mailed(on: On) {
        let shop = Workshop::new(on).await;
        shop.app.drain().await;
        drop(shop.app.mail.take());
        let task = shop.task(json!({"title": "Weave", "assignee_id": shop.grace.user_id})).await;
        shop.send(&shop.grace, Method::POST, "/notifications/mark-all-read", Value::Null).await.expect(StatusCode::OK);
        shop.change(&shop.grace, "/notifications/preferences", json!({"mention": {"email": false}})).await;
        let comments = format!("{}/comments", path_of(&task));
        shop.make(&shop.ada, &comments, json!({"body_json": mentions(&json!(shop.grace.user_id))})).await;
        shop.app.clock.advance(TimeDelta::minutes(5));
        shop.app.drain().await;
        assert_eq!(shop.app.mail.take().len(), 0);
        assert_eq!(shop.read(&shop.grace, "/notifications").await["unread_count"], 1, "and yet it is there");
    }

    async fn whoever_left_sees_no_notifications_of_the_organization(on: On) {
        let shop = Workshop::new(on).await;
        shop.task(json!({"title": "Weave", "assignee_id": shop.grace.user_id})).await;
        let path = format!("{ORG}/members/{}", shop.grace.user_id);
        shop.remove(&shop.ada, &path).await.expect(StatusCode::NO_CONTENT);
        let told = shop.read(&shop.grace, "/notifications").await;
        assert_eq!((&told["notifications"], &told["unread_count"]), (&json!([]), &json!(0)));
    }

    async fn preferences_merge(on: On) {
        let shop = Workshop::new(on).await;
        let path = "/notifications/preferences";
        let all = json!({"task_assigned": {"email": true}, "mention": {"email": true}, "task_done": {"email": true}});
        assert_eq!(shop.read(&shop.grace, path).await, all);
        let mut expected = all.clone();
        expected["mention"]["email"] = json!(false);
        assert_eq!(shop.change(&shop.grace, path, json!({"mention": {"email": false}})).await, expected);
        expected["task_done"]["email"] = json!(false);
        let change = json!({"task_done": {"email": false}, "task_assigned": {}});
        assert_eq!(shop.change(&shop.grace, path, change).await, expected);
        assert_eq!(shop.read(&shop.grace, path).await, expected);
        assert_eq!(shop.read(&shop.ada, path).await, all);
        for (body, fault) in [
            (json!({"mention": null}), "/mention NOT_NULLABLE"),
            (json!({"mention": {"email": null}}), "/mention/email NOT_NULLABLE"),
            (json!({"mention": {"email": 1}}), "/mention/email WRONG_TYPE"),
            (json!({"mention": [true]}), "/mention WRONG_TYPE"),
            (json!([]), " WRONG_TYPE"),
        ] {
            assert_eq!(shop.patch(&shop.ada, path, body).await.refused(422, "VALIDATION_FAILED").faults(), [fault]);
        }
    }
}
