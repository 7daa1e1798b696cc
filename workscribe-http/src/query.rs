//! Parameters. All are taken as texts, so that what is wrong with one is a problem document with a pointer to it; the faults of
//! a query are told together.

use std::borrow::Cow;
use std::marker::PhantomData;
use std::ops::Deref;
use std::str::FromStr;

use poem::{Request, RequestBody, Result};
use poem_openapi::param::{Header, Query};
use poem_openapi::registry::{MetaParamIn, MetaSchema, MetaSchemaRef};
use poem_openapi::types::{ParseFromParameter, ParseResult, Type};
use poem_openapi::{ApiExtractor, ApiExtractorType, ExtractParamOptions};
use serde_json::{Value, json};
use workscribe_core::error::{Fault, FieldError, Violations};
use workscribe_core::id::{
    CommentId, InvitationId, JobId, LabelId, NotificationId, SessionId, StatusId, TaskId, UserId,
    WebhookDeliveryId, WebhookId,
};
use workscribe_core::page::PageRequest;
use workscribe_core::{Code, Error, Target};

use crate::reply::if_match;
use crate::time::{Date, Time};
use crate::wire::{IfMatch, Named, names};

/// What a parameter of a query can be.
pub trait Parameter: Sized {
    /// What it looks like, and what it is where the operation does not say.
    fn schema() -> MetaSchema;

    /// Reads it.
    ///
    /// # Errors
    /// What is wrong with it.
    fn parse(text: &str) -> Result<Self, Fault>;
}

/// A parameter of a query, if it was given.
pub struct Asked<T> {
    name: &'static str,
    text: Option<String>,
    of: PhantomData<fn() -> T>,
}

impl<T: Parameter> Asked<T> {
    /// A parameter that the operation does not take.
    pub(crate) const fn none() -> Self {
        Self { name: "", text: None, of: PhantomData }
    }

    /// Its value, if it was given. A fault is noted.
    pub fn read(self, faults: &mut Violations) -> Option<T> {
        faults.keep(&format!("/query/{}", self.name), T::parse(&self.text?))
    }

    /// As [`Asked::read`], of a parameter that must be given.
    pub fn required(self, message: &'static str, faults: &mut Violations) -> Option<T> {
        if self.text.is_none() {
            faults.add(format!("/query/{}", self.name), "REQUIRED", message);
        }
        self.read(faults)
    }
}

impl<'a, T: Parameter> ApiExtractor<'a> for Asked<T> {
    const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::Parameter];

    type ParamType = ();
    type ParamRawType = ();

    fn param_in() -> Option<MetaParamIn> {
        Some(MetaParamIn::Query)
    }

    fn param_schema_ref() -> Option<MetaSchemaRef> {
        Some(MetaSchemaRef::Inline(Box::new(T::schema())))
    }

    async fn from_request(
        request: &'a Request,
        body: &mut RequestBody,
        options: ExtractParamOptions<()>,
    ) -> Result<Self> {
        let name = options.name;
        let options = ExtractParamOptions { name, ..ExtractParamOptions::default() };
        let Query(text) = Query::<Option<String>>::from_request(request, body, options).await?;
        Ok(Self { name, text, of: PhantomData })
    }
}

/// Reads parameters, and tells the faults of all.
pub(crate) fn read<T>(read: impl FnOnce(&mut Violations) -> T) -> Result<T, Error> {
    let mut faults = Violations::default();
    let value = read(&mut faults);
    faults.into_result()?;
    Ok(value)
}

/// One fault.
pub(crate) fn fault(pointer: &str, code: &'static str, message: &str) -> Error {
    Error::invalid(vec![FieldError { pointer: pointer.to_owned(), code, message: message.to_owned() }])
}

/// Items on a page.
pub(crate) struct PageLimit(pub(crate) u32);

impl Parameter for PageLimit {
    fn schema() -> MetaSchema {
        MetaSchema {
            description: Some("Items on a page: 1–100, 25 unless given."),
            minimum: Some(1.0),
            maximum: Some(PageRequest::MAX_LIMIT.into()),
            default: Some(json!(PageRequest::DEFAULT_LIMIT)),
            ..MetaSchema::new_with_format("integer", "int32")
        }
    }

    fn parse(text: &str) -> Result<Self, Fault> {
        let limit = text.parse().ok().filter(|limit| (1..=PageRequest::MAX_LIMIT).contains(limit));
        limit.map(Self).ok_or_else(|| Fault::new("OUT_OF_RANGE", "The limit must be between 1 and 100."))
    }
}

/// Where a page begins.
pub(crate) struct PageCursor(pub(crate) String);

impl Parameter for PageCursor {
    fn schema() -> MetaSchema {
        let description = Some("The `next_cursor` of the page before.");
        MetaSchema { description, max_length: Some(64), ..MetaSchema::new("string") }
    }

    fn parse(text: &str) -> Result<Self, Fault> {
        Ok(Self(text.to_owned()))
    }
}

impl Parameter for bool {
    fn schema() -> MetaSchema {
        MetaSchema { default: Some(json!(false)), ..MetaSchema::new("boolean") }
    }

    fn parse(text: &str) -> Result<Self, Fault> {
        text.parse().map_err(|_| Fault::new("NOT_A_BOOLEAN", "Use true or false."))
    }
}

/// Whether the total is wanted.
pub(crate) struct PageCount(pub(crate) bool);

impl Parameter for PageCount {
    fn schema() -> MetaSchema {
        MetaSchema { description: Some("Whether to answer the `total`."), ..bool::schema() }
    }

