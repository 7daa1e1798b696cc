-- Projects with their statuses and labels, tasks, comments, activity, notifications, and what is searched.
--
-- The same tables as on Postgres, column for column, but for what is searched: there a column, here a table of FTS5 that
-- triggers keep.
--
-- A reference to a row that is written later in the same transaction is deferred: the statement that takes a task's
-- number holds the project's lock, so it comes last.

-- last_number and last_position grow under the row's lock: see the module work::order of workscribe-core.
CREATE TABLE ws_projects (
    org_id        BLOB    NOT NULL,
    id            BLOB    NOT NULL,
    name          TEXT    NOT NULL,
    key           TEXT    NOT NULL,
    description   TEXT,
    type          TEXT    NOT NULL,
    is_archived   INTEGER NOT NULL,
    last_number   INTEGER NOT NULL,
    last_position INTEGER NOT NULL,
    created_by    BLOB    NOT NULL,
    version       INTEGER NOT NULL,
    created_at    INTEGER NOT NULL,
    updated_at    INTEGER NOT NULL,
    CONSTRAINT ws_projects_pkey PRIMARY KEY (org_id, id),
    CONSTRAINT ws_projects_key_key UNIQUE (org_id, key),
    CONSTRAINT ws_projects_org_fkey FOREIGN KEY (org_id) REFERENCES ws_organizations (id) ON DELETE CASCADE,
    CONSTRAINT ws_projects_creator_fkey FOREIGN KEY (created_by) REFERENCES ws_users (id),
    CONSTRAINT ws_projects_type_check CHECK (type IN ('kanban', 'scrum')),
    CONSTRAINT ws_projects_is_archived_check CHECK (is_archived IN (0, 1))
) STRICT;
CREATE INDEX ws_projects_created_idx ON ws_projects (org_id, created_at, id);
CREATE INDEX ws_projects_creator_idx ON ws_projects (created_by);

-- name_key is the name in lower case: names that differ in case alone are one.
CREATE TABLE ws_statuses (
    org_id     BLOB    NOT NULL,
    id         BLOB    NOT NULL,
    project_id BLOB    NOT NULL,
    name       TEXT    NOT NULL,
    name_key   TEXT    NOT NULL,
    category   TEXT    NOT NULL,
    position   INTEGER NOT NULL,
    color      TEXT,
    version    INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    CONSTRAINT ws_statuses_pkey PRIMARY KEY (org_id, id),
    CONSTRAINT ws_statuses_project_key UNIQUE (org_id, project_id, id),
    CONSTRAINT ws_statuses_name_key UNIQUE (org_id, project_id, name_key),
    CONSTRAINT ws_statuses_project_fkey FOREIGN KEY (org_id, project_id) REFERENCES ws_projects (org_id, id)
        ON DELETE CASCADE,
    CONSTRAINT ws_statuses_category_check CHECK (category IN ('todo', 'in_progress', 'done'))
) STRICT;
-- Unique by its id. Said so that the planner knows that a board can be read column by column without sorting.
CREATE UNIQUE INDEX ws_statuses_position_idx ON ws_statuses (org_id, project_id, position, id);

CREATE TABLE ws_labels (
    org_id     BLOB    NOT NULL,
    id         BLOB    NOT NULL,
    project_id BLOB    NOT NULL,
    name       TEXT    NOT NULL,
    name_key   TEXT    NOT NULL,
    color      TEXT    NOT NULL,
    version    INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    CONSTRAINT ws_labels_pkey PRIMARY KEY (org_id, id),
    CONSTRAINT ws_labels_name_key UNIQUE (org_id, project_id, name_key),
    CONSTRAINT ws_labels_project_fkey FOREIGN KEY (org_id, project_id) REFERENCES ws_projects (org_id, id)
        ON DELETE CASCADE
) STRICT;
CREATE INDEX ws_labels_created_idx ON ws_labels (org_id, project_id, created_at, id);

