//! Appending what other nodes wrote: only at the very end of what is held, and only on its chain.

use cocli_core::frame::{Linked, Range};
use cocli_core::limits::LOGS_MAX;
use cocli_core::usv::RS;
use cocli_core::{Head, LogId};

use super::file::{cut, salvage};
use super::log::DayFile;
use super::{Journals, put_aside};
use crate::error::{Result, Tried};
use crate::lock::HomeLock;
use crate::paths;

/// What became of a range.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Placed {
    /// It stands at the end of its log, which ends there now; not synced.
    Appended(Head),
    /// It cannot stand there; the log ends at `head`. Nothing was written.
    Misplaced {
        /// The end of what is held.
        head: Head,
        /// Why.
        why: Misplaced,
    },
}

/// Why a range was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Misplaced {
    /// It begins elsewhere: before the end (held already) or behind it (something is missing).
    Position,
    /// It begins at the end, but on another branch.
    Hash,
    /// Its day is before the day that the log has come to, or none of its month.
    Day,
    /// It is no whole records.
    Torn,
    /// It is of a log that this home alone extends.
    Own,
    /// The home follows as many logs as it can.
    TooMany,
}

impl Journals {
    /// As [`Journals::append_linked`], where the chain is still to be worked out.
    ///
    /// # Errors
    /// As [`Journals::append_linked`].
    pub fn append_range(&mut self, lock: &HomeLock, range: &Range) -> Result<Placed> {
        self.append_linked(lock, &Linked::from(range.clone()))
    }

    /// Appends a range to its log. It counts, and leaves the home, only after a sync.
    ///
    /// # Errors
    /// When it cannot be written; no part of it counts then.
    pub fn append_linked(&mut self, lock: &HomeLock, linked: &Linked) -> Result<Placed> {
        let range = &linked.range;
        self.write_what_no_sync_holds(&range.log)?;
        let head = self.head(&range.log)?;
        if let Some(why) = self.misplaced(range, head) {
            return Ok(Placed::Misplaced { head, why });
        }
        self.make_folders(lock)?;
        if self.logs.get(&range.log).is_some_and(|log| log.marked > log.end || log.lost_a_name()) {
            // Its journals were shortened: the marks of what is gone must not judge what comes, nor say
            // that a journal has a durable name which is only now made.
            self.cut_marks(lock, &range.log, head.position)?;
        }
        self.remove_empty_days(lock, range)?;
        if self.begins_day_unsynced(range) {
            // Else a power cut could leave the later day without the earlier one.
            self.sync(lock)?;
        }
        self.take_out_of_archive(lock, range)?;
        let path = paths::journal(&range.log, range.day);
        let offset = {
            let log = self.entry(&range.log);
            log.days.iter().find(|file| file.day == range.day).map_or(0, |file| file.whole)
        };
        let raw = self.disk.stat(&path).tried("look at", &path)?.map_or(0, |stat| stat.len);
        if raw > offset {
            // A torn end, as a power cut leaves it; or what stands behind bytes that cannot be read.
            if self.logs.get(&range.log).is_some_and(|log| log.unreadable.is_some()) {
                self.keep_aside(&range.log, range.position, (&path, offset, raw))?;
            }
            cut(&*self.disk, &path, offset).tried("cut the torn end of", &path)?;
        }
        if let Err(error) = self.disk.write_at(&path, offset, &range.bytes, false) {
            // What cannot be cut is a torn end, or whole records of the very log: both are sound.
            let _ = self.disk.cut(&path, offset);
            self.refresh()?;
            return Err(error).tried_to_write(&path, range.bytes.len() as u64);
        }
        let stat = self.disk.stat(&path).tried("look at", &path)?;
        let log = self.entry(&range.log);
        if log.newest_day() != Some(range.day) {
            let start = range.position;
            log.days.push(DayFile {
                day: range.day,
                start,
                raw: 0,
                whole: 0,
                there: true,
                piece: None,
            });
            log.begin_day(range.day);
        }
        if let Some(file) = log.days.last_mut() {
            (file.raw, file.there) = (offset + range.bytes.len() as u64, true);
            file.whole = file.raw;
        }
        log.found.retain(|(day, _)| *day != range.day);
        log.found.extend(stat.map(|stat| (range.day, stat)));
        log.is_legible_again();
        log.appended.get_or_insert(range.position);
        for point in &linked.points {
            log.move_tip(range.day, *point);
        }
        log.end = log.tip.position;
        Ok(Placed::Appended(log.tip))
    }

