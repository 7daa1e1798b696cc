//! A cache of what was looked up a moment ago: [`Recent`].

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{PoisonError, RwLock};

use chrono::TimeDelta;

use crate::clock::Timestamp;

/// What was looked up a moment ago, so that a burst of requests costs one look-up.
///
/// An entry lives for about a second, which bounds how late a node hears of a change on another; on this node it goes at
/// once. Kept so: sessions that were found valid, and which webhooks an organization has. Roles are never kept: they are
/// read on every request.
pub(crate) struct Recent<K, G, V> {
    ttl: TimeDelta,
    state: RwLock<State<K, G, V>>,
}

struct State<K, G, V> {
    entries: HashMap<K, Entry<G, V>>,
    /// Groups of which something was changed a moment ago, perhaps in a transaction that is not committed yet: until then
    /// theirs are looked up each time, and a look-up that began earlier does not bring back what was.
    barred: HashMap<G, Timestamp>,
}

struct Entry<G, V> {
    group: G,
    value: V,
    since: Timestamp,
}

impl<K: Eq + Hash, G: Eq + Hash, V: Clone> Recent<K, G, V> {
    /// Past this many entries all are dropped, which costs each live one a look-up.
    const CAPACITY: usize = 10_000;
    /// Longer than any transaction lives.
    const BAR_FOR: TimeDelta = TimeDelta::seconds(30);

    pub(crate) fn new(ttl: TimeDelta) -> Self {
        Self { ttl, state: RwLock::new(State { entries: HashMap::new(), barred: HashMap::new() }) }
    }

    pub(crate) fn get(&self, key: &K, now: Timestamp) -> Option<V> {
        let state = self.state.read().unwrap_or_else(PoisonError::into_inner);
        let entry = state.entries.get(key)?;
        // A clock that was set back makes the entry old, not eternal.
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

    /// Forgets everything of a group, and keeps nothing of it for a while.
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
