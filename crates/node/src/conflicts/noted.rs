//! Which values were lost unseen, noted beside the checkpoint, so that nobody reads the journals to count
//! them: docs/formats.md, "cache/lost.usv". Derived: anybody may delete it.

use std::collections::{BTreeMap, BTreeSet};

use cocli_core::conflict::lost;
use cocli_core::digest::hash;
use cocli_core::limits::{LOST_NOTED_BYTES_MAX, LOST_NOTED_MAX, TAIL_BYTES_MAX};
use cocli_core::{Causality, Datagram, Entry, Field, Target, usv};
use cocli_store::checkpoint::Manifest;
use cocli_store::{Disk, Reader, paths};

use super::{Conflict, Place, is_told};
use crate::error::Result;
use crate::home::{Home, replace};

/// Bytes behind a checkpoint that are compared with it while somebody waits for the compaction, and the
/// bytes of one with which more are: each target costs a look into it.
const WAITED_BYTES_MAX: u64 = 256 * 1024;
const SMALL_BYTES: u64 = 64 * 1024 * 1024;

/// What may have been lost: all that was, and what somebody saw whose word was replaced before the value
/// came here.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Noted {
    /// What was lost at a place.
    lost: BTreeMap<Place, Vec<Entry>>,
    /// There is more of it than is noted: then nothing is.
    pub(crate) many: bool,
}

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

impl Noted {
    /// What is noted up to the end of the journals; `None` when that is not known without reading them.
    pub(crate) fn of(disk: &dyn Disk, reader: &Reader) -> cocli_store::Result<Option<Self>> {
        let manifest = reader.manifest();
        let Some(noted) = Self::read(disk, manifest) else { return Ok(None) };
        if noted.many {
            return Ok(Some(noted));
        }
        match reader.tail_bytes() <= TAIL_BYTES_MAX {
            true => noted.with_news(reader).map(Some),
            false => Ok(None),
        }
    }

    /// The same before a compaction that somebody waits for.
    pub(crate) fn quickly(disk: &dyn Disk, reader: &Reader) -> cocli_store::Result<Option<Self>> {
        let little = reader.tail_bytes() <= WAITED_BYTES_MAX;
        match little || reader.manifest().bytes() <= SMALL_BYTES {
            true => Self::of(disk, reader),
            false => Ok(None),
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

    fn read(disk: &dyn Disk, manifest: &Manifest) -> Option<Self> {
        if *manifest == Manifest::default() {
            return Some(Self::default());
        }
        let bytes = disk.read(paths::LOST).ok()?;
        let end = memchr::memchr(b'\n', &bytes)?;
        let (head, rest) = (&bytes[..end], &bytes[end + 1..]);
        (head == head_of(manifest.id(), rest).as_bytes()).then_some(())?;
        let mut noted = Self { many: rest == MANY, ..Self::default() };
        for record in usv::records(rest) {
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
        [head_of(id, &records).as_bytes(), b"\n", &records].concat()
    }

    /// Takes in what stands behind the checkpoint.
    fn with_news(mut self, reader: &Reader) -> cocli_store::Result<Self> {
        let mut news: BTreeMap<Target, BTreeMap<Field, Vec<Entry>>> = BTreeMap::new();
        reader.each_behind(|d| {
            if is_told(&d.target, &d.field) {
                news.entry(d.target).or_default().entry(d.field).or_default().push(d.entry);
            }
        });
        for (target, fields) in news {
            let covered = reader.covered(&target)?;
            for (field, mut entries) in fields {
                entries.extend(covered.fields.get(&field).cloned());
                let place = (target.clone(), field);
                entries.extend(self.lost.remove(&place).unwrap_or_default());
                if let Some((_, lost)) = lost(&entries) {
                    self.lost.insert(place, lost.into_iter().cloned().collect());
                }
            }
        }
        Ok(self)
    }

    /// The targets of which something may be lost.
    pub(crate) fn targets(&self) -> BTreeSet<&Target> {
        self.lost.keys().map(|(target, _)| target).collect()
    }

    fn losses(&self, reader: &Reader) -> cocli_store::Result<Losses> {
        let mut losses = Losses { many: self.many, ..Losses::default() };
        let mut removed: BTreeMap<&Target, bool> = BTreeMap::new();
        for ((target, field), lost) in &self.lost {
            let gone = match removed.get(target) {
                Some(gone) => *gone,
                None => reader.removed(target)?.is_some(),
            };
            removed.insert(target, gone);
            if gone {
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

/// Which checkpoint the rest goes with, and that it is whole.
fn head_of(id: u128, rest: &[u8]) -> String {
    format!("{id:032x} {:032x}", hash(rest))
}

impl Home {
    /// How much was lost unseen, as far as it can be told without reading the journals; `None` when it
    /// cannot, until [`Home::conflicts`] has read them.
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
        if self.disk.read(paths::LOST).is_ok_and(|there| there == text) {
            return;
        }
        let made = self.disk.make_folder(paths::CACHE);
        let _ = made.map(|()| replace(&*self.disk, paths::LOST, &text));
    }
}
