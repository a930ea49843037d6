//! Ranges that came and are not durable yet: in order for the disk, or early and waiting for what
//! stands in front of them.

#[cfg(test)]
mod tests;

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use super::event::Micros;
use crate::digest::ChainHash;
use crate::frame::{Boot, Linked, Range, Walk};
use crate::limits::{
    COMMIT_BYTES, COMMIT_US, EARLY_BYTES_ALL_MAX, EARLY_BYTES_MAX, INBOX_BYTES_MAX, LOGS_MAX,
    STALL_MAX_US, STALL_MIN_US, SYNC_BYTES,
};
use crate::name::LogId;
use crate::usv::records;
use crate::vector::Head;

/// What became of a range that came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Taken {
    /// It continues what came before and waits for the disk.
    New,
    /// All of it had come before.
    Old,
    /// It waits for what stands in front of it.
    Early,
    /// Its hash does not continue what came before.
    Fork,
    /// It continues a branch that lost.
    Lost,
    /// There is no room, or the disk takes nothing now.
    Full,
}

/// What waits for the disk.
#[derive(Debug, Clone, Default)]
pub(crate) struct Inbox {
    /// The ends of logs whose bytes came and are not durable.
    received: BTreeMap<LogId, Head>,
    waiting: Vec<Linked>,
    waiting_bytes: usize,
    early: BTreeMap<LogId, BTreeMap<u64, Range>>,
    early_bytes: usize,
    /// Who sent what is not acknowledged yet, with the first and the last end of it.
    senders: BTreeMap<LogId, BTreeMap<Boot, (u64, u64)>>,
    /// Logs for which somebody waits, and up to where.
    hurries: BTreeMap<LogId, u64>,
    /// The writer appends now.
    appending: bool,
    /// Logs with bytes that are written and not durable, and how many bytes.
    unsynced: BTreeSet<LogId>,
    unsynced_bytes: usize,
    /// What of it is to be pushed on.
    onward: Vec<Range>,
    /// Logs that the writer syncs now.
    syncing: Option<BTreeSet<LogId>>,
    last: Option<Micros>,
    /// The last append failed.
    full: bool,
    stall: Option<(Micros, Micros)>,
}

impl Inbox {
    /// The end of what came of a log, given the end of what is durable.
    pub(crate) fn end(&self, log: &LogId, durable: Head) -> Head {
        self.received.get(log).copied().unwrap_or(durable)
    }

    /// Whether bytes of this log are on their way to the disk.
    pub(crate) fn holds(&self, log: &LogId) -> bool {
        self.received.contains_key(log)
    }

    /// Takes a range that came from a peer.
    pub(crate) fn take(
        &mut self,
        durable: Head,
        range: Range,
        lost: &BTreeSet<ChainHash>,
        now: Micros,
    ) -> Taken {
        let end = self.end(&range.log, durable);
        if range.end_position() <= end.position {
            return Taken::Old;
        }
        if self.is_stalled(now) || self.waiting_bytes + range.bytes.len() > INBOX_BYTES_MAX {
            return Taken::Full;
        }
        if range.position > end.position {
            return self.keep_early(range);
        }
        match continuation(range, end, lost) {
            Err(taken) => taken,
            Ok(linked) => {
                self.accept(linked);
                Taken::New
            }
        }
    }

    /// Takes early ranges whose front has come since. True when one of them does not fit.
    pub(crate) fn connect(
        &mut self,
        log: &LogId,
        durable: Head,
        lost: &BTreeSet<ChainHash>,
    ) -> bool {
        loop {
            let end = self.end(log, durable);
            let Some(early) = self.early.get_mut(log) else { return false };
            let Some(first) = early.first_entry().filter(|first| *first.key() <= end.position)
            else {
                return false;
            };
            let range = first.remove();
            self.early_bytes -= range.bytes.len();
            if early.is_empty() {
                self.early.remove(log);
            }
            if range.end_position() <= end.position {
                continue;
            }
            match continuation(range, end, lost) {
                Ok(linked) => self.accept(linked),
                Err(Taken::Fork) => return true,
                Err(_) => {}
            }
        }
    }

    fn accept(&mut self, linked: Linked) {
        let Some(end) = linked.points.last() else { return };
        self.received.insert(linked.range.log.clone(), *end);
        self.waiting_bytes += linked.range.bytes.len();
        self.waiting.push(linked);
    }

