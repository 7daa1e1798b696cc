//! Reads the texts of settings.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use ipnet::IpNet;
use workscribe_core::limits::{Changeable, Limit, Limits};
use workscribe_core::outbox::{MAIL_QUEUE, UPKEEP_QUEUE};
use workscribe_core::ports::Secret;
use workscribe_jobs::{QueueOptions, WorkerOptions};

/// Why the settings cannot be used. The program exits with 2.
#[derive(Debug, thiserror::Error)]
#[error("{variable}: {reason}")]
pub(crate) struct ConfigError {
    variable: Cow<'static, str>,
    reason: String,
}

impl ConfigError {
    /// A fault in the value of a variable.
    pub(crate) fn new(variable: impl Into<Cow<'static, str>>, reason: impl Into<String>) -> Self {
        Self { variable: variable.into(), reason: reason.into() }
    }
}

/// Reads queues such as `default:4`, separated by commas.
pub(crate) fn queues(list: Option<&str>) -> Result<Vec<QueueOptions>, ConfigError> {
    let Some(list) = list else { return Ok(WorkerOptions::default().queues) };
    let queue = |text: &str| {
        let fault = || {
            let reason = format!("{text:?} is not a queue with a number from 1 to 1000, such as default:4");
            ConfigError::new("WORKSCRIBE_QUEUES", reason)
        };
        let (name, concurrency) = text.rsplit_once(':').ok_or_else(fault)?;
        let concurrency = concurrency.parse().ok().filter(|number| (1..=1_000).contains(number));
        let concurrency =
            concurrency.filter(|_| (1..=100).contains(&name.chars().count())).ok_or_else(fault)?;
        Ok(QueueOptions::new(name.to_owned(), concurrency))
    };
    let mut queues: Vec<QueueOptions> = split(list).map(queue).collect::<Result<_, _>>()?;
    let names: BTreeSet<_> = queues.iter().map(|queue| queue.name.clone()).collect();
    if queues.is_empty() || names.len() < queues.len() {
        return Err(ConfigError::new("WORKSCRIBE_QUEUES", "name at least one queue, and each once"));
    }
    // Mail and long jobs were in the default queue before they had their own queues. A worker for the default queue handles these too.
    if names.contains(&Cow::Borrowed("default")) {
        let missing = QueueOptions::defaults().into_iter().filter(|own| !names.contains(&own.name));
        let missing: Vec<_> =
            missing.filter(|own| [MAIL_QUEUE, UPKEEP_QUEUE].contains(&&*own.name)).collect();
        queues.extend(missing);
    }
    Ok(queues)
}

