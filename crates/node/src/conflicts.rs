//! Lost updates, worked out from history: the same on every node that holds it.

use std::collections::BTreeMap;

use cocli_core::conflict::lost;
use cocli_core::digest::text_hash;
use cocli_core::schema::POOL;
use cocli_core::{Datagram, Entry, Field, Kind, Stamp, Target, Value};

use crate::change::{Change, Intent};
use crate::error::Result;
use crate::home::Home;

/// Bytes of journals whose datagrams are looked at together: each takes a few times as much memory.
const TOGETHER_BYTES: u64 = 256 * 1024 * 1024;

/// A field at which values were lost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conflict {
    /// Of which target.
    pub target: Target,
    /// Which field, or element of one.
    pub field: Field,
    /// What stands there, and then what was lost, the newest first.
    pub entries: Vec<Entry>,
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
            return self.among(self.history(Some(target), None)?);
        }
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
            all.extend(self.among(self.recall(is_in)?)?);
        }
        all.sort_by(|a, b| (&a.target, &a.field).cmp(&(&b.target, &b.field)));
        Ok(all)
    }

    fn among(&self, datagrams: Vec<Datagram>) -> Result<Vec<Conflict>> {
        let mut written: BTreeMap<(Target, Field), Vec<Entry>> = BTreeMap::new();
        for d in datagrams {
            if is_told(&d.target, &d.field) {
                written.entry((d.target, d.field)).or_default().push(d.entry);
            }
        }
        let found = written.into_iter().filter_map(|((target, field), entries)| {
            let (winner, lost) = lost(&entries)?;
            let entries = std::iter::once(winner).chain(lost).cloned().collect();
            Some(Conflict { target, field, entries })
        });
        let found: Vec<Conflict> = found.collect();
        self.read(|reader| {
            let mut living = Vec::new();
            for conflict in &found {
                if reader.removed(&conflict.target)?.is_none() {
                    living.push(conflict.clone());
                }
            }
            Ok(living)
        })
    }
}

fn is_told(target: &Target, field: &Field) -> bool {
    let quiet = Kind::of(target).is_some_and(|kind| kind.is_quiet(field.base()));
    !quiet && !field.as_str().starts_with('_')
}
