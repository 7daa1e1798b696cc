//! Webhooks over HTTP. What they are told, and how, is in the description of [`Tags::Webhooks`](crate::tags::Tags::Webhooks).

mod deliveries;
mod endpoints;

pub use deliveries::*;
pub use endpoints::*;
