//! The content of an export: one record on each line.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::clock::{Timestamp, micros};
use crate::every_row;
use crate::id::UserId;

use super::check::Check;
use super::remap::Remap;
use super::rows::*;

/// The name of the format.
pub const FORMAT: &str = "workscribe-export";
/// The version of the format in new exports. Versions from 1 up to it can be read. It grows when an older reader would lose or
/// misread something; an optional field does not need a new version.
pub const VERSION: u32 = 2;

/// Makes [`Record`] and [`Kind`] from the list of rows that a storage reads page by page, in the order in which they are exported.
/// `many` are rows of unbounded number, which wait on disk during an import. The text is the name of the rows in its result.
macro_rules! records {
    ($($(#[$doc:meta])* $kind:ident($row:ty) $($many:ident)? $(, $name:literal)?;)+) => {
        /// One line of an export.
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
        #[serde(tag = "type", rename_all = "snake_case")]
        pub enum Record {
            /// The first line.
            Header(Header),
            /// The second line.
            Organization(OrganizationRow),
            /// A person, before the first line that refers to them.
            User(UserRow),
            $($(#[$doc])* $kind($row),)+
            /// The last line.
            End(End),
        }

        /// The kinds of rows that a storage reads page by page.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Kind { $($(#[$doc])* $kind,)+ }

        impl Kind {
            /// All kinds, in the order in which they are exported.
            pub const ALL: &'static [Self] = &[$(Self::$kind,)+];
        }

        impl Record {
            fn row(&self) -> &dyn Row {
                match self {
                    Self::Header(row) => row,
                    Self::Organization(row) => row,
                    Self::User(row) => row,
                    $(Self::$kind(row) => row,)+
                    Self::End(row) => row,
                }
            }

            fn row_mut(&mut self) -> &mut dyn Row {
                match self {
                    Self::Header(row) => row,
                    Self::Organization(row) => row,
                    Self::User(row) => row,
                    $(Self::$kind(row) => row,)+
                    Self::End(row) => row,
                }
            }

            /// Whether a bundle may have any number of such rows.
            pub(super) const fn is_of_many(&self) -> bool {
                match self {
                    $(Self::$kind(_) => !stringify!($($many)?).is_empty(),)+
                    _ => false,
                }
            }

            /// The name of such rows in the result of an import, if it counts them.
            pub(super) fn counted_as(&self) -> Option<&'static str> {
                match self {
                    $(Self::$kind(_) => [$($name)?].first().copied(),)+
                    _ => None,
                }
            }
        }
    };
}

every_row!(records);

/// What an export and an import do with each kind of row.
pub(super) trait Row {
    /// The id by which the rows of its kind are sorted.
    fn id(&self) -> Uuid {
        Uuid::nil()
    }

    /// The people whom it names, without those whom a text mentions: anybody can write any id into a text.
    fn people(&self) -> [Option<UserId>; 2] {
        [None, None]
    }

    /// Puts its names into their stored form; `true` if one has changed.
    fn mend(&mut self) -> bool {
        false
    }

    /// Gives it the new ids of an import.
    fn renew(&mut self, _new: &Remap) {}

    /// Checks it, as the line `at`, against the lines before it.
    fn check(&self, at: u64, check: &mut Check);
}

/// The header of an export.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// [`FORMAT`]
    pub format: String,
    /// [`VERSION`]
    pub version: u32,
    /// When the export was made.
    #[serde(with = "micros")]
    pub exported_at: Timestamp,
}

/// The end of an export, which shows that it is complete.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct End {
    /// The number of lines, including the first and this one.
    pub records: u64,
}

impl Row for Header {
    fn check(&self, at: u64, check: &mut Check) {
        check.fault(at, "SECOND_HEADER", "there is a second header");
    }
}

impl Row for End {
    fn check(&self, at: u64, check: &mut Check) {
        check.fault(at, "NOT_WHOLE", "the end is not the last line");
    }
}

impl Record {
    /// The line, with a line break at its end.
    ///
    /// # Errors
    /// Never, as long as every record can be written as JSON.
    pub fn to_line(&self) -> Result<String, serde_json::Error> {
        let mut line = serde_json::to_string(self)?;
        line.push('\n');
        Ok(line)
    }

    /// The id by which the rows of its kind are sorted.
    #[must_use]
    pub fn id(&self) -> Uuid {
        self.row().id()
    }

    /// Puts its names into their stored form, since an export may be older than the rules for names; `true` if one has changed.
    /// Other faults stay, and the check refuses them. Only people get another name, since the importer cannot rename them.
    pub(super) fn mend(&mut self) -> bool {
        self.row_mut().mend()
    }

    /// The people whom it names, without those whom a text mentions: anybody can write any id into a text.
    pub fn people(&self) -> impl Iterator<Item = UserId> + use<> {
        self.row().people().into_iter().flatten()
    }

    /// The record with the new ids of an import.
    pub(super) fn renewed(mut self, new: &Remap) -> Self {
        self.row_mut().renew(new);
        self
    }

    /// Checks it, as the line `at`, against the lines before it.
    pub(super) fn check(&self, at: u64, check: &mut Check) {
        self.row().check(at, check);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_one_json_object_with_its_type_and_times_to_the_microsecond() {
        let at = Timestamp::from_timestamp(1_795_426_200, 0).unwrap();
        let header = Record::Header(Header { format: FORMAT.into(), version: VERSION, exported_at: at });
        let line = header.to_line().unwrap();
        assert_eq!(
            line,
            "{\"type\":\"header\",\"format\":\"workscribe-export\",\"version\":2,\
             \"exported_at\":\"2026-11-23T09:30:00.000000Z\"}\n"
        );
        assert_eq!(serde_json::from_str::<Record>(&line).unwrap(), header);
    }

    #[test]
    fn names_of_an_older_export_are_brought_into_the_form_in_which_names_are_kept() {
        let id = "018f3c6e-7d2a-7b4c-9a1e-2f3b4c5d6e7f";
        let user = |email: &str, name: &str| {
            let row = serde_json::json!({"type": "user", "id": id, "email": email, "display_name": name, "avatar_url": null});
            let mut record: Record = serde_json::from_value(row).unwrap();
            let is_mended = record.mend();
            let Record::User(row) = record else { panic!("it is a user") };
            (row.email.to_string(), row.display_name, is_mended)
        };
        let told = |email: &str, name: &str, is_mended| (email.to_owned(), name.to_owned(), is_mended);
        assert_eq!(user("zoe@example.com", "Zoe\u{308}"), told("zoe@example.com", "Zo\u{eb}", true));
        assert_eq!(user("zoe@example.com", "Z\u{202e}oe"), told("zoe@example.com", "Zoe", true));
        assert_eq!(user("zoe@example.com", "\u{3164}\u{3164}"), told("zoe@example.com", "zoe", true));
        assert_eq!(user("zoe@example.com", "Zo\u{eb}"), told("zoe@example.com", "Zo\u{eb}", false));
        assert_eq!(user("zoe@b\u{fc}cher.example", "Zoe").0, "zoe@xn--bcher-kva.example");
    }

    #[test]
    fn a_rich_text_is_json_within_the_line_and_a_bad_one_is_refused() {
        let comment = |body: &str| {
            let id = "018f3c6e-7d2a-7b4c-9a1e-2f3b4c5d6e7f";
            let line = format!(
                "{{\"type\":\"comment\",\"id\":\"{id}\",\"task_id\":\"{id}\",\"author_id\":\"{id}\",\"body\":{body},
                 \"is_edited\":false,\"version\":1,\"created_at\":\"2026-11-23T10:30:00.1234567+01:00\",
                 \"updated_at\":\"2026-11-23T09:30:00Z\",\"added_later\":7}}"
            );
            serde_json::from_str::<Record>(&line)
        };
        let read = comment("{\"type\":\"doc\",\"content\":[\"a\\nb\"]}").unwrap();
        let line = read.to_line().unwrap();
        assert_eq!(line.lines().count(), 1);
        assert!(line.contains("\"created_at\":\"2026-11-23T09:30:00.123456Z\""), "{line}");
        assert_eq!(serde_json::from_str::<Record>(&line).unwrap(), read);
        assert!(comment("[]").unwrap_err().to_string().contains("A document is a JSON object."));
    }
    #[test]
    fn a_line_of_the_history_has_a_kind_of_the_history() {
        let line = |action: &str| {
            let id = "018f3c6e-7d2a-7b4c-9a1e-2f3b4c5d6e7f";
            let line = format!(
                "{{\"type\":\"activity\",\"id\":\"{id}\",\"project_id\":null,\"task_id\":null,\"actor_id\":\"{id}\",
                 \"action\":\"{action}\",\"field_name\":null,\"old_value\":null,\"new_value\":null,
                 \"created_at\":\"2026-11-23T09:30:00Z\"}}"
            );
            serde_json::from_str::<Record>(&line)
        };
        assert!(line("task.created").is_ok());
        for other in ["member.joined", "user.registered", "ping", "task.unheard_of"] {
            assert!(line(other).is_err(), "{other}");
        }
    }
}
