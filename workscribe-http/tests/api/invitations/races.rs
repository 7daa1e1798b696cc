//! Invitations that are created, accepted and revoked at once.

use super::*;

on_every_storage! {
    async fn of_thirty_invitations_of_one_address_at_once_one_is_pending(on: On) {
        let (app, ada) = on.engines().await;
        let answers = at_once((0..30).map(|_| {
            let (app, ada) = (app.clone(), ada.clone());
            async move { try_invite(&app, &ada, BOB, "member").await }
        }))
        .await;
        let made: Vec<_> =
            answers.into_iter().map(|answer| answer.expect(StatusCode::CREATED).json).collect();
        let pending = invitations(&app, &ada).await;
        assert_eq!(texts(&pending, "status"), ["pending"]);
        assert!(texts(&made, "id").contains(&texts(&pending, "id")[0]));
        app.drain().await;
        let links: Vec<_> =
            app.mail.all().into_iter().filter(|mail| mail.to == BOB).filter_map(|mail| mail.link).collect();
        assert_eq!(links.len(), 30);
        let mut alive = 0;
        for link in links {
            let answer = preview(&app, &token_of(&link)).await;
            alive += usize::from(answer.status == StatusCode::OK);
        }
        assert_eq!(alive, 1, "one of the mailed links works");
    }

    async fn of_twenty_who_use_one_link_at_once_one_gets_in(on: On) {
        let (app, ada) = on.engines().await;
        let (_, token) = invite(&app, &ada, BOB).await;
        let answers = at_once((0..20).map(|_| {
            let (app, token) = (app.clone(), token.clone());
            async move { accept_anew(&app, &token).await }
        }))
        .await;
        one_got_in(&answers);
        app.login(BOB).await;
        assert_eq!(member_emails(&app, &ada).await, ["ada@example.com", BOB]);
        assert_eq!(texts(&invitations(&app, &ada).await, "status"), ["accepted"]);
    }

    async fn somebody_with_an_account_who_accepts_twenty_times_at_once_joins_once(on: On) {
        let (app, ada) = on.engines().await;
        let bob = app.register(BOB).await;
        let (_, token) = invite(&app, &ada, BOB).await;
        let answers = at_once((0..20).map(|_| {
            let (app, token, bob) = (app.clone(), token.clone(), bob.clone());
            async move { accept_as(&app, &token, &bob).await }
        }))
        .await;
        one_got_in(&answers);
        assert_eq!(member_emails(&app, &ada).await, ["ada@example.com", BOB]);
    }

    async fn accepting_and_revoking_at_once_is_one_or_the_other(on: On) {
        let (app, ada) = on.engines().await;
        for round in 0..20 {
            let email = format!("guest-{round}@example.com");
            // Half of them have an account, whose requests take less time.
            let login = if round % 2 == 0 { Some(app.register(&email).await) } else { None };
            let (invitation, token) = invite(&app, &ada, &email).await;
            let accepting = {
                let app = app.clone();
                async move {
                    match &login {
                        Some(login) => accept_as(&app, &token, login).await,
                        None => accept_anew(&app, &token).await,
                    }
                }
            };
            let revoking = {
                let (app, ada) = (app.clone(), ada.clone());
                async move { revoke(&app, &ada, &invitation).await }
            };
            let (accepted, revoked) = tokio::join!(tokio::spawn(accepting), tokio::spawn(revoking));
            let (accepted, revoked) = (accepted.unwrap(), revoked.unwrap());
            let is_member = member_emails(&app, &ada).await.contains(&email);
            if is_member {
                accepted.expect(StatusCode::OK);
                revoked.refused(409, "INVITATION_ACCEPTED");
            } else {
                accepted.refused(404, "INVITATION_NOT_FOUND");
                revoked.expect(StatusCode::NO_CONTENT);
                let body = json!({"email": email, "password": PASSWORD});
                let login = app.post("/auth/login").json(&body).send().await;
                assert_eq!(login.status == StatusCode::OK, round % 2 == 0, "no account is left of a refusal");
            }
        }
    }

    async fn an_organization_that_goes_takes_its_racing_invitations_along(on: On) {
        let (app, ada) = on.engines().await;
        let bob = app.register(BOB).await;
        for round in 0..20 {
            if round > 0 {
                app.organization(&ada, "engines").await;
            }
            let (invitation, token) = invite(&app, &ada, BOB).await;
            let deeds = (0..5).map(|deed| {
                let (app, ada, bob) = (app.clone(), ada.clone(), bob.clone());
                let (invitation, token) = (invitation.clone(), token.clone());
                async move {
                    match deed {
                        0 => accept_as(&app, &token, &bob).await,
                        1 => app.delete(ORG).bearer(&ada).send().await,
                        2 => try_invite(&app, &ada, "mary@example.com", "member").await,
                        3 => resend(&app, &ada, &invitation).await,
                        _ => app.patch(ORG).bearer(&ada).json(&json!({"name": "Looms"})).send().await,
                    }
                }
            });
            let answers = at_once(deeds).await;
            for answer in &answers {
                assert!(
                    [200, 201, 204, 404, 409].contains(&answer.status.as_u16()),
                    "round {round}: {answer:?}"
                );
                assert_ne!(answer.json["code"], "WRITE_CONFLICT", "round {round}: {answer:?}");
            }
            assert_eq!(answers[1].status, StatusCode::NO_CONTENT, "round {round}");
            preview(&app, &token).await.refused(404, "INVITATION_NOT_FOUND");
            for login in [&ada, &bob] {
                app.get(ORG).bearer(login).send().await.refused(404, "ORGANIZATION_NOT_FOUND");
                assert!(walk(&app, login, "/organizations", 10).await.is_empty());
            }
        }
    }
}

/// One of these responses is a login, and the others are refusals of the caller.
#[track_caller]
fn one_got_in(answers: &[Answer]) {
    let (won, lost): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| answer.status == StatusCode::OK);
    let refusals: Vec<_> = lost.iter().map(|answer| answer.status).collect();
    assert_eq!(won.len(), 1, "{refusals:?}");
    assert!(refusals.iter().all(StatusCode::is_client_error), "{refusals:?}");
}
