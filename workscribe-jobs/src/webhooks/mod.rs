//! Sends messages to the endpoints of organizations: see [`workscribe_core::webhooks`].
//!
//! | file | what |
//! |---|---|
//! | `sender.rs` | [`WebhookSender`]: the handler of deliveries |
//! | `pacer.rs` | which messages may be sent to a host now |
//! | `resolver.rs` | resolves host names to allowed addresses only |

mod pacer;
mod resolver;
mod sender;

pub use sender::{ClientError, WebhookSender};
