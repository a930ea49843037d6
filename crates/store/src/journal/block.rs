//! A block: the bytes of one day between two marks. It is checked before anything of it leaves.

use cocli_core::frame::Range;
use cocli_core::usv;
use cocli_core::{ChainHash, Day, Head, LogId};

use super::Journals;
use super::file::is_loss;
use super::hole::Gap;
use crate::error::{Result, StoreError, Tried};

/// Bytes between two known points of the chain.
#[derive(Debug)]
pub(crate) struct Checked {
    pub(crate) day: Day,
    pub(crate) start: Head,
    pub(crate) end: u64,
    pub(crate) bytes: Vec<u8>,
    /// The chain leads from the one point to the other.
    pub(crate) sound: bool,
}

impl Checked {
    /// The hash at the end of one of its records.
    pub(crate) fn hash_at(&self, position: u64) -> Option<ChainHash> {
        let at = usize::try_from(position.checked_sub(self.start.position)?).ok()?;
        let before = self.bytes.get(..at)?;
        let ends = self.sound && usv::whole(before) == at;
        ends.then(|| self.start.hash.over(self.day, before))
    }

    /// Whole records from one position on, before another, that have `room`; one of them also where it
    /// has not.
    fn from(&self, position: u64, until: u64, room: usize) -> &[u8] {
        let skipped = usize::try_from(position - self.start.position).unwrap_or(usize::MAX);
        let bytes = self.bytes.get(skipped..).unwrap_or_default();
        let room = room.min(usize::try_from(until - position).unwrap_or(usize::MAX));
        if bytes.len() <= room {
            return bytes;
        }
        let first = usv::records(bytes).next().map_or(0, |record| record.bytes.len());
        let fits = usv::whole(&bytes[..room]);
        &bytes[..if first as u64 <= until - position { fits.max(first) } else { fits }]
    }
}

impl Journals {
    /// The block that holds the byte at `position`, or ends there at the end of all. One that fails
    /// becomes a hole.
    pub(crate) fn block(&mut self, log: &LogId, position: u64) -> Result<Option<Checked>> {
        let disk = self.disk.clone();
        let Some(known) = self.log_mut(log) else { return Ok(None) };
        known.advance(&*disk)?;
        let Some(at) = known.mark_before(position) else { return Ok(None) };
        let start = known.marks[at];
        let next = known.marks.get(at + 1).map(|mark| mark.head);
        let end = next.unwrap_or(known.tip);
        let Some(file) = known.days.iter().find(|file| file.day == start.day) else {
            return Ok(None);
        };
        let len = end.position - start.head.position;
        let spot = file.spot(log);
        let offset = start.head.position - file.start;
        let wanted = usize::try_from(len).unwrap_or(usize::MAX);
        let bytes = spot.read_at(&*disk, offset, wanted);
        let bytes = match bytes {
            // What is gone, no file or unreadable is a damaged block like any other.
            Err(error) if next.is_some() && is_loss(&error) => {
                spot.salvage(&*disk, offset, wanted).map_or_else(|_| Vec::new(), |read| read.bytes)
            }
            Err(error) if is_loss(&error) => {
                // It could be read before: the log ends earlier now.
                known.tip = start.head;
                known.advance(&*disk)?;
                return Ok(None);
            }
            other => other.tried("read", &spot.path())?,
        };
        let sound = bytes.len() as u64 == len
            && usv::whole(&bytes) == bytes.len()
            && start.head.hash.over(start.day, &bytes) == end.hash;
        let gap = Gap { from: start.head.position, to: end.position };
        if sound {
            self.holes.remove(log, gap);
        } else {
            self.holes.add(log, gap);
        }
        Ok(Some(Checked { day: start.day, start: start.head, end: end.position, bytes, sound }))
    }

