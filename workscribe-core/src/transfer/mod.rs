//! Taking an organization out, and bringing one in: docs/EXPORT.md describes the format.
//!
//! | file | what |
//! |---|---|
//! | `record.rs` | [`Record`]: what stands in a line of an export |
//! | `store.rs` | the store trait |
//! | `export.rs` | [`Export`]: everything as it was at one moment, line by line |
//! | `bundle.rs` | [`Bundle`]: what is to come in, read and checked |
//! | `spool.rs` | the rows of a bundle of which there are many, on disk |
//! | `import.rs`, `remap.rs` | a bundle into the storage, in one transaction; which id becomes which |
//! | `draft.rs` | makes a bundle from what is no export |
//! | `jira.rs`, `github.rs` | Jira's CSV and GitHub's issues |
//! | `demo.rs`, `demo_texts.rs` | an organization to look at |

mod bundle;
mod demo;
mod demo_texts;
mod draft;
mod export;
mod github;
mod import;
mod jira;
mod record;
mod remap;
mod spool;
mod store;

pub use bundle::Bundle;
pub use demo::{DEMO_OWNER, DEMO_TASKS, DemoOptions, Demonstrated, demo};
pub use draft::{Foreign, Report, Settings};
pub use export::Export;
pub use github::github;
pub use import::{Ids, ImportOptions, Imported, Progress, Transfer};
pub use jira::jira;
pub use record::{
    ActivityRow, CommentRow, End, FORMAT, Header, Kind, LabelRow, MemberRow, NotificationRow,
    OrganizationRow, ProjectRow, Record, StatusRow, TaskRow, UserRow, VERSION,
};
pub use store::TransferStore;
