-- Endpoints that are told of what happens in an organization, and what is sent to them. As on Postgres, column for column.

-- events are names separated by spaces, or *. secrets are encrypted under the server's key of the name secrets_key.
CREATE TABLE ws_webhooks (
    org_id          BLOB        NOT NULL,
    id              BLOB        NOT NULL,
    url             TEXT        NOT NULL,
    description     TEXT,
    events          TEXT        NOT NULL,
    disabled_reason TEXT,
    disabled_at     INTEGER,
    secrets         BLOB        NOT NULL,
    secrets_key     TEXT        NOT NULL,
    previous_until  INTEGER,
    last_success_at INTEGER,
    created_by      BLOB        NOT NULL,
    version         INTEGER     NOT NULL,
    created_at      INTEGER     NOT NULL,
    updated_at      INTEGER     NOT NULL,
    CONSTRAINT ws_webhooks_pkey PRIMARY KEY (org_id, id),
    CONSTRAINT ws_webhooks_org_fkey FOREIGN KEY (org_id) REFERENCES ws_organizations (id) ON DELETE CASCADE,
    CONSTRAINT ws_webhooks_creator_fkey FOREIGN KEY (created_by) REFERENCES ws_users (id),
    CONSTRAINT ws_webhooks_disabled_check CHECK (
        (disabled_reason IS NULL) = (disabled_at IS NULL) AND disabled_reason IN ('manual', 'gone', 'failing'))
) STRICT;
CREATE INDEX ws_webhooks_created_idx ON ws_webhooks (org_id, created_at, id);
CREATE INDEX ws_webhooks_creator_idx ON ws_webhooks (created_by);

-- webhook_id refers to no row: an event is written while somebody removes the endpoint, and neither waits for the other. What
-- is left goes with the log's age.
CREATE TABLE ws_webhook_deliveries (
    org_id          BLOB        NOT NULL,
    id              BLOB        NOT NULL,
    webhook_id      BLOB        NOT NULL,
    message_id      BLOB        NOT NULL,
    event           TEXT        NOT NULL,
    payload         TEXT        NOT NULL,
    status          TEXT        NOT NULL,
    attempts        INTEGER     NOT NULL,
    next_attempt_at INTEGER,
    created_at      INTEGER     NOT NULL,
    finished_at     INTEGER,
    CONSTRAINT ws_webhook_deliveries_pkey PRIMARY KEY (org_id, id),
    CONSTRAINT ws_webhook_deliveries_org_fkey FOREIGN KEY (org_id) REFERENCES ws_organizations (id) ON DELETE CASCADE,
    CONSTRAINT ws_webhook_deliveries_status_check CHECK (status IN ('pending', 'delivered', 'failed')),
    CONSTRAINT ws_webhook_deliveries_finished_check CHECK ((status = 'pending') = (finished_at IS NULL))
) STRICT;
CREATE INDEX ws_webhook_deliveries_log_idx ON ws_webhook_deliveries (org_id, webhook_id, created_at, id);
CREATE INDEX ws_webhook_deliveries_age_idx ON ws_webhook_deliveries (created_at);

CREATE TABLE ws_webhook_attempts (
    org_id          BLOB        NOT NULL,
    delivery_id     BLOB        NOT NULL,
    number          INTEGER     NOT NULL,
    at              INTEGER     NOT NULL,
    took_ms         INTEGER     NOT NULL,
    response_status INTEGER,
    error           TEXT,
    CONSTRAINT ws_webhook_attempts_pkey PRIMARY KEY (org_id, delivery_id, number),
    CONSTRAINT ws_webhook_attempts_delivery_fkey FOREIGN KEY (org_id, delivery_id)
        REFERENCES ws_webhook_deliveries (org_id, id) ON DELETE CASCADE
) STRICT;
