//! What was kept of many targets: the shelves of their shards, each read once.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, HashMap};

use cocli_core::digest::shard;
use cocli_core::{Entity, Target};
use cocli_store::Disk;
use cocli_store::card::kept::Shelf;
use cocli_store::side::by_side;

use super::look::Look;
use crate::error::Result;

/// Cards that are worked on at once: as many as take a fraction of a second. Each time costs a sync.
const CARDS_AT_ONCE: usize = 4096;
/// Bytes of shelves that are held at once.
const SHELF_BYTES_MAX: usize = 32 * 1024 * 1024;

/// The shelves of some shards.
#[derive(Debug)]
pub(crate) struct Shelves<'d> {
    disk: &'d dyn Disk,
    held: BTreeMap<u8, Shelf>,
}

impl<'d> Shelves<'d> {
    /// The shelf of one target.
    pub(crate) fn of(disk: &'d dyn Disk, target: &Target) -> Result<Self> {
        let shard = shard(target);
        Ok(Self { disk, held: BTreeMap::from([(shard, Shelf::read(disk, shard)?)]) })
    }

    /// Takes some targets off the front of `rest` (which is in the order of [`by_shard`]), and reads what
    /// was kept of them.
    pub(crate) fn next<'t>(
        disk: &'d dyn Disk,
        rest: &mut &'t [Target],
    ) -> Result<(Self, &'t [Target])> {
        let (mut held, mut bytes, mut count) = (BTreeMap::new(), 0, 0);
        for target in rest.iter().take(CARDS_AT_ONCE) {
            let shard = shard(target);
            if let Entry::Vacant(place) = held.entry(shard) {
                if bytes > SHELF_BYTES_MAX {
                    break;
                }
                let shelf = Shelf::read(disk, shard)?;
                bytes += shelf.bytes();
                place.insert(shelf);
            }
            count += 1;
        }
        let (some, others) = rest.split_at(count);
        *rest = others;
        Ok((Self { disk, held }, some))
    }

    /// A look at the files of a target, whose shelf is held.
    pub(crate) fn look(&self, target: &Target) -> Look<'_> {
        static NOTHING: Shelf = Shelf::empty();
        Look { disk: self.disk, shelf: self.held.get(&shard(target)).unwrap_or(&NOTHING) }
    }

    /// Those of the targets whose files somebody touched since they were put in place. What is `known` of
    /// an entity may name its file.
    pub(crate) fn touched<'t>(
        &self,
        targets: &'t [Target],
        known: &HashMap<Target, Entity>,
    ) -> Vec<&'t Target> {
        let nothing = Entity::default();
        let one = |target: &Target| {
            self.look(target).touched(target, known.get(target).unwrap_or(&nothing))
        };
        let touched = by_side(targets, one);
        targets
            .iter()
            .zip(touched)
            .filter_map(|(target, touched)| touched.then_some(target))
            .collect()
    }
}

/// Targets as their cards are best put in place: those together that are kept together, as many at a time
/// as take a fraction of a second.
#[must_use]
pub fn batches(targets: Vec<Target>) -> Vec<Vec<Target>> {
    by_shard(targets).chunks(CARDS_AT_ONCE).map(<[Target]>::to_vec).collect()
}

/// Targets in the order in which they are worked on: shard by shard, so that each shelf is read once.
pub(crate) fn by_shard(targets: impl IntoIterator<Item = Target>) -> Vec<Target> {
    let mut targets: Vec<(u8, Target)> =
        targets.into_iter().map(|target| (shard(&target), target)).collect();
    targets.sort_unstable();
    targets.dedup();
    targets.into_iter().map(|(_, target)| target).collect()
}
