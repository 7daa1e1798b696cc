-- Somebody's tasks in the order in which my-tasks shows them. SQLite's planner needs no word on the size of tenants.
CREATE INDEX ws_tasks_mine_idx ON ws_tasks (assignee_id, org_id, COALESCE(due_date, '9999-12-31'), id)
    WHERE assignee_id IS NOT NULL;
DROP INDEX ws_tasks_assignee_idx;
