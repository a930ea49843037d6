//! Lines that wait to be merged, by shard: in memory as far as it reaches, then in one file that is
//! thrown away. What is read back from it is checked: it may be the medium that rots.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use cocli_core::digest::{hash, text_hash};
use cocli_core::usv::Line;

use crate::disk::Disk;
use crate::error::{Result, StoreError, Tried, if_there};
use crate::paths;

/// Base shards.
pub(super) const SHARDS: usize = cocli_core::limits::SHARDS;
/// Bytes of lines of one shard that a worker holds back, at most.
const CHUNK_BYTES_MAX: usize = 64 * 1024;
/// What stands before a line in a chunk: its length, the hash of its target, the places of its names.
const HEAD_BYTES: usize = 14;

/// Lines of one shard, one behind the other.
#[derive(Debug)]
enum Chunk {
    Here(Vec<u8>),
    There { at: u64, len: usize, hash: u128 },
}

/// Where lines are gathered; workers hand it their chunks.
pub(super) struct Spill<'a> {
    disk: &'a dyn Disk,
    shards: Vec<Mutex<Vec<Chunk>>>,
    /// Bytes that may stay in memory.
    room: u64,
    chunk_bytes: usize,
    held: AtomicU64,
    written: AtomicU64,
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
            room: (memory / 4) as u64,
            chunk_bytes: each.min(CHUNK_BYTES_MAX),
            held: AtomicU64::new(0),
            written: AtomicU64::new(0),
            lines: [const { AtomicU64::new(0) }; SHARDS],
            bytes: AtomicU64::new(0),
        }
    }

    /// A worker's own open chunks.
    pub(super) fn open(&self) -> Open<'_, 'a> {
        Open { spill: self, chunks: vec![Vec::new(); SHARDS], bytes: 0, lines: [0; SHARDS] }
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

    /// Takes a chunk, into memory while there is room.
    fn put(&self, shard: usize, chunk: &mut Vec<u8>) -> Result<()> {
        let len = chunk.len();
        let keeps = self.held.fetch_add(len as u64, Ordering::Relaxed) + len as u64 <= self.room;
        let chunk = if keeps {
            Chunk::Here(std::mem::take(chunk))
        } else {
            let at = self.written.fetch_add(len as u64, Ordering::Relaxed);
            let written = self.disk.write_at(paths::SPILL, at, chunk, true);
            written.tried_to_write(paths::SPILL, len as u64)?;
            let there = Chunk::There { at, len, hash: hash(chunk) };
            chunk.clear();
            there
        };
        self.shards[shard].lock().unwrap_or_else(PoisonError::into_inner).push(chunk);
        Ok(())
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
        let (at, len, expected) = match chunk {
            Chunk::Here(bytes) => return Ok(bytes),
            Chunk::There { at, len, hash } => (at, len, hash),
        };
        let bytes = self.disk.read_at(paths::SPILL, at, len).tried("read", paths::SPILL)?;
        if bytes.len() != len || hash(&bytes) != expected {
            return Err(StoreError::Io {
                path: paths::SPILL.to_owned(),
                doing: "read back what was written to",
                source: std::io::Error::other(format!("{len} bytes at {at} are not the same")),
            });
        }
        Ok(bytes)
    }

    /// Removes the file. One that a crash left behind goes with the next compaction.
    pub(super) fn remove(&self) -> Result<()> {
        if_there(self.disk.remove(paths::SPILL)).tried("remove", paths::SPILL).map(|_| ())
    }

    /// Whether a file was needed.
    pub(super) fn is_on_disk(&self) -> bool {
        self.written.load(Ordering::Relaxed) > 0
    }
}

/// What one worker has not handed over yet.
pub(super) struct Open<'s, 'a> {
    spill: &'s Spill<'a>,
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
            self.spill.put(shard, &mut self.chunks[shard])?;
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

    /// Hands over what is left.
    pub(super) fn close(mut self) -> Result<()> {
        for shard in 0..SHARDS {
            if !self.chunks[shard].is_empty() {
                self.spill.put(shard, &mut self.chunks[shard])?;
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
