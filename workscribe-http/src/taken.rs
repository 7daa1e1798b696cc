//! What fields of requests can hold, and what is wrong with what came in the place of one.

use poem_openapi::types::Type;
use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_path_to_error::{Path, Segment};
use uuid::Uuid;
use workscribe_core::error::FieldError;

/// What a field of a request can hold.
pub trait Taken: Type + DeserializeOwned {
    /// Takes what came.
    ///
    /// # Errors
    /// What is wrong with it, with a pointer within it.
    fn take(value: Value) -> Result<Self, FieldError> {
        serde_path_to_error::deserialize(value).map_err(|error| misfit(error.path(), error.inner()))
    }
}

impl Taken for String {}
impl Taken for bool {}
impl Taken for i64 {}
impl Taken for Uuid {}
impl<T: Taken> Taken for Vec<T> {}

/// The fault of what is not of the type that it should be.
pub(crate) fn misfit(path: &Path, error: &serde_json::Error) -> FieldError {
    let text = error.to_string();
    let sentence = text.split(" at line ").next().unwrap_or(&text);
    let message = format!("This value cannot be used: {sentence}.");
    FieldError { pointer: pointer(path), code: "WRONG_TYPE", message }
}

/// The JSON pointer of a path.
pub(crate) fn pointer(path: &Path) -> String {
    path.iter()
        .map(|segment| match segment {
            Segment::Seq { index } => format!("/{index}"),
            Segment::Map { key } | Segment::Enum { variant: key } => {
                format!("/{}", key.replace('~', "~0").replace('/', "~1"))
            }
            Segment::Unknown => String::new(),
        })
        .collect()
}
