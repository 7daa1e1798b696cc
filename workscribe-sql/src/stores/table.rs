//! `table!` makes the code to read, insert, export and import rows from one list of columns, and the statements of tables whose
//! rows belong to a parent.
//!
//! ```text
//! table! {
//!     // Stores the core's `Label`; `label_columns!()` is the list of columns for statements that are written by hand.
//!     Label = "ws_labels", in project_id, columns label_columns "" {
//!         id, project_id, name, color, version, created_at, updated_at
//!     }
//!     // A column that is computed from the row and never read.
//!     written { name_key: |label| name_key(&label.name) }
//! }
//! ```
//!
//! The first column identifies a row within its organization. A field whose column has another name gives it: `kind "type"`. A
//! field without a column, or that is read in another way, is in `unread { field: value }`.

use std::slice;

use chrono::NaiveDate;
use sqlx::query::QueryAs;
use sqlx::query_builder::Separated;
use sqlx::types::Uuid;
use sqlx::{Decode, Encode, FromRow, Row as _, Type, query, query_as};
use workscribe_core::clock::Timestamp;
use workscribe_core::events::EventKind;
use workscribe_core::notifications::{EntityType, NotificationType};
use workscribe_core::page::PageRequest;
use workscribe_core::tenancy::{OrgScope, Role};
use workscribe_core::work::{Color, Document, Priority, ProjectKey, ProjectType, StatusCategory, TaskType};
use workscribe_core::{StoreResult, TargetIn, every_id, id};

use super::bind::BindAll as _;
use super::pending::{Statement, Write, push_rows};
use super::unit::{Arguments, Row};
use super::{Db, Ts, Unit, after};

/// A value of the core that is stored in a column.
pub(super) trait ColumnValue: Sized {
    /// The type of the stored value.
    type Stored: for<'r> Decode<'r, Db> + for<'q> Encode<'q, Db> + Type<Db> + Send + 'static;

    fn stored(&self) -> Self::Stored;

    /// Converts the stored value back, or describes what is wrong with it.
    fn read(stored: Self::Stored) -> Result<Self, String>;
}

macro_rules! stored_as {
    ($stored:ty, |$value:ident| $write:expr, |$column:ident| $read:expr; $($type:ty),+) => {$(
        impl ColumnValue for $type {
            type Stored = $stored;

            fn stored(&self) -> $stored {
                let $value = self;
                $write
            }

            fn read($column: $stored) -> Result<Self, String> {
                $read
            }
        }
    )+};
}

macro_rules! stored_by_name {
    ($($type:ty),+) => {
        stored_as!(String, |value| value.as_str().to_owned(), |name| {
            Self::parse(&name).ok_or_else(|| format!("it is {name:?}"))
        }; $($type),+);
    };
}

