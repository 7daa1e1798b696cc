//! Request bodies in JSON, with a pointer to each fault, and response bodies in JSON.

use std::fmt;
use std::time::Duration;

use poem::http::{StatusCode, header};
use poem::{IntoResponse, Request, RequestBody, Response, Result};
use poem_openapi::payload::Payload;
use poem_openapi::registry::{MetaMediaType, MetaRequest, MetaSchemaRef, Registry};
use poem_openapi::types::{ParseFromJSON, ToJSON, Type};
use poem_openapi::{ApiExtractor, ApiExtractorType, ExtractParamOptions};
use serde::de::{Error as _, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};
use serde_path_to_error::{Path, Track};
use sha2::{Digest, Sha256};
use workscribe_core::error::{FieldError, Violations};
use workscribe_core::limits::Limit;
use workscribe_core::{Code, Error};

use crate::problem::{ApiError, JSON};
use crate::taken::{misfit, pointer};

/// The maximum size of a body, in bytes.
pub const MAX_BODY: usize = Limit::BodyBytes.default_value() as usize;
/// The maximum nesting of arrays and objects in a body. It is higher than for a document in a body, so that a document that is too
/// deep is refused with its own code.
pub const MAX_DEPTH: usize = Limit::BodyDepth.default_value() as usize;
/// A body must arrive within this time.
const READ_TIMEOUT: Duration = Duration::from_secs(Limit::BodySeconds.default_value() as u64);

/// The type of a body: an object whose fields are [`Required`](crate::Required), [`Patch`](crate::Patch) or
/// [`Clearable`](crate::Clearable).
pub trait Input: ParseFromJSON {
    /// The value that the services take.
    type Of: Send;

    /// Reads the fields. Each fault is added to `faults`, with a pointer that begins with `within`.
    fn read(self, within: &str, faults: &mut Violations) -> Self::Of;

    /// Renames a field that has an older name.
    ///
    /// # Errors
    /// The name of a field that came under both names.
    fn rename(_fields: &mut Map<String, Value>) -> Result<(), &'static str> {
        Ok(())
    }
}

/// A JSON body, as the services take it.
pub struct Body<T: Input, const IS_REQUIRED: bool = true>(pub T::Of, Digest256);

/// A JSON body that may be left out, which has the same effect as an empty object.
pub type OptionalBody<T> = Body<T, false>;

/// The SHA-256 hash of a body as the client sent it, by which a repeated request is recognized.
type Digest256 = [u8; 32];

impl<T: Input> Body<T> {
    pub(crate) const fn digest(&self) -> Digest256 {
        self.1
    }
}

impl<'a, T: Input, const IS_REQUIRED: bool> ApiExtractor<'a> for Body<T, IS_REQUIRED> {
    const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::RequestObject];

    type ParamType = ();
    type ParamRawType = ();

    fn register(registry: &mut Registry) {
        T::register(registry);
    }

    fn request_meta() -> Option<MetaRequest> {
        let content = vec![MetaMediaType { content_type: JSON, schema: T::schema_ref() }];
        Some(MetaRequest { description: None, content, required: IS_REQUIRED })
    }

    async fn from_request(
        request: &'a Request,
        body: &mut RequestBody,
        _: ExtractParamOptions<()>,
    ) -> Result<Self> {
        let is_json = request.content_type().is_some_and(is_json);
        let refusal = || Err(StatusCode::UNSUPPORTED_MEDIA_TYPE.into());
        if IS_REQUIRED && !is_json {
            return refusal();
        }
        let bytes = match read(body).await? {
            bytes if bytes.is_empty() && !IS_REQUIRED => b"{}".to_vec(),
            _ if !is_json => return refusal(),
            bytes => bytes,
        };
        Ok(Self(parse::<T>(&bytes)?, Sha256::digest(&bytes).into()))
    }
}

fn is_json(content_type: &str) -> bool {
    let essence = content_type.split(';').next().unwrap_or_default().trim();
    essence.eq_ignore_ascii_case(JSON) || (essence.starts_with("application/") && essence.ends_with("+json"))
}

pub(crate) async fn read(body: &mut RequestBody) -> Result<Vec<u8>> {
    let reading = body.take()?.into_bytes_limit(MAX_BODY);
    match tokio::time::timeout(READ_TIMEOUT, reading).await {
        Ok(bytes) => Ok(bytes?.to_vec()),
        Err(_) => Err(StatusCode::REQUEST_TIMEOUT.into()),
    }
}

/// Reads a body. All its faults are reported together, unless it is not a JSON object.
pub(crate) fn parse<T: Input>(bytes: &[u8]) -> Result<T::Of, ApiError> {
    if depth(bytes) > MAX_DEPTH {
        return Err(invalid(String::new(), "TOO_DEEP", "Nest arrays and objects at most 100 deep.").into());
    }
    let mut fields = fields(bytes)?;
    T::rename(&mut fields).map_err(|field| twice(field, &Track::new().path()))?;
    let Ok(body) = T::parse_from_json(Some(fields.into())) else {
        return Err(Error::internal("a field refused what it is to keep").into());
    };
    let mut faults = Violations::default();
    let said = body.read("", &mut faults);
    faults.into_result()?;
    Ok(said)
}

