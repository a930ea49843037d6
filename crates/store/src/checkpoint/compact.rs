//! Compaction: what the journals gained since the frontier becomes a run above the base, or is folded
//! into the shards that it touches.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};

use cocli_core::digest::shard as shard_of;
use cocli_core::{Entity, Head, LogId, Target};

use super::fold::{Fold, Folded, sync_all};
use super::gather::{Gathered, gather};
use super::manifest::{Manifest, RunInfo};
use super::means::Means;
use super::odd::OddList;
use super::run::{self, Making};
use super::spill::Spill;
use crate::disk::{Disk, FileKind};
use crate::error::{Result, StoreError, Tried, if_there};
use crate::journal::{Journals, Place, Section};
use crate::lock::HomeLock;
use crate::paths;

/// Above so many new files one sync of the whole file system is cheaper than one of each.
const SINGLE_SYNCS_MAX: usize = 8;

/// What a compaction did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Compacted {
    /// Bytes of journals read.
    pub bytes: u64,
    /// Records among them, odd ones included.
    pub records: u64,
    /// Shards written.
    pub shards: usize,
    /// Whether what is new became a run above the shards.
    pub run: bool,
    /// Shards that were damaged and made anew from the journals.
    pub rebuilt: usize,
}

/// What a compaction would do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Pending {
    /// Bytes of journals behind the checkpoint.
    pub bytes: u64,
    /// Logs that they are of.
    pub logs: usize,
    /// Whether they would become a run; else they are merged into the shards.
    pub run: bool,
}

/// Looks what there is to merge. Changes nothing.
///
/// # Errors
/// When the journals cannot be read.
pub fn pending(journals: &mut Journals, means: &Means<'_>) -> Result<Pending> {
    journals.refresh()?;
    let manifest = Manifest::read_or_empty(&**journals.disk())?;
    let frontier = journals.standing(&manifest.frontier)?;
    let sections = journals.behind(&frontier, &manifest.holes);
    let logs: BTreeSet<&LogId> = sections.iter().map(|section| &section.log).collect();
    let bytes = sections.iter().map(|section| section.len as u64).sum();
    let run = bytes > 0 && run::absorbed(&manifest, bytes, means).is_some();
    Ok(Pending { bytes, logs: logs.len(), run })
}

/// New winners by shard.
type Delta = BTreeMap<u8, BTreeMap<Target, Entity>>;

/// Merges what is durable in the journals and not yet in the checkpoint, within about `memory`
/// bytes. Killed anywhere it leaves the old checkpoint or the new one.
///
/// # Errors
/// When the disk refuses: the checkpoint is the old one.
pub fn compact(lock: &HomeLock, journals: &mut Journals, memory: usize) -> Result<Compacted> {
    compact_by(lock, journals, &Means::within(memory))
}

/// As [`compact`], by the means that are given.
///
/// # Errors
/// As [`compact`].
pub fn compact_by(
    lock: &HomeLock,
    journals: &mut Journals,
    means: &Means<'_>,
) -> Result<Compacted> {
    merge_new(lock, journals, means, false)
}

/// As [`compact`], and reads every shard and run: those that are damaged are made anew.
///
/// # Errors
/// As [`compact`].
pub fn repair(lock: &HomeLock, journals: &mut Journals, memory: usize) -> Result<Compacted> {
    repair_by(lock, journals, &Means::within(memory))
}

/// As [`repair`], by the means that are given.
///
/// # Errors
/// As [`compact`].
pub fn repair_by(lock: &HomeLock, journals: &mut Journals, means: &Means<'_>) -> Result<Compacted> {
    merge_new(lock, journals, means, true)
}

fn merge_new(
    lock: &HomeLock,
    journals: &mut Journals,
    means: &Means<'_>,
    all: bool,
) -> Result<Compacted> {
    journals.refresh()?;
    journals.sync(lock)?;
    let disk = journals.disk().clone();
    let before = Manifest::read_or_empty(&*disk)?;
    let frontier = journals.standing(&before.frontier)?;
    let mut sections = journals.behind(&frontier, &before.holes);
    sections.retain(|section| section.end() <= journals.durable(&section.log));
    if disk.stat(paths::CHECKPOINT).tried("look at", paths::CHECKPOINT)?.is_none() {
        disk.make_folder(paths::CHECKPOINT).tried_to_write(paths::CHECKPOINT, 0)?;
    }
    let bytes: u64 = sections.iter().map(|section| section.len as u64).sum();
    let workers = if bytes <= means.alone_bytes && !all { 1 } else { means.threads.max(1) };
    let spill = Spill::new(&*disk, means.memory, workers);
    let manifest = Manifest { frontier, holes: BTreeMap::new(), ..before.clone() };
    let done = Compacted::default();
    let mut work = Work {
        disk: &*disk,
        means,
        workers,
        before: &before,
        manifest,
        done,
        fresh: Vec::new(),
        synced: true,
    };
    let merged = work.merge(journals, &sections, &spill, all);
    if let Err(error) = merged {
        let _ = spill.remove();
        return Err(error);
    }
    std::thread::scope(|scope| {
        // To take away a long file takes long.
        if workers > 1 {
            scope.spawn(|| spill.remove());
        }
        work.finish(lock, journals)
    })?;
    Ok(work.done)
}