stored_as!(Self, |value| value.clone(), |value| Ok(value); String);
stored_as!(Self, |value| *value, |value| Ok(value); Uuid, bool, i64, NaiveDate);
stored_as!(Ts, |time| Ts(*time), |time| Ok(time.0); Timestamp);
macro_rules! stored_ids {
    ($($(#[$doc:meta])* $id:ident),+ $(,)?) => { stored_as!(Uuid, |id| id.as_uuid(), |id| Ok(id.into()); $(id::$id),+); };
}
every_id!(stored_ids);
stored_as!(String, |text| text.as_str().to_owned(), |text| Ok(Self::from_stored(text)); Color, ProjectKey);
stored_by_name!(EventKind, EntityType, NotificationType, ProjectType, Role, StatusCategory, TaskType);
stored_as!(i64, |priority| priority.rank(), |rank| {
    Self::of_rank(rank).ok_or_else(|| format!("it is {rank}"))
}; Priority);
stored_as!(String, |text| text.to_stored(), |text| {
    Self::from_stored(&text).ok_or_else(|| "it is no JSON".to_owned())
}; Document);

impl<T: ColumnValue> ColumnValue for Option<T>
where
    Option<T::Stored>: for<'q> Encode<'q, Db>,
{
    type Stored = Option<T::Stored>;

    fn stored(&self) -> Self::Stored {
        self.as_ref().map(T::stored)
    }

    fn read(stored: Self::Stored) -> Result<Self, String> {
        stored.map(T::read).transpose()
    }
}

/// Reads a column.
pub(super) fn column<T: ColumnValue>(row: &Row, name: &str) -> Result<T, sqlx::Error> {
    T::read(row.try_get(name)?)
        .map_err(|problem| sqlx::Error::ColumnDecode { index: name.to_owned(), source: problem.into() })
}

/// Computes a value that is written with a row in addition to its fields.
pub(super) fn made_of<T, V>(row: &T, make: impl FnOnce(&T) -> V) -> V {
    make(row)
}

/// A row that is read and written with all its fields.
pub(super) trait Table: Clone + Send + Sync + Unpin + 'static {
    /// `INSERT INTO …`, without the rows.
    const INSERT: &'static str;
    /// A page by id: `$1` is the organization, `$2` the previous id, `$3` the limit.
    const PAGE: &'static str;
    /// The name of that statement.
    const NAME_OF_PAGE: &'static str;
    /// `INSERT` of the rows of an import, with `RESTORE_END` after the rows.
    const NAME_OF_RESTORE: &'static str;
    const RESTORE_END: &'static str;

    fn read(row: &Row) -> Result<Self, sqlx::Error>;

    /// Its values, in the order of the columns.
    fn push(&self, org: Uuid, values: &mut Separated<'_, Db, &'static str>);
}

/// A row of an organization that belongs to a parent row: `$1` is the organization, `$2` the parent.
pub(super) trait Child: Table {
    const COUNT: &'static str;
    /// `$3` is the id, here and below.
    const FIND: &'static str;
    const VERSION: &'static str;
    /// `$4` is the expected version, if any.
    const DELETE: &'static str;
    /// A page, oldest first: `$3` and `$4` are the cursor, `$5` is the limit.
    const LIST: &'static str;
    /// The name of the statement [`Child::VERSION`] in the log.
    const NAME_OF_VERSION: &'static str;
}

/// A row as it is read.
pub(super) struct Stored<T>(pub(super) T);

impl<T: Table> FromRow<'_, Row> for Stored<T> {
    fn from_row(row: &Row) -> Result<Self, sqlx::Error> {
        T::read(row).map(Self)
    }
}

/// The column of a field.
macro_rules! column_of {
    ($field:ident) => {
        stringify!($field)
    };
    ($field:ident $column:literal) => {
        $column
    };
}

macro_rules! table {
    (
        $row:ty = $table:literal, in $parent:ident, columns $columns:ident $prefix:literal {
            $($fields:tt)+
        }
        $($rest:tt)*
    ) => {
        table! { $row = $table, columns $columns $prefix { $($fields)+ } $($rest)* }

        impl Child for $row {
            const COUNT: &'static str = concat!(
                "SELECT count(*) FROM ", $table, " WHERE org_id = $1 AND ", stringify!($parent), " = $2"
            );
            const FIND: &'static str = concat!(
                "SELECT ", columns_of!($($fields)+), " FROM ", $table,
                " WHERE org_id = $1 AND ", stringify!($parent), " = $2 AND id = $3"
            );
            const VERSION: &'static str = concat!(
                "SELECT version FROM ", $table, " WHERE org_id = $1 AND ", stringify!($parent), " = $2 AND id = $3"
            );
            const DELETE: &'static str = concat!(
                "DELETE FROM ", $table, " WHERE org_id = $1 AND ", stringify!($parent),
                " = $2 AND id = $3 AND ($4 IS NULL OR version = $4)"
            );
            const LIST: &'static str = concat!(
                "SELECT ", columns_of!($($fields)+), " FROM ", $table, " WHERE org_id = $1 AND ", stringify!($parent),
                " = $2 AND (created_at, id) > ($3, $4) ORDER BY created_at, id LIMIT $5"
            );
            const NAME_OF_VERSION: &'static str = concat!($table, ": version");
        }
    };
    (
        $row:ty = $table:literal, columns $columns:ident $prefix:literal {
            $key:ident $(, $field:ident $($column:literal)?)* $(,)?
        }
        $($rest:tt)*
    ) => {
        macro_rules! $columns {
            () => {
                concat!($prefix, stringify!($key) $(, ", ", $prefix, column_of!($field $($column)?))*)
            };
        }
        table! { $row = $table { $key $(, $field $($column)?)* } $($rest)* }
    };
    (
        $row:ty = $table:literal {
            $key:ident $(, $field:ident $($column:literal)?)* $(,)?
        }
        $(written { $($also:ident: $make:expr),+ $(,)? })?
        $(unread { $($absent:ident: $value:expr),+ $(,)? })?
        $(restored $end:literal)?
    ) => {
        impl Table for $row {
            const INSERT: &'static str = concat!(
                "INSERT INTO ", $table, " (org_id, ", columns_of!($key $(, $field $($column)?)*)
                $($(, ", ", stringify!($also))+)?, ") "
            );
            const PAGE: &'static str = concat!(
                "SELECT ", columns_of!($key $(, $field $($column)?)*), " FROM ", $table, " WHERE org_id = $1 AND ",
                stringify!($key), " > $2 ORDER BY ", stringify!($key), " LIMIT $3"
            );
            const NAME_OF_PAGE: &'static str = concat!($table, ": page to export");
            const NAME_OF_RESTORE: &'static str = concat!($table, ": restore");
            const RESTORE_END: &'static str = concat!("" $(, $end)?);

            fn read(row: &Row) -> Result<Self, sqlx::Error> {
                Ok(Self {
                    $key: column(row, stringify!($key))?,
                    $($field: column(row, column_of!($field $($column)?))?,)*
                    $($($absent: $value,)+)?
                })
            }

            fn push(&self, org: Uuid, values: &mut Separated<'_, Db, &'static str>) {
                values.push_bind(org).push_bind(self.$key.stored());
                $(values.push_bind(self.$field.stored());)*
                $($(values.push_bind(made_of(self, $make));)+)?
            }
        }
    };
}

