//! The successful responses of operations: one type for each status.

use poem_openapi::ApiResponse;
use workscribe_core::identity::Account;
use workscribe_core::tenancy::{Invitation, Member, Organization};
use workscribe_core::webhooks::{SigningSecret, Webhook};
use workscribe_core::work::{Comment, Label, Project, Status, Task};

use crate::body::{Answer, Json};

/// 200 with a body.
#[derive(ApiResponse)]
pub enum Reply<T: Answer> {
    /// The result.
    #[oai(status = 200)]
    Ok(Json<T>),
}

/// 200 with a single resource and its version.
#[derive(ApiResponse)]
pub enum Versioned<T: Answer> {
    /// The resource after the request.
    #[oai(status = 200)]
    Ok(
        Json<T>,
        /// The version of the resource, for `If-Match`.
        #[oai(header = "ETag")]
        String,
    ),
}

/// 201 with the new resource, its path and its version.
#[derive(ApiResponse)]
pub enum Created<T: Answer> {
    /// The new resource.
    #[oai(status = 201)]
    Created(
        Json<T>,
        /// The path of the resource.
        #[oai(header = "Location")]
        String,
        /// The version of the resource, for `If-Match`.
        #[oai(header = "ETag")]
        String,
    ),
}

/// 202 with the work that was accepted.
#[derive(ApiResponse)]
pub enum Accepted<T: Answer> {
    /// The work that will be done.
    #[oai(status = 202)]
    Accepted(Json<T>),
}

/// 204 without a body.
#[derive(ApiResponse)]
pub enum NoContent {
    /// The request succeeded. The response has no body.
    #[oai(status = 204)]
    Done,
}

impl<T: Answer> Reply<T> {
    /// 200 with a body.
    pub fn new(value: impl Into<T>) -> Self {
        Self::Ok(Json(value.into()))
    }
}

/// A resource with a version, which grows with every change.
pub trait Revised {
    /// The version.
    fn version(&self) -> i64;
}

macro_rules! revised {
    ($($type:ty),+ $(,)?) => {$(
        impl Revised for $type {
            fn version(&self) -> i64 {
                self.version
            }
        }
    )+};
}

revised!(Organization, Invitation, Member, Project, Status, Label, Task, Comment, Webhook);

impl Revised for Account {
    fn version(&self) -> i64 {
        self.user.version
    }
}

impl Revised for (Webhook, SigningSecret) {
    fn version(&self) -> i64 {
        self.0.version
    }
}

impl<T: Answer> Versioned<T> {
    /// 200 with a resource and its version.
    pub fn new(value: impl Revised + Into<T>) -> Self {
        let version = etag(value.version());
        Self::Ok(Json(value.into()), version)
    }
}

impl<T: Answer> Created<T> {
    /// 201 with a resource, its path and its version.
    pub fn new(value: impl Revised + Into<T>, location: String) -> Self {
        let version = value.version();
        Self::of(value.into(), location, version)
    }

    /// The same, for a value that is made of more than a resource of the domain.
    pub(crate) fn of(value: T, location: String, version: i64) -> Self {
        Self::Created(Json(value), location, etag(version))
    }
}

impl<T: Answer> Accepted<T> {
    /// 202 with the work that was accepted.
    pub fn new(value: impl Into<T>) -> Self {
        Self::Accepted(Json(value.into()))
    }
}

/// The `ETag` of a version: a strong validator (RFC 9110 §8.8.3).
#[must_use]
pub fn etag(version: i64) -> String {
    format!("\"{version}\"")
}

/// The version that an `If-Match` header requires (RFC 9110 §13.1.1): `None` for `*` or no header. A tag that this server did
/// not make, or a weak one, gives a version that no resource has, so the condition fails.
#[must_use]
pub fn if_match(header: Option<&str>) -> Option<i64> {
    let tag = header?.trim();
    if tag == "*" {
        return None;
    }
    let version =
        tag.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).and_then(|inner| inner.parse().ok());
    Some(version.filter(|version| *version > 0).unwrap_or(i64::MIN))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_of_ours_is_its_version_and_another_matches_nothing() {
        assert_eq!(if_match(Some(&etag(7))), Some(7));
        assert_eq!(if_match(None), None);
        assert_eq!(if_match(Some("*")), None);
        for strange in ["7", "W/\"7\"", "\"x\"", "", "\"-1\""] {
            assert_eq!(if_match(Some(strange)), Some(i64::MIN), "{strange}");
        }
    }
}
