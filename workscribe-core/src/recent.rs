//! A cache of recent look-ups: [`Recent`].

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{PoisonError, RwLock};

use chrono::TimeDelta;

use crate::clock::Timestamp;

/// A cache of recent look-ups, so that a burst of requests needs one look-up.
///
/// An entry lives for about a second, so a node sees a change by another node at most that much later; a change on this node
/// removes the entry at once. The cache holds valid sessions and the webhooks of an organization. It never holds roles: every
/// request reads them.
pub(crate) struct Recent<K, G, V> {
    ttl: TimeDelta,
    state: RwLock<State<K, G, V>>,
}

struct State<K, G, V> {
    entries: HashMap<K, Entry<G, V>>,
    /// Groups that were changed recently, perhaps in a transaction that has not committed. Until the given time their entries are
    /// not cached, so that a look-up that began before the change cannot store the previous value.
    barred: HashMap<G, Timestamp>,
}

struct Entry<G, V> {
    group: G,
    value: V,
    since: Timestamp,
}

impl<K: Eq + Hash, G: Eq + Hash, V: Clone> Recent<K, G, V> {
    /// When the cache has this many entries, all are dropped; each entry in use then costs one look-up.
    const CAPACITY: usize = 10_000;
    /// Longer than any transaction.
    const BAR_FOR: TimeDelta = TimeDelta::seconds(30);

    pub(crate) fn new(ttl: TimeDelta) -> Self {
        Self { ttl, state: RwLock::new(State { entries: HashMap::new(), barred: HashMap::new() }) }
    }

    pub(crate) fn get(&self, key: &K, now: Timestamp) -> Option<V> {
        let state = self.state.read().unwrap_or_else(PoisonError::into_inner);
        let entry = state.entries.get(key)?;
        // If the clock was set back, the entry counts as old; it must not live forever.
        (TimeDelta::zero()..self.ttl).contains(&(now - entry.since)).then(|| entry.value.clone())
    }

    pub(crate) fn keep(&self, key: K, group: G, value: V, now: Timestamp) {
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        if state.barred.get(&group).is_some_and(|until| *until > now) {
            return;
        }
        if state.entries.len() >= Self::CAPACITY {
            state.entries.clear();
        }
        state.entries.insert(key, Entry { group, value, since: now });
    }

    /// Removes all entries of a group, and stores none for it for 30 seconds.
    pub(crate) fn forget(&self, group: G, now: Timestamp) {
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        state.entries.retain(|_, entry| entry.group != group);
        state.barred.retain(|_, until| *until > now);
        state.barred.insert(group, now + Self::BAR_FOR);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_look_up_that_began_before_a_change_does_not_bring_back_what_was() {
        let cache = Recent::new(TimeDelta::milliseconds(500));
        let (session, user) = (1, 2);
        let now = Timestamp::UNIX_EPOCH;
        cache.keep(session, user, "valid", now);
        assert_eq!(cache.get(&session, now), Some("valid"));
        cache.forget(user, now);
        cache.keep(session, user, "valid", now);
        assert_eq!(cache.get(&session, now), None);
        let later = now + TimeDelta::seconds(31);
        cache.keep(session, user, "valid", later);
        assert_eq!(cache.get(&session, later), Some("valid"));
        assert_eq!(cache.get(&session, later + TimeDelta::milliseconds(500)), None);
    }
}
