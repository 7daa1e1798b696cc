-- What `migrate` has done beyond SQL, by name: each step once, under the lock of migrations, so that of servers that start together one
-- does it and the others find it done.
CREATE TABLE ws_steps (
    name text NOT NULL,
    CONSTRAINT ws_steps_pkey PRIMARY KEY (name)
);
