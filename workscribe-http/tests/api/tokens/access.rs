//! Access tokens: what they contain, which are refused, and how their keys change.

use std::sync::atomic::{AtomicBool, Ordering};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::digest::KeyInit;
use hmac::{Hmac, Mac};
use sha2::{Sha256, Sha512};
use workscribe_core::identity::{SecretKey, SecretRing};
use workscribe_core::local::{JwtIssuer, SigningKey};
use workscribe_core::ports::Secret;
use workscribe_testkit::app::TEST_KEY;

use crate::support::*;

// A key pair only for these tests.
const PRIVATE_KEY: &str = "-----BEGIN PRIVATE KEY-----\n\
    MC4CAQAwBQYDK2VwBCIEIE2iNpzhvOl1dGd8mdzbPPvzqfrNIU6CFVuoOSMFUu/t\n\
    -----END PRIVATE KEY-----\n";
const PUBLIC_KEY: &str = "-----BEGIN PUBLIC KEY-----\n\
    MCowBQYDK2VwAyEAKRSlV3JIzDxMt+E7gE9W//kkGbJnJHHrcrYL/I1Rfr8=\n\
    -----END PUBLIC KEY-----\n";

// The key pair that replaces it.
const NEW_PRIVATE_KEY: &str = "-----BEGIN PRIVATE KEY-----\n\
    MC4CAQAwBQYDK2VwBCIEIN9pbAe5XhEvaHlvszzeG6poqn35fAG8ADex9iy8wt0V\n\
    -----END PRIVATE KEY-----\n";
const NEW_PUBLIC_KEY: &str = "-----BEGIN PUBLIC KEY-----\n\
    MCowBQYDK2VwAyEA7eJgAyspoor1hM3NjGZbNI+m9ntKcd6cAwv0mhtjNPw=\n\
    -----END PUBLIC KEY-----\n";

fn decoded(part: &str) -> Value {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}

/// The header and the claims of a token.
fn taken_apart(token: &str) -> (Value, Value) {
    let parts: Vec<_> = token.split('.').collect();
    assert_eq!(parts.len(), 3);
    (decoded(parts[0]), decoded(parts[1]))
}

fn encoded(header: &Value, claims: &Value) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    format!("{}.{}", part(header), part(claims))
}

fn signed<M: Mac + KeyInit>(header: &Value, claims: &Value, key: &str) -> String {
    let text = encoded(header, claims);
    let mut mac = <M as KeyInit>::new_from_slice(key.as_bytes()).unwrap();
    mac.update(text.as_bytes());
    format!("{text}.{}", URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes()))
}

/// A token with exactly this header, signed as the server signs it.
fn hs256_under(header: &str, claims: &Value, key: &str) -> String {
    let text = format!("{header}.{}", URL_SAFE_NO_PAD.encode(claims.to_string()));
    let mut mac = Hmac::<Sha256>::new_from_slice(key.as_bytes()).unwrap();
    mac.update(text.as_bytes());
    format!("{text}.{}", URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes()))
}

fn hs256(header: &Value, claims: &Value, key: &str) -> String {
    signed::<Hmac<Sha256>>(header, claims, key)
}

/// A value with some members set; null removes one.
fn with(value: &Value, members: Value) -> Value {
    let mut value = value.clone();
    for (name, member) in members.as_object().unwrap() {
        if member.is_null() {
            value.as_object_mut().unwrap().remove(name);
        } else {
            value[name] = member.clone();
        }
    }
    value
}

async fn status(app: &TestApp, token: &str) -> StatusCode {
    let call = app.get("/auth/me").header("authorization", &format!("Bearer {token}"));
    call.send().await.status
}

/// The keys that an issuer signs with and accepts.
fn ring(current: &str, accepted: &[&str]) -> SecretRing {
    let key = |text: &str| SecretKey::new(&Secret::new(text)).unwrap();
    SecretRing::new(key(current), accepted.iter().map(|text| key(text)).collect())
}

