//! Many targets at once: each shard is read once.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use cocli_core::digest::shard as shard_of;
use cocli_core::{Entity, Target};

use super::{Delta, Reader, SINGLE_LOOKS_MAX, join, target_of};
use crate::error::Result;
use crate::side::by_side;

/// Targets of one shard that are looked up one by one; for more of them it is read through.
const LOOKED_UP_MAX: usize = 4;

impl Reader {
    /// What is known of some targets: all their fields, removed ones too; nothing of one that is unknown.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn entities(&self, targets: &BTreeSet<Target>) -> Result<BTreeMap<Target, Entity>> {
        let mut all = self.covered(targets)?;
        if targets.len() > SINGLE_LOOKS_MAX as usize {
            self.delta();
        }
        for target in targets {
            let mut entity = all.remove(target).unwrap_or_default();
            self.add_news(target, &mut entity);
            if !entity.fields.is_empty() {
                all.insert(target.clone(), entity);
            }
        }
        for target in targets.iter().filter(|target| target.may_expire()) {
            for month in self.months()? {
                let entity = month.entity(target)?;
                if !entity.fields.is_empty() {
                    join(all.entry(target.clone()).or_default(), &entity);
                }
            }
        }
        Ok(all)
    }

    /// What the checkpoint alone holds of some targets.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn covered(&self, targets: &BTreeSet<Target>) -> Result<BTreeMap<Target, Entity>> {
        let mut shards: BTreeMap<u8, Vec<&Target>> = BTreeMap::new();
        for target in targets {
            shards.entry(shard_of(target)).or_default().push(target);
        }
        let shards: Vec<(u8, Vec<&Target>)> = shards.into_iter().collect();
        let found = by_side(&shards, |(shard, targets)| self.entities_of(*shard, targets));
        let mut all = BTreeMap::new();
        for found in found {
            all.extend(found?);
        }
        Ok(all)
    }

    /// What the checkpoint holds of some targets of a shard.
    fn entities_of(&self, shard: u8, targets: &[&Target]) -> Result<Delta> {
        if targets.len() <= LOOKED_UP_MAX {
            let mut found = Delta::new();
            for target in targets {
                found.extend(self.base(target, false)?);
            }
            return Ok(found);
        }
        let names: HashSet<&[u8]> =
            targets.iter().map(|target| target.as_str().as_bytes()).collect();
        let mut found = self.shard(shard, &mut |line| names.contains(target_of(line)))?;
        found.retain(|target, _| names.contains(target.as_str().as_bytes()));
        Ok(found)
    }

    /// What `take` makes of each shard that holds anything, on all processors.
    ///
    /// # Errors
    /// When the disk refuses, and what `take` says.
    pub fn by_shard<R: Send>(
        &self,
        take: impl Fn(u8, &BTreeMap<Target, Entity>) -> Result<R> + Sync,
    ) -> Result<Vec<R>> {
        let nothing = Delta::new();
        let news = self.news_of("", &nothing);
        let mut shards = self.manifest.touched();
        shards.extend(news.keys());
        let shards: Vec<u8> = shards.into_iter().collect();
        let one = |shard: &u8| {
            let mut found = self.shard(*shard, &mut |_| true)?;
            for (target, entity) in news.get(shard).into_iter().flatten() {
                join(found.entry((*target).clone()).or_default(), entity);
            }
            take(*shard, &found)
        };
        by_side(&shards, one).into_iter().collect()
    }
}
