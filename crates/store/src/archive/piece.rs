//! Reading the archive: any bytes of a day without the others, and which of them may tell of a target.

use std::collections::BTreeMap;
use std::io;
use std::ops::Range;

use cocli_core::digest::Hasher;
use cocli_core::limits::ARCHIVE_FRAMES_MAX;
use cocli_core::{ChainHash, Day, LogId, usv};

use super::index::{FRAME_LEN_MAX, Frame, Index, together};
use super::short_hash;
use super::writing::Ends;
use crate::disk::{Disk, FileKind};
use crate::journal::{Salvage, is_rot, rot, salvage as read_around};
use crate::paths;

/// Bytes of a frame looked at first when no index tells where it ends.
const WALK_BYTES: usize = 64 * 1024;
/// The beginning of every frame of zstd that holds bytes.
const ZSTD: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

/// Bytes of a log, of one day, that stand in the archive: as the file's name says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Piece {
    /// Bytes of the log before it.
    pub start: u64,
    /// Bytes of the journal.
    pub len: u64,
    /// Of which day.
    pub day: Day,
}

impl Piece {
    /// Bytes of the log before its end.
    #[must_use]
    pub fn end(&self) -> u64 {
        self.start.saturating_add(self.len)
    }

    /// Where it stands.
    #[must_use]
    pub fn path(&self, log: &LogId) -> String {
        paths::archived(log, self.day, self.start, self.len)
    }
}

/// What stands in the archive, by log, in order.
pub(crate) fn list(disk: &dyn Disk) -> io::Result<BTreeMap<LogId, Vec<Piece>>> {
    let mut all: BTreeMap<LogId, Vec<Piece>> = BTreeMap::new();
    for (name, kind) in disk.list(paths::ARCHIVE)? {
        if let Some((log, day, start, len)) = paths::archived_of(&name)
            && kind == FileKind::File
        {
            all.entry(log).or_default().push(Piece { start, len, day });
        }
    }
    all.values_mut().for_each(|pieces| pieces.sort_unstable());
    Ok(all)
}

/// A file of the archive whose frames are known.
struct Opened {
    path: String,
    index: Option<Index>,
    frames: Vec<Frame>,
}

impl Opened {
    fn of(disk: &dyn Disk, log: &LogId, piece: Piece) -> io::Result<Self> {
        Self::at(disk, piece.path(log), piece.len)
    }

    /// The frames of a file that hold so many bytes of a journal.
    fn at(disk: &dyn Disk, path: String, bytes: u64) -> io::Result<Self> {
        let file = disk.stat(&path)?.ok_or(io::ErrorKind::NotFound)?.len;
        let index = match Index::read(disk, &path, file, bytes) {
            Err(error) if is_rot(&error) => None,
            read => read?,
        };
        let frames = match &index {
            Some(index) => index.frames.clone(),
            None => walk(disk, &path, file, bytes)?,
        };
        Ok(Self { path, index, frames })
    }

    /// The bytes of a frame, if they are what they were. What only fails for now is an error.
    fn unpack(&self, disk: &dyn Disk, frame: &Frame) -> io::Result<Option<Vec<u8>>> {
        let packed = match disk.read_at(&self.path, frame.at, frame.packed) {
            Err(error) if is_rot(&error) => return Ok(None),
            packed => packed?,
        };
        let bytes = zstd::bulk::decompress(&packed, frame.len).ok();
        Ok(bytes.filter(|bytes| bytes.len() == frame.len))
    }
}

/// The frames of a file whose index is damaged, up to the first that is damaged, too.
fn walk(disk: &dyn Disk, path: &str, file: u64, bytes: u64) -> io::Result<Vec<Frame>> {
    let (mut frames, mut at, mut from) = (Vec::new(), 0_u64, 0_u64);
    while at < file && from < bytes && frames.len() < ARCHIVE_FRAMES_MAX {
        let mut want = WALK_BYTES;
        let found = loop {
            // Up to the first page that the medium lost.
            let mut start = read_around(disk, path, at, want)?;
            start.bytes.truncate(start.lost.first().map_or(want, |lost| lost.start));
            let start = start.bytes;
            if !start.starts_with(&ZSTD) {
                break None;
            }
            let packed = zstd::zstd_safe::find_frame_compressed_size(&start).ok();
            let len = zstd::zstd_safe::get_frame_content_size(&start).ok().flatten();
            match packed.zip(len) {
                Some(found) => break Some(found),
                None if start.len() < want || want >= FRAME_LEN_MAX => break None,
                None => want *= 4,
            }
        };
        let Some((packed, len)) =
            found.filter(|(_, len)| *len <= (bytes - from).min(FRAME_LEN_MAX as u64))
        else {
            break;
        };
        frames.push(Frame { at, packed, from, len: len as usize });
        (at, from) = (at + packed as u64, from + len);
    }
    Ok(frames)
}

