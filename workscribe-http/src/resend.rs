//! The events that Resend sends about mails that it accepted and could not deliver.

use poem::http::StatusCode;
use poem::{Endpoint, Request, RequestBody, Response};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use workscribe_core::error::FieldError;
use workscribe_core::identity::Email;
use workscribe_core::webhooks::VerifyingSecret;
use workscribe_core::{Code, Error, UnitOfWork, WorkScribe};

use crate::body::{parse, read};
use crate::dto::inputs;
use crate::field::{Optional, Required};
use crate::problem::ApiError;
use crate::wire::RichText;

/// The path for Resend's webhook. Only Resend calls it, so it is not an operation of the document.
pub(crate) const PATH: &str = "/hooks/resend";

/// Receives Resend's events (<https://resend.com/docs/webhooks/event-types>):
///
/// | event | what follows |
/// |---|---|
/// | `email.bounced`, `email.suppressed` | the recipients are marked as refusing mail |
/// | `suppression.added` | the address is marked |
/// | `suppression.removed` | the mark of the address is removed |
/// | any other | nothing |
///
/// A message without a valid signature gets a 401. A repeated message changes nothing.
pub(crate) struct ResendEvents {
    pub(crate) app: WorkScribe,
    pub(crate) secret: VerifyingSecret,
}

inputs! {
    /// An event. Its type determines the shape of its data.
    #[expect(unreachable_pub, reason = "other inputs are described to the world")]
    Event {
        /// The type of the event.
        kind as "type": Required<String>,
        /// The data of the event.
        data: Optional<RichText>,
    } => (String, Value) = (kind, data.unwrap_or_default());
}

/// The part of a mail event that is read.
#[derive(Deserialize)]
struct Sent {
    to: Vec<String>,
    bounce: Option<Cause>,
    suppressed: Option<Cause>,
}

#[derive(Deserialize)]
struct Cause {
    #[serde(rename = "type")]
    kind: Option<String>,
}

/// The part of an event of the suppression list that is read.
#[derive(Deserialize)]
struct Listed {
    email: String,
}

impl ResendEvents {
    fn is_signed(&self, request: &Request, body: &[u8]) -> bool {
        // The second names are those of Standard Webhooks, which grew out of Svix's headers.
        let header = |one, other| request.header(one).or_else(|| request.header(other)).unwrap_or_default();
        let id = header("svix-id", "webhook-id");
        let timestamp = header("svix-timestamp", "webhook-timestamp");
        let signatures = header("svix-signature", "webhook-signature");
        self.secret.is_of(id, timestamp, signatures, body, self.app.now())
    }

    async fn take(&self, uow: &mut dyn UnitOfWork, (kind, data): (String, Value)) -> Result<(), Error> {
        let (addresses, cause) = match kind.as_str() {
            "email.bounced" | "email.suppressed" => {
                let Sent { to, bounce, suppressed } = read_data(data)?;
                (to, bounce.or(suppressed).and_then(|cause| cause.kind))
            }
            "suppression.added" | "suppression.removed" => {
                let Listed { email } = read_data(data)?;
                (vec![email], None)
            }
            _ => return Ok(()),
        };
        // Resend distinguishes Permanent, Transient and Undetermined. A full mailbox (Transient) still exists.
        if cause.as_deref() == Some("Transient") {
            return Ok(());
        }
        let reason = format!("Resend: {kind} {}", cause.unwrap_or_default());
        for email in addresses.iter().filter_map(|address| Email::parse(address).ok()) {
            if kind == "suppression.removed" {
                self.app.identity().mail_arrived(uow, &email).await?;
            } else {
                self.app.identity().mail_bounced(uow, &email, reason.trim(), None).await?;
            }
        }
        Ok(())
    }
}

fn read_data<T: DeserializeOwned>(data: Value) -> Result<T, Error> {
    serde_json::from_value(data).map_err(|error| {
        let message = format!("This is not what an event of this type has: {error}.");
        Error::invalid(vec![FieldError { pointer: "/data".into(), code: "WRONG_TYPE", message }])
    })
}

impl Endpoint for ResendEvents {
    type Output = Response;

    async fn call(&self, mut request: Request) -> poem::Result<Response> {
        let body = read(&mut RequestBody::new(request.take_body())).await?;
        if !self.is_signed(&request, &body) {
            let reason = "This message is not signed with the webhook's secret, or its time is more than five minutes off.";
            return Err(<ApiError>::from(Error::new(Code::Unauthenticated, reason)).into());
        }
        let event = parse::<Event>(&body)?;
        let mut uow = self.app.begin().await.map_err(<ApiError>::from)?;
        self.take(&mut *uow, event).await.map_err(<ApiError>::from)?;
        self.app.commit(uow).await.map_err(<ApiError>::from)?;
        Ok(StatusCode::NO_CONTENT.into())
    }
}