/// Reads the fields of a body.
fn fields(bytes: &[u8]) -> Result<Map<String, Value>, Error> {
    if let Ok(Fields(fields)) = serde_json::from_slice(bytes) {
        return Ok(fields);
    }
    // Reads it again, to find the place of the fault.
    let (mut json, mut track) = (serde_json::Deserializer::from_slice(bytes), Track::new());
    let fields = Fields::deserialize(serde_path_to_error::Deserializer::new(&mut json, &mut track));
    let Fields(fields) = fields.map_err(|error| refusal(&track.path(), &error))?;
    json.end().map_err(|error| malformed(&error))?;
    Ok(fields)
}

/// The fault of an object that has a field twice.
fn twice(field: &str, at: &Path) -> Error {
    Error::invalid(vec![misfit(at, &serde_json::Error::custom(format!("duplicate field `{field}`")))])
}

/// Reads an object within a body.
pub(crate) fn object<'de, T: Input, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
    let Fields(mut fields) = Fields::deserialize(deserializer)?;
    T::rename(&mut fields).map_err(|field| D::Error::custom(format!("duplicate field `{field}`")))?;
    T::parse_from_json(Some(fields.into())).map_err(|error| D::Error::custom(error.into_message()))
}

/// Allows an input as a field of another input.
macro_rules! nested {
    ($type:ty) => {
        impl<'de> ::serde::Deserialize<'de> for $type {
            fn deserialize<D: ::serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                $crate::body::object(deserializer)
            }
        }

        impl $crate::taken::Taken for $type {}
    };
}
pub(crate) use nested;

/// The fields of an object, without duplicates.
struct Fields(Map<String, Value>);

impl<'de> Deserialize<'de> for Fields {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;

        impl<'de> Visitor<'de> for Object {
            type Value = Fields;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields, A::Error> {
                let mut fields = Map::new();
                while let Some(name) = map.next_key::<String>()? {
                    let value = map.next_value()?;
                    if fields.contains_key(&name) {
                        return Err(A::Error::custom(format!("duplicate field `{name}`")));
                    }
                    fields.insert(name, value);
                }
                Ok(Fields(fields))
            }
        }

        deserializer.deserialize_map(Object)
    }
}

fn refusal(path: &Path, error: &serde_json::Error) -> Error {
    let text = error.to_string();
    // A lone surrogate is valid in the grammar of JSON (RFC 8259 §8.2), but it is not text, so it is a fault of the field.
    if text.contains("surrogate") || text.contains("unexpected end of hex escape") {
        return invalid(pointer(path), "INVALID_UNICODE", "This text holds half of a surrogate pair.");
    }
    if error.is_eof() || error.is_io() || error.is_syntax() {
        return malformed(error);
    }
    Error::invalid(vec![misfit(path, error)])
}

fn invalid(pointer: String, code: &'static str, message: &str) -> Error {
    Error::invalid(vec![FieldError { pointer, code, message: message.to_owned() }])
}

fn malformed(error: &serde_json::Error) -> Error {
    Error::new(Code::MalformedBody, format!("The body is not valid JSON: {error}."))
}

/// The nesting of arrays and objects. Brackets in strings do not count.
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

/// A type of response: poem-openapi describes it, and serde writes it.
pub trait Answer: Type + ToJSON + Serialize {}

impl<T: Type + ToJSON + Serialize> Answer for T {}

/// A JSON body of a response.
pub struct Json<T>(pub T);

impl<T: Type> Payload for Json<T> {
    const CONTENT_TYPE: &'static str = JSON;

    fn check_content_type(content_type: &str) -> bool {
        is_json(content_type)
    }

    fn schema_ref() -> MetaSchemaRef {
        T::schema_ref()
    }

    fn register(registry: &mut Registry) {
        T::register(registry);
    }
}

