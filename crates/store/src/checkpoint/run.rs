//! Sorted runs: what is new above a large base, so that ten thousand datagrams do not rewrite a
//! million companies.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use cocli_core::StateDigest;
use cocli_core::digest::hash;
use cocli_core::limits::RUNS_MAX;
use cocli_core::usv::Line;

use super::manifest::{Manifest, RunInfo};
use super::means::Means;
use super::shard::find_each;
use super::sort::Winners;
use super::source::{END, Source, merge};
use super::spill::Spill;
use crate::disk::Disk;
use crate::error::{Result, Tried, if_there};
use crate::paths;
use crate::side::side_by_side;

/// Which runs are merged with `bytes` of new lines into one, by their places; `None` when everything
/// is to be folded into the base.
pub(super) fn absorbed(
    manifest: &Manifest,
    bytes: u64,
    means: &Means<'_>,
) -> Option<BTreeSet<usize>> {
    let base = manifest.shard_bytes();
    let above = manifest.run_bytes() + bytes;
    if base < means.whole_bytes || base == 0 || above.saturating_mul(means.share) > base {
        return None;
    }
    let most = (means.memory / 4) as u64;
    let mut by_size: Vec<usize> = (0..manifest.runs.len()).collect();
    by_size.sort_by_key(|at| manifest.runs[*at].bytes);
    let (mut sum, mut absorbed) = (bytes, BTreeSet::new());
    for at in by_size {
        let left = manifest.runs.len() - absorbed.len();
        let run = manifest.runs[at].bytes;
        // Each run is at least as long as all shorter ones together: few runs, each line moved seldom. With
        // little memory they stay apart for as long as there are few.
        if left < RUNS_MAX && (run > sum || sum + run > most) {
            break;
        }
        sum += run;
        absorbed.insert(at);
    }
    (sum <= most).then_some(absorbed)
}

/// What a run needs.
pub(super) struct Making<'a> {
    pub(super) disk: &'a dyn Disk,
    pub(super) manifest: &'a Manifest,
    pub(super) spill: &'a Spill<'a>,
    pub(super) absorbed: &'a BTreeSet<usize>,
    pub(super) workers: usize,
}

/// The lines of one shard in a run, and what they change.
#[derive(Default)]
struct Part {
    bytes: Vec<u8>,
    fresh: u64,
    digest: StateDigest,
}

impl Making<'_> {
    /// Writes the run, unsynced, and gives its path; nothing when there is nothing in it.
    ///
    /// # Errors
    /// [`crate::StoreError::Damaged`] when a file below is not what the manifest says.
    pub(super) fn write(&self) -> Result<Option<(String, RunInfo)>> {
        let mut shards: BTreeSet<u8> = self.spill.touched().into_iter().collect();
        for at in self.absorbed {
            shards.extend(self.manifest.runs[*at].parts.keys());
        }
        let parts = self.parts(&shards.into_iter().collect::<Vec<_>>())?;
        let mut bytes = Vec::new();
        let mut info = RunInfo {
            hash: 0,
            bytes: 0,
            fresh: 0,
            digest: StateDigest::default(),
            parts: BTreeMap::new(),
        };
        for at in self.absorbed {
            info.fresh += self.manifest.runs[*at].fresh;
            info.digest.join(self.manifest.runs[*at].digest);
        }
        for (shard, part) in parts.into_iter().filter(|(_, part)| !part.bytes.is_empty()) {
            info.fresh += part.fresh;
            info.digest.join(part.digest);
            info.parts.insert(shard, (part.bytes.len() as u64, hash(&part.bytes)));
            bytes.extend_from_slice(&part.bytes);
        }
        if bytes.is_empty() {
            return Ok(None);
        }
        (info.bytes, info.hash) = (bytes.len() as u64, hash(&bytes));
        let path = paths::run(self.manifest.month, info.hash);
        if self.manifest.runs.iter().all(|run| run.hash != info.hash) {
            if_there(self.disk.remove(&path)).tried("remove", &path)?;
            let written = self.disk.write_at(&path, 0, &bytes, false);
            written.tried_to_write(&path, info.bytes).inspect_err(|_| {
                let _ = self.disk.remove(&path);
            })?;
        }
        Ok(Some((path, info)))
    }

    fn parts(&self, shards: &[u8]) -> Result<BTreeMap<u8, Part>> {
        let (next, parts) = (AtomicUsize::new(0), Mutex::new(BTreeMap::new()));
        side_by_side(self.workers, &|| {
            while let Some(shard) = shards.get(next.fetch_add(1, Ordering::Relaxed)) {
                let part = self.part(*shard).inspect_err(|_| {
                    next.store(shards.len(), Ordering::Relaxed);
                })?;
                parts.lock().unwrap_or_else(PoisonError::into_inner).insert(*shard, part);
            }
            Ok(())
        })?;
        Ok(parts.into_inner().unwrap_or_else(PoisonError::into_inner))
    }

    fn part(&self, shard: u8) -> Result<Part> {
        let mut chunks = Vec::new();
        self.spill.each_part(shard, usize::MAX, |part| {
            chunks.extend(part);
            Ok(())
        })?;
        let news = Winners::of(&chunks).sorted();
        let mut olds: Vec<Option<Vec<u8>>> = vec![None; news.len()];
        for piece in self.manifest.pieces(shard) {
            find_each(self.disk, &piece, &news, |at, line| {
                if olds[at].as_deref().is_none_or(|old| line > old) {
                    olds[at] = Some(line.to_vec());
                }
            })?;
        }
        let mut part = Part::default();
        let mut kept: Vec<Line<'_>> = Vec::new();
        for (new, old) in news.into_iter().zip(&olds) {
            match old.as_deref() {
                Some(old) if old >= new.bytes => continue,
                Some(old) => part.digest.subtract(old),
                None => part.fresh += 1,
            }
            part.digest.add(new.bytes);
            kept.push(new);
        }
        let mut sources = vec![Source::memory(kept)];
        let absorbed = self.absorbed.iter().map(|at| &self.manifest.runs[*at]);
        for piece in absorbed.filter_map(|run| run.piece(self.manifest.month, shard)) {
            let step = usize::try_from(piece.bytes).unwrap_or(usize::MAX);
            sources.push(Source::file(self.disk, piece, step)?);
        }
        merge(sources, |line| {
            part.bytes.extend_from_slice(line.bytes);
            part.bytes.extend_from_slice(&END);
            Ok(())
        })?;
        Ok(part)
    }
}
