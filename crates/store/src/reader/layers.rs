//! The state in layers, for who keeps something of each in a file of its own: the base shards, which change
//! seldom; what the runs above them touch; what the journals behind the checkpoint touch. An entity that a
//! layer touches stands there whole, with all below it, so that the layers below have nothing to say of it.

use std::collections::{BTreeSet, HashSet};
use std::ops::{ControlFlow, RangeInclusive};

use cocli_core::digest::{Hasher, shard_of_hash, text_hash};
use cocli_core::{Entity, Target};

use super::{Delta, Reader, join, target_of};
use crate::checkpoint::{Ordered, lines};
use crate::error::Result;

/// So many entities are looked up one by one; for more all lines are passed once.
const LOOKED_UP_MAX: usize = 500;

/// What stands above the base shards.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layer {
    /// The runs of the checkpoint.
    Runs,
    /// The journals behind it.
    Tail,
}

impl Reader {
    /// Bytes of some base shards.
    #[must_use]
    pub fn base_bytes(&self, shards: RangeInclusive<u8>) -> u64 {
        self.manifest.shards.range(shards).map(|(_, info)| info.bytes).sum()
    }

    /// What tells the content of some base shards from any other.
    #[must_use]
    pub fn base_key(&self, shards: RangeInclusive<u8>) -> u128 {
        let mut hasher = Hasher::default();
        for (shard, info) in self.manifest.shards.range(shards) {
            hasher.add(&[*shard]);
            hasher.add(&info.hash.to_be_bytes());
        }
        hasher.done()
    }

    /// What tells the content of a layer from any other; nothing where it has none.
    #[must_use]
    pub fn layer_key(&self, layer: Layer) -> Option<u128> {
        let mut hasher = Hasher::default();
        hasher.add(&self.base_key(0..=u8::MAX).to_be_bytes());
        for run in &self.manifest.runs {
            hasher.add(&run.hash.to_be_bytes());
        }
        match layer {
            Layer::Runs => (!self.manifest.runs.is_empty()).then(|| hasher.done()),
            Layer::Tail => (self.tail_bytes() > 0).then(|| {
                self.tail.iter().for_each(|stretch| hasher.add(&stretch.bytes));
                hasher.done()
            }),
        }
    }

    /// Hands the targets of some base shards to `take`, in the order of their bytes, as they stand there.
    ///
    /// # Errors
    /// When the disk refuses, or a shard is damaged: what was handed on before counts for nothing then.
    pub fn base_in_order<B>(
        &self,
        shards: RangeInclusive<u8>,
        mut take: impl FnMut(&Target, &Entity) -> ControlFlow<B>,
    ) -> Result<ControlFlow<B>> {
        let shards = self.manifest.shards.range(shards);
        let pieces = shards.map(|(shard, info)| info.piece(None, *shard)).collect();
        let mut ordered = self.or_replaced(Ordered::of(&*self.disk, pieces))?;
        while let Some((target, entity)) = self.or_replaced(ordered.take())? {
            let flow = take(&target, &entity);
            if flow.is_break() {
                return Ok(flow);
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    /// Hands every target of the entities that a layer touches to `take`, in the order of their bytes, each with
    /// all that this layer and those below it know.
    ///
    /// # Errors
    /// As [`Reader::base_in_order`].
    pub fn layer_in_order<B>(
        &self,
        layer: Layer,
        mut take: impl FnMut(&Target, &Entity) -> ControlFlow<B>,
    ) -> Result<ControlFlow<B>> {
        let nothing = Delta::new();
        let news = if layer == Layer::Tail { self.delta() } else { &nothing };
        let named: BTreeSet<&str> = news.keys().map(Target::entity).collect();
        if layer == Layer::Tail && named.len() <= LOOKED_UP_MAX {
            let mut found = Delta::new();
            for entity in named.into_iter().filter_map(|entity| Target::read(entity).ok()) {
                found.append(&mut self.base(&entity, true)?);
            }
            for (target, more) in news {
                join(found.entry(target.clone()).or_default(), more);
            }
            let mut flows = found.iter().map(|(target, entity)| take(target, entity));
            return Ok(flows.find(ControlFlow::is_break).unwrap_or(ControlFlow::Continue(())));
        }
        let touched = self.touched(layer)?;
        let shards: BTreeSet<u8> = touched.iter().map(|hash| shard_of_hash(*hash)).collect();
        let pieces = shards.into_iter().flat_map(|shard| self.manifest.pieces(shard)).collect();
        let ordered = self.or_replaced(Ordered::of(&*self.disk, pieces))?;
        self.together(ordered, news, |target| touched.contains(&entity_hash(target)), take)
    }

    /// The hashes of the entities that a layer touches.
    fn touched(&self, layer: Layer) -> Result<HashSet<u64>> {
        if layer == Layer::Tail {
            let entities = self.delta().keys().map(|target| text_hash(target.entity().as_bytes()));
            return Ok(entities.collect());
        }
        let mut touched = HashSet::new();
        for shard in self.manifest.touched() {
            for piece in self.manifest.runs.iter().filter_map(|run| run.piece(None, shard)) {
                let bytes = self.or_replaced(piece.read(&*self.disk))?;
                touched.extend(lines(&bytes).map(|line| entity_hash(target_of(line))));
            }
        }
        Ok(touched)
    }
}

/// The hash of the entity that a target is, or stands below.
fn entity_hash(target: &[u8]) -> u64 {
    let end = memchr::memchr_iter(b'/', target).nth(1).unwrap_or(target.len());
    text_hash(&target[..end])
}
