//! Lines that wait to be merged, by shard: in memory as far as it reaches, then in a file of each
//! worker that is thrown away. What is read back from it is checked: it may be the medium that rots.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use cocli_core::Datagram;
use cocli_core::digest::{hash, shard_of_hash, text_hash};
use cocli_core::usv::{self, Line};

use crate::disk::Disk;
use crate::error::{Result, StoreError, Tried, if_there};
use crate::paths;
use crate::side::side_by_side;

/// Base shards.
pub(super) const SHARDS: usize = cocli_core::limits::SHARDS;
/// Bytes of lines of one shard that a worker holds back, at most; one line may be longer.
const CHUNK_BYTES_MAX: usize = 128 * 1024;
/// Bytes of lines of one shard that a worker puts together before they go to their chunk, at most: those of all
/// shards stay in the caches of a core, and a chunk, which does not, is met once for many lines.
const STAGE_BYTES_MAX: usize = 2048;
/// What stands before a line in a chunk: its length, the hash of its target, the places of its names.
const HEAD_BYTES: usize = 14;

/// Lines of one shard, one behind the other.
#[derive(Debug)]
enum Chunk {
    Here(Vec<u8>),
    There { worker: usize, at: u64, len: usize, hash: u128 },
}

/// Where lines are gathered; workers hand it their chunks.
pub(super) struct Spill<'a> {
    disk: &'a dyn Disk,
    shards: Vec<Mutex<Vec<Chunk>>>,
    /// Bytes that may stay in memory.
    room: u64,
    workers: usize,
    stage_bytes: usize,
    chunk_bytes: usize,
    held: AtomicU64,
    opened: AtomicUsize,
    lines: [AtomicU64; SHARDS],
    bytes: AtomicU64,
}

impl<'a> Spill<'a> {
    /// `memory` is shared by chunks that stay and by what `workers` hold back.
    pub(super) fn new(disk: &'a dyn Disk, memory: usize, workers: usize) -> Self {
        let each = memory / 4 / (workers.max(1) * SHARDS);
        let stage_bytes = (each / 2).min(STAGE_BYTES_MAX);
        Self {
            disk,
            shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
            room: (memory / 2) as u64,
            workers,
            stage_bytes,
            chunk_bytes: (each - stage_bytes).min(CHUNK_BYTES_MAX),
            held: AtomicU64::new(0),
            opened: AtomicUsize::new(0),
            lines: [const { AtomicU64::new(0) }; SHARDS],
            bytes: AtomicU64::new(0),
        }
    }

    /// A worker's own open chunks, of `only` these shards, where it is given.
    pub(super) fn open<'s>(&'s self, only: Option<&'s BTreeSet<u8>>) -> Open<'s, 'a> {
        let worker = self.opened.fetch_add(1, Ordering::Relaxed);
        let chunks = vec![Vec::new(); SHARDS];
        let stages = vec![0; SHARDS * self.stage_bytes];
        let staged = [0; SHARDS];
        Open {
            spill: self,
            only,
            worker,
            written: 0,
            stages,
            staged,
            chunks,
            bytes: 0,
            lines: [0; SHARDS],
        }
    }

    /// The shards that lines were gathered of.
    pub(super) fn touched(&self) -> Vec<u8> {
        let there = |shard: &u8| self.lines[usize::from(*shard)].load(Ordering::Relaxed) > 0;
        (0..=u8::MAX).filter(there).collect()
    }

    /// Bytes of all lines gathered.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Takes the lines of a shard out, in pieces of about `most` bytes; `take` is called at least once.
    pub(super) fn each_part(
        &self,
        shard: u8,
        most: usize,
        mut take: impl FnMut(Vec<Vec<u8>>) -> Result<()>,
    ) -> Result<()> {
        let chunks = &self.shards[usize::from(shard)];
        let chunks = std::mem::take(&mut *chunks.lock().unwrap_or_else(PoisonError::into_inner));
        let (mut part, mut len) = (Vec::new(), 0);
        for chunk in chunks {
            let chunk = self.load(chunk)?;
            if len > 0 && len + chunk.len() > most {
                take(std::mem::take(&mut part))?;
                len = 0;
            }
            len += chunk.len();
            part.push(chunk);
        }
        take(part)
    }

    fn load(&self, chunk: Chunk) -> Result<Vec<u8>> {
        let (worker, at, len, expected) = match chunk {
            Chunk::Here(bytes) => return Ok(bytes),
            Chunk::There { worker, at, len, hash } => (worker, at, len, hash),
        };
        let path = paths::spill(worker);
        let bytes = self.disk.read_at(&path, at, len).tried("read", &path)?;
        if bytes.len() != len || hash(&bytes) != expected {
            return Err(StoreError::Io {
                path,
                doing: "read back what was written to",
                source: std::io::Error::other(format!("{len} bytes at {at} are not the same")),
            });
        }
        Ok(bytes)
    }

    /// Removes the files beside each other: to take away a long one takes long. Those that a crash left behind
    /// go with the next compaction.
    pub(super) fn remove(&self) -> Result<()> {
        let opened = self.opened.load(Ordering::Relaxed);
        let (files, next) =
            ((0..opened).map(paths::spill).collect::<Vec<_>>(), AtomicUsize::new(0));
        side_by_side(self.workers.min(opened), &|| {
            while let Some(path) = files.get(next.fetch_add(1, Ordering::Relaxed)) {
                if_there(self.disk.remove(path)).tried("remove", path)?;
            }
            Ok(())
        })
    }
}