struct Work<'a> {
    disk: &'a dyn Disk,
    means: &'a Means<'a>,
    workers: usize,
    /// What stands on the disk.
    before: &'a Manifest,
    manifest: Manifest,
    done: Compacted,
    /// New files that are not durable yet, unless they are `synced`.
    fresh: Vec<String>,
    synced: bool,
}

impl Work<'_> {
    fn merge(
        &mut self,
        journals: &mut Journals,
        sections: &[Section],
        spill: &Spill<'_>,
        all: bool,
    ) -> Result<()> {
        let total: u64 = sections.iter().map(|section| section.len as u64).sum();
        let read = AtomicU64::new(0);
        let seen = |bytes: u64| {
            let read = read.fetch_add(bytes, Ordering::Relaxed) + bytes;
            self.means.progress.iter().for_each(|progress| progress(read, total));
        };
        let gathered = gather(self.disk, sections, None, (spill, self.workers), &seen)?;
        self.take(journals, sections, gathered)?;
        let touched = spill.touched();
        if touched.is_empty() && !all {
            return Ok(());
        }
        let absorbed = run::absorbed(self.before, spill.bytes(), self.means).filter(|_| !all);
        let Some(absorbed) = absorbed else { return self.fold(journals, spill, touched, all) };
        let (disk, workers) = (self.disk, self.workers);
        let making = Making { disk, manifest: self.before, spill, absorbed: &absorbed, workers };
        match making.write() {
            // Its lines are gone from the memory: they are read once more.
            Err(error) if is_damage(&error) => self.fold_again(journals, sections),
            run => {
                self.put_run(&absorbed, run?);
                Ok(())
            }
        }
    }

    /// Odd records, damaged blocks and the new frontier.
    fn take(
        &mut self,
        journals: &mut Journals,
        sections: &[Section],
        gathered: Gathered,
    ) -> Result<()> {
        self.done.bytes = gathered.bytes;
        self.done.records = gathered.records;
        let before = OddList::read(self.disk)?;
        let mut odd = before.clone();
        for section in sections {
            odd.forget(&section.log, section.position, section.end());
        }
        gathered.odd.into_iter().for_each(|one| odd.add(one));
        if odd != before {
            odd.write(self.disk)?;
        }
        for (log, gap) in gathered.gaps {
            journals.note_gap(&log, gap);
            self.manifest.holes.entry(log).or_default().push(gap);
        }
        for section in sections {
            let end = section.end();
            if end > self.manifest.frontier.position(&section.log)
                && let Some(hash) = journals.hash_at(&section.log, end)?
            {
                self.manifest.frontier.0.insert(section.log.clone(), Head { position: end, hash });
            }
        }
        Ok(())
    }

    fn put_run(&mut self, absorbed: &BTreeSet<usize>, run: Option<(String, RunInfo)>) {
        let Some((path, info)) = run else { return };
        let mut at = 0..;
        self.manifest.runs.retain(|_| !at.next().is_some_and(|at| absorbed.contains(&at)));
        self.manifest.runs.push(info);
        self.fresh.push(path);
        self.synced = false;
        self.done.run = true;
    }

    /// Folds what is new, and every run, into the base.
    fn fold(
        &mut self,
        journals: &Journals,
        spill: &Spill<'_>,
        touched: Vec<u8>,
        all: bool,
    ) -> Result<()> {
        let mut shards: BTreeSet<u8> = touched.into_iter().collect();
        shards.extend(self.before.runs.iter().flat_map(|run| run.parts.keys()));
        if all {
            shards.extend(self.before.shards.keys());
        }
        let fold = Fold {
            disk: self.disk,
            manifest: self.before,
            spill,
            means: self.means,
            workers: self.workers,
        };
        let folded = fold.run(&shards.into_iter().collect::<Vec<_>>())?;
        self.manifest.runs.clear();
        let damaged = self.put_shards(folded);
        if damaged.is_empty() { Ok(()) } else { self.rebuild(journals, &damaged) }
    }

    /// A file below is damaged, and what is new was read already: it is read again, to be folded.
    fn fold_again(&mut self, journals: &Journals, sections: &[Section]) -> Result<()> {
        let spill = Spill::new(self.disk, self.means.memory, self.workers);
        gather(self.disk, sections, None, (&spill, self.workers), &|_| ())?;
        let touched = spill.touched();
        self.fold(journals, &spill, touched, false)
    }

    /// Makes shards from all that the journals hold: nothing of them is thrown away yet.
    fn rebuild(&mut self, journals: &Journals, damaged: &BTreeSet<u8>) -> Result<()> {
        let spill = Spill::new(self.disk, self.means.memory, self.workers);
        let sections = journals.all_sections();
        gather(self.disk, &sections, Some(damaged), (&spill, self.workers), &|_| ())?;
        for shard in damaged {
            self.manifest.shards.remove(shard);
            self.done.rebuilt += 1;
        }
        let nothing = Manifest::default();
        let fold = Fold {
            disk: self.disk,
            manifest: &nothing,
            spill: &spill,
            means: self.means,
            workers: self.workers,
        };
        let folded = fold.run(&damaged.iter().copied().collect::<Vec<_>>())?;
        self.put_shards(folded);
        Ok(())
    }

    /// Gives the damaged ones.
    fn put_shards(&mut self, folded: Folded) -> BTreeSet<u8> {
        for (shard, info) in folded.shards {
            match info {
                Some(info) => self.manifest.shards.insert(shard, info),
                None => self.manifest.shards.remove(&shard),
            };
        }
        self.done.shards += folded.fresh.len();
        self.synced &= folded.synced || folded.fresh.is_empty();
        self.fresh.extend(folded.fresh);
        folded.damaged
    }

    /// Makes the new files durable and puts the manifest in place; then the old ones go.
    fn finish(&mut self, lock: &HomeLock, journals: &mut Journals) -> Result<()> {
        let frontier = self.manifest.frontier.0.iter();
        let places = frontier.filter_map(|(log, head)| {
            let (day, offset) = journals.stands_at(log, head.position)?;
            Some((log.clone(), Place { day, offset, head: *head }))
        });
        self.manifest.places = places.collect();
        if self.manifest == *self.before && self.fresh.is_empty() {
            return self.remove_unnamed();
        }
        self.sync()?;
        self.manifest.write(self.disk)?;
        let frontier: Vec<(LogId, Head)> =
            self.manifest.frontier.0.iter().map(|(log, head)| (log.clone(), *head)).collect();
        for (log, head) in frontier {
            journals.mark(&log, head);
            // A mark saves the next start some hashing, no more.
            let _ = journals.save_marks(lock, &log);
        }
        self.remove_unnamed()
    }

    fn sync(&self) -> Result<()> {
        if !self.synced {
            if self.fresh.len() > SINGLE_SYNCS_MAX {
                match self.disk.sync_all() {
                    Err(error) if error.kind() == std::io::ErrorKind::Unsupported => {}
                    other => return other.tried("sync", paths::CHECKPOINT),
                }
            }
            sync_all(self.disk, &self.fresh)?;
        }
        self.disk.sync_folder(paths::CHECKPOINT).tried("sync", paths::CHECKPOINT)
    }

    /// Removes what the manifest does not name. A reader of the old one reads the new one then.
    fn remove_unnamed(&self) -> Result<()> {
        let named = self.manifest.files();
        for (name, kind) in self.disk.list(paths::CHECKPOINT).tried("list", paths::CHECKPOINT)? {
            let path = paths::in_checkpoint(&name);
            let ours = name.ends_with(".usv") && path != paths::ODD || name.ends_with(".new");
            if ours && kind == FileKind::File && !named.contains(&path) {
                if_there(self.disk.remove(&path)).tried("remove", &path)?;
            }
        }
        Ok(())
    }
}

pub(super) fn is_damage(error: &StoreError) -> bool {
    matches!(error, StoreError::Damaged { .. })
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
        for piece in section.pieces(PIECE_BYTES) {
            piece.load(disk).tried("read", &path)?.each(|met| {
                if let Ok(datagram) = met.read
                    && shards.contains(&shard_of(&datagram.target))
                {
                    let shard = delta.entry(shard_of(&datagram.target)).or_default();
                    let entity = shard.entry(datagram.target).or_default();
                    entity.merge(datagram.field, datagram.entry);
                }
            });
        }
    }
    Ok(delta)
}

/// Bytes of a journal that are read in one step.
const PIECE_BYTES: usize = 4 * 1024 * 1024;
