//! Organizations: creating, listing, changing and removing them.

use std::collections::BTreeSet;
use std::sync::Mutex;

use async_trait::async_trait;
use workscribe_core::Hook;
use workscribe_core::events::DomainEvent;
use workscribe_core::{Code, Error, UnitOfWork, WorkScribe};

use crate::support::*;

on_every_storage! {
    async fn an_organization_is_made_by_its_first_owner(on: On) {
        let (app, ada) = on.ada().await;
        let body = json!({"name": "  Analytical Engines ", "slug": "engines"});
        let made =
            app.post("/organizations").bearer(&ada).json(&body).send().await.expect(StatusCode::CREATED);
        assert_eq!(
            (&made.json["name"], &made.json["slug"]),
            (&json!("Analytical Engines"), &json!("engines"))
        );
        assert_eq!(made.json["created_at"], made.json["updated_at"]);
        assert_eq!(made.header("location"), Some("/api/v1/organizations/engines"));
        let read = app.get(ORG).bearer(&ada).send().await.expect(StatusCode::OK);
        assert_eq!((&read.json, read.etag()), (&made.json, made.etag()));
        let listed = app.get("/organizations").bearer(&ada).send().await.expect(StatusCode::OK).json;
        let mut expected = made.json.clone();
        expected["role"] = json!("owner");
        assert_eq!(listed, json!({"organizations": [expected], "next_cursor": null}));
    }

    async fn every_fault_of_a_new_organization_has_its_pointer(on: On) {
        let (app, ada) = on.ada().await;
        let cases = [
            (json!({}), "/name REQUIRED, /slug REQUIRED"),
            (json!({"name": 7, "slug": null}), "/name WRONG_TYPE, /slug WRONG_TYPE"),
            (json!({"name": "Engines"}), "/slug REQUIRED"),
            (json!({"name": "x", "slug": "engines"}), "/name TOO_SHORT"),
            (json!({"name": "   ", "slug": "engines"}), "/name TOO_SHORT"),
            (json!({"name": "x".repeat(101), "slug": "engines"}), "/name TOO_LONG"),
            (json!({"name": "a\nb", "slug": "engines"}), "/name CONTROL_CHARACTER"),
            (json!({"name": 7, "slug": "engines"}), "/name WRONG_TYPE"),
            (json!({"name": "x", "slug": "-"}), "/name TOO_SHORT, /slug INVALID_SLUG"),
            (json!({"name": "Engines", "slug": "api"}), "/slug RESERVED"),
            (json!({"name": "Engines", "slug": "settings"}), "/slug RESERVED"),
        ];
        for (body, faults) in cases {
            let refused = app.post("/organizations").bearer(&ada).json(&body).send().await;
            assert_eq!(refused.refused(422, "VALIDATION_FAILED").faults().join(", "), faults, "{body}");
        }
        for slug in
            ["ab", &"a".repeat(31), "Acme", "a_b", "-abc", "abc-", "a--b", "äbc", "a c", "abc\u{0}", ""]
        {
            let body = json!({"name": "Engines", "slug": slug});
            let refused = app.post("/organizations").bearer(&ada).json(&body).send().await;
            assert_eq!(
                refused.refused(422, "VALIDATION_FAILED").faults(),
                ["/slug INVALID_SLUG"],
                "{slug:?}"
            );
        }
        for slug in ["abc", &"a".repeat(30), "007", "a-1-b"] {
            let body = json!({"name": "Éé", "slug": slug});
            app.post("/organizations").bearer(&ada).json(&body).send().await.expect(StatusCode::CREATED);
        }
    }

    async fn of_fifty_who_want_one_slug_at_once_one_gets_it(on: On) {
        let (app, ada) = on.ada().await;
        let grace = app.register("grace@example.com").await;
        let answers = at_once((0..50).map(|round| {
            let (app, login) = (app.clone(), if round % 2 == 0 { ada.clone() } else { grace.clone() });
            let body = json!({"name": "Engines", "slug": "engines"});
            async move { app.post("/organizations").bearer(&login).json(&body).send().await }
        }))
        .await;
        let (made, refused): (Vec<_>, Vec<_>) =
            answers.into_iter().partition(|answer| answer.status == StatusCode::CREATED);
        assert_eq!(made.len(), 1);
        for answer in refused {
            answer.refused(409, "SLUG_TAKEN");
        }
        let mut all = walk(&app, &ada, "/organizations", 100).await;
        all.extend(walk(&app, &grace, "/organizations", 100).await);
        assert_eq!(texts(&all, "id"), [made[0].json["id"].as_str().unwrap()]);
    }

    async fn a_list_neither_skips_nor_repeats_while_organizations_are_added(on: On) {
        let (app, ada) = on.ada().await;
        // Three with the same time each, so that the second sort key matters.
        for number in 0..30 {
            app.organization(&ada, &format!("org-{number:02}")).await;
            if number % 3 == 2 {
                app.clock.advance(TimeDelta::microseconds(1));
            }
        }
        let (mut seen, mut cursor, mut added) = (Vec::new(), String::new(), 0);
        loop {
            let page =
                app.get(&format!("/organizations?limit=7&count=true{cursor}")).bearer(&ada).send().await;
            let page = page.expect(StatusCode::OK).json;
            assert_eq!(page["total"], 30 + added);
            seen.extend(texts(page["organizations"].as_array().unwrap(), "slug"));
            let Some(next) = page["next_cursor"].as_str() else { break };
            cursor = format!("&cursor={next}");
            if added < 3 {
                app.clock.advance(TimeDelta::microseconds(1));
                app.organization(&ada, &format!("new-{added}")).await;
                added += 1;
            }
        }
        let distinct: BTreeSet<_> = seen.iter().cloned().collect();
        assert_eq!((distinct.len(), seen.len()), (33, 33), "{seen:?}");
        assert!(seen.iter().take(30).all(|slug| slug.starts_with("org-")), "the oldest come first: {seen:?}");
        let page = app.get("/organizations").bearer(&ada).send().await.json;
        assert_eq!(page["organizations"].as_array().unwrap().len(), 25);
        assert!(page.get("total").is_none(), "the total is not counted unless it is asked for");
    }

    async fn the_first_servers_list_is_a_bare_array(on: On) {
        let (app, ada) = on.ada().await;
        assert_eq!(app.get("/auth/orgs").bearer(&ada).send().await.expect(StatusCode::OK).json, json!([]));
        let engines = app.organization(&ada, "engines").await;
        let names = app.get("/auth/orgs").bearer(&ada).send().await.expect(StatusCode::OK).json;
        assert_eq!(names, json!([{"id": engines["id"], "name": "engines", "slug": "engines"}]));
    }

    async fn a_change_merges_and_renames(on: On) {
        let (app, ada) = on.ada().await;
        let made = app.organization(&ada, "engines").await;
        let grace = app.member(&ada, "engines", "grace@example.com", "member").await;
        let before = app.get(ORG).bearer(&ada).send().await.etag();
        app.clock.advance(TimeDelta::seconds(1));
        let named = app.patch(ORG).bearer(&ada).json(&json!({"name": "Looms"})).send().await;
        let named = named.expect(StatusCode::OK);
        assert_eq!((&named.json["name"], &named.json["slug"]), (&json!("Looms"), &json!("engines")));
        assert_ne!(named.etag(), before);
        assert_eq!(named.json["created_at"], made["created_at"]);
        assert_ne!(named.json["updated_at"], made["updated_at"]);
        let moved = app.patch(ORG).bearer(&ada).json(&json!({"slug": "looms"})).send().await;
        let moved = moved.expect(StatusCode::OK).json;
        assert_eq!(
            (&moved["name"], &moved["slug"], &moved["id"]),
            (&json!("Looms"), &json!("looms"), &made["id"])
        );
        app.get(ORG).bearer(&ada).send().await.refused(404, "ORGANIZATION_NOT_FOUND");
        let found = app.get("/organizations/looms").bearer(&grace).send().await.expect(StatusCode::OK);
        assert_eq!(found.json, moved);
        // The old slug is free, and an organization's own slug does not conflict with itself.
        app.organization(&ada, "engines").await;
        let same = json!({"slug": "looms"});
        app.patch("/organizations/looms").bearer(&ada).json(&same).send().await.expect(StatusCode::OK);
        let taken = json!({"slug": "engines"});
        app.patch("/organizations/looms").bearer(&ada).json(&taken).send().await.refused(409, "SLUG_TAKEN");
    }

    async fn a_change_that_is_no_change_to_be_had_is_refused_whole(on: On) {
        let (app, ada) = on.ada().await;
        let made = app.organization(&ada, "engines").await;
        let cases = [
            (json!({"name": null}), "/name NOT_NULLABLE"),
            (json!({"slug": null}), "/slug NOT_NULLABLE"),
            (json!({"name": null, "slug": 7}), "/name NOT_NULLABLE, /slug WRONG_TYPE"),
            (json!({"name": "Looms", "slug": "new"}), "/slug RESERVED"),
            (json!({"name": "L", "slug": "L"}), "/name TOO_SHORT, /slug INVALID_SLUG"),
        ];
        for (body, faults) in cases {
            let refused = app.patch(ORG).bearer(&ada).json(&body).send().await;
            assert_eq!(refused.refused(422, "VALIDATION_FAILED").faults().join(", "), faults, "{body}");
        }
        assert_eq!(app.get(ORG).bearer(&ada).send().await.json, made);
    }

    async fn removal_takes_members_and_invitations_along_and_frees_the_slug(on: On) {
        let (app, ada) = on.engines().await;
        let grace = app.member(&ada, "engines", "grace@example.com", "admin").await;
        let body = json!({"email": "mary@example.com", "role": "member"});
        app.post(&format!("{ORG}/invite")).bearer(&ada).json(&body).send().await.expect(StatusCode::CREATED);
        let token = app.mailed_token("mary@example.com").await;
        app.delete(ORG).bearer(&grace).send().await.refused(403, "INSUFFICIENT_ROLE");
        app.delete(ORG).bearer(&ada).send().await.expect(StatusCode::NO_CONTENT);
        for login in [&ada, &grace] {
            app.get(ORG).bearer(login).send().await.refused(404, "ORGANIZATION_NOT_FOUND");
            app.delete(ORG).bearer(login).send().await.refused(404, "ORGANIZATION_NOT_FOUND");
            assert!(walk(&app, login, "/organizations", 10).await.is_empty());
        }
        let path = format!("/auth/invitations/{token}");
        app.get(&path).send().await.refused(404, "INVITATION_NOT_FOUND");
        // The next owner of the slug finds nothing of the old organization.
        app.organization(&grace, "engines").await;
        assert_eq!(
            texts(&walk(&app, &grace, "/organizations/engines/members", 10).await, "email"),
            [grace.email.as_str()]
        );
        assert!(walk(&app, &grace, "/organizations/engines/invitations", 10).await.is_empty());
        app.get(ORG).bearer(&ada).send().await.refused(404, "ORGANIZATION_NOT_FOUND");
    }

    async fn a_changed_role_holds_from_the_very_next_request(on: On) {
        let (app, ada) = on.engines().await;
        let grace = app.member(&ada, "engines", "grace@example.com", "member").await;
        let path = format!("/organizations/engines/members/{}", grace.user_id);
        let steps = [("admin", 200, 403), ("member", 403, 403), ("owner", 200, 204)];
        for (role, update, delete) in steps {
            let body = json!({"role": role});
            app.patch(&path).bearer(&ada).json(&body).send().await.expect(StatusCode::OK);
            let name = json!({"name": role});
            let updated = app.patch(ORG).bearer(&grace).json(&name).send().await;
            assert_eq!(updated.status, update, "{role}: {}", updated.text);
            let deleted = app.delete(ORG).bearer(&grace).send().await;
            assert_eq!(deleted.status, delete, "{role}: {}", deleted.text);
        }
    }

    async fn a_hook_that_fails_undoes_the_whole_creation(on: On) {
        let hook = Arc::new(Spy::refusing("forbidden"));
        let app = on.app_with(|builder| builder.hook(hook.clone())).await;
        let ada = app.register("ada@example.com").await;
        let create = |slug: &str, key: &str| {
            let body = json!({"name": "Engines", "slug": slug});
            app.post("/organizations").bearer(&ada).header("idempotency-key", key).json(&body).send()
        };
        create("forbidden", "first").await.refused(403, "INSUFFICIENT_ROLE");
        assert!(walk(&app, &ada, "/organizations", 10).await.is_empty());
        app.get("/organizations/forbidden").bearer(&ada).send().await.refused(404, "ORGANIZATION_NOT_FOUND");
        // The slug and the idempotency key are still free.
        hook.allow();
        let made = create("forbidden", "first").await.expect(StatusCode::CREATED);
        assert_eq!(hook.created(), [made.json["id"].as_str().unwrap()]);
    }

    async fn a_hook_sees_an_organization_once_and_within_its_transaction(on: On) {
        let hook = Arc::new(Spy::default());
        let app = on.app_with(|builder| builder.hook(hook.clone())).await;
        let ada = app.register("ada@example.com").await;
        let made = app.organization(&ada, "engines").await;
        let taken = json!({"name": "Engines", "slug": "engines"});
        app.post("/organizations").bearer(&ada).json(&taken).send().await.refused(409, "SLUG_TAKEN");
        assert_eq!(hook.created(), [made["id"].as_str().unwrap()], "a refusal is no event");
        assert_eq!(
            hook.owners(),
            [ada.user_id.as_str()],
            "the hook read the owner's account in the transaction"
        );
    }
}

