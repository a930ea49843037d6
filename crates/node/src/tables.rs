//! The state as tables on the disk, for SQL engines: Parquet files below `cache/tables/`, each named by the
//! content that it was made of. So none is ever stale, anyone may delete them, and two who make the same one
//! make the same bytes. docs/sql.md.

mod clean;
mod making;
mod unit;
mod views;

use std::collections::BTreeSet;
use std::fmt;
use std::io;
use std::sync::Arc;

use cocli_core::digest::hash;
use cocli_store::disk::Held;
use cocli_store::reader::Layer;
use cocli_store::side::processors;
use cocli_store::{Disk, Reader, SharedDisk, StoreError, paths};
use cocli_table::{TableError, shapes};

use crate::campaigns::{Campaign, Left};
use crate::error::Result;
use crate::health::{Finding, Outcome};
use crate::home::{Home, failed};
use crate::problem::Problem;

use clean::Reading;
use making::{Making, Progress};
use unit::{Content, Unit, Whole};

pub use views::View;

/// Threads that make tables side by side: each has rows of its own in memory.
const THREADS_MAX: usize = 4;
/// To be raised when the same content is to give other tables.
const FORMAT: u32 = 3;

/// Tables that stay as they are as long as this lives.
pub struct Tables {
    disk: SharedDisk,
    /// The base, what stands above it, each with all rows of what it touches, and the nodes.
    base: Vec<Unit>,
    layers: Vec<Unit>,
    nodes: Unit,
    /// The fields of nodes that there are.
    fields: BTreeSet<String>,
    campaign: Option<Unit>,
    /// Tells others what is read here, where that can be written.
    _reading: Option<Reading>,
}

impl fmt::Debug for Tables {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tables").field("base", &self.base).field("layers", &self.layers).finish()
    }
}

impl Tables {
    fn units(&self) -> impl Iterator<Item = &Unit> {
        self.base.iter().chain(&self.layers).chain([&self.nodes]).chain(&self.campaign)
    }

    /// Reads all files: whether they are as they were made. Those that are not are made anew by whoever asks next.
    #[must_use]
    pub fn check(&self) -> bool {
        let unsound = self.units().filter(|unit| !unit.check(&*self.disk)).count();
        unsound == 0
    }
}

/// Which units a state is.
struct Plan {
    base: Vec<Unit>,
    layers: Vec<Unit>,
}

impl Plan {
    /// With `tail`, also what stands behind the checkpoint now.
    fn of(reader: &Reader, tail: bool) -> Self {
        let base = unit::groups(reader.base_bytes(0..=u8::MAX)).map(|shards| {
            let key = key_of(reader, "base", reader.base_key(shards.clone()));
            Unit { key, content: Content::Base(shards) }
        });
        let wanted = [(Layer::Runs, true), (Layer::Tail, tail)];
        let layers = wanted.into_iter().filter(|(_, wanted)| *wanted).filter_map(|(layer, _)| {
            let key = key_of(reader, "layer", reader.layer_key(layer)?);
            Some(Unit { key, content: Content::Layer(layer) })
        });
        Self { base: base.collect(), layers: layers.collect() }
    }

    fn units(&self) -> impl Iterator<Item = &Unit> {
        self.base.iter().chain(&self.layers)
    }

    /// Makes what is missing; gives whether anything was.
    fn make(
        &self,
        disk: &SharedDisk,
        reader: &Reader,
        threads: usize,
        progress: &Progress<'_>,
    ) -> cocli_store::Result<Result<bool, TableError>> {
        let missing = |disk: &dyn Disk| -> Vec<&Unit> {
            self.units().filter(|unit| !unit.is_whole(disk)).collect()
        };
        if missing(&**disk).is_empty() {
            return Ok(Ok(false));
        }
        let making = Making::begin(disk, reader)?;
        // Somebody else may have made them meanwhile.
        let missing = missing(&**disk);
        Ok(making.all(&missing, threads, progress)?.map(|()| true))
    }
}

/// A lock, once nobody else has it.
fn locked(disk: &dyn Disk, path: &str) -> cocli_store::Result<Held> {
    let held = tried("lock", path, disk.lock(path, true))?;
    tried("lock", path, held.ok_or_else(|| io::ErrorKind::WouldBlock.into()))
}

fn tried<T>(doing: &'static str, path: &str, tried: io::Result<T>) -> cocli_store::Result<T> {
    tried.map_err(|source| StoreError::Io { path: path.to_owned(), doing, source })
}

fn key_of(reader: &Reader, what: &str, content: u128) -> u128 {
    let rules = reader.manifest().rules;
    key(what, &format!("{rules} {content:032x}"))
}

