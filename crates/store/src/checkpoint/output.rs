//! Sorted lines on their way into a file of the checkpoint, which is named by what it holds: what is
//! longer than a buffer is written under another name first.

use cocli_core::digest::{Hasher, hash};
use cocli_core::usv::Line;
use cocli_core::{Month, StateDigest};

use super::ShardInfo;
use super::source::END;
use crate::disk::Disk;
use crate::error::{Result, Tried, if_there};
use crate::names::{self, Names};
use crate::paths;

/// A shard in place.
pub(super) struct Put {
    /// Its path, if it was written.
    pub(super) path: Option<String>,
    pub(super) info: ShardInfo,
}

/// The lines of a shard, being written.
pub(super) struct Output<'a> {
    disk: &'a dyn Disk,
    month: Option<Month>,
    shard: u8,
    /// Bytes to gather before they are written.
    most: usize,
    buffer: Vec<u8>,
    hasher: Hasher,
    written: u64,
    lines: u64,
    digest: StateDigest,
    names: Names,
}

impl<'a> Output<'a> {
    pub(super) fn new(
        disk: &'a dyn Disk,
        (month, shard): (Option<Month>, u8),
        most: usize,
        buffer: Vec<u8>,
    ) -> Self {
        Self {
            disk,
            month,
            shard,
            most,
            buffer,
            hasher: Hasher::default(),
            written: 0,
            lines: 0,
            digest: StateDigest::default(),
            names: Names::default(),
        }
    }

    pub(super) fn put(&mut self, line: &Line<'_>) -> Result<()> {
        self.digest.add(line.bytes);
        self.names.take(line);
        self.lines += 1;
        self.buffer.extend_from_slice(line.bytes);
        self.buffer.extend_from_slice(&END);
        if self.buffer.len() >= self.most { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> Result<()> {
        let path = paths::unfinished(self.month, self.shard, None);
        if self.written == 0 {
            if_there(self.disk.remove(&path)).tried("remove", &path)?;
        }
        self.hasher.add(&self.buffer);
        let written = self.disk.write_at(&path, self.written, &self.buffer, false);
        written.tried_to_write(&path, self.buffer.len() as u64)?;
        self.written += self.buffer.len() as u64;
        self.buffer.clear();
        Ok(())
    }

    /// Puts the shard in place, unless it is the `old` one; nothing when it has no lines. The buffer
    /// goes to `spare`, empty.
    pub(super) fn done(
        mut self,
        old: Option<&ShardInfo>,
        spare: &mut Vec<u8>,
    ) -> Result<Option<Put>> {
        let bytes = self.written + self.buffer.len() as u64;
        if bytes == 0 {
            return Ok(None);
        }
        let whole = self.written == 0;
        if !whole {
            self.flush()?;
        }
        let hash = if whole { hash(&self.buffer) } else { self.hasher.done() };
        let info = ShardInfo { hash, bytes, lines: self.lines, digest: self.digest };
        let same = old.is_some_and(|old| old.hash == hash);
        let path = paths::shard(self.month, self.shard, hash);
        let unfinished = paths::unfinished(self.month, self.shard, None);
        match (same, whole) {
            (true, true) => {}
            (true, false) => self.disk.remove(&unfinished).tried("remove", &unfinished)?,
            (false, true) => self.write_whole(&path)?,
            (false, false) => {
                self.disk.rename(&unfinished, &path).tried("put in place", &path)?;
            }
        }
        if !same && self.month.is_none() && names::is_long(&info) {
            names::write(self.disk, self.shard, &info, self.names.done());
        }
        *spare = self.buffer;
        spare.clear();
        Ok(Some(Put { path: (!same).then_some(path), info }))
    }

    fn write_whole(&self, path: &str) -> Result<()> {
        // One that a crash left behind may not be on the disk as it seems.
        if_there(self.disk.remove(path)).tried("remove", path)?;
        let written = self.disk.write_at(path, 0, &self.buffer, false);
        written.tried_to_write(path, self.buffer.len() as u64).inspect_err(|_| {
            let _ = self.disk.remove(path);
        })
    }
}
