//! Refresh tokens: rotation, the grace period, and the effect of reuse. The tests of access tokens are in `tokens/access.rs`.

mod access;

use std::sync::Mutex;

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use workscribe_core::Hook;
use workscribe_core::events::DomainEvent;
use workscribe_core::{Error, UnitOfWork, WorkScribe};

use crate::support::*;

async fn next(app: &TestApp, login: &Login) -> Login {
    Login::of(refresh(app, &login.refresh).await.expect(StatusCode::OK))
}

async fn is_in(app: &TestApp, login: &Login) -> bool {
    app.get("/auth/me").bearer(login).send().await.status == StatusCode::OK
}

/// Stores the events that it receives.
#[derive(Default)]
struct Recorder(Mutex<Vec<DomainEvent>>);

#[async_trait]
impl Hook for Recorder {
    async fn on_event(
        &self,
        _app: &WorkScribe,
        _uow: &mut dyn UnitOfWork,
        event: &DomainEvent,
    ) -> Result<(), Error> {
        self.0.lock().unwrap().push(event.clone());
        Ok(())
    }
}

impl Recorder {
    fn reuses(&self) -> usize {
        let is_reuse = |event: &&DomainEvent| matches!(event, DomainEvent::RefreshTokenReused { .. });
        self.0.lock().unwrap().iter().filter(is_reuse).count()
    }
}