/// What one worker has not handed over yet.
pub(super) struct Open<'s, 'a> {
    spill: &'s Spill<'a>,
    only: Option<&'s BTreeSet<u8>>,
    worker: usize,
    /// Bytes of the worker's file.
    written: u64,
    /// A stage for each shard, and the bytes that are used of it.
    stages: Vec<u8>,
    staged: [usize; SHARDS],
    chunks: Vec<Vec<u8>>,
    bytes: u64,
    lines: [u64; SHARDS],
}

impl Open<'_, '_> {
    /// Adds a line whose entity and target have these hashes, if it is of a wanted shard.
    pub(super) fn add(
        &mut self,
        line: &Line<'_>,
        entity_hash: u64,
        target_hash: u64,
    ) -> Result<()> {
        let shard = shard_of_hash(entity_hash);
        if self.only.is_some_and(|only| !only.contains(&shard)) {
            return Ok(());
        }
        let shard = usize::from(shard);
        let head = head(line, (target_hash >> 32) as u32);
        let (need, most) = (HEAD_BYTES + line.bytes.len(), self.spill.stage_bytes);
        self.bytes += line.bytes.len() as u64;
        self.lines[shard] += 1;
        if self.staged[shard] + need > most {
            self.unstage(shard)?;
        }
        if need > most {
            return self.append(shard, &head, line.bytes);
        }
        let from = shard * most + self.staged[shard];
        let place = &mut self.stages[from..from + need];
        place[..HEAD_BYTES].copy_from_slice(&head);
        place[HEAD_BYTES..].copy_from_slice(line.bytes);
        self.staged[shard] += need;
        Ok(())
    }

    /// Adds the state line of a datagram.
    pub(super) fn add_datagram(&mut self, datagram: &Datagram) -> Result<()> {
        let (text, target) = (usv::line(datagram), &datagram.target);
        let hashes = (text_hash(target.entity().as_bytes()), text_hash(target.as_str().as_bytes()));
        Line::of(text.as_bytes()).map_or(Ok(()), |line| self.add(&line, hashes.0, hashes.1))
    }

    /// What waits in the stage of a shard goes to its chunk.
    fn unstage(&mut self, shard: usize) -> Result<()> {
        let stages = std::mem::take(&mut self.stages);
        let from = shard * self.spill.stage_bytes;
        let len = std::mem::take(&mut self.staged[shard]);
        let done = self.append(shard, &[], &stages[from..from + len]);
        self.stages = stages;
        done
    }

    /// Puts bytes into the chunk of a shard, the `head` before the rest.
    fn append(&mut self, shard: usize, head: &[u8], rest: &[u8]) -> Result<()> {
        let (len, more) = (self.chunks[shard].len(), head.len() + rest.len());
        if len > 0 && len + more > self.spill.chunk_bytes {
            self.put(shard)?;
        }
        let chunk = &mut self.chunks[shard];
        if chunk.capacity() == 0 && more > 0 {
            chunk.reserve_exact(more.max(self.spill.chunk_bytes));
        }
        chunk.extend_from_slice(head);
        chunk.extend_from_slice(rest);
        Ok(())
    }

