//! The OpenAPI document as a product: what poem-openapi derives, completed so that linters find nothing and client
//! generators need no edits.
//!
//! What is added here: the refusals of every operation with their codes and the one `Problem` schema; which fields are
//! null; security, also where there is none; examples; canonical header names. A new operation needs a row
//! in `refusals` if it refuses more than its shape tells.

use std::collections::BTreeSet;
use std::sync::Arc;

use async_trait::async_trait;
use poem_openapi::registry::Registry;
use poem_openapi::types::Type as _;
use poem_openapi::{OpenApi, OpenApiService};
use serde_json::{Map, Value, json};
use workscribe_core::identity::{SecretKey, SecretRing};
use workscribe_core::outbox::JobState;
use workscribe_core::ports::Secret;
use workscribe_core::search::SearchKind;
use workscribe_core::webhooks::DeliveryStatus;
use workscribe_core::work::{Priority, StatusCategory, TaskSort, TaskType};
use workscribe_core::{
    Code, NotReady, RegistrationPolicy, Storage, StoreError, UnitOfWork, VERSION, WorkScribe,
};

use crate::problem::{PROBLEM_JSON, Problem, status_of};
use crate::tasks::SORTS_ACROSS;

const DESCRIPTION: &str = "The multi-tenant backbone of a work-management product: users and sessions, organizations with members and \
     invitations, projects with boards of tasks, comments, notifications, search and webhooks. Every refusal is a problem document (RFC 9457) with a stable `code`. What a caller may not see is \
     answered like what does not exist.";