/// The columns of fields, in a list.
macro_rules! columns_of {
    ($key:ident $(, $field:ident $($column:literal)?)* $(,)?) => {
        concat!(stringify!($key) $(, ", ", column_of!($field $($column)?))*)
    };
}

/// The address of a row in its parent, with the expected version, if any.
#[derive(Clone, Copy)]
pub(super) struct At {
    pub(super) org: Uuid,
    pub(super) parent: Uuid,
    pub(super) id: Uuid,
    pub(super) expected: Option<i64>,
}

impl At {
    /// An address without an expected version.
    pub(super) fn new(scope: &OrgScope, parent: impl Into<Uuid>, id: impl Into<Uuid>) -> Self {
        Self { org: scope.org().as_uuid(), parent: parent.into(), id: id.into(), expected: None }
    }

    pub(super) fn of<P: Into<Uuid>, I: Into<Uuid>>(scope: &OrgScope, target: TargetIn<P, I>) -> Self {
        Self { expected: target.version, ..Self::new(scope, target.parent, target.id) }
    }

    /// Binds the first parameters of an update: `$1` is the organization, `$2` the parent, `$3` the id, `$4` the expected
    /// version, if any, and `$5` the time.
    pub(super) fn bind<T: Table>(
        self,
        update: QueryAs<'_, Db, Stored<T>, Arguments>,
        now: Timestamp,
    ) -> QueryAs<'_, Db, Stored<T>, Arguments> {
        update.bind_all((self.org, self.parent, self.id, self.expected, now))
    }
}

/// How many rows one statement inserts.
pub(super) const PORTION: usize = 100;

/// The insertion of rows in one statement, followed by `end`.
pub(super) fn insertion<T: Table>(name: &'static str, org: Uuid, rows: Vec<T>, end: &'static str) -> Write {
    let number = rows.len();
    let push = move |insert: &mut Statement| push_insertion(insert, org, &rows, end);
    Write { name, rows: number, updates: vec![], push: Box::new(push) }
}

