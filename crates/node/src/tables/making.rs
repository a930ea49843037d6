//! Making the tables that are missing: one process at a time, each file beside its place until it is whole.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::io::{self, BufWriter, Write};
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use cocli_core::{Entity, Field, Kind, Target};
use cocli_store::disk::Held;
use cocli_store::reader::Layer;
use cocli_store::{Reader, SharedDisk, paths};
use cocli_table::{Cell, ColumnSpec, Form, Limits, Meta, Table, TableError, Tables};

use super::unit::{ADDRESSES, Content, TOUCHED, Unit, Whole, hash_of};
use super::{locked, tried};
use crate::address::addresses;
use crate::followup::{companies_of, list, text};
use crate::snapshot::Rows;

/// Hears how much of how much is done.
pub(super) type Progress<'a> = dyn Fn(u64, u64) + Sync + 'a;

/// What came of it: the disk, or a table, refused.
type Made<T> = cocli_store::Result<Result<T, TableError>>;

/// Bytes that are written at once.
const WRITE_BYTES: usize = 256 << 10;

/// Nobody else makes tables, or takes some away, as long as this lives.
pub(super) struct Making<'a> {
    pub(super) disk: &'a SharedDisk,
    reader: &'a Reader,
    _lock: Held,
}

impl<'a> Making<'a> {
    /// Waits for who is at it.
    pub(super) fn begin(disk: &'a SharedDisk, reader: &'a Reader) -> cocli_store::Result<Self> {
        let path = paths::TABLES_LOCK;
        Ok(Self { disk, reader, _lock: locked(&**disk, path)? })
    }

    /// Makes these, on so many threads.
    pub(super) fn all(&self, units: &[&Unit], threads: usize, progress: &Progress<'_>) -> Made<()> {
        let bytes = |unit: &Unit| match &unit.content {
            Content::Base(shards) => self.reader.base_bytes(shards.clone()),
            Content::Layer(_) | Content::Texts(..) => 0,
        };
        let (next, done) = (AtomicUsize::new(0), AtomicU64::new(0));
        let all = units.iter().map(|unit| bytes(unit)).sum();
        progress(0, all);
        let work = || {
            while let Some(unit) = units.get(next.fetch_add(1, Ordering::Relaxed)) {
                if let Err(error) = self.one(unit)? {
                    return Ok(Err(error));
                }
                let more = bytes(unit);
                progress(done.fetch_add(more, Ordering::Relaxed) + more, all);
            }
            Ok(Ok(()))
        };
        std::thread::scope(|scope| {
            let others: Vec<_> = (1..threads.min(units.len())).map(|_| scope.spawn(work)).collect();
            let first = work();
            let ends = others.into_iter().map(|other| match other.join() {
                Ok(end) => end,
                Err(panic) => std::panic::resume_unwind(panic),
            });
            [first]
                .into_iter()
                .chain(ends.collect::<Vec<_>>())
                .find(|end| !matches!(end, Ok(Ok(()))))
        })
        .unwrap_or(Ok(Ok(())))
    }

    fn one(&self, unit: &Unit) -> Made<()> {
        let made = match &unit.content {
            Content::Texts(table, columns, rows) => self.texts(unit, (table, columns), rows),
            Content::Base(_) | Content::Layer(_) => self.entities(unit)?,
        };
        if let Err(error) = made {
            return Ok(Err(error));
        }
        self.put(unit)?;
        Ok(Ok(()))
    }

