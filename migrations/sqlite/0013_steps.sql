-- What `migrate` has done beyond SQL, by name: each step once, under the lock of migrations, so that of servers that start together one
-- does it and the others find it done. As on Postgres.
CREATE TABLE ws_steps (
    name TEXT NOT NULL,
    CONSTRAINT ws_steps_pkey PRIMARY KEY (name)
) STRICT, WITHOUT ROWID;
