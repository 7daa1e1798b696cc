//! The types of fields in requests, and the fault when a value has another type.

use poem_openapi::types::Type;
use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_path_to_error::{Path, Segment};
use uuid::Uuid;
use workscribe_core::error::FieldError;

/// A type that a field of a request can have.
pub trait Taken: Type + DeserializeOwned {
    /// Reads the value of the field.
    ///
    /// # Errors
    /// What is wrong with the value, with a pointer within it.
    fn take(value: Value) -> Result<Self, FieldError> {
        serde_path_to_error::deserialize(value).map_err(|error| misfit(error.path(), error.inner()))
    }
}

impl Taken for String {}
impl Taken for bool {}
impl Taken for i64 {}
impl Taken for Uuid {}
impl<T: Taken> Taken for Vec<T> {}

/// The fault of a value that does not have the expected type.
pub(crate) fn misfit(path: &Path, error: &serde_json::Error) -> FieldError {
    let text = error.to_string();
    let sentence = text.split(" at line ").next().unwrap_or(&text);
    let message = format!("This value cannot be used: {sentence}.");
    FieldError { pointer: pointer(path), code: "WRONG_TYPE", message }
}

/// The JSON pointer to a path.
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