fn push_insertion<T: Table>(insert: &mut Statement, org: Uuid, rows: &[T], end: &'static str) {
    insert.push(T::INSERT);
    push_rows(insert, rows, |values, row| row.push(org, values));
    insert.push(end);
}

impl Unit {
    /// Inserts a row.
    pub(super) async fn insert_row<T: Table>(
        &mut self,
        name: &'static str,
        org: Uuid,
        row: &T,
    ) -> StoreResult<()> {
        self.insert_few(name, org, slice::from_ref(row)).await
    }

    /// Inserts a number of rows that is often the same.
    pub(super) async fn insert_few<T: Table>(
        &mut self,
        name: &'static str,
        org: Uuid,
        rows: &[T],
    ) -> StoreResult<()> {
        if rows.is_empty() {
            return Ok(());
        }
        self.flush().await?;
        self.write_all(vec![insertion(name, org, rows.to_vec(), "")]).await.map(drop)
    }

    /// Inserts the rows of an import, in portions of equal size, so that nearly all statements have the same text.
    pub(super) async fn restore_all<T: Table>(&mut self, org: Uuid, rows: &[T]) -> StoreResult<()> {
        self.flush().await?;
        for rows in rows.chunks(PORTION) {
            let mut insert = Statement::default();
            push_insertion(&mut insert, org, rows, T::RESTORE_END);
            self.execute_now(T::NAME_OF_RESTORE, insert.build(), rows.len() == PORTION).await?;
        }
        Ok(())
    }

    /// The number of rows of a parent.
    pub(super) async fn count_in<T: Child>(
        &mut self,
        name: &'static str,
        scope: &OrgScope,
        parent: Uuid,
    ) -> StoreResult<i64> {
        let count = query_as::<_, (i64,)>(T::COUNT).bind_all((scope, parent));
        Ok(self.one(name, count).await?.0)
    }

    /// The rows of a parent, oldest first.
    pub(super) async fn list_in<T: Child>(
        &mut self,
        name: &'static str,
        scope: &OrgScope,
        parent: Uuid,
        page: &PageRequest,
    ) -> StoreResult<Vec<T>> {
        let (at, id) = after(page);
        let list = query_as::<_, Stored<T>>(T::LIST).bind_all((scope, parent));
        let rows = self.all(name, list.bind_all((at, id, page.fetch()))).await?;
        Ok(rows.into_iter().map(|row| row.0).collect())
    }

    /// Finds a row of a parent.
    pub(super) async fn find_in<T: Child>(&mut self, name: &'static str, at: At) -> StoreResult<Option<T>> {
        let find = query_as::<_, Stored<T>>(T::FIND).bind_all((at.org, at.parent, at.id));
        Ok(self.optional(name, find).await?.map(|row| row.0))
    }

    /// Changes a row, and returns it; `None` when it does not exist.
    pub(super) async fn update_in<T: Child>(
        &mut self,
        name: &'static str,
        at: At,
        update: QueryAs<'_, Db, Stored<T>, Arguments>,
    ) -> StoreResult<Option<T>> {
        let updated = self.optional(name, update).await?;
        if updated.is_none() {
            self.refuse_stale_in::<T>(at).await?;
        }
        Ok(updated.map(|row| row.0))
    }

    /// Removes a row; `false` when it does not exist.
    pub(super) async fn delete_in<T: Child>(&mut self, name: &'static str, at: At) -> StoreResult<bool> {
        let delete = query(T::DELETE).bind_all((at.org, at.parent, at.id, at.expected));
        let is_deleted = self.execute(name, delete).await? > 0;
        if !is_deleted {
            self.refuse_stale_in::<T>(at).await?;
        }
        Ok(is_deleted)
    }

    /// After a write that found no row: returns an error if the row exists with another version than the expected one.
    pub(super) async fn refuse_stale_in<T: Child>(&mut self, at: At) -> StoreResult<()> {
        let current = query_as(T::VERSION).bind_all((at.org, at.parent, at.id));
        self.refuse_stale(T::NAME_OF_VERSION, at.expected, current).await
    }
}
