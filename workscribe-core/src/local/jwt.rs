use std::sync::{Arc, PoisonError, RwLock};

use chrono::TimeDelta;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::clock::Timestamp;
use crate::error::Error;
use crate::identity::SecretRing;
use crate::ports::{AccessClaims, Secret, TokenIssuer};

/// The header's `typ` of an access token (RFC 9068 §2.1): a token of another kind is not taken for one.
const TYPE: &str = "at+jwt";
/// How far the clocks of two servers may differ.
const LEEWAY: TimeDelta = TimeDelta::seconds(5);

/// Why a key cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// It is not a PEM document with an Ed25519 key.
    #[error("not an Ed25519 key in PEM form (PKCS #8)")]
    NotEd25519(#[source] jsonwebtoken::errors::Error),
}

/// A key that signs access tokens, or that did and is still accepted.
#[derive(Clone)]
pub struct SigningKey {
    kid: String,
    encoding: EncodingKey,
    decoding: DecodingKey,
    public: Option<Value>,
}

impl SigningKey {
    /// An Ed25519 key pair: the private key as PKCS #8, the public one as SPKI, both PEM.
    ///
    /// # Errors
    /// [`KeyError`] when they are not that.
    pub fn ed25519(private_pem: &Secret, public_pem: &str) -> Result<Self, KeyError> {
        let encoding =
            EncodingKey::from_ed_pem(private_pem.expose().as_bytes()).map_err(KeyError::NotEd25519)?;
        let decoding = DecodingKey::from_ed_pem(public_pem.as_bytes()).map_err(KeyError::NotEd25519)?;
        let raw = decoding.try_get_as_bytes().map_err(KeyError::NotEd25519)?;
        // The public key is the last 32 bytes, whether or not the SPKI frame around it was kept.
        let x = b64(&raw[raw.len().saturating_sub(32)..]);
        // The thumbprint of RFC 7638, over the members that RFC 8037 requires, in their order.
        let kid = b64(&sha256(format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{x}"}}"#).as_bytes()));
        let public =
            json!({"kty": "OKP", "crv": "Ed25519", "use": "sig", "alg": "EdDSA", "kid": kid, "x": x});
        Ok(Self { kid, encoding, decoding, public: Some(public) })
    }
}

fn b64(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes)
}

fn sha256(bytes: &[u8]) -> [u8; 32] {
    use sha2::Digest as _;
    sha2::Sha256::digest(bytes).into()
}

struct Keys {
    current: SigningKey,
    accepted: Vec<SigningKey>,
}

/// Access tokens as JSON Web Tokens, signed by one pinned algorithm: HS256 or EdDSA.
///
/// The header's `alg`, `typ` and `kid` must be the ones expected, and a header that brings keys or their address
/// (`jku`, `jwk`, `x5u`, `x5c`) is refused (RFC 8725 §3.1, §3.8, §3.10).
pub struct JwtIssuer {
    algorithm: Algorithm,
    issuer: String,
    audience: String,
    validation: Validation,
    keys: RwLock<Arc<Keys>>,
}

#[derive(Serialize, Deserialize)]
struct Claims {
    sub: Uuid,
    sid: Uuid,
    jti: Uuid,
    iat: i64,
    exp: i64,
    iss: String,
    aud: String,
    typ: String,
}

impl JwtIssuer {
    /// HS256 with the server's keys.
    #[must_use]
    pub fn hs256(secrets: &SecretRing) -> Self {
        Self::new(Algorithm::HS256, Self::hs256_keys(secrets))
    }

    /// EdDSA with one key that signs and others that are accepted.
    #[must_use]
    pub fn ed25519(current: SigningKey, accepted: Vec<SigningKey>) -> Self {
        Self::new(Algorithm::EdDSA, Keys { current, accepted })
    }

    fn new(algorithm: Algorithm, keys: Keys) -> Self {
        let name = "workscribe".to_owned();
        let validation = validation(algorithm, &name, &name);
        Self {
            algorithm,
            issuer: name.clone(),
            audience: name,
            validation,
            keys: RwLock::new(Arc::new(keys)),
        }
    }

