//! Everything that a tenant can create has a limit, even if many requests come at once.

use workscribe_core::limits::{Changeable, Limit, Limits};

use crate::support::*;
use crate::workshop::{WEB, Workshop, id, path_of, says};

async fn shop_with(on: On, limits: Limits) -> Arc<Workshop> {
    Arc::new(Workshop::of(on.app_with(|builder| builder.settings(with_limits(limits))).await).await)
}

/// Checks that a response names the limit that was reached, and its value.
#[track_caller]
fn is_past(answer: Answer, limit: Limit, value: u32) {
    let problem = answer.refused(409, "LIMIT_REACHED").json;
    assert_eq!(
        (&problem["params"]["limit_name"], &problem["params"]["limit"]),
        (&json!(limit.name()), &json!(value))
    );
    assert!(problem["detail"].as_str().unwrap().contains(&value.to_string()), "{problem}");
}

/// Creates many things at once, as Ada. `there` of them are created, and the others are refused with the limit.
async fn make_at_once(
    shop: &Arc<Workshop>,
    path: &str,
    bodies: Vec<Value>,
    there: usize,
    limit: Limit,
    value: u32,
) {
    let calls = bodies.into_iter().map(|body| {
        let (shop, path) = (Arc::clone(shop), path.to_owned());
        async move { shop.send(&shop.ada, Method::POST, &path, body).await }
    });
    let answers = at_once(calls).await;
    let (made, refused): (Vec<_>, Vec<_>) =
        answers.into_iter().partition(|answer| answer.status == StatusCode::CREATED);
    assert_eq!(made.len(), there, "{limit:?}");
    for answer in refused {
        is_past(answer, limit, value);
    }
}

