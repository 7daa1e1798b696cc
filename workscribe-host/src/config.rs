//! The checked settings. Each fault names its variable and says what is wrong.

use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use ipnet::IpNet;
use workscribe_core::RegistrationPolicy;
use workscribe_core::identity::SecretRing;
use workscribe_core::limits::{Limit, Limits};
use workscribe_core::local::{BcryptHasher, SigningKey, VerifyingKey};
use workscribe_core::ports::Secret;
use workscribe_core::webhooks::VerifyingSecret;
use workscribe_jobs::QueueOptions;
use workscribe_sql::Pooler;

use crate::admin::AdminConfig;
use crate::cli::Settings;
use crate::keys::{accepted_keys, secret_ring, signing_key};
use crate::values::{
    ConfigError, choice, limits, networks, parse, queues, secret, split, sqlite_file, switch,
};

/// Where sessions and mailed tokens are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TokenStoreKind {
    /// In the database.
    Database,
    /// In Redis.
    Redis,
}

/// How mail is sent.
#[derive(Debug)]
pub(crate) enum Mail {
    /// Into the log, for development.
    Log,
    /// With Resend.
    Resend { key: Secret, url: String },
    /// With SMTP.
    Smtp(Secret),
    /// Into a folder.
    Folder(PathBuf),
}

/// The checked settings.
pub(crate) struct Config {
    pub(crate) listen: SocketAddr,
    pub(crate) admin: Option<AdminConfig>,
    pub(crate) database_url: Secret,
    pub(crate) database: workscribe_sql::Options,
    pub(crate) redis_url: Option<Secret>,
    pub(crate) token_store: TokenStoreKind,
    pub(crate) public_url: String,
    pub(crate) cors_origins: Vec<String>,
    pub(crate) production: bool,
    pub(crate) secrets: SecretRing,
    pub(crate) signing_key: Option<SigningKey>,
    pub(crate) accepted_keys: Vec<VerifyingKey>,
    pub(crate) mail: Mail,
    pub(crate) resend_webhook: Option<VerifyingSecret>,
    pub(crate) mail_from: String,
    pub(crate) registration: RegistrationPolicy,
    pub(crate) refresh_rotation: bool,
    pub(crate) limits: Limits,
    pub(crate) bcrypt_cost: u32,
    pub(crate) trusted_proxies: Vec<IpNet>,
    pub(crate) webhook_networks: Vec<IpNet>,
    pub(crate) queues: Vec<QueueOptions>,
    pub(crate) migrate: bool,
}

const DEFAULT_DATABASE: &str = "sqlite://workscribe.db";
const DEFAULT_PUBLIC_URL: &str = "http://localhost:5173";

