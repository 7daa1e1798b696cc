//! Notifications to people, and the mails that bundle them.
//!
//! | file | what |
//! |---|---|
//! | `model.rs` | [`Notification`], [`Preferences`] |
//! | `store.rs` | the store trait |
//! | `service.rs` | [`Notifications`]: reading and marking them, and preferences |
//! | `digest.rs` | the mail job: all notifications of five minutes are in one mail |

mod digest;
mod model;
mod service;
mod store;

pub use digest::{PreparedDigest, SendDigest};
pub use model::{
    Digest, EntityType, NewNotification, Notification, NotificationFilter, NotificationType, Preferences,
};
pub use service::{NotificationPage, Notifications, PreferencesChange};
pub use store::NotificationStore;
