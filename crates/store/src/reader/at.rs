//! The state as it was when each log was held up to some place and no farther: what two nodes compare.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::{Arc, OnceLock};

use cocli_core::{ClusterId, Entity, Head, LogId, NodeId, StateDigest, Target, Vector, usv};

use super::{Reader, join, shard_of, target_of};
use crate::checkpoint::Manifest;
use crate::disk::SharedDisk;
use crate::error::{Result, Tried};
use crate::journal::Journals;

/// Bytes behind the checkpoint, of logs that are held up to these heads; nothing where it covers more of one.
fn bytes_behind(manifest: &Manifest, vector: &Vector) -> Option<u64> {
    let behind = |(log, head): (&LogId, &Head)| head.position - manifest.frontier.position(log);
    vector.covers(&manifest.frontier).then(|| vector.0.iter().map(behind).sum())
}

impl Reader {
    /// What the logs that stay say up to these heads. Nothing where that cannot be told: more of a log is merged
    /// already, less of one is held, or a part of one is damaged; and where more than `most` bytes would have
    /// to be read behind the checkpoint.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn at(
        disk: SharedDisk,
        cluster: ClusterId,
        node: NodeId,
        (vector, most): (&Vector, u64),
    ) -> Result<Option<Self>> {
        let manifest = Manifest::read_or_empty(&*disk, None)?;
        let few = bytes_behind(&manifest, vector).is_some_and(|bytes| bytes <= most);
        if !few || !manifest.holes.is_empty() {
            return Ok(None);
        }
        let home = (cluster, node.clone());
        let opened =
            Journals::open_behind(Arc::clone(&disk), cluster, node, (None, &manifest.places));
        let mut journals = opened?;
        manifest.covers_bases(&journals)?;
        for (log, head) in &vector.0 {
            let merged = manifest.frontier.get(log) == Some(*head);
            if !merged && journals.hash_at(log, head.position)? != Some(head.hash) {
                return Ok(None);
            }
        }
        let frontier = journals.standing(&manifest.frontier)?;
        let until = |log: &LogId, end: u64| end.min(vector.position(log));
        let mut tail = Vec::new();
        for section in journals.behind(None, &frontier, &BTreeMap::new(), until) {
            let stretch = section.load(&*disk).tried("read", &section.path())?;
            if stretch.blocks().any(|block| block.damaged) {
                return Ok(None);
            }
            tail.push(stretch);
        }
        let (all, delta, months) = (OnceLock::new(), OnceLock::new(), OnceLock::new());
        Ok(Some(Self { disk, manifest, tail, home, all, delta, looks: 0.into(), months }))
    }

    /// All that stays in a shard.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn in_shard(&self, shard: u8) -> Result<BTreeMap<Target, Entity>> {
        let mut found = self.shard(shard, &mut |_| true)?;
        for (target, news) in self.delta().iter().filter(|(target, _)| shard_of(target) == shard) {
            join(found.entry(target.clone()).or_default(), news);
        }
        Ok(found)
    }

    /// The shards that hold anything.
    #[must_use]
    pub fn shards(&self) -> BTreeSet<u8> {
        let mut shards = self.manifest.touched();
        shards.extend(self.delta().keys().map(shard_of));
        shards
    }

    /// What the checkpoint holds of targets of which there is news, by one reading of their shard.
    pub(super) fn under_news(
        &self,
        shard: u8,
        news: &[(&Target, &Entity)],
    ) -> Result<BTreeMap<Target, Entity>> {
        let names: HashSet<&[u8]> = news.iter().map(|(name, _)| name.as_str().as_bytes()).collect();
        self.pieces_of(shard, &mut |line| names.contains(target_of(line)))
    }
}

/// The sum of what is known of a target, as it counts in the digest of the state.
#[must_use]
pub fn sum_of(target: &Target, entity: &Entity) -> StateDigest {
    let mut sum = StateDigest::default();
    for (field, entry) in &entity.fields {
        sum.add(usv::line_of(target, field, entry).as_bytes());
    }
    sum
}
