use std::collections::HashMap;
use std::sync::{PoisonError, RwLock};

use chrono::TimeDelta;

use crate::clock::Timestamp;
use crate::id::{SessionId, UserId};

/// Sessions that were found valid a moment ago, so that a burst of requests costs one look-up.
///
/// An entry lives for less than a second, which bounds how late a node hears of a logout on another; on this node it
/// goes at once. Roles are never kept: they are read on every request.
pub(crate) struct SessionCache {
    ttl: TimeDelta,
    state: RwLock<State>,
}

#[derive(Default)]
struct State {
    entries: HashMap<SessionId, (UserId, Timestamp)>,
    /// Users whose sessions were ended a moment ago, perhaps in a transaction that is not committed yet: until then
    /// theirs are looked up each time, and a look-up that began earlier does not bring an ended one back.
    barred: HashMap<UserId, Timestamp>,
}

impl SessionCache {
    /// Past this many entries all are dropped, which costs each live session one look-up.
    const CAPACITY: usize = 10_000;
    /// Longer than any transaction lives.
    const BAR_FOR: TimeDelta = TimeDelta::seconds(30);

    pub(crate) fn new(ttl: TimeDelta) -> Self {
        Self { ttl, state: RwLock::default() }
    }

    pub(crate) fn get(&self, session: SessionId, now: Timestamp) -> Option<UserId> {
        let state = self.state.read().unwrap_or_else(PoisonError::into_inner);
        let (user, since) = state.entries.get(&session)?;
        // A clock that was set back makes the entry old, not eternal.
        (TimeDelta::zero()..self.ttl).contains(&(now - *since)).then_some(*user)
    }

    pub(crate) fn keep(&self, session: SessionId, user: UserId, now: Timestamp) {
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        if state.barred.get(&user).is_some_and(|until| *until > now) {
            return;
        }
        if state.entries.len() >= Self::CAPACITY {
            state.entries.clear();
        }
        state.entries.insert(session, (user, now));
    }

    /// Forgets every session of a user, and keeps none of theirs for a while.
    pub(crate) fn forget(&self, user: UserId, now: Timestamp) {
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        state.entries.retain(|_, (owner, _)| *owner != user);
        state.barred.retain(|_, until| *until > now);
        state.barred.insert(user, now + Self::BAR_FOR);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    #[test]
    fn a_look_up_that_began_before_a_logout_does_not_bring_the_session_back() {
        let cache = SessionCache::new(TimeDelta::milliseconds(500));
        let (session, user) = (SessionId::from(Uuid::from_u128(1)), UserId::from(Uuid::from_u128(2)));
        let now = Timestamp::UNIX_EPOCH;
        cache.keep(session, user, now);
        assert_eq!(cache.get(session, now), Some(user));
        cache.forget(user, now);
        cache.keep(session, user, now);
        assert_eq!(cache.get(session, now), None);
        let later = now + TimeDelta::seconds(31);
        cache.keep(session, user, later);
        assert_eq!(cache.get(session, later), Some(user));
        assert_eq!(cache.get(session, later + TimeDelta::milliseconds(500)), None);
    }
}
