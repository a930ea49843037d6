//! Compaction: what the journals gained since the frontier is merged into the shards that it touches.

use std::collections::{BTreeMap, BTreeSet};

use cocli_core::digest::shard as shard_of;
use cocli_core::{Entity, Head, LogId, Target};

use super::manifest::Manifest;
use super::odd::{OddList, of_met};
use super::read_shard;
use super::shard::{self, Merged};
use crate::disk::Disk;
use crate::error::{Result, StoreError, Tried, if_there};
use crate::journal::{Gap, Journals, Section, Stretch};
use crate::lock::HomeLock;
use crate::paths;

/// Above so many new files one sync of the whole file system is cheaper than one of each.
const SINGLE_SYNCS_MAX: usize = 8;
/// What a record takes in memory, at most, as a multiple of its bytes.
const MEMORY_PER_BYTE: usize = 4;

/// What a compaction did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Compacted {
    /// Bytes of journals read.
    pub bytes: u64,
    /// Records among them, odd ones included.
    pub records: u64,
    /// Shards written.
    pub shards: usize,
    /// Shards that were damaged and made anew from the journals.
    pub rebuilt: usize,
}

/// New winners by shard.
type Delta = BTreeMap<u8, BTreeMap<Target, Entity>>;

/// Merges what is durable in the journals and not yet in the checkpoint, within about `memory`
/// bytes. Killed anywhere it leaves the old checkpoint or a newer one.
///
/// # Errors
/// When the disk refuses: the checkpoint is the old one, or one of a round before.
pub fn compact(lock: &HomeLock, journals: &mut Journals, memory: usize) -> Result<Compacted> {
    run(lock, journals, memory, false)
}

/// As [`compact`], and reads every shard: those that are damaged are made anew.
///
/// # Errors
/// As [`compact`].
pub fn repair(lock: &HomeLock, journals: &mut Journals, memory: usize) -> Result<Compacted> {
    run(lock, journals, memory, true)
}

fn run(lock: &HomeLock, journals: &mut Journals, memory: usize, all: bool) -> Result<Compacted> {
    journals.refresh()?;
    journals.sync(lock)?;
    let disk = journals.disk().clone();
    let before = Manifest::read_or_empty(&*disk)?;
    let frontier = journals.standing(&before.frontier)?;
    let mut sections = journals.behind(&frontier, &before.holes);
    sections.retain(|section| section.end() <= journals.durable(&section.log));
    let mut odd = OddList::read(&*disk)?;
    let odd_before = odd.clone();
    for section in &sections {
        odd.forget(&section.log, section.position, section.end());
    }
    let manifest = Manifest { frontier, holes: BTreeMap::new(), ..before.clone() };
    let done = Compacted::default();
    let mut work =
        Work { disk: &*disk, manifest, before, done, delta: Delta::new(), odd, odd_before };
    let mut taken = 0;
    for (at, section) in sections.iter().enumerate() {
        work.take(journals, section)?;
        taken += section.len;
        if taken.saturating_mul(MEMORY_PER_BYTE) >= memory {
            work.flush(lock, journals, &sections[at + 1..], all)?;
            taken = 0;
        }
    }
    work.flush(lock, journals, &[], all)?;
    Ok(work.done)
}

struct Work<'a> {
    disk: &'a dyn Disk,
    manifest: Manifest,
    /// What stands on the disk.
    before: Manifest,
    done: Compacted,
    delta: Delta,
    odd: OddList,
    odd_before: OddList,
}

