//! The unit of work: its connection, its transaction, and how statements run on it.

pub(crate) mod batch;
pub(crate) mod gate;
mod held;
mod lane;
pub(crate) mod pending;
pub(crate) mod reads;
mod shares;

use std::any::Any;
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use sqlx::query::{Query, QueryAs};
use sqlx::types::Uuid;
use sqlx::{AssertSqlSafe, Database, FromRow, Pool, SqlSafeStr as _, SqlStr, Transaction};
use workscribe_core::storage::Party;
use workscribe_core::{StoreError, StoreResult, UnitOfWork, every_store};

use self::gate::{Gates, Turn};
use self::held::{Held, Own, within};
use self::lane::{Lane, Reader};
use self::pending::Pending;
use self::reads::Reads;
use self::shares::{Share, Shares};
use super::bind::BindAll as _;
use super::slugs::Slugs;
use super::{Conn, Db, dialect, misuse, store_error};

pub(crate) type Row = <Db as Database>::Row;
pub(crate) type Arguments = <Db as Database>::Arguments;

/// One unit of work on the database, with every store in one value.
///
/// It takes a connection at its first statement, so earlier work (such as a look-up in Redis) holds none. After a failed
/// statement it refuses to commit, because Postgres would answer `COMMIT` with a silent rollback.
pub struct Unit {
    state: State,
    failed: bool,
    /// Whether the connection was lent for statements whose ends are not reported to this unit.
    lent: bool,
    /// Whether statements stay prepared on the connection, under names.
    prepares: bool,
    pub(crate) enqueued: bool,
    pub(crate) pending: Pending,
    /// The parents of the tasks that this unit has locked, as read under the lock.
    pub(crate) parents: HashMap<Uuid, Option<Uuid>>,
    pub(crate) slugs: Arc<Slugs>,
    reads: Option<Arc<Reads>>,
    gates: Option<Arc<Gates>>,
    /// The turns at gates that this unit holds until its end.
    turns: Vec<(Uuid, Turn)>,
    /// The party for whom it works, and its share of the connections. The share is returned after the connection.
    party: Option<Party>,
    share: Option<Share>,
    /// The maximum time of a statement.
    limit: Option<Duration>,
}

/// Where units get their connections.
#[derive(Clone)]
pub(crate) struct Source {
    pub(crate) pool: Pool<Db>,
    pub(crate) lane: Arc<Lane>,
    /// The fair queue before the pool.
    pub(crate) shares: Arc<Shares>,
    /// The maximum time of a statement; `None` for an embedder's own pool, which has its own limits.
    pub(crate) limit: Option<Duration>,
}

impl Source {
    /// A source on this pool. The lane may keep up to `kept` of its connections.
    pub(crate) fn new(pool: Pool<Db>, kept: u32, limit: Option<Duration>) -> Self {
        let options = pool.options();
        let shares = Shares::new(options.get_max_connections(), options.get_acquire_timeout());
        Self { pool, lane: Lane::new(kept), shares, limit }
    }
}

enum State {
    /// No statement has run yet. `begin` opens a transaction at the first one; without it there is no transaction.
    Waiting { source: Source, begin: Option<SqlStr> },
    /// Statements without a transaction.
    Plain(Reader),
    /// A transaction.
    Own(Own),
    /// A transaction that the caller has begun.
    Joined(Transaction<'static, Db>),
}

impl Unit {
    /// A unit without a connection yet. `gates` holds the queues for rows that many units write.
    pub(crate) fn waiting(source: &Source, gates: Option<&Arc<Gates>>, begin: Option<SqlStr>) -> Self {
        let limit = source.limit;
        let unit = Self::new(State::Waiting { source: source.clone(), begin }, gates.cloned());
        Self { limit, ..unit }
    }

    fn new(state: State, gates: Option<Arc<Gates>>) -> Self {
        Self {
            state,
            failed: false,
            lent: false,
            prepares: true,
            enqueued: false,
            pending: Pending::default(),
            parents: HashMap::new(),
            slugs: Arc::default(),
            reads: None,
            gates,
            turns: Vec::new(),
            party: None,
            share: None,
            limit: None,
        }
    }

    /// Waits for this unit's turn to lock a row that many units write, if it has no turn yet. The turn ends with the unit.
    pub(crate) async fn wait_for_turn(&mut self, id: Uuid) {
        if let Some(gates) = &self.gates
            && self.turns.iter().all(|(row, _)| *row != id)
            && let Some(turn) = gates.turn(id).await
        {
            self.turns.push((id, turn));
        }
    }

    /// Adds a statement to the round trip that begins the transaction; `false` when it has begun, or when there is no statement.
    pub(crate) fn begins_with(&mut self, statement: Option<String>) -> bool {
        match (&mut self.state, statement) {
            (State::Waiting { begin: Some(begin), .. }, Some(statement)) => {
                *begin = AssertSqlSafe(format!("{}; {statement}", begin.as_str())).into_sql_str();
                true
            }
            _ => false,
        }
    }

