//! The WorkScribe server.
//!
//! | file | what |
//! |---|---|
//! | `cli.rs` | commands, flags and variables, as text |
//! | `config.rs` | the settings, checked |
//! | `wiring.rs` | which adapter stands behind which port |
//! | `doctor.rs` | what is wrong |
//! | `main.rs` | the commands |
//!
//! **How to add a setting**: a field in `cli.rs`, its check in `config.rs`, its use in `wiring.rs`, a row in the README.

mod cli;
mod config;
mod doctor;
mod wiring;

use std::io::IsTerminal as _;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser as _;
use poem::listener::{Acceptor as _, Listener as _, TcpListener};
use tracing_subscriber::EnvFilter;
use workscribe_http::{HttpOptions, Limits};

use cli::{Cli, Command};
use config::{Config, ConfigError};
use wiring::System;

/// How long running requests and jobs may take to end after a signal.
const DRAIN: Duration = Duration::from_secs(10);
/// A connection on which nothing moves for this long is closed.
const IDLE: Duration = Duration::from_secs(75);

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
    let config = Config::read(settings)?;
    match command {
        Command::Doctor => {
            let well = doctor::examine(&config).await;
            return Ok(if well { ExitCode::SUCCESS } else { ExitCode::FAILURE });
        }
        Command::Migrate => {
            let system = wiring::build(&config).await?;
            system.database.migrate().await?;
            tracing::info!("the schema is up to date");
        }
        Command::Worker => work(&config).await?,
        Command::Serve { no_worker } => serve(&config, no_worker).await?,
        Command::Openapi | Command::Health { .. } => {}
    }
    Ok(ExitCode::SUCCESS)
}

/// Structured logs on standard error: for people on a terminal, else JSON. RUST_LOG chooses what is shown.
fn init_log() {
    let filter = EnvFilter::try_from_default_env()
        .unwrap_or_else(|_| EnvFilter::new("info,poem::server=warn,sqlx=warn"));
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    if std::io::stderr().is_terminal() {
        log.with_target(false).init();
    } else {
        log.json().flatten_event(true).init();
    }
}

/// Brings the schema up to date, or refuses to go on when it is not and must not be touched.
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
    let system = wiring::build(config).await?;
    // Checked before anything is served: a worker that cannot be made is a fault of the settings.
    let worker = wiring::worker(config, &system.app)?;
    prepare(config, &system).await?;
    let listener = TcpListener::bind(config.listen).into_acceptor().await;
    let acceptor = listener
        .map_err(|error| ConfigError::new("WORKSCRIBE_LISTEN", format!("{}: {error}", config.listen)))?;
    let at = acceptor.local_addr().first().map(|address| address.to_string()).unwrap_or_default();
    announce(&at.replace("socket://", "http://"), config);
    let options = HttpOptions {
        cors_origins: config.cors_origins.clone(),
        trusted_proxies: config.trusted_proxies.clone(),
    };
    let api =
        workscribe_http::mount(&system.app, workscribe_http::all(&system.app, Limits::default()), &options);
    let server = poem::Server::new_with_acceptor(acceptor).idle_timeout(IDLE);
    let stop = Stop::listen()?;
    let serving = server.run_with_graceful_shutdown(api, stop.clone().wait(), Some(DRAIN));
    if no_worker {
        serving.await?;
    } else {
        let working = worker.run(stop.wait());
        let (served, ()) = tokio::join!(serving, working);
        served?;
    }
    tracing::info!("stopped");
    Ok(())
}

async fn work(config: &Config) -> Result<(), AnyError> {
    let system = wiring::build(config).await?;
    let worker = wiring::worker(config, &system.app)?;
    prepare(config, &system).await?;
    tracing::info!("working");
    worker.run(Stop::listen()?.wait()).await;
    tracing::info!("stopped");
    Ok(())
}

#[expect(clippy::print_stdout, reason = "the first thing a newcomer wants to know")]
fn announce(at: &str, config: &Config) {
    tracing::info!(%at, production = config.production, "listening");
    if std::io::stdout().is_terminal() {
        println!("\n  WorkScribe listens on {at}\n  Try the API at {at}/docs\n");
    }
}

/// SIGTERM or SIGINT, for everybody who waits for it.
#[derive(Clone)]
struct Stop(tokio::sync::watch::Receiver<bool>);

impl Stop {
    fn listen() -> Result<Self, std::io::Error> {
        use tokio::signal::unix::{SignalKind, signal};
        let (mut term, mut int) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        let (sender, receiver) = tokio::sync::watch::channel(false);
        tokio::spawn(async move {
            tokio::select! { _ = term.recv() => {}, _ = int.recv() => {} }
            tracing::info!("stopping: no new connections, and up to 10 s for what runs");
            // With nobody left to hear it there is nothing to stop.
            let _ = sender.send(true);
            // The sender stays, so that a late waiter still sees the signal.
            std::future::pending::<()>().await;
        });
        Ok(Self(receiver))
    }

    async fn wait(mut self) {
        // An error means that the sender is gone, which is the end too.
        let _ = self.0.wait_for(|stopping| *stopping).await;
    }
}

/// Prints the document.
#[expect(clippy::print_stdout, reason = "the document is what the command is for")]
fn openapi() -> Result<ExitCode, AnyError> {
    println!("{}", serde_json::to_string_pretty(&workscribe_http::openapi::whole())?);
    Ok(ExitCode::SUCCESS)
}

/// Asks a server for a sign of life.
async fn health(url: Option<&str>, listen: Option<&str>) -> Result<ExitCode, AnyError> {
    let base = match url {
        Some(url) => url.trim_end_matches('/').to_owned(),
        None => {
            let listen = listen.unwrap_or("127.0.0.1:8001");
            format!("http://{}", listen.replace("0.0.0.0", "127.0.0.1").replace("[::]", "[::1]"))
        }
    };
    let client = reqwest::Client::builder().timeout(Duration::from_secs(3)).build()?;
    let answer = client.get(format!("{base}/livez")).send().await?.error_for_status()?;
    tracing::debug!(status = answer.status().as_u16(), "alive");
    Ok(ExitCode::SUCCESS)
}
