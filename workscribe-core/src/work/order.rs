//! The order of tasks on a board: integer positions with gaps.
//!
//! A column is its tasks by (position, id). If the positions of two neighbours differ by more than one, a task fits between them,
//! so a move writes one row. Otherwise the tasks around that position are spread out: the smallest window of neighbours, which is
//! doubled until there is room for its positions. This is list labelling (Dietz and Sleator, "Two algorithms for maintaining
//! order in a list", STOC 1987; in the simple form of Bender, Cole, Demaine, Farach-Colton and Zito, ESA 2002). It changes
//! O(log n) rows per move, amortised, for any sequence of moves.
//!
//! Fractional keys as texts would never run out of room. But their length grows with every move to the same position, so they
//! need the same relabelling in the end, and a client of the first server expects a number.
//!
//! A project counts its last position together with its task numbers, so the end of every column is one `UPDATE` of a row that is
//! locked anyway. Every write that changes an order holds that lock, the lock of the project's row, before the lock of any task.

/// The distance of a new end of a column from the last position of its project. A JSON number is exact for every client up to
/// 2⁵³, which is eight billion gaps.
pub const GAP: i64 = 1 << 20;

/// The minimum distance between two tasks after they were spread out.
const ROOM: i64 = 1 << 8;

/// The position of a task between two neighbours; `None` when there is no room, so that they must be spread out.
#[must_use]
pub fn between(before: Option<i64>, after: Option<i64>) -> Option<i64> {
    match (before, after) {
        (None, None) => Some(GAP),
        (None, Some(after)) => after.checked_sub(GAP),
        (Some(before), None) => before.checked_add(GAP),
        (Some(before), Some(after)) => {
            let room = after.checked_sub(before).filter(|room| *room > 1)?;
            Some(before + room / 2)
        }
    }
}

/// The positions of a row of tasks before `after`, and after `before` if there is one; `None` when there is no room.
#[must_use]
pub fn row(before: Option<i64>, after: i64, count: usize) -> Option<Vec<i64>> {
    let steps = i64::try_from(count).ok()?.checked_add(1)?;
    let (first, step) = match before {
        Some(before) => (before, after.checked_sub(before)? / steps),
        None => (after.checked_sub(steps.checked_mul(GAP)?)?, GAP),
    };
    (step >= 1).then(|| (1..steps).map(|n| first + n * step).collect())
}

/// Positions for `count` tasks strictly between two bounds, evenly spread; `None` when the window is too dense and a larger one
/// is necessary. A side without a bound always has room.
#[must_use]
pub fn spread(before: Option<i64>, after: Option<i64>, count: usize) -> Option<Vec<i64>> {
    let steps = i64::try_from(count).ok()? + 1;
    let (first, step) = match (before, after) {
        (Some(before), Some(after)) => (before, after.checked_sub(before)? / steps),
        (Some(before), None) => (before, GAP),
        (None, Some(after)) => (after.checked_sub(steps.checked_mul(GAP)?)?, GAP),
        (None, None) => (0, GAP),
    };
    (step >= ROOM).then(|| (1..steps).map(|n| first + n * step).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_room_at_both_ends_and_between_neighbours_that_are_apart() {
        assert_eq!(between(None, None), Some(GAP));
        assert_eq!(between(Some(5), None), Some(5 + GAP));
        assert_eq!(between(None, Some(5)), Some(5 - GAP));
        assert_eq!(between(Some(1), Some(3)), Some(2));
        assert_eq!(between(Some(-3), Some(-1)), Some(-2));
        assert_eq!(between(Some(1), Some(2)), None);
        assert_eq!(between(Some(2), Some(2)), None);
    }

    #[test]
    fn a_row_stands_between_its_neighbours_if_there_is_room() {
        assert_eq!(row(Some(0), 4, 3), Some(vec![1, 2, 3]));
        assert_eq!(row(Some(0), 9, 2), Some(vec![3, 6]));
        assert_eq!(row(Some(0), 3, 3), None);
        assert_eq!(row(Some(2), 2, 1), None);
        assert_eq!(row(None, 0, 2), Some(vec![-2 * GAP, -GAP]));
        assert_eq!(row(None, i64::MIN, 1), None);
    }

    #[test]
    fn what_is_spread_out_is_in_order_with_room_everywhere() {
        for (before, after) in [
            (None, None),
            (Some(0), None),
            (None, Some(0)),
            (Some(-GAP), Some(GAP)),
            (Some(0), Some(9 * ROOM)),
        ] {
            let spread = spread(before, after, 8).unwrap();
            let all: Vec<i64> = before.into_iter().chain(spread).chain(after).collect();
            assert!(all.windows(2).all(|pair| pair[1] - pair[0] >= ROOM), "{all:?}");
        }
        assert_eq!(spread(Some(0), Some(9 * ROOM - 1), 8), None);
    }

    /// The worst case: always the same position between two neighbours.
    #[test]
    fn twenty_moves_to_one_place_find_room_before_anything_is_spread() {
        let (before, mut after) = (0, GAP);
        for _ in 0..20 {
            after = between(Some(before), Some(after)).unwrap();
        }
        assert_eq!(between(Some(before), Some(after)), None);
    }
}
