//! What expires: each month has logs and a checkpoint of its own, and is read like what stays. What is known
//! of a target is the greatest of all of them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use cocli_core::digest::shard as shard_of;
use cocli_core::{Entity, Month, Target};

use super::{Delta, Reader, join, target_of};
use crate::disk::{Disk, FileKind};
use crate::error::{Result, Tried, if_there};
use crate::paths;

/// Collections that have targets which may expire.
const COLLECTIONS: [&str; 2] = ["nodes", "campaigns"];

/// Whether targets that begin with a text that has a collection in it may expire.
pub(super) fn has(prefix: &str) -> bool {
    prefix.split_once('/').is_some_and(|(collection, _)| COLLECTIONS.contains(&collection))
}

/// The months that have a journal or a checkpoint.
pub(crate) fn months_of(disk: &dyn Disk) -> Result<BTreeSet<Month>> {
    let journals = disk.list(paths::WAL).tried("list", paths::WAL)?;
    let journals = journals.into_iter().filter_map(|(name, _)| paths::journal_of(&name)?.0.month);
    let checkpoints = if_there(disk.list(paths::CHECKPOINT))
        .tried("list", paths::CHECKPOINT)?
        .unwrap_or_default();
    let checkpoints = checkpoints.into_iter().filter(|(_, kind)| *kind == FileKind::Folder);
    Ok(journals.chain(checkpoints.filter_map(|(name, _)| Month::read(&name))).collect())
}

impl Reader {
    /// A reader of each month, as it stands when somebody asks first.
    pub(crate) fn months(&self) -> Result<&[Self]> {
        if self.manifest.month.is_none() && self.months.get().is_none() {
            let mut months = Vec::new();
            for month in months_of(&*self.disk)? {
                let (cluster, node) = self.home.clone();
                months.push(Self::glance_at(Arc::clone(&self.disk), cluster, node, Some(month))?);
            }
            let _ = self.months.set(months);
        }
        Ok(self.months.get().map_or(&[], Vec::as_slice))
    }

    /// Bytes of expiring logs behind their checkpoints.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn expiring_tail_bytes(&self) -> Result<u64> {
        Ok(self.months()?.iter().map(Self::tail_bytes).sum())
    }

    /// The targets of all months that begin with `prefix`.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn expiring_targets(&self, prefix: &str) -> Result<BTreeSet<Target>> {
        Ok(self.expiring(prefix)?.into_keys().collect())
    }

    /// What all months know of targets that begin with `prefix`.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn expiring_entities(&self, prefix: &str) -> Result<BTreeMap<Target, Entity>> {
        self.expiring(prefix)
    }

    /// The winners of all months among targets that begin with `prefix`.
    pub(super) fn expiring(&self, prefix: &str) -> Result<Delta> {
        let mut all = Delta::new();
        for month in if has(prefix) { self.months()? } else { &[] } {
            month.scan(prefix, |target, entity| {
                join(all.entry(target.clone()).or_default(), entity);
            })?;
        }
        Ok(all)
    }

    /// Hands the winners that the logs of a month hold to `take`, by target, each with what all other logs
    /// say of the target. Holds one shard at a time.
    ///
    /// # Errors
    /// When the disk refuses, and what `take` says.
    pub(crate) fn each_going(
        &self,
        month: Month,
        mut take: impl FnMut(&Target, &Entity, Option<&Entity>) -> Result<()>,
    ) -> Result<()> {
        let months = self.months()?;
        let Some(going) = months.iter().find(|one| one.manifest.month == Some(month)) else {
            return Ok(());
        };
        going.each_shard(|shard, found| {
            let others = months.iter().filter(|one| one.manifest.month != Some(month));
            let mut rest = Delta::new();
            for other in others.chain([self]) {
                for (target, entity) in other.expiring_of(shard)? {
                    join(rest.entry(target).or_default(), &entity);
                }
            }
            found.iter().try_for_each(|(target, entity)| take(target, entity, rest.get(target)))
        })
    }

    /// What is known here of the targets of a shard that may expire, its months left aside.
    fn expiring_of(&self, shard: u8) -> Result<Delta> {
        let wanted =
            |line: &[u8]| COLLECTIONS.iter().any(|c| target_of(line).starts_with(c.as_bytes()));
        let mut found = self.shard(shard, &mut { wanted })?;
        for (target, entity) in self.delta().iter().filter(|(target, _)| shard_of(target) == shard)
        {
            join(found.entry(target.clone()).or_default(), entity);
        }
        found.retain(|target, _| target.may_expire());
        Ok(found)
    }
}
