//! A fair queue before a pool of connections.
//!
//! Each organization, and each person outside of an organization, has its own queue; the queues take turns (round robin, as in
//! Nagle, "On packet switches with infinite storage", RFC 970). A unit that waits holds nothing, and a queue has a maximum length.
//! While others wait, no party gets more than half of the places; alone it gets all but a quarter, so that the next finds one free.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;
use workscribe_core::limits::Limit;
use workscribe_core::storage::Party;
use workscribe_core::{StoreError, StoreResult};

/// The maximum number of units that wait in one party's queue. The next unit of that party is refused.
const LONGEST_QUEUE: usize = Limit::DatabaseWaitingPerParty.default_value() as usize;

/// The places of one pool, and the units that wait for them.
pub(crate) struct Shares {
    /// The maximum for one party while others wait (`half`), and while no other waits (`most`).
    half: usize,
    most: usize,
    patience: Duration,
    state: Mutex<State>,
}

struct State {
    free: usize,
    queues: HashMap<Party, Queue>,
    /// The parties with waiting units, in the order of their turns; each once.
    turns: VecDeque<Party>,
}

#[derive(Default)]
struct Queue {
    held: usize,
    waiting: VecDeque<oneshot::Sender<Share>>,
}

impl Shares {
    /// The places of a pool with this many connections. `patience` is the maximum wait.
    pub(crate) fn new(connections: u32, patience: Duration) -> Arc<Self> {
        let places = usize::try_from(connections).unwrap_or(usize::MAX).max(1);
        let (half, most) = (places.div_ceil(2), places - places / 4);
        let state = State { free: places, queues: HashMap::new(), turns: VecDeque::new() };
        Arc::new(Self { half, most, patience, state: Mutex::new(state) })
    }

    /// Waits for a place.
    ///
    /// # Errors
    /// [`StoreError::Crowded`] when the party's queue is full, or when no place was free in time.
    pub(crate) async fn enter(self: &Arc<Self>, party: Party) -> StoreResult<Share> {
        let turn = {
            let mut state = self.lock();
            let queue = state.queues.entry(party).or_default();
            // A queue that is not empty has its turn already, even if all its units have given up.
            let has_turn = !queue.waiting.is_empty();
            if queue.waiting.len() >= LONGEST_QUEUE {
                queue.waiting.retain(|waiting| !waiting.is_closed());
            }
            if queue.waiting.len() >= LONGEST_QUEUE {
                return Err(StoreError::Crowded);
            }
            let (sender, turn) = oneshot::channel();
            queue.waiting.push_back(sender);
            if !has_turn {
                state.turns.push_back(party);
            }
            self.serve(state);
            turn
        };
        match tokio::time::timeout(self.patience, turn).await {
            Ok(Ok(share)) => Ok(share),
            _ => Err(StoreError::Crowded),
        }
    }

    /// Gives free places to the parties whose turn it is.
    fn serve(self: &Arc<Self>, mut state: MutexGuard<'_, State>) {
        let mut refused = Vec::new();
        let mut passed_over = 0;
        while state.free > 0 && passed_over < state.turns.len() {
            let Some(party) = state.turns.pop_front() else { break };
            let limit = if state.turns.is_empty() { self.most } else { self.half };
            let Some(queue) = state.queues.get_mut(&party) else { continue };
            // Skips the units that have given up.
            while queue.waiting.front().is_some_and(oneshot::Sender::is_closed) {
                queue.waiting.pop_front();
            }
            if queue.waiting.is_empty() {
                state.forget_if_empty(party);
                continue;
            }
            if queue.held >= limit {
                state.turns.push_back(party);
                passed_over += 1;
                continue;
            }
            let Some(waiting) = queue.waiting.pop_front() else { continue };
            queue.held += 1;
            let goes_on = !queue.waiting.is_empty();
            state.free -= 1;
            if goes_on {
                state.turns.push_back(party);
            }
            passed_over = 0;
            let share = Share { shares: Arc::clone(self), party };
            if let Err(share) = waiting.send(share) {
                // The unit has just given up. Dropping its place takes the lock, so that must happen later.
                refused.push(share);
            }
        }
        drop(state);
        drop(refused);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn forget_if_empty(&mut self, party: Party) {
        if self.queues.get(&party).is_some_and(|queue| queue.held == 0 && queue.waiting.is_empty()) {
            self.queues.remove(&party);
        }
    }
}

/// A place of the pool that a party has, until it is dropped.
pub(crate) struct Share {
    shares: Arc<Shares>,
    party: Party,
}

impl Drop for Share {
    fn drop(&mut self) {
        let mut state = self.shares.lock();
        state.free += 1;
        if let Some(queue) = state.queues.get_mut(&self.party) {
            queue.held -= 1;
        }
        state.forget_if_empty(self.party);
        self.shares.serve(state);
    }
}

#[cfg(test)]
mod tests {
    use std::future::Future;
    use std::pin::{Pin, pin};
    use std::task::{Context, Waker};

