-- One row, which a server writes when it is asked whether it is ready: that it can read says little.
CREATE TABLE ws_readiness (
    id    INTEGER NOT NULL,
    tries INTEGER NOT NULL,
    CONSTRAINT ws_readiness_pkey PRIMARY KEY (id),
    CONSTRAINT ws_readiness_id_check CHECK (id = 1)
) STRICT;
INSERT INTO ws_readiness (id, tries) VALUES (1, 0);