/// A hook that stores which organizations were created, and refuses one slug.
#[derive(Default)]
struct Spy {
    refused: Mutex<Option<&'static str>>,
    seen: Mutex<Vec<(String, String)>>,
}

impl Spy {
    fn refusing(slug: &'static str) -> Self {
        Self { refused: Mutex::new(Some(slug)), ..Self::default() }
    }

    fn allow(&self) {
        *self.refused.lock().unwrap() = None;
    }

    fn created(&self) -> Vec<String> {
        self.seen.lock().unwrap().iter().map(|(org, _)| org.clone()).collect()
    }

    fn owners(&self) -> Vec<String> {
        self.seen.lock().unwrap().iter().map(|(_, owner)| owner.clone()).collect()
    }
}

#[async_trait]
impl Hook for Spy {
    async fn on_event(
        &self,
        _app: &WorkScribe,
        uow: &mut dyn UnitOfWork,
        event: &DomainEvent,
    ) -> Result<(), Error> {
        let DomainEvent::OrganizationCreated { organization, owner } = event else { return Ok(()) };
        if *self.refused.lock().unwrap() == Some(organization.slug.as_str()) {
            return Err(Error::new(Code::InsufficientRole, "The embedder does not want this organization."));
        }
        // The hook sees the rows, although nobody else does yet.
        let found = uow.organizations().membership(&organization.slug, *owner).await?;
        let owner = found.map(|_| owner.to_string()).unwrap_or_default();
        self.seen.lock().unwrap().push((organization.id.to_string(), owner));
        Ok(())
    }
}
