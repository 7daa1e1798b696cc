use std::any::Any;
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use sqlx::query::{Query, QueryAs};
use sqlx::types::Uuid;
use sqlx::{AssertSqlSafe, Database, FromRow, Pool, SqlSafeStr as _, SqlStr, Transaction};
use workscribe_core::idempotency::IdempotencyStore;
use workscribe_core::identity::{AttemptStore, BounceStore, TokenStore, UserStore};
use workscribe_core::notifications::NotificationStore;
use workscribe_core::outbox::{JobStore, Outbox};
use workscribe_core::search::SearchStore;
use workscribe_core::tenancy::{InvitationStore, MemberStore, OrganizationStore};
use workscribe_core::transfer::TransferStore;
use workscribe_core::webhooks::WebhookStore;
use workscribe_core::work::{ActivityStore, CommentStore, LabelStore, ProjectStore, StatusStore, TaskStore};
use workscribe_core::{StoreError, UnitOfWork};

use super::gate::{Gates, Pass};
use super::lane::{Lane, Reader};
use super::pending::Pending;
use super::reads::Reads;
use super::slugs::Slugs;
use super::{Conn, Db, dialect, misuse, store_error};
use crate::error::Meaning;

pub(super) type Row = <Db as Database>::Row;
pub(super) type Arguments = <Db as Database>::Arguments;

/// One piece of work on the database, and every store in one value.
///
/// It takes a connection at its first statement, so that what comes before (a look-up in Redis, say) holds none. After a
/// failed statement it refuses to commit: Postgres would answer `COMMIT` with a silent rollback then.
pub struct Unit {
    state: State,
    failed: bool,
    /// Whether the connection was lent to statements of which this unit hears nothing.
    lent: bool,
    /// Whether statements are kept prepared on the connection, under names.
    prepares: bool,
    pub(super) enqueued: bool,
    pub(super) pending: Pending,
    /// The parents of the tasks that this unit has locked, as they are under the lock.
    pub(super) parents: HashMap<Uuid, Option<Uuid>>,
    pub(super) slugs: Arc<Slugs>,
    reads: Option<Arc<Reads>>,
    gates: Option<Arc<Gates>>,
    /// The turns at them that this unit has until its end.
    passed: Vec<(Uuid, Pass)>,
}

enum State {
    /// No statement was made yet. A transaction is opened by the statement that is given, if one is.
    Waiting { pool: Pool<Db>, lane: Arc<Lane>, begin: Option<SqlStr> },
    /// Statements that each stand alone.
    Plain(Reader),
    /// A transaction.
    Transaction(Transaction<'static, Db>),
}

impl Unit {
    /// `gates` is where to queue before rows that many write.
    pub(crate) fn waiting(
        pool: &Pool<Db>,
        lane: &Arc<Lane>,
        gates: Option<&Arc<Gates>>,
        begin: Option<SqlStr>,
    ) -> Self {
        let (pool, lane) = (pool.clone(), Arc::clone(lane));
        Self::new(State::Waiting { pool, lane, begin }, gates.cloned())
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
            passed: Vec::new(),
        }
    }

    /// Waits for this unit's turn to lock a row that many write, if it has none yet. The turn ends with the unit.
    pub(super) async fn pass(&mut self, id: Uuid) {
        if let Some(gates) = &self.gates
            && self.passed.iter().all(|(passed, _)| *passed != id)
            && let Some(pass) = gates.pass(id).await
        {
            self.passed.push((id, pass));
        }
    }

    /// Has the transaction begin with a statement, in the same round trip; `false` when it has begun, or when there is none.
    pub(super) fn begins_with(&mut self, statement: Option<String>) -> bool {
        match (&mut self.state, statement) {
            (State::Waiting { begin: Some(begin), .. }, Some(statement)) => {
                *begin = AssertSqlSafe(format!("{}; {statement}", begin.as_str())).into_sql_str();
                true
            }
            _ => false,
        }
    }

    /// Begins, if it has not yet.
    pub(super) async fn begin(&mut self) -> Result<(), StoreError> {
        self.conn().await.map(drop)
    }

    /// Makes a unit of a transaction that was begun elsewhere, so that WorkScribe's writes join it.
    #[must_use]
    pub fn from_transaction(transaction: Transaction<'static, Db>) -> Self {
        Self::new(State::Transaction(transaction), None)
    }

    /// Has its first reads made together with those of others, and shares what is known of slugs.
    pub(crate) fn reading_by(self, reads: &Arc<Reads>) -> Self {
        Self { slugs: Arc::clone(reads.slugs()), reads: Some(Arc::clone(reads)), ..self }
    }

