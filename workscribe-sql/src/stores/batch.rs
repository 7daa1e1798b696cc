//! Look-ups of many requests in one statement.
//!
//! At 32 connections a round trip costs more than a row. So while one look-up is under way, those that come meanwhile gather, and go
//! together when it is back, as in DataLoader and Haxl (Marlow et al., "There is no fork", ICFP 2014). Nobody waits for others to come:
//! the first goes at once, and alone it makes the statement that it would make anyway.
//!
//! A batch belongs to no caller: it runs in a task of its own. Who leaves takes their key along; a batch that nobody waits for is not
//! run. Each caller gets an error of their own.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;
use workscribe_core::StoreError;

use super::Unit;
use super::reads::Reads;

/// So many keys go together at the most.
const MOST: usize = 64;
/// So many statements of a kind are under way at once: one per processor that a small server has.
const FLIGHTS: usize = 2;

/// What a batch has found: which of its keys, counted from 0, and what for it.
pub(super) type Found<R> = Vec<(usize, Result<R, StoreError>)>;
/// A look-up under way.
pub(super) type Looking<'a, R> = Pin<Box<dyn Future<Output = Result<Found<R>, StoreError>> + Send + 'a>>;
/// Looks keys up, in one statement.
pub(super) type LookUp<K, R> = for<'a> fn(&'a mut Unit, &'a [K]) -> Looking<'a, R>;

/// A kind of look-up, with those who wait for one.
pub(super) struct Batch<K, R> {
    look_up: LookUp<K, R>,
    state: Mutex<State<K, R>>,
}

struct State<K, R> {
    waiting: Vec<Waiting<K, R>>,
    flights: usize,
}

struct Waiting<K, R> {
    key: K,
    caller: Caller<R>,
}

type Caller<R> = oneshot::Sender<Result<Option<R>, StoreError>>;

impl<K: Send + Sync + 'static, R: Send + 'static> Batch<K, R> {
    pub(super) fn new(look_up: LookUp<K, R>) -> Arc<Self> {
        Arc::new(Self { look_up, state: Mutex::new(State { waiting: Vec::new(), flights: 0 }) })
    }

    /// What there is for a key.
    pub(super) async fn load(self: &Arc<Self>, reads: &Arc<Reads>, key: K) -> Result<Option<R>, StoreError> {
        let (caller, answer) = oneshot::channel();
        let is_first = {
            let mut state = self.lock();
            state.waiting.push(Waiting { key, caller });
            let is_first = state.flights < FLIGHTS;
            state.flights += usize::from(is_first);
            is_first
        };
        if is_first {
            tokio::spawn(Flight { batch: Arc::clone(self), is_over: false }.fly(Arc::clone(reads)));
        }
        answer.await.unwrap_or_else(|_| Err(StoreError::Unavailable("the look-up was broken off".into())))
    }

    fn lock(&self) -> MutexGuard<'_, State<K, R>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Those who wait now, without those who left; `None` when there are none, and the flight is over. It is over in
    /// the same breath: whoever comes after it starts the next.
    fn board(&self) -> Option<(Vec<K>, Vec<Caller<R>>)> {
        let mut state = self.lock();
        state.waiting.retain(|waiting| !waiting.caller.is_closed());
        if state.waiting.is_empty() {
            state.flights -= 1;
            return None;
        }
        let many = state.waiting.len().min(MOST);
        Some(state.waiting.drain(..many).map(|waiting| (waiting.key, waiting.caller)).unzip())
    }
}

/// Runs batches until nobody waits. One that is broken off, by a fault in a look-up or the end of its runtime, leaves its place to the
/// next.
struct Flight<K: Send + Sync + 'static, R: Send + 'static> {
    batch: Arc<Batch<K, R>>,
    is_over: bool,
}

impl<K: Send + Sync + 'static, R: Send + 'static> Flight<K, R> {
    async fn fly(mut self, reads: Arc<Reads>) {
        while let Some((keys, callers)) = self.batch.board() {
            let mut unit = reads.unit();
            let found = (self.batch.look_up)(&mut unit, &keys).await;
            // The connection goes to the next before the callers go on.
            drop(unit);
            match found {
                Ok(found) => answer(callers, found),
                Err(error) => refuse(callers, error),
            }
        }
        self.is_over = true;
    }
}

impl<K: Send + Sync + 'static, R: Send + 'static> Drop for Flight<K, R> {
    fn drop(&mut self) {
        if self.is_over {
            return;
        }
        let mut state = self.batch.lock();
        state.flights -= 1;
        if state.flights == 0 {
            // Nobody comes for those who wait: each is told that the look-up was broken off.
            state.waiting.clear();
        }
    }
}

fn answer<R>(callers: Vec<oneshot::Sender<Result<Option<R>, StoreError>>>, found: Found<R>) {
    let mut answers: Vec<Option<Result<R, StoreError>>> = callers.iter().map(|_| None).collect();
    for (at, row) in found {
        if let Some(answer) = answers.get_mut(at) {
            *answer = Some(row);
        }
    }
    for (caller, answer) in callers.into_iter().zip(answers) {
        // Who left in the meantime does not hear of it.
        let _ = caller.send(answer.transpose());
    }
}

fn refuse<R>(callers: Vec<oneshot::Sender<Result<Option<R>, StoreError>>>, error: StoreError) {
    let is_unavailable = matches!(error, StoreError::Unavailable(_));
    let cause = Arc::new(error);
    for caller in callers {
        let cause = Box::new(Shared(Arc::clone(&cause)));
        let error = if is_unavailable { StoreError::Unavailable(cause) } else { StoreError::Backend(cause) };
        let _ = caller.send(Err(error));
    }
}

/// The cause of many errors.
#[derive(Debug, thiserror::Error)]
#[error("a look-up for many requests failed")]
struct Shared(#[source] Arc<StoreError>);