    use workscribe_core::id::OrgId;

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(3_600);

    fn org(number: u128) -> Party {
        Party::Organization(OrgId::from(sqlx::types::Uuid::from_u128(number)))
    }

    type Entering = Pin<Box<dyn Future<Output = StoreResult<Share>>>>;

    fn enters(shares: &Arc<Shares>, party: Party) -> Entering {
        let shares = Arc::clone(shares);
        Box::pin(async move { shares.enter(party).await })
    }

    /// The result, if the future is ready.
    fn poll(entering: &mut Entering) -> Option<StoreResult<Share>> {
        match pin!(entering).poll(&mut Context::from_waker(Waker::noop())) {
            std::task::Poll::Ready(entered) => Some(entered),
            std::task::Poll::Pending => None,
        }
    }

    /// Enters this many units of a party; returns the places of those that entered, and the futures of those that wait.
    fn come(shares: &Arc<Shares>, party: Party, many: usize) -> (Vec<Share>, Vec<Entering>) {
        let (mut places, mut waiting) = (Vec::new(), Vec::new());
        for _ in 0..many {
            let mut entering = enters(shares, party);
            match poll(&mut entering) {
                Some(entered) => places.push(entered.unwrap()),
                None => waiting.push(entering),
            }
        }
        (places, waiting)
    }

    #[tokio::test]
    async fn alone_a_party_leaves_a_quarter_free_and_who_comes_next_is_served_at_once() {
        let shares = Shares::new(16, PATIENCE);
        let (flood, waiting) = come(&shares, org(1), 100);
        assert_eq!((flood.len(), waiting.len()), (12, 88));
        let (others, none) = come(&shares, org(2), 3);
        assert_eq!((others.len(), none.len()), (3, 0));
    }

    #[tokio::test]
    async fn while_others_wait_nobody_gets_more_than_half_and_the_lines_take_turns() {
        let shares = Shares::new(4, PATIENCE);
        let (mut flood, mut flooding) = come(&shares, org(1), 20);
        assert_eq!(flood.len(), 3);
        let (mut others, mut waiting) = come(&shares, org(2), 10);
        assert_eq!(others.len(), 1);
        // The others get every place that becomes free until the shares are equal, and half of them after that.
        flood.pop();
        assert!(poll(&mut flooding[0]).is_none(), "it has half of the places");
        others.push(poll(&mut waiting.remove(0)).expect("it is their turn").unwrap());
        for _ in 0..3 {
            others.pop();
            assert!(poll(&mut flooding[0]).is_none());
            others.push(poll(&mut waiting.remove(0)).expect("they have no more than half").unwrap());
            flood.pop();
            flood.push(poll(&mut flooding.remove(0)).expect("nor have these").unwrap());
        }
    }

    #[tokio::test]
    async fn a_line_has_an_end_for_its_own_party_alone() {
        let shares = Shares::new(1, PATIENCE);
        let (_place, waiting) = come(&shares, org(1), 1 + LONGEST_QUEUE);
        assert_eq!(waiting.len(), LONGEST_QUEUE);
        assert!(matches!(shares.enter(org(1)).await, Err(StoreError::Crowded)));
        assert!(poll(&mut enters(&shares, org(2))).is_none(), "others wait in a queue of their own");
    }

    #[tokio::test]
    async fn a_line_that_all_have_left_has_one_turn_when_somebody_comes() {
        let shares = Shares::new(1, PATIENCE);
        let (_place, waiting) = come(&shares, org(1), 1 + LONGEST_QUEUE);
        drop(waiting);
        let (none, _one) = come(&shares, org(1), 1);
        assert!(none.is_empty());
        assert_eq!(shares.lock().turns, [org(1)]);
    }

    #[tokio::test]
    async fn who_waits_for_too_long_is_told_and_who_gives_up_leaves_nothing() {
        let shares = Shares::new(1, Duration::ZERO);
        let (places, waiting) = come(&shares, org(1), 5);
        assert!(matches!(shares.enter(org(2)).await, Err(StoreError::Crowded)));
        drop(waiting);
        drop(places);
        let share = shares.enter(org(3)).await.unwrap();
        drop(share);
        let state = shares.lock();
        assert_eq!((state.free, state.turns.len()), (1, 0));
        assert!(state.queues.is_empty(), "what nobody holds or waits for is forgotten");
    }
}
