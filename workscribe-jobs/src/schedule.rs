//! Schedules: jobs that are enqueued again and again, by cron expressions with time zones.

use std::sync::Arc;
use std::time::Duration;

use croner::Cron;
use croner::parser::{CronParser, Seconds, Year};
use jiff::tz::TimeZone;
use tokio::sync::watch;
use tokio::time::sleep;
use workscribe_core::clock::Timestamp;
use workscribe_core::outbox::{Job, NewJob};
use workscribe_core::{Error, WorkScribe};

use crate::handler::with_sources;
use crate::worker::storage::StorageBackoff;

/// A worker checks its schedules at least this often, in case somebody sets the clock.
const MAX_CHECK_INTERVAL: Duration = Duration::from_secs(60);
/// An older slot is a missed one.
const MISSED_AFTER: chrono::TimeDelta = chrono::TimeDelta::seconds(60);
/// The maximum number of jobs that [`CatchUp::Each`] enqueues at once.
const MAX_CATCH_UP: u32 = 1_000;

/// What happens for the slots that were missed while no worker ran.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CatchUp {
    /// One job, for the latest missed slot. It suits upkeep, which would find nothing to do a second time.
    #[default]
    Latest,
    /// No job: the next job is that of the next slot.
    Skip,
    /// A job for each of the latest missed slots, at most this many and at most 1,000. It suits jobs that must run once for
    /// each slot.
    Each(u32),
}

/// Why a schedule is invalid.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ScheduleError {
    /// The expression is not a cron expression.
    #[error("\"{expression}\" is no cron expression: {reason}")]
    Expression {
        /// The expression.
        expression: String,
        /// Why it is invalid.
        reason: String,
    },
    /// The expression matches no time, such as the thirtieth of February.
    #[error("\"{0}\" never comes")]
    Never(String),
    /// The time zone does not exist.
    #[error("\"{0}\" is no time zone of the IANA database, such as Europe/Berlin")]
    Zone(String),
    /// The name is too short or too long.
    #[error("the name of a schedule has 1 to 100 characters")]
    Name,
}

type Make = dyn Fn(&WorkScribe, Timestamp) -> Result<NewJob, Error> + Send + Sync;

/// A job that is enqueued again and again.
///
/// The expression has the five fields of Vixie cron, `minute hour day month weekday`, with names, lists, ranges and steps, and
/// with `L`, `#` and `W` as in Quartz. The program contains the time zone data, so all workers agree on them.
///
/// When clocks go forward, a daily job in the skipped hour runs at the first moment after that hour. When clocks go back, a daily
/// job in the repeated hour runs once. A job that runs several times a day follows the clock: its slots in the skipped hour are
/// left out, and its slots in the repeated hour come twice.
#[derive(Clone)]
pub struct Schedule {
    name: String,
    cron: Cron,
    zone: TimeZone,
    catch_up: CatchUp,
    make: Arc<Make>,
}

impl Schedule {
    /// A schedule in a time zone such as `Europe/Berlin` or `UTC`. `job` makes the job of each slot. The name identifies the
    /// schedule in the storage, even when its expression changes.
    ///
    /// # Errors
    /// [`ScheduleError`] for an invalid name, expression or time zone.
    pub fn cron<J: Job>(
        name: impl Into<String>,
        expression: &str,
        zone: &str,
        job: impl Fn(Timestamp) -> J + Send + Sync + 'static,
    ) -> Result<Self, ScheduleError> {
        let name = name.into();
        if !(1..=NewJob::LONGEST_NAME).contains(&name.chars().count()) {
            return Err(ScheduleError::Name);
        }
        let parser = CronParser::builder().seconds(Seconds::Disallowed).year(Year::Disallowed).build();
        let cron = parser.parse(expression).map_err(|error| ScheduleError::Expression {
            expression: expression.to_owned(),
            reason: error.to_string(),
        })?;
        let zone = jiff::tz::db().get(zone).map_err(|_| ScheduleError::Zone(zone.to_owned()))?;
        let make = move |app: &WorkScribe, slot| app.jobs().prepare(&job(slot));
        let schedule = Self { name, cron, zone, catch_up: CatchUp::default(), make: Arc::new(make) };
        match schedule.after(Timestamp::UNIX_EPOCH) {
            Some(_) => Ok(schedule),
            None => Err(ScheduleError::Never(expression.to_owned())),
        }
    }

    /// Sets what happens for missed slots.
    #[must_use]
    pub const fn catch_up(mut self, catch_up: CatchUp) -> Self {
        self.catch_up = catch_up;
        self
    }

