//! Pages of lists: the parameters that every list takes.

use poem_openapi::registry::MetaSchema;
use serde_json::json;
use workscribe_core::Error;
use workscribe_core::error::{Fault, Violations};
use workscribe_core::page::PageRequest;

use crate::dto::params;
use crate::query::Parameter;

/// The maximum number of items on a page.
pub(crate) struct PageLimit(pub(crate) u32);

impl Parameter for PageLimit {
    fn schema() -> MetaSchema {
        MetaSchema {
            description: Some("The maximum number of items on a page: 1–100. The default is 25."),
            minimum: Some(1.0),
            maximum: Some(PageRequest::MAX_LIMIT.into()),
            default: Some(json!(PageRequest::DEFAULT_LIMIT)),
            ..MetaSchema::new_with_format("integer", "int32")
        }
    }

    fn parse(text: &str) -> Result<Self, Fault> {
        let limit = text.parse().ok().filter(|limit| (1..=PageRequest::MAX_LIMIT).contains(limit));
        limit.map(Self).ok_or_else(|| Fault::new("OUT_OF_RANGE", "The limit must be between 1 and 100."))
    }
}

/// The place where a page begins.
pub(crate) struct PageCursor(pub(crate) String);

impl Parameter for PageCursor {
    fn schema() -> MetaSchema {
        let description = Some("The `next_cursor` of the previous page.");
        MetaSchema { description, max_length: Some(64), ..MetaSchema::new("string") }
    }

    fn parse(text: &str) -> Result<Self, Fault> {
        Ok(Self(text.to_owned()))
    }
}

params! {
    /// Which page of a list the caller wants.
    pub(crate) Paging(faults) {
        limit: PageLimit,
        cursor: PageCursor,
        /// Whether the response has the `total`.
        count: bool,
    } => PageRequest = page(limit, cursor, count, faults);
}

/// Reads which page the caller wants. Faults are added to `faults`; after one, the page must not be used.
pub(crate) fn page(
    limit: Option<PageLimit>,
    cursor: Option<PageCursor>,
    count: Option<bool>,
    faults: &mut Violations,
) -> PageRequest {
    window(limit, cursor, count, faults, PageRequest::new).unwrap_or(PageRequest::first())
}

/// Reads which page the caller wants. `page` begins a page of this kind of list.
pub(crate) fn window<T>(
    limit: Option<PageLimit>,
    cursor: Option<PageCursor>,
    count: Option<bool>,
    faults: &mut Violations,
    page: impl FnOnce(Option<i64>, Option<&str>, bool) -> Result<T, Error>,
) -> Option<T> {
    let (limit, cursor) = (limit.map(|limit| limit.0.into()), cursor.map(|cursor| cursor.0));
    page(limit, cursor.as_deref(), count.unwrap_or_default())
        .map_err(|error| {
            for fault in error.fields() {
                faults.add(&*fault.pointer, fault.code, &*fault.message);
            }
        })
        .ok()
}