-- priority is 0 (urgent) to 4 (none), in the order in which it is sorted. description is a JSON document as it was sent:
-- TEXT, because jsonb refuses some of what JSON allows. updated_at and version are the task's own; position may change
-- without them.
CREATE TABLE ws_tasks (
    org_id      BLOB    NOT NULL,
    id          BLOB    NOT NULL,
    project_id  BLOB    NOT NULL,
    number      INTEGER NOT NULL,
    title       TEXT    NOT NULL,
    description TEXT,
    status_id   BLOB    NOT NULL,
    position    INTEGER NOT NULL,
    assignee_id BLOB,
    reporter_id BLOB    NOT NULL,
    priority    INTEGER NOT NULL,
    type        TEXT    NOT NULL,
    parent_id   BLOB,
    due_date    TEXT,
    version     INTEGER NOT NULL,
    created_at  INTEGER NOT NULL,
    updated_at  INTEGER NOT NULL,
    CONSTRAINT ws_tasks_pkey PRIMARY KEY (org_id, id),
    CONSTRAINT ws_tasks_number_key UNIQUE (org_id, project_id, number),
    CONSTRAINT ws_tasks_project_fkey FOREIGN KEY (org_id, project_id) REFERENCES ws_projects (org_id, id)
        ON DELETE CASCADE,
    CONSTRAINT ws_tasks_status_fkey FOREIGN KEY (org_id, project_id, status_id)
        REFERENCES ws_statuses (org_id, project_id, id) DEFERRABLE INITIALLY DEFERRED,
    CONSTRAINT ws_tasks_parent_fkey FOREIGN KEY (org_id, parent_id) REFERENCES ws_tasks (org_id, id)
        DEFERRABLE INITIALLY DEFERRED,
    CONSTRAINT ws_tasks_assignee_fkey FOREIGN KEY (assignee_id) REFERENCES ws_users (id),
    CONSTRAINT ws_tasks_reporter_fkey FOREIGN KEY (reporter_id) REFERENCES ws_users (id),
    CONSTRAINT ws_tasks_type_check CHECK (type IN ('story', 'bug', 'task', 'subtask')),
    CONSTRAINT ws_tasks_priority_check CHECK (priority BETWEEN 0 AND 4),
    CONSTRAINT ws_tasks_number_check CHECK (number > 0)
) STRICT;
CREATE INDEX ws_tasks_board_idx ON ws_tasks (org_id, project_id, status_id, position, id);
CREATE INDEX ws_tasks_created_idx ON ws_tasks (org_id, project_id, created_at, id);
CREATE INDEX ws_tasks_updated_idx ON ws_tasks (org_id, project_id, updated_at, id);
CREATE INDEX ws_tasks_due_idx ON ws_tasks (org_id, project_id, (COALESCE(due_date, '9999-12-31')), id);
CREATE INDEX ws_tasks_priority_idx ON ws_tasks (org_id, project_id, priority, id);
CREATE INDEX ws_tasks_parent_idx ON ws_tasks (org_id, parent_id) WHERE parent_id IS NOT NULL;
CREATE INDEX ws_tasks_assignee_idx ON ws_tasks (assignee_id, org_id, project_id, id) WHERE assignee_id IS NOT NULL;
CREATE INDEX ws_tasks_reporter_idx ON ws_tasks (reporter_id);

CREATE TABLE ws_task_labels (
    org_id   BLOB    NOT NULL,
    task_id  BLOB    NOT NULL,
    label_id BLOB    NOT NULL,
    CONSTRAINT ws_task_labels_pkey PRIMARY KEY (org_id, task_id, label_id),
    CONSTRAINT ws_task_labels_task_fkey FOREIGN KEY (org_id, task_id) REFERENCES ws_tasks (org_id, id)
        ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED,
    CONSTRAINT ws_task_labels_label_fkey FOREIGN KEY (org_id, label_id) REFERENCES ws_labels (org_id, id)
        ON DELETE CASCADE
) STRICT;
CREATE INDEX ws_task_labels_label_idx ON ws_task_labels (org_id, label_id, task_id);

