//! Settings, migrations, the generated secret, and two servers at once.

use workscribe_testkit::app::token_of;
use workscribe_testkit::databases::Schema;

use crate::client::Login;
use crate::program::Setup;

const STRONG: &str = "s5pL0qW8zT3nV7yR1uK6xB4mD9fG2hJcQeZaXoIvNwMtYrPb";

#[tokio::test]
async fn a_fault_of_the_settings_names_the_variable_and_the_reason_and_exits_2() {
    let production =
        |setup: Setup| setup.env("WORKSCRIBE_ENV", "production").env("WORKSCRIBE_BCRYPT_COST", "12");
    let file = |name: &str, text: &str| {
        let setup = Setup::new();
        std::fs::write(setup.path().join(name), text).unwrap();
        setup
    };
    let new = Setup::new;
    let weak = "development-only-secret-change-me-0123456789";
    let cases = [
        (new().env("WORKSCRIBE_LISTEN", "8001"), "WORKSCRIBE_LISTEN: ", "is not an address and port"),
        (new().env("WORKSCRIBE_DATABASE_URL", "mysql://x"), "WORKSCRIBE_DATABASE_URL: ", "use sqlite://"),
        (
            new().env("WORKSCRIBE_DATABASE_URL", "sqlite://no/a.db"),
            "WORKSCRIBE_DATABASE_URL: ",
            "there is no directory",
        ),
        (
            new().env("WORKSCRIBE_TOKEN_STORE", "redis"),
            "WORKSCRIBE_TOKEN_STORE: ",
            "needs WORKSCRIBE_REDIS_URL",
        ),
        (new().env("WORKSCRIBE_ADMIN_BIND", "8002"), "WORKSCRIBE_ADMIN_BIND: ", "is not an address and port"),
        (
            new().env("WORKSCRIBE_ADMIN_BIND", "127.0.0.1:0"),
            "WORKSCRIBE_ADMIN_TOKEN: ",
            "is needed with WORKSCRIBE_ADMIN_BIND",
        ),
        (
            new().env("WORKSCRIBE_ADMIN_BIND", "127.0.0.1:0").env("WORKSCRIBE_ADMIN_TOKEN", weak),
            "WORKSCRIBE_ADMIN_TOKEN: ",
            "too easy to guess",
        ),
        (new().env("WORKSCRIBE_REDIS_URL", "http://x"), "WORKSCRIBE_REDIS_URL: ", "cannot be used"),
        (new().env("WORKSCRIBE_PUBLIC_URL", "example.com"), "WORKSCRIBE_PUBLIC_URL: ", "is not an address"),
        (new().env("WORKSCRIBE_PUBLIC_URL", "http://a/?b"), "WORKSCRIBE_PUBLIC_URL: ", "no query"),
        (new().env("WORKSCRIBE_CORS_ORIGINS", "*"), "WORKSCRIBE_CORS_ORIGINS: ", "is not an address"),
        (new().env("WORKSCRIBE_MAIL", "pigeon"), "WORKSCRIBE_MAIL: ", "use log, resend"),
        (new().env("WORKSCRIBE_MAIL", "smtp://["), "WORKSCRIBE_MAIL: ", "it must look like"),
        (
            new().env("WORKSCRIBE_MAIL", "file:x").env("WORKSCRIBE_MAIL_FROM", "me"),
            "WORKSCRIBE_MAIL_FROM: ",
            "",
        ),
        (new().env("WORKSCRIBE_MAIL", "resend"), "WORKSCRIBE_RESEND_API_KEY: ", "is needed"),
        (
            new().env("WORKSCRIBE_RESEND_WEBHOOK_SECRET", "re_1"),
            "WORKSCRIBE_RESEND_WEBHOOK_SECRET: ",
            "whsec_ and base64",
        ),
        (new().env("WORKSCRIBE_RATE_LIMITS", "no"), "WORKSCRIBE_RATE_LIMITS: ", "is not one of: on, off"),
        (new().env("WORKSCRIBE_BCRYPT_COST", "3"), "WORKSCRIBE_BCRYPT_COST: ", "use 4 to 31"),
        (new().env("WORKSCRIBE_TRUSTED_PROXIES", "all"), "WORKSCRIBE_TRUSTED_PROXIES: ", "is not a network"),
        (new().env("WORKSCRIBE_JWT_SECRET", "short"), "WORKSCRIBE_JWT_SECRET: ", "shorter than 32 bytes"),
        (production(new()), "WORKSCRIBE_JWT_SECRET: ", "is needed in production"),
        (production(new()).env("WORKSCRIBE_JWT_SECRET", STRONG), "WORKSCRIBE_MAIL: ", "is log"),
        (
            production(new()).env("WORKSCRIBE_JWT_SECRET", STRONG).env("WORKSCRIBE_MAIL", "log"),
            "WORKSCRIBE_MAIL: ",
            "use resend, smtp://",
        ),
        (
            new().env("WORKSCRIBE_JWT_ACCEPTED_PUBLIC_KEYS", "x"),
            "WORKSCRIBE_JWT_ACCEPTED_PUBLIC_KEYS: ",
            "needs WORKSCRIBE_JWT_PRIVATE_KEY",
        ),
        (
            production(new()).env("WORKSCRIBE_JWT_SECRET", weak),
            "WORKSCRIBE_JWT_SECRET: ",
            "too easy to guess",
        ),
        (
            production(file("s", weak)).env("WORKSCRIBE_JWT_SECRET_FILE", "s"),
            "WORKSCRIBE_JWT_SECRET: ",
            "too easy",
        ),
        (
            new().env("WORKSCRIBE_JWT_SECRET_FILE", "gone"),
            "WORKSCRIBE_JWT_SECRET_FILE: ",
            "gone cannot be read: No such",
        ),
        (
            file("s", "\n").env("WORKSCRIBE_JWT_SECRET_FILE", "s"),
            "WORKSCRIBE_JWT_SECRET_FILE: ",
            "s is empty",
        ),
        (
            file("s", STRONG).env("WORKSCRIBE_JWT_SECRET_FILE", "s").env("WORKSCRIBE_JWT_SECRET", STRONG),
            "WORKSCRIBE_JWT_SECRET: ",
            "is set, and WORKSCRIBE_JWT_SECRET_FILE too",
        ),
        (
            new().env("WORKSCRIBE_DATABASE_URL_FILE", "gone"),
            "WORKSCRIBE_DATABASE_URL_FILE: ",
            "cannot be read",
        ),
    ];
    for (setup, variable, reason) in cases {
        let ended = setup.run(&["serve"]).await;
        assert_eq!(ended.code, Some(2), "{variable} {ended:?}");
        let line: serde_json::Value = serde_json::from_str(ended.stderr.trim()).unwrap();
        let message = line["message"].as_str().unwrap();
        assert!(message.starts_with(variable) && message.contains(reason), "{variable}{reason}: {message}");
        assert!(!ended.stderr.contains(weak) && !ended.stderr.contains(STRONG), "{}", ended.stderr);
        let doctor = setup.run(&["doctor"]).await;
        assert!(matches!(doctor.code, Some(1 | 2)), "{doctor:?}");
        assert!(doctor.stdout.contains("WRONG"), "{variable} {doctor:?}");
    }
}

