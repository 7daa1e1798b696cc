//! Export and import of an organization. docs/EXPORT.md describes the format.
//!
//! | file | what |
//! |---|---|
//! | `record.rs` | [`Record`]: the content of a line of an export |
//! | `store.rs` | the store trait |
//! | `export.rs` | [`Export`]: everything as it was at one moment, line by line |
//! | `bundle.rs`, `check.rs` | [`Bundle`]: an organization to be imported, read and checked |
//! | `spool.rs` | the rows of a bundle whose number is unbounded, on disk |
//! | `import.rs`, `remap.rs` | the import of a bundle, in one transaction, and the new ids |
//! | `draft.rs`, `foreign.rs` | make a bundle from other sources than an export |
//! | `jira.rs`, `github.rs` | Jira's CSV and GitHub's issues |
//! | `demo.rs`, `demo_story.rs`, `demo_texts.rs` | an organization for demonstration |

mod bundle;
mod check;
mod demo;
mod demo_story;
mod demo_texts;
mod draft;
mod export;
mod foreign;
mod github;
mod import;
mod jira;
mod json;
mod record;
mod remap;
mod rows;
mod spool;
mod store;

pub use bundle::Bundle;
pub use demo::{DEMO_OWNER, DEMO_TASKS, DemoOptions, Demonstrated, demo};
pub use export::Export;
pub use foreign::{Foreign, Report, Settings};
pub use github::github;
pub use import::{Ids, ImportOptions, Imported, Progress, Transfer};
pub use jira::jira;
pub use record::{End, FORMAT, Header, Kind, Record, VERSION};
pub use rows::*;
pub use store::TransferStore;
