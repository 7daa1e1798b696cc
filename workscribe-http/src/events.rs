//! The names of events in the API: the events in the history, and the events of webhooks.

use workscribe_core::events::EventKind;

use crate::wire::{Name, Named};

/// Makes a type for the kinds of events of one reading.
macro_rules! readings {
    ($($(#[doc = $doc:literal])+ $name:ident = $marker:ident, $all:path;)+) => {$(
        $(#[doc = $doc])+
        pub type $name = Name<$marker>;

        $(#[doc = $doc])+
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub struct $marker(EventKind);

        impl Named for $marker {
            const NAME: &'static str = stringify!($name);
            const DESCRIPTION: &'static str = concat!($($doc),+).trim_ascii();

            fn all() -> Vec<Self> {
                $all().map(Self).collect()
            }

            fn as_name(self) -> &'static str {
                self.0.as_str()
            }
        }

        impl From<EventKind> for $name {
            fn from(kind: EventKind) -> Self {
                Self($marker(kind))
            }
        }
    )+};
}

readings! {
    /// What the user did.
    ActivityAction = HistoryKind, EventKind::in_history;

    /// The event that a message is about.
    WebhookEvent = WebhookKind, EventKind::of_webhooks;
}
