//! One row for each operation. A new operation needs a row here. The document gives its method, path, parameters, and the
//! fields of its body.

/// The kinds of callers, in the order of the columns.
pub(super) const CALLERS: [&str; 6] = ["anonymous", "outsider", "former", "member", "admin", "owner"];

/// Who may use an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum For {
    /// Anyone, or anyone with the password or token that the request contains.
    Anyone,
    /// Users who are logged in.
    Users,
    /// Members of the organization in the path.
    Members,
    /// Members of the organization of the task in the path, or in the body.
    TaskMembers,
}

/// An operation: who may use it, its body, and the status that each caller gets for ids of the caller's own
/// organization.
pub(super) struct Row {
    pub(super) operation: &'static str,
    pub(super) reach: For,
    pub(super) body: &'static str,
    pub(super) expected: [u16; 6],
}

/// Text between braces is a placeholder for a value of the world; see `World::value`. A field that is `{absent}` is not sent.
const fn row(operation: &'static str, reach: For, body: &'static str, expected: [u16; 6]) -> Row {
    Row { operation, reach, body, expected }
}

const REGISTER: &str = r#"{"display_name": "Newcomer", "email": "{new_email}", "password": "{password}"}"#;
const LOGIN: &str = r#"{"email": "{colleague_email}", "password": "{password}"}"#;
const RESET: &str = r#"{"token": "no-such-token", "new_password": "{new_password}"}"#;
const ACCEPT: &str = r#"{"display_name": "Newcomer", "password": "{password}"}"#;
const ME: &str = r#"{"display_name": "Renamed", "avatar_url": "https://example.com/me.png"}"#;
const PASSWORDS: &str = r#"{"current_password": "{password}", "new_password": "{new_password}"}"#;
const ORGANIZATION: &str = r#"{"name": "Renamed", "slug": "{new_slug}"}"#;
const INVITE: &str = r#"{"email": "{new_email}", "role": "member"}"#;
const PROJECT: &str = r#"{"name": "Looms", "key": "LOOM", "description": "They weave.", "type": "scrum"}"#;
const PROJECT_CHANGE: &str = r#"{"name": "Renamed", "description": null, "is_archived": false}"#;
const STATUS: &str = r##"{"name": "Blocked", "category": "todo", "position": 0, "color": "#aabbcc"}"##;
const LABEL: &str = r##"{"name": "Blocked", "color": "#aabbcc"}"##;
const TASK: &str = r#"{
    "title": "Weave", "description_json": {"type": "doc"}, "status_id": "{status}", "assignee_id": "{colleague}",
    "priority": "high", "type": "bug", "parent_task_id": "{second_task}", "due_date": "2026-12-24", "label_ids": ["{label}"]
}"#;
const MOVE: &str =
    r#"{"status_id": "{status}", "position": "{absent}", "before_id": "{absent}", "after_id": "{absent}"}"#;
const MOVES: &str = r#"{"updates": [{"task_id": "{task}", "position": 0}]}"#;
const BULK: &str = r#"{
    "task_ids": ["{task}", "{second_task}"], "status_id": "{status}", "assignee_id": "{colleague}", "priority": "high",
    "due_date": null, "label_ids": ["{label}"], "add_label_ids": ["{label}"], "remove_label_ids": []
}"#;
const COMMENT: &str = r#"{"body_json": {"type": "doc"}}"#;
const RELATION: &str = r#"{"type": "blocks", "task_id": "{second_task}"}"#;
const WEBHOOK: &str = r#"{
    "url": "https://hooks.example/new", "events": ["task.created"], "description": "Looks on.", "is_enabled": true
}"#;
const PREFERENCES: &str =
    r#"{"task_assigned": {"email": false}, "mention": {"email": false}, "task_done": {"email": false}}"#;

