//! How much there is: entities that live, values, and their digest. What the checkpoint says of the first is counted
//! once for each checkpoint and kept beside it (docs/formats.md, "cache/living.usv"); what the journals behind it
//! change is reckoned against it, so that a look costs what is new.

use cocli_core::entity::DELETED;
use cocli_core::usv::{self, Line};
use cocli_core::{Entity, StateDigest, Target};

use super::{Delta, Reader, join, sum_of};
use crate::error::{Result, StoreError};
use crate::side::by_side;
use crate::{paths, sidecar};

/// From so many bytes of a checkpoint on it pays to keep what was counted.
const KEPT_BYTES_MIN: u64 = 1024 * 1024;

/// How much there is in a state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tally<const N: usize> {
    /// Entities that are neither removed nor empty, of each collection that was asked for.
    pub living: [usize; N],
    /// Values, removed ones too.
    pub values: u64,
    /// What sameness is said of.
    pub digest: StateDigest,
}

/// Of the lines in a shard, those that decide whether a target lives: all that need to be read.
fn deciding() -> impl FnMut(&[u8]) -> bool {
    let (mut target, mut told) = (Vec::new(), false);
    move |line| {
        // Shards hold canonical text, and their hash was checked.
        let Some(line) = Line::of(line) else { return true };
        if target != line.target() {
            target.clear();
            target.extend_from_slice(line.target());
            told = false;
        }
        let (field, is_element) = (line.field(), line.field().contains(&b'.'));
        // A plain field that has a value is enough to show it.
        let first = !told && !is_element && !field.starts_with(b"_") && line.value() != b"null";
        told |= first;
        first || is_element || field == DELETED.as_bytes()
    }
}

/// The place of the collection that a target counts in, if it does.
fn place(collections: &[&str], target: &Target) -> Option<usize> {
    collections.iter().position(|c| *c == target.collection()).filter(|_| target.is_entity())
}

/// Whether an entity is neither removed nor empty.
fn lives(entity: &Entity) -> bool {
    entity.is_shown() && entity.removed().is_none()
}

impl<const N: usize> Tally<N> {
    /// Takes what is new of a target of which `before` was known.
    fn take(
        &mut self,
        collections: [&str; N],
        target: &Target,
        before: Option<&Entity>,
        news: &Entity,
    ) {
        for (field, entry) in &news.fields {
            let old = before.and_then(|before| before.fields.get(field));
            match old {
                Some(old) if entry <= old => continue,
                Some(old) => self.digest.subtract(usv::line_of(target, field, old).as_bytes()),
                None => self.values += 1,
            }
            self.digest.add(usv::line_of(target, field, entry).as_bytes());
        }
        let Some(place) = place(&collections, target) else { return };
        let mut after = before.cloned().unwrap_or_default();
        join(&mut after, news);
        match (before.is_some_and(lives), lives(&after)) {
            (false, true) => self.living[place] += 1,
            (true, false) => self.living[place] = self.living[place].saturating_sub(1),
            _ => {}
        }
    }
}

impl Reader {
    /// How much there is, and how many entities of each collection live.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn tally<const N: usize>(&self, collections: [&str; N]) -> Result<Tally<N>> {
        match self.tally_of_news(collections) {
            // What the checkpoint says of itself no longer tells what stands there.
            Err(StoreError::Damaged { .. }) => self.tally_of_all(collections),
            tally => tally,
        }
    }

    fn tally_of_news<const N: usize>(&self, collections: [&str; N]) -> Result<Tally<N>> {
        let (values, digest) = (self.manifest.lines(), self.manifest.digest());
        let mut tally = Tally { living: self.living(collections)?, values, digest };
        let nothing = Delta::new();
        for (shard, news) in self.news_of("", &nothing) {
            let before = self.under_news(shard, &news)?;
            for (target, news) in news {
                tally.take(collections, target, before.get(target), news);
            }
        }
        Ok(tally)
    }

    fn tally_of_all<const N: usize>(&self, collections: [&str; N]) -> Result<Tally<N>> {
        let mut tally = Tally { living: [0; N], values: 0, digest: StateDigest::default() };
        self.each_shard(|_, found| {
            for (target, entity) in found {
                tally.digest.join(sum_of(target, entity));
                tally.values += entity.fields.len() as u64;
                if let Some(place) = place(&collections, target).filter(|_| lives(entity)) {
                    tally.living[place] += 1;
                }
            }
            Ok(())
        })?;
        Ok(tally)
    }

    /// How many entities live by what the checkpoint alone says.
    fn living<const N: usize>(&self, collections: [&str; N]) -> Result<[usize; N]> {
        if N == 0 {
            return Ok([0; N]);
        }
        let kept = self.manifest.month.is_none() && self.manifest.bytes() >= KEPT_BYTES_MIN;
        if let Some(living) = kept.then(|| self.kept(collections)).flatten() {
            return Ok(living);
        }
        let living = self.count(collections)?;
        if kept {
            let lines = collections.iter().zip(living).map(|(of, count)| format!("{of} {count}\n"));
            let text = sidecar::text(self.manifest.id(), lines.collect::<String>().as_bytes());
            sidecar::write(&*self.disk, paths::LIVING, &text);
        }
        Ok(living)
    }

    /// What was counted before.
    fn kept<const N: usize>(&self, collections: [&str; N]) -> Option<[usize; N]> {
        let text = sidecar::read(&*self.disk, paths::LIVING, &self.manifest)?;
        let text = std::str::from_utf8(&text).ok()?;
        let mut living = [0; N];
        for (of, living) in collections.iter().zip(&mut living) {
            let mut counts = text.lines().filter_map(|line| line.split_once(' '));
            *living = counts.find(|(name, _)| name == of)?.1.parse().ok()?;
        }
        Some(living)
    }

    fn count<const N: usize>(&self, collections: [&str; N]) -> Result<[usize; N]> {
        let shards: Vec<u8> = self.manifest.touched().into_iter().collect();
        let counts = by_side(&shards, |shard| {
            let mut counts = [0; N];
            for (target, entity) in self.pieces_of(*shard, &mut deciding())? {
                let place = place(&collections, &target).filter(|_| entity.removed().is_none());
                let Some(place) = place else { continue };
                // What seemed to show it may be a set that was emptied: then another line may.
                let whole =
                    || Ok(self.base(&target, false)?.get(&target).is_some_and(Entity::is_shown));
                if entity.is_shown() || whole()? {
                    counts[place] += 1;
                }
            }
            Ok(counts)
        });
        counts.into_iter().try_fold([0; N], |mut all, counts: Result<[usize; N]>| {
            all.iter_mut().zip(counts?).for_each(|(all, count)| *all += count);
            Ok(all)
        })
    }
}
