-- Users and sessions, organizations with their members and invitations, jobs, and answers to repeated requests.
--
-- The same tables as on Postgres, column for column. Identifiers are BLOBs of 16 bytes, times are INTEGERs (microseconds
-- since 1970), truth values are 0 or 1, and JSON is TEXT.

CREATE TABLE ws_users (
    id             BLOB    NOT NULL,
    email          TEXT    NOT NULL,
    display_name   TEXT    NOT NULL,
    avatar_url     TEXT,
    password_hash  TEXT,
    email_verified INTEGER NOT NULL,
    disabled_at    INTEGER,
    session_epoch  INTEGER NOT NULL,
    version        INTEGER NOT NULL,
    created_at     INTEGER NOT NULL,
    updated_at     INTEGER NOT NULL,
    CONSTRAINT ws_users_pkey PRIMARY KEY (id),
    CONSTRAINT ws_users_email_key UNIQUE (email),
    CONSTRAINT ws_users_email_verified_check CHECK (email_verified IN (0, 1))
) STRICT;

-- Only hashes of refresh tokens are here. previous_hash is the token swapped at rotated_at; repeats counts how often it
-- was presented again within the grace, which tells a repeat from a swap in one statement.
CREATE TABLE ws_sessions (
    id            BLOB    NOT NULL,
    user_id       BLOB    NOT NULL,
    epoch         INTEGER NOT NULL,
    refresh_hash  BLOB    NOT NULL,
    previous_hash BLOB,
    rotated_at    INTEGER,
    repeats       INTEGER NOT NULL,
    created_at    INTEGER NOT NULL,
    last_used_at  INTEGER NOT NULL,
    expires_at    INTEGER NOT NULL,
    ip            TEXT,
    user_agent    TEXT,
    CONSTRAINT ws_sessions_pkey PRIMARY KEY (id),
    CONSTRAINT ws_sessions_user_fkey FOREIGN KEY (user_id) REFERENCES ws_users (id) ON DELETE CASCADE,
    CONSTRAINT ws_sessions_refresh_hash_check CHECK (length(refresh_hash) = 32),
    CONSTRAINT ws_sessions_previous_hash_check CHECK (length(previous_hash) = 32)
) STRICT;
CREATE INDEX ws_sessions_user_idx ON ws_sessions (user_id, created_at);
CREATE INDEX ws_sessions_expires_idx ON ws_sessions (expires_at);

-- A taken token stays, spent, until its time is over: a mail job that runs twice does not bring it back.
CREATE TABLE ws_one_time_tokens (
    id         BLOB    NOT NULL,
    token_hash BLOB    NOT NULL,
    purpose    TEXT    NOT NULL,
    user_id    BLOB    NOT NULL,
    email      TEXT    NOT NULL,
    expires_at INTEGER NOT NULL,
    spent      INTEGER NOT NULL DEFAULT FALSE,
    CONSTRAINT ws_one_time_tokens_pkey PRIMARY KEY (id),
    CONSTRAINT ws_one_time_tokens_user_fkey FOREIGN KEY (user_id) REFERENCES ws_users (id) ON DELETE CASCADE,
    CONSTRAINT ws_one_time_tokens_hash_check CHECK (length(token_hash) = 32),
    CONSTRAINT ws_one_time_tokens_purpose_check CHECK (purpose IN ('reset_password', 'verify_email'))
) STRICT;
CREATE INDEX ws_one_time_tokens_hash_idx ON ws_one_time_tokens (token_hash);
CREATE INDEX ws_one_time_tokens_user_idx ON ws_one_time_tokens (user_id, purpose);
CREATE INDEX ws_one_time_tokens_expires_idx ON ws_one_time_tokens (expires_at);

-- Failed logins by a digest of the address that was tried, whether there is an account or not.
CREATE TABLE ws_login_attempts (
    account        BLOB    NOT NULL,
    failures       INTEGER NOT NULL,
    last_failed_at INTEGER NOT NULL,
    blocked_until  INTEGER,
    CONSTRAINT ws_login_attempts_pkey PRIMARY KEY (account),
    CONSTRAINT ws_login_attempts_account_check CHECK (length(account) = 32)
) STRICT, WITHOUT ROWID;
CREATE INDEX ws_login_attempts_last_failed_idx ON ws_login_attempts (last_failed_at);

CREATE TABLE ws_organizations (
    id         BLOB    NOT NULL,
    name       TEXT    NOT NULL,
    slug       TEXT    NOT NULL,
    version    INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    CONSTRAINT ws_organizations_pkey PRIMARY KEY (id),
    CONSTRAINT ws_organizations_slug_key UNIQUE (slug)
) STRICT;

