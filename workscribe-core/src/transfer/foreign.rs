//! What the readers of other programs' files have in common: their settings, their result, and how they name things.

use std::collections::BTreeMap;

use crate::clock::Timestamp;
use crate::error::FieldError;
use crate::identity::{Email, display_name};
use crate::names::mended_line;
use crate::work::ProjectKey;

use super::bundle::Bundle;
use super::check::fault_at;

/// The settings that the file of another program does not contain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The organization's name.
    pub name: String,
    /// Its slug.
    pub slug: String,
    /// The address of its owner.
    pub owner: String,
    /// The owner's name, if the account is created.
    pub owner_name: Option<String>,
    /// The addresses of people, by their names in the file.
    pub people: BTreeMap<String, String>,
    /// The key of the project, if the file has only one project and no key for it.
    pub project_key: Option<String>,
    /// The current time. It replaces times that cannot be read.
    pub now: Timestamp,
}

/// The result of reading another program's file.
#[derive(Debug)]
pub struct Foreign {
    /// The organization, to be imported with new ids.
    pub bundle: Bundle,
    /// What was changed or left out.
    pub report: Report,
}

/// What was changed or left out, and how often.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report(pub BTreeMap<String, u64>);

impl Report {
    pub(super) fn note(&mut self, what: impl Into<String>) {
        *self.0.entry(what.into()).or_default() += 1;
    }
}

/// The name of the user with an address: the name in the file, or else the local part of the address, or else the whole address.
pub(super) fn person_name(email: &Email, name: &str) -> String {
    let local = email.as_str().split('@').next().unwrap_or_default();
    let mended = |name: &str| mended_line(name, 100).and_then(|name| display_name(&name).ok());
    [name, local].into_iter().find_map(mended).unwrap_or_else(|| email.as_str().chars().take(100).collect())
}

/// A key from the letters and digits of a text, for example of a JIRA key with an underscore.
pub(super) fn key_of(text: &str) -> Option<ProjectKey> {
    let plain = text.chars().filter(char::is_ascii_alphanumeric);
    let key: String = plain.skip_while(char::is_ascii_digit).take(10).collect();
    ProjectKey::existing(&key)
}

/// A fault of a broken row.
pub(super) fn broken(line: u64, problem: impl std::fmt::Display) -> FieldError {
    fault_at(line, "BROKEN_ROW", problem)
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::record::Record;
    use super::*;

    pub(in super::super) fn settings() -> Settings {
        let people = [("Grace Hopper", "grace@example.com"), ("ada-l", "Ada@example.com")];
        Settings {
            name: "Analytical Engines".into(),
            slug: "engines".into(),
            owner: "ada@example.com".into(),
            owner_name: Some("Ada Lovelace".into()),
            people: people.map(|(name, email)| (name.to_owned(), email.to_owned())).into(),
            project_key: None,
            now: Timestamp::from_timestamp(1_795_426_200, 0).unwrap(),
        }
    }

    /// The numbers of users, projects, statuses, labels, tasks and comments.
    pub(in super::super) fn counts(bundle: &Bundle) -> [usize; 6] {
        let count =
            |is_one: fn(&Record) -> bool| bundle.records().unwrap().iter().filter(|r| is_one(r)).count();
        [
            count(|record| matches!(record, Record::User(_))),
            count(|record| matches!(record, Record::Project(_))),
            count(|record| matches!(record, Record::Status(_))),
            count(|record| matches!(record, Record::Label(_))),
            count(|record| matches!(record, Record::Task(_))),
            count(|record| matches!(record, Record::Comment(_))),
        ]
    }

    #[test]
    fn people_and_keys_are_made_fit() {
        let email = Email::parse("al@example.com").unwrap();
        assert_eq!(person_name(&email, "A\u{202e}da\u{2028}L"), "Ada L");
        assert_eq!(person_name(&email, "\u{3164}\u{3164}"), "al");
        assert_eq!(person_name(&Email::parse("a@example.com").unwrap(), ""), "a@example.com");
        assert_eq!(key_of("web_app").unwrap().as_str(), "WEBAPP");
        assert_eq!(key_of("2048-the-long-name").unwrap().as_str(), "THELONGNAM");
        assert_eq!(key_of("日本"), None);
    }
}
