//! Search, and the part of each text that is shown.

use uuid::Uuid;

use crate::app::WorkScribe;
use crate::clock::Timestamp;
use crate::error::{Result, Violations};
use crate::id::{ProjectId, TaskId};
use crate::storage::UnitOfWork;
use crate::tenancy::{Action, OrgScope};
use crate::work::{ProjectKey, Task, TaskKey};

use super::model::{SearchHit, SearchKind, SearchQuery, SearchRequest};
use super::words::Words;

/// Search in an organization. [`WorkScribe::search`] returns it.
#[derive(Clone, Copy)]
pub struct Search<'a> {
    app: &'a WorkScribe,
}

/// A result of a search, as the API shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SearchResult {
    /// The kind of the thing.
    pub kind: SearchKind,
    /// Its id.
    pub id: Uuid,
    /// The project's name, or the title of the task or of the comment's task.
    pub title: String,
    /// The key of the project or of the task.
    pub subtitle: String,
    /// The part of its text around the first word that matches.
    pub snippet: Option<String>,
    /// The project.
    pub project_id: ProjectId,
    /// The project's key.
    pub project_key: ProjectKey,
    /// The task itself, or the task of the comment, with its key.
    pub task: Option<(TaskId, TaskKey)>,
    /// When it was last changed.
    pub updated_at: Timestamp,
}

/// The maximum length of a query in characters.
const QUERY_CHARS: usize = crate::limits::Limit::SearchCharacters.default_value() as usize;
/// The maximum length of a shown text in characters.
const SNIPPET_CHARS: usize = 160;
/// The maximum number of comparisons, of a part of a text with a word, in one search. When it is reached, texts are shown from
/// their beginning, not around a match: a hundred long texts and a query of a hundred words would take seconds.
const COMPARISONS: usize = 100_000;

impl WorkScribe {
    /// Search in an organization.
    #[must_use]
    pub const fn search(&self) -> Search<'_> {
        Search { app: self }
    }
}

impl Search<'_> {
    /// Finds things that have all the words, best match first. The last word may be the beginning of a word. A task's key, such as
    /// `WEB-42`, gives that task as the first result. No character of the query has a special meaning.
    ///
    /// # Errors
    /// `INSUFFICIENT_ROLE`, `VALIDATION_FAILED` for a query of 0 or more than 200 characters.
    pub async fn find(
        &self,
        uow: &mut dyn UnitOfWork,
        scope: &OrgScope,
        SearchRequest { text, kind, limit }: SearchRequest<'_>,
    ) -> Result<Vec<SearchResult>> {
        scope.require(self.app.authorizer(), Action::ViewWork)?;
        let query = text.trim();
        if query.is_empty() || query.chars().count() > QUERY_CHARS {
            let mut violations = Violations::default();
            violations.add("/query/q", "OUT_OF_RANGE", "Search for 1 to 200 characters.");
            violations.into_result()?;
        }
        let mut results = Vec::new();
        if let Some(key) = TaskKey::parse(query).filter(|_| kind.is_none_or(|kind| kind == SearchKind::Task))
        {
            let task = uow.tasks().find_by_key(scope, &key.project, key.number).await?;
            results.extend(task.map(of_task));
        }
        let words = Words::of(query);
        let hits = uow.search().find(scope, &SearchQuery { words: words.clone(), kind, limit }).await?;
        let named = results.first().map(|result| result.id);
        let others = hits.into_iter().filter(|hit| Some(hit.id) != named);
        let mut finder = Finder::new(&words);
        results.extend(others.map(|hit| of_hit(hit, &mut finder)));
        results.truncate(limit as usize);
        Ok(results)
    }
}

fn of_task(task: Task) -> SearchResult {
    SearchResult {
        kind: SearchKind::Task,
        id: task.id.into(),
        subtitle: task.key().to_string(),
        snippet: task.description.as_ref().and_then(|text| Finder::default().snippet(&text.plain_text())),
        project_id: task.project_id,
        task: Some((task.id, task.key())),
        project_key: task.project_key,
        title: task.title,
        updated_at: task.updated_at,
    }
}

