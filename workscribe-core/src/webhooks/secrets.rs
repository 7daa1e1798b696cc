//! The secrets of an endpoint, sealed for its row: the current one and the previous one.

use crate::app::WorkScribe;
use crate::clock::Timestamp;
use crate::error::{Error, Result};
use crate::id::{OrgId, WebhookId};
use crate::identity::Sealed;

use super::model::{Resealing, Webhook};
use super::signature::SigningSecret;

pub(super) fn seal(
    app: &WorkScribe,
    org: OrgId,
    webhook: WebhookId,
    current: &SigningSecret,
    previous: Option<&SigningSecret>,
) -> Result<Sealed> {
    let mut plain = current.bytes().to_vec();
    plain.extend(previous.iter().flat_map(|secret| secret.bytes()));
    let sealed = app.secrets().seal(&context(org, webhook), &plain, app.entropy());
    sealed.ok_or_else(|| Error::internal("the secret cannot be encrypted"))
}

/// The secrets that sign at a time, the current one first.
pub(super) fn open(
    app: &WorkScribe,
    org: OrgId,
    webhook: &Webhook,
    now: Timestamp,
) -> Result<Vec<SigningSecret>> {
    let plain = app.secrets().open(&context(org, webhook.id), &webhook.secrets).ok_or_else(|| {
        Error::internal(
            "an endpoint's secrets cannot be opened: the server's key with which they were sealed is missing",
        )
    })?;
    let (all, _) = plain.as_chunks();
    let previous_is_good = webhook.previous_until.is_some_and(|until| until > now);
    let count = if previous_is_good { 2 } else { 1 };
    Ok(all.iter().take(count).copied().map(SigningSecret::of_bytes).collect())
}

/// The same secrets, sealed with the current key; `None` when the key that sealed them is missing.
pub(super) fn reseal(app: &WorkScribe, which: &Resealing) -> Option<Sealed> {
    let context = context(which.org, which.webhook);
    let plain = app.secrets().open(&context, &which.secrets)?;
    app.secrets().seal(&context, &plain, app.entropy())
}

fn context(org: OrgId, webhook: WebhookId) -> Vec<u8> {
    [&b"webhook"[..], org.as_uuid().as_bytes(), webhook.as_uuid().as_bytes()].concat()
}
