//! The command line: every setting is a flag and a variable, read here as text and checked in `config.rs`.

use clap::{Args, Parser, Subcommand};
use workscribe_core::transfer::DEMO_TASKS;

use crate::jobs::JobsCommand;
use crate::transfer::ImportArgs;

/// The WorkScribe server: users, organizations, members and invitations behind an HTTP API.
///
/// Without a command it serves. Every setting is a flag and a variable. A secret may also come from a file: the name of its
/// variable then ends with _FILE, and the value is the path.
#[derive(Debug, Parser)]
#[command(name = "workscribe", version, about, max_term_width = 100)]
pub(crate) struct Cli {
    /// The command to run.
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
    /// The settings.
    #[command(flatten)]
    pub(crate) settings: Settings,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Serve the API, and run the jobs in the same process.
    Serve {
        /// Run no worker in this process; run `workscribe worker` elsewhere.
        #[arg(long)]
        no_worker: bool,
    },
    /// Run the jobs, such as sending mails.
    Worker,
    /// Apply the missing migrations to the database.
    Migrate,
    /// Write a whole organization to a file, as JSON lines.
    Export {
        /// The organization's slug.
        slug: String,
        /// The file [default: standard output].
        file: Option<std::path::PathBuf>,
    },
    /// Import an organization: an export of another server, Jira's CSV or GitHub's issues.
    Import(ImportArgs),
    /// Fill the database with an organization to look at: five people, three projects, four hundred tasks or as many as you want.
    Demo {
        /// The number of tasks. All above 400 belong to one project, so that 100000 makes one large board, with up to five years of
        /// history, beside two of ordinary size.
        #[arg(long, default_value_t = DEMO_TASKS, value_name = "NUMBER")]
        tasks: u32,
        /// The organization's slug.
        #[arg(long, default_value = "demo")]
        slug: String,
        /// The password of its owner, ada@example.com [default: a new one, which is printed].
        #[arg(long, env = "WORKSCRIBE_DEMO_PASSWORD", hide_env_values = true)]
        password: Option<String>,
    },
    /// Show and change jobs and queues.
    #[command(subcommand)]
    Jobs(JobsCommand),
    /// Print the OpenAPI document.
    Openapi,
    /// Check the configuration, the database, Redis and mail.
    Doctor {
        /// Also compare stored counts with the rows that they count. Reads whole tables.
        #[arg(long)]
        deep: bool,
    },
    /// Check that a running server responds: exit 0 if it does. For container health checks.
    Health {
        /// The server's URL [default: the listen address of the settings].
        #[arg(long)]
        url: Option<String>,
    },
}

