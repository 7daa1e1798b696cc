-- What a list shows of a task beside its own fields is stored with it, and kept by the statements that change it: reading a page
-- then costs the same whatever hangs on its tasks. `workscribe doctor --deep` compares it with the truth.

-- label_ids is what ws_task_labels has of the task, as a JSON array in the order of the ids.
ALTER TABLE ws_tasks ADD COLUMN subtask_count INTEGER NOT NULL DEFAULT 0;
ALTER TABLE ws_tasks ADD COLUMN comment_count INTEGER NOT NULL DEFAULT 0;
ALTER TABLE ws_tasks ADD COLUMN label_ids TEXT NOT NULL DEFAULT '[]';
UPDATE ws_tasks SET
    subtask_count = (SELECT count(*) FROM ws_tasks AS below
                      WHERE below.org_id = ws_tasks.org_id AND below.parent_id = ws_tasks.id),
    comment_count = (SELECT count(*) FROM ws_comments c WHERE c.org_id = ws_tasks.org_id AND c.task_id = ws_tasks.id),
    label_ids = (SELECT json_group_array(
                            lower(substr(hex(label_id), 1, 8) || '-' || substr(hex(label_id), 9, 4) || '-'
                                  || substr(hex(label_id), 13, 4) || '-' || substr(hex(label_id), 17, 4) || '-'
                                  || substr(hex(label_id), 21)) ORDER BY label_id)
                   FROM ws_task_labels tl WHERE tl.org_id = ws_tasks.org_id AND tl.task_id = ws_tasks.id);

-- Whose a job or a kept answer is; null for what is no organization's.
ALTER TABLE ws_jobs ADD COLUMN org_id BLOB;
ALTER TABLE ws_idempotency_keys ADD COLUMN org_id BLOB;

-- An invitation is looked for within the organization that its token names.
DROP INDEX ws_invitations_token_idx;
CREATE INDEX ws_invitations_token_idx ON ws_invitations (org_id, token_hash);

-- How many notifications of an organization a person has not read. It stays while they are not a member, as the notifications do.
CREATE TABLE ws_unread (
    org_id  BLOB    NOT NULL,
    user_id BLOB    NOT NULL,
    unread  INTEGER NOT NULL,
    CONSTRAINT ws_unread_pkey PRIMARY KEY (org_id, user_id),
    CONSTRAINT ws_unread_org_fkey FOREIGN KEY (org_id) REFERENCES ws_organizations (id) ON DELETE CASCADE,
    CONSTRAINT ws_unread_user_fkey FOREIGN KEY (user_id) REFERENCES ws_users (id)
) STRICT;
INSERT INTO ws_unread (org_id, user_id, unread)
SELECT org_id, user_id, count(*) FROM ws_notifications WHERE is_read = 0 GROUP BY org_id, user_id;

-- Nobody looks for what a person has made: accounts are disabled and never removed. Each of these cost every write of a large table.
DROP INDEX ws_activity_actor_idx;
DROP INDEX ws_tasks_reporter_idx;
DROP INDEX ws_comments_author_idx;
DROP INDEX ws_notifications_actor_idx;
