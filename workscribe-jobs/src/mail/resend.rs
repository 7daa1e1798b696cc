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
/// A quota of mails is not asked again before this.
const QUOTA_WAIT: Duration = Duration::from_secs(60 * 60);

/// Sends mail through [Resend](https://resend.com)'s HTTP API.
///
/// The job's id is the `Idempotency-Key`, so a mail that is sent again within 24 hours (Resend's limit) arrives once. What a
/// refusal means follows from its status and the `name` of the error (<https://resend.com/docs/api-reference/errors>):
///
/// | refusal | what it means |
/// |---|---|
/// | 5xx, 408, a broken connection, no answer in time | again, after `Retry-After` if it is given |
/// | 429 | again after `Retry-After`; at a daily or monthly quota, after an hour at least |
/// | 409, but for `invalid_idempotent_request` | again: the same call is still running, or a row is locked |
/// | 3xx, 401, 403, 404, 405, `invalid_from_address` | again: the operator has a key, a domain or the URL to mend |
/// | `invalid_to_address` | the address is refused |
/// | any other 4xx | final: the mail itself is refused |
///
/// As of November 2026 `invalid_to_address`, the counterpart of `invalid_from_address`, is not among the documented names: a bad
/// recipient is a `validation_error`, of which only the text says what it is about, and texts are not for programs. So most
/// addresses are marked by what Resend tells later, by its webhook, to which `workscribe-http` listens (`HttpOptions`' field
/// `resend_webhook`). The reason of an error holds the status and the name, never the text, which may quote an address.
pub struct ResendMailer {
    client: Client,
    url: Url,
    from: String,
    timeout: Duration,
}

impl ResendMailer {
    /// Where the API is.
    pub const DEFAULT_URL: &'static str = "https://api.resend.com";

    /// With an API key, the API's base URL, and a sender such as `WorkScribe <no-reply@example.com>`.
    ///
    /// # Errors
    /// [`SetupError`] for the part that cannot be used.
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

    /// Another limit for one call than 10 seconds.
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
        // The key was used for another mail.
        (409, Some("invalid_idempotent_request")) => MailError::Permanent { reason },
        (_, Some("invalid_from_address"))
        | (300..=399 | 401 | 403 | 404 | 405 | 408 | 409 | 429 | 500.., _) => {
            MailError::Temporary { reason, retry_after }
        }
        _ => MailError::Permanent { reason },
    }
}

/// Whether it looks like the name of an error, and so can hold no address.
fn is_name(name: &str) -> bool {
    (1..=64).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_')
}
