//! Passwords: reset and change, what a hash covers, upgrades of old hashes, and what is never stored or returned.

use futures_util::StreamExt as _;
use futures_util::future::{join, join_all};
use futures_util::stream::FuturesUnordered;
use workscribe_core::identity::{AccountMail, Email, NewUser, SendAccountMail};
use workscribe_core::local::BcryptHasher;
use workscribe_core::outbox::{Claim, Job as _, Turn};
use workscribe_core::ports::{PasswordHasher as _, Secret};
use workscribe_testkit::app::PUBLIC_URL;
use workscribe_testkit::databases;

use crate::support::*;

const NEW: &str = "another fine password";

/// Requests a link to set a new password, and returns its token.
async fn reset_token(app: &TestApp) -> String {
    // Other mails are sent first, since due jobs run at once.
    app.drain().await;
    forgot(app, "ada@example.com").await.expect(StatusCode::NO_CONTENT);
    app.mailed_token("ada@example.com").await
}

async fn login(app: &TestApp, password: &str) -> Answer {
    crate::support::login(app, "ada@example.com", password).await
}

async fn change(app: &TestApp, login: &Login, current: &str, new: &str) -> Answer {
    let body = json!({"current_password": current, "new_password": new});
    app.post("/auth/change-password").bearer(login).json(&body).send().await
}

/// Whether an access token and its refresh token are both refused.
async fn assert_ended(app: &TestApp, login: &Login) {
    app.get("/auth/me").bearer(login).send().await.refused(401, "UNAUTHENTICATED");
    refresh(app, &login.refresh).await.refused(401, "INVALID_TOKEN");
}

async fn stored_hash(app: &TestApp) -> String {
    let email = Email::parse("ada@example.com").unwrap();
    let mut uow = app.app.read().await.unwrap();
    uow.users().credentials_by_email(&email).await.unwrap().unwrap().password_hash.unwrap()
}

/// An account as the earlier server stored it.
async fn insert_with_hash(app: &TestApp, hash: String) {
    let mut uow = app.app.begin().await.unwrap();
    let user = NewUser {
        id: app.app.new_id(),
        email: Email::parse("ada@example.com").unwrap(),
        display_name: "Ada Lovelace".into(),
        password_hash: Some(hash),
        email_verified: true,
        created_at: app.app.now(),
    };
    uow.users().insert(&user).await.unwrap();
    app.app.commit(uow).await.unwrap();
}