/// Four users send requests with tokens of the current key and of older keys, until a rotation is done. No request may fail.
async fn under_load(app: &Arc<TestApp>, first: &Login, rotation: impl Future<Output = ()>) -> Vec<Login> {
    let done = Arc::new(AtomicBool::new(false));
    let clients = at_once((0..4).map(|_| {
        let (app, done, mut login) = (Arc::clone(app), Arc::clone(&done), first.clone());
        async move {
            let mut sent = 0;
            while !done.load(Ordering::Relaxed) || sent < 20 {
                app.get("/auth/me").bearer(&login).send().await.expect(StatusCode::OK);
                // Half of the requests use a token of the current key, the others one of an older key.
                if sent % 2 == 0 {
                    login = app.login("ada@example.com").await;
                }
                sent += 1;
            }
            login
        }
    }));
    let rotation = async {
        rotation.await;
        done.store(true, Ordering::Relaxed);
    };
    futures_util::future::join(clients, rotation).await.0
}

on_every_storage! {
    async fn an_access_token_names_user_and_session_and_no_role(on: On) {
        let (app, _) = on.engines().await;
        let ada = app.login("ada@example.com").await;
        let (header, claims) = taken_apart(&ada.access);
        let sessions = app.get("/auth/sessions").bearer(&ada).send().await;
        let sessions = sessions.json["sessions"].as_array().unwrap().clone();
        let session = sessions.iter().find(|session| session["current"] == true).unwrap();
        let kid = ring(TEST_KEY, &[]).current().id().to_owned();
        assert_eq!(header, json!({"alg": "HS256", "typ": "at+jwt", "kid": kid}));
        let expected = json!({
            "sub": ada.user_id, "sid": session["id"], "jti": claims["jti"], "iat": 2_000_000_000,
            "exp": 2_000_000_900, "iss": "workscribe", "aud": "workscribe", "typ": "access",
        });
        assert_eq!(claims, expected);
        let again = app.login("ada@example.com").await;
        assert_ne!(taken_apart(&again.access).1["jti"], claims["jti"]);
    }

    async fn only_what_this_server_signed_as_an_access_token_is_accepted(on: On) {
        let (app, ada) = on.ada().await;
        let (header, claims) = taken_apart(&ada.access);
        assert_eq!(status(&app, &hs256(&header, &claims, TEST_KEY)).await, 200, "these tests sign as the server does");
        let mut forged = vec![
            ("no token", String::new()),
            ("rubbish", "a.b.c".into()),
            ("two parts", encoded(&header, &claims)),
            ("the refresh token", ada.refresh.clone()),
            ("another key", hs256(&header, &claims, "another key of more than thirty-two bytes")),
            ("a signature of nothing", format!("{}.", encoded(&header, &claims))),
            ("another user", {
                let signature = ada.access.rsplit('.').next().unwrap();
                let other = with(&claims, json!({"sub": "019ab0c4-5d2e-7c31-9f64-0d1b2a3c4e5f"}));
                format!("{}.{signature}", encoded(&header, &other))
            }),
            ("HS512", {
                signed::<Hmac<Sha512>>(&with(&header, json!({"alg": "HS512"})), &claims, TEST_KEY)
            }),
        ];
        for alg in ["none", "None", "NONE", "", "HS512", "RS256", "ES256", "EdDSA"] {
            let header = with(&header, json!({"alg": alg}));
            forged.push(("another algorithm", hs256(&header, &claims, TEST_KEY)));
            forged.push(("another algorithm, unsigned", format!("{}.", encoded(&header, &claims))));
        }
        let own_key = json!({"kty": "oct", "k": URL_SAFE_NO_PAD.encode(TEST_KEY), "alg": "HS256"});
        for members in [
            json!({"jku": "https://evil.example/jwks.json"}),
            json!({"jwk": own_key}),
            json!({"x5u": "https://evil.example/cert.pem"}),
            json!({"crit": ["exp"]}),
            json!({"typ": "JWT"}),
            json!({"typ": null}),
            json!({"kid": null}),
            json!({"kid": "another"}),
            json!({"kid": "../../../../dev/null"}),
            json!({"alg": null}),
        ] {
            forged.push(("a header", hs256(&with(&header, members), &claims, TEST_KEY)));
        }
        let now = 2_000_000_000;
        let as_it_came = ada.access.split('.').next().unwrap();
        assert_eq!(status(&app, &hs256_under(as_it_came, &claims, TEST_KEY)).await, 200);
        forged.push(("another key", hs256_under(as_it_came, &claims, "another key of more than thirty-two bytes")));
        for members in [
            json!({"iss": "another"}),
            json!({"iss": null}),
            json!({"aud": "another"}),
            json!({"aud": null}),
            json!({"typ": "refresh"}),
            json!({"typ": null}),
            json!({"sid": null}),
            json!({"sid": "019ab0c4-5d2e-7c31-9f64-0d1b2a3c4e5f"}),
            json!({"sub": null}),
            json!({"sub": "1 OR 1=1"}),
            json!({"exp": now - 30}),
            json!({"exp": null}),
            json!({"exp": -1}),
            json!({"exp": "tomorrow"}),
            json!({"exp": i64::MAX}),
            json!({"exp": chrono::DateTime::<chrono::Utc>::MAX_UTC.timestamp()}),
            json!({"exp": chrono::DateTime::<chrono::Utc>::MAX_UTC.timestamp() - 5}),
            json!({"iat": chrono::DateTime::<chrono::Utc>::MIN_UTC.timestamp()}),
            json!({"iat": now + 31, "exp": now + 900}),
            json!({"iat": i64::MIN}),
        ] {
            let claims = with(&claims, members);
            forged.push(("a claim", hs256(&header, &claims, TEST_KEY)));
            forged.push(("a claim", hs256_under(as_it_came, &claims, TEST_KEY)));
        }
        for (what, token) in forged {
            let bearer = format!("Bearer {token}");
            let answer = app.get("/auth/me").header("authorization", &bearer).send().await;
            assert_eq!(answer.status, 401, "{what}: {:?}", token.split('.').map(|part| {
                String::from_utf8_lossy(&URL_SAFE_NO_PAD.decode(part).unwrap_or_default()).into_owned()
            }).collect::<Vec<_>>());
            let answer = answer.refused(401, "UNAUTHENTICATED");
            assert_eq!(answer.header("www-authenticate"), Some("Bearer"));
        }
        for scheme in ["", "Basic ", "bearer", "Bearer\t", "Token "] {
            let value = format!("{scheme}{}", ada.access);
            let answer = app.get("/auth/me").header("authorization", &value).send().await;
            answer.refused(401, "UNAUTHENTICATED");
        }
        app.get("/auth/me").send().await.refused(401, "UNAUTHENTICATED");
        assert_eq!(status(&app, &ada.access).await, 200);
    }

    async fn an_access_token_ends_after_15_minutes_and_a_small_leeway(on: On) {
        let (app, ada) = on.ada().await;
        app.clock.advance(TimeDelta::seconds(899));
        assert_eq!(status(&app, &ada.access).await, 200);
        app.clock.advance(TimeDelta::seconds(31));
        assert_eq!(status(&app, &ada.access).await, 401);
        refresh(&app, &ada.refresh).await.expect(StatusCode::OK);
    }

    async fn an_eddsa_key_signs_and_its_public_half_is_published(on: On) {
        let key = SigningKey::ed25519(&Secret::new(PRIVATE_KEY), PUBLIC_KEY).unwrap();
        let issuer = Arc::new(JwtIssuer::ed25519(key, vec![]));
        let app = on.app_with(|builder| builder.issuer(issuer)).await;
        let ada = app.register("ada@example.com").await;
        assert_eq!(status(&app, &ada.access).await, 200);
        let (header, claims) = taken_apart(&ada.access);
        let keys = app.request(Method::GET, "/.well-known/jwks.json").send().await.expect(StatusCode::OK);
        let expected = json!({"keys": [{
            "kty": "OKP", "crv": "Ed25519", "use": "sig", "alg": "EdDSA", "kid": header["kid"],
            "x": "KRSlV3JIzDxMt-E7gE9W__kkGbJnJHHrcrYL_I1Rfr8",
        }]});
        assert_eq!((keys.json, &header["alg"]), (expected, &json!("EdDSA")));
        // The public key is not a secret, so it must not be accepted as one (RFC 8725 §2.1).
        for (header, key) in [
            (with(&header, json!({"alg": "HS256"})), PUBLIC_KEY),
            (header.clone(), PUBLIC_KEY),
            (with(&header, json!({"alg": "HS256"})), TEST_KEY),
        ] {
            assert_eq!(status(&app, &hs256(&header, &claims, key)).await, 401);
        }
        let unsigned = format!("{}.", encoded(&with(&header, json!({"alg": "none"})), &claims));
        assert_eq!(status(&app, &unsigned).await, 401);
    }

    async fn a_shared_secret_is_not_published(on: On) {
        let app = on.app().await;
        let keys = app.request(Method::GET, "/.well-known/jwks.json").send().await.expect(StatusCode::OK);
        assert_eq!(keys.json, json!({"keys": []}));
    }

    async fn keys_rotate_under_load_without_a_failed_request(on: On) {
        let keys: Vec<String> = (0..6).map(|turn| format!("key number {turn}, of thirty-two bytes and more")).collect();
        let issuer = Arc::new(JwtIssuer::hs256(&ring(&keys[0], &[])));
        let app = Arc::new(on.app_with(|builder| builder.issuer(issuer.clone())).await);
        let first = app.register("ada@example.com").await;
        let rotation = async {
            for turn in 1..keys.len() {
                tokio::time::sleep(std::time::Duration::from_millis(20)).await;
                let accepted: Vec<&str> = keys[..turn].iter().rev().map(String::as_str).collect();
                issuer.rotate_hs256(&ring(&keys[turn], &accepted));
            }
        };
        let logins = under_load(&app, &first, rotation).await;
        let kid = |login: &Login| taken_apart(&login.access).0["kid"].clone();
        let last = app.login("ada@example.com").await;
        assert_eq!(kid(&last), ring(&keys[5], &[]).current().id());
        assert_eq!(kid(&first), ring(&keys[0], &[]).current().id());
        assert_eq!(status(&app, &first.access).await, 200);
        // When the older keys are removed, their tokens end.
        issuer.rotate_hs256(&ring(&keys[5], &[]));
        assert_eq!(status(&app, &first.access).await, 401);
        assert_eq!((status(&app, &last.access).await, logins.len()), (StatusCode::OK, 4));
    }

    async fn eddsa_keys_rotate_under_load_without_a_failed_request(on: On) {
        let old = SigningKey::ed25519(&Secret::new(PRIVATE_KEY), PUBLIC_KEY).unwrap();
        let new = SigningKey::ed25519(&Secret::new(NEW_PRIVATE_KEY), NEW_PUBLIC_KEY).unwrap();
        let issuer = Arc::new(JwtIssuer::ed25519(old.clone(), vec![]));
        let app = Arc::new(on.app_with(|builder| builder.issuer(issuer.clone())).await);
        let first = app.register("ada@example.com").await;
        let rotation = async {
            // Every server accepts the key before one signs with it.
            for (signs, accepted) in [(&old, &new), (&new, &old)] {
                tokio::time::sleep(std::time::Duration::from_millis(20)).await;
                issuer.rotate_ed25519(signs.clone(), vec![accepted.verifying()]);
            }
        };
        under_load(&app, &first, rotation).await;
        let last = app.login("ada@example.com").await;
        let kid = |login: &Login| taken_apart(&login.access).0["kid"].clone();
        assert_ne!(kid(&first), kid(&last));
        let published = app.request(Method::GET, "/.well-known/jwks.json").send().await.json;
        let published: Vec<_> = published["keys"].as_array().unwrap().iter().map(|key| key["kid"].clone()).collect();
        assert_eq!(published, [kid(&last), kid(&first)], "the former key too");
        assert_eq!(status(&app, &first.access).await, 200);
        issuer.rotate_ed25519(new, vec![]);
        assert_eq!(status(&app, &first.access).await, 401);
        assert_eq!(status(&app, &last.access).await, 200);
    }
}