/// The codes that an operation refuses with, besides those that follow from its shape (a body, a page, a bearer).
fn refusals(operation: &str) -> &'static [Code] {
    use Code::*;
    match operation {
        "register" => &[EmailTaken, RateLimited, Overloaded],
        "login" => &[InvalidCredentials, AccountDisabled, EmailNotVerified, RateLimited, Overloaded],
        "refresh" => &[InvalidRefreshToken, TokenReused],
        "forgotPassword" | "resendVerification" => &[RateLimited],
        "resetPassword" => &[InvalidToken, RateLimited, Overloaded],
        "verifyEmail" => &[InvalidToken, RateLimited],
        "changePassword" => &[InvalidCredentials, RateLimited, Overloaded],
        "updateMe" => &[StaleVersion],
        "endSession" => &[SessionNotFound],
        "getInvitation" => &[InvitationNotFound, InvitationExpired, RateLimited],
        "acceptInvitation" => &[
            LoginRequired,
            Unauthenticated,
            EmailMismatch,
            InvitationNotFound,
            InvitationExpired,
            AlreadyMember,
            LimitReached,
            RateLimited,
            Overloaded,
        ],
        "createOrganization" => &[SlugTaken, LimitReached, IdempotencyInProgress, IdempotencyKeyReused],
        "getOrganization" | "listMembers" => &[OrganizationNotFound],
        "updateOrganization" => &[OrganizationNotFound, InsufficientRole, SlugTaken, StaleVersion],
        "deleteOrganization" => &[OrganizationNotFound, InsufficientRole, StaleVersion],
        "exportOrganization" => &[OrganizationNotFound, InsufficientRole, Overloaded],
        "inviteMember" => &[
            OrganizationNotFound,
            InsufficientRole,
            EmailNotVerified,
            AlreadyMember,
            LimitReached,
            IdempotencyInProgress,
            IdempotencyKeyReused,
            RateLimited,
        ],
        "listInvitations" => &[OrganizationNotFound, InsufficientRole],
        "resendInvitation" => &[
            OrganizationNotFound,
            InsufficientRole,
            EmailNotVerified,
            InvitationNotFound,
            InvitationAccepted,
            RateLimited,
        ],
        "revokeInvitation" => {
            &[OrganizationNotFound, InsufficientRole, InvitationNotFound, InvitationAccepted, StaleVersion]
        }
        "updateMember" | "removeMember" => {
            &[OrganizationNotFound, InsufficientRole, MemberNotFound, LastOwner, StaleVersion]
        }
        "listProjects" | "listMyTasks" | "listActivity" | "search" | "listWebhooks" => {
            &[OrganizationNotFound, InsufficientRole]
        }
        "createProject" => &[
            OrganizationNotFound,
            InsufficientRole,
            KeyTaken,
            LimitReached,
            IdempotencyInProgress,
            IdempotencyKeyReused,
        ],
        "getProject" | "listStatuses" | "listLabels" | "listTasks" | "listBacklog" => {
            &[OrganizationNotFound, ProjectNotFound, InsufficientRole]
        }
        "updateProject" => {
            &[OrganizationNotFound, ProjectNotFound, InsufficientRole, ProjectArchived, StaleVersion]
        }
        "archiveProject" => &[OrganizationNotFound, ProjectNotFound, InsufficientRole, StaleVersion],
        "createStatus" => &[
            OrganizationNotFound,
            ProjectNotFound,
            InsufficientRole,
            ProjectArchived,
            StatusNameTaken,
            LimitReached,
            IdempotencyInProgress,
            IdempotencyKeyReused,
        ],
        "updateStatus" => &[
            OrganizationNotFound,
            ProjectNotFound,
            StatusNotFound,
            InsufficientRole,
            ProjectArchived,
            StatusNameTaken,
            StaleVersion,
        ],
        "deleteStatus" => &[
            OrganizationNotFound,
            ProjectNotFound,
            StatusNotFound,
            InsufficientRole,
            ProjectArchived,
            StatusInUse,
            LastStatus,
            StaleVersion,
        ],
        "createLabel" => &[
            OrganizationNotFound,
            ProjectNotFound,
            InsufficientRole,
            ProjectArchived,
            LabelNameTaken,
            LimitReached,
            IdempotencyInProgress,
            IdempotencyKeyReused,
        ],
        "updateLabel" => &[
            OrganizationNotFound,
            ProjectNotFound,
            LabelNotFound,
            InsufficientRole,
            ProjectArchived,
            LabelNameTaken,
            StaleVersion,
        ],
        "deleteLabel" => &[
            OrganizationNotFound,
            ProjectNotFound,
            LabelNotFound,
            InsufficientRole,
            ProjectArchived,
            StaleVersion,
        ],
        "createTask" => &[
            OrganizationNotFound,
            ProjectNotFound,
            InsufficientRole,
            ProjectArchived,
            LimitReached,
            WriteConflict,
            IdempotencyInProgress,
            IdempotencyKeyReused,
        ],
        "updateTasks" => {
            &[OrganizationNotFound, InsufficientRole, ProjectArchived, LimitReached, WriteConflict]
        }
        "getTaskByKey" => &[OrganizationNotFound, TaskNotFound, InsufficientRole],
        "moveTasks" => &[InsufficientRole, ProjectArchived],
        "getTask" | "listComments" | "listTaskActivity" => &[TaskNotFound, InsufficientRole],
        "updateTask" => &[
            TaskNotFound,
            InsufficientRole,
            ProjectArchived,
            ParentCycle,
            LimitReached,
            WriteConflict,
            StaleVersion,
        ],
        "deleteTask" | "moveTask" => &[TaskNotFound, InsufficientRole, ProjectArchived, StaleVersion],
        "addTaskLabel" => {
            &[TaskNotFound, LabelNotFound, InsufficientRole, ProjectArchived, LimitReached, WriteConflict]
        }
        "removeTaskLabel" => &[TaskNotFound, LabelNotFound, InsufficientRole, ProjectArchived, WriteConflict],
        "createComment" => &[
            TaskNotFound,
            InsufficientRole,
            ProjectArchived,
            LimitReached,
            IdempotencyInProgress,
            IdempotencyKeyReused,
        ],
        "updateComment" | "deleteComment" => {
            &[TaskNotFound, CommentNotFound, InsufficientRole, ProjectArchived, StaleVersion]
        }
        "createWebhook" => &[OrganizationNotFound, InsufficientRole, LimitReached],
        "getWebhook" | "rotateWebhookSecret" | "listWebhookDeliveries" => {
            &[OrganizationNotFound, WebhookNotFound, InsufficientRole]
        }
        "updateWebhook" | "deleteWebhook" => {
            &[OrganizationNotFound, WebhookNotFound, InsufficientRole, StaleVersion]
        }
        "pingWebhook" => {
            &[OrganizationNotFound, WebhookNotFound, InsufficientRole, WebhookDisabled, RateLimited]
        }
        "getWebhookDelivery" => &[OrganizationNotFound, WebhookNotFound, DeliveryNotFound, InsufficientRole],
        "redeliverWebhook" => &[
            OrganizationNotFound,
            WebhookNotFound,
            DeliveryNotFound,
            InsufficientRole,
            WebhookDisabled,
            RateLimited,
        ],
        "markNotificationRead" => &[NotificationNotFound],
        "getJob" => &[JobNotFound],
        "retryJob" => &[JobNotFound, JobRunning],
        "cancelJob" => &[JobNotFound, JobFinished],
        "pauseQueue" | "resumeQueue" => &[ValidationFailed],
        _ => &[],
    }
}

