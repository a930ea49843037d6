//! What recent cards showed: `.cocli/cards/{shard}.jsonl`, appended to before a card is put in place.

use std::collections::{BTreeMap, BTreeSet};

use cocli_core::digest::shard;
use cocli_core::{Field, Instant, Kind, Target, Value};

use super::normal::same;
use super::projection::Projection;
use super::rev::Rev;
use crate::disk::{Disk, Stat};
use crate::error::{Result, Tried, if_there};
use crate::lock::HomeLock;
use crate::paths;

mod line;
mod shelf;

use line::Line;
pub use shelf::{Head, Shelf};

/// How long a projection is kept.
pub const KEPT_DAYS: i64 = 30;
/// How many of a target's projections are kept whatever their age.
pub const KEPT_MIN: usize = 8;
/// Differences between two whole projections of a target.
const DIFFERENCES_MAX: usize = 15;
/// Bytes of a shard file below which it is never rewritten.
const REWRITE_BYTES_MIN: u64 = 1024 * 1024;
/// Files that are synced one by one; more are synced with everything else below the home.
pub(super) const SYNCED_SINGLY_MAX: usize = 8;

const DAY_MICROS: i64 = 86_400 * 1_000_000;

/// Size and time of change of a file when it was put in place: while both are the same nobody has
/// touched it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileMark {
    /// Bytes.
    pub len: u64,
    /// Nanoseconds since 1970.
    pub modified_ns: i64,
}

impl From<Stat> for FileMark {
    fn from(stat: Stat) -> Self {
        Self { len: stat.len, modified_ns: stat.modified_ns }
    }
}

/// A projection that was kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// Of which target.
    pub target: Target,
    /// Its name, as it stands in the card.
    pub rev: Rev,
    /// When it was put in place.
    pub instant: Instant,
    /// The card, relative to the home.
    pub file: String,
    /// The card as it was put in place.
    pub card: Option<FileMark>,
    /// The `tags.lst` beside it as it was put in place.
    pub tags: Option<FileMark>,
    /// The `tags.lst` that was taken in for this projection, and gave its place to a new one.
    pub tags_read: Option<FileMark>,
    /// What the card showed.
    pub projection: Projection,
}

/// The kept projections of one target, oldest first.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct History {
    kept: Vec<Kept>,
}

impl History {
    fn of(target: &Target, lines: &[Line]) -> Self {
        let mut kept: Vec<Kept> = Vec::new();
        for line in lines {
            kept.extend(line.restore(target, &kept));
        }
        Self { kept }
    }

    /// All of them, oldest first.
    #[must_use]
    pub fn kept(&self) -> &[Kept] {
        &self.kept
    }

    /// The last one: what stands in the card, unless somebody touched it.
    #[must_use]
    pub fn latest(&self) -> Option<&Kept> {
        self.kept.last()
    }

    /// The last one that a `_rev` names.
    #[must_use]
    pub fn of_rev(&self, rev: Rev) -> Option<&Kept> {
        self.kept.iter().rev().find(|kept| kept.rev == rev)
    }

    /// Whether a list of tags with this mark has no news: it was put in place and nobody touched it, or
    /// it was taken in before.
    #[must_use]
    pub fn knows_tags(&self, mark: FileMark) -> bool {
        self.kept.iter().any(|kept| [kept.tags, kept.tags_read].contains(&Some(mark)))
    }

    /// The one that has the most values in common with a file's fields; of equals the last.
    #[must_use]
    pub fn nearest(&self, kind: Kind, fields: &BTreeMap<Field, Value>) -> Option<&Kept> {
        let common = |kept: &&Kept| {
            let values = &kept.projection.values;
            let like = |(field, value): &(&Field, &Value)| {
                same(kind, field, Some(value), values.get(*field))
            };
            fields.iter().filter(like).count()
        };
        self.kept.iter().max_by_key(common)
    }
}

/// What was appended and is not yet durable.
#[derive(Debug, Default)]
pub struct Appended {
    /// The files.
    pub files: BTreeSet<String>,
    /// Whether one of them is new.
    pub named: bool,
}

/// Appends projections, each to its shard's file. They are not durable before [`sync`]. A mark that is
/// `None` is taken over from the target's last line.
///
/// # Errors
/// Of the disk; a line may stand there in part, and is cut by the next append.
pub fn append(disk: &dyn Disk, _lock: &HomeLock, batch: &[Kept]) -> Result<Appended> {
    let mut shards: BTreeMap<u8, Vec<&Kept>> = BTreeMap::new();
    for kept in batch {
        shards.entry(shard(&kept.target)).or_default().push(kept);
    }
    let mut appended = Appended::default();
    for (shard, batch) in shards {
        appended.named |= append_to(disk, shard, &batch)?;
        appended.files.insert(paths::projections(shard));
    }
    Ok(appended)
}