    /// Whole records of a log from `from` on, up to `max` bytes (but at least one record), before
    /// `until`, of one day, checked against the marks. `None` at the end. The caller says by `until`
    /// what may leave: only what is durable.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] where the block fails its marks: it is a hole from now on.
    /// [`StoreError::Refused`] when no record ends at `from`.
    pub fn read(
        &mut self,
        log: &LogId,
        from: u64,
        until: u64,
        max: usize,
    ) -> Result<Option<Range>> {
        let until = until.min(self.end(log));
        if let Some(range) = self.read_blocks(log, from, until, max)? {
            return Ok(Some(range));
        }
        if from >= until {
            return Ok(None);
        }
        let Some(block) = self.block(log, from)? else { return Ok(None) };
        if !block.sound {
            return Err(self.damaged(log, &block));
        }
        let hash_before = block.hash_at(from).ok_or_else(|| StoreError::Refused {
            log: log.clone(),
            position: from,
            why: "no record ends there".to_owned(),
        })?;
        let bytes = block.from(from, until, max).to_vec();
        let range = Range { log: log.clone(), day: block.day, position: from, hash_before, bytes };
        Ok((!range.bytes.is_empty()).then_some(range))
    }

    /// All the blocks from a mark on that end before `until` and have room in `max` bytes, by one call
    /// to the disk. `None` where there is none, or one is not what its mark says, or was not before:
    /// [`Journals::block`] tells why.
    fn read_blocks(
        &mut self,
        log: &LogId,
        from: u64,
        until: u64,
        max: usize,
    ) -> Result<Option<Range>> {
        let disk = self.disk.clone();
        let Some(known) = self.log_mut(log) else { return Ok(None) };
        known.advance(&*disk)?;
        let Some(at) = known.mark_before(from) else { return Ok(None) };
        let start = known.marks[at];
        let file = known.days.iter().find(|file| file.day == start.day).cloned();
        let Some(file) = file.filter(|_| start.head.position == from) else { return Ok(None) };
        let behind = &known.marks[at + 1..];
        let of_day = behind.iter().take_while(|mark| mark.day == start.day).count();
        let last = behind.get(of_day).map_or(known.tip, |next_day| next_day.head);
        let ends: Vec<Head> = (behind[..of_day].iter().map(|mark| mark.head))
            .chain([last])
            .take_while(|end| end.position <= until && end.position - from <= max as u64)
            .collect();
        let len = ends.last().map_or(0, |end| end.position - from);
        if len == 0 || self.holes.any(log) {
            return Ok(None);
        }
        let len = usize::try_from(len).unwrap_or(usize::MAX);
        let read = file.spot(log).read_at(&*disk, from - file.start, len);
        let Ok(bytes) = read else { return Ok(None) };
        let (mut head, mut ends) = (start.head, ends.into_iter().peekable());
        for record in usv::records(&bytes) {
            head.position += record.bytes.len() as u64;
            head.hash = head.hash.next(start.day, record.bytes);
            ends.next_if_eq(&head);
        }
        let sound = bytes.len() == len && ends.next().is_none();
        let range = Range {
            log: log.clone(),
            day: start.day,
            position: from,
            hash_before: start.head.hash,
            bytes,
        };
        Ok(sound.then_some(range))
    }

    fn damaged(&self, log: &LogId, block: &Checked) -> StoreError {
        let start =
            self.days(log).find(|(day, ..)| *day == block.day).map_or(0, |(_, start, _)| start);
        StoreError::Damaged {
            path: self.path_of(log, block.day),
            offset: block.start.position - start,
            what: format!(
                "{} bytes of {log} do not lead to their mark",
                block.end - block.start.position
            ),
        }
    }

    /// Checks every block of a log; what fails is a hole from now on. Gives the bytes read.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub fn scrub(&mut self, log: &LogId) -> Result<u64> {
        self.scrub_some(log, self.begin(log), u64::MAX)
    }

    /// As [`Journals::scrub`], from a position on, until about so many bytes were read. Gives where it came to.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub fn scrub_some(&mut self, log: &LogId, from: u64, bytes: u64) -> Result<u64> {
        let (mut position, end) = (from, self.end(log));
        while position < end && position - from < bytes {
            match self.block(log, position)? {
                Some(block) if block.end > position => position = block.end,
                _ => break,
            }
        }
        Ok(position)
    }
}