#[rustfmt::skip]
pub(super) const ROWS: &[Row] = {
    use For::{Anyone, Members, TaskMembers, Users};
    &[
        //                                                          anonymous outsider former member admin owner
        row("getHealth",             Anyone,  "",                             [200, 200, 200, 200, 200, 200]),
        row("listLimits",            Anyone,  "",                             [200, 200, 200, 200, 200, 200]),
        row("getLiveness",           Anyone,  "",                             [200, 200, 200, 200, 200, 200]),
        row("getReadiness",          Anyone,  "",                             [200, 200, 200, 200, 200, 200]),
        row("getJwks",               Anyone,  "",                             [200, 200, 200, 200, 200, 200]),
        row("register",              Anyone,  REGISTER,                       [201, 201, 201, 201, 201, 201]),
        row("login",                 Anyone,  LOGIN,                          [200, 200, 200, 200, 200, 200]),
        row("refresh",               Anyone,  r#"{"refresh_token": "{colleague_refresh}"}"#,
                                                                              [200, 200, 200, 200, 200, 200]),
        row("forgotPassword",        Anyone,  r#"{"email": "{colleague_email}"}"#,
                                                                              [204, 204, 204, 204, 204, 204]),
        row("resetPassword",         Anyone,  RESET,                          [400, 400, 400, 400, 400, 400]),
        row("verifyEmail",           Anyone,  r#"{"token": "no-such-token"}"#,
                                                                              [400, 400, 400, 400, 400, 400]),
        row("getInvitation",         Anyone,  "",                             [200, 200, 200, 200, 200, 200]),
        row("acceptInvitation",      Anyone,  ACCEPT,                         [200, 403, 403, 403, 403, 403]),

        row("logout",                Users,   "",                             [401, 204, 204, 204, 204, 204]),
        row("getMe",                 Users,   "",                             [401, 200, 200, 200, 200, 200]),
        row("updateMe",              Users,   ME,                             [401, 200, 200, 200, 200, 200]),
        row("changePassword",        Users,   PASSWORDS,                      [401, 204, 204, 204, 204, 204]),
        row("listSessions",          Users,   "",                             [401, 200, 200, 200, 200, 200]),
        row("endSession",            Users,   "",                             [401, 204, 204, 204, 204, 204]),
        row("endOtherSessions",      Users,   "",                             [401, 204, 204, 204, 204, 204]),
        row("resendVerification",    Users,   "",                             [401, 204, 204, 204, 204, 204]),
        row("createOrganization",    Users,   ORGANIZATION,                   [401, 201, 201, 201, 201, 201]),
        row("listOrganizations",     Users,   "",                             [401, 200, 200, 200, 200, 200]),
        row("listOrganizationNames", Users,   "",                             [401, 200, 200, 200, 200, 200]),

        row("getOrganization",       Members, "",                             [401, 404, 404, 200, 200, 200]),
        row("updateOrganization",    Members, ORGANIZATION,                   [401, 404, 404, 403, 200, 200]),
        row("deleteOrganization",    Members, "",                             [401, 404, 404, 403, 403, 204]),
        row("exportOrganization",    Members, "",                             [401, 404, 404, 403, 403, 200]),
        row("listMembers",           Members, "",                             [401, 404, 404, 200, 200, 200]),
        row("updateMember",          Members, r#"{"role": "admin"}"#,         [401, 404, 404, 403, 200, 200]),
        row("removeMember",          Members, "",                             [401, 404, 404, 403, 204, 204]),
        row("inviteMember",          Members, INVITE,                         [401, 404, 404, 403, 201, 201]),
        row("listInvitations",       Members, "",                             [401, 404, 404, 403, 200, 200]),
        row("resendInvitation",      Members, "",                             [401, 404, 404, 403, 204, 204]),
        row("revokeInvitation",      Members, "",                             [401, 404, 404, 403, 204, 204]),

        row("listNotifications",            Users,       "",             [401, 200, 200, 200, 200, 200]),
        row("markNotificationRead",         Users,       r#"{"is_read": true}"#,[401, 404, 404, 200, 200, 200]),
        row("markAllNotificationsRead",     Users,       "",             [401, 200, 200, 200, 200, 200]),
        row("getNotificationPreferences",   Users,       "",             [401, 200, 200, 200, 200, 200]),
        row("updateNotificationPreferences",Users,       PREFERENCES,    [401, 200, 200, 200, 200, 200]),

        row("listProjects",                 Members,     "",             [401, 404, 404, 200, 200, 200]),
        row("createProject",                Members,     PROJECT,        [401, 404, 404, 403, 201, 201]),
        row("getProject",                   Members,     "",             [401, 404, 404, 200, 200, 200]),
        row("updateProject",                Members,     PROJECT_CHANGE, [401, 404, 404, 403, 200, 200]),
        row("archiveProject",               Members,     "",             [401, 404, 404, 403, 204, 204]),
        row("listStatuses",                 Members,     "",             [401, 404, 404, 200, 200, 200]),
        row("createStatus",                 Members,     STATUS,         [401, 404, 404, 403, 201, 201]),
        row("updateStatus",                 Members,     STATUS,         [401, 404, 404, 403, 200, 200]),
        row("deleteStatus",                 Members,     "",             [401, 404, 404, 403, 204, 204]),
        row("listLabels",                   Members,     "",             [401, 404, 404, 200, 200, 200]),
        row("createLabel",                  Members,     LABEL,          [401, 404, 404, 403, 201, 201]),
        row("updateLabel",                  Members,     LABEL,          [401, 404, 404, 403, 200, 200]),
        row("deleteLabel",                  Members,     "",             [401, 404, 404, 403, 204, 204]),
        row("listTasks",                    Members,     "",             [401, 404, 404, 200, 200, 200]),
        row("createTask",                   Members,     TASK,           [401, 404, 404, 201, 201, 201]),
        row("listBacklog",                  Members,     "",             [401, 404, 404, 200, 200, 200]),
        row("listMyTasks",                  Members,     "",             [401, 404, 404, 200, 200, 200]),
        row("getTaskByKey",                 Members,     "",             [401, 404, 404, 200, 200, 200]),
        row("updateTasks",                  Members,     BULK,           [401, 404, 404, 200, 200, 200]),
        row("listActivity",                 Members,     "",             [401, 404, 404, 200, 200, 200]),
        row("search",                       Members,     "",             [401, 404, 404, 200, 200, 200]),

        row("listWebhooks",                 Members,     "",             [401, 404, 404, 403, 200, 200]),
        row("createWebhook",                Members,     WEBHOOK,        [401, 404, 404, 403, 201, 201]),
        row("getWebhook",                   Members,     "",             [401, 404, 404, 403, 200, 200]),
        row("updateWebhook",                Members,     WEBHOOK,        [401, 404, 404, 403, 200, 200]),
        row("deleteWebhook",                Members,     "",             [401, 404, 404, 403, 204, 204]),
        row("rotateWebhookSecret",          Members,     "",             [401, 404, 404, 403, 200, 200]),
        row("pingWebhook",                  Members,     "",             [401, 404, 404, 403, 202, 202]),
        row("listWebhookDeliveries",        Members,     "",             [401, 404, 404, 403, 200, 200]),
        row("getWebhookDelivery",           Members,     "",             [401, 404, 404, 403, 200, 200]),
        row("redeliverWebhook",             Members,     "",             [401, 404, 404, 403, 202, 202]),

        row("getTask",                      TaskMembers, "",             [401, 404, 404, 200, 200, 200]),
        row("updateTask",                   TaskMembers, TASK,           [401, 404, 404, 200, 200, 200]),
        row("deleteTask",                   TaskMembers, "",             [401, 404, 404, 403, 204, 204]),
        row("moveTask",                     TaskMembers, MOVE,           [401, 404, 404, 200, 200, 200]),
        row("addTaskLabel",                 TaskMembers, "",             [401, 404, 404, 200, 200, 200]),
        row("removeTaskLabel",              TaskMembers, "",             [401, 404, 404, 204, 204, 204]),
        row("listRelations",                TaskMembers, "",             [401, 404, 404, 200, 200, 200]),
        row("createRelation",               TaskMembers, RELATION,       [401, 404, 404, 201, 201, 201]),
        row("deleteRelation",               TaskMembers, "",             [401, 404, 404, 204, 204, 204]),
        row("listComments",                 TaskMembers, "",             [401, 404, 404, 200, 200, 200]),
        row("createComment",                TaskMembers, COMMENT,        [401, 404, 404, 201, 201, 201]),
        row("updateComment",                TaskMembers, COMMENT,        [401, 404, 404, 200, 200, 200]),
        row("deleteComment",                TaskMembers, "",             [401, 404, 404, 204, 204, 204]),
        row("listTaskActivity",             TaskMembers, "",             [401, 404, 404, 200, 200, 200]),
        row("moveTasks",                    TaskMembers, MOVES,          [401, 422, 422, 204, 204, 204]),
    ]
};
