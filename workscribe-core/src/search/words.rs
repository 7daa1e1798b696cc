//! Cuts texts into words, and makes queries from words.

use std::collections::HashSet;
use std::fmt::Write as _;

use unicode_normalization::UnicodeNormalization as _;
use unicode_normalization::char::is_combining_mark;

/// A text cut into words, in the same way for all storages, so that all find the same: letters and digits in lower case without
/// accents (compatibility decomposition, UAX #15). Chinese and Japanese characters are one word each, since their words have
/// no spaces between them. All other characters only separate words, so that a query cannot use the syntax of a query language.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Words(Vec<String>);

/// Longer words are cut to this many characters: Postgres accepts at most 2,046 bytes.
const LONGEST: usize = 64;

impl Words {
    /// How many words of one text are stored. Later words are not found.
    pub const MAX: usize = 20_000;

    /// Cuts a text into words.
    #[must_use]
    pub fn of(text: &str) -> Self {
        let mut words = Vec::new();
        let mut word = String::new();
        let letters = text.nfkd().filter(|c| !is_combining_mark(*c)).flat_map(char::to_lowercase);
        // A final space ends the last word.
        for c in letters.chain([' ']) {
            if words.len() >= Self::MAX {
                break;
            }
            if stands_alone(c) {
                words.extend((!word.is_empty()).then(|| std::mem::take(&mut word)));
                words.push(c.to_string());
            } else if !c.is_alphanumeric() {
                words.extend((!word.is_empty()).then(|| std::mem::take(&mut word)));
            } else if word.chars().count() < LONGEST {
                word.push(c);
            }
        }
        Self(words)
    }

    /// The words, in order.
    #[must_use]
    pub fn as_slice(&self) -> &[String] {
        &self.0
    }

    /// Whether there are no words.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The words with spaces between them, as storages store them.
    #[must_use]
    pub fn joined(&self) -> String {
        self.0.join(" ")
    }

    /// A query for Postgres' full text search (`to_tsquery`) or SQLite's FTS5 that finds texts with all these words. The last
    /// word may be the beginning of a word: `wrap` writes one word, and gets `true` if so. A repeated word is written once, so
    /// that the cost of a query depends on its different words.
    #[must_use]
    pub fn query(&self, and: &str, wrap: impl Fn(&str, bool) -> String) -> String {
        let (mut query, mut written) = (String::new(), HashSet::new());
        for (index, word) in self.0.iter().enumerate() {
            if !written.insert(word) {
                continue;
            }
            let separator = if query.is_empty() { "" } else { and };
            let may_go_on = index + 1 == self.0.len() && !word.chars().all(stands_alone);
            // Writing to a string does not fail.
            let _ = write!(query, "{separator}{}", wrap(word, may_go_on));
        }
        query
    }
}

/// Whether a character is a word of its own: Han, Hiragana and Katakana.
const fn stands_alone(c: char) -> bool {
    matches!(c,
        '\u{3041}'..='\u{3096}' | '\u{30a1}'..='\u{30fa}' | '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}'
        | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{323af}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> String {
        Words::of(text).joined()
    }

    #[test]
    fn words_are_letters_and_digits_without_case_or_accents() {
        assert_eq!(words("Fix the Login-Page!"), "fix the login page");
        assert_eq!(words("Café CAFE\u{301} ﬁne"), "cafe cafe fine");
        assert_eq!(words("100%_done 'or' \"quoted\" \\ ; --"), "100 done or quoted");
        assert_eq!(words("Straße Åse"), "straße ase");
        assert_eq!(words("修复登录 bug"), "修 复 登 录 bug");
        assert_eq!(words("o:0000 AND (x) OR y*"), "o 0000 and x or y");
        assert_eq!(words(" \u{0} \u{301} "), "");
    }

    #[test]
    fn words_and_texts_are_cut_at_their_limits() {
        assert_eq!(words(&"x".repeat(500)).len(), LONGEST);
        assert_eq!(Words::of(&"a ".repeat(Words::MAX + 5)).as_slice().len(), Words::MAX);
    }

    #[test]
    fn the_last_word_of_a_query_may_go_on() {
        let wrap = |word: &str, on: bool| if on { format!("{word}:*") } else { word.to_owned() };
        assert_eq!(Words::of("fix log").query(" & ", wrap), "fix & log:*");
        assert_eq!(Words::of("登录").query(" & ", wrap), "登 & 录");
        assert_eq!(Words::of("a b a c").query(" & ", wrap), "a & b & c:*");
        assert_eq!(
            Words::of("fix fix").query(" & ", wrap),
            "fix",
            "the beginning of a word that is asked for whole says nothing"
        );
        assert_eq!(Words::default().query(" & ", wrap), "");
    }
}
