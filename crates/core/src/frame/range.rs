//! What is sent of a journal: whole records, and where in their log they stand.

use alloc::vec::Vec;

use super::cut::{Cut, name_len, put_log};
use super::{MESSAGE_HEAD_BYTES, PLAIN_BYTES_MAX};
use crate::digest::ChainHash;
use crate::name::{LogId, NodeId};
use crate::time::Day;
use crate::usv::{RS, records};
use crate::vector::Head;

/// Bytes of a range beside the name of its log and its records.
const RANGE_HEAD_BYTES: usize = MESSAGE_HEAD_BYTES + 1 + 4 + 8 + 16;

/// Whole records of one log and one day, with their place in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Range {
    /// Of which log.
    pub log: LogId,
    /// Of which day; a range never crosses one.
    pub day: Day,
    /// Bytes of the log before it.
    pub position: u64,
    /// The chain's hash before it.
    pub hash_before: ChainHash,
    /// Whole records; never empty.
    pub bytes: Vec<u8>,
}

impl Range {
    /// Where it begins.
    #[must_use]
    pub fn start(&self) -> Head {
        Head { position: self.position, hash: self.hash_before }
    }

    /// Bytes of the log before its end.
    #[must_use]
    pub fn end_position(&self) -> u64 {
        self.position.saturating_add(self.bytes.len() as u64)
    }

    /// Where it ends, with the hash worked out over its records.
    #[must_use]
    pub fn end(&self) -> Head {
        Head { position: self.end_position(), hash: self.hash_before.over(self.day, &self.bytes) }
    }

    /// Cuts it into ranges of at most `room` bytes, at records' ends. With them comes the position
    /// of the first record that is longer than that, where the cutting stopped.
    #[must_use]
    pub fn split(&self, room: usize) -> (Vec<Self>, Option<u64>) {
        let mut ranges = Vec::new();
        let (mut from, mut start) = (0, self.start());
        for record in records(&self.bytes) {
            let end = record.at + record.bytes.len();
            if record.bytes.len() > room || end - from > room {
                let piece = self.piece(start, &self.bytes[from..record.at]);
                (from, start) = (record.at, piece.end());
                if !piece.bytes.is_empty() {
                    ranges.push(piece);
                }
            }
            if record.bytes.len() > room {
                return (ranges, Some(start.position));
            }
        }
        let last = self.piece(start, &self.bytes[from..]);
        if !last.bytes.is_empty() {
            ranges.push(last);
        }
        (ranges, None)
    }

    /// What of it stands behind a position, with the chain worked out up to there: all of it from its beginning on, nothing
    /// at its end. `None` where no record ends there.
    #[must_use]
    pub fn behind(&self, position: u64) -> Option<Self> {
        let mut start = self.start();
        if start.position == position {
            return Some(self.clone());
        }
        for record in records(&self.bytes) {
            start.hash = start.hash.next(self.day, record.bytes);
            start.position += record.bytes.len() as u64;
            if start.position == position {
                let rest = &self.bytes[record.at + record.bytes.len()..];
                return Some(self.piece(start, rest));
            }
        }
        None
    }

    /// The part of this range that begins at `start`, which must be a record's end in it.
    #[must_use]
    pub(crate) fn piece(&self, start: Head, bytes: &[u8]) -> Self {
        Self {
            log: self.log.clone(),
            day: self.day,
            position: start.position,
            hash_before: start.hash,
            bytes: bytes.to_vec(),
        }
    }

    /// How many bytes of records of a log fit a packet of this node.
    #[must_use]
    pub fn room(node: &NodeId, log: &LogId) -> usize {
        let head = 1 + node.as_str().len() + 16;
        PLAIN_BYTES_MAX.saturating_sub(head + RANGE_HEAD_BYTES + name_len(log))
    }

    /// Writes it without a length: whoever frames it knows where it ends.
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        put_log(out, &self.log);
        out.extend_from_slice(&self.day.number().to_be_bytes());
        out.extend_from_slice(&self.position.to_be_bytes());
        out.extend_from_slice(&self.hash_before.0);
        out.extend_from_slice(&self.bytes);
    }

    /// As [`Range::read`], up to its records: of which log, and where it begins.
    pub(crate) fn place(cut: &mut Cut<'_>) -> Option<(LogId, Head)> {
        Self::read_head(cut).map(|(log, _, head)| (log, head))
    }

    fn read_head(cut: &mut Cut<'_>) -> Option<(LogId, Day, Head)> {
        let log = cut.log()?;
        let day = Day::from_number(u32::from_be_bytes(cut.array()?))?;
        // All of an expiring log stands on one day.
        let fits = log.month.is_none_or(|month| month.first_day() == day);
        Some((log, day, cut.head().filter(|_| fits)?))
    }

    pub(crate) fn read(cut: &mut Cut<'_>) -> Option<Self> {
        let (log, day, head) = Self::read_head(cut)?;
        let bytes = core::mem::take(&mut cut.0);
        (bytes.last() == Some(&RS)).then(|| Self {
            log,
            day,
            position: head.position,
            hash_before: head.hash,
            bytes: bytes.to_vec(),
        })
    }
}
