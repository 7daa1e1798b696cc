//! Bodies: JSON in, with a pointer to whatever is wrong in it, and JSON out.

use std::fmt;
use std::marker::PhantomData;
use std::time::Duration;

use poem::http::{StatusCode, header};
use poem::{IntoResponse, Request, RequestBody, Response, Result};
use poem_openapi::payload::Payload;
use poem_openapi::registry::{MetaMediaType, MetaRequest, MetaSchemaRef, Registry};
use poem_openapi::types::{MaybeUndefined, ToJSON, Type};
use poem_openapi::{ApiExtractor, ApiExtractorType, ExtractParamOptions};
use serde::de::value::MapAccessDeserializer;
use serde::de::{DeserializeOwned, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use sha2::{Digest, Sha256};
use workscribe_core::error::FieldError;
use workscribe_core::limits::Limit;
use workscribe_core::{Code, Error};

use crate::problem::{ApiError, JSON};

/// The largest body, in bytes.
pub const MAX_BODY: usize = Limit::BodyBytes.default_value() as usize;
/// The deepest nesting of arrays and objects in a body: more than a document in it may have, so that one that is too deep
/// is refused by its own name.
pub const MAX_DEPTH: usize = Limit::BodyDepth.default_value() as usize;
/// A body must have arrived after this time.
const READ_TIMEOUT: Duration = Duration::from_secs(Limit::BodySeconds.default_value() as u64);

/// A JSON body.
pub struct Body<T>(pub T, Digest256);

/// The SHA-256 of a body as it came, by which a repeated request is known.
#[derive(Clone, Copy, Default)]
pub(crate) struct Digest256(pub(crate) [u8; 32]);

impl<T> Body<T> {
    /// A body to answer with.
    pub fn new(value: T) -> Self {
        Self(value, Digest256::default())
    }

    pub(crate) fn digest(&self) -> [u8; 32] {
        self.1.0
    }
}

impl<T: Type> Payload for Body<T> {
    const CONTENT_TYPE: &'static str = JSON;

    fn check_content_type(content_type: &str) -> bool {
        let essence = content_type.split(';').next().unwrap_or_default().trim();
        essence.eq_ignore_ascii_case(JSON)
            || (essence.starts_with("application/") && essence.ends_with("+json"))
    }

    fn schema_ref() -> MetaSchemaRef {
        T::schema_ref()
    }

    fn register(registry: &mut Registry) {
        T::register(registry);
    }
}

impl<'a, T: Type + DeserializeOwned + Send> ApiExtractor<'a> for Body<T> {
    const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::RequestObject];

    type ParamType = ();
    type ParamRawType = ();

    fn register(registry: &mut Registry) {
        T::register(registry);
    }

    fn request_meta() -> Option<MetaRequest> {
        Some(request_meta::<T>(true))
    }

    async fn from_request(
        request: &'a Request,
        body: &mut RequestBody,
        _: ExtractParamOptions<()>,
    ) -> Result<Self> {
        if !request.content_type().is_some_and(Self::check_content_type) {
            return Err(StatusCode::UNSUPPORTED_MEDIA_TYPE.into());
        }
        let bytes = read(body).await?;
        let digest = Digest256(Sha256::digest(&bytes).into());
        Ok(Self(parse(&bytes)?, digest))
    }
}

/// A JSON body that may be left out.
pub struct OptionalBody<T>(pub T);

impl<'a, T: Type + DeserializeOwned + Default + Send> ApiExtractor<'a> for OptionalBody<T> {
    const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::RequestObject];

    type ParamType = ();
    type ParamRawType = ();

    fn register(registry: &mut Registry) {
        T::register(registry);
    }

    fn request_meta() -> Option<MetaRequest> {
        Some(request_meta::<T>(false))
    }

    async fn from_request(
        request: &'a Request,
        body: &mut RequestBody,
        _: ExtractParamOptions<()>,
    ) -> Result<Self> {
        let bytes = read(body).await?;
        if bytes.is_empty() {
            return Ok(Self(T::default()));
        }
        if !request.content_type().is_some_and(Body::<T>::check_content_type) {
            return Err(StatusCode::UNSUPPORTED_MEDIA_TYPE.into());
        }
        Ok(Self(parse(&bytes)?))
    }
}

fn request_meta<T: Type>(required: bool) -> MetaRequest {
    let content = vec![MetaMediaType { content_type: JSON, schema: T::schema_ref() }];
    MetaRequest { description: None, content, required }
}