    /// Another `iss` and `aud` than `workscribe`.
    #[must_use]
    pub fn with_names(mut self, issuer: impl Into<String>, audience: impl Into<String>) -> Self {
        (self.issuer, self.audience) = (issuer.into(), audience.into());
        self.validation = validation(self.algorithm, &self.issuer, &self.audience);
        self
    }

    /// Puts other keys in place while the server runs. Where there are several nodes, let all of them accept a new key
    /// before one signs with it.
    pub fn rotate_hs256(&self, secrets: &SecretRing) {
        self.replace(Self::hs256_keys(secrets));
    }

    /// Puts other keys in place while the server runs; see [`JwtIssuer::rotate_hs256`].
    pub fn rotate_ed25519(&self, current: SigningKey, accepted: Vec<SigningKey>) {
        self.replace(Keys { current, accepted });
    }

    fn replace(&self, keys: Keys) {
        *self.keys.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(keys);
    }

    fn keys(&self) -> Arc<Keys> {
        Arc::clone(&self.keys.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn hs256_keys(secrets: &SecretRing) -> Keys {
        let mut all = secrets.all().map(|key| SigningKey {
            kid: key.id().to_owned(),
            encoding: EncodingKey::from_secret(key.bytes()),
            decoding: DecodingKey::from_secret(key.bytes()),
            public: None,
        });
        #[expect(clippy::expect_used, reason = "a ring is never empty")]
        let current = all.next().expect("a ring has a key in use");
        Keys { current, accepted: all.collect() }
    }
}

/// What is asked of every token, made once.
fn validation(algorithm: Algorithm, issuer: &str, audience: &str) -> Validation {
    let mut validation = Validation::new(algorithm);
    validation.set_issuer(&[issuer]);
    validation.set_audience(&[audience]);
    validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
    // The time is checked against our own clock.
    validation.validate_exp = false;
    validation
}

impl TokenIssuer for JwtIssuer {
    fn issue(&self, claims: &AccessClaims, jti: Uuid) -> Result<String, Error> {
        let keys = self.keys();
        let mut header = Header::new(self.algorithm);
        header.typ = Some(TYPE.to_owned());
        header.kid = Some(keys.current.kid.clone());
        let claims = Claims {
            sub: claims.user.as_uuid(),
            sid: claims.session.as_uuid(),
            jti,
            iat: claims.issued_at.timestamp(),
            exp: claims.expires_at.timestamp(),
            iss: self.issuer.clone(),
            aud: self.audience.clone(),
            typ: "access".to_owned(),
        };
        jsonwebtoken::encode(&header, &claims, &keys.current.encoding).map_err(Error::internal)
    }

    fn verify(&self, token: &str, now: Timestamp) -> Option<AccessClaims> {
        let header = jsonwebtoken::decode_header(token).ok()?;
        let brings_keys =
            header.jku.is_some() || header.jwk.is_some() || header.x5u.is_some() || header.x5c.is_some();
        if header.alg != self.algorithm
            || header.typ.as_deref() != Some(TYPE)
            || brings_keys
            || header.crit.is_some()
        {
            return None;
        }
        let keys = self.keys();
        let kid = header.kid?;
        let key = std::iter::once(&keys.current).chain(&keys.accepted).find(|key| key.kid == kid)?;
        let claims = jsonwebtoken::decode::<Claims>(token, &key.decoding, &self.validation).ok()?.claims;
        let issued_at = Timestamp::from_timestamp(claims.iat, 0)?;
        let expires_at = Timestamp::from_timestamp(claims.exp, 0)?;
        if claims.typ != "access" || now >= expires_at + LEEWAY || issued_at > now + LEEWAY {
            return None;
        }
        Some(AccessClaims { user: claims.sub.into(), session: claims.sid.into(), issued_at, expires_at })
    }

    fn jwks(&self) -> Value {
        let keys = self.keys();
        let public: Vec<_> = std::iter::once(&keys.current)
            .chain(&keys.accepted)
            .filter_map(|key| key.public.clone())
            .collect();
        json!({ "keys": public })
    }
}
