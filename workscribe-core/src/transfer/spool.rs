//! The rows of a bundle whose number is unbounded: on disk, in their original order.

use std::fs::File;
use std::io::{BufRead as _, BufReader, BufWriter, Seek as _, SeekFrom, Write as _};

use crate::error::{Error, Result};

use super::record::Record;

/// Rows in a temporary file, written as lines of an export. The file is removed when this value is dropped.
#[derive(Debug)]
pub(super) struct Spool {
    file: File,
    rows: u64,
}

impl Spool {
    /// All rows from the first one. Only one reader at a time, since readers share the position in the file.
    pub(super) fn rows(&self) -> Result<Rows> {
        let mut file = self.file.try_clone().map_err(Error::internal)?;
        file.seek(SeekFrom::Start(0)).map_err(Error::internal)?;
        Ok(Rows { lines: BufReader::new(file), line: Vec::new() })
    }

    pub(super) const fn len(&self) -> u64 {
        self.rows
    }
}

/// Collects rows for a [`Spool`].
pub(super) struct SpoolWriter {
    file: BufWriter<File>,
    rows: u64,
}

impl SpoolWriter {
    pub(super) fn new() -> Result<Self> {
        Ok(Self { file: BufWriter::new(tempfile::tempfile().map_err(Error::internal)?), rows: 0 })
    }

    /// Adds a row as a line of an export.
    pub(super) fn add_line(&mut self, line: &[u8]) -> Result<()> {
        self.file.write_all(line).map_err(Error::internal)?;
        if !line.ends_with(b"\n") {
            self.file.write_all(b"\n").map_err(Error::internal)?;
        }
        self.rows += 1;
        Ok(())
    }

    pub(super) fn add(&mut self, record: &Record) -> Result<()> {
        self.add_line(record.to_line().map_err(Error::internal)?.as_bytes())
    }

    pub(super) fn finish(self) -> Result<Spool> {
        let file = self.file.into_inner().map_err(|error| Error::internal(error.into_error()))?;
        Ok(Spool { file, rows: self.rows })
    }
}

/// The rows of a [`Spool`].
pub(super) struct Rows {
    lines: BufReader<File>,
    line: Vec<u8>,
}

impl Rows {
    /// The next rows, at most `most`; none at the end.
    pub(super) fn next(&mut self, most: usize) -> Result<Vec<Record>> {
        let mut rows = Vec::with_capacity(most);
        while rows.len() < most {
            let Some(row) = self.one()? else { break };
            rows.push(row);
        }
        Ok(rows)
    }

    /// The next row; none at the end.
    pub(super) fn one(&mut self) -> Result<Option<Record>> {
        self.line.clear();
        if self.lines.read_until(b'\n', &mut self.line).map_err(Error::internal)? == 0 {
            return Ok(None);
        }
        serde_json::from_slice(&self.line).map(Some).map_err(Error::internal)
    }
}
