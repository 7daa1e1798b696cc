//! The WorkScribe server.
//!
//! | file | what |
//! |---|---|
//! | `cli.rs` | commands, flags and variables, as text |
//! | `config.rs`, `keys.rs`, `values.rs` | the settings, checked |
//! | `wiring.rs` | which adapter implements which port |
//! | `serve.rs` | the HTTP server: connections, their timeouts, the shutdown |
//! | `admin.rs` | the operators' listener, and the recorder of metrics |
//! | `jobs.rs` | jobs and queues on the command line |
//! | `transfer.rs` | export, import and the demo |
//! | `doctor.rs` | the diagnosis of an installation |
//! | `main.rs` | the commands |
//!
//! **How to add a setting**: add a field in `cli.rs`, its check in `config.rs`, its use in `wiring.rs`, and a row in the README.

mod admin;
mod cli;
mod config;
mod doctor;
mod jobs;
mod keys;
mod progress;
mod serve;
mod transfer;
mod values;
mod wiring;

use std::io::IsTerminal as _;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser as _;
use tokio::net::TcpListener;
use tracing_subscriber::EnvFilter;
use workscribe_http::HttpOptions;
use workscribe_jobs::{Registry, Worker, WorkerOptions, workscribe_schedules};

use admin::Admin;
use cli::{Cli, Command};
use config::Config;
use values::ConfigError;
use wiring::System;

/// A request makes many small allocations. With the system's allocator they took a sixth of its time.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// How long running requests and jobs may take after a signal.
const DRAIN: Duration = Duration::from_secs(10);
/// How long closing the connections to the database may take after that.
const CLOSE: Duration = Duration::from_secs(2);

type AnyError = Box<dyn std::error::Error + Send + Sync>;

#[tokio::main]
async fn main() -> ExitCode {
    let cli = Cli::parse();
    let command = cli.command.unwrap_or(Command::Serve { no_worker: false });
    init_log();
    let outcome = match command {
        Command::Openapi => openapi(),
        command => run(command, cli.settings).await,
    };
    match outcome {
        Ok(code) => code,
        Err(error) => {
            let is_config = error.is::<ConfigError>();
            tracing::error!("{}", doctor::chain(&*error));
            ExitCode::from(if is_config { 2 } else { 1 })
        }
    }
}

async fn run(command: Command, settings: cli::Settings) -> Result<ExitCode, AnyError> {
    if let Command::Health { url } = &command {
        return health(url.as_deref(), settings.listen.as_deref()).await;
    }
    let config = Config::read(settings);
    if let (Command::Doctor { .. }, Err(error)) = (&command, &config) {
        doctor::say("configuration", &Err(error.to_string()));
    }
    let config = config?;
    match command {
        Command::Doctor { deep } => {
            let well = doctor::examine(&config, deep).await;
            return Ok(if well { ExitCode::SUCCESS } else { ExitCode::FAILURE });
        }
        Command::Migrate => {
            let system = wiring::build(&config).await?;
            system.database.migrate().await?;
            tracing::info!("the schema is up to date");
            end(&system).await;
        }
        Command::Worker => work(&config).await?,
        Command::Serve { no_worker } => serve(&config, no_worker).await?,
        Command::Export { .. } | Command::Import(_) | Command::Demo { .. } | Command::Jobs(_) => {
            let system = wiring::build(&config).await?;
            prepare(&config, &system).await?;
            let outcome = carry(&system, command).await;
            end(&system).await;
            outcome?;
        }
        Command::Openapi | Command::Health { .. } => {}
    }
    Ok(ExitCode::SUCCESS)
}

/// Runs the commands that need the whole application: export, import, demo and jobs.
async fn carry(system: &System, command: Command) -> Result<(), AnyError> {
    match command {
        Command::Export { slug, file } => transfer::export(&system.app, &slug, file.as_deref()).await,
        Command::Import(args) => transfer::import(&system.app, &args).await,
        Command::Demo { tasks, slug, password } => transfer::demo(&system.app, tasks, slug, password).await,
        Command::Jobs(command) => jobs::run(&system.app, command).await,
        _ => Ok(()),
    }
}

/// Structured logs on standard error: readable text on a terminal, otherwise JSON. RUST_LOG chooses what is shown.
fn init_log() {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info,sqlx=warn"));
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    if std::io::stderr().is_terminal() {
        log.with_target(false).init();
    } else {
        log.json().flatten_event(true).with_span_list(false).init();
    }
    // A panic is logged as any other error.
    std::panic::set_hook(Box::new(|panic| {
        let at = panic.location().map(ToString::to_string);
        tracing::error!(at, "panicked: {}", panic.payload_as_str().unwrap_or("without a message"));
    }));
}

/// Applies missing migrations, or fails if there are any and the settings do not allow to apply them.
async fn prepare(config: &Config, system: &System) -> Result<(), AnyError> {
    if config.migrate {
        return Ok(system.database.migrate().await?);
    }
    let pending = system.database.pending_migrations().await?;
    if pending.is_empty() {
        return Ok(());
    }
    let names = pending.join(", ");
    Err(format!("migrations are pending ({names}); run `workscribe migrate`, or start without --no-migrate")
        .into())
}

