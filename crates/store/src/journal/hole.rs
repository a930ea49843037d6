//! Holes: bytes of a log that are damaged or missing while what stands behind them is whole. Reading
//! and merging go on behind them, and others' bytes heal them.

use std::collections::{BTreeMap, BTreeSet};

use cocli_core::frame::Range;
use cocli_core::usv;
use cocli_core::{Day, Head, LogId};
use serde::{Deserialize, Serialize};

use super::command::Command;
use super::{Journals, replace};
use crate::disk::Disk;
use crate::error::{Result, Tried, if_there};
use crate::lock::HomeLock;
use crate::paths;

/// A stretch of positions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Gap {
    pub(crate) from: u64,
    pub(crate) to: u64,
}

/// Bytes of a log, of one day, that are to be fetched again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hole {
    /// Of which log.
    pub log: LogId,
    /// Of which day.
    pub day: Day,
    /// Where it begins.
    pub from: Head,
    /// Where it ends.
    pub until: Head,
}

/// The holes found so far.
#[derive(Debug, Default)]
pub(crate) struct Holes {
    gaps: BTreeMap<LogId, BTreeSet<Gap>>,
    /// Found here and not yet in the file.
    fresh: bool,
}

#[derive(Serialize, Deserialize)]
struct Line {
    log: String,
    from: u64,
    to: u64,
}

impl Holes {
    pub(crate) fn read(&mut self, disk: &dyn Disk) -> Result<()> {
        let bytes = if_there(disk.read(paths::HOLES)).tried("read", paths::HOLES)?;
        // A list that cannot be read costs a scrub and no data.
        let lines: Vec<Line> =
            bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default();
        if !self.fresh {
            self.gaps.clear();
        }
        for line in lines {
            if let Ok(log) = LogId::read(&line.log) {
                self.gaps.entry(log).or_default().insert(Gap { from: line.from, to: line.to });
            }
        }
        Ok(())
    }

    pub(crate) fn add(&mut self, log: &LogId, gap: Gap) {
        self.fresh |= self.gaps.entry(log.clone()).or_default().insert(gap);
    }

    pub(crate) fn remove(&mut self, log: &LogId, gap: Gap) {
        if let Some(gaps) = self.gaps.get_mut(log) {
            self.fresh |= gaps.remove(&gap);
        }
    }

    pub(crate) fn any(&self, log: &LogId) -> bool {
        self.gaps.get(log).is_some_and(|gaps| !gaps.is_empty())
    }

    /// Forgets what lies behind `position`: it is no longer there.
    pub(crate) fn cut(&mut self, log: &LogId, position: u64) {
        if let Some(gaps) = self.gaps.get_mut(log) {
            let before = gaps.len();
            gaps.retain(|gap| gap.to <= position);
            self.fresh |= gaps.len() != before;
        }
    }

    /// Forgets all of a log, which has gone.
    pub(crate) fn forget(&mut self, log: &LogId) {
        self.fresh |= self.gaps.remove(log).is_some();
    }

    pub(crate) fn of(&self, log: &LogId) -> impl Iterator<Item = Gap> + '_ {
        self.gaps.get(log).into_iter().flatten().copied()
    }
}

impl Journals {
    /// All holes, those of missing and shortened journals among them. A hole that turns out whole
    /// again is forgotten.
    #[must_use]
    pub fn holes(&self) -> Vec<Hole> {
        let mut holes = Vec::new();
        for log in self.logs.keys() {
            for gap in self.gaps(log) {
                self.split_by_day(log, gap, &mut holes);
            }
        }
        holes
    }

    /// Blocks that were found damaged, of all logs; those of missing and shortened journals are not among them.
    #[must_use]
    pub fn damaged_blocks(&self) -> usize {
        self.holes.gaps.values().map(BTreeSet::len).sum()
    }