on_every_storage! {
    async fn a_refresh_gives_two_new_tokens(on: On) {
        let (app, first) = on.ada().await;
        let second = next(&app, &first).await;
        assert_ne!(first.access, second.access);
        assert_ne!(first.refresh, second.refresh);
        assert_eq!(first.user_id, second.user_id);
        assert!(is_in(&app, &first).await && is_in(&app, &second).await, "one session");
        let third = next(&app, &second).await;
        assert_ne!(second.refresh, third.refresh);
    }

    async fn within_the_grace_a_repeat_gives_the_same_successor(on: On) {
        let (app, first) = on.ada().await;
        let second = next(&app, &first).await;
        app.clock.advance(TimeDelta::seconds(29));
        let repeated = next(&app, &first).await;
        assert_eq!(second.refresh, repeated.refresh);
        assert!(is_in(&app, &repeated).await);
        next(&app, &repeated).await;
    }

    async fn a_reuse_after_the_grace_ends_the_session_and_is_told(on: On) {
        let recorder = Arc::new(Recorder::default());
        let app = on.app_with(|builder| builder.hook(recorder.clone())).await;
        let first = app.register("ada@example.com").await;
        let other = app.login("ada@example.com").await;
        let second = next(&app, &first).await;
        assert!(is_in(&app, &second).await);
        app.clock.advance(TimeDelta::seconds(31));
        let refused = refresh(&app, &first.refresh).await.refused(401, "TOKEN_REUSED");
        assert_eq!(refused.header("www-authenticate"), Some("Bearer"));
        assert!(!is_in(&app, &first).await && !is_in(&app, &second).await);
        refresh(&app, &second.refresh).await.refused(401, "INVALID_TOKEN");
        refresh(&app, &first.refresh).await.refused(401, "INVALID_TOKEN");
        assert!(is_in(&app, &other).await, "another login is another family");
        next(&app, &other).await;
        assert_eq!(recorder.reuses(), 1);
    }

    async fn a_reuse_after_the_successor_was_used_ends_the_session_within_the_grace_too(on: On) {
        let recorder = Arc::new(Recorder::default());
        let app = on.app_with(|builder| builder.hook(recorder.clone())).await;
        let first = app.register("ada@example.com").await;
        let second = next(&app, &first).await;
        let third = next(&app, &second).await;
        refresh(&app, &first.refresh).await.refused(401, "TOKEN_REUSED");
        for login in [&first, &second, &third] {
            assert!(!is_in(&app, login).await);
            refresh(&app, &login.refresh).await.refused(401, "INVALID_TOKEN");
        }
        assert_eq!(recorder.reuses(), 1);
    }

    async fn of_100_refreshes_with_one_token_at_once_one_live_branch_is_left(on: On) {
        let (app, first) = on.ada().await;
        let answers = at_once((0..100).map(|_| {
            let (app, token) = (Arc::clone(&app), first.refresh.clone());
            async move { refresh(&app, &token).await }
        }));
        let logins: Vec<_> =
            answers.await.into_iter().map(|answer| Login::of(answer.expect(StatusCode::OK))).collect();
        assert!(logins.iter().all(|login| login.refresh == logins[0].refresh));
        assert_ne!(logins[0].refresh, first.refresh);
        let third = next(&app, &logins[0]).await;
        assert!(is_in(&app, &third).await && is_in(&app, &logins[99]).await);
        refresh(&app, &first.refresh).await.refused(401, "TOKEN_REUSED");
        refresh(&app, &third.refresh).await.refused(401, "INVALID_TOKEN");
    }

    async fn without_rotation_the_first_token_stays_good(on: On) {
        let settings = Settings { refresh_rotation: false, ..Settings::default() };
        let app = on.app_with(|builder| builder.settings(settings)).await;
        let first = app.register("ada@example.com").await;
        for _ in 0..3 {
            app.clock.advance(TimeDelta::days(1));
            let again = next(&app, &first).await;
            assert_eq!(first.refresh, again.refresh);
            assert!(is_in(&app, &again).await);
        }
        app.clock.advance(TimeDelta::days(30));
        refresh(&app, &first.refresh).await.refused(401, "INVALID_TOKEN");
    }

    async fn a_refresh_token_is_good_for_30_days_from_its_last_use(on: On) {
        let (app, first) = on.ada().await;
        app.clock.advance(TimeDelta::days(30) - TimeDelta::seconds(1));
        let second = next(&app, &first).await;
        app.clock.advance(TimeDelta::days(30) - TimeDelta::seconds(1));
        let third = next(&app, &second).await;
        app.clock.advance(TimeDelta::days(30));
        refresh(&app, &third.refresh).await.refused(401, "INVALID_TOKEN");
    }

    async fn a_forged_token_does_not_end_the_session_it_names(on: On) {
        let recorder = Arc::new(Recorder::default());
        let app = on.app_with(|builder| builder.hook(recorder.clone())).await;
        let ada = app.register("ada@example.com").await;
        let bytes = URL_SAFE_NO_PAD.decode(&ada.refresh).unwrap();
        // The session's id comes first; one bit of the rest is changed, or all of it is invented.
        let mut forgeries = vec![[&bytes[..16], &[7; 48]].concat()];
        for at in [16, 47, 48, 63] {
            let mut forged = bytes.clone();
            forged[at] ^= 1;
            forgeries.push(forged);
        }
        for forged in forgeries {
            refresh(&app, &URL_SAFE_NO_PAD.encode(forged)).await.refused(401, "INVALID_TOKEN");
        }
        for rubbish in ["", "x", "\u{0}", &ada.access, &format!("{}=", ada.refresh), &"A".repeat(100_000)] {
            refresh(&app, rubbish).await.refused(401, "INVALID_TOKEN");
        }
        assert!(is_in(&app, &ada).await);
        next(&app, &ada).await;
        assert_eq!(recorder.reuses(), 0);
    }

    async fn another_node_answers_the_same_successor(on: On) {
        let one = on.app().await;
        let two = one.another_node(|builder| builder);
        let first = one.register("ada@example.com").await;
        let second = next(&one, &first).await;
        assert_eq!(next(&two, &first).await.refresh, second.refresh);
        let third = next(&two, &second).await;
        assert!(is_in(&one, &third).await);
        refresh(&one, &first.refresh).await.refused(401, "TOKEN_REUSED");
    }
}