/// Fields of requests that null clears.
fn is_cleared_by_null(schema: &str, field: &str) -> bool {
    match field {
        "avatar_url" | "description" | "description_json" | "assignee_id" | "parent_task_id" | "due_date" => {
            true
        }
        "color" => schema.ends_with("StatusRequest"),
        _ => false,
    }
}

/// Fields whose value is never shown again, for forms and generators.
const PASSWORDS: &[&str] = &["password", "new_password", "current_password"];

/// What a field of this name may look like.
fn example(field: &str) -> Option<Value> {
    Some(match field {
        "email" => json!("ada@example.com"),
        "display_name" | "inviter_name" => json!("Ada Lovelace"),
        "password" | "new_password" | "current_password" => json!("correct horse battery staple"),
        "avatar_url" => json!("https://example.com/ada.png"),
        "name" | "org_name" => json!("Analytical Engines"),
        "slug" | "org_slug" => json!("analytical-engines"),
        "created_at" | "updated_at" | "joined_at" | "last_used_at" | "expires_at" | "last_success_at"
        | "finished_at" | "next_attempt_at" | "disabled_at" | "timestamp" | "at" => {
            json!("2026-11-23T09:30:00.000000Z")
        }
        "id" => json!("019ab0c4-5d2e-7c31-9f64-0d1b2a3c4e5f"),
        "expires_in" => json!(900),
        "token" => json!("q7ZlH0sE9Yx2v5Qm3kT8wB1nC4rD6fGjLpAaSsUuVvI"),
        "url" => json!("https://example.com/webhooks"),
        "secret" => json!("whsec_BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc="),
        "duration_ms" => json!(120),
        "response_status" => json!(500),
        "error" => json!("The endpoint answered 500."),
        "ip" => json!("203.0.113.7"),
        "user_agent" => json!("Mozilla/5.0"),
        "pointer" => json!("/email"),
        "key" | "project_key" => json!("WEB"),
        "task_id" | "subtitle" => json!("WEB-42"),
        "number" => json!(42),
        "color" => json!("#1f77b4"),
        "due_date" => json!("2026-12-24"),
        "description_json" | "body_json" => json!({
            "type": "doc",
            "content": [{"type": "paragraph", "content": [{"type": "text", "text": "It turns, and turns again."}]}],
        }),
        "field_name" => json!("priority"),
        "old_value" => json!("low"),
        "new_value" => json!("urgent"),
        "q" => json!("engine"),
        "request_id" => json!("019ab0c4-5d2e-7c31-9f64-0d1b2a3c4e60"),
        "version" => json!(VERSION),
        _ => return None,
    })
}

