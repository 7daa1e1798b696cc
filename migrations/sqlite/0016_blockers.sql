-- Whether a task ever had a relation that blocks it: only of such a task are the open blockers counted when it is read. It is never taken back,
-- so a relation that goes needs no write to its task.
ALTER TABLE ws_tasks ADD COLUMN has_blockers INTEGER NOT NULL DEFAULT 0
    CONSTRAINT ws_tasks_has_blockers_check CHECK (has_blockers IN (0, 1));
UPDATE ws_tasks SET has_blockers = 1
 WHERE (org_id, id) IN (SELECT org_id, target_id FROM ws_relations WHERE type = 'blocks');
