-- Projects with their statuses and labels, tasks, comments, activity, notifications, and what is searched.
--
-- A reference to a row that is written later in the same transaction is deferred: the statement that takes a task's
-- number holds the project's lock, so it comes last.

-- last_number and last_position grow under the row's lock: see the module work::order of workscribe-core.
CREATE TABLE ws_projects (
    org_id        uuid        NOT NULL,
    id            uuid        NOT NULL,
    name          text        NOT NULL,
    key           text        NOT NULL,
    description   text,
    type          text        NOT NULL,
    is_archived   boolean     NOT NULL,
    last_number   bigint      NOT NULL,
    last_position bigint      NOT NULL,
    created_by    uuid        NOT NULL,
    version       bigint      NOT NULL,
    created_at    timestamptz NOT NULL,
    updated_at    timestamptz NOT NULL,
    CONSTRAINT ws_projects_pkey PRIMARY KEY (org_id, id),
    CONSTRAINT ws_projects_key_key UNIQUE (org_id, key),
    CONSTRAINT ws_projects_org_fkey FOREIGN KEY (org_id) REFERENCES ws_organizations (id) ON DELETE CASCADE,
    CONSTRAINT ws_projects_creator_fkey FOREIGN KEY (created_by) REFERENCES ws_users (id),
    CONSTRAINT ws_projects_type_check CHECK (type IN ('kanban', 'scrum'))
) WITH (fillfactor = 50);
CREATE INDEX ws_projects_created_idx ON ws_projects (org_id, created_at, id);
CREATE INDEX ws_projects_creator_idx ON ws_projects (created_by);

-- name_key is the name in lower case: names that differ in case alone are one.
CREATE TABLE ws_statuses (
    org_id     uuid        NOT NULL,
    id         uuid        NOT NULL,
    project_id uuid        NOT NULL,
    name       text        NOT NULL,
    name_key   text        NOT NULL,
    category   text        NOT NULL,
    position   bigint      NOT NULL,
    color      text,
    version    bigint      NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    CONSTRAINT ws_statuses_pkey PRIMARY KEY (org_id, id),
    CONSTRAINT ws_statuses_project_key UNIQUE (org_id, project_id, id),
    CONSTRAINT ws_statuses_name_key UNIQUE (org_id, project_id, name_key),
    CONSTRAINT ws_statuses_project_fkey FOREIGN KEY (org_id, project_id) REFERENCES ws_projects (org_id, id)
        ON DELETE CASCADE,
    CONSTRAINT ws_statuses_category_check CHECK (category IN ('todo', 'in_progress', 'done'))
);
-- Unique by its id; said so that the planner of SQLite knows it, here for symmetry.
CREATE UNIQUE INDEX ws_statuses_position_idx ON ws_statuses (org_id, project_id, position, id);

CREATE TABLE ws_labels (
    org_id     uuid        NOT NULL,
    id         uuid        NOT NULL,
    project_id uuid        NOT NULL,
    name       text        NOT NULL,
    name_key   text        NOT NULL,
    color      text        NOT NULL,
    version    bigint      NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    CONSTRAINT ws_labels_pkey PRIMARY KEY (org_id, id),
    CONSTRAINT ws_labels_name_key UNIQUE (org_id, project_id, name_key),
    CONSTRAINT ws_labels_project_fkey FOREIGN KEY (org_id, project_id) REFERENCES ws_projects (org_id, id)
        ON DELETE CASCADE
);
CREATE INDEX ws_labels_created_idx ON ws_labels (org_id, project_id, created_at, id);

