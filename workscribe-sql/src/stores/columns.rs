//! The columns of each table that is read in more than one place, in a list for `SELECT` and `RETURNING`. The argument goes
//! before every name: `"u."`, or `""`.

macro_rules! user_columns {
    ($t:literal) => {
        concat!(
            $t,
            "id, ",
            $t,
            "email, ",
            $t,
            "display_name, ",
            $t,
            "avatar_url, ",
            $t,
            "email_verified, ",
            $t,
            "disabled_at, ",
            $t,
            "session_epoch, ",
            $t,
            "version, ",
            $t,
            "created_at, ",
            $t,
            "updated_at"
        )
    };
}

/// Under names of their own, because a session is read together with its user.
macro_rules! session_columns {
    ($t:literal) => {
        concat!(
            $t,
            "id AS session_id, ",
            $t,
            "user_id AS session_user_id, ",
            $t,
            "epoch AS session_epoch_then, ",
            $t,
            "refresh_hash, ",
            $t,
            "created_at AS session_created_at, ",
            $t,
            "last_used_at, ",
            $t,
            "expires_at, ",
            $t,
            "ip, ",
            $t,
            "user_agent"
        )
    };
}

macro_rules! one_time_columns {
    () => {
        "id, token_hash, purpose, user_id, email, expires_at"
    };
}

macro_rules! organization_columns {
    ($t:literal) => {
        concat!($t, "id, ", $t, "name, ", $t, "slug, ", $t, "version, ", $t, "created_at, ", $t, "updated_at")
    };
}

/// A member is read with their user.
macro_rules! member_select {
    () => {
        "SELECT m.user_id, u.email, u.display_name, u.avatar_url, m.role, m.version, m.joined_at
           FROM ws_members m JOIN ws_users u ON u.id = m.user_id "
    };
}

macro_rules! invitation_columns {
    ($t:literal) => {
        concat!(
            $t,
            "org_id, ",
            $t,
            "id, ",
            $t,
            "email, ",
            $t,
            "role, ",
            $t,
            "status, ",
            $t,
            "token_hash, ",
            $t,
            "invited_by, ",
            $t,
            "expires_at, ",
            $t,
            "version, ",
            $t,
            "created_at"
        )
    };
}
