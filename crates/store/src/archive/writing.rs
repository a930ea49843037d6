//! Writing a day into the archive: beside its place, whole, synced, and then named.

use cocli_core::limits::{ARCHIVE_FRAME_BYTES, ARCHIVE_FRAMES_MAX};
use cocli_core::usv::{self, Found};
use cocli_core::{ChainHash, LogId};
use zstd::bulk::Compressor;

use super::index;
use super::piece::Piece;
use super::short_hash;
use crate::disk::Disk;
use crate::error::{Result, Tried, if_there};
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
}

impl Packing<'_> {
    fn frame(&mut self, stretch: &Stretch) -> Result<()> {
        let mut bytes = stretch.bytes.clone();
        // Of a journal that is shorter than its marks say: positions stay what they are.
        bytes.resize(stretch.section.len, 0);
        let packed = self.compressor.compress(&bytes).tried("compress", self.path)?;
        self.put(&packed)?;
        let frame = u16::try_from(self.frames.len()).unwrap_or(u16::MAX);
        let mut entries = Vec::new();
        each_target(stretch, &mut |target| entries.push((short_hash(target), frame)));
        entries.sort_unstable();
        entries.dedup();
        self.entries.append(&mut entries);
        self.frames.push((packed.len(), bytes.len()));
        Ok(())
    }

    fn put(&mut self, bytes: &[u8]) -> Result<()> {
        let written = self.disk.write_at(self.path, self.at, bytes, false);
        self.at += bytes.len() as u64;
        written.tried_to_write(self.path, bytes.len() as u64)
    }

    fn end(mut self, ends: Ends) -> Result<()> {
        let index = index::write(&self.frames, std::mem::take(&mut self.entries), ends);
        self.put(&index)?;
        self.disk.sync(self.path).tried("sync", self.path)
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

/// Writes a day beside its place in the archive, synced; gives the name there.
pub(super) fn write(
    journals: &Journals,
    log: &LogId,
    file: &DayFile,
    ends: Ends,
) -> Result<String> {
    let disk = &**journals.disk();
    if disk.stat(paths::ARCHIVE).tried("look at", paths::ARCHIVE)?.is_none() {
        disk.make_folder(paths::ARCHIVE).tried_to_write(paths::ARCHIVE, 0)?;
    }
    let fresh = paths::fresh(&piece_of(file).path(log));
    if_there(disk.remove(&fresh)).tried("remove", &fresh)?;
    let written = write_frames(journals, log, file, &fresh, ends);
    written.inspect_err(|_| {
        let _ = disk.remove(&fresh);
    })?;
    Ok(fresh)
}

fn write_frames(
    journals: &Journals,
    log: &LogId,
    file: &DayFile,
    path: &str,
    ends: Ends,
) -> Result<()> {
    let disk = &**journals.disk();
    let mut compressor = Compressor::new(LEVEL).tried("compress", path)?;
    compressor.include_checksum(true).tried("compress", path)?;
    let mut packing =
        Packing { disk, path, compressor, at: 0, frames: Vec::new(), entries: Vec::new() };
    let least = usize::try_from(file.whole).unwrap_or(usize::MAX) / ARCHIVE_FRAMES_MAX;
    let most = ARCHIVE_FRAME_BYTES.max(2 * least);
    for section in journals.sections_between(log, file.start, file.end()) {
        for part in section.pieces(most) {
            packing.frame(&part.load(disk).tried("read", &part.path())?)?;
        }
    }
    packing.end(ends)
}

/// Puts a day into the archive as it is, in whatever state; the name is not yet durable.
pub(crate) fn pack(
    journals: &mut Journals,
    _lock: &HomeLock,
    log: &LogId,
    file: &DayFile,
) -> Result<()> {
    let ends = [journals.hash_at(log, file.start)?, journals.hash_at(log, file.end())?];
    let fresh = write(journals, log, file, ends)?;
    let path = piece_of(file).path(log);
    journals.disk().rename(&fresh, &path).tried("put in place", &path)
}