on_every_storage! {
    async fn a_mailed_link_sets_a_new_password_once_and_ends_every_session(on: On) {
        let (app, phone) = on.ada().await;
        let laptop = app.login("ada@example.com").await;
        app.drain().await;
        forgot(&app, " ADA@example.com").await.expect(StatusCode::NO_CONTENT);
        let token = app.mailed_token("ada@example.com").await;
        reset(&app, &token, NEW).await.expect(StatusCode::NO_CONTENT);
        assert_ended(&app, &phone).await;
        assert_ended(&app, &laptop).await;
        login(&app, PASSWORD).await.refused(401, "INVALID_CREDENTIALS");
        let back = Login::of(login(&app, NEW).await.expect(StatusCode::OK));
        let me = app.get("/auth/me").bearer(&back).send().await;
        assert_eq!(me.json["email_verified"], true, "the token came by mail");
        reset(&app, &token, PASSWORD).await.refused(400, "INVALID_TOKEN");
        login(&app, NEW).await.expect(StatusCode::OK);
    }

    async fn of_20_resets_with_one_token_at_once_one_is_accepted(on: On) {
        let (app, _) = on.ada().await;
        let token = reset_token(&app).await;
        let answers = at_once((0..20).map(|turn| {
            let (app, token) = (Arc::clone(&app), token.clone());
            async move { reset(&app, &token, &format!("password number {turn}")).await }
        }));
        let mut accepted = Vec::new();
        for (turn, answer) in answers.await.into_iter().enumerate() {
            if answer.status == StatusCode::NO_CONTENT {
                accepted.push(turn);
            } else {
                answer.refused(400, "INVALID_TOKEN");
            }
        }
        assert_eq!(accepted.len(), 1);
        login(&app, &format!("password number {}", accepted[0])).await.expect(StatusCode::OK);
    }

    async fn a_forgotten_password_is_answered_alike_for_a_known_and_an_unknown_address(on: On) {
        let (app, _) = on.ada().await;
        app.drain().await;
        drop(app.mail.take());
        let known = forgot(&app, "ada@example.com").await.expect(StatusCode::NO_CONTENT);
        let unknown = forgot(&app, "nobody@example.com").await.expect(StatusCode::NO_CONTENT);
        assert_eq!((&known.text, header_names(&known)), (&unknown.text, header_names(&unknown)));
        app.drain().await;
        let mails = app.mail.take();
        assert_eq!(mails.iter().map(|mail| mail.to.as_str()).collect::<Vec<_>>(), ["ada@example.com"]);
        forgot(&app, "not an address").await.refused(422, "VALIDATION_FAILED");
    }

    async fn a_link_leads_to_the_configured_url_whatever_the_host_header_says(on: On) {
        let (app, _) = on.ada().await;
        app.drain().await;
        drop(app.mail.take());
        let body = json!({"email": "ada@example.com"});
        let call = app.post("/auth/forgot-password").header("host", "evil.example").json(&body);
        let call = call.header("x-forwarded-host", "evil.example");
        call.send().await.expect(StatusCode::NO_CONTENT);
        app.drain().await;
        let mail = app.mail.last_to("ada@example.com").unwrap();
        assert!(mail.link.unwrap().starts_with(PUBLIC_URL));
        assert!(!mail.text.contains("evil.example") && !mail.html.contains("evil.example"));
    }

    async fn a_link_is_good_for_an_hour(on: On) {
        let (app, _) = on.ada().await;
        let first = reset_token(&app).await;
        app.clock.advance(TimeDelta::minutes(1));
        let second = reset_token(&app).await;
        app.clock.advance(TimeDelta::minutes(59));
        reset(&app, &first, NEW).await.refused(400, "INVALID_TOKEN");
        reset(&app, &second, NEW).await.expect(StatusCode::NO_CONTENT);
    }

    async fn a_reset_takes_every_earlier_link_away(on: On) {
        let (app, _) = on.ada().await;
        let first = reset_token(&app).await;
        let second = reset_token(&app).await;
        reset(&app, &second, NEW).await.expect(StatusCode::NO_CONTENT);
        reset(&app, &first, PASSWORD).await.refused(400, "INVALID_TOKEN");
    }

    async fn a_token_is_good_for_its_own_purpose_alone(on: On) {
        let (app, _) = on.ada().await;
        let verification = app.mailed_token("ada@example.com").await;
        reset(&app, &verification, NEW).await.refused(400, "INVALID_TOKEN");
        let body = json!({"token": reset_token(&app).await});
        app.post("/auth/verify-email").json(&body).send().await.refused(400, "INVALID_TOKEN");
    }

    async fn a_password_that_is_too_weak_leaves_the_link_good(on: On) {
        let (app, _) = on.ada().await;
        let token = reset_token(&app).await;
        for (weak, fault) in
            [("short", "TOO_SHORT"), ("password1", "TOO_COMMON"), (&"x".repeat(129), "TOO_LONG")]
        {
            let refused = reset(&app, &token, weak).await.refused(422, "VALIDATION_FAILED");
            assert_eq!(refused.faults(), [format!("/new_password {fault}")]);
        }
        reset(&app, &token, NEW).await.expect(StatusCode::NO_CONTENT);
    }

    async fn a_change_of_password_keeps_this_session_and_ends_the_others(on: On) {
        let (app, other) = on.ada().await;
        let this = app.login("ada@example.com").await;
        change(&app, &this, "a wrong password", NEW).await.refused(401, "INVALID_CREDENTIALS");
        let refused = change(&app, &this, PASSWORD, "short").await.refused(422, "VALIDATION_FAILED");
        assert_eq!(refused.faults(), ["/new_password TOO_SHORT"]);
        app.get("/auth/me").bearer(&other).send().await.expect(StatusCode::OK);
        change(&app, &this, PASSWORD, NEW).await.expect(StatusCode::NO_CONTENT);
        assert_ended(&app, &other).await;
        app.get("/auth/me").bearer(&this).send().await.expect(StatusCode::OK);
        let next = Login::of(refresh(&app, &this.refresh).await.expect(StatusCode::OK));
        app.get("/auth/me").bearer(&next).send().await.expect(StatusCode::OK);
        login(&app, PASSWORD).await.refused(401, "INVALID_CREDENTIALS");
        login(&app, NEW).await.expect(StatusCode::OK);
    }

    async fn a_change_that_began_before_a_reset_does_not_undo_it(on: On) {
        let hasher = HeldHasher::holding(PASSWORD);
        let app = on.app_with(|builder| builder.hasher(hasher.clone())).await;
        let thief = app.register("ada@example.com").await;
        let token = reset_token(&app).await;
        let owner = async {
            hasher.arrived().await;
            reset(&app, &token, NEW).await.expect(StatusCode::NO_CONTENT);
            hasher.release();
        };
        let (changed, ()) = join(change(&app, &thief, PASSWORD, "the thief's password"), owner).await;
        changed.refused(401, "INVALID_CREDENTIALS");
        login(&app, "the thief's password").await.refused(401, "INVALID_CREDENTIALS");
        login(&app, NEW).await.expect(StatusCode::OK);
    }

    async fn no_part_of_a_password_is_ignored(on: On) {
        let app = on.app().await;
        let four_bytes = "🔑".repeat(64);
        let pairs = [
            (four_bytes.clone(), "🔑".repeat(63) + "🔒"),
            ("a".repeat(72), "a".repeat(73)),
            ("a".repeat(73), "a".repeat(72)),
            ("before\0after it".into(), "before\0another".into()),
            ("before\0after it".into(), "before".into()),
            ("é".repeat(128), "é".repeat(127)),
        ];
        for (number, (right, wrong)) in pairs.into_iter().enumerate() {
            let email = format!("ada{number}@example.com");
            let body = json!({"display_name": "Ada Lovelace", "email": email, "password": right});
            app.post("/auth/register").json(&body).send().await.expect(StatusCode::CREATED);
            let body = json!({"email": email, "password": wrong});
            app.post("/auth/login").json(&body).send().await.refused(401, "INVALID_CREDENTIALS");
            let body = json!({"email": email, "password": right});
            app.post("/auth/login").json(&body).send().await.expect(StatusCode::OK);
        }
    }

    async fn a_hash_of_the_first_server_is_upgraded_at_login(on: On) {
        let app = on.app().await;
        let old = bcrypt::hash(PASSWORD, 4).unwrap();
        insert_with_hash(&app, old.clone()).await;
        login(&app, "a wrong password").await.refused(401, "INVALID_CREDENTIALS");
        assert_eq!(stored_hash(&app).await, old);
        let first = Login::of(login(&app, PASSWORD).await.expect(StatusCode::OK));
        let upgraded = stored_hash(&app).await;
        assert!(upgraded.starts_with("$ws1$2b$04$"), "{upgraded}");
        login(&app, PASSWORD).await.expect(StatusCode::OK);
        assert_eq!(stored_hash(&app).await, upgraded, "a hash of now stays");
        app.get("/auth/me").bearer(&first).send().await.expect(StatusCode::OK);
    }

    async fn one_password_in_two_forms_of_unicode_is_one(on: On) {
        let app = on.app().await;
        let [composed, apart] = ["Caf\u{e9} Zo\u{eb} 12", "Cafe\u{301}\u{a0}Zoe\u{308} １２"];
        let body = json!({"display_name": "Ada Lovelace", "email": "ada@example.com", "password": composed});
        let ada = Login::of(app.post("/auth/register").json(&body).send().await.expect(StatusCode::CREATED));
        login(&app, apart).await.expect(StatusCode::OK);
        login(&app, "Cafe Zoe 12").await.refused(401, "INVALID_CREDENTIALS");
        change(&app, &ada, apart, "Se\u{301}same ouvre-toi").await.expect(StatusCode::NO_CONTENT);
        login(&app, "S\u{e9}same ouvre-toi").await.expect(StatusCode::OK);
        let seven = "e\u{301}".repeat(7);
        let refused = change(&app, &ada, "S\u{e9}same ouvre-toi", &seven).await.refused(422, "VALIDATION_FAILED");
        assert_eq!(refused.faults(), ["/new_password TOO_SHORT"], "14 characters as they came, 7 as they are kept");
    }

    async fn a_hash_of_a_password_as_it_came_verifies_and_is_upgraded_at_login(on: On) {
        let app = on.app().await;
        let [composed, apart] = ["Caf\u{e9} Zo\u{eb} 12", "Cafe\u{301} Zoe\u{308} 12"];
        let old = BcryptHasher::new(4).hash(&Secret::new(apart)).await.unwrap();
        insert_with_hash(&app, old.clone()).await;
        login(&app, composed).await.refused(401, "INVALID_CREDENTIALS");
        assert_eq!(stored_hash(&app).await, old);
        login(&app, apart).await.expect(StatusCode::OK);
        let upgraded = stored_hash(&app).await;
        assert_ne!(upgraded, old);
        for same in [composed, apart] {
            login(&app, same).await.expect(StatusCode::OK);
        }
        assert_eq!(stored_hash(&app).await, upgraded, "a hash of now stays");
    }

    async fn a_hash_of_another_cost_is_upgraded_at_login(on: On) {
        let (app, _) = on.ada().await;
        assert!(stored_hash(&app).await.starts_with("$ws1$2b$04$"));
        let stricter = app.another_node(|builder| builder.hasher(Arc::new(BcryptHasher::new(5))));
        login(&stricter, PASSWORD).await.expect(StatusCode::OK);
        assert!(stored_hash(&app).await.starts_with("$ws1$2b$05$"));
    }

    async fn past_the_queue_for_hashing_the_answer_is_503_and_others_are_served(on: On) {
        let hasher = BcryptHasher::new(10).with_queue(1);
        let app = on.app_with(|builder| builder.hasher(Arc::new(hasher))).await;
        let logins = join_all((0..30).map(|turn| {
            let body = json!({"email": format!("nobody{turn}@example.com"), "password": PASSWORD});
            app.post("/auth/login").json(&body).send()
        }));
        let health = join_all((0..30).map(|_| app.request(poem::http::Method::GET, "/health").send()));
        let (logins, health) = join(logins, health).await;
        let (refused, checked): (Vec<_>, Vec<_>) =
            logins.into_iter().partition(|answer| answer.status == StatusCode::SERVICE_UNAVAILABLE);
        assert!(!refused.is_empty() && !checked.is_empty());
        for answer in refused {
            let answer = answer.refused(503, "OVERLOADED");
            assert_eq!(answer.header("retry-after"), Some("2"));
        }
        for answer in checked {
            answer.refused(401, "INVALID_CREDENTIALS");
        }
        for answer in health {
            assert_eq!(answer.expect(StatusCode::OK).json["status"], "ok");
        }
    }

    async fn a_flood_of_changes_of_one_user_is_refused_alone(on: On) {
        let hasher = HeldHasher::holding(PASSWORD);
        let app = Arc::new(on.app_with(|builder| builder.hasher(hasher.clone())).await);
        let ada = app.register("ada@example.com").await;
        let mut flood: FuturesUnordered<_> = (0..30)
            .map(|_| {
                let (app, ada) = (Arc::clone(&app), ada.clone());
                tokio::spawn(async move { change(&app, &ada, PASSWORD, NEW).await })
            })
            .collect();
        // One check is held in the hasher, and two wait for their turn.
        for _ in 0..27 {
            let refused = flood.next().await.unwrap().unwrap().refused(503, "OVERLOADED");
            assert_eq!(refused.header("retry-after"), Some("2"));
        }
        hasher.arrived().await;
        login(&app, "a wrong password").await.refused(401, "INVALID_CREDENTIALS");
        hasher.release();
        let releasing = tokio::spawn(async move {
            loop {
                hasher.arrived().await;
                hasher.release();
            }
        });
        let mut statuses = Vec::new();
        while let Some(answer) = flood.next().await {
            statuses.push(answer.unwrap().status.as_u16());
        }
        releasing.abort();
        statuses.sort_unstable();
        assert_eq!(statuses, [204, 401, 401], "the first of them changed the password");
    }

    async fn no_job_holds_a_mailed_token(on: On) {
        let (app, _) = on.ada().await;
        app.clock.advance(TimeDelta::seconds(1));
        forgot(&app, "ada@example.com").await.expect(StatusCode::NO_CONTENT);
        // Claimed to see what is stored, with a lease that expires at once.
        let mut uow = app.app.begin().await.unwrap();
        let now = app.app.now();
        let kinds = [SendAccountMail::KIND];
        let claim = Claim { queue: SendAccountMail::QUEUE, kinds: &kinds, limit: 10, worker: "a test", now, lease_until: now, turn: Turn::default() };
        let mut jobs = uow.jobs().claim(&claim).await.unwrap();
        app.app.commit(uow).await.unwrap();
        app.clock.advance(TimeDelta::seconds(1));
        jobs.sort_by_key(|job| job.id);
        let payloads: Vec<Value> = jobs.into_iter().map(|job| job.payload).collect();
        let wanted = [AccountMail::VerifyEmail, AccountMail::ResetPassword]
            .map(|mail| json!({"mail": mail, "email": "ada@example.com"}));
        assert_eq!(payloads, wanted);
        app.drain().await;
        assert_eq!(app.mail.all().len(), 2);
    }
}

