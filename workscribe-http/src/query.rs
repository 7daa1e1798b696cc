//! Parameters. All are read as texts, so that a fault becomes a problem document with a pointer to the parameter. The faults of a
//! query are reported together.

use std::marker::PhantomData;
use std::ops::Deref;
use std::str::FromStr;

use poem::{Request, RequestBody, Result};
use poem_openapi::param::Header;
use poem_openapi::registry::{MetaParamIn, MetaSchema, MetaSchemaRef};
use poem_openapi::types::{ParseFromParameter, ParseResult};
use poem_openapi::{ApiExtractor, ApiExtractorType, ExtractParamOptions};
use serde_json::{Value, json};
use workscribe_core::error::{Fault, FieldError, Violations};
use workscribe_core::id::{
    CommentId, InvitationId, JobId, LabelId, NotificationId, SessionId, StatusId, TaskId, UserId,
    WebhookDeliveryId, WebhookId,
};
use workscribe_core::{Error, Target};

use crate::problem::ApiError;
use crate::reply::if_match;
use crate::time::{Date, Time};
use crate::wire::{IfMatch, Named, names, opaque};

/// A type that a parameter of a query can have.
pub trait Parameter: Sized {
    /// Its schema, with a description for operations that give none.
    fn schema() -> MetaSchema;

    /// Reads the parameter.
    ///
    /// # Errors
    /// What is wrong with the text.
    fn parse(text: &str) -> Result<Self, Fault>;
}

/// The schema of a parameter, with the description of the operation unless that is empty.
pub(crate) fn described<T: Parameter>(about: &'static str) -> MetaSchema {
    let schema = T::schema();
    MetaSchema { description: Some(about).filter(|about| !about.is_empty()).or(schema.description), ..schema }
}

/// The parameters of an operation's query, which are read together.
pub trait Parameters {
    /// The value that the services take.
    type Of: Send;

    /// The name and the schema of each parameter, in the order of the document.
    fn schemas() -> Vec<(&'static str, MetaSchema)>;

    /// Reads the parameters. Faults are added to `faults`; after one, the value must not be used.
    fn read(query: &Texts, faults: &mut Violations) -> Self::Of;
}

/// Two sets of parameters together.
impl<A: Parameters, B: Parameters> Parameters for (A, B) {
    type Of = (A::Of, B::Of);

    fn schemas() -> Vec<(&'static str, MetaSchema)> {
        A::schemas().into_iter().chain(B::schemas()).collect()
    }

    fn read(query: &Texts, faults: &mut Violations) -> Self::Of {
        (A::read(query, faults), B::read(query, faults))
    }
}

/// The parameters of a query as the client sent them.
pub struct Texts(Vec<(String, String)>);

impl Texts {
    /// The first parameter with this name, if there is one. A fault is added to `faults`.
    pub fn read<T: Parameter>(&self, name: &str, faults: &mut Violations) -> Option<T> {
        let (_, text) = self.0.iter().find(|(known, _)| known == name)?;
        faults.keep(&format!("/query/{name}"), T::parse(text))
    }
}

/// The query of a request, as the services take it. A query with faults is refused before the handler begins, and the problem lists
/// all of them.
///
/// For poem-openapi it is one parameter whose schema has a property for each; [`crate::openapi`] turns them into single parameters.
pub struct Asked<P: Parameters>(pub P::Of);

impl<P: Parameters> Deref for Asked<P> {
    type Target = P::Of;

    fn deref(&self) -> &P::Of {
        &self.0
    }
}

impl<'a, P: Parameters> ApiExtractor<'a> for Asked<P> {
    const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::Parameter];

    type ParamType = ();
    type ParamRawType = ();

    fn param_in() -> Option<MetaParamIn> {
        Some(MetaParamIn::Query)
    }

    fn param_schema_ref() -> Option<MetaSchemaRef> {
        let inline = |schema| MetaSchemaRef::Inline(Box::new(schema));
        // The properties of one object would lose their order.
        let each = |(name, schema)| {
            inline(MetaSchema { properties: vec![(name, inline(schema))], ..MetaSchema::new("object") })
        };
        let all_of = P::schemas().into_iter().map(each).collect();
        Some(inline(MetaSchema { all_of, ..MetaSchema::ANY }))
    }

    async fn from_request(
        request: &'a Request,
        _: &mut RequestBody,
        _: ExtractParamOptions<()>,
    ) -> Result<Self> {
        let query = Texts(request.params().unwrap_or_default());
        let mut faults = Violations::default();
        let said = P::read(&query, &mut faults);
        faults.into_result().map_err(<ApiError>::from)?;
        Ok(Self(said))
    }
}

/// One fault.
pub(crate) fn fault(pointer: &str, code: &'static str, message: &str) -> Error {
    Error::invalid(vec![FieldError { pointer: pointer.to_owned(), code, message: message.to_owned() }])
}

impl Parameter for bool {
    fn schema() -> MetaSchema {
        MetaSchema { default: Some(json!(false)), ..MetaSchema::new("boolean") }
    }

