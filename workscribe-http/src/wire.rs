//! Names and documents on the wire.

use std::borrow::Cow;

use poem_openapi::registry::{MetaSchema, MetaSchemaRef};
use poem_openapi::types::{ParseFromJSON, ParseResult, ToJSON, Type};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use workscribe_core::work::Document;

/// Makes an enum that has the names of one of the domain's.
macro_rules! wire_names {
    ($($(#[$doc:meta])* $name:ident = $domain:ty {
        $($(#[$variant_doc:meta])* $variant:ident = $text:literal),+ $(,)?
    })+) => {$(
        $(#[$doc])*
        #[derive(::poem_openapi::Enum, Debug, Clone, Copy)]
        pub enum $name {
            $($(#[$variant_doc])* #[oai(rename = $text)] $variant,)+
        }

        // serde's own would take `{"name": null}` too.
        impl<'de> ::serde::Deserialize<'de> for $name {
            fn deserialize<D: ::serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = <::std::borrow::Cow<'de, str> as ::serde::Deserialize>::deserialize(deserializer)?;
                match text.as_ref() {
                    $($text => Ok(Self::$variant),)+
                    other => Err(::serde::de::Error::unknown_variant(other, &[$($text),+])),
                }
            }
        }

        impl ::serde::Serialize for $name {
            fn serialize<S: ::serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(match self { $(Self::$variant => $text,)+ })
            }
        }

        impl From<$domain> for $name {
            fn from(value: $domain) -> Self {
                match value { $(<$domain>::$variant => Self::$variant,)+ }
            }
        }

        impl From<$name> for $domain {
            fn from(value: $name) -> Self {
                match value { $($name::$variant => <$domain>::$variant,)+ }
            }
        }
    )+};
}
pub(crate) use wire_names;

/// A rich text: a ProseMirror document, or any other JSON object. What it holds is kept as it came.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(transparent)]
pub struct RichText(pub Value);

impl From<Document> for RichText {
    fn from(document: Document) -> Self {
        Self(document.as_json().clone())
    }
}

impl Type for RichText {
    const IS_REQUIRED: bool = true;
    type RawValueType = Self;
    type RawElementValueType = Self;

    fn name() -> Cow<'static, str> {
        "object".into()
    }

    fn schema_ref() -> MetaSchemaRef {
        let anything = MetaSchemaRef::Inline(Box::new(MetaSchema::ANY));
        let object =
            MetaSchema { additional_properties: Some(Box::new(anything)), ..MetaSchema::new("object") };
        MetaSchemaRef::Inline(Box::new(object))
    }

    fn as_raw_value(&self) -> Option<&Self::RawValueType> {
        Some(self)
    }

    fn raw_element_iter<'a>(&'a self) -> Box<dyn Iterator<Item = &'a Self::RawElementValueType> + 'a> {
        Box::new(std::iter::once(self))
    }
}

impl ToJSON for RichText {
    fn to_json(&self) -> Option<Value> {
        Some(self.0.clone())
    }
}

impl ParseFromJSON for RichText {
    fn parse_from_json(value: Option<Value>) -> ParseResult<Self> {
        Ok(Self(value.unwrap_or_default()))
    }
}
