//! Which values were lost unseen, noted beside the checkpoint, so that nobody reads the journals to count
//! them: docs/formats.md, "cache/lost.usv". Derived: anybody may delete it.

use std::collections::{BTreeMap, BTreeSet};

use cocli_core::conflict::lost;
use cocli_core::limits::{LOST_NOTED_BYTES_MAX, LOST_NOTED_MAX, TAIL_BYTES_MAX};
use cocli_core::{Causality, Datagram, Entry, Target, usv};
use cocli_store::checkpoint::Manifest;
use cocli_store::{Disk, Reader, paths, sidecar};

use super::{Conflict, Place, is_told, removed, written_of};
use crate::error::Result;
use crate::home::{Home, replace};

/// Bytes behind a checkpoint that are compared with it while somebody waits for the compaction, and the
/// bytes of one with which more are: each target costs a look into it.
const WAITED_BYTES_MAX: u64 = 256 * 1024;
const SMALL_BYTES: u64 = 64 * 1024 * 1024;

/// What was lost, as far as the datagrams are known here.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Noted {
    /// What was lost at a place.
    lost: BTreeMap<Place, Vec<Entry>>,
    /// There is more of it than is noted: then nothing is.
    pub(crate) many: bool,
}

/// What was met at places.
type Late = BTreeMap<Place, Vec<Entry>>;

/// What the file says then.
const MANY: &[u8] = b"many";

/// How much was lost unseen, as far as it is noted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Losses {
    /// Fields at which something was.
    pub fields: usize,
    /// There are more than are counted.
    pub many: bool,
    /// Targets that may be two entities: two nodes gave each an identity where they saw none.
    pub twins: Vec<Target>,
}

/// Whether the journals are soon asked of what came late: of few targets by the archive's index, else all of
/// a history that is not long.
fn is_quick(reader: &Reader, late: &Late) -> bool {
    let targets: BTreeSet<&Target> = late.keys().map(|(target, _)| target).collect();
    targets.len() <= super::ASKED_EACH_MAX || reader.manifest().bytes() <= SMALL_BYTES
}

impl Noted {
    /// What is noted up to the end of the journals; `None` when that is not known without reading them all.
    pub(crate) fn of(disk: &dyn Disk, reader: &Reader) -> cocli_store::Result<Option<Self>> {
        match Self::with_news(disk, reader)? {
            Some((noted, late)) if is_quick(reader, &late) => noted.sure(reader, late).map(Some),
            _ => Ok(None),
        }
    }

    /// The same before a compaction that somebody waits for.
    pub(crate) fn quickly(disk: &dyn Disk, reader: &Reader) -> cocli_store::Result<Option<Self>> {
        let small = reader.manifest().bytes() <= SMALL_BYTES;
        if !small && reader.tail_bytes() > WAITED_BYTES_MAX {
            return Ok(None);
        }
        match Self::with_news(disk, reader)? {
            Some((noted, late)) if is_quick(reader, &late) => noted.sure(reader, late).map(Some),
            _ => Ok(None),
        }
    }

    /// What these conflicts are.
    pub(crate) fn from(conflicts: &[Conflict]) -> Self {
        let lost = conflicts.iter().map(|conflict| {
            let place = (conflict.target.clone(), conflict.field.clone());
            (place, conflict.entries.iter().skip(1).cloned().collect())
        });
        Self { lost: lost.collect(), many: false }
    }

    /// What is noted beside a checkpoint.
    pub(crate) fn read(disk: &dyn Disk, manifest: &Manifest) -> Option<Self> {
        if *manifest == Manifest::default() {
            return Some(Self::default());
        }
        let rest = sidecar::read(disk, paths::LOST, manifest)?;
        let mut noted = Self { many: rest == MANY, ..Self::default() };
        for record in usv::records(&rest) {
            let Datagram { target, field, entry } = usv::read(record.bytes).ok()?;
            noted.lost.entry((target, field)).or_default().push(entry);
        }
        Some(noted)
    }

    /// The file, for a checkpoint.
    fn text(&self, id: u128) -> Vec<u8> {
        let mut records = Vec::new();
        for ((target, field), entries) in &self.lost {
            for entry in entries {
                let (target, field) = (target.clone(), field.clone());
                usv::write(&Datagram { target, field, entry: entry.clone() }, &mut records);
                records.push(b'\n');
            }
        }
        let count = self.lost.values().map(Vec::len).sum::<usize>();
        if self.many || count > LOST_NOTED_MAX || records.len() > LOST_NOTED_BYTES_MAX {
            records = MANY.to_vec();
        }
        sidecar::text(id, &records)
    }