fn of_hit(hit: SearchHit, finder: &mut Finder<'_>) -> SearchResult {
    let project_key = hit.project_key;
    let task = hit.task.map(|(id, number)| (id, TaskKey { project: project_key.clone(), number }));
    let subtitle = task.as_ref().map_or_else(|| project_key.to_string(), |(_, key)| key.to_string());
    SearchResult {
        kind: hit.kind,
        id: hit.id,
        title: hit.title,
        subtitle,
        snippet: finder.snippet(&hit.body),
        project_id: hit.project_id,
        project_key,
        task,
        updated_at: hit.updated_at,
    }
}

/// Finds the words of one search in the texts of its results.
#[derive(Default)]
struct Finder<'a> {
    words: Vec<&'a str>,
    comparisons: usize,
}

impl<'a> Finder<'a> {
    fn new(words: &'a Words) -> Self {
        let mut words: Vec<&str> = words.as_slice().iter().map(String::as_str).collect();
        words.sort_unstable();
        words.dedup();
        Self { words, comparisons: COMPARISONS }
    }

    /// The part of a text around the first match, in one line; the beginning of the text when nothing matches.
    fn snippet(&mut self, text: &str) -> Option<String> {
        let parts: Vec<&str> = text.split_whitespace().collect();
        let many = self.comparisons / self.words.len().max(1);
        let found = parts.iter().take(many).position(|part| self.is_in(part));
        let looked_at = found.map_or(parts.len().min(many), |found| found + 1);
        self.comparisons = self.comparisons.saturating_sub(looked_at * self.words.len());
        // The snippet begins some words before the match, so that it reads as a part of a sentence.
        let found = found.unwrap_or(0).saturating_sub(5);
        let line = parts.get(found..)?.join(" ");
        let cut: String = line.chars().take(SNIPPET_CHARS).collect();
        let (before, after) =
            (if found > 0 { "…" } else { "" }, if cut.len() < line.len() { "…" } else { "" });
        (!cut.is_empty()).then(|| format!("{before}{cut}{after}"))
    }

    /// Whether a word of the part begins with one of the searched words.
    fn is_in(&self, part: &str) -> bool {
        if part.is_ascii() {
            // The same as below, without allocating.
            let own = part.split(|c: char| !c.is_ascii_alphanumeric());
            return own.into_iter().any(|own| {
                let begins =
                    |word: &&str| own.get(..word.len()).is_some_and(|own| own.eq_ignore_ascii_case(word));
                self.words.iter().any(begins)
            });
        }
        let own = Words::of(part);
        own.as_slice().iter().any(|own| self.words.iter().any(|word| own.starts_with(word)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn snippet(text: &str, words: &str) -> Option<String> {
        Finder::new(&Words::of(words)).snippet(text)
    }

    #[test]
    fn a_snippet_is_the_part_around_the_first_word_found() {
        assert_eq!(snippet("one two\nthree", "caf").unwrap(), "one two three");
        let long = format!("{} the Café is open {}", "lorem ".repeat(50), "ipsum ".repeat(50));
        for word in ["caf", "OPEN", "cafe open"] {
            let shown = snippet(&long, word).unwrap();
            assert!(shown.starts_with("…lorem") && shown.contains("Café") && shown.ends_with('…'), "{shown}");
        }
        assert_eq!(snippet("", "caf"), None);
    }

    #[test]
    fn a_search_compares_so_often_and_then_shows_texts_from_their_beginning() {
        let words = Words::of("needle");
        let mut finder = Finder::new(&words);
        let text = format!("{}needle", "hay ".repeat(COMPARISONS / 4));
        for _ in 0..3 {
            assert!(finder.snippet(&text).unwrap().ends_with("needle"));
        }
        assert!(finder.snippet(&text).unwrap().starts_with("hay"));
        assert_eq!(finder.comparisons, 0);
    }
}
