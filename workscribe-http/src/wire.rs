//! Types with a schema of their own in the document: names, rich texts and strings with an example.

use std::borrow::Cow;

use poem_openapi::registry::{MetaSchema, MetaSchemaRef, Registry};
use poem_openapi::types::{ParseError, ParseFromJSON, ParseResult, ToJSON};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Value, json};
use workscribe_core::error::FieldError;
use workscribe_core::ports::Secret;
use workscribe_core::work::Document;

use crate::taken::Taken;

/// Makes a type one of OpenAPI, with its name, its schema and the schemas to which that refers. poem-openapi does not look inside.
macro_rules! opaque {
    ($(where $generic:ident: $bound:path =>)? $type:ty, $name:expr, $schema:expr $(, $registry:ident => $register:expr)?) => {
        impl$(<$generic: $bound>)? ::poem_openapi::types::Type for $type {
            const IS_REQUIRED: bool = true;
            type RawValueType = Self;
            type RawElementValueType = Self;

            fn name() -> ::std::borrow::Cow<'static, str> {
                $name.into()
            }

            fn schema_ref() -> ::poem_openapi::registry::MetaSchemaRef {
                $schema
            }

            $(fn register($registry: &mut ::poem_openapi::registry::Registry) {
                $register;
            })?

            fn as_raw_value(&self) -> Option<&Self> {
                Some(self)
            }

            fn raw_element_iter<'a>(&'a self) -> Box<dyn Iterator<Item = &'a Self> + 'a> {
                Box::new(::std::iter::once(self))
            }
        }
    };
}
pub(crate) use opaque;

/// Makes a type that serde reads and writes one of OpenAPI, with an inline schema.
macro_rules! described {
    ($type:ident, $name:literal, $schema:expr) => {
        $crate::wire::opaque!(
            $type,
            $name,
            ::poem_openapi::registry::MetaSchemaRef::Inline(Box::new($schema))
        );

        impl ::poem_openapi::types::ToJSON for $type {
            fn to_json(&self) -> Option<::serde_json::Value> {
                ::serde_json::to_value(self).ok()
            }
        }

        impl ::poem_openapi::types::ParseFromJSON for $type {
            fn parse_from_json(
                value: Option<::serde_json::Value>,
            ) -> ::poem_openapi::types::ParseResult<Self> {
                ::serde_json::from_value(value.unwrap_or_default())
                    .map_err(::poem_openapi::types::ParseError::custom)
            }
        }
    };
}
pub(crate) use described;

/// A type of the domain with a fixed set of values, each with a name.
pub trait Named: Copy + Send + Sync + 'static {
    /// The name of its schema in the document.
    const NAME: &'static str;
    /// The description of its schema.
    const DESCRIPTION: &'static str;

    /// Every value, in order.
    fn all() -> Vec<Self>;

    /// The name of the value.
    fn as_name(self) -> &'static str;

    /// The names of all values, in order.
    #[must_use]
    fn names() -> Vec<&'static str> {
        Self::all().into_iter().map(Self::as_name).collect()
    }

    /// The value with this name.
    #[must_use]
    fn of_name(name: &str) -> Option<Self> {
        Self::all().into_iter().find(|value| value.as_name() == name)
    }
}

/// Adds the schemas of types of the domain that have `ALL` and `as_str`.
macro_rules! named {
    ($($(#[doc = $doc:literal])+ $name:ident = $domain:ty;)+) => {$(
        $(#[doc = $doc])+
        pub type $name = $crate::wire::Name<$domain>;

        impl $crate::wire::Named for $domain {
            const NAME: &'static str = stringify!($name);
            const DESCRIPTION: &'static str = concat!($($doc),+).trim_ascii();

            fn all() -> Vec<Self> {
                Self::ALL.to_vec()
            }

            fn as_name(self) -> &'static str {
                self.as_str()
            }
        }

        impl From<$name> for $domain {
            fn from(name: $name) -> Self {
                name.0
            }
        }
    )+};
}
pub(crate) use named;

/// A value of the domain, written as its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Name<T>(pub T);

impl<T> From<T> for Name<T> {
    fn from(value: T) -> Self {
        Self(value)
    }
}

impl<T: Named> Default for Name<T> {
    fn default() -> Self {
        Self(T::all()[0])
    }
}

impl<T: Named> Serialize for Name<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0.as_name())
    }
}

impl<'de, T: Named> Deserialize<'de> for Name<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = Cow::<'de, str>::deserialize(deserializer)?;
        T::of_name(&name).map(Self).ok_or_else(|| {
            let names: Vec<_> = T::names().iter().map(|name| format!("`{name}`")).collect();
            D::Error::custom(format!("unknown variant `{name}`, expected one of {}", names.join(", ")))
        })
    }
}

impl<T: Named> Taken for Name<T> {}

opaque!(where T: Named => Name<T>, T::NAME, MetaSchemaRef::Reference(T::NAME.to_owned()), registry => {
    let schema = |_: &mut Registry| MetaSchema { description: Some(T::DESCRIPTION), ..names(T::names()) };
    registry.create_schema::<Self, _>(T::NAME.to_owned(), schema);
});

impl<T: Named> ToJSON for Name<T> {
    fn to_json(&self) -> Option<Value> {
        Some(self.0.as_name().into())
    }
}

