//! The keys of the server: those that sign access tokens, and the secrets from which others are derived.

use std::path::{Path, PathBuf};

use workscribe_core::clock::{Entropy, SystemEntropy};
use workscribe_core::identity::{SecretKey, SecretRing};
use workscribe_core::local::{SigningKey, VerifyingKey};
use workscribe_core::ports::Secret;

use crate::values::{ConfigError, is_weak, split, sqlite_file};

pub(crate) fn signing_key(
    private: Option<Secret>,
    public: Option<Secret>,
) -> Result<Option<SigningKey>, ConfigError> {
    match (private, public) {
        (None, None) => Ok(None),
        (Some(private), Some(public)) => SigningKey::ed25519(&private, public.expose())
            .map(Some)
            .map_err(|error| ConfigError::new("WORKSCRIBE_JWT_PRIVATE_KEY", error.to_string())),
        _ => Err(ConfigError::new(
            "WORKSCRIBE_JWT_PUBLIC_KEY",
            "set the private and the public key, or neither",
        )),
    }
}

/// Public keys in PEM, one after the other. They are used only when the server signs with a private key.
pub(crate) fn accepted_keys(text: Option<Secret>, signs: bool) -> Result<Vec<VerifyingKey>, ConfigError> {
    const VARIABLE: &str = "WORKSCRIBE_JWT_ACCEPTED_PUBLIC_KEYS";
    const END: &str = "-----END PUBLIC KEY-----";
    let Some(text) = text else { return Ok(Vec::new()) };
    if !signs {
        return Err(ConfigError::new(VARIABLE, "needs WORKSCRIBE_JWT_PRIVATE_KEY and its public key"));
    }
    let documents = text.expose().split_inclusive(END).map(str::trim).filter(|text| !text.is_empty());
    documents
        .map(|pem| VerifyingKey::ed25519(pem).map_err(|error| ConfigError::new(VARIABLE, error.to_string())))
        .collect()
}

pub(crate) fn secret_ring(
    current: Option<Secret>,
    accepted: Option<Secret>,
    production: bool,
    database: &Secret,
) -> Result<SecretRing, ConfigError> {
    const VARIABLE: &str = "WORKSCRIBE_JWT_SECRET";
    let current = match current {
        Some(secret) => secret,
        None if production => {
            return Err(ConfigError::new(
                VARIABLE,
                "is needed in production: 32 random bytes or more, such as `openssl rand -base64 48` prints",
            ));
        }
        None => development_secret(database)?,
    };
    let key = |variable, secret: &Secret| {
        if production && is_weak(secret.expose()) {
            return Err(ConfigError::new(
                variable,
                "is too easy to guess for production; use random bytes, such as `openssl rand -base64 48` prints",
            ));
        }
        SecretKey::new(secret).ok_or_else(|| ConfigError::new(variable, "is shorter than 32 bytes"))
    };
    let others = accepted.unwrap_or_else(|| Secret::new(""));
    let others =
        split(others.expose()).map(|text| key("WORKSCRIBE_JWT_ACCEPTED_SECRETS", &Secret::new(text)));
    Ok(SecretRing::new(key(VARIABLE, &current)?, others.collect::<Result<_, _>>()?))
}

/// The secret of a development server: created once and stored beside the database, readable only by its owner.
fn development_secret(database: &Secret) -> Result<Secret, ConfigError> {
    let file = match sqlite_file(database.expose()) {
        Some(database) => PathBuf::from(format!("{}.secret", database.display())),
        None => PathBuf::from("workscribe.secret"),
    };
    let fault = |error: std::io::Error| {
        ConfigError::new(
            "WORKSCRIBE_JWT_SECRET",
            format!("is not set, and {} cannot be used: {error}", file.display()),
        )
    };
    let mut bytes = [0; 32];
    SystemEntropy.fill(&mut bytes);
    let fresh: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    match write_new(&file, &fresh) {
        Ok(()) => Ok(Secret::new(fresh)),
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
            std::fs::read_to_string(&file).map(|text| Secret::new(text.trim())).map_err(fault)
        }
        Err(error) => Err(fault(error)),
    }
}

/// Writes a new file completely or not at all, because another process may start at the same time.
fn write_new(file: &Path, text: &str) -> std::io::Result<()> {
    use std::io::Write as _;
    if file.exists() {
        return Err(std::io::ErrorKind::AlreadyExists.into());
    }
    let draft = PathBuf::from(format!("{}.{}", file.display(), std::process::id()));
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(&draft)?.write_all(text.as_bytes())?;
    let linked = std::fs::hard_link(&draft, file);
    std::fs::remove_file(&draft)?;
    linked
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_development_secret_is_made_once() {
        let folder = tempfile::tempdir().unwrap();
        let url = Secret::new(format!("sqlite://{}/a.db", folder.path().display()));
        let first = development_secret(&url).unwrap();
        assert_eq!(first, development_secret(&url).unwrap());
        assert_eq!(first.expose().len(), 64);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "no draft is left");
    }
}
