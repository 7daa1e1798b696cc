-- Queues, priorities, unique keys, cancelling, pauses and schedules of jobs. SQLite changes no CHECK, so the table is made anew.

-- unique_key says what makes a job the only one, and unique_until for how long: until it is 'claimed' by a worker, 'finished', or
-- 'removed', which it is not before keep_until. Its end empties the key.
CREATE TABLE ws_jobs_new (
    id               BLOB    NOT NULL,
    kind             TEXT    NOT NULL,
    payload          TEXT    NOT NULL,
    queue            TEXT    NOT NULL DEFAULT 'default',
    priority         INTEGER NOT NULL DEFAULT 2,
    state            TEXT    NOT NULL,
    attempt          INTEGER NOT NULL,
    max_attempts     INTEGER NOT NULL,
    timeout_ms       INTEGER,
    unique_key       TEXT,
    unique_until     TEXT,
    keep_until       INTEGER,
    cancel_requested INTEGER NOT NULL DEFAULT 0,
    run_at           INTEGER NOT NULL,
    worker           TEXT,
    claimed_at       INTEGER,
    lease_until      INTEGER,
    last_error       TEXT,
    created_at       INTEGER NOT NULL,
    finished_at      INTEGER,
    CONSTRAINT ws_jobs_pkey PRIMARY KEY (id),
    CONSTRAINT ws_jobs_state_check
        CHECK (state IN ('available', 'running', 'completed', 'cancelled', 'buried')),
    CONSTRAINT ws_jobs_lease_check CHECK ((state = 'running') = (lease_until IS NOT NULL)),
    CONSTRAINT ws_jobs_finished_check
        CHECK ((state IN ('completed', 'cancelled', 'buried')) = (finished_at IS NOT NULL)),
    CONSTRAINT ws_jobs_priority_check CHECK (priority BETWEEN 1 AND 4),
    CONSTRAINT ws_jobs_cancel_check CHECK (cancel_requested IN (0, 1)),
    CONSTRAINT ws_jobs_unique_check CHECK (
        (unique_key IS NULL OR unique_until IS NOT NULL) AND unique_until IN ('claimed', 'finished', 'removed'))
) STRICT;
INSERT INTO ws_jobs_new (id, kind, payload, state, attempt, max_attempts, run_at, lease_until, last_error, created_at,
                         finished_at)
    SELECT id, kind, payload, state, attempt, max_attempts, run_at, lease_until, last_error, created_at, finished_at
      FROM ws_jobs;
DROP TABLE ws_jobs;
ALTER TABLE ws_jobs_new RENAME TO ws_jobs;

-- One walk for each priority, so that what is due later is passed by none.
CREATE INDEX ws_jobs_due_idx ON ws_jobs (queue, priority, run_at, id) WHERE state = 'available';
CREATE INDEX ws_jobs_running_idx ON ws_jobs (lease_until, id) WHERE state = 'running';
CREATE INDEX ws_jobs_finished_idx ON ws_jobs (state, finished_at) WHERE finished_at IS NOT NULL;
CREATE UNIQUE INDEX ws_jobs_unique_key ON ws_jobs (unique_key) WHERE unique_key IS NOT NULL;

CREATE TABLE ws_job_queues (
    name      TEXT    NOT NULL,
    paused_at INTEGER NOT NULL,
    CONSTRAINT ws_job_queues_pkey PRIMARY KEY (name)
) STRICT;

-- The last slot of a schedule for which a job was written, or that was passed over.
CREATE TABLE ws_job_schedules (
    name      TEXT    NOT NULL,
    last_slot INTEGER NOT NULL,
    CONSTRAINT ws_job_schedules_pkey PRIMARY KEY (name)
) STRICT;