    /// The name of the schedule.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The first slot after a time; `None` when there is no later slot.
    #[must_use]
    pub fn after(&self, time: Timestamp) -> Option<Timestamp> {
        let time = jiff::Timestamp::from_microsecond(time.timestamp_micros()).ok()?;
        let next = self.cron.find_next_occurrence(&time.to_zoned(self.zone.clone()), false).ok()?;
        Timestamp::from_timestamp_micros(next.timestamp().as_microsecond())
    }

    /// The slots after `last` and up to `now` that get a job, and the latest of all slots up to `now`.
    fn due(&self, last: Timestamp, now: Timestamp) -> Option<(Vec<Timestamp>, Timestamp)> {
        let keep = match self.catch_up {
            CatchUp::Latest | CatchUp::Skip => 1,
            CatchUp::Each(max) => max.clamp(1, MAX_CATCH_UP) as usize,
        };
        let mut slots = std::collections::VecDeque::new();
        let mut slot = self.after(last)?;
        while slot <= now {
            if slots.len() == keep {
                slots.pop_front();
            }
            slots.push_back(slot);
            match self.after(slot) {
                Some(next) if next > slot => slot = next,
                _ => break,
            }
        }
        let latest = *slots.back()?;
        if self.catch_up == CatchUp::Skip && now - latest > MISSED_AFTER {
            slots.clear();
        }
        Some((slots.into(), latest))
    }

    /// Enqueues the jobs of due slots, unless another worker has. Returns the number of jobs and the time of the next slot.
    async fn fire(&self, app: &WorkScribe) -> Result<(u64, Option<Timestamp>), Error> {
        let now = app.now();
        let mut uow = app.begin().await?;
        let last = uow.jobs().schedule(&self.name, now).await?;
        let Some((slots, latest)) = self.due(last, now) else {
            app.commit(uow).await?;
            return Ok((0, self.after(last)));
        };
        let mut jobs = Vec::new();
        // A worker that has taken the slot in the meantime has enqueued its jobs in the same transaction.
        if uow.jobs().take_slot(&self.name, latest).await? {
            for slot in slots {
                jobs.push((self.make)(app, slot)?);
            }
            app.enqueue_all(&mut *uow, &jobs).await?;
        }
        app.commit(uow).await?;
        Ok((jobs.len() as u64, self.after(latest)))
    }
}

impl std::fmt::Debug for Schedule {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Schedule")
            .field("name", &self.name)
            .field("cron", &self.cron.as_str())
            .finish_non_exhaustive()
    }
}

/// The schedules that a worker fires. The first worker fires each slot, and no other does: the last slot of a schedule is a row,
/// updated by compare-and-set in the transaction of the job.
#[derive(Debug, Clone, Default)]
pub struct Schedules {
    all: Vec<Schedule>,
}

impl Schedules {
    /// No schedules.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a schedule. It replaces a schedule of the same name.
    #[must_use]
    pub fn with(mut self, schedule: Schedule) -> Self {
        self.all.retain(|other| other.name != schedule.name);
        self.all.push(schedule);
        self
    }

    /// Enqueues the jobs of all due slots and returns their number. A new schedule begins now.
    ///
    /// # Errors
    /// When the storage does not answer.
    pub async fn fire_due(&self, app: &WorkScribe) -> Result<u64, Error> {
        let mut jobs = 0;
        for schedule in &self.all {
            jobs += schedule.fire(app).await?.0;
        }
        Ok(jobs)
    }

    /// Fires due schedules until `stop` is set, and then waits; never returns.
    pub(crate) async fn run(&self, app: &WorkScribe, mut stop: watch::Receiver<bool>) {
        let firing = self.all.iter().map(|schedule| fire_forever(schedule, app));
        tokio::select! {
            _ = futures_util::future::join_all(firing), if !self.all.is_empty() => {}
            _ = stop.wait_for(|stop| *stop) => {}
        }
        std::future::pending::<()>().await;
    }
}

async fn fire_forever(schedule: &Schedule, app: &WorkScribe) {
    let mut backoff = StorageBackoff::default();
    loop {
        let wait = match schedule.fire(app).await {
            Ok((_, next)) => {
                backoff.reset();
                let wait = next.and_then(|next| (next - app.now()).to_std().ok());
                wait.unwrap_or(MAX_CHECK_INTERVAL).min(MAX_CHECK_INTERVAL)
            }
            Err(error) => {
                let schedule = &*schedule.name;
                tracing::error!(error = with_sources(&error), schedule, "a schedule could not be fired");
                backoff.next()
            }
        };
        sleep(wait).await;
    }
}

#[cfg(test)]
mod tests {
    use std::str::FromStr as _;

    use serde::{Deserialize, Serialize};