    /// Begins, if the unit has not begun yet.
    pub(crate) async fn begin(&mut self) -> StoreResult<()> {
        self.open().await
    }

    /// Makes a unit from a transaction that the caller has begun, so that WorkScribe's writes join it.
    #[must_use]
    pub fn from_transaction(transaction: Transaction<'static, Db>) -> Self {
        Self::new(State::Joined(transaction), None)
    }

    /// Lets its first reads run together with those of other units, and shares the hints about slugs.
    pub(crate) fn reading_by(self, reads: &Arc<Reads>) -> Self {
        Self { slugs: Arc::clone(reads.slugs()), reads: Some(Arc::clone(reads)), ..self }
    }

    /// The batches for reads together with other units; `None` when this unit has begun, and must read on its own connection.
    pub(crate) fn together(&self) -> Option<Arc<Reads>> {
        match self.state {
            State::Waiting { .. } if self.pending.is_empty() => self.reads.clone(),
            _ => None,
        }
    }

    /// Keeps no statement prepared. A transaction through a pooler without sessions needs this.
    #[must_use]
    pub const fn unprepared(mut self) -> Self {
        self.prepares = false;
        self
    }

    /// Returns the transaction that was given to [`Unit::from_transaction`], for the caller to use and to commit.
    ///
    /// # Errors
    /// When an earlier statement failed, or when the unit was made in another way.
    pub async fn into_transaction(mut self) -> StoreResult<Transaction<'static, Db>> {
        self.flush().await?;
        match self.state {
            _ if self.failed => Err(misuse("unit", "an earlier statement of this transaction failed")),
            State::Joined(transaction) => Ok(transaction),
            _ => Err(misuse("unit", "this unit was not made from a transaction")),
        }
    }

    /// The connection, with the transaction open, for an embedder's own statements.
    ///
    /// If one of those statements fails, the caller must not commit the unit.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when no connection is available.
    pub async fn connection(&mut self) -> StoreResult<&mut Conn> {
        self.flush().await?;
        self.open().await?;
        self.lent = true;
        match &mut self.state {
            State::Plain(reader) => reader.lend(),
            // A statement whose end is not reported may have ended the transaction.
            State::Own(own) => {
                own.failed();
                own.held().map(Held::lend)
            }
            State::Joined(transaction) => Some(&mut **transaction),
            State::Waiting { .. } => None,
        }
        .ok_or_else(unopened)
    }

    /// Takes a connection, if the unit has none yet.
    async fn open(&mut self) -> StoreResult<()> {
        let State::Waiting { source, begin } = &self.state else { return Ok(()) };
        if let Some(party) = self.party {
            self.share = Some(source.shares.enter(party).await?);
        }
        let Source { pool, lane, limit, .. } = source;
        let opened = match begin {
            Some(begin) if self.prepares => lane.wait(Own::begin(pool, begin, *limit)).await.map(State::Own),
            // Only the pooler knows whether a connection is free, so the wait is limited here.
            Some(begin) => {
                tokio::time::timeout(pool.options().get_acquire_timeout(), Own::begin(pool, begin, *limit))
                    .await
                    .unwrap_or(Err(sqlx::Error::PoolTimedOut))
                    .map(State::Own)
            }
            None => lane.reader(pool).await.map(State::Plain),
        };
        self.state = opened.map_err(|error| self.broken("begin", error))?;
        Ok(())
    }

    /// The connection, for a statement whose end is reported to [`Unit::note`].
    async fn begins(&mut self) -> StoreResult<&mut Conn> {
        self.open().await?;
        let limit = self.limit;
        match &mut self.state {
            State::Plain(reader) => reader.held().map(|held| held.begins(limit)),
            State::Own(own) => own.held().map(|held| held.begins(limit)),
            State::Joined(transaction) => Some(&mut **transaction),
            State::Waiting { .. } => None,
        }
        .ok_or_else(unopened)
    }

    /// The unit of this database behind a `dyn UnitOfWork`, if it is one. A hook calls it to write its own rows in the same
    /// transaction.
    pub fn of(uow: &mut dyn UnitOfWork) -> Option<&mut Self> {
        uow.as_any_mut().downcast_mut()
    }

    /// Runs a statement and returns how many rows it changed. The log shows `name` when it fails.
    pub(crate) async fn execute(
        &mut self,
        name: &'static str,
        query: Query<'_, Db, Arguments>,
    ) -> StoreResult<u64> {
        self.flush().await?;
        self.execute_now(name, query, true).await
    }

    /// As [`Unit::execute`], without first running the pending writes.
    pub(crate) async fn execute_now(
        &mut self,
        name: &'static str,
        query: Query<'_, Db, Arguments>,
        keep: bool,
    ) -> StoreResult<u64> {
        let limit = self.limit;
        let done =
            within(limit, query.traced(name).persistent(keep && self.prepares).execute(self.begins().await?))
                .await;
        self.note(name, done).map(|done| done.rows_affected())
    }

