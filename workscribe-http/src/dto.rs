//! Macros that declare APIs, parameters and bodies, each with the value of the domain that it is made into or from. Documents, JSON
//! and conversions come from one declaration.

/// Makes an API of an application: a struct and its constructor.
macro_rules! api {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        pub struct $name {
            app: ::workscribe_core::WorkScribe,
        }

        impl $name {
            /// Makes the API of an application.
            #[must_use]
            pub fn new(app: &::workscribe_core::WorkScribe) -> Self {
                Self { app: app.clone() }
            }
        }
    };
}
pub(crate) use api;

/// Makes the parameters of a query, and the value that the service takes: an expression of the parameters, each `None` if it is
/// absent or has a fault. A parameter has its own name, or another one in the query (`as`). It has the description of its type
/// unless a comment gives one.
macro_rules! params {
    ($(
        $(#[$doc:meta])*
        $vis:vis $name:ident $(($faults:ident))? {
            $($(#[doc = $about:literal])* $param:ident $(as $wire:literal)?: $type:ty),* $(,)?
        } => $of:ty = $value:expr;
    )+) => {$(
        $(#[$doc])*
        $vis struct $name;

        impl $crate::query::Parameters for $name {
            type Of = $of;

            fn schemas() -> Vec<(&'static str, ::poem_openapi::registry::MetaSchema)> {
                vec![$((
                    $crate::dto::on_the_wire!($param $($wire)?),
                    $crate::query::described::<$type>(concat!($($about),*).trim_ascii()),
                )),*]
            }

            fn read(
                query: &$crate::query::Texts,
                noted: &mut ::workscribe_core::error::Violations,
            ) -> $of {
                $(let $param = query.read::<$type>($crate::dto::on_the_wire!($param $($wire)?), noted);)*
                $(let $faults = noted;)?
                $value
            }
        }
    )+};
}
pub(crate) use params;

/// The name of a field or a parameter in the API.
macro_rules! on_the_wire {
    ($name:ident) => {
        stringify!($name)
    };
    ($name:ident $wire:literal) => {
        $wire
    };
}
pub(crate) use on_the_wire;

/// Makes responses from types of the domain. A field has the value of the domain's field of the same name, or of an expression
/// (`=`). It has its own name, or another one in JSON (`as`).
macro_rules! answers {
    ($(
        $(#[$doc:meta])*
        $name:ident of $domain:tt: $of:ty {
            $($(#[$field_doc:meta])* $field:ident $(as $wire:literal)?: $type:ty $(= $value:expr)?),* $(,)?
        }
    )+) => {$(
        $(#[$doc])*
        #[derive(::poem_openapi::Object, ::serde::Serialize)]
        pub struct $name {
            $($(#[$field_doc])* $(#[oai(rename = $wire)] #[serde(rename = $wire)])? pub $field: $type,)*
        }

        impl From<$of> for $name {
            fn from($domain: $of) -> Self {
                Self { $($field: $crate::dto::shown!($domain $field $(= $value)?)),* }
            }
        }
    )+};
}
pub(crate) use answers;

macro_rules! shown {
    ($domain:tt $field:ident) => {
        $domain.$field.into()
    };
    ($domain:tt $field:ident = $value:expr) => {
        $value.into()
    };
}
pub(crate) use shown;

/// Makes pages of lists: the type of the items, and the name of their field.
macro_rules! lists {
    ($($(#[$doc:meta])* $name:ident { $(#[$items_doc:meta])* $items:ident: $item:ty })+) => {$(
        $(#[$doc])*
        #[derive(::poem_openapi::Object, ::serde::Serialize)]
        pub struct $name {
            $(#[$items_doc])*
            pub $items: Vec<$item>,
            /// The `cursor` for the next page; null on the last page.
            pub next_cursor: $crate::field::Nullable<String>,
            /// The number of all items of the list. The response has it if the request has `count=true`.
            #[oai(skip_serializing_if_is_none)]
            #[serde(skip_serializing_if = "Option::is_none")]
            pub total: Option<i64>,
        }

        impl<T: Into<$item>> From<::workscribe_core::page::Page<T>> for $name {
            fn from(page: ::workscribe_core::page::Page<T>) -> Self {
                let $items = page.items.into_iter().map(Into::into).collect();
                Self { $items, next_cursor: page.next_cursor.into(), total: page.total }
            }
        }
    )+};
}
pub(crate) use lists;

/// Makes request bodies, and the value that the service takes: an expression of the fields, after the faults of all of them were
/// collected. A field has its own name, or another one in JSON (`as`), and may also have an older name (`also`).
macro_rules! inputs {
    ($(
        $(#[$doc:meta])*
        $name:ident $(($faults:ident))? {
            $($(#[$field_doc:meta])* $field:ident $(as $wire:literal)? $(also $older:literal)?: $type:ty),* $(,)?
        } => $of:ty = $value:expr;
    )+) => {$(
        $(#[$doc])*
        #[derive(::poem_openapi::Object)]
        pub struct $name {
            $($(#[$field_doc])* $(#[oai(rename = $wire)])? pub $field: $type,)*
        }

        impl $crate::body::Input for $name {
            type Of = $of;

            fn read(self, within: &str, noted: &mut ::workscribe_core::error::Violations) -> $of {
                $(let $field = self.$field.read(within, concat!("/", $crate::dto::on_the_wire!($field $($wire)?)), noted);)*
                $(let $faults = noted;)?
                $value
            }

            $($(
                fn rename(
                    fields: &mut ::serde_json::Map<String, ::serde_json::Value>,
                ) -> Result<(), &'static str> {
                    let Some(value) = fields.remove($older) else { return Ok(()) };
                    match fields.insert(stringify!($field).to_owned(), value) {
                        Some(_) => Err(stringify!($field)),
                        None => Ok(()),
                    }
                }
            )?)*
        }
    )+};
}
pub(crate) use inputs;