#[tokio::test]
async fn an_unknown_flag_or_command_exits_2() {
    for arguments in [["--no-such-flag"], ["dance"]] {
        let ended = Setup::new().run(&arguments).await;
        assert_eq!(ended.code, Some(2), "{ended:?}");
        assert!(ended.stderr.contains(arguments[0]), "{ended:?}");
    }
}

#[tokio::test]
async fn an_address_in_use_is_named() {
    let server = Setup::new().serve().await;
    let ended = Setup::new().env("WORKSCRIBE_LISTEN", server.client.address()).run(&["serve"]).await;
    assert_eq!(ended.code, Some(2));
    assert!(ended.stderr.contains("WORKSCRIBE_LISTEN") && ended.stderr.contains("in use"), "{ended:?}");
    let admin = Setup::new().env("WORKSCRIBE_ADMIN_BIND", server.client.address());
    let ended = admin.env("WORKSCRIBE_ADMIN_TOKEN", STRONG).run(&["worker"]).await;
    assert_eq!(ended.code, Some(2));
    assert!(ended.stderr.contains("WORKSCRIBE_ADMIN_BIND") && ended.stderr.contains("in use"), "{ended:?}");
}

#[tokio::test]
async fn secrets_come_from_files() {
    let setup = Setup::new()
        .env("WORKSCRIBE_ENV", "production")
        .mails_to_folder()
        .env("WORKSCRIBE_BCRYPT_COST", "10")
        .env("WORKSCRIBE_JWT_SECRET_FILE", "secret")
        .env("WORKSCRIBE_DATABASE_URL_FILE", "database");
    std::fs::write(setup.path().join("secret"), format!("{STRONG}\n")).unwrap();
    std::fs::write(setup.path().join("database"), "sqlite://elsewhere.db\n").unwrap();
    let server = setup.serve().await;
    let ada = server.client.register("ada@example.com").await;
    server.process.stop().await;
    assert!(setup.path().join("elsewhere.db").exists());

    // The same secret, now in the variable: the token is still valid.
    let setup = setup.without("WORKSCRIBE_JWT_SECRET_FILE").env("WORKSCRIBE_JWT_SECRET", STRONG);
    let server = setup.serve().await;
    server.client.me(&ada).await.expect(200);
    server.process.stop().await;
}

