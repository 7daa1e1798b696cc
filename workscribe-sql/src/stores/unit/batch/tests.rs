//! Tests of batches, with a look-up that notes what it is asked for, waits at a gate, and fails on request.

use std::sync::atomic::{AtomicUsize, Ordering};

use proptest::prelude::*;
use tokio::sync::Semaphore;

use super::*;

/// Finds twice the key for even keys, nothing for odd keys, and an unreadable row for multiples of 7.
#[derive(Default)]
struct Fake {
    /// The batches, as they were looked up.
    asked: Mutex<Vec<Vec<u32>>>,
    /// How many look-ups fail from now on.
    failing: AtomicUsize,
    /// How many attempts to connect fail from now on.
    refusing: AtomicUsize,
    /// Where a look-up waits, if set.
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

/// A batch for which no look-up takes too long.
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
        // In another order than that of the keys.
        Ok(keys.iter().enumerate().rev().filter_map(found).collect())
    }
}

/// Whether a caller got the right result for its key.
fn is_right(key: u32, answer: &Result<Option<u32>, StoreError>) -> bool {
    match answer {
        Err(StoreError::Corrupt { problem, .. }) => key.is_multiple_of(7) && *problem == key.to_string(),
        Ok(found) => !key.is_multiple_of(7) && *found == key.is_multiple_of(2).then_some(key * 2),
        Err(_) => false,
    }
}

/// Loads that wait, each in its own task, in this order.
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
        let mut chain = std::iter::successors(Some(&error as &dyn std::error::Error), |error| error.source());
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
                            // The load is polled once and then dropped.
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
