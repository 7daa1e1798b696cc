//! What differs between the databases in full-text search, for SQLite.

use workscribe_core::id::OrgId;
use workscribe_core::search::Words;

/// The documents of the organization `$1` that match the query `$2`, of the kind `$4` if it is not null, with their rank; the
/// lowest is the best. Documents whose title has all words, which `$3` queries, come first. It takes the newest 200 of each sort,
/// and FTS5 reads them newest first: a word in all documents costs no more than a word in 200.
macro_rules! matches_of_search {
    () => {
        "(SELECT id, updated_at, min(rank) AS rank
            FROM (SELECT * FROM (SELECT f.id, f.updated_at, 0 AS rank FROM ws_search_words CROSS JOIN ws_search f
                                  WHERE ws_search_words MATCH $3 AND f.rowid = ws_search_words.rowid AND f.org_id = $1
                                    AND ($4 IS NULL OR f.kind = $4)
                                  ORDER BY ws_search_words.rowid DESC LIMIT 200)
                  UNION ALL
                  SELECT * FROM (SELECT f.id, f.updated_at, 1 AS rank FROM ws_search_words CROSS JOIN ws_search f
                                  WHERE ws_search_words MATCH $2 AND f.rowid = ws_search_words.rowid AND f.org_id = $1
                                    AND ($4 IS NULL OR f.kind = $4)
                                  ORDER BY ws_search_words.rowid DESC LIMIT 200))
           GROUP BY id)"
    };
}

/// The same: how common the words are makes no difference.
macro_rules! matches_of_common_search {
    () => {
        matches_of_search!()
    };
}

/// Nothing: how common a word is makes no difference.
pub(crate) const SEARCH_SAMPLE: Option<&str> = None;

/// Whether a search tries whole words first. FTS5 reads the documents of one word in order, but must merge those of all words
/// with a prefix before it knows the first.
pub(crate) const WHOLE_WORDS_FIRST: bool = true;

/// A query for the documents of an organization that have all words. If `open`, the last word is a prefix.
pub(crate) fn search_query(org: OrgId, words: &Words, open: bool) -> String {
    words.query(" AND ", |word, may_go_on| term('a', org, word, may_go_on && open))
}

/// A query for those that have all words in their title.
pub(crate) fn title_query(org: OrgId, words: &Words, open: bool) -> String {
    words.query(" AND ", |word, may_go_on| term('t', org, word, may_go_on && open))
}

/// A word as it is stored, after its place and the mark of its organization.
fn term(place: char, org: OrgId, word: &str, may_go_on: bool) -> String {
    let org = org.to_string();
    let mark = &org[org.len().saturating_sub(12)..];
    format!("\"{place}{mark}{word}\"{}", if may_go_on { " *" } else { "" })
}

/// A condition on the tasks `i`: they match a [`search_query`]. The query is bound after the first part, the organization after
/// the second.
pub(crate) const TASKS_FOUND: [&str; 3] = [
    " AND i.id IN (SELECT f.id FROM ws_search_words CROSS JOIN ws_search f
                    WHERE f.rowid = ws_search_words.rowid AND f.kind = 'task' AND ws_search_words MATCH ",
    " AND f.org_id = ",
    ")",
];
/// The same: how common the words are makes no difference.
pub(crate) const TASKS_FOUND_COMMON: [&str; 3] = TASKS_FOUND;