    fn keep_early(&mut self, range: Range) -> Taken {
        let length = range.bytes.len();
        let held = self.early.get(&range.log);
        let of_log: usize = held.map_or(0, |m| m.values().map(|r| r.bytes.len()).sum());
        if held.is_some_and(|m| m.get(&range.position).is_some_and(|r| r.bytes.len() >= length)) {
            return Taken::Early;
        }
        if of_log + length > EARLY_BYTES_MAX || self.early_bytes + length > EARLY_BYTES_ALL_MAX {
            return Taken::Full;
        }
        self.early_bytes += length;
        let place = self.early.entry(range.log.clone()).or_default();
        if let Some(shorter) = place.insert(range.position, range) {
            self.early_bytes -= shorter.bytes.len();
        }
        Taken::Early
    }

    /// Where the first early range of a log begins: what is missing ends there.
    pub(crate) fn early_from(&self, log: &LogId) -> Option<u64> {
        self.early.get(log).and_then(|early| early.first_key_value()).map(|(from, _)| *from)
    }

    /// Where the last early range of a log ends: so much of it is known to be there.
    pub(crate) fn early_until(&self, log: &LogId) -> Option<u64> {
        let early = self.early.get(log)?.last_key_value();
        early.map(|(_, range)| range.end_position())
    }

    /// What is missing between the early ranges of a log, behind the first of them: the head from
    /// which to go on, and how far.
    pub(crate) fn holes(&self, log: &LogId, most: usize) -> Vec<(Head, u64)> {
        let mut ranges = self.early.get(log).into_iter().flat_map(BTreeMap::values);
        let Some(mut last) = ranges.next() else { return Vec::new() };
        let mut holes = Vec::new();
        for range in ranges {
            if range.position > last.end_position() {
                holes.push((last.end(), range.position));
            }
            if holes.len() == most {
                break;
            }
            if range.end_position() > last.end_position() {
                last = range;
            }
        }
        holes
    }

    /// Whether more may be asked for.
    pub(crate) fn has_room(&self, now: Micros) -> bool {
        !self.is_stalled(now) && self.waiting_bytes + COMMIT_BYTES <= INBOX_BYTES_MAX
    }

    /// Whether the disk failed lately.
    pub(crate) fn is_stalled(&self, now: Micros) -> bool {
        self.stall.is_some_and(|(until, _)| now < until)
    }

    /// When the disk may be asked again.
    pub(crate) fn stalled_until(&self) -> Option<Micros> {
        self.stall.map(|(until, _)| until)
    }

    /// Who is to be told when the log is durable up to `position`.
    pub(crate) fn owe(&mut self, log: &LogId, boot: Boot, position: u64) {
        if self.senders.len() < LOGS_MAX || self.senders.contains_key(log) {
            let senders = self.senders.entry(log.clone()).or_default();
            let (first, last) = senders.entry(boot).or_insert((position, position));
            (*first, *last) = ((*first).min(position), (*last).max(position));
        }
    }

    /// Who is to be told now that the log is durable up to `position`.
    pub(crate) fn owed(&mut self, log: &LogId, position: u64) -> BTreeSet<Boot> {
        let Some(senders) = self.senders.get_mut(log) else { return BTreeSet::new() };
        let due = senders.iter().filter(|(_, (first, _))| *first <= position);
        let due = due.map(|(boot, _)| *boot).collect();
        senders.retain(|_, (_, last)| *last > position);
        if senders.is_empty() {
            self.senders.remove(log);
        }
        due
    }

    /// Somebody waits for the log up to a position.
    pub(crate) fn hurry(&mut self, log: &LogId, position: u64) {
        if self.hurries.len() < LOGS_MAX || self.hurries.contains_key(log) {
            let wanted = self.hurries.entry(log.clone()).or_default();
            *wanted = (*wanted).max(position);
        }
    }

    /// When the next append is due; none when nothing waits or the writer is at it.
    pub(crate) fn append_due(&self) -> Option<Micros> {
        let due = !self.waiting.is_empty() && !self.appending;
        due.then(|| self.stall.map_or(0, |(until, _)| until))
    }

    /// When the next sync is due; none when all is durable or one is under way.
    pub(crate) fn sync_due(&self) -> Option<Micros> {
        if self.unsynced.is_empty() || self.syncing.is_some() {
            return None;
        }
        let hurried = self.hurries.keys().any(|log| self.unsynced.contains(log));
        let soon = match self.last {
            Some(last) if !hurried && self.unsynced_bytes < SYNC_BYTES => last + COMMIT_US,
            _ => 0,
        };
        Some(soon.max(self.stall.map_or(0, |(until, _)| until)))
    }

