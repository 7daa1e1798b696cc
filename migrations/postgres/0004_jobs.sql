-- Queues, priorities, unique keys, cancelling, pauses and schedules of jobs.

-- unique_key says what makes a job the only one, and unique_until for how long: until it is 'claimed' by a worker, 'finished', or
-- 'removed', which it is not before keep_until. Its end empties the key.
ALTER TABLE ws_jobs
    ADD COLUMN queue            text    NOT NULL DEFAULT 'default',
    ADD COLUMN priority         bigint  NOT NULL DEFAULT 2,
    ADD COLUMN timeout_ms       bigint,
    ADD COLUMN unique_key       text,
    ADD COLUMN unique_until     text,
    ADD COLUMN keep_until       timestamptz,
    ADD COLUMN cancel_requested boolean NOT NULL DEFAULT FALSE,
    ADD COLUMN worker           text,
    ADD COLUMN claimed_at       timestamptz,
    ADD CONSTRAINT ws_jobs_priority_check CHECK (priority BETWEEN 1 AND 4),
    ADD CONSTRAINT ws_jobs_unique_check CHECK (
        (unique_key IS NULL OR unique_until IS NOT NULL) AND unique_until IN ('claimed', 'finished', 'removed')),
    DROP CONSTRAINT ws_jobs_state_check,
    ADD CONSTRAINT ws_jobs_state_check
        CHECK (state IN ('available', 'running', 'completed', 'cancelled', 'buried')),
    DROP CONSTRAINT ws_jobs_finished_check,
    ADD CONSTRAINT ws_jobs_finished_check
        CHECK ((state IN ('completed', 'cancelled', 'buried')) = (finished_at IS NOT NULL));

-- One walk for each priority, so that what is due later is passed by none.
CREATE INDEX ws_jobs_due_idx ON ws_jobs (queue, priority, run_at, id) WHERE state = 'available';
DROP INDEX ws_jobs_available_idx;
CREATE UNIQUE INDEX ws_jobs_unique_key ON ws_jobs (unique_key) WHERE unique_key IS NOT NULL;

-- Every job is updated three times and then removed: what is dead has to go before a claim walks over it.
ALTER TABLE ws_jobs SET (autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 1000,
                         autovacuum_vacuum_cost_delay = 0);

CREATE TABLE ws_job_queues (
    name      text        NOT NULL,
    paused_at timestamptz NOT NULL,
    CONSTRAINT ws_job_queues_pkey PRIMARY KEY (name)
);

-- The last slot of a schedule for which a job was written, or that was passed over.
CREATE TABLE ws_job_schedules (
    name      text        NOT NULL,
    last_slot timestamptz NOT NULL,
    CONSTRAINT ws_job_schedules_pkey PRIMARY KEY (name)
);
