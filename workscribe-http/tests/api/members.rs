//! Members: listing, changing roles, removing; and the owner who always remains.

use workscribe_core::clock::Entropy as _;
use workscribe_core::outbox::Job as _;
use workscribe_core::tenancy::In;
use workscribe_core::work::UnassignFormer;
use workscribe_testkit::clock::SeededEntropy;

use crate::support::*;

const ROLES: [&str; 3] = ["member", "admin", "owner"];

fn path_of(member: &Login) -> String {
    format!("{ORG}/members/{}", member.user_id)
}

async fn set_role(app: &TestApp, by: &Login, member: &Login, role: &str) -> Answer {
    app.patch(&path_of(member)).bearer(by).json(&json!({"role": role})).send().await
}

async fn remove(app: &TestApp, by: &Login, member: &Login) -> Answer {
    app.delete(&path_of(member)).bearer(by).send().await
}

/// Adds a new person with any role.
async fn add(app: &TestApp, founder: &Login, email: &str, role: &str) -> Login {
    let added = app.member(founder, "engines", email, "member").await;
    set_role(app, founder, &added, role).await.expect(StatusCode::OK);
    added
}

/// Two people with every role. The first of each acts on the second.
async fn people(app: &TestApp, founder: &Login) -> Vec<(&'static str, Login, Login)> {
    let mut people = Vec::new();
    for role in ROLES {
        let actor = add(app, founder, &format!("{role}-1@example.com"), role).await;
        let target = add(app, founder, &format!("{role}-2@example.com"), role).await;
        people.push((role, actor, target));
    }
    people
}

