//! The store of webhooks: endpoints, and what is sent to them.

mod deliveries;
mod endpoints;

use super::*;
