//! Invitations: from the mail to the membership, and all ways in which they end. Concurrent requests are tested in
//! `invitations/races.rs`.

mod races;

use workscribe_core::id::UserId;
use workscribe_core::identity::{Email, TokenHash};
use workscribe_core::local::LocalRateLimiter;
use workscribe_core::tenancy::{In, Invitation, InvitationStatus, Role, invitation_token};
use workscribe_testkit::app::token_of;

use crate::support::*;

const BOB: &str = "bob@example.com";

async fn try_invite(app: &TestApp, by: &Login, email: &str, role: &str) -> Answer {
    let body = json!({"email": email, "role": role});
    app.post(&format!("{ORG}/invite")).bearer(by).json(&body).send().await
}

/// Invites a person as a member. Returns the invitation and the token of its mail.
async fn invite(app: &TestApp, by: &Login, email: &str) -> (Value, String) {
    // Earlier mails are sent first, so that the invitation is the last one.
    app.drain().await;
    let invited = try_invite(app, by, email, "member").await.expect(StatusCode::CREATED);
    (invited.json, app.mailed_token(email).await)
}

async fn preview(app: &TestApp, token: &str) -> Answer {
    app.get(&format!("/auth/invitations/{token}")).send().await
}

/// Accepts as a person with an account, who is logged in.
async fn accept_as(app: &TestApp, token: &str, login: &Login) -> Answer {
    app.post(&format!("/auth/invitations/{token}/accept")).bearer(login).send().await
}

/// Accepts as a person without an account.
async fn accept_anew(app: &TestApp, token: &str) -> Answer {
    let body = json!({"display_name": "Bob Babbage", "password": PASSWORD});
    app.post(&format!("/auth/invitations/{token}/accept")).json(&body).send().await
}

fn path_of(invitation: &Value) -> String {
    format!("{ORG}/invitations/{}", invitation["id"].as_str().unwrap())
}

/// Revokes an invitation.
async fn revoke(app: &TestApp, by: &Login, invitation: &Value) -> Answer {
    app.delete(&path_of(invitation)).bearer(by).send().await
}

async fn resend(app: &TestApp, by: &Login, invitation: &Value) -> Answer {
    app.post(&format!("{}/resend", path_of(invitation))).bearer(by).send().await
}

async fn invitations(app: &TestApp, by: &Login) -> Vec<Value> {
    walk(app, by, &format!("{ORG}/invitations"), 100).await
}

async fn member_emails(app: &TestApp, by: &Login) -> Vec<String> {
    let mut emails = texts(&walk(app, by, &format!("{ORG}/members"), 100).await, "email");
    emails.sort();
    emails
}

