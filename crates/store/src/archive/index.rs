//! The index at the end of a file of the archive: where its frames are, and which targets stand in which.

use std::io;
use std::ops::Range;

use cocli_core::ChainHash;
use cocli_core::digest::{hash, text_hash};
use cocli_core::limits::{ARCHIVE_FRAME_BYTES, ARCHIVE_FRAMES_MAX, RECORD_BYTES_MAX};

use super::writing::Ends;
use crate::checkpoint::RULES;
use crate::disk::Disk;

/// What a reader of zstd passes over begins so.
const SKIPPED: [u8; 4] = [0x5e, 0x2a, 0x4d, 0x18];
/// The skipped frame before what is in it: its magic number and its length.
const SKIPPED_BYTES: usize = 8;
/// The last bytes of the file.
const MAGIC: &[u8; 8] = b"cocliusv";
/// Of one target in one frame.
const ENTRY_BYTES: usize = 5;
/// Entries that are read, and checked, together.
const PAGE_ENTRIES: usize = 800;
/// Of one frame.
const FRAME_BYTES: usize = 8;
/// Of one page: its first hash and its sum.
const PAGE_BYTES: usize = 7;
/// Rules, frames, entries, the chain at both ends, sum, magic number.
const FOOT_BYTES: usize = 68;
/// Sum and magic number.
const SEAL_BYTES: usize = 24;
/// Bytes at the end that are read first.
const END_BYTES: usize = 4096;

/// What a frame holds at most: the longest record, and what comes beside it. Of a longer block each frame but
/// the last has exactly so many.
pub(super) const FRAME_LEN_MAX: usize = 2 * (RECORD_BYTES_MAX + ARCHIVE_FRAME_BYTES);

/// A frame: whole blocks of the journal, compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Frame {
    /// Where it stands in the file.
    pub(super) at: u64,
    pub(super) packed: usize,
    /// Where its bytes stand in the day's journal, as far as the file holds it.
    pub(super) from: u64,
    pub(super) len: usize,
}

impl Frame {
    pub(super) fn range(&self) -> Range<u64> {
        self.from..self.from + self.len as u64
    }

    /// Whether its block may go on in the frame behind it.
    fn is_full(&self) -> bool {
        self.len == FRAME_LEN_MAX
    }
}

/// The frames that hold whole blocks together with the one of this number, by their numbers.
pub(super) fn together(frames: &[Frame], number: usize) -> Range<usize> {
    let before = frames[..number].iter().rev().take_while(|frame| frame.is_full()).count();
    let behind = frames[number..].iter().take_while(|frame| frame.is_full()).count();
    number - before..(number + behind + 1).min(frames.len())
}

/// Which targets stand in which frames: pages of entries, sorted.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Table {
    /// Where the first page stands in the file.
    at: u64,
    entries: usize,
    /// The first hash of each page, and its sum.
    pages: Vec<(u32, u32)>,
}

/// What the end of a file says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Index {
    pub(super) frames: Vec<Frame>,
    /// None where other rules told which target a record is of.
    table: Option<Table>,
    /// The chain where the first frame begins and where the last one ends, if it was known.
    pub(super) ends: Ends,
}

/// The skipped frame for so many frames (compressed bytes, bytes) and these entries (short hash, frame).
pub(super) fn write(
    frames: &[(usize, usize)],
    mut entries: Vec<(u32, u16)>,
    ends: Ends,
) -> Vec<u8> {
    entries.sort_unstable();
    entries.dedup();
    let mut out = Vec::from(SKIPPED);
    out.extend([0; 4]);
    let mut head = Vec::new();
    for (packed, len) in frames {
        head.extend_from_slice(&(*packed as u32).to_be_bytes());
        head.extend_from_slice(&(*len as u32).to_be_bytes());
    }
    for page in entries.chunks(PAGE_ENTRIES) {
        let from = out.len();
        for (hash, frame) in page {
            out.extend_from_slice(&hash.to_be_bytes()[1..]);
            out.extend_from_slice(&frame.to_be_bytes());
        }
        head.extend_from_slice(&page[0].0.to_be_bytes()[1..]);
        head.extend_from_slice(&sum(&out[from..]).to_be_bytes());
    }
    for number in [RULES, frames.len() as u32, entries.len() as u32] {
        head.extend_from_slice(&number.to_be_bytes());
    }
    for end in ends {
        // No chain comes to nothing but zeros.
        head.extend_from_slice(&end.map_or([0; 16], |hash| hash.0));
    }
    let sum = hash(&head);
    out.extend_from_slice(&head);
    out.extend_from_slice(&sum.to_be_bytes());
    out.extend_from_slice(MAGIC);
    let len = (out.len() - SKIPPED_BYTES) as u32;
    out[4..SKIPPED_BYTES].copy_from_slice(&len.to_le_bytes());
    out
}

fn sum(page: &[u8]) -> u32 {
    (text_hash(page) & 0xffff_ffff) as u32
}

fn number(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0, |sum, byte| sum << 8 | u32::from(*byte))
}

