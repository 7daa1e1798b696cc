-- What a list shows of a task beside its own fields is stored with it, and kept by the statements that change it: reading a page
-- then costs the same whatever hangs on its tasks. `workscribe doctor --deep` compares it with the truth. The columns are filled
-- here and not by a job, since no release has the tables yet.
SET LOCAL lock_timeout = '3s';

-- A reference between two tables of a tenant is checked by the statement that writes it, as an engine that distributes needs it.
ALTER TABLE ws_tasks       ALTER CONSTRAINT ws_tasks_status_fkey NOT DEFERRABLE,
                           ALTER CONSTRAINT ws_tasks_parent_fkey NOT DEFERRABLE;
ALTER TABLE ws_task_labels ALTER CONSTRAINT ws_task_labels_task_fkey NOT DEFERRABLE;
ALTER TABLE ws_search      ALTER CONSTRAINT ws_search_task_fkey NOT DEFERRABLE;

-- label_ids is what ws_task_labels has of the task, as a JSON array in the order of the ids.
ALTER TABLE ws_tasks
    ADD COLUMN subtask_count bigint NOT NULL DEFAULT 0,
    ADD COLUMN comment_count bigint NOT NULL DEFAULT 0,
    ADD COLUMN label_ids     jsonb  NOT NULL DEFAULT '[]';
UPDATE ws_tasks AS t SET subtask_count = counted.number
  FROM (SELECT org_id, parent_id, count(*) AS number FROM ws_tasks WHERE parent_id IS NOT NULL GROUP BY org_id, parent_id)
       AS counted
 WHERE t.org_id = counted.org_id AND t.id = counted.parent_id;
UPDATE ws_tasks AS t SET comment_count = counted.number
  FROM (SELECT org_id, task_id, count(*) AS number FROM ws_comments GROUP BY org_id, task_id) AS counted
 WHERE t.org_id = counted.org_id AND t.id = counted.task_id;
UPDATE ws_tasks AS t SET label_ids = listed.ids
  FROM (SELECT org_id, task_id, jsonb_agg(label_id ORDER BY label_id) AS ids FROM ws_task_labels GROUP BY org_id, task_id)
       AS listed
 WHERE t.org_id = listed.org_id AND t.id = listed.task_id;

-- Statements say their path, so nothing has to be told to the planner, which was right for one shape of data and wrong for others.
ALTER TABLE ws_members        ALTER COLUMN org_id RESET (n_distinct);
ALTER TABLE ws_invitations    ALTER COLUMN org_id RESET (n_distinct);
ALTER TABLE ws_projects       ALTER COLUMN org_id RESET (n_distinct);
ALTER TABLE ws_statuses       ALTER COLUMN org_id RESET (n_distinct), ALTER COLUMN project_id RESET (n_distinct);
ALTER TABLE ws_labels         ALTER COLUMN org_id RESET (n_distinct), ALTER COLUMN project_id RESET (n_distinct);
ALTER TABLE ws_tasks          ALTER COLUMN org_id RESET (n_distinct), ALTER COLUMN project_id RESET (n_distinct),
                              ALTER COLUMN status_id RESET (n_distinct);
ALTER TABLE ws_task_labels    ALTER COLUMN org_id RESET (n_distinct);
ALTER TABLE ws_comments       ALTER COLUMN org_id RESET (n_distinct);
ALTER TABLE ws_activity       ALTER COLUMN org_id RESET (n_distinct);
ALTER TABLE ws_notifications  ALTER COLUMN org_id RESET (n_distinct);
ALTER TABLE ws_search         ALTER COLUMN org_id RESET (n_distinct);

-- Whose a job or a kept answer is; null for what is no organization's. Both tables are the server's, not a tenant's: workers take
-- jobs of all, and a request is known before its organization is.
ALTER TABLE ws_jobs             ADD COLUMN org_id uuid;
ALTER TABLE ws_idempotency_keys ADD COLUMN org_id uuid;

-- An invitation is looked for within the organization that its token names.
DROP INDEX ws_invitations_token_idx;
CREATE INDEX ws_invitations_token_idx ON ws_invitations (org_id, token_hash);

-- New words are gathered before they go into the index; a short list keeps both what its emptying costs a writer and what a search
-- reads of it small.
ALTER INDEX ws_search_words_idx SET (gin_pending_list_limit = 64);

-- How many notifications of an organization a person has not read. It stays while they are not a member, as the notifications do.
CREATE TABLE ws_unread (
    org_id  uuid NOT NULL,
    user_id uuid NOT NULL,
    unread  bigint NOT NULL,
    CONSTRAINT ws_unread_pkey PRIMARY KEY (org_id, user_id),
    CONSTRAINT ws_unread_org_fkey FOREIGN KEY (org_id) REFERENCES ws_organizations (id) ON DELETE CASCADE,
    CONSTRAINT ws_unread_user_fkey FOREIGN KEY (user_id) REFERENCES ws_users (id)
);
INSERT INTO ws_unread (org_id, user_id, unread)
SELECT org_id, user_id, count(*) FROM ws_notifications WHERE NOT is_read GROUP BY org_id, user_id;

-- Nobody looks for what a person has made: accounts are disabled and never removed. Each of these cost every write of a large table.
DROP INDEX ws_activity_actor_idx;
DROP INDEX ws_tasks_reporter_idx;
DROP INDEX ws_comments_author_idx;
DROP INDEX ws_notifications_actor_idx;
