//! Concurrent reads share their look-ups, and no reader gets an outdated result.

use std::sync::atomic::{AtomicBool, Ordering};

use workscribe_testkit::databases;
use workscribe_testkit::proxy::Proxy;

use crate::support::*;

/// Repeats the same reads until it is dropped, so that look-ups of others are shared.
struct Company(Arc<AtomicBool>);

impl Company {
    fn of(app: &Arc<TestApp>, logins: &[Login]) -> Self {
        let over = Arc::<AtomicBool>::default();
        for login in logins.iter().cycle().take(12) {
            let (app, login, over) = (Arc::clone(app), login.clone(), Arc::clone(&over));
            tokio::spawn(async move {
                while !over.load(Ordering::Relaxed) {
                    for path in [ORG, "/auth/me", "/organizations/engines/projects/WEB"] {
                        app.get(path).bearer(&login).send().await;
                    }
                }
            });
        }
        Self(over)
    }
}

impl Drop for Company {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

on_every_storage! {
    async fn in_company_a_role_holds_from_the_next_request_and_a_logout_ends_access(on: On) {
        let (app, ada) = on.engines().await;
        let new = json!({"name": "The web", "key": "WEB"});
        app.post(&format!("{ORG}/projects")).bearer(&ada).json(&new).send().await.expect(StatusCode::CREATED);
        let grace = app.member(&ada, "engines", "grace@example.com", "member").await;
        let _company = Company::of(&app, &[ada.clone(), grace.clone()]);
        let member = format!("{ORG}/members/{}", grace.user_id);
        for _ in 0..10 {
            for (role, status) in [("admin", StatusCode::OK), ("member", StatusCode::FORBIDDEN)] {
                app.patch(&member).bearer(&ada).json(&json!({"role": role})).send().await.expect(StatusCode::OK);
                let rename = app.patch(ORG).bearer(&grace).json(&json!({"name": "Engines"}));
                rename.send().await.expect(status);
            }
        }
        app.delete(&member).bearer(&ada).send().await.expect(StatusCode::NO_CONTENT);
        app.get(ORG).bearer(&grace).send().await.refused(404, "ORGANIZATION_NOT_FOUND");
        app.post("/auth/logout").bearer(&grace).send().await.expect(StatusCode::NO_CONTENT);
        app.get("/auth/me").bearer(&grace).send().await.refused(401, "UNAUTHENTICATED");
    }

    async fn everybody_hears_of_what_they_asked_for(on: On) {
        let (app, ada) = on.ada().await;
        let mut people = vec![ada.clone()];
        for (number, project) in ["WEB", "APP"].iter().enumerate() {
            if number == 0 {
                app.organization(&ada, "engines").await;
            }
            let new = json!({"name": "A project", "key": project});
            app.post(&format!("{ORG}/projects")).bearer(&ada).json(&new).send().await.expect(StatusCode::CREATED);
        }
        for name in ["grace", "edsger", "barbara"] {
            people.push(app.member(&ada, "engines", &format!("{name}@example.com"), "member").await);
        }
        let outsider = app.register("outsider@example.com").await;
        let ask = |number: usize| {
            let (app, login) = (Arc::clone(&app), people[number % people.len()].clone());
            let (outsider, project) = (outsider.clone(), ["WEB", "app"][number % 2]);
            async move {
                let me = app.get("/auth/me").bearer(&login).send().await.expect(StatusCode::OK);
                assert_eq!(me.json["email"], json!(login.email));
                let path = format!("{ORG}/projects/{project}");
                let found = app.get(&path).bearer(&login).send().await.expect(StatusCode::OK);
                assert_eq!(found.json["key"], json!(project.to_uppercase()));
                let by_id = format!("{ORG}/projects/{}", found.json["id"].as_str().unwrap());
                let again = app.get(&by_id).bearer(&login).send().await.expect(StatusCode::OK);
                assert_eq!(again.json, found.json);
                let missing = format!("{ORG}/projects/NONE");
                app.get(&missing).bearer(&login).send().await.refused(404, "PROJECT_NOT_FOUND");
                app.get(&path).bearer(&outsider).send().await.refused(404, "ORGANIZATION_NOT_FOUND");
            }
        };
        at_once((0..64).map(ask)).await;
    }
}

#[tokio::test]
async fn thirty_two_reads_at_once_make_a_few_statements() {
    let database = databases::postgres().await;
    let proxy = Proxy::before(&database.url).await.unwrap();
    let through = workscribe_sql::connect(&proxy.url, &databases::options()).await.unwrap();
    let app = Arc::new(TestApp::new(through.storage()));
    let ada = app.register("ada@example.com").await;
    app.organization(&ada, "engines").await;
    let tasks = format!("{ORG}/projects/WEB/tasks");
    let new = json!({"name": "The web", "key": "WEB"});
    app.post(&format!("{ORG}/projects")).bearer(&ada).json(&new).send().await.expect(StatusCode::CREATED);
    let mut paths = vec!["/auth/me".to_owned(), ORG.to_owned(), format!("{ORG}/projects/WEB")];
    for number in 0..29 {
        let task =
            app.post(&tasks).bearer(&ada).json(&json!({"title": format!("Part {number}")})).send().await;
        paths.push(format!("/tasks/{}", task.expect(StatusCode::CREATED).json["id"].as_str().unwrap()));
    }
    for path in &paths {
        app.get(path).bearer(&ada).send().await.expect(StatusCode::OK);
    }
    let before = proxy.traffic();
    let answers = at_once(paths.iter().map(|path| {
        let (app, ada, path) = (Arc::clone(&app), ada.clone(), path.clone());
        async move { app.get(&path).bearer(&ada).send().await.status }
    }));
    assert!(answers.await.iter().all(|status| *status == 200));
    let traffic = proxy.traffic() - before;
    // One statement for each of the three. For tasks, the first two use one each, and the others share one.
    assert!((4..=10).contains(&traffic.statements), "{traffic:?}");
}
