//! Sends what organizations asked for to their endpoints: see [`workscribe_core::webhooks`].
//!
//! | file | what |
//! |---|---|
//! | `sender.rs` | [`WebhookSender`]: the handler of the deliveries |
//! | `pacer.rs` | who may send to a host now |
//! | `resolver.rs` | names that lead to public addresses alone |

mod pacer;
mod resolver;
mod sender;

pub use sender::{ClientError, WebhookSender};