-- priority is 0 (urgent) to 4 (none), in the order in which it is sorted. description is a JSON document as it was sent:
-- text, because jsonb refuses some of what JSON allows. updated_at and version are the task's own; position may change
-- without them.
CREATE TABLE ws_tasks (
    org_id      uuid        NOT NULL,
    id          uuid        NOT NULL,
    project_id  uuid        NOT NULL,
    number      bigint      NOT NULL,
    title       text        NOT NULL,
    description text,
    status_id   uuid        NOT NULL,
    position    bigint      NOT NULL,
    assignee_id uuid,
    reporter_id uuid        NOT NULL,
    priority    bigint      NOT NULL,
    type        text        NOT NULL,
    parent_id   uuid,
    due_date    date,
    version     bigint      NOT NULL,
    created_at  timestamptz NOT NULL,
    updated_at  timestamptz NOT NULL,
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
);
CREATE INDEX ws_tasks_board_idx ON ws_tasks (org_id, project_id, status_id, position, id);
CREATE INDEX ws_tasks_created_idx ON ws_tasks (org_id, project_id, created_at, id);
CREATE INDEX ws_tasks_updated_idx ON ws_tasks (org_id, project_id, updated_at, id);
CREATE INDEX ws_tasks_due_idx ON ws_tasks (org_id, project_id, (COALESCE(due_date, '9999-12-31')), id);
CREATE INDEX ws_tasks_priority_idx ON ws_tasks (org_id, project_id, priority, id);
CREATE INDEX ws_tasks_parent_idx ON ws_tasks (org_id, parent_id) WHERE parent_id IS NOT NULL;
CREATE INDEX ws_tasks_assignee_idx ON ws_tasks (assignee_id, org_id, project_id, id) WHERE assignee_id IS NOT NULL;
CREATE INDEX ws_tasks_reporter_idx ON ws_tasks (reporter_id);

CREATE TABLE ws_task_labels (
    org_id   uuid NOT NULL,
    task_id  uuid NOT NULL,
    label_id uuid NOT NULL,
    CONSTRAINT ws_task_labels_pkey PRIMARY KEY (org_id, task_id, label_id),
    CONSTRAINT ws_task_labels_task_fkey FOREIGN KEY (org_id, task_id) REFERENCES ws_tasks (org_id, id)
        ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED,
    CONSTRAINT ws_task_labels_label_fkey FOREIGN KEY (org_id, label_id) REFERENCES ws_labels (org_id, id)
        ON DELETE CASCADE
);
CREATE INDEX ws_task_labels_label_idx ON ws_task_labels (org_id, label_id, task_id);

CREATE TABLE ws_comments (
    org_id     uuid        NOT NULL,
    id         uuid        NOT NULL,
    task_id    uuid        NOT NULL,
    author_id  uuid        NOT NULL,
    body       text        NOT NULL,
    is_edited  boolean     NOT NULL,
    version    bigint      NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    CONSTRAINT ws_comments_pkey PRIMARY KEY (org_id, id),
    CONSTRAINT ws_comments_task_fkey FOREIGN KEY (org_id, task_id) REFERENCES ws_tasks (org_id, id)
        ON DELETE CASCADE,
    CONSTRAINT ws_comments_author_fkey FOREIGN KEY (author_id) REFERENCES ws_users (id)
);
CREATE INDEX ws_comments_task_idx ON ws_comments (org_id, task_id, created_at, id);
CREATE INDEX ws_comments_author_idx ON ws_comments (author_id);

-- What happened stays when the task or project is gone, so neither is referred to.
CREATE TABLE ws_activity (
    org_id     uuid        NOT NULL,
    id         uuid        NOT NULL,
    project_id uuid,
    task_id    uuid,
    actor_id   uuid        NOT NULL,
    action     text        NOT NULL,
    field_name text,
    old_value  text,
    new_value  text,
    created_at timestamptz NOT NULL,
    CONSTRAINT ws_activity_pkey PRIMARY KEY (org_id, id),
    CONSTRAINT ws_activity_org_fkey FOREIGN KEY (org_id) REFERENCES ws_organizations (id) ON DELETE CASCADE,
    CONSTRAINT ws_activity_actor_fkey FOREIGN KEY (actor_id) REFERENCES ws_users (id)
);
CREATE INDEX ws_activity_created_idx ON ws_activity (org_id, created_at, id);
CREATE INDEX ws_activity_task_idx ON ws_activity (org_id, task_id, created_at, id) WHERE task_id IS NOT NULL;
CREATE INDEX ws_activity_actor_idx ON ws_activity (actor_id);