    /// How a read is made together with those of others; `None` when this unit has begun, and reads on its own connection.
    pub(super) fn together(&self) -> Option<Arc<Reads>> {
        match self.state {
            State::Waiting { .. } if self.pending.is_empty() => self.reads.clone(),
            _ => None,
        }
    }

    /// Keeps no statement prepared, as is needed for a transaction that goes through a pooler without sessions.
    #[must_use]
    pub const fn unprepared(mut self) -> Self {
        self.prepares = false;
        self
    }

    /// The transaction, begun if it was not, for the caller to go on with and to commit.
    ///
    /// # Errors
    /// When a statement failed before, when the unit was made by `Storage::read`, or when no connection is to be had.
    pub async fn into_transaction(mut self) -> Result<Transaction<'static, Db>, StoreError> {
        self.flush().await?;
        self.conn().await?;
        match self.state {
            _ if self.failed => Err(misuse("unit", "an earlier statement of this transaction failed")),
            State::Transaction(transaction) => Ok(transaction),
            State::Plain(_) | State::Waiting { .. } => Err(misuse("unit", "this unit reads only")),
        }
    }

    /// The connection, with the transaction open: for an embedder's own statements beside WorkScribe's.
    ///
    /// Whoever lets one of those statements fail must not commit the unit.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when no connection is to be had.
    pub async fn connection(&mut self) -> Result<&mut Conn, StoreError> {
        self.flush().await?;
        self.lent = true;
        self.conn().await
    }

    async fn conn(&mut self) -> Result<&mut Conn, StoreError> {
        if let State::Waiting { pool, lane, begin } = &self.state {
            let opened = match begin {
                Some(begin) if self.prepares => lane.wait(open(pool, begin)).await.map(State::Transaction),
                // The pooler has the connections for which there may be a wait.
                Some(begin) => tokio::time::timeout(pool.options().get_acquire_timeout(), open(pool, begin))
                    .await
                    .unwrap_or(Err(sqlx::Error::PoolTimedOut))
                    .map(State::Transaction),
                None => lane.reader(pool).await.map(State::Plain),
            };
            self.state = self.note("begin", opened)?;
        }
        match &mut self.state {
            State::Plain(reader) => reader.connection(),
            State::Transaction(transaction) => Some(&mut **transaction),
            State::Waiting { .. } => None,
        }
        .ok_or_else(|| misuse("unit", "the unit was not opened"))
    }

    /// The unit of this database behind a `dyn UnitOfWork`, if it is one: what a hook asks for to write its own rows in the
    /// same transaction.
    pub fn of(uow: &mut dyn UnitOfWork) -> Option<&mut Self> {
        uow.as_any_mut().downcast_mut()
    }

    /// Runs a statement and answers how many rows it touched. `name` stands in the log when it fails.
    pub(super) async fn execute(
        &mut self,
        name: &'static str,
        query: Query<'_, Db, Arguments>,
    ) -> Result<u64, StoreError> {
        self.flush().await?;
        self.execute_now(name, query, true).await
    }

    /// The same, without writing first what is pending.
    pub(super) async fn execute_now(
        &mut self,
        name: &'static str,
        query: Query<'_, Db, Arguments>,
        keep: bool,
    ) -> Result<u64, StoreError> {
        let done = query.persistent(keep && self.prepares).execute(self.conn().await?).await;
        self.note(name, done).map(|done| done.rows_affected())
    }

    pub(super) async fn one<T>(
        &mut self,
        name: &'static str,
        query: QueryAs<'_, Db, T, Arguments>,
    ) -> Result<T, StoreError>
    where
        T: Send + Unpin + for<'r> FromRow<'r, Row>,
    {
        self.flush().await?;
        let row = query.persistent(self.prepares).fetch_one(self.conn().await?).await;
        self.note(name, row)
    }

    pub(super) async fn optional<T>(
        &mut self,
        name: &'static str,
        query: QueryAs<'_, Db, T, Arguments>,
    ) -> Result<Option<T>, StoreError>
    where
        T: Send + Unpin + for<'r> FromRow<'r, Row>,
    {
        self.flush().await?;
        self.optional_now(name, query, true).await
    }

    /// The same, without writing first what is pending.
    pub(super) async fn optional_now<T>(
        &mut self,
        name: &'static str,
        query: QueryAs<'_, Db, T, Arguments>,
        keep: bool,
    ) -> Result<Option<T>, StoreError>
    where
        T: Send + Unpin + for<'r> FromRow<'r, Row>,
    {
        let row = query.persistent(keep && self.prepares).fetch_optional(self.conn().await?).await;
        self.note(name, row)
    }

    pub(super) async fn all<T>(
        &mut self,
        name: &'static str,
        query: QueryAs<'_, Db, T, Arguments>,
    ) -> Result<Vec<T>, StoreError>
    where
        T: Send + Unpin + for<'r> FromRow<'r, Row>,
    {
        self.flush().await?;
        let rows = query.persistent(self.prepares).fetch_all(self.conn().await?).await;
        self.note(name, rows)
    }

    /// The same, for rows that are read one by one.
    pub(super) async fn rows(
        &mut self,
        name: &'static str,
        query: Query<'_, Db, Arguments>,
    ) -> Result<Vec<Row>, StoreError> {
        self.flush().await?;
        let rows = query.persistent(self.prepares).fetch_all(self.conn().await?).await;
        self.note(name, rows)
    }

    /// For a write that found no row: an error if one was expected in a version, and the row is there in another.
    pub(super) async fn refuse_stale(
        &mut self,
        name: &'static str,
        expected: Option<i64>,
        current: QueryAs<'_, Db, (i64,), Arguments>,
    ) -> Result<(), StoreError> {
        match expected {
            Some(_) if self.optional(name, current).await?.is_some() => Err(StoreError::StaleVersion),
            _ => Ok(()),
        }
    }

    fn note<T>(&mut self, name: &'static str, result: Result<T, sqlx::Error>) -> Result<T, StoreError> {
        tracing::trace!(target: "workscribe_sql::statements", statement = name);
        match (&result, &mut self.state) {
            (Ok(_), State::Plain(reader)) if !self.failed && !self.lent => reader.ended_well(),
            _ => {}
        }
        result.map_err(|error| {
            self.failed = true;
            store_error(name, error, dialect::classify)
        })
    }
}