CREATE TABLE ws_members (
    org_id    BLOB    NOT NULL,
    user_id   BLOB    NOT NULL,
    role      TEXT    NOT NULL,
    version   INTEGER NOT NULL,
    joined_at INTEGER NOT NULL,
    CONSTRAINT ws_members_pkey PRIMARY KEY (org_id, user_id),
    CONSTRAINT ws_members_org_fkey FOREIGN KEY (org_id) REFERENCES ws_organizations (id) ON DELETE CASCADE,
    CONSTRAINT ws_members_user_fkey FOREIGN KEY (user_id) REFERENCES ws_users (id),
    CONSTRAINT ws_members_role_check CHECK (role IN ('member', 'admin', 'owner'))
) STRICT, WITHOUT ROWID;
CREATE INDEX ws_members_user_idx ON ws_members (user_id, org_id);
CREATE INDEX ws_members_joined_idx ON ws_members (org_id, joined_at, user_id);

CREATE TABLE ws_invitations (
    org_id     BLOB    NOT NULL,
    id         BLOB    NOT NULL,
    email      TEXT    NOT NULL,
    role       TEXT    NOT NULL,
    status     TEXT    NOT NULL,
    token_hash BLOB    NOT NULL,
    invited_by BLOB    NOT NULL,
    expires_at INTEGER NOT NULL,
    version    INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    CONSTRAINT ws_invitations_pkey PRIMARY KEY (org_id, id),
    CONSTRAINT ws_invitations_org_fkey FOREIGN KEY (org_id) REFERENCES ws_organizations (id) ON DELETE CASCADE,
    CONSTRAINT ws_invitations_inviter_fkey FOREIGN KEY (invited_by) REFERENCES ws_users (id),
    CONSTRAINT ws_invitations_role_check CHECK (role IN ('member', 'admin')),
    CONSTRAINT ws_invitations_status_check CHECK (status IN ('pending', 'accepted', 'revoked')),
    CONSTRAINT ws_invitations_hash_check CHECK (length(token_hash) = 32)
) STRICT, WITHOUT ROWID;
-- One pending invitation for an address.
CREATE UNIQUE INDEX ws_invitations_pending_key ON ws_invitations (org_id, email) WHERE status = 'pending';
CREATE INDEX ws_invitations_token_idx ON ws_invitations (token_hash);
CREATE INDEX ws_invitations_created_idx ON ws_invitations (org_id, created_at, id);
CREATE INDEX ws_invitations_inviter_idx ON ws_invitations (invited_by);

-- The queue. attempt is also the fencing number of a claim.
CREATE TABLE ws_jobs (
    id           BLOB    NOT NULL,
    kind         TEXT    NOT NULL,
    payload      TEXT    NOT NULL,
    state        TEXT    NOT NULL,
    attempt      INTEGER NOT NULL,
    max_attempts INTEGER NOT NULL,
    run_at       INTEGER NOT NULL,
    lease_until  INTEGER,
    last_error   TEXT,
    created_at   INTEGER NOT NULL,
    finished_at  INTEGER,
    CONSTRAINT ws_jobs_pkey PRIMARY KEY (id),
    CONSTRAINT ws_jobs_state_check CHECK (state IN ('available', 'running', 'completed', 'buried')),
    CONSTRAINT ws_jobs_lease_check CHECK ((state = 'running') = (lease_until IS NOT NULL)),
    CONSTRAINT ws_jobs_finished_check CHECK ((state IN ('completed', 'buried')) = (finished_at IS NOT NULL))
) STRICT;
CREATE INDEX ws_jobs_available_idx ON ws_jobs (run_at, id) WHERE state = 'available';
CREATE INDEX ws_jobs_running_idx ON ws_jobs (lease_until, id) WHERE state = 'running';
CREATE INDEX ws_jobs_finished_idx ON ws_jobs (state, finished_at) WHERE finished_at IS NOT NULL;

-- status and body are empty until the first request has ended.
CREATE TABLE ws_idempotency_keys (
    scope       TEXT    NOT NULL,
    key         TEXT    NOT NULL,
    fingerprint BLOB    NOT NULL,
    claimed_at  INTEGER NOT NULL,
    expires_at  INTEGER NOT NULL,
    status      INTEGER,
    body        TEXT,
    CONSTRAINT ws_idempotency_keys_pkey PRIMARY KEY (scope, key),
    CONSTRAINT ws_idempotency_keys_fingerprint_check CHECK (length(fingerprint) = 32),
    CONSTRAINT ws_idempotency_keys_answer_check CHECK ((status IS NULL) = (body IS NULL))
) STRICT;
CREATE INDEX ws_idempotency_keys_expires_idx ON ws_idempotency_keys (expires_at);