/// The finished document of an API, under a policy: registering has one answer or the other.
#[must_use]
pub fn document<T: OpenApi>(apis: T, policy: RegistrationPolicy) -> Value {
    let service = OpenApiService::new(apis, "WorkScribe", VERSION);
    finish(serde_json::from_str(&service.spec()).unwrap_or_default(), policy)
}

/// The document of every API of WorkScribe: what the host serves.
///
/// # Panics
/// Never: the key of the application that stands in for one is long enough.
#[must_use]
#[expect(clippy::expect_used, reason = "the key is a literal of more than 32 bytes")]
pub fn whole() -> Value {
    let key = SecretKey::new(&Secret::new("no request is ever signed with this key")).expect("long enough");
    let app = WorkScribe::builder(Arc::new(NoStorage), SecretRing::new(key, Vec::new())).build();
    document(crate::all(&app), RegistrationPolicy::Open)
}

/// Describing an API takes no database.
struct NoStorage;

#[async_trait]
impl Storage for NoStorage {
    async fn begin(&self) -> Result<Box<dyn UnitOfWork>, StoreError> {
        Err(StoreError::Unavailable("there is no storage".into()))
    }

    async fn read(&self) -> Result<Box<dyn UnitOfWork>, StoreError> {
        self.begin().await
    }

    async fn snapshot(&self) -> Result<Box<dyn UnitOfWork>, StoreError> {
        self.begin().await
    }

    async fn readiness(&self) -> Vec<NotReady> {
        vec![NotReady { part: "database", reason: "there is none".to_owned() }]
    }
}

pub(crate) fn finish(mut document: Value, policy: RegistrationPolicy) -> Value {
    document["info"]["description"] = json!(DESCRIPTION);
    document["info"]["contact"] =
        json!({"name": "WorkScribe", "url": "https://github.com/workscribe/workscribe"});
    document["info"]["license"] =
        json!({"name": "MIT OR Apache-2.0", "url": "https://spdx.org/licenses/Apache-2.0.html"});
    document["servers"] = json!([{"url": "/", "description": "The server that serves this document"}]);
    add_problem_schema(&mut document);
    let input_schemas = schemas_of_requests(&document);
    let enums = enums(&document);
    for path in members(&mut document["paths"]) {
        for operation in members(path) {
            finish_operation(operation);
        }
    }
    // Generators want one success an operation.
    let other = match policy {
        RegistrationPolicy::Open => "202",
        RegistrationPolicy::VerifyFirst => "201",
    };
    if let Some(responses) = document.pointer_mut("/paths/~1api~1v1~1auth~1register/post/responses") {
        responses.as_object_mut().and_then(|responses| responses.remove(other));
    }
    if let Some(schemas) = document["components"]["schemas"].as_object_mut() {
        for (name, schema) in schemas {
            finish_schema(name, schema, input_schemas.contains(name), &enums);
        }
    }
    document["components"]["securitySchemes"]["bearer"]["description"] =
        json!("The access token of a login. It is good for 15 minutes.");
    document
}

/// No operation of poem-openapi's names the schema, so it would be left out as unused.
fn add_problem_schema(document: &mut Value) {
    let mut registry = Registry::new();
    Problem::register(&mut registry);
    for (name, schema) in &registry.schemas {
        document["components"]["schemas"][name] = serde_json::to_value(schema).unwrap_or_default();
    }
}

fn members(value: &mut Value) -> impl Iterator<Item = &mut Value> {
    value.as_object_mut().into_iter().flat_map(|object| object.values_mut())
}