    use super::*;

    #[derive(Serialize, Deserialize)]
    struct Tick {}

    impl Job for Tick {
        const KIND: &'static str = "test.tick";
    }

    fn schedule(expression: &str, zone: &str) -> Result<Schedule, ScheduleError> {
        Schedule::cron("tick", expression, zone, |_| Tick {})
    }

    fn at(text: &str) -> Timestamp {
        Timestamp::from_str(text).unwrap()
    }

    fn next(expression: &str, zone: &str, after: &str, count: usize) -> Vec<String> {
        let schedule = schedule(expression, zone).unwrap();
        let slots = std::iter::successors(schedule.after(at(after)), |slot| schedule.after(*slot));
        slots.take(count).map(|slot| slot.to_rfc3339_opts(chrono::SecondsFormat::Secs, true)).collect()
    }

    #[test]
    fn slots_are_those_of_the_time_zone() {
        assert_eq!(next("0 3 * * *", "UTC", "2026-01-01T03:00:00Z", 1), ["2026-01-02T03:00:00Z"]);
        assert_eq!(next("0 3 * * *", "Europe/Berlin", "2026-01-01T03:00:00Z", 1), ["2026-01-02T02:00:00Z"]);
        assert_eq!(next("0 3 * * *", "Europe/Berlin", "2026-07-01T03:00:00Z", 1), ["2026-07-02T01:00:00Z"]);
        assert_eq!(
            next("*/20 9 * * MON", "Asia/Kolkata", "2026-11-23T03:31:00Z", 3),
            ["2026-11-23T03:50:00Z", "2026-11-23T04:10:00Z", "2026-11-30T03:30:00Z"]
        );
    }

    #[test]
    fn a_daily_job_comes_once_on_the_days_on_which_clocks_are_put_forward_and_back() {
        // 29 March: 02:00 becomes 03:00. 25 October: 03:00 becomes 02:00.
        assert_eq!(
            next("30 2 * * *", "Europe/Berlin", "2026-03-28T12:00:00Z", 2),
            ["2026-03-29T01:00:00Z", "2026-03-30T00:30:00Z"]
        );
        assert_eq!(
            next("30 2 * * *", "Europe/Berlin", "2026-10-24T12:00:00Z", 2),
            ["2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"]
        );
        assert_eq!(
            next("*/30 * * * *", "Europe/Berlin", "2026-10-25T00:00:00Z", 4),
            ["2026-10-25T00:30:00Z", "2026-10-25T01:00:00Z", "2026-10-25T01:30:00Z", "2026-10-25T02:00:00Z"]
        );
    }

    #[test]
    fn what_is_no_schedule_is_refused_with_a_reason() {
        for expression in ["", "* * * *", "* * * * * *", "61 * * * *", "x * * * *", "* * * * * * 2026"] {
            let refused = schedule(expression, "UTC").unwrap_err();
            assert!(matches!(refused, ScheduleError::Expression { .. }), "{expression}: {refused}");
        }
        assert_eq!(schedule("0 0 30 2 *", "UTC").unwrap_err(), ScheduleError::Never("0 0 30 2 *".into()));
        assert_eq!(
            schedule("0 0 * * *", "Mars/Olympus").unwrap_err(),
            ScheduleError::Zone("Mars/Olympus".into())
        );
        assert_eq!(Schedule::cron("", "0 0 * * *", "UTC", |_| Tick {}).unwrap_err(), ScheduleError::Name);
    }

    #[test]
    fn missed_slots_are_caught_up_with_as_the_rule_says() {
        let hourly = schedule("0 * * * *", "UTC").unwrap();
        let (last, now) = (at("2026-01-01T00:00:00Z"), at("2026-01-01T05:30:00Z"));
        let latest = at("2026-01-01T05:00:00Z");
        assert_eq!(hourly.due(last, now), Some((vec![latest], latest)));
        assert_eq!(hourly.clone().catch_up(CatchUp::Skip).due(last, now), Some((vec![], latest)));
        assert_eq!(
            hourly.clone().catch_up(CatchUp::Each(3)).due(last, now),
            Some((vec![at("2026-01-01T03:00:00Z"), at("2026-01-01T04:00:00Z"), latest], latest))
        );
        assert_eq!(hourly.clone().catch_up(CatchUp::Each(99)).due(last, now).unwrap().0.len(), 5);
        let soon = hourly.catch_up(CatchUp::Skip);
        assert_eq!(
            soon.due(at("2026-01-01T04:00:00Z"), latest),
            Some((vec![latest], latest)),
            "it was not missed"
        );
        assert_eq!(soon.due(latest, now), None);
    }
}