on_every_storage! {
    async fn members_are_listed_by_time_of_joining(on: On) {
        let (app, ada) = on.engines().await;
        let mut joined = vec![ada.email.clone()];
        for number in 0..6 {
            app.clock.advance(TimeDelta::seconds(1));
            joined.push(app.member(&ada, "engines", &format!("m{number}@example.com"), "member").await.email);
        }
        for limit in [1, 3, 7, 100] {
            let members = walk(&app, &ada, &format!("{ORG}/members"), limit).await;
            assert_eq!(texts(&members, "email"), joined, "{limit} on a page");
        }
        let page = app.get(&format!("{ORG}/members?limit=2&count=true")).bearer(&ada).send().await.json;
        assert_eq!(page["total"], 7);
        let first = &page["members"][0];
        let expected = json!({
            "user_id": ada.user_id, "email": "ada@example.com", "display_name": "Ada Lovelace", "avatar_url": null,
            "role": "owner", "joined_at": "2033-05-18T03:33:20.123456Z",
        });
        assert_eq!(*first, expected);
    }

    async fn nobody_grants_above_their_own_role_and_only_owners_change_owners_and_admins(on: On) {
        let (app, ada) = on.engines().await;
        let people = people(&app, &ada).await;
        let mut table = Vec::new();
        for (role, actor, _) in &people {
            for (target_role, _, target) in &people {
                let mut line = format!("{role:6} on {target_role:6}:");
                for wanted in ROLES {
                    let answer = set_role(&app, actor, target, wanted).await;
                    line.push_str(&format!(" {}", answer.status.as_u16()));
                    if answer.status == StatusCode::OK {
                        assert_eq!(
                            (&answer.json["role"], &answer.json["user_id"]),
                            (&json!(wanted), &json!(target.user_id))
                        );
                        set_role(&app, &ada, target, target_role).await.expect(StatusCode::OK);
                    } else {
                        answer.refused(403, "INSUFFICIENT_ROLE");
                    }
                }
                table.push(line);
            }
        }
        assert_eq!(
            table,
            [
                //               to member, admin, owner
                "member on member: 403 403 403",
                "member on admin : 403 403 403",
                "member on owner : 403 403 403",
                "admin  on member: 200 200 403",
                "admin  on admin : 403 403 403",
                "admin  on owner : 403 403 403",
                "owner  on member: 200 200 200",
                "owner  on admin : 200 200 200",
                "owner  on owner : 200 200 200",
            ]
        );
    }

    async fn only_an_owner_changes_their_own_role(on: On) {
        let (app, ada) = on.engines().await;
        for (role, actor, _) in people(&app, &ada).await {
            for wanted in ROLES {
                let answer = set_role(&app, &actor, &actor, wanted).await;
                if role != "owner" {
                    answer.refused(403, "INSUFFICIENT_ROLE");
                } else {
                    answer.expect(StatusCode::OK);
                    set_role(&app, &ada, &actor, "owner").await.expect(StatusCode::OK);
                }
            }
        }
    }

    async fn members_are_removed_by_admins_and_anybody_by_owners(on: On) {
        let (app, ada) = on.engines().await;
        let mut people = people(&app, &ada).await;
        let mut table = Vec::new();
        // Members first, so that they try it before anyone is removed.
        for index in 0..people.len() {
            let mut line = format!("{:6}:", people[index].0);
            for target_index in 0..people.len() {
                let answer = remove(&app, &people[index].1, &people[target_index].2).await;
                line.push_str(&format!(" {}", answer.status.as_u16()));
                if answer.status == StatusCode::NO_CONTENT {
                    let again = remove(&app, &people[index].1, &people[target_index].2).await;
                    again.refused(404, "MEMBER_NOT_FOUND");
                    let (role, _, target) = &mut people[target_index];
                    *target = add(&app, &ada, &format!("{role}-{index}@other.example"), role).await;
                } else {
                    answer.refused(403, "INSUFFICIENT_ROLE");
                }
            }
            table.push(line);
        }
        assert_eq!(table, ["member: 403 403 403", "admin : 204 403 403", "owner : 204 204 204"]);
        for (_, actor, _) in &people {
            remove(&app, actor, actor).await.expect(StatusCode::NO_CONTENT);
            app.get(ORG).bearer(actor).send().await.refused(404, "ORGANIZATION_NOT_FOUND");
        }
    }

    async fn the_last_owner_can_neither_step_down_nor_leave_nor_be_removed(on: On) {
        let (app, ada) = on.engines().await;
        let grace = add(&app, &ada, "grace@example.com", "admin").await;
        set_role(&app, &ada, &ada, "admin").await.refused(409, "LAST_OWNER");
        set_role(&app, &ada, &ada, "member").await.refused(409, "LAST_OWNER");
        remove(&app, &ada, &ada).await.refused(409, "LAST_OWNER");
        remove(&app, &grace, &ada).await.refused(403, "INSUFFICIENT_ROLE");
        set_role(&app, &ada, &ada, "owner").await.expect(StatusCode::OK);
        // With another owner they can leave, and then the other one is the last.
        set_role(&app, &ada, &grace, "owner").await.expect(StatusCode::OK);
        set_role(&app, &ada, &ada, "member").await.expect(StatusCode::OK);
        remove(&app, &grace, &grace).await.refused(409, "LAST_OWNER");
        set_role(&app, &grace, &grace, "member").await.refused(409, "LAST_OWNER");
        remove(&app, &ada, &ada).await.expect(StatusCode::NO_CONTENT);
    }

    async fn who_is_removed_is_out_at_the_next_request_and_may_be_invited_again(on: On) {
        let (app, ada) = on.engines().await;
        let grace = add(&app, &ada, "grace@example.com", "admin").await;
        app.get(ORG).bearer(&grace).send().await.expect(StatusCode::OK);
        remove(&app, &ada, &grace).await.expect(StatusCode::NO_CONTENT);
        for path in [ORG.to_owned(), format!("{ORG}/members"), format!("{ORG}/invitations")] {
            app.get(&path).bearer(&grace).send().await.refused(404, "ORGANIZATION_NOT_FOUND");
        }
        set_role(&app, &grace, &grace, "owner").await.refused(404, "ORGANIZATION_NOT_FOUND");
        // Their account remains, and so do their memberships in other organizations.
        app.get("/auth/me").bearer(&grace).send().await.expect(StatusCode::OK);
        assert!(walk(&app, &grace, "/organizations", 10).await.is_empty());
        app.clock.advance(TimeDelta::seconds(1));
        rejoin(&app, &ada, &grace).await;
        let members = walk(&app, &grace, &format!("{ORG}/members"), 10).await;
        assert_eq!(texts(&members, "role"), ["owner", "member"], "the old role does not come back");
    }

    async fn who_has_many_tasks_is_removed_at_once_and_a_job_takes_the_tasks(on: On) {
        let (app, ada) = on.engines().await;
        let grace = add(&app, &ada, "grace@example.com", "member").await;
        tasks_of(&app, &ada, &grace, 230).await;
        remove(&app, &ada, &grace).await.expect(StatusCode::NO_CONTENT);
        app.get(ORG).bearer(&grace).send().await.refused(404, "ORGANIZATION_NOT_FOUND");
        assert_eq!(open_of(&app, &ada, &grace).await, 130, "a portion goes with the removal");
        let give = app.post(&format!("{ORG}/projects/WEB/tasks")).bearer(&ada);
        let refused = give.json(&json!({"title": "A task", "assignee_id": grace.user_id})).send().await;
        refused.refused(422, "VALIDATION_FAILED");
        app.clock.advance(TimeDelta::seconds(1));
        app.drain().await;
        assert_eq!(open_of(&app, &ada, &grace).await, 0);
        let path = format!("{ORG}/activity?limit=100");
        let lines = app.get(&path).bearer(&ada).send().await.expect(StatusCode::OK).json;
        let last = &lines["activity"].as_array().unwrap()[0];
        assert_eq!((&last["field_name"], &last["actor"]["id"]), (&json!("assignee_id"), &json!(ada.user_id)), "{last}");
    }

    async fn who_is_back_before_the_job_is_through_keeps_what_it_has_not_taken(on: On) {
        let (app, ada) = on.engines().await;
        let grace = add(&app, &ada, "grace@example.com", "member").await;
        tasks_of(&app, &ada, &grace, 150).await;
        let mut uow = app.app.begin().await.unwrap();
        let scope = *In::organization(&mut *uow, "engines", ada.user_id.parse().unwrap()).await.unwrap().scope();
        drop(uow);
        remove(&app, &ada, &grace).await.expect(StatusCode::NO_CONTENT);
        let mut uow = app.app.begin().await.unwrap();
        uow.jobs().pause(UnassignFormer::QUEUE, app.app.now()).await.unwrap();
        app.app.commit(uow).await.unwrap();
        rejoin(&app, &ada, &grace).await;
        tasks_of(&app, &ada, &grace, 1).await;
        let job = UnassignFormer {
            org_id: scope.org(),
            user_id: grace.user_id.parse().unwrap(),
            actor_id: scope.actor(),
        };
        app.app.tasks().unassign_former(&job).await.unwrap();
        assert_eq!(open_of(&app, &ada, &grace).await, 51, "and what they were given since");
    }

    async fn a_condition_on_a_member_holds_the_version_of_the_role(on: On) {
        let (app, ada) = on.engines().await;
        let grace = add(&app, &ada, "grace@example.com", "member").await;
        let path = path_of(&grace);
        let change =
            |tag: &str, body: Value| app.patch(&path).bearer(&ada).header("if-match", tag).json(&body).send();
        let first = change("*", json!({})).await.expect(StatusCode::OK);
        assert_eq!(first.json["role"], "member", "an empty change answers the member as it is");
        let second = change(&first.etag(), json!({"role": "admin"})).await.expect(StatusCode::OK);
        assert_ne!(second.etag(), first.etag());
        change(&first.etag(), json!({"role": "member"})).await.refused(412, "STALE_VERSION");
        change(&first.etag(), json!({})).await.refused(412, "STALE_VERSION");
        change("\"no tag of this server\"", json!({"role": "member"})).await.refused(412, "STALE_VERSION");
        let stale = app.delete(&path).bearer(&ada).header("if-match", &first.etag()).send().await;
        stale.refused(412, "STALE_VERSION");
        let removed = app.delete(&path).bearer(&ada).header("if-match", &second.etag()).send().await;
        removed.expect(StatusCode::NO_CONTENT);
    }

    async fn a_role_that_is_none_is_refused_at_its_pointer(on: On) {
        let (app, ada) = on.engines().await;
        let grace = add(&app, &ada, "grace@example.com", "member").await;
        for (role, fault) in [
            (json!(null), "/role NOT_NULLABLE"),
            (json!("god"), "/role WRONG_TYPE"),
            (json!("OWNER"), "/role WRONG_TYPE"),
            (json!(1), "/role WRONG_TYPE"),
        ] {
            let refused = app.patch(&path_of(&grace)).bearer(&ada).json(&json!({"role": role})).send().await;
            assert_eq!(refused.refused(422, "VALIDATION_FAILED").faults(), [fault]);
        }
        for id in ["nobody", "019ab0c4-5d2e-7c31-9f64-0d1b2a3c4e5f"] {
            let path = format!("{ORG}/members/{id}");
            let body = json!({"role": "admin"});
            app.patch(&path).bearer(&ada).json(&body).send().await.refused(404, "MEMBER_NOT_FOUND");
            app.delete(&path).bearer(&ada).send().await.refused(404, "MEMBER_NOT_FOUND");
        }
    }

    async fn an_owner_survives_a_hundred_races(on: On) {
        let (app, ada) = on.engines().await;
        let app = Arc::new(app);
        let grace = add(&app, &ada, "grace@example.com", "owner").await;
        let mary = add(&app, &ada, "mary@example.com", "owner").await;
        let everybody = [ada, grace, mary];
        let chance = SeededEntropy::new(15);
        for round in 0..100 {
            let owners = if round % 3 == 2 { 3 } else { 2 };
            restore(&app, &everybody, owners).await;
            let answers = at_once((0..owners).map(|index| {
                let (actor, other) = (everybody[index].clone(), everybody[(index + 1) % owners].clone());
                let mut dice = [0; 1];
                chance.fill(&mut dice);
                let (app, deed) = (app.clone(), if owners == 3 { dice[0] % 4 } else { round as u8 % 3 });
                async move {
                    match deed {
                        0 => set_role(&app, &actor, &other, "member").await,
                        1 => remove(&app, &actor, &actor).await,
                        2 => remove(&app, &actor, &other).await,
                        _ => set_role(&app, &actor, &actor, "admin").await,
                    }
                }
            }))
            .await;
            let statuses: Vec<_> = answers.iter().map(|answer| answer.status.as_u16()).collect();
            assert!(statuses.iter().all(|status| [200, 204, 403, 404, 409].contains(status)), "{answers:?}");
            assert!(
                statuses.iter().any(|status| *status < 300),
                "round {round}: somebody comes first: {statuses:?}"
            );
            assert!(!owners_now(&app, &everybody).await.is_empty(), "round {round}: {statuses:?}");
        }
    }
}