/// The schemas of bodies, and those within them.
fn schemas_of_requests(document: &Value) -> BTreeSet<String> {
    let operations =
        document["paths"].as_object().into_iter().flatten().filter_map(|(_, path)| path.as_object());
    let mut waiting: Vec<&Value> = operations
        .flat_map(|path| path.values())
        .filter_map(|operation| operation.pointer("/requestBody/content/application~1json/schema"))
        .collect();
    let mut found = BTreeSet::new();
    while let Some(value) = waiting.pop() {
        let reference = value.get("$ref").and_then(Value::as_str);
        let name = reference.and_then(|reference| reference.rsplit('/').next());
        if let Some(name) = name.filter(|name| found.insert((*name).to_owned())) {
            waiting.push(&document["components"]["schemas"][name]);
        }
        match value {
            Value::Object(fields) => waiting.extend(fields.values()),
            Value::Array(items) => waiting.extend(items),
            _ => {}
        }
    }
    found
}

/// The schemas that are names, and so texts.
fn enums(document: &Value) -> BTreeSet<String> {
    let schemas = document["components"]["schemas"].as_object().into_iter().flatten();
    schemas.filter(|(_, schema)| schema.get("enum").is_some()).map(|(name, _)| name.clone()).collect()
}

fn finish_operation(operation: &mut Value) {
    let id = operation["operationId"].as_str().unwrap_or_default().to_owned();
    let has_body = operation.get("requestBody").is_some();
    let is_secured = operation.get("security").is_some();
    let parameters = operation.get("parameters").and_then(Value::as_array).cloned().unwrap_or_default();
    let is_checked = parameters
        .iter()
        .any(|parameter| parameter["in"] == "query" || parameter["name"] == "Idempotency-Key");
    if operation.get("description").is_none() {
        operation["description"] = json!(format!("{}.", operation["summary"].as_str().unwrap_or_default()));
    }
    if id == "acceptInvitation" {
        operation["security"] = json!([{}, {"bearer": []}]);
    } else if !is_secured {
        operation["security"] = json!([]);
    }
    for parameter in operation.get_mut("parameters").and_then(Value::as_array_mut).into_iter().flatten() {
        finish_parameter(&id, parameter);
    }
    let own = refusals(&id);
    let mut by_status: Vec<(u16, Vec<String>)> = Vec::new();
    let mut add = |status: u16, code: &str| match by_status.iter_mut().find(|(known, _)| *known == status) {
        Some((_, codes)) => codes.push(code.to_owned()),
        None => by_status.push((status, vec![code.to_owned()])),
    };
    for code in own {
        add(status_of(code.kind()).as_u16(), code.as_str());
    }
    if is_secured {
        // What everybody with a token may meet: it is not valid, too many requests, too many at a time.
        for code in [Code::Unauthenticated, Code::RateLimited, Code::Overloaded] {
            if !own.contains(&code) {
                add(status_of(code.kind()).as_u16(), code.as_str());
            }
        }
    }
    if has_body {
        add(400, Code::MalformedBody.as_str());
        add(408, "REQUEST_TIMEOUT");
        add(413, "BODY_TOO_LARGE");
        add(415, "UNSUPPORTED_MEDIA_TYPE");
    }
    if has_body || is_checked {
        add(422, Code::ValidationFailed.as_str());
    }
    let is_health = operation["tags"] == json!(["Health"]);
    if !is_health {
        add(500, Code::Internal.as_str());
        add(503, Code::Unavailable.as_str());
    } else {
        // Every operation has a refusal: the linters want one, and a wrong method gets it.
        add(405, "METHOD_NOT_ALLOWED");
    }
    if let Some(responses) = operation["responses"].as_object_mut() {
        for response in responses.values_mut() {
            finish_response(response);
        }
        for (status, codes) in by_status {
            let codes: Vec<_> = codes.iter().map(|code| format!("`{code}`")).collect();
            responses.insert(status.to_string(), problem_response(status, &codes.join(", ")));
        }
    }
}