on_every_storage! {
    async fn a_task_has_no_more_labels_than_the_limit_whichever_way_they_come(on: On) {
        let shop = shop_with(on, Limits::default().with(Limit::LabelsPerTask, 2)).await;
        let mut labels = Vec::new();
        for name in ["a", "b", "c"] {
            labels.push(shop.label(name).await);
        }
        let task = shop.task(json!({"title": "First", "label_ids": labels[..2]})).await;
        let other = shop.task(json!({"title": "Second", "label_ids": labels[..1]})).await;
        let one = format!("{}/labels/{}", path_of(&task), labels[2]);
        is_past(shop.send(&shop.ada, Method::POST, &one, Value::Null).await, Limit::LabelsPerTask, 2);
        let many = format!("{ORG}/tasks/bulk");
        let bulk = json!({"task_ids": [id(&other), id(&task)], "add_label_ids": [labels[2]]});
        is_past(shop.patch(&shop.ada, &many, bulk).await, Limit::LabelsPerTask, 2);
        let of = async |task: &Value| shop.read(&shop.ada, &path_of(task)).await["labels"].as_array().unwrap().len();
        assert_eq!((of(&task).await, of(&other).await), (2, 1), "all of a bulk change or nothing");
        let all = shop.patch(&shop.ada, &path_of(&task), json!({"label_ids": labels})).await;
        assert_eq!(all.refused(422, "VALIDATION_FAILED").faults(), ["/label_ids TOO_MANY"]);
        // To remove one label and add another does not increase the number.
        let swap = json!({"task_ids": [id(&task)], "add_label_ids": [labels[2]], "remove_label_ids": [labels[0]]});
        shop.patch(&shop.ada, &many, swap).await.expect(StatusCode::OK);
    }

    async fn labels_projects_and_statuses_end_at_their_limits_however_many_are_made_at_once(on: On) {
        let limits = Limits::default()
            .with(Limit::LabelsPerProject, 3)
            .with(Limit::ProjectsPerOrganization, 4)
            .with(Limit::StatusesPerProject, 6);
        let shop = shop_with(on, limits).await;
        let labels = (0..8).map(|n| json!({"name": format!("label {n}"), "color": "#aabbcc"})).collect();
        make_at_once(&shop, &format!("{WEB}/labels"), labels, 3, Limit::LabelsPerProject, 3).await;
        let statuses = (0..8).map(|n| json!({"name": format!("status {n}"), "category": "todo"})).collect();
        make_at_once(&shop, &format!("{WEB}/statuses"), statuses, 2, Limit::StatusesPerProject, 6).await;
        shop.remove(&shop.ada, WEB).await.expect(StatusCode::NO_CONTENT);
        let projects = (0..8).map(|n| json!({"name": format!("project {n}"), "key": format!("P{n}")})).collect();
        // The archived project counts too.
        make_at_once(&shop, &format!("{ORG}/projects"), projects, 3, Limit::ProjectsPerOrganization, 4).await;
    }

    async fn tasks_parts_and_comments_end_at_their_limits_however_many_are_made_at_once(on: On) {
        let limits = Limits::default()
            .with(Limit::TasksPerProject, 9)
            .with(Limit::SubtasksPerTask, 3)
            .with(Limit::CommentsPerTask, 3);
        let shop = shop_with(on, limits).await;
        let whole = shop.task(json!({"title": "The whole"})).await;
        let aside = shop.task(json!({"title": "Aside"})).await;
        let tasks = format!("{WEB}/tasks");
        let parts = (0..8).map(|n| json!({"title": format!("part {n}"), "parent_task_id": id(&whole)})).collect();
        make_at_once(&shop, &tasks, parts, 3, Limit::SubtasksPerTask, 3).await;
        let below = json!({"parent_task_id": id(&whole)});
        is_past(shop.patch(&shop.ada, &path_of(&aside), below).await, Limit::SubtasksPerTask, 3);
        let comments = (0..8).map(|n| json!({"body_json": says(&format!("comment {n}"))})).collect();
        let path = format!("{}/comments", path_of(&whole));
        make_at_once(&shop, &path, comments, 3, Limit::CommentsPerTask, 3).await;
        let whole = shop.read(&shop.ada, &path_of(&whole)).await;
        assert_eq!((&whole["subtask_count"], &whole["comment_count"]), (&json!(3), &json!(3)));
        let others = (0..8).map(|n| json!({"title": format!("other {n}")})).collect();
        // Five numbers are used: the refused requests gave theirs back.
        make_at_once(&shop, &tasks, others, 4, Limit::TasksPerProject, 9).await;
    }

    async fn nobody_makes_more_organizations_than_they_may_own(on: On) {
        let shop = shop_with(on, Limits::default().with(Limit::OrganizationsPerOwner, 3)).await;
        let new = |n: usize| json!({"name": format!("number {n}"), "slug": format!("number-{n}")});
        make_at_once(&shop, "/organizations", (0..8).map(new).collect(), 2, Limit::OrganizationsPerOwner, 3).await;
        // Grace is a member of one of them, and owns none.
        shop.make(&shop.grace, "/organizations", json!({"name": "Compilers", "slug": "compilers"})).await;
        shop.remove(&shop.ada, ORG).await.expect(StatusCode::NO_CONTENT);
        shop.make(&shop.ada, "/organizations", new(9)).await;
    }

    async fn pending_invitations_and_members_end_at_their_limits(on: On) {
        let limits = Limits::default()
            .with(Limit::InvitationsPerOrganization, 3)
            .with(Limit::MembersPerOrganization, 3);
        let shop = shop_with(on, limits).await;
        let invite = format!("{ORG}/invite");
        let bodies = (0..6).map(|n| json!({"email": format!("guest{n}@example.com"), "role": "member"})).collect();
        make_at_once(&shop, &invite, bodies, 3, Limit::InvitationsPerOrganization, 3).await;
        let listed = shop.read(&shop.ada, &format!("{ORG}/invitations?limit=100")).await;
        let pending: Vec<String> = listed["invitations"].as_array().unwrap().iter()
            .filter(|invitation| invitation["status"] == "pending")
            .map(|invitation| invitation["email"].as_str().unwrap().to_owned())
            .collect();
        assert_eq!(pending.len(), 3);
        // Another invitation to the same address replaces the first one, whose mail is already sent.
        shop.app.drain().await;
        shop.make(&shop.ada, &invite, json!({"email": pending[0], "role": "admin"})).await;
        let mut calls = Vec::new();
        for email in &pending {
            let path = format!("/auth/invitations/{}/accept", shop.app.mailed_token(email).await);
            let body = json!({"display_name": "Guest", "password": workscribe_testkit::app::PASSWORD});
            let shop = Arc::clone(&shop);
            calls.push(async move { shop.app.post(&path).json(&body).send().await });
        }
        let answers = at_once(calls).await;
        let (joined, refused): (Vec<_>, Vec<_>) =
            answers.into_iter().partition(|answer| answer.status == StatusCode::OK);
        assert_eq!(joined.len(), 1, "Ada, Grace and one more");
        for answer in refused {
            is_past(answer, Limit::MembersPerOrganization, 3);
        }
    }

    async fn a_page_ends_early_where_it_shows_enough_bytes_and_nothing_is_lost(on: On) {
        let shop = shop_with(on, Limits::default().with(Limit::PageBytes, 100_000)).await;
        let task = shop.task(json!({"title": "Long"})).await;
        let path = format!("{}/comments", path_of(&task));
        let mut made = Vec::new();
        for length in [30_000, 50_000, 60_000, 10, 10, 200_000, 10, 99_000] {
            // One after another, so that their order is known.
            shop.app.clock.advance(chrono::TimeDelta::milliseconds(1));
            made.push(id(&shop.make(&shop.ada, &path, json!({"body_json": says(&"x".repeat(length))})).await));
        }
        let (mut seen, mut sizes, mut cursor) = (Vec::new(), Vec::new(), String::new());
        loop {
            let page = shop.read(&shop.ada, &format!("{path}?limit=100{cursor}")).await;
            let comments = page["comments"].as_array().unwrap();
            sizes.push(comments.len());
            seen.extend(comments.iter().map(id));
            match page["next_cursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => break,
            }
        }
        assert_eq!(seen, made);
        assert_eq!(sizes, [3, 3, 2]);
        // Other lists end in the same way.
        let described = "d".repeat(9_000);
        for n in 0..15 {
            let body = json!({"name": format!("Project {n}"), "key": format!("P{n}"), "description": described});
            shop.make(&shop.ada, &format!("{ORG}/projects"), body).await;
        }
        let first = shop.read(&shop.ada, &format!("{ORG}/projects?limit=100")).await;
        assert!(first["projects"].as_array().unwrap().len() < 16 && first["next_cursor"].is_string());
        assert_eq!(walk(&shop.app, &shop.ada, &format!("{ORG}/projects"), 100).await.len(), 16);
    }

    async fn anyone_can_read_the_limits_of_this_server(on: On) {
        let shop = shop_with(on, Limits::default().with(Limit::LabelsPerTask, 7)).await;
        let told = shop.app.get("/limits").send().await.expect(StatusCode::OK).json;
        let told = told["limits"].as_array().unwrap();
        assert_eq!(told.len(), Limit::ALL.len());
        for (told, limit) in told.iter().zip(Limit::ALL) {
            let value = if *limit == Limit::LabelsPerTask { 7 } else { limit.default_value() };
            assert_eq!((&told["limit_name"], &told["limit"]), (&json!(limit.name()), &json!(value)));
            assert_eq!(told["unit"], limit.unit().as_str());
            assert_eq!(told["per_seconds"].as_u64(), limit.per().map(|per| per.as_secs()));
            assert_eq!(told["code"].as_str().unwrap_or_default(), limit.code());
            assert!(told["detail"].as_str().unwrap().contains(&value.to_string()));
        }
    }

    async fn the_rates_are_told_with_their_time_and_not_where_they_are_lifted(on: On) {
        let limits = Limits::default().with(Limit::LoginsPerAddress, 12);
        let shop = shop_with(on, limits.clone()).await;
        let told = shop.app.get("/limits").send().await.expect(StatusCode::OK).json;
        let of = |name: &str| {
            let all = told["limits"].as_array().unwrap();
            let one = all.iter().find(|one| one["limit_name"] == name).unwrap_or_else(|| panic!("no {name}"));
            json!([one["limit"], one["unit"], one["per_seconds"], one["code"]])
        };
        assert_eq!(of("requests_per_user"), json!([50, "requests", 1, "RATE_LIMITED"]));
        assert_eq!(of("logins_per_address"), json!([12, "requests", 60, "RATE_LIMITED"]));
        assert_eq!(of("invitation_mails_per_recipient"), json!([10, "mails", 86_400, "RATE_LIMITED"]));
        assert_eq!(of("webhook_messages_per_host"), json!([600, "messages", 60, null]));
        assert_eq!(of("webhook_share_of_organization"), json!([25, "percent", null, null]));
        assert_eq!(of("labels_per_task"), json!([50, "items", null, "LIMIT_REACHED"]));
        let without = shop_with(on, limits.lifted()).await.app.get("/limits").send().await.expect(StatusCode::OK).json;
        let names: Vec<&str> =
            without["limits"].as_array().unwrap().iter().map(|one| one["limit_name"].as_str().unwrap()).collect();
        assert!(!names.contains(&"requests_per_user") && !names.contains(&"logins_per_address"), "{names:?}");
        assert!(names.contains(&"webhook_messages_per_host") && names.contains(&"labels_per_task"), "{names:?}");
    }
}

