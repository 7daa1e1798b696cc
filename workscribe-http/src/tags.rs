//! The sections of the OpenAPI document.

use std::sync::LazyLock;

use poem_openapi::registry::{MetaTag, Registry};
use workscribe_core::events::EventKind;

/// Makes the sections, each with its description.
macro_rules! tags {
    ($($name:ident: $description:expr;)+) => {
        /// The sections of the document.
        #[derive(Debug, Clone, Copy)]
        pub enum Tags { $(#[doc = concat!("See the section ", stringify!($name), " of the document.")] $name,)+ }

        impl poem_openapi::Tags for Tags {
            fn register(&self, registry: &mut Registry) {
                let description = match self { $(Self::$name => $description,)+ };
                registry.create_tag(MetaTag { name: self.name(), description: Some(description), external_docs: None });
            }

            fn name(&self) -> &'static str {
                match self { $(Self::$name => stringify!($name),)+ }
            }
        }
    };
}

tags! {
    Identity: "Accounts, sessions and passwords, and the invitations that a person receives.";
    Organizations: "Organizations, their members and their invitations.";
    Projects: "Projects, their statuses and their labels.";
    Tasks: "Tasks, boards, comments and the history.";
    Notifications: "The caller's notifications about assigned tasks, mentions and finished tasks that other people caused.";
    Search: "Search in projects, tasks and comments.";
    Webhooks: &WEBHOOKS;
    Health: "The health, readiness and public keys of the server, and its limits.";
}

/// The section about webhooks, with a row for each event.
static WEBHOOKS: LazyLock<String> = LazyLock::new(|| {
    let rows = EventKind::of_webhooks().filter_map(|kind| Some((kind, kind.webhook_data()?)));
    let rows: String = rows.map(|(kind, data)| format!("| `{}` | {data} |\n", kind.as_str())).collect();
    format!("{BEFORE_EVENTS}{rows}\n{AFTER_EVENTS}")
});

const BEFORE_EVENTS: &str = "\
A webhook sends the events of an organization to a URL.

Each event is sent to every webhook that subscribes to it, as a POST with a JSON body
`{type, timestamp, organization_id, actor_id, data}`:

| `type` | `data` |
|---|---|
";

const AFTER_EVENTS: &str = "\
The headers `webhook-id`, `webhook-timestamp` and `webhook-signature` follow
[Standard Webhooks](https://www.standardwebhooks.com), whose libraries verify them with the webhook's secret. Verify
every message, over the exact bytes of its body.

Respond with a 2xx within 15 seconds, and do the work afterwards. Any other response, or none, is a failure: a message is
tried nine times over 25 hours. Redirects are not followed. A 410 turns the webhook off, and so does a message that
failed nine times while no other message arrived. The owners of the organization then get a mail.

When a status or label is deleted, you get one message, and no `task.updated` for each of its tasks, which may be all tasks
of a project. When the parent of a task is deleted, or its assignee leaves, you get a `task.updated` for that task.

A message arrives at least once, and messages may arrive in any order. A message with a `webhook-id` that you have seen
before is a repeat. Messages are sent only to public addresses, over HTTPS.";