async fn serve(config: &Config, no_worker: bool) -> Result<(), AnyError> {
    // Before any connection: a mailer that cannot be created is a fault of the settings.
    let registry = wiring::registry(config)?;
    let system = wiring::build(config).await?;
    prepare(config, &system).await?;
    let options = HttpOptions {
        cors_origins: config.cors_origins.clone(),
        trusted_proxies: config.trusted_proxies.clone(),
        resend_webhook: config.resend_webhook.clone(),
        counts_requests: true,
    };
    let api = workscribe_http::mount(&system.app, workscribe_http::all(&system.app), &options);
    let stop = Stop::listen()?;
    let fault = |error| ConfigError::new("WORKSCRIBE_LISTEN", format!("{}: {error}", config.listen));
    let listener = TcpListener::bind(config.listen).await.map_err(fault)?;
    let admin = Admin::open(config.admin.as_ref(), &system.app).await?;
    announce(&format!("http://{}", listener.local_addr()?), config);
    let serving =
        async { tokio::join!(serve::serve(listener, api, stop.clone()), administer(admin, stop.clone())) };
    if no_worker {
        serving.await;
    } else {
        let worker = worker(config, &system, registry)?;
        tokio::join!(serving, worker.run(stop.clone().wait()));
    }
    end(&system).await;
    Ok(())
}

fn worker(config: &Config, system: &System, registry: Registry) -> Result<Worker, AnyError> {
    let options = WorkerOptions { queues: config.queues.clone(), ..WorkerOptions::default() };
    let worker = Worker::new(system.app.clone(), registry, options);
    Ok(worker.schedules(workscribe_schedules()?))
}

async fn work(config: &Config) -> Result<(), AnyError> {
    let registry = wiring::registry(config)?;
    let system = wiring::build(config).await?;
    prepare(config, &system).await?;
    let stop = Stop::listen()?;
    let admin = Admin::open(config.admin.as_ref(), &system.app).await?;
    tracing::info!("working");
    let worker = worker(config, &system, registry)?;
    tokio::join!(administer(admin, stop.clone()), worker.run(stop.wait()));
    end(&system).await;
    Ok(())
}

/// Serves the operators, if they have a listener.
async fn administer(admin: Option<Admin>, stop: Stop) {
    if let Some(admin) = admin {
        admin.run(stop).await;
    }
}

/// Closes the database, so that SQLite's log is removed and Postgres sees no broken connections.
async fn end(system: &System) {
    if tokio::time::timeout(CLOSE, system.database.close()).await.is_err() {
        tracing::warn!("some connections to the database were still in use");
    }
    tracing::info!("stopped");
}

#[expect(clippy::print_stdout, reason = "the first thing a newcomer wants to know")]
fn announce(at: &str, config: &Config) {
    tracing::info!(%at, production = config.production, "listening");
    if std::io::stdout().is_terminal() {
        println!("\n  WorkScribe listens on {at}\n  Try the API at {at}/docs\n");
    }
}

/// Signals SIGTERM or SIGINT to every task that waits for it.
#[derive(Clone)]
struct Stop(tokio::sync::watch::Receiver<bool>);

impl Stop {
    fn listen() -> Result<Self, std::io::Error> {
        use tokio::signal::unix::{SignalKind, signal};
        let (mut term, mut int) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        let (sender, receiver) = tokio::sync::watch::channel(false);
        tokio::spawn(async move {
            tokio::select! { _ = term.recv() => {}, _ = int.recv() => {} }
            tracing::info!("stopping: no new connections, and up to 10 s for running requests and jobs");
            // An error means that no task waits.
            let _ = sender.send(true);
            // Keeps the sender alive, so that a task that waits later still sees the signal.
            std::future::pending::<()>().await;
        });
        Ok(Self(receiver))
    }

    async fn wait(mut self) {
        // An error means that the sender was dropped, which also means the end.
        let _ = self.0.wait_for(|stopping| *stopping).await;
    }
}

/// Prints the OpenAPI document.
#[expect(clippy::print_stdout, reason = "the document is what the command is for")]
fn openapi() -> Result<ExitCode, AnyError> {
    println!("{}", serde_json::to_string_pretty(&workscribe_http::openapi::whole())?);
    Ok(ExitCode::SUCCESS)
}

/// Checks that a server responds.
async fn health(url: Option<&str>, listen: Option<&str>) -> Result<ExitCode, AnyError> {
    let base = match url {
        Some(url) => url.trim_end_matches('/').to_owned(),
        None => {
            let listen = listen.unwrap_or("127.0.0.1:8001");
            format!("http://{}", listen.replace("0.0.0.0", "127.0.0.1").replace("[::]", "[::1]"))
        }
    };
    // Without a proxy that the environment names for outgoing calls.
    let client = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(3)).build()?;
    let answer = client.get(format!("{base}/livez")).send().await?.error_for_status()?;
    tracing::debug!(status = answer.status().as_u16(), "alive");
    Ok(ExitCode::SUCCESS)
}
