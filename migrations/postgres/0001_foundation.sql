-- Users and sessions, organizations with their members and invitations, jobs, and answers to repeated requests.
--
-- Tables of a tenant have org_id first in their key and in every unique index, so that they can be partitioned or
-- distributed by it. Every constraint has a name: the adapter tells unique rules apart by it.

CREATE TABLE ws_users (
    id             uuid        NOT NULL,
    email          text        NOT NULL,
    display_name   text        NOT NULL,
    avatar_url     text,
    password_hash  text,
    email_verified boolean     NOT NULL,
    disabled_at    timestamptz,
    session_epoch  bigint      NOT NULL,
    version        bigint      NOT NULL,
    created_at     timestamptz NOT NULL,
    updated_at     timestamptz NOT NULL,
    CONSTRAINT ws_users_pkey PRIMARY KEY (id),
    CONSTRAINT ws_users_email_key UNIQUE (email)
);

-- Only hashes of refresh tokens are here. previous_hash is the token swapped at rotated_at; repeats counts how often it
-- was presented again within the grace, which tells a repeat from a swap in one statement.
CREATE TABLE ws_sessions (
    id            uuid        NOT NULL,
    user_id       uuid        NOT NULL,
    epoch         bigint      NOT NULL,
    refresh_hash  bytea       NOT NULL,
    previous_hash bytea,
    rotated_at    timestamptz,
    repeats       bigint      NOT NULL,
    created_at    timestamptz NOT NULL,
    last_used_at  timestamptz NOT NULL,
    expires_at    timestamptz NOT NULL,
    ip            text,
    user_agent    text,
    CONSTRAINT ws_sessions_pkey PRIMARY KEY (id),
    CONSTRAINT ws_sessions_user_fkey FOREIGN KEY (user_id) REFERENCES ws_users (id) ON DELETE CASCADE,
    CONSTRAINT ws_sessions_refresh_hash_check CHECK (octet_length(refresh_hash) = 32),
    CONSTRAINT ws_sessions_previous_hash_check CHECK (octet_length(previous_hash) = 32)
);
CREATE INDEX ws_sessions_user_idx ON ws_sessions (user_id, created_at);
CREATE INDEX ws_sessions_expires_idx ON ws_sessions (expires_at);

-- A taken token stays, spent, until its time is over: a mail job that runs twice does not bring it back.
CREATE TABLE ws_one_time_tokens (
    id         uuid        NOT NULL,
    token_hash bytea       NOT NULL,
    purpose    text        NOT NULL,
    user_id    uuid        NOT NULL,
    email      text        NOT NULL,
    expires_at timestamptz NOT NULL,
    spent      boolean     NOT NULL DEFAULT FALSE,
    CONSTRAINT ws_one_time_tokens_pkey PRIMARY KEY (id),
    CONSTRAINT ws_one_time_tokens_user_fkey FOREIGN KEY (user_id) REFERENCES ws_users (id) ON DELETE CASCADE,
    CONSTRAINT ws_one_time_tokens_hash_check CHECK (octet_length(token_hash) = 32),
    CONSTRAINT ws_one_time_tokens_purpose_check CHECK (purpose IN ('reset_password', 'verify_email'))
);
CREATE INDEX ws_one_time_tokens_hash_idx ON ws_one_time_tokens (token_hash);
CREATE INDEX ws_one_time_tokens_user_idx ON ws_one_time_tokens (user_id, purpose);
CREATE INDEX ws_one_time_tokens_expires_idx ON ws_one_time_tokens (expires_at);

-- Failed logins by a digest of the address that was tried, whether there is an account or not.
CREATE TABLE ws_login_attempts (
    account        bytea       NOT NULL,
    failures       bigint      NOT NULL,
    last_failed_at timestamptz NOT NULL,
    blocked_until  timestamptz,
    CONSTRAINT ws_login_attempts_pkey PRIMARY KEY (account),
    CONSTRAINT ws_login_attempts_account_check CHECK (octet_length(account) = 32)
);
CREATE INDEX ws_login_attempts_last_failed_idx ON ws_login_attempts (last_failed_at);

CREATE TABLE ws_organizations (
    id         uuid        NOT NULL,
    name       text        NOT NULL,
    slug       text        NOT NULL,
    version    bigint      NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    CONSTRAINT ws_organizations_pkey PRIMARY KEY (id),
    CONSTRAINT ws_organizations_slug_key UNIQUE (slug)
);