-- mail is where its mail stands: 'none', 'waiting' for the next digest, 'taken' by the digest named, or 'sent'.
CREATE TABLE ws_notifications (
    org_id      uuid        NOT NULL,
    id          uuid        NOT NULL,
    user_id     uuid        NOT NULL,
    type        text        NOT NULL,
    title       text        NOT NULL,
    body        text,
    entity_type text        NOT NULL,
    entity_id   uuid        NOT NULL,
    actor_id    uuid,
    is_read     boolean     NOT NULL,
    mail        text        NOT NULL,
    digest_id   uuid,
    created_at  timestamptz NOT NULL,
    CONSTRAINT ws_notifications_pkey PRIMARY KEY (org_id, id),
    CONSTRAINT ws_notifications_org_fkey FOREIGN KEY (org_id) REFERENCES ws_organizations (id) ON DELETE CASCADE,
    CONSTRAINT ws_notifications_user_fkey FOREIGN KEY (user_id) REFERENCES ws_users (id),
    CONSTRAINT ws_notifications_actor_fkey FOREIGN KEY (actor_id) REFERENCES ws_users (id),
    CONSTRAINT ws_notifications_type_check CHECK (type IN ('TASK_ASSIGNED', 'MENTION', 'TASK_DONE')),
    CONSTRAINT ws_notifications_entity_check CHECK (entity_type IN ('task', 'comment')),
    CONSTRAINT ws_notifications_mail_check CHECK (mail IN ('none', 'waiting', 'taken', 'sent')),
    CONSTRAINT ws_notifications_digest_check CHECK ((mail IN ('taken', 'sent')) = (digest_id IS NOT NULL))
);
CREATE INDEX ws_notifications_user_idx ON ws_notifications (user_id, created_at, id);
CREATE INDEX ws_notifications_unread_idx ON ws_notifications (user_id, created_at, id) WHERE NOT is_read;
CREATE INDEX ws_notifications_mail_idx ON ws_notifications (user_id, mail) WHERE mail IN ('waiting', 'taken');
CREATE INDEX ws_notifications_created_idx ON ws_notifications (created_at);
CREATE INDEX ws_notifications_actor_idx ON ws_notifications (actor_id) WHERE actor_id IS NOT NULL;

-- A row for each kind that a person has turned off or on; without one it is on.
CREATE TABLE ws_notification_preferences (
    user_id uuid    NOT NULL,
    type    text    NOT NULL,
    email   boolean NOT NULL,
    CONSTRAINT ws_notification_preferences_pkey PRIMARY KEY (user_id, type),
    CONSTRAINT ws_notification_preferences_user_fkey FOREIGN KEY (user_id) REFERENCES ws_users (id) ON DELETE CASCADE,
    CONSTRAINT ws_notification_preferences_type_check CHECK (type IN ('TASK_ASSIGNED', 'MENTION', 'TASK_DONE'))
);

-- The digest that gathers a person's notifications now, by its job. Its going closes the digest.
CREATE TABLE ws_digests (
    user_id uuid NOT NULL,
    job_id  uuid NOT NULL,
    CONSTRAINT ws_digests_pkey PRIMARY KEY (user_id),
    CONSTRAINT ws_digests_user_fkey FOREIGN KEY (user_id) REFERENCES ws_users (id) ON DELETE CASCADE
);

-- One row for everything that can be found. The words are made in workscribe-core/src/search/words.rs and hold letters and
-- digits alone, so that none of them can be the organization's mark, which keeps one tenant's posting lists from another's.
-- They become lexemes as they are: the parser of to_tsvector would cut a word like 1e5abc in two.
CREATE TABLE ws_search (
    org_id      uuid        NOT NULL,
    id          uuid        NOT NULL,
    kind        text        NOT NULL,
    task_id     uuid,
    title_words text        NOT NULL,
    body        text        NOT NULL,
    body_words  text        NOT NULL,
    updated_at  timestamptz NOT NULL,
    words       tsvector    NOT NULL GENERATED ALWAYS AS (
        regexp_replace(title_words, '[^ ]+', '\&:1A', 'g')::tsvector
        || regexp_replace(body_words, '[^ ]+', '\&:1', 'g')::tsvector
        || array_to_tsvector(ARRAY['o:' || org_id::text])
    ) STORED,
    CONSTRAINT ws_search_pkey PRIMARY KEY (org_id, id),
    CONSTRAINT ws_search_org_fkey FOREIGN KEY (org_id) REFERENCES ws_organizations (id) ON DELETE CASCADE,
    CONSTRAINT ws_search_task_fkey FOREIGN KEY (org_id, task_id) REFERENCES ws_tasks (org_id, id)
        ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED,
    CONSTRAINT ws_search_kind_check CHECK (kind IN ('project', 'task', 'comment'))
);
CREATE INDEX ws_search_words_idx ON ws_search USING gin (words);
CREATE INDEX ws_search_task_idx ON ws_search (org_id, task_id) WHERE task_id IS NOT NULL;
