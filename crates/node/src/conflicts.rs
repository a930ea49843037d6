//! Lost updates, worked out from history: the same on every node that holds it.

pub(crate) mod noted;

use std::collections::{BTreeMap, BTreeSet, HashSet};

use cocli_core::conflict::lost;
use cocli_core::digest::text_hash;
use cocli_core::schema::POOL;
use cocli_core::{Datagram, Entry, Field, Kind, Stamp, Target, Value};

use cocli_store::Reader;

use self::noted::Noted;
use crate::change::{Change, Intent};
use crate::error::Result;
use crate::home::Home;

/// Bytes of journals whose datagrams are looked at together: each takes a few times as much memory.
const TOGETHER_BYTES: u64 = 64 * 1024 * 1024;

/// Targets that are asked for one by one, which reads little of the archive; for more of them all is read
/// once.
const ASKED_EACH_MAX: usize = 4;
/// Targets whose state is held at once.
const TARGETS_AT_ONCE: usize = 4096;

/// A field of a target.
pub(crate) type Place = (Target, Field);

/// A field at which values were lost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conflict {
    /// Of which target.
    pub target: Target,
    /// Which field, or element of one.
    pub field: Field,
    /// What stands there, and then what was lost, the newest first.
    pub entries: Vec<Entry>,
    /// Two nodes each wrote the entity anew, with an identity of its own here: they are two.
    pub twins: bool,
}

impl Conflict {
    /// The change that settles it with a value: its datagram names all that was lost.
    #[must_use]
    pub fn settle(&self, value: Value) -> Change {
        let over: Vec<Stamp> = self.entries.iter().map(|entry| entry.stamp.clone()).collect();
        Change::new(self.target.clone(), self.field.clone(), Intent::Settle { value, over })
    }
}

impl Home {
    /// All conflicts of what is not removed, or those of one target, sorted by target and field. Fields
    /// that change by themselves, and those of the program, are left out.
    ///
    /// # Errors
    /// When the journals cannot be read.
    pub fn conflicts(&self, only: Option<&Target>) -> Result<Vec<Conflict>> {
        if let Some(target) = only {
            let note = |reader: &Reader| Ok(Noted::read(&*self.disk, reader.manifest()));
            let noted = self.read(note)?.unwrap_or_default();
            return self.living(self.of_targets(&BTreeSet::from([target.clone()]), &noted)?);
        }
        let look = |reader: &Reader| Ok((Noted::of(&*self.disk, reader)?, reader.manifest().id()));
        let (noted, id) = self.read(look)?;
        let all = match &noted {
            Some(noted) if !noted.many => self.of_targets(&noted.targets(), noted)?,
            _ => self.of_all()?,
        };
        let found = Noted::from(&all);
        if noted.as_ref() != Some(&found) {
            self.note_lost_of(&found, id);
        }
        self.living(all)
    }

    /// From what the journals hold of these targets, what stands there, and what is noted as lost: the
    /// history that told of that may be kept no more.
    fn of_targets(&self, targets: &BTreeSet<Target>, noted: &Noted) -> Result<Vec<Conflict>> {
        self.read(|reader| {
            let mut all = written_of(reader, targets)?;
            for (target, entity) in reader.entities(targets)? {
                all.extend(entity.fields.into_iter().map(|(field, entry)| {
                    let target = target.clone();
                    Datagram { target, field, entry }
                }));
            }
            all.extend(noted.lost_of(targets));
            Ok(among(all))
        })
    }

    /// From all that the journals hold, a part of the targets after the other.
    fn of_all(&self) -> Result<Vec<Conflict>> {
        let bytes: u64 = self.ends()?.values().sum();
        let groups = bytes / TOGETHER_BYTES + 1;
        let mut all = Vec::new();
        for group in 0..groups {
            let of_pool = |target: &[u8]| {
                POOL.iter().any(|pool| {
                    target.strip_prefix(pool.as_bytes()).is_some_and(|rest| rest.starts_with(b"/"))
                })
            };
            let is_in = |_: &[u8], target: &[u8]| {
                of_pool(target) && (groups == 1 || text_hash(target) % groups == group)
            };
            all.extend(among(self.recall(is_in)?));
        }
        all.sort_by(|a, b| (&a.target, &a.field).cmp(&(&b.target, &b.field)));
        match self.history_lost_until()? {
            Some(_) => self.beside_what_stands(all),
            None => Ok(all),
        }
    }

