-- The embedder's own table, beside WorkScribe's, which all begin with ws_.
CREATE TABLE app_billing_accounts (
    org_id    BLOB PRIMARY KEY REFERENCES ws_organizations (id) ON DELETE CASCADE,
    owner_id  BLOB NOT NULL,
    plan      TEXT NOT NULL,
    opened_at TEXT
) STRICT;
