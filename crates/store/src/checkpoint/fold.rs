//! Folding: what is new, and the runs, into the base shards.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError, mpsc};

use super::ShardInfo;
use super::compact::is_damage;
use super::join::Joining;
use super::manifest::Manifest;
use super::means::Means;
use super::output::{Output, Put};
use super::sort::Winners;
use super::source::{END, Piece, Source, merge};
use super::spill::Spill;
use crate::disk::Disk;
use crate::error::{Result, Tried, if_there};
use crate::paths;
use crate::side::side_by_side;

/// Bytes of a shard that are read or written in one step, at most.
const STEP_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Bytes of lines that are sorted at a time, at most: their places are numbers of 32 bits.
const SORT_BYTES_MAX: usize = 1024 * 1024 * 1024;

/// Makes files durable.
pub(super) fn sync_all(disk: &dyn Disk, paths: &[String]) -> Result<()> {
    let paths: Vec<&str> = paths.iter().map(String::as_str).collect();
    let results = disk.sync_each(&paths);
    paths.iter().zip(results).try_for_each(|(path, result)| result.tried("sync", path))
}

/// What folding needs.
pub(super) struct Fold<'a> {
    pub(super) disk: &'a dyn Disk,
    /// What stands below.
    pub(super) manifest: &'a Manifest,
    /// Another node's checkpoint, whose lines are merged along.
    pub(super) joining: Option<&'a Joining>,
    pub(super) spill: &'a Spill<'a>,
    pub(super) means: &'a Means<'a>,
    pub(super) workers: usize,
}

/// What became of the shards.
#[derive(Debug, Default)]
pub(super) struct Folded {
    /// As they are now; `None` for one without lines.
    pub(super) shards: Vec<(u8, Option<ShardInfo>)>,
    /// New files.
    pub(super) fresh: Vec<String>,
    /// Of these a file below is not what the manifest says.
    pub(super) damaged: BTreeSet<u8>,
    /// Whether the new files are durable already.
    pub(super) synced: bool,
}

impl Fold<'_> {
    /// Folds some shards, several at a time. Where there is much to write, each new file is made durable
    /// while others are still sorted.
    pub(super) fn run(&self, shards: &[u8]) -> Result<Folded> {
        if self.workers == 1 || self.spill.bytes() < self.means.beside_bytes {
            return self.fold(shards, &|_| ());
        }
        std::thread::scope(|scope| {
            let (send, receive) = mpsc::channel::<String>();
            let syncing = scope.spawn(move || {
                while let Ok(first) = receive.recv() {
                    let paths: Vec<String> =
                        [first].into_iter().chain(receive.try_iter()).collect();
                    sync_all(self.disk, &paths)?;
                }
                Ok(())
            });
            let send = Mutex::new(send);
            let mut folded = self.fold(shards, &|path| {
                let _ = send.lock().unwrap_or_else(PoisonError::into_inner).send(path.to_owned());
            });
            drop(send);
            let synced = syncing.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            if let Ok(folded) = &mut folded {
                folded.synced = true;
            }
            folded.and_then(|folded| synced.map(|()| folded))
        })
    }

    fn fold(&self, shards: &[u8], put: &(dyn Fn(&str) + Sync)) -> Result<Folded> {
        let next = AtomicUsize::new(0);
        let all = Mutex::new(Folded::default());
        side_by_side(self.workers, &|| {
            let mut buffer = Vec::new();
            while let Some(shard) = shards.get(next.fetch_add(1, Ordering::Relaxed)) {
                let folded = self.one(*shard, &mut buffer);
                let mut all = all.lock().unwrap_or_else(PoisonError::into_inner);
                match folded {
                    Err(error) if is_damage(&error) => {
                        all.damaged.insert(*shard);
                    }
                    Err(error) => {
                        // Nobody begins another one.
                        next.store(shards.len(), Ordering::Relaxed);
                        return Err(error);
                    }
                    Ok(None) => all.shards.push((*shard, None)),
                    Ok(Some(Put { path, info })) => {
                        path.iter().for_each(|path| put(path));
                        all.fresh.extend(path);
                        all.shards.push((*shard, Some(info)));
                    }
                }
            }
            Ok(())
        })?;
        Ok(all.into_inner().unwrap_or_else(PoisonError::into_inner))
    }

    /// Folds one shard; gives its path, if it was written, and what it is.
    fn one(&self, shard: u8, buffer: &mut Vec<u8>) -> Result<Option<Put>> {
        let most = (self.means.memory / 8 / self.workers).clamp(1, SORT_BYTES_MAX);
        let (mut apart, mut last) = (Vec::new(), Vec::new());
        self.spill.each_part(shard, most, |part| {
            let full = std::mem::replace(&mut last, part);
            if !full.is_empty() {
                apart.push(self.set_apart(shard, apart.len(), &full)?);
            }
            Ok(())
        })?;
        let mut pieces = self.manifest.pieces(shard);
        pieces.extend(apart.iter().cloned());
        pieces.extend(self.joining.iter().flat_map(|joining| joining.pieces(shard)));
        let step = (most / (pieces.len() + 2)).min(STEP_BYTES_MAX);
        let mut sources = vec![Source::memory(Winners::of(&last).sorted())];
        for piece in pieces {
            sources.push(Source::file(self.disk, piece, step)?);
        }
        let mut output = Output::new(
            self.disk,
            (self.manifest.month, shard),
            step.max(1),
            std::mem::take(buffer),
        );
        merge(sources, |line| output.put(line))?;
        let done = output.done(self.manifest.shards.get(&shard), buffer)?;
        for piece in apart {
            self.disk.remove(&piece.path).tried("remove", &piece.path)?;
        }
        Ok(done)
    }

    /// Writes the winners of some chunks into a file of their own, sorted.
    fn set_apart(&self, shard: u8, number: usize, chunks: &[Vec<u8>]) -> Result<Piece> {
        let mut bytes = Vec::new();
        for line in Winners::of(chunks).sorted() {
            bytes.extend_from_slice(line.bytes);
            bytes.extend_from_slice(&END);
        }
        let path = paths::unfinished(self.manifest.month, shard, Some(number));
        if_there(self.disk.remove(&path)).tried("remove", &path)?;
        self.disk.write_at(&path, 0, &bytes, false).tried_to_write(&path, bytes.len() as u64)?;
        let hash = cocli_core::digest::hash(&bytes);
        Ok(Piece { path, offset: 0, bytes: bytes.len() as u64, hash })
    }
}