fn problem_response(status: u16, codes: &str) -> Value {
    let mut response = json!({
        "description": codes,
        "content": { PROBLEM_JSON: { "schema": { "$ref": "#/components/schemas/Problem" } } },
    });
    let header = |text: &str| json!({"description": text, "schema": {"type": "string"}});
    match status {
        401 => response["headers"] = json!({"WWW-Authenticate": header("How to authenticate: `Bearer`.")}),
        429 => {
            response["headers"] = json!({
                "Retry-After": header("After how many seconds the request may be sent again."),
                "RateLimit": header("What is left of the limit."),
                "RateLimit-Policy": header("The limit and its window."),
            });
        }
        _ => {}
    }
    response
}

fn finish_response(response: &mut Value) {
    if response["description"].as_str().is_none_or(str::is_empty) {
        response["description"] = json!("The answer.");
    }
    if let Some(headers) = response.get_mut("headers").and_then(Value::as_object_mut) {
        let renamed: Map<String, Value> = std::mem::take(headers)
            .into_iter()
            .map(|(name, mut header)| {
                if let Some(object) = header.as_object_mut() {
                    object.remove("deprecated");
                }
                let canonical = match name.as_str() {
                    "ETAG" => "ETag".to_owned(),
                    "LOCATION" => "Location".to_owned(),
                    "CONTENT-DISPOSITION" => "Content-Disposition".to_owned(),
                    _ => name,
                };
                (canonical, header)
            })
            .collect();
        *headers = renamed;
    }
}

fn finish_parameter(operation: &str, parameter: &mut Value) {
    if let Some(object) = parameter.as_object_mut() {
        object.remove("deprecated");
        if object.get("explode").is_some() && object["in"] != "query" {
            object.remove("explode");
        }
    }
    // Read as texts, so that what is wrong with them is a problem document with a pointer; told as what they are.
    let schema = match parameter["name"].as_str().unwrap_or_default() {
        "limit" => json!({"type": "integer", "format": "int32", "minimum": 1, "maximum": 100, "default": 25}),
        "count" => json!({"type": "boolean", "default": false}),
        "cursor" => json!({"type": "string", "maxLength": 64}),
        "slug" => json!({"type": "string", "minLength": 3, "maxLength": 30, "example": "analytical-engines"}),
        "Idempotency-Key" => json!({"type": "string", "minLength": 1, "maxLength": 255}),
        "If-Match" => json!({"type": "string", "example": "\"1\""}),
        "token" => json!({"type": "string", "example": example("token")}),
        "project_id" => json!({"type": "string", "minLength": 2, "maxLength": 36, "example": "WEB"}),
        "task_key" => json!({"type": "string", "minLength": 4, "maxLength": 30, "example": "WEB-42"}),
        "organization" => {
            json!({"type": "string", "minLength": 3, "maxLength": 30, "example": "analytical-engines"})
        }
        "archived" => json!({"type": "string", "enum": ["false", "true", "all"], "default": "false"}),
        "unread" => json!({"type": "boolean", "default": false}),
        "q" => json!({"type": "string", "minLength": 1, "maxLength": 200, "example": example("q")}),
        "search" => json!({"type": "string", "maxLength": 200}),
        "due_before" => json!({"type": "string", "format": "date", "example": example("due_date")}),
        "updated_after" => {
            json!({"type": "string", "format": "date-time", "example": example("updated_at")})
        }
        "priority" => names(Priority::ALL.iter().map(|priority| priority.as_str())),
        "status_category" => names(StatusCategory::ALL.iter().map(|category| category.as_str())),
        "status" => names(DeliveryStatus::ALL.iter().map(|status| status.as_str())),
        "state" => names(JobState::ALL.iter().map(|state| state.as_str())),
        "name" if operation.ends_with("Queue") => {
            json!({"type": "string", "minLength": 1, "maxLength": 100, "example": "default"})
        }
        "type" if operation == "search" => names(SearchKind::ALL.iter().map(|kind| kind.as_str())),
        "type" => names(TaskType::ALL.iter().map(|kind| kind.as_str())),
        "sort" if operation == "listMyTasks" => {
            let mut schema = names(SORTS_ACROSS.iter().copied());
            schema["default"] = json!("due_date");
            schema
        }
        "sort" => {
            let mut schema = names(TaskSort::NAMES.into_iter());
            schema["default"] = json!("position");
            schema
        }
        // Of a filter: an id, or `none`.
        "assignee_id" | "parent_task_id" => json!({"type": "string", "maxLength": 36, "example": "none"}),
        "move_to" => json!({"type": "string", "format": "uuid", "example": example("id")}),
        name if name.ends_with("_id") => {
            json!({"type": "string", "format": "uuid", "example": example("id")})
        }
        _ => return,
    };
    parameter["schema"] = schema;
}