    /// What is noted with what stands behind the checkpoint; and what was met at places where something is lost
    /// that came late: who saw it may have been replaced before, and then it is not lost.
    fn with_news(disk: &dyn Disk, reader: &Reader) -> cocli_store::Result<Option<(Self, Late)>> {
        let Some(mut noted) = Self::read(disk, reader.manifest()) else { return Ok(None) };
        let mut late = Late::new();
        if noted.many {
            return Ok(Some((noted, late)));
        }
        if reader.tail_bytes() > TAIL_BYTES_MAX {
            return Ok(None);
        }
        let mut news: BTreeMap<Place, Vec<Entry>> = BTreeMap::new();
        reader.each_behind(|d| {
            if is_told(&d.target, &d.field) {
                news.entry((d.target, d.field)).or_default().push(d.entry);
            }
        });
        let covered = reader.covered(&news.keys().map(|(target, _)| target.clone()).collect())?;
        for (place, mut entries) in news {
            let winner = covered.get(&place.0).and_then(|entity| entity.fields.get(&place.1));
            let before = noted.lost.remove(&place).unwrap_or_default();
            entries.extend(winner.into_iter().chain(&before).cloned());
            let Some((_, lost)) = lost(&entries) else { continue };
            let is_late = |entry: &&Entry| winner.is_some_and(|winner| *entry < winner);
            let came_late = lost.iter().any(|entry| is_late(entry) && !before.contains(entry));
            noted.lost.insert(place.clone(), lost.into_iter().cloned().collect());
            if came_late {
                late.insert(place, entries);
            }
        }
        Ok(Some((noted, late)))
    }

    /// Asks the journals about what came late.
    fn sure(mut self, reader: &Reader, mut late: Late) -> cocli_store::Result<Self> {
        let targets: BTreeSet<Target> = late.keys().map(|(target, _)| target.clone()).collect();
        for d in written_of(reader, &targets)? {
            if let Some(entries) = late.get_mut(&(d.target, d.field)) {
                entries.push(d.entry);
            }
        }
        for (place, entries) in late {
            match lost(&entries) {
                Some((_, lost)) => self.lost.insert(place, lost.into_iter().cloned().collect()),
                None => self.lost.remove(&place),
            };
        }
        Ok(self)
    }

    /// The targets of which something may be lost.
    pub(crate) fn targets(&self) -> BTreeSet<Target> {
        self.lost.keys().map(|(target, _)| target.clone()).collect()
    }

    /// What was lost of some targets.
    pub(crate) fn lost_of(&self, targets: &BTreeSet<Target>) -> Vec<Datagram> {
        let of_them = self.lost.iter().filter(|((target, _), _)| targets.contains(target));
        let all = of_them.flat_map(|((target, field), entries)| {
            entries.iter().map(|entry| {
                let (target, field, entry) = (target.clone(), field.clone(), entry.clone());
                Datagram { target, field, entry }
            })
        });
        all.collect()
    }

    fn losses(&self, reader: &Reader) -> cocli_store::Result<Losses> {
        let mut losses = Losses { many: self.many, ..Losses::default() };
        let removed = removed(reader, &self.targets())?;
        for ((target, field), lost) in &self.lost {
            if removed.contains(target) {
                continue;
            }
            losses.fields += 1;
            let founded =
                |entry: &Entry| entry.causality == Causality::nothing() && !entry.value.is_null();
            if crate::split::is_identity(target, field)
                && lost.iter().any(founded)
                && losses.twins.last() != Some(target)
            {
                losses.twins.push(target.clone());
            }
        }
        Ok(losses)
    }
}

impl Home {
    /// How much was lost unseen, as many as [`Home::conflicts`] lists. The journals are asked only where something
    /// came late; `None` when all of them would have to be read, until `conflicts` has.
    ///
    /// # Errors
    /// When the disk cannot be read.
    pub fn losses(&self) -> Result<Option<Losses>> {
        self.read(|reader| match Noted::of(&*self.disk, reader)? {
            Some(noted) => noted.losses(reader).map(Some),
            None => Ok(None),
        })
    }

    /// Notes what was lost, beside the checkpoint of this id, which it was made for. That it cannot be
    /// written costs the next one who asks a look at the journals.
    pub(crate) fn note_lost_of(&self, noted: &Noted, id: u128) {
        let text = noted.text(id);
        if !Manifest::read(&*self.disk).is_ok_and(|manifest| manifest.id() == id) {
            // Whoever put another one there notes what goes with that.
            return;
        }
        if self.disk.read(paths::LOST).is_ok_and(|there| there == text) {
            return;
        }
        let made = self.disk.make_folder(paths::CACHE);
        let _ = made.map(|()| replace(&*self.disk, paths::LOST, &text));
    }
}
