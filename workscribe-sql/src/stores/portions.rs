//! The parts of statements that remove rows in portions, limited by the number of rows and of bytes.

/// The first of the rows of a query, in an order, until their `bytes` reach the bound number: the row that reaches it is included,
/// so there is at least one row.
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

/// Changes or removes up to `$2` of an organization's rows.
macro_rules! portion_of {
    ($what:literal, $rows:literal) => {
        concat!($what, " WHERE org_id = $1 AND id IN (SELECT id FROM ", $rows, " LIMIT $2)")
    };
}

/// As `portion_of!`, for rows that may be large: it stops after the row that reaches `$3` bytes.
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

/// Removes up to `$2` rows, or a few more: all rows that have the same value in the column as these.
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
