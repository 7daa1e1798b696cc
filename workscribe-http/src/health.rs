//! Whether the server runs and is ready, and the public keys of its access tokens.

use std::collections::BTreeMap;

use poem_openapi::{ApiResponse, Enum, Object};
use serde::Serialize;
use serde_json::Value;
use workscribe_core::VERSION;

use crate::prelude::*;

api! {
    /// Health, liveness, readiness and keys: outside the prefix.
    HealthApi
}

#[OpenApi(tag = "Tags::Health")]
impl HealthApi {
    /// Ask for health
    #[oai(path = "/health", method = "get", operation_id = "getHealth")]
    async fn health(&self) -> Reply<Health> {
        Reply::new(Health { status: Condition::Ok, version: VERSION.into() })
    }

    /// Ask whether the process runs
    #[oai(path = "/livez", method = "get", operation_id = "getLiveness")]
    async fn livez(&self) -> Reply<Health> {
        self.health().await
    }

    /// Ask whether the server can do its work
    #[oai(path = "/readyz", method = "get", operation_id = "getReadiness")]
    async fn readyz(&self) -> ReadyResponse {
        let parts = self.app.storage().readiness().await;
        let ready = parts.is_empty();
        let status = if ready { Condition::Ok } else { Condition::NotReady };
        let not_ready = parts
            .into_iter()
            .map(|part| NotReadyPart { part: part.part.to_owned(), reason: part.reason })
            .collect();
        let body = Json(Readiness { status, not_ready });
        if ready { ReadyResponse::Ready(body) } else { ReadyResponse::NotReady(body) }
    }

    /// Get the public keys of access tokens
    #[oai(path = "/.well-known/jwks.json", method = "get", operation_id = "getJwks")]
    async fn jwks(&self) -> Reply<Jwks> {
        let set = self.app.issuer().jwks();
        let keys = set["keys"].as_array().cloned().unwrap_or_default();
        let keys = keys.into_iter().filter_map(|key| key.as_object().cloned());
        Reply::new(Jwks { keys: keys.map(|key| key.into_iter().collect()).collect() })
    }
}

/// How the server is.
#[derive(Enum, Serialize)]
#[oai(rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum Condition {
    /// All is well.
    Ok,
    /// Something it needs is not ready.
    NotReady,
}

/// That the server runs.
#[derive(Object, Serialize)]
pub struct Health {
    /// Always `ok`.
    pub status: Condition,
    /// The server's version.
    pub version: Version,
}

/// One part that is not ready.
#[derive(Object, Serialize)]
pub struct NotReadyPart {
    /// `database`, `migrations` or `redis`.
    pub part: String,
    /// What is the matter.
    pub reason: String,
}

/// Whether the server can do its work.
#[derive(Object, Serialize)]
pub struct Readiness {
    /// `ok`, or `not_ready`.
    pub status: Condition,
    /// What is not ready; empty when all is.
    pub not_ready: Vec<NotReadyPart>,
}

/// A JSON Web Key Set (RFC 7517).
#[derive(Object, Serialize)]
pub struct Jwks {
    /// The public keys; empty when tokens are signed with a shared secret.
    pub keys: Vec<BTreeMap<String, Value>>,
}

/// The answers to the question for readiness.
#[derive(ApiResponse)]
pub enum ReadyResponse {
    /// The server can do its work.
    #[oai(status = 200)]
    Ready(Json<Readiness>),
    /// The server cannot do its work now; the body names what is not ready.
    #[oai(status = 503)]
    NotReady(Json<Readiness>),
}