CREATE TABLE ws_members (
    org_id    uuid        NOT NULL,
    user_id   uuid        NOT NULL,
    role      text        NOT NULL,
    version   bigint      NOT NULL,
    joined_at timestamptz NOT NULL,
    CONSTRAINT ws_members_pkey PRIMARY KEY (org_id, user_id),
    CONSTRAINT ws_members_org_fkey FOREIGN KEY (org_id) REFERENCES ws_organizations (id) ON DELETE CASCADE,
    CONSTRAINT ws_members_user_fkey FOREIGN KEY (user_id) REFERENCES ws_users (id),
    CONSTRAINT ws_members_role_check CHECK (role IN ('member', 'admin', 'owner'))
);
CREATE INDEX ws_members_user_idx ON ws_members (user_id, org_id);
CREATE INDEX ws_members_joined_idx ON ws_members (org_id, joined_at, user_id);

CREATE TABLE ws_invitations (
    org_id     uuid        NOT NULL,
    id         uuid        NOT NULL,
    email      text        NOT NULL,
    role       text        NOT NULL,
    status     text        NOT NULL,
    token_hash bytea       NOT NULL,
    invited_by uuid        NOT NULL,
    expires_at timestamptz NOT NULL,
    version    bigint      NOT NULL,
    created_at timestamptz NOT NULL,
    CONSTRAINT ws_invitations_pkey PRIMARY KEY (org_id, id),
    CONSTRAINT ws_invitations_org_fkey FOREIGN KEY (org_id) REFERENCES ws_organizations (id) ON DELETE CASCADE,
    CONSTRAINT ws_invitations_inviter_fkey FOREIGN KEY (invited_by) REFERENCES ws_users (id),
    CONSTRAINT ws_invitations_role_check CHECK (role IN ('member', 'admin')),
    CONSTRAINT ws_invitations_status_check CHECK (status IN ('pending', 'accepted', 'revoked')),
    CONSTRAINT ws_invitations_hash_check CHECK (octet_length(token_hash) = 32)
);
-- One pending invitation for an address.
CREATE UNIQUE INDEX ws_invitations_pending_key ON ws_invitations (org_id, email) WHERE status = 'pending';
CREATE INDEX ws_invitations_token_idx ON ws_invitations (token_hash);
CREATE INDEX ws_invitations_created_idx ON ws_invitations (org_id, created_at, id);
CREATE INDEX ws_invitations_inviter_idx ON ws_invitations (invited_by);

-- The queue. attempt is also the fencing number of a claim.
CREATE TABLE ws_jobs (
    id           uuid        NOT NULL,
    kind         text        NOT NULL,
    payload      jsonb       NOT NULL,
    state        text        NOT NULL,
    attempt      bigint      NOT NULL,
    max_attempts bigint      NOT NULL,
    run_at       timestamptz NOT NULL,
    lease_until  timestamptz,
    last_error   text,
    created_at   timestamptz NOT NULL,
    finished_at  timestamptz,
    CONSTRAINT ws_jobs_pkey PRIMARY KEY (id),
    CONSTRAINT ws_jobs_state_check CHECK (state IN ('available', 'running', 'completed', 'buried')),
    CONSTRAINT ws_jobs_lease_check CHECK ((state = 'running') = (lease_until IS NOT NULL)),
    CONSTRAINT ws_jobs_finished_check CHECK ((state IN ('completed', 'buried')) = (finished_at IS NOT NULL))
);
CREATE INDEX ws_jobs_available_idx ON ws_jobs (run_at, id) WHERE state = 'available';
CREATE INDEX ws_jobs_running_idx ON ws_jobs (lease_until, id) WHERE state = 'running';
CREATE INDEX ws_jobs_finished_idx ON ws_jobs (state, finished_at) WHERE finished_at IS NOT NULL;

-- status and body are empty until the first request has ended.
CREATE TABLE ws_idempotency_keys (
    scope       text        NOT NULL,
    key         text        NOT NULL,
    fingerprint bytea       NOT NULL,
    claimed_at  timestamptz NOT NULL,
    expires_at  timestamptz NOT NULL,
    status      bigint,
    body        jsonb,
    CONSTRAINT ws_idempotency_keys_pkey PRIMARY KEY (scope, key),
    CONSTRAINT ws_idempotency_keys_fingerprint_check CHECK (octet_length(fingerprint) = 32),
    CONSTRAINT ws_idempotency_keys_answer_check CHECK ((status IS NULL) = (body IS NULL))
);
CREATE INDEX ws_idempotency_keys_expires_idx ON ws_idempotency_keys (expires_at);
