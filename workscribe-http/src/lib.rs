//! WorkScribe over HTTP: a JSON API on poem with an OpenAPI document, which a host serves or an embedder mounts.
//!
//! ```no_run
//! # use workscribe_core::WorkScribe;
//! # async fn serve(app: WorkScribe) -> std::io::Result<()> {
//! use workscribe_http::{HttpOptions, IdentityApi, OrganizationsApi, mount};
//!
//! let apis = (IdentityApi::new(&app), OrganizationsApi::new(&app));
//! let api = mount(&app, apis, &HttpOptions::default());
//! poem::Server::new(poem::listener::TcpListener::bind("127.0.0.1:8001")).run(api).await
//! # }
//! ```
//!
//! # Map
//!
//! | module | what |
//! |---|---|
//! | `tenancy`, `work`, `webhooks` | the areas with several aggregates: for each, a file with its `#[OpenApi]` struct and bodies |
//! | `identity`, `notifications`, `search`, `export`, `limits`, `health` | the other areas: one such file |
//! | `admin` | [`mount_admin`]: the operators' API, with its own document and token |
//! | `mount` | [`mount()`]: combines APIs into one endpoint, with the layers that every request needs |
//! | `problem` | refusals as problem documents (RFC 9457), in one place |
//! | `body`, `field`, `taken`, `reply` | request and response bodies; absent, null or wrong fields; statuses and `ETag` |
//! | `dto` | how APIs, parameters and bodies are declared |
//! | `prelude` | what every file with operations imports |
//! | `query`, `paging` | parameters of queries and paths; the parameters of every list |
//! | `time`, `wire` | times and days; names, rich texts and strings with a schema |
//! | `auth`, `caller`, `once` | the bearer; the client's address and the rate limits; `Idempotency-Key` |
//! | `openapi` | completes the derived document |
//! | `resend` | the events of Resend about addresses that refuse mail |
//! | `cors` | cross-origin requests |
//! | `bridge` | [`ApiService`]: for axum and other tower-based frameworks |
//!
//! # How to add an operation
//!
//! Write a method in the `#[OpenApi]` block of its aggregate: open a unit of work, go through the door
//! ([`In`](workscribe_core::tenancy::In)), call one service method, commit, and respond. Declare its query with `params!` and its
//! bodies with `inputs!` and `answers!`. The codes with which it refuses, beyond those that follow from its shape, belong in its
//! return type ([`ApiResult`]). Put operations on one path in one block, or the document loses one of them. Add a new block to the
//! list at the end of this file. Then run `cargo run -p workscribe-host -- openapi > docs/openapi.json`, and add a row to the
//! tenancy matrix, which fails until it has one.

pub mod admin;
mod auth;
mod body;
mod bridge;
mod caller;
mod cors;
mod dto;
mod events;
mod export;
mod field;
pub mod health;
pub mod identity;
pub mod limits;
mod meter;
mod mount;
pub mod notifications;
mod once;
pub mod openapi;
mod paging;
mod prelude;
mod problem;
mod query;
mod reply;
mod resend;
pub mod search;
pub mod tags;
mod taken;
pub mod tenancy;
mod time;
pub mod webhooks;
pub mod wire;
pub mod work;

pub use admin::{AdminToken, mount_admin};
pub use auth::{BearerAuth, OptionalActor};
pub use body::{Body, Input, Json, MAX_BODY, MAX_DEPTH, OptionalBody};
pub use bridge::ApiService;
pub use caller::Caller;
pub use export::ExportApi;
pub use field::{Clearable, Nullable, Optional, Patch, Required};
pub use health::HealthApi;
pub use identity::IdentityApi;
pub use limits::LimitsApi;
pub use mount::{HttpOptions, mount};
pub use notifications::NotificationsApi;
pub use problem::{ApiError, ApiResult, Codes, FieldProblem, PROBLEM_JSON, Problem, codes, status_of};
pub use query::{Asked, Id, Identified, Parameter, Parameters, Texts};
pub use reply::{Accepted, Created, NoContent, Reply, Revised, Versioned, etag, if_match};
pub use search::SearchApi;
pub use taken::Taken;
pub use tenancy::{InvitationsApi, MembersApi, OrganizationsApi, OwnInvitationsApi};
pub use time::{Date, Time};
pub use webhooks::{DeliveriesApi, WebhooksApi};
pub use wire::{Name, Named, RichText};
pub use work::{
    ActivityApi, BulkApi, CommentsApi, LabelsApi, ProjectsApi, RelationsApi, StatusesApi, TasksApi,
};

use workscribe_core::WorkScribe;

/// Makes nested pairs, since poem-openapi takes tuples of at most 16 APIs.
macro_rules! pairs {
    () => { () };
    (($($first:tt)+) $($rest:tt)*) => { ($($first)+, pairs!($($rest)*)) };
}

/// Makes the type and the function for all APIs from one list.
macro_rules! apis {
    ($($api:ident,)+) => {
        /// Every API of WorkScribe.
        pub type AllApis = pairs!($(($api))+);

        /// Every API of WorkScribe, as the host serves it.
        #[must_use]
        pub fn all(app: &WorkScribe) -> AllApis {
            pairs!($(($api::new(app)))+)
        }
    };
}

apis! {
    HealthApi,
    IdentityApi,
    OrganizationsApi,
    MembersApi,
    InvitationsApi,
    OwnInvitationsApi,
    ProjectsApi,
    StatusesApi,
    LabelsApi,
    TasksApi,
    BulkApi,
    RelationsApi,
    CommentsApi,
    ActivityApi,
    NotificationsApi,
    SearchApi,
    WebhooksApi,
    DeliveriesApi,
    ExportApi,
    LimitsApi,
}