pub(crate) async fn read(body: &mut RequestBody) -> Result<Vec<u8>> {
    let reading = body.take()?.into_bytes_limit(MAX_BODY);
    match tokio::time::timeout(READ_TIMEOUT, reading).await {
        Ok(bytes) => Ok(bytes?.to_vec()),
        Err(_) => Err(StatusCode::REQUEST_TIMEOUT.into()),
    }
}

pub(crate) fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, ApiError> {
    if depth(bytes) > MAX_DEPTH {
        return Err(
            invalid(String::new(), "TOO_DEEP", "Nest arrays and objects at most 100 deep.".into()).into()
        );
    }
    let mut json = serde_json::Deserializer::from_slice(bytes);
    let FromObject(value) = serde_path_to_error::deserialize(&mut json).map_err(refusal)?;
    json.end().map_err(|error| malformed(&error))?;
    Ok(value)
}

/// What is read from a JSON object alone: for a struct, serde takes an array of its fields too.
struct FromObject<T>(T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for FromObject<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for Object<T> {
            type Value = T;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<T, A::Error> {
                T::deserialize(MapAccessDeserializer::new(map))
            }
        }

        deserializer.deserialize_map(Object(PhantomData)).map(Self)
    }
}

/// Reads a list of objects, for `deserialize_with`.
pub(crate) fn objects<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Vec<T>, D::Error> {
    let list = Vec::<FromObject<T>>::deserialize(deserializer)?;
    Ok(list.into_iter().map(|FromObject(item)| item).collect())
}

/// Reads an object that may be null, for `deserialize_with` beside `default`.
pub(crate) fn object_or_null<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<MaybeUndefined<T>, D::Error> {
    Ok(match Option::<FromObject<T>>::deserialize(deserializer)? {
        Some(FromObject(value)) => MaybeUndefined::Value(value),
        None => MaybeUndefined::Null,
    })
}

fn refusal(error: serde_path_to_error::Error<serde_json::Error>) -> ApiError {
    let pointer = pointer(error.path());
    let cause = error.inner();
    let text = cause.to_string();
    let sentence = text.split(" at line ").next().unwrap_or(&text).to_owned();
    // A lone surrogate is JSON by its grammar (RFC 8259 §8.2) and no text, so it is a fault of the field.
    if text.contains("surrogate") || text.contains("unexpected end of hex escape") {
        return invalid(pointer, "INVALID_UNICODE", "This text holds half of a surrogate pair.".into())
            .into();
    }
    if cause.is_eof() || cause.is_io() || cause.is_syntax() {
        return malformed(cause).into();
    }
    match sentence.strip_prefix("missing field `").and_then(|rest| rest.strip_suffix('`')) {
        Some(field) => {
            invalid(format!("{pointer}/{field}"), "REQUIRED", "This field is required.".into()).into()
        }
        None => invalid(pointer, "WRONG_TYPE", format!("This value cannot be used: {sentence}.")).into(),
    }
}

