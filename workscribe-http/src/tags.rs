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
    Identity: "Accounts, sessions, passwords, and invitations to oneself.";
    Organizations: "Organizations, their members and their invitations.";
    Projects: "Projects, with their statuses and labels.";
    Tasks: "Tasks, boards, comments, and what happened.";
    Notifications: "Who is told of what.";
    Search: "Finding things.";
    Webhooks: &WEBHOOKS;
    Health: "Whether the server runs and is ready, and what its limits are.";
}

/// The section of webhooks, with a line for each event.
static WEBHOOKS: LazyLock<String> = LazyLock::new(|| {
    let rows = EventKind::of_webhooks().filter_map(|kind| Some((kind, kind.webhook_data()?)));
    let rows: String = rows.map(|(kind, data)| format!("| `{}` | {data} |\n", kind.as_str())).collect();
    format!("{BEFORE_EVENTS}{rows}\n{AFTER_EVENTS}")
});

const BEFORE_EVENTS: &str = "\
Endpoints of an organization that are told of what happens in it.

Every event is sent to the webhooks that ask for it, as a POST with a JSON body
`{type, timestamp, organization_id, actor_id, data}`:

| `type` | `data` |
|---|---|
";

const AFTER_EVENTS: &str = "\
The headers `webhook-id`, `webhook-timestamp` and `webhook-signature` are those of
[Standard Webhooks](https://www.standardwebhooks.com), whose libraries verify them with the webhook's secret. Verify
every message, over its body as it came.

Answer with a 2xx within 15 seconds, and do the work afterwards. Any other answer, or none, is a failure: a message is
tried nine times over 25 hours. Redirects are not followed. A 410 turns the webhook off, and so does a message that
failed nine times while nothing else arrived; the owners get a mail then.

A removed status or label is told once, not with a `task.updated` for each of its tasks, which may be all of a project's.
A task whose parent was removed, or whose assignee left, tells its own.

Messages arrive at least once and in no certain order: one with a `webhook-id` that was seen before is a repeat. They
go to public addresses alone, over HTTPS.";
