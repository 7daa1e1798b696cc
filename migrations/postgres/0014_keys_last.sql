-- The keys that foreign keys refer to, made once more, so that they are the newest indexes of their tables.
--
-- Postgres itself looks for the row that a foreign key names, by a statement that it plans once in a session. Where a table is empty then,
-- several indexes begin with the organization and have the id, all seem equally cheap, and of equals the newest is taken: it was one that has the
-- project between the two, so that each look-up read all tasks of the organization. A demo of 100,000 tasks did not come to an end.
-- tests/schema.rs asks for the plan of each foreign key on an empty database.
ALTER TABLE ws_comments DROP CONSTRAINT ws_comments_task_fkey;
ALTER TABLE ws_task_labels DROP CONSTRAINT ws_task_labels_task_fkey;
ALTER TABLE ws_search DROP CONSTRAINT ws_search_task_fkey;
ALTER TABLE ws_tasks DROP CONSTRAINT ws_tasks_parent_fkey, DROP CONSTRAINT ws_tasks_status_fkey;

ALTER TABLE ws_statuses DROP CONSTRAINT ws_statuses_project_key;
ALTER TABLE ws_statuses ADD CONSTRAINT ws_statuses_project_key UNIQUE (org_id, project_id, id);
ALTER TABLE ws_tasks DROP CONSTRAINT ws_tasks_pkey;
ALTER TABLE ws_tasks ADD CONSTRAINT ws_tasks_pkey PRIMARY KEY (org_id, id);

ALTER TABLE ws_tasks
    ADD CONSTRAINT ws_tasks_status_fkey FOREIGN KEY (org_id, project_id, status_id) REFERENCES ws_statuses (org_id, project_id, id),
    ADD CONSTRAINT ws_tasks_parent_fkey FOREIGN KEY (org_id, parent_id) REFERENCES ws_tasks (org_id, id);
ALTER TABLE ws_comments
    ADD CONSTRAINT ws_comments_task_fkey FOREIGN KEY (org_id, task_id) REFERENCES ws_tasks (org_id, id) ON DELETE CASCADE;
ALTER TABLE ws_task_labels
    ADD CONSTRAINT ws_task_labels_task_fkey FOREIGN KEY (org_id, task_id) REFERENCES ws_tasks (org_id, id) ON DELETE CASCADE;
ALTER TABLE ws_search
    ADD CONSTRAINT ws_search_task_fkey FOREIGN KEY (org_id, task_id) REFERENCES ws_tasks (org_id, id) ON DELETE CASCADE;
