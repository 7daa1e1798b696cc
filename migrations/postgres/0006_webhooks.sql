-- Endpoints that are told of what happens in an organization, and what is sent to them.

-- events are names separated by spaces, or *. secrets are encrypted under the server's key of the name secrets_key.
CREATE TABLE ws_webhooks (
    org_id          uuid        NOT NULL,
    id              uuid        NOT NULL,
    url             text        NOT NULL,
    description     text,
    events          text        NOT NULL,
    disabled_reason text,
    disabled_at     timestamptz,
    secrets         bytea       NOT NULL,
    secrets_key     text        NOT NULL,
    previous_until  timestamptz,
    last_success_at timestamptz,
    created_by      uuid        NOT NULL,
    version         bigint      NOT NULL,
    created_at      timestamptz NOT NULL,
    updated_at      timestamptz NOT NULL,
    CONSTRAINT ws_webhooks_pkey PRIMARY KEY (org_id, id),
    CONSTRAINT ws_webhooks_org_fkey FOREIGN KEY (org_id) REFERENCES ws_organizations (id) ON DELETE CASCADE,
    CONSTRAINT ws_webhooks_creator_fkey FOREIGN KEY (created_by) REFERENCES ws_users (id),
    CONSTRAINT ws_webhooks_disabled_check CHECK (
        (disabled_reason IS NULL) = (disabled_at IS NULL) AND disabled_reason IN ('manual', 'gone', 'failing'))
);
CREATE INDEX ws_webhooks_created_idx ON ws_webhooks (org_id, created_at, id);
CREATE INDEX ws_webhooks_creator_idx ON ws_webhooks (created_by);

-- webhook_id refers to no row: an event is written while somebody removes the endpoint, and neither waits for the other. What
-- is left goes with the log's age.
CREATE TABLE ws_webhook_deliveries (
    org_id          uuid        NOT NULL,
    id              uuid        NOT NULL,
    webhook_id      uuid        NOT NULL,
    message_id      uuid        NOT NULL,
    event           text        NOT NULL,
    payload         text        NOT NULL,
    status          text        NOT NULL,
    attempts        bigint      NOT NULL,
    next_attempt_at timestamptz,
    created_at      timestamptz NOT NULL,
    finished_at     timestamptz,
    CONSTRAINT ws_webhook_deliveries_pkey PRIMARY KEY (org_id, id),
    CONSTRAINT ws_webhook_deliveries_org_fkey FOREIGN KEY (org_id) REFERENCES ws_organizations (id) ON DELETE CASCADE,
    CONSTRAINT ws_webhook_deliveries_status_check CHECK (status IN ('pending', 'delivered', 'failed')),
    CONSTRAINT ws_webhook_deliveries_finished_check CHECK ((status = 'pending') = (finished_at IS NULL))
);
CREATE INDEX ws_webhook_deliveries_log_idx ON ws_webhook_deliveries (org_id, webhook_id, created_at, id);
CREATE INDEX ws_webhook_deliveries_age_idx ON ws_webhook_deliveries (created_at);

CREATE TABLE ws_webhook_attempts (
    org_id          uuid        NOT NULL,
    delivery_id     uuid        NOT NULL,
    number          bigint      NOT NULL,
    at              timestamptz NOT NULL,
    took_ms         bigint      NOT NULL,
    response_status bigint,
    error           text,
    CONSTRAINT ws_webhook_attempts_pkey PRIMARY KEY (org_id, delivery_id, number),
    CONSTRAINT ws_webhook_attempts_delivery_fkey FOREIGN KEY (org_id, delivery_id)
        REFERENCES ws_webhook_deliveries (org_id, id) ON DELETE CASCADE
);
