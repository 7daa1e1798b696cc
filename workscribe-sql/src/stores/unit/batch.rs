//! Look-ups of many requests in one statement.
//!
//! At 32 connections a round trip costs more than a row. So while one look-up is under way, those that come meanwhile gather, and go
//! together when it is back, as in DataLoader and Haxl (Marlow et al., "There is no fork", ICFP 2014). Nobody waits for others to come:
//! the first goes at once, and who comes while a statement takes long goes with another one.
//!
//! A batch belongs to no caller: it runs in a task of its own. Who leaves takes their key along; a batch that nobody waits for is not
//! run. A row that cannot be read is an error of those alone who asked for it, and each caller has an error of their own.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, VecDeque};
use std::future::Future;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;
use workscribe_core::StoreError;

/// So many callers go together at the most.
const MOST: usize = 64;
/// So many statements of a kind are under way at once, at the most. One is the rule, since fewer and larger ones cost less; see
/// [`State::needs_a_flight`].
const FLIGHTS: usize = 4;
/// Who comes when a statement has been under way for longer than this goes with another one: the database is far away, or a connection
/// hangs.
const LATE: Duration = Duration::from_millis(10);

/// What a batch has found: which of its keys, counted from 0, and what for it.
pub(crate) type Found<R> = Vec<(usize, Result<R, StoreError>)>;

/// How keys of a kind are looked up.
pub(crate) trait LookUp: Send + Sync + 'static {
    /// What is asked for.
    type Key: Clone + Eq + Hash + Send + Sync + 'static;
    /// What is found.
    type Row: Clone + Send + 'static;
    /// What a statement is made on.
    type Connection: Send;

    /// Waits for a connection.
    fn connect(&self) -> impl Future<Output = Result<Self::Connection, StoreError>> + Send;

    /// Looks different keys up, in one statement.
    fn look_up(
        &self,
        connection: Self::Connection,
        keys: &[Self::Key],
    ) -> impl Future<Output = Result<Found<Self::Row>, StoreError>> + Send;
}

type Answer<R> = oneshot::Sender<Result<Option<R>, StoreError>>;

/// Look-ups of a kind, with those who wait for one.
pub(crate) struct Batch<L: LookUp> {
    look_up: L,
    state: Mutex<State<L>>,
}

struct State<L: LookUp> {
    /// In the order in which they came.
    waiting: VecDeque<(L::Key, Answer<L::Row>)>,
    /// How many have ever left the line.
    left: usize,
    flights: usize,
    /// When a flight last went for keys.
    last_start: Instant,
    patience: Duration,
}

impl<L: LookUp> State<L> {
    /// Whether who has just joined the line has another flight begin: when there is none, when the line is longer than one takes, and
    /// when the last one has been away for too long.
    fn needs_a_flight(&self) -> bool {
        match self.flights {
            0 => true,
            FLIGHTS.. => false,
            _ => self.waiting.len() > MOST || self.last_start.elapsed() >= self.patience,
        }
    }
}

impl<L: LookUp> Batch<L> {
    pub(crate) fn new(look_up: L) -> Arc<Self> {
        Self::with_patience(look_up, LATE)
    }

    fn with_patience(look_up: L, patience: Duration) -> Arc<Self> {
        let (waiting, last_start) = (VecDeque::new(), Instant::now());
        let state = State { waiting, left: 0, flights: 0, last_start, patience };
        Arc::new(Self { look_up, state: Mutex::new(state) })
    }

    /// What there is for a key, as it is committed now or later.
    pub(crate) async fn load(self: &Arc<Self>, key: L::Key) -> Result<Option<L::Row>, StoreError> {
        let (caller, answer) = oneshot::channel();
        if self.joins_a_new_flight(key, caller) {
            tokio::spawn(Flight { batch: Arc::clone(self), is_over: false }.fly());
        }
        answer.await.unwrap_or_else(|_| Err(broken_off()))
    }

