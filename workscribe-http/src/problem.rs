//! Errors in the API: every refusal becomes a problem document (RFC 9457), in one place.
//!
//! A handler's [`ApiError`] goes to the outermost layer unchanged. There it becomes a document with the request's id, and a line in
//! the log if the server is at fault. The refusals of poem itself (an unknown route, a wrong method, a body that is too large) get
//! the same form there.

use std::collections::BTreeMap;
use std::error::Error as StdError;
use std::sync::Arc;
use std::time::Duration;

use poem::http::{HeaderValue, StatusCode, header};
use poem::{IntoResponse, Response};
use poem_openapi::registry::{
    MetaMediaType, MetaResponse, MetaResponses, MetaSchema, MetaSchemaRef, Registry,
};
use poem_openapi::types::Type;
use poem_openapi::{ApiResponse, Object};
use serde::Serialize;
use serde_json::{Map, Value};
use workscribe_core::{Code, Error, ErrorKind};

use crate::wire;

/// The media type of JSON bodies.
pub(crate) const JSON: &str = "application/json";

/// The media type of problem documents.
pub const PROBLEM_JSON: &str = "application/problem+json";

/// The refusal of an operation that refuses with these codes.
#[derive(Debug)]
pub struct ApiError<const CODES: Codes = 0>(pub(crate) Error);

/// The result of a handler, with the codes with which its operation refuses. The codes that follow from its shape (a bearer, a
/// body, a query) are not listed.
pub type ApiResult<T, const CODES: Codes = 0> = Result<T, ApiError<CODES>>;

impl<const CODES: Codes> From<Error> for ApiError<CODES> {
    fn from(error: Error) -> Self {
        Self(error)
    }
}

/// A refusal inside of a poem error.
#[derive(Clone)]
struct Carried(Arc<Error>);

impl<const CODES: Codes> From<ApiError<CODES>> for poem::Error {
    fn from(error: ApiError<CODES>) -> Self {
        let mut carrier = Self::from_status(status_of(error.0.kind()));
        carrier.set_data(Carried(Arc::new(error.0)));
        carrier
    }
}

impl<const CODES: Codes> ApiResponse for ApiError<CODES> {
    fn meta() -> MetaResponses {
        let faults = codes(&[Code::Internal, Code::Unavailable]);
        MetaResponses { responses: refusals(CODES | faults) }
    }

    fn register(registry: &mut Registry) {
        Problem::register(registry);
    }
}

/// The responses for refusals. Each has a schema with the codes in place of the document; [`crate::openapi`] replaces it.
fn refusals(set: Codes) -> Vec<MetaResponse> {
    let mut by_status: BTreeMap<u16, Vec<Value>> = BTreeMap::new();
    for code in Code::ALL.iter().filter(|code| set & codes(&[**code]) != 0) {
        by_status.entry(status_of(code.kind()).as_u16()).or_default().push(code.as_str().into());
    }
    let response = |(status, enum_items)| {
        let schema = MetaSchemaRef::Inline(Box::new(MetaSchema { enum_items, ..MetaSchema::ANY }));
        let content = vec![MetaMediaType { content_type: PROBLEM_JSON, schema }];
        let headers = Vec::new();
        MetaResponse { description: "", status: Some(status), status_range: None, content, headers }
    };
    by_status.into_iter().map(response).collect()
}

/// A set of codes, with one bit for each.
pub type Codes = u128;

/// The set with these codes.
#[must_use]
pub const fn codes(codes: &[Code]) -> Codes {
    let (mut set, mut index) = (0, 0);
    while index < codes.len() {
        set |= 1 << codes[index] as u32;
        index += 1;
    }
    set
}

/// Sets of codes that several operations share.
pub(crate) mod refuses {
    use workscribe_core::Code::*;

    use super::{Codes, codes};