CREATE TABLE ws_comments (
    org_id     BLOB    NOT NULL,
    id         BLOB    NOT NULL,
    task_id    BLOB    NOT NULL,
    author_id  BLOB    NOT NULL,
    body       TEXT    NOT NULL,
    is_edited  INTEGER NOT NULL,
    version    INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    CONSTRAINT ws_comments_pkey PRIMARY KEY (org_id, id),
    CONSTRAINT ws_comments_task_fkey FOREIGN KEY (org_id, task_id) REFERENCES ws_tasks (org_id, id)
        ON DELETE CASCADE,
    CONSTRAINT ws_comments_author_fkey FOREIGN KEY (author_id) REFERENCES ws_users (id),
    CONSTRAINT ws_comments_is_edited_check CHECK (is_edited IN (0, 1))
) STRICT;
CREATE INDEX ws_comments_task_idx ON ws_comments (org_id, task_id, created_at, id);
CREATE INDEX ws_comments_author_idx ON ws_comments (author_id);

-- What happened stays when the task or project is gone, so neither is referred to.
CREATE TABLE ws_activity (
    org_id     BLOB    NOT NULL,
    id         BLOB    NOT NULL,
    project_id BLOB,
    task_id    BLOB,
    actor_id   BLOB    NOT NULL,
    action     TEXT    NOT NULL,
    field_name TEXT,
    old_value  TEXT,
    new_value  TEXT,
    created_at INTEGER NOT NULL,
    CONSTRAINT ws_activity_pkey PRIMARY KEY (org_id, id),
    CONSTRAINT ws_activity_org_fkey FOREIGN KEY (org_id) REFERENCES ws_organizations (id) ON DELETE CASCADE,
    CONSTRAINT ws_activity_actor_fkey FOREIGN KEY (actor_id) REFERENCES ws_users (id)
) STRICT;
CREATE INDEX ws_activity_created_idx ON ws_activity (org_id, created_at, id);
CREATE INDEX ws_activity_task_idx ON ws_activity (org_id, task_id, created_at, id) WHERE task_id IS NOT NULL;
CREATE INDEX ws_activity_actor_idx ON ws_activity (actor_id);

-- mail is where its mail stands: 'none', 'waiting' for the next digest, 'taken' by the digest named, or 'sent'.
CREATE TABLE ws_notifications (
    org_id      BLOB    NOT NULL,
    id          BLOB    NOT NULL,
    user_id     BLOB    NOT NULL,
    type        TEXT    NOT NULL,
    title       TEXT    NOT NULL,
    body        TEXT,
    entity_type TEXT    NOT NULL,
    entity_id   BLOB    NOT NULL,
    actor_id    BLOB,
    is_read     INTEGER NOT NULL,
    mail        TEXT    NOT NULL,
    digest_id   BLOB,
    created_at  INTEGER NOT NULL,
    CONSTRAINT ws_notifications_pkey PRIMARY KEY (org_id, id),
    CONSTRAINT ws_notifications_org_fkey FOREIGN KEY (org_id) REFERENCES ws_organizations (id) ON DELETE CASCADE,
    CONSTRAINT ws_notifications_user_fkey FOREIGN KEY (user_id) REFERENCES ws_users (id),
    CONSTRAINT ws_notifications_actor_fkey FOREIGN KEY (actor_id) REFERENCES ws_users (id),
    CONSTRAINT ws_notifications_type_check CHECK (type IN ('TASK_ASSIGNED', 'MENTION', 'TASK_DONE')),
    CONSTRAINT ws_notifications_entity_check CHECK (entity_type IN ('task', 'comment')),
    CONSTRAINT ws_notifications_mail_check CHECK (mail IN ('none', 'waiting', 'taken', 'sent')),
    CONSTRAINT ws_notifications_digest_check CHECK ((mail IN ('taken', 'sent')) = (digest_id IS NOT NULL)),
    CONSTRAINT ws_notifications_is_read_check CHECK (is_read IN (0, 1))
) STRICT;
CREATE INDEX ws_notifications_user_idx ON ws_notifications (user_id, created_at, id);
CREATE INDEX ws_notifications_unread_idx ON ws_notifications (user_id, created_at, id) WHERE is_read = 0;
CREATE INDEX ws_notifications_mail_idx ON ws_notifications (user_id, mail) WHERE mail IN ('waiting', 'taken');
CREATE INDEX ws_notifications_created_idx ON ws_notifications (created_at);
CREATE INDEX ws_notifications_actor_idx ON ws_notifications (actor_id) WHERE actor_id IS NOT NULL;

