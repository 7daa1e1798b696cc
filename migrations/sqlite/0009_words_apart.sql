-- Words are kept apart by tenant, as on Postgres: what one searches costs nothing for what others have written. Each word stands
-- twice at the most: with an a before it if it is anywhere in the document, with a t if it is in its title. After that letter come the
-- last twelve digits of the organization's id, which are random; should two tenants share them, org_id still tells them apart.
-- Places of words are not kept (detail=none): a text that repeats one word costs what one with it costs. The words hold letters and digits
-- alone and come cut, so the plain tokenizer leaves them as they are.
DROP TRIGGER ws_search_inserted;
DROP TRIGGER ws_search_updated;
DROP TRIGGER ws_search_deleted;
DROP TABLE ws_search_words;
DROP INDEX ws_search_task_idx;
ALTER TABLE ws_search RENAME TO ws_search_before;

-- What is asked of each match stands before the texts, which may fill many pages.
CREATE TABLE ws_search (
    rowid       INTEGER NOT NULL,
    org_id      BLOB    NOT NULL,
    id          BLOB    NOT NULL,
    kind        TEXT    NOT NULL,
    task_id     BLOB,
    updated_at  INTEGER NOT NULL,
    title_words TEXT    NOT NULL,
    body        TEXT    NOT NULL,
    body_words  TEXT    NOT NULL,
    CONSTRAINT ws_search_pkey PRIMARY KEY (rowid),
    CONSTRAINT ws_search_key UNIQUE (org_id, id),
    CONSTRAINT ws_search_org_fkey FOREIGN KEY (org_id) REFERENCES ws_organizations (id) ON DELETE CASCADE,
    CONSTRAINT ws_search_task_fkey FOREIGN KEY (org_id, task_id) REFERENCES ws_tasks (org_id, id)
        ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED,
    CONSTRAINT ws_search_kind_check CHECK (kind IN ('project', 'task', 'comment'))
) STRICT;
CREATE INDEX ws_search_task_idx ON ws_search (org_id, task_id) WHERE task_id IS NOT NULL;

-- Keeps no text of its own (content=''). The prefixes are the letter, the mark and one to three characters of a word.
CREATE VIRTUAL TABLE ws_search_words USING fts5(
    words, content='', contentless_delete=1, detail=none, prefix='14 15 16', tokenize='ascii'
);
CREATE TRIGGER ws_search_inserted AFTER INSERT ON ws_search BEGIN
    INSERT INTO ws_search_words (rowid, words)
    SELECT new.rowid,
           'a' || mark || replace(trim(new.title_words || ' ' || new.body_words), ' ', ' a' || mark)
           || CASE new.title_words WHEN '' THEN '' ELSE ' t' || mark || replace(new.title_words, ' ', ' t' || mark) END
      FROM (SELECT substr(lower(hex(new.org_id)), 21) AS mark);
END;
CREATE TRIGGER ws_search_updated AFTER UPDATE OF title_words, body_words ON ws_search BEGIN
    DELETE FROM ws_search_words WHERE rowid = old.rowid;
    INSERT INTO ws_search_words (rowid, words)
    SELECT new.rowid,
           'a' || mark || replace(trim(new.title_words || ' ' || new.body_words), ' ', ' a' || mark)
           || CASE new.title_words WHEN '' THEN '' ELSE ' t' || mark || replace(new.title_words, ' ', ' t' || mark) END
      FROM (SELECT substr(lower(hex(new.org_id)), 21) AS mark);
END;
CREATE TRIGGER ws_search_deleted AFTER DELETE ON ws_search BEGIN
    DELETE FROM ws_search_words WHERE rowid = old.rowid;
END;

INSERT INTO ws_search (rowid, org_id, id, kind, task_id, updated_at, title_words, body, body_words)
SELECT rowid, org_id, id, kind, task_id, updated_at, title_words, body, body_words FROM ws_search_before;
DROP TABLE ws_search_before;
