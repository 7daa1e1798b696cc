//! The document of every API of WorkScribe, made without a server, and the tests of its rules.

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::Value;
use workscribe_core::identity::{SecretKey, SecretRing};
use workscribe_core::ports::Secret;
use workscribe_core::{NotReady, RegistrationPolicy, Storage, StoreError, UnitOfWork, WorkScribe};

/// The document of every API of WorkScribe: what the host serves.
///
/// # Panics
/// Never: the key of the application that it builds for this is long enough.
#[must_use]
#[expect(clippy::expect_used, reason = "the key is a literal of more than 32 bytes")]
pub fn whole() -> Value {
    let key = SecretKey::new(&Secret::new("no request is ever signed with this key")).expect("long enough");
    let app = WorkScribe::builder(Arc::new(NoStorage), SecretRing::new(key, Vec::new())).build();
    super::document(crate::all(&app), RegistrationPolicy::Open)
}

/// The description of an API needs no database.
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

#[cfg(test)]
mod tests {
    use serde_json::json;
    use workscribe_core::events::EventKind;

    use crate::problem::PROBLEM_JSON;

    use super::*;

    /// Every operation of the document, with its id.
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
        for event in EventKind::of_webhooks() {
            let name = format!("`{}`", event.as_str());
            assert!(tag["description"].as_str().unwrap().contains(&name), "{name} in the section");
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
