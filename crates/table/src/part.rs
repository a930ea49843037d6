//! One table as it is written: row groups into parts, parts into the writers that the caller opens.

use std::io::{self, Write};
use std::sync::Arc;

use cocli_core::StateDigest;
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::{ParquetError, Result as Parquet};
use parquet::file::metadata::{KeyValue, SortingColumn};
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterPropertiesPtr};
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::TypePtr;

use crate::cell::Cell;
use crate::column::Column;
use crate::error::TableError;
use crate::shape::{self, ColumnSpec};
use crate::tables::Limits;

const ZSTD_LEVEL: i32 = 3;

/// What tables were made of, as their footers tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Meta {
    /// The version of the program.
    pub version: String,
    /// The version of the reading rules.
    pub rules: u32,
    /// The digest of the state, where they hold all of it.
    pub digest: Option<StateDigest>,
    /// The number of the manifest that they are published with, if they are.
    pub manifest: Option<u64>,
}

impl Meta {
    fn pairs(&self) -> Vec<KeyValue> {
        let pair = |key: &str, value: String| KeyValue::new(format!("cocli.{key}"), value);
        let mut pairs =
            vec![pair("version", self.version.clone()), pair("rules", self.rules.to_string())];
        pairs.extend(self.digest.map(|digest| pair("digest", digest.to_string())));
        pairs.extend(self.manifest.map(|number| pair("manifest", number.to_string())));
        pairs
    }

    /// How files of tables that are sorted by their first column are written.
    pub(crate) fn properties(&self) -> Parquet<WriterPropertiesPtr> {
        let by_target = SortingColumn { column_idx: 0, descending: false, nulls_first: false };
        properties(self.pairs(), Some(vec![by_target]))
    }
}

/// How files are written.
pub(crate) fn properties(
    pairs: Vec<KeyValue>,
    sorted: Option<Vec<SortingColumn>>,
) -> Parquet<WriterPropertiesPtr> {
    let properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(ZSTD_LEVEL)?))
        .set_dictionary_enabled(true)
        .set_statistics_enabled(EnabledStatistics::Page)
        .set_sorting_columns(sorted)
        .set_key_value_metadata(Some(pairs));
    Ok(Arc::new(properties.build()))
}

/// A file that was written whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartInfo {
    /// Of which table.
    pub table: &'static str,
    /// The name of its file, in the folder of the table.
    pub name: String,
    /// Its rows.
    pub rows: u64,
    /// Its bytes.
    pub bytes: u64,
}

/// The name of a part's file: `part-0.parquet`.
#[must_use]
pub fn part_name(number: usize) -> String {
    format!("part-{number}.parquet")
}

/// A table that grows.
pub(crate) struct Growing<W: Write + Send> {
    name: &'static str,
    schema: TypePtr,
    properties: WriterPropertiesPtr,
    limits: Limits,
    columns: Vec<Column>,
    /// Rows and bytes that wait.
    waiting: (usize, usize),
    /// The last target that came.
    last: String,
    open: Option<SerializedFileWriter<W>>,
    /// Rows in the part that is open.
    rows: usize,
    done: Vec<PartInfo>,
}

impl<W: Write + Send> Growing<W> {
    pub(crate) fn new(
        name: &'static str,
        columns: &[ColumnSpec],
        properties: WriterPropertiesPtr,
        limits: Limits,
    ) -> Parquet<Self> {
        Ok(Self {
            name,
            schema: shape::schema(name, columns)?,
            properties,
            limits,
            columns: columns.iter().map(|column| Column::new(column.form)).collect(),
            waiting: (0, 0),
            last: String::new(),
            open: None,
            rows: 0,
            done: Vec::new(),
        })
    }

    pub(crate) fn waiting_bytes(&self) -> usize {
        self.waiting.1
    }

    pub(crate) fn last(&self) -> &str {
        &self.last
    }

    /// Adds a row; tells whether as many wait as a group or the part may have.
    pub(crate) fn push<'a>(
        &mut self,
        target: &str,
        row: impl IntoIterator<Item = Cell<'a>>,
    ) -> bool {
        self.last.clear();
        self.last.push_str(target);
        let sizes = self.columns.iter_mut().zip(row).map(|(column, cell)| column.push(&cell));
        self.waiting.1 += sizes.sum::<usize>();
        self.waiting.0 += 1;
        self.waiting.0 >= self.limits.rows_of_group
            || self.rows + self.waiting.0 >= self.limits.rows_of_part
    }

    /// Writes what waits as a row group, and ends the part when it is full.
    pub(crate) fn write(
        &mut self,
        open: &mut impl FnMut(&'static str, usize) -> io::Result<W>,
    ) -> Result<(), TableError> {
        let mut part = match self.open.take() {
            Some(part) => part,
            None => self.begin(open)?,
        };
        if self.waiting.0 > 0 {
            write_group(&mut part, &mut self.columns).map_err(|source| self.failed(source))?;
            self.rows += self.waiting.0;
            self.waiting = (0, 0);
        }
        if self.rows >= self.limits.rows_of_part {
            return self.end(part);
        }
        self.open = Some(part);
        Ok(())
    }

    /// Writes what is left; a table without rows has one part without rows.
    pub(crate) fn finish(
        mut self,
        open: &mut impl FnMut(&'static str, usize) -> io::Result<W>,
    ) -> Result<Vec<PartInfo>, TableError> {
        if self.waiting.0 > 0 || (self.open.is_none() && self.done.is_empty()) {
            self.write(open)?;
        }
        if let Some(part) = self.open.take() {
            self.end(part)?;
        }
        Ok(self.done)
    }

    fn begin(
        &self,
        open: &mut impl FnMut(&'static str, usize) -> io::Result<W>,
    ) -> Result<SerializedFileWriter<W>, TableError> {
        let number = self.done.len();
        let writer = open(self.name, number).map_err(|source| TableError::Open {
            table: self.name,
            part: part_name(number),
            source,
        })?;
        SerializedFileWriter::new(writer, self.schema.clone(), self.properties.clone())
            .map_err(|source| self.failed(source))
    }

    fn end(&mut self, mut part: SerializedFileWriter<W>) -> Result<(), TableError> {
        part.finish().map_err(|source| self.failed(source))?;
        self.done.push(PartInfo {
            table: self.name,
            name: part_name(self.done.len()),
            rows: self.rows as u64,
            bytes: part.bytes_written() as u64,
        });
        self.rows = 0;
        Ok(())
    }

    fn failed(&self, source: ParquetError) -> TableError {
        TableError::Write { table: self.name, part: part_name(self.done.len()), source }
    }
}

fn write_group<W: Write + Send>(
    part: &mut SerializedFileWriter<W>,
    columns: &mut [Column],
) -> Parquet<()> {
    let mut group = part.next_row_group()?;
    for leaf in columns.iter_mut().flat_map(Column::leaves) {
        let Some(mut column) = group.next_column()? else {
            return Err(ParquetError::General("more columns than the schema has".into()));
        };
        leaf.write(&mut column)?;
        column.close()?;
    }
    group.close()?;
    Ok(())
}
