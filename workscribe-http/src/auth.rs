//! The caller of a request: the bearer of an access token (RFC 6750).

use poem::http::header;
use poem::{Request, RequestBody, Result};
use poem_openapi::auth::Bearer;
use poem_openapi::registry::Registry;
use poem_openapi::{ApiExtractor, ApiExtractorType, ExtractParamOptions, SecurityScheme};
use tokio::sync::OwnedSemaphorePermit;
use workscribe_core::identity::Actor;
use workscribe_core::storage::Party;
use workscribe_core::tenancy::{In, Organization};
use workscribe_core::work::{Project, Task};
use workscribe_core::{Error, UnitOfWork, WorkScribe};

use crate::meter::Metering;
use crate::problem::ApiError;

/// The access token of a login. It is valid for 15 minutes.
// An operation that has it as an argument refuses all other callers with 401.
#[derive(SecurityScheme)]
#[oai(ty = "bearer", bearer_format = "JWT", rename = "bearer", checker = "check")]
pub struct BearerAuth(Bearing);

/// A bearer, and the counter of their request.
pub(crate) struct Bearing {
    actor: Actor,
    app: WorkScribe,
    metering: Metering,
    /// Held until the handler ends.
    _turn: Option<OwnedSemaphorePermit>,
}

impl BearerAuth {
    /// The user and their session.
    #[must_use]
    pub const fn actor(&self) -> &Actor {
        &self.0.actor
    }

    /// A unit of work for reading. It works for the bearer until it enters an organization.
    pub(crate) async fn read(&self, app: &WorkScribe) -> Result<Box<dyn UnitOfWork>, Error> {
        let mut uow = app.read().await?;
        uow.on_behalf_of(Party::User(self.0.actor.user));
        Ok(uow)
    }

    /// The door to an organization, for the bearer: [`In::organization`].
    pub(crate) async fn enter(
        &self,
        uow: &mut dyn UnitOfWork,
        slug: &str,
    ) -> Result<In<Organization>, Error> {
        self.counted(In::organization(uow, slug, self.0.actor.user).await?)
    }

    /// The door to a project: [`In::project`].
    pub(crate) async fn enter_project(
        &self,
        uow: &mut dyn UnitOfWork,
        slug: &str,
        project: &str,
    ) -> Result<In<Project>, Error> {
        self.counted(In::project(uow, slug, project, self.0.actor.user).await?)
    }

    /// The door to a task: [`In::task`].
    pub(crate) async fn enter_task(&self, uow: &mut dyn UnitOfWork, task: &str) -> Result<In<Task>, Error> {
        self.counted(In::task(uow, task, self.0.actor.user).await?)
    }

    /// Counts the request for an organization. It comes after the door, so that strangers cannot use up the organization's limit.
    fn counted<T>(&self, at: In<T>) -> Result<In<T>, Error> {
        self.0.metering.organization(&self.0.app, at.scope().org())?;
        Ok(at)
    }

    /// A transaction. It works for the bearer until it enters an organization.
    pub(crate) async fn begin(&self, app: &WorkScribe) -> Result<Box<dyn UnitOfWork>, Error> {
        let mut uow = app.begin().await?;
        uow.on_behalf_of(Party::User(self.0.actor.user));
        Ok(uow)
    }
}

async fn check(request: &Request, bearer: Bearer) -> Result<Bearing> {
    let app = request.data::<WorkScribe>().ok_or(poem::error::GetDataError("WorkScribe"))?;
    let actor = app.identity().authenticate(&bearer.token).await.map_err(<ApiError>::from)?;
    let metering = Metering::of(request);
    metering.user(app, actor.user).map_err(<ApiError>::from)?;
    let turn = metering.turn(actor.user).await.map_err(<ApiError>::from)?;
    Ok(Bearing { actor, app: app.clone(), metering, _turn: turn })
}

/// The bearer of a valid access token, or nobody. An invalid token is refused with 401.
pub struct OptionalActor(pub Option<Actor>);

impl<'a> ApiExtractor<'a> for OptionalActor {
    const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::SecurityScheme];

    type ParamType = ();
    type ParamRawType = ();

    fn register(registry: &mut Registry) {
        BearerAuth::register(registry);
    }

    fn security_schemes() -> Vec<&'static str> {
        BearerAuth::security_schemes()
    }

    fn has_security_fallback() -> bool {
        true
    }

    async fn from_request(
        request: &'a Request,
        _: &mut RequestBody,
        _: ExtractParamOptions<()>,
    ) -> Result<Self> {
        let Some(header) = request.headers().get(header::AUTHORIZATION) else { return Ok(Self(None)) };
        let token = header.to_str().ok().and_then(|text| {
            let (scheme, token) = text.split_once(' ')?;
            scheme.eq_ignore_ascii_case("bearer").then(|| token.trim().to_owned())
        });
        // Any other scheme is checked like an invalid token.
        check(request, Bearer { token: token.unwrap_or_default() })
            .await
            .map(|bearing| Self(Some(bearing.actor)))
    }
}
