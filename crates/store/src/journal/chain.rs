//! Working out the chain: from the last mark on, never from the beginning unless the marks are lost.

use std::io;

use cocli_core::limits::MARK_SPACING_BYTES;
use cocli_core::usv;
use cocli_core::{ChainHash, Day, Head, LogId, Vector};

use super::Journals;
use super::file::is_loss;
use super::log::Log;
use super::mark::{self, Mark};
use super::spot::Spot;
use crate::disk::Disk;
use crate::error::{Result, Tried, if_there};
use crate::lock::HomeLock;
use crate::paths;

/// Bytes of a journal read at a time.
const READ_BYTES: u64 = 4 * 1024 * 1024;

impl Log {
    /// Counts records into the chain that stand at its tip.
    pub(crate) fn extend_tip(&mut self, day: Day, bytes: &[u8]) {
        for record in usv::records(bytes) {
            let hash = self.tip.hash.next(day, record.bytes);
            self.move_tip(
                day,
                Head { position: self.tip.position + record.bytes.len() as u64, hash },
            );
        }
    }

    /// The chain has come to a record's end behind its tip.
    pub(crate) fn move_tip(&mut self, day: Day, to: Head) {
        self.tip = to;
        let last = self.marks.last().map_or(0, |mark| mark.head.position);
        if to.position - last >= MARK_SPACING_BYTES {
            self.add_mark(Mark { begins: false, day, head: to, saved: false });
        }
    }

    /// The tip stands where `day` begins.
    pub(crate) fn begin_day(&mut self, day: Day) {
        self.add_mark(Mark { begins: true, day, head: self.tip, saved: false });
    }

    /// Marks the beginnings of days whose lines in the marks were lost.
    fn mend(&mut self, disk: &dyn Disk) -> Result<()> {
        if self.mended {
            return Ok(());
        }
        for at in 0..self.days.len() {
            let (day, start) = (self.days[at].day, self.days[at].start);
            if start >= self.tip.position || self.marks.iter().any(|m| m.begins && m.day == day) {
                continue;
            }
            let before = self.mark_before(start).map(|at| self.marks[at]);
            let (mut head, of) = match before {
                Some(mark) => (mark.head, mark.day),
                None => (self.start, day),
            };
            if head.position < start {
                let Some(file) = self.days.iter().find(|file| file.day == of) else { continue };
                let spot = file.spot(&self.id);
                let len = usize::try_from(start - head.position).unwrap_or(usize::MAX);
                let bytes = match spot.read_at(disk, head.position - file.start, len) {
                    Err(error) if is_loss(&error) => Vec::new(),
                    bytes => bytes.tried("read", &spot.path())?,
                };
                if bytes.len() != len {
                    // The day's beginning stays unmarked, and what stands around it is a hole.
                    continue;
                }
                head = Head { position: start, hash: head.hash.over(of, &bytes) };
            }
            self.add_mark(Mark { begins: true, day, head, saved: false });
        }
        self.mended = true;
        Ok(())
    }

    /// Works the chain out up to the end of what is there. Where that cannot be read the log ends.
    pub(crate) fn advance(&mut self, disk: &dyn Disk) -> Result<()> {
        self.mend(disk)?;
        let from = self.days.partition_point(|day| day.start + day.whole < self.tip.position);
        for at in from..self.days.len() {
            let file = self.days[at].clone();
            let (day, start, whole) = (file.day, file.start, file.whole);
            if self.tip.position == start {
                self.begin_day(day);
            }
            let id = self.id.clone();
            let spot = file.spot(&id);
            while self.tip.position < start + whole {
                let offset = self.tip.position - start;
                let bytes = match read_records(disk, &spot, offset, whole) {
                    Err(error) if is_loss(&error) => {
                        let bytes = read_legible(disk, &spot, offset, whole);
                        self.extend_tip(day, &bytes);
                        self.end_at_tip(at);
                        return Ok(());
                    }
                    bytes => bytes.tried("read", &spot.path())?,
                };
                if bytes.is_empty() {
                    break;
                }
                self.extend_tip(day, &bytes);
            }
            if self.tip.position != start + whole || self.unreadable == Some(day) {
                // If the file became shorter while it was read, the next look tells.
                break;
            }
        }
        Ok(())
    }
}

/// Whole records of a file from `offset` on, before `end`; none only when nothing whole is there.
fn read_records(disk: &dyn Disk, spot: &Spot<'_>, offset: u64, end: u64) -> io::Result<Vec<u8>> {
    let mut want = READ_BYTES;
    loop {
        let len = want.min(end - offset);
        let mut bytes = spot.read_at(disk, offset, usize::try_from(len).unwrap_or(usize::MAX))?;
        let whole = usv::whole(&bytes);
        if whole > 0 || len == end - offset {
            bytes.truncate(whole);
            return Ok(bytes);
        }
        want *= 4;
    }
}

/// Whole records from `offset` on, up to the first bytes that cannot be read.
fn read_legible(disk: &dyn Disk, spot: &Spot<'_>, offset: u64, end: u64) -> Vec<u8> {
    let legible = spot.legible(disk, offset, end).unwrap_or(offset);
    let len = usize::try_from(legible - offset).unwrap_or(usize::MAX);
    let mut bytes = spot.read_at(disk, offset, len).unwrap_or_default();
    bytes.truncate(usv::whole(&bytes));
    bytes
}

