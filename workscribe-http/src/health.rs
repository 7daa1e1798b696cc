//! Whether the server runs and is ready, and the public keys of its access tokens.

use std::collections::BTreeMap;

use poem_openapi::{ApiResponse, Enum, Object};
use serde::Serialize;
use serde_json::Value;
use workscribe_core::VERSION;

use crate::prelude::*;

api! {
    /// The health, liveness, readiness and keys of the server, outside of the prefix.
    HealthApi
}

#[OpenApi(tag = "Tags::Health")]
impl HealthApi {
    /// Get the health of the server
    ///
    /// Returns the version of the server. It does not check the database; use `getReadiness` for that.
    #[oai(path = "/health", method = "get", operation_id = "getHealth")]
    async fn health(&self) -> Reply<Health> {
        Reply::new(Health { status: Condition::Ok, version: VERSION.into() })
    }

    /// Check whether the process runs
    ///
    /// Use this as a liveness probe. It always succeeds while the process answers requests.
    #[oai(path = "/livez", method = "get", operation_id = "getLiveness")]
    async fn livez(&self) -> Reply<Health> {
        self.health().await
    }

    /// Check whether the server is ready
    ///
    /// Use this as a readiness probe. It checks what the server needs, such as its database. It responds 503 if a part fails.
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
    ///
    /// Returns a JSON Web Key Set, with which other services can verify access tokens.
    #[oai(path = "/.well-known/jwks.json", method = "get", operation_id = "getJwks")]
    async fn jwks(&self) -> Reply<Jwks> {
        let set = self.app.issuer().jwks();
        let keys = set["keys"].as_array().cloned().unwrap_or_default();
        let keys = keys.into_iter().filter_map(|key| key.as_object().cloned());
        Reply::new(Jwks { keys: keys.map(|key| key.into_iter().collect()).collect() })
    }
}

/// The state of the server.
#[derive(Enum, Serialize)]
#[oai(rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum Condition {
    /// Everything works.
    Ok,
    /// A part that the server needs is not ready.
    NotReady,
}

/// The health of the server.
#[derive(Object, Serialize)]
pub struct Health {
    /// Always `ok`.
    pub status: Condition,
    /// The version of the server.
    pub version: Version,
}

/// A part that is not ready.
#[derive(Object, Serialize)]
pub struct NotReadyPart {
    /// `database`, `migrations` or `redis`.
    pub part: String,
    /// Why it is not ready.
    pub reason: String,
}

/// Whether the server is ready.
#[derive(Object, Serialize)]
pub struct Readiness {
    /// `ok`, or `not_ready`.
    pub status: Condition,
    /// The parts that are not ready; empty when the server is ready.
    pub not_ready: Vec<NotReadyPart>,
}

/// A JSON Web Key Set (RFC 7517).
#[derive(Object, Serialize)]
pub struct Jwks {
    /// The public keys; empty when tokens are signed with a shared secret.
    pub keys: Vec<BTreeMap<String, Value>>,
}

/// The responses of the readiness check.
#[derive(ApiResponse)]
pub enum ReadyResponse {
    /// The server is ready.
    #[oai(status = 200)]
    Ready(Json<Readiness>),
    /// The server is not ready; the body names the parts that are not.
    #[oai(status = 503)]
    NotReady(Json<Readiness>),
}