/// Opens a transaction. A connection that broke while it was idle shows itself here, where nothing is lost by taking another.
async fn open(pool: &Pool<Db>, begin: &SqlStr) -> Result<Transaction<'static, Db>, sqlx::Error> {
    let begun = pool.begin_with(begin.clone()).await;
    match &begun {
        Err(sqlx::Error::Io(_)) => {}
        Err(sqlx::Error::Database(error)) if dialect::classify(error.as_ref()) == Meaning::Unavailable => {}
        _ => return begun,
    }
    pool.begin_with(begin.clone()).await
}

#[async_trait]
impl UnitOfWork for Unit {
    fn users(&mut self) -> &mut dyn UserStore {
        self
    }

    fn attempts(&mut self) -> &mut dyn AttemptStore {
        self
    }

    fn bounces(&mut self) -> &mut dyn BounceStore {
        self
    }

    fn tokens(&mut self) -> &mut dyn TokenStore {
        self
    }

    fn organizations(&mut self) -> &mut dyn OrganizationStore {
        self
    }

    fn members(&mut self) -> &mut dyn MemberStore {
        self
    }

    fn invitations(&mut self) -> &mut dyn InvitationStore {
        self
    }

    fn projects(&mut self) -> &mut dyn ProjectStore {
        self
    }

    fn statuses(&mut self) -> &mut dyn StatusStore {
        self
    }

    fn labels(&mut self) -> &mut dyn LabelStore {
        self
    }

    fn tasks(&mut self) -> &mut dyn TaskStore {
        self
    }

    fn comments(&mut self) -> &mut dyn CommentStore {
        self
    }

    fn activity(&mut self) -> &mut dyn ActivityStore {
        self
    }

    fn notifications(&mut self) -> &mut dyn NotificationStore {
        self
    }

    fn search(&mut self) -> &mut dyn SearchStore {
        self
    }

    fn transfer(&mut self) -> &mut dyn TransferStore {
        self
    }

    fn webhooks(&mut self) -> &mut dyn WebhookStore {
        self
    }

    fn idempotency(&mut self) -> &mut dyn IdempotencyStore {
        self
    }

    fn outbox(&mut self) -> &mut dyn Outbox {
        self
    }

    fn jobs(&mut self) -> &mut dyn JobStore {
        self
    }

    fn has_enqueued(&self) -> bool {
        self.enqueued
    }

    fn as_any_mut(&mut self) -> &mut dyn Any {
        self
    }

    async fn commit(mut self: Box<Self>) -> Result<(), StoreError> {
        if !self.failed {
            self.flush().await?;
        }
        if self.failed {
            return Err(misuse("commit", "an earlier statement of this transaction failed"));
        }
        match self.state {
            State::Waiting { .. } | State::Plain(_) => Ok(()),
            State::Transaction(transaction) => {
                transaction.commit().await.map_err(|error| store_error("commit", error, dialect::classify))
            }
        }
    }
}

impl fmt::Debug for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match self.state {
            State::Waiting { .. } => "waiting",
            State::Plain(_) => "plain",
            State::Transaction(_) => "transaction",
        };
        f.debug_struct("Unit").field("state", &state).field("failed", &self.failed).finish_non_exhaustive()
    }
}
