//! How the values of a statement are bound: all of them by one call, in the order of `$1`, `$2`, ….

use chrono::NaiveDate;
use sqlx::query::{Query, QueryAs};
use sqlx::types::{Json, Uuid};
use sqlx::{Encode, Type};
use workscribe_core::clock::Timestamp;
use workscribe_core::tenancy::OrgScope;
use workscribe_core::{every_id, id};

use super::unit::Arguments;
use super::{Db, Ts};

/// A value of the core, or of the database, as it is bound.
pub(super) trait Value<'q> {
    type Bound: Encode<'q, Db> + Type<Db> + 'q;

    fn bound(self) -> Self::Bound;
}

macro_rules! bound_as {
    ($bound:ty, |$value:ident| $bind:expr; $($type:ty),+) => {$(
        impl<'q> Value<'q> for $type {
            type Bound = $bound;

            fn bound(self) -> $bound {
                let $value = self;
                $bind
            }
        }
    )+};
}

bound_as!(Self, |value| value; Uuid, bool, i64, f64, NaiveDate, Ts, String, &'q str, &'q String, &'q [u8]);
bound_as!(i64, |number| number.into(); u16, u32);
bound_as!(&'q [u8], |bytes| bytes; &'q Vec<u8>);
bound_as!(Option<&'q str>, |text| text.as_deref(); &'q Option<String>);
bound_as!(Ts, |time| Ts(time); Timestamp);
macro_rules! bound_ids {
    ($($(#[$doc:meta])* $id:ident),+ $(,)?) => { bound_as!(Uuid, |id| id.as_uuid(); $(id::$id),+); };
}
every_id!(bound_ids);
// The organization of a scope.
bound_as!(Uuid, |scope| scope.org().as_uuid(); &OrgScope);

impl<'q, T: Value<'q>> Value<'q> for Option<T>
where
    Option<T::Bound>: Encode<'q, Db> + Type<Db>,
{
    type Bound = Option<T::Bound>;

    fn bound(self) -> Option<T::Bound> {
        self.map(T::bound)
    }
}

impl<'q, T: 'q> Value<'q> for Json<T>
where
    Self: Encode<'q, Db> + Type<Db>,
{
    type Bound = Self;

    fn bound(self) -> Self {
        self
    }
}

impl<'q, T: 'q> Value<'q> for Vec<T>
where
    Self: Encode<'q, Db> + Type<Db>,
{
    type Bound = Self;

    fn bound(self) -> Self {
        self
    }
}

/// Several values, as a tuple.
pub(super) trait Values<'q> {
    fn bind_to<B: BindAll<'q>>(self, statement: B) -> B;
}

macro_rules! tuples {
    ($first:ident $($rest:ident)*) => {
        impl<'q, $first: Value<'q>, $($rest: Value<'q>),*> Values<'q> for ($first, $($rest,)*) {
            #[expect(non_snake_case, reason = "each value has the name of its type")]
            fn bind_to<Statement: BindAll<'q>>(self, statement: Statement) -> Statement {
                let ($first, $($rest,)*) = self;
                statement.bind_one($first.bound())$(.bind_one($rest.bound()))*
            }
        }
        tuples!($($rest)*);
    };
    () => {};
}

tuples!(A B C D E F G H I J K L M N O P Q R S T U V W X);

/// A statement to which values can be bound.
pub(super) trait BindAll<'q>: Sized {
    fn bind_one<T: Encode<'q, Db> + Type<Db> + 'q>(self, value: T) -> Self;

    fn bind_all(self, values: impl Values<'q>) -> Self {
        values.bind_to(self)
    }
}

impl<'q> BindAll<'q> for Query<'q, Db, Arguments> {
    fn bind_one<T: Encode<'q, Db> + Type<Db> + 'q>(self, value: T) -> Self {
        self.bind(value)
    }
}

impl<'q, R> BindAll<'q> for QueryAs<'q, Db, R, Arguments> {
    fn bind_one<T: Encode<'q, Db> + Type<Db> + 'q>(self, value: T) -> Self {
        self.bind(value)
    }
}
