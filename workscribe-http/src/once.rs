//! Requests that may be sent twice: the `Idempotency-Key` of POSTs that create.

use poem_openapi::types::ParseFromJSON;
use serde_json::json;
use sha2::{Digest, Sha256};
use uuid::Uuid;
use workscribe_core::error::FieldError;
use workscribe_core::id::{OrgId, UserId};
use workscribe_core::idempotency::{IdempotencyKey, StoredAnswer, claim};
use workscribe_core::storage::Party;
use workscribe_core::tenancy::OrgScope;
use workscribe_core::{Error, UnitOfWork, WorkScribe};

use crate::body::Answer;
use crate::problem::{ApiError, ApiResult};
use crate::reply::Created;

/// A request that creates something, and by what it is known when it comes again.
pub(crate) struct Request<'a> {
    /// The client's key, if it sent one.
    pub(crate) key: Option<&'a str>,
    /// The operation's id.
    pub(crate) operation: &'static str,
    /// The caller.
    pub(crate) user: UserId,
    /// Where something is created.
    pub(crate) place: Place,
    /// The digest of the body.
    pub(crate) digest: [u8; 32],
}

/// Where something is created. A key is kept by organization, and is good for one project or one task of it, so the door
/// comes before the claim, and again within the transaction. Without a key there is nothing to look up.
#[derive(Clone, Copy, Default)]
pub(crate) struct Place {
    org: Option<OrgId>,
    within: Option<Uuid>,
}

impl Place {
    /// An organization.
    pub(crate) async fn organization(
        app: &WorkScribe,
        key: Option<&str>,
        slug: &str,
        user: UserId,
    ) -> Result<Self, Error> {
        if key.is_none() {
            return Ok(Self::default());
        }
        let (scope, _) = OrgScope::enter(&mut *app.read().await?, slug, user).await?;
        Ok(Self { org: Some(scope.org()), within: None })
    }

    /// A project.
    pub(crate) async fn project(
        app: &WorkScribe,
        key: Option<&str>,
        slug: &str,
        project: &str,
        user: UserId,
    ) -> Result<Self, Error> {
        if key.is_none() {
            return Ok(Self::default());
        }
        let (scope, entered) = OrgScope::enter_project(&mut *app.read().await?, slug, project, user).await?;
        Ok(Self { org: Some(scope.org()), within: Some(entered.found.id.into()) })
    }

    /// A task.
    pub(crate) async fn task(
        app: &WorkScribe,
        key: Option<&str>,
        task: &str,
        user: UserId,
    ) -> Result<Self, Error> {
        if key.is_none() {
            return Ok(Self::default());
        }
        let (scope, entered) = OrgScope::enter_task(&mut *app.read().await?, task, user).await?;
        Ok(Self { org: Some(scope.org()), within: Some(entered.found.id.into()) })
    }
}

/// What was created, before it is an answer.
pub(crate) struct Made<T> {
    pub(crate) value: T,
    pub(crate) location: String,
    pub(crate) version: i64,
}

impl<T: Answer> From<Made<T>> for Created<T> {
    fn from(made: Made<T>) -> Self {
        Self::new(made.value, made.location, made.version)
    }
}

impl Request<'_> {
    fn key(&self) -> Result<Option<IdempotencyKey>, Error> {
        let Some(key) = self.key else { return Ok(None) };
        if key.is_empty() || key.chars().count() > 255 || key.chars().any(char::is_control) {
            return Err(Error::invalid(vec![FieldError {
                pointer: "/header/Idempotency-Key".into(),
                code: "INVALID_LENGTH",
                message: "An Idempotency-Key has 1 to 255 characters.".into(),
            }]));
        }
        let mut fingerprint = Sha256::new();
        fingerprint.update(self.operation);
        fingerprint.update([0]);
        fingerprint.update(self.digest);
        if let Some(within) = self.place.within {
            fingerprint.update(within);
        }
        let org = self.place.org.map_or_else(String::new, |org| org.to_string());
        let scope = format!("{}/{org}", self.user);
        let fingerprint = fingerprint.finalize().into();
        Ok(Some(IdempotencyKey { org: self.place.org, scope, key: key.to_owned(), fingerprint }))
    }
}