/// The schema of a text that is one of some names.
fn names(names: impl Iterator<Item = &'static str>) -> Value {
    json!({"type": "string", "enum": names.collect::<Vec<_>>()})
}

/// In answers every field is there, and those that may be null are told so. In requests only what must be sent is required.
fn finish_schema(schema_name: &str, schema: &mut Value, is_input: bool, enums: &BTreeSet<String>) {
    let required: Vec<String> = schema
        .get("required")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(|name| name.as_str().map(str::to_owned))
        .collect();
    let Some(properties) = schema.get_mut("properties").and_then(Value::as_object_mut) else { return };
    let mut always = Vec::new();
    for (name, property) in properties.iter_mut() {
        // poem-openapi repeats the description as a schema of its own, which generators stumble over.
        if let Some(parts) = property.get_mut("allOf").and_then(Value::as_array_mut) {
            parts.retain(|part| part.get("$ref").is_some());
        }
        // Left out rather than null.
        let is_left_out = matches!(name.as_str(), "total" | "errors" | "email_bouncing");
        let may_be_null =
            !required.contains(name) && !is_left_out && (!is_input || is_cleared_by_null(schema_name, name));
        if may_be_null {
            set_nullable(property, enums);
        }
        if !is_input && !is_left_out {
            always.push(name.clone());
        }
        let format = match property["format"].as_str() {
            Some("uint16") => Some("int32"),
            Some("uint64") => Some("int64"),
            _ => None,
        };
        if let Some(format) = format {
            property["format"] = json!(format);
        }
        if property.get("additionalProperties").is_some_and(|others| *others == json!({})) {
            property["additionalProperties"] = json!(true);
        }
        if PASSWORDS.contains(&name.as_str()) {
            property["format"] = json!("password");
            property["writeOnly"] = json!(true);
        }
        let is_plain =
            property.get("$ref").is_none() && property.get("allOf").is_none() && property["type"] != "array";
        // A task's `task_id` is its name for people, and elsewhere an id.
        let named = if property["format"] == "uuid" { "id" } else { name.as_str() };
        let fits = |example: &Value| property["type"] != "boolean" || example.is_boolean();
        if let Some(example) = example(named).filter(|example| is_plain && fits(example)) {
            property["example"] = example;
        }
    }
    if !is_input && !always.is_empty() {
        schema["required"] = json!(always);
    }
}

fn set_nullable(property: &mut Value, enums: &BTreeSet<String>) {
    if let Some(reference) = property.get("$ref").cloned() {
        *property = json!({"allOf": [{"$ref": reference}]});
    }
    // What may be null needs a type beside it: that of what is referred to.
    if let Some(reference) = property.pointer("/allOf/0/$ref").and_then(Value::as_str) {
        let is_enum = reference.rsplit('/').next().is_some_and(|name| enums.contains(name));
        property["type"] = json!(if is_enum { "string" } else { "object" });
    }
    property["nullable"] = json!(true);
}