/// The rows of the table in `docs/LIMITS.md`, made from the declaration.
fn rows() -> Vec<String> {
    let defaults = Limits::default();
    let row = |limit: &Limit| {
        let setting = match limit.changeable() {
            Changeable::Yes => "`WORKSCRIBE_LIMITS`",
            Changeable::Lifted => "`WORKSCRIBE_LIMITS`, `WORKSCRIBE_RATE_LIMITS`",
            Changeable::No => "",
        };
        let code = if limit.code().is_empty() { String::new() } else { format!("`{}`", limit.code()) };
        let per = limit.per().map(|per| format!(" in {} s", per.as_secs())).unwrap_or_default();
        let (name, value, unit) = (limit.name(), limit.default_value(), limit.unit().as_str());
        format!("| `{name}` | {value} | {unit}{per} | {setting} | {code} | {} |", defaults.sentence(*limit))
    };
    Limit::ALL.iter().map(row).collect()
}

#[test]
fn the_document_of_limits_has_every_limit_as_it_is_declared_and_no_other() {
    let document = include_str!("../../../docs/LIMITS.md");
    let rows = rows();
    let there: Vec<&str> = document.lines().filter(|line| line.starts_with('|')).skip(2).collect();
    assert!(there == rows, "docs/LIMITS.md must have these rows alone:\n{}", rows.join("\n"));
}

