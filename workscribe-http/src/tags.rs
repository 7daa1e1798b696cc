//! The sections of the OpenAPI document.

use poem_openapi::Tags as OpenApiTags;

/// The sections of the document.
#[derive(OpenApiTags)]
pub enum Tags {
    /// Accounts, sessions, passwords, and invitations to oneself.
    Identity,
    /// Organizations, their members and their invitations.
    Organizations,
    /// Projects, with their statuses and labels.
    Projects,
    /// Tasks, boards, comments, and what happened.
    Tasks,
    /// Who is told of what.
    Notifications,
    /// Finding things.
    Search,
    /// Endpoints of an organization that are told of what happens in it.
    ///
    /// Every event is sent to the webhooks that ask for it, as a POST with a JSON body
    /// `{type, timestamp, organization_id, actor_id, data}`:
    ///
    /// | `type` | `data` |
    /// |---|---|
    /// | `member.joined`, `member.role_changed` | `member`: `user_id`, `role` |
    /// | `member.removed` | `member`: `user_id` |
    /// | `invitation.created` | `invitation`: an `Invitation` |
    /// | `invitation.revoked` | `invitation`: `id` |
    /// | `project.created`, `project.updated` | `project`: a `Project` |
    /// | `status.created`, `status.updated` | `project_id`; `status`: a `Status` |
    /// | `status.deleted` | the same, and `moved_to`: the id of the status that its tasks have now, null if it had none |
    /// | `label.created`, `label.updated`, `label.deleted` | `project_id`; `label`: a `Label` |
    /// | `task.created`, `task.deleted` | `task`: a `TaskSummary` |
    /// | `task.updated` | `task`: a `TaskSummary`; `changed`: the names of the fields that were changed |
    /// | `comment.created`, `comment.updated`, `comment.deleted` | `comment`: a `Comment`; `task`: `id`, `task_id`, `project_id`, `title` |
    /// | `ping`, which no webhook asks for and any can be sent | `webhook_id`, `events` |
    ///
    /// The headers `webhook-id`, `webhook-timestamp` and `webhook-signature` are those of
    /// [Standard Webhooks](https://www.standardwebhooks.com), whose libraries verify them with the webhook's secret. Verify
    /// every message, over its body as it came.
    ///
    /// Answer with a 2xx within 15 seconds, and do the work afterwards. Any other answer, or none, is a failure: a message is
    /// tried nine times over 25 hours. Redirects are not followed. A 410 turns the webhook off, and so does a message that
    /// failed nine times while nothing else arrived; the owners get a mail then.
    ///
    /// A removed status or label is told once, not with a `task.updated` for each of its tasks, which may be all of a project's.
    /// A task whose parent was removed, or whose assignee left, tells its own.
    ///
    /// Messages arrive at least once and in no certain order: one with a `webhook-id` that was seen before is a repeat. They
    /// go to public addresses alone, over HTTPS.
    Webhooks,
    /// Whether the server runs and is ready, and what its limits are.
    Health,
}