on_every_storage! {
    async fn a_new_person_gets_an_account_a_membership_and_a_login(on: On) {
        let (app, ada) = on.engines().await;
        let invited = try_invite(&app, &ada, " Bob@Example.com ", "admin").await.expect(StatusCode::CREATED);
        let expected = json!({
            "id": invited.json["id"], "email": BOB, "role": "admin", "status": "pending", "invited_by": ada.user_id,
            "created_at": "2033-05-18T03:33:20.123456Z", "expires_at": "2033-05-20T03:33:20.123456Z",
        });
        assert_eq!(invited.json, expected);
        assert_eq!(invited.header("location"), Some(&*format!("/api/v1{}", path_of(&invited.json))));
        assert!(invited.header("etag").is_some());
        let token = app.mailed_token(BOB).await;
        let expected = json!({
            "org_name": "engines", "org_slug": "engines", "role": "admin", "email": BOB,
            "inviter_name": "Ada Lovelace", "expires_at": "2033-05-20T03:33:20.123456Z",
        });
        assert_eq!(preview(&app, &token).await.expect(StatusCode::OK).json, expected);
        let accepted = accept_anew(&app, &token).await.expect(StatusCode::OK);
        assert_eq!(accepted.header("cache-control"), Some("no-store"));
        assert_eq!(accepted.json["user"]["email_verified"], true, "the token came by mail");
        let bob = Login::of(accepted);
        let own = walk(&app, &bob, "/organizations", 10).await;
        assert_eq!(
            (texts(&own, "slug"), texts(&own, "role")),
            (vec!["engines".into()], vec!["admin".into()])
        );
        assert_eq!(texts(&invitations(&app, &bob).await, "status"), ["accepted"]);
        app.login(BOB).await;
    }

    async fn somebody_with_an_account_joins_when_logged_in_and_only_then(on: On) {
        let (app, ada) = on.engines().await;
        let bob = app.register(BOB).await;
        let (_, token) = invite(&app, &ada, BOB).await;
        accept_anew(&app, &token).await.refused(401, "LOGIN_REQUIRED");
        let path = format!("/auth/invitations/{token}/accept");
        app.post(&path).send().await.refused(401, "LOGIN_REQUIRED");
        accept_as(&app, &token, &ada).await.refused(403, "EMAIL_MISMATCH");
        app.post(&path)
            .header("authorization", "Bearer nonsense")
            .send()
            .await
            .refused(401, "UNAUTHENTICATED");
        app.post(&path).header("authorization", "Basic YTpi").send().await.refused(401, "UNAUTHENTICATED");
        assert_eq!(member_emails(&app, &ada).await, ["ada@example.com"], "no refusal let anybody in");
        let joined = accept_as(&app, &token, &bob).await.expect(StatusCode::OK);
        assert_eq!(joined.json["user"]["id"], json!(bob.user_id));
        assert_eq!(joined.json["user"]["email_verified"], true);
        app.get(ORG).bearer(&bob).send().await.expect(StatusCode::OK);
    }

    async fn who_is_a_member_already_is_told_so_and_the_invitation_stays(on: On) {
        let (app, ada) = on.engines().await;
        let bob = app.member(&ada, "engines", BOB, "member").await;
        try_invite(&app, &ada, "BOB@example.com", "admin").await.refused(409, "ALREADY_MEMBER");
        // An invitation that was written at the moment when he joined with another one.
        let mut uow = app.app.begin().await.unwrap();
        let actor: UserId = ada.user_id.parse().unwrap();
        let scope = *In::organization(&mut *uow, "engines", actor).await.unwrap().scope();
        let token = &invitation_token(scope.org(), "a-token-of-this-test");
        let now = app.app.now();
        let crossed = Invitation {
            id: app.app.new_id(),
            org_id: scope.org(),
            email: Email::parse(BOB).unwrap(),
            role: Role::Admin,
            stored_status: InvitationStatus::Pending,
            token_hash: TokenHash::of(token),
            invited_by: actor,
            expires_at: now + TimeDelta::hours(48),
            version: 1,
            created_at: now + TimeDelta::seconds(1),
        };
        uow.invitations().put_pending(&scope, &crossed).await.unwrap();
        app.app.commit(uow).await.unwrap();
        accept_as(&app, token, &bob).await.refused(409, "ALREADY_MEMBER");
        assert_eq!(texts(&invitations(&app, &ada).await, "status"), ["pending", "accepted"]);
        let own = walk(&app, &bob, "/organizations", 10).await;
        assert_eq!(texts(&own, "role"), ["member"], "the role is as it was");
    }

    async fn a_new_person_has_to_give_a_name_and_a_password(on: On) {
        let (app, ada) = on.engines().await;
        let (_, token) = invite(&app, &ada, BOB).await;
        let path = format!("/auth/invitations/{token}/accept");
        let missing = app.post(&path).send().await.refused(422, "VALIDATION_FAILED");
        assert_eq!(missing.faults(), ["/display_name REQUIRED", "/password REQUIRED"]);
        for (body, fault) in [
            (json!({"display_name": "Bob"}), "/password REQUIRED"),
            (json!({"password": PASSWORD}), "/display_name REQUIRED"),
            (json!({"display_name": "B", "password": PASSWORD}), "/display_name TOO_SHORT"),
            (json!({"display_name": "Bob", "password": "short"}), "/password TOO_SHORT"),
        ] {
            let refused = app.post(&path).json(&body).send().await.refused(422, "VALIDATION_FAILED");
            assert_eq!(refused.faults(), [fault]);
        }
        accept_anew(&app, &token).await.expect(StatusCode::OK);
    }

    async fn an_invitation_lives_for_48_hours(on: On) {
        let (app, ada) = on.engines().await;
        let (_, token) = invite(&app, &ada, BOB).await;
        app.clock.advance(TimeDelta::hours(48) - TimeDelta::microseconds(1));
        preview(&app, &token).await.expect(StatusCode::OK);
        app.clock.advance(TimeDelta::microseconds(1));
        preview(&app, &token).await.refused(410, "INVITATION_EXPIRED");
        accept_anew(&app, &token).await.refused(410, "INVITATION_EXPIRED");
        let ada = app.login(&ada.email).await;
        assert_eq!(texts(&invitations(&app, &ada).await, "status"), ["expired"]);
        // A new invitation replaces it.
        let (_, token) = invite(&app, &ada, BOB).await;
        assert_eq!(texts(&invitations(&app, &ada).await, "status"), ["pending"]);
        accept_anew(&app, &token).await.expect(StatusCode::OK);
    }

    async fn a_link_is_dead_once_used_revoked_or_replaced(on: On) {
        let (app, ada) = on.engines().await;
        let dead = async |token: &str| {
            preview(&app, token).await.refused(404, "INVITATION_NOT_FOUND");
            accept_anew(&app, token).await.refused(404, "INVITATION_NOT_FOUND");
        };
        dead("no-such-token").await;
        let (first, old) = invite(&app, &ada, BOB).await;
        let (second, token) = invite(&app, &ada, BOB).await;
        dead(&old).await;
        assert_eq!(texts(&invitations(&app, &ada).await, "id"), [second["id"].as_str().unwrap()]);
        revoke(&app, &ada, &first).await.refused(404, "INVITATION_NOT_FOUND");
        resend(&app, &ada, &first).await.refused(404, "INVITATION_NOT_FOUND");
        revoke(&app, &ada, &second).await.expect(StatusCode::NO_CONTENT);
        revoke(&app, &ada, &second).await.expect(StatusCode::NO_CONTENT);
        resend(&app, &ada, &second).await.refused(404, "INVITATION_NOT_FOUND");
        dead(&token).await;
        let (third, token) = invite(&app, &ada, BOB).await;
        let bob = Login::of(accept_anew(&app, &token).await.expect(StatusCode::OK));
        dead(&token).await;
        accept_as(&app, &token, &bob).await.refused(404, "INVITATION_NOT_FOUND");
        revoke(&app, &ada, &third).await.refused(409, "INVITATION_ACCEPTED");
        resend(&app, &ada, &third).await.refused(409, "INVITATION_ACCEPTED");
        let mut statuses = texts(&invitations(&app, &ada).await, "status");
        statuses.sort();
        assert_eq!(statuses, ["accepted", "revoked"]);
    }

    async fn sending_again_ends_the_old_link_and_gives_the_whole_time_again(on: On) {
        let (app, ada) = on.engines().await;
        let (invitation, old) = invite(&app, &ada, BOB).await;
        app.clock.advance(TimeDelta::hours(47));
        let ada = app.login(&ada.email).await;
        resend(&app, &ada, &invitation).await.expect(StatusCode::NO_CONTENT);
        let token = app.mailed_token(BOB).await;
        preview(&app, &old).await.refused(404, "INVITATION_NOT_FOUND");
        let again = invitations(&app, &ada).await;
        assert_eq!((again.len(), &again[0]["id"]), (1, &invitation["id"]));
        assert_eq!(again[0]["expires_at"], "2033-05-22T02:33:20.123456Z");
        assert_eq!(again[0]["created_at"], invitation["created_at"]);
        // An expired invitation too.
        app.clock.advance(TimeDelta::hours(48));
        preview(&app, &token).await.refused(410, "INVITATION_EXPIRED");
        let ada = app.login(&ada.email).await;
        resend(&app, &ada, &invitation).await.expect(StatusCode::NO_CONTENT);
        accept_anew(&app, &app.mailed_token(BOB).await).await.expect(StatusCode::OK);
    }

    async fn the_token_is_in_the_mail_and_in_no_answer(on: On) {
        let (app, ada) = on.engines().await;
        let invited = try_invite(&app, &ada, BOB, "member").await;
        let token = app.mailed_token(BOB).await;
        let answers = [
            app.get(&format!("{ORG}/invitations")).bearer(&ada).send().await,
            preview(&app, &token).await,
            accept_as(&app, &token, &ada).await,
            app.post(&format!("/auth/invitations/{token}/accept")).send().await,
            accept_anew(&app, &token).await,
            accept_anew(&app, &token).await,
            invited,
        ];
        for answer in answers {
            let told = format!("{} {:?}", answer.text, answer.headers);
            assert!(!told.contains(&token), "{told}");
        }
        assert!(token.len() >= 22, "128 bits take 22 characters");
        let mail = app.mail.last_to(BOB).unwrap();
        assert!(mail.link.unwrap().starts_with("https://app.example.com/"));
    }

    async fn what_cannot_be_invited_is_refused_at_its_pointer(on: On) {
        let (app, ada) = on.engines().await;
        for (body, faults) in [
            (json!({"email": BOB, "role": "owner"}), "/role NOT_ALLOWED"),
            (json!({"email": "nobody", "role": "owner"}), "/email INVALID_EMAIL, /role NOT_ALLOWED"),
            (json!({"email": BOB, "role": "king"}), "/role WRONG_TYPE"),
            (json!({"email": BOB}), "/role REQUIRED"),
            (json!({"role": "member"}), "/email REQUIRED"),
        ] {
            let refused = app.post(&format!("{ORG}/invite")).bearer(&ada).json(&body).send().await;
            assert_eq!(refused.refused(422, "VALIDATION_FAILED").faults().join(", "), faults);
        }
        try_invite(&app, &ada, &ada.email, "member").await.refused(409, "ALREADY_MEMBER");
        assert!(invitations(&app, &ada).await.is_empty());
        app.drain().await;
        assert!(app.mail.last_to(BOB).is_none(), "a refusal sends no mail");
    }

    async fn admins_invite_and_members_do_not(on: On) {
        let (app, ada) = on.engines().await;
        let grace = app.member(&ada, "engines", "grace@example.com", "admin").await;
        let mary = app.member(&grace, "engines", "mary@example.com", "admin").await;
        let joan = app.member(&mary, "engines", "joan@example.com", "member").await;
        try_invite(&app, &joan, BOB, "member").await.refused(403, "INSUFFICIENT_ROLE");
        let (invitation, _) = invite(&app, &mary, BOB).await;
        revoke(&app, &joan, &invitation).await.refused(403, "INSUFFICIENT_ROLE");
        resend(&app, &joan, &invitation).await.refused(403, "INSUFFICIENT_ROLE");
        app.get(&format!("{ORG}/invitations")).bearer(&joan).send().await.refused(403, "INSUFFICIENT_ROLE");
    }

    async fn an_invitation_ends_with_its_makers_right_to_make_it(on: On) {
        let (app, ada) = on.engines().await;
        for ending in ["removed", "left", "demoted"] {
            let email = format!("{ending}@example.com");
            let maker = app.member(&ada, "engines", &email, "admin").await;
            let (invitation, token) = invite(&app, &maker, &format!("second-account-of-{email}")).await;
            preview(&app, &token).await.expect(StatusCode::OK);
            let path = format!("{ORG}/members/{}", maker.user_id);
            match ending {
                "removed" => app.delete(&path).bearer(&ada).send().await.expect(StatusCode::NO_CONTENT),
                "left" => app.delete(&path).bearer(&maker).send().await.expect(StatusCode::NO_CONTENT),
                _ => {
                    let body = json!({"role": "member"});
                    app.patch(&path).bearer(&ada).json(&body).send().await.expect(StatusCode::OK)
                }
            };
            preview(&app, &token).await.refused(404, "INVITATION_NOT_FOUND");
            accept_anew(&app, &token).await.refused(404, "INVITATION_NOT_FOUND");
            resend(&app, &ada, &invitation).await.refused(404, "INVITATION_NOT_FOUND");
            let listed = invitations(&app, &ada).await;
            let found = listed.iter().find(|row| row["id"] == invitation["id"]).unwrap();
            assert_eq!(found["status"], "revoked", "{ending}");
        }
        let (_, token) = invite(&app, &ada, BOB).await;
        accept_anew(&app, &token).await.expect(StatusCode::OK);
    }

    async fn accepting_while_the_maker_is_removed_or_demoted_lets_nobody_in_afterwards(on: On) {
        let (app, ada) = on.engines().await;
        for round in 0..16 {
            let maker = app.member(&ada, "engines", &format!("admin-{round}@example.com"), "admin").await;
            let email = format!("guest-{round}@example.com");
            let guest = app.register(&email).await;
            app.drain().await;
            try_invite(&app, &maker, &email, "admin").await.expect(StatusCode::CREATED);
            let token = app.mailed_token(&email).await;
            let deeds = (0..2).map(|deed| {
                let (app, ada, guest, maker, token) =
                    (app.clone(), ada.clone(), guest.clone(), maker.clone(), token.clone());
                async move {
                    let path = format!("{ORG}/members/{}", maker.user_id);
                    match (deed, round % 2) {
                        (0, _) => accept_as(&app, &token, &guest).await,
                        (_, 0) => app.delete(&path).bearer(&ada).send().await,
                        _ => app.patch(&path).bearer(&ada).json(&json!({"role": "member"})).send().await,
                    }
                }
            });
            let answers = at_once(deeds).await;
            assert!(answers[1].status.is_success(), "round {round}: {:?}", answers[1]);
            let is_member = member_emails(&app, &ada).await.contains(&email);
            assert_eq!(answers[0].status == StatusCode::OK, is_member, "round {round}");
            let status = invitations(&app, &ada).await;
            let status = status.iter().find(|row| row["email"] == json!(email)).unwrap()["status"].clone();
            assert_eq!(status, if is_member { "accepted" } else { "revoked" }, "round {round}");
            if !is_member {
                accept_as(&app, &token, &guest).await.refused(404, "INVITATION_NOT_FOUND");
            }
        }
    }

    async fn who_invites_has_a_verified_address_where_that_is_asked_for(on: On) {
        let settings = Settings { verified_inviters: true, ..Settings::default() };
        let app = on.app_with(|builder| builder.settings(settings)).await;
        let ada = app.register("ada@example.com").await;
        app.organization(&ada, "engines").await;
        try_invite(&app, &ada, BOB, "member").await.refused(403, "EMAIL_NOT_VERIFIED");
        assert!(invitations(&app, &ada).await.is_empty());
        let body = json!({"token": app.mailed_token("ada@example.com").await});
        app.post("/auth/verify-email").json(&body).send().await.expect(StatusCode::NO_CONTENT);
        let (invitation, _) = invite(&app, &ada, BOB).await;
        resend(&app, &ada, &invitation).await.expect(StatusCode::NO_CONTENT);
    }

    async fn an_address_gets_few_invitations_and_an_organization_sends_so_many(on: On) {
        let limits = Limits::default().with(Limit::InvitationMailsPerOrganization, 12);
        let limiter = Arc::new(LocalRateLimiter::default());
        let app = on.app_with(|builder| builder.settings(with_limits(limits)).limiter(limiter)).await;
        let ada = app.register("ada@example.com").await;
        for slug in ["engines", "looms", "mills", "forges"] {
            app.organization(&ada, slug).await;
        }
        let send = async |slug: &str, email: &str| {
            let body = json!({"email": email, "role": "member"});
            app.post(&format!("/organizations/{slug}/invite")).bearer(&ada).json(&body).send().await
        };
        for slug in ["engines", "looms", "mills"] {
            for _ in 0..3 {
                send(slug, BOB).await.expect(StatusCode::CREATED);
            }
            let refused = send(slug, " BOB@example.com").await.refused(429, "RATE_LIMITED");
            assert_eq!(refused.header("retry-after"), Some("1200"), "three an hour");
        }
        send("forges", BOB).await.expect(StatusCode::CREATED);
        let refused = send("forges", BOB).await.refused(429, "RATE_LIMITED");
        assert_eq!(refused.json["params"]["policy"], "invitation_mails_per_recipient");
        assert_eq!(refused.header("retry-after"), Some("8640"), "ten a day");
        // Requests that the limit of the address refused do not count for the organization.
        for number in 0..9 {
            send("engines", &format!("guest-{number}@example.com")).await.expect(StatusCode::CREATED);
        }
        let refused = send("engines", "one-more@example.com").await.refused(429, "RATE_LIMITED");
        assert_eq!(refused.json["params"]["policy"], "invitation_mails_per_organization");
        app.drain().await;
        assert_eq!(app.mail.all().iter().filter(|mail| mail.to == BOB).count(), 10);
    }

    async fn an_invitation_is_sent_again_a_few_times_an_hour(on: On) {
        let limiter = Arc::new(LocalRateLimiter::default());
        let app = on.app_with(|builder| builder.limiter(limiter)).await;
        let ada = app.register("ada@example.com").await;
        app.organization(&ada, "engines").await;
        let (invitation, _) = invite(&app, &ada, BOB).await;
        for _ in 0..2 {
            // The earlier mail is already sent, so the last mail belongs to the last request.
            app.drain().await;
            resend(&app, &ada, &invitation).await.expect(StatusCode::NO_CONTENT);
        }
        let token = app.mailed_token(BOB).await;
        resend(&app, &ada, &invitation).await.refused(429, "RATE_LIMITED");
        preview(&app, &token).await.expect(StatusCode::OK);
        app.clock.advance(TimeDelta::hours(1));
        let ada = app.login(&ada.email).await;
        resend(&app, &ada, &invitation).await.expect(StatusCode::NO_CONTENT);
    }

    async fn the_list_has_every_status_and_the_newest_first(on: On) {
        let (app, ada) = on.engines().await;
        let mut expected = Vec::new();
        for (number, status) in
            ["accepted", "revoked", "pending", "accepted", "revoked", "pending"].iter().enumerate()
        {
            app.clock.advance(TimeDelta::microseconds(1));
            let email = format!("guest-{number}@example.com");
            let (invitation, token) = invite(&app, &ada, &email).await;
            match *status {
                "accepted" => drop(accept_anew(&app, &token).await.expect(StatusCode::OK)),
                "revoked" => drop(revoke(&app, &ada, &invitation).await.expect(StatusCode::NO_CONTENT)),
                _ => {}
            }
            expected.insert(0, (email, (*status).to_owned()));
        }
        for limit in [1, 2, 4, 100] {
            let listed = walk(&app, &ada, &format!("{ORG}/invitations"), limit).await;
            let found: Vec<_> = texts(&listed, "email").into_iter().zip(texts(&listed, "status")).collect();
            assert_eq!(found, expected, "{limit} on a page");
        }
        let page = app.get(&format!("{ORG}/invitations?limit=2&count=true")).bearer(&ada).send().await.json;
        assert_eq!(page["total"], 6);
    }
}
