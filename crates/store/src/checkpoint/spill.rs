//! Lines that wait to be merged, by shard: in memory as far as it reaches, then in a file of each
//! worker that is thrown away. What is read back from it is checked: it may be the medium that rots.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use cocli_core::digest::{hash, text_hash};
use cocli_core::usv::Line;

use crate::disk::Disk;
use crate::error::{Result, StoreError, Tried, if_there};
use crate::paths;

/// Base shards.
pub(super) const SHARDS: usize = cocli_core::limits::SHARDS;
/// Bytes of lines of one shard that a worker holds back, at most.
const CHUNK_BYTES_MAX: usize = 128 * 1024;
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
        Open { spill: self, worker, written: 0, chunks, bytes: 0, lines: [0; SHARDS] }
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

    /// Removes the files. Those that a crash left behind go with the next compaction.
    pub(super) fn remove(&self) -> Result<()> {
        (0..self.opened.load(Ordering::Relaxed)).try_for_each(|worker| {
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
    chunks: Vec<Vec<u8>>,
    bytes: u64,
    lines: [u64; SHARDS],
}

impl Open<'_, '_> {
    /// Adds a line whose entity has this hash.
    pub(super) fn add(&mut self, line: &Line<'_>, entity_hash: u64) -> Result<()> {
        let shard = (entity_hash & 0xff) as usize;
        let need = HEAD_BYTES + line.bytes.len();
        if self.chunks[shard].len() + need > self.spill.chunk_bytes
            && !self.chunks[shard].is_empty()
        {
            self.put(shard)?;
        }
        let chunk = &mut self.chunks[shard];
        if chunk.capacity() == 0 {
            chunk.reserve_exact(need.max(self.spill.chunk_bytes));
        }
        let mut head = [0; HEAD_BYTES];
        let target_hash = (text_hash(line.target()) >> 32) as u32;
        head[..4].copy_from_slice(&(line.bytes.len() as u32).to_le_bytes());
        head[4..8].copy_from_slice(&target_hash.to_le_bytes());
        head[8..10].copy_from_slice(&line.target.to_le_bytes());
        head[10..12].copy_from_slice(&line.target_end.to_le_bytes());
        head[12..14].copy_from_slice(&line.field_end.to_le_bytes());
        chunk.extend_from_slice(&head);
        chunk.extend_from_slice(line.bytes);
        self.bytes += line.bytes.len() as u64;
        self.lines[shard] += 1;
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
            if !self.chunks[shard].is_empty() {
                self.put(shard)?;
            }
            self.spill.lines[shard].fetch_add(self.lines[shard], Ordering::Relaxed);
        }
        self.spill.bytes.fetch_add(self.bytes, Ordering::Relaxed);
        Ok(())
    }
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