#[tokio::test]
async fn in_production_no_link_stands_in_the_log_and_who_invites_has_a_verified_address() {
    let setup = Setup::new()
        .env("WORKSCRIBE_ENV", "production")
        .mails_to_folder()
        .env("WORKSCRIBE_BCRYPT_COST", "10")
        .env("WORKSCRIBE_JWT_SECRET", STRONG);
    let server = setup.serve().await;
    let client = &server.client;
    let ada = client.register("ada@example.com").await;
    client.organization(&ada, "engines").await.expect(201);
    let invite = async |status| {
        let body = serde_json::json!({"email": "grace@example.com", "role": "member"});
        client.post("/organizations/engines/invite", &body).bearer(&ada).send().await.expect(status);
    };
    invite(403).await;
    let token = token_of(&setup.mailed_link("ada@example.com", "verify-email").await);
    let body = serde_json::json!({"token": token});
    client.post("/auth/verify-email", &body).send().await.expect(204);
    invite(201).await;
    let invitation = token_of(&setup.mailed_link("grace@example.com", "invitations").await);
    let body = serde_json::json!({"email": "ada@example.com"});
    client.post("/auth/forgot-password", &body).send().await.expect(204);
    let reset = token_of(&setup.mailed_link("ada@example.com", "reset-password").await);
    let log = server.process.stop().await;
    for secret in [token, invitation, reset] {
        assert!(!log.contains(&secret), "{log}");
    }
}

#[tokio::test]
async fn the_made_up_secret_survives_a_restart() {
    let schema = Schema::new().await;
    let postgres = Setup::new().env("WORKSCRIBE_DATABASE_URL", &schema.url);
    for (setup, file) in [(Setup::new(), "workscribe.db.secret"), (postgres, "workscribe.secret")] {
        let server = setup.serve().await;
        let ada = server.client.register("ada@example.com").await;
        server.process.stop().await;
        let server = setup.serve().await;
        server.client.me(&ada).await.expect(200);
        server.client.refresh(&ada).await.expect(200);
        server.process.stop().await;
        use std::os::unix::fs::PermissionsExt as _;
        let mode = std::fs::metadata(setup.path().join(file)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{file}");
    }
}

#[tokio::test]
async fn without_migrating_it_serves_a_current_schema_and_refuses_an_old_one() {
    let schema = Schema::new().await;
    for setup in [Setup::new(), Setup::new().env("WORKSCRIBE_DATABASE_URL", &schema.url)] {
        for command in ["serve", "worker"] {
            let refused = setup.run(&[command, "--no-migrate"]).await;
            assert_eq!(refused.code, Some(1), "{refused:?}");
            for part in ["0001 foundation", "run `workscribe migrate`"] {
                assert!(refused.stderr.contains(part), "{part}: {}", refused.stderr);
            }
        }
        for _ in 0..2 {
            assert_eq!(setup.run(&["migrate"]).await.code, Some(0));
        }
        let server = setup.serve_with(&["serve", "--no-migrate"]).await;
        server.client.register("ada@example.com").await;
        server.process.stop().await;
    }
}

#[tokio::test]
async fn two_servers_start_at_once_on_an_empty_database() {
    let schema = Schema::new().await;
    for setup in [Setup::new(), Setup::new().env("WORKSCRIBE_DATABASE_URL", &schema.url)] {
        let (one, other) = tokio::join!(setup.serve(), setup.serve());
        // Both have the same secret and see the same accounts.
        one.client.register("ada@example.com").await;
        let ada = Login::of(&other.client.log_in("ada@example.com").await.expect(200));
        one.client.me(&ada).await.expect(200);
        one.process.stop().await;
        other.client.me(&ada).await.expect(200);
        other.process.stop().await;
    }
}

#[tokio::test]
async fn a_database_that_is_not_there_exits_1_and_says_so_without_the_password() {
    let url = "postgres://workscribe:hunter2@127.0.0.1:1/workscribe";
    let ended = Setup::new().env("WORKSCRIBE_DATABASE_URL", url).run(&["serve"]).await;
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.stderr.contains("refused"), "{}", ended.stderr);
    assert!(!ended.stderr.contains("hunter2"), "{}", ended.stderr);
}