    /// The same where the history that tells of what stands there may be kept no more.
    fn beside_what_stands(&self, all: Vec<Conflict>) -> Result<Vec<Conflict>> {
        let mut found = Vec::new();
        for some in all.chunks(TARGETS_AT_ONCE) {
            let targets = some.iter().map(|conflict| conflict.target.clone()).collect();
            let known = self.read(|reader| reader.entities(&targets))?;
            for conflict in some {
                let stands =
                    known.get(&conflict.target).and_then(|e| e.fields.get(&conflict.field));
                if let Some((winner, lost)) = lost(conflict.entries.iter().chain(stands)) {
                    let entries = std::iter::once(winner).chain(lost).cloned().collect();
                    found.push(Conflict { entries, ..conflict.clone() });
                }
            }
        }
        Ok(found)
    }

    fn living(&self, mut all: Vec<Conflict>) -> Result<Vec<Conflict>> {
        let targets = all.iter().map(|conflict| conflict.target.clone()).collect();
        let removed = self.read(|reader| removed(reader, &targets))?;
        all.retain(|conflict| !removed.contains(&conflict.target));
        Ok(all)
    }
}

/// Those of the targets that somebody removed, or what they stand below.
pub(crate) fn removed(
    reader: &Reader,
    targets: &BTreeSet<Target>,
) -> cocli_store::Result<BTreeSet<Target>> {
    let lineage = |target: &Target| -> Vec<Target> {
        target.lineage().filter_map(|text| Target::read(text).ok()).collect()
    };
    let mut gone = BTreeSet::new();
    for some in targets.iter().collect::<Vec<_>>().chunks(TARGETS_AT_ONCE) {
        let known = reader.entities(&some.iter().flat_map(|target| lineage(target)).collect())?;
        let is_gone = |at: &Target| known.get(at).is_some_and(|e| e.removed().is_some());
        let removed = some.iter().filter(|target| lineage(target).iter().any(is_gone));
        gone.extend(removed.map(|target| (*target).clone()));
    }
    Ok(gone)
}

/// All that the journals hold of some targets.
fn written_of(reader: &Reader, targets: &BTreeSet<Target>) -> cocli_store::Result<Vec<Datagram>> {
    if targets.len() <= ASKED_EACH_MAX {
        let mut all = Vec::new();
        for target in targets {
            all.extend(reader.history(target, None)?.into_iter().map(|placed| placed.datagram));
        }
        return Ok(all);
    }
    let names: HashSet<&[u8]> = targets.iter().map(|t| t.as_str().as_bytes()).collect();
    reader.recall(&|_, target| names.contains(target))
}

/// The conflicts among all that was written of some targets.
pub(crate) fn among(datagrams: Vec<Datagram>) -> Vec<Conflict> {
    let mut written: BTreeMap<Place, Vec<Entry>> = BTreeMap::new();
    for d in datagrams {
        if is_told(&d.target, &d.field) {
            written.entry((d.target, d.field)).or_default().push(d.entry);
        }
    }
    let found = written.iter().filter_map(|((target, field), entries)| {
        let (winner, lost) = lost(entries)?;
        let entries = std::iter::once(winner).chain(lost).cloned().collect();
        let (target, field) = (target.clone(), field.clone());
        Some(Conflict { target, field, entries, twins: false })
    });
    let mut found: Vec<Conflict> = found.collect();
    for conflict in &mut found {
        conflict.twins = crate::split::founders(conflict, &written).is_some();
    }
    found
}

/// Whether a lost value there is told: not of a machine, a task, or a field that changes by itself.
pub(crate) fn is_told(target: &Target, field: &Field) -> bool {
    let quiet = Kind::of(target).is_some_and(|kind| kind.is_quiet(field.base()));
    POOL.contains(&target.collection()) && !quiet && !field.as_str().starts_with('_')
}

#[cfg(test)]
mod tests;
