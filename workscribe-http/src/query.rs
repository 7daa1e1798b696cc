//! Query parameters. All are taken as texts, so that what is wrong with one is a problem document with a pointer to it.

use poem_openapi::param::Query;
use workscribe_core::Error;
use workscribe_core::error::FieldError;
use workscribe_core::page::PageRequest;

/// A parameter as it came.
pub(crate) type Text = Query<Option<String>>;

/// What every list takes, with its limit and its flag read.
pub(crate) struct Window {
    pub(crate) limit: Option<i64>,
    pub(crate) cursor: Option<String>,
    pub(crate) count: bool,
}

/// Reads what every list takes, but for the cursor.
pub(crate) fn window(limit: Text, cursor: Text, count: Text) -> Result<Window, Error> {
    let limit = read("limit", limit, "OUT_OF_RANGE", "The limit must be between 1 and 100.", |text| {
        text.parse().ok()
    })?;
    Ok(Window { limit, cursor: cursor.0, count: flag("count", count)?.unwrap_or(false) })
}

/// Reads what every list takes.
pub(crate) fn page(limit: Text, cursor: Text, count: Text) -> Result<PageRequest, Error> {
    let Window { limit, cursor, count } = window(limit, cursor, count)?;
    PageRequest::new(limit, cursor.as_deref(), count)
}

/// Reads a parameter that is `true` or `false`.
pub(crate) fn flag(name: &str, text: Text) -> Result<Option<bool>, Error> {
    read(name, text, "NOT_A_BOOLEAN", "Use true or false.", |text| text.parse().ok())
}

/// Reads a parameter that is one of some names.
pub(crate) fn choice<T>(
    name: &str,
    text: Text,
    names: &[&str],
    parse: impl Fn(&str) -> Option<T>,
) -> Result<Option<T>, Error> {
    let message = format!("Use one of: {}.", names.join(", "));
    read(name, text, "NOT_ONE_OF", &message, |text| if names.contains(&text) { parse(text) } else { None })
}

/// Reads a parameter, if it is there.
pub(crate) fn read<T>(
    name: &str,
    text: Text,
    code: &'static str,
    message: &str,
    parse: impl Fn(&str) -> Option<T>,
) -> Result<Option<T>, Error> {
    let Some(text) = text.0 else { return Ok(None) };
    match parse(&text) {
        Some(value) => Ok(Some(value)),
        None => Err(fault(&format!("/query/{name}"), code, message)),
    }
}

/// One fault.
pub(crate) fn fault(pointer: &str, code: &'static str, message: &str) -> Error {
    Error::invalid(vec![FieldError { pointer: pointer.to_owned(), code, message: message.to_owned() }])
}