impl Config {
    /// Checks the settings.
    pub(crate) fn read(settings: Settings) -> Result<Self, ConfigError> {
        let production =
            choice("WORKSCRIBE_ENV", settings.env, &[("development", false), ("production", true)], false)?;
        let database_url = secret("WORKSCRIBE_DATABASE_URL", settings.database_url)?
            .unwrap_or_else(|| Secret::new(DEFAULT_DATABASE));
        if !["sqlite:", "postgres:", "postgresql:"]
            .iter()
            .any(|scheme| database_url.expose().starts_with(scheme))
        {
            return Err(ConfigError::new("WORKSCRIBE_DATABASE_URL", "use sqlite://FILE or postgres://…"));
        }
        if let Some(directory) = sqlite_file(database_url.expose()).as_deref().and_then(Path::parent)
            && !directory.as_os_str().is_empty()
            && !directory.is_dir()
        {
            let reason = format!("there is no directory {}", directory.display());
            return Err(ConfigError::new("WORKSCRIBE_DATABASE_URL", reason));
        }
        let poolers = [("none", Pooler::None), ("transaction", Pooler::Transaction)];
        let pooler = choice("WORKSCRIBE_POSTGRES_POOLER", settings.postgres_pooler, &poolers, Pooler::None)?;
        if pooler != Pooler::None && database_url.expose().starts_with("sqlite:") {
            let reason = "is for Postgres, and WORKSCRIBE_DATABASE_URL names SQLite";
            return Err(ConfigError::new("WORKSCRIBE_POSTGRES_POOLER", reason));
        }
        let redis_url = secret("WORKSCRIBE_REDIS_URL", settings.redis_url)?;
        let stores = [("database", TokenStoreKind::Database), ("redis", TokenStoreKind::Redis)];
        let token_store =
            choice("WORKSCRIBE_TOKEN_STORE", settings.token_store, &stores, TokenStoreKind::Database)?;
        if token_store == TokenStoreKind::Redis && redis_url.is_none() {
            return Err(ConfigError::new("WORKSCRIBE_TOKEN_STORE", "redis needs WORKSCRIBE_REDIS_URL"));
        }
        let public_url = public_url(settings.public_url)?;
        let cors_origins = match settings.cors_origins {
            Some(list) => {
                split(&list).map(|text| origin("WORKSCRIBE_CORS_ORIGINS", text)).collect::<Result<_, _>>()?
            }
            None => vec![origin("WORKSCRIBE_PUBLIC_URL", &public_url)?],
        };
        let jwt_secret = secret("WORKSCRIBE_JWT_SECRET", settings.jwt_secret)?;
        let accepted = secret("WORKSCRIBE_JWT_ACCEPTED_SECRETS", settings.jwt_accepted_secrets)?;
        let secrets = secret_ring(jwt_secret, accepted, production, &database_url)?;
        let private = secret("WORKSCRIBE_JWT_PRIVATE_KEY", settings.jwt_private_key)?;
        let public = secret("WORKSCRIBE_JWT_PUBLIC_KEY", settings.jwt_public_key)?;
        let accepted_public =
            secret("WORKSCRIBE_JWT_ACCEPTED_PUBLIC_KEYS", settings.jwt_accepted_public_keys)?;
        let signing_key = signing_key(private, public)?;
        let accepted_keys = accepted_keys(accepted_public, signing_key.is_some())?;
        let resend_key = secret("WORKSCRIBE_RESEND_API_KEY", settings.resend_api_key)?;
        let resend_webhook = secret("WORKSCRIBE_RESEND_WEBHOOK_SECRET", settings.resend_webhook_secret)?;
        let resend_webhook = resend_webhook
            .map(|secret| {
                let reason = "is not a signing secret as Resend shows it: whsec_ and base64";
                VerifyingSecret::parse(&secret)
                    .ok_or_else(|| ConfigError::new("WORKSCRIBE_RESEND_WEBHOOK_SECRET", reason))
            })
            .transpose()?;
        let mail = secret("WORKSCRIBE_MAIL", settings.mail)?;
        let bcrypt_cost = parse(
            "WORKSCRIBE_BCRYPT_COST",
            settings.bcrypt_cost,
            "a number from 4 to 31",
            BcryptHasher::DEFAULT_COST,
        )?;
        if !(4..=31).contains(&bcrypt_cost) || (production && bcrypt_cost < 10) {
            return Err(ConfigError::new(
                "WORKSCRIBE_BCRYPT_COST",
                "use 4 to 31, and in production 10 or more",
            ));
        }
        let rate_limits = switch("WORKSCRIBE_RATE_LIMITS", settings.rate_limits)?;
        let limits = limits(
            settings.limits.as_deref(),
            [
                ("WORKSCRIBE_REQUESTS_PER_USER", Limit::RequestsPerUser, settings.requests_per_user),
                (
                    "WORKSCRIBE_REQUESTS_PER_ORGANIZATION",
                    Limit::RequestsPerOrganization,
                    settings.requests_per_organization,
                ),
            ],
        )?;
        let policies =
            [("open", RegistrationPolicy::Open), ("verify_first", RegistrationPolicy::VerifyFirst)];
        Ok(Self {
            listen: parse(
                "WORKSCRIBE_LISTEN",
                settings.listen,
                "an address and port such as 127.0.0.1:8001",
                SocketAddr::from(([127, 0, 0, 1], 8001)),
            )?,
            admin: AdminConfig::read(settings.admin_bind, settings.admin_token)?,
            token_store,
            cors_origins,
            signing_key,
            accepted_keys,
            resend_webhook,
            mail: mail_choice(mail, resend_key, settings.resend_url, production)?,
            mail_from: settings.mail_from.unwrap_or_else(|| "WorkScribe <no-reply@localhost>".to_owned()),
            registration: choice(
                "WORKSCRIBE_REGISTRATION",
                settings.registration,
                &policies,
                RegistrationPolicy::Open,
            )?,
            refresh_rotation: switch("WORKSCRIBE_REFRESH_ROTATION", settings.refresh_rotation)?,
            limits: if rate_limits { limits } else { limits.lifted() },
            bcrypt_cost,
            trusted_proxies: networks("WORKSCRIBE_TRUSTED_PROXIES", settings.trusted_proxies.as_deref())?,
            queues: queues(settings.queues.as_deref())?,
            webhook_networks: networks("WORKSCRIBE_WEBHOOK_NETWORKS", settings.webhook_networks.as_deref())?,
            migrate: !settings.no_migrate,
            database_url,
            database: workscribe_sql::Options { pooler, ..workscribe_sql::Options::default() },
            redis_url,
            public_url,
            production,
            secrets,
        })
    }

    /// The file of an SQLite database.
    pub(crate) fn sqlite_file(&self) -> Option<PathBuf> {
        sqlite_file(self.database_url.expose())
    }
}