    /// The gaps of a log, joined, between marks.
    pub(crate) fn gaps(&self, id: &LogId) -> Vec<Gap> {
        let Some(log) = self.logs.get(id) else { return Vec::new() };
        let mut gaps: Vec<Gap> = (self.holes.of(id))
            .filter(|gap| gap.to <= log.end && gap.from >= log.start.position)
            .collect();
        for pair in log.days.windows(2) {
            let (whole, end) = (pair[0].start + pair[0].whole, pair[1].start);
            if whole < end {
                let from = log.mark_before(whole).map_or(0, |at| log.marks[at].head.position);
                gaps.push(Gap { from, to: end });
            }
        }
        gaps.sort();
        let mut joined: Vec<Gap> = Vec::new();
        for gap in gaps {
            match joined.last_mut().filter(|last| last.to >= gap.from) {
                Some(last) => last.to = last.to.max(gap.to),
                None => joined.push(gap),
            }
        }
        joined
    }

    fn split_by_day(&self, id: &LogId, gap: Gap, holes: &mut Vec<Hole>) {
        let Some(log) = self.logs.get(id) else { return };
        let inside = |at: u64| (gap.from..=gap.to).contains(&at);
        for pair in
            log.marks.windows(2).filter(|pair| pair[0].head.position < pair[1].head.position)
        {
            let (from, until) = (pair[0], pair[1].head);
            if !inside(from.head.position) || !inside(until.position) {
                continue;
            }
            match holes.last_mut() {
                Some(last)
                    if last.log == *id && last.day == from.day && last.until == from.head =>
                {
                    last.until = until;
                }
                _ => holes.push(Hole { log: id.clone(), day: from.day, from: from.head, until }),
            }
        }
    }

    /// Puts bytes where holes are, as far as they lead from mark to mark; what does not is left
    /// alone. A sound record that stood there and that the bytes lack is copied to the own log.
    /// Gives where [`Self::holes`] began before and no longer do; of one that was filled in part, the
    /// rest is a hole with another beginning.
    ///
    /// # Errors
    /// When the journals cannot be written; a hole then stays a hole.
    pub fn heal(
        &mut self,
        lock: &HomeLock,
        ranges: &[Range],
        day: Day,
        command: &Command,
    ) -> Result<Vec<(LogId, u64)>> {
        // A day may have moved into the archive since.
        self.refresh()?;
        let before = self.holes();
        for (log, position, bytes) in joined(ranges) {
            for gap in self.gaps(&log) {
                self.heal_gap(lock, &log, gap, position, &bytes, (day, command))?;
            }
        }
        self.save_holes(lock)?;
        let left = self.holes();
        let is_left = |hole: &Hole| {
            left.iter().any(|left| left.log == hole.log && left.from.position == hole.from.position)
        };
        let healed = before.into_iter().filter(|hole| !is_left(hole));
        Ok(healed.map(|hole| (hole.log, hole.from.position)).collect())
    }

    fn heal_gap(
        &mut self,
        lock: &HomeLock,
        id: &LogId,
        gap: Gap,
        position: u64,
        bytes: &[u8],
        (day, command): (Day, &Command),
    ) -> Result<()> {
        let marks = self.logs.get(id).map(|log| log.marks.clone()).unwrap_or_default();
        let end = position + bytes.len() as u64;
        let mut touched = BTreeSet::new();
        for pair in marks.windows(2) {
            let (from, until) = (pair[0].head, pair[1].head);
            if from.position >= gap.from && until.position <= gap.to && from != until {
                // Of a missing journal the blocks that do not come stay holes, though zeros stand there.
                self.holes.add(id, Gap { from: from.position, to: until.position });
            }
            if from.position < gap.from.max(position) || until.position > gap.to.min(end) {
                continue;
            }
            let at =
                |position_in: u64| usize::try_from(position_in - position).unwrap_or(usize::MAX);
            let block = &bytes[at(from.position)..at(until.position)];
            if block.is_empty() || from.hash.over(pair[0].day, block) != until.hash {
                continue;
            }
            let lacking = self.lacking(id, from.position, block)?;
            if !lacking.is_empty() {
                self.append_to(lock, (id.month, day), &lacking, command)?;
            }
            if self.stands_in_archive(id, pair[0].day) {
                self.thaw(lock, id, pair[0].day)?;
            }
            self.put_block(id, pair[0].day, from.position, block)?;
            touched.insert(pair[0].day);
            self.holes.remove(id, Gap { from: from.position, to: until.position });
        }
        for day in &touched {
            let path = paths::journal(id, *day);
            self.disk.sync(&path).tried("sync", &path)?;
        }
        if !touched.is_empty() {
            self.disk.sync_folder(paths::WAL).tried("sync", paths::WAL)?;
            self.save_holes(lock)?;
            self.refresh()?;
        }
        Ok(())
    }

