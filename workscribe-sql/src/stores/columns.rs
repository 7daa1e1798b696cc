//! The columns of each table that is read in more than one place, as a list for `SELECT` and `RETURNING`. The argument is the
//! prefix of every name: `"u."`, or `""`.

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

/// Whether an address refuses mail.
macro_rules! is_bouncing {
    ($email:literal) => {
        concat!("EXISTS (SELECT 1 FROM ws_email_bounces b WHERE b.email = ", $email, ")")
    };
}

/// The columns have unique names, because a session is read together with its user.
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

/// Selects members with their users.
macro_rules! member_select {
    () => {
        concat!(
            "SELECT ",
            member_columns!(),
            ", u.email, u.display_name, u.avatar_url FROM ws_members m JOIN ws_users u ON u.id = m.user_id "
        )
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

/// The actor, their role, and the organization of a door. The columns have unique names, because the requested row is read with
/// them.
macro_rules! entered_columns {
    () => {
        "m.org_id AS entered_org_id, m.role AS entered_role, u.id AS actor_id, u.display_name AS actor_name,
         u.avatar_url AS actor_avatar_url"
    };
}

/// The columns of a task `i` by which a list is chosen and shown: all except its description.
macro_rules! listed_columns {
    () => {
        "i.org_id, i.id, i.project_id, i.number, i.title, i.status_id, i.position, i.assignee_id, i.reporter_id, i.priority,
         i.type, i.parent_id, i.due_date, i.label_ids, i.subtask_count, i.comment_count, i.has_blockers, i.version, i.created_at,
         i.updated_at"
    };
}

/// A task `t` with everything that is shown of it; the argument is its description, or `"NULL"`. The dialect's `shown_with!` reads
/// the other tables, and its `task_joins!` joins them.
macro_rules! task_columns {
    ($description:literal, $org:literal) => {
        task_columns_with!($description, labels_of_task!(), $org)
    };
}

/// The open tasks that block the task `t` of the organization.
macro_rules! blockers_of_task {
    ($org:literal) => {
        concat!(
            "CASE WHEN t.has_blockers THEN (SELECT count(*) FROM ws_relations b ",
            one_of!("ws_tasks", "bt", concat!("bt.org_id = ", $org, " AND bt.id = b.source_id")),
            one_of!("ws_statuses", "bs", concat!("bs.org_id = ", $org, " AND bs.id = bt.status_id")),
            "WHERE b.org_id = ",
            $org,
            " AND b.target_id = t.id AND b.type = 'blocks' AND bs.category <> 'done') ELSE 0 END"
        )
    };
}

/// As `task_columns!`, with another expression for the labels.
macro_rules! task_columns_with {
    ($description:literal, $labels:expr, $org:literal) => {
        concat!(
            "t.org_id, t.id, t.project_id, p.key AS project_key, p.is_archived AS project_is_archived, t.number, t.title, ",
            $description,
            " AS description, s.id AS status_id, s.name AS status_name, s.category AS status_category,
             s.position AS status_position, s.color AS status_color, s.version AS status_version,
             s.created_at AS status_created_at, s.updated_at AS status_updated_at,
             a.id AS assignee_id, a.display_name AS assignee_name, a.avatar_url AS assignee_avatar_url,
             r.id AS reporter_id, r.display_name AS reporter_name, r.avatar_url AS reporter_avatar_url,
             t.priority, t.type AS kind, t.parent_id, ",
            $labels,
            " AS labels, t.position, t.due_date, t.subtask_count, t.comment_count, ",
            blockers_of_task!($org),
            " AS blocked_by_count, t.version, t.created_at, t.updated_at"
        )
    };
}

/// Selects comments with their authors.
macro_rules! comment_select {
    () => {
        concat!(
            "SELECT ",
            comment_columns!(),
            ", u.display_name, u.avatar_url FROM ws_comments c JOIN ws_users u ON u.id = c.author_id "
        )
    };
}

/// Selects entries of the history with their actors.
macro_rules! activity_select {
    () => {
        concat!(
            "SELECT ",
            activity_columns!(),
            ", u.display_name, u.avatar_url FROM ws_activity h JOIN ws_users u ON u.id = h.actor_id "
        )
    };
}

/// The notifications of the user `$1` from the organizations of which they are a member.
macro_rules! notifications_from {
    () => {
        "FROM ws_notifications n
         JOIN ws_members m ON m.org_id = n.org_id AND m.user_id = n.user_id
         JOIN ws_organizations o ON o.id = n.org_id "
    };
}

macro_rules! notification_select {
    () => {
        concat!(
            "SELECT n.org_id, o.slug AS org_slug, o.name AS org_name, ",
            notification_columns!(),
            ", u.display_name, u.avatar_url ",
            notifications_from!(),
            "LEFT JOIN ws_users u ON u.id = n.actor_id "
        )
    };
}

/// An endpoint `w`. The columns have unique names, because a delivery is read together with it.
macro_rules! webhook_columns {
    () => {
        "w.id AS webhook_id, w.url, w.description, w.events, w.disabled_reason, w.disabled_at, w.secrets, w.secrets_key,
         w.previous_until, w.last_success_at, w.created_by, w.version AS webhook_version,
         w.created_at AS webhook_created_at, w.updated_at AS webhook_updated_at"
    };
}

/// A delivery `d`; the argument is its payload, or `"NULL"`.
macro_rules! delivery_columns {
    ($payload:literal) => {
        concat!(
            "d.id AS delivery_id, d.webhook_id AS delivered_to, d.message_id, d.event, ",
            $payload,
            " AS payload, d.status, d.attempts, d.next_attempt_at, d.created_at AS delivery_created_at, d.finished_at"
        )
    };
}