/// Reads limits, as name:number, separated by commas. `own` are the limits that also have their own variable.
pub(crate) fn limits(
    list: Option<&str>,
    own: impl IntoIterator<Item = (&'static str, Limit, Option<String>)>,
) -> Result<Limits, ConfigError> {
    const VARIABLE: &str = "WORKSCRIBE_LIMITS";
    let (mut limits, mut named) = (Limits::default(), BTreeSet::new());
    for text in split(list.unwrap_or_default()) {
        let (name, value) = text.split_once(':').unwrap_or((text, ""));
        let limit =
            Limit::parse(name).filter(|limit| limit.changeable() != Changeable::No).ok_or_else(|| {
                ConfigError::new(
                    VARIABLE,
                    format!("{name:?} is not a limit that can be changed; docs/LIMITS.md lists them"),
                )
            })?;
        let value: NonZeroU32 = value.parse().map_err(|_| {
            ConfigError::new(
                VARIABLE,
                format!("{text:?} is not a limit and a number above 0, such as {name}:100"),
            )
        })?;
        limits = limits.with(limit, value.get());
        named.insert(limit.name());
    }
    for (variable, limit, text) in own {
        let Some(text) = text.filter(|text| !text.is_empty()) else { continue };
        if named.contains(limit.name()) {
            let reason = format!("is set, and {VARIABLE} has {} too: keep one of them", limit.name());
            return Err(ConfigError::new(variable, reason));
        }
        let value = parse(variable, Some(text), "a number above 0", NonZeroU32::MIN)?;
        limits = limits.with(limit, value.get());
    }
    Ok(limits)
}

/// Reads networks, separated by commas. A single address is a network of one address.
pub(crate) fn networks(variable: &'static str, list: Option<&str>) -> Result<Vec<IpNet>, ConfigError> {
    let network = |text: &str| {
        let address = || text.parse::<std::net::IpAddr>().map(IpNet::from);
        text.parse::<IpNet>()
            .or_else(|_| address())
            .map_err(|_| ConfigError::new(variable, format!("{text:?} is not a network such as 10.0.0.0/8")))
    };
    split(list.unwrap_or_default()).map(network).collect()
}

pub(crate) fn split(list: &str) -> impl Iterator<Item = &str> {
    list.split(',').map(str::trim).filter(|text| !text.is_empty())
}

pub(crate) fn choice<T: Copy>(
    variable: &'static str,
    text: Option<String>,
    choices: &[(&str, T)],
    default: T,
) -> Result<T, ConfigError> {
    let Some(text) = text.filter(|text| !text.is_empty()) else { return Ok(default) };
    let names: Vec<_> = choices.iter().map(|(name, _)| *name).collect();
    choices
        .iter()
        .find(|(name, _)| *name == text)
        .map(|(_, value)| *value)
        .ok_or_else(|| ConfigError::new(variable, format!("{text:?} is not one of: {}", names.join(", "))))
}

pub(crate) fn switch(variable: &'static str, text: Option<String>) -> Result<bool, ConfigError> {
    choice(variable, text, &[("on", true), ("off", false)], true)
}

pub(crate) fn parse<T: FromStr>(
    variable: &'static str,
    text: Option<String>,
    what: &str,
    default: T,
) -> Result<T, ConfigError> {
    match text.filter(|text| !text.is_empty()) {
        None => Ok(default),
        Some(text) => text.parse().map_err(|_| ConfigError::new(variable, format!("{text:?} is not {what}"))),
    }
}

/// A setting that may come from a file, whose path is then in the variable with the suffix `_FILE`. An empty value counts as not
/// set.
pub(crate) fn secret(variable: &'static str, value: Option<String>) -> Result<Option<Secret>, ConfigError> {
    let value = value.filter(|value| !value.is_empty());
    let file_variable = format!("{variable}_FILE");
    let file = std::env::var_os(&file_variable).filter(|path| !path.is_empty());
    match (value, file) {
        (Some(_), Some(_)) => {
            Err(ConfigError::new(variable, format!("is set, and {file_variable} too: keep one of them")))
        }
        (Some(value), None) => Ok(Some(Secret::new(value))),
        (None, None) => Ok(None),
        (None, Some(path)) => {
            let fault = |problem: String| {
                ConfigError::new(file_variable, format!("{} {problem}", Path::new(&path).display()))
            };
            let text = match std::fs::read_to_string(&path) {
                Ok(text) => text,
                Err(error) => return Err(fault(format!("cannot be read: {error}"))),
            };
            let text = text.trim();
            if text.is_empty() {
                return Err(fault("is empty".to_owned()));
            }
            Ok(Some(Secret::new(text)))
        }
    }
}

/// The file of an SQLite database.
pub(crate) fn sqlite_file(url: &str) -> Option<PathBuf> {
    let rest = url.strip_prefix("sqlite:")?;
    let path = rest.strip_prefix("//").unwrap_or(rest).split('?').next().unwrap_or_default();
    (!path.is_empty() && path != ":memory:").then(|| PathBuf::from(path))
}

/// Whether a secret looks invented instead of random: few different characters, or a word from examples.
pub(crate) fn is_weak(secret: &str) -> bool {
    let lower = secret.to_lowercase();
    let different = secret.chars().collect::<std::collections::HashSet<_>>().len();
    different < 12
        || ["secret", "change", "example", "default", "development", "password", "workscribe", "123456789"]
            .iter()
            .any(|word| lower.contains(word))
}
