//! Look-ups of many requests in one statement.
//!
//! With 32 connections a round trip costs more than a row. So while one look-up runs, new keys are gathered, and the next
//! statement looks all of them up, as in DataLoader and Haxl (Marlow et al., "There is no fork", ICFP 2014). No caller waits for
//! others to arrive: the first key is looked up at once, and while a statement takes long, a second one serves new callers.
//!
//! A batch belongs to no caller: it runs in a separate task, the flight. A caller that stops waiting removes its key, and a batch
//! without callers does not run. A row that cannot be read is an error only for those who asked for it, each with its own error.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, VecDeque};
use std::future::Future;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;
use workscribe_core::{StoreError, StoreResult};

/// The maximum number of callers of one statement.
const MOST: usize = 64;
/// The maximum number of statements of one kind at the same time. Usually there is one, because few large statements cost less
/// than many small ones; see [`State::needs_a_flight`].
const FLIGHTS: usize = 4;
/// When a statement has run for longer than this, another one serves new callers: the database may be far away, or a connection
/// may hang.
const LATE: Duration = Duration::from_millis(10);

/// The result of a batch: the index of a key, from 0, and the row for it.
pub(crate) type Found<R> = Vec<(usize, StoreResult<R>)>;

/// How keys of one kind are looked up.
pub(crate) trait LookUp: Send + Sync + 'static {
    /// The type of a key.
    type Key: Clone + Eq + Hash + Send + Sync + 'static;
    /// The type of a row.
    type Row: Clone + Send + 'static;
    /// The type of a connection.
    type Connection: Send;

    /// Waits for a connection.
    fn connect(&self) -> impl Future<Output = StoreResult<Self::Connection>> + Send;

    /// Looks up distinct keys in one statement.
    fn look_up(
        &self,
        connection: Self::Connection,
        keys: &[Self::Key],
    ) -> impl Future<Output = StoreResult<Found<Self::Row>>> + Send;
}

type Answer<R> = oneshot::Sender<StoreResult<Option<R>>>;

/// Look-ups of one kind, with the callers that wait for them.
pub(crate) struct Batch<L: LookUp> {
    look_up: L,
    state: Mutex<State<L>>,
}

struct State<L: LookUp> {
    /// Keys with their callers, in order of arrival.
    waiting: VecDeque<(L::Key, Answer<L::Row>)>,
    /// How many keys have ever left the queue.
    left: usize,
    flights: usize,
    /// When a flight last took keys from the queue.
    last_start: Instant,
    patience: Duration,
}

impl<L: LookUp> State<L> {
    /// Whether the newest caller needs another flight: when there is none, when more callers wait than one statement serves, or
    /// when the last statement has run for too long.
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

    /// The row for a key, as committed at the time of the call or later.
    pub(crate) async fn load(self: &Arc<Self>, key: L::Key) -> StoreResult<Option<L::Row>> {
        let (caller, answer) = oneshot::channel();
        if self.joins_a_new_flight(key, caller) {
            tokio::spawn(Flight { batch: Arc::clone(self), is_over: false }.fly());
        }
        answer.await.unwrap_or_else(|_| Err(broken_off()))
    }

    /// Adds a caller to the queue; `true` when a new flight must start.
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

    /// Takes as many keys from the queue as one statement looks up.
    fn board(&self) -> Boarded<L> {
        let mut state = self.lock();
        state.last_start = Instant::now();
        Boarded::take(&mut state, MOST)
    }

    fn lock(&self) -> MutexGuard<'_, State<L>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Runs batches until no caller waits.
struct Flight<L: LookUp> {
    batch: Arc<Batch<L>>,
    is_over: bool,
}

impl<L: LookUp> Flight<L> {
    async fn fly(mut self) {
        while let Some(last) = self.last_in_line() {
            // Callers that arrive during the wait for a connection are served too, but do not get the error if it fails.
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

    /// The number of the newest caller, counted from the first ever; `None` when no caller waits, which ends the flight.
    fn last_in_line(&mut self) -> Option<usize> {
        let mut state = self.batch.lock();
        while state.waiting.front().is_some_and(|(_, caller)| caller.is_closed()) {
            state.waiting.pop_front();
            state.left += 1;
        }
        if state.waiting.is_empty() {
            // The same lock covers this change, so that the next caller starts a new flight.
            state.flights -= 1;
            drop(state);
            self.is_over = true;
            return None;
        }
        Some(state.left + state.waiting.len())
    }
}

/// Allows another flight when this one was dropped, because a look-up panicked or the runtime ended.
impl<L: LookUp> Drop for Flight<L> {
    fn drop(&mut self) {
        if self.is_over {
            return;
        }
        let mut state = self.batch.lock();
        state.flights -= 1;
        if state.flights == 0 {
            // No flight is left to serve them.
            let gone = std::mem::take(&mut state.waiting);
            state.left += gone.len();
        }
    }
}

/// Distinct keys, with the callers that wait for them.
struct Boarded<L: LookUp> {
    keys: Vec<L::Key>,
    /// One caller for each key.
    callers: Vec<Answer<L::Row>>,
    /// Further callers that asked for one of the keys.
    others: Vec<(usize, Answer<L::Row>)>,
}

impl<L: LookUp> Boarded<L> {
    /// Takes the oldest keys from the queue, without those whose callers have stopped waiting.
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

    /// Sends each caller the result for its key. A caller that has stopped waiting gets nothing.
    fn answer(self, found: StoreResult<Found<L::Row>>) {
        let mut answers: Vec<StoreResult<Option<L::Row>>> = self.keys.iter().map(|_| Ok(None)).collect();
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

fn share<R: Clone>(answer: &mut StoreResult<Option<R>>) -> StoreResult<Option<R>> {
    match answer {
        Ok(row) => Ok(row.clone()),
        Err(error) => {
            let cause = Arc::new(std::mem::replace(error, broken_off()));
            *error = again(&cause);
            Err(again(&cause))
        }
    }
}

/// The same error for another caller.
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

/// The shared cause of several errors.
#[derive(Debug, thiserror::Error)]
#[error("a look-up for many requests failed")]
struct Shared(#[source] Arc<StoreError>);

#[cfg(test)]
mod tests;
