//! Finding projects, tasks and comments of an organization by their words.
//!
//! | file | what |
//! |---|---|
//! | `words.rs` | [`Words`]: how every text and every query is cut into words |
//! | `model.rs` | [`SearchDocument`], [`SearchQuery`], [`SearchHit`] |
//! | `store.rs` | the store trait |
//! | `service.rs` | [`Search`]: the query, and what is shown of what it finds |

mod model;
mod service;
mod store;
mod words;

pub use model::{SearchDocument, SearchHit, SearchKind, SearchQuery, SearchRequest};
pub use service::{Search, SearchResult};
pub use store::SearchStore;
pub use words::Words;
