-- Addresses that refuse mail, whether they have an account or are only invited.

-- job_id is the job whose mail was refused; empty when a provider told of it later.
CREATE TABLE ws_email_bounces (
    email      TEXT    NOT NULL,
    reason     TEXT    NOT NULL,
    job_id     BLOB,
    bounced_at INTEGER NOT NULL,
    CONSTRAINT ws_email_bounces_pkey PRIMARY KEY (email)
) STRICT;
CREATE INDEX ws_email_bounces_bounced_idx ON ws_email_bounces (bounced_at);
