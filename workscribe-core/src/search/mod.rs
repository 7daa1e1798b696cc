//! Search in the projects, tasks and comments of an organization.
//!
//! | file | what |
//! |---|---|
//! | `words.rs` | [`Words`]: how texts and queries are cut into words |
//! | `model.rs` | [`SearchDocument`], [`SearchQuery`], [`SearchHit`] |
//! | `store.rs` | the store trait |
//! | `service.rs` | [`Search`]: the query, and how its results are shown |

mod model;
mod service;
mod store;
mod words;

pub use model::{SearchDocument, SearchHit, SearchKind, SearchQuery, SearchRequest};
pub use service::{Search, SearchResult};
pub use store::SearchStore;
pub use words::Words;
