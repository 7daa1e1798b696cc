//! The command line: every setting is a flag and a variable, read here as text and checked in `config.rs`.

use clap::{Args, Parser, Subcommand};
use workscribe_core::transfer::DEMO_TASKS;

use crate::jobs::JobsCommand;
use crate::transfer::ImportArgs;

/// The WorkScribe server: users, organizations, members and invitations behind an HTTP API.
///
/// Without a command it serves. Every setting is a flag and a variable; secrets may also come from a file, named in the
/// variable with _FILE at its end.
#[derive(Debug, Parser)]
#[command(name = "workscribe", version, about, max_term_width = 100)]
pub(crate) struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
    /// The settings.
    #[command(flatten)]
    pub(crate) settings: Settings,
}

/// What the program does.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Serve the API, with a worker for the jobs in the same process.
    Serve {
        /// Run no worker in this process; run `workscribe worker` elsewhere.
        #[arg(long)]
        no_worker: bool,
    },
    /// Work off jobs: send the mails.
    Worker,
    /// Bring the database's schema up to date.
    Migrate,
    /// Write a whole organization into a file, as JSON lines.
    Export {
        /// The organization's slug.
        slug: String,
        /// The file; standard output unless given.
        file: Option<std::path::PathBuf>,
    },
    /// Bring an organization in: an export of another server, Jira's CSV or GitHub's issues.
    Import(ImportArgs),
    /// Fill the database with an organization to look at: five people, three projects, four hundred tasks or as many as you want.
    Demo {
        /// How many tasks. What is above 400 is all of one project, so that 100000 makes one large board, with up to five years of
        /// history, beside two of ordinary size.
        #[arg(long, default_value_t = DEMO_TASKS, value_name = "NUMBER")]
        tasks: u32,
        /// The organization's slug.
        #[arg(long, default_value = "demo")]
        slug: String,
        /// The password of its owner, ada@example.com; made and printed unless given.
        #[arg(long, env = "WORKSCRIBE_DEMO_PASSWORD", hide_env_values = true)]
        password: Option<String>,
    },
    /// See the jobs and the queues, and take a hand in them.
    #[command(subcommand)]
    Jobs(JobsCommand),
    /// Print the OpenAPI document.
    Openapi,
    /// Say what is wrong with the configuration, the database, Redis and mail.
    Doctor {
        /// Compare stored counts with what they count, too. Reads whole tables.
        #[arg(long)]
        deep: bool,
    },
    /// Ask a running server whether it lives: exit 0 if it does. For container health checks.
    Health {
        /// The server; the listen address of the settings unless given.
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
    /// Address and port for operators, such as 127.0.0.1:8002: jobs, queues and metrics [default: none].
    #[arg(long, global = true, env = "WORKSCRIBE_ADMIN_BIND", hide_env_values = true)]
    pub(crate) admin_bind: Option<String>,
    /// What operators bring, 32 characters or more; needed with an address for them.
    #[arg(long, global = true, env = "WORKSCRIBE_ADMIN_TOKEN", hide_env_values = true)]
    pub(crate) admin_token: Option<String>,
    /// The database: sqlite://FILE or postgres://… [default: sqlite://workscribe.db].
    #[arg(long, global = true, env = "WORKSCRIBE_DATABASE_URL", hide_env_values = true)]
    pub(crate) database_url: Option<String>,
    /// What the URL of Postgres leads to: none, the server, or transaction, a pooler in that mode [default: none].
    #[arg(long, global = true, env = "WORKSCRIBE_POSTGRES_POOLER", hide_env_values = true)]
    pub(crate) postgres_pooler: Option<String>,
    /// Redis, for rate limits and wake-ups across servers [default: none].
    #[arg(long, global = true, env = "WORKSCRIBE_REDIS_URL", hide_env_values = true)]
    pub(crate) redis_url: Option<String>,
    /// Where sessions and mailed tokens are kept: database or redis [default: database].
    #[arg(long, global = true, env = "WORKSCRIBE_TOKEN_STORE", hide_env_values = true)]
    pub(crate) token_store: Option<String>,
    /// The front end's address, the base of links in mails [default: http://localhost:5173].
    #[arg(long, global = true, env = "WORKSCRIBE_PUBLIC_URL", hide_env_values = true)]
    pub(crate) public_url: Option<String>,
    /// Origins whose pages may call the API, separated by commas [default: the public URL's].
    #[arg(long, global = true, env = "WORKSCRIBE_CORS_ORIGINS", hide_env_values = true)]
    pub(crate) cors_origins: Option<String>,
    /// The key that signs tokens, 32 bytes or more [default: in development made once, beside the database].
    #[arg(long, global = true, env = "WORKSCRIBE_JWT_SECRET", hide_env_values = true)]
    pub(crate) jwt_secret: Option<String>,
    /// Earlier keys whose tokens are still accepted, separated by commas [default: none].
    #[arg(long, global = true, env = "WORKSCRIBE_JWT_ACCEPTED_SECRETS", hide_env_values = true)]
    pub(crate) jwt_accepted_secrets: Option<String>,
    /// An Ed25519 private key (PKCS #8 PEM) to sign access tokens with, in place of HS256 [default: none].
    #[arg(long, global = true, env = "WORKSCRIBE_JWT_PRIVATE_KEY", hide_env_values = true)]
    pub(crate) jwt_private_key: Option<String>,
    /// The public key (SPKI PEM) of the private one [default: none].
    #[arg(long, global = true, env = "WORKSCRIBE_JWT_PUBLIC_KEY", hide_env_values = true)]
    pub(crate) jwt_public_key: Option<String>,
    /// Public keys (SPKI PEM, one after the other) whose tokens are accepted beside those of the private one [default: none].
    #[arg(long, global = true, env = "WORKSCRIBE_JWT_ACCEPTED_PUBLIC_KEYS", hide_env_values = true)]
    pub(crate) jwt_accepted_public_keys: Option<String>,
    /// development or production, which refuses weak and missing secrets and mail into the log, and lets only people with a verified
    /// address invite [default: development].
    #[arg(long, global = true, env = "WORKSCRIBE_ENV", hide_env_values = true)]
    pub(crate) env: Option<String>,
    /// How mail goes: resend, smtp://…, smtps://…, file:DIR, or in development log [default: log in development].
    #[arg(long, global = true, env = "WORKSCRIBE_MAIL", hide_env_values = true)]
    pub(crate) mail: Option<String>,
    /// The sender of mails [default: WorkScribe <no-reply@localhost>].
    #[arg(long, global = true, env = "WORKSCRIBE_MAIL_FROM", hide_env_values = true)]
    pub(crate) mail_from: Option<String>,
    /// The key for Resend.
    #[arg(long, global = true, env = "WORKSCRIBE_RESEND_API_KEY", hide_env_values = true)]
    pub(crate) resend_api_key: Option<String>,
    /// The signing secret (whsec_…) of Resend's webhook to /hooks/resend, which tells of addresses that refuse mail [default: none].
    #[arg(long, global = true, env = "WORKSCRIBE_RESEND_WEBHOOK_SECRET", hide_env_values = true)]
    pub(crate) resend_webhook_secret: Option<String>,
    /// Resend's API [default: https://api.resend.com].
    #[arg(long, global = true, env = "WORKSCRIBE_RESEND_URL", hide_env_values = true)]
    pub(crate) resend_url: Option<String>,
    /// open, or verify_first: whether an account can be used before its address is verified [default: open].
    #[arg(long, global = true, env = "WORKSCRIBE_REGISTRATION", hide_env_values = true)]
    pub(crate) registration: Option<String>,
    /// Whether each refresh gives a new refresh token: on or off [default: on].
    #[arg(long, global = true, env = "WORKSCRIBE_REFRESH_ROTATION", hide_env_values = true)]
    pub(crate) refresh_rotation: Option<String>,
    /// Whether requests are limited: on, or off for load tests [default: on].
    #[arg(long, global = true, env = "WORKSCRIBE_RATE_LIMITS", hide_env_values = true)]
    pub(crate) rate_limits: Option<String>,
    /// How many requests a user may make a second, on each server; those of ten seconds may come at once [default: 50].
    #[arg(long, global = true, env = "WORKSCRIBE_REQUESTS_PER_USER", hide_env_values = true)]
    pub(crate) requests_per_user: Option<String>,
    /// How many may be made in an organization, likewise [default: 500].
    #[arg(long, global = true, env = "WORKSCRIBE_REQUESTS_PER_ORGANIZATION", hide_env_values = true)]
    pub(crate) requests_per_organization: Option<String>,
    /// How much of each thing there may be, and how often what may be done, as name:number, separated by commas; docs/LIMITS.md has the
    /// names [default: those there].
    #[arg(long, global = true, env = "WORKSCRIBE_LIMITS", hide_env_values = true)]
    pub(crate) limits: Option<String>,
    /// The cost of a password hash, 4 to 31; below 10 in development only [default: 12].
    #[arg(long, global = true, env = "WORKSCRIBE_BCRYPT_COST", hide_env_values = true)]
    pub(crate) bcrypt_cost: Option<String>,
    /// Networks (CIDR) of proxies whose X-Forwarded-For is believed, separated by commas [default: none].
    #[arg(long, global = true, env = "WORKSCRIBE_TRUSTED_PROXIES", hide_env_values = true)]
    pub(crate) trusted_proxies: Option<String>,
    /// The queues that the worker works off, and how many of the jobs of each run at a time [default: default:4,webhooks:16].
    #[arg(long, global = true, env = "WORKSCRIBE_QUEUES", hide_env_values = true)]
    pub(crate) queues: Option<String>,
    /// Networks (CIDR) that are not public to which webhooks may go all the same, over plain HTTP too, separated by commas
    /// [default: none].
    #[arg(long, global = true, env = "WORKSCRIBE_WEBHOOK_NETWORKS", hide_env_values = true)]
    pub(crate) webhook_networks: Option<String>,
    /// Do not migrate at start: refuse to start when migrations are pending.
    #[arg(long, global = true)]
    pub(crate) no_migrate: bool,
}
