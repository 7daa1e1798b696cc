//! Access tokens as JSON Web Tokens (RFC 7519): how they are made, and how every request's token is checked.

use std::sync::{Arc, PoisonError, RwLock};

use chrono::TimeDelta;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::clock::{Timestamp, is_writable};
use crate::error::{Error, Result};
use crate::identity::{SecretKey, SecretRing};
use crate::ports::{AccessClaims, Secret, TokenIssuer};

/// The header's `typ` of an access token (RFC 9068 §2.1), so that a token of another kind is not accepted.
const TYPE: &str = "at+jwt";
/// How much the clocks of two servers may differ.
const LEEWAY: TimeDelta = TimeDelta::seconds(5);

/// Why a key cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// It is not a PEM document with an Ed25519 key.
    #[error("not an Ed25519 key in PEM form (PKCS #8)")]
    NotEd25519(#[source] jsonwebtoken::errors::Error),
}

/// A key that signs access tokens.
#[derive(Clone)]
pub struct SigningKey {
    encoding: EncodingKey,
    verifying: VerifyingKey,
}

/// A key that signs access tokens on another server, or signed them before: tokens signed with it are accepted.
#[derive(Clone)]
pub struct VerifyingKey {
    kid: String,
    decoding: DecodingKey,
    public: Option<Value>,
}

impl VerifyingKey {
    /// An Ed25519 public key in SPKI PEM format.
    ///
    /// # Errors
    /// [`KeyError`] when the text is not such a key.
    pub fn ed25519(public_pem: &str) -> Result<Self, KeyError> {
        let decoding = DecodingKey::from_ed_pem(public_pem.as_bytes()).map_err(KeyError::NotEd25519)?;
        let raw = decoding.try_get_as_bytes().map_err(KeyError::NotEd25519)?;
        // The public key is the last 32 bytes, with or without the SPKI frame around it.
        let x = b64(&raw[raw.len().saturating_sub(32)..]);
        // The thumbprint of RFC 7638, of the members that RFC 8037 requires, in their order.
        let kid = b64(&sha256(format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{x}"}}"#).as_bytes()));
        let public =
            json!({"kty": "OKP", "crv": "Ed25519", "use": "sig", "alg": "EdDSA", "kid": kid, "x": x});
        Ok(Self { kid, decoding, public: Some(public) })
    }
}

impl SigningKey {
    /// An Ed25519 key pair: the private key in PKCS #8, the public key in SPKI, both as PEM.
    ///
    /// # Errors
    /// [`KeyError`] when the texts are not such keys.
    pub fn ed25519(private_pem: &Secret, public_pem: &str) -> Result<Self, KeyError> {
        let encoding =
            EncodingKey::from_ed_pem(private_pem.expose().as_bytes()).map_err(KeyError::NotEd25519)?;
        Ok(Self { encoding, verifying: VerifyingKey::ed25519(public_pem)? })
    }

    /// Its public key, with which others verify tokens.
    #[must_use]
    pub fn verifying(&self) -> VerifyingKey {
        self.verifying.clone()
    }
}

fn b64(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes)
}

fn from_b64(text: &str) -> Option<Vec<u8>> {
    use base64::Engine as _;
    base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(text).ok()
}

fn sha256(bytes: &[u8]) -> [u8; 32] {
    use sha2::Digest as _;
    sha2::Sha256::digest(bytes).into()
}

struct Keys {
    current: SigningKey,
    accepted: Vec<VerifyingKey>,
    /// The headers of the tokens of these keys, as texts.
    headers: Vec<String>,
}

impl Keys {
    fn new(algorithm: Algorithm, current: SigningKey, accepted: Vec<VerifyingKey>) -> Self {
        let mut keys = Self { current, accepted, headers: Vec::new() };
        keys.headers = keys.all().map(|key| header_text(algorithm, key)).collect();
        keys
    }

    fn all(&self) -> impl Iterator<Item = &VerifyingKey> {
        std::iter::once(&self.current.verifying).chain(&self.accepted)
    }

