//! Compaction: what the journals gained since the frontier becomes a run above the base, or is folded
//! into the shards that it touches.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};

use cocli_core::digest::shard as shard_of;
use cocli_core::limits::TAIL_BYTES_MAX;
use cocli_core::{Datagram, Entity, Head, LogId, Month, Target, Vector};

use super::fold::{Fold, Folded, sync_all};
use super::gather::{Gathered, gather};
use super::join::{Joining, make_way};
use super::manifest::{Manifest, RunInfo, held_from_start};
use super::means::Means;
use super::odd::OddList;
use super::place::{Merged, remove_unnamed};
use super::renew;
use super::run::{self, Making};
use super::spill::Spill;
use super::turn::Turn;
use crate::disk::{Disk, SharedDisk};
use crate::error::{Result, StoreError, Tried};
use crate::journal::{Gap, Journals, Place, Section};
use crate::lock::HomeLock;
use crate::paths;

/// Above so many new files one sync of the whole file system is cheaper than one of each.
const SINGLE_SYNCS_MAX: usize = 8;

/// A daemon compacts what has grown to this part of the checkpoint, so that what it writes for each byte
/// that came is bounded; but nothing shorter than this.
const TAIL_SHARE: u64 = 16;
const TAIL_BYTES_MIN: u64 = 1024 * 1024;

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
    /// Whether another node's checkpoint was joined.
    pub joined: bool,
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
    let manifest = Manifest::read_or_empty(&**journals.disk(), None)?;
    manifest.covers_bases(journals)?;
    let frontier = journals.standing(&manifest.frontier)?;
    let sections = journals.behind(None, &frontier, &manifest.holes, |_, end| end);
    let logs: BTreeSet<&LogId> = sections.iter().map(|section| &section.log).collect();
    let bytes = sections.iter().map(|section| section.len as u64).sum();
    let run = bytes > 0 && run::absorbed(&manifest, bytes, means).is_some();
    Ok(Pending { bytes, logs: logs.len(), run })
}

/// Hears of a month whose expiring logs could not be merged, and why.
pub type Complain<'a> = dyn FnMut(Month, StoreError) + 'a;

/// How far each log is durable.
type Durable = BTreeMap<LogId, u64>;

/// New winners by shard.
type Delta = BTreeMap<u8, BTreeMap<Target, Entity>>;

/// Merges what is durable in the journals and not yet in the checkpoint, within about `memory`
/// bytes. Killed anywhere it leaves the old checkpoint or the new one.
///
/// # Errors
/// When the disk refuses: the checkpoint is the old one, unless it was a month's that could not be merged, and
/// not what stays.
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
    let turn = my_turn(journals)?;
    with_each_month(|complain| turn.compact(lock, journals, means, complain))
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
    let turn = my_turn(journals)?;
    with_each_month(|complain| turn.repair(lock, journals, means, complain))
}

