-- The networks that logins of an account came from, as digests: the first half of a place names the account, the second the network.
-- Failed logins from elsewhere do not delay who logs in from such a network.
CREATE TABLE ws_login_networks (
    place        bytea       NOT NULL,
    logged_in_at timestamptz NOT NULL,
    CONSTRAINT ws_login_networks_pkey PRIMARY KEY (place),
    CONSTRAINT ws_login_networks_place_check CHECK (octet_length(place) = 32)
);
CREATE INDEX ws_login_networks_logged_in_idx ON ws_login_networks (logged_in_at);