    /// The key whose header text is equal to the given one.
    fn of_our_header(&self, header: &str) -> Option<&VerifyingKey> {
        self.all().zip(&self.headers).find(|(_, ours)| *ours == header).map(|(key, _)| key)
    }
}

fn header_of(algorithm: Algorithm, key: &VerifyingKey) -> Header {
    let mut header = Header::new(algorithm);
    header.typ = Some(TYPE.to_owned());
    header.kid = Some(key.kid.clone());
    header
}

/// A header as jsonwebtoken writes it. If it cannot be written, the text is empty and equals no header.
fn header_text(algorithm: Algorithm, key: &VerifyingKey) -> String {
    serde_json::to_vec(&header_of(algorithm, key)).map(|json| b64(&json)).unwrap_or_default()
}

/// Access tokens as JSON Web Tokens, signed with one fixed algorithm: HS256 or EdDSA.
///
/// The header's `alg`, `typ` and `kid` must have the expected values. A header that contains keys or their address
/// (`jku`, `jwk`, `x5u`, `x5c`) is refused (RFC 8725 §3.1, §3.8, §3.10).
pub struct JwtIssuer {
    algorithm: Algorithm,
    issuer: String,
    audience: String,
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

    /// EdDSA with one key that signs and others whose tokens are accepted. The key set ([`TokenIssuer::jwks`]) has all of them.
    #[must_use]
    pub fn ed25519(current: SigningKey, accepted: Vec<VerifyingKey>) -> Self {
        Self::new(Algorithm::EdDSA, Keys::new(Algorithm::EdDSA, current, accepted))
    }

    fn new(algorithm: Algorithm, keys: Keys) -> Self {
        let name = "workscribe".to_owned();
        Self { algorithm, issuer: name.clone(), audience: name, keys: RwLock::new(Arc::new(keys)) }
    }

    /// Sets another `iss` and `aud` than `workscribe`.
    #[must_use]
    pub fn with_names(mut self, issuer: impl Into<String>, audience: impl Into<String>) -> Self {
        (self.issuer, self.audience) = (issuer.into(), audience.into());
        self
    }

    /// Replaces the keys while the server runs. With several nodes, configure all of them to accept a new key before one node
    /// signs with it.
    pub fn rotate_hs256(&self, secrets: &SecretRing) {
        self.replace(Self::hs256_keys(secrets));
    }

    /// Replaces the keys while the server runs; see [`JwtIssuer::rotate_hs256`].
    pub fn rotate_ed25519(&self, current: SigningKey, accepted: Vec<VerifyingKey>) {
        self.replace(Keys::new(Algorithm::EdDSA, current, accepted));
    }

    fn replace(&self, keys: Keys) {
        *self.keys.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(keys);
    }

    fn keys(&self) -> Arc<Keys> {
        Arc::clone(&self.keys.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn hs256_keys(secrets: &SecretRing) -> Keys {
        let verifying = |key: &SecretKey| VerifyingKey {
            kid: key.id().to_owned(),
            decoding: DecodingKey::from_secret(key.bytes()),
            public: None,
        };
        let current = secrets.current();
        let accepted = secrets.all().skip(1).map(verifying).collect();
        let encoding = EncodingKey::from_secret(current.bytes());
        Keys::new(Algorithm::HS256, SigningKey { encoding, verifying: verifying(current) }, accepted)
    }

    /// The key that a header from other software names, if `alg`, `typ` and `kid` have the expected values and the header
    /// contains no keys and no critical extensions.
    fn key_of<'k>(&self, keys: &'k Keys, token: &str) -> Option<&'k VerifyingKey> {
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
        let kid = header.kid?;
        keys.all().find(|key| key.kid == kid)
    }
}

impl TokenIssuer for JwtIssuer {
    fn issue(&self, claims: &AccessClaims, jti: Uuid) -> Result<String> {
        let keys = self.keys();
        let header = header_of(self.algorithm, &keys.current.verifying);
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
        let keys = self.keys();
        let (signed, signature) = token.rsplit_once('.')?;
        let (header, claims) = signed.split_once('.')?;
        let key = keys.of_our_header(header).or_else(|| self.key_of(&keys, token))?;
        if !jsonwebtoken::crypto::verify(signature, signed.as_bytes(), &key.decoding, self.algorithm).ok()? {
            return None;
        }
        let claims: Claims = serde_json::from_slice(&from_b64(claims)?).ok()?;
        if claims.iss != self.issuer || claims.aud != self.audience {
            return None;
        }
        // The bound keeps the additions below from overflowing.
        let moment = |seconds| Timestamp::from_timestamp(seconds, 0).filter(|moment| is_writable(*moment));
        let (issued_at, expires_at) = (moment(claims.iat)?, moment(claims.exp)?);
        if claims.typ != "access" || now >= expires_at + LEEWAY || issued_at > now + LEEWAY {
            return None;
        }
        Some(AccessClaims { user: claims.sub.into(), session: claims.sid.into(), issued_at, expires_at })
    }

    fn jwks(&self) -> Value {
        let keys = self.keys();
        let public: Vec<_> = keys.all().filter_map(|key| key.public.clone()).collect();
        json!({ "keys": public })
    }
}