/// The settings, as text.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct Settings {
    /// Address and port to listen on [default: 127.0.0.1:8001].
    #[arg(long, global = true, env = "WORKSCRIBE_LISTEN", hide_env_values = true)]
    pub(crate) listen: Option<String>,
    /// Address and port on which operators see jobs, queues and metrics, such as 127.0.0.1:8002 [default: none].
    #[arg(long, global = true, env = "WORKSCRIBE_ADMIN_BIND", hide_env_values = true)]
    pub(crate) admin_bind: Option<String>,
    /// The token that operators send, 32 characters or more; required with WORKSCRIBE_ADMIN_BIND.
    #[arg(long, global = true, env = "WORKSCRIBE_ADMIN_TOKEN", hide_env_values = true)]
    pub(crate) admin_token: Option<String>,
    /// The database: sqlite://FILE or postgres://… [default: sqlite://workscribe.db].
    #[arg(long, global = true, env = "WORKSCRIBE_DATABASE_URL", hide_env_values = true)]
    pub(crate) database_url: Option<String>,
    /// What the URL of Postgres points to: none for the server, or transaction for a pooler in that mode [default: none].
    #[arg(long, global = true, env = "WORKSCRIBE_POSTGRES_POOLER", hide_env_values = true)]
    pub(crate) postgres_pooler: Option<String>,
    /// Redis, for rate limits and wake-ups across servers [default: none].
    #[arg(long, global = true, env = "WORKSCRIBE_REDIS_URL", hide_env_values = true)]
    pub(crate) redis_url: Option<String>,
    /// Where sessions and mailed tokens are stored: database or redis [default: database].
    #[arg(long, global = true, env = "WORKSCRIBE_TOKEN_STORE", hide_env_values = true)]
    pub(crate) token_store: Option<String>,
    /// The front end's address, the base of links in mails [default: http://localhost:5173].
    #[arg(long, global = true, env = "WORKSCRIBE_PUBLIC_URL", hide_env_values = true)]
    pub(crate) public_url: Option<String>,
    /// Origins whose pages may call the API, separated by commas [default: the public URL's].
    #[arg(long, global = true, env = "WORKSCRIBE_CORS_ORIGINS", hide_env_values = true)]
    pub(crate) cors_origins: Option<String>,
    /// The key that signs tokens, 32 bytes or more [default: in development a new one, stored beside the database].
    #[arg(long, global = true, env = "WORKSCRIBE_JWT_SECRET", hide_env_values = true)]
    pub(crate) jwt_secret: Option<String>,
    /// Previous keys whose tokens are still accepted, separated by commas [default: none].
    #[arg(long, global = true, env = "WORKSCRIBE_JWT_ACCEPTED_SECRETS", hide_env_values = true)]
    pub(crate) jwt_accepted_secrets: Option<String>,
    /// An Ed25519 private key (PKCS #8 PEM) that signs access tokens, instead of HS256 [default: none].
    #[arg(long, global = true, env = "WORKSCRIBE_JWT_PRIVATE_KEY", hide_env_values = true)]
    pub(crate) jwt_private_key: Option<String>,
    /// The public key (SPKI PEM) of the private one [default: none].
    #[arg(long, global = true, env = "WORKSCRIBE_JWT_PUBLIC_KEY", hide_env_values = true)]
    pub(crate) jwt_public_key: Option<String>,
    /// More public keys (SPKI PEM, one after the other) whose tokens are accepted [default: none].
    #[arg(long, global = true, env = "WORKSCRIBE_JWT_ACCEPTED_PUBLIC_KEYS", hide_env_values = true)]
    pub(crate) jwt_accepted_public_keys: Option<String>,
    /// development or production. In production weak and missing secrets and mail to the log are refused, and only users with a
    /// verified address may invite [default: development].
    #[arg(long, global = true, env = "WORKSCRIBE_ENV", hide_env_values = true)]
    pub(crate) env: Option<String>,
    /// How mail is sent: resend, smtp://…, smtps://…, file:DIR, or in development log [default: log in development].
    #[arg(long, global = true, env = "WORKSCRIBE_MAIL", hide_env_values = true)]
    pub(crate) mail: Option<String>,
    /// The sender of mails [default: WorkScribe <no-reply@localhost>].
    #[arg(long, global = true, env = "WORKSCRIBE_MAIL_FROM", hide_env_values = true)]
    pub(crate) mail_from: Option<String>,
    /// The key for Resend.
    #[arg(long, global = true, env = "WORKSCRIBE_RESEND_API_KEY", hide_env_values = true)]
    pub(crate) resend_api_key: Option<String>,
    /// The signing secret (whsec_…) of Resend's webhook to /hooks/resend, which reports addresses that refuse mail [default: none].
    #[arg(long, global = true, env = "WORKSCRIBE_RESEND_WEBHOOK_SECRET", hide_env_values = true)]
    pub(crate) resend_webhook_secret: Option<String>,
    /// The URL of Resend's API [default: https://api.resend.com].
    #[arg(long, global = true, env = "WORKSCRIBE_RESEND_URL", hide_env_values = true)]
    pub(crate) resend_url: Option<String>,
    /// Whether an account can be used before its address is verified: open or verify_first [default: open].
    #[arg(long, global = true, env = "WORKSCRIBE_REGISTRATION", hide_env_values = true)]
    pub(crate) registration: Option<String>,
    /// Whether each refresh returns a new refresh token: on or off [default: on].
    #[arg(long, global = true, env = "WORKSCRIBE_REFRESH_ROTATION", hide_env_values = true)]
    pub(crate) refresh_rotation: Option<String>,
    /// Whether requests are limited: on, or off for load tests [default: on].
    #[arg(long, global = true, env = "WORKSCRIBE_RATE_LIMITS", hide_env_values = true)]
    pub(crate) rate_limits: Option<String>,
    /// How many requests a user may make per second on each server; a burst may have those of ten seconds [default: 50].
    #[arg(long, global = true, env = "WORKSCRIBE_REQUESTS_PER_USER", hide_env_values = true)]
    pub(crate) requests_per_user: Option<String>,
    /// How many requests all users of an organization may make, in the same way [default: 500].
    #[arg(long, global = true, env = "WORKSCRIBE_REQUESTS_PER_ORGANIZATION", hide_env_values = true)]
    pub(crate) requests_per_organization: Option<String>,
    /// Limits of counts, sizes, rates and concurrency, as name:number, separated by commas; docs/LIMITS.md lists the names
    /// [default: those in that list].
    #[arg(long, global = true, env = "WORKSCRIBE_LIMITS", hide_env_values = true)]
    pub(crate) limits: Option<String>,
    /// The cost of a password hash, 4 to 31; below 10 only in development [default: 12].
    #[arg(long, global = true, env = "WORKSCRIBE_BCRYPT_COST", hide_env_values = true)]
    pub(crate) bcrypt_cost: Option<String>,
    /// Networks (CIDR) of proxies whose X-Forwarded-For is trusted, separated by commas [default: none].
    #[arg(long, global = true, env = "WORKSCRIBE_TRUSTED_PROXIES", hide_env_values = true)]
    pub(crate) trusted_proxies: Option<String>,
    /// The queues of the worker, and how many jobs of each run at a time [default: default:4,mail:4,webhooks:16,upkeep:2].
    #[arg(long, global = true, env = "WORKSCRIBE_QUEUES", hide_env_values = true)]
    pub(crate) queues: Option<String>,
    /// Networks (CIDR) that are not public but to which webhooks may send, also over plain HTTP, separated by commas
    /// [default: none].
    #[arg(long, global = true, env = "WORKSCRIBE_WEBHOOK_NETWORKS", hide_env_values = true)]
    pub(crate) webhook_networks: Option<String>,
    /// Do not migrate at start: refuse to start when migrations are pending.
    #[arg(long, global = true)]
    pub(crate) no_migrate: bool,
}
