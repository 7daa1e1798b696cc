//! What every file with operations imports, to write handlers, parameters and bodies.

pub(crate) use poem_openapi::OpenApi;
pub(crate) use poem_openapi::param::{Header, Path};
pub(crate) use uuid::Uuid;

pub(crate) use crate::auth::BearerAuth;
pub(crate) use crate::body::{Body, Json, OptionalBody};
pub(crate) use crate::caller::Caller;
pub(crate) use crate::dto::{answers, api, inputs, lists, params};
pub(crate) use crate::field::{Clearable, Nullable, Optional, Patch, Required};
pub(crate) use crate::once::Once;
pub(crate) use crate::paging::{PageLimit, Paging};
pub(crate) use crate::problem::refuses::{ARCHIVED, CREATES, IN_ORGANIZATION, IN_PROJECT, STALE, WITH_TASK};
pub(crate) use crate::problem::{ApiResult, codes};
pub(crate) use crate::query::{Asked, Id, Parameter, fault, identified, not_an_id, not_one_of};
pub(crate) use crate::reply::{Accepted, Created, NoContent, Reply, Versioned, if_match};
pub(crate) use crate::tags::Tags;
pub(crate) use crate::time::{Date, Time};
pub(crate) use crate::wire::*;
