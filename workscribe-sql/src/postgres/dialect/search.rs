//! What differs between the databases in full-text search, for Postgres.

use workscribe_core::id::OrgId;
use workscribe_core::search::Words;

/// The documents of the organization `$1` that match the query `$2`, of the kind `$4` if it is not null, with their rank; the
/// lowest is the best. Documents whose title matches `$3` come first. Of more than 500 matches, any 500 are ranked. The words
/// contain a mark of the organization, which is checked last, because otherwise the planner would read all of its documents.
macro_rules! matches_of_search {
    () => {
        concat!(
            "(SELECT id, updated_at, ",
            rank_of_search!(),
            " AS rank
                FROM (SELECT org_id, id, updated_at, words FROM ws_search
                       WHERE words @@ CAST($2 AS tsquery) AND ($4 IS NULL OR kind = $4)
                       LIMIT 500) AS matches
               WHERE org_id = $1)"
        )
    };
}

/// The same for common words; the newest 500 matches are ranked. An index of words reads all matches of a word before it returns
/// the first. Reading the documents in order finds matches sooner, and the function form of the condition prevents that index.
macro_rules! matches_of_common_search {
    () => {
        concat!(
            "(SELECT id, updated_at, ",
            rank_of_search!(),
            " AS rank
                FROM (SELECT id, updated_at, words FROM ws_search
                       WHERE org_id = $1 AND ts_match_vq(words, CAST($2 AS tsquery)) AND ($4 IS NULL OR kind = $4)
                       ORDER BY updated_at DESC LIMIT 500) AS matches)"
        )
    };
}

macro_rules! rank_of_search {
    () => {
        "CASE WHEN ts_match_vq(words, CAST($3 AS tsquery)) THEN 0 ELSE 1 END"
    };
}

/// How many of the 200 newest documents of the organization `$1` match the query `$2`.
pub(crate) const SEARCH_SAMPLE: Option<&str> = Some(
    "SELECT count(*) FROM (SELECT ts_match_vq(words, CAST($2 AS tsquery)) AS fits FROM ws_search
                            WHERE org_id = $1 ORDER BY updated_at DESC LIMIT 200) AS newest WHERE fits",
);

/// Whether a search tries whole words first. Here it would save nothing.
pub(crate) const WHOLE_WORDS_FIRST: bool = false;

/// A query for the documents of an organization that have all words. If `open`, the last word is a prefix.
pub(crate) fn search_query(org: OrgId, words: &Words, open: bool) -> String {
    words.query(" & ", |word, may_go_on| lexeme(org, word, if may_go_on && open { ":*" } else { "" }))
}

/// A query for those that have all words in their title, which has the weight A.
pub(crate) fn title_query(org: OrgId, words: &Words, open: bool) -> String {
    words.query(" & ", |word, may_go_on| lexeme(org, word, if may_go_on && open { ":*A" } else { ":A" }))
}

/// A word with the mark of its organization, as it is stored.
fn lexeme(org: OrgId, word: &str, which: &str) -> String {
    let org = org.to_string();
    let mark = &org[org.len().saturating_sub(12)..];
    format!("'{mark}{word}'{which}")
}

/// Conditions on the tasks `i`: they match a [`search_query`]. The query is bound after the first part, the organization after
/// the second. A fence hides the organization from the planner, as above.
pub(crate) const TASKS_FOUND: [&str; 3] = [
    " AND i.id IN (SELECT f.id FROM (SELECT org_id, id FROM ws_search WHERE kind = 'task' AND words @@ CAST(",
    " AS tsquery) OFFSET 0) AS f WHERE f.org_id = ",
    ")",
];
/// The same for common words.
pub(crate) const TASKS_FOUND_COMMON: [&str; 3] = [
    " AND EXISTS (SELECT 1 FROM ws_search f WHERE f.id = i.id AND ts_match_vq(f.words, CAST(",
    " AS tsquery)) AND f.org_id = ",
    ")",
];
