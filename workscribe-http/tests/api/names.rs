//! Names everywhere: in one form of Unicode, with at least one visible character, and without characters that reverse text.

use crate::support::*;
use crate::workshop::{WEB, Workshop, id, path_of};

/// Everything that has a name: how to create it and how to change it, each with the field.
async fn everything(shop: &Workshop) -> Vec<(Method, String, Value, &'static str)> {
    let task = shop.task(json!({"title": "Weave"})).await;
    let label = format!("{WEB}/labels/{}", shop.label("late").await);
    let status = format!("{WEB}/statuses/{}", shop.statuses().await[0]);
    let hook = json!({"url": "https://hooks.example/engines", "events": ["task.created"]});
    let webhooks = format!("{ORG}/webhooks");
    let webhook = format!("{webhooks}/{}", id(&shop.make(&shop.ada, &webhooks, hook.clone()).await));
    let with = |more: Value| {
        let mut body = hook.clone();
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        body
    };
    let person = json!({"email": "new@example.com", "password": PASSWORD});
    vec![
        (Method::POST, "/auth/register".to_owned(), person, "display_name"),
        (Method::PATCH, "/auth/me".to_owned(), json!({}), "display_name"),
        (Method::POST, "/organizations".to_owned(), json!({"slug": "looms"}), "name"),
        (Method::PATCH, ORG.to_owned(), json!({}), "name"),
        (Method::POST, format!("{ORG}/projects"), json!({"key": "LM"}), "name"),
        (Method::PATCH, WEB.to_owned(), json!({}), "name"),
        (Method::PATCH, WEB.to_owned(), json!({}), "description"),
        (Method::POST, format!("{WEB}/statuses"), json!({"category": "todo"}), "name"),
        (Method::PATCH, status, json!({}), "name"),
        (Method::POST, format!("{WEB}/labels"), json!({"color": "#aabbcc"}), "name"),
        (Method::PATCH, label, json!({}), "name"),
        (Method::POST, format!("{WEB}/tasks"), json!({}), "title"),
        (Method::PATCH, path_of(&task), json!({}), "title"),
        (Method::POST, webhooks, with(json!({})), "description"),
        (Method::PATCH, webhook, json!({}), "description"),
    ]
}

on_every_storage! {
    async fn a_name_that_turns_text_around_or_of_which_nothing_is_seen_is_refused(on: On) {
        let shop = Workshop::new(on).await;
        for (method, path, body, field) in everything(&shop).await {
            for (name, code) in [
                ("Ada\u{202e}norybA", "CONTROL_CHARACTER"),
                ("Ada\u{2066}Byron", "CONTROL_CHARACTER"),
                ("Ada\u{200f}", "CONTROL_CHARACTER"),
                ("Ada\u{2028}Byron", "CONTROL_CHARACTER"),
                ("\u{3164}\u{3164}", "BLANK"),
                ("\u{200b}\u{200d}\u{fe0f}", "BLANK"),
                ("\u{2800}\u{2800} \u{301}", "BLANK"),
            ] {
                // A description may be blank.
                if field == "description" && code == "BLANK" {
                    continue;
                }
                let mut body = body.clone();
                body[field] = json!(name);
                let answer = shop.send(&shop.ada, method.clone(), &path, body).await;
                let faults = answer.refused(422, "VALIDATION_FAILED").faults();
                assert_eq!(faults, [format!("/{field} {code}")], "{method} {path}: {name:?}");
            }
        }
    }

    async fn a_name_is_kept_in_one_form_and_joiners_stay(on: On) {
        let shop = Workshop::new(on).await;
        for (number, (method, path, body, field)) in everything(&shop).await.into_iter().enumerate() {
            let mut body = body.clone();
            body[field] = json!(format!("Zoe\u{308} 👩\u{200d}🚀 می\u{200c}خواهم {number}"));
            let answer = shop.send(&shop.ada, method.clone(), &path, body).await;
            assert!(answer.status.is_success(), "{method} {path}: {}", answer.text);
            let kept = if path == "/auth/register" { &answer.json["user"][field] } else { &answer.json[field] };
            assert_eq!(kept, &format!("Zo\u{eb} 👩\u{200d}🚀 می\u{200c}خواهم {number}"), "{method} {path}");
        }
    }

    async fn two_labels_or_statuses_of_one_name_in_two_forms_are_one(on: On) {
        let shop = Workshop::new(on).await;
        for (path, code, body) in [
            (format!("{WEB}/labels"), "LABEL_NAME_TAKEN", json!({"color": "#aabbcc"})),
            (format!("{WEB}/statuses"), "STATUS_NAME_TAKEN", json!({"category": "todo"})),
        ] {
            let named = |name: &str| {
                let mut body = body.clone();
                body["name"] = json!(name);
                body
            };
            let first = shop.make(&shop.ada, &path, named("Cafe\u{301}")).await;
            for twin in ["Caf\u{e9}", "Cafe\u{301}", "CAFE\u{301}", "CAF\u{c9}"] {
                shop.send(&shop.ada, Method::POST, &path, named(twin)).await.refused(409, code);
            }
            let other = shop.make(&shop.ada, &path, named("Cafe")).await;
            let at = |thing: &Value| format!("{path}/{}", id(thing));
            shop.patch(&shop.ada, &at(&other), json!({"name": "CAFE\u{301}"})).await.refused(409, code);
            let same = shop.patch(&shop.ada, &at(&first), json!({"name": "CAFE\u{301}"})).await;
            assert_eq!(same.expect(StatusCode::OK).json["name"], "CAF\u{c9}");
        }
    }
}
