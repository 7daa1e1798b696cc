//! Keyset pagination: pages that neither skip nor repeat an item while others are added.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use uuid::Uuid;

use crate::clock::{Timestamp, is_writable};
use crate::error::{Result, Violations};
use crate::limits::Limit;

/// A place in a list, after which the next page begins: the sort time, and the id to break ties.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cursor {
    /// The time by which the list is sorted.
    pub at: Timestamp,
    /// The id of the last item of the previous page.
    pub id: Uuid,
}

impl Cursor {
    /// The opaque text that a client sends back.
    #[must_use]
    pub fn encode(&self) -> String {
        let mut bytes = [0_u8; 24];
        bytes[..8].copy_from_slice(&self.at.timestamp_micros().to_be_bytes());
        bytes[8..].copy_from_slice(self.id.as_bytes());
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// Reads the text of [`Cursor::encode`]; `None` for any other text, and for a time that no row can have. A client may have
    /// made the text itself, and databases do not accept every time.
    #[must_use]
    pub fn decode(text: &str) -> Option<Self> {
        let bytes: [u8; 24] = URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok()?;
        let (micros, id) = bytes.split_at(8);
        let at = Timestamp::from_timestamp_micros(i64::from_be_bytes(micros.try_into().ok()?))?;
        if !is_writable(at) {
            return None;
        }
        Some(Self { at, id: Uuid::from_slice(id).ok()? })
    }
}

/// Which page of a list the caller wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PageRequest {
    limit: u32,
    after: Option<Cursor>,
    count: bool,
    bytes: u32,
}

impl PageRequest {
    /// The default number of items on a page.
    pub const DEFAULT_LIMIT: u32 = 25;
    /// The maximum number of items on a page.
    pub const MAX_LIMIT: u32 = Limit::PageItems.default_value();

    /// Checks the three query parameters that every list has.
    ///
    /// # Errors
    /// `VALIDATION_FAILED` for a limit outside 1–100 or a cursor that this server did not make.
    pub fn new(limit: Option<i64>, cursor: Option<&str>, count: bool) -> Result<Self> {
        let mut violations = Violations::default();
        let limit = match limit.map(u32::try_from) {
            None => Self::DEFAULT_LIMIT,
            Some(Ok(limit @ 1..=Self::MAX_LIMIT)) => limit,
            Some(_) => {
                violations.add("/query/limit", "OUT_OF_RANGE", "The limit must be between 1 and 100.");
                Self::DEFAULT_LIMIT
            }
        };
        let after = cursor.and_then(|text| {
            let decoded = Cursor::decode(text);
            if decoded.is_none() {
                violations.add(
                    "/query/cursor",
                    "INVALID_CURSOR",
                    "Use the next_cursor of an earlier page, unchanged.",
                );
            }
            decoded
        });
        violations.into_result()?;
        Ok(Self { limit, after, count, ..Self::first() })
    }

    /// The first page, with the default number of items.
    #[must_use]
    pub const fn first() -> Self {
        Self {
            limit: Self::DEFAULT_LIMIT,
            after: None,
            count: false,
            bytes: Limit::PageBytes.default_value(),
        }
    }

    /// The first page, with the maximum number of items.
    #[must_use]
    pub const fn largest() -> Self {
        Self { limit: Self::MAX_LIMIT, ..Self::first() }
    }

    /// The number of items on the page.
    #[must_use]
    pub const fn limit(&self) -> u32 {
        self.limit
    }

    /// How many rows a store reads: one more than the page shows, to find out whether there is a next page.
    #[must_use]
    pub const fn fetch(&self) -> i64 {
        self.limit as i64 + 1
    }

    /// The place after which the page begins; `None` for the first page.
    #[must_use]
    pub const fn after(&self) -> Option<Cursor> {
        self.after
    }

    /// Whether the caller asked for the total.
    #[must_use]
    pub const fn wants_count(&self) -> bool {
        self.count
    }

    /// The same page, but it ends when it shows this many bytes.
    #[must_use]
    pub const fn within(self, bytes: u32) -> Self {
        Self { bytes, ..self }
    }

    /// The number of bytes after which the page ends. A store may leave out all rows after that many bytes except one.
    #[must_use]
    pub const fn bytes(&self) -> u32 {
        self.bytes
    }

    /// The same as [`PageRequest::page`] for large items: the page also ends when it shows its maximum number of bytes.
    #[must_use]
    pub fn page_of<T>(
        &self,
        mut rows: Vec<T>,
        total: Option<i64>,
        key: impl Fn(&T) -> Cursor,
        size: impl Fn(&T) -> usize,
    ) -> Page<T> {
        let shown = fitting(&rows, self.limit, self.bytes, size);
        let next_cursor =
            (shown < rows.len()).then(|| rows.get(shown - 1).map(|row| key(row).encode())).flatten();
        rows.truncate(shown);
        Page { items: rows, next_cursor, total }
    }