    fn misplaced(&self, range: &Range, head: Head) -> Option<Misplaced> {
        let log = self.logs.get(&range.log);
        if self.owns(&range.log) {
            return Some(Misplaced::Own);
        }
        // One place is for the own log, whether there is any of it yet or not.
        let own = self.logs.keys().filter(|id| self.owns(id)).count();
        if log.is_none() && self.logs.len() - own >= LOGS_MAX.saturating_sub(own.max(1)) {
            return Some(Misplaced::TooMany);
        }
        if range.bytes.last() != Some(&RS) {
            return Some(Misplaced::Torn);
        }
        if range.position != head.position {
            return Some(Misplaced::Position);
        }
        if range.hash_before != head.hash {
            return Some(Misplaced::Hash);
        }
        let newest = log.and_then(|log| log.days.iter().rev().find(|file| file.whole > 0));
        let gone = self.base(&range.log).map(|base| base.day);
        let newest = newest.map(|file| file.day).max(gone);
        let strays = range.log.month.is_some_and(|month| range.day != month.first_day());
        (strays || newest.is_some_and(|newest| range.day < newest)).then_some(Misplaced::Day)
    }

    /// The journal of a day that was at rest may be in the archive by now; it comes back to be appended to.
    fn take_out_of_archive(&mut self, lock: &HomeLock, range: &Range) -> Result<()> {
        let known = self.day_files(&range.log).iter().find(|file| file.day == range.day).cloned();
        let Some(known) = known else { return Ok(()) };
        let path = paths::journal(&range.log, range.day);
        let len = self.disk.stat(&path).tried("look at", &path)?.map_or(0, |stat| stat.len);
        if self.stands_in_archive(&range.log, range.day) || len < known.whole {
            self.thaw(lock, &range.log, range.day)?;
            self.head(&range.log)?;
        }
        Ok(())
    }

    fn begins_day_unsynced(&self, range: &Range) -> bool {
        let log = self.logs.get(&range.log);
        log.is_some_and(|log| log.durable < log.end && log.newest_day() != Some(range.day))
    }

    /// Keeps the bytes of a journal from one place to another, as far as they can be read.
    pub(super) fn keep_aside(
        &self,
        log: &LogId,
        position: u64,
        (path, from, to): (&str, u64, u64),
    ) -> Result<()> {
        let len = usize::try_from(to.saturating_sub(from)).unwrap_or(usize::MAX);
        if len == 0 {
            return Ok(());
        }
        let bytes = salvage(&*self.disk, path, from, len).tried("read", path)?.bytes;
        put_aside(&*self.disk, log, position, &bytes).map(|_| ())
    }

    /// A power cut may leave the name of a later day without its bytes, and an earlier day without
    /// its name.
    fn remove_empty_days(&mut self, lock: &HomeLock, range: &Range) -> Result<()> {
        let Some(log) = self.logs.get(&range.log) else { return Ok(()) };
        let later: Vec<DayFile> = log.days.iter().filter(|f| f.day > range.day).cloned().collect();
        if later.is_empty() {
            return Ok(());
        }
        for file in later.iter().filter(|file| file.there) {
            let path = paths::journal(&range.log, file.day);
            self.keep_aside(&range.log, file.start, (&path, 0, file.raw))?;
            self.disk.remove(&path).tried("remove", &path)?;
        }
        self.cut_marks(lock, &range.log, range.position)?;
        self.refresh()?;
        self.head(&range.log).map(|_| ())
    }

    /// Whether any whole record of a log is held.
    #[must_use]
    pub fn holds(&self, log: &LogId) -> bool {
        self.logs.get(log).is_some_and(|log| log.end > 0)
    }
}