impl Index {
    /// The index of a file of so many bytes, whose frames hold `bytes` of a journal. `None` where it is
    /// damaged: then the frames themselves still tell where they end.
    pub(super) fn read(
        disk: &dyn Disk,
        path: &str,
        file: u64,
        bytes: u64,
    ) -> io::Result<Option<Self>> {
        let len = file.min(END_BYTES as u64);
        let mut end = disk.read_at(path, file - len, len as usize)?;
        let Some(head_bytes) = head_bytes(&end) else { return Ok(None) };
        let wanted = (head_bytes + FOOT_BYTES) as u64;
        if wanted + SKIPPED_BYTES as u64 > file {
            return Ok(None);
        }
        if wanted > len {
            end = disk.read_at(path, file - wanted, head_bytes + FOOT_BYTES)?;
        }
        let from = end.len().checked_sub(head_bytes + FOOT_BYTES);
        Ok(from.and_then(|from| Self::of(&end[from..], file, bytes)))
    }

    /// By the head and the foot. `None` when anything does not add up.
    fn of(end: &[u8], file: u64, bytes: u64) -> Option<Self> {
        let (head, foot) = end.split_at_checked(end.len().checked_sub(FOOT_BYTES)?)?;
        let (summed, seal) = end.split_at(end.len() - SEAL_BYTES);
        if seal[..16] != hash(summed).to_be_bytes() {
            return None;
        }
        let [rules, frames, entries] = [0, 4, 8].map(|at| number(&foot[at..at + 4]));
        let (frames, entries) = (frames as usize, entries as usize);
        let (frame_lines, page_lines) = head.split_at_checked(frames * FRAME_BYTES)?;
        let mut read = Self { frames: Vec::with_capacity(frames), table: None, ends: [None; 2] };
        let (mut at, mut from) = (0_u64, 0_u64);
        for line in frame_lines.chunks_exact(FRAME_BYTES) {
            let (packed, len) = (number(&line[..4]) as usize, number(&line[4..]) as usize);
            if len > FRAME_LEN_MAX {
                return None;
            }
            read.frames.push(Frame { at, packed, from, len });
            (at, from) = (at + packed as u64, from + len as u64);
        }
        let whole = at + (SKIPPED_BYTES + entries * ENTRY_BYTES + end.len()) as u64;
        if from != bytes || whole != file {
            return None;
        }
        let page = |line: &[u8]| (number(&line[..3]), number(&line[3..]));
        let pages = page_lines.chunks_exact(PAGE_BYTES).map(page).collect();
        let table = Table { at: at + SKIPPED_BYTES as u64, entries, pages };
        read.ends = [12, 28].map(|at| {
            let hash: Option<[u8; 16]> = foot[at..at + 16].try_into().ok();
            hash.filter(|hash| *hash != [0; 16]).map(ChainHash)
        });
        read.table = (rules == RULES).then_some(table);
        Some(read)
    }

    /// The numbers of frames that may hold a target of this short hash; `None` when that cannot be told, and any may.
    pub(super) fn frames_with(
        &self,
        disk: &dyn Disk,
        path: &str,
        short: u32,
    ) -> Option<Vec<usize>> {
        let table = self.table.as_ref()?;
        // Entries of one hash may begin at the end of the page before the first that begins with it.
        let first = table.pages.partition_point(|page| page.0 < short).saturating_sub(1);
        let last = table.pages.partition_point(|page| page.0 <= short);
        let mut found = Vec::new();
        for page in first..last {
            let from = page * PAGE_ENTRIES;
            let len = PAGE_ENTRIES.min(table.entries.checked_sub(from)?) * ENTRY_BYTES;
            let bytes = disk.read_at(path, table.at + (from * ENTRY_BYTES) as u64, len).ok()?;
            if bytes.len() != len || sum(&bytes) != table.pages[page].1 {
                return None;
            }
            let fits = bytes.chunks_exact(ENTRY_BYTES).filter(|entry| number(&entry[..3]) == short);
            for entry in fits {
                let frame = number(&entry[3..]) as usize;
                self.frames.get(frame)?;
                found.push(frame);
            }
        }
        Some(found)
    }

    /// Whether all of its pages are what they were.
    pub(super) fn is_sound(&self, disk: &dyn Disk, path: &str) -> bool {
        let Some(table) = &self.table else { return true };
        let mut left = table.entries;
        table.pages.iter().enumerate().all(|(page, (_, expected))| {
            let len = PAGE_ENTRIES.min(left) * ENTRY_BYTES;
            left -= len / ENTRY_BYTES;
            let at = table.at + (page * PAGE_ENTRIES * ENTRY_BYTES) as u64;
            disk.read_at(path, at, len).is_ok_and(|bytes| sum(&bytes) == *expected)
        })
    }
}

/// Bytes of the head before the foot that `end` ends with.
fn head_bytes(end: &[u8]) -> Option<usize> {
    let foot = &end[end.len().checked_sub(FOOT_BYTES)?..];
    let (frames, entries) = (number(&foot[4..8]) as usize, number(&foot[8..12]) as usize);
    let fits = foot.ends_with(MAGIC) && frames <= ARCHIVE_FRAMES_MAX;
    fits.then_some(frames * FRAME_BYTES + entries.div_ceil(PAGE_ENTRIES) * PAGE_BYTES)
}