    fn texts(
        &self,
        unit: &Unit,
        (table, columns): (&'static str, &'static [&'static str]),
        rows: &[Vec<String>],
    ) -> Result<(), TableError> {
        let mut texts = self.table(unit, table, columns)?;
        for row in rows {
            texts.push(row.iter().map(|text| Cell::text(text)))?;
        }
        texts.finish()
    }

    fn entities(&self, unit: &Unit) -> Made<()> {
        let mut rows = match self.rows(unit) {
            Ok(rows) => rows,
            Err(error) => return Ok(Err(error)),
        };
        let take = |target: &Target, entity: &Entity| match rows.add(target, entity) {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => ControlFlow::Break(error),
        };
        let flow = match &unit.content {
            Content::Base(shards) => self.reader.base_in_order(shards.clone(), take)?,
            Content::Layer(layer) => self.reader.layer_in_order(*layer, take)?,
            Content::Texts(..) => ControlFlow::Continue(()),
        };
        Ok(match flow {
            ControlFlow::Break(error) => Err(error),
            ControlFlow::Continue(()) => rows.finish(),
        })
    }

    fn rows(
        &self,
        unit: &Unit,
    ) -> Result<Unfinished<impl FnMut(&'static str, usize) -> io::Result<File>>, TableError> {
        let meta = self.meta();
        let (disk, key) = (Arc::clone(self.disk), unit.key);
        let open = move |table: &'static str, _| create(&disk, key, table);
        let limits = Limits { rows_of_part: usize::MAX, ..Limits::default() };
        let is_layer = matches!(unit.content, Content::Layer(_));
        let name =
            Field::read("name").map_err(|error| opening("companies", io::Error::other(error)))?;
        Ok(Unfinished {
            tables: Tables::limited(open, &meta, limits)?,
            rows: Rows::new(name),
            addresses: self.table(unit, ADDRESSES, &["target", "company", "email"])?,
            touched: if is_layer { Some(self.table(unit, TOUCHED, &["target"])?) } else { None },
        })
    }

    fn meta(&self) -> Meta {
        let rules = self.reader.manifest().rules;
        Meta { version: env!("CARGO_PKG_VERSION").into(), rules, digest: None, manifest: None }
    }

    /// A table of texts, sorted by the first of them.
    fn table(
        &self,
        unit: &Unit,
        table: &'static str,
        columns: &[&'static str],
    ) -> Result<Table<File>, TableError> {
        let file = create(self.disk, unit.key, table).map_err(|source| opening(table, source))?;
        let columns: Vec<_> =
            columns.iter().map(|name| ColumnSpec::own(name, Form::Text)).collect();
        Table::sorted(file, table, &columns, &self.meta())
    }

    /// Puts the files of a unit in place, and says that they are whole. What is made anew with every edit is not
    /// worth a sync: of a file that a power cut shortened the length is another one.
    fn put(&self, unit: &Unit) -> cocli_store::Result<()> {
        let stays = !matches!(unit.content, Content::Layer(Layer::Tail) | Content::Texts(..));
        let mut whole = Whole::default();
        for table in unit.tables() {
            let path = paths::table(unit.key, table);
            let fresh = paths::fresh(&path);
            if stays {
                tried("sync", &fresh, self.disk.sync(&fresh))?;
            }
            let stat = tried("look at", &fresh, self.disk.stat(&fresh))?;
            let stat =
                tried("look at", &fresh, stat.ok_or_else(|| io::ErrorKind::NotFound.into()))?;
            let hash = tried("read", &fresh, hash_of(&**self.disk, &fresh))?;
            whole.0.push((table.to_owned(), stat.len, stat.modified_ns, hash));
            tried("put in place", &path, self.disk.rename(&fresh, &path))?;
        }
        let path = paths::whole_tables(unit.key);
        let fresh = paths::fresh(&path);
        let _ = self.disk.remove(&fresh);
        let text = serde_json::to_vec(&whole).unwrap_or_default();
        tried("write", &fresh, self.disk.write_at(&fresh, 0, &text, true))?;
        tried("put in place", &path, self.disk.rename(&fresh, &path))
    }
}

fn opening(table: &'static str, source: io::Error) -> TableError {
    TableError::Open { table, part: cocli_table::part_name(0), source }
}

fn create(disk: &SharedDisk, key: u128, table: &str) -> io::Result<File> {
    let path = paths::fresh(&paths::table(key, table));
    let _ = disk.remove(&path);
    let file = Growing { disk: Arc::clone(disk), path, bytes: 0 };
    Ok(BufWriter::with_capacity(WRITE_BYTES, file))
}

type File = BufWriter<Growing>;

/// A file that is written from its beginning on.
pub(super) struct Growing {
    disk: SharedDisk,
    path: String,
    bytes: u64,
}

impl Write for Growing {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.disk.write_at(&self.path, self.bytes, bytes, true)?;
        self.bytes += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The tables of entities of a unit, as they are written.
struct Unfinished<F: FnMut(&'static str, usize) -> io::Result<File>> {
    tables: Tables<File, F>,
    rows: Rows,
    addresses: Table<File>,
    touched: Option<Table<File>>,
}

impl<F: FnMut(&'static str, usize) -> io::Result<File>> Unfinished<F> {
    fn add(&mut self, target: &Target, entity: &Entity) -> Result<(), TableError> {
        if let Some(touched) = &mut self.touched {
            touched.push([Cell::text(target.as_str())])?;
        }
        if !self.rows.add(&mut self.tables, target, entity)? {
            return Ok(());
        }
        let companies = match Kind::of(target) {
            Some(Kind::Company) => [target.clone()].into(),
            Some(Kind::Person) => companies_of(entity, target),
            _ => return Ok(()),
        };
        let emails: BTreeSet<String> = [text(entity, target, "email")]
            .into_iter()
            .chain(list(entity, target, "all_emails"))
            .flat_map(|text| addresses(&text).map(Cow::into_owned).collect::<Vec<_>>())
            .collect();
        for company in &companies {
            for email in &emails {
                let row = [target.as_str(), company.as_str(), email];
                self.addresses.push(row.map(Cell::text))?;
            }
        }
        Ok(())
    }

    fn finish(self) -> Result<(), TableError> {
        self.tables.finish()?;
        self.addresses.finish()?;
        self.touched.map_or(Ok(()), Table::finish)
    }
}
