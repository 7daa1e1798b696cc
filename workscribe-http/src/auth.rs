//! Who makes a request: the bearer of an access token (RFC 6750).

use poem::http::header;
use poem::{FromRequest, Request, RequestBody, Result};
use poem_openapi::SecurityScheme;
use poem_openapi::auth::Bearer;
use workscribe_core::identity::Actor;
use workscribe_core::storage::Party;
use workscribe_core::{UnitOfWork, WorkScribe};

use crate::problem::{ApiError, ApiResult};

/// A valid access token. Taking one as an argument makes an operation refuse everybody else with 401.
#[derive(SecurityScheme)]
#[oai(ty = "bearer", bearer_format = "JWT", rename = "bearer", checker = "check")]
pub struct BearerAuth(Actor);

impl BearerAuth {
    /// Who it is.
    #[must_use]
    pub const fn actor(&self) -> &Actor {
        &self.0
    }

    /// A unit for reading, on behalf of the bearer until it enters an organization.
    pub(crate) async fn read(&self, app: &WorkScribe) -> ApiResult<Box<dyn UnitOfWork>> {
        let mut uow = app.read().await?;
        uow.on_behalf_of(Party::User(self.0.user));
        Ok(uow)
    }

    /// A transaction, on behalf of the bearer until it enters an organization.
    pub(crate) async fn begin(&self, app: &WorkScribe) -> ApiResult<Box<dyn UnitOfWork>> {
        let mut uow = app.begin().await?;
        uow.on_behalf_of(Party::User(self.0.user));
        Ok(uow)
    }
}

async fn check(request: &Request, bearer: Bearer) -> Result<Actor> {
    let app = request.data::<WorkScribe>().ok_or(poem::error::GetDataError("WorkScribe"))?;
    Ok(app.identity().authenticate(&bearer.token).await.map_err(ApiError::from)?)
}

/// The bearer of a valid access token, or nobody. A token that is not valid is refused with 401.
pub struct OptionalActor(pub Option<Actor>);

impl<'a> FromRequest<'a> for OptionalActor {
    async fn from_request(request: &'a Request, _body: &mut RequestBody) -> Result<Self> {
        let Some(header) = request.headers().get(header::AUTHORIZATION) else { return Ok(Self(None)) };
        let token = header.to_str().ok().and_then(|text| {
            let (scheme, token) = text.split_once(' ')?;
            scheme.eq_ignore_ascii_case("bearer").then(|| token.trim().to_owned())
        });
        // Something else than a bearer is checked like an invalid one.
        check(request, Bearer { token: token.unwrap_or_default() }).await.map(|actor| Self(Some(actor)))
    }
}
