//! The replacement of the keys of access tokens while servers run (guarantee 9).

use crate::client::Login;
use crate::program::Setup;

const OLD_PRIVATE_KEY: &str = "-----BEGIN PRIVATE KEY-----\n\
    MC4CAQAwBQYDK2VwBCIEIDOd+Blzd2FQMTpR9SrczIzCg6UuzIm3y7/ssX+LcrGv\n\
    -----END PRIVATE KEY-----\n";
const OLD_PUBLIC_KEY: &str = "-----BEGIN PUBLIC KEY-----\n\
    MCowBQYDK2VwAyEAioHs/KP52dWTGUnfyZd4NL0+dT/6P+ks/vEBGYfTsAM=\n\
    -----END PUBLIC KEY-----\n";
const NEW_PRIVATE_KEY: &str = "-----BEGIN PRIVATE KEY-----\n\
    MC4CAQAwBQYDK2VwBCIEIN9pbAe5XhEvaHlvszzeG6poqn35fAG8ADex9iy8wt0V\n\
    -----END PRIVATE KEY-----\n";
const NEW_PUBLIC_KEY: &str = "-----BEGIN PUBLIC KEY-----\n\
    MCowBQYDK2VwAyEA7eJgAyspoor1hM3NjGZbNI+m9ntKcd6cAwv0mhtjNPw=\n\
    -----END PUBLIC KEY-----\n";

/// A server that signs with a key pair and also accepts other public keys.
fn signing(setup: &Setup, private: &str, public: &str, accepted: &str) -> Setup {
    setup
        .clone()
        .env("WORKSCRIBE_JWT_PRIVATE_KEY", private)
        .env("WORKSCRIBE_JWT_PUBLIC_KEY", public)
        .env("WORKSCRIBE_JWT_ACCEPTED_PUBLIC_KEYS", accepted)
}

#[tokio::test]
async fn an_eddsa_key_takes_the_place_of_another_on_one_server_after_the_other() {
    let setup = Setup::new();
    let both = format!("{NEW_PUBLIC_KEY}{OLD_PUBLIC_KEY}");
    // Every server accepts the new key before one signs with it. The signing key may also be in the list of accepted keys.
    let old = signing(&setup, OLD_PRIVATE_KEY, OLD_PUBLIC_KEY, NEW_PUBLIC_KEY).serve().await;
    let ada = old.client.register("ada@example.com").await;
    let new = signing(&setup, NEW_PRIVATE_KEY, NEW_PUBLIC_KEY, &both).serve().await;
    let later = Login::of(&new.client.log_in("ada@example.com").await.expect(200));
    for server in [&old, &new] {
        server.client.me(&ada).await.expect(200);
        server.client.me(&later).await.expect(200);
        let published = server.client.get("/.well-known/jwks.json").send().await.expect(200);
        let keys = published.json["keys"].as_array().unwrap();
        let names: std::collections::BTreeSet<_> = keys.iter().map(|key| key["kid"].as_str()).collect();
        assert_eq!(names.len(), 2, "{published:?}");
    }
    old.process.stop().await;
    new.client.me(&ada).await.expect(200);
    new.process.stop().await;
    // Once every token of the old key has expired, the key is no longer accepted.
    let setup = signing(&setup, NEW_PRIVATE_KEY, NEW_PUBLIC_KEY, "");
    let last = setup.serve().await;
    last.client.me(&ada).await.expect(401);
    last.client.me(&later).await.expect(200);
    last.process.stop().await;
}