/// Bytes of a piece from `offset` on, fewer at its end or where nothing tells of further frames; of damaged
/// frames zeros, with where they are.
///
/// # Errors
/// When there is no such file.
pub(crate) fn salvage(
    disk: &dyn Disk,
    log: &LogId,
    piece: Piece,
    offset: u64,
    len: usize,
) -> io::Result<Salvage> {
    let end = offset.saturating_add(len as u64).min(piece.len);
    let opened = Opened::of(disk, log, piece)?;
    let mut salvage = Salvage { bytes: Vec::new(), lost: Vec::new() };
    let first = opened.frames.partition_point(|frame| frame.range().end <= offset);
    let mut at = offset;
    for frame in &opened.frames[first..] {
        if at >= end {
            break;
        }
        let upto = frame.range().end.min(end);
        match opened.unpack(disk, frame)? {
            Some(bytes) => {
                let [from, to] = [at, upto].map(|place| (place - frame.from) as usize);
                salvage.bytes.extend_from_slice(&bytes[from..to]);
            }
            None => lose(&mut salvage, upto - at),
        }
        at = upto;
    }
    Ok(salvage)
}

fn lose(salvage: &mut Salvage, len: u64) {
    let start = salvage.bytes.len();
    let end = start.saturating_add(usize::try_from(len).unwrap_or(usize::MAX));
    if end > start {
        salvage.bytes.resize(end, 0);
        salvage.lost.push(start..end);
    }
}

/// As [`salvage`], and an error of the medium where a frame is damaged.
pub(crate) fn read_at(
    disk: &dyn Disk,
    log: &LogId,
    piece: Piece,
    offset: u64,
    len: usize,
) -> io::Result<Vec<u8>> {
    let Salvage { bytes, lost } = salvage(disk, log, piece, offset, len)?;
    let whole = bytes.len() as u64 == piece.len.saturating_sub(offset).min(len as u64);
    if whole && lost.is_empty() { Ok(bytes) } else { Err(rot()) }
}

/// Where in the day's journal a target may be told of, in order; of a damaged index everywhere. Ranges
/// hold whole blocks.
///
/// # Errors
/// When there is no such file.
pub(crate) fn frames_with(
    disk: &dyn Disk,
    log: &LogId,
    piece: Piece,
    target: Option<&str>,
) -> io::Result<Vec<Range<u64>>> {
    let opened = Opened::of(disk, log, piece)?;
    let index = opened.index.as_ref();
    let some = target
        .and_then(|target| index?.frames_with(disk, &opened.path, short_hash(target.as_bytes())));
    let frames = &opened.frames;
    let mut ranges: Vec<Range<u64>> = Vec::new();
    for number in some.unwrap_or_else(|| (0..frames.len()).collect()) {
        let blocks = &frames[together(frames, number)];
        let (Some(first), Some(last)) = (blocks.first(), blocks.last()) else { continue };
        let range = first.range().start..last.range().end;
        if ranges.last() != Some(&range) {
            ranges.push(range);
        }
    }
    Ok(ranges)
}

/// Whether the index of a piece is what it was.
///
/// # Errors
/// When there is no such file.
pub(super) fn is_indexed(disk: &dyn Disk, log: &LogId, piece: Piece) -> io::Result<bool> {
    let opened = Opened::of(disk, log, piece)?;
    Ok(opened.index.is_some_and(|index| index.is_sound(disk, &opened.path)))
}

/// The chain where a piece begins and ends, as far as its file says.
pub(super) fn ends_of(disk: &dyn Disk, log: &LogId, piece: Piece) -> Ends {
    let opened = Opened::of(disk, log, piece).ok();
    opened.and_then(|opened| opened.index).map_or([None; 2], |index| index.ends)
}

/// Reads all of a file that holds a piece, and tells where the chain comes to that begins with `before`;
/// `None` where anything of it is damaged.
pub(crate) fn verify(
    disk: &dyn Disk,
    path: &str,
    piece: Piece,
    before: ChainHash,
) -> Option<ChainHash> {
    let opened = Opened::at(disk, path.to_owned(), piece.len).ok()?;
    opened.index.as_ref().filter(|index| index.is_sound(disk, path))?;
    let (frames, mut hash, mut next) = (&opened.frames, before, 0);
    while next < frames.len() {
        let blocks = together(frames, next);
        next = blocks.end;
        let mut bytes = Vec::new();
        for frame in &frames[blocks] {
            bytes.append(&mut opened.unpack(disk, frame).ok()??);
        }
        hash = (usv::whole(&bytes) == bytes.len()).then(|| hash.over(piece.day, &bytes))?;
    }
    Some(hash)
}

/// The hash of all bytes that a file holds, by whatever index; `None` where anything of it is damaged.
pub(super) fn hash_of(disk: &dyn Disk, path: &str, piece: Piece) -> Option<u128> {
    let opened = Opened::at(disk, path.to_owned(), piece.len).ok()?;
    opened.index.as_ref().filter(|index| index.is_sound(disk, path))?;
    let mut hasher = Hasher::default();
    for frame in &opened.frames {
        hasher.add(&opened.unpack(disk, frame).ok()??);
    }
    Some(hasher.done())
}
