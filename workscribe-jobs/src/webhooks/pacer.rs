//! Decides which messages may be sent to a host now, by the rate of an organization and by the permits of a host.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chrono::TimeDelta;
use workscribe_core::clock::Timestamp;
use workscribe_core::id::{JobId, OrgId};
use workscribe_core::limits::{Limit, Limits};

/// Messages that wait for a permit try again one after the other: the time between two of them.
const BETWEEN_TRIES: TimeDelta = TimeDelta::milliseconds(250);
/// The time until the first of them tries again.
const FIRST_TRY: TimeDelta = TimeDelta::seconds(1);
/// With more entries than this, expired entries are removed.
const SWEEP_ABOVE: usize = 50_000;

/// Why a message must wait, and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Delay {
    /// The organization has reached its rate to the host.
    Rate(TimeDelta),
    /// All permits of the host, or of the organization for the host, are taken.
    Busy(TimeDelta),
}

/// An organization and a host that it sends to.
type Target = (OrgId, String);

#[derive(Default)]
struct State {
    /// When the next message would arrive if all messages kept the rate (the "theoretical arrival time" of ITU-T I.371).
    arrivals: HashMap<Target, Timestamp>,
    /// The reserved times of delayed messages. The rate does not count these messages again.
    reserved: HashMap<JobId, Timestamp>,
    /// When the last message that waits for a permit of a host tries again.
    tries: HashMap<String, Timestamp>,
    /// The permits in use by host.
    of_host: HashMap<String, u32>,
    /// The permits in use by organization and host.
    of_target: HashMap<Target, u32>,
}

/// The state of sending by host. Each worker process has its own.
#[derive(Clone, Default)]
pub(super) struct Pacer(Arc<Mutex<State>>);

impl Pacer {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A permit to send to a host, or how long to wait.
    pub(super) fn permit(
        &self,
        job: JobId,
        org: OrgId,
        host: &str,
        limits: &Limits,
        now: Timestamp,
    ) -> Result<Permit, Delay> {
        let target = (org, host.to_owned());
        let mut state = self.lock();
        state.sweep(now);
        if let Some(begin) = state.later_by_rate(job, &target, limits, now) {
            return Err(Delay::Rate(begin - now));
        }
        let (of_host, of_target) = (Limit::WebhookPlacesPerHost, Limit::WebhookPlacesPerHostAndOrganization);
        let is_full = state.of_host.get(host).is_some_and(|used| *used >= limits.of(of_host))
            || state.of_target.get(&target).is_some_and(|used| *used >= limits.of(of_target));
        if is_full {
            // The rate has admitted this message, so it is not counted again.
            state.reserved.insert(job, now);
            let last = state.tries.get(host).copied().unwrap_or(now).max(now + FIRST_TRY);
            state.tries.insert(host.to_owned(), last + BETWEEN_TRIES);
            return Err(Delay::Busy(last - now));
        }
        state.reserved.remove(&job);
        *state.of_host.entry(host.to_owned()).or_default() += 1;
        *state.of_target.entry(target.clone()).or_default() += 1;
        drop(state);
        Ok(Permit { pacer: self.clone(), target })
    }
}

impl State {
    /// When a message may be sent, if not now. Each message has its own time, so delayed messages do not return all at once.
    fn later_by_rate(
        &mut self,
        job: JobId,
        target: &Target,
        limits: &Limits,
        now: Timestamp,
    ) -> Option<Timestamp> {
        if let Some(begin) = self.reserved.get(&job) {
            return Some(*begin).filter(|begin| *begin > now);
        }
        let rule = limits.rule(Limit::WebhookMessagesPerHost);
        let window = TimeDelta::from_std(rule.window).unwrap_or(TimeDelta::MAX);
        let step = window / i32::try_from(rule.limit.max(1)).unwrap_or(i32::MAX);
        let arrival = self.arrivals.get(target).copied().unwrap_or(now).max(now) + step;
        self.arrivals.insert(target.clone(), arrival);
        let begin = arrival - window;
        if begin <= now {
            return None;
        }
        self.reserved.insert(job, begin);
        Some(begin)
    }

    fn sweep(&mut self, now: Timestamp) {
        if self.arrivals.len() + self.tries.len() + self.reserved.len() > SWEEP_ABOVE {
            self.arrivals.retain(|_, at| *at > now);
            self.tries.retain(|_, at| *at > now);
            // A message that has not returned within an hour of its time is forgotten. If it returns later, it is counted again.
            self.reserved.retain(|_, at| *at + TimeDelta::hours(1) > now);
        }
    }
}

/// Permission to send one message to a host. Dropping it frees the permit.
pub(super) struct Permit {
    pacer: Pacer,
    target: Target,
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut state = self.pacer.lock();
        free(&mut state.of_host, &self.target.1);
        free(&mut state.of_target, &self.target);
    }
}

fn free<K: std::hash::Hash + Eq>(used: &mut HashMap<K, u32>, key: &K) {
    if let Some(count) = used.get_mut(key) {
        *count -= 1;
        if *count == 0 {
            used.remove(key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job(number: u32) -> JobId {
        format!("00000000-0000-0000-0000-{number:012x}").parse().unwrap()
    }

    fn org(number: u32) -> OrgId {
        format!("00000000-0000-0000-0000-{number:012x}").parse().unwrap()
    }

    /// Limits with a rate of so many messages a minute.
    fn limits(messages: u32) -> Limits {
        Limits::default().with(Limit::WebhookMessagesPerHost, messages)
    }

    #[test]
    fn a_message_beyond_the_rate_gets_its_own_time_and_is_sent_then() {
        let (pacer, limits, now) = (Pacer::default(), limits(2), Timestamp::default());
        let at = |number, seconds| {
            let now = now + TimeDelta::seconds(seconds);
            pacer.permit(job(number), org(1), "a:443", &limits, now).map(drop)
        };
        assert_eq!((at(1, 0), at(2, 0)), (Ok(()), Ok(())));
        assert_eq!(at(3, 0), Err(Delay::Rate(TimeDelta::seconds(30))));
        assert_eq!(at(4, 0), Err(Delay::Rate(TimeDelta::seconds(60))));
        assert_eq!(at(3, 29), Err(Delay::Rate(TimeDelta::seconds(1))), "an early try costs nothing");
        assert_eq!((at(3, 30), at(4, 60)), (Ok(()), Ok(())));
        let other = pacer.permit(job(5), org(2), "a:443", &limits, now).map(drop);
        assert_eq!(other, Ok(()), "another organization has a rate of its own");
        let elsewhere = pacer.permit(job(6), org(1), "b:443", &limits, now).map(drop);
        assert_eq!(elsewhere, Ok(()), "and another host");
    }

    #[test]
    fn a_host_has_permits_and_an_organization_may_use_some_of_them() {
        let (pacer, now) = (Pacer::default(), Timestamp::default());
        let limits = limits(1_000).with(Limit::WebhookPlacesPerHost, 3);
        let permit = |number, of| pacer.permit(job(number), org(of), "a:443", &limits, now);
        let held = (permit(1, 1), permit(2, 1));
        let waits = |result: Result<Permit, Delay>| result.err();
        assert_eq!(waits(permit(3, 1)), Some(Delay::Busy(TimeDelta::seconds(1))));
        assert_eq!(waits(permit(4, 1)), Some(Delay::Busy(TimeDelta::milliseconds(1_250))), "after that one");
        let third = permit(5, 2);
        assert!(third.is_ok());
        assert!(permit(6, 3).is_err(), "the host's permits are taken");
        drop(held);
        assert!(permit(3, 1).is_ok());
    }
}
