//! Lines that wait to be merged, by shard: in memory as far as it reaches, then in a file of each
//! worker that is thrown away. What is read back from it is checked: it may be the medium that rots.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use cocli_core::Datagram;
use cocli_core::digest::{hash, text_hash};
use cocli_core::usv::{self, Line};

use super::gather::side_by_side;
use crate::disk::Disk;
use crate::error::{Result, StoreError, Tried, if_there};
use crate::paths;

/// Base shards.
pub(super) const SHARDS: usize = cocli_core::limits::SHARDS;
/// Bytes of lines of one shard that a worker holds back, at most.
const CHUNK_BYTES_MAX: usize = 128 * 1024;
/// Bytes of lines of one shard that a worker puts together before they go to their chunk: those of all shards
/// stay in the caches of a core, and a chunk, which does not, is met once for many lines.
const STAGE_BYTES: usize = 2048;
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
        Self {
            disk,
            shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
            room: (memory / 2) as u64,
            chunk_bytes: each.min(CHUNK_BYTES_MAX),
            held: AtomicU64::new(0),
            opened: AtomicUsize::new(0),
            lines: [const { AtomicU64::new(0) }; SHARDS],
            bytes: AtomicU64::new(0),
        }
    }

    /// A worker's own open chunks.
    pub(super) fn open(&self) -> Open<'_, 'a> {
        let worker = self.opened.fetch_add(1, Ordering::Relaxed);
        let chunks = vec![Vec::new(); SHARDS];
        let stages = vec![0; SHARDS * STAGE_BYTES];
        let staged = [0; SHARDS];
        Open {
            spill: self,
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
        let next = AtomicUsize::new(0);
        let opened = self.opened.load(Ordering::Relaxed);
        side_by_side(opened.max(1), &|| {
            let worker = next.fetch_add(1, Ordering::Relaxed);
            let path = paths::spill(worker);
            if_there(self.disk.remove(&path)).tried("remove", &path).map(|_| ())
        })
    }
}

/// What one worker has not handed over yet.
pub(super) struct Open<'s, 'a> {
    spill: &'s Spill<'a>,
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
    /// Adds a line whose entity and target have these hashes.
    pub(super) fn add(
        &mut self,
        line: &Line<'_>,
        entity_hash: u64,
        target_hash: u64,
    ) -> Result<()> {
        let shard = usize::from(shard_of_hash(entity_hash));
        let head = head(line, (target_hash >> 32) as u32);
        let need = HEAD_BYTES + line.bytes.len();
        self.bytes += line.bytes.len() as u64;
        self.lines[shard] += 1;
        if self.staged[shard] + need > STAGE_BYTES {
            self.unstage(shard)?;
        }
        if need > STAGE_BYTES {
            return self.append(shard, &[&head, line.bytes].concat());
        }
        let from = shard * STAGE_BYTES + self.staged[shard];
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
        let from = shard * STAGE_BYTES;
        let len = std::mem::take(&mut self.staged[shard]);
        let done = self.append(shard, &stages[from..from + len]);
        self.stages = stages;
        done
    }

    fn append(&mut self, shard: usize, bytes: &[u8]) -> Result<()> {
        let (len, most) = (self.chunks[shard].len(), self.spill.chunk_bytes);
        if len > 0 && len + bytes.len() > most {
            self.put(shard)?;
        }
        let chunk = &mut self.chunks[shard];
        if chunk.capacity() == 0 && !bytes.is_empty() {
            chunk.reserve_exact(bytes.len().max(most));
        }
        chunk.extend_from_slice(bytes);
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

/// The shard of an entity that has this hash.
pub(super) fn shard_of_hash(entity_hash: u64) -> u8 {
    (entity_hash & 0xff) as u8
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
