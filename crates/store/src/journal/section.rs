//! A piece of one journal as it is read: split at marks, so that each block between two of them can
//! be checked by itself, and a damaged one costs no record of the others.

use std::io;
use std::ops::Range;

use cocli_core::limits::RECORD_BYTES_MAX;
use cocli_core::usv::{self, Odd, Record};
use cocli_core::{ChainHash, Datagram, Day, LogId};

use super::file::{Salvage, is_loss};
use super::spot::Spot;
use crate::archive::Piece;
use crate::disk::Disk;

/// Bytes looked at first behind a section.
const BEHIND_BYTES: usize = 4096;

/// Where bytes of a log stand, and what is known of their chain.
#[derive(Debug, Clone)]
pub struct Section {
    /// Of which log.
    pub log: LogId,
    /// Of which day.
    pub day: Day,
    /// Bytes of the log before it.
    pub position: u64,
    /// Bytes of the day's journal before it.
    pub(crate) offset: u64,
    /// Where the day stands, if that is the archive.
    pub(crate) piece: Option<Piece>,
    /// Its bytes.
    pub len: usize,
    /// Points of the chain in it, in order: offset in the section, hash.
    pub(crate) points: Vec<(usize, ChainHash)>,
}

/// A section with its bytes.
#[derive(Debug, Clone)]
pub struct Stretch {
    /// Where it stands.
    pub section: Section,
    /// What stands there; shorter than the section when the file is.
    pub bytes: Vec<u8>,
    /// Where the medium could not read it.
    lost: Vec<Range<usize>>,
    /// What stands behind it in the journal, up to the next RS, when its last record is judged by that.
    behind: Vec<u8>,
}

/// One record as it is met.
#[derive(Debug)]
pub struct Met<'a> {
    /// Of which log.
    pub log: &'a LogId,
    /// Bytes of the log before it.
    pub position: u64,
    /// The record as it stands, with its RS.
    pub bytes: &'a [u8],
    /// What it says, or which rule it breaks.
    pub read: Result<Datagram, Odd>,
}

/// Bytes between two known points, or to the end of a section.
#[derive(Debug, Clone)]
pub(crate) struct Block {
    pub(crate) range: Range<usize>,
    /// The chain does not lead from its one end to the other: only what checks itself is believed.
    pub(crate) damaged: bool,
}

impl Section {
    /// Bytes of the log before its end.
    #[must_use]
    pub fn end(&self) -> u64 {
        self.position + self.len as u64
    }

    fn spot(&self) -> Spot<'_> {
        let start = self.position - self.offset;
        Spot { log: &self.log, day: self.day, start, piece: self.piece }
    }

    /// The file that its bytes stand in.
    #[must_use]
    pub fn path(&self) -> String {
        self.spot().path()
    }

    /// The part of it that stands in a range of the day's journal, which begins and ends where blocks do.
    pub(crate) fn within(&self, range: &Range<u64>) -> Option<Self> {
        let from = usize::try_from(range.start.saturating_sub(self.offset)).ok()?;
        let to = usize::try_from(range.end.checked_sub(self.offset)?).unwrap_or(usize::MAX);
        self.part(from, to.min(self.len))
    }

    fn part(&self, from: usize, to: usize) -> Option<Self> {
        let points = self.points.iter().filter(|point| (from..=to).contains(&point.0));
        (from < to).then(|| Self {
            position: self.position + from as u64,
            offset: self.offset + from as u64,
            len: to - from,
            points: points.map(|(at, hash)| (at - from, *hash)).collect(),
            ..self.clone()
        })
    }

    /// Reads its bytes. A journal that is gone or shorter gives what is there; what the medium cannot
    /// read is zeros, and its block damaged.
    ///
    /// # Errors
    /// Of the file system.
    pub fn load(&self, disk: &dyn Disk) -> io::Result<Stretch> {
        let Salvage { bytes, lost } = match self.spot().salvage(disk, self.offset, self.len) {
            Err(error) if is_loss(&error) => Salvage { bytes: Vec::new(), lost: Vec::new() },
            salvage => salvage?,
        };
        let last = usv::records(&bytes).last().map(|record| record.bytes);
        let asks = bytes.len() == self.len && last.is_some_and(|last| !usv::is_checked(last));
        let behind = if asks { self.load_behind(disk)? } else { Vec::new() };
        Ok(Stretch { section: self.clone(), bytes, lost, behind })
    }

    /// The bytes behind its end, up to the next RS.
    fn load_behind(&self, disk: &dyn Disk) -> io::Result<Vec<u8>> {
        let mut want = BEHIND_BYTES;
        loop {
            // As it would stand in a longer section.
            let mut bytes = match self.spot().salvage(disk, self.offset + self.len as u64, want) {
                Err(error) if is_loss(&error) => return Ok(Vec::new()),
                salvage => salvage?.bytes,
            };
            let end = memchr::memchr(usv::RS, &bytes);
            if end.is_some() || bytes.len() < want || want > RECORD_BYTES_MAX {
                bytes.truncate(end.map_or(bytes.len(), |end| end + 1));
                return Ok(bytes);
            }
            want *= 8;
        }
    }

    /// Where its blocks begin and end.
    pub(crate) fn cuts(&self) -> Vec<usize> {
        let mut cuts: Vec<usize> = self.points.iter().map(|(at, _)| *at).collect();
        cuts.extend([0, self.len]);
        cuts.sort_unstable();
        cuts.dedup();
        cuts
    }

    /// The section in pieces of whole blocks, each of at most `most` bytes or one block.
    pub(crate) fn pieces(&self, most: usize) -> Vec<Self> {
        let cuts = self.cuts();
        let mut pieces: Vec<Self> = Vec::new();
        let mut from = 0;
        for (at, cut) in cuts.iter().enumerate().skip(1) {
            let ends = cuts.get(at + 1).is_none_or(|next| next - from > most);
            if ends {
                pieces.extend(self.part(from, *cut));
                from = *cut;
            }
        }
        pieces
    }
}

