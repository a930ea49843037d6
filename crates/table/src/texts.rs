//! A table of texts, for what is kept beside the entities: one file, whose columns the caller names.

use std::io::Write;

use parquet::errors::ParquetError;

use crate::cell::Cell;
use crate::error::TableError;
use crate::part::{Growing, Meta, part_name};
use crate::shape;
use crate::tables::Limits;

/// Such a table, as it is written.
pub struct Texts<W: Write + Send> {
    growing: Growing<W>,
    /// Until the first rows are written.
    writer: Option<W>,
}

impl<W: Write + Send> Texts<W> {
    /// # Errors
    /// When the format does not take the columns.
    pub fn new(
        table: &'static str,
        columns: &[&'static str],
        meta: &Meta,
        writer: W,
    ) -> Result<Self, TableError> {
        let failed = |source: ParquetError| TableError::Write { table, part: part_name(0), source };
        let properties = meta.properties().map_err(failed)?;
        let limits = Limits { rows_of_part: usize::MAX, ..Limits::default() };
        let columns = shape::of_texts(columns);
        let growing = Growing::new(table, &columns, properties, limits).map_err(failed)?;
        Ok(Self { growing, writer: Some(writer) })
    }

    /// Adds a row, of a text for each column, sorted by the first.
    ///
    /// # Errors
    /// When the writer fails.
    pub fn push(&mut self, row: &[&str]) -> Result<(), TableError> {
        let first = row.first().copied().unwrap_or_default();
        if self.growing.push(first, row.iter().map(|text| Cell::text(text))) {
            let writer = &mut self.writer;
            self.growing.write(&mut |_, _| writer.take().ok_or_else(opened_twice))?;
        }
        Ok(())
    }

    /// Writes what is left.
    ///
    /// # Errors
    /// When the writer fails.
    pub fn finish(self) -> Result<(), TableError> {
        let mut writer = self.writer;
        self.growing.finish(&mut |_, _| writer.take().ok_or_else(opened_twice)).map(drop)
    }
}

/// There is one part, however long.
fn opened_twice() -> std::io::Error {
    std::io::Error::other("a second part")
}
