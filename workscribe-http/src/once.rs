//! Requests that may be sent twice: the `Idempotency-Key` of each POST that creates something.

use poem_openapi::param::Header;
use poem_openapi::types::ParseFromJSON;
use serde_json::json;
use sha2::{Digest, Sha256};
use uuid::Uuid;
use workscribe_core::id::{OrgId, UserId};
use workscribe_core::idempotency::{self, StoredAnswer, claim};
use workscribe_core::storage::Party;
use workscribe_core::tenancy::In;
use workscribe_core::{Error, UnitOfWork, WorkScribe};

use crate::auth::BearerAuth;
use crate::body::{Answer, Body, Input, Json};
use crate::query::fault;
use crate::reply::{Created, if_match};
use crate::wire::IdempotencyKey;

/// A request that creates something, and the key by which a repeat is recognized. The key is stored for an organization and applies
/// to one project or one task of it. So the door comes before the claim, and again in the transaction. Without a key, nothing is
/// looked up.
pub(crate) struct Once<'a> {
    app: &'a WorkScribe,
    user: UserId,
    key: Option<IdempotencyKey>,
    operation: &'static str,
    digest: [u8; 32],
    org: Option<OrgId>,
    within: Option<Uuid>,
}

impl<'a> Once<'a> {
    /// A request for an operation that belongs to no organization.
    pub(crate) fn new<T: Input>(
        app: &'a WorkScribe,
        auth: &BearerAuth,
        key: Header<Option<IdempotencyKey>>,
        operation: &'static str,
        body: &Body<T>,
    ) -> Self {
        let (user, digest) = (auth.actor().user, body.digest());
        Self { app, user, key: key.0, operation, digest, org: None, within: None }
    }

    /// Sets the organization of the request.
    pub(crate) async fn in_organization(mut self, slug: &str) -> Result<Self, Error> {
        if self.key.is_some() {
            let at = In::organization(&mut *self.app.read().await?, slug, self.user).await?;
            self.org = Some(at.id);
        }
        Ok(self)
    }

    /// Sets the project of the request.
    pub(crate) async fn in_project(mut self, slug: &str, project: &str) -> Result<Self, Error> {
        if self.key.is_some() {
            let at = In::project(&mut *self.app.read().await?, slug, project, self.user).await?;
            (self.org, self.within) = (Some(at.org_id), Some(at.id.into()));
        }
        Ok(self)
    }

    /// Sets the task of the request.
    pub(crate) async fn on_task(mut self, task: &str) -> Result<Self, Error> {
        if self.key.is_some() {
            let at = In::task(&mut *self.app.read().await?, task, self.user).await?;
            (self.org, self.within) = (Some(at.org_id), Some(at.id.into()));
        }
        Ok(self)
    }

    /// Claims the key, if there is one, and runs the request in a transaction, or returns the stored response of an earlier run.
    /// The response is stored in the transaction of the work, so that either both are stored or neither. A refusal rolls back and
    /// releases the key.
    pub(crate) async fn run<T, W>(
        self,
        work: impl FnOnce(Box<dyn UnitOfWork>) -> W,
    ) -> Result<Created<T>, Error>
    where
        T: Answer + ParseFromJSON,
        W: Future<Output = Result<(Box<dyn UnitOfWork>, Created<T>), Error>>,
    {
        let key = self.claimed_by()?;
        if let Some(key) = &key {
            let mut claiming = self.begin().await?;
            let earlier = claim(claiming.idempotency(), key, self.app.now()).await?;
            self.app.commit(claiming).await?;
            if let Some(answer) = earlier {
                return replay(answer);
            }
        }
        let done = async {
            let (uow, made) = work(self.begin().await?).await?;
            commit(self.app, key.as_ref(), uow, &made).await?;
            Ok(made)
        };
        let done = done.await;
        if let (Err(_), Some(key)) = (&done, &key) {
            release(self.app, key).await;
        }
        done
    }

    async fn begin(&self) -> Result<Box<dyn UnitOfWork>, Error> {
        let mut uow = self.app.begin().await?;
        uow.on_behalf_of(Party::User(self.user));
        Ok(uow)
    }

    fn claimed_by(&self) -> Result<Option<idempotency::IdempotencyKey>, Error> {
        let Some(key) = self.key.as_deref() else { return Ok(None) };
        if key.is_empty() || key.chars().count() > 255 || key.chars().any(char::is_control) {
            let message = "An Idempotency-Key has 1 to 255 characters.";
            return Err(fault("/header/Idempotency-Key", "INVALID_LENGTH", message));
        }
        let mut fingerprint = Sha256::new();
        fingerprint.update(self.operation);
        fingerprint.update([0]);
        fingerprint.update(self.digest);
        if let Some(within) = self.within {
            fingerprint.update(within);
        }
        let org = self.org.map_or_else(String::new, |org| org.to_string());
        let (scope, fingerprint) = (format!("{}/{org}", self.user), fingerprint.finalize().into());
        Ok(Some(idempotency::IdempotencyKey { org: self.org, scope, key: key.to_owned(), fingerprint }))
    }
}

async fn commit<T: Answer>(
    app: &WorkScribe,
    key: Option<&idempotency::IdempotencyKey>,
    mut uow: Box<dyn UnitOfWork>,
    Created::Created(Json(value), location, etag): &Created<T>,
) -> Result<(), Error> {
    if let Some(key) = key {
        let value = serde_json::to_value(value).map_err(Error::internal)?;
        let body = json!({ "value": value, "location": location, "version": if_match(Some(etag)) });
        uow.idempotency().finish(key, &StoredAnswer { status: 201, body }).await?;
    }
    app.commit(uow).await
}

/// Releases a claim. If this fails too, the claim expires after a minute.
async fn release(app: &WorkScribe, key: &idempotency::IdempotencyKey) {
    let released = async {
        let mut uow = app.begin().await?;
        uow.idempotency().release(key).await?;
        app.commit(uow).await
    };
    if let Err(error) = released.await {
        tracing::warn!(%error, "an idempotency key could not be given back");
    }
}

fn replay<T: Answer + ParseFromJSON>(mut answer: StoredAnswer) -> Result<Created<T>, Error> {
    let unreadable = || Error::internal("a stored answer cannot be read");
    let value = T::parse_from_json(Some(answer.body["value"].take())).map_err(|_| unreadable())?;
    let location = answer.body["location"].as_str().ok_or_else(unreadable)?.to_owned();
    let version = answer.body["version"].as_i64().ok_or_else(unreadable)?;
    Ok(Created::of(value, location, version))
}
