-- Relations between tasks. type is blocks, duplicates or relates_to. A relation goes with either of its tasks.
CREATE TABLE ws_relations (
    org_id     uuid        NOT NULL,
    id         uuid        NOT NULL,
    type       text        NOT NULL,
    source_id  uuid        NOT NULL,
    target_id  uuid        NOT NULL,
    created_at timestamptz NOT NULL,
    CONSTRAINT ws_relations_pkey PRIMARY KEY (org_id, id),
    CONSTRAINT ws_relations_tasks_key UNIQUE (org_id, source_id, target_id, type),
    CONSTRAINT ws_relations_source_fkey FOREIGN KEY (org_id, source_id) REFERENCES ws_tasks (org_id, id)
        ON DELETE CASCADE,
    CONSTRAINT ws_relations_target_fkey FOREIGN KEY (org_id, target_id) REFERENCES ws_tasks (org_id, id)
        ON DELETE CASCADE,
    CONSTRAINT ws_relations_sides_check CHECK (source_id <> target_id)
);
CREATE INDEX ws_relations_target_idx ON ws_relations (org_id, target_id);
