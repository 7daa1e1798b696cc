//! Fields of requests, which may be absent, null or wrong, and whose faults are reported together; nullable fields of responses.

use std::borrow::Cow;

use poem_openapi::registry::{MetaSchema, MetaSchemaRef, Registry};
use poem_openapi::types::{ParseError, ParseFromJSON, ParseResult, ToJSON, Type};
use serde::{Serialize, Serializer};
use serde_json::Value;
use workscribe_core::error::{FieldError, Violations};

use crate::taken::Taken;

/// What a request has for a field.
enum Came<T> {
    /// The field is absent.
    Absent,
    /// Null.
    Null,
    /// A value.
    Value(T),
    /// A value of another type, with a pointer within the field.
    Wrong(FieldError),
}

impl<T: Taken> Came<T> {
    fn of(value: Value) -> Self {
        match T::take(value) {
            Ok(value) => Self::Value(value),
            Err(fault) => Self::Wrong(fault),
        }
    }
}

fn wrong<T>(
    within: &str,
    at: &str,
    FieldError { pointer, code, message }: FieldError,
    faults: &mut Violations,
) -> Option<T> {
    faults.add(format!("{within}{at}{pointer}"), code, message);
    None
}

/// Makes a type of field from the function that reads it and its schema.
macro_rules! fields {
    ($($(#[$doc:meta])* $name:ident { required: $required:literal, nullable: $nullable:literal, of: $of:expr })+) => {$(
        $(#[$doc])*
        pub struct $name<T>(Came<T>);

        impl<T> Default for $name<T> {
            fn default() -> Self {
                Self(Came::Absent)
            }
        }

        /// The validators of poem-openapi only describe a field; the services check it.
        impl<T: Type> Type for $name<T> {
            const IS_REQUIRED: bool = $required;
            type RawValueType = T::RawValueType;
            type RawElementValueType = T::RawElementValueType;

            fn name() -> Cow<'static, str> {
                format!(concat!(stringify!($name), "_{}"), T::name()).into()
            }

            fn schema_ref() -> MetaSchemaRef {
                if $nullable { or_null::<T>() } else { T::schema_ref() }
            }

            fn register(registry: &mut Registry) {
                T::register(registry);
            }

            fn as_raw_value(&self) -> Option<&Self::RawValueType> {
                None
            }

            fn raw_element_iter<'a>(&'a self) -> Box<dyn Iterator<Item = &'a Self::RawElementValueType> + 'a> {
                Box::new(std::iter::empty())
            }
        }

        impl<T: Taken> ParseFromJSON for $name<T> {
            fn parse_from_json(value: Option<Value>) -> ParseResult<Self> {
                Ok(Self(value.map_or(Came::Absent, $of)))
            }
        }

        /// Requests are not serialized.
        impl<T: Type> ToJSON for $name<T> {
            fn to_json(&self) -> Option<Value> {
                None
            }
        }
    )+};
}

fields! {
    /// A field that must be present. Null is a value like any other, which few types accept.
    Required { required: true, nullable: false, of: Came::of }
    /// A field that may be left out, and cannot be null.
    Patch { required: false, nullable: false, of: or_clear }
    /// A field that may be absent or null, with the same meaning.
    Optional { required: false, nullable: true, of: or_clear }
    /// A field that may be absent, and that null clears.
    Clearable { required: false, nullable: true, of: or_clear }
}

fn or_clear<T: Taken>(value: Value) -> Came<T> {
    if value.is_null() { Came::Null } else { Came::of(value) }
}

impl<T: Default> Required<T> {
    /// The value. A fault is added to `faults`, and then the value must not be used.
    pub fn read<V: From<T>>(self, within: &str, at: &str, faults: &mut Violations) -> V {
        let value = match self.0 {
            Came::Value(value) => Some(value),
            Came::Wrong(fault) => wrong(within, at, fault, faults),
            Came::Absent | Came::Null => {
                faults.add(format!("{within}{at}"), "REQUIRED", "This field is required.");
                None
            }
        };
        value.unwrap_or_default().into()
    }
}

impl<T> Patch<T> {
    /// The value, if there is one. A fault is added to `faults`.
    pub fn read<V: From<T>>(self, within: &str, at: &str, faults: &mut Violations) -> Option<V> {
        match self.0 {
            Came::Absent => None,
            Came::Value(value) => Some(value.into()),
            Came::Wrong(fault) => wrong(within, at, fault, faults),
            Came::Null => {
                faults.add(
                    format!("{within}{at}"),
                    "NOT_NULLABLE",
                    "This field cannot be null. Leave it out to keep it.",
                );
                None
            }
        }
    }
}

impl<T> Optional<T> {
    /// The value, if there is one. A fault is added to `faults`.
    pub fn read<V: From<T>>(self, within: &str, at: &str, faults: &mut Violations) -> Option<V> {
        Clearable(self.0).read(within, at, faults).flatten()
    }
}

impl<T> Clearable<T> {
    /// The value or null, if the field is present. A fault is added to `faults`.
    pub fn read<V: From<T>>(self, within: &str, at: &str, faults: &mut Violations) -> Option<Option<V>> {
        match self.0 {
            Came::Absent => None,
            Came::Null => Some(None),
            Came::Value(value) => Some(Some(value.into())),
            Came::Wrong(fault) => wrong(within, at, fault, faults),
        }
    }
}

/// The schema of a value or null.
fn or_null<T: Type>() -> MetaSchemaRef {
    let schema = match T::schema_ref() {
        MetaSchemaRef::Inline(schema) => *schema,
        // `nullable` needs a type next to it: the type of the referenced schema.
        MetaSchemaRef::Reference(name) => {
            let mut registry = Registry::new();
            T::register(&mut registry);
            let ty = registry.schemas.get(&name).map_or("object", |schema| schema.ty);
            MetaSchema { all_of: vec![MetaSchemaRef::Reference(name)], ..MetaSchema::new(ty) }
        }
    };
    MetaSchemaRef::Inline(Box::new(MetaSchema { nullable: true, ..schema }))
}

/// A field of a response that is always present and may be null.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Nullable<T>(pub Option<T>);

impl<T, V: Into<T>> From<Option<V>> for Nullable<T> {
    fn from(value: Option<V>) -> Self {
        Self(value.map(Into::into))
    }
}

impl<T: Serialize> Serialize for Nullable<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<T: Type> Type for Nullable<T> {
    const IS_REQUIRED: bool = true;
    type RawValueType = T::RawValueType;
    type RawElementValueType = T::RawElementValueType;

    fn name() -> Cow<'static, str> {
        format!("nullable_{}", T::name()).into()
    }

    fn schema_ref() -> MetaSchemaRef {
        or_null::<T>()
    }

    fn register(registry: &mut Registry) {
        T::register(registry);
    }

    fn as_raw_value(&self) -> Option<&Self::RawValueType> {
        self.0.as_raw_value()
    }

    fn raw_element_iter<'a>(&'a self) -> Box<dyn Iterator<Item = &'a Self::RawElementValueType> + 'a> {
        self.0.raw_element_iter()
    }
}

impl<T: ToJSON> ToJSON for Nullable<T> {
    fn to_json(&self) -> Option<Value> {
        self.0.to_json()
    }
}

impl<T: ParseFromJSON> ParseFromJSON for Nullable<T> {
    fn parse_from_json(value: Option<Value>) -> ParseResult<Self> {
        Option::parse_from_json(value).map(Self).map_err(ParseError::propagate)
    }
}