    pub(crate) async fn one<T>(
        &mut self,
        name: &'static str,
        query: QueryAs<'_, Db, T, Arguments>,
    ) -> StoreResult<T>
    where
        T: Send + Unpin + for<'r> FromRow<'r, Row>,
    {
        self.flush().await?;
        let limit = self.limit;
        let row =
            within(limit, query.traced(name).persistent(self.prepares).fetch_one(self.begins().await?)).await;
        self.note(name, row)
    }

    pub(crate) async fn optional<T>(
        &mut self,
        name: &'static str,
        query: QueryAs<'_, Db, T, Arguments>,
    ) -> StoreResult<Option<T>>
    where
        T: Send + Unpin + for<'r> FromRow<'r, Row>,
    {
        self.flush().await?;
        self.optional_now(name, query, true).await
    }

    /// As [`Unit::optional`], without first running the pending writes.
    pub(crate) async fn optional_now<T>(
        &mut self,
        name: &'static str,
        query: QueryAs<'_, Db, T, Arguments>,
        keep: bool,
    ) -> StoreResult<Option<T>>
    where
        T: Send + Unpin + for<'r> FromRow<'r, Row>,
    {
        let limit = self.limit;
        let row = within(
            limit,
            query.traced(name).persistent(keep && self.prepares).fetch_optional(self.begins().await?),
        )
        .await;
        self.note(name, row)
    }

    pub(crate) async fn all<T>(
        &mut self,
        name: &'static str,
        query: QueryAs<'_, Db, T, Arguments>,
    ) -> StoreResult<Vec<T>>
    where
        T: Send + Unpin + for<'r> FromRow<'r, Row>,
    {
        self.flush().await?;
        let limit = self.limit;
        let rows =
            within(limit, query.traced(name).persistent(self.prepares).fetch_all(self.begins().await?)).await;
        self.note(name, rows)
    }

    /// As [`Unit::all`], for rows that are read one by one.
    pub(crate) async fn rows(
        &mut self,
        name: &'static str,
        query: Query<'_, Db, Arguments>,
    ) -> StoreResult<Vec<Row>> {
        self.flush().await?;
        let limit = self.limit;
        let rows =
            within(limit, query.traced(name).persistent(self.prepares).fetch_all(self.begins().await?)).await;
        self.note(name, rows)
    }

    /// After a write that found no row: fails if the caller expected a version and the row exists in another version.
    pub(crate) async fn refuse_stale(
        &mut self,
        name: &'static str,
        expected: Option<i64>,
        current: QueryAs<'_, Db, (i64,), Arguments>,
    ) -> StoreResult<()> {
        match expected {
            Some(_) if self.optional(name, current).await?.is_some() => Err(StoreError::StaleVersion),
            _ => Ok(()),
        }
    }

    /// Records how a statement ended.
    fn note<T>(&mut self, name: &'static str, result: Result<T, sqlx::Error>) -> StoreResult<T> {
        // A statement that took too long has not ended: it is interrupted when the connection is dropped.
        let is_over = !matches!(result, Err(sqlx::Error::Io(_)));
        match &mut self.state {
            State::Plain(reader) if is_over => reader.ended(result.is_ok() && !self.failed && !self.lent),
            State::Own(own) if is_over => {
                if let Some(held) = own.held() {
                    held.ended();
                }
            }
            _ => {}
        }
        result.map_err(|error| self.broken(name, error))
    }

    fn broken(&mut self, name: &'static str, error: sqlx::Error) -> StoreError {
        self.failed = true;
        if let State::Own(own) = &mut self.state {
            own.failed();
        }
        store_error(name, error, dialect::classify)
    }
}

fn unopened() -> StoreError {
    misuse("unit", "the unit was not opened")
}

/// Implements every accessor: the unit itself is every store.
macro_rules! this_unit {
    ($($(#[$doc:meta])* $accessor:ident: $store:path;)+) => {
        $(fn $accessor(&mut self) -> &mut dyn $store {
            self
        })+
    };
}

#[async_trait]
impl UnitOfWork for Unit {
    fn on_behalf_of(&mut self, party: Party) {
        self.party = Some(party);
    }

    every_store!(this_unit);

    fn has_enqueued(&self) -> bool {
        self.enqueued
    }

    fn as_any_mut(&mut self) -> &mut dyn Any {
        self
    }

    async fn commit(mut self: Box<Self>) -> StoreResult<()> {
        if !self.failed {
            self.flush().await?;
        }
        if self.failed {
            return Err(misuse("commit", "an earlier statement of this transaction failed"));
        }
        let committed = match self.state {
            State::Waiting { .. } | State::Plain(_) => Ok(()),
            State::Own(own) => own.commit(self.limit).await,
            State::Joined(transaction) => transaction.commit().await,
        };
        committed.map_err(|error| store_error("commit", error, dialect::classify))
    }
}

impl fmt::Debug for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match self.state {
            State::Waiting { .. } => "waiting",
            State::Plain(_) => "plain",
            State::Own(_) | State::Joined(_) => "transaction",
        };
        f.debug_struct("Unit").field("state", &state).field("failed", &self.failed).finish_non_exhaustive()
    }
}