impl Journals {
    /// The end of all whole records of a log, synced or not, with the hash there.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub fn head(&mut self, log: &LogId) -> Result<Head> {
        let disk = self.disk.clone();
        let start = Head::start(&self.cluster, log);
        let Some(log) = self.log_mut(log) else { return Ok(start) };
        log.advance(&*disk)?;
        Ok(log.tip)
    }

    /// The hash of a log at the end of a record, checked against the marks on both sides; `None`
    /// where no record ends, behind the end, below the [base](Journals::base) (but at the very start, where
    /// every log has the same hash for all), or where the block is damaged.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub fn hash_at(&mut self, log: &LogId, position: u64) -> Result<Option<ChainHash>> {
        if position == 0 {
            return Ok(Some(Head::start(&self.cluster, log).hash));
        }
        let disk = self.disk.clone();
        let Some(known) = self.log_mut(log) else { return Ok(None) };
        if position > known.end || position < known.start.position {
            return Ok(None);
        }
        if position == known.start.position {
            return Ok(Some(known.start.hash));
        }
        let marked = known.mark_before(position).and_then(|at| known.marks.get(at));
        if let Some(mark) = marked.filter(|mark| mark.head.position == position) {
            return Ok(Some(mark.head.hash));
        }
        known.advance(&*disk)?;
        if known.tip.position == position {
            return Ok(Some(known.tip.hash));
        }
        let Some(block) = self.block(log, position)? else { return Ok(None) };
        Ok(block.hash_at(position))
    }

    /// How far each log is durable here: only this leaves the home. What of a log is unreadable is
    /// left out.
    ///
    /// # Errors
    /// When a log cannot be read for now.
    pub fn vector(&mut self) -> Result<Vector> {
        let ids: Vec<LogId> = self.logs.keys().cloned().collect();
        let mut vector = Vector::default();
        for id in ids {
            if let Some(head) = self.durable_head(&id)? {
                vector.0.insert(id, head);
            }
        }
        Ok(vector)
    }

    /// How far a log is durable, with the hash there; `None` where nothing is, or the block is damaged.
    pub(crate) fn durable_head(&mut self, id: &LogId) -> Result<Option<Head>> {
        loop {
            let position = self.durable(id);
            if position == 0 {
                return Ok(None);
            }
            let hash = self.hash_at(id, position)?;
            // Looking may have shown that less of it can be read.
            if hash.is_some() || self.durable(id) == position {
                return Ok(hash.map(|hash| Head { position, hash }));
            }
        }
    }

    /// The points of the chain that marks tell between two positions; both are left out.
    #[must_use]
    pub fn marks_between(&self, log: &LogId, after: u64, before: u64) -> Vec<Head> {
        let marks = self.logs.get(log).map_or(&[][..], |log| &log.marks);
        let inside = |head: &Head| after < head.position && head.position < before;
        let mut heads: Vec<Head> = marks.iter().map(|mark| mark.head).filter(inside).collect();
        heads.dedup_by_key(|head| head.position);
        heads
    }

    /// How far a log is durable here.
    #[must_use]
    pub fn durable(&self, log: &LogId) -> u64 {
        self.logs.get(log).map_or(0, |log| log.durable)
    }

    /// Takes somebody's word for how far a log is durable, whose bytes were found to stand there.
    pub(crate) fn trust(&mut self, log: &LogId, durable: u64) {
        if let Some(log) = self.log_mut(log) {
            log.durable = log.durable.max(durable);
        }
    }

    /// Marks a point that somebody will come back to.
    pub(crate) fn mark(&mut self, log: &LogId, head: Head) {
        let Some(log) = self.log_mut(log) else { return };
        if log.marks.last().is_none_or(|last| last.head.position != head.position)
            && let Some(day) = log.day_at(head.position.saturating_sub(1)).map(|day| day.day)
        {
            log.add_mark(Mark { begins: false, day, head, saved: false });
        }
    }

    /// Appends the marks of synced bytes to their file. Losing them costs time only.
    pub(crate) fn save_marks(&mut self, _lock: &HomeLock, log: &LogId) -> Result<()> {
        let disk = self.disk.clone();
        let path = paths::marks(log);
        let Some(log) = self.log_mut(log) else { return Ok(()) };
        let mut text = String::new();
        for mark in &log.marks {
            if !mark.saved && mark.is_durable(log.durable) {
                mark::write(mark, &mut text);
            }
        }
        if text.is_empty() {
            return Ok(());
        }
        let len = log.marks_stat.map_or(0, |stat| stat.len);
        let torn = len > 0 && disk.read_at(&path, len - 1, 1).tried("read", &path)? != b"\n";
        if torn {
            text.insert(0, '\n');
        }
        disk.write_at(&path, len, text.as_bytes(), true)
            .tried_to_write(&path, text.len() as u64)?;
        for mark in &mut log.marks {
            mark.saved |= mark.is_durable(log.durable);
        }
        log.marks_stat = disk.stat(&path).tried("look at", &path)?;
        log.marked =
            log.marks.iter().filter(|m| m.saved).map(|m| m.head.position).max().unwrap_or(0);
        Ok(())
    }

    /// Forgets what the marks say behind `position`, durably: what stood there was taken out.
    pub(crate) fn cut_marks(&mut self, _lock: &HomeLock, log: &LogId, position: u64) -> Result<()> {
        let disk = self.disk.clone();
        let Some(known) = self.log_mut(log) else { return Ok(()) };
        // A day that began exactly there may begin elsewhere now.
        known.marks.retain(|mark| {
            mark.head.position < position || (mark.head.position == position && !mark.begins)
        });
        known.marked = position.min(known.marked);
        let mut text = String::new();
        for mark in known.marks.iter_mut().filter(|mark| mark.is_durable(known.durable)) {
            mark::write(mark, &mut text);
            mark.saved = true;
        }
        let path = paths::marks(log);
        if text.is_empty() {
            if_there(disk.remove(&path)).tried("remove", &path)?;
            return if_there(disk.sync_folder(paths::MARKS))
                .tried("sync", paths::MARKS)
                .map(|_| ());
        }
        super::replace(&*disk, &path, text.as_bytes())
    }
}