impl<T: Named> ParseFromJSON for Name<T> {
    fn parse_from_json(value: Option<Value>) -> ParseResult<Self> {
        serde_json::from_value(value.unwrap_or_default()).map_err(ParseError::custom)
    }
}

/// The schema of a string that is one of some names.
pub(crate) fn names(names: impl IntoIterator<Item = &'static str>) -> MetaSchema {
    let enum_items = names.into_iter().map(Value::from).collect();
    MetaSchema { enum_items, ..MetaSchema::new("string") }
}

/// A rich text: a ProseMirror document, or any other JSON object. Its content is stored unchanged.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, Serialize)]
#[serde(transparent)]
pub struct RichText(pub Value);

described!(
    RichText,
    "object",
    MetaSchema {
        example: Some(json!({
            "type": "doc",
            "content": [{"type": "paragraph", "content": [{"type": "text", "text": "It turns, and turns again."}]}],
        })),
        ..any_object()
    }
);

impl Taken for RichText {
    fn take(value: Value) -> Result<Self, FieldError> {
        Ok(Self(value))
    }
}

/// The schema of an object with any content.
pub(crate) fn any_object() -> MetaSchema {
    let anything = MetaSchemaRef::Inline(Box::new(MetaSchema::ANY));
    MetaSchema { additional_properties: Some(Box::new(anything)), ..MetaSchema::new("object") }
}

impl From<Document> for RichText {
    fn from(document: Document) -> Self {
        Self(document.as_json().clone())
    }
}

impl From<RichText> for Value {
    fn from(text: RichText) -> Self {
        text.0
    }
}

/// Makes strings with a schema of their own: fields with an example, and parts of paths and headers, with a description too.
macro_rules! texts {
    ($($(#[doc = $doc:literal])+ $name:ident { $($fact:ident: $value:expr),* } $($flag:ident)?)+) => {$(
        $(#[doc = $doc])+
        #[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub String);

        described!($name, "string", MetaSchema {
            description: Some(concat!($($doc),+).trim_ascii()),
            $($fact: Some($value.into()),)*
            $($flag: true,)?
            ..MetaSchema::new("string")
        });

        impl Taken for $name {}

        impl From<$name> for String {
            fn from(text: $name) -> Self {
                text.0
            }
        }

        impl<T: ToString> From<T> for $name {
            fn from(text: T) -> Self {
                Self(text.to_string())
            }
        }

        impl ::std::ops::Deref for $name {
            type Target = str;

            fn deref(&self) -> &str {
                &self.0
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl ::poem_openapi::types::ParseFromParameter for $name {
            fn parse_from_parameter(text: &str) -> ParseResult<Self> {
                Ok(Self(text.to_owned()))
            }
        }
    )+};
}

texts! {
    /// An e-mail address.
    Email { example: "ada@example.com" }
    /// The name of a person.
    PersonName { example: "Ada Lovelace" }
    /// The URL of a picture.
    PictureUrl { example: "https://example.com/ada.png" }
    /// A password. It is never shown again.
    Password { format: "password", example: "correct horse battery staple" } write_only
    /// A secret text that a client can use once, or that came by mail.
    Token { example: "q7ZlH0sE9Yx2v5Qm3kT8wB1nC4rD6fGjLpAaSsUuVvI" }
    /// The name of a thing.
    Title { example: "Analytical Engines" }
    /// The name of an organization in URLs.
    OrgSlug { example: "analytical-engines" }
    /// The letters before the numbers of a project's tasks.
    ProjectKey { example: "WEB" }
    /// The name of a task for people.
    TaskKey { example: "WEB-42" }
    /// A colour.
    Colour { example: "#1f77b4" }
    /// The URL to which messages are sent.
    WebhookUrl { example: "https://example.com/webhooks" }
    /// The secret that signs messages.
    SigningSecret { example: "whsec_BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=" }
    /// An IP address.
    Ip { example: "203.0.113.7" }
    /// The name that a client sends for itself.
    UserAgent { example: "Mozilla/5.0" }
    /// A JSON pointer to a place in a body or a query.
    Pointer { example: "/email" }
    /// The id of a request.
    RequestId { example: "019ab0c4-5d2e-7c31-9f64-0d1b2a3c4e60" }
    /// The query of a search.
    Sought { example: "engine" }
    /// The version of the server.
    Version { example: workscribe_core::VERSION }
    /// The name of a queue.
    QueueName { example: "default" }

    /// The organization's slug.
    Slug { min_length: 3_usize, max_length: 30_usize, example: "analytical-engines" }
    /// The project's id or key.
    ProjectRef { min_length: 2_usize, max_length: 36_usize, example: "WEB" }
    /// The project's key, a hyphen and the task's number, in upper or lower case.
    TaskRef { min_length: 4_usize, max_length: 30_usize, example: "WEB-42" }
    /// The token from the link in the mail.
    MailedToken { example: "q7ZlH0sE9Yx2v5Qm3kT8wB1nC4rD6fGjLpAaSsUuVvI" }
    /// The `ETag` of the version that the request expects.
    IfMatch { example: "\"1\"" }
    /// A key that the client chooses. If the same request is sent again with the same key, it takes effect once.
    IdempotencyKey { min_length: 1_usize, max_length: 255_usize }
    /// The queue's name.
    QueueRef { min_length: 1_usize, max_length: 100_usize, example: "default" }
}

impl From<Password> for Secret {
    fn from(password: Password) -> Self {
        Self::new(password.0)
    }
}
