//! Completes the OpenAPI document that poem-openapi derives, so that linters find nothing and client generators need no manual
//! changes.
//!
//! What is added here follows from shapes: the refusals of every operation with a bearer, a body or a query; the one `Problem`
//! schema; `security`, also for operations without a token; canonical header names. Codes of single operations are in the return
//! type of their handlers ([`ApiResult`](crate::ApiResult)), and descriptions of fields and parameters are in their types.

mod whole;

use std::collections::BTreeMap;

use poem_openapi::registry::Registry;
use poem_openapi::types::Type as _;
use poem_openapi::{OpenApi, OpenApiService};
use serde_json::{Map, Value, json};
use workscribe_core::{Code, RegistrationPolicy, VERSION};

use crate::problem::{PROBLEM_JSON, Problem, status_of};
use crate::query::AN_ID;

pub use whole::whole;

const DESCRIPTION: &str = "The multi-tenant backbone of a work-management product: users and sessions, organizations with members and \
     invitations, projects with boards of tasks, comments, notifications, search and webhooks. Every refusal is a problem document \
     (RFC 9457) with a stable `code`. A resource that the caller may not see gets the same response as one that does not exist.";

/// The finished document of an API. The policy decides which of two responses a registration has.
#[must_use]
pub fn document<T: OpenApi>(apis: T, policy: RegistrationPolicy) -> Value {
    let service = OpenApiService::new(apis, "WorkScribe", VERSION);
    finish(serde_json::from_str(&service.spec()).unwrap_or_default(), policy)
}

pub(crate) fn finish(mut document: Value, policy: RegistrationPolicy) -> Value {
    document["info"]["description"] = json!(DESCRIPTION);
    document["info"]["contact"] =
        json!({"name": "WorkScribe", "url": "https://github.com/workscribe/workscribe"});
    document["info"]["license"] =
        json!({"name": "MIT OR Apache-2.0", "url": "https://spdx.org/licenses/Apache-2.0.html"});
    document["servers"] = json!([{"url": "/", "description": "The server that serves this document"}]);
    for operation in members(&mut document["paths"]).flat_map(members) {
        finish_operation(operation, policy);
    }
    // poem-openapi knows only successful responses of the operations, so it left out the schema of problems.
    let mut registry = Registry::new();
    Problem::register(&mut registry);
    for (name, schema) in &registry.schemas {
        document["components"]["schemas"][name] = json!(schema);
    }
    for schema in members(&mut document["components"]["schemas"]) {
        schema.get_mut("properties").into_iter().flat_map(members).for_each(finish_property);
    }
    document
}

fn members(value: &mut Value) -> impl Iterator<Item = &mut Value> {
    value.as_object_mut().into_iter().flat_map(|object| object.values_mut())
}

fn finish_operation(operation: &mut Value, policy: RegistrationPolicy) {
    if operation.get("description").is_none() {
        operation["description"] = json!(format!("{}.", operation["summary"].as_str().unwrap_or_default()));
    }
    let is_secured = operation.get("security").is_some();
    if !is_secured {
        operation["security"] = json!([]);
    }
    let has_body = operation.get("requestBody").is_some();
    let mut has_query = false;
    if let Some(parameters) = operation.get_mut("parameters").and_then(Value::as_array_mut) {
        *parameters = std::mem::take(parameters).into_iter().flat_map(single).collect();
        has_query = parameters.iter().any(|parameter| parameter["in"] == "query");
        parameters.iter_mut().for_each(finish_parameter);
    }
    let Some(responses) = operation["responses"].as_object_mut() else { return };
    let mut refusals = take_refusals(responses);
    let mut add = |status: u16, code: &str| {
        let codes = refusals.entry(status).or_default();
        if !codes.iter().any(|known| known == code) {
            codes.push(code.to_owned());
        }
    };
    if is_secured {
        // Any request with a token may get these: the token is invalid, too many requests, or too many at a time.
        for code in [Code::Unauthenticated, Code::RateLimited, Code::Overloaded] {
            add(status_of(code.kind()).as_u16(), code.as_str());
        }
    }
    if has_body {
        add(400, Code::MalformedBody.as_str());
        add(408, "REQUEST_TIMEOUT");
        add(413, "BODY_TOO_LARGE");
        add(415, "UNSUPPORTED_MEDIA_TYPE");
    }
    if has_body || has_query {
        add(422, Code::ValidationFailed.as_str());
    }
    if refusals.is_empty() {
        // Linters require a refusal for every operation. Each refuses a wrong method.
        refusals.insert(405, vec!["METHOD_NOT_ALLOWED".to_owned()]);
    }
    keep_one_success(responses, policy);
    responses.values_mut().for_each(finish_response);
    for (status, mut codes) in refusals {
        codes.sort();
        responses.insert(status.to_string(), problem_response(status, &codes));
    }
}