    /// Puts a caller into the line; `true` when there is a flight to be begun.
    fn joins_a_new_flight(&self, key: L::Key, caller: Answer<L::Row>) -> bool {
        let mut state = self.lock();
        state.waiting.push_back((key, caller));
        let is_new = state.needs_a_flight();
        if is_new {
            state.flights += 1;
            state.last_start = Instant::now();
        }
        is_new
    }

    /// Takes as many from the line as go together.
    fn board(&self) -> Boarded<L> {
        let mut state = self.lock();
        state.last_start = Instant::now();
        Boarded::take(&mut state, MOST)
    }

    fn lock(&self) -> MutexGuard<'_, State<L>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Runs batches until nobody waits.
struct Flight<L: LookUp> {
    batch: Arc<Batch<L>>,
    is_over: bool,
}

impl<L: LookUp> Flight<L> {
    async fn fly(mut self) {
        while let Some(last) = self.last_in_line() {
            // Those who come while it waits for a connection go along; when it gets none, those are told who waited as long.
            let (boarded, found) = match Box::pin(self.batch.look_up.connect()).await {
                Ok(connection) => {
                    let boarded = self.batch.board();
                    if boarded.keys.is_empty() {
                        continue;
                    }
                    let found = Box::pin(self.batch.look_up.look_up(connection, &boarded.keys)).await;
                    (boarded, found)
                }
                Err(error) => {
                    let mut state = self.batch.lock();
                    let many = last.saturating_sub(state.left);
                    (Boarded::take(&mut state, many), Err(error))
                }
            };
            boarded.answer(found);
        }
    }

    /// The number of who came last, of all who ever came; `None` when nobody waits, and the flight is over.
    fn last_in_line(&mut self) -> Option<usize> {
        let mut state = self.batch.lock();
        while state.waiting.front().is_some_and(|(_, caller)| caller.is_closed()) {
            state.waiting.pop_front();
            state.left += 1;
        }
        if state.waiting.is_empty() {
            // Under the same lock, so that who comes next finds the place free.
            state.flights -= 1;
            drop(state);
            self.is_over = true;
            return None;
        }
        Some(state.left + state.waiting.len())
    }
}

/// Leaves the place to another when it was broken off, by a fault in a look-up or the end of its runtime.
impl<L: LookUp> Drop for Flight<L> {
    fn drop(&mut self) {
        if self.is_over {
            return;
        }
        let mut state = self.batch.lock();
        state.flights -= 1;
        if state.flights == 0 {
            // Nobody comes for them.
            let gone = std::mem::take(&mut state.waiting);
            state.left += gone.len();
        }
    }
}

/// Different keys, with those who wait for them.
struct Boarded<L: LookUp> {
    keys: Vec<L::Key>,
    /// One for each key.
    callers: Vec<Answer<L::Row>>,
    /// Those who asked for one of the keys too.
    others: Vec<(usize, Answer<L::Row>)>,
}

impl<L: LookUp> Boarded<L> {
    /// Takes those from the line who came first, but not those who have left it.
    fn take(state: &mut State<L>, many: usize) -> Self {
        let many = state.waiting.len().min(many);
        state.left += many;
        let mut boarded =
            Self { keys: Vec::with_capacity(many), callers: Vec::with_capacity(many), others: Vec::new() };
        let mut numbers = HashMap::with_capacity(many);
        for (key, caller) in state.waiting.drain(..many).filter(|(_, caller)| !caller.is_closed()) {
            match numbers.entry(key) {
                Entry::Occupied(known) => boarded.others.push((*known.get(), caller)),
                Entry::Vacant(new) => {
                    boarded.keys.push(new.key().clone());
                    boarded.callers.push(caller);
                    new.insert(boarded.keys.len() - 1);
                }
            }
        }
        boarded
    }

