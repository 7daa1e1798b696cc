//! Events of webhooks: each operation of the API publishes the right event in its transaction, with things as the API shows
//! them.

use async_trait::async_trait;
use workscribe_core::Hook;
use workscribe_core::events::DomainEvent;
use workscribe_core::{Code, Error, UnitOfWork, WorkScribe};

use crate::support::*;
use crate::workshop::{WEB, path_of, says};

use super::listening::Listening;
use super::*;

/// Refuses the change of a task with a certain title.
struct Refusing;

#[async_trait]
impl Hook for Refusing {
    async fn on_event(
        &self,
        _: &WorkScribe,
        _: &mut dyn UnitOfWork,
        event: &DomainEvent,
    ) -> Result<(), Error> {
        match event {
            DomainEvent::TaskUpdated { after, .. } if after.title == "Refused" => {
                Err(Error::new(Code::WriteConflict, "No."))
            }
            _ => Ok(()),
        }
    }
}

on_every_storage! {
    async fn of_tasks_is_told_what_the_list_shows_and_which_fields_were_changed(on: On) {
        let mut l = Listening::new(on).await;
        let statuses = l.shop.statuses().await;
        let label = l.shop.label("late").await;
        l.told_by_ada(&["label.created"]).await;
        let parent = l.shop.task(json!({"title": "Cloth"})).await;
        let told = l.told_by_ada(&["task.created"]).await;
        assert_eq!(told[0], json!({"task": l.listed(&parent).await}), "a task of which little is said");
        let grace = l.shop.grace.clone();
        let body = json!({
            "title": "Weave", "description_json": says("Warp and weft"), "status_id": statuses[1],
            "assignee_id": grace.user_id, "priority": "urgent", "type": "bug", "parent_task_id": parent["id"],
            "due_date": "2033-06-01", "label_ids": [label],
        });
        let full = l.shop.make(&grace, &format!("{WEB}/tasks"), body).await;
        let told = l.told(&grace, &["task.created"]).await;
        assert_eq!(told[0], json!({"task": l.listed(&full).await}), "a task of which all is said");

        let task = l.shop.task(json!({"title": "Spin"})).await;
        l.told_by_ada(&["task.created"]).await;
        let path = path_of(&task);
        let changes = [
            (json!({"title": "Spin yarn"}), vec!["title"]),
            (json!({"description_json": says("Of wool")}), vec!["description_json"]),
            (json!({"status_id": statuses[3]}), vec!["status_id"]),
            (json!({"assignee_id": grace.user_id}), vec!["assignee_id"]),
            (json!({"priority": "high"}), vec!["priority"]),
            (json!({"type": "story"}), vec!["type"]),
            (json!({"parent_task_id": parent["id"]}), vec!["parent_task_id"]),
            (json!({"due_date": "2033-07-01"}), vec!["due_date"]),
            (json!({"label_ids": [label]}), vec!["labels"]),
            (json!({"assignee_id": null, "due_date": null, "parent_task_id": null, "title": "Spin", "label_ids": [],
                "description_json": null, "priority": "high"}),
                vec!["assignee_id", "description_json", "due_date", "labels", "parent_task_id", "title"]),
        ];
        for (body, changed) in changes {
            l.shop.app.clock.advance(TimeDelta::milliseconds(1));
            l.changes(&task, Method::PATCH, &path, body, &changed).await;
        }
        let labelled = format!("{path}/labels/{label}");
        l.changes(&task, Method::POST, &labelled, Value::Null, &["labels"]).await;
        l.changes(&task, Method::DELETE, &labelled, Value::Null, &["labels"]).await;
        let to = |status: &String| json!({"status_id": status});
        l.changes(&task, Method::PATCH, &format!("{path}/move"), to(&statuses[0]), &["status_id"]).await;
        let body = json!({"status_id": statuses[1], "position": 0});
        l.changes(&task, Method::PATCH, &format!("{path}/move"), body, &["status_id"]).await;

        l.shop.make(&l.shop.ada, &format!("{path}/comments"), json!({"body_json": says("Done?")})).await;
        l.told_by_ada(&["comment.created"]).await;
        let last = l.listed(&task).await;
        assert_eq!(last["comment_count"], 1);
        l.shop.remove(&l.shop.ada, &path).await.expect(StatusCode::NO_CONTENT);
        assert_eq!(l.told_by_ada(&["task.deleted"]).await[0], json!({"task": last}));
    }

    async fn a_change_of_many_tasks_tells_of_each_and_one_of_a_place_of_none(on: On) {
        let mut l = Listening::new(on).await;
        let (one, two) = (l.shop.task(json!({"title": "One"})).await, l.shop.task(json!({"title": "Two"})).await);
        let high = l.shop.task(json!({"title": "Three", "priority": "high"})).await;
        l.told_by_ada(&["task.created"; 3]).await;
        let ids = json!([one["id"], two["id"], high["id"]]);
        let body = json!({"task_ids": ids, "priority": "high"});
        l.shop.change(&l.shop.ada, &format!("{ORG}/tasks/bulk"), body).await;
        let told = l.told_by_ada(&["task.updated"; 2]).await;
        for task in [&one, &two] {
            let expected = json!({"task": l.listed(task).await, "changed": ["priority"]});
            assert!(told.contains(&expected), "{expected} in {told:?}");
        }
        l.shop.change(&l.shop.ada, &format!("{}/move", path_of(&one)), json!({"position": 2})).await;
        let body = json!({"updates": [{"task_id": high["id"], "position": 0}]});
        let moved = l.shop.patch(&l.shop.ada, "/tasks/bulk-positions", body).await;
        moved.expect(StatusCode::NO_CONTENT);
        assert_eq!(l.shop.board().await, ["To Do: Three", "To Do: Two", "To Do: One"]);
        l.shop.change(&l.shop.ada, &path_of(&one), json!({"title": "One", "priority": "high"})).await;
        l.told_by_ada(&[]).await;
    }

    async fn of_comments_is_told_what_the_api_answers_with_their_task_in_short(on: On) {
        let mut l = Listening::new(on).await;
        let grace = l.shop.grace.clone();
        let task = l.shop.task(json!({"title": "Weave"})).await;
        l.told_by_ada(&["task.created"]).await;
        let short = json!({
            "id": task["id"], "task_id": "WEB-1", "project_id": task["project_id"], "title": "Weave",
        });
        let comments = format!("{}/comments", path_of(&task));
        let made = l.shop.make(&grace, &comments, json!({"body_json": says("Why?")})).await;
        assert_eq!(l.told(&grace, &["comment.created"]).await[0], json!({"comment": made, "task": short}));
        l.shop.app.clock.advance(TimeDelta::seconds(1));
        let path = format!("{comments}/{}", id(&made));
        let changed = l.shop.change(&grace, &path, json!({"body_json": says("How?")})).await;
        assert_eq!(changed["is_edited"], true);
        assert_eq!(l.told(&grace, &["comment.updated"]).await[0], json!({"comment": changed, "task": short}));
        l.shop.change(&grace, &path, json!({"body_json": says("How?")})).await;
        l.told(&grace, &[]).await;
        l.shop.remove(&l.shop.ada, &path).await.expect(StatusCode::NO_CONTENT);
        assert_eq!(l.told_by_ada(&["comment.deleted"]).await[0], json!({"comment": changed, "task": short}));
    }

    async fn of_projects_is_told_what_the_api_answers(on: On) {
        let mut l = Listening::new(on).await;
        let body = json!({"name": "Looms", "key": "LM", "description": "They weave.", "type": "scrum"});
        let made = l.shop.make(&l.shop.ada, &format!("{ORG}/projects"), body).await;
        assert_eq!(l.told_by_ada(&["project.created"]).await[0], json!({"project": made}));
        l.shop.app.clock.advance(TimeDelta::seconds(1));
        let path = format!("{ORG}/projects/LM");
        let changed = l.shop.change(&l.shop.ada, &path, json!({"name": "Mills", "description": null})).await;
        assert_eq!(l.told_by_ada(&["project.updated"]).await[0], json!({"project": changed}));
        l.shop.change(&l.shop.ada, &path, json!({"name": "Mills"})).await;
        l.told_by_ada(&[]).await;
        l.shop.remove(&l.shop.ada, &path).await.expect(StatusCode::NO_CONTENT);
        let archived = l.shop.read(&l.shop.ada, &path).await;
        assert_eq!(archived["is_archived"], true);
        assert_eq!(l.told_by_ada(&["project.updated"]).await[0], json!({"project": archived}));
        l.shop.remove(&l.shop.ada, &path).await.expect(StatusCode::NO_CONTENT);
        l.told_by_ada(&[]).await;
        let restored = l.shop.change(&l.shop.ada, &path, json!({"is_archived": false})).await;
        assert_eq!(l.told_by_ada(&["project.updated"]).await[0], json!({"project": restored}));
    }

    async fn of_statuses_and_labels_is_told_what_the_api_answers_and_where_their_tasks_went(on: On) {
        let mut l = Listening::new(on).await;
        let (statuses, project) = (l.shop.statuses().await, l.shop.read(&l.shop.ada, WEB).await["id"].clone());
        let path = format!("{WEB}/statuses");
        let body = json!({"name": "Dyeing", "category": "todo", "position": 1, "color": "#0000ff"});
        let made = l.shop.make(&l.shop.ada, &path, body).await;
        assert_eq!(made["position"], 1);
        let told = l.told_by_ada(&["status.created"]).await;
        assert_eq!(told[0], json!({"project_id": project, "status": made}));
        let one = format!("{path}/{}", id(&made));
        for body in [json!({"name": "Dying"}), json!({"position": 0})] {
            let changed = l.shop.change(&l.shop.ada, &one, body.clone()).await;
            let told = l.told_by_ada(&["status.updated"]).await;
            assert_eq!(told[0], json!({"project_id": project, "status": changed}));
            l.shop.change(&l.shop.ada, &one, body).await;
            l.told_by_ada(&[]).await;
        }
        let made = l.shop.change(&l.shop.ada, &one, json!({"category": "in_progress"})).await;
        l.told_by_ada(&["status.updated"]).await;
        let dyed = l.shop.task(json!({"title": "Dye", "status_id": made["id"]})).await;
        l.told_by_ada(&["task.created"]).await;
        l.shop.app.delete(&one).bearer(&l.shop.ada).send().await.refused(409, "STATUS_IN_USE");
        l.told_by_ada(&[]).await;
        let to = format!("{one}?move_to={}", statuses[3]);
        l.shop.remove(&l.shop.ada, &to).await.expect(StatusCode::NO_CONTENT);
        assert_eq!(l.listed(&dyed).await["status_id"], json!(statuses[3]));
        let told = l.told_by_ada(&["status.deleted"]).await;
        assert_eq!(told[0], json!({"project_id": project, "status": made, "moved_to": statuses[3]}));
        let unused = l.shop.make(&l.shop.ada, &path, json!({"name": "Drying", "category": "done"})).await;
        l.told_by_ada(&["status.created"]).await;
        let to = format!("{path}/{}?move_to={}", id(&unused), statuses[3]);
        l.shop.remove(&l.shop.ada, &to).await.expect(StatusCode::NO_CONTENT);
        assert_eq!(l.told_by_ada(&["status.deleted"]).await[0]["moved_to"], Value::Null, "it had no tasks");

        let path = format!("{WEB}/labels");
        let made = l.shop.make(&l.shop.ada, &path, json!({"name": "Late", "color": "#FF0000"})).await;
        assert_eq!(l.told_by_ada(&["label.created"]).await[0], json!({"project_id": project, "label": made}));
        let one = format!("{path}/{}", id(&made));
        let changed = l.shop.change(&l.shop.ada, &one, json!({"color": "#ff8800"})).await;
        assert_eq!(l.told_by_ada(&["label.updated"]).await[0], json!({"project_id": project, "label": changed}));
        l.shop.change(&l.shop.ada, &one, json!({"color": "#ff8800"})).await;
        l.shop.app.post(&path).bearer(&l.shop.ada).json(&json!({"name": "late", "color": "#ffffff"})).send().await
            .refused(409, "LABEL_NAME_TAKEN");
        l.told_by_ada(&[]).await;
        l.shop.remove(&l.shop.ada, &one).await.expect(StatusCode::NO_CONTENT);
        assert_eq!(l.told_by_ada(&["label.deleted"]).await[0], json!({"project_id": project, "label": changed}));
    }

    async fn a_task_tells_that_its_parent_went_or_its_assignee_left(on: On) {
        let mut l = Listening::new(on).await;
        let parent = l.shop.task(json!({"title": "Cloth"})).await;
        let mut below = Vec::new();
        for title in ["Warp", "Weft"] {
            below.push(l.shop.task(json!({"title": title, "parent_task_id": parent["id"]})).await);
        }
        l.told_by_ada(&["task.created"; 3]).await;
        l.shop.app.clock.advance(TimeDelta::seconds(1));
        l.shop.remove(&l.shop.ada, &path_of(&parent)).await.expect(StatusCode::NO_CONTENT);
        let told = l.told_by_ada(&["task.deleted", "task.updated", "task.updated"]).await;
        for task in &below {
            let expected = json!({"task": l.listed(task).await, "changed": ["parent_task_id"]});
            assert_eq!(expected["task"]["parent_task_id"], Value::Null);
            assert!(told.contains(&expected), "{expected} in {told:?}");
        }
        let grace = l.shop.grace.clone();
        let done = l.shop.statuses().await[3].clone();
        let open = l.shop.task(json!({"title": "Spin", "assignee_id": grace.user_id})).await;
        l.shop.task(json!({"title": "Shear", "assignee_id": grace.user_id, "status_id": done})).await;
        l.told_by_ada(&["task.created"; 2]).await;
        l.shop.app.clock.advance(TimeDelta::seconds(1));
        let path = format!("{ORG}/members/{}", grace.user_id);
        l.shop.remove(&grace, &path).await.expect(StatusCode::NO_CONTENT);
        let told = l.told(&grace, &["member.removed", "task.updated"]).await;
        let expected = json!({"task": l.listed(&open).await, "changed": ["assignee_id"]});
        assert_eq!(expected["task"]["assignee"], Value::Null);
        assert!(told.contains(&expected), "{expected} in {told:?}");
    }

    async fn of_people_is_told_who_was_invited_joined_rose_and_left(on: On) {
        let mut l = Listening::new(on).await;
        let invite = async |l: &Listening, email: &str| {
            // Earlier mails are sent first, so that the invitation is the last one.
            l.shop.app.drain().await;
            let body = json!({"email": email, "role": "member"});
            l.shop.make(&l.shop.ada, &format!("{ORG}/invite"), body).await
        };
        let invited = invite(&l, "bob@example.com").await;
        assert_eq!(l.told_by_ada(&["invitation.created"]).await[0], json!({"invitation": invited}));
        let path = format!("{ORG}/invitations/{}", id(&invited));
        let again = post(&l.shop, &l.shop.ada, &format!("{path}/resend")).await;
        again.expect(StatusCode::NO_CONTENT);
        l.told_by_ada(&[]).await;
        l.shop.remove(&l.shop.ada, &path).await.expect(StatusCode::NO_CONTENT);
        let told = l.told_by_ada(&["invitation.revoked"]).await;
        assert_eq!(told[0], json!({"invitation": {"id": invited["id"]}}));
        l.shop.remove(&l.shop.ada, &path).await.expect(StatusCode::NO_CONTENT);
        l.told_by_ada(&[]).await;

        invite(&l, "bob@example.com").await;
        l.told_by_ada(&["invitation.created"]).await;
        let token = l.shop.app.mailed_token("bob@example.com").await;
        let body = json!({"display_name": "Bob Babbage", "password": PASSWORD});
        let accept = format!("/auth/invitations/{token}/accept");
        let bob = l.shop.app.post(&accept).json(&body).send().await.expect(StatusCode::OK);
        let bob = Login::of(bob);
        let member = json!({"member": {"user_id": bob.user_id, "role": "member"}});
        assert_eq!(l.told(&bob, &["member.joined"]).await[0], member, "with a new account");
        let mary = l.shop.app.register("mary@example.com").await;
        invite(&l, "mary@example.com").await;
        l.told_by_ada(&["invitation.created"]).await;
        let accept = format!("/auth/invitations/{}/accept", l.shop.app.mailed_token("mary@example.com").await);
        post(&l.shop, &mary, &accept).await.expect(StatusCode::OK);
        let member = json!({"member": {"user_id": mary.user_id, "role": "member"}});
        assert_eq!(l.told(&mary, &["member.joined"]).await[0], member, "with an account");

        let path = format!("{ORG}/members/{}", mary.user_id);
        l.shop.change(&l.shop.ada, &path, json!({"role": "admin"})).await;
        let member = json!({"member": {"user_id": mary.user_id, "role": "admin"}});
        assert_eq!(l.told_by_ada(&["member.role_changed"]).await[0], member);
        l.shop.change(&l.shop.ada, &path, json!({"role": "admin"})).await;
        l.told_by_ada(&[]).await;
        l.shop.remove(&l.shop.ada, &path).await.expect(StatusCode::NO_CONTENT);
        let told = l.told_by_ada(&["member.removed"]).await;
        assert_eq!(told[0], json!({"member": {"user_id": mary.user_id}}));
        let path = format!("{ORG}/members/{}", bob.user_id);
        l.shop.remove(&bob, &path).await.expect(StatusCode::NO_CONTENT);
        let told = l.told(&bob, &["member.removed"]).await;
        assert_eq!(told[0], json!({"member": {"user_id": bob.user_id}}), "who leaves by themselves");
    }

    async fn of_what_was_refused_nothing_is_told(on: On) {
        let shop = Workshop::of(on.app_with(|builder| builder.hook(Arc::new(Refusing))).await).await;
        let mut l = Listening::of(shop).await;
        let task = l.shop.task(json!({"title": "Weave"})).await;
        l.told_by_ada(&["task.created"]).await;
        // The clock advances, so that the id of the task that is refused comes later.
        l.shop.app.clock.advance(TimeDelta::milliseconds(1));
        let refused = l.shop.task(json!({"title": "Refused"})).await;
        let comments = format!("{}/comments", path_of(&task));
        let comment = l.shop.make(&l.shop.ada, &comments, json!({"body_json": says("Yes")})).await;
        let pending = json!({"email": "bob@example.com", "role": "member"});
        let pending = l.shop.make(&l.shop.ada, &format!("{ORG}/invite"), pending).await;
        l.told_by_ada(&["comment.created", "invitation.created", "task.created"]).await;
        let (ada, grace) = (l.shop.ada.clone(), l.shop.grace.clone());
        let (post, patch, delete) = (Method::POST, Method::PATCH, Method::DELETE);
        let writes = [
            (&grace, delete.clone(), path_of(&task), Value::Null, 403),
            (&ada, patch.clone(), path_of(&task), json!({"title": ""}), 422),
            (&ada, post.clone(), format!("{WEB}/tasks"), json!({"title": "No", "priority": "most"}), 422),
            (&grace, patch.clone(), format!("{comments}/{}", id(&comment)), json!({"body_json": {}}), 403),
            (&grace, delete.clone(), format!("{comments}/{}", id(&comment)), Value::Null, 403),
            (&ada, post.clone(), comments, json!({"body_json": 5}), 422),
            (&grace, patch.clone(), WEB.to_owned(), json!({"name": "No"}), 403),
            (&ada, post.clone(), format!("{ORG}/projects"), json!({"name": "Other", "key": "WEB"}), 409),
            (&ada, post, format!("{ORG}/invite"), json!({"email": ada.email, "role": "member"}), 409),
            (&grace, delete.clone(), format!("{ORG}/invitations/{}", id(&pending)), Value::Null, 403),
            (&ada, patch.clone(), format!("{ORG}/members/{}", ada.user_id), json!({"role": "member"}), 409),
            (&ada, delete, format!("{ORG}/members/{}", ada.user_id), Value::Null, 409),
            // The first of the two was written, with its event, before the second was refused.
            (&ada, patch, format!("{ORG}/tasks/bulk"),
                json!({"task_ids": [task["id"], refused["id"]], "priority": "high"}), 409),
        ];
        for (who, method, path, body, status) in writes {
            let answer = l.shop.send(who, method.clone(), &path, body).await;
            assert_eq!(answer.status.as_u16(), status, "{method} {path}: {answer:?}");
            l.told_by_ada(&[]).await;
        }
        let stale = l.shop.app.patch(&path_of(&task)).bearer(&ada).header("if-match", "\"99\"");
        stale.json(&json!({"title": "No"})).send().await.refused(412, "STALE_VERSION");
        l.told_by_ada(&[]).await;
        for _ in 0..2 {
            let call = l.shop.app.post(&format!("{WEB}/tasks")).bearer(&ada).header("idempotency-key", "one");
            call.json(&json!({"title": "Once"})).send().await.expect(StatusCode::CREATED);
        }
        l.told_by_ada(&["task.created"]).await;
    }

    async fn a_webhook_hears_from_when_it_asks_until_it_is_off_or_gone(on: On) {
        let shop = Workshop::new(on).await;
        shop.task(json!({"title": "Before"})).await;
        let made = hook(&shop, json!(["task.created"])).await;
        let heard = async || {
            let path = format!("{}/deliveries", at(&made));
            let log = shop.read(&shop.ada, &path).await;
            let mut titles = Vec::new();
            for delivery in log["deliveries"].as_array().unwrap() {
                let detail = shop.read(&shop.ada, &format!("{path}/{}", id(delivery))).await;
                titles.push(text(&detail["payload"]["data"]["task"]["title"]));
            }
            titles.sort();
            titles
        };
        assert!(heard().await.is_empty());
        shop.task(json!({"title": "a"})).await;
        assert_eq!(heard().await, ["a"], "at once, though it was looked for a moment before");
        shop.change(&shop.ada, &at(&made), json!({"is_enabled": false})).await;
        shop.task(json!({"title": "b"})).await;
        shop.change(&shop.ada, &at(&made), json!({"is_enabled": true})).await;
        let task = shop.task(json!({"title": "c"})).await;
        assert_eq!(heard().await, ["a", "c"]);
        shop.change(&shop.ada, &at(&made), json!({"events": ["task.deleted", "project.created"]})).await;
        shop.task(json!({"title": "d"})).await;
        shop.remove(&shop.ada, &path_of(&task)).await.expect(StatusCode::NO_CONTENT);
        assert_eq!(heard().await, ["a", "c", "c"]);
        shop.remove(&shop.ada, &at(&made)).await.expect(StatusCode::NO_CONTENT);
        shop.task(json!({"title": "e"})).await;
        let path = format!("{}/deliveries", at(&made));
        shop.app.get(&path).bearer(&shop.ada).send().await.refused(404, "WEBHOOK_NOT_FOUND");
    }
}
