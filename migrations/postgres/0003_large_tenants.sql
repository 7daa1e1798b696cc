-- Plans for the large tenant. Statements are planned once for all tenants, and the planner takes the average tenant for each.
-- Where most are small, it reads all that an average one has, by any index that begins with org_id, and of the large ones it
-- reads everything. So it is told that tenants are few and large. It believes no tenant to be larger than the largest that
-- ANALYZE has found. The next ANALYZE takes this up; it is not done here, because an empty table would be known as empty, and
-- a first import would go by that to its end.
ALTER TABLE ws_members        ALTER COLUMN org_id SET (n_distinct = 20);
ALTER TABLE ws_invitations    ALTER COLUMN org_id SET (n_distinct = 20);
ALTER TABLE ws_projects       ALTER COLUMN org_id SET (n_distinct = 20);
ALTER TABLE ws_statuses       ALTER COLUMN org_id SET (n_distinct = 20), ALTER COLUMN project_id SET (n_distinct = 50);
ALTER TABLE ws_labels         ALTER COLUMN org_id SET (n_distinct = 20), ALTER COLUMN project_id SET (n_distinct = 50);
ALTER TABLE ws_tasks          ALTER COLUMN org_id SET (n_distinct = 20), ALTER COLUMN project_id SET (n_distinct = 50),
                              ALTER COLUMN status_id SET (n_distinct = 200);
ALTER TABLE ws_task_labels    ALTER COLUMN org_id SET (n_distinct = 20);
ALTER TABLE ws_comments       ALTER COLUMN org_id SET (n_distinct = 20);
ALTER TABLE ws_activity       ALTER COLUMN org_id SET (n_distinct = 20);
ALTER TABLE ws_notifications  ALTER COLUMN org_id SET (n_distinct = 20);
ALTER TABLE ws_search         ALTER COLUMN org_id SET (n_distinct = 20);

-- Words are kept apart by tenant: what one searches costs nothing for what others have written. The mark before each is the last
-- twelve digits of the organization's id, which are random; should two tenants share one, org_id still tells them apart.
ALTER TABLE ws_search DROP COLUMN words;
ALTER TABLE ws_search ADD COLUMN words tsvector NOT NULL GENERATED ALWAYS AS (
        regexp_replace(title_words, '[^ ]+', right(org_id::text, 12) || '\&:1A', 'g')::tsvector
        || regexp_replace(body_words, '[^ ]+', right(org_id::text, 12) || '\&:1', 'g')::tsvector
    ) STORED;
CREATE INDEX ws_search_words_idx ON ws_search USING gin (words);
-- A word that is nearly everywhere is found soonest among what is read anyway.
CREATE INDEX ws_search_updated_idx ON ws_search (org_id, updated_at);

-- Somebody's tasks in the order in which my-tasks shows them. Not made concurrently, since no release has the table yet.
CREATE INDEX ws_tasks_mine_idx ON ws_tasks (assignee_id, org_id, (COALESCE(due_date, '9999-12-31')), id)
    WHERE assignee_id IS NOT NULL;
DROP INDEX ws_tasks_assignee_idx;
