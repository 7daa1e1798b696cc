//! The parts of statements that remove rows in portions: so many of them, and of so many bytes.

/// Of rows that a query gives with their `bytes`: the first ones in an order, up to the one with which they have as many as are bound. So
/// there is one at least.
macro_rules! first_bytes {
    ($keys:literal, $order:literal, $bytes:literal, $rows:expr) => {
        concat!(
            "SELECT ",
            $keys,
            " FROM (SELECT ",
            $keys,
            ", sum(bytes) OVER (ORDER BY ",
            $order,
            " ROWS UNBOUNDED PRECEDING) - bytes AS earlier FROM (",
            $rows,
            ") AS picked) AS weighed WHERE earlier < ",
            $bytes
        )
    };
}

/// Does something to up to `$2` of an organization's rows.
macro_rules! portion_of {
    ($what:literal, $rows:literal) => {
        concat!($what, " WHERE org_id = $1 AND id IN (SELECT id FROM ", $rows, " LIMIT $2)")
    };
}

/// The same where rows may be large: to no more after those that have `$3` bytes.
macro_rules! large_portion_of {
    ($what:literal, $rows:literal, $bytes:expr) => {
        concat!(
            $what,
            " WHERE org_id = $1 AND id ",
            any_of!(concat!(
                "(",
                first_bytes!(
                    "id",
                    "id",
                    "$3",
                    concat!("SELECT id, ", $bytes, " AS bytes FROM ", $rows, " LIMIT $2")
                ),
                ")"
            ))
        )
    };
}

/// Removes up to `$2` rows, or a few more: all that have what the first ones name.
macro_rules! portion_by {
    ($table:literal, $column:literal) => {
        concat!(
            "DELETE FROM ",
            $table,
            " WHERE org_id = $1 AND ",
            $column,
            " IN (SELECT ",
            $column,
            " FROM ",
            $table,
            " WHERE org_id = $1 LIMIT $2)"
        )
    };
}