-- A row for each kind that a person has turned off or on; without one it is on.
CREATE TABLE ws_notification_preferences (
    user_id BLOB    NOT NULL,
    type    TEXT    NOT NULL,
    email   INTEGER NOT NULL,
    CONSTRAINT ws_notification_preferences_pkey PRIMARY KEY (user_id, type),
    CONSTRAINT ws_notification_preferences_user_fkey FOREIGN KEY (user_id) REFERENCES ws_users (id) ON DELETE CASCADE,
    CONSTRAINT ws_notification_preferences_type_check CHECK (type IN ('TASK_ASSIGNED', 'MENTION', 'TASK_DONE')),
    CONSTRAINT ws_notification_preferences_email_check CHECK (email IN (0, 1))
) STRICT;

-- The digest that gathers a person's notifications now, by its job. Its going closes the digest.
CREATE TABLE ws_digests (
    user_id BLOB    NOT NULL,
    job_id  BLOB    NOT NULL,
    CONSTRAINT ws_digests_pkey PRIMARY KEY (user_id),
    CONSTRAINT ws_digests_user_fkey FOREIGN KEY (user_id) REFERENCES ws_users (id) ON DELETE CASCADE
) STRICT;

-- One row for everything that can be found. The words are made in workscribe-core/src/search/words.rs and hold letters and
-- digits alone; the organization is a column of its own, which keeps one tenant's posting lists from another's.
CREATE TABLE ws_search (
    rowid       INTEGER NOT NULL,
    org_id      BLOB    NOT NULL,
    id          BLOB    NOT NULL,
    kind        TEXT    NOT NULL,
    task_id     BLOB,
    title_words TEXT    NOT NULL,
    body        TEXT    NOT NULL,
    body_words  TEXT    NOT NULL,
    updated_at  INTEGER NOT NULL,
    CONSTRAINT ws_search_pkey PRIMARY KEY (rowid),
    CONSTRAINT ws_search_key UNIQUE (org_id, id),
    CONSTRAINT ws_search_org_fkey FOREIGN KEY (org_id) REFERENCES ws_organizations (id) ON DELETE CASCADE,
    CONSTRAINT ws_search_task_fkey FOREIGN KEY (org_id, task_id) REFERENCES ws_tasks (org_id, id)
        ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED,
    CONSTRAINT ws_search_kind_check CHECK (kind IN ('project', 'task', 'comment'))
) STRICT;
CREATE INDEX ws_search_task_idx ON ws_search (org_id, task_id) WHERE task_id IS NOT NULL;

-- Keeps no text of its own (content=''), only where each word is.
CREATE VIRTUAL TABLE ws_search_words USING fts5(
    org, title_words, body_words,
    content='', contentless_delete=1, prefix='2 3', tokenize="unicode61 remove_diacritics 0"
);
CREATE TRIGGER ws_search_inserted AFTER INSERT ON ws_search BEGIN
    INSERT INTO ws_search_words (rowid, org, title_words, body_words)
    VALUES (new.rowid, hex(new.org_id), new.title_words, new.body_words);
END;
CREATE TRIGGER ws_search_updated AFTER UPDATE OF title_words, body_words ON ws_search BEGIN
    DELETE FROM ws_search_words WHERE rowid = old.rowid;
    INSERT INTO ws_search_words (rowid, org, title_words, body_words)
    VALUES (new.rowid, hex(new.org_id), new.title_words, new.body_words);
END;
CREATE TRIGGER ws_search_deleted AFTER DELETE ON ws_search BEGIN
    DELETE FROM ws_search_words WHERE rowid = old.rowid;
END;