    /// Gives all that waits to the writer; `onward` when it is to be pushed on once it is durable.
    pub(crate) fn append(&mut self, onward: bool) -> Vec<Linked> {
        self.appending = true;
        let ranges = core::mem::take(&mut self.waiting);
        self.unsynced.extend(ranges.iter().map(|linked| linked.range.log.clone()));
        self.unsynced_bytes += core::mem::take(&mut self.waiting_bytes);
        if onward {
            let kept: usize = self.onward.iter().map(|range| range.bytes.len()).sum();
            let mut room = COMMIT_BYTES.saturating_sub(kept);
            let fits = |range: &&Range| {
                let fits = range.bytes.len() <= room;
                room = room.saturating_sub(range.bytes.len());
                fits
            };
            let ranges = ranges.iter().map(|linked| &linked.range);
            self.onward.extend(ranges.filter(fits).cloned());
        }
        ranges
    }

    /// The writer has appended, or failed to.
    pub(crate) fn appended(&mut self, well: bool) {
        self.appending = false;
        self.full = !well;
    }

    /// All that was appended is synced from now on.
    pub(crate) fn sync(&mut self, now: Micros) {
        self.last = Some(now);
        self.unsynced_bytes = 0;
        self.syncing = Some(core::mem::take(&mut self.unsynced));
    }

    /// The writer has synced, or failed to; these logs were in it.
    pub(crate) fn synced(&mut self) -> BTreeSet<LogId> {
        self.syncing.take().unwrap_or_default()
    }

    /// What is to be pushed on of a log that is durable up to `position`.
    pub(crate) fn onward(&mut self, log: &LogId, position: u64) -> Vec<Range> {
        let ready = |range: &mut Range| range.log == *log && range.end_position() <= position;
        self.onward.extract_if(.., ready).collect()
    }

    /// Whether the writer left out bytes of a log that it was given: what came behind them has
    /// nothing to stand on.
    pub(crate) fn is_cut_off(&self, log: &LogId, written: Head) -> bool {
        let mut waiting = self.waiting.iter().map(|linked| &linked.range);
        let next = waiting.find(|range| range.log == *log).map(|range| range.position);
        let next = next.or_else(|| self.received.get(log).map(|end| end.position));
        next.is_some_and(|next| next > written.position)
    }

    /// A log is durable up to there.
    pub(crate) fn durable(&mut self, log: &LogId, head: Head) {
        if self.received.get(log).is_some_and(|end| end.position <= head.position) {
            self.received.remove(log);
        }
        if self.hurries.get(log).is_some_and(|position| *position <= head.position) {
            self.hurries.remove(log);
        }
    }

    /// The disk synced; it may be asked at once the next time, unless it is full.
    pub(crate) fn well(&mut self) {
        if !self.full {
            self.stall = None;
        }
    }

    /// The disk failed: a pause, each twice as long.
    pub(crate) fn stall(&mut self, now: Micros) {
        let pause = self.stall.map_or(STALL_MIN_US, |(_, pause)| (2 * pause).min(STALL_MAX_US));
        self.stall = Some((now + pause, pause));
    }

    /// Forgets what came of a log and is not durable.
    pub(crate) fn forget(&mut self, log: &LogId) {
        self.received.remove(log);
        self.hurries.remove(log);
        self.waiting.retain(|linked| linked.range.log != *log);
        self.onward.retain(|range| range.log != *log);
        self.waiting_bytes = self.waiting.iter().map(|linked| linked.range.bytes.len()).sum();
        self.forget_early(log);
    }

    /// Forgets what came early: it may be of another branch, and then nothing ever leads up to it.
    pub(crate) fn forget_early(&mut self, log: &LogId) {
        if let Some(early) = self.early.remove(log) {
            self.early_bytes -= early.values().map(|range| range.bytes.len()).sum::<usize>();
        }
    }
}

/// The part of a range behind `end`.
fn continuation(mut range: Range, end: Head, lost: &BTreeSet<ChainHash>) -> Result<Linked, Taken> {
    let mut walk = Walk::new(range.start());
    let mut from = (walk.head == end).then_some(0);
    for record in records(&range.bytes) {
        walk.step(range.day, record.bytes);
        if lost.contains(&walk.head.hash) {
            return Err(Taken::Lost);
        }
        if walk.head == end {
            from = Some(record.at + record.bytes.len());
            walk = Walk::new(end);
        }
    }
    range.bytes.drain(..from.ok_or(Taken::Fork)?);
    (range.position, range.hash_before) = (end.position, end.hash);
    Ok(Linked { range, points: walk.points() })
}