/// Removes the refusals of handlers from the responses, and returns their codes by status.
fn take_refusals(responses: &mut Map<String, Value>) -> BTreeMap<u16, Vec<String>> {
    let mut refusals = BTreeMap::new();
    responses.retain(|status, response| {
        let Some(codes) = response["content"][PROBLEM_JSON]["schema"]["enum"].as_array() else { return true };
        let codes = codes.iter().filter_map(|code| code.as_str().map(str::to_owned)).collect();
        refusals.insert(status.parse().unwrap_or_default(), codes);
        false
    });
    refusals
}

/// Generators expect one success per operation. Where there are two, one has a body and the other has none: a server that requires
/// verified addresses first uses the second.
fn keep_one_success(responses: &mut Map<String, Value>, policy: RegistrationPolicy) {
    let says_something = policy == RegistrationPolicy::Open;
    let is_success = |status: &str| status.starts_with('2');
    if responses.keys().filter(|status| is_success(status)).count() > 1 {
        responses.retain(|status, response| {
            !is_success(status) || response.get("content").is_some() == says_something
        });
    }
}

fn problem_response(status: u16, codes: &[String]) -> Value {
    let codes: Vec<_> = codes.iter().map(|code| format!("`{code}`")).collect();
    let mut response = json!({
        "description": codes.join(", "),
        "content": { PROBLEM_JSON: { "schema": { "$ref": "#/components/schemas/Problem" } } },
    });
    let header = |text: &str| json!({"description": text, "schema": {"type": "string"}});
    match status {
        401 => response["headers"] = json!({"WWW-Authenticate": header("How to authenticate: `Bearer`.")}),
        429 => {
            response["headers"] = json!({
                "Retry-After": header("How many seconds to wait before the request is sent again."),
                "RateLimit": header("What remains of each limit."),
                "RateLimit-Policy": header("Each limit and its window."),
            });
        }
        _ => {}
    }
    response
}

fn finish_response(response: &mut Value) {
    if response["description"].as_str().is_none_or(str::is_empty) {
        response["description"] = json!("The response.");
    }
    if let Some(headers) = response.get_mut("headers").and_then(Value::as_object_mut) {
        let renamed = std::mem::take(headers).into_iter().map(|(name, mut header)| {
            header.as_object_mut().map(|header| header.remove("deprecated"));
            (canonical(&name), header)
        });
        *headers = renamed.collect();
    }
}

/// A header's name as the RFCs write it; poem-openapi writes it in capitals.
fn canonical(name: &str) -> String {
    if name == "ETAG" {
        return "ETag".to_owned();
    }
    let word = |word: &str| word.chars().take(1).chain(word.to_lowercase().chars().skip(1)).collect();
    name.split('-').map(word).collect::<Vec<String>>().join("-")
}

/// Splits a query, which is one parameter for poem-openapi: a schema with a property for each ([`Asked`](crate::Asked)).
fn single(together: Value) -> Vec<Value> {
    let parts = together["schema"]["allOf"].as_array().into_iter().flatten();
    let properties = parts.filter_map(|part| part["properties"].as_object()).flatten();
    let parameter = |(name, schema): (&String, &Value)| {
        let mut parameter = together.clone();
        (parameter["name"], parameter["schema"]) = (json!(name), schema.clone());
        parameter
    };
    let parameters: Vec<_> = properties.map(parameter).collect();
    if parameters.is_empty() { vec![together] } else { parameters }
}

fn finish_parameter(parameter: &mut Value) {
    // The type's description, where the operation gives none.
    let of_type = parameter["schema"].as_object_mut().and_then(|schema| schema.remove("description"));
    let is_query = parameter["in"] == "query";
    if let Some(object) = parameter.as_object_mut() {
        object.remove("deprecated");
        object.retain(|name, _| name != "explode" || is_query);
        if let Some(description) = of_type {
            object.entry("description").or_insert(description);
        }
    }
}

fn finish_property(property: &mut Value) {
    // poem-openapi repeats the description as a schema of its own, which generators do not understand.
    if let Some(parts) = property.get_mut("allOf").and_then(Value::as_array_mut) {
        parts.retain(|part| part.get("$ref").is_some());
    }
    // Formats that generators know.
    match property["format"].as_str() {
        Some("uint16") => property["format"] = json!("int32"),
        Some("uint64") => property["format"] = json!("int64"),
        Some("uuid") => property["example"] = json!(AN_ID),
        _ => {}
    }
    if property.get("additionalProperties").is_some_and(|others| *others == json!({})) {
        property["additionalProperties"] = json!(true);
    }
}
