//! One table of any columns in one file.

use std::io::{self, Write};

use parquet::errors::ParquetError;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterPropertiesPtr;

use crate::cell::Cell;
use crate::error::TableError;
use crate::part::{Growing, Meta, part_name, properties};
use crate::shape::ColumnSpec;
use crate::tables::Limits;

/// A table that goes into one writer. It holds no more rows than a group has, and their bytes are at most those of
/// [`Limits`] and of one row.
pub struct Table<W: Write + Send> {
    growing: Growing<W>,
    writer: Option<W>,
    limits: Limits,
}

impl<W: Write + Send> Table<W> {
    /// One of these columns; `version` is that of the program.
    ///
    /// # Errors
    /// When the format does not take the columns.
    pub fn new(
        writer: W,
        name: &'static str,
        columns: &[ColumnSpec],
        version: &str,
    ) -> Result<Self, TableError> {
        let version = KeyValue::new("cocli.version".to_owned(), version.to_owned());
        Self::of(writer, name, columns, properties(vec![version], None))
    }

    /// One whose rows come sorted by the first column, as those of [`Tables`](crate::Tables) are.
    ///
    /// # Errors
    /// As [`Table::new`].
    pub fn sorted(
        writer: W,
        name: &'static str,
        columns: &[ColumnSpec],
        meta: &Meta,
    ) -> Result<Self, TableError> {
        Self::of(writer, name, columns, meta.properties())
    }

    fn of(
        writer: W,
        name: &'static str,
        columns: &[ColumnSpec],
        properties: Result<WriterPropertiesPtr, ParquetError>,
    ) -> Result<Self, TableError> {
        let limits = Limits { rows_of_part: usize::MAX, ..Limits::default() };
        let failed =
            |source: ParquetError| TableError::Write { table: name, part: part_name(0), source };
        let growing =
            Growing::new(name, columns, properties.map_err(failed)?, limits).map_err(failed)?;
        Ok(Self { growing, writer: Some(writer), limits })
    }

    /// Adds a row: a cell for each column.
    ///
    /// # Errors
    /// When the writer fails.
    pub fn push<'a>(&mut self, row: impl IntoIterator<Item = Cell<'a>>) -> Result<(), TableError> {
        let full = self.growing.push("", row);
        if full || self.growing.waiting_bytes() > self.limits.buffered_bytes {
            self.growing.write(&mut |_, _| once(&mut self.writer))?;
        }
        Ok(())
    }

    /// Writes what is left.
    ///
    /// # Errors
    /// When the writer fails.
    pub fn finish(mut self) -> Result<(), TableError> {
        self.growing.finish(&mut |_, _| once(&mut self.writer)).map(drop)
    }
}

/// There is one part, so it is asked for once.
fn once<W>(writer: &mut Option<W>) -> io::Result<W> {
    writer.take().ok_or_else(|| io::Error::other("a second part of one"))
}