#[tokio::test]
async fn a_database_file_holds_no_token_and_no_password() {
    let database = databases::sqlite().await;
    let path = database.url.strip_prefix("sqlite://").unwrap().to_owned();
    let app = TestApp::new(database.storage);
    let ada = app.register("ada@example.com").await;
    let mut secrets = vec![PASSWORD.to_owned(), ada.access.clone(), ada.refresh.clone()];
    secrets.push(app.mailed_token("ada@example.com").await);
    secrets.push(reset_token(&app).await);
    app.organization(&ada, "engines").await;
    let body = json!({"email": "grace@example.com", "role": "member"});
    let invited = app.post("/organizations/engines/invite").bearer(&ada).header("idempotency-key", "one");
    let invited = invited.json(&body).send().await.expect(StatusCode::CREATED);
    let invitation = app.mailed_token("grace@example.com").await;
    assert!(!invited.text.contains(&invitation), "no answer of the API holds it");
    secrets.push(invitation);
    let mut stored = std::fs::read(&path).unwrap();
    stored.extend(std::fs::read(format!("{path}-wal")).unwrap_or_default());
    let holds = |text: &str| stored.windows(text.len()).any(|window| window == text.as_bytes());
    assert!(holds("ada@example.com"), "this is the right file");
    for secret in secrets {
        assert!(!holds(&secret), "{secret}");
    }
}