    fn parse(text: &str) -> Result<Self, Fault> {
        text.parse().map_err(|_| Fault::new("NOT_A_BOOLEAN", "Use true or false."))
    }
}

impl<T: Named> Parameter for T {
    fn schema() -> MetaSchema {
        names(T::names())
    }

    fn parse(text: &str) -> Result<Self, Fault> {
        T::of_name(text).ok_or_else(|| not_one_of(&T::names()))
    }
}

/// The fault of a text that is not one of the names.
pub(crate) fn not_one_of(names: &[&str]) -> Fault {
    Fault::new("NOT_ONE_OF", format!("Use one of: {}.", names.join(", ")))
}

/// The fault of a text that is not an id.
pub(crate) fn not_an_id(message: &'static str) -> Fault {
    Fault::new("NOT_AN_ID", message)
}

/// Makes a parameter of a type that has a schema and reads texts.
macro_rules! written {
    ($($type:ty: $code:literal, $message:literal;)+) => {$(
        impl Parameter for $type {
            fn schema() -> MetaSchema {
                Self::described()
            }

            fn parse(text: &str) -> Result<Self, Fault> {
                Self::parse(text).ok_or_else(|| Fault::new($code, $message))
            }
        }
    )+};
}

written! {
    Date: "NOT_A_DATE", "Write a day as YYYY-MM-DD, of the years 1 to 9999.";
    Time: "NOT_A_TIME", "Write a moment as 2026-11-23T09:30:00Z, of the years 1 to 9999.";
}

/// A kind of id that a path can contain.
pub trait Identified: FromStr {
    /// The description of the id.
    const DESCRIPTION: &'static str;

    /// The refusal of a text that is not an id: no row has it.
    fn missing() -> Error;
}

/// An id in a path, as the client sent it. A text that is not an id is treated like an unknown id.
pub struct Id<T>(String, PhantomData<fn() -> T>);

impl<T: Identified> Id<T> {
    /// The id.
    ///
    /// # Errors
    /// The refusal for an unknown id, if the text is not an id.
    pub fn read(&self) -> Result<T, Error> {
        self.0.parse().map_err(|_| T::missing())
    }

    /// The row with this id, in the version that `If-Match` asks for.
    ///
    /// # Errors
    /// The refusal for an unknown id, if the text is not an id.
    pub fn target(&self, condition: &Header<Option<IfMatch>>) -> Result<Target<T>, Error> {
        Ok(Target::new(self.read()?, if_match(condition.0.as_deref())))
    }
}

impl<T> Deref for Id<T> {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

opaque!(
    where T: Identified => Id<T>,
    "string_uuid",
    MetaSchemaRef::Inline(Box::new(MetaSchema { description: Some(T::DESCRIPTION), ..uuid() }))
);

impl<T: Identified> ParseFromParameter for Id<T> {
    fn parse_from_parameter(text: &str) -> ParseResult<Self> {
        Ok(Self(text.to_owned(), PhantomData))
    }
}

/// The schema of an id.
fn uuid() -> MetaSchema {
    MetaSchema { example: Some(Value::from(AN_ID)), ..MetaSchema::new_with_format("string", "uuid") }
}

/// The example of an id.
pub(crate) const AN_ID: &str = "019ab0c4-5d2e-7c31-9f64-0d1b2a3c4e5f";

/// Says of ids in paths what they are, and how they are refused.
macro_rules! identified {
    ($($id:ty: $description:literal, $code:ident, $missing:literal;)+) => {$(
        impl $crate::query::Identified for $id {
            const DESCRIPTION: &'static str = $description;

            fn missing() -> ::workscribe_core::Error {
                ::workscribe_core::Error::new(::workscribe_core::Code::$code, $missing)
            }
        }
    )+};
}
pub(crate) use identified;

identified! {
    SessionId: "The session's id.", SessionNotFound, "You have no session with this id.";
    UserId: "The member's user id.", MemberNotFound, "This organization has no member with this id.";
    InvitationId: "The invitation's id.", InvitationNotFound, "This organization has no such invitation.";
    StatusId: "The status's id.", StatusNotFound, "This project has no status with this id.";
    LabelId: "The label's id.", LabelNotFound, "This project has no label with this id.";
    TaskId: "The task's id.", TaskNotFound, "There is no task with this id that you may see.";
    CommentId: "The comment's id.", CommentNotFound, "This task has no comment with this id.";
    NotificationId: "The notification's id.", NotificationNotFound, "You have no notification with this id.";
    WebhookId: "The webhook's id.", WebhookNotFound, "This organization has no webhook with this id.";
    WebhookDeliveryId: "The delivery's id.", DeliveryNotFound, "This webhook has no delivery with this id.";
    JobId: "The job's id.", JobNotFound, "There is no job with this id.";
}

/// Makes an id that a query can contain.
macro_rules! asked_ids {
    ($($id:ty),+) => {$(
        impl Parameter for $id {
            fn schema() -> MetaSchema {
                uuid()
            }

            fn parse(text: &str) -> Result<Self, Fault> {
                text.parse().map_err(|_| not_an_id("Give an id."))
            }
        }
    )+};
}

asked_ids!(StatusId, LabelId);
