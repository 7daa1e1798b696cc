//! A kind of job ([`Job`]), and a job to be enqueued ([`NewJob`]) with its options.

use std::borrow::Cow;
use std::time::Duration;

use chrono::{SecondsFormat, TimeDelta};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use crate::clock::Timestamp;
use crate::id::{JobId, OrgId};

/// A kind of job: its stable name, its payload, and its default options.
pub trait Job: Serialize + DeserializeOwned + Send + Sync {
    /// The stored name: 1–100 characters. While jobs may be waiting, change it only if the previous name becomes one of
    /// [`Job::ALIASES`].
    const KIND: &'static str;
    /// Previous names of this kind, under which jobs may still wait.
    const ALIASES: &'static [&'static str] = &[];
    /// The queue. Give a kind that only some workers handle a queue of its own: in a shared queue, the claims of the other
    /// workers must skip its jobs.
    const QUEUE: &'static str = "default";
    /// The priority within the queue.
    const PRIORITY: JobPriority = JobPriority::NORMAL;
    /// A job is buried when this many attempts have failed; at least 1.
    const MAX_ATTEMPTS: u32 = 12;
    /// How long one attempt may take before it is stopped and counts as failed: 5 minutes. `None` for no limit.
    const TIMEOUT: Option<Duration> = Some(Duration::from_secs(5 * 60));

    /// The organization that the job belongs to; `None` when it belongs to none.
    fn org(&self) -> Option<OrgId> {
        None
    }
}

/// The queue of mails.
pub const MAIL_QUEUE: &str = "mail";
/// The queue of long jobs: removals, sweeps, and unassigning the tasks of former members.
pub const UPKEEP_QUEUE: &str = "upkeep";

/// The priority of a due job in its queue, from 1 (first) to 4 (last). Jobs of equal priority run by time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct JobPriority(u8);

impl JobPriority {
    /// Before all other priorities: 1.
    pub const HIGH: Self = Self(1);
    /// The default: 2.
    pub const NORMAL: Self = Self(2);
    /// After normal jobs: 3.
    pub const LOW: Self = Self(3);
    /// When nothing else is due: 4.
    pub const IDLE: Self = Self(4);

    /// The priority with this number; `None` outside of 1–4.
    #[must_use]
    pub const fn new(number: u8) -> Option<Self> {
        if number >= 1 && number <= 4 { Some(Self(number)) } else { None }
    }

    /// The number of the priority.
    #[must_use]
    pub const fn number(self) -> u8 {
        self.0
    }
}

/// How long a job holds its unique key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Until {
    /// Until a worker claims the job. One more job may wait while one runs, so no later change is missed.
    Claimed,
    /// Until the job is completed, cancelled or buried.
    #[default]
    Finished,
    /// Until the job is removed: one day after it is completed or cancelled, seven days after it is buried. [`Unique::within`]
    /// uses it.
    Removed,
}

impl Until {
    /// The stored name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Claimed => "claimed",
            Self::Finished => "finished",
            Self::Removed => "removed",
        }
    }
}

/// The unique key of a job. The storage enforces it with a constraint: of a hundred jobs with one key that are enqueued at the
/// same time, one is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unique {
    key: String,
    period: Option<TimeDelta>,
    until: Until,
}

impl Unique {
    /// The maximum length of a stored key in bytes, including the kind before it and the period after it.
    pub const LONGEST: usize = 255;

    /// A key, such as the id of the row that the job is about. Equal keys of different kinds do not conflict.
    #[must_use]
    pub fn by(key: impl Into<String>) -> Self {
        Self { key: key.into(), period: None, until: Until::default() }
    }

    /// Allows one job in each period, counted from 1970 in UTC: with a period of one day, one job a day. Completed jobs hold
    /// the key too.
    #[must_use]
    pub fn within(self, period: TimeDelta) -> Self {
        Self { period: Some(period), until: Until::Removed, ..self }
    }

    /// Sets how long the job holds the key.
    #[must_use]
    pub fn until(self, until: Until) -> Self {
        Self { until, ..self }
    }

