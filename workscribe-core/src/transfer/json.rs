//! How an export writes and reads values that serde does not know by itself.

use serde::{Deserialize as _, Deserializer};

use crate::events::EventKind;

/// A rich text as JSON.
pub(super) mod rich_text {
    use serde::{Deserialize as _, Deserializer, Serialize as _, Serializer, de::Error as _};

    use crate::work::Document;

    pub(in crate::transfer) fn serialize<S: Serializer>(
        document: &Document,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        document.as_json().serialize(to)
    }

    pub(in crate::transfer) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Document, D::Error> {
        let value = serde_json::Value::deserialize(from)?;
        Document::parse(value).map_err(|fault| D::Error::custom(fault.message))
    }
}

/// The same for an optional text.
pub(super) mod rich_text_or_none {
    use serde::{Deserialize as _, Deserializer, Serialize as _, Serializer, de::Error as _};

    use crate::work::Document;

    pub(in crate::transfer) fn serialize<S: Serializer>(
        document: &Option<Document>,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        document.as_ref().map(Document::as_json).serialize(to)
    }

    pub(in crate::transfer) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Option<Document>, D::Error> {
        let value = Option::<serde_json::Value>::deserialize(from)?;
        value.map(Document::parse).transpose().map_err(|fault| D::Error::custom(fault.message))
    }
}

/// A kind of event that the history contains; any other kind is an error.
pub(super) fn kind_of_history<'de, D: Deserializer<'de>>(from: D) -> Result<EventKind, D::Error> {
    let kind = EventKind::deserialize(from)?;
    let unknown = || <D::Error as serde::de::Error>::custom(format!("the history has no {}", kind.as_str()));
    if kind.is_in_history() { Ok(kind) } else { Err(unknown()) }
}