impl Stretch {
    /// The blocks, each judged.
    pub(crate) fn blocks(&self) -> impl Iterator<Item = Block> + '_ {
        let cuts = self.section.cuts();
        (1..cuts.len()).map(move |end| self.judged(cuts[end - 1]..cuts[end]))
    }

    /// Where the block that holds a byte begins and ends.
    fn block_of(&self, at: usize) -> Range<usize> {
        let points = self.section.points.iter().map(|(at, _)| *at);
        let start = points.clone().filter(|point| *point <= at).max().unwrap_or(0);
        start..points.filter(|point| *point > at).min().unwrap_or(self.section.len)
    }

    fn judged(&self, range: Range<usize>) -> Block {
        let here = range.start.min(self.bytes.len())..range.end.min(self.bytes.len());
        let lost = self.lost.iter().any(|lost| lost.start < range.end && range.start < lost.end);
        let damaged = lost
            || here != range
            || {
                let hash = |at| self.section.points.iter().find(|p| p.0 == at).map(|p| p.1);
                let bytes = &self.bytes[here.clone()];
                matches!((hash(range.start), hash(range.end)), (Some(before), Some(after))
                if usv::whole(bytes) != bytes.len() || before.over(self.section.day, bytes) != after)
            };
        Block { range: here, damaged }
    }

    /// All records, in order. Of a damaged block only those that check themselves.
    pub fn each(&self, mut take: impl FnMut(Met<'_>)) {
        for block in self.blocks() {
            self.each_of(&block, &mut take);
        }
    }

    pub(crate) fn each_of(&self, block: &Block, take: &mut impl FnMut(Met<'_>)) {
        for record in usv::records(&self.bytes[block.range.clone()]) {
            self.each_in(block, record, take);
        }
    }

    /// A record of a block, which is counted from its start, or the sound ones in it.
    pub(crate) fn each_in(
        &self,
        block: &Block,
        record: Record<'_>,
        take: &mut impl FnMut(Met<'_>),
    ) {
        let record = Record { at: block.range.start + record.at, bytes: record.bytes };
        self.take_piece(record, block.damaged, take);
    }

    fn take_piece(&self, record: Record<'_>, damaged: bool, take: &mut impl FnMut(Met<'_>)) {
        // What follows is the same however the marks stand.
        let end = record.at + record.bytes.len();
        let behind = if end < self.bytes.len() { &self.bytes[end..] } else { &self.behind };
        let read = usv::read_before(record.bytes, behind);
        let log = &self.section.log;
        read_piece(record, read, damaged, &mut |at, piece, read| {
            let position = self.section.position + at as u64;
            take(Met { log, position, bytes: piece, read: read.and_then(|d| in_place(log, d)) });
        });
    }

    /// The records that hold `needle`, found without reading the others.
    pub(crate) fn each_with(
        &self,
        needle: &memchr::memmem::Finder<'_>,
        mut take: impl FnMut(Met<'_>),
    ) {
        let (mut from, mut judged) = (0, None::<Block>);
        while let Some(hit) = needle.find(&self.bytes[from..]) {
            let hit = from + hit;
            let range = self.block_of(hit);
            let there = range.start..range.end.min(self.bytes.len());
            let start = memchr::memrchr(usv::RS, &self.bytes[there.start..hit])
                .map_or(there.start, |at| there.start + at + 1);
            let end = memchr::memchr(usv::RS, &self.bytes[hit..there.end]);
            let Some(end) = end.map(|at| hit + at + 1) else {
                from = there.end.max(hit + 1);
                continue;
            };
            let record = Record { at: start, bytes: &self.bytes[start..end] };
            // One that checks itself needs no word from the rest of its block, which takes long to read.
            let damaged = !usv::is_checked(record.bytes)
                && match &judged {
                    Some(last) if last.range.start == range.start => last.damaged,
                    _ => judged.insert(self.judged(range)).damaged,
                };
            self.take_piece(record, damaged, &mut take);
            from = end;
        }
    }
}

/// What stays is odd in a log that expires.
fn in_place(log: &LogId, datagram: Datagram) -> Result<Datagram, Odd> {
    match log.month.is_none() || datagram.target.may_expire() {
        true => Ok(datagram),
        false => Err(Odd::Stays(datagram.target.to_string())),
    }
}

/// Reads a record; out of an odd one the sound ones behind a damaged separator. Of a damaged block
/// nothing is odd, since it is a hole already: what does not check itself is passed over.
fn read_piece(
    record: Record<'_>,
    read: Result<Datagram, Odd>,
    damaged: bool,
    take: &mut impl FnMut(usize, &[u8], Result<Datagram, Odd>),
) {
    match read {
        Ok(datagram) => {
            if !damaged || usv::is_checked(record.bytes) {
                take(record.at, record.bytes, Ok(datagram));
            }
        }
        Err(odd) => {
            let mut front = record.bytes;
            while let Some((at, datagram)) = usv::rescue(front) {
                take(record.at + at, &front[at..], Ok(datagram));
                front = &front[..at];
            }
            if !damaged {
                take(record.at, front, Err(odd));
            }
        }
    }
}