    /// The stored form of the key.
    fn stored(&self, kind: &str, now: Timestamp) -> Result<UniqueKey, OptionsError> {
        let mut key = format!("{kind}:{}", self.key);
        let mut keep_until = None;
        if let Some(period) = self.period {
            let micros =
                period.num_microseconds().filter(|micros| *micros > 0).ok_or(OptionsError::Period)?;
            let begin = now.timestamp_micros().div_euclid(micros).saturating_mul(micros);
            let begin = Timestamp::from_timestamp_micros(begin).unwrap_or_default();
            key.push('@');
            key.push_str(&begin.to_rfc3339_opts(SecondsFormat::AutoSi, true));
            keep_until = begin.checked_add_signed(period);
        }
        if self.key.is_empty() || key.len() > Self::LONGEST || key.contains('\0') {
            return Err(OptionsError::UniqueKey);
        }
        Ok(UniqueKey { key, until: self.until, keep_until })
    }
}

/// The stored form of a unique key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UniqueKey {
    /// The kind, the key and the start of the period.
    pub key: String,
    /// How long the job holds the key.
    pub until: Until,
    /// The job is not removed before this time, so it holds its key for the whole period.
    pub keep_until: Option<Timestamp>,
}

/// Why a job cannot be enqueued. It is a fault of the program, not of a user.
#[derive(Debug, thiserror::Error)]
pub enum OptionsError {
    /// The payload cannot be written as JSON.
    #[error("the payload cannot be written as JSON")]
    Payload(#[source] serde_json::Error),
    /// A text in the payload contains the character U+0000, which Postgres does not store.
    #[error("no text in a payload has the character U+0000")]
    Nul,
    /// The name of the kind or the queue is too short or too long.
    #[error("the name of a kind or a queue has 1 to 100 characters")]
    Name,
    /// The unique key is too short or too long.
    #[error("a unique key has at least 1 character, and at most 255 bytes with its kind and period")]
    UniqueKey,
    /// The period is zero or negative.
    #[error("the period of a unique key is longer than nothing")]
    Period,
    /// The maximum number of attempts is 0, so the job could never run.
    #[error("a job has at least one attempt")]
    Attempts,
}

/// A job to be enqueued.
#[derive(Debug, Clone, PartialEq)]
pub struct NewJob {
    /// The id of the job. Mail jobs give it to the provider as the idempotency key.
    pub id: JobId,
    /// The organization it belongs to, if any.
    pub org: Option<OrgId>,
    /// The stable name of its kind.
    pub kind: Cow<'static, str>,
    /// The input of the handler.
    pub payload: Value,
    /// The queue.
    pub queue: Cow<'static, str>,
    /// The priority within the queue.
    pub priority: JobPriority,
    /// The job is not due before this time.
    pub run_at: Timestamp,
    /// The job is buried when this many attempts have failed.
    pub max_attempts: u32,
    /// How long one attempt may take; `None` for no limit.
    pub timeout: Option<Duration>,
    /// The unique key, if any.
    pub unique: Option<UniqueKey>,
    /// When the job was made.
    pub created_at: Timestamp,
}

impl NewJob {
    /// The maximum length of the name of a kind or a queue, in characters.
    pub const LONGEST_NAME: usize = 100;

    /// A job that is due now, with the options of its kind.
    ///
    /// # Errors
    /// [`OptionsError`] when the payload cannot be written as JSON or has U+0000 in a text, or when the kind has invalid options.
    pub fn now<J: Job>(id: JobId, job: &J, now: Timestamp) -> Result<Self, OptionsError> {
        let is_name = |name: &str| (1..=Self::LONGEST_NAME).contains(&name.chars().count());
        if !is_name(J::KIND) || !is_name(J::QUEUE) {
            return Err(OptionsError::Name);
        }
        if J::MAX_ATTEMPTS == 0 {
            return Err(OptionsError::Attempts);
        }
        let payload = serde_json::to_value(job).map_err(OptionsError::Payload)?;
        if has_nul(&payload) {
            return Err(OptionsError::Nul);
        }
        Ok(Self {
            id,
            org: job.org(),
            kind: Cow::Borrowed(J::KIND),
            payload,
            queue: Cow::Borrowed(J::QUEUE),
            priority: J::PRIORITY,
            run_at: now,
            max_attempts: J::MAX_ATTEMPTS,
            timeout: J::TIMEOUT,
            unique: None,
            created_at: now,
        })
    }

    /// Sets the time before which the job is not due.
    #[must_use]
    pub const fn at(mut self, run_at: Timestamp) -> Self {
        self.run_at = run_at;
        self
    }

    /// Sets the priority within the queue.
    #[must_use]
    pub const fn priority(mut self, priority: JobPriority) -> Self {
        self.priority = priority;
        self
    }

