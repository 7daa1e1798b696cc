SET LOCAL lock_timeout = '3s';

-- Whether a task ever had a relation that blocks it: only of such a task are the open blockers counted when it is read. It is never taken back,
-- so a relation that goes needs no write to its task.
ALTER TABLE ws_tasks ADD COLUMN has_blockers boolean NOT NULL DEFAULT FALSE;
UPDATE ws_tasks t SET has_blockers = TRUE FROM ws_relations r
 WHERE r.org_id = t.org_id AND r.target_id = t.id AND r.type = 'blocks';
