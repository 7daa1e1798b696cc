-- Turns among the organizations that have jobs, messages of webhooks stored once, and removals that end.
SET LOCAL lock_timeout = '3s';

-- is_due marks what waits and whose time has come; put_off is how many of the attempts ended in the job's being put off, which
-- counts as none.
ALTER TABLE ws_jobs ADD COLUMN is_due boolean NOT NULL DEFAULT FALSE, ADD COLUMN put_off bigint NOT NULL DEFAULT 0;
-- A claim goes from organization to organization, however many jobs each has; what is due later is in an index of its own.
CREATE INDEX ws_jobs_turn_idx ON ws_jobs
    (queue, priority, (COALESCE(org_id, CAST('00000000-0000-0000-0000-000000000000' AS uuid))), run_at, id)
 WHERE state = 'available' AND is_due;
CREATE INDEX ws_jobs_later_idx ON ws_jobs (queue, run_at, id) WHERE state = 'available' AND NOT is_due;
DROP INDEX ws_jobs_due_idx;

-- What is sent is stored once, however many endpoints get it, and however often. A delivery refers to no row, as above (0006): a
-- message goes when it is old and no delivery has it.
CREATE TABLE ws_webhook_messages (
    org_id     uuid        NOT NULL,
    id         uuid        NOT NULL,
    payload    text        NOT NULL,
    created_at timestamptz NOT NULL,
    CONSTRAINT ws_webhook_messages_pkey PRIMARY KEY (org_id, id),
    CONSTRAINT ws_webhook_messages_org_fkey FOREIGN KEY (org_id) REFERENCES ws_organizations (id) ON DELETE CASCADE
);
CREATE INDEX ws_webhook_messages_age_idx ON ws_webhook_messages (created_at);
INSERT INTO ws_webhook_messages (org_id, id, payload, created_at)
SELECT DISTINCT ON (org_id, message_id) org_id, message_id, payload, created_at FROM ws_webhook_deliveries
 ORDER BY org_id, message_id, created_at;
ALTER TABLE ws_webhook_deliveries DROP COLUMN payload;
CREATE INDEX ws_webhook_deliveries_message_idx ON ws_webhook_deliveries (org_id, message_id);