impl<T: Answer> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        // The written JSON must match the described one. Debug builds check this for every response.
        debug_assert_eq!(serde_json::to_value(&self.0).ok(), self.0.to_json(), "of {}", T::name());
        match serde_json::to_vec(&self.0) {
            Ok(body) => Response::builder().header(header::CONTENT_TYPE, JSON).body(body),
            Err(error) => poem::Error::from(<ApiError>::from(Error::internal(error))).into_response(),
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(unreachable_pub, reason = "other inputs are described to the world")]

    use workscribe_core::work::TaskType;

    use super::*;
    use crate::dto::inputs;
    use crate::field::{Clearable, Optional, Patch, Required};
    use crate::wire::Name;

    inputs! {
        /// A body for these tests.
        Thing(faults) {
            /// A text.
            name also "title": Required<String>,
            /// Numbers.
            list: Optional<Vec<i64>>,
            /// A name.
            kind as "type": Patch<Name<TaskType>>,
            /// Objects.
            parts: Optional<Vec<Part>>,
            /// An object.
            part: Clearable<Part>,
        } => (String, Option<Option<i64>>) = {
            let _: (Option<Vec<i64>>, Option<TaskType>) = (list, kind);
            let parts: Vec<Part> = parts.unwrap_or_default();
            for (index, part) in parts.into_iter().enumerate() {
                part.read(&format!("/parts/{index}"), faults);
            }
            (name, part.map(|part: Option<Part>| part.map(|part| part.read("/part", faults))))
        };

        /// An inner object.
        Part {
            /// A number.
            size: Required<i64>,
        } => i64 = size;
    }

    nested!(Part);

    fn faults(body: &str) -> (String, String) {
        let error = parse::<Thing>(body.as_bytes()).unwrap_err().0;
        let fields = error.fields().iter().map(|fault| format!("{} {}", fault.pointer, fault.code));
        (error.code().as_str().to_owned(), fields.collect::<Vec<_>>().join(", "))
    }

    #[test]
    fn every_fault_has_its_code_and_pointer() {
        let invalid = |field: &str| ("VALIDATION_FAILED".to_owned(), field.to_owned());
        let malformed = ("MALFORMED_BODY".to_owned(), String::new());
        assert_eq!(faults("{}"), invalid("/name REQUIRED"));
        assert_eq!(faults(r#"{"name": 5}"#), invalid("/name WRONG_TYPE"));
        assert_eq!(faults(r#"{"name": null}"#), invalid("/name WRONG_TYPE"));
        assert_eq!(faults(r#"{"name": "x", "name": "x"}"#), invalid(" WRONG_TYPE"));
        assert_eq!(
            faults(r#"{"name": "x", "title": "x"}"#),
            invalid(" WRONG_TYPE"),
            "under both of its names"
        );
        assert_eq!(faults(r#"{"name": "x", "list": [1, "y"]}"#), invalid("/list/1 WRONG_TYPE"));
        assert_eq!(faults(r#"{"name": "x", "type": 1}"#), invalid("/type WRONG_TYPE"));
        assert_eq!(faults(r#"{"name": "x", "type": "epic"}"#), invalid("/type WRONG_TYPE"));
        assert_eq!(faults(r#"{"name": "x", "type": null}"#), invalid("/type NOT_NULLABLE"));
        assert_eq!(faults(r#"{"name": "x", "type": {"bug": null}}"#), invalid("/type WRONG_TYPE"));
        assert_eq!(faults(r#"{"name": "x", "type": x}"#), malformed);
        assert_eq!(faults(r#"{"name": "\ud800"}"#), invalid("/name INVALID_UNICODE"));
        assert_eq!(faults(r#"{"name": "\udc00x"}"#), invalid("/name INVALID_UNICODE"));
        // An array with the fields in their order is not an object, at any depth.
        for array in ["[]", r#"["x", [], null, null]"#, "null", "5", "\"x\""] {
            assert_eq!(faults(array), invalid(" WRONG_TYPE"), "{array}");
        }
        assert_eq!(faults(r#"{"name": "x", "parts": [{"size": 1}, [2]]}"#), invalid("/parts/1 WRONG_TYPE"));
        assert_eq!(faults(r#"{"name": "x", "part": [1]}"#), invalid("/part WRONG_TYPE"));
        for broken in ["", "{", "{\"name\": \"x\"} x", "nul", "{'name': 1}", "\u{feff}{}"] {
            assert_eq!(faults(broken), malformed, "{broken}");
        }
        assert_eq!(faults(&("[".repeat(101) + &"]".repeat(101))), invalid(" TOO_DEEP"));
    }

    #[test]
    fn the_faults_of_all_fields_are_told_at_once() {
        let body = r#"{"list": ["y"], "type": null, "parts": [{"size": 1}, {}, {"size": "x"}], "part": {"size": true}}"#;
        let told = "/name REQUIRED, /list/0 WRONG_TYPE, /type NOT_NULLABLE, /parts/1/size REQUIRED, \
                    /parts/2/size WRONG_TYPE, /part/size WRONG_TYPE";
        assert_eq!(faults(body), ("VALIDATION_FAILED".to_owned(), told.to_owned()));
    }

    #[test]
    fn absent_null_and_a_value_are_three_things_and_an_older_name_is_taken() {
        let part = |body: &str| parse::<Thing>(body.as_bytes()).unwrap();
        assert_eq!(part(r#"{"name": "x"}"#), ("x".to_owned(), None));
        assert_eq!(part(r#"{"title": "x", "part": null}"#), ("x".to_owned(), Some(None)));
        assert_eq!(part(r#"{"name": "x", "part": {"size": 3}}"#).1, Some(Some(3)));
    }

    #[test]
    fn brackets_in_texts_are_not_depth() {
        assert_eq!(depth(br#"{"a": "[[[\"[["}"#), 1);
        assert_eq!(depth(b"[[[]],[[[]]]]"), 4);
    }
}