impl Work<'_> {
    /// Merges a section into the delta; its damaged blocks are holes of the manifest.
    fn take(&mut self, journals: &mut Journals, section: &Section) -> Result<()> {
        let path = paths::journal(&section.log, section.day);
        let stretch = section.load(self.disk).tried("read", &path)?;
        self.done.bytes += stretch.bytes.len() as u64;
        for gap in gaps_of(&stretch) {
            self.manifest.holes.entry(section.log.clone()).or_default().push(gap);
            journals.note_gap(&section.log, gap);
        }
        stretch.each(|met| {
            self.done.records += 1;
            match of_met(&met) {
                Some(odd) => self.odd.add(odd),
                None => merge_met(&mut self.delta, met.read),
            }
        });
        let end = section.end();
        if end > self.manifest.frontier.position(&section.log)
            && let Some(hash) = journals.hash_at(&section.log, end)?
        {
            self.manifest.frontier.0.insert(section.log.clone(), Head { position: end, hash });
        }
        Ok(())
    }

    /// Writes the shards that the delta touches, then the manifest.
    fn flush(
        &mut self,
        lock: &HomeLock,
        journals: &mut Journals,
        pending: &[Section],
        all: bool,
    ) -> Result<()> {
        if self.disk.stat(paths::CHECKPOINT).tried("look at", paths::CHECKPOINT)?.is_none() {
            self.disk.make_folder(paths::CHECKPOINT).tried_to_write(paths::CHECKPOINT, 0)?;
        }
        let delta = std::mem::take(&mut self.delta);
        let mut fresh = Vec::new();
        let mut damaged = BTreeSet::new();
        let touched: BTreeSet<u8> = match all {
            true => self.manifest.shards.keys().chain(delta.keys()).copied().collect(),
            false => delta.keys().copied().collect(),
        };
        let nothing = BTreeMap::new();
        for shard in touched {
            let news = delta.get(&shard).unwrap_or(&nothing);
            if !self.write_merged(shard, news, &mut fresh)? {
                damaged.insert(shard);
            }
        }
        if !damaged.is_empty() {
            self.rebuild(journals, &damaged, &mut fresh)?;
        }
        let mut manifest = self.manifest.clone();
        hold_back(&mut manifest, pending);
        if self.odd != self.odd_before {
            self.odd.write(self.disk)?;
            self.odd_before = self.odd.clone();
        }
        if manifest == self.before && fresh.is_empty() {
            return Ok(());
        }
        self.sync(&fresh)?;
        manifest.write(self.disk)?;
        self.before = manifest.clone();
        self.done.shards += fresh.len();
        let frontier: Vec<(LogId, Head)> =
            manifest.frontier.0.iter().map(|(log, head)| (log.clone(), *head)).collect();
        for (log, head) in frontier {
            journals.mark(&log, head);
            // A mark saves the next start some hashing, no more.
            let _ = journals.save_marks(lock, &log);
        }
        self.remove_unnamed(&manifest)
    }

    /// Joins a shard with its news; `false` when the old one is damaged.
    fn write_merged(
        &mut self,
        shard: u8,
        news: &BTreeMap<Target, Entity>,
        fresh: &mut Vec<String>,
    ) -> Result<bool> {
        let old = match self.manifest.shards.get(&shard) {
            None => Vec::new(),
            Some(info) => match read_shard(self.disk, shard, info) {
                Ok(bytes) => bytes,
                Err(error) if is_damage(&error) => return Ok(false),
                Err(error) => return Err(error),
            },
        };
        match shard::merge(&old, news, paths::CHECKPOINT) {
            Ok(None) => Ok(true),
            Ok(Some(merged)) => self.put(shard, merged, fresh).map(|()| true),
            Err(error) if is_damage(&error) => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn put(&mut self, shard: u8, merged: Merged, fresh: &mut Vec<String>) -> Result<()> {
        let path = paths::shard(shard, merged.info.hash);
        // One that a crash left behind may not be on the disk as it seems.
        if_there(self.disk.remove(&path)).tried("remove", &path)?;
        let written = self.disk.write_at(&path, 0, &merged.bytes, false);
        if let Err(error) = written {
            let _ = self.disk.remove(&path);
            return Err(error).tried_to_write(&path, merged.info.bytes);
        }
        self.manifest.shards.insert(shard, merged.info);
        fresh.push(path);
        Ok(())
    }

    /// Makes shards from all that the journals hold: nothing of them is thrown away yet.
    fn rebuild(
        &mut self,
        journals: &Journals,
        damaged: &BTreeSet<u8>,
        fresh: &mut Vec<String>,
    ) -> Result<()> {
        let delta = from_journals(self.disk, &journals.all_sections(), damaged)?;
        for shard in damaged {
            self.manifest.shards.remove(shard);
            self.done.rebuilt += 1;
            if let Some(news) = delta.get(shard) {
                self.write_merged(*shard, news, fresh)?;
            }
        }
        Ok(())
    }

    fn sync(&self, fresh: &[String]) -> Result<()> {
        if fresh.len() > SINGLE_SYNCS_MAX {
            match self.disk.sync_all() {
                Err(error) if error.kind() == std::io::ErrorKind::Unsupported => {}
                other => return other.tried("sync", paths::CHECKPOINT),
            }
        }
        for path in fresh {
            self.disk.sync(path).tried("sync", path)?;
        }
        self.disk.sync_folder(paths::CHECKPOINT).tried("sync", paths::CHECKPOINT)
    }

    /// Removes what no manifest names. A reader of the old one reads the new one then.
    fn remove_unnamed(&self, manifest: &Manifest) -> Result<()> {
        let named: BTreeSet<String> =
            manifest.shards.iter().map(|(shard, info)| paths::shard(*shard, info.hash)).collect();
        for (name, kind) in self.disk.list(paths::CHECKPOINT).tried("list", paths::CHECKPOINT)? {
            let path = paths::in_checkpoint(&name);
            let ours = name.ends_with(".usv") && path != paths::ODD || name.ends_with(".new");
            if ours && kind == crate::disk::FileKind::File && !named.contains(&path) {
                if_there(self.disk.remove(&path)).tried("remove", &path)?;
            }
        }
        Ok(())
    }
}

fn is_damage(error: &StoreError) -> bool {
    matches!(error, StoreError::Damaged { .. })
}

fn merge_met(delta: &mut Delta, read: Result<cocli_core::Datagram, cocli_core::usv::Odd>) {
    if let Ok(datagram) = read {
        let shard = delta.entry(shard_of(&datagram.target)).or_default();
        shard.entry(datagram.target).or_default().merge(datagram.field, datagram.entry);
    }
}

/// The damaged blocks of a stretch, as positions of its log.
fn gaps_of(stretch: &Stretch) -> Vec<Gap> {
    let section = &stretch.section;
    let cuts = section.cuts();
    let blocks = cuts.windows(2).zip(stretch.blocks()).filter(|(_, block)| block.damaged);
    blocks
        .map(|(cut, _)| Gap {
            from: section.position + cut[0] as u64,
            to: section.position + cut[1] as u64,
        })
        .collect()
}

/// A round that ends before all sections are read must not promise those before the frontier.
fn hold_back(manifest: &mut Manifest, pending: &[Section]) {
    for section in pending {
        let end = section.end();
        if end <= manifest.frontier.position(&section.log) {
            let gap = Gap { from: section.position, to: end };
            manifest.holes.entry(section.log.clone()).or_default().push(gap);
        }
    }
}

/// The winners of some shards by the journals alone.
pub(crate) fn from_journals(
    disk: &dyn Disk,
    sections: &[Section],
    shards: &BTreeSet<u8>,
) -> Result<Delta> {
    let mut delta = Delta::new();
    for section in sections {
        let path = paths::journal(&section.log, section.day);
        section.load(disk).tried("read", &path)?.each(|met| {
            let wanted = |d: &cocli_core::Datagram| shards.contains(&shard_of(&d.target));
            if met.read.as_ref().is_ok_and(wanted) {
                merge_met(&mut delta, met.read);
            }
        });
    }
    Ok(delta)
}
