//! What Resend tells of mails that it took and could not deliver.

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

/// Where Resend's webhook leads. It is for Resend alone, so it is no operation of the document.
pub(crate) const PATH: &str = "/hooks/resend";

/// Listens to Resend's events (<https://resend.com/docs/webhooks/event-types>):
///
/// | event | what follows |
/// |---|---|
/// | `email.bounced`, `email.suppressed` | the recipients are marked as refusing mail |
/// | `suppression.added` | the address is marked |
/// | `suppression.removed` | its mark is taken away |
/// | any other | nothing |
///
/// A message that is not signed with the secret is answered with 401. To be told twice changes nothing.
pub(crate) struct ResendEvents {
    pub(crate) app: WorkScribe,
    pub(crate) secret: VerifyingSecret,
}

inputs! {
    /// An event. Which shape its data have depends on its type.
    #[expect(unreachable_pub, reason = "other inputs are described to the world")]
    Event {
        /// What happened.
        kind as "type": Required<String>,
        /// To what.
        data: Optional<RichText>,
    } => (String, Value) = (kind, data.unwrap_or_default());
}

/// What is read of an event of a mail.
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

/// What is read of an event of the suppression list.
#[derive(Deserialize)]
struct Listed {
    email: String,
}

impl ResendEvents {
    fn is_signed(&self, request: &Request, body: &[u8]) -> bool {
        // The second names are those of the standard that came of the first.
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
        // Resend tells Permanent, Transient and Undetermined apart. A full mailbox is not a dead one.
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