    /// The sound records that stand where `block` shall stand and that are not in it.
    fn lacking(&mut self, id: &LogId, position: u64, block: &[u8]) -> Result<Vec<u8>> {
        let Some(old) = self.block(id, position)? else { return Ok(Vec::new()) };
        let new: BTreeSet<&[u8]> = usv::records(block).map(|record| record.bytes).collect();
        let mut lacking = Vec::new();
        for record in usv::records(&old.bytes) {
            let checked = usv::is_checked(record.bytes) && usv::read(record.bytes).is_ok();
            if checked && !new.contains(record.bytes) {
                lacking.extend_from_slice(record.bytes);
            }
        }
        Ok(lacking)
    }

    fn put_block(&self, id: &LogId, day: Day, position: u64, block: &[u8]) -> Result<()> {
        let start =
            self.days(id).find(|(known, ..)| *known == day).map_or(position, |(_, at, _)| at);
        let (path, offset) = (paths::journal(id, day), position - start);
        let len = self.disk.stat(&path).tried("look at", &path)?.map(|stat| stat.len);
        if len.is_none_or(|len| len < offset) {
            // What is missing before it stays a hole, of zeros.
            self.disk.write_at(&path, 0, &[], false).tried_to_write(&path, block.len() as u64)?;
            self.disk.cut(&path, offset).tried_to_write(&path, block.len() as u64)?;
        }
        self.disk.write_at(&path, offset, block, false).tried_to_write(&path, block.len() as u64)
    }

    /// Writes the list of holes when it changed: the daemon asks other nodes for what is in it.
    ///
    /// # Errors
    /// When the disk refuses: they are found again.
    pub fn save_holes(&mut self, _lock: &HomeLock) -> Result<()> {
        if !self.holes.fresh {
            return Ok(());
        }
        let mut lines = Vec::new();
        for (log, gaps) in &self.holes.gaps {
            let line = |gap: &Gap| Line { log: log.to_string(), from: gap.from, to: gap.to };
            lines.extend(gaps.iter().map(line));
        }
        let text = serde_json::to_vec(&lines).unwrap_or_default();
        replace(&*self.disk, paths::HOLES, &text)?;
        self.holes.fresh = false;
        Ok(())
    }
}

/// Ranges that follow on each other as one.
fn joined(ranges: &[Range]) -> Vec<(LogId, u64, Vec<u8>)> {
    let mut sorted: Vec<&Range> = ranges.iter().collect();
    sorted.sort_by(|a, b| (&a.log, a.position).cmp(&(&b.log, b.position)));
    let mut joined: Vec<(LogId, u64, Vec<u8>)> = Vec::new();
    for range in sorted {
        match joined.last_mut() {
            Some((log, position, bytes))
                if *log == range.log && *position + bytes.len() as u64 == range.position =>
            {
                bytes.extend_from_slice(&range.bytes);
            }
            _ => joined.push((range.log.clone(), range.position, range.bytes.clone())),
        }
    }
    joined
}
