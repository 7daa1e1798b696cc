//! Who may send to a host now: by the rate of an organization, and by the places that a host has.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chrono::TimeDelta;
use workscribe_core::clock::Timestamp;
use workscribe_core::id::{JobId, OrgId};
use workscribe_core::limits::{Limit, Limits};

/// Those that wait for a place look again one after the other, and not all at once.
const BETWEEN_LOOKS: TimeDelta = TimeDelta::milliseconds(250);
/// The first look comes after this.
const FIRST_LOOK: TimeDelta = TimeDelta::seconds(1);
/// Past this many entries, those that say nothing any more are dropped.
const SWEEP_ABOVE: usize = 50_000;

/// Why a message is put off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PutOff {
    /// Its organization sends more to the host than its rate.
    Rate(TimeDelta),
    /// All places are taken.
    Busy(TimeDelta),
}

/// An organization and the host that it sends to.
type Target = (OrgId, String);

#[derive(Default)]
struct State {
    /// When the next message would arrive, were all in the rate (the "theoretical arrival time" of ITU-T I.371).
    arrivals: HashMap<Target, Timestamp>,
    /// What was put off by the rate, with the time that is its own: it is not counted again.
    reserved: HashMap<JobId, Timestamp>,
    /// When the last of those that wait for a place of a host looks again.
    looks: HashMap<String, Timestamp>,
    of_host: HashMap<String, u32>,
    of_target: HashMap<Target, u32>,
}

/// What a process sends, by host. Each worker process has its own.
#[derive(Clone, Default)]
pub(super) struct Pacer(Arc<Mutex<State>>);

impl Pacer {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A place on the way to a host, or when to look again.
    pub(super) fn place(
        &self,
        job: JobId,
        org: OrgId,
        host: &str,
        limits: &Limits,
        now: Timestamp,
    ) -> Result<Place, PutOff> {
        let target = (org, host.to_owned());
        let mut state = self.lock();
        state.sweep(now);
        if let Some(begin) = state.later_by_rate(job, &target, limits, now) {
            return Err(PutOff::Rate(begin - now));
        }
        let (of_host, of_target) = (Limit::WebhookPlacesPerHost, Limit::WebhookPlacesPerHostAndOrganization);
        let is_full = state.of_host.get(host).is_some_and(|held| *held >= limits.of(of_host))
            || state.of_target.get(&target).is_some_and(|held| *held >= limits.of(of_target));
        if is_full {
            // Its turn by the rate has come: it is not counted again.
            state.reserved.insert(job, now);
            let last = state.looks.get(host).copied().unwrap_or(now).max(now + FIRST_LOOK);
            state.looks.insert(host.to_owned(), last + BETWEEN_LOOKS);
            return Err(PutOff::Busy(last - now));
        }
        state.reserved.remove(&job);
        *state.of_host.entry(host.to_owned()).or_default() += 1;
        *state.of_target.entry(target.clone()).or_default() += 1;
        drop(state);
        Ok(Place { pacer: self.clone(), target })
    }
}

impl State {
    /// When a message may go, if not now: each has a time of its own, so that what waits does not come back all at once.
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
        if self.arrivals.len() + self.looks.len() + self.reserved.len() > SWEEP_ABOVE {
            self.arrivals.retain(|_, at| *at > now);
            self.looks.retain(|_, at| *at > now);
            // Whoever did not come within an hour of its time does not come any more, or is counted anew.
            self.reserved.retain(|_, at| *at + TimeDelta::hours(1) > now);
        }
    }
}

/// A message on its way.
pub(super) struct Place {
    pacer: Pacer,
    target: Target,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut state = self.pacer.lock();
        give_back(&mut state.of_host, &self.target.1);
        give_back(&mut state.of_target, &self.target);
    }
}

fn give_back<K: std::hash::Hash + Eq>(held: &mut HashMap<K, u32>, key: &K) {
    if let Some(count) = held.get_mut(key) {
        *count -= 1;
        if *count == 0 {
            held.remove(key);
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

    /// So many messages in a minute.
    fn limits(messages: u32) -> Limits {
        Limits::default().with(Limit::WebhookMessagesPerHost, messages)
    }

    #[test]
    fn what_is_beyond_the_rate_has_a_time_of_its_own_and_goes_then() {
        let (pacer, limits, now) = (Pacer::default(), limits(2), Timestamp::default());
        let at = |number, seconds| {
            let now = now + TimeDelta::seconds(seconds);
            pacer.place(job(number), org(1), "a:443", &limits, now).map(drop)
        };
        assert_eq!((at(1, 0), at(2, 0)), (Ok(()), Ok(())));
        assert_eq!(at(3, 0), Err(PutOff::Rate(TimeDelta::seconds(30))));
        assert_eq!(at(4, 0), Err(PutOff::Rate(TimeDelta::seconds(60))));
        assert_eq!(at(3, 29), Err(PutOff::Rate(TimeDelta::seconds(1))), "to look early costs nothing");
        assert_eq!((at(3, 30), at(4, 60)), (Ok(()), Ok(())));
        let other = pacer.place(job(5), org(2), "a:443", &limits, now).map(drop);
        assert_eq!(other, Ok(()), "another organization has a rate of its own");
        let elsewhere = pacer.place(job(6), org(1), "b:443", &limits, now).map(drop);
        assert_eq!(elsewhere, Ok(()), "and another host");
    }

    #[test]
    fn a_host_has_places_and_an_organization_some_of_them() {
        let (pacer, now) = (Pacer::default(), Timestamp::default());
        let limits = limits(1_000).with(Limit::WebhookPlacesPerHost, 3);
        let place = |number, of| pacer.place(job(number), org(of), "a:443", &limits, now);
        let held = (place(1, 1), place(2, 1));
        let waits = |result: Result<Place, PutOff>| result.err();
        assert_eq!(waits(place(3, 1)), Some(PutOff::Busy(TimeDelta::seconds(1))));
        assert_eq!(waits(place(4, 1)), Some(PutOff::Busy(TimeDelta::milliseconds(1_250))), "after that one");
        let third = place(5, 2);
        assert!(third.is_ok());
        assert!(place(6, 3).is_err(), "the host's places are taken");
        drop(held);
        assert!(place(3, 1).is_ok());
    }
}