/// The limit of a field in a request, by its schema and name.
fn limit_of(schema: &str, field: &str) -> Option<Limit> {
    Some(match field {
        "title" => Limit::TitleCharacters,
        "name" if schema.contains("Label") || schema.contains("Status") => Limit::LabelNameCharacters,
        "name" | "display_name" => Limit::NameCharacters,
        "description" if schema.contains("Webhook") => Limit::WebhookDescriptionCharacters,
        "description" => Limit::DescriptionCharacters,
        "slug" => Limit::SlugCharacters,
        "key" => Limit::KeyCharacters,
        "email" => Limit::EmailBytes,
        "password" | "new_password" => Limit::PasswordCharacters,
        "avatar_url" => Limit::AvatarUrlBytes,
        "url" => Limit::WebhookUrlCharacters,
        "events" => Limit::EventsPerWebhook,
        "label_ids" | "add_label_ids" | "remove_label_ids" => Limit::LabelsPerTask,
        "task_ids" | "updates" => Limit::TasksPerChange,
        _ => return None,
    })
}

#[test]
fn every_bound_in_the_openapi_document_is_a_declared_limit() {
    let document = workscribe_http::openapi::whole();
    let mut compared = 0;
    for (schema, value) in document["components"]["schemas"].as_object().unwrap() {
        for (field, property) in value["properties"].as_object().into_iter().flatten() {
            for keyword in ["maxLength", "maxItems"] {
                let Some(told) = property[keyword].as_u64() else { continue };
                let limit =
                    limit_of(schema, field).unwrap_or_else(|| panic!("{schema}.{field} has no limit"));
                assert_eq!(told, u64::from(limit.default_value()), "{keyword} of {schema}.{field}");
                compared += 1;
            }
        }
    }
    assert!(compared > 30, "{compared} bounds are told");
}