/// Whether the file is new.
fn append_to(disk: &dyn Disk, shard: u8, batch: &[&Kept]) -> Result<bool> {
    let path = paths::projections(shard);
    let before = Shelf::read(disk, shard)?;
    let mut lines = Vec::new();
    let mut rows: BTreeMap<&Target, Row> = BTreeMap::new();
    for kept in batch {
        let row = rows
            .entry(&kept.target)
            .or_insert_with(|| Row::of(&kept.target, &before.since_whole(&kept.target)));
        row.add(kept, &mut lines);
    }
    let at = before.whole_bytes() as u64;
    if at < before.bytes() as u64 {
        disk.cut(&path, at).tried("cut", &path)?;
    }
    super::place::write(disk, &path, at, &lines, true)?;
    // Looked at again whenever its length has doubled.
    let after = at + lines.len() as u64;
    let newest = batch.iter().map(|kept| kept.instant).max();
    if after > REWRITE_BYTES_MIN
        && after.ilog2() > at.max(1).ilog2()
        && let Some(newest) = newest
    {
        rewrite(disk, shard, newest)?;
    }
    Ok(at == 0)
}

/// The end of a target's lines.
#[derive(Default)]
struct Row {
    last: Option<Kept>,
    differences: usize,
}

impl Row {
    /// `lines` go back to the last whole one, or beyond it.
    fn of(target: &Target, lines: &[Line]) -> Self {
        let whole = lines.iter().rposition(Line::is_whole).unwrap_or(0);
        let lines = &lines[whole..];
        let last = History::of(target, lines).kept.pop();
        Self { last, differences: lines.len().saturating_sub(1) }
    }

    fn add(&mut self, kept: &Kept, out: &mut Vec<u8>) {
        let mut kept = kept.clone();
        if let Some(last) = &self.last {
            kept.card = kept.card.or(last.card);
            kept.tags = kept.tags.or(last.tags);
        }
        let base = self.last.as_ref().filter(|_| self.differences < DIFFERENCES_MAX);
        self.differences = if base.is_some() { self.differences + 1 } else { 0 };
        Line::of(&kept, base).write(out);
        self.last = Some(kept);
    }
}

/// Makes what was appended durable, and files that others wrote besides.
///
/// # Errors
/// Of the disk.
pub fn sync(disk: &dyn Disk, appended: &Appended) -> Result<()> {
    if appended.files.len() > SYNCED_SINGLY_MAX {
        match disk.sync_all() {
            Err(error) if error.kind() == std::io::ErrorKind::Unsupported => {}
            other => return other.tried("sync", paths::OWN),
        }
    }
    for path in &appended.files {
        disk.sync(path).tried("sync", path)?;
    }
    if appended.named {
        disk.sync_folder(paths::PROJECTIONS).tried("sync", paths::PROJECTIONS)?;
    }
    Ok(())
}

/// Drops from a shard what is older than 30 days and not among a target's last eight; tells whether
/// the file was rewritten (it is not when little would go).
///
/// # Errors
/// Of the disk; the old file stands then.
pub fn compact(disk: &dyn Disk, _lock: &HomeLock, shard: u8, now: Instant) -> Result<bool> {
    rewrite(disk, shard, now)
}

fn rewrite(disk: &dyn Disk, shard: u8, now: Instant) -> Result<bool> {
    let shelf = Shelf::read(disk, shard)?;
    let targets: BTreeSet<Target> =
        shelf.targets().filter_map(|target| Target::read(target).ok()).collect();
    let oldest = now.micros() - KEPT_DAYS * DAY_MICROS;
    let mut fresh_lines = Vec::new();
    for target in targets {
        let kept = shelf.history(&target).kept;
        let last = kept.len().saturating_sub(KEPT_MIN);
        let mut row = Row::default();
        for (at, kept) in kept.iter().enumerate() {
            if at >= last || kept.instant.micros() >= oldest {
                row.add(kept, &mut fresh_lines);
            }
        }
    }
    if fresh_lines.len() * 4 > shelf.bytes() * 3 {
        return Ok(false);
    }
    let path = paths::projections(shard);
    let fresh = paths::fresh(&path);
    super::place::write(disk, &fresh, 0, &fresh_lines, true)?;
    disk.cut(&fresh, fresh_lines.len() as u64).tried("cut", &fresh)?;
    disk.sync(&fresh).tried("sync", &fresh)?;
    disk.rename(&fresh, &path).tried("put in place", &path)?;
    disk.sync_folder(paths::PROJECTIONS).tried("sync", paths::PROJECTIONS)?;
    Ok(true)
}

fn read_shard(disk: &dyn Disk, shard: u8) -> Result<Vec<u8>> {
    let path = paths::projections(shard);
    Ok(if_there(disk.read(&path)).tried("read", &path)?.unwrap_or_default())
}