    /// Tells each what was found for their key. Who has left in the meantime does not hear of it.
    fn answer(self, found: Result<Found<L::Row>, StoreError>) {
        let mut answers: Vec<Result<Option<L::Row>, StoreError>> =
            self.keys.iter().map(|_| Ok(None)).collect();
        match found {
            Ok(found) => {
                for (number, row) in found {
                    if let Some(answer) = answers.get_mut(number) {
                        *answer = row.map(Some);
                    }
                }
            }
            Err(error) if answers.len() == 1 => answers = vec![Err(error)],
            Err(error) => {
                let cause = Arc::new(error);
                answers.fill_with(|| Err(again(&cause)));
            }
        }
        for (number, caller) in self.others {
            let _ = caller.send(share(&mut answers[number]));
        }
        for (caller, answer) in self.callers.into_iter().zip(answers) {
            let _ = caller.send(answer);
        }
    }
}

fn share<R: Clone>(answer: &mut Result<Option<R>, StoreError>) -> Result<Option<R>, StoreError> {
    match answer {
        Ok(row) => Ok(row.clone()),
        Err(error) => {
            let cause = Arc::new(std::mem::replace(error, broken_off()));
            *error = again(&cause);
            Err(again(&cause))
        }
    }
}

/// The same error for one more caller.
fn again(cause: &Arc<StoreError>) -> StoreError {
    let shared = || Box::new(Shared(Arc::clone(cause)));
    match &**cause {
        StoreError::Corrupt { table, problem } => StoreError::Corrupt { table, problem: problem.clone() },
        StoreError::Unavailable(_) => StoreError::Unavailable(shared()),
        _ => StoreError::Backend(shared()),
    }
}

fn broken_off() -> StoreError {
    StoreError::Unavailable("the look-up was broken off".into())
}

/// The cause of many errors.
#[derive(Debug, thiserror::Error)]
#[error("a look-up for many requests failed")]
struct Shared(#[source] Arc<StoreError>);

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use proptest::prelude::*;
    use tokio::sync::Semaphore;

    use super::*;

    /// Finds twice the key for even keys, nothing for odd ones, and something that cannot be read for multiples of 7.
    #[derive(Default)]
    struct Fake {
        /// Batches, as they were asked for.
        asked: Mutex<Vec<Vec<u32>>>,
        /// How many fail from now on.
        failing: AtomicUsize,
        /// How often no connection is to be had from now on.
        refusing: AtomicUsize,
        /// Where a look-up waits, if it is to.
        gate: Option<Semaphore>,
    }

    impl Fake {
        fn gated() -> Arc<Self> {
            Arc::new(Self { gate: Some(Semaphore::new(0)), ..Self::default() })
        }

        fn let_pass(&self, many: usize) {
            self.gate.as_ref().unwrap().add_permits(many);
        }

        fn asked(&self) -> Vec<Vec<u32>> {
            self.asked.lock().unwrap().clone()
        }
    }

    /// For which no look-up takes too long.
    fn patient(fake: &Arc<Fake>) -> Arc<Batch<Arc<Fake>>> {
        Batch::with_patience(Arc::clone(fake), Duration::MAX)
    }

    fn counts_down(counter: &AtomicUsize) -> bool {
        counter.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok()
    }

    impl LookUp for Arc<Fake> {
        type Key = u32;
        type Row = u32;
        type Connection = ();

        async fn connect(&self) -> Result<(), StoreError> {
            tokio::task::yield_now().await;
            match counts_down(&self.refusing) {
                true => Err(StoreError::Unavailable("no connection".into())),
                false => Ok(()),
            }
        }

        async fn look_up(&self, (): (), keys: &[u32]) -> Result<Found<u32>, StoreError> {
            self.asked.lock().unwrap().push(keys.to_vec());
            if let Some(gate) = &self.gate {
                gate.acquire().await.unwrap().forget();
            }
            tokio::task::yield_now().await;
            if counts_down(&self.failing) {
                return Err(StoreError::Backend("the statement is refused".into()));
            }
            let found = |(number, key): (usize, &u32)| match key {
                key if key % 7 == 0 => {
                    Some((number, Err(StoreError::Corrupt { table: "numbers", problem: format!("{key}") })))
                }
                key if key % 2 == 0 => Some((number, Ok(key * 2))),
                _ => None,
            };
            // In another order than they were asked for.
            Ok(keys.iter().enumerate().rev().filter_map(found).collect())
        }
    }

    /// Whether a caller heard what is so of their key.
    fn is_right(key: u32, answer: &Result<Option<u32>, StoreError>) -> bool {
        match answer {
            Err(StoreError::Corrupt { problem, .. }) => key.is_multiple_of(7) && *problem == key.to_string(),
            Ok(found) => !key.is_multiple_of(7) && *found == key.is_multiple_of(2).then_some(key * 2),
            Err(_) => false,
        }
    }

    /// Loads that wait, each in a task of its own, in this order.
    async fn waiting(
        batch: &Arc<Batch<Arc<Fake>>>,
        keys: impl IntoIterator<Item = u32>,
    ) -> Vec<tokio::task::JoinHandle<Result<Option<u32>, StoreError>>> {
        let mut all = Vec::new();
        for key in keys {
            let batch = Arc::clone(batch);
            all.push(tokio::spawn(async move { batch.load(key).await }));
            for _ in 0..5 {
                tokio::task::yield_now().await;
            }
        }
        all
    }

    #[tokio::test]
    async fn who_comes_while_a_look_up_is_under_way_goes_with_the_next_and_a_key_is_asked_for_once() {
        let fake = Fake::gated();
        let batch = patient(&fake);
        let mut callers = waiting(&batch, [2]).await;
        assert_eq!(fake.asked(), [vec![2]], "the first one waits for nobody");
        callers.extend(waiting(&batch, [4, 6, 8, 6, 7, 7, 9]).await);
        assert_eq!(fake.asked().len(), 1);
        fake.let_pass(100);
        for (caller, key) in callers.into_iter().zip([2, 4, 6, 8, 6, 7, 7, 9]) {
            assert!(is_right(key, &caller.await.unwrap()), "{key}");
        }
        assert_eq!(fake.asked()[1..], [vec![4, 6, 8, 7, 9]]);
    }

    #[tokio::test]
    async fn behind_a_look_up_that_takes_long_another_goes_and_no_more_than_a_few() {
        let fake = Fake::gated();
        let batch = Batch::with_patience(Arc::clone(&fake), Duration::ZERO);
        let callers = waiting(&batch, [2, 4, 6, 8, 10, 12]).await;
        assert_eq!(fake.asked(), [[2], [4], [6], [8]]);
        fake.let_pass(100);
        for caller in callers {
            assert!(caller.await.unwrap().unwrap().is_some());
        }
        assert_eq!(fake.asked()[FLIGHTS..], [[10, 12]]);
        assert_eq!(batch.lock().flights, 0);
    }

    #[tokio::test]
    async fn a_line_that_is_longer_than_a_look_up_takes_has_another_go() {
        let fake = Fake::gated();
        let batch = patient(&fake);
        let keys = 1..=u32::try_from(MOST).unwrap() + 1;
        let mut callers = waiting(&batch, [0]).await;
        callers.extend(waiting(&batch, keys.map(|number| number * 14 + 2)).await);
        assert_eq!(fake.asked().iter().map(Vec::len).collect::<Vec<_>>(), [1, MOST]);
        fake.let_pass(100);
        for caller in callers.into_iter().skip(1) {
            assert!(caller.await.unwrap().unwrap().is_some());
        }
    }

    #[tokio::test]
    async fn who_leaves_takes_their_key_along_and_a_batch_for_nobody_is_not_run() {
        let fake = Fake::gated();
        let batch = patient(&fake);
        let under_way = waiting(&batch, [2]).await;
        let leaving = waiting(&batch, [6, 8]).await;
        let staying = waiting(&batch, [10]).await;
        leaving.iter().for_each(tokio::task::JoinHandle::abort);
        fake.let_pass(1);
        for caller in under_way {
            caller.await.unwrap().unwrap();
        }
        let gone = waiting(&batch, [12, 14]).await;
        gone.iter().for_each(tokio::task::JoinHandle::abort);
        fake.let_pass(100);
        for caller in staying {
            assert_eq!(caller.await.unwrap().unwrap(), Some(20));
        }
        for caller in waiting(&batch, [16]).await {
            assert_eq!(caller.await.unwrap().unwrap(), Some(32));
        }
        let asked: Vec<u32> = fake.asked().concat();
        assert!([6, 8].iter().all(|key| !asked.contains(key)), "{asked:?}");
        assert_eq!(batch.lock().flights, 0, "nothing is under way for nobody");
    }

    #[tokio::test]
    async fn when_a_statement_fails_each_caller_has_an_error_and_the_next_ones_are_served() {
        let fake = Fake::gated();
        let batch = patient(&fake);
        let first = waiting(&batch, [2]).await;
        let failing = waiting(&batch, [6, 8, 8]).await;
        fake.let_pass(1);
        for caller in first {
            caller.await.unwrap().unwrap();
        }
        fake.failing.store(1, Ordering::SeqCst);
        fake.let_pass(100);
        for caller in failing {
            let error = caller.await.unwrap().unwrap_err();
            let mut chain =
                std::iter::successors(Some(&error as &dyn std::error::Error), |error| error.source());
            assert!(matches!(error, StoreError::Backend(_)), "{error:?}");
            assert!(chain.any(|error| error.to_string() == "the statement is refused"), "{error:?}");
        }
        assert_eq!(batch.load(10).await.unwrap(), Some(20));
    }

    #[tokio::test]
    async fn without_a_connection_who_waits_is_told_so_and_the_next_is_served() {
        let fake = Fake::gated();
        fake.refusing.store(1, Ordering::SeqCst);
        let batch = patient(&fake);
        let refused = batch.load(2).await.unwrap_err();
        assert!(matches!(refused, StoreError::Unavailable(_)), "{refused:?}");
        fake.let_pass(1);
        assert_eq!(batch.load(2).await.unwrap(), Some(4));
    }

    #[test]
    fn a_runtime_that_ends_takes_its_look_ups_along_and_another_goes_on() {
        let fake = Fake::gated();
        let batch = patient(&fake);
        let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let (first, second) = (runtime(), runtime());
        first.block_on(waiting(&batch, [2, 4]));
        let left_behind = second.block_on(waiting(&batch, [6]));
        drop(first);
        for caller in left_behind {
            let error = second.block_on(caller).unwrap().unwrap_err();
            assert!(matches!(error, StoreError::Unavailable(_)), "{error:?}");
        }
        fake.let_pass(1);
        assert_eq!(second.block_on(batch.load(8)).unwrap(), Some(16));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(12))]

