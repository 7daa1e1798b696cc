//! One row for each operation. A new operation needs one here; the document tells the rest: its method, its path, its
//! parameters and the fields of its body.

/// Who calls, in the order of the columns.
pub(super) const CALLERS: [&str; 6] = ["anonymous", "outsider", "former", "member", "admin", "owner"];

/// For whom an operation is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum For {
    /// Anyone, or whoever holds what the request itself carries: a password, a token.
    Anyone,
    /// Whoever is logged in.
    Users,
    /// Members of the organization in the path.
    Members,
}

/// An operation: for whom it is, its body, and the status that each caller gets for ids of the caller's own
/// organization.
pub(super) struct Row {
    pub(super) operation: &'static str,
    pub(super) reach: For,
    pub(super) body: &'static str,
    pub(super) expected: [u16; 6],
}

/// Text between braces stands for something of the world; see `World::value`.
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

#[rustfmt::skip]
pub(super) const ROWS: &[Row] = {
    use For::{Anyone, Members, Users};
    &[
        //                                                          anonymous outsider former member admin owner
        row("getHealth",             Anyone,  "",                             [200, 200, 200, 200, 200, 200]),
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
        row("listMembers",           Members, "",                             [401, 404, 404, 200, 200, 200]),
        row("updateMember",          Members, r#"{"role": "admin"}"#,         [401, 404, 404, 403, 200, 200]),
        row("removeMember",          Members, "",                             [401, 404, 404, 403, 204, 204]),
        row("inviteMember",          Members, INVITE,                         [401, 404, 404, 403, 201, 201]),
        row("listInvitations",       Members, "",                             [401, 404, 404, 403, 200, 200]),
        row("resendInvitation",      Members, "",                             [401, 404, 404, 403, 204, 204]),
        row("revokeInvitation",      Members, "",                             [401, 404, 404, 403, 204, 204]),
    ]
};