/// Paths and their methods, for the `Allow` header of a 405.
pub(crate) fn methods(document: &Value) -> Vec<(Vec<String>, String)> {
    let paths = document["paths"].as_object().into_iter().flatten();
    paths
        .map(|(path, operations)| {
            let mut methods: Vec<String> = operations
                .as_object()
                .into_iter()
                .flatten()
                .map(|(method, _)| method.to_uppercase())
                .collect();
            if methods.iter().any(|method| method == "GET") {
                methods.push("HEAD".to_owned());
            }
            (path.split('/').map(str::to_owned).collect(), methods.join(", "))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use workscribe_core::webhooks::WebhookEvent;

    use super::*;

    /// Every operation of the document, as (id, operation).
    fn operations(document: &Value) -> Vec<(String, Value)> {
        let paths = document["paths"].as_object().unwrap().values();
        paths
            .flat_map(|path| path.as_object().unwrap().values())
            .map(|operation| (operation["operationId"].as_str().unwrap().to_owned(), operation.clone()))
            .collect()
    }

    #[test]
    fn every_operation_has_one_success_schema_and_problems_for_the_rest() {
        for (id, operation) in operations(&whole()) {
            let responses = operation["responses"].as_object().unwrap();
            let is_success = |status: &String| status.starts_with('2');
            assert_eq!(responses.keys().filter(|status| is_success(status)).count(), 1, "{id}");
            for (status, response) in responses.iter().filter(|(status, _)| !is_success(status)) {
                let is_problem = response["content"].get(PROBLEM_JSON).is_some();
                assert!(is_problem || (id == "getReadiness" && status == "503"), "{id} {status}");
            }
            assert!(operation.get("security").is_some(), "{id} says who may call it");
        }
    }

    #[test]
    fn nullable_fields_are_always_there() {
        let user = &whole()["components"]["schemas"]["User"];
        assert_eq!(user["properties"]["avatar_url"]["nullable"], true);
        assert!(user["required"].as_array().unwrap().contains(&json!("avatar_url")));
        assert!(user["properties"]["email"].get("nullable").is_none());
        let task = &whole()["components"]["schemas"]["Task"]["properties"];
        assert_eq!(
            (&task["assignee"]["nullable"], &task["assignee"]["type"]),
            (&json!(true), &json!("object"))
        );
        let reason = &whole()["components"]["schemas"]["Webhook"]["properties"]["disabled_reason"];
        assert_eq!((&reason["nullable"], &reason["type"]), (&json!(true), &json!("string")));
    }

    #[test]
    fn fields_of_requests_are_nullable_where_null_clears_them() {
        let schemas = &whole()["components"]["schemas"];
        let is_nullable =
            |schema: &str, field: &str| schemas[schema]["properties"][field]["nullable"] == true;
        assert!(is_nullable("UpdateTaskRequest", "description_json"));
        assert!(is_nullable("UpdateTaskRequest", "due_date"));
        assert!(is_nullable("UpdateStatusRequest", "color"));
        assert!(!is_nullable("UpdateLabelRequest", "color"));
        assert!(!is_nullable("UpdateTaskRequest", "status_id"));
        assert!(!is_nullable("ChannelsChange", "email"), "a schema within one of a request");
        assert!(schemas["ChannelsChange"].get("required").is_none());
        assert_eq!(schemas["Task"]["properties"]["description_json"]["additionalProperties"], true);
    }

    #[test]
    fn every_event_of_webhooks_is_told_where_they_are_described() {
        let document = whole();
        let tags = document["tags"].as_array().unwrap();
        let tag = tags.iter().find(|tag| tag["name"] == "Webhooks").unwrap();
        let (_, create) = operations(&document).into_iter().find(|(id, _)| id == "createWebhook").unwrap();
        for event in WebhookEvent::ALL {
            let name = format!("`{}`", event.as_str());
            assert!(tag["description"].as_str().unwrap().contains(&name), "{name} in the section");
            let is_asked_for = create["description"].as_str().unwrap().contains(&name);
            assert_eq!(is_asked_for, *event != WebhookEvent::Ping, "{name} in the operation");
        }
    }

    #[test]
    fn paths_end_without_a_slash() {
        let document = whole();
        for path in document["paths"].as_object().unwrap().keys() {
            assert!(!path.ends_with('/'), "{path}");
        }
    }
}
