//! Proof that a delivery belongs to an organization: [`DeliveryPass`].

use crate::id::OrgId;
use crate::tenancy::Slug;

use super::model::{Webhook, WebhookDelivery};

/// The result of the look-up of a delivery.
#[derive(Debug, Clone, PartialEq)]
pub struct EnteredDelivery {
    /// The delivery, with its payload.
    pub delivery: WebhookDelivery,
    /// Its endpoint.
    pub webhook: Webhook,
    /// The organization's name.
    pub org_name: String,
    /// Its name in URLs.
    pub org_slug: Slug,
}

/// Proof that a delivery belongs to an organization. Only the look-up of the delivery makes it. A worker has it in place of an
/// [`crate::tenancy::OrgScope`].
#[derive(Debug, Clone, PartialEq)]
pub struct DeliveryPass {
    pub(super) org: OrgId,
    pub(super) entered: EnteredDelivery,
}

impl DeliveryPass {
    /// The organization.
    #[must_use]
    pub const fn org(&self) -> OrgId {
        self.org
    }

    /// The delivery.
    #[must_use]
    pub const fn delivery(&self) -> &WebhookDelivery {
        &self.entered.delivery
    }

    /// Its endpoint.
    #[must_use]
    pub const fn webhook(&self) -> &Webhook {
        &self.entered.webhook
    }
}