    fn parse(text: &str) -> Result<Self, Fault> {
        bool::parse(text).map(Self)
    }
}

/// Which page of a list is wanted.
pub(crate) type Window = (Asked<PageLimit>, Asked<PageCursor>, Asked<PageCount>);

/// Reads what every list takes, by the list's own way to begin a page.
pub(crate) fn window<T>(
    (limit, cursor, count): Window,
    faults: &mut Violations,
    page: impl FnOnce(Option<i64>, Option<&str>, bool) -> Result<T, Error>,
) -> Option<T> {
    let limit = limit.read(faults).map(|limit| limit.0.into());
    let cursor = cursor.read(faults).map(|cursor| cursor.0);
    let count = count.read(faults).is_some_and(|count| count.0);
    page(limit, cursor.as_deref(), count)
        .map_err(|error| {
            for fault in error.fields() {
                faults.add(&*fault.pointer, fault.code, &*fault.message);
            }
        })
        .ok()
}

/// Reads what every list takes, beside its other parameters.
pub(crate) fn page(window: Window, faults: &mut Violations) -> PageRequest {
    self::window(window, faults, PageRequest::new).unwrap_or(PageRequest::first())
}

/// Reads what a list takes that takes nothing else.
pub(crate) fn only_page(
    limit: Asked<PageLimit>,
    cursor: Asked<PageCursor>,
    count: Asked<PageCount>,
) -> Result<PageRequest, Error> {
    read(|faults| page((limit, cursor, count), faults))
}

impl<T: Named> Parameter for T {
    fn schema() -> MetaSchema {
        names(T::names())
    }

    fn parse(text: &str) -> Result<Self, Fault> {
        T::of_name(text).ok_or_else(|| not_one_of(&T::names()))
    }
}

/// The fault of a text that is none of some names.
pub(crate) fn not_one_of(names: &[&str]) -> Fault {
    Fault::new("NOT_ONE_OF", format!("Use one of: {}.", names.join(", ")))
}

/// What an id in a query looks like where it may be `none` too.
pub(crate) fn id_or_none() -> MetaSchema {
    MetaSchema { max_length: Some(36), example: Some(json!("none")), ..MetaSchema::new("string") }
}

/// The fault of a text that is no id.
pub(crate) fn not_an_id(message: &'static str) -> Fault {
    Fault::new("NOT_AN_ID", message)
}

impl Parameter for Date {
    fn schema() -> MetaSchema {
        Self::described()
    }

    fn parse(text: &str) -> Result<Self, Fault> {
        let message = "Write a day as YYYY-MM-DD, of the years 1 to 9999.";
        Self::parse(text).ok_or_else(|| Fault::new("NOT_A_DATE", message))
    }
}

impl Parameter for Time {
    fn schema() -> MetaSchema {
        Self::described()
    }

    fn parse(text: &str) -> Result<Self, Fault> {
        let message = "Write a moment as 2026-11-23T09:30:00Z, of the years 1 to 9999.";
        Self::parse(text).ok_or_else(|| Fault::new("NOT_A_TIME", message))
    }
}

/// An id of the domain in a path.
pub trait Identified: FromStr {
    /// Of what it is the id.
    const DESCRIPTION: &'static str;

    /// The refusal of a text that is no id: nothing has it.
    fn missing() -> Error;
}

/// An id in a path, as it came. A text that is no id is the id of nothing.
pub struct Id<T>(String, PhantomData<fn() -> T>);

impl<T: Identified> Id<T> {
    /// The id.
    ///
    /// # Errors
    /// That there is nothing with it.
    pub fn read(&self) -> Result<T, Error> {
        self.0.parse().map_err(|_| T::missing())
    }

    /// The row with this id, in the version that `If-Match` asks for.
    ///
    /// # Errors
    /// That there is nothing with this id.
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

impl<T: Identified> Type for Id<T> {
    const IS_REQUIRED: bool = true;
    type RawValueType = Self;
    type RawElementValueType = Self;

    fn name() -> Cow<'static, str> {
        "string_uuid".into()
    }

    fn schema_ref() -> MetaSchemaRef {
        MetaSchemaRef::Inline(Box::new(MetaSchema { description: Some(T::DESCRIPTION), ..uuid() }))
    }

    fn as_raw_value(&self) -> Option<&Self> {
        Some(self)
    }

    fn raw_element_iter<'a>(&'a self) -> Box<dyn Iterator<Item = &'a Self> + 'a> {
        Box::new(std::iter::once(self))
    }
}

impl<T: Identified> ParseFromParameter for Id<T> {
    fn parse_from_parameter(text: &str) -> ParseResult<Self> {
        Ok(Self(text.to_owned(), PhantomData))
    }
}

/// What an id looks like.
fn uuid() -> MetaSchema {
    MetaSchema { example: Some(Value::from(AN_ID)), ..MetaSchema::new_with_format("string", "uuid") }
}

/// An id like any other.
pub(crate) const AN_ID: &str = "019ab0c4-5d2e-7c31-9f64-0d1b2a3c4e5f";

macro_rules! ids {
    ($($id:ty: $description:literal, $code:ident, $missing:literal;)+) => {$(
        impl Identified for $id {
            const DESCRIPTION: &'static str = $description;

            fn missing() -> Error {
                Error::new(Code::$code, $missing)
            }
        }
    )+};
}

ids! {
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

/// Makes an id that a query can have.
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
