//! The operators' listener, if it is configured: jobs and queues behind a token, and metrics.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use metrics::{describe_counter, describe_gauge, describe_histogram};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use poem::Response;
use poem::endpoint::BoxEndpoint;
use tokio::net::TcpListener;
use tokio::time::{MissedTickBehavior, interval};
use workscribe_core::WorkScribe;
use workscribe_http::{AdminToken, mount_admin};

use crate::values::{ConfigError, is_weak, secret};
use crate::{AnyError, Stop, serve};

const BIND: &str = "WORKSCRIBE_ADMIN_BIND";
const TOKEN: &str = "WORKSCRIBE_ADMIN_TOKEN";

/// From a few milliseconds, the minimum for sending a mail, to the default time limit of a job.
const BUCKETS: [f64; 13] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 30.0, 60.0, 300.0];
/// How often the values of histograms are moved to their buckets, so that they do not pile up between scrapes.
const UPKEEP: Duration = Duration::from_secs(5);

/// The operators' address, and the token that they send.
pub(crate) struct AdminConfig {
    bind: SocketAddr,
    token: AdminToken,
}

impl AdminConfig {
    /// Checks the settings; `None` when operators have no listener.
    pub(crate) fn read(bind: Option<String>, token: Option<String>) -> Result<Option<Self>, ConfigError> {
        let Some(bind) = bind.filter(|text| !text.is_empty()) else { return Ok(None) };
        let bind = bind.parse().map_err(|_| {
            ConfigError::new(BIND, format!("{bind:?} is not an address and port such as 127.0.0.1:8002"))
        })?;
        let token = secret(TOKEN, token)?.ok_or_else(|| {
            let reason = "is needed with WORKSCRIBE_ADMIN_BIND: 32 characters or more, such as `openssl rand -hex 32` prints";
            ConfigError::new(TOKEN, reason)
        })?;
        let checked = AdminToken::new(&token).ok_or_else(|| {
            ConfigError::new(TOKEN, "needs 32 characters or more, of ASCII letters, digits and signs alone")
        })?;
        // The token gives access to every payload, so a weak one is refused in development too.
        if is_weak(token.expose()) {
            let reason = "is too easy to guess; use random characters, such as `openssl rand -hex 32` prints";
            return Err(ConfigError::new(TOKEN, reason));
        }
        Ok(Some(Self { bind, token: checked }))
    }
}

/// An open listener, with the API that it serves.
pub(crate) struct Admin {
    listener: TcpListener,
    api: BoxEndpoint<'static, Response>,
    recorder: PrometheusHandle,
}

impl Admin {
    /// Opens the listener and starts the recorder, if the settings ask for it.
    pub(crate) async fn open(
        config: Option<&AdminConfig>,
        app: &WorkScribe,
    ) -> Result<Option<Self>, AnyError> {
        let Some(AdminConfig { bind, token }) = config else { return Ok(None) };
        let fault = |error| ConfigError::new(BIND, format!("{bind}: {error}"));
        let listener = TcpListener::bind(bind).await.map_err(fault)?;
        let recorder = record()?;
        let handle = recorder.clone();
        let api = mount_admin(app, token.clone(), Some(Arc::new(move || handle.render())));
        let at = format!("http://{}", listener.local_addr()?);
        tracing::info!(%at, "the admin API listens");
        Ok(Some(Self { listener, api, recorder }))
    }

    /// Serves until `stop`.
    pub(crate) async fn run(self, stop: Stop) {
        let upkeep = async {
            let mut ticks = interval(UPKEEP);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            loop {
                ticks.tick().await;
                self.recorder.run_upkeep();
            }
        };
        tokio::select! {
            () = serve::serve(self.listener, self.api, stop) => {}
            () = upkeep => {}
        }
    }
}

/// Installs the recorder of metrics.
fn record() -> Result<PrometheusHandle, AnyError> {
    let seconds = Matcher::Suffix("_seconds".to_owned());
    let recorder = PrometheusBuilder::new().set_buckets_for_metric(seconds, &BUCKETS)?.install_recorder()?;
    describe_counter!("workscribe_jobs_ended_total", "Attempts that ended, by kind and outcome.");
    let refused = "Requests that were refused for now (429, 503), by operation and limit.";
    describe_counter!("workscribe_requests_refused_total", refused);
    describe_histogram!("workscribe_job_run_seconds", "How long an attempt ran.");
    describe_histogram!("workscribe_job_wait_seconds", "How long a job that was due waited for a worker.");
    describe_gauge!("workscribe_jobs_running", "How many jobs run in this worker.");
    Ok(recorder)
}

#[cfg(test)]
mod tests {
    use super::*;

    const STRONG: &str = "s5pL0qW8zT3nV7yR1uK6xB4mD9fG2hJcQeZaXoIvNwMtYrPb";

    fn read(bind: &str, token: Option<&str>) -> Result<bool, String> {
        let config = AdminConfig::read(Some(bind.to_owned()), token.map(str::to_owned));
        config.map(|config| config.is_some()).map_err(|error| error.to_string())
    }

    #[test]
    fn nothing_listens_unless_asked_for() {
        assert!(matches!(AdminConfig::read(None, Some(STRONG.to_owned())), Ok(None)));
        assert_eq!(read("", None), Ok(false));
    }

    #[test]
    fn a_listener_needs_an_address_and_a_strong_token() {
        assert_eq!(read("127.0.0.1:8002", Some(STRONG)), Ok(true));
        let refused = |bind, token, start: &str, reason: &str| {
            let text = read(bind, token).unwrap_err();
            assert!(text.starts_with(start) && text.contains(reason), "{text}");
        };
        refused("8002", Some(STRONG), "WORKSCRIBE_ADMIN_BIND: ", "is not an address and port");
        refused("127.0.0.1:8002", None, "WORKSCRIBE_ADMIN_TOKEN: ", "is needed with WORKSCRIBE_ADMIN_BIND");
        refused("127.0.0.1:8002", Some(&STRONG[..31]), "WORKSCRIBE_ADMIN_TOKEN: ", "needs 32 characters");
        let weak = "a".repeat(40);
        refused("127.0.0.1:8002", Some(&weak), "WORKSCRIBE_ADMIN_TOKEN: ", "too easy to guess");
    }
}