fn pointer(path: &serde_path_to_error::Path) -> String {
    use serde_path_to_error::Segment;
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

fn invalid(pointer: String, code: &'static str, message: String) -> Error {
    Error::invalid(vec![FieldError { pointer, code, message }])
}

fn malformed(error: &serde_json::Error) -> Error {
    Error::new(Code::MalformedBody, format!("The body is not valid JSON: {error}."))
}

/// How deep arrays and objects are nested, brackets within texts left aside.
fn depth(bytes: &[u8]) -> usize {
    let (mut depth, mut deepest, mut in_text, mut escaped) = (0_usize, 0, false, false);
    for byte in bytes {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_text => escaped = true,
            b'"' => in_text = !in_text,
            b'[' | b'{' if !in_text => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b']' | b'}' if !in_text => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

/// A field that can be left out, and cannot be null.
pub(crate) fn not_null<T>(pointer: &str, field: MaybeUndefined<T>) -> Result<Option<T>, Error> {
    match field {
        MaybeUndefined::Undefined => Ok(None),
        MaybeUndefined::Value(value) => Ok(Some(value)),
        MaybeUndefined::Null => Err(Error::invalid(vec![FieldError {
            pointer: pointer.to_owned(),
            code: "NOT_NULLABLE",
            message: "This field cannot be null. Leave it out to keep it.".into(),
        }])),
    }
}

/// A field that can be left out, and that null clears.
pub(crate) fn nullable<T>(field: MaybeUndefined<T>) -> Option<Option<T>> {
    match field {
        MaybeUndefined::Undefined => None,
        MaybeUndefined::Null => Some(None),
        MaybeUndefined::Value(value) => Some(Some(value)),
    }
}

/// What can be answered: poem-openapi describes it, serde writes it.
pub trait Answer: Type + ToJSON + Serialize {}

impl<T: Type + ToJSON + Serialize> Answer for T {}

impl<T: Answer> IntoResponse for Body<T> {
    fn into_response(self) -> Response {
        // What is written is what is described: while tests run, of every answer.
        debug_assert_eq!(serde_json::to_value(&self.0).ok(), self.0.to_json(), "of {}", T::name());
        match serde_json::to_vec(&self.0) {
            Ok(body) => Response::builder().header(header::CONTENT_TYPE, JSON).body(body),
            Err(error) => poem::Error::from(ApiError::from(Error::internal(error))).into_response(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Deserialize)]
    #[expect(dead_code, reason = "only the errors are looked at")]
    struct Input {
        name: String,
        list: Option<Vec<u32>>,
        kind: Option<Kind>,
        #[serde(default, deserialize_with = "objects")]
        parts: Vec<Part>,
        #[serde(default, deserialize_with = "object_or_null")]
        part: MaybeUndefined<Part>,
    }

    #[derive(Debug, Deserialize)]
    #[expect(dead_code, reason = "only the errors are looked at")]
    struct Part {
        size: u32,
    }

    crate::wire::wire_names! {
        /// Kinds.
        Kind = workscribe_core::work::TaskType {
            /// One.
            Task = "task",
            /// Another.
            Story = "story",
            /// A third.
            Bug = "bug",
            /// A fourth.
            Subtask = "subtask",
        }
    }

    fn fault(body: &str) -> (String, String) {
        let error = parse::<Input>(body.as_bytes()).unwrap_err().0;
        let field = error.fields().first();
        (
            error.code().as_str().to_owned(),
            field.map(|f| format!("{} {}", f.pointer, f.code)).unwrap_or_default(),
        )
    }

    #[test]
    fn every_fault_has_its_code_and_pointer() {
        let invalid = |field: &str| ("VALIDATION_FAILED".to_owned(), field.to_owned());
        let malformed = ("MALFORMED_BODY".to_owned(), String::new());
        assert_eq!(fault("{}"), invalid("/name REQUIRED"));
        assert_eq!(fault(r#"{"name": 5}"#), invalid("/name WRONG_TYPE"));
        assert_eq!(fault(r#"{"name": null}"#), invalid("/name WRONG_TYPE"));
        assert_eq!(fault(r#"{"name": "x", "list": [1, "y"]}"#), invalid("/list/1 WRONG_TYPE"));
        assert_eq!(fault(r#"{"name": "x", "kind": 1}"#), invalid("/kind WRONG_TYPE"));
        assert_eq!(fault(r#"{"name": "x", "kind": "epic"}"#), invalid("/kind WRONG_TYPE"));
        assert_eq!(fault(r#"{"name": "x", "kind": {"bug": null}}"#), invalid("/kind WRONG_TYPE"));
        assert_eq!(fault(r#"{"name": "x", "kind": x}"#), malformed);
        assert_eq!(fault(r#"{"name": "\ud800"}"#), invalid("/name INVALID_UNICODE"));
        assert_eq!(fault(r#"{"name": "\udc00x"}"#), invalid("/name INVALID_UNICODE"));
        // An array with the fields in their order is no object, at whatever depth.
        for array in ["[]", r#"["x", [], null, null]"#, "null", "5", "\"x\""] {
            assert_eq!(fault(array), invalid(" WRONG_TYPE"), "{array}");
        }
        assert_eq!(fault(r#"{"name": "x", "parts": [{"size": 1}, [2]]}"#), invalid("/parts/1 WRONG_TYPE"));
        assert_eq!(fault(r#"{"name": "x", "part": [1]}"#), invalid("/part WRONG_TYPE"));
        for broken in ["", "{", "{\"name\": \"x\"} x", "nul", "{'name': 1}", "\u{feff}{}"] {
            assert_eq!(fault(broken), malformed, "{broken}");
        }
        assert_eq!(fault(&("[".repeat(101) + &"]".repeat(101))), invalid(" TOO_DEEP"));
    }

    #[test]
    fn brackets_in_texts_are_not_depth() {
        assert_eq!(depth(br#"{"a": "[[[\"[["}"#), 1);
        assert_eq!(depth(b"[[[]],[[[]]]]"), 4);
    }
}