    /// For operations in an organization, which require a role.
    pub(crate) const IN_ORGANIZATION: Codes = codes(&[OrganizationNotFound, InsufficientRole]);
    /// For operations in a project.
    pub(crate) const IN_PROJECT: Codes = IN_ORGANIZATION | codes(&[ProjectNotFound]);
    /// For operations on a task.
    pub(crate) const WITH_TASK: Codes = codes(&[TaskNotFound, InsufficientRole]);
    /// For operations that change a project or its tasks.
    pub(crate) const ARCHIVED: Codes = codes(&[ProjectArchived]);
    /// For operations with a condition.
    pub(crate) const STALE: Codes = codes(&[StaleVersion]);
    /// For operations that create something, with an idempotency key.
    pub(crate) const CREATES: Codes = codes(&[LimitReached, IdempotencyInProgress, IdempotencyKeyReused]);
}

/// The status of a kind of errors.
#[must_use]
pub const fn status_of(kind: ErrorKind) -> StatusCode {
    match kind {
        ErrorKind::BadRequest => StatusCode::BAD_REQUEST,
        ErrorKind::Unauthenticated => StatusCode::UNAUTHORIZED,
        ErrorKind::Forbidden => StatusCode::FORBIDDEN,
        ErrorKind::NotFound => StatusCode::NOT_FOUND,
        ErrorKind::Conflict => StatusCode::CONFLICT,
        ErrorKind::Gone => StatusCode::GONE,
        ErrorKind::PreconditionFailed => StatusCode::PRECONDITION_FAILED,
        ErrorKind::Invalid => StatusCode::UNPROCESSABLE_ENTITY,
        ErrorKind::TooManyRequests => StatusCode::TOO_MANY_REQUESTS,
        ErrorKind::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        ErrorKind::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
    }
}

/// A fault of a field.
#[derive(Object, Serialize)]
pub struct FieldProblem {
    /// A JSON pointer (RFC 6901) into the body, or `/query/…` for a query parameter.
    pub pointer: wire::Pointer,
    /// The code of the fault, for programs.
    pub code: String,
    /// A sentence about the fault, for people.
    pub message: String,
}

/// A problem document (RFC 9457): the response to every refused request.
#[derive(Object, Serialize)]
pub struct Problem {
    /// A URN that names the kind of problem: `urn:workscribe:problem:<code in kebab-case>`.
    #[oai(rename = "type")]
    #[serde(rename = "type")]
    pub type_: String,
    /// A short summary, which is the same for every occurrence.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// A sentence about this occurrence, for people.
    pub detail: String,
    /// The stable code, for programs.
    pub code: String,
    /// The values that a translation of the sentence needs.
    pub params: BTreeMap<String, Value>,
    /// The id of the request, as in the `X-Request-Id` header and in the server's log.
    pub request_id: wire::RequestId,
    /// For a 422: all faults, by field.
    #[oai(skip_serializing_if_is_none)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub errors: Option<Vec<FieldProblem>>,
}

/// The parts of a problem document, whether a service or poem refused.
struct Refusal<'a> {
    status: StatusCode,
    code: &'a str,
    title: &'a str,
    detail: &'a str,
    params: Map<String, Value>,
    errors: Option<Vec<FieldProblem>>,
    retry_after: Option<Duration>,
}

impl Refusal<'_> {
    fn into_response(self, request_id: &str) -> Response {
        let problem = Problem {
            type_: format!("urn:workscribe:problem:{}", self.code.to_lowercase().replace('_', "-")),
            title: self.title.to_owned(),
            status: self.status.as_u16(),
            detail: self.detail.to_owned(),
            code: self.code.to_owned(),
            params: self.params.into_iter().collect(),
            request_id: request_id.into(),
            errors: self.errors,
        };
        let mut response = Response::builder()
            .status(self.status)
            .content_type(PROBLEM_JSON)
            .body(serde_json::to_string(&problem).unwrap_or_default());
        if self.status == StatusCode::UNAUTHORIZED {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if let Some(after) = self.retry_after {
            // Rounded up, so that a client that waits this long is not refused for the same reason.
            let seconds = after.as_secs() + u64::from(after.subsec_nanos() > 0);
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds.max(1)));
        }
        response
    }
}