/// The key of some content: tables of other columns have other keys.
fn key(what: &str, content: &str) -> u128 {
    let version = env!("CARGO_PKG_VERSION");
    hash(format!("{FORMAT} {version} {} {what} {content}", shapes()).as_bytes())
}

impl Home {
    /// The tables of what stands here now, and what a campaign counts; makes those that are missing, and `progress`
    /// hears how many bytes of lines are in tables, and of how many.
    ///
    /// # Errors
    /// When the disk cannot be read or written, or a shard is damaged.
    pub fn tables(&self, campaign: Option<&Campaign>, progress: &Progress<'_>) -> Result<Tables> {
        let disk = &self.disk;
        disk.make_folder(paths::TABLES).map_err(|e| failed(paths::TABLES, "make", e))?;
        let made = self.read(|reader| {
            let plan = Plan::of(reader, true);
            let nodes = unit::nodes(reader)?;
            let left = |campaign| Left::of(campaign, |target| reader.entity(target));
            let campaign = campaign.map(left).transpose()?.map(|left| unit::campaign(&left));
            let others = [&nodes].into_iter().chain(&campaign);
            let keys: Vec<u128> = plan.units().chain(others.clone()).map(|unit| unit.key).collect();
            // Before anything is looked at, so that nobody takes it away afterwards.
            let reading = Reading::begin(disk, &keys);
            let reading = match reading {
                // Whoever may not write may read.
                Err(_) if plan.units().chain(others.clone()).all(|unit| unit.is_whole(&**disk)) => {
                    None
                }
                reading => Some(reading?),
            };
            let threads = processors().min(THREADS_MAX);
            let made = match plan.make(disk, reader, threads, progress)? {
                Ok(made) => made,
                Err(error) => return Ok(Err(error)),
            };
            let others: Vec<&Unit> = others.filter(|unit| !unit.is_whole(&**disk)).collect();
            if made || !others.is_empty() {
                let making = Making::begin(disk, reader)?;
                if let Err(error) = making.all(&others, 1, &|_, _| ())? {
                    return Ok(Err(error));
                }
                making.clean(&keys)?;
            }
            let Plan { base, layers } = plan;
            let fields = nodes.fields();
            let disk = Arc::clone(disk);
            Ok(Ok(Tables { disk, base, layers, nodes, fields, campaign, _reading: reading }))
        })?;
        Ok(made?)
    }

    /// Whether tables were ever asked for here, and nobody took them away.
    #[must_use]
    pub fn has_tables(&self) -> bool {
        matches!(self.disk.stat(paths::TABLES), Ok(Some(_)))
    }

    /// The files of tables whose bytes are not those that were written; `repair`: whoever asks next makes them anew.
    ///
    /// # Errors
    /// When their folder cannot be read.
    pub fn examine_tables(&self, repair: bool) -> Result<Vec<Finding>> {
        let disk = &*self.disk;
        let there = disk.list(paths::TABLES).map_err(|e| failed(paths::TABLES, "list", e))?;
        let mut findings = Vec::new();
        for key in there.iter().filter_map(|(name, _)| clean::key_of_whole(name)) {
            let Some(whole) = Whole::of(disk, key) else { continue };
            for table in whole.rotten(disk, key) {
                let mended = repair && disk.remove(&paths::whole_tables(key)).is_ok();
                findings.push(Finding {
                    problem: Problem::TableDamaged,
                    place: paths::table(key, table),
                    what: "its bytes are not those that `cocli sql` wrote".into(),
                    outcome: if mended { Outcome::Mended } else { Outcome::Open },
                    next: (!mended).then(|| {
                        "`cocli doctor --repair`; the next query makes it anew".to_owned()
                    }),
                });
            }
        }
        Ok(findings)
    }

    /// Makes the tables of the checkpoint where tables are in use, so that the next who asks finds them; takes away
    /// those that nobody needs any more. On one thread: for the background, behind a compaction.
    ///
    /// # Errors
    /// As [`Home::tables`].
    pub fn keep_tables(&self, progress: &Progress<'_>) -> Result<()> {
        if !self.has_tables() {
            return Ok(());
        }
        let made = self.read(|reader| {
            let plan = Plan::of(reader, false);
            if let Err(error) = plan.make(&self.disk, reader, 1, progress)? {
                return Ok(Err(error));
            }
            let keys: Vec<u128> = plan.units().map(|unit| unit.key).collect();
            Making::begin(&self.disk, reader)?.clean(&keys)?;
            Ok(Ok(()))
        })?;
        Ok(made?)
    }
}
