//! Webhooks over HTTP. The description of [`Tags::Webhooks`](crate::tags::Tags::Webhooks) says what they receive, and how.

mod deliveries;
mod endpoints;

pub use deliveries::*;
pub use endpoints::*;