fn from_error(error: &Error, request_id: &str) -> Response {
    let status = status_of(error.kind());
    if status.is_server_error() {
        tracing::error!(request_id, code = error.code().as_str(), cause = %chain(error), "request failed");
    }
    let fields: Vec<_> = error
        .fields()
        .iter()
        .map(|field| FieldProblem {
            pointer: (&field.pointer).into(),
            code: field.code.to_owned(),
            message: field.message.clone(),
        })
        .collect();
    Refusal {
        status,
        code: error.code().as_str(),
        title: error.code().title(),
        detail: error.detail(),
        params: error.params().clone(),
        errors: (error.kind() == ErrorKind::Invalid).then_some(fields),
        retry_after: error.retry_after(),
    }
    .into_response(request_id)
}

/// The error and its causes, for the log.
fn chain(error: &Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

/// The codes of refusals that come from poem, not from a service.
const ROUTER: &[(u16, &str, &str, &str)] = &[
    (
        400,
        "BAD_REQUEST",
        "The request is not valid",
        "The request cannot be read. Check the path and the parameters.",
    ),
    (401, "UNAUTHENTICATED", "Log in first", "Send a valid access token: Authorization: Bearer <token>."),
    (
        404,
        "NOT_FOUND",
        "No such route",
        "There is nothing at this path. See the OpenAPI document for what there is.",
    ),
    (405, "METHOD_NOT_ALLOWED", "Wrong method", "This path does not take this method; see the Allow header."),
    (
        408,
        "REQUEST_TIMEOUT",
        "The request came too slowly",
        "The body did not arrive in time. Send it again.",
    ),
    (413, "BODY_TOO_LARGE", "The body is too large", "Send at most 1 MiB."),
    (415, "UNSUPPORTED_MEDIA_TYPE", "Wrong media type", "Send JSON, with Content-Type: application/json."),
];

fn from_status(status: StatusCode, request_id: &str) -> Response {
    match ROUTER.iter().find(|row| row.0 == status.as_u16()) {
        Some((_, code, title, detail)) => {
            Refusal { status, code, title, detail, params: Map::new(), errors: None, retry_after: None }
                .into_response(request_id)
        }
        None if status.is_client_error() => Refusal {
            status,
            code: "BAD_REQUEST",
            title: status.canonical_reason().unwrap_or("Bad request"),
            detail: "The request cannot be read.",
            params: Map::new(),
            errors: None,
            retry_after: None,
        }
        .into_response(request_id),
        None => from_error(&Error::internal(format!("answered {status} without a cause")), request_id),
    }
}

/// Turns every refusal into a problem document. Other responses are not changed.
pub(crate) fn finish(answer: poem::Result<Response>, request_id: &str) -> Response {
    let response = answer.unwrap_or_else(poem::Error::into_response);
    if let Some(Carried(error)) = response.data::<Carried>() {
        return from_error(error, request_id);
    }
    let status = response.status();
    let is_refusal = status.is_client_error() || status.is_server_error();
    let is_problem = response.content_type() == Some(PROBLEM_JSON);
    // The readiness check responds 503 with its own JSON.
    let is_own_json = response.content_type() == Some(JSON);
    if is_refusal && !is_problem && !is_own_json {
        let mut problem = from_status(status, request_id);
        if let Some(allow) = response.headers().get(header::ALLOW) {
            problem.headers_mut().insert(header::ALLOW, allow.clone());
        }
        return problem;
    }
    response
}

/// The response to a panic of a handler: the same 500 as for any other fault of the server.
pub(crate) fn panicked(payload: &(dyn std::any::Any + Send), request_id: &str) -> Response {
    let text = payload.downcast_ref::<&str>().map(|text| (*text).to_owned());
    let text =
        text.or_else(|| payload.downcast_ref::<String>().cloned()).unwrap_or_else(|| "panic".to_owned());
    from_error(&Error::internal(format!("a handler panicked: {text}")), request_id)
}

impl<const CODES: Codes> IntoResponse for ApiError<CODES> {
    fn into_response(self) -> Response {
        poem::Error::from(self).into_response()
    }
}
