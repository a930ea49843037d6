//! Writing a day into the archive: beside its place, whole, synced, and then named.

use cocli_core::digest::Hasher;
use cocli_core::limits::{ARCHIVE_FRAME_BYTES, ARCHIVE_FRAMES_MAX};
use cocli_core::usv::{self, Found};
use cocli_core::{ChainHash, LogId};
use zstd::bulk::Compressor;

use super::index::{self, FRAME_LEN_MAX};
use super::piece::{Piece, hash_of};
use super::short_hash;
use crate::disk::Disk;
use crate::error::{Result, StoreError, Tried, if_there};
use crate::journal::{DayFile, Journals, Stretch};
use crate::lock::HomeLock;
use crate::paths;

/// How hard zstd tries: beyond this it takes long for little.
const LEVEL: i32 = 5;

/// The chain where a piece begins and where it ends, as far as it is known.
pub(super) type Ends = [Option<ChainHash>; 2];

/// Frames that are written, one behind the other.
struct Packing<'a> {
    disk: &'a dyn Disk,
    path: &'a str,
    compressor: Compressor<'static>,
    at: u64,
    /// Compressed bytes, and bytes.
    frames: Vec<(usize, usize)>,
    entries: Vec<(u32, u16)>,
    /// Of all bytes before they were compressed.
    hasher: Hasher,
}

impl Packing<'_> {
    /// Whole blocks as one frame; a block that is too long for one as several.
    fn frame(&mut self, stretch: &Stretch) -> Result<()> {
        let mut bytes = stretch.bytes.clone();
        // Of a journal that is shorter than its marks say: positions stay what they are.
        bytes.resize(stretch.section.len, 0);
        self.hasher.add(&bytes);
        let frame = u16::try_from(self.frames.len()).unwrap_or(u16::MAX);
        let mut entries = Vec::new();
        each_target(stretch, &mut |target| entries.push((short_hash(target), frame)));
        entries.sort_unstable();
        entries.dedup();
        self.entries.append(&mut entries);
        for part in bytes.chunks(FRAME_LEN_MAX) {
            let packed = self.compressor.compress(part).tried("compress", self.path)?;
            self.put(&packed)?;
            self.frames.push((packed.len(), part.len()));
        }
        Ok(())
    }

    fn put(&mut self, bytes: &[u8]) -> Result<()> {
        let written = self.disk.write_at(self.path, self.at, bytes, false);
        self.at += bytes.len() as u64;
        written.tried_to_write(self.path, bytes.len() as u64)
    }

    /// Gives the hash of the bytes.
    fn end(mut self, ends: Ends) -> Result<u128> {
        let index = index::write(&self.frames, std::mem::take(&mut self.entries), ends);
        self.put(&index)?;
        self.disk.sync(self.path).tried("sync", self.path)?;
        Ok(self.hasher.done())
    }
}

/// The target of every record that can be read.
fn each_target(stretch: &Stretch, take: &mut dyn FnMut(&[u8])) {
    for block in stretch.blocks() {
        if block.damaged {
            stretch.each_of(&block, &mut |met| {
                met.read.iter().for_each(|d| take(d.target.as_str().as_bytes()));
            });
            continue;
        }
        usv::split(&stretch.bytes[block.range.clone()], |found| match found {
            Found::Plain(plain) => take(plain.line.target()),
            Found::Other(record) => stretch.each_in(&block, record, &mut |met| {
                met.read.iter().for_each(|d| take(d.target.as_str().as_bytes()));
            }),
        });
    }
}

/// The piece that a day becomes.
pub(super) fn piece_of(file: &DayFile) -> Piece {
    Piece { start: file.start, len: file.whole, day: file.day }
}

/// Writes a day beside its place in the archive, synced; gives the name there, and the hash of its bytes.
pub(super) fn write(
    journals: &Journals,
    log: &LogId,
    file: &DayFile,
    ends: Ends,
) -> Result<(String, u128)> {
    let disk = &**journals.disk();
    if disk.stat(paths::ARCHIVE).tried("look at", paths::ARCHIVE)?.is_none() {
        disk.make_folder(paths::ARCHIVE).tried_to_write(paths::ARCHIVE, 0)?;
    }
    let fresh = paths::fresh(&piece_of(file).path(log));
    if_there(disk.remove(&fresh)).tried("remove", &fresh)?;
    let written = write_frames(journals, log, file, &fresh, ends);
    let hash = written.inspect_err(|_| {
        let _ = disk.remove(&fresh);
    })?;
    Ok((fresh, hash))
}

fn write_frames(
    journals: &Journals,
    log: &LogId,
    file: &DayFile,
    path: &str,
    ends: Ends,
) -> Result<u128> {
    let disk = &**journals.disk();
    let mut compressor = Compressor::new(LEVEL).tried("compress", path)?;
    compressor.include_checksum(true).tried("compress", path)?;
    let mut packing = Packing {
        disk,
        path,
        compressor,
        at: 0,
        frames: Vec::new(),
        entries: Vec::new(),
        hasher: Hasher::default(),
    };
    let least = usize::try_from(file.whole).unwrap_or(usize::MAX) / ARCHIVE_FRAMES_MAX;
    let most = ARCHIVE_FRAME_BYTES.max(2 * least);
    for section in journals.sections_between(log, file.start, file.end()) {
        for part in section.pieces(most) {
            packing.frame(&part.load(disk).tried("read", &part.path())?)?;
        }
    }
    packing.end(ends)
}

/// Puts a day into the archive as it is, in whatever state, once it was read back from there; the name is
/// not yet durable.
pub(crate) fn pack(
    journals: &mut Journals,
    _lock: &HomeLock,
    log: &LogId,
    file: &DayFile,
) -> Result<()> {
    let ends = [journals.hash_at(log, file.start)?, journals.hash_at(log, file.end())?];
    let (fresh, hash) = write(journals, log, file, ends)?;
    let path = piece_of(file).path(log);
    let disk = journals.disk();
    if hash_of(&**disk, &fresh, piece_of(file)) != Some(hash) {
        disk.remove(&fresh).tried("remove", &fresh)?;
        return Err(StoreError::Io {
            path: fresh,
            doing: "read back what was written to",
            source: std::io::Error::other("its bytes are others; the journal stays in wal/"),
        });
    }
    disk.rename(&fresh, &path).tried("put in place", &path)
}