/// Assigns tasks of a new project to a person.
async fn tasks_of(app: &TestApp, by: &Login, to: &Login, count: usize) {
    let project = json!({"name": "Website", "key": "WEB", "type": "kanban"});
    // At the second call the project exists.
    app.post(&format!("{ORG}/projects")).bearer(by).json(&project).send().await;
    for number in 0..count {
        let body = json!({"title": format!("Task {number}"), "assignee_id": to.user_id});
        let path = format!("{ORG}/projects/WEB/tasks");
        app.post(&path).bearer(by).json(&body).send().await.expect(StatusCode::CREATED);
    }
}

/// How many tasks of the project are assigned to a person.
async fn open_of(app: &TestApp, by: &Login, of: &Login) -> u64 {
    let path = format!("{ORG}/projects/WEB/tasks?assignee_id={}&limit=1&count=true", of.user_id);
    app.get(&path).bearer(by).send().await.expect(StatusCode::OK).json["total"].as_u64().unwrap()
}

/// Invites a person with an account again, as a member.
async fn rejoin(app: &TestApp, by: &Login, who: &Login) {
    let body = json!({"email": who.email, "role": "member"});
    app.post(&format!("{ORG}/invite")).bearer(by).json(&body).send().await.expect(StatusCode::CREATED);
    let path = format!("/auth/invitations/{}/accept", app.mailed_token(&who.email).await);
    app.post(&path).bearer(who).send().await.expect(StatusCode::OK);
}