    /// Cuts the rows down to the page and sets the next cursor.
    #[must_use]
    pub fn page<T>(&self, mut rows: Vec<T>, total: Option<i64>, key: impl Fn(&T) -> Cursor) -> Page<T> {
        let more = rows.len() > self.limit as usize;
        rows.truncate(self.limit as usize);
        let next_cursor = if more { rows.last().map(|row| key(row).encode()) } else { None };
        Page { items: rows, next_cursor, total }
    }
}

/// How many rows a page shows: at least one, at most `limit`, and none after `bytes` bytes are reached.
pub(crate) fn fitting<T>(rows: &[T], limit: u32, bytes: u32, size: impl Fn(&T) -> usize) -> usize {
    let mut left = (bytes as usize).max(1);
    let fits = |row: &&T| {
        let is_shown = left > 0;
        left = left.saturating_sub(size(row));
        is_shown
    };
    rows.iter().take(limit as usize).take_while(fits).count()
}

/// The JSON size of an item without its texts, in bytes: ids, times, names of fields.
pub(crate) const ITEM_BYTES: usize = 1_000;

/// The size of a text in JSON, in bytes, without its quotes.
pub(crate) fn json_bytes(text: &str) -> usize {
    let more = |byte: u8| match byte {
        b'"' | b'\\' | b'\n' | b'\r' | b'\t' => 1,
        0..0x20 => 5,
        _ => 0,
    };
    text.len() + text.bytes().map(more).sum::<usize>()
}

/// One page of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T> {
    /// The items, in the order of the list.
    pub items: Vec<T>,
    /// The cursor of the next page; `None` on the last page.
    pub next_cursor: Option<String>,
    /// The number of items in the whole list, if the caller asked for it.
    pub total: Option<i64>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_survives_the_round_trip_and_nothing_else_is_one() {
        let cursor = Cursor {
            at: Timestamp::from_timestamp_micros(1_700_000_000_123_456).unwrap(),
            id: Uuid::from_u128(7),
        };
        assert_eq!(Cursor::decode(&cursor.encode()), Some(cursor));
        for bad in ["", "x", "AAAA", "%00", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"] {
            assert_eq!(Cursor::decode(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_cursor_of_a_year_that_no_row_has_is_none() {
        let day = |year| {
            chrono::NaiveDate::from_ymd_opt(year, 6, 1).and_then(|day| day.and_hms_opt(0, 0, 0)).unwrap()
        };
        for (year, is_one) in
            [(-262_000, false), (-4714, false), (0, false), (1, true), (9999, true), (10_000, false)]
        {
            let cursor = Cursor { at: day(year).and_utc(), id: Uuid::nil() };
            assert_eq!(Cursor::decode(&cursor.encode()), is_one.then_some(cursor), "{year}");
        }
    }

    #[test]
    fn limits_outside_1_to_100_are_refused() {
        for bad in [0, 101, -1, i64::MAX] {
            assert!(PageRequest::new(Some(bad), None, false).is_err());
        }
        assert_eq!(PageRequest::new(Some(100), None, false).unwrap().fetch(), 101);
    }

    #[test]
    fn a_page_ends_early_where_it_shows_enough_bytes_and_shows_one_item_at_least() {
        let key = |n: &usize| Cursor { at: Timestamp::UNIX_EPOCH, id: Uuid::from_u128(*n as u128) };
        let page = |bytes, rows: &[usize]| {
            let request = PageRequest::new(Some(3), None, false).unwrap().within(bytes);
            let page = request.page_of(rows.to_vec(), None, key, |size| *size);
            (page.items.len(), page.next_cursor.is_some())
        };
        assert_eq!(page(100, &[1, 1, 1]), (3, false));
        assert_eq!(page(100, &[1, 1, 1, 1]), (3, true));
        assert_eq!(page(100, &[60, 60, 60]), (2, true));
        assert_eq!(page(100, &[100, 1]), (1, true));
        assert_eq!(page(100, &[1_000]), (1, false));
        assert_eq!(page(100, &[99, 1_000]), (2, false));
        assert_eq!(page(100, &[]), (0, false));
    }

    #[test]
    fn a_texts_size_is_that_of_its_json() {
        for text in ["", "plain", "\"quoted\" \\ back", "a\nb\tc\rd", "\u{1}\u{1f}", "é, 漢字"] {
            assert_eq!(json_bytes(text) + 2, serde_json::to_string(text).unwrap().len(), "{text:?}");
        }
    }

    #[test]
    fn the_next_cursor_is_there_only_when_more_was_read_than_shown() {
        let request = PageRequest::new(Some(2), None, false).unwrap();
        let key = |n: &u128| Cursor { at: Timestamp::UNIX_EPOCH, id: Uuid::from_u128(*n) };
        assert!(request.page(vec![1, 2], None, key).next_cursor.is_none());
        let page = request.page(vec![1, 2, 3], None, key);
        assert_eq!((page.items, page.next_cursor), (vec![1, 2], Some(key(&2).encode())));
    }
}
