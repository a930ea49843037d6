//! Entities and winners into the tables that they are rows of.

use std::io::{self, Write};

use cocli_core::{Entity, Entry, Field, Kind, Target};
use parquet::errors::ParquetError;

use crate::error::TableError;
use crate::part::{Growing, Meta, PartInfo, part_name};
use crate::row::{self, Rows};
use crate::shape::{self, ColumnSpec, DATAGRAMS};

/// How much is held, and how much goes into one file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Rows of one file.
    pub rows_of_part: usize,
    /// Rows of a row group.
    pub rows_of_group: usize,
    /// Bytes of rows of all tables that wait for their group: above it, those of the largest table are
    /// written as one. Writing takes about as much again.
    pub buffered_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { rows_of_part: 250_000, rows_of_group: 65_536, buffered_bytes: 8 << 20 }
    }
}

/// All tables, as they are written.
///
/// `open` gives the writer of a part, by its table and number ([`part_name`] names its file). It is
/// flushed and dropped once the part is whole.
pub struct Tables<W: Write + Send, F: FnMut(&'static str, usize) -> io::Result<W>> {
    open: F,
    limits: Limits,
    entities: Vec<Rows>,
    /// A table of each kind, in their order, and behind them that of winners.
    growing: Vec<Growing<W>>,
}

impl<W: Write + Send, F: FnMut(&'static str, usize) -> io::Result<W>> Tables<W, F> {
    /// # Errors
    /// When the format does not take the schema.
    pub fn new(open: F, meta: &Meta) -> Result<Self, TableError> {
        Self::limited(open, meta, Limits::default())
    }

    /// As [`Tables::new`], with other limits.
    ///
    /// # Errors
    /// As `new`.
    pub fn limited(open: F, meta: &Meta, limits: Limits) -> Result<Self, TableError> {
        let entities: Vec<Rows> = Kind::ALL.into_iter().map(Rows::of).collect();
        let winners = shape::of_winners();
        let all = entities.iter().map(|rows| (rows.kind.plural(), &rows.columns));
        let grow = |(name, columns): (&'static str, &Vec<ColumnSpec>)| {
            let failed = |source: ParquetError| TableError::Write {
                table: name,
                part: part_name(0),
                source,
            };
            let properties = meta.properties().map_err(failed)?;
            Growing::new(name, columns, properties, limits).map_err(failed)
        };
        let growing =
            all.chain([(DATAGRAMS, &winners)]).map(grow).collect::<Result<Vec<_>, _>>()?;
        Ok(Self { open, limits, entities, growing })
    }

    /// Adds an entity as a row of the table of its kind; a target of no kind has no row. Whether it is
    /// alive is for the caller to say. Each target comes once, in their order.
    ///
    /// # Errors
    /// When the caller's writers fail, or a target comes behind one that is not before it.
    pub fn entity(&mut self, target: &Target, entity: &Entity) -> Result<(), TableError> {
        let Some(kind) = Kind::of(target) else { return Ok(()) };
        let Some(at) = self.entities.iter().position(|rows| rows.kind == kind) else {
            return Ok(());
        };
        self.in_order(at, target, |last, target| last < target)?;
        let row = self.entities[at].row(target, entity);
        let full = self.growing[at].push(target.as_str(), row);
        self.drain(at, full)
    }

    /// Adds a winner, that of a removed field too, as a row of [`DATAGRAMS`]. They come in the order of
    /// their targets.
    ///
    /// # Errors
    /// As [`Tables::entity`].
    pub fn winner(
        &mut self,
        target: &Target,
        field: &Field,
        entry: &Entry,
    ) -> Result<(), TableError> {
        let at = self.entities.len();
        self.in_order(at, target, |last, target| last <= target)?;
        let row = row::winner(target, field, entry);
        let full = self.growing[at].push(target.as_str(), row);
        self.drain(at, full)
    }

    /// Writes what is left, and tells of every file.
    ///
    /// # Errors
    /// When the caller's writers fail.
    pub fn finish(mut self) -> Result<Vec<PartInfo>, TableError> {
        let mut all = Vec::new();
        for table in self.growing {
            all.append(&mut table.finish(&mut self.open)?);
        }
        Ok(all)
    }

    fn in_order(
        &self,
        at: usize,
        target: &Target,
        holds: impl Fn(&str, &str) -> bool,
    ) -> Result<(), TableError> {
        let before = self.growing[at].last();
        if holds(before, target.as_str()) {
            return Ok(());
        }
        Err(TableError::Order { target: target.clone(), before: before.to_owned() })
    }

    fn drain(&mut self, at: usize, full: bool) -> Result<(), TableError> {
        if full {
            self.growing[at].write(&mut self.open)?;
        }
        let waiting: usize = self.growing.iter().map(Growing::waiting_bytes).sum();
        if waiting <= self.limits.buffered_bytes {
            return Ok(());
        }
        let largest = self.growing.iter_mut().max_by_key(|table| table.waiting_bytes());
        largest.map_or(Ok(()), |table| table.write(&mut self.open))
    }
}
