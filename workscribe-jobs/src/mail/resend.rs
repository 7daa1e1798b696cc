//! The mail transport for Resend's HTTP API: [`ResendMailer`].

use std::time::Duration;

use async_trait::async_trait;
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use reqwest::redirect::Policy;
use reqwest::{Client, Response, StatusCode, Url};
use serde::{Deserialize, Serialize};
use workscribe_core::ports::{Mail, MailError, Mailer, Secret};

use super::{SetupError, message};
use crate::retry_after::retry_after;

/// How long one call may take.
const TIMEOUT: Duration = Duration::from_secs(10);
/// The minimum wait after an exceeded quota.
const QUOTA_WAIT: Duration = Duration::from_secs(60 * 60);

/// Sends mail through [Resend](https://resend.com)'s HTTP API.
///
/// The job's id is the `Idempotency-Key`, so a mail that is sent again within 24 hours (Resend's limit) arrives once. The status
/// and the `name` of an error decide what follows (<https://resend.com/docs/api-reference/errors>):
///
/// | error | what follows |
/// |---|---|
/// | 5xx, 408, a broken connection, no response in time | retry, after `Retry-After` if the response has one |
/// | 429 | retry after `Retry-After`; at a daily or monthly quota, after at least an hour |
/// | 409, except `invalid_idempotent_request` | retry: the same call is still running, or a row is locked |
/// | 3xx, 401, 403, 404, 405, `invalid_from_address` | retry: the operator must correct the key, the domain or the URL |
/// | `invalid_to_address` | the address is refused |
/// | any other 4xx | the mail is refused for good |
///
/// As of November 2026 Resend does not document `invalid_to_address`, the counterpart of `invalid_from_address`. An invalid
/// recipient gives a `validation_error`, and only its text describes the cause, which a program should not parse. So most addresses
/// are marked as bouncing later, by Resend's webhook, which `workscribe-http` receives (field `resend_webhook` of `HttpOptions`).
/// The reason of an error contains the status and the name, never the text, which may quote an address.
pub struct ResendMailer {
    client: Client,
    url: Url,
    from: String,
    timeout: Duration,
}

impl ResendMailer {
    /// The URL of the API.
    pub const DEFAULT_URL: &'static str = "https://api.resend.com";

    /// A mailer with an API key, the base URL of the API, and a sender such as `WorkScribe <no-reply@example.com>`.
    ///
    /// # Errors
    /// [`SetupError`] for an invalid key, URL or sender.
    pub fn new(key: &Secret, base_url: &str, from: &str) -> Result<Self, SetupError> {
        message::sender(from)?;
        let url = format!("{}/emails", base_url.trim().trim_end_matches('/'));
        let url = Url::parse(&url).map_err(|error| SetupError::Url(error.to_string()))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(SetupError::Url("it must begin with http:// or https://".into()));
        }
        let mut bearer = HeaderValue::from_str(&format!("Bearer {}", key.expose().trim()))
            .map_err(|_| SetupError::Client("the API key has characters that no key has".into()))?;
        bearer.set_sensitive(true);
        let client = Client::builder()
            .default_headers(HeaderMap::from_iter([(AUTHORIZATION, bearer)]))
            .user_agent(concat!("workscribe/", env!("CARGO_PKG_VERSION")))
            .redirect(Policy::none())
            .build()
            .map_err(|error| SetupError::Client(error.without_url().to_string()))?;
        Ok(Self { client, url, from: from.trim().to_owned(), timeout: TIMEOUT })
    }

    /// Sets the time-out of one call; the default is 10 seconds.
    #[must_use]
    pub fn with_timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }
}

#[derive(Serialize)]
struct Request<'a> {
    from: &'a str,
    to: [&'a str; 1],
    subject: &'a str,
    text: &'a str,
    html: &'a str,
}

#[derive(Deserialize)]
struct Refusal {
    name: String,
}

#[async_trait]
impl Mailer for ResendMailer {
    async fn send(&self, mail: &Mail) -> Result<(), MailError> {
        let body = Request {
            from: &self.from,
            to: [&mail.to],
            subject: &mail.subject,
            text: &mail.text,
            html: &mail.html,
        };
        let call = self
            .client
            .post(self.url.clone())
            .header("Idempotency-Key", mail.id.to_string())
            .timeout(self.timeout)
            .json(&body);
        match call.send().await {
            Ok(answer) if answer.status().is_success() => Ok(()),
            Ok(answer) => Err(refused(answer).await),
            Err(error) => Err(MailError::Temporary {
                reason: if error.is_timeout() {
                    "Resend took too long".into()
                } else if error.is_connect() {
                    "no connection to Resend".into()
                } else {
                    "the connection to Resend broke".into()
                },
                retry_after: None,
            }),
        }
    }
}

async fn refused(answer: Response) -> MailError {
    let status = answer.status();
    let retry_after = retry_after(answer.headers());
    let name = answer.json::<Refusal>().await.ok().map(|refusal| refusal.name).filter(|name| is_name(name));
    let mut reason = format!("Resend answered {}", status.as_u16());
    if let Some(name) = &name {
        reason = format!("{reason} {name}");
    }
    meaning(status, name.as_deref(), reason, retry_after)
}

fn meaning(
    status: StatusCode,
    name: Option<&str>,
    reason: String,
    retry_after: Option<Duration>,
) -> MailError {
    match (status.as_u16(), name) {
        (400..=499, Some("invalid_to_address")) => MailError::Address { reason },
        (429, Some("daily_quota_exceeded" | "monthly_quota_exceeded")) => {
            let retry_after = Some(retry_after.unwrap_or_default().max(QUOTA_WAIT));
            MailError::Temporary { reason, retry_after }
        }
        // Another mail has used the idempotency key.
        (409, Some("invalid_idempotent_request")) => MailError::Permanent { reason },
        (_, Some("invalid_from_address"))
        | (300..=399 | 401 | 403 | 404 | 405 | 408 | 409 | 429 | 500.., _) => {
            MailError::Temporary { reason, retry_after }
        }
        _ => MailError::Permanent { reason },
    }
}

/// Whether a text has the form of an error name, so that it cannot contain an address.
fn is_name(name: &str) -> bool {
    (1..=64).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_')
}