/// Merges, and gives the first trouble of a month as its own.
fn with_each_month(
    merge: impl FnOnce(&mut Complain<'_>) -> Result<Compacted>,
) -> Result<Compacted> {
    let mut first = None;
    let done = merge(&mut |_, error| {
        first.get_or_insert(error);
    })?;
    first.map_or(Ok(done), Err)
}

pub(super) fn my_turn(journals: &Journals) -> Result<Turn> {
    Turn::try_take(&**journals.disk())?
        .ok_or_else(|| StoreError::Locked { path: paths::COMPACTING.to_owned(), holder: None })
}

impl Turn {
    /// As [`compact_by`], by who has the turn already. Of a month that cannot be merged `complain` hears; all
    /// else is.
    ///
    /// # Errors
    /// When the disk refuses: the checkpoint of what stays is the old one.
    pub fn compact(
        self,
        lock: &HomeLock,
        journals: &mut Journals,
        means: &Means<'_>,
        complain: &mut Complain<'_>,
    ) -> Result<Compacted> {
        merge_new(&self, lock, journals, (means, false), complain)
    }

    /// As [`repair_by`], by who has the turn already, and as [`Turn::compact`].
    ///
    /// # Errors
    /// As [`Turn::compact`].
    pub fn repair(
        self,
        lock: &HomeLock,
        journals: &mut Journals,
        means: &Means<'_>,
        complain: &mut Complain<'_>,
    ) -> Result<Compacted> {
        merge_new(&self, lock, journals, (means, true), complain)
    }
}

fn merge_new(
    turn: &Turn,
    lock: &HomeLock,
    journals: &mut Journals,
    (means, all): (&Means<'_>, bool),
    complain: &mut Complain<'_>,
) -> Result<Compacted> {
    journals.refresh()?;
    journals.sync(lock)?;
    let logs = journals.logs().cloned().collect::<Vec<_>>();
    let durable: Durable =
        logs.into_iter().map(|log| (log.clone(), journals.durable(&log))).collect();
    let mut done = Compacted::default();
    // What stays comes last: its figures are what a person asked for.
    for month in journals.months().into_iter().map(Some).chain([None]) {
        let mut merge = || {
            let begun = Begun::new(turn.again(), journals, &durable, month, None)?;
            let merged = begun.merge_all(journals, means, all)?;
            let one = merged.done;
            merged.place(lock, journals)?.clean_up()?;
            Ok(one)
        };
        match (merge(), month) {
            (Ok(one), _) => done = Compacted { rebuilt: done.rebuilt + one.rebuilt, ..one },
            (Err(error), Some(month)) => complain(month, error),
            (Err(error), None) => return Err(error),
        }
    }
    Ok(done)
}

/// A compaction that nobody waits for: only [`Merged::place`] wants the home's lock, and that waits for no
/// disk. Everybody else writes, cuts and heals meanwhile.
pub struct Begun {
    turn: Turn,
    disk: SharedDisk,
    before: Manifest,
    frontier: Vector,
    sections: Vec<Section>,
    joining: Option<Joining>,
}

impl Begun {
    /// Looks at what there is to merge, up to what is known to be durable here; of a log that is no longer as
    /// `known` says, nothing. Another node's checkpoint is joined along, if all of one has come. Wants no
    /// lock.
    ///
    /// # Errors
    /// When the journals, the manifest or what came cannot be read. [`StoreError::Unheld`] when the manifest is
    /// lost and the history is not held: what came and does not make up for that is taken away.
    pub fn up_to(turn: Turn, journals: &mut Journals, known: &Vector) -> Result<Self> {
        Self::of_month(turn, journals, known, None)
    }

    /// As [`Begun::up_to`], of the logs that expire with a month.
    ///
    /// # Errors
    /// As `up_to`.
    pub fn of_month(
        turn: Turn,
        journals: &mut Journals,
        known: &Vector,
        month: Option<Month>,
    ) -> Result<Self> {
        let known = journals.standing(known)?;
        known.0.iter().for_each(|(log, head)| journals.trust(log, head.position));
        let durable = known.0.into_iter().map(|(log, head)| (log, head.position)).collect();
        let joining = if month.is_none() { Joining::whole(journals)? } else { None };
        Self::new(turn, journals, &durable, month, joining)
    }

    /// Nothing behind `durable` is read.
    fn new(
        turn: Turn,
        journals: &mut Journals,
        durable: &Durable,
        month: Option<Month>,
        joining: Option<Joining>,
    ) -> Result<Self> {
        let disk = journals.disk().clone();
        let before = Manifest::read_or_default(&*disk, month)?;
        let mut frontier = journals.standing(&before.frontier)?;
        if joining.as_ref().is_some_and(|joining| joining.covers_bases) {
            // Whatever is lost here of what is before the bases has come.
            for (log, base) in journals.bases() {
                if frontier.position(log) < base.head.position {
                    frontier.0.insert(log.clone(), base.head);
                }
            }
        } else {
            let covers = joining.as_ref().map(|joining| joining.covers_bases);
            let covered = before.covers_bases(journals);
            covered.inspect_err(|error| make_way(&*disk, covers, error))?;
        }
        let until = |log: &LogId, end: u64| end.min(durable.get(log).copied().unwrap_or(0));
        let sections = journals.behind(month, &frontier, &before.holes, until);
        Ok(Self { turn, disk, before, frontier, sections, joining })
    }

    /// Whether another node's checkpoint is joined along.
    #[must_use]
    pub fn joins(&self) -> bool {
        self.joining.is_some()
    }

    /// Records of this node, one behind the other, that are in no journal any more when the logs go on that
    /// the other node's checkpoint covers, and that it lacks: to be appended to the own log before
    /// [`Begun::merge`]. None, as a rule.
    ///
    /// # Errors
    /// When the journals or what came cannot be read.
    pub fn left_behind(&self, means: &Means<'_>) -> Result<Vec<u8>> {
        let joining = self.joining.as_ref();
        joining.map_or(Ok(Vec::new()), |joining| joining.left_behind(&*self.disk, means))
    }

    /// Bytes of journals to merge.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.sections.iter().map(|section| section.len as u64).sum()
    }

    /// Whether the checkpoint was made by older reading rules, and stands for history that is not held here:
    /// what it holds is to be read by those of today.
    #[must_use]
    pub fn renews(&self) -> bool {
        self.before.is_older()
    }

    /// Bytes of journals from which on a daemon does not wait longer: a part of what a merge of so many
    /// would write, as far as that stays quick to read.
    #[must_use]
    pub fn is_long(&self) -> bool {
        let all = self.before.shard_bytes() + self.before.run_bytes();
        self.bytes() >= (all / TAIL_SHARE).clamp(TAIL_BYTES_MIN, TAIL_BYTES_MAX)
    }

    /// Writes the new files and makes them durable; nothing names them yet. Wants no lock.
    ///
    /// # Errors
    /// When the disk refuses: the checkpoint is the old one.
    pub fn merge(self, journals: &mut Journals, means: &Means<'_>) -> Result<Merged> {
        self.merge_all(journals, means, false)
    }

    /// As [`Begun::merge`]; with `all` it reads every shard and run, and makes anew what is damaged.
    fn merge_all(self, journals: &mut Journals, means: &Means<'_>, all: bool) -> Result<Merged> {
        let (disk, month) = (self.disk.clone(), self.before.month);
        // What a killed one left takes room that this one needs.
        remove_unnamed(&*disk, month)?;
        let covers = self.joining.as_ref().map(|joining| joining.covers_bases);
        self.write(journals, means, all).inspect_err(|error| {
            make_way(&*disk, covers, error);
            let _ = remove_unnamed(&*disk, month);
        })
    }

    fn write(self, journals: &mut Journals, means: &Means<'_>, all: bool) -> Result<Merged> {
        let disk = self.disk.clone();
        make_folders(&*disk, self.before.month)?;
        let alone = self.bytes() <= means.alone_bytes && !all;
        let workers = if alone { 1 } else { means.threads.max(1) };
        let spill = Spill::new(&*disk, means.memory, workers);
        let mut work = Work {
            disk: &*disk,
            means,
            workers,
            before: &self.before,
            manifest: Manifest {
                frontier: self.frontier.clone(),
                holes: BTreeMap::new(),
                ..self.before.clone()
            },
            joining: self.joining.as_ref(),
            taken: Vec::new(),
            done: Compacted::default(),
            fresh: Vec::new(),
            synced: true,
        };
        if let Err(error) = work.merge(journals, &self.sections, &spill, all) {
            let _ = spill.remove();
            return Err(error);
        }
        let written = std::thread::scope(|scope| {
            if workers > 1 {
                scope.spawn(|| spill.remove());
            }
            work.write(journals)
        })?;
        let Work { manifest, taken, done, .. } = work;
        Ok(Merged {
            _turn: self.turn,
            disk: self.disk,
            before: self.before,
            manifest,
            joining: self.joining,
            taken: !taken.is_empty(),
            written,
            done,
        })
    }
}

struct Work<'a> {
    disk: &'a dyn Disk,
    means: &'a Means<'a>,
    workers: usize,
    /// What stands on the disk.
    before: &'a Manifest,
    manifest: Manifest,
    joining: Option<&'a Joining>,
    /// What was odd by older reading rules, and is merged along.
    taken: Vec<Datagram>,
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
        if self.before.is_older() {
            self.renew(spill)?;
        }
        renew::add_taken(spill, &self.taken)?;
        let touched = spill.touched();
        if let Some(joining) = self.joining {
            self.done.joined = true;
            let moves = joining.moves.iter().map(|(log, to)| (log.clone(), to.base.head));
            self.manifest.frontier.0.extend(moves);
            return self.fold(journals, spill, touched, true);
        }
        if self.before.is_older() {
            return self.fold(journals, spill, touched, true);
        }
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
        let before = OddList::read(self.disk, self.before.month)?;
        let mut odd = before.clone();
        for section in sections {
            odd.forget(&section.log, section.position, section.end());
        }
        gathered.odd.into_iter().for_each(|one| odd.add(one));
        self.joining.iter().flat_map(|joining| joining.odd()).for_each(|one| odd.add(one.clone()));
        if self.before.is_older() {
            renew::say_taken(&mut odd);
        }
        if odd != before {
            odd.write(self.disk, self.before.month)?;
        }
        self.taken = renew::taken(&odd);
        self.take_gaps(journals, gathered.gaps);
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

    /// Takes what older reading rules left for records: from here on nothing lies below.
    fn renew(&mut self, spill: &Spill<'_>) -> Result<()> {
        let covered = self.joining.is_some_and(|joining| joining.covers_bases);
        renew::retell(self.disk, self.before, spill, covered)?;
        let frontier = std::mem::take(&mut self.manifest.frontier);
        let holes = std::mem::take(&mut self.manifest.holes);
        self.manifest = Manifest { frontier, holes, ..Manifest::default() };
        Ok(())
    }

    /// What lies below what is new.
    fn below(&self) -> Manifest {
        if self.before.is_older() { Manifest::default() } else { self.before.clone() }
    }

    /// Folds what is new, and every run, into the base.
    fn fold(
        &mut self,
        journals: &mut Journals,
        spill: &Spill<'_>,
        touched: Vec<u8>,
        all: bool,
    ) -> Result<()> {
        let below = self.below();
        let mut shards: BTreeSet<u8> = touched.into_iter().collect();
        shards.extend(below.runs.iter().flat_map(|run| run.parts.keys()));
        shards.extend(self.joining.iter().flat_map(|joining| joining.shards()));
        if all {
            shards.extend(below.shards.keys());
        }
        let fold = Fold {
            disk: self.disk,
            manifest: &below,
            joining: self.joining,
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
    fn fold_again(&mut self, journals: &mut Journals, sections: &[Section]) -> Result<()> {
        let spill = Spill::new(self.disk, self.means.memory, self.workers);
        gather(self.disk, sections, None, (&spill, self.workers), &|_| ())?;
        renew::add_taken(&spill, &self.taken)?;
        let touched = spill.touched();
        self.fold(journals, &spill, touched, false)
    }

    /// Makes shards from all of the journals that the frontier covers: nothing of them is thrown away yet.
    fn rebuild(&mut self, journals: &mut Journals, damaged: &BTreeSet<u8>) -> Result<()> {
        if self.before.is_older() {
            // All that lies below was written a moment ago: the next try reads it once more.
            let path = paths::checkpoint(None);
            let what = "what was gathered of it a moment ago reads otherwise".to_owned();
            return Err(StoreError::Damaged { path, offset: 0, what });
        }
        let covered = self.joining.is_some_and(|joining| joining.covers_bases);
        if let Some(shard) = damaged.first().filter(|_| self.before.month.is_none() && !covered) {
            held_from_start(self.disk, &self.path_of(*shard))?;
        }
        let spill = Spill::new(self.disk, self.means.memory, self.workers);
        let until = |log: &LogId, end: u64| end.min(self.manifest.frontier.position(log));
        let (nothing, month) = (Vector::default(), self.before.month);
        let sections = journals.behind(month, &nothing, &BTreeMap::new(), until);
        let again = gather(self.disk, &sections, Some(damaged), (&spill, self.workers), &|_| ())?;
        renew::add_taken(&spill, &self.taken)?;
        self.take_gaps(journals, again.gaps);
        for shard in damaged {
            self.manifest.shards.remove(shard);
            self.done.rebuilt += 1;
        }
        let nothing = Manifest::of_month(self.before.month);
        let fold = Fold {
            disk: self.disk,
            manifest: &nothing,
            joining: self.joining,
            spill: &spill,
            means: self.means,
            workers: self.workers,
        };
        let folded = fold.run(&damaged.iter().copied().collect::<Vec<_>>())?;
        // Only what was set apart meanwhile lies below: a medium that loses that makes no shard.
        match self.put_shards(folded).first() {
            None => Ok(()),
            Some(shard) => Err(StoreError::Damaged {
                path: paths::checkpoint(self.before.month),
                offset: 0,
                what: format!("what was written of shard {shard:02x} a moment ago reads otherwise"),
            }),
        }
    }

    /// A shard, for who is told of it.
    fn path_of(&self, shard: u8) -> String {
        let base = self.before.shards.get(&shard);
        base.map_or_else(
            || paths::CHECKPOINT.to_owned(),
            |info| paths::shard(self.before.month, shard, info.hash),
        )
    }

    /// Damaged blocks: holes for others to heal, and to be merged then.
    fn take_gaps(&mut self, journals: &mut Journals, gaps: Vec<(LogId, Gap)>) {
        for (log, gap) in gaps {
            journals.note_gap(&log, gap);
            let known = self.manifest.holes.entry(log).or_default();
            if !known.contains(&gap) {
                known.push(gap);
            }
        }
    }

    /// Gives the damaged ones.
    #[must_use]
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

    /// Makes the new files durable and writes the manifest beside its place; gives its name. Nothing where
    /// nothing is new.
    fn write(&mut self, journals: &Journals) -> Result<Option<String>> {
        let frontier = self.manifest.frontier.0.iter();
        let places = frontier.filter_map(|(log, head)| {
            let (day, offset) = journals.stands_at(log, head.position)?;
            Some((log.clone(), Place { day, offset, head: *head }))
        });
        self.manifest.places = places.collect();
        if self.manifest == *self.before && self.fresh.is_empty() {
            return Ok(None);
        }
        self.sync()?;
        self.manifest.write_fresh(self.disk).map(Some)
    }

    fn sync(&self) -> Result<()> {
        let folder = paths::checkpoint(self.before.month);
        if !self.synced {
            if self.fresh.len() > SINGLE_SYNCS_MAX {
                match self.disk.sync_all() {
                    Err(error) if error.kind() == std::io::ErrorKind::Unsupported => {}
                    other => return other.tried("sync", &folder),
                }
            }
            sync_all(self.disk, &self.fresh)?;
        }
        self.disk.sync_folder(&folder).tried("sync", &folder)
    }
}

fn make_folders(disk: &dyn Disk, month: Option<Month>) -> Result<()> {
    for folder in [None, month].map(paths::checkpoint) {
        if disk.stat(&folder).tried("look at", &folder)?.is_none() {
            disk.make_folder(&folder).tried_to_write(&folder, 0)?;
        }
    }
    Ok(())
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
        let path = section.path();
        for piece in section.pieces(STEP_BYTES) {
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

/// Bytes of a journal that are read in one step, of whichever shards.
const STEP_BYTES: usize = 4 * 1024 * 1024;
