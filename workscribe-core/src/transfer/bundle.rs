//! An organization to be imported: read, and checked before any of it is written.

use std::io::BufRead;

use crate::error::{Error, Result};
use crate::id::TaskId;

use super::check::{Check, HangingOn, Tree};
use super::record::Record;
use super::spool::{Rows, Spool, SpoolWriter};

/// An organization that can be imported: rows that are consistent with each other.
///
/// Projects, people and other rows of small number are in memory. Tasks, comments, history and notifications are in a temporary
/// file, so that a bundle of any size needs about a hundred bytes of memory for each task.
#[derive(Debug)]
pub struct Bundle {
    head: Vec<Record>,
    rest: Spool,
    tree: Tree,
}

impl Bundle {
    /// Reads an export. Names are put into their stored form: characters that change the direction of text are removed, and
    /// people whose names have no visible character are named by their address. Any other name without a visible character is a
    /// fault, and so are two labels or statuses of a project that have the same name after that.
    ///
    /// # Errors
    /// `VALIDATION_FAILED` with the faults, each with the number of its line: the file is not an export, has another version, is
    /// incomplete, or has inconsistent rows.
    pub fn read(mut input: impl BufRead) -> Result<Self> {
        // Faults of unreadable lines come before faults in the content of lines.
        let (mut lines, mut check) = (Check::default(), Check::default());
        let (mut head, mut rest) = (Vec::new(), SpoolWriter::new()?);
        let (mut number, mut ended, mut bytes) = (0, None, Vec::new());
        loop {
            bytes.clear();
            match input.read_until(b'\n', &mut bytes) {
                Ok(0) => break,
                Ok(_) => number += 1,
                Err(error) => {
                    lines.fault(number + 1, "UNREADABLE", format!("the file cannot be read: {error}"));
                    break;
                }
            }
            let record = match serde_json::from_slice::<Record>(&bytes) {
                Ok(record) => record,
                Err(error) => {
                    lines.fault(number, "NOT_A_RECORD", format!("this is no record of an export: {error}"));
                    // A file whose first line is not from an export is not an export at all.
                    if number == 1 || lines.is_full() {
                        break;
                    }
                    continue;
                }
            };
            match (record, number) {
                (Record::Header(header), 1) => {
                    if !lines.header(&header) {
                        break;
                    }
                }
                (_, 1) => {
                    lines.fault(1, "NO_HEADER", "an export begins with a header");
                    break;
                }
                (Record::End(end), _) => ended = Some((number, end.records)),
                (mut record, _) => {
                    let is_mended = record.mend();
                    check.record(number, &record);
                    if record.is_of_many() && is_mended {
                        rest.add(&record)?;
                    } else if record.is_of_many() {
                        rest.add_line(&bytes)?;
                    } else {
                        head.push(record);
                    }
                }
            }
        }
        if lines.faults.is_empty() {
            match ended {
                Some((at, records)) if at == number && records == number => {}
                Some((at, _)) if at != number => {
                    lines.fault(at + 1, "AFTER_THE_END", "there is more after the end");
                }
                Some((_, records)) => {
                    let problem = format!("the end tells of {records} lines, and there are {number}");
                    lines.fault(number, "NOT_WHOLE", problem);
                }
                None => {
                    lines.fault(number + 1, "NOT_WHOLE", "the end is missing: this is not the whole export");
                }
            }
        }
        if !lines.faults.is_empty() {
            return Err(Error::invalid(lines.faults));
        }
        Ok(Self { tree: check.finish()?, head, rest: rest.finish()? })
    }

    /// Makes a bundle of rows from another source, each with the line from which it was made.
    ///
    /// # Errors
    /// As [`Bundle::read`] for inconsistent rows, and the errors of the iterator.
    pub fn of(lines: impl IntoIterator<Item = Result<(u64, Record)>>) -> Result<Self> {
        let mut check = Check::default();
        let (mut head, mut rest) = (Vec::new(), SpoolWriter::new()?);
        for line in lines {
            let (number, mut record) = line?;
            record.mend();
            check.record(number, &record);
            if record.is_of_many() {
                rest.add(&record)?;
            } else {
                head.push(record);
            }
        }
        Ok(Self { tree: check.finish()?, head, rest: rest.finish()? })
    }

    /// All rows at once, in an order in which they can be written. Use it only for a small bundle.
    ///
    /// # Errors
    /// When its temporary file cannot be read.
    pub fn records(&self) -> Result<Vec<Record>> {
        let most = usize::try_from(self.rest.len()).unwrap_or(usize::MAX);
        let mut records = self.head.clone();
        records.extend(self.rest.rows()?.next(most)?);
        Ok(records)
    }

    /// The number of rows.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.rest.len() + self.head.len() as u64
    }

    /// Whether there are no rows. It is always `false`: every bundle has an organization.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The rows of small number. They come before the others.
    pub(super) fn head(&self) -> &[Record] {
        &self.head
    }

    /// The rows of unbounded number.
    pub(super) fn rest(&self) -> Result<Rows> {
        self.rest.rows()
    }

    /// The tasks that have a parent, with their parents.
    pub(super) fn parents(&self) -> &[(TaskId, TaskId)] {
        &self.tree.parents
    }

    /// The number of subtasks and comments of a task.
    pub(super) fn hanging_on(&self, task: TaskId) -> HangingOn {
        self.tree.counts.get(&task).copied().unwrap_or_default()
    }
}