/// The members, as anyone who is still a member sees them.
async fn members_now(app: &TestApp, everybody: &[Login]) -> Vec<Value> {
    for login in everybody {
        let answer = app.get(&format!("{ORG}/members")).bearer(login).send().await;
        if answer.status == StatusCode::OK {
            return answer.json["members"].as_array().cloned().unwrap();
        }
        answer.refused(404, "ORGANIZATION_NOT_FOUND");
    }
    Vec::new()
}

async fn owners_now(app: &TestApp, everybody: &[Login]) -> Vec<String> {
    let members = members_now(app, everybody).await;
    let owners: Vec<_> = members.into_iter().filter(|member| member["role"] == "owner").collect();
    texts(&owners, "user_id")
}

/// Makes the first of these people owners again, and the others members.
async fn restore(app: &TestApp, everybody: &[Login], owners: usize) {
    let id = owners_now(app, everybody).await.remove(0);
    let owner = everybody.iter().find(|login| login.user_id == id).unwrap();
    let present = texts(&members_now(app, everybody).await, "user_id");
    for login in everybody {
        if !present.contains(&login.user_id) {
            rejoin(app, owner, login).await;
        }
    }
    for login in &everybody[..owners] {
        set_role(app, owner, login, "owner").await.expect(StatusCode::OK);
    }
    for login in &everybody[owners..] {
        set_role(app, &everybody[0], login, "member").await.expect(StatusCode::OK);
    }
}
