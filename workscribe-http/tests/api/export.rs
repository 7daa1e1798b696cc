//! Exports of organizations over HTTP.

use workscribe_core::transfer::{Bundle, Ids, ImportOptions, Record};

use crate::support::*;
use crate::workshop::{Workshop, says};

on_every_storage! {
    async fn an_owner_takes_everything_out_and_an_operator_brings_it_in(on: On) {
        let shop = Workshop::new(on).await;
        shop.task(json!({"title": "Fix the Café", "description_json": says("The roof leaks badly")})).await;
        let answer = shop.app.get(&format!("{ORG}/export")).bearer(&shop.ada).send().await.expect(StatusCode::OK);
        assert_eq!(answer.header("content-type"), Some("application/x-ndjson"));
        assert_eq!(answer.header("content-disposition"), Some("attachment; filename=\"engines.jsonl\""));
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        let lines: Vec<Record> = answer.text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert!(matches!(lines.first(), Some(Record::Header(_))) && matches!(lines.last(), Some(Record::End(_))));
        assert_eq!(lines.iter().filter(|line| matches!(line, Record::User(_))).count(), 2);
        assert!(!answer.text.contains("password"), "nothing by which somebody logs in");

        let bundle = Bundle::read(answer.text.as_bytes()).unwrap();
        // The people of the test have passwords, and never verified their addresses.
        let options = ImportOptions {
            ids: Ids::Remap,
            slug: Some("copies".into()),
            trust_unverified: true,
            ..ImportOptions::default()
        };
        let app = &shop.app.app;
        let mut uow = app.begin().await.unwrap();
        app.transfer().import(&mut *uow, &bundle, &options).await.unwrap();
        app.commit(uow).await.unwrap();
        let tasks = shop.read(&shop.grace, "/organizations/copies/projects/WEB/tasks").await;
        assert_eq!(tasks["tasks"][0]["title"], "Fix the Café");
        let found = shop.read(&shop.grace, "/organizations/copies/search?q=roof").await;
        assert_eq!(found["results"].as_array().unwrap().len(), 1);
    }

    async fn nobody_but_an_owner_takes_anything_out(on: On) {
        let shop = Workshop::new(on).await;
        let path = format!("{ORG}/export");
        shop.app.get(&path).bearer(&shop.grace).send().await.refused(403, "INSUFFICIENT_ROLE");
        let outsider = shop.app.register("charles@example.com").await;
        shop.app.get(&path).bearer(&outsider).send().await.refused(404, "ORGANIZATION_NOT_FOUND");
        shop.app.get(&path).send().await.refused(401, "UNAUTHENTICATED");
    }

    async fn who_does_not_take_an_export_holds_up_nobody_else(on: On) {
        let app = on.app().await;
        let mut unread = Vec::new();
        for (number, slug) in ["acme", "looms", "mills"].into_iter().enumerate() {
            let owner = app.register(&format!("owner{number}@example.com")).await;
            app.organization(&owner, slug).await;
            let path = format!("/organizations/{slug}/export");
            // Two exports read the database at a time. If an unread one kept its turn, the third one would wait.
            unread.push(app.get(&path).bearer(&owner).open().await);
            app.get(&path).bearer(&owner).send().await.refused(503, "OVERLOADED");
        }
        for answer in unread {
            assert_eq!(answer.status(), StatusCode::OK);
            let text = answer.into_body().into_string().await.unwrap();
            assert!(text.lines().last().unwrap().contains("\"end\""), "{text}");
        }
    }

    async fn an_operator_says_how_many_exports_are_taken_at_a_time(on: On) {
        let limits = Limits::default().with(Limit::ExportsAtOnce, 1);
        let app = on.app_with(|builder| builder.settings(with_limits(limits))).await;
        let (ada, grace) = (app.register("ada@example.com").await, app.register("grace@example.com").await);
        app.organization(&ada, "engines").await;
        app.organization(&grace, "looms").await;
        let unread = app.get("/organizations/engines/export").bearer(&ada).open().await;
        app.get("/organizations/looms/export").bearer(&grace).send().await.refused(503, "OVERLOADED");
        drop(unread);
        app.get("/organizations/looms/export").bearer(&grace).send().await.expect(StatusCode::OK);
    }

    async fn a_person_takes_no_more_than_two_exports_at_a_time(on: On) {
        let app = on.app().await;
        let owner = app.register("owner@example.com").await;
        let mut unread = Vec::new();
        for slug in ["acme", "looms", "mills"] {
            app.organization(&owner, slug).await;
            unread.push(app.get(&format!("/organizations/{slug}/export")).bearer(&owner).open().await);
        }
        let statuses: Vec<u16> = unread.iter().map(|answer| answer.status().as_u16()).collect();
        assert_eq!(statuses, [200, 200, 503]);
        drop(unread);
        app.get("/organizations/mills/export").bearer(&owner).send().await.expect(StatusCode::OK);
    }
}