    /// Sets how long one attempt may take.
    #[must_use]
    pub const fn timeout(mut self, timeout: Option<Duration>) -> Self {
        self.timeout = timeout;
        self
    }

    /// Sets the queue.
    ///
    /// # Errors
    /// [`OptionsError::Name`].
    pub fn queue(mut self, queue: impl Into<Cow<'static, str>>) -> Result<Self, OptionsError> {
        self.queue = queue.into();
        let length = self.queue.chars().count();
        if (1..=Self::LONGEST_NAME).contains(&length) { Ok(self) } else { Err(OptionsError::Name) }
    }

    /// Sets the maximum number of attempts.
    ///
    /// # Errors
    /// [`OptionsError::Attempts`] for 0.
    pub fn max_attempts(mut self, attempts: u32) -> Result<Self, OptionsError> {
        self.max_attempts = attempts;
        if attempts == 0 { Err(OptionsError::Attempts) } else { Ok(self) }
    }

    /// Sets a unique key.
    ///
    /// # Errors
    /// [`OptionsError::UniqueKey`], [`OptionsError::Period`].
    pub fn unique(mut self, unique: &Unique) -> Result<Self, OptionsError> {
        self.unique = Some(unique.stored(&self.kind, self.created_at)?);
        Ok(self)
    }
}

fn has_nul(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains('\0'),
        Value::Array(items) => items.iter().any(has_nul),
        Value::Object(fields) => fields.iter().any(|(name, value)| name.contains('\0') || has_nul(value)),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Serialize, Deserialize)]
    struct Report;

    impl Job for Report {
        const KIND: &'static str = "report";
    }

    #[derive(Serialize, Deserialize)]
    struct Letter(Value);

    impl Job for Letter {
        const KIND: &'static str = "letter";
    }

    #[test]
    fn a_payload_with_what_postgres_cannot_store_is_refused_on_every_storage() {
        let new =
            |payload| NewJob::now(JobId::from(uuid::Uuid::nil()), &Letter(payload), Timestamp::default());
        for payload in ["a\0".into(), serde_json::json!({"a": ["b", "\0"]}), serde_json::json!({"a\0": 1})] {
            assert!(matches!(new(payload), Err(OptionsError::Nul)));
        }
        assert!(new(serde_json::json!({"a": ["\u{1}", 1, null, true]})).is_ok());
    }

    fn report(seconds: i64) -> NewJob {
        let now = Timestamp::from_timestamp(seconds, 0).unwrap();
        NewJob::now(JobId::from(uuid::Uuid::nil()), &Report, now).unwrap()
    }

    #[test]
    fn a_unique_key_has_its_kind_before_it_and_its_period_behind_it() {
        let key = |seconds, unique: Unique| report(seconds).unique(&unique).unwrap().unique.unwrap();
        let expected = |key: &str, until, keep_until| UniqueKey { key: key.to_owned(), until, keep_until };
        assert_eq!(key(5, Unique::by("ada")), expected("report:ada", Until::Finished, None));
        let daily = |seconds| key(seconds, Unique::by("ada").within(TimeDelta::days(1)));
        let end = Timestamp::from_timestamp(86_400, 0);
        assert_eq!(daily(86_399), expected("report:ada@1970-01-01T00:00:00Z", Until::Removed, end));
        assert_eq!(daily(86_400).key, "report:ada@1970-01-02T00:00:00Z");
        assert_eq!(daily(-1).key, "report:ada@1969-12-31T00:00:00Z");
        assert_eq!(key(0, Unique::by("ada").until(Until::Claimed)).until, Until::Claimed);
    }

    #[test]
    fn what_cannot_be_is_refused() {
        for unique in [Unique::by(""), Unique::by("a\0"), Unique::by("x".repeat(Unique::LONGEST))] {
            assert!(matches!(report(0).unique(&unique), Err(OptionsError::UniqueKey)), "{unique:?}");
        }
        assert!(matches!(
            report(0).unique(&Unique::by("a").within(TimeDelta::zero())),
            Err(OptionsError::Period)
        ));
        assert!(matches!(report(0).max_attempts(0), Err(OptionsError::Attempts)));
        for name in [String::new(), "x".repeat(NewJob::LONGEST_NAME + 1)] {
            assert!(matches!(report(0).queue(name), Err(OptionsError::Name)));
        }
        assert_eq!(JobPriority::new(0), None);
        assert_eq!(JobPriority::new(5), None);
        assert_eq!(JobPriority::new(4), Some(JobPriority::IDLE));
    }
}