/// A request with its key claimed, or without one, and the transaction in which it is carried out.
pub(crate) struct Once<'a> {
    app: &'a WorkScribe,
    key: Option<IdempotencyKey>,
    uow: Box<dyn UnitOfWork>,
}

/// What is to be done with a request.
pub(crate) enum Begun<'a, T: Answer> {
    /// Carry it out, then call [`Once::finish`].
    Fresh(Once<'a>),
    /// It was carried out before; answer the same.
    Repeated(Created<T>),
}

/// Claims the key, if there is one, and begins the transaction.
pub(crate) async fn begin<'a, T>(app: &'a WorkScribe, request: Request<'_>) -> ApiResult<Begun<'a, T>>
where
    T: Answer + ParseFromJSON,
{
    let key = request.key()?;
    if let Some(key) = &key {
        let mut claiming = app.begin().await?;
        claiming.on_behalf_of(Party::User(request.user));
        let earlier = claim(claiming.idempotency(), key, app.now()).await?;
        app.commit(claiming).await?;
        if let Some(answer) = earlier {
            return Ok(Begun::Repeated(replay(answer)?));
        }
    }
    let mut uow = app.begin().await?;
    uow.on_behalf_of(Party::User(request.user));
    Ok(Begun::Fresh(Once { app, key, uow }))
}

impl Once<'_> {
    /// The transaction of the work.
    pub(crate) fn uow(&mut self) -> &mut dyn UnitOfWork {
        &mut *self.uow
    }

    /// Stores the answer in the transaction of the work, so that either both are there or neither, and commits. A refusal
    /// rolls back and gives the key back.
    pub(crate) async fn finish<T: Answer>(self, done: Result<Made<T>, Error>) -> ApiResult<Created<T>> {
        let Self { app, key, uow } = self;
        let committed = match done {
            Ok(made) => commit(app, key.as_ref(), uow, made).await,
            Err(error) => {
                drop(uow);
                Err(error)
            }
        };
        match (committed, key) {
            (Err(error), Some(key)) => {
                release(app, &key).await;
                Err(error.into())
            }
            (committed, _) => Ok(committed?.into()),
        }
    }
}

async fn commit<T: Answer>(
    app: &WorkScribe,
    key: Option<&IdempotencyKey>,
    mut uow: Box<dyn UnitOfWork>,
    made: Made<T>,
) -> Result<Made<T>, Error> {
    if let Some(key) = key {
        let body = json!({ "value": serde_json::to_value(&made.value).map_err(Error::internal)?, "location": made.location, "version": made.version });
        uow.idempotency().finish(key, &StoredAnswer { status: 201, body }).await?;
    }
    app.commit(uow).await?;
    Ok(made)
}

/// If this fails too, the claim ends by itself after a minute.
async fn release(app: &WorkScribe, key: &IdempotencyKey) {
    let released = async {
        let mut uow = app.begin().await?;
        uow.idempotency().release(key).await?;
        app.commit(uow).await
    };
    if let Err(error) = released.await {
        tracing::warn!(%error, "an idempotency key could not be given back");
    }
}

fn replay<T: Answer + ParseFromJSON>(mut answer: StoredAnswer) -> ApiResult<Created<T>> {
    let unreadable = || ApiError::from(Error::internal("a stored answer cannot be read"));
    let value = T::parse_from_json(Some(answer.body["value"].take())).map_err(|_| unreadable())?;
    let location = answer.body["location"].as_str().ok_or_else(unreadable)?.to_owned();
    let version = answer.body["version"].as_i64().ok_or_else(unreadable)?;
    Ok(Created::new(value, location, version))
}