fn public_url(text: Option<String>) -> Result<String, ConfigError> {
    let text = text.unwrap_or_else(|| DEFAULT_PUBLIC_URL.to_owned());
    origin("WORKSCRIBE_PUBLIC_URL", &text)?;
    Ok(text)
}

/// The scheme, host and port of an address.
fn origin(variable: &'static str, text: &str) -> Result<String, ConfigError> {
    let fault =
        || ConfigError::new(variable, format!("{text:?} is not an address such as https://app.example.com"));
    let url = reqwest::Url::parse(text).map_err(|_| fault())?;
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
        return Err(fault());
    }
    Ok(url.origin().ascii_serialization())
}

fn mail_choice(
    mail: Option<Secret>,
    key: Option<Secret>,
    url: Option<String>,
    production: bool,
) -> Result<Mail, ConfigError> {
    let mail = mail.unwrap_or_else(|| Secret::new("log"));
    let text = mail.expose();
    if text == "log" {
        if production {
            return Err(ConfigError::new(
                "WORKSCRIBE_MAIL",
                "is log, and in production no link that lets its reader in may stand in the log; use resend, smtp://…, \
                 smtps://… or file:DIR",
            ));
        }
        return Ok(Mail::Log);
    }
    if text == "resend" {
        let key = key.ok_or_else(|| {
            ConfigError::new("WORKSCRIBE_RESEND_API_KEY", "is needed with WORKSCRIBE_MAIL=resend")
        })?;
        return Ok(Mail::Resend { key, url: url.unwrap_or_else(|| "https://api.resend.com".to_owned()) });
    }
    if text.starts_with("smtp://") || text.starts_with("smtps://") {
        return Ok(Mail::Smtp(mail));
    }
    match text.strip_prefix("file:") {
        Some(folder) if !folder.is_empty() => {
            Ok(Mail::Folder(PathBuf::from(folder.trim_start_matches("//"))))
        }
        _ => Err(ConfigError::new("WORKSCRIBE_MAIL", "use log, resend, smtp://…, smtps://… or file:DIR")),
    }
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config")
            .field("listen", &self.listen)
            .field("production", &self.production)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings() -> Settings {
        Settings { jwt_secret: Some("0123456789abcdef0123456789abcdef".into()), ..Settings::default() }
    }

    fn fault(settings: Settings) -> String {
        Config::read(settings).unwrap_err().to_string()
    }

    #[test]
    fn the_defaults_are_those_of_the_readme() {
        let config = Config::read(settings()).unwrap();
        assert_eq!(config.listen.to_string(), "127.0.0.1:8001");
        assert_eq!(config.cors_origins, ["http://localhost:5173"]);
        assert_eq!(
            (config.bcrypt_cost, config.limits.are_lifted(), config.refresh_rotation),
            (12, false, true)
        );
        assert!(matches!(config.mail, Mail::Log));
        let queues: Vec<_> =
            config.queues.iter().map(|queue| format!("{}:{}", queue.name, queue.concurrency)).collect();
        assert_eq!(queues, ["default:4", "mail:4", "webhooks:16", "upkeep:2"]);
    }

    #[test]
    fn a_fault_names_its_variable_and_says_why() {
        let listen = fault(Settings { listen: Some("8001".into()), ..settings() });
        assert_eq!(listen, "WORKSCRIBE_LISTEN: \"8001\" is not an address and port such as 127.0.0.1:8001");
        let cases = [
            (Settings { jwt_secret: Some("short".into()), ..Settings::default() }, "WORKSCRIBE_JWT_SECRET:"),
            (Settings { database_url: Some("mysql://x".into()), ..settings() }, "WORKSCRIBE_DATABASE_URL:"),
            (
                Settings { postgres_pooler: Some("transaction".into()), ..settings() },
                "WORKSCRIBE_POSTGRES_POOLER: is for Postgres",
            ),
            (
                Settings { token_store: Some("redis".into()), ..settings() },
                "WORKSCRIBE_TOKEN_STORE: redis needs",
            ),
            (Settings { mail: Some("resend".into()), ..settings() }, "WORKSCRIBE_RESEND_API_KEY:"),
            (Settings { mail: Some("pigeon".into()), ..settings() }, "WORKSCRIBE_MAIL:"),
            (Settings { registration: Some("closed".into()), ..settings() }, "WORKSCRIBE_REGISTRATION:"),
            (Settings { rate_limits: Some("yes".into()), ..settings() }, "WORKSCRIBE_RATE_LIMITS:"),
            (Settings { bcrypt_cost: Some("3".into()), ..settings() }, "WORKSCRIBE_BCRYPT_COST:"),
            (
                Settings { trusted_proxies: Some("10.0.0.0/33".into()), ..settings() },
                "WORKSCRIBE_TRUSTED_PROXIES:",
            ),
            (
                Settings { webhook_networks: Some("localhost".into()), ..settings() },
                "WORKSCRIBE_WEBHOOK_NETWORKS:",
            ),
            (Settings { limits: Some("tasks".into()), ..settings() }, "WORKSCRIBE_LIMITS: "),
            (Settings { limits: Some("labels_per_task:0".into()), ..settings() }, "WORKSCRIBE_LIMITS: "),
            (Settings { limits: Some("apples:1".into()), ..settings() }, "WORKSCRIBE_LIMITS: "),
            (Settings { limits: Some("body_seconds:1".into()), ..settings() }, "WORKSCRIBE_LIMITS: "),
            (Settings { requests_per_user: Some("0".into()), ..settings() }, "WORKSCRIBE_REQUESTS_PER_USER:"),
            (
                Settings {
                    requests_per_user: Some("20".into()),
                    limits: Some("requests_per_user:30".into()),
                    ..settings()
                },
                "WORKSCRIBE_REQUESTS_PER_USER: is set, and WORKSCRIBE_LIMITS",
            ),
            (Settings { queues: Some("default".into()), ..settings() }, "WORKSCRIBE_QUEUES:"),
            (Settings { queues: Some("default:0".into()), ..settings() }, "WORKSCRIBE_QUEUES:"),
            (Settings { queues: Some("a:1,a:2".into()), ..settings() }, "WORKSCRIBE_QUEUES: name at least"),
            (Settings { public_url: Some("app.example.com".into()), ..settings() }, "WORKSCRIBE_PUBLIC_URL:"),
            (Settings { jwt_private_key: Some("x".into()), ..settings() }, "WORKSCRIBE_JWT_PUBLIC_KEY:"),
            (
                Settings { jwt_accepted_public_keys: Some("x".into()), ..settings() },
                "WORKSCRIBE_JWT_ACCEPTED_PUBLIC_KEYS: needs",
            ),
        ];
        for (settings, start) in cases {
            let text = fault(settings);
            assert!(text.starts_with(start), "{text}");
        }
    }

    #[test]
    fn rates_are_limits_by_their_own_settings_too_and_lifted_by_one() {
        let given = Settings {
            requests_per_user: Some("20".into()),
            limits: Some(
                "requests_per_organization:200, logins_per_address:7,webhook_places_per_host:3".into(),
            ),
            ..settings()
        };
        let limits = Config::read(given.clone()).unwrap().limits;
        for (limit, value) in [
            (Limit::RequestsPerUser, 20),
            (Limit::RequestsPerOrganization, 200),
            (Limit::LoginsPerAddress, 7),
            (Limit::WebhookPlacesPerHost, 3),
            (Limit::RegistrationsPerAddress, 30),
        ] {
            assert_eq!((limits.of(limit), limits.is_lifted(limit)), (value, false), "{limit:?}");
        }
        let limits = Config::read(Settings { rate_limits: Some("off".into()), ..given }).unwrap().limits;
        assert!(limits.is_lifted(Limit::RequestsPerUser) && limits.is_lifted(Limit::LoginsPerAddress));
        assert!(
            !limits.is_lifted(Limit::WebhookPlacesPerHost),
            "others are not the operator's alone to bear"
        );
    }

    #[test]
    fn production_refuses_missing_weak_and_example_secrets() {
        let production = |secret: Option<&str>| Settings {
            env: Some("production".into()),
            jwt_secret: secret.map(str::to_owned),
            mail: Some("file:mails".into()),
            ..Settings::default()
        };
        assert!(fault(production(None)).contains("is needed in production"));
        for weak in
            ["aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "development-only-secret-change-me-0123456789"]
        {
            assert!(fault(production(Some(weak))).contains("too easy to guess"), "{weak}");
        }
        let strong = "s5pL0qW8zT3nV7yR1uK6xB4mD9fG2hJcQeZaXoIvNwMtYrPb";
        assert!(Config::read(production(Some(strong))).is_ok());
        assert!(
            fault(Settings { bcrypt_cost: Some("9".into()), ..production(Some(strong)) }).contains("BCRYPT")
        );
    }

    #[test]
    fn production_refuses_mail_that_goes_into_the_log() {
        for mail in [None, Some("log".to_owned())] {
            let text = fault(Settings {
                env: Some("production".into()),
                jwt_secret: Some("s5pL0qW8zT3nV7yR1uK6xB4mD9fG2hJcQeZaXoIvNwMtYrPb".into()),
                mail,
                ..Settings::default()
            });
            assert!(text.starts_with("WORKSCRIBE_MAIL: is log") && text.contains("smtp://"), "{text}");
        }
    }
}