        #[test]
        fn every_load_of_many_tasks_hears_of_its_own_key(
            loads in prop::collection::vec((0_u32..40, prop::bool::weighted(0.1)), 500..3_000),
            tasks in 1_usize..80,
        ) {
            let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(4).enable_all().build().unwrap();
            let fake = Arc::<Fake>::default();
            let batch = patient(&fake);
            runtime.block_on(async {
                let mut all = tokio::task::JoinSet::new();
                for part in loads.chunks(loads.len().div_ceil(tasks)) {
                    let (batch, part) = (Arc::clone(&batch), part.to_vec());
                    all.spawn(async move {
                        for (key, leaves) in part {
                            if leaves {
                                // Polled once, and dropped.
                                tokio::select! { biased; _ = batch.load(key) => {} () = std::future::ready(()) => {} }
                            } else {
                                let answer = batch.load(key).await;
                                assert!(is_right(key, &answer), "{key}: {answer:?}");
                            }
                        }
                    });
                }
                while let Some(ended) = all.join_next().await {
                    ended.unwrap();
                }
            });
            let asked = fake.asked();
            let most = asked.iter().map(Vec::len).max().unwrap_or_default();
            prop_assert!(most <= MOST);
            for keys in asked {
                let mut once = keys.clone();
                once.sort_unstable();
                once.dedup();
                prop_assert_eq!(once.len(), keys.len(), "a key is asked for once");
            }
        }
    }
}