    /// Hands a chunk over, in memory while there is room.
    fn put(&mut self, shard: usize) -> Result<()> {
        let (spill, chunk) = (self.spill, &mut self.chunks[shard]);
        let len = chunk.len();
        let held = spill.held.fetch_add(len as u64, Ordering::Relaxed) + len as u64;
        let chunk = if held <= spill.room {
            Chunk::Here(std::mem::take(chunk))
        } else {
            let (path, at) = (paths::spill(self.worker), self.written);
            if at == 0 {
                if_there(spill.disk.remove(&path)).tried("remove", &path)?;
            }
            spill.disk.write_at(&path, at, chunk, true).tried_to_write(&path, len as u64)?;
            self.written += len as u64;
            let there = Chunk::There { worker: self.worker, at, len, hash: hash(chunk) };
            chunk.clear();
            there
        };
        spill.shards[shard].lock().unwrap_or_else(PoisonError::into_inner).push(chunk);
        Ok(())
    }

    /// Hands over what is left.
    pub(super) fn close(mut self) -> Result<()> {
        for shard in 0..SHARDS {
            self.unstage(shard)?;
            if !self.chunks[shard].is_empty() {
                self.put(shard)?;
            }
            self.spill.lines[shard].fetch_add(self.lines[shard], Ordering::Relaxed);
        }
        self.spill.bytes.fetch_add(self.bytes, Ordering::Relaxed);
        Ok(())
    }
}

/// What stands before a line in a chunk.
pub(super) fn head(line: &Line<'_>, target_hash: u32) -> [u8; HEAD_BYTES] {
    let mut head = [0; HEAD_BYTES];
    head[..4].copy_from_slice(&(line.bytes.len() as u32).to_le_bytes());
    head[4..8].copy_from_slice(&target_hash.to_le_bytes());
    head[8..10].copy_from_slice(&line.target.to_le_bytes());
    head[10..12].copy_from_slice(&line.target_end.to_le_bytes());
    head[12..].copy_from_slice(&line.field_end.to_le_bytes());
    head
}

/// The lines of chunks, with the hash of each one's target.
pub(super) fn lines(chunk: &[u8]) -> impl Iterator<Item = (u32, Line<'_>)> {
    let mut rest = chunk;
    std::iter::from_fn(move || {
        let (head, behind) = rest.split_first_chunk::<HEAD_BYTES>()?;
        let four =
            |at: usize| u32::from_le_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]);
        let two = |at: usize| u16::from_le_bytes([head[at], head[at + 1]]);
        let (bytes, behind) = behind.split_at_checked(four(0) as usize)?;
        rest = behind;
        let line = Line { bytes, target: two(8), target_end: two(10), field_end: two(12) };
        Some((four(4), line))
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::disk::fake::FakeDisk;

    /// Two targets, of shards 3 and 200.
    const HASHES: [u64; 2] = [0x1111_0003, 0x2222_00c8];

    fn long(len: usize) -> Vec<u8> {
        let mut text = b"t\x1fn\x1fc/a\x1ff\x1f".to_vec();
        text.resize(text.len().max(len), b'x');
        text
    }

    proptest! {
        /// Whatever fits where: stages, chunks, memory, file.
        #[test]
        fn every_line_comes_out_once_of_its_shard(
            lines in prop::collection::vec((0..2_usize, prop_oneof![0..60_usize, 2025..2045_usize, 1000..6000_usize]), 0..80),
            memory in prop_oneof![0..4096_usize, 1_000_000..8_000_000_usize, Just(256 << 20)],
            workers in 1..4_usize,
        ) {
            let disk = FakeDisk::new();
            disk.make_folder(paths::CHECKPOINT).unwrap();
            let spill = Spill::new(&disk, memory, workers);
            let mut open: Vec<_> = (0..workers).map(|_| spill.open(None)).collect();
            let mut expected = [Vec::new(), Vec::new()];
            for (at, (shard, len)) in lines.iter().enumerate() {
                let text = long(*len);
                let line = Line::of(&text).unwrap();
                open[at % workers].add(&line, HASHES[*shard], 7 << 32).unwrap();
                expected[*shard].push(text);
            }
            open.into_iter().for_each(|one| one.close().unwrap());
            prop_assert_eq!(spill.bytes(), expected.iter().flatten().map(|line| line.len() as u64).sum::<u64>());
            for (hash, mut expected) in HASHES.into_iter().zip(expected) {
                let mut found = Vec::new();
                spill
                    .each_part(shard_of_hash(hash), 10_000, |part| {
                        for (hash, line) in part.iter().flat_map(|chunk| super::lines(chunk)) {
                            assert_eq!(hash, 7);
                            found.push(line.bytes.to_vec());
                        }
                        Ok(())
                    })
                    .unwrap();
                found.sort();
                expected.sort();
                prop_assert_eq!(found, expected);
            }
            spill.remove().unwrap();
            for worker in 0..workers {
                prop_assert!(disk.stat(&paths::spill(worker)).unwrap().is_none());
            }
        }
    }
}
