//! Builds the application from the settings: which adapter implements which port.

use std::sync::Arc;

use workscribe_core::local::{BcryptHasher, JwtIssuer, LocalRateLimiter};
use workscribe_core::ports::{Mailer, Wakeup};
use workscribe_core::webhooks::{DeliverWebhook, WebhookNetworks};
use workscribe_core::{Settings, Storage, WorkScribe};
use workscribe_jobs::Registry;
use workscribe_jobs::mail::{
    DefaultTemplates, FileMailer, Links, LogMailer, ResendMailer, SmtpMailer, workscribe_jobs,
};
use workscribe_jobs::webhooks::WebhookSender;
use workscribe_redis::{Redis, RedisRateLimiter, RedisTokens, RedisWakeup};
use workscribe_sql::Database;

use crate::config::{Config, Mail, TokenStoreKind};
use crate::values::ConfigError;

/// The application and its database.
pub(crate) struct System {
    /// The database.
    pub(crate) database: Arc<dyn Database>,
    /// The application.
    pub(crate) app: WorkScribe,
}

/// Connects to the database and builds the application.
pub(crate) async fn build(config: &Config) -> Result<System, Box<dyn std::error::Error + Send + Sync>> {
    let database = workscribe_sql::connect(config.database_url.expose(), &config.database).await?;
    let redis = redis(config)?;
    let mut storage: Arc<dyn Storage> = database.storage();
    if let (TokenStoreKind::Redis, Some(redis)) = (config.token_store, &redis) {
        storage = Arc::new(RedisTokens::new(storage, redis.clone()));
    }
    let mut builder = WorkScribe::builder(storage, config.secrets.clone())
        .hasher(Arc::new(BcryptHasher::new(config.bcrypt_cost)))
        .settings(Settings {
            registration: config.registration,
            refresh_rotation: config.refresh_rotation,
            webhook_networks: WebhookNetworks::with(config.webhook_networks.clone()),
            verified_inviters: config.production,
            limits: config.limits.clone(),
            ..Settings::default()
        });
    if let Some(key) = &config.signing_key {
        builder = builder.issuer(Arc::new(JwtIssuer::ed25519(key.clone(), config.accepted_keys.clone())));
    }
    let wakeup = match &redis {
        Some(redis) => Some(Arc::new(RedisWakeup::new(redis.clone())) as Arc<dyn Wakeup>),
        None => database.wakeup(),
    };
    if let Some(wakeup) = wakeup {
        builder = builder.wakeup(wakeup);
    }
    if let Some(redis) = &redis {
        let limiter = RedisRateLimiter::new(redis.clone(), LocalRateLimiter::default());
        builder = builder.limiter(Arc::new(limiter));
    }
    Ok(System { database, app: builder.build() })
}

/// Redis, if it is configured. It connects at the first command.
pub(crate) fn redis(config: &Config) -> Result<Option<Redis>, ConfigError> {
    let connect = |url: &workscribe_core::ports::Secret| {
        Redis::connect(url.expose(), workscribe_redis::Options::default())
            .map_err(|error| ConfigError::new("WORKSCRIBE_REDIS_URL", error.to_string()))
    };
    config.redis_url.as_ref().map(connect).transpose()
}

/// The transport for mail.
fn mailer(config: &Config) -> Result<Arc<dyn Mailer>, ConfigError> {
    let from = config.mail_from.as_str();
    let fault = |error: workscribe_jobs::mail::SetupError| {
        let variable = match error {
            workscribe_jobs::mail::SetupError::From => "WORKSCRIBE_MAIL_FROM",
            _ => "WORKSCRIBE_MAIL",
        };
        ConfigError::new(variable, error.to_string())
    };
    Ok(match &config.mail {
        Mail::Log => Arc::new(LogMailer),
        Mail::Folder(folder) => Arc::new(FileMailer::new(folder, from).map_err(fault)?),
        Mail::Smtp(url) => Arc::new(SmtpMailer::from_url(url.expose(), from).map_err(fault)?),
        Mail::Resend { key, url } => Arc::new(ResendMailer::new(key, url, from).map_err(fault)?),
    })
}

/// The handlers of WorkScribe's own jobs.
pub(crate) fn registry(config: &Config) -> Result<Registry, ConfigError> {
    let links = Links::new(&config.public_url)
        .map_err(|error| ConfigError::new("WORKSCRIBE_PUBLIC_URL", error.to_string()))?;
    let sender = WebhookSender::new(WebhookNetworks::with(config.webhook_networks.clone()))
        .map_err(|error| ConfigError::new("WORKSCRIBE_WEBHOOK_NETWORKS", error.to_string()))?;
    Ok(workscribe_jobs(mailer(config)?, Arc::new(DefaultTemplates::new("WorkScribe")), links)
        .register::<DeliverWebhook>(sender))
}
